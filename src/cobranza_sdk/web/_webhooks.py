"""
The ASGI application for webhooks: ``/webhooks/<configured name>``. It mounts in Starlette, FastAPI or Django-ASGI.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cobranza_sdk.engine import InboxDesk
from cobranza_sdk.spec import Clock, WebhookRequest

MAX_HEADERS = 64
READ_DEADLINE_S = 5.0


class TooLargeError(Exception):
    """
    The body is longer than is read.
    """


class _OneAtATime:
    """
    Calls a function in a thread; what is asked for meanwhile is one more call after it, so that a slow vendor takes one
    thread and not all.
    """

    def __init__(self) -> None:
        self._running = self._again = False

    async def __call__(self, function: Callable[[], object]) -> None:
        self._again = True
        if self._running:
            return
        self._running = True
        try:
            while self._again:
                self._again = False
                await run_sync(function)
        finally:
            self._running = False


def webhook_application(
    inbox: InboxDesk, clock: Clock, *, public_url: str | None, ask: Callable[[], object] | None = None
) -> Starlette:
    """
    Build the application.

    A request is limited in headers, size and reading time, verified before it is parsed, stored once, and answered when
    it is stored; what it tells is acted on afterwards.

    Args:
        inbox: Takes the requests.
        clock: The time.
        public_url: Address under which vendors reach us: signatures cover it. None uses the request's own.
        ask: Asks vendors for the payments that they announced; called in a thread, never twice at once. None where no
            account has any.
    """
    asking = _OneAtATime()

    async def act() -> None:
        await run_sync(inbox.process)
        if ask is not None:
            await asking(ask)

    async def take(request: Request) -> Response:
        if len(request.headers) > MAX_HEADERS:
            return Response("too many headers", status_code=431)
        name = request.path_params["name"]
        largest = inbox.largest(name)
        if largest is None:
            return Response("no such account", status_code=404)
        try:
            with anyio.fail_after(READ_DEADLINE_S):
                body = await _read(request, largest)
        except TooLargeError:
            return Response("too large", status_code=413)
        except TimeoutError:
            return Response("too slow", status_code=408)
        webhook = _webhook(request, body, clock.now(), public_url)
        answer = await run_sync(inbox.receive, name, webhook)
        after = BackgroundTask(act) if answer.stored else None
        return Response(answer.body, status_code=answer.status, media_type=answer.content_type, background=after)

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/webhooks/{name}", take, methods=["GET", "POST"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


async def _read(request: Request, largest: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > largest:
            raise TooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def _webhook(request: Request, body: bytes, now: datetime, public_url: str | None) -> WebhookRequest:
    # Forwarded headers are not believed: whoever sends them could choose what the signature is checked against.
    address = str(request.url)
    if public_url is not None:
        query = f"?{request.url.query}" if request.url.query else ""
        address = f"{public_url.rstrip('/')}/webhooks/{request.path_params['name']}{query}"
    return WebhookRequest(method=request.method, url=address, headers=dict(request.headers), body=body, received_at=now)
