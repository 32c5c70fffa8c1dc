"""
The emulator over real HTTP on loopback.
"""

from __future__ import annotations

import hashlib
import hmac
import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from cobranza_sdk import (
    Action,
    Address,
    CobranzaError,
    EventKind,
    InvalidValueError,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    WebhookRequest,
)
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_whatsapp_cloud._channel import WhatsAppCloud
from cobranza_whatsapp_cloud._sandbox import WhatsAppSandbox

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


class Inbox:
    """
    A web server that keeps what the vendor posts.
    """

    def __init__(self) -> None:
        self.requests: list[WebhookRequest] = []
        self.answers: list[tuple[int, str]] = []
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                url = f"http://127.0.0.1{self.path}"
                inbox.requests.append(
                    WebhookRequest(method=self.command, url=url, headers=dict(self.headers), body=body, received_at=NOW)
                )
                status, text = inbox.answers.pop(0) if inbox.answers else (200, "")
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST  # noqa: N815  # the name the server looks for

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/whatsapp"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """Our side of the webhooks."""
    inbox = Inbox()
    yield inbox
    inbox.close()


@pytest.fixture
def clock() -> FixedClock:
    """The time of vendor and channel."""
    return FixedClock(NOW)


@pytest.fixture
def sandbox(inbox: Inbox, clock: FixedClock) -> Iterator[WhatsAppSandbox]:
    """A running emulator that posts to *inbox*."""
    with WhatsAppSandbox(clock=clock, webhook_url=inbox.url, templates={"recordatorio_factura"}) as sandbox:
        yield sandbox
        sandbox_port = sandbox.port
    assert sandbox_port


@pytest.fixture
async def channel(sandbox: WhatsAppSandbox, clock: FixedClock) -> Any:
    """The channel with the emulator's own settings and the real client."""
    channel = make_provider(WhatsAppCloud, sandbox.settings, clock=clock)
    async with channel.services.http:
        yield channel


def events(channel: WhatsAppCloud, inbox: Inbox) -> list[Any]:
    return [event for request in inbox.requests for event in channel.parse(channel.verify(request))]


