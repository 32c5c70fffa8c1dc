"""
Check digits of tax ids: what has the shape of a country's id, and whether it can be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from attrs import frozen


@frozen
class TaxId:
    """
    An id that was looked at.

    Attributes:
        value: As given, with the zeros that a spreadsheet took from it.
        problem: What is wrong with it, without quoting it, or None.
        firm: Whether the office never issues such an id; else real ones fail too.
    """

    value: str
    problem: str | None = None
    firm: bool = True


@frozen
class _Rule:
    """
    One kind of id: its name, its shape without blanks and points, and who checks it.
    """

    name: str
    shape: re.Pattern[str]
    module: str
    firm: bool = True
    length: int | None = None

    def accepts(self, text: str) -> bool:
        # the library looks at the last character of an RFC only when it is asked to
        options = {"validate_check_digits": True} if self.module == "stdnum.mx.rfc" else {}
        return bool(_module(self.module).is_valid(text, **options))


def _rule(name: str, shape: str, module: str, *, firm: bool = True, length: int | None = None) -> _Rule:
    return _Rule(name, re.compile(shape, re.ASCII), f"stdnum.{module}", firm, length)


# An id that may be written without its check digit (NIT, RUT, RUC of Paraguay) is checked only where a dash shows one.
# A length says to how many digits an id is filled up that a spreadsheet took for a number.
_RULES: Mapping[str, Sequence[_Rule]] = {
    "AR": (_rule("CUIT", r"\d{2}-?\d{8}-?\d", "ar.cuit"),),
    "BR": (
        _rule("CNPJ", r"[0-9A-Z]{8}/?[0-9A-Z]{4}-?\d{2}", "br.cnpj", length=14),
        _rule("CPF", r"\d{9}-?\d{2}", "br.cpf", length=11),
    ),
    "CL": (_rule("RUT", r"\d{6,8}-[0-9K]|\d{8}[0-9K]", "cl.rut"),),
    "CO": (_rule("NIT", r"\d{5,15}-\d", "co.nit"),),
    "DO": (_rule("RNC", r"\d-?\d{2}-?\d{5}-?\d", "do.rnc"), _rule("cédula", r"\d{3}-?\d{7}-?\d", "do.cedula")),
    # companies that were registered of late fail the rule
    "EC": (
        _rule("RUC", r"\d{10}00\d", "ec.ruc", firm=False, length=13),
        _rule("cédula", r"\d{9}-?\d", "ec.ci", length=10),
    ),
    "GT": (_rule("NIT", r"\d{2,12}-[0-9K]", "gt.nit"),),
    # one or two in a hundred that the office issued fail the rule
    "MX": (_rule("RFC", r"[A-ZÑ&]{3,4}-?\d{6}-?[0-9A-Z]{3}", "mx.rfc", firm=False),),
    "PE": (_rule("RUC", r"\d{11}", "pe.ruc"),),
    "PY": (_rule("RUC", r"\d{5,9}-\d", "py.ruc"),),
    "SV": (_rule("NIT", r"\d{4}-?\d{6}-?\d{3}-?\d", "sv.nit"),),
    "UY": (_rule("RUT", r"\d{2}-?\d{6}-?\d{3}-?\d", "uy.rut"),),
    "VE": (_rule("RIF", r"[VEJPG]-?\d{8}-?\d", "ve.rif"),),
}
_BLANKS = re.compile(r"[\s.\u00a0]+")
_MAX_ID = 40


@cache
def _module(name: str) -> Any:
    return import_module(name)


def check(cell: str, country: str) -> TaxId:
    """
    Look at one tax id.

    Args:
        cell: As it stands in the file.
        country: ISO code of the country that issued it.

    Returns:
        The id; without a problem when its check digit fits, and when it has the shape of no id that has one, as
        identity cards and ids of other countries.
    """
    text = _BLANKS.sub("", cell).upper()
    if not text or len(text) > _MAX_ID:
        return TaxId(cell)
    rules = _RULES.get(country, ())
    for rule in rules:
        if rule.shape.fullmatch(text):
            if rule.accepts(text):
                return TaxId(cell)
            return TaxId(cell, f"the check digit is not that of a {rule.name}", rule.firm)
    return TaxId(_filled(text, rules) or cell)


def _filled(text: str, rules: Sequence[_Rule]) -> str | None:
    """
    *text* with the zeros before it that a spreadsheet dropped: only if that makes it a valid id of one kind.
    """
    if not (text.isascii() and text.isdecimal()):
        return None
    lengths = [rule for rule in rules if rule.length is not None and 0 < rule.length - len(text) <= 2]  # noqa: PLR2004  # more zeros begin no id
    found = [text.zfill(rule.length or 0) for rule in lengths if rule.accepts(text.zfill(rule.length or 0))]
    return found[0] if len(found) == 1 else None
