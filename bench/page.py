"""
The figures as a page of the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_INTRO = """# Figures

Written by `nox -s bench -- --write`, from `bench/figures.json`. Each figure is a median over short rounds in which the
compared cases take turns; each ratio is taken within one round, then its median. In brackets: tenth and ninetieth
percentile. The machine is shared and noisy: what waits for nothing is counted by CPU time, the rest by the clock;
absolute figures only orient, and nothing here is a test.
"""
_READINGS = {
    "start": """
`import cobranza_sdk` brings in names only. What a plugin imports (`Channel`, `hookimpl`) costs attrs and pluggy, and
then the making of the contract's own attrs classes. `--help` imports no command and reads no plugin: click and attrs
are most of it. `plugins` has to import every plugin to ask its hooks, and so pays for what their modules import at
the top, and for the making of their attrs classes. `decide` reads the plugins too, compiles one country's rules and
counts its holidays over several years; what it loads without need is in the table below.
""",
    "decide": """
Equal answers are required before anything is timed: verdict, rules, first permitted minute and end of the window. The
naive version makes a `holidays` object and a `ZoneInfo` for each look at the calendar, as the rules are written at
first; the hand-inlined one knows two countries and no others, and writes a tuple where `Decider` gives a `Decision`
with citations, sources and words. All contacts are made beforehand and frozen for the garbage collector, which walks
through what each round makes, not through what it was given. Contacts are spread over day and night, so more of them
are deferred than in a working day.
""",
    "render": """
The f-string and the engines are given amounts and days in words; `render` starts from plain values. So the distance
to minijinja alone is ours: amounts and days in the words of the locale, each value checked for characters that no
debtor could read and spelt in the alphabet of an SMS, blank values refused, and a digest for the record. The engine
itself parses the template again for each message, under its fuel limit.
""",
    "guard": """
A channel that answers at once, called one after another. The guard takes a slot, sets a deadline, tells the breaker,
writes one log line (which nobody shows, unless the row says so) and one span (which no tracer keeps, unless the row
says so).
""",
    "sending": """
Messages over loopback to each vendor's emulator in another process, which shares the two cores: so the rates are of
both. The bare client makes the requests that the plugin made before, byte for byte, with httpx and reads the JSON; for
mail it is `aiosmtplib.send_message` over eight connections. The plugin writes each request, reads and classes the
answer.
""",
    "dispatch": """
Each message is leased, judged twice, rendered, claimed, posted to the emulator in another process, and settled in
SQLite with `synchronous = FULL`; the loop posts the same bodies, eight in flight as well, and keeps nothing. The
emulator shares the two cores. In the row without a network the answers are ready inside the process: what it takes is
the engine's own. The two add up, since only as many messages are claimed as can leave at once, and they are settled
before the next are claimed: nothing is sent meanwhile. Under a profiler most of the engine's part is the store's
statements, made and run one by one with SQLAlchemy (to run them takes SQLite itself little); then, about alike, the
commits and the tables of holidays, which the first decision of a process makes and which are counted here.
""",
    "sync": """
`csv.reader` splits cells and stops there. The reader of `erp_csv` goes through the file twice when its columns must
vote, and gives checked records: debtors, receivables with installments, money in cents. The store then looks up and
writes each record with several statements of its own, in one transaction per batch of 500 records; here each debtor
has two addresses and two consents. Under a profiler nearly all of the time is the making of these statements in
SQLAlchemy, and hardly any of it is SQLite. The same file again writes no records. Four times the rows were read and
stored at about the same rate and in the same memory.
""",
    "reading": """
