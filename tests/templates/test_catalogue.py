"""
Reading catalogues and finding templates in them.
"""

from __future__ import annotations

import pytest

from cobranza_sdk.spec import Attachment, TemplateCatalogue
from cobranza_sdk.templates import Catalogue, TemplateError, VendorTemplate

ENTRY = {
    "id": '"note"',
    "channel": '"sms"',
    "locale": '"es"',
    "purpose": '"reminder"',
    "discloses": "true",
    "text": '"Hola"',
}


#: A header's file, to be closed or continued.
_FILE = '{filename = "a.pdf", content_type = "application/pdf"'


def catalogue(*entries: dict[str, str], origin: str = "own.toml", head: str = "format = 1") -> TemplateCatalogue:
    """
    The TOML of some templates, each a change of `ENTRY`; a value of "" leaves the key out.
    """
    tables = (
        "\n".join(["[[template]]", *(f"{key} = {value}" for key, value in {**ENTRY, **entry}.items() if value)])
        for entry in entries
    )
    return TemplateCatalogue("own", "\n\n".join([head, *tables]), origin=origin)


def test_a_full_entry_is_read() -> None:
    """
    Every documented field arrives.
    """
    source = catalogue(
        {
            "channel": '"email"',
            "locale": '"es_pe"',
            "stage": '["administrative", "extrajudicial"]',
            "tone": '"firm"',
            "subject": '"Hola"',
            "html": '"<p>Hola</p>"',
            "vendor": '{name = "n", language = "es_PE", parameters = ["amount"], buttons = {0 = "reference"}}',
        }
    )

    (template,) = Catalogue.parse([source]).templates

    assert (template.id, template.channel, template.locale) == ("note", "email", "es-PE")
    assert template.stage == ("administrative", "extrajudicial")
    assert (template.purpose, template.tone, template.discloses) == ("reminder", "firm", True)
    assert (template.subject, template.text, template.html) == ("Hola", "Hola", "<p>Hola</p>")
    assert template.vendor == VendorTemplate(
        name="n", language="es_PE", parameters=("amount",), buttons={0: "reference"}
    )
    assert template.origin == "own.toml"
    assert hash(template) == hash(template)


def test_a_vendors_template_is_read_in_full() -> None:
    """
    Header, named variables, codes and replies arrive where the channel takes them from.
    """
    file = '{filename = "a.pdf", content_type = "application/pdf", reference = "m-1"}'
    parts = (
        'named = {who = "debtor_name"}, buttons = {0 = "reference"}, codes = {1 = "reference"}, replies = {2 = "BAJA"}'
    )
    source = catalogue({"vendor": f'{{name = "n", language = "es", header_file = {file}, {parts}}}'})

    (template,) = Catalogue.parse([source]).templates

    assert template.vendor == VendorTemplate(
        name="n",
        language="es",
        named={"who": "debtor_name"},
        header_file=Attachment(filename="a.pdf", content_type="application/pdf", reference="m-1"),
        buttons={0: "reference"},
        codes={1: "reference"},
        replies={2: "BAJA"},
    )
    assert {"debtor_name", "reference"} <= template.variables


def test_what_is_left_out_takes_its_default() -> None:
    """
    Any stage, a neutral tone, no vendor.
    """
    (template,) = Catalogue.parse([catalogue({})]).templates

    assert (template.stage, template.tone, template.vendor, template.subject, template.html) == (
        "any",
        "neutral",
        None,
        None,
        None,
    )


