"""
Between a provider and its vendor's emulator: a wire that fails as it is told, and a place where webhooks arrive.

All of it is real: sockets on loopback, threads, bytes.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx
from attrs import define, field, frozen

from cobranza_sdk.loading import Interlock
from cobranza_sdk.spec import WebhookRequest

_CHUNK = 65_536
_SPEAKS_FIRST_S = 0.2
#: How often the catcher of webhooks looks whether it is to end.
_LOOK_S = 0.01


class Relay:
    """
    Carries bytes between a provider and the emulator, and fails as told.

    Args:
        port: Where the emulator listens on 127.0.0.1.

    Attributes:
        port: Where the provider is to connect.
        cut_after: How many pieces of the emulator's answers pass before the connection is cut; None cuts nothing.
        mute: Whether answers are held back until `release`.
        greeting: Bytes with which every connection is answered and closed, instead of reaching the emulator.
        was_cut: Whether a connection was cut.
        connections: How many the provider has made.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_after: int | None = None
        self.mute = False
        self.greeting: bytes | None = None
        self.was_cut = False
        self.connections = 0
        self._released = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True, name="conformance-relay").start()

    def release(self) -> None:
        """
        Let through what is held back.
        """
        self._released.set()

    def close(self) -> None:
        """
        Refuse connections from now on, and end those that are open.
        """
        self.release()
        _end(self._listener)  # a thread waits in it: closing alone would let one more in
        for each in self._open:
            _end(each)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(near)
            self.connections += 1
            if self.greeting is not None:
                near.settimeout(_SPEAKS_FIRST_S)  # some protocols wait for the server's word
                with suppress(OSError):
                    near.recv(_CHUNK)
                with suppress(OSError):
                    near.sendall(self.greeting)
                _end(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                _end(near)
                continue
            self._open.append(far)
            threading.Thread(target=self._forth, args=(near, far), daemon=True, name="conformance-forth").start()
            threading.Thread(target=self._back, args=(near, far), daemon=True, name="conformance-back").start()

    def _forth(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while piece := near.recv(_CHUNK):
                far.sendall(piece)
        _end(far)

    def _back(self, near: socket.socket, far: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while piece := far.recv(_CHUNK):
                if self.mute:
                    self._released.wait()
                if self.cut_after is not None and passed >= self.cut_after:
                    self.was_cut = True
                    break
                near.sendall(piece)
                passed += 1
        _end(near)
        _end(far)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def through(settings: Mapping[str, Any], port: int, relay: Relay) -> dict[str, Any]:
    """
    The emulator's settings with the relay's port in the place of its own.
    """
    changed = {name: _moved(value, port, relay.port) for name, value in settings.items()}
    if changed == dict(settings):
        msg = f"no setting of the emulator names its port {port}: the kit cannot stand between"
        raise AssertionError(msg)
    return changed


def _moved(value: Any, old: int, new: int) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return new if value == old else value
    return value.replace(f":{old}", f":{new}") if isinstance(value, str) else value


#: Lists that are told of every connection, while somebody looks.
_LOOKING: list[list[Any]] = []
_HOOKED = threading.Event()


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        for reached in _LOOKING:
            reached.append(arguments[1])


@contextmanager
def connecting() -> Iterator[list[Any]]:
    """
    The addresses to which this process opens connections meanwhile, whichever library does it.
    """
    if not _HOOKED.is_set():  # the interpreter keeps such a hook for ever
        _HOOKED.set()
        sys.addaudithook(_heard)
    reached: list[Any] = []
    _LOOKING.append(reached)
    try:
        yield reached
    finally:
        _LOOKING[:] = [each for each in _LOOKING if each is not reached]


@frozen(kw_only=True)
class Exchange:
    """
    One request and what came back.
    """

    method: str
    url: str
    status: int | None = None
    body: bytes = field(default=b"", repr=False)


#: Makes another answer out of the vendor's.
Altered = Callable[[httpx.Response], httpx.Response]


@define
class Wire(httpx.AsyncBaseTransport):
    """
    The transport of the HTTP client that providers get: it notes what passes, and answers as told.

    Attributes:
        instead: Answer of the next request, which then does not reach the vendor.
        failing: Raised by the next request, which then does not reach the vendor.
        altered: Changes the vendor's next answer.
        exchanges: What passed.
        hosts: To whom.
    """

    instead: httpx.Response | None = None
    failing: httpx.HTTPError | None = None
    altered: Altered | None = None
    exchanges: list[Exchange] = field(factory=list)
    hosts: set[str] = field(factory=set)
    _inner: httpx.AsyncHTTPTransport = field(factory=httpx.AsyncHTTPTransport, repr=False)

    @property
    def is_armed(self) -> bool:
        """
        Whether an answer is prepared that no request has met.
        """
        return self.instead is not None or self.failing is not None or self.altered is not None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Pass one request on, or answer it.
        """
        self.hosts.add(request.url.host)
        Interlock(live=False).require(request.url.host)
        failing, self.failing = self.failing, None
        if failing is not None:
            raise failing
        instead, self.instead = self.instead, None
        if instead is not None:
            await request.aread()
            self._note(request, instead.status_code, instead.content)
            return instead
        response = await self._inner.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        kept = {name: value for name, value in response.headers.items() if name not in _FRAMING}
        answer = httpx.Response(response.status_code, headers=kept, content=body, request=request)
        altered, self.altered = self.altered, None
        if altered is not None:
            answer = altered(answer)
        self._note(request, answer.status_code, answer.content)
        return answer

    async def aclose(self) -> None:
        """
        Close the connections.
        """
        await self._inner.aclose()

    def _note(self, request: httpx.Request, status: int, body: bytes) -> None:
        self.exchanges.append(Exchange(method=request.method, url=str(request.url), status=status, body=body))


_FRAMING = ("content-length", "content-encoding", "transfer-encoding")


class Hooks:
    """
    Where an emulator's webhooks arrive: raw, as they were posted.

    Args:
        now: Tells when they came in.

    Attributes:
        url: Where to post them.
        requests: What came in.
    """

    def __init__(self, now: Callable[[], Any]) -> None:
        self.requests: list[WebhookRequest] = []
        self._now = now
        hooks = self

        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server names it so
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                hooks.requests.append(
                    WebhookRequest(
                        method="POST",
                        url=f"{hooks.base}{self.path}",
                        headers=dict(self.headers.items()),
                        body=body,
                        received_at=hooks._now(),
                    )
                )
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
                """
                Say nothing.
                """

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.base}/webhooks/conformance"
        threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_S,), daemon=True, name="conformance-hooks"
        ).start()

    def take(self) -> list[WebhookRequest]:
        """
        What came in since the last look.
        """
        taken, self.requests = self.requests, []
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
