"""
What a file has named so far, in some 40 bytes a document.
"""

from __future__ import annotations

from array import array

_START = 1 << 10
_MASK_32 = 0xFFFFFFFF
_MASK_64 = 0xFFFFFFFFFFFFFFFF
_MAX_NUMBER = 0xFFFF


class Seen:
    """
    A hash table over arrays: per document its first line, whose it is, and which installments it had.
    """

    def __init__(self) -> None:
        self._count = 0
        self._allocate(_START)

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._keys = array("Q", [0]) * slots
        self._lines = array("I", [0]) * slots
        self._owners = array("I", [0]) * slots
        self._numbers = array("H", [0]) * slots

    def check(self, document: str, owner: str, number: int, line: int) -> tuple[int, bool] | None:
        """
        Note installment *number* of *document*, which belongs to *owner* and stands on *line*.

        Returns:
            None when it is new; else the line on which it stood and whether it was another owner's.
        """
        whose = hash(owner) & _MASK_32
        slot = self._find(document)
        if not self._keys[slot]:
            self._insert(slot, document, line, whose, number)
            return None
        if self._owners[slot] != whose:
            return self._lines[slot], True
        if self._numbers[slot] == min(number, _MAX_NUMBER):
            return self._lines[slot], False
        part = f"{document}\x1f{number}"
        slot = self._find(part)
        if self._keys[slot]:
            return self._lines[slot], False
        self._insert(slot, part, line, whose, number)
        return None

    def _find(self, text: str) -> int:
        key = hash(text) & _MASK_64 or 1
        slot = key & self._mask
        keys, mask = self._keys, self._mask
        while keys[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _insert(self, slot: int, text: str, line: int, owner: int, number: int) -> None:
        self._put(slot, hash(text) & _MASK_64 or 1, line, owner, min(number, _MAX_NUMBER))
        self._count += 1
        if self._count * 3 > self._mask * 2:
            self._grow()

    def _put(self, slot: int, key: int, line: int, owner: int, number: int) -> None:
        self._keys[slot], self._lines[slot] = key, line
        self._owners[slot], self._numbers[slot] = owner, number

    def _grow(self) -> None:
        old = zip(self._keys, self._lines, self._owners, self._numbers, strict=True)
        self._allocate(2 * (self._mask + 1))
        mask, keys = self._mask, self._keys
        for key, line, owner, number in old:
            if key:
                slot = key & mask
                while keys[slot]:
                    slot = (slot + 1) & mask
                self._put(slot, key, line, owner, number)
