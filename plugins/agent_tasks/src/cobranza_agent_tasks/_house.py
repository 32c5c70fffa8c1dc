"""
What the command line is given: accounts, the gate, how late each debt is. By the public names of the SDK alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from attrs import field, frozen

from cobranza_agent_tasks._desk import Gate
from cobranza_agent_tasks._report import Account, Post, post
from cobranza_sdk import Cobranza

#: Attempts asked for at once.
_PAGE = 500

#: Providers of this plugin.
NAMES = frozenset({"agent_calls", "agent_visits", "agent_letters"})


def _nothing_known(_task_ids: Sequence[str]) -> Mapping[str, int]:
    return {}


@frozen(kw_only=True)
class House:
    """
    The SDK's side of the work.

    Attributes:
        accounts: Those of this plugin that are ready.
        gate: Judges an attempt again, or None where it cannot be asked.
        past_due: Days past due by attempt, for those it knows among some.
    """

    accounts: tuple[Account, ...] = ()
    gate: Gate | None = field(default=None, repr=False)
    past_due: Callable[[Sequence[str]], Mapping[str, int]] = field(default=_nothing_known, repr=False)


@frozen(kw_only=True)
class Setup:
    """
    What the commands work with.

    Attributes:
        open_house: Opens what a configuration names.
        now: The time.
        send: Posts a report.
    """

    open_house: Callable[[Path], AbstractContextManager[House]]
    now: Callable[[], datetime]
    send: Post = post


@contextmanager
def house_of(config: Path) -> Iterator[House]:
    """
    Open the application that *config* describes.
    """
    with Cobranza.from_config(config) as cobranza:
        yield House(
            accounts=tuple(_account(account) for account in _ours(cobranza)),
            gate=getattr(cobranza.attempts, "recheck", None),  # an SDK of before has none: nothing is shown
            past_due=lambda task_ids: _past_due(cobranza, task_ids),
        )


def usual() -> Setup:
    """
    The machine's clock, the real application, real posting.
    """
    return Setup(open_house=house_of, now=lambda: datetime.now(UTC))


def _ours(cobranza: Cobranza) -> list[tuple[str, object]]:
    channels = cobranza.accounts.channels.items()
    return [(name, account.provider) for name, account in channels if account.provider.name in NAMES]


def _account(named: tuple[str, object]) -> Account:
    name, provider = named
    settings = provider.settings  # type: ignore[attr-defined]  # a channel of this plugin
    return Account(
        name=name,
        channel=provider.capabilities.channel,  # type: ignore[attr-defined]  # likewise
        path=settings.path,
        secrets=settings.webhook_secret,
        webhook_url=provider.services.webhook_url,  # type: ignore[attr-defined]  # likewise
        sender=getattr(settings, "sender", ()),
        page=getattr(settings, "page", "a4"),
        qr_prefix=getattr(settings, "qr_prefix", None),
    )


def _past_due(cobranza: Cobranza, task_ids: Sequence[str]) -> Mapping[str, int]:
    """
    Days since the oldest open installment was due, where the debtor is.
    """
    place = cobranza.place
    pages = [list(task_ids[start : start + _PAGE]) for start in range(0, len(task_ids), _PAGE)]
    return {
        attempt_id: (place.today_of(facts.debtor) - facts.oldest_due_on).days
        for desk in place.desks.values()
        for page in pages
        for attempt_id, facts in desk.store.attempts.facts(page).items()
        if facts.oldest_due_on is not None
    }