def test_a_template_serves_its_stages() -> None:
    """
    Any stage means all of them; a list means those.
    """
    some, every = Catalogue.parse([catalogue({"stage": '["judicial"]'}, {"id": '"b"'})]).templates

    assert [some.serves(stage) for stage in ("judicial", "preventive")] == [True, False]
    assert every.serves("preventive")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"id": ""}, "template 1: id: missing, expected text"),
        ({"text": ""}, "template 'note': text: missing, expected text"),
        ({"discloses": ""}, "template 'note': discloses: missing, expected true or false"),
        ({"discloses": '"yes"'}, "template 'note': discloses: expected true or false"),
        ({"text": "3"}, "template 'note': text: expected text"),
        ({"text": '" \\n"'}, "template 'note' (sms, es): text: empty, expected words"),
        ({"html": '"<p> </p>"'}, "template 'note' (sms, es): html: empty, expected words"),
        ({"text": '"{% if not creditor %}x{% endif %}"'}, "text: comes to nothing, expected words"),
        ({"subjet": '"x"'}, "template 'note': subjet: unknown key, did you mean 'subject'?"),
        ({"zzz": '"x"'}, "zzz: unknown key, expected one of channel, discloses, html"),
        ({"locale": '"xx"'}, "locale: unknown locale 'xx', expected a language"),
        ({"locale": '"es-XX"'}, "locale: unknown locale 'es-XX'"),
        ({"locale": '"spanish"'}, "locale: unknown locale 'spanish'"),
        ({"stage": '["late"]'}, "stage: expected 'any' or a list of preventive, administrative"),
        ({"stage": "[]"}, "stage: expected 'any' or a list"),
        ({"stage": '"preventive"'}, "stage: expected a list of texts or 'any'"),
        ({"stage": "[1]"}, "stage: expected a list of texts or 'any'"),
        ({"purpose": '"remainder"'}, "purpose: did you mean 'reminder'?"),
        ({"tone": '"angry"'}, "tone: expected one of"),
        ({"id": '"No Te"'}, "id: expected small letters"),
        ({"channel": '"e mail"'}, "channel: expected small letters"),
        ({"channel": '"email"'}, "subject: missing, expected one line"),
        ({"subject": '"a\\nb"'}, "subject: expected one plain line"),
        ({"subject": '"=?utf-8?q?a?="'}, "subject: expected one plain line"),
        ({"subject": '"{{ amont }}"'}, "subject: line 1: unknown variable 'amont', did you mean 'amount'?"),
        ({"vendor": '"x"'}, "vendor: expected a table"),
        ({"vendor": '{name = 3, language = "es"}'}, "vendor.name: expected text"),
        ({"vendor": '{name = "n"}'}, "vendor.language: missing, expected text"),
        ({"vendor": '{name = "a b", language = "es"}'}, "vendor.name: expected the vendor's own"),
        ({"vendor": '{name = "n", language = ""}'}, "vendor.language: expected the vendor's own"),
        ({"vendor": '{name = "n", language = "es", parameters = ["amont"]}'}, "vendor: unknown variable 'amont', did"),
        ({"vendor": '{name = "n", language = "es", parameter = []}'}, "vendor.parameter: unknown key, did you mean"),
        ({"vendor": '{name = "n", language = "es", buttons = {x = "reference"}}'}, "vendor.buttons.x: expected"),
        ({"vendor": '{name = "n", language = "es", buttons = {0 = 1}}'}, "vendor.buttons.0: expected"),
        ({"vendor": '{name = "n", language = "es", codes = {x = "reference"}}'}, "vendor.codes.x: expected a variable"),
        ({"vendor": '{name = "n", language = "es", replies = {0 = " "}}'}, "vendor.replies.0: expected words"),
        ({"vendor": '{name = "n", language = "es", codes = {0 = "code"}}'}, "vendor: unknown variable 'code'"),
        ({"vendor": '{name = "n", language = "es", named = {a = "x"}}'}, "vendor: unknown variable 'x'"),
        ({"vendor": '{name = "n", language = "es", header = "x"}'}, "vendor: unknown variable 'x'"),
        (
            {"vendor": '{name = "n", language = "es", parameters = ["amount"], named = {a = "amount"}}'},
            "vendor: has parameters and named, expected one of them",
        ),
        (
            {"vendor": '{name = "n", language = "es", buttons = {1 = "reference"}, replies = {1 = "BAJA"}}'},
            "vendor: has two buttons at position 1, expected one",
        ),
        (
            {"vendor": '{name = "n", language = "es", header_file = {filename = "a.pdf", reference = "m"}}'},
            "vendor.header_file.content_type: missing",
        ),
        (
            {"vendor": f'{{name = "n", language = "es", header_file = {_FILE}}}}}'},
            "vendor.header_file: expected one of url and reference",
        ),
        (
            {"vendor": f'{{name = "n", language = "es", header_file = {_FILE}, url = "http://x.example/a.pdf"}}}}'},
            "vendor.header_file.url: expected an address that begins with https://",
        ),
        (
            {"vendor": f'{{name = "n", language = "es", header_file = {_FILE}, reference = " "}}}}'},
            "vendor.header_file: a value is blank",
        ),
        (
            {
                "discloses": "false",
                "vendor": f'{{name = "n", language = "es", header_file = {_FILE}, reference = "m"}}}}',
            },
            "vendor: has header_file, but discloses = false",
        ),
    ],
)
def test_a_wrong_entry_is_refused_by_name(entry: dict[str, str], problem: str) -> None:
    """
    The origin, the template, the key and what is expected are all in one sentence.
    """
    with pytest.raises(TemplateError) as caught:
        Catalogue.parse([catalogue(entry)])

    (found,) = caught.value.problems
    assert found.startswith("own.toml: template ")
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("format = ", "own.toml: not readable as TOML: Invalid value"),
        ("", "own.toml: format is missing or unknown, expected format = 1"),
        ("format = 2", "own.toml: format is missing or unknown, expected format = 1"),
        ("format = 1\ntemplates = []", "own.toml: templates: unknown key, did you mean 'template'?"),
        ("format = 1\ntemplate = 3", "own.toml: template is no list of tables, expected [[template]]"),
        ("format = 1\ntemplate = [3]", "own.toml: template is no list of tables, expected [[template]]"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(text: str, problem: str) -> None:
    """
    A file of the wrong kind is said to be one.
    """
    with pytest.raises(TemplateError) as caught:
        Catalogue.parse([TemplateCatalogue("own", text, origin="own.toml")])

    assert caught.value.problems[0].startswith(problem)


def test_all_problems_of_all_catalogues_are_told_at_once() -> None:
    """
    Whoever mends a catalogue does not have to read it once per mistake.
    """
    sources = [
        catalogue({"tone": '"x"', "purpose": '"y"'}, {"locale": '"xx"'}, origin="a.toml"),
        catalogue({}, {}, origin="b.toml"),
    ]

    with pytest.raises(TemplateError) as caught:
        Catalogue.parse(sources)

    assert [problem.split(":")[0] for problem in caught.value.problems] == ["a.toml", "a.toml", "a.toml", "b.toml"]
    assert "b.toml: template 'note' (sms, es): stands twice" in str(caught.value)


def test_a_later_catalogue_replaces_a_template() -> None:
    """
    The operator's own words win over those of a plugin, for that channel and locale only.
    """
    plugin = catalogue({"text": '"Hola"'}, {"locale": '"pt"', "text": '"Ola"'}, origin="plugin.toml")
    own = catalogue({"text": '"Buen dia"'})

    found = Catalogue.parse([plugin, own])

    assert [(template.locale, template.text) for template in found.templates] == [("es", "Buen dia"), ("pt", "Ola")]
    assert found.find("note", channel="sms", locale="es", stage="administrative").origin == "own.toml"


def test_the_own_locale_is_preferred_and_the_language_is_the_only_fallback() -> None:
    """
    es-PE, then es; es-CO takes es; Portuguese is never answered with Spanish.
    """
    found = Catalogue.parse([catalogue({"text": '"es"'}, {"locale": '"es-PE"', "text": '"pe"'})])

    assert found.find("note", channel="sms", locale="es-PE", stage="administrative").text == "pe"
    assert found.find("note", channel="sms", locale="es_pe", stage="administrative").text == "pe"
    assert found.find("note", channel="sms", locale="es-CO", stage="administrative").text == "es"
    assert found.find("note", channel="sms", locale="es", stage="administrative").text == "es"
    for other in ("pt-BR", "pt", "en-US", "", "nonsense"):
        with pytest.raises(TemplateError, match=r"no template 'note' for sms, .*it exists for sms es, sms es-PE"):
            found.find("note", channel="sms", locale=other, stage="administrative")


def test_a_template_that_is_not_there_is_told_with_what_is() -> None:
    """
    The error says what could have been meant.
    """
    found = Catalogue.parse([catalogue({})])

    with pytest.raises(TemplateError, match="did you mean 'note'"):
        found.find("notes", channel="sms", locale="es", stage="administrative")
    with pytest.raises(TemplateError, match="there is none at all for letter"):
        found.find("other", channel="letter", locale="es", stage="administrative")


def test_a_template_is_not_sent_in_a_stage_it_is_not_meant_for() -> None:
    """
    S-040: words for one stage are refused in another, and the answer names both.
    """
    found = Catalogue.parse([catalogue({"stage": '["preventive", "administrative"]'})])

    assert found.find("note", channel="sms", locale="es", stage="administrative").id == "note"
    with pytest.raises(TemplateError, match="'note' is meant for preventive, administrative, and the debt is judicial"):
        found.find("note", channel="sms", locale="es", stage="judicial")


def test_the_undisclosed_template_is_the_one_called_identity() -> None:
    """
    Where several ask who reads, the usual one is taken; where it is missing, the first (law 7 of the house).
    """
    asks = {"purpose": '"identity"', "discloses": "false"}
    first = {**asks, "id": '"who"', "text": '"Who"'}
    usual = {**asks, "id": '"identity"', "text": '"Usual"'}

    assert Catalogue.parse([catalogue(first, usual)]).undisclosed(channel="sms", locale="es-PE").text == "Usual"
    assert Catalogue.parse([catalogue(first)]).undisclosed(channel="sms", locale="es").text == "Who"
    for channel, locale in (("email", "es"), ("sms", "pt"), ("sms", "")):
        with pytest.raises(TemplateError, match="no template of purpose 'identity'"):
            Catalogue.parse([catalogue(first, {})]).undisclosed(channel=channel, locale=locale)


def test_a_template_that_asks_who_reads_may_not_disclose() -> None:
    """
    An operator's mistake in one flag must not tell a stranger of a debt (law 7 of the house).
    """
    with pytest.raises(TemplateError, match="discloses: expected false, for purpose identity"):
        Catalogue.parse([catalogue({"purpose": '"identity"'})])


@pytest.mark.parametrize(
    "name",
    ["amount", "due_on", "documents", "document", "installments", "days_past_due", "payment_url", "how_to_pay"],
)
@pytest.mark.parametrize("place", ["text", "condition", "subject", "html", "vendor", "header", "named", "codes"])
def test_what_discloses_nothing_uses_no_variable_of_a_debt(name: str, place: str) -> None:
    """
    Not shown, not even asked about: a condition on the amount would tell as well (law 7 of the house).
    """
    entry = {"discloses": "false"}
    shown = {
        "vendor": f'parameters = ["{name}"]',
        "header": f'header = "{name}"',
        "named": f'named = {{x = "{name}"}}',
        "codes": f'codes = {{0 = "{name}"}}',
    }
    if place in shown:
        entry["vendor"] = f'{{name = "n", language = "es", {shown[place]}}}'
    elif place == "condition":
        entry["text"] = f'"Hola{{% if {name} %}}!{{% endif %}}"'
    else:
        entry[place] = f'"Hola {{{{ {name} }}}}"'

    with pytest.raises(TemplateError, match=f"uses '{name}', but discloses = false"):
        Catalogue.parse([catalogue(entry)])


@pytest.mark.parametrize(
    "words",
    [
        "su deuda",
        "Su DEUDA",
        "en mora",
        "moroso",
        "el pago",
        "pague ya",
        "está vencida",
        "cobranza",
        "la factura",
        "saldo",
        "cuota 3",
        "adeuda",
        "pendiente",
        "préstamo",
        "embargo",
        "el importe",
        "su acreedor",
        "amount due",
        "área judicial",
        "sua dívida",
        "cobrança",
        "pagamento",
        "boleto",
        "fatura",
        "parcela",
        "em atraso",
        "débito",
        "inadimplente",
        "your debt",
        "invoice",
        "overdue",
        "d\u0065\u0301bito",
        "<b>pago</b>",
        "p&aacute;guese",
        "https://x.example/pago",
        "{# x #}deuda",
        "{{ reference }}deuda",
    ],
)
def test_what_discloses_nothing_says_no_word_of_debt(words: str) -> None:
    """
    Fixed words in Spanish, Portuguese or English, however accented or marked up (law 7 of the house).
    """
    with pytest.raises(TemplateError, match="but discloses = false: expected no word of debt"):
        Catalogue.parse([catalogue({"discloses": "false", "html": f'"{words}"'})])


@pytest.mark.parametrize(
    "words",
    [
        "Nuestra página es {{ contact_line }}",
        "Tenemos una propuesta de encuentro",
        "Olá, tudo bem? Procuramos você",
        "Amora e demora",
        "Responda SI, por favor. Buscamos a {{ debtor_name }}",
        "Para no recibir mensajes, responda {{ opt_out_word }}",
    ],
)
def test_harmless_words_are_no_words_of_debt(words: str) -> None:
    """
    A stem within another word is not a debt.
    """
    assert Catalogue.parse([catalogue({"discloses": "false", "text": f'"{words}"'})]).templates


def test_an_empty_catalogue_finds_nothing() -> None:
    """
    No catalogue is no error until a message is to be written.
    """
    assert Catalogue.parse([]).templates == ()
    assert repr(Catalogue()) == "Catalogue(0 templates)"
    assert Catalogue.parse([TemplateCatalogue("own", "format = 1")]).templates == ()
