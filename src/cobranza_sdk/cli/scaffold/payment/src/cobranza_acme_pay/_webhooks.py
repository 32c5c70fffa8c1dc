"""
Webhooks: verify first, then parse. A webhook is a hint: it names payments, and what is posted is asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from cobranza_sdk import Event, EventKind, Secret, VerifiedEnvelope, WebhookRejectedError, WebhookRequest

SIGNATURE = "x-acme-signature"
#: How long after its signing a webhook is taken. The vendor signs each repetition anew.
WINDOW = timedelta(minutes=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = re.compile(r"t=(?P<time>[0-9]{1,12}),v1=(?P<digest>[0-9a-f]{64})", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def sign(secret: str, time: str, body: bytes) -> str:
    """
    The signature of a webhook, over its time and its body.
    """
    return hmac.new(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()


def signature(secret: str, at: datetime, body: bytes) -> str:
    """
    The header that carries it.
    """
    time = str(int(at.timestamp()))
    return f"t={time},v1={sign(secret, time, body)}"


def verify_request(request: WebhookRequest, secrets: Iterable[Secret], account: str) -> VerifiedEnvelope:
    """
    Prove by the raw bytes that the vendor sent this, and not long ago.
    """
    parts = _PARTS.fullmatch(request.headers.get(SIGNATURE, ""))
    wanted = [sign(secret.reveal(), parts["time"], request.body) for secret in secrets] if parts else []
    if parts is None or not any(hmac.compare_digest(each, parts["digest"]) for each in wanted):
        msg = "the signature does not match"
        raise WebhookRejectedError(msg)
    if abs(request.received_at - (_EPOCH + timedelta(seconds=int(parts["time"])))) > WINDOW:
        msg = "it was signed too long ago"
        raise WebhookRejectedError(msg)
    return request.verified(account=account, scheme="hmac-sha256", signed=request.body)


def parse_envelope(envelope: VerifiedEnvelope) -> Sequence[Event]:
    """
    Read what was signed: one hint for each payment.
    """
    try:
        told = json.loads(envelope.signed)
    except (ValueError, RecursionError):
        msg = "the signed body is no JSON"
        raise WebhookRejectedError(msg) from None
    if not isinstance(told, dict) or told.get("type") != "payments":
        return ()
    try:
        at, named = datetime.fromisoformat(told["at"]), told["payments"]
        ids = named if isinstance(named, list) else [named]
        return [_hint(told["event"], at, payment_id, envelope.account) for payment_id in ids]
    except (KeyError, TypeError, ValueError):
        msg = "the signed body is not what the vendor sends"
        raise WebhookRejectedError(msg) from None


def _hint(event: str, at: datetime, payment_id: str, account: str) -> Event:
    """
    One payment; its key is made of the vendor's own ids, the same however often it is delivered.
    """
    if not _ID.fullmatch(payment_id):
        msg = "no id"
        raise ValueError(msg)
    return Event(
        kind=EventKind.UNKNOWN,
        key=f"{event}:{payment_id}",
        occurred_at=at,
        account=account,
        provider_message_id=payment_id,
        raw={"hint": "payment"},
    )
