"""
The list as a CSV file that a spreadsheet opens without harm.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cobranza_agent_tasks._order import Row
from cobranza_agent_tasks._tasks import Task, TaskError

COLUMNS = (
    "task",
    "channel",
    "address",
    "closes_at",
    "closes_in_minutes",
    "days_past_due",
    "age_minutes",
    "subject",
    "script",
)

#: A cell that begins so is a formula to some spreadsheet; a guard of ours is escaped as well.
_FORMULA = frozenset("=+-@\t\r\n'|%")
#: Where another cell begins for a spreadsheet that parts them by semicolons, as in much of Latin America.
_INNER = re.compile(r'([;\r\n][\s"]*)(?=[=+\-@|%])')


def csv_of(rows: Iterable[tuple[Row, Task]]) -> bytes:
    """
    Rows and what may be shown of their tasks, in UTF-8 with the mark by which spreadsheets know it.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row, task in rows:
        cells = (
            task.id,
            task.channel,
            address_cell(task),
            _instant(task.not_after),
            _number(row.closes_in_minutes),
            _number(row.days_past_due),
            _number(row.age_minutes),
            task.subject or "",
            task.script or "",
        )
        writer.writerow([_guarded(cell) for cell in cells])
    return text.getvalue().encode("utf-8-sig")


def address_cell(task: Task) -> str:
    """
    An address as a cell. A phone number is written as RFC 3966 does: a bare one loses its plus and becomes a figure.
    """
    address = task.address
    if address is None:
        return ""
    return f"tel:{address.value}" if address.scheme == "e164" else address.value


def _guarded(cell: str) -> str:
    guarded = _INNER.sub(r"\1'", cell)
    return f"'{guarded}" if cell[:1] in _FORMULA and cell else guarded


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _instant(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")


def write_private(path: Path, content: bytes) -> None:
    """
    Write a file for its owner alone, whole or not at all.

    Raises:
        TaskError: It cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"{path.name} cannot be written: {error.strerror or type(error).__name__}"
        raise TaskError(msg, hint="name a file in a folder that can be written") from error
