"""
The README's table of errors is the module's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cobranza_whatsapp_cloud._channel import WhatsAppCloud
from cobranza_whatsapp_cloud._errors import CODES, classify

README = Path(__file__).parents[1] / "README.md"
_ROW = re.compile(r"\| ([0-9][0-9, \u2013]*) \| [^|]+ \| `([a-z_]+)` \| (retry|fix first|never)[^|]* \|")


def rows(text: str) -> list[tuple[int, int, str, str]]:
    """
    First and last code, category and next step of every entry.
    """
    found = []
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        for entry in row[1].split(",") if row else ():
            first, _, last = entry.strip().partition("\u2013")
            found.append((int(first), int(last or first), row[2], row[3].replace(" ", "_")))  # type: ignore[index]  # there
    return found


def faults(text: str) -> set[int]:
    """
    Codes that do not stand in exactly one entry that says the same, and ends of entries that the module does not know.
    """
    table, wrong = rows(text), set()
    for first, last, axes in CODES:
        for code in range(first, last + 1):
            told = [each[2:] for each in table if each[0] <= code <= each[1]]
            if told != [(str(axes.category), str(axes.disposition))]:
                wrong.add(code)
    return wrong | {end for each in table for end in each[:2] if classify(end) is None}


def test_the_readmes_table_is_true() -> None:
    """
    An operator reads there what a code in the log will do.
    """
    assert faults(README.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("shown", "other", "fault"),
    [
        ("| means of payment | `funds` |", "| means of payment | `config` |", 131042),
        ("| outside the 24 hours | `session_closed` | fix first", "| outside | `session_closed` | never", 131047),
        ("| 131026, 130403, 130472 |", "| 131026, 130403 |", 130472),
        ("131042 | means", "131042, 131999 | means", 131999),
    ],
)
def test_a_table_that_fell_behind_is_found(shown: str, other: str, fault: int) -> None:
    """
    A wrong category, a wrong next step, a code that is missing, one that does not exist.
    """
    text = README.read_text("utf-8")

    assert text.count(shown) == 1
    assert fault in faults(text.replace(shown, other))


def test_the_limits_it_tells_are_those_that_are_kept() -> None:
    """
    The core sends as fast as the descriptor says: another figure there blocks the number or wastes the day.
    """
    can, text = WhatsAppCloud.capabilities, README.read_text("utf-8")

    assert f"| messages of a number | {can.messages_per_second} a second" in text
    assert can.recipient_per_second == pytest.approx(1 / 6)
    assert f"| messages to one person | one in six seconds, {can.recipient_burst} at once |" in text
