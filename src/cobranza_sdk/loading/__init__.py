"""
Finds, checks and configures plugins; reads ``cobranza.toml``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobranza_sdk._lazy import loads_lazily
from cobranza_sdk.loading._errors import ConfigurationError, PluginError, PluginFailure

if TYPE_CHECKING:
    from cobranza_sdk.loading._certificates import CERTIFICATE, Certificate, brought, content_digest
    from cobranza_sdk.loading._configured import Accounts, Configured, configure, webhook_address
    from cobranza_sdk.loading._http import http_client
    from cobranza_sdk.loading._loopback import LoopbackServer
    from cobranza_sdk.loading._plugins import Plugin, Plugins, Provided, load_plugins
    from cobranza_sdk.loading._services import FixedClock, Interlock, SystemClock, TimeIds
    from cobranza_sdk.loading._settings import SUPERVISOR, Settings, read_settings, settings_from
    from cobranza_sdk.loading._structure import structure

_HOME = {
    "_certificates": ("CERTIFICATE", "Certificate", "brought", "content_digest"),
    "_configured": ("Accounts", "Configured", "configure", "webhook_address"),
    "_plugins": ("Plugin", "Plugins", "Provided", "load_plugins"),
    "_http": ("http_client",),
    "_loopback": ("LoopbackServer",),
    "_services": ("FixedClock", "Interlock", "SystemClock", "TimeIds"),
    "_settings": ("SUPERVISOR", "Settings", "read_settings", "settings_from"),
    "_structure": ("structure",),
}

__all__ = [
    "CERTIFICATE",
    "SUPERVISOR",
    "Accounts",
    "Certificate",
    "ConfigurationError",
    "Configured",
    "FixedClock",
    "Interlock",
    "LoopbackServer",
    "Plugin",
    "PluginError",
    "PluginFailure",
    "Plugins",
    "Provided",
    "Settings",
    "SystemClock",
    "TimeIds",
    "brought",
    "configure",
    "content_digest",
    "http_client",
    "load_plugins",
    "read_settings",
    "settings_from",
    "structure",
    "webhook_address",
]

# Listing plugins needs no HTTP client.
__getattr__, __dir__ = loads_lazily(__name__, _HOME)
