"""
A law that stands against nothing, for tests of what comes on top of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from cobranza_sdk.spec import CompliancePack

_WORDS = '{ es = "no", pt = "não", en = "no" }'
_TEXT = """
format = 1
[pack]
version = "1"
status = "draft"
updated_on = 2026-01-01
title = {words}
{places}
[norms.none]
title = "None"
source = "invented for tests"
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
_PLACE = """[countries.{country}]
zones = {{ "*" = ["{zone}"] }}
holidays = {{ calendar = "{country}", through = 2035 }}"""


def mild_law(zones: Mapping[str, str]) -> CompliancePack:
    """
    A pack that knows these countries and lets everything pass, so that a platform's pack is judged by itself.

    A country that no pack knows is denied (law 4); put this one beside the pack that you test. It is for tests: nobody
    may send by it.

    Args:
        zones: IANA time zone by country, for example ``{"PE": "America/Lima"}``. Public holidays are the country's.
    """
    places = "\n".join(_PLACE.format(country=country, zone=zone) for country, zone in zones.items())
    return CompliancePack("mild", _TEXT.format(words=_WORDS, places=places), origin="cobranza_sdk.testing")
