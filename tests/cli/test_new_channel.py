"""
``cobranza new channel``: a vendor begins with a distribution whose tests pass on the first day.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cobranza_sdk.cli._root import run

PIGEON = "cobranza-pigeon-post"


@pytest.fixture
def pigeon(tmp_path: Path) -> Path:
    assert run(["new", "channel", "pigeon_post", "--dir", str(tmp_path)]) == 0
    return tmp_path / PIGEON


def test_every_word_of_the_scaffold_is_replaced(pigeon: Path) -> None:
    """
    Nobody publishes a plugin with another vendor's name in it.
    """
    written = {str(path.relative_to(pigeon)): path.read_text("utf-8") for path in pigeon.rglob("*") if path.is_file()}

    assert {name for name, text in written.items() if "acme" in f"{name} {text}".lower()} == set()
    assert {"README.md", "CHANGELOG.md", "pyproject.toml", ".github/workflows/ci.yml"} <= written.keys()
    project = tomllib.loads(written["pyproject.toml"])["project"]
    assert project["name"] == PIGEON
    assert project["entry-points"]["cobranza_sdk"] == {"pigeon_post": "cobranza_pigeon_post"}


def test_the_tests_of_a_new_channel_pass_and_fail_with_it(pigeon: Path) -> None:
    """
    On the first day all pass, conformance included; a channel that loses a letter does not.
    """

    def tests(*wanted: str) -> tuple[int, str]:
        done = subprocess.run(  # noqa: S603  # what was just written
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *wanted],
            cwd=pigeon,
            env={**os.environ, "PYTHONPATH": str(pigeon / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    code, output = tests()
    assert (code, "38 passed" in output) == (0, True), output
    channel = pigeon / "src" / "cobranza_pigeon_post" / "_channel.py"
    text = channel.read_text("utf-8")
    changed = text.replace('"text": message.text', '"text": message.text.replace("ñ", "n")')
    assert changed != text
    channel.write_text(changed, "utf-8")

    code, output = tests("-k", "what_is_asked")

    assert code == 1
    assert "why it matters: a debtor reads what was judged and recorded" in output


@pytest.mark.parametrize("name", ["Pigeon", "pigeon-post", "1st", "a b", "_x", "x_", "x" * 41, "ñandú"])
def test_a_name_that_python_or_pip_would_refuse_writes_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["new", "channel", name, "--dir", str(tmp_path)]) == 1

    assert "expected a name of small letters" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(pigeon: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pigeon / "README.md").write_text("mine", "utf-8")

    assert run(["new", "channel", "pigeon_post", "--dir", str(pigeon.parent)]) == 1

    assert "not empty: nothing was written" in capsys.readouterr().err
    assert (pigeon / "README.md").read_text("utf-8") == "mine"
