"""
Reading packs: what a lawyer writes arrives, and every slip is told with its place.
"""

from __future__ import annotations

import csv
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.compliance import Decider, PackError, parse_pack, read_cases
from cobranza_sdk.compliance._pack import _COMMON, _OWN, KINDS
from cobranza_sdk.compliance._slow import speaks_of
from cobranza_sdk.model import CHANNEL_FAMILIES, PastContact, Verdict
from cobranza_sdk.spec import CompliancePack

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "pack-format.md"

GOOD = """
format = 1

[pack]
name = "xx"
version = "1"
status = "draft"
updated_on = 2026-01-01
title = { es = "a", pt = "b", en = "c" }

[countries.XX]
zones = { "*" = ["America/Lima", "America/Bogota"], "XX-A" = ["America/Lima"] }
holidays = { calendar = "PE", through = 2035, add = [2026-07-13], remove = [2026-06-29] }

[norms.law]
title = "Law 1"
source = "gazette"
read_on = 2026-01-01
effective_from = 2020-01-01

[[rule]]
id = "xx.window"
kind = "window"
norm = "law"
article = "art. 1"
hours = { mon-fri = "07:00-20:00", sat = ["08:00-12:00", "14:00-16:00"] }
holidays = "closed"
confidence = "high"
message = { es = "a", pt = "b", en = "c" }

[[rule]]
id = "xx.cap"
kind = "cap"
norm = "law"
article = "art. 2"
limit = 3
period = "7 days"
confidence = "low"
message = { es = "a", pt = "b", en = "c" }

[[rule]]
id = "xx.third"
kind = "third_party"
norm = "law"
article = "art. 3"
recipients = { except = ["debtor"] }
when_unknown = "amend"
confidence = "medium"
message = { es = "a", pt = "b", en = "c" }
"""

