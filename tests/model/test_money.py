"""
Law 11: money is an integer of minor units and an ISO 4217 code.
"""

from __future__ import annotations

import decimal
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import InvalidValueError, Money
from cobranza_sdk.model import EXPONENTS

LARGEST = 2**63 - 1
minors = st.integers(-LARGEST, LARGEST)
halves = st.integers(-(2**62) + 1, 2**62 - 1)
currencies = st.sampled_from(sorted(EXPONENTS))


@given(halves, halves, currencies)
def test_sums_and_differences_are_exact(left: int, right: int, currency: str) -> None:
    """
    Law 11: COP debts run to billions, where a float has long lost the centavos.
    """
    assert Money(left, currency) + Money(right, currency) == Money(left + right, currency)
    assert Money(left, currency) - Money(right, currency) == Money(left - right, currency)
    assert -Money(left, currency) == Money(-left, currency)


@given(minors, currencies)
def test_an_amount_survives_the_way_through_text(minor: int, currency: str) -> None:
    """
    Law 11: what an ERP writes and we read again is the same money.
    """
    money = Money(minor, currency)

    assert Money.of(money.amount, currency) == money
    assert Money.of(f"{money.amount:f}", currency) == money
    assert Money.of(str(money).split()[0], currency) == money


@given(minors, currencies, st.integers(1, 6))
def test_the_precision_of_the_host_does_not_round(minor: int, currency: str, precision: int) -> None:
    """
    Law 11: an embedding program may set a low decimal precision for its own reasons; debts stay what they are.
    """
    with decimal.localcontext() as context:
        context.prec = precision
        money = Money(minor, currency)

        assert Money.of(f"{money.amount:f}", currency) == money
        assert money.amount.as_tuple().exponent == -EXPONENTS[currency]


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        ("CLP", "1500", 1500),
        ("PYG", "1500", 1500),
        ("CLF", "1.0001", 10_001),
        ("COU", "1.25", 125),
        ("KWD", "1.001", 1001),
        ("COP", "12345678901.99", 1_234_567_890_199),
        ("PEN", "-0.05", -5),
        ("PEN", "0.5", 50),
        ("PEN", "-0", 0),
    ],
)
def test_the_exponent_is_that_of_iso_4217(currency: str, text: str, minor: int) -> None:
    """
    Law 11: a CLP debt counted in hundredths would be demanded a hundred times over.
    """
    assert Money.of(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("currency", "text"), [("CLP", "1.5"), ("PYG", "0.1"), ("PEN", "1.005"), ("CLF", "0.00001"), ("KWD", "0.0001")]
)
def test_what_is_finer_than_the_currency_is_refused(currency: str, text: str) -> None:
    """
    Law 11: rounding is a decision about somebody's debt and not ours to make.
    """
    with pytest.raises(InvalidValueError, match="decimals"):
        Money.of(text, currency)


def test_zeros_beyond_the_minor_unit_say_nothing() -> None:
    """
    A NUMERIC(20, 6) column hands over ``10.500000``, which is exact.
    """
    assert Money.of(Decimal("10.500000"), "PEN") == Money(1050, "PEN")
    assert Money.of("1500.000000", "CLP") == Money(1500, "CLP")
    assert Money.of(Decimal("1E+3"), "CLP") == Money(1000, "CLP")


@pytest.mark.parametrize(
    "wrong", [1.5, float("nan"), True, None, "1,50", "1e3", " 1", "", "٣", "1_000", Decimal("NaN")]
)
def test_what_is_no_plain_decimal_is_refused(wrong: Any) -> None:
    """
    Law 11: above all no float, which cannot hold cents.
    """
    with pytest.raises(InvalidValueError):
        Money.of(wrong, "PEN")


@pytest.mark.parametrize("wrong", [1.0, True, "1", None, Decimal(1), LARGEST + 1, -LARGEST - 1])
def test_minor_units_are_integers_of_64_bits(wrong: Any) -> None:
    """
    Law 11: a larger one would not come back from the database.
    """
    with pytest.raises(InvalidValueError):
        Money(wrong, "PEN")


@pytest.mark.parametrize("code", ["pen", "XXX", "", "PE", "S/"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    """
    Law 11: without the exponent nobody knows how much it is.
    """
    with pytest.raises(InvalidValueError, match="ISO 4217"):
        Money(1, code)
    with pytest.raises(InvalidValueError, match="ISO 4217"):
        Money.of("1", code)


ARITHMETIC = [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("operation", ARITHMETIC)
def test_currencies_never_meet(operation: Callable[[Any, Any], Any]) -> None:
    """
    Law 11: soles and dollars have neither sum nor order; equality alone is asked safely.
    """
    with pytest.raises(InvalidValueError, match="across currencies"):
        operation(Money(1, "PEN"), Money(1, "USD"))
    assert Money(1, "PEN") != Money(1, "USD")


@pytest.mark.parametrize("operation", ARITHMETIC)
@pytest.mark.parametrize("other", [1, 1.5, Decimal(1), None])
def test_money_meets_money_only(operation: Callable[[Any, Any], Any], other: Any) -> None:
    """
    Law 11: a bare number has no currency, and a float no cents.
    """
    with pytest.raises(TypeError):
        operation(Money(1, "PEN"), other)


@given(minors, minors)
def test_order_is_that_of_the_minor_units(left: int, right: int) -> None:
    """
    Whether a promise is kept is decided by this comparison.
    """
    assert (Money(left, "COP") < Money(right, "COP")) == (left < right)
    assert (Money(left, "COP") >= Money(right, "COP")) == (left >= right)


def test_a_sum_beyond_the_column_is_refused() -> None:
    """
    Law 11: better an error than a debt that wraps round.
    """
    with pytest.raises(InvalidValueError):
        Money(LARGEST, "COP") + Money(1, "COP")
