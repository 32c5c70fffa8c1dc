"""
One provider with injected fakes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx

from cobranza_sdk.loading import FixedClock, Interlock, TimeIds, http_client
from cobranza_sdk.loading._structure import structure
from cobranza_sdk.spec import Clock, Logger, Provider, Services

P = TypeVar("P", bound=Provider)

#: The instant at which fakes live unless told otherwise: a Wednesday noon in Lima and Bogotá.
EPOCH = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


class _SilentLogger:
    def debug(self, event: str, **fields: Any) -> None: ...

    info = warning = error = debug


def make_provider(
    provider_class: type[P],
    settings: Mapping[str, Any],
    *,
    now: datetime | None = None,
    http: httpx.AsyncClient | None = None,
    clock: Clock | None = None,
    webhook_url: str | None = None,
    logger: Logger | None = None,
) -> P:
    """
    Build one provider as the core would, with a clock that stands still and an interlock that is on.

    Args:
        provider_class: The provider.
        settings: As in ``cobranza.toml``; a secret may also be plain text, a function or a `Secret`.
        now: The instant its clock shows, aware; a fixed one of 2026 when None.
        http: Client to use instead of a real one that reaches loopback only.
        clock: Clock to use instead of one fixed at *now*.
        webhook_url: What `Services.webhook_url` says.
        logger: Where it logs; nowhere when None.

    Raises:
        ConfigurationError: The settings do not fit, with every key named.
    """
    clock = clock or FixedClock(now or EPOCH)
    egress = Interlock(live=False)
    services = Services(
        http=http or http_client(egress),
        clock=clock,
        ids=TimeIds(clock, random.Random(0).getrandbits),  # noqa: S311  # repeatable ids, not secrets
        logger=logger or _SilentLogger(),
        webhook_url=webhook_url,
        egress=egress,
    )
    config: Any = structure(provider_class.config, settings, path=provider_class.name, plain_secrets=True)
    return provider_class(config, services)
