"""
An emulator of Twilio's messages API on loopback, for development and tests.

A channel never imports this module, and it imports its web server when it starts.
"""

from __future__ import annotations

import base64
import hmac
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import define, evolve, frozen

from cobranza_sdk import Address, Clock, InvalidValueError, Sandbox, SandboxMessage
from cobranza_twilio_sms._sandbox_rules import MAGIC_TO, Refusal, read_variables, refuse_form
from cobranza_twilio_sms._webhooks import SIGNATURE, is_opt_out, sign
from cobranza_twilio_sms.segments import count_segments

if TYPE_CHECKING:
    import asyncio

    import httpx
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_ACCOUNT_SID = "AC" + "0" * 31 + "1"
_AUTH_TOKEN = "sandbox-auth-token"  # noqa: S105  # the emulator's own, worth nothing elsewhere
_FROM_NUMBER = "+15005550006"
_API = "2010-04-01"
_PAGE_SIZE = 50
_WAIT_S = 10.0
_CALLBACK_S = 15.0
_UNREACHABLE = "30003"

#: The vendor gives these no DateSent.
_WAITING = frozenset({"accepted", "queued", "scheduled", "sending", "canceled"})
FAULTS = ("rate_limit", "server_error", "hang", "bad_json")
_START_WORDS = frozenset({"START", "YES", "UNSTOP"})
_HELP_WORDS = frozenset({"HELP", "INFO"})


_UNAUTHENTICATED = Refusal(20003, "Authenticate", 401)
_NOT_FOUND = Refusal(20404, "The requested resource was not found", 404)
_TOO_MANY = Refusal(20429, "Too Many Requests", 429)
# no code of the vendor's dictionary is certain for this one
_TOO_LATE = Refusal(20409, "The message can no longer be canceled", 409)
_BROKEN = Refusal(20500, "An internal server error has occurred", 500)


@frozen(kw_only=True)
class _Message:
    """
    A message as the account holds it.
    """

    sid: str
    to: str
    sender: str
    body: str
    callback: str | None
    status: str
    error_code: str | None
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None
    is_by_service: bool


@define
class _Running:
    """
    A served emulator: the thread, and what ends it.
    """

    thread: threading.Thread
    end: Callable[[], None]


