"""
Decides whether a contact may be made, when, and why. Pure: reads no clock, no file, no network.
"""

from __future__ import annotations

from cobranza_sdk.compliance._cases import Case, case_result, read_cases
from cobranza_sdk.compliance._check import Golden, PackReport, check_pack, deciders_of, judge_golden
from cobranza_sdk.compliance._compare import differences, in_force, terms_of
from cobranza_sdk.compliance._dated import ALL_PACKS, DatedDecider
from cobranza_sdk.compliance._decide import Decider, house_finding
from cobranza_sdk.compliance._errors import CasesError, OverlayError, PackError
from cobranza_sdk.compliance._overlay import Overlay, parse_overlay
from cobranza_sdk.compliance._pack import (
    ACCEPTED_RISK,
    DISCLOSES_NOTHING,
    SAYS,
    CountryData,
    Pack,
    Rule,
    exceptions_of,
    parse_pack,
    zone,
)
from cobranza_sdk.compliance._rules import DISCLOSE_NOTHING

__all__ = [
    "ACCEPTED_RISK",
    "ALL_PACKS",
    "DISCLOSES_NOTHING",
    "DISCLOSE_NOTHING",
    "SAYS",
    "Case",
    "CasesError",
    "CountryData",
    "DatedDecider",
    "Decider",
    "Golden",
    "Overlay",
    "OverlayError",
    "Pack",
    "PackError",
    "PackReport",
    "Rule",
    "case_result",
    "check_pack",
    "deciders_of",
    "differences",
    "exceptions_of",
    "house_finding",
    "in_force",
    "judge_golden",
    "parse_overlay",
    "parse_pack",
    "read_cases",
    "terms_of",
    "zone",
]
