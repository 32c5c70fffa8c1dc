"""
Which header means what: presets are data, and settings win over them.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from attrs import frozen

from cobranza_erp_csv._dialect import MAX_COLUMNS
from cobranza_sdk import InvalidValueError

PRESETS = ("canonical", "odoo", "siigo")
REQUIRED = ("customer_key", "doc_number", "due_date", "amount_open")
#: Columns that speak of the debtor, in the order in which `parties` takes them.
DEBTOR_COLUMNS = (
    "customer_name",
    "person_key",
    "tax_id",
    "email",
    "phone",
    "country",
    "region",
    "timezone",
    "language",
    "holder_role",
    "holder_confirmed",
    "consent_channels",
    "opted_out_channels",
)
DOCUMENT_COLUMNS = (
    "customer_key",
    "doc_type",
    "doc_number",
    "installment_no",
    "issue_date",
    "due_date",
    "currency",
    "amount_total",
    "amount_open",
    "payment_date",
    "judicial",
    "concept",
    "reference",
    "status",
)
COLUMNS = DEBTOR_COLUMNS + DOCUMENT_COLUMNS
AMOUNTS = ("amount_open", "amount_total")
DATES = ("due_date", "issue_date", "payment_date")

_ENOUGH = 3
_SHOWN = 12
# the words that repeat are short
_REMEMBERED = 64


def plain(text: str) -> str:
    """
    *Text* for comparison: without case, accents, byte order mark, and blanks around or doubled.
    """
    return _plain(text) if len(text) <= _REMEMBERED else _plain.__wrapped__(text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.replace("\ufeff", ""))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(bare.casefold().split()).removesuffix("*").strip()


@frozen(kw_only=True)
class Preset:
    """
    How one system names and signs things.

    Attributes:
        aliases: Headers in plain form by canonical name, the best first.
        title_rows: How many rows may stand above the header.
        credit_notes: Sign of a credit note's open amount in the file: ``negative``, ``positive`` or ``either``.
        doc_types: Kind of document by what the cell says, in plain form.
        doc_prefixes: Kind of document by how its number begins, when there is no type.
        default_doc_type: Kind of document when nothing says it.
        skip_status: Statuses, in plain form, of rows that are no claim yet.
        void_status: Statuses, in plain form, of documents that were cancelled: nothing is open.
    """

    aliases: Mapping[str, tuple[str, ...]]
    title_rows: int
    credit_notes: str
    doc_types: Mapping[str, str]
    doc_prefixes: Mapping[str, str]
    default_doc_type: str
    skip_status: frozenset[str]
    void_status: frozenset[str]

    def doc_type(self, cell: str, number: str) -> str | None:
        """
        Kind of document, or None when the cell says something unknown.
        """
        if cell:
            return self.doc_types.get(plain(cell))
        for prefix, kind in self.doc_prefixes.items():
            if number.startswith(prefix):
                return kind
        return self.default_doc_type


@cache
def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(files("cobranza_erp_csv").joinpath("presets", f"{name}.toml").read_text("utf-8"))


@cache
def vocabulary(table: str) -> Mapping[str, str]:
    """
    Words for one thing, for example ``countries``: value by the word in plain form.
    """
    return {plain(word): value for value, words in _data("vocabulary")[table].items() for word in (value, *words)}


@cache
def shared_tax_ids() -> frozenset[str]:
    """
    Tax ids that stand for any customer, in capitals.
    """
    return frozenset(_data("vocabulary")["shared_tax_ids"])


@cache
def load(name: str) -> Preset:
    """
    Read a preset of `PRESETS`.
    """
    data = _data(name)
    types = {**vocabulary("doc_types")}
    for kind, words in data.get("doc_types", {}).items():
        types.update({plain(word): kind for word in words})
    return Preset(
        aliases={column: tuple(plain(alias) for alias in names) for column, names in data["columns"].items()},
        title_rows=data.get("title_rows", 20),
        credit_notes=data["credit_notes"],
        doc_types=types,
        doc_prefixes=data.get("doc_prefixes", {}),
        default_doc_type=data.get("default_doc_type", "invoice"),
        skip_status=frozenset(plain(word) for word in data.get("skip_status", ())),
        void_status=frozenset(plain(word) for word in data.get("void_status", ())),
    )


@frozen(kw_only=True)
class Header:
    """
    A header row that was understood.

    Attributes:
        line: Where it stands, from 1.
        positions: Index of each canonical column that is there.
        names: The cells in plain form.
        key: The customer key's header as it is written.
    """

    line: int
    positions: Mapping[str, int]
    names: tuple[str, ...]
    key: str

    @property
    def ends_read(self) -> bool:
        """
        Whether the last column is one that is read.
        """
        return len(self.names) - 1 in self.positions.values()


class HeaderMap:
    """
    Recognises the header of one configured source.
    """

    def __init__(self, preset: Preset, columns: Mapping[str, str]) -> None:
        self.preset = preset
        self._aliases = {**preset.aliases, **{name: (plain(header),) for name, header in columns.items()}}
        self._columns = columns

    def positions(self, cells: Sequence[str]) -> dict[str, int]:
        """
        Index of each canonical column that *cells* name.
        """
        where: dict[str, int] = {}
        for index, cell in enumerate(cells):
            where.setdefault(plain(cell), index)
        found = {}
        for column, aliases in self._aliases.items():
            for alias in aliases:
                if alias and alias in where:
                    found[column] = where[alias]
                    break
        return found

    def is_header(self, cells: Sequence[str]) -> bool:
        """
        Whether *cells* name enough columns to be the header.
        """
        return len(self.positions(cells)) >= _ENOUGH

    def resolve(self, cells: Sequence[str], *, line: int, source: str, country: bool) -> Header:
        """
        Turn the header row into positions.

        Args:
            cells: The row.
            line: Where it stands.
            source: Name of the file, for messages.
            country: Whether the settings name a country.

        Raises:
            InvalidValueError: A column is missing, stands twice, or there are more than 200.
        """
        where = f"file {source}, line {line}"
        names = tuple(plain(cell) for cell in cells)
        if len(names) > MAX_COLUMNS:
            msg = f"{where}: {len(names)} columns, more than {MAX_COLUMNS}"
            raise InvalidValueError(msg)
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            msg = f"{where}: column {twice[0]!r} stands twice in the header"
            raise InvalidValueError(msg, hint="rename or drop one of them in the export")
        positions = self.positions(cells)
        missing = [name for name in REQUIRED if name not in positions]
        missing += [name for name in self._columns if name not in positions and name not in missing]
        if missing:
            raise self._missing(where, missing[0], cells)
        if "country" not in positions and not country:
            msg = f"{where}: no column 'country' and no setting country"
            raise InvalidValueError(msg, hint='set country = "PE" (ISO code) or map the column')
        return Header(line=line, positions=positions, names=names, key=cells[positions["customer_key"]])

    def _missing(self, where: str, column: str, cells: Sequence[str]) -> InvalidValueError:
        found = ", ".join(re.sub(r"\s+", " ", cell).strip()[:30] for cell in cells[:_SHOWN] if cell.strip())
        more = ", …" if len(cells) > _SHOWN else ""
        header = f" ({self._columns[column][:40]!r} by the settings)" if column in self._columns else ""
        msg = f"{where}: column '{column}'{header} is missing; found {found}{more}; map it under [erps.NAME.columns]"
        return InvalidValueError(msg)
