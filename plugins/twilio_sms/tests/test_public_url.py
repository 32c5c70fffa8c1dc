"""
The address that signatures cover, as an operator may write it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cobranza_sdk import WebhookRejectedError, WebhookRequest
from cobranza_sdk.testing import make_provider
from cobranza_twilio_sms._channel import TwilioSms

TOKEN = "12345678901234567890123456789012"
CALLED = "https://hooks.example.com/twilio/status?ref=msg_1"
BODY = (
    b"MessageSid=SM00000000000000000000000000000001&MessageStatus=delivered&To=%2B525512345678&From=%2B15005550006"
    b"&ErrorCode="
)


def request(url: str = CALLED) -> WebhookRequest:
    """
    A status callback that the vendor's own library signed.
    """
    return WebhookRequest(
        method="POST",
        url=url,
        headers={
            "X-Twilio-Signature": "+mB1mRJ5cGzYkIeWd/SGl0cOwi8=",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        body=BODY,
        received_at=datetime(2026, 8, 5, 17, tzinfo=UTC),
    )


def channel(public_url: str | None) -> TwilioSms:
    """
    A channel with that public address.
    """
    settings = {"account_sid": "AC" + "0" * 32, "auth_token": TOKEN, "from_number": "+15005550006"}
    if public_url is not None:
        settings["public_url"] = public_url
    return make_provider(TwilioSms, settings | {"base_url": "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        (None, CALLED),
        ("https://hooks.example.com", CALLED),
        ("https://hooks.example.com/twilio/status", CALLED),
        ("https://hooks.example.com/twilio/status", "http://10.0.0.1:8080/inner/path?ref=msg_1"),
        ("https://hooks.example.com", "http://10.0.0.1:8080/twilio/status?ref=msg_1"),
    ],
)
def test_the_signature_holds_however_the_public_address_is_written(public_url: str | None, url: str) -> None:
    """
    As a host alone or as the whole callback, behind a proxy or not: what the vendor signed is found.
    """
    assert channel(public_url).verify(request(url)).account == "AC" + "0" * 32


def test_another_host_does_not_hold() -> None:
    """
    Trying several addresses must not make a signature for somebody else's good.
    """
    with pytest.raises(WebhookRejectedError):
        channel("https://other.example.com").verify(request("https://other.example.com/twilio/status?ref=msg_1"))