class TwilioSandbox(Sandbox):
    """
    Twilio's messages API as far as this plugin needs it, with signed webhooks.
    """

    name: ClassVar[str] = "twilio_sms"

    def __init__(self, *, clock: Clock, port: int = 0, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self._lock = threading.Lock()
        self._messages: dict[str, _Message] = {}
        self._received: list[SandboxMessage] = []
        self._blocked: set[tuple[str, str]] = set()
        self._faults: deque[str] = deque()
        self._given_sids = 0
        self._contents: dict[str, str] = {}
        self._running: _Running | None = None
        self._http: httpx.Client | None = None

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

    def _call(self, url: str, fields: Mapping[str, str]) -> int | None:
        import httpx

        called = url.partition("#")[0]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            SIGNATURE: sign(_AUTH_TOKEN, called, fields.items()),
        }
        if self._http is None:
            self._http = httpx.Client(trust_env=False, timeout=_CALLBACK_S)
        try:
            return self._http.post(called, content=urlencode(fields), headers=headers).status_code
        except httpx.TransportError:
            return None

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the channel reaches this emulator.
        """
        return {
            "account_sid": _ACCOUNT_SID,
            "auth_token": _AUTH_TOKEN,
            "from_number": _FROM_NUMBER,
            "base_url": f"http://127.0.0.1:{self.port}",
        }

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        Messages taken so far, in order.
        """
        with self._lock:
            return tuple(self._received)

    def fail_next(self, fault: str) -> None:
        """
        Let one of the next messages fail; faults are used up in order.

        Args:
            fault: ``rate_limit`` or ``server_error``, which take nothing; ``hang`` takes the message and never answers;
                ``bad_json`` takes it and answers rubbish.
        """
        if fault not in FAULTS:
            msg = f"fault must be one of {', '.join(FAULTS)}"
            raise InvalidValueError(msg)
        with self._lock:
            self._faults.append(fault)

    def hold_content(self, sid: str, words: str) -> None:
        """
        Keep the words of a template, with places such as ``{{1}}``. Of others the values stand for the words.

        Args:
            sid: ``HX`` and 32 hexadecimal digits.
            words: What the vendor sends.
        """
        with self._lock:
            self._contents[sid] = words

    def deliver(self, provider_message_id: str) -> int | None:
        """
        Report the message as delivered.
        """
        return self.send_status(provider_message_id, "delivered")

    def fail(self, provider_message_id: str) -> int | None:
        """
        Report the handset as not reachable.
        """
        return self.send_status(provider_message_id, "undelivered", _UNREACHABLE)

    def send_status(self, provider_message_id: str, status: str, error_code: str | None = None) -> int | None:
        """
        Give the message any status and report it to the address that came with the message.

        Args:
            provider_message_id: Its sid.
            status: The vendor's word.
            error_code: The vendor's code, or None.

        Returns:
            The status code of our answer; None when there is no address or nobody answered.
        """
        with self._lock:
            now, message = self.clock.now(), self._message(provider_message_id)
            message = evolve(
                message,
                status=status,
                error_code=error_code,
                updated_at=now,
                sent_at=message.sent_at or (None if status in _WAITING else now),
            )
            self._messages[message.sid] = message
        if message.callback is None:
            return None
        fields = {
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": _ACCOUNT_SID,
            "ApiVersion": _API,
            "From": _FROM_NUMBER if message.is_by_service else message.sender,
            "To": message.to,
        }
        if message.is_by_service:
            fields["MessagingServiceSid"] = message.sender
        if error_code is not None:
            fields["ErrorCode"] = error_code
        return self._call(message.callback, fields)

    def reply(self, provider_message_id: str, text: str) -> int | None:
        """
        Let the person answer. An opt-out word blocks the number for this sender, as Advanced Opt-Out does.
        """
        word = text.strip().upper()
        with self._lock:
            message = self._message(provider_message_id)
            pair = (message.sender, message.to)
            opt_out_type = None
            if is_opt_out(text):
                opt_out_type = "STOP"
                self._blocked.add(pair)
            elif word in _START_WORDS:
                opt_out_type = "START"
                self._blocked.discard(pair)
            elif word in _HELP_WORDS:
                opt_out_type = "HELP"
            sid = self._new_sid()
        if self.webhook_url is None:
            return None
        return self._call(self.webhook_url, _inbound_fields(sid, message, text, opt_out_type))

    def _message(self, sid: str) -> _Message:
        try:
            return self._messages[sid]
        except KeyError:
            msg = "the emulator has no message with this sid"
            raise InvalidValueError(msg) from None

    def _new_sid(self) -> str:
        self._given_sids += 1
        return f"SM{self._given_sids:032x}"

    def _application(self, released: asyncio.Event) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        async def create(request: Request) -> Response:
            fault, refusal, message = self._create(_read_form(await request.body()))
            if fault == "hang":
                await released.wait()
            if fault == "bad_json":
                return _answer(b'{"sid": "SM', 201)
            if refusal is not None:
                return _refuse(refusal, retry_after=fault == "rate_limit")
            return _answer(_resource(message), 201) if message is not None else _refuse(_BROKEN)

        async def listing(request: Request) -> Response:
            return _answer(self._page(list(request.query_params.multi_items())))

        async def fetch(request: Request) -> Response:
            message = self._messages.get(request.path_params["sid"])
            return _refuse(_NOT_FOUND) if message is None else _answer(_resource(message))

        async def change(request: Request) -> Response:
            changed = self._change(request.path_params["sid"], _read_form(await request.body()))
            return _refuse(changed) if isinstance(changed, Refusal) else _answer(_resource(changed))

        async def account(_: Request) -> Response:
            return _answer({"sid": _ACCOUNT_SID, "friendly_name": "Sandbox", "status": "active", "type": "Full"})

        root = f"/{_API}/Accounts/{_ACCOUNT_SID}"
        routes = (
            ("POST", f"{root}/Messages.json", create),
            ("GET", f"{root}/Messages.json", listing),
            ("GET", f"{root}/Messages/{{sid}}.json", fetch),
            ("POST", f"{root}/Messages/{{sid}}.json", change),
            ("GET", f"{root}.json", account),
        )
        return Starlette(
            routes=[Route(path, _signed_in(endpoint), methods=[method]) for method, path, endpoint in routes],
            exception_handlers={404: _not_found, 405: _not_found},
        )

    def _create(self, form: Mapping[str, str]) -> tuple[str | None, Refusal | None, _Message | None]:
        with self._lock:
            fault = self._faults.popleft() if self._faults else None
            if fault == "rate_limit":
                return (fault, _TOO_MANY, None)
            if fault == "server_error":
                return (fault, _BROKEN, None)
            sender = form.get("MessagingServiceSid") or form.get("From", "")
            refusal = refuse_form(form, self.clock.now())
            if refusal is None and (sender, form["To"]) in self._blocked:
                refusal = MAGIC_TO["+15005550004"]
            if refusal is not None:
                return (None, refusal, None)
            return (fault, None, self._take(form, sender))

    def _take(self, form: Mapping[str, str], sender: str) -> _Message:
        now = self.clock.now()
        by_service = bool(form.get("MessagingServiceSid"))
        values = read_variables(form) or {}
        message = _Message(
            sid=self._new_sid(),
            to=form["To"],
            sender=sender,
            body=form.get("Body") or _fill(self._contents.get(form["ContentSid"]), values),
            callback=form.get("StatusCallback"),
            status="scheduled" if "SendAt" in form else "accepted" if by_service else "queued",
            error_code=None,
            created_at=now,
            updated_at=now,
            sent_at=None,
            is_by_service=by_service,
        )
        self._messages[message.sid] = message
        query = dict(parse_qsl(urlsplit(message.callback or "").query))
        template = form.get("ContentSid")
        self._received.append(
            SandboxMessage(
                provider_message_id=message.sid,
                to=Address("e164", message.to),
                text=message.body if template is None else "\n".join(values.values()),
                template=template,
                attempt_id=query.get("ref"),
                at=now,
            )
        )
        return message

    def _change(self, sid: str, form: Mapping[str, str]) -> Refusal | _Message:
        with self._lock:
            message = self._messages.get(sid)
            if message is None:
                return _NOT_FOUND
            if form.get("Status") != "canceled" or message.status != "scheduled":
                return _TOO_LATE
            self._messages[sid] = evolve(message, status="canceled", updated_at=self.clock.now())
            return self._messages[sid]

    def _page(self, query: Sequence[tuple[str, str]]) -> dict[str, Any]:
        asked = dict(query)
        with self._lock:
            # the vendor lists the newest first
            matching = [message for message in reversed(self._messages.values()) if _is_asked(message, asked)]
        size = max(1, min(int(asked.get("PageSize", _PAGE_SIZE)), 1000))
        number = int(asked.get("Page", "0"))
        start = number * size
        path = f"/{_API}/Accounts/{_ACCOUNT_SID}/Messages.json"
        kept = {name: value for name, value in asked.items() if name != "Page"}
        links = {
            "uri": number,
            "first_page_uri": 0,
            "next_page_uri": number + 1 if start + size < len(matching) else None,
            "previous_page_uri": number - 1 if number else None,
        }
        return {
            "messages": [_resource(message) for message in matching[start : start + size]],
            "page": number,
            "page_size": size,
            "start": start,
            "end": max(start, min(start + size, len(matching)) - 1),
            **{
                name: None if page is None else f"{path}?{urlencode({**kept, 'Page': page})}"
                for name, page in links.items()
            },
        }


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

    thread = threading.Thread(target=run, name="twilio-sandbox", daemon=True)
    thread.start()
    if not accepting.wait(_WAIT_S):
        msg = "the emulator did not start"
        raise RuntimeError(msg)
    return _Running(thread, end)


