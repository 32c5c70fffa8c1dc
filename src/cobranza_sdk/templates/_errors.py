"""
Errors of the room.

CobranzaError
└── TemplateError   a catalogue, a template, or a message that cannot be made from one
"""

from __future__ import annotations

from collections.abc import Iterable

from cobranza_sdk.model import CobranzaError


class TemplateError(CobranzaError):
    """
    A catalogue or a template cannot be used, or a message cannot be made from one.

    Attributes:
        problems: One sentence each: origin, template, key or variable, what is expected. Never a person's data.
    """

    def __init__(self, problems: str | Iterable[str], *, hint: str | None = None) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(self.problems), hint=hint)
