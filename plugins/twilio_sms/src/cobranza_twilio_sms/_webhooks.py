"""
Webhooks: verify first, then parse.

The signature covers the address that Twilio called and the form's fields, not the body's bytes; a JSON body is covered
by its hash in the address. See https://www.twilio.com/docs/usage/webhooks/webhooks-security.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from cobranza_sdk import (
    Address,
    Event,
    EventKind,
    InvalidValueError,
    Secret,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_twilio_sms._config import TwilioSmsConfig
from cobranza_twilio_sms._errors import from_delivery, read_code

SIGNATURE = "X-Twilio-Signature"
SIGNATURE_SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")

_DIGESTS = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_JSON_SCHEME = "+bodysha256"
_MAX_FIELDS = 1000
_MAX_REF = 32
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#:@\[\]]+|\[[^/?#@\]]+\])(?P<port>:[0-9]+)?(?P<rest>.*)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

Pairs = Sequence[tuple[str, str]]

#: What became of a message, by the vendor's word.
REPORTED = {
    "sent": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "read": EventKind.READ,
    "undelivered": EventKind.FAILED,
    "failed": EventKind.FAILED,
    "partially_delivered": EventKind.FAILED,
}
#: Words that say nothing new about a message the vendor has taken.
UNREPORTED = frozenset({"accepted", "scheduled", "queued", "sending", "canceled", "receiving", "received"})

_OPT_OUT_WORDS = frozenset(
    {
        # Spanish, without accents
        "alto",
        "baja",
        "de baja",
        "dar de baja",
        "deme de baja",
        "quiero darme de baja",
        "darme de baja",
        "dame de baja",
        "cancelar",
        "desuscribir",
        "desuscribirme",
        "detener",
        "no mas",
        "no mas mensajes",
        "no molestar",
        "no me escriban",
        "no me escriban mas",
        "parar",
        "pare",
        "salir",
        # Portuguese, where it differs
        "descadastrar",
        "nao mais",
        "nao quero mais",
        "parem",
        "quero sair",
        "remover",
        "sair",
        # English: the vendor's own list, and its words apart
        "stop",
        "unsubscribe",
        "end",
        "quit",
        "stopall",
        "revoke",
        "optout",
        "cancel",
        "stop all",
        "opt out",
    }
)
#: Words that ask for messages again. "Yes", "sí" and "alta" are too near to other answers.
_OPT_IN_WORDS = frozenset({"start", "unstop", "reactivar", "reativar"})


def sign(key: str, url: str, fields: Iterable[tuple[str, str]] = (), *, digest: str = "sha1") -> str:
    """
    The signature of a request to *url* with the decoded form *fields*, in base 64.
    """
    message = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(key.encode(), message.encode(), digest).digest()).decode("ascii")


def is_opt_out(text: str) -> bool:
    """
    Whether the whole of *text* is a word that asks for no more messages. "No puedo bajar el monto" isn't.
    """
    return _bare(text) in _OPT_OUT_WORDS


def _bare(text: str) -> str:
    letters = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join("".join(char if char.isalnum() else " " for char in letters.casefold()).split())


def verify_request(request: WebhookRequest, config: TwilioSmsConfig) -> VerifiedEnvelope:
    """
    Prove that Twilio signed *request* with a secret of this account.

    The envelope holds the address, a line feed and what was signed: the form's fields in order, or the JSON body.
    """
    given = _given_signature(request)
    digest, secrets = _signing_mode(request, config)
    urls = _called_urls(request, config)
    is_json = _is_json(request)
    if is_json:
        _require_body_hash(request, urls[0])
    fields: Pairs = () if is_json or request.method.upper() == "GET" else _read_form(request.body)
    url = next((called for called in urls if _any_matches(given, called, fields, digest, secrets)), None)
    if url is None:
        msg = "the signature matches no secret of this account"
        raise WebhookRejectedError(msg)
    body = request.body if is_json else urlencode(sorted(set(fields))).encode("ascii")
    return request.verified(
        account=config.account_sid,
        scheme=f"hmac-{digest}{_JSON_SCHEME if is_json else ''}",
        signed=url.encode() + b"\n" + body,
    )


def _given_signature(request: WebhookRequest) -> bytes:
    try:
        given = request.headers.get(SIGNATURE, "").encode("ascii")
    except UnicodeEncodeError:
        given = b""
    if not given:
        msg = f"{SIGNATURE} is missing or not ASCII"
        raise WebhookRejectedError(msg)
    return given


def _signing_mode(request: WebhookRequest, config: TwilioSmsConfig) -> tuple[str, Sequence[Secret]]:
    stated: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in request.headers.get(SIGNATURE_SETTINGS, "").split(","))):
        name, _, value = item.partition("=")
        if stated.setdefault(name.strip(), value.strip()) != value.strip():
            msg = f"{SIGNATURE_SETTINGS} contradicts itself"
            raise WebhookRejectedError(msg)
    digest = _DIGESTS.get(stated.get("algorithm", "HMAC_SHA1"))
    if digest is None:
        msg = f"{SIGNATURE_SETTINGS} names an algorithm that is not known"
        raise WebhookRejectedError(msg)
    if digest == "sha1" and config.shared_keys:
        msg = "shared_keys are configured: a SHA-1 signature would be a downgrade"
        raise WebhookRejectedError(msg)
    if digest == "sha1":
        return (digest, config.auth_token)
    shared = config.shared_keys.get(stated.get("key", ""))
    return (digest, () if shared is None else (shared,))


def _called_urls(request: WebhookRequest, config: TwilioSmsConfig) -> list[str]:
    """
    The addresses that Twilio may have called: the configured one as it stands, its host with the request's path, and
    the request's own. Whichever it was, only the holder of the secret can have signed it.
    """
    url = request.url.partition("#")[0]
    urls = [url]
    if config.public_url is not None:
        public = config.public_url.partition("#")[0].partition("?")[0]
        _, mark, query = url.partition("?")
        host, called = urlsplit(public), _split_url(url)
        urls = [public + mark + query, urlunsplit((host.scheme, host.netloc, called.path, "", "")) + mark + query, url]
    if not all(called.isprintable() for called in urls):
        msg = "the address holds characters that no address has"
        raise WebhookRejectedError(msg)
    return list(dict.fromkeys(urls))


def _split_url(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        msg = "the address is no address"
        raise WebhookRejectedError(msg) from None


def _is_json(request: WebhookRequest) -> bool:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _require_body_hash(request: WebhookRequest, url: str) -> None:
    stated = [value for name, value in _read_query(url) if name == "bodySHA256"]
    actual = hashlib.sha256(request.body).hexdigest()
    if len(stated) != 1 or not hmac.compare_digest(stated[0].lower().encode(), actual.encode("ascii")):
        msg = "bodySHA256 is missing or is not the body's"
        raise WebhookRejectedError(msg)


def _any_matches(given: bytes, url: str, fields: Pairs, digest: str, secrets: Sequence[Secret]) -> bool:
    matches = [
        hmac.compare_digest(sign(_reveal(secret), variant, fields, digest=digest).encode("ascii"), given)
        for secret in secrets
        for variant in _port_variants(url)
    ]
    return any(matches)


def _port_variants(url: str) -> Sequence[str]:
    # Twilio is inconsistent about ports in what it signs
    parts = _ORIGIN.fullmatch(url)
    if parts is None:
        return (url,)
    origin, rest = f"{parts['scheme']}://{parts['host']}", parts["rest"]
    return (url, origin + rest) if parts["port"] else (url, origin + _DEFAULT_PORTS[parts["scheme"]] + rest)


def _reveal(secret: Secret) -> str:
    try:
        return secret.reveal()
    except Exception:  # noqa: BLE001  # a secret is fetched by the host's own function, which may raise anything
        msg = "a secret that verifies webhooks cannot be read"
        raise WebhookRejectedError(msg) from None


def _read_form(body: bytes) -> Pairs:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        msg = "the body is no form in UTF-8"
        raise WebhookRejectedError(msg) from None


def _read_query(url: str) -> Pairs:
    try:
        return _read_form(url.partition("?")[2].encode())
    except UnicodeEncodeError:
        msg = "the address is not Unicode"
        raise WebhookRejectedError(msg) from None


def parse_envelope(envelope: VerifiedEnvelope) -> Sequence[Event]:
    """
    Read a status or an inbound message. JSON webhooks of other products are nothing to report.
    """
    head, _, body = envelope.signed.partition(b"\n")
    if envelope.scheme.endswith(_JSON_SCHEME):
        return _ignore_json(body)
    try:
        url = head.decode()
    except UnicodeDecodeError:
        msg = "the address is not UTF-8"
        raise WebhookRejectedError(msg) from None
    query = _read_query(url)
    fields = _single(_read_form(body) or query)
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    if not SID.fullmatch(sid):
        msg = "MessageSid is missing or no message's"
        raise WebhookRejectedError(msg)
    account = fields.get("AccountSid") or envelope.account
    if not _WORD.fullmatch(account):
        msg = "AccountSid is no account's"
        raise WebhookRejectedError(msg)
    if "MessageStatus" not in fields and "Body" in fields:
        return (_inbound(envelope, account, sid, fields),)
    return _status(envelope, account, sid, fields, _attempt_id(query))


def _ignore_json(body: bytes) -> Sequence[Event]:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        msg = "the body is no JSON"
        raise WebhookRejectedError(msg) from None
    return ()


def _single(pairs: Pairs) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if fields.setdefault(name, value) != value:
            msg = "a field is given twice with two values"
            raise WebhookRejectedError(msg)
    return fields


def _attempt_id(query: Pairs) -> str | None:
    refs = {value for name, value in query if name == "ref"}
    ref = refs.pop() if len(refs) == 1 else ""
    ours = 0 < len(ref) <= _MAX_REF and ref.isascii() and ref.isprintable() and " " not in ref
    return ref if ours else None


def _status(
    envelope: VerifiedEnvelope, account: str, sid: str, fields: Mapping[str, str], attempt_id: str | None
) -> Sequence[Event]:
    word = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
    if not _WORD.fullmatch(word):
        msg = "MessageStatus is missing or no word"
        raise WebhookRejectedError(msg)
    if word in UNREPORTED:
        return ()
    kind = REPORTED.get(word, EventKind.UNKNOWN)
    code = read_code(fields.get("ErrorCode"))
    failed = kind is EventKind.FAILED
    raw = {"status": word, "error_code": code, "carrier_done_at": _carrier_time(fields.get("RawDlrDoneDate", ""))}
    event = Event(
        kind=kind,
        key=f"{sid}:{word}",
        occurred_at=envelope.received_at.astimezone(UTC),
        account=account,
        provider_message_id=sid,
        attempt_id=attempt_id,
        address=_address(fields.get("To", "")),
        error=from_delivery(code, fields.get("ErrorMessage")) if failed else None,
        raw={name: value for name, value in raw.items() if value is not None},
    )
    return (event,)


def _carrier_time(value: str) -> str | None:
    # the carrier's own clock, YYMMDDhhmm, in no stated zone: kept, never used as an instant
    return value if re.fullmatch(r"[0-9]{10}", value) else None


def _inbound(envelope: VerifiedEnvelope, account: str, sid: str, fields: Mapping[str, str]) -> Event:
    if not fields.get("From"):
        msg = "From is missing"
        raise WebhookRejectedError(msg)
    text = fields["Body"]
    opt_out_type = fields.get("OptOutType", "").upper()
    raw = {"num_media": fields.get("NumMedia"), "opt_out_type": opt_out_type or None}
    return Event(
        kind=_inbound_kind(opt_out_type, text),
        key=f"{sid}:inbound",
        occurred_at=envelope.received_at.astimezone(UTC),
        account=account,
        provider_message_id=sid,
        address=_address(fields["From"]),
        text=text,
        raw={name: value for name, value in raw.items() if value is not None},
    )


def _inbound_kind(opt_out_type: str, text: str) -> EventKind:
    if opt_out_type == "STOP":
        return EventKind.OPT_OUT
    if opt_out_type == "START":
        return EventKind.OPT_IN
    if opt_out_type != "HELP" and is_opt_out(text):
        return EventKind.OPT_OUT
    if opt_out_type != "HELP" and _bare(text) in _OPT_IN_WORDS:
        return EventKind.OPT_IN
    return EventKind.INBOUND_MESSAGE


def _address(number: str) -> Address | None:
    # a short code or a name is no address of a debtor
    try:
        return Address("e164", number)
    except (InvalidValueError, IndexError):
        return None
