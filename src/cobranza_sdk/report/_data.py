"""
The report as JSON-ready data.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import fields

from cobranza_sdk.report._report import ChannelLine, Report

#: Which formula each part of the data follows, in the order of the page's footnotes.
FORMULAS = {
    "channels": "attempts.funnel",
    "read_rate": "read",
    "reply_rate": "reply",
    "verdicts": "compl.decisions",
    "aging": "aging.v1",
    "delinquency": "delinq.balance",
    "rejected_rows": "imports.rejected",
}
_COUNTS = tuple(each.name for each in fields(ChannelLine) if each.name != "channel")
_DIGITS = Decimal("0.0001")


def to_dict(report: Report) -> dict[str, Any]:
    """
    The report as JSON-ready data.

    Returns:
        Keys as in `Report`, and ``delinquency`` and ``formulas``. Amounts stand as text in major units and as whole
        minor units, shares as text with four decimals (None where a share has no meaning), instants as ISO 8601.
    """
    return {
        "creditor": report.creditor,
        "as_of": report.as_of.isoformat(),
        "today": report.today.isoformat(),
        "verdicts": [
            {"verdict": str(line.verdict), "rule": line.rule, "citation": line.citation, "count": line.count}
            for line in report.verdicts
        ],
        "channels": [
            {
                "channel": line.channel,
                "planned": line.planned,
                **{name: getattr(line, name) for name in _COUNTS},
                "read_rate": _share(line.read_rate),
                "reply_rate": _share(line.reply_rate),
            }
            for line in report.channels
        ],
        "aging": [
            {
                "currency": line.currency,
                "bucket": line.bucket,
                "amount": f"{line.amount.amount:f}",
                "minor": line.amount.minor,
                "installments": line.installments,
            }
            for line in report.aging
        ],
        "delinquency": [
            {
                "currency": line.currency,
                "overdue": f"{line.overdue.amount:f}",
                "overdue_minor": line.overdue.minor,
                "total": f"{line.total.amount:f}",
                "total_minor": line.total.minor,
                "share": _share(line.share),
            }
            for line in report.delinquency
        ],
        "rejected_rows": report.rejected_rows,
        "formulas": dict(FORMULAS),
    }


def _share(value: Decimal | None) -> str | None:
    return None if value is None else str(value.quantize(_DIGITS))
