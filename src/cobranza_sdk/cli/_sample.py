"""
The demo's portfolio: invented people in the shape of a real ERP export, the same for the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

from attrs import frozen

DEBTORS = {"PE": 180, "CO": 120}
SEED = 20260805
#: Shares of the portfolio: companies, debtors with a mail address, confirmed holders, opted out of SMS.
_COMPANIES, _WITH_MAIL, _CONFIRMED, _OPTED_OUT = 0.15, 0.9, 0.75, 0.03
_AGREED = (("whatsapp", 0.7), ("sms", 0.75), ("email", 0.6))
_CURRENCY = {"PE": "PEN", "CO": "COP"}
_NAMES = (
    "Ana María Luis José Rosa Carlos Elena Jorge Lucía Pedro Carmen Raúl Sofía Miguel Julia Andrés Marta Óscar Inés"
).split()
_SURNAMES = (
    "Quispe Flores Rojas Mamani Gómez Peña Muñoz Castro Ñáñez Torres Díaz Vargas Ríos Salas Cárdenas Ortiz Mejía León"
).split()
_TRADES = ("Bodega", "Ferretería", "Farmacia", "Panadería", "Librería", "Taller", "Restaurante")
_HEADER = (
    "Cód. cliente;Razón social;País;Celular;Correo;Titular;Titular confirmado;Canales autorizados;Canales de baja;"
    "Tipo doc.;Nro. documento;Fecha emisión;Fecha vencimiento;Moneda;Importe total;Saldo pendiente;Fecha pago;"
    "Referencia"
)
#: Header of the export by canonical name, for ``[erps.NAME.columns]``.
COLUMNS = {
    "customer_key": "Cód. cliente",
    "customer_name": "Razón social",
    "country": "País",
    "phone": "Celular",
    "email": "Correo",
    "holder_role": "Titular",
    "holder_confirmed": "Titular confirmado",
    "consent_channels": "Canales autorizados",
    "opted_out_channels": "Canales de baja",
    "doc_type": "Tipo doc.",
    "doc_number": "Nro. documento",
    "issue_date": "Fecha emisión",
    "due_date": "Fecha vencimiento",
    "currency": "Moneda",
    "amount_total": "Importe total",
    "amount_open": "Saldo pendiente",
    "payment_date": "Fecha pago",
    "reference": "Referencia",
}
#: Days past due at which a step of the standard strategy begins.
_STEP_DAYS = (-3, 1, 7, 15, 30, 60, 91)
#: Rows that no import may take: no date, no amount, no key, no known currency, too few cells.
_BAD_ROWS = (
    "C9001;Cliente sin fecha;PE;;;debtor;N;;;Factura;F001-90001;01/07/2026;31/02/2026;PEN;100,00;100,00;;",
    "C9002;Cliente sin importe;PE;;;debtor;N;;;Factura;F001-90002;01/07/2026;04/08/2026;PEN;cien;cien;;",
    ";Cliente sin código;PE;;;debtor;N;;;Factura;F001-90003;01/07/2026;04/08/2026;PEN;100,00;100,00;;",
    "C9004;Cliente con moneda rara;PE;;;debtor;N;;;Factura;F001-90004;01/07/2026;04/08/2026;XQZ;100,00;100,00;;",
    "C9005;Cliente cortado;PE;;;debtor;N;;;Factura;F001-90005;01/07/2026",
)


@frozen(kw_only=True)
class Sample:
    """
    Two exports of an invented ERP.

    Attributes:
        portfolio: What is owed, on the first day; text of a CSV file.
        payments: What was paid since, on the second day.
        debtors: How many debtors the first file holds.
        receivables: How many receivables.
        bad_rows: How many rows no import may take.
    """

    portfolio: str
    payments: str
    debtors: int
    receivables: int
    bad_rows: int


@frozen(kw_only=True)
class _Invoice:
    debtor: str
    country: str
    number: str
    due_on: date
    amount: int


def make_sample(first_day: date, *, seed: int = SEED) -> Sample:
    """
    Invent a portfolio around *first_day*.
    """
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    lines: list[str] = [_HEADER]
    invoices: list[_Invoice] = []
    for country, count in DEBTORS.items():
        for number in range(count):
            head, owed = _debtor(chance, country, number, first_day, len(invoices))
            invoices += owed
            lines += [f"{head};{_row(invoice)}" for invoice in owed]
    for index, bad in enumerate(_BAD_ROWS):
        lines.insert(len(lines) * (index + 1) // (len(_BAD_ROWS) + 2), bad)
    return Sample(
        portfolio="\r\n".join(lines) + "\r\n",
        payments="\r\n".join([_HEADER, *_payments(chance, invoices, first_day + timedelta(days=1))]) + "\r\n",
        debtors=sum(DEBTORS.values()),
        receivables=len(invoices),
        bad_rows=len(_BAD_ROWS),
    )


def _debtor(chance: random.Random, country: str, number: int, first_day: date, made: int) -> tuple[str, list[_Invoice]]:
    key = f"C{'1' if country == 'PE' else '2'}{number:03d}"
    name = f"{chance.choice(_NAMES)} {chance.choice(_SURNAMES)} {chance.choice(_SURNAMES)}"
    if chance.random() < _COMPANIES:
        name = f"{chance.choice(_TRADES)} {chance.choice(_SURNAMES)}"
    phone = f"900 {number:03d} {chance.randrange(1000):03d}"
    if country == "CO":
        phone = f"300 1{number:03d} {chance.randrange(1000):03d}"
    mail = f"cliente{key.lower()}@example.com" if chance.random() < _WITH_MAIL else ""
    holder = chance.choices(("debtor", "reference", "guarantor"), weights=(95, 3, 2))[0]
    confirmed = "S" if chance.random() < _CONFIRMED else "N"
    agreed = [channel for channel, share in _AGREED if chance.random() < share]
    out = "sms" if chance.random() < _OPTED_OUT else ""
    head = ";".join((key, name, country, phone, mail, holder, confirmed, "|".join(agreed), out))
    # The oldest debt decides the step; a third of the debtors comes up on each of the three days.
    offset = chance.choice(_STEP_DAYS)
    oldest = first_day + timedelta(days=number % 3 - offset)
    count = chance.choices((1, 2, 3, 4), weights=(20, 40, 25, 15))[0]
    owed = []
    for index in range(count):
        amount = chance.randrange(5_000, 250_000) if country == "PE" else chance.randrange(40_000, 3_000_000) * 100
        owed.append(
            _Invoice(
                debtor=key,
                country=country,
                number=f"{'F001' if country == 'PE' else 'FE'}-{10_001 + made + index}",
                due_on=oldest + timedelta(days=index * chance.choice((7, 10, 15))),
                amount=amount,
            )
        )
    return head, owed


def _row(invoice: _Invoice) -> str:
    issued = invoice.due_on - timedelta(days=30)
    amount = _amount(invoice.amount)
    return (
        f"Factura;{invoice.number};{issued:%d/%m/%Y};{invoice.due_on:%d/%m/%Y};"
        f"{_CURRENCY[invoice.country]};{amount};{amount};;"
    )


def _payments(chance: random.Random, invoices: list[_Invoice], day: date) -> Iterator[str]:
    debtors = sorted({invoice.debtor for invoice in invoices})
    for number, debtor in enumerate(sorted(chance.sample(debtors, len(debtors) // 8)), start=1):
        for invoice in (invoice for invoice in invoices if invoice.debtor == debtor):
            amount = _amount(invoice.amount)
            yield (
                f"{debtor};;{invoice.country};;;;;;;Pago;REC-{number:04d}-{invoice.number};{day:%d/%m/%Y};;"
                f"{_CURRENCY[invoice.country]};{amount};0,00;{day:%d/%m/%Y};{invoice.number}"
            )


def _amount(minor: int) -> str:
    whole, cents = divmod(minor, 100)
    return f"{whole:,}".replace(",", ".") + f",{cents:02d}"
