"""
Moves: sync, plan, dispatch, inbox; and the guard around plugin code.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobranza_sdk.engine._crash import POINTS, VARIABLE
    from cobranza_sdk.engine._dispatch import LEASE, LOST_AFTER, Dispatcher, DispatchReport
    from cobranza_sdk.engine._guard import GuardedPolicies, PluginLateError
    from cobranza_sdk.engine._inbox import InboxDesk, WebhookAnswer
    from cobranza_sdk.engine._planning import PlanError, due_now, plan_now
    from cobranza_sdk.engine._replies import intent_of
    from cobranza_sdk.engine._sync import SyncError, SyncReport, sync
    from cobranza_sdk.engine._workplace import Desk, Workplace, locale_of

_HOME = {
    "_crash": ("POINTS", "VARIABLE"),
    "_dispatch": ("LEASE", "LOST_AFTER", "DispatchReport", "Dispatcher"),
    "_guard": ("GuardedPolicies", "PluginLateError"),
    "_inbox": ("InboxDesk", "WebhookAnswer"),
    "_planning": ("PlanError", "due_now", "plan_now"),
    "_replies": ("intent_of",),
    "_sync": ("SyncError", "SyncReport", "sync"),
    "_workplace": ("Desk", "Workplace", "locale_of"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "LEASE",
    "LOST_AFTER",
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


def __getattr__(name: str) -> object:
    """
    Load a name when it is first used: deciding needs neither store nor templates.
    """
    if name not in _MODULE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
