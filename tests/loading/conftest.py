"""
A zoo of plugins, written to a folder as distributions that nobody installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.loading import PluginFailure, Plugins, load_plugins

#: What most modules of the zoo begin with.
HEAD = """
from attrs import frozen
from cobranza_sdk import Accepted, Channel, ChannelCapabilities, Secret, hookimpl

@frozen(kw_only=True)
class Config:
    token: Secret | None = None
    base_url: str = "http://127.0.0.1"

class Good(Channel):
    name = "good"
    config = Config
    capabilities = ChannelCapabilities(channel="sms", family="message", schemes=("e164",))
    async def send(self, message):
        return Accepted(provider_message_id="1")
"""
HOOK = """
@hookimpl
def cobranza_channels():
    return [{}]
"""


class Zoo:
    """
    Distributions in a folder of their own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.extra: list[Path] = []

    def add(
        self,
        name: str,
        code: str,
        *,
        requires: Iterable[str] = (),
        entry: str | None = None,
        folder: Path | None = None,
        distribution: str | None = None,
        version: str | None = "1.0",
    ) -> str:
        """
        Write a distribution with one module and one entry point; return the module's name.
        """
        folder = folder or self.folder
        module = f"zoo_{name}"
        (folder / f"{module}.py").write_text(code, "utf-8")
        lines = ["Metadata-Version: 2.1", f"Name: {distribution or f'zoo-{name}'}"]
        lines += [] if version is None else [f"Version: {version}"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        self.write_metadata(
            name, "\n".join(lines).encode() + b"\n", f"[cobranza_sdk]\n{name} = {entry or module}\n".encode()
        )
        return module

    def write_metadata(self, name: str, text: bytes | None, entry_points: bytes) -> None:
        """
        Write the ``.dist-info`` alone, readable or not.
        """
        info = self.folder / f"zoo_{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_bytes(entry_points)
        if text is not None:
            (info / "METADATA").write_bytes(text)

    def add_good(self, name: str = "good", **changes: Any) -> str:
        """
        Write a plugin that works and brings a channel of its own name.
        """
        return self.add(name, HEAD.replace('name = "good"', f'name = "{name}"') + HOOK.format("Good"), **changes)

    def load(self, **how: Any) -> Plugins:
        """
        Load what stands in the folder.
        """
        path = [str(self.folder), *map(str, self.extra)]
        return load_plugins(distributions=lambda: metadata.distributions(path=path), **how)

    def only_failure(self, **how: Any) -> PluginFailure:
        """
        Load beside a plugin that works; it must go on working, and exactly one other must have failed.
        """
        self.add_good("neighbour")
        loaded = self.load(**how)
        assert ("channel", "neighbour") in loaded.provided
        (failure,) = loaded.failures
        told = failure.to_dict()
        assert all(told[part].strip() for part in ("plugin", "stage", "cause", "hint"))
        return failure


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zoo]:
    """
    An empty zoo on ``sys.path``; its modules are forgotten afterwards.
    """
    folder = tmp_path / "zoo"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Zoo(folder)
    for name in [name for name in sys.modules if name.startswith("zoo_")]:
        del sys.modules[name]
