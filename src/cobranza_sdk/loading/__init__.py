"""
Finds, checks and configures plugins; reads ``cobranza.toml``.
"""

from __future__ import annotations

from cobranza_sdk.loading._errors import ConfigurationError, PluginError, PluginFailure

__all__ = ["ConfigurationError", "PluginError", "PluginFailure"]
