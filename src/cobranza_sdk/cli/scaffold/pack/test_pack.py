"""
The tests that every country pack passes: ``python -m pytest`` runs them. Nothing here needs to be changed.
"""

from __future__ import annotations

from pathlib import Path

from cobranza_sdk.testing import CompliancePackConformance


class TestPack(CompliancePackConformance):
    """
    Of the pack in this folder.
    """

    pack_folder = Path(__file__).parent
