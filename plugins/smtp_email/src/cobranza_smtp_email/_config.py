"""
Settings of the channel.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import field, frozen

from cobranza_sdk import InvalidValueError, Secret
from cobranza_smtp_email._message import Mailbox, clean

if TYPE_CHECKING:
    from attrs import Attribute

#: Port by TLS mode when none is configured. Port 25 is for relays between servers, so never for TLS of ours.
PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_MAX_PORT = 65535


def is_loopback(host: str) -> bool:
    """
    Whether *host*, a name or an address literal, is this machine for certain.
    """
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_link_base(url: str) -> bool:
    """
    Whether one-click links may start with *url*: https, or http to this machine; no query, no fragment.
    """
    if not url.isascii() or not url.isprintable() or any(character in url for character in ' <>"?#'):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _secrets(value: Secret | Iterable[Secret] | None) -> tuple[Secret, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, Secret) else tuple(value)


def _tls_mode(_instance: object, attribute: Attribute[Any], value: str) -> None:
    if value not in PORTS:
        msg = f"{attribute.name} must be one of {', '.join(sorted(PORTS))}"
        raise InvalidValueError(msg)


def _port(_instance: object, attribute: Attribute[Any], value: int | None) -> None:
    if value is not None and not 0 < value <= _MAX_PORT:
        msg = f"{attribute.name} must lie between 1 and {_MAX_PORT}"
        raise InvalidValueError(msg)


def _host(_instance: object, attribute: Attribute[Any], value: str) -> None:
    if not value.strip() or not value.isprintable() or any(character in value for character in " /@"):
        msg = f"{attribute.name} must be a host name or an address, without scheme or path"
        raise InvalidValueError(msg)


def _mailbox(_instance: object, attribute: Attribute[Any], value: str | None) -> None:
    mailbox = None if value is None else Mailbox.parse(value)
    if value is not None and (mailbox is None or mailbox.needs_utf8):
        msg = f"{attribute.name} must be one address, local@domain, with an ASCII local part"
        raise InvalidValueError(msg)


def _header_text(_instance: object, attribute: Attribute[Any], value: str | None) -> None:
    if value is not None and clean(value) is None:
        msg = f"{attribute.name} holds a control character or an encoded word"
        raise InvalidValueError(msg)


def _endpoint(_instance: object, attribute: Attribute[Any], value: str | None) -> None:
    if value is not None and not is_link_base(value):
        msg = f"{attribute.name} must be the https address of the vendor's token endpoint (http only on this machine)"
        raise InvalidValueError(msg)


def _link_base(_instance: object, attribute: Attribute[Any], value: str | None) -> None:
    if value is not None and not is_link_base(value):
        msg = f"{attribute.name} must be https (http only on this machine), without query or fragment"
        raise InvalidValueError(msg)


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _beginnings(_instance: object, attribute: Attribute[Any], value: tuple[str, ...]) -> None:
    if not all(is_link_base(each) for each in value):
        msg = f"{attribute.name} must hold beginnings of https links, without query or fragment"
        raise InvalidValueError(msg)
    if value and find_spec("segno") is None:
        msg = f"{attribute.name} needs segno, which is not installed: pip install 'cobranza-smtp-email[qr]'"
        raise InvalidValueError(msg)


def _within(least: int, most: int) -> Callable[[object, Attribute[Any], int], None]:
    def check(_instance: object, attribute: Attribute[Any], value: int) -> None:
        if not least <= value <= most:
            msg = f"{attribute.name} must lie between {least} and {most}"
            raise InvalidValueError(msg)

    return check


@frozen(kw_only=True)
class SmtpEmailSettings:
    """
    How to reach the submission server and in whose name to write.

    Attributes:
        host: The submission server's name, as its certificate has it.
        port: Its port; None is 587 for ``starttls``, 465 for ``implicit``, 25 for ``none``.
        tls: ``starttls`` (must succeed; there is no falling back), ``implicit``, or ``none`` on loopback alone.
        username: Account to log in with, or None to send without a login.
        password: Its password. Fetched at every login, so it may rotate.
        from_address: Sender of envelope and header; the account's identity.
        from_name: Name shown beside it, or None.
        reply_to: Where answers go, or None for *from_address*.
        unsubscribe_url: What one-click links start with; None takes the public address of this channel's webhooks.
        unsubscribe_secret: Keys of the link's signature: the first signs, all are accepted. Without one, a key follows
            from *password*: links then end with the password. Without either, *unsubscribe_url* is named as it stands.
        bounce_address: Envelope sender, to which servers return what they cannot deliver; None for *from_address*.
        unsubscribe_address: Mailbox that is read for requests to leave by mail, named beside the link; or None.
        tag_addresses: Whether the server of *bounce_address* and of the address for answers takes ``name+anything@``:
            each mail's addresses then carry its reference.
        inbound_secret: Keys with which mail that came back is signed when it is handed to the webhook: the first signs
            our references, all are accepted. Without one, nothing that comes back is read.
        qr_for: Beginnings of payment links, ``https://pay.example/``. A mail whose text holds one such link shows it as
            a QR picture too. Needs segno (extra ``qr``).
        max_connections: Most connections that are open at once, for each event loop.
        mails_per_connection: After so many mails a connection is left.
        delivery_receipts: Whether to ask for a report of each delivery too. Few servers send one.
        oauth_access_token: A ready access token: the login is then AUTH XOAUTH2. Fetched at every login, so a callable
            or a file that something else keeps fresh serves.
        oauth_endpoint: Instead of it, the vendor's token endpoint, from which tokens are fetched and renewed.
        oauth_client_id: Id of the application registered at the vendor.
        oauth_client_secret: Its secret, or None for a public client.
        oauth_refresh_token: What the mailbox's owner consented to; without it the application logs in as itself
            (client credentials).
        oauth_scope: What to ask for, or None.
        ca_file: PEM file of the only authorities to trust, or None for the machine's own.

    Raises:
        InvalidValueError: A value is impossible, or ``tls = "none"`` meets a host that is not loopback.
    """

    host: str = field(validator=_host)
    port: int | None = field(default=None, validator=_port)
    tls: str = field(default="starttls", validator=_tls_mode)
    username: str | None = field(default=None, repr=False)
    password: Secret | None = None
    from_address: str = field(validator=_mailbox, repr=False)
    from_name: str | None = field(default=None, validator=_header_text)
    reply_to: str | None = field(default=None, validator=_mailbox, repr=False)
    unsubscribe_url: str | None = field(default=None, validator=_link_base)
    unsubscribe_secret: tuple[Secret, ...] = field(default=(), converter=_secrets)
    bounce_address: str | None = field(default=None, validator=_mailbox, repr=False)
    unsubscribe_address: str | None = field(default=None, validator=_mailbox, repr=False)
    tag_addresses: bool = False
    inbound_secret: tuple[Secret, ...] = field(default=(), converter=_secrets)
    delivery_receipts: bool = False
    qr_for: tuple[str, ...] = field(default=(), converter=_texts, validator=_beginnings)
    max_connections: int = field(default=4, validator=_within(1, 20))
    mails_per_connection: int = field(default=100, validator=_within(1, 1000))
    oauth_access_token: Secret | None = None
    oauth_endpoint: str | None = field(default=None, validator=_endpoint)
    oauth_client_id: str | None = None
    oauth_client_secret: Secret | None = None
    oauth_refresh_token: Secret | None = None
    oauth_scope: str | None = None
    ca_file: Path | None = None

    def __attrs_post_init__(self) -> None:
        if self.tls == "none" and not is_loopback(self.host):
            msg = 'tls = "none" is for this machine alone: mail and password would cross the network in clear'
            raise InvalidValueError(msg)
        self._require_one_login()
        if not self.inbound_secret and (self.tag_addresses or self.unsubscribe_address):
            msg = "inbound_secret is missing: expected the key of tag_addresses and unsubscribe_address"
            raise InvalidValueError(msg)

    def _require_one_login(self) -> None:
        ways = [self.password is not None, self.oauth_access_token is not None, self.oauth_endpoint is not None]
        parts = (self.oauth_client_id, self.oauth_client_secret, self.oauth_refresh_token, self.oauth_scope)
        if sum(ways) > 1:
            msg = "password, oauth_access_token and oauth_endpoint are three ways to log in: expected one of them"
        elif any(ways[1:]) and self.username is None:
            msg = "username is missing: a login by OAuth names the mailbox"
        elif self.oauth_endpoint is None and any(part is not None for part in parts):
            msg = "oauth_endpoint is missing: expected the address from which oauth_client_id fetches tokens"
        elif self.oauth_endpoint is not None and not self.oauth_client_id:
            msg = "oauth_client_id is missing: oauth_endpoint gives tokens to a registered application only"
        elif self.oauth_endpoint is not None and self.oauth_refresh_token is None and self.oauth_client_secret is None:
            msg = "oauth_refresh_token or oauth_client_secret is missing: expected what oauth_endpoint gives tokens for"
        else:
            return
        raise InvalidValueError(msg)

    @property
    def uses_oauth(self) -> bool:
        """
        Whether the login is by token.
        """
        return self.oauth_access_token is not None or self.oauth_endpoint is not None

    @property
    def effective_port(self) -> int:
        """
        The port to connect to.
        """
        return self.port or PORTS[self.tls]
