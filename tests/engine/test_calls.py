"""
The guard around every call to a provider, over the real engine; time passes only where the clock is told to wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from attrs import evolve
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.conftest import WEDNESDAY, FakeSms, fake_plugins

from cobranza_sdk import Accepted, Category, Cobranza, Disposition, Event, EventKind, ProviderError, Transmitted
from cobranza_sdk.engine import Repeat
from cobranza_sdk.engine._pace import COOL_S, TRIES
from cobranza_sdk.loading import FixedClock
from cobranza_sdk.store import Attempts, Claimed, StoreError

DOWN = ProviderError(Category.PROVIDER_DOWN, Disposition.NEVER, Transmitted.MAYBE)
SLOWER = ProviderError(Category.RATE_LIMIT, Disposition.RETRY, Transmitted.NO)


class WalkingClock(FixedClock):
    """
    Goes on by as much as somebody waits, and counts that.
    """

    fixed = False

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """
        Pass at once.
        """
        self.waits.append(seconds)
        self.advance(timedelta(seconds=seconds))


@pytest.fixture
def walking() -> WalkingClock:
    """
    A Wednesday, 10:00 in Lima.
    """
    return WalkingClock(WEDNESDAY)


@pytest.fixture
def build(settings: dict[str, Any], walking: WalkingClock, box: Any) -> Iterator[Callable[..., Cobranza]]:
    """
    A house whose clock walks, with limits for its channels.
    """
    made: list[Cobranza] = []

    def make(sms: dict[str, Any] | None = None, **changes: Any) -> Cobranza:
        limited = type("LimitedSms", (FakeSms,), {"capabilities": evolve(FakeSms.capabilities, **(sms or {}))})
        house = Cobranza({**settings, **changes}, clock=walking, plugins=fake_plugins(("channel", limited)))
        made.append(house)
        return house

    yield make
    for house in made:
        house.close()


@pytest.fixture
def due(debtor: Any, receivable: Any) -> Callable[..., None]:
    """
    Puts debtors who are written to today.
    """

    def put(house: Cobranza, count: int) -> None:
        for number in range(count):
            key = f"D-{number:03d}"
            house.portfolio.put(debtor(key), receivable(f"F-{key}", key))
        house.plan()

    return put


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    """
    The process's one tracer, as a host would set it.
    """
    exporter, provider = InMemorySpanExporter(), trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):  # the kit for plugins may have set one before
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """
    Spans of this test.
    """
    exporter.clear()
    return exporter


def when_sent(script: Any, walking: WalkingClock) -> list[datetime]:
    """
    Notes when each SMS leaves.
    """
    times: list[datetime] = []

    def answer(message: Any) -> Accepted:
        times.append(walking.now())
        return Accepted(provider_message_id=f"m-{len(times)}-{message.attempt_id}")

    script["fake_sms"] = [answer] * 500
    return times


# -- pace ------------------------------------------------------------------------------------------------------------


def test_messages_leave_no_faster_than_the_account_may(
    build: Any, due: Any, script: Any, walking: WalkingClock
) -> None:
    """
    F100: a backlog is no burst. Forty messages at four a second take nine seconds after the first four.
    """
    house = build({"messages_per_second": 4})
    due(house, 40)
    times = when_sent(script, walking)

    report = house.dispatch()

    assert report.counts == {"accepted": 40}
    assert times[-1] - times[0] == timedelta(seconds=9)
    for first, fifth in zip(times, times[4:], strict=False):
        assert fifth - first >= timedelta(seconds=0.25)
    for at in times:
        assert sum(at <= other < at + timedelta(seconds=1) for other in times) <= 8


def test_the_operators_figure_wins(build: Any, due: Any, script: Any, walking: WalkingClock) -> None:
    """
    A contract may allow less than what the vendor usually grants.
    """
    house = build(
        {"messages_per_second": 80},
        channels={"sms": {"provider": "fake_sms", "calls_per_second": 0.5}},
    )
    due(house, 4)
    times = when_sent(script, walking)

    house.dispatch()

    assert [later - times[0] for later in times] == [timedelta(seconds=2 * number) for number in range(4)]


def test_a_slow_account_holds_up_no_other(
    build: Any, due: Any, script: Any, walking: WalkingClock, debtor: Any, receivable: Any
) -> None:
    """
    Law 8: the mail of the same batch is out before the second SMS.
    """
    house = build({"messages_per_second": 0.1})
    due(house, 3)
    times = when_sent(script, walking)
    mailed: list[datetime] = []

    def mail(message: Any) -> Accepted:
        mailed.append(walking.now())
        return Accepted(provider_message_id=message.attempt_id)

    script["fake_email"] = [mail] * 20
    for number in range(10):
        key = f"M-{number}"
        house.portfolio.put(debtor(key, consents=[], contact_points=debtor(key).contact_points[1:]))
        house.portfolio.put(receivable(f"F-{key}", key))
        house.consents.grant(key, "email", source="test", at=walking.now())
    house.plan()

    house.dispatch()

    assert len(mailed) == 10
    assert max(mailed) < times[1]


def test_waiting_happens_before_the_claim(build: Any, due: Any, script: Any, walking: WalkingClock) -> None:
    """
    Only what is on the wire is ``sending``: a crash while waiting leaves nothing unknown.
    """
    house = build({"messages_per_second": 0.5})
    due(house, 3)
    when_sent(script, walking)
    seen: list[list[str]] = []
    walk = walking.sleep

    async def look(seconds: float) -> None:
        seen.append([line["state"] for line in house.attempts.list()])
        await walk(seconds)

    walking.sleep = look  # type: ignore[method-assign]

    house.dispatch()

    assert len(seen) == 2
    assert all("sending" not in states and "leased" in states for states in seen)


def test_an_opt_out_that_comes_while_waiting_is_heard(
    build: Any, due: Any, script: Any, walking: WalkingClock, debtor: Any
) -> None:
    """
    G4: a slow account makes a batch last for minutes; who leaves meanwhile is not written to.
    """
    house = build({"messages_per_second": 0.5})
    due(house, 3)
    times = when_sent(script, walking)
    walk = walking.sleep

    async def everybody_leaves(seconds: float) -> None:
        events = [
            Event(
                kind=EventKind.OPT_OUT,
                key=f"e-{number}",
                occurred_at=walking.now(),
                account="fake_sms",
                address=debtor(f"D-{number:03d}").contact_points[0].address,
            )
            for number in range(3)
        ]
        house.tenant.inbox.store("sms", events, walking.now())
        await walk(seconds)

    walking.sleep = everybody_leaves  # type: ignore[method-assign]

    house.dispatch()

    assert len(times) == 1


def test_what_cannot_leave_within_the_lease_is_given_back_with_its_time(
    build: Any, due: Any, script: Any, walking: WalkingClock
) -> None:
    """
    A lease that runs out in a queue would be another worker's.
    """
    house = build({"messages_per_second": 1 / 50})
    due(house, 20)
    times = when_sent(script, walking)

    house.dispatch(limit=20)

    waiting = [line for line in house.attempts.list() if line["state"] == "planned"]
    assert len(times) + len(waiting) == 20
    assert len(times) == 9  # in the first half of a quarter of an hour, one in 50 seconds
    assert {line["reason"] for line in waiting} == {"account_waits"}
    assert all(datetime.fromisoformat(line["not_before"]) > walking.now() for line in waiting)


def test_one_address_is_paced_apart(
    build: Any, due: Any, script: Any, walking: WalkingClock, debtor: Any, receivable: Any
) -> None:
    """
    Two people who share a phone are one pair for the vendor: the second message waits, the others go.
    """
    house = build({"recipient_per_second": 1 / 600})
    shared = debtor("D-0").contact_points
    for key, points in (("D-0", shared), ("D-1", shared), ("D-2", debtor("D-2").contact_points)):
        house.portfolio.put(debtor(key, contact_points=points), receivable(f"F-{key}", key))
    house.plan()
    times = when_sent(script, walking)

    house.dispatch()

    (left,) = [line for line in house.attempts.list() if line["state"] == "planned"]
    assert len(times) == 2
    assert left["reason"] == "address_waits"
    assert datetime.fromisoformat(left["not_before"]) == WEDNESDAY + timedelta(seconds=600)
    walking.advance(timedelta(seconds=600))
    assert house.dispatch().counts == {"accepted": 1}


def test_a_wait_too_short_for_the_hosts_clock_is_waited_all_the_same(
    build: Any, due: Any, script: Any, walking: WalkingClock
) -> None:
    """
    A clock that counts microseconds does not move by less: what is left of a wait must not be asked for for ever.
    """
    house = build({"messages_per_second": 7, "burst": 1})
    due(house, 6)
    when_sent(script, walking)
    walk = walking.sleep

    async def impatient(seconds: float) -> None:
        assert len(walking.waits) < 100
        await walk(seconds)

    walking.sleep = impatient  # type: ignore[method-assign]

    assert house.dispatch().counts == {"accepted": 6}


# -- breaker ---------------------------------------------------------------------------------------------------------


def test_f31_a_vendor_that_is_down_is_left_alone_then_probed_by_one(
    build: Any, due: Any, script: Any, walking: WalkingClock
) -> None:
    """
    F31: the failures are unknown, the rest is not burnt; one attempt asks whether the vendor is back.
    """
    house = build(runner={"concurrency": 1})
    due(house, 12)
    tried: list[datetime] = []

    def down(message: Any) -> Accepted:
        tried.append(walking.now())
        raise DOWN

    script["fake_sms"] = [down] * (TRIES + 1)

    report = house.dispatch()

    waits = [(at - tried[0]).total_seconds() for at in tried]
    assert waits == [0.0] * TRIES + [COOL_S]
    # The second rest is a minute, as long as anybody waits here; then the vendor answers, and all the others go.
    assert report.counts["unknown"] == TRIES + 1
    assert report.counts["accepted"] == 12 - TRIES - 1
    assert sum(walking.waits) == pytest.approx(COOL_S + 2 * COOL_S)


def test_f31_with_a_clock_that_stands_the_rest_stays_planned(
    house: Cobranza, due: Any, script: Any, clock: FixedClock
) -> None:
    """
    Nobody waits for a clock that is set by hand: what is left is sent by the run after it was set on.
    """
    due(house, 12)
    script["fake_sms"] = [DOWN] * 8  # one wave

    first = house.dispatch()
    clock.advance(timedelta(seconds=COOL_S))
    second = house.dispatch()

    assert first.counts["unknown"] == 8
    assert "accepted" not in first.counts
    assert second.counts["accepted"] == 4


def test_f30_a_429_slows_the_whole_sender(build: Any, due: Any, script: Any, walking: WalkingClock) -> None:
    """
    F30: not one attempt, the account: nobody else runs into it meanwhile.
    """
    house = build(runner={"concurrency": 1})
    due(house, 3)
    times = when_sent(script, walking)
    script["fake_sms"].insert(0, ProviderError("rate_limit", "retry", "no", retry_after=40))

    house.dispatch()

    assert [at - WEDNESDAY for at in times] == [timedelta(seconds=40)] * 2


def test_accounts_fail_apart(build: Any, due: Any, script: Any) -> None:
    """
    Law 8: mail goes on while the SMS vendor is down.
    """
    house = build()
    guards = house.place.guards
    sms, mail = (house.place.accounts.channels[name] for name in ("sms", "email"))

    async def fail() -> None:
        for _ in range(TRIES):
            with pytest.raises(ProviderError):
                await guards.of(sms).ask("x", _raises(DOWN), Repeat.UNSENT)

    anyio.run(fail)

    assert guards.of(sms).wait() == COOL_S
    assert guards.of(mail).wait() == 0


def test_a_guard_outlives_its_provider(build: Any) -> None:
    """
    Each synchronous call runs in a loop of its own: what was learned must not end with it.
    """
    house = build()
    guard = house.guards.of(house.accounts.channels["sms"])
    house.check()

    assert house.guards.of(house.accounts.channels["sms"]) is guard
    assert house.for_creditor("default").guards.of(house.accounts.channels["sms"]) is guard


# -- repetition ------------------------------------------------------------------------------------------------------


def _raises(*errors: BaseException | str) -> Callable[[], Any]:
    """
    A call that raises these in turn and then answers.
    """
    left = list(errors)
    calls: list[int] = []

    async def call() -> str:
        calls.append(1)
        if left:
            error = left.pop(0)
            if isinstance(error, BaseException):
                raise error
        return f"after {len(calls)}"

    return call


@pytest.mark.parametrize(
    ("repeat", "category", "disposition", "transmitted", "again"),
    [
        (Repeat.UNSENT, "rate_limit", "retry", "no", True),
        (Repeat.UNSENT, "network", "retry", "no", True),
        (Repeat.UNSENT, "network", "retry", "maybe", False),
        (Repeat.UNSENT, "network", "never", "maybe", False),
        (Repeat.UNSENT, "provider_down", "retry", "yes", False),
        (Repeat.UNSENT, "validation", "fix_first", "no", False),
        (Repeat.KEYED, "network", "never", "maybe", True),
        (Repeat.KEYED, "provider_down", "never", "maybe", True),
        (Repeat.KEYED, "rate_limit", "retry", "no", True),
        (Repeat.KEYED, "protocol", "never", "maybe", False),
        (Repeat.KEYED, "auth", "fix_first", "no", False),
        (Repeat.KEYED, "validation", "never", "no", False),
        (Repeat.HARMLESS, "network", "never", "maybe", True),
        (Repeat.HARMLESS, "rate_limit", "retry", "no", True),
        (Repeat.HARMLESS, "auth", "fix_first", "no", False),
        (Repeat.HARMLESS, "validation", "never", "no", False),
    ],
)
def test_a_call_is_made_again_only_where_that_is_safe(
    build: Any, repeat: Repeat, category: str, disposition: str, transmitted: str, again: bool
) -> None:
    """
    By disposition and transmission, and by what the call does.
    """
    guard = build().guards.of(build().accounts.channels["sms"])
    error = ProviderError(category, disposition, transmitted)

    async def ask() -> str:
        try:
            answer: str = await guard.ask("fetch", _raises(error), repeat)
        except ProviderError as raised:
            return "raised" if raised is error else "another"
        return answer

    assert anyio.run(ask) == ("after 2" if again else "raised")


def test_three_calls_are_made_and_no_more(build: Any, walking: WalkingClock) -> None:
    """
    Each later than the one before it; then somebody else decides.
    """
    guard = build().guards.of(build().accounts.channels["sms"])

    async def ask() -> None:
        await guard.ask("fetch", _raises(DOWN, DOWN, DOWN), Repeat.HARMLESS)

    with pytest.raises(ProviderError):
        anyio.run(ask)

    assert walking.waits == [0.5, 1.0]


def test_a_wait_beyond_the_deadline_is_not_waited(build: Any, walking: WalkingClock) -> None:
    """
    Who asks has 30 seconds; the vendor wants 40.
    """
    guard = build().guards.of(build().accounts.channels["sms"])

    async def ask() -> None:
        await guard.ask("fetch", _raises(ProviderError("rate_limit", "retry", "no", retry_after=40)), Repeat.HARMLESS)

    with pytest.raises(ProviderError) as caught:
        anyio.run(ask)

    assert (caught.value.category, caught.value.retry_after) == (Category.RATE_LIMIT, 40)
    assert walking.waits == []


def test_a_question_to_an_account_that_is_left_alone_is_not_asked(build: Any, walking: WalkingClock) -> None:
    """
    Nothing was transmitted, and the error says when to come back.
    """
    house = build(runner={"deadline_s": 10.0})
    guard = house.guards.of(house.accounts.channels["sms"])
    asked: list[int] = []

    async def down() -> None:
        asked.append(1)
        raise DOWN

    async def ask() -> None:
        for _ in range(TRIES):
            with pytest.raises(ProviderError):
                await guard.ask("fetch", down, Repeat.UNSENT)
        await guard.ask("fetch", down, Repeat.UNSENT)

    with pytest.raises(ProviderError) as caught:
        anyio.run(ask)

    assert len(asked) == TRIES
    assert caught.value.transmitted is Transmitted.NO
    assert caught.value.retry_after == pytest.approx(COOL_S)


def test_a_question_whose_asker_went_away_leaves_room_for_the_next_probe(build: Any, walking: WalkingClock) -> None:
    """
    Cancelled, it has told nothing, neither that the vendor is back nor that it is not.
    """
    guard = build().guards.of(build().accounts.channels["sms"])

    async def ask() -> None:
        for _ in range(TRIES):
            with pytest.raises(ProviderError):
                await guard.ask("fetch", _raises(DOWN), Repeat.UNSENT)
        walking.advance(timedelta(seconds=COOL_S))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await guard.ask("fetch", anyio.sleep_forever, Repeat.UNSENT)

    anyio.run(ask)

    assert guard.wait() == 0


def test_a_probe_that_was_never_sent_leaves_room_for_the_next(
    build: Any, due: Any, script: Any, walking: WalkingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The store failed between admission and call: the guard outlives the run, and no answer will ever come.
    """
    house = build(runner={"concurrency": 1})
    due(house, TRIES + 3)
    script["fake_sms"] = [DOWN] * TRIES
    house.dispatch(limit=TRIES)
    walking.advance(timedelta(seconds=COOL_S))

    def locked(*_: object) -> list[Claimed]:
        msg = "the database is locked"
        raise StoreError(msg)

    with monkeypatch.context() as broken:
        broken.setattr(Attempts, "claim", locked)
        with pytest.raises(StoreError):
            house.dispatch(limit=1)

    assert house.guards.of(house.accounts.channels["sms"]).wait() == 0
    assert house.dispatch().counts == {"accepted": 2}


