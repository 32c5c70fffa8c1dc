"""
The vendor's service on loopback: real HTTP, real signatures, no account. No channel imports it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from cobranza_acme_sms._channel import SIGNATURE, sign
from cobranza_sdk import Address, Clock, Sandbox, SandboxMessage

if TYPE_CHECKING:
    import httpx

_TOKEN = "sandbox-token-1"  # noqa: S105  # opens nothing but this emulator
_WEBHOOK_SECRET = "sandbox-webhook-secret-1"  # noqa: S105  # signs nothing but its webhooks
_POLL_S = 0.01  # how soon it stops: tests start it a hundred times


class AcmeSmsSandbox(Sandbox):
    """
    Acme as far as the channel needs it.
    """

    name: ClassVar[str] = "acme_sms"

    def __init__(self, *, clock: Clock, port: int = 0, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self.messages: list[dict[str, Any]] = []
        self._server: ThreadingHTTPServer | None = None
        self._http: httpx.Client | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """
        Serve on loopback in a background thread; *port* then holds the real one.
        """
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
            self.port = self._server.server_address[1]
            serving = threading.Thread(
                target=self._server.serve_forever, args=(_POLL_S,), daemon=True, name="acme-sms-sandbox"
            )
            serving.start()

    def stop(self) -> None:
        """
        Stop serving. Safe to call twice.
        """
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        http, self._http = self._http, None
        if http is not None:
            http.close()

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the channel reaches this emulator.
        """
        return {
            "base_url": f"http://127.0.0.1:{self.port}",
            "sender": "ACME",
            "token": _TOKEN,
            "webhook_secret": _WEBHOOK_SECRET,
        }

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        Messages taken so far, in order.
        """
        with self._lock:
            return [
                SandboxMessage(
                    provider_message_id=each["id"],
                    to=Address("e164", each["to"]),
                    text=each["text"],
                    template=each.get("template"),
                    attempt_id=each["ref"],
                    at=self.clock.now(),
                )
                for each in self.messages
            ]

    def take(self, form: dict[str, Any]) -> dict[str, Any]:
        """
        Keep a message, or find the one of the same key.
        """
        with self._lock:
            known = next((each for each in self.messages if form["key"] and each["key"] == form["key"]), None)
            if known is None:
                known = {**form, "id": f"msg_{self.port}_{len(self.messages) + 1}"}
                self.messages.append(known)
        return {"id": known["id"], "state": "queued", "price": {"currency": "USD", "parts": [1, 2]}}

    def deliver(self, provider_message_id: str) -> int | None:
        """
        Report the message as delivered.
        """
        return self.report(provider_message_id, "delivered")

    def fail(self, provider_message_id: str) -> int | None:
        """
        Report that the person cannot be reached.
        """
        return self.report(provider_message_id, "failed")

    def reply(self, provider_message_id: str, text: str) -> int | None:
        """
        Let the person answer.
        """
        message = self._message(provider_message_id)
        return self.report(provider_message_id, "reply", text=text, **{"from": message["to"]})

    def report(self, message_id: str, kind: str, **more: str) -> int | None:
        """
        Post one signed webhook; returns the status of the answer.
        """
        import httpx

        if self.webhook_url is None:
            return None
        told = {
            "event": f"{message_id}:{kind}",
            "type": kind,
            "message": message_id,
            "ref": self._message(message_id)["ref"],
            "at": self.clock.now().astimezone(UTC).isoformat(),
            **more,
        }
        body = json.dumps(told).encode()
        headers = {SIGNATURE: sign(_WEBHOOK_SECRET, body), "Content-Type": "application/json"}
        if self._http is None:
            self._http = httpx.Client(trust_env=False)
        return self._http.post(self.webhook_url, content=body, headers=headers).status_code

    def _message(self, message_id: str) -> dict[str, Any]:
        with self._lock:
            return next(each for each in self.messages if each["id"] == message_id)


def _handler(sandbox: AcmeSmsSandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else an answer waits 40 ms for the caller's next packet

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Authorization"] != f"Bearer {_TOKEN}":
                self._answer(401, {"error": "unauthorised"})
            else:
                self._answer(201, sandbox.take(json.loads(body)))

        def do_GET(self) -> None:
            wanted = parse_qs(urlsplit(self.path).query).get("ref", [])
            if self.headers["Authorization"] != f"Bearer {_TOKEN}":
                self._answer(401, {"error": "unauthorised"})
            else:
                self._answer(200, {"messages": [each for each in sandbox.messages if each["ref"] in wanted]})

        def _answer(self, status: int, document: Any) -> None:
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
