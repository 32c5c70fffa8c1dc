"""
Finds, checks and configures plugins; reads ``cobranza.toml``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobranza_sdk.loading._errors import ConfigurationError, PluginError, PluginFailure

if TYPE_CHECKING:
    from cobranza_sdk.loading._configured import Accounts, Configured, configure, webhook_address
    from cobranza_sdk.loading._http import http_client
    from cobranza_sdk.loading._plugins import Plugin, Plugins, Provided, load_plugins
    from cobranza_sdk.loading._services import FixedClock, Interlock, SystemClock, TimeIds
    from cobranza_sdk.loading._settings import Settings, read_settings, settings_from
    from cobranza_sdk.loading._structure import structure

_HOME = {
    "_configured": ("Accounts", "Configured", "configure", "webhook_address"),
    "_plugins": ("Plugin", "Plugins", "Provided", "load_plugins"),
    "_http": ("http_client",),
    "_services": ("FixedClock", "Interlock", "SystemClock", "TimeIds"),
    "_settings": ("Settings", "read_settings", "settings_from"),
    "_structure": ("structure",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Accounts",
    "ConfigurationError",
    "Configured",
    "FixedClock",
    "Interlock",
    "Plugin",
    "PluginError",
    "PluginFailure",
    "Plugins",
    "Provided",
    "Settings",
    "SystemClock",
    "TimeIds",
    "configure",
    "http_client",
    "load_plugins",
    "read_settings",
    "settings_from",
    "structure",
    "webhook_address",
]


def __getattr__(name: str) -> object:
    """
    Load a name when it is first used: listing plugins needs no HTTP client.
    """
    from importlib import import_module

    if name not in _MODULE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
