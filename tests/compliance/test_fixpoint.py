"""
The next permitted minute against a straight reading of the rules, minute by minute.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from cobranza_sdk.compliance import Decider
from cobranza_sdk.model import PastContact, Verdict

HOLIDAYS = frozenset(holidays.country_holidays("PE", years=(2024, 2025, 2026), language="en_US"))
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EDGES = (0, 30, 60, 90, 150, 420, 720, 1170, 1380, 1410, 1440)
HORIZON = timedelta(days=9)
#: Around changes of the clock: a skipped midnight, a day of 25 hours, skipped and repeated small hours; and plain days.
ANCHORS = (
    "2026-09-05T12:00+00:00",
    "2026-04-04T12:00+00:00",
    "2026-03-07T20:00+00:00",
    "2026-10-31T20:00+00:00",
    "2024-03-23T12:00+00:00",
    "2024-10-05T12:00+00:00",
    "2026-05-12T12:00+00:00",
    "2026-06-26T20:00+00:00",
)
ZONES = ("America/Lima", "America/Santiago", "America/Mexico_City", "America/Tijuana", "America/Asuncion")
NOT_REACHED = ("no_answer", "delivered")

Span = tuple[int, int]


@frozen(kw_only=True)
class Law:
    """
    Rules as plain data, for the writer of packs and for the straight reading.
    """

    zones: tuple[str, ...]
    windows: tuple[tuple[dict[int, Span], bool], ...]
    caps: tuple[tuple[int, str, str], ...]
    gap_hours: int | None
    exclusivity: str | None


def span_text(span: Span) -> str:
    """
    ``07:00-20:00``.
    """
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in span)


def written(law: Law, packs: Any) -> list[str]:
    """
    The law's rules in TOML.
    """
    rules = []
    for number, (week, closed) in enumerate(law.windows):
        hours = ", ".join(f'{DAYS[day]} = "{span_text(span)}"' for day, span in week.items())
        told = '"closed"' if closed else '"open"'
        rules.append(packs.rule(f"xx.window{number}", "window", hours=f"{{ {hours} }}", holidays=told))
    for number, (limit, period, counts) in enumerate(law.caps):
        told = {"limit": str(limit), "period": f'"{period}"', "counts": f'"{counts}"'}
        rules.append(packs.rule(f"xx.cap{number}", "cap", **told))
    if law.gap_hours is not None:
        rules.append(packs.rule("xx.gap", "gap", period=f'"{law.gap_hours} hours"'))
    if law.exclusivity is not None:
        rules.append(packs.rule("xx.exclusive", "channel_exclusivity", period=f'"{law.exclusivity}"'))
    return rules


def shown_twice(day: date, minute: int, tz: ZoneInfo) -> bool:
    """
    Whether the wall clock shows this time of the day two times.
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=tz) + timedelta(minutes=minute)
    first, second = wall.utcoffset(), wall.replace(fold=1).utcoffset()
    assert first is not None
    assert second is not None
    return first > second


def is_open(week: dict[int, Span], local: datetime, tz: ZoneInfo) -> bool:
    """
    Whether the debtor's clock reads inside the hours. Of an hour shown twice, a window opens in the second and closes
    in the first: that is the strict reading.
    """
    span = week.get(local.weekday())
    seconds = (local.hour * 60 + local.minute) * 60 + local.second
    if span is None or not span[0] * 60 <= seconds < span[1] * 60:
        return False
    now_twice = shown_twice(local.date(), local.hour * 60 + local.minute, tz)
    if now_twice and local.fold == 0 and shown_twice(local.date(), span[0], tz):
        return False
    return not (now_twice and local.fold == 1 and shown_twice(local.date(), span[1], tz))


def in_period(period: str, moment: datetime, now: datetime, tz: ZoneInfo) -> bool:
    """
    Whether a past moment still counts at *now*.
    """
    if period == "day":
        return moment.astimezone(tz).date() == now.astimezone(tz).date()
    if period == "week":
        return moment.astimezone(tz).isocalendar()[:2] == now.astimezone(tz).isocalendar()[:2]
    number, unit = period.split()
    return moment + timedelta(**{unit: int(number)}) > now


