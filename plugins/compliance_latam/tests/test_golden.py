"""
Cases read off the laws by hand: what each pack says of them.

Each row of ``packs/*/golden.csv`` is a case for ``cobranza decide --cases`` with what the law sheet says of it;
the column ``reading`` is ours, blank for the cautious one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

from cobranza_compliance_latam import cobranza_compliance_packs
from cobranza_sdk.compliance import Case, Decider, case_result, read_cases
from cobranza_sdk.model import Decision, Verdict

PACKS = Path(str(files("cobranza_compliance_latam"))) / "packs"
DECIDERS = {reading: Decider(cobranza_compliance_packs(), reading=reading) for reading in ("cautious", "literal")}
LANGUAGES = ("es", "pt", "en")


def golden() -> Iterator[tuple[str, dict[str, str], Case]]:
    """
    All rows as pytest sees them: name, cells, case.
    """
    for path in sorted(PACKS.glob("*/golden.csv")):
        text = path.read_text("utf-8").splitlines(keepends=True)
        cases = read_cases(text, DECIDERS["cautious"])
        for row, case in zip(csv.DictReader(text), cases, strict=True):
            yield f"{path.parent.name}:{case.case_id}", row, case


ROWS = list(golden())


def judged(row: dict[str, str], case: Case) -> Decision:
    """
    The decision in the row's reading.
    """
    return DECIDERS[row["reading"] or "cautious"].decide(case.contact)


@pytest.mark.parametrize(("row", "case"), [pytest.param(row, case, id=name) for name, row, case in ROWS])
def test_the_pack_says_what_the_law_says(row: dict[str, str], case: Case) -> None:
    """
    Verdict, next permitted instant and rules are those that the law sheet gives (S-079, S-080, S-082, S-083, S-084).
    """
    decision = judged(row, case)

    wanted = datetime.fromisoformat(row["expect_not_before"]) if row["expect_not_before"] else None
    assert (str(decision.verdict), decision.not_before, ";".join(finding.rule for finding in decision.findings)) == (
        row["expect_verdict"],
        wanted,
        row["expect_rule"],
    ), row["why"]


@pytest.mark.parametrize(("row", "case"), [pytest.param(row, case, id=name) for name, row, case in ROWS])
def test_every_refusal_explains_itself(row: dict[str, str], case: Case) -> None:
    """
    Law 6: each reason is told in three languages with norm, pack version and rule; a draft says so.
    """
    decision = judged(row, case)

    for language in LANGUAGES:
        text = decision.explain(language)
        for finding in decision.findings:
            reason = f"- {finding.message[language]} [{finding.citation}; {finding.pack}; {finding.rule}]"
            assert reason in text.splitlines()
            assert finding.message[language].strip()
            assert finding.rule.startswith("sdk.") or (finding.effective_from and finding.source and finding.confidence)
        assert all(draft in text for draft in decision.drafts)
    assert decision.drafts or not decision.basis


@pytest.mark.parametrize(("row", "case"), [pytest.param(row, case, id=name) for name, row, case in ROWS])
def test_every_refusal_names_rule_article_pack_version_and_what_waiting_gives(row: dict[str, str], case: Case) -> None:
    """
    Law 6, as data: no refusal without rule, article and pack version; a deferral has its minute, by the debtor's clock.
    """
    decision = judged(row, case)
    versions = {pack.label for pack in DECIDERS["cautious"].packs}

    if decision.verdict is Verdict.ALLOW:
        assert not decision.findings
        return
    assert decision.findings
    assert max(finding.verdict.rank for finding in decision.findings) == decision.verdict.rank
    for finding in decision.findings:
        house = finding.rule.startswith("sdk.")
        assert finding.pack in ({"sdk 1"} if house else versions)
        assert re.search(r"\bSDK law \d" if house else r", ([^,]+)$", finding.citation), finding.citation
    assert (decision.not_before is not None) is (decision.verdict is Verdict.DEFER)
    if decision.not_before is not None:
        assert decision.not_before > case.contact.at
        assert decision.not_before.second == decision.not_before.microsecond == 0
        assert decision.not_before.tzinfo == ZoneInfo(DECIDERS["cautious"].zones_of(case.contact)[0])
        assert f"{decision.not_before:%Y-%m-%d %H:%M}" in decision.explain("en").splitlines()[0]


@pytest.mark.parametrize(
    ("row", "case"), [pytest.param(row, case, id=name) for name, row, case in ROWS if row["expect_not_before"]]
)
def test_waiting_until_not_before_is_enough_and_needed(row: dict[str, str], case: Case) -> None:
    """
    The next permitted minute is permitted, and the minute before it is not: nobody waits too long or too short.
    """
    decider = DECIDERS[row["reading"] or "cautious"]
    instant = datetime.fromisoformat(row["expect_not_before"])
    before = max(instant - timedelta(minutes=1), case.contact.at)

    assert decider.decide(evolve(case.contact, at=instant)).verdict in (Verdict.ALLOW, Verdict.AMEND)
    assert decider.decide(evolve(case.contact, at=before)).verdict is Verdict.DEFER


def test_every_rule_refuses_in_some_case() -> None:
    """
    A rule that no case shows could vanish from a pack unseen. What a text must say needs a text: see `test_words`.
    """
    shown = {rule for _, row, _ in ROWS for rule in row["expect_rule"].split(";")}
    rules = [rule for pack in DECIDERS["cautious"].packs for rule in pack.rules]
    written = {rule.id for rule in rules if rule.kind != "identification"}

    assert written <= shown


def test_a_second_run_gives_the_same_bytes() -> None:
    """
    Law 6: the record of a decision can be made again, also by a decider that has judged nothing before.
    """
    fresh = {reading: Decider(cobranza_compliance_packs(), reading=reading) for reading in DECIDERS}

    for _, row, case in reversed(ROWS):
        again = fresh[row["reading"] or "cautious"].decide(case.contact)
        assert case_result(case, again) == case_result(case, judged(row, case))
        assert again.to_dict() == judged(row, case).to_dict()
