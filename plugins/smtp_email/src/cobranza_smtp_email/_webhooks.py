"""
One-click unsubscribe (RFC 8058): the link in a mail, and the POST it brings.

The link carries the attempt's id and a signature over it, never an address. Only a POST counts: scanners fetch links.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cobranza_sdk import Event, EventKind, Secret, VerifiedEnvelope, WebhookRejectedError, WebhookRequest

SCHEME = "hmac-sha256"

_MAC_BYTES = 16  # 128 bits
_PURPOSE = b"smtp_email/unsubscribe/1:"  # so that no other signature by the same key is taken for this one
_MAX_ID = 32
_MAX_BODY = 4096
_FIELD, _VALUE = "List-Unsubscribe", "One-Click"


def make_link(base: str, attempt_id: str, secret: Secret) -> str:
    """
    The one-click link of an attempt.
    """
    signed = _PURPOSE + attempt_id.encode("ascii")
    token = base64.urlsafe_b64encode(attempt_id.encode("ascii") + _mac(signed, secret))
    return f"{base}?t={token.rstrip(b'=').decode('ascii')}"


def verify(request: WebhookRequest, *, account: str, secrets: Iterable[Secret]) -> VerifiedEnvelope:
    """
    Prove that the link is one of ours and that a mail client posted it on its reader's request.

    Raises:
        WebhookRejectedError: Either is not so.
    """
    if request.method.upper() != "POST":
        msg = "only a POST unsubscribes: links are fetched by scanners too"
        raise WebhookRejectedError(msg)
    signed = _signed(request.url, secrets)
    if not _is_one_click(request.headers.get("content-type", ""), request.body):
        msg = "the body is not that of a one-click unsubscribe"
        raise WebhookRejectedError(msg)
    return request.verified(account=account, scheme=SCHEME, signed=signed)


#: What a reader sees who opens the link in a browser. Nothing that was pressed elsewhere leads here.
HOW_TO_LEAVE = (
    "Para no recibir más estos correos, pulse «Cancelar suscripción» en su programa de correo, o responda BAJA.\n"
    "Para não receber mais estes e-mails, toque em «Cancelar inscrição» no seu programa de e-mail, ou responda SAIR.\n"
    "To stop these e-mails, press “Unsubscribe” in your mail program, or answer STOP.\n"
)


def opened_in_a_browser(request: WebhookRequest, secrets: Iterable[Secret]) -> str | None:
    """
    What to show for a link of ours that was only fetched; None for anything else. It changes nothing.
    """
    if request.method.upper() != "GET":
        return None
    try:
        _signed(request.url, secrets)
    except WebhookRejectedError:
        return None
    return HOW_TO_LEAVE


def parse(envelope: VerifiedEnvelope) -> Sequence[Event]:
    """
    Read the attempt's id. Whom it reached the core knows.

    Raises:
        WebhookRejectedError: What was signed is no attempt's id.
    """
    raw = envelope.signed.removeprefix(_PURPOSE)
    if raw == envelope.signed or not _is_id(raw):
        msg = "what was signed is no unsubscribe link"
        raise WebhookRejectedError(msg)
    attempt_id = raw.decode("ascii")
    return (
        Event(
            kind=EventKind.OPT_OUT,
            key=f"unsub:{attempt_id}",
            occurred_at=envelope.received_at.astimezone(UTC),
            account=envelope.account,
            attempt_id=attempt_id,
        ),
    )


def _mac(signed: bytes, secret: Secret) -> bytes:
    return hmac.digest(secret.reveal().encode(), signed, "sha256")[:_MAC_BYTES]


def _signed(url: str, secrets: Iterable[Secret]) -> bytes:
    raw = _token(url)
    attempt_id, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    signed = _PURPOSE + attempt_id
    if not _is_id(attempt_id) or not any(hmac.compare_digest(mac, _mac(signed, secret)) for secret in secrets):
        msg = "the link is not one of ours"
        raise WebhookRejectedError(msg)
    return signed


def _token(url: str) -> bytes:
    msg = "the link carries no readable token"
    try:
        (token,) = parse_qs(urlsplit(url).query, strict_parsing=True)["t"]
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, KeyError, binascii.Error):
        raise WebhookRejectedError(msg) from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != token.encode():  # the decoder skips what it doesn't know
        raise WebhookRejectedError(msg)
    return raw


def _is_id(raw: bytes) -> bool:
    return 0 < len(raw) <= _MAX_ID and raw.isascii() and raw.decode("ascii").isprintable() and b" " not in raw


def _is_one_click(content_type: str, body: bytes) -> bool:
    if len(body) > _MAX_BODY:
        return False
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _form_fields(content_type, body) == [(_FIELD, _VALUE)]
    if kind in {"", "application/x-www-form-urlencoded"}:
        return parse_qsl(body.strip().decode("latin-1")) == [(_FIELD, _VALUE)]
    return False


def _form_fields(content_type: str, body: bytes) -> list[tuple[str | None, str]]:
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    if not form.is_multipart():
        return []
    fields = []
    for part in form.iter_parts():
        payload = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        value = payload.decode("latin-1").strip() if isinstance(payload, bytes) else ""
        fields.append((name if isinstance(name, str) else None, value))
    return fields
