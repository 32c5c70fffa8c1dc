"""
The tests that every country pack passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast
from zoneinfo import ZoneInfo

from cobranza_sdk.compliance import (
    Decider,
    Golden,
    Pack,
    PackError,
    PackReport,
    check_pack,
    deciders_of,
    judge_golden,
    parse_pack,
)
from cobranza_sdk.model import LANGUAGES, Verdict
from cobranza_sdk.spec import CompliancePack
from cobranza_sdk.testing._conformance import Conformance, standard

F = TypeVar("F", bound=Callable[..., Any])

_PACK, _CASES = "pack.toml", "golden.csv"
#: Packs that speak of every contact in a country: one forbids all, one nothing.
_OTHERS = {"strictest": "", "mildest": 'flags = ["never_told"]'}


def _other(name: str, extra: str, country: str) -> CompliancePack:
    words = '{ es = "no", pt = "não", en = "no" }'
    text = f"""
format = 1
[pack]
name = "{name}"
version = "1"
status = "draft"
updated_on = 2026-01-01
title = {words}
[countries.{country}]
zones = {{ "*" = ["UTC"] }}
holidays = {{ calendar = "PE", through = 2035 }}
[norms.test]
title = "Test"
source = "test"
read_on = 2026-01-01
effective_from = 1990-01-01
[[rule]]
id = "{name}.forbid"
kind = "forbid"
norm = "test"
article = "1"
confidence = "high"
message = {words}
{extra}
"""
    return CompliancePack(name, text)


class CompliancePackConformance(Conformance):
    """
    Subclass it in a test file, say which pack, and pytest runs all that `cobranza packs check` runs and more.

    The tests it brings cannot be overridden; one that has to wait is left out as `Conformance` says.

    Attributes:
        pack_folder: Folder with ``pack.toml`` and ``golden.csv``.
        pack: The pack instead.
        cases: Its golden cases as CSV, where `pack` ships none.
        beside: Packs of law that a platform pack is judged with.
    """

    pack_folder: ClassVar[Path | str | None] = None
    pack: ClassVar[CompliancePack | None] = None
    cases: ClassVar[str | None] = None
    beside: ClassVar[Sequence[CompliancePack]] = ()

    @classmethod
    def certifies(cls) -> tuple[str, str]:
        """
        Family and name of what it holds.
        """
        return "compliance", _source(cls).name

    @standard
    def test_the_pack_can_be_read(self) -> None:
        """
        Every key is as the format says.
        """
        _none(_problems(type(self), "schema"))

    @standard
    def test_the_golden_cases_hold(self) -> None:
        """
        There are cases, and each has the verdict, the next minute and the rules that it expects.
        """
        _none(_problems(type(self), "cases"))
        _none([] if _report(type(self)).cases else [f"there are no golden cases, expected {_CASES}"])

    @standard
    def test_windows_are_right_at_their_edges(self) -> None:
        """
        What is decided is what a slow reading says, at every edge; ``not_before`` is the first permitted minute.
        """
        _none(_problems(type(self), "edges"))

    @standard
    def test_waiting_until_not_before_is_enough_and_needed(self) -> None:
        """
        The minute that a deferral tells is permitted and the one before it is not, in every case and at every edge; it
        is a whole minute to come, by the debtor's clock, and an explanation begins with it.
        """
        _none(_problems(type(self), "waits"))
        _none(
            f"case {each.case.case_id}: not_before {each.decision.not_before}: {problem}"
            for each in _golden(type(self))
            for problem in _misshapen(each, _deciders(type(self))[each.reading])
        )

    @standard
    def test_windows_leave_a_minute(self) -> None:
        """
        No kind of contact is closed for ever by windows that never meet.
        """
        _none(_problems(type(self), "windows"))

    @standard
    def test_every_rule_refuses_in_some_case(self) -> None:
        """
        A rule that no case shows could vanish unseen.
        """
        _none(_problems(type(self), "coverage"))

    @standard
    def test_the_strictest_wins_in_any_order(self) -> None:
        """
        Beside a pack that forbids all and one that forbids nothing, in every order of the three.
        """
        source, golden = _source(type(self)), _golden(type(self))
        country = next(iter(_parsed(type(self)).countries), None) or golden[0].case.contact.country
        contacts = [each for each in golden if each.case.contact.country == country and not each.row.get("reading")]
        others = [_other(name, extra, country) for name, extra in _OTHERS.items()]
        orders = [Decider([*order, *self.beside], platform=True) for order in permutations([source, *others])]
        _none(
            f"case {each.case.case_id}: found {answers}, expected one denial, the same in every order"
            for each in contacts
            if not _is_strictest(answers := {str(d.decide(each.case.contact).to_dict()) for d in orders})
        )

    @standard
    def test_the_same_input_gives_the_same_bytes(self) -> None:
        """
        Also by deciders that have judged nothing before, in the other direction.
        """
        fresh = deciders_of(_source(type(self)), _beside(type(self)))
        _none(
            f"case {each.case.case_id}: a second run differs"
            for each in reversed(_golden(type(self)))
            if str(fresh[each.reading].decide(each.case.contact).to_dict()) != str(each.decision.to_dict())
        )

    @standard
    def test_words_are_there_in_three_languages(self) -> None:
        """
        Of the pack's title and of every rule, and an explanation shows them with article, pack and rule.
        """
        pack = _parsed(type(self))
        texts = {"pack.title": pack.title} | {f"rule {rule.id}": rule.message for rule in pack.rules}
        _none(
            f"{place}: no words in {language}"
            for place, words in texts.items()
            for language in LANGUAGES
            if not words.get(language, "").strip()
        )
        _none(
            f"case {each.case.case_id}: {finding.rule} is not explained in {language}"
            for each in _golden(type(self))
            for language in LANGUAGES
            for finding in each.decision.findings
            if f"- {finding.message[language]} [{finding.citation}; {finding.pack}; {finding.rule}]"
            not in each.decision.explain(language).splitlines()
        )

    @standard
    def test_every_refusal_cites(self) -> None:
        """
        Rule, article, pack and version; of a rule of the pack also source, confidence and first day. What refuses is as
        strict as the verdict.
        """
        labels = {"sdk 1", *(pack.label for pack in _packs(type(self)))}
        _none(
            f"case {each.case.case_id}: {finding.rule} cites nothing"
            for each in _golden(type(self))
            for finding in each.decision.findings
            if not (finding.citation and finding.pack in labels and finding.rule)
            or not (
                finding.rule.startswith("sdk.") or (finding.source and finding.confidence and finding.effective_from)
            )
        )
        _none(
            f"case {each.case.case_id}: {each.decision.verdict} without a reason of that kind"
            for each in _golden(type(self))
            if max([Verdict.ALLOW, *(finding.verdict for finding in each.decision.findings)], key=_rank)
            is not each.decision.verdict
        )

    @standard
    def test_a_draft_says_so(self) -> None:
        """
        No decision that rests on a pack without a lawyer's name passes for more, in any language.
        """
        drafts = {pack.label for pack in _packs(type(self)) if pack.status == "draft"}
        _none(
            f"case {each.case.case_id}: {label} is {'a draft' if label in drafts else 'reviewed'}, which is not told"
            for each in _golden(type(self))
            for label in sorted({line.split(": ")[0] for line in each.decision.basis} | set(each.decision.drafts))
            if (label in drafts) is not (label in each.decision.drafts)
            or not all((label in drafts) is _warns(each, label, language) for language in LANGUAGES)
        )


def _none(problems: Iterable[str]) -> None:
    """
    Fail with all problems, a line each.
    """
    found = list(problems)
    if found:
        raise AssertionError("\n".join(found))


def _is_strictest(answers: set[str]) -> bool:
    """
    One denial, by the strictest pack too; what is refused before any rule is asked names no rule.
    """
    (first, *more) = answers
    return not more and "'verdict': 'deny'" in first and ("strictest.forbid" in first or "'basis': []" in first)


def _rank(verdict: Verdict) -> int:
    return verdict.rank


def _warns(golden: Golden, label: str, language: str) -> bool:
    """
    Whether an explanation ends with a warning that names the pack.
    """
    last = golden.decision.explain(language).splitlines()[-1]
    return not last.startswith("- ") and label in last


def _misshapen(golden: Golden, decider: Decider) -> Iterator[str]:
    """
    How what is told of waiting is of no use.
    """
    decision, contact = golden.decision, golden.case.contact
    if (decision.not_before is None) is (decision.verdict is Verdict.DEFER):
        yield f"found with {decision.verdict}, expected with defer alone"
    if decision.not_before is None:
        return
    if decision.not_before <= contact.at or decision.not_before.second or decision.not_before.microsecond:
        yield "expected a whole minute to come"
    zones = decider.zones_of(contact)
    if not zones or decision.not_before.tzinfo != ZoneInfo(zones[0]):
        yield f"expected the clock of {', '.join(zones) or 'the debtor'}"
    for language in LANGUAGES:
        if f"{decision.not_before:%Y-%m-%d %H:%M}" not in decision.explain(language).splitlines()[0]:
            yield f"not explained in {language}"


def _once(function: F) -> F:
    """
    Work that all tests of a class share is done once.
    """
    return cast("F", cache(function))


@_once
def _source(cls: Any) -> CompliancePack:
    if cls.pack_folder is not None:
        folder = Path(cls.pack_folder)
        text, beside = (folder / _PACK).read_text("utf-8-sig"), folder / _CASES
        cases = beside.read_text("utf-8-sig") if beside.is_file() else None
        return CompliancePack(folder.name, text, origin=str(folder / _PACK), cases=cls.cases or cases)
    if cls.pack is None:
        msg = f"{cls.__name__} names no pack: set pack_folder, or pack and cases"
        raise AssertionError(msg)
    return CompliancePack(cls.pack.name, cls.pack.text, origin=cls.pack.origin, cases=cls.cases or cls.pack.cases)


@_once
def _parsed(cls: Any) -> Pack:
    source = _source(cls)
    return parse_pack(source.name, source.text, origin=source.origin)


def _beside(cls: Any) -> Sequence[CompliancePack]:
    beside: Sequence[CompliancePack] = cls.beside
    return beside if _parsed(cls).scope == "platform" else ()


@_once
def _report(cls: Any) -> PackReport:
    """
    What `cobranza packs check` finds. Edges are probed in the year of the pack's last change and the next, lest the
    same files pass today and fail in January.
    """
    source = _source(cls)
    try:
        year = _parsed(cls).updated_on.year
    except PackError:
        year = 0  # a pack that cannot be read is not probed
    return check_pack(source, cases=source.cases, year=year, beside=cls.beside)


def _problems(cls: type[CompliancePackConformance], part: str) -> list[str]:
    return [problem.text for problem in _report(cls).problems if problem.part == part]


@_once
def _deciders(cls: Any) -> dict[str, Decider]:
    return deciders_of(_source(cls), _beside(cls))


def _packs(cls: Any) -> Sequence[Pack]:
    """
    The pack and those beside it.
    """
    return next(iter(_deciders(cls).values())).packs


@_once
def _golden(cls: Any) -> tuple[Golden, ...]:
    return tuple(judge_golden(_source(cls).cases or "", _deciders(cls)))
