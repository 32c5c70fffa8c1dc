"""
Builds the configured providers: the last stage of loading.
"""

from __future__ import annotations

import contextlib
import difflib
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from attrs import field, frozen

from cobranza_sdk.loading._errors import ConfigurationError, PluginFailure
from cobranza_sdk.loading._plugins import Plugins, Provided, cause_of
from cobranza_sdk.loading._settings import ProviderSettings, Settings
from cobranza_sdk.loading._structure import structure
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.spec import Provider, Services

#: Tables of accounts and the family that serves them.
_TABLES = (("channels", "channel"), ("erps", "erp"), ("payments", "payment"))

#: Makes the services of one configured provider, given its name and the address of its webhooks.
ServicesFor = Callable[[str, str | None], Services]


@frozen(kw_only=True)
class Configured:
    """
    One account that is ready.

    Attributes:
        name: Its configured name.
        settings: What the configuration says of it.
        provider: The provider.
        provided: Where the class came from.
    """

    name: str
    settings: ProviderSettings
    provider: Any
    provided: Provided


@frozen(kw_only=True)
class Accounts:
    """
    All accounts that are ready, and those that are not.

    Attributes:
        channels: Channel accounts by configured name.
        erps: ERP connections by configured name.
        payments: Payment accounts by configured name.
        payment_names: All configured names of payment accounts, also of those that could not be built.
        failures: Accounts that could not be built.
        broken_channels: Channels of those, with the address schemes they reach: what is due there waits.
    """

    channels: Mapping[str, Configured]
    erps: Mapping[str, Configured]
    payments: Mapping[str, Configured] = field(factory=dict)
    payment_names: frozenset[str] = frozenset()
    failures: tuple[PluginFailure, ...] = ()
    broken_channels: Mapping[str, tuple[str, ...]] = field(factory=dict)


def configure(settings: Settings, plugins: Plugins, services_for: ServicesFor) -> Accounts:
    """
    Build every configured account.

    An unknown provider or a setting that does not fit is the operator's mistake and stops everything. A constructor
    that raises is the plugin's, and harms only its account.

    Raises:
        ConfigurationError: Every problem at once, each with its full key.
    """
    problems: list[str] = []
    failures: list[PluginFailure] = []
    broken: dict[str, tuple[str, ...]] = {}
    built: dict[str, dict[str, Configured]] = {table: {} for table, _ in _TABLES}
    for table, family in _TABLES:
        for name, entry in getattr(settings, table).items():
            key = f"{table}.{name}"
            provided = plugins.provided.get((family, entry.provider))
            if provided is None:
                problems.append(_unknown_provider(key, entry.provider, family, plugins))
                continue
            services = services_for(name, webhook_address(settings, name))
            try:
                provider = _construct(provided, name, entry, key, settings, services)
            except ConfigurationError as error:
                problems.extend(error.problems)
            except _AccountError as error:
                failures.append(error.failure)
                if family == "channel":
                    can = provided.item.capabilities
                    broken[can.channel] = can.schemes
            else:
                if entry.write_back and not getattr(provided.item.capabilities, "write_back", False):
                    problems.append(f"{key}.write_back: found true, and {entry.provider} takes nothing back")
                built[table][name] = Configured(name=name, settings=entry, provider=provider, provided=provided)
    if problems:
        raise ConfigurationError(problems, hint="`cobranza plugins` lists what is installed")
    return Accounts(
        channels=built["channels"],
        erps=built["erps"],
        payments=built["payments"],
        payment_names=frozenset(settings.payments),
        failures=tuple(failures),
        broken_channels=broken,
    )


def webhook_address(settings: Settings, name: str) -> str | None:
    """
    Public address of the webhooks of the account *name*, or None without ``[web] public_url``.
    """
    if settings.web.public_url is None:
        return None
    return f"{settings.web.public_url.rstrip('/')}/webhooks/{name}"


def _unknown_provider(key: str, wanted: str, family: str, plugins: Plugins) -> str:
    names = plugins.names(family)
    qualified = [name for name in names if name.endswith(f":{wanted}")]
    if qualified:
        return f"{key}.provider: found {wanted}, which several plugins claim, expected one of {', '.join(qualified)}"
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    return f"{key}.provider: found {wanted}, expected one of {', '.join(names) or 'none installed'}{hint}"


class _AccountError(Exception):
    """
    One account cannot be built; the others can.
    """

    def __init__(self, failure: PluginFailure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


def _construct(
    provided: Provided, name: str, entry: ProviderSettings, key: str, settings: Settings, services: Services
) -> Provider:
    """
    Run the plugin's own code: its settings class and its constructor. What it prints goes to standard error.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            config: Any = structure(provided.item.config, entry.options, path=key, base=settings.base)
            provider: Provider = provided.item(config, services)
            for host in provider.hosts:
                services.egress.require(host)
    except (KeyboardInterrupt, ConfigurationError):
        raise
    except BaseException as error:  # noqa: BLE001  # whatever a plugin raises harms only its account
        ours = isinstance(error, CobranzaError)
        failure = PluginFailure(
            plugin=provided.plugin,
            distribution=provided.distribution,
            stage="configure",
            subject=name,
            # the words of a stranger's error may quote a credential, which only this stage knows
            cause=cause_of(error) if ours else f"{type(error).__name__} in the plugin's own code{_place(error)}",
            hint=(error.hint if isinstance(error, CobranzaError) else None) or f"check [{key}] in cobranza.toml",
        )
        raise _AccountError(failure) from None
    return provider


def _place(error: BaseException) -> str:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return ""
    return f", {PurePath(last.tb_frame.f_code.co_filename).name} line {last.tb_lineno}"
