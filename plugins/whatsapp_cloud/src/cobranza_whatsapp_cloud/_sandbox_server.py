"""
The emulator's web server: Starlette on uvicorn, in a thread, on loopback.

Imported when an emulator starts and never before: the channel needs neither library.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from email.message import Message
from email.parser import BytesHeaderParser

import uvicorn
from attrs import field, frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_START_S = 10.0
_HANG_STEP_S = 0.01


@frozen(kw_only=True)
class Call:
    """
    A call of the API.

    Attributes:
        number_id: The id in the path: of the phone number or of the business account.
        authorization: The header of that name, or blank.
        body: Raw bytes; of a form, the file's.
        form: Fields of a form, without the file.
        content_type: The file's MIME type, or blank.
        query: Fields of the query.
    """

    number_id: str
    authorization: str
    body: bytes
    form: Mapping[str, str] = field(factory=dict)
    content_type: str = ""
    query: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Answer:
    """
    What to answer.

    Attributes:
        status: HTTP status code, or None to leave the caller waiting.
        body: JSON, or what pretends to be.
    """

    status: int | None
    body: bytes = b""


class SandboxServer:
    """
    Serve from the constructor's return until `close`.

    Args:
        port: On 127.0.0.1, 0 for a free one.
        send: Answers ``POST /<version>/<id>/messages``.
        look: Answers ``GET /<version>/<id>``.
        upload: Answers ``POST /<version>/<id>/media``.
        catalogue: Answers ``GET /<version>/<id>/message_templates``.
    """

    def __init__(
        self,
        port: int,
        *,
        send: Callable[[Call], Answer],
        look: Callable[[Call], Answer],
        upload: Callable[[Call], Answer],
        catalogue: Callable[[Call], Answer],
    ) -> None:
        self._closing = threading.Event()
        routes = [
            Route("/{version}/{number_id}/messages", self._endpoint(send), methods=["POST"]),
            Route("/{version}/{number_id}/media", self._endpoint(upload), methods=["POST"]),
            Route("/{version}/{number_id}/message_templates", self._endpoint(catalogue), methods=["GET"]),
            Route("/{version}/{number_id}", self._endpoint(look), methods=["GET"]),
        ]
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # else an answer, which is written in two pieces, waits 40 ms for the caller's next packet
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            raise
        self.port: int = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                Starlette(routes=routes),
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._run, args=(listener,), name="whatsapp-sandbox", daemon=True)
        self._thread.start()
        self._server.ready.wait(_START_S)
        if not self._server.started:
            self.close()
            msg = "the emulator's web server did not start"
            raise RuntimeError(msg)

    def close(self) -> None:
        """
        Stop serving and wait for the thread to end.
        """
        self._closing.set()
        self._server.should_exit = True
        self._thread.join()

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        finally:
            self._server.ready.set()
            listener.close()

    def _endpoint(self, answer_to: Callable[[Call], Answer]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            body, form, content_type = await _parts(request)
            answer = answer_to(
                Call(
                    number_id=request.path_params["number_id"],
                    authorization=request.headers.get("Authorization", ""),
                    body=body,
                    form=form,
                    content_type=content_type,
                    query=dict(request.query_params),
                )
            )
            if answer.status is None:
                await self._hang(request)
            return Response(answer.body, status_code=answer.status or 503, media_type="application/json")

        return endpoint

    async def _hang(self, request: Request) -> None:
        # Polled, since the caller's patience and the end of this server come from different threads.
        while not self._closing.is_set() and not await request.is_disconnected():  # noqa: ASYNC110  # see above
            await asyncio.sleep(_HANG_STEP_S)


async def _parts(request: Request) -> tuple[bytes, dict[str, str], str]:
    """
    The body and, of a form, its fields and the file's MIME type. Read here: the extra has no parser of forms.
    """
    body, kind = await request.body(), request.headers.get("Content-Type", "")
    if not kind.startswith("multipart/form-data"):
        return body, {}, ""
    boundary = str(_head(b"Content-Type: " + kind.encode("latin-1")).get_boundary(""))
    form: dict[str, str] = {}
    content, content_type = b"", ""
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, _, held = part.partition(b"\r\n\r\n")
        said = _head(head.strip())
        if said.get_filename() is None:
            form[str(said.get_param("name", "", header="Content-Disposition"))] = held.decode("utf-8", "replace")
        else:
            content, content_type = held, said.get_content_type()
    return content, form, content_type


def _head(lines: bytes) -> Message:
    return BytesHeaderParser().parsebytes(lines)


class _Server(uvicorn.Server):
    """
    A server that tells another thread when it accepts connections.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """
        Start, and say so.
        """
        await super().startup(sockets=sockets)
        self.ready.set()
