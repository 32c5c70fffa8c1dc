"""
Country packs as data: from TOML to rules whose every field was checked.

The format, field by field, is in the reference under "Pack format".
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import evolve, field, frozen

from cobranza_sdk.compliance._errors import PackError
from cobranza_sdk.model import COLLECTORS, FAMILIES, HOLDER_ROLES, LANGUAGES, PARTS, SECTORS, STAGES

T = TypeVar("T")
D = TypeVar("D")

FORMAT = 1
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KINDS = (
    "window",
    "cap",
    "gap",
    "channel_exclusivity",
    "quiet",
    "third_party",
    "consent",
    "notice_before",
    "identification",
    "content",
    "forbid",
)
DAY_MINUTES = 24 * 60
#: Beginning of the flags that tell which risks the operator accepts: ``accepted_risk.whatsapp.collections``.
ACCEPTED_RISK = "accepted_risk."
#: Beginning of the flags that tell what a text says, for example ``says_creditor``.
SAYS = "says_"
#: Flag of a contact whose text was rendered to disclose nothing.
DISCLOSES_NOTHING = "discloses_nothing"
#: Years that a calendar may be trusted for.
FIRST_THROUGH, LAST_THROUGH = 1990, 2100

_COMMON = {
    "id",
    "kind",
    "like",
    "norm",
    "article",
    "families",
    "channels",
    "stages",
    "purposes",
    "collectors",
    "sector",
    "countries",
    "regions",
    "flags",
    "unless_flags",
    "reading",
    "confidence",
    "effective_from",
    "effective_to",
    "message",
}
_OWN: dict[str, set[str]] = {
    "window": {"hours", "holidays"},
    "cap": {"limit", "period", "counts", "per"},
    "gap": {"period", "counts", "per"},
    "channel_exclusivity": {"period", "per"},
    "quiet": {"period", "per"},
    "notice_before": {"period", "notices"},
    "identification": {"required"},
    "content": {"required", "forbidden"},
    "third_party": {"recipients", "when_unknown"},
    "consent": set(),
    "forbid": set(),
}
#: How a key is written, for messages that do not show it themselves.
_EXAMPLES = {
    "format": "format = 1",
    "pack": '[pack] with version = "2026.1"',
    "scope": 'scope = "law"',
    "status": 'status = "draft"',
    "reviewed_by": 'reviewed_by = "Ana Pérez, abogada"',
    "reviewed_on": "reviewed_on = 2026-01-31",
    "updated_on": "updated_on = 2026-01-31",
    "name": 'name = "pe"',
    "version": 'version = "2026.1"',
    "title": 'title = { es = "Perú", pt = "Peru", en = "Peru" }',
    "message": 'message = { es = "No.", pt = "Não.", en = "No." }',
    "countries": "[countries.PE]",
    "calendar": 'calendar = "PE"',
    "through": "through = 2035",
    "regions": 'regions = ["PE-LIM"]',
    "categories": 'categories = ["public"]',
    "norms": "[norms.code]",
    "source": 'source = "the official gazette"',
    "read_on": "read_on = 2026-01-31",
    "effective_from": "effective_from = 2026-01-31",
    "effective_to": "effective_to = 2026-12-31",
    "kind": 'kind = "window"',
    "norm": 'norm = "code"',
    "article": 'article = "art. 62"',
    "confidence": 'confidence = "high"',
    "reading": 'reading = "cautious"',
    "families": 'families = ["call", "visit"]',
    "channels": 'channels = ["whatsapp"]',
    "stages": 'stages = ["judicial"]',
    "purposes": 'purposes = ["offer"]',
    "collectors": 'collectors = ["agency"]',
    "sector": 'sector = "financial"',
    "rule.countries": 'countries = ["US", "CA"]',
    "flags": 'flags = ["threat"]',
    "unless_flags": 'unless_flags = ["appointment"]',
    "holidays": 'holidays = "closed"',
    "limit": "limit = 3",
    "period": 'period = "7 days"',
    "counts": 'counts = "attempts"',
    "per": 'per = "creditor"',
    "recipients": 'recipients = { except = ["debtor", "guarantor"] }',
    "when_unknown": 'when_unknown = "deny"',
    "notices": "notices = 1",
    "required": 'required = ["creditor"]',
    "forbidden": 'forbidden = ["threat"]',
}
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))", re.ASCII)
_PERIOD = re.compile(r"([1-9]\d{0,3}) (days?|hours?)", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_NO_HOLIDAYS: Mapping[str, Any] = {"calendar": "PE", "through": FIRST_THROUGH}
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_RULE_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+", re.ASCII)


@frozen
class Selection:
    """
    Some names, or all but some.
    """

    names: frozenset[str]
    excluded: bool = False

    def __contains__(self, name: object) -> bool:
        return (name in self.names) != self.excluded


EVERYTHING = Selection(frozenset(), excluded=True)


@frozen(kw_only=True)
class Period:
    """
    A stretch of time that a rule counts in.

    Attributes:
        calendar: ``day`` or ``week`` (Monday to Sunday) by the debtor's clock, or None when it rolls.
        seconds: Length of a rolling period, else 0.
    """

    calendar: str | None = None
    seconds: int = 0


@frozen(kw_only=True)
class Norm:
    """
    A law, decree or policy, and where it was read.
    """

    title: str
    source: str
    read_on: date
    effective_from: date
    effective_to: date | None = None


@frozen(kw_only=True)
class Rule:
    """
    One rule as the pack says it.

    Attributes that a kind does not use keep their defaults.
    """

    id: str
    kind: str
    citation: str
    source: str
    confidence: str
    reading: str | None
    effective_from: date
    effective_to: date | None
    message: Mapping[str, str]
    families: Selection = EVERYTHING
    channels: Selection = EVERYTHING
    stages: Selection = EVERYTHING
    purposes: Selection = EVERYTHING
    collectors: Selection = EVERYTHING
    sector: str = "any"
    countries: Selection = EVERYTHING
    regions: Selection = EVERYTHING
    flags: frozenset[str] = frozenset()
    unless_flags: frozenset[str] = frozenset()
    hours: tuple[tuple[tuple[int, int], ...], ...] = ()
    closed_on_holidays: bool = False
    limit: int = 0
    period: Period = field(factory=Period)
    counts: str = "attempts"
    per: str = "creditor"
    recipients: Selection = field(default=Selection(frozenset()))
    when_unknown: str = "deny"
    notices: int = 1
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


@frozen(kw_only=True)
class HolidayData:
    """
    Which days are holidays.

    Attributes:
        calendar: Code of the country in the `holidays` library.
        through: Last year the calendar is trusted for; later is denied.
        add: Days that the library lacks.
        remove: Days that the library has and the country has not.
        categories: Kinds of day that the library tells apart, for example ``public`` and ``bank``.
        subdivision: The library's code of the debtor's region, whose own holidays count too, or None.
    """

    calendar: str
    through: int
    add: frozenset[date] = frozenset()
    remove: frozenset[date] = frozenset()
    categories: tuple[str, ...] = ("public",)
    subdivision: str | None = None


@frozen(kw_only=True)
class CountryData:
    """
    Clock and calendar of one country.

    Attributes:
        zones: Candidate IANA zones by ISO 3166-2 region; ``*`` holds all of them.
        holidays: Its national holidays.
        regions: All region codes there are; empty where the pack does not list them, and any of the country's is taken.
        subdivisions: Code of the `holidays` library by region, where regions have holidays of their own.
        regional: Days that overlays add and remove in one region.
    """

    zones: Mapping[str, tuple[str, ...]]
    holidays: HolidayData
    regions: frozenset[str] = frozenset()
    subdivisions: Mapping[str, str] = field(factory=dict)
    regional: Mapping[str, tuple[frozenset[date], frozenset[date]]] = field(factory=dict)

    def holidays_in(self, region: str | None) -> HolidayData:
        """
        The holidays where the debtor is; of an unknown region, what overlays add in any.
        """
        code = self.subdivisions.get(region or "")
        data = self.holidays if code is None else evolve(self.holidays, subdivision=code)
        if not self.regional:
            return data
        nothing: frozenset[date] = frozenset()
        if region is None:
            return evolve(data, add=data.add.union(*(added for added, _ in self.regional.values())))
        added, removed = self.regional.get(region, (nothing, nothing))
        return evolve(data, add=(data.add - removed) | added, remove=(data.remove - added) | removed)


@frozen(kw_only=True)
class Pack:
    """
    A parsed pack.

    Attributes:
        name: Unique.
        version: Of the data.
        scope: ``law``, or ``platform`` for rules of a messaging platform.
        status: ``draft``, or ``reviewed`` when a lawyer signed it.
        reviewed_by: Who signed.
        reviewed_on: When.
        updated_on: When the data last changed.
        title: What it is, by language.
        countries: By ISO 3166-1 code; empty for a platform pack, which applies everywhere.
        norms: By key.
        rules: In the order written.
    """

    name: str
    version: str
    scope: str
    status: str
    updated_on: date
    title: Mapping[str, str]
    countries: Mapping[str, CountryData]
    norms: Mapping[str, Norm]
    rules: tuple[Rule, ...]
    reviewed_by: str | None = None
    reviewed_on: date | None = None

    @property
    def label(self) -> str:
        """
        Name and version, as decisions cite it.
        """
        return f"{self.name} {self.version}"


class _Table:
    """
    Reads keys of one table and collects what is wrong with them.
    """

    def __init__(self, data: Any, path: str, problems: list[str]) -> None:
        self.path, self.problems = path, problems
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            self.wrong("", "found no table, expected one")

    def wrong(self, key: str, text: str) -> None:
        shows = any(words in text for words in ("for example", "such as", "unknown key", "use kind"))
        example = _EXAMPLES.get(f"rule.{key}" if self.path.startswith("rule ") else key) or _EXAMPLES.get(key)
        example = "" if shows or example is None else f", for example {example}"
        self.problems.append(f"{self.path}{'.' if self.path and key else ''}{key}: {text}{example}")

    def get(self, key: str, kind: type[T], expected: str, default: D) -> T | D:
        if key not in self.data:
            return default
        value = self.data[key]
        # To Python a truth value is a number too, and an instant a date.
        if not isinstance(value, kind) or isinstance(value, bool | datetime):
            self.wrong(key, f"found {type(value).__name__}, expected {expected}")
            return default
        if isinstance(value, str) and not value.strip():
            self.wrong(key, f"found blank text, expected {expected}")
            return default
        return value

    def need(self, key: str, kind: type[T], expected: str, fallback: T) -> T:
        if key not in self.data:
            self.wrong(key, f"missing, expected {expected}")
            return fallback
        return self.get(key, kind, expected, fallback)

    def choice(self, key: str, choices: Iterable[str], default: str | None) -> str:
        allowed = tuple(choices)
        expected = f"one of {', '.join(allowed)}"
        value = self.need(key, str, expected, allowed[0]) if default is None else self.get(key, str, expected, default)
        if value not in allowed:
            self.wrong(key, f"found {value}, expected {expected}")
            return allowed[0]
        return value

    def texts(self, key: str) -> dict[str, str]:
        table = _Table(self.need(key, dict, "a table with es, pt and en", {}), f"{self.path}.{key}", self.problems)
        if not table.data:
            return {}
        found = {language: table.need(language, str, "text", "") for language in LANGUAGES}
        table.close(set(LANGUAGES))
        return found

    def selection(self, key: str, known: Iterable[str] | None) -> Selection:
        if key not in self.data:
            return EVERYTHING
        value, excluded = self.data[key], False
        if isinstance(value, Mapping) and set(value) == {"except"}:
            value, excluded = value["except"], True
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            self.wrong(key, 'expected a list of names, or { except = ["…"] }')
            return EVERYTHING
        unknown = sorted(set(value) - set(known)) if known is not None else []
        if unknown:
            self.wrong(key, f"found {', '.join(unknown)}, expected names of {', '.join(known or ())}")
        return Selection(frozenset(value), excluded)

    def names(self, key: str) -> frozenset[str]:
        value = self.get(key, list, "a list of names", [])
        if not all(isinstance(name, str) and name for name in value):
            self.wrong(key, "expected a list of names")
            return frozenset()
        return frozenset(value)

    def close(self, known: set[str]) -> None:
        for key in sorted(set(self.data) - known):
            self.wrong(key, f"unknown key, expected one of {', '.join(sorted(known))}")


def toml_of(text: str) -> dict[str, Any]:
    """
    Read TOML.

    Raises:
        ValueError: It is none, or holds a number or a nesting that nobody writes.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        msg = "it is nested too deeply"
    except ValueError:
        msg = "it holds a number too long to be one"
    raise ValueError(msg)


