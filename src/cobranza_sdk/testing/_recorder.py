"""
A pytest plugin that keeps the standard checks only, and writes down how each ended: the ear of ``cobranza certify``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

#: Names the file that the record is written to.
VARIABLE = "COBRANZA_CERTIFY_RECORD"
_RECORDS = pytest.StashKey[list[dict[str, Any]]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Leave out what is the plugin's own.
    """
    config.stash[_RECORDS] = []
    kept = [item for item in items if getattr(getattr(item, "function", None), "is_standard_check", False)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """
    Note how a check ended.
    """
    report = yield
    if report.when == "call" or (report.when == "setup" and not report.passed):
        cls: Any = item.cls  # type: ignore[attr-defined]  # a standard check is a method
        family, name = cls.certifies()
        words = str(call.excinfo.value) if call.excinfo is not None else ""
        record = {"family": family, "name": name, "check": item.name, "outcome": report.outcome, "words": words}
        item.config.stash[_RECORDS].append(record)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """
    Write the record.
    """
    path = os.environ.get(VARIABLE)
    if path is not None:
        Path(path).write_text(json.dumps(session.config.stash.get(_RECORDS, [])), "utf-8")
