"""
Reading an ERP's export: into the store, as records only, as bare cells, and with pandas.

Run as a program it is one side of the comparison, in a fresh process: ``sync.py SIDE DIRECTORY``.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from measure import Case, child, interleave, peak_mib, table

from cobranza_sdk import Cobranza

_STORED, _AGAIN, _READ, _CELLS = "sync into the store", "the same file again", "erp_csv without a store", "csv.reader"
_FRAME = "pandas.read_csv"
_PER_DEBTOR = 2
_CONFIG = """[creditor]
name = "Tienda Andina"
country = "PE"

[store]
url = "sqlite:///{store}.db"

[erps.exports]
provider = "erp_csv"
path = "erp.csv"
encoding = "cp1252"
delimiter = ";"
decimal = ","
country = "PE"
"""
_HEADER = (
    "customer_key;customer_name;phone;email;consent_channels;doc_type;doc_number;issue_date;due_date;currency;"
    "amount_total;amount_open"
)


def prepare(directory: Path, count: int) -> None:
    """
    An export of *count* receivables, two for each debtor.
    """
    rows = (
        f"C{number // _PER_DEBTOR};Íñigo Peña {number // _PER_DEBTOR};9{number // _PER_DEBTOR:08d};"
        f"c{number // _PER_DEBTOR}@example.com;sms|email;Factura;F001-{number};{1 + number % 28:02d}/06/2026;"
        f"{1 + number % 28:02d}/07/2026;PEN;1.{number % 1000:03d},50;{number % 1000},50"
        for number in range(count)
    )
    with (directory / "erp.csv").open("w", encoding="cp1252", newline="") as lines:
        lines.writelines(f"{row}\r\n" for row in chain([_HEADER], rows))


def _cobranza(directory: Path, store: str) -> Cobranza:
    config = directory / f"{store}.toml"
    config.write_text(_CONFIG.format(store=store), "utf-8")
    return Cobranza.from_config(config)


def side_store(directory: Path) -> dict[str, dict[str, float]]:
    """
    Sync into an empty store, then the same file, touched, once more.
    """
    count = _rows(directory)
    with _cobranza(directory, f"store-{time.time_ns()}") as cobranza:
        cobranza.place  # noqa: B018  # plugins are loaded and the store is made before the clock starts
        first = _measured(count, lambda: _expect(count, cobranza.sync()[0].created["receivable"]))
        path = directory / "erp.csv"
        path.write_bytes(path.read_bytes() + b"\r\n")  # else the cursor says that there is nothing new
        again = _measured(count, lambda: _expect(count, cobranza.sync()[0].unchanged["receivable"]))
    return {"first": first, "again": again}


def side_read(directory: Path) -> dict[str, dict[str, float]]:
    """
    Read records and drop them.
    """
    count = _rows(directory)
    cobranza = _cobranza(directory, "none")

    async def read() -> int:
        records = 0
        async for batch in cobranza.accounts.erps["exports"].provider.read(None):
            records += len(batch.records)
        return records

    cobranza.plugins  # noqa: B018  # loaded before the clock starts
    return {"first": _measured(count, lambda: _expect(count + count // _PER_DEBTOR, asyncio.run(read())))}


def side_cells(directory: Path) -> dict[str, dict[str, float]]:
    """
    Read cells and drop them.
    """
    count = _rows(directory)

    def read() -> None:
        with (directory / "erp.csv").open(encoding="cp1252", newline="") as lines:
            _expect(count + 1, sum(1 for row in csv.reader(lines, delimiter=";") if row))

    return {"first": _measured(count, read)}


def side_frame(directory: Path) -> dict[str, dict[str, float]]:
    """
    Read a table of texts, dates and numbers with pandas, as a program does that goes on with it.
    """
    import pandas as pd

    count = _rows(directory)

    def read() -> None:
        table = pd.read_csv(
            directory / "erp.csv", sep=";", encoding="cp1252", decimal=",", thousands=".", dtype={"phone": str}
        )
        for column in ("issue_date", "due_date"):
            table[column] = pd.to_datetime(table[column], format="%d/%m/%Y")
        _expect(count, len(table))

    return {"first": _measured(count, read)}


def _rows(directory: Path) -> int:
    # line by line: the whole file in memory would be the peak that is measured
    with (directory / "erp.csv").open("rb") as lines:
        return sum(1 for line in lines if line.strip()) - 1


def _expect(expected: int, found: int) -> None:
    if expected != found:
        msg = f"expected {expected} rows, found {found}"
        raise SystemExit(msg)


def _measured(count: int, work: Callable[[], None]) -> dict[str, float]:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"per_s": count / wall, "per_cpu_s": count / cpu, "peak_mib": peak_mib()}


_SIDES = {"store": side_store, "read": side_read, "cells": side_cells, "frame": side_frame}


def measure_sync(count: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    The section on reading exports.
    """
    again: list[Mapping[str, float]] = []

    def side(name: str) -> Case:
        def run() -> Mapping[str, float]:
            with tempfile.TemporaryDirectory() as place:
                prepare(Path(place), count)
                answer = child("sync.py", name, place)
            if "again" in answer:
                again.append(answer["again"])
            first: Mapping[str, float] = answer["first"]
            return first

        return run

    samples = interleave({_STORED: side("store"), _READ: side("read"), _CELLS: side("cells")}, rounds, say)
    samples[_AGAIN] = again
    beside = {"csv.reader": _CELLS, "erp_csv alone": _READ}
    return {"rows": table(samples, "per_cpu_s", beside, ("per_s", "peak_mib")), "receivables": count}


def measure_reading(count: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    One large export without a store: our records, bare cells, and pandas where the environment has it.

    The answer has ``skipped`` with the reason for each side that was not run.
    """
    names, skipped = {_READ: "read", _CELLS: "cells"}, {}
    if find_spec("pandas") is not None:
        names[_FRAME] = "frame"
    else:
        skipped[_FRAME] = "pandas is not installed here; nothing of ours needs it"
        say(f"  skipped {_FRAME}: {skipped[_FRAME]}")
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place), count)
        cases: dict[str, Case] = {words: partial(_first, name, place) for words, name in names.items()}
        samples = interleave(cases, rounds, say)
    beside = {words: words for words in (_CELLS, _FRAME) if words in samples}
    rows = table(samples, "per_cpu_s", beside, ("per_s", "peak_mib"))
    return {"rows": rows, "receivables": count, "skipped": skipped}


def _first(name: str, place: str) -> Mapping[str, float]:
    answer: Mapping[str, float] = child("sync.py", name, place)["first"]
    return answer


def main(arguments: Sequence[str]) -> None:
    """
    Be one side.
    """
    side, directory = arguments
    print(json.dumps(_SIDES[side](Path(directory))))


if __name__ == "__main__":
    main(sys.argv[1:])
