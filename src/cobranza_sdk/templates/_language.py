"""
The little language of templates: what of Jinja a message needs, and nothing that can walk, call, grow or loop away.

* ``{{ name }}`` and ``{{ name|filter }}`` with the filters ``upper``, ``lower``, ``first``, ``length``, ``join("…")``;
* ``{% if … %} {% elif … %} {% else %} {% endif %}`` over names, whole numbers, quoted words, the comparisons, ``and``,
  ``or``, ``not``;
* ``{% for document in documents %} … {% endfor %}`` with ``loop.first``, ``loop.last``, ``loop.index``;
* ``{# a comment #}``.

The engine behind it offers more: an unbounded ``~`` in a loop filled the memory of a test machine in spite of its fuel
limit, so the grammar is held here, before the engine sees a template. What a condition leaves out leaves no gap: in
plain text, several blanks become one and several empty lines become one.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import minijinja
from attrs import frozen

from cobranza_sdk.templates._characters import is_unreadable

#: Steps of the engine that one text may take.
FUEL = 10_000
MAX_SOURCE = 20_000
_MAX_TAG = 300

_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_QUOTED = r"""(?:"[^"{}%#\\\n]*"|'[^'{}%#\\\n]*')"""
_FILTERS = rf"(?:\s*\|\s*(?:upper|lower|first|length|join\(\s*{_QUOTED}\s*\)))*"
_OPERAND = rf"(?:{_NAME}{_FILTERS}|[0-9]{{1,9}}|{_QUOTED})"
_TEST = rf"(?:not\s+)?{_OPERAND}(?:\s*(?:==|!=|<=|>=|<|>)\s*{_OPERAND})?"

_TAG = re.compile(r"\{\{(?P<output>.*?)\}\}|\{%(?P<statement>.*?)%\}|\{#.*?#\}", re.DOTALL)
_STRAY = re.compile(r"\{\{|\{%|\{#|\}\}")
_OUTPUT = re.compile(rf"\s*({_NAME}){_FILTERS}\s*", re.ASCII)
_CONDITION = re.compile(rf"\s*(?:if|elif)\s+{_TEST}(?:\s+(?:and|or)\s+{_TEST})*\s*", re.ASCII)
_LOOP = re.compile(rf"\s*for\s+({_NAME})\s+in\s+({_NAME})\s*", re.ASCII)
_PLAIN_STATEMENT = re.compile(r"\s*(else|endif|endfor)\s*", re.ASCII)
_OPERAND_NAME = re.compile(rf"{_QUOTED}|\|\s*[a-z]+|\b(?:if|elif|and|or|not)\b|({_NAME})", re.ASCII)
_WORDS_IN_TAG = re.compile(_QUOTED)
_LINE_END = re.compile(r"[ \t]+\n")
_BLANKS = re.compile(r"(?<=\S)[ \t]{2,}")
_EMPTY_LINES = re.compile(r"\n{3,}")
_LOOP_NAMES = frozenset({"loop.first", "loop.last", "loop.index"})
_SUPPORTED = "expected {{ name }}, {{ name|join(', ') }}, if, elif, else, endif, for, endfor"


class BlankError(Exception):
    """
    A text would have shown nothing where a value belongs.
    """


class EngineError(Exception):
    """
    The engine stopped. The text says why, without the template's words or anybody's data.
    """


@frozen
class Script:
    """
    What a template says, read without running it.

    Attributes:
        names: Variables it uses, anywhere.
        outputs: Variables it shows.
        loops: Lists it goes through.
        tested: Variables it asks about in a condition.
        words: Its fixed words, quoted ones in tags included.
        problems: Why it is refused, one sentence each; empty when it is fine.
    """

    names: frozenset[str]
    outputs: frozenset[str]
    loops: frozenset[str]
    tested: frozenset[str]
    words: str
    problems: tuple[str, ...]


def _shown(value: Any) -> Any:
    if value is None or value in ("", []):
        raise BlankError
    return ", ".join(value) if isinstance(value, list) else value


def _escaped(value: Any) -> str:
    return minijinja.safe(html.escape(str(_shown(value))))


def _engine(*, markup: bool) -> minijinja.Environment:
    engine = minijinja.Environment(
        debug=False,
        fuel=FUEL,
        undefined_behavior="strict",
        pycompat=False,
        finalizer=_escaped if markup else _shown,
        auto_escape_callback=lambda _name: markup,
    )
    for name in tuple(engine.globals):
        engine.remove_global(name)
    return engine


_ENGINES = {markup: _engine(markup=markup) for markup in (True, False)}


def evaluate(source: str, values: Mapping[str, str | int | list[str]], *, markup: bool) -> str:
    """
    Put *values* into a template that `scan` found fine.

    Args:
        source: The template.
        values: Plain values, never templates; a blank one is ``""`` or ``[]``.
        markup: Whether the result is HTML: values are then escaped.

    Raises:
        BlankError: A blank value would be shown.
        EngineError: Out of fuel, or blocks that do not close.
    """
    try:
        text = _ENGINES[markup].render_str(source, None, **values).strip()
    except minijinja.TemplateError as error:
        msg = f"line {error.line}: {_reason(error)}"
        raise EngineError(msg) from None
    return text if markup else _EMPTY_LINES.sub("\n\n", _BLANKS.sub(" ", _LINE_END.sub("\n", text)))


def _reason(error: minijinja.TemplateError) -> str:
    match error.kind:
        case "OutOfFuel":
            return f"takes more than {FUEL} steps, expected a short text"
        case "SyntaxError":
            return f"blocks do not fit together, {_SUPPORTED}"
        case kind:
            return f"the engine stops ({kind})"


@lru_cache(maxsize=256)
def scan(source: str, known: frozenset[str], lists: frozenset[str]) -> Script:
    """
    Read a template without running it.

    Args:
        source: The template.
        known: Variables that there are.
        lists: Those of them that a loop may go through.
    """
    if len(source) > MAX_SOURCE:
        problem = f"has {len(source)} characters, expected at most {MAX_SOURCE}"
        return Script(frozenset(), frozenset(), frozenset(), frozenset(), "", (problem,))
    reader = _Reader(known, lists)
    reader.read(source)
    return Script(
        frozenset(reader.outputs | reader.loops | reader.tested),
        frozenset(reader.outputs),
        frozenset(reader.loops),
        frozenset(reader.tested),
        " ".join(reader.words),
        tuple(dict.fromkeys(reader.problems)),
    )


class _Reader:
    """
    Collects what stands in one template, tag by tag.
    """

    def __init__(self, known: frozenset[str], lists: frozenset[str]) -> None:
        self.known = known
        self.lists = lists
        self.outputs: set[str] = set()
        self.loops: set[str] = set()
        self.tested: set[str] = set()
        self.words: list[str] = []
        self.problems: list[str] = []
        self.members: list[str] = []

    def read(self, source: str) -> None:
        at = 0
        for tag in _TAG.finditer(source):
            self.literal(source[at : tag.start()])
            at = tag.end()
            line = source.count("\n", 0, tag.start()) + 1
            if len(tag.group()) > _MAX_TAG and not tag.group().startswith("{#"):
                self.problems.append(f"line {line}: a tag has over {_MAX_TAG} characters")
            elif tag["output"] is not None:
                self.output(_bare(tag["output"]), line)
            elif tag["statement"] is not None:
                self.statement(_bare(tag["statement"]), line)
        self.literal(source[at:])

    def literal(self, words: str) -> None:
        self.words.append(words)
        if stray := _STRAY.search(words):
            self.problems.append(f"{stray.group()} stands alone, {_SUPPORTED}")
        if any(is_unreadable(character) for character in words):
            self.problems.append("holds a control or invisible character, expected readable words")

    def output(self, inside: str, line: int) -> None:
        found = _OUTPUT.fullmatch(inside)
        if found is None:
            self.problems.append(f"line {line}: {{{{ … }}}} is not understood, {_SUPPORTED}")
            return
        self.words += _quoted(inside)
        self.use(found[1], self.outputs, line)

    def statement(self, inside: str, line: int) -> None:
        if plain := _PLAIN_STATEMENT.fullmatch(inside):
            if plain[1] == "endfor" and self.members:
                self.members.pop()
        elif loop := _LOOP.fullmatch(inside):
            self.loop(loop[1], loop[2], line)
        elif _CONDITION.fullmatch(inside):
            self.words += _quoted(inside)
            for name in _OPERAND_NAME.finditer(inside):
                if name[1]:
                    self.use(name[1], self.tested, line)
        else:
            self.problems.append(f"line {line}: {{% … %}} is not understood, {_SUPPORTED}")

    def loop(self, member: str, over: str, line: int) -> None:
        if over not in self.lists:
            allowed = ", ".join(sorted(self.lists))
            self.problems.append(f"line {line}: a loop goes through {over!r}, expected {allowed}")
        if member in self.known or "." in member or member == "loop":
            self.problems.append(f"line {line}: a loop calls its member {member!r}, expected a name of its own")
        self.loops.add(over)
        self.members.append(member)

    def use(self, name: str, into: set[str], line: int) -> None:
        if name in self.known:
            into.add(name)
        elif name not in self.members and not (self.members and name in _LOOP_NAMES):
            self.problems.append(f"line {line}: unknown variable {name!r}, {nearest(name, self.known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """
    What was probably meant by *name*, or all that could be.
    """
    choices = sorted(known)
    near = difflib.get_close_matches(name.lower(), choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(choices)}"


def _bare(inside: str) -> str:
    return inside.removeprefix("-").removesuffix("-")


def _quoted(inside: str) -> list[str]:
    return [html.unescape(quoted[1:-1]) for quoted in _WORDS_IN_TAG.findall(inside)]
