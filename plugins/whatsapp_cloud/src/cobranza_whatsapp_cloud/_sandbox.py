"""
The vendor's emulator: takes messages as the vendor does and posts its signed webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from attrs import evolve

from cobranza_sdk import (
    Address,
    Attachment,
    Clock,
    CobranzaError,
    ConfigurationError,
    InvalidValueError,
    LoopbackServer,
    Sandbox,
    SandboxMessage,
)
from cobranza_whatsapp_cloud._media import LIMITS, PDF, TYPES
from cobranza_whatsapp_cloud._sandbox_requests import (
    Refusal,
    RefusedError,
    Request,
    SandboxTemplate,
    choices,
    is_mark,
    read_mark,
    read_request,
    serialise,
    shown_files,
)

if TYPE_CHECKING:
    import httpx

    from cobranza_whatsapp_cloud._sandbox_server import Answer, Call

#: What can go wrong once: see `WhatsAppSandbox.fail_next`.
Fault = Literal["rate_limit", "pair_rate", "server_error", "hang", "bad_json"]

PHONE_NUMBER_ID = "106540352242922"
WABA_ID = "102290129340398"
DISPLAY_PHONE_NUMBER = "51900000000"
ACCESS_TOKEN = "sandbox-access-token"  # noqa: S105  # the emulator's own, worth nothing elsewhere
APP_SECRET = "sandbox-app-secret"  # noqa: S105  # likewise
VERIFY_TOKEN = "sandbox-verify-token"  # noqa: S105  # likewise
CHALLENGE = "1158201444"

_WINDOW = timedelta(hours=24)
_MEDIA_LIFE = timedelta(days=30)
_PAGE_SIZE = 1000
#: Type of a file that only its address stands for.
_FETCHED = "application/octet-stream"
_REFUSING: Mapping[Fault | None, Refusal] = {
    "rate_limit": Refusal(429, 130429, "Rate limit hit"),
    "pair_rate": Refusal(400, 131056, "(Business Account, Consumer Account) pair rate limit hit"),
    "server_error": Refusal(500, 131000, "Something went wrong"),
}
_WEBHOOK_TIMEOUT_S = 10.0


class WhatsAppSandbox(Sandbox):
    """
    The Cloud API for one business phone number, on loopback.

    Numbers are not rewritten: the ``wa_id`` of a person is the number that was written to.

    Args:
        clock: The time it lives in: of messages, of webhooks and of the 24-hour window.
        port: Port on 127.0.0.1, 0 for a free one.
        webhook_url: Where it posts webhooks, or None to post none.
        templates: What the business account holds: a name stands for an approved template of any shape, a
            `SandboxTemplate` for one whose language, variables and buttons are checked. None takes every name for
            approved.
    """

    name = "whatsapp_cloud"

    def __init__(
        self,
        *,
        clock: Clock,
        port: int = 0,
        webhook_url: str | None = None,
        templates: Collection[str | SandboxTemplate] | None = None,
    ) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self._templates = None if templates is None else tuple(templates)
        self._lock = threading.Lock()
        self._received: list[SandboxMessage] = []
        self._requests: list[Mapping[str, Any]] = []
        self._marked: list[str] = []
        self._inbound_ids: set[str] = set()
        self._media: dict[str, tuple[Attachment, datetime]] = {}
        self._inbound = 0
        self._written_at: dict[Address, datetime] = {}
        self._faults: deque[Fault] = deque()
        self._server: LoopbackServer | None = None
        self._http: httpx.Client | None = None

    def start(self) -> None:
        """
        Serve on loopback in a background thread; *port* then holds the real one.

        Raises:
            ConfigurationError: The extra ``sandbox`` is not installed.
        """
        if self._server is not None:
            return
        try:
            from cobranza_whatsapp_cloud._sandbox_server import SandboxApplication
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                [f"the emulator needs {error.name}: install cobranza-whatsapp-cloud[sandbox]"]
            ) from error
        application = partial(
            SandboxApplication, send=self._send, look=self._look, upload=self._upload, catalogue=self._catalogue
        )
        self._server = LoopbackServer(application, port=self.port)
        self.port = self._server.port

    def stop(self) -> None:
        """
        Stop serving. Safe to call twice.
        """
        server, self._server = self._server, None
        if server is not None:
            server.close()
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the channel reaches this emulator, secrets as plain text.
        """
        return {
            "phone_number_id": PHONE_NUMBER_ID,
            "waba_id": WABA_ID,
            "access_token": ACCESS_TOKEN,
            "app_secret": APP_SECRET,
            "verify_token": VERIFY_TOKEN,
            "api_version": "v25.0",
            "base_url": f"http://127.0.0.1:{self.port}",
        }

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        Messages taken so far, in order.
        """
        with self._lock:
            return tuple(self._received)

    @property
    def requests(self) -> Sequence[Mapping[str, Any]]:
        """
        What was asked for, message by message as in *received*: the vendor's own JSON.
        """
        with self._lock:
            return tuple(self._requests)

    @property
    def media(self) -> Mapping[str, Attachment]:
        """
        Files that were uploaded, by id.
        """
        with self._lock:
            return {media_id: file for media_id, (file, _) in self._media.items()}

    @property
    def marked_read(self) -> Sequence[str]:
        """
        Ids of inbound messages that were marked as read, in order.
        """
        with self._lock:
            return tuple(self._marked)

    # What is asked for

    def fail_next(self, fault: Fault) -> None:
        """
        Let one call go wrong; several wait in line.

        Args:
            fault: ``rate_limit``, ``pair_rate`` and ``server_error`` do not take the message; ``hang`` takes it and
                never answers; ``bad_json`` takes it and answers what nobody can read.
        """
        if fault not in get_args(Fault):
            msg = f"fault must be one of {', '.join(get_args(Fault))}"
            raise InvalidValueError(msg)
        with self._lock:
            self._faults.append(fault)

    def handshake(self) -> str:
        """
        Make the vendor's first call to the webhook address; the answer's text, which should be `CHALLENGE`.
        """
        import httpx

        url = httpx.URL(self._address()).copy_merge_params(
            {"hub.mode": "subscribe", "hub.challenge": CHALLENGE, "hub.verify_token": VERIFY_TOKEN}
        )
        return self._call("GET", url).text

    def deliver(self, provider_message_id: str) -> int | None:
        """
        Report the message as sent and then as delivered.

        Returns:
            Our answer to the second report, or to the first one when that was refused.
        """

        sent = self._report(provider_message_id, "sent")
        if sent is None or not HTTPStatus.OK <= sent < HTTPStatus.MULTIPLE_CHOICES:
            return sent
        return self._report(provider_message_id, "delivered")

    def read(self, provider_message_id: str) -> int | None:
        """
        Report the message as read.
        """
        return self._report(provider_message_id, "read")

    def fail(self, provider_message_id: str) -> int | None:
        """
        Report that the person cannot be reached on WhatsApp (131026).
        """
        return self._report(provider_message_id, "failed")

    def reply(self, provider_message_id: str, text: str) -> int | None:
        """
        Let the person answer the message with *text*, which opens the 24-hour window.
        """
        return self._answered(provider_message_id, {"type": "text", "text": {"body": text}})

    def write(self, person: Address, text: str) -> int | None:
        """
        Let *person* write *text* without being asked, which opens the 24-hour window.
        """
        return self._posted(person, {"type": "text", "text": {"body": text}})

    def tap(self, provider_message_id: str, payload: str, title: str) -> int | None:
        """
        Let the person tap the template's quick reply that shows *title*, which opens the 24-hour window.
        """
        return self._answered(provider_message_id, {"type": "button", "button": {"payload": payload, "text": title}})

    def choose(self, provider_message_id: str, action_id: str) -> int | None:
        """
        Let the person tap one of the message's own buttons or rows, which opens the 24-hour window.
        """
        message = self._message(provider_message_id)
        interactive = self.requests[self.received.index(message)].get("interactive", {})
        titles = choices(interactive) if interactive.get("type") in {"button", "list"} else {}
        if action_id not in titles:
            msg = "that message offers no such choice"
            raise InvalidValueError(msg)
        kind = f"{interactive['type']}_reply"
        reply = {"type": kind, kind: {"id": action_id, "title": titles[action_id]}}
        return self._answered(provider_message_id, {"type": "interactive", "interactive": reply})

    # The vendor's webhooks

    def _report(self, provider_message_id: str, status: str) -> int | None:
        message = self._message(provider_message_id)
        return self._post(_status_value(message, status, self._now_s()))

    def _answered(self, provider_message_id: str, content: Mapping[str, object]) -> int | None:
        message = self._message(provider_message_id)
        context = {"from": DISPLAY_PHONE_NUMBER, "id": message.provider_message_id}
        return self._posted(message.to, {"context": context, **content})

    def _posted(self, person: Address, content: Mapping[str, object]) -> int | None:
        with self._lock:
            self._inbound += 1
            wamid = _wamid(f"in.{self._inbound}", self.clock.now())
            self._inbound_ids.add(wamid)
            self._written_at[person] = self.clock.now()
        return self._post(_inbound_value(person, wamid, self._now_s(), content))

    def _message(self, provider_message_id: str) -> SandboxMessage:
        for message in self.received:
            if message.provider_message_id == provider_message_id:
                return message
        msg = "this emulator took no message with that id"
        raise InvalidValueError(msg)

    def _now_s(self) -> str:
        return str(int(self.clock.now().timestamp()))

    def _post(self, value: Mapping[str, object]) -> int | None:
        if self.webhook_url is None:
            return None
        change = {"field": "messages", "value": value}
        document = {"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": [change]}]}
        body = serialise(document)
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(body)}
        return self._call("POST", self._address(), content=body, headers=headers).status_code

    def _address(self) -> str:
        if self.webhook_url is None:
            msg = "this emulator has no webhook_url"
            raise InvalidValueError(msg)
        return self.webhook_url

    def _call(self, method: str, url: httpx.URL | str, **parts: Any) -> httpx.Response:
        import httpx

        if self._http is None:
            self._http = httpx.Client(trust_env=False, timeout=_WEBHOOK_TIMEOUT_S)
        try:
            return self._http.request(method, url, **parts)
        except httpx.HTTPError as error:
            msg = f"nobody answers at the webhook address ({type(error).__name__})"
            raise CobranzaError(msg, hint="start the server that takes webhooks first") from error

    # The vendor's API

    def _send(self, call: Call) -> Answer:
        with self._lock:
            refusal = _refused_caller(call)
            if refusal is not None:
                return refusal.answer()
            fault = self._faults.popleft() if self._faults else None
            if fault in _REFUSING:
                return _REFUSING[fault].answer()
            if is_mark(call.body):
                return self._mark(call.body)
            taken = self._take(call.body)
        if isinstance(taken, Refusal):
            return taken.answer()
        return _success(taken, fault)

    def _take(self, body: bytes) -> SandboxMessage | Refusal:
        try:
            request = read_request(body)
            self._require_sendable(request)
        except RefusedError as error:
            return error.refusal
        now = self.clock.now()
        message = SandboxMessage(
            provider_message_id=_wamid(f"out.{len(self._received) + 1}", now),
            to=request.to,
            text=request.text,
            template=request.template,
            attempt_id=request.attempt_id,
            at=now,
            files=[self._file_of(shown) for shown in shown_files(request.document)],
        )
        self._received.append(message)
        self._requests.append(request.document)
        return message

    def _file_of(self, shown: Mapping[str, Any]) -> Attachment:
        name = str(shown.get("filename", "file"))
        if "link" in shown:
            return Attachment(filename=name, content_type=_FETCHED, url=str(shown["link"]))
        file, _ = self._media[shown["id"]]
        return evolve(file, filename=name)

    def _require_sendable(self, request: Request) -> None:
        if request.template is not None:
            self._require_template(request)
        else:
            written_at = self._written_at.get(request.to)
            if written_at is None or self.clock.now() - written_at >= _WINDOW:
                raise RefusedError(400, 131047, "Re-engagement message")
        for kind, media_id in request.media:
            file, at = self._media.get(media_id, (None, None))
            if file is None or at is None or self.clock.now() - at >= _MEDIA_LIFE:
                raise RefusedError(400, 131009, "Parameter value is not valid: there is no media with that id")
            if file.content_type not in ({PDF} if kind == "document" and request.template else TYPES[kind]):
                raise RefusedError(400, 131053, "Media upload error")

    def _require_template(self, request: Request) -> None:
        if self._templates is None:
            return
        for held in self._templates:
            if held == request.template:
                return
            if isinstance(held, SandboxTemplate) and (held.name, held.language) == (request.template, request.language):
                held.require_fits(request.document["template"])
                return
        raise RefusedError(404, 132001, "Template name does not exist in the translation")

    def _mark(self, body: bytes) -> Answer:
        try:
            wamid = read_mark(body)
        except RefusedError as error:
            return error.refusal.answer()
        if wamid not in self._inbound_ids:
            return Refusal(400, 131009, "Parameter value is not valid: message_id").answer()
        self._marked.append(wamid)
        return _answer(200, {"success": True})

    def _catalogue(self, call: Call) -> Answer:
        refusal = _refused_caller(call, owner=WABA_ID)
        if refusal is not None:
            return refusal.answer()
        held = [each for each in self._templates or () if isinstance(each, SandboxTemplate)]
        limit, after = call.query.get("limit", "25"), call.query.get("after", "0")
        if not limit.isdecimal() or not 0 < int(limit) <= _PAGE_SIZE or not after.isdecimal():
            return Refusal(400, 100, "Invalid parameter").answer()
        end = int(after) + int(limit)
        paging: dict[str, object] = {"cursors": {"before": after, "after": str(end)}}
        if end < len(held):
            paging["next"] = f"https://graph.example.com/next?after={end}"
        return _answer(200, {"data": [each.row() for each in held[int(after) : end]], "paging": paging})

    def _upload(self, call: Call) -> Answer:
        with self._lock:
            refusal = _refused_caller(call)
            if refusal is not None:
                return refusal.answer()
            kind = next((kind for kind, types in TYPES.items() if call.content_type in types), None)
            if call.form.get("messaging_product") != "whatsapp" or not call.body:
                return Refusal(400, 100, "The parameters messaging_product and file are required").answer()
            if (
                kind is None
                or len(call.body) > LIMITS[kind]
                or call.form.get("type", call.content_type) not in TYPES[kind]
            ):
                return Refusal(400, 100, "Param file must be of a supported type and size").answer()
            media_id = f"{11668461814214 * 100 + len(self._media)}"
            file = Attachment(filename="file", content_type=call.content_type, content=call.body)
            self._media[media_id] = (file, self.clock.now())
            return _answer(200, {"id": media_id})

    def _look(self, call: Call) -> Answer:
        refusal = _refused_caller(call)
        if refusal is not None:
            return refusal.answer()
        return _answer(200, {"verified_name": "Comercial Ejemplo", "quality_rating": "GREEN", "id": PHONE_NUMBER_ID})


def sign(body: bytes) -> str:
    """
    Value of ``X-Hub-Signature-256`` for *body*.
    """
    return "sha256=" + hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()


def _answer(status: int | None, document: Mapping[str, object]) -> Answer:
    from cobranza_whatsapp_cloud._sandbox_server import Answer

    return Answer(status=status, body=serialise(document))


def _success(message: SandboxMessage, fault: Fault | None) -> Answer:
    value = message.to.value
    identity = {"wa_id": value[1:]} if message.to.scheme == "e164" else {"user_id": value}
    sent = {"id": message.provider_message_id} | ({"message_status": "accepted"} if message.template else {})
    answer = _answer(
        None if fault == "hang" else 200,
        {"messaging_product": "whatsapp", "contacts": [{"input": value, **identity}], "messages": [sent]},
    )
    if fault == "bad_json":
        return type(answer)(status=200, body=answer.body[:-1])
    return answer


def _refused_caller(call: Call, *, owner: str = PHONE_NUMBER_ID) -> Refusal | None:
    if not hmac.compare_digest(call.authorization.encode(), f"Bearer {ACCESS_TOKEN}".encode()):
        return Refusal(401, 190, "Invalid OAuth access token")
    if call.number_id != owner:
        return Refusal(400, 100, "Unsupported request: the object does not exist or cannot be loaded")
    return None


def _wamid(serial: str, at: datetime) -> str:
    """
    An id that looks like the vendor's: the same for the same call at the same instant, and unique in one emulator.
    """
    text = f"{PHONE_NUMBER_ID}.{at:%Y%m%d%H%M%S}.{serial}"
    return "wamid.HBg" + base64.b64encode(text.encode()).decode("ascii")


def _value(**parts: object) -> dict[str, object]:
    metadata = {"display_phone_number": DISPLAY_PHONE_NUMBER, "phone_number_id": PHONE_NUMBER_ID}
    return {"messaging_product": "whatsapp", "metadata": metadata, **parts}


def _contacts(person: Address) -> list[dict[str, object]]:
    key = "wa_id" if person.scheme == "e164" else "user_id"
    return [{"profile": {"name": "Señora Ejemplo"}, key: person.value.removeprefix("+")}]


def _status_value(message: SandboxMessage, status: str, timestamp: str) -> dict[str, object]:
    key = "recipient_id" if message.to.scheme == "e164" else "recipient_user_id"
    update: dict[str, object] = {
        "id": message.provider_message_id,
        "status": status,
        "timestamp": timestamp,
        key: message.to.value.removeprefix("+"),
    }
    if message.attempt_id is not None:
        update["biz_opaque_callback_data"] = message.attempt_id
    if status in {"sent", "delivered"}:
        category = "utility" if message.template else "service"
        update["pricing"] = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": category}
    if status != "failed":
        return _value(contacts=_contacts(message.to), statuses=[update])
    words = "Message undeliverable"
    update["errors"] = [
        {
            "code": 131026,
            "title": words,
            "message": words,
            "error_data": {"details": f"{words}."},
            "href": "https://developers.example.com/error-codes/",
        }
    ]
    return _value(statuses=[update])


def _inbound_value(person: Address, wamid: str, timestamp: str, content: Mapping[str, object]) -> dict[str, object]:
    key = "from" if person.scheme == "e164" else "from_user_id"
    inbound = {key: person.value.removeprefix("+"), "id": wamid, "timestamp": timestamp, **content}
    return _value(contacts=_contacts(person), messages=[inbound])
