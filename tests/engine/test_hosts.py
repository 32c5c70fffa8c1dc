"""
A host that does several things at once, has an engine of its own, or several creditors and ERPs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from attrs import frozen
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from cobranza_sdk import (
    Category,
    Cobranza,
    Disposition,
    Erp,
    ErpBatch,
    ErpCapabilities,
    ProviderError,
    Transmitted,
)
from cobranza_sdk.engine import SyncError
from cobranza_sdk.loading import FixedClock

AUTH = ProviderError(Category.AUTH, Disposition.FIX_FIRST, Transmitted.NO)
NETWORK = ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO)


@frozen
class NoSettings:
    """
    Nothing to configure.
    """


class _Erp(Erp):
    config: ClassVar[type] = NoSettings
    capabilities = ErpCapabilities()


class Raises(_Erp):
    name = "raises"

    async def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        raise SystemExit(3)
        yield


class Waits(_Erp):
    name = "waits"

    async def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        await anyio.sleep_forever()
        yield


class Empty(_Erp):
    name = "empty"

    async def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        yield ErpBatch(records=(), rejected=(), cursor="read")


def put(house: Cobranza, debtor: Any, receivable: Any, *keys: str) -> None:
    """
    Debtors with an invoice each that is a day overdue.
    """
    for key in keys:
        house.portfolio.put(debtor(key), receivable(f"F-{key}", key))


def test_a_plan_in_one_thread_does_not_end_the_calls_of_another(
    house: Cobranza, script: Any, debtor: Any, receivable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Providers and connections are shared: what one thread still uses, another does not close.
    """
    calling, closing = threading.Event(), threading.Event()
    closed_amid_the_call: list[bool] = []
    put(house, debtor, receivable, "D-1")
    house.plan()

    async def aclose(_self: Any) -> None:
        closing.set()

    def answer(_message: Any) -> None:
        closing.clear()
        calling.set()
        closed_amid_the_call.append(closing.wait(0.3))

    script["fake_sms"] = [answer]
    monkeypatch.setattr(type(house.accounts.channels["sms"].provider), "aclose", aclose)
    with ThreadPoolExecutor(2) as pool:
        sending = pool.submit(house.dispatch)
        assert calling.wait(10)
        planning = pool.submit(house.plan)

        assert dict(sending.result().counts) == {"accepted": 1}
        assert planning.result() == 0

    assert closed_amid_the_call == [False]
    assert closing.is_set()


def test_a_limit_holds_for_all_creditors_together(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any, settings: dict[str, Any]
) -> None:
    """
    ``--limit`` is the operator's brake, whoever the messages are for; progress counts on.
    """
    creditor = settings.pop("creditor")
    house = make_house(creditors={"a": creditor, "b": {**creditor, "name": "Otra"}}, runner={"batch": 2})
    for key in ("a", "b"):
        put(house.for_creditor(key), debtor, receivable, *(f"{key}-{number}" for number in range(3)))
    house.plan()
    told: list[int] = []

    report = house.dispatch(limit=4, progress=told.append)

    assert report.handled == len(box["fake_sms"]) == 4
    assert told == [2, 3, 4]
    assert house.dispatch().handled == 2


def test_the_hosts_own_engine_stays_open(settings: dict[str, Any], clock: FixedClock) -> None:
    """
    What the host gave is the host's to close: a database in memory would be gone with its one connection.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

    with Cobranza(settings, engine=engine, clock=clock) as house:
        house.stop("test")

    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM controls")).scalar() == 1


def test_the_report_ages_by_the_creditors_day(house: Cobranza, clock: FixedClock, debtor: Any, receivable: Any) -> None:
    """
    F81: at 20:00 in Lima it is the next day in UTC, and what is due today is not overdue yet.
    """
    clock.set(datetime.fromisoformat("2026-08-04T20:00:00-05:00"))
    put(house, debtor, receivable, "D-1")

    (report,) = house.report()

    assert [line.bucket for line in report.aging if line.amount.minor] == ["not_due"]


def test_law_8_an_erp_that_fails_or_waits_for_ever_does_not_keep_the_others_from_being_read(
    make_house: Callable[..., Cobranza], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Law 8: both are named in one error, and what could be read was.
    """
    monkeypatch.setattr("cobranza_sdk.engine._sync.BATCH_DEADLINE_S", 0.05)
    house = make_house(
        ("erp", Raises),
        ("erp", Waits),
        ("erp", Empty),
        erps={name: {"provider": name} for name in ("raises", "waits", "empty")},
    )

    with pytest.raises(SyncError, match=r"erps\.raises: the plugin failed: SystemExit; erps\.waits: .*TimeoutError"):
        house.sync()

    assert house.creditor_store().portfolio.begin_sync("empty")[0] == "read"


