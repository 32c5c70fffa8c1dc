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

PRESETS = ("canonical", "odoo", "sap_b1", "sap_fbl5n", "contpaqi", "siigo", "tango", "alegra", "quickbooks")
REQUIRED = ("customer_key", "doc_number", "due_date", "amount_open")
#: What stands in for `amount_open`: another column, or two from which it follows.
_OPEN = (("amount_open",), ("local_open",), ("amount_total", "amount_paid"), ("local_total", "local_paid"))
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
    "doc_series",
    "doc_label",
    "side",
    "amount_paid",
    "amount_credit",
    "local_total",
    "local_open",
    "local_paid",
)
COLUMNS = DEBTOR_COLUMNS + DOCUMENT_COLUMNS
AMOUNTS = (
    "amount_open",
    "amount_total",
    "amount_paid",
    "amount_credit",
    "local_open",
    "local_total",
    "local_paid",
)
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
        payments: The same of a payment.
        doc_types: Kind of document by what the cell says, in plain form; ``entry`` is told by its sign.
        doc_words: Kind of document by how the cell begins, in plain form, the longest first.
        doc_prefixes: Kind of document by how its number begins, when there is no type.
        default_doc_type: Kind of document when nothing says it.
        skip_status: Statuses, in plain form, of rows that are no claim yet.
        void_status: Statuses, in plain form, of documents that were cancelled: nothing is open.
        credit_sides: What the column ``side`` says, in plain form, of an amount that is a credit.
        currencies: ISO code by a word that means it in this system only.
        currency_in_cells: Whether an amount that names a currency is in it, whatever the settings say.
        strip_zeros: Whether leading zeros of keys and numbers depend on the export, and mean nothing.
        installments_by_row: Whether lines of one document are its installments, in order, when no column says so.
        continuation: Whether a line without customer and number goes on with the document above it.
        customer_row: A line that names the customer of the lines under it, or None.
        furniture: How lines begin, in plain form, that are no records.
        required: Columns that this system's files must have besides: without them credits look like debts.
        number_pattern: Parts of a document's number that are written in several ways, or None.
        number_widths: To how many places each part is filled with zeros.
    """

    aliases: Mapping[str, tuple[str, ...]]
    title_rows: int
    credit_notes: str
    payments: str
    doc_types: Mapping[str, str]
    doc_words: tuple[tuple[str, str], ...]
    doc_prefixes: Mapping[str, str]
    default_doc_type: str
    skip_status: frozenset[str]
    void_status: frozenset[str]
    credit_sides: frozenset[str]
    currencies: Mapping[str, str]
    currency_in_cells: bool
    strip_zeros: bool
    installments_by_row: bool
    continuation: bool
    customer_row: re.Pattern[str] | None
    furniture: tuple[str, ...]
    required: tuple[str, ...]
    number_pattern: re.Pattern[str] | None
    number_widths: tuple[int, ...]

    def doc_type(self, cell: str, number: str) -> str | None:
        """
        Kind of document, or None when the cell says something unknown.
        """
        if cell:
            word = plain(cell)
            known = self.doc_types.get(word)
            if known is None and self.doc_words:
                known = next((kind for start, kind in self.doc_words if word.startswith(start)), None)
            return known
        for prefix, kind in self.doc_prefixes.items():
            if number.startswith(prefix):
                return kind
        return self.default_doc_type

    def is_credit_side(self, cell: str) -> bool:
        """
        Whether *cell* puts the row on the credit side of the account.
        """
        return bool(cell) and plain(cell) in self.credit_sides

    def number(self, text: str) -> str:
        """
        A document's number in one form, however this system happens to write it.
        """
        if self.strip_zeros and text.isdecimal():
            return text.lstrip("0") or text
        found = self.number_pattern.fullmatch(text.strip()) if self.number_pattern else None
        if found is None:
            return text
        parts = (part for part in found.groups() if part is not None)
        return "-".join(part.zfill(width) for part, width in zip(parts, self.number_widths, strict=True))


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
    starts = ((plain(word), kind) for kind, words in data.get("doc_words", {}).items() for word in words)
    return Preset(
        aliases={column: tuple(plain(alias) for alias in names) for column, names in data["columns"].items()},
        title_rows=data.get("title_rows", 20),
        credit_notes=data["credit_notes"],
        payments=data.get("payments", "either"),
        doc_types=types,
        doc_words=tuple(sorted(starts, key=lambda start: -len(start[0]))),
        doc_prefixes=data.get("doc_prefixes", {}),
        default_doc_type=data.get("default_doc_type", "invoice"),
        skip_status=_words(data, "skip_status"),
        void_status=_words(data, "void_status"),
        credit_sides=_words(data, "credit_sides"),
        currencies={plain(word): code for code, words in data.get("currencies", {}).items() for word in words},
        currency_in_cells=data.get("currency_in_cells", False),
        strip_zeros=data.get("strip_zeros", False),
        installments_by_row=data.get("installments_by_row", False),
        continuation=data.get("continuation", False),
        customer_row=_pattern(data, "customer_row"),
        furniture=tuple(plain(word) for word in data.get("furniture", ())),
        required=tuple(data.get("required", ())),
        number_pattern=_pattern(data, "number_pattern"),
        number_widths=tuple(data.get("number_widths", ())),
    )


def _words(data: Mapping[str, Any], name: str) -> frozenset[str]:
    return frozenset(plain(word) for word in data.get(name, ()))


def _pattern(data: Mapping[str, Any], name: str) -> re.Pattern[str] | None:
    return re.compile(data[name], re.IGNORECASE) if name in data else None


@frozen(kw_only=True)
class Header:
    """
    A header row that was understood.

    Attributes:
        line: Where it stands, from 1.
        positions: Index of each canonical column that is there.
        names: The cells in plain form.
        anchor: The document number's header as it is written.
    """

    line: int
    positions: Mapping[str, int]
    names: tuple[str, ...]
    anchor: str

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
        missing = [name for name in (*REQUIRED[:-1], *self.preset.required) if name not in positions]
        if self.preset.customer_row is not None and "customer_key" not in self._columns:
            missing = [name for name in missing if name != "customer_key"]
        if not any(all(name in positions for name in names) for names in _OPEN):
            missing.append("amount_open")
        missing += [name for name in self._columns if name not in positions and name not in missing]
        if missing:
            raise self._missing(where, missing[0], cells)
        if "country" not in positions and not country:
            msg = f"{where}: no column 'country' and no setting country"
            raise InvalidValueError(msg, hint='set country = "PE" (ISO code) or map the column')
        return Header(line=line, positions=positions, names=names, anchor=cells[positions["doc_number"]])

    def _missing(self, where: str, column: str, cells: Sequence[str]) -> InvalidValueError:
        found = ", ".join(re.sub(r"\s+", " ", cell).strip()[:30] for cell in cells[:_SHOWN] if cell.strip())
        more = ", …" if len(cells) > _SHOWN else ""
        header = f" ({self._columns[column][:40]!r} by the settings)" if column in self._columns else ""
        msg = f"{where}: column '{column}'{header} is missing; found {found}{more}; map it under [erps.NAME.columns]"
        return InvalidValueError(msg)
