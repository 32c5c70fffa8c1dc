"""
The README's table of errors is the module's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from cobranza_mercado_pago._errors import _CODES, _STATUSES, from_answer
from cobranza_mercado_pago._provider import MercadoPago

README = Path(__file__).parents[1] / "README.md"
NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
_ROW = re.compile(r"\| ([^|]+) \| `([a-z_]+)` \| (retry|fix first|never)[^|]* \| (no|maybe) \|")


def rows(text: str) -> dict[str, tuple[str, str, str]]:
    """
    Category, next step and whether it was done, for each status and code of the table.
    """
    found = {}
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        for status, code in re.findall(r"\b(\d{3})\b|`(\w+)`", row[1]) if row else ():
            found[status or code] = (row[2], row[3].replace(" ", "_"), row[4])  # type: ignore[index]  # there
    return found


def faults(text: str) -> set[str]:
    """
    What the table tells wrongly or not at all. Codes that are refused like their status need no line.
    """
    told = rows(text)
    wrong = set()
    for name, axes in told.items():
        answer = httpx.Response(int(name)) if name.isdecimal() else httpx.Response(409, json={"error": name})
        error = from_answer(answer, NOW)
        if (error.category, error.disposition, error.transmitted) != axes:
            wrong.add(name)
    plain = _STATUSES[400]
    wanted = {str(status) for status in _STATUSES} | {code for code, axes in _CODES.items() if axes != plain}
    return wrong | (wanted - told.keys())


def test_the_readmes_table_is_true() -> None:
    """
    An operator reads there what an answer in the log will do.
    """
    assert faults(README.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("shown", "other", "fault"),
    [
        ("| 402 | `funds` |", "| 402 | `config` |", "402"),
        ("| 424, `refund_in_progress` | `provider_down` | retry | maybe |", "| 424 | `x` | retry | no |", "424"),
        ("| 401, 403, `invalid", "| 401, `invalid", "403"),
        ("`invalid_back_urls`, ", "", "invalid_back_urls"),
    ],
)
def test_a_table_that_fell_behind_is_found(shown: str, other: str, fault: str) -> None:
    """
    A wrong category, a wrong outcome, a status and a code that are missing.
    """
    text = README.read_text("utf-8")

    assert text.count(shown) == 1
    assert fault in faults(text.replace(shown, other))


def test_the_rate_it_tells_is_the_one_that_is_kept() -> None:
    """
    The core makes as many calls as the descriptor says.
    """
    assert "The SDK makes ten calls a second" in README.read_text("utf-8")
    assert MercadoPago.capabilities.calls_per_second == 10
