"""
Finds and checks plugins, one stage after the other; what fails is recorded and harms only itself.

metadata → compatibility → allow → import → register → describe (configure comes with `configured`).
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from types import ModuleType
from typing import Any

import attrs
import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from cobranza_sdk.loading._errors import PluginError, PluginFailure
from cobranza_sdk.model._checks import texts
from cobranza_sdk.spec import (
    API_VERSION,
    ENTRY_POINT_GROUP,
    PROJECT,
    Channel,
    ChannelCapabilities,
    CompliancePack,
    CompliancePolicy,
    Erp,
    ErpCapabilities,
    PaymentCapabilities,
    PaymentProvider,
    Sandbox,
    TemplateCatalogue,
    _hooks,
)

SDK_DISTRIBUTION = "cobranza-sdk"
_PREFIX = "cobranza_"

#: Family of what a hook hands over: word for ``plugins --json``, expected type, whether classes are expected.
_FAMILIES: dict[str, tuple[str, type, bool]] = {
    "cobranza_channels": ("channel", Channel, True),
    "cobranza_erps": ("erp", Erp, True),
    "cobranza_payment_providers": ("payment", PaymentProvider, True),
    "cobranza_compliance_packs": ("compliance", CompliancePack, False),
    "cobranza_compliance_policies": ("policy", CompliancePolicy, False),
    "cobranza_template_catalogues": ("templates", TemplateCatalogue, False),
    "cobranza_sandboxes": ("sandbox", Sandbox, True),
}
#: Families of providers: what each declares, and the class whose methods stand for "not written".
_CAPABILITIES: dict[str, tuple[type, type]] = {
    "channel": (ChannelCapabilities, Channel),
    "erp": (ErpCapabilities, Erp),
    "payment": (PaymentCapabilities, PaymentProvider),
}
#: Capabilities that promise methods.
_PROMISES: dict[str, tuple[str, ...]] = {
    "lookup": ("lookup",),
    "write_back": ("write_back",),
    "receipts": ("verify", "parse"),
    "inbound": ("verify", "parse"),
    "webhooks": ("verify", "parse"),
    "cancel": ("cancel_link",),
    "refund": ("refund",),
    "search": ("find_payments", "find_links"),
}


class _RefusalError(Exception):
    """
    A stage says no: subject, cause, hint.
    """

    def __init__(self, subject: str, cause: str, hint: str) -> None:
        super().__init__(subject, cause, hint)
        self.subject, self.cause, self.hint = subject, cause, hint


@attrs.frozen(kw_only=True)
class Provided:
    """
    One thing that a plugin hands over.

    Attributes:
        family: ``channel``, ``erp``, ``payment``, ``compliance``, ``policy``, ``templates`` or ``sandbox``.
        name: Unique in its family.
        plugin: Name of the entry point.
        distribution: Name of the distribution.
        item: The class or object itself.
    """

    family: str
    name: str
    plugin: str
    distribution: str
    item: Any = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Plugin:
    """
    A plugin that loaded.

    Attributes:
        name: Of its entry point.
        distribution: Of what it came with.
        version: Of the distribution.
        module: What the entry point names.
        provides: What it brings.
    """

    name: str
    distribution: str
    version: str
    module: str
    provides: tuple[Provided, ...]


@attrs.frozen(kw_only=True)
class Plugins:
    """
    What loaded and what did not.

    Attributes:
        plugins: In the order of their names.
        failures: In the order they happened.
        provided: Everything usable, by (family, name); a name that two plugins claim stands only under
            ``distribution:name``.
    """

    plugins: tuple[Plugin, ...] = ()
    failures: tuple[PluginFailure, ...] = ()
    provided: Mapping[tuple[str, str], Provided] = attrs.field(factory=dict)

    def names(self, family: str) -> tuple[str, ...]:
        """
        Usable names of *family*, sorted.
        """
        return tuple(sorted(name for kind, name in self.provided if kind == family))

    def items(self, family: str) -> tuple[Any, ...]:
        """
        Everything of *family*, in the order of names.
        """
        return tuple(self.provided[family, name].item for name in self.names(family))

    def to_dict(self) -> dict[str, Any]:
        """
        What ``cobranza plugins --json`` prints.
        """
        return {
            "plugins": [
                {
                    "name": plugin.name,
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "provides": [{"family": item.family, "name": item.name} for item in plugin.provides],
                }
                for plugin in self.plugins
            ],
            "failures": [failure.to_dict() for failure in self.failures],
        }


def load_plugins(
    *,
    allow: Sequence[str] | None = None,
    strict: bool = False,
    distributions: Callable[[], Iterable[metadata.Distribution]] = metadata.distributions,
) -> Plugins:
    """
    Load every plugin that may be loaded.

    Args:
        allow: Names of entry points that may be imported; None permits all that are installed, empty none.
        strict: Whether any failure is an error.
        distributions: What is installed.

    Raises:
        PluginError: In strict mode, listing every failure.
    """
    allow = None if allow is None else texts(allow)
    running = _running_version()
    loaded: list[Plugin] = []
    failures: list[PluginFailure] = []
    seen: set[str] = set()
    for dist, entry in _entry_points(distributions, failures):
        name = dist.name
        if allow is not None and entry.name not in allow:
            continue
        seen.add(entry.name)
        try:
            loaded.append(_load(dist, entry, running))
        except _StageError as error:
            failures.append(error.failure(entry.name, name))
    failures.extend(
        PluginFailure(
            plugin=name,
            distribution="",
            stage="allow",
            subject=name,
            cause="allowed in the configuration, but not installed",
            hint="install its distribution, or take the name out of [plugins] allow",
        )
        for name in allow or ()
        if name not in seen
    )
    result = _resolve(sorted(loaded, key=lambda plugin: (plugin.name, plugin.distribution)), failures)
    if strict and result.failures:
        raise PluginError(result.failures)
    return result


def _running_version() -> Version:
    return Version(metadata.version(SDK_DISTRIBUTION))


def _entry_points(
    distributions: Callable[[], Iterable[metadata.Distribution]], failures: list[PluginFailure]
) -> Iterator[tuple[metadata.Distribution, metadata.EntryPoint]]:
    found: list[tuple[metadata.Distribution, metadata.EntryPoint]] = []
    names: set[str] = set()
    for dist in distributions():
        try:
            text = dist.read_text("entry_points.txt")
            if not text or f"[{ENTRY_POINT_GROUP}]" not in text.replace(" ", ""):
                continue
            key = _key(dist)
            if key in names:  # a second copy further down the path is shadowed, as for import
                continue
            names.add(key)
            found.extend((dist, entry) for entry in dist.entry_points if entry.group == ENTRY_POINT_GROUP)
        except Exception as error:  # noqa: BLE001  # one unreadable file must not hide the rest
            path = getattr(dist, "_path", None)
            subject = path.name if path is not None else "a distribution"
            failures.append(
                PluginFailure(
                    plugin=subject,
                    distribution=subject,
                    stage="metadata",
                    subject=subject,
                    cause=cause_of(error),
                    hint="its metadata cannot be read: reinstall it",
                )
            )
    yield from sorted(found, key=lambda pair: (pair[1].name, pair[0].name))


def _key(dist: metadata.Distribution) -> str:
    """
    Normalised name of a distribution that also says its version, as every later stage needs.
    """
    version: str | None = dist.version  # None where the line is missing, whatever the annotation says
    if not version:
        msg = "it says no version"
        raise ValueError(msg)
    return canonicalize_name(dist.metadata["Name"])


class _StageError(Exception):
    def __init__(self, stage: str, refused: _RefusalError) -> None:
        super().__init__(stage)
        self.stage, self.refused = stage, refused

    def failure(self, plugin: str, distribution: str) -> PluginFailure:
        return PluginFailure(
            plugin=plugin,
            distribution=distribution,
            stage=self.stage,
            subject=self.refused.subject,
            cause=self.refused.cause,
            hint=self.refused.hint,
        )


@contextlib.contextmanager
def _stage(name: str) -> Iterator[None]:
    """
    Turn whatever a stage raises into a refusal of this plugin; KeyboardInterrupt passes.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except _RefusalError as refused:
        raise _StageError(name, refused) from refused
    except BaseException as error:
        what = "it exits the interpreter" if isinstance(error, SystemExit) else cause_of(error)
        hint = "ask the plugin's author: this happened in the plugin's own code"
        raise _StageError(name, _RefusalError(f"stage {name}", what, hint)) from error


