"""
Webhooks: verify first, then parse.

What an event needs is required, and a body that lacks it is rejected as a whole; what it may have is ignored when it is
not of its shape. Unknown fields and keys are ignored, for the vendor adds to them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import parse_qs

from attrs import frozen

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
from cobranza_whatsapp_cloud._errors import from_status
from cobranza_whatsapp_cloud._opt_out import is_opt_out

MAX_DEPTH = 20
MAX_UPDATES = 1000

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_MAX_QUERY_FIELDS = 32
_MAX_CHALLENGE = 1024
_MAX_ID = 512
_MAX_WORD = 64
_MAX_KEPT = 512
_MAX_USER_ID = 160
_MAX_ATTEMPT_ID = 32
_MAX_NUMBER = 2**63
_DIGITS = re.compile(r"[0-9]{1,11}")
_PHONE = re.compile(r"\+?([0-9]{5,15})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STATUSES = {
    "sent": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "read": EventKind.READ,
    "failed": EventKind.FAILED,
}
_NO_NEWS = frozenset({"played"})
_NOT_CONTENT = frozenset({"reaction", "system", "unsupported"})
_MEDIA = frozenset({"image", "document", "audio", "video", "sticker"})
_WORDS_OF_THE_PERSON = frozenset({"text", "button", "interactive"})
_TEMPLATE_FIELDS = {
    "message_template_status_update": "status",
    "template_category_update": "category",
    "message_template_quality_update": "quality",
}
_TEMPLATE_KEPT = (
    "event",
    "message_template_id",
    "message_template_category",
    "reason",
    "previous_category",
    "new_category",
    "correct_category",
    "category_update_timestamp",
    "previous_quality_score",
    "new_quality_score",
)


def _reject(what: str) -> NoReturn:
    msg = f"webhook rejected: {what}"
    raise WebhookRejectedError(msg)


# Proof


def challenge(request: WebhookRequest, token: Secret) -> str | None:
    """
    Answer the vendor's first call to the webhook address.

    Returns:
        The challenge as it came, or None when *request* is no handshake.

    Raises:
        WebhookRejectedError: It is one, and its mode or token is wrong.
    """
    if request.method.upper() != "GET":
        return None
    query = request.url.partition("?")[2].partition("#")[0]
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return None
    if "hub.mode" not in fields:
        return None
    given, answer = fields.get("hub.verify_token", []), fields.get("hub.challenge", [])
    if fields["hub.mode"] != ["subscribe"] or len(given) != 1 or len(answer) != 1:
        _reject("the handshake is incomplete")
    expected = _revealed(token)
    if not expected or not hmac.compare_digest(given[0].encode("utf-8", "surrogatepass"), expected):
        _reject("the handshake's token is wrong")
    if not 0 < len(answer[0]) <= _MAX_CHALLENGE or not answer[0].isprintable():
        _reject("the handshake's challenge cannot be repeated")
    return answer[0]


def verify(request: WebhookRequest, secrets: Sequence[Secret], *, account: str) -> VerifiedEnvelope:
    """
    Prove by ``X-Hub-Signature-256`` that the vendor sent these bytes.

    Args:
        request: What came in.
        secrets: The app's secrets; any of them may have signed.
        account: What the envelope says whose secret matched.

    Raises:
        WebhookRejectedError: No secret signed this.
    """
    header = request.headers.get("X-Hub-Signature-256")
    match = _SIGNATURE.fullmatch(header) if isinstance(header, str) else None
    if match is None:
        _reject("the signature is missing or malformed")
    given = match[1]
    # All secrets are tried, so that the time taken does not tell which one matched.
    matches = [_signed(request.body, key, given) for key in map(_revealed, secrets)]
    if not any(matches):
        _reject("the signature is wrong")
    return request.verified(account=account, scheme="hmac-sha256", signed=request.body)


def _signed(body: bytes, key: bytes, given: str) -> bool:
    matches = hmac.compare_digest(hmac.new(key, body, hashlib.sha256).hexdigest(), given)
    # An empty secret is one that everybody knows.
    return matches and bool(key)


def _revealed(secret: Secret) -> bytes:
    try:
        return secret.reveal().encode()
    except Exception:  # noqa: BLE001  # the operator's own function may raise anything; without a secret nothing is proven
        return b""


# Reading


def parse(envelope: VerifiedEnvelope, *, phone_number_id: str, waba_id: str) -> list[Event]:
    """
    Read all updates of a batch, in its order.

    Args:
        envelope: What was signed.
        phone_number_id: The account that template events of *waba_id* are reported for.
        waba_id: The business account of the settings.

    Raises:
        WebhookRejectedError: It cannot be read, is nested too deeply or holds too many updates.
    """
    document = _document(envelope.signed)
    if _word(document, "object") != "whatsapp_business_account":
        return []
    changes = _changes(document, envelope, phone_number_id=phone_number_id, waba_id=waba_id)
    try:
        events = [event for change in changes for event in _READERS[change.field](change)]
    except InvalidValueError:
        events = None
    if events is None:
        _reject("a value is impossible")
    return events


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        document = None
    # Raised out here, where no decoder's error that quotes the body hangs on to it.
    if not isinstance(document, dict):
        _reject("the body is no JSON object")
    _require_shallow(document)
    return document


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _require_shallow(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    _reject("the body is nested too deeply")


@frozen(kw_only=True)
class _Change:
    """
    One change with what its entry says.
    """

    field: str
    value: dict[str, Any]
    owner: str | None
    time: object
    received_at: datetime

    @property
    def account(self) -> str:
        number = _sub(self.value, "metadata").get("phone_number_id")
        if isinstance(number, str) and number.strip() and number.isprintable():
            return number[:_MAX_ID]
        _reject("metadata.phone_number_id is missing")


def _changes(
    document: Mapping[str, Any], envelope: VerifiedEnvelope, *, phone_number_id: str, waba_id: str
) -> Iterator[_Change]:
    updates = 0
    for entry in _objects(document, "entry", required=True):
        owner = _optional_id(entry, "id")
        for change in _objects(entry, "changes", required=True):
            field, value = _word(change, "field"), change.get("value")
            updates += _updates(value)
            if updates > MAX_UPDATES:
                _reject("the body holds too many updates")
            if field not in _READERS:
                continue
            if not isinstance(value, dict):
                _reject("value is no object")
            yield _Change(
                field=field,
                value=value,
                owner=phone_number_id if owner == waba_id else owner,
                time=entry.get("time"),
                received_at=envelope.received_at,
            )


def _updates(value: object) -> int:
    lists = (
        (value.get(name) for name in ("statuses", "messages", "user_preferences")) if isinstance(value, dict) else ()
    )
    return max(1, sum(len(updates) for updates in lists if isinstance(updates, list)))


def _conversation(change: _Change) -> Iterator[Event]:
    for status in _objects(change.value, "statuses"):
        word = _word(status, "status")
        if word not in _NO_NEWS:
            yield _status(status, word, change.account)
    for message in _objects(change.value, "messages"):
        kind = _word(message, "type")
        if kind not in _NOT_CONTENT:
            yield _inbound(message, kind, change)


def _status(status: Mapping[str, Any], word: str, account: str) -> Event:
    wamid, seconds = _id(status, "id"), _seconds(status.get("timestamp"))
    kind = _STATUSES.get(word, EventKind.UNKNOWN)
    raw: dict[str, object] = {"status": word, **_kept(status, ("recipient_user_id",))}
    pricing = _kept(_sub(status, "pricing"), ("billable", "pricing_model", "type", "category"))
    return Event(
        kind=kind,
        key=f"{wamid}:{word}:{seconds}",
        occurred_at=_moment(seconds),
        account=account,
        provider_message_id=wamid,
        attempt_id=_attempt_id(status.get("biz_opaque_callback_data")),
        error=from_status(status.get("errors")) if kind is EventKind.FAILED else None,
        raw=raw | {"pricing": pricing} if pricing else raw,
    )


def _inbound(message: Mapping[str, Any], kind: str, change: _Change) -> Event:
    wamid, seconds = _id(message, "id"), _seconds(message.get("timestamp"))
    text, kept = _content(message, kind)
    user_id = _user_id(message, change.value)
    opts_out = text is not None and kind in _WORDS_OF_THE_PERSON and is_opt_out(text)
    return Event(
        kind=EventKind.OPT_OUT if opts_out else EventKind.INBOUND_MESSAGE,
        key=f"{wamid}:inbound",
        occurred_at=_moment(seconds),
        account=change.account,
        provider_message_id=wamid,
        address=_address(message.get("from"), user_id),
        text=text,
        reply_to=_optional_id(_sub(message, "context"), "id"),
        raw={"type": kind, **kept, **({"user_id": user_id} if user_id else {})},
    )


def _content(message: Mapping[str, Any], kind: str) -> tuple[str | None, dict[str, object]]:
    """
    What the person wrote or saw on what they tapped, and the fields worth keeping.
    """
    part = _sub(message, kind)
    if kind == "text":
        return _required_text(part, "body"), {}
    if kind == "button":
        return _required_text(part, "text"), _kept(part, ("payload",))
    if kind == "interactive":
        reply = _kept(part, ("type",)).get("type")
        inner = _sub(part, reply) if isinstance(reply, str) else {}
        shown = inner.get("body") if reply == "nfm_reply" else inner.get("title")
        return _cleaned(shown), {"interactive": reply, **_kept(inner, ("id",))}
    if kind in _MEDIA:
        return _cleaned(part.get("caption")), {"media": _kept(part, ("id", "mime_type", "sha256", "filename"))}
    return None, {}


def _preferences(change: _Change) -> Iterator[Event]:
    for preference in _objects(change.value, "user_preferences"):
        if preference.get("value") != "stop":
            continue
        category = _kept(preference, ("category",)).get("category")
        scope = category.removesuffix("_messages") if isinstance(category, str) and category else "marketing"
        user_id = _business_scoped(preference, "user_id")
        yield Event(
            kind=EventKind.OPT_OUT,
            key=f"preference:{_digest(preference)}",
            occurred_at=_moment(_seconds(preference.get("timestamp"))),
            account=change.account if "metadata" in change.value else _owner(change),
            address=_address(preference.get("wa_id"), user_id),
            raw={"scope": scope, **({"user_id": user_id} if user_id else {})},
        )


def _template(change: _Change) -> Iterator[Event]:
    value = change.value
    update = _TEMPLATE_FIELDS[change.field]
    if update == "status" and "event" not in value:
        # The vendor's own page shows a change of quality under the field of the status.
        update = "quality"
    seconds = None if change.time is None else _seconds(change.time)
    language = _kept(value, ("message_template_language",)).get("message_template_language")
    raw: dict[str, object] = {"update": update, **_kept(value, _TEMPLATE_KEPT)}
    if isinstance(language, str):
        raw["language"] = language.replace("-", "_")
    title = _kept(_sub(value, "other_info"), ("title",))
    yield Event(
        kind=EventKind.TEMPLATE_STATUS,
        key=f"template:{_digest([change.field, value, seconds])}",
        occurred_at=change.received_at.astimezone(UTC) if seconds is None else _moment(seconds),
        account=_owner(change),
        reference=_optional_id(value, "message_template_name"),
        raw=raw | title,
    )


_READERS = {
    "messages": _conversation,
    "user_preferences": _preferences,
    **dict.fromkeys(_TEMPLATE_FIELDS, _template),
}


def _owner(change: _Change) -> str:
    if change.owner is None:
        _reject("entry.id is missing")
    return change.owner


# Fields


def _objects(fields: Mapping[str, Any], name: str, *, required: bool = False) -> list[dict[str, Any]]:
    value = fields.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        _reject(f"{name} is no list of objects")
    return value


def _sub(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _word(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_WORD or not value.isprintable() or value.isspace():
        _reject(f"{name} is no word")
    return value


def _id(fields: Mapping[str, Any], name: str) -> str:
    value = _optional_id(fields, name)
    if value is None:
        _reject(f"{name} is no id")
    return value


def _optional_id(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    fits = isinstance(value, str) and 0 < len(value) <= _MAX_ID and value.isascii() and value.isprintable()
    return value if fits and " " not in str(value) else None


def _seconds(value: object) -> int:
    text = str(value) if type(value) in {int, str} else ""
    if not _DIGITS.fullmatch(text):
        _reject("timestamp is no number of seconds")
    return int(text)


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _attempt_id(value: object) -> str | None:
    # Another system on the same number may put what it likes there: only what can be ours is believed.
    fits = isinstance(value, str) and 0 < len(value) <= _MAX_ATTEMPT_ID and value.isascii() and value.isprintable()
    return str(value) if fits and " " not in str(value) else None


def _user_id(message: Mapping[str, Any], value: Mapping[str, Any]) -> str | None:
    contacts = _objects(value, "contacts")
    # With several people in one batch a contact cannot be told to belong to this message.
    lone = contacts[0] if len(contacts) == 1 else {}
    return _business_scoped(message, "from_user_id") or _business_scoped(lone, "user_id")


def _business_scoped(fields: Mapping[str, Any], name: str) -> str | None:
    value = _optional_id(fields, name)
    return value if value is not None and len(value) <= _MAX_USER_ID else None


def _address(phone: object, user_id: str | None) -> Address | None:
    match = _PHONE.fullmatch(phone) if isinstance(phone, str) else None
    if match is not None:
        return Address("e164", f"+{match[1]}")
    return None if user_id is None else Address("bsuid", user_id)


def _required_text(fields: Mapping[str, Any], name: str) -> str | None:
    if not isinstance(fields.get(name), str):
        _reject(f"{name} is no text")
    return _cleaned(fields[name])


def _cleaned(value: object) -> str | None:
    """
    *value* without what no store takes: NUL and halves of surrogate pairs. None when it is no text or empty.
    """
    if not isinstance(value, str):
        return None
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8") or None


def _kept(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            value = (_cleaned(value) or "")[:_MAX_KEPT]
        if isinstance(value, str) or (isinstance(value, int) and abs(value) < _MAX_NUMBER):
            kept[name] = value
    return kept


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
