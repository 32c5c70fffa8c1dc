"""
Requests as the vendor wants them, answers as the core needs them.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import attrs
import httpx
import pytest
import respx

from cobranza_sdk import (
    Accepted,
    Action,
    Address,
    Attachment,
    AttemptRef,
    InvalidValueError,
    LiveInterlockError,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    Secret,
    UnsupportedCapabilityError,
    WebhookRejectedError,
)
from cobranza_sdk.testing import FixedClock
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._config import TwilioSmsConfig

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SID = "SM1f0e8ae6ade43cb3c0ce4525424e404f"
CREATED = {"sid": SID, "status": "queued", "num_segments": "0"}

Build = Callable[..., TwilioSms]
Write = Callable[..., OutboundMessage]

pytestmark = pytest.mark.anyio


def form(route: respx.Route) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(route.calls.last.request.content.decode()).items()}


async def failure(channel: TwilioSms, message: OutboundMessage) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await channel.send(message)
    return caught.value


def answers(error: ProviderError) -> tuple[str, str, str]:
    return (error.category, error.disposition, error.transmitted)


async def test_a_message_is_one_form(channel: TwilioSms, api: respx.MockRouter, message: Write) -> None:
    """
    The sender, the legal window and our id travel with the words, and the vendor's id comes back.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)

    accepted = await channel.send(message(text="á" * 71))

    assert accepted == Accepted(provider_message_id=SID, status="queued", segments=2)
    assert route.call_count == 1
    assert (
        route.calls.last.request.headers["Authorization"]
        == httpx.BasicAuth(channel.account, "12345678901234567890123456789012")._auth_header
    )
    assert form(route) == {
        "To": "+51987654321",
        "From": "+15005550006",
        "Body": "á" * 71,
        "StatusCallback": "https://hooks.example.com/webhooks/sms?ref=att_01",
        "ValidityPeriod": "7200",
    }


async def test_a_service_or_the_message_may_name_the_sender(
    build: Build, api: respx.MockRouter, message: Write
) -> None:
    """
    A messaging service picks its number itself; a sender in the message wins; a name that begins with MG is a name.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)
    service = "MG" + "b" * 32
    channel = build(from_number=None, messaging_service_sid="MG01")

    await channel.send(message())
    by_service = form(route)
    await channel.send(message(sender="+15005550010"))
    by_message = form(route)
    await build().send(message(sender=service))
    by_other_service = form(route)
    await build(from_number="MGM Cobros").send(message())
    by_name = form(route)

    assert (by_service["MessagingServiceSid"], "From" in by_service) == ("MG01", False)
    assert (by_other_service["MessagingServiceSid"], "From" in by_other_service) == (service, False)
    assert (by_name["From"], "MessagingServiceSid" in by_name) == ("MGM Cobros", False)
    assert (by_message["From"], "MessagingServiceSid" in by_message) == ("+15005550010", False)


@pytest.mark.parametrize(
    ("public_url", "webhook_url", "callback_url", "expected"),
    [
        (None, None, None, None),
        (None, None, "https://a.example.com/cb", "https://a.example.com/cb?ref=a%26b%2F1"),
        ("https://p.example.com/cb", "https://w.example.com/cb", "https://a.example.com/cb", "https://p.example.com/cb?ref=a%26b%2F1"),
        ("https://p.example.com/cb?t=1#rc=3&rp=all", None, None, "https://p.example.com/cb?t=1&ref=a%26b%2F1#rc=3&rp=all"),
    ],
)  # fmt: skip
async def test_receipts_are_asked_for_where_the_vendor_can_reach_us(  # fixtures
    build: Build,
    api: respx.MockRouter,
    message: Write,
    public_url: str | None,
    webhook_url: str | None,
    callback_url: str | None,
    expected: str | None,
) -> None:
    """
    The address is the one that signatures are checked against; without one no receipt is asked for.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)
    channel = build(public_url=public_url, webhook_url=webhook_url)

    await channel.send(message(attempt_id="a&b/1", callback_url=callback_url))

    assert form(route).get("StatusCallback") == expected