def cause_of(error: BaseException) -> str:
    """
    Kind and first line of an error, printable. An error that cannot even be shown is a plugin's error too.
    """
    try:
        lines = str(error).strip().splitlines()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # its __str__ is the plugin's code as well
        lines = []
    first = "".join(letter if letter.isprintable() else " " for letter in lines[0][:300]) if lines else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _load(dist: metadata.Distribution, entry: metadata.EntryPoint, running: Version) -> Plugin:
    with _stage("compatibility"):
        _check_compatible(dist, running)
    with _stage("import"):
        module = _import(entry)
    with _stage("register"):
        hooks = _register(entry.name, module)
    with _stage("describe"):
        provides = tuple(
            Provided(family=_FAMILIES[hook][0], name=name, plugin=entry.name, distribution=dist.name, item=item)
            for hook in hooks
            for name, item in _describe(module, hook)
        )
    return Plugin(name=entry.name, distribution=dist.name, version=dist.version, module=entry.value, provides=provides)


def _check_compatible(dist: metadata.Distribution, running: Version) -> None:
    for line in dist.requires or ():
        try:
            need = Requirement(line)
        except InvalidRequirement as error:
            raise _RefusalError(dist.name, f"unreadable requirement: {cause_of(error)}", "reinstall it") from error
        if canonicalize_name(need.name) != SDK_DISTRIBUTION:
            continue
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        if not need.specifier.contains(running, prereleases=True):
            cause = f"needs {SDK_DISTRIBUTION} {need.specifier}, this is {running}"
            raise _RefusalError(
                dist.name, cause, f"install a version of {dist.name} made for {SDK_DISTRIBUTION} {running}"
            )


