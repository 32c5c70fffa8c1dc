"""
The emulator over real HTTP on loopback, and the channel against it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from cobranza_sdk import (
    Absent,
    Address,
    AttemptRef,
    Event,
    EventKind,
    Found,
    InvalidValueError,
    OutboundMessage,
    ProviderError,
    WebhookRequest,
)
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._sandbox import TwilioSandbox

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)

Write = Callable[..., OutboundMessage]

pytestmark = pytest.mark.anyio


class Hooks:
    """
    An endpoint on loopback that keeps what it gets and answers 204.
    """

    def __init__(self) -> None:
        self.requests: list[WebhookRequest] = []
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                url = f"http://127.0.0.1:{hooks.port}{self.path}"
                hooks.requests.append(
                    WebhookRequest(method="POST", url=url, headers=dict(self.headers), body=body, received_at=NOW)
                )
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/webhooks/sms"


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    endpoint = Hooks()
    thread = threading.Thread(target=endpoint.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()
    thread.join()


def read_last(channel: TwilioSms, hooks: Hooks) -> Event:
    (event,) = channel.parse(channel.verify(hooks.requests[-1]))
    return event


async def refusal(channel: TwilioSms, message: OutboundMessage) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await channel.send(message)
    return caught.value


async def test_a_message_goes_all_the_way(vendor: TwilioSandbox, live: TwilioSms, hooks: Hooks, message: Write) -> None:
    """
    What is sent arrives, and its receipt is proven and finds its attempt.
    """
    accepted = await live.send(message(callback_url=hooks.url, text="Señor Ñandú: vence el 5 €"))

    (received,) = vendor.received
    assert accepted.provider_message_id == received.provider_message_id == "SM" + "0" * 31 + "1"
    assert (received.to.value, received.text) == ("+51987654321", "Señor Ñandú: vence el 5 €")
    assert (received.attempt_id, received.at) == ("att_01", NOW)

    assert vendor.deliver(accepted.provider_message_id) == 204
    event = read_last(live, hooks)
    assert (event.kind, event.attempt_id) == (EventKind.DELIVERED, "att_01")
    assert (event.account, event.provider_message_id) == (live.account, accepted.provider_message_id)


async def test_a_failure_is_reported_with_its_code(
    vendor: TwilioSandbox, live: TwilioSms, hooks: Hooks, message: Write
) -> None:
    """
    A failed delivery says whose fault it was.
    """
    sid = (await live.send(message(callback_url=hooks.url))).provider_message_id

    assert vendor.fail(sid) == 204
    event = read_last(live, hooks)
    assert event.kind is EventKind.FAILED
    assert event.error is not None
    assert (event.error.category, event.error.vendor_code) == ("recipient", "30003")

    vendor.send_status(sid, "teleported")
    assert read_last(live, hooks).kind is EventKind.UNKNOWN
    assert vendor.read(sid) is None


async def test_an_opt_out_blocks_until_start(
    vendor: TwilioSandbox, live: TwilioSms, hooks: Hooks, message: Write
) -> None:
    """
    After BAJA the vendor refuses the number; START opens it again.
    """
    vendor.webhook_url = hooks.url
    sid = (await live.send(message())).provider_message_id

    assert vendor.reply(sid, "Ya pagué") == 204
    assert read_last(live, hooks).kind is EventKind.INBOUND_MESSAGE

    assert vendor.reply(sid, "Baja.") == 204
    event = read_last(live, hooks)
    assert (event.kind, event.text, event.raw["opt_out_type"]) == (EventKind.OPT_OUT, "Baja.", "STOP")
    assert event.address == Address("e164", "+51987654321")
    error = await refusal(live, message())
    assert (error.category, error.transmitted, error.vendor_code) == ("opted_out", "no", "21610")

    assert vendor.reply(sid, "START") == 204
    assert read_last(live, hooks).kind is EventKind.OPT_IN
    assert await live.send(message())
    assert len(vendor.received) == 2


async def test_a_webhook_of_the_emulator_cannot_be_forged(
    vendor: TwilioSandbox, live: TwilioSms, hooks: Hooks, message: Write
) -> None:
    """
    The emulator signs for real, so a channel with another token refuses it.
    """
    sid = (await live.send(message(callback_url=hooks.url))).provider_message_id
    vendor.deliver(sid)
    stranger = make_provider(TwilioSms, {**vendor.settings, "auth_token": "another"}, http=live.services.http)

    with pytest.raises(Exception, match="signature"):
        stranger.verify(hooks.requests[-1])


@pytest.mark.parametrize(
    ("fault", "answers", "taken"),
    [
        ("rate_limit", ("rate_limit", "retry", "no"), 0),
        ("server_error", ("provider_down", "never", "maybe"), 0),
        ("bad_json", ("protocol", "never", "maybe"), 1),
    ],
)
async def test_faults_hit_one_message(  # fixtures
    vendor: TwilioSandbox, live: TwilioSms, message: Write, fault: str, answers: tuple[str, str, str], taken: int
) -> None:
    """
    A rehearsed failure hits the next message and no other.
    """
    vendor.fail_next(fault)

    error = await refusal(live, message())

    assert (error.category, error.disposition, error.transmitted) == answers
    assert error.retry_after == (1.0 if fault == "rate_limit" else None)
    assert len(vendor.received) == taken
    assert await live.send(message())


async def test_a_time_out_is_settled_by_looking_it_up(vendor: TwilioSandbox, clock: FixedClock, message: Write) -> None:
    """
    The answer was lost, the message was not: it is found and never sent twice.
    """
    vendor.fail_next("hang")
    async with httpx.AsyncClient(timeout=httpx.Timeout(5.0, read=0.2), trust_env=False) as impatient:
        hasty = make_provider(TwilioSms, vendor.settings, clock=clock, http=impatient)
        error = await refusal(hasty, message())
    assert (error.category, error.disposition, error.transmitted) == ("network", "never", "maybe")

    async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
        channel = make_provider(TwilioSms, vendor.settings, clock=clock, http=http)
        sent = message()
        lost = AttemptRef(attempt_id=sent.attempt_id, to=sent.to, sent_at=NOW, text=sent.text)
        found = await channel.lookup(lost)
        later = NOW + timedelta(hours=1)
        other = await channel.lookup(AttemptRef(attempt_id="att_02", to=sent.to, sent_at=later, text="otro"))

    assert isinstance(found, Found)
    assert found.provider_message_id == vendor.received[0].provider_message_id
    assert isinstance(other, Absent)
    assert len(vendor.received) == 1
    vendor.stop()
    assert "twilio-sandbox" not in {thread.name for thread in threading.enumerate()}


async def test_a_known_id_shows_what_became_of_it(vendor: TwilioSandbox, live: TwilioSms, message: Write) -> None:
    """
    A missed receipt is made up for by asking.
    """
    sid = (await live.send(message())).provider_message_id
    assert vendor.deliver(sid) is None

    found = await live.lookup(AttemptRef(attempt_id="att_01", to=message().to, sent_at=NOW, provider_message_id=sid))

    assert found == Found(provider_message_id=sid, kind=EventKind.DELIVERED, occurred_at=NOW)


async def test_lists_are_filtered_and_paged_newest_first(
    vendor: TwilioSandbox, live: TwilioSms, clock: FixedClock, message: Write
) -> None:
    """
    A look-up against the emulator is worth something only if its lists behave as the vendor's: what still waits has no
    DateSent, so no list by date shows it.
    """
    for number in range(3):
        sid = (await live.send(message(text=f"aviso {number}", not_after=None))).provider_message_id
        vendor.send_status(sid, "sent")
        clock.advance(timedelta(days=1))
    await live.send(message(to=Address("e164", "+51912345678"), not_after=None))
    await live.send(message(text="en cola", not_after=None))
    url = f"{live.settings.api_url}/Messages.json"
    auth = live.settings.sign_in()

    async def bodies(**query: str) -> list[str]:
        answer = await live.services.http.get(url, params=query, auth=auth)
        return [found["body"] for found in answer.json()["messages"]]

    number = "+51987654321"
    assert await bodies(To=number) == ["en cola", "aviso 2", "aviso 1", "aviso 0"]
    assert await bodies(To=number, DateSent="2026-08-06") == ["aviso 1"]
    assert await bodies(To=number, **{"DateSent>": "2026-08-06"}) == ["aviso 2", "aviso 1"]
    assert await bodies(To=number, **{"DateSent<": "2026-08-05"}) == ["aviso 0"]
    first = (await live.services.http.get(url, params={"To": number, "PageSize": "3"}, auth=auth)).json()
    second = (await live.services.http.get(vendor.settings["base_url"] + first["next_page_uri"], auth=auth)).json()
    assert [found["body"] for found in second["messages"]] == ["aviso 0"]
    assert second["next_page_uri"] is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": None}, 21604),
        ({"From": None}, 21603),
        ({"Body": None}, 21602),
        ({"Body": "a" * 1601}, 21617),
        ({"To": "5512345678"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
        ({"From": "+15005550001"}, 21212),
        ({"From": "+15005550007"}, 21606),
        ({"From": "+15005550008"}, 21611),
        ({"StatusCallback": "hooks"}, 21609),
        ({"StatusCallback": "https://my_host.example.com/cb"}, 21609),
        ({"ValidityPeriod": "36001"}, 20001),
        ({"ValidityPeriod": "0"}, 20001),
        ({"ContentVariables": "{}"}, 21654),
        ({"ContentSid": "HX1"}, 21655),
        ({"ContentSid": "HX" + "a" * 32, "ContentVariables": "{"}, 21656),
        ({"ContentSid": "HX" + "a" * 32, "ContentVariables": "[]"}, 21656),
        ({"ContentSid": "HX" + "a" * 32, "ContentVariables": '{"1":""}'}, 21656),
        ({"ScheduleType": "fixed"}, 35111),
        ({"SendAt": "2026-08-05T18:00:00Z"}, 35126),
        ({"ScheduleType": "fixed", "SendAt": "2026-08-05T18:00:00Z"}, 35118),
        ({"ScheduleType": "fixed", "SendAt": "later", "MessagingServiceSid": "MG1"}, 35115),
        ({"ScheduleType": "fixed", "SendAt": "2026-08-05T17:05:00Z", "MessagingServiceSid": "MG1"}, 35114),
        ({"ScheduleType": "fixed", "SendAt": "2026-09-09T17:00:01Z", "MessagingServiceSid": "MG1"}, 35114),
    ],
)
async def test_the_emulator_refuses_what_the_vendor_refuses(
    vendor: TwilioSandbox, live: TwilioSms, changes: dict[str, str | None], code: int
) -> None:
    """
    A mistake should show on the developer's machine, not on the first live day.
    """
    form = {"To": "+51987654321", "From": "+15005550006", "Body": "Hola", **changes}
    url = f"{live.settings.api_url}/Messages.json"

    answer = await live.services.http.post(
        url, data={name: value for name, value in form.items() if value is not None}, auth=live.settings.sign_in()
    )

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert vendor.received == ()


async def test_a_created_message_has_the_vendors_fields(vendor: TwilioSandbox, live: TwilioSms) -> None:
    """
    With a messaging service the sender is open and the count is "0", as text.
    """
    answer = await live.services.http.post(
        f"{live.settings.api_url}/Messages.json",
        data={"To": "+51987654321", "MessagingServiceSid": "MG1", "Body": "Hola"},
        auth=live.settings.sign_in(),
    )

    created: dict[str, Any] = answer.json()
    assert answer.status_code == 201
    assert (created["status"], created["from"], created["num_segments"]) == ("accepted", None, "0")
    assert (created["date_created"], created["date_sent"]) == ("Wed, 05 Aug 2026 17:00:00 +0000", None)
    assert created["uri"].endswith(f"/Messages/{created['sid']}.json")
    assert set(created) >= {"api_version", "direction", "error_code", "price", "subresource_uris", "num_media"}


async def test_wrong_credentials_and_addresses_are_refused(vendor: TwilioSandbox, live: TwilioSms) -> None:
    """
    The emulator signs nobody in whom the vendor would not.
    """
    wrong = make_provider(TwilioSms, {**vendor.settings, "auth_token": "another"}, http=live.services.http)
    assert (await live.check()).ok
    health = await wrong.check()
    assert (health.ok, "20003" in health.detail) == (False, True)

    missing = await live.services.http.get(f"{live.settings.api_url}/Calls.json", auth=live.settings.sign_in())
    assert (missing.status_code, missing.json()["code"]) == (404, 20404)


def test_starting_and_stopping_leaves_nothing_behind(clock: FixedClock) -> None:
    """
    Tests and demos start it often: a thread or a port left over would fail the next one.
    """
    before = threading.active_count()
    sandbox = TwilioSandbox(clock=clock)
    sandbox.start()
    sandbox.start()
    port = sandbox.port
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    sandbox.stop()
    sandbox.stop()

    assert threading.active_count() == before
    with TwilioSandbox(clock=clock, port=port) as again:
        assert again.settings["base_url"] == f"http://127.0.0.1:{port}"


def test_unknown_messages_and_faults_are_named(clock: FixedClock) -> None:
    """
    A slip in a rehearsal should not look like the vendor's silence.
    """
    sandbox = TwilioSandbox(clock=clock)

    with pytest.raises(InvalidValueError, match="sid"):
        sandbox.deliver("SM0")
    with pytest.raises(InvalidValueError, match="rate_limit"):
        sandbox.fail_next("earthquake")


async def test_a_dead_endpoint_is_no_answer(vendor: TwilioSandbox, live: TwilioSms, message: Write) -> None:
    """
    The vendor gives up on an endpoint that does not answer; it does not crash.
    """
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/cb"
        sid = (await live.send(message(callback_url=url))).provider_message_id

        assert vendor.deliver(sid) is None
