"""
How many parts a text is billed as, before it is sent.

The alphabet is that of 3GPP TS 23.038. It has é, ñ, ü, ¿ and ¡, but not á, í, ó, ú: one of these and the whole text is
UCS-2, at less than half the length per part.

Nothing here rewrites a text, and the channel does not either: what is sent is what was judged and recorded. Who wants
letters replaced does it where the words are written, in the catalogue: `transliterated` gives them, and
`Segments.forcing` lists what is left.

.. versionadded:: 0.1.0
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence

from attrs import frozen

__all__ = ["Segments", "count_segments", "transliterated"]

# ESC is left out: alone it stands for no character
_BASIC = frozenset(
    string.ascii_letters + string.digits + "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_LAST_OF_BMP = 0xFFFF
_LIMITS = {"GSM-7": (160, 153), "UCS-2": (70, 67)}


@frozen(kw_only=True)
class Segments:
    """
    A text as the network carries it.

    Attributes:
        encoding: ``GSM-7`` or ``UCS-2``.
        units: Septets or 16-bit units.
        parts: What is billed.
        forcing: Characters that GSM-7 lacks, each once, in the order of the text: they make it UCS-2. Else empty.
    """

    encoding: str
    units: int
    parts: int
    forcing: tuple[str, ...] = ()


def count_segments(text: str) -> Segments:
    """
    Count the parts of *text*. A pair of units is never split over two parts.
    """
    forcing = tuple(dict.fromkeys(char for char in text if char not in _BASIC and char not in _EXTENDED))
    if not forcing:
        encoding, widths = "GSM-7", [2 if char in _EXTENDED else 1 for char in text]
    else:
        encoding, widths = "UCS-2", [2 if ord(char) > _LAST_OF_BMP else 1 for char in text]
    units = sum(widths)
    single, part = _LIMITS[encoding]
    parts = 1 if units <= single else _fill(widths, part)
    return Segments(encoding=encoding, units=units, parts=parts, forcing=forcing)


def transliterated(text: str) -> str:
    """
    *text* with each letter that GSM-7 lacks written without its accent; what has no such letter stays.
    """
    return "".join(_plain(char) for char in unicodedata.normalize("NFC", text))


def _plain(char: str) -> str:
    if char in _BASIC or char in _EXTENDED:
        return char
    letter = unicodedata.normalize("NFD", char)[0]
    return letter if letter in _BASIC and letter.isalpha() else char


def _fill(widths: Sequence[int], size: int) -> int:
    parts, used = 1, 0
    for width in widths:
        if used + width > size:
            parts, used = parts + 1, 0
        used += width
    return parts
