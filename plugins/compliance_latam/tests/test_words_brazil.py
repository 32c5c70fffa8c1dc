"""
What a text in Brazil must say: rules that judge only contacts with a text, so that no golden row can show them.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from cobranza_compliance_latam import cobranza_compliance_packs
from cobranza_sdk.compliance import Decider
from cobranza_sdk.model import Contact, Verdict

DECIDER = Decider(cobranza_compliance_packs())
#: An open minute of a working day in each country.
OPEN = {"BR": "2026-05-12T10:00:00-03:00"}
#: Rule, country, region, channel, and the parts that the text must have.
WORDS = [
    ("br.identification", "BR", "BR-SP", "sms", "creditor"),
    ("br.identification", "BR", None, "letter", "creditor"),
    ("br.rj.identification.written", "BR", "BR-RJ", "email", "amount breakdown"),
    ("br.rj.identification.written", "BR", "BR-RJ", "whatsapp", "amount breakdown"),
    ("br.rj.identification.calls", "BR", "BR-RJ", "call", "recording"),
]
#: Contacts of which no words are asked: country, region, channel, purpose, flags.
SILENT = [
    ("BR", "BR-SP", "call", "demand", ""),
    ("BR", "BR-RJ", "visit", "demand", ""),
    ("BR", "BR-RJ", "sms", "identity", "discloses_nothing"),
    ("BR", "BR-RJ", "sms", "receipt", "says_creditor"),
    ("BR", "BR-MG", "sms", "demand", "says_creditor"),
]


def findings(
    country: str,
    region: str | None,
    channel: str,
    flags: set[str],
    *,
    purpose: str = "demand",
    content: str | None = "x",
) -> dict[str, str]:
    """
    What is missing, by rule.
    """
    decision = DECIDER.decide(
        Contact(
            at=datetime.fromisoformat(OPEN[country]),
            channel=channel,
            country=country,
            region=region,
            timezones=() if region else ("America/Sao_Paulo",),
            recipient="debtor",
            holder_confirmed=True,
            consent="yes",
            purpose=purpose,
            content=content,
            flags=flags,
        )
    )
    assert decision.verdict is (Verdict.DENY if decision.findings else Verdict.ALLOW)
    return {finding.rule: finding.facts["missing"] for finding in decision.findings}


@pytest.mark.parametrize(("rule", "country", "region", "channel", "parts"), WORDS)
def test_a_text_without_one_of_the_parts_is_denied(
    rule: str, country: str, region: str | None, channel: str, parts: str
) -> None:
    """
    Each part is asked for by itself, and a text that is not written yet misses none.
    """
    needed = set(parts.split())
    everything = {"says_creditor", *(f"says_{part}" for part in needed)}

    for part in needed:
        assert findings(country, region, channel, everything - {f"says_{part}"}) == {rule: part}
    assert findings(country, region, channel, everything) == {}
    assert findings(country, region, channel, set(), content=None) == {}


@pytest.mark.parametrize(("country", "region", "channel", "purpose", "flags"), SILENT)
def test_no_words_are_asked_of_other_contacts(
    country: str, region: str | None, channel: str, purpose: str, flags: str
) -> None:
    """
    Calls outside Rio, visits, receipts, and what discloses nothing.
    """
    assert findings(country, region, channel, set(flags.split()), purpose=purpose) == {}


def test_every_rule_on_words_is_shown() -> None:
    """
    A rule that no test shows could vanish from a pack unseen.
    """
    (brazil,) = [pack for pack in DECIDER.packs if pack.name == "br"]
    written = {rule.id for rule in brazil.rules if rule.kind == "identification"}

    assert written == {rule for rule, *_ in WORDS}
