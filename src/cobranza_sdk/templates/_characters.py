"""
Which characters of a value may reach a message.
"""

from __future__ import annotations

import unicodedata

#: Control, format (bidi overrides, zero width), surrogate and private-use characters: nothing a debtor could read.
_UNREADABLE = frozenset({"Cc", "Cf", "Cs", "Co"})

#: Characters that a GSM 7-bit message carries, 3GPP TS 23.038; the second line costs two places each.
_GSM = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüà\n\r"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    "^{}\\[~]|€"
)
_GSM_SPELLING = {
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "₲": "PYG ",
    "₡": "CRC ",
    "º": "o",
    "ª": "a",
}


def readable(value: str) -> str:
    """
    One line of *value* that shows what it holds: composed (NFC), blanks of every kind made one space, control
    characters, bidi overrides and zero-width characters taken out.
    """
    if value.isascii() and value.isprintable():
        return " ".join(value.split())
    kept = "".join(
        " " if character.isspace() else character
        for character in value
        if character.isspace() or unicodedata.category(character) not in _UNREADABLE
    )
    return " ".join(unicodedata.normalize("NFC", kept).split())


def is_unreadable(character: str) -> bool:
    """
    Whether no fixed words may hold *character*. Line ends and tabs are not meant.
    """
    return character not in "\n\t" and unicodedata.category(character) in _UNREADABLE


def is_gsm(text: str) -> bool:
    """
    Whether an SMS of *text* keeps the 7-bit alphabet, and so 160 places instead of 70.
    """
    return _GSM.issuperset(text)


def gsm_spelling(value: str) -> str:
    """
    *value* with each letter that would turn an SMS into 70 places written without its accent.

    Letters with no such spelling (another script) stay as they are.
    """
    if is_gsm(value):
        return value
    return "".join(character if character in _GSM else _respelled(character) for character in value)


def _respelled(character: str) -> str:
    if character in _GSM_SPELLING:
        return _GSM_SPELLING[character]
    bare = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return bare if bare and is_gsm(bare) else character
