"""
The provider as the core meets it: cursors, snapshots, several files, settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from cobranza_erp_csv._erp import BATCH, CsvErp
from cobranza_sdk import CobranzaError, ErpBatch, InvalidValueError, ProviderError, Receivable
from cobranza_sdk.testing import make_provider

Load = Callable[..., Any]
HEAD = "customer_key,doc_number,due_date,currency,amount_open\n"

pytestmark = pytest.mark.anyio


def lines(first: int, last: int, currency: str = "PEN") -> str:
    """
    Good rows, one document each.
    """
    return "".join(f"C{n // 3},F-{n},2026-11-05,{currency},{n + 1}.50\n" for n in range(first, last))


def provider(path: Path | str, **settings: Any) -> CsvErp:
    """
    The provider as the core builds it.
    """
    return make_provider(CsvErp, {"path": str(path), "country": "PE", **settings})


async def read(erp: CsvErp, cursor: str | None = None) -> list[ErpBatch]:
    """
    All batches after *cursor*.
    """
    return [batch async for batch in erp.read(cursor)]


def documents(batches: list[ErpBatch]) -> list[str]:
    """
    Numbers of the documents in *batches*, in order.
    """
    return [str(r.document) for batch in batches for r in batch.records if isinstance(r, Receivable)]


def test_the_distribution_registers_one_erp() -> None:
    """
    The entry point is how the core finds the plugin.
    """
    (entry,) = [entry for entry in entry_points(group="cobranza_sdk") if entry.name == "erp_csv"]

    assert list(entry.load().cobranza_erps()) == [CsvErp]
    assert CsvErp.name == "erp_csv"


async def test_an_unchanged_file_says_nothing(tmp_path: Path) -> None:
    """
    S-001, F72: importing the same file again changes nothing.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + lines(0, 10))
    erp = provider(path, snapshot=True)
    cursor = (await read(erp))[-1].cursor
    os.utime(path, (1, 1))

    (again,) = await read(erp, cursor)

    assert (again.records, again.rejected, again.scope, again.complete) == ((), (), (), False)
    assert again.cursor == cursor


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """
    S-002: the invoice that was paid since is told with an open amount of zero.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + "C1,F-1,2026-11-05,PEN,5\n")
    erp = provider(path)
    cursor = (await read(erp))[-1].cursor
    path.write_text(HEAD + "C1,F-1,2026-11-05,PEN,0\n")

    (batch,) = await read(erp, cursor)

    assert [r.installments[0].open.minor for r in batch.records if isinstance(r, Receivable)] == [0]


@pytest.mark.parametrize("broken", ["", 'C,"rota,2026-11-05,PEN,1\nC,F-3,31/02/2026,PEN,1\n'])
async def test_a_killed_import_goes_on_where_it_stopped(tmp_path: Path, broken: str) -> None:
    """
    F75: from the cursor of any batch the rest is the same, with nothing twice and nothing missing.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + lines(0, 1300) + broken + lines(1290, 2600))
    whole = await read(provider(path, snapshot=True))

    for index, batch in enumerate(whole[:-1]):
        rest = await read(provider(path, snapshot=True), batch.cursor)
        assert rest == whole[index + 1 :]

    assert len(whole) > 4
    assert len(documents(whole)) == 2600
    assert whole[-1].complete
    assert all(len(batch.records) <= BATCH + 2 for batch in whole)


async def test_installments_are_not_torn_apart_by_a_batch(tmp_path: Path) -> None:
    """
    F75: a cursor stands between documents, never within one.
    """
    path = tmp_path / "a.csv"
    head = "customer_key,doc_number,installment_no,due_date,currency,amount_open\n"
    path.write_text(
        head + "".join(f"C,F-{n // 7},{n % 7 + 1},2026-11-05,PEN,1\n" for n in range(7 * 1100)),
    )

    batches = await read(provider(path))

    parts = [len(r.installments) for batch in batches for r in batch.records if isinstance(r, Receivable)]
    assert parts == [7] * 1100
    assert await read(provider(path), batches[0].cursor) == batches[1:]


@pytest.mark.parametrize(
    "cursor", ["", "no json", "[]", "{}", "null", '{"v":99}', '{"v":1,"settings":1,"at":3}', "[" * 9999]
)
async def test_a_cursor_that_is_not_understood_starts_over(tmp_path: Path, cursor: str) -> None:
    """
    The contract: reading twice is harmless, skipping is not.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + lines(0, 3))

    assert len(documents(await read(provider(path), cursor))) == 3


async def test_other_settings_read_the_file_again(tmp_path: Path) -> None:
    """
    A corrected date_format must reach the rows that were read wrongly before.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + "C1,F-1,05/11/2026,PEN,5\n")
    cursor = (await read(provider(path)))[-1].cursor

    (batch,) = await read(provider(path, date_format="mdy"), cursor)

    assert [r.installments[0].due_on.month for r in batch.records if isinstance(r, Receivable)] == [5]


