"""
The platform's policy holds its golden cases, beside a law that knows the countries and stands against nothing.
"""

from __future__ import annotations

import cobranza_whatsapp_cloud
from cobranza_sdk.testing import CompliancePackConformance, mild_law

ZONES = {"PE": "America/Lima", "CO": "America/Bogota", "MX": "America/Mexico_City"}


LAW = mild_law(ZONES)

(PACK,) = cobranza_whatsapp_cloud.cobranza_compliance_packs()


class TestWhatsAppPolicy(CompliancePackConformance):
    pack = PACK
    beside = (LAW,)


def test_the_plugin_brings_the_cases_with_its_pack() -> None:
    """
    `cobranza packs check whatsapp_policy` judges what the wheel ships.
    """
    assert PACK.name == "whatsapp_policy"
    assert (PACK.cases or "").startswith("case_id,country,")
