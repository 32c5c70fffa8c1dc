"""
The channel: builds requests, reads answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

from cobranza_sdk import (
    Accepted,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    Health,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    Transmitted,
    UnsupportedCapabilityError,
    VerifiedEnvelope,
    WebhookRequest,
)
from cobranza_whatsapp_cloud import _errors, _webhooks
from cobranza_whatsapp_cloud._config import WhatsAppCloudSettings

if TYPE_CHECKING:
    import httpx

TEXT_LENGTH = 4096
_PARAMETER_LENGTH = 32_768
# The vendor refuses these in a variable: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
_BARRED_IN_PARAMETER = re.compile(r"[\n\r\t]| {4}")
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
        receipts=_RECEIPTS,
        inbound=True,
        correlation=True,
        lookup=False,
        text_length=TEXT_LENGTH,
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
        body = _encoded(_payload(message))

        response = await self._exchange("POST", f"{self.settings.number_url}/messages", content=body)
        try:
            return self._accepted(response)
        except ProviderError as error:
            self._log(error, response, attempt_id=message.attempt_id)
            raise

    async def check(self) -> Health:
        """
        Read the phone number's name and quality, which needs a valid token and the right id.
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
        return Health(ok=True, detail=f"number {self.account}, quality {word}")

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

    async def _exchange(
        self, method: str, url: str, *, content: bytes | None = None, params: dict[str, str] | None = None
    ) -> httpx.Response:
        import httpx

        headers = {"Authorization": self._authorization(), "Content-Type": "application/json"}
        try:
            return await self.services.http.request(method, url, content=content, params=params, headers=headers)
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
    asked = {
        f"address scheme {message.to.scheme}": message.to.scheme not in WhatsAppCloud.capabilities.schemes,
        "attachments": bool(message.attachments),
        "actions": bool(message.actions),
        "html": message.html is not None,
        f"text of more than {TEXT_LENGTH} characters": message.template is None and len(message.text) > TEXT_LENGTH,
    }
    missing = [name for name, is_asked in asked.items() if is_asked]
    if missing:
        msg = f"{WhatsAppCloud.name} does not support: {', '.join(missing)}"
        raise UnsupportedCapabilityError(msg)


def _payload(message: OutboundMessage) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        # Without its plus the vendor may read the number as one of the business's own country.
        "to" if message.to.scheme == "e164" else "recipient": message.to.value,
        "biz_opaque_callback_data": message.attempt_id,
    }
    if message.template is not None:
        return payload | {"type": "template", "template": _template(message.template)}
    if not message.text.strip():
        raise ProviderError(Category.VALIDATION, Disposition.FIX_FIRST, Transmitted.NO)
    return payload | {"type": "text", "text": {"body": message.text, "preview_url": False}}


def _template(template: MessageTemplate) -> dict[str, Any]:
    values = (*template.parameters, *template.buttons.values())
    if not all(_is_parameter(value) for value in values) or any(index < 0 for index in template.buttons):
        raise ProviderError(Category.TEMPLATE, Disposition.FIX_FIRST, Transmitted.NO)
    components: list[dict[str, Any]] = []
    if template.parameters:
        components.append({"type": "body", "parameters": [_text(value) for value in template.parameters]})
    components.extend(
        {"type": "button", "sub_type": "url", "index": str(index), "parameters": [_text(template.buttons[index])]}
        for index in sorted(template.buttons)
    )
    named: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    return named | {"components": components} if components else named


def _is_parameter(value: str) -> bool:
    return bool(value.strip()) and len(value) <= _PARAMETER_LENGTH and not _BARRED_IN_PARAMETER.search(value)


def _text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def _encoded(payload: dict[str, Any]) -> bytes:
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is no text in any encoding. The error itself would quote it.
        raise ProviderError(Category.VALIDATION, Disposition.FIX_FIRST, Transmitted.NO) from None