def parse_pack(name: str, text: str, *, origin: str) -> Pack:
    """
    Read a pack.

    Args:
        name: Its name, when the text does not say one.
        text: The TOML.
        origin: File or resource, for messages.

    Raises:
        PackError: Every problem at once, each with its key's path.
    """
    try:
        data = toml_of(text)
    except ValueError as error:
        raise PackError(origin, [f"is no TOML: {error}"]) from error
    problems: list[str] = []
    root = _Table(data, "", problems)
    stated = root.need("format", int, f"the number {FORMAT}", FORMAT)
    if stated != FORMAT:
        root.wrong("format", f"found {stated}, expected the number {FORMAT}")
    head = _Table(root.need("pack", dict, "a table", {}), "pack", problems)
    scope = head.choice("scope", ("law", "platform"), "law")
    status = head.choice("status", ("draft", "reviewed"), None)
    reviewer = head.get("reviewed_by", str, "the reviewer's name", "") or None
    reviewed_on = head.get("reviewed_on", date, "a date", None)
    if status == "reviewed" and not (reviewer and reviewed_on):
        head.wrong("status", "found reviewed, expected reviewed_by and reviewed_on beside it")
    pack_name = head.get("name", str, "text", name)
    version = head.need("version", str, 'text, for example "2026.1"', "0")
    updated_on = head.need("updated_on", date, "a date", date.min)
    title = head.texts("title")
    head.close({"name", "version", "scope", "status", "updated_on", "title", "reviewed_by", "reviewed_on"})
    countries = _countries(root.get("countries", dict, "a table by country", {}), problems)
    if scope == "law" and not countries:
        root.wrong("countries", "missing, expected [countries.XX] with zones and holidays")
    if scope == "platform" and countries:
        root.wrong("countries", "found some, expected none: a platform pack applies everywhere")
    norms = {
        key: _norm(_Table(entry, f"norms.{key}", problems))
        for key, entry in root.need("norms", dict, "a table of laws", {}).items()
    }
    entries = root.need("rule", list, "a list of rules: [[rule]]", [None])
    if not entries:
        root.wrong("rule", "found none, expected rules: a country without any would permit everything")
    rules = _rules([entry for entry in entries if entry is not None], norms, scope, problems)
    for rule in rules if scope == "law" else ():
        _check_regions(rule, countries, problems)
    root.close({"format", "pack", "countries", "norms", "rule"})
    if problems:
        raise PackError(origin, problems)
    return Pack(
        name=pack_name,
        version=version,
        scope=scope,
        status=status,
        reviewed_by=reviewer,
        reviewed_on=reviewed_on,
        updated_on=updated_on,
        title=title,
        countries=countries,
        norms=norms,
        rules=rules,
    )


