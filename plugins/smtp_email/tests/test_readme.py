"""
What the README tells operators is what happens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from cobranza_smtp_email import _errors
from cobranza_smtp_email._config import SmtpEmailSettings
from cobranza_smtp_email._errors import Stage, from_reply
from cobranza_smtp_email._sandbox import FAULTS

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text("utf-8")
ROW = re.compile(
    r"\| ([0-9., x]+) \| (any|RCPT|MAIL|connecting) \| [^|]+ \| `(\w+)` \| `(\w+)`(?: after (\d+) min)? \|"
)
STAGES = {"any": None, "RCPT": Stage.RCPT, "MAIL": Stage.MAIL, "connecting": Stage.CONNECT}


def rows() -> Iterator[tuple[str, Stage | None, str, str, int | None]]:
    """
    Code, command, category, disposition and wait in minutes, one code each.
    """
    for line in TEXT.splitlines():
        row = ROW.fullmatch(line)
        for code in row[1].split(", ") if row else ():
            yield code, STAGES[row[2]], row[3], row[4], int(row[5]) if row[5] else None


@pytest.mark.parametrize(("code", "stage", "category", "disposition", "minutes"), list(rows()))
def test_the_table_of_errors_is_true(
    code: str, stage: Stage | None, category: str, disposition: str, minutes: int | None
) -> None:
    """
    An operator reads there what a code in the log will do.
    """
    enhanced = code.replace("x", "99") if "." in code else ""
    basic = (451 if code.startswith("4") else 550) if enhanced else int(code)

    error = from_reply(basic, f"{enhanced} no", stage or Stage.DATA)

    assert (error.category, error.disposition, error.transmitted) == (category, disposition, "no")
    assert error.retry_after == (None if minutes is None else minutes * 60)


def test_every_code_stands_in_it() -> None:
    """
    A code that is classed and not told is found by whom it hits.
    """
    told = {(code.removesuffix(".x"), stage) for code, stage, *_ in rows()}

    classed = {(str(code), None) for code in (*_errors._ENHANCED, *_errors._BASIC)}
    classed |= {(str(code), stage) for stage, code in _errors._BY_COMMAND}
    assert told == classed


def test_every_setting_is_told_and_no_other() -> None:
    """
    A setting that nobody reads of is not used.
    """
    section = TEXT.partition("## Settings")[2].partition("## Set up")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}

    assert told == {field.name for field in attrs.fields(SmtpEmailSettings)}


def test_every_fault_of_the_emulator_is_told() -> None:
    """
    Tests of a product's own failures start there.
    """
    assert all(f'"{fault}"' in TEXT for fault in FAULTS)
