"""
How a mail that comes back is known to be about one of ours: the attempt's id with a signature over it.

It stands in the Message-ID, in the envelope id (RFC 3461) and, where wished, behind the + of our addresses. Whoever has
one mail of ours cannot make the reference of another: a forged bounce reaches no other debtor's attempt.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Iterator
from email.message import Message

from attrs import frozen

from cobranza_sdk import Secret

_PURPOSE = b"smtp_email/reference/1:"  # so that no other signature by the same key is taken for this one
_MAC_BYTES = 10  # 80 bits: 16 letters of base32, which mail servers may write in capitals or not
_MAX_ID = 32
_MAX_LOCAL = 64

_REFERENCE = r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,31}\.[A-Za-z2-7]{16}"
_ID = re.compile(rf"<({_REFERENCE})@")
# a relay may have put the address into another one (BATV, SRS): what follows the tag is then = and not @
_TAG = re.compile(rf"\+({_REFERENCE})(?=[@=>\s,;\"']|$)")
_TAGGABLE = re.compile(r"[a-z0-9_-]+")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")

#: Headers that name the address to which a mail came.
RECIPIENT_HEADERS = ("Delivered-To", "X-Original-To", "X-Envelope-To", "Envelope-To", "To", "Cc")


def seal(attempt_id: str, secret: Secret) -> str:
    """
    The reference of an attempt.
    """
    return f"{attempt_id}.{_mac(attempt_id, secret)}"


@frozen
class Sealed:
    """
    A reference that a key of ours has signed.

    Attributes:
        attempt_id: Which attempt's.
        reference: As it was sealed, with the key of then.
    """

    attempt_id: str
    reference: str


def opened(reference: str, secrets: Iterable[Secret]) -> Sealed | None:
    """
    The attempt, or None when no key of ours has signed it. Capitals are tried as written and as small letters.
    """
    for spelling in (reference, reference.lower()):
        attempt_id, _, mac = spelling.rpartition(".")
        given = mac.lower().encode(errors="replace")
        if 0 < len(attempt_id) <= _MAX_ID and attempt_id.isascii():
            for secret in secrets:
                if hmac.compare_digest(given, _mac(attempt_id, secret).encode()):
                    return Sealed(attempt_id, seal(attempt_id, secret))
    return None


def tagged(address: str, reference: str) -> str:
    """
    The address with the reference behind a +, or as it is where that would make it longer than an address may be.
    """
    local, _, domain = address.rpartition("@")
    longer = f"{local}+{reference}"
    fits = len(longer) <= _MAX_LOCAL and _TAGGABLE.fullmatch(reference.replace(".", "")) is not None
    return f"{longer}@{domain}" if fits else address


def in_ids(value: str, secrets: Iterable[Secret]) -> Sealed | None:
    """
    The attempt that a Message-ID, or the last of several, belongs to.
    """
    return _first(reversed(_ID.findall(value)), secrets)


def in_addresses(message: Message, secrets: Iterable[Secret]) -> Sealed | None:
    """
    The attempt whose tag is on the address that a mail came to.
    """
    return _first(_tags(message), secrets)


def in_envelope_id(value: str, secrets: Iterable[Secret]) -> Sealed | None:
    """
    The attempt that an ENVID names.
    """
    return opened(_XTEXT.sub(lambda match: chr(int(match[1], 16)), value.strip()), secrets)


def xtext(value: str) -> str:
    """
    *value* as an option of MAIL or RCPT may hold it (RFC 3461, 4).
    """
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in value)


def _tags(message: Message) -> Iterator[str]:
    for name in RECIPIENT_HEADERS:
        for value in message.get_all(name, ()):
            yield from _TAG.findall(str(value))


def _first(references: Iterable[str], secrets: Iterable[Secret]) -> Sealed | None:
    keys = tuple(secrets)
    return next((found for each in references if (found := opened(each, keys)) is not None), None)


def _mac(attempt_id: str, secret: Secret) -> str:
    digest = hmac.digest(secret.reveal().encode(), _PURPOSE + attempt_id.encode(), "sha256")[:_MAC_BYTES]
    return base64.b32encode(digest).decode().lower()
