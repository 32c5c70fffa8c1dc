"""
Settings of the account, as in ``cobranza.toml``.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen, validators

from cobranza_sdk import InvalidValueError, Secret

VENDOR = "https://api.mercadopago.com"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@frozen(kw_only=True)
class MercadoPagoConfig:
    """
    One application of one seller.

    Attributes:
        access_token: Of the seller's application, ``APP_USR-…``.
        collector_id: The seller's user id, digits: only payments to it count.
        webhook_secret: Of the application's webhooks, or several while it is rotated: any of them verifies.
        success_url: Where the payer is led back to after paying, https; also *pending_url* and *failure_url*.
        pending_url: After choosing a way that is paid later.
        failure_url: After a payment that was refused.
        link_days: How long a link works when nothing else is asked, in days.
        webhook_days: How old a signed webhook may be, in days. The vendor repeats for about two weeks and does not say
            whether a repetition is signed anew.
        excluded_payment_types: Ways to pay that are not offered, for example ``ticket``.
        max_installments: Most installments by card, or None for the account's own.
        accept_test_payments: Whether payments of test mode count.
        base_url: Where the API is, without a path.

    Raises:
        InvalidValueError: A setting is malformed.
    """

    access_token: Secret
    collector_id: str
    webhook_secret: tuple[Secret, ...] = ()
    success_url: str | None = None
    pending_url: str | None = None
    failure_url: str | None = None
    link_days: int = field(default=30, validator=[validators.ge(1), validators.le(365)])
    webhook_days: int = field(default=20, validator=[validators.ge(1), validators.le(365)])
    excluded_payment_types: tuple[str, ...] = ()
    max_installments: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    accept_test_payments: bool = False
    base_url: str = VENDOR

    def __attrs_post_init__(self) -> None:
        problem = self._account_problem() or self._address_problem()
        if problem:
            raise InvalidValueError(problem)

    def _account_problem(self) -> str | None:
        if not re.fullmatch(r"[0-9]{1,20}", self.collector_id, re.ASCII):
            return "collector_id must be the seller's user id, digits only"
        if not all(re.fullmatch(r"[a-z_]{1,40}", kind) for kind in self.excluded_payment_types):
            return "excluded_payment_types must be words such as ticket or credit_card"
        return None

    def _address_problem(self) -> str | None:
        base = _split(self.base_url)
        if base is None or base.path.strip("/") or base.query or base.fragment:
            return "base_url must be https://host without path, user or query"
        if base.scheme == "http" and base.hostname not in LOOPBACK:
            return "base_url must be https: the access token would travel in the clear"
        for name, url in self.back_urls.items():
            parts = _split(url)
            if parts is None or parts.scheme != "https":
                return f"{name}_url must be an https address without user and password"
        if self.back_urls and self.success_url is None:
            return "success_url is missing: pending_url and failure_url need it"
        return None

    @property
    def back_urls(self) -> dict[str, str]:
        """
        Where the payer is led back to, by the vendor's names.
        """
        urls = {"success": self.success_url, "pending": self.pending_url, "failure": self.failure_url}
        return {name: url for name, url in urls.items() if url is not None}

    @property
    def host(self) -> str:
        """
        Host of the API.
        """
        return urlsplit(self.base_url).hostname or ""

    def address(self, path: str) -> str:
        """
        Address of a resource.
        """
        return f"{self.base_url.rstrip('/')}{path}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if valid and "@" not in parts.netloc and url.isprintable() and " " not in url else None