One export of a million rows, read to its end in a fresh process. `erp_csv` gives checked records and tells each bad
row; what it has seen goes to a temporary file beyond a hundred thousand documents, so that its memory is that of a file
of a tenth of the size (76.6 MiB). pandas gives a table, whole in memory, in which a bad cell turns its column into
texts. It is measured where the environment has it; nothing of ours needs it.
""",
}
_TITLES = {
    "start": "Start",
    "decide": "Decide",
    "render": "Render",
    "guard": "The guard around a call",
    "sending": "Each plugin beside its bare client",
    "dispatch": "Dispatch, the whole path",
    "sync": "Sync",
    "reading": "A million rows",
}
_UNITS = {"us": "CPU, µs", "ms": "ms", "per_s": "per second", "per_cpu_s": "per CPU second"}
_EXTRA = {
    "per_s": "per second",
    "cpu_ms": "CPU, ms",
    "cpu_ms_each": "CPU per message, ms",
    "peak_mib": "peak memory, MiB",
}
_FINE, _COARSE = 1, 100
_DEAREST = """The ten dearest packages of `cobranza plugins --json`, and its ten dearest modules, each without what it
imports itself (medians of five runs under `-X importtime`, which makes all of them slower):
"""
_NOT_MEASURED = """## Not yet measured

- PostgreSQL, several workers, and dispatch over hours; a provider that takes 50 ms to answer, with 256 in flight.
- Webhooks: how fast they are stored before they are answered.
- Deciding for other countries than Peru and Colombia.
- HTML templates.
- Other machines, other versions of Python, Windows and macOS.
"""


def page(figures: Mapping[str, Any]) -> str:
    """
    The whole page, in Markdown.
    """
    about = figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    parts = [
        _INTRO,
        _lines(
            f"- Measured on {figures['measured_on']}, at commit {about['commit']}",
            f"- {about['machine']}; load before the run: {', '.join(map(str, about['load']))}",
            f"- {about['python']}; {versions}",
        ),
    ]
    for name, section in figures["sections"].items():
        parts += [f"## {_TITLES[name]}", _sizes(section), _rows(section["rows"]), _READINGS[name].lstrip()]
        if "memory" in section:
            parts.append(_memory(section["memory"]))
        if name == "start":
            parts += _imports(section)
    return "\n".join([*parts, _NOT_MEASURED])


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _sizes(section: Mapping[str, Any]) -> str:
    said = [f"{section['rows'][0]['rounds']} rounds"]
    said += [
        f"{section[name]:,} {name}" for name in ("contacts", "calls", "messages", "receivables") if name in section
    ]
    said += [f"without {name}: {reason}" for name, reason in section.get("skipped", {}).items()]
    if "in_flight" in section:
        said.append(f"{section['in_flight']} in flight")
    if "verdicts" in section:
        verdicts = ", ".join(f"{count:,} {name}" for name, count in sorted(section["verdicts"].items()))
        said.append(f"a history of {section['history_mean']:.1f} contacts on average; verdicts: {verdicts}")
    return "\n" + "; ".join(said) + ".\n"


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    ratios, extra = list(rows[0]["ratios"]), list(rows[0]["extra"])
    head = ["", _UNITS[rows[0]["unit"]], *(f"beside {words}" for words in ratios), *(_EXTRA[name] for name in extra)]
    return _table(
        head,
        (
            [
                row["name"],
                _spread(row),
                *(_spread(row["ratios"][words]) for words in ratios),
                *(_number(row["extra"][name]) for name in extra),
            ]
            for row in rows
        ),
    )


def _memory(peaks: Mapping[str, float]) -> str:
    said = "; ".join(f"{int(count):,} contacts, {_number(peak)} MiB" for count, peak in peaks.items())
    return f"Peak memory of a fresh process that judges a stream and keeps nothing: {said}.\n"


def _imports(section: Mapping[str, Any]) -> list[str]:
    return [
        "What is imported, and what of it the command has no use for:\n",
        _table(
            ["", "modules", "dear and unused"],
            ([row["name"], str(row["modules"]), ", ".join(row["unused"]) or "none"] for row in section["imports"]),
        ),
        _DEAREST,
        _table(
            ["package", "ms", "module", "ms"],
            (
                [package["name"], _number(package["ms"]), module["name"], _number(module["ms"])]
                for package, module in zip(section["packages"], section["modules"], strict=True)
            ),
        ),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return _lines(*(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows]))


def _spread(said: Mapping[str, float]) -> str:
    if said["p10"] == said["p90"] == 1:
        return "1"
    return f"{_number(said['median'])} ({_number(said['p10'])}-{_number(said['p90'])})"


def _number(value: float) -> str:
    if value >= _COARSE:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= _FINE * 10 else f"{value:.2f}" if value >= _FINE else f"{value:.2g}"
