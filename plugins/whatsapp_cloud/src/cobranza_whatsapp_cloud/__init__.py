"""
WhatsApp Cloud API for cobranza-sdk.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
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
    The platform's own policy, apart from law, with its golden cases: opt-in, and what it says of debt collection.
    """
    text, cases = partial(_read, "whatsapp_policy.toml"), partial(_read, "golden.csv")
    return (
        CompliancePack("whatsapp_policy", text, origin="cobranza-whatsapp-cloud whatsapp_policy.toml", cases=cases),
    )


def _read(name: str) -> str:
    return (files(__name__) / name).read_text("utf-8")