async def test_a_template_arrives_with_its_parameters(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """What was sent can be read where it arrived, or the emulator proves nothing."""
    accepted = await channel.send(outbound())

    (received,) = sandbox.received
    assert received.provider_message_id == accepted.provider_message_id
    assert accepted.status == "accepted"
    assert received.text == "José\nF-1\nS/ 120.00\nf1-9f2c"
    assert (received.template, received.attempt_id, received.at) == ("recordatorio_factura", "01k1attempt", NOW)
    assert received.to == Address("e164", "+51987654321")


async def test_ids_are_unique_and_repeatable(
    clock: FixedClock, channel: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """Receipts are matched by id; a test that runs twice must see the same ones."""
    first = await channel.send(outbound())
    second = await channel.send(outbound(attempt_id="01k2attempt"))
    with WhatsAppSandbox(clock=clock) as other:
        again = make_provider(WhatsAppCloud, other.settings, clock=clock)
        async with again.services.http:
            repeated = await again.send(outbound())

    assert first.provider_message_id != second.provider_message_id
    assert repeated.provider_message_id == first.provider_message_id


async def test_receipts_come_back_signed_and_correlated(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, inbox: Inbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """A receipt that cannot be matched to its attempt leaves the attempt open for ever."""
    accepted = await channel.send(outbound())

    codes = (sandbox.deliver(accepted.provider_message_id), sandbox.read(accepted.provider_message_id))

    assert codes == (200, 200)
    got = events(channel, inbox)
    assert [event.kind for event in got] == [EventKind.SENT, EventKind.DELIVERED, EventKind.READ]
    assert {event.attempt_id for event in got} == {"01k1attempt"}
    assert {event.provider_message_id for event in got} == {accepted.provider_message_id}
    assert {event.occurred_at for event in got} == {NOW}
    assert {event.account for event in got} == {channel.account}


async def test_a_failure_says_that_the_person_cannot_be_reached(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, inbox: Inbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """The next channel is tried only when this one is known to be closed."""
    accepted = await channel.send(outbound())

    sandbox.fail(accepted.provider_message_id)

    (event,) = events(channel, inbox)
    assert event.kind is EventKind.FAILED
    assert (event.error.category, event.error.disposition, event.error.vendor_code) == ("recipient", "never", "131026")


async def test_answers_and_taps_name_the_message_they_answer(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, inbox: Inbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """With a number the vendor rewrote, the message answered is the only link to the debtor."""
    accepted = await channel.send(outbound())

    sandbox.reply(accepted.provider_message_id, "Ya pagué")
    sandbox.reply(accepted.provider_message_id, "BAJA")
    sandbox.tap(accepted.provider_message_id, "PROMISE:f1", "Pagaré mañana")

    got = events(channel, inbox)
    assert [event.kind for event in got] == ["inbound_message", "opt_out", "inbound_message"]
    assert [event.text for event in got] == ["Ya pagué", "BAJA", "Pagaré mañana"]
    assert got[2].raw["payload"] == "PROMISE:f1"
    assert {event.reply_to for event in got} == {accepted.provider_message_id}
    assert {event.address for event in got} == {Address("e164", "+51987654321")}
    assert len({event.key for event in got}) == 3


@pytest.mark.parametrize(("count", "kind"), [(2, "button_reply"), (5, "list_reply")])
async def test_a_choice_comes_back_with_its_id(
    channel: WhatsAppCloud,
    sandbox: WhatsAppSandbox,
    inbox: Inbox,
    outbound: Callable[..., OutboundMessage],
    count: int,
    kind: str,
) -> None:
    """The id says what was meant, whatever the words on the button."""
    sandbox.write(Address("e164", "+51987654321"), "Hola")
    actions = tuple(Action(id=f"day:{number}", title=f"Día {number}") for number in range(count))
    accepted = await channel.send(outbound(template=None, actions=actions))

    sandbox.choose(accepted.provider_message_id, "day:1")
    with pytest.raises(InvalidValueError):
        sandbox.choose(accepted.provider_message_id, "day:9")

    written, event = events(channel, inbox)
    assert (written.reply_to, written.text) == (None, "Hola")
    assert (event.kind, event.text, event.reply_to) == ("inbound_message", "Día 1", accepted.provider_message_id)
    assert event.raw == {"type": "interactive", "interactive": kind, "id": "day:1"}


async def test_a_business_scoped_id_stands_in_for_the_phone(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, inbox: Inbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """People with a username have no phone in webhooks: they must still be able to opt out."""
    person = Address("bsuid", "PE.13491208655302741918")
    accepted = await channel.send(outbound(to=person))

    sandbox.deliver(accepted.provider_message_id)
    sandbox.reply(accepted.provider_message_id, "stop")

    assert sandbox.received[0].to == person
    assert events(channel, inbox)[-1].address == person


async def test_bodies_are_written_as_the_vendor_writes_them(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, inbox: Inbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """Whoever checks the signature over JSON made anew fails here and not at the first real webhook."""
    accepted = await channel.send(outbound())

    sandbox.reply(accepted.provider_message_id, "¿y/o mañana?")

    body = inbox.requests[0].body
    assert rb"\u00bfy\/o ma\u00f1ana?" in body
    assert body.isascii()
    signature = hmac.new(sandbox.settings["app_secret"].encode(), body, hashlib.sha256).hexdigest()
    assert inbox.requests[0].headers["x-hub-signature-256"] == f"sha256={signature}"


async def test_free_text_needs_an_open_window(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, clock: FixedClock, outbound: Callable[..., OutboundMessage]
) -> None:
    """The vendor's 24 hours are felt in development, by the injected clock."""
    free = outbound(template=None, attempt_id="01k2free")
    accepted = await channel.send(outbound())
    with pytest.raises(ProviderError) as before:
        await channel.send(free)
    sandbox.reply(accepted.provider_message_id, "Hola")
    clock.advance(timedelta(hours=23, minutes=59))
    await channel.send(free)
    clock.advance(timedelta(minutes=1))
    with pytest.raises(ProviderError) as after:
        await channel.send(free)

    assert {before.value.vendor_code, after.value.vendor_code} == {"131047"}
    assert (after.value.category, after.value.transmitted) == ("session_closed", "no")
    assert len(sandbox.received) == 2


async def test_an_unknown_template_is_refused(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """A misspelt template name is found before the first real message."""
    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(template=MessageTemplate(name="otra", language="es_PE")))

    assert (caught.value.category, caught.value.vendor_code) == ("template", "132001")
    assert not sandbox.received


async def test_a_wrong_token_is_refused(
    sandbox: WhatsAppSandbox, clock: FixedClock, outbound: Callable[..., OutboundMessage]
) -> None:
    """An emulator that takes any token hides the commonest mistake."""
    channel = make_provider(WhatsAppCloud, {**sandbox.settings, "access_token": "wrong"}, clock=clock)
    async with channel.services.http:
        with pytest.raises(ProviderError) as caught:
            await channel.send(outbound())
        health = await channel.check()

    assert (caught.value.category, caught.value.vendor_code, caught.value.transmitted) == ("auth", "190", "no")
    assert not health.ok


async def test_check_finds_the_number(channel: WhatsAppCloud, sandbox: WhatsAppSandbox) -> None:
    """Credentials are tried without sending anything."""
    health = await channel.check()

    assert health.ok
    assert "green" in health.detail
    assert not sandbox.received


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"no json", 100),
        ({}, 100),
        ({"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}, 100),
        ({"messaging_product": "whatsapp", "to": "+51987654321", "type": "text"}, 100),
        ({"messaging_product": "whatsapp", "to": "+51987654321", "type": "template", "template": {"name": "x"}}, 100),
        ({"messaging_product": "whatsapp", "to": "abc", "type": "text", "text": {"body": "x"}}, 131009),
        ({"messaging_product": "whatsapp", "to": "+51987654321", "type": "sticker"}, 131051),
    ],
)
async def test_incomplete_requests_get_the_vendors_code(sandbox: WhatsAppSandbox, body: Any, code: int) -> None:
    """What the vendor refuses must not pass in development."""
    url = f"{sandbox.settings['base_url']}/v25.0/{sandbox.settings['phone_number_id']}/messages"
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    async with httpx.AsyncClient(trust_env=False) as http:
        headers = {"Authorization": f"Bearer {sandbox.settings['access_token']}"}
        response = await http.post(url, headers=headers, **content)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("fault", "axes_and_taken"),
    [
        ("rate_limit", ("rate_limit", "retry", "no", 0)),
        ("pair_rate", ("recipient", "retry", "no", 0)),
        ("server_error", ("provider_down", "never", "maybe", 0)),
        ("bad_json", ("protocol", "never", "maybe", 1)),
    ],
)
async def test_a_fault_happens_once(
    channel: WhatsAppCloud,
    sandbox: WhatsAppSandbox,
    outbound: Callable[..., OutboundMessage],
    fault: Any,
    axes_and_taken: tuple[str, str, str, int],
) -> None:
    """Each fault shows the core another of its three answers, and the next call works."""
    sandbox.fail_next(fault)

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound())
    await channel.send(outbound(attempt_id="01k2attempt"))

    error = caught.value
    assert (error.category, error.disposition, error.transmitted, len(sandbox.received) - 1) == axes_and_taken


async def test_one_person_at_a_time_is_waited_for(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """Six seconds between two messages to one person; the others are not held up."""
    sandbox.fail_next("pair_rate")

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound())
    await channel.send(outbound(attempt_id="01k2other", to=Address("e164", "+51900000002")))

    assert (caught.value.vendor_code, caught.value.retry_after) == ("131056", 6)
    assert len(sandbox.received) == 1


async def test_a_time_out_after_sending_is_in_doubt(
    sandbox: WhatsAppSandbox, clock: FixedClock, outbound: Callable[..., OutboundMessage]
) -> None:
    """Without an answer we cannot know, so we neither resend nor claim failure."""
    sandbox.fail_next("hang")
    http = httpx.AsyncClient(timeout=httpx.Timeout(5.0, read=0.1), trust_env=False)
    channel = make_provider(WhatsAppCloud, sandbox.settings, clock=clock, http=http)

    async with http:
        with pytest.raises(ProviderError) as caught:
            await channel.send(outbound())

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == ("network", "never", "maybe")
    assert len(sandbox.received) == 1


async def test_the_handshake_is_made_as_the_vendor_makes_it(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, inbox: Inbox
) -> None:
    """The webhook address is accepted by the vendor only when the challenge comes back."""
    inbox.answers.append((200, "1158201444"))

    text = sandbox.handshake()

    assert text == "1158201444"
    assert channel.challenge(inbox.requests[0]) == "1158201444"


async def test_a_refused_receipt_is_told(
    channel: WhatsAppCloud, sandbox: WhatsAppSandbox, inbox: Inbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """The answer of our side is what a test of webhooks looks at."""
    accepted = await channel.send(outbound())
    inbox.answers.append((403, ""))

    assert sandbox.deliver(accepted.provider_message_id) == 403
    assert len(inbox.requests) == 1


async def test_without_a_webhook_address_nothing_is_posted(
    clock: FixedClock, outbound: Callable[..., OutboundMessage]
) -> None:
    """A sandbox on a port of its own serves people who only try sending."""
    with WhatsAppSandbox(clock=clock) as sandbox:
        channel = make_provider(WhatsAppCloud, sandbox.settings, clock=clock)
        async with channel.services.http:
            accepted = await channel.send(outbound())

        assert sandbox.deliver(accepted.provider_message_id) is None
        with pytest.raises(InvalidValueError):
            sandbox.deliver("wamid.other")
        with pytest.raises(InvalidValueError):
            sandbox.handshake()
        with pytest.raises(InvalidValueError):
            sandbox.fail_next("meteor")  # type: ignore[arg-type]  # the mistake under test


async def test_nobody_at_the_webhook_address_is_an_error_of_ours(
    sandbox: WhatsAppSandbox, channel: WhatsAppCloud, inbox: Inbox, outbound: Callable[..., OutboundMessage]
) -> None:
    """Nobody outside this plugin has to know its HTTP library."""
    accepted = await channel.send(outbound())
    sandbox.webhook_url = f"http://127.0.0.1:{closed_port()}/"

    with pytest.raises(CobranzaError) as caught:
        sandbox.read(accepted.provider_message_id)

    assert caught.value.hint


def closed_port() -> int:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.server_close()
    return server.server_port


def test_stopping_twice_leaves_no_thread_and_frees_the_port(clock: FixedClock) -> None:
    """A demo starts and stops emulators in one process."""
    sandbox = WhatsAppSandbox(clock=clock)
    sandbox.start()
    sandbox.start()
    port = sandbox.port
    sandbox.stop()
    sandbox.stop()

    assert not [thread for thread in threading.enumerate() if thread.name == "whatsapp-sandbox"]
    with WhatsAppSandbox(clock=clock, port=port) as again:
        assert again.port == port


def test_a_taken_port_is_told_at_once(sandbox: WhatsAppSandbox, clock: FixedClock) -> None:
    """Two emulators on one port would answer for each other."""
    with pytest.raises(OSError, match="in use"):
        WhatsAppSandbox(clock=clock, port=sandbox.port).start()


def test_the_channel_needs_no_web_server() -> None:
    """Who only sends installs neither Starlette nor uvicorn, and pays no import of them."""
    code = (
        "import sys, cobranza_whatsapp_cloud as plugin; plugin.cobranza_channels(); "
        "assert 'cobranza_whatsapp_cloud._sandbox' not in sys.modules; plugin.cobranza_sandboxes(); "
        "print([name for name in ('starlette', 'uvicorn') if name in sys.modules])"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # our own code

    assert shown.stdout.strip() == "[]"
