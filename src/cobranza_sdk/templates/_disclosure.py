"""
Words that give a debt away.
"""

from __future__ import annotations

import re
import unicodedata

#: Beginnings of words, without accents, in Spanish, Portuguese and English. A stem that begins harmless words too is
#: given with its endings (``pagina`` is a page).
_STEMS = (
    r"deud|adeud|moros|mora\b|pago|paga|pagu|vencid|vence|venz|vencim|cobr|factur|boleta|cuota|saldo|atras|impag|"
    r"pendient|prestamo|credito|embarg|demand|judicial|abogad|regulariz|abon(?:o|e|ar)|importe|monto\b|acreedor|"
    r"divid|boleto|fatura|parcela|debito|inadimpl|emprestimo|advogad|juridic|pendent|pendenc|credor|"
    r"debt|overdue|past due|owe[ds]?\b|owing|due\b|pay|invoice|installment|lawsuit|lawyer"
)
_DEBT = re.compile(rf"(?<![^\W_])(?:{_STEMS})", re.IGNORECASE)


def debt_word(words: str) -> str | None:
    """
    The first stem in *words* that tells of a debt, lower case and without accents, or None.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", words) if not unicodedata.combining(c))
    found = _DEBT.search(plain)
    return found.group().lower() if found else None