def permits(law: Law, channel: str, history: Sequence[PastContact], now: datetime) -> bool:
    """
    The rules read straight, without tables or jumps.
    """
    direct = [past for past in history if past.outcome not in NOT_REACHED]
    for tz in map(ZoneInfo, law.zones):
        local = now.astimezone(tz)
        for week, closed in law.windows:
            if (closed and local.date() in HOLIDAYS) or not is_open(week, local, tz):
                return False
        for limit, period, counts in law.caps:
            counted = direct if counts == "direct" else history
            if sum(in_period(period, past.at, now, tz) for past in counted) >= limit:
                return False
        if law.exclusivity is not None and any(
            past.channel != channel and in_period(law.exclusivity, past.at, now, tz) for past in direct
        ):
            return False
    return law.gap_hours is None or all(past.at + timedelta(hours=law.gap_hours) <= now for past in history)


spans = st.tuples(st.sampled_from(EDGES), st.sampled_from(EDGES)).filter(lambda span: span[0] < span[1])
weeks = st.dictionaries(st.integers(0, 6), spans, min_size=2, max_size=7)
laws = st.builds(
    Law,
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple),
    windows=st.lists(st.tuples(weeks, st.booleans()), min_size=1, max_size=2).map(tuple),
    caps=st.lists(
        st.tuples(
            st.integers(1, 2),
            st.sampled_from(["day", "week", "2 days", "30 hours"]),
            st.sampled_from(["attempts", "direct"]),
        ),
        max_size=2,
    ).map(tuple),
    gap_hours=st.none() | st.integers(1, 60),
    exclusivity=st.none() | st.sampled_from(["day", "week", "3 days"]),
)
instants = st.builds(
    lambda anchor, minutes, seconds: datetime.fromisoformat(anchor) + timedelta(minutes=minutes, seconds=seconds),
    st.sampled_from(ANCHORS),
    st.integers(0, 36 * 60),
    st.sampled_from([0, 0, 30]),
)
pasts = st.lists(
    st.tuples(
        st.integers(0, 4 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes)),
        st.sampled_from(["call", "sms"]),
        st.sampled_from(["answered", "no_answer", "delivered", "unknown", None]),
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        pytest.param("America/Santiago", "2026-09-06", id="midnight skipped"),
        pytest.param("America/Santiago", "2026-04-04", id="25 hours, 23:00 twice"),
        pytest.param("America/Tijuana", "2026-03-08", id="02:00 skipped"),
        pytest.param("America/Tijuana", "2026-11-01", id="01:00 twice"),
        pytest.param("America/Asuncion", "2024-10-06", id="midnight skipped in Asuncion"),
        pytest.param("America/Asuncion", "2024-03-23", id="23:00 twice in Asuncion"),
    ],
)
def test_every_window_holds_where_the_clock_changes(packs: Any, zone: str, day: str) -> None:
    """
    S-079: whatever the hours, on a day of 23 or 25 hours nothing is permitted that the debtor's clock shows as closed.
    """
    tz = ZoneInfo(zone)
    start = datetime.fromisoformat(day).replace(tzinfo=tz).astimezone(UTC) - timedelta(hours=2)
    moments = [start + timedelta(minutes=15 * step) for step in range(28 * 4)]

    for span in itertools.combinations(EDGES, 2):
        rule = packs.rule("xx.window", "window", hours=f'{{ mon-sun = "{span_text(span)}" }}', holidays='"open"')
        decider = Decider([packs.pack(rule, zones=f'{{ "*" = ["{zone}"] }}')])

        told = [decider.decide(packs.contact(at)).verdict is Verdict.ALLOW for at in moments]

        assert told == [is_open(dict.fromkeys(range(7), span), at.astimezone(tz), tz) for at in moments], span


