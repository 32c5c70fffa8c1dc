"""
Clocks and calendars: zones, holidays, and windows as sorted instants.

Instants are whole epoch seconds; a day is a date where the debtor is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

from cobranza_sdk.compliance._pack import HolidayData

#: Years that can be judged at all; no pack's calendar reaches further.
FIRST_YEAR, LAST_YEAR = 1990, 2100
_DAY = 86_400


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo | None:
    """
    The IANA zone *name*, or None when there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_date(epoch: int, tz: ZoneInfo) -> date:
    """
    The date in *tz* at *epoch*.
    """
    return datetime.fromtimestamp(epoch, tz).date()


def day_start(day: date, tz: ZoneInfo) -> int:
    """
    Epoch second at which *day* begins in *tz*: its first existing instant, also where midnight is skipped.
    """
    return _instant(day, 0, tz, opening=False)


def _instant(day: date, minute: int, tz: ZoneInfo, *, opening: bool) -> int:
    """
    When the wall clock shows *minute* of *day*. Of an hour shown twice, windows open in the second and close in the
    first; a time that is skipped stands for the end of the gap.
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=tz) + timedelta(minutes=minute)
    first, second = int(wall.timestamp()), int(wall.replace(fold=1).timestamp())
    if first <= second:
        return second if opening else first
    return _gap_end(second, first, tz)


def _gap_end(before: int, after: int, tz: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(after, tz).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, tz).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def ceil_minute(epoch: float) -> int:
    """
    The first whole minute at or after *epoch*.
    """
    return int(-(-epoch // 60) * 60)


@lru_cache(maxsize=512)
def holidays_of(data: HolidayData, year: int) -> frozenset[date]:
    """
    Holidays of one year, with those of the region where the data names one.
    """
    import holidays

    # A fixed language: names would follow the machine's otherwise. Only the dates are kept.
    found = holidays.country_holidays(
        data.calendar, subdiv=data.subdivision, years=year, language="en_US", categories=data.categories
    )
    return frozenset(found) - data.remove | {day for day in data.add if day.year == year}


@frozen(kw_only=True)
class _Table:
    """
    Open stretches of some years.

    Attributes:
        years: First and last year, both included.
        opens: When each opens, ascending.
        closes: When each closes.
    """

    years: tuple[int, int]
    opens: tuple[int, ...]
    closes: tuple[int, ...]


class WindowTable:
    """
    Open stretches of one weekly window in one zone, as sorted instants, made year by year when asked for.

    Args:
        hours: By weekday from Monday, pairs of minutes ``(open, close)``; close is excluded.
        tz: The debtor's zone.
        holidays: Days that are closed altogether, or None when holidays are as other days.
    """

    def __init__(
        self, hours: tuple[tuple[tuple[int, int], ...], ...], tz: ZoneInfo, holidays: HolidayData | None
    ) -> None:
        self._hours, self._tz, self._holidays = hours, tz, holidays
        # Replaced as a whole: threads that judge at the same time never see half a table.
        self._table = _Table(years=(0, -1), opens=(), closes=())

    def at(self, epoch: int) -> tuple[bool, int | None]:
        """
        Whether the window is open at *epoch*, and until when, or when it opens next.

        None for the next opening when the calendar ends before it.
        """
        year = max(FIRST_YEAR, local_date(epoch, self._tz).year)
        table = self._table
        if not table.years[0] < year < table.years[1]:
            table = self._table = self._extended(table, year)
        index = bisect_right(table.opens, epoch) - 1
        if index >= 0 and epoch < table.closes[index]:
            return True, table.closes[index]
        following = table.opens[index + 1] if index + 1 < len(table.opens) else None
        return False, following

    def _extended(self, table: _Table, year: int) -> _Table:
        first, last = year - 1, year + 2
        if table.years[1] >= table.years[0]:
            first, last = min(first, table.years[0]), max(last, table.years[1])
        spans = [span for y in range(first, last + 1) for span in self._spans(y)]
        return _Table(
            years=(first, last),
            opens=tuple(opening for opening, _ in spans),
            closes=tuple(closing for _, closing in spans),
        )

    def _spans(self, year: int) -> list[tuple[int, int]]:
        if self._holidays is not None and year > self._holidays.through:
            return []
        closed = holidays_of(self._holidays, year) if self._holidays is not None else frozenset()
        spans: list[tuple[int, int]] = []
        day, start = date(year, 1, 1), day_start(date(year, 1, 1), self._tz)
        while day.year == year:
            tomorrow = day + timedelta(days=1)
            following = day_start(tomorrow, self._tz)
            if day not in closed:
                # A day of 24 hours needs no look at each edge; nearly all are.
                plain = start if following - start == _DAY else None
                spans.extend(self._day_spans(day, plain))
            day, start = tomorrow, following
        return spans

    def _day_spans(self, day: date, plain: int | None) -> Iterator[tuple[int, int]]:
        for opening, closing in self._hours[day.weekday()]:
            if plain is not None:
                yield plain + opening * 60, plain + closing * 60
                continue
            first = _instant(day, opening, self._tz, opening=True)
            last = _instant(day, closing, self._tz, opening=False)
            if first < last:
                yield first, last
