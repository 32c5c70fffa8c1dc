"""
Files that the vendor carries.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from cobranza_sdk import Attachment, Category, Disposition, ProviderError, Transmitted

PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument"

#: MIME types by the kind of message that shows them: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media
TYPES = {
    "document": frozenset(
        {
            *(PDF, "text/plain", "application/msword", f"{_OFFICE}.wordprocessingml.document"),
            *("application/vnd.ms-excel", f"{_OFFICE}.spreadsheetml.sheet"),
            *("application/vnd.ms-powerpoint", f"{_OFFICE}.presentationml.presentation"),
        }
    ),
    "image": frozenset({"image/jpeg", "image/png"}),
}
#: Largest file in bytes. The vendor says "MB": read in thousands, which holds either way.
LIMITS = {"document": 100_000_000, "image": 5_000_000}


@frozen(kw_only=True)
class File:
    """
    An attachment that the vendor carries.

    Attributes:
        kind: ``document`` or ``image``.
        content_type: MIME type without its parameters.
        content: The bytes, empty where the vendor has them or fetches them.
    """

    kind: str
    content_type: str
    content: bytes


def read_file(attachment: Attachment) -> File:
    """
    Read *attachment* as the vendor will.

    Raises:
        ProviderError: It is of a type, a size or at an address that the vendor refuses.
    """
    content_type = attachment.content_type.partition(";")[0].strip().lower()
    kind = next((kind for kind, types in TYPES.items() if content_type in types), None)
    if kind is None or len(attachment.content) > LIMITS[kind] or not _is_somewhere(attachment):
        raise ProviderError(Category.VALIDATION, Disposition.FIX_FIRST, Transmitted.NO)
    return File(kind=kind, content_type=content_type, content=attachment.content)


def media_object(attachment: Attachment, *, caption: str | None = None) -> dict[str, Any]:
    """
    The vendor's object for *attachment*; one whose bytes are still here has no id yet.
    """
    place = {"link": attachment.url} if attachment.url is not None else {"id": attachment.reference or ""}
    # A picture is shown without a name, and the vendor takes none for it.
    name = {"filename": attachment.filename} if read_file(attachment).kind == "document" else {}
    return place | name | ({"caption": caption} if caption else {})


def _is_somewhere(attachment: Attachment) -> bool:
    if attachment.url is None:
        return bool(attachment.content) or attachment.reference is not None
    return is_address(attachment.url)


def is_address(url: str) -> bool:
    """
    Whether the vendor could follow *url*.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable()
