"""
The provider: which files, where it stopped, and what a snapshot may close.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from anyio import to_thread
from attrs import frozen

from cobranza_erp_csv._config import CsvSettings
from cobranza_erp_csv._dialect import FileFacts, examine
from cobranza_erp_csv._reader import FileReader, Record, Unit
from cobranza_sdk import (
    Category,
    Disposition,
    Erp,
    ErpBatch,
    ErpCapabilities,
    Health,
    InvalidValueError,
    ProviderError,
    RejectedRecord,
    Transmitted,
)

BATCH = 500
_CURSOR = 1
_SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".xlsx", ".xlsm"})


@frozen(kw_only=True)
class _File:
    path: Path
    facts: FileFacts
    stamp: tuple[int, int]

    @property
    def id(self) -> str:
        return hashlib.sha256(f"{self.path.name}\0{self.facts.digest}".encode()).hexdigest()[:16]


@frozen(kw_only=True)
class _Position:
    """
    What a cursor says: files that were read whole, and how far into the next one.
    """

    settings: str
    done: tuple[str, ...] = ()
    file: str | None = None
    line: int = 0

    @classmethod
    def of(cls, cursor: str | None, settings: str) -> _Position:
        """
        Read a cursor; one that is not understood, or was made under other settings, starts over.
        """
        try:
            told = json.loads(cursor or "{}")
            if told["v"] == _CURSOR and told["settings"] == settings:
                file, line = told["at"]
                return cls(settings=settings, done=tuple(map(str, told["done"])), file=file, line=int(line))
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        return cls(settings=settings)

    def cursor(self) -> str:
        return json.dumps(
            {"v": _CURSOR, "settings": self.settings, "done": self.done, "at": [self.file, self.line]},
            separators=(",", ":"),
        )


class CsvErp(Erp):
    """
    Reads debtors, receivables and payments from files.
    """

    name: ClassVar[str] = "erp_csv"
    config: ClassVar[type] = CsvSettings
    capabilities: ClassVar[ErpCapabilities] = ErpCapabilities(incremental=True, snapshot=True)

    settings: CsvSettings

    @property
    def account(self) -> str:
        """
        The last part of the path.
        """
        return self.settings.path.name or self.name

    async def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        """
        Stream the files that are new or changed since *cursor*, in name order, and all after the first of them.

        Raises:
            InvalidValueError: A file cannot be understood as a whole; nothing of it was handed out.
            ProviderError: A file cannot be read now, or changed while it was read.
        """
        files = await to_thread.run_sync(self._files)
        at = _Position.of(cursor, self.settings.digest)
        start = next((index for index, file in enumerate(files) if file.id not in at.done), None)
        if start is None:
            yield ErpBatch(records=(), cursor=at.cursor())
            return
        for index in range(start, len(files)):
            done = tuple(file.id for file in files[:index])
            skip = at.line if index == start and at.file == files[index].id else 0
            batches = self._batches(files[index], done, skip)
            try:
                while (batch := await to_thread.run_sync(partial(next, batches, None))) is not None:
                    yield batch
            finally:
                batches.close()

    async def check(self) -> Health:
        """
        Whether the path exists and the header of its last file is understood. Reads, changes nothing.
        """
        try:
            detail = await to_thread.run_sync(self._look)
        except (InvalidValueError, ProviderError) as error:
            return Health(ok=False, detail=str(error))
        return Health(ok=True, detail=detail)

    def _look(self) -> str:
        paths = self._paths()
        try:
            header = FileReader(paths[-1], examine(paths[-1], self.settings.encoding), self.settings).layout().header
        except (OSError, UnicodeError) as error:
            raise _unreadable(paths[-1], error) from error
        return f"{len(paths)} file(s); {paths[-1].name}: {len(header.positions)} columns understood"

    def _paths(self) -> Sequence[Path]:
        place = self.settings.path
        if place.is_file():
            return (place,)
        if place.is_dir():
            found = [path for path in place.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] not in ".~"]
        else:
            found = [Path(path) for path in glob.glob(str(place))]  # noqa: PTH207  # the pattern may be absolute
        found = sorted((path for path in found if path.is_file()), key=lambda path: (path.name, str(path)))
        if not found:
            msg = f"path {place.name}: no such file, and no .csv, .txt, .tsv or .xlsx file in it"
            raise InvalidValueError(msg, hint="give a file, a directory or a pattern such as exports/*.csv")
        return found

    def _files(self) -> Sequence[_File]:
        return [self._file(path) for path in self._paths()]

    def _file(self, path: Path) -> _File:
        try:
            stamp = _stamp(path)
            return _File(path=path, facts=examine(path, self.settings.encoding), stamp=stamp)
        except OSError as error:
            raise _unreadable(path, error) from error

    def _batches(self, file: _File, done: tuple[str, ...], skip: int) -> Generator[ErpBatch, None, None]:
        reader = FileReader(file.path, file.facts, self.settings)
        position = _Position(settings=self.settings.digest, done=done, file=file.id)
        records: list[Record] = []
        rejected: list[RejectedRecord] = []
        line = skip
        try:
            for unit in self._after(reader, skip):
                if len(records) >= BATCH or len(rejected) >= BATCH:
                    yield self._batch(reader, records, rejected, _moved(position, line))
                    records, rejected = [], []
                records += unit.records
                rejected += unit.rejected
                line = unit.line
            changed = _stamp(file.path) != file.stamp
        except (OSError, UnicodeError) as error:
            raise _unreadable(file.path, error) from error
        if changed:
            raise ProviderError(
                Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.NO, vendor_code="changed_while_read"
            )
        end = _Position(settings=self.settings.digest, done=(*done, file.id))
        yield self._batch(reader, records, rejected, end, complete=self._complete(reader))
        self.services.logger.info("erp_csv.file_read", file=file.path.name, rows=reader.rows, rejected=reader.rejected)

    def _after(self, reader: FileReader, line: int) -> Iterator[Unit]:
        """
        The units after *line*. Those before it are read again, so that duplicates and debtors are judged the same.
        """
        layout = reader.layout()
        return (unit for unit in reader.units(layout) if unit.line > line)

    def _batch(
        self,
        reader: FileReader,
        records: Sequence[Record],
        rejected: Sequence[RejectedRecord],
        position: _Position,
        *,
        complete: bool = False,
    ) -> ErpBatch:
        scope = tuple(f"currency:{code}" for code in sorted(reader.currencies)) if self.settings.snapshot else ()
        return ErpBatch(
            records=tuple(records), rejected=tuple(rejected), cursor=position.cursor(), scope=scope, complete=complete
        )

    def _complete(self, reader: FileReader) -> bool:
        """
        Whether the file may close what it does not name: a full snapshot, whole, with few enough broken rows.
        """
        if not self.settings.snapshot or reader.cut or not reader.currencies:
            return False
        return reader.rejected <= reader.rows * self.settings.max_rejected_ratio


def _moved(position: _Position, line: int) -> _Position:
    return _Position(settings=position.settings, done=position.done, file=position.file, line=line)


def _stamp(path: Path) -> tuple[int, int]:
    told = os.stat(path)  # noqa: PTH116  # the same call, without building another path
    return told.st_size, told.st_mtime_ns


def _unreadable(path: Path, error: Exception) -> InvalidValueError | ProviderError:
    if isinstance(error, UnicodeError):
        msg = f"file {path.name} cannot be read in this encoding; set encoding, for example cp1252"
        return InvalidValueError(msg)
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        msg = f"file {path.name} cannot be opened: {type(error).__name__}"
        return InvalidValueError(msg)
    return ProviderError(Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.NO, vendor_code=type(error).__name__)
