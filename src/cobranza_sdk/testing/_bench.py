"""
What the kits for channels and for payment providers share: a provider, its vendor's emulator and what stands between
them; requests that are forged, and answers that are damaged.
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, NoReturn, TypeVar

import anyio
import httpx
from attrs import define, evolve, field

from cobranza_sdk.loading import FixedClock, Interlock, http_client
from cobranza_sdk.spec import Event, ProviderError, Sandbox, Secret, WebhookRejectedError, WebhookRequest
from cobranza_sdk.testing._conformance import fail
from cobranza_sdk.testing._providers import make_provider
from cobranza_sdk.testing._wire import Hooks, Relay, Wire, through

T = TypeVar("T")
S = TypeVar("S", bound=Sandbox)

_PATIENCE_S = 10.0
#: Values that have no place where another type is expected.
WRONG: tuple[Any, ...] = (None, 0, True, [], {}, {"id": 1}, ["x"], "")
#: Bodies that no vendor sends.
RUBBISH = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"0",
    b'"x"',
    b"\xff\xfe\x00",
    b'{"a":',
    b"[" * 2000,
    b'{"entry":[{"changes":5}]}',
)
#: What a peer says that refuses to speak TLS.
TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
#: First words of what is no vendor.
GREETINGS = (b"SSH-2.0-x\r\n", TLS_ALERT, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot js")


@define
class Lines:
    """
    A logger that keeps what it is told.
    """

    lines: list[str] = field(factory=list)

    def debug(self, event: str, **fields: Any) -> None:
        self.lines.append(f"{event} {fields}")

    info = warning = error = debug


@define
class Workbench(Generic[S]):
    """
    A provider, its vendor's emulator, and what stands between them.
    """

    cls: Any
    sandbox: S
    hooks: Hooks
    clock: FixedClock
    relay: Relay | None = None
    log: Lines = field(factory=Lines)
    wire: Wire = field(factory=Wire)
    count: int = 0

    @property
    def between(self) -> Relay:
        """
        What stands between them.
        """
        if self.relay is None:
            fail("nothing stands between the provider and the emulator", "a bench that is relayed")
        return self.relay

    def settings(self) -> dict[str, Any]:
        """
        What the provider is configured with.
        """
        told = {**self.sandbox.settings, **self.cls.settings}
        return told if self.relay is None else through(told, self.sandbox.port, self.relay)

    def secured(self) -> dict[str, str]:
        """
        Those of them that are addresses of the emulator, as https.
        """
        return {
            name: value.replace("http://127", "https://127")
            for name, value in self.settings().items()
            if isinstance(value, str) and value.startswith("http://127")
        }

    def secrets(self) -> dict[str, str]:
        """
        Those of them that are secret, as plain text.
        """
        hints = typing.get_type_hints(self.cls.provider.config)
        return {
            name: value
            for name, value in self.settings().items()
            if isinstance(value, str) and value and Secret.__name__ in str(hints.get(name))
        }

    @asynccontextmanager
    async def provider(self, **changes: Any) -> typing.AsyncIterator[Any]:
        """
        The provider, built as the core builds it, for one event loop.
        """
        self.wire = Wire()
        async with http_client(Interlock(live=False), transport=self.wire) as http:
            http.timeout = httpx.Timeout(_PATIENCE_S)
            made: Any = make_provider(
                self.cls.provider,
                {**self.settings(), **changes},
                clock=self.clock,
                http=http,
                webhook_url=self.hooks.url,
                logger=self.log,
            )
            try:
                yield made
            finally:
                await made.aclose()

    def shown(self) -> list[str]:
        """
        What passed over HTTP, a line each.
        """
        return [
            f"{each.method} {each.url} -> {each.status} {each.body[:200].decode(errors='replace')}"
            for each in self.wire.exchanges
        ]

    def fail(self, found: str, expected: str) -> NoReturn:
        """
        End the check, with the exchange that shows it.
        """
        fail(found, expected, self.shown())

    def run(self, work: Callable[[Any], Awaitable[T]], **changes: Any) -> T:
        """
        Do something with a provider in an event loop of its own.
        """

        async def main() -> T:
            async with self.provider(**changes) as provider:
                return await work(provider)

        return anyio.run(main)

    def hold_check(self) -> bool:
        """
        Fail unless the provider is well with the emulator's own settings; returns whether it looks at anything.
        """
        health = self.run(lambda provider: provider.check())
        if not health.ok:
            self.fail(f"{health} with the emulator's own settings", "ok")
        return bool(health.detail != "nothing to check")

    def hold_check_while_nobody_answers(self) -> None:
        """
        Fail if the provider is well although the emulator is out of reach.
        """
        self.between.close()

        async def ask(provider: Any) -> bool:
            try:
                return bool((await provider.check()).ok)
            except ProviderError:
                return False

        if self.run(ask):
            self.fail("ok, while nobody can be reached", "not ok, or a ProviderError")

    def events(self, requests: Sequence[WebhookRequest], **changes: Any) -> list[Event]:
        """
        What the provider reads out of webhooks.
        """

        async def read(provider: Any) -> list[Event]:
            return [event for request in requests for event in provider.parse(provider.verify(request))]

        return self.run(read, **changes)

    def outcome(self, request: WebhookRequest, **changes: Any) -> list[Event] | None:
        """
        The events that are believed, or None where the request is rejected.
        """
        try:
            return self.events([request], **changes)
        except WebhookRejectedError:
            return None
        except Exception as error:  # noqa: BLE001  # whatever a plugin raises
            name = type(error).__name__
            self.fail(f"verify or parse raised {name}", "WebhookRejectedError for what is not proven or cannot be read")


def other_secrets(secrets: dict[str, str]) -> dict[str, str]:
    """
    Secrets of the same length that are not these.
    """
    return {name: f"{value[:-1]}{'A' if value[-1] != 'A' else 'B'}" for name, value in secrets.items()}


def beginning(share: float, body: bytes) -> bytes:
    """
    The first part of a body; 1 stands for one byte.
    """
    return body[: int(len(body) * share) if share < 1 else 1]


def forgeries(request: WebhookRequest) -> Iterator[tuple[str, WebhookRequest]]:
    """
    The request with one thing changed: a byte of the body, a header, the address.
    """
    body = request.body
    for place in sorted({0, len(body) // 3, len(body) // 2, len(body) - 1}) if body else ():
        yield f"byte {place} changed", evolve(request, body=body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
    yield "a byte more", evolve(request, body=body + b" ")
    for name in request.headers:
        others = {key: value for key, value in request.headers.items() if key != name}
        yield f"no header {name}", evolve(request, headers=others)
        value = request.headers[name]
        if value:
            swapped = value[:-1] + ("0" if value[-1] != "0" else "1")
            yield f"another {name}", evolve(request, headers={**others, name: swapped})
            yield f"an empty {name}", evolve(request, headers={**others, name: ""})
            yield f"a strange {name}", evolve(request, headers={**others, name: "sha256=é"})
    yield "another path", evolve(request, url=request.url.replace("/webhooks/", "/webhooks/x"))
    if "?" in request.url:
        yield "another query", evolve(request, url=request.url[:-1] + ("0" if request.url[-1] != "0" else "1"))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """
    Where a document's plain values stand, and its lists and tables.
    """
    if path:
        yield path
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from leaves(member, (*path, index))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    """
    What stands there.
    """
    for step in path:
        document = document[step]
    return document


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """
    The document, changed in place, with *value* there.
    """
    at(document, path[:-1])[path[-1]] = value
    return document
