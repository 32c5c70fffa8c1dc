"""
Reads the documentation and does what it says: blocks in order, in a temporary directory, with the real commands.

On a page, the text before a block that ends in a name in backquotes and a colon (``Save this as `py.toml`:``) names the
file it is saved to; a block of ``diff`` there changes that file, in several places where ``@@`` stands between them. A
block of ``sh`` is run; ``cobranza serve`` and ``cobranza sandbox`` go on in the background. A block of ``text`` after
it is what it prints: ``…`` stands for any characters, alone on a line for any lines. Where it begins with ``error:`` or
a problem that a check tells, or pytest says in it that tests failed, the command has to fail.

Nothing is installed from a network. ``pip install -e ".[test]"`` puts what a page has written on the path, as pip
would. A file of Python that only belongs into such a package is a block of ``py``.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path

import pytest
from attrs import define, field, frozen
from packaging.requirements import Requirement

from cobranza_sdk.cli._root import run

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.es.md", *sorted((ROOT / "docs").glob("[hte]*/*.md"))]
#: Ports that the pages name; each test gets free ones instead.
PORTS = ("8080", "8801", "8802", "8803")
_FENCE = re.compile(r"^(?P<fence>```+)(?P<lang>[\w{}-]*)[^\n]*\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_SAVED_AS = re.compile(r"`([\w./-]+)`:\s*\Z")
#: A problem that ``cobranza packs check`` tells: the part and what is wrong.
_PROBLEM = re.compile(r"(schema|cases|edges|waits|windows|coverage): ")
_FAILED = re.compile(r"^\d+ failed", re.MULTILINE)
_DEADLINE_S = 60


@frozen
class Block:
    """
    A fenced block: language, words, the file it is saved to, and where it stands.
    """

    lang: str
    text: str
    saved_as: str | None
    where: str


def blocks_of(page: Path) -> list[Block]:
    """
    The fenced blocks of a page, in order.
    """
    words = page.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(words):
        saved = _SAVED_AS.search(words[: match.start()])
        line = words.count("\n", 0, match.start()) + 1
        found.append(Block(match["lang"], match["text"], saved and saved[1], f"{page.name}:{line}"))
    return found


@define
class Shell:
    """
    A terminal in a directory of its own. Its first command is run as users run it, the others in this process: faster.
    """

    cwd: Path
    ran_once: bool = False
    ports: dict[str, str] = field(factory=dict)
    background: list[subprocess.Popen[str]] = field(factory=list)
    path: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third, socket.socket() as fourth:
            for port, free in zip(PORTS, (first, second, third, fourth), strict=True):
                free.bind(("127.0.0.1", 0))
                self.ports[port] = str(free.getsockname()[1])

    def here(self, text: str) -> str:
        """
        The text with this test's ports.
        """
        return re.sub(r"\b(8080|880[123])\b", lambda match: self.ports[match[0]], text)

    def follow(self, blocks: list[Block]) -> None:
        """
        Do what the blocks say, and compare what is printed.
        """
        for block, after in zip(blocks, [*blocks[1:], None], strict=True):
            assert block.saved_as or block.lang != "diff", f"{block.where}: which file is changed?"
            shows = after is not None and after.lang == "text" and after.saved_as is None
            expected = self.here(after.text) if after is not None and shows else None
            if block.lang == "sh":
                self.run(block, expected)
            elif block.saved_as is not None:
                path = self.cwd / block.saved_as
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(changed(path, block) if block.lang == "diff" else self.here(block.text), "utf-8")

    def run(self, block: Block, expected: str | None) -> None:
        """
        Run a block's commands; *expected* is what they print together.
        """
        printed = []
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(self.here(line), comments=True)
            if not words or words[:1] == ["."] or words[1:3] == ["-m", "venv"]:
                continue
            if words[:3] == ["pip", "install", "-e"]:
                self.install(words[3], block.where)
            elif words[:2] == ["pip", "install"]:
                check_pip(words[2:], block.where)
            elif words[0] == "cd":
                self.cwd = (self.cwd / words[1]).resolve()
                assert self.cwd.is_dir(), f"{block.where}: {line}"
            elif words[:2] in (["cobranza", "serve"], ["cobranza", "sandbox"]):
                self.leave_running(words, expected, block.where)
                return
            else:
                printed.append(self.call(line, block.where, expected or ""))
                self.move_ports(words)
        if expected is None:
            return
        tries = 40 if "delivered" in expected else 1  # a receipt comes when it comes
        while not matches(expected, "".join(printed)) and tries > 1:
            tries -= 1
            printed = [self.call(line, block.where) for line in block.text.splitlines()]
        assert matches(expected, "".join(printed)), f"{block.where}: expected\n{expected}\nfound\n{''.join(printed)}"

    def call(self, line: str, where: str, expected: str = "") -> str:
        """
        Run one command to its end; returns what it printed, on standard error if an error is *expected*.
        """
        refused = expected.startswith("error:")
        fails = refused or _PROBLEM.match(expected) is not None or _FAILED.search(expected) is not None
        words = shlex.split(self.here(line), comments=True)
        if self.ran_once and words[0] == "cobranza" and not self.path:
            code, output, errors = self.call_here(words[1:])
            assert (code == 0) is not fails, f"{where}: {line} ended with {code}: {errors}"
            return errors if refused else output
        self.ran_once = self.ran_once or words[0] == "cobranza"
        done = subprocess.run(  # noqa: S602  # the pages are ours
            self.here(line),
            shell=True,
            cwd=self.cwd,
            env=self.environment(),
            capture_output=True,
            encoding="utf-8",
            timeout=_DEADLINE_S,
            check=False,
        )
        assert (done.returncode == 0) is not fails, (
            f"{where}: {line} ended with {done.returncode}: {done.stderr or done.stdout}"
        )
        return done.stderr if refused else done.stdout

    def call_here(self, arguments: list[str]) -> tuple[int, str, str]:
        """
        Run one of our commands in this process; returns exit code, output and errors.
        """
        output, errors = io.StringIO(), io.StringIO()
        with chdir(self.cwd), redirect_stdout(output), redirect_stderr(errors):
            code = run(arguments)
        return code, output.getvalue(), errors.getvalue()

    def leave_running(self, words: list[str], expected: str | None, where: str) -> None:
        """
        Start a server and wait until it says that it is there.
        """
        if words[1] == "serve" and "--port" not in words:
            words = [*words, "--port", self.ports["8080"]]
        process = subprocess.Popen(  # noqa: S603  # the pages are ours
            [str(Path(sys.executable).parent / words[0]), *words[1:]],
            cwd=self.cwd,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self.background.append(process)
        assert process.stdout is not None
        lines = (expected or "any line\n").splitlines()
        printed = [process.stdout.readline() for _ in lines]
        assert expected is None or matches(expected, "".join(printed)), f"{where}: found\n{''.join(printed)}"

    def install(self, word: str, where: str) -> None:
        """
        Put the distribution in this folder on the path of all later commands, with its metadata, and no network.
        """
        assert re.fullmatch(r"\.(\[\w+\])?", word), f"{where}: {word}"
        table = tomllib.loads((self.cwd / "pyproject.toml").read_text("utf-8"))
        project, (package,) = table["project"], table["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        extra = project.get("optional-dependencies", {}).get(word[2:-1], [])
        for needed in map(Requirement, [*project["dependencies"], *extra]):
            assert needed.specifier.contains(version(needed.name), prereleases=True), f"{where}: {needed} is not here"
        site = self.cwd / ".venv"
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Name: {project['name']}", f"Version: {project['version']}"]
        lines += [f"Requires-Dist: {each}" for each in project["dependencies"]]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]), "utf-8")
        points = [
            f"[{group}]\n{name} = {module}\n"
            for group, named in project["entry-points"].items()
            for name, module in named.items()
        ]
        (info / "entry_points.txt").write_text("".join(points), "utf-8")
        self.path += [str(site), str((self.cwd / package).parent)]

    def environment(self) -> dict[str, str]:
        """
        The commands of this environment first on the path, what the page installed, and nothing that changes what
        they print.
        """
        scripts = str(Path(sys.executable).parent)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONWARN", "COV_"))}
        path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
        installed = {"PYTHONPATH": os.pathsep.join(self.path)} if self.path else {}
        return {**kept, **installed, "PATH": path, "PYTHONIOENCODING": "utf-8"}

    def move_ports(self, words: list[str]) -> None:
        """
        After ``cobranza init``, let the configuration name this test's ports.
        """
        if words[:2] == ["cobranza", "init"]:
            path = self.cwd / words[2] / "cobranza.toml"
            path.write_text(self.here(path.read_text("utf-8")), "utf-8")

    def close(self) -> None:
        """
        End what was left running.
        """
        for process in self.background:
            process.terminate()
        for process in self.background:
            process.communicate(timeout=_DEADLINE_S)


def changed(path: Path, block: Block) -> str:
    """
    The text of a file after a block of ``diff``, whose old lines must stand there once.
    """
    text = path.read_text("utf-8")
    for hunk in re.split(r"^@@\n", block.text, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        old, new = ("".join(line[1:] or "\n" for line in lines if line[:1] != sign) for sign in "+-")
        assert text.count(old) == 1, f"{block.where}: stands {text.count(old)} times in {path.name}:\n{old}"
        text = text.replace(old, new)
    return text


def matches(expected: str, printed: str) -> bool:
    """
    Whether *printed* is what the page shows. Runs of blanks and the width of tables do not count.
    """
    pattern = ""
    for line in expected.strip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += "[^\n]*".join(re.escape(part) for part in re.split(" ?… ?", squeeze(line))) + r" ?\n"
    return re.fullmatch(pattern, "\n".join(map(squeeze, printed.strip().splitlines())) + "\n") is not None


def squeeze(line: str) -> str:
    """
    The line with runs of blanks as one, and the lines of a table as three.
    """
    return re.sub(r"[━─]+", "─", re.sub(r"[ \t]+", " ", line.rstrip()))


def check_pip(words: list[str], where: str) -> None:
    """
    What is installed is ours: a distribution of this repository with an extra that it has, or its folder.
    """
    ours = {
        table["project"]["name"]: table["project"].get("optional-dependencies", {})
        for path in [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
        for table in [tomllib.loads(path.read_text("utf-8"))]
    }
    for word in words:
        if word.startswith("."):
            assert (ROOT / word.partition("[")[0] / "pyproject.toml").exists(), f"{where}: {word}"
            continue
        wanted = Requirement(word)
        assert wanted.name in ours, f"{where}: {word} is not ours"
        assert wanted.extras <= set(ours[wanted.name]), f"{where}: {word} names an unknown extra"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """
    A terminal in an empty directory.
    """
    terminal = Shell(tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture
def read() -> Callable[[str], list[Block]]:
    """
    Gives the blocks of a page, by its path in the repository.
    """
    return lambda name: blocks_of(ROOT / name)


@pytest.fixture
def root() -> Path:
    """
    The repository.
    """
    return ROOT


@pytest.fixture
def pages() -> list[Path]:
    """
    The pages that are held to their word.
    """
    return PAGES
