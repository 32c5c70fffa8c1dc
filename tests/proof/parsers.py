"""
Hostile input for every parser of ``erp_csv``: what is raised, how long the worst takes, how much memory it needs.

Run as a program: ``parsers.py SEED COUNT`` gives each parser so many inputs and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cobranza_erp_csv._amounts import Mark, UnreadableAmountError
from cobranza_erp_csv._amounts import evidence as amount_evidence
from cobranza_erp_csv._amounts import parse as parse_amount
from cobranza_erp_csv._config import CsvSettings
from cobranza_erp_csv._dates import Order, UnreadableDateError
from cobranza_erp_csv._dates import evidence as date_evidence
from cobranza_erp_csv._dates import parse as parse_date
from cobranza_erp_csv._dialect import examine
from cobranza_erp_csv._mapping import PRESETS, load
from cobranza_erp_csv._parties import phones
from cobranza_erp_csv._reader import FileReader
from cobranza_erp_csv._tax_ids import check
from cobranza_sdk import InvalidValueError

_COUNTRIES = ("AR", "BR", "CL", "CO", "DO", "EC", "GT", "MX", "PE", "PY", "SV", "US", "UY", "VE")
_AMOUNTS = (
    "1.234,56",
    "1,234.56-",
    "(1,234.50)",
    "$ 1 234,50",
    "R$ 1.234.567",
    "1'234.50",
    "1.234",
    "S/ 500.00",
    "1E+17",
)
_DATES = ("05/11/2026", "2026-11-05 10:00:00", "05-nov-26", "5 de noviembre de 2026", "46331", "20261105", "00/00/0000")
_PHONES = ("(55) 1234-5678 ext 12", "Cel. 987654321 / 01 4441234", "+54 9 11 2345 6789", "987654321 987654322", "x12")
_IDS = ("EKU9003173C9", "20512333797", "900.373.115-3", "16.727.230/0001-97", "76086428-5", "XAXX010101000")
_OTHERS = (
    "",
    "1" + " " * 60_000 + "x",
    "0" * 70_000,
    "=1+1",
    '"',
    "ñ\u0301",
    "\ud7ff",
    "Total",
    "C1",
    "F-1",
    "USD",
    "N/C",
    "3/12",
)
_SIGNS = "0123456789.,'-+()/ \t\u00a0\u202f\u2212\"';|=@#$%ABCDEFXYZÑabcdeñáéí٣१½\u200f\ufeff\x1a\n\r"
_SLOWEST_S, _MIB = 1.0, 256


class Chance:
    """
    Makes inputs: seeds that were changed, repeated, cut and joined.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.choice = self._random.choice

    def text(self, seeds: tuple[str, ...]) -> str:
        """
        One of *seeds*, or of what else a cell may hold, after some changes.
        """
        told = self.choice(seeds if self._random.random() < 0.9 else _OTHERS)
        for _ in range(self._random.randrange(5)):
            told = self._changed(told, seeds)
        return told

    def _changed(self, told: str, seeds: tuple[str, ...]) -> str:
        at = self._random.randrange(len(told) + 1)
        match self._random.randrange(5):
            case 0:
                return told[:at] + self.choice(_SIGNS) + told[at:]
            case 1:
                return told[:at] + told[at + 1 :]
            case 2:
                return told[:at] + self.choice(_SIGNS) * self._random.choice((2, 9, 100)) + told[at:]
            case 3:
                return told[:at] + self.choice(seeds)
        return told[at:] + told[:at]

    def file(self, preset: str) -> bytes:
        """
        A small export with broken bytes in it.
        """
        columns = list(load(preset).aliases.items())
        head = [self.choice(names) for _, names in columns if self._random.random() < 0.8 and names]
        every = _AMOUNTS + _DATES + _PHONES + _IDS + _OTHERS[3:]  # without the endless ones
        delimiter = self.choice((",", ";", "\t", "|"))
        rows = [head] + [[self.text(every)[:200] for _ in head] for _ in range(self._random.randrange(6))]
        content = "\n".join(delimiter.join(row) for row in rows).encode(
            self.choice(("utf-8", "cp1252", "utf-16")), "replace"
        )
        at = self._random.randrange(len(content) + 1)
        match self._random.randrange(4):
            case 0:
                return content[:at]
            case 1:
                return content[:at] + self._random.randbytes(self._random.randrange(9)) + content[at:]
        return content


def _amount(chance: Chance) -> Callable[[], object]:
    text, mark = chance.text(_AMOUNTS), chance.choice(tuple(Mark))
    return lambda: (amount_evidence(text), parse_amount(text, mark))


def _date(chance: Chance) -> Callable[[], object]:
    text, order = chance.text(_DATES), chance.choice(tuple(Order))
    return lambda: (date_evidence(text), parse_date(text, order))


def _phone(chance: Chance) -> Callable[[], object]:
    text, country = chance.text(_PHONES)[:1000], chance.choice(_COUNTRIES)
    return lambda: phones(text, country)


def _tax_id(chance: Chance) -> Callable[[], object]:
    text, country = chance.text(_IDS), chance.choice(_COUNTRIES)
    return lambda: check(text, country)


def _file(chance: Chance, path: Path) -> Callable[[], object]:
    preset = chance.choice(PRESETS)
    path.write_bytes(chance.file(preset))
    told = CsvSettings(
        path=path, preset=preset, country=chance.choice(_COUNTRIES), currency=chance.choice(("PEN", None))
    )

    def read() -> None:
        reader = FileReader(path, examine(path, None), told)
        for _ in reader.units(reader.layout()):
            pass

    return read


def attack(make: Callable[[], Callable[[], object]], count: int) -> dict[str, Any]:
    """
    Give a parser *count* inputs.

    Returns:
        How many, what was raised that is not declared, and the CPU time of the slowest input.
    """
    strangers: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(count):
        parse = make()
        began = time.process_time()
        try:
            parse()
        except (InvalidValueError, UnreadableAmountError, UnreadableDateError):
            pass
        except Exception as error:  # noqa: BLE001  # they are what is looked for
            strangers[type(error).__name__] += 1
        slowest = max(slowest, time.process_time() - began)
    return {"inputs": count, "strangers": dict(strangers), "slowest_s": round(slowest, 3)}


def main() -> None:
    """
    Attack every parser and say what came of it.
    """
    seed, count = map(int, sys.argv[1:])
    chance = Chance(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        found = {
            "amounts": attack(lambda: _amount(chance), count),
            "dates": attack(lambda: _date(chance), count),
            "phones": attack(lambda: _phone(chance), count),
            "tax ids": attack(lambda: _tax_id(chance), count),
            "files": attack(lambda: _file(chance, path), count),
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)
    ok = peak <= _MIB and all(not one["strangers"] and one["slowest_s"] <= _SLOWEST_S for one in found.values())
    print(json.dumps({"ok": ok, "peak_mib": peak, "parsers": found}))


if __name__ == "__main__":
    main()
