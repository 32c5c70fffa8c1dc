"""
The pages of the countries, made from the packs that are installed: nobody writes the law twice.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cobranza_sdk.compliance import Pack, Rule, parse_pack
from cobranza_sdk.loading import load_plugins

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES = 24 * 60


def installed() -> list[Pack]:
    """
    Every pack of law that a plugin brings.
    """
    packs = [parse_pack(each.name, each.text, origin=each.origin) for each in load_plugins().items("compliance")]
    return sorted((pack for pack in packs if pack.scope == "law"), key=lambda pack: pack.name)


def page_of(pack: Pack) -> str:
    """
    The page of one pack, in Markdown.
    """
    return "\n".join(
        [
            f"# {pack.title['en']}",
            "",
            f"Pack `{pack.name}`, version {pack.version}, **{pack.status}**, last changed on {pack.updated_on}.",
            *(["No lawyer has signed it; every decision says so.", ""] if pack.status == "draft" else [""]),
            *_clock(pack),
            *_table("Hours", _WINDOW, [_window(rule) for rule in pack.rules if rule.kind == "window"]),
            *_table(
                "How often",
                _COUNTED,
                [_counted(rule) for rule in pack.rules if rule.period.calendar or rule.period.seconds],
            ),
            *_table(
                "What else is asked",
                _OTHER,
                [
                    _other(rule)
                    for rule in pack.rules
                    if rule.kind != "window" and not (rule.period.calendar or rule.period.seconds)
                ],
            ),
            *_table("Laws", ("law", "in force", "read on", "source"), [_norm(norm) for norm in pack.norms.values()]),
            *_doubts(pack.rules),
            "",
        ]
    )


_WINDOW = ("rule", "speaks of", "hours by the debtor's clock", "holidays", "article", "reading")
_COUNTED = ("rule", "speaks of", "what it says", "article", "reading")
_OTHER = ("rule", "kind", "speaks of", "what it says", "article", "reading")


def _clock(pack: Pack) -> Iterator[str]:
    for code, data in sorted(pack.countries.items()):
        yield f"* **{code}**: zones {', '.join(data.zones['*'])}; holidays trusted through {data.holidays.through}."
    yield ""


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield f"## {title}"
        yield ""
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
        yield from (f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
        yield ""


def _window(rule: Rule) -> tuple[str, ...]:
    holidays = "closed" if rule.closed_on_holidays else "as other days"
    return f"`{rule.id}`", _speaks_of(rule), _hours(rule), holidays, rule.citation, _reading(rule)


def _counted(rule: Rule) -> tuple[str, ...]:
    return f"`{rule.id}`", _speaks_of(rule), rule.message["en"], rule.citation, _reading(rule)


def _other(rule: Rule) -> tuple[str, ...]:
    return f"`{rule.id}`", rule.kind, _speaks_of(rule), rule.message["en"], rule.citation, _reading(rule)


def _norm(norm: object) -> tuple[str, ...]:
    ends = getattr(norm, "effective_to", None)
    since = f"from {getattr(norm, 'effective_from', '')}" + (f" to {ends}" if ends else "")
    return str(getattr(norm, "title", "")), since, str(getattr(norm, "read_on", "")), str(getattr(norm, "source", ""))


def _reading(rule: Rule) -> str:
    return f"{rule.reading or 'both'}, {rule.confidence} confidence"


def _speaks_of(rule: Rule) -> str:
    """
    What a rule is limited to, in words.
    """
    told = []
    for name in ("families", "channels", "stages", "purposes", "collectors", "countries", "regions"):
        chosen = getattr(rule, name)
        if chosen.names:
            names = ", ".join(sorted(each or "not known" for each in chosen.names))
            told.append(f"{name}: {'all but ' if chosen.excluded else ''}{names}")
    if rule.sector != "any":
        told.append(f"sector: {rule.sector}")
    told += [f"with {flag}" for flag in sorted(rule.flags)] + [f"without {flag}" for flag in sorted(rule.unless_flags)]
    return "; ".join(told) or "everything"


def _hours(rule: Rule) -> str:
    found: list[tuple[str, str]] = []
    for day, spans in zip(DAYS, rule.hours, strict=True):
        text = ", ".join(f"{_clock_time(opens)}-{_clock_time(closes)}" for opens, closes in spans)
        found.append((day, text or "closed"))
    runs: list[list[str]] = []
    for day, text in found:
        if runs and runs[-1][2] == text:
            runs[-1][1] = day
        else:
            runs.append([day, day, text])
    return "; ".join(f"{first if first == last else f'{first} to {last}'} {text}" for first, last, text in runs)


def _clock_time(minute: int) -> str:
    return "24:00" if minute == _DAY_MINUTES else f"{minute // 60:02d}:{minute % 60:02d}"


def _doubts(rules: Iterable[Rule]) -> Iterator[str]:
    doubtful = [rule for rule in rules if rule.confidence != "high" or rule.reading is not None]
    if doubtful:
        yield "## Doubts"
        yield ""
        yield "Rules that a lawyer should read first: the text was not seen, or leaves room."
        yield ""
        yield from (f"* `{rule.id}` ({_reading(rule)}): {rule.message['en']}" for rule in doubtful)


def write_pages(folder: Path) -> list[Path]:
    """
    Write a page for each pack into *folder*.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packs = installed()
    written = []
    for pack in packs:
        path = folder / f"{pack.name.replace('_', '-')}.md"
        path.write_text(page_of(pack), "utf-8")
        written.append(path)
    return written
