"""
The README's table of errors is what the channel says.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cobranza_agent_tasks._channel import _classed
from cobranza_agent_tasks._tasks import TaskListError

README = Path(__file__).parents[1] / "README.md"
_ROW = re.compile(r"\| ([^|]+) \| [^|]+ \| `(\w+)` \| `(\w+)` \| (no|maybe) \|")


def faults(text: str) -> set[str]:
    """
    Codes that the table tells wrongly or not at all; ``any`` stands for a change that may be in the file.
    """
    told = {}
    for row in filter(None, map(_ROW.fullmatch, text.splitlines())):
        for name in re.findall(r"SQLITE_\w+|^any|another", row[1]):
            told[name] = (row[2], row[3], row[4])
    wrong = {"SQLITE_BUSY", "SQLITE_LOCKED", "any", "another"} - told.keys()
    for name, axes in told.items():
        error = _classed(TaskListError("x", code=name, maybe_written=name == "any"))
        if (error.category, error.disposition, error.transmitted) != axes:
            wrong.add(name)
    return wrong


def test_the_readmes_table_is_true() -> None:
    """
    An operator reads there what a code in the log will do.
    """
    assert faults(README.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("shown", "other", "fault"),
    [
        ("somebody else is writing | `provider_down` | `retry`", "x | `provider_down` | `never`", "SQLITE_LOCKED"),
        ("| `SQLITE_BUSY`, `SQLITE_LOCKED` |", "| `SQLITE_LOCKED` |", "SQLITE_BUSY"),
        ("nobody knows | `provider_down` | `never` | maybe", "x | `provider_down` | `never` | no", "any"),
        ("`SQLITE_CORRUPT`, another |", "`SQLITE_CORRUPT` |", "another"),
    ],
)
def test_a_table_that_fell_behind_is_found(shown: str, other: str, fault: str) -> None:
    """
    A wrong step, a code that is missing, a doubt that is told as certain.
    """
    text = README.read_text("utf-8")

    assert text.count(shown) == 1
    assert fault in faults(text.replace(shown, other))
