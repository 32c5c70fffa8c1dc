"""
The messages that ship with the package.
"""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser

import pytest
from attrs import evolve

from cobranza_sdk.model import STAGES, Money
from cobranza_sdk.templates import Catalogue, Template, Variables, render
from cobranza_sdk.templates._characters import is_gsm
from cobranza_sdk.templates._disclosure import debt_word

CHANNELS = ("whatsapp", "sms", "email")
LOCALES = {"es": ("es-PE", "es-CO", "es-CR"), "pt": ("pt-BR",)}
ALREADY_PAID = {"es": "Si ya hizo el pago, ignore este", "pt": "fez o pagamento, desconsidere"}
OPT_OUT = {"es": "BAJA", "pt": "SAIR"}
PREVIEW = 40
LONG = Variables(
    creditor="Distribuidora Comercial Andina",
    debtor_name="María Fernanda Ñahui de Cárdenas",
    amount=Money.of("12345678.90", "COP"),
    due_on=date(2026, 9, 30),
    documents=tuple(f"F001-000{number}4567" for number in range(9)),
    installments=12,
    days_past_due=118,
    payment_url="https://pagos.andina.example/l/7f3a9c1",
    contact_line="+51 900 000 001",
    reference="R-2026-000123",
    opt_out_word="BAJA",
)


def every(standard: Catalogue, *, discloses: bool | None = None) -> list[Template]:
    """
    All templates of it, or those that do or do not disclose.
    """
    return [template for template in standard.templates if discloses in (None, template.discloses)]


def written(template: Template, variables: Variables) -> list[str]:
    """
    The text of a template for each of its countries.
    """
    own = evolve(variables, opt_out_word=OPT_OUT[template.locale])
    return [render(template, own, locale=locale).text for locale in LOCALES[template.locale]]


@pytest.mark.parametrize("locale", ["es-PE", "pt-BR"])
@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_message_for_every_channel(
    standard: Catalogue, stage: str, channel: str, locale: str
) -> None:
    """
    A strategy works from the first day, in Spanish and in Portuguese.
    """
    template = standard.find(stage, channel=channel, locale=locale, stage=stage)

    assert template.discloses
    assert template.stage == (stage,)
    assert (template.vendor is not None) == (channel == "whatsapp")
    assert (template.html is not None) == (channel == "email")


@pytest.mark.parametrize("locale", ["es-MX", "pt-BR"])
@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("template_id", ["identity", "opt_out_confirmed", "payment_received"])
def test_the_messages_around_the_stages_are_there(
    standard: Catalogue, template_id: str, channel: str, locale: str
) -> None:
    """
    Who reads, what was asked is done, what was paid has arrived.
    """
    template = standard.find(template_id, channel=channel, locale=locale, stage="administrative")

    assert template.serves("preventive")
    assert template.discloses == (template_id == "payment_received")


@pytest.mark.parametrize("values", ["usual", "long", "nameless"])
def test_every_message_renders(standard: Catalogue, variables: Variables, values: str) -> None:
    """
    With short values, with long ones, and without a name on file where no name is needed (S-067).
    """
    chosen = {"usual": variables, "long": LONG, "nameless": evolve(variables, debtor_name="")}[values]

    for template in every(standard):
        if values == "nameless" and template.purpose == "identity":
            continue
        for text in written(template, chosen):
            assert "{" not in text
            assert not re.search(r" [,.:!?]|,,|\(\)|: ?\.|  ", text), text


def test_a_message_to_nobody_known_asks_nobody(standard: Catalogue, variables: Variables) -> None:
    """
    Without a name there is nobody to ask for: no confirmation could mean anything (S-083).
    """
    for channel in CHANNELS:
        template = standard.undisclosed(channel=channel, locale="es-PE")
        with pytest.raises(Exception, match="no value for debtor_name"):
            render(template, evolve(variables, debtor_name=""), locale="es-PE")


def test_the_six_parts_are_in_every_message_of_a_stage(standard: Catalogue, variables: Variables) -> None:
    """
    Who writes, the amount, the day and the document, how to pay, where to ask, how to stop (S-061, S-063, S-064).
    """
    for template in every(standard, discloses=True):
        receipt = template.purpose == "receipt"
        for text in written(template, variables):
            parts = ["Andina", "150", "F001-123", "01 555 0100", OPT_OUT[template.locale]]
            parts += [] if receipt else ["2026", "https://pg.example/a1b2"]
            missing = [part for part in parts if part not in text]
            assert not missing, template.where


def test_who_writes_stands_at_the_start(standard: Catalogue) -> None:
    """
    The company's name is within the first 80 characters, the debtor's too where it has room (S-062).
    """
    for template in every(standard):
        for text in written(template, LONG):
            start = f"{template.subject} {text}" if template.subject else text
            assert "{{ creditor }}" in start[:PREVIEW] or "Distribuidora Comercial Andina" in start[:80], template.where


def test_after_the_due_date_whoever_has_paid_may_ignore_it(standard: Catalogue, variables: Variables) -> None:
    """
    Payments and reminders cross on the way (S-071).
    """
    for template in every(standard, discloses=True):
        late = template.stage != "any" and "preventive" not in template.stage
        for text in written(template, variables):
            assert (ALREADY_PAID[template.locale] in text) == late, template.where


