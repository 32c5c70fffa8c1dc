"""
The pack as data: what it promises beside its cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from cobranza_compliance_us import cobranza_compliance_packs
from cobranza_sdk.compliance import Decider, Pack, parse_pack
from cobranza_sdk.model import Contact, PastContact, Verdict

PACKS = [parse_pack(pack.name, pack.text, origin=pack.origin) for pack in cobranza_compliance_packs()]
DECIDER = Decider(cobranza_compliance_packs())
STATES = (
    "AK AL AR AZ CA CO CT DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH NJ NM NV NY OH OK OR PA "
    "RI SC SD TN TX UT VA VT WA WI WV WY"
).split()
BESIDE_STATES = "AS DC GU MP NYC PR UM VI".split()
TWO_ZONES = "AK AZ FL ID IN KS KY MI ND NE NV OR SD TN TX".split()


def contact(at: str, **more: Any) -> Contact:
    """
    A call of an agency to a confirmed debtor.
    """
    fields: dict[str, Any] = {"channel": "call", "country": "US", "recipient": "debtor", "holder_confirmed": True}
    return Contact(at=datetime.fromisoformat(at), **(fields | more))


def past(at: str, **more: Any) -> PastContact:
    """
    A call that nobody answered.
    """
    fields: dict[str, Any] = {"channel": "call", "outcome": "no_answer"}
    return PastContact(at=datetime.fromisoformat(at), **(fields | more))


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_no_pack_passes_for_reviewed(pack: Pack) -> None:
    """
    No lawyer has signed it, and it says so.
    """
    assert (pack.status, pack.reviewed_by) == ("draft", None)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_law_was_read_before_its_rules_were_written(pack: Pack) -> None:
    """
    Law 6: nobody cites what he has not read; and a rule's id says whose law it is.
    """
    assert all(rule.id.startswith(f"{pack.name}.") for rule in pack.rules)
    assert all(norm.read_on <= pack.updated_on for norm in pack.norms.values())


def test_every_region_has_a_clock_of_its_own() -> None:
    """
    A state without zones would be judged by all of them at once, and one that is not among the regions denied.
    """
    country = PACKS[0].countries["US"]
    regions = {f"US-{code}" for code in [*STATES, *BESIDE_STATES]}

    assert len(STATES) == 50
    assert country.regions == regions == set(country.zones) - {"*"}
    assert {name for region in regions for name in country.zones[region]} == set(country.zones["*"])
    states = {f"US-{code}" for code in STATES}
    assert sorted(code[3:] for code in states if len(country.zones[code]) > 1) == TWO_ZONES


@pytest.mark.parametrize(
    ("at", "not_before"),
    [
        ("2026-05-12T12:00:00-04:00", "2026-05-12T22:00:00+00:00"),
        ("2026-05-12T21:59:00+00:00", "2026-05-12T22:00:00+00:00"),
        ("2026-05-12T22:00:00+00:00", None),
        ("2026-05-13T00:59:00+00:00", None),
        ("2026-05-13T01:00:00+00:00", "2026-05-13T22:00:00+00:00"),
        ("2026-01-13T21:59:00+00:00", "2026-01-13T22:00:00+00:00"),
        ("2026-01-13T22:00:00+00:00", None),
        ("2026-01-14T00:59:00+00:00", None),
        ("2026-01-14T01:00:00+00:00", "2026-01-14T22:00:00+00:00"),
        ("2026-03-07T21:00:00-05:00", "2026-03-08T22:00:00+00:00"),
        ("2026-10-31T21:00:00-04:00", "2026-11-01T22:00:00+00:00"),
    ],
)
def test_where_nothing_is_known_all_zones_permit(at: str, not_before: str | None) -> None:
    """
    From 08:00 in Guam (22:00 UTC) to 21:00 in Puerto Rico (01:00 UTC), which change no clocks; all others lie between.
    """
    decision = DECIDER.decide(contact(at))

    wanted = (Verdict.ALLOW, None) if not_before is None else (Verdict.DEFER, datetime.fromisoformat(not_before))
    assert (decision.verdict, decision.not_before) == wanted


SAME: Mapping[str, Any] = {"creditor_id": "c1", "receivable_ids": ("r1",)}


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (SAME, Verdict.DEFER),
        ({"creditor_id": "c1", "receivable_ids": ("r2",)}, Verdict.ALLOW),
        ({"creditor_id": "c2", "receivable_ids": ("r1",)}, Verdict.ALLOW),
        ({"creditor_id": "c1", "receivable_ids": ("r2", "r1")}, Verdict.DEFER),
        ({"creditor_id": "c1"}, Verdict.DEFER),
    ],
)
@pytest.mark.parametrize(
    ("region", "limit", "outcome"), [("US-NJ", 7, "no_answer"), ("US-NJ", 1, "answered"), ("US-NYC", 3, "no_answer")]
)
def test_limits_are_per_debt(other: Mapping[str, Any], verdict: Verdict, region: str, limit: int, outcome: str) -> None:
    """
    Calls, quiet days and the city's contacts are counted for each debt apart; what names no debt counts for all.
    """
    history = tuple(past(f"2026-09-15T{hour:02}:00:00-04:00", outcome=outcome, **other) for hour in range(9, 9 + limit))

    decision = DECIDER.decide(contact("2026-09-16T10:00:00-04:00", region=region, history=history, **SAME))

    assert decision.verdict is verdict


def test_a_call_from_the_debtor_is_a_conversation_and_no_attempt() -> None:
    """
    Quiet days follow it too, and the seven calls are those that the collector makes.
    """
    asked = past("2026-05-12T10:00:00-04:00", direction="inbound", outcome="answered")
    missed = tuple(past(f"2026-05-12T{hour:02}:00:00-04:00", direction="inbound") for hour in range(9, 16))

    after = DECIDER.decide(contact("2026-05-13T10:00:00-04:00", region="US-NY", history=(asked,)))
    free = DECIDER.decide(contact("2026-05-13T10:00:00-04:00", region="US-NY", history=missed))

    assert [finding.rule for finding in after.findings] == ["us.quiet.calls"]
    assert after.not_before == datetime.fromisoformat("2026-05-19T08:00:00-04:00")
    assert free.verdict is Verdict.ALLOW
