"""
The file: one attempt is one task, one agent has it, one outcome ends it, and nothing of it is lost.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from cobranza_agent_tasks import _tasks as module
from cobranza_agent_tasks._tasks import Outcome, TakenError, Task, TaskError, TaskList, TaskListError

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)

Make = Callable[..., Task]


def said(outcome: str = "no_answer", *, by: str = "rosa", at: datetime = NOW, **more: object) -> Outcome:
    return Outcome(task_id="A-1", outcome=outcome, by=by, at=at, **more)  # type: ignore[arg-type]  # as given


def test_a_task_comes_out_as_it_went_in(tasks: TaskList, task: Make) -> None:
    tasks.add(task())

    assert tasks.get("A-1") == task()
    assert tasks.tasks() == [task()]
    assert tasks.tasks(channel="letter") == []


def test_the_same_attempt_is_the_same_task(tasks: TaskList, task: Make) -> None:
    """
    The first one stands, whatever comes with the second.
    """
    tasks.add(task())

    assert tasks.add(task(script="otro")).script == task().script
    assert len(tasks.tasks()) == 1


def test_many_who_add_one_attempt_at_once_make_one_task(tasks: TaskList, task: Make) -> None:
    """
    The file does not exist yet when they begin.
    """
    gate = threading.Barrier(8)

    def add(_: int) -> Task:
        gate.wait()
        return tasks.add(task())

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(add, range(8)))

    assert made == [task()] * 8
    assert len(tasks.tasks()) == 1


def test_only_its_owner_reads_the_file(tasks: TaskList, task: Make, path: Path) -> None:
    """
    It holds phone numbers and what people are told.
    """
    tasks.add(task())

    assert {p.stat().st_mode & 0o777 for p in path.parent.glob("tasks.db*")} == {0o600}


def test_what_is_kept_is_synced_in_full(tasks: TaskList, task: Make) -> None:
    """
    With less, acknowledged tasks would be lost with the power.
    """
    tasks.add(task())

    with tasks._reading() as connection:
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]


# -- two agents --------------------------------------------------------------------------------------------------------


def test_a_second_agent_is_told_of_the_first(tasks: TaskList, task: Make) -> None:
    """
    S-043: who comes second learns who has it and until when.
    """
    tasks.add(task())
    tasks.reserve("A-1", by="rosa", now=NOW, length=HALF_AN_HOUR)

    with pytest.raises(TakenError, match=r"task A-1 is taken by rosa until 2026-08-05T15:30:00\.000000\+00:00"):
        tasks.reserve("A-1", by="luis", now=NOW, length=HALF_AN_HOUR)


def test_of_many_who_take_at_once_one_has_it(tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    gate = threading.Barrier(8)

    def take(number: int) -> bool:
        gate.wait()
        try:
            tasks.reserve("A-1", by=f"agent-{number}", now=NOW, length=HALF_AN_HOUR)
        except TakenError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1


def test_a_reservation_ends_and_can_be_renewed_or_given_back(tasks: TaskList, task: Make) -> None:
    """
    An agent who went home does not keep a task for ever.
    """
    tasks.add(task())
    tasks.reserve("A-1", by="rosa", now=NOW, length=HALF_AN_HOUR)
    tasks.reserve("A-1", by="rosa", now=NOW + HALF_AN_HOUR / 2, length=HALF_AN_HOUR)

    with pytest.raises(TakenError):
        tasks.reserve("A-1", by="luis", now=NOW + HALF_AN_HOUR, length=HALF_AN_HOUR)
    taken = tasks.reserve("A-1", by="luis", now=NOW + 2 * HALF_AN_HOUR, length=HALF_AN_HOUR)
    assert taken.taken_by == "luis"
    tasks.release("A-1", by="rosa")
    assert tasks.get("A-1").taken_by == "luis"
    tasks.release("A-1", by="luis")
    assert tasks.get("A-1").holder(NOW) is None


def test_nobody_takes_what_is_past_its_window(tasks: TaskList, task: Make) -> None:
    """
    At the end of the window itself it is over.
    """
    made = tasks.add(task())
    assert made.not_after is not None

    with pytest.raises(TaskError, match="past its end: its legal window closed at 20"):
        tasks.reserve("A-1", by="rosa", now=made.not_after, length=HALF_AN_HOUR)


# -- outcomes ----------------------------------------------------------------------------------------------------------


def test_an_outcome_ends_the_task_for_good(tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    kept = tasks.record(said(note="ocupada"), now=NOW)

    assert (kept.number, kept.key) == (1, "A-1:1")
    assert tasks.get("A-1").ended_at == NOW
    with pytest.raises(TaskError, match="has ended as no_answer") as caught:
        tasks.record(said("right_party"), now=NOW)
    assert caught.value.hint == "a correction needs --reason"
    assert [each.outcome for each in tasks.outcomes("A-1")] == ["no_answer"]


def test_a_correction_has_a_reason_and_a_key_of_its_own(tasks: TaskList, task: Make) -> None:
    """
    Both stand in the file; the core is told of both.
    """
    tasks.add(task())
    tasks.record(said(), now=NOW)
    kept = tasks.record(said("right_party", by="luis", reason="tipeo"), now=NOW)

    assert kept.key == "A-1:2"
    assert [(each.outcome, each.by, each.reason) for each in tasks.outcomes("A-1")] == [
        ("no_answer", "rosa", None),
        ("right_party", "luis", "tipeo"),
    ]
    assert [outcome.key for _, outcome in tasks.unreported()] == ["A-1:1", "A-1:2"]


def test_a_reason_without_anything_to_correct_is_refused(tasks: TaskList, task: Make) -> None:
    tasks.add(task())

    with pytest.raises(TaskError, match="no outcome that could be corrected"):
        tasks.record(said(reason="tipeo"), now=NOW)


@pytest.mark.parametrize("at", [NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)])
def test_nothing_was_done_before_the_task_or_after_now(tasks: TaskList, task: Make, at: datetime) -> None:
    tasks.add(task())

    with pytest.raises(TaskError, match="cannot have been done at"):
        tasks.record(said(at=at), now=NOW)


def test_the_outcome_is_for_who_has_the_task_to_tell(tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    tasks.reserve("A-1", by="rosa", now=NOW, length=HALF_AN_HOUR)

    with pytest.raises(TakenError, match="is taken by rosa"):
        tasks.record(said(by="luis"), now=NOW)
    assert tasks.record(said(by="rosa"), now=NOW).number == 1


# -- ends that nobody brings about -------------------------------------------------------------------------------------


def test_a_task_expires_when_its_window_closes(tasks: TaskList, task: Make) -> None:
    """
    Not a moment before; once; and one without an end never.
    """
    made = tasks.add(task())
    tasks.add(task("A-2", not_after=None))
    assert made.not_after is not None

    assert tasks.expire(made.not_after - timedelta(microseconds=1)) == []
    assert [(each.task_id, each.outcome) for each in tasks.expire(made.not_after)] == [("A-1", "expired")]
    assert tasks.expire(made.not_after) == []
    assert [outcome.key for _, outcome in tasks.unreported()] == ["A-1:1"]


def test_a_call_that_was_begun_in_time_is_not_expired_under_the_agents_hands(tasks: TaskList, task: Make) -> None:
    """
    Who took it before the end may still say what became of it.
    """
    made = tasks.add(task())
    end = made.not_after
    assert end is not None
    tasks.reserve("A-1", by="rosa", now=end - timedelta(minutes=1), length=HALF_AN_HOUR)

    assert tasks.expire(end) == []
    tasks.record(said("right_party", at=end - timedelta(seconds=30)), now=end + timedelta(minutes=2))
    assert tasks.expire(end + HALF_AN_HOUR) == []


def test_a_withdrawn_task_names_the_rule_and_is_not_ended_twice(tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    tasks.withdraw("A-1", rule="pe.cap", now=NOW)
    tasks.withdraw("A-1", rule="pe.other", now=NOW)

    assert [(each.outcome, each.reason) for each in tasks.outcomes("A-1")] == [("withdrawn", "pe.cap")]


def test_erasing_leaves_ids_and_outcomes(tasks: TaskList, task: Make, path: Path) -> None:
    """
    What the core has taken needs no names any more; what it is owed stays whole.
    """
    for key in ("A-1", "A-2", "A-3"):
        tasks.add(task(key))
    for key in ("A-1", "A-2"):
        tasks.record(evolve(said(note="dijo que mañana"), task_id=key), now=NOW)
    tasks.reported(tasks.outcomes("A-1")[0], NOW)

    assert tasks.erase(NOW + timedelta(days=1)) == 1
    assert tasks.erase(NOW + timedelta(days=1)) == 0
    erased = tasks.get("A-1")
    assert (erased.address, erased.script, erased.subject) == (None, None, None)
    assert [(each.outcome, each.note) for each in tasks.outcomes("A-1")] == [("no_answer", None)]
    assert tasks.get("A-2").script is not None
    assert tasks.get("A-3").script is not None
    assert tasks.add(task("A-1")).ended_at == NOW


def test_what_is_erased_is_nowhere_in_the_file(
    tasks: TaskList, task: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Not every SQLite is built to overwrite what it deletes.
    """
    connect = sqlite3.connect

    def plain(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*given, **named)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(module.sqlite3, "connect", plain)
    tasks.add(task(script="Hola, Inventada. " * 500))
    tasks.record(said(note="dijo que vuelva"), now=NOW)
    tasks.reported(tasks.outcomes("A-1")[0], NOW)

    tasks.erase(NOW + timedelta(days=1))

    left = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert not [word for word in (b"+51900", b"Inventada", b"vuelva") if word in left]


