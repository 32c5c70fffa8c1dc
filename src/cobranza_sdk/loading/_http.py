"""
The HTTP client that providers share. Apart from the other services, so that what needs no network loads no client.
"""

from __future__ import annotations

import functools
import logging
import ssl
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy

import httpx

from cobranza_sdk.spec import Egress

_TIMEOUT = httpx.Timeout(10.0, read=30.0)
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


class _InterlockTransport(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, egress: Egress) -> None:
        self._inner = inner
        self._egress = egress

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._egress.require(request.url.raw_host.decode("ascii"))  # as connected to, not as shown
        _CALLED.set(request.url)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@functools.cache
def _authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)  # 23 ms to read: once, and not with every run


def http_client(egress: Egress, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """
    Build the client that providers share: interlock built in; no redirects, no cookies, no proxies of the environment.
    """
    inner = transport or httpx.AsyncHTTPTransport(
        verify=_authorities(), retries=0, limits=httpx.Limits(max_connections=64)
    )
    client = httpx.AsyncClient(
        transport=_InterlockTransport(inner, egress), timeout=_TIMEOUT, follow_redirects=False, trust_env=False
    )
    # Accounts share the client: a cookie that one vendor sets must not travel with another account's call.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    logging.getLogger("httpx").addFilter(_FILTER)
    return client
