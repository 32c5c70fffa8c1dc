"""
Errors between the core and its plugins: three answers, and nothing that identifies a person.
"""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import pytest

from cobranza_sdk import (
    Category,
    CobranzaError,
    ConfigurationError,
    Disposition,
    LiveInterlockError,
    PluginFailure,
    ProviderError,
    Transmitted,
    UnsupportedCapabilityError,
    WebhookRejectedError,
)
from cobranza_sdk.loading import PluginError


def again(error: Any) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    ("category", "disposition", "transmitted"), list(itertools.product(Category, Disposition, Transmitted))
)
def test_the_axes_survive_a_process(category: Category, disposition: Disposition, transmitted: Transmitted) -> None:
    """
    Law 3: the core's next move depends on nothing else, whichever process the call was made in.
    """
    error = again(ProviderError(category, disposition, transmitted, retry_after=7.5, vendor_code="131026"))

    assert (error.category, error.disposition, error.transmitted) == (category, disposition, transmitted)
    assert (error.retry_after, error.vendor_code) == (7.5, "131026")
    assert str(error) == f"{category} (code 131026): {disposition}, transmitted: {transmitted}"


def test_the_vendors_words_stay_in_the_process() -> None:
    """
    Law 10: they may quote an address, and a queue keeps what it is given.
    """
    error = ProviderError("recipient", "never", "no", vendor_message="+51987654321 is not a number")

    assert b"51987654321" not in pickle.dumps(error)
    assert "51987654321" not in f"{error} {error!r} {copy.copy(error)!r}"
    assert error.vendor_message == "+51987654321 is not a number"


@pytest.mark.parametrize(
    "axes", [("oops", "retry", "no"), ("auth", "oops", "no"), ("auth", "retry", "oops"), ("auth", "retry", "")]
)
def test_an_answer_outside_the_axes_is_refused(axes: tuple[str, str, str]) -> None:
    """
    A plugin cannot invent a fourth answer that the core would have to guess about.
    """
    with pytest.raises(ValueError, match="is not a valid"):
        ProviderError(*axes)


def test_what_nobody_can_class_may_be_out_and_is_not_repeated() -> None:
    """
    Law 3: a second message is worse than a late one.
    """
    error = ProviderError.unrecognised(vendor_code="999")

    assert (error.category, error.disposition, error.transmitted) == ("protocol", "never", "maybe")
    assert error.vendor_code == "999"


@pytest.mark.parametrize(
    "kind", [ProviderError, UnsupportedCapabilityError, LiveInterlockError, WebhookRejectedError, ConfigurationError]
)
def test_one_root_catches_all(kind: type) -> None:
    """
    An embedding program writes one except clause.
    """
    assert issubclass(kind, CobranzaError)


def test_configuration_errors_cross_a_process_whole() -> None:
    """
    A worker that cannot hand its error back hangs its pool or garbles the message.
    """
    error = again(ConfigurationError(["a: missing", "b: unknown key"], hint="look"))

    assert (error.problems, error.hint) == (("a: missing", "b: unknown key"), "look")
    assert str(error) == "a: missing; b: unknown key"


def test_plugin_errors_cross_a_process_whole() -> None:
    """
    Strict mode in a worker must say which plugins failed.
    """
    failure = PluginFailure(plugin="a", distribution="b", stage="import", subject="c", cause="d", hint="e")

    error = again(PluginError([failure]))

    assert (error.failures, error.hint) == ((failure,), "e")
    assert str(error) == "a (b) failed at import: c: d"