def test_a_locked_telephone_shows_no_debt(standard: Catalogue, variables: Variables) -> None:
    """
    The first 40 characters of a WhatsApp message or an SMS hold no figure of money and no word of debt (F86, S-076).
    """
    short = evolve(variables, creditor="Luz", debtor_name="", documents=("7",))
    for template in every(standard):
        if template.channel == "email":
            continue
        for values in (variables, LONG, short):
            if template.purpose == "identity" and not values.debtor_name:
                continue
            for text in written(template, values):
                preview = text[:PREVIEW]
                assert debt_word(preview) is None, (template.where, preview)
                assert not re.search(r"[$€]|S/|\bPEN|\bCOP|[0-9][.,][0-9]", preview), (template.where, preview)


def test_a_subject_shows_no_debt(standard: Catalogue, variables: Variables) -> None:
    """
    The subject of an email is on the lock screen as well (S-076).
    """
    for template in every(standard):
        if template.channel == "email":
            subject = render(template, variables, locale=template.locale).subject
            assert debt_word(subject) is None
            assert not re.search(r"\d", subject)
            assert "Andina" in subject[:30]


def test_what_discloses_nothing_shows_nothing_of_the_debt(standard: Catalogue) -> None:
    """
    Whoever holds the address learns a name and who asks for it, no more (law 7 of the house, S-083).
    """
    for template in every(standard, discloses=False):
        rendered = render(template, LONG, locale=template.locale)
        whole = " ".join(filter(None, (rendered.subject, rendered.text, rendered.html)))
        for secret in ("12", "COP", "F001", "2026", "pagos.", "118"):
            assert secret not in whole.replace("+51 900 000 001", ""), (template.where, secret)
        assert debt_word(whole) is None


@pytest.mark.parametrize(("locale", "yes"), [("es", "SI"), ("pt", "SIM")])
@pytest.mark.parametrize("channel", CHANNELS)
def test_the_identity_message_says_how_to_answer(
    standard: Catalogue, variables: Variables, channel: str, locale: str, yes: str
) -> None:
    """
    One word confirms, one denies, one ends it (S-083, S-085).
    """
    (text, *_) = written(standard.undisclosed(channel=channel, locale=locale), variables)

    assert f"responda {yes}" in text
    assert re.search(r"responda N(O|AO|ÃO)\b", text)
    assert OPT_OUT[locale] in text


def test_an_sms_is_short_and_keeps_its_alphabet(standard: Catalogue, variables: Variables) -> None:
    """
    The 7-bit alphabet throughout, one segment before the due date with usual values, two with long ones (S-068).
    """
    for template in every(standard):
        if template.channel != "sms":
            continue
        assert not set(template.text) & set("áíóúÁÍÓÚãõçêôâ")
        for values in (variables, LONG):
            assert all(map(is_gsm, written(template, values)))
        assert max(map(len, written(template, LONG))) <= 306, template.where
        late = template.stage != "any" and "preventive" not in template.stage
        assert max(map(len, written(template, variables))) <= (306 if late else 160), template.where


def test_a_vendors_template_says_the_same_words(standard: Catalogue, variables: Variables) -> None:
    """
    The words on record are those the vendor was given to approve: each variable once, in order, no condition, and
    neither end of the text is a variable.
    """
    for template in every(standard):
        if template.vendor is None:
            continue
        shown = re.findall(r"\{\{ (\w+) \}\}", template.text)
        assert "{%" not in template.text
        assert tuple(shown) == template.vendor.parameters
        assert not template.text.startswith("{{")
        assert not template.text.strip().endswith("}}")
        approved = re.sub(r"\{\{ \w+ \}\}", "%s", template.text.strip())
        rendered = render(template, LONG, locale=template.locale)
        assert approved % rendered.template.parameters == rendered.text
        assert len(rendered.text) <= 1_024
        for value in rendered.template.parameters:
            assert value
            assert not re.search(r"[\n\t]| {4}", value)


def test_vendors_names_are_told_apart(standard: Catalogue) -> None:
    """
    One name and language at the vendor is one text.
    """
    named = [(t.vendor.name, t.vendor.language) for t in standard.templates if t.vendor]

    assert len(set(named)) == len(named)


@pytest.mark.parametrize(
    "words",
    [
        "demanda",
        "embargo",
        "cárcel",
        "denuncia",
        "última advertencia",
        "ejecutar",
        "penhora",
        "protesto",
        "urgente",
        "!!",
    ],
)
def test_no_message_threatens_or_shouts(standard: Catalogue, words: str) -> None:
    """
    Cordial in every stage, and a matter with the legal department is a fact, not a threat (S-069, S-070).
    """
    for template in every(standard):
        assert words not in f"{template.subject} {template.text} {template.html}".lower()
        assert not re.search(r"\b[A-ZÁÉÍÓÚ]{5,}\b", template.text)


class _Page(HTMLParser):
    """
    Collects what assistive technology asks of a page.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("url", ["https://pg.example/a1b2", None])
def test_the_html_is_whole_and_accessible(standard: Catalogue, variables: Variables, url: str | None) -> None:
    """
    Language and title are given, rows have headers, tags close, and a link leads to where one pays.
    """
    for template in every(standard):
        if template.html is None:
            continue
        page = _Page()
        page.feed(render(template, evolve(variables, payment_url=url), locale=template.locale).html)
        page.close()
        seen = dict(page.seen)
        assert page.open == []
        assert seen["html"]["lang"] == template.locale
        assert "title" in seen
        assert seen.get("th", {"scope": "row"})["scope"] == "row"
        pays = template.discloses and template.purpose != "receipt"
        assert seen.get("a", {}).get("href") == (url if pays else None)
