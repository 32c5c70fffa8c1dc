"""
Law 13: nothing real by accident. With ``live = false`` every host but loopback is refused before any byte.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import LiveInterlockError, ProviderError
from cobranza_sdk.loading import Interlock, http_client

pytestmark = pytest.mark.anyio

#: Spellings that are loopback for certain, whoever reads them.
SAFE = ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "127.255.255.254", "::1", "[::1]", "0:0:0:0:0:0:0:1"]

#: Everything else, also what some resolver would lead to loopback.
REFUSED = [
    "api.twilio.com",
    "example.com",
    "localhost.",
    "localhost..",
    ".localhost",
    "a.localhost",
    "localhost.evil.com",
    "localhost.localdomain",
    "127.0.0.1.evil.com",
    "127.0.0.1.",
    "127.1",
    "127.000.000.001",
    "0177.0.0.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "::ffff:127.0.0.1",
    "[::ffff:127.0.0.1]",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "0.0.0.0",  # noqa: S104  # refused
    "::",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "fe80::1",
    "[[::1]]",
    "[127.0.0.1",
    " localhost",
    "localhost\n",
    "localhost\0.evil.com",
    "\u217cocalhost",
    "\uff11\uff12\uff17.0.0.1",
    "",
    "*",
]


class Wire(httpx.AsyncBaseTransport):
    """
    What would have left the machine.
    """

    def __init__(self, *answers: httpx.Response) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = list(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else httpx.Response(200)


@pytest.fixture
def anyio_backend() -> str:
    """
    What httpx is used with here.
    """
    return "asyncio"


@pytest.mark.parametrize("host", SAFE)
def test_loopback_is_permitted(host: str) -> None:
    """
    Law 13: the vendors' emulators live there.
    """
    Interlock(live=False).require(host)


@pytest.mark.parametrize("host", REFUSED)
def test_all_else_is_refused_with_a_way_out(host: str) -> None:
    """
    Law 13: what a resolver might read otherwise is refused as well: the decision is made by spelling alone.
    """
    with pytest.raises(LiveInterlockError, match="live = false") as caught:
        Interlock(live=False).require(host)

    assert "live = true" in str(caught.value.hint)
    Interlock(live=True).require(host)


@given(st.ip_addresses())
def test_an_address_is_loopback_by_the_standard_alone(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """
    Law 13: 127.0.0.0/8 and ::1, and nothing else in two address spaces.
    """
    loopback = address in ipaddress.ip_network("127.0.0.0/8") or address == ipaddress.ip_address("::1")

    try:
        Interlock(live=False).require(str(address))
    except LiveInterlockError:
        assert not loopback
    else:
        assert loopback


@pytest.mark.parametrize(
    "url",
    [
        "https://api.twilio.com/2010-04-01/Accounts",
        "http://localhost@evil.com/",
        "http://localhost:80@evil.com/",
        "http://127.0.0.1:8080@evil.com/",
        "http://user:127.0.0.1@evil.com/",
        "http://evil.com#@localhost/",
        "http://evil.com?@localhost/",
        "http://evil.com/@localhost",
        "http://localhost\\@evil.com/",
        "http://localhost%2eevil.com/",
        "http://localhost%00.evil.com/",
        "http://localhost./",
        "http://[::ffff:127.0.0.1]/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://127.1/",
        "http://localhost.evil.com/",
        "https://169.254.169.254/latest/meta-data",
    ],
)
async def test_no_byte_leaves_for_another_host(url: str) -> None:
    """
    Law 13: a trick in the address of a vendor reaches no wire.
    """
    wire = Wire()
    async with http_client(Interlock(live=False), transport=wire) as client:
        with pytest.raises((LiveInterlockError, httpx.InvalidURL)):
            await client.post(url, json={"to": "+51987654321"})

    assert wire.requests == []


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/a", "http://127.0.0.1/", "http://[::1]:9/", "http://u:p@LocalHost/"]
)
async def test_the_emulator_is_reached(url: str) -> None:
    """
    Law 13 must not stand in the way of development.
    """
    wire = Wire()
    async with http_client(Interlock(live=False), transport=wire) as client:
        assert (await client.get(url)).status_code == 200

    assert len(wire.requests) == 1


async def test_a_redirect_is_not_followed() -> None:
    """
    Law 13: an emulator, or whoever answers in its place, cannot send the credentials on.
    """
    wire = Wire(httpx.Response(307, headers={"Location": "https://evil.com/"}))
    async with http_client(Interlock(live=False), transport=wire) as client:
        response = await client.post("http://localhost/", headers={"Authorization": "Bearer t"})

    assert (response.status_code, len(wire.requests)) == (307, 1)


async def test_a_redirect_that_a_plugin_asks_for_is_refused() -> None:
    """
    Law 13: the interlock stands below everything a provider can ask of the client.
    """
    wire = Wire(httpx.Response(302, headers={"Location": "https://evil.com/"}))
    async with http_client(Interlock(live=False), transport=wire) as client:
        with pytest.raises(LiveInterlockError):
            await client.get("http://localhost/", follow_redirects=True)

    assert [str(request.url) for request in wire.requests] == ["http://localhost/"]


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Law 13: through a proxy even loopback would be somebody else's machine.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.evil.com:3128")
    wire = Wire()
    async with http_client(Interlock(live=False), transport=wire) as client:
        await client.get("http://localhost/")
        assert client.trust_env is False

    assert [request.url.host for request in wire.requests] == ["localhost"]


async def test_credentials_of_a_netrc_are_not_added(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """
    Law 10: the operator's own logins are none of a vendor's business.
    """
    (tmp_path / "netrc").write_text("machine localhost login me password secret\n", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wire = Wire()
    async with http_client(Interlock(live=False), transport=wire) as client:
        await client.get("http://localhost/")

    assert "authorization" not in wire.requests[0].headers


async def test_the_real_client_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Law 13: refused before a name is looked up, for a look-up already tells somebody.
    """
    asked: list[Any] = []

    def spy(*given: Any, **_: Any) -> Any:
        asked.append(given)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    monkeypatch.setattr(socket.socket, "connect", spy)
    async with http_client(Interlock(live=False)) as client:
        with pytest.raises(LiveInterlockError):
            await client.get("https://api.twilio.com/")

    assert asked == []


async def test_a_refusal_is_no_answer_of_a_vendor() -> None:
    """
    Law 3: nothing left, so nothing is retried as a network failure or counted as unknown.
    """
    assert not issubclass(LiveInterlockError, (httpx.HTTPError, ProviderError, OSError))


async def test_live_reaches_what_it_is_told() -> None:
    """
    Law 13: one switch, and it works.
    """
    wire = Wire()
    async with http_client(Interlock(live=True), transport=wire) as client:
        await client.get("https://api.twilio.com/")

    assert wire.requests[0].url.host == "api.twilio.com"
