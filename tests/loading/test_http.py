"""
The HTTP client that all accounts share.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from cobranza_sdk.loading import Interlock, http_client
from cobranza_sdk.loading._http import MAX_ANSWER


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


class Stream(httpx.AsyncByteStream):
    """
    A body in parts; counts what was taken of it.
    """

    def __init__(self, part: bytes, times: int) -> None:
        self.part, self.times, self.taken, self.closed = part, times, 0, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.times):
            self.taken += 1
            yield self.part

    async def aclose(self) -> None:
        self.closed = True


async def fetch(answer: httpx.Response) -> httpx.Response:
    """
    One call whose answer is given.
    """
    transport = httpx.MockTransport(lambda _request: answer)
    async with http_client(Interlock(live=False), transport=transport) as client:
        return await client.get("http://127.0.0.1/")


@pytest.mark.anyio
async def test_f33_an_endless_answer_is_not_read_to_its_end() -> None:
    """
    F33: 50 MB of body would be 50 MB of memory per call; what became of the message is then unknown.
    """
    body = Stream(b"x" * 65_536, 800)

    with pytest.raises(httpx.RemoteProtocolError, match="longer than"):
        await fetch(httpx.Response(200, stream=body))

    assert body.taken == MAX_ANSWER // 65_536 + 1
    assert body.closed


@pytest.mark.anyio
async def test_f33_an_answer_of_just_that_length_is_read() -> None:
    """
    The limit is no cliff for what is at it.
    """
    body = Stream(b"x" * (MAX_ANSWER // 4), 4)

    assert len((await fetch(httpx.Response(200, stream=body))).content) == MAX_ANSWER


@pytest.mark.anyio
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-unknown"])
async def test_f33_a_compressed_answer_is_not_unpacked(coding: str) -> None:
    """
    F33: 50 kB of gzip are 50 MB of zeros. Nobody asked for it.
    """
    packed = Stream(gzip.compress(b"\0" * 5_000_000), 1)

    with pytest.raises(httpx.RemoteProtocolError, match="compressed"):
        await fetch(httpx.Response(200, headers={"content-encoding": coding}, stream=packed))

    assert packed.taken == 0
    assert packed.closed


@pytest.mark.anyio
async def test_compression_is_not_asked_for() -> None:
    """
    A vendor that keeps to HTTP answers plainly.
    """
    asked: list[str] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(200)

    async with http_client(Interlock(live=False), transport=httpx.MockTransport(vendor)) as client:
        await client.get("http://127.0.0.1/")

    assert asked == ["identity"]
