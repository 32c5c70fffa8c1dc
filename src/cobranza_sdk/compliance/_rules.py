"""
Rules compiled for judging: each says what stands against one contact at one instant, or nothing.

Rules of two sorts are here: those that ask what kind of contact it is, whose answer is the same at any hour, and those
that ask for what went before. Windows are elsewhere, on the line of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter, itemgetter
from zoneinfo import ZoneInfo

from attrs import evolve

from cobranza_sdk.compliance._calendar import (
    FIRST_YEAR,
    ceil_minute,
    day_after,
    day_at,
    day_bounds,
    week_bounds,
    year_start,
)
from cobranza_sdk.compliance._line import finding_of
from cobranza_sdk.compliance._pack import ACCEPTED_RISK, DISCLOSES_NOTHING, EVERYTHING, SAYS, Rule, Selection
from cobranza_sdk.model import REPLY, Contact, Finding, PastContact, Verdict

#: Kinds of rules on contacts that somebody begins: an answer within a conversation is none.
_ABOUT_CONTACTS = frozenset({"window", "cap", "gap", "channel_exclusivity", "quiet", "notice_before", "consent"})
DISCLOSE_NOTHING = "disclose_nothing"
_DAY = 86_400
#: Seconds in which the person's own message may be answered.
CONVERSATION = _DAY
_FIRST = year_start(FIRST_YEAR)
NEVER = 1 << 60
_FIRST_ITEM = itemgetter(0)

#: Says what stands against a kind of contact, at any hour.
Kind = Callable[[Contact], Finding | None]
#: Picks what counts among the contacts before one.
Picker = Callable[[Contact], Sequence[PastContact]]
#: Says what stands against a contact at an epoch second, given what counts of its past: until when, and the finding.
#: Given the same past, waiting cures it for good; `NEVER` stands for what waiting does not cure.
Judge = Callable[[Contact, Sequence[PastContact], int], "tuple[int, Finding] | None"]
#: Rules that count the same past contacts.
Past = tuple[Picker, tuple[Judge, ...]]


def concerns(rule: Rule, contact: Contact) -> bool:
    """
    Whether a rule speaks of such a contact at all, its date apart.
    """
    return (
        (contact.purpose != REPLY or rule.kind not in _ABOUT_CONTACTS)
        and contact.family in rule.families
        and contact.channel in rule.channels
        and contact.stage in rule.stages
        and contact.purpose in rule.purposes
        and contact.collector in rule.collectors
        and rule.sector in ("any", contact.sector)
        and contact.country in rule.countries
        and (contact.region or "") in rule.regions
        and rule.flags <= contact.flags
        and not rule.unless_flags & contact.flags
    )


def without_risks(contact: Contact) -> Contact | None:
    """
    The same contact as if no risk were accepted; None where none is.
    """
    flags = frozenset(flag for flag in contact.flags if not flag.startswith(ACCEPTED_RISK))
    return None if flags == contact.flags else evolve(contact, flags=flags)


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


def answered(contact: Contact) -> PastContact | None:
    """
    The person's own message that a reply answers: the latest one on the channel, if no reply has followed it and it is
    no older than a conversation.
    """
    said = [past for past in contact.history if past.channel == contact.channel and past.epoch <= contact.epoch]
    last = max((past.epoch for past in said if past.direction == "reply"), default=None)
    asked = [
        past
        for past in said
        if past.direction == "inbound"
        and past.epoch > contact.epoch - CONVERSATION
        and (last is None or past.epoch > last)
        and (contact.creditor_id is None or past.creditor_id in (None, contact.creditor_id))
    ]
    return max(asked, key=attrgetter("epoch"), default=None)


KINDS: dict[str, Callable[[Rule, str], Kind]] = {
    "third_party": _third_party,
    "consent": _consent,
    "identification": _content,
    "content": _content,
    "forbid": _forbid,
}

# -- what went before ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _picker(counts: str, whose: str, families: Selection, channels: Selection) -> Picker:
    """
    Picks the past contacts that count. One for all rules that count alike.
    """
    wanted = attrgetter(_FLAGS[counts])

    def pick(contact: Contact) -> Sequence[PastContact]:
        # What lies after the contact is not known yet.
        told, ours = contact.epoch, contact.creditor_id if whose else None
        found = [
            past
            for past in filter(wanted, contact.history)
            if past.epoch <= told and (ours is None or past.creditor_id == ours or past.creditor_id is None)
        ]
        if found and families is not EVERYTHING:
            found = [past for past in found if past.family is None or past.family in families]
        if found and channels is not EVERYTHING:
            found = [past for past in found if past.channel in channels]
        return _of_debt(contact, found) if found and whose == "debt" else found

    return pick


_FLAGS = {
    "attempts": "is_attempt",
    "direct": "is_direct",
    "conversations": "is_conversation",
    "notices": "is_notice",
}


def _picked_by(rule: Rule) -> Picker:
    # Another creditor's notice, or one about another debt, opens nothing here.
    if rule.kind == "notice_before":
        return _picker("notices", "debt", EVERYTHING, EVERYTHING)
    whose = rule.per if rule.per in ("debt", "creditor") else ""
    # The week of a channel looks at what was done on the others.
    channels = EVERYTHING if rule.kind == "channel_exclusivity" else rule.channels
    return _picker(rule.counts if rule.counts in _FLAGS else "conversations", whose, rule.families, channels)


def _of_debt(contact: Contact, found: list[PastContact]) -> list[PastContact]:
    ours = contact.receivable_ids
    if not ours:
        return found
    return [past for past in found if not past.receivable_ids or not set(past.receivable_ids).isdisjoint(ours)]


def _reached(past: PastContact, told: int) -> int:
    """
    When the person was last reached by it, as far as is known: on sending, or when it was read or answered.
    """
    later = past.outcome_epoch
    return past.epoch if later is None or later > told or later < past.epoch else later


def _deferred(rule: Rule, pack: str, until: int, tz: ZoneInfo, facts: dict[str, str]) -> tuple[int, Finding]:
    whole = ceil_minute(until)
    moment = datetime.fromtimestamp(whole, tz)
    return whole, finding_of(rule, pack, Verdict.DEFER, facts, not_before=moment)


def _cap(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Judge:
    if rule.period.calendar is None:
        return _rolling_cap(rule, pack, zones)
    limit, bounds = rule.limit, day_bounds if rule.period.calendar == "day" else week_bounds
    looks_later = rule.counts != "attempts"

    def judge(contact: Contact, counted: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        if len(counted) < limit:
            return None
        worst: tuple[int, ZoneInfo, int] | None = None
        told = contact.epoch
        for tz in zones:
            begins, ends = bounds(now, tz)
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


def _rolling_cap(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Judge:
    limit, length, moment_of = rule.limit, rule.period.seconds, _moment_of(rule)

    def judge(contact: Contact, counted: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        if len(counted) < limit:
            return None
        latest = (moment_of(past, contact.epoch) for past in counted)
        inside = sorted((moment for moment in latest if moment > now - length), reverse=True)
        if len(inside) < limit:
            return None
        facts = {"limit": str(limit), "counted": rule.counts, "found": str(len(inside))}
        return _deferred(rule, pack, inside[limit - 1] + length, zones[0], facts)

    return judge


def _moment_of(rule: Rule) -> Callable[[PastContact, int], int]:
    return _sent if rule.counts == "attempts" else _reached


def _sent(past: PastContact, told: int) -> int:  # noqa: ARG001  # as `_reached`
    return past.epoch


def _gap(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Judge:
    length, moment_of = rule.period.seconds, _moment_of(rule)

    def judge(contact: Contact, counted: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        if not counted:
            return None
        latest = max([moment_of(past, contact.epoch) for past in counted])
        if latest + length <= now:
            return None
        facts = {"last_contact": datetime.fromtimestamp(latest, UTC).isoformat()}
        return _deferred(rule, pack, latest + length, zones[0], facts)

    return judge


def _exclusivity(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Judge:
    calendar, length, moment_of = rule.period.calendar, rule.period.seconds, _moment_of(rule)

    def ends(moment: int, tz: ZoneInfo) -> int:
        if calendar is None:
            return moment + length
        return (day_bounds if calendar == "day" else week_bounds)(moment, tz)[1]

    def judge(contact: Contact, counted: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        mine, told = contact.channel, contact.epoch
        latest, used = 0, ""
        for past in counted:
            if past.channel != mine:
                moment = moment_of(past, told)
                if not used or moment > latest or (moment == latest and past.channel > used):
                    latest, used = moment, past.channel
        if not used:
            return None
        until, tz = max([(ends(latest, tz), tz) for tz in zones], key=_FIRST_ITEM)
        return None if until <= now else _deferred(rule, pack, until, tz, {"channel_used": used})

    return judge


def _quiet(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Judge:
    days, moment_of = rule.period.seconds // _DAY, _moment_of(rule)

    def judge(contact: Contact, counted: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        if not counted:
            return None
        latest = max([moment_of(past, contact.epoch) for past in counted])
        until, tz = max(((day_after(day_at(latest, tz), days, tz), tz) for tz in zones), key=_FIRST_ITEM)
        return None if until <= now else _deferred(rule, pack, until, tz, {"days": str(days)})

    return judge


def _notice_before(rule: Rule, pack: str, zones: Sequence[ZoneInfo]) -> Judge:
    needed, days = rule.notices, rule.period.seconds // _DAY

    def judge(contact: Contact, counted: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:  # noqa: ARG001  # as the others
        worst: tuple[int, ZoneInfo] | None = None
        for tz in zones:
            # A date of a year that is none proves no notice.
            told = {day.begins: day for day in (day_at(past.epoch, tz) for past in counted if past.epoch >= _FIRST)}
            if len(told) < needed:
                facts = {"notices": str(len(told)), "needed": str(needed)}
                return NEVER, finding_of(rule, pack, Verdict.DENY, facts)
            until = day_after(told[sorted(told)[needed - 1]], days, tz)
            if until > now and (worst is None or until > worst[0]):
                worst = until, tz
        return None if worst is None else _deferred(rule, pack, *worst, {"days": str(days)})

    return judge


_PASTS: dict[str, Callable[[Rule, str, Sequence[ZoneInfo]], Judge]] = {
    "cap": _cap,
    "gap": _gap,
    "channel_exclusivity": _exclusivity,
    "quiet": _quiet,
    "notice_before": _notice_before,
}


def _ending(judge: Judge, ends: int) -> Judge:
    """
    The same, where waiting for the rule's own end is shorter.
    """

    def judged(contact: Contact, counted: Sequence[PastContact], now: int) -> tuple[int, Finding] | None:
        told = judge(contact, counted, now)
        if told is None or told[1].not_before is None or told[0] <= ends:
            return told
        moment = datetime.fromtimestamp(ends, told[1].not_before.tzinfo)
        return ends, evolve(told[1], not_before=moment)

    return judged


def pasts_of(rules: Iterable[tuple[Rule, str, int]], zones: Sequence[ZoneInfo]) -> tuple[Past, ...]:
    """
    The rules among *rules* that ask for what went before, those together that count alike.

    Args:
        rules: Each with its pack and the epoch second from which it is not in force any more.
        zones: All zones the person may be in.
    """
    found: dict[Picker, list[Judge]] = {}
    for rule, pack, ends in rules:
        if rule.kind in _PASTS:
            judge = _PASTS[rule.kind](rule, pack, zones)
            judge = judge if rule.effective_to is None else _ending(judge, ceil_minute(ends))
            found.setdefault(_picked_by(rule), []).append(judge)
    return tuple((pick, tuple(judges)) for pick, judges in found.items())
