"""
Amounts as the vendor writes them: numbers in JSON, exactly, never by way of a float.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cobranza_sdk import Category, Disposition, InvalidValueError, Money, ProviderError, Transmitted

#: Decimals that the vendor takes, by currency. The peso of Colombia has centavos that nobody uses: none are taken.
DECIMALS = {"ARS": 2, "BRL": 2, "CLP": 0, "COP": 0, "MXN": 2, "PEN": 2, "UYU": 2}


def to_vendor(money: Money) -> Decimal:
    """
    The amount as the vendor takes it.

    Raises:
        ProviderError: The currency is not taken, or the amount is finer than the vendor takes, or not above zero.
    """
    digits = DECIMALS.get(money.currency)
    amount = money.amount
    if digits is None or money.minor <= 0 or amount != amount.quantize(Decimal(1).scaleb(-digits)):
        raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code="amount")
    return amount.quantize(Decimal(1).scaleb(-digits))


def from_vendor(value: object, currency: object) -> Money | None:
    """
    The vendor's number as money; None where it is none.
    """
    number = Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(number, Decimal) or not isinstance(currency, str):
        return None
    try:
        return Money.of(number, currency)
    except InvalidValueError:
        return None


def read_json(content: bytes) -> Any:
    """
    The JSON of an answer with its decimals as they stand, or None where it is none.
    """
    try:
        return json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return None


def write_json(value: Any) -> str:
    """
    JSON in which a `Decimal` is a number with all of its digits.
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{write_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(write_json, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value)
