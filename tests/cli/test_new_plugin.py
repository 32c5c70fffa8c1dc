"""
``cobranza new channel``, ``erp`` and ``payment``: a distribution whose tests pass on the first day.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cobranza_sdk.cli._root import run
from cobranza_sdk.testing import ChannelConformance, ErpConformance, PaymentProviderConformance
from cobranza_sdk.testing._conformance import standard_checks

FAMILIES = ("channel", "erp", "payment")
PIGEON = "cobranza-pigeon-post"


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pigeon(family: str, tmp_path: Path) -> Path:
    assert run(["new", family, "pigeon_post", "--dir", str(tmp_path)]) == 0
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


#: By family: a slip with the file that it is made in, and the check and the words that tell of it.
SLIPS = {
    "channel": (
        ("_channel.py", '"text": message.text', '"text": message.text.replace("ñ", "n")'),
        ("what_is_asked", "why it matters: a debtor reads what was judged and recorded"),
    ),
    "erp": (
        ("_erp.py", "rejected=rejected, ", ""),
        ("a_damaged_row", "why it matters: one bad row must cost one row"),
    ),
    "payment": (
        ("_provider.py", 'format(amount.amount, "f")', "str(float(amount.amount))"),
        ("amounts_arrive", "why it matters: a cent that is rounded away stays owed for ever"),
    ),
}
KITS = {"channel": ChannelConformance, "erp": ErpConformance, "payment": PaymentProviderConformance}


def test_the_tests_of_a_new_plugin_pass_and_fail_with_it(family: str, pigeon: Path) -> None:
    """
    On the first day all pass, conformance included; a plugin that loses a letter, a row or a cent does not.
    """

    def tests(*wanted: str) -> tuple[int, str]:
        done = subprocess.run(  # noqa: S603  # what was just written
            [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *wanted],
            cwd=pigeon,
            env={**os.environ, "PYTHONPATH": str(pigeon / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    code, output = tests()
    assert code == 0, output
    left_out = [name for name in standard_checks(KITS[family]) if f"::{name} " not in output]
    assert left_out == []
    (file, right, wrong), (check, words) = SLIPS[family]
    module = pigeon / "src" / "cobranza_pigeon_post" / file
    text = module.read_text("utf-8")
    assert right in text
    module.write_text(text.replace(right, wrong), "utf-8")

    code, output = tests("-k", check)

    assert code == 1
    assert words in output


@pytest.mark.parametrize("name", ["Pigeon", "pigeon-post", "1st", "a b", "_x", "x_", "x" * 41, "ñandú"])
def test_a_name_that_python_or_pip_would_refuse_writes_nothing(
    family: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["new", family, name, "--dir", str(tmp_path)]) == 1

    assert "expected a name of small letters" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(family: str, pigeon: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pigeon / "README.md").write_text("mine", "utf-8")

    assert run(["new", family, "pigeon_post", "--dir", str(pigeon.parent)]) == 1

    assert "not empty: nothing was written" in capsys.readouterr().err
    assert (pigeon / "README.md").read_text("utf-8") == "mine"
