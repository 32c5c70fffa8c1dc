"""
The decision: strictest wins, doubt refuses, everything explains itself.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from cobranza_sdk.compliance import Decider
from cobranza_sdk.model import Contact, Finding, InvalidValueError, PastContact, Verdict
from cobranza_sdk.spec import CompliancePolicy

TUESDAY = "2026-05-12T10:00-05:00"
OFFICE = '{ mon-fri = "07:00-19:00" }'
LANGUAGES = ("es", "pt", "en")


class Says(CompliancePolicy):
    """
    A policy that answers what it was given, or raises it.
    """

    name = "test.says"

    def __init__(self, answer: Any, name: str = "test.says") -> None:
        self.answer = answer
        self.name = name  # type: ignore[misc]

    def judge(self, contact: Contact) -> Sequence[Finding]:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer(contact) if callable(self.answer) else self.answer


def finding(verdict: str, rule: str = "house.rule", **more: Any) -> Finding:
    """
    What a policy of the house may say.
    """
    return Finding(rule=rule, verdict=Verdict(verdict), citation="house, art. 1", pack="house 1", **more)


def days_later(days: int) -> Any:
    """
    A policy's answer: wait until a fixed day.
    """
    moment = datetime(2026, 5, 12, 15, tzinfo=UTC) + timedelta(days=days)
    return lambda contact: [finding("defer", not_before=moment)] if contact.at < moment else []


@pytest.fixture
def office(packs: Any) -> Any:
    """
    A country with office hours and nothing else.
    """
    return packs.pack(packs.rule("xx.window", "window", hours=OFFICE, holidays='"open"'))


def rules_of(decision: Any) -> list[str]:
    """
    Ids of the findings, in their order.
    """
    return [found.rule for found in decision.findings]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (("allow",), "allow"),
        (("allow", "amend"), "amend"),
        (("amend", "defer", "allow"), "defer"),
        (("defer", "deny", "amend"), "deny"),
        (("deny", "allow"), "deny"),
    ],
)
def test_the_strictest_wins_in_any_order(packs: Any, office: Any, answers: tuple[str, ...], verdict: str) -> None:
    """
    Law 5: deny > defer > amend > allow; the order of policies changes not a byte.
    """
    wait = datetime.fromisoformat("2026-05-12T11:00-05:00")
    told: list[CompliancePolicy] = [
        Says(
            lambda contact, answer=answer: (
                [
                    finding(
                        answer,
                        f"house.{answer}",
                        obligations=("disclose_nothing",) if answer == "amend" else (),
                        not_before=wait if answer == "defer" else None,
                    )
                ]
                if answer != "defer" or contact.at < wait
                else []
            ),
            name=f"test.{answer}",
        )
        for answer in answers
    ]

    decisions = [
        Decider([office], order).decide(packs.contact(TUESDAY)).to_dict() for order in itertools.permutations(told)
    ]

    assert {decision["verdict"] for decision in decisions} == {verdict}
    assert len({json.dumps(decision) for decision in decisions}) == 1


def test_the_order_of_packs_changes_nothing(packs: Any) -> None:
    """
    Law 5: several packs bind one country, and whichever is given first, the answer has the same bytes (S-081: the
    intersection of law and house hours holds, and the one that binds is named).
    """
    told = [
        packs.pack(packs.rule(f"{name}.window", "window", hours=hours, holidays='"open"'), name=name, zones=zones)
        for name, hours, zones in [
            ("law", OFFICE, '{ "*" = ["America/Lima", "America/Bogota"] }'),
            ("house", '{ mon-fri = "09:00-21:00" }', '{ "*" = ["America/Caracas"] }'),
            ("second", '{ tue = "08:00-18:00" }', '{ "*" = ["America/Lima"], "XX-A" = ["America/Lima"] }'),
        ]
    ]
    moments = [f"2026-05-12T{hour:02}:30-05:00" for hour in (6, 7, 8, 17, 18)]

    for moment in moments:
        contact = packs.contact(moment)
        answers = {json.dumps(Decider(order).decide(contact).to_dict()) for order in itertools.permutations(told)}
        assert len(answers) == 1

    late = Decider(told).decide(packs.contact("2026-05-12T08:30-05:00"))
    assert (late.verdict, rules_of(late)) == (Verdict.DEFER, ["house.window"])


def test_one_more_pack_with_fewer_zones_allows_no_more(packs: Any) -> None:
    """
    Law 4: zones of a country are all that any pack names, so a careless second pack cannot hide one.
    """
    rule = packs.rule("xx.window", "window", hours=OFFICE, holidays='"open"')
    wide = packs.pack(rule, name="wide", zones='{ "*" = ["America/Lima", "America/Santiago"] }')
    narrow = packs.pack(rule, name="narrow", zones='{ "*" = ["America/Lima"] }')
    contact = packs.contact("2026-05-12T18:30-05:00")

    assert Decider([narrow]).decide(contact).verdict is Verdict.ALLOW
    assert Decider([wide]).decide(contact).verdict is Verdict.DEFER
    assert Decider([wide, narrow]).decide(contact).verdict is Verdict.DEFER


answers = st.sampled_from(
    [
        [],
        [finding("allow")],
        [finding("amend", obligations=("disclose_nothing",))],
        [finding("amend", obligations=("sing",))],
        [finding("deny")],
        [finding("defer")],
        days_later(1),
        days_later(5),
        days_later(500),
        ValueError("boom"),
        None,
    ]
)


@settings(max_examples=60)
@given(first=st.lists(answers, max_size=2), more=answers, hours=st.integers(0, 200))
def test_one_more_policy_never_allows_more(packs: Any, first: list[Any], more: Any, hours: int) -> None:
    """
    Law 5: a policy can only restrict: the verdict gets no milder and the next permitted minute no earlier.
    """
    pack = packs.pack(
        packs.rule("xx.window", "window", hours=OFFICE, holidays='"open"'),
        packs.rule("xx.cap", "cap", limit="1", period='"day"'),
    )
    at = datetime.fromisoformat(TUESDAY) + timedelta(hours=hours)
    contact = packs.contact(at, history=[PastContact(at=at - timedelta(hours=3), channel="call")])
    policies = [Says(answer, name=f"test.{number}") for number, answer in enumerate(first)]

    before = Decider([pack], policies).decide(contact)
    after = Decider([pack], [*policies, Says(more, name="test.more")]).decide(contact)

    assert after.verdict.rank >= before.verdict.rank
    if before.not_before is not None and after.not_before is not None:
        assert after.not_before >= before.not_before


@pytest.mark.parametrize(
    "answer",
    [
        ValueError("with a secret"),
        SystemExit(0),
        RecursionError(),
        GeneratorExit(),
        None,
        "",
        "allow",
        {},
        0,
        True,
        [1],
        ["allow"],
        [finding("allow"), None],
        lambda _: iter([]),
        lambda _: (one for one in [finding("allow")]),
    ],
    ids=lambda answer: "a function" if callable(answer) else repr(answer),
)
def test_a_policy_that_fails_or_returns_junk_denies(packs: Any, office: Any, answer: Any) -> None:
    """
    Law 4 and law 8: whatever a policy does wrong, nobody is contacted, and the finding says whose fault it was.
    """
    decision = Decider([office], [Says(answer)]).decide(packs.contact(TUESDAY))

    assert (decision.verdict, rules_of(decision)) == (Verdict.DENY, ["sdk.policy_failed"])
    assert decision.findings[0].facts["policy"] == "test.says"
    assert "secret" not in json.dumps(decision.to_dict())


def test_a_keyboard_interrupt_passes(packs: Any, office: Any) -> None:
    """
    Law 8: the operator's Ctrl-C is no plugin's failure.
    """
    with pytest.raises(KeyboardInterrupt):
        Decider([office], [Says(KeyboardInterrupt())]).decide(packs.contact(TUESDAY))


@pytest.mark.parametrize(
    "answer",
    [
        [finding("defer")],
        [finding("defer", not_before=datetime(2026, 5, 12, 14, 59, tzinfo=UTC))],
        days_later(401),
        lambda contact: [finding("defer", not_before=contact.at + timedelta(days=1))],
        lambda contact: (
            [finding("defer", not_before=datetime(2026, 5, 11, 15, tzinfo=UTC))] if contact.at.day == 12 else []
        ),
    ],
    ids=["no instant", "already past", "beyond 400 days", "always tomorrow", "points into the past"],
)
def test_waiting_without_an_end_is_a_refusal(packs: Any, office: Any, answer: Any) -> None:
    """
    `defer` always has a next minute after the contact's own; without one the answer is deny and says so.
    """
    decision = Decider([office], [Says(answer)]).decide(packs.contact(TUESDAY))

    assert (decision.verdict, decision.not_before) == (Verdict.DENY, None)
    assert rules_of(decision)[0] == "sdk.no_permitted_minute"


def test_a_later_refusal_or_unknown_duty_is_no_permitted_minute(packs: Any, office: Any) -> None:
    """
    `not_before` promises a minute that is permitted: not one at which another finding would deny.
    """
    night = packs.contact("2026-05-12T20:00-05:00")
    denies = Says(lambda contact: [finding("deny")] if contact.at.day == 13 and contact.at.hour >= 12 else [])
    asks = Says(lambda contact: [finding("amend", obligations=("sing",))] if contact.at.hour == 12 else [])

    for policy in (denies, asks):
        decision = Decider([office], [policy]).decide(night)
        assert (decision.verdict, decision.not_before) == (Verdict.DENY, None)


def test_windows_that_never_meet_deny(packs: Any) -> None:
    """
    Monday to Friday by one rule and Saturday by another permit no minute ever: deny without a next minute.
    """
    pack = packs.pack(
        packs.rule("xx.week", "window", hours=OFFICE, holidays='"open"'),
        packs.rule("xx.saturday", "window", hours='{ sat = "08:00-15:00" }', holidays='"open"'),
    )

    decision = Decider([pack]).decide(packs.contact(TUESDAY))

    assert (decision.verdict, decision.not_before) == (Verdict.DENY, None)
    assert rules_of(decision) == ["sdk.no_permitted_minute", "xx.saturday"]


def test_an_unknown_obligation_denies(packs: Any, office: Any) -> None:
    """
    Law 5: what the system cannot fulfil it may not promise.
    """
    amend = finding("amend", obligations=("disclose_nothing", "sing"))

    decision = Decider([office], [Says([amend])]).decide(packs.contact(TUESDAY))

    assert rules_of(decision) == ["sdk.obligation_unknown", "house.rule"]
    assert decision.findings[0].facts == {"obligations": "sing"}


def test_findings_stand_strictest_first_then_by_rule(packs: Any) -> None:
    """
    The reader sees first what decides; equals stand by rule id, whatever the order in the pack.
    """
    pack = packs.pack(
        packs.rule("xx.z_window", "window", hours='{ sat = "08:00-15:00" }', holidays='"open"'),
        packs.rule("xx.b_forbid", "forbid"),
        packs.rule("xx.third", "third_party", recipients='["reference"]', when_unknown='"amend"'),
        packs.rule("xx.a_forbid", "forbid"),
        packs.rule("xx.a_gap", "gap", period='"24 hours"'),
    )
    past = [PastContact(at=datetime.fromisoformat(TUESDAY), channel="call")]

    decision = Decider([pack]).decide(packs.contact(TUESDAY, recipient="unknown", history=past))

    assert rules_of(decision) == ["xx.a_forbid", "xx.b_forbid", "xx.a_gap", "xx.z_window", "xx.third"]


def test_not_after_is_the_close_of_the_window(packs: Any, office: Any) -> None:
    """
    A vendor's queue must not deliver at night: the earliest close of window or policy is handed on.
    """
    soon = datetime(2026, 5, 12, 17, tzinfo=UTC)

    plain = Decider([office]).decide(packs.contact(TUESDAY))
    held = Decider([office], [Says([finding("allow", not_after=soon)])]).decide(packs.contact(TUESDAY))
    refused = Decider([office]).decide(packs.contact("2026-05-12T20:00-05:00"))

    assert plain.not_after == datetime.fromisoformat("2026-05-12T19:00-05:00")
    assert held.not_after == soon
    assert refused.not_after is None


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        ("2026-05-12T06:59-05:00", "defer"),
        ("2026-05-12T07:00-05:00", "allow"),
        ("2026-05-12T18:59:59-05:00", "allow"),
        ("2026-05-12T19:00-05:00", "defer"),
    ],
)
def test_a_window_is_half_open(packs: Any, office: Any, at: str, verdict: str) -> None:
    """
    S-079: the opening minute is permitted and the closing one is not.
    """
    assert Decider([office]).decide(packs.contact(at)).verdict == verdict


def test_several_zones_permit_only_when_all_do(packs: Any) -> None:
    """
    Law 4: while it is not known where the person is, the latest opening and the earliest close hold.
    """
    zones = '{ "*" = ["America/Mexico_City", "America/Tijuana"], "XX-BCN" = ["America/Tijuana"] }'
    rule = packs.rule("xx.window", "window", hours='{ mon-sun = "07:00-22:00" }', holidays='"open"')
    decider = Decider([packs.pack(rule, zones=zones)])

    night = decider.decide(packs.contact("2026-05-12T05:00-06:00"))
    east = decider.decide(packs.contact("2026-05-12T07:00-06:00"))
    both = decider.decide(packs.contact("2026-05-12T08:00-06:00"))
    west = decider.decide(packs.contact("2026-05-12T22:30-06:00", region="XX-BCN"))
    given = decider.decide(packs.contact("2026-05-12T07:00-06:00", timezones=("America/Mexico_City",)))

    assert night.findings[0].not_before == datetime.fromisoformat("2026-05-12T08:00-06:00")
    assert (east.verdict, east.not_before) == (Verdict.DEFER, datetime.fromisoformat("2026-05-12T08:00-06:00"))
    assert (both.verdict, both.not_after) == (Verdict.ALLOW, datetime.fromisoformat("2026-05-12T22:00-06:00"))
    assert west.verdict is Verdict.ALLOW
    assert given.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"country": "YY"}, "sdk.country_unknown"),
        ({"country": "xx"}, "sdk.country_unknown"),
        ({"channel": "telegram"}, "sdk.channel_unknown"),
        ({"region": "PE-LIM"}, "sdk.region_unknown"),
        ({"timezones": ("America/Nowhere",)}, "sdk.zone_unknown"),
        ({"timezones": ("America/Lima", "../etc/passwd")}, "sdk.zone_unknown"),
        ({"at": datetime(1, 1, 1, tzinfo=UTC)}, "sdk.date_unknown"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "sdk.date_unknown"),
        ({"consent": "opted_out"}, "sdk.opted_out"),
    ],
    ids=str,
)
def test_what_is_not_known_is_refused(packs: Any, office: Any, fields: dict[str, Any], rule: str) -> None:
    """
    Law 4: fail closed, and the finding says why, citing the law of the house.
    """
    decision = Decider([office]).decide(evolve(packs.contact(TUESDAY), **{"family": None} | fields))

    assert (decision.verdict, decision.not_before, rules_of(decision)) == (Verdict.DENY, None, [rule])
    assert decision.findings[0].citation == "SDK law 4"
    for language in LANGUAGES:
        assert f"[SDK law 4; sdk 1; {rule}]" in decision.explain(language)


def test_a_reading_is_named_exactly(office: Any) -> None:
    """
    A misspelt reading would drop the rules of both readings.
    """
    with pytest.raises(InvalidValueError, match="cautious, literal"):
        Decider([office], reading="cautous")


@pytest.mark.parametrize(("reading", "verdict"), [("cautious", "defer"), ("literal", "allow")])
def test_each_reading_has_its_rules(packs: Any, reading: str, verdict: str) -> None:
    """
    A pack may hold both readings of a doubtful word, and only one judges; its finding names it.
    """
    cap = {"limit": "1", "counts": '"direct"'}
    pack = packs.pack(
        packs.rule("xx.rolling", "cap", period='"7 days"', reading='"cautious"', **cap),
        packs.rule("xx.calendar", "cap", period='"week"', reading='"literal"', **cap),
    )
    sunday = PastContact(at=datetime.fromisoformat("2026-05-10T10:00-05:00"), channel="call")

    decision = Decider([pack], reading=reading).decide(packs.contact(TUESDAY, history=[sunday]))

    assert decision.verdict == verdict
    assert [found.reading for found in decision.findings] == ([reading] if verdict == "defer" else [])


def test_a_contact_is_judged_by_the_rules_of_its_own_day(packs: Any) -> None:
    """
    First and last day are included; outside them the rule is silent and is no basis.
    """
    days = {"effective_from": "2026-05-12", "effective_to": "2026-05-13"}
    decider = Decider([packs.pack(packs.rule("xx.forbid", "forbid", **days))])

    told = {
        day: decider.decide(packs.contact(f"2026-05-{day}-05:00")).verdict
        for day in ("11T23:59", "12T00:00", "13T23:59", "14T00:00")
    }

    assert list(told.values()) == ["allow", "deny", "deny", "allow"]
    assert decider.decide(packs.contact("2026-05-11T23:59-05:00")).basis == ()


def test_a_law_holds_as_soon_as_its_first_day_came_in_one_zone(packs: Any) -> None:
    """
    Law 4: where the person may already be in the law's first day, it binds.
    """
    rule = packs.rule("xx.forbid", "forbid", effective_from="2026-05-12", effective_to="2026-05-12")
    zones = '{ "*" = ["America/Lima", "America/Santiago"] }'
    decider = Decider([packs.pack(rule, zones=zones)])

    told = [
        decider.decide(packs.contact(at)).verdict
        for at in (
            "2026-05-11T22:59-05:00",
            "2026-05-11T23:00-05:00",
            "2026-05-12T23:59-05:00",
            "2026-05-13T00:00-05:00",
        )
    ]

    assert told == ["allow", "deny", "deny", "allow"]


def test_a_draft_shows_in_every_decision(packs: Any) -> None:
    """
    Nobody takes data that no lawyer signed for reviewed data.
    """
    rule = packs.rule("xx.window", "window", hours=OFFICE, holidays='"open"')
    signed = 'status = "reviewed"\nreviewed_by = "A. Abogada"\nreviewed_on = 2026-01-02'

    draft = Decider([packs.pack(rule)]).decide(packs.contact(TUESDAY))
    reviewed = Decider([packs.pack(rule, head=signed)]).decide(packs.contact(TUESDAY))

    assert (draft.drafts, reviewed.drafts) == (("xx 1",), ())
    assert all("xx 1" in draft.explain(language).splitlines()[-1] for language in LANGUAGES)
    assert draft.basis == ("xx 1: xx.window",)


def test_platform_packs_judge_only_when_asked(packs: Any, office: Any) -> None:
    """
    `decide` judges by law alone unless told otherwise; a platform's rule knows no country.
    """
    platform = packs.pack(
        packs.rule("wa.opt_in", "consent", channels='["whatsapp"]'),
        name="wa",
        country="",
        head='status = "draft"\nscope = "platform"',
    )
    contact = packs.contact(TUESDAY, channel="whatsapp", consent="no")

    assert Decider([office, platform]).decide(contact).verdict is Verdict.ALLOW
    assert rules_of(Decider([office, platform], platform=True).decide(contact)) == ["wa.opt_in"]
    assert rules_of(Decider([platform], platform=True).decide(contact)) == ["sdk.country_unknown"]


def test_a_naive_instant_raises_everywhere() -> None:
    """
    A time without an offset has no place on the clock.
    """
    naive = datetime(2026, 5, 12, 10)  # noqa: DTZ001  # the mistake under test

    with pytest.raises(InvalidValueError):
        Contact(at=naive, channel="call", country="XX")
    with pytest.raises(InvalidValueError):
        PastContact(at=naive, channel="call")
    with pytest.raises(InvalidValueError):
        finding("defer", not_before=naive)


def test_the_same_contact_gives_the_same_bytes(packs: Any) -> None:
    """
    Law 6: a replay makes the same record, also after other contacts were judged and with the history in another order.
    """
    pack = packs.pack(
        packs.rule("xx.window", "window", hours=OFFICE, holidays='"closed"'),
        packs.rule("xx.cap", "cap", limit="2", period='"7 days"'),
        packs.rule("xx.alone", "channel_exclusivity", period='"week"'),
    )
    start = datetime.fromisoformat(TUESDAY)
    past = [
        PastContact(at=start - timedelta(hours=hours), channel=channel)
        for hours, channel in ((1, "sms"), (30, "call"), (50, "email"))
    ]
    used = Decider([pack])
    list(used.decide_many(packs.contact(start + timedelta(days=days)) for days in (3000, -9000, 0)))

    told = {
        json.dumps(decider.decide(packs.contact(start, history=order)).to_dict())
        for decider in (used, Decider([pack]))
        for order in itertools.permutations(past)
    }

    assert len(told) == 1


def test_many_decisions_stream_in_constant_memory(packs: Any, office: Any) -> None:
    """
    A portfolio of any size is judged one by one: 50,000 contacts leave nothing behind.
    """
    start = datetime.fromisoformat(TUESDAY)
    asked = 0

    def contacts(number: int) -> Iterator[Contact]:
        nonlocal asked
        for minute in range(number):
            asked += 1
            yield packs.contact(start + timedelta(minutes=minute % 10_000))

    decider = Decider([office])
    stream = decider.decide_many(contacts(50_000))
    next(stream)
    assert asked == 1
    for _ in itertools.islice(stream, 10_999):
        pass

    early = sys.getallocatedblocks()
    judged = sum(1 for _ in stream)

    assert judged == 39_000
    assert sys.getallocatedblocks() - early < 2_000


def test_facts_say_what_was_looked_at(packs: Any) -> None:
    """
    Law 6: a refusal names its inputs, so that somebody can check it with a pencil.
    """
    pack = packs.pack(
        packs.rule("xx.window", "window", hours=OFFICE, holidays='"open"'),
        packs.rule("xx.cap", "cap", limit="1", period='"day"'),
    )
    past = PastContact(at=datetime.fromisoformat("2026-05-12T09:00-05:00"), channel="call")

    decision = Decider([pack]).decide(packs.contact("2026-05-12T19:30-05:00", history=[past]))

    cap, window = decision.findings
    assert cap.facts == {"limit": "1", "counted": "attempts", "found": "1"}
    assert window.facts == {"zone": "America/Lima", "date": "2026-05-12", "closed": "hours"}
    assert (cap.effective_from, cap.source) == (date(2000, 1, 1), "gazette")


def test_threads_that_judge_at_once_all_read_whole_tables(office: Any, packs: Any) -> None:
    """
    Law 4: a host that decides in a pool of threads over many years gets no permission for the night.
    """
    nights = [packs.contact(f"{year}-03-04T23:00-05:00") for year in range(2001, 2035)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            decider = Decider([office])
            with ThreadPoolExecutor(4) as pool:
                turned = [nights[start:] + nights[:start] for start in range(0, 34, 9)]
                found = pool.map(lambda own, judge=decider: [judge.decide(each).verdict for each in own], turned)
                assert {verdict for verdicts in found for verdict in verdicts} == {Verdict.DEFER}
    finally:
        sys.setswitchinterval(interval)
