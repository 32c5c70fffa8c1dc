"""
How fast an account may be used, and when not at all. Seconds of a clock that never goes back; nothing waits here.
"""

from __future__ import annotations

from cobranza_sdk.spec import Category, ProviderError

#: Failures in a row after which an account is left alone.
TRIES = 5
#: How long it is left alone at first; each probe that fails doubles it.
COOL_S = 30.0
MAX_COOL_S = 600.0
#: Longest that an account slows down because its vendor asked for it.
MAX_HELD_S = 3600.0
#: Whoever waits, waits this long at least: a clock that counts microseconds does not move by less than one.
SHORTEST_WAIT_S = 0.001
#: Addresses that a pace remembers before it forgets those that may be written to again.
_REMEMBERED = 4096
#: What tells that the provider itself is in trouble.
_TROUBLE = frozenset({Category.PROVIDER_DOWN, Category.NETWORK, Category.PROTOCOL})


class Bucket:
    """
    Lets *per_second* pass on average and up to *burst* at once.

    Args:
        per_second: More than zero.
        burst: At least one.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1 / per_second
        self._slack = (burst - 1) * self._interval
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """
        Seconds until the next may pass; zero now.
        """
        return max(0.0, self._next - self._slack - now)

    def take(self, now: float) -> None:
        """
        One passes.
        """
        self._next = max(self._next, now) + self._interval

    def is_full(self, now: float) -> bool:
        """
        Whether it has nothing to remember.
        """
        return self._next <= now


class Breaker:
    """
    Leaves an account alone after `TRIES` failures in a row, then lets one call probe it at a time.

    It also slows the whole account down when the vendor says that it is used too fast.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._slowed = 0
        self._cool_s = COOL_S
        self._until = float("-inf")
        self._is_open = False
        self._probing = False

    def wait(self, now: float) -> float:
        """
        Seconds until a call may be made; zero now; infinity while a probe is out, whose answer decides.
        """
        if now < self._until:
            return self._until - now
        return float("inf") if self._is_open and self._probing else 0.0

    def take(self) -> None:
        """
        A call is about to be made: where the account was left alone, it is the probe.
        """
        self._probing = self._is_open

    def release(self) -> None:
        """
        The call was not made after all.
        """
        self._probing = False

    def told(self, error: ProviderError | None, now: float) -> None:
        """
        What came of a call; None is success. Any answer that is about the message proves that the provider works.
        """
        self._probing = False
        if error is not None and error.category is Category.RATE_LIMIT:
            self._slow_down(error.retry_after or 0.0, now)
        elif error is not None and error.category in _TROUBLE:
            self._fail(now)
        else:
            self._failures = self._slowed = 0
            self._is_open, self._cool_s = False, COOL_S

    def _slow_down(self, wanted_s: float, now: float) -> None:
        if now >= self._until:  # answers to calls that were under way together slow down once
            self._slowed += 1
        own = float(1 << min(self._slowed - 1, 6)) if self._slowed else 1.0
        self._until = max(self._until, now + min(max(own, wanted_s), MAX_HELD_S))

    def _fail(self, now: float) -> None:
        self._failures += 1
        if self._failures < TRIES or (self._is_open and now < self._until):
            return
        self._is_open = True
        self._until = max(self._until, now + self._cool_s)
        self._cool_s = min(self._cool_s * 2, MAX_COOL_S)


class Pace:
    """
    When a call may be made: what the capabilities allow, per account and per address, and what the breaker says.

    Args:
        per_second: Rate of the account, or None.
        burst: How many may leave at once; None is what one second allows.
        recipient_per_second: Rate to one address, or None.
        recipient_burst: How many may go to one address at once.
    """

    def __init__(
        self,
        *,
        per_second: float | None = None,
        burst: int | None = None,
        recipient_per_second: float | None = None,
        recipient_burst: int = 1,
    ) -> None:
        self.breaker = Breaker()
        self._account = None if per_second is None else Bucket(per_second, burst or max(1, int(per_second)))
        self._recipient = None if recipient_per_second is None else (recipient_per_second, recipient_burst)
        self._recipients: dict[str, Bucket] = {}

    def wait(self, now: float) -> float:
        """
        Seconds until the account may be used.
        """
        return max(self.breaker.wait(now), 0.0 if self._account is None else self._account.wait(now))

    def wait_for(self, address: str, now: float) -> float:
        """
        Seconds until this address may be written to, the account aside.
        """
        bucket = self._recipients.get(address)
        return 0.0 if bucket is None else bucket.wait(now)

    def take(self, now: float, address: str | None = None) -> None:
        """
        A call is about to be made.
        """
        self.breaker.take()
        if self._account is not None:
            self._account.take(now)
        if self._recipient is not None and address is not None:
            if len(self._recipients) >= _REMEMBERED:
                self._recipients = {key: one for key, one in self._recipients.items() if not one.is_full(now)}
            self._recipients.setdefault(address, Bucket(*self._recipient)).take(now)
