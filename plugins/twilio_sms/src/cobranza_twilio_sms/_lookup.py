"""
What the vendor's list of messages says about an attempt whose answer was lost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from cobranza_sdk import AttemptRef, EventKind, Found, Undetermined
from cobranza_twilio_sms._webhooks import REPORTED, SID, UNREPORTED

#: How far the vendor's clock may be from ours, and how long a call may take to be recorded there.
_CREATED_BEFORE = timedelta(minutes=5)
_CREATED_AFTER = timedelta(minutes=10)
#: Other directions are not created by a request such as ours.
_NOT_OURS = frozenset({"inbound", "outbound-call", "outbound-reply"})


class Search:
    """
    What the vendor's list shows about one attempt.

    Args:
        attempt: Whose answer was lost.

    Attributes:
        complete: Whether the list was read to its end.
    """

    def __init__(self, attempt: AttemptRef) -> None:
        self.complete = False
        self._attempt = attempt
        self._matches: dict[str, Found] = {}
        self._has_illegible = False
        self._has_others = False

    def take(self, resource: object) -> None:
        """
        Weigh one message of the list. It may come again when pages shift.
        """
        found = read_found(resource)
        if found is None or not isinstance(resource, dict):
            self._has_illegible = True
            return
        created_at = _read_date(resource.get("date_created"))
        if resource.get("direction") in _NOT_OURS or (created_at is not None and not self._is_near(created_at)):
            return
        words, ours = resource.get("body"), self._attempt.text
        if created_at is None or ours is None or not isinstance(words, str) or not words:
            self._has_illegible = True
        elif words.split() == ours.split() and resource.get("to", self._attempt.to.value) == self._attempt.to.value:
            self._matches[found.provider_message_id] = found
        else:
            self._has_others = True

    def _is_near(self, created_at: datetime) -> bool:
        return -_CREATED_BEFORE <= created_at - self._attempt.sent_at <= _CREATED_AFTER

    @property
    def answer(self) -> Found | Undetermined | None:
        """
        What can be said, or None when a complete list shows nothing that could be the attempt.
        """
        if not self.complete:
            return Undetermined(reason="the vendor's list could not be read to its end")
        if self._has_illegible:
            return Undetermined(reason="a message of this time cannot be compared")
        if len(self._matches) > 1:
            return Undetermined(reason="several messages have these words and this time")
        if self._matches:
            return next(iter(self._matches.values()))
        # a template, smart encoding and shortened links change the words that the vendor shows
        return Undetermined(reason="a message of this time has other words") if self._has_others else None


def read_found(resource: Any) -> Found | None:
    """
    What the vendor says of one message, or None when it is no message.
    """
    if not isinstance(resource, dict) or not is_sid(resource.get("sid")):
        return None
    status = resource.get("status")
    return Found(
        provider_message_id=resource["sid"],
        kind=_state(status if isinstance(status, str) else ""),
        occurred_at=_read_date(resource.get("date_updated")),
    )


def _state(status: str) -> EventKind:
    if status == "canceled":
        return EventKind.FAILED
    if status in UNREPORTED:
        return EventKind.ACCEPTED
    return REPORTED.get(status, EventKind.UNKNOWN)


def is_sid(value: object) -> bool:
    """
    Whether *value* is the vendor's id of a message.
    """
    return isinstance(value, str) and SID.fullmatch(value) is not None


def _read_date(value: object) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value) if isinstance(value, str) else None
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return parsed.astimezone(UTC) if parsed is not None and parsed.tzinfo is not None else None
