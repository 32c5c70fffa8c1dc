"""
Pigeon: a vendor that does not exist, its channel written by the book, and its emulator.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
from attrs import evolve, field, frozen

from cobranza_sdk import (
    Absent,
    Accepted,
    Address,
    AttemptRef,
    Category,
    Channel,
    ChannelCapabilities,
    Clock,
    Disposition,
    Event,
    EventKind,
    Found,
    Health,
    InvalidValueError,
    OutboundMessage,
    ProviderError,
    Sandbox,
    SandboxMessage,
    Secret,
    Transmitted,
    Undetermined,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)

TOKEN = "pigeon-token-1"
HOOK_SECRET = "pigeon-hook-secret-1"
KINDS = {"delivered": EventKind.DELIVERED, "failed": EventKind.FAILED, "reply": EventKind.INBOUND_MESSAGE}


def not_blank(_instance: object, attribute: Any, value: str) -> None:
    if not value.strip():
        msg = f"{attribute.name} may not be blank"
        raise InvalidValueError(msg)


def an_address(_instance: object, attribute: Any, value: str) -> None:
    if not value.startswith(("http://", "https://")):
        msg = f"{attribute.name} must begin with http:// or https://"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class PigeonSettings:
    base_url: str = field(validator=an_address)
    loft: str = field(validator=not_blank)
    token: Secret
    hook_secret: Secret


def no(category: Category, disposition: Disposition, wait: float | None = None) -> ProviderError:
    return ProviderError(category, disposition, Transmitted.NO, retry_after=wait)


def sign(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Pigeon(Channel):
    """
    Carries notes. Everything is right in it: each mutant makes one thing wrong.
    """

    name = "pigeon"
    config: ClassVar[type] = PigeonSettings
    capabilities = ChannelCapabilities(
        channel="sms",
        family="message",
        schemes=["e164"],
        receipts=["delivered", "failed"],
        inbound=True,
        lookup=True,
        correlation=True,
        idempotency_window=timedelta(hours=24),
    )

    @property
    def account(self) -> str:
        return str(self.settings.loft)

    @property
    def hosts(self) -> Sequence[str]:
        return (urlsplit(self.settings.base_url).hostname or "",)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.token.reveal()}"}

    def note(self, message: OutboundMessage) -> dict[str, Any]:
        form = message.template
        return {
            "to": message.to.value,
            "text": message.text if form is None else "\n".join(form.parameters),
            "template": None if form is None else form.name,
            "ref": message.attempt_id,
            "key": message.idempotency_key,
        }

    async def send(self, message: OutboundMessage) -> Accepted:
        return self.read_accepted(await self.answer(message))

    async def answer(self, message: OutboundMessage) -> httpx.Response:
        try:
            response = await self.services.http.post(
                f"{self.settings.base_url}/notes", json=self.note(message), headers=self.headers()
            )
        except httpx.HTTPError as error:
            raise self.unsent(error) from None
        if response.status_code >= 400:
            raise self.refusal(response)
        return response

    def unsent(self, error: httpx.HTTPError) -> ProviderError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return no(Category.NETWORK, Disposition.RETRY)
        return ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)

    def refusal(self, response: httpx.Response) -> ProviderError:
        if response.status_code == 429:
            return no(Category.RATE_LIMIT, Disposition.RETRY, self.wait(response.headers.get("Retry-After")))
        if response.status_code in (401, 403):
            return no(Category.AUTH, Disposition.FIX_FIRST)
        if response.status_code >= 500:
            return ProviderError(Category.PROVIDER_DOWN, Disposition.NEVER, Transmitted.MAYBE)
        return no(Category.VALIDATION, Disposition.NEVER)

    def wait(self, value: str | None) -> float | None:
        try:
            return None if value is None else float(value)
        except ValueError:
            pass
        try:
            return (parsedate_to_datetime(value or "") - self.services.clock.now()).total_seconds()
        except (ValueError, TypeError):
            return None

    def read_accepted(self, response: httpx.Response) -> Accepted:
        try:
            document = response.json()
        except ValueError:
            raise ProviderError.unrecognised() from None
        note_id = document.get("id") if isinstance(document, dict) else None
        if not isinstance(note_id, str) or not note_id:
            raise ProviderError.unrecognised()
        return Accepted(provider_message_id=note_id)

    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        response = await self.services.http.get(
            f"{self.settings.base_url}/notes", params={"ref": attempt.attempt_id}, headers=self.headers()
        )
        found = response.json()["notes"]
        if not found:
            return Absent(checked_until=self.services.clock.now())
        return Found(provider_message_id=found[0]["id"])

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        given = request.headers.get("x-pigeon-signature", "").encode("ascii", "replace")
        if not hmac.compare_digest(given, sign(self.settings.hook_secret.reveal(), request.body).encode()):
            msg = "the signature does not match"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="hmac-sha256", signed=request.body)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        try:
            told = json.loads(envelope.signed)
        except (ValueError, RecursionError):
            msg = "the body is no JSON"
            raise WebhookRejectedError(msg) from None
        if not isinstance(told, dict) or not isinstance(told.get("event"), str):
            return ()
        return (self.event(told, envelope),)

    def event(self, told: Mapping[str, Any], envelope: VerifiedEnvelope) -> Event:
        return Event(
            kind=KINDS.get(told.get("type", ""), EventKind.UNKNOWN),
            key=told["event"],
            occurred_at=datetime.fromisoformat(told["at"]),
            account=self.account,
            provider_message_id=told.get("note"),
            attempt_id=told.get("ref"),
            address=Address("e164", told["from"]) if "from" in told else None,
            text=told.get("text"),
        )

    async def check(self) -> Health:
        try:
            response = await self.services.http.get(f"{self.settings.base_url}/loft", headers=self.headers())
        except httpx.HTTPError:
            return Health(ok=False, detail="not reached")
        return Health(ok=response.is_success, detail="asked for the loft")


class PigeonChat(Pigeon):
    """
    The same where a conversation has to be open for free text.
    """

    capabilities = evolve(Pigeon.capabilities, session_window=timedelta(hours=24), templates=True)


class PigeonSandbox(Sandbox):
    """
    Pigeon's service on loopback.
    """

    name: ClassVar[str] = "pigeon"

    def __init__(self, *, clock: Clock, port: int = 0, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self.notes: list[dict[str, Any]] = []
        self.count = 0
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        sandbox = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known = next((note for note in sandbox.notes if body["key"] and note["key"] == body["key"]), None)
                if known is None:
                    sandbox.count += 1
                    known = {**body, "id": f"pg_{sandbox.port}_{sandbox.count}"}
                    sandbox.notes.append(known)
                self.reply(201, {"id": known["id"], "state": "queued", "loft": {"name": "north", "cells": [1, 2]}})

            def do_GET(self) -> None:
                ref = parse_qs(urlsplit(self.path).query).get("ref")
                found = [note for note in sandbox.notes if ref is None or note["ref"] in ref]
                self.reply(200, {"notes": found})

            def reply(self, status: int, document: Any) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "base_url": f"http://127.0.0.1:{self.port}",
            "loft": "north",
            "token": TOKEN,
            "hook_secret": HOOK_SECRET,
        }

    @property
    def received(self) -> Sequence[SandboxMessage]:
        return [
            SandboxMessage(
                provider_message_id=note["id"],
                to=Address("e164", note["to"]),
                text=note["text"],
                template=note["template"],
                attempt_id=note["ref"],
                at=self.clock.now(),
            )
            for note in self.notes
        ]

    def deliver(self, provider_message_id: str) -> int | None:
        return self.post(provider_message_id, "delivered")

    def fail(self, provider_message_id: str) -> int | None:
        return self.post(provider_message_id, "failed")

    def reply(self, provider_message_id: str, text: str) -> int | None:
        note = next(note for note in self.notes if note["id"] == provider_message_id)
        return self.post(provider_message_id, "reply", text=text, **{"from": note["to"]})

    def post(self, note_id: str, kind: str, **more: str) -> int | None:
        note = next(note for note in self.notes if note["id"] == note_id)
        at = self.clock.now().astimezone(UTC).isoformat()
        told = {"event": f"{note_id}:{kind}", "type": kind, "note": note_id, "ref": note["ref"], "at": at, **more}
        body = json.dumps(told).encode()
        headers = {"X-Pigeon-Signature": sign(HOOK_SECRET, body)}
        return httpx.post(self.webhook_url or "", content=body, headers=headers).status_code