def _countries(data: Mapping[str, Any], problems: list[str]) -> dict[str, CountryData]:
    countries = {}
    for code, entry in data.items():
        table = _Table(entry, f"countries.{code}", problems)
        if not _COUNTRY.fullmatch(code):
            problems.append(f"{table.path}: expected an ISO 3166-1 code of two capitals, for example countries.PE")
        zones = _zones(table, code)
        holidays = _Table(
            table.need("holidays", dict, 'a table such as { calendar = "PE", through = 2035 }', _NO_HOLIDAYS),
            f"{table.path}.holidays",
            problems,
        )
        calendar = holidays.need("calendar", str, "the country's code", "PE")
        if not _has_calendar(calendar):
            holidays.wrong("calendar", f"found {calendar}, expected a country of the holidays library")
        through = holidays.need("through", int, "a year", FIRST_THROUGH)
        if not FIRST_THROUGH <= through <= LAST_THROUGH:
            holidays.wrong("through", f"found {through}, expected a year from {FIRST_THROUGH} to {LAST_THROUGH}")
        countries[code] = CountryData(
            zones=zones,
            holidays=HolidayData(
                calendar=calendar,
                through=through,
                add=_dates(holidays, "add"),
                remove=_dates(holidays, "remove"),
                categories=_categories(holidays, calendar),
            ),
            regions=_regions(table, code),
            subdivisions=_subdivisions(holidays, code, calendar),
        )
        holidays.close({"calendar", "through", "add", "remove", "categories", "subdivisions"})
        table.close({"zones", "holidays", "regions"})
    return countries


