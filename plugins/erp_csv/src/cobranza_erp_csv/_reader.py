"""
One file: find its header, let its columns vote, then stream its rows as records.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from cobranza_erp_csv import _amounts, _dates
from cobranza_erp_csv._config import CsvSettings
from cobranza_erp_csv._dialect import (
    DELIMITERS,
    FileFacts,
    Row,
    RowReader,
    declared_delimiter,
    open_text,
)
from cobranza_erp_csv._documents import DocumentParser, Item
from cobranza_erp_csv._mapping import (
    AMOUNTS,
    DATES,
    DEBTOR_COLUMNS,
    DOCUMENT_COLUMNS,
    REQUIRED,
    Header,
    HeaderMap,
    Preset,
    load,
    plain,
    vocabulary,
)
from cobranza_erp_csv._parties import Party, RowError
from cobranza_erp_csv._seen import Seen
from cobranza_erp_csv._workbook import WorkbookReader, open_sheet
from cobranza_sdk import Debtor, InvalidValueError, Payment, Receivable, RejectedRecord

#: Debtors whose cells are remembered, so that a blank cell does not erase what an earlier row told.
REMEMBERED = 4096
#: Installments of one document; more are no payment plan.
MAX_PARTS = 1000
_MAX_PENDING_REJECTS = 100
_MAX_COUNTRIES = 50
_TOTALS = re.compile(
    r"(?:(?:gran |grand )?totale?s?|sub-? ?totale?s?|sumas?|suman|saldo (?:inicial|final|anterior|del? cliente))\b|\*"
)
_RULE = "-=_+| \t"
_FOOTER = re.compile(r"(?:usuario|user|impreso|pagina|page|fecha de impresion|procesado|generado)\b ?[:\d]?")
_UNENDED = "the file ends without a line end"
_NEEDED = ("customer_key", "doc_number", "due_date")
# what each line of a document says for itself, when lines go on with the one above
_OF_A_LINE = frozenset({"due_date", "installment_no", *AMOUNTS})
_GUARDED = ("=", "+", "-", "@")

Record = Debtor | Receivable | Payment
Cells = Callable[[Sequence[str]], tuple[str, ...]]


@frozen(kw_only=True)
class Layout:
    """
    How a file is written.

    Attributes:
        delimiter: One character.
        header: Where the columns are.
        marks: Decimal mark by amount column.
        orders: Order by date column.
    """

    delimiter: str
    header: Header
    marks: dict[str, _amounts.Mark]
    orders: dict[str, _dates.Order]


@frozen(kw_only=True)
class Unit:
    """
    What belongs together: a document with its installments, a payment, or rejected rows.

    Attributes:
        records: Debtors before what refers to them.
        rejected: Rows that were not taken.
        line: The last line it was made of; the next unit begins after it.
    """

    records: tuple[Record, ...]
    rejected: tuple[RejectedRecord, ...]
    line: int


@define
class _Group:
    """
    Adjacent rows that are being put together.
    """

    records: list[Record] = field(factory=list)
    rejected: list[RejectedRecord] = field(factory=list)
    items: list[Item] = field(factory=list)
    line: int = 0

    def unit(self) -> Unit:
        records = [*self.records, _receivable(self.items)] if self.items else self.records
        return Unit(records=tuple(records), rejected=tuple(self.rejected), line=self.line)

    def takes(self, item: Item) -> bool:
        first = self.items[0] if self.items else None
        return first is not None and (first.external_id, first.customer) == (item.external_id, item.customer)


@define
class FileReader:
    """
    Reads one file, twice when its columns must vote.

    Attributes:
        path: The file.
        facts: What its bytes say.
        settings: How it is to be read.
        rows: Rows with content that were met, totals and titles aside.
        rejected: Rows among them that were not taken.
        cut: Whether the file ends, or may end, before its data does.
        currencies: ISO codes of what was owed.
    """

    path: Path
    facts: FileFacts
    settings: CsvSettings
    rows: int = field(default=0, init=False)
    rejected: int = field(default=0, init=False)
    cut: bool = field(default=False, init=False)
    currencies: set[str] = field(factory=set, init=False)
    _unended: bool = field(default=False, init=False)
    _map: HeaderMap = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._map = HeaderMap(load(self.settings.preset), self.settings.columns)

    def layout(self) -> Layout:
        """
        Find the header and settle what is not declared.

        Raises:
            InvalidValueError: There is no header, it lacks a column, or an amount can be read in two ways.
        """
        delimiter, header = self._header()
        marks: dict[str, _amounts.Mark] = {}
        orders: dict[str, _dates.Order] = {}
        if self.settings.decimal is not None:
            marks = dict.fromkeys(AMOUNTS, _amounts.Mark(self.settings.decimal))
        if self.settings.date_format is not None:
            orders = dict.fromkeys(DATES, _dates.order_of(self.settings.date_format))
        if not marks or not orders:
            votes = self._survey(delimiter, header)
            marks = marks or self._marks(votes)
            orders = orders or self._orders(votes)
        return Layout(delimiter=delimiter, header=header, marks=marks, orders=orders)

    def _header(self) -> tuple[str, Header]:
        declared = self.settings.delimiter or self._declared()
        best: tuple[int, str, Row] | None = None
        for delimiter in (declared,) if declared else DELIMITERS:
            for row in self._head(delimiter):
                found = len(self._map.positions(row.cells))
                if self._map.is_header(row.cells):
                    if best is None or found > best[0]:
                        best = (found, delimiter, row)
                    break
        if best is None:
            raise self._headless()
        _, delimiter, row = best
        has_country = self.settings.country is not None
        return delimiter, self._map.resolve(row.cells, line=row.line, source=self.path.name, country=has_country)

    def _head(self, delimiter: str) -> Iterator[Row]:
        with self._opened() as stream:
            for index, row in enumerate(self._splitter(delimiter).rows(stream)):
                if index > self._map.preset.title_rows + 1:
                    return
                yield row

    def _declared(self) -> str | None:
        return DELIMITERS[0] if self.facts.is_workbook else declared_delimiter(self.path, self.facts.encoding)

    def _opened(self) -> AbstractContextManager[Any]:
        """
        The file as a stream of what `_splitter` splits.
        """
        if self.facts.is_workbook:
            return open_sheet(self.path, self.settings.sheet)
        return open_text(self.path, self.facts.encoding)

    def _splitter(self, delimiter: str) -> RowReader | WorkbookReader:
        if self.facts.is_workbook:
            return WorkbookReader()
        return RowReader(delimiter, trusting=self.settings.last_line_is_whole)

    def _headless(self) -> InvalidValueError:
        if not self.facts.size:
            msg = f"file {self.path.name} is empty: expected a header row"
            return InvalidValueError(msg)
        msg = (
            f"file {self.path.name}, line 1: no header row found; expected columns such as {', '.join(REQUIRED)}; "
            "map them under [erps.NAME.columns]"
        )
        return InvalidValueError(msg, hint="or name the preset, the delimiter or the encoding of the export")

    def _rows(self, delimiter: str, header: Header) -> Iterator[Row]:
        """
        Yield the rows under the header, without repeated headers.
        """
        reader = self._splitter(delimiter)
        anchor, width = header.positions["doc_number"], len(header.names)
        with self._opened() as stream:
            for row in reader.rows(stream):
                if row.line <= header.line:
                    reader.width = width if row.line == header.line else None
                    continue
                cells = row.cells
                if len(cells) == width and cells[anchor] == header.anchor and tuple(map(plain, cells)) == header.names:
                    continue
                yield row
        self._unended = reader.unended

    def _survey(self, delimiter: str, header: Header) -> dict[str, dict[object, int]]:
        """
        Let the cells of amount and date columns say how they are written: first line by what was said, by column.
        """
        ask: list[tuple[str, int, Callable[[str], object]]] = []
        where = header.positions
        if self.settings.decimal is None:
            ask += [(name, where[name], _amounts.evidence) for name in AMOUNTS if name in where]
        if self.settings.date_format is None:
            ask += [(name, where[name], _dates.evidence) for name in DATES if name in where]
        votes: dict[str, dict[object, int]] = {name: {} for name in (*AMOUNTS, *DATES, "country")}
        country, width = where.get("country"), len(header.names)
        for row in self._rows(delimiter, header):
            cells = row.cells
            if len(cells) != width or _may_be_cut(row, header):
                continue
            for name, index, asked in ask:
                votes[name].setdefault(asked(cells[index]), row.line)
            if country is not None and len(votes["country"]) < _MAX_COUNTRIES:
                votes["country"].setdefault(cells[country].strip(), row.line)
        return votes

    def _marks(self, votes: dict[str, dict[object, int]]) -> dict[str, _amounts.Mark]:
        said = {name: [vote for vote in votes[name] if isinstance(vote, _amounts.Mark)] for name in AMOUNTS}
        habit = self._habit(votes["country"])
        marks = {}
        for name in AMOUNTS:
            others = [marks_[0] for other, marks_ in said.items() if other != name and len(marks_) == 1]
            ambiguous = True in votes[name]
            mark = _amounts.settle([*said[name], *([True] if ambiguous else [])], others, habit)
            if mark is None:
                msg = (
                    f"file {self.path.name}, line {votes[name][True]}: column '{name}' holds amounts such as 1.234 "
                    'that can be read in two ways; set decimal = "," or decimal = "." under [erps.NAME]'
                )
                raise InvalidValueError(msg)
            marks[name] = mark
        return marks

    def _habit(self, countries: dict[object, int]) -> _amounts.Mark | None:
        codes: set[str | None] = {self.settings.country} if self.settings.country else set()
        if not codes:
            codes = {vocabulary("countries").get(plain(str(cell)), str(cell).upper()) for cell in countries if cell}
        habits = {_amounts.HABITS.get(code or "") for code in codes}
        return habits.pop() if len(habits) == 1 else None

    def _orders(self, votes: dict[str, dict[object, int]]) -> dict[str, _dates.Order]:
        said = {name: [vote for vote in votes[name] if isinstance(vote, _dates.Order)] for name in DATES}
        habit = _dates.Order.MONTH_FIRST if self.settings.country == "US" else _dates.Order.DAY_FIRST
        return {
            name: _dates.settle(
                said[name], [votes_[0] for other, votes_ in said.items() if other != name and len(votes_) == 1], habit
            )
            for name in DATES
        }

    def units(self, layout: Layout) -> Iterator[Unit]:
        """
        Stream the file. Units are the same on every run, whatever a cursor skips.
        """
        preset = self._map.preset
        parser = DocumentParser(preset, layout.marks, layout.orders, self.settings.currency)
        taker = _Taker(parser=parser, preset=preset, header=layout.header, settings=self.settings)
        group = _Group()
        line = layout.header.line
        for row in self._rows(layout.delimiter, layout.header):
            line = row.line
            if taker.is_furniture(row):
                continue
            self.rows += 1
            try:
                taken = taker.take(row, group)
            except RowError as error:
                self.rejected += 1
                self.cut = self.cut or row.cut or row.last
                group.rejected.append(self._reject(row.line, error.column, error.reason, parser.key))
                group.line = row.line
                if len(group.rejected) >= _MAX_PENDING_REJECTS:
                    yield group.unit()
                    group = _Group()
                continue
            if taken is None:
                continue
            thing, debtor, notes = taken
            if isinstance(thing, Payment) or not group.takes(thing):
                if group.line:
                    yield group.unit()
                group = _Group()
            group.records += [debtor] if debtor else []
            group.rejected += [self._reject(row.line, column, reason, parser.key) for column, reason in notes]
            group.line = row.line
            if isinstance(thing, Payment):
                group.records.append(thing)
            else:
                group.items.append(thing)
                self.currencies.add(thing.part.open.currency)
        self._end(group, line)
        if group.line:
            yield group.unit()

    def _end(self, group: _Group, line: int) -> None:
        """
        Tell why a snapshot closes nothing when its last line could be kept but does not show that it is the last.
        """
        if not self._unended or self.cut:
            return
        self.cut = True
        if self.settings.snapshot and self.currencies:
            group.rejected.append(self._reject(line, None, f"{_UNENDED}: it may be cut, and closes nothing", None))
            group.line = line

    def _reject(self, line: int, column: str | None, reason: str, key: str | None) -> RejectedRecord:
        return RejectedRecord(source=self.path.name, line=line, column=column, reason=reason, key=key)


@define
class _Taker:
    """
    Takes rows one by one and remembers what it needs to judge the next.
    """

    parser: DocumentParser
    preset: Preset
    header: Header
    settings: CsvSettings
    _document: Cells = field(init=False)
    _debtor: Cells = field(init=False)
    _required: tuple[int, ...] = field(init=False)
    _known: OrderedDict[str, tuple[str, ...]] = field(factory=OrderedDict, init=False)
    _seen: Seen = field(factory=Seen, init=False)
    _customer: tuple[str, str] = field(default=("", ""), init=False)
    _parent: list[str] | None = field(default=None, init=False)
    _inherited: tuple[int, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        where = self.header.positions
        # `_cells` puts three cells behind every row: the customer's key and name by the line above, and a blank one
        behind = {"customer_key": -3, "customer_name": -2} if self.preset.customer_row else {}
        self._document = itemgetter(*(where.get(name, behind.get(name, -1)) for name in DOCUMENT_COLUMNS))
        self._debtor = itemgetter(*(where.get(name, behind.get(name, -1)) for name in DEBTOR_COLUMNS))
        self._required = tuple(where[name] for name in _NEEDED if name in where)
        self._inherited = tuple(index for name, index in where.items() if name not in _OF_A_LINE)

    def is_furniture(self, row: Row) -> bool:
        """
        Whether the row is no record at all: a total, a rule, a footer, or cells without a key.
        """
        cells = row.cells
        if row.problem is not None:
            return False
        whole = len(cells) == len(self.header.names)
        if whole and all(cells[index].strip(_RULE) for index in self._required):
            return False
        first = next((cell for cell in cells if cell.strip()), "")
        if not first or not "".join(cells).strip(_RULE) or self._names_customer(cells):
            return True
        if whole and not any(cells[index].strip() for index in self._required):
            return True
        begin = plain(first)
        return (
            _TOTALS.match(begin) is not None
            or begin.startswith(self.preset.furniture)
            or (not whole and sum(bool(cell.strip()) for cell in cells) <= 2 and bool(_FOOTER.match(begin)))  # noqa: PLR2004  # a label and its value
        )

    def _names_customer(self, cells: Sequence[str]) -> bool:
        """
        Whether the row is the heading of a customer, whose documents follow.
        """
        if self.preset.customer_row is None:
            return False
        found = self.preset.customer_row.fullmatch(" ".join(" ".join(cells).split()))
        if found is not None:
            self._customer = found["key"], found["name"]
        return found is not None

    def take(self, row: Row, group: _Group) -> tuple[Item | Payment, Debtor | None, list[tuple[str, str]]] | None:
        """
        Read one row.

        Returns:
            What it says, its debtor when that is news, and notes on cells that were dropped; None for a draft.

        Raises:
            RowError: It cannot be taken.
        """
        self.parser.key = None
        if row.problem is not None:
            raise RowError(column=None, reason=row.problem)
        if len(row.cells) != len(self.header.names):
            ends = "the file ends within this row: " if row.last else ""
            raise RowError(column=None, reason=f"{ends}found {len(row.cells)} cells, expected {len(self.header.names)}")
        if _may_be_cut(row, self.header):
            raise RowError(column=None, reason=f"{_UNENDED}: its last row may be cut")
        cells = self._cells(row.cells)
        thing = self.parser.read(self._document(cells))
        if thing is None:
            return None
        item = thing if isinstance(thing, Item) else None
        customer = item.customer if item else thing.debtor_id  # type: ignore[union-attr]  # one or the other
        told = self._told(customer, self._debtor(cells))
        party = Party(wrong_tax_id=self.settings.wrong_tax_id, mobile_only=self.settings.mobile_only)
        debtor = None if told is None else party.debtor(customer, told, self.settings.country)
        if item and group.takes(item):
            thing = item = _fitted(item, group, by_row=self.preset.installments_by_row)
        self._once(row.line, customer, item.part.number if item else 1)
        if told is not None:
            self._remember(customer, told)
        return thing, debtor, party.notes

    def _cells(self, row: Sequence[str]) -> list[str]:
        """
        The cells of a row, cleaned, with what it takes over from the lines above.
        """
        cells = [*map(_cell, row), *self._customer, ""]
        if self.preset.continuation:
            where = self.header.positions
            if self._parent and not cells[where["customer_key"]] and not cells[where["doc_number"]]:
                for index in self._inherited:
                    cells[index] = cells[index] or self._parent[index]
            else:
                self._parent = cells
        return cells

    def _told(self, customer: str, cells: tuple[str, ...]) -> tuple[str, ...] | None:
        """
        The debtor's cells, blanks filled from before; None when they say nothing new.
        """
        before = self._known.get(customer)
        if before is None:
            return cells
        self._known.move_to_end(customer)
        merged = tuple(new or old for new, old in zip(cells, before, strict=True))
        return None if merged == before else merged

    def _remember(self, customer: str, told: tuple[str, ...]) -> None:
        self._known[customer] = told
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _once(self, line: int, customer: str, number: int) -> None:
        earlier = self._seen.check(self.parser.key or "", customer, number, line)
        if earlier is None:
            return
        where, foreign = earlier
        if foreign:
            raise RowError(
                column="doc_number", reason=f"stands on line {where} for another customer: numbers must be unique"
            )
        raise RowError(column=None, reason=f"duplicate of line {where}")


def _may_be_cut(row: Row, header: Header) -> bool:
    """
    Whether the end of the file may have shortened a cell that is read: an amount, a day, a key, a withdrawal.
    """
    return row.open and header.ends_read


def _fitted(item: Item, group: _Group, *, by_row: bool) -> Item:
    """
    *item* as one more installment of the document in *group*, numbered by its place where no cell says it.
    """
    if item.part.open.currency != group.items[0].part.open.currency:
        raise RowError(column="currency", reason="differs from that of the document's other installments")
    if len(group.items) >= MAX_PARTS:
        raise RowError(column="installment_no", reason=f"the document has more than {MAX_PARTS} installments")
    if not by_row or item.numbered or any(item.part.due_on == other.part.due_on for other in group.items):
        return item
    return evolve(item, part=evolve(item.part, number=group.items[-1].part.number + 1))


def _cell(text: str) -> str:
    """
    A cell without blanks around it and without the apostrophe with which exports guard spreadsheets from formulas.
    """
    bare = text.strip()
    return bare[1:] if bare[:1] == "'" and bare[1:2] in _GUARDED else bare


def _receivable(items: Sequence[Item]) -> Receivable:
    first = items[0]
    return Receivable(
        external_id=first.external_id,
        debtor_id=first.customer,
        kind=first.kind,
        document=first.document,
        concept=next((item.concept for item in items if item.concept), None),
        issued_on=next((item.issued_on for item in items if item.issued_on), None),
        installments=tuple(item.part for item in items),
        judicial=any(item.judicial for item in items),
    )
