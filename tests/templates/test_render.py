"""
From a template and values to the words that are sent.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk.model import InvalidValueError, Money
from cobranza_sdk.spec import Attachment
from cobranza_sdk.templates import VARIABLES, Template, TemplateError, Variables, VendorTemplate, render

MakeTemplate = Callable[..., Template]
BLANKS = {
    "creditor": "",
    "debtor_name": " \u200b\t",
    "amount": None,
    "due_on": None,
    "documents": (),
    "payment_url": None,
    "contact_line": "\u202e",
    "reference": None,
    "opt_out_word": "",
}


@pytest.mark.parametrize("name", sorted(BLANKS))
def test_a_blank_variable_that_is_shown_refuses_the_message(
    template: MakeTemplate, variables: Variables, name: str
) -> None:
    """
    No empty place ever goes out: the error names the variable, and nothing of the person (S-063, F79).
    """
    note = template(f"Hola: {{{{ {name} }}}}.")

    with pytest.raises(TemplateError) as caught:
        render(note, evolve(variables, **{name: BLANKS[name]}), locale="es")

    assert str(caught.value) == f"own.toml: template 'note' (whatsapp, es): text: no value for {name}"
    assert "Ana" not in repr(caught.value)


@pytest.mark.parametrize("name", sorted(BLANKS))
def test_a_blank_variable_that_is_asked_for_is_left_out(
    template: MakeTemplate, variables: Variables, name: str
) -> None:
    """
    A template that asks first may do without (S-067).
    """
    note = template(f"Hola{{% if {name} %}} {{{{ {name} }}}}{{% endif %}}.")

    rendered = render(note, evolve(variables, **{name: BLANKS[name]}), locale="es")

    assert rendered.text == "Hola."


def test_a_loop_over_nothing_refuses_the_message(template: MakeTemplate, variables: Variables) -> None:
    """
    "Documentos:" and then nothing is an empty place too (F79).
    """
    note = template("Documentos: {% for d in documents %}{{ d }}{% endfor %}")

    with pytest.raises(TemplateError, match="no value for documents"):
        render(note, evolve(variables, documents=()), locale="es")


def test_the_first_of_no_documents_is_a_blank(template: MakeTemplate, variables: Variables) -> None:
    """
    The refusal names the variable although the engine stops for another reason (F79).
    """
    with pytest.raises(TemplateError, match="no value for documents"):
        render(template("{{ documents|first }}"), evolve(variables, documents=("\x00",)), locale="es")


def test_an_amount_of_nothing_is_a_blank(template: MakeTemplate, variables: Variables) -> None:
    """
    Nobody is asked for zero.
    """
    with pytest.raises(TemplateError, match="no value for amount"):
        render(template("Son {{ amount }}"), evolve(variables, amount=Money(0, "PEN")), locale="es")


@pytest.mark.parametrize(("locale", "word"), [("es-PE", "cliente"), ("pt-BR", "cliente"), ("en-US", "customer")])
def test_who_has_no_name_on_file_is_addressed_by_a_neutral_word(
    template: MakeTemplate, variables: Variables, locale: str, word: str
) -> None:
    """
    A vendor's template has no conditions, so a neutral word stands in (S-067).
    """
    note = template("¡{{ addressee }}!", locale=locale[:2])

    assert render(note, evolve(variables, debtor_name=""), locale=locale).text == f"¡{word}!"
    assert render(note, variables, locale=locale).text == "¡Ana!"


def test_what_stands_in_when_there_is_no_document_and_no_address_to_pay(
    template: MakeTemplate, variables: Variables
) -> None:
    """
    The reference names the matter and the contact line tells how to pay.
    """
    bare = evolve(variables, documents=(), payment_url=None)

    assert render(template("{{ document }}: {{ how_to_pay }}"), bare, locale="es").text == "R-0001: 01 555 0100"


@pytest.mark.parametrize(("channel", "shown"), [("whatsapp", "A, B, C (+2)"), ("sms", "A (+4)")])
def test_many_documents_do_not_make_a_long_message(
    template: MakeTemplate, variables: Variables, channel: str, shown: str
) -> None:
    """
    A message names some and counts the rest (S-068).
    """
    note = template("{{ document }}", channel=channel)

    assert render(note, evolve(variables, documents=tuple("ABCDE")), locale="es").text == shown


@pytest.mark.parametrize("locale", ["pt-BR", "en", "xx", "", "es_PE_x", "../es"])
def test_a_message_is_not_rendered_for_another_language(
    template: MakeTemplate, variables: Variables, locale: str
) -> None:
    """
    Portuguese amounts in a Spanish text would be a mistake of the caller.
    """
    with pytest.raises(TemplateError, match="expected one of language 'es'"):
        render(template("Son {{ amount }}"), variables, locale=locale)


def test_html_escapes_values_and_keeps_the_address_usable(template: MakeTemplate, variables: Variables) -> None:
    """
    A value cannot add markup, and the address to pay stays readable for machines (S-23).
    """
    note = template("x", html='<a href="{{ payment_url }}">{{ debtor_name }}</a>{{ documents }}{{ installments }}')
    hostile = evolve(
        variables,
        debtor_name="<img src=x onerror='alert(1)'> & \"Ana\"",
        documents=("<b>",),
        payment_url="https://pg.example/a?b=1&c='2'",
    )

    rendered = render(note, hostile, locale="es")

    assert rendered.html == (
        '<a href="https://pg.example/a?b=1&amp;c=&#x27;2&#x27;">'
        "&lt;img src=x onerror=&#x27;alert(1)&#x27;&gt; &amp; &quot;Ana&quot;</a>&lt;b&gt;1"
    )


def test_a_value_that_calls_itself_markup_is_escaped_all_the_same(template: MakeTemplate, variables: Variables) -> None:
    """
    Only the words of a value count, not what its class claims (F77).
    """

    class Markup(str):
        __slots__ = ()

        def __html__(self) -> str:
            return "<script>"

    rendered = render(
        template("x", html="{{ debtor_name }}"), evolve(variables, debtor_name=Markup("<b>")), locale="es"
    )

    assert rendered.html == "&lt;b&gt;"


@given(st.text(max_size=80))
def test_no_value_carries_what_cannot_be_read(name: str) -> None:
    """
    Control characters, bidi overrides and zero-width characters are gone, and a name is one composed line (F82).
    """
    note = Template(
        id="n",
        channel="email",
        locale="es",
        purpose="reminder",
        discloses=True,
        subject="{{ addressee }}.",
        text="{{ addressee }}.",
    )

    rendered = render(note, Variables(creditor="Andina", debtor_name=name.replace("?", "!")), locale="es")

    assert not {unicodedata.category(c) for c in rendered.text} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert "  " not in rendered.text
    assert unicodedata.is_normalized("NFC", rendered.text)
    assert rendered.subject == rendered.text


@pytest.mark.parametrize("locale", ["es-PE", "es-CO", "es-CR", "es-PY", "es-MX", "es-CL"])
@pytest.mark.parametrize("currency", ["PEN", "COP", "CRC", "PYG", "MXN", "CLP", "USD"])
def test_an_sms_keeps_the_seven_bit_alphabet(
    template: MakeTemplate, variables: Variables, locale: str, currency: str
) -> None:
    """
    One accented letter or one no-break space would more than double the price (F82).
    """
    note = template("{{ creditor }} {{ debtor_name }} {{ amount }} {{ due_on }} {{ contact_line }}", channel="sms")
    values = evolve(
        variables,
        debtor_name="José Ávila Núñez",
        creditor="Crédito “Ágil” \N{EM DASH} Perú",
        amount=Money(10**9, currency),
    )

    text = render(note, values, locale=locale).text

    assert text.startswith('Crédito "Agil" - Peru José Avila Nuñez ')
    assert not set(text) - set("éñ") - {chr(code) for code in range(32, 127)}


def test_an_sms_to_a_name_in_another_script_keeps_the_name(template: MakeTemplate, variables: Variables) -> None:
    """
    Nobody's name is dropped to save a segment.
    """
    note = template("Hola {{ debtor_name }}", channel="sms")

    assert render(note, evolve(variables, debtor_name="李娜"), locale="es").text == "Hola 李娜"


def test_a_vendors_template_carries_the_values_in_order(template: MakeTemplate, variables: Variables) -> None:
    """
    Parameters are single lines with single blanks, amounts and days written out, buttons by position.
    """
    vendor = VendorTemplate(
        name="aviso",
        language="es",
        parameters=("creditor", "amount", "due_on", "documents", "days_past_due"),
        buttons={0: "reference"},
    )
    values = evolve(variables, creditor="A\n\tB     C", documents=("F-1", "F-2"))

    rendered = render(template("{{ creditor }}", vendor=vendor), values, locale="es-PE")

    assert (rendered.template.name, rendered.template.language) == ("aviso", "es")
    assert rendered.template.parameters == ("A B C", "S/ 150.00", "3 mar. 2026", "F-1, F-2", "5")
    assert rendered.template.buttons == {0: "R-0001"}


def test_a_vendors_template_fills_every_part(template: MakeTemplate, variables: Variables) -> None:
    """
    Header, variables by name, codes to copy; what a tap sends back stands as it is written.
    """
    vendor = VendorTemplate(
        name="aviso",
        language="es",
        named={"cliente": "creditor", "monto": "amount"},
        header="documents",
        codes={1: "reference"},
        replies={2: "BAJA"},
    )

    made = render(template("{{ creditor }}", vendor=vendor), evolve(variables, documents=("F-1",)), locale="es-PE")

    assert made.template.named == {"cliente": variables.creditor, "monto": "S/ 150.00"}
    assert (made.template.header, made.template.codes, made.template.replies) == ("F-1", {1: "R-0001"}, {2: "BAJA"})
    assert made.template.parts == {"header", "named", "codes", "replies"}


@pytest.mark.parametrize("place", ["parameters", "buttons", "named", "codes", "header"])
def test_a_vendors_template_takes_no_blank(template: MakeTemplate, variables: Variables, place: str) -> None:
    """
    The vendor would refuse it after the attempt was counted: we refuse before (S-063).
    """
    shown = {
        "parameters": ("reference",),
        "buttons": {0: "reference"},
        "named": {"x": "reference"},
        "codes": {0: "reference"},
        "header": "reference",
    }
    note = template("Hola", vendor=VendorTemplate(name="aviso", language="es", **{place: shown[place]}))

    with pytest.raises(TemplateError, match="vendor: no value for reference"):
        render(note, evolve(variables, reference=" "), locale="es")


def test_the_digest_is_over_all_that_is_sent(template: MakeTemplate, variables: Variables) -> None:
    """
    The ledger's proof of a text changes with each part of it, and with nothing else (S-23).
    """
    fields = {"channel": "email", "subject": "Hola", "html": "<p>Hola</p>"}
    vendor = VendorTemplate(name="aviso", language="es", parameters=("debtor_name",))
    same = render(template("Hola", **fields), variables, locale="es")
    others = [
        render(template("Hola.", **fields), variables, locale="es"),
        render(template("Hola", **{**fields, "subject": "Hola."}), variables, locale="es"),
        render(template("Hola", **{**fields, "html": None}), variables, locale="es"),
        render(template("Hola", vendor=vendor, **fields), variables, locale="es"),
        render(template("Hola", vendor=vendor, **fields), evolve(variables, debtor_name="Eva"), locale="es"),
        *(
            render(template("Hola", vendor=evolve(vendor, **part), **fields), variables, locale="es")
            for part in (
                {"header": "reference"},
                {"header_file": Attachment(filename="a.pdf", content_type="application/pdf", reference="m-1")},
                {"header_file": Attachment(filename="a.pdf", content_type="application/pdf", reference="m-2")},
                {"codes": {0: "reference"}},
                {"replies": {0: "BAJA"}},
                {"replies": {0: "SI"}},
                {"parameters": (), "named": {"x": "debtor_name"}},
            )
        ),
    ]

    assert (
        same.digest
        == hashlib.sha256(json.dumps(["Hola", "Hola", "<p>Hola</p>", []]).replace(", ", ",").encode()).hexdigest()
    )
    assert same.digest == render(template("Hola", **fields), evolve(variables, debtor_name="Eva"), locale="es").digest
    assert len({same.digest, *(other.digest for other in others)}) == 13


@pytest.mark.parametrize("name", ["=?utf-8?q?hola=0ABcc:_x@y?=", "x" * 250])
def test_a_subject_that_is_no_plain_line_is_refused(template: MakeTemplate, variables: Variables, name: str) -> None:
    """
    An encoded word in data has become a real header elsewhere (S-20, F80).
    """
    note = template("Hola", channel="email", subject="Para {{ debtor_name }}")

    with pytest.raises(TemplateError, match="expected one plain line"):
        render(note, evolve(variables, debtor_name=name), locale="es")


def test_a_line_break_in_data_does_not_break_the_subject(template: MakeTemplate, variables: Variables) -> None:
    """
    A header injection becomes words on the one line (F80).
    """
    note = template("Hola", channel="email", subject="Para {{ debtor_name }}")

    rendered = render(note, evolve(variables, debtor_name="Ana\r\nBcc: x@y.example"), locale="es")

    assert rendered.subject == "Para Ana Bcc: x@y.example"


def test_a_text_that_data_leave_empty_is_refused(template: MakeTemplate, variables: Variables) -> None:
    """
    A condition that never holds for this debtor sends nothing rather than an empty message (F79).
    """
    note = template("{% if installments == 2 %}Hola{% endif %}")

    with pytest.raises(TemplateError, match="comes to 0 characters"):
        render(note, variables, locale="es")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("creditor", None),
        ("debtor_name", None),
        ("creditor", "x" * 301),
        ("debtor_name", b"Ana"),
        ("amount", 12.5),
        ("due_on", datetime(2026, 3, 3, tzinfo=UTC)),
        ("due_on", "2026-03-03"),
        ("documents", "F001"),
        ("documents", ("x", None)),
        ("documents", ("x",) * 201),
        ("installments", True),
        ("days_past_due", "3"),
        ("payment_url", "javascript:alert(1)"),
        ("payment_url", "https://pg.example/a b"),
        ("payment_url", 'https://pg.example/"onclick='),
        ("payment_url", "https://pg.example/\u202e"),
        ("payment_url", "https://pg.example/" + "x" * 2_048),
        ("payment_url", "ftp://pg.example"),
    ],
)
def test_only_plain_values_are_taken(variables: Variables, name: str, value: object) -> None:
    """
    An object with methods, a float or a script in an address never comes near a template (F77, F84).
    """
    with pytest.raises(InvalidValueError) as caught:
        evolve(variables, **{name: value})

    assert str(caught.value) == f"Variables.{name} is not accepted"


def test_nothing_of_a_person_is_printed(template: MakeTemplate, variables: Variables) -> None:
    """
    A log line that quotes these objects gives nobody away (law 10 of the house).
    """
    rendered = render(template("{{ debtor_name }} {{ amount }}"), variables, locale="es")

    for shown in (repr(variables), repr(rendered)):
        assert "Ana" not in shown
        assert "150" not in shown


def test_every_variable_is_described_and_rendered(template: MakeTemplate, variables: Variables) -> None:
    """
    What the list of variables offers, a template can show.
    """
    text = " ".join(f"{{{{ {name} }}}}" for name in VARIABLES)

    shown = render(template(text), variables, locale="es-PE").text

    assert shown.startswith("Andina Ana Ana S/ 150.00 3 mar. 2026 F001-123 F001-123 1 5 https://pg.example/a1b2")
    assert all(VARIABLES.values())


def test_a_day_is_written_for_the_locale(template: MakeTemplate, variables: Variables) -> None:
    """
    One template serves a language, each country with its own figures.
    """
    note = template("{{ amount }}, {{ due_on }}")
    values = evolve(variables, amount=Money.of("1234567.50", "COP"), due_on=date(2026, 12, 24))

    assert render(note, values, locale="es-CO").text == "$1.234.567,50, 24/12/2026"
    assert render(note, values, locale="es-MX").text == "COP1,234,567.50, 24 dic 2026"