@settings(max_examples=80)
@given(law=laws, at=instants, past=pasts)
def test_not_before_is_the_first_minute_that_a_straight_scan_permits(
    packs: Any, law: Law, at: datetime, past: list[tuple[timedelta, str, str | None]]
) -> None:
    """
    Law 6 (S-079, S-080): the jump from edge to edge finds the minute that a scan by minutes finds, across skipped and
    repeated hours, several zones, caps, gaps and exclusive channels; law 4: several zones permit only when all do.
    """
    history = tuple(PastContact(at=at - ago, channel=channel, outcome=outcome) for ago, channel, outcome in past)
    zones = f'{{ "*" = [{", ".join(f"{chr(34)}{name}{chr(34)}" for name in law.zones)}] }}'
    contact = packs.contact(at, history=history)

    decision = Decider([packs.pack(*written(law, packs), zones=zones)]).decide(contact)

    assert (decision.verdict is Verdict.ALLOW) == permits(law, "call", history, at)
    if decision.verdict is not Verdict.ALLOW:
        minute = at.replace(second=0) + timedelta(minutes=1)
        while minute < at + HORIZON and not permits(law, "call", history, minute):
            minute += timedelta(minutes=1)
        if minute < at + HORIZON:
            assert decision.verdict is Verdict.DEFER
            assert decision.not_before == minute
        else:
            assert decision.not_before is None or decision.not_before >= minute


@settings(max_examples=60)
@given(law=laws, at=instants, past=pasts)
def test_not_after_is_where_the_present_window_closes(
    packs: Any, law: Law, at: datetime, past: list[tuple[timedelta, str, str | None]]
) -> None:
    """
    A vendor's queue gets `not_after`: the last second before it is inside all windows, and at it one
    has closed (a window that goes on after midnight is two).
    """
    windows = evolve(law, caps=(), gap_hours=None, exclusivity=None)
    zones = f'{{ "*" = [{", ".join(f"{chr(34)}{name}{chr(34)}" for name in law.zones)}] }}'

    decision = Decider([packs.pack(*written(windows, packs), zones=zones)]).decide(packs.contact(at))

    if decision.verdict is Verdict.ALLOW:
        assert decision.not_after is not None
        close = decision.not_after.astimezone(UTC)
        assert at < close
        before = close - timedelta(seconds=1)
        new_day = any(close.astimezone(tz).date() > before.astimezone(tz).date() for tz in map(ZoneInfo, law.zones))
        assert permits(windows, "call", (), before)
        assert new_day or not permits(windows, "call", (), close)


def test_a_rule_that_begins_while_waiting_is_held_against_what_went_before(packs: Any) -> None:
    """
    The night before a cap begins: the next opening falls under it, and the past counts.
    """
    pack = packs.pack(
        packs.rule("xx.window", "window", hours='{ mon-sun = "08:00-20:00" }', holidays='"open"'),
        packs.rule("xx.cap", "cap", limit="1", period='"7 days"', effective_from="2026-05-13"),
    )
    past = PastContact(at=datetime.fromisoformat("2026-05-10T10:00-05:00"), channel="call")

    decision = Decider([pack]).decide(packs.contact("2026-05-12T21:00-05:00", history=[past]))

    assert [finding.rule for finding in decision.findings] == ["xx.window"]
    assert decision.not_before == datetime.fromisoformat("2026-05-17T10:00-05:00")


@pytest.mark.parametrize(
    ("notice", "verdict"),
    [({"creditor_id": "a"}, "allow"), ({"creditor_id": "b"}, "deny"), ({"receivable_ids": ["F-2"]}, "deny")],
    ids=["of the same creditor", "of another creditor", "about another debt"],
)
def test_only_a_notice_of_the_creditor_about_the_debt_opens_the_step(
    packs: Any, notice: dict[str, Any], verdict: str
) -> None:
    """
    Somebody else's notice is no notice.
    """
    pack = packs.pack(packs.rule("xx.notice", "notice_before", period='"20 days"'))
    past = PastContact(
        at=datetime.fromisoformat("2026-04-10T10:00-05:00"), channel="letter", outcome="notice", **notice
    )
    contact = packs.contact("2026-05-12T10:00-05:00", history=[past], creditor_id="a", receivable_ids=["F-1"])

    assert Decider([pack]).decide(contact).verdict == verdict
