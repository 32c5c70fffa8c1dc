"""
Whether a message asks to be left alone.
"""

from __future__ import annotations

import re
import unicodedata

#: Spanish, Portuguese, English; without accents, in small letters.
KEYWORDS = frozenset(
    {
        *("baja", "de baja", "dar de baja", "darme de baja", "dame de baja", "alto", "cancelar", "no mas"),
        *("no mas mensajes", "parar", "desuscribir", "desuscribirme", "salir"),
        *("sair", "pare", "parem", "descadastrar", "nao mais"),
        *("stop", "stop all", "stopall", "unsubscribe", "cancel", "quit", "end", "opt out", "optout"),
    }
)

_PUNCTUATION = re.compile(r"[\W_]+")


def is_opt_out(text: str) -> bool:
    """
    Whether *text* as a whole is a keyword, whatever its accents, case and punctuation.

    A keyword inside a sentence does not count: "no puedo bajar al banco" asks for nothing.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _PUNCTUATION.sub(" ", bare.casefold()).strip() in KEYWORDS
