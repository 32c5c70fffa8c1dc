"""
Moves: sync, plan, dispatch, inbox; and the guard around plugin code.
"""

from __future__ import annotations

from cobranza_sdk.engine._crash import POINTS, VARIABLE
from cobranza_sdk.engine._dispatch import Dispatcher, DispatchReport
from cobranza_sdk.engine._guard import GuardedPolicies, PluginLateError
from cobranza_sdk.engine._inbox import InboxDesk, WebhookAnswer
from cobranza_sdk.engine._planning import PlanError, due_now, plan_now
from cobranza_sdk.engine._replies import intent_of
from cobranza_sdk.engine._sync import SyncError, SyncReport, sync
from cobranza_sdk.engine._workplace import Desk, Workplace, locale_of

__all__ = [
    "POINTS",
    "VARIABLE",
    "Desk",
    "DispatchReport",
    "Dispatcher",
    "GuardedPolicies",
    "InboxDesk",
    "PlanError",
    "PluginLateError",
    "SyncError",
    "SyncReport",
    "WebhookAnswer",
    "Workplace",
    "due_now",
    "intent_of",
    "locale_of",
    "plan_now",
    "sync",
]
