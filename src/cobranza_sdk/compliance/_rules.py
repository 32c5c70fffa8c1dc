"""
Rules compiled for judging: each says what stands against one contact at one instant, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from attrs import field, frozen

from cobranza_sdk.compliance._calendar import WindowTable, ceil_minute, day_start, local_date
from cobranza_sdk.compliance._pack import CountryData, Pack, Rule
from cobranza_sdk.model import CHANNEL_FAMILIES, Contact, Finding, PastContact, Verdict

DISCLOSE_NOTHING = "disclose_nothing"
_LONGEST_WEEK = 8 * 86_400
#: Beginning of the flags that tell what a text says, for example ``says_creditor``.
SAYS = "says_"
#: Flag of a contact whose text was rendered to disclose nothing.
DISCLOSES_NOTHING = "discloses_nothing"


@frozen(kw_only=True)
class Situation:
    """
    A contact and the clocks it is judged by.

    Attributes:
        contact: What is judged.
        zones: All zones the person may be in; every one must permit.
        history: Past contacts up to the contact's own instant, newest first.
    """

    contact: Contact
    zones: tuple[ZoneInfo, ...]
    history: tuple[PastContact, ...]


@frozen(kw_only=True)
class Outcome:
    """
    What one rule says at one instant.

    Attributes:
        finding: What stands against it, or None.
        until: Epoch second at which the rule stops permitting, or None.
    """

    finding: Finding | None = None
    until: int | None = None


_PERMITTED = Outcome()

#: Judges a situation at an epoch second.
Judge = Callable[[Situation, int], Outcome]


@frozen(kw_only=True)
class Compiled:
    """
    A rule ready to judge.

    Attributes:
        rule: What the pack says.
        pack: Label of its pack.
        judge: The judging itself.
    """

    rule: Rule
    pack: str
    judge: Judge = field(repr=False)

    def concerns(self, contact: Contact) -> bool:
        """
        Whether the rule speaks of such a contact at all, its date apart.
        """
        rule = self.rule
        return (
            contact.family in rule.families
            and contact.channel in rule.channels
            and contact.stage in rule.stages
            and contact.purpose in rule.purposes
            and contact.collector in rule.collectors
            and rule.sector in ("any", contact.sector)
            and (contact.region or "") in rule.regions
            and rule.flags <= contact.flags
            and not rule.unless_flags & contact.flags
        )


def compile_rule(rule: Rule, pack: Pack, country: CountryData | None) -> Compiled:
    """
    Build the judging function of *rule* with the calendar of *country* (None in a platform pack).
    """
    return Compiled(rule=rule, pack=pack.label, judge=_COMPILERS[rule.kind](rule, pack.label, country))


def _finding(rule: Rule, pack: str, verdict: Verdict, facts: Mapping[str, str], **more: Any) -> Finding:
    return Finding(
        rule=rule.id,
        verdict=verdict,
        citation=rule.citation,
        pack=pack,
        message=rule.message,
        reading=rule.reading,
        confidence=rule.confidence,
        source=rule.source,
        effective_from=rule.effective_from,
        effective_to=rule.effective_to,
        facts=facts,
        **more,
    )


def _defer(rule: Rule, pack: str, until: int, tz: ZoneInfo, facts: Mapping[str, str]) -> Outcome:
    return Outcome(
        finding=_finding(rule, pack, Verdict.DEFER, facts, not_before=datetime.fromtimestamp(until, tz)),
    )


def _deny(rule: Rule, pack: str, facts: Mapping[str, str]) -> Outcome:
    return Outcome(finding=_finding(rule, pack, Verdict.DENY, facts))


def _window(rule: Rule, pack: str, country: CountryData | None) -> Judge:
    tables: dict[tuple[str, str | None], WindowTable] = {}

    def judge(situation: Situation, now: int) -> Outcome:
        calendar = None
        if country is not None and rule.closed_on_holidays:
            calendar = country.holidays_in(situation.contact.region)
        closes: list[int] = []
        worst: tuple[int, ZoneInfo] | None = None
        for tz in situation.zones:
            key = (tz.key, calendar.subdivision if calendar else None)
            table = tables.get(key)
            if table is None:
                table = tables[key] = WindowTable(rule.hours, tz, calendar)
            is_open, edge = table.at(now)
            if not is_open:
                if edge is None:
                    last = str(calendar.through) if calendar else "?"
                    return _deny(rule, pack, {"calendar_ends": last, "zone": tz.key})
                if worst is None or edge > worst[0]:
                    worst = (edge, tz)
            elif edge is not None:
                closes.append(edge)
        if worst is not None:
            edge, tz = worst
            local = datetime.fromtimestamp(now, tz)
            facts = {"local_time": local.strftime("%Y-%m-%d %H:%M"), "zone": tz.key}
            return _defer(rule, pack, ceil_minute(edge), tz, facts)
        return Outcome(until=min(closes, default=None))

    return judge


_COUNTED: dict[str, Callable[[PastContact], bool]] = {
    "attempts": lambda past: past.is_attempt,
    "direct": lambda past: past.is_direct,
    "conversations": lambda past: past.is_conversation,
}


def _counts(rule: Rule, contact: Contact, past: PastContact) -> bool:
    """
    Whether a past contact counts for this rule.
    """
    if not _COUNTED[rule.counts](past):
        return False
    family = past.family if past.family is not None else CHANNEL_FAMILIES.get(past.channel)
    if (family is not None and family not in rule.families) or (
        rule.kind != "channel_exclusivity" and past.channel not in rule.channels
    ):
        return False
    if rule.per in ("debtor", "collector"):
        return True
    if past.creditor_id is not None and contact.creditor_id is not None and past.creditor_id != contact.creditor_id:
        return False
    if rule.per == "creditor" or not past.receivable_ids or not contact.receivable_ids:
        return True
    return not set(past.receivable_ids).isdisjoint(contact.receivable_ids)


def _instants(rule: Rule, past: PastContact, now: datetime) -> list[int]:
    """
    When it counts: on sending, and for rules on direct contacts also when it was read or answered.
    """
    moments = [past.at]
    if rule.counts != "attempts" and past.outcome_at is not None and past.outcome_at <= now:
        moments.append(past.outcome_at)
    return [int(moment.timestamp()) for moment in moments]


def _counted(rule: Rule, situation: Situation) -> list[list[int]]:
    contact = situation.contact
    return [_instants(rule, past, contact.at) for past in situation.history if _counts(rule, contact, past)]


def _period_start(calendar: str, now: int, tz: ZoneInfo) -> tuple[int, int]:
    """
    Start of the calendar day or week around *now*, and of the next one.
    """
    today = local_date(now, tz)
    if calendar == "day":
        return day_start(today, tz), day_start(today + timedelta(days=1), tz)
    monday = today - timedelta(days=today.weekday())
    return day_start(monday, tz), day_start(monday + timedelta(days=7), tz)


def _cap(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    def judge(situation: Situation, now: int) -> Outcome:
        counted = _counted(rule, situation)
        if len(counted) < rule.limit:
            return _PERMITTED
        facts = {"limit": str(rule.limit), "counted": rule.counts}
        if rule.period.calendar is None:
            begin = now - rule.period.seconds
            inside = sorted((max(moments) for moments in counted if max(moments) > begin), reverse=True)
            if len(inside) < rule.limit:
                return _PERMITTED
            free = inside[rule.limit - 1] + rule.period.seconds
            return _defer(rule, pack, ceil_minute(free), situation.zones[0], facts | {"found": str(len(inside))})
        worst: tuple[int, ZoneInfo, int] | None = None
        for tz in situation.zones:
            begin, following = _period_start(rule.period.calendar, now, tz)
            found = sum(any(begin <= moment < following for moment in moments) for moments in counted)
            if found >= rule.limit and (worst is None or following > worst[0]):
                worst = (following, tz, found)
        if worst is None:
            return _PERMITTED
        return _defer(rule, pack, ceil_minute(worst[0]), worst[1], facts | {"found": str(worst[2])})

    return judge


def _gap(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    def judge(situation: Situation, now: int) -> Outcome:
        latest = max((max(moments) for moments in _counted(rule, situation)), default=None)
        if latest is None or latest + rule.period.seconds <= now:
            return _PERMITTED
        facts = {"last_contact": datetime.fromtimestamp(latest, UTC).isoformat()}
        return _defer(rule, pack, ceil_minute(latest + rule.period.seconds), situation.zones[0], facts)

    return judge


def _exclusivity(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    def judge(situation: Situation, now: int) -> Outcome:
        contact = situation.contact
        worst: tuple[int, ZoneInfo, str] | None = None
        for past in situation.history:
            if past.channel == contact.channel or not _counts(rule, contact, past):
                continue
            for moment in _instants(rule, past, contact.at):
                for tz in situation.zones:
                    if rule.period.calendar is None:
                        until = moment + rule.period.seconds
                    elif moment + _LONGEST_WEEK <= now:
                        continue
                    else:
                        _, until = _period_start(rule.period.calendar, moment, tz)
                    if until > now and (worst is None or until > worst[0]):
                        worst = (until, tz, past.channel)
        if worst is None:
            return _PERMITTED
        return _defer(rule, pack, ceil_minute(worst[0]), worst[1], {"channel_used": worst[2]})

    return judge


def _quiet(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    days = timedelta(seconds=rule.period.seconds)

    def judge(situation: Situation, now: int) -> Outcome:
        worst: tuple[int, ZoneInfo] | None = None
        for past in situation.history:
            if not _counts(rule, situation.contact, past):
                continue
            for moment in _instants(rule, past, situation.contact.at):
                for tz in situation.zones:
                    until = day_start(local_date(moment, tz) + days, tz)
                    if until > now and (worst is None or until > worst[0]):
                        worst = (until, tz)
        if worst is None:
            return _PERMITTED
        return _defer(rule, pack, ceil_minute(worst[0]), worst[1], {"days": str(days.days)})

    return judge


def _notice_before(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    days = timedelta(seconds=rule.period.seconds)

    def judge(situation: Situation, now: int) -> Outcome:
        worst: tuple[int, ZoneInfo] | None = None
        for tz in situation.zones:
            told = sorted({local_date(int(past.at.timestamp()), tz) for past in situation.history if past.is_notice})
            facts = {"notices": str(len(told)), "needed": str(rule.notices)}
            if len(told) < rule.notices:
                return _deny(rule, pack, facts)
            until = day_start(told[rule.notices - 1] + days, tz)
            if until > now and (worst is None or until > worst[0]):
                worst = (until, tz)
        if worst is None:
            return _PERMITTED
        return _defer(rule, pack, ceil_minute(worst[0]), worst[1], {"days": str(days.days)})

    return judge


def _content(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    def judge(situation: Situation, _now: int) -> Outcome:
        contact = situation.contact
        found = sorted(contact.flags.intersection(rule.forbidden))
        if found:
            return _deny(rule, pack, {"found": ", ".join(found)})
        # Before the words are written there is nothing to miss; the claim asks again with them.
        missing = [part for part in rule.required if f"{SAYS}{part}" not in contact.flags]
        if contact.content is None or not missing:
            return _PERMITTED
        return _deny(rule, pack, {"missing": ", ".join(missing)})

    return judge


def _third_party(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    def judge(situation: Situation, _now: int) -> Outcome:
        contact = situation.contact
        facts = {"recipient": contact.recipient, "holder_confirmed": "yes" if contact.holder_confirmed else "no"}
        if contact.recipient != "unknown" and contact.recipient in rule.recipients:
            return _deny(rule, pack, facts)
        if (contact.recipient != "unknown" and contact.holder_confirmed) or DISCLOSES_NOTHING in contact.flags:
            return _PERMITTED
        if rule.when_unknown == "deny":
            return _deny(rule, pack, facts)
        return Outcome(finding=_finding(rule, pack, Verdict.AMEND, facts, obligations=(DISCLOSE_NOTHING,)))

    return judge


def _consent(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    def judge(situation: Situation, _now: int) -> Outcome:
        contact = situation.contact
        if contact.consent == "yes":
            return _PERMITTED
        return _deny(rule, pack, {"consent": contact.consent, "channel": contact.channel})

    return judge


def _forbid(rule: Rule, pack: str, _country: CountryData | None) -> Judge:
    def judge(situation: Situation, _now: int) -> Outcome:
        contact = situation.contact
        facts = {"channel": contact.channel, "stage": contact.stage}
        if rule.flags:
            facts["flags"] = ", ".join(sorted(rule.flags))
        return _deny(rule, pack, facts)

    return judge


_COMPILERS: dict[str, Callable[[Rule, str, CountryData | None], Judge]] = {
    "window": _window,
    "cap": _cap,
    "gap": _gap,
    "channel_exclusivity": _exclusivity,
    "quiet": _quiet,
    "notice_before": _notice_before,
    "identification": _content,
    "content": _content,
    "third_party": _third_party,
    "consent": _consent,
    "forbid": _forbid,
}


def newest_first(history: Sequence[PastContact], at: datetime) -> tuple[PastContact, ...]:
    """
    What was before *at* or at the same instant, newest first.
    """
    return tuple(sorted((past for past in history if past.at <= at), key=lambda past: past.at, reverse=True))
