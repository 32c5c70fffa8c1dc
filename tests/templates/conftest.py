"""
The standard catalogue and values to fill it with. Every name and number is invented.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from cobranza_sdk.model import Money
from cobranza_sdk.spec import TemplateCatalogue
from cobranza_sdk.templates import Catalogue, Template, Variables


@pytest.fixture(scope="session")
def standard() -> Catalogue:
    """
    The catalogue that ships with the package.
    """
    text = files("cobranza_sdk.templates").joinpath("standard.toml").read_text("utf-8")
    return Catalogue.parse([TemplateCatalogue("standard", text, origin="standard.toml")])


@pytest.fixture
def variables() -> Variables:
    """
    Values as they are on most days.
    """
    return Variables(
        creditor="Andina",
        debtor_name="Ana",
        amount=Money.of("150.00", "PEN"),
        due_on=date(2026, 3, 3),
        documents=("F001-123",),
        installments=1,
        days_past_due=5,
        payment_url="https://pg.example/a1b2",
        contact_line="01 555 0100",
        reference="R-0001",
        opt_out_word="BAJA",
    )


@pytest.fixture
def template() -> Callable[..., Template]:
    """
    Make one template out of its words.
    """

    def make(text: str, **fields: object) -> Template:
        given: dict[str, Any] = {
            "id": "note",
            "channel": "whatsapp",
            "locale": "es",
            "purpose": "reminder",
            "discloses": True,
        }
        return Template(**{**given, "text": text, "origin": "own.toml", **fields})

    return make
