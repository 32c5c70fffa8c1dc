"""
A whole house for one test: a store of its own, the installed channels against their vendors' emulators, and a clock.
"""

from __future__ import annotations

import tempfile
import typing
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen

from cobranza_sdk.app import Cobranza
from cobranza_sdk.loading import FixedClock, Plugins, load_plugins
from cobranza_sdk.model import CobranzaError, InvalidValueError
from cobranza_sdk.spec import Sandbox, SandboxMessage, Secret
from cobranza_sdk.testing._chaos import Chaos, Post, WatchedSandbox
from cobranza_sdk.testing._portfolio import DebtorDraft, PortfolioBuilder
from cobranza_sdk.testing._providers import EPOCH

#: Configured name of the payment account.
PAYMENTS = "payments"
_CREDITOR = {
    "name": "Tienda Ejemplo",
    "contact_line": "ayuda@example.com",
    "payment_url": "https://pagos.example.com/{reference}",
}


@frozen(kw_only=True)
class Carried:
    """
    A message that an emulator took, and what can become of it.

    Attributes:
        account: Configured name of the account that carried it: ``sms``, ``email``, ``whatsapp``.
        message: As it arrived.
    """

    account: str
    message: SandboxMessage
    _rehearsal: Rehearsal = field(repr=False, alias="rehearsal")

    @property
    def text(self) -> str:
        """
        The words that arrived.
        """
        return self.message.text

    def deliver(self) -> None:
        """
        Let it arrive.
        """
        self._told("deliver")

    def read(self) -> None:
        """
        Let it be read.
        """
        self._told("read")

    def fail(self) -> None:
        """
        Let the person be out of reach.
        """
        self._told("fail")

    def reply(self, text: str) -> None:
        """
        Let the person answer.
        """
        self._told("reply", text)

    def _told(self, what: str, *words: str) -> None:
        sandbox = self._rehearsal.sandboxes[self.account]
        getattr(sandbox, what)(self.message.provider_message_id, *words)
        self._rehearsal.hear()


