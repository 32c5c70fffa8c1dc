"""
The order is the declared one, whatever order the tasks come in.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cobranza_agent_tasks._order import rows_of
from cobranza_agent_tasks._tasks import Task
from cobranza_sdk import Address

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
BASE = Task(
    id="A-0",
    channel="call",
    address=Address("e164", "+51900100001"),
    subject=None,
    script="s",
    locale="es",
    purpose="reminder",
    callback_url=None,
    created_at=NOW,
    not_after=None,
)


def task(key: str, *, closes: int | None = None, age: int = 0, **changes: Any) -> Task:
    end = None if closes is None else NOW + timedelta(minutes=closes)
    return evolve(BASE, id=key, not_after=end, created_at=NOW - timedelta(minutes=age), **changes)


def test_the_parts_decide_one_after_the_other() -> None:
    tasks = [
        task("no-end", age=900),
        task("young", closes=60, age=1),
        task("old", closes=60, age=9),
        task("late", closes=60),
        task("later", closes=60),
        task("soon", closes=5),
    ]
    past_due = {"late": 3, "later": 40, "no-end": 400}

    rows = rows_of(tasks, now=NOW, past_due=past_due)

    assert [row.task.id for row in rows] == ["soon", "later", "late", "old", "young", "no-end"]
    assert [(row.closes_in_minutes, row.days_past_due, row.age_minutes) for row in rows[:2]] == [
        (5, None, 0),
        (60, 40, 0),
    ]


def test_what_is_over_is_not_listed() -> None:
    tasks = [task("a", closes=0), task("b", closes=-5), task("c", ended_at=NOW), task("d", closes=1)]

    assert [row.task.id for row in rows_of(tasks, now=NOW, past_due={})] == ["d"]


def test_who_has_a_task_stands_beside_it() -> None:
    taken = {"taken_by": "rosa", "taken_until": NOW + timedelta(minutes=1)}
    (row,) = rows_of([task("a", **taken)], now=NOW, past_due={})
    assert row.taken_by == "rosa"
    (row,) = rows_of([task("a", **{**taken, "taken_until": NOW})], now=NOW, past_due={})
    assert row.taken_by is None


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-100, 100)),
            st.one_of(st.none(), st.integers(-30, 30)),
            st.integers(0, 50),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_is_total_and_holds_every_open_task(
    parts: list[tuple[int | None, int | None, int]], chance: random.Random
) -> None:
    """
    However they come, each open task stands once, and no neighbour contradicts the formula.
    """
    tasks = [task(f"A-{n:02d}", closes=closes, age=age) for n, (closes, _, age) in enumerate(parts)]
    past_due = {f"A-{n:02d}": late for n, (_, late, _) in enumerate(parts) if late is not None}
    shuffled = chance.sample(tasks, len(tasks))

    rows = rows_of(shuffled, now=NOW, past_due=past_due)

    assert rows == rows_of(tasks, now=NOW, past_due=past_due)
    assert {row.task.id for row in rows} == {
        each.id for each in tasks if each.not_after is None or each.not_after > NOW
    }
    for one, other in pairwise(rows):
        first, second = one.closes_in_minutes, other.closes_in_minutes
        assert second is None or (first is not None and first <= second)
        if first == second:
            late, later = one.days_past_due, other.days_past_due
            assert later is None or (late is not None and late >= later)
            if late == later:
                assert one.age_minutes >= other.age_minutes
