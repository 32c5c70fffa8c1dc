"""
Workbooks: the same records as from a text, and nothing that a hostile file could do.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cobranza_erp_csv import _workbook
from cobranza_erp_csv._config import CsvSettings
from cobranza_erp_csv._dialect import examine
from cobranza_erp_csv._reader import FileReader
from cobranza_sdk import InvalidValueError, Money, ProviderError

openpyxl = pytest.importorskip("openpyxl", reason="the extra xlsx is not installed")

Load = Callable[..., Any]
HEAD = ("customer_key", "phone", "doc_number", "due_date", "amount_open")


def workbook(*sheets: Sequence[Sequence[object]], hidden: int = 0) -> bytes:
    """
    A file with one sheet for each list of rows, the first *hidden* of them not shown.
    """
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Hoja{number + 1}")
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if number < hidden else "visible"
    told = io.BytesIO()
    book.save(told)
    return told.getvalue()


def with_part(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """
    The workbook with one of its parts changed.
    """
    told = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(told, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, change(old.read(part)) if part == name else old.read(part))
    return told.getvalue()


GOOD = workbook([HEAD, ("C1", 987654321, "F-1", date(2026, 11, 5), 1234.5)])
SHEET = "xl/worksheets/sheet1.xml"


def test_a_workbook_gives_what_a_text_gives(load: Load) -> None:
    """
    Dates are dates, numbers keep their point in a country that writes commas, and texts keep their zeros.
    """
    rows = [
        ("Cartera por cobrar",),
        (),
        HEAD,
        ("0001", 987654321, "F-1", datetime(2026, 11, 5), 1234.567 - 0.007),  # noqa: DTZ001  # sheets know no zone
        ("0001", None, 12, "05/11/2026", "1.234,50"),
        ("0001", None, "F-3", date(2026, 11, 6), 0.1 + 0.2),
        ("0001", None, "F-4", 46331, 1234567),
        ("Total", None, None, None, 99.5),
    ]

    found = load(workbook(rows), name="cartera.xlsx", decimal=",")

    assert [(r.document, str(r.installments[0].due_on), r.installments[0].open) for r in found.receivables] == [
        ("F-1", "2026-11-05", Money(123456, "PEN")),
        ("12", "2026-11-05", Money(123450, "PEN")),
        ("F-3", "2026-11-06", Money(30, "PEN")),
        ("F-4", "2026-11-05", Money(123456700, "PEN")),
    ]
    assert [debtor.external_id for debtor in found.debtors] == ["0001"]
    assert found.addresses == ["+51987654321"]
    assert not found.rejected


def test_a_number_in_a_workbook_can_be_read_in_one_way(load: Load) -> None:
    """
    1.234 in a text is refused in Ecuador; a cell that holds the number is no riddle.
    """
    found = load(workbook([HEAD, ("C1", None, "F-1", date(2026, 11, 5), 1.5), ("C1", None, "F-2", "2026-11-05", 1.23)]))

    assert [receivable.installments[0].open.minor for receivable in found.receivables] == [150, 123]


def test_a_preset_reads_a_workbook(load: Load) -> None:
    """
    What SAP's list viewer saves is the same report.
    """
    head = ("KUNNR", "BELNR", "BLART", "BLDAT", "FAEDT", "WAERS", "WRBTR")
    rows = [head, ("0000100234", 1800000123, "RV", date(2026, 10, 20), date(2026, 11, 19), "PEN", 10.25)]
    rows += [("0000100234", 1600000045, "DG", date(2026, 10, 20), date(2026, 10, 20), "PEN", -2)]

    found = load(workbook(rows), name="fbl5n.xlsx", preset="sap_fbl5n")

    assert [(r.external_id, r.installments[0].open.minor) for r in found.receivables] == [
        ("invoice:1800000123", 1025),
        ("credit_note:1600000045", -200),
    ]


def test_broken_cells_of_a_workbook_are_told_by_line(load: Load) -> None:
    """
    A key of twenty digits lost its end, an error is no amount, and a formula is a text or what it came to.
    """
    rows = [
        HEAD,
        ("C1", None, 32021800000000000012, date(2026, 11, 5), 1),
        ("C1", None, "F-2", date(2026, 11, 5), "#N/A"),
        ("C1", None, "F-3", date(2026, 11, 5), "=1+1"),
        ("C1", None, "F-4", True, 1),
        ("C1", None, "F-5", date(2026, 11, 5), 1.005),
        ("C1", None, "F-6", date(2026, 11, 5), 1, "más"),
    ]

    found = load(workbook(rows), name="cartera.xlsx")

    assert not found.receivables
    assert [(line, column) for line, column, _ in found.reasons] == [
        (2, "doc_number"),
        (3, "amount_open"),
        (4, "amount_open"),
        (5, "due_date"),
        (6, "amount_open"),
        (7, None),
    ]


def test_the_sheet_is_the_first_shown_or_the_one_that_is_named(load: Load) -> None:
    """
    Reports hide the sheets from which they are made.
    """
    rows = [[HEAD, ("C1", None, f"F-{n}", date(2026, 11, 5), 1)] for n in range(3)]
    content = workbook(*rows, hidden=1)

    assert load(content).receivables[0].document == "F-1"
    assert load(content, sheet="Hoja3").receivables[0].document == "F-2"
    with pytest.raises(InvalidValueError, match="no such sheet, found Hoja2, Hoja3"):
        load(content, sheet="Hoja9")


def test_a_workbook_may_close_what_it_does_not_name(load: Load) -> None:
    """
    It needs no line end to be whole: one that was cut cannot be opened.
    """
    assert load(GOOD, snapshot=True).batches[-1].complete


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_workbook_that_was_cut_is_refused(load: Load, kept: float) -> None:
    """
    F67: nothing of a half-written file is taken.
    """
    with pytest.raises(InvalidValueError, match=r"file a.xlsx is a damaged workbook"):
        load(GOOD[: int(len(GOOD) * kept)], name="a.xlsx")


def test_a_changed_byte_is_found_before_a_row_is_handed_out(load: Load) -> None:
    """
    The archive's sums are checked first: an amount is not read from a damaged part.
    """
    book = openpyxl.load_workbook(io.BytesIO(GOOD))
    told = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(told, "w", zipfile.ZIP_STORED) as new:
        for part in old.namelist():
            new.writestr(part, old.read(part))
    book.close()
    content = told.getvalue().replace(b"1234.5", b"9234.5")

    with pytest.raises(InvalidValueError, match="damaged workbook"):
        load(content)


def test_what_unpacks_to_far_more_than_it_is_is_refused(load: Load) -> None:
    """
    F68: 32 MiB of one letter pack to some kilobytes.
    """
    content = with_part(GOOD, SHEET, lambda part: part + b" " * (32 << 20))

    with pytest.raises(InvalidValueError, match="unpacks to 32 MiB"):
        load(content)


def test_texts_that_would_fill_the_memory_are_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    F68: rows are streamed, but the texts that cells share are not.
    """
    monkeypatch.setattr(_workbook, "MAX_TEXTS", 100)
    told = io.BytesIO(GOOD)
    with zipfile.ZipFile(told, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", b"<sst>" + b" " * 200 + b"</sst>")

    with pytest.raises(InvalidValueError, match="texts: too much"):
        load(told.getvalue())


def test_entities_are_refused(load: Load) -> None:
    """
    F68: ten entities of ten entities of ten are a thousand million letters.
    """
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>'

    with pytest.raises(InvalidValueError, match="declares XML entities"):
        load(with_part(GOOD, SHEET, lambda part: entity + part))


def test_a_row_far_to_the_right_is_told(load: Load) -> None:
    """
    F68: a cell in the last of 16 384 columns does not make as many cells of each row.
    """
    content = with_part(
        GOOD, SHEET, lambda part: part.replace(b"</row></sheetData>", b'<c r="XFD2"><v>1</v></c></row></sheetData>')
    )

    assert load(content).receivables[0].document == "F-1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "kind before 2007, or one with a password"),
        (b"PK\x03\x04nothing", "damaged workbook"),
        (workbook([["a"]], hidden=0).replace(b"worksheets/sheet1", b"worksheets/sheet9"), "shows no sheet"),
    ],
)
def test_what_is_no_workbook_is_refused_in_one_line(load: Load, content: bytes, reason: str) -> None:
    """
    Whoever is told what to save it as needs no help.
    """
    with pytest.raises(InvalidValueError, match=reason) as caught:
        load(content, name="a.xlsx")

    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_without_the_extra_the_way_out_is_told(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The extra is named, and so is the way without it.
    """
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)

    with pytest.raises(InvalidValueError, match="needs openpyxl") as caught:
        load(GOOD)

    assert "cobranza-erp-csv[xlsx]" in (caught.value.hint or "")


def test_rows_of_a_workbook_are_streamed(tmp_path: Path) -> None:
    """
    F68: after a tenth of the rows all memory is taken that the rest needs.
    """
    import tracemalloc

    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(HEAD)
    for number in range(20_000):
        sheet.append((f"C{number}", None, f"F-{number}", date(2026, 11, 5), number + 0.5))
    book.save(path)
    told = CsvSettings(path=path, country="PE", currency="PEN", decimal=".", date_format="iso")
    reader = FileReader(path, examine(path, None), told)
    units = reader.units(reader.layout())
    for _ in range(5_000):
        next(units)
    tracemalloc.start()

    count = sum(1 for _ in units)

    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (count, reader.rejected) == (15_000, 0)
    assert grown < 2 << 20


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(GOOD) - 1), put=st.binary(max_size=8))
def test_any_change_of_a_workbook_is_read_or_refused(load: Load, at: int, put: bytes) -> None:
    """
    F68: no file raises anything but our own errors.
    """
    try:
        found = load(GOOD[:at] + put + GOOD[at + len(put) :], name="a.xlsx")
    except (InvalidValueError, ProviderError):
        return
    assert all(receivable.installments[0].open == Money(123450, "PEN") for receivable in found.receivables)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 2000),
    put=st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_any_change_within_a_sheet_is_read_or_refused(load: Load, cut: int, put: str) -> None:
    """
    F68: XML that is broken, or says something else, is our error or a rejected row.
    """
    content = with_part(GOOD, SHEET, lambda part: part[: cut % len(part)] + put.encode() + part[cut % len(part) :])

    try:
        found = load(content, name="a.xlsx")
    except (InvalidValueError, ProviderError):
        return
    assert found.batches
