"""
Nothing is shown that the gate does not permit at that moment; what cannot be judged is not shown either.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cobranza_agent_tasks._desk import Desk, GateError, NotNowError, WithdrawnError
from cobranza_agent_tasks._tasks import TakenError, Task, TaskError, TaskList
from cobranza_sdk import Decision, Finding, Verdict

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)

Make = Callable[..., Task]


def allows(_attempt_id: str) -> Decision:
    return Decision(verdict=Verdict.ALLOW, at=NOW)


def refuses(verdict: Verdict) -> Callable[[str], Decision]:
    finding = Finding(
        rule="pe.cap", verdict=verdict, citation="Ley 1, art. 2", pack="pe 1", message={"es": "ya se le contactó"}
    )
    return lambda _attempt_id: Decision(verdict=verdict, at=NOW, findings=(finding,))


def desk_of(tasks: TaskList, gate: Any) -> Desk:
    return Desk(tasks=tasks, gate=gate, now=lambda: NOW)


def test_what_is_permitted_is_shown(tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    asked: list[str] = []

    def gate(attempt_id: str) -> Decision:
        asked.append(attempt_id)
        return allows(attempt_id)

    assert desk_of(tasks, gate).show("A-1") == task()
    taken = desk_of(tasks, gate).take("A-1", by="rosa", length=HALF_AN_HOUR)
    assert (taken.taken_by, taken.taken_until) == ("rosa", NOW + HALF_AN_HOUR)
    assert asked == ["A-1", "A-1"]


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.AMEND])
@pytest.mark.parametrize("way", ["show", "take"])
def test_what_is_not_permitted_any_more_is_withdrawn(tasks: TaskList, task: Make, verdict: Verdict, way: str) -> None:
    """
    The agent is told the rule and the law; the core is owed the end of the attempt.
    """
    tasks.add(task())
    desk = desk_of(tasks, refuses(verdict))

    with pytest.raises(WithdrawnError, match=r"task A-1 is withdrawn: pe\.cap") as caught:
        desk.show("A-1") if way == "show" else desk.take("A-1", by="rosa", length=HALF_AN_HOUR)

    assert caught.value.hint == "Ley 1, art. 2: ya se le contactó"
    assert [(outcome.outcome, outcome.reason) for _, outcome in tasks.unreported()] == [("withdrawn", "pe.cap")]
    with pytest.raises(TaskError, match=r"task A-1 has ended as withdrawn$"):
        desk_of(tasks, allows).show("A-1")


@pytest.mark.parametrize("way", ["show", "take"])
def test_what_may_pass_keeps_the_task_and_shows_nothing(tasks: TaskList, task: Make, way: str) -> None:
    """
    A stop or a hold may end before the window closes: the task waits, and is free for whoever asks again.
    """
    tasks.add(task())
    desk = desk_of(tasks, refuses(Verdict.DEFER))

    with pytest.raises(NotNowError, match=r"task A-1 is not to be done now: pe\.cap"):
        desk.show("A-1") if way == "show" else desk.take("A-1", by="rosa", length=HALF_AN_HOUR)

    assert tasks.unreported() == []
    assert desk_of(tasks, allows).take("A-1", by="luis", length=HALF_AN_HOUR).taken_by == "luis"


def raising(_attempt_id: str) -> Decision:
    raise RuntimeError


def words(_attempt_id: str) -> str:
    return "allow"


@pytest.mark.parametrize("gate", [None, raising, words], ids=["missing", "raising", "no decision"])
def test_without_a_decision_nothing_is_shown_and_nothing_is_lost(tasks: TaskList, task: Make, gate: Any) -> None:
    """
    Fail closed: the task stays, free for whoever comes when the gate is back.
    """
    tasks.add(task())
    desk = desk_of(tasks, gate)

    with pytest.raises(GateError, match="so nothing is shown"):
        desk.show("A-1")
    with pytest.raises(GateError, match="so nothing is shown"):
        desk.take("A-1", by="rosa", length=HALF_AN_HOUR)
    assert desk_of(tasks, allows).take("A-1", by="luis", length=HALF_AN_HOUR).taken_by == "luis"
    assert tasks.unreported() == []


def test_the_second_agent_is_told_before_the_gate_is_asked(tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    desk_of(tasks, allows).take("A-1", by="rosa", length=HALF_AN_HOUR)

    with pytest.raises(TakenError, match="taken by rosa"):
        desk_of(tasks, raising).take("A-1", by="luis", length=HALF_AN_HOUR)
    with pytest.raises(TakenError, match="taken by rosa"):
        desk_of(tasks, raising).show("A-1")
    assert desk_of(tasks, allows).show("A-1", by="rosa").id == "A-1"


def test_a_window_that_has_become_shorter_is_the_one_shown(tasks: TaskList, task: Make) -> None:
    """
    And one that the gate says is over shows nothing.
    """
    tasks.add(task())
    ends = [NOW + timedelta(hours=1), NOW]

    def gate(_attempt_id: str) -> Decision:
        return Decision(verdict=Verdict.ALLOW, at=NOW, not_after=ends.pop(0))

    assert desk_of(tasks, gate).show("A-1").not_after == NOW + timedelta(hours=1)
    with pytest.raises(TaskError, match="past the end of its legal window"):
        desk_of(tasks, gate).show("A-1")


def test_what_is_past_its_window_is_not_even_judged(tasks: TaskList, task: Make) -> None:
    tasks.add(task(not_after=NOW))

    with pytest.raises(TaskError, match="past its end: its legal window closed at 20"):
        desk_of(tasks, raising).show("A-1")


def test_with_live_false_people_practise_on_the_script_alone(tasks: TaskList, task: Make) -> None:
    """
    Law 13: a list that was made to try things out leads to nobody's telephone.
    """
    tasks.add(task(practice=True))

    shown = desk_of(tasks, allows).take("A-1", by="rosa", length=HALF_AN_HOUR)

    assert (shown.address, shown.script) == (None, "¿Hablo con Ana Prueba?")


def test_who_renews_while_nobody_can_judge_keeps_the_task(tasks: TaskList, task: Make) -> None:
    """
    Rosa may be on the telephone: given back, it would be shown to the next one.
    """
    tasks.add(task())
    desk_of(tasks, allows).take("A-1", by="rosa", length=HALF_AN_HOUR)

    with pytest.raises(GateError):
        desk_of(tasks, raising).take("A-1", by="rosa", length=HALF_AN_HOUR)

    with pytest.raises(TakenError):
        desk_of(tasks, allows).take("A-1", by="luis", length=HALF_AN_HOUR)