def _zones(table: _Table, code: str) -> dict[str, tuple[str, ...]]:
    found = table.need("zones", dict, 'a table such as { "*" = ["America/Lima"] }', {"*": ["UTC"]})
    if "*" not in found or not all(_is_names(names) for names in found.values()):
        table.wrong("zones", 'expected lists of zones by region, "*" with all of them among them')
        return {}
    for region, names in found.items():
        if region != "*" and not region.startswith(f"{code}-"):
            table.wrong(f"zones.{region}", f'expected "*" or an ISO 3166-2 code such as {code}-XXX')
        for name in names:
            if zone(name) is None:
                table.wrong(f"zones.{region}", f"found {name}, expected an IANA zone such as America/Lima")
            elif name not in found["*"]:
                table.wrong("zones.*", f"{name} of {region} is missing, expected all zones of the country")
    return {region: tuple(names) for region, names in found.items()}


def _regions(table: _Table, code: str) -> frozenset[str]:
    found = table.names("regions")
    strange = sorted(name for name in found if not name.startswith(f"{code}-"))
    if strange:
        table.wrong("regions", f"found {', '.join(strange)}, expected ISO 3166-2 codes such as {code}-XXX")
    return found


def _categories(table: _Table, calendar: str) -> tuple[str, ...]:
    found = table.get("categories", list, "a list of names", ["public"])
    known = _calendar_facts(calendar, "supported_categories")
    unknown = [str(name) for name in found if not isinstance(name, str) or (known and name not in known)]
    if unknown or not found:
        table.wrong("categories", f"found {', '.join(unknown) or 'none'}, expected names of {', '.join(sorted(known))}")
        return ("public",)
    return tuple(sorted(found))


