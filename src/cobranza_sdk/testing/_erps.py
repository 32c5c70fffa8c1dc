"""
The tests that every ERP plugin passes.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import anyio
from attrs import define

from cobranza_sdk.loading import FixedClock, TimeIds
from cobranza_sdk.model import CobranzaError, Debtor, Payment, Receivable
from cobranza_sdk.spec import Erp, ErpBatch, UnsupportedCapabilityError
from cobranza_sdk.store import CreditorStore, Store
from cobranza_sdk.testing._conformance import (
    Conformance,
    check,
    descriptor_problems,
    fail,
)
from cobranza_sdk.testing._providers import EPOCH, make_provider
from cobranza_sdk.testing._settings import hold_credentials, hold_settings

T = TypeVar("T")


@define
class Source:
    """
    A source on this machine, and the provider that reads it.
    """

    cls: Any
    settings: Mapping[str, Any]
    clock: FixedClock

    def provider(self) -> Erp:
        """
        The provider, built as the core builds it.
        """
        made: Erp = make_provider(self.cls.provider, self.settings, clock=self.clock)
        return made

    def run(self, work: Callable[[Erp], Awaitable[T]]) -> T:
        """
        Do something with a provider in an event loop of its own.
        """

        async def main() -> T:
            provider = self.provider()
            try:
                return await work(provider)
            finally:
                await provider.aclose()

        return anyio.run(main)

    def batches(self, cursor: str | None = None) -> list[ErpBatch]:
        """
        All that is read from a cursor on.
        """

        async def read(provider: Erp) -> list[ErpBatch]:
            return [batch async for batch in provider.read(cursor)]

        return self.run(read)


class ErpConformance(Conformance):
    """
    Subclass it in a test file, name the provider, write a source, and pytest runs every check.

    Attributes:
        provider: The ERP plugin.
        canary: A name or number that stands in the damaged row of `damaged` and may be told nowhere.
    """

    provider: ClassVar[type[Erp]]
    canary: ClassVar[str] = "Canaria Secreta 900100001"

    def source(self, folder: Path) -> Mapping[str, Any]:
        """
        Write a source of at least two debtors and three receivables into *folder*; returns the settings that read it.
        """
        fail(f"the test class does not write source({folder.name})", "settings of a source that can be read")

    def damaged(self, folder: Path) -> Mapping[str, Any]:
        """
        The same with one more row that cannot be taken, in which `canary` stands.
        """
        fail(f"the test class does not write damaged({folder.name})", "settings of a source with a damaged row")

    def missing(self, folder: Path) -> Mapping[str, Any]:
        """
        Settings that fit, of a source that is not there.
        """
        fail(f"the test class does not write missing({folder.name})", "settings of a source that is not there")

    @contextmanager
    def opened(self, write: Callable[[Path], Mapping[str, Any]]) -> Iterator[Source]:
        """
        A source in a folder of its own.
        """
        with tempfile.TemporaryDirectory() as folder:
            yield Source(cls=type(self), settings=write(Path(folder)), clock=FixedClock(EPOCH))

    @classmethod
    def certifies(cls) -> tuple[str, str]:
        """
        Family and name of what it holds.
        """
        return "erp", cls.provider.name

    # -- what it says of itself ------------------------------------------------------------------------------------

    @check("an operator finds, configures and trusts a provider by its descriptor")
    def test_the_descriptor_is_complete(self) -> None:
        problems = descriptor_problems(self.provider)
        if self.provider.capabilities.write_back and self.provider.write_back is Erp.write_back:
            problems.append("write_back is declared and not written")
        if problems:
            fail("; ".join(problems), "a descriptor that holds")

    @check("a slip in the configuration is found when it is read, not when the first debtor is written to")
    def test_wrong_settings_are_refused_by_name(self) -> None:
        with self.opened(self.source) as source:
            hold_settings(self.provider, source.settings, source.clock)

    @check("what is no Secret is printed, logged and kept")
    def test_credentials_are_typed_as_secrets(self) -> None:
        hold_credentials(self.provider)

    # -- reading ---------------------------------------------------------------------------------------------------

    @check("a record that names a debtor nobody has heard of is rejected, and the debt is never collected")
    def test_debtors_come_before_what_refers_to_them(self) -> None:
        with self.opened(self.source) as source:
            known: set[str] = set()
            counts = {Debtor: 0, Receivable: 0, Payment: 0}
            for batch in source.batches():
                for record in batch.records:
                    counts[type(record)] += 1
                    if isinstance(record, Debtor):
                        known.add(record.external_id)
                    elif record.debtor_id not in known:
                        fail(f"a {type(record).__name__} before its debtor", "the debtor in the same batch or before")
            if counts[Debtor] < 2 or counts[Receivable] < 3:  # noqa: PLR2004  # what the source holds
                told = ", ".join(f"{count} {kind.__name__}" for kind, count in counts.items())
                fail(f"read {told}", "the source's debtors (two at least) and receivables (three at least)")

    @check("what changes from one reading to the next looks like a new debt, and is chased as one")
    def test_the_same_source_reads_the_same_twice(self) -> None:
        with self.opened(self.source) as source:
            first, second = (_records(source.batches()) for _ in range(2))
            if first != second:
                fail("two readings of one source differ", "the same records in the same order")

    @check("the store is where records live: what it will not take is lost at every user's")
    def test_a_second_sync_changes_nothing(self) -> None:
        with self.opened(self.source) as source, _store(source.clock) as store:
            for number, created in ((1, True), (2, False)):
                for batch in source.batches():
                    result = store.portfolio.put_batch(batch, erp="conformance", run=number, confirmed=False)
                    if result.rejected:
                        fail(f"the store rejects: {result.rejected[0].reason}", "records that it takes")
                    new = sum(result.created.values()) + sum(result.changed.values())
                    if not created and new:
                        fail(f"{new} records are new or changed at the second sync", "none")

    @check("a sync that is cut short goes on where it stopped, or a crash costs the whole night")
    def test_every_cursor_leads_to_the_rest(self) -> None:
        with self.opened(self.source) as source:
            batches = source.batches()
            everything = {_key(record) for record in _records(batches)}
            before: set[tuple[str, str]] = set()
            for batch in batches:
                before |= {_key(record) for record in batch.records}
                if batch.cursor is None:
                    continue
                after = {_key(record) for record in _records(source.batches(batch.cursor))}
                if before | after != everything:
                    lost = len(everything - before - after)
                    fail(f"{lost} records are reached neither before nor after a cursor", "all of them")

    @check("a cursor of yesterday's version, or of another file, must not stop the import for good")
    def test_a_cursor_that_is_not_understood_reads_all(self) -> None:
        with self.opened(self.source) as source:
            everything = {_key(record) for record in _records(source.batches())}
            for cursor in ("", "nonsense", '{"version": 99}', "\x00", "9" * 5000):
                found = {_key(record) for record in _records(source.batches(cursor))}
                if found != everything:
                    fail(f"{len(found)} of {len(everything)} records from the cursor {cursor[:20]!r}", "all of them")

    @check("one bad row must cost one row: not the file, not the neighbours, and not silently")
    def test_a_damaged_row_is_told_and_costs_nothing_else(self) -> None:
        with self.opened(self.source) as whole, self.opened(self.damaged) as source:
            wanted = {_key(record) for record in _records(whole.batches())}
            batches = source.batches()
            found = {_key(record) for record in _records(batches)}
            rejected = [each for batch in batches for each in batch.rejected]
            if not wanted <= found:
                fail(f"{len(wanted - found)} good records are gone", "every row but the damaged one")
            if not rejected or not all(each.source and each.reason for each in rejected):
                fail(f"{len(rejected)} rows are told as rejected", "the damaged one, with its source and a reason")
            leaks = [each for each in rejected if self.canary in f"{each.reason} {each.column} {each.key}"]
            if leaks:
                fail("the reason quotes what stands in the row", "what was found in kind, and what is expected")

    @check("an ERP that is away comes back tomorrow; an empty answer would close every debt")
    def test_a_source_that_is_not_there_is_an_error(self) -> None:
        with self.opened(self.missing) as source:
            try:
                batches = source.batches()
            except CobranzaError:
                return
            fail(f"{len(batches)} batches were read", "a ProviderError, or another CobranzaError of one clear sentence")

    # -- the rest --------------------------------------------------------------------------------------------------

    @check("what is not declared must not look as if it had been done")
    def test_writing_back_needs_its_capability(self) -> None:
        if self.provider.capabilities.write_back:
            return
        with self.opened(self.source) as source:
            try:
                source.run(lambda provider: provider.write_back([{"kind": "attempt"}]))
            except UnsupportedCapabilityError:
                return
            fail("write_back did something", "UnsupportedCapabilityError, since it is not declared")

    @check("an agency reads many creditors' systems in one process")
    def test_two_sources_stand_side_by_side(self) -> None:
        with self.opened(self.source) as one, self.opened(self.missing) as two:
            first = one.provider()
            two.provider()

            async def read() -> int:
                return sum([len(batch.records) async for batch in first.read(None)])

            if not anyio.run(read):
                fail("another account's settings were used", "each its own")

    @check("a process that cannot be shut down is killed, amid what it is doing")
    def test_it_can_be_closed_twice(self) -> None:
        with self.opened(self.source) as source:

            async def close(provider: Erp) -> None:
                await provider.aclose()
                await provider.aclose()

            source.run(close)


def _records(batches: list[ErpBatch]) -> list[Debtor | Receivable | Payment]:
    return [record for batch in batches for record in batch.records]


def _key(record: Debtor | Receivable | Payment) -> tuple[str, str]:
    return type(record).__name__, record.external_id


@contextmanager
def _store(clock: FixedClock) -> Iterator[CreditorStore]:
    """
    A real store, in a file.
    """
    with tempfile.TemporaryDirectory() as folder:
        ids = TimeIds(clock, random.Random(0).getrandbits)  # noqa: S311  # repeatable ids, not secrets
        store = Store.open(f"sqlite:///{Path(folder) / 'conformance.db'}", clock=clock, ids=ids)
        try:
            yield store.tenant("conformance").creditor("conformance")
        finally:
            store.close()