def _import(entry: metadata.EntryPoint) -> ModuleType:
    if entry.attr:
        msg = f"the entry point names {entry.value}, expected a module"
        raise _RefusalError(entry.name, msg, f'write {entry.name} = "{entry.module}"')
    return importlib.import_module(entry.module)


def _register(name: str, module: ModuleType) -> tuple[str, ...]:
    """
    Hold the module's hooks against the specifications, in a scratch manager: nothing is half-registered.
    """
    marked = {key for key, value in vars(module).items() if _is_marked(value)}
    for key in sorted(marked - _FAMILIES.keys()):
        near = difflib.get_close_matches(key, _FAMILIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"hooks are: {', '.join(sorted(_FAMILIES))}"
        raise _RefusalError(key, "no such hook", hint)
    unmarked = [key for key in vars(module) if key.startswith(_PREFIX) and callable(getattr(module, key))]
    for key in sorted(set(unmarked) - marked):
        own = key.removeprefix(_PREFIX)
        if difflib.get_close_matches(own, [hook.removeprefix(_PREFIX) for hook in _FAMILIES], n=1, cutoff=0.75):
            raise _RefusalError(key, "looks like a hook but is not marked", "put @hookimpl from cobranza_sdk above it")
    if not marked:
        raise _RefusalError(module.__name__, "registers no hook", f"hooks are: {', '.join(sorted(_FAMILIES))}")
    scratch = pluggy.PluginManager(PROJECT)
    scratch.add_hookspecs(_hooks)
    # the hooks alone: whatever else stands in the module is no business of pluggy's
    hooks = ModuleType(module.__name__)
    vars(hooks).update({key: getattr(module, key) for key in marked})
    try:
        scratch.register(hooks, name)
        scratch.check_pending()
    except pluggy.PluginValidationError as error:
        raise _RefusalError(
            module.__name__, cause_of(error), "hooks take no parameters: see the reference of hooks"
        ) from error
    return tuple(sorted(marked))


def _is_marked(value: object) -> bool:
    """
    Whether ``@hookimpl`` marked *value*; an object that answers to any name, such as a mock, is not marked.
    """
    try:
        return inspect.isroutine(value) and isinstance(getattr(value, f"{PROJECT}_impl", None), dict)
    except Exception:  # noqa: BLE001  # a proxy that is not bound yet raises on any question
        return False


def _describe(module: ModuleType, hook: str) -> Iterator[tuple[str, Any]]:
    family, expected, wants_class = _FAMILIES[hook]
    answer = getattr(module, hook)()
    if inspect.iscoroutine(answer):
        answer.close()
        raise _RefusalError(hook, "is async", "write def instead of async def: hooks only register")
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Iterable):
        raise _RefusalError(
            hook, f"returned {type(answer).__name__}", f"return a list of {_wanted(expected, wants_class)}"
        )
    for item in answer:
        fits = inspect.isclass(item) and issubclass(item, expected) if wants_class else isinstance(item, expected)
        if not fits:
            found = item.__name__ if inspect.isclass(item) else type(item).__name__
            raise _RefusalError(hook, f"{found} is no {expected.__name__}", f"return {_wanted(expected, wants_class)}")
        if wants_class:
            _check_class(family, item)
        name = getattr(item, "name", None)
        if not isinstance(name, str) or not name.strip():
            found = item.__name__ if inspect.isclass(item) else type(item).__name__
            raise _RefusalError(found, "has no name", 'give it one: name = "my_provider"')
        if ":" in name:
            raise _RefusalError(
                name, "a name may hold no colon", "distribution:name is how a configuration tells two apart"
            )
        yield name, item


