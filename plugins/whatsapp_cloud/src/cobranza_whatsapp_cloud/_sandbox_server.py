"""
The emulator's web application, on Starlette.

Imported when an emulator starts and never before: the channel does not need the library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from email.message import Message
from email.parser import BytesHeaderParser

from attrs import field, frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

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


class SandboxApplication:
    """
    The web application of the emulator.

    Args:
        closing: Set when nobody is to be left waiting any longer.
        send: Answers ``POST /<version>/<id>/messages``.
        look: Answers ``GET /<version>/<id>``.
        upload: Answers ``POST /<version>/<id>/media``.
        catalogue: Answers ``GET /<version>/<id>/message_templates``.
    """

    def __init__(
        self,
        closing: asyncio.Event,
        *,
        send: Callable[[Call], Answer],
        look: Callable[[Call], Answer],
        upload: Callable[[Call], Answer],
        catalogue: Callable[[Call], Answer],
    ) -> None:
        self._closing = closing
        routes = [
            Route("/{version}/{number_id}/messages", self._endpoint(send), methods=["POST"]),
            Route("/{version}/{number_id}/media", self._endpoint(upload), methods=["POST"]),
            Route("/{version}/{number_id}/message_templates", self._endpoint(catalogue), methods=["GET"]),
            Route("/{version}/{number_id}", self._endpoint(look), methods=["GET"]),
        ]
        self._starlette = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer one call.
        """
        await self._starlette(scope, receive, send)

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
        # Polled, since the caller's patience ends by itself.
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
