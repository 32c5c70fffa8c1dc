"""
The decision: every rule of every pack and every policy judges; the strictest wins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from cobranza_sdk.compliance._calendar import FIRST_YEAR, LAST_YEAR, ceil_minute, day_start, year_start
from cobranza_sdk.compliance._errors import PackError
from cobranza_sdk.compliance._line import Line, Piece, Window
from cobranza_sdk.compliance._overlay import Overlay, overlaid
from cobranza_sdk.compliance._pack import CountryData, HolidayData, Pack, Rule, parse_pack, zone
from cobranza_sdk.compliance._rules import CONVERSATION, KINDS, Past, answered, concerns, pasts_of, without_risks
from cobranza_sdk.model import REPLY, Contact, Decision, Finding, InvalidValueError, Verdict
from cobranza_sdk.spec import CompliancePack, CompliancePolicy

HOUSE = "sdk 1"
KNOWN_OBLIGATIONS = frozenset({"disclose_nothing"})
READINGS = ("cautious", "literal")
MAX_ROUNDS = 64
MAX_WAIT = timedelta(days=400)
_CACHE = 4096

#: Calls a policy under guard; the embedding room adds the deadline.
PolicyCaller = Callable[[CompliancePolicy, Contact], Sequence[Finding]]
#: A rule with its pack, and from when until when it holds, in epoch seconds.
_Dated = tuple[Rule, Pack, int, int]

_HOUSE_WORDS: dict[str, tuple[str, dict[str, str]]] = {
    "sdk.country_unknown": (
        "SDK law 4",
        {
            "es": "No hay paquete legal para este país: no se contacta.",
            "pt": "Não há pacote legal para este país: não se contata.",
            "en": "There is no pack for this country: no contact.",
        },
    ),
    "sdk.channel_unknown": (
        "SDK law 4",
        {
            "es": "El canal no tiene una familia conocida por la ley: no se contacta.",
            "pt": "O canal não tem uma família conhecida pela lei: não se contata.",
            "en": "The channel has no family known to law: no contact.",
        },
    ),
    "sdk.zone_unknown": (
        "SDK law 4",
        {
            "es": "No se conoce la zona horaria del deudor: no se contacta.",
            "pt": "O fuso horário do devedor não é conhecido: não se contata.",
            "en": "The debtor's time zone is not known: no contact.",
        },
    ),
    "sdk.region_unknown": (
        "SDK law 4",
        {
            "es": "La región no es del país o no se conoce: no se contacta.",
            "pt": "A região não é do país ou não é conhecida: não se contata.",
            "en": "The region is not of the country or not known: no contact.",
        },
    ),
    "sdk.date_unknown": (
        "SDK law 4",
        {
            "es": "La fecha está fuera de los años que cubren los calendarios: no se contacta.",
            "pt": "A data está fora dos anos que os calendários cobrem: não se contata.",
            "en": "The date lies outside the years that calendars cover: no contact.",
        },
    ),
    "sdk.opted_out": (
        "SDK law 4",
        {
            "es": "La persona pidió no ser contactada por este canal.",
            "pt": "A pessoa pediu para não ser contatada por este canal.",
            "en": "The person asked not to be contacted by this channel.",
        },
    ),
    "sdk.nothing_to_answer": (
        "SDK law 4",
        {
            "es": "No hay un mensaje de la persona, de las últimas 24 horas y sin responder, que se pueda contestar.",
            "pt": "Não há uma mensagem da pessoa, das últimas 24 horas e sem resposta, que se possa responder.",
            "en": "There is no message of the person, from the last 24 hours and not yet answered, to reply to.",
        },
    ),
    "sdk.policy_failed": (
        "SDK law 4",
        {
            "es": "Una política falló o tardó demasiado: no se contacta.",
            "pt": "Uma política falhou ou demorou demais: não se contata.",
            "en": "A policy failed or took too long: no contact.",
        },
    ),
    "sdk.no_permitted_minute": (
        "SDK law 4",
        {
            "es": "No hay un minuto permitido en los próximos 400 días.",
            "pt": "Não há um minuto permitido nos próximos 400 dias.",
            "en": "There is no permitted minute within 400 days.",
        },
    ),
    "sdk.obligation_unknown": (
        "SDK law 5",
        {
            "es": "Se exige una obligación que el sistema no sabe cumplir.",
            "pt": "É exigida uma obrigação que o sistema não sabe cumprir.",
            "en": "An obligation is asked for that the system cannot meet.",
        },
    ),
    "sdk.not_any_more": (
        "SDK law 1",
        {
            "es": "El motivo para contactar ya no existe o está suspendido.",
            "pt": "O motivo para contatar já não existe ou está suspenso.",
            "en": "The ground for this contact is gone or suspended.",
        },
    ),
}


def house_finding(rule: str, **facts: str) -> Finding:
    """
    A refusal of the SDK itself.
    """
    citation, message = _HOUSE_WORDS[rule]
    return Finding(rule=rule, verdict=Verdict.DENY, citation=citation, pack=HOUSE, message=message, facts=facts)


def call_policy(policy: CompliancePolicy, contact: Contact) -> Sequence[Finding]:
    """
    Ask a policy without a deadline.
    """
    return policy.judge(contact)


@frozen(kw_only=True)
class _Law:
    """
    What applies in one country: its clock and calendar, of all packs and of each, and each rule with its pack.
    """

    data: CountryData
    each: tuple[CountryData, ...]
    rules: tuple[tuple[Rule, Pack], ...]
    drafts: frozenset[str]


@frozen(kw_only=True)
class _Era:
    """
    A stretch of time in which the same rules are in force.

    Attributes:
        findings: What stands against this kind of contact at any hour, strictest first.
        obligations: What it obliges to.
        pasts: Rules that ask for what went before.
        basis: What judges.
        accepted_risks: What would judge, were its risk not accepted.
        ends: Epoch second at which the next era begins.
    """

    findings: tuple[Finding, ...]
    obligations: tuple[str, ...]
    pasts: tuple[Past, ...]
    basis: tuple[str, ...]
    accepted_risks: tuple[str, ...]
    ends: int

    def judged(self, contact: Contact, now: int) -> tuple[list[Finding], int]:
        """
        What stands against it for what went before, and when the last of that ends.
        """
        found, wait = [], 0
        for pick, judges in self.pasts:
            counted = pick(contact)
            for judge in judges:
                told = judge(contact, counted, now)
                if told is not None:
                    wait = max(wait, told[0])
                    found.append(told[1])
        return found, wait


@frozen(kw_only=True)
class _Plan:
    """
    How contacts of one kind are judged; few kinds make up a portfolio.

    Attributes:
        refusal: Why nothing is judged at all, or None.
        zones: All zones the person may be in.
        starts: When each era begins, ascending.
        eras: The same number of eras.
        line: The windows, or None where none speaks of such contacts.
        drafts: Packs that no lawyer has signed.
    """

    refusal: Finding | None = None
    zones: tuple[ZoneInfo, ...] = ()
    starts: tuple[int, ...] = ()
    eras: tuple[_Era, ...] = ()
    line: Line | None = None
    drafts: tuple[str, ...] = ()

    def era(self, epoch: int) -> _Era:
        """
        The era of an instant.
        """
        return self.eras[bisect_right(self.starts, epoch) - 1]


#: Where no window speaks: open for ever.
_OPEN = Piece(begins=0, closed=(), closes=None, zone=ZoneInfo("UTC"))
_NEVER, _FOR_EVER = -(1 << 60), 1 << 60
_FIRST, _LAST = year_start(FIRST_YEAR), year_start(LAST_YEAR + 1)
_MAX_WAIT_S = int(MAX_WAIT.total_seconds())
_ORDER = attrgetter("order")
_ALLOW, _DEFER, _DENY = Verdict.ALLOW, Verdict.DEFER, Verdict.DENY


class Decider:
    """
    Judges contacts by packs and policies. Pure: the same contact gives the same decision.

    Args:
        packs: Country and platform packs; of two with one name the later wins. Read when first needed.
        policies: Rules in Python.
        reading: ``cautious`` or ``literal``, where a text leaves doubt.
        platform: Whether platform packs judge too.
        ask: How policies are called.
        overlays: Changes of the packs' holidays.

    Raises:
        InvalidValueError: *reading* is neither.
    """

    def __init__(
        self,
        packs: Iterable[CompliancePack],
        policies: Iterable[CompliancePolicy] = (),
        *,
        reading: str = "cautious",
        platform: bool = False,
        ask: PolicyCaller = call_policy,
        overlays: Iterable[Overlay] = (),
    ) -> None:
        if reading not in READINGS:
            msg = f"reading must be one of {', '.join(READINGS)}"
            raise InvalidValueError(msg)
        self._sources = {pack.name: pack for pack in packs}
        self._policies = tuple(sorted(policies, key=lambda policy: policy.name))
        self._reading = reading
        self._platform = platform
        self._ask = ask
        self._overlays = tuple(overlays)
        self._packs: tuple[Pack, ...] | None = None
        self._laws: dict[str, _Law] = {}
        self._plans: dict[tuple[object, ...], _Plan] = {}
        self._lines: dict[tuple[object, ...], Line] = {}

    @property
    def packs(self) -> tuple[Pack, ...]:
        """
        All packs, by name.

        Raises:
            PackError: One cannot be read.
        """
        if self._packs is None:
            parsed = [parse_pack(name, pack.text, origin=pack.origin) for name, pack in self._sources.items()]
            names = [pack.name for pack in parsed]
            for name in names:
                if names.count(name) > 1:
                    raise PackError(name, ["pack.name: two packs have it, expected each name once"])
            self._packs = overlaid(sorted(parsed, key=lambda pack: pack.name), self._overlays)
        return self._packs

    def country(self, code: str) -> CountryData | None:
        """
        Clock and calendar of a country, or None when no pack lists it.
        """
        law = self._law(code)
        return None if law is None else law.data

    def zones_of(self, contact: Contact) -> tuple[str, ...]:
        """
        All zones the person may be in; empty when that is not known.
        """
        if contact.timezones:
            return contact.timezones
        data = self.country(contact.country)
        if data is None:
            return ()
        if contact.region is None:
            return data.zones["*"]
        return data.zones.get(contact.region, data.zones["*"])

    def decide_many(self, contacts: Iterable[Contact]) -> Iterator[Decision]:
        """
        Judge one after the other, in constant memory.
        """
        return map(self.decide, contacts)

    def decide(self, contact: Contact) -> Decision:
        """
        Judge one contact.
        """
        plan = self._plans.get(contact.kind) or self._plan(contact)
        return self._reply(plan, contact) if contact.purpose == REPLY else self._judged(plan, contact)

    def _reply(self, plan: _Plan, contact: Contact) -> Decision:
        """
        An answer to the person's own message, which must be there; permitted as long as the conversation lasts.
        """
        asked = answered(contact)
        if asked is None:
            return _denied(contact, (house_finding("sdk.nothing_to_answer", channel=contact.channel),))
        decision = self._judged(plan, contact)
        if decision.verdict.rank >= Verdict.DEFER.rank:
            return decision
        ends = datetime.fromtimestamp(asked.epoch + CONVERSATION, plan.zones[0])
        return evolve(decision, not_after=_earlier(decision.not_after, ends, plan.zones[0]))

    def _judged(self, plan: _Plan, contact: Contact) -> Decision:
        now = contact.epoch
        if plan.refusal is not None:
            return _denied(contact, (plan.refusal,))
        if not _FIRST <= now < _LAST:
            return _denied(contact, (house_finding("sdk.date_unknown", year=str(contact.at.year)),))
        starts, line = plan.starts, plan.line
        era = plan.eras[-1 if now >= starts[-1] else bisect_right(starts, now) - 1]
        piece = line.at(now) if line is not None else _OPEN
        findings, wait = era.findings, 0
        if piece.closed:
            findings = findings + piece.findings if findings else piece.findings
        if era.pasts:
            told, wait = era.judged(contact, now)
            findings = (*findings, *told) if told else findings
        if self._policies:
            return self._with_policies(plan, contact, findings)
        verdict = _ALLOW
        if findings:
            if len(findings) > 1 and findings is not era.findings:
                findings = tuple(sorted(findings, key=_ORDER))
            verdict = findings[0].verdict
        not_before = None
        if verdict is _DEFER:
            not_before = self._when(plan, era, piece, contact, wait) or self._searched(plan, contact, _latest(findings))
            if not_before is None:
                refused = (*findings, house_finding("sdk.no_permitted_minute"))
                return _denied(contact, refused, basis=era.basis, drafts=plan.drafts, accepted_risks=era.accepted_risks)
        return Decision(
            verdict=verdict,
            at=contact.at,
            not_before=not_before,
            not_after=None if piece.closed or verdict is _DEFER or verdict is _DENY else piece.not_after,
            findings=findings,
            obligations=era.obligations,
            basis=era.basis,
            drafts=plan.drafts,
            accepted_risks=era.accepted_risks,
        )

    @staticmethod
    def _when(plan: _Plan, era: _Era, piece: Piece, contact: Contact, wait: int) -> datetime | None:
        """
        When everything permits, where only what went before and windows stand against it: the one cures for good, so
        the first opening after it is the answer. None where that is not so plain.
        """
        if wait > contact.epoch:
            piece = plan.line.at(wait) if plan.line is not None else _OPEN
        opens = piece.opens if piece.closed else wait
        if opens is None or not contact.epoch < opens <= contact.epoch + _MAX_WAIT_S or opens >= era.ends:
            return None
        return piece.not_before if piece.closed else datetime.fromtimestamp(opens, plan.zones[0])

    def _with_policies(self, plan: _Plan, contact: Contact, findings: Sequence[Finding]) -> Decision:
        """
        The decision where policies have a say too.
        """
        now, era = contact.epoch, plan.era(contact.epoch)
        told, close = self._asked(contact, now)
        ordered = _ordered([*findings, *told])
        verdict = ordered[0].verdict if ordered else Verdict.ALLOW
        basis = (*era.basis, *(f"policy: {policy.name}" for policy in self._policies))
        not_before = not_after = None
        if verdict is Verdict.DEFER:
            not_before = self._searched(plan, contact, _latest(ordered))
            if not_before is None:
                refused = _ordered([*ordered, house_finding("sdk.no_permitted_minute")])
                return _denied(contact, refused, basis=basis, drafts=plan.drafts, accepted_risks=era.accepted_risks)
        elif verdict is not Verdict.DENY:
            piece = plan.line.at(now) if plan.line is not None else _OPEN
            not_after = _earlier(piece.not_after, close, plan.zones[0])
        return Decision(
            verdict=verdict,
            at=contact.at,
            not_before=not_before,
            not_after=not_after,
            findings=tuple(ordered),
            obligations=_obligations(ordered),
            basis=basis,
            drafts=plan.drafts,
            accepted_risks=era.accepted_risks,
        )

    def _searched(self, plan: _Plan, contact: Contact, now: int | None) -> datetime | None:
        """
        Earliest whole minute at which everything permits, by moving to the latest of the asked-for instants.
        """
        start = contact.epoch
        for _ in range(MAX_ROUNDS):
            if now is None or not start < now <= start + _MAX_WAIT_S:
                return None
            era, piece = plan.era(now), plan.line.at(now) if plan.line is not None else _OPEN
            found = [*era.findings, *piece.findings, *era.judged(contact, now)[0]]
            if self._policies:
                found += self._asked(contact, now)[0]
            verdict = _strictest([*found, *_unknown_obligations(found)])
            if verdict.rank < Verdict.DEFER.rank:
                return datetime.fromtimestamp(now, plan.zones[0])
            if verdict is Verdict.DENY:
                return None
            following = _latest(found)
            now = None if following is None or following <= now else following
        return None

    def _asked(self, contact: Contact, now: int) -> tuple[list[Finding], datetime | None]:
        """
        What the policies say of the contact at an instant, and when the first of them stops permitting.
        """
        moved = contact if now == contact.epoch else evolve(contact, at=datetime.fromtimestamp(now, UTC))
        told = [finding for policy in self._policies for finding in self._ask_safely(policy, moved)]
        ends = [finding.not_after for finding in told if finding.not_after is not None]
        return [finding for finding in told if finding.verdict is not Verdict.ALLOW], min(ends, default=None)

    # -- plans -----------------------------------------------------------------------------------------------------

    def _law(self, country: str) -> _Law | None:
        law = self._laws.get(country) or self._compile(country)
        if law is not None:  # what is not known may be any text, without end
            self._laws[country] = law
        return law

    def _compile(self, country: str) -> _Law | None:
        bound = [pack for pack in self.packs if country in pack.countries]
        if not bound:
            return None
        found = tuple(pack.countries[country] for pack in bound)
        everywhere = [pack for pack in self.packs if pack.scope == "platform"] if self._platform else []
        rules = [(rule, pack) for pack in [*bound, *everywhere] for rule in pack.rules]
        return _Law(
            data=_union(found),
            each=found,
            rules=tuple((rule, pack) for rule, pack in rules if rule.reading in (None, self._reading)),
            drafts=frozenset(pack.label for pack in [*bound, *everywhere] if pack.status == "draft"),
        )

    def _plan(self, contact: Contact) -> _Plan:
        if len(self._plans) >= _CACHE:
            self._plans.clear()
        plan = self._plans[contact.kind] = self._made(contact)
        return plan

    def _made(self, contact: Contact) -> _Plan:
        law = self._law(contact.country)
        refusal = self._refusal(contact, law)
        if refusal is not None or law is None:
            return _Plan(refusal=refusal or house_finding("sdk.country_unknown", country=contact.country))
        names = self.zones_of(contact)
        zones = tuple(tz for tz in map(zone, names) if tz is not None)
        if not zones or len(zones) < len(names):
            return _Plan(refusal=house_finding("sdk.zone_unknown", zones=", ".join(names)))
        rules = [(rule, pack, *_in_force(rule, zones)) for rule, pack in law.rules if concerns(rule, contact)]
        aside = [(rule, pack, *_in_force(rule, zones)) for rule, pack in _accepted_risks(law, contact)]
        starts = sorted({_NEVER, *(edge for _, _, *edges in (*rules, *aside) for edge in edges)})
        windows = [
            Window(rule=rule, pack=pack.label, holidays=holidays, begins=begins, ends=ends)
            for rule, pack, begins, ends in rules
            if rule.kind == "window"
            for holidays in self._closed(rule, pack, contact, law)
        ]
        return _Plan(
            zones=zones,
            starts=tuple(starts),
            eras=tuple(
                _era(contact, _holding(rules, begins), _holding(aside, begins), zones, ends)
                for begins, ends in pairwise([*starts, _FOR_EVER])
            ),
            line=self._line(windows, zones),
            drafts=tuple(sorted({pack.label for _, pack, _, _ in rules} & law.drafts)),
        )

    def _line(self, windows: Sequence[Window], zones: tuple[ZoneInfo, ...]) -> Line | None:
        """
        One line for all kinds of contact that the same windows speak of.
        """
        if not windows:
            return None
        key = (tuple((window.pack, window.rule.id, window.holidays) for window in windows), zones)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= _CACHE:
                self._lines.clear()
            line = self._lines[key] = Line(windows, zones)
        return line

    @staticmethod
    def _closed(rule: Rule, pack: Pack, contact: Contact, law: _Law) -> Iterable[HolidayData | None]:
        """
        The days on which a window is closed: a platform's, which knows no country, on those of every law there.
        """
        if not rule.closed_on_holidays:
            return (None,)
        own = pack.countries.get(contact.country)
        return dict.fromkeys(data.holidays_in(contact.region) for data in (law.each if own is None else (own,)))

    def _refusal(self, contact: Contact, law: _Law | None) -> Finding | None:
        if law is None:
            return house_finding("sdk.country_unknown", country=contact.country)
        if contact.family is None:
            return house_finding("sdk.channel_unknown", channel=contact.channel)
        if contact.region is not None and not all(_is_region(contact, data) for data in law.each):
            return house_finding("sdk.region_unknown", region=contact.region)
        if not self.zones_of(contact):
            return house_finding("sdk.zone_unknown", region=contact.region or "")
        return None

    def _ask_safely(self, policy: CompliancePolicy, contact: Contact) -> Sequence[Finding]:
        try:
            findings = self._ask(policy, contact)
            # Only what is already there: a generator would run on, without the deadline of the call.
            told = tuple(findings) if isinstance(findings, list | tuple) else (None,)
            if not all(isinstance(finding, Finding) for finding in told):
                cause = "it returned what is no Finding"
            elif any(finding is not None and _is_over(finding, contact) for finding in told):
                cause = "its own not_after had passed"
            else:
                return [finding for finding in told if finding is not None]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # a policy that fails in any way denies
            cause = type(error).__name__
        return [house_finding("sdk.policy_failed", policy=policy.name, cause=cause)]


def _is_over(finding: Finding, contact: Contact) -> bool:
    """
    Whether a policy permits what it says it permits no longer.
    """
    return finding.verdict.rank < _DEFER.rank and finding.not_after is not None and finding.not_after <= contact.at


def _is_region(contact: Contact, data: CountryData) -> bool:
    if data.regions:
        return contact.region in data.regions
    return (contact.region or "").startswith(f"{contact.country}-")


def _latest(findings: Iterable[Finding]) -> int | None:
    """
    The instant that cures all deferrals, as a whole minute; None when one of them names none.
    """
    moments = []
    for finding in findings:
        if finding.verdict is Verdict.DEFER:
            if finding.not_before is None:
                return None
            moments.append(ceil_minute(finding.not_before.timestamp()))
    return max(moments, default=None)


def _strictest(findings: Iterable[Finding]) -> Verdict:
    return max((finding.verdict for finding in findings), key=lambda verdict: verdict.rank, default=Verdict.ALLOW)


def _union(found: Sequence[CountryData]) -> CountryData:
    """
    One country by several packs: all zones in which any of them sees the person, and no region that any of them does
    not know, lest one more pack allows more.
    """
    regions = dict.fromkeys(region for data in found for region in data.zones)
    zones = {
        region: tuple(dict.fromkeys(name for data in found for name in data.zones.get(region, data.zones["*"])))
        for region in regions
    }
    listed = [data.regions for data in found if data.regions]
    known = frozenset.intersection(*listed) if listed else frozenset()
    return evolve(found[0], zones=zones, regions=known)


def _unknown_obligations(findings: Iterable[Finding]) -> list[Finding]:
    unknown = {name for finding in findings for name in finding.obligations} - KNOWN_OBLIGATIONS
    return [house_finding("sdk.obligation_unknown", obligations=", ".join(sorted(unknown)))] if unknown else []


def _in_force(rule: Rule, zones: Sequence[ZoneInfo]) -> tuple[int, int]:
    """
    From when and until when a rule holds: where it is its day in one of the possible zones, it holds.
    """
    begins = min(day_start(rule.effective_from, tz) for tz in zones)
    if rule.effective_to is None or rule.effective_to.year > LAST_YEAR + 1:
        return begins, _FOR_EVER
    return begins, max(day_start(rule.effective_to + timedelta(days=1), tz) for tz in zones)


def _accepted_risks(law: _Law, contact: Contact) -> list[tuple[Rule, Pack]]:
    """
    The rules that would speak of such a contact, were no risk accepted.
    """
    bare = without_risks(contact)
    if bare is None:
        return []
    return [(rule, pack) for rule, pack in law.rules if concerns(rule, bare) and not concerns(rule, contact)]


def _holding(rules: Iterable[_Dated], epoch: int) -> list[_Dated]:
    """
    Those that hold at an instant.
    """
    return [each for each in rules if each[2] <= epoch < each[3]]


def _era(
    contact: Contact, rules: Sequence[_Dated], aside: Sequence[_Dated], zones: Sequence[ZoneInfo], ends: int
) -> _Era:
    told = [KINDS[rule.kind](rule, pack.label)(contact) for rule, pack, _, _ in rules if rule.kind in KINDS]
    findings = [finding for finding in told if finding is not None]
    if contact.consent == "opted_out":
        findings.append(house_finding("sdk.opted_out", channel=contact.channel))
    findings = _ordered(findings)
    return _Era(
        findings=tuple(findings),
        obligations=_obligations(findings),
        pasts=pasts_of([(rule, pack.label, ends) for rule, pack, _, ends in rules], zones),
        basis=_named(rules),
        accepted_risks=_named(aside),
        ends=ends,
    )


def _named(rules: Iterable[_Dated]) -> tuple[str, ...]:
    return tuple(f"{pack.label}: {rule.id}" for rule, pack, _, _ in rules)


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    """
    Strictest first, then by rule; what nobody can meet denies.
    """
    return sorted(
        [*findings, *_unknown_obligations(findings)],
        key=_ORDER,
    )


def _obligations(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(sorted({name for finding in findings for name in finding.obligations}))


def _earlier(first: datetime | None, second: datetime | None, tz: ZoneInfo) -> datetime | None:
    if second is None or (first is not None and first <= second):
        return first
    return datetime.fromtimestamp(int(second.timestamp()), tz)


def _denied(
    contact: Contact,
    findings: Sequence[Finding],
    *,
    basis: tuple[str, ...] = (),
    drafts: tuple[str, ...] = (),
    accepted_risks: tuple[str, ...] = (),
) -> Decision:
    """
    A refusal.
    """
    return Decision(
        verdict=Verdict.DENY,
        at=contact.at,
        findings=tuple(sorted(findings, key=_ORDER)),
        obligations=_obligations(findings),
        basis=basis,
        drafts=drafts,
        accepted_risks=accepted_risks,
    )
