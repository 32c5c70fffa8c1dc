"""
Dates: a swapped day and month moves a due date by months.
"""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_erp_csv._dates import Order, UnreadableDateError, evidence, order_of, parse, settle
from cobranza_sdk import InvalidValueError

DMY, MDY, YMD, MIXED = Order.DAY_FIRST, Order.MONTH_FIRST, Order.YEAR_FIRST, Order.MIXED


@pytest.mark.parametrize(
    ("cell", "order", "expected"),
    [
        ("05/11/2026", DMY, date(2026, 11, 5)),
        ("05/11/2026", MDY, date(2026, 5, 11)),
        ("20.10.2026", DMY, date(2026, 10, 20)),
        ("2026-10-20", DMY, date(2026, 10, 20)),
        ("2026-10-20 23:59:59", DMY, date(2026, 10, 20)),
        ("2026-10-20T03:00:00Z", YMD, date(2026, 10, 20)),
        ("05-nov-26", DMY, date(2026, 11, 5)),
        ("1-ENE-2026", MDY, date(2026, 1, 1)),
        ("3 SET 2026", DMY, date(2026, 9, 3)),
        ("3/SEPT/26", DMY, date(2026, 9, 3)),
        ("21 de noviembre de 2026", DMY, date(2026, 11, 21)),
        ("20261121", DMY, date(2026, 11, 21)),
        ("46347", DMY, date(2026, 11, 21)),
        ("46347.0", DMY, date(2026, 11, 21)),
        ("5/1/26", DMY, date(2026, 1, 5)),
        ("25/12/2026", MIXED, date(2026, 12, 25)),
        ("12/25/2026", MIXED, date(2026, 12, 25)),
        ("07/07/2026", MIXED, date(2026, 7, 7)),
    ],
)
def test_dates_of_exports_are_read(cell: str, order: Order, expected: date) -> None:
    """
    Each system writes days its own way; all of them are calendar days and none is shifted.
    """
    assert parse(cell, order) == expected


@pytest.mark.parametrize("cell", ["", "00/00/0000", "30/12/1899", "1900-01-00", "-", "0"])
def test_the_ways_to_write_no_date(cell: str) -> None:
    """
    An empty date is missing, not the year 1899.
    """
    assert parse(cell, DMY) is None


@pytest.mark.parametrize(
    ("cell", "order"),
    [
        ("13/25/2026", DMY),
        ("25/12/2026", MDY),
        ("30/02/2026", DMY),
        ("05/11/2026", MIXED),
        ("05/11/2026", YMD),
        ("2026-13-01", DMY),
        ("05-11/2026", DMY),
        ("01/01/0026", DMY),
        ("01/01/2526", DMY),
        ("5-foo-26", DMY),
        ("99999", DMY),
        ("mañana", DMY),
        ("٠١/٠١/٢٠٢٦", DMY),  # noqa: RUF001  # digits of another script are the point
    ],
)
def test_what_is_no_day_is_refused(cell: str, order: Order) -> None:
    """
    A guessed due date would chase a debt on the wrong day.
    """
    with pytest.raises(UnreadableDateError):
        parse(cell, order)


def test_a_column_is_settled_by_its_cells() -> None:
    """
    A part over 12 is a day and decides for the column; without one, the day comes first as in all of the region.
    """
    assert evidence("13/01/2026") is DMY
    assert evidence("01/13/2026") is MDY
    assert evidence("01/02/2026") is None
    assert settle([None, MDY]) is MDY
    assert settle([DMY, MDY]) is MIXED
    assert settle([None], others=[MDY]) is MDY
    assert settle([None]) is DMY


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("iso", YMD),
        ("dmy", DMY),
        ("dd/mm/yyyy", DMY),
        ("DD-MM-YY", DMY),
        ("%d/%m/%Y", DMY),
        ("mm/dd/yyyy", MDY),
        ("%Y-%m-%d", YMD),
        ("dd/mm/aaaa", DMY),
        ("%d-%b-%y", DMY),
    ],
)
def test_a_declared_format_names_an_order(text: str, order: Order) -> None:
    """
    People declare formats in the notation of the tool they know.
    """
    assert order_of(text) is order


@pytest.mark.parametrize("text", ["", "d/m", "mixed", "yyyy/dd/mm", "auto"])
def test_a_format_without_day_month_and_year_is_refused(text: str) -> None:
    """
    A setting that means nothing must not be taken for the default.
    """
    with pytest.raises(InvalidValueError, match="date_format"):
        order_of(text)


@given(
    st.dates(date(1950, 1, 1), date(2199, 12, 31)),
    st.sampled_from([("%d/%m/%Y", DMY), ("%m-%d-%Y", MDY), ("%Y%m%d", DMY)]),
)
def test_a_written_day_is_read_back(day: date, way: tuple[str, Order]) -> None:
    """
    Writing and reading a day in each order gives the same day.
    """
    # only years that yyyymmdd recognises
    text = day.strftime(way[0])
    if way[0] == "%Y%m%d" and day.year >= 2100:
        return

    assert parse(text, way[1]) == day


@given(st.text(max_size=30), st.sampled_from(list(Order)))
def test_any_text_is_a_day_or_refused(cell: str, order: Order) -> None:
    """
    No text gives anything but a day of our time, none, or a refusal.
    """
    try:
        day = parse(cell, order)
    except UnreadableDateError:
        return
    assert day is None or 1950 <= day.year < 2200
