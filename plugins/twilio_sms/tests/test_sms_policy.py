"""
The vendor's and the carriers' rules: where they hold, whom they stop, and that they stop nobody else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

import cobranza_twilio_sms
from cobranza_sdk.compliance import Decider
from cobranza_sdk.model import Contact, Decision
from cobranza_sdk.testing import CompliancePackConformance, mild_law

ZONES = {
    "US": "America/New_York",
    "CA": "America/Toronto",
    "ES": "Europe/Madrid",
    "PE": "America/Lima",
    "CO": "America/Bogota",
    "MX": "America/Mexico_City",
}


LAW = mild_law(ZONES)

(PACK,) = cobranza_twilio_sms.cobranza_compliance_packs()


class TestSmsPolicy(CompliancePackConformance):
    pack = PACK
    beside = (LAW,)


def decided(country: str, **fields: Any) -> Decision:
    """
    A message to a confirmed debtor with consent, by a weekday's noon in UTC.
    """
    told: dict[str, Any] = {"channel": "sms", "recipient": "debtor", "holder_confirmed": True, "consent": "yes"}
    contact = Contact(at=datetime.fromisoformat("2026-11-24T12:00+00:00"), country=country, **(told | fields))
    return Decider([LAW, PACK], platform=True).decide(contact)


def rules_of(decision: Decision) -> list[str]:
    """
    What stands against it.
    """
    return [finding.rule for finding in decision.findings]


def test_the_plugin_brings_the_pack_with_its_cases() -> None:
    """
    `cobranza packs check sms_policy` judges the cases that the wheel ships.
    """
    assert PACK.name == "sms_policy"
    assert (PACK.cases or "").startswith("case_id,country,")
    assert Decider([PACK]).packs[0].scope == "platform"
    assert Decider([PACK]).packs[0].status == "draft"


@pytest.mark.parametrize("country", ["US", "CA"])
def test_collection_for_others_passes_in_no_way(country: str) -> None:
    """
    Canada is no country of any pack of law here, so no case of the file can show it: the same as in the United States.
    """
    risk = {"flags": ["accepted_risk.sms.third_party", "accepted_risk.sms.buyers"]}

    assert rules_of(decided(country, collector="agency", **risk)) == ["sms.third_party"]
    assert rules_of(decided(country, collector="buyer", **risk)) == ["sms.buyers"]
    assert rules_of(decided(country, collector="creditor", consent="no")) == ["sms.consent"]
    assert rules_of(decided(country, collector="creditor")) == []


@pytest.mark.parametrize("country", ["PE", "CO", "MX"])
@pytest.mark.parametrize("collector", ["creditor", "agency", "buyer"])
def test_no_rule_speaks_of_other_countries(country: str, collector: str) -> None:
    """
    What a vendor refuses in one country must not stop collection in another, nor show up among its grounds.
    """
    decision = decided(country, collector=collector, consent="no")

    assert decision.findings == ()
    assert decision.basis == ()


@pytest.mark.parametrize("channel", ["call", "email", "whatsapp", "letter", "visit", "in_app"])
@pytest.mark.parametrize("country", ["US", "CA", "ES"])
def test_no_rule_speaks_of_other_channels(country: str, channel: str) -> None:
    """
    Each platform answers for its own channel.
    """
    assert decided(country, channel=channel, collector="agency", consent="no").basis == ()


def test_law_alone_is_asked_without_the_platform_s_rules() -> None:
    """
    `Cobranza.decide` answers for the law: it must not call a vendor's contract one.
    """
    contact = Contact(
        at=datetime.fromisoformat("2026-11-24T12:00+00:00"), country="US", channel="sms", collector="agency"
    )

    assert Decider([LAW, PACK]).decide(contact).findings == ()
