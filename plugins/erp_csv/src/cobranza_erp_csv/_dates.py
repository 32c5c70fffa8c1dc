"""
Dates as exports write them: calendar days without a time zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum

from cobranza_erp_csv._amounts import quoted
from cobranza_sdk import InvalidValueError


class Order(StrEnum):
    """
    Which part of a numeric date comes first.
    """

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"
    YEAR_FIRST = "ymd"
    #: The column has both kinds of cells: only those that say it themselves are read.
    MIXED = "mixed"


class UnreadableDateError(ValueError):
    """
    A cell is no date. The text quotes what cannot be a name or a phone.
    """

    def __init__(self, cell: str, reason: str) -> None:
        super().__init__(f"{quoted(cell)} {reason}")


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "ene jan enero janeiro january",
            "feb fev febrero fevereiro february",
            "mar marzo marco march",
            "abr apr abril april",
            "may mai mayo maio",
            "jun junio junho june",
            "jul julio julho july",
            "ago aug agosto august",
            "set sep sept setiembre septiembre setembro september",
            "oct out octubre outubro october",
            "nov noviembre novembro november",
            "dic dez dec diciembre dezembro december",
        ),
        start=1,
    )
    for name in names.split()
}
_EMPTY = frozenset({"", "-", "0", "00/00/0000", "00-00-0000", "00.00.0000", "0000-00-00", "00000000"})
_EMPTY_DAYS = frozenset({date(1899, 12, 30), date(1899, 12, 31)})
_TIME = r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?[ap]\.? ?m\.?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
_ISO = re.compile(rf"([0-9]{{4}})([-/.])([0-9]{{1,2}})\2([0-9]{{1,2}}){_TIME}", re.ASCII | re.IGNORECASE)
_COMPACT = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})", re.ASCII)
_PARTS = re.compile(rf"([0-9]{{1,2}})([-/.])([0-9]{{1,2}})\2([0-9]{{4}}|[0-9]{{2}}){_TIME}", re.ASCII | re.IGNORECASE)
_NAMED = re.compile(r"([0-9]{1,2})(?:[-/. ]|\s+de\s+)([a-zç]{3,10})\.?(?:[-/. ]|\s+del?\s+)([0-9]{4}|[0-9]{2})")
_SERIAL = re.compile(r"([0-9]{5})(?:[.,]0+)?", re.ASCII)
_EPOCH = date(1899, 12, 30)
# 1954 to 2099: outside them five digits are some other number
_SERIALS = range(20_000, 73_051)
_MONTHS_A_YEAR = 12
_YEARS = range(1950, 2200)
_SHORT_YEAR = 100
_MAX_CELL = 60


def order_of(text: str) -> Order:
    """
    Read the setting ``date_format``: ``iso``, ``dmy``, ``mdy``, ``dd/mm/yyyy``, ``%d/%m/%Y`` and the like.

    Raises:
        InvalidValueError: It does not name day, month and year once each.
    """
    plain = text.strip().lower()
    if plain in {"iso", "ymd"}:
        return Order.YEAR_FIRST
    letters = re.sub(r"(.)\1+", r"\1", "".join(char for char in plain.replace("%b", "m") if char in "dmya"))
    try:
        return Order(letters.replace("a", "y"))
    except ValueError:
        msg = f"date_format {text[:20]!r} is not known"
        raise InvalidValueError(msg, hint="one of iso, dmy, mdy, dd/mm/yyyy, mm/dd/yyyy") from None


def evidence(cell: str) -> Order | None:
    """
    What *cell* says about the order of its column: a part over 12 can only be a day. None when it says nothing.
    """
    found = _PARTS.fullmatch(cell.strip())
    if found is None:
        return None
    first, second = int(found[1]), int(found[3])
    if first > _MONTHS_A_YEAR >= second:
        return Order.DAY_FIRST
    return Order.MONTH_FIRST if second > _MONTHS_A_YEAR >= first else None


def settle(votes: Iterable[Order | None], others: Iterable[Order] = (), habit: Order = Order.DAY_FIRST) -> Order:
    """
    Decide a column's order from its cells, then the file's other date columns, then the country's habit.
    """
    said = {vote for vote in votes if vote is not None}
    if len(said) > 1:
        return Order.MIXED
    if said:
        return said.pop()
    elsewhere = set(others)
    return elsewhere.pop() if len(elsewhere) == 1 else habit


def parse(cell: str, order: Order) -> date | None:
    """
    Read one date. A time of day is dropped, never shifted.

    Returns:
        The day, or None for a blank cell and for the ways in which exports write none.

    Raises:
        UnreadableDateError: It is no date, could be two, or lies outside 1950 to 2199.
    """
    text = cell.strip()
    if len(text) > _MAX_CELL:
        raise UnreadableDateError(text[:_MAX_CELL], "is too long for a date")
    if text in _EMPTY or text.startswith("1900-01-00"):
        return None
    try:
        day = _day(text, order, cell)
    except (ValueError, OverflowError) as error:
        if isinstance(error, UnreadableDateError):
            raise
        raise UnreadableDateError(cell, "is no day of the calendar") from None
    if day in _EMPTY_DAYS:
        return None
    if day.year not in _YEARS:
        raise UnreadableDateError(cell, "lies outside the years 1950 to 2199")
    return day


def _day(text: str, order: Order, cell: str) -> date:
    if found := _ISO.fullmatch(text):
        return date(int(found[1]), int(found[3]), int(found[4]))
    if found := _PARTS.fullmatch(text):
        return _by_parts(int(found[1]), int(found[3]), _year(found[4]), order, cell)
    if found := _COMPACT.fullmatch(text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    if (found := _SERIAL.fullmatch(text)) and int(found[1]) in _SERIALS:
        return _EPOCH + timedelta(days=int(found[1]))
    if (found := _NAMED.fullmatch(text.lower())) and found[2] in _MONTHS and text.isprintable():
        return date(_year(found[3]), _MONTHS[found[2]], int(found[1]))
    raise UnreadableDateError(cell, "is no date")


def _year(text: str) -> int:
    number = int(text)
    return number + 2000 if number < _SHORT_YEAR and len(text) == len("26") else number


def _by_parts(first: int, second: int, year: int, order: Order, cell: str) -> date:
    if order is Order.YEAR_FIRST:
        raise UnreadableDateError(cell, "is not written year-month-day")
    if order is Order.MIXED:
        said = evidence(cell)
        if said is None and first != second:
            raise UnreadableDateError(cell, "can be read in two ways, and the column writes both")
        order = said or Order.DAY_FIRST
    return date(year, second, first) if order is Order.DAY_FIRST else date(year, first, second)
