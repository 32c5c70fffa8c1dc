"""
``cobranza backtest`` as people and scripts meet it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cobranza_sdk.cli._root import run

CASES = """case_id,country,at,channel,recipient,consent
saturday,PE,2026-08-08T10:00:00-05:00,sms,debtor,yes
monday,PE,2026-08-10T10:00:00-05:00,sms,debtor,yes
"""


@pytest.fixture(autouse=True)
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A directory with two cases and no configuration.
    """
    monkeypatch.chdir(tmp_path)
    Path("cases.csv").write_text(CASES, "utf-8")


def test_cases_need_no_configuration_and_the_document_has_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Counts, and each changed one with old and new rules.
    """
    assert run(["backtest", "--cases", "cases.csv", "--reading", "literal", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {
        "contacts": 2,
        "not_reproduced": 0,
        "counts": [
            {"old": "allow", "new": "allow", "count": 1},
            {"old": "defer", "new": "allow", "count": 1},
        ],
        "changed": [
            {
                "case_id": "saturday",
                "at": "2026-08-08T10:00:00-05:00",
                "country": "PE",
                "channel": "sms",
                "old": {
                    "verdict": "defer",
                    "rules": ["pe.window.messages"],
                    "not_before": "2026-08-10T07:00:00-05:00",
                },
                "new": {"verdict": "allow", "rules": [], "not_before": None},
                "unknown": [],
                "reproduced": True,
            }
        ],
    }


def test_without_changes_a_person_reads_so(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The rules of today against themselves.
    """
    assert run(["backtest", "--cases", "cases.csv"]) == 0

    assert capsys.readouterr().out.splitlines()[-1] == "0 of 2 changed"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--cases", "cases.csv", "--at", "co@soon"], 2, "expected a day such as 2026-01-31, or pack@day"),
        (["--cases", "cases.csv", "--at", "xx@2026-01-01"], 1, "found no pack xx, expected one of "),
        (["--cases", "cases.csv", "--packs", "cases.csv"], 1, "is no TOML"),
        ([], 1, "there is no such file"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Bad input ends with its exit code and one line.
    """
    assert run(["backtest", *arguments]) == code

    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert told.err.count("\n") == 1


def test_a_bad_row_is_told_with_file_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    """
    As for ``decide --cases``.
    """
    Path("cases.csv").write_text(CASES.replace("2026-08-10T10:00:00-05:00", "yesterday"), "utf-8")

    assert run(["backtest", "--cases", "cases.csv"]) == 1

    assert "cases.csv: line 3: at: found yesterday" in capsys.readouterr().err
