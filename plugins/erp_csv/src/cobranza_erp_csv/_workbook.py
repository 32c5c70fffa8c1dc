"""
Workbooks (.xlsx): the same rows as a text has, with numbers and dates as their cells hold them.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from attrs import define, field

from cobranza_erp_csv._amounts import StoredNumber
from cobranza_erp_csv._dialect import MAX_CELL, MAX_COLUMNS, WORKBOOK, Row
from cobranza_sdk import InvalidValueError

__all__ = ["WORKBOOK", "WorkbookReader", "open_sheet"]

#: A workbook may not become more than so many times its size, once it is larger than `_SMALL`.
MAX_RATIO = 100
#: Bytes of all parts together, and of the texts that cells share, which are held in memory.
MAX_SIZE = 4 << 30
MAX_TEXTS = 64 << 20
_SMALL = 16 << 20
_CHUNK = 1 << 18
# a spreadsheet keeps 15 digits; what is longer has lost its end
_EXACT = 10**15
_MIDNIGHT = "T00:00:00"


@define
class WorkbookReader:
    """
    Makes rows of a sheet's cells. It is used as `RowReader` is.

    Attributes:
        width: Cells per row once the header is known, else None.
        unended: Never: a workbook that was cut is none.
    """

    width: int | None = None
    unended: bool = field(default=False, init=False)

    def rows(self, sheet: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
        """
        Yield every row that is not blank.
        """
        for line, values in enumerate(sheet, start=1):
            cells = [_text(value) for value in _trimmed(values)]
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > MAX_COLUMNS:
                yield Row(line, [], f"the row has more than {MAX_COLUMNS} cells")
            elif any(len(cell) > MAX_CELL for cell in cells):
                yield Row(line, [], "a cell is longer than 64 KiB")
            else:
                cells += [""] * ((self.width or 0) - len(cells))
                yield Row(line, cells)


def _trimmed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    end = len(values)
    while end and values[end - 1] is None:
        end -= 1
    return values[:end]


def _text(value: object) -> str:
    """
    A cell as a text would write it, so that all columns are read in one way.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return StoredNumber(f"{value:.5E}" if abs(value) >= _EXACT else _digits(value))
    if isinstance(value, datetime):
        return value.isoformat().removesuffix(_MIDNIGHT)
    return value.isoformat() if isinstance(value, date) else str(value)


def _digits(value: float) -> str:
    """
    The number with the 15 digits that a spreadsheet keeps: 0.1 + 0.2 is 0.3 there.
    """
    text = str(value) if isinstance(value, int) else f"{value:.15g}"
    return f"{value:.15f}".rstrip("0").rstrip(".") if "e" in text else text


@contextmanager
def open_sheet(path: Path, name: str | None) -> Iterator[Iterator[tuple[Any, ...]]]:
    """
    Open the sheet *name* of a workbook, or its first one that is shown, as a stream of rows.

    Raises:
        InvalidValueError: It is no workbook, damaged, too large, lacks the sheet, or the extra is not installed.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        msg = f"file {path.name} is a workbook, which needs openpyxl"
        raise InvalidValueError(msg, hint='pip install "cobranza-erp-csv[xlsx]", or save the sheet as CSV') from None
    _refuse_bombs(path)
    with path.open("rb") as stream:
        with _plain_errors(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and pictures, which are not read
            book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        try:
            yield _values(_sheet(book, name, path), path)
        finally:
            book.close()


def _values(sheet: Any, path: Path) -> Iterator[tuple[Any, ...]]:
    with _plain_errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sheet.reset_dimensions()  # what the file says of its size is a claim
        yield from sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True)


def _sheet(book: Any, name: str | None, path: Path) -> Any:
    shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    found = [sheet for sheet in book.worksheets if sheet.title == name] if name is not None else shown[:1]
    if found:
        return found[0]
    titles = ", ".join(sheet.title[:30] for sheet in shown[:10])
    msg = f"file {path.name}: no such sheet, found {titles or 'none'}" if name else f"file {path.name} shows no sheet"
    raise InvalidValueError(msg, hint="name one under [erps.NAME] sheet")


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """
    Tell every way in which a damaged workbook can fail, which the library does not list, as one error.
    """
    try:
        yield
    except (InvalidValueError, OSError, GeneratorExit, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  # a zip, an XML and a spreadsheet can be wrong in any way
        msg = f"file {path.name} is a damaged workbook ({type(error).__name__})"
        raise InvalidValueError(msg, hint="open it and save it again, or save the sheet as CSV") from None


def _refuse_bombs(path: Path) -> None:
    """
    Refuse what is no whole archive, or would become far more than it is.
    """
    with _plain_errors(path), zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        total = sum(part.file_size for part in parts)
        texts = sum(part.file_size for part in parts if part.filename.lower().endswith("sharedstrings.xml"))
        ratio = total > _SMALL and total > MAX_RATIO * path.stat().st_size
        if ratio or total > MAX_SIZE or texts > MAX_TEXTS:
            msg = f"file {path.name} unpacks to {total >> 20} MiB, of which {texts >> 20} MiB texts: too much"
            raise InvalidValueError(msg, hint="save the sheet as CSV, which is read row by row")
        for part in parts:
            _refuse_damage(archive, part, path)


def _refuse_damage(archive: zipfile.ZipFile, part: zipfile.ZipInfo, path: Path) -> None:
    """
    Read *part* once, so that its sum is checked before a row is handed out; entities of its own would be a bomb.
    """
    before = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            if b"<!DOCTYPE" in before + chunk or b"<!ENTITY" in before + chunk:
                msg = f"file {path.name} declares XML entities, which no spreadsheet writes"
                raise InvalidValueError(msg)
            before = chunk[-16:]
