"""
The long runs: random kills, caps with several seeds, fuzzing. Run by ``nox -s proof``; resumable.

Each finished run is kept in ``.proof.jsonl`` under its commit and is not made again; ``docs/reference/proof.md`` is
written anew from what is kept for this commit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2]
KEPT = HERE / ".proof.jsonl"
PAGE = HERE / "docs" / "reference" / "proof.md"
CHILD = HERE / "tests" / "engine" / "crash_child.py"
START = datetime.fromisoformat("2026-08-05T10:00:00-05:00")
SEEDS = (1, 2, 3)
KILLS, SENDS, CONCURRENCY = 20, 2000, 8
# over the seeds more than a million for each parser
INPUTS = 340_000


_PAGE = """# Long runs

What is too long for every change: `nox -s proof` makes these runs and writes this page. A `+` behind the commit means
that the tree had changes of its own.

Commit `{commit}`, Python {python}.

{table}

* **kills**: a worker on SQLite is killed with SIGKILL at random moments while its calls are under way; the emulated
  provider's journal is compared with the store. Holds when nothing is lost, nothing is called twice, and what is
  unknown is at most the calls in flight at each kill.
* **chaos**: sixty seeds of webhooks that come twice, late, in disorder or never, of deliveries and payments that are
  taken back: no attempt is sent twice, who left is left alone, states only rise, money is counted once each way.
* **caps**: 200 people, twelve attempts each, eight workers, a cap of three: exactly 600 contacts; with the facts read
  before the lock the same run passes the cap.
* **fuzz**: every property test with a seed of its own and five times the examples.
* **parsers**: amounts, dates, phones, tax ids and whole files of `erp_csv`, changed, cut and joined at random. Holds
  when nothing is raised that is not declared, no input takes over a second of CPU, and memory stays under 256 MiB.
* **webhooks**: what the vendors' emulators post, changed as bytes, as JSON and as forms, mostly as if it were signed.
  Holds under the same conditions.
"""


def commit() -> str:
    """
    The commit that is checked out, with a mark where the tree differs from it.
    """
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "src", "plugins", "tests"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def load_child() -> Any:
    """
    The module of the worker that is killed.
    """
    spec = spec_from_file_location("crash_child", CHILD)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{CHILD} cannot be loaded")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dies_amid_its_calls(worker: subprocess.Popen[bytes], journal: Path, calls: int) -> bool:
    """
    Kill *worker* once it has made so many calls; False when it ended before.
    """
    begun = journal.stat().st_size
    line = 27  # an attempt's id and a line feed
    while worker.poll() is None:
        if journal.stat().st_size >= begun + calls * line:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            return True
        time.sleep(0.001)
    return False


def kills(seed: int, *, sends: int = SENDS, kill: int = KILLS) -> dict[str, Any]:
    """
    A-01 on SQLite: a worker is killed at random moments; the provider's journal is the truth.
    """
    from cobranza_sdk import Address, Consent, ContactPoint, Debtor, Installment, Money, Person, Receivable
    from cobranza_sdk.engine import LEASE

    # What a killed worker had leased is free again when the next one starts.
    between = LEASE + timedelta(minutes=1)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "strategy.toml").write_text(
            'name = "p"\nversion = 1\n[[step]]\nid = "s"\ndays = 1\nuntil = 60\npurpose = "demand"\n'
            'channels = ["sms"]\ntemplate = "administrative"\n',
            "utf-8",
        )
        standard = (files("cobranza_sdk.templates") / "standard.toml").read_text("utf-8")
        (place / "templates.toml").write_text(standard, "utf-8")
        child = load_child()
        with child.open_house(place, START) as cobranza:
            money = Money.of("100.00", "PEN")
            for number in range(sends):
                point = ContactPoint(
                    address=Address("e164", f"+51900{number:06d}"), holder_role="debtor", state="confirmed"
                )
                cobranza.portfolio.put(
                    Debtor(
                        external_id=f"D{number}",
                        person=Person(name="Ana Prueba"),
                        country="PE",
                        contact_points=[point],
                        consents=[Consent(channel="sms")],
                    ),
                    Receivable(
                        external_id=f"F{number}",
                        debtor_id=f"D{number}",
                        installments=[Installment(due_on=date(2026, 8, 4), amount=money, open=money)],
                    ),
                )
            cobranza.plan()
        journal, killed, at = place / "journal", 0, START
        journal.touch()
        environment = {**os.environ, "JOURNAL": str(journal), "ANSWER_TAKES_S": "0.02"}
        while True:
            worker = subprocess.Popen([sys.executable, str(CHILD), folder, at.isoformat()], env=environment)
            if killed < kill and dies_amid_its_calls(worker, journal, chance.randint(1, sends // kill)):
                killed += 1
            elif worker.wait():
                raise SystemExit(f"the worker failed with {worker.returncode}")
            elif killed >= kill or at > START + timedelta(hours=8):
                break
            at += between
        with child.open_house(place, at) as cobranza:
            states = Counter(line["state"] for line in cobranza.attempts.list())
        calls = Counter(journal.read_text("utf-8").split())
    found = {
        "sends": sends,
        "kills": killed,
        "accepted": states["accepted"],
        "unknown": states["unknown"],
        "lost": sends - sum(states.values()) + states["planned"] + states["leased"],
        "called twice": sum(count > 1 for count in calls.values()),
    }
    found["ok"] = (
        found["lost"] == 0
        and found["called twice"] == 0
        and states["unknown"] <= CONCURRENCY * killed
        and states["accepted"] + states["unknown"] == sends
        and states["accepted"] <= len(calls) <= sends
    )
    return found


def pytest_run(*arguments: str) -> dict[str, Any]:
    """
    A part of the test suite under harder conditions.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(HERE / "pyproject.toml"), "-q", *arguments],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": str(HERE / "tests" / "proof")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout.strip() or done.stderr.strip() or "nothing").splitlines()
    return {"ok": done.returncode == 0, "result": said[-1]}


