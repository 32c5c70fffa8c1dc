"""
What every ERP plugin has to hold, held against a CSV file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from cobranza_erp_csv._erp import CsvErp
from cobranza_sdk import Erp
from cobranza_sdk.testing import ErpConformance

HEAD = "customer_key,customer_name,phone,country,doc_number,due_date,amount_total,amount_open,currency\n"
ROWS = (
    "D-1,Ana Prueba,+51900100001,PE,F-1,2026-08-04,100.00,100.00,PEN\n"
    "D-1,Ana Prueba,+51900100001,PE,F-2,2026-09-04,50.00,50.00,PEN\n"
    "D-2,Luis Prueba,+51900100002,PE,F-3,2026-07-04,75.50,75.50,PEN\n"
)


class TestCsvErp(ErpConformance):
    provider: ClassVar[type[Erp]] = CsvErp

    def source(self, folder: Path) -> Mapping[str, Any]:
        return self._written(folder, ROWS)

    def damaged(self, folder: Path) -> Mapping[str, Any]:
        return self._written(folder, f"{ROWS}D-3,{self.canary},+51900100003,PE,F-4,2026-13-45,abc,abc,PEN\n")

    def missing(self, folder: Path) -> Mapping[str, Any]:
        return {"path": str(folder / "nowhere.csv")}

    @staticmethod
    def _written(folder: Path, rows: str) -> Mapping[str, Any]:
        path = folder / "receivables.csv"
        path.write_text(HEAD + rows, "utf-8")
        return {"path": str(path)}
