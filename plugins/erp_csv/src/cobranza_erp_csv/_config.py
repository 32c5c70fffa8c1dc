"""
Settings of ``[erps.NAME]`` with ``provider = "erp_csv"``.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen, validators

from cobranza_erp_csv._dates import order_of
from cobranza_erp_csv._mapping import COLUMNS, PRESETS
from cobranza_sdk import InvalidValueError

_ESCAPES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
#: What becomes of a tax id whose check digit is wrong.
WRONG_TAX_ID = ("drop", "keep", "reject")
# settings that do not change what a file says
_NOT_READING = frozenset({"path", "watch", "move_to", "results", "results_bom"})
_ALPHA_2 = 2
_ALPHA_3 = 3


def _fail(*, name: str, expected: str) -> InvalidValueError:
    msg = f"{name} is not known, expected {expected}"
    return InvalidValueError(msg)


def _encoding(_: object, __: object, value: str | None) -> None:
    if value is None:
        return
    try:
        codecs.lookup(value)
        "".encode(value)
    except (LookupError, UnicodeError, TypeError, ValueError):
        raise _fail(name="encoding", expected="a name such as utf-8, cp1252 or cp850") from None


def _character(value: str | None) -> str | None:
    return _ESCAPES.get(value, value) if value else value


def _delimiter(_: object, __: object, value: str | None) -> None:
    if value is not None and (len(value) != 1 or value in '"\r\n\0 '):
        raise _fail(name="delimiter", expected='one character such as ",", ";" or "\\t"')


def _decimal(_: object, __: object, value: str | None) -> None:
    if value not in {None, ".", ","}:
        raise _fail(name="decimal", expected='"." or ","')


def _date_format(_: object, __: object, value: str | None) -> None:
    if value is not None:
        order_of(value)


def _preset(_: object, __: object, value: str) -> None:
    if value not in PRESETS:
        raise _fail(name="preset", expected=f"one of {', '.join(PRESETS)}")


def _wrong_tax_id(_: object, __: object, value: str) -> None:
    if value not in WRONG_TAX_ID:
        raise _fail(name="wrong_tax_id", expected=f"one of {', '.join(WRONG_TAX_ID)}")


def _columns(_: object, __: object, value: dict[str, str]) -> None:
    for name in value:
        if name not in COLUMNS:
            raise _fail(name=f"columns.{name[:40]}", expected=f"one of {', '.join(COLUMNS)}")


def _code(length: int) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
        if value is not None and not (len(value) == length and value.isascii() and value.isalpha() and value.isupper()):
            raise _fail(name=attribute.name, expected=f"an ISO code of {length} capitals")

    return check


def _text(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not value.strip() or "\0" in value:
        msg = f"{attribute.name} may not be blank"
        raise InvalidValueError(msg)


def _is_pattern(path: Path) -> bool:
    return any(char in path.name for char in "*?[")


@frozen(kw_only=True)
class CsvSettings:
    """
    Where the files are and how they are written. What is None is found out from the file.

    Attributes:
        path: A file, a directory, or a pattern such as ``exports/*.csv``; several files are read in name order.
        preset: Which headers mean what: one of `PRESETS`.
        encoding: Python's name of it, for example ``cp1252``.
        delimiter: One character, or ``tab``.
        sheet: Name of a workbook's sheet; else the first that is shown.
        decimal: ``.`` or ``,``.
        date_format: ``iso``, ``dmy``, ``mdy``, ``dd/mm/yyyy``, ``mm/dd/yyyy``.
        columns: Header by canonical name; wins over the preset.
        country: ISO 3166-1 code for debtors, phones and habits; needed unless a column says it per row.
        currency: ISO 4217 code for files without a currency column.
        wrong_tax_id: What becomes of a tax id with a wrong check digit: ``drop`` it and tell, ``keep`` it and say
            nothing, ``reject`` the row.
        mobile_only: Whether numbers of fixed lines are dropped and told.
        last_line_is_whole: Whether a file that ends without a line end is trusted; some programs write none.
        watch: Whether the folder or pattern is a place where files arrive: none may be there, and what is still being
            written is left for the next time.
        move_to: Folder into which files go that were read and stored, with *watch*; else nothing is moved.
        results: Folder for what is written back, or None.
        results_bom: Whether those files begin with a byte order mark.
        snapshot: Whether each file names everything that is open in its currencies.
        max_rejected_ratio: A snapshot with more rejected rows than this closes nothing.
    """

    path: Path
    preset: str = field(default="canonical", validator=_preset)
    encoding: str | None = field(default=None, validator=_encoding)
    delimiter: str | None = field(default=None, converter=_character, validator=_delimiter)
    sheet: str | None = None
    decimal: str | None = field(default=None, validator=_decimal)
    date_format: str | None = field(default=None, validator=_date_format)
    columns: dict[str, str] = field(factory=dict, validator=_columns)
    country: str | None = field(default=None, validator=_code(_ALPHA_2))
    currency: str | None = field(default=None, validator=_code(_ALPHA_3))
    wrong_tax_id: str = field(default="drop", validator=_wrong_tax_id)
    mobile_only: bool = False
    last_line_is_whole: bool = False
    watch: bool = False
    move_to: Path | None = None
    results: Path | None = None
    results_bom: bool = False
    snapshot: bool = False
    max_rejected_ratio: float = field(default=0.5, validator=(validators.ge(0), validators.le(1)))

    def __attrs_post_init__(self) -> None:
        if self.move_to is not None and not self.watch:
            msg = "move_to needs watch = true: without it nothing is moved"
            raise InvalidValueError(msg)
        for name in ("move_to", "results"):
            folder = getattr(self, name)
            if folder is not None and folder == (self.path.parent if _is_pattern(self.path) else self.path):
                msg = f"{name} is where files are read from: what is put there would be read again"
                raise InvalidValueError(msg, hint="name another folder")

    @property
    def digest(self) -> str:
        """
        Of all that changes how a file is read; a cursor made under other settings starts over.
        """
        told = {name: value for name, value in attrs.asdict(self).items() if name not in _NOT_READING}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