#: What is replaced, by what, where the error is, and what it says.
MISTAKES = [
    ("format = 1", "format = 2", "format", "found 2, expected the number 1"),
    ("format = 1", "", "format", "missing, expected the number 1"),
    ("format = 1", "format = true", "format", "found bool, expected the number 1"),
    ("format = 1", "format = 1\nnorm = 1", "norm", "unknown key"),
    ('version = "1"', "version = 1", "pack.version", "found int, expected text"),
    ('version = "1"', "", "pack.version", "missing"),
    ('version = "1"', 'version = " "', "pack.version", "found blank text"),
    ('status = "draft"', 'status = "final"', "pack.status", "found final, expected one of draft, reviewed"),
    ('status = "draft"', 'status = "reviewed"', "pack.status", "expected reviewed_by and reviewed_on"),
    ('status = "draft"', 'status = "reviewed"\nreviewed_by = "A"', "pack.status", "expected reviewed_by"),
    ('status = "draft"', 'status = "draft"\nreviewed_on = "soon"', "pack.reviewed_on", "found str, expected a date"),
    ('status = "draft"', 'status = "draft"\nscope = "city"', "pack.scope", "found city, expected one of law, platform"),
    ('status = "draft"', 'status = "draft"\nscope = "platform"', "countries", "expected none"),
    ('status = "draft"', 'status = "draft"\nauthor = "me"', "pack.author", "unknown key, expected one of name"),
    ("updated_on = 2026-01-01", "updated_on = 2026-01-01T00:00:00Z", "pack.updated_on", "found datetime"),
    (
        'title = { es = "a", pt = "b", en = "c" }',
        'title = "a"',
        "pack.title",
        "found str, expected a table with es, pt",
    ),
    ("[countries.XX]", "[countries.Xx]", "countries.Xx", "expected an ISO 3166-1 code"),
    ('"*" = ["America/Lima", "America/Bogota"]', '"*" = []', "countries.XX.zones", "expected lists of zones by region"),
    ('"*" = ["America/Lima", "America/Bogota"], ', "", "countries.XX.zones", 'expected lists of zones by region, "*"'),
    ('"America/Bogota"]', '"America/Bogotá"]', "countries.XX.zones.*", "found America/Bogotá, expected an IANA zone"),
    ('"XX-A" = ["America/Lima"]', '"XX-A" = ["UTC"]', "countries.XX.zones.*", "UTC of XX-A is missing"),
    ('"XX-A"', '"XX_A"', "countries.XX.zones.XX_A", "expected"),
    ('calendar = "PE"', 'calendar = "ZZ"', "countries.XX.holidays.calendar", "found ZZ, expected a country of"),
    ("through = 2035", "through = 20355", "countries.XX.holidays.through", "found 20355, expected a year from 1990"),
    ("through = 2035", 'through = "2035"', "countries.XX.holidays.through", "found str, expected a year"),
    ("through = 2035,", "", "countries.XX.holidays.through", "missing, expected a year"),
    ("add = [2026-07-13]", 'add = ["13 July"]', "countries.XX.holidays.add", "expected a list of dates"),
    ("add = [2026-07-13]", "extra = []", "countries.XX.holidays.extra", "unknown key"),
    ('source = "gazette"', "", "norms.law.source", "missing, expected where it was read"),
    ("effective_from = 2020-01-01", 'effective_from = "2020"', "norms.law.effective_from", "found str"),
    (
        "effective_from = 2020-01-01",
        "effective_from = 2020-01-01T00:00:00",
        "norms.law.effective_from",
        "found datetime",
    ),
    (
        "effective_from = 2020-01-01",
        "effective_from = 2020-01-01\neffective_to = 2019-01-01",
        "norms.law.effective_to",
        "found 2019-01-01, expected a day from effective_from on",
    ),
    ('id = "xx.window"', 'id = "Window"', "rule Window.id", "expected small letters"),
    ('id = "xx.window"', "", "rule[0].id", "missing, expected an id"),
    ('id = "xx.cap"', 'id = "xx.window"', "rule xx.window.id", "stands twice"),
    ('kind = "cap"', 'kind = "limit"', "rule xx.cap.kind", "found limit, expected one of window, cap"),
    ('kind = "cap"\nnorm = "law"', 'kind = "cap"\nnorm = "lay"', "rule xx.cap.norm", "found lay, expected one of law"),
    ('article = "art. 2"', "", "rule xx.cap.article", "missing, expected the article"),
    (
        'confidence = "low"',
        'confidence = "sure"',
        "rule xx.cap.confidence",
        "found sure, expected one of high, medium, low",
    ),
    (
        'confidence = "low"',
        'confidence = "low"\nreading = "wide"',
        "rule xx.cap.reading",
        "expected one of literal, cautious",
    ),
    (
        'confidence = "low"',
        'confidence = "low"\nfamilies = ["sms"]',
        "rule xx.cap.families",
        "found sms, expected names of call",
    ),
    (
        'confidence = "low"',
        'confidence = "low"\nstages = []',
        "rule xx.cap.stages",
        "expected a list of names, or { except",
    ),
    (
        'confidence = "low"',
        'confidence = "low"\nflags = "x"',
        "rule xx.cap.flags",
        "found str, expected a list of names",
    ),
    (
        'confidence = "low"',
        'confidence = "low"\nsector = "bank"',
        "rule xx.cap.sector",
        "found bank, expected one of any",
    ),
    (
        'confidence = "low"',
        'confidence = "low"\ncountries = ["XX"]',
        "rule xx.cap.countries",
        "found in a pack of law, expected none",
    ),
    ('confidence = "low"', 'confidence = "low"\nhours = {}', "rule xx.cap.hours", "unknown key, expected one of"),
    (
        'confidence = "low"',
        'confidence = "low"\nlike = "xx.none"',
        "rule xx.cap.like",
        "expected the id of a rule written before",
    ),
    ('confidence = "low"', 'confidence = "low"\nlike = ["xx.window"]', "rule xx.cap.like", "expected the id of a rule"),
    (
        'confidence = "low"',
        'confidence = "low"\neffective_to = "now"',
        "rule xx.cap.effective_to",
        "found str, expected a date",
    ),
    (
        'confidence = "low"',
        'confidence = "low"\neffective_to = 2019-12-31',
        "rule xx.cap.effective_to",
        "from 2020-01-01 on",
    ),
    ("limit = 3", "limit = 0", "rule xx.cap.limit", "expected a whole number from 1"),
    ("limit = 3", "limit = true", "rule xx.cap.limit", "found bool, expected a whole number"),
    ('period = "7 days"', 'period = "1 month"', "rule xx.cap.period", 'found 1 month, expected "day", "week"'),
    ('period = "7 days"', "", "rule xx.cap.period", 'missing, expected "day", "week"'),
    (
        'period = "7 days"',
        'period = "7 days"\ncounts = "all"',
        "rule xx.cap.counts",
        "found all, expected one of attempts, direct",
    ),
    (
        'period = "7 days"',
        'period = "7 days"\nper = "person"',
        "rule xx.cap.per",
        "found person, expected one of creditor",
    ),
    ('"07:00-20:00"', '"7:00-20:00"', "rule xx.window.hours.mon-fri", 'expected "HH:MM-HH:MM"'),
    ('"07:00-20:00"', '"20:00-07:00"', "rule xx.window.hours.mon-fri", "the opening before the closing"),
    ('"07:00-20:00"', '"07:00-24:30"', "rule xx.window.hours.mon-fri", 'expected "HH:MM-HH:MM"'),
    ("mon-fri", "fri-mon", "rule xx.window.hours.fri-mon", "expected a day or a range of mon"),
    ("mon-fri", "monday", "rule xx.window.hours.monday", "expected a day or a range of mon"),
    ("mon-fri", "mon-sat", "rule xx.window.hours.sat", "sat is named twice"),
    ('"14:00-16:00"', '"11:00-16:00"', "rule xx.window.hours.sat", "touch or overlap"),
    (
        '{ mon-fri = "07:00-20:00", sat = ["08:00-12:00", "14:00-16:00"] }',
        "{}",
        "rule xx.window.hours",
        "no day has an open",
    ),
    ('holidays = "closed"', "", "rule xx.window.holidays", "missing, expected one of closed, open"),
    ('recipients = { except = ["debtor"] }', "", "rule xx.third.recipients", "missing, expected the roles"),
    ('["debtor"]', '["father"]', "rule xx.third.recipients", "found father, expected names of debtor"),
    (
        'when_unknown = "amend"',
        'when_unknown = "allow"',
        "rule xx.third.when_unknown",
        "found allow, expected one of deny",
    ),
    (GOOD[GOOD.index("[[rule]]") :], "rule = []", "norms.law.rule", "unknown key"),
    (GOOD[GOOD.index("[countries") : GOOD.index("[norms")], "", "countries", "missing, expected [countries.XX]"),
]


