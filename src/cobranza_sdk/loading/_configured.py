"""
Builds the configured providers: the last stage of loading.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from attrs import frozen

from cobranza_sdk.loading._errors import ConfigurationError, PluginFailure
from cobranza_sdk.loading._plugins import Plugins, Provided
from cobranza_sdk.loading._settings import ProviderSettings, Settings
from cobranza_sdk.loading._structure import structure
from cobranza_sdk.spec import Provider, Services

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
    """

    channels: Mapping[str, Configured]
    erps: Mapping[str, Configured]
    failures: tuple[PluginFailure, ...] = ()


def configure(settings: Settings, plugins: Plugins, services_for: ServicesFor) -> Accounts:
    """
    Build every configured channel and ERP.

    An unknown provider or a setting that does not fit is the operator's mistake and stops everything. A constructor
    that raises is the plugin's, and harms only its account.

    Raises:
        ConfigurationError: Every problem at once, each with its full key.
    """
    problems: list[str] = []
    failures: list[PluginFailure] = []
    built: dict[str, dict[str, Configured]] = {"channels": {}, "erps": {}}
    for table, family in (("channels", "channel"), ("erps", "erp")):
        for name, entry in getattr(settings, table).items():
            key = f"{table}.{name}"
            provided = plugins.provided.get((family, entry.provider))
            if provided is None:
                problems.append(_unknown_provider(key, entry.provider, family, plugins))
                continue
            try:
                config = structure(provided.item.config, entry.options, path=key, base=settings.base)
            except ConfigurationError as error:
                problems.extend(error.problems)
                continue
            services = services_for(name, webhook_address(settings, name))
            provider = _construct(provided, name, config, services, failures)
            if provider is not None:
                built[table][name] = Configured(name=name, settings=entry, provider=provider, provided=provided)
    if problems:
        raise ConfigurationError(problems, hint="`cobranza plugins` lists what is installed")
    return Accounts(channels=built["channels"], erps=built["erps"], failures=tuple(failures))


def webhook_address(settings: Settings, name: str) -> str | None:
    """
    Public address of the webhooks of the account *name*, or None without ``[web] public_url``.
    """
    if settings.web.public_url is None:
        return None
    return f"{settings.web.public_url.rstrip('/')}/webhooks/{quote(name)}"


def _unknown_provider(key: str, wanted: str, family: str, plugins: Plugins) -> str:
    names = plugins.names(family)
    qualified = [name for name in names if name.endswith(f":{wanted}")]
    if qualified:
        return f"{key}.provider: found {wanted}, which several plugins claim, expected one of {', '.join(qualified)}"
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    return f"{key}.provider: found {wanted}, expected one of {', '.join(names) or 'none installed'}{hint}"


def _construct(
    provided: Provided, name: str, config: Any, services: Services, failures: list[PluginFailure]
) -> Provider | None:
    try:
        provider: Provider = provided.item(config, services)
        for host in provider.hosts:
            services.egress.require(host)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever a plugin raises harms only itself
        lines = str(error).splitlines()
        failures.append(
            PluginFailure(
                plugin=provided.plugin,
                distribution=provided.distribution,
                stage="configure",
                subject=name,
                cause=f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__,
                hint=getattr(error, "hint", None) or f"check [{provided.family}s.{name}] in cobranza.toml",
            )
        )
        return None
    return provider
