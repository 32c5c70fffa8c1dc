"""
The vendor's service on loopback: real HTTP, real signatures, no account. No provider imports it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from cobranza_acme_pay._webhooks import SIGNATURE, signature
from cobranza_sdk import Clock, InvalidValueError, Money, PaymentSandbox, SandboxLink

_TOKEN = "sandbox-token-1"  # noqa: S105  # opens nothing but this emulator
_WEBHOOK_SECRET = "sandbox-webhook-secret-1"  # noqa: S105  # signs nothing but its webhooks
_MERCHANT = "M-1"
#: What becomes of an attempt to pay, in the vendor's words.
_STATUSES = {"approved": "paid", "pending": "waiting", "rejected": "refused"}
_Answer = tuple[int, Any]


class AcmePaySandbox(PaymentSandbox):
    """
    Acme as far as the provider needs it.
    """

    name: ClassVar[str] = "acme_pay"

    def __init__(
        self, *, clock: Clock, port: int = 0, webhook_url: str | None = None, currency: str | None = None
    ) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url, currency=currency)
        self.made: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: set[str] = set()
        self._events = 0
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.RLock()

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
        Settings with which the provider reaches this emulator.
        """
        return {
            "base_url": f"http://127.0.0.1:{self.port}",
            "merchant": _MERCHANT,
            "token": _TOKEN,
            "webhook_secret": _WEBHOOK_SECRET,
        }

    @property
    def links(self) -> Sequence[SandboxLink]:
        """
        Links made so far, in order, as they stand now.
        """
        with self._lock:
            return [
                SandboxLink(
                    id=each["id"],
                    url=each["url"],
                    amount=Money.of(each["amount"], each["currency"]),
                    reference=each["reference"],
                    description=each["description"],
                    expires_at=_end(each),
                    is_open=self._is_open(each),
                )
                for each in self.made.values()
            ]

    def _is_open(self, link: Mapping[str, Any]) -> bool:
        ends_at = _end(link)
        return bool(link["open"]) and (ends_at is None or ends_at > self.clock.now())

    # -- what payers and banks do ----------------------------------------------------------------------------------

    def pay(self, link_id: str, outcome: str = "approved") -> str | None:
        """
        Let somebody pay at a link. One that was paid stays payable.
        """
        with self._lock:
            link = self.made.get(link_id)
            if link is None or not self._is_open(link):
                msg = "there is no such link, or it has ended"
                raise InvalidValueError(msg)
            if outcome not in _STATUSES:
                return None
            payment_id = f"pay_{self.port}_{len(self.payments) + 1}"
            told = {name: link[name] for name in ("amount", "currency", "reference")}
            status, at = _STATUSES[outcome], self.clock.now().astimezone(UTC).isoformat()
            self.payments[payment_id] = {**told, "id": payment_id, "status": status, "refunded": "0", "at": at}
        return payment_id

    def give_back(self, payment_id: str, amount: Money | None = None) -> bool:
        """
        Refund a payment, or a part of it, as the merchant does in the panel.
        """
        with self._lock:
            payment = self.payments[payment_id]
            whole, back = (Money.of(payment[name], payment["currency"]) for name in ("amount", "refunded"))
            minor = whole.minor if amount is None else back.minor + amount.minor
            total = Money(minor, whole.currency).amount
            payment.update(status="refunded", refunded=format(total, "f"), at=self.clock.now().isoformat())
        return True

    def charge_back(self, payment_id: str) -> bool:
        """
        Let the payer's bank take it back.
        """
        with self._lock:
            payment = self.payments[payment_id]
            payment.update(status="charged_back", refunded=payment["amount"], at=self.clock.now().isoformat())
        return True

    def announce(self, *payment_ids: str) -> int | None:
        """
        Post one signed webhook that names the payments; returns the status of the answer.
        """
        import httpx

        if self.webhook_url is None:
            return None
        with self._lock:
            self._events += 1
            event = f"evt_{self._events}"
        now = self.clock.now().astimezone(UTC)
        told = {"event": event, "type": "payments", "at": now.isoformat(), "payments": list(payment_ids)}
        body = json.dumps(told).encode()
        headers = {SIGNATURE: signature(_WEBHOOK_SECRET, now, body), "Content-Type": "application/json"}
        return httpx.post(self.webhook_url, content=body, headers=headers, trust_env=False).status_code

    # -- what the service does -------------------------------------------------------------------------------------

    def posted(self, path: Sequence[str], form: Mapping[str, Any]) -> _Answer:
        """
        Do what a call asks.
        """
        with self._lock:
            match path:
                case ["links"]:
                    return self._make(form)
                case ["links", link_id, "cancel"] if link_id in self.made:
                    self.made[link_id]["open"] = False
                    return 200, self.made[link_id]
                case ["payments", payment_id, "refunds"] if payment_id in self.payments:
                    return self._refund(payment_id, form)
            return 404, {"error": "not found"}

    def _make(self, form: Mapping[str, Any]) -> _Answer:
        """
        A link, or the one of the same key.
        """
        same = (each for each in self.made.values() if form["key"] and each["key"] == form["key"])
        link = next(same, None)
        if link is None:
            link_id = f"link_{self.port}_{len(self.made) + 1}"
            url = f"http://127.0.0.1:{self.port}/pay/{link_id}"
            link = self.made[link_id] = {**form, "id": link_id, "url": url, "open": True}
        return 201, link

    def _refund(self, payment_id: str, form: Mapping[str, Any]) -> _Answer:
        payment = self.payments[payment_id]
        whole, back = (Money.of(payment[name], payment["currency"]) for name in ("amount", "refunded"))
        amount = whole.minor - back.minor
        if form["amount"] is not None:
            amount = Money.of(form["amount"], whole.currency).minor
        if form["key"] not in self.refunds:
            if not 0 < amount <= whole.minor - back.minor:
                return 422, {"error": "more than is left"}
            self.refunds.add(form["key"])
            self.give_back(payment_id, Money(amount, whole.currency))
        return 201, payment

    def asked(self, path: Sequence[str], reference: str) -> _Answer:
        """
        Answer a question.
        """
        with self._lock:
            match path:
                case ["account"]:
                    return 200, {"merchant": _MERCHANT}
                case ["links"]:
                    listed = [{**each, "open": self._is_open(each)} for each in self.made.values()]
                    return 200, {"links": [each for each in listed if each["reference"] == reference]}
                case ["payments"]:
                    return 200, {"payments": [p for p in self.payments.values() if p["reference"] == reference]}
                case ["payments", payment_id] if payment_id in self.payments:
                    return 200, self.payments[payment_id]
            return 404, {"error": "not found"}


def _end(link: Mapping[str, Any]) -> datetime | None:
    return None if link["expires_at"] is None else datetime.fromisoformat(link["expires_at"])


def _handler(sandbox: AcmePaySandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(lambda: sandbox.posted(self._path(), json.loads(body)))

        def do_GET(self) -> None:
            reference = parse_qs(urlsplit(self.path).query).get("ref", [""])[0]
            self._answer(lambda: sandbox.asked(self._path(), reference))

        def _path(self) -> list[str]:
            return urlsplit(self.path).path.strip("/").split("/")

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
