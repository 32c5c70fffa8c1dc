"""
The README's table of errors is what the reader raises.
"""

from __future__ import annotations

import builtins
import re
from pathlib import Path

import pytest

from cobranza_erp_csv._erp import _unreadable
from cobranza_sdk import InvalidValueError, ProviderError

README = Path(__file__).parents[1] / "README.md"
_ROW = re.compile(r"\| (`[A-Z][^|]+) \| `(\w+)` \| ([^|]+) \|")


def rows(text: str) -> dict[str, tuple[str, str]]:
    """
    What is raised for each exception of the machine, and what comes next.
    """
    found = {}
    for row in filter(None, map(_ROW.fullmatch, text.splitlines())):
        found |= dict.fromkeys(re.findall(r"`([A-Z]\w+)`", row[1]), (row[2], row[3]))
    return found


def raised(name: str) -> tuple[str, str]:
    """
    The same, as the reader does it.
    """
    kind = getattr(builtins, name)
    error = _unreadable(Path("x.csv"), kind("utf-8", b"x", 0, 1, "") if issubclass(kind, UnicodeError) else kind())
    if isinstance(error, ProviderError):
        return str(error.category), str(error.disposition)
    assert isinstance(error, InvalidValueError)
    return "InvalidValueError", "a person mends it"


def test_the_readmes_table_is_true() -> None:
    """
    An operator reads there what ends a sync, and whether it comes back by itself.
    """
    told = rows(README.read_text("utf-8"))

    assert {"FileNotFoundError", "PermissionError", "IsADirectoryError", "UnicodeDecodeError", "OSError"} <= told.keys()
    assert told == {name: raised(name) for name in told}


@pytest.mark.parametrize(
    ("shown", "other"),
    [("`PermissionError`, ", ""), ("share in trouble | `provider_down` | retry", "share | `auth` | never")],
)
def test_a_table_that_fell_behind_is_found(shown: str, other: str) -> None:
    text = README.read_text("utf-8")

    told = rows(text.replace(shown, other))

    assert text.count(shown) == 1
    assert told != {name: raised(name) for name in told} or "PermissionError" not in told
