"""
SMS by Twilio.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from cobranza_sdk import CompliancePack, hookimpl

if TYPE_CHECKING:
    from cobranza_sdk import Channel, Sandbox


def _read(name: str) -> str:
    return (files(__name__) / name).read_text("utf-8")


@hookimpl
def cobranza_channels() -> Iterable[type[Channel]]:
    """
    Register `TwilioSms`.
    """
    from cobranza_twilio_sms._channel import TwilioSms

    return [TwilioSms]


@hookimpl
def cobranza_sandboxes() -> Iterable[type[Sandbox]]:
    """
    Register `TwilioSandbox`; its web server is imported when it starts.
    """
    from cobranza_twilio_sms._sandbox import TwilioSandbox

    return [TwilioSandbox]


@hookimpl
def cobranza_compliance_packs() -> Iterable[CompliancePack]:
    """
    What Twilio and the carriers refuse, apart from law, with its golden cases; read when first needed.
    """
    text, cases = partial(_read, "sms_policy.toml"), partial(_read, "golden.csv")
    return [CompliancePack("sms_policy", text, origin="cobranza-twilio-sms sms_policy.toml", cases=cases)]