def _subdivisions(table: _Table, code: str, calendar: str) -> dict[str, str]:
    found = table.get("subdivisions", dict, 'a table such as { "BR-SP" = "SP" }', {})
    known = _calendar_facts(calendar, "subdivisions")
    for region, name in found.items():
        if not region.startswith(f"{code}-"):
            table.wrong(f"subdivisions.{region}", f"expected an ISO 3166-2 code such as {code}-XXX")
        if name not in known:
            table.wrong(f"subdivisions.{region}", f"found {name}, expected one of {', '.join(sorted(known))}")
    return dict(found)


def _calendar_facts(calendar: str, what: str) -> Sequence[str]:
    import holidays

    return tuple(getattr(getattr(holidays, calendar, None), what, ()))


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo | None:
    """
    The IANA zone *name*, or None when there is none. What a machine's own data add to IANA's is none: ``localtime`` is
    its own clock, ``right/…`` counts leap seconds.
    """
    if name in _NO_ZONES or name.startswith(("posix/", "right/")):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _has_calendar(code: str) -> bool:
    import holidays

    return _COUNTRY.fullmatch(code) is not None and hasattr(holidays, code)


def _dates(table: _Table, key: str) -> frozenset[date]:
    value = table.get(key, list, "a list of dates", [])
    if not all(type(day) is date for day in value):
        table.wrong(key, "expected a list of dates, for example [2026-07-13]")
        return frozenset()
    return frozenset(value)


