"""
Amounts: a wrong decimal mark is a debt a thousand times too large.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_erp_csv._amounts import HABITS, Mark, UnreadableAmountError, evidence, parse, settle, to_money
from cobranza_sdk import InvalidValueError

VECTORS = [
    ("1.234,56", Mark.COMMA, "1234.56"),
    ("1,234.56", Mark.POINT, "1234.56"),
    ("1.234,56-", Mark.COMMA, "-1234.56"),
    ("(1,234.50)", Mark.POINT, "-1234.50"),
    ("$ 1 234,50", Mark.COMMA, "1234.50"),
    ("$ 1\u202f234,50", Mark.COMMA, "1234.50"),
    ("R$ 1.234.567", Mark.COMMA, "1234567"),
    ("1'234.50", Mark.POINT, "1234.50"),
    ("-.5", Mark.POINT, "-0.5"),
    ("1.234", Mark.POINT, "1.234"),
    ("1.234", Mark.COMMA, "1234"),
    ("S/ 500.00", Mark.POINT, "500.00"),
    ("S/. 500.00", Mark.POINT, "500.00"),
    ("RD$1,000", Mark.POINT, "1000"),
    ("MXN 1,234.56", Mark.POINT, "1234.56"),
    ("1,234.56 USD", Mark.POINT, "1234.56"),
    ("\u22121", Mark.POINT, "-1"),
    ("1 CR", Mark.POINT, "-1"),
    ("$-5", Mark.COMMA, "-5"),
    ("0", Mark.COMMA, "0"),
]


@pytest.mark.parametrize(("cell", "mark", "expected"), VECTORS)
def test_amounts_of_the_region_are_read_exactly(cell: str, mark: Mark, expected: str) -> None:
    """
    F74: each way of writing an amount that exports use has one meaning.
    """
    read = parse(cell, mark)

    assert read is not None
    assert read[0] == Decimal(expected)


@pytest.mark.parametrize(
    "cell",
    [
        "NaN",
        "Infinity",
        "-inf",
        "1E+999",
        "1.23457E+17",
        "1_000",
        "١٢٣",  # digits of another script are the point
        "１２３",  # noqa: RUF001  # digits of another script are the point
        "²",
        "1.23.4",
        "12,34.5",
        "1 23,50",
        "--1",
        "-1-",
        "(1",
        "(-1)",
        "1.234,56.7",
        "=1+1",
        "0x10",
        "12a",
        "1" * 20,
        "9" * 61,
        "1\n2",
        "1\x00",
    ],
)
@pytest.mark.parametrize("mark", list(Mark))
def test_what_is_no_plain_amount_is_refused(cell: str, mark: Mark) -> None:
    """
    F74: Decimal accepts several of these silently, and each would be a wrong debt.
    """
    with pytest.raises(UnreadableAmountError):
        parse(cell, mark)


@pytest.mark.parametrize("cell", ["", "  ", "-", "\u00a0"])
def test_an_empty_cell_is_no_zero(cell: str) -> None:
    """
    A missing amount must not close a debt.
    """
    assert parse(cell, Mark.POINT) is None


def test_a_cell_that_contradicts_its_column_is_refused() -> None:
    """
    12.50 in a column with decimal commas is either a typo or another locale: both are for a person to see.
    """
    with pytest.raises(UnreadableAmountError, match="decimal mark"):
        parse("12.50", Mark.COMMA)
    with pytest.raises(UnreadableAmountError, match="two ways"):
        parse("1.234", Mark.MIXED)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1.234", True),
        ("1,234", True),
        ("1.234.567", Mark.COMMA),
        ("1,234,567", Mark.POINT),
        ("1.5", Mark.POINT),
        ("1,50", Mark.COMMA),
        ("0.500", Mark.POINT),
        ("12345.678", Mark.POINT),
        ("1.234,5", Mark.COMMA),
        ("1234", None),
        ("Total", None),
    ],
)
def test_a_cell_says_its_decimal_mark_or_nothing(cell: str, expected: Mark | bool | None) -> None:
    """
    F74: only what a cell proves may decide for its column.
    """
    assert evidence(cell) == expected


def test_a_column_is_settled_by_votes_then_neighbours_then_the_country() -> None:
    """
    F74: the order in which doubt is resolved, down to refusing.
    """
    assert settle([True, Mark.COMMA]) is Mark.COMMA
    assert settle([Mark.POINT, Mark.COMMA]) is Mark.MIXED
    assert settle([True], others=[Mark.COMMA], habit=Mark.POINT) is Mark.COMMA
    assert settle([True], habit=Mark.POINT) is Mark.POINT
    assert settle([True]) is None
    assert settle([None]) is Mark.POINT


def test_habits_of_countries_differ() -> None:
    """
    1.234 is a thousand in Bogotá and a unit in Mexico; Ecuador writes both, so nothing is assumed there.
    """
    assert HABITS["CO"] is Mark.COMMA
    assert HABITS["MX"] is Mark.POINT
    assert "EC" not in HABITS


@pytest.mark.parametrize(("amount", "currency", "minor"), [("1234.00", "CLP", 1234), ("5.000000", "PEN", 500)])
def test_zeros_behind_the_minor_unit_are_no_digits(amount: str, currency: str, minor: int) -> None:
    """
    Odoo writes 11600.0 and databases write 5.000000: neither is finer than the currency.
    """
    assert to_money(Decimal(amount), currency).minor == minor


@pytest.mark.parametrize(("amount", "currency"), [("1.5", "CLP"), ("1.5", "PYG"), ("1.234", "PEN"), ("9" * 19, "PEN")])
def test_money_finer_or_larger_than_its_currency_is_refused(amount: str, currency: str) -> None:
    """
    Rounding would invent an amount.
    """
    with pytest.raises(InvalidValueError):
        to_money(Decimal(amount), currency)


def _written(amount: Decimal, mark: Mark, thousands: str) -> str:
    text = f"{amount:,.2f}"
    return text.replace(",", "T").replace(".", mark.value).replace("T", thousands)


@given(
    st.decimals(min_value=-(10**13), max_value=10**13, places=2, allow_nan=False),
    st.sampled_from([(Mark.POINT, ","), (Mark.POINT, ""), (Mark.POINT, "'"), (Mark.COMMA, "."), (Mark.COMMA, " ")]),
)
def test_what_a_locale_writes_is_read_back(amount: Decimal, locale: tuple[Mark, str]) -> None:
    """
    F74: writing and reading an amount in each locale gives the same amount.
    """
    mark, thousands = locale

    read = parse(_written(amount, mark, thousands), mark)

    assert read is not None
    assert read[0] == amount


@given(st.text(max_size=30), st.sampled_from(list(Mark)))
def test_any_text_is_an_amount_or_refused(cell: str, mark: Mark) -> None:
    """
    F74: no text gives anything but a finite amount, none, or a refusal that fits on a line.
    """
    reason = ""
    try:
        read = parse(cell, mark)
    except UnreadableAmountError as error:
        read, reason = None, str(error)

    assert read is None or read[0].is_finite()
    assert len(reason.splitlines()) < 2
    assert len(reason) < 160
