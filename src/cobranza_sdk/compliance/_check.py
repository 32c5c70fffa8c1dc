"""
Checks a pack: that it can be read, that its golden cases hold, that its windows are right at their edges, and which
rules no case shows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from cobranza_sdk.compliance._cases import Case, read_cases
from cobranza_sdk.compliance._decide import READINGS, Decider
from cobranza_sdk.compliance._errors import CasesError, PackError
from cobranza_sdk.compliance._matrix import Answers, Mismatch, cells_of, impossible_windows, mismatches_of, wrong_wait
from cobranza_sdk.compliance._pack import Pack, parse_pack
from cobranza_sdk.model import CHANNEL_FAMILIES, Decision, Verdict
from cobranza_sdk.spec import CompliancePack

#: Columns that a file of golden cases has beside those of a case.
EXPECTED = ("expect_verdict", "expect_not_before", "expect_rule")
#: Mismatches of the matrix that are told; more are counted.
_TOLD = 20


@frozen(kw_only=True)
class Problem:
    """
    Something that is wrong with a pack.

    Attributes:
        part: ``schema``, ``cases``, ``edges``, ``waits``, ``windows`` or ``coverage``.
        text: One sentence with its place.
    """

    part: str
    text: str


@frozen(kw_only=True)
class Coverage:
    """
    What the golden cases show of one article.

    Attributes:
        citation: Norm and article.
        rules: Its rules.
        unshown: Those of them that refuse in no case.
        cases: How many cases show one of them refusing.
    """

    citation: str
    rules: tuple[str, ...]
    unshown: tuple[str, ...]
    cases: int


@frozen(kw_only=True)
class PackReport:
    """
    What a check found.

    Attributes:
        pack: Name and version, or the file's name where it cannot be read.
        status: ``draft``, ``reviewed``, or None where it cannot be read.
        rules: How many there are.
        cases: Golden cases that were judged.
        instants: Instants at which windows were probed.
        problems: What is wrong; none is a pass.
        notes: What is worth a look and no mistake.
        coverage: By article, in the order of the rules.
    """

    pack: str
    status: str | None = None
    rules: int = 0
    cases: int = 0
    instants: int = 0
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    coverage: tuple[Coverage, ...] = ()

    @property
    def ok(self) -> bool:
        """
        Whether nothing is wrong.
        """
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """
        What ``--json`` prints.
        """
        return {
            "pack": self.pack,
            "status": self.status,
            "ok": self.ok,
            "rules": self.rules,
            "cases": self.cases,
            "instants": self.instants,
            "problems": [{"part": problem.part, "text": problem.text} for problem in self.problems],
            "notes": list(self.notes),
            "coverage": [
                {"citation": each.citation, "rules": each.rules, "unshown": each.unshown, "cases": each.cases}
                for each in self.coverage
            ],
        }


@frozen(kw_only=True)
class Golden:
    """
    A golden case, judged.

    Attributes:
        case: The contact.
        row: Its cells.
        decision: What the pack says of it.
    """

    case: Case
    row: Mapping[str, str]
    decision: Decision

    @property
    def reading(self) -> str:
        """
        The reading that it was judged by.
        """
        return (self.row.get("reading") or "").strip() or READINGS[0]

    @property
    def rules(self) -> tuple[str, ...]:
        """
        Rules that spoke, in the order of the findings.
        """
        return tuple(finding.rule for finding in self.decision.findings)

    @property
    def mismatch(self) -> str | None:
        """
        What differs from what is expected, in one line, or None.
        """
        opens = self.decision.not_before
        told = [
            f"{column}: found {found or 'none'}, expected {wanted or 'none'}"
            for column, found, wanted, same in (
                ("verdict", str(self.decision.verdict), self._cell(0), str(self.decision.verdict) == self._cell(0)),
                ("not_before", opens and opens.isoformat(), self._cell(1), opens == _instant(self._cell(1))),
                ("rules", ";".join(self.rules), self._cell(2), ";".join(self.rules) == self._cell(2)),
            )
            if not same
        ]
        if not told:
            return None
        why = self.row.get("why", "").strip()
        return f"case {self.case.case_id}: {'; '.join(told)}" + (f" ({why})" if why else "")

    def _cell(self, number: int) -> str:
        return (self.row.get(EXPECTED[number]) or "").strip()


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def judge_golden(cases: str, deciders: Mapping[str, Decider]) -> Iterator[Golden]:
    """
    Judge each row of a file of golden cases.

    Args:
        cases: The CSV.
        deciders: By reading; a blank cell ``reading`` is the cautious one.

    Raises:
        CasesError: A row cannot be read, naming line and column.
    """
    text = cases.removeprefix("\ufeff")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    read = read_cases(io.StringIO(text, newline=""), deciders[READINGS[0]])
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    except csv.Error as error:
        msg = f"line 1: is no CSV: {error}"
        raise CasesError(msg) from error
    missing = [name for name in EXPECTED if name not in reader.fieldnames]
    if missing:
        msg = f"line 1: column {missing[0]} is missing, expected the columns of a case and {', '.join(EXPECTED)}"
        raise CasesError(msg)
    # The case first: what is no CSV is told by its reader.
    for case, row in zip(read, reader, strict=True):
        where = f"line {reader.line_num}"
        reading = _choice(row, "reading", READINGS, where) or READINGS[0]
        if not _choice(row, EXPECTED[0], [str(verdict) for verdict in Verdict], where):
            msg = f"{where}: {EXPECTED[0]} is blank, expected one of {', '.join(map(str, Verdict))}"
            raise CasesError(msg)
        _check_instant((row.get(EXPECTED[1]) or "").strip(), where)
        yield Golden(case=case, row=row, decision=deciders[reading].decide(case.contact))


def _choice(row: Mapping[str, str], column: str, choices: Sequence[str], where: str) -> str:
    value = (row.get(column) or "").strip()
    if value and value not in choices:
        msg = f"{where}: {column}: found {value}, expected one of {', '.join(choices)}"
        raise CasesError(msg)
    return value


def _check_instant(text: str, where: str) -> None:
    try:
        moment = _instant(text)
    except ValueError:
        moment = None
    if text and (moment is None or moment.tzinfo is None):
        example = "2026-05-15T07:00:00-05:00"
        msg = f"{where}: {EXPECTED[1]}: found {text[:40]}, expected ISO 8601 with an offset, for example {example}"
        raise CasesError(msg)


def deciders_of(pack: CompliancePack, beside: Sequence[CompliancePack] = ()) -> dict[str, Decider]:
    """
    Deciders of a pack, by reading.

    Args:
        pack: The pack.
        beside: Packs that judge with it; one of the same name is left out.
    """
    packs = [*(other for other in beside if other.name != pack.name), pack]
    return {reading: Decider(packs, reading=reading, platform=True) for reading in READINGS}


def check_pack(
    source: CompliancePack, *, cases: str | None, year: int, beside: Sequence[CompliancePack] = ()
) -> PackReport:
    """
    Check a pack with all that can be found out without a lawyer.

    Args:
        source: The pack.
        cases: Its golden cases as CSV, or None.
        year: The first of the two years whose days are probed.
        beside: Packs of law that a platform pack, which knows no country, is judged with.
    """
    try:
        pack = parse_pack(source.name, source.text, origin=source.origin)
        deciders = deciders_of(source, beside if pack.scope == "platform" else ())
        _ = deciders[READINGS[0]].packs
    except PackError as error:
        return PackReport(pack=source.origin, problems=tuple(Problem(part="schema", text=t) for t in error.problems))
    problems = [Problem(part="windows", text=text) for text in impossible_windows(pack)]
    instants, wrong = _probe(pack, deciders, (year, year + 1))
    problems += _told(wrong)
    golden, unread = _golden(cases, deciders)
    problems += unread
    problems += [Problem(part="cases", text=each.mismatch) for each in golden if each.mismatch]
    problems += [
        Problem(part="waits", text=f"case {each.case.case_id}: {text}")
        for each in golden
        if (text := wrong_wait(deciders[each.reading], each.case.contact, each.decision))
    ]
    coverage = tuple(_coverage(pack, golden))
    if cases is not None and not unread:
        problems += [
            Problem(part="coverage", text=f"{rule}: no case shows it refusing, expected one ({each.citation})")
            for each in coverage
            for rule in each.unshown
        ]
    return PackReport(
        pack=pack.label,
        status=pack.status,
        rules=len(pack.rules),
        cases=len(golden),
        instants=instants,
        problems=tuple(problems),
        notes=tuple(_notes(pack, year, cases)),
        coverage=coverage,
    )


def _probe(pack: Pack, deciders: Mapping[str, Decider], years: Sequence[int]) -> tuple[int, list[Mismatch]]:
    """
    How many instants were probed, and what was wrong at them.
    """
    instants = 0
    wrong: list[Mismatch] = []
    known: Answers = {}
    for cell in cells_of(pack):
        for found in mismatches_of(pack, cell, deciders[cell.reading], years, known):
            instants += 1
            wrong += found
    return instants, wrong


def _told(wrong: Sequence[Mismatch]) -> Iterator[Problem]:
    """
    The first of each part, and how many more there are.
    """
    for part in dict.fromkeys(each.part for each in wrong):
        texts = [each.text for each in wrong if each.part == part]
        more = len(texts) - _TOLD
        for text in [*texts[:_TOLD], *([f"and {more} more"] if more > 0 else [])]:
            yield Problem(part=part, text=text)


def _golden(cases: str | None, deciders: Mapping[str, Decider]) -> tuple[list[Golden], list[Problem]]:
    found: list[Golden] = []
    try:
        found.extend(judge_golden(cases, deciders) if cases is not None else ())
    except CasesError as error:
        return found, [Problem(part="cases", text=str(error))]
    return found, []


def _coverage(pack: Pack, golden: Sequence[Golden]) -> Iterator[Coverage]:
    """
    What cases show, by article. A case in CSV carries no text, so what a text must say is shown elsewhere.
    """
    shown = [set(each.rules) for each in golden if each.mismatch is None]
    worded = {rule.id for rule in pack.rules if rule.required and not rule.forbidden}
    for citation in dict.fromkeys(rule.citation for rule in pack.rules):
        rules = tuple(rule.id for rule in pack.rules if rule.citation == citation)
        yield Coverage(
            citation=citation,
            rules=rules,
            unshown=tuple(rule for rule in rules if rule not in worded and not any(rule in told for told in shown)),
            cases=sum(not told.isdisjoint(rules) for told in shown),
        )


def _notes(pack: Pack, year: int, cases: str | None) -> Iterator[str]:
    if cases is None:
        yield "there are no golden cases: nothing shows what the pack says of a contact"
    for key, norm in pack.norms.items():
        if not any(rule.citation.startswith(f"{norm.title}, ") and rule.source == norm.source for rule in pack.rules):
            yield f"norms.{key}: no rule cites it ({norm.title})"
    for rule in pack.rules:
        for name in sorted(rule.channels.names - CHANNEL_FAMILIES.keys()):
            yield f"rule {rule.id}.channels: {name} speaks of nothing unless a plugin brings a channel of that name"
    for code, country in pack.countries.items():
        if country.holidays.through <= year:
            yield f"countries.{code}.holidays.through: the calendar ends with {country.holidays.through}"
    if pack.status == "draft":
        yield "the pack is a draft: no lawyer has signed it"
