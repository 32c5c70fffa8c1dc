"""
Amounts as people and programs write them, read exactly or refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from cobranza_sdk import InvalidValueError, Money


class Mark(StrEnum):
    """
    What separates the decimals in a column.
    """

    POINT = "."
    COMMA = ","
    #: The column has both kinds of cells: only those that say it themselves are read.
    MIXED = "mixed"


class StoredNumber(str):
    """
    A number that a workbook holds: the point in it is the decimal mark, whatever the texts of its column write.
    """

    __slots__ = ()

    def strip(self, _: str | None = None, /) -> StoredNumber:
        """
        The number: it has no blanks, and stays what it is.
        """
        return self


class UnreadableAmountError(ValueError):
    """
    A cell is no amount. The text quotes at most 40 characters, and only what cannot be a name or a phone.
    """

    def __init__(self, cell: str, reason: str) -> None:
        super().__init__(f"{quoted(cell)} {reason}")


#: Decimal mark by habit, for columns in which no cell says it. Ecuador writes both and has no entry.
HABITS: dict[str, Mark] = {
    **dict.fromkeys(("MX", "PE", "GT", "HN", "SV", "NI", "PA", "DO", "PR", "US"), Mark.POINT),
    **dict.fromkeys(("AR", "BO", "BR", "CL", "CO", "CR", "PY", "UY", "VE"), Mark.COMMA),
}

# A sign stands for one currency or, like $ and Bs, for several: then it says nothing.
_SIGNS: dict[str, str | None] = {
    "RD$": "DOP",
    "U$S": "USD",
    "US$": "USD",
    "MX$": "MXN",
    "R$": "BRL",
    "C$": "NIO",
    "B/.": "PAB",
    "S/.": "PEN",
    "S/": "PEN",
    "BS.": None,
    "BS": None,
    "GS.": "PYG",
    "GS": "PYG",
    "₲": "PYG",
    "₡": "CRC",
    "€": "EUR",
    "$": None,
    "Q": "GTQ",
    "L": "HNL",
}
_SIGN = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True))
_CODE = "[A-Z]{3}"
_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,2})?", re.ASCII)
_SHAPE = re.compile(
    rf"""
    (?P<open>\()?
    (?P<lead>-)?
    (?:(?P<before>{_SIGN}|{_CODE}(?![A-Z])))?
    (?P<inner>-)?
    (?P<number>[0-9.,'\ ]*[0-9])
    (?:\ ?(?P<after>{_SIGN}|(?!CR|DR|DB){_CODE}))?
    (?P<trail>-|\ ?CR|\ ?D[RB])?
    (?P<close>\))?
    """,
    re.ASCII | re.VERBOSE | re.IGNORECASE,
)
_GROUPS = {mark: re.compile(rf"[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+", re.ASCII) for mark in ".,' "}
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\t": " ", "\u2019": "'", "\u2212": "-"})
_STRAY = re.compile(r"(?<=[^0-9]) +| +(?=[^0-9A-Za-z])")
_DAMAGED = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.ASCII | re.IGNORECASE)
_ALIKE = 3
_MAX_INTEGER = 19
_MAX_DECIMALS = 12
_MAX_CELL = 60
_SHOWN = 40
_SHOWN_DIGITS = 8


def quoted(cell: str) -> str:
    """
    *Cell* for an error text: as it is when it looks like an amount or a date, else only what kind of text it is.

    Columns shift in broken rows, so a cell under an amount's header may hold a name or a phone.
    """
    digits = sum(char.isdigit() for char in cell)
    if not cell.isprintable() or not digits or re.search(r"[^\W\d_]{4}", cell):
        return "a text"
    if digits > _SHOWN_DIGITS and not re.search(r"[.,][0-9]{1,2}[-)]?$|[0-9]E\+?[0-9]", cell):
        return f"a text with {digits} digits"
    return repr(cell if len(cell) <= _SHOWN else cell[: _SHOWN - 1] + "…")


def evidence(cell: str) -> Mark | bool | None:
    """
    What *cell* says about the decimal mark of its column.

    Returns:
        The mark; True when the cell can be read in two ways, as 1.234 can; None when it says nothing.
    """
    text = cell.strip()
    found = None if isinstance(cell, StoredNumber) or len(text) > _MAX_CELL else _SHAPE.fullmatch(_clean(text))
    if found is None:
        return None
    return _evidence(found["number"].replace(" ", "").replace("'", ""))


def _evidence(number: str) -> Mark | bool | None:
    points, commas = number.count("."), number.count(",")
    if points and commas:
        return Mark.POINT if number.rfind(".") > number.rfind(",") else Mark.COMMA
    if not points and not commas:
        return None
    mark, other = (Mark.POINT, Mark.COMMA) if points else (Mark.COMMA, Mark.POINT)
    if points + commas > 1:
        return other
    whole, _, decimals = number.partition(mark)
    grouped = len(decimals) == _ALIKE and 1 <= len(whole) <= _ALIKE and whole[0] != "0"
    return True if grouped else mark


def settle(votes: Iterable[Mark | bool | None], others: Iterable[Mark] = (), habit: Mark | None = None) -> Mark | None:
    """
    Decide a column's mark.

    Args:
        votes: What its cells say, see `evidence`.
        others: Marks that the file's other amount columns settled on.
        habit: The country's.

    Returns:
        The mark, or None when some cell can be read in two ways and nothing decides.
    """
    said = set(votes)
    marks = {vote for vote in said if isinstance(vote, Mark)}
    if len(marks) > 1:
        return Mark.MIXED
    if marks:
        return marks.pop()
    elsewhere = set(others)
    if len(elsewhere) == 1:
        return elsewhere.pop()
    if habit is not None:
        return habit
    return None if True in said else Mark.POINT


def _clean(cell: str) -> str:
    text = cell.strip() if cell.isascii() and "\t" not in cell else cell.translate(_BLANKS).strip()
    return _STRAY.sub("", text) if " " in text else text


def parse(cell: str, mark: Mark) -> tuple[Decimal, str | None] | None:
    """
    Read one amount.

    Args:
        cell: As it stands in the file.
        mark: What separates the decimals in its column.

    Returns:
        The amount and the currency that the cell itself names, if any; None for a cell without an amount, such as
        a blank one or ``-``.

    Raises:
        UnreadableAmountError: It is no amount, or could be two.
    """
    text = cell.strip()
    mark = Mark.POINT if isinstance(cell, StoredNumber) else mark
    if mark is not Mark.COMMA and _PLAIN.fullmatch(text):
        return Decimal(text), None
    if len(text) > _MAX_CELL:
        raise UnreadableAmountError(cell[:_MAX_CELL], "is too long for an amount")
    text = _clean(text)
    if text in {"", "-", "--"}:
        return None
    if _DAMAGED.fullmatch(text):
        raise UnreadableAmountError(cell, "was damaged by a spreadsheet: format the column as a number")
    found = _SHAPE.fullmatch(text)
    if found is None or (not text.isascii() and not _ascii_digits(text)):
        raise UnreadableAmountError(cell, "is no amount")
    trail = (found["trail"] or "").strip().upper()
    signs = [bool(found["open"]), bool(found["lead"]), bool(found["inner"]), trail in {"-", "CR"}]
    if bool(found["open"]) != bool(found["close"]) or sum(signs) > 1 or (found["before"] and found["after"]):
        raise UnreadableAmountError(cell, "is no amount")
    number = _number(found["number"], mark, cell)
    return (-number if any(signs) else number), _currency(found["before"] or found["after"])


def _ascii_digits(text: str) -> bool:
    return all(char.isascii() for char in text if char.isdigit() or char.isnumeric())


def _currency(sign: str | None) -> str | None:
    if sign is None:
        return None
    upper = sign.upper()
    return _SIGNS.get(upper, upper)


def _number(number: str, mark: Mark, cell: str) -> Decimal:
    said = _evidence(number.replace(" ", "").replace("'", ""))
    if said is True and mark is Mark.MIXED:
        raise UnreadableAmountError(cell, "can be read in two ways, and the column writes both")
    if isinstance(said, Mark) and mark is not Mark.MIXED and said is not mark:
        raise UnreadableAmountError(cell, f"does not fit the decimal mark {mark.value!r} of its column")
    decimal = said if isinstance(said, Mark) else mark if mark is not Mark.MIXED else Mark.POINT
    whole, _, decimals = number.partition(decimal.value) if decimal.value in number else (number, "", "")
    if not whole.isdigit() and whole:
        whole = _ungrouped(whole, decimal, cell)
    if not (decimals.isdigit() or decimals == "") or len(whole) > _MAX_INTEGER or len(decimals) > _MAX_DECIMALS:
        raise UnreadableAmountError(cell, "is no amount")
    return Decimal(f"{whole or '0'}.{decimals or '0'}")


def _ungrouped(whole: str, decimal: Mark, cell: str) -> str:
    for mark, groups in _GROUPS.items():
        if mark != decimal.value and groups.fullmatch(whole):
            return whole.replace(mark, "")
    raise UnreadableAmountError(cell, "has thousands in no known form")


def to_money(amount: Decimal, currency: str) -> Money:
    """
    *Amount* in *currency*; zeros behind the currency's last decimal are dropped, other digits refused.

    Raises:
        InvalidValueError: The code is unknown, the amount too large or finer than the minor unit.
    """
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    try:
        return Money.of(text, currency)
    except InvalidValueError as error:
        raise InvalidValueError(str(error).replace("Money.of: ", "").replace("Money.of ", "the amount ")) from None
