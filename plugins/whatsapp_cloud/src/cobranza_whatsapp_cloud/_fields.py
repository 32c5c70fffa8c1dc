"""
Reading the fields of a webhook's JSON. All of it raises `WebhookRejectedError` and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from cobranza_sdk import Address, WebhookRejectedError

MAX_DEPTH = 20

_MAX_ID = 512
_MAX_WORD = 64
_MAX_KEPT = 512
_MAX_USER_ID = 160
_MAX_ATTEMPT_ID = 32
_MAX_NUMBER = 2**63
_DIGITS = re.compile(r"[0-9]{1,11}")
_PHONE = re.compile(r"\+?([0-9]{5,15})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reject(what: str) -> NoReturn:
    """
    Reject the body. The reason quotes nothing of it.
    """
    msg = f"webhook rejected: {what}"
    raise WebhookRejectedError(msg)


def read_document(body: bytes) -> dict[str, Any]:
    """
    Decode a body: a JSON object of bounded depth.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        document = None
    # Raised out here, where no decoder's error that quotes the body hangs on to it.
    if not isinstance(document, dict):
        reject("the body is no JSON object")
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
    reject("the body is nested too deeply")


def objects(fields: Mapping[str, Any], name: str, *, required: bool = False) -> list[dict[str, Any]]:
    """
    A list of objects; nothing is an empty one unless *required*.
    """
    value = fields.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        reject(f"{name} is no list of objects")
    return value


def sub(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """
    An optional object, empty when it is missing or none.
    """
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def required_word(fields: Mapping[str, Any], name: str) -> str:
    """
    A short printable text that decides what an update is.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_WORD or not value.isprintable() or value.isspace():
        reject(f"{name} is no word")
    return value


def required_id(fields: Mapping[str, Any], name: str) -> str:
    """
    One of the vendor's ids.
    """
    value = optional_id(fields, name)
    if value is None:
        reject(f"{name} is no id")
    return value


def optional_id(fields: Mapping[str, Any], name: str) -> str | None:
    """
    One of the vendor's ids, or None.
    """
    value = fields.get(name)
    fits = isinstance(value, str) and 0 < len(value) <= _MAX_ID and value.isascii() and value.isprintable()
    return value if fits and " " not in str(value) else None


def epoch_seconds(value: object) -> int:
    """
    Seconds since 1970; the vendor writes them as text, in some fields as a number.
    """
    text = str(value)
    if not _DIGITS.fullmatch(text):
        reject("timestamp is no number of seconds")
    return int(text)


def moment(seconds: int) -> datetime:
    """
    *seconds* since 1970 as aware UTC.
    """
    return _EPOCH + timedelta(seconds=seconds)


def attempt_id(value: object) -> str | None:
    """
    Our id as the vendor echoes it, or None.
    """
    # Another system on the same number may put what it likes there: only what can be ours is believed.
    fits = isinstance(value, str) and 0 < len(value) <= _MAX_ATTEMPT_ID and value.isascii() and value.isprintable()
    return str(value) if fits and " " not in str(value) else None


def user_id_of(message: Mapping[str, Any], value: Mapping[str, Any]) -> str | None:
    """
    The business-scoped id of who wrote *message*, or None.
    """
    contacts = value.get("contacts")
    # With several people in one batch a contact cannot be told to belong to this message.
    lone = contacts[0] if isinstance(contacts, list) and len(contacts) == 1 else None
    beside = business_scoped(lone, "user_id") if isinstance(lone, dict) else None
    return business_scoped(message, "from_user_id") or beside


def business_scoped(fields: Mapping[str, Any], name: str) -> str | None:
    """
    A business-scoped user id, or None.
    """
    value = optional_id(fields, name)
    return value if value is not None and len(value) <= _MAX_USER_ID else None


def person_address(phone: object, user_id: str | None) -> Address | None:
    """
    The phone when there is one, else the business-scoped id.
    """
    match = _PHONE.fullmatch(phone) if isinstance(phone, str) else None
    if match is not None:
        return Address("e164", f"+{match[1]}")
    return None if user_id is None else Address("bsuid", user_id)


def required_text(fields: Mapping[str, Any], name: str) -> str | None:
    """
    A text without what no store takes.
    """
    if not isinstance(fields.get(name), str):
        reject(f"{name} is no text")
    return cleaned(fields[name])


def cleaned(value: object) -> str | None:
    """
    *value* without what no store takes: NUL and halves of surrogate pairs. None when it is no text or empty.
    """
    if not isinstance(value, str):
        return None
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8") or None


def keep(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, object]:
    """
    Those of *names* that hold a text or a number, JSON-ready.
    """
    kept: dict[str, object] = {}
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            value = (cleaned(value) or "")[:_MAX_KEPT]
        if isinstance(value, str) or (isinstance(value, int) and abs(value) < _MAX_NUMBER):
            kept[name] = value
    return kept


def digest(value: object) -> str:
    """
    The same for the same JSON, whatever the order of its keys.
    """
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
