"""
A payment link as a QR picture, for a letter or a counter.

segno is imported here when a picture is drawn and not before.
"""

from __future__ import annotations

from io import BytesIO
from urllib.parse import urlsplit

from cobranza_sdk.model import CobranzaError, InvalidValueError

#: Longest address in characters: more makes a picture that phones do not read from paper.
MAX_ADDRESS = 1_000
#: Modules left white around the picture, as the standard asks for.
_QUIET = 4
_SCALE = 8


def qr_svg(address: str) -> str:
    """
    Draw *address* as a QR picture: an SVG file, black on white. The same address gives the same picture.

    The picture tells whoever scans it as much as the address does: treat it like the link.

    Raises:
        InvalidValueError: *address* is no http or https address, or is longer than 1,000 characters.
        CobranzaError: segno is not installed.
    """
    if not _is_address(address):
        msg = "qr_svg needs an http or https address, percent-encoded, of at most 1,000 characters"
        raise InvalidValueError(msg)
    try:
        import segno
    except ModuleNotFoundError:
        msg = "a QR picture needs segno, which is not installed"
        raise CobranzaError(msg, hint="pip install 'cobranza-sdk[qr]'") from None
    picture = BytesIO()
    code = segno.make_qr(address, error="m", boost_error=False)
    code.save(picture, kind="svg", scale=_SCALE, border=_QUIET, dark="black", light="white", nl=False)
    return picture.getvalue().decode("utf-8")


def _is_address(address: str) -> bool:
    if not address.isascii() or not address.isprintable() or " " in address or len(address) > MAX_ADDRESS:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
