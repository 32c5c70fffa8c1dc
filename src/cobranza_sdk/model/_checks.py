"""
Field validators shared by the values.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cobranza_sdk.model._errors import InvalidValueError

if TYPE_CHECKING:
    from attrs import Attribute

MAX_ID_LENGTH = 32
#: Clocks that tell an offset for every instant.
_WITH_OFFSET = frozenset({timezone, ZoneInfo})


def aware(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """
    Refuse a datetime without an offset: a naive one has no place on the clock.
    """
    if value is None or (type(value) is datetime and type(value.tzinfo) in _WITH_OFFSET):
        return
    if not isinstance(value, datetime):
        msg = f"{type(instance).__name__}.{attribute.name} must be a datetime with a UTC offset"
        raise InvalidValueError(msg)
    if value.utcoffset() is None:
        msg = f"{type(instance).__name__}.{attribute.name} needs a UTC offset: naive datetimes are refused"
        raise InvalidValueError(msg)


def a_day(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """
    Refuse a datetime where a day is meant: the two never compare.
    """
    if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
        msg = f"{type(instance).__name__}.{attribute.name} must be a date without a time"
        raise InvalidValueError(msg)


def all_of(kind: type) -> Any:
    """
    Build a validator that accepts only members of *kind*; its text names types, never a member.
    """

    def check(instance: object, attribute: Attribute[Any], values: Iterable[object]) -> None:
        for value in values:
            if not isinstance(value, kind):
                where = f"{type(instance).__name__}.{attribute.name}"
                msg = f"{where} must hold {kind.__name__} values only, found {type(value).__name__}"
                raise InvalidValueError(msg)

    return check


def not_blank(instance: object, attribute: Attribute[Any], value: object) -> None:
    """
    Refuse an empty or blank string.
    """
    if not isinstance(value, str) or not value.strip():
        msg = f"{type(instance).__name__}.{attribute.name} may not be blank"
        raise InvalidValueError(msg)


def a_flag(instance: object, attribute: Attribute[Any], value: object) -> None:
    """
    Refuse what only looks true: the word "no" would be a yes.
    """
    if not isinstance(value, bool):
        msg = f"{type(instance).__name__}.{attribute.name} must be True or False"
        raise InvalidValueError(msg)


def a_text(instance: object, attribute: Attribute[Any], value: object) -> None:
    """
    Refuse what is neither text nor None.
    """
    if value is not None and not isinstance(value, str):
        msg = f"{type(instance).__name__}.{attribute.name} must be text or None, found {type(value).__name__}"
        raise InvalidValueError(msg)


def one_of(allowed: Iterable[str]) -> Any:
    """
    Build a validator that accepts only *allowed*.
    """
    choices = frozenset(allowed)

    def check(instance: object, attribute: Attribute[Any], value: str) -> None:
        if value not in choices:
            msg = f"{type(instance).__name__}.{attribute.name} must be one of {', '.join(sorted(choices))}"
            raise InvalidValueError(msg)

    return check


def opaque_id(instance: object, attribute: Attribute[Any], value: str | None) -> None:
    """
    Hold an id of ours to 1 to 32 printable ASCII characters without blanks.
    """
    if value is None:
        return
    if not (0 < len(value) <= MAX_ID_LENGTH and value.isascii() and value.isprintable() and " " not in value):
        msg = f"{type(instance).__name__}.{attribute.name} must be 1 to 32 printable ASCII characters without blanks"
        raise InvalidValueError(msg)


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """
    Take several strings; one string alone is a slip, not a list of letters.
    """
    given: Any = values
    if isinstance(given, str) or not isinstance(given, Iterable):
        msg = (
            f"found {'one text' if isinstance(given, str) else type(given).__name__} where a list of texts is expected"
        )
        raise InvalidValueError(msg)
    found = tuple(given)
    for value in found:
        if not isinstance(value, str):
            msg = f"found {type(value).__name__} in a list of texts"
            raise InvalidValueError(msg)
    return found


def text_set(values: Iterable[str]) -> frozenset[str]:
    """
    Take several strings, in no order.
    """
    return frozenset(texts(values))
