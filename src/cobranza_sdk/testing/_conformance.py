"""
What all conformance classes share: standard checks that cannot be replaced, skips that end, and failures that explain.
"""

from __future__ import annotations

import functools
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

import attrs
import pytest
from attrs import field, frozen

from cobranza_sdk.model import CobranzaError
from cobranza_sdk.model._checks import not_blank
from cobranza_sdk.spec import API_VERSION, Provider

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

#: Longest time that one check may take; what is not done by then hangs.
CHECK_DEADLINE_S = 20.0
_SHOWN = 12
_WIDTH = 300


@frozen(kw_only=True)
class Skip:
    """
    A standard check that is left out for a while.

    Attributes:
        reason: Why, for those who read the certificate.
        until: Last day on which it is left out; from the next day on it runs again.
    """

    reason: str = field(validator=not_blank)
    until: date


class Conformance:
    """
    Base of the conformance classes. The checks they bring cannot be overridden or deleted.

    Attributes:
        skips: Checks that are left out, by name.
        today: The day that skips are held against; the machine's when None.
    """

    skips: ClassVar[Mapping[str, Skip]] = {}
    today: ClassVar[date | None] = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        """
        Refuse a subclass that replaces a standard check, or skips what does not exist.
        """
        super().__init_subclass__(**arguments)
        standard = {name for base in cls.__mro__[1:] for name in standard_checks(base)}
        replaced = sorted(standard & vars(cls).keys())
        if replaced:
            msg = f"{cls.__name__} replaces {', '.join(replaced)}: standard checks cannot be overridden, only skipped"
            raise TypeError(msg)
        unknown = sorted(cls.skips.keys() - standard)
        if standard and unknown:
            msg = f"{cls.__name__}.skips names {', '.join(unknown)}: there are no such checks"
            raise TypeError(msg)


def standard_checks(cls: type) -> list[str]:
    """
    Names of the standard checks of a conformance class, in order.
    """
    return [
        name
        for base in reversed(cls.__mro__)
        for name, member in vars(base).items()
        if getattr(member, "is_standard_check", False)
    ]


def descriptor_problems(cls: type[Provider]) -> list[str]:
    """
    What is wrong with the part of a descriptor that all providers have.
    """
    problems = []
    if not cls.name.isidentifier() or cls.name != cls.name.lower():
        problems.append(f"name {cls.name!r}, expected small letters, digits and _")
    if cls.api not in (API_VERSION - 1, API_VERSION):
        problems.append(f"api {cls.api}, expected {API_VERSION} or the level before")
    if not attrs.has(cls.config):
        problems.append(f"config {cls.config!r}, expected an attrs class")
    return problems


def standard(function: F) -> F:
    """
    Mark a standard check that says by itself what it found.
    """

    @functools.wraps(function)
    def run(self: Any) -> None:
        _leave_out(type(self), function.__name__)
        function(self)

    run.is_standard_check = True  # type: ignore[attr-defined]  # how `Conformance` knows them
    return run  # type: ignore[return-value]  # the same signature


def check(why: str) -> Callable[[F], F]:
    """
    Mark a standard check.

    Args:
        why: What goes wrong in the world where it fails.
    """

    def mark(function: F) -> F:
        @standard
        @functools.wraps(function)
        def run(self: Any) -> None:
            try:
                within(lambda: function(self))
            except ProblemError as problem:
                raise AssertionError(problem.told(why)) from None
            except ExceptionGroup as several:
                first = _problem_in(several) or _raised(several.exceptions[0])
                raise AssertionError(first.told(why)) from several
            except Exception as error:
                raise AssertionError(_raised(error).told(why)) from error

        return run  # type: ignore[return-value]  # the same signature

    return mark


def _raised(error: Exception) -> ProblemError:
    """
    An exception that a check has no use for. Ours are quoted; others may name a person: their place is told.
    """
    name = type(error).__name__
    if isinstance(error, CobranzaError):
        return ProblemError(f"{name} was raised: {error}", "no error: nothing was amiss in what this check did")
    innermost = traceback.extract_tb(error.__traceback__)[-1]
    return ProblemError(
        f"{name} was raised in {Path(innermost.filename).name}, line {innermost.lineno}",
        "no exceptions but those that the contract names",
    )


def _problem_in(several: ExceptionGroup[Exception]) -> ProblemError | None:
    """
    The first problem among what tasks that ran side by side have raised.
    """
    found = several.subgroup(ProblemError)
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]  # type: ignore[assignment]  # a group or its member
    return found


def _leave_out(cls: type[Conformance], name: str) -> None:
    skip = cls.skips.get(name)
    if skip is None:
        return
    today = cls.today or datetime.now(UTC).date()
    if today <= skip.until:
        pytest.skip(f"{skip.reason} (until {skip.until})")


class ProblemError(Exception):
    """
    What a check found.

    Args:
        found: What happened.
        expected: What should have.
        exchange: Lines that show what passed between the provider and the vendor.
    """

    def __init__(self, found: str, expected: str, exchange: Iterable[str] = ()) -> None:
        super().__init__(found)
        self.found, self.expected, self.exchange = found, expected, list(exchange)

    def told(self, why: str) -> str:
        """
        The failure as its reader sees it.
        """
        lines = [f"found: {self.found}", f"expected: {self.expected}", f"why it matters: {why}"]
        if self.exchange:
            shown = [line[:_WIDTH] for line in self.exchange[-_SHOWN:]]
            lines += ["exchange:", *(f"  {line}" for line in shown)]
        return "\n".join(lines)


def fail(found: str, expected: str, exchange: Iterable[str] = ()) -> NoReturn:
    """
    End a check.
    """
    raise ProblemError(found, expected, exchange)


def not_applicable(reason: str) -> NoReturn:
    """
    End a check that such a provider has no use for, visibly.
    """
    pytest.skip(f"not applicable: {reason}")


def within(work: Callable[[], T], *, deadline_s: float = CHECK_DEADLINE_S) -> T:
    """
    Do it in a thread of its own, so that what blocks cannot hang the whole run.

    Raises:
        ProblemError: It is not done in time.
        BaseException: Whatever it raised.
    """
    answer: list[T] = []
    error: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(work())
        except BaseException as raised:  # noqa: BLE001  # handed to the caller
            error.append(raised)

    thread = threading.Thread(target=run, daemon=True, name="conformance")
    thread.start()
    thread.join(deadline_s)
    if thread.is_alive():
        fail(f"not done after {deadline_s:g} s", "an answer: a call that hangs holds up everything behind it")
    if error:
        raise error[0]
    return answer[0]
