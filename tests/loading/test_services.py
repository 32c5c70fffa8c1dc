"""
The time and the ids that every provider is given.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import Accepted, Channel, ChannelCapabilities, InvalidValueError, LiveInterlockError, OutboundMessage
from cobranza_sdk.loading import FixedClock, SystemClock, TimeIds
from cobranza_sdk.model._checks import MAX_ID_LENGTH, opaque_id
from cobranza_sdk.testing import make_provider

NOON = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
ALPHABET = set("0123456789abcdefghjkmnpqrstvwxyz")
instants = st.datetimes(datetime(1971, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(instants, min_size=2, max_size=20), st.integers())
def test_ids_sort_in_the_order_they_were_made(times: list[datetime], seed: int) -> None:
    """
    The ledger's order is that of its ids, also when an NTP correction sets the clock back.
    """
    clock = FixedClock(times[0])
    ids = TimeIds(clock, random.Random(seed).getrandbits)
    made = []
    for at in times:
        clock.set(at)
        made += [ids.new(), ids.new()]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_fits_everywhere() -> None:
    """
    Vendors echo it in query strings and headers, and the database keeps 32 characters.
    """
    for bits in (lambda _: 0, lambda n: 2**n - 1, random.Random(1).getrandbits):
        made = TimeIds(FixedClock(NOON), bits).new()

        assert len(made) == 26 <= MAX_ID_LENGTH
        assert set(made) <= ALPHABET
        opaque_id(None, None, made)  # type: ignore[arg-type]  # only named in an error


def test_ids_of_one_millisecond_count_upwards() -> None:
    """
    A thousand events of one transaction keep their order, and a tail of ones does not overflow.
    """
    ids = TimeIds(FixedClock(NOON), lambda bits: 2**bits - 1)

    made = [ids.new() for _ in range(1000)]

    assert made == sorted(set(made))
    assert len({one[:10] for one in made}) == 1


def test_a_later_millisecond_sorts_later_whatever_the_chance() -> None:
    """
    Sorting must come from the time, not from luck.
    """
    clock = FixedClock(NOON)
    chances = [2**79 - 1, 0]
    ids = TimeIds(clock, lambda _: chances.pop(0))
    first = ids.new()
    clock.advance(timedelta(milliseconds=1))

    assert ids.new() > first


def test_threads_share_ids_without_a_twin() -> None:
    """
    Law 2: two attempts with one id would be one row.
    """
    ids = TimeIds(FixedClock(NOON), random.Random(0).getrandbits)
    made: list[list[str]] = []

    def work() -> None:
        mine = [ids.new() for _ in range(2000)]
        made.append(mine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one for mine in made for one in mine}) == 8 * 2000
    assert all(mine == sorted(mine) for mine in made)


def test_a_second_thread_waits_for_the_first() -> None:
    """
    Law 2: interrupted between reading and writing the last id, two threads would count from the same one.
    """
    made: list[str] = []
    second = threading.Thread(target=lambda: made.append(ids.new()))

    def interrupted(_: int) -> int:
        if second.ident is None:
            second.start()
            second.join(timeout=0.05)
        return 7

    ids = TimeIds(FixedClock(NOON), interrupted)
    first = ids.new()
    second.join()

    assert made[0] > first


def test_two_processes_do_not_meet() -> None:
    """
    Without a chance of their own, two workers of one millisecond would make the same id.
    """
    clock = FixedClock(NOON)

    assert len({TimeIds(clock).new() for _ in range(100)}) == 100


def test_a_fixed_clock_refuses_what_is_naive() -> None:
    """
    Law 4: ``--at 2026-08-05T12:00`` without an offset is nobody's noon.
    """
    naive = NOON.replace(tzinfo=None)

    with pytest.raises(InvalidValueError, match="offset"):
        FixedClock(naive)
    with pytest.raises(InvalidValueError, match="offset"):
        FixedClock(NOON).set(naive)


def test_a_fixed_clock_speaks_utc_and_stands_still() -> None:
    """
    A replay of a decision gives the same bytes.
    """
    clock = FixedClock(NOON.astimezone(timezone(timedelta(hours=-5))))

    assert (clock.now(), clock.now().tzinfo, clock.fixed) == (NOON, UTC, True)
    clock.advance(timedelta(hours=1))
    assert clock.now() == NOON + timedelta(hours=1)


def test_the_systems_clock_is_not_fixed() -> None:
    """
    Law 13: only what is not fixed may send live; and it is aware.
    """
    assert SystemClock().fixed is False
    assert SystemClock().now().utcoffset() == timedelta(0)


@frozen
class Config:
    """
    One address.
    """

    base_url: str = "http://127.0.0.1"


class Fake(Channel):
    """
    Posts to its address.
    """

    name = "fake"
    config = Config
    capabilities = ChannelCapabilities(channel="sms", family="message", schemes=("e164",))

    async def send(self, message: OutboundMessage) -> Accepted:
        await self.services.http.post(self.settings.base_url)
        return Accepted(provider_message_id="1")


def test_a_provider_under_test_lives_at_a_known_instant() -> None:
    """
    A test that reads the wall clock passes by day and fails by night.
    """
    assert make_provider(Fake, {}).services.clock.now() == make_provider(Fake, {}).services.clock.now()
    assert make_provider(Fake, {}, now=NOON).services.clock.now() == NOON
    assert make_provider(Fake, {}).services.ids.new() == make_provider(Fake, {}).services.ids.new()
    with pytest.raises(InvalidValueError):
        make_provider(Fake, {}, now=NOON.replace(tzinfo=None))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_provider_under_test_reaches_no_vendor(anyio_backend: str) -> None:
    """
    Law 13: a test with real settings must not write to real people.
    """
    provider = make_provider(Fake, {"base_url": "https://api.vendor.example"})

    with pytest.raises(LiveInterlockError):
        await provider.services.http.post(provider.settings.base_url)
    with pytest.raises(LiveInterlockError):
        provider.services.egress.require("api.vendor.example")
    await provider.services.http.aclose()