def _norm(table: _Table) -> Norm:
    norm = Norm(
        title=table.need("title", str, "the law's name", "?"),
        source=table.need("source", str, "where it was read", "?"),
        read_on=table.need("read_on", date, "the day it was read", date.min),
        effective_from=table.need("effective_from", date, "its first day", date.min),
        effective_to=table.get("effective_to", date, "its last day", None),
    )
    if norm.effective_to is not None and norm.effective_to < norm.effective_from:
        table.wrong("effective_to", f"found {norm.effective_to}, expected a day from effective_from on")
    table.close({"title", "source", "read_on", "effective_from", "effective_to"})
    return norm


def _rules(entries: list[Any], norms: Mapping[str, Norm], scope: str, problems: list[str]) -> tuple[Rule, ...]:
    raw: dict[str, Mapping[str, Any]] = {}
    rules = []
    for index, entry in enumerate(entries):
        path = f"rule[{index}]"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str):
            problems.append(f'{path}.id: missing, expected an id such as "pe.window.calls"')
            continue
        rule_id = entry["id"]
        path = f"rule {rule_id}"
        if not _RULE_ID.fullmatch(rule_id):
            problems.append(
                f"{path}.id: expected small letters, digits and _ in parts joined by points: pe.window.calls"
            )
        if rule_id in raw:
            problems.append(f"{path}.id: stands twice, expected each id once")
        if "like" in entry:
            model = raw.get(entry["like"]) if isinstance(entry["like"], str) else None
            if model is None:
                problems.append(f"{path}.like: found {entry['like']}, expected the id of a rule written before")
                continue
            entry = {key: value for key, value in model.items() if key != "reading"} | dict(entry)  # noqa: PLW2901
        raw[rule_id] = entry
        rules.append(_rule(_Table(entry, path, problems), norms, scope))
    return tuple(rules)


def _check_regions(rule: Rule, countries: Mapping[str, CountryData], problems: list[str]) -> None:
    """
    A region that no contact can name would leave the rule silently without effect.
    """
    for name in sorted(rule.regions.names - {""}):
        country = countries.get(name.partition("-")[0])
        if country is None or "-" not in name or (country.regions and name not in country.regions):
            problems.append(f"rule {rule.id}.regions: found {name}, expected a region of {', '.join(countries)}")


def _rule(table: _Table, norms: Mapping[str, Norm], scope: str) -> Rule:
    kind = table.choice("kind", KINDS, None)
    norm_key = table.need("norm", str, f"one of {', '.join(norms)}", "")
    norm = norms.get(norm_key)
    if norm is None:
        table.wrong("norm", f"found {norm_key or 'none'}, expected one of {', '.join(norms)}")
        norm = Norm(title="?", source="?", read_on=date.min, effective_from=date.min)
    article = table.need("article", str, 'the article, for example "art. 62"', "?")
    reading = table.choice("reading", ("literal", "cautious"), None) if "reading" in table.data else None
    rule = Rule(
        id=table.data["id"],
        kind=kind,
        citation=f"{norm.title}, {article}",
        source=norm.source,
        confidence=table.choice("confidence", ("high", "medium", "low"), None),
        reading=reading,
        effective_from=table.get("effective_from", date, "a date", norm.effective_from),
        effective_to=table.get("effective_to", date, "a date", norm.effective_to),
        message=table.texts("message"),
        families=table.selection("families", FAMILIES),
        channels=table.selection("channels", None),
        stages=table.selection("stages", STAGES),
        purposes=table.selection("purposes", None),
        collectors=table.selection("collectors", COLLECTORS),
        sector=table.choice("sector", SECTORS[::-1], "any"),
        countries=_rule_countries(table, scope),
        regions=table.selection("regions", None),
        flags=table.names("flags"),
        unless_flags=table.names("unless_flags"),
    )
    if rule.effective_to is not None and rule.effective_to < rule.effective_from:
        table.wrong("effective_to", f"found {rule.effective_to}, expected a day from {rule.effective_from} on")
    table.close(_COMMON | _OWN[kind])
    return _OWN_FIELDS[kind](table, rule)


