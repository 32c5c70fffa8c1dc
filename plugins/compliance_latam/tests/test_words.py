"""
What a text must say: cases in CSV carry none, so these rules are shown here.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from cobranza_compliance_latam import cobranza_compliance_packs
from cobranza_sdk.compliance import Decider
from cobranza_sdk.model import Contact, Verdict

DECIDERS = {reading: Decider(cobranza_compliance_packs(), reading=reading) for reading in ("cautious", "literal")}
#: Rule, country, a permitted instant, and the parts that the text must have.
WORDS = [
    ("cl.identification", "CL", "2026-05-12T10:00-04:00", ("creditor",)),
    ("mx.identification", "MX", "2026-05-12T10:00-06:00", ("contact_line", "creditor")),
]


def text(country: str, at: str, *flags: str, content: str | None = "x") -> Contact:
    """
    A message to a confirmed debtor at a permitted instant.
    """
    return Contact(
        at=datetime.fromisoformat(at),
        channel="sms",
        country=country,
        recipient="debtor",
        holder_confirmed=True,
        consent="yes",
        content=content,
        flags=frozenset(flags),
        timezones={"CL": ("America/Santiago",), "MX": ("America/Mexico_City",)}.get(country, ()),
    )


@pytest.mark.parametrize("reading", DECIDERS)
@pytest.mark.parametrize(("rule", "country", "at", "parts"), WORDS, ids=[rule for rule, *_ in WORDS])
def test_a_text_that_lacks_a_needed_part_is_refused(
    rule: str, country: str, at: str, parts: tuple[str, ...], reading: str
) -> None:
    """
    Each part is needed: with all of them it may go, without any one of them it may not.
    """
    decider, said = DECIDERS[reading], [f"says_{part}" for part in parts]

    assert decider.decide(text(country, at, *said)).verdict is Verdict.ALLOW
    for missing in said:
        decision = decider.decide(text(country, at, *(part for part in said if part != missing)))
        assert (decision.verdict, [finding.rule for finding in decision.findings]) == (Verdict.DENY, [rule])


@pytest.mark.parametrize(("rule", "country", "at", "parts"), WORDS, ids=[rule for rule, *_ in WORDS])
def test_a_text_that_discloses_nothing_names_no_creditor(
    rule: str, country: str, at: str, parts: tuple[str, ...]
) -> None:
    """
    Law 7 goes before: to an address that is not confirmed, a lender's name would tell of a debt. Nor is a contact
    judged by words that are not written yet.
    """
    decider = DECIDERS["cautious"]

    for contact in (text(country, at, "discloses_nothing"), text(country, at, content=None)):
        assert decider.decide(contact).verdict is Verdict.ALLOW, (rule, parts)
