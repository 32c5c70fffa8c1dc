"""
How fast an account is used, and when it is left alone.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import Category, Disposition, ProviderError, Transmitted
from cobranza_sdk.engine._pace import COOL_S, MAX_COOL_S, MAX_HELD_S, TRIES, Breaker, Bucket, Pace


def error(category: Category, retry_after: float | None = None) -> ProviderError:
    """
    A failed call.
    """
    return ProviderError(category, Disposition.RETRY, Transmitted.NO, retry_after=retry_after)


DOWN = error(Category.PROVIDER_DOWN)


def broken() -> Breaker:
    """
    A breaker that has just opened, at 0.
    """
    breaker = Breaker()
    for _ in range(TRIES):
        breaker.take()
        breaker.told(DOWN, 0.0)
    return breaker


@given(
    per_second=st.floats(0.05, 200),
    burst=st.integers(1, 50),
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=80),
)
def test_no_stretch_of_time_holds_more_than_rate_and_burst_allow(
    per_second: float, burst: int, steps: list[float]
) -> None:
    """
    The limit is the vendor's: it is counted over every stretch, not on average.
    """
    bucket, now, passed = Bucket(per_second, burst), 0.0, []
    for step in steps:
        now += step
        while bucket.wait(now) == 0 and len(passed) < 500:
            bucket.take(now)
            passed.append(now)

    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - passed[first]) * per_second + 1e-6


@given(per_second=st.floats(0.05, 200), burst=st.integers(1, 50), count=st.integers(2, 60))
def test_waiting_as_long_as_told_is_enough_and_no_longer_than_needed(per_second: float, burst: int, count: int) -> None:
    """
    Full use of the rate: the n-th passes at (n - burst) / rate.
    """
    bucket, now = Bucket(per_second, burst), 0.0
    for _ in range(count):
        while (wait := bucket.wait(now)) > 0:
            now += wait
        bucket.take(now)

    assert now == pytest.approx(max(0, count - burst) / per_second, abs=1e-6)


def test_f31_it_opens_after_failures_in_a_row() -> None:
    """
    F31: a vendor in trouble is left alone, so that it can get up and attempts do not burn.
    """
    breaker = Breaker()
    for _ in range(TRIES - 1):
        breaker.told(DOWN, 0.0)
    before = breaker.wait(0.0)
    breaker.told(DOWN, 0.0)

    assert (before, breaker.wait(0.0)) == (0.0, COOL_S)


@pytest.mark.parametrize(
    "answer", [None, error(Category.RECIPIENT), error(Category.VALIDATION), error(Category.TEMPLATE)], ids=str
)
def test_an_answer_about_the_message_proves_that_the_provider_works(answer: ProviderError | None) -> None:
    """
    Wrong numbers in a list say nothing against the vendor.
    """
    breaker = Breaker()
    for _ in range(3):
        for _ in range(TRIES - 1):
            breaker.told(DOWN, 0.0)
        breaker.told(answer, 0.0)

    assert breaker.wait(0.0) == 0


def test_f31_one_call_probes_and_its_answer_decides() -> None:
    """
    F31: half-open means one attempt, not a wave.
    """
    breaker = broken()
    assert breaker.wait(COOL_S) == 0

    breaker.take()
    assert breaker.wait(COOL_S) == float("inf")
    breaker.told(None, COOL_S)

    assert breaker.wait(COOL_S) == 0
    breaker.take()
    assert breaker.wait(COOL_S) == 0


def test_each_probe_that_fails_doubles_the_rest_up_to_a_limit() -> None:
    """
    Ten minutes at most: a vendor that is back is noticed.
    """
    breaker, now, rests = broken(), 0.0, []
    for _ in range(8):
        rests.append(breaker.wait(now))
        now += rests[-1]
        breaker.take()
        breaker.told(DOWN, now)

    assert rests[0] == COOL_S
    assert all(later == min(earlier * 2, MAX_COOL_S) for earlier, later in pairwise(rests))
    assert rests[-1] == MAX_COOL_S


def test_calls_that_were_under_way_when_it_opened_do_not_prolong_the_rest() -> None:
    """
    A wave of eight that fails together is one outage.
    """
    breaker = broken()
    for _ in range(3):
        breaker.told(DOWN, 1.0)

    assert breaker.wait(1.0) == COOL_S - 1.0


def test_a_probe_that_is_not_made_leaves_room_for_another() -> None:
    """
    The claim may refuse what was to be the probe.
    """
    breaker = broken()
    breaker.take()
    breaker.release()

    assert breaker.wait(COOL_S) == 0


@pytest.mark.parametrize(
    ("wanted", "held"),
    [(None, 1.0), (0.0, 1.0), (0.2, 1.0), (-5.0, 1.0), (90.0, 90.0), (86_400.0, MAX_HELD_S), (float("nan"), 1.0)],
)
def test_f30_a_429_slows_the_whole_account(wanted: float | None, held: float) -> None:
    """
    F30: honoured, capped at an hour, never shorter than our own wait.
    """
    breaker = Breaker()
    breaker.told(error(Category.RATE_LIMIT, wanted), 0.0)

    assert breaker.wait(0.0) == held


def test_f30_our_own_wait_grows_once_per_wave() -> None:
    """
    Eight 429s that come together are one piece of news.
    """
    breaker = Breaker()
    for now, _ in [(0.0, 1), *[(0.0, 1)] * 7, (5.0, 1), (10.0, 1)]:
        breaker.told(error(Category.RATE_LIMIT), now)

    assert breaker.wait(10.0) == 4.0


def test_pairs_are_paced_apart_from_the_account() -> None:
    """
    One message in six seconds to one person does not slow down the others.
    """
    pace = Pace(per_second=80, recipient_per_second=1 / 6, recipient_burst=2)
    for _ in range(2):
        pace.take(0.0, "a")

    assert pace.wait_for("a", 0.0) == pytest.approx(6)
    assert pace.wait_for("b", 0.0) == 0
    assert pace.wait(0.0) == 0


def test_addresses_are_forgotten_once_they_may_be_written_to_again() -> None:
    """
    A million debtors are not a million buckets.
    """
    pace = Pace(recipient_per_second=10)
    for number in range(20_000):
        pace.take(float(number), f"a{number}")

    assert len(pace._recipients) <= 4096
    assert pace.wait_for("a19999", 19_999.0) > 0
