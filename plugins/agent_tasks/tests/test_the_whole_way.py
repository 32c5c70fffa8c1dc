"""
From a debt that is due to a call that was made: the core decides and charges, an agent calls, the caps see it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from cobranza_agent_tasks._desk import Desk, NotNowError, WithdrawnError
from cobranza_agent_tasks._report import Account, report_all
from cobranza_agent_tasks._tasks import Outcome, Task, TaskList
from cobranza_sdk import Cobranza, Consent, Money, Payment, Secret, WebhookRequest
from cobranza_sdk.testing import FixedClock

SECRET = "agent-secret-1"

House = Callable[..., AbstractContextManager[Cobranza]]

PACK = """
format = 1
[pack]
name = "pe"
version = "test"
status = "draft"
updated_on = 2026-01-01
title = { es = "t", pt = "t", en = "t" }
[countries.PE]
zones = { "*" = ["America/Lima"] }
holidays = { calendar = "PE", through = 2035 }
[norms.n]
title = "N"
source = "test"
read_on = 2026-01-01
effective_from = 2000-01-01
[[rule]]
id = "pe.cap"
kind = "cap"
norm = "n"
article = "1"
limit = LIMIT
period = "7 days"
counts = "COUNTS"
confidence = "high"
message = { es = "tope", pt = "teto", en = "cap" }
"""


def pack(counts: str, limit: int = 1) -> str:
    return PACK.replace("COUNTS", counts).replace("LIMIT", str(limit))


def told(cobranza: Cobranza, tasks: TaskList, clock: FixedClock) -> int:
    """
    Report what is owed to the application itself, over its own webhook desk.
    """

    def send(url: str, body: bytes, headers: Any) -> int:
        request = WebhookRequest(method="POST", url=url, headers=headers, body=body, received_at=clock.now())
        return cobranza.inbox.receive(url.rpartition("/")[2], request).status

    account = Account(name="calls", channel="call", path="", secrets=(Secret(SECRET),))
    reported = report_all(tasks, [account], clock=clock.now, url=None, send=send)
    assert not reported.owed
    cobranza.process_inbox()
    return reported.taken


def states(cobranza: Cobranza) -> list[tuple[str, str | None]]:
    return [(line["state"], line["reason"]) for line in cobranza.attempts.list()]


def call_and_say(cobranza: Cobranza, owing: Any, tasks: TaskList, clock: FixedClock, outcome: str, **more: Any) -> None:
    """
    Plan and dispatch what is due, and let an agent say what became of the call.
    """
    cobranza.portfolio.put(*owing)
    cobranza.plan()
    cobranza.dispatch()
    (task,) = tasks.tasks()
    clock.advance(timedelta(minutes=3))
    tasks.record(Outcome(task_id=task.id, outcome=outcome, by="rosa", at=clock.now(), **more), now=clock.now())
    assert told(cobranza, tasks, clock) == 1


def next_call(cobranza: Cobranza, clock: FixedClock) -> tuple[str, str | None]:
    """
    What becomes of the call that is due a day later.
    """
    clock.advance(timedelta(days=1))
    cobranza.plan()
    cobranza.dispatch()
    return states(cobranza)[-1]


def test_a_call_that_is_due_becomes_one_task(house: House, owing: Any, tasks: TaskList, clock: FixedClock) -> None:
    """
    The gate has judged, the cap is charged, and the task holds what an agent needs and the end of the window.
    """
    with house() as cobranza:
        cobranza.portfolio.put(*owing)
        cobranza.plan()
        cobranza.dispatch()
        (line,) = cobranza.attempts.list()

    (task,) = tasks.tasks()
    assert (line["state"], line["provider_message_id"]) == ("accepted", task.id)
    assert task.address is not None
    assert (task.address.value, task.channel, task.created_at) == ("+51900100001", "call", clock.now())
    assert task.script is not None
    assert "Ana Prueba" in task.script
    assert "S/" in task.script
    assert task.not_after is not None
    assert task.not_after > clock.now()
    assert task.callback_url == "https://cobranza.example.com/webhooks/calls"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("right_party", "read"),
        ("refused", "read"),
        ("other_person", "delivered"),
        ("no_answer", "failed"),
        ("voicemail", "failed"),
        ("wrong_number", "failed"),
    ],
)
def test_each_outcome_ends_the_attempt(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock, outcome: str, state: str
) -> None:
    """
    The core holds what the agent said, and the ledger says it in the agent's word.
    """
    with house() as cobranza:
        call_and_say(cobranza, owing, tasks, clock, outcome)
        words = [event.payload.get("outcome") for event in cobranza.events() if event.kind == f"attempt.{state}"]

        assert states(cobranza)[0][0] == state
    assert words == [outcome]


@pytest.mark.parametrize("outcome", ["no_answer", "voicemail"])
def test_a_call_that_nobody_answered_is_an_attempt_and_no_direct_contact(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock, outcome: str
) -> None:
    """
    A cap on direct contacts lets the next call pass.
    """
    with house(pack("direct")) as cobranza:
        call_and_say(cobranza, owing, tasks, clock, outcome)

        assert next_call(cobranza, clock) == ("accepted", None)


@pytest.mark.parametrize("outcome", ["right_party", "refused", "other_person"])
def test_a_call_that_somebody_answered_counts_as_a_contact(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock, outcome: str
) -> None:
    """
    Another person's answer counts too: nobody knows what the debtor heard of it.
    """
    with house(pack("direct")) as cobranza:
        call_and_say(cobranza, owing, tasks, clock, outcome)

        assert next_call(cobranza, clock)[0] == "deferred"


@pytest.mark.parametrize("outcome", ["no_answer", "voicemail", "right_party"])
def test_every_call_counts_as_an_attempt(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock, outcome: str
) -> None:
    """
    A cap on attempts counts what was tried, whatever came of it.
    """
    with house(pack("attempts")) as cobranza:
        call_and_say(cobranza, owing, tasks, clock, outcome)

        assert next_call(cobranza, clock)[0] == "deferred"


def test_a_wrong_number_is_called_no_more(house: House, owing: Any, tasks: TaskList, clock: FixedClock) -> None:
    """
    The address is closed at the first word of it.
    """
    with house() as cobranza:
        call_and_say(cobranza, owing, tasks, clock, "wrong_number")

        assert next_call(cobranza, clock) == ("suppressed", "no_address")
        assert "contact_point.wrong_party" in [event.kind for event in cobranza.events()]


def test_who_asks_to_be_left_alone_is(house: House, owing: Any, tasks: TaskList, clock: FixedClock) -> None:
    """
    Said on the phone it counts as much as written.
    """
    with house() as cobranza:
        call_and_say(cobranza, owing, tasks, clock, "refused", opt_out=True)

        assert "consent.withdrawn" in [event.kind for event in cobranza.events()]
        assert next_call(cobranza, clock) == ("suppressed", "sdk.opted_out")


def test_a_task_that_nobody_did_ends_its_attempt_as_failed(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock
) -> None:
    """
    After the window has closed nobody may call: the attempt ends, and nobody is said to have been reached.
    """
    with house() as cobranza:
        cobranza.portfolio.put(*owing)
        cobranza.plan()
        cobranza.dispatch()
        (task,) = tasks.tasks()
        assert task.not_after is not None
        clock.advance(task.not_after - clock.now())

        assert [ended.outcome for ended in tasks.expire(clock.now())] == ["expired"]
        assert told(cobranza, tasks, clock) == 1
        assert states(cobranza) == [("failed", "expired")]


def in_hands(cobranza: Cobranza, owing: Any, tasks: TaskList, clock: FixedClock) -> tuple[Desk, Task]:
    """
    A call that was planned an hour ago, and the desk that shows it by the core's own gate.
    """
    cobranza.portfolio.put(*owing)
    cobranza.plan()
    cobranza.dispatch()
    (task,) = tasks.tasks()
    clock.advance(timedelta(hours=1))
    return Desk(tasks=tasks, gate=cobranza.attempts.recheck, now=clock.now), task


def test_the_gate_permits_the_call_that_it_has_charged(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock
) -> None:
    """
    The call's own charge does not stand in its way, and asking charges nothing more.
    """
    with house(pack("attempts")) as cobranza:
        desk, task = in_hands(cobranza, owing, tasks, clock)
        events = len(list(cobranza.events()))

        assert desk.take(task.id, by="rosa", length=timedelta(minutes=30)).script == task.script
        assert len(list(cobranza.events())) == events


@pytest.mark.parametrize("change", ["stopped", "held"])
def test_what_stops_the_call_for_a_while_keeps_it(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock, change: str
) -> None:
    """
    Nothing is shown while everything stands still or the debtor is held; afterwards the same call may be made.
    """
    with house() as cobranza:
        desk, task = in_hands(cobranza, owing, tasks, clock)
        if change == "stopped":
            cobranza.stop("audit")
        else:
            hold = cobranza.holds.place("D-1", "dispute", by="jefa")
        with pytest.raises(NotNowError, match="is not to be done now: "):
            desk.take(task.id, by="rosa", length=timedelta(minutes=30))
        if change == "stopped":
            cobranza.resume()
        else:
            cobranza.holds.lift(hold, by="jefa")

        assert desk.take(task.id, by="rosa", length=timedelta(minutes=30)).script == task.script


@pytest.mark.parametrize("change", ["opted out", "paid"])
def test_what_has_changed_since_withdraws_the_call(
    house: House, owing: Any, tasks: TaskList, clock: FixedClock, change: str
) -> None:
    """
    Nobody is called who has paid, or asked not to be, while the task lay in the list.
    """
    debtor, _ = owing
    with house() as cobranza:
        desk, task = in_hands(cobranza, owing, tasks, clock)
        if change == "opted out":
            taken_back = Consent(channel="call", granted=False, at=clock.now())
            cobranza.portfolio.put(evolve(debtor, consents=[taken_back]))
        else:
            paid = Payment(external_id="P-1", debtor_id="D-1", amount=Money.of("100.00", "PEN"), paid_at=clock.now())
            cobranza.portfolio.put(paid)

        with pytest.raises(WithdrawnError, match="is withdrawn: "):
            desk.take(task.id, by="rosa", length=timedelta(minutes=30))
        assert told(cobranza, tasks, clock) == 1
        assert states(cobranza)[0] == ("failed", "withdrawn")


def test_a_report_that_comes_twice_counts_once(house: House, owing: Any, tasks: TaskList, clock: FixedClock) -> None:
    """
    Whoever posts a caught report again changes nothing.
    """
    with house() as cobranza:
        call_and_say(cobranza, owing, tasks, clock, "no_answer")
        before = [event.seq for event in cobranza.events()]
        with_report_forgotten(tasks)

        assert told(cobranza, tasks, clock) == 1
        assert [event.seq for event in cobranza.events()] == before


def with_report_forgotten(tasks: TaskList) -> None:
    """
    As after a kill between the SDK's answer and the note of it.
    """
    with tasks._writing() as connection:
        connection.execute("UPDATE outcomes SET reported_at = NULL")
