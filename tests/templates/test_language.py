"""
What a template may say, and what stops one that says more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk.templates import Template, TemplateError, Variables, render

MakeTemplate = Callable[..., Template]
PAYLOADS = Path(__file__).with_name("ssti_payloads.txt").read_text("utf-8").splitlines()
HARMLESS_AS_TEXT = ("${7*7}", "#{7*7}", "<%= 7*7 %>")


def test_the_corpus_is_large() -> None:
    """
    A corpus that shrinks unnoticed proves nothing (F77).
    """
    assert len(set(PAYLOADS)) >= 80


@pytest.mark.parametrize("payload", PAYLOADS)
def test_an_injected_value_is_shown_as_it_is(template: MakeTemplate, payload: str) -> None:
    """
    Data are never read as a template: a debtor called {{7*7}} is greeted so (F77).
    """
    note = template("Hola, {{ debtor_name }}.", html="<p>{{ debtor_name }}</p>")

    rendered = render(note, Variables(creditor="Andina", debtor_name=payload), locale="es")

    assert rendered.text == f"Hola, {payload}."
    assert "49" not in rendered.html
    assert "<%=" not in rendered.html


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if p not in HARMLESS_AS_TEXT])
def test_an_injected_template_is_refused(template: MakeTemplate, payload: str) -> None:
    """
    No walk along attributes, no call, no growth: what the grammar does not know is refused when it is read (F77, F78).
    """
    with pytest.raises(TemplateError) as caught:
        template(f"Hola. {payload}")

    assert str(caught.value).startswith("own.toml: template 'note' (whatsapp, es): text: ")


@pytest.mark.parametrize("payload", HARMLESS_AS_TEXT)
def test_another_engines_marks_are_plain_words(template: MakeTemplate, payload: str) -> None:
    """
    Marks of other template engines mean nothing here.
    """
    rendered = render(template(f"Hola. {payload}"), Variables(creditor="Andina"), locale="es")

    assert rendered.text == f"Hola. {payload}"


def test_nested_loops_run_out_of_fuel_before_anything_is_sent(template: MakeTemplate) -> None:
    """
    Loops in loops are the one way left to run long: fuel ends them when the catalogue is read (F78).
    """
    deep = "".join(f"{{% for d{level} in documents %}}" for level in range(12))
    bomb = f"{deep}x{'{% endfor %}' * 12}"
    began = perf_counter()

    with pytest.raises(TemplateError, match="takes more than 10000 steps"):
        template(bomb)

    assert perf_counter() - began < 2


def test_fuel_also_ends_a_text_that_only_much_data_makes_long(template: MakeTemplate, variables: Variables) -> None:
    """
    A template that passes with three documents may not run away with two hundred (F78).
    """
    note = template("{% for a in documents %}{% for b in documents %}{{ b }} {% endfor %}{% endfor %}")
    many = Variables(creditor="Andina", documents=tuple(f"F-{number}" for number in range(200)))

    with pytest.raises(TemplateError, match="takes more than 10000 steps"):
        render(note, many, locale="es")


def test_a_template_of_a_megabyte_is_refused_unread(template: MakeTemplate) -> None:
    """
    The length of a template is bounded before it is looked at (F78).
    """
    with pytest.raises(TemplateError, match="has 1000000 characters, expected at most 20000"):
        template("x" * 1_000_000)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("amont", "amount"), ("nombre", "expected one of"), ("payment_link", "payment_url"), ("due_date", "expected")],
)
def test_an_unknown_variable_is_named_with_what_was_meant(template: MakeTemplate, word: str, meant: str) -> None:
    """
    A misspelt variable is found when the catalogue is read, not when the message is due (S-066).
    """
    with pytest.raises(TemplateError) as caught:
        template(f"Hola.\nSon {{{{ {word} }}}}.")

    problem = str(caught.value)
    assert f"own.toml: template 'note' (whatsapp, es): text: line 2: unknown variable {word!r}, " in problem
    assert meant in problem


def test_blocks_that_do_not_close_are_refused(template: MakeTemplate) -> None:
    """
    Half a condition is no template.
    """
    with pytest.raises(TemplateError, match="blocks do not fit together"):
        template("{% if amount %}Hola")


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\x00", "\u2066", "\x1b"])
def test_fixed_words_hold_nothing_invisible(template: MakeTemplate, character: str) -> None:
    """
    What a reviewer of a catalogue cannot see may not be in it (F82).
    """
    with pytest.raises(TemplateError, match="control or invisible character"):
        template(f"Hola{character}.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ creditor|upper }}", "ANDINA"),
        ("{{ creditor | lower }}", "andina"),
        ("{{ documents }}", "A-1, A-2"),
        ("{{ documents|join(' / ') }}", "A-1 / A-2"),
        ("{{ documents|first }} de {{ documents|length }}", "A-1 de 2"),
        ("{{ document }}", "A-1, A-2"),
        (
            "{% for d in documents %}{{ loop.index }}. {{ d }}{% if not loop.last %}; {% endif %}{% endfor %}",
            "1. A-1; 2. A-2",
        ),
        ("{% if days_past_due > 30 and amount %}a{% elif installments == 3 %}b{% else %}c{% endif %}", "b"),
        ("{% if reference == 'R-1' or not debtor_name %}a{% else %}b{% endif %}", "a"),
        ("{# for translators #}Hola", "Hola"),
        ("Hola{% if debtor_name %} {{ debtor_name }}{% endif %}\nAdiós", "Hola\nAdiós"),
        ("a\n\n{% if amount %}\n{{ amount }}\n{% endif %}\n\nb {%- if amount %}{% endif %} .", "a\n\nb ."),
        ("a {% if amount %}{{ amount }}{% endif %} b", "a b"),
    ],
)
def test_the_language_says_what_messages_need(template: MakeTemplate, text: str, shown: str) -> None:
    """
    Filters, conditions and one loop, without gaps where a condition left something out.
    """
    values = Variables(creditor="Andina", documents=("A-1", "A-2"), installments=3, reference="R-1")

    assert render(template(text), values, locale="es").text == shown


@given(st.text(alphabet=st.sampled_from("{}%# -|\"'aif()creditor.~*=\n"), max_size=60))
def test_no_words_break_the_reader(words: str) -> None:
    """
    Whatever is written, a catalogue is refused with our error or it renders.
    """
    with suppress(TemplateError):
        note = Template(id="n", channel="sms", locale="es", purpose="reminder", discloses=True, text=words)
        assert render(note, Variables(creditor="Andina"), locale="es").text