def test_the_good_pack_is_read() -> None:
    """
    The table of mistakes below starts from a pack without one.
    """
    pack = parse_pack("xx", GOOD, origin="xx.toml")

    window, cap, third = pack.rules
    assert pack.label == "xx 1"
    assert window.hours[5] == ((480, 720), (840, 960))
    assert window.hours[6] == ()
    assert (window.citation, window.source, window.closed_on_holidays) == ("Law 1, art. 1", "gazette", True)
    assert (cap.limit, cap.period.seconds, cap.counts, cap.per) == (3, 7 * 86_400, "attempts", "creditor")
    assert "reference" in third.recipients
    assert "debtor" not in third.recipients
    assert pack.countries["XX"].holidays.add == {date(2026, 7, 13)}


@pytest.mark.parametrize(
    ("found", "instead", "path", "said"), MISTAKES, ids=[f"{m[2]}-{n}" for n, m in enumerate(MISTAKES)]
)
def test_every_mistake_is_told_with_its_place(found: str, instead: str, path: str, said: str) -> None:
    """
    A pack's author learns the key's path, what was found and what is expected, and no other error ever escapes.
    """
    assert found in GOOD

    with pytest.raises(PackError) as caught:
        parse_pack("xx", GOOD.replace(found, instead, 1), origin="my/xx.toml")

    assert str(caught.value).startswith("pack my/xx.toml: ")
    told = [problem for problem in caught.value.problems if problem.startswith(f"{path}: ")]
    assert told, caught.value.problems
    assert said in told[0]
    assert "expected" in told[0] or "use kind" in told[0]


def test_all_mistakes_are_told_at_once() -> None:
    """
    An author mends a pack in one go, not in one go per mistake.
    """
    text = GOOD.replace("limit = 3", "limit = 0").replace('status = "draft"', "").replace('"07:00-20:00"', '"x"')

    with pytest.raises(PackError) as caught:
        parse_pack("xx", text, origin="xx")

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "pack.status",
        "rule xx.window.hours.mon-fri",
        "rule xx.cap.limit",
    ]