def _rule_countries(table: _Table, scope: str) -> Selection:
    """
    The countries that a rule of a platform speaks of. A law speaks of those that its pack lists.
    """
    if "countries" in table.data and scope == "law":
        table.wrong(
            "countries",
            "found in a pack of law, expected none: its rules speak of every country under [countries]; what holds in "
            "one of them only belongs in a pack of its own, for example [countries.US]",
        )
        return EVERYTHING
    found = table.selection("countries", None)
    strange = sorted(name for name in found.names if not _COUNTRY.fullmatch(name))
    if strange:
        table.wrong(
            "countries",
            f"found {', '.join(strange)}, expected ISO 3166-1 codes of two capitals",
        )
    return found


def _window(table: _Table, rule: Rule) -> Rule:
    hours: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    named: set[int] = set()
    for days, value in table.need("hours", dict, 'a table such as { mon-fri = "07:00-20:00" }', {}).items():
        spans = sorted(filter(None, (_span(table, days, span) for span in _listed(value))))
        if any(later[0] <= earlier[1] for earlier, later in pairwise(spans)):
            table.wrong(
                f"hours.{days}",
                'the stretches touch or overlap, expected a pause between them: ["07:00-12:00", "14:00-20:00"]',
            )
        for day in _days(table, days):
            if day in named:
                table.wrong(
                    f"hours.{days}", f'{DAYS[day]} is named twice, expected once: ["07:00-12:00", …] for several'
                )
            named.add(day)
            hours[day] = spans
    if not any(hours):
        table.wrong("hours", 'no day has an open minute: use kind = "forbid" for what is never permitted')
    closed = table.choice("holidays", ("closed", "open"), None) == "closed"
    return evolve(rule, hours=tuple(map(tuple, hours)), closed_on_holidays=closed)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _days(table: _Table, name: str) -> range:
    first, _, last = name.partition("-")
    last = last or first
    if first not in DAYS or last not in DAYS or DAYS.index(first) > DAYS.index(last):
        table.wrong(f"hours.{name}", f"expected a day or a range of {', '.join(DAYS)}, for example mon-fri")
        return range(0)
    return range(DAYS.index(first), DAYS.index(last) + 1)


def _span(table: _Table, day: str, span: Any) -> tuple[int, int] | None:
    match = _HOURS.fullmatch(span) if isinstance(span, str) else None
    if match:
        opening = int(match[1]) * 60 + int(match[2])
        closing = DAY_MINUTES if match[5] else int(match[3]) * 60 + int(match[4])
        if opening < closing:
            return opening, closing
    table.wrong(
        f"hours.{day}",
        'expected "HH:MM-HH:MM", the opening before the closing, "24:00" allowed, for example "07:00-20:00"',
    )
    return None


def _period(table: _Table, *, calendar: bool) -> Period:
    expected = '"day", "week" or ' if calendar else ""
    text = table.need("period", str, f'{expected}"7 days", "48 hours"', "1 days")
    if calendar and text in ("day", "week"):
        return Period(calendar=text)
    match = _PERIOD.fullmatch(text)
    if not match:
        table.wrong("period", f'found {text}, expected {expected}"7 days", "48 hours"')
        return Period(seconds=1)
    return Period(seconds=int(match[1]) * (86_400 if match[2].startswith("day") else 3_600))


