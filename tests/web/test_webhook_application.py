"""
The ASGI application, called for real: limits first, then verification, then parsing; stored before answered.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from cobranza_sdk import Cobranza, Event, EventKind, WebhookRequest
from cobranza_sdk.web import _webhooks

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """
    One event loop is enough.
    """
    return "asyncio"


def client(application: Any) -> httpx.AsyncClient:
    """
    An HTTP client that calls the application itself.
    """
    return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://testserver")


GOOD = {"X-Signature": "good"}


async def test_a_signed_webhook_is_stored_once_and_acted_on(
    house: Cobranza, debtor: Any, receivable: Any, box: Any
) -> None:
    """
    S-055: the vendor sends the same receipt again; one event is kept and the attempt moves once.
    """
    house.portfolio.put(debtor(), receivable())
    await house.aplan()
    await house.adispatch()

    async with client(house.webhooks) as http:
        answers = [
            await http.post("/webhooks/sms", content=b"delivered|k1|fake_sms-1|", headers=GOOD) for _ in range(3)
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [line["state"] for line in house.attempts.list()] == ["delivered"]
    assert len(list(house.events(kinds=["attempt.delivered"]))) == 1


@pytest.mark.parametrize("headers", [{}, {"X-Signature": "bad"}], ids=["unsigned", "forged"])
async def test_law_9_without_a_signature_nothing_is_stored(house: Cobranza, headers: dict[str, str]) -> None:
    """
    Law 9: 403, no event, and the answer tells the sender nothing.
    """
    async with client(house.webhooks) as http:
        answer = await http.post("/webhooks/sms", content=b"opt_out|k1|x|BAJA", headers=headers)

    assert (answer.status_code, answer.text) == (403, "refused")
    assert house.tenant.inbox.pending() == []


async def test_a_signed_body_that_cannot_be_read_is_400(house: Cobranza) -> None:
    """
    A parser that fails harms only its own request.
    """
    async with client(house.webhooks) as http:
        assert (await http.post("/webhooks/sms", content=b"rubbish", headers=GOOD)).status_code == 400
        assert (await http.post("/webhooks/sms", content=b"delivered|k|m|", headers=GOOD)).status_code == 200


async def test_an_unknown_account_is_404(house: Cobranza) -> None:
    """
    An address that nobody configured.
    """
    async with client(house.webhooks) as http:
        assert (await http.post("/webhooks/nobody", content=b"x", headers=GOOD)).status_code == 404


async def test_a_body_that_is_too_large_is_refused_before_it_is_read_to_its_end(house: Cobranza) -> None:
    """
    S-05: a megabyte is the limit where a plugin declares no other, whatever the length header says.
    """
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b"x" * 64 * 1024

    async with client(house.webhooks) as http:
        answer = await http.post("/webhooks/sms", content=endless(), headers=GOOD)

    assert answer.status_code == 413
    assert len(read) < 30
    assert house.tenant.inbox.pending() == []


async def test_a_channel_that_declares_larger_webhooks_gets_them(make_house: Any) -> None:
    """
    A vendor that sends a thousand reports at once must not be refused, for it gives up and the opt-outs are lost.
    """
    house = make_house(channels={"chat": {"provider": "fake_chat"}})
    body = b"inbound_message|k1||" + b"x" * 3 * 1024 * 1024

    async with client(house.webhooks) as http:
        answer = await http.post("/webhooks/chat", content=body, headers=GOOD)
        larger = await http.post("/webhooks/chat", content=body + body, headers=GOOD)

    assert (answer.status_code, larger.status_code) == (200, 413)


async def test_too_many_headers_are_refused(house: Cobranza) -> None:
    """
    S-05: sixty-four are enough for any vendor.
    """
    async with client(house.webhooks) as http:
        many = {f"x-{number}": "1" for number in range(80)}
        assert (await http.post("/webhooks/sms", content=b"", headers=many)).status_code == 431


async def test_a_body_that_does_not_come_is_given_up(house: Cobranza, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    S-05: a slow sender holds no place for ever.
    """
    import anyio

    monkeypatch.setattr(_webhooks, "READ_DEADLINE_S", 0.01)
    answers: list[int] = []

    async def receive() -> dict[str, Any]:
        await anyio.sleep_forever()
        return {}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    scope = {
        "type": "http", "method": "POST", "path": "/webhooks/sms", "raw_path": b"/webhooks/sms", "query_string": b"",
        "headers": [], "scheme": "http", "server": ("testserver", 80), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await house.webhooks(scope, receive, send)

    assert answers == [408]


async def test_the_public_address_is_what_signatures_cover(make_house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    F51: behind a proxy the configured address counts; forwarded headers are not believed.
    """
    house = make_house(web={"public_url": "https://hooks.example.com/"})
    seen: list[WebhookRequest] = []
    provider = house.accounts.channels["sms"].provider
    monkeypatch.setattr(type(provider), "challenge", lambda _self, request: seen.append(request) or "ok")

    async with client(house.webhooks) as http:
        await http.get("/webhooks/sms?a=1&b=%20", headers={"X-Forwarded-Host": "evil.example.com"})

    assert seen[0].url == "https://hooks.example.com/webhooks/sms?a=1&b=%20"


async def test_the_application_mounts_below_another_one(house: Cobranza) -> None:
    """
    An embedding developer mounts it in an application of their own.
    """
    outer = Starlette(routes=[Mount("/collections", app=house.webhooks)])

    async with client(outer) as http:
        answer = await http.post("/collections/webhooks/sms", content=b"delivered|k1|none|", headers=GOOD)
        assert answer.status_code == 200
        assert (await http.get("/collections/health")).json() == {"status": "ok"}


async def test_a_report_of_an_account_that_is_not_ours_is_quarantined(house: Cobranza) -> None:
    """
    An event whose vendor account maps to no configured one is kept apart, never guessed.
    """
    event = Event(kind=EventKind.OPT_OUT, key="k", occurred_at=house.clock.now(), account="somebody else", text="BAJA")
    house.tenant.inbox.store("sms", [event], house.clock.now())

    assert house.process_inbox() == {"quarantined": 1}
    assert house.process_inbox() == {}


async def test_a_slow_vendor_is_asked_by_one_thread_and_once_more_for_all_that_came_meanwhile() -> None:
    """
    Ten webhooks of payments must not take the ten threads that answers need.
    """
    one_at_a_time, may_end, calls = _webhooks._OneAtATime(), threading.Event(), []

    def ask() -> None:
        calls.append(threading.current_thread())
        assert may_end.wait(20)

    async with anyio.create_task_group() as group:
        group.start_soon(one_at_a_time, ask)
        while not calls:
            await anyio.lowlevel.checkpoint()
        for _ in range(9):
            await one_at_a_time(ask)
        may_end.set()

    assert len(calls) == 2


async def test_a_vendor_that_fails_is_asked_again_by_the_next_webhook() -> None:
    """
    One error must not end the asking for good.
    """
    one_at_a_time, calls = _webhooks._OneAtATime(), []

    def ask() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await one_at_a_time(ask)
    await one_at_a_time(ask)

    assert len(calls) == 2
