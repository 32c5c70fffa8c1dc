"""
Tools for the tests of plugins and integrators. Install the extra ``testing``.
"""

from __future__ import annotations

from cobranza_sdk.loading._services import FixedClock
from cobranza_sdk.testing._channels import ChannelConformance
from cobranza_sdk.testing._conformance import Skip
from cobranza_sdk.testing._erps import ErpConformance
from cobranza_sdk.testing._mild import mild_law
from cobranza_sdk.testing._packs import CompliancePackConformance
from cobranza_sdk.testing._providers import make_provider

__all__ = [
    "ChannelConformance",
    "CompliancePackConformance",
    "ErpConformance",
    "FixedClock",
    "Skip",
    "make_provider",
    "mild_law",
]
