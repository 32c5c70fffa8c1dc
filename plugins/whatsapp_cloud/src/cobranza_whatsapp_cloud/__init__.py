"""
WhatsApp Cloud API for cobranza-sdk.
"""

from __future__ import annotations

from collections.abc import Iterable

from cobranza_sdk import Channel, Sandbox, hookimpl


@hookimpl
def cobranza_channels() -> Iterable[type[Channel]]:
    """
    The channel ``whatsapp_cloud``.
    """
    from cobranza_whatsapp_cloud._channel import WhatsAppCloud

    return (WhatsAppCloud,)


@hookimpl
def cobranza_sandboxes() -> Iterable[type[Sandbox]]:
    """
    The vendor's emulator. Its web server is imported when it starts, and needs the extra ``sandbox``.
    """
    from cobranza_whatsapp_cloud._sandbox import WhatsAppSandbox

    return (WhatsAppSandbox,)
