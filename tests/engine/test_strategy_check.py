"""
`cobranza check`: a strategy is held against the packs before anybody is written to.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import Cobranza
from cobranza_sdk.engine import StrategyFinding
from cobranza_sdk.loading import ConfigurationError

#: A Wednesday; the day after is a holiday in Peru.
WEDNESDAY = datetime.fromisoformat("2026-08-05T10:00:00-05:00")
#: Something else to say, for an extra pack of Peru: its rules are put in.
PACK = """
format = 1
[pack]
name = "extra"
version = "1"
status = "draft"
updated_on = 2026-01-01
title = { es = "Extra", pt = "Extra", en = "Extra" }
[countries.PE]
zones = { "*" = ["America/Lima"] }
holidays = { calendar = "PE", through = 2035 }
[norms.extra]
title = "Ley Extra"
source = "a test"
read_on = 2026-01-01
effective_from = 2020-01-01
[[rule]]
id = "extra.rule"
norm = "extra"
article = "art. 1"
confidence = "high"
message = { es = "x", pt = "x", en = "x" }
"""

Check = Callable[..., list[StrategyFinding]]


def step(name: str, days: int, until: int, *channels: str, template: str = "administrative") -> str:
    """
    One step as TOML.
    """
    names = ", ".join(f'"{channel}"' for channel in channels)
    return (
        f'[[step]]\nid = "{name}"\ndays = {days}\nuntil = {until}\npurpose = "demand"\n'
        f'channels = [{names}]\ntemplate = "{template}"\n'
    )


@pytest.fixture
def check(make_house: Callable[..., Cobranza], tmp_path: Path) -> Check:
    """
    Hold steps against the packs, in Peru unless countries are given; *rules* is the TOML of an extra pack's rule.
    """

    def run(*steps: str, countries: tuple[str, ...] = (), rules: str = "", risk: str = "") -> list[StrategyFinding]:
        path = tmp_path / "held.toml"
        path.write_text('name = "held"\nversion = 1\n' + "".join(steps), "utf-8")
        compliance: dict[str, Any] = {"accept_risk": [risk] if risk else []}
        if rules:
            (tmp_path / "extra.toml").write_text(PACK + rules, "utf-8")
            compliance["packs"] = [str(tmp_path / "extra.toml")]
        house = make_house(strategies={"held": str(path)}, compliance=compliance)
        return house.check_strategies(countries, at=WEDNESDAY)

    return run


def of(findings: list[StrategyFinding], *codes: str) -> list[StrategyFinding]:
    """
    The findings of some codes.
    """
    return [finding for finding in findings if finding.code in codes]


def brief(finding: StrategyFinding) -> tuple[Any, ...]:
    """
    The parts that a reader looks at first.
    """
    return finding.severity, finding.code, finding.step, finding.channel, finding.country, finding.rule, finding.days


BAD = ("step_never", "channel_denied", "channel_closed", "step_some_days", "pushed", "expired", "missed")


def test_a_step_whose_every_channel_is_denied_can_never_run(check: Check) -> None:
    """
    Colombia bars visits: rule and article are named, and another channel beside it saves the step.
    """
    (channel, never) = of(check(step("a", 1, 9, "visit"), countries=("CO",)), *BAD)

    assert brief(channel) == ("warning", "channel_denied", "a", "visit", "CO", "co.visit", None)
    assert brief(never) == ("error", "step_never", "a", "visit", "CO", "co.visit", None)
    assert never.citation == "Ley 2300 de 2023, art. 4"
    assert channel.stage == "administrative"

    saved = of(check(step("a", 1, 9, "visit", "sms"), countries=("CO",)), *BAD)
    assert [brief(finding)[:2] for finding in saved] == [("warning", "channel_denied")]


def test_windows_that_share_no_minute_close_a_step_for_good(check: Check) -> None:
    """
    Two packs, each with hours of its own, and none in common.
    """
    rules = 'kind = "window"\nhours = { mon-sun = "21:00-22:00" }\nholidays = "open"\n'

    found = of(check(step("a", 1, 9, "sms"), rules=rules), *BAD)

    assert [(f.severity, f.code, f.rule) for f in found] == [
        ("warning", "channel_closed", "extra.rule, pe.window.messages"),
        ("error", "step_never", "extra.rule, pe.window.messages"),
    ]
    assert found[0].citation == "Ley Extra, art. 1; Ley 29571, Código de Protección y Defensa del Consumidor, art. 62"
    assert of(check(step("a", 1, 9, "sms"), rules=rules.replace("21:00", "19:30")), *BAD) == []


@pytest.mark.parametrize(
    ("from_to", "closed"),
    [
        ((1, 1), 9),  # four weekends, and the holiday of 6 August; that of the 30th is a Sunday
        ((1, 2), 4),  # only Saturday with Sunday
        ((1, 3), 0),
    ],
)
def test_a_short_step_is_told_on_how_many_days_it_cannot_begin(
    check: Check, from_to: tuple[int, int], closed: int
) -> None:
    """
    Peru writes on working days: a step of a day falls out where its day is none.
    """
    found = of(check(step("a", *from_to, "sms")), *BAD)

    assert [finding.code for finding in found] == ["step_some_days"] * (closed > 0)
    if closed:
        assert f"on {closed} of 28 days" in found[0].message
        assert (found[0].severity, found[0].rule) == ("warning", "pe.window.messages")


def test_another_channel_in_the_same_week_is_pushed_and_told_by_how_many_days(check: Check) -> None:
    """
    Colombia, cautious reading: seven days from the message of Wednesday, 07:00. From then on nothing is pushed.
    """
    first = step("a", 1, 3, "sms")

    (pushed,) = of(check(first, step("b", 4, 9, "email"), countries=("CO",)), *BAD)

    assert brief(pushed) == ("warning", "pushed", "b", "email", "CO", "co.channel_week", 4)
    assert pushed.citation == "Ley 2300 de 2023, art. 3"
    assert "2026-08-12 07:00" in pushed.message
    assert of(check(first, step("b", 8, 12, "email"), countries=("CO",)), *BAD) == []
    assert of(check(first, step("b", 4, 8, "sms"), countries=("CO",)), *BAD) == []


def test_a_step_pushed_past_its_last_day_is_an_error(check: Check) -> None:
    """
    The same with a step that is over on the tenth: two days short.
    """
    found = of(check(step("a", 1, 3, "sms"), step("b", 4, 6, "email"), countries=("CO",)), *BAD)

    assert [brief(finding) for finding in found] == [
        ("error", "expired", "b", "email", "CO", "co.channel_week", 2),
    ]
    assert of(check(step("a", 1, 3, "sms"), step("b", 4, 8, "email"), countries=("CO",)), "expired") == []


def test_a_step_that_is_over_while_another_waits_is_missed(check: Check) -> None:
    """
    One outreach at a time: what pushes the second step costs the third.
    """
    steps = (step("a", 1, 3, "sms"), step("b", 4, 9, "email"), step("c", 5, 7, "email"))

    found = of(check(*steps, countries=("CO",)), "missed", "pushed")

    assert [brief(finding)[:3] for finding in found] == [("warning", "pushed", "b"), ("error", "missed", "c")]
    assert found[1].rule == "co.channel_week"


def test_a_cadence_above_a_cap_names_the_cap(check: Check) -> None:
    """
    One message in ten days, every message counted: the second waits for the first to grow old.
    """
    rules = 'kind = "cap"\nlimit = 1\nperiod = "10 days"\ncounts = "attempts"\nper = "creditor"\n'
    steps = (step("a", 1, 3, "sms"), step("b", 6, 20, "sms"), step("c", 24, 30, "sms"))

    found = of(check(*steps, rules=rules), "pushed", "expired", "missed")

    # From Wednesday the 5th, 07:00, ten days lead to a Saturday: Monday the 17th it is, instead of Monday the 10th.
    assert [brief(finding) for finding in found] == [("warning", "pushed", "b", "sms", "PE", "extra.rule", 7)]
    assert found[0].citation == "Ley Extra, art. 1"


def test_a_channel_that_no_law_asks_consent_for_is_told(check: Check) -> None:
    """
    Colombia asks for every channel, Peru only for offers.
    """
    one = step("a", 1, 5, "sms", "email")

    assert [(f.severity, f.channel, f.country, f.rule) for f in of(check(one), "no_consent_rule")] == [
        ("warning", "sms", "PE", None),
        ("warning", "email", "PE", None),
    ]
    assert of(check(one, countries=("CO",)), "no_consent_rule") == []


def test_a_stage_without_a_template_is_an_error(check: Check) -> None:
    """
    A step that outlasts the stage its text is meant for.
    """
    (found,) = of(check(step("a", 85, 91, "sms")), "template")

    assert (found.severity, found.step, found.channel, found.stage) == ("error", "a", "sms", "extrajudicial")
    assert of(check(step("a", 85, 90, "sms")), "template") == []


def test_an_accepted_risk_is_accepted_here_too(check: Check) -> None:
    """
    A rule that stands until the operator takes its risk.
    """
    one, rules = step("a", 1, 9, "sms"), 'kind = "forbid"\nunless_flags = ["accepted_risk.extra"]\n'

    assert [f.rule for f in of(check(one, rules=rules), "step_never")] == ["extra.rule"]
    assert of(check(one, rules=rules, risk="extra"), "step_never") == []


def test_a_risk_that_no_pack_knows_is_refused(check: Check) -> None:
    """
    A slip would take no risk, and the check would be of another strategy than the one that runs.
    """
    with pytest.raises(ConfigurationError, match=r"compliance\.accept_risk: found extar"):
        check(step("a", 1, 9, "sms"), risk="extar")


def test_an_unknown_country_is_an_error_for_every_step(check: Check) -> None:
    """
    Nothing ever leaves to where no pack is.
    """
    found = of(check(step("a", 1, 9, "sms"), step("b", 10, 12, "sms"), countries=("XX",)), "step_never")

    assert [(finding.step, finding.rule) for finding in found] == [
        ("a", "sdk.country_unknown"),
        ("b", "sdk.country_unknown"),
    ]


def test_a_region_is_told_only_of_what_differs_there(check: Check) -> None:
    """
    A rule of one region stands beside the country's; what the country has is said once.
    """
    found = check(step("a", 1, 9, "sms"), rules='kind = "forbid"\nregions = ["PE-LIM"]\n')

    assert [(f.code, f.region) for f in found] == [
        ("no_consent_rule", None),
        ("channel_denied", "PE-LIM"),
        ("step_never", "PE-LIM"),
    ]


def test_the_debtors_of_the_store_say_where_to_look(
    make_house: Callable[..., Cobranza], debtor: Callable[..., Any], tmp_path: Path
) -> None:
    """
    Without countries: the creditor's own, and those where debtors are. Looking makes no store.
    """
    house = make_house()

    assert {finding.country for finding in house.check_strategies(at=WEDNESDAY)} == {"PE"}
    assert not (tmp_path / "test.db").exists()

    house.portfolio.put(debtor("D-9", country="ZZ"))
    assert {finding.country for finding in house.check_strategies(at=WEDNESDAY)} == {"PE", "ZZ"}
    assert {finding.country for finding in house.check_strategies(("ZZ",), at=WEDNESDAY)} == {"ZZ"}


def test_a_creditor_without_a_strategy_is_an_error(make_house: Callable[..., Cobranza]) -> None:
    """
    Nothing would ever be planned.
    """
    (found,) = make_house(strategies={}).check_strategies(at=WEDNESDAY)

    assert (found.severity, found.code) == ("error", "no_strategy")


def test_the_day_it_starts_on_decides_and_nothing_else(check: Check, make_house: Callable[..., Cobranza]) -> None:
    """
    The same day gives the same answer; another day another walk.
    """
    one = step("a", 1, 1, "sms")

    assert check(one) == check(one)
    house = make_house()
    assert house.clock.now().date() == date(2026, 8, 5)
    assert house.check_strategies() == house.check_strategies(at=WEDNESDAY)
