"""
Writes a workspace: configuration, strategy, templates, and accounts that point at emulators.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs

from cobranza_sdk.loading import Plugins
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.spec import Channel, Sandbox, Secret

#: What brings everything that the demo and the emulators need.
DEMO_HINT = "pip install 'cobranza-sdk[demo]'"


def resource(room: str, name: str) -> str:
    """
    The text of a data file of the package.
    """
    return (files(f"cobranza_sdk.{room}") / name).read_text("utf-8")


def scaffold(name: str) -> str:
    """
    The text of a file that `cobranza init` writes.
    """
    return resource("cli", f"scaffold/{name}")


def write_private(path: Path, text: str) -> None:
    """
    Write a secret so that only its owner reads it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, "utf-8")


def account_table(directory: Path, name: str, provider: str, config: type, settings: Mapping[str, Any]) -> str:
    """
    A ``[channels.NAME]`` table with *settings*; secrets go to files of their own and are named by reference.

    Args:
        directory: Of the workspace.
        name: Configured name of the account.
        provider: Name of its provider.
        config: The provider's settings class: tells which settings are secrets.
        settings: Values, secrets as plain text.
    """
    kinds = {field.name: field.type for field in attrs.fields(attrs.resolve_types(config))}
    lines = [f"[channels.{name}]", f"provider = {toml_value(provider)}"]
    for key, value in settings.items():
        if _holds_secret(kinds.get(key)):
            path = Path("secrets") / f"{name}_{key}"
            write_private(directory / path, str(value))
            lines.append(f'{key} = {{ file = "{path.as_posix()}" }}')
        else:
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def _holds_secret(kind: Any) -> bool:
    if kind is Secret:
        return True
    is_container = get_origin(kind) in (tuple, types.UnionType) or "Union" in str(get_origin(kind))
    return is_container and any(_holds_secret(part) for part in get_args(kind))


def toml_value(value: Any) -> str:
    """
    A plain value as TOML.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def emulated_channels(plugins: Plugins) -> list[tuple[str, type[Channel], type[Sandbox]]]:
    """
    Channels that come with an emulator that listens, one per kind of channel: kind, provider class, emulator class.
    """
    found: dict[str, tuple[str, type[Channel], type[Sandbox]]] = {}
    for name in plugins.names("channel"):
        emulator = plugins.provided.get(("sandbox", name))
        if emulator is not None and emulator.item.listens:
            channel = plugins.provided["channel", name].item
            kind = channel.capabilities.channel
            found.setdefault(kind, (kind, channel, emulator.item))
    return list(found.values())


@contextmanager
def needing_extras(who: str, hint: str = DEMO_HINT) -> Iterator[None]:
    """
    Say in one line which module *who* lacks, whether Python or a plugin noticed.

    Raises:
        CobranzaError: A module is not installed.
    """
    try:
        yield
    except (ModuleNotFoundError, CobranzaError) as error:
        lacking = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        if not isinstance(lacking, ModuleNotFoundError):
            raise
        msg = f"{who} needs {(lacking.name or '').partition('.')[0]}, which is not installed"
        raise CobranzaError(msg, hint=hint) from error


def write_files(directory: Path, texts: Mapping[str, str]) -> Sequence[Path]:
    """
    Write text files into *directory*; returns their paths.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        written.append(path)
    return written
