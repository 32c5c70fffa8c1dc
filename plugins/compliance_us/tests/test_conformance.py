"""
The pack passes the tests that the SDK asks of a pack.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from cobranza_sdk.testing import CompliancePackConformance


class TestUnitedStates(CompliancePackConformance):
    """
    Federal law, the states' and New York City's.
    """

    pack_folder = Path(str(files("cobranza_compliance_us"))) / "packs" / "us"
