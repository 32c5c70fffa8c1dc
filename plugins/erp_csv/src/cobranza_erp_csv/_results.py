"""
Results for the ERP: attempts, promises and payments as CSV files that appear whole or not at all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cobranza_sdk import InvalidValueError, Money

#: Columns by kind of result. ``currency`` follows from an amount that is `Money`.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "attempt": (
        "attempt_id",
        "debtor_id",
        "receivable_id",
        "channel",
        "step",
        "purpose",
        "state",
        "at",
        "not_before",
        "provider_message_id",
        "outcome",
        "reason",
    ),
    "promise": ("promise_id", "debtor_id", "receivable_id", "amount", "currency", "made_on", "due_on", "state"),
    "payment": (
        "payment_id",
        "debtor_id",
        "receivable_id",
        "amount",
        "currency",
        "paid_at",
        "method",
        "reference",
        "state",
    ),
}
_BOM = "\ufeff"
_FORMULA = frozenset("=+-@\t\r\n")


def render(updates: Sequence[Mapping[str, Any]], *, bom: bool) -> dict[str, bytes]:
    """
    Write *updates* as CSV, one file for each kind.

    Args:
        updates: Each with ``kind`` (``attempt``, ``promise``, ``payment``) and any of its `COLUMNS`.
        bom: Whether the files begin with a byte order mark, by which some spreadsheets know UTF-8.

    Returns:
        Content by name. The name follows from the content: the same results are the same file.

    Raises:
        InvalidValueError: An update has an unknown kind, key or type of value. Nothing is quoted from it.
    """
    lines: dict[str, list[list[str]]] = {}
    for number, update in enumerate(updates, start=1):
        kind = update.get("kind")
        if not isinstance(kind, str) or kind not in COLUMNS:
            raise _wrong(number, "kind", f"expected one of {', '.join(COLUMNS)}")
        lines.setdefault(kind, []).append(list(_cells(update, kind, number)))
    return dict(_file(kind, rows, bom=bom) for kind, rows in lines.items())


def _file(kind: str, rows: Sequence[Sequence[str]], *, bom: bool) -> tuple[str, bytes]:
    told = io.StringIO()
    told.write(_BOM if bom else "")
    csv.writer(told, lineterminator="\r\n").writerows([COLUMNS[kind], *rows])
    content = told.getvalue().encode("utf-8")
    return f"{kind}s-{hashlib.sha256(content).hexdigest()[:16]}.csv", content


def _cells(update: Mapping[str, Any], kind: str, number: int) -> Iterator[str]:
    strangers = [str(key)[:40] for key in update if key not in COLUMNS[kind] and key != "kind"]
    if strangers:
        raise _wrong(number, strangers[0], f"is no column of {kind}: expected {', '.join(COLUMNS[kind])}")
    amount = update.get("amount")
    for column in COLUMNS[kind]:
        value = update.get(column)
        if column == "currency" and isinstance(amount, Money):
            if value not in {None, amount.currency}:
                raise _wrong(number, column, "is not that of the amount")
            value = amount.currency
        yield _cell(value, number, column)


def _cell(value: object, number: int, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _guarded(value, number, column)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Money):
        return format(value.amount, "f")
    if isinstance(value, int) or (isinstance(value, Decimal) and value.is_finite()):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise _wrong(number, column, "has no offset")
    if isinstance(value, date):
        return value.isoformat()
    raise _wrong(
        number, column, f"is a {type(value).__name__}: expected text, a whole number, Decimal, Money or a date"
    )


def _guarded(text: str, number: int, column: str) -> str:
    """
    *text* so that no spreadsheet takes it for a formula; reading takes the apostrophe away again.

    A sign in full width is one to spreadsheets in some languages, and a blank before it hides nothing.
    """
    if "\0" in text or not text.isascii() and any(unicodedata.category(char) == "Cs" for char in text):  # noqa: RUF021  # reads as it is meant
        raise _wrong(number, column, "holds characters that no text has")
    begin = text[:1] if text[:1] in _FORMULA else unicodedata.normalize("NFKC", text.lstrip(" '\u00a0")[:1])
    return f"'{text}" if begin and begin in _FORMULA else text


def _wrong(number: int, key: str, reason: str) -> InvalidValueError:
    return InvalidValueError(f"write_back, update {number}: {key} {reason}")


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """
    Put *files* into *folder*, each under its name only once it is whole and on the disk.

    Raises:
        OSError: Not all could be written; those that are there are whole, and the same results write the rest.
    """
    for name, content in files.items():
        unfinished = folder / f".{name}.part"
        try:
            with unfinished.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
