"""
One list, one clock and one message for all tests. Every name, number and secret is invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, settings

from cobranza_agent_tasks._channel import AgentCalls
from cobranza_agent_tasks._tasks import Task, TaskList
from cobranza_sdk import (
    Address,
    Cobranza,
    Consent,
    ContactPoint,
    Debtor,
    Installment,
    Money,
    OutboundMessage,
    Person,
    Receivable,
)
from cobranza_sdk.testing import FixedClock, make_provider

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

#: Wednesday, 10:00 in Lima.
NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
SECRET = "agent-secret-1"
PHONE = "+51900100001"
STRATEGY = """
name = "people"
version = 1
[[step]]
id = "late-1"
days = 1
until = 20
purpose = "reminder"
channels = ["call"]
template = "administrative"
[[step]]
id = "late-2"
days = 2
until = 20
purpose = "reminder"
channels = ["call"]
template = "administrative"
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


@pytest.fixture
def tasks(path: Path) -> TaskList:
    return TaskList(path)


@pytest.fixture
def calls(path: Path, clock: FixedClock) -> AgentCalls:
    """
    The channel for calls.
    """
    return make_provider(
        AgentCalls,
        {"path": str(path), "webhook_secret": SECRET},
        clock=clock,
        webhook_url="https://cobranza.example.com/webhooks/calls",
    )


@pytest.fixture
def message() -> OutboundMessage:
    return OutboundMessage(
        attempt_id="A-1",
        channel="call",
        to=Address("e164", PHONE),
        locale="es-PE",
        text="¿Hablo con Ana Prueba? Su cuota de € 12,50…",
        not_after=NOW + timedelta(hours=8),
    )


def make_task(task_id: str = "A-1", **changes: Any) -> Task:
    """
    A call that may be made until 18:00 in Lima.
    """
    return evolve(
        Task(
            id=task_id,
            channel="call",
            address=Address("e164", PHONE),
            subject=None,
            script="¿Hablo con Ana Prueba?",
            locale="es-PE",
            purpose="reminder",
            callback_url="https://cobranza.example.com/webhooks/calls",
            created_at=NOW,
            not_after=NOW + timedelta(hours=8),
        ),
        **changes,
    )


@pytest.fixture
def task() -> Callable[..., Task]:
    """
    Makes tasks.
    """
    return make_task


def make_debtor() -> tuple[Debtor, Receivable]:
    """
    Somebody with a confirmed phone who consents to calls, and an invoice that is a day overdue.
    """
    money = Money.of("100.00", "PEN")
    debtor = Debtor(
        external_id="D-1",
        person=Person(name="Ana Prueba"),
        country="PE",
        contact_points=[ContactPoint(address=Address("e164", PHONE), holder_role="debtor", state="confirmed")],
        consents=[Consent(channel="call")],
    )
    owed = Receivable(
        external_id="F-1",
        debtor_id="D-1",
        document="F-1",
        installments=[Installment(due_on=date(2026, 8, 4), amount=money, open=money)],
    )
    return debtor, owed


@pytest.fixture
def owing() -> tuple[Debtor, Receivable]:
    return make_debtor()


@pytest.fixture
def house(tmp_path: Path, path: Path, clock: FixedClock) -> Callable[..., AbstractContextManager[Cobranza]]:
    """
    Opens a creditor in Peru whose agents call, with a pack of its own if one is given.
    """
    (tmp_path / "strategy.toml").write_text(STRATEGY, "utf-8")

    @contextmanager
    def opened(pack: str | None = None) -> Iterator[Cobranza]:
        table: dict[str, Any] = {
            "creditor": {"name": "Tienda Andina", "country": "PE", "contact_line": "ayuda@example.com"},
            "store": {"url": f"sqlite:///{tmp_path / 'house.db'}"},
            "plugins": {"allow": ["agent_tasks", "compliance_latam"]},
            "channels": {
                "calls": {"provider": "agent_calls", "path": str(path), "webhook_secret": lambda: SECRET},
            },
            "strategies": {"people": str(tmp_path / "strategy.toml")},
            "web": {"public_url": "https://cobranza.example.com"},
        }
        if pack is not None:
            (tmp_path / "pe.toml").write_text(pack, "utf-8")
            table["compliance"] = {"packs": [str(tmp_path / "pe.toml")]}
        with Cobranza(table, clock=clock) as cobranza:
            yield cobranza

    return opened