# -- what is told ----------------------------------------------------------------------------------------------------


def test_each_call_is_one_line_and_one_span(
    build: Any, due: Any, script: Any, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Which account, what, about which attempt, what came of it, how long it took.
    """
    house = build(runner={"concurrency": 1})
    due(house, 2)
    script["fake_sms"] = [ProviderError("recipient", "never", "no", vendor_code="21211", vendor_message="+51900 bad")]
    with caplog.at_level(logging.INFO, logger="cobranza"):
        house.dispatch()

    lines = [record for record in caplog.records if "provider.call" in record.getMessage()]
    sent = [line for line in lines if "operation='send'" in line.getMessage()]
    assert [line.levelname for line in sent] == ["WARNING", "INFO", "INFO"]  # the refused one goes on by mail
    assert "category='recipient'" in sent[0].getMessage()
    assert "code='21211'" in sent[0].getMessage()
    assert "transmitted='no'" in sent[0].getMessage()
    told = spans.get_finished_spans()
    assert [span.name for span in told] == ["send fake_sms", "send fake_sms", "send fake_email"]
    assert [dict(span.attributes or {}).get("error.type") for span in told] == ["recipient", None, None]
    attempts = {line["attempt_id"] for line in house.attempts.list()}
    assert {dict(span.attributes or {})["cobranza.attempt"] for span in told} == attempts


def test_law_10_lines_and_spans_name_nobody(
    build: Any, due: Any, script: Any, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Law 10: neither an address, a text nor a vendor's own words, whatever is raised.
    """
    house = build(runner={"concurrency": 1})
    due(house, 3)
    canary = "Ana Prueba +51900123456 ana@example.com"
    script["fake_sms"] = [
        ValueError(canary),
        ProviderError("protocol", "never", "maybe", vendor_code=canary, vendor_message=canary),
        ProviderError("recipient", "never", "no", vendor_message=canary),
    ]

    with caplog.at_level(logging.DEBUG):
        house.dispatch()

    told = "".join(span.to_json() for span in spans.get_finished_spans())
    assert told.count('"name": "send fake_sms"') == 3
    for words in (caplog.text, told):
        assert "fake_sms" in words
        assert "Ana" not in words
        assert "900123456" not in words
        assert "ana@" not in words


def test_questions_are_told_with_their_tries(
    build: Any, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """
    One line for a question, not one for each time it was put.
    """
    guard = build().guards.of(build().accounts.channels["sms"])

    async def ask() -> str:
        answer: str = await guard.ask("fetch", _raises(DOWN, DOWN), Repeat.HARMLESS, payment="p-1")
        return answer

    with caplog.at_level(logging.INFO, logger="cobranza"):
        assert anyio.run(ask) == "after 3"

    (line,) = [record.getMessage() for record in caplog.records if "provider.call" in record.getMessage()]
    assert "tries=3" in line
    assert "payment='p-1'" in line
    (span,) = spans.get_finished_spans()
    assert span.status.is_unset
