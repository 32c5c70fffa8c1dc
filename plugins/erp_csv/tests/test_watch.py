"""
A folder where files arrive: each is taken once it is whole, in order, and once.
"""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cobranza_erp_csv import _erp
from cobranza_erp_csv._erp import CsvErp
from cobranza_sdk import CobranzaError, ErpBatch, InvalidValueError, Receivable
from cobranza_sdk.testing import make_provider

pytestmark = pytest.mark.anyio

HEAD = "customer_key,doc_number,due_date,currency,amount_open\n"


def line(number: int) -> str:
    """
    One document.
    """
    return f"C{number},F-{number},2026-11-05,PEN,{number}.50\n"


def provider(path: Path | str, **settings: Any) -> CsvErp:
    """
    The provider as the core builds it, watching *path*.
    """
    return make_provider(CsvErp, {"path": str(path), "country": "PE", "watch": True, **settings})


def modified(path: Path) -> int:
    """
    When the file was changed, as the disk says.
    """
    return path.stat().st_mtime_ns


def names(folder: Path) -> list[str]:
    """
    What lies in *folder*.
    """
    return sorted(path.name for path in folder.iterdir())


def replace(path: Path, text: str, *, at: int) -> None:
    """
    Put another file in the place of *path*, with the time of a change that is told.
    """
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)
    os.utime(path, ns=(at, at))


async def read(erp: CsvErp, cursor: str | None = None) -> tuple[list[str], str]:
    """
    The documents after *cursor*, and the cursor after them.
    """
    batches: list[ErpBatch] = [batch async for batch in erp.read(cursor)]
    return (
        [str(r.document) for batch in batches for r in batch.records if isinstance(r, Receivable)],
        batches[-1].cursor,
    )


async def test_a_folder_may_be_empty(tmp_path: Path) -> None:
    """
    Nothing has arrived: no fault of anyone's. A folder that is not there is one.
    """
    erp = provider(tmp_path)

    assert (await read(erp))[0] == []
    assert (await erp.check()).ok
    assert (await read(provider(tmp_path / "*.csv")))[0] == []
    with pytest.raises(InvalidValueError, match="no such file"):
        await read(provider(tmp_path / "gone" / "*.csv"))


async def test_files_are_taken_in_order_and_only_the_new_ones(tmp_path: Path) -> None:
    """
    F72: what was read is not read again, and nothing is moved.
    """
    erp = provider(tmp_path)
    (tmp_path / "2026-11-02.csv").write_text(HEAD + line(2))
    (tmp_path / "2026-11-01.csv").write_text(HEAD + line(1))

    first, cursor = await read(erp)
    (tmp_path / "2026-11-03.csv").write_text(HEAD + line(3))
    second, cursor = await read(erp, cursor)
    third, _ = await read(erp, cursor)

    assert (first, second, third) == (["F-1", "F-2"], ["F-3"], [])
    assert names(tmp_path) == ["2026-11-01.csv", "2026-11-02.csv", "2026-11-03.csv"]


async def test_a_file_that_did_not_change_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A folder of a year's files costs as many look-ups, not as many readings.
    """
    erp = provider(tmp_path)
    (tmp_path / "a.csv").write_text(HEAD + line(1))
    _, cursor = await read(erp)
    opened: list[Path] = []
    examine = _erp.examine
    monkeypatch.setattr(_erp, "examine", lambda path, encoding: (opened.append(path), examine(path, encoding))[1])

    await read(erp, cursor)
    assert opened == []

    os.utime(tmp_path / "a.csv", (1, 1))
    assert (await read(erp, cursor))[0] == []
    assert opened == [tmp_path / "a.csv"]


async def test_a_file_that_keeps_its_size_and_time_but_not_its_content_is_read(tmp_path: Path) -> None:
    """
    Programs that copy keep the time of the change; the one of the inode tells.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + line(1))
    before = modified(path)
    erp = provider(tmp_path)
    _, cursor = await read(erp)
    replace(path, HEAD + line(2), at=before)

    assert (await read(erp, cursor))[0] == ["F-2"]


