"""
The real services: system clock, ids, interlock.
"""

from __future__ import annotations

import ipaddress
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cobranza_sdk.model import InvalidValueError
from cobranza_sdk.spec import Clock, Egress, Ids, LiveInterlockError

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARS = 10
_RANDOM_CHARS = 16


class SystemClock(Clock):
    """
    The machine's clock.
    """

    def now(self) -> datetime:
        """
        The present instant, aware UTC.
        """
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """
        Seconds of the machine, which nobody can set.
        """
        return time.monotonic()


class FixedClock(Clock):
    """
    A clock that stands still until it is set. It never sends live.

    Raises:
        InvalidValueError: The instant has no offset.
    """

    fixed = True

    def __init__(self, at: datetime) -> None:
        self._now = _utc(at)

    def now(self) -> datetime:
        """
        The instant it was set to, aware UTC.
        """
        return self._now

    async def sleep(self, seconds: float) -> None:
        """
        Do not wait: nothing would move this clock meanwhile.
        """

    def set(self, at: datetime) -> None:
        """
        Move it to *at*, with offset.
        """
        self._now = _utc(at)

    def advance(self, by: timedelta) -> None:
        """
        Move it on by *by*.
        """
        self._now += by


def _utc(at: datetime) -> datetime:
    if at.utcoffset() is None:
        msg = "a clock needs an instant with an offset"
        raise InvalidValueError(msg)
    return at.astimezone(UTC)


class TimeIds(Ids):
    """
    Ids of 26 characters: 48 bits of milliseconds and 80 random bits, Crockford's base 32 in small letters.

    Ids of one millisecond count upwards, so they sort in the order they were made in.

    Args:
        clock: The time.
        random_bits: Takes a number of bits and returns that many random ones as an integer.
    """

    def __init__(self, clock: Clock, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._random_bits = random_bits
        self._lock = threading.Lock()
        self._last = (-1, 0)

    def new(self) -> str:
        """
        A new id.
        """
        millis = int(self._clock.now().timestamp() * 1000)
        with self._lock:
            before, tail = self._last
            # one bit less than 80, so that counting upwards never overflows in practice
            tail = tail + 1 if millis <= before else self._random_bits(5 * _RANDOM_CHARS - 1)
            millis = max(millis, before)
            self._last = (millis, tail)
        return _encode(millis, _TIME_CHARS) + _encode(tail, _RANDOM_CHARS)


def _encode(number: int, width: int) -> str:
    return "".join(_ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(width)))


class Interlock(Egress):
    """
    Law 13: with ``live = false`` only the loopback of this machine is reached.
    """

    def __init__(self, *, live: bool) -> None:
        self.live = live

    def require(self, host: str) -> None:
        """
        Permit a connection to *host*.

        Raises:
            LiveInterlockError: ``live`` is false and *host* is not loopback.
        """
        if not self.live and not _is_loopback(host):
            msg = f"live = false refuses the host {host}: only this machine's loopback is reached"
            raise LiveInterlockError(msg, hint="set live = true in cobranza.toml once real messages may leave")


def _is_loopback(host: str) -> bool:
    """
    Whether *host* is loopback by its spelling alone.

    Spellings that a resolver might read differently are not: ``localhost.`` is looked up in the DNS, and Python
    versions disagree about IPv4 addresses inside IPv6.
    """
    if host.lower() == "localhost":
        return True
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None