async def test_who_cancels_a_sync_is_obeyed(make_house: Callable[..., Cobranza]) -> None:
    """
    A cancellation of ours is no fault of the plugin.
    """
    house = make_house(("erp", Waits), erps={"waits": {"provider": "waits"}})
    task = asyncio.ensure_future(house.a_sync())
    with anyio.move_on_after(0.2):
        await asyncio.shield(task)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await house.aclose()


def test_law_8_a_provider_that_never_closes_or_exits_when_checked_harms_only_itself(
    make_house: Callable[..., Cobranza], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Law 8: credentials of the others are checked, and the call comes back.
    """
    house = make_house(runner={"deadline_s": 0.05})

    async def leave(_self: Any) -> None:
        raise SystemExit(3)

    async def wait(_self: Any) -> None:
        await anyio.sleep_forever()

    provider = type(house.accounts.channels["sms"].provider)
    monkeypatch.setattr(provider, "check", leave)
    monkeypatch.setattr(provider, "aclose", wait)

    found = house.check()

    assert found["channels.sms"] == {"ok": False, "detail": "SystemExit"}
    assert found["channels.email"]["ok"]


def test_law_8_a_channel_that_never_answers_is_given_up_after_its_deadline(
    make_house: Callable[..., Cobranza], debtor: Any, receivable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Law 8 and law 3: its attempt may be out, so it is ``unknown``; the next debtor is written to.
    """
    house = make_house(runner={"deadline_s": 0.05, "concurrency": 1})
    put(house, debtor, receivable, "D-1", "D-2")
    house.plan()
    provider = type(house.accounts.channels["sms"].provider)
    send, calls = provider.send, []

    async def first_waits(self: Any, message: Any) -> Any:
        calls.append(message.attempt_id)
        if len(calls) == 1:
            await anyio.sleep_forever()
        return await send(self, message)

    monkeypatch.setattr(provider, "send", first_waits)

    house.dispatch()

    assert [line["state"] for line in house.attempts.list()] == ["unknown", "accepted"]


def test_what_an_account_failed_at_does_not_use_up_the_tries_of_a_message(
    house: Cobranza, script: Any, debtor: Any, receivable: Any, later: Any
) -> None:
    """
    F36, F30: three days of wrong credentials are no three tries; the first network failure after them is tried again.
    """
    put(house, debtor, receivable, "D-1")
    script["fake_sms"] = [AUTH, AUTH, AUTH, NETWORK]
    house.plan()

    for _ in range(4):
        house.dispatch()
        later(hours=1)
    house.dispatch()

    lines = house.attempts.list()
    assert [line["state"] for line in lines] == [*["rejected"] * 3, "not_sent", "accepted"]
    assert {line["channel"] for line in lines} == {"sms"}


def test_a_wait_that_the_provider_asks_for_is_kept_to_the_minute(
    house: Cobranza, script: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    F30: who says six hours is not asked again after one.
    """
    put(house, debtor, receivable, "D-1")
    script["fake_sms"] = [ProviderError(Category.RATE_LIMIT, Disposition.RETRY, Transmitted.NO, retry_after=6 * 3600)]
    house.plan()

    house.dispatch()

    assert datetime.fromisoformat(house.attempts.list()[1]["not_before"]) == clock.now() + timedelta(hours=6)


def test_a_template_for_another_stage_is_not_sent(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any, tmp_path: Path
) -> None:
    """
    S-040: a step that runs on into the next stage does not take its words along.
    """
    (tmp_path / "late.toml").write_text(
        'name = "late"\nversion = 1\n[[step]]\nid = "late"\ndays = 1\nuntil = 120\npurpose = "demand"\n'
        'channels = ["sms"]\ntemplate = "preventive"\n',
        "utf-8",
    )
    house = make_house(strategies={"late": str(tmp_path / "late.toml")})
    assert "is meant for preventive, and the debt is administrative" in house.missing_templates()[0]
    put(house, debtor, receivable, "D-1")
    house.plan()

    house.dispatch()

    assert not box.get("fake_sms")
    assert "is meant for preventive" in house.attempts.list()[0]["reason"]
