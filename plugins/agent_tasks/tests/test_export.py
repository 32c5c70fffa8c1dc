"""
A spreadsheet that opens the file runs nothing and mangles no number.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cobranza_agent_tasks._export import COLUMNS, csv_of, write_private
from cobranza_agent_tasks._order import rows_of
from cobranza_agent_tasks._tasks import Task, TaskError
from cobranza_sdk import Address

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
BASE = Task(
    id="A-1",
    channel="call",
    address=Address("e164", "+51900100001"),
    subject=None,
    script="Señor Núñez, € 12,50",
    locale="es",
    purpose="reminder",
    callback_url=None,
    created_at=NOW,
    not_after=None,
)


def cells(task: Task) -> dict[str, str]:
    """
    What a program reads out of the file.
    """
    (row,) = rows_of([task], now=NOW, past_due={})
    content = csv_of([(row, task)])
    assert content.startswith(b"\xef\xbb\xbf")
    header, values = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert tuple(header) == COLUMNS
    return dict(zip(header, values, strict=True))


def test_a_number_keeps_its_plus_and_its_digits() -> None:
    """
    RFC 3966: no figure to a spreadsheet, a number to a telephone.
    """
    assert cells(BASE)["address"] == "tel:+51900100001"


def test_words_come_out_as_they_went_in() -> None:
    found = cells(BASE)

    assert found["script"] == "Señor Núñez, € 12,50"
    assert (found["closes_at"], found["days_past_due"]) == ("", "")


@pytest.mark.parametrize("script", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(1)", "\t=1", "\r1", "'=1", "|calc"])
def test_no_cell_is_a_formula(script: str) -> None:
    assert cells(evolve(BASE, script=script))["script"] == f"'{script}"


@pytest.mark.parametrize(
    "script",
    ["Hola;=1+1;", "\r=1", "Hola; +1", "Hola;\t@SUM(1)", "Hola\n=1+1", 'Hola;"=1+1";', 'Hola;""=1', "Hola\n-1"],
)
def test_no_cell_is_a_formula_where_semicolons_part_them(script: str) -> None:
    """
    In much of Latin America a spreadsheet parts cells by semicolons: then a quotation ends before the first comma.
    """
    (row,) = rows_of([BASE], now=NOW, past_due={})
    content = csv_of([(row, evolve(BASE, script=script))]).decode("utf-8-sig")

    for line in csv.reader(io.StringIO(content, newline=""), delimiter=";"):
        for cell in line:
            assert cell.lstrip(' \t"')[:1] not in tuple("=+-@|%")


def test_a_debt_that_is_not_due_yet_has_a_negative_figure_that_is_guarded() -> None:
    task = BASE
    (row,) = rows_of([task], now=NOW, past_due={"A-1": -3})

    assert b'"\'-3"' in csv_of([(row, task)])


@given(st.text(max_size=60), st.text(max_size=60).filter(str.strip).filter(str.isprintable))
def test_whatever_people_are_called_no_cell_begins_like_a_formula(script: str, address: str) -> None:
    """
    And nothing is lost: without its guards each cell is what was written.
    """
    found = cells(evolve(BASE, script=script, address=Address("postal", address)))

    for name, text in (("script", script), ("address", address)):
        assert found[name][:1] not in tuple("=+-@\t\r\n")
        assert found[name].replace("'", "") == text.replace("'", "")


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    write_private(path, b"old")
    write_private(path, b"new")

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["list.csv"]


@pytest.mark.parametrize("where", ["missing/list.csv", "."])
def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, where: str) -> None:
    with pytest.raises(TaskError, match="cannot be written"):
        write_private(tmp_path / where, b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list.csv"
    write_private(path, b"old")

    def fails(_handle: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(TaskError, match="No space left on device"):
        write_private(path, b"new")

    assert (path.read_bytes(), len(list(tmp_path.iterdir()))) == (b"old", 1)
