"""
Risks of platform rules are taken by name, a name that no pack knows is a slip, and what was taken stays on record.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import Cobranza, ConfigurationError

WORDS = '{ es = "no", pt = "não", en = "no" }'
PLATFORM = f"""
format = 1
[pack]
name = "some"
version = "7"
scope = "platform"
status = "draft"
updated_on = 2026-01-01
title = {WORDS}
[norms.house]
title = "Policy"
source = "test"
read_on = 2026-01-01
effective_from = 2020-01-01
[[rule]]
id = "some.sms"
kind = "forbid"
norm = "house"
article = "1"
channels = ["sms"]
unless_flags = ["accepted_risk.some.sms"]
confidence = "high"
message = {WORDS}
[[rule]]
id = "some.email"
like = "some.sms"
channels = ["email"]
unless_flags = ["accepted_risk.some.email"]
"""
Run = Callable[..., Cobranza]


@pytest.fixture
def run_with(make_house: Callable[..., Cobranza], tmp_path: Path, debtor: Any, receivable: Any) -> Run:
    """
    Runs a house over one SQLite file, with some risks accepted, and gives it back.
    """
    (tmp_path / "some.toml").write_text(PLATFORM, "utf-8")

    def run(*risks: str, key: str = "1") -> Cobranza:
        house = make_house(compliance={"packs": [str(tmp_path / "some.toml")], "accept_risk": list(risks)})
        house.portfolio.put(debtor(f"D-{key}"), receivable(f"F-{key}", f"D-{key}"))
        house.plan()
        house.dispatch()
        return house

    return run


def told(house: Cobranza) -> list[tuple[str, Any]]:
    """
    What the ledger tells of risks.
    """
    return [(event.kind, event.payload) for event in house.events(kinds=("risk.accepted", "risk.withdrawn"))]


def test_an_accepted_risk_is_recorded_once_and_before_anything_is_sent(run_with: Run, clock: Any) -> None:
    """
    Who took it, when, and whose rules it sets aside can be shown later; a run from a timer does not repeat it.
    """
    house = run_with("some.sms")
    house.dispatch()
    house = run_with("some.sms", key="2")

    (accepted,) = house.events(kinds=("risk.accepted",))
    assert (accepted.actor, accepted.at, accepted.creditor_id) == ("configuration", clock.now(), None)
    assert accepted.payload == {"risks": ["some.sms"], "packs": {"some.sms": ["some 7"]}}
    assert accepted.seq < min(event.seq for event in house.events(kinds=("decision.made",)))
    assert told(house) == [("risk.accepted", accepted.payload)]


def test_what_changes_is_recorded_and_nothing_else(run_with: Run, later: Any) -> None:
    """
    A risk that is added tells of itself alone, and one that is taken out of the file is withdrawn.
    """
    run_with("some.sms")
    later(minutes=5)
    run_with("some.sms", "some.email", key="2")
    run_with("some.email", "some.sms", key="3")
    house = run_with("some.email", key="4")
    later(minutes=5)
    run_with(key="5")

    assert told(house) == [
        ("risk.accepted", {"risks": ["some.sms"], "packs": {"some.sms": ["some 7"]}}),
        ("risk.accepted", {"risks": ["some.email"], "packs": {"some.email": ["some 7"]}}),
        ("risk.withdrawn", {"risks": ["some.sms"]}),
        ("risk.withdrawn", {"risks": ["some.email"]}),
    ]
    assert house.tenant.risks.accepted() == frozenset()


def test_nothing_is_recorded_where_no_risk_is_taken_or_nothing_may_be_sent(
    run_with: Run, make_house: Callable[..., Cobranza], tmp_path: Path
) -> None:
    """
    Looking sends nothing, so it takes no risk.
    """
    house = run_with()
    looking = make_house(compliance={"packs": [str(tmp_path / "some.toml")], "accept_risk": ["some.sms"]})
    looking.plan()
    looking.dispatch_preview()

    assert told(house) == []


def test_each_decision_that_rests_on_a_risk_says_so(run_with: Run, box: Any) -> None:
    """
    Who reads one decision years later need not know what the configuration was that day.
    """
    house = run_with("some.sms")

    (event,) = house.events(kinds=("decision.made",))
    assert len(box["fake_sms"]) == 1
    assert (event.payload["verdict"], event.payload["accepted_risks"]) == ("allow", ["some 7: some.sms"])
    assert "some 7: some.sms" not in event.payload["basis"]
    (stored,) = house.creditor_store().figures.decisions_of(event.subject_refs["attempt"])
    assert stored["accepted_risks"] == ["some 7: some.sms"]


def test_a_decision_that_rests_on_no_risk_says_nothing_of_it(run_with: Run, box: Any) -> None:
    """
    The risk of one rule is none of another's: the message is refused by SMS and leaves by e-mail.
    """
    house = run_with("some.email")

    by_channel = {event.payload["channel"]: event.payload for event in house.events(kinds=("decision.made",))}
    assert (box["fake_sms"], len(box["fake_email"])) == ([], 1)
    assert (by_channel["sms"]["verdict"], by_channel["sms"]["rules"]) == ("deny", ["some.sms"])
    assert by_channel["sms"]["accepted_risks"] == []
    assert by_channel["email"]["accepted_risks"] == ["some 7: some.email"]


def test_a_risk_that_no_pack_names_is_refused(make_house: Callable[..., Cobranza]) -> None:
    """
    With a slip of the pen the operator would believe to have switched something on.
    """
    house = make_house(compliance={"accept_risk": ["whatsapp.colections"]})

    with pytest.raises(ConfigurationError, match=r"accept_risk: found whatsapp\.colections, expected one of"):
        house.dispatch()