class Rehearsal:
    """
    A house in which everything is real but the vendors and the time. Use it as a context manager.

    Nothing leaves this machine: ``live`` is false, and the clock stands until the test moves it.

    Args:
        country: Of the creditor, and of debtors for whom none is named.
        at: When it begins; noon of a Wednesday in Lima when None.
        channels: Kinds of channel to use, for example ``["sms"]``; None takes all that are installed with an emulator.
        strategy: A file; the strategy that `cobranza init` writes when None.
        accept_risk: As in ``[compliance]``.
        payments: Whether messages carry payment links, of the first installed payment provider with an emulator.
        settings: Tables of ``cobranza.toml`` that are added or take the place of its own.
        chaos: What goes wrong with webhooks; None for nothing.
        seed: Of the invented people.
        plugins: What to use instead of the installed plugins.

    Attributes:
        clock: The time.
        portfolio: Makes debtors; `run` stores what is new in it.
        post: Where webhooks wait; its `faults` tell what was done to which.
        sandboxes: The emulators by the account's name.
        cobranza: The house.
    """

    def __init__(
        self,
        *,
        country: str = "PE",
        at: datetime | None = None,
        channels: Iterable[str] | None = None,
        strategy: Path | str | None = None,
        accept_risk: Iterable[str] = (),
        payments: bool = False,
        settings: Mapping[str, Any] | None = None,
        chaos: Chaos | None = None,
        seed: int = 0,
        plugins: Plugins | None = None,
    ) -> None:
        self.clock = FixedClock(at or EPOCH)
        self.portfolio = PortfolioBuilder(self.clock, country=country, seed=seed)
        self.sandboxes: dict[str, WatchedSandbox] = {}
        self.cobranza: Cobranza
        self.post: Post
        self._country = country
        self._channels = None if channels is None else tuple(channels)
        self._strategy = strategy
        self._accept_risk = list(accept_risk)
        self._payments = payments
        self._more = dict(settings or {})
        self._chaos = chaos
        self._plugins = plugins
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            plugins = self._plugins or load_plugins(allow=self._more.get("plugins", {}).get("allow"))
            self.post = stack.enter_context(Post(self.clock, self._chaos))
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cobranza-rehearsal-")))
            table = {**self._table(plugins, place, stack), **self._more}
            self.cobranza = stack.enter_context(Cobranza(table, clock=self.clock, plugins=plugins))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    # -- what happens ----------------------------------------------------------------------------------------------

    def run(self) -> Counter[str]:
        """
        Store what is new in the portfolio, plan, send what may leave, and hear what came back.

        Returns:
            What became of attempts, by state.
        """
        records = self.portfolio.take()
        if records:
            self.cobranza.portfolio.put(*records)
        self.cobranza.plan()
        counts = Counter(self.cobranza.dispatch().counts)
        self.hear()
        return counts

    def hear(self) -> list[int]:
        """
        Hand over the webhooks that are due, and act on them; returns the answers' statuses.
        """
        statuses = [self.cobranza.inbox.receive(account, request).status for account, request in self.post.due()]
        while set(self.cobranza.process_inbox()) & {"applied"}:
            pass
        return statuses

    def later(self, **by: float) -> Self:
        """
        Move the clock on, as `timedelta` takes it, and hear what arrives meanwhile, each at its own time.

        Raises:
            InvalidValueError: That would be earlier.
        """
        length = timedelta(**by)
        if length < timedelta(0):
            msg = f"later: found {length.total_seconds():g} seconds, expected a time to come: no clock goes back"
            raise InvalidValueError(msg)
        end = self.clock.now() + length
        while (at := self.post.next_at) is not None and at <= end:
            self.clock.set(max(at, self.clock.now()))
            self.hear()
        self.clock.set(end)
        return self

    def settle(self) -> Self:
        """
        Move the clock on until no webhook is under way.
        """
        while (at := self.post.next_at) is not None:
            self.clock.set(max(at, self.clock.now()))
            self.hear()
        return self

    # -- what can be looked at -------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[Carried]:
        """
        What the emulators took, by time and address.
        """
        carried = [
            Carried(account=name, message=message, rehearsal=self)
            for name, sandbox in self.sandboxes.items()
            for message in sandbox.received
        ]
        return sorted(carried, key=lambda each: (each.message.at, each.message.to.value, each.account, each.text))

    def messages_to(self, debtor: DebtorDraft) -> list[Carried]:
        """
        What the emulators took for one debtor, by time.
        """
        own = {point.address for point in debtor.debtor.contact_points}
        return [each for each in self.messages if each.message.to in own]

    # -- how it is built -------------------------------------------------------------------------------------------

    def _table(self, plugins: Plugins, place: Path, stack: ExitStack) -> dict[str, Any]:
        channels = {}
        for kind, name in self._emulated(plugins):
            channels[kind] = self._account(plugins, "channel", name, kind, stack)
        if not channels:
            asked = "any" if self._channels is None else ", ".join(self._channels)
            hint = "pip install 'cobranza-sdk[demo]' brings some"  # pytest shows the message alone
            msg = f"a rehearsal needs a channel with an emulator: found none installed of {asked}; {hint}"
            raise CobranzaError(msg)
        strategy = Path(self._strategy) if self._strategy is not None else place / "strategy.toml"
        if self._strategy is None:
            strategy.write_text((files("cobranza_sdk.cli") / "scaffold" / "strategy.toml").read_text("utf-8"), "utf-8")
        creditor: dict[str, Any] = {**_CREDITOR, "country": self._country}
        table: dict[str, Any] = {
            "creditor": creditor,
            "store": {"url": f"sqlite:///{place / 'rehearsal.db'}"},
            "web": {"public_url": self.post.base_url},
            "strategies": {"rehearsal": str(strategy.resolve())},
            "compliance": {"accept_risk": self._accept_risk},
            "channels": channels,
        }
        if self._payments:
            provider = next((name for name in plugins.names("payment") if ("sandbox", name) in plugins.provided), None)
            if provider is None:
                msg = "payments=True needs a payment provider with an emulator: found none installed"
                raise CobranzaError(msg)
            table["payments"] = {PAYMENTS: self._account(plugins, "payment", provider, PAYMENTS, stack)}
            creditor["payments"] = PAYMENTS
        return table

    def _emulated(self, plugins: Plugins) -> Iterable[tuple[str, str]]:
        seen: dict[str, str] = {}
        for name in plugins.names("channel"):
            kind = plugins.provided["channel", name].item.capabilities.channel
            if ("sandbox", name) in plugins.provided and (self._channels is None or kind in self._channels):
                seen.setdefault(kind, name)
        return seen.items()

    def _account(self, plugins: Plugins, family: str, name: str, account: str, stack: ExitStack) -> dict[str, Any]:
        emulator: type[Sandbox] = plugins.provided["sandbox", name].item
        sandbox = stack.enter_context(
            emulator(clock=self.clock, webhook_url=f"{self.post.base_url}/webhooks/{account}")
        )
        self.sandboxes[account] = self.post.watch(sandbox, account)
        hints = typing.get_type_hints(plugins.provided[family, name].item.config)
        told = {
            key: Secret(value) if isinstance(value, str) and Secret.__name__ in str(hints.get(key)) else value
            for key, value in sandbox.settings.items()
        }
        return {"provider": name, **told}
