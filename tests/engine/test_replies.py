"""
What a reply means.
"""

from __future__ import annotations

from importlib import import_module

import pytest

from cobranza_sdk.engine._replies import intent_of


@pytest.mark.parametrize("asked_who", [False, True], ids=["any time", "asked who it is"])
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("cobranza_smtp_email._sandbox", "_OPT_OUT_WORDS"),
        ("cobranza_twilio_sms._webhooks", "_OPT_OUT_WORDS"),
        ("cobranza_whatsapp_cloud._opt_out", "KEYWORDS"),
    ],
    ids=["email", "sms", "whatsapp"],
)
def test_a_word_that_opts_out_on_one_channel_does_so_on_all(module: str, words: str, asked_who: bool) -> None:
    """
    Who writes the word that ended the SMS to a channel whose plugin does not know it has withdrawn as well.
    """
    pytest.importorskip(module.partition(".")[0], reason="the plugin is not installed")
    known = getattr(import_module(module), words)

    assert known
    assert {word for word in known if intent_of(word, answers_identity=asked_who) != "opt_out"} == set()


@pytest.mark.parametrize("text", ["¡Detener!", "REVOKE", "stop all 🛑", "Opt-out", "Não mais.", "de baja\n-- \nAna"])
def test_case_accents_marks_and_a_signature_do_not_hide_an_opt_out(text: str) -> None:
    """
    People write as they write: whoever takes the trouble to say it is heard.
    """
    assert intent_of(text, answers_identity=False) == "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        "quiero cancelar la factura",
        "no puedo bajar al banco",
        "the end of the month",
        "detener el pago",
        "cancel it later",
    ],
)
def test_a_sentence_that_holds_such_a_word_is_left_to_a_person(text: str) -> None:
    """
    Who asks how to pay is not cut off.
    """
    assert intent_of(text, answers_identity=False) == "other"
