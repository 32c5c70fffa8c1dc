"""
Webhooks: verify first, then parse.

The signature covers the id in the address, the request's id and the time, and nothing of the body: a valid one can be
sent again with any body. A webhook is therefore a hint that names a payment, and the body is never read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from cobranza_mercado_pago._config import MercadoPagoConfig
from cobranza_mercado_pago._payments import PAYMENT_ID
from cobranza_sdk import Event, EventKind, Secret, VerifiedEnvelope, WebhookRejectedError, WebhookRequest

SIGNATURE = "X-Signature"
REQUEST_ID = "X-Request-Id"
SCHEME = "hmac-sha256"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A time beyond this is in milliseconds.
_SECONDS_END = 10**11
_AHEAD = timedelta(minutes=10)
_MAX_FIELDS = 100
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_REQUEST = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_TIME = re.compile(r"[0-9]{9,14}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_MANIFEST = re.compile(r"(?:id:(?P<id>[^;]+);)?(?:request-id:(?P<request>[^;]+);)?ts:(?P<ts>[0-9]{9,14});", re.ASCII)


def manifest(data_id: str | None, request_id: str | None, ts: str) -> str:
    """
    What is signed. A part that is missing is left out with its label.
    """
    parts = (("id", data_id), ("request-id", request_id), ("ts", ts))
    return "".join(f"{label}:{value};" for label, value in parts if value)


def sign(key: str, text: str) -> str:
    """
    The signature of a manifest, in hexadecimal digits.
    """
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def verify_request(request: WebhookRequest, config: MercadoPagoConfig) -> VerifiedEnvelope:
    """
    Prove that the vendor signed *request* with a secret of this application. The envelope holds the manifest.
    """
    ts, given = _given_signature(request)
    _require_recent(read_time(ts), request.received_at, timedelta(days=config.webhook_days))
    data_id, request_id = _data_id(request.url), _request_id(request)
    # signed as received or in small letters: the vendor's documents and its own library disagree
    spellings = dict.fromkeys((data_id, data_id and data_id.lower()))
    texts = [manifest(spelling, request_id, ts) for spelling in spellings]
    matches = [
        text
        for secret in config.webhook_secret
        for text in texts
        if hmac.compare_digest(sign(_reveal(secret), text).encode(), given)
    ]
    if not matches:
        msg = "the signature matches no secret of this application"
        raise WebhookRejectedError(msg)
    return request.verified(account=config.collector_id, scheme=SCHEME, signed=matches[0].encode())


def parse_envelope(envelope: VerifiedEnvelope) -> Sequence[Event]:
    """
    Name the payment that something is said of. Ids of other things than payments are nothing to report.
    """
    parts = _MANIFEST.fullmatch(envelope.signed.decode("ascii", "replace"))
    if parts is None:
        msg = "what was signed is no manifest"
        raise WebhookRejectedError(msg)
    payment_id = parts["id"] or ""
    if not PAYMENT_ID.fullmatch(payment_id):
        return ()
    hint = Event(
        kind=EventKind.UNKNOWN,
        key=f"hint:{payment_id}:{parts['request'] or ''}:{parts['ts']}",
        occurred_at=read_time(parts["ts"]),
        account=envelope.account,
        provider_message_id=payment_id,
        raw={"hint": "payment"},
    )
    return (hint,)


def read_time(ts: str) -> datetime:
    """
    The signed time, given in seconds or in milliseconds.
    """
    number = int(ts)
    return _EPOCH + (timedelta(milliseconds=number) if number >= _SECONDS_END else timedelta(seconds=number))


def _given_signature(request: WebhookRequest) -> tuple[str, bytes]:
    parts: dict[str, str] = {}
    for item in request.headers.get(SIGNATURE, "").split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        if parts.setdefault(name, value) != value:
            msg = f"{SIGNATURE} contradicts itself"
            raise WebhookRejectedError(msg)
    ts, digest = parts.get("ts", ""), parts.get("v1", "")
    if not _TIME.fullmatch(ts) or not _DIGEST.fullmatch(digest):
        msg = f"{SIGNATURE} is missing or has no ts and v1"
        raise WebhookRejectedError(msg)
    return ts, digest.lower().encode("ascii")


def _require_recent(signed_at: datetime, now: datetime, tolerance: timedelta) -> None:
    if not now - tolerance <= signed_at <= now + _AHEAD:
        msg = "the signed time is too far from now"
        raise WebhookRejectedError(msg)


def _data_id(url: str) -> str | None:
    try:
        pairs = parse_qsl(urlsplit(url).query, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        msg = "the address has no query that can be read"
        raise WebhookRejectedError(msg) from None
    given = {value for name, value in pairs if name == "data.id"}
    if not given:
        return None
    if len(given) > 1 or not _ID.fullmatch(data_id := given.pop()):
        msg = "data.id is given twice or is no id"
        raise WebhookRejectedError(msg)
    return data_id


def _request_id(request: WebhookRequest) -> str | None:
    request_id = request.headers.get(REQUEST_ID)
    if request_id and not _REQUEST.fullmatch(request_id):
        msg = f"{REQUEST_ID} is no id"
        raise WebhookRejectedError(msg)
    return request_id or None


def _reveal(secret: Secret) -> str:
    try:
        return secret.reveal()
    except Exception:  # noqa: BLE001  # a secret is fetched by the host's own function, which may raise anything
        msg = "a secret that verifies webhooks cannot be read"
        raise WebhookRejectedError(msg) from None
