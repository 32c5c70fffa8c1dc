"""
Reads the CSV files that ERP systems export.
"""

from __future__ import annotations

from collections.abc import Iterable

from cobranza_sdk import Erp, hookimpl


@hookimpl
def cobranza_erps() -> Iterable[type[Erp]]:
    """
    Name the one system of this plugin: files.
    """
    from cobranza_erp_csv._erp import CsvErp

    return (CsvErp,)
