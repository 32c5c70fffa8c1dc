"""
Tools for the tests of plugins and integrators. Install the extra ``testing``.
"""

from __future__ import annotations

from cobranza_sdk.loading._services import FixedClock
from cobranza_sdk.testing._channels import ChannelConformance
from cobranza_sdk.testing._chaos import Chaos, Fault, Post, WatchedSandbox
from cobranza_sdk.testing._conformance import Skip
from cobranza_sdk.testing._erps import ErpConformance
from cobranza_sdk.testing._mild import mild_law
from cobranza_sdk.testing._packs import CompliancePackConformance
from cobranza_sdk.testing._payments import PaymentProviderConformance
from cobranza_sdk.testing._portfolio import DebtorDraft, PortfolioBuilder
from cobranza_sdk.testing._providers import make_provider
from cobranza_sdk.testing._rehearsal import Carried, Rehearsal

__all__ = [
    "Carried",
    "ChannelConformance",
    "Chaos",
    "CompliancePackConformance",
    "DebtorDraft",
    "ErpConformance",
    "Fault",
    "FixedClock",
    "PaymentProviderConformance",
    "PortfolioBuilder",
    "Post",
    "Rehearsal",
    "Skip",
    "WatchedSandbox",
    "make_provider",
    "mild_law",
]
