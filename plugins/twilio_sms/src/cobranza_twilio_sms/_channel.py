"""
The channel: builds requests and reads answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from cobranza_sdk import (
    Absent,
    Accepted,
    AttemptRef,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    Found,
    Health,
    OutboundMessage,
    ProviderError,
    Transmitted,
    Undetermined,
    VerifiedEnvelope,
    WebhookRequest,
)
from cobranza_twilio_sms._config import TwilioSmsConfig
from cobranza_twilio_sms._errors import from_answer, from_delivery, from_question, from_transport, read_code, read_json
from cobranza_twilio_sms._forms import MAX_TEXT, create_form, require_supported
from cobranza_twilio_sms._lookup import Search, is_sid, read_found
from cobranza_twilio_sms._webhooks import parse_envelope, verify_request
from cobranza_twilio_sms.segments import count_segments

if TYPE_CHECKING:
    import httpx

_DEAD_ON_ARRIVAL = frozenset({"failed", "undelivered", "canceled"})
#: Refusals of a withdrawal that the state of the message has to explain.
_PERHAPS_TOO_LATE = frozenset({Category.VALIDATION, Category.PROTOCOL})
_PAGE_SIZE = 1000
_MAX_PAGES = 10


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
        templates=True,
        receipts=frozenset({"sent", "delivered", "failed"}),
        inbound=True,
        lookup=True,
        correlation=True,
        text_length=MAX_TEXT,
        messages_per_second=1,  # of a long code, the slowest sender: what is over waits at the vendor, for hours
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
        return await self._create(message)

    async def schedule(self, message: OutboundMessage, *, send_at: datetime) -> Accepted:
        """
        Let the vendor send the message later, by a messaging service. Beyond the contract: the core never calls this.

        What is scheduled is not judged again: whoever schedules has to `cancel` when the person pays or opts out.

        Args:
            message: What to send; its `not_after` holds for the delivery.
            send_at: When, aware; more than 5 minutes and at most 35 days from now.

        Raises:
            UnsupportedCapabilityError: The sender is no messaging service.
            ProviderError: As for `send`.
        """
        return await self._create(message, send_at)

    async def cancel(self, provider_message_id: str) -> bool:
        """
        Withdraw a scheduled message. May be repeated.

        Returns:
            True when it was withdrawn; False when it is too late: count it as sent.

        Raises:
            ProviderError: Nobody knows, or it is still scheduled.
        """
        url = self._message_url(provider_message_id)
        try:
            answer = await self._ask("POST", url, data={"Status": "canceled"})
        except ProviderError as error:
            if error.category not in _PERHAPS_TOO_LATE:
                raise
            answer = await self._ask("GET", url)
            if _read_status(answer) == "scheduled":
                raise
        status = _read_status(answer)
        if status is None or status == "scheduled":
            raise from_question(ProviderError.unrecognised())
        return status == "canceled"

    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        """
        Ask by sid, or search the messages to the number around the time of the attempt for its words.

        Of two with these words, and of one with others, nobody can say whether it is the attempt: a template, Smart
        Encoding and shortened links change the words that the vendor shows.
        """
        if attempt.provider_message_id is not None:
            return await self._look_up_sid(attempt.provider_message_id)
        asked_at = self.services.clock.now()
        search = Search(attempt)
        await self._read_list(attempt.to.value, search)
        return search.answer or Absent(checked_until=asked_at)

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
            response = await self._ask("GET", f"{self.settings.api_url}{path}")
        except ProviderError as error:
            return Health(ok=False, detail=str(error))
        body = read_json(response)
        if not isinstance(body, dict):
            return Health(ok=False, detail="the answer is no JSON object: is base_url right?")
        status = body.get("status", "active")
        if status != "active":
            return Health(ok=False, detail="the account is not active")
        return Health(ok=True, detail="credentials work")

    async def _create(self, message: OutboundMessage, send_at: datetime | None = None) -> Accepted:
        import httpx

        require_supported(message)
        form = create_form(
            message,
            self.settings,
            now=self.services.clock.now(),
            webhook_url=self.services.webhook_url,
            send_at=send_at,
        )
        try:
            response = await self.services.http.post(
                f"{self.settings.api_url}/Messages.json", data=form, auth=self._auth(), follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise from_transport(error) from error
        if not response.is_success:
            raise from_answer(response, self.services.clock.now())
        return _read_accepted(response, message)

    def _message_url(self, sid: str) -> str:
        return f"{self.settings.api_url}/Messages/{quote(sid, safe='')}.json"

    def _auth(self) -> tuple[str, str]:
        try:
            return self.settings.sign_in()
        except Exception:  # noqa: BLE001  # a secret is fetched by the host's own function, which may raise anything
            raise ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO) from None

    async def _ask(
        self,
        method: str,
        url: str,
        params: Mapping[str, str | int] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """
        Ask what may be asked again.
        """
        import httpx

        try:
            response = await self.services.http.request(
                method, url, params=params, data=data, auth=self._auth(), follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise from_question(from_transport(error)) from error
        if not response.is_success:
            raise from_question(from_answer(response, self.services.clock.now()))
        return response

    async def _look_up_sid(self, sid: str) -> Found | Undetermined:
        try:
            response = await self._ask("GET", self._message_url(sid))
        except ProviderError as error:
            if error.vendor_code == "20404":
                return Undetermined(reason="the vendor no longer has the message it gave this id to")
            raise
        return read_found(read_json(response)) or Undetermined(reason="the vendor's answer is not readable")

    async def _read_list(self, to: str, search: Search) -> None:
        url = f"{self.settings.api_url}/Messages.json"
        # by number alone: what still waits in the vendor's queue has no DateSent, and a list by date hides it
        params: dict[str, str | int] = {"To": to, "PageSize": _PAGE_SIZE}
        for _ in range(_MAX_PAGES):
            page = read_json(await self._ask("GET", url, params or None))
            if not isinstance(page, dict) or not isinstance(page.get("messages"), list) or "next_page_uri" not in page:
                return
            for resource in page["messages"]:
                search.take(resource)
            if page["next_page_uri"] is None:
                search.complete = True
                return
            following = self._next_page(page["next_page_uri"])
            if following is None:
                return
            url, params = following, {}

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


def _read_status(response: httpx.Response) -> str | None:
    body = read_json(response)
    status = body.get("status") if isinstance(body, dict) else None
    return status if isinstance(status, str) else None


def _read_accepted(response: httpx.Response, message: OutboundMessage) -> Accepted:
    body = read_json(response)
    if not isinstance(body, dict) or not is_sid(body.get("sid")):
        raise ProviderError.unrecognised()
    status = body.get("status")
    if isinstance(status, str) and status in _DEAD_ON_ARRIVAL:
        # no callback reports the first status, so it must be told here
        raise from_delivery(read_code(body.get("error_code")))
    return Accepted(
        provider_message_id=body["sid"],
        status=status if isinstance(status, str) else None,
        segments=_read_parts(body.get("num_segments"), message),
    )


def _read_parts(stated: object, message: OutboundMessage) -> int | None:
    if message.template is None:
        return count_segments(message.text).parts
    # the vendor holds the words, so only it can count; "0" until a messaging service has picked a sender
    if isinstance(stated, str) and re.fullmatch(r"[1-9][0-9]{0,2}", stated):
        return int(stated)
    return None
