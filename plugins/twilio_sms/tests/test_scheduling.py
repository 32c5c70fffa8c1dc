"""
Messages that the vendor sends later, and their withdrawal.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import respx

from cobranza_sdk import AttemptRef, InvalidValueError, OutboundMessage, ProviderError, UnsupportedCapabilityError
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._sandbox import TwilioSandbox

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SID = "SM1f0e8ae6ade43cb3c0ce4525424e404f"
SERVICE = "MG" + "0b" * 16

Build = Callable[..., TwilioSms]
Write = Callable[..., OutboundMessage]

pytestmark = pytest.mark.anyio


@pytest.fixture
def by_service(build: Build) -> TwilioSms:
    return build(from_number=None, messaging_service_sid=SERVICE)


def form(route: respx.Route) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(route.calls.last.request.content.decode()).items()}


@pytest.mark.parametrize(
    ("send_at", "written"),
    [
        (NOW + timedelta(hours=1), "2026-08-05T18:00:00Z"),
        ((NOW + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-5))), "2026-08-05T18:00:00Z"),
        (NOW + timedelta(hours=1, microseconds=1), "2026-08-05T18:00:01Z"),
        (NOW + timedelta(minutes=5, seconds=1), "2026-08-05T17:05:01Z"),
        (NOW + timedelta(days=35), "2026-09-09T17:00:00Z"),
    ],
)
async def test_the_moment_is_written_in_utc_and_never_earlier(
    by_service: TwilioSms, api: respx.MockRouter, message: Write, send_at: datetime, written: str
) -> None:
    """
    The moment may be the first of a legal window.
    """
    route = api.post("/Messages.json").respond(201, json={"sid": SID, "status": "scheduled"})

    accepted = await by_service.schedule(message(not_after=None), send_at=send_at)

    assert (accepted.provider_message_id, accepted.status) == (SID, "scheduled")
    sent = form(route)
    assert (sent["ScheduleType"], sent["SendAt"], sent["MessagingServiceSid"]) == ("fixed", written, SERVICE)
    assert "ValidityPeriod" not in sent


async def test_the_window_is_counted_from_the_moment_of_sending(
    by_service: TwilioSms, api: respx.MockRouter, message: Write
) -> None:
    """
    The vendor's validity begins when it queues the message, not when it was told of it.
    """
    route = api.post("/Messages.json").respond(201, json={"sid": SID, "status": "scheduled"})

    await by_service.schedule(message(not_after=NOW + timedelta(hours=2)), send_at=NOW + timedelta(hours=1))

    assert form(route)["ValidityPeriod"] == "3600"


@pytest.mark.parametrize(
    ("send_at", "not_after"),
    [
        (NOW + timedelta(minutes=5), None),
        (NOW - timedelta(hours=1), None),
        (NOW + timedelta(days=35, seconds=1), None),
        (NOW + timedelta(hours=2), NOW + timedelta(hours=2)),
    ],
)
async def test_a_moment_that_the_vendor_or_the_law_refuses_is_refused_before_any_request(
    by_service: TwilioSms, api: respx.MockRouter, message: Write, send_at: datetime, not_after: datetime | None
) -> None:
    """
    Too soon, too late, or after the end of the legal window: nothing leaves.
    """
    route = api.post("/Messages.json").respond(201, json={"sid": SID})

    with pytest.raises(ProviderError) as caught:
        await by_service.schedule(message(not_after=not_after), send_at=send_at)

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == ("validation", "never", "no")
    assert not route.called


async def test_only_a_messaging_service_schedules(channel: TwilioSms, api: respx.MockRouter, message: Write) -> None:
    """
    From a number the vendor would refuse it; a moment without a zone could be any.
    """
    route = api.post("/Messages.json").respond(201, json={"sid": SID})

    with pytest.raises(UnsupportedCapabilityError, match="messaging service"):
        await channel.schedule(message(), send_at=NOW + timedelta(hours=1))
    with pytest.raises(InvalidValueError, match="send_at"):
        await channel.schedule(message(), send_at=datetime(2026, 8, 5, 18, 0))  # noqa: DTZ001  # what is tested

    assert not route.called


async def test_a_withdrawal_is_one_field(channel: TwilioSms, api: respx.MockRouter) -> None:
    """
    The vendor says that the message is canceled, and only then is it.
    """
    route = api.post(f"/Messages/{SID}.json").respond(200, json={"sid": SID, "status": "canceled"})

    assert await channel.cancel(SID)
    assert form(route) == {"Status": "canceled"}


@pytest.mark.parametrize(
    ("status", "withdrawn"), [("canceled", True), ("queued", False), ("sent", False), ("delivered", False)]
)
async def test_a_refused_withdrawal_is_explained_by_the_state(
    channel: TwilioSms, api: respx.MockRouter, status: str, withdrawn: bool
) -> None:
    """
    It may be out already, or it was withdrawn before and the answer was lost.
    """
    api.post(f"/Messages/{SID}.json").respond(400, json={"code": 30409})
    api.get(f"/Messages/{SID}.json").respond(200, json={"sid": SID, "status": status})

    assert await channel.cancel(SID) is withdrawn


@pytest.mark.parametrize(
    ("answer", "state", "expected"),
    [
        ({"status_code": 401, "json": {"code": 20003}}, {}, ("auth", "fix_first")),
        ({"status_code": 404, "json": {"code": 20404}}, {}, ("config", "fix_first")),
        ({"status_code": 500}, {}, ("provider_down", "retry")),
        ({"status_code": 400, "json": {"code": 1}}, {"status": "scheduled"}, ("validation", "never")),
        ({"status_code": 400, "json": {"code": 1}}, {}, ("protocol", "retry")),
        ({"status_code": 200, "json": {"status": "scheduled"}}, {}, ("protocol", "retry")),
        ({"status_code": 200, "content": b"["}, {}, ("protocol", "retry")),
    ],
)
async def test_doubt_is_no_withdrawal(
    channel: TwilioSms, api: respx.MockRouter, answer: dict[str, Any], state: dict[str, str], expected: tuple[str, str]
) -> None:
    """
    Who thinks it is withdrawn does not look again, and a debtor who has paid is reminded.
    """
    api.post(f"/Messages/{SID}.json").respond(**answer)
    api.get(f"/Messages/{SID}.json").respond(200, json=state)

    with pytest.raises(ProviderError) as caught:
        await channel.cancel(SID)

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == (*expected, "maybe")


async def test_a_scheduled_message_goes_all_the_way(
    vendor: TwilioSandbox, clock: FixedClock, message: Write, live: TwilioSms
) -> None:
    """
    What is scheduled is found as taken, can be withdrawn once and again, and not any more once it left.
    """
    settings = {**vendor.settings, "from_number": None, "messaging_service_sid": SERVICE}
    chosen = {name: value for name, value in settings.items() if value is not None}
    channel = make_provider(TwilioSms, chosen, clock=clock, http=live.services.http)
    later = NOW + timedelta(hours=1)

    first = await channel.schedule(message(), send_at=later)
    second = await channel.schedule(message(attempt_id="att_02", text="otra"), send_at=later)

    sid = first.provider_message_id
    found = await channel.lookup(AttemptRef(attempt_id="att_01", to=message().to, sent_at=NOW, provider_message_id=sid))
    assert (first.status, getattr(found, "kind", None)) == ("scheduled", "accepted")
    assert [await channel.cancel(sid), await channel.cancel(sid)] == [True, True]
    vendor.send_status(second.provider_message_id, "sending")
    assert not await channel.cancel(second.provider_message_id)


async def test_a_lost_answer_to_a_withdrawal_may_be_asked_again(channel: TwilioSms, api: respx.MockRouter) -> None:
    """
    Withdrawing twice does no harm.
    """
    api.post(f"/Messages/{SID}.json").mock(side_effect=httpx.ReadTimeout("late"))

    with pytest.raises(ProviderError) as caught:
        await channel.cancel(SID)

    assert (caught.value.disposition, caught.value.transmitted) == ("retry", "maybe")
