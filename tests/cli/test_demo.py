"""
The main job end to end: the demo, counted by what the emulators received.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest


def run(*arguments: str, cwd: Path) -> Any:
    """
    A command's JSON answer.
    """
    done = subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "-m", "cobranza_sdk", *arguments, "--json"],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """
    One demo, looked at by every test here.
    """
    place = tmp_path_factory.mktemp("demo")
    return run("demo", "--dir", str(place / "work"), cwd=place), place / "work"


def test_the_emulators_received_exactly_what_the_store_says_was_accepted(demo: tuple[dict[str, Any], Path]) -> None:
    """
    No message twice, none lost: the vendors' counts equal the attempts that have a vendor's id, by channel.
    """
    summary, place = demo

    attempts = run("attempts", cwd=place)
    out = Counter(line["channel"] for line in attempts if line["provider_message_id"])
    assert out == Counter(summary["received"])
    ids = [line["provider_message_id"] for line in attempts if line["provider_message_id"]]
    assert len(ids) == len(set(ids))
    assert min(summary["received"].values()) > 20


def test_every_message_has_an_allow_before_it(demo: tuple[dict[str, Any], Path]) -> None:
    """
    Law 1 over the whole demo: as many reservations as allows as dispatches, each allow before its dispatch.
    """
    _, place = demo

    events = run("events", cwd=place)
    allowed: set[str] = set()
    for event in events:
        attempt = event["subject_refs"].get("attempt")
        if event["kind"] == "decision.made" and event["payload"]["verdict"] == "allow":
            allowed.add(attempt)
        if event["kind"] == "attempt.dispatched":
            assert attempt in allowed
    assert sum(event["kind"] == "attempt.dispatched" for event in events) == sum(demo[0]["received"].values())


def test_nobody_is_written_to_on_their_holiday(demo: tuple[dict[str, Any], Path]) -> None:
    """
    S-080: 6 August is a holiday in Peru, 7 August in Colombia; what was due then waits for the next permitted morning.
    """
    summary, place = demo

    out = run("events", "--kind", "attempt.dispatched", cwd=place)
    listed = {line["attempt_id"]: line["debtor_id"] for line in run("attempts", cwd=place)}
    days = {(listed[event["subject_refs"]["attempt"]][1], event["at"][:10]) for event in out}
    # Customers in Peru have keys C1…, in Colombia C2….
    assert ("1", "2026-08-06") not in days
    assert ("2", "2026-08-07") not in days
    assert {("1", "2026-08-05"), ("1", "2026-08-07"), ("2", "2026-08-05"), ("2", "2026-08-06")} <= days
    assert {line["until"] for line in summary["still_deferred"]} == {"2026-08-08T08:00-05:00"}


def test_the_summary_names_articles_rejections_payments_and_opt_outs(demo: tuple[dict[str, Any], Path]) -> None:
    """
    What a stranger reads at the end: why not, until when, what was not taken, who paid, who asked to stop.
    """
    summary, _ = demo

    rules = " ".join(line["rule"] for line in summary["not_sent"])
    assert "Ley 2300 de 2023, art. 2" in rules
    assert "art. 62" in rules
    assert len(summary["rejected_rows"]) == 5
    assert all(row["line"] for row in summary["rejected_rows"])
    assert summary["payments"] > 0
    assert summary["cancelled_because_paid"] > 0


def test_opted_out_are_those_who_answered_so_and_not_those_of_the_erps_file(
    demo: tuple[dict[str, Any], Path],
) -> None:
    """
    The number that a stranger reads is what the emulators posted: the file's own withdrawals answer no message.
    """
    summary, place = demo

    withdrawn = run("events", "--kind", "consent.withdrawn", cwd=place)
    by_file = [event for event in withdrawn if event["actor"] == "erp:exports"]
    assert by_file
    assert summary["opted_out"] == summary["replies"]["BAJA"] == len(withdrawn) - len(by_file) > 0
    assert sum(summary["replies"].values()) == sum(day["answers"]["replied"] for day in summary["days"])


def test_who_opted_out_or_paid_gets_nothing_after_it(demo: tuple[dict[str, Any], Path]) -> None:
    """
    S-085 and S-039 over the whole ledger: no dispatch on a channel after its withdrawal, none to who owes nothing.
    """
    _, place = demo

    closed: set[tuple[str, str]] = set()
    for event in run("events", cwd=place):
        debtor = event["subject_refs"].get("debtor", "")
        if event["kind"] == "consent.withdrawn":
            closed.add((debtor, event["payload"]["channel"]))
        if event["kind"] == "attempt.dispatched":
            assert (debtor, event["payload"]["channel"]) not in closed
    assert closed


def test_the_directory_can_be_gone_on_with(demo: tuple[dict[str, Any], Path]) -> None:
    """
    The demo leaves a workspace: report, configuration that names the risk it takes, files, ledger.
    """
    _, place = demo

    assert "<svg" in (place / "report.html").read_text("utf-8")
    assert 'accept_risk = ["whatsapp.collections"]' in (place / "cobranza.toml").read_text("utf-8")
    raw = (place / "erp" / "2026-08-05-cartera.csv").read_bytes()
    assert b"\xf3" in raw
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    assert run("report", "--at", "2026-08-08T10:00:00-05:00", cwd=place)[0]["creditor"] == "Tienda Andina"


def test_no_name_or_address_stands_in_the_ledger(demo: tuple[dict[str, Any], Path]) -> None:
    """
    Law 10: three days of messages, and not one phone number or mail address in any event.
    """
    _, place = demo

    ledger = json.dumps(run("events", cwd=place))
    assert not re.search(r"\+5[17]\d{8}", ledger)
    assert "cliente" not in ledger.lower()


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """
    The demo replaces only what a demo made.
    """
    (tmp_path / "mine.txt").write_text("mine", "utf-8")

    done = subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "-m", "cobranza_sdk", "demo", "--dir", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert (tmp_path / "mine.txt").read_text("utf-8") == "mine"
