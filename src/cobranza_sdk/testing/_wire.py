"""
Between a provider and its vendor's emulator: a wire that fails as it is told, and a place where webhooks arrive.

All of it is real: sockets on loopback, threads, bytes.
"""

from __future__ import annotations

import functools
import json
import logging
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx
from anyio.lowlevel import checkpoint
from attrs import define, field, frozen

from cobranza_sdk.loading import Interlock
from cobranza_sdk.spec import WebhookRequest

_CHUNK = 65_536
_SPEAKS_FIRST_S = 0.2
#: How often a server looks whether it is to end: at the library's half second, most of a run is that wait.
_POLL_S = 0.01


_TRACED: list[list[str]] = []


@functools.cache
def _listen_to_spans() -> None:
    """
    Hear every span that ends in this process. A process has one tracer for good: the host's, or one of ours.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

    class _Ear(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if _TRACED:
                words = json.dumps(json.loads(span.to_json()), ensure_ascii=False)
                for told in _TRACED:
                    told.append(words)

    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(_Ear())


@contextmanager
def overheard() -> Iterator[list[str]]:
    """
    Every line of every logger of the process, as a host that logs at INFO prints it, and every span, as it is exported.
    """
    _listen_to_spans()
    lines: list[str] = []

    class _Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, ear = logging.getLogger(), _Ear(logging.INFO)
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.INFO)
    _TRACED.append(lines)
    try:
        yield lines
    finally:
        _TRACED[:] = [told for told in _TRACED if told is not lines]
        root.removeHandler(ear)
        root.setLevel(before)


_LISTENING: list[set[str]] = []


@functools.cache
def _listen_to_sockets() -> None:
    """
    Hear where this process connects; such a hook stays for good, so there is one.
    """

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if not _LISTENING or event not in ("socket.connect", "socket.getaddrinfo"):
            return
        host = arguments[0] if event == "socket.getaddrinfo" else arguments[1][0]
        if isinstance(host, bytes | str) and host:
            for heard in _LISTENING:
                heard.add(host.decode() if isinstance(host, bytes) else host)

    sys.addaudithook(hear)


@contextmanager
def reached() -> Iterator[set[str]]:
    """
    Every host to which this process connects meanwhile, whatever it speaks.
    """
    _listen_to_sockets()
    heard: set[str] = set()
    _LISTENING.append(heard)
    try:
        yield heard
    finally:
        _LISTENING.remove(heard)


class Relay:
    """
    Carries bytes between a provider and the emulator, and fails as told.

    Args:
        port: Where the emulator listens on 127.0.0.1.

    Attributes:
        port: Where the provider is to connect.
        cut_after: How many pieces of the emulator's answers pass before the connection is cut; None cuts nothing.
        mute: Whether answers are held back until `release`.
        trickles: Whether the emulator's answers pass byte by byte.
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
        self.trickles = False
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
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
                for part in (bytes([byte]) for byte in piece) if self.trickles else (piece,):
                    near.sendall(part)
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


@frozen(kw_only=True)
class Exchange:
    """
    One request and what came back.
    """

    method: str
    url: str
    status: int | None = None
    body: bytes = field(default=b"", repr=False)


class _SlowBody(httpx.AsyncByteStream):
    """
    A body that comes byte by byte, and may never come to its end.
    """

    def __init__(self, body: bytes, *, stalls: bool) -> None:
        self._body, self._stalls = body, stalls

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for place in range(len(self._body) // 2 if self._stalls else len(self._body)):
            await checkpoint()
            yield self._body[place : place + 1]
        if self._stalls:
            msg = "the kit's doing"
            raise httpx.ReadTimeout(msg)


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads every authority from disk: once for all benches


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
        unsent: Raised instead of passing a request on.
        unanswered: Raised after a request has reached the vendor, instead of its answer.
        trickles: Whether bodies of answers pass byte by byte.
        stalls: Whether bodies of answers time out halfway.
        exchanges: What passed.
        hosts: To whom.
    """

    instead: httpx.Response | None = None
    failing: httpx.HTTPError | None = None
    altered: Altered | None = None
    unsent: type[httpx.TransportError] | None = None
    unanswered: type[httpx.TransportError] | None = None
    trickles: bool = False
    stalls: bool = False
    exchanges: list[Exchange] = field(factory=list)
    hosts: set[str] = field(factory=set)
    _inner: httpx.AsyncHTTPTransport = field(factory=lambda: httpx.AsyncHTTPTransport(verify=_tls()), repr=False)

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
        if self.unsent is not None:
            raise self._failed(self.unsent, request)
        response = await self._inner.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        if self.unanswered is not None:
            raise self._failed(self.unanswered, request)
        kept = {name: value for name, value in response.headers.items() if name not in _FRAMING}
        answer = httpx.Response(response.status_code, headers=kept, content=body, request=request)
        altered, self.altered = self.altered, None
        if altered is not None:
            answer = altered(answer)
        self._note(request, answer.status_code, answer.content)
        if self.trickles or self.stalls:
            slow = _SlowBody(answer.content, stalls=self.stalls)
            return httpx.Response(answer.status_code, headers=kept, stream=slow, request=request)
        return answer

    async def aclose(self) -> None:
        """
        Close the connections.
        """
        await self._inner.aclose()

    def _failed(self, error: type[httpx.TransportError], request: httpx.Request) -> httpx.TransportError:
        self.exchanges.append(Exchange(method=request.method, url=str(request.url), body=error.__name__.encode()))
        return error("the kit's doing", request=request)

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
        serving = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), daemon=True, name="conformance-hooks"
        )
        serving.start()

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