async def test_files_of_a_directory_are_read_in_name_order_and_only_new_ones_later(tmp_path: Path) -> None:
    """
    F72: daily exports pile up; the last name wins, and yesterday's file is not told again.
    """
    (tmp_path / "2026-11-02.CSV").write_text(HEAD + lines(10, 12))
    (tmp_path / "2026-11-01.csv").write_text(HEAD + lines(0, 2))
    (tmp_path / ".hidden.csv").write_text("no")
    (tmp_path / "notes.md").write_text("no")
    erp = provider(tmp_path)
    first = await read(erp)
    (tmp_path / "2026-11-03.txt").write_text(HEAD + lines(20, 21))

    second = await read(erp, first[-1].cursor)

    assert documents(first) == ["F-0", "F-1", "F-10", "F-11"]
    assert documents(second) == ["F-20"]
    assert documents(await read(provider(tmp_path / "*-01.csv"))) == ["F-0", "F-1"]


async def test_a_changed_older_file_brings_the_later_ones_back(tmp_path: Path) -> None:
    """
    F72: the winner is the last file by name, however late an older one was corrected.
    """
    for name, amount in (("1.csv", 5), ("2.csv", 0)):
        (tmp_path / name).write_text(HEAD + f"C1,F-1,2026-11-05,PEN,{amount}\n")
    erp = provider(tmp_path)
    cursor = (await read(erp))[-1].cursor
    (tmp_path / "1.csv").write_text(HEAD + "C1,F-1,2026-11-05,PEN,7\n")

    batches = await read(erp, cursor)

    opened = [r.installments[0].open.minor for b in batches for r in b.records if isinstance(r, Receivable)]
    assert opened == [700, 0]


async def test_only_a_declared_snapshot_closes_and_only_in_its_currencies(tmp_path: Path) -> None:
    """
    Absence is not payment: an export may be filtered, and says nothing of currencies it does not name.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + lines(0, 700) + lines(700, 710, "USD"))

    plain = await read(provider(path))
    snapshot = await read(provider(path, snapshot=True))

    assert {(batch.scope, batch.complete) for batch in plain} == {((), False)}
    assert [batch.complete for batch in snapshot] == [False] * (len(snapshot) - 1) + [True]
    assert snapshot[-1].scope == ("currency:PEN", "currency:USD")


@pytest.mark.parametrize(
    ("rest", "ratio", "complete"),
    [
        ("C,F-x,nunca,PEN,1\n" * 2, 0.5, True),
        ("C,F-x,nunca,PEN,1\n" * 3, 0.5, False),
        ("C,F-x,nunca,PEN,1\n", 0.0, False),
        ("C,F-x,2026-1", 0.9, False),
        ("C,F-9,2026-11-05,PEN,1", 0.9, False),
        ("C,F-x,nunca,PEN,1", 0.9, False),
        ("C,F-x,2026-11-05,PEN,\0", 0.9, False),
        ('C,"F-x,2026-11-05,PEN,1\n', 0.9, False),
    ],
)
async def test_a_broken_snapshot_closes_nothing(tmp_path: Path, rest: str, ratio: float, complete: bool) -> None:
    """
    F67: a file that was cut off, or is mostly broken, would close the debts that it does not name.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + lines(0, 2) + rest)

    (batch,) = await read(provider(path, snapshot=True, max_rejected_ratio=ratio))

    assert batch.complete is complete
    assert len(batch.rejected) == rest.count("C,")


@pytest.mark.parametrize(
    ("head", "last"),
    [
        (HEAD, 'C,F-9,2026-11-05,PEN,"1"'),
        (HEAD[:-1] + ",nota\n", "C,F-9,2026-11-05,PEN,1,"),
        (HEAD, "Total,,,,4.00"),
        (HEAD, "Usuario: demo"),
    ],
    ids=["closed quote", "a column that is not read", "total", "footer"],
)
async def test_a_snapshot_without_its_last_line_end_closes_nothing_and_says_why(
    tmp_path: Path, head: str, last: str
) -> None:
    """
    F67: a row that is kept may still be the last of a file that was cut; rows behind it would be closed as absent.
    """
    path = tmp_path / "a.csv"
    path.write_text(head + lines(0, 2).replace("\n", "," * (head.count(",") - 4) + "\n") + last)

    (snapshot,) = await read(provider(path, snapshot=True))
    (plain,) = await read(provider(path))

    assert (snapshot.complete, snapshot.records) == (False, plain.records)
    assert [(record.line, record.column, record.reason) for record in snapshot.rejected] == [
        (4, None, "the file ends without a line end: it may be cut, and closes nothing")
    ]
    assert plain.rejected == ()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\x1a", "\x1a", "\n\n"])