@pytest.mark.parametrize(
    "text", ["format = ", "= 1", "[pack", "\x00", "rule = 1", "pack = 1\nnorms = []", "", "[[rule]]"]
)
def test_no_text_escapes_as_another_error(text: str) -> None:
    """
    Whatever a file holds, there is one kind of error to catch.
    """
    with pytest.raises(PackError):
        parse_pack("xx", text, origin="xx")


def test_a_pack_without_rules_is_refused(packs: Any) -> None:
    """
    Law 4: a listed country without any rule would permit everything.
    """
    text = packs.text().replace("format = 1", "format = 1\nrule = []")

    with pytest.raises(PackError, match="rule: found none, expected rules"):
        parse_pack("xx", text, origin="xx")


def test_two_packs_of_one_name_are_refused(packs: Any) -> None:
    """
    A name stands for one set of data; a pack given later under the same name replaces the earlier one.
    """
    first = packs.pack(packs.rule("xx.forbid", "forbid"))
    later = packs.pack(packs.rule("xx.consent", "consent"))
    other = packs.pack(packs.rule("xx.gap", "gap", period='"1 day"'))
    other.name = "zz"

    assert [rule.id for rule in Decider([first, later]).packs[0].rules] == ["xx.consent"]
    with pytest.raises(PackError, match="two packs have it"):
        _ = Decider([first, other]).packs


def test_like_copies_what_is_not_written(packs: Any) -> None:
    """
    A second rule differs from the first in what stands there; the reading is never inherited.
    """
    rules = [
        packs.rule("xx.a", "cap", limit="1", period='"day"', families='["call"]', reading='"cautious"'),
        '[[rule]]\nid = "xx.b"\nlike = "xx.a"\nlimit = 2\nfamilies = { except = ["call"] }',
        '[[rule]]\nid = "xx.c"\nlike = "xx.b"\nreading = "literal"',
    ]

    first, second, third = parse_pack("xx", packs.text(*rules), origin="xx").rules

    assert (first.limit, second.limit, third.limit) == (1, 2, 2)
    assert (first.reading, second.reading, third.reading) == ("cautious", None, "literal")
    assert "call" not in second.families
    assert "email" in third.families
    assert first.citation == third.citation


@pytest.mark.parametrize(
    ("keys", "fields", "judged"),
    [
        ({"families": '["call"]'}, {"channel": "sms"}, False),
        ({"families": '{ except = ["call"] }'}, {"channel": "sms"}, True),
        ({"channels": '["sms"]'}, {"channel": "whatsapp"}, False),
        ({"stages": '["judicial"]'}, {"stage": "preventive"}, False),
        ({"stages": '["judicial"]'}, {"stage": "judicial"}, True),
        ({"purposes": '{ except = ["receipt"] }'}, {"purpose": "receipt"}, False),
        ({"collectors": '["agency", "buyer"]'}, {"collector": "creditor"}, False),
        ({"sector": '"financial"'}, {"sector": "any"}, False),
        ({"sector": '"financial"'}, {"sector": "financial"}, True),
        ({"regions": '["XX-A"]'}, {"region": "XX-B"}, False),
        ({"regions": '["XX-A"]'}, {}, False),
        ({"regions": '["XX-A", ""]'}, {}, True),
        ({"regions": '{ except = ["XX-A"] }'}, {}, True),
        ({"flags": '["a", "b"]'}, {"flags": ["a"]}, False),
        ({"flags": '["a", "b"]'}, {"flags": ["a", "b", "c"]}, True),
        ({"unless_flags": '["a", "b"]'}, {"flags": ["b"]}, False),
        ({"unless_flags": '["a", "b"]'}, {}, True),
    ],
    ids=str,
)
def test_a_rule_speaks_only_of_what_it_selects(
    packs: Any, keys: dict[str, str], fields: dict[str, Any], judged: bool
) -> None:
    """
    Each selecting key narrows a rule, and all of them have to fit.
    """
    decider = Decider([packs.pack(packs.rule("xx.forbid", "forbid", **keys))])

    decision = decider.decide(packs.contact("2026-05-12T10:00-05:00", **fields))

    assert (decision.verdict is Verdict.DENY) == judged
    assert bool(decision.basis) == judged


