"""
The report as one page that needs nothing else: no script, no font, no picture from elsewhere.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cobranza_sdk.report._data import FORMULAS
from cobranza_sdk.report._pictures import aging_picture, funnel_picture, require_matplotlib
from cobranza_sdk.report._report import Report
from cobranza_sdk.report._text import bucket_text
from cobranza_sdk.report._words import FUNNEL, NONE, OTHERS, RATES, Words

if TYPE_CHECKING:
    import minijinja

_PAGE = "page.html"


def to_html(report: Report, *, language: str = "es") -> str:
    """
    The report as one self-contained HTML page with pictures. The same report gives the same bytes.

    Args:
        report: What to show.
        language: As in `to_text`.

    Raises:
        CobranzaError: matplotlib is not installed; text and data do without it.
        InvalidValueError: Another language.
    """
    require_matplotlib()
    words = Words(language)
    formulas = list(FORMULAS.values())
    return _engine().render_template(
        _PAGE,
        language=language,
        words=words.all(),
        report={"creditor": report.creditor, "as_of": report.as_of.isoformat(), "today": report.today.isoformat()},
        as_of=words.instant(report.as_of),
        today=words.day(report.today),
        notes={name: formulas.index(formula) + 1 for name, formula in FORMULAS.items()},
        channels=[
            {"name": line.channel, "picture": funnel_picture(line, words, key=f"funnel-{place}")}
            for place, line in enumerate(report.channels)
        ],
        channel_rows=_rows(report, words, (*FUNNEL, *RATES)),
        other_rows=_rows(report, words, OTHERS),
        verdicts=_verdicts(report, words),
        decisions=words.count(report.decisions),
        aging_picture=aging_picture(report, words, key="aging") if report.aging else "",
        credit=any(line.amount.minor < 0 for line in report.aging),
        currencies=_currencies(report, words),
        rejected_rows=words.count(report.rejected_rows),
        formulas=[{"id": formula, "text": words.formula(formula)} for formula in formulas],
    )


@cache
def _engine() -> minijinja.Environment:
    import minijinja

    source = files(__package__).joinpath(_PAGE).read_text(encoding="utf-8")
    return minijinja.Environment(
        templates={_PAGE: source}, auto_escape_callback=lambda _name: True, undefined_behavior="strict"
    )


def _rows(report: Report, words: Words, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": words[name],
            "note": name if name in RATES else None,
            "cells": [
                words.share(getattr(line, name)) if name in RATES else words.count(getattr(line, name))
                for line in report.channels
            ],
        }
        for name in names
    ]


def _verdicts(report: Report, words: Words) -> list[dict[str, str]]:
    return [
        {
            "verdict": words[line.verdict],
            "rule": line.rule or NONE,
            "citation": line.citation or NONE,
            "count": words.count(line.count),
        }
        for line in report.verdicts
    ]


def _currencies(report: Report, words: Words) -> list[dict[str, Any]]:
    found = []
    for index in report.delinquency:
        lines = [line for line in report.aging if line.currency == index.currency]
        found.append(
            {
                "code": index.currency,
                "lines": [
                    {
                        "bucket": bucket_text(words, line.bucket),
                        "amount": words.money(line.amount),
                        "installments": words.count(line.installments),
                    }
                    for line in lines
                ],
                "installments": words.count(sum(line.installments for line in lines)),
                "overdue": words.money(index.overdue),
                "total": words.money(index.total),
                "share": words.share(index.share),
            }
        )
    return found
