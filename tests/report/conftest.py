"""
Figures to report on: made up ones, and those of a real store. Every name and number is invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from attrs import define, field

from cobranza_sdk.loading import FixedClock, TimeIds
from cobranza_sdk.report import Report, make_report
from cobranza_sdk.store import CreditorStore, Store, TenantStore

NOW = datetime(2026, 3, 9, 15, 30, tzinfo=UTC)
TODAY = date(2026, 3, 9)


@define
class FakeFigures:
    """
    Figures that are simply told.
    """

    states: list[tuple[str, str, int]] = field(factory=list)
    replies: dict[str, int] = field(factory=dict)
    judged: list[tuple[str, str, str, int]] = field(factory=list)
    open: list[tuple[str, str, int, int]] = field(factory=list)
    refused: int = 0

    def by_state(self) -> list[tuple[str, str, int]]:
        return self.states

    def replied(self) -> dict[str, int]:
        return self.replies

    def verdicts(self) -> list[tuple[str, str, str, int]]:
        return self.judged

    def aging(self, today: date) -> list[tuple[str, str, int, int]]:
        return self.open

    def rejected(self) -> int:
        return self.refused


@pytest.fixture
def report_on() -> Callable[..., Report]:
    """
    Makes a report of figures that are told.
    """

    def make(*, creditor: str = "Financiera Ejemplo", as_of: datetime = NOW, **told: object) -> Report:
        return make_report(FakeFigures(**told), creditor=creditor, as_of=as_of, today=TODAY)  # type: ignore[arg-type]

    return make


@pytest.fixture
def full(report_on: Callable[..., Report]) -> Report:
    """
    A report with something in every part.
    """
    return report_on(
        states=[
            ("sms", "delivered", 240),
            ("sms", "rejected", 4),
            ("whatsapp", "deferred", 122),
            ("whatsapp", "delivered", 310),
            ("whatsapp", "failed", 9),
            ("whatsapp", "read", 631),
        ],
        replies={"whatsapp": 214},
        judged=[
            ("allow", "", "", 1190),
            ("defer", "pe.window.weekday", "Ley 29571, art. 62", 122),
            ("deny", "whatsapp.optin", "WhatsApp Business Messaging Policy, section 1", 48),
        ],
        open=[
            ("CLP", "91+", 1234567, 3),
            ("PEN", "not_due", -120050, 1),
            ("PEN", "1-30", 5432100, 120),
            ("PEN", "91+", 4321099, 80),
        ],
        refused=7,
    )


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[TenantStore]:
    """
    A tenant of a new SQLite database, at a clock that stands still.
    """
    clock = FixedClock(NOW)
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", clock=clock, ids=TimeIds(clock))
    yield store.tenant("default")
    store.close()


@pytest.fixture
def acme(tenant: TenantStore) -> CreditorStore:
    """
    One creditor of it.
    """
    return tenant.creditor("acme")
