"""
The HTTP client that providers share. Apart from the other services, so that what needs no network loads no client.
"""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy

import httpx

from cobranza_sdk.spec import Egress

_TIMEOUT = httpx.Timeout(10.0, read=30.0)


class _InterlockTransport(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, egress: Egress) -> None:
        self._inner = inner
        self._egress = egress

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._egress.require(request.url.raw_host.decode("ascii"))  # as connected to, not as shown
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def http_client(egress: Egress, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """
    Build the client that providers share: interlock built in; no redirects, no cookies, no proxies of the environment.
    """
    inner = transport or httpx.AsyncHTTPTransport(retries=0, limits=httpx.Limits(max_connections=64))
    client = httpx.AsyncClient(
        transport=_InterlockTransport(inner, egress), timeout=_TIMEOUT, follow_redirects=False, trust_env=False
    )
    # Accounts share the client: a cookie that one vendor sets must not travel with another account's call.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client
