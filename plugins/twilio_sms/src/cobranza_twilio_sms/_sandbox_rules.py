"""
What the emulator refuses, as the vendor does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from attrs import frozen

_MAX_TEXT = 1600
_MAX_VALIDITY_S = 36_000
_SOONEST, _LATEST = timedelta(minutes=5), timedelta(days=35)


@frozen
class Refusal:
    """
    An error as the API puts it.
    """

    code: int
    message: str
    status: int = 400


MAGIC_TO = {
    "+15005550001": Refusal(21211, "The 'To' number is not a valid phone number."),
    "+15005550002": Refusal(21612, "The 'To' phone number is not currently reachable from this 'From' number."),
    "+15005550003": Refusal(21408, "Permission to send an SMS has not been enabled for the region."),
    "+15005550004": Refusal(21610, "Attempt to send to unsubscribed recipient."),
    "+15005550009": Refusal(21614, "The 'To' number is not a valid mobile number."),
}
_MAGIC_FROM = {
    "+15005550001": Refusal(21212, "The 'From' number is not a valid phone number, shortcode, or alphanumeric sender."),
    "+15005550007": Refusal(21606, "The 'From' phone number is not a valid, SMS-capable number of your account."),
    "+15005550008": Refusal(21611, "This 'From' number has exceeded the maximum number of queued messages."),
}


def refuse_form(form: Mapping[str, str], now: datetime) -> Refusal | None:
    """
    What is wrong with the form of a new message, or None.
    """
    wrong = _refuse_address(form) or _refuse_words(form) or _refuse_schedule(form, now)
    return wrong or _MAGIC_FROM.get(form.get("From", "")) or MAGIC_TO.get(form.get("To", ""))


def read_variables(form: Mapping[str, str]) -> dict[str, str] | None:
    """
    The variables of a template, or None when they are no JSON object of texts.
    """
    try:
        variables = json.loads(form.get("ContentVariables", "{}"))
    except (ValueError, RecursionError):
        return None
    fits = isinstance(variables, dict) and all(isinstance(value, str) and value for value in variables.values())
    return variables if fits else None


def _refuse_address(form: Mapping[str, str]) -> Refusal | None:
    validity = form.get("ValidityPeriod", "1")
    checks = (
        (not form.get("To"), Refusal(21604, "A 'To' phone number is required.")),
        (not form.get("From") and not form.get("MessagingServiceSid"), Refusal(21603, "A 'From' number is required.")),
        (not re.fullmatch(r"\+[1-9][0-9]{6,14}", form.get("To", "")), MAGIC_TO["+15005550001"]),
        (not _is_callback(form.get("StatusCallback")), Refusal(21609, "The 'StatusCallback' is not a valid URL.")),
        # no code of the vendor's dictionary is certain for this one
        (
            not (re.fullmatch(r"[0-9]{1,5}", validity) and 1 <= int(validity) <= _MAX_VALIDITY_S),
            Refusal(20001, "ValidityPeriod is out of range."),
        ),
    )
    return next((refusal for is_wrong, refusal in checks if is_wrong), None)


def _refuse_words(form: Mapping[str, str]) -> Refusal | None:
    content = form.get("ContentSid")
    checks = (
        (not form.get("Body") and content is None, Refusal(21602, "Message body is required.")),
        (len(form.get("Body", "")) > _MAX_TEXT, Refusal(21617, "The message body exceeds the 1600 character limit.")),
        (content is None and "ContentVariables" in form, Refusal(21654, "ContentSid is required.")),
        (not re.fullmatch(r"HX[0-9a-fA-F]{32}", content or "HX" + "0" * 32), Refusal(21655, "ContentSid is invalid.")),
        (read_variables(form) is None, Refusal(21656, "The ContentVariables parameter is invalid.")),
    )
    return next((refusal for is_wrong, refusal in checks if is_wrong), None)


def _refuse_schedule(form: Mapping[str, str], now: datetime) -> Refusal | None:
    if "ScheduleType" not in form and "SendAt" not in form:
        return None
    if "SendAt" not in form:
        return Refusal(35111, "SendAt is missing.")
    if form.get("ScheduleType") != "fixed":
        return Refusal(35126, "ScheduleType is missing or not supported.")
    if not form.get("MessagingServiceSid"):
        return Refusal(35118, "A MessagingServiceSid is required.")
    try:
        send_at = datetime.strptime(form["SendAt"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return Refusal(35115, "SendAt is no date in ISO 8601.")
    return None if _SOONEST < send_at - now <= _LATEST else Refusal(35114, "SendAt is out of range.")


def _is_callback(url: str | None) -> bool:
    if url is None:
        return True
    host = urlsplit(url).hostname
    return url.startswith(("http://", "https://")) and bool(host) and "_" not in (host or "")