@pytest.mark.parametrize(
    ("left", "period"),
    [
        (timedelta(days=3), "36000"),
        (timedelta(seconds=1), "1"),
        (timedelta(seconds=59, milliseconds=999), "59"),
        (None, None),
    ],
)
async def test_the_legal_window_becomes_the_vendors_validity(
    channel: TwilioSms, api: respx.MockRouter, message: Write, left: timedelta | None, period: str | None
) -> None:
    """
    The vendor queues for ten hours by default: enough to deliver in the middle of the night.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)

    await channel.send(message(not_after=None if left is None else NOW + left))

    assert form(route).get("ValidityPeriod") == period


@pytest.mark.parametrize("left", [timedelta(0), timedelta(milliseconds=900), timedelta(hours=-1)])
async def test_a_window_that_closed_stops_the_message(
    channel: TwilioSms, api: respx.MockRouter, message: Write, left: timedelta
) -> None:
    """
    What waited too long in our own queue must not leave at all.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)

    error = await failure(channel, message(not_after=NOW + left))

    assert answers(error) == ("validation", "never", "no")
    assert not route.called


@pytest.mark.parametrize(
    "changes",
    [
        {"to": Address("email", "ana@example.com")},
        {"text": "a" * 1601},
        {"html": "<p>hola</p>"},
        {"template": MessageTemplate(name="HX" + "a" * 32, language="es", buttons={0: "A-1"})},
        {"attachments": (Attachment(filename="a.pdf", content_type="application/pdf", content=b""),)},
        {"actions": (Action(id="1", title="Pagar"),)},
    ],
)
async def test_what_the_channel_cannot_do_is_refused_before_any_request(
    channel: TwilioSms, api: respx.MockRouter, message: Write, changes: dict[str, Any]
) -> None:
    """
    Dropping an attachment in silence would send half a message.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)

    with pytest.raises(UnsupportedCapabilityError):
        await channel.send(message(**changes))

    assert not route.called


@pytest.mark.parametrize("text", ["", "  \n", "a\ud800"])
async def test_words_that_cannot_be_sent_are_refused_before_any_request(
    channel: TwilioSms, api: respx.MockRouter, message: Write, text: str
) -> None:
    """
    Half a surrogate pair has no bytes; nothing left, and the error says so.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)

    assert answers(await failure(channel, message(text=text))) == ("validation", "never", "no")
    assert not route.called


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"sid": 5}',
        b'{"sid": ""}',
        b'{"sid": "SM1"}',
        b'{"sid": null}',
        b"[" * 100_000,
        b"\xff",
        b'{"sid": ["SM1f0e8ae6ade43cb3c0ce4525424e404f"]}',
    ],
)
async def test_success_without_an_id_is_doubt(
    channel: TwilioSms, api: respx.MockRouter, message: Write, content: bytes
) -> None:
    """
    The message may be out, and nothing tells under which id: never resend, never claim.
    """
    api.post("/Messages.json").respond(201, content=content)

    assert answers(await failure(channel, message())) == ("protocol", "never", "maybe")


async def test_a_message_dead_on_arrival_is_no_success(
    channel: TwilioSms, api: respx.MockRouter, message: Write
) -> None:
    """
    No callback reports a first status, so "accepted" would stand for ever.
    """
    api.post("/Messages.json").respond(201, json={**CREATED, "status": "failed", "error_code": 30007})

    error = await failure(channel, message())

    assert (answers(error), error.vendor_code) == (("validation", "fix_first", "yes"), "30007")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx.ConnectError("refused"), ("network", "retry", "no")),
        (httpx.ReadTimeout("late"), ("network", "never", "maybe")),
        (httpx.RemoteProtocolError("reset"), ("network", "never", "maybe")),
    ],
)
async def test_one_request_is_made_whatever_happens(
    channel: TwilioSms, api: respx.MockRouter, message: Write, raised: Exception, expected: tuple[str, str, str]
) -> None:
    """
    Twilio honours no idempotency key: a retry here could be a second SMS.
    """
    route = api.post("/Messages.json").mock(side_effect=raised)

    assert answers(await failure(channel, message())) == expected
    assert route.call_count == 1


