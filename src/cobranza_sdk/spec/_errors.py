"""
Errors between the core and its plugins.

CobranzaError
├── UnsupportedCapabilityError   before any I/O: this provider cannot do that
├── LiveInterlockError           before any I/O: live = false, and the host is not this machine
├── WebhookRejectedError         not from the vendor, or not readable: nothing was stored
└── ProviderError                the provider did not do it, or did not say
"""

from __future__ import annotations

import math
import re
from enum import StrEnum
from functools import partial
from typing import Self

from cobranza_sdk.model import CobranzaError

_MAX_WAIT_S = 86_400.0


class Category(StrEnum):
    """
    What went wrong.

    ``rate_limit`` is about the account, which slows down as a whole; too much to one person is ``recipient``.
    ``provider_down``, ``network`` and ``protocol`` say that the provider is in trouble: after five in a row it is left
    alone for a while.
    ``auth``, ``config`` and ``funds`` stop the account until somebody mends it.
    """

    CONFIG = "config"
    AUTH = "auth"
    FUNDS = "funds"
    VALIDATION = "validation"
    RECIPIENT = "recipient"
    OPTED_OUT = "opted_out"
    SESSION_CLOSED = "session_closed"
    TEMPLATE = "template"
    RATE_LIMIT = "rate_limit"
    PROVIDER_DOWN = "provider_down"
    NETWORK = "network"
    PROTOCOL = "protocol"


class Disposition(StrEnum):
    """
    What may be done next.
    """

    RETRY = "retry"
    FIX_FIRST = "fix_first"
    NEVER = "never"


class Transmitted(StrEnum):
    """
    Whether the provider may have accepted it.
    """

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


class UnsupportedCapabilityError(CobranzaError):
    """
    The provider does not declare what was asked of it. Raised before any I/O.
    """


class LiveInterlockError(CobranzaError):
    """
    With ``live = false`` nothing leaves this machine. Raised before any I/O.
    """


class WebhookRejectedError(CobranzaError):
    """
    The request is not from the vendor, or cannot be read. Nothing is stored; the text quotes nothing of it.
    """


_CODE = re.compile(r"[A-Za-z0-9._:-]{1,40}|[0-9. ]{1,40}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{8}", re.ASCII)


def _seconds(value: object) -> float | None:
    """
    A wait that can be waited; anything else, whatever its type, is no answer.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return max(0.0, min(float(value), _MAX_WAIT_S))


def _code(value: object) -> str | None:
    """
    A vendor's code as it may be logged: short, and no number that somebody could be called by.
    """
    if not isinstance(value, str) or not value:
        return None
    return value if _CODE.fullmatch(value) and not _NUMBER.search(value) else "unprintable"


class ProviderError(CobranzaError):
    """
    A provider did not do what it was asked, or did not say.

    One class and three answers, since the core's next move depends on nothing else.

    Attributes:
        category: What went wrong.
        disposition: What may be done next.
        transmitted: Whether the provider may have accepted the message.
        retry_after: Seconds to wait at least, or None.
        vendor_code: The vendor's code as text, or None.
        vendor_message: The vendor's own words, or None. May quote an address: it is never printed.
    """

    def __init__(
        self,
        category: Category | str,
        disposition: Disposition | str,
        transmitted: Transmitted | str,
        *,
        retry_after: float | None = None,
        vendor_code: str | None = None,
        vendor_message: str | None = None,
    ) -> None:
        self.category = Category(category)
        self.disposition = Disposition(disposition)
        self.transmitted = Transmitted(transmitted)
        self.retry_after = _seconds(retry_after)
        self.vendor_code = _code(vendor_code)
        self.vendor_message = vendor_message
        code = f" (code {self.vendor_code})" if self.vendor_code else ""
        super().__init__(f"{self.category}{code}: {self.disposition}, transmitted: {self.transmitted}")

    @classmethod
    def unrecognised(cls, *, vendor_code: str | None = None, vendor_message: str | None = None) -> Self:
        """
        A failed side effect that nobody can class: not to be repeated, may be out.
        """
        return cls(
            Category.PROTOCOL,
            Disposition.NEVER,
            Transmitted.MAYBE,
            vendor_code=vendor_code,
            vendor_message=vendor_message,
        )

    def __reduce__(self) -> tuple[object, ...]:
        """
        What another process needs to go on. The vendor's own words stay here: they may quote an address.
        """
        make = partial(type(self), retry_after=self.retry_after, vendor_code=self.vendor_code)
        return (make, (self.category, self.disposition, self.transmitted))