@pytest.mark.parametrize("name", ["b.csv.part", "b.tmp", ".b.csv", "~$b.xlsx"])
async def test_what_programs_are_still_writing_is_left(tmp_path: Path, name: str) -> None:
    """
    Browsers, FTP servers and spreadsheets name their unfinished files so.
    """
    (tmp_path / "a.csv").write_text(HEAD + line(1))
    (tmp_path / name).write_text(HEAD + line(2))

    assert (await read(provider(f"{tmp_path}/*")))[0] == ["F-1"]
    assert (tmp_path / name).exists()


async def test_a_half_written_file_is_left_until_it_is_whole(tmp_path: Path) -> None:
    """
    F67: half a file is no file. Those after it are taken, and it is once it has its end.
    """
    erp = provider(tmp_path)
    (tmp_path / "a.csv").write_text(HEAD + line(1) + "C2,F-2,2026-11-05,PE")
    (tmp_path / "b.csv").write_text(HEAD + line(3))

    first, cursor = await read(erp)
    (tmp_path / "a.csv").write_text(HEAD + line(1) + line(2))
    second, _ = await read(erp, cursor)

    assert first == ["F-3"]
    assert second == ["F-1", "F-2", "F-3"]


async def test_a_half_written_workbook_is_left(tmp_path: Path) -> None:
    """
    F67: the directory of an archive is written last.
    """
    told = io.BytesIO()
    with zipfile.ZipFile(told, "w") as archive:
        archive.writestr("a", b"x" * 1000)
    (tmp_path / "a.xlsx").write_bytes(told.getvalue()[:-40])

    assert (await read(provider(tmp_path)))[0] == []
    assert (tmp_path / "a.xlsx").exists()


async def test_files_without_a_last_line_end_are_taken_where_they_are_trusted(tmp_path: Path) -> None:
    """
    Some programs never write it.
    """
    (tmp_path / "a.csv").write_text(HEAD + line(1).rstrip())

    assert (await read(provider(tmp_path, last_line_is_whole=True)))[0] == ["F-1"]


async def test_a_file_is_moved_only_when_it_was_stored(tmp_path: Path) -> None:
    """
    F75: who reads a batch and dies finds the file where it was; one with the same name replaces nothing.
    """
    inbox, done = tmp_path / "in", tmp_path / "done"
    inbox.mkdir()
    done.mkdir()
    erp = provider(inbox, move_to=str(done))
    (inbox / "a.csv").write_text(HEAD + line(1))

    reading = erp.read(None)
    cursor = (await anext(reading)).cursor
    await reading.aclose()  # type: ignore[attr-defined]  # a generator, which the contract does not promise
    assert [path.name for path in inbox.iterdir()] == ["a.csv"]

    assert (await read(erp, cursor))[0] == []
    assert [path.name for path in done.iterdir()] == ["a.csv"]

    (inbox / "a.csv").write_text(HEAD + line(2))
    assert (await read(erp, cursor))[0] == ["F-2"]
    assert not list(inbox.iterdir())
    assert len(list(done.iterdir())) == 2


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"move_to": "in/done", "watch": False}, "move_to needs watch"),
        ({"move_to": "in"}, "move_to is where files are read from"),
        ({"path": "in/*.csv", "results": "in"}, "results is where"),
        ({"results": "in"}, "results is where files are read from"),
    ],
)
async def test_folders_that_would_feed_themselves_are_refused(settings: dict[str, Any], reason: str) -> None:
    """
    What is written back would be read as an export.
    """
    with pytest.raises(CobranzaError, match=reason):
        provider(**{"path": "in", **settings})


async def test_a_file_that_cannot_be_moved_is_told(tmp_path: Path) -> None:
    """
    One clear error; the file was stored, and the next time says nothing of it again.
    """
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text(HEAD + line(1))

    with pytest.raises(InvalidValueError, match=r"a.csv was read, but cannot be moved to gone"):
        await read(provider(tmp_path / "in", move_to=str(tmp_path / "gone")))
