"""
The ERP: streams debtors, invoices and payments in, and takes results back.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from attrs import Attribute, define, field, frozen

from cobranza_sdk import (
    Address,
    Category,
    ContactPoint,
    Debtor,
    Disposition,
    Erp,
    ErpBatch,
    ErpCapabilities,
    Health,
    Installment,
    InvalidValueError,
    Money,
    Payment,
    Person,
    ProviderError,
    Receivable,
    RejectedRecord,
    Secret,
    Transmitted,
)

if TYPE_CHECKING:
    import httpx

_UNAUTHORISED, _TOO_MANY, _REFUSED, _BROKEN = (401, 403), 429, 400, 500
_CURSOR = re.compile(r"[0-9]{1,18}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def _not_blank(_instance: object, attribute: Attribute[str], value: str) -> None:
    if not value.strip():
        msg = f"{attribute.name} may not be blank"
        raise InvalidValueError(msg)


def _web_address(_instance: object, attribute: Attribute[str], value: str) -> None:
    if not value.startswith(("http://", "https://")):
        msg = f"{attribute.name}: expected an address that begins with https://"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class AcmeBooksSettings:
    """
    One company's books.

    Attributes:
        base_url: Where the vendor's service is.
        company: Whose books.
        country: Of debtors whose country the books do not tell.
        token: Opens the service.
    """

    base_url: str = field(validator=_web_address)
    company: str = field(validator=_not_blank)
    country: str = field(validator=_not_blank)
    token: Secret


@define
class _FieldError(Exception):
    """
    A field that cannot be taken. Says what was expected and quotes nothing: it may name a person.
    """

    column: str
    reason: str


class AcmeBooks(Erp):
    """
    Acme's books.
    """

    name: ClassVar[str] = "acme_books"
    config: ClassVar[type] = AcmeBooksSettings
    capabilities: ClassVar[ErpCapabilities] = ErpCapabilities(incremental=True, write_back=True)

    settings: AcmeBooksSettings

    @property
    def account(self) -> str:
        """
        The company.
        """
        return self.settings.company

    @property
    def hosts(self) -> Sequence[str]:
        """
        The service's host.
        """
        return (urlsplit(self.settings.base_url).hostname or "",)

    # -- reading ---------------------------------------------------------------------------------------------------

    async def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        """
        Stream what changed since *cursor*, a page at a time, in the vendor's order: a debtor comes before its invoices.
        """
        after = int(cursor) if cursor is not None and _CURSOR.fullmatch(cursor) else 0
        is_more = True
        while is_more:
            rows, last, is_more = self.page(await self.ask("/changes", {"after": str(after)}))
            if is_more and last <= after:
                raise unreadable()
            after = last
            yield self.batch(rows, cursor=str(after))

    def page(self, told: Any) -> tuple[list[Any], int, bool]:
        """
        The rows of a page, where the next one begins, and whether there is one.
        """
        try:
            rows, last, is_more = told["rows"], told["last"], told["more"]
        except (KeyError, TypeError):
            raise unreadable() from None
        if not isinstance(rows, list) or type(last) is not int or not isinstance(is_more, bool):
            raise unreadable()
        return rows, last, is_more

    def batch(self, rows: Sequence[Any], *, cursor: str) -> ErpBatch:
        """
        The records of a page; a row that cannot be taken costs itself alone.
        """
        records, rejected = [], []
        for row in rows:
            try:
                records.append(self.record(row))
            except _FieldError as wrong:
                told = row.get("key") if isinstance(row, dict) else None
                key = told if isinstance(told, str) and _KEY.fullmatch(told) else None
                rejected.append(
                    RejectedRecord(source="changes", line=None, column=wrong.column, reason=wrong.reason, key=key)
                )
        return ErpBatch(records=records, rejected=rejected, cursor=cursor)

    def record(self, row: Any) -> Debtor | Receivable | Payment:
        """
        One row as what it is.
        """
        kind = row.get("kind") if isinstance(row, dict) else None
        if kind == "customer":
            return self.debtor(row)
        if kind == "invoice":
            return self.receivable(row)
        if kind == "payment":
            return self.payment(row)
        raise _FieldError(column="kind", reason="expected customer, invoice or payment")

    def debtor(self, row: Mapping[str, Any]) -> Debtor:
        """
        A customer. Whose phone it is nobody has confirmed yet.
        """
        points = []
        if row.get("phone"):
            points.append(ContactPoint(address=_address(_text(row, "phone")), holder_role="debtor"))
        country = _text(row, "country") if row.get("country") else self.settings.country
        try:
            return Debtor(
                external_id=_text(row, "key"),
                person=Person(name=_text(row, "name")),
                country=country,
                contact_points=points,
            )
        except InvalidValueError:
            raise _FieldError(column="country", reason="expected a code of ISO 3166-1, such as PE") from None

    def receivable(self, row: Mapping[str, Any]) -> Receivable:
        """
        An invoice of one installment.
        """
        amount, still_open = _money(row, "amount"), _money(row, "open")
        try:
            part = Installment(due_on=_day(row, "due_on"), amount=amount, open=still_open)
        except InvalidValueError:
            raise _FieldError(column="open", reason="expected an amount from 0 up to that of the invoice") from None
        return Receivable(
            external_id=_text(row, "key"),
            debtor_id=_text(row, "customer"),
            document=_text(row, "key"),
            installments=[part],
        )

    def payment(self, row: Mapping[str, Any]) -> Payment:
        """
        Money that came in at the vendor.
        """
        return Payment(
            external_id=_text(row, "key"),
            debtor_id=_text(row, "customer"),
            receivable_id=_text(row, "invoice") if row.get("invoice") else None,
            amount=_money(row, "amount"),
            paid_at=_instant(row, "paid_at"),
        )

    # -- writing and health ----------------------------------------------------------------------------------------

    async def write_back(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """
        Hand results over; the vendor takes the same result once.
        """
        await self.call("POST", "/results", json={"results": [dict(each) for each in updates]})

    async def check(self) -> Health:
        """
        Ask for the company.
        """
        try:
            told = await self.ask("/company")
        except ProviderError as error:
            return Health(ok=False, detail=str(error))
        is_ours = isinstance(told, dict) and told.get("company") == self.settings.company
        return Health(ok=is_ours, detail="credentials work" if is_ours else "the token is another company's")

    # -- talking ---------------------------------------------------------------------------------------------------

    async def ask(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """
        Ask a question; the JSON of the answer.
        """
        response = await self.call("GET", path, params=query)
        try:
            return response.json()
        except (ValueError, RecursionError):
            raise unreadable() from None

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """
        Call the vendor, once: retrying is the core's.
        """
        import httpx

        headers = {"Authorization": f"Bearer {self.settings.token.reveal()}"}
        try:
            response = await self.services.http.request(
                method, f"{self.settings.base_url}{path}", headers=headers, **more
            )
        except httpx.HTTPError as error:
            raise ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.MAYBE) from error
        if not response.is_success:
            raise self.refusal(response)
        return response

    def refusal(self, response: httpx.Response) -> ProviderError:
        """
        What went wrong, and what may be done next.
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


def unreadable() -> ProviderError:
    """
    An answer that cannot be read: it may be asked for again.
    """
    return ProviderError(Category.PROTOCOL, Disposition.RETRY, Transmitted.MAYBE)


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str) or not value.strip():
        raise _FieldError(column=column, reason="expected a text that is not blank")
    return value.strip()


def _money(row: Mapping[str, Any], column: str) -> Money:
    try:
        return Money.of(_text(row, column), _text(row, "currency"))
    except InvalidValueError:
        raise _FieldError(
            column=column, reason="expected an amount such as 1234.50, and a currency such as PEN"
        ) from None


def _day(row: Mapping[str, Any], column: str) -> date:
    try:
        return date.fromisoformat(_text(row, column))
    except ValueError:
        raise _FieldError(column=column, reason="expected a day such as 2026-08-31") from None


def _instant(row: Mapping[str, Any], column: str) -> datetime:
    try:
        at = datetime.fromisoformat(_text(row, column))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _FieldError(column=column, reason="expected an instant with offset, such as 2026-08-31T10:00:00-05:00")
    return at


def _address(phone: str) -> Address:
    try:
        return Address("e164", phone)
    except InvalidValueError:
        raise _FieldError(column="phone", reason="expected a number such as +51900100001") from None
