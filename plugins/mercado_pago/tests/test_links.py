"""
Links over real HTTP, and the exchanges that only a vendor's bad day shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from cobranza_mercado_pago._provider import MercadoPago
from cobranza_mercado_pago._sandbox import MercadoPagoSandbox
from cobranza_sdk import ConfigurationError, Disposition, InvalidValueError, Money, ProviderError, Transmitted
from cobranza_sdk.testing import FixedClock

Wanted = Callable[..., dict[str, Any]]


async def test_a_link_asks_for_the_exact_amount_and_carries_our_reference(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Wanted, clock: FixedClock
) -> None:
    """
    What the debtor sees is what is owed, to the céntimo, and it stops working.
    """
    link = await live.create_link(**wanted())

    (preference,) = vendor.preferences
    assert (link.id, link.url) == (preference["id"], preference["init_point"])
    assert (link.amount, link.reference) == (Money.of("100.50", "PEN"), "out_01")
    assert preference["items"][0]["unit_price"] == Decimal("100.50")
    assert link.expires_at == clock.now() + timedelta(days=30)


async def test_nothing_about_the_payer_is_handed_over(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Wanted
) -> None:
    """
    The vendor learns whom it concerns from the payer, not from us.
    """
    await live.create_link(**wanted())

    assert set(vendor.preferences[0]) & {"payer", "metadata", "notification_url"} == set()


async def test_an_amount_is_a_number_with_all_its_digits(
    build: Callable[..., MercadoPago], api: respx.MockRouter, wanted: Wanted
) -> None:
    """
    A float would round beyond 2 ** 53, and a text is refused by the vendor.
    """
    route = api.post("/checkout/preferences").mock(return_value=httpx.Response(500))

    with pytest.raises(ProviderError):
        await build().create_link(**wanted(amount="90071992547409.93"))

    assert b'"unit_price":90071992547409.93' in route.calls[0].request.content


@pytest.mark.parametrize(("amount", "currency"), [("1500", "CLP"), ("1500", "COP")])
async def test_a_currency_without_decimals_is_asked_for_without(
    build: Callable[..., MercadoPago], api: respx.MockRouter, wanted: Wanted, amount: str, currency: str
) -> None:
    """
    The vendor refuses 1500.00 where nobody pays centavos.
    """
    route = api.post("/checkout/preferences").mock(return_value=httpx.Response(500))

    with pytest.raises(ProviderError):
        await build().create_link(**wanted(amount, currency))

    assert b'"unit_price":1500}' in route.calls[0].request.content


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money.of("1500.50", "COP")},
        {"amount": Money.of("10", "USD")},
        {"amount": Money(0, "PEN")},
        {"amount": Money(-1, "PEN")},
        {"reference": ""},
        {"reference": "r" * 257},
        {"reference": "a\nb"},
    ],
)
async def test_what_the_vendor_cannot_take_is_refused_before_any_call(
    build: Callable[..., MercadoPago], wanted: Wanted, changes: dict[str, Any]
) -> None:
    """
    A rounded debt, a foreign currency or an unusable reference must not become a link.
    """
    with pytest.raises(ProviderError) as caught:
        await build().create_link(**wanted(**changes) if "amount" not in changes else {**wanted(), **changes})

    assert (caught.value.category, caught.value.transmitted) == ("validation", "no")


async def test_an_end_in_the_past_is_refused(
    build: Callable[..., MercadoPago], wanted: Wanted, clock: FixedClock
) -> None:
    """
    A link that never worked would be sent to somebody who wants to pay.
    """
    with pytest.raises(ProviderError, match="expires_at"):
        await build().create_link(**wanted(expires_at=clock.now()))


async def test_settings_of_the_checkout_are_handed_over(
    vendor: MercadoPagoSandbox, live: MercadoPago, clock: FixedClock, wanted: Wanted, build: Callable[..., MercadoPago]
) -> None:
    """
    Cash may be left out, and the payer led back to the creditor's page.
    """
    choosy = build(
        http=live.services.http,
        **vendor.settings,
        success_url="https://tienda.example.com/ok",
        excluded_payment_types=["ticket"],
        max_installments=1,
    )

    await choosy.create_link(**wanted(description="  Saldo \n de   julio "))

    (preference,) = vendor.preferences
    assert preference["back_urls"] == {"success": "https://tienda.example.com/ok"}
    assert preference["payment_methods"] == {"excluded_payment_types": [{"id": "ticket"}], "installments": 1}
    assert preference["items"][0]["title"] == "Saldo de julio"


@pytest.mark.parametrize(
    ("fault", "disposition", "transmitted"),
    [
        ("rate_limit", "retry", "no"),
        ("locked", "retry", "no"),
        ("server_error", "never", "maybe"),
        ("taken_but_server_error", "never", "maybe"),
        ("hang", "never", "maybe"),
        ("bad_json", "never", "maybe"),
    ],
)
async def test_a_link_whose_answer_is_lost_is_not_repeated_blindly(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Wanted, fault: str, disposition: str, transmitted: str
) -> None:
    """
    The vendor does not promise to honour the key: a second link could be paid a second time.
    """
    vendor.fail_next(fault)

    with pytest.raises(ProviderError) as caught:
        await live.create_link(**wanted())

    assert (caught.value.disposition, caught.value.transmitted) == (disposition, transmitted)
    found = await live.find_links("out_01")
    assert len(found) == (fault in ("taken_but_server_error", "hang", "bad_json"))
    assert all(link.amount == Money.of("100.50", "PEN") for link in found)


async def test_nobody_listening_means_no_link(build: Callable[..., MercadoPago], wanted: Wanted) -> None:
    """
    A connection that was never made may be tried again.
    """
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(ProviderError) as caught:
            await build(http=http).create_link(**wanted())

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == ("network", "retry", "no")


@pytest.mark.parametrize(
    "change",
    [
        {"external_reference": "out_02"},
        {"items": [{"unit_price": 1, "currency_id": "PEN", "quantity": 1}]},
        {"items": [{"unit_price": 100.5, "currency_id": "PEN", "quantity": 2}]},
        {"items": [{"unit_price": 100.5, "currency_id": "USD", "quantity": 1}]},
        {"items": []},
        {"id": "../users"},
        {"id": None},
        {"init_point": None},
        {"init_point": "javascript:alert(1)"},
        {"init_point": "https://pay.example.com/a b"},
        {"init_point": "http://pay.example.com/1-a"},
        {"init_point": "https://ana:word@pay.example.com/1-a"},
    ],
)
async def test_an_answer_that_is_not_the_link_asked_for_is_no_link(
    build: Callable[..., MercadoPago], api: respx.MockRouter, wanted: Wanted, change: dict[str, Any]
) -> None:
    """
    A debtor must not be sent to an address that asks for another amount, or for somebody else's debt.
    """
    body = {
        "id": "1-a",
        "init_point": "https://pay.example.com/1-a",
        "external_reference": "out_01",
        "items": [{"unit_price": 100.5, "currency_id": "PEN", "quantity": 1}],
    }
    api.post("/checkout/preferences").mock(return_value=httpx.Response(201, json={**body, **change}))

    with pytest.raises(ProviderError) as caught:
        await build().create_link(**wanted())

    assert (caught.value.category, caught.value.transmitted) == ("protocol", "maybe")


async def test_a_withdrawn_link_cannot_be_paid_and_is_not_found(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Wanted
) -> None:
    """
    Who settled otherwise must not pay once more by an old message.
    """
    link = await live.create_link(**wanted())

    await live.cancel_link(link.id)

    with pytest.raises(InvalidValueError, match="the link has ended"):
        vendor.pay(link.id)
    assert await live.find_links("out_01") == ()


async def test_a_search_reads_every_page_and_claims_nothing_it_has_not_read(
    build: Callable[..., MercadoPago], api: respx.MockRouter
) -> None:
    """
    What stands on a page that was not read might be the link asked for.
    """
    api.get("/checkout/preferences/search").mock(
        return_value=httpx.Response(200, json={"elements": [{"id": "1-a"}] * 50, "total": 5000})
    )

    with pytest.raises(ProviderError) as caught:
        await build().find_links("out_01")

    assert (caught.value.category, caught.value.disposition) == ("protocol", "retry")
    assert len(api.calls) == 10


@pytest.mark.parametrize("link_id", ["../../users/me", "", "1-a?x=1"])
async def test_an_id_that_leads_elsewhere_is_refused(build: Callable[..., MercadoPago], link_id: str) -> None:
    """
    An id becomes part of an address.
    """
    with pytest.raises(ProviderError) as caught:
        await build().cancel_link(link_id)

    assert caught.value.transmitted is Transmitted.NO


async def test_neither_token_nor_answer_shows_in_an_error(
    build: Callable[..., MercadoPago], api: respx.MockRouter, wanted: Wanted
) -> None:
    """
    Law 10: the vendor's words may quote a person, and the token is nobody's business.
    """
    words = {"message": "Ana Prueba ana@example.com", "error": "Ana Prueba", "cause": [{"code": "Ana Prueba"}]}
    api.post("/checkout/preferences").mock(return_value=httpx.Response(400, text=json.dumps(words)))
    provider = build()

    with pytest.raises(ProviderError) as caught:
        await provider.create_link(**wanted())

    shown = f"{caught.value} {caught.value!r} {provider.settings!r}"
    assert "Ana" not in shown
    assert "canary-4242" not in shown
    assert caught.value.disposition is Disposition.NEVER


async def test_a_token_that_cannot_be_read_is_a_setting_to_fix(
    build: Callable[..., MercadoPago], wanted: Wanted
) -> None:
    """
    The host's own function may raise anything; its words may hold the token.
    """

    def broken() -> str:
        msg = "canary-4242"
        raise RuntimeError(msg)

    with pytest.raises(ProviderError) as caught:
        await build(access_token=broken).create_link(**wanted())

    assert (caught.value.category, caught.value.disposition) == ("config", "fix_first")
    assert "canary" not in str(caught.value)


async def test_doctor_learns_whose_token_it_is(
    live: MercadoPago, vendor: MercadoPagoSandbox, build: Callable[..., MercadoPago]
) -> None:
    """
    With another seller's token the money would go to a stranger.
    """
    other = build(http=live.services.http, **{**vendor.settings, "collector_id": "1"})
    wrong = build(http=live.services.http, **{**vendor.settings, "access_token": "APP_USR-x"})

    assert (await live.check()).detail == "credentials work, site MPE"
    assert not (await other.check()).ok
    assert (await wrong.check()).detail == "auth (code invalid_access_token): fix_first, transmitted: maybe"


@pytest.mark.parametrize(
    "change",
    [
        {"collector_id": "724 484"},
        {"base_url": "http://api.example.com"},
        {"base_url": "https://api.example.com/v1"},
        {"base_url": "https://user@api.example.com"},
        {"success_url": "http://tienda.example.com"},
        {"failure_url": "https://tienda.example.com/no"},
        {"excluded_payment_types": ["Ticket!"]},
        {"link_days": 0},
        {"webhook_days": 366},
    ],
)
def test_settings_that_do_not_fit_are_refused(build: Callable[..., MercadoPago], change: dict[str, Any]) -> None:
    """
    A slip is told when the account is built, not when somebody wants to pay.
    """
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        build(**change)
