"""
A second reading of window rules, slow and plain, that checks the quick one: one wall clock at one instant.

It shares the parsed rule with the quick reading and no code: what both say is right twice or wrong twice over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cobranza_sdk.compliance._pack import CountryData, HolidayData, Rule
from cobranza_sdk.model import Contact

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
#: How far the next permitted minute is looked for.
_DAYS_AHEAD = 400


def speaks_of(rule: Rule, contact: Contact) -> bool:
    """
    Whether a rule speaks of such a contact, its date apart.
    """
    pairs = (
        (contact.family, rule.families),
        (contact.channel, rule.channels),
        (contact.stage, rule.stages),
        (contact.purpose, rule.purposes),
        (contact.collector, rule.collectors),
        (contact.country, rule.countries),
        (contact.region or "", rule.regions),
    )
    if any((value in selection.names) == selection.excluded for value, selection in pairs):
        return False
    if rule.sector == "financial" and contact.sector != "financial":
        return False
    return contact.flags.issuperset(rule.flags) and contact.flags.isdisjoint(rule.unless_flags)


@lru_cache(maxsize=256)
def holidays_in(data: HolidayData, year: int) -> Mapping[date, str]:
    """
    The holidays of a year, as the library and the pack tell them.
    """
    import holidays

    told = holidays.country_holidays(
        data.calendar, subdiv=data.subdivision, years=year, language="en_US", categories=data.categories
    )
    found = {day: "holiday" for day in told if day not in data.remove}
    return found | {day: "added" for day in data.add if day.year == year}


@lru_cache(maxsize=1 << 16)  # kinds of contact share their days and clocks: half the time of a check
def _moment(day: date, minute: int, tz: ZoneInfo, fold: int) -> datetime:
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001  # a wall clock
    return wall.replace(tzinfo=tz, fold=fold).astimezone(UTC)


def _is_open(rule: Rule, data: HolidayData, tz: ZoneInfo, at: datetime) -> bool:
    wall = at.astimezone(tz)
    day, minute = wall.date(), wall.hour * 60 + wall.minute
    if rule.closed_on_holidays and (day.year > data.through or day in holidays_in(data, day.year)):
        return False
    return any(
        opens <= minute < closes and _holds_in_fold(day, opens, closes, tz, at)
        for opens, closes in rule.hours[day.weekday()]
    )


def _holds_in_fold(day: date, opens: int, closes: int, tz: ZoneInfo, at: datetime) -> bool:
    """
    Of an hour shown twice, a window opens in the second and closes in the first.
    """
    first, second = _moment(day, opens, tz, 0), _moment(day, opens, tz, 1)
    if first < second and at < second:
        return False
    first, second = _moment(day, closes, tz, 0), _moment(day, closes, tz, 1)
    return not (first < second and at >= first)


def closed_windows(
    rules: Sequence[Rule], country: CountryData, contact: Contact, zones: Sequence[ZoneInfo], at: datetime
) -> frozenset[str]:
    """
    Ids of the window rules that forbid a contact at an instant, in any of the zones the person may be in.

    Args:
        rules: Window rules of one reading; those that do not speak of the contact are passed over.
        country: Clock and calendar.
        contact: What is to be made.
        zones: Where the person may be.
        at: The instant, aware; the contact's own is not used.
    """
    data = country.holidays_in(contact.region)
    days = [at.astimezone(tz).date() for tz in zones]
    return frozenset(
        rule.id
        for rule in rules
        if speaks_of(rule, contact)
        and min(days) <= (rule.effective_to or date.max)
        and max(days) >= rule.effective_from
        and not all(_is_open(rule, data, tz, at) for tz in zones)
    )


def next_open(
    rules: Sequence[Rule], country: CountryData, contact: Contact, zones: Sequence[ZoneInfo], after: datetime
) -> datetime | None:
    """
    The first minute after an instant that no window forbids; None when there is none for long.
    """
    spoken = [rule for rule in rules if speaks_of(rule, contact)]
    minutes = {opens for rule in spoken for day in rule.hours for opens, _ in day} | {0}
    first = after.astimezone(UTC).date() - _DAY
    for number in range(_DAYS_AHEAD + 2):
        for moment in sorted(set(_candidates(first + number * _DAY, minutes, zones))):
            if moment > after and not closed_windows(spoken, country, contact, zones, moment):
                return moment
    return None


def _candidates(day: date, minutes: set[int], zones: Sequence[ZoneInfo]) -> Iterator[datetime]:
    """
    Instants of a day at which something may open; on a day on which a clock changes, each of its minutes.
    """
    for tz in zones:
        start, end = _moment(day, 0, tz, 0), _moment(day + _DAY, 0, tz, 0)
        if end - start != _DAY:
            yield from (start + number * _MINUTE for number in range((end - start) // _MINUTE))
        else:
            yield from (_moment(day, minute, tz, 0) for minute in minutes)


def changes_clock(day: date, tz: ZoneInfo) -> bool:
    """
    Whether the clock changes on that day.
    """
    return _moment(day + _DAY, 0, tz, 1) - _moment(day, 0, tz, 0) != _DAY
