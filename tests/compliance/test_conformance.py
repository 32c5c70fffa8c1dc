"""
The conformance tests of packs fail where a pack is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from cobranza_sdk.compliance import Decider, PackError, _calendar, check_pack, parse_pack
from cobranza_sdk.model import Decision, Verdict
from cobranza_sdk.spec import CompliancePack
from cobranza_sdk.testing import CompliancePackConformance, Skip, _packs

HEAD = "case_id,country,at,channel,recipient,consent,expect_verdict,expect_not_before,expect_rule"
EARLY = "early,XX,2026-08-05T06:59-05:00,call,debtor,yes,defer,2026-08-05T07:00-05:00,xx.window"
GOLDEN = f"{HEAD}\n{EARLY}\n"
STANDARD = [name for name in dir(CompliancePackConformance) if name.startswith("test_")]


def outcome(**fields: Any) -> set[str]:
    """
    The standard tests that fail for a pack.
    """
    cls = type("Some", (CompliancePackConformance,), fields)
    failed = set()
    for name in STANDARD:
        try:
            getattr(cls(), name)()
        except (AssertionError, PackError):
            failed.add(name)
    return failed


def source(packs: Any, *rules: str, hours: str = '{ mon-fri = "07:00-20:00" }') -> CompliancePack:
    """
    A pack with a window and more rules.
    """
    pack: CompliancePack = packs.pack(packs.rule("xx.window", "window", hours=hours, holidays='"open"'), *rules)
    return pack


def test_a_good_pack_passes_by_folder_and_by_object(packs: Any, tmp_path: Path) -> None:
    """
    All standard tests pass, and there are as many as promised.
    """
    pack = source(packs)
    (tmp_path / "pack.toml").write_text(pack.text, "utf-8")
    (tmp_path / "golden.csv").write_text(GOLDEN, "utf-8")

    assert outcome(pack=pack, cases=GOLDEN) == set()
    assert outcome(pack_folder=tmp_path) == set()
    assert len(STANDARD) == 11


def test_each_test_fails_for_what_it_guards(packs: Any) -> None:
    """
    A case that does not hold, a rule that none shows, windows that never meet, no cases at all.
    """
    idle = source(packs, packs.rule("xx.consent", "consent"))
    closed = source(packs, packs.rule("xx.sat", "window", hours='{ sat = "08:00-09:00" }', holidays='"open"'))

    assert outcome(pack=source(packs), cases=GOLDEN.replace("07:00-05:00,xx", "07:01-05:00,xx")) >= {
        "test_the_golden_cases_hold"
    }
    assert outcome(pack=idle, cases=GOLDEN) == {"test_every_rule_refuses_in_some_case"}
    assert "test_windows_leave_a_minute" in outcome(pack=closed, cases=GOLDEN)


def test_a_standard_test_cannot_be_overridden() -> None:
    """
    A pack that does not pass cannot look as if it did.
    """
    with pytest.raises(TypeError, match="replaces test_every_refusal_cites"):
        type("Sly", (CompliancePackConformance,), {"test_every_refusal_cites": lambda self: None})


def altered(monkeypatch: pytest.MonkeyPatch, change: Callable[[Decision], Decision]) -> None:
    """
    From now on every decider answers otherwise.
    """
    decide = Decider.decide
    monkeypatch.setattr(Decider, "decide", lambda self, contact: change(decide(self, contact)))


def test_a_pack_that_cannot_be_read_is_found(packs: Any) -> None:
    """
    Nothing of it can be shown, so nothing passes for shown.
    """
    unread = packs.pack(packs.rule("xx.consent", "consent", confidence='"sure"'))

    assert outcome(pack=unread, cases=GOLDEN) >= {"test_the_pack_can_be_read", "test_a_draft_says_so"}


def test_a_pack_without_cases_is_found(packs: Any) -> None:
    """
    Who writes none has shown nothing.
    """
    assert "test_the_golden_cases_hold" in outcome(pack=source(packs), cases=HEAD)


def test_a_window_that_is_misread_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Also where no case stands at the edge.
    """
    right = _calendar._day_spans
    monkeypatch.setattr(
        _calendar, "_day_spans", lambda *given: ((opens, closes + 60) for opens, closes in right(*given))
    )
    _calendar.spans_of.cache_clear()
    try:
        found = outcome(pack=source(packs), cases=GOLDEN)
    finally:
        _calendar.spans_of.cache_clear()

    assert found == {"test_windows_are_right_at_their_edges"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (lambda moment: moment + timedelta(minutes=1), "2026-08-11T10:01-05:00"),
        (lambda moment: moment - timedelta(minutes=1), "2026-08-11T09:59-05:00"),
        (lambda moment: moment + timedelta(seconds=30), "2026-08-11T10:00:30-05:00"),
        (lambda moment: moment.astimezone(UTC), "2026-08-11T10:00-05:00"),
    ],
    ids=["too long", "too short", "no whole minute", "another clock"],
)
def test_a_wait_that_is_wrong_is_found_in_a_case(
    told: Callable[[datetime], datetime], expected: str, packs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Even where the case expects the same wrong minute, and no window is there to be probed.
    """
    pack = packs.pack(packs.rule("xx.cap", "cap", limit="1", period='"7 days"'))
    row = "second,XX,2026-08-05T10:00-05:00,call,debtor,yes,defer,{},xx.cap,call@2026-08-04T10:00-05:00"
    case = f"{HEAD},contacts\n{row}"
    right = outcome(pack=pack, cases=case.format("2026-08-11T10:00-05:00"))
    altered(monkeypatch, lambda d: evolve(d, not_before=d.not_before and told(d.not_before)))

    wrong = outcome(pack=pack, cases=case.format(expected))

    assert right == set()
    assert wrong == {"test_waiting_until_not_before_is_enough_and_needed"}


@pytest.mark.parametrize(("minutes", "found"), [(1, "allow a minute before"), (-1, "defer there")])
def test_a_wait_that_is_wrong_is_found_at_every_edge(
    minutes: int, found: str, packs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Without any case, by the windows alone; `packs check` tells instant, zone and rule.
    """
    altered(monkeypatch, lambda d: evolve(d, not_before=d.not_before and d.not_before + timedelta(minutes=minutes)))

    report = check_pack(source(packs), cases=None, year=2026)
    told = [problem.text for problem in report.problems if problem.part == "waits"]

    assert told[0].startswith("xx.window: 2000-01-01T06:59:00-05:00")
    assert f"found {found}" in told[0]
    assert "America/Lima" in told[0]
    assert told[-1].startswith("and ")


def test_a_wait_that_is_not_told_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    People read the explanation: the minute stands in its first line. And a denial promises none.
    """
    explain = Decision.explain
    with monkeypatch.context() as patch:
        patch.setattr(Decision, "explain", lambda self, language: "x\n" + explain(self, language))
        assert outcome(pack=source(packs), cases=GOLDEN) == {"test_waiting_until_not_before_is_enough_and_needed"}
    denied = GOLDEN.replace("defer,2026-08-05T07:00-05:00", "deny,2026-08-05T07:00-05:00")
    altered(monkeypatch, lambda d: evolve(d, verdict=Verdict.DENY) if d.verdict is Verdict.DEFER else d)

    assert "test_waiting_until_not_before_is_enough_and_needed" in outcome(pack=source(packs), cases=denied)


def test_an_answer_that_changes_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A decision must be made again to the byte.
    """
    number = count()
    altered(monkeypatch, lambda d: evolve(d, obligations=(str(next(number)),)))

    assert "test_the_same_input_gives_the_same_bytes" in outcome(pack=source(packs), cases=GOLDEN)


def test_a_pack_without_words_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In its title or in a rule, also where the loader should let it through.
    """
    for change in (
        lambda pack: evolve(pack, title={**pack.title, "pt": " "}),
        lambda pack: evolve(pack, rules=[evolve(rule, message={"es": "no"}) for rule in pack.rules]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(
                _packs, "parse_pack", lambda *given, change=change, **more: change(parse_pack(*given, **more))
            )
            assert outcome(pack=source(packs), cases=GOLDEN) == {"test_words_are_there_in_three_languages"}


def test_a_reason_without_words_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In one language of three, or with its article left out.
    """
    explain = Decision.explain
    with monkeypatch.context() as patch:
        altered(patch, lambda d: evolve(d, findings=[evolve(f, message={**f.message, "pt": ""}) for f in d.findings]))
        blank = outcome(pack=source(packs), cases=GOLDEN)
    with monkeypatch.context() as patch:
        patch.setattr(Decision, "explain", lambda self, language: explain(self, language).replace("art. 1", ""))
        uncited = outcome(pack=source(packs), cases=GOLDEN)

    assert blank == uncited == {"test_words_are_there_in_three_languages"}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: evolve(d, findings=[evolve(finding, source=None) for finding in d.findings]),
        lambda d: evolve(d, findings=[evolve(finding, confidence=None) for finding in d.findings]),
        lambda d: evolve(d, findings=[evolve(finding, effective_from=None) for finding in d.findings]),
        lambda d: evolve(d, findings=[evolve(finding, pack="xx") for finding in d.findings]),
        lambda d: evolve(d, findings=[evolve(finding, verdict="amend") for finding in d.findings]),
    ],
    ids=["no source", "no confidence", "no first day", "no version", "milder than the verdict"],
)
def test_a_refusal_that_does_not_cite_is_found(
    change: Callable[[Decision], Decision], packs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each part of a citation is needed by who has to answer for the decision.
    """
    altered(monkeypatch, change)

    assert outcome(pack=source(packs), cases=GOLDEN) == {"test_every_refusal_cites"}


def test_a_refusal_without_a_reason_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nobody is put off for nothing.
    """
    altered(monkeypatch, lambda d: evolve(d, findings=()))

    assert "test_every_refusal_cites" in outcome(pack=source(packs), cases=GOLDEN)


def test_a_draft_that_keeps_silent_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And a signed pack that is called a draft; both in the data and in the words.
    """
    signed = packs.pack(
        packs.rule("xx.window", "window", hours='{ mon-fri = "07:00-20:00" }', holidays='"open"'),
        head='status = "reviewed"\nreviewed_by = "a lawyer"\nreviewed_on = 2026-01-01',
    )
    assert outcome(pack=signed, cases=GOLDEN) == set()
    explain = Decision.explain

    with monkeypatch.context() as patch:
        altered(patch, lambda d: evolve(d, drafts=()))
        silent = outcome(pack=source(packs), cases=GOLDEN)
    with monkeypatch.context() as patch:
        altered(patch, lambda d: evolve(d, drafts=("xx 1",)))
        called = outcome(pack=signed, cases=GOLDEN)
    with monkeypatch.context() as patch:
        patch.setattr(Decision, "explain", lambda self, language: explain(evolve(self, drafts=()), language))
        unsaid = outcome(pack=source(packs), cases=GOLDEN)

    assert silent == called == unsaid == {"test_a_draft_says_so"}


def test_a_pack_that_yields_to_another_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The mildest of several must never win, whatever their order.
    """
    altered(monkeypatch, lambda d: Decision(verdict=Verdict.ALLOW, at=d.at, basis=("xx 1: xx.window",)))

    assert "test_the_strictest_wins_in_any_order" in outcome(pack=source(packs), cases=GOLDEN)


@pytest.mark.parametrize(("today", "runs"), [(date(2026, 12, 31), False), (date(2027, 1, 1), True)])
def test_a_check_is_left_out_with_a_reason_until_a_day(today: date, runs: bool) -> None:
    """
    As for the other kits: the last day is included, and then it runs again.
    """
    skips = {"test_the_pack_can_be_read": Skip(reason="the gazette is late", until=date(2026, 12, 31))}
    told = {"pack": CompliancePack("xx", "format = 2"), "cases": "", "skips": skips, "today": today}
    kit = type("Kit", (CompliancePackConformance,), told)()

    with pytest.raises(
        AssertionError if runs else pytest.skip.Exception, match="format" if runs else "gazette is late"
    ):
        kit.test_the_pack_can_be_read()
