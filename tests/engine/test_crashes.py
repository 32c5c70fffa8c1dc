"""
Law 3: a crash loses no attempt and repeats none silently. A child is killed at each point; the journal is the truth.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import Debtor, Person
from cobranza_sdk.engine import POINTS

CHILD = Path(__file__).with_name("crash_child.py")
START = datetime.fromisoformat("2026-08-05T10:00:00-05:00")
STRATEGY = """
name = "crash"
version = 1
[[step]]
id = "late-1"
days = 1
until = 30
purpose = "reminder"
channels = ["sms"]
template = "administrative"
"""
PEOPLE = 5


def load_child() -> Any:
    """
    The child's module, for opening its workspace in this process.
    """
    spec = spec_from_file_location("crash_child", CHILD)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def workspace(tmp_path: Path, debtor: Any, receivable: Any) -> Path:
    """
    Five debtors, each a day overdue, in a store on disk.
    """
    (tmp_path / "strategy.toml").write_text(STRATEGY, "utf-8")
    standard = (files("cobranza_sdk.templates") / "standard.toml").read_text("utf-8")
    (tmp_path / "templates.toml").write_text(standard, "utf-8")
    with load_child().open_house(tmp_path, START) as cobranza:
        for number in range(PEOPLE):
            key = f"D-{number}"
            person: Debtor = debtor(key, person=Person(name="Ana Prueba"))
            cobranza.portfolio.put(person, receivable(f"F-{number}", key))
    return tmp_path


def work(workspace: Path, at: datetime, crash_at: str = "") -> int:
    """
    Let a child dispatch at *at*, and die at *crash_at*; its exit code.
    """
    environment = {**os.environ, "JOURNAL": str(workspace / "journal"), "COBRANZA_CRASH_AT": crash_at}
    done = subprocess.run(  # noqa: S603  # our own child
        [sys.executable, str(CHILD), str(workspace), at.isoformat()],
        env=environment,
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode


def calls(workspace: Path) -> Counter[str]:
    """
    How often the provider was called, by attempt.
    """
    journal = workspace / "journal"
    return Counter(journal.read_text("utf-8").split()) if journal.exists() else Counter()


def states(workspace: Path) -> Counter[str]:
    """
    Attempts by state.
    """
    with load_child().open_house(workspace, START) as cobranza:
        return Counter(line["state"] for line in cobranza.attempts.list())


def test_the_points_are_the_four_that_are_promised() -> None:
    """
    A point that is renamed or dropped would make the tests below kill nobody.
    """
    assert POINTS == ("after_lease", "after_claim", "after_transmission", "before_settling")


@pytest.mark.parametrize("point", POINTS)
def test_law_3_a_killed_worker_repeats_no_call_and_loses_no_attempt(workspace: Path, point: str) -> None:
    """
    F01 to F03: whatever the instant of death, each attempt is called at most once, and none disappears.
    """
    assert work(workspace, START, point) == -signal.SIGKILL
    before = calls(workspace)

    assert work(workspace, START + timedelta(minutes=30)) == 0
    assert work(workspace, START + timedelta(minutes=60)) == 0

    after = calls(workspace)
    assert max(after.values(), default=0) <= 1
    found = states(workspace)
    assert sum(found.values()) == PEOPLE
    if point == "after_lease":
        assert not before
        assert found == {"accepted": PEOPLE}
        assert len(after) == PEOPLE
    else:
        assert found == {"unknown": PEOPLE}
        assert after == before


def test_law_3_what_may_be_out_still_counts_as_a_contact(workspace: Path) -> None:
    """
    G3: an attempt that nobody can tell about keeps its place in the cap until it is proven that nothing left.
    """
    work(workspace, START, "before_settling")
    work(workspace, START + timedelta(minutes=30))

    with load_child().open_house(workspace, START + timedelta(minutes=31)) as cobranza:
        ids = [line["attempt_id"] for line in cobranza.attempts.list(states=["unknown"])]
        facts = cobranza.creditor_store().attempts.facts(ids)
        assert all(len(item.history) == 1 and item.history[0].is_direct for item in facts.values())

        cobranza.attempts.resolve(ids[0], "absent", by="ana", reason="the provider's list is empty")
        assert not cobranza.creditor_store().attempts.facts(ids[:1])[ids[0]].history
