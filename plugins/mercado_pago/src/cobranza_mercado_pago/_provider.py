"""
The provider: builds requests and reads answers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cobranza_mercado_pago._amounts import DECIMALS, from_vendor, read_json, to_vendor, write_json
from cobranza_mercado_pago._config import MercadoPagoConfig
from cobranza_mercado_pago._errors import (
    GIVEN_BACK,
    NOT_FOUND,
    from_answer,
    from_question,
    from_transport,
    unreadable,
)
from cobranza_mercado_pago._payments import PAYMENT_ID, read_moment, read_payment
from cobranza_mercado_pago._webhooks import parse_envelope, verify_request
from cobranza_sdk import (
    Category,
    Disposition,
    Event,
    Health,
    Money,
    PaymentCapabilities,
    PaymentLink,
    PaymentProvider,
    ProviderError,
    Transmitted,
    VerifiedEnvelope,
    WebhookRequest,
)

_PREFERENCES, _PAYMENTS = "/checkout/preferences", "/v1/payments"
_PREFERENCE_ID = re.compile(r"[A-Za-z0-9-]{1,80}", re.ASCII)
_MAX_REFERENCE, _MAX_TITLE = 256, 250
_PAGE_SIZE, _MAX_PAGES = 50, 10
_NOT_FOUND_STATUS = 404
_AGO = timedelta(minutes=1)


class MercadoPago(PaymentProvider):
    """
    Links of Mercado Pago's Checkout Pro, and what was paid by them.

    The vendor promises nothing of idempotency keys for links: when the answer to one is lost, `find_links` tells.
    """

    name: ClassVar[str] = "mercado_pago"
    config: ClassVar[type] = MercadoPagoConfig
    capabilities: ClassVar[PaymentCapabilities] = PaymentCapabilities(
        currencies=frozenset(DECIMALS),
        cancel=True,
        expiry=True,
        refund=True,
        search=True,
        webhooks=True,
        calls_per_second=10,  # the vendor publishes no figure
    )

    settings: MercadoPagoConfig

    @property
    def account(self) -> str:
        """
        The seller's user id.
        """
        return self.settings.collector_id

    @property
    def hosts(self) -> Sequence[str]:
        """
        The API's host.
        """
        return (self.settings.host,)

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
        Make a preference of one item. Nothing about the payer is handed over.
        """
        price, now = to_vendor(amount), self.services.clock.now()
        if not 0 < len(reference) <= _MAX_REFERENCE or not reference.isprintable():
            raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code="reference")
        ends_at = expires_at or now + timedelta(days=self.settings.link_days)
        if ends_at <= now:
            raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code="expires_at")
        item = {
            "id": reference,
            "title": " ".join(description.split())[:_MAX_TITLE] or reference,
            "quantity": 1,
            "currency_id": amount.currency,
            "unit_price": price,
        }
        body = {
            "items": [item],
            "external_reference": reference,
            "expires": True,
            "expiration_date_from": _instant(now),
            "expiration_date_to": _instant(ends_at),
            "date_of_expiration": _instant(ends_at),
            **self._choices(),
        }
        answer = await self._call("POST", _PREFERENCES, body, key=f"link|{idempotency_key}")
        link = _read_link(answer)
        if link is None or (link.amount, link.reference) != (amount, reference):
            raise ProviderError.unrecognised()
        return link

    def _choices(self) -> dict[str, Any]:
        settings = self.settings
        methods: dict[str, Any] = {}
        if settings.excluded_payment_types:
            methods["excluded_payment_types"] = [{"id": kind} for kind in settings.excluded_payment_types]
        if settings.max_installments is not None:
            methods["installments"] = settings.max_installments
        chosen: dict[str, Any] = {"payment_methods": methods} if methods else {}
        if settings.back_urls:
            chosen |= {"back_urls": settings.back_urls, "auto_return": "approved"}
        return chosen

    async def cancel_link(self, link_id: str) -> None:
        """
        Let the preference expire: the vendor knows no other way. A voucher that was taken before can still be paid.
        """
        _require(_PREFERENCE_ID, link_id)
        body = {"expires": True, "expiration_date_to": _instant(self.services.clock.now() - _AGO)}
        await self._call("PUT", f"{_PREFERENCES}/{link_id}", body, key=f"cancel|{link_id}", repeatable=True)

    async def find_links(self, reference: str) -> Sequence[PaymentLink]:
        """
        Search the preferences, and read each: the list does not tell amounts.
        """
        now, links = self.services.clock.now(), []
        for element in await self._search(_PREFERENCES, "elements", {"external_reference": reference}):
            link_id = element.get("id") if isinstance(element, dict) else None
            if not isinstance(link_id, str) or not _PREFERENCE_ID.fullmatch(link_id):
                raise unreadable()
            link = _read_link(await self._ask(f"{_PREFERENCES}/{link_id}"))
            if link is None:
                raise unreadable()
            if link.reference == reference and (link.expires_at is None or link.expires_at > now):
                links.append(link)
        return tuple(links)

    # -- payments --------------------------------------------------------------------------------------------------

    async def fetch(self, payment_id: str) -> Event:
        """
        Read one payment. Right after its webhook the vendor may not find it yet: that failure may be asked again.
        """
        _require(PAYMENT_ID, payment_id)
        event = read_payment(await self._ask(f"{_PAYMENTS}/{payment_id}"), self.settings)
        if event is None or event.provider_message_id != payment_id:
            raise unreadable()
        return event

    async def find_payments(self, reference: str) -> Sequence[Event]:
        """
        Search the payments, the latest first.
        """
        query = {"external_reference": reference, "sort": "date_created", "criteria": "desc"}
        events = [read_payment(item, self.settings) for item in await self._search(_PAYMENTS, "results", query)]
        if None in events:
            raise unreadable()
        return tuple(event for event in events if event is not None and event.reference == reference)

    async def refund(self, payment_id: str, *, idempotency_key: str, amount: Money | None = None) -> Event:
        """
        Give back a payment or a part of it. What was given back before counts as done.
        """
        _require(PAYMENT_ID, payment_id)
        body = {} if amount is None else {"amount": to_vendor(amount)}
        try:
            answer = await self._call(
                "POST", f"{_PAYMENTS}/{payment_id}/refunds", body, key=f"refund|{idempotency_key}", repeatable=True
            )
        except ProviderError as error:
            if error.vendor_code not in GIVEN_BACK:
                raise
            answer = {}
        if isinstance(answer, dict) and answer.get("status") == "rejected":
            raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code="rejected")
        try:
            return await self.fetch(payment_id)
        except ProviderError as error:
            raise ProviderError(error.category, Disposition.RETRY, Transmitted.YES) from error

    # -- webhooks and health ---------------------------------------------------------------------------------------

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Check the signature over the id in the address, the request's id and the time.
        """
        return verify_request(request, self.settings)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Name the payment: a hint to fetch it, without status or amount.
        """
        return parse_envelope(envelope)

    async def check(self) -> Health:
        """
        Fetch the user whom the token stands for.
        """
        try:
            body = await self._ask("/users/me")
        except ProviderError as error:
            return Health(ok=False, detail=str(error))
        if not isinstance(body, dict) or str(body.get("id")) != self.settings.collector_id:
            return Health(ok=False, detail="the access token is another user's than collector_id")
        site = body.get("site_id")
        known = isinstance(site, str) and re.fullmatch(r"M[A-Z]{2}", site, re.ASCII)
        return Health(ok=True, detail=f"credentials work, site {site}" if known else "credentials work")

    # -- talking ---------------------------------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {self.settings.access_token.reveal()}"}
        except Exception:  # noqa: BLE001  # a secret is fetched by the host's own function, which may raise anything
            raise ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO) from None

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any], *, key: str, repeatable: bool = False
    ) -> Any:
        """
        Ask for something to be done, once.
        """
        import httpx

        headers = {
            **self._headers(),
            "Content-Type": "application/json",
            "X-Idempotency-Key": hashlib.sha256(key.encode()).hexdigest(),
            "X-Render-In-Process-Refunds": "true",
        }
        try:
            response = await self.services.http.request(
                method,
                self.settings.address(path),
                content=write_json(body).encode(),
                headers=headers,
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            raise from_transport(error, repeatable=repeatable) from error
        if not response.is_success:
            raise from_answer(response, self.services.clock.now(), repeatable=repeatable)
        return read_json(response.content)

    async def _ask(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """
        Ask a question.
        """
        import httpx

        try:
            response = await self.services.http.get(
                self.settings.address(path), params=query, headers=self._headers(), follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise from_question(from_transport(error)) from error
        if response.status_code == _NOT_FOUND_STATUS:
            raise ProviderError(Category.VALIDATION, Disposition.RETRY, Transmitted.MAYBE, vendor_code=NOT_FOUND)
        if not response.is_success:
            raise from_question(from_answer(response, self.services.clock.now()))
        return read_json(response.content)

    async def _search(self, path: str, items: str, query: Mapping[str, str]) -> list[Any]:
        found: list[Any] = []
        for page in range(_MAX_PAGES):
            body = await self._ask(f"{path}/search", {**query, "limit": _PAGE_SIZE, "offset": page * _PAGE_SIZE})
            listed = body.get(items) if isinstance(body, dict) else None
            if not isinstance(listed, list):
                raise unreadable()
            found += listed
            if len(listed) < _PAGE_SIZE:
                return found
        raise unreadable()  # not read to its end: what is missing might be what was asked for


def _require(pattern: re.Pattern[str], vendor_id: str) -> None:
    if not pattern.fullmatch(vendor_id):
        raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code="id")


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _read_link(body: Any) -> PaymentLink | None:
    if not isinstance(body, dict) or not isinstance(body.get("items"), list) or len(body["items"]) != 1:
        return None
    item, link_id, url, reference = (
        body["items"][0],
        body.get("id"),
        body.get("init_point"),
        body.get("external_reference"),
    )
    money = from_vendor(item.get("unit_price"), item.get("currency_id")) if isinstance(item, dict) else None
    if money is None or item.get("quantity", 1) != 1:
        return None
    if not isinstance(link_id, str) or not _PREFERENCE_ID.fullmatch(link_id) or not _is_address(url):
        return None
    if not isinstance(reference, str) or not reference.strip():
        return None
    ends_at = read_moment(body.get("expiration_date_to")) if body.get("expires") else None
    return PaymentLink(id=link_id, url=str(url), reference=reference, amount=money, expires_at=ends_at)


def _is_address(url: object) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() and url.isprintable() else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in str(url)
