"""
What the pages say is so: programs run, files are accepted by the loaders that read them, commands exist.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from cobranza_sdk import Cobranza, TemplateCatalogue
from cobranza_sdk.cli._root import _root
from cobranza_sdk.compliance import parse_pack
from cobranza_sdk.loading import settings_from
from cobranza_sdk.strategy import parse_strategy
from cobranza_sdk.templates import VARIABLES, Catalogue
from cobranza_sdk.templates._variables import DISCLOSING

#: Pages whose blocks are steps to be taken in order.
STEPS = [
    "docs/how-to/run-the-pipeline.md",
    "docs/how-to/add-a-country-pack.md",
    "docs/how-to/write-a-template.md",
    "docs/how-to/try-a-rule.md",
    "docs/how-to/observe.md",
    "docs/explanation/fail-closed.md",
]


def all_blocks(pages: list[Path], read: Callable[[str], Any], lang: str) -> Iterator[Any]:
    """
    Every block of one language, on all pages.
    """
    for page in pages:
        yield from (block for block in read(str(page)) if block.lang == lang)


def commands_in(words: str) -> list[str]:
    """
    Every command line of ours that a page names, in blocks and in the running text.
    """
    inline = re.findall(r"`(cobranza [a-z][^`\n]*(?:\n[^`\n]+)?)`", re.sub(r"```.*?```", "", words, flags=re.DOTALL))
    blocks = re.findall(r"^(?:.*&& )?(cobranza [a-z].*)$", words.replace("\\\n", " "), re.MULTILINE)
    return [re.split(r" >>? | \| |…", line)[0] for line in (*inline, *blocks)]


@pytest.mark.parametrize("name", STEPS)
def test_every_step_of_a_guide_does_what_it_shows(name: str, shell: Any, read: Callable[[str], Any]) -> None:
    """
    Whoever follows a guide from its top sees what it shows.
    """
    shell.follow(read(name))


def test_every_program_on_a_page_is_an_example_that_is_type_checked(
    pages: list[Path], read: Callable[[str], Any], root: Path
) -> None:
    """
    A program stands in docs/examples too, where it is run and checked; and none is left that no page shows.
    """
    examples = {path.read_text("utf-8"): path.name for path in sorted((root / "docs/examples").glob("*.py"))}

    shown = {block.text: block.where for block in all_blocks(pages, read, "python")}

    assert {where for text, where in shown.items() if text not in examples} == set()
    assert {name for text, name in examples.items() if text not in shown} == set()


def test_every_table_of_toml_is_accepted(
    pages: list[Path], read: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, shell: Any
) -> None:
    """
    What is copied from a page works: packs, templates, strategies, and settings down to the provider's own.
    """
    shell.call("cobranza init .", "here")
    secret = shell.cwd / "secrets" / "unsubscribe_secret"
    secret.touch(mode=0o600)
    secret.write_text("u" * 32, "utf-8")
    for name in ("TWILIO_AUTH_TOKEN", "SMTP_PASSWORD", "MERCADO_PAGO_TOKEN", "MERCADO_PAGO_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "not-a-secret")

    for block in all_blocks(pages, read, "toml"):
        table = tomllib.loads(block.text)
        if "pack" in table:
            parse_pack("x", block.text, origin=block.where)
        elif "template" in table:
            Catalogue.parse([TemplateCatalogue("x", block.text, origin=block.where)])
        elif "step" in table:
            parse_strategy(block.text, origin=block.where)
        elif "project" in table:
            assert list(table["project"]["entry-points"]) == ["cobranza_sdk"], block.where
        else:
            cobranza = Cobranza(settings_from({**table, "live": True}, base=shell.cwd))  # opens nothing
            assert cobranza.accounts.failures == (), block.where


def test_every_command_on_a_page_exists_with_its_options(pages: list[Path], root: Path) -> None:
    """
    No page names a command or an option that the program lacks.
    """
    more = [root / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    more += sorted((root / "docs" / "reference").glob("*.md"))
    found = 0
    for page in [*pages, *more]:
        for line in commands_in(page.read_text("utf-8")):
            command: click.Command = _root
            context = click.Context(_root)
            words = shlex.split(line)[1:]
            while words and isinstance(command, click.Group):
                name = words.pop(0)
                child = command.get_command(context, name)
                assert child is not None, f"{page.name}: {line}"
                command = child
            known = {name for option in command.params for name in option.opts} | {"--help"}
            assert {word for word in words if word.startswith("-")} <= known, f"{page.name}: {line}"
            found += 1
    assert found > 50


def test_the_table_of_variables_is_that_of_the_templates(root: Path) -> None:
    """
    Who writes a template finds every variable, and which of them tell of a debt.
    """
    page = (root / "docs/how-to/write-a-template.md").read_text("utf-8")

    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| (yes|no) \|$", page, re.MULTILINE))

    assert rows == {name: "yes" if name in DISCLOSING else "no" for name in VARIABLES}


def test_every_link_leads_somewhere(pages: list[Path], root: Path) -> None:
    """
    Links between pages name files of this repository, or pages that are made when the documentation is built.
    """
    made = set((root / ".gitignore").read_text("utf-8").splitlines())
    for page in [*pages, root / "docs/reference/cli.md"]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            path = (page.parent / target).resolve()
            assert path.exists() or path.relative_to(root).as_posix() in made, f"{page.name}: {target}"
