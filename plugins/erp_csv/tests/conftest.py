"""
Files of invented data, and what reading them gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import frozen
from hypothesis import settings

from cobranza_erp_csv._erp import CsvErp
from cobranza_sdk import Debtor, ErpBatch, Payment, Receivable, RejectedRecord
from cobranza_sdk.testing import make_provider

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def anyio_backend() -> str:
    """
    One event loop is enough: the provider only hands work to threads.
    """
    return "asyncio"


@frozen
class Import:
    """
    All batches of one read, joined.
    """

    batches: list[ErpBatch]

    def _of(self, kind: type) -> list[Any]:
        return [record for batch in self.batches for record in batch.records if isinstance(record, kind)]

    @property
    def debtors(self) -> list[Debtor]:
        return self._of(Debtor)

    @property
    def receivables(self) -> list[Receivable]:
        return self._of(Receivable)

    @property
    def payments(self) -> list[Payment]:
        return self._of(Payment)

    @property
    def rejected(self) -> list[RejectedRecord]:
        return [record for batch in self.batches for record in batch.rejected]

    @property
    def reasons(self) -> list[tuple[int | None, str | None, str]]:
        return [(record.line, record.column, record.reason) for record in self.rejected]

    @property
    def addresses(self) -> list[str]:
        return [point.address.value for debtor in self.debtors for point in debtor.contact_points]


Load = Callable[..., Import]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """
    Write a file and read it whole.
    """

    def run(content: str | bytes, *, name: str = "cartera.csv", cursor: str | None = None, **settings: Any) -> Import:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        told = {"path": str(file), "country": "PE", "currency": "PEN", **settings}
        erp = make_provider(CsvErp, {key: value for key, value in told.items() if value is not None})

        async def collect() -> list[ErpBatch]:
            return [batch async for batch in erp.read(cursor)]

        return Import(anyio.run(collect))

    return run
