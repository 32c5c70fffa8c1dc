"""
Webhooks: what came in, and the proof that it came from the vendor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NoReturn
from urllib.parse import urlsplit

from attrs import field, frozen

from cobranza_sdk.model._checks import aware


class Headers(Mapping[str, str]):
    """
    Header fields; names compare without case.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({sorted(self._fields)})"


def _place(url: str) -> str:
    """
    Host and path of *url*: user, password and query may be secrets.
    """
    try:
        parts = urlsplit(url)
        return repr(f"{parts.scheme}://{parts.hostname or ''}{parts.path}")
    except ValueError:
        return "'***'"


@frozen(kw_only=True)
class WebhookRequest:
    """
    A request that claims to come from a vendor.

    Attributes:
        method: ``GET``, ``POST`` …
        url: The public address the vendor called, query included. Printed without its query: a handshake's token
            stands there.
        headers: Header fields; names compare without case.
        body: The raw bytes.
        received_at: When, aware.
    """

    method: str
    url: str = field(repr=_place)
    headers: Mapping[str, str] = field(converter=Headers)
    body: bytes = field(repr=False)
    received_at: datetime = field(validator=aware)

    def verified(self, *, account: str, scheme: str, signed: bytes) -> VerifiedEnvelope:
        """
        State that the vendor signed this request.

        Args:
            account: Whose secret matched: the vendor's account or sender id.
            scheme: How it was proven, for example ``hmac-sha256``.
            signed: What the signature covers, and nothing else: only this can be parsed.
        """
        return VerifiedEnvelope(_PROOF, account=account, scheme=scheme, signed=signed, received_at=self.received_at)


_PROOF = object()


class VerifiedEnvelope:
    """
    Signed content. `WebhookRequest.verified` is the only way to make one.

    Attributes:
        account: Whose secret matched.
        scheme: How it was proven.
        signed: What the signature covers.
        received_at: When the request came in, aware.
    """

    __slots__ = ("account", "received_at", "scheme", "signed")

    account: str
    scheme: str
    signed: bytes
    received_at: datetime

    def __init__(self, proof: object, *, account: str, scheme: str, signed: bytes, received_at: datetime) -> None:
        if proof is not _PROOF:
            msg = "a VerifiedEnvelope is made by WebhookRequest.verified(account=…, scheme=…, signed=…)"
            raise TypeError(msg)
        object.__setattr__(self, "account", account)
        object.__setattr__(self, "scheme", scheme)
        object.__setattr__(self, "signed", bytes(signed))
        object.__setattr__(self, "received_at", received_at)

    def __init_subclass__(cls) -> NoReturn:
        msg = "a VerifiedEnvelope has no kinds: nothing else stands for verified content"
        raise TypeError(msg)

    def __setattr__(self, name: str, value: object) -> None:
        msg = "a VerifiedEnvelope cannot be changed"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> None:
        msg = "a VerifiedEnvelope cannot be changed"
        raise AttributeError(msg)

    def __repr__(self) -> str:
        return f"VerifiedEnvelope(account={self.account!r}, scheme={self.scheme!r}, {len(self.signed)} bytes)"
