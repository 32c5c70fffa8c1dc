"""
What the core injects into every provider: nothing is looked up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    import httpx


class Clock(ABC):
    """
    The only source of time.
    """

    #: Whether the time is set by hand. A fixed clock never sends live.
    fixed: bool = False

    @abstractmethod
    def now(self) -> datetime:
        """
        The present instant, aware UTC.
        """

    def monotonic(self) -> float:
        """
        Seconds since some instant; they never go back. Follows `now` unless a clock knows better.
        """
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        """
        Wait *seconds*, while others work.
        """
        from anyio import sleep

        await sleep(seconds)


class Ids(ABC):
    """
    The only source of new ids.
    """

    @abstractmethod
    def new(self) -> str:
        """
        An opaque ASCII id of at most 32 characters; later ones sort after earlier ones.
        """


class Logger(Protocol):
    """
    What providers may use of structlog's bound logger. Log ids only: no names, addresses or texts.
    """

    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...


class Egress(Protocol):
    """
    The interlock of ``live``. The injected HTTP client asks it itself; a provider that opens sockets of its own must.
    """

    def require(self, host: str) -> None:
        """
        Permit a connection to *host*, a name or an address literal.

        Raises:
            LiveInterlockError: ``live`` is false and *host* is not the loopback of this machine.
        """


@frozen(kw_only=True)
class Services:
    """
    What a provider gets besides its settings.

    Attributes:
        http: Client for all HTTP, with the interlock built in. Do not close it.
        clock: The time.
        ids: New ids.
        logger: Bound to the provider's configured name.
        webhook_url: Public address of this provider's webhooks, ``https://host/webhooks/<configured name>``, or None
            when ``[web] public_url`` is not configured.
        egress: To be asked before any connection that does not go through *http*.
    """

    http: httpx.AsyncClient = field(repr=False)
    clock: Clock
    ids: Ids
    logger: Logger = field(repr=False)
    webhook_url: str | None = None
    egress: Egress = field(repr=False)
