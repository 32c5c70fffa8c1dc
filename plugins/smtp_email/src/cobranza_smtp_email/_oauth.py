"""
Access tokens for AUTH XOAUTH2: a ready one, or fetched from the vendor's token endpoint (RFC 6749) and renewed in time.

Every failure here happens before the first mail command: nothing was transmitted.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from attrs import define, field

from cobranza_sdk import Category, Disposition, ProviderError, Secret, Services, Transmitted

if TYPE_CHECKING:
    import httpx

    from cobranza_smtp_email._config import SmtpEmailSettings

#: How long before its end a token is replaced, and the share of a short life that this may take at most.
RENEW_BEFORE = timedelta(minutes=5)
_SHARE = 0.5
#: Life of a token whose endpoint does not say (RFC 6749, 5.1: it should).
_USUAL_LIFE_S = 3600.0
_MAX_LIFE_S = 86_400.0
_MAX_TOKEN = 8000  # with base64 it fits the 12288 octets that RFC 4954 gives to a line of AUTH


@define(eq=False)
class Tokens:
    """
    The access token of one account, shared by its connections.

    Attributes:
        settings: Where it comes from.
        services: The HTTP client and the clock.
    """

    settings: SmtpEmailSettings
    services: Services
    _token: Secret | None = field(default=None, init=False)
    _renew_at: datetime | None = field(default=None, init=False)
    _refresh: Secret | None = field(default=None, init=False)

    async def current(self) -> tuple[str, bool]:
        """
        A token that is still good, and whether it had been kept from an earlier login.

        Two connections that open at once may each fetch one: both are good.

        Raises:
            ProviderError: There is none to be had.
            LiveInterlockError: The token endpoint may not be reached.
        """
        if self.settings.oauth_access_token is not None:
            return _usable(self.settings.oauth_access_token.reveal()), False
        if self._token is not None and self._renew_at is not None and self.services.clock.now() < self._renew_at:
            return self._token.reveal(), True
        return await self._fetch(), False

    def forget(self) -> None:
        """
        Do not use the kept token again: the server refused it.
        """
        self._token = self._renew_at = None

    async def _fetch(self) -> str:
        import httpx

        answer: httpx.Response | None
        try:
            answer = await self.services.http.post(
                self.settings.oauth_endpoint or "", data=self._form(), headers={"Accept": "application/json"}
            )
        except httpx.HTTPError:  # its text names the address, its request holds the secrets: neither is kept
            answer = None
        if answer is None:
            raise _failed(Category.NETWORK, Disposition.RETRY, "the token endpoint cannot be reached")
        told = _told(answer)
        if answer.status_code != HTTPStatus.OK:
            raise _refusal(answer, told, self.services.clock.now())
        kind, token = told.get("token_type"), told.get("access_token")
        if not isinstance(token, str) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise _failed(Category.PROTOCOL, Disposition.RETRY, "the token endpoint's answer holds no bearer token")
        token = _usable(token)
        self._keep(token, told)
        return token

    def _form(self) -> dict[str, str]:
        settings = self.settings
        form = {"client_id": settings.oauth_client_id or ""}
        if settings.oauth_client_secret is not None:
            form["client_secret"] = settings.oauth_client_secret.reveal()
        if settings.oauth_refresh_token is None:
            form["grant_type"] = "client_credentials"
        else:
            form["grant_type"] = "refresh_token"
            form["refresh_token"] = (self._refresh or settings.oauth_refresh_token).reveal()
        if settings.oauth_scope is not None:
            form["scope"] = settings.oauth_scope
        return form

    def _keep(self, token: str, told: dict[str, Any]) -> None:
        life = timedelta(seconds=_life_s(told.get("expires_in")))
        self._token = Secret(token)
        self._renew_at = self.services.clock.now() + life - min(RENEW_BEFORE, life * _SHARE)
        renewed = told.get("refresh_token")
        if self.settings.oauth_refresh_token is not None and isinstance(renewed, str) and renewed:
            self._refresh = Secret(renewed)  # some vendors hand out a new one each time


def _usable(token: str) -> str:
    """
    Letters that a bearer token may have (RFC 6750): another one would end the line or the field it stands in.
    """
    if not token or len(token) > _MAX_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise _failed(Category.AUTH, Disposition.FIX_FIRST, "the access token is no bearer token")
    return token


def _life_s(value: object) -> float:
    if isinstance(value, str) and value.isdecimal():  # Microsoft's older endpoint
        value = int(value[:9])
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        return _USUAL_LIFE_S
    return min(float(value), _MAX_LIFE_S)


def _told(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _refusal(answer: httpx.Response, told: dict[str, Any], now: datetime) -> ProviderError:
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = _wait_s(answer.headers.get("retry-after"), now)
        return _failed(Category.RATE_LIMIT, Disposition.RETRY, "the token endpoint asks to wait", retry_after=wait)
    word = told.get("error")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or word == "temporarily_unavailable":
        return _failed(Category.PROVIDER_DOWN, Disposition.RETRY, "the token endpoint is out of order")
    # What remains is mended by a person: credentials (invalid_grant, invalid_client …) or a wrong address.
    category = Category.AUTH if isinstance(word, str) or status in _UNAUTHORISED else Category.CONFIG
    code = word if isinstance(word, str) else str(status)
    return _failed(category, Disposition.FIX_FIRST, "the token endpoint refuses", vendor_code=code)


_UNAUTHORISED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def _wait_s(value: str | None, now: datetime) -> float | None:
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _failed(
    category: Category,
    disposition: Disposition,
    said: str,
    *,
    vendor_code: str | None = None,
    retry_after: float | None = None,
) -> ProviderError:
    return ProviderError(
        category,
        disposition,
        Transmitted.NO,
        vendor_code=vendor_code,
        vendor_message=said,
        retry_after=retry_after,
    )
