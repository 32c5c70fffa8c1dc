"""
What starting costs: fresh processes, and which modules a command brings in.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from measure import Case, interleave, table

_BARE, _PEER = "bare Python", "import attrs, pluggy"
_ONE_CONTACT = ("--country", "PE", "--at", "2026-08-05T10:00:00-05:00", "--channel", "sms", "--json")
#: Libraries that cost much and that few commands need, by command: what it has a use for.
_HEAVY = (
    "aiosmtpd",
    "aiosmtplib",
    "alembic",
    "anyio",
    "asyncio",
    "babel",
    "cattrs",
    "holidays",
    "httpx",
    "matplotlib",
    "minijinja",
    "numpy",
    "packaging",
    "phonenumbers",
    "rich",
    "sqlalchemy",
    "ssl",
    "starlette",
    "structlog",
    "uvicorn",
)
_USED = {
    "import cobranza_sdk": (),
    "from cobranza_sdk import Channel, hookimpl": (),
    "cobranza --help": (),
    "cobranza plugins --json": ("packaging",),
    "cobranza decide (one contact)": ("packaging", "holidays"),
}


def commands() -> dict[str, list[str]]:
    """
    What is started, by its words on the page.
    """
    script = Path(sys.executable).parent / "cobranza"
    cobranza = [str(script)] if script.exists() else [sys.executable, "-m", "cobranza_sdk"]
    code = [sys.executable, "-c"]
    return {
        _BARE: [*code, "pass"],
        _PEER: [*code, _PEER],
        "import cobranza_sdk": [*code, "import cobranza_sdk"],
        "from cobranza_sdk import Channel, hookimpl": [*code, "from cobranza_sdk import Channel, hookimpl"],
        "cobranza --help": [*cobranza, "--help"],
        "cobranza plugins --json": [*cobranza, "plugins", "--json"],
        "cobranza decide (one contact)": [*cobranza, "decide", *_ONE_CONTACT],
    }


def _timed(command: Sequence[str]) -> Case:
    def run() -> Mapping[str, float]:
        before, began = _children_s(), time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)  # noqa: S603  # our own command
        wall = time.perf_counter() - began
        return {"ms": wall * 1000, "cpu_ms": (_children_s() - before) * 1000}

    return run


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_start(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    The section on start cost.
    """
    known = commands()
    for command in known.values():  # once unmeasured: byte code and the file cache
        _timed(command)()
    samples = interleave({name: _timed(command) for name, command in known.items()}, rounds, say)
    imports = {name: _imports(command) for name, command in known.items() if name in _USED}
    costs = [_imports(known["cobranza plugins --json"]) for _ in range(5)]
    own = {name: median(cost.get(name, 0) for cost in costs) for name in costs[0]}
    by_package: dict[str, float] = {}
    for name, cost in own.items():
        package = name.partition(".")[0]
        by_package[package] = by_package.get(package, 0) + cost
    return {
        "rows": table(samples, "ms", {"bare Python": _BARE, "attrs + pluggy": _PEER}, ("cpu_ms",)),
        "modules": _most(own),
        "packages": _most(by_package),
        "imports": [
            {"name": name, "modules": len(found), "unused": _unused(name, found)} for name, found in imports.items()
        ],
    }


def _most(costs: Mapping[str, float], count: int = 10) -> list[dict[str, Any]]:
    dearest = sorted(costs, key=lambda name: -costs[name])[:count]
    return [{"name": name, "ms": costs[name] / 1000} for name in dearest]


def _unused(name: str, found: Mapping[str, float]) -> list[str]:
    packages = {module.partition(".")[0] for module in found}
    return [heavy for heavy in _HEAVY if heavy in packages and heavy not in _USED[name]]


def _imports(command: Sequence[str]) -> dict[str, float]:
    """
    Microseconds that each module of a command took by itself, its own imports apart.
    """
    begins_with_python = command[0] == sys.executable
    whole = [sys.executable, "-X", "importtime", *(command[1:] if begins_with_python else command)]
    done = subprocess.run(  # noqa: S603  # our own command
        whole, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, text=True
    )
    costs: dict[str, float] = {}
    for line in done.stderr.splitlines():
        cells = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and cells[0].strip().isdigit():
            costs[cells[2].strip()] = float(cells[0])
    return costs
