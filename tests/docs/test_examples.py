"""
The programs of docs/examples, each run as a user runs it.
"""

from __future__ import annotations

import importlib.util
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from cobranza_sdk import Cobranza, CompliancePack
from cobranza_sdk.loading import load_plugins
from cobranza_sdk.testing import FixedClock

#: Those that print what the page about embedding shows, in its order.
EMBEDDED = ["judge_many", "embed", "post_payment", "follow_ledger", "by_hand", "dispatch_async"]


@pytest.fixture
def project(shell: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """
    A project made by ``cobranza init`` with the emulator for SMS at its port; gives an example's path there.
    """
    emulator = load_plugins().provided["sandbox", "twilio_sms"].item
    clock = FixedClock(datetime.fromisoformat("2026-08-05T10:00:00-05:00"))
    shell.call("cobranza init .", "here")
    shell.move_ports(["cobranza", "init", "."])
    monkeypatch.chdir(shell.cwd)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "sandbox-auth-token")

    def example(name: str) -> Path:
        text = (root / "docs" / "examples" / f"{name}.py").read_text("utf-8")
        (shell.cwd / f"{name}.py").write_text(shell.here(text), "utf-8")
        return shell.cwd / f"{name}.py"

    with emulator(clock=clock, port=int(shell.ports["8802"])):
        yield example


def test_the_program_about_a_printed_link_writes_a_picture(project: Callable[[str], Path]) -> None:
    """
    A picture that a browser opens.
    """
    path = project("qr_picture")

    runpy.run_path(str(path), run_name="__main__")

    assert (path.parent / "pagar.svg").read_text("utf-8").startswith("<?xml")


def test_the_programs_about_embedding_print_what_the_page_shows(
    project: Callable[[str], Path], read: Callable[[str], Any], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Decide, send, post a payment, follow the ledger, change things by hand, and all of it in an event loop.
    """
    blocks = read("docs/how-to/embed.md")
    shown = {block.text: after.text for block, after in pairwise(blocks) if after.lang == "text"}

    for name in EMBEDDED:
        runpy.run_path(str(project(name)), run_name="__main__")
        printed = [line for line in capsys.readouterr().out.splitlines() if "erp_csv.file_read" not in line]
        expected = shown.get((root / "docs" / "examples" / f"{name}.py").read_text("utf-8"), "")
        assert sorted(printed) == sorted(expected.splitlines()), name


def test_stopping_by_the_example_stops_everything(project: Callable[[str], Path], shell: Any) -> None:
    """
    After the program has run, dispatch sends nothing, says why, and ends with 1.
    """
    runpy.run_path(str(project("stop")), run_name="__main__")

    code, output, _ = shell.call_here(["run", "--at", "2026-08-05T10:00:00-05:00"])

    assert (code, "stopped: the bank file is wrong" in output) == (1, True)
    with Cobranza.from_config("cobranza.toml") as cobranza:
        assert cobranza.attempts.list(states=["accepted", "sending", "unknown"]) == []


@pytest.mark.parametrize("name", ["opt_out_test", "chaos_test"])
def test_the_tests_that_the_page_shows_pass(name: str, root: Path, tmp_path: Path) -> None:
    """
    As an integrator runs them: in a folder of their own, with pytest.
    """
    shutil.copy(root / "docs" / "examples" / f"{name}.py", tmp_path)

    done = subprocess.run(  # noqa: S603  # our own example
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", f"{name}.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"^[13] passed", done.stdout, re.MULTILINE)


def test_the_mounted_application_takes_webhooks(project: Callable[[str], Path]) -> None:
    """
    Under the prefix of the host, with signatures verified.
    """
    app = runpy.run_path(str(project("webhooks_app")))["app"]

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://example.com") as client:
            health = await client.get("/collections/health")
            unsigned = await client.post("/collections/webhooks/sms", content=b"Body=BAJA")
            nobody = await client.post("/collections/webhooks/nobody", content=b"")
            return [health.status_code, unsigned.status_code, nobody.status_code]

    assert anyio.run(ask) == [200, 403, 404]


def test_a_package_with_the_example_brings_its_pack(
    tmp_path: Path, root: Path, shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The module of the guide, in a package beside the two files of its pack, answers the hook.
    """
    shell.call("cobranza new pack PY --at 2026-11-21", "here")
    package = shutil.copytree(shell.cwd / "py", tmp_path / "cobranza_py")
    (package / "__init__.py").write_text((root / "docs/examples/pack_plugin.py").read_text("utf-8"), "utf-8")
    spec = importlib.util.spec_from_file_location("cobranza_py", package / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "cobranza_py", module)
    spec.loader.exec_module(module)

    (found,) = module.cobranza_compliance_packs()

    assert isinstance(found, CompliancePack)
    assert found.name == "py"
    assert found.text == (package / "pack.toml").read_text("utf-8")
    assert found.cases == (package / "golden.csv").read_text("utf-8")
