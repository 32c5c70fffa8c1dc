"""
Each kind of request against what the vendor's description of its API permits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import respx

from cobranza_sdk import AttemptRef, MessageTemplate, OutboundMessage
from cobranza_twilio_sms._channel import TwilioSms

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SID = "SM1f0e8ae6ade43cb3c0ce4525424e404f"
SERVICE = "MG" + "0b" * 16
API: dict[str, Any] = json.loads((Path(__file__).parent / "messages_api.json").read_text("utf-8"))

Build = Callable[..., TwilioSms]
Write = Callable[..., OutboundMessage]


def is_text_table(value: str) -> bool:
    table = json.loads(value)
    return isinstance(table, dict) and all(isinstance(text, str) and text for text in table.values())


def is_uri(value: str) -> bool:
    parts = urlsplit(value)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in value and value.isascii()


def is_date_time(value: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", value) is not None


FORMATS = {"json-of-texts": is_text_table, "uri": is_uri, "date-time": is_date_time}


def fits(value: str, rule: Mapping[str, Any]) -> bool:
    """
    Whether a field's text is what its rule asks for. A rule of a kind that is not known fits nothing.
    """
    ((kind, asked),) = rule.items()
    if kind == "pattern":
        return re.fullmatch(asked, value, re.ASCII) is not None
    if kind == "enum":
        return value in asked
    if kind == "integer":
        return re.fullmatch("[0-9]+", value, re.ASCII) is not None and asked[0] <= int(value) <= asked[1]
    if kind == "length":
        return bool(asked[0] <= len(value) <= asked[1])
    return kind == "format" and FORMATS[asked](value)


def wrong_fields(pairs: list[tuple[str, str]], rules: Mapping[str, Any]) -> Iterator[str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        yield "a field is repeated"
    for name, value in pairs:
        if name not in rules:
            yield f"{name} is not known"
        elif not fits(value, rules[name]):
            yield f"{name} does not fit"


def problems(request: httpx.Request, account: str) -> list[str]:
    """
    What the description has against *request*.
    """
    root = f"/2010-04-01/Accounts/{account}"
    path = request.url.path.removeprefix(root)
    known = API.get(f"{request.method} {re.sub(r'(SM|MM)[0-9a-f]{32}', '{Sid}', path)}")
    if known is None or not request.url.path.startswith(root):
        return [f"{request.method} {path} is not known"]
    text = request.content.decode()
    form = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    found = [*wrong_fields(list(request.url.params.multi_items()), known.get("query", {}))]
    found += wrong_fields(form, known.get("form", {}))
    names = {name for name, _ in form}
    found += [f"{name} is missing" for name in known.get("all", []) if name not in names]
    found += [f"one of {some}" for some in known.get("one", []) if len(names & set(some)) != 1]
    found += [
        f"{name} needs {more}" for name, more in known.get("needs", {}).items() if name in names and set(more) - names
    ]
    if request.method == "POST" and request.headers["Content-Type"] != "application/x-www-form-urlencoded":
        found.append("the body is no form")
    if not request.headers.get("Authorization", "").startswith("Basic "):
        found.append("nobody signs in")
    return found


@pytest.fixture
def seen(api: respx.MockRouter) -> respx.MockRouter:
    """
    The vendor's API, which accepts all.
    """
    resource = {"sid": SID, "status": "canceled", "messages": [], "next_page_uri": None}
    api.post("/Messages.json").respond(201, json={"sid": SID, "status": "queued"})
    api.route().respond(200, json=resource)
    return api


TEMPLATE = MessageTemplate(name="HX" + "0a" * 16, language="es", parameters=("José & hijos", "1=2"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("settings_changed", "changes"),
    [
        ({}, {}),
        ({}, {"text": "Señor Ñandú: 100 % + 1 & 2 = ¿3? 🙂\n€"}),
        ({}, {"not_after": None}),
        ({}, {"not_after": NOW + timedelta(days=30)}),
        ({}, {"template": TEMPLATE}),
        ({}, {"template": MessageTemplate(name=TEMPLATE.name, language="es")}),
        ({}, {"attempt_id": "a&b=c#d%/?"}),
        ({}, {"sender": SERVICE}),
        ({"from_number": "MGM Cobros"}, {}),
        ({"from_number": "72345"}, {}),
        ({"from_number": None, "messaging_service_sid": SERVICE}, {"template": TEMPLATE}),
        ({"public_url": "https://h.example.com:8443/cb?t=1#rc=3&rp=all"}, {}),
    ],
)
async def test_a_message_is_a_form_that_the_vendor_knows(
    build: Build, seen: respx.MockRouter, message: Write, settings_changed: dict[str, Any], changes: dict[str, Any]
) -> None:
    """
    A field that the vendor does not know is dropped in silence, and with it what was meant.
    """
    channel = build(**settings_changed)

    await channel.send(message(**changes))

    assert [problems(call.request, channel.account) for call in seen.calls] == [[]]


@pytest.mark.anyio
async def test_every_other_request_is_one_that_the_vendor_knows(
    build: Build, seen: respx.MockRouter, message: Write, attempt: AttemptRef
) -> None:
    """
    Scheduling, withdrawing, looking up in both ways, and trying the credentials in both ways.
    """
    channel = build(from_number=None, messaging_service_sid=SERVICE)

    await channel.schedule(message(), send_at=NOW + timedelta(hours=1))
    await channel.schedule(message(template=TEMPLATE, not_after=None), send_at=NOW + timedelta(days=35))
    await channel.cancel(SID)
    await channel.lookup(attempt)
    await channel.lookup(AttemptRef(attempt_id="a", to=attempt.to, sent_at=NOW, provider_message_id=SID))
    await channel.check()
    await build(api_key="SK1", api_secret="of-the-key").check()

    assert [problems(call.request, channel.account) for call in seen.calls] == [[]] * 7


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ("To=%2B51987654321&From=72345", "one of ['Body', 'ContentSid']"),
        ("To=%2B51987654321&Body=a", "one of ['From', 'MessagingServiceSid']"),
        ("To=51987654321&From=72345&Body=a", "To does not fit"),
        ("To=%2B51987654321&From=72345&Body=a&Text=b", "Text is not known"),
        ("To=%2B51987654321&From=72345&Body=a&Body=a", "a field is repeated"),
        ("To=%2B51987654321&From=72345&Body=a&ValidityPeriod=36001", "ValidityPeriod does not fit"),
        ("To=%2B51987654321&From=72345&Body=a&StatusCallback=/cb", "StatusCallback does not fit"),
        ("To=%2B51987654321&From=72345&ContentSid=HX1", "ContentSid does not fit"),
        ("To=%2B51987654321&From=72345&Body=a&SendAt=2026-08-05T18:00:00Z", "SendAt needs ['ScheduleType']"),
    ],
)  # fmt: skip
def test_the_check_itself_finds_what_is_wrong(form: str, found: str) -> None:
    """
    A check that lets everything pass would prove nothing.
    """
    request = httpx.Request(
        "POST",
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json",
        content=form,
        headers={"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic x"},
    )

    assert problems(request, "AC1") == [found]
