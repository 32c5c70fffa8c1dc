"""
The channel: builds requests, reads answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

from attrs import evolve

from cobranza_sdk import (
    Accepted,
    Attachment,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    Health,
    OutboundMessage,
    ProviderError,
    Transmitted,
    UnsupportedCapabilityError,
    VerifiedEnvelope,
    WebhookRequest,
)
from cobranza_whatsapp_cloud import _errors, _webhooks
from cobranza_whatsapp_cloud._catalogue import FIELDS, MAX_PAGES, PAGE_SIZE, VendorTemplate, read_page, summary
from cobranza_whatsapp_cloud._config import WhatsAppCloudSettings
from cobranza_whatsapp_cloud._media import LIMITS, read_file
from cobranza_whatsapp_cloud._payloads import TEXT_LENGTH, encoded, gaps, payload

if TYPE_CHECKING:
    import httpx

_TRACE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WORD = re.compile(r"[A-Za-z_]{1,64}")
_ID_LENGTH = 512
_SCHEMES = ("e164", "bsuid")
_RECEIPTS = {"sent", "delivered", "read", "failed"}


class WhatsAppCloud(Channel):
    """
    WhatsApp by the vendor's Cloud API, for one business phone number.

    A call is made once: the vendor honours no idempotency key and has no look-up. What became of a message whose answer
    was lost is told by its webhooks, which echo our attempt id.
    """

    name = "whatsapp_cloud"
    config = WhatsAppCloudSettings
    capabilities: ClassVar[ChannelCapabilities] = ChannelCapabilities(
        channel="whatsapp",
        family="message",
        schemes=_SCHEMES,
        free_text=True,
        session_window=timedelta(hours=24),
        templates=True,
        template_parts={"header", "named", "replies", "codes"},
        attachments=True,
        attachment_bytes=max(LIMITS.values()),
        attachment_links=True,
        actions=True,
        receipts=_RECEIPTS,
        inbound=True,
        correlation=True,
        lookup=False,
        text_length=TEXT_LENGTH,
        messages_per_second=80,
        recipient_per_second=1 / 6,
        recipient_burst=45,
        webhook_bytes=4 * 1024 * 1024,
    )

    settings: WhatsAppCloudSettings

    @property
    def account(self) -> str:
        """
        The vendor's id of the phone number.
        """
        return self.settings.phone_number_id

    @property
    def hosts(self) -> Sequence[str]:
        """
        The host of the API.
        """
        return (self.settings.host,)

    async def send(self, message: OutboundMessage) -> Accepted:
        """
        Hand *message* to the vendor, once.

        The API has no validity per message: one that is too late is refused here, one that waits at the vendor is not
        called back.

        Raises:
            ProviderError: Classed by the vendor's code.
            UnsupportedCapabilityError: The message has parts that this channel does not carry.
        """
        _require_supported(message)
        self._require_in_time(message)
        body = encoded(payload(message))
        if (loaded := await self._loaded(message)) is not message:
            # An upload takes its time, and the legal window may have closed meanwhile.
            self._require_in_time(message)
            body = encoded(payload(loaded))

        response = await self._exchange("POST", f"{self.settings.number_url}/messages", content=body)
        try:
            return self._accepted(response)
        except ProviderError as error:
            self._log(error, response, attempt_id=message.attempt_id)
            raise

    async def upload(self, attachment: Attachment) -> str:
        """
        Hand a file to the vendor, which keeps it for 30 days.

        `send` uploads by itself what has its bytes with it. To send one file to several people, upload it once and give
        its id as `Attachment.reference`.

        Returns:
            The vendor's id of the file.

        Raises:
            ProviderError: The vendor does not have it, or did not say. No message is out in either case.
        """
        file = read_file(attachment)
        if not file.content:
            raise ProviderError(Category.VALIDATION, Disposition.FIX_FIRST, Transmitted.NO)
        answer = await self._asked(
            "POST",
            f"{self.settings.number_url}/media",
            data={"messaging_product": "whatsapp", "type": file.content_type},
            # The name that the person sees goes with the message; here it is nobody's business.
            files={"file": ("file", file.content, file.content_type)},
        )
        media_id = answer.get("id")
        if not _is_id(media_id):
            raise _errors.before_sending(_errors.unreadable())
        return media_id

    async def _loaded(self, message: OutboundMessage) -> OutboundMessage:
        """
        *message* with the vendor's ids for bytes; itself where there are none.
        """
        files = [await self._held(file) for file in message.attachments]
        if files != list(message.attachments):
            message = evolve(message, attachments=files)
        template = message.template
        if template is not None and isinstance(template.header, Attachment) and template.header.content:
            message = evolve(message, template=evolve(template, header=await self._held(template.header)))
        return message

    async def _held(self, file: Attachment) -> Attachment:
        return evolve(file, content=b"", reference=await self.upload(file)) if file.content else file

    async def check(self) -> Health:
        """
        Read the phone number's quality, which needs a valid token and the right id, and count the templates.
        """
        try:
            response = await self._exchange(
                "GET", self.settings.number_url, params={"fields": "verified_name,quality_rating"}
            )
            document = self._success(response)
        except ProviderError as error:
            return Health(ok=False, detail=str(error))
        quality = document.get("quality_rating")
        word = quality.lower() if isinstance(quality, str) and _WORD.fullmatch(quality) else "unknown"
        try:
            templates = summary(await self.templates())
        except ProviderError as error:
            # Sending needs no right to read them.
            templates = f"unread ({error.category})"
        return Health(ok=True, detail=f"number {self.account}, quality {word}, templates: {templates}")

    async def templates(self) -> Sequence[VendorTemplate]:
        """
        Read all templates of the business account, page by page.

        Needs the permission ``whatsapp_business_management``.

        Raises:
            ProviderError: A page could not be read. A part of the catalogue is never given for the whole.
        """
        found: list[VendorTemplate] = []
        params = {"fields": FIELDS, "limit": str(PAGE_SIZE)}
        for _ in range(MAX_PAGES):
            page = read_page(await self._asked("GET", f"{self.settings.account_url}/message_templates", params=params))
            if page is None:
                break
            templates, after = page
            found += templates
            if after is None:
                return found
            if after == params.get("after"):
                break
            params = {**params, "after": after}
        raise _errors.before_sending(_errors.unreadable())

    async def mark_read(self, provider_message_id: str, *, typing: bool = False) -> None:
        """
        Show a person that their message was read, with all that came before it.

        Args:
            provider_message_id: The vendor's id of the inbound message, as its event told it.
            typing: Whether to show also that an answer is being written.

        Raises:
            ProviderError: The vendor did not take it. It may be called again: it has no other effect.
        """
        if not _is_id(provider_message_id):
            raise ProviderError(Category.VALIDATION, Disposition.FIX_FIRST, Transmitted.NO)
        mark: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": provider_message_id,
            **({"typing_indicator": {"type": "text"}} if typing else {}),
        }
        answer = await self._asked("POST", f"{self.settings.number_url}/messages", content=encoded(mark))
        if answer.get("success") is not True:
            raise _errors.before_sending(_errors.unreadable())

    def challenge(self, request: WebhookRequest) -> str | None:
        """
        Answer the vendor's first call to the webhook address.
        """
        return _webhooks.challenge(request, self.settings.verify_token)

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Prove the signature over the raw body with any of the app's secrets.
        """
        return _webhooks.verify(request, self.settings.app_secret, account=self.account)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Read a batch of updates.
        """
        return _webhooks.parse(envelope, phone_number_id=self.account, waba_id=self.settings.waba_id)

    def _require_in_time(self, message: OutboundMessage) -> None:
        if message.not_after is not None and self.services.clock.now() >= message.not_after:
            raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)

    async def _asked(self, method: str, url: str, **parts: Any) -> dict[str, Any]:
        """
        What the vendor answers to a call by which no message goes out.
        """
        try:
            return self._success(await self._exchange(method, url, **parts))
        except ProviderError as error:
            raise _errors.before_sending(error) from None

    async def _exchange(self, method: str, url: str, **parts: Any) -> httpx.Response:
        import httpx

        headers = {"Authorization": self._authorization()}
        if "content" in parts:
            headers["Content-Type"] = "application/json"
        try:
            return await self.services.http.request(method, url, headers=headers, **parts)
        except httpx.HTTPError as error:
            raise _errors.from_transport(error) from error

    def _authorization(self) -> str:
        try:
            token = self.settings.access_token.reveal()
        except Exception:  # noqa: BLE001  # the operator's own function may raise anything, and nothing was sent yet
            token = ""
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO)
        return f"Bearer {token}"

    def _success(self, response: httpx.Response) -> dict[str, Any]:
        document = _errors.json_object(response)
        if not response.is_success or (document is not None and "error" in document):
            raise _errors.from_answer(response, now=self.services.clock.now())
        if document is None:
            raise _errors.unreadable()
        return document

    def _accepted(self, response: httpx.Response) -> Accepted:
        document = self._success(response)
        messages = document.get("messages")
        first = messages[0] if isinstance(messages, list) and messages else None
        fields = first if isinstance(first, dict) else {}
        wamid, status = fields.get("id"), fields.get("message_status")
        if not _is_id(wamid):
            raise _errors.unreadable()
        if status == "paused":
            # The vendor holds the template back: it gave an id and says that it will not send.
            raise ProviderError(
                Category.TEMPLATE, Disposition.FIX_FIRST, Transmitted.NO, vendor_message="message_status: paused"
            )
        known = isinstance(status, str) and _WORD.fullmatch(status)
        return Accepted(provider_message_id=wamid, status=status if known else None)

    def _log(self, error: ProviderError, response: httpx.Response, *, attempt_id: str) -> None:
        trace = (_errors.error_object(response) or {}).get("fbtrace_id")
        self.services.logger.warning(
            "whatsapp_cloud.not_accepted",
            attempt_id=attempt_id,
            http_status=response.status_code,
            category=str(error.category),
            vendor_code=error.vendor_code,
            # the vendor's support asks for it; held to its own alphabet, so that no text slips through
            fbtrace_id=trace if isinstance(trace, str) and _TRACE.fullmatch(trace) else None,
        )


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _ID_LENGTH and value.isprintable() and not value.isspace()


def _require_supported(message: OutboundMessage) -> None:
    missing = gaps(message)
    if message.to.scheme not in WhatsAppCloud.capabilities.schemes:
        missing.insert(0, f"address scheme {message.to.scheme}")
    if missing:
        msg = f"{WhatsAppCloud.name} does not support: {', '.join(missing)}"
        raise UnsupportedCapabilityError(msg)