def caps(_seed: int) -> dict[str, Any]:
    """
    A-06: eight workers, 200 people, 2,400 attempts; and the mutant that must fail.
    """
    return pytest_run("tests/engine/test_caps.py")


def chaos(_seed: int) -> dict[str, Any]:
    """
    Sixty seeds of webhooks that come twice, late, in disorder or not at all, and of payments that are taken back.
    """
    return pytest_run("-m", "proof or not proof", "-n", "2", "tests/testing/test_chaos.py")


def fuzz(seed: int) -> dict[str, Any]:
    """
    Every property test with another seed and five times the examples.
    """
    return pytest_run("-p", "effort", f"--hypothesis-seed={seed}", "-m", "hypothesis", "-n", "2", "tests", "plugins")


def parsers(seed: int, *, inputs: int = INPUTS) -> dict[str, Any]:
    """
    A-13: every parser of exports under hostile input.
    """
    return hostile("parsers.py", seed, inputs)


def webhooks(seed: int, *, inputs: int = INPUTS) -> dict[str, Any]:
    """
    A-13: every provider's `verify` and `parse` under hostile input.
    """
    return hostile("webhooks.py", seed, inputs)


def hostile(program: str, seed: int, inputs: int) -> dict[str, Any]:
    """
    One of the programs that give parsers hostile input, in a process of its own.
    """
    done = subprocess.run(
        [sys.executable, str(HERE / "tests" / "proof" / program), str(seed), str(inputs)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"ok": False, "result": (done.stderr.strip() or "nothing").splitlines()[-1]}
    told = json.loads(done.stdout.splitlines()[-1])
    each = told["parsers"].items()
    return {
        "ok": told["ok"],
        "inputs for each": inputs,
        "undeclared errors": sum(sum(one["strangers"].values()) for _, one in each),
        **{f"slowest of {name}, s": one["slowest_s"] for name, one in each},
        "peak memory, MiB": told["peak_mib"],
    }


PROOFS: dict[str, Callable[[int], dict[str, Any]]] = {
    "kills": kills,
    "caps": caps,
    "chaos": chaos,
    "fuzz": fuzz,
    "parsers": parsers,
    "webhooks": webhooks,
}


def kept(of: str) -> dict[tuple[str, int], dict[str, Any]]:
    """
    What was already proven for a commit.
    """
    if not KEPT.exists():
        return {}
    lines = map(json.loads, KEPT.read_text("utf-8").splitlines())
    return {(line["proof"], line["seed"]): line["found"] for line in lines if line["commit"] == of}


def write_page(of: str, found: dict[tuple[str, int], dict[str, Any]]) -> None:
    """
    The page of results.
    """
    rows = [
        f"| {proof} | {seed} | {'holds' if figures['ok'] else '**fails**'} | "
        + ", ".join(f"{name}: {value}" for name, value in figures.items() if name != "ok")
        + " |"
        for (proof, seed), figures in sorted(found.items())
    ]
    table = ["| run | seed | result | figures |", "|---|---|---|---|", *rows]
    PAGE.write_text(_PAGE.format(commit=of, python=sys.version.split()[0], table="\n".join(table)), "utf-8")


def main() -> int:
    """
    Make what is missing; exit with 1 if anything does not hold.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(PROOFS), help="one kind of run")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    chosen = parser.parse_args()
    of = commit()
    found = kept(of)
    for proof, make in PROOFS.items():
        for seed in chosen.seeds if proof not in ("caps", "chaos") else [1]:
            if (chosen.only and proof != chosen.only) or (proof, seed) in found:
                continue
            figures = make(seed)
            found[proof, seed] = figures
            with KEPT.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"commit": of, "proof": proof, "seed": seed, "found": figures}) + "\n")
            print(proof, seed, figures, flush=True)
            write_page(of, found)
    return 0 if all(figures["ok"] for figures in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
