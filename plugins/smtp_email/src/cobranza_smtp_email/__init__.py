"""
E-mail over SMTP for cobranza-sdk.
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
    Name the SMTP channel.
    """
    from cobranza_smtp_email._channel import SmtpEmail

    return [SmtpEmail]


@hookimpl
def cobranza_sandboxes() -> Iterable[type[Sandbox]]:
    """
    Name the mail server for development.
    """
    from cobranza_smtp_email._sandbox import SmtpSandbox

    return [SmtpSandbox]
