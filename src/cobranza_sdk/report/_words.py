"""
The report's words in three languages, and its numbers as people write them.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from attrs import frozen
from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from cobranza_sdk.model import LANGUAGES, InvalidValueError, Money
from cobranza_sdk.templates import date_text, money_text

#: Rows of the table of channels: the funnel, its rates, and what did not go out.
FUNNEL = ("planned", "sent", "delivered", "read", "replied")
RATES = ("read_rate", "reply_rate")
OTHERS = (
    "failed",
    "unknown",
    "sending",
    "waiting",
    "deferred",
    "suppressed",
    "rejected",
    "not_sent",
    "expired",
    "cancelled",
)
NONE = "—"
_TENTH = Decimal("0.1")


@frozen
class Words:
    """
    The words of one language.

    Args:
        language: ``es``, ``en`` or ``pt``, also with a region (``es-PE``), which then writes the numbers.

    Raises:
        InvalidValueError: Another language.
    """

    language: str

    def __attrs_post_init__(self) -> None:
        if self.language[:2] not in LANGUAGES or self.language[2:3] not in ("", "-"):
            msg = f"no report in language {self.language!r}"
            raise InvalidValueError(msg, hint="es, pt or en, also with a region such as es-PE")

    def __getitem__(self, key: str) -> str:
        return _WORDS[self.language[:2]][key]

    def all(self) -> dict[str, str]:
        """
        All words of the language, by key.
        """
        return dict(_WORDS[self.language[:2]])

    def formula(self, formula_id: str) -> str:
        """
        What the formula says.
        """
        return _FORMULAS[self.language[:2]][formula_id]

    def count(self, number: int) -> str:
        """
        A whole number, grouped.
        """
        return format_decimal(number, locale=_locale(self.language))

    def share(self, value: Decimal | None) -> str:
        """
        A share as a percentage with one decimal, or a dash.
        """
        if value is None:
            return NONE
        number = (value * 100).quantize(_TENTH, ROUND_HALF_UP)
        text = format_decimal(number, format="#,##0.0", locale=_locale(self.language))
        return f"{text}\N{NO-BREAK SPACE}%" if self.language.startswith("es") else f"{text}%"

    def money(self, amount: Money) -> str:
        """
        An amount with its currency.
        """
        return money_text(amount, self.language)

    def day(self, day: date) -> str:
        """
        A day.
        """
        return date_text(day, self.language)

    def instant(self, at: datetime) -> str:
        """
        An instant in its own offset, which is shown.
        """
        return f"{self.day(at.date())}, {at:%H:%M:%S} (UTC{at.isoformat()[-6:]})"


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    """
    Babel's locale; a region without data falls back to its language, as amounts do.
    """
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language[:2])


_WORDS: dict[str, dict[str, str]] = {
    "es": {
        "title": "Informe de cobranza",
        "as_of": "Cifras a las",
        "today": "Mora contada al",
        "attempts": "Intentos por canal",
        "none": "Sin datos.",
        "measure": "Medida",
        "planned": "Planificados",
        "sent": "Enviados",
        "delivered": "Entregados",
        "read": "Leídos",
        "replied": "Respondidos",
        "read_rate": "Tasa de lectura",
        "reply_rate": "Tasa de respuesta",
        "outside": "Otros estados",
        "failed": "Fallidos tras el envío",
        "unknown": "Sin certeza",
        "sending": "Enviándose",
        "waiting": "En espera",
        "deferred": "Aplazados",
        "suppressed": "Suprimidos",
        "rejected": "Rechazados",
        "not_sent": "No enviados",
        "expired": "Fuera de plazo",
        "cancelled": "Cancelados",
        "decisions": "Decisiones por regla",
        "verdict": "Veredicto",
        "rule": "Regla",
        "citation": "Norma",
        "count": "Cantidad",
        "total": "Total",
        "allow": "Permitido",
        "amend": "Con condiciones",
        "defer": "Aplazado",
        "deny": "Denegado",
        "aging": "Antigüedad de la deuda",
        "currency": "Moneda",
        "bucket": "Días de mora",
        "amount": "Saldo abierto",
        "installments": "Cuotas",
        "not_due": "Por vencer",
        "delinquency": "Índice de morosidad",
        "overdue": "Vencido",
        "share": "Índice",
        "rejected_rows": "Filas rechazadas al importar",
        "formulas": "Fórmulas",
        "funnel_of": "Embudo del canal {}",
        "aging_picture": "Saldo abierto de cada moneda por días de mora",
        "aging_caption": "Cada barra es el saldo de una moneda, repartido por días de mora. Las monedas no se suman.",
        "credit": "A la izquierda del cero: saldo a favor del deudor.",
    },
    "en": {
        "title": "Collections report",
        "as_of": "Figures as of",
        "today": "Aged at",
        "attempts": "Attempts by channel",
        "none": "No data.",
        "measure": "Measure",
        "planned": "Planned",
        "sent": "Sent",
        "delivered": "Delivered",
        "read": "Read",
        "replied": "Replied",
        "read_rate": "Read rate",
        "reply_rate": "Reply rate",
        "outside": "Other states",
        "failed": "Failed after sending",
        "unknown": "Unknown",
        "sending": "Being sent",
        "waiting": "Waiting",
        "deferred": "Deferred",
        "suppressed": "Suppressed",
        "rejected": "Rejected",
        "not_sent": "Not sent",
        "expired": "Expired",
        "cancelled": "Cancelled",
        "decisions": "Decisions by rule",
        "verdict": "Verdict",
        "rule": "Rule",
        "citation": "Norm",
        "count": "Count",
        "total": "Total",
        "allow": "Allowed",
        "amend": "With conditions",
        "defer": "Deferred",
        "deny": "Denied",
        "aging": "Aging of the debt",
        "currency": "Currency",
        "bucket": "Days past due",
        "amount": "Open balance",
        "installments": "Installments",
        "not_due": "Not due",
        "delinquency": "Delinquency index",
        "overdue": "Overdue",
        "share": "Index",
        "rejected_rows": "Rows rejected by imports",
        "formulas": "Formulas",
        "funnel_of": "Funnel of channel {}",
        "aging_picture": "Open balance of each currency by days past due",
        "aging_caption": "Each bar is the balance of one currency, by days past due. Currencies are never added.",
        "credit": "Left of zero: credit in the debtor's favour.",
    },
    "pt": {
        "title": "Relatório de cobrança",
        "as_of": "Números de",
        "today": "Atraso contado em",
        "attempts": "Tentativas por canal",
        "none": "Sem dados.",
        "measure": "Medida",
        "planned": "Planejadas",
        "sent": "Enviadas",
        "delivered": "Entregues",
        "read": "Lidas",
        "replied": "Respondidas",
        "read_rate": "Taxa de leitura",
        "reply_rate": "Taxa de resposta",
        "outside": "Outros estados",
        "failed": "Falhas após o envio",
        "unknown": "Sem certeza",
        "sending": "Em envio",
        "waiting": "Em espera",
        "deferred": "Adiadas",
        "suppressed": "Suprimidas",
        "rejected": "Rejeitadas",
        "not_sent": "Não enviadas",
        "expired": "Fora do prazo",
        "cancelled": "Canceladas",
        "decisions": "Decisões por regra",
        "verdict": "Veredito",
        "rule": "Regra",
        "citation": "Norma",
        "count": "Quantidade",
        "total": "Total",
        "allow": "Permitido",
        "amend": "Com condições",
        "defer": "Adiado",
        "deny": "Negado",
        "aging": "Antiguidade da dívida",
        "currency": "Moeda",
        "bucket": "Dias de atraso",
        "amount": "Saldo em aberto",
        "installments": "Parcelas",
        "not_due": "A vencer",
        "delinquency": "Índice de inadimplência",
        "overdue": "Vencido",
        "share": "Índice",
        "rejected_rows": "Linhas rejeitadas na importação",
        "formulas": "Fórmulas",
        "funnel_of": "Funil do canal {}",
        "aging_picture": "Saldo em aberto de cada moeda por dias de atraso",
        "aging_caption": "Cada barra é o saldo de uma moeda, por dias de atraso. As moedas não se somam.",
        "credit": "À esquerda do zero: saldo a favor do devedor.",
    },
}

_FORMULAS: dict[str, dict[str, str]] = {
    "es": {
        "attempts.funnel": (
            "Cada intento cuenta una vez por el estado en que está; planificados = todos. Enviados = aceptados por el "
            "proveedor, aunque fallaran después; contiene a los entregados, y estos a los leídos. Los respondidos se "
            "cuentan aparte: también responde quien oculta sus lecturas."
        ),
        "read": "Leídos ÷ entregados, según los acuses que da el canal. En el correo la lectura no es fiable.",
        "reply": "Respondidos ÷ entregados; sin valor donde el canal no informa las entregas.",
        "compl.decisions": "Cada decisión cuenta una vez, bajo la regla más estricta que la explica.",
        "aging.v1": (
            "Suma del saldo abierto por días de mora, bordes incluidos y por moneda; los créditos se restan. 0 días o "
            "menos: por vencer."
        ),
        "delinq.balance": "Saldo vencido ÷ saldo total, por moneda.",
        "imports.rejected": "Filas que las importaciones no aceptaron, cada una con su motivo.",
    },
    "en": {
        "attempts.funnel": (
            "Each attempt counts once, by the state it is in; planned = all. Sent = taken by the provider, even if it "
            "failed later; it contains those delivered, and these contain those read. Replied is counted apart: who "
            "hides receipts of reading answers as well."
        ),
        "read": "Read ÷ delivered, by the receipts that the channel gives. Email opens are unreliable.",
        "reply": "Replied ÷ delivered; no value where the channel does not report delivery.",
        "compl.decisions": "Each decision counts once, under the strictest rule that explains it.",
        "aging.v1": (
            "Sum of the open balance by days past due, edges included, per currency; credits are deducted. 0 days or "
            "fewer: not due."
        ),
        "delinq.balance": "Overdue balance ÷ total balance, per currency.",
        "imports.rejected": "Rows that imports did not take, each with its reason.",
    },
    "pt": {
        "attempts.funnel": (
            "Cada tentativa conta uma vez, pelo estado em que está; planejadas = todas. Enviadas = aceitas pelo "
            "provedor, mesmo que tenham falhado depois; contém as entregues, e estas as lidas. As respondidas são "
            "contadas à parte: quem oculta a leitura também responde."
        ),
        "read": "Lidas ÷ entregues, pelos recibos que o canal dá. No e-mail a leitura não é confiável.",
        "reply": "Respondidas ÷ entregues; sem valor onde o canal não informa as entregas.",
        "compl.decisions": "Cada decisão conta uma vez, pela regra mais estrita que a explica.",
        "aging.v1": (
            "Soma do saldo em aberto por dias de atraso, bordas incluídas e por moeda; os créditos são descontados. "
            "0 dias ou menos: a vencer."
        ),
        "delinq.balance": "Saldo vencido ÷ saldo total, por moeda.",
        "imports.rejected": "Linhas que as importações não aceitaram, cada uma com seu motivo.",
    },
}
