"""
Settings of the account, as in ``cobranza.toml``.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

from cobranza_sdk import InvalidValueError, Secret

VENDOR = "https://api.twilio.com"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@frozen(kw_only=True)
class TwilioSmsConfig:
    """
    One Twilio account and the sender it writes from.

    Attributes:
        account_sid: Starts with ``AC``; webhooks carry it too.
        auth_token: The account's token, or several while it is rotated: the first signs in, all verify webhooks.
        api_key: Starts with ``SK``; signs in instead of the token. It cannot verify webhooks.
        api_secret: Belongs to *api_key*.
        shared_keys: Secrets of webhooks signed with HMAC-SHA256, by key id. Once one is set, SHA-1 is refused.
        from_number: Sender: a number with ``+``, a short code or an alphanumeric name; or else
        messaging_service_sid: the service (``MG…``) that picks the sender.
        public_url: The exact address Twilio calls, when it is not what the core takes itself to be. A fragment holds
            connection overrides (``#rc=3&rp=all``).
        base_url: Where the API is, without a path.

    Raises:
        InvalidValueError: Settings are missing, malformed or contradict each other.
    """

    account_sid: str
    auth_token: tuple[Secret, ...] = ()
    api_key: str | None = None
    api_secret: Secret | None = None
    shared_keys: dict[str, Secret] = field(factory=dict)
    from_number: str | None = None
    messaging_service_sid: str | None = None
    public_url: str | None = None
    base_url: str = VENDOR

    def __attrs_post_init__(self) -> None:
        problem = self._credentials_problem() or self._sender_problem() or self._address_problem()
        if problem:
            raise InvalidValueError(problem)

    def _credentials_problem(self) -> str | None:
        if not re.fullmatch(r"AC[0-9A-Za-z_-]{1,64}", self.account_sid):
            return "account_sid must be AC followed by letters and digits"
        if (self.api_key is None) != (self.api_secret is None):
            return "api_key and api_secret belong together: one of them is missing"
        if self.api_key is None and not self.auth_token:
            return "auth_token is missing: give it, or api_key with api_secret"
        return None

    def _sender_problem(self) -> str | None:
        if bool(self.from_number) == bool(self.messaging_service_sid):
            return "give exactly one of from_number and messaging_service_sid"
        if self.messaging_service_sid and not re.fullmatch(r"MG[0-9A-Za-z_-]{1,64}", self.messaging_service_sid):
            return "messaging_service_sid must be MG followed by letters and digits"
        if self.from_number and not re.fullmatch(r"\+[0-9]{5,15}|[0-9A-Za-z][0-9A-Za-z _-]{1,10}", self.from_number):
            return "from_number must be + and digits, a short code, or a name of at most 11 letters and digits"
        return None

    def _address_problem(self) -> str | None:
        base = _split(self.base_url)
        if base is None or base.path.strip("/") or base.query or base.fragment:
            return "base_url must be https://host without path, user or query"
        if base.scheme == "http" and base.hostname not in _LOOPBACK:
            return "base_url must be https: the credentials would travel in the clear"
        if self.public_url is not None and _split(self.public_url) is None:
            return "public_url must be the full address that Twilio calls, without user and password"
        if self.public_url is not None and "_" in (urlsplit(self.public_url).hostname or ""):
            return "public_url must have no _ in its host: Twilio refuses such a callback address"
        return None

    @property
    def host(self) -> str:
        """
        Host of the API.
        """
        return urlsplit(self.base_url).hostname or ""

    @property
    def api_url(self) -> str:
        """
        Address of the account's resource, without ``.json``.
        """
        return f"{self.base_url.rstrip('/')}/2010-04-01/Accounts/{self.account_sid}"

    def sign_in(self) -> tuple[str, str]:
        """
        User and password for the API. Fetches the secret: use it and keep no copy.
        """
        if self.api_key is not None and self.api_secret is not None:
            return (self.api_key, self.api_secret.reveal())
        return (self.account_sid, self.auth_token[0].reveal())


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if valid and "@" not in parts.netloc and url.isprintable() and " " not in url else None
