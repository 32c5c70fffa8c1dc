"""
SMS by Twilio.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cobranza_sdk import hookimpl

if TYPE_CHECKING:
    from cobranza_sdk import Channel, Sandbox


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
