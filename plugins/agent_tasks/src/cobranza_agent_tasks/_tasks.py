"""
A task, and the file that remembers tasks.

One SQLite file, written ahead and synced in full: what `add` has answered survives the loss of power.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from cobranza_sdk import Address, CobranzaError

#: How long a writer waits for another.
BUSY_S = 5.0

_APPLICATION = 0x43_41_54_31
_VERSION = 1
_MIGRATION = f"""
CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    scheme TEXT NOT NULL,
    address TEXT,
    subject TEXT,
    script TEXT,
    locale TEXT NOT NULL,
    purpose TEXT NOT NULL,
    callback_url TEXT,
    created_at TEXT NOT NULL,
    not_after TEXT,
    practice INTEGER NOT NULL,
    taken_by TEXT,
    taken_until TEXT,
    ended_at TEXT
) STRICT;
CREATE INDEX tasks_open ON tasks (ended_at, not_after);
CREATE TABLE outcomes (
    task_id TEXT NOT NULL REFERENCES tasks (id),
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    note TEXT,
    reason TEXT,
    opt_out INTEGER NOT NULL,
    reported_at TEXT,
    PRIMARY KEY (task_id, number)
) STRICT;
CREATE INDEX outcomes_unreported ON outcomes (reported_at);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


class TaskError(CobranzaError):
    """
    What was asked of the work list cannot be.
    """


