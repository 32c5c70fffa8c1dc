"""
Errors of loading and configuring.

CobranzaError
├── ConfigurationError   cobranza.toml, or settings passed in, cannot be used
└── PluginError          strict mode: plugins failed, all of them listed
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import frozen

from cobranza_sdk.model import CobranzaError


class ConfigurationError(CobranzaError):
    """
    The configuration cannot be used.

    Attributes:
        problems: One sentence each: full key, what was found, what is expected. Never a value.
    """

    def __init__(self, problems: Sequence[str], *, hint: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems), hint=hint)

    def __reduce__(self) -> tuple[object, ...]:
        return (partial(type(self), hint=self.hint), (self.problems,))


@frozen(kw_only=True)
class PluginFailure:
    """
    A plugin, or a part of one, that cannot be used. The others can.

    Attributes:
        plugin: Name of its entry point.
        distribution: Name of its distribution.
        stage: ``metadata``, ``compatibility``, ``allow``, ``import``, ``register``, ``describe`` or ``configure``.
        subject: What failed: a module, a hook, a provider, a configured name.
        cause: What happened, one line.
        hint: What to do about it, one sentence.
    """

    plugin: str
    distribution: str
    stage: str
    subject: str
    cause: str
    hint: str

    def to_dict(self) -> dict[str, str]:
        """
        The failure as JSON-ready data.
        """
        return {
            "plugin": self.plugin,
            "distribution": self.distribution,
            "stage": self.stage,
            "cause": f"{self.subject}: {self.cause}",
            "hint": self.hint,
        }

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution}) failed at {self.stage}: {self.subject}: {self.cause}"


class PluginError(CobranzaError):
    """
    Plugins failed while ``strict`` is on.

    Attributes:
        failures: All of them.
    """

    def __init__(self, failures: Sequence[PluginFailure]) -> None:
        self.failures = tuple(failures)
        super().__init__("; ".join(str(failure) for failure in self.failures), hint=self.failures[0].hint)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.failures,))
