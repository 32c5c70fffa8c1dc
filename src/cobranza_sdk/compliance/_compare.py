"""
Packs in the words of a lawyer: what a rule says, field by field, and how two packs differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from cobranza_sdk.compliance._pack import DAYS, EVERYTHING, CountryData, Pack, Period, Rule, Selection

_SELECTING = ("families", "channels", "stages", "purposes", "collectors", "countries", "regions")
_DAY = 86_400


def terms_of(rule: Rule) -> dict[str, str]:
    """
    What a rule says, by field, in plain words; fields that say nothing are left out.
    """
    told = {name: _selection(getattr(rule, name)) for name in _SELECTING if getattr(rule, name) != EVERYTHING}
    told |= {
        "sector": "" if rule.sector == "any" else f"{rule.sector} only",
        "flags": ", ".join(sorted(rule.flags)),
        "unless_flags": ", ".join(sorted(rule.unless_flags)),
        **_own(rule),
    }
    return {name: words for name, words in told.items() if words}


def _own(rule: Rule) -> dict[str, str]:
    told = {"required": ", ".join(rule.required), "forbidden": ", ".join(rule.forbidden)}
    if rule.kind == "window":
        told |= {"hours": _hours(rule), "holidays": "closed" if rule.closed_on_holidays else "as other days"}
    if rule.period != Period():
        told["period"] = _period(rule.period)
    if rule.kind == "cap":
        told["limit"] = f"at most {rule.limit}"
    if rule.kind in ("cap", "gap", "channel_exclusivity", "quiet"):
        told |= {"counts": rule.counts, "per": rule.per}
    if rule.kind == "notice_before":
        told["notices"] = str(rule.notices)
    if rule.kind == "third_party":
        told |= {"recipients": _selection(rule.recipients), "when_unknown": rule.when_unknown}
    return told


def _selection(selection: Selection) -> str:
    names = ", ".join(name or "(not known)" for name in sorted(selection.names))
    return f"all but {names}" if selection.excluded else names


def _hours(rule: Rule) -> str:
    days = [" and ".join(f"{_clock(opens)}-{_clock(closes)}" for opens, closes in day) for day in rule.hours]
    return "; ".join(f"{name} {hours}" for name, hours in zip(DAYS, days, strict=True) if hours)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _period(period: Period) -> str:
    if period.calendar is not None:
        return f"calendar {period.calendar}"
    return f"{period.seconds // _DAY} days" if period.seconds % _DAY == 0 else f"{period.seconds // 3600} hours"


def in_force(pack: Pack, day: date) -> tuple[Rule, ...]:
    """
    The rules that hold on a day.
    """
    return tuple(rule for rule in pack.rules if rule.effective_from <= day <= (rule.effective_to or date.max))


def differences(old: Pack, new: Pack) -> Iterator[dict[str, str | None]]:
    """
    How two packs differ: what, which field, before and after. None before is added, None after is removed.
    """
    yield from _changes("pack", _head(old), _head(new))
    for code in sorted({*old.countries, *new.countries}):
        yield from _changes(f"countries.{code}", _country(old.countries.get(code)), _country(new.countries.get(code)))
    before, after = ({rule.id: rule for rule in pack.rules} for pack in (old, new))
    for rule_id in dict.fromkeys([*before, *after]):
        yield from _changes(f"rule {rule_id}", _rule(before.get(rule_id)), _rule(after.get(rule_id)))


def _changes(
    what: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None
) -> Iterator[dict[str, str | None]]:
    if old is None or new is None:
        before, after = (None if told is None else _line(told) for told in (old, new))
        yield {"what": what, "field": "", "before": before, "after": after}
        return
    for field in dict.fromkeys([*old, *new]):
        if old.get(field) != new.get(field):
            yield {"what": what, "field": field, "before": old.get(field), "after": new.get(field)}


def _line(told: Mapping[str, str]) -> str:
    return "; ".join(f"{field}: {words}" for field, words in told.items())


def _head(pack: Pack) -> dict[str, str]:
    return {"version": pack.version, "scope": pack.scope, "status": pack.status, "updated_on": str(pack.updated_on)}


def _rule(rule: Rule | None) -> dict[str, str] | None:
    if rule is None:
        return None
    told: dict[str, Any] = {"kind": rule.kind, "article": rule.citation, **terms_of(rule)}
    told |= {"from": rule.effective_from, "to": rule.effective_to, "reading": rule.reading}
    told |= {"confidence": rule.confidence, "source": rule.source}
    told |= {f"message.{language}": words for language, words in rule.message.items()}
    return {field: str(words) for field, words in told.items() if words is not None}


def _country(data: CountryData | None) -> dict[str, str] | None:
    if data is None:
        return None
    told = {f"zones.{region}": ", ".join(names) for region, names in data.zones.items()}
    told |= {f"subdivisions.{region}": name for region, name in data.subdivisions.items()}
    told |= {"regions": ", ".join(sorted(data.regions)), "calendar": data.holidays.calendar}
    told |= {"through": str(data.holidays.through), "categories": ", ".join(data.holidays.categories)}
    for name in ("add", "remove"):
        told[f"holidays.{name}"] = ", ".join(map(str, sorted(getattr(data.holidays, name))))
    return {field: words for field, words in told.items() if words}
