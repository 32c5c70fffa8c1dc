"""
Bad input: a clear refusal or one typed error that says what, where and what is expected; never a permission.

Mistakes of a pack's single keys stand in test_packs.py, of overlays in test_overlay.py, of rows in test_cases.py.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cobranza_sdk.compliance import Decider, OverlayError, PackError, check_pack, parse_overlay, parse_pack
from cobranza_sdk.model import Contact, InvalidValueError, PastContact, Verdict
from cobranza_sdk.spec import CompliancePack

TUESDAY = "2026-05-12T10:00-05:00"
ALWAYS = '{ mon-sun = "00:00-24:00" }'
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))
OVERLAY = 'format = 1\n[overlay]\npack = "xx"\nversion = "d1"\nupdated_on = 2026-08-01\nreason = "decree"\n'


def window(packs: Any, rule_id: str = "xx.window", **keys: str) -> str:
    """
    A window that is open all day.
    """
    rule: str = packs.rule(rule_id, "window", **({"hours": ALWAYS, "holidays": '"open"'} | keys))
    return rule


def rules_of(decision: Any) -> list[str]:
    """
    Ids of the findings.
    """
    return [finding.rule for finding in decision.findings]


# -- contacts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"region": 5}, "Contact.region must be text or None, found int"),
        ({"region": ["XX-A"]}, "Contact.region must be text or None, found list"),
        ({"country": None}, "Contact.country may not be blank"),
        ({"channel": 5}, "Contact.channel may not be blank"),
        ({"purpose": " "}, "Contact.purpose may not be blank"),
        ({"holder_confirmed": "no"}, "Contact.holder_confirmed must be True or False"),
        ({"holder_confirmed": None}, "Contact.holder_confirmed must be True or False"),
        ({"consent": True}, "Contact.consent must be one of"),
        ({"family": "sms"}, "Contact.family must be one of"),
        ({"timezones": "America/Lima"}, "found one text where a list of texts is expected"),
        ({"timezones": None}, "found NoneType where a list of texts is expected"),
        ({"timezones": (None,)}, "found NoneType in a list of texts"),
        ({"flags": [1]}, "found int in a list of texts"),
        ({"history": None}, "Contact.history must hold PastContact values only, found NoneType"),
        ({"history": [{"at": TUESDAY}]}, "Contact.history must hold PastContact values only, found dict"),
        ({"creditor_id": 5}, "Contact.creditor_id must be text or None, found int"),
        ({"content": b"x"}, "Contact.content must be text or None, found bytes"),
        ({"at": TUESDAY}, "Contact.at must be a datetime with a UTC offset"),
        ({"at": datetime(2026, 5, 12)}, "Contact.at needs a UTC offset"),  # noqa: DTZ001  # the mistake under test
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_contact_of_wrong_types_is_no_contact(fields: dict[str, Any], said: str) -> None:
    """
    Law 4: the word "no" is no yes, and what is no text never reaches a comparison that it would slip through.
    """
    values = {"at": datetime.fromisoformat(TUESDAY), "channel": "call", "country": "XX"} | fields

    with pytest.raises(InvalidValueError) as caught:
        Contact(**values)

    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "fields",
    [{"at": datetime(2026, 5, 12)}, {"outcome_at": datetime(2026, 5, 12)}, {"at": "yesterday"}, {"creditor_id": 7}],  # noqa: DTZ001
    ids=["naive", "naive outcome", "text", "a number for a creditor"],
)
def test_a_past_contact_of_wrong_types_is_none(fields: dict[str, Any]) -> None:
    """
    Law 4: a past contact that cannot be placed would not be counted.
    """
    with pytest.raises(InvalidValueError, match=rf"PastContact\.{next(iter(fields))} "):
        PastContact(**({"at": datetime.fromisoformat(TUESDAY), "channel": "call"} | fields))


@pytest.mark.parametrize(
    ("at", "denied"),
    [
        (datetime(1, 1, 1, tzinfo=EAST), True),
        (datetime(1, 1, 1, tzinfo=WEST), True),
        (datetime(1989, 12, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(1990, 1, 1, 13, 59, tzinfo=EAST), True),
        (datetime(1990, 1, 1, tzinfo=UTC), False),
        (datetime(1989, 12, 31, 23, 59, tzinfo=timezone(timedelta(minutes=-1))), False),
        (datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2101, 1, 1, tzinfo=UTC), True),
        (datetime(2100, 12, 31, 10, tzinfo=WEST), True),
        (datetime.max.replace(tzinfo=WEST), True),
        (datetime.max.replace(tzinfo=EAST), True),
    ],
    ids=lambda value: value.isoformat() if isinstance(value, datetime) else "",
)
def test_the_years_that_are_judged_begin_and_end_by_utc(packs: Any, at: datetime, denied: bool) -> None:
    """
    Law 4: outside 1990 to 2100 nothing is known, and no offset makes arithmetic fail; at the edges the rules speak.
    """
    pack = packs.pack(window(packs), packs.rule("xx.quiet", "quiet", period='"7 days"'))
    past = PastContact(at=at, channel="sms", outcome="no_answer")

    decision = Decider([pack]).decide(packs.contact(at, history=[past]))

    assert rules_of(decision) == ["sdk.date_unknown"] * denied
    assert decision.verdict is (Verdict.DENY if denied else Verdict.ALLOW)


RULES = {
    "cap by day": ("cap", {"limit": "1", "period": '"day"', "counts": '"direct"'}),
    "cap by week": ("cap", {"limit": "1", "period": '"week"'}),
    "rolling cap": ("cap", {"limit": "1", "period": '"9999 days"'}),
    "gap": ("gap", {"period": '"9999 hours"'}),
    "one channel a day": ("channel_exclusivity", {"period": '"day"'}),
    "one channel a week": ("channel_exclusivity", {"period": '"week"'}),
    "quiet": ("quiet", {"period": '"9999 days"'}),
}


@pytest.mark.parametrize("zone", ["America/Lima", "Pacific/Kiritimati"])
@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=EAST), datetime(1, 1, 1, tzinfo=WEST)], ids=["east", "west"])
@pytest.mark.parametrize("name", RULES)
def test_a_past_of_the_year_1_is_over(packs: Any, name: str, at: datetime, zone: str) -> None:
    """
    A system's zero date among the past contacts counts for nothing and breaks nothing.
    """
    kind, keys = RULES[name]
    decider = Decider([packs.pack(packs.rule("xx.rule", kind, **keys), zones=f'{{ "*" = ["{zone}"] }}')])
    past = PastContact(at=at, channel="sms", outcome="answered", outcome_at=at)

    assert decider.decide(packs.contact(TUESDAY, history=[past])).verdict is Verdict.ALLOW


@pytest.mark.parametrize("year", [1, 1989])
def test_a_notice_of_no_known_year_opens_no_step(packs: Any, year: int) -> None:
    """
    Law 4: a system's zero date proves no notice.
    """
    decider = Decider([packs.pack(packs.rule("xx.notice", "notice_before", period='"20 days"'))])
    past = PastContact(at=datetime(year, 1, 1, tzinfo=EAST), channel="letter", outcome="notice")

    decision = decider.decide(packs.contact(TUESDAY, history=[past]))

    assert (decision.verdict, rules_of(decision)) == (Verdict.DENY, ["xx.notice"])


@pytest.mark.parametrize("name", RULES)
def test_what_lies_in_the_future_is_not_known(packs: Any, name: str) -> None:
    """
    History in the future is ignored; a contact that was read in the future counts from when it was sent.
    """
    kind, keys = RULES[name]
    decider = Decider([packs.pack(packs.rule("xx.rule", kind, **keys))])
    at = datetime.fromisoformat(TUESDAY)
    moments = (at + timedelta(seconds=1), datetime.max.replace(tzinfo=WEST))
    future = [PastContact(at=moment, channel="sms") for moment in moments]
    read_later = PastContact(at=at, channel="sms", outcome="read", outcome_at=datetime.max.replace(tzinfo=WEST))
    sent = PastContact(at=at, channel="sms", outcome="read")

    assert decider.decide(packs.contact(at, history=future)).verdict is Verdict.ALLOW
    told = [decider.decide(packs.contact(at, history=[each])) for each in (read_later, sent)]
    assert told[0] == told[1]
    assert told[0].verdict is not Verdict.ALLOW


@pytest.mark.parametrize(
    "zones",
    [
        ("America/Nowhere",),
        ("",),
        ("America",),
        ("America/Lima\0",),
        ("../../etc/localtime",),
        ("/etc/localtime",),
        ("localtime",),
        ("posix/America/Lima",),
        ("right/America/Lima",),
        ("Factory",),
        ("\ud800",),
        ("x" * 10_000,),
        ("America/Lima", "America/Nowhere"),
    ],
    ids=lambda zones: ascii(zones[-1])[:24],
)
def test_a_zone_that_is_none_refuses(packs: Any, zones: tuple[str, ...]) -> None:
    """
    Law 4: one zone that nobody knows is enough, and the machine's own clock is nobody's zone.
    """
    decision = Decider([packs.pack(window(packs))]).decide(packs.contact(TUESDAY, timezones=zones))

    assert (decision.verdict, rules_of(decision)) == (Verdict.DENY, ["sdk.zone_unknown"])


@pytest.mark.parametrize(
    ("region", "verdict"), [("XX-A", "allow"), ("XX-Q", "deny"), ("YY-A", "deny"), ("XX", "deny"), ("", "deny")]
)
def test_a_region_is_known_to_every_pack_or_refused(packs: Any, region: str, verdict: str) -> None:
    """
    Law 4: a second pack that lists no regions, or others, does not make a misspelt one known.
    """
    listed = '{ "*" = ["America/Lima"] }\nregions = ["XX-A", "XX-B"]'
    law = packs.pack(window(packs), zones=listed)
    plain = packs.pack(window(packs, "yy.window"), name="yy")
    other = packs.pack(window(packs, "zz.window"), name="zz", zones=listed.replace("XX-B", "XX-Q"))

    for told in ([law], [law, plain], [plain, law], [law, other], [other, plain, law]):
        decision = Decider(told).decide(packs.contact(TUESDAY, region=region))
        assert decision.verdict == verdict
        assert rules_of(decision) == ["sdk.region_unknown"] * (verdict == "deny")


def test_a_region_that_one_pack_does_not_name_keeps_its_zones(packs: Any) -> None:
    """
    Law 4: a pack that knows the region better does not take away the zones in which the other sees the person.
    """
    coarse = packs.pack(
        window(packs, hours='{ mon-sun = "07:00-19:00" }'), zones='{ "*" = ["America/Lima", "America/Santiago"] }'
    )
    fine = packs.pack(
        window(packs, "yy.window"), name="yy", zones='{ "*" = ["America/Lima"], "XX-A" = ["America/Lima"] }'
    )
    contact = packs.contact("2026-05-12T18:30-05:00", region="XX-A")

    assert Decider([coarse]).decide(contact).verdict is Verdict.DEFER
    assert Decider([coarse, fine]).decide(contact).verdict is Verdict.DEFER


def test_a_platform_s_window_rests_on_the_holidays_of_every_law(packs: Any) -> None:
    """
    Law 4: which pack stands first in the alphabet does not say when a platform's window is closed.
    """
    platform = packs.pack(
        window(packs, "wa.window", holidays='"closed"'),
        name="wa",
        country="",
        head='status = "draft"\nscope = "platform"',
    )
    law = packs.pack(packs.rule("xx.consent", "consent"))
    other = packs.pack(packs.rule("aa.consent", "consent"), name="aa")
    other = CompliancePack("aa", other.text.replace('calendar = "PE"', 'calendar = "CO"'), origin="aa")
    contact = packs.contact("2026-06-29T10:00-05:00")  # a holiday in Peru and in Colombia another one
    national = packs.contact("2026-07-29T10:00-05:00")

    told = [Decider([platform, law, other], platform=True).decide(each) for each in (contact, national)]

    assert [rules_of(decision) for decision in told] == [["wa.window"], ["wa.window"]]
    assert [decision.verdict for decision in told] == [Verdict.DEFER, Verdict.DEFER]


def test_countries_that_nobody_knows_leave_nothing_behind(packs: Any) -> None:
    """
    A stream of misspelt countries is judged in constant memory.
    """
    decider = Decider([packs.pack(window(packs))])

    told = {decider.decide(packs.contact(TUESDAY, country=f"X{number}")).verdict for number in range(5000)}

    assert told == {Verdict.DENY}
    assert len(decider._laws) == 0
    assert len(decider._plans) <= 4096


# -- packs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["effective_from = 0001-01-01", "effective_to = 9999-12-31", "effective_to = 2102-01-01"]
)
def test_a_rule_without_a_real_first_or_last_day_is_in_force(packs: Any, key: str) -> None:
    """
    The last day that a calendar knows stands for "for ever", and binds.
    """
    name, _, value = key.partition(" = ")
    decider = Decider([packs.pack(packs.rule("xx.forbid", "forbid", **{name: value}))])

    for at in ("1990-01-02T00:00-05:00", TUESDAY, "2100-12-30T00:00-05:00"):
        decision = decider.decide(packs.contact(at))
        assert rules_of(decision) == (["xx.forbid"] if at > "2000" or name == "effective_from" else [])


@pytest.mark.parametrize(
    ("at", "rules"),
    [
        ("2026-05-13T23:59:59-05:00", ["xx.forbid"]),
        ("2026-05-14T04:59:59+00:00", ["xx.forbid"]),
        ("2026-05-14T00:00:00-05:00", []),
        ("2026-05-13T20:00:00-09:00", []),
        ("2026-05-11T23:59:59-05:00", []),
        ("2026-05-12T13:59:59+09:00", []),
        ("2026-05-12T14:00:00+09:00", ["xx.forbid"]),
    ],
)
def test_a_rule_begins_and_expires_on_the_debtor_s_date(packs: Any, at: str, rules: list[str]) -> None:
    """
    Law 4: not the date of the offset that was written, nor UTC's: the day where the debtor is.
    """
    days = {"effective_from": "2026-05-12", "effective_to": "2026-05-13"}

    assert rules_of(Decider([packs.pack(packs.rule("xx.forbid", "forbid", **days))]).decide(packs.contact(at))) == rules


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        ("2030-12-31T23:59-05:00", "allow"),
        ("2031-01-01T00:00-05:00", "deny"),
        ("2031-01-01T04:59+00:00", "allow"),
        ("2060-05-12T10:00-05:00", "deny"),
    ],
)
def test_beyond_the_calendar_a_window_that_asks_for_it_denies(packs: Any, at: str, verdict: str) -> None:
    """
    Law 4: nobody knows the holidays of a year that the calendar is not trusted for; the finding says where it ends.
    """
    pack = packs.pack(window(packs, holidays='"closed"'))
    text = pack.text.replace("through = 2035", "through = 2030, remove = [2030-12-31]")

    decision = Decider([CompliancePack("xx", text, origin="xx")]).decide(packs.contact(at))

    assert decision.verdict == verdict
    if verdict == "deny":
        assert decision.findings[0].facts["calendar_ends"] == "2030"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("limit", "0", "rule xx.cap.limit: expected a whole number from 1"),
        ("limit", "-3", "rule xx.cap.limit: expected a whole number from 1"),
        ("limit", "2.5", "rule xx.cap.limit: found float, expected a whole number"),
        ("limit", '"3"', "rule xx.cap.limit: found str, expected a whole number"),
        ("limit", "", "rule xx.cap.limit: missing, expected a whole number"),
        ("period", "", 'rule xx.cap.period: missing, expected "day"'),
        ("period", '"0 days"', "rule xx.cap.period: found 0 days"),
        ("period", '"-1 days"', "rule xx.cap.period: found -1 days"),
        ("period", '"month"', "rule xx.cap.period: found month"),
        ("period", "7", "rule xx.cap.period: found int"),
        ("regions", '["YY-A"]', "rule xx.cap.regions: found YY-A, expected a region of XX"),
        ("regions", '{ except = ["XX-Q"] }', "rule xx.cap.regions: found XX-Q, expected a region of XX"),
        ("regions", '["XX"]', "rule xx.cap.regions: found XX, expected a region of XX"),
        ("families", '["phone"]', "rule xx.cap.families: found phone, expected names of call"),
        ("family", '["call"]', "rule xx.cap.family: unknown key"),
        ("channels", "[]", "rule xx.cap.channels: expected a list of names"),
    ],
    ids=lambda value: str(value)[:28],
)
def test_a_cap_that_would_not_bind_as_meant_is_refused(packs: Any, key: str, value: str, said: str) -> None:
    """
    Law 4: a cap of none, of the past or of nowhere is a mistake, not a permission.
    """
    keys = {"limit": "1", "period": '"day"'} | {key: value}
    text = packs.text(packs.rule("xx.cap", "cap", **keys), zones='{ "*" = ["America/Lima"] }\nregions = ["XX-A"]')

    with pytest.raises(PackError) as caught:
        parse_pack("xx", text, origin="packs/xx.toml")

    assert str(caught.value).startswith("pack packs/xx.toml: ")
    assert any(problem.startswith(said) for problem in caught.value.problems), caught.value.problems
    assert caught.value.hint


@pytest.mark.parametrize(
    "hours",
    [
        '{ mon-fri = ["07:00-12:00", "11:59-20:00"] }',
        '{ mon-fri = ["07:00-12:00", "12:00-20:00"] }',
        '{ mon-fri = "20:00-07:00" }',
        '{ mon-fri = "07:00-07:00" }',
        '{ mon-fri = "24:00-24:00" }',
        '{ mon-fri = "07:00-24:01" }',
        '{ mon-fri = "07:00-25:00" }',
        '{ mon-fri = "07:60-20:00" }',
        '{ mon-fri = "" }',
        "{ mon-fri = [] }",
        "{ mon-fri = 7 }",
        '{ fri-mon = "07:00-20:00" }',
        '{ mon-fri = "07:00-20:00", wed = "07:00-20:00" }',
        "{}",
        '"07:00-20:00"',
    ],
)
def test_hours_that_are_none_are_refused(packs: Any, hours: str) -> None:
    """
    Law 4: overlapping, inverted, empty or beyond midnight: nobody guesses what was meant.
    """
    with pytest.raises(PackError, match=r"rule xx\.window\.hours[.a-z-]*: .*(expected|use kind)"):
        parse_pack("xx", packs.text(window(packs, hours=hours)), origin="xx")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 100_000, "it is nested too deeply"),
        ("a = " + "1" * 5_000, "it holds a number too long to be one"),
        ("a = 2026-02-30", "is no TOML"),
        ("\ufefformat = 1", "is no TOML"),
        ("format = 1\nformat = 1", "is no TOML"),
    ],
    ids=["nested", "long number", "no date", "a mark", "twice"],
)
def test_what_is_no_toml_is_one_error(text: str, said: str) -> None:
    """
    Whatever a file of a pack or an overlay holds, there is one kind of error to catch.
    """
    with pytest.raises(PackError, match=said):
        parse_pack("xx", text, origin="xx")
    with pytest.raises(OverlayError, match=said):
        parse_overlay(text, origin="xx")


def test_categories_of_a_calendar_that_is_none_are_no_other_error(packs: Any) -> None:
    """
    Two mistakes in one table are told as two.
    """
    text = packs.text(window(packs)).replace('calendar = "PE"', 'calendar = "ZZ", categories = [1, "public"]')

    with pytest.raises(PackError, match=r"holidays\.calendar: found ZZ.*holidays\.categories: found 1"):
        parse_pack("xx", text, origin="xx")


@pytest.mark.parametrize(
    "keys", ["add = 5", "add = 2026-01-01", 'add = "2026-01-01"', 'add = ["2026-13-45"]', "remove = [7]", "add = [[]]"]
)
def test_an_overlay_whose_dates_are_none_is_refused(keys: str) -> None:
    """
    A holiday that is no date would be a working day.
    """
    with pytest.raises(OverlayError, match=r"overlay\.(add|remove): .*expected a list of dates"):
        parse_overlay(OVERLAY + keys, origin="day.toml")


def test_a_check_names_channels_that_nobody_has(packs: Any) -> None:
    """
    A misspelt channel would leave the rule without effect; a plugin's own is none of the SDK's, so it is a note.
    """
    pack = packs.pack(window(packs, channels='["whatsapp", "watsapp"]'))

    notes = check_pack(pack, cases=None, year=2026).notes

    assert "rule xx.window.channels: watsapp speaks of nothing unless a plugin brings a channel of that name" in notes


GOLDEN = "case_id,country,at,channel,recipient,consent,expect_verdict,expect_not_before,expect_rule,why\n"
ROW = "e,XX,2026-08-05T12:00-05:00,call,debtor,yes,allow,,,{}\n"


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (GOLDEN + ROW.format("x" * 200_000), "is no CSV: field larger than field limit"),
        ("x" * 200_000 + GOLDEN + ROW, "line 1: is no CSV: field larger than field limit"),
        (GOLDEN + ROW.format("a\0b"), "line 2: holds a zero byte"),
        (GOLDEN + ROW.format('"a"b'), "line 2: is no CSV"),
        (GOLDEN + ROW.format('"a'), "is no CSV"),
        ((GOLDEN + ROW).replace(",", ";"), "line 1: column expect_verdict is missing"),
        (GOLDEN + ROW.replace("allow", "ALLOW"), "line 2: expect_verdict: found ALLOW, expected one of allow"),
    ],
    ids=["huge field", "huge header", "zero byte", "quotes", "open quotes", "semicolons", "a verdict that is none"],
)
def test_golden_cases_that_cannot_be_read_are_one_problem(packs: Any, cases: str, said: str) -> None:
    """
    A pack's author is told the line; nothing else is raised.
    """
    report = check_pack(packs.pack(window(packs)), cases=cases, year=2026)

    assert [problem.part for problem in report.problems] == ["cases"]
    assert said in report.problems[0].text


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x1c"], ids=ascii)
def test_a_line_mark_of_a_copied_text_ends_no_golden_case(packs: Any, mark: str) -> None:
    """
    The words of a law are pasted with all they hold.
    """
    report = check_pack(packs.pack(window(packs)), cases=GOLDEN + ROW.format(f"art. 1{mark}par. 2"), year=2026)

    assert [problem for problem in report.problems if problem.part == "cases"] == []
    assert report.cases == 1


def test_a_refusal_is_printable_whatever_was_asked(packs: Any) -> None:
    """
    Law 6: what nobody knows is told back as it came.
    """
    decision = Decider([packs.pack(window(packs))]).decide(packs.contact(TUESDAY, country="\0\ud800;'"))

    assert json.loads(json.dumps(decision.to_dict()))["findings"][0]["facts"] == {"country": "\0\ud800;'"}
