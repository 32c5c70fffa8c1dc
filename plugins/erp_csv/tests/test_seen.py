"""
Duplicates are known in constant memory, and the same wherever what was seen is kept.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_erp_csv._seen import Seen, _InMemory, _OnDisk

KEYS = st.sampled_from(["F-1", "F-2", "F-3", "", "F-1\x1f2"])
ROWS = st.lists(st.tuples(KEYS, st.sampled_from(["C1", "C2"]), st.integers(1, 70_000)), max_size=40)


class Plain:
    """
    What the tables stand for, said in the plainest way.
    """

    def __init__(self) -> None:
        self.first: dict[str, tuple[int, str, int]] = {}

    def check(self, document: str, owner: str, number: int, line: int) -> tuple[int, bool] | None:
        number = min(number, 0xFFFF)
        for key in (document, f"{document}\x1f{number}"):
            before = self.first.setdefault(key, (line, owner, number))
            if before[0] == line:
                return None
            if key == document and before[1] != owner:
                return before[0], True
            if key != document or before[2] == number:
                return before[0], False
        raise AssertionError


@given(rows=ROWS.map(lambda rows: [(key, owner, min(number, 9)) for key, owner, number in rows if "\x1f" not in key]))
def test_memory_and_file_know_the_same(rows: list[tuple[str, str, int]]) -> None:
    """
    Where it is kept changes nothing of what is known.
    """
    plain, in_memory, on_disk = Plain(), Seen(), Seen(most=0)

    for line, row in enumerate(rows, start=2):
        expected = plain.check(*row, line)
        assert in_memory.check(*row, line) == expected
        assert on_disk.check(*row, line) == expected


def test_beyond_its_room_it_goes_to_a_file_and_forgets_nothing() -> None:
    """
    A file of a million rows needs no more memory than one of a hundred thousand.
    """
    seen = Seen(most=1 << 11)
    for line in range(5_000):
        assert seen.check(f"F-{line}", "C1", 1, line) is None

    assert isinstance(seen._table, _OnDisk)
    assert [seen.check(f"F-{line}", "C1", 1, 9_999) for line in (0, 700, 1_400, 4_999)] == [
        (line, False) for line in (0, 700, 1_400, 4_999)
    ]
    assert seen.check("F-3", "C2", 1, 9_999) == (3, True)


@pytest.mark.parametrize("count", [10, 1_000, 3_000])
def test_small_files_stay_in_memory(count: int) -> None:
    """
    Nothing is written for what fits.
    """
    seen = Seen()
    for line in range(count):
        seen.check(f"F-{line}", "C1", 1, line)

    assert isinstance(seen._table, _InMemory)
