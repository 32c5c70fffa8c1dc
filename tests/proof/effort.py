"""
A pytest plugin for the long runs: every property test draws several times as many examples.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

_TIMES = 5
_OWN = "_hypothesis_internal_use_settings"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Raise the number of examples of each.
    """
    for test in {item.function for item in items if isinstance(item, pytest.Function)}:
        own = getattr(test, _OWN, None) or settings.default
        setattr(test, _OWN, settings(own, max_examples=_TIMES * own.max_examples))
