"""
The channel: builds requests and reads answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit, urlunsplit

from cobranza_sdk import (
    Absent,
    Accepted,
    AttemptRef,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    EventKind,
    Found,
    Health,
    OutboundMessage,
    ProviderError,
    Transmitted,
    Undetermined,
    UnsupportedCapabilityError,
    VerifiedEnvelope,
    WebhookRequest,
)
from cobranza_twilio_sms._config import TwilioSmsConfig
from cobranza_twilio_sms._errors import from_answer, from_delivery, from_question, from_transport, read_code, read_json
from cobranza_twilio_sms._segments import count_segments
from cobranza_twilio_sms._webhooks import REPORTED, SID, UNREPORTED, parse_envelope, verify_request

if TYPE_CHECKING:
    import httpx

_MAX_TEXT = 1600
_MAX_VALIDITY_S = 36_000
_DEAD_ON_ARRIVAL = frozenset({"failed", "undelivered", "canceled"})
_PAGE_SIZE = 1000
_MAX_PAGES = 10
#: How far the vendor's clock may be from ours, and how long a call may take to be recorded there.
_CREATED_BEFORE = timedelta(minutes=5)
_CREATED_AFTER = timedelta(minutes=10)


class TwilioSms(Channel):
    """
    SMS by Twilio's Programmable Messaging.

    Twilio honours no idempotency key: when the answer to a message is lost, `lookup` searches the account's list.
    """

    name: ClassVar[str] = "twilio_sms"
    config: ClassVar[type] = TwilioSmsConfig
    capabilities: ClassVar[ChannelCapabilities] = ChannelCapabilities(
        channel="sms",
        family="message",
        schemes=("e164",),
        free_text=True,
        receipts=frozenset({"sent", "delivered", "failed"}),
        inbound=True,
        lookup=True,
        correlation=True,
        text_length=_MAX_TEXT,
    )

    settings: TwilioSmsConfig

    @property
    def account(self) -> str:
        """
        The account's sid.
        """
        return self.settings.account_sid

    @property
    def hosts(self) -> Sequence[str]:
        """
        The API's host.
        """
        return (self.settings.host,)

    async def send(self, message: OutboundMessage) -> Accepted:
        """
        Create the message, once.
        """
        import httpx

        _require_supported(message)
        form = self._form(message)
        try:
            response = await self.services.http.post(
                f"{self.settings.api_url}/Messages.json", data=form, auth=self._auth(), follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise from_transport(error) from error
        if not response.is_success:
            raise from_answer(response, self.services.clock.now())
        return _read_accepted(response, message.text)

    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        """
        Ask by sid, or search the messages to the number around the time of the attempt for its words.
        """
        if attempt.provider_message_id is not None:
            return await self._look_up_sid(attempt.provider_message_id)
        asked_at = self.services.clock.now()
        day = (attempt.sent_at - _CREATED_BEFORE).astimezone(UTC).date().isoformat()
        # a message still in the vendor's queue has no DateSent, so only the second list can prove absence
        for query in ({"To": attempt.to.value, "DateSent>": day}, {"To": attempt.to.value}):
            search = await self._search(query, attempt)
            answer = search.answer
            if answer is not None:
                return answer
        return Absent(checked_until=asked_at)

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Check the signature over the address called and the fields or the body's hash.
        """
        return verify_request(request, self.settings)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Read a status or an inbound message. `occurred_at` is when it came in: Twilio signs no time.
        """
        return parse_envelope(envelope)

    def acknowledge(self) -> tuple[str, str]:
        """
        An empty TwiML answer: any text would be sent back as an SMS.
        """
        return ("text/xml", "<Response/>")

    async def check(self) -> Health:
        """
        Fetch the account; with an API key, which may not, one message.
        """
        path = ".json" if self.settings.api_key is None else "/Messages.json?PageSize=1"
        try:
            response = await self._get(f"{self.settings.api_url}{path}")
        except ProviderError as error:
            return Health(ok=False, detail=str(error))
        body = read_json(response)
        if not isinstance(body, dict):
            return Health(ok=False, detail="the answer is no JSON object: is base_url right?")
        status = body.get("status", "active")
        if status != "active":
            return Health(ok=False, detail="the account is not active")
        return Health(ok=True, detail="credentials work")

    def _form(self, message: OutboundMessage) -> dict[str, str]:
        form = {"To": message.to.value, **self._sender(message), "Body": message.text}
        callback = self._callback(message)
        if callback:
            form["StatusCallback"] = _with_ref(callback, message.attempt_id)
        if message.not_after is not None:
            form["ValidityPeriod"] = str(self._validity(message.not_after))
        return form

    def _callback(self, message: OutboundMessage) -> str | None:
        """
        Where receipts go: the configured address, or its host with the path of our webhooks when it names no path.
        """
        own = message.callback_url or self.services.webhook_url
        public = self.settings.public_url
        if public is None or own is None or urlsplit(public).path not in ("", "/"):
            return public or own
        host = urlsplit(public)
        return urlunsplit((host.scheme, host.netloc, urlsplit(own).path, "", ""))

    def _sender(self, message: OutboundMessage) -> dict[str, str]:
        sender = message.sender or self.settings.from_number or self.settings.messaging_service_sid or ""
        return {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}

    def _validity(self, not_after: datetime) -> int:
        left = int((not_after - self.services.clock.now()) / timedelta(seconds=1))
        if left < 1:
            raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)
        return min(left, _MAX_VALIDITY_S)

    def _auth(self) -> tuple[str, str]:
        try:
            return self.settings.sign_in()
        except Exception:  # noqa: BLE001  # a secret is fetched by the host's own function, which may raise anything
            raise ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO) from None

    async def _get(self, url: str, params: Mapping[str, str | int] | None = None) -> httpx.Response:
        import httpx

        try:
            response = await self.services.http.get(url, params=params, auth=self._auth(), follow_redirects=False)
        except httpx.HTTPError as error:
            raise from_question(from_transport(error)) from error
        if not response.is_success:
            raise from_question(from_answer(response, self.services.clock.now()))
        return response

    async def _look_up_sid(self, sid: str) -> Found | Undetermined:
        try:
            response = await self._get(f"{self.settings.api_url}/Messages/{quote(sid, safe='')}.json")
        except ProviderError as error:
            if error.vendor_code == "20404":
                return Undetermined(reason="the vendor no longer has the message it gave this id to")
            raise
        return _read_found(read_json(response)) or Undetermined(reason="the vendor's answer is not readable")

    async def _search(self, query: Mapping[str, str], attempt: AttemptRef) -> _Search:
        search = _Search(attempt=attempt)
        url = f"{self.settings.api_url}/Messages.json"
        params: dict[str, str | int] = {**query, "PageSize": _PAGE_SIZE}
        for _ in range(_MAX_PAGES):
            page = read_json(await self._get(url, params or None))
            if not isinstance(page, dict) or not isinstance(page.get("messages"), list) or "next_page_uri" not in page:
                return search
            for resource in page["messages"]:
                search.take(resource)
            if page["next_page_uri"] is None:
                search.complete = True
                return search
            following = self._next_page(page["next_page_uri"])
            if following is None:
                return search
            url, params = following, {}
        return search

    def _next_page(self, uri: object) -> str | None:
        """
        The next page's address, or None when it leads away from this account: the credentials would go with it.
        """
        import httpx

        base = httpx.URL(f"{self.settings.api_url}/Messages.json")
        try:
            url = base.join(uri) if isinstance(uri, str) else None
        except (httpx.InvalidURL, ValueError):
            return None
        if url is None or (url.scheme, url.netloc, url.path) != (base.scheme, base.netloc, base.path) or url.userinfo:
            return None
        return str(url)


class _Search:
    """
    What the vendor's list shows about one attempt.

    Attributes:
        complete: Whether the list was read to its end.
    """

    def __init__(self, *, attempt: AttemptRef) -> None:
        self.complete = False
        self._attempt = attempt
        self._matches: dict[str, Found] = {}
        self._doubt = False

    def take(self, resource: object) -> None:
        """
        Weigh one message of the list.
        """
        found = _read_found(resource)
        if found is None or not isinstance(resource, dict):
            self._doubt = True
            return
        if resource.get("direction") == "inbound":
            return
        created_at = _read_date(resource.get("date_created"))
        sent_at = self._attempt.sent_at
        if created_at is not None and not sent_at - _CREATED_BEFORE <= created_at <= sent_at + _CREATED_AFTER:
            return
        body = resource.get("body")
        if created_at is None or not body or not isinstance(body, str) or self._attempt.text is None:
            self._doubt = True
        elif body.split() == self._attempt.text.split():
            self._matches[found.provider_message_id] = found

    @property
    def answer(self) -> Found | Undetermined | None:
        """
        What can be said, or None when a complete list shows nothing of the attempt.
        """
        if len(self._matches) == 1:
            return next(iter(self._matches.values()))
        if len(self._matches) > 1:
            return Undetermined(reason="several messages have these words and this time")
        if self._doubt:
            return Undetermined(reason="a message of this time cannot be compared")
        return None if self.complete else Undetermined(reason="the vendor's list could not be read to its end")


def _require_supported(message: OutboundMessage) -> None:
    unsupported = {
        f"address scheme {message.to.scheme}": message.to.scheme != "e164",
        "templates": message.template is not None,
        "html": message.html is not None,
        "attachments": bool(message.attachments),
        "actions": bool(message.actions),
        f"text of over {_MAX_TEXT} characters": len(message.text) > _MAX_TEXT,
    }
    missing = [name for name, asked in unsupported.items() if asked]
    if missing:
        msg = f"twilio_sms does not support: {', '.join(missing)}"
        raise UnsupportedCapabilityError(msg)
    try:
        message.text.encode()
    except UnicodeEncodeError:
        raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO) from None
    if not message.text.strip():
        raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)


def _with_ref(url: str, attempt_id: str) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&" if parts.query else ""
    return urlunsplit(parts._replace(query=f"{query}ref={quote(attempt_id, safe='')}"))


def _read_accepted(response: httpx.Response, text: str) -> Accepted:
    body = read_json(response)
    if not isinstance(body, dict) or not _is_sid(body.get("sid")):
        raise ProviderError.unrecognised()
    status = body.get("status")
    if isinstance(status, str) and status in _DEAD_ON_ARRIVAL:
        # no callback reports the first status, so it must be told here
        raise from_delivery(read_code(body.get("error_code")))
    # num_segments is "0" until a messaging service has picked a sender
    return Accepted(
        provider_message_id=body["sid"],
        status=status if isinstance(status, str) else None,
        segments=count_segments(text).parts,
    )


def _read_found(resource: Any) -> Found | None:
    if not isinstance(resource, dict) or not _is_sid(resource.get("sid")):
        return None
    status = resource.get("status")
    return Found(
        provider_message_id=resource["sid"],
        kind=_state(status if isinstance(status, str) else ""),
        occurred_at=_read_date(resource.get("date_updated")),
    )


def _state(status: str) -> EventKind:
    if status == "canceled":
        return EventKind.FAILED
    if status in UNREPORTED:
        return EventKind.ACCEPTED
    return REPORTED.get(status, EventKind.UNKNOWN)


def _is_sid(value: object) -> bool:
    return isinstance(value, str) and SID.fullmatch(value) is not None


def _read_date(value: object) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value) if isinstance(value, str) else None
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return parsed.astimezone(UTC) if parsed is not None and parsed.tzinfo is not None else None
