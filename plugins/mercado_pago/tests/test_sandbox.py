"""
The emulator: what it refuses as the vendor does, and the page that a person sees.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cobranza_mercado_pago._provider import MercadoPago
from cobranza_mercado_pago._sandbox import MercadoPagoSandbox
from cobranza_sdk import InvalidValueError, ProviderError, Sandbox, WebhookRequest
from cobranza_sdk.loading import load_plugins
from cobranza_sdk.testing import FixedClock, make_provider

ITEM = {"title": "t", "quantity": 1, "currency_id": "PEN", "unit_price": 10}


def post(vendor: MercadoPagoSandbox, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    return httpx.post(
        f"{vendor.settings['base_url']}{path}",
        json=body,
        headers={"Authorization": f"Bearer {vendor.settings['access_token']}", **headers},
        trust_env=False,
    )


def test_the_plugin_brings_a_provider_and_its_emulator() -> None:
    """
    Both are found by name once the distribution is installed.
    """
    found = load_plugins(allow=["mercado_pago"])

    assert found.failures == ()
    assert found.provided["payment", "mercado_pago"].item is MercadoPago
    assert issubclass(found.provided["sandbox", "mercado_pago"].item, Sandbox)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "invalid_items"),
        ({"items": [{**ITEM, "currency_id": "USD"}]}, "invalid_items"),
        ({"items": [{**ITEM, "unit_price": 0}]}, "invalid_items"),
        ({"items": [{**ITEM, "unit_price": "10"}]}, "invalid_items"),
        ({"items": [ITEM], "auto_return": "approved"}, "invalid_back_urls"),
        ({"items": [ITEM], "back_urls": {"success": "http://example.com"}}, "invalid_back_urls"),
        ({"items": [ITEM], "expires": True, "expiration_date_to": "2026-09-01"}, "invalid_expiration_date_to"),
    ],
)
def test_it_refuses_what_the_vendor_refuses(vendor: MercadoPagoSandbox, body: dict[str, Any], error: str) -> None:
    """
    A mistake has to show here, not at the first debtor.
    """
    answer = post(vendor, "/checkout/preferences", body)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_centavos_are_refused_where_there_are_none(clock: FixedClock) -> None:
    """
    An account in Chile takes whole pesos.
    """
    with MercadoPagoSandbox(clock=clock, currency="CLP") as vendor:
        whole = post(vendor, "/checkout/preferences", {"items": [{**ITEM, "currency_id": "CLP"}]})
        half = post(vendor, "/checkout/preferences", {"items": [{**ITEM, "currency_id": "CLP", "unit_price": 10.5}]})

    assert (whole.status_code, half.status_code) == (201, 400)


def test_strangers_and_missing_keys_are_refused(vendor: MercadoPagoSandbox) -> None:
    """
    As at the vendor: 401 without the token, 4292 without an idempotency key, 409 for a key with another body.
    """
    made = post(vendor, "/checkout/preferences", {"items": [ITEM], "external_reference": "r"}).json()
    path = f"/v1/payments/{vendor.pay(made['id'])}/refunds"

    answers = [
        post(vendor, path, {}, Authorization="Bearer no"),
        post(vendor, path, {}),
        post(vendor, path, {"amount": 1}, **{"X-Idempotency-Key": "k"}),
        post(vendor, path, {"amount": 2}, **{"X-Idempotency-Key": "k"}),
        post(vendor, "/v1/elsewhere", {}),
    ]

    assert [answer.status_code for answer in answers] == [401, 400, 201, 409, 404]


def test_a_person_pays_at_the_page_and_a_signed_webhook_follows(clock: FixedClock) -> None:
    """
    The whole way can be tried out with a browser; the webhook verifies with the emulator's secret.
    """
    with MercadoPagoSandbox(clock=clock, webhook_url="http://127.0.0.1:9/webhooks/mp") as vendor:
        made = post(vendor, "/checkout/preferences", {"items": [{**ITEM, "title": "<b>"}], "external_reference": "r"})
        page = httpx.get(made.json()["init_point"], trust_env=False)
        paid = httpx.post(made.json()["init_point"], data={"outcome": "pending"}, trust_env=False)
        payment_id = paid.text.split()[1].rstrip(":")
        provider = make_provider(MercadoPago, vendor.settings, clock=clock)
        url, headers, body = vendor.webhook(payment_id)
        request = WebhookRequest(method="POST", url=url, headers=headers, body=body, received_at=clock.now())
        (hint,) = provider.parse(provider.verify(request))

    assert "&lt;b&gt;" in page.text
    assert "pending; webhook answered: None" in paid.text
    assert hint.provider_message_id == payment_id


async def test_a_link_that_was_paid_stays_payable(live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Any) -> None:
    """
    As at the vendor: two payments of one link are two payments.
    """
    link = await live.create_link(**wanted())

    paid = [vendor.pay(link.id), vendor.pay(link.id)]

    assert [event.provider_message_id for event in await live.find_payments("out_01")] == paid[::-1]


async def test_what_is_not_there_cannot_happen(vendor: MercadoPagoSandbox, live: MercadoPago) -> None:
    """
    A slip in a test is told as one.
    """
    for slip in (lambda: vendor.pay("x"), lambda: vendor.approve("x"), lambda: vendor.fail_next("x")):
        with pytest.raises(InvalidValueError):
            slip()
    with pytest.raises(ProviderError):
        await live.cancel_link("1-a")


def test_starting_and_stopping_twice_is_safe(clock: FixedClock) -> None:
    """
    As every emulator: it can be left in any order.
    """
    vendor = MercadoPagoSandbox(clock=clock)
    vendor.start()
    vendor.start()

    assert vendor.announce("1") is None
    assert vendor.received == ()
    vendor.stop()
    vendor.stop()