def test_nothing_personal_is_printed(task: Make) -> None:
    shown = repr(task()) + repr(said(note="dijo que mañana"))

    for canary in ("+51900", "Ana", "mañana"):
        assert canary not in shown


# -- when the file fails -----------------------------------------------------------------------------------------------


def test_a_file_that_another_keeps_locked_is_busy(
    tasks: TaskList, task: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nothing was written: the next try may be.
    """
    tasks.add(task())
    monkeypatch.setattr(module, "BUSY_S", 0.0)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TaskListError) as caught:
            tasks.add(task("A-2"))
        other.execute("ROLLBACK")
    other.close()

    assert (caught.value.code, caught.value.maybe_written) == ("SQLITE_BUSY", False)
    assert tasks.find("A-2") is None
    assert tasks.add(task("A-2")).id == "A-2"


def test_a_full_disk_keeps_what_was_there(tasks: TaskList, task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.add(task())
    opened = TaskList._open

    def small(self: TaskList, *, make: bool) -> sqlite3.Connection:
        connection = opened(self, make=make)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(TaskList, "_open", small)
    with pytest.raises(TaskListError) as caught:
        tasks.add(task("A-2", script="x" * 100_000))
    monkeypatch.undo()

    assert (caught.value.code, caught.value.maybe_written) == ("SQLITE_FULL", False)
    assert [each.id for each in tasks.tasks()] == ["A-1"]


def test_a_sync_that_fails_may_have_written(tasks: TaskList, task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The next recovery of the log may find the commit: nobody may say that it is not there.
    """
    tasks.add(task())

    class Failing:
        def execute(self, statement: str) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error

    with pytest.raises(TaskListError) as caught:
        tasks._commit(Failing())  # type: ignore[arg-type]  # all that it asks of a connection

    assert (caught.value.code, caught.value.maybe_written) == ("SQLITE_IOERR_FSYNC", True)


def test_a_file_of_something_else_is_refused(tasks: TaskList, task: Make, path: Path) -> None:
    content = b"no database at all, but long enough to be looked at" * 40
    path.write_bytes(content)

    with pytest.raises(TaskListError):
        tasks.add(task())
    assert path.read_bytes() == content


def test_a_list_of_a_later_version_is_refused(tasks: TaskList, task: Make, path: Path) -> None:
    tasks.add(task())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()

    with pytest.raises(TaskListError, match="no work list of version 1"):
        tasks.find("A-1")


def test_another_programs_database_is_refused(tasks: TaskList, task: Make, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    connection.close()

    with pytest.raises(TaskListError, match="no work list"):
        tasks.add(task())


CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from cobranza_agent_tasks import _tasks
from cobranza_sdk import Address

at = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
task = _tasks.Task(id="A-1", channel="call", address=Address("e164", "+51900100001"), subject=None, script="s",
                   locale="es", purpose="reminder", callback_url=None, created_at=at, not_after=None)
commit = _tasks.TaskList._commit

def killed(self, connection):
    if sys.argv[2] == "after":
        commit(self, connection)
    os.kill(os.getpid(), signal.SIGKILL)

_tasks.TaskList._commit = killed
_tasks.TaskList(sys.argv[1]).add(task)
"""


@pytest.mark.parametrize(("when", "kept"), [("before", False), ("after", True)])
def test_a_kill_between_writing_and_answering_leaves_one_task(
    tasks: TaskList, task: Make, path: Path, when: str, kept: bool
) -> None:
    """
    Whoever asks again finds the task or makes it; there is never a second one.
    """
    done = subprocess.run(  # noqa: S603  # our own child
        [sys.executable, "-c", CHILD, str(path), when], check=False, capture_output=True, env={**os.environ}
    )

    assert done.returncode == -signal.SIGKILL
    assert (tasks.find("A-1") is not None) is kept
    tasks.add(task())
    assert len(tasks.tasks()) == 1
