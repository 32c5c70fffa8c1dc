"""
The decision: every rule of every pack and every policy judges; the strictest wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from cobranza_sdk.compliance._calendar import FIRST_YEAR, LAST_YEAR, ceil_minute, zone
from cobranza_sdk.compliance._errors import PackError
from cobranza_sdk.compliance._pack import CountryData, Pack, parse_pack
from cobranza_sdk.compliance._rules import Compiled, Situation, compile_rule, newest_first
from cobranza_sdk.model import Contact, Decision, Finding, InvalidValueError, Verdict
from cobranza_sdk.spec import CompliancePack, CompliancePolicy

HOUSE = "sdk 1"
KNOWN_OBLIGATIONS = frozenset({"disclose_nothing"})
READINGS = ("cautious", "literal")
MAX_ROUNDS = 64
MAX_WAIT = timedelta(days=400)
_CACHE = 4096

#: Calls a policy under guard; the embedding room adds the deadline.
PolicyCaller = Callable[[CompliancePolicy, Contact], Sequence[Finding]]

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
    What applies in one country.
    """

    data: CountryData
    rules: tuple[Compiled, ...]
    drafts: frozenset[str]


class Decider:
    """
    Judges contacts by packs and policies. Pure: the same contact gives the same decision.

    Args:
        packs: Country and platform packs; of two with one name the later wins. Read when first needed.
        policies: Rules in Python.
        reading: ``cautious`` or ``literal``, where a text leaves doubt.
        platform: Whether platform packs judge too.
        ask: How policies are called.

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
    ) -> None:
        if reading not in READINGS:
            msg = f"reading must be one of {', '.join(READINGS)}"
            raise InvalidValueError(msg)
        self._sources = {pack.name: pack for pack in packs}
        self._policies = tuple(sorted(policies, key=lambda policy: policy.name))
        self._reading = reading
        self._platform = platform
        self._ask = ask
        self._packs: tuple[Pack, ...] | None = None
        self._laws: dict[str, _Law | None] = {}
        self._plans: dict[tuple[object, ...], tuple[Compiled, ...]] = {}

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
            self._packs = tuple(sorted(parsed, key=lambda pack: pack.name))
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
        law = self._law(contact.country)
        refusal = self._refusal(contact, law)
        if refusal is not None or law is None:
            return _decision(contact, [refusal or house_finding("sdk.country_unknown", country=contact.country)])
        zones = [zone(name) for name in self.zones_of(contact)]
        known = tuple(tz for tz in zones if tz is not None)
        if not known or len(known) < len(zones):
            return _decision(contact, [house_finding("sdk.zone_unknown", zones=", ".join(self.zones_of(contact)))])
        situation = Situation(contact=contact, zones=known, history=newest_first(contact.history, contact.at))
        plan = self._plan(contact, law)
        now = int(contact.at.timestamp())
        findings, until, basis = self._judge(plan, situation, now)
        if contact.consent == "opted_out":
            findings.append(house_finding("sdk.opted_out", channel=contact.channel))
        drafts = tuple(sorted({rule.pack for rule in plan} & law.drafts))
        decision = _decision(contact, findings, until=until, basis=basis, drafts=drafts, tz=known[0])
        if decision.verdict is not Verdict.DEFER:
            return decision
        not_before = self._first_permitted(plan, situation, decision)
        if not_before is None:
            findings.append(house_finding("sdk.no_permitted_minute"))
            return _decision(contact, findings, basis=basis, drafts=drafts, tz=known[0])
        return evolve(decision, not_before=datetime.fromtimestamp(not_before, known[0]))

    def _refusal(self, contact: Contact, law: _Law | None) -> Finding | None:
        if law is None:
            return house_finding("sdk.country_unknown", country=contact.country)
        if contact.family is None:
            return house_finding("sdk.channel_unknown", channel=contact.channel)
        if not FIRST_YEAR <= contact.at.year <= LAST_YEAR:
            return house_finding("sdk.date_unknown", year=str(contact.at.year))
        if contact.region is not None and not _is_region(contact, law.data):
            return house_finding("sdk.region_unknown", region=contact.region)
        if not self.zones_of(contact):
            return house_finding("sdk.zone_unknown", region=contact.region or "")
        return None

    def _law(self, country: str) -> _Law | None:
        if country not in self._laws:
            self._laws[country] = self._compile(country)
        return self._laws[country]

    def _compile(self, country: str) -> _Law | None:
        bound = [pack for pack in self.packs if country in pack.countries]
        if not bound:
            return None
        data = _union([pack.countries[country] for pack in bound])
        everywhere = [pack for pack in self.packs if pack.scope == "platform"] if self._platform else []
        return _Law(
            data=data,
            rules=tuple(
                compile_rule(rule, pack, pack.countries.get(country, data))
                for pack in [*bound, *everywhere]
                for rule in pack.rules
                if rule.reading in (None, self._reading)
            ),
            drafts=frozenset(pack.label for pack in [*bound, *everywhere] if pack.status == "draft"),
        )

    def _plan(self, contact: Contact, law: _Law) -> tuple[Compiled, ...]:
        """
        The rules that speak of such a contact; kept, since few kinds of contact make up a portfolio.
        """
        key = (
            contact.country,
            contact.family,
            contact.channel,
            contact.stage,
            contact.purpose,
            contact.collector,
            contact.sector,
            contact.region,
            contact.flags,
        )
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _CACHE:
                self._plans.clear()
            plan = self._plans[key] = tuple(rule for rule in law.rules if rule.concerns(contact))
        return plan

    def _judge(
        self, plan: Sequence[Compiled], situation: Situation, now: int
    ) -> tuple[list[Finding], int | None, tuple[str, ...]]:
        """
        Findings at one instant, the end of the present window, and what judged.
        """
        dates = [datetime.fromtimestamp(now, tz).date() for tz in situation.zones]
        earliest, latest = min(dates), max(dates)
        findings: list[Finding] = []
        ends: list[int] = []
        basis: list[str] = []
        for compiled in plan:
            rule = compiled.rule
            if latest < rule.effective_from or (rule.effective_to is not None and earliest > rule.effective_to):
                continue
            basis.append(f"{compiled.pack}: {rule.id}")
            outcome = compiled.judge(situation, now)
            if outcome.finding is not None:
                findings.append(outcome.finding)
            if outcome.until is not None:
                ends.append(outcome.until)
        if self._policies:
            moved = evolve(situation.contact, at=datetime.fromtimestamp(now, UTC))
            for policy in self._policies:
                basis.append(f"policy: {policy.name}")
                answer = self._ask_safely(policy, moved)
                findings.extend(answer)
                ends.extend(int(finding.not_after.timestamp()) for finding in answer if finding.not_after is not None)
        return findings, min(ends, default=None), tuple(basis)

    def _ask_safely(self, policy: CompliancePolicy, contact: Contact) -> Sequence[Finding]:
        try:
            findings = self._ask(policy, contact)
            # Only what is already there: a generator would run on, without the deadline of the call.
            if isinstance(findings, list | tuple) and all(isinstance(finding, Finding) for finding in findings):
                return tuple(findings)
            cause = "it returned what is no Finding"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # a policy that fails in any way denies
            cause = type(error).__name__
        return [house_finding("sdk.policy_failed", policy=policy.name, cause=cause)]

    def _first_permitted(self, plan: Sequence[Compiled], situation: Situation, first: Decision) -> int | None:
        """
        Earliest whole minute at which everything permits, by moving to the latest of the asked-for instants.
        """
        start = int(situation.contact.at.timestamp())
        now = _latest(first.findings)
        for _ in range(MAX_ROUNDS):
            if now is None or not start < now <= start + MAX_WAIT.total_seconds():
                return None
            findings, _, _ = self._judge(plan, situation, now)
            verdict = _strictest([*findings, *_unknown_obligations(findings)])
            if verdict.rank < Verdict.DEFER.rank:
                return now
            if verdict is Verdict.DENY:
                return None
            following = _latest(findings)
            now = None if following is None or following <= now else following
        return None


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
    One country by several packs: all zones that any of them names, lest one more pack allows more.
    """
    regions = dict.fromkeys(region for data in found for region in data.zones)
    zones = {
        region: tuple(dict.fromkeys(name for data in found for name in data.zones.get(region, ())))
        for region in regions
    }
    listed = [data.regions for data in found]
    known: frozenset[str] = frozenset().union(*listed) if all(listed) else frozenset()
    return evolve(found[0], zones=zones, regions=known)


def _unknown_obligations(findings: Iterable[Finding]) -> list[Finding]:
    unknown = {name for finding in findings for name in finding.obligations} - KNOWN_OBLIGATIONS
    return [house_finding("sdk.obligation_unknown", obligations=", ".join(sorted(unknown)))] if unknown else []


def _decision(
    contact: Contact,
    findings: Sequence[Finding],
    *,
    until: int | None = None,
    basis: tuple[str, ...] = (),
    drafts: tuple[str, ...] = (),
    tz: ZoneInfo | None = None,
) -> Decision:
    ordered = sorted(
        (finding for finding in [*findings, *_unknown_obligations(findings)] if finding.verdict is not Verdict.ALLOW),
        key=lambda finding: (-finding.verdict.rank, finding.rule, finding.pack),
    )
    verdict = _strictest(ordered)
    permitted = verdict in (Verdict.ALLOW, Verdict.AMEND)
    return Decision(
        verdict=verdict,
        at=contact.at,
        not_after=datetime.fromtimestamp(until, tz) if permitted and until is not None else None,
        findings=tuple(ordered),
        obligations=tuple(sorted({name for finding in ordered for name in finding.obligations})),
        basis=basis,
        drafts=drafts,
    )
