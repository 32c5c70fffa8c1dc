"""
Reports: proven by the raw bytes, read from a closed list, and the same events however often they come.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cobranza_agent_tasks._outcomes import OUTCOMES, SPOKE, UNDONE
from cobranza_agent_tasks._tasks import Outcome, Task
from cobranza_agent_tasks._webhooks import SIGNATURE, parse_envelope, report_of, sign, verify_request
from cobranza_sdk import Event, EventKind, Secret, WebhookRejectedError, WebhookRequest

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "task": "A-1",
    "channel": "call",
    "outcome": "no_answer",
    "by": "rosa",
    "at": "2026-08-05T10:00:00-05:00",
    "key": "A-1:1",
    "opt_out": False,
}


def request_of(body: bytes, *, secret: str = "new", at: datetime = NOW) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        url="https://cobranza.example.com/webhooks/calls",
        headers={SIGNATURE: sign(body, at=at, secret=secret)},
        body=body,
        received_at=NOW,
    )


def events_of(told: Any, channel: str = "call") -> list[Event]:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    secrets = [Secret("new"), Secret("old")]
    envelope = verify_request(request_of(body), account="agent_calls", secrets=secrets)
    return list(parse_envelope(envelope, channel=channel))


@pytest.mark.parametrize("secret", ["new", "old"])
def test_a_secret_is_rotated_without_a_gap(secret: str) -> None:
    request = request_of(b"{}", secret=secret)

    assert verify_request(request, account="a", secrets=[Secret("new"), Secret("old")]).signed == b"{}"


@pytest.mark.parametrize(
    "request_",
    [
        request_of(b"{}", secret="another"),
        evolve(request_of(b"{}"), body=b"{} "),
        evolve(request_of(b"{}"), headers={}),
        evolve(request_of(b"{}"), headers={SIGNATURE: "t=1785942000,v1="}),
        evolve(request_of(b"{}"), headers={SIGNATURE: "t=é,v1=" + "0" * 64}),
        request_of(b"{}", at=NOW - timedelta(hours=24, seconds=1)),
        request_of(b"{}", at=NOW + timedelta(minutes=5, seconds=1)),
    ],
    ids=["secret", "body", "none", "short", "strange", "old", "early"],
)
def test_what_is_not_proven_is_rejected(request_: WebhookRequest) -> None:
    with pytest.raises(WebhookRejectedError):
        verify_request(request_, account="a", secrets=[Secret("new")])


def test_the_time_is_signed_too() -> None:
    """
    Nobody makes an old report young by writing another time before it.
    """
    old = request_of(b"{}", at=NOW - timedelta(days=2))
    digest = old.headers[SIGNATURE].partition(",")[2]
    young = evolve(old, headers={SIGNATURE: f"t={int(NOW.timestamp())},{digest}"})

    with pytest.raises(WebhookRejectedError, match="matches no secret"):
        verify_request(young, account="a", secrets=[Secret("new")])


def test_a_secret_that_cannot_be_fetched_proves_nothing() -> None:
    def away() -> str:
        raise OSError

    with pytest.raises(WebhookRejectedError, match="cannot be read"):
        verify_request(request_of(b"{}"), account="a", secrets=[Secret(away)])


def test_a_report_tells_no_address_no_script_and_no_note(task: Any) -> None:
    outcome = Outcome(task_id="A-1", outcome="right_party", by="rosa", at=NOW, note="dijo que mañana", reason="r")
    made: Task = task()

    body = report_of(made, outcome).decode()

    for canary in ("+51900100001", "Ana", "mañana"):
        assert canary not in body
    (event,) = events_of(body.encode())
    assert (event.attempt_id, event.provider_message_id, event.occurred_at) == ("A-1", "A-1", NOW)
    assert event.raw == {"outcome": "right_party", "by": "rosa"}


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        ("right_party", [EventKind.READ]),
        ("refused", [EventKind.READ]),
        ("other_person", [EventKind.DELIVERED]),
        ("no_answer", [EventKind.FAILED]),
        ("voicemail", [EventKind.FAILED]),
        ("wrong_number", [EventKind.WRONG_NUMBER, EventKind.FAILED]),
        ("expired", [EventKind.FAILED]),
        ("withdrawn", [EventKind.FAILED]),
    ],
)
def test_each_outcome_is_what_the_core_has_for_it(outcome: str, kinds: list[EventKind]) -> None:
    events = events_of({**GOOD, "outcome": outcome})

    assert [event.kind for event in events] == kinds
    assert {event.outcome for event in events} == {outcome}
    assert len({event.key for event in events}) == len(events)


def test_who_spoke_can_ask_to_be_left_alone() -> None:
    kinds = [event.kind for event in events_of({**GOOD, "outcome": "refused", "opt_out": True})]

    assert kinds == [EventKind.READ, EventKind.OPT_OUT]


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "answered"},
        {"outcome": "posted"},
        {"outcome": None},
        {"outcome": ["no_answer"]},
        {"channel": "visit"},
        {"channel": None},
        {"task": ""},
        {"task": "A 1"},
        {"task": "x" * 33},
        {"task": 1},
        {"key": ""},
        {"key": "k" * 65},
        {"key": "ñ"},
        {"at": "2026-08-05T10:00:00"},
        {"at": "ayer"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": 1785942000},
        {"by": " "},
        {"by": "a\nb"},
        {"by": "x" * 65},
        {"opt_out": "yes"},
        {"opt_out": True},
    ],
    ids=str,
)
def test_what_is_not_of_the_list_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(WebhookRejectedError):
        events_of({**GOOD, **changes})


@given(st.binary(max_size=200))
def test_no_signed_bytes_make_the_parser_stumble(body: bytes) -> None:
    try:
        assert events_of(body) == []
    except WebhookRejectedError:
        return


@given(
    told=st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(st.just(value), st.none(), st.integers(), st.text(max_size=40), st.lists(st.integers()))
            for name, value in GOOD.items()
        },
    )
)
def test_a_table_is_read_or_rejected_and_never_guessed(told: dict[str, Any]) -> None:
    """
    Whatever is read has an outcome of the list and an instant, and reads the same twice.
    """
    try:
        events = events_of(told)
    except WebhookRejectedError:
        return

    assert events == events_of(told)
    assert {event.outcome for event in events} <= {*OUTCOMES["call"], *UNDONE}
    assert all(event.occurred_at.tzinfo is not None and event.attempt_id == told["task"] for event in events)


@given(
    channel=st.sampled_from(sorted(OUTCOMES)),
    data=st.data(),
    seconds=st.integers(0, 86_400 * 365),
    hours=st.integers(-12, 14),
)
def test_every_report_that_is_written_is_read(channel: str, data: Any, seconds: int, hours: int) -> None:
    """
    What the command line writes, the channel reads: same task, same instant, whatever the agent's offset.
    """
    from datetime import timezone

    outcome = data.draw(st.sampled_from([*OUTCOMES[channel], *UNDONE]))
    at = (NOW + timedelta(seconds=seconds)).astimezone(timezone(timedelta(hours=hours)))
    task = Task(
        id="A-9",
        channel=channel,
        address=None,
        subject=None,
        script=None,
        locale="es",
        purpose="reminder",
        callback_url=None,
        created_at=NOW,
        not_after=None,
    )
    made = Outcome(task_id="A-9", number=3, outcome=outcome, by="Rosa Núñez", at=at, opt_out=outcome in SPOKE)

    events = events_of(report_of(task, made), channel)

    assert {(event.attempt_id, event.occurred_at, event.outcome) for event in events} == {("A-9", at, outcome)}
    assert all(event.key.startswith("A-9:3:") for event in events)
