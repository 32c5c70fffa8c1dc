"""
Hooks register; they never carry traffic. The core calls what they name itself.

A plugin is a distribution with an entry point in group ``cobranza_sdk`` that names a module; the module's functions
marked with ``@hookimpl`` are called once, while plugins load and before any is configured. Answers are joined. What a
function raises is recorded as a `PluginFailure` of its plugin; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable

from pluggy import HookimplMarker, HookspecMarker

from cobranza_sdk.spec._providers import (
    Channel,
    CompliancePack,
    CompliancePolicy,
    Erp,
    PaymentProvider,
    Sandbox,
    TemplateCatalogue,
)

PROJECT = "cobranza_sdk"
#: Entry-point group of plugins.
ENTRY_POINT_GROUP = PROJECT

hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)

_NEVER_CALLED = "pluggy never calls a specification"


@hookspec
def cobranza_channels() -> Iterable[type[Channel]]:
    """
    Name the channels through which this plugin carries messages.

    Returns:
        Classes, not instances: the core builds each from its own configuration. Two channels with one name are both
        refused until the configuration says ``provider = "distribution:name"``.

    .. versionadded:: 0.1.0
    """
    raise AssertionError(_NEVER_CALLED)


@hookspec
def cobranza_erps() -> Iterable[type[Erp]]:
    """
    Name the systems from which this plugin reads debtors, receivables and payments.

    Returns:
        Classes, not instances.

    .. versionadded:: 0.1.0
    """
    raise AssertionError(_NEVER_CALLED)


@hookspec
def cobranza_payment_providers() -> Iterable[type[PaymentProvider]]:
    """
    Name the providers by which this plugin makes payment links and learns what was paid.

    Returns:
        Classes, not instances.

    .. versionadded:: 0.1.0
    """
    raise AssertionError(_NEVER_CALLED)


@hookspec
def cobranza_compliance_packs() -> Iterable[CompliancePack]:
    """
    Hand over country packs. They are parsed when a contact of their country is first judged.

    .. versionadded:: 0.1.0
    """
    raise AssertionError(_NEVER_CALLED)


@hookspec
def cobranza_compliance_policies() -> Iterable[CompliancePolicy]:
    """
    Hand over rules that data cannot say. They judge every contact and can only restrict.

    .. versionadded:: 0.1.0
    """
    raise AssertionError(_NEVER_CALLED)


@hookspec
def cobranza_template_catalogues() -> Iterable[TemplateCatalogue]:
    """
    Hand over message templates. The operator's own files win over a template of the same id.

    .. versionadded:: 0.1.0
    """
    raise AssertionError(_NEVER_CALLED)


@hookspec
def cobranza_sandboxes() -> Iterable[type[Sandbox]]:
    """
    Name the vendor emulators of this plugin's providers.

    Returns:
        Classes, not instances. Import what they need when they start, not when the hook is called.

    .. versionadded:: 0.1.0
    """
    raise AssertionError(_NEVER_CALLED)
