"""
An emulator of Mercado Pago's preferences and payments on loopback, for development and tests.

A provider never imports this module, and it imports its web server when it starts.
"""

from __future__ import annotations

import hmac
import html
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs

from attrs import define, evolve, frozen

from cobranza_mercado_pago._amounts import DECIMALS, read_json, write_json
from cobranza_mercado_pago._payments import read_moment
from cobranza_mercado_pago._webhooks import REQUEST_ID, SIGNATURE, manifest, sign
from cobranza_sdk import Clock, InvalidValueError, Money, Sandbox, SandboxMessage

if TYPE_CHECKING:
    import asyncio

    import httpx
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_COLLECTOR = "724484980"
_ACCESS_TOKEN = "APP_USR-sandbox-access-token"  # noqa: S105  # the emulator's own, worth nothing elsewhere
_WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105  # likewise
_FIRST_PAYMENT = 18_552_260_001
_FIRST_REFUND = 1_009_042_001
_WAIT_S = 10.0
_CALLBACK_S = 15.0
_PAGE_SIZE = 50

FAULTS = ("rate_limit", "server_error", "taken_but_server_error", "hang", "bad_json", "locked")
_SITES = {"ARS": "MLA", "BRL": "MLB", "CLP": "MLC", "COP": "MCO", "MXN": "MLM", "PEN": "MPE", "UYU": "MLU"}

#: Ways in which an attempt to pay ends: status and detail, as the vendor words them.
OUTCOMES = {
    "approved": ("approved", "accredited"),
    "pending": ("pending", "pending_waiting_payment"),
    "in_process": ("in_process", "pending_contingency"),
    "authorized": ("authorized", "pending_capture"),
    "rejected": ("rejected", "cc_rejected_insufficient_amount"),
    "cancelled": ("cancelled", "expired"),
}


@frozen
class _Refusal:
    """
    An error as the API puts it.
    """

    status: int
    error: str
    message: str
    code: int | None = None


_UNAUTHENTICATED = _Refusal(401, "invalid_access_token", "invalid access token")
_NOT_FOUND = _Refusal(404, "not_found", "The resource was not found", 2000)
_TOO_MANY = _Refusal(429, "too_many_requests", "Too many requests")
_BROKEN = _Refusal(500, "internal_server_error", "Internal server error")
_LOCKED = _Refusal(423, "resource_locked", "The resource is locked")
_NO_KEY = _Refusal(400, "bad_request", "X-Idempotency-Key is missing", 4292)
_OTHER_BODY = _Refusal(409, "idempotency_key_already_used", "The key was used with another body")
_WRONG_STATE = _Refusal(400, "bad_request", "The action is not valid for the current payment state", 2063)
_WRONG_AMOUNT = _Refusal(400, "bad_request", "The amount exceeds what can be refunded", 4040)
_GIVEN_BACK = _Refusal(400, "bad_request", "The payment was refunded already", 4296)
_DOES_NOTHING = {"rate_limit": _TOO_MANY, "server_error": _BROKEN, "locked": _LOCKED}
_RUBBISH = b'{"id": "7'


@frozen(kw_only=True)
class _Payment:
    """
    A payment as the account holds it.
    """

    id: int
    preference_id: str
    reference: str | None
    amount: Decimal
    currency: str
    collector: str
    status: str
    detail: str
    live: bool
    refunded: Decimal = Decimal(0)
    refunds: tuple[dict[str, Any], ...] = ()
    created_at: datetime
    approved_at: datetime | None
    updated_at: datetime


@define
class _Running:
    """
    A served emulator: the thread, and what ends it.
    """

    thread: threading.Thread
    end: Callable[[], None]


