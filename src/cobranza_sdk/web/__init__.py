"""
ASGI: webhooks. Takes the engine's inbox, never `Cobranza`. Needs the extra ``web``.
"""

from __future__ import annotations

from cobranza_sdk.web._webhooks import webhook_application

__all__ = ["webhook_application"]