async def test_a_refusal_is_classed_with_its_wait(channel: TwilioSms, api: respx.MockRouter, message: Write) -> None:
    """
    The core waits as long as the vendor asks.
    """
    api.post("/Messages.json").respond(429, json={"code": 20429}, headers={"Retry-After": "3"})

    error = await failure(channel, message())

    assert (answers(error), error.retry_after) == (("rate_limit", "retry", "no"), 3.0)


async def test_a_redirect_is_not_followed(channel: TwilioSms, api: respx.MockRouter, message: Write) -> None:
    """
    Credentials and a debtor's number must not go where an answer points.
    """
    elsewhere = api.post("/Elsewhere.json").respond(201, json=CREATED)
    target = f"{channel.settings.api_url}/Elsewhere.json"
    api.post("/Messages.json").respond(307, headers={"Location": target})

    async with httpx.AsyncClient(follow_redirects=True) as http:
        channel.services = attrs.evolve(channel.services, http=http)
        assert answers(await failure(channel, message())) == ("protocol", "never", "maybe")

    assert not elsewhere.called


async def test_the_interlock_passes_through(build: Build, message: Write, attempt: AttemptRef) -> None:
    """
    With live = false nothing leaves, and the reason must reach the operator as it is.
    """
    channel = build(base_url=None)

    assert channel.hosts == ("api.twilio.com",)
    for call in (channel.send(message()), channel.lookup(attempt), channel.check()):
        with pytest.raises(LiveInterlockError):
            await call