PLATFORM = 'scope = "platform"\nstatus = "draft"'


@pytest.mark.parametrize(
    ("countries", "judged"),
    [('["XX", "CA"]', True), ('["CA"]', False), ('{ except = ["CA"] }', True), ('{ except = ["XX"] }', False)],
)
def test_a_rule_of_a_platform_speaks_only_of_its_countries(packs: Any, countries: str, judged: bool) -> None:
    """
    A platform's pack lists no countries: what a vendor forbids in one place must not stop messages in another.
    """
    law = packs.pack(packs.rule("xx.forbid", "forbid", flags='["never"]'))
    rule = packs.rule("some.forbid", "forbid", channels='["sms"]', countries=countries)
    decider = Decider([law, packs.pack(rule, name="some", country="", head=PLATFORM)], platform=True)
    contact = packs.contact("2026-05-12T10:00-05:00", channel="sms")

    decision = decider.decide(contact)

    assert (decision.verdict is Verdict.DENY) == judged
    assert bool(decision.basis) == judged
    assert speaks_of(decider.packs[0].rules[0], contact) == judged


@pytest.mark.parametrize(
    ("countries", "said"),
    [
        (
            '["USA", "ca"]',
            'found USA, ca, expected ISO 3166-1 codes of two capitals, for example countries = ["US", "CA"]',
        ),
        ('"US"', 'expected a list of names, or { except = ["…"] }, for example countries = ["US", "CA"]'),
        ("[]", 'expected a list of names, or { except = ["…"] }, for example countries = ["US", "CA"]'),
    ],
)
def test_a_mistake_in_a_rule_s_countries_shows_how_they_are_written(packs: Any, countries: str, said: str) -> None:
    """
    The key's path, what was found, and an example that fits a rule rather than the top of the file.
    """
    rule = packs.rule("some.forbid", "forbid", countries=countries)

    with pytest.raises(PackError) as caught:
        parse_pack("some", packs.text(rule, name="some", country="", head=PLATFORM), origin="some.toml")

    assert caught.value.problems == (f"rule some.forbid.countries: {said}",)


def test_a_rule_of_law_is_told_where_its_countries_stand(packs: Any) -> None:
    """
    Else half of a pack would be silent in a country that it lists, and permit.
    """
    rule = packs.rule("xx.forbid", "forbid", countries='["XX"]')

    with pytest.raises(PackError, match=r"rule xx\.forbid\.countries: found in a pack of law, expected none"):
        parse_pack("xx", packs.text(rule), origin="xx.toml")


@pytest.mark.parametrize(
    ("flags", "at", "aside"),
    [
        (["accepted_risk.some.risk"], "2026-05-12", ["some 1: some.forbid"]),
        (["accepted_risk.some.risk", "other"], "2026-05-12", ["some 1: some.forbid"]),
        (["accepted_risk.some.risk"], "2026-03-31", []),  # not in force yet
        (["accepted_risk.some.risk"], "2026-08-01", []),  # not in force any more
        (["accepted_risk.other"], "2026-05-12", []),
        (["excused"], "2026-05-12", []),
        (["accepted_risk.some.risk", "excused"], "2026-05-12", []),
        ([], "2026-05-12", []),
    ],
    ids=str,
)
def test_a_decision_tells_which_rules_an_accepted_risk_sets_aside(
    packs: Any, flags: list[str], at: str, aside: list[str]
) -> None:
    """
    Only what would have judged but for the risk: in force that day, of such a contact, not silent for another reason.
    """
    law = packs.pack(packs.rule("xx.forbid", "forbid", flags='["never"]'))
    rules = [
        packs.rule(
            "some.forbid", "forbid", channels='["sms"]', unless_flags='["accepted_risk.some.risk", "excused"]',
            effective_from="2026-04-01", effective_to="2026-07-31",
        ),
        packs.rule("some.call", "forbid", channels='["call"]', unless_flags='["accepted_risk.some.risk"]'),
        packs.rule("some.more", "forbid", channels='["email"]', flags='["accepted_risk.some.risk"]'),
    ]  # fmt: skip
    decider = Decider([law, packs.pack(*rules, name="some", country="", head=PLATFORM)], platform=True)

    decision = decider.decide(packs.contact(f"{at}T10:00-05:00", channel="sms", flags=flags))

    assert list(decision.accepted_risks) == decision.to_dict()["accepted_risks"] == aside
    assert all((rule in decision.explain(language)) for rule in aside for language in ("es", "pt", "en"))
    assert not set(decision.accepted_risks) & set(decision.basis)


