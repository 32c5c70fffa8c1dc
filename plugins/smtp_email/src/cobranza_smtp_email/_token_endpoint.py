"""
A token endpoint on loopback HTTP (RFC 6749), for the emulator: it gives out access tokens and knows which still hold.
"""

from __future__ import annotations

import hmac
import json
import threading
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from attrs import define, field

from cobranza_sdk import Clock

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_MAX_FORM = 65_536


@define(eq=False)
class TokenEndpoint:
    """
    What a vendor's identity service does, as far as a mail account needs it.

    Attributes:
        clock: The time by which tokens end.
        client_id: The one registered application.
        client_secret: Its secret.
        refresh_token: What a mailbox's owner consented to.
        lifetime: How long a token holds.
        rotates: Whether each answer brings another refresh token, and the one before ends.
        forms: What was asked, in order.
        faults: Statuses with which the next requests are refused instead.
    """

    clock: Clock
    client_id: str = "sandbox-client"
    client_secret: str = field(default="sandbox-client-secret", repr=False)
    refresh_token: str = field(default="sandbox-refresh-token", repr=False)
    lifetime: timedelta = timedelta(hours=1)
    rotates: bool = False
    forms: list[dict[str, str]] = field(factory=list, repr=False)
    faults: list[int] = field(factory=list)
    _tokens: dict[str, datetime] = field(factory=dict, init=False, repr=False)
    _server: ThreadingHTTPServer | None = field(default=None, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False, repr=False)

    def start(self) -> str:
        """
        Serve on a free port, unless it does; returns the address.
        """
        if self._server is None:
            from http.server import ThreadingHTTPServer

            self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
            self._thread = threading.Thread(
                target=self._server.serve_forever, args=(0.01,), name="smtp_email-tokens", daemon=True
            )
            self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def stop(self) -> None:
        """
        Stop serving. Safe to call twice.
        """
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            server.server_close()
            self._thread.join()

    def knows(self, token: str) -> bool:
        """
        Whether *token* was given out and still holds.
        """
        return self._tokens.get(token, self.clock.now()) > self.clock.now()

    def revoke(self) -> None:
        """
        End every token before its time, as a changed password does.
        """
        self._tokens.clear()

    def answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """
        Status and body for a request.
        """
        self.forms.append(form)
        if self.faults:
            return self.faults.pop(0), {}
        own = _same(form.get("client_id"), self.client_id) and _same(form.get("client_secret"), self.client_secret)
        if not own:
            return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
        grant = form.get("grant_type")
        if grant not in {"refresh_token", "client_credentials"}:
            return HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"}
        if grant == "refresh_token" and not _same(form.get("refresh_token"), self.refresh_token):
            return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
        token = f"sandbox-access-token-{len(self.forms)}"
        self._tokens[token] = self.clock.now() + self.lifetime
        told = {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime.total_seconds())}
        if grant == "refresh_token" and self.rotates:
            self.refresh_token = told["refresh_token"] = f"sandbox-refresh-token-{len(self.forms)}"
        return HTTPStatus.OK, told


def _same(given: str | None, known: str) -> bool:
    return hmac.compare_digest((given or "").encode(), known.encode())


def _handler(endpoint: TokenEndpoint) -> type[BaseHTTPRequestHandler]:
    from http.server import BaseHTTPRequestHandler

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), _MAX_FORM)
            fields = parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
            status, told = endpoint.answer({name: values[0] for name, values in fields.items()})
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
            """
            Say nothing: forms hold secrets.
            """

    return Handler
