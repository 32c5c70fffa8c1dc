"""
Presets: what each system exports, as far as it is known.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import attrs
import pytest

from cobranza_erp_csv._mapping import COLUMNS, PRESETS, REQUIRED, Preset, load, plain, vocabulary
from cobranza_sdk import Money

Load = Callable[..., Any]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_the_columns_that_are_needed(name: str) -> None:
    """
    A preset that cannot find a required column would refuse every file.
    """
    preset = load(name)

    opens = {"amount_open", "local_open"} & set(preset.aliases)
    assert opens
    assert set(REQUIRED) - {"amount_open"} <= set(preset.aliases) <= set(COLUMNS)
    assert not [column for column, names in preset.aliases.items() if len(set(names)) < len(names)]
    assert preset.credit_notes in {"negative", "positive", "either"}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_only_what_is_understood(name: str) -> None:
    """
    A key with a typing error would be a rule that nobody applies.
    """
    data = tomllib.loads(files("cobranza_erp_csv").joinpath("presets", f"{name}.toml").read_text("utf-8"))

    rules = {attribute.name for attribute in attrs.fields(Preset)} - {"aliases"} | {"columns", "currencies"}
    assert set(data) <= rules
    assert set(data.get("required", ())) <= set(data["columns"])


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Factura", "invoice"),
        ("N/C", "credit_note"),
        ("Nota de Crédito", "credit_note"),
        ("nota de débito", "debit_note"),
        ("PAGO", "payment"),
        ("abono", "payment"),
        ("Recibo", "payment"),
    ],
)
def test_document_types_are_known_in_spanish(word: str, kind: str) -> None:
    """
    A credit note taken for an invoice would chase money that the creditor owes.
    """
    assert vocabulary("doc_types")[plain(word)] == kind


def test_the_canonical_preset_reads_every_kind_of_document(load: Load) -> None:
    """
    Only a credit note has a negative open amount, whichever sign the file gives it.
    """
    head = "customer_key,doc_type,doc_number,issue_date,due_date,amount_open\n"

    found = load(
        head
        + "C1,factura,F1,,2026-11-05,10.00\nC1,N/C,NC1,2026-11-01,,3.00\nC1,nota de crédito,NC2,,2026-11-05,-4.00\n"
        + "C1,N/D,ND1,,2026-11-05,5.00\nC1,préstamo,L1,,2026-11-05,6.00\n"
    )

    assert [(r.external_id, r.kind, r.installments[0].open.minor) for r in found.receivables] == [
        ("invoice:F1", "invoice", 1000),
        ("credit_note:NC1", "credit_note", -300),
        ("credit_note:NC2", "credit_note", -400),
        ("debit_note:ND1", "other", 500),
        ("loan:L1", "loan", 600),
    ]
    assert found.receivables[1].installments[0].due_on.isoformat() == "2026-11-01"


ODOO = (
    '"Número","Cliente","Cliente/NIF","Fecha de factura","Fecha de vencimiento","Total","Importe adeudado","Moneda",'
    '"Estado de pago"\r\n'
    '"INV/2026/00123","Comercial Peña, S.A. de C.V.","PEP800101AB1","2026-10-20","2026-11-19","11600.0","5800.0",'
    '"MXN","Parcialmente pagado"\r\n'
)


def test_an_odoo_list_in_spanish_is_read(load: Load) -> None:
    """
    Labels depend on the user's language; without the contact's id the tax id is the key.
    """
    found = load(ODOO, preset="odoo", country="MX", currency=None)

    (debtor,), (receivable,) = found.debtors, found.receivables
    assert (debtor.external_id, debtor.person.name) == ("PEP800101AB1", "Comercial Peña, S.A. de C.V.")
    (part,) = receivable.installments
    assert (receivable.external_id, part.amount, part.open) == (
        "invoice:INV/2026/00123",
        Money(1160000, "MXN"),
        Money(580000, "MXN"),
    )


def test_odoo_refunds_drafts_and_cancelled_invoices(load: Load) -> None:
    """
    A refund is positive in amount_residual; a draft is no claim; nothing is owed on what was cancelled.
    """
    head = '"name","partner_id/id","partner_id/vat","partner_id/phone","invoice_date_due","amount_total",'
    head += '"amount_residual","currency_id","move_type","state"\n'
    line = '"{0}","base.c1","XAXX010101000","\'+52 55 1234 5678","2026-11-19","{1}","{1}","MXN","{2}","{3}"\n'

    found = load(
        head
        + line.format("INV/1", "10.0", "out_invoice", "posted")
        + line.format("RINV/1", "4.0", "out_refund", "posted")
        + line.format("RINV/2", "-4.0", "out_refund", "posted")
        + line.format("/", "9.0", "out_invoice", "draft")
        + line.format("INV/2", "9.0", "out_invoice", "cancel")
        + line.format("BILL/1", "9.0", "in_invoice", "posted"),
        preset="odoo",
        country="MX",
        currency=None,
    )

    assert [(r.external_id, r.installments[0].open.minor) for r in found.receivables] == [
        ("invoice:INV/1", 1000),
        ("credit_note:RINV/1", -400),
        ("credit_note:RINV/2", -400),
        ("invoice:INV/2", 0),
    ]
    assert found.addresses == ["+525512345678"]
    assert [(line, column) for line, column, _ in found.reasons] == [(7, "doc_type")]


def test_a_tax_id_that_many_customers_share_is_no_key(load: Load) -> None:
    """
    XAXX010101000 is everybody in Mexico: their debts would become one person's.
    """
    found = load(ODOO.replace("PEP800101AB1", "XAXX010101000"), preset="odoo", country="MX", currency=None)

    assert not found.receivables
    assert [record.column for record in found.rejected] == ["customer_key"]


def test_a_siigo_report_is_read(load: Load) -> None:
    """
    Title rows, sep=, semicolons, decimal commas, and kinds that only the number tells.
    """
    content = (
        "sep=;\nEmpresa Demo SAS\nNIT 900.000.000\nCartera por edades\n\n"
        "Tercero;NIT;Comprobante;Cuota;Fecha elaboración;Vencimiento;Saldo\n"
        "FERRETERÍA ÑANDÚ LTDA;900373115-3;FV-1-123;1;20/10/2026;19/11/2026;1.250.000,00\n"
        "FERRETERÍA ÑANDÚ LTDA;900373115-3;FV-1-123;2;20/10/2026;19/12/2026;1.250.000,00\n"
        "FERRETERÍA ÑANDÚ LTDA;900373115-3;NC-1-9;1;21/10/2026;21/10/2026;-50.000,00\n"
        "FERRETERÍA ÑANDÚ LTDA;900373115-3;NC-1-10;1;21/10/2026;21/10/2026;50.000,00\n"
        "FERRETERÍA ÑANDÚ LTDA;900373115-3;RC-1-4;1;22/10/2026;22/10/2026;-70.000,00\n"
        "Total FERRETERÍA ÑANDÚ LTDA;;;;;;2.380.000,00\n"
    )

    found = load(content.encode("cp1252"), preset="siigo", country="CO", currency="COP")

    invoice, credit = found.receivables
    assert [part.open for part in invoice.installments] == [Money(125000000, "COP")] * 2
    assert (credit.kind, credit.installments[0].open) == ("credit_note", Money(-5000000, "COP"))
    (payment,) = found.payments
    assert (payment.external_id, payment.amount) == ("RC-1-4", Money(7000000, "COP"))
    assert [(line, column) for line, column, _ in found.reasons] == [(10, "amount_open")]
    assert found.debtors[0].person.name == "FERRETERÍA ÑANDÚ LTDA"
