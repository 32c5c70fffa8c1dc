"""
The platform's policy holds its golden cases, beside a law that knows the countries and stands against nothing.
"""

from __future__ import annotations

import cobranza_whatsapp_cloud
from cobranza_sdk import CompliancePack
from cobranza_sdk.testing import CompliancePackConformance

ZONES = {"PE": "America/Lima", "CO": "America/Bogota", "MX": "America/Mexico_City"}


def law() -> CompliancePack:
    """
    A pack without a rule that speaks of these contacts.
    """
    words = '{ es = "no", pt = "não", en = "no" }'
    places = "\n".join(
        f'[countries.{code}]\nzones = {{ "*" = ["{zone}"] }}\nholidays = {{ calendar = "{code}", through = 2035 }}'
        for code, zone in ZONES.items()
    )
    text = f"""
format = 1
[pack]
version = "1"
status = "draft"
updated_on = 2026-01-01
title = {words}
{places}
[norms.none]
title = "None"
source = "test"
read_on = 2026-01-01
effective_from = 2000-01-01
[[rule]]
id = "mild.forbid"
kind = "forbid"
norm = "none"
article = "1"
flags = ["never_told"]
confidence = "high"
message = {words}
"""
    return CompliancePack("mild", text)


(PACK,) = cobranza_whatsapp_cloud.cobranza_compliance_packs()


class TestWhatsAppPolicy(CompliancePackConformance):
    pack = PACK
    beside = (law(),)


def test_the_plugin_brings_the_cases_with_its_pack() -> None:
    """
    `cobranza packs check whatsapp_policy` judges what the wheel ships.
    """
    assert PACK.name == "whatsapp_policy"
    assert (PACK.cases or "").startswith("case_id,country,")
