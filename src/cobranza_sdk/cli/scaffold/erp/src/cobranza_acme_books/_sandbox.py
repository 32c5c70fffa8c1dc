"""
The vendor's service on loopback: real HTTP, no account. No ERP imports it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from cobranza_sdk import Clock, Sandbox, SandboxMessage

_TOKEN = "sandbox-token-1"  # noqa: S105  # opens nothing but this emulator
_COMPANY = "C-1"
_PAGE_SIZE = 2
_PEN = {"currency": "PEN"}
#: What stands in the books on the first day. Every name and number is invented.
ROWS: tuple[Mapping[str, Any], ...] = (
    {"kind": "customer", "key": "D-1", "name": "Ana Prueba", "phone": "+51900100001", "country": "PE"},
    {"kind": "invoice", "key": "F-1", "customer": "D-1", "due_on": "2026-08-04", "amount": "100.00", "open": "40.00"}
    | _PEN,
    {"kind": "invoice", "key": "F-2", "customer": "D-1", "due_on": "2026-09-04", "amount": "50.00", "open": "50.00"}
    | _PEN,
    {"kind": "customer", "key": "D-2", "name": "Luis Prueba", "phone": "", "country": ""},
    {"kind": "invoice", "key": "F-3", "customer": "D-2", "due_on": "2026-07-04", "amount": "75.50", "open": "75.50"}
    | _PEN,
    {"kind": "payment", "key": "P-1", "customer": "D-1", "invoice": "F-1", "amount": "60.00"}
    | {"paid_at": "2026-08-01T10:00:00-05:00"}
    | _PEN,
)


class AcmeBooksSandbox(Sandbox):
    """
    Acme as far as the ERP needs it: rows in the order in which they changed.
    """

    name: ClassVar[str] = "acme_books"

    def __init__(self, *, clock: Clock, port: int = 0, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self.rows: list[Mapping[str, Any]] = list(ROWS)
        self.results: list[Mapping[str, Any]] = []
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """
        Serve on loopback in a background thread; *port* then holds the real one.
        """
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """
        Stop serving. Safe to call twice.
        """
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the ERP reaches this emulator.
        """
        return {
            "base_url": f"http://127.0.0.1:{self.port}",
            "company": _COMPANY,
            "country": "PE",
            "token": _TOKEN,
        }

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        Nothing: books take no messages. See `results`.
        """
        return ()

    def asked(self, path: str, after: int) -> tuple[int, Any]:
        """
        Answer a question.
        """
        if path == "/company":
            return 200, {"company": _COMPANY}
        if path != "/changes":
            return 404, {"error": "not found"}
        end = min(after + _PAGE_SIZE, len(self.rows))
        return 200, {"rows": self.rows[after:end], "last": end, "more": end < len(self.rows)}

    def posted(self, path: str, form: Mapping[str, Any]) -> tuple[int, Any]:
        """
        Take results; one that was taken before is not taken again.
        """
        if path != "/results":
            return 404, {"error": "not found"}
        self.results += [each for each in form["results"] if each not in self.results]
        return 200, {"taken": len(self.results)}


def _handler(sandbox: AcmeBooksSandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(lambda: sandbox.posted(self.path, json.loads(body)))

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            after = int(parse_qs(parts.query).get("after", ["0"])[0])
            self._answer(lambda: sandbox.asked(parts.path, after))

        def _answer(self, act: Any) -> None:
            is_known = self.headers["Authorization"] == f"Bearer {_TOKEN}"
            status, document = act() if is_known else (401, {"error": "unauthorised"})
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server names it so
            """
            Say nothing.
            """

    return Handler
