"""
The laws of the decision, with packs as they ship and packs drawn at random, against a reading that jumps nowhere.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from cobranza_sdk.compliance import Decider, Pack, Rule
from cobranza_sdk.compliance._slow import closed_windows, speaks_of
from cobranza_sdk.loading import load_plugins
from cobranza_sdk.model import Contact, Decision, Finding, PastContact, Verdict
from cobranza_sdk.spec import CompliancePack, CompliancePolicy

MINUTE = timedelta(minutes=1)
#: The line of time is laid out in such lengths, counted from 1970.
LENGTH = timedelta(seconds=31_556_952)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Changes of the clock, Holy Week, national days, the turn of the year and the edges of the lengths about it.
ANCHORS = (
    *(EPOCH + number * LENGTH for number in (55, 56, 57, 58)),
    *(
        datetime.fromisoformat(f"{day}T00:00+00:00")
        for day in ("2026-03-08", "2026-04-02", "2026-04-05", "2026-07-28", "2026-09-06", "2026-11-01", "2027-01-01")
    ),
)
CHANNELS = ("call", "sms", "whatsapp", "email", "letter", "visit")
OUTCOMES = ("answered", "no_answer", "read", "delivered", "failed", "not_sent", "notice", None)
SHIPPED: tuple[CompliancePack, ...] = tuple(
    load_plugins(allow=["compliance_latam", "compliance_us", "whatsapp_cloud"]).items("compliance")
)
LAW = Decider(SHIPPED)
PLACES = tuple(
    (code, region)
    for pack in LAW.packs
    for code, country in pack.countries.items()
    for region in (None, *sorted({*country.zones, *country.subdivisions} - {"*"})[:3])
)


class Silent(CompliancePolicy):
    """
    Has nothing against anything.
    """

    name = "test.silent"

    def judge(self, contact: Contact) -> Sequence[Finding]:
        return []


# -- the straight reading ------------------------------------------------------------------------------------------


def in_force(rule: Rule, at: datetime, zones: Sequence[ZoneInfo]) -> bool:
    """
    Whether it is a day of the rule in one of the zones.
    """
    days = [at.astimezone(tz).date() for tz in zones]
    return max(days) >= rule.effective_from and (rule.effective_to is None or min(days) <= rule.effective_to)


def counted(rule: Rule, contact: Contact) -> list[PastContact]:
    """
    The past contacts that a rule counts.
    """
    kind = "conversations" if rule.kind == "quiet" else "notices" if rule.kind == "notice_before" else rule.counts
    found = []
    for past in contact.history:
        wanted = {
            "attempts": past.is_attempt,
            "direct": past.is_direct,
            "conversations": past.is_conversation,
            "notices": past.is_notice,
        }[kind]
        per = "debt" if kind == "notices" else rule.per
        other = contact.creditor_id and past.creditor_id and contact.creditor_id != past.creditor_id
        apart = contact.receivable_ids and past.receivable_ids
        apart = apart and not set(contact.receivable_ids) & set(past.receivable_ids)
        if not wanted or past.at > contact.at or (per in ("creditor", "debt") and other) or (per == "debt" and apart):
            continue
        if kind != "notices" and past.family is not None and past.family not in rule.families:
            continue
        if kind == "notices" or rule.kind == "channel_exclusivity" or past.channel in rule.channels:
            found.append(past)
    return found


def later_times(rule: Rule, past: PastContact, contact: Contact) -> list[datetime]:
    """
    When it was read or answered, if that counts and is known.
    """
    later = past.outcome_at
    return [later] if later is not None and later <= contact.at and rule.counts != "attempts" else []


def reached(rule: Rule, past: PastContact, contact: Contact) -> datetime:
    """
    From when a past contact counts in a rolling period.
    """
    return max([past.at, *later_times(rule, past, contact)])


def in_period(rule: Rule, moment: datetime, now: datetime, tz: ZoneInfo) -> bool:
    """
    Whether a moment counts at another.
    """
    told, here = moment.astimezone(tz), now.astimezone(tz)
    if rule.period.calendar == "day":
        return told.date() == here.date()
    if rule.period.calendar == "week":
        return told.isocalendar()[:2] == here.isocalendar()[:2]
    return moment + timedelta(seconds=rule.period.seconds) > now


def stands(rule: Rule, contact: Contact, now: datetime, zones: Sequence[ZoneInfo]) -> bool:
    """
    Whether what went before speaks against a contact at an instant.
    """
    pasts, days = counted(rule, contact), timedelta(seconds=rule.period.seconds)
    moments = [reached(rule, past, contact) for past in pasts]
    if rule.kind == "cap" and rule.period.calendar is None:
        return sum(moment + days > now for moment in moments) >= rule.limit
    if rule.kind == "cap":
        told = [{past.at, *later_times(rule, past, contact)} for past in pasts]
        return any(
            sum(any(in_period(rule, each, now, tz) for each in times) for times in told) >= rule.limit for tz in zones
        )
    if rule.kind == "gap":
        return any(moment + days > now for moment in moments)
    if rule.kind == "channel_exclusivity":
        others = [moment for moment, past in zip(moments, pasts, strict=True) if past.channel != contact.channel]
        return any(in_period(rule, moment, now, tz) for moment in others for tz in zones)
    if rule.kind == "quiet":
        return any(
            now.astimezone(tz).date() < moment.astimezone(tz).date() + days for moment in moments for tz in zones
        )
    dates = [sorted({moment.astimezone(tz).date() for moment in moments}) for tz in zones]
    return any(
        len(told) < rule.notices or now.astimezone(tz).date() < told[rule.notices - 1] + days
        for told, tz in zip(dates, zones, strict=True)
    )


def reading(decider: Decider, contact: Contact) -> Callable[[datetime], set[str]]:
    """
    Says by ids which rules that the clock cures stand against a contact at an instant.
    """
    zones = [ZoneInfo(name) for name in decider.zones_of(contact)]
    found: list[tuple[Pack, list[Rule], list[Rule]]] = []
    for pack in decider.packs:
        if contact.country in pack.countries:
            spoken = [rule for rule in pack.rules if rule.reading in (None, "cautious") and speaks_of(rule, contact)]
            windows = [rule for rule in spoken if rule.kind == "window"]
            kinds = ("cap", "gap", "channel_exclusivity", "quiet", "notice_before")
            found.append((pack, windows, [rule for rule in spoken if rule.kind in kinds]))

    def told(now: datetime) -> set[str]:
        ids: set[str] = set()
        for pack, windows, others in found:
            ids |= closed_windows(windows, pack.countries[contact.country], contact, zones, now)
            ids |= {rule.id for rule in others if in_force(rule, now, zones) and stands(rule, contact, now, zones)}
        return ids

    return told


def instants_between(start: datetime, end: datetime) -> Iterator[datetime]:
    """
    Whole minutes between two instants, the end apart: all of the last hours, before them one in forty.
    """
    minute = start.replace(second=0, microsecond=0) + MINUTE
    near = end - timedelta(hours=3)
    while minute < end:
        yield minute
        minute += MINUTE if minute >= near else min(40 * MINUTE, max(near - minute, MINUTE))


def check(decider: Decider, contact: Contact) -> Decision:
    """
    Hold a decision against the straight reading.
    """
    decision, told = decider.decide(contact), reading(decider, contact)
    timed = {rule.id for pack in decider.packs for rule in pack.rules if rule.kind not in _TIMELESS}
    spoken = {finding.rule for finding in decision.findings}
    assert spoken & timed == told(contact.at)
    if decision.verdict is Verdict.DEFER:
        opens = decision.not_before
        assert opens is not None
        assert opens > contact.at
        assert (opens.second, opens.microsecond) == (0, 0)
        assert not told(opens)
        for minute in instants_between(contact.at, opens):
            assert told(minute), minute
    elif decision.verdict is Verdict.DENY and all(_is_cured(decider, finding) for finding in decision.findings):
        start = contact.at.replace(second=0, microsecond=0)
        assert all(told(start + number * 157 * MINUTE) for number in range(1, 400 * 1440 // 157))
    return decision


def _is_cured(decider: Decider, finding: Finding) -> bool:
    """
    Whether waiting cures what a finding says, if only for long enough.
    """
    kinds = {rule.id: rule.kind for pack in decider.packs for rule in pack.rules}
    kind = kinds.get(finding.rule, "")
    # A notice that lacks denies, and the search for a minute ends where a rule denies.
    if "notice_before" in kinds.values():
        return False
    return finding.rule == "sdk.no_permitted_minute" or kind not in (_TIMELESS | {""})


_TIMELESS = {"third_party", "consent", "identification", "content", "forbid"}

# -- what is drawn -------------------------------------------------------------------------------------------------

instants = st.builds(
    lambda anchor, minutes, seconds: anchor + timedelta(minutes=minutes, seconds=seconds),
    st.sampled_from(ANCHORS),
    st.integers(-4 * 1440, 4 * 1440),
    st.sampled_from([0, 0, 12, 59]),
)
ages = st.integers(-1440, 9 * 1440).map(lambda minutes: timedelta(minutes=minutes))
pasts = st.lists(
    st.tuples(
        ages,
        st.sampled_from(CHANNELS),
        st.sampled_from(OUTCOMES),
        st.none() | ages,
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([(), ("F-1",), ("F-2",)]),
        st.sampled_from(["outbound", "outbound", "inbound"]),
    ),
    max_size=5,
)


def history_of(at: datetime, drawn: Iterable[tuple[Any, ...]]) -> tuple[PastContact, ...]:
    """
    Past contacts some time before (or after) an instant.
    """
    return tuple(
        PastContact(
            at=at - ago,
            channel=channel,
            outcome=outcome,
            outcome_at=None if later is None else at - later,
            creditor_id=creditor,
            receivable_ids=debts,
            direction=direction,
        )
        for ago, channel, outcome, later, creditor, debts, direction in drawn
    )


contacts = st.builds(
    lambda at, place, channel, drawn, purpose, stage, consent, collector: Contact(
        at=at,
        country=place[0],
        region=place[1],
        channel=channel,
        recipient="debtor",
        holder_confirmed=True,
        consent=consent,
        purpose=purpose,
        stage=stage,
        collector=collector,
        creditor_id="a",
        receivable_ids=("F-1",),
        history=history_of(at, drawn),
    ),
    instants,
    st.sampled_from(PLACES),
    st.sampled_from(CHANNELS),
    pasts,
    st.sampled_from(["reminder", "demand", "offer"]),
    st.sampled_from(["preventive", "extrajudicial"]),
    st.sampled_from(["yes", "yes", "no"]),
    st.sampled_from(["agency", "creditor"]),
)


@st.composite
def laws(draw: Any) -> tuple[str, ...]:
    """
    Rules in TOML whose days begin and end about the edges of a length, and a calendar with a long closed stretch.
    """
    edge = (EPOCH + draw(st.sampled_from((56, 57))) * LENGTH).date()
    days = st.integers(-12, 12).map(lambda number: edge + timedelta(days=number))

    def dates() -> dict[str, str]:
        first, last = draw(st.none() | days), draw(st.none() | days)
        if first is not None and last is not None:
            first, last = min(first, last), max(first, last)
        told = {"effective_from": first, "effective_to": last}
        return {key: day.isoformat() for key, day in told.items() if day is not None}

    rules = [("xx.always", "window", {"hours": draw(hours), "holidays": '"closed"'})]
    for number in range(draw(st.integers(0, 2))):
        told = {"hours": draw(hours), "holidays": draw(st.sampled_from(['"closed"', '"open"']))}
        rules.append((f"xx.window{number}", "window", told | dates()))
    for number in range(draw(st.integers(0, 2))):
        told = {"limit": str(draw(st.integers(1, 2))), "period": draw(periods), "counts": draw(counts)}
        rules.append((f"xx.cap{number}", "cap", told | {"per": draw(whose)} | dates()))
    if draw(st.booleans()):
        rules.append(("xx.gap", "gap", {"period": '"30 hours"', "counts": draw(counts)} | dates()))
    if draw(st.booleans()):
        rules.append(("xx.alone", "channel_exclusivity", {"period": draw(periods)} | dates()))
    if draw(st.booleans()):
        rules.append(("xx.quiet", "quiet", {"period": '"5 days"', "per": draw(whose)} | dates()))
    if draw(st.booleans()):
        rules.append(("xx.notice", "notice_before", {"period": '"3 days"'} | dates()))
    start, length = draw(days), draw(st.sampled_from([0, 0, 3, 40, 390]))
    closed = ", ".join((start + timedelta(days=number)).isoformat() for number in range(length))
    zones = draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True))
    named = ", ".join(f'"{name}"' for name in zones)
    return (closed, named, *(json.dumps(rule) for rule in rules))


hours = st.sampled_from(
    [
        '{ mon-sun = "07:00-20:00" }',
        '{ mon-sun = "00:00-24:00" }',
        '{ mon-fri = ["08:00-12:00", "14:00-18:30"], sat = "09:00-13:00" }',
        '{ tue = "23:00-24:00", wed = "00:00-01:30", thu = "13:40-14:00", fri = "07:00-21:00" }',
    ]
)
periods = st.sampled_from(['"day"', '"week"', '"2 days"', '"30 hours"'])
counts = st.sampled_from(['"attempts"', '"direct"'])
whose = st.sampled_from(['"creditor"', '"debt"', '"debtor"', '"collector"'])
ZONES = ("America/Lima", "America/Santiago", "America/Tijuana", "America/Asuncion", "America/Noronha")


def pack_of(packs: Any, drawn: Sequence[str], name: str = "xx") -> CompliancePack:
    """
    The pack that was drawn.
    """
    closed, zones, *told = drawn
    rules = [
        packs.rule(rule_id.replace("xx.", f"{name}."), kind, **keys) for rule_id, kind, keys in map(json.loads, told)
    ]
    text = packs.text(*rules, name=name, zones=f'{{ "*" = [{zones}] }}')
    return CompliancePack(name, text.replace("through = 2035", f"through = 2035, add = [{closed}]"), origin=name)


near = st.builds(
    lambda number, minutes, seconds: EPOCH + number * LENGTH + timedelta(minutes=minutes, seconds=seconds),
    st.sampled_from((56, 57)),
    st.integers(-14 * 1440, 14 * 1440),
    st.sampled_from([0, 0, 12, 59]),
)


def contact_of(packs: Any, at: datetime, channel: str, drawn: Iterable[tuple[Any, ...]]) -> Contact:
    """
    A contact that only time and history stand against.
    """
    made: Contact = packs.contact(
        at, channel=channel, history=history_of(at, drawn), creditor_id="a", receivable_ids=("F-1",)
    )
    return made


# -- the laws ------------------------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(contact=contacts)
def test_the_shipped_packs_say_what_a_straight_reading_of_them_says(contact: Contact) -> None:
    """
    Law 6: in every country the rules that stand against a contact are those that a reading without tables finds, and
    the minute that is told is the first: permitted, and none before it.
    """
    check(LAW, contact)


@settings(max_examples=70)
@given(drawn=laws(), at=near, channel=st.sampled_from(CHANNELS), past=pasts)
def test_drawn_packs_say_what_a_straight_reading_of_them_says(
    packs: Any, drawn: Sequence[str], at: datetime, channel: str, past: Any
) -> None:
    """
    Law 6: the same where rules begin and end on the way, where a closed stretch reaches across an edge of the line's
    lengths, and with every kind of rule that counts.
    """
    check(Decider([pack_of(packs, drawn)]), contact_of(packs, at, channel, past))


@settings(max_examples=35)
@given(drawn=laws(), at=near, channel=st.sampled_from(CHANNELS), past=pasts)
def test_the_short_way_to_the_next_minute_is_the_long_one(
    packs: Any, drawn: Sequence[str], at: datetime, channel: str, past: Any
) -> None:
    """
    Law 5: a policy that says nothing changes nothing, though with one each instant is judged anew on the way.
    """
    pack, contact = pack_of(packs, drawn), contact_of(packs, at, channel, past)

    short, long = Decider([pack]).decide(contact), Decider([pack], [Silent()]).decide(contact)

    assert evolve(long, basis=short.basis) == short


@settings(max_examples=25)
@given(first=laws(), more=laws(), at=near, channel=st.sampled_from(CHANNELS), past=pasts, region=st.booleans())
def test_one_more_pack_never_allows_more(
    packs: Any, first: Sequence[str], more: Sequence[str], at: datetime, channel: str, past: Any, region: bool
) -> None:
    """
    Laws 4 and 5: whatever the second pack holds, the verdict gets no milder and the next permitted minute no earlier;
    and which of the two is given first changes not a byte.
    """
    one, other = pack_of(packs, first), pack_of(packs, more, "yy")
    other = CompliancePack(
        "yy",
        other.text.replace('{ "*" = ', '{ "XX-A" = ["America/Lima"], "*" = ', 1)
        .replace('["America/', '["America/Lima", "America/', 2)
        .replace('"America/Lima", "America/Lima"', '"America/Lima"'),
        origin="yy",
    )
    contact = evolve(contact_of(packs, at, channel, past), region="XX-A" if region else None)

    before = Decider([one]).decide(contact)
    after = Decider([one, other]).decide(contact)

    assert after.verdict.rank >= before.verdict.rank
    if before.not_before is not None and after.not_before is not None:
        assert after.not_before >= before.not_before
    assert json.dumps(Decider([other, one]).decide(contact).to_dict()) == json.dumps(after.to_dict())


@settings(max_examples=30)
@given(drawn=laws(), at=near, channel=st.sampled_from(CHANNELS), past=pasts, draw=st.randoms(use_true_random=False))
def test_the_order_of_rules_and_of_history_and_what_lies_after_change_nothing(
    packs: Any, drawn: Sequence[str], at: datetime, channel: str, past: Any, draw: random.Random
) -> None:
    """
    Laws 5 and 6: rules, past contacts in any order, and contacts of tomorrow: the findings keep every byte.
    """
    contact = contact_of(packs, at, channel, past)
    closed, zones, *rules = drawn
    history = [each for each in contact.history if each.at <= at]
    history += [PastContact(at=at + timedelta(seconds=ahead), channel="sms", outcome="read") for ahead in (1, 90_000)]
    draw.shuffle(rules)
    draw.shuffle(history)

    told = Decider([pack_of(packs, drawn)]).decide(contact).to_dict()
    again = Decider([pack_of(packs, (closed, zones, *rules))]).decide(evolve(contact, history=history)).to_dict()

    assert sorted(again.pop("basis")) == sorted(told.pop("basis"))
    assert json.dumps(again) == json.dumps(told)


def test_the_channel_that_is_named_depends_on_no_order(packs: Any) -> None:
    """
    Law 6: of two contacts of one second by two channels one is named, whichever stands first in the history.
    """
    decider = Decider([packs.pack(packs.rule("xx.alone", "channel_exclusivity", period='"week"'))])
    at = datetime.fromisoformat("2026-05-12T10:00-05:00")
    past = [PastContact(at=at, channel=channel) for channel in ("sms", "email", "whatsapp")]

    told = {
        json.dumps(decider.decide(packs.contact(at, history=order)).to_dict()) for order in itertools.permutations(past)
    }

    assert len(told) == 1


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("cap", {"limit": "1", "period": '"7 days"'}),
        ("cap", {"limit": "1", "period": '"week"'}),
        ("gap", {"period": '"7 days"'}),
        ("channel_exclusivity", {"period": '"week"'}),
        ("quiet", {"period": '"7 days"'}),
        ("notice_before", {"period": '"7 days"'}),
    ],
    ids=["rolling cap", "cap by week", "gap", "one channel", "quiet days", "notice"],
)
def test_the_end_of_a_rule_ends_its_wait(packs: Any, kind: str, keys: dict[str, str]) -> None:
    """
    Law 6: what a rule asks to wait for ends at the latest with the rule: the first minute of the day after is told.
    """
    decider = Decider([packs.pack(packs.rule("xx.rule", kind, effective_to="2026-05-13", **keys))])
    past = PastContact(at=datetime.fromisoformat("2026-05-12T09:00-05:00"), channel="sms", outcome="notice")

    decision = decider.decide(packs.contact("2026-05-12T10:00-05:00", history=[past]))

    assert decision.not_before == datetime.fromisoformat("2026-05-14T00:00-05:00")
    assert decision.findings[0].not_before == decision.not_before


def test_a_wait_for_years_crosses_every_edge_of_the_line(packs: Any) -> None:
    """
    Law 6: a stretch closed for a year and longer is waited out to the first open minute, and beyond 400 days there
    is none.
    """
    start = date(2025, 12, 20)
    for days, opens in ((390, "2027-01-14T07:00-05:00"), (399, "2027-01-23T07:00-05:00"), (401, None)):
        closed = ", ".join((start + timedelta(days=number)).isoformat() for number in range(days))
        drawn = (
            closed,
            '"America/Lima"',
            json.dumps(["xx.window", "window", {"hours": EVERY_DAY, "holidays": '"closed"'}]),
        )

        decision = Decider([pack_of(packs, drawn)]).decide(packs.contact("2025-12-20T08:00-05:00"))

        assert decision.not_before == (datetime.fromisoformat(opens) if opens else None)
        assert decision.verdict is (Verdict.DEFER if opens else Verdict.DENY)


EVERY_DAY = '{ mon-sun = "07:00-20:00" }'


# -- the same bytes ------------------------------------------------------------------------------------------------

#: Each field of a contact with another value; those that no cached plan may know of stand below.
OTHERS: dict[str, Any] = {
    "channel": "sms",
    "country": "YY",
    "region": "XX-A",
    "recipient": "reference",
    "collector": "buyer",
    "sector": "any",
    "stage": "judicial",
    "purpose": "offer",
    "consent": "opted_out",
    "holder_confirmed": False,
    "timezones": ("America/Santiago",),
    "content": "words",
    "flags": frozenset({"threat"}),
    "family": "letter",
}
#: They are looked at for each contact.
JUDGED_EACH_TIME = {"at", "history", "creditor_id", "debtor_id", "receivable_ids"}


def test_the_kind_of_a_contact_tells_apart_all_that_a_plan_is_made_of(packs: Any) -> None:
    """
    Law 6: two contacts share a plan only where no rule could tell them apart; a new field must be put on one side.
    """
    contact = packs.contact("2026-05-12T10:00-05:00")
    given_fields = {each.name for each in attrs.fields(Contact) if each.init}

    assert given_fields == OTHERS.keys() | JUDGED_EACH_TIME
    for name, value in OTHERS.items():
        assert evolve(contact, **{name: value}).kind != contact.kind, name


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_what_was_judged_before_never_answers_for_another_contact(packs: Any, name: str) -> None:
    """
    Law 4: a contact that differs in one field is judged by itself, whatever lies in the caches.
    """
    pack = packs.pack(
        packs.rule("xx.window", "window", hours='{ mon-fri = "07:00-11:00" }', holidays='"closed"'),
        packs.rule("xx.forbid.sms", "forbid", channels='["sms"]'),
        packs.rule("xx.forbid.letters", "forbid", families='["letter"]'),
        packs.rule("xx.forbid.a", "forbid", regions='["XX-A"]'),
        packs.rule("xx.forbid.buyers", "forbid", collectors='["buyer"]'),
        packs.rule("xx.forbid.judicial", "forbid", stages='["judicial"]'),
        packs.rule("xx.forbid.offers", "forbid", purposes='["offer"]'),
        packs.rule("xx.forbid.lenders", "forbid", sector='"financial"', flags='["of_a_lender"]'),
        packs.rule("xx.third", "third_party", recipients='["reference"]'),
        packs.rule("xx.words", "identification", required='["creditor"]'),
        packs.rule("xx.threats", "content", forbidden='["threat"]'),
    )
    plain = packs.contact("2026-05-12T10:30-05:00", flags=["of_a_lender"] if name == "sector" else [])
    other = evolve(plain, **{name: OTHERS[name], **({"family": None} if name == "channel" else {})})
    used = Decider([pack])

    told = [used.decide(each).to_dict() for each in (plain, other, plain)]

    assert told[0] == told[2] == Decider([pack]).decide(plain).to_dict()
    assert told[1] == Decider([pack]).decide(other).to_dict()
    assert told[1] != told[0]


def contacts_of(seed: int, many: int) -> list[Contact]:
    """
    Contacts in every country that ships, the same in every process.
    """
    draw = random.Random(seed)
    found = []
    for number in range(many):
        at = draw.choice(ANCHORS) + timedelta(minutes=draw.randrange(-6000, 6000))
        country, region = draw.choice(PLACES)
        past = [
            PastContact(
                at=at - timedelta(minutes=draw.randrange(9000)),
                channel=draw.choice(CHANNELS),
                outcome=draw.choice(OUTCOMES),
            )
            for _ in range(draw.randrange(4))
        ]
        found.append(
            Contact(
                at=at,
                country=country,
                region=region,
                channel=draw.choice(CHANNELS),
                recipient=draw.choice(["debtor", "unknown", "reference"]),
                holder_confirmed=draw.choice([True, False]),
                consent=draw.choice(["yes", "no"]),
                purpose=draw.choice(["demand", "offer"]),
                flags=draw.sample(["threat", "judicial_lookalike", "says_creditor", "appointment"], number % 4),
                content=draw.choice([None, "words"]),
                history=past,
            )
        )
    return found


def bytes_of(decider: Decider, found: Iterable[Contact]) -> list[str]:
    """
    What is decided, as it is printed.
    """
    return [json.dumps(decider.decide(contact).to_dict()) for contact in found]


def test_caches_and_threads_change_nothing() -> None:
    """
    Law 6: alone, after all others, in another order, or by four threads at once: the same bytes.
    """
    found = contacts_of(1, 120)
    told = bytes_of(Decider(SHIPPED, platform=True), found)
    turned = Decider(SHIPPED, platform=True)
    shared = Decider(SHIPPED, platform=True)

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda start: bytes_of(shared, found[start:] + found[:start]), range(0, 120, 31)))

    assert bytes_of(turned, found[::-1])[::-1] == told
    for number, part in enumerate(parts):
        start = number * 31
        assert part == told[start:] + told[:start]
    assert {json.loads(line)["verdict"] for line in told} == {"allow", "amend", "defer", "deny"}


def test_processes_with_other_hashes_print_the_same_bytes() -> None:
    """
    Law 6: sets of text come in another order in every process; no decision shows it.
    """
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('laws', sys.argv[1])\n"
        "laws = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(laws)\n"
        "print('/'.join(laws.bytes_of(laws.Decider(laws.SHIPPED, platform=True), laws.contacts_of(2, 40))))"
    )

    told = {
        subprocess.run(  # noqa: S603  # our own code
            [sys.executable, "-c", code, __file__],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4711")
    }

    assert told == {"/".join(bytes_of(Decider(SHIPPED, platform=True), contacts_of(2, 40))) + "\n"}


# -- policies ------------------------------------------------------------------------------------------------------


class Permits(CompliancePolicy):
    """
    Permits until an instant.
    """

    name = "test.permits"

    def __init__(self, verdict: str, until: datetime) -> None:
        self.verdict, self.until = verdict, until

    def judge(self, contact: Contact) -> Sequence[Finding]:
        return [
            Finding(
                rule="house.until", verdict=Verdict(self.verdict), citation="house", pack="house", not_after=self.until
            )
        ]


@pytest.mark.parametrize("verdict", ["allow", "amend"])
@pytest.mark.parametrize(("seconds", "denied"), [(1, False), (0, True), (-1, True)], ids=["later", "now", "past"])
def test_a_permission_that_is_over_is_none(packs: Any, verdict: str, seconds: int, denied: bool) -> None:
    """
    Law 4: a policy that permits until an instant that has come permits no more.
    """
    pack = packs.pack(packs.rule("xx.window", "window", hours=EVERY_DAY, holidays='"open"'))
    at = datetime.fromisoformat("2026-05-12T10:00-05:00")

    decision = Decider([pack], [Permits(verdict, at + timedelta(seconds=seconds))]).decide(packs.contact(at))

    assert (decision.verdict is Verdict.DENY) == denied
    assert ["sdk.policy_failed"] * denied == [
        finding.rule for finding in decision.findings if finding.rule.startswith("sdk.")
    ]


# -- what drawing seldom meets -------------------------------------------------------------------------------------


def test_a_wait_that_ends_at_night_goes_on_to_the_morning_and_under_the_next_law(packs: Any) -> None:
    """
    Law 6: after the last wait comes the first opening, and where another rule has begun meanwhile it is asked too.
    """
    rules = [
        packs.rule("xx.window", "window", hours=EVERY_DAY, holidays='"open"'),
        packs.rule("xx.gap", "gap", period='"12 hours"'),
    ]
    later = packs.rule(
        "xx.late", "window", hours='{ mon-sun = "09:00-18:00" }', holidays='"open"', effective_from="2026-05-13"
    )
    at = datetime.fromisoformat("2026-05-12T10:00-05:00")
    contact = packs.contact(at, history=[PastContact(at=at, channel="call")])

    told = [Decider([packs.pack(*each)]).decide(contact).not_before for each in (rules, [*rules, later])]

    assert told == [datetime.fromisoformat(f"2026-05-13T{hour}:00-05:00") for hour in ("07", "09")]


def test_a_cap_by_day_is_full_where_it_is_full_in_one_of_the_zones(packs: Any) -> None:
    """
    Law 4: the day ends in the last of the possible zones, whichever is named first.
    """
    rule = packs.rule("xx.cap", "cap", limit="1", period='"day"')
    at = datetime.fromisoformat("2026-05-12T23:30-05:00")
    contact = packs.contact(at, history=[PastContact(at=at - timedelta(hours=1), channel="call")])

    for zones in itertools.permutations(["America/Caracas", "America/Lima"]):
        decision = Decider([packs.pack(rule)]).decide(evolve(contact, timezones=zones))
        assert decision.not_before == datetime.fromisoformat("2026-05-13T00:00-05:00")


def test_the_same_window_in_regions_with_other_holidays_has_a_line_of_its_own(packs: Any) -> None:
    """
    Law 6: what was laid out for one region's calendar is not taken for another's.
    """
    pack = packs.pack(packs.rule("xx.window", "window", hours=EVERY_DAY, holidays='"closed"'))
    text = pack.text.replace('"PE", through = 2035', '"BR", through = 2035, subdivisions = { "XX-SP" = "SP" }')
    day = packs.contact("2026-07-09T10:00-05:00")

    for regions in (("XX-SP", "XX-A"), ("XX-A", "XX-SP")):
        decider = Decider([CompliancePack("xx", text, origin="xx")])
        told = {region: decider.decide(evolve(day, region=region)).verdict for region in regions}
        assert told == {"XX-SP": Verdict.DEFER, "XX-A": Verdict.ALLOW}


def test_facts_of_several_are_told_in_one_order(packs: Any) -> None:
    """
    Law 6: what a set holds is told sorted, however a process orders sets.
    """
    names = [f"fact_{letter}" for letter in "abcdefghij"]
    told = ", ".join(f'"{name}"' for name in reversed(names))
    pack = packs.pack(packs.rule("xx.content", "content", forbidden=f"[{told}]"))

    (found,) = Decider([pack]).decide(packs.contact("2026-05-12T10:00-05:00", flags=names)).findings

    assert found.facts == {"found": ", ".join(names)}
