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
