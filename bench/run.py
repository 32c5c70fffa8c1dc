"""
The benchmarks: ``python bench/run.py``, under five minutes; ``--quick`` to see that they run; ``--write`` for the page.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import frozen
from calls import measure_guard, measure_sending
from decide import measure_decide
from dispatch import measure_dispatch
from measure import HERE, machine
from page import page
from render import measure_render
from start import measure_start
from sync import measure_reading, measure_sync

_PAGE = HERE.parent / "docs" / "reference" / "figures.md"
_JSON = HERE / "figures.json"


@frozen(kw_only=True)
class _Size:
    """
    How much is measured: rounds and, where there is a count, how many things.
    """

    start: int
    decide: tuple[int, int]
    render: tuple[int, int]
    guard: tuple[int, int]
    sending: tuple[int, int]
    dispatch: tuple[int, int]
    sync: tuple[int, int]
    reading: tuple[int, int]


_NORMAL = _Size(
    start=9,
    decide=(50_000, 5),
    render=(5_000, 9),
    guard=(20_000, 5),
    sending=(400, 5),
    dispatch=(600, 3),
    sync=(2_000, 3),
    reading=(1_000_000, 3),
)
_QUICK = _Size(
    start=2,
    decide=(2_000, 2),
    render=(500, 2),
    guard=(500, 2),
    sending=(40, 1),
    dispatch=(60, 1),
    sync=(400, 1),
    reading=(4_000, 1),
)


def say(words: str) -> None:
    """
    Tell how far it is, on standard error.
    """
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    """
    Measure, print the JSON document, and with ``--write`` keep it and its page.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds: only shows that everything runs")
    parser.add_argument("--write", action="store_true", help=f"write {_JSON.name} and {_PAGE.name}")
    parser.add_argument(
        "--page", action="store_true", help=f"write {_PAGE.name} from {_JSON.name} again; measure nothing"
    )
    parser.add_argument(
        "sections", nargs="*", help="only these: start, decide, render, guard, sending, dispatch, sync, reading"
    )
    asked = parser.parse_args()
    if asked.page:
        _PAGE.write_text(page(json.loads(_JSON.read_text("utf-8"))), "utf-8")
        return
    figures = measure(_QUICK if asked.quick else _NORMAL, asked.sections)
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    if asked.write:
        if _JSON.exists() and asked.sections:
            figures = _merged(json.loads(_JSON.read_text("utf-8")), figures)
        _JSON.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
        _PAGE.write_text(page(figures), "utf-8")


def measure(size: _Size, wanted: list[str]) -> dict[str, Any]:
    """
    All sections, or those that are wanted.

    Raises:
        SystemExit: One is wanted that there is not.
    """
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "start": lambda: measure_start(size.start, say),
        "decide": lambda: measure_decide(*size.decide, say),
        "render": lambda: measure_render(*size.render, say),
        "guard": lambda: measure_guard(*size.guard, say),
        "sending": lambda: measure_sending(*size.sending, say),
        "dispatch": lambda: measure_dispatch(*size.dispatch, say),
        "sync": lambda: measure_sync(*size.sync, say),
        "reading": lambda: measure_reading(*size.reading, say),
    }
    if strangers := set(wanted) - set(sections):
        msg = f"no section {', '.join(sorted(strangers))}: there are {', '.join(sections)}"
        raise SystemExit(msg)
    measured_on, about = datetime.now(UTC).date().isoformat(), machine()
    made: dict[str, Any] = {}
    for name, work in sections.items():
        if not wanted or name in wanted:
            say(name)
            made[name] = work()
    return {"measured_on": measured_on, "machine": about, "sections": made}


def _merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """
    The old figures with the new sections put in, in the old order.
    """
    return {**now, "sections": {**before["sections"], **now["sections"]}}


if __name__ == "__main__":
    main()