def _counted(table: _Table, rule: Rule, *, calendar: bool) -> Rule:
    return evolve(
        rule,
        period=_period(table, calendar=calendar),
        counts=table.choice("counts", ("attempts", "direct"), "attempts"),
        per=table.choice("per", ("creditor", "debt", "debtor", "collector"), "creditor"),
    )


def _cap(table: _Table, rule: Rule) -> Rule:
    limit = table.need("limit", int, "a whole number from 1", 1)
    if limit < 1:
        table.wrong("limit", 'expected a whole number from 1: use kind = "forbid" for none')
    return evolve(_counted(table, rule, calendar=True), limit=limit)


def _gap(table: _Table, rule: Rule) -> Rule:
    return _counted(table, rule, calendar=False)


def _exclusivity(table: _Table, rule: Rule) -> Rule:
    return evolve(_counted(table, rule, calendar=True), counts="direct")


def _quiet(table: _Table, rule: Rule) -> Rule:
    """
    A pause in whole days, of which the day of the conversation is the first.
    """
    period = _period(table, calendar=False)
    if period.seconds % 86_400:
        table.wrong("period", 'expected whole days: "7 days"')
    per = table.choice("per", ("creditor", "debt", "debtor", "collector"), "creditor")
    return evolve(rule, period=period, per=per, counts="conversations")


def _notice_before(table: _Table, rule: Rule) -> Rule:
    period = _period(table, calendar=False)
    if period.seconds % 86_400:
        table.wrong("period", 'expected whole days: "20 days"')
    notices = table.get("notices", int, "a whole number from 1", 1)
    if notices < 1:
        table.wrong("notices", f"found {notices}, expected a whole number from 1")
    return evolve(rule, period=period, notices=notices)


def _identification(table: _Table, rule: Rule) -> Rule:
    return evolve(rule, required=_parts(table, needed=True))


def _content(table: _Table, rule: Rule) -> Rule:
    forbidden = tuple(sorted(table.names("forbidden")))
    required = _parts(table, needed=not forbidden)
    return evolve(rule, required=required, forbidden=forbidden)


def exceptions_of(packs: Iterable[Pack]) -> dict[str, frozenset[str]]:
    """
    Facts about one contact that lift rules, as the packs name them: by flag, the rules that it lifts. Risks that the
    operator takes for all contacts are not among them, nor what a text says or does not tell.
    """
    found: dict[str, set[str]] = {}
    for pack in packs:
        for rule in pack.rules:
            for flag in rule.unless_flags:
                if flag != DISCLOSES_NOTHING and not flag.startswith((ACCEPTED_RISK, SAYS)):
                    found.setdefault(flag, set()).add(rule.id)
    return {flag: frozenset(rules) for flag, rules in sorted(found.items())}


def _parts(table: _Table, *, needed: bool) -> tuple[str, ...]:
    found = table.names("required")
    unknown = sorted(found - set(PARTS))
    if unknown:
        table.wrong("required", f"found {', '.join(unknown)}, expected names of {', '.join(PARTS)}")
    if needed and not found:
        table.wrong("required", f"missing, expected names of {', '.join(PARTS)}")
    return tuple(sorted(found))


def _third_party(table: _Table, rule: Rule) -> Rule:
    if "recipients" not in table.data:
        table.wrong("recipients", "missing, expected the roles that may not be told")
    recipients = table.selection("recipients", HOLDER_ROLES)
    return evolve(rule, recipients=recipients, when_unknown=table.choice("when_unknown", ("deny", "amend"), "deny"))


def _plain(_table: _Table, rule: Rule) -> Rule:
    return rule


_OWN_FIELDS: dict[str, Callable[[_Table, Rule], Rule]] = {
    "window": _window,
    "cap": _cap,
    "gap": _gap,
    "channel_exclusivity": _exclusivity,
    "quiet": _quiet,
    "third_party": _third_party,
    "consent": _plain,
    "notice_before": _notice_before,
    "identification": _identification,
    "content": _content,
    "forbid": _plain,
}
