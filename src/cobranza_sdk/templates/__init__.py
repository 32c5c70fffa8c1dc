"""
Writes messages: a catalogue of templates, the values they may use, and the words that come of both. Pure.
"""

from __future__ import annotations

from cobranza_sdk.templates._catalogue import Catalogue, Template, VendorTemplate
from cobranza_sdk.templates._errors import TemplateError
from cobranza_sdk.templates._formats import date_text, money_text
from cobranza_sdk.templates._render import Rendered, render
from cobranza_sdk.templates._variables import VARIABLES, Variables

__all__ = [
    "VARIABLES",
    "Catalogue",
    "Rendered",
    "Template",
    "TemplateError",
    "Variables",
    "VendorTemplate",
    "date_text",
    "money_text",
    "render",
]
