"""
The guard around every call to a provider: pace, deadline, repetition where it is safe, one log line, one span.

Lines and spans carry names, ids and codes; never an address, a text
or a vendor's own words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import cache, partial
from threading import Lock
from typing import Any, TypeVar

from attrs import define

from cobranza_sdk.engine._guard import call_guarded, classed
from cobranza_sdk.engine._pace import SHORTEST_WAIT_S, Pace
from cobranza_sdk.loading import Configured
from cobranza_sdk.spec import (
    Accepted,
    Category,
    Clock,
    Disposition,
    Logger,
    OutboundMessage,
    ProviderError,
    Transmitted,
)

T = TypeVar("T")

#: Calls of one question, the first included.
_TRIES = 3
_AGAIN_S = 0.5
#: What an outage looks like to a question that may be asked again.
_OUTAGE = frozenset({Category.NETWORK, Category.PROVIDER_DOWN})


class Repeat(Enum):
    """
    Whether a call that failed may be made again at once.
    """

    #: It has an effect, and nothing tells two of them apart: only where it certainly did not arrive.
    UNSENT = "unsent"
    #: The vendor honours the key that it carries: also where it may have arrived.
    KEYED = "keyed"
    #: Made twice, it is as made once.
    HARMLESS = "harmless"

    def permits(self, error: ProviderError) -> bool:
        """
        Whether the call may be made again after *error*.
        """
        if self is not Repeat.UNSENT and error.category in _OUTAGE:
            return True
        if error.disposition is not Disposition.RETRY:
            return False
        return self is not Repeat.UNSENT or error.transmitted is Transmitted.NO


@define
class _Call:
    """
    One call under way, for its line and its span.
    """

    operation: str
    ids: Mapping[str, str]
    tries: int = 0
    error: ProviderError | None = None


class AccountGuard:
    """
    Stands before one account. May be used from several threads.

    Args:
        account: The account; its provider may be built anew, the guard goes on.
        clock: Measures and waits.
        logger: Gets one line a call.
        deadline_s: Longest time one call may take, its repetitions included.
    """

    def __init__(self, account: Configured, *, clock: Clock, logger: Logger, deadline_s: float) -> None:
        self._name, self._provider = account.name, account.provided.name
        self._clock, self._logger, self._deadline_s = clock, logger, deadline_s
        self._lock = Lock()
        # A clock that stands still never sends live: nobody's limit is at stake, and no slot would ever come.
        self._pace = Pace() if clock.fixed else _pace_of(account)

    # -- before a message is claimed -------------------------------------------------------------------------------

    def wait(self) -> float:
        """
        Seconds until the account may be used; zero now; infinity while a probe is out.
        """
        with self._lock:
            return self._pace.wait(self._clock.monotonic())

    def wait_for(self, address: str) -> float:
        """
        Seconds until this address may be written to again, the account aside.
        """
        with self._lock:
            return self._pace.wait_for(address, self._clock.monotonic())

    def admit(self, address: str | None = None) -> float:
        """
        Take a slot where there is one: zero. Otherwise the seconds to wait, and no slot is taken.
        """
        with self._lock:
            now = self._clock.monotonic()
            wait = self._pace.wait(now)
            if wait == 0:
                self._pace.take(now, address)
            return wait

    def release(self) -> None:
        """
        An admitted call is not made: if it was a probe, the next one is.
        """
        with self._lock:
            self._pace.breaker.release()

    # -- calls -----------------------------------------------------------------------------------------------------

    async def send(self, provider: Any, message: OutboundMessage) -> Accepted | ProviderError:
        """
        Hand an admitted message to the channel, once. Trying again is a new attempt, judged anew.

        Only KeyboardInterrupt and cancellation pass.
        """
        ids = {"attempt": message.attempt_id}
        if message.correlation is not None:
            ids["correlation"] = message.correlation
        try:
            with self._told("send", ids) as call:
                call.tries = 1
                return await call_guarded(partial(_accepted, provider, message), self._deadline_s)
        except Exception as error:  # noqa: BLE001  # law 8: whatever a plugin raises harms only its own attempt
            return classed(error)

    async def ask(self, operation: str, call: Callable[[], Awaitable[T]], repeat: Repeat, **ids: str) -> T:
        """
        Make a call that sends no message, and make it again where that is safe.

        Args:
            operation: The method's name, for the line and the span.
            call: Makes it.
            repeat: Whether a call that failed may be made again.
            ids: What it is about.

        Raises:
            ProviderError: It failed, or there is no slot within the deadline: then nothing was transmitted.
        """
        ends = self._clock.monotonic() + self._deadline_s
        with self._told(operation, ids) as told:
            await self._slot(ends)
            while True:
                told.tries += 1
                try:
                    return await call_guarded(call, max(ends - self._clock.monotonic(), 0.001))
                except Exception as error:  # law 8: whatever a plugin raises is classed
                    failed = classed(error)
                    wait = max(_AGAIN_S * (1 << (told.tries - 1)), failed.retry_after or 0.0)
                    late = self._clock.monotonic() + wait >= ends
                    if told.tries >= _TRIES or late or not repeat.permits(failed):
                        raise failed from error
                await self._clock.sleep(wait)

    async def draw(self, operation: str, call: Callable[[], Awaitable[T]], deadline_s: float) -> T:
        """
        Make a call once and at once, whatever pace and breaker say: a step of a stream, or somebody wants to know.

        Raises:
            TimeoutError: It is not done within *deadline_s*.
            Exception: Whatever it raised.
        """
        with self._told(operation, {}) as told:
            told.tries = 1
            return await call_guarded(call, deadline_s)

    async def _slot(self, ends: float) -> None:
        """
        Wait for a slot and take it.
        """
        while (wait := self.admit()) > 0:
            if self._clock.fixed or self._clock.monotonic() + wait >= ends:
                asked_again = None if wait == float("inf") else wait
                raise _ClosedError(Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.NO, retry_after=asked_again)
            await self._clock.sleep(max(wait, SHORTEST_WAIT_S))

    @contextmanager
    def _told(self, operation: str, ids: Mapping[str, str]) -> Iterator[_Call]:
        """
        Tell the breaker, and write the line and the span of one call. What is raised passes as it is.
        """
        call, began = _Call(operation, ids), self._clock.monotonic()
        with _span(f"{operation} {self._provider}", {"account": self._name, "operation": operation, **ids}) as span:
            try:
                yield call
            except Exception as error:
                call.error = classed(error)
                self._end(call, span, self._clock.monotonic() - began)
                raise
            except BaseException:
                self.release()
                raise
            self._end(call, span, self._clock.monotonic() - began)

    def _end(self, call: _Call, span: Any, took_s: float) -> None:
        error = call.error
        if not isinstance(error, _ClosedError):
            with self._lock:
                self._pace.breaker.told(error, self._clock.monotonic())
        fields: dict[str, Any] = {"account": self._name, "provider": self._provider, "operation": call.operation}
        fields |= {**call.ids, "tries": call.tries, "took_ms": round(took_s * 1000, 1)}
        if error is None:
            self._logger.info("provider.call", **fields)
            return
        axes = {
            "category": str(error.category),
            "disposition": str(error.disposition),
            "transmitted": str(error.transmitted),
        }
        if error.vendor_code is not None:
            axes["code"] = error.vendor_code
        self._logger.warning("provider.call", **fields, **axes)
        _mark(span, axes)


async def _accepted(provider: Any, message: OutboundMessage) -> Accepted:
    answer: object = await provider.send(message)
    if isinstance(answer, Accepted):
        return answer
    raise ProviderError.unrecognised(vendor_message="no Accepted")


class _ClosedError(ProviderError):
    """
    The account is left alone for now. No call was made.
    """


class Guards:
    """
    The guards of all accounts. They outlive the providers, which are built anew for each event loop.
    """

    def __init__(self, *, clock: Clock, logger: Logger, deadline_s: float) -> None:
        self._clock, self._logger, self._deadline_s = clock, logger, deadline_s
        self._guards: dict[tuple[str, str], AccountGuard] = {}
        self._lock = Lock()

    def of(self, account: Configured) -> AccountGuard:
        """
        The guard of an account.
        """
        key = (account.provided.family, account.name)
        with self._lock:
            if key not in self._guards:
                self._guards[key] = AccountGuard(
                    account, clock=self._clock, logger=self._logger, deadline_s=self._deadline_s
                )
            return self._guards[key]


def _pace_of(account: Configured) -> Pace:
    """
    What the operator says of the account; else what its provider declares.
    """
    can, own = getattr(account.provider, "capabilities", None), account.settings.calls_per_second
    declared = getattr(can, "messages_per_second", None) or getattr(can, "calls_per_second", None)
    return Pace(
        per_second=own or declared,
        burst=None if own is not None else getattr(can, "burst", None),
        recipient_per_second=getattr(can, "recipient_per_second", None),
        recipient_burst=getattr(can, "recipient_burst", 1),
    )


# -- spans ---------------------------------------------------------------------------------------------------------


@cache
def _tracer() -> Any:
    from importlib.metadata import version

    from opentelemetry.trace import get_tracer

    return get_tracer("cobranza_sdk", version("cobranza-sdk"))


@contextmanager
def _span(name: str, ids: Mapping[str, str]) -> Iterator[Any]:
    """
    A span of a call to another system. What is raised inside is not recorded: its words may quote a person.
    """
    from opentelemetry.trace import SpanKind

    with _tracer().start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes={f"cobranza.{key}": value for key, value in ids.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def _mark(span: Any, axes: Mapping[str, str]) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", axes["category"])
    for key, value in axes.items():
        span.set_attribute(f"cobranza.{key}", value)
    span.set_status(Status(StatusCode.ERROR))
