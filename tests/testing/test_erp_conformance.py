"""
The kit for ERP plugins, held against a zoo: one by the book passes every check, and each check has its own mutant.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import evolve, field, frozen

from cobranza_sdk import (
    Category,
    Debtor,
    Disposition,
    Erp,
    ErpBatch,
    ErpCapabilities,
    Installment,
    InvalidValueError,
    Money,
    Person,
    ProviderError,
    Receivable,
    RejectedRecord,
    Secret,
    Transmitted,
)
from cobranza_sdk.testing import ErpConformance
from cobranza_sdk.testing._conformance import standard_checks

ROWS = [["D-1", "F-1", "10.00"], ["D-1", "F-2", "20.00"], ["D-2", "F-3", "30.00"]]


def not_blank(_instance: object, attribute: Any, value: str) -> None:
    if not value:
        msg = f"{attribute.name} may not be blank"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class BooksSettings:
    path: str = field(validator=not_blank)
    token: Secret = field(factory=lambda: Secret("x"))


class Books(Erp):
    """
    Reads rows of JSON, a batch per row. Each mutant makes one thing wrong.
    """

    name = "books"
    config: ClassVar[type] = BooksSettings
    capabilities = ErpCapabilities(incremental=True)

    def rows(self) -> list[list[str]]:
        try:
            rows: list[list[str]] = json.loads(Path(self.settings.path).read_text("utf-8"))
        except OSError:
            raise ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO) from None
        return rows

    def start(self, cursor: str | None) -> int:
        return int(cursor) if cursor is not None and cursor.isdecimal() and len(cursor) < 3 else 0

    async def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        for number, row in enumerate(self.rows()):
            if number >= self.start(cursor):
                yield self.batch(number, row)

    def batch(self, number: int, row: list[str]) -> ErpBatch:
        try:
            money = Money.of(row[2], "PEN")
        except InvalidValueError:
            return ErpBatch(records=(), rejected=[self.rejected(number, row)], cursor=str(number + 1))
        return ErpBatch(records=self.records(row, money), cursor=str(number + 1))

    def rejected(self, number: int, row: list[str]) -> RejectedRecord:
        return RejectedRecord(source="books", line=number, column="amount", reason="no amount", key=row[1])

    def records(self, row: list[str], money: Money) -> Sequence[Debtor | Receivable]:
        part = Installment(due_on=date(2026, 8, 4), amount=money, open=money)
        return [
            Debtor(external_id=row[0], person=Person(name="Ana Prueba"), country="PE"),
            Receivable(external_id=row[1], debtor_id=row[0], installments=[part]),
        ]


class Written(ErpConformance):
    provider: ClassVar[type[Erp]] = Books

    def source(self, folder: Path) -> Mapping[str, Any]:
        return self.write(folder, ROWS)

    def damaged(self, folder: Path) -> Mapping[str, Any]:
        return self.write(folder, [*ROWS, ["D-3", "F-4", self.canary]])

    def missing(self, folder: Path) -> Mapping[str, Any]:
        return {"path": str(folder / "nowhere.json")}

    def write(self, folder: Path, rows: Any) -> Mapping[str, Any]:
        (folder / "books.json").write_text(json.dumps(rows), "utf-8")
        return {"path": str(folder / "books.json")}


class TestByTheBook(Written):
    """
    Nothing is wrong with it.
    """


# -- the zoo -------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class TakesBlank:
    path: str


@frozen(kw_only=True)
class PlainToken(BooksSettings):
    token: str = "x"  # type: ignore[assignment]  # what is wrong with it


class Shouting(Books):
    name = "Books!"


class Blanks(Books):
    config = TakesBlank


class Plain(Books):
    config = PlainToken


class Backwards(Books):
    def records(self, row: list[str], money: Money) -> Sequence[Debtor | Receivable]:
        return super().records(row, money)[::-1]


class Restless(Books):
    read_before: ClassVar[list[int]] = []

    def records(self, row: list[str], money: Money) -> Sequence[Debtor | Receivable]:
        self.read_before.append(1)
        debtor, receivable = super().records(row, money)
        return [debtor, evolve(receivable, document=f"N-{len(self.read_before)}")]


class Unstorable(Books):
    def records(self, row: list[str], money: Money) -> Sequence[Debtor | Receivable]:
        debtor, receivable = super().records(row, money)
        return [debtor, evolve(receivable, debtor_id="D-1" if row[0] == "D-1" else "D-9")]


class Skips(Books):
    def start(self, cursor: str | None) -> int:
        return super().start(cursor) + (1 if super().start(cursor) else 0)


class Stuck(Books):
    def start(self, cursor: str | None) -> int:
        return int(cursor) if cursor else 0


class Silent(Books):
    def batch(self, number: int, row: list[str]) -> ErpBatch:
        return evolve(super().batch(number, row), rejected=[])


class Quotes(Books):
    def rejected(self, number: int, row: list[str]) -> RejectedRecord:
        return evolve(super().rejected(number, row), reason=f"{row[2]} is no amount")


class Empty(Books):
    def rows(self) -> list[list[str]]:
        try:
            return super().rows()
        except ProviderError:
            return []


class Pretends(Books):
    async def write_back(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """
        Do nothing.
        """


class LastWins(Books):
    last: ClassVar[list[Any]] = []

    def __init__(self, config: Any, services: Any) -> None:
        super().__init__(config, services)
        self.last.append(config)

    def rows(self) -> list[list[str]]:
        self.settings = self.last[-1]
        return super().rows()


class ClosesOnce(Books):
    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError
        self.closed = True


ZOO: dict[str, tuple[type[Erp], ...]] = {
    "test_the_descriptor_is_complete": (Shouting,),
    "test_wrong_settings_are_refused_by_name": (Blanks,),
    "test_credentials_are_typed_as_secrets": (Plain,),
    "test_debtors_come_before_what_refers_to_them": (Backwards,),
    "test_the_same_source_reads_the_same_twice": (Restless,),
    "test_a_second_sync_changes_nothing": (Unstorable, Restless),
    "test_every_cursor_leads_to_the_rest": (Skips,),
    "test_a_cursor_that_is_not_understood_reads_all": (Stuck,),
    "test_a_damaged_row_is_told_and_costs_nothing_else": (Silent, Quotes),
    "test_a_source_that_is_not_there_is_an_error": (Empty,),
    "test_writing_back_needs_its_capability": (Pretends,),
    "test_two_sources_stand_side_by_side": (LastWins,),
    "test_it_can_be_closed_twice": (ClosesOnce,),
}


def test_every_check_has_its_mutant() -> None:
    """
    A check that nothing fails is no check.
    """
    assert list(ZOO) == standard_checks(ErpConformance)


@pytest.mark.parametrize(("name", "mutant"), [(name, mutant) for name, several in ZOO.items() for mutant in several])
def test_every_mutant_is_caught_by_its_check(name: str, mutant: type[Erp]) -> None:
    """
    The failure says what was found, what was expected, and why that matters.
    """
    kit = type("Kit", (Written,), {"provider": mutant})()
    LastWins.last.clear()

    with pytest.raises(AssertionError) as caught:
        getattr(kit, name)()

    words = str(caught.value)
    assert [line.partition(":")[0] for line in words.splitlines()[:3]] == ["found", "expected", "why it matters"]


class Refused(Books):
    def rows(self) -> list[list[str]]:
        raise ProviderError(
            Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code="404", vendor_message="Canaria"
        )


class Stumbles(Books):
    def rows(self) -> list[list[str]]:
        raise KeyError(self.settings)


@pytest.mark.parametrize(
    ("mutant", "told"),
    [
        (Refused, r"found: ProviderError was raised: validation \(code 404\): never, transmitted: no"),
        (Stumbles, r"found: KeyError was raised in test_erp_conformance\.py, line \d+"),
    ],
)
def test_an_error_that_nobody_asked_for_is_told(mutant: type[Erp], told: str) -> None:
    """
    The certificate shows one line of a failure: it has to tell an engineer what happened, and no record's words.
    """
    kit: Any = type("Kit", (Written,), {"provider": mutant})()

    with pytest.raises(AssertionError) as caught:
        kit.test_the_same_source_reads_the_same_twice()

    first = str(caught.value).splitlines()[0]
    assert re.fullmatch(told, first)
    assert "Canaria" not in first


@pytest.mark.parametrize("method", ["source", "damaged", "missing"])
def test_a_class_that_writes_no_source_is_told_so(method: str, tmp_path: Path) -> None:
    bare = type("Kit", (ErpConformance,), {"provider": Books})()

    with pytest.raises(Exception, match=f"does not write {method}"):
        getattr(bare, method)(tmp_path)
