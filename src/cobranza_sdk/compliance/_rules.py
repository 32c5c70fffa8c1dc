"""
Rules compiled for judging: each says what stands against one contact at one instant, or nothing.

Rules of two sorts are here: those that ask what kind of contact it is, whose answer is the same at any hour, and those
that ask for what went before. Windows are elsewhere, on the line of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from zoneinfo import ZoneInfo

from cobranza_sdk.compliance._calendar import ceil_minute, day_after, day_at, day_bounds, week_bounds
from cobranza_sdk.compliance._line import finding_of
from cobranza_sdk.compliance._pack import EVERYTHING, Rule
from cobranza_sdk.model import Contact, Finding, PastContact, Verdict

DISCLOSE_NOTHING = "disclose_nothing"
#: Beginning of the flags that tell what a text says, for example ``says_creditor``.
SAYS = "says_"
#: Flag of a contact whose text was rendered to disclose nothing.
DISCLOSES_NOTHING = "discloses_nothing"
_DAY = 86_400
NEVER = 1 << 60

#: Says what stands against a kind of contact, at any hour.
Kind = Callable[[Contact], Finding | None]
#: Says what stands against a contact at an epoch second, given what went before it: when that ends, and the finding.
#: Given the same past, waiting cures it for good; `NEVER` stands for what waiting does not cure.
Past = Callable[[Contact, Sequence[PastContact], int], "tuple[int, Finding] | None"]


def concerns(rule: Rule, contact: Contact) -> bool:
    """
    Whether a rule speaks of such a contact at all, its date apart.
    """
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


# -- what kind of contact it is ------------------------------------------------------------------------------------


def _third_party(rule: Rule, pack: str) -> Kind:
    def judge(contact: Contact) -> Finding | None:
        facts = {"recipient": contact.recipient, "holder_confirmed": "yes" if contact.holder_confirmed else "no"}
        if contact.recipient != "unknown" and contact.recipient in rule.recipients:
            return finding_of(rule, pack, Verdict.DENY, facts)
        if (contact.recipient != "unknown" and contact.holder_confirmed) or DISCLOSES_NOTHING in contact.flags:
            return None
        if rule.when_unknown == "deny":
            return finding_of(rule, pack, Verdict.DENY, facts)
        return finding_of(rule, pack, Verdict.AMEND, facts, obligations=(DISCLOSE_NOTHING,))

    return judge


def _consent(rule: Rule, pack: str) -> Kind:
    def judge(contact: Contact) -> Finding | None:
        if contact.consent == "yes":
            return None
        return finding_of(rule, pack, Verdict.DENY, {"consent": contact.consent, "channel": contact.channel})

    return judge


def _content(rule: Rule, pack: str) -> Kind:
    def judge(contact: Contact) -> Finding | None:
        found = sorted(contact.flags.intersection(rule.forbidden))
        if found:
            return finding_of(rule, pack, Verdict.DENY, {"found": ", ".join(found)})
        # Before the words are written there is nothing to miss; the claim asks again with them.
        missing = [part for part in rule.required if f"{SAYS}{part}" not in contact.flags]
        if contact.content is None or not missing:
            return None
        return finding_of(rule, pack, Verdict.DENY, {"missing": ", ".join(missing)})

    return judge


def _forbid(rule: Rule, pack: str) -> Kind:
    def judge(contact: Contact) -> Finding | None:
        facts = {"channel": contact.channel, "stage": contact.stage}
        if rule.flags:
            facts["flags"] = ", ".join(sorted(rule.flags))
        return finding_of(rule, pack, Verdict.DENY, facts)

    return judge


KINDS: dict[str, Callable[[Rule, str], Kind]] = {
    "third_party": _third_party,
    "consent": _consent,
    "identification": _content,
    "content": _content,
    "forbid": _forbid,
}

# -- what went before ----------------------------------------------------------------------------------------------


_Counter = Callable[[Contact, Sequence[PastContact]], list[PastContact]]


def _counter(rule: Rule) -> _Counter:
    """
    Picks the past contacts that count for a rule.
    """
    flag = attrgetter({"attempts": "is_attempt", "direct": "is_direct"}.get(rule.counts, "is_conversation"))
    families, channels = rule.families, EVERYTHING if rule.kind == "channel_exclusivity" else rule.channels
    whose = {"debt": _of_debt, "creditor": _of_creditor}.get(rule.per)

    def count(contact: Contact, entries: Sequence[PastContact]) -> list[PastContact]:
        found = [past for past in entries if flag(past)]
        if found and families is not EVERYTHING:
            found = [past for past in found if past.family is None or past.family in families]
        if found and channels is not EVERYTHING:
            found = [past for past in found if past.channel in channels]
        return whose(contact, found) if found and whose is not None else found

    return count


def _of_creditor(contact: Contact, entries: list[PastContact]) -> list[PastContact]:
    ours = contact.creditor_id
    if ours is None:
        return entries
    return [past for past in entries if past.creditor_id == ours or past.creditor_id is None]


def _of_debt(contact: Contact, entries: list[PastContact]) -> list[PastContact]:
    found, ours = _of_creditor(contact, entries), contact.receivable_ids
    if not ours:
        return found
    return [past for past in found if not past.receivable_ids or not set(past.receivable_ids).isdisjoint(ours)]


def _moments(rule: Rule, past: PastContact, now: int) -> tuple[int, ...]:
    """
    When it counts: on sending, and for rules on those who were reached also when it was read or answered.
    """
    later = past.outcome_epoch
    if rule.counts == "attempts" or later is None or later > now:
        return (past.epoch,)
    return past.epoch, later


def _deferred(rule: Rule, pack: str, until: int, tz: ZoneInfo, facts: dict[str, str]) -> tuple[int, Finding]:
    whole = ceil_minute(until)
    moment = datetime.fromtimestamp(whole, tz)
    return whole, finding_of(rule, pack, Verdict.DEFER, facts, not_before=moment)


def _cap(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Past:
    if rule.period.calendar is None:
        return _rolling_cap(rule, pack, zones)
    count, limit, daily = _counter(rule), rule.limit, rule.period.calendar == "day"
    looks_later = rule.counts != "attempts"

    def judge(contact: Contact, entries: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        counted = count(contact, entries)
        if len(counted) < limit:
            return None
        worst: tuple[int, ZoneInfo, int] | None = None
        told = contact.epoch
        for tz in zones:
            begins, ends = day_bounds(now, tz) if daily else week_bounds(now, tz)
            found = 0
            for past in counted:
                later = past.outcome_epoch if looks_later else None
                if begins <= past.epoch < ends or (later is not None and begins <= later < ends and later <= told):
                    found += 1
            if found >= limit and (worst is None or ends > worst[0]):
                worst = ends, tz, found
        if worst is None:
            return None
        facts = {"limit": str(limit), "counted": rule.counts, "found": str(worst[2])}
        return _deferred(rule, pack, worst[0], worst[1], facts)

    return judge


def _rolling_cap(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Past:
    count, limit, length = _counter(rule), rule.limit, rule.period.seconds

    def judge(contact: Contact, entries: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        counted = count(contact, entries)
        if len(counted) < limit:
            return None
        latest = (max(_moments(rule, past, contact.epoch)) for past in counted)
        inside = sorted((moment for moment in latest if moment > now - length), reverse=True)
        if len(inside) < limit:
            return None
        facts = {"limit": str(limit), "counted": rule.counts, "found": str(len(inside))}
        return _deferred(rule, pack, inside[limit - 1] + length, zones[0], facts)

    return judge


def _gap(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Past:
    count, length = _counter(rule), rule.period.seconds

    def judge(contact: Contact, entries: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        counted = count(contact, entries)
        latest = max((max(_moments(rule, past, contact.epoch)) for past in counted), default=None)
        if latest is None or latest + length <= now:
            return None
        facts = {"last_contact": datetime.fromtimestamp(latest, UTC).isoformat()}
        return _deferred(rule, pack, latest + length, zones[0], facts)

    return judge


def _exclusivity(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Past:
    count, calendar, length = _counter(rule), rule.period.calendar, rule.period.seconds

    def ends(moment: int, tz: ZoneInfo) -> int:
        if calendar is None:
            return moment + length
        return (day_bounds if calendar == "day" else week_bounds)(moment, tz)[1]

    def judge(contact: Contact, entries: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        others = [past for past in entries if past.channel != contact.channel]
        worst: tuple[int, ZoneInfo, str] | None = None
        for past in count(contact, others) if others else ():
            for moment in _moments(rule, past, contact.epoch):
                for tz in zones:
                    until = ends(moment, tz)
                    if until > now and (worst is None or until > worst[0]):
                        worst = until, tz, past.channel
        if worst is None:
            return None
        return _deferred(rule, pack, worst[0], worst[1], {"channel_used": worst[2]})

    return judge


def _quiet(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Past:
    count, days = _counter(rule), rule.period.seconds // _DAY

    def judge(contact: Contact, entries: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        worst: tuple[int, ZoneInfo] | None = None
        for past in count(contact, entries):
            for moment in _moments(rule, past, contact.epoch):
                for tz in zones:
                    until = day_after(day_at(moment, tz), days, tz)
                    if until > now and (worst is None or until > worst[0]):
                        worst = until, tz
        return None if worst is None else _deferred(rule, pack, *worst, {"days": str(days)})

    return judge


def _notice_before(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Past:
    needed, days = rule.notices, rule.period.seconds // _DAY

    def judge(contact: Contact, entries: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        worst: tuple[int, ZoneInfo] | None = None
        # Another creditor's notice, or one about another debt, opens nothing here.
        notices = _of_debt(contact, [past for past in entries if past.is_notice])
        for tz in zones:
            told = {day.begins: day for day in (day_at(past.epoch, tz) for past in notices)}
            if len(told) < needed:
                facts = {"notices": str(len(told)), "needed": str(needed)}
                return NEVER, finding_of(rule, pack, Verdict.DENY, facts)
            until = day_after(told[sorted(told)[needed - 1]], days, tz)
            if until > now and (worst is None or until > worst[0]):
                worst = until, tz
        return None if worst is None else _deferred(rule, pack, *worst, {"days": str(days)})

    return judge


PASTS: dict[str, Callable[[Rule, str, Sequence[ZoneInfo]], Past]] = {
    "cap": _cap,
    "gap": _gap,
    "channel_exclusivity": _exclusivity,
    "quiet": _quiet,
    "notice_before": _notice_before,
}
