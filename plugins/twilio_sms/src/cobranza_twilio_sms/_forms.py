"""
A message as the form that creates it at the vendor.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit

from cobranza_sdk import (
    Category,
    Disposition,
    InvalidValueError,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    Transmitted,
    UnsupportedCapabilityError,
)
from cobranza_twilio_sms._config import TwilioSmsConfig

MAX_TEXT = 1600
_MAX_VALIDITY_S = 36_000
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_CONTENT = re.compile(r"HX[0-9a-fA-F]{32}")
#: The vendor schedules for more than this and at most that from now.
_SOONEST, _LATEST = timedelta(minutes=5), timedelta(days=35)


def require_supported(message: OutboundMessage) -> None:
    """
    Refuse what an SMS cannot carry, before any request.

    Raises:
        UnsupportedCapabilityError: Naming the capability.
        ProviderError: The words or the template cannot be sent as they are.
    """
    template = message.template
    unsupported = {
        f"address scheme {message.to.scheme}": message.to.scheme != "e164",
        "html": message.html is not None,
        "attachments": bool(message.attachments),
        "actions": bool(message.actions),
        "buttons of a template": template is not None and bool(template.buttons),
        f"text of over {MAX_TEXT} characters": template is None and len(message.text) > MAX_TEXT,
    }
    missing = [name for name, asked in unsupported.items() if asked]
    if missing:
        msg = f"twilio_sms does not support: {', '.join(missing)}"
        raise UnsupportedCapabilityError(msg)
    if template is None and not _is_sendable(message.text):
        raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)
    if template is not None and not (_CONTENT.fullmatch(template.name) and all(map(_is_sendable, template.parameters))):
        raise ProviderError(Category.TEMPLATE, Disposition.FIX_FIRST, Transmitted.NO)


def create_form(
    message: OutboundMessage,
    settings: TwilioSmsConfig,
    *,
    now: datetime,
    webhook_url: str | None,
    send_at: datetime | None = None,
) -> dict[str, str]:
    """
    The fields that create *message*.

    Args:
        message: What to send, of what `require_supported` lets pass.
        settings: The account.
        now: For the validity, which is counted from now or from *send_at*.
        webhook_url: Where receipts go if neither *message* nor *settings* say.
        send_at: When the vendor is to send it, or None for now.
    """
    form = {"To": message.to.value, **_sender(message, settings), **_words(message)}
    callback = _callback(message.callback_url or webhook_url, settings.public_url)
    if callback:
        form["StatusCallback"] = _with_ref(callback, message.attempt_id)
    if send_at is not None:
        send_at = _whole_second(send_at)
        form |= _schedule(send_at, now, by_service="MessagingServiceSid" in form)
    if message.not_after is not None:
        form["ValidityPeriod"] = str(_validity(message.not_after - (send_at or now)))
    return form


def _words(message: OutboundMessage) -> dict[str, str]:
    if message.template is None:
        return {"Body": message.text}
    form = {"ContentSid": message.template.name}
    if message.template.parameters:
        form["ContentVariables"] = _variables(message.template)
    return form


def _variables(template: MessageTemplate) -> str:
    numbered = {str(number): value for number, value in enumerate(template.parameters, start=1)}
    return json.dumps(numbered, ensure_ascii=False, separators=(",", ":"))


def _sender(message: OutboundMessage, settings: TwilioSmsConfig) -> dict[str, str]:
    if message.sender is not None:
        return {"MessagingServiceSid" if _SERVICE.fullmatch(message.sender) else "From": message.sender}
    if settings.from_number is not None:
        return {"From": settings.from_number}
    return {"MessagingServiceSid": settings.messaging_service_sid or ""}


def _callback(own: str | None, public: str | None) -> str | None:
    """
    Where receipts go: the configured address, or its host with the path of our webhooks when it names no path.
    """
    if public is None or own is None or urlsplit(public).path not in ("", "/"):
        return public or own
    host = urlsplit(public)
    return urlunsplit((host.scheme, host.netloc, urlsplit(own).path, "", ""))


def _with_ref(url: str, attempt_id: str) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&" if parts.query else ""
    return urlunsplit(parts._replace(query=f"{query}ref={quote(attempt_id, safe='')}"))


def _whole_second(at: datetime) -> datetime:
    if at.tzinfo is None:
        msg = "send_at must be aware"
        raise InvalidValueError(msg)
    # upwards: the moment may be the first of a legal window
    return at.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1 if at.microsecond else 0)


def _schedule(send_at: datetime, now: datetime, *, by_service: bool) -> dict[str, str]:
    if not by_service:
        msg = "twilio_sms does not support: scheduling without a messaging service"
        raise UnsupportedCapabilityError(msg)
    if not _SOONEST < send_at - now <= _LATEST:
        raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)
    return {"ScheduleType": "fixed", "SendAt": send_at.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _validity(left: timedelta) -> int:
    seconds = left // timedelta(seconds=1)
    if seconds < 1:
        raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)
    return min(seconds, _MAX_VALIDITY_S)


def _is_sendable(text: str) -> bool:
    # half a surrogate pair has no bytes
    return bool(text.strip()) and not any("\ud800" <= char <= "\udfff" for char in text)
