"""
How everything here is measured: short interleaved rounds, medians with their spread, ratios taken within one round.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent

#: One measured case: does its work once and returns what it measured, by unit ("ms", "per_s", "mib" …).
Case = Callable[[], Mapping[str, float]]
Samples = dict[str, list[Mapping[str, float]]]
_LIBRARIES = (
    "attrs",
    "pluggy",
    "click",
    "httpx",
    "sqlalchemy",
    "minijinja",
    "babel",
    "holidays",
    "alembic",
    "jinja2",
)


def interleave(cases: Mapping[str, Case], rounds: int, say: Callable[[str], None]) -> Samples:
    """
    Run every case once a round, each round beginning with another one.
    """
    samples: Samples = {name: [] for name in cases}
    names = list(cases)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            samples[name].append(cases[name]())
        say(f"  round {number + 1} of {rounds}")
    return samples


def spread(values: Sequence[float]) -> dict[str, float]:
    """
    Median, and the tenth and ninetieth percentile.
    """
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"median": median(ordered), "p10": ordered[round(last * 0.1)], "p90": ordered[round(last * 0.9)]}


def table(samples: Samples, unit: str, beside: Mapping[str, str], extra: Sequence[str] = ()) -> list[dict[str, Any]]:
    """
    A row per case: its spread, its ratio to each reference within one round, and the median of other units.

    Args:
        samples: As `interleave` gives them.
        unit: What the figures and the ratios are of.
        beside: Name of a reference case by the words of its column.
        extra: Other units whose median is shown too.
    """
    rows = []
    for name, rounds in samples.items():
        row: dict[str, Any] = {"name": name, "unit": unit, "rounds": len(rounds)}
        row |= spread([sample[unit] for sample in rounds])
        row["ratios"] = {
            words: spread([mine[unit] / other[unit] for mine, other in zip(rounds, samples[reference], strict=True)])
            for words, reference in beside.items()
        }
        row["extra"] = {other: median(sample[other] for sample in rounds) for other in extra}
        rows.append(row)
    return rows


def child(program: str, *arguments: str) -> dict[str, Any]:
    """
    Run a program of this directory in a fresh process and read the JSON document on the last line it prints.
    """
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, str(HERE / program), *arguments], stdout=subprocess.PIPE, check=True, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def peak_mib() -> float:
    """
    Most memory this process ever held.
    """
    try:  # where the kernel tells: what getrusage says begins with the peak of the process that started this one
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def machine() -> dict[str, Any]:
    """
    The class of machine and what ran on it; no names, no paths.
    """
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ({_processor()}), shared",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "commit": _commit(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown")


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603  # our own repository
            ["git", "-C", str(HERE), *arguments],  # noqa: S607  # found as the user finds it
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "../src", "../plugins")
        return git("rev-parse", "--short=12", "HEAD") + (" with uncommitted changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
