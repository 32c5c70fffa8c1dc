"""
The channel: one message to one address, and what became of it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from cobranza_sdk import (
    Absent,
    Accepted,
    Address,
    AttemptRef,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    EventKind,
    Found,
    Health,
    InvalidValueError,
    OutboundMessage,
    ProviderError,
    Secret,
    Transmitted,
    Undetermined,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)

if TYPE_CHECKING:
    import httpx

SIGNATURE = "x-acme-signature"
#: What the vendor's words mean; a word that is not among them is kept as `unknown`.
_KINDS = {
    "delivered": EventKind.DELIVERED,
    "failed": EventKind.FAILED,
    "reply": EventKind.INBOUND_MESSAGE,
}
_UNAUTHORISED, _TOO_MANY, _REFUSED, _BROKEN = (401, 403), 429, 400, 500


def _not_blank(_instance: object, attribute: Attribute[str], value: str) -> None:
    if not value.strip():
        msg = f"{attribute.name} may not be blank"
        raise InvalidValueError(msg)


def _web_address(_instance: object, attribute: Attribute[str], value: str) -> None:
    if not value.startswith(("http://", "https://")):
        msg = f"{attribute.name}: expected an address that begins with https://"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class AcmeSmsSettings:
    """
    One account.

    Attributes:
        base_url: Where the vendor's service is.
        sender: From whom messages come.
        token: Opens the service.
        webhook_secret: Signs webhooks.
    """

    base_url: str = field(validator=_web_address)
    sender: str = field(validator=_not_blank)
    token: Secret
    webhook_secret: Secret


def sign(secret: str, body: bytes) -> str:
    """
    The signature of a webhook.
    """
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class AcmeSms(Channel):
    """
    SMS by Acme.
    """

    name: ClassVar[str] = "acme_sms"
    config: ClassVar[type] = AcmeSmsSettings
    capabilities: ClassVar[ChannelCapabilities] = ChannelCapabilities(
        channel="sms",
        family="message",
        schemes=("e164",),
        receipts=frozenset({"delivered", "failed"}),
        inbound=True,
        lookup=True,
        correlation=True,
        idempotency_window=timedelta(hours=24),
        text_length=1600,
    )

    settings: AcmeSmsSettings

    @property
    def account(self) -> str:
        """
        The sender.
        """
        return self.settings.sender

    @property
    def hosts(self) -> Sequence[str]:
        """
        The service's host.
        """
        return (urlsplit(self.settings.base_url).hostname or "",)

    # -- sending ---------------------------------------------------------------------------------------------------

    async def send(self, message: OutboundMessage) -> Accepted:
        """
        Hand the message over, once.
        """
        return self.read_accepted(await self.answer(message))

    async def answer(self, message: OutboundMessage) -> httpx.Response:
        """
        What the vendor answers, if it is no refusal.
        """
        import httpx

        try:
            response = await self.services.http.post(
                f"{self.settings.base_url}/messages", json=self.form(message), headers=self.headers()
            )
        except httpx.HTTPError as error:
            raise self.unsent(error) from error
        if response.status_code >= _REFUSED:
            raise self.refusal(response)
        return response

    def form(self, message: OutboundMessage) -> dict[str, Any]:
        """
        The message as the vendor wants it.
        """
        return {
            "from": self.settings.sender,
            "to": message.to.value,
            "text": message.text,
            "ref": message.attempt_id,
            "key": message.idempotency_key,
        }

    def headers(self) -> dict[str, str]:
        """
        What opens the service.
        """
        return {"Authorization": f"Bearer {self.settings.token.reveal()}"}

    def read_accepted(self, response: httpx.Response) -> Accepted:
        """
        The vendor's id, without which nothing was accepted.
        """
        try:
            document = response.json()
        except (ValueError, RecursionError):
            raise ProviderError.unrecognised() from None
        message_id = document.get("id") if isinstance(document, dict) else None
        if not isinstance(message_id, str) or not message_id:
            raise ProviderError.unrecognised()
        return Accepted(provider_message_id=message_id)

    def unsent(self, error: httpx.HTTPError) -> ProviderError:
        """
        Without a connection nothing was sent; after it nobody knows.
        """
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
            return ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO)
        return ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)

    def refusal(self, response: httpx.Response) -> ProviderError:
        """
        What went wrong, what may be done next, and whether the message may be out.
        """
        status = response.status_code
        code = str(status)
        if status == _TOO_MANY:
            wait = self.wait(response.headers.get("Retry-After"))
            return ProviderError(
                Category.RATE_LIMIT, Disposition.RETRY, Transmitted.NO, retry_after=wait, vendor_code=code
            )
        if status in _UNAUTHORISED:
            return ProviderError(Category.AUTH, Disposition.FIX_FIRST, Transmitted.NO, vendor_code=code)
        if status >= _BROKEN:
            return ProviderError(Category.PROVIDER_DOWN, Disposition.NEVER, Transmitted.MAYBE, vendor_code=code)
        return ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code=code)

    def wait(self, value: str | None) -> float | None:
        """
        Seconds of a ``Retry-After``, which holds seconds or a date.
        """
        if value is None:
            return None
        if value.strip().isdecimal():
            return float(value)
        try:
            return (parsedate_to_datetime(value) - self.services.clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None

    # -- asking ----------------------------------------------------------------------------------------------------

    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        """
        Ask by our own reference, which the vendor keeps.
        """
        import httpx

        try:
            response = await self.services.http.get(
                f"{self.settings.base_url}/messages", params={"ref": attempt.attempt_id}, headers=self.headers()
            )
        except httpx.HTTPError as error:
            raise ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO) from error
        if response.status_code >= _REFUSED:
            raise self.refusal(response)
        try:
            found = [each["id"] for each in response.json()["messages"]]
        except (ValueError, TypeError, KeyError):
            return Undetermined(reason="the vendor's list cannot be read")
        if not found:
            return Absent(checked_until=self.services.clock.now())
        return Found(provider_message_id=str(found[0]))

    async def check(self) -> Health:
        """
        Ask for the account.
        """
        import httpx

        try:
            response = await self.services.http.get(f"{self.settings.base_url}/account", headers=self.headers())
        except httpx.HTTPError as error:
            return Health(ok=False, detail=f"not reached: {type(error).__name__}")
        return Health(ok=response.is_success, detail=f"the service answers {response.status_code}")

    # -- webhooks --------------------------------------------------------------------------------------------------

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Prove by the raw bytes that the vendor sent this.
        """
        given = request.headers.get(SIGNATURE, "").encode("ascii", "replace")
        if not hmac.compare_digest(given, sign(self.settings.webhook_secret.reveal(), request.body).encode()):
            msg = "the signature does not match"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="hmac-sha256", signed=request.body)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Read what was signed. Kinds of webhooks that are not known say nothing.
        """
        try:
            told = json.loads(envelope.signed)
        except (ValueError, RecursionError):
            msg = "the signed body is no JSON"
            raise WebhookRejectedError(msg) from None
        if not isinstance(told, dict) or "event" not in told:
            return ()
        try:
            return (self.event(told, envelope),)
        except (KeyError, TypeError, ValueError):
            msg = "the signed body is not what the vendor sends"
            raise WebhookRejectedError(msg) from None

    def event(self, told: Mapping[str, Any], envelope: VerifiedEnvelope) -> Event:  # noqa: ARG002  # for those who refine it
        """
        One event; its key is the vendor's own, the same however often it is delivered.
        """
        return Event(
            kind=_KINDS.get(told["type"], EventKind.UNKNOWN),
            key=told["event"],
            occurred_at=datetime.fromisoformat(told["at"]),
            account=self.account,
            provider_message_id=told["message"],
            attempt_id=told.get("ref"),
            address=Address("e164", told["from"]) if "from" in told else None,
            text=told.get("text"),
            raw={"type": told["type"]},
        )
