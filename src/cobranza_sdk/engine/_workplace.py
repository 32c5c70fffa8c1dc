"""
What the engine works with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, TypeGuard

from attrs import field, frozen

from cobranza_sdk.compliance import ACCEPTED_RISK, Decider, zone
from cobranza_sdk.engine._calls import Guards
from cobranza_sdk.loading import Accounts, Configured
from cobranza_sdk.model import CHANNEL_FAMILIES, Address, Contact, Creditor
from cobranza_sdk.spec import Clock, Logger, reachable
from cobranza_sdk.store import CreditorStore, Facts, TenantStore
from cobranza_sdk.strategy import Step, Strategy, stage_of
from cobranza_sdk.templates import Catalogue

_LANGUAGES = {"BR": "pt-BR", "PT": "pt-PT", "US": "en-US"}


@frozen(kw_only=True)
class Desk:
    """
    One creditor's side of the work.

    Attributes:
        creditor: Who.
        store: Its handle to the store.
        strategy: Its strategy, or None when none is configured.
        payment_url: Where its debtors pay; ``{reference}`` stands for the message's reference.
        payments: Configured name of the payment account that makes its links, or None.
    """

    creditor: Creditor
    store: CreditorStore
    strategy: Strategy | None
    payment_url: str | None = None
    payments: str | None = None


@frozen(kw_only=True)
class Workplace:
    """
    Everything the engine is given; it looks nothing up.

    Attributes:
        tenant: Handle of the tenant.
        desks: By creditor id.
        accounts: Providers that are ready.
        decider: Judges by law, platform and policies: plugin code among them.
        rules: Judges by law and platform alone: what the claim asks.
        guards: Stand before every call to a provider.
        catalogue: Message templates.
        clock: The time.
        logger: Where to log; ids only.
        only_to: The only addresses that may be written to; None permits all.
        accepted_risks: Risks of platform rules that the operator takes knowingly.
        batch: Attempts leased at once.
        concurrency: Calls to one account in flight.
        deadline_s: Longest time one provider call may take.
    """

    tenant: TenantStore
    desks: Mapping[str, Desk]
    accounts: Accounts
    decider: Decider
    rules: Decider
    guards: Guards
    catalogue: Catalogue
    clock: Clock
    logger: Logger = field(repr=False)
    only_to: frozenset[str] | None = field(default=None, repr=False)
    accepted_risks: tuple[str, ...] = ()
    batch: int = 200
    concurrency: int = 8
    deadline_s: float = 30.0

    @property
    def channels(self) -> frozenset[str]:
        """
        Channels that some account carries.
        """
        return frozenset(account.provider.capabilities.channel for account in self.accounts.channels.values())

    def account_for(self, creditor_id: str, channel: str) -> Configured | None:
        """
        The account that carries *channel* for a creditor: the first configured one that serves it.
        """
        for account in self.accounts.channels.values():
            if account.provider.capabilities.channel == channel and account.settings.serves(creditor_id):
                return account
        return None

    def ways(self, creditor_id: str, points: Sequence[Any], channels: Sequence[str]) -> list[tuple[str, str]]:
        """
        Channels that have both an account and a usable contact point, with that point, in the order of *channels*. An
        account that could not be built counts: what is due there waits for it.
        """
        found = []
        for channel in channels:
            account = self.account_for(creditor_id, channel)
            broken = self.accounts.broken_channels.get(channel, ())
            for scheme in broken if account is None else account.provider.capabilities.schemes:
                point = next((point for point in points if point.scheme == scheme), None)
                if point is not None:
                    found.append((channel, str(point.id)))
                    break
        return found

    def today_of(self, debtor: Any) -> date:
        """
        Date at a debtor's place: the earliest where several zones are possible; UTC's where no zone is known, so that
        the debtor is planned for and the decision then says what is missing.
        """
        at = self.clock.now()
        place = Contact(
            at=at,
            channel="email",
            country=debtor.country,
            region=debtor.region,
            timezones=self._zones_of(debtor),
        )
        dates = [at.astimezone(tz).date() for name in self.decider.zones_of(place) if (tz := zone(name)) is not None]
        return min(dates, default=at.date())

    def _zones_of(self, debtor: Any, address: Address | None = None) -> tuple[str, ...]:
        return zones_told(self.decider, debtor, address)

    def contact_of(
        self,
        desk: Desk,
        facts: Facts,
        step: Step,
        at: datetime,
        flags: frozenset[str],
        content: str | None = None,
    ) -> Contact:
        """
        The contact that an attempt would make at *at*; with its text, once that is written.
        """
        debtor = facts.debtor
        channel = facts.attempt.channel
        account = self.account_for(desk.creditor.id, channel)
        family = account.provider.capabilities.family if account is not None else CHANNEL_FAMILIES.get(channel)
        return Contact(
            at=at,
            channel=channel,
            family=family,
            country=debtor.country,
            region=debtor.region,
            timezones=self._zones_of(debtor, facts.address),
            recipient=facts.holder_role,
            holder_confirmed=facts.point_state == "confirmed",
            collector=desk.creditor.collector,
            sector=desk.creditor.sector,
            stage=self.stage_of(facts),
            purpose=step.purpose,
            consent=facts.consent,
            history=facts.history,
            creditor_id=desk.creditor.id,
            debtor_id=debtor.id,
            receivable_ids=facts.receivable_ids,
            content=content,
            flags=flags | {f"{ACCEPTED_RISK}{risk}" for risk in self.accepted_risks},
        )

    def stage_of(self, facts: Facts) -> str:
        """
        Stage of the debt today, where the debtor is.
        """
        if facts.oldest_due_on is None:
            return "preventive"
        return stage_of((self.today_of(facts.debtor) - facts.oldest_due_on).days, judicial=facts.judicial)

    def can_reach(self, account: Configured, facts: Facts) -> bool:
        """
        Whether the account reaches the attempt's address.
        """
        return facts.address is not None and reachable(account.provider.capabilities, facts.address)


def zones_told(decider: Decider, debtor: Any, address: Address | None = None) -> tuple[str, ...]:
    """
    The zones that a source, the region and the phone number tell; all must permit. Empty where nothing tells more than
    the country.

    A zone that the country does not have joins the country's. Where place and number disagree, both hold.
    """
    country = decider.country(debtor.country)
    own = () if country is None else country.zones["*"]
    if debtor.timezone and debtor.timezone not in own:
        return (debtor.timezone, *own)
    place: tuple[str, ...] = (debtor.timezone,) if debtor.timezone else ()
    if not place and country is not None and debtor.region:
        place = country.zones.get(debtor.region, ())
    by_number = zones_of_number(address.value) if len(own) > 1 and _is_phone(address) else ()
    return tuple(dict.fromkeys((*place, *(name for name in by_number if name in own))))


def _is_phone(address: Address | None) -> TypeGuard[Address]:
    return address is not None and address.scheme == "e164"


@lru_cache(maxsize=65_536)
def zones_of_number(number: str) -> tuple[str, ...]:
    """
    IANA zones that a phone number in E.164 may be in, by its area code; empty where nobody knows.
    """
    from phonenumbers import NumberParseException, parse
    from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

    try:
        found = time_zones_for_number(parse(number))
    except NumberParseException:
        return ()
    return tuple(name for name in found if name != UNKNOWN_TIMEZONE)


def locale_of(debtor: Any) -> str:
    """
    Language to write in: the debtor's own, else the country's.
    """
    return str(debtor.language or _LANGUAGES.get(debtor.country) or f"es-{debtor.country}")