def _wanted(expected: type, wants_class: bool) -> str:  # noqa: FBT001  # a fact, not a switch
    return f"subclasses of {expected.__name__}" if wants_class else f"objects of type {expected.__name__}"


def _check_class(family: str, item: type) -> None:
    missing = sorted(getattr(item, "__abstractmethods__", ()))
    if missing:
        raise _RefusalError(item.__name__, f"does not write {', '.join(missing)}", f"write {missing[0]}")
    if family not in _CAPABILITIES:
        return
    level = getattr(item, "api", None)
    if level not in (API_VERSION, API_VERSION - 1):
        cause = f"was written for contract level {level!r}, this SDK supports {API_VERSION - 1} and {API_VERSION}"
        raise _RefusalError(item.__name__, cause, f"set api = {API_VERSION} once it fulfils that level")
    if not attrs.has(getattr(item, "config", object)):
        raise _RefusalError(item.__name__, "has no config", "set config to an attrs class that holds its settings")
    capabilities = getattr(item, "capabilities", None)
    wanted, base = _CAPABILITIES[family]
    if not isinstance(capabilities, wanted):
        raise _RefusalError(item.__name__, "declares no capabilities", f"set capabilities = {wanted.__name__}(…)")
    for capability, method in _declared(capabilities):
        if getattr(item, method) is getattr(base, method):
            cause = f"declares {capability} but does not write {method}"
            raise _RefusalError(item.__name__, cause, f"write {method}, or do not declare {capability}")


def _declared(capabilities: Any) -> Iterator[tuple[str, str]]:
    for capability, methods in _PROMISES.items():
        if getattr(capabilities, capability, False):
            yield from ((capability, method) for method in methods)


def _resolve(plugins: Sequence[Plugin], failures: list[PluginFailure]) -> Plugins:
    claims: dict[tuple[str, str], list[Provided]] = {}
    for plugin in plugins:
        for item in plugin.provides:
            claims.setdefault((item.family, item.name), []).append(item)
    provided: dict[tuple[str, str], Provided] = {}
    for (family, name), items in claims.items():
        if len(items) == 1:
            provided[family, name] = items[0]
            continue
        for item in items:
            others = sorted({other.distribution for other in items} - {item.distribution})
            alone = sum(other.distribution == item.distribution for other in items) == 1
            if alone:
                provided[family, f"{item.distribution}:{name}"] = item
                hint = f'say which one is meant: provider = "{item.distribution}:{name}"'
            else:
                hint = f"ask the author of {item.distribution} to give each a name of its own"
            failures.append(
                PluginFailure(
                    plugin=item.plugin,
                    distribution=item.distribution,
                    stage="describe",
                    subject=f"{family} {name}",
                    cause=f"the name {name} is also taken by {', '.join(others) or 'the same distribution'}",
                    hint=hint,
                )
            )
    return Plugins(plugins=tuple(plugins), failures=tuple(failures), provided=provided)
