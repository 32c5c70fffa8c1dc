"""
The channel: a task is kept before the core hears of it, and what goes wrong is told for what it is.
"""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from cobranza_agent_tasks import _tasks as module
from cobranza_agent_tasks._channel import AgentCalls, AgentLetters
from cobranza_agent_tasks._tasks import Outcome, TaskList
from cobranza_sdk import (
    Absent,
    AttemptRef,
    ConfigurationError,
    EventKind,
    Found,
    LiveInterlockError,
    OutboundMessage,
    ProviderError,
    Undetermined,
)
from cobranza_sdk.testing import FixedClock, make_provider

pytestmark = pytest.mark.anyio


def damage(path: Path) -> None:
    path.write_bytes(b"damaged" * 1000)


def is_made(path: Path) -> bool:
    return path.exists()


def axes(error: ProviderError) -> tuple[str, str, str, str | None]:
    return str(error.category), str(error.disposition), str(error.transmitted), error.vendor_code


async def test_a_message_becomes_a_task_with_the_end_of_its_window(
    calls: AgentCalls, tasks: TaskList, message: OutboundMessage, clock: FixedClock
) -> None:
    accepted = await calls.send(message)

    kept = tasks.get(accepted.provider_message_id)
    assert (kept.address, kept.script, kept.not_after) == (message.to, message.text, message.not_after)
    assert (kept.callback_url, kept.created_at) == ("https://cobranza.example.com/webhooks/calls", clock.now())


@pytest.mark.parametrize("live", [False, True])
async def test_a_task_remembers_whether_it_is_for_practice(
    calls: AgentCalls, tasks: TaskList, message: OutboundMessage, live: bool
) -> None:
    """
    Law 13: live = false is the default.
    """

    class Egress:
        def require(self, host: str) -> None:
            if not live:
                raise LiveInterlockError(host)

    calls.services = evolve(calls.services, egress=Egress())
    await calls.send(message)

    assert tasks.get("A-1").practice is not live


async def test_a_window_that_has_closed_makes_no_task(
    calls: AgentCalls, path: Path, message: OutboundMessage, clock: FixedClock
) -> None:
    with pytest.raises(ProviderError) as caught:
        await calls.send(evolve(message, not_after=clock.now()))

    assert axes(caught.value) == ("validation", "never", "no", "window_closed")
    assert not is_made(path)


async def test_a_busy_file_is_tried_again(
    calls: AgentCalls, path: Path, message: OutboundMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await calls.send(message)
    monkeypatch.setattr(module, "BUSY_S", 0.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(ProviderError) as caught:
        await calls.send(evolve(message, attempt_id="A-2"))
    other.close()

    assert axes(caught.value) == ("provider_down", "retry", "no", "SQLITE_BUSY")


async def test_a_folder_that_is_not_there_needs_a_person(
    clock: FixedClock, tmp_path: Path, message: OutboundMessage
) -> None:
    calls = make_provider(AgentCalls, {"path": str(tmp_path / "no" / "tasks.db"), "webhook_secret": "s"}, clock=clock)

    with pytest.raises(ProviderError) as caught:
        await calls.send(message)

    assert axes(caught.value) == ("config", "fix_first", "no", "SQLITE_CANTOPEN")
    assert not (await calls.check()).ok


async def test_what_may_be_written_may_be_out(
    calls: AgentCalls, message: OutboundMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is not made again under another id: a second agent would call.
    """

    def fails(_self: TaskList, connection: Any) -> None:
        msg = "x"
        raise module.TaskListError(msg, code="SQLITE_IOERR_FSYNC", maybe_written=True)

    monkeypatch.setattr(TaskList, "_commit", fails)
    with pytest.raises(ProviderError) as caught:
        await calls.send(message)

    assert axes(caught.value) == ("provider_down", "never", "maybe", "SQLITE_IOERR_FSYNC")


async def test_a_look_up_is_exact(calls: AgentCalls, message: OutboundMessage, clock: FixedClock) -> None:
    """
    The file holds all there is; without the file nobody knows.
    """
    attempt = AttemptRef(attempt_id="A-1", to=message.to, sent_at=clock.now())

    assert isinstance(await calls.lookup(attempt), Undetermined)
    await calls.send(evolve(message, attempt_id="A-2"))
    assert await calls.lookup(attempt) == Absent(checked_until=clock.now())
    await calls.send(message)
    found = Found(provider_message_id="A-1", kind=EventKind.ACCEPTED, occurred_at=clock.now())
    assert await calls.lookup(attempt) == found


async def test_a_look_up_tells_what_the_agent_said(
    calls: AgentCalls, tasks: TaskList, message: OutboundMessage, clock: FixedClock
) -> None:
    await calls.send(message)
    clock.advance(timedelta(minutes=5))
    tasks.record(Outcome(task_id="A-1", outcome="no_answer", by="rosa", at=clock.now()), now=clock.now())

    found = await calls.lookup(AttemptRef(attempt_id="A-1", to=message.to, sent_at=clock.now()))

    assert found == Found(provider_message_id="A-1", kind=EventKind.FAILED, occurred_at=clock.now())


async def test_checking_makes_no_file_and_no_task(calls: AgentCalls, path: Path, message: OutboundMessage) -> None:
    before = await calls.check()
    assert (before.ok, before.detail, is_made(path)) == (True, "the file is made with the first task", False)
    await calls.send(message)
    assert (await calls.check()).detail == "1 open tasks"
    damage(path)
    assert not (await calls.check()).ok


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"path": "  "}, "path must name a file"),
        ({"path": "/tmp/"}, "path must name a file"),  # noqa: S108  # never opened
        ({"webhook_secret": []}, "webhook_secret: found an empty list"),
        ({"page": "a5"}, "page"),
        ({"sender": ["x" * 61]}, "sender must be at most 6 lines"),
        ({"sender": ["x"] * 7}, "sender must be at most 6 lines"),
        ({"qr_prefix": "http://pay.example/"}, "qr_prefix must begin with https://"),
        ({"qr_prefix": "https://u:p@pay.example/"}, "qr_prefix must begin with https://"),
    ],
)
def test_a_slip_in_the_settings_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make_provider(AgentLetters, {"path": "tasks.db", "webhook_secret": "s", **changes})
