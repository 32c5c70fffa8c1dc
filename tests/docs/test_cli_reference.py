"""
The reference of the command line is complete: an option that it does not name fails here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from cobranza_sdk import AttemptState, Verdict
from cobranza_sdk.cli._root import _root

PAGE = "docs/reference/cli.md"
SHARED = {"--json", "--config", "--debug", "-h", "--help"}


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """
    Every command that does something, by its full name.
    """
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@pytest.fixture
def sections(root: Path) -> dict[str, str]:
    """
    The page by its headings.
    """
    parts = re.split(r"^## (.+)\n", (root / PAGE).read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options_in(section: str) -> set[str]:
    """
    Options that the tables of a section declare.
    """
    firsts = re.findall(r"^\| (`-.+?) \|", section, re.MULTILINE)
    return {name for cell in firsts for name in re.findall(r"`(-[-\w]+)", cell)}


def test_every_command_has_its_section(sections: dict[str, str]) -> None:
    """
    No command is missing, none is invented, and they stand in the order of ``--help``.
    """
    assert [name for name in sections if name != "Conventions"] == [name for name, _ in commands(_root, "cobranza")]


@pytest.mark.parametrize(("name", "command"), list(commands(_root, "cobranza")))
def test_every_option_is_described(name: str, command: click.Command, sections: dict[str, str]) -> None:
    """
    The tables name exactly the options that the command declares, and the text every value it takes.
    """
    options = [option for option in command.params if isinstance(option, click.Option)]
    arguments = [option for option in command.params if isinstance(option, click.Argument)]

    declared = {name for option in options for name in option.opts} | {"-h", "--help"}

    assert declared >= SHARED
    assert options_in(sections["Conventions"]) == SHARED
    assert options_in(sections[name]) == declared - SHARED
    if arguments:
        assert f"`{name} {' '.join((argument.name or '').upper() for argument in arguments)}`" in sections[name]
    for option in options:
        values = option.type.choices if isinstance(option.type, click.Choice) else ()
        missing = [value for value in values if f"`{value}`" not in sections[name]]
        assert missing == [], option.name


def test_the_meaning_of_states_and_verdicts_is_complete(sections: dict[str, str]) -> None:
    """
    Whatever stands in the output is explained beside it.
    """
    rows = {title: set(re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)) for title, text in sections.items()}

    states = {name for cell in rows["cobranza attempts"] for name in re.findall(r"`(\w+)`", cell)}

    assert states == set(AttemptState)
    assert {cell.strip("`") for cell in rows["cobranza decide"]} >= set(Verdict)


def keys_of(document: Any) -> Any:
    """
    The shape of a document: its keys all the way down; of a list the first member's; nothing of free-form tables.
    """
    if isinstance(document, dict):
        free = ("facts", "payload", "subject_refs", "message")
        return {key: None if key in free else keys_of(value) for key, value in document.items()}
    return [keys_of(document[0])] if isinstance(document, list) and document else None


def documents(read: Callable[[str], Any]) -> list[Any]:
    """
    The JSON documents of the page: plugins, decide, attempts, events.
    """
    return [json.loads(block.text) for block in read(PAGE) if block.lang == "json"]


def test_the_json_of_a_decision_has_the_shape_shown(shell: Any, read: Callable[[str], Any]) -> None:
    """
    Programs rely on keys: those of the page are those that are printed, and the values are the decision's.
    """
    shown = documents(read)[1]
    line = "cobranza decide --country PE --channel sms --recipient debtor --at 2026-08-08T10:00:00-05:00 --json"

    printed = json.loads(shell.call(line, PAGE))

    assert keys_of(printed) == keys_of(shown)
    assert (printed["verdict"], printed["not_before"]) == (shown["verdict"], shown["not_before"])
    assert (printed["basis"], printed["drafts"]) == (shown["basis"], shown["drafts"])


def test_the_json_of_plugins_attempts_and_events_has_the_shape_shown(shell: Any, read: Callable[[str], Any]) -> None:
    """
    The same for what is installed, what was tried and what was recorded.
    """
    plugins, _, attempts, events = documents(read)
    shell.call("cobranza init .", PAGE)
    shell.call("cobranza plan --at 2026-08-05T10:00:00-05:00", PAGE)
    shell.call("cobranza sync --at 2026-08-05T10:00:00-05:00", PAGE)
    shell.call("cobranza plan --at 2026-08-05T10:00:00-05:00", PAGE)

    printed = json.loads(shell.call("cobranza plugins --json", PAGE))

    assert set(printed) == set(plugins)
    assert keys_of(printed["plugins"]) == keys_of(plugins["plugins"])
    assert keys_of(json.loads(shell.call("cobranza attempts --json", PAGE))) == keys_of(attempts)
    assert keys_of(json.loads(shell.call("cobranza events --json", PAGE))) == keys_of(events)


def test_the_error_shown_is_the_error_printed(shell: Any, read: Callable[[str], Any]) -> None:
    """
    One line, with what is wrong and a hint; mistakes in the call end with 2, refusals with 1.
    """
    shown = next(block.text for block in read(PAGE) if block.lang == "text")

    assert shell.call_here(["plan"]) == (1, "", shown)
    assert shell.call_here(["decide"])[0] == 2
    assert shell.call_here(["decide", "--country", "XX", "--channel", "sms", "--at", "2026-08-05T10:00:00Z"])[0] == 0