NOW = datetime.fromisoformat("2026-05-13T10:00:00-05:00")  # a Wednesday


@pytest.mark.parametrize(
    ("keys", "ago", "free"),
    [
        ({"limit": "2", "period": '"day"'}, ["1h", "2h"], "2026-05-14T00:00-05:00"),
        ({"limit": "2", "period": '"day"'}, ["1h", "11h"], None),
        ({"limit": "3", "period": '"day"'}, ["1h", "2h"], None),
        ({"limit": "2", "period": '"week"'}, ["1h", "58h"], "2026-05-18T00:00-05:00"),
        ({"limit": "2", "period": '"week"'}, ["1h", "59h"], None),
        ({"limit": "2", "period": '"7 days"'}, ["1h", "167h"], "2026-05-13T11:00-05:00"),
        ({"limit": "2", "period": '"7 days"'}, ["1h", "168h"], None),
        ({"limit": "2", "period": '"24 hours"'}, ["1h", "2h", "3h"], "2026-05-14T08:00-05:00"),
        ({"limit": "1", "period": '"24 hours"', "families": '["message"]'}, ["1h"], None),
        ({"limit": "1", "period": '"24 hours"', "channels": '["sms", "call"]'}, ["1h"], "2026-05-14T09:00-05:00"),
    ],
    ids=str,
)
def test_a_cap_frees_when_one_more_fits(packs: Any, keys: dict[str, str], ago: list[str], free: str | None) -> None:
    """
    The limit itself is permitted, one more is not, and it frees with the day, the week or the oldest that still counts.
    """
    channel = "whatsapp" if "families" in keys else "call"
    past = [PastContact(at=NOW - timedelta(hours=int(hours[:-1])), channel="call") for hours in ago]

    decision = Decider([packs.pack(packs.rule("xx.cap", "cap", **keys))]).decide(
        packs.contact(NOW, channel=channel, history=past)
    )

    assert decision.not_before == (datetime.fromisoformat(free) if free else None)
    assert decision.verdict == ("defer" if free else "allow")


@pytest.mark.parametrize(
    ("per", "past", "counts"),
    [
        ("creditor", {"creditor_id": "other"}, False),
        ("creditor", {"creditor_id": "mine", "receivable_ids": ["r9"]}, True),
        ("creditor", {}, True),
        ("debt", {"creditor_id": "mine", "receivable_ids": ["r9"]}, False),
        ("debt", {"creditor_id": "mine", "receivable_ids": ["r9", "r1"]}, True),
        ("debt", {"creditor_id": "mine"}, True),
        ("debtor", {"creditor_id": "other"}, True),
        ("collector", {"creditor_id": "other"}, True),
    ],
    ids=str,
)
def test_a_cap_counts_per_what_it_says(packs: Any, per: str, past: dict[str, Any], counts: bool) -> None:
    """
    What is not known of a past contact counts for everybody: doubt is strict (law 4).
    """
    rule = packs.rule("xx.cap", "cap", limit="1", period='"day"', per=f'"{per}"')
    history = [PastContact(at=NOW - timedelta(hours=1), channel="call", **past)]
    contact = packs.contact(NOW, history=history, creditor_id="mine", receivable_ids=["r1"])

    assert (Decider([packs.pack(rule)]).decide(contact).verdict is Verdict.DEFER) == counts


def test_a_cap_on_channels_counts_those_channels_alone(packs: Any) -> None:
    """
    "One SMS a day" is not used up by a call or a WhatsApp message.
    """
    rule = packs.rule("xx.cap", "cap", limit="1", period='"day"', channels='["sms"]')
    decider = Decider([packs.pack(rule)])

    told = {
        channel: decider.decide(
            packs.contact(NOW, channel="sms", history=[PastContact(at=NOW, channel=channel)])
        ).verdict
        for channel in CHANNEL_FAMILIES
    }

    assert [channel for channel, verdict in told.items() if verdict is not Verdict.ALLOW] == ["sms"]


