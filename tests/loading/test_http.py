"""
The HTTP client that all accounts share.
"""

from __future__ import annotations

import httpx
import pytest

from cobranza_sdk.loading import Interlock, http_client


@pytest.mark.anyio
async def test_a_cookie_of_one_vendor_does_not_travel_with_the_next_call() -> None:
    """
    Two accounts at one vendor share the client: a session of the first must not be the second's.
    """

    def vendor(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"set-cookie": "session=first"}, text=request.headers.get("cookie", "none"))

    async with http_client(Interlock(live=False), transport=httpx.MockTransport(vendor)) as client:
        answers = [(await client.get("http://127.0.0.1/")).text for _ in range(2)]

    assert answers == ["none", "none"]


@pytest.mark.anyio
async def test_the_query_of_an_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """
    Law 10: the library logs what it has called, and a vendor's search takes the person's number in its query.
    """
    other = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    ours = http_client(Interlock(live=False), transport=httpx.MockTransport(lambda _: httpx.Response(200)))

    with caplog.at_level("INFO", logger="httpx"):
        async with ours, other:
            await ours.get("http://127.0.0.1/messages", params={"To": "+51900100001"})
            await other.get("http://127.0.0.1/theirs", params={"page": "2"})

    assert "51900100001" not in caplog.text
    assert "GET http://127.0.0.1/messages " in caplog.text
    assert "GET http://127.0.0.1/theirs?page=2 " in caplog.text
