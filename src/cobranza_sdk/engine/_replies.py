"""
What a reply means, by whole messages of few words: anything longer is left to a person.
"""

from __future__ import annotations

import re
import unicodedata

#: Whatever a channel's plugin takes for an opt-out is one here: a plugin that knows fewer words reports plain text.
_OPT_OUT = frozenset(
    """
    baja|de baja|dar de baja|darme de baja|quiero darme de baja|deme de baja|dame de baja|denme de baja|alto|parar|
    pare|detener|cancelar|cancelar suscripcion|salir|desuscribir|desuscribirme|no mas|no mas mensajes|no molestar|
    no escribir|no me escriban|no me escriban mas|no me contacten|no me contacten mas|no envien mas mensajes|
    no quiero mas mensajes|no quiero recibir mas mensajes|dejen de escribirme|dejen de molestar|
    sair|quero sair|parem|remover|descadastrar|nao mais|nao quero mais|
    stop|stop all|stopall|end|quit|cancel|revoke|unsubscribe|opt out|optout
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)
_WRONG = frozenset(
    """
    equivocado|numero equivocado|esta equivocado|se equivoco|se equivoco de numero|no soy|no soy yo|no soy esa persona|
    no lo conozco|no la conozco|no conozco a esa persona|numero errado|engano|nao sou eu|nao conheco|wrong number
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)
_YES = frozenset("si|sim|yes|s|soy yo|si soy yo|si soy|sou eu|sim sou eu|confirmo|correcto|correto|asi es".split("|"))
_PAID = frozenset(
    "ya pague|pague|ya lo pague|ya esta pagado|pagado|pago hecho|ya cancele|ja paguei|paguei|ja foi pago|pago".split(
        "|"
    )
)
_DISPUTE = frozenset(
    "no debo|no debo eso|yo no debo|yo no debo eso|no debo nada|no reconozco|no reconozco la deuda|no es mi deuda|"
    "nao devo|nao devo nada|nao reconheco|nao reconheco a divida".split("|")
)
_MARKS = re.compile(r"[^\w\s]|_", re.UNICODE)


def normalised(text: str) -> str:
    """
    The first line in small letters, without accents, punctuation or emoji, with single blanks.
    """
    # Invisible characters are dropped, and a signature below the first line is not read.
    line = next((part for part in text.splitlines() if part.strip()), "")
    kept = "".join(c for c in line if unicodedata.category(c) != "Cf")
    plain = "".join(c for c in unicodedata.normalize("NFKD", kept.casefold()) if not unicodedata.combining(c))
    return " ".join(_MARKS.sub(" ", plain).split())


def intent_of(text: str | None, *, answers_identity: bool) -> str:
    """
    Meaning of a message.

    Args:
        text: What the person wrote or tapped.
        answers_identity: Whether we had asked who they are: only then does "sí" confirm it.

    Returns:
        ``opt_out``, ``wrong_number``, ``holder_confirmed``, ``paid``, ``dispute`` or ``other``.
    """
    words = normalised(text or "")
    if words in _OPT_OUT:
        return "opt_out"
    if words in _WRONG or (answers_identity and words in ("no", "nao")):
        return "wrong_number"
    if answers_identity and words in _YES:
        return "holder_confirmed"
    if words in _PAID:
        return "paid"
    return "dispute" if words in _DISPUTE else "other"