async def test_a_snapshot_that_shows_its_end_closes(tmp_path: Path, end: str) -> None:
    """
    The ends that systems write are ends.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + lines(0, 2)[:-1] + end, newline="")

    (batch,) = await read(provider(path, snapshot=True))

    assert (batch.complete, len(documents([batch])), batch.rejected) == (True, 2, ())


async def test_an_empty_snapshot_closes_nothing(tmp_path: Path) -> None:
    """
    A header alone is an export that failed, not a portfolio that was paid.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD)

    (batch,) = await read(provider(path, snapshot=True))

    assert (batch.records, batch.complete) == ((), False)


async def test_a_file_that_changes_while_it_is_read_is_not_finished(tmp_path: Path) -> None:
    """
    F67: the exporter may still be writing; the next run reads it whole.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + lines(0, 2000))
    batches = provider(path, snapshot=True).read(None)
    await anext(batches)
    with path.open("a") as stream:
        stream.write(lines(2000, 2001))

    given: list[ErpBatch] = []
    with pytest.raises(ProviderError) as caught:
        given += [batch async for batch in batches]

    assert not any(batch.complete for batch in given)
    assert (caught.value.disposition, caught.value.transmitted) == ("retry", "no")


async def test_check_tells_whether_the_header_is_understood(tmp_path: Path) -> None:
    """
    The operator learns of a wrong path or a renamed column before the night's import.
    """
    path = tmp_path / "cartera.csv"
    erp = provider(path)

    missing = await erp.check()
    path.write_text("customer_key,doc_number,amount_open\n")
    unmapped = await erp.check()
    path.write_text(HEAD + lines(0, 1))
    good = await erp.check()

    assert (missing.ok, unmapped.ok, good.ok) == (False, False, True)
    assert "no such file" in missing.detail
    assert "column 'due_date' is missing" in unmapped.detail
    assert "cartera.csv: 5 columns" in good.detail


async def test_a_path_without_files_is_refused(tmp_path: Path) -> None:
    """
    An import of nothing must not look like a success.
    """
    for place in (tmp_path, tmp_path / "nada.csv", tmp_path / "*.csv"):
        with pytest.raises(InvalidValueError, match="no such file"):
            await read(provider(place))


def test_the_descriptor_reaches_no_host_and_names_its_file() -> None:
    """
    Law 13: a plugin that opens no connection says so.
    """
    erp = provider("exports/cartera.csv")

    assert (tuple(erp.hosts), erp.account) == ((), "cartera.csv")


@pytest.mark.parametrize(
    "wrong",
    [
        {"preset": "sap"},
        {"encoding": "klingon"},
        {"encoding": "hex"},
        {"delimiter": ";;"},
        {"delimiter": '"'},
        {"decimal": ""},
        {"date_format": "sometimes"},
        {"columns": {"due": "Vto"}},
        {"country": "Perú"},
        {"currency": "soles"},
        {"max_rejected_ratio": 2.0},
        {"path": " "},
        {"file": "a.csv"},
    ],
)
def test_a_setting_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    """
    A typing error in a setting must not become a default.
    """
    with pytest.raises(CobranzaError):
        make_provider(CsvErp, {"path": "a.csv", "country": "PE", **wrong})


async def test_the_tab_has_a_name(tmp_path: Path) -> None:
    """
    A tab cannot be seen in a configuration file.
    """
    path = tmp_path / "a.txt"
    path.write_text((HEAD + lines(0, 1)).replace(",", "\t"))

    assert documents(await read(provider(path, delimiter="tab"))) == ["F-0"]


async def test_cursors_hold_no_personal_data(tmp_path: Path) -> None:
    """
    Law 10: a cursor is stored and logged.
    """
    path = tmp_path / "a.csv"
    path.write_text(HEAD + "rosa.quispe,F-1,2026-11-05,PEN,5\n")

    cursor = str((await read(provider(path)))[-1].cursor)

    assert "rosa" not in cursor
    assert set(json.loads(cursor)) == {"v", "settings", "done", "at"}
