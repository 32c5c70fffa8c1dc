"""
The provider: which files, where it stopped, and what a snapshot may close.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from anyio import to_thread
from attrs import frozen

from cobranza_erp_csv._config import CsvSettings
from cobranza_erp_csv._dialect import FileFacts, examine
from cobranza_erp_csv._reader import FileReader, Record, Unit
from cobranza_erp_csv._results import put, render
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
    UnsupportedCapabilityError,
)

BATCH = 500
_CURSOR = 2
_SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".xlsx", ".xlsm"})
# what programs call a file that they are still writing
_UNFINISHED = frozenset({".part", ".tmp", ".filepart", ".crdownload", ".download"})


@frozen(kw_only=True)
class _File:
    """
    One file as it is now.

    Attributes:
        path: Where.
        stamp: Size, times and inode.
        id: Of name and content.
        facts: What its bytes say, or None while a cursor knows it by its stamp.
    """

    path: Path
    stamp: tuple[int, ...]
    id: str
    facts: FileFacts | None

    @property
    def done(self) -> tuple[str, str]:
        """
        What a cursor keeps of it: its id, and by what it is known without being read.
        """
        return self.id, _short(f"{self.path.name}\0{self.stamp}")


@frozen(kw_only=True)
class _Position:
    """
    What a cursor says: files that were read whole, and how far into the next one.
    """

    settings: str
    done: tuple[tuple[str, str], ...] = ()
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
                done = tuple((str(name), str(stamp)) for name, stamp in told["done"])
                return cls(settings=settings, done=done, file=file, line=int(line))
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        return cls(settings=settings)

    def cursor(self) -> str:
        return json.dumps(
            {"v": _CURSOR, "settings": self.settings, "done": self.done, "at": [self.file, self.line]},
            separators=(",", ":"),
        )

    def has(self, file: _File) -> bool:
        """
        Whether *file* was read whole.
        """
        return any(file.id == name for name, _ in self.done)


class CsvErp(Erp):
    """
    Reads debtors, receivables and payments from files.
    """

    name: ClassVar[str] = "erp_csv"
    config: ClassVar[type] = CsvSettings
    capabilities: ClassVar[ErpCapabilities] = ErpCapabilities(incremental=True, snapshot=True, write_back=True)

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
        at = _Position.of(cursor, self.settings.digest)
        files = await to_thread.run_sync(self._files, at)
        start = next((index for index, file in enumerate(files) if not at.has(file)), None)
        if start is None:
            yield ErpBatch(records=(), cursor=at.cursor())
            return
        for index in range(start, len(files)):
            done = tuple(file.done for file in files[:index])
            skip = at.line if index == start and at.file == files[index].id else 0
            batches = self._batches(files[index], done, skip)
            try:
                while (batch := await to_thread.run_sync(partial(next, batches, None))) is not None:
                    yield batch
            finally:
                batches.close()
            # who asks for more has stored what was handed out
            await to_thread.run_sync(self._put_away, files[index])

    async def write_back(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """
        Write *updates* into the folder `CsvSettings.results`, one file for each kind of result.

        Raises:
            UnsupportedCapabilityError: No folder is set.
            InvalidValueError: An update is not understood, or the folder is not there; nothing was written.
            ProviderError: Not all was written; writing the same again is harmless.
        """
        folder = self.settings.results
        if folder is None:
            msg = "erp_csv writes results into a folder, and none is set"
            raise UnsupportedCapabilityError(msg, hint="set results under [erps.NAME]")
        files = render(updates, bom=self.settings.results_bom)
        try:
            await to_thread.run_sync(put, folder, files)
        except FileNotFoundError:
            msg = f"results: there is no folder {folder.name}"
            raise InvalidValueError(msg, hint="make it, or name another") from None
        except OSError as error:
            raise ProviderError(
                Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.NO, vendor_code=type(error).__name__
            ) from error

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
        if not paths:
            return "no file has arrived"
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
        if self.settings.watch:
            found = [path for path in found if path.suffix.lower() not in _UNFINISHED and path.name[0] not in ".~"]
        found = sorted((path for path in found if path.is_file()), key=lambda path: (path.name, str(path)))
        if not found and not (self.settings.watch and place.parent.is_dir()):
            msg = f"path {place.name}: no such file, and no .csv, .txt, .tsv or .xlsx file in it"
            raise InvalidValueError(msg, hint="give a file, a directory or a pattern such as exports/*.csv")
        return found

    def _files(self, at: _Position) -> Sequence[_File]:
        """
        The files there are, in order; what is still being written is left, what was stored before is put away.
        """
        files = [file for path in self._paths() if (file := self._file(path, at)) is not None]
        for file in files:
            if at.has(file):
                self._put_away(file)
        return [file for file in files if not (self.settings.move_to and at.has(file))]

    def _file(self, path: Path, at: _Position) -> _File | None:
        known = {stamp: name for name, stamp in at.done}
        try:
            stamp = _stamp(path)
            name = known.get(_short(f"{path.name}\0{stamp}"))
            if name is not None:
                return _File(path=path, stamp=stamp, id=name, facts=None)
            facts = examine(path, self.settings.encoding)
        except OSError as error:
            raise _unreadable(path, error) from error
        if self.settings.watch and not (facts.ended or self.settings.last_line_is_whole):
            self.services.logger.info("erp_csv.file_left", file=path.name, reason="its end is not there yet")
            return None
        return _File(path=path, stamp=stamp, id=_short(f"{path.name}\0{facts.digest}"), facts=facts)

    def _put_away(self, file: _File) -> None:
        """
        Move a file that was stored, where the settings say so; it keeps its name unless that is taken.
        """
        folder = self.settings.move_to
        if folder is None:
            return
        target = folder / file.path.name
        if target.exists():
            target = folder / f"{file.path.stem}-{file.id}{file.path.suffix}"
        try:
            if _stamp(file.path) == file.stamp:
                file.path.replace(target)
        except OSError as error:
            msg = f"file {file.path.name} was read, but cannot be moved to {folder.name}: {type(error).__name__}"
            raise InvalidValueError(msg, hint="move_to is a folder that is there, on the same disk") from error

    def _batches(self, file: _File, done: tuple[tuple[str, str], ...], skip: int) -> Generator[ErpBatch, None, None]:
        reader = self._reader(file)
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
        end = _Position(settings=self.settings.digest, done=(*done, file.done))
        yield self._batch(reader, records, rejected, end, complete=self._complete(reader))
        self.services.logger.info("erp_csv.file_read", file=file.path.name, rows=reader.rows, rejected=reader.rejected)

    def _reader(self, file: _File) -> FileReader:
        try:
            facts = file.facts or examine(file.path, self.settings.encoding)
        except OSError as error:
            raise _unreadable(file.path, error) from error
        return FileReader(file.path, facts, self.settings)

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


def _stamp(path: Path) -> tuple[int, ...]:
    """
    By what a file is known without being read. Copying can keep the time of a change, but not that of the inode.
    """
    told = path.stat()
    return told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _unreadable(path: Path, error: Exception) -> InvalidValueError | ProviderError:
    if isinstance(error, UnicodeError):
        msg = f"file {path.name} cannot be read in this encoding; set encoding, for example cp1252"
        return InvalidValueError(msg)
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        msg = f"file {path.name} cannot be opened: {type(error).__name__}"
        return InvalidValueError(msg)
    return ProviderError(Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.NO, vendor_code=type(error).__name__)
