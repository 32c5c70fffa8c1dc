"""
Acme for cobranza-sdk. This module is imported whenever plugins are listed: keep it small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobranza_sdk import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobranza_sdk import Channel, Sandbox


@hookimpl
def cobranza_channels() -> Sequence[type[Channel]]:
    """
    The channel.
    """
    from cobranza_acme_sms._channel import AcmeSms

    return [AcmeSms]


@hookimpl
def cobranza_sandboxes() -> Sequence[type[Sandbox]]:
    """
    The emulator.
    """
    from cobranza_acme_sms._sandbox import AcmeSmsSandbox

    return [AcmeSmsSandbox]
