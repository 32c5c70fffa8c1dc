"""
What is this plugin's own. Write a test for each of the vendor's error codes.
"""

from __future__ import annotations

import cobranza_acme_sms


def test_the_plugin_brings_a_channel_and_its_emulator() -> None:
    """
    Both under one name, by which the configuration asks for them.
    """
    (channel,) = cobranza_acme_sms.cobranza_channels()
    (sandbox,) = cobranza_acme_sms.cobranza_sandboxes()

    assert channel.name == sandbox.name == "acme_sms"
