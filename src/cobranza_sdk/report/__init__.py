"""
Indicators of one creditor at one instant, as text, as data and as a page with pictures.
"""

from __future__ import annotations

from cobranza_sdk.report._data import to_dict
from cobranza_sdk.report._page import to_html
from cobranza_sdk.report._qr import qr_svg
from cobranza_sdk.report._report import (
    BUCKETS,
    AgingLine,
    ChannelLine,
    DelinquencyLine,
    Figures,
    Report,
    VerdictLine,
    make_report,
)
from cobranza_sdk.report._text import to_text

__all__ = [
    "BUCKETS",
    "AgingLine",
    "ChannelLine",
    "DelinquencyLine",
    "Figures",
    "Report",
    "VerdictLine",
    "make_report",
    "qr_svg",
    "to_dict",
    "to_html",
    "to_text",
]
