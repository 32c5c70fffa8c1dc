"""
``cobranza check`` as people and scripts meet it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.cli._root import run

AT = ("--at", "2026-08-05T10:00:00-05:00")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """
    What ``cobranza init`` writes; the tests stand in it.
    """
    assert run(["init", str(tmp_path / "house")]) == 0
    monkeypatch.chdir(tmp_path / "house")
    capsys.readouterr()
    return tmp_path / "house"


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    """
    The JSON document that was printed.
    """
    return json.loads(capsys.readouterr().out)


def test_the_strategy_that_init_writes_has_no_error(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A newcomer's first check ends with 0, makes no store, and names what to look at.
    """
    assert run(["check", *AT]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("0 errors, ")
    assert any(line.startswith("warning: default · late-1 · whatsapp · PE: ") for line in lines)
    assert any("[whatsapp.collections: WhatsApp Business Messaging Policy" in line for line in lines)
    assert not (workspace / "cobranza.db").exists()


def test_an_error_ends_with_1_and_the_document_says_so(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Scripts rely on the exit code, on ``ok`` and on the keys.
    """
    assert run(["check", *AT, "--country", "pe", "--country", "XX", "--json"]) == 1

    found = document(capsys)
    assert (found["ok"], found["at"]) == (False, "2026-08-05T10:00:00-05:00")
    errors = [finding for finding in found["findings"] if finding["severity"] == "error"]
    assert {(finding["code"], finding["country"]) for finding in errors} == {("step_never", "XX")}
    keys = "severity code message creditor strategy step channel country region stage rule citation days"
    assert all(list(finding) == keys.split() for finding in found["findings"])


def test_the_day_may_be_fixed_where_real_hosts_are_reached(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Nothing is sent, so ``live = true`` is no reason to refuse ``--at``.
    """
    config = workspace / "cobranza.toml"
    config.write_text(config.read_text("utf-8").replace("live = false", "live = true"), "utf-8")

    assert run(["check", *AT, "--json"]) == 0
    assert document(capsys)["ok"] is True
