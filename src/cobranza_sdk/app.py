"""
`Cobranza`: the one object that an embedding developer holds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
from attrs import evolve

from cobranza_sdk.loading import (
    ConfigurationError,
    FixedClock,
    Plugins,
    Settings,
    SystemClock,
    TimeIds,
    load_plugins,
    read_settings,
    settings_from,
)
from cobranza_sdk.model import (
    CobranzaError,
    Contact,
    Debtor,
    Decision,
    LedgerEvent,
    Payment,
    Receivable,
)
from cobranza_sdk.spec import Clock, CompliancePack, Ids, Services, TemplateCatalogue

if TYPE_CHECKING:
    import httpx
    from sqlalchemy import Connection, Engine
    from starlette.applications import Starlette

    from cobranza_sdk.compliance import Decider, Overlay
    from cobranza_sdk.engine import (
        Backtest,
        Desk,
        DispatchReport,
        Guards,
        InboxDesk,
        OverrideDesk,
        Retried,
        StrategyFinding,
        SyncReport,
        Workplace,
    )
    from cobranza_sdk.loading import Accounts
    from cobranza_sdk.report import Report
    from cobranza_sdk.store import Consents, ContactPoints, CreditorStore, Holds, PutResult, Store, TenantStore
    from cobranza_sdk.strategy import Strategy
    from cobranza_sdk.templates import Catalogue

T = TypeVar("T")

#: Told how much of a long work is done.
Progress = Callable[[int], None]


def pack_name(path: Path) -> str:
    """
    The name of a pack by its file: ``py`` for ``py.toml`` and for ``py/pack.toml``.
    """
    return path.resolve().parent.name if path.name == "pack.toml" else path.stem


class InLoopError(CobranzaError):
    """
    A synchronous method was called where an event loop runs. The text names its twin.
    """


class Cobranza:
    """
    Debt collection with every contact decided, explained and recorded.

    Nothing is opened before it is needed: deciding needs no store, storing no network.

    Args:
        settings: As `read_settings` gives them, or a table shaped as ``cobranza.toml``; None configures nothing, which
            is enough to decide.
        engine: The host's own SQLAlchemy engine instead of ``[store] url``.
        plugins: What to load instead of the installed plugins.
        clock: The time; the machine's clock when None.
        ids: New ids; by time and chance when None.
        http: Client to use instead of one of our own. The interlock is then the caller's.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any] | None = None,
        *,
        engine: Engine | None = None,
        plugins: Plugins | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        if settings is None:
            settings = Settings()
        self.settings = settings if isinstance(settings, Settings) else settings_from(settings)
        self.clock = clock or SystemClock()
        self._ids = ids or TimeIds(self.clock)
        self._engine = engine
        self._given_plugins = plugins
        self._given_http = http
        self._creditor: str | None = None
        self._store: Store | None = None
        self._client: httpx.AsyncClient | None = None
        self._one_run = Lock()
        if self.settings.live and self.clock.fixed:
            msg = "live: found true with a fixed clock, expected false: a fixed clock never sends live"
            raise ConfigurationError([msg])
        if engine is not None:
            self._open_store()  # before the host opens a transaction that we may be asked to join

    @classmethod
    def from_config(cls, path: Path | str = "cobranza.toml", *, at: datetime | None = None) -> Self:
        """
        Build from ``cobranza.toml``.

        Args:
            path: The file; what it names is relative to it.
            at: Fixes the clock, with offset.

        Raises:
            ConfigurationError: The file cannot be used: every problem at once.
        """
        return cls(read_settings(path), clock=None if at is None else FixedClock(at))

    # -- opening and closing ---------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def close(self) -> None:
        """
        Release everything that was opened; the host's own engine stays open.
        """
        self._run(self.aclose, "aclose")

    async def aclose(self) -> None:
        """
        Release everything that was opened.
        """
        if "accounts" in self.__dict__:
            await self._close_providers()
        if self._store is not None:
            self._store.close()
            self._store = None

    async def _close_providers(self) -> None:
        """
        Close what belongs to the event loop that ends now; providers open it again when they are used next.
        """
        from cobranza_sdk.engine import call_guarded

        accounts: Accounts = self.__dict__["accounts"]
        for account in [*accounts.channels.values(), *accounts.erps.values(), *accounts.payments.values()]:
            try:
                await call_guarded(account.provider.aclose, self.settings.runner.deadline_s)
            except Exception as error:  # noqa: BLE001  # law 8: closing one must not keep the others open
                self._logger(account.name).warning("provider.close_failed", error=type(error).__name__)
        if self._client is not None and self._given_http is None:
            await self._client.aclose()
        self.__dict__.pop("accounts", None)
        self.__dict__.pop("place", None)
        self._client = None

    def for_creditor(self, creditor_id: str) -> Cobranza:
        """
        The same, scoped to one creditor; it shares everything that is open.

        Raises:
            ConfigurationError: There is no such creditor.
        """
        if creditor_id not in self.settings.creditors:
            msg = f"creditors: found no {creditor_id}, expected one of {', '.join(self.settings.creditors)}"
            raise ConfigurationError([msg])
        return self._apart(creditor_id)

    def _apart(self, creditor_id: str | None) -> Cobranza:
        """
        The same with providers and connections of its own, for another event loop; the guards are shared.
        """
        self.guards  # noqa: B018  # made before they are copied
        scoped = object.__new__(Cobranza)
        bound_to_a_loop = ("accounts", "place", "webhooks", "_client")
        scoped.__dict__.update({name: part for name, part in self.__dict__.items() if name not in bound_to_a_loop})
        scoped.__dict__.update(_creditor=creditor_id, _client=None, _one_run=Lock())
        return scoped

    # -- parts, made when first used -------------------------------------------------------------------------------

    @cached_property
    def plugins(self) -> Plugins:
        """
        What is installed and allowed.

        Raises:
            PluginError: In strict mode, if any failed.
        """
        if self._given_plugins is not None:
            return self._given_plugins
        return load_plugins(allow=self.settings.plugins.allow, strict=self.settings.plugins.strict)

    @cached_property
    def decider(self) -> Decider:
        """
        Judges by law alone, policies included.
        """
        return self._decider(platform=False, policies=True)

    @cached_property
    def _judges(self) -> tuple[Decider, Decider]:
        """
        Judges by law and platform: with policies, for the snapshot; without, for the claim.
        """
        return self._decider(platform=True, policies=True), self._decider(platform=True, policies=False)

    def judge(self, *, platform: bool = False) -> Decider:
        """
        A decider by law, and by the rules of messaging platforms where *platform* says so.
        """
        return self._decider(platform=True, policies=True) if platform else self.decider

    def missing_templates(self) -> list[str]:
        """
        What steps lack in Spanish on their first day, a sentence each: their own template, or the one that discloses
        nothing.
        """
        from cobranza_sdk.strategy import stage_of
        from cobranza_sdk.templates import TemplateError

        missing = []
        for name, strategy in self._strategies.items():
            for step in strategy.steps:
                for channel in step.channels:
                    try:
                        self._catalogue.find(step.template, channel=channel, locale="es", stage=stage_of(step.days))
                        self._catalogue.undisclosed(channel=channel, locale="es")
                    except TemplateError as error:
                        missing.append(f"strategies.{name}: step {step.id}: {error}")
        return missing

    def check_strategies(self, countries: Sequence[str] = (), *, at: datetime | None = None) -> list[StrategyFinding]:
        """
        Hold each creditor's strategy against the packs: steps that can never run, channels that are always denied,
        messages that rules push past their days. No account is built and nothing is written.

        Args:
            countries: Where the debtors are; empty takes the creditor's own and those of the debtors in the store.
            at: The day that everything starts on; the clock's when None.

        Raises:
            ConfigurationError: A file cannot be read, or ``accept_risk`` names a risk that no pack knows.
            StrategyError: A strategy cannot be used.
            PackError: A pack cannot be used.
        """
        from cobranza_sdk.engine import Grounds, carried_by, check_strategy, without_strategy

        found: list[StrategyFinding] = []
        judge = self.judge(platform=True)
        self._refuse_unknown_risks(judge)
        for key in self._creditor_ids():
            creditor = self.settings.creditors[key].creditor(key)
            strategy = self._strategy_of(key)
            if strategy is None:
                found.append(without_strategy(creditor))
                continue
            grounds = Grounds(
                creditor=creditor,
                decider=judge,
                law=self.decider,
                catalogue=self._catalogue,
                at=at or self.clock.now(),
                carried=carried_by(self.settings, self.plugins, key),
                flags=self._accepted_risks(),
            )
            found += check_strategy(strategy, grounds, self._places(key, countries))
        return found

    def _places(self, key: str, countries: Sequence[str]) -> list[tuple[str, str | None]]:
        """
        Countries to look at, each with the regions that have rules of their own; and where debtors are.
        """
        stored = self.tenant.creditor(key).past.places() if not countries and self._has_store() else []
        codes = countries or [self.settings.creditors[key].country, *(country for country, _ in stored)]
        regional = [
            (code, region)
            for code in codes
            for pack in self.decider.packs
            for rule in pack.rules
            if code in pack.countries
            for region in rule.regions.names
        ]
        return [*((code, None) for code in codes), *stored, *regional]

    def _has_store(self) -> bool:
        """
        Whether there is a store to look into: a SQLite file is not made by looking.
        """
        if self._engine is not None or self._store is not None:
            return True
        from sqlalchemy import make_url

        url = make_url(self.settings.store.url)
        return url.get_backend_name() != "sqlite" or (self.settings.base / (url.database or "")).is_file()

    def backtest(
        self,
        *,
        packs: Sequence[Path] = (),
        reading: str | None = None,
        on: Mapping[str, date] | None = None,
        since: datetime | None = None,
        cases: Path | None = None,
    ) -> Backtest:
        """
        Decide past contacts again under other rules: those that the store has recorded, or those of a file.

        Args:
            packs: Pack files that judge beside or, by their name, instead of the present ones.
            reading: ``cautious`` or ``literal``; the configured one when None.
            on: The day whose rules hold, by name of the pack; ``*`` stands for all others.
            since: Only contacts from then on.
            cases: A CSV as for ``cobranza decide --cases``, judged by law alone; None takes what is recorded, judged as
                dispatch does.

        Raises:
            PackError: A pack cannot be used.
            CasesError: The file cannot be read.
            InvalidValueError: *on* names a pack that does not exist.
        """
        from cobranza_sdk.compliance import DatedDecider
        from cobranza_sdk.engine import GuardedPolicies, summed_up

        other = DatedDecider(
            [*self.pack_sources(), *map(self._pack_of, packs)],
            self.plugins.items("policy"),
            on=on or {},
            reading=reading or self.settings.compliance.reading,
            platform=cases is None,
            ask=GuardedPolicies(),
            overlays=self._overlays(),
        )
        return summed_up(self._retried(other, since) if cases is None else self._retried_cases(other, cases, since))

    def _pack_of(self, path: Path) -> CompliancePack:
        """
        A pack file under the name that it gives itself, so that it takes the place of the one it is to be.
        """
        from cobranza_sdk.compliance import parse_pack

        text = self._read_file("packs", str(path.resolve()))
        return CompliancePack(parse_pack(pack_name(path), text, origin=str(path)).name, text, origin=str(path))

    def _retried_cases(self, other: Decider, path: Path, since: datetime | None) -> Iterator[Retried]:
        from cobranza_sdk.compliance import CasesError, read_cases
        from cobranza_sdk.engine import retry_cases

        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                cases = (case for case in read_cases(lines, self.decider) if since is None or case.contact.at >= since)
                yield from retry_cases(cases, self.decider, other)
        except (OSError, CasesError) as error:
            msg = f"{path}: {error if isinstance(error, CasesError) else 'cannot be read'}"
            raise CasesError(msg) from error

    def _retried(self, other: Decider, since: datetime | None) -> Iterator[Retried]:
        from cobranza_sdk.engine import Bench, carried_by

        today = self.judge(platform=True)
        for key in self._creditor_ids():
            bench = Bench(
                creditor=self.settings.creditors[key].creditor(key),
                strategy=self._strategy_of(key),
                carried=carried_by(self.settings, self.plugins, key),
                flags=self._accepted_risks(),
                today=today,
                other=other,
            )
            yield from bench.retry(self.tenant.creditor(key).past.decisions(since=since))

    def _accepted_risks(self) -> frozenset[str]:
        from cobranza_sdk.compliance import ACCEPTED_RISK

        return frozenset(f"{ACCEPTED_RISK}{risk}" for risk in self.settings.compliance.accept_risk)

    def _decider(self, *, platform: bool, policies: bool) -> Decider:
        from cobranza_sdk.compliance import Decider
        from cobranza_sdk.engine import GuardedPolicies

        return Decider(
            self.pack_sources(),
            self.plugins.items("policy") if policies else (),
            reading=self.settings.compliance.reading,
            platform=platform,
            ask=GuardedPolicies(),
            overlays=self._overlays(),
        )

    def pack_sources(self) -> tuple[CompliancePack, ...]:
        """
        The packs that judge, as they were given: installed ones first, then those of the configuration, which win.
        """
        return (*self.plugins.items("compliance"), *self._pack_files())

    def _overlays(self) -> list[Overlay]:
        from cobranza_sdk.compliance import parse_overlay

        return [
            parse_overlay(self._read_file("compliance.overlays", name), origin=name)
            for name in self.settings.compliance.overlays
        ]

    def _pack_files(self) -> list[CompliancePack]:
        return [
            CompliancePack(pack_name(self.settings.base / name), self._read_file("compliance.packs", name), origin=name)
            for name in self.settings.compliance.packs
        ]

    def _read_file(self, key: str, name: str) -> str:
        try:
            return (self.settings.base / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{key}: file {name} cannot be read ({type(error).__name__}), expected UTF-8 text"
            raise ConfigurationError([msg]) from None

    @cached_property
    def accounts(self) -> Accounts:
        """
        The configured providers, ready.

        Raises:
            ConfigurationError: A provider is unknown or its settings do not fit.
        """
        from cobranza_sdk.loading import Interlock, configure, http_client

        egress = Interlock(live=self.settings.live)
        client = self._client = self._given_http or http_client(egress)

        def services_for(name: str, webhook_url: str | None) -> Services:
            return Services(
                http=client,
                clock=self.clock,
                ids=self._ids,
                logger=self._logger(name),
                webhook_url=webhook_url,
                egress=egress,
            )

        return configure(self.settings, self.plugins, services_for)

    @cached_property
    def guards(self) -> Guards:
        """
        What stands before every call to a provider. Kept while providers are closed and built anew.
        """
        from cobranza_sdk.engine import Guards

        return Guards(clock=self.clock, logger=self._logger("engine"), deadline_s=self.settings.runner.deadline_s)

    @property
    def failures(self) -> tuple[Any, ...]:
        """
        Every `PluginFailure`, of loading and of configuring.
        """
        return (*self.plugins.failures, *self.accounts.failures)

    def _logger(self, name: str) -> Any:
        """
        A logger of the standard library's tree, ``cobranza``: a host that configures nothing sees warnings only.
        """
        import structlog

        return structlog.wrap_logger(
            logging.getLogger("cobranza"),
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.processors.KeyValueRenderer(key_order=["event"], drop_missing=True),
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        ).bind(account=name)

    @property
    def tenant(self) -> TenantStore:
        """
        Handle of this tenant's rows; opens the store.

        Raises:
            StoreError: The store cannot be opened.
        """
        return self._open_store().tenant(self.settings.tenant)

    def _open_store(self) -> Store:
        from cobranza_sdk.store import Store, prepare_engine

        if self._store is None:
            if self._engine is not None:
                self._store = Store(prepare_engine(self._engine), clock=self.clock, ids=self._ids)
            else:
                url, base = self.settings.store.url, self.settings.base
                self._store = Store.open(url, clock=self.clock, ids=self._ids, base=base)
        return self._store

    def creditor_store(self) -> CreditorStore:
        """
        Handle of the one creditor in question.

        Raises:
            ConfigurationError: There are several, and none was chosen with `for_creditor`.
        """
        return self.tenant.creditor(self._creditor_ids()[0] if self._one() else "")

    def _one(self) -> bool:
        ids = self._creditor_ids()
        if len(ids) == 1:
            return True
        found = "none" if not ids else f"several ({', '.join(ids)})"
        msg = f"creditors: found {found}, expected one"
        raise ConfigurationError([msg], hint="write [creditor], or choose one: cobranza.for_creditor(…)")

    def _creditor_ids(self) -> list[str]:
        return [self._creditor] if self._creditor is not None else list(self.settings.creditors)

    @cached_property
    def _catalogue(self) -> Catalogue:
        """
        The standard messages, then what plugins bring, then the operator's files: later ones win.
        """
        from importlib.resources import files as resources

        from cobranza_sdk.templates import Catalogue

        def standard() -> str:
            return (resources("cobranza_sdk.templates") / "standard.toml").read_text("utf-8")

        files = [
            TemplateCatalogue(name, self._read_file("templates.files", name), origin=name)
            for name in self.settings.templates.files
        ]
        own = TemplateCatalogue("standard", standard, origin="the standard messages")
        return Catalogue.parse([own, *self.plugins.items("templates"), *files])

    @cached_property
    def _strategies(self) -> dict[str, Strategy]:
        from cobranza_sdk.strategy import parse_strategy

        return {
            name: parse_strategy(self._read_file(f"strategies.{name}", path), origin=path)
            for name, path in self.settings.strategies.items()
        }

    def _strategy_of(self, key: str) -> Strategy | None:
        """
        A creditor's strategy: the one it names, or the only one there is.
        """
        strategies = self._strategies
        only = next(iter(strategies)) if len(strategies) == 1 else None
        return strategies.get(self.settings.creditors[key].strategy or only or "")

    @cached_property
    def place(self) -> Workplace:
        """
        Everything the engine works with.

        Raises:
            ConfigurationError: A file cannot be read.
            StrategyError: A strategy cannot be used.
            TemplateError: A catalogue cannot be used.
        """
        from cobranza_sdk.engine import Workplace

        runner = self.settings.runner
        decider, rules = self._judges
        self._refuse_unknown_risks(rules)
        tenant = self.tenant
        return Workplace(
            tenant=tenant,
            desks=self._desks(tenant),
            accounts=self.accounts,
            decider=decider,
            rules=rules,
            guards=self.guards,
            catalogue=self._catalogue,
            clock=self.clock,
            logger=self._logger("engine"),
            only_to=None if self.settings.only_to is None else frozenset(self.settings.only_to),
            accepted_risks=self.settings.compliance.accept_risk,
            batch=runner.batch,
            concurrency=runner.concurrency,
            deadline_s=runner.deadline_s,
        )

    def _refuse_unknown_risks(self, rules: Decider) -> None:
        """
        Hold ``accept_risk`` against what the packs know: a slip would take no risk, and nobody would notice.
        """
        known = sorted(_risks_of(rules))
        problems = [
            f"compliance.accept_risk: found {risk}, expected one of {', '.join(known) or 'none: no pack names a risk'}"
            for risk in self.settings.compliance.accept_risk
            if risk not in known
        ]
        if problems:
            raise ConfigurationError(problems)

    def _desks(self, tenant: TenantStore) -> dict[str, Desk]:
        from cobranza_sdk.engine import Desk

        return {
            key: Desk(
                creditor=creditor.creditor(key),
                store=tenant.creditor(key),
                strategy=self._strategy_of(key),
                payment_url=creditor.payment_url,
                payments=creditor.payments,
            )
            for key, creditor in self.settings.creditors.items()
        }

    def _my_desks(self) -> list[Desk]:
        place = self.place
        ids = self._creditor_ids()
        if not ids:
            self._one()
        return [place.desks[creditor_id] for creditor_id in ids]

    # -- deciding --------------------------------------------------------------------------------------------------

    def decide(self, contact: Contact) -> Decision:
        """
        Whether a contact may be made, when and why: by law, without platform rules.

        Raises:
            PackError: A pack cannot be used.
        """
        return self.decider.decide(contact)

    def decide_many(self, contacts: Iterable[Contact]) -> Iterator[Decision]:
        """
        The same for many, in constant memory.
        """
        return self.decider.decide_many(contacts)

    # -- the pipeline ----------------------------------------------------------------------------------------------

    def sync(self, *, progress: Progress | None = None) -> list[SyncReport]:
        """
        Read every ERP into the portfolio, then tell those with ``write_back`` what came of it. Idempotent.

        Raises:
            SyncError: An ERP cannot be read or written to; the others were.
        """
        return self._run(lambda: self.a_sync(progress=progress), "a_sync")

    async def a_sync(self, *, progress: Progress | None = None) -> list[SyncReport]:
        """
        See `sync`.
        """
        from cobranza_sdk.engine import SyncError, sync, write_back

        reports: list[SyncReport] = []
        failed: list[SyncError] = []
        for desk in self._my_desks():
            for account in self.place.accounts.erps.values():
                if not account.settings.serves(desk.creditor.id):
                    continue
                guard = self.guards.of(account)
                try:
                    report = await sync(desk, account, guard, progress)
                    told = await write_back(desk, account, guard) if account.settings.write_back else 0
                    reports.append(evolve(report, written=told))
                except SyncError as error:  # law 8: the others are read all the same
                    failed.append(error)
        if failed:
            raise SyncError("; ".join(map(str, failed)), hint=failed[0].hint) from failed[0]
        return reports

    def plan(self) -> int:
        """
        Make what is due today into outreaches; returns how many are new.

        Raises:
            PlanError: A creditor has no strategy.
        """
        return self._run(self.aplan, "aplan")

    async def aplan(self) -> int:
        """
        See `plan`.
        """
        from cobranza_sdk.engine import plan_now

        made = 0
        for desk in self._my_desks():
            made += await anyio.to_thread.run_sync(plan_now, self.place, desk)
        return made

    def plan_preview(self) -> list[dict[str, Any]]:
        """
        What `plan` would make, without making it.
        """
        from cobranza_sdk.engine import due_now

        return [
            {
                "creditor": desk.creditor.id,
                "debtor_id": due.debtor_id,
                "currency": due.currency,
                "step": due.step.id,
                "stage": due.stage,
                "anchor_on": due.anchor_on.isoformat(),
            }
            for desk in self._my_desks()
            for due, _ in due_now(self.place, desk)
        ]

    def dispatch(self, *, limit: int | None = None, progress: Progress | None = None) -> DispatchReport:
        """
        Send what is due, each with its own decision.

        Args:
            limit: Most attempts to handle, of all creditors together.
            progress: Told how many were handled.
        """
        return self._run(lambda: self.adispatch(limit=limit, progress=progress), "adispatch")

    async def adispatch(self, *, limit: int | None = None, progress: Progress | None = None) -> DispatchReport:
        """
        See `dispatch`.
        """
        from cobranza_sdk.engine import Dispatcher, DispatchReport, PaymentDesk

        report = DispatchReport()
        inbox, payments = self.inbox, PaymentDesk(self.place)

        def hear() -> None:
            inbox.process_all()
            if self.place.accounts.payments:
                anyio.from_thread.run(payments.process_all)

        await anyio.to_thread.run_sync(self._make_ready)
        for desk in self._my_desks():
            dispatcher = Dispatcher(self.place, desk, report)
            report = await dispatcher.run(limit=limit, progress=progress, hear=hear)
        return report

    def _make_ready(self) -> None:
        """
        Put on record which risks are taken, hear what people and vendors told, and free the persons whom a lost worker
        of any creditor holds.
        """
        from cobranza_sdk.engine import LOST_AFTER

        place = self.place
        known = _risks_of(place.rules)
        place.tenant.risks.record({risk: known[risk] for risk in place.accepted_risks})
        self.inbox.process_all()
        for desk in self.place.desks.values():
            desk.store.attempts.recover(LOST_AFTER)

    def dispatch_preview(self) -> list[dict[str, Any]]:
        """
        What `dispatch` would do with what is due, without doing it.
        """
        from cobranza_sdk.engine import Dispatcher

        return [line for desk in self._my_desks() for line in Dispatcher(self.place, desk).preview()]

    def _recheck(self, attempt_id: str) -> Decision:
        from cobranza_sdk.engine import Dispatcher

        keys = self._creditor_ids()
        key = next((key for key in keys if self.tenant.creditor(key).attempts.facts_of_made(attempt_id)), keys[0])
        return Dispatcher(self.place, self.place.desks[key]).recheck(attempt_id)

    def check(self) -> dict[str, Any]:
        """
        Try every account's credentials, without side effects: by configured name, whether it works and what was found.
        """
        return self._run(self.acheck, "acheck")

    async def acheck(self) -> dict[str, Any]:
        """
        See `check`.
        """
        answers: dict[str, Any] = {}
        accounts = self.accounts
        tables = (("channels", accounts.channels), ("erps", accounts.erps), ("payments", accounts.payments))
        for table, group in tables:
            for name, account in group.items():
                try:
                    draw = self.guards.of(account).draw
                    health = await draw("check", account.provider.check, self.settings.runner.deadline_s)
                    answers[f"{table}.{name}"] = {"ok": health.ok, "detail": health.detail}
                except Exception as error:  # noqa: BLE001  # law 8: one account's failure is its own finding
                    detail = str(error) if isinstance(error, CobranzaError) else type(error).__name__
                    answers[f"{table}.{name}"] = {"ok": False, "detail": detail}
        return answers

    @property
    def inbox(self) -> InboxDesk:
        """
        Takes webhooks from a web framework of the host's own.
        """
        from cobranza_sdk.engine import InboxDesk

        return InboxDesk(self.place)

    def process_inbox(self) -> dict[str, int]:
        """
        Act on what webhooks told and nobody acted on yet; returns how many events ended how.

        Raises:
            InLoopError: An event loop runs here, and payments have to be asked for.
        """
        if not self.place.accounts.payments:
            return self.inbox.process()
        return self._run(self.aprocess_inbox, "aprocess_inbox")

    async def aprocess_inbox(self) -> dict[str, int]:
        """
        See `process_inbox`.
        """
        return await self.inbox.aprocess()

    @cached_property
    def webhooks(self) -> Starlette:
        """
        An ASGI application with ``/webhooks/<configured name>``, to be mounted or served.

        Raises:
            CobranzaError: The extra ``web`` is not installed.
        """
        try:
            from cobranza_sdk.web import webhook_application
        except ModuleNotFoundError as error:
            msg = f"webhooks need {error.name}, which is not installed"
            raise CobranzaError(msg, hint="pip install 'cobranza-sdk[web]'") from None
        # The host's loop is not ours to open connections in: they would outlive what closes them.
        ask = self._apart(self._creditor).process_inbox if self.accounts.payments else None
        return webhook_application(self.inbox, self.clock, public_url=self.settings.web.public_url, ask=ask)

    # -- by hand ---------------------------------------------------------------------------------------------------

    @property
    def portfolio(self) -> _PortfolioHandle:
        """
        Records without an ERP.
        """
        return _PortfolioHandle(self)

    @property
    def consents(self) -> Consents:
        """
        ``grant(debtor_id, channel, source=, at=)`` and ``withdraw(…)``.
        """
        return self.creditor_store().consents

    @property
    def contact_points(self) -> ContactPoints:
        """
        ``confirm(debtor_id, address, by=)`` and ``deny(…)``.
        """
        return self.creditor_store().contact_points

    @property
    def holds(self) -> Holds:
        """
        ``place(debtor_id, reason, by=, until=)`` and ``lift(hold_id, by=)``.
        """
        return self.creditor_store().holds

    @property
    def overrides(self) -> OverrideDesk:
        """
        ``grant(debtor_id, ground, channel=, by=, reason=, until=)``, ``withdraw(id, by=)`` and ``list()``.
        """
        from cobranza_sdk.compliance import exceptions_of
        from cobranza_sdk.engine import OverrideDesk

        return OverrideDesk(
            self.creditor_store().overrides,
            clock=self.clock,
            operators=self.settings.operators,
            exceptions=exceptions_of(self.judge(platform=True).packs),
        )

    @property
    def attempts(self) -> _AttemptsHandle:
        """
        Attempts: listing them, and settling what nobody could find out.
        """
        return _AttemptsHandle(self)

    def stop(self, reason: str, *, by: str = "operator") -> None:
        """
        Halt all dispatch at once: nothing is claimed after this.
        """
        self.tenant.switch.stop(reason, by=by)

    def resume(self, *, by: str = "operator") -> None:
        """
        Let dispatch go on.
        """
        self.tenant.switch.resume(by=by)

    def events(self, *, after: int = 0, kinds: Sequence[str] = (), subject: str | None = None) -> Iterator[LedgerEvent]:
        """
        The ledger after position *after*, in order: an at-least-once feed for whoever keeps the last position.
        """
        store = self.tenant if self._creditor is None else self.tenant.creditor(self._creditor)
        return store.events(after=after, kinds=kinds, subject=subject)

    def rejected(self) -> list[dict[str, Any]]:
        """
        Rows that imports did not take.
        """
        return [row for key in self._creditor_ids() for row in self.tenant.creditor(key).rejected()]

    def report(self) -> list[Report]:
        """
        Indicators of each creditor, as of now.
        """
        from cobranza_sdk.report import make_report

        now = self.clock.now()
        return [
            make_report(
                self.tenant.creditor(key).figures,
                creditor=self.settings.creditors[key].name,
                as_of=now,
                today=self._day_of(self.settings.creditors[key].country, now),
            )
            for key in self._creditor_ids()
        ]

    def _day_of(self, country: str, now: datetime) -> date:
        """
        The date in a country; where it has several clocks, by the first its pack names; UTC where no pack lists it.
        """
        from cobranza_sdk.compliance import zone

        data = self.decider.country(country)
        return now.astimezone(UTC if data is None else zone(data.zones["*"][0])).date()

    # -- event loops -----------------------------------------------------------------------------------------------

    def _run(self, work: Callable[[], Awaitable[T]], twin: str) -> T:
        """
        Run asynchronous work to its end in an event loop of its own; threads take turns.

        Raises:
            InLoopError: An event loop runs here already.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            with self._one_run:  # providers and their connections belong to the loop of one run
                return anyio.run(self._finish, work)
        msg = f"an event loop is running here: use `await cobranza.{twin}(…)`"
        raise InLoopError(msg)

    async def _finish(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        finally:
            if "accounts" in self.__dict__:
                await self._close_providers()


def _risks_of(rules: Decider) -> dict[str, list[str]]:
    """
    The risks that can be accepted, each with the packs whose rules it sets aside, by name and version.
    """
    from cobranza_sdk.compliance import ACCEPTED_RISK

    found: dict[str, list[str]] = {}
    for pack in rules.packs:
        flags = {flag for rule in pack.rules for flag in rule.unless_flags}
        for flag in sorted(flag for flag in flags if flag.startswith(ACCEPTED_RISK)):
            found.setdefault(flag.removeprefix(ACCEPTED_RISK), []).append(pack.label)
    return found


class _PortfolioHandle:
    """
    Puts records into one creditor's portfolio.
    """

    def __init__(self, cobranza: Cobranza) -> None:
        self._cobranza = cobranza

    def put(
        self, *records: Debtor | Receivable | Payment, connection: Connection | None = None, actor: str = "host"
    ) -> PutResult:
        """
        Store records, all or nothing, idempotent by external id.

        Args:
            records: Debtors, receivables and payments, in any order.
            connection: The host's open transaction to join, or None for one of our own.
            actor: Who brings them, for the ledger.

        Raises:
            InvalidValueError: A record refers to a debtor that is neither among them nor stored.
        """
        return self._cobranza.creditor_store().portfolio.put(records, actor=actor, connection=connection)


class _AttemptsHandle:
    """
    The attempts of one creditor, or of all.
    """

    def __init__(self, cobranza: Cobranza) -> None:
        self._cobranza = cobranza

    def list(self, *, states: Sequence[str] = (), debtor: str | None = None) -> list[dict[str, Any]]:
        """
        Attempts in the order of making.

        Args:
            states: Only these; empty is all.
            debtor: Only this debtor's, by our id or by the creditor's.
        """
        tenant = self._cobranza.tenant
        return [
            line
            for key in self._cobranza._creditor_ids()  # noqa: SLF001  # one module
            for line in tenant.creditor(key).attempts.listing(states=states, debtor=debtor)
        ]

    def recheck(self, attempt_id: str) -> Decision:
        """
        Judge again, by the facts of now, what somebody was handed to carry out later: a call, a visit, a letter.

        Only an ``allow`` may be carried out, until its ``not_after``. Nothing is charged or recorded.

        Args:
            attempt_id: An attempt that is ``accepted`` or ``sent``.

        Raises:
            InvalidValueError: There is no such attempt, or it is in another state.
        """
        return self._cobranza._recheck(attempt_id)  # noqa: SLF001  # one module

    def resolve(self, attempt_id: str, outcome: str, *, by: str, reason: str) -> None:
        """
        Say what became of an ``unknown`` attempt: ``accepted``, ``absent`` or ``abandoned``.

        Raises:
            InvalidValueError: The attempt is not ``unknown``, or the outcome is none of the three.
        """
        self._cobranza.creditor_store().resolutions.resolve(attempt_id, outcome, by=by, reason=reason)
