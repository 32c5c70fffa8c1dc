"""
What the rows of golden cases cannot show: a text's words, and which debt a contact was about.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cobranza_compliance_latam import cobranza_compliance_packs
from cobranza_sdk.compliance import Decider
from cobranza_sdk.model import Contact, PastContact

DECIDERS = {reading: Decider(cobranza_compliance_packs(), reading=reading) for reading in ("cautious", "literal")}
#: An hour that is open in every country judged here.
AT = {"CO": "2026-05-12T10:00-05:00", "DO": "2026-05-12T10:00-04:00", "PY": "2026-05-19T10:00-03:00"}


def refusals(country: str, reading: str, **more: Any) -> list[str]:
    """
    The rules against a contact with the debtor that is otherwise in order.
    """
    told: dict[str, Any] = {
        "at": datetime.fromisoformat(AT[country]),
        "channel": "sms",
        "country": country,
        "recipient": "debtor",
        "holder_confirmed": True,
        "consent": "yes",
        "purpose": "demand",
    }
    return [finding.rule for finding in DECIDERS[reading].decide(Contact(**told | more)).findings]


@pytest.mark.parametrize(
    ("country", "reading", "purpose", "says", "rules"),
    [
        ("CO", "cautious", "demand", "", ["co.identification"]),
        ("CO", "literal", "demand", "", ["co.identification"]),
        ("CO", "cautious", "demand", "creditor", []),
        ("CO", "cautious", "offer", "creditor", ["co.identification.offers"]),
        ("CO", "cautious", "offer", "creditor opt_out", []),
        ("PY", "cautious", "demand", "", ["py.identification"]),
        ("PY", "cautious", "demand", "creditor", ["py.identification"]),
        ("PY", "cautious", "demand", "amount", ["py.identification"]),
        ("PY", "cautious", "demand", "creditor amount", []),
        ("PY", "cautious", "identity", "creditor", []),
        ("PY", "literal", "demand", "creditor amount", ["py.identification.breakdown"]),
        ("PY", "literal", "demand", "breakdown", ["py.identification.breakdown"]),
        ("PY", "literal", "demand", "amount breakdown", []),
        ("PY", "literal", "confirm", "", []),
    ],
)
def test_a_text_has_the_parts_that_the_law_asks_for(
    country: str, reading: str, purpose: str, says: str, rules: list[str]
) -> None:
    """
    A text without them is refused; the same contact before it has a text is not.
    """
    flags = frozenset(f"says_{part}" for part in says.split())

    assert refusals(country, reading, purpose=purpose, content="x", flags=flags) == rules
    assert refusals(country, reading, purpose=purpose) == []


@pytest.mark.parametrize("country", ["CO", "PY"])
@pytest.mark.parametrize("reading", ["cautious", "literal"])
def test_a_text_that_discloses_nothing_lacks_nothing(country: str, reading: str) -> None:
    """
    Until the holder is confirmed nothing of the debt may be said, so nothing of it can be asked for.
    """
    flags = frozenset({"discloses_nothing"})

    assert refusals(country, reading, content="x", flags=flags, recipient="unknown", holder_confirmed=False) == []


def test_the_breakdown_is_asked_for_in_writing_alone() -> None:
    """
    Paraguay, to the letter: a call has no written breakdown.
    """
    assert refusals("PY", "literal", channel="call", content="x") == []
    assert refusals("PY", "cautious", channel="call", content="x") == ["py.identification"]


@pytest.mark.parametrize(("debt", "rules"), [("D-1", ["do.cap.day"]), ("D-2", [])])
def test_the_dominican_cap_counts_each_debt_by_itself(debt: str, rules: list[str]) -> None:
    """
    Five contacts about one debt do not close the day for another.
    """
    at = datetime.fromisoformat(AT["DO"])
    history = tuple(
        PastContact(at=at.replace(hour=8, minute=minute), channel="call", outcome="busy", receivable_ids=("D-1",))
        for minute in range(5)
    )

    assert refusals("DO", "literal", history=history, receivable_ids=(debt,)) == rules
