"""
States that outsiders see.
"""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """
    What may be done. The strictest wins: deny, defer, amend, allow.
    """

    ALLOW = "allow"
    AMEND = "amend"
    DEFER = "defer"
    DENY = "deny"

    @property
    def rank(self) -> int:
        """
        0 for allow up to 3 for deny.
        """
        return _VERDICT_RANK[self]


_VERDICT_RANK = {Verdict.ALLOW: 0, Verdict.AMEND: 1, Verdict.DEFER: 2, Verdict.DENY: 3}


class AttemptState(StrEnum):
    """
    Where an attempt stands.

    ``leased`` may be taken over when its lease ends; ``sending`` never: it becomes ``unknown``.
    ``unknown`` counts as contacted and is not sent again by itself.
    """

    PLANNED = "planned"
    DEFERRED = "deferred"
    LEASED = "leased"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_waiting(self) -> bool:
        """
        Whether the attempt may still be sent.
        """
        return self in _WAITING


_WAITING = frozenset({AttemptState.PLANNED, AttemptState.DEFERRED, AttemptState.LEASED})


class EventKind(StrEnum):
    """
    What a provider can report. New kinds may be added: treat one you don't know as no news.
    """

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"
    INBOUND_MESSAGE = "inbound_message"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    WRONG_NUMBER = "wrong_number"
    PAYMENT_APPROVED = "payment_approved"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_REJECTED = "payment_rejected"
    PAYMENT_REFUNDED = "payment_refunded"
    PAYMENT_CHARGED_BACK = "payment_charged_back"
    TEMPLATE_STATUS = "template_status"
