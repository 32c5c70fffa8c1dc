"""
The conformance tests of packs fail where a pack is wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.spec import CompliancePack
from cobranza_sdk.testing import CompliancePackConformance

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
        except AssertionError:
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
    assert len(STANDARD) == 9


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


def test_a_pack_that_yields_to_another_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The mildest of several must never win, whatever their order.
    """
    from cobranza_sdk.compliance import Decider
    from cobranza_sdk.model import Decision, Verdict

    def mild(self: Decider, contact: Any) -> Decision:
        return Decision(verdict=Verdict.ALLOW, at=contact.at, basis=("xx 1: xx.window",))

    monkeypatch.setattr(Decider, "decide", mild)

    assert "test_the_strictest_wins_in_any_order" in outcome(pack=source(packs), cases=GOLDEN)