def test_what_came_in_or_never_left_counts_for_no_cap(packs: Any) -> None:
    """
    Only our own attempts harass; the debtor's own message and a message that stayed here do not.
    """
    decider = Decider([packs.pack(packs.rule("xx.cap", "cap", limit="1", period='"day"'))])
    silent = [{"direction": "inbound"}, {"outcome": "not_sent"}, {"outcome": "rejected"}, {"outcome": "cancelled"}]
    history = [PastContact(at=NOW, channel="call", **fields) for fields in silent]

    assert decider.decide(packs.contact(NOW, history=history)).verdict is Verdict.ALLOW


def test_a_message_counts_on_the_day_it_was_read_too(packs: Any) -> None:
    """
    A rule on direct contacts sees a message of Tuesday read on Wednesday on both days; once known, not before.
    """
    decider = Decider([packs.pack(packs.rule("xx.cap", "cap", limit="1", period='"day"', counts='"direct"'))])
    sent = PastContact(at=NOW - timedelta(days=1), channel="sms", outcome="read", outcome_at=NOW - timedelta(hours=1))

    told = [
        decider.decide(packs.contact(NOW + wait, history=[sent])).verdict
        for wait in (timedelta(hours=-23), timedelta(hours=-2), timedelta(0), timedelta(days=1))
    ]

    assert told == ["defer", "allow", "defer", "allow"]


@pytest.mark.parametrize(
    ("seconds", "verdict", "free"),
    [(0, "defer", "10:00"), (30, "defer", "10:01"), (-1, "defer", "10:00"), (-60, "allow", None)],
)
def test_a_gap_rounds_up_to_the_minute(packs: Any, seconds: int, verdict: str, free: str | None) -> None:
    """
    48 hours after the last attempt, to the second; the next minute that is told is a whole one and never early.
    """
    decider = Decider([packs.pack(packs.rule("xx.gap", "gap", period='"48 hours"'))])
    last = PastContact(at=NOW - timedelta(hours=48) + timedelta(seconds=seconds), channel="call")

    decision = decider.decide(packs.contact(NOW - timedelta(minutes=1), history=[last]))

    assert decision.verdict == verdict
    assert decision.not_before == (datetime.fromisoformat(f"2026-05-13T{free}-05:00") if free else None)


def test_the_reference_names_every_key() -> None:
    """
    A key that the reference leaves out is a key that nobody uses.
    """
    text = REFERENCE.read_text("utf-8")
    keys = _COMMON | {"format"} | set().union(*_OWN.values())
    head = {"name", "version", "scope", "status", "updated_on", "title", "reviewed_by", "reviewed_on"}
    place = {"zones", "holidays", "calendar", "through", "add", "remove"}
    norm = {"source", "read_on", "effective_from", "effective_to"}

    assert [key for key in sorted(keys | head | place | norm) if f"`{key}`" not in text] == []
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []


def test_the_example_in_the_reference_is_a_pack_that_judges_as_told() -> None:
    """
    The example can be copied: it parses, uses every kind of rule, and gives the answers that the page tells.
    """
    text = REFERENCE.read_text("utf-8")
    (example,) = re.findall(r"```toml\n(# A complete pack.*?)```", text, re.DOTALL)
    (table,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    decider = Decider([CompliancePack("py_house", example, origin="pack-format.md")])
    rows = list(csv.DictReader(table.splitlines()))

    decisions = [decider.decide(case.contact) for case in read_cases(table.splitlines(keepends=True), decider)]

    assert {rule.kind for rule in decider.packs[0].rules} == set(KINDS)
    for row, decision in zip(rows, decisions, strict=True):
        free = row["expect_not_before"]
        told = (decision.verdict, decision.not_before, ";".join(found.rule for found in decision.findings))
        wanted = (row["expect_verdict"], datetime.fromisoformat(free) if free else None, row["expect_rule"])
        assert told == wanted, row["case_id"]
