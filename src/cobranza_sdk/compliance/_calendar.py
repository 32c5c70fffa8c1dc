"""
Clocks and calendars: zones, days, holidays, and the stretches in which a weekly window is open.

Instants are whole epoch seconds; a day is a date where the debtor is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from attrs import frozen

from cobranza_sdk.compliance._pack import HolidayData

#: Years that can be judged at all; no pack's calendar reaches further.
FIRST_YEAR, LAST_YEAR = 1990, 2100
_DAY = 86_400
#: Longer ago than any period reaches back; before it there are instants that no local clock can show.
_LONG_AGO = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
_YEARS = [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in range(FIRST_YEAR - 3, LAST_YEAR + 5)]

#: Open stretches of a week: by weekday from Monday, pairs of minutes ``(open, close)``; close is excluded.
Hours = tuple[tuple[tuple[int, int], ...], ...]


def year_of(epoch: int) -> int:
    """
    The year in UTC.
    """
    return FIRST_YEAR - 4 + bisect_right(_YEARS, epoch)


def year_start(year: int) -> int:
    """
    Epoch second at which a year begins in UTC.
    """
    return _YEARS[year - FIRST_YEAR + 3]


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


@lru_cache(maxsize=1024)
def _starts_of(zone_name: str, year: int) -> tuple[int, ...]:
    """
    When each day of a year begins, in order, and the first of the next year.
    """
    tz = ZoneInfo(zone_name)
    first = date(year, 1, 1)
    count = (date(year + 1, 1, 1) - first).days
    return tuple(day_start(first + timedelta(days=number), tz) for number in range(count + 1))


@frozen(kw_only=True)
class Day:
    """
    A day where the debtor is.

    Attributes:
        date: Which.
        begins: Epoch second of its first instant.
        ends: Epoch second at which the next day begins.
    """

    date: date
    begins: int
    ends: int


@lru_cache(maxsize=65_536)
def day_of(epoch_day: date, tz: ZoneInfo) -> Day:
    """
    The day *epoch_day* in *tz*.
    """
    starts = _starts_of(tz.key, epoch_day.year)
    index = epoch_day.timetuple().tm_yday - 1
    return Day(date=epoch_day, begins=starts[index], ends=starts[index + 1])


def day_at(epoch: int, tz: ZoneInfo) -> Day:
    """
    The day in *tz* at *epoch*; what is longer ago than anybody counts stands for a day of 1900.
    """
    return day_of(datetime.fromtimestamp(max(epoch, _LONG_AGO), tz).date(), tz)


def day_after(day: Day, days: int, tz: ZoneInfo) -> int:
    """
    When the day begins that lies *days* later.
    """
    return day_of(day.date + timedelta(days=days), tz).begins


def day_bounds(epoch: int, tz: ZoneInfo) -> tuple[int, int]:
    """
    When the day around an instant begins in *tz*, and the next one.
    """
    year = year_of(epoch)
    starts = _starts_of(tz.key, year)
    if not starts[0] <= epoch < starts[-1]:  # the year is told in UTC
        starts = _starts_of(tz.key, year - 1 if epoch < starts[0] else year + 1)
    index = bisect_right(starts, epoch)
    return starts[index - 1], starts[index]


def week_bounds(epoch: int, tz: ZoneInfo) -> tuple[int, int]:
    """
    When the Monday of the week around an instant begins in *tz*, and the next one.
    """
    day = day_at(epoch, tz)
    return day_after(day, -day.date.weekday(), tz), day_after(day, 7 - day.date.weekday(), tz)


@lru_cache(maxsize=2048)
def spans_of(hours: Hours, zone_name: str, holidays: HolidayData | None, year: int) -> tuple[tuple[int, int], ...]:
    """
    Stretches of one year in which a window is open, ascending; none beyond the end of the calendar.

    Args:
        hours: The week.
        zone_name: The debtor's zone.
        holidays: Days that are closed altogether, or None when holidays are as other days.
        year: By the debtor's clock.
    """
    if not FIRST_YEAR - 1 <= year <= LAST_YEAR + 1 or (holidays is not None and year > holidays.through):
        return ()
    tz = ZoneInfo(zone_name)
    closed = holidays_of(holidays, year) if holidays is not None else frozenset()
    starts = _starts_of(zone_name, year)
    spans: list[tuple[int, int]] = []
    day = date(year, 1, 1)
    for begins, ends in pairwise(starts):
        if day not in closed:
            # A day of 24 hours needs no look at each edge; nearly all are.
            spans.extend(_day_spans(hours[day.weekday()], day, tz, begins if ends - begins == _DAY else None))
        day += timedelta(days=1)
    return tuple(spans)


def _day_spans(
    hours: tuple[tuple[int, int], ...], day: date, tz: ZoneInfo, plain: int | None
) -> Iterator[tuple[int, int]]:
    for opening, closing in hours:
        if plain is not None:
            yield plain + opening * 60, plain + closing * 60
            continue
        first = _instant(day, opening, tz, opening=True)
        last = _instant(day, closing, tz, opening=False)
        if first < last:
            yield first, last
