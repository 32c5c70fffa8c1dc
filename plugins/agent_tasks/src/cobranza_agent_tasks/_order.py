"""
In which order people work: a declared formula, with its parts on every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import frozen

from cobranza_agent_tasks._tasks import Task

#: What `rows_of` orders by, in words.
FORMULA = (
    "minutes until the window closes, fewer first and none last; then days past due, more first and unknown last; "
    "then age in minutes, older first"
)
_MINUTE = timedelta(minutes=1)


@frozen(kw_only=True)
class Row:
    """
    One open task and the parts of its place in the list.

    Attributes:
        task: The task.
        closes_in_minutes: Whole minutes until its window closes, or None when it has no end.
        days_past_due: Of the oldest debt it is about, or None when that is not known.
        age_minutes: Whole minutes since it was made.
        taken_by: Who has it now, or None.
    """

    task: Task
    closes_in_minutes: int | None
    days_past_due: int | None
    age_minutes: int
    taken_by: str | None

    @property
    def place(self) -> tuple[bool, int, bool, int, int, str]:
        """
        Sorts rows by `FORMULA`; the task's id decides where all parts are equal.
        """
        closes, late = self.closes_in_minutes, self.days_past_due
        return (closes is None, closes or 0, late is None, -(late or 0), -self.age_minutes, self.task.id)


def rows_of(tasks: Iterable[Task], *, now: datetime, past_due: Mapping[str, int]) -> list[Row]:
    """
    The open ones among *tasks*, in the order in which they are to be done.

    Args:
        tasks: Any tasks; those that have ended or whose window has closed are left out.
        now: The time.
        past_due: Days past due by attempt, as far as they are known.
    """
    rows = [
        Row(
            task=task,
            closes_in_minutes=None if task.not_after is None else (task.not_after - now) // _MINUTE,
            days_past_due=past_due.get(task.id),
            age_minutes=max(0, (now - task.created_at) // _MINUTE),
            taken_by=task.holder(now),
        )
        for task in tasks
        if task.is_open(now)
    ]
    return sorted(rows, key=lambda row: row.place)
