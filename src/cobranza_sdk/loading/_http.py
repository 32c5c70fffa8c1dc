"""
The HTTP client that providers share. Apart from the other services, so that what needs no network loads no client.
"""

from __future__ import annotations

import functools
import logging
import ssl
from collections.abc import AsyncIterator
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy

import httpx

from cobranza_sdk.spec import Egress

_TIMEOUT = httpx.Timeout(10.0, read=30.0)
#: Longest answer of a vendor that is read, in bytes.
MAX_ANSWER = 1024 * 1024
_CALLED: ContextVar[httpx.URL | None] = ContextVar("called", default=None)


class _WithoutQuery(logging.Filter):
    """
    The library logs every address it has called. A query of ours may hold a person's number (law 10): it is left out.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        called = _CALLED.get()
        if called is not None and isinstance(record.args, tuple):
            record.args = tuple(called.copy_with(query=None) if each is called else each for each in record.args)
        return True


_FILTER = _WithoutQuery()


class _LimitedStream(httpx.AsyncByteStream):
    """
    A body that ends with an error where it is longer than any answer has to be.
    """

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for part in self._inner:
            seen += len(part)
            if seen > MAX_ANSWER:
                msg = f"the answer is longer than {MAX_ANSWER} bytes"
                raise httpx.RemoteProtocolError(msg)
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


class _InterlockTransport(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, egress: Egress) -> None:
        self._inner = inner
        self._egress = egress

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._egress.require(request.url.raw_host.decode("ascii"))  # as connected to, not as shown
        _CALLED.set(request.url)
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "") not in ("", "identity"):  # a few bytes may unpack to a gigabyte
            await response.aclose()
            msg = "the answer is compressed, which was not asked for"
            raise httpx.RemoteProtocolError(msg, request=request)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _LimitedStream(response.stream)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


@functools.cache
def _authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)  # 23 ms to read: once, and not with every run


def http_client(egress: Egress, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """
    Build the client that providers share.

    The interlock is built in. No redirects, no cookies, no proxies of the environment, no compression, and no answer
    longer than `MAX_ANSWER`.
    """
    inner = transport or httpx.AsyncHTTPTransport(
        verify=_authorities(), retries=0, limits=httpx.Limits(max_connections=64)
    )
    client = httpx.AsyncClient(
        transport=_InterlockTransport(inner, egress),
        timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
    )
    # Accounts share the client: a cookie that one vendor sets must not travel with another account's call.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    logging.getLogger("httpx").addFilter(_FILTER)
    return client
