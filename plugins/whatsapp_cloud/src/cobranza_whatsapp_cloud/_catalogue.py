"""
The templates that the business account holds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

FIELDS = "name,language,status,category,correct_category,parameter_format,quality_score,rejected_reason"
PAGE_SIZE = 100
#: An account holds some thousand templates at most; more pages than that are a circle.
MAX_PAGES = 100

_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?")
_WORD = re.compile(r"[A-Za-z_]{1,64}")
_MAX_CURSOR = 2048


@frozen(kw_only=True)
class VendorTemplate:
    """
    One language of a template, as the vendor holds it. Words are the vendor's own, in small letters.

    Attributes:
        name: Its name.
        language: Its language code, for example ``es_PE``.
        status: ``approved``, ``pending``, ``rejected``, ``paused``, ``disabled`` …
        category: ``utility``, ``marketing`` or ``authentication``: what it costs and who may stop it.
        next_category: What the vendor will make of it, or None.
        named: Whether its variables have names.
        quality: ``green``, ``yellow``, ``red`` or ``unknown``.
        reason: Why it was rejected, or None.
    """

    name: str
    language: str
    status: str
    category: str
    next_category: str | None = None
    named: bool = False
    quality: str = "unknown"
    reason: str | None = None


def read_page(document: Mapping[str, Any]) -> tuple[list[VendorTemplate], str | None] | None:
    """
    Templates of one page, and where the next one begins; None for what is no page.

    A row without a name and a language is passed over: nothing can be sent by it.
    """
    rows = document.get("data")
    if not isinstance(rows, list):
        return None
    found = [template for row in rows if isinstance(row, dict) and (template := _template(row)) is not None]
    paging = document.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return found, None
    # The address in ``next`` holds the token and may lead anywhere: only the cursor is used.
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    fits = isinstance(after, str) and 0 < len(after) <= _MAX_CURSOR and after.isascii() and after.isprintable()
    return (found, str(after)) if fits else None


def summary(templates: Iterable[VendorTemplate]) -> str:
    """
    How many there are of each status, for example ``12 approved, 1 paused``.
    """
    counted = Counter(template.status for template in templates)
    return ", ".join(f"{count} {status}" for status, count in sorted(counted.items())) or "none"


def _template(row: Mapping[str, Any]) -> VendorTemplate | None:
    name, language = row.get("name"), row.get("language")
    if not isinstance(name, str) or not isinstance(language, str):
        return None
    if not _NAME.fullmatch(name) or not _LANGUAGE.fullmatch(language):
        return None
    score = row.get("quality_score")
    reason, current = _word(row.get("rejected_reason")), _word(row.get("category")) or "unknown"
    correct = _word(row.get("correct_category"))
    return VendorTemplate(
        name=name,
        language=language.replace("-", "_"),
        status=_word(row.get("status")) or "unknown",
        category=current,
        next_category=None if correct == current else correct,
        named=row.get("parameter_format") == "NAMED",
        quality=_word(score.get("score") if isinstance(score, dict) else score) or "unknown",
        reason=None if reason == "none" else reason,
    )


def _word(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and _WORD.fullmatch(value) else None
