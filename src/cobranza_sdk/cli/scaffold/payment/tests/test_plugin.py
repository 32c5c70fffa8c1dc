"""
What is this plugin's own. Write a test for each of the vendor's statuses and error codes.
"""

from __future__ import annotations

import cobranza_acme_pay


def test_the_plugin_brings_a_provider_and_its_emulator() -> None:
    """
    Both under one name, by which the configuration asks for them.
    """
    (provider,) = cobranza_acme_pay.cobranza_payment_providers()
    (sandbox,) = cobranza_acme_pay.cobranza_sandboxes()

    assert provider.name == sandbox.name == "acme_pay"
