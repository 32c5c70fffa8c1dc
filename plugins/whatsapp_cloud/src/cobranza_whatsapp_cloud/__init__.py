"""
WhatsApp Cloud API for cobranza-sdk.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from cobranza_sdk import Channel, CompliancePack, Sandbox, hookimpl


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


@hookimpl
def cobranza_compliance_packs() -> Iterable[CompliancePack]:
    """
    The platform's own policy, apart from law: opt-in, and what it says of debt collection.
    """
    name = "whatsapp_policy"

    def read() -> str:
        return (files(__name__) / f"{name}.toml").read_text("utf-8")

    return (CompliancePack(name, read, origin=f"cobranza-whatsapp-cloud {name}.toml"),)
