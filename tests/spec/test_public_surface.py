"""
The names that other people's code uses.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cobranza_sdk
from cobranza_sdk.spec import _hooks

#: Pinned: code outside this repository imports them. Taking one away breaks it.
PINNED = """
Cobranza hookimpl hookspec Money Creditor Person Debtor ContactPoint Address Consent Receivable Installment Payment
Promise Contact PastContact Decision Finding Verdict OutboundMessage Attachment Accepted AttemptRef AttemptState Found
Absent Undetermined Event EventKind LedgerEvent InboundMessage Interpretation WebhookRequest VerifiedEnvelope Services
Clock Health Provider Channel ChannelCapabilities Erp ErpBatch ErpCapabilities RejectedRecord PaymentProvider
PaymentCapabilities PaymentLink CompliancePack CompliancePolicy TemplateCatalogue Sandbox EventObserver ReplyInterpreter
PluginFailure ProviderError Category Disposition Transmitted UnsupportedCapabilityError WebhookRejectedError
ConfigurationError Secret CobranzaError API_VERSION
"""
HEAVY = ("httpx", "sqlalchemy", "pydantic", "structlog", "holidays", "babel", "alembic", "click", "rich", "minijinja")
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "plugins.md"


def in_a_new_interpreter(code: str) -> object:
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    return json.loads(run.stdout)


def hooks() -> dict[str, object]:
    return {name: value for name, value in vars(_hooks).items() if hasattr(value, "cobranza_sdk_spec")}


@pytest.mark.parametrize("name", PINNED.split())
def test_a_pinned_name_is_there(name: str) -> None:
    """
    A plugin published last year imports it.
    """
    assert getattr(cobranza_sdk, name) is not None
    assert name in cobranza_sdk.__all__
    assert name in dir(cobranza_sdk)


@pytest.mark.parametrize("name", cobranza_sdk.__all__)
def test_a_public_name_says_what_it_is(name: str) -> None:
    """
    Three readers meet it in their editor before they meet our documentation.
    """
    value = getattr(cobranza_sdk, name)

    if inspect.isclass(value):
        # attrs writes none, and an enumeration inherits one that says nothing of it
        assert (vars(value).get("__doc__") or "").strip()
        room = next(room for room, names in cobranza_sdk._HOME.items() if name in names)
        assert value.__module__.startswith(f"cobranza_sdk.{room}")
    else:
        assert name in {"API_VERSION", "hookimpl", "hookspec"}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """
    ``hasattr`` and ``from … import`` depend on it.
    """
    assert not hasattr(cobranza_sdk, "Cobranzas")


def test_the_package_alone_loads_nothing_heavy() -> None:
    """
    ``cobranza --version`` and every plugin pay for the import.
    """
    code = f"import sys, json, cobranza_sdk; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"

    assert in_a_new_interpreter(code) == []


def test_listing_plugins_needs_no_client_and_no_database() -> None:
    """
    ``cobranza plugins`` answers at once, and so does a host that only asks what is installed.
    """
    code = (
        "import sys, json; from cobranza_sdk.loading import load_plugins; load_plugins(allow=[]);"
        "print(json.dumps([m for m in ('httpx', 'sqlalchemy', 'babel', 'holidays') if m in sys.modules]))"
    )

    assert in_a_new_interpreter(code) == []


@pytest.mark.parametrize("room", ["model", "spec", "loading", "testing"])
def test_a_room_names_what_it_shows(room: str) -> None:
    """
    A name in ``__all__`` that is not there breaks ``import *`` and every list made from it.
    """
    module = import_module(f"cobranza_sdk.{room}")

    assert sorted(set(module.__all__)) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_the_testing_room_has_its_pinned_name() -> None:
    """
    Every plugin's tests begin with it.
    """
    from cobranza_sdk.testing import make_provider

    assert (make_provider.__doc__ or "").strip()


def test_every_hook_is_documented() -> None:
    """
    A hook that nobody can read of is used by nobody, or wrongly.
    """
    reference = REFERENCE.read_text("utf-8")

    assert len(hooks()) >= 6
    for name, hook in hooks().items():
        assert (hook.__doc__ or "").strip(), name
        assert ".. versionadded::" in (hook.__doc__ or ""), name
        assert re.search(rf"^### `{name}`$", reference, re.MULTILINE), name


def test_the_reference_names_no_hook_that_does_not_exist() -> None:
    """
    Documentation that promises more than the code is worse than none.
    """
    named = set(re.findall(r"^### `(cobranza_\w+)`$", REFERENCE.read_text("utf-8"), re.MULTILINE))

    assert named == set(hooks())


def test_a_specification_is_never_called() -> None:
    """
    Hooks register; they never carry traffic.
    """
    for hook in hooks().values():
        with pytest.raises(AssertionError, match="never calls"):
            hook()  # type: ignore[operator]