class MercadoPagoSandbox(Sandbox):
    """
    Preferences, payments and refunds as far as this plugin needs them, with signed webhooks and a page to pay at.

    Args:
        clock: The time it lives in.
        port: Port on 127.0.0.1, 0 for a free one.
        webhook_url: Where it posts webhooks, or None to post none.
        currency: The account's only currency, which its country fixes.
    """

    name: ClassVar[str] = "mercado_pago"

    def __init__(self, *, clock: Clock, port: int = 0, webhook_url: str | None = None, currency: str = "PEN") -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self.currency = currency
        self._lock = threading.RLock()
        self._preferences: dict[str, dict[str, Any]] = {}
        self._payments: dict[str, _Payment] = {}
        self._answers: dict[str, tuple[bytes, Any]] = {}
        self._faults: deque[str] = deque()
        self._webhooks = 0
        self._refunds = 0
        self._running: _Running | None = None
        self._http: httpx.Client | None = None

    # -- running ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """
        Serve on loopback in a background thread; *port* then holds the real one.
        """
        if self._running is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # else an answer, which is written in two pieces, waits 40 ms for the caller's next packet
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind(("127.0.0.1", self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        self._running = _serve(self._application, listener)

    def stop(self) -> None:
        """
        Stop serving. Safe to call twice.
        """
        running, self._running = self._running, None
        if running is not None:
            running.end()
            running.thread.join(_WAIT_S)
        if self._http is not None:
            self._http.close()
            self._http = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the provider reaches this emulator.
        """
        return {
            "access_token": _ACCESS_TOKEN,
            "collector_id": _COLLECTOR,
            "webhook_secret": _WEBHOOK_SECRET,
            "base_url": f"http://127.0.0.1:{self.port}",
        }

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        Nothing: this vendor carries no messages. See `preferences`.
        """
        return ()

    @property
    def preferences(self) -> Sequence[Mapping[str, Any]]:
        """
        Links made so far, in order, as the API shows them.
        """
        with self._lock:
            return tuple(self._preferences.values())

    def fail_next(self, fault: str) -> None:
        """
        Let one of the next calls fail; faults are used up in order.

        Args:
            fault: ``rate_limit``, ``locked`` or ``server_error``, which do nothing; ``taken_but_server_error`` does
                what was asked and says that it failed; ``hang`` does it and never answers; ``bad_json`` does it and
                answers rubbish.
        """
        if fault not in FAULTS:
            msg = f"fault must be one of {', '.join(FAULTS)}"
            raise InvalidValueError(msg)
        with self._lock:
            self._faults.append(fault)

    # -- what payers and banks do ----------------------------------------------------------------------------------

    def pay(
        self,
        preference_id: str,
        outcome: str = "approved",
        *,
        money: Money | None = None,
        reference: str | None = None,
        collector: str = _COLLECTOR,
        live: bool = True,
    ) -> str:
        """
        Let somebody pay at a link; returns the payment's id. A link that was paid stays payable, as at the vendor.

        Args:
            preference_id: The link's id.
            outcome: One of `OUTCOMES`.
            money: Another amount than the link's.
            reference: Another reference than the link's.
            collector: Another seller.
            live: False for a payment of test mode.

        Raises:
            InvalidValueError: There is no such link, or it has ended.
        """
        status, detail = OUTCOMES[outcome]
        now = self.clock.now()
        with self._lock:
            preference = self._preference(preference_id)
            ends_at = read_moment(preference.get("expiration_date_to"))
            if preference.get("expires") and ends_at is not None and ends_at <= now:
                msg = "the link has ended"
                raise InvalidValueError(msg)
            item = preference["items"][0]
            payment = _Payment(
                id=_FIRST_PAYMENT + len(self._payments),
                preference_id=preference_id,
                reference=reference or preference["external_reference"],
                amount=Decimal(item["unit_price"]) if money is None else money.amount,
                currency=item["currency_id"] if money is None else money.currency,
                collector=collector,
                status=status,
                detail=detail,
                live=live,
                created_at=now,
                approved_at=now if status == "approved" else None,
                updated_at=now,
            )
            self._payments[str(payment.id)] = payment
        return str(payment.id)

    def set_status(self, payment_id: str, status: str, detail: str) -> None:
        """
        Give a payment any status.
        """
        with self._lock:
            payment, now = self._payment(payment_id), self.clock.now()
            approved_at = payment.approved_at or (now if status == "approved" else None)
            self._payments[payment_id] = evolve(
                payment, status=status, detail=detail, approved_at=approved_at, updated_at=now
            )

    def approve(self, payment_id: str) -> None:
        """
        Let a pending payment come in, as a voucher that was paid at a counter.
        """
        self.set_status(payment_id, *OUTCOMES["approved"])

    def charge_back(self, payment_id: str) -> None:
        """
        Let the card's holder take the money back.
        """
        self.set_status(payment_id, "charged_back", "settled")

    def give_back(self, payment_id: str, amount: Decimal | None = None) -> None:
        """
        Refund a payment, or a part of it, as the seller does in the panel.
        """
        with self._lock:
            payment = self._payment(payment_id)
            self._give_back(payment, payment.amount - payment.refunded if amount is None else amount)

    def _give_back(self, payment: _Payment, amount: Decimal) -> dict[str, Any]:
        now = self.clock.now()
        refund = {
            "id": _FIRST_REFUND + self._refunds,
            "payment_id": payment.id,
            "amount": amount,
            "status": "approved",
            "date_created": _stamp(now),
            "refund_mode": "standard",
        }
        self._refunds += 1
        whole = payment.refunded + amount == payment.amount
        self._payments[str(payment.id)] = evolve(
            payment,
            refunded=payment.refunded + amount,
            refunds=(*payment.refunds, refund),
            status="refunded" if whole else payment.status,
            detail="refunded" if whole else "partially_refunded",
            updated_at=now,
        )
        return refund

    def announce(self, payment_id: str, *, action: str = "payment.updated") -> int | None:
        """
        Post the signed webhook of a payment; returns the status code of our answer, or None when nobody answered.
        """
        if self.webhook_url is None:
            return None
        with self._lock:
            self._webhooks += 1
            number = self._webhooks
        url, headers, body = self.webhook(payment_id, action=action, number=number)
        import httpx

        if self._http is None:
            self._http = httpx.Client(trust_env=False, timeout=_CALLBACK_S)
        try:
            return self._http.post(url, content=body, headers=headers).status_code
        except httpx.TransportError:
            return None

    def webhook(
        self, payment_id: str, *, action: str = "payment.updated", number: int = 0
    ) -> tuple[str, dict[str, str], bytes]:
        """
        Address, headers and body of a payment's webhook, signed now.
        """
        now = self.clock.now()
        ts, request_id = str(int(now.timestamp()) * 1000), f"sandbox-{number:08d}"
        headers = {
            "Content-Type": "application/json",
            REQUEST_ID: request_id,
            SIGNATURE: f"ts={ts},v1={sign(_WEBHOOK_SECRET, manifest(payment_id, request_id, ts))}",
        }
        body = {
            "action": action,
            "api_version": "v1",
            "data": {"id": payment_id},
            "date_created": _stamp(now),
            "id": number,
            "live_mode": True,
            "type": "payment",
            "user_id": int(_COLLECTOR),
        }
        return f"{self.webhook_url or ''}?data.id={payment_id}&type=payment", headers, json.dumps(body).encode()

    # -- what the API does -----------------------------------------------------------------------------------------

    def _preference(self, preference_id: str) -> dict[str, Any]:
        try:
            return self._preferences[preference_id]
        except KeyError:
            msg = "the emulator has no link with this id"
            raise InvalidValueError(msg) from None

    def _payment(self, payment_id: str) -> _Payment:
        try:
            return self._payments[payment_id]
        except KeyError:
            msg = "the emulator has no payment with this id"
            raise InvalidValueError(msg) from None

    def _create(self, body: Mapping[str, Any]) -> dict[str, Any] | _Refusal:
        refusal = self._preference_problem(body)
        if refusal is not None:
            return refusal
        preference_id = f"{_COLLECTOR}-{len(self._preferences) + 1:08x}-0000-4000-8000-000000000000"
        self._preferences[preference_id] = {
            **body,
            "id": preference_id,
            "collector_id": int(_COLLECTOR),
            "date_created": _stamp(self.clock.now()),
            "site_id": _SITES[self.currency],
            "init_point": f"http://127.0.0.1:{self.port}/checkout/v1/redirect?pref_id={preference_id}",
        }
        return self._preferences[preference_id]

    def _preference_problem(self, body: Mapping[str, Any]) -> _Refusal | None:
        items = body.get("items")
        if not isinstance(items, list) or not items or not all(self._is_item(item) for item in items):
            return _Refusal(400, "invalid_items", "items invalid")
        urls = body.get("back_urls", {})
        if not all(isinstance(url, str) and url.startswith("https://") for url in urls.values()):
            return _Refusal(400, "invalid_back_urls", "back_urls invalid")
        if body.get("auto_return") and "success" not in urls:
            return _Refusal(400, "invalid_back_urls", "auto_return invalid. back_url.success must be defined")
        if body.get("expires") and read_moment(body.get("expiration_date_to")) is None:
            return _Refusal(400, "invalid_expiration_date_to", "expiration_date_to must be a date with offset")
        return None

    def _is_item(self, item: Any) -> bool:
        if not isinstance(item, dict) or item.get("currency_id") != self.currency:
            return False
        price = item.get("unit_price")
        if isinstance(price, bool) or not isinstance(price, (int, Decimal)) or price <= 0:
            return False
        return Decimal(price) == Decimal(price).quantize(Decimal(1).scaleb(-DECIMALS[self.currency]))

    def _change(self, preference_id: str, body: Mapping[str, Any]) -> dict[str, Any] | _Refusal:
        if preference_id not in self._preferences:
            return _NOT_FOUND
        changed = {**self._preferences[preference_id], **body}
        self._preferences[preference_id] = changed
        return changed

    def _refund(self, payment_id: str, body: Mapping[str, Any]) -> dict[str, Any] | _Refusal:
        payment = self._payments.get(payment_id)
        if payment is None:
            return _NOT_FOUND
        if payment.status == "refunded":
            return _GIVEN_BACK
        if payment.status != "approved":
            return _WRONG_STATE
        left = payment.amount - payment.refunded
        amount = Decimal(body.get("amount", left))
        return _WRONG_AMOUNT if not 0 < amount <= left else self._give_back(payment, amount)

    def _perform(self, request: Request, body: bytes, act: Callable[[Mapping[str, Any]], Any], *, keyed: bool) -> Any:
        """
        Do what a call asks, under its idempotency key where the vendor honours one.
        """
        asked = read_json(body or b"{}")
        if not isinstance(asked, dict):
            return _Refusal(400, "bad_request", "the body is no JSON object")
        key = request.headers.get("X-Idempotency-Key", "")
        if not keyed:
            return act(asked)
        if not key:
            return _NO_KEY
        known = self._answers.get(key)
        if known is not None:
            return known[1] if known[0] == body else _OTHER_BODY
        answer = act(asked)
        if not isinstance(answer, _Refusal):
            self._answers[key] = (body, answer)
        return answer

    def _application(self, released: asyncio.Event) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        change, ask = partial(self._changing, released), partial(self._asking, released)
        routes = (
            ("POST", "/checkout/preferences", change(lambda _, body: self._create(body))),
            ("GET", "/checkout/preferences/search", ask(lambda request: self._page_of_links(request.query_params))),
            ("GET", "/checkout/preferences/{id}", ask(lambda request: self._preferences.get(_id(request)))),
            ("PUT", "/checkout/preferences/{id}", change(lambda request, body: self._change(_id(request), body))),
            ("GET", "/v1/payments/search", ask(lambda request: self._page_of_payments(request.query_params))),
            ("GET", "/v1/payments/{id}", ask(lambda request: _resource(self._payments.get(_id(request))))),
            ("POST", "/v1/payments/{id}/refunds", change(lambda r, body: self._refund(_id(r), body), keyed=True)),
            ("GET", "/users/me", ask(lambda _: {"id": int(_COLLECTOR), "site_id": _SITES[self.currency]})),
        )
        signed_in = [Route(path, _signed_in(endpoint), methods=[method]) for method, path, endpoint in routes]
        page = Route("/checkout/v1/redirect", self._checkout, methods=["GET", "POST"])
        return Starlette(routes=[*signed_in, page], exception_handlers={404: _not_found, 405: _not_found})

    def _changing(
        self, released: asyncio.Event, act: Callable[[Request, Mapping[str, Any]], Any], *, keyed: bool = False
    ) -> Callable[[Request], Any]:
        """
        An endpoint that does something, once per idempotency key where *keyed*.
        """

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            with self._lock:
                fault = self._faults.popleft() if self._faults else None
                answer = _DOES_NOTHING.get(fault or "") or self._perform(
                    request, body, lambda asked: act(request, asked), keyed=keyed
                )
            if fault == "hang":
                await released.wait()
            if fault == "bad_json":
                return _answer(_RUBBISH, 201)
            if fault == "taken_but_server_error":
                return _refuse(_BROKEN)
            return _refuse(answer) if isinstance(answer, _Refusal) else _answer(answer, 201)

        return endpoint

    def _asking(self, released: asyncio.Event, look: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """
        An endpoint that answers a question.
        """

        async def endpoint(request: Request) -> Response:
            with self._lock:
                fault = self._faults.popleft() if self._faults else None
                answer = look(request)
            if fault == "hang":
                await released.wait()
            if fault == "bad_json":
                return _answer(_RUBBISH)
            if fault is not None:
                return _refuse(_DOES_NOTHING.get(fault, _BROKEN))
            return _refuse(_NOT_FOUND) if answer is None else _answer(answer)

        return endpoint

    async def _checkout(self, request: Request) -> Response:
        """
        The page behind a link: one button per way to end, for a person who tries it out.
        """
        from anyio.to_thread import run_sync
        from starlette.responses import HTMLResponse

        preference_id = request.query_params.get("pref_id", "")
        if preference_id not in self._preferences:
            return HTMLResponse("no such link", 404)
        if request.method == "GET":
            return HTMLResponse(_page(self._preferences[preference_id]))
        outcome = parse_qs((await request.body()).decode("utf-8", "replace")).get("outcome", [""])[0]
        if outcome not in OUTCOMES:
            return HTMLResponse("no such outcome", 400)
        try:
            payment_id = self.pay(preference_id, outcome)
        except InvalidValueError as error:
            return HTMLResponse(html.escape(str(error)), 410)
        answered = await run_sync(self.announce, payment_id)
        return HTMLResponse(f"payment {payment_id}: {outcome}; webhook answered: {answered}")

    def _page_of_links(self, query: Mapping[str, str]) -> dict[str, Any]:
        reference = query.get("external_reference")
        found = [item for item in self._preferences.values() if reference in (None, item.get("external_reference"))]
        listed = [{**item, "items": [part.get("title") for part in item["items"]]} for item in _cut(found, query)]
        return {"elements": listed, "next_offset": len(listed), "total": len(found)}

    def _page_of_payments(self, query: Mapping[str, str]) -> dict[str, Any]:
        reference = query.get("external_reference")
        found = [item for item in reversed(self._payments.values()) if reference in (None, item.reference)]
        paging = {"total": len(found), "limit": _limit(query), "offset": int(query.get("offset", "0"))}
        return {"paging": paging, "results": [_resource(item) for item in _cut(found, query)]}


def _limit(query: Mapping[str, str]) -> int:
    return max(1, min(int(query.get("limit", _PAGE_SIZE)), 100))


def _cut(items: Sequence[Any], query: Mapping[str, str]) -> Sequence[Any]:
    start = int(query.get("offset", "0"))
    return items[start : start + _limit(query)]


def _serve(application: Callable[[asyncio.Event], Starlette], listener: socket.socket) -> _Running:
    import asyncio

    import uvicorn

    accepting, released = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            loops.append(asyncio.get_running_loop())
            accepting.set()

    server = Server(
        uvicorn.Config(
            application(released), log_config=None, access_log=False, lifespan="off", ws="none", loop="asyncio"
        )
    )

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            listener.close()

    def end() -> None:
        server.should_exit = True
        loops[0].call_soon_threadsafe(released.set)

    thread = threading.Thread(target=run, name="mercado-pago-sandbox", daemon=True)
    thread.start()
    if not accepting.wait(_WAIT_S):
        msg = "the emulator did not start"
        raise RuntimeError(msg)
    return _Running(thread, end)


def _signed_in(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    expected = f"Bearer {_ACCESS_TOKEN}".encode()

    async def guarded(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            return _refuse(_UNAUTHENTICATED)
        answer: Response = await endpoint(request)
        return answer

    return guarded


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _refuse(_NOT_FOUND)


def _answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    from starlette.responses import Response

    content = body if isinstance(body, bytes) else write_json(body).encode()
    return Response(content, status, headers, media_type="application/json")


def _refuse(refusal: _Refusal) -> Response:
    cause = [] if refusal.code is None else [{"code": refusal.code, "description": refusal.message, "data": None}]
    body = {"message": refusal.message, "error": refusal.error, "status": refusal.status, "cause": cause}
    return _answer(body, refusal.status, {"Retry-After": "1"} if refusal is _TOO_MANY else None)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _resource(payment: _Payment | None) -> dict[str, Any] | None:
    if payment is None:
        return None
    return {
        "id": payment.id,
        "status": payment.status,
        "status_detail": payment.detail,
        "external_reference": payment.reference,
        "transaction_amount": payment.amount,
        "transaction_amount_refunded": payment.refunded,
        "currency_id": payment.currency,
        "payment_method_id": "visa",
        "payment_type_id": "credit_card",
        "date_created": _stamp(payment.created_at),
        "date_approved": None if payment.approved_at is None else _stamp(payment.approved_at),
        "date_last_updated": _stamp(payment.updated_at),
        "collector_id": int(payment.collector),
        "live_mode": payment.live,
        "captured": payment.status != "authorized",
        "payer": {"id": "1", "email": "payer@example.com", "identification": {"type": "DNI", "number": "00000000"}},
        "refunds": list(payment.refunds),
    }


def _page(preference: Mapping[str, Any]) -> str:
    item = preference["items"][0]
    buttons = "".join(f'<button name="outcome" value="{name}">{name}</button> ' for name in OUTCOMES)
    title = html.escape(str(item["title"]))
    return (
        f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>"
        f"<p>{item['unit_price']} {item['currency_id']}</p><form method=post>{buttons}</form>"
    )
