"""
What became of an attempt whose answer was lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest
import respx

from cobranza_sdk import (
    Absent,
    AttemptRef,
    EventKind,
    Found,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    Undetermined,
)
from cobranza_sdk.testing import FixedClock
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._sandbox import TwilioSandbox

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SID = "SM1f0e8ae6ade43cb3c0ce4525424e404f"
OTHER = "SM" + "0" * 32

Write = Callable[..., OutboundMessage]

pytestmark = pytest.mark.anyio


def answers(error: ProviderError) -> tuple[str, str, str]:
    return (error.category, error.disposition, error.transmitted)


def resource(**changes: Any) -> dict[str, Any]:
    return {
        "sid": SID,
        "status": "delivered",
        "body": "Hola, su cuota vence hoy.",
        "direction": "outbound-api",
        "date_created": "Wed, 05 Aug 2026 17:00:01 +0000",
        "date_updated": "Wed, 05 Aug 2026 17:00:09 +0000",
        **changes,
    }


def page(*messages: object, following: object = None) -> dict[str, Any]:
    return {"messages": list(messages), "next_page_uri": following}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("queued", "accepted"),
        ("accepted", "accepted"),
        ("sending", "accepted"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("undelivered", "failed"),
        ("failed", "failed"),
        ("canceled", "failed"),
        ("teleported", "unknown"),
        (None, "unknown"),
    ],
)
async def test_a_lost_message_is_found_by_its_words(
    channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef, status: str | None, kind: str
) -> None:
    """
    A lost answer is settled by what the vendor has, whatever became of it since.
    """
    route = api.get("/Messages.json").respond(200, json=page(resource(status=status)))

    found = await channel.lookup(attempt)

    assert found == Found(
        provider_message_id=SID, kind=EventKind(kind), occurred_at=datetime(2026, 8, 5, 17, 0, 9, tzinfo=UTC)
    )
    assert dict(route.calls.last.request.url.params) == {"To": "+51987654321", "PageSize": "1000"}


@pytest.mark.parametrize(
    "other",
    [
        resource(date_created="Wed, 05 Aug 2026 09:00:00 +0000"),
        resource(date_created="Wed, 05 Aug 2026 18:00:00 +0000"),
        resource(direction="inbound"),
        resource(direction="outbound-reply", body="<Response> a una respuesta"),
        resource(direction="outbound-call"),
    ],
)
async def test_absence_is_claimed_from_a_complete_list_only(
    channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef, other: dict[str, Any]
) -> None:
    """
    This morning's reminder with the same words is not this attempt, nor is what answered the person by itself.
    """
    route = api.get("/Messages.json").respond(200, json=page(other))

    assert await channel.lookup(attempt) == Absent(checked_until=NOW)
    assert route.call_count == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"messages": []},
        {"messages": None, "next_page_uri": None},
        [],
        page({"sid": 7}),
        page(resource(body="")),
        page(resource(body=None)),
        page(resource(date_created="soon")),
        page(resource(), resource(sid=OTHER)),
        page(resource(), resource(sid=OTHER, body="")),
        page(resource(), resource(sid=OTHER, date_created=None)),
        page(resource(), {}),
        page(resource(body="Otro texto")),
        page(resource(to="+5215512345678")),
        page(resource(), following="/elsewhere"),
        page(following="https://evil.example.com/Messages.json?Page=1"),
        page(following="https://evil.example.com/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json"),
        page(following="/2010-04-01/Accounts/AC1/Messages.json?Page=1"),
        page(following="http://[bad"),
        page(following="http://u:p@127.0.0.1:9/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json"),
        page(following=7),
    ],
)
async def test_doubt_is_not_absence(
    channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef, answer: object
) -> None:
    """
    Absence leads to a resend, so a list that is cut short, redacted or ambiguous proves nothing, nor does a message
    whose words the vendor may have changed; and the credentials go to no other address.
    """
    api.get("/Messages.json").respond(200, json=answer)

    assert isinstance(await channel.lookup(attempt), Undetermined)


async def test_pages_are_followed_within_the_account(
    channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef
) -> None:
    """
    The message may be on the second page.
    """
    uri = f"/2010-04-01/Accounts/{channel.account}/Messages.json?Page=1&PageToken=x"
    api.get("/Messages.json", params={"Page": "1", "PageToken": "x"}).respond(200, json=page(resource()))
    api.get("/Messages.json").respond(200, json=page(resource(body="Otro"), following=uri))

    assert isinstance(await channel.lookup(attempt), Found)


async def test_a_list_without_end_is_given_up(channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef) -> None:
    """
    A page that names itself as the next one must not hold the dispatcher.
    """
    uri = f"/2010-04-01/Accounts/{channel.account}/Messages.json?Page=1"
    route = api.get("/Messages.json").respond(200, json=page(following=uri))

    assert isinstance(await channel.lookup(attempt), Undetermined)
    assert route.call_count == 10


async def test_without_the_words_a_message_of_that_time_is_doubt(
    channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef
) -> None:
    """
    A text that is no longer kept cannot be compared; only an empty list can be told apart.
    """
    wordless = attrs.evolve(attempt, text=None)
    route = api.get("/Messages.json").respond(200, json=page(resource()))
    assert isinstance(await channel.lookup(wordless), Undetermined)

    route.respond(200, json=page())
    assert isinstance(await channel.lookup(wordless), Absent)


async def test_a_known_id_is_asked_for_itself(channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef) -> None:
    """
    With the id nothing is guessed; an id the vendor gave and lost proves nothing.
    """
    known = attrs.evolve(attempt, provider_message_id=SID)
    route = api.get(f"/Messages/{SID}.json").respond(200, json=resource(status="sent"))
    found = await channel.lookup(known)
    assert isinstance(found, Found)
    assert found.kind is EventKind.SENT

    route.respond(404, json={"code": 20404})
    assert isinstance(await channel.lookup(known), Undetermined)

    route.respond(200, content=b"{")
    assert isinstance(await channel.lookup(known), Undetermined)


@pytest.mark.parametrize(
    ("mock", "expected"),
    [
        ({"side_effect": httpx.ReadTimeout("late")}, ("network", "retry", "maybe")),
        ({"return_value": httpx.Response(500)}, ("provider_down", "retry", "maybe")),
        ({"return_value": httpx.Response(401, json={"code": 20003})}, ("auth", "fix_first", "maybe")),
    ],
)
async def test_a_question_that_fails_settles_nothing(
    channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef, mock: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    """
    The attempt stays unknown; asking again does no harm.
    """
    api.get("/Messages.json").mock(**mock)

    with pytest.raises(ProviderError) as caught:
        await channel.lookup(attempt)

    assert answers(caught.value) == expected


async def test_words_that_match_outweigh_others(channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef) -> None:
    """
    A code sent to the same person in the same minute does not hide the message that is sought.
    """
    api.get("/Messages.json").respond(200, json=page(resource(sid=OTHER, body="Otro texto"), resource()))

    found = await channel.lookup(attempt)

    assert isinstance(found, Found)
    assert found.provider_message_id == SID


@pytest.mark.parametrize(
    ("created_at", "is_found"),
    [
        ("Wed, 05 Aug 2026 16:54:59 +0000", False),
        ("Wed, 05 Aug 2026 16:55:00 +0000", True),
        ("Wed, 05 Aug 2026 17:10:00 +0000", True),
        ("Wed, 05 Aug 2026 17:10:01 +0000", False),
        ("Wed, 05 Aug 2026 12:00:00 -0500", True),
    ],
)
async def test_the_time_of_an_attempt_has_two_ends(
    channel: TwilioSms, api: respx.MockRouter, attempt: AttemptRef, created_at: str, is_found: bool
) -> None:
    """
    Clocks differ by minutes; the reminder of an hour ago is another one.
    """
    api.get("/Messages.json").respond(200, json=page(resource(date_created=created_at)))

    assert isinstance(await channel.lookup(attempt), Found) is is_found


def lost(message: OutboundMessage) -> AttemptRef:
    return AttemptRef(attempt_id=message.attempt_id, to=message.to, sent_at=NOW, text=message.text)


async def test_the_emulator_has_what_waits_and_what_was_sent(
    vendor: TwilioSandbox, live: TwilioSms, message: Write
) -> None:
    """
    A message without DateSent is found, and found again once it was sent.
    """
    sid = (await live.send(message())).provider_message_id

    waiting = await live.lookup(lost(message()))
    vendor.send_status(sid, "sent")
    sent = await live.lookup(lost(message()))

    assert waiting == Found(provider_message_id=sid, kind=EventKind.ACCEPTED, occurred_at=NOW)
    assert sent == Found(provider_message_id=sid, kind=EventKind.SENT, occurred_at=NOW)


async def test_the_emulator_has_twins(vendor: TwilioSandbox, live: TwilioSms, message: Write) -> None:
    """
    One of two with the same words was sent and the other waits: neither may be claimed.
    """
    first = (await live.send(message())).provider_message_id
    await live.send(message(attempt_id="att_02"))
    vendor.send_status(first, "delivered")

    assert isinstance(await live.lookup(lost(message())), Undetermined)


async def test_the_emulators_pages_are_all_read(
    vendor: TwilioSandbox, live: TwilioSms, clock: FixedClock, message: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The oldest message stands on the last page, and without it absence would be claimed.
    """
    monkeypatch.setattr("cobranza_twilio_sms._channel._PAGE_SIZE", 2)
    sid = (await live.send(message(not_after=None))).provider_message_id
    clock.advance(timedelta(hours=1))
    for number in range(5):
        await live.send(message(text=f"aviso {number}", not_after=None))

    found = await live.lookup(lost(message()))
    absent = await live.lookup(attrs.evolve(lost(message()), sent_at=NOW - timedelta(hours=3)))

    assert isinstance(found, Found)
    assert found.provider_message_id == sid
    assert absent == Absent(checked_until=clock.now())


async def test_a_template_with_other_words_is_never_absent(
    vendor: TwilioSandbox, live: TwilioSms, message: Write
) -> None:
    """
    The vendor holds the words of a template; where they differ from the record, resending would double the message.
    """
    content = "HX" + "0a" * 16
    vendor.hold_content(content, "Estimado {{1}}: vence hoy.")
    sent = message(template=MessageTemplate(name=content, language="es", parameters=("Ana",)))

    await live.send(sent)

    assert isinstance(await live.lookup(lost(sent)), Undetermined)
