"""
Cases for ``cobranza decide --cases``: a CSV of contacts, a row each.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from cobranza_sdk.compliance._calendar import FIRST_YEAR, LAST_YEAR
from cobranza_sdk.compliance._decide import Decider
from cobranza_sdk.compliance._errors import CasesError
from cobranza_sdk.compliance._pack import zone
from cobranza_sdk.model import Contact, Decision, InvalidValueError, PastContact

COLUMNS = (
    "case_id",
    "country",
    "region",
    "at",
    "channel",
    "stage",
    "recipient",
    "collector",
    "sector",
    "consent",
    "contacts",
    "purpose",
    "flags",
)
_NEEDED = ("at", "channel", "country")
_DEFAULTED = ("stage", "recipient", "collector", "sector", "consent", "purpose")
_PAST = re.compile(
    r"(?P<channel>[^@;]+)@(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))"
    r"(?::(?P<outcome>[A-Za-z_]+))?"
)
#: Words in the outcome's place that tell who wrote: the person, or we in answer.
_DIRECTIONS = ("inbound", "reply")
#: What stands between columns in place of a comma.
_SEPARATORS = {";": "semicolons", "\t": "tabs"}
#: Stands for "no zone of the country fits": an IANA name that cannot exist, so the contact is denied.
_NO_ZONE = "none/none"


@frozen(kw_only=True)
class Case:
    """
    One row.

    Attributes:
        case_id: As written, or the row's number.
        contact: What it describes.
    """

    case_id: str
    contact: Contact


def read_cases(lines: Iterable[str], decider: Decider) -> Iterator[Case]:
    """
    Read cases, one at a time. Unknown columns are ignored; missing and blank ones take the defaults of `Contact`.

    A recipient other than ``unknown`` counts as confirmed. With a blank region the offset of ``at`` narrows the zones
    to those of the country that have it at that instant.

    Raises:
        CasesError: Naming line, column and what is expected.
    """
    reader = csv.DictReader(_without_mark(lines), strict=True)
    try:
        header = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in _NEEDED if name not in header]
        if missing:
            msg = f"line 1: column {missing[0]} is missing, expected at least {', '.join(_NEEDED)}"
            one = header[0] if len(header) == 1 else ""
            mark = next((told for sign, told in _SEPARATORS.items() if sign in one), "")
            raise CasesError(msg, hint=f"the columns stand apart by {mark}: write commas" if mark else None)
        twice = [name for name in COLUMNS if header.count(name) > 1]
        if twice:
            msg = f"line 1: column {twice[0]} stands twice, expected it once"
            raise CasesError(msg)
        reader.fieldnames = header
        for number, row in enumerate(reader, start=1):
            if any(cell.strip() for cell in row.get(None, ())):
                msg = f"line {reader.line_num}: found more cells than columns, expected {len(header)}"
                raise CasesError(msg)
            yield _case({key: (value or "").strip() for key, value in row.items() if key}, number, reader, decider)
    except UnicodeDecodeError as error:
        msg = f"line {reader.reader.line_num + 1}: is no UTF-8"
        raise CasesError(msg) from error
    except csv.Error as error:
        msg = f"line {reader.reader.line_num}: is no CSV: {error}"
        raise CasesError(msg) from error


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """
    The lines without a byte order mark, which would hide the first column's quotes.
    """
    for number, line in enumerate(lines):
        if "\0" in line:
            msg = f"line {number + 1}: holds a zero byte, expected text in UTF-8"
            raise CasesError(msg)
        yield line.removeprefix("\ufeff") if number == 0 else line


def _case(row: Mapping[str, str], number: int, reader: Any, decider: Decider) -> Case:
    where = f"line {reader.line_num}"
    fields: dict[str, Any] = {name: row[name] for name in _DEFAULTED if row.get(name)}
    try:
        contact = Contact(
            at=_instant(row["at"], f"{where}: at"),
            channel=_needed(row, "channel", where),
            country=_needed(row, "country", where),
            region=row.get("region") or None,
            holder_confirmed=row.get("recipient", "") not in ("", "unknown"),
            history=tuple(_history(row.get("contacts", ""), where)),
            flags=frozenset(flag for flag in re.split(r"[;,|\s]+", row.get("flags", "")) if flag),
            **fields,
        )
    except InvalidValueError as error:
        msg = f"{where}: {error}"
        raise CasesError(msg) from error
    if contact.region is None:
        contact = evolve(contact, timezones=_narrowed(contact, decider))
    return Case(case_id=row.get("case_id") or str(number), contact=contact)


def _needed(row: Mapping[str, str], name: str, where: str) -> str:
    if not row.get(name):
        msg = f"{where}: {name} is blank, expected a value"
        raise CasesError(msg)
    return row[name]


def _instant(text: str, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        msg = f"{where}: found {text[:40] or 'nothing'}, expected ISO 8601 with an offset: 2026-05-15T18:59:00-05:00"
        raise CasesError(msg)
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        msg = f"{where}: found {text[:40]}, expected a year from {FIRST_YEAR} to {LAST_YEAR}"
        raise CasesError(msg)
    return at


def _history(text: str, where: str) -> Iterator[PastContact]:
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _PAST.fullmatch(part)
        if not match:
            msg = f"{where}: contacts: found {part[:60]}, expected channel@ISO or channel@ISO:outcome, joined by ;"
            raise CasesError(msg)
        outcome = match["outcome"]
        yield PastContact(
            at=_instant(match["at"], f"{where}: contacts"),
            channel=match["channel"].strip(),
            direction=outcome if outcome in _DIRECTIONS else "outbound",
            outcome=None if outcome in _DIRECTIONS else outcome,
        )


def _narrowed(contact: Contact, decider: Decider) -> tuple[str, ...]:
    """
    Zones of the country whose offset at that instant is the one that was written.
    """
    offset = contact.at.utcoffset() or timedelta()
    fitting = []
    for name in decider.zones_of(contact):
        tz = zone(name)
        if tz is not None and contact.at.astimezone(tz).utcoffset() == offset:
            fitting.append(name)
    return tuple(fitting) or (_NO_ZONE,)


def case_result(case: Case, decision: Decision) -> dict[str, Any]:
    """
    What ``--json`` prints of one case.
    """
    result = decision.to_dict()
    return {
        "case_id": case.case_id,
        "verdict": result["verdict"],
        "not_before": result["not_before"],
        "findings": result["findings"],
    }