class TaskListError(TaskError):
    """
    The file cannot be opened, read or written.

    Attributes:
        code: SQLite's own name of what went wrong, for example ``SQLITE_BUSY``.
        maybe_written: Whether nobody can say if the last change is in the file.
    """

    def __init__(self, message: str, *, code: str, maybe_written: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.maybe_written = maybe_written


class TakenError(TaskError):
    """
    Another agent has the task.
    """


@frozen(kw_only=True)
class Task:
    """
    Something for a person to do.

    Attributes:
        id: The attempt that it carries out: one attempt is one task. The core keeps it as the vendor's id too.
        channel: ``call``, ``visit`` or ``letter``.
        address: Where, or None once it was erased. Personal data: never printed.
        subject: Subject line, or None.
        script: What to say or to print. Personal data: never printed.
        locale: Language of the script.
        purpose: ``reminder``, ``identity`` …
        callback_url: Where its outcome goes, or None when the SDK has no public address.
        created_at: When it was made, aware UTC.
        not_after: End of the legal window, or None.
        practice: Whether it was made with ``live = false``: then nobody is shown where to call.
        taken_by: Who has reserved it last.
        taken_until: When that reservation ends.
        ended_at: When it ended, or None while it is open.
    """

    id: str
    channel: str
    address: Address | None = field(repr=False)
    subject: str | None = field(repr=False)
    script: str | None = field(repr=False)
    locale: str
    purpose: str
    callback_url: str | None = field(repr=False)
    created_at: datetime
    not_after: datetime | None
    practice: bool = False
    taken_by: str | None = None
    taken_until: datetime | None = None
    ended_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """
        Whether it may still be done: it has not ended, and the window has not closed.
        """
        return self.ended_at is None and (self.not_after is None or now < self.not_after)

    def holder(self, now: datetime) -> str | None:
        """
        Who has reserved it now, or None.
        """
        return self.taken_by if self.taken_until is not None and now < self.taken_until else None


@frozen(kw_only=True)
class Outcome:
    """
    What became of a task.

    Attributes:
        task_id: Which.
        number: 1 for the first, one more for each correction.
        outcome: A word of the closed list, ``expired`` or ``withdrawn``.
        by: Who says so.
        at: When it happened, with offset.
        note: The agent's own words, or None. Personal data: stays in the file.
        reason: Why a correction was needed, or which rule withdrew the task; None otherwise.
        opt_out: Whether the person asked not to be contacted so any more.
        reported_at: When the core took it, or None.
    """

    task_id: str
    number: int = 1
    outcome: str
    by: str
    at: datetime
    note: str | None = field(default=None, repr=False)
    reason: str | None = None
    opt_out: bool = False
    reported_at: datetime | None = None

    @property
    def key(self) -> str:
        """
        Names this report for ever: told twice, it is one.
        """
        return f"{self.task_id}:{self.number}"


class TaskList:
    """
    The tasks in one file. Every method opens the file for itself: threads, processes and forks may share it.

    Args:
        path: The file; it is made when the first task is added.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    # -- what the channel needs ------------------------------------------------------------------------------------

    def add(self, task: Task) -> Task:
        """
        Keep a task for good, and return it; of an attempt that has one already, return that.

        Raises:
            TaskListError: It is not kept, or nobody can say.
        """
        if task.address is None:
            msg = "a task needs an address"
            raise TaskError(msg)
        with self._writing(make=True) as connection:
            known = _first(connection, task.id)
            if known is not None:
                return known
            connection.execute(
                "INSERT INTO tasks (id, channel, scheme, address, subject, script, locale, purpose,"
                " callback_url, created_at, not_after, practice) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    task.id,
                    task.channel,
                    task.address.scheme,
                    task.address.value,
                    task.subject,
                    task.script,
                    task.locale,
                    task.purpose,
                    task.callback_url,
                    _text(task.created_at),
                    None if task.not_after is None else _text(task.not_after),
                    int(task.practice),
                ),
            )
        return task

    def find(self, task_id: str) -> Task | None:
        """
        A task by its id, or None when there is none.

        Raises:
            TaskListError: The file is not there or cannot be read: then nobody knows.
        """
        with self._reading() as connection:
            return _first(connection, task_id)

    def probe(self) -> str:
        """
        Try whether tasks could be kept, without keeping one; returns what was found.

        Raises:
            TaskListError: They could not.
        """
        if not self._path.exists():
            if not os.access(self._path.parent, os.W_OK | os.X_OK):
                msg = f"{self._path.name}: its folder cannot be written"
                raise TaskListError(msg, code="SQLITE_CANTOPEN")
            return "the file is made with the first task"
        with self._writing() as connection:
            count = connection.execute("SELECT count(*) FROM tasks WHERE ended_at IS NULL").fetchone()[0]
        return f"{count} open tasks"

    # -- what people need ------------------------------------------------------------------------------------------

    def get(self, task_id: str) -> Task:
        """
        A task by its id.

        Raises:
            TaskError: There is none.
        """
        with self._reading() as connection:
            return _task(connection, task_id)

    def tasks(self, *, channel: str | None = None) -> list[Task]:
        """
        Every task in the order of making, or a channel's.
        """
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT * FROM tasks WHERE ? IS NULL OR channel = ? ORDER BY created_at, id", (channel, channel)
            ).fetchall()
        return [_read(row) for row in rows]

    def reserve(self, task_id: str, *, by: str, now: datetime, length: timedelta) -> Task:
        """
        Reserve an open task for one agent, or renew the reservation.

        Raises:
            TakenError: Another has it.
            TaskError: It has ended or its window has closed.
        """
        with self._writing() as connection:
            task = _task(connection, task_id)
            if not task.is_open(now):
                raise closed(task, _outcomes(connection, task.id))
            holder = task.holder(now)
            if holder is not None and holder != by:
                msg = f"task {task.id} is taken by {holder} until {_text(task.taken_until or now)}"
                raise TakenError(msg, hint="take another, or wait until the reservation ends")
            taken = evolve(task, taken_by=by, taken_until=now + length)
            connection.execute(
                "UPDATE tasks SET taken_by = ?, taken_until = ? WHERE id = ?", (by, _text(now + length), task.id)
            )
        return taken

    def release(self, task_id: str, *, by: str) -> None:
        """
        Give back a reservation of one's own.
        """
        with self._writing() as connection:
            connection.execute(
                "UPDATE tasks SET taken_by = NULL, taken_until = NULL WHERE id = ? AND taken_by = ?", (task_id, by)
            )

    def record(self, outcome: Outcome, *, now: datetime) -> Outcome:
        """
        Keep what became of a task. The first outcome ends it; every later one is a correction and needs a reason.

        Raises:
            TakenError: Another agent has the task.
            TaskError: It has an outcome already and no reason is given for another, or it is not of this time.
        """
        with self._writing() as connection:
            task = _task(connection, outcome.task_id)
            said = _outcomes(connection, task.id)
            _require_sound(task, outcome, said, now)
            kept = evolve(outcome, number=len(said) + 1)
            _insert(connection, kept, now)
            connection.execute(
                "UPDATE tasks SET ended_at = coalesce(ended_at, ?), taken_until = NULL WHERE id = ?",
                (_text(now), task.id),
            )
        return kept

    def expire(self, now: datetime) -> list[Outcome]:
        """
        End every task whose window has closed with nobody at it; returns how each ended.
        """
        ended = []
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT * FROM tasks WHERE ended_at IS NULL AND not_after <= ?"
                " AND (taken_until IS NULL OR taken_until <= ?) ORDER BY id",
                (_text(now), _text(now)),
            ).fetchall()
            for row in rows:
                made = Outcome(task_id=row["id"], outcome="expired", by="agent_tasks", at=now)
                _insert(connection, made, now)
                connection.execute("UPDATE tasks SET ended_at = ? WHERE id = ?", (_text(now), row["id"]))
                ended.append(made)
        return ended

    def withdraw(self, task_id: str, *, rule: str, now: datetime) -> None:
        """
        End a task because *rule* does not permit it any more. One that has ended stays as it is.
        """
        with self._writing() as connection:
            task = _task(connection, task_id)
            if task.ended_at is not None:
                return
            made = Outcome(task_id=task_id, outcome="withdrawn", by="agent_tasks", at=now, reason=rule)
            _insert(connection, made, now)
            connection.execute("UPDATE tasks SET ended_at = ?, taken_until = NULL WHERE id = ?", (_text(now), task_id))

    def outcomes(self, task_id: str) -> list[Outcome]:
        """
        All that was said of a task, in order.
        """
        with self._reading() as connection:
            return _outcomes(connection, task_id)

    def unreported(self) -> list[tuple[Task, Outcome]]:
        """
        Outcomes that the core has not taken yet, in the order of recording.
        """
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT * FROM outcomes WHERE reported_at IS NULL ORDER BY recorded_at, task_id, number"
            ).fetchall()
            return [(_task(connection, row["task_id"]), _said(row)) for row in rows]

    def reported(self, outcome: Outcome, now: datetime) -> None:
        """
        Note that the core has taken an outcome.
        """
        with self._writing() as connection:
            connection.execute(
                "UPDATE outcomes SET reported_at = ? WHERE task_id = ? AND number = ? AND reported_at IS NULL",
                (_text(now), outcome.task_id, outcome.number),
            )

    def erase(self, before: datetime) -> int:
        """
        Erase addresses, scripts and notes of tasks that ended before an instant and are reported. Ids and outcomes
        stay: what was sent must not be sent again.

        Returns:
            How many tasks lost their personal data.
        """
        with self._writing() as connection:
            ids = [
                (row["id"],)
                for row in connection.execute(
                    "SELECT id FROM tasks WHERE address IS NOT NULL AND ended_at < ? AND NOT EXISTS"
                    " (SELECT 1 FROM outcomes WHERE task_id = tasks.id AND reported_at IS NULL)",
                    (_text(before),),
                )
            ]
            connection.executemany("UPDATE tasks SET address = NULL, subject = NULL, script = NULL WHERE id = ?", ids)
            connection.executemany("UPDATE outcomes SET note = NULL WHERE task_id = ?", ids)
        return len(ids)

    # -- the file --------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._told(), closing(self._open(make=False)) as connection:
            yield connection

    @contextmanager
    def _writing(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        """
        One transaction that is the only writer from its first statement on.
        """
        with self._told(), closing(self._open(make=make)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._commit(connection)

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            code = _code(error)
            # A sync that failed may have written all the same, and the next recovery would find it.
            raise self._error(error, maybe_written=code not in _SURELY_NOT_WRITTEN) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error
        except OSError as error:
            msg = f"{self._path.name}: {error.strerror or type(error).__name__}"
            raise TaskListError(
                msg, code="SQLITE_CANTOPEN", hint="name a file in a folder that can be written"
            ) from error

    def _error(self, error: sqlite3.Error, *, maybe_written: bool = False) -> TaskListError:
        code = _code(error)
        msg = f"{self._path.name}: the work list cannot be used ({code})"
        hint = _HINTS.get(code, "look at the disk, and restore the file if it is damaged")
        return TaskListError(msg, code=code, maybe_written=maybe_written, hint=hint)

    def _open(self, *, make: bool) -> sqlite3.Connection:
        if not self._path.exists():
            if not make:
                msg = f"{self._path.name}: there is no such work list"
                raise TaskListError(
                    msg, code="SQLITE_CANTOPEN", hint="it is made with the first task: see path in cobranza.toml"
                )
            # For its owner alone, before anything is in it: SQLite gives its other files the same rights.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            _sync_folder(self._path.parent)
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
            connection.execute("PRAGMA trusted_schema = OFF")
            self._ready(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _ready(self, connection: sqlite3.Connection) -> None:
        """
        Make the tables in an empty file; refuse one that is something else, or of a later version.
        """
        if _pragma(connection, "application_id") == 0 and _pragma(connection, "schema_version") == 0:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                if _pragma(connection, "application_id") == 0:
                    for statement in filter(str.strip, _MIGRATION.split(";")):
                        connection.execute(statement)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        found = _pragma(connection, "application_id"), _pragma(connection, "user_version")
        if found != (_APPLICATION, _VERSION):
            msg = f"{self._path.name}: no work list of version {_VERSION}"
            raise TaskListError(msg, code="SQLITE_NOTADB", hint="name another file, or install a later version")


#: What SQLite says before the mark of a commit is in its log.
_SURELY_NOT_WRITTEN = frozenset(
    {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_READONLY"}
)
_HINTS = {
    "SQLITE_BUSY": "another process is writing: try again",
    "SQLITE_FULL": "make room on the disk",
    "SQLITE_READONLY": "let this user write the file and its folder",
}


def _code(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _first(connection: sqlite3.Connection, task_id: str) -> Task | None:
    row = connection.execute("SELECT * FROM tasks WHERE id = ?", (task_id,)).fetchone()
    return None if row is None else _read(row)


def _task(connection: sqlite3.Connection, task_id: str) -> Task:
    found = _first(connection, task_id)
    if found is None:
        msg = "there is no such task"
        raise TaskError(msg, hint="`cobranza-agent-tasks list` shows those that are open")
    return found


def _read(row: Any) -> Task:
    values = {name: row[name] for name in ("id", "channel", "subject", "script", "locale", "purpose")}
    return Task(
        **values,
        address=None if row["address"] is None else Address(row["scheme"], row["address"]),
        callback_url=row["callback_url"],
        created_at=datetime.fromisoformat(row["created_at"]),
        not_after=_instant(row["not_after"]),
        practice=bool(row["practice"]),
        taken_by=row["taken_by"],
        taken_until=_instant(row["taken_until"]),
        ended_at=_instant(row["ended_at"]),
    )


def _outcomes(connection: sqlite3.Connection, task_id: str) -> list[Outcome]:
    rows = connection.execute("SELECT * FROM outcomes WHERE task_id = ? ORDER BY number", (task_id,))
    return [_said(row) for row in rows]


def _said(row: Any) -> Outcome:
    return Outcome(
        task_id=row["task_id"],
        number=row["number"],
        outcome=row["outcome"],
        by=row["by"],
        at=datetime.fromisoformat(row["at"]),
        note=row["note"],
        reason=row["reason"],
        opt_out=bool(row["opt_out"]),
        reported_at=_instant(row["reported_at"]),
    )


def _insert(connection: sqlite3.Connection, outcome: Outcome, now: datetime) -> None:
    connection.execute(
        "INSERT INTO outcomes (task_id, number, outcome, by, at, recorded_at, note, reason, opt_out)"
        " VALUES (?,?,?,?,?,?,?,?,?)",
        (
            outcome.task_id,
            outcome.number,
            outcome.outcome,
            outcome.by,
            outcome.at.isoformat(),
            _text(now),
            outcome.note,
            outcome.reason,
            int(outcome.opt_out),
        ),
    )


def closed(task: Task, said: Sequence[Outcome]) -> TaskError:
    """
    The error that tells how a task ended which is open no more.
    """
    ended = f"has ended as {said[-1].outcome}" if said else "is past its end"
    if task.not_after is not None and (not said or said[-1].outcome == "expired"):
        ended += f": its legal window closed at {task.not_after.isoformat()}"
    return TaskError(f"task {task.id} {ended}", hint="`cobranza-agent-tasks list` shows those that are open")


def _require_sound(task: Task, outcome: Outcome, said: Sequence[Outcome], now: datetime) -> None:
    holder = task.holder(now)
    if task.ended_at is None and holder is not None and holder != outcome.by:
        msg = f"task {task.id} is taken by {holder}"
        raise TakenError(msg, hint="its outcome is for the agent to tell who has it")
    if said and not outcome.reason:
        msg = f"task {task.id} has ended as {said[-1].outcome}"
        raise TaskError(msg, hint="a correction needs --reason")
    if not said and outcome.reason:
        msg = f"task {task.id} has no outcome that could be corrected"
        raise TaskError(msg, hint="leave --reason out")
    if not task.created_at <= outcome.at <= now:
        msg = f"task {task.id} cannot have been done at {outcome.at.isoformat()}: it was made later, or that is to come"
        raise TaskError(msg, hint="give --at with its offset, for example 2026-08-05T12:30:00-05:00")
