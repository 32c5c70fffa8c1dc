"""
The checks that every ERP plugin passes. They cannot be overridden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cobranza_acme_books._erp import AcmeBooks
from cobranza_acme_books._sandbox import AcmeBooksSandbox
from cobranza_sdk import Erp
from cobranza_sdk.testing import ErpConformance, FixedClock

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


class TestAcmeBooks(ErpConformance):
    """
    The ERP against its vendor's emulator.
    """

    provider: ClassVar[type[Erp]] = AcmeBooks

    @pytest.fixture(autouse=True)
    def vendors(self) -> Iterator[None]:
        """
        Emulators end with the check that started them.
        """
        with ExitStack() as self.running:
            yield

    def source(self, folder: Path) -> Mapping[str, Any]:
        """
        The books as they stand on the first day.
        """
        return self.vendor().settings

    def damaged(self, folder: Path) -> Mapping[str, Any]:
        """
        The same, and an invoice in whose amount a person's name stands.
        """
        vendor = self.vendor()
        vendor.rows.append({**vendor.rows[1], "key": "F-9", "amount": self.canary})
        return vendor.settings

    def missing(self, folder: Path) -> Mapping[str, Any]:
        """
        Nobody answers there any more.
        """
        vendor = self.vendor()
        vendor.stop()
        return vendor.settings

    def vendor(self) -> AcmeBooksSandbox:
        """
        An emulator that runs.
        """
        vendor = AcmeBooksSandbox(clock=FixedClock(NOW))
        self.running.enter_context(vendor)
        return vendor