async def test_a_secret_that_cannot_be_fetched_sends_nothing(
    build: Build, api: respx.MockRouter, message: Write
) -> None:
    """
    A missing variable is a setting to fix, not a message that may be out.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)

    def gone() -> str:
        raise KeyError

    assert answers(await failure(build(auth_token=Secret(gone)), message())) == ("config", "fix_first", "no")
    assert not route.called


async def test_an_api_key_signs_in_instead_of_the_token(build: Build, api: respx.MockRouter, message: Write) -> None:
    """
    Keys can be revoked one by one; the token then only verifies webhooks.
    """
    route = api.post("/Messages.json").respond(201, json=CREATED)

    await build(api_key="SK1", api_secret="of-the-key").send(message())

    assert route.calls.last.request.headers["Authorization"] == httpx.BasicAuth("SK1", "of-the-key")._auth_header


@pytest.mark.parametrize(
    ("response", "ok"),
    [
        (httpx.Response(200, json={"status": "active"}), True),
        (httpx.Response(200, json={"status": "suspended"}), False),
        (httpx.Response(200, text="<html>"), False),
        (httpx.Response(401, json={"code": 20003}), False),
    ],
)
async def test_credentials_are_tried_on_the_account(
    channel: TwilioSms, api: respx.MockRouter, response: httpx.Response, ok: bool
) -> None:
    """
    A wrong token should show in ``doctor``, not on the first debtor.
    """
    api.get(".json").mock(return_value=response)

    assert (await channel.check()).ok is ok


async def test_an_api_key_is_tried_on_what_it_may_read(build: Build, api: respx.MockRouter) -> None:
    """
    A standard key may not read the account, and would look wrong.
    """
    route = api.get("/Messages.json", params={"PageSize": "1"}).respond(200, json={"messages": []})

    assert (await build(api_key="SK1", api_secret="of-the-key").check()).ok
    assert route.called


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"account_sid": "US123"}, "account_sid"),
        ({"account_sid": "AC/../x"}, "account_sid"),
        ({"auth_token": ()}, "auth_token"),
        ({"api_key": "SK1"}, "api_secret"),
        ({"api_secret": Secret("x")}, "api_key"),
        ({"messaging_service_sid": "MG1"}, "exactly one"),
        ({"from_number": None}, "exactly one"),
        ({"from_number": None, "messaging_service_sid": "SM1"}, "messaging_service_sid"),
        ({"from_number": "+52 55 1234"}, "from_number"),
        ({"base_url": "https://api.twilio.com/2010-04-01"}, "base_url"),
        ({"base_url": "ftp://api.twilio.com"}, "base_url"),
        ({"base_url": "https://u:p@api.twilio.com"}, "base_url"),
        ({"base_url": "http://api.twilio.com"}, "clear"),
        ({"base_url": "https://["}, "base_url"),
        ({"public_url": "hooks.example.com/cb"}, "public_url"),
        ({"public_url": "https://u:p@hooks.example.com/cb"}, "public_url"),
        ({"public_url": "https://my_hooks.example.com/cb"}, "public_url must have no _"),
    ],
)
def test_settings_that_contradict_themselves_are_named(changes: dict[str, Any], named: str) -> None:
    """
    An operator should read which key to change, at start and not at the first send.
    """
    good: dict[str, Any] = {"account_sid": "AC1", "auth_token": (Secret("t"),), "from_number": "+15005550006"}

    with pytest.raises(InvalidValueError, match=named):
        TwilioSmsConfig(**{**good, **changes})


async def test_no_secret_or_number_is_printed(  # fixtures
    build: Build,
    api: respx.MockRouter,
    message: Write,
    attempt: AttemptRef,
    webhook: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Logs are read by people who may know neither; the client's own log of addresses is the host's to silence.
    """
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="httpx")
    canaries = ["canary-token", "canary-secret", "canary-shared", "987654321", "canary-text"]
    channel = build(
        auth_token="canary-token", api_key="SK1", api_secret="canary-secret", shared_keys={"k": "canary-shared"}
    )
    refusal = {"code": 21211, "message": "+51987654321 canary-text canary-token"}
    api.route().respond(400, json=refusal)
    shown = [repr(channel.settings), repr(channel), repr(message(text="canary-text")), repr(await channel.check())]

    for call in (channel.send(message(text="canary-text")), channel.lookup(attempt)):
        with pytest.raises(ProviderError) as caught:
            await call
        shown += [str(caught.value), repr(caught.value), repr(caught.value.args)]
    with pytest.raises(WebhookRejectedError) as rejected:
        channel.verify(webhook("https://hooks.example.com/cb?ref=987654321", b"Body=canary-text", "canary-token"))
    shown += [str(rejected.value), caplog.text]

    assert not [canary for canary in canaries if canary in "\n".join(shown)]


def test_the_emulator_and_the_client_wait_until_they_are_needed() -> None:
    """
    Every start of the command line imports the plugin; its cost is everybody's.
    """
    script = (
        "import sys, cobranza_twilio_sms as plugin\n"
        "assert 'httpx' not in sys.modules\n"
        "plugin.cobranza_channels()\n"
        "assert 'cobranza_twilio_sms._sandbox' not in sys.modules\n"
        "plugin.cobranza_sandboxes()\n"
        "assert not {'uvicorn', 'starlette'} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603  # our own script


def test_the_channel_says_what_it_can(channel: TwilioSms, clock: FixedClock) -> None:
    """
    Rules of law ask for the family, and the core for the rest.
    """
    can = channel.capabilities

    assert (can.channel, can.family, can.schemes, can.text_length) == ("sms", "message", ("e164",), 1600)
    assert can.free_text
    assert can.inbound
    assert can.lookup
    assert can.correlation
    assert can.templates
    assert not any((can.subject, can.html, can.attachments, can.actions))
    assert can.idempotency_window is None
    assert clock.now() == NOW
