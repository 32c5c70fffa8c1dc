"""
The command line inside one process: what a bare installation says, and what is imported.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cobranza_sdk.cli import _demo
from cobranza_sdk.cli._root import run
from cobranza_sdk.loading import Plugins


def test_a_bare_installation_names_the_extra_that_brings_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    ``pip install cobranza-sdk`` has no packs and no emulators: the demo says what brings them.
    """
    monkeypatch.setattr(_demo, "load_plugins", Plugins)

    code = run(["demo", "--dir", str(tmp_path / "demo")])

    assert code == 1
    told = capsys.readouterr().err
    assert "country packs, an ERP reader, channels with emulators" in told
    assert "pip install 'cobranza-sdk[demo]'" in told
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("group", ["new", "packs", "override"])
def test_a_group_without_a_command_shows_its_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Who types half of a command wants the other half, line by line.
    """
    code = run([group])

    told = capsys.readouterr()
    assert (code, told.out) == (2, "")
    assert told.err.startswith(f"Usage: cobranza {group} ")
    assert len(told.err.splitlines()) > 8


#: What only a connection needs: naming what is installed opens none.
CONNECTING = ["sqlalchemy", "httpx", "aiosmtplib", "aiosmtpd", "starlette", "uvicorn"]


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (
            ["--help"],
            [*CONNECTING, "asyncio", "ssl", "cattrs", "babel", "holidays", "rich", "structlog", "phonenumbers"],
        ),
        (["plugins", "--json"], [*CONNECTING, "asyncio", "ssl", "cattrs", "babel", "holidays", "matplotlib"]),
        (["packs", "list", "--json"], [*CONNECTING, "cattrs", "babel", "matplotlib", "alembic"]),
        (
            ["decide", "--country", "PE", "--at", "2026-08-05T10:00:00-05:00", "--channel", "sms"],
            [*CONNECTING, "cattrs", "babel", "matplotlib", "alembic"],
        ),
    ],
    ids=["help", "plugins", "packs", "decide"],
)
def test_a_command_imports_only_what_it_uses(arguments: list[str], unused: list[str], tmp_path: Path) -> None:
    """
    Start cost: no database, no HTTP client and no web server for a question that needs none.
    """
    script = (
        "import json, sys\n"
        "from cobranza_sdk.cli._root import run\n"
        f"code = run({arguments!r})\n"
        f"print(json.dumps([code, [name for name in {unused!r} if name in sys.modules]]), file=sys.stderr)\n"
    )
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )

    assert json.loads(done.stderr.splitlines()[-1]) == [0, []]


def without(module: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """
    Run a command in an interpreter that has everything but *module*.
    """
    script = (
        f"import sys\nsys.modules[{module!r}] = None\n"
        f"from cobranza_sdk.cli._root import run\nsys.exit(run({list(arguments)!r}))\n"
    )
    return subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", script],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.mark.parametrize("module", ["aiosmtpd", "starlette", "uvicorn", "matplotlib"])
def test_a_demo_without_an_extra_names_the_module_and_writes_nothing(module: str, tmp_path: Path) -> None:
    """
    Plugins without what the extra brings beside them: one line that says what to do, and no half-made directory.
    """
    done = without(module, "demo", "--dir", "work", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f" needs {module}" in done.stderr
    assert "not installed (hint: pip install 'cobranza-sdk[demo]')" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_demo_without_an_extra_leaves_the_one_before_it_alone(tmp_path: Path) -> None:
    """
    What cannot be made anew is not thrown away.
    """
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".cobranza-demo").write_text("made by cobranza demo", "utf-8")
    (tmp_path / "work" / "report.html").write_text("of yesterday", "utf-8")

    done = without("aiosmtpd", "demo", "--dir", "work", cwd=tmp_path)

    assert done.returncode == 1
    assert (tmp_path / "work" / "report.html").read_text("utf-8") == "of yesterday"


@pytest.mark.parametrize(
    ("provider", "module"),
    [
        ("mercado_pago", "uvicorn"),
        ("smtp_email", "aiosmtpd"),
        ("twilio_sms", "uvicorn"),
        ("whatsapp_cloud", "starlette"),
    ],
)
def test_an_emulator_without_its_extra_names_the_module(provider: str, module: str, tmp_path: Path) -> None:
    """
    The same line whether Python or the plugin noticed that a module is missing.
    """
    done = without(module, "sandbox", provider, cwd=tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: the emulator of {provider} needs {module}, which is not installed"
        " (hint: pip install 'cobranza-sdk[demo]')\n"
    )


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_serving_without_its_extra_names_the_module(module: str, tmp_path: Path) -> None:
    """
    One line, whichever of the two is missing.
    """
    without("nothing_at_all", "init", ".", cwd=tmp_path)

    done = without(module, "serve", "--port", "0", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert module in done.stderr
    assert "pip install 'cobranza-sdk[web]'" in done.stderr
