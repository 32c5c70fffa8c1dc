"""
``cobranza.toml``: what stands in it and how it is read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, fields, frozen, validators

from cobranza_sdk.loading._errors import ConfigurationError
from cobranza_sdk.loading._structure import NO_KEY, structure
from cobranza_sdk.model import Creditor

_PROVIDER_TABLES = ("channels", "erps", "payments")
_OPERATOR = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
#: The role that answers for overrides.
SUPERVISOR = "supervisor"
#: What a person named in ``[operators]`` may be.
ROLES = (SUPERVISOR,)
#: Metadata of fields that are no keys of the file.
_NO_KEY = {NO_KEY: True}


@frozen(kw_only=True)
class CreditorSettings:
    """
    ``[creditor]`` or ``[creditors.NAME]``.

    Attributes:
        name: Name the debtor knows.
        country: ISO 3166-1 code.
        legal_name: Registered name.
        tax_id: RUC, NIT, RFC …
        contact_line: Where a debtor gets answers.
        payment_url: Where a debtor pays; ``{reference}`` becomes the message's reference.
        payments: Payment account that makes a link for each message instead; *payment_url* stands in where it cannot.
        collector: ``creditor``, ``agency`` or ``buyer``.
        sector: ``financial`` or ``any``.
        strategy: Name under ``[strategies]``; the only one when there is one.
    """

    name: str
    country: str
    legal_name: str | None = None
    tax_id: str | None = None
    contact_line: str | None = None
    payment_url: str | None = None
    payments: str | None = None
    collector: str = "creditor"
    sector: str = "any"
    strategy: str | None = None

    def creditor(self, key: str) -> Creditor:
        """
        The value of the model.
        """
        return Creditor(
            id=key,
            name=self.name,
            legal_name=self.legal_name,
            tax_id=self.tax_id,
            country=self.country,
            contact_line=self.contact_line,
            collector=self.collector,
            sector=self.sector,
        )


@frozen(kw_only=True)
class ProviderSettings:
    """
    ``[channels.NAME]``, ``[erps.NAME]``, ``[payments.NAME]``.

    Attributes:
        provider: Name of the provider, or ``distribution:name``.
        creditors: Creditors it serves; None serves all.
        contacts_confirmed: For an ERP: whether the addresses in it were given by the debtors themselves, so that
            their holders count as confirmed.
        write_back: For an ERP: whether it is told what became of attempts, and payments that it did not bring.
        calls_per_second: Most calls to the vendor in a second, messages among them; None takes what the provider
            declares.
        options: The provider's own settings, not yet checked.
    """

    provider: str
    creditors: tuple[str, ...] | None = None
    contacts_confirmed: bool = False
    write_back: bool = False
    calls_per_second: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    options: Mapping[str, Any] = field(factory=dict, repr=False, metadata=_NO_KEY)

    def serves(self, creditor_id: str) -> bool:
        """
        Whether this account works for *creditor_id*.
        """
        return self.creditors is None or creditor_id in self.creditors


@frozen(kw_only=True)
class StoreSettings:
    """
    ``[store]``.

    Attributes:
        url: SQLAlchemy address; a SQLite path is relative to the configuration file. May hold a password: never
            printed.
    """

    url: str = field(default="sqlite:///cobranza.db", repr=False)


@frozen(kw_only=True)
class ComplianceSettings:
    """
    ``[compliance]``.

    Attributes:
        packs: Pack files, relative to the configuration file; they win over an installed pack of the same name.
        reading: ``cautious`` or ``literal``, where a text leaves doubt.
        overlays: Files that change a pack's holidays, relative to the configuration file.
        accept_risk: Risks of platform rules that the operator takes knowingly, for example ``whatsapp.collections``.
    """

    packs: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    reading: str = field(default="cautious", validator=validators.in_(("cautious", "literal")))
    accept_risk: tuple[str, ...] = ()


@frozen(kw_only=True)
class TemplateSettings:
    """
    ``[templates]``.

    Attributes:
        files: Catalogue files, relative to the configuration file; later ones win.
    """

    files: tuple[str, ...] = ()


@frozen(kw_only=True)
class PluginSettings:
    """
    ``[plugins]``.

    Attributes:
        allow: Names of entry points that may be imported; None permits all, empty none.
        strict: Whether a failure of any plugin stops everything.
    """

    allow: tuple[str, ...] | None = None
    strict: bool = False


@frozen(kw_only=True)
class WebSettings:
    """
    ``[web]``.

    Attributes:
        public_url: Address under which vendors reach ``cobranza serve``, without a trailing slash.
    """

    public_url: str | None = None


@frozen(kw_only=True)
class RunnerSettings:
    """
    ``[runner]``.

    Attributes:
        batch: Attempts leased at once.
        concurrency: Calls to one account in flight.
        deadline_s: Longest time one provider call may take, in seconds.
    """

    batch: int = field(default=200, validator=[validators.ge(1), validators.le(5000)])
    concurrency: int = field(default=8, validator=[validators.ge(1), validators.le(256)])
    deadline_s: float = field(default=30.0, validator=[validators.gt(0), validators.le(600)])


@frozen(kw_only=True)
class Settings:
    """
    A whole configuration.

    Attributes:
        tenant: Whose installation; rows of other tenants in the same store stay invisible.
        creditors: By key. ``[creditor]`` is the one with the key ``default``.
        store: Where to remember.
        channels: Channel accounts by configured name.
        erps: ERP connections by configured name.
        payments: Payment accounts by configured name.
        compliance: Packs and readings.
        operators: Roles of people, by the name under which the ledger keeps what they do.
        strategies: Strategy files by name, relative to the configuration file.
        templates: Catalogue files.
        plugins: Which plugins may load.
        web: Public address.
        runner: Sizes of dispatch.
        live: False refuses every host but loopback.
        only_to: With ``live = true``: the only addresses that may be written to; None permits all.
        base: Directory that relative paths start from.
    """

    tenant: str = "default"
    creditors: dict[str, CreditorSettings] = field(factory=dict)
    store: StoreSettings = field(factory=StoreSettings)
    channels: dict[str, ProviderSettings] = field(factory=dict)
    erps: dict[str, ProviderSettings] = field(factory=dict)
    payments: dict[str, ProviderSettings] = field(factory=dict)
    compliance: ComplianceSettings = field(factory=ComplianceSettings)
    operators: dict[str, tuple[str, ...]] = field(factory=dict)
    strategies: dict[str, str] = field(factory=dict)
    templates: TemplateSettings = field(factory=TemplateSettings)
    plugins: PluginSettings = field(factory=PluginSettings)
    web: WebSettings = field(factory=WebSettings)
    runner: RunnerSettings = field(factory=RunnerSettings)
    live: bool = False
    only_to: tuple[str, ...] | None = field(default=None, repr=False)
    base: Path = field(factory=Path, metadata=_NO_KEY)


def read_settings(path: Path | str) -> Settings:
    """
    Read ``cobranza.toml``.

    Raises:
        ConfigurationError: The file cannot be read, is no TOML, or says what it may not: every problem at once.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")  # Notepad writes a byte-order mark
    except FileNotFoundError:
        msg = f"{path}: there is no such file"
        raise ConfigurationError([msg], hint="`cobranza init DIR` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({type(error).__name__}), expected UTF-8 text"
        raise ConfigurationError([msg]) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: is no TOML: {error}"
        raise ConfigurationError([msg]) from error
    return settings_from(data, base=path.parent)


def settings_from(data: Mapping[str, Any], *, base: Path | None = None) -> Settings:
    """
    Build settings from a table shaped as ``cobranza.toml``.

    Raises:
        ConfigurationError: Every problem at once, each with its full key.
    """
    table = dict(data)
    single = "creditor" in table and "creditors" not in table
    problems: list[str] = []
    if "base" in table:
        problems.append("base: unknown key, paths are relative to the configuration file")
        table.pop("base")
    _one_creditor(table, problems)
    for kind in _PROVIDER_TABLES:
        if isinstance(table.get(kind), Mapping):
            table[kind] = {name: _split(entry) for name, entry in table[kind].items()}
    try:
        settings = structure(Settings, table)
    except ConfigurationError as error:
        raise ConfigurationError(_as_written([*problems, *error.problems], single=single)) from None
    problems += _inconsistent(settings)
    if problems:
        raise ConfigurationError(_as_written(problems, single=single))
    return evolve(settings, base=base or Path())


def _one_creditor(table: dict[str, Any], problems: list[str]) -> None:
    if "creditor" not in table:
        return
    if "creditors" in table:
        problems.append("creditor: found beside [creditors.NAME], expected one of the two")
        table.pop("creditor")
        return
    table["creditors"] = {"default": table.pop("creditor")}


def _as_written(problems: list[str], *, single: bool) -> list[str]:
    """
    The same with the key that stands in the file: ``creditor``, when ``[creditor]`` was written.
    """
    at = "creditors.default"
    return [f"creditor{problem[len(at) :]}" if single and problem.startswith(at) else problem for problem in problems]


def _split(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    known = {entry.name for entry in fields(ProviderSettings) if NO_KEY not in entry.metadata}
    own = {key: value for key, value in entry.items() if key in known}
    return own | {"options": {key: value for key, value in entry.items() if key not in known}}


def _operators(operators: Mapping[str, tuple[str, ...]]) -> list[str]:
    names = [
        f"operators.{name}: expected up to 64 letters a to z, digits, ., - and _"
        for name in operators
        if not _OPERATOR.fullmatch(name)
    ]
    roles = [
        f"operators.{name}: found {role}, expected one of {', '.join(ROLES)}"
        for name, several in operators.items()
        for role in several
        if role not in ROLES
    ]
    return names + roles


def _inconsistent(settings: Settings) -> list[str]:
    problems = []
    for kind in _PROVIDER_TABLES:
        for name, entry in getattr(settings, kind).items():
            if not (name.isascii() and name.replace("_", "").replace("-", "").isalnum()):
                problems.append(f"{kind}.{name}: a name may hold the letters a to z, digits, - and _ only")
            problems += [
                f"{kind}.{name}.creditors: found {creditor}, expected a key of [creditors]"
                for creditor in entry.creditors or ()
                if creditor not in settings.creditors
            ]
    problems += _operators(settings.operators)
    for name in sorted(settings.channels.keys() & settings.payments.keys()):
        problems.append(f"payments.{name}: found a name of [channels] too, expected another: webhooks arrive under it")
    for key, creditor in settings.creditors.items():
        try:
            creditor.creditor(key)
        except ValueError as error:
            name, _, reason = str(error).removeprefix("Creditor.").partition(" ")
            problems.append(f"creditors.{key}.{name}: {reason}")
        if creditor.strategy is not None and creditor.strategy not in settings.strategies:
            problems.append(f"creditors.{key}.strategy: found {creditor.strategy}, expected a name of [strategies]")
        account = settings.payments.get(creditor.payments or "")
        if creditor.payments is not None and (account is None or not account.serves(key)):
            problems.append(
                f"creditors.{key}.payments: found {creditor.payments}, expected a name of [payments] that serves it"
            )
    if settings.only_to is not None and not settings.live:
        problems.append("only_to: found with live = false, expected it beside live = true only")
    return problems
