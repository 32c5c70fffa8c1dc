"""
Writing a message: beside an f-string and jinja2, both given the values in words already.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import minijinja
from measure import Case, interleave, table

from cobranza_sdk import Money, TemplateCatalogue
from cobranza_sdk.templates import Catalogue, Variables, render

_LOCALE = "es-PE"
_OURS, _LIMIT, _ENGINE, _JINJA = "render, SMS", "f-string, values in words", "minijinja, values in words", "jinja2"
_NAMES = "Ana Luis Rosa Carlos Elena Jorge Lucia Pedro Carmen Raul".split()


def _variables(count: int) -> list[Variables]:
    chance = random.Random(20260805)  # noqa: S311  # repeatable, not secret
    return [
        Variables(
            creditor="Tienda Andina",
            debtor_name=f"{chance.choice(_NAMES)} {chance.choice(_NAMES)}",
            amount=Money(chance.randrange(5_000, 900_000), "PEN"),
            due_on=date(2026, 8, 5) - timedelta(days=chance.randrange(90)),
            documents=(f"F001-{number}",),
            days_past_due=5,
            payment_url=f"https://pagos.example.com/{number}",
            contact_line="atencion@example.com",
            opt_out_word="BAJA",
        )
        for number in range(count)
    ]


def _f_string(v: Mapping[str, Any]) -> str:
    name = f" {v['debtor_name']}" if v["debtor_name"] else ""
    return (
        f"{v['creditor']}: hola{name}, le recordamos su documento {v['document']}: {v['amount']}, "
        f"vence {v['due_on']}. Pague: {v['how_to_pay']} Dudas: {v['contact_line']} Salir: {v['opt_out_word']}"
    )


def measure_render(count: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    The section on templates. All must write the same words.

    Raises:
        SystemExit: They do not.
    """
    from cobranza_sdk.templates._variables import values_of

    text = (files("cobranza_sdk.templates") / "standard.toml").read_text("utf-8")
    catalogue = Catalogue.parse([TemplateCatalogue("standard", text, origin="standard")])
    template = catalogue.find("preventive", channel="sms", locale=_LOCALE)
    made = _variables(count)
    words = [values_of(item, locale=_LOCALE, channel="sms") for item in made]
    engine = minijinja.Environment(templates={"sms": template.text})

    writers: dict[str, Callable[[], list[str]]] = {
        _OURS: lambda: [render(template, item, locale=_LOCALE).text for item in made],
        _LIMIT: lambda: [_f_string(values) for values in words],
        _ENGINE: lambda: [engine.render_template("sms", **values) for values in words],
    }
    try:
        import jinja2
    except ModuleNotFoundError:
        pass
    else:
        compiled = jinja2.Environment(autoescape=False).from_string(template.text)  # noqa: S701  # plain text
        writers[_JINJA] = lambda: [compiled.render(values) for values in words]
    wanted = writers[_OURS]()
    for name, writer in writers.items():
        if writer() != wanted:
            msg = f"no comparison: {name} writes other words\n  {writer()[0]}\n  {wanted[0]}"
            raise SystemExit(msg)
    cases = {name: _timed(writer, count) for name, writer in writers.items()}
    return {
        "rows": table(interleave(cases, rounds, say), "per_cpu_s", {"f-string": _LIMIT, "minijinja alone": _ENGINE}),
        "messages": count,
    }


def _timed(writer: Callable[[], list[str]], count: int) -> Case:
    def run() -> Mapping[str, float]:
        began = time.process_time()
        writer()
        return {"per_cpu_s": count / (time.process_time() - began)}

    return run
