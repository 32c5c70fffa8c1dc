"""
Fixtures for pytest. Name them in a test file, or in the ``conftest.py`` at the top::

    pytest_plugins = ["cobranza_sdk.testing.fixtures"]

They are no plugin that loads itself: a run that does not ask for them does not import this SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cobranza_sdk.testing._rehearsal import Rehearsal

__all__ = ["make_rehearsal", "rehearsal", "rehearsal_options"]


@pytest.fixture
def rehearsal_options() -> dict[str, Any]:
    """
    Arguments of the `Rehearsal` that `rehearsal` gives; override it where yours differ.
    """
    return {}


@pytest.fixture
def make_rehearsal() -> Iterator[Callable[..., Rehearsal]]:
    """
    Makes rehearsals with any arguments; they end with the test.
    """
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Rehearsal(**options))


@pytest.fixture
def rehearsal(rehearsal_options: dict[str, Any], make_rehearsal: Callable[..., Rehearsal]) -> Rehearsal:
    """
    A house with the installed channels, their emulators and an empty portfolio.
    """
    return make_rehearsal(**rehearsal_options)
