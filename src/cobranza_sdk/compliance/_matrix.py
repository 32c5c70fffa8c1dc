"""
Proves the windows of a pack at their edges: what the decider says of each is held against the slow reading, and the
next permitted minute that it tells against what it says of that minute and the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from cobranza_sdk.compliance._decide import READINGS, Decider
from cobranza_sdk.compliance._pack import DAY_MINUTES, DAYS, EVERYTHING, CountryData, Pack, Rule, Selection
from cobranza_sdk.compliance._slow import changes_clock, closed_windows, holidays_in, next_open, speaks_of
from cobranza_sdk.model import CHANNEL_FAMILIES, COLLECTORS, FAMILIES, SECTORS, STAGES, Contact, Decision, Verdict

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_PERMITTED = (Verdict.ALLOW, Verdict.AMEND)
#: Stands for any name that no rule knows.
_OTHER = "other"
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_WEEK = len(DAYS)
#: What the slow reading says: closed windows and the next opening. Many kinds of contact ask alike.
Answers = dict[tuple[object, ...], tuple[frozenset[str], datetime | None]]


@frozen(kw_only=True)
class Cell:
    """
    One kind of contact to be probed: a rule's, in one country, in some zones.
    """

    rule: Rule
    reading: str
    country: CountryData
    contact: Contact
    zones: tuple[ZoneInfo, ...]

    @property
    def words(self) -> str:
        """
        What it is, for a message.
        """
        told = self.contact
        where = ", ".join(tz.key for tz in self.zones)
        return f"{told.country} {told.region or 'any region'}, {told.channel}, {where}, {self.reading} reading"


def windows_of(pack: Pack, reading: str) -> tuple[Rule, ...]:
    """
    The window rules that one reading judges by.
    """
    return tuple(rule for rule in pack.rules if rule.kind == "window" and rule.reading in (None, reading))


def cells_of(pack: Pack) -> Iterator[Cell]:
    """
    Every window rule by every country, zone (and all zones together) and family of channel.
    """
    for reading in READINGS:
        for rule, (code, country) in product(windows_of(pack, reading), pack.countries.items()):
            for contact in _contacts(rule, code):
                names = country.zones.get(contact.region or "*", country.zones["*"])
                alone = [(name,) for name in names]
                for zones in [*alone, tuple(names)] if len(names) > 1 else alone:
                    yield Cell(
                        rule=rule,
                        reading=reading,
                        country=country,
                        contact=evolve(contact, timezones=zones),
                        zones=tuple(map(ZoneInfo, zones)),
                    )


def _contacts(rule: Rule, country: str) -> Iterator[Contact]:
    region = _region(rule.regions, country)
    if region == _OTHER or rule.flags & rule.unless_flags:
        return
    for channel, family in _channels(rule.channels):
        contact = Contact(
            at=_NOON,
            channel=channel,
            family=family,
            country=country,
            region=region,
            recipient="debtor",
            holder_confirmed=True,
            consent="yes",
            stage=_one(rule.stages, STAGES[1:] + STAGES),
            purpose=_one(rule.purposes, ("demand", *sorted(rule.purposes.names), _OTHER)),
            collector=_one(rule.collectors, COLLECTORS[1:] + COLLECTORS),
            flags=rule.flags,
        )
        if speaks_of(rule, contact):
            yield contact


def _one(selection: Selection, names: Sequence[str]) -> str:
    return next((name for name in names if name in selection), names[0])


def _region(selection: Selection, country: str) -> str | None:
    if "" in selection:
        return None
    return next((name for name in sorted(selection.names) if name.startswith(f"{country}-")), _OTHER)


def _channels(selection: Selection) -> Iterator[tuple[str, str]]:
    """
    A channel of each family, with those of plugins that a rule names under every family.
    """
    strange = sorted(selection.names - CHANNEL_FAMILIES.keys()) if not selection.excluded else []
    for family in FAMILIES:
        known = [name for name, its in CHANNEL_FAMILIES.items() if its == family]
        found = next((name for name in [*known, *strange] if name in selection), None)
        if found is not None:
            yield found, family


# -- instants ------------------------------------------------------------------------------------------------------


def instants_of(cell: Cell, years: Sequence[int]) -> list[datetime]:
    """
    Both sides of each edge minute of the rule, on every sort of day, by each clock.
    """
    minutes = {edge + side for day in cell.rule.hours for span in day for edge in span for side in (-1, 0)}
    found = set()
    for tz in cell.zones:
        for day, minute, fold in product(_days(cell, tz, years), minutes, (0, 1)):
            wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001  # a wall clock
            found.add(wall.replace(tzinfo=tz, fold=fold).astimezone(UTC))
    return sorted(found)


def _days(cell: Cell, tz: ZoneInfo, years: Sequence[int]) -> set[date]:
    """
    A week of each half-year, holidays with their eves and morrows, changes of the clock, turns of year and of law.
    """
    data = cell.country.holidays_in(cell.contact.region)
    found = {day for edge in (cell.rule.effective_from, cell.rule.effective_to) if edge for day in _around(edge)}
    for year in years:
        found.update(date(year, month, day) for month in (2, 8) for day in range(1, _WEEK + 1))
        found.update(near for day in holidays_in(data, year) for near in _around(day))
        found.update((date(year, 1, 1), date(year, 12, 31)))
        every = (date(year, 1, 1) + number * _DAY for number in range(366))
        found.update(day for day in every if changes_clock(day, tz))
    return {day for day in found if date(1991, 1, 1) < day < date(2099, 12, 31)}


def _around(day: date) -> tuple[date, ...]:
    if not date(1991, 1, 1) < day < date(2099, 12, 31):
        return ()
    return day - _DAY, day, day + _DAY


# -- the proof -----------------------------------------------------------------------------------------------------


@frozen
class Mismatch:
    """
    What is wrong at one instant.

    Attributes:
        part: ``edges`` where the slow reading differs, ``waits`` where the decider contradicts itself.
        text: One sentence with its place.
    """

    part: str
    text: str


def mismatches_of(
    pack: Pack, cell: Cell, decider: Decider, years: Sequence[int], known: Answers
) -> Iterator[list[Mismatch]]:
    """
    For every instant, how the decider and the slow reading differ, and how a wait is too short or too long.

    Args:
        pack: What is checked.
        cell: The kind of contact.
        decider: Of the pack alone, in the cell's reading.
        years: Which are probed.
        known: What the slow reading said before; it grows.
    """
    rules = [rule for rule in windows_of(pack, cell.reading) if speaks_of(rule, cell.contact)]
    ids = frozenset(rule.id for rule in pack.rules if rule.kind == "window")
    waited: set[datetime] = set()
    for at in instants_of(cell, years):
        contact = evolve(cell.contact, at=at)
        decision = decider.decide(contact)
        told = frozenset(finding.rule for finding in decision.findings) & ids
        waits = decision.verdict is Verdict.DEFER
        wanted, opens = _read(rules, cell, at, known, waits=waits)
        found = None
        if told != wanted:
            found = f"found closed: {_listed(told)}, expected {_listed(wanted)}"
        elif waits and decision.not_before != opens:
            found = f"found not_before {_iso(decision.not_before)}, expected {_iso(opens)}"
        wrong = [] if found is None else [("edges", found)]
        if decision.not_before is not None and decision.not_before not in waited:
            waited.add(decision.not_before)
            wrong += [("waits", text) for text in [wrong_wait(decider, contact, decision)] if text]
        place = f"{cell.rule.id}: {at.astimezone(cell.zones[0]).isoformat()} ({cell.words})"
        yield [Mismatch(part, f"{place}: {text}") for part, text in wrong]


def wrong_wait(decider: Decider, contact: Contact, decision: Decision) -> str | None:
    """
    How the next permitted minute of a deferral is not permitted, or not the first; None when it is right.
    """
    if decision.not_before is None:
        return None
    then = decider.decide(evolve(contact, at=decision.not_before)).verdict
    if then not in _PERMITTED:
        return f"not_before {_iso(decision.not_before)}: found {then} there, expected allow or amend"
    before = max(decision.not_before - _MINUTE, contact.at)
    then = decider.decide(evolve(contact, at=before)).verdict
    if then in _PERMITTED:
        return f"not_before {_iso(decision.not_before)}: found {then} a minute before, expected a refusal"
    return None


def _read(
    rules: Sequence[Rule], cell: Cell, at: datetime, known: Answers, *, waits: bool
) -> tuple[frozenset[str], datetime | None]:
    """
    What the slow reading says of an instant: the closed windows, and if it *waits* the next opening.
    """
    contact = cell.contact
    key = (tuple(rule.id for rule in rules), contact.country, contact.region, cell.zones, at, waits)
    if key not in known:
        closed = closed_windows(rules, cell.country, contact, cell.zones, at)
        known[key] = closed, next_open(rules, cell.country, contact, cell.zones, at) if waits else None
    return known[key]


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _iso(moment: datetime | None) -> str:
    return "none" if moment is None else moment.isoformat()


# -- windows that leave nothing ------------------------------------------------------------------------------------


def impossible_windows(pack: Pack) -> Iterator[str]:
    """
    Windows that together leave no minute of the week to some kind of contact, each group once.
    """
    seen: set[tuple[str, ...]] = set()
    for reading in READINGS:
        windows = windows_of(pack, reading)
        for country in pack.countries:
            for contact, group in _groups(windows, country):
                for names in _empty(group):
                    if names not in seen:
                        seen.add(names)
                        yield f"{' and '.join(names)} leave no minute of the week to {_kind(contact, reading)}"


def _groups(windows: Sequence[Rule], country: str) -> Iterator[tuple[Contact, tuple[Rule, ...]]]:
    """
    The sets of windows that speak of one kind of contact, each with such a contact.
    """
    found: dict[tuple[str, ...], tuple[Contact, tuple[Rule, ...]]] = {}
    flags = {frozenset[str](), *(rule.flags for rule in windows), frozenset().union(*(rule.flags for rule in windows))}
    regions = [None, *sorted(_named("regions", windows, prefix=f"{country}-"))]
    purposes = ["demand", *sorted(_named("purposes", windows) - {"demand"}), _OTHER]
    channels = {
        pair for rule in windows for selection in (rule.channels, EVERYTHING) for pair in _channels(selection)
    } | set(CHANNEL_FAMILIES.items())
    for (channel, family), stage, purpose, collector, sector, region, told in product(
        sorted(channels), STAGES, purposes, COLLECTORS, SECTORS, regions, sorted(flags, key=sorted)
    ):
        contact = Contact(
            at=_NOON,
            channel=channel,
            family=family,
            country=country,
            region=region,
            stage=stage,
            purpose=purpose,
            collector=collector,
            sector=sector,
            flags=told,
        )
        group = tuple(rule for rule in windows if speaks_of(rule, contact))
        found.setdefault(tuple(rule.id for rule in group), (contact, group))
    return iter(found.values())


def _named(field: str, windows: Sequence[Rule], *, prefix: str = "") -> set[str]:
    return {name for rule in windows for name in getattr(rule, field).names if name and name.startswith(prefix)}


def _empty(group: Sequence[Rule]) -> Iterator[tuple[str, ...]]:
    """
    Pairs that share no minute; where every pair does, all of them if they do not together.
    """
    for day in {rule.effective_from for rule in group}:
        there = [rule for rule in group if rule.effective_from <= day <= (rule.effective_to or date.max)]
        pairs: list[tuple[Rule, ...]] = [pair for pair in combinations(there, 2) if not _shared(pair)]
        for pair in pairs or ([tuple(there)] if there and not _shared(there) else []):
            yield tuple(sorted(rule.id for rule in pair))


def _shared(rules: Sequence[Rule]) -> int:
    """
    The minutes of a week at which all are open, a bit each.
    """
    shared = (1 << _WEEK * DAY_MINUTES) - 1
    for rule in rules:
        spans = (
            ((1 << closes - opens) - 1) << number * DAY_MINUTES + opens
            for number, day in enumerate(rule.hours)
            for opens, closes in day
        )
        shared &= sum(spans)
    return shared


def _kind(contact: Contact, reading: str) -> str:
    parts = [contact.channel, contact.stage, contact.purpose, contact.collector, contact.sector, contact.country]
    parts += [contact.region] if contact.region else []
    return f"contacts such as: {', '.join([*parts, *sorted(contact.flags)])} ({reading} reading)"
