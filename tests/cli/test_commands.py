"""
The command line as people and scripts meet it: real processes, real files, exit codes, one JSON document.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WEDNESDAY = "2026-08-05T10:00:00-05:00"


def cobranza(
    *arguments: str, cwd: Path | None = None, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """
    Run the command line as a process of its own and hold it to an exit code.
    """
    done = subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "-m", "cobranza_sdk", *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **environment},
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def answer(*arguments: str, cwd: Path | None = None, code: int = 0) -> Any:
    """
    The JSON document that a command prints.
    """
    return json.loads(cobranza(*arguments, "--json", cwd=cwd, code=code).stdout)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """
    What ``cobranza init`` writes.
    """
    cobranza("init", str(tmp_path / "house"))
    return tmp_path / "house"


def test_help_names_every_command() -> None:
    """
    A newcomer types --help first.
    """
    text = cobranza("--help").stdout

    names = "demo init plugins doctor sync plan dispatch run decide check backtest packs new attempts events "
    names += "report serve sandbox"
    assert all(f"\n  {name}" in text for name in names.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("decide", "--no-such"), "No such option"),
        (("no-such-command",), "No such command"),
        (("decide", "--country", "PE"), "missing --at, --channel"),
        (("decide", "--cases", "nowhere.csv"), "does not exist"),
        (("sync", "--at", "yesterday"), "expected ISO 8601 with an offset"),
        (("sync", "--at", "2026-08-05T10:00:00"), "expected ISO 8601 with an offset"),
    ],
)
def test_a_wrong_call_is_one_line_with_a_hint_and_exit_code_2(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    """
    Usage mistakes: no traceback, no page of text, and what to do.
    """
    done = cobranza(*arguments, cwd=tmp_path, code=2)

    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert "hint:" in done.stderr


def test_a_missing_configuration_is_one_line_with_a_hint_and_exit_code_1(tmp_path: Path) -> None:
    """
    The first command of somebody who skipped ``init``.
    """
    done = cobranza("sync", cwd=tmp_path, code=1)

    assert done.stderr == "error: cobranza.toml: there is no such file (hint: `cobranza init DIR` writes one)\n"


def test_unknown_keys_are_all_told_at_once_with_their_full_names(workspace: Path) -> None:
    """
    Bad input: key, what was found, what is expected, nothing half-applied.
    """
    config = workspace / "cobranza.toml"
    text = config.read_text("utf-8").replace("live = false", 'live = "no"\nlvie = 1')
    config.write_text(text.replace("contact_line = ", "contact_lin = "), "utf-8")

    done = cobranza("sync", cwd=workspace, code=1)

    assert "live: found text, expected true or false" in done.stderr
    assert "lvie: unknown key, did you mean live?" in done.stderr
    assert "contact_lin" in done.stderr
    assert not (workspace / "cobranza.db").exists()


def test_plugins_lists_what_is_installed_without_a_configuration(tmp_path: Path) -> None:
    """
    The pinned shape of ``plugins --json``.
    """
    found = answer("plugins", cwd=tmp_path)

    assert found["failures"] == []
    names = {plugin["name"]: plugin for plugin in found["plugins"]}
    assert names["compliance_latam"]["distribution"] == "cobranza-compliance-latam"
    assert {"family": "channel", "name": "twilio_sms"} in names["twilio_sms"]["provides"]
    assert set(names["erp_csv"]) == {"name", "distribution", "version", "provides", "certificate"}


def test_decide_cases_prints_a_list_in_the_order_of_the_file(tmp_path: Path) -> None:
    """
    The pinned shape of ``decide --cases --json``: unknown columns ignored, missing ones by default.
    """
    cases = tmp_path / "cases.csv"
    cases.write_text(
        "case_id,country,at,channel,recipient,extra\n"
        "night,PE,2026-05-15T20:00:00-05:00,sms,debtor,x\n"
        "day,PE,2026-05-15T19:59:00-05:00,sms,debtor,x\n"
        "who,PE,2026-05-15T12:00:00-05:00,sms,,x\n",
        "utf-8",
    )

    found = answer("decide", "--cases", str(cases), cwd=tmp_path)

    assert [(case["case_id"], case["verdict"]) for case in found] == [
        ("night", "defer"),
        ("day", "allow"),
        ("who", "amend"),
    ]
    assert found[0]["not_before"] == "2026-05-18T07:00:00-05:00"
    assert found[0]["findings"][0]["rule"] == "pe.window.messages"
    assert set(found[0]) == {"case_id", "verdict", "not_before", "findings"}


@pytest.mark.parametrize(
    ("language", "moment"),
    [("es", "sábado, hora de Bogota"), ("pt", "sábado, hora de Bogota"), ("en", "Saturday, Bogota time")],
)
def test_decide_explains_one_contact_in_three_languages(language: str, moment: str, tmp_path: Path) -> None:
    """
    F80: rule, law, article and the first permitted minute, in the reader's language.
    """
    text = cobranza(
        "decide", "--country", "CO", "--at", "2026-08-07T10:00:00-05:00", "--channel", "sms", "--recipient", "debtor",
        "--consent", "yes", "-l", language, cwd=tmp_path,
    ).stdout  # fmt: skip

    assert "Ley 2300 de 2023, art. 3" in text
    assert f"2026-08-08 08:00 -0500 ({moment})" in text
    assert "co.window" in text


def test_packs_list_and_show_need_no_configuration(tmp_path: Path) -> None:
    """
    A lawyer reads a pack by its country.
    """
    assert {"co", "pe", "safe_default"} <= {pack["name"] for pack in answer("packs", "list", cwd=tmp_path)}
    shown = cobranza("packs", "show", "PE", cwd=tmp_path).stdout
    assert "Ley 29571" in shown
    assert "draft" in shown
    assert "expected one of" in cobranza("packs", "show", "XX", cwd=tmp_path, code=1).stderr


def test_who_has_no_packs_is_told_where_they_are(tmp_path: Path) -> None:
    """
    Core comes without a law: an empty table would leave its first user wondering why everything is denied.
    """
    (tmp_path / "bare.toml").write_text("[plugins]\nallow = []\n")

    listed = cobranza("packs", "list", "--config", "bare.toml", cwd=tmp_path)
    shown = cobranza("packs", "show", "PE", "--config", "bare.toml", cwd=tmp_path, code=1)

    assert "every contact is denied (pip install 'cobranza-sdk[demo]'" in listed.stderr
    assert shown.stderr.startswith("error: no pack is called PE or lists it: none is loaded (hint: pip install")
    assert answer("packs", "list", "--config", "bare.toml", cwd=tmp_path) == []


def test_init_writes_a_workspace_that_runs_dry(workspace: Path) -> None:
    """
    ``init`` then ``run --dry-run``: nothing planned, nothing sent, secrets readable by their owner only.
    """
    found = answer("run", "--at", WEDNESDAY, "--dry-run", cwd=workspace)

    assert found["sync"][0]["created"] == {"debtor": 4, "receivable": 5}
    assert len(found["would_plan"]) == 4
    assert {line["would"] for line in found["would_dispatch"]} == {"send", "suppressed"}
    assert answer("run", "--at", WEDNESDAY, "--dry-run", cwd=workspace)["sync"] == found["sync"]
    assert not (workspace / "cobranza.db").exists()
    assert answer("attempts", cwd=workspace) == []
    assert all(path.stat().st_mode & 0o077 == 0 for path in (workspace / "secrets").iterdir())


def test_init_overwrites_nothing(workspace: Path) -> None:
    """
    A second ``init`` in the same place may not eat anybody's configuration.
    """
    before = (workspace / "cobranza.toml").read_bytes()

    done = cobranza("init", str(workspace), code=1)

    assert "nothing was written" in done.stderr
    assert (workspace / "cobranza.toml").read_bytes() == before


def test_a_template_with_an_unknown_variable_is_one_clear_line(workspace: Path) -> None:
    """
    Bad input: the template, the variable, and the nearest one that exists.
    """
    templates = workspace / "templates.toml"
    templates.write_text(templates.read_text("utf-8").replace("{{ amount }}", "{{ amuont }}", 1), "utf-8")

    done = cobranza("run", "--at", WEDNESDAY, cwd=workspace, code=1)

    assert "amuont" in done.stderr
    assert "amount" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"C009,Short,PE,900 100 009,x@example.com,debtor,yes,sms,invoice,F001-9\n", "found 10 cells, expected 15"),
        (b"C009,Cut,PE,900 100 009,x@example.com,debtor,yes,sms,invo", "the file ends within this row"),
        (
            b"C009,Cut,PE,,,debtor,yes,sms,invoice,F001-9,2026-07-01,2026-08-04,PEN,480000,48",
            "the file ends without a line end: its last row may be cut",
        ),
        (b'C009,"Cut,PE,900\n', "quote"),
        (b"C009,N\x00L,PE,,,debtor,yes,sms,invoice,F001-9,2026-07-01,2026-08-04,PEN,1.00,1.00\n", "NUL"),
        (
            b"C009," + b"x" * 1_000_000 + b",PE,,,debtor,yes,sms,invoice,F001-9,2026-07-01,2026-08-04,PEN,1.00,1.00\n",
            "KiB",
        ),
    ],
    ids=["too few cells", "truncated", "truncated in its last cell", "open quote", "NUL", "a million characters"],
)
def test_a_broken_row_is_rejected_with_its_line_and_the_others_are_taken(
    workspace: Path, damage: bytes, words: str
) -> None:
    """
    Bad input: one row less, told with line and reason; nothing else is lost.
    """
    csv = workspace / "receivables.csv"
    csv.write_bytes(csv.read_bytes() + damage)

    found = answer("sync", "--at", WEDNESDAY, cwd=workspace)

    assert found["sync"][0]["created"] == {"debtor": 4, "receivable": 5}
    (row,) = found["rejected"]
    assert row["line"] == 7
    assert words.lower() in row["reason"].lower()


def test_syncing_twice_changes_nothing(workspace: Path) -> None:
    """
    S-001: the same file again is no news.
    """
    answer("sync", "--at", WEDNESDAY, cwd=workspace)
    events = len(answer("events", cwd=workspace))

    again = answer("sync", "--at", WEDNESDAY, cwd=workspace)["sync"][0]

    assert (again["created"], again["changed"]) == ({}, {})
    assert len(answer("events", cwd=workspace)) == events


def test_without_its_emulators_a_run_sends_nothing_and_says_so(workspace: Path) -> None:
    """
    Nobody listens on the configured ports: not sent, to be tried again, nothing lost.
    """
    found = answer("run", "--at", WEDNESDAY, cwd=workspace)

    lines = answer("attempts", cwd=workspace)
    assert found["dispatch"]["counts"].get("accepted") is None
    assert {line["state"] for line in lines} <= {"not_sent", "planned", "suppressed", "deferred"}
    assert set(lines[0]) == {
        "attempt_id", "debtor_id", "step", "channel", "state", "provider_message_id", "not_before", "reason",
    }  # fmt: skip


def test_report_prints_text_json_and_one_page(workspace: Path) -> None:
    """
    The same indicators for people, scripts and a browser.
    """
    cobranza("run", "--at", WEDNESDAY, cwd=workspace)

    assert "co.consent" in cobranza("report", "--at", WEDNESDAY, cwd=workspace).stdout
    assert answer("report", "--at", WEDNESDAY, cwd=workspace)[0]["creditor"] == "Mi Empresa"
    cobranza("report", "--at", WEDNESDAY, "--html", "r.html", cwd=workspace)
    page = (workspace / "r.html").read_text("utf-8")
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "").replace('xmlns="http', "")


def test_doctor_names_what_is_not_ready(workspace: Path) -> None:
    """
    Before the first message: which account does not answer, exit code 1.
    """
    found = answer("doctor", cwd=workspace, code=1)

    checks = {check["name"]: check for check in found["checks"]}
    assert checks["erps.main"]["ok"]
    assert not checks["channels.sms"]["ok"]
    assert checks["live"]["detail"] == "loopback only"


def test_an_unknown_emulator_is_named_with_those_that_exist() -> None:
    """
    A slip in the provider's name.
    """
    assert (
        "expected one of agent_calls, agent_letters, agent_visits, mercado_pago, smtp_email, twilio_sms, whatsapp_cloud"
        in cobranza("sandbox", "twilio", code=1).stderr
    )


def test_debug_shows_the_traceback_and_nothing_else_does(tmp_path: Path) -> None:
    """
    Errors are one line until somebody asks for more.
    """
    assert "Traceback" not in cobranza("sync", cwd=tmp_path, code=1).stderr
    assert "Traceback" in cobranza("sync", "--debug", cwd=tmp_path, code=1).stderr
