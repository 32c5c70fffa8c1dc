"""
Moves: sync, plan, dispatch, inbox; and the guard around plugin code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobranza_sdk._lazy import loads_lazily

if TYPE_CHECKING:
    from cobranza_sdk.engine._backtest import Backtest, Bench, Retried, retry_cases, summed_up
    from cobranza_sdk.engine._calls import AccountGuard, Guards, Repeat
    from cobranza_sdk.engine._crash import POINTS, VARIABLE
    from cobranza_sdk.engine._dispatch import LEASE, LOST_AFTER, Dispatcher, DispatchReport
    from cobranza_sdk.engine._guard import GuardedPolicies, PluginLateError, call_guarded
    from cobranza_sdk.engine._inbox import InboxDesk, WebhookAnswer
    from cobranza_sdk.engine._overrides import OverrideDesk
    from cobranza_sdk.engine._payments import PaymentDesk
    from cobranza_sdk.engine._planning import PlanError, due_now, plan_now
    from cobranza_sdk.engine._replies import intent_of
    from cobranza_sdk.engine._strategy_check import (
        Grounds,
        StrategyFinding,
        carried_by,
        check_strategy,
        without_strategy,
    )
    from cobranza_sdk.engine._sync import SyncError, SyncReport, sync, write_back
    from cobranza_sdk.engine._workplace import Desk, Workplace, locale_of

_HOME = {
    "_backtest": ("Backtest", "Bench", "Retried", "retry_cases", "summed_up"),
    "_calls": ("AccountGuard", "Guards", "Repeat"),
    "_crash": ("POINTS", "VARIABLE"),
    "_dispatch": ("LEASE", "LOST_AFTER", "DispatchReport", "Dispatcher"),
    "_guard": ("GuardedPolicies", "PluginLateError", "call_guarded"),
    "_inbox": ("InboxDesk", "WebhookAnswer"),
    "_overrides": ("OverrideDesk",),
    "_payments": ("PaymentDesk",),
    "_planning": ("PlanError", "due_now", "plan_now"),
    "_replies": ("intent_of",),
    "_strategy_check": ("Grounds", "StrategyFinding", "carried_by", "check_strategy", "without_strategy"),
    "_sync": ("SyncError", "SyncReport", "sync", "write_back"),
    "_workplace": ("Desk", "Workplace", "locale_of"),
}

__all__ = [
    "LEASE",
    "LOST_AFTER",
    "POINTS",
    "VARIABLE",
    "AccountGuard",
    "Backtest",
    "Bench",
    "Desk",
    "DispatchReport",
    "Dispatcher",
    "Grounds",
    "GuardedPolicies",
    "Guards",
    "InboxDesk",
    "OverrideDesk",
    "PaymentDesk",
    "PlanError",
    "PluginLateError",
    "Repeat",
    "Retried",
    "StrategyFinding",
    "SyncError",
    "SyncReport",
    "WebhookAnswer",
    "Workplace",
    "call_guarded",
    "carried_by",
    "check_strategy",
    "due_now",
    "intent_of",
    "locale_of",
    "plan_now",
    "retry_cases",
    "summed_up",
    "sync",
    "without_strategy",
    "write_back",
]

# Deciding needs neither store nor templates.
__getattr__, __dir__ = loads_lazily(__name__, _HOME)
