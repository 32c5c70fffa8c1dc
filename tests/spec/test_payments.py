"""
What a payment provider that declares little answers.
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from attrs import frozen

from cobranza_sdk import Event, PaymentCapabilities, PaymentLink, PaymentProvider, UnsupportedCapabilityError
from cobranza_sdk.testing import make_provider


@frozen
class NoSettings:
    """
    A provider that needs nothing.
    """


class Till(PaymentProvider):
    """
    Makes links and looks payments up; nothing else.
    """

    name = "till"
    config = NoSettings
    capabilities = PaymentCapabilities(currencies=["PEN"])

    async def create_link(self, **asked: Any) -> PaymentLink:
        raise NotImplementedError

    async def fetch(self, payment_id: str) -> Event:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("method", "arguments", "capability"),
    [
        ("cancel_link", {"link_id": "L-1"}, "cancel"),
        ("refund", {"payment_id": "P-1", "idempotency_key": "k"}, "refund"),
        ("find_payments", {"reference": "R-1"}, "search"),
        ("find_links", {"reference": "R-1"}, "search"),
    ],
)
def test_what_is_not_declared_is_refused_before_any_call(
    method: str, arguments: dict[str, Any], capability: str
) -> None:
    """
    The caller learns at once that this vendor cannot do it, and nobody is asked.
    """
    till = make_provider(Till, {})

    with pytest.raises(UnsupportedCapabilityError, match=f"till does not declare {capability}"):
        anyio.run(lambda: getattr(till, method)(**arguments))
