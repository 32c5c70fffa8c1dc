"""
Chooses: steps, stages, the plan. Pure: reads no clock, no file, no network.
"""

from __future__ import annotations

from cobranza_sdk.strategy._plan import DebtorPosition, Due, OpenInstallment, plan
from cobranza_sdk.strategy._strategy import Step, Strategy, StrategyError, parse_strategy, stage_of

__all__ = [
    "DebtorPosition",
    "Due",
    "OpenInstallment",
    "Step",
    "Strategy",
    "StrategyError",
    "parse_strategy",
    "plan",
    "stage_of",
]