def _signed_in(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    expected = base64.b64encode(f"{_ACCOUNT_SID}:{_AUTH_TOKEN}".encode())

    async def guarded(request: Request) -> Response:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(given.encode(), expected):
            return _refuse(_UNAUTHENTICATED)
        answer: Response = await endpoint(request)
        return answer

    return guarded


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _refuse(_NOT_FOUND)


def _answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    from starlette.responses import Response

    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(content, status, headers, media_type="application/json")


def _refuse(refusal: Refusal, *, retry_after: bool = False) -> Response:
    body = {
        "code": refusal.code,
        "message": refusal.message,
        "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}",
        "status": refusal.status,
    }
    headers = {"Retry-After": "1"} if retry_after else {}
    if refusal is _UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return _answer(body, refusal.status, headers)


def _read_form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _fill(words: str | None, values: Mapping[str, str]) -> str:
    if words is None:
        return "\n".join(values.values())
    for name, value in values.items():
        words = words.replace(f"{{{{{name}}}}}", value)
    return words


def _is_asked(message: _Message, asked: Mapping[str, str]) -> bool:
    days = {name: date.fromisoformat(value[:10]) for name, value in asked.items() if name.startswith("DateSent")}
    if days and message.sent_at is None:
        return False
    sent_on = (message.sent_at or message.created_at).astimezone(UTC).date()
    return (
        asked.get("To", message.to) == message.to
        and asked.get("From", message.sender) == message.sender
        and days.get("DateSent", sent_on) == sent_on
        and days.get("DateSent>", sent_on) <= sent_on <= days.get("DateSent<", sent_on)
    )


def _resource(message: _Message) -> dict[str, Any]:
    by_service = message.is_by_service
    uri = f"/{_API}/Accounts/{_ACCOUNT_SID}/Messages/{message.sid}"
    updated = format_datetime(message.updated_at.astimezone(UTC))
    return {
        "sid": message.sid,
        "account_sid": _ACCOUNT_SID,
        "api_version": _API,
        "body": message.body,
        "date_created": format_datetime(message.created_at.astimezone(UTC)),
        "date_sent": None if message.sent_at is None else format_datetime(message.sent_at.astimezone(UTC)),
        "date_updated": updated,
        "direction": "outbound-api",
        "error_code": None if message.error_code is None else int(message.error_code),
        "error_message": None,
        "from": None if by_service else message.sender,
        "messaging_service_sid": message.sender if by_service else None,
        "num_media": "0",
        "num_segments": "0" if by_service else str(count_segments(message.body).parts),
        "price": None,
        "price_unit": None,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def _inbound_fields(sid: str, answered: _Message, text: str, opt_out_type: str | None) -> dict[str, str]:
    fields = {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "SmsStatus": "received",
        "AccountSid": _ACCOUNT_SID,
        "ApiVersion": _API,
        "From": answered.to,
        "To": _FROM_NUMBER if answered.is_by_service else answered.sender,
        "Body": text,
        "NumMedia": "0",
        "NumSegments": str(count_segments(text).parts),
    }
    if answered.is_by_service:
        fields["MessagingServiceSid"] = answered.sender
    if opt_out_type is not None:
        fields["OptOutType"] = opt_out_type
    return fields
