"""
What a file has named so far: in memory for a hundred thousand documents, in a temporary file beyond that.
"""

from __future__ import annotations

import sqlite3
import weakref
from array import array
from typing import NamedTuple, Protocol

_START = 1 << 10
#: Slots of the table in memory, of which two thirds are used: some 2 MB.
_MOST = 1 << 17
_MASK_32 = 0xFFFFFFFF
_MASK_64 = 0xFFFFFFFFFFFFFFFF
_HALF = 1 << 63
_MAX_NUMBER = 0xFFFF
_CACHE_KIB = 8192


class _Entry(NamedTuple):
    """
    A document: its first line, whose it is, and the installment that stood there.
    """

    line: int
    owner: int
    number: int


class _Table(Protocol):
    """
    Entries by a number of 64 bits that is not zero.
    """

    def find(self, key: int) -> _Entry | None: ...
    def add(self, key: int, entry: _Entry) -> None: ...


class Seen:
    """
    Per document its first line, whose it is, and which installments it had.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._table: _Table = _InMemory()
        self._most = most

    def check(self, document: str, owner: str, number: int, line: int) -> tuple[int, bool] | None:
        """
        Note installment *number* of *document*, which belongs to *owner* and stands on *line*.

        Returns:
            None when it is new; else the line on which it stood and whether it was another owner's.
        """
        entry = _Entry(line, hash(owner) & _MASK_32, min(number, _MAX_NUMBER))
        before = self._table.find(_key(document))
        if before is None:
            self._add(_key(document), entry)
            return None
        if before.owner != entry.owner:
            return before.line, True
        if before.number == entry.number:
            return before.line, False
        part = _key(f"{document}\x1f{number}")
        before = self._table.find(part)
        if before is None:
            self._add(part, entry)
            return None
        return before.line, False

    def _add(self, key: int, entry: _Entry) -> None:
        self._table.add(key, entry)
        if isinstance(self._table, _InMemory) and self._table.slots > self._most:
            self._table = _OnDisk(self._table)


def _key(text: str) -> int:
    return hash(text) & _MASK_64 or 1


class _InMemory:
    """
    A hash table over arrays: some 30 bytes an entry.
    """

    def __init__(self) -> None:
        self._count = 0
        self._allocate(_START)

    @property
    def slots(self) -> int:
        """
        How many entries it has room for, a third of which stays free.
        """
        return self._mask + 1

    def entries(self) -> list[tuple[int, int, int, int]]:
        """
        All of it.
        """
        rows = zip(self._keys, self._lines, self._owners, self._numbers, strict=True)
        return [row for row in rows if row[0]]

    def find(self, key: int) -> _Entry | None:
        """
        What stands under *key*.
        """
        slot = self._slot(key)
        if not self._keys[slot]:
            return None
        return _Entry(self._lines[slot], self._owners[slot], self._numbers[slot])

    def add(self, key: int, entry: _Entry) -> None:
        """
        Put a new entry under *key*.
        """
        self._put(key, entry)
        self._count += 1
        if self._count * 3 > self._mask * 2:
            before = self.entries()
            self._allocate(2 * (self._mask + 1))
            for each, *rest in before:
                self._put(each, _Entry(*rest))

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._keys = array("Q", [0]) * slots
        self._lines = array("I", [0]) * slots
        self._owners = array("I", [0]) * slots
        self._numbers = array("H", [0]) * slots

    def _slot(self, key: int) -> int:
        keys, mask = self._keys, self._mask
        slot = key & mask
        while keys[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _put(self, key: int, entry: _Entry) -> None:
        slot = self._slot(key)
        self._keys[slot], self._lines[slot], self._owners[slot], self._numbers[slot] = key, *entry


class _OnDisk:
    """
    The same in a temporary file of SQLite's, which nobody else sees and which is gone when it is closed.

    Args:
        before: What was in memory.
    """

    def __init__(self, before: _InMemory) -> None:
        # "" is a file without a name; batches are read in one thread after another, never in two at once
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._connection.close)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY, line INT, owner INT, number INT) STRICT")
        self._connection.execute("BEGIN")
        for key, *rest in before.entries():
            self.add(key, _Entry(*rest))

    def find(self, key: int) -> _Entry | None:
        """
        What stands under *key*.
        """
        row = self._connection.execute("SELECT line, owner, number FROM seen WHERE key = ?", (key - _HALF,)).fetchone()
        return None if row is None else _Entry(*row)

    def add(self, key: int, entry: _Entry) -> None:
        """
        Put a new entry under *key*.
        """
        self._connection.execute("INSERT INTO seen VALUES (?, ?, ?, ?)", (key - _HALF, *entry))
