"""
The payment provider: makes links, and tells what was paid by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from cobranza_acme_pay._webhooks import parse_envelope, verify_request
from cobranza_sdk import (
    Category,
    Disposition,
    Event,
    EventKind,
    Health,
    InvalidValueError,
    Money,
    PaymentCapabilities,
    PaymentLink,
    PaymentProvider,
    ProviderError,
    Secret,
    Transmitted,
    VerifiedEnvelope,
    WebhookRequest,
)

if TYPE_CHECKING:
    import httpx

#: What the vendor's words say of the money; a word that is not among them is kept as `unknown`.
KINDS = {
    "paid": EventKind.PAYMENT_APPROVED,
    "waiting": EventKind.PAYMENT_PENDING,
    "refused": EventKind.PAYMENT_REJECTED,
    "refunded": EventKind.PAYMENT_REFUNDED,
    "charged_back": EventKind.PAYMENT_CHARGED_BACK,
}
_UNAUTHORISED, _TOO_MANY, _REFUSED, _BROKEN = (401, 403), 429, 400, 500
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_WORD = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _not_blank(_instance: object, attribute: Attribute[str], value: str) -> None:
    if not value.strip():
        msg = f"{attribute.name} may not be blank"
        raise InvalidValueError(msg)


def _web_address(_instance: object, attribute: Attribute[str], value: str) -> None:
    if not value.startswith(("http://", "https://")):
        msg = f"{attribute.name}: expected an address that begins with https://"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class AcmePaySettings:
    """
    One account.

    Attributes:
        base_url: Where the vendor's service is.
        merchant: Who is paid.
        token: Opens the service.
        webhook_secret: Signs webhooks; several while it is rotated.
    """

    base_url: str = field(validator=_web_address)
    merchant: str = field(validator=_not_blank)
    token: Secret
    webhook_secret: tuple[Secret, ...]


class AcmePay(PaymentProvider):
    """
    Payment links by Acme.
    """

    name: ClassVar[str] = "acme_pay"
    config: ClassVar[type] = AcmePaySettings
    capabilities: ClassVar[PaymentCapabilities] = PaymentCapabilities(
        currencies=frozenset({"CLP", "PEN"}),
        cancel=True,
        idempotency_window=timedelta(hours=24),
        expiry=True,
        refund=True,
        search=True,
        webhooks=True,
    )

    settings: AcmePaySettings

    @property
    def account(self) -> str:
        """
        The merchant.
        """
        return self.settings.merchant

    @property
    def hosts(self) -> Sequence[str]:
        """
        The service's host.
        """
        return (urlsplit(self.settings.base_url).hostname or "",)

    # -- links -----------------------------------------------------------------------------------------------------

    async def create_link(
        self,
        *,
        amount: Money,
        reference: str,
        description: str,
        idempotency_key: str,
        expires_at: datetime | None = None,
    ) -> PaymentLink:
        """
        Make a link, once; the vendor makes no second one for the same key.
        """
        if amount.currency not in self.capabilities.currencies or amount.minor <= 0:
            raise refused(code="amount")
        form = self.form(amount, reference, description, idempotency_key, expires_at)
        link = self.read_link(self.document(await self.post("/links", form)))
        if (link.amount, link.reference) != (amount, reference):
            raise ProviderError.unrecognised()
        return link

    def form(
        self, amount: Money, reference: str, description: str, key: str, expires_at: datetime | None
    ) -> dict[str, Any]:
        """
        The link as the vendor wants it.
        """
        return {
            "amount": self.to_vendor(amount),
            "currency": amount.currency,
            "reference": reference,
            "description": description,
            "key": key,
            "expires_at": None if expires_at is None else instant(expires_at),
        }

    def to_vendor(self, amount: Money) -> str:
        """
        The vendor takes amounts as text: every digit arrives.
        """
        return format(amount.amount, "f")

    def read_link(self, told: Any) -> PaymentLink:
        """
        A link, if it can be shown to a person.
        """
        try:
            link = PaymentLink(
                id=read_id(told["id"]),
                url=told["url"],
                reference=told["reference"],
                amount=self.read_money(told["amount"], told["currency"]),
                expires_at=None if told["expires_at"] is None else read_moment(told["expires_at"]),
            )
            is_safe = self.is_safe(link.url)
        except (KeyError, TypeError, ValueError):
            raise ProviderError.unrecognised() from None
        if not is_safe:
            raise ProviderError.unrecognised()
        return link

    def is_safe(self, url: str) -> bool:
        """
        Whether a payer may be sent there: https, or http on this machine, where the emulator is.
        """
        parts = urlsplit(url)
        if not url.isascii() or not url.isprintable() or " " in url or not parts.hostname or "@" in parts.netloc:
            return False
        return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)

    async def cancel_link(self, link_id: str) -> None:
        """
        Withdraw a link.
        """
        await self.post(f"/links/{known(link_id)}/cancel", {})

    async def find_links(self, reference: str) -> Sequence[PaymentLink]:
        """
        Links of a reference that still work.
        """
        told = await self.listed("/links", "links", reference)
        return [self.read_link(each) for each in told if isinstance(each, dict) and each.get("open") is True]

    # -- payments --------------------------------------------------------------------------------------------------

    async def fetch(self, payment_id: str) -> Event:
        """
        Ask for one payment.
        """
        told = self.document(await self.get(f"/payments/{known(payment_id)}"))
        event = self.read_payment(told)
        if event.provider_message_id != payment_id:
            raise unreadable()
        return event

    async def find_payments(self, reference: str) -> Sequence[Event]:
        """
        Every payment of a reference.
        """
        return [self.read_payment(each) for each in await self.listed("/payments", "payments", reference)]

    def read_payment(self, told: Any) -> Event:
        """
        A payment as it stands: its whole amount, and what went back of it.
        """
        try:
            money = self.read_money(told["amount"], told["currency"])
            back = self.read_money(told["refunded"], told["currency"])
            kind = self.kind(told["status"], money, back)
            return Event(
                kind=kind,
                key=self.key(told),
                occurred_at=read_moment(told["at"]),
                account=self.account,
                provider_message_id=read_id(told["id"]),
                money=money,
                refunded=back if back.minor else None,
                reference=read_text(told["reference"]),
                raw={"status": told["status"] if _WORD.fullmatch(told["status"]) else "unprintable"},
            )
        except (KeyError, TypeError, ValueError):
            raise unreadable() from None

    def kind(self, status: str, money: Money, back: Money) -> EventKind:
        """
        What a status says, held against the amounts.
        """
        if not 0 <= back.minor <= money.minor or money.minor == 0:
            return EventKind.UNKNOWN
        return KINDS.get(status, EventKind.UNKNOWN)

    def key(self, told: Mapping[str, Any]) -> str:
        """
        The same until the payment changes.
        """
        return f"{told['id']}:{told['status']}:{told['refunded']}"

    def read_money(self, amount: Any, currency: Any) -> Money:
        """
        An amount, exactly; a number that JSON made a float is none.
        """
        return Money.of(read_text(amount), read_text(currency))

    async def refund(self, payment_id: str, *, idempotency_key: str, amount: Money | None = None) -> Event:
        """
        Give back a payment or a part of it; the vendor does it once for the same key.
        """
        form = {"key": idempotency_key, "amount": None if amount is None else self.to_vendor(amount)}
        await self.post(f"/payments/{known(payment_id)}/refunds", form)
        try:
            return await self.fetch(payment_id)
        except ProviderError as error:
            raise ProviderError(error.category, Disposition.RETRY, Transmitted.YES) from error

    # -- webhooks and health ---------------------------------------------------------------------------------------

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Prove by the raw bytes that the vendor sent this, and not long ago.
        """
        return verify_request(request, self.settings.webhook_secret, self.account)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Name the payments that something is said of. Kinds of webhooks that are not known say nothing.
        """
        return parse_envelope(envelope)

    async def check(self) -> Health:
        """
        Ask for the account.
        """
        try:
            told = self.document(await self.get("/account"))
        except ProviderError as error:
            return Health(ok=False, detail=str(error))
        is_ours = isinstance(told, dict) and told.get("merchant") == self.settings.merchant
        return Health(ok=is_ours, detail="credentials work" if is_ours else "the token is another merchant's")

    # -- talking ---------------------------------------------------------------------------------------------------

    def headers(self) -> dict[str, str]:
        """
        What opens the service.
        """
        return {"Authorization": f"Bearer {self.settings.token.reveal()}"}

    async def post(self, path: str, form: Mapping[str, Any]) -> httpx.Response:
        """
        Have something done, once. Every call is keyed or harmless when repeated: its failure may be tried again.
        """
        import httpx

        try:
            response = await self.services.http.post(self.address(path), json=form, headers=self.headers())
        except httpx.HTTPError as error:
            raise self.undone(error) from error
        if not response.is_success:
            raise self.refusal(response)
        return response

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> httpx.Response:
        """
        Ask a question: it may always be asked again.
        """
        import httpx

        try:
            response = await self.services.http.get(self.address(path), params=query, headers=self.headers())
        except httpx.HTTPError as error:
            raise self.undone(error) from error
        if not response.is_success:
            raise self.refusal(response)
        return response

    async def listed(self, path: str, name: str, reference: str) -> list[Any]:
        """
        What the vendor has of a reference.
        """
        told = self.document(await self.get(path, {"ref": reference}))
        found = told.get(name) if isinstance(told, dict) else None
        if not isinstance(found, list):
            raise unreadable()
        return found

    def address(self, path: str) -> str:
        """
        Where a resource is.
        """
        return f"{self.settings.base_url}{path}"

    def document(self, response: httpx.Response) -> Any:
        """
        The JSON of an answer, or None.
        """
        try:
            return response.json()
        except (ValueError, RecursionError):
            return None

    def undone(self, error: httpx.HTTPError) -> ProviderError:
        """
        Without a connection nothing was done; after it nobody knows.
        """
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
            return ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO)
        return ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.MAYBE)

    def refusal(self, response: httpx.Response) -> ProviderError:
        """
        What went wrong, what may be done next, and whether it may have been done.
        """
        status, code = response.status_code, str(response.status_code)
        if status == _TOO_MANY:
            wait = self.wait(response.headers.get("Retry-After"))
            return ProviderError(
                Category.RATE_LIMIT, Disposition.RETRY, Transmitted.NO, retry_after=wait, vendor_code=code
            )
        if status in _UNAUTHORISED:
            return ProviderError(Category.AUTH, Disposition.FIX_FIRST, Transmitted.NO, vendor_code=code)
        if status >= _BROKEN:
            return ProviderError(Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.MAYBE, vendor_code=code)
        if status < _REFUSED:
            return ProviderError.unrecognised(vendor_code=code)
        return refused(code=code)

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


def refused(*, code: str) -> ProviderError:
    """
    Not done, and not to be asked again as it is.
    """
    return ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code=code)


def unreadable() -> ProviderError:
    """
    A question whose answer cannot be read: it may be asked again.
    """
    return ProviderError(Category.PROTOCOL, Disposition.RETRY, Transmitted.MAYBE)


def known(vendor_id: str) -> str:
    """
    An id that can stand in an address.
    """
    if not _ID.fullmatch(vendor_id):
        raise refused(code="id")
    return vendor_id


def read_id(value: Any) -> str:
    """
    An id of the vendor's; raises `ValueError` for anything else.
    """
    text = read_text(value)
    if not _ID.fullmatch(text):
        msg = "no id"
        raise ValueError(msg)
    return text


def read_text(value: Any) -> str:
    """
    A text; raises `TypeError` for anything else.
    """
    if not isinstance(value, str):
        msg = "no text"
        raise TypeError(msg)
    return value


def read_moment(value: Any) -> datetime:
    """
    An instant in UTC; raises `ValueError` for one without offset.
    """
    at = datetime.fromisoformat(read_text(value))
    if at.tzinfo is None:
        msg = "no offset"
        raise ValueError(msg)
    return at.astimezone(UTC)


def instant(at: datetime) -> str:
    """
    An instant as the vendor wants it.
    """
    if at.tzinfo is None:
        msg = "expires_at needs an offset"
        raise InvalidValueError(msg)
    return at.astimezone(UTC).isoformat()
