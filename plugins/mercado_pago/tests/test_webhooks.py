"""
Webhooks: what is signed, what is not, and that a hint is all that comes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_mercado_pago._provider import MercadoPago
from cobranza_mercado_pago._webhooks import manifest, sign
from cobranza_sdk import EventKind, WebhookRejectedError, WebhookRequest
from cobranza_sdk.testing import make_provider

SECRET = "mp_webhook_secret_test"
REQUEST = "bb56a2f1-6aae-46ac-982e-9dcd3581d08e"
#: What the vendor's own library computes for these.
SIGNED = datetime.fromisoformat("2025-03-20T21:20:38.683+00:00")
EXAMPLE = "4efce5f1350e134a4f4481c8d40c013f14f3a4db1f72bf73417baf5736fdd8a8"
ORDER = "aa0bbaba66530ceea3718174e9b00e16cdd0cd918d02eed6265def1bebea878b"
NO_ID = "6aecfd9045ecdf2395bddf20e2ac32c82d9a7fee039cae3fa62dd09c15121ed7"


def request(
    query: str = "data.id=123456&type=payment",
    *,
    digest: str = EXAMPLE,
    ts: str = "1742505638683",
    request_id: str | None = REQUEST,
    at: datetime = SIGNED,
    body: bytes = b"{}",
    signature: str | None = None,
) -> WebhookRequest:
    headers = {"x-signature": f"ts={ts},v1={digest}" if signature is None else signature}
    if request_id is not None:
        headers["x-request-id"] = request_id
    return WebhookRequest(
        method="POST",
        url=f"https://hooks.example.com/webhooks/mp?{query}",
        headers=headers,
        body=body,
        received_at=at,
    )


@pytest.mark.parametrize(
    "given_request",
    [
        request(),
        request(signature=f" v1={EXAMPLE} , ts=1742505638683"),
        request(digest=EXAMPLE.upper()),
        request("type=payment&data.id=123456"),
        request("data%2Eid=123456"),
        request("data.id=ORD01JQS", digest=ORDER, request_id="req-1"),
        request("data.id=ord01jqs", digest=ORDER, request_id="req-1"),
        request("type=payment", digest=NO_ID, request_id="req-1"),
    ],
)
def test_what_the_vendors_own_library_signs_is_accepted(
    build: Callable[..., MercadoPago], given_request: WebhookRequest
) -> None:
    """
    Order and blanks of the header are free, and ids are signed as received or in small letters.
    """
    assert build().verify(given_request).scheme == "hmac-sha256"


@pytest.mark.parametrize(
    "given_request",
    [
        request("data.id=123457&type=payment"),
        request(request_id="other"),
        request(request_id=None),
        request(ts="1742505638684"),
        request(digest="0" * 64),
        request(digest=EXAMPLE[:-1]),
        request(signature=""),
        request(signature="ts=1742505638683"),
        request(signature=f"v1={EXAMPLE}"),
        request(signature=f"ts=1742505638683,v1={EXAMPLE},v1={'0' * 64}"),
        request(signature=f"ts=1742505638683,ts=1,v1={EXAMPLE}"),
        request("data.id=123456&data.id=7"),
        request("data.id=1;ts:2"),
        request(request_id="a;ts:1"),
        request("topic=payment&id=123456"),
    ],
)
def test_what_is_not_signed_is_refused(build: Callable[..., MercadoPago], given_request: WebhookRequest) -> None:
    """
    Whoever knows the address could otherwise make us ask for any payment.
    """
    with pytest.raises(WebhookRejectedError):
        build().verify(given_request)


def test_without_a_secret_nothing_is_accepted(build: Callable[..., MercadoPago]) -> None:
    """
    An account that forgot its secret trusts nobody.
    """
    with pytest.raises(WebhookRejectedError):
        build(webhook_secret=None).verify(request())


def test_while_a_secret_is_rotated_both_verify(build: Callable[..., MercadoPago]) -> None:
    """
    The vendor signs with the new one at once, and repeats what it signed with the old one.
    """
    provider = build(webhook_secret=["mp_webhook_secret_new", SECRET])
    fresh = sign("mp_webhook_secret_new", manifest("123456", REQUEST, "1742505638683"))

    assert provider.verify(request()).signed == provider.verify(request(digest=fresh)).signed


@pytest.mark.parametrize("ts", ["1742505638", "1742505638683"])
def test_the_time_is_read_in_seconds_and_in_milliseconds(build: Callable[..., MercadoPago], ts: str) -> None:
    """
    The vendor's documents show one and its library checks the other.
    """
    digest = sign(SECRET, manifest("123456", REQUEST, ts))

    (hint,) = build().parse(build().verify(request(ts=ts, digest=digest)))

    assert SIGNED - hint.occurred_at < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("away", "accepted"),
    [
        (timedelta(0), True),
        (timedelta(days=19), True),
        (timedelta(days=21), False),
        (-timedelta(minutes=9), True),
        (-timedelta(minutes=11), False),
    ],
)
def test_a_repetition_of_two_weeks_is_taken_and_an_older_one_is_not(
    build: Callable[..., MercadoPago], away: timedelta, accepted: bool
) -> None:
    """
    The vendor repeats for a fortnight, perhaps with the first signature.
    """
    try:
        build().verify(request(at=SIGNED + away))
    except WebhookRejectedError:
        assert not accepted
    else:
        assert accepted


@pytest.mark.parametrize("body", [b"", b'{"data":{"id":"999"},"status":"approved","transaction_amount":1}', b"\xff"])
def test_the_body_says_nothing(build: Callable[..., MercadoPago], body: bytes) -> None:
    """
    It is not signed: a valid signature that somebody saw could come with any.
    """
    provider = build()

    (hint,) = provider.parse(provider.verify(request(body=body)))

    assert (hint.kind, hint.provider_message_id) == (EventKind.UNKNOWN, "123456")
    assert (hint.money, hint.refunded, hint.reference, hint.text) == (None, None, None, None)


def test_a_repetition_is_the_same_event_and_news_are_another(build: Callable[..., MercadoPago]) -> None:
    """
    Created and updated name the same payment; each has to be looked at.
    """
    provider = build()
    later = sign(SECRET, manifest("123456", "req-2", "1742505638999"))

    (first,) = provider.parse(provider.verify(request()))
    (again,) = provider.parse(provider.verify(request(body=b"other")))
    (news,) = provider.parse(provider.verify(request(digest=later, request_id="req-2", ts="1742505638999")))

    assert first.key == again.key != news.key


@pytest.mark.parametrize(
    "given_request",
    [
        request("data.id=ORD01JQS", digest=ORDER, request_id="req-1"),
        request("type=payment", digest=NO_ID, request_id="req-1"),
    ],
)
def test_what_is_no_payment_is_nothing_to_report(
    build: Callable[..., MercadoPago], given_request: WebhookRequest
) -> None:
    """
    Orders and tests of the address are answered and forgotten.
    """
    assert build().parse(build().verify(given_request)) == ()


def test_a_secret_that_cannot_be_read_refuses(build: Callable[..., MercadoPago]) -> None:
    """
    The host's own function may raise anything; its words may hold the secret.
    """

    def broken() -> str:
        msg = "canary-4242"
        raise RuntimeError(msg)

    with pytest.raises(WebhookRejectedError) as caught:
        build(webhook_secret=[broken]).verify(request())

    assert "canary" not in str(caught.value)


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["x-signature", "x-request-id"]), st.text()))
def test_no_request_breaks_the_check(query: str, path: str, headers: dict[str, str]) -> None:
    """
    Whatever is sent, the answer is a refusal.
    """
    provider = _provider()
    given_request = WebhookRequest(
        method="POST", url=f"https://h.example.com/{path}?{query}", headers=headers, body=b"", received_at=SIGNED
    )

    with pytest.raises(WebhookRejectedError):
        provider.verify(given_request)


def _provider() -> MercadoPago:
    settings: dict[str, Any] = {"access_token": "t", "collector_id": "1", "webhook_secret": SECRET}
    return make_provider(MercadoPago, {**settings, "base_url": "http://127.0.0.1:9"})


@pytest.mark.parametrize("ts", ["", "12345678", "1" * 15, "9" * 5000, "1742505638683x"])
def test_a_time_that_no_clock_shows_is_refused_also_where_it_is_signed(ts: str) -> None:
    """
    The million hostile inputs found it: a long number is no date, and must not end in another error.
    """
    provider = make_provider(MercadoPago, {"access_token": "t", "collector_id": "1", "webhook_secret": SECRET})
    envelope = request().verified(account="1", scheme="test", signed=manifest("123456", REQUEST, ts).encode())

    with pytest.raises(WebhookRejectedError, match="no manifest"):
        provider.parse(envelope)
