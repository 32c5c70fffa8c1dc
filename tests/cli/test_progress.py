"""
What a person at a terminal sees of long work, and a script never.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import pytest

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX")

WEDNESDAY = "2026-08-05T10:00:00-05:00"
CASES = "case_id,country,at,channel\n1,PE,2026-05-15T12:00:00-05:00,sms\n2,PE,2026-05-15T21:00:00-05:00,sms\n"
PLAN = ("plan", "--at", WEDNESDAY)
REHEARSAL = ("plan", "--at", WEDNESDAY, "--dry-run")
DECIDE = ("decide", "--cases", "cases.csv")


def start(*arguments: str, cwd: Path) -> tuple[subprocess.Popen[str], int]:
    """
    Run a command whose standard error is a terminal and whose standard output is a pipe.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603  # our own command line
        [sys.executable, "-m", "cobranza_sdk", *arguments],
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        encoding="utf-8",
    )
    os.close(theirs)
    return process, ours


def drawn(terminal: int, *, until: str | None = None) -> str:
    """
    What was written to the terminal, to its end or until some words appear.
    """
    text = ""
    while until is None or until not in text:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so when nobody holds the other end any more
            break
        if not piece:
            break
        text += piece.decode("utf-8", "replace")
    return text


def watch(*arguments: str, cwd: Path) -> tuple[str, str]:
    """
    What a command wrote to standard output, and what its terminal showed meanwhile.
    """
    process, terminal = start(*arguments, cwd=cwd)
    with process:
        shown = drawn(terminal)
        printed = cast("IO[str]", process.stdout).read()
    os.close(terminal)
    assert process.returncode == 0, shown
    return printed, shown


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    What ``cobranza init`` writes, read in once, and a file of cases.
    """
    house = tmp_path_factory.mktemp("house") / "house"
    for arguments in (("init", str(house)), ("sync", "--config", str(house / "cobranza.toml"), "--at", WEDNESDAY)):
        subprocess.run([sys.executable, "-m", "cobranza_sdk", *arguments], check=True, capture_output=True)  # noqa: S603
    (house / "cases.csv").write_text(CASES, "utf-8")
    return house


@pytest.mark.parametrize(
    ("arguments", "words", "answer"),
    [
        (REHEARSAL, r"planning outreaches.*0:00:0\d", "Would be planned"),
        (PLAN, r"planning outreaches.*0:00:0\d", "4 outreaches planned\n"),
        (DECIDE, r"deciding cases.*2.*0:00:0\d", "Decisions"),
    ],
    ids=["plan --dry-run", "plan", "decide --cases"],
)
def test_a_terminal_shows_that_work_goes_on_and_the_answer_stays_clean(
    arguments: tuple[str, ...], words: str, answer: str, workspace: Path
) -> None:
    """
    Who watches sees that something happens; what is piped on is the answer and nothing else.
    """
    printed, shown = watch(*arguments, cwd=workspace)

    assert re.search(words, shown)
    assert printed.startswith(answer)
    assert "\x1b" not in printed


@pytest.mark.parametrize("arguments", [PLAN, REHEARSAL, DECIDE], ids=["plan", "plan --dry-run", "decide --cases"])
def test_with_json_nothing_is_drawn(arguments: tuple[str, ...], workspace: Path) -> None:
    """
    Scripts that run at a terminal get one document and silence.
    """
    printed, shown = watch(*arguments, "--json", cwd=workspace)

    assert shown == ""
    assert json.loads(printed) is not None


def test_a_demo_shows_the_day_it_is_at(tmp_path: Path) -> None:
    """
    A simulated day takes seconds: the newcomer sees which one it is.
    """
    process, terminal = start("demo", "--dir", "work", cwd=tmp_path)
    with process:
        shown = drawn(terminal, until="day 1 of 3, 05 Aug")
        process.kill()
    os.close(terminal)

    assert "day 1 of 3, 05 Aug" in shown
