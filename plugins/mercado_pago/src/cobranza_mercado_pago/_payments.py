"""
The vendor's payment as an event: how it stands now.

Nothing about the payer is read. See https://www.mercadopago.com/developers, "Payment status".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from cobranza_mercado_pago._amounts import from_vendor
from cobranza_mercado_pago._config import MercadoPagoConfig
from cobranza_sdk import Event, EventKind, Money

PAYMENT_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_WORD = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_MAX_REFERENCE = 256

#: What a status says of the money. One that is not here is unknown: doubt is not recorded as fact.
KINDS = {
    "pending": EventKind.PAYMENT_PENDING,
    "in_process": EventKind.PAYMENT_PENDING,
    "authorized": EventKind.PAYMENT_PENDING,
    # a dispute was opened: nothing is lost yet
    "in_mediation": EventKind.PAYMENT_PENDING,
    "approved": EventKind.PAYMENT_APPROVED,
    "rejected": EventKind.PAYMENT_REJECTED,
    "cancelled": EventKind.PAYMENT_REJECTED,
    "refunded": EventKind.PAYMENT_REFUNDED,
    "charged_back": EventKind.PAYMENT_CHARGED_BACK,
}


def read_payment(resource: Any, config: MercadoPagoConfig) -> Event | None:
    """
    Read one payment; None where it is not what the vendor answers.

    A payment to another seller, one of test mode and one whose amount cannot be read are ``unknown``, with the reason
    as ``problem`` in `Event.raw`.
    """
    payment_id = _id(resource.get("id")) if isinstance(resource, dict) else None
    at = None if payment_id is None else _moment(resource)
    if payment_id is None or at is None:
        return None
    status, detail = _word(resource.get("status")), _word(resource.get("status_detail"))
    money = from_vendor(resource.get("transaction_amount"), resource.get("currency_id"))
    back = from_vendor(resource.get("transaction_amount_refunded") or 0, resource.get("currency_id"))
    problem = _problem(resource, config, money, back)
    kind = EventKind.UNKNOWN if problem else _kind(status, detail, back)
    refunded = None if money is None or back is None else _refunded(kind, status, money, back)
    raw = {"status": status, "status_detail": detail, "problem": problem}
    return Event(
        kind=kind,
        key=f"{payment_id}:{status}:{detail}:{0 if refunded is None else refunded.minor}",
        occurred_at=at,
        account=config.collector_id,
        provider_message_id=payment_id,
        money=money,
        refunded=refunded,
        reference=_reference(resource.get("external_reference")),
        raw={name: value for name, value in raw.items() if value is not None},
    )


def _problem(
    resource: dict[str, Any], config: MercadoPagoConfig, money: Money | None, back: Money | None
) -> str | None:
    if str(resource.get("collector_id")) != config.collector_id:
        return "other_collector"
    if resource.get("live_mode") is not True and not config.accept_test_payments:
        return "test_payment"
    if money is None or back is None or money.minor <= 0 or not 0 <= back.minor <= money.minor:
        return "amount"
    return None


def _kind(status: str | None, detail: str | None, back: Money | None) -> EventKind:
    if (status, detail) == ("charged_back", "reimbursed"):
        return EventKind.UNKNOWN  # decided for the seller: whether the money is there, only the account shows
    if status == "approved" and back is not None and back.minor > 0:
        return EventKind.PAYMENT_REFUNDED  # a part of it: the status stays
    return KINDS.get(status or "", EventKind.UNKNOWN)


def _refunded(kind: EventKind, status: str | None, money: Money, back: Money) -> Money | None:
    if kind is EventKind.PAYMENT_CHARGED_BACK or (kind is EventKind.PAYMENT_REFUNDED and status == "refunded"):
        return money
    return back if kind is EventKind.PAYMENT_REFUNDED else None


def _id(value: object) -> str | None:
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return text if PAYMENT_ID.fullmatch(text) else None


def _word(value: object) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "unprintable"


def _reference(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_REFERENCE and value.isprintable() else None


def _moment(resource: dict[str, Any]) -> datetime | None:
    """
    When the money came, for an approved payment; else when it last changed.
    """
    first = ("date_approved",) if resource.get("status") == "approved" else ()
    names = (*first, "date_last_updated", "date_created")
    return next((moment for name in names if (moment := read_moment(resource.get(name))) is not None), None)


def read_moment(value: object) -> datetime | None:
    """
    An instant with its offset, in UTC; None where it is none.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
