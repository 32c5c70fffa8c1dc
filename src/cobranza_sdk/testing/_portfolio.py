"""
Invented portfolios for tests: people who do not exist, debts whose due days follow the test's clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from cobranza_sdk.model import (
    Address,
    Consent,
    ContactPoint,
    Debtor,
    Installment,
    InvalidValueError,
    Money,
    Payment,
    Person,
    Promise,
    Receivable,
)
from cobranza_sdk.spec import Clock

#: Channels to which people of a draft agree unless told otherwise.
CHANNELS = ("whatsapp", "sms", "email")
_NAMES = "Ana Bruno Carmen Diego Elena Fabián Gabriela Hugo Inés João Lucía Martín Noé Olga Paulo Rosa".split()
_SURNAMES = "Ejemplo Prueba Muestra Modelo Ensayo Ficción Invento Teste Exemplo Ñandú".split()
#: Shares of a sample: unconfirmed holders, people who left a channel, debts paid in part, second and third debts.
_UNCONFIRMED, _LEFT, _PAID_IN_PART, _MORE = 0.2, 0.05, 0.15, 0.35
_FIRST_DAY, _LAST_DAY = -10, 100


@frozen(kw_only=True)
class _Place:
    """
    A country, as far as inventing people needs it.

    Attributes:
        currency: Of its debts.
        zone: Whose calendar days count.
        areas: Beginnings of mobile numbers; where a country reserves numbers for fiction (555-01xx), those.
        digits: Digits that follow.
        debt: Smallest and largest debt of a sample, in whole units.
    """

    currency: str
    zone: str
    areas: tuple[str, ...]
    digits: int
    debt: tuple[int, int]


_PLACES = {
    "AR": _Place(
        currency="ARS", zone="America/Argentina/Buenos_Aires", areas=("+5491150",), digits=6, debt=(9000, 900000)
    ),
    "BR": _Place(currency="BRL", zone="America/Sao_Paulo", areas=("+551199",), digits=7, debt=(50, 5000)),
    "CL": _Place(currency="CLP", zone="America/Santiago", areas=("+5699",), digits=7, debt=(9000, 900000)),
    "CO": _Place(currency="COP", zone="America/Bogota", areas=("+57300",), digits=7, debt=(40000, 3000000)),
    "DO": _Place(
        currency="DOP", zone="America/Santo_Domingo", areas=("+180955501", "+182955501"), digits=2, debt=(500, 50000)
    ),
    "EC": _Place(currency="USD", zone="America/Guayaquil", areas=("+59399",), digits=7, debt=(10, 1000)),
    "GT": _Place(currency="GTQ", zone="America/Guatemala", areas=("+5025",), digits=7, debt=(80, 8000)),
    "MX": _Place(currency="MXN", zone="America/Mexico_City", areas=("+5255",), digits=8, debt=(200, 20000)),
    "PE": _Place(currency="PEN", zone="America/Lima", areas=("+51900",), digits=6, debt=(50, 2500)),
    "PY": _Place(currency="PYG", zone="America/Asuncion", areas=("+595981",), digits=6, debt=(70000, 7000000)),
    "US": _Place(
        currency="USD",
        zone="America/New_York",
        areas=tuple(f"+1{area}55501" for area in (202, 212, 213, 305, 312, 404, 415, 512, 602, 617)),
        digits=2,
        debt=(20, 2000),
    ),
}


class DebtorDraft:
    """
    A debtor and what belongs to them, made by `PortfolioBuilder.debtor`. Each method returns the draft.

    Attributes:
        debtor: The debtor as the portfolio takes it.
        receivables: Their debts.
        payments: What they paid.
        promises: What they promised. The store keeps no promises: they are yours to hold against payments.
    """

    def __init__(self, debtor: Debtor, clock: Clock, place: _Place) -> None:
        self.debtor = debtor
        self.receivables: list[Receivable] = []
        self.payments: list[Payment] = []
        self.promises: list[Promise] = []
        self._clock, self._place = clock, place

    @property
    def key(self) -> str:
        """
        Its external id.
        """
        return self.debtor.external_id

    @property
    def today(self) -> date:
        """
        The day where the debtor is, by the test's clock.
        """
        return self._clock.now().astimezone(ZoneInfo(self.debtor.timezone or self._place.zone)).date()

    def also_at(self, value: str, *, scheme: str = "e164", role: str = "reference", state: str = "confirmed") -> Self:
        """
        Add a contact point, for example of a relative or an employer.
        """
        point = ContactPoint(address=Address(scheme, value), holder_role=role, state=state)
        self.debtor = evolve(self.debtor, contact_points=[*self.debtor.contact_points, point])
        return self

    def left(self, *channels: str) -> Self:
        """
        Opted out of *channels*.
        """
        kept = [consent for consent in self.debtor.consents if consent.channel not in channels]
        gone = [Consent(channel=name, granted=False) for name in channels]
        self.debtor = evolve(self.debtor, consents=[*kept, *gone])
        return self

    def owes(
        self,
        amount: str,
        *,
        days_past_due: int = 1,
        currency: str | None = None,
        installments: int = 1,
        key: str | None = None,
        judicial: bool = False,
    ) -> Self:
        """
        Add a debt.

        Args:
            amount: Of each installment, for example ``"120.50"``.
            days_past_due: Of the first installment, today; negative before it is due. The others follow monthly.
            currency: ISO 4217 code; the country's when None.
            installments: How many.
            key: External id; numbered when None.
            judicial: Whether a lawsuit over it is filed.
        """
        key = key or f"{self.key}-F{len(self.receivables) + 1}"
        money = Money.of(amount, currency or self._place.currency)
        first = self.today - timedelta(days=days_past_due)
        parts = [
            Installment(number=number + 1, due_on=first + timedelta(days=30 * number), amount=money, open=money)
            for number in range(installments)
        ]
        self.receivables.append(
            Receivable(external_id=key, debtor_id=self.key, document=key, installments=parts, judicial=judicial)
        )
        return self

    def paid(self, amount: str, *, days_ago: int = 0, currency: str | None = None, towards: str | None = None) -> Self:
        """
        Add a payment, for the debt *towards* or for the oldest.
        """
        self.payments.append(
            Payment(
                external_id=f"{self.key}-P{len(self.payments) + 1}",
                debtor_id=self.key,
                amount=Money.of(amount, currency or self._place.currency),
                paid_at=self._clock.now() - timedelta(days=days_ago),
                receivable_id=towards,
            )
        )
        return self

    def promises_to_pay(self, amount: str, *, in_days: int, currency: str | None = None) -> Self:
        """
        Add a promise that was made today.
        """
        self.promises.append(
            Promise(
                external_id=f"{self.key}-C{len(self.promises) + 1}",
                debtor_id=self.key,
                amount=Money.of(amount, currency or self._place.currency),
                made_on=self.today,
                due_on=self.today + timedelta(days=in_days),
            )
        )
        return self

    def __repr__(self) -> str:
        return f"DebtorDraft({self.key!r}, {len(self.receivables)} debts)"


class PortfolioBuilder:
    """
    Makes debtors and what they owe, the same for the same seed and the same calls.

    No country of Latin America but the Dominican Republic has numbers that are reserved for fiction: elsewhere they
    are well-formed mobile numbers, for emulators only. Nothing here may reach a live account.

    Args:
        clock: Due days are counted from its day.
        country: Of debtors for whom none is named.
        seed: Of chance.

    Attributes:
        drafts: The debtors so far.
    """

    def __init__(self, clock: Clock, *, country: str = "PE", seed: int = 0) -> None:
        self.drafts: list[DebtorDraft] = []
        self._clock, self._country = clock, country
        self._chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
        self._taken: dict[tuple[type, str], object] = {}
        _place(country)

    def debtor(
        self,
        key: str | None = None,
        *,
        name: str | None = None,
        country: str | None = None,
        region: str | None = None,
        timezone: str | None = None,
        language: str | None = None,
        phone: str | None = "",
        email: str | None = "",
        confirmed: bool = True,
        consents: Iterable[str] = CHANNELS,
    ) -> DebtorDraft:
        """
        Add a debtor.

        Args:
            key: External id; numbered when None.
            name: Of the person; invented when None.
            country: ISO 3166-1 code; the portfolio's when None.
            region: ISO 3166-2 code, or None.
            timezone: IANA zone, or None for the country's.
            language: BCP 47 tag, or None for the country's.
            phone: E.164; blank invents one, None leaves it out.
            email: Blank invents one, None leaves it out.
            confirmed: Whether the holder of phone and address is known to be the debtor.
            consents: Channels to which they agreed.

        Raises:
            InvalidValueError: The country is none for which people can be invented, or the key is taken.
        """
        country = country or self._country
        place, number = _place(country), len(self.drafts) + 1
        key = key or f"D-{number:04d}"
        if any(draft.key == key for draft in self.drafts):
            msg = f"PortfolioBuilder has a debtor {key} already"
            raise InvalidValueError(msg)
        state = "confirmed" if confirmed else "unconfirmed"
        told = [
            ("e164", _phone(place, number) if phone == "" else phone),
            ("email", f"debtor{number}@example.com" if email == "" else email),
        ]
        points = [
            ContactPoint(address=Address(scheme, value), holder_role="debtor", state=state)
            for scheme, value in told
            if value is not None
        ]
        invented = f"{self._chance.choice(_NAMES)} {self._chance.choice(_SURNAMES)}"
        debtor = Debtor(
            external_id=key,
            person=Person(name=invented if name is None else name),
            country=country,
            region=region,
            timezone=timezone,
            language=language,
            contact_points=points,
            consents=[Consent(channel=channel, source="contract") for channel in consents],
        )
        draft = DebtorDraft(debtor, self._clock, place)
        self.drafts.append(draft)
        return draft

    def sample(self, count: int, *, countries: Sequence[str] = ()) -> list[DebtorDraft]:
        """
        Add *count* debtors of every sort: due soon and long overdue, confirmed or not, some gone from a channel, some
        with several debts or with a part paid.

        Args:
            count: How many.
            countries: In turn; the portfolio's own when empty.
        """
        return [self._any(countries[number % len(countries)] if countries else None) for number in range(count)]

    def take(self) -> list[Debtor | Receivable | Payment]:
        """
        What is new or changed since this was last asked, for ``cobranza.portfolio.put(*…)``.
        """
        records: list[Debtor | Receivable | Payment] = []
        for draft in self.drafts:
            own: list[Debtor | Receivable | Payment] = [draft.debtor, *draft.receivables, *draft.payments]
            for record in own:
                place = (type(record), record.external_id)
                if self._taken.get(place) != record:
                    self._taken[place] = record
                    records.append(record)
        return records

    def _any(self, country: str | None) -> DebtorDraft:
        chance = self._chance
        draft = self.debtor(country=country, confirmed=chance.random() >= _UNCONFIRMED)
        low, high = _place(draft.debtor.country).debt
        amounts = [chance.randint(low, high)]
        while len(amounts) < 3 and chance.random() < _MORE:  # noqa: PLR2004  # few people owe more
            amounts.append(chance.randint(low, high))
        for amount in amounts:
            draft.owes(f"{amount}.00", days_past_due=chance.randint(_FIRST_DAY, _LAST_DAY))
        if chance.random() < _LEFT:
            draft.left(chance.choice(CHANNELS))
        if chance.random() < _PAID_IN_PART:
            draft.paid(f"{amounts[0] // 2}.00", days_ago=chance.randint(1, 5))
        return draft


def _place(country: str) -> _Place:
    if country not in _PLACES:
        msg = f"country: found {country}, expected one of {', '.join(_PLACES)}: of others no people are invented"
        raise InvalidValueError(msg)
    return _PLACES[country]


def _phone(place: _Place, number: int) -> str:
    area, rest = divmod(number, 10**place.digits)
    if area >= len(place.areas):
        msg = f"no more numbers of {place.areas[0]}: {number} debtors are too many for its reserved range"
        raise InvalidValueError(msg)
    return f"{place.areas[area]}{rest:0{place.digits}d}"
