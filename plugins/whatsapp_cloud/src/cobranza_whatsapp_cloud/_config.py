"""
Settings of one business phone number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import field, frozen

from cobranza_sdk import InvalidValueError, Secret

if TYPE_CHECKING:
    from attrs import Attribute

DEFAULT_API_VERSION = "v25.0"
DEFAULT_BASE_URL = "https://graph.facebook.com"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,3}")


def _vendor_id(_instance: object, attribute: Attribute[Any], value: str) -> None:
    # It becomes a segment of the path: a slash or a dot there would address something else.
    if not _ID.fullmatch(value):
        msg = f"{attribute.name} must be the id that the vendor shows (letters and digits), not a phone number"
        raise InvalidValueError(msg)


def _version(_instance: object, attribute: Attribute[Any], value: str) -> None:
    if not _VERSION.fullmatch(value):
        msg = f"{attribute.name} must look like {DEFAULT_API_VERSION}"
        raise InvalidValueError(msg)


def _address(_instance: object, attribute: Attribute[Any], value: str) -> None:
    try:
        parts = urlsplit(value)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or "@" in value or "?" in value or "#" in value or not value.isprintable() or " " in value:
        msg = f"{attribute.name} must be an http(s) address without user, query and fragment"
        raise InvalidValueError(msg)


def _several(value: Secret | Iterable[Secret]) -> tuple[Secret, ...]:
    return (value,) if isinstance(value, Secret) else tuple(value)


def _some(_instance: object, attribute: Attribute[Any], value: tuple[Secret, ...]) -> None:
    if not value:
        msg = f"{attribute.name} needs at least one secret"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class WhatsAppCloudSettings:
    """
    What is needed to speak for one business phone number.

    Attributes:
        phone_number_id: The vendor's id of the number; not the number itself.
        waba_id: Id of the WhatsApp Business Account that owns the number and the templates.
        access_token: Token of a system user that may send.
        app_secret: Signs webhooks. While it is being rotated: the new one and the old one, both are tried.
        verify_token: A text of your own; the vendor repeats it when it first calls the webhook address.
        api_version: Version of the Graph API, pinned.
        base_url: Where the API is; an emulator's address for development.

    Raises:
        InvalidValueError: A setting is impossible. The text names the setting and never its value.
    """

    phone_number_id: str = field(validator=_vendor_id)
    waba_id: str = field(validator=_vendor_id)
    access_token: Secret
    app_secret: tuple[Secret, ...] = field(converter=_several, validator=_some)
    verify_token: Secret
    api_version: str = field(default=DEFAULT_API_VERSION, validator=_version)
    base_url: str = field(default=DEFAULT_BASE_URL, validator=_address)

    @property
    def number_url(self) -> str:
        """
        Address of the phone number in the API, without a slash at the end.
        """
        return f"{self.base_url.rstrip('/')}/{self.api_version}/{self.phone_number_id}"

    @property
    def account_url(self) -> str:
        """
        Address of the business account in the API, without a slash at the end.
        """
        return f"{self.base_url.rstrip('/')}/{self.api_version}/{self.waba_id}"

    @property
    def host(self) -> str:
        """
        Host of *base_url*.
        """
        return urlsplit(self.base_url).hostname or ""
