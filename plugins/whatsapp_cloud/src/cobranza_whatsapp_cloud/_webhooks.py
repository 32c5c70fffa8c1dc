"""
Webhooks: verify first, then parse.

What an event needs is required, and a body that lacks it is rejected as a whole; what it may have is ignored when it is
not of its shape. Unknown fields and keys are ignored, for the vendor adds to them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from attrs import frozen

from cobranza_sdk import (
    Address,
    Event,
    EventKind,
    Secret,
    VerifiedEnvelope,
    WebhookRequest,
)
from cobranza_whatsapp_cloud._errors import from_status
from cobranza_whatsapp_cloud._fields import (
    attempt_id,
    business_scoped,
    cleaned,
    digest,
    epoch_seconds,
    keep,
    moment,
    objects,
    optional_id,
    person_address,
    read_document,
    reject,
    required_id,
    required_text,
    required_word,
    sub,
    user_id_of,
)
from cobranza_whatsapp_cloud._opt_out import is_opt_out

MAX_UPDATES = 1000

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_MAX_QUERY_FIELDS = 32
_MAX_CHALLENGE = 1024

_STATUSES = {
    "sent": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "read": EventKind.READ,
    "failed": EventKind.FAILED,
}
#: Where a change holds several updates.
_LISTS = ("statuses", "messages", "user_preferences", "user_id_update")
_NO_NEWS = frozenset({"played"})
_NOT_CONTENT = frozenset({"reaction", "unsupported"})
_MAX_ERRORS = 5
_MEDIA = frozenset({"image", "document", "audio", "video", "sticker"})
_WORDS_OF_THE_PERSON = frozenset({"text", "button", "interactive"})
#: Categories of a preference that leave reminders open; where the vendor names none, it is this one.
_MARKETING = ("marketing_messages", None)
#: Changes by which a person gives up a number, and whether ``from`` is surely the old one when no new one is told.
_NUMBER_CHANGES = {"user_changed_number": True, "user_changed_user_id": False}
#: Digits at the end that stay the same in all ways in which the vendor writes one number.
_LINE_DIGITS = 7
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
#: What the vendor says of the number and of the business account.
_ACCOUNT_FIELDS = (
    *("account_update", "account_alerts", "account_review_update", "business_capability_update"),
    *("phone_number_quality_update", "phone_number_name_update"),
)
_ACCOUNT_KEPT = (
    *("event", "country", "decision", "current_limit", "old_limit", "rejection_reason"),
    *("max_daily_conversation_per_phone", "max_daily_conversations_per_business", "max_phone_numbers_per_business"),
    *("entity_type", "entity_id", "alert_severity", "alert_status", "alert_type"),
)
#: Tables and lists of tables in it.
_ACCOUNT_PARTS = {
    "alert_info": ("alert_severity", "alert_status", "alert_type"),
    "ban_info": ("waba_ban_state", "waba_ban_date"),
    "lock_info": ("expiration",),
    "restriction_info": ("restriction_type", "expiration"),
    "violation_info": ("violation_type",),
}


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
        reject("the handshake is incomplete")
    expected = _revealed(token)
    if not expected or not hmac.compare_digest(given[0].encode("utf-8", "surrogatepass"), expected):
        reject("the handshake's token is wrong")
    if not 0 < len(answer[0]) <= _MAX_CHALLENGE or not answer[0].isprintable():
        reject("the handshake's challenge cannot be repeated")
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
        reject("the signature is missing or malformed")
    given = match[1]
    # All secrets are tried, so that the time taken does not tell which one matched.
    matches = [_signed(request.body, key, given) for key in map(_revealed, secrets)]
    if not any(matches):
        reject("the signature is wrong")
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
    document = read_document(envelope.signed)
    if required_word(document, "object") != "whatsapp_business_account":
        return []
    changes = _changes(document, envelope, phone_number_id=phone_number_id, waba_id=waba_id)
    return [event for change in changes for event in _READERS[change.field](change)]


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
        number = sub(self.value, "metadata").get("phone_number_id")
        if not isinstance(number, str) or not number.strip() or not number.isprintable():
            reject("metadata.phone_number_id is missing")
        return number

    @property
    def occurred_at(self) -> datetime:
        """
        When the entry says, or else when it came.
        """
        return self.received_at.astimezone(UTC) if self.time is None else moment(epoch_seconds(self.time))

    @property
    def digest(self) -> str:
        """
        The same for each delivery of this change.
        """
        return digest([self.field, self.value, None if self.time is None else epoch_seconds(self.time)])


def _changes(
    document: Mapping[str, Any], envelope: VerifiedEnvelope, *, phone_number_id: str, waba_id: str
) -> Iterator[_Change]:
    updates = 0
    for entry in objects(document, "entry", required=True):
        owner = optional_id(entry, "id")
        for change in objects(entry, "changes", required=True):
            field, value = required_word(change, "field"), change.get("value")
            updates += _updates(value)
            if updates > MAX_UPDATES:
                reject("the body holds too many updates")
            if field not in _READERS:
                continue
            if not isinstance(value, dict):
                reject("value is no object")
            yield _Change(
                field=field,
                value=value,
                owner=phone_number_id if owner == waba_id else owner,
                time=entry.get("time"),
                received_at=envelope.received_at,
            )


def _updates(value: object) -> int:
    lists = (value.get(name) for name in _LISTS) if isinstance(value, dict) else ()
    return max(1, sum(len(updates) for updates in lists if isinstance(updates, list)))


def _conversation(change: _Change) -> Iterator[Event]:
    for status in objects(change.value, "statuses"):
        word = required_word(status, "status")
        if word not in _NO_NEWS:
            yield _status(status, word, change.account)
    for message in objects(change.value, "messages"):
        kind = required_word(message, "type")
        if kind == "system":
            yield _system(message, change)
        elif kind in _NOT_CONTENT:
            yield _sign(message, kind, change)
        else:
            yield _inbound(message, kind, change)


def _status(status: Mapping[str, Any], word: str, account: str) -> Event:
    wamid, seconds = required_id(status, "id"), epoch_seconds(status.get("timestamp"))
    kind = _STATUSES.get(word, EventKind.UNKNOWN)
    raw: dict[str, object] = {"status": word, **keep(status, ("recipient_user_id",))}
    conversation = sub(status, "conversation")
    parts: dict[str, object] = {
        "pricing": keep(sub(status, "pricing"), ("billable", "pricing_model", "type", "category")),
        "conversation": keep(conversation, ("id",)) | keep(sub(conversation, "origin"), ("type",)),
        "errors": _errors(status),
    }
    return Event(
        kind=kind,
        key=f"{wamid}:{word}:{seconds}",
        occurred_at=moment(seconds),
        account=account,
        provider_message_id=wamid,
        attempt_id=attempt_id(status.get("biz_opaque_callback_data")),
        error=from_status(status.get("errors")) if kind is EventKind.FAILED else None,
        raw=raw | {name: part for name, part in parts.items() if part},
    )


def _errors(fields: Mapping[str, Any]) -> list[dict[str, object]]:
    """
    Codes and titles; what the vendor says beside them may quote an address.
    """
    errors = fields.get("errors")
    tables = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return [kept for error in tables[:_MAX_ERRORS] if (kept := keep(error, ("code", "title")))]


def _sign(message: Mapping[str, Any], kind: str, change: _Change) -> Event:
    """
    What is no answer: a mark on a message of ours, or something that the vendor does not hand on.
    """
    wamid, part = required_id(message, "id"), sub(message, kind)
    user_id = user_id_of(message, change.value)
    errors = _errors(message)
    return Event(
        kind=EventKind.UNKNOWN,
        key=f"{wamid}:{kind}",
        occurred_at=moment(epoch_seconds(message.get("timestamp"))),
        account=change.account,
        provider_message_id=wamid,
        address=person_address(message.get("from"), user_id),
        reply_to=optional_id(part, "message_id") or optional_id(sub(message, "context"), "id"),
        reference=kind,
        raw={"type": kind, **keep(part, ("emoji",)), **({"errors": errors} if errors else {})},
    )


def _inbound(message: Mapping[str, Any], kind: str, change: _Change) -> Event:
    wamid, seconds = required_id(message, "id"), epoch_seconds(message.get("timestamp"))
    text, kept = _content(message, kind)
    user_id = user_id_of(message, change.value)
    # What a button says and what it was given to send back: either may be the word.
    words = (text, kept.get("payload"), kept.get("id")) if kind in _WORDS_OF_THE_PERSON else ()
    opts_out = any(isinstance(word, str) and is_opt_out(word) for word in words)
    return Event(
        kind=EventKind.OPT_OUT if opts_out else EventKind.INBOUND_MESSAGE,
        key=f"{wamid}:inbound",
        occurred_at=moment(seconds),
        account=change.account,
        provider_message_id=wamid,
        address=person_address(message.get("from"), user_id),
        text=text,
        reply_to=optional_id(sub(message, "context"), "id"),
        raw={
            "type": kind,
            **kept,
            **keep(sub(message, "context"), ("forwarded", "frequently_forwarded")),
            **({"user_id": user_id} if user_id else {}),
        },
    )


def _system(message: Mapping[str, Any], change: _Change) -> Event:
    """
    What the vendor says of a person. A number given up may be a stranger's tomorrow: nothing is to be sent there.
    """
    wamid, part = required_id(message, "id"), sub(message, "system")
    what = optional_id(part, "type")
    left = _left_number(message, what)
    return Event(
        kind=EventKind.UNKNOWN if left is None else EventKind.WRONG_NUMBER,
        key=f"{wamid}:system",
        occurred_at=moment(epoch_seconds(message.get("timestamp"))),
        account=change.account,
        provider_message_id=wamid,
        address=left or person_address(message.get("from"), business_scoped(message, "from_user_id")),
        reference=f"system:{what}" if what else "system",
        raw={"type": "system", "system": keep(part, ("type", "wa_id", "user_id"))},
    )


def _left_number(message: Mapping[str, Any], what: str | None) -> Address | None:
    """
    The phone that a person had before; None where it may be the one they have now.
    """
    old = person_address(message.get("from"), None)
    new = person_address(sub(message, "system").get("wa_id"), None)
    if old is None or what not in _NUMBER_CHANGES:
        return None
    if new is None:
        return old if _NUMBER_CHANGES[what] else None
    return None if old.value[-_LINE_DIGITS:] == new.value[-_LINE_DIGITS:] else old


def _content(message: Mapping[str, Any], kind: str) -> tuple[str | None, dict[str, object]]:
    """
    What the person wrote or saw on what they tapped, and the fields worth keeping.
    """
    part = sub(message, kind)
    if kind == "text":
        return required_text(part, "body"), {}
    if kind == "button":
        return required_text(part, "text"), keep(part, ("payload",))
    if kind == "interactive":
        reply = keep(part, ("type",)).get("type")
        inner = sub(part, reply) if isinstance(reply, str) else {}
        shown = inner.get("body") if reply == "nfm_reply" else inner.get("title")
        return cleaned(shown), {"interactive": reply, **keep(inner, ("id",))}
    if kind in _MEDIA:
        return cleaned(part.get("caption")), {"media": keep(part, ("id", "mime_type", "sha256", "filename"))}
    return None, {}


def _preferences(change: _Change) -> Iterator[Event]:
    """
    What a person told the vendor to stop. The vendor knows marketing alone, and that does not touch what is owed.
    """
    for preference in objects(change.value, "user_preferences"):
        if preference.get("value") != "stop":
            continue
        about_marketing = preference.get("category") in _MARKETING
        user_id = business_scoped(preference, "user_id")
        yield Event(
            kind=EventKind.UNKNOWN if about_marketing else EventKind.OPT_OUT,
            key=f"preference:{digest(preference)}",
            occurred_at=moment(epoch_seconds(preference.get("timestamp"))),
            account=_account_or_owner(change),
            address=person_address(preference.get("wa_id"), user_id),
            reference=change.field,
            raw=keep(preference, ("category", "value")) | ({"user_id": user_id} if user_id else {}),
        )


def _user_ids(change: _Change) -> Iterator[Event]:
    for update in objects(change.value, "user_id_update"):
        ids = keep(sub(update, "user_id"), ("previous", "current"))
        yield Event(
            kind=EventKind.UNKNOWN,
            key=f"user_id:{digest(update)}",
            occurred_at=moment(epoch_seconds(update.get("timestamp"))),
            account=_account_or_owner(change),
            address=person_address(None, business_scoped(ids, "previous")),
            reference=change.field,
            raw=ids,
        )


def _template(change: _Change) -> Iterator[Event]:
    value = change.value
    update = _TEMPLATE_FIELDS[change.field]
    if update == "status" and "event" not in value:
        # The vendor's own page shows a change of quality under the field of the status.
        update = "quality"
    language = keep(value, ("message_template_language",)).get("message_template_language")
    raw: dict[str, object] = {"update": update, **keep(value, _TEMPLATE_KEPT)}
    if isinstance(language, str):
        raw["language"] = language.replace("-", "_")
    title = keep(sub(value, "other_info"), ("title",))
    yield Event(
        kind=EventKind.TEMPLATE_STATUS,
        key=f"template:{change.digest}",
        occurred_at=change.occurred_at,
        account=_owner(change),
        reference=optional_id(value, "message_template_name"),
        raw=raw | title,
    )


def _account(change: _Change) -> Iterator[Event]:
    """
    A limit, a quality or a restriction: no message's, but a person should see it.
    """
    parts: dict[str, object] = {}
    for name, names in _ACCOUNT_PARTS.items():
        value = change.value.get(name)
        tables = [table for table in (value if isinstance(value, list) else [value]) if isinstance(table, dict)]
        if kept := [fields for table in tables[:_MAX_ERRORS] if (fields := keep(table, names))]:
            parts[name] = kept
    yield Event(
        kind=EventKind.UNKNOWN,
        key=f"account:{change.digest}",
        occurred_at=change.occurred_at,
        account=_owner(change),
        reference=change.field,
        raw=keep(change.value, _ACCOUNT_KEPT) | parts,
    )


_READERS = {
    "messages": _conversation,
    "user_preferences": _preferences,
    "user_id_update": _user_ids,
    **dict.fromkeys(_TEMPLATE_FIELDS, _template),
    **dict.fromkeys(_ACCOUNT_FIELDS, _account),
}


def _owner(change: _Change) -> str:
    if change.owner is None:
        reject("entry.id is missing")
    return change.owner


def _account_or_owner(change: _Change) -> str:
    return change.account if "metadata" in change.value else _owner(change)
