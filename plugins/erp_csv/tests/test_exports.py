"""
One file for each preset, built as the system writes it, and every record that comes of it.

Names, numbers and addresses are invented; tax ids are the public test vectors of each country.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cobranza_sdk import Debtor, Payment, Receivable

Load = Callable[..., Any]


def told(found: Any) -> list[tuple[Any, ...]]:
    """
    All records of an import in order, each with all that a file can say of it.
    """
    return [_record(record) for batch in found.batches for record in batch.records]


def _record(record: Debtor | Receivable | Payment) -> tuple[Any, ...]:
    if isinstance(record, Debtor):
        points = [point.address.value for point in record.contact_points]
        return (record.external_id, record.person.name, record.person.tax_id, record.country, points)
    if isinstance(record, Payment):
        amount = f"{record.amount.amount} {record.amount.currency}"
        return (
            "paid",
            record.external_id,
            record.debtor_id,
            record.paid_at.date().isoformat(),
            amount,
            record.receivable_id,
        )
    parts = [
        f"{part.number}: {part.due_on} {part.open.amount} of {part.amount.amount} {part.open.currency}"
        for part in record.installments
    ]
    issued = record.issued_on and record.issued_on.isoformat()
    return (record.external_id, record.debtor_id, record.kind, record.document, issued, record.concept, parts)


def rejected(found: Any) -> list[tuple[int | None, str | None]]:
    """
    Line and column of what was rejected.
    """
    return [(record.line, record.column) for record in found.rejected]


def test_an_odoo_list_of_invoices(load: Load) -> None:
    """
    Quoted cells, CRLF, no byte order mark; guarded phones; signed amounts are the company's, and not the invoice's.
    """
    content = (
        '"Número","Cliente/ID externo","Cliente","Cliente/RFC","Cliente/Teléfono","Fecha de factura",'
        '"Fecha de vencimiento","Total con signo","Importe adeudado con signo","Total","Importe adeudado","Moneda",'
        '"Tipo","Estado"\r\n'
        '"INV/2026/00123","base.c7","Comercial Peña, S.A. de C.V.","EKU9003173C9","\'+52 55 1234 5678","2026-10-20",'
        '"2026-11-19","11600.0","5800.0","11600.0","5800.0","MXN","Factura de cliente","Publicado"\r\n'
        '"INV/2026/00124","base.c7","Comercial Peña, S.A. de C.V.","EKU9003173C9","\'+52 55 1234 5678","2026-10-21",'
        '"2026-11-20","18400.0","18400.0","1000.0","1000.0","USD","Factura de cliente","Publicado"\r\n'
        '"RINV/2026/00004","base.c7","Comercial Peña, S.A. de C.V.","EKU9003173C9","\'+52 55 1234 5678","2026-10-22",'
        '"2026-10-22","-116.0","-116.0","116.0","116.0","MXN","Factura rectificativa de cliente","Publicado"\r\n'
    )

    found = load(content, preset="odoo", country="MX", currency="MXN")

    assert told(found) == [
        ("base.c7", "Comercial Peña, S.A. de C.V.", "EKU9003173C9", "MX", ["+525512345678"]),
        (
            "invoice:INV/2026/00123",
            "base.c7",
            "invoice",
            "INV/2026/00123",
            "2026-10-20",
            None,
            ["1: 2026-11-19 5800.00 of 11600.00 MXN"],
        ),
        (
            "invoice:INV/2026/00124",
            "base.c7",
            "invoice",
            "INV/2026/00124",
            "2026-10-21",
            None,
            ["1: 2026-11-20 1000.00 of 1000.00 USD"],
        ),
        (
            "credit_note:RINV/2026/00004",
            "base.c7",
            "credit_note",
            "RINV/2026/00004",
            "2026-10-22",
            None,
            ["1: 2026-10-22 -116.00 of -116.00 MXN"],
        ),
    ]
    assert rejected(found) == []


def test_an_odoo_list_without_the_amount_in_the_invoices_currency(load: Load) -> None:
    """
    18400 is what 1000 dollars are in pesos: taken for dollars, the debtor would owe eighteen times as much.
    """
    content = (
        '"name","partner_id/id","invoice_date_due","amount_residual_signed","currency_id"\r\n'
        '"INV/1","base.c7","2026-11-19","5800.0","MXN"\r\n"INV/2","base.c7","2026-11-19","18400.0","USD"\r\n'
    )

    found = load(content, preset="odoo", country="MX", currency="MXN")

    assert [receivable.external_id for receivable in found.receivables] == ["invoice:INV/1"]
    assert rejected(found) == [(3, "amount_open")]


def test_odoo_lines_of_an_invoice_are_its_installments(load: Load) -> None:
    """
    Only the first line of an invoice names it; what goes on below is filled in from there, and nowhere else.
    """
    content = (
        '"name","partner_id/id","partner_id","invoice_date","currency_id","move_type","line_ids/date_maturity",'
        '"line_ids/amount_currency","line_ids/amount_residual_currency"\r\n'
        '"INV/1","base.c7","Comercial Peña","2026-10-20","MXN","out_invoice","2026-11-19","600.0","100.0"\r\n'
        '"","","","","","","2026-12-19","400.0","400.0"\r\n'
        '"INV/2","base.c8","Ferretería Ñandú","2026-10-21","MXN","entry","2026-11-20","70.0","70.0"\r\n'
        '"","","","","","","2026-12-20","30.0","30.0"\r\n'
    )

    found = load(content, preset="odoo", country="MX", currency="MXN")

    assert told(found) == [
        ("base.c7", "Comercial Peña", None, "MX", []),
        (
            "invoice:INV/1",
            "base.c7",
            "invoice",
            "INV/1",
            "2026-10-20",
            None,
            ["1: 2026-11-19 100.00 of 600.00 MXN", "2: 2026-12-19 400.00 of 400.00 MXN"],
        ),
    ]
    assert rejected(found) == [(4, "doc_type"), (5, "doc_type")]


def test_sap_business_one_tables(load: Load) -> None:
    """
    Open is what was billed less what was paid, in the company's currency or in the document's own.
    """
    content = (
        "ObjType\tDocNum\tCardCode\tCardName\tLicTradNum\tDocDate\tInstlmntID\tDueDate\tDocCur\tInsTotal\tInsTotalFC\t"
        "PaidToDate\tPaidFC\tCANCELED\r\n"
        "13\t1001\tC20000\tNorte Ñuñoa\t76086428-5\t2026-10-01\t1\t2026-11-01\tCLP\t600000\t0\t100000\t0\tN\r\n"
        "13\t1001\tC20000\tNorte Ñuñoa\t76086428-5\t2026-10-01\t2\t2026-12-01\tCLP\t400000\t0\t0\t0\tN\r\n"
        "13\t1002\tC20000\tNorte Ñuñoa\t76086428-5\t2026-10-02\t1\t2026-11-02\tUSD\t950000\t1000.50\t0\t200.25\tN\r\n"
        "14\t77\tC20000\tNorte Ñuñoa\t76086428-5\t2026-10-03\t1\t2026-10-03\tCLP\t50000\t0\t20000\t0\tN\r\n"
        "13\t1003\tC20000\tNorte Ñuñoa\t76086428-5\t2026-10-04\t1\t2026-11-04\tCLP\t90000\t0\t0\t0\tY\r\n"
    )

    found = load(b"\xff\xfe" + content.encode("utf-16-le"), preset="sap_b1", country="CL", currency="CLP")

    assert told(found) == [
        ("C20000", "Norte Ñuñoa", "76086428-5", "CL", []),
        (
            "invoice:1001",
            "C20000",
            "invoice",
            "1001",
            "2026-10-01",
            None,
            ["1: 2026-11-01 500000 of 600000 CLP", "2: 2026-12-01 400000 of 400000 CLP"],
        ),
        ("invoice:1002", "C20000", "invoice", "1002", "2026-10-02", None, ["1: 2026-11-02 800.25 of 1000.50 USD"]),
        ("credit_note:77", "C20000", "credit_note", "77", "2026-10-03", None, ["1: 2026-10-03 -30000 of -50000 CLP"]),
        ("invoice:1003", "C20000", "invoice", "1003", "2026-10-04", None, ["1: 2026-11-04 0 of 90000 CLP"]),
    ]
    assert rejected(found) == []


def test_the_aging_grid_of_sap_business_one(load: Load) -> None:
    """
    The currency stands in the cell, credits in brackets; entries of the books are told by their sign.
    """
    content = (
        "Customer Receivables Aging\nAging Date: 21/11/2026\n\n"
        "Customer Code;Customer Name;Type;Doc. No.;Installment;Posting Date;Due Date;Balance Due;Future Remit;0 - 30\n"
        "C1;Aceros Demo;IN;501;1/3;01/10/2026;15/11/2026;MXN 1,234.56;;MXN 1,234.56\n"
        "C1;Aceros Demo;IN;501;2/3;01/10/2026;15/12/2026;MXN 1,000.00;MXN 1,000.00;\n"
        "C1;Aceros Demo;IN;502;1/1;02/10/2026;16/11/2026;USD 100.00;;USD 100.00\n"
        "C1;Aceros Demo;CN;31;1/1;03/10/2026;03/10/2026;(MXN 200.00);;(MXN 200.00)\n"
        "C1;Aceros Demo;JE;900;1/1;04/10/2026;04/10/2026;MXN -15.00;;MXN -15.00\n"
        "C1;Aceros Demo;JE;901;1/1;04/10/2026;04/10/2026;MXN 25.00;;MXN 25.00\n"
        "C1;Aceros Demo;RC;40;1/1;05/10/2026;05/10/2026;(MXN 50.00);;(MXN 50.00)\n"
        ";;;;;;;MXN 1,994.56;MXN 1,000.00;\n"
    )

    found = load(content, preset="sap_b1", country="MX", currency="MXN")

    assert told(found) == [
        ("C1", "Aceros Demo", None, "MX", []),
        (
            "invoice:501",
            "C1",
            "invoice",
            "501",
            "2026-10-01",
            None,
            ["1: 2026-11-15 1234.56 of 1234.56 MXN", "2: 2026-12-15 1000.00 of 1000.00 MXN"],
        ),
        ("invoice:502", "C1", "invoice", "502", "2026-10-02", None, ["1: 2026-11-16 100.00 of 100.00 USD"]),
        ("credit_note:31", "C1", "credit_note", "31", "2026-10-03", None, ["1: 2026-10-03 -200.00 of -200.00 MXN"]),
        ("credit_note:900", "C1", "credit_note", "900", "2026-10-04", None, ["1: 2026-10-04 -15.00 of -15.00 MXN"]),
        ("debit_note:901", "C1", "other", "901", "2026-10-04", None, ["1: 2026-10-04 25.00 of 25.00 MXN"]),
        ("paid", "40", "C1", "2026-10-05", "50.00 MXN", None),
    ]
    assert rejected(found) == []


FBL5N = """Partidas individuales de deudores

Cliente           0000100234
Sociedad          CO01
Nombre            Ferretería Ñandú Ltda

--------------------------------------------------------------------------------------------------
|   Cta.     | Nº doc.    | Cl | Fe.doc.    | Fe.contab. | Venc.neto  | Impte.mon.doc. | Mon. | Referencia   |
|------------------------------------------------------------------------------------------------|
| 0000100234 | 1800000123 | RV | 20.10.2026 | 20.10.2026 | 19.11.2026 |      12.345,60 | COP  | FE-123       |
| 100234     | 1800000124 | DR | 21.10.2026 | 21.10.2026 | 20.11.2026 |       1.000,00 | USD  | FE-124       |
| 0000100234 | 1600000045 | DG | 25.10.2026 | 25.10.2026 | 25.10.2026 |       1.200,00-| COP  | NC-45        |
|   Cta.     | Nº doc.    | Cl | Fe.doc.    | Fe.contab. | Venc.neto  | Impte.mon.doc. | Mon. | Referencia   |
|------------------------------------------------------------------------------------------------|
| 0000100234 | 1400000009 | DZ | 26.10.2026 | 27.10.2026 | 26.10.2026 |         300,00-| COP  |              |
| 0000100234 | 0100000007 | AB | 28.10.2026 | 28.10.2026 | 28.10.2026 |          50,00-| COP  |              |
|* 0000100234|            |    |            |            |            |      10.795,60 | COP  |              |
|** Total    |            |    |            |            |            |      10.795,60 | COP  |              |
--------------------------------------------------------------------------------------------------
"""


@pytest.mark.parametrize("form", ["bars", "tabs"])
def test_line_items_of_sap(load: Load, form: str) -> None:
    """
    Minus at the end, totals with stars, headers on each page, keys with and without leading zeros.
    """
    content = FBL5N.replace("\n", "\r\n")
    if form == "tabs":
        lines = [line.strip("|") for line in FBL5N.splitlines() if "---" not in line]
        content = "\r\n".join("\t".join(["", *(cell.strip() for cell in line.split("|"))]) for line in lines) + "\r\n"

    found = load(content.encode("cp1252"), preset="sap_fbl5n", country="CO", currency="COP")

    assert told(found) == [
        ("100234", "", None, "CO", []),
        (
            "invoice:1800000123",
            "100234",
            "invoice",
            "FE-123",
            "2026-10-20",
            None,
            ["1: 2026-11-19 12345.60 of 12345.60 COP"],
        ),
        (
            "invoice:1800000124",
            "100234",
            "invoice",
            "FE-124",
            "2026-10-21",
            None,
            ["1: 2026-11-20 1000.00 of 1000.00 USD"],
        ),
        (
            "credit_note:1600000045",
            "100234",
            "credit_note",
            "NC-45",
            "2026-10-25",
            None,
            ["1: 2026-10-25 -1200.00 of -1200.00 COP"],
        ),
        ("paid", "1400000009", "100234", "2026-10-27", "300.00 COP", None),
        (
            "credit_note:100000007",
            "100234",
            "credit_note",
            "100000007",
            "2026-10-28",
            None,
            ["1: 2026-10-28 -50.00 of -50.00 COP"],
        ),
    ]
    assert rejected(found) == []


def test_table_columns_of_sap(load: Load) -> None:
    """
    BSID has no signs: the side says what is a credit, and REBZG which invoice it belongs to.
    """
    content = (
        "KUNNR;BELNR;BUZEI;BLART;BLDAT;BUDAT;FAEDT;WAERS;SHKZG;DMBTR;WRBTR;REBZG;XBLNR\n"
        "0000100234;0090000001;001;RV;20261020;20261020;20261119;PEN;S;1000.50;1000.50;;F001-123\n"
        "0000100234;0090000001;002;RV;20261020;20261020;20261219;PEN;S;500.00;500.00;;F001-123\n"
        "0000100234;1600000045;001;DG;20261025;20261025;20261025;PEN;H;70.00;70.00;;FC01-9\n"
        "0000100234;1400000009;001;DZ;20261026;20261027;20261026;USD;H;380.00;100.00;0090000001;\n"
    )

    found = load(content, preset="sap_fbl5n", country="PE", currency="PEN")

    assert told(found) == [
        ("100234", "", None, "PE", []),
        (
            "invoice:90000001",
            "100234",
            "invoice",
            "F001-123",
            "2026-10-20",
            None,
            ["1: 2026-11-19 1000.50 of 1000.50 PEN", "2: 2026-12-19 500.00 of 500.00 PEN"],
        ),
        (
            "credit_note:1600000045",
            "100234",
            "credit_note",
            "FC01-9",
            "2026-10-25",
            None,
            ["1: 2026-10-25 -70.00 of -70.00 PEN"],
        ),
        ("paid", "1400000009", "100234", "2026-10-27", "100.00 USD", "invoice:90000001"),
    ]
    assert rejected(found) == []


def test_a_contpaqi_report_by_customer(load: Load) -> None:
    """
    The customer stands above its documents; credits have a column of their own; concepts are each company's words.
    """
    content = (
        "EMPRESA DEMO SA DE CV\nAntigüedad de saldos\nDel 01/01/2026 al 21/11/2026\n\n"
        "Fecha,Serie,Folio,Concepto,Vencimiento,Cargos,Abonos,Saldo,Moneda\n"
        "Cliente: C001 - COMERCIAL PEÑA SA DE CV,,,,,,,,\n"
        '20/10/2026,A,123.0,Factura CFDI 4.0,19/11/2026,"11,600.00","5,800.00","5,800.00",Peso Mexicano\n'
        "21/10/2026,D,7,Factura en dólares,20/11/2026,100.00,,100.00,Dólares\n"
        '22/10/2026,NC,9,Nota de crédito del cliente,22/10/2026,,"1,160.00","1,160.00",Pesos\n'
        "23/oct/2026,P,4,Pago del cliente,23/10/2026,,500.00,500.00,Pesos\n"
        'Total cliente,,,,,"11,700.00","7,460.00","6,560.00",\n'
        "Cliente: C002 - FERRETERÍA ÑANDÚ,,,,,,,,\n"
        "24/10/2026,A,124.0,Factura CFDI 4.0,23/11/2026,10.00,,10.00,Pesos\n"
        "Total cliente,,,,,10.00,,10.00,\nTotal general,,,,,,,,\n"
    )

    found = load(content.encode("cp1252"), preset="contpaqi", country="MX", currency="MXN")

    assert told(found) == [
        ("C001", "COMERCIAL PEÑA SA DE CV", None, "MX", []),
        ("invoice:A-123", "C001", "invoice", "A-123", "2026-10-20", None, ["1: 2026-11-19 5800.00 of 11600.00 MXN"]),
        ("invoice:D-7", "C001", "invoice", "D-7", "2026-10-21", None, ["1: 2026-11-20 100.00 of 100.00 USD"]),
        (
            "credit_note:NC-9",
            "C001",
            "credit_note",
            "NC-9",
            "2026-10-22",
            None,
            ["1: 2026-10-22 -1160.00 of -1160.00 MXN"],
        ),
        ("paid", "P-4", "C001", "2026-10-23", "500.00 MXN", None),
        ("C002", "FERRETERÍA ÑANDÚ", None, "MX", []),
        ("invoice:A-124", "C002", "invoice", "A-124", "2026-10-24", None, ["1: 2026-11-23 10.00 of 10.00 MXN"]),
    ]
    assert rejected(found) == []


def test_the_documents_of_contpaqi_as_a_table(load: Load) -> None:
    """
    CNATURALEZA says the side, folios are floats, and what was cancelled is not owed.
    """
    content = (
        "CCODIGOCLIENTE,CRAZONSOCIAL,CRFC,CNOMBRECONCEPTO,CSERIEDOCUMENTO,CFOLIO,CFECHA,CFECHAVENCIMIENTO,CIDMONEDA,"
        "CNATURALEZA,CTOTAL,CPENDIENTE,CCANCELADO\n"
        "C001,Comercial Peña,EKU9003173C9,Factura,A,123.0,2026-10-20,2026-11-19,1,0,11600.00,5800.00,0\n"
        "C001,Comercial Peña,EKU9003173C9,Pagaré,P,5.0,2026-10-20,2026-12-19,2,0,300.00,300.00,0\n"
        "C001,Comercial Peña,EKU9003173C9,Bonificación,B,9.0,2026-10-22,2026-10-22,1,1,116.00,116.00,0\n"
        "C001,Comercial Peña,EKU9003173C9,Factura,A,125.0,2026-10-23,2026-11-22,1,0,90.00,90.00,1\n"
    )

    found = load(content, preset="contpaqi", country="MX", currency="MXN")

    assert told(found) == [
        ("C001", "Comercial Peña", "EKU9003173C9", "MX", []),
        ("invoice:A-123", "C001", "invoice", "A-123", "2026-10-20", None, ["1: 2026-11-19 5800.00 of 11600.00 MXN"]),
        ("loan:P-5", "C001", "loan", "P-5", "2026-10-20", None, ["1: 2026-12-19 300.00 of 300.00 USD"]),
        ("credit_note:B-9", "C001", "credit_note", "B-9", "2026-10-22", None, ["1: 2026-10-22 -116.00 of -116.00 MXN"]),
        ("invoice:A-125", "C001", "invoice", "A-125", "2026-10-23", None, ["1: 2026-11-22 0.00 of 90.00 MXN"]),
    ]
    assert rejected(found) == []


def test_a_siigo_report(load: Load) -> None:
    """
    Seven title rows, semicolons in cp1252, kinds by the number, credits and receipts with a minus.
    """
    content = (
        "sep=;\nEmpresa Demo SAS\nNIT 900.373.115-3\nCartera por edades\nA 21/11/2026\nMoneda local\n\n"
        "Nombre tercero;NIT;Sucursal;Teléfono;Comprobante;Cuota;Fecha elaboración;Fecha vencimiento;Días mora;Saldo\n"
        "FERRETERÍA ÑANDÚ;900373115-3;0;601 7452001 / 310 5551234;FV-1-123;1;20/10/2026;19/11/2026;2;1.250.000,00\n"
        "FERRETERÍA ÑANDÚ;900373115-3;0;;FV-1-123;2;20/10/2026;19/12/2026;-28;1.250.000,50\n"
        "FERRETERÍA ÑANDÚ;900373115-3;0;;NC-1-9;1;21/10/2026;21/10/2026;31;-50.000,00\n"
        "FERRETERÍA ÑANDÚ;900373115-3;0;;RC-1-4;1;22/10/2026;22/10/2026;30;-70.000,00\n"
        "Total FERRETERÍA ÑANDÚ;;;;;;;;;2.380.000,50\nProcesado en: 21/11/2026\n"
    )

    found = load(content.encode("cp1252"), preset="siigo", country="CO", currency="COP")

    assert told(found) == [
        ("900373115-3", "FERRETERÍA ÑANDÚ", "900373115-3", "CO", ["+573105551234", "+576017452001"]),
        (
            "invoice:FV-1-123",
            "900373115-3",
            "invoice",
            "FV-1-123",
            "2026-10-20",
            None,
            ["1: 2026-11-19 1250000.00 of 1250000.00 COP", "2: 2026-12-19 1250000.50 of 1250000.50 COP"],
        ),
        (
            "credit_note:NC-1-9",
            "900373115-3",
            "credit_note",
            "NC-1-9",
            "2026-10-21",
            None,
            ["1: 2026-10-21 -50000.00 of -50000.00 COP"],
        ),
        ("paid", "RC-1-4", "900373115-3", "2026-10-22", "70000.00 COP", None),
    ]
    assert rejected(found) == []


@pytest.mark.parametrize("encoding", ["cp1252", "cp850"])
def test_a_tango_list_of_debts(load: Load, encoding: str) -> None:
    """
    Credit notes without a minus, one line for each due date, pesos and dollars side by side, numbers in three forms.
    """
    content = (
        "Cód. cliente;Razón social;CUIT;Tipo comp.;Nro. comprobante;Fecha emisión;Fecha vto.;Importe;Saldo;Moneda\r\n"
        "010001;Almacén Ñandú;30-50001091-2;FAC;A0001300001234;20/10/2026;19/11/2026;1.000,00;1.000,00;Pesos\r\n"
        "010001;Almacén Ñandú;30-50001091-2;FAC;A-0013-00001234;20/10/2026;19/12/2026;1.234,56;1.234,56;Pesos\r\n"
        "010001;Almacén Ñandú;30-50001091-2;FAC;A-00013-1235;21/10/2026;20/11/2026;500,00;250,00;Dólares\r\n"
        "010001;Almacén Ñandú;30-50001091-2;N/C;A0001300000077;22/10/2026;22/10/2026;100,00;100,00;Pesos\r\n"
        "010001;Almacén Ñandú;30-50001091-2;N/D;A0001300000078;23/10/2026;22/11/2026;10,00;10,00;Pesos\r\n"
        "010001;Almacén Ñandú;30-50001091-2;REC;X0000100000009;24/10/2026;24/10/2026;80,00;80,00;Pesos\r\n"
        "Total general;;;;;;;;2.064,56;\r\n\x1a"
    )

    found = load(content.encode(encoding), preset="tango", country="AR", currency="ARS")

    assert told(found) == [
        ("010001", "Almacén Ñandú", "30-50001091-2", "AR", []),
        (
            "invoice:A-00013-00001234",
            "010001",
            "invoice",
            "A-00013-00001234",
            "2026-10-20",
            None,
            ["1: 2026-11-19 1000.00 of 1000.00 ARS", "2: 2026-12-19 1234.56 of 1234.56 ARS"],
        ),
        (
            "invoice:A-00013-00001235",
            "010001",
            "invoice",
            "A-00013-00001235",
            "2026-10-21",
            None,
            ["1: 2026-11-20 250.00 of 500.00 USD"],
        ),
        (
            "credit_note:A-00013-00000077",
            "010001",
            "credit_note",
            "A-00013-00000077",
            "2026-10-22",
            None,
            ["1: 2026-10-22 -100.00 of -100.00 ARS"],
        ),
        (
            "debit_note:A-00013-00000078",
            "010001",
            "other",
            "A-00013-00000078",
            "2026-10-23",
            None,
            ["1: 2026-11-22 10.00 of 10.00 ARS"],
        ),
        ("paid", "X-00001-00000009", "010001", "2026-10-24", "80.00 ARS", None),
    ]
    assert rejected(found) == []


def test_an_alegra_list_of_invoices(load: Load) -> None:
    """
    A byte order mark, commas, day first; drafts are no claim, and what was voided is not owed.
    """
    content = (
        "Número,Cliente,Identificación,Correo electrónico,Celular,Fecha,Vencimiento,Moneda,Total,Cobrado,"
        "Por cobrar,Estado\n"
        "FE123,Tienda Peña,900373115-3,ana@example.com,310 555 1234,20/10/2026,19/11/2026,COP,1250000.00,250000.00,"
        "1000000.00,Por cobrar\n"
        "FE124,Tienda Peña,900373115-3,,,21/10/2026,20/11/2026,USD,100.50,0.00,100.50,Por cobrar\n"
        "FE125,Tienda Peña,900373115-3,,,22/10/2026,21/11/2026,COP,70.00,0.00,70.00,Borrador\n"
        "FE126,Tienda Peña,900373115-3,,,23/10/2026,22/11/2026,COP,80.00,0.00,80.00,Anulada\n"
    )

    found = load(b"\xef\xbb\xbf" + content.encode(), preset="alegra", country="CO", currency="COP")

    assert told(found) == [
        ("900373115-3", "Tienda Peña", "900373115-3", "CO", ["+573105551234", "ana@example.com"]),
        (
            "invoice:FE123",
            "900373115-3",
            "invoice",
            "FE123",
            "2026-10-20",
            None,
            ["1: 2026-11-19 1000000.00 of 1250000.00 COP"],
        ),
        (
            "invoice:FE124",
            "900373115-3",
            "invoice",
            "FE124",
            "2026-10-21",
            None,
            ["1: 2026-11-20 100.50 of 100.50 USD"],
        ),
        ("invoice:FE126", "900373115-3", "invoice", "FE126", "2026-10-23", None, ["1: 2026-11-22 0.00 of 80.00 COP"]),
    ]
    assert rejected(found) == []


def test_the_aging_detail_of_quickbooks(load: Load) -> None:
    """
    Month first, buckets between the rows, a blank first column, and balances in the company's currency only.
    """
    content = (
        'Demo Company LLC,,,,,,,,,\nA/R Aging Detail,,,,,,,,,\n"As of November 21, 2026",,,,,,,,,\n\n'
        ",Date,Transaction type,Num,Customer,Due date,Past due,Currency,Foreign amount,Amount,Open balance\n"
        "Current,,,,,,,,,,\n"
        ',10/25/2026,Invoice,1001,Blue Shop,11/24/2026,-3,USD,,"1,234.56","1,000.00"\n'
        "Total for Current,,,,,,,,,,\n"
        "1 - 30 days past due,,,,,,,,,,\n"
        ",10/05/2026,Credit Memo,55,Blue Shop,10/05/2026,47,USD,,-50.00,-50.00\n"
        ",10/06/2026,Payment,2211,Blue Shop,10/06/2026,46,USD,,-20.00,-20.00\n"
        ",10/07/2026,Journal Entry,J-4,Blue Shop,10/07/2026,45,USD,,-5.00,-5.00\n"
        ",10/08/2026,Invoice,1002,Blue Shop,11/07/2026,14,MXN,100.00,5.00,5.00\n"
        ",10/09/2026,Credit Memo,56,Blue Shop,10/09/2026,43,USD,,30.00,30.00\n"
        "Total for 1 - 30 days past due,,,,,,,,,,\nTOTAL,,,,,,,,,,$930.00\n"
        '"Accrual basis Saturday, November 21, 2026 09:00 AM GMT-05:00",,,,,,,,,,\n'
    )

    found = load(b"\xef\xbb\xbf" + content.encode(), preset="quickbooks", country="US", currency="USD")

    assert told(found) == [
        ("Blue Shop", "Blue Shop", None, "US", []),
        ("invoice:1001", "Blue Shop", "invoice", "1001", "2026-10-25", None, ["1: 2026-11-24 1000.00 of 1234.56 USD"]),
        (
            "credit_note:55",
            "Blue Shop",
            "credit_note",
            "55",
            "2026-10-05",
            None,
            ["1: 2026-10-05 -50.00 of -50.00 USD"],
        ),
        ("paid", "2211", "Blue Shop", "2026-10-06", "20.00 USD", None),
        (
            "credit_note:J-4",
            "Blue Shop",
            "credit_note",
            "J-4",
            "2026-10-07",
            None,
            ["1: 2026-10-07 -5.00 of -5.00 USD"],
        ),
    ]
    assert rejected(found) == [(13, "amount_open"), (14, "local_open")]


@pytest.mark.parametrize(("preset", "column"), [("sap_b1", "DocNum"), ("tango", "N_COMP"), ("contpaqi", "CFOLIO")])
def test_where_a_credit_has_no_minus_its_type_must_be_there(load: Load, preset: str, column: str) -> None:
    """
    Without the type's column every credit note of these systems would be read as a debt.
    """
    from cobranza_erp_csv._mapping import load as preset_of
    from cobranza_sdk import InvalidValueError

    names = preset_of(preset).aliases
    head = [names["customer_key"][0], column, names["due_date"][0], names["amount_open"][0]]

    with pytest.raises(InvalidValueError, match="column 'doc_type' is missing"):
        load(";".join(head) + "\nC1;1;2026-11-05;1\n", preset=preset)


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        ("amount_total,amount_paid", "10.00,4.00", "6.00"),
        ("amount_total,amount_paid", "10.00,10.00", "0.00"),
        ("amount_total,amount_paid,side", "10.00,4.00,H", "-6.00"),
        ("amount_open,side", "10.00,haber", "-10.00"),
        ("amount_open,side", "-10.00,H", "-10.00"),
        ("amount_open,amount_total,amount_credit", "6.00,,10.00", "-6.00"),
        ("amount_open,amount_total,amount_credit", "6.00,10.00,4.00", "6.00"),
        ("local_open", "6.00", "6.00"),
    ],
)
def test_what_is_open_follows_from_the_columns_that_are_there(
    load: Load, columns: str, cells: str, expected: str
) -> None:
    """
    A credit taken for a debt chases money that the creditor owes; a payment that is missed chases it twice.
    """
    head = "customer_key,doc_number,due_date,"

    (receivable,) = load(f"{head}{columns}\nC1,F1,2026-11-05,{cells}\n", decimal=".").receivables

    assert f"{receivable.installments[0].open.amount}" == expected
    assert receivable.kind == ("credit_note" if expected.startswith("-") else "invoice")


@pytest.mark.parametrize(
    ("columns", "cells", "column"),
    [
        ("amount_total,amount_paid", "10.00,", "amount_open"),
        ("amount_total,amount_paid", ",4.00", "amount_total"),
        ("amount_total,amount_paid", "10.00,-", "amount_paid"),
        ("amount_total,amount_paid", "10.00,12.00", "amount_open"),
        ("local_open,currency", "10.00,USD", "amount_open"),
        ("local_open", "USD 10.00", "local_open"),
        ("amount_open,side,doc_type", "10.00,H,factura", "amount_open"),
    ],
)
def test_what_is_open_is_not_made_up(load: Load, columns: str, cells: str, column: str) -> None:
    """
    F73: without all that it follows from, or in another currency, the row comes back.
    """
    found = load(f"customer_key,doc_number,due_date,{columns}\nC1,F1,2026-11-05,{cells}\n", decimal=".")

    assert not found.receivables
    assert rejected(found) == [(2, column)]


def test_amounts_of_a_company_without_a_currency_come_back(load: Load) -> None:
    """
    F73: a column in the company's currency says nothing until the settings name it.
    """
    found = load("customer_key,doc_number,due_date,local_open\nC1,F1,2026-11-05,1.50\n", currency=None)

    assert rejected(found) == [(2, "currency")]


def test_both_amounts_of_a_row_are_in_one_currency(load: Load) -> None:
    """
    F73: what is open in pesos of a debt in dollars is no balance.
    """
    head = "Customer Code,ObjType,DocNum,Due Date,DocTotalFC,Balance Due\n"

    found = load(head + 'C1,13,1,2026-11-05,USD 10.00,"MXN 5.00"\n', preset="sap_b1", country="MX", currency="MXN")

    assert rejected(found) == [(2, "amount_open")]


def test_a_line_that_repeats_a_due_date_is_no_installment(load: Load) -> None:
    """
    F72: a row that stands twice in the export is owed once.
    """
    head = "COD_CLIENT;T_COMP;N_COMP;FECHA_VTO;SALDO\n"
    line = "010001;FAC;A0001300001234;19/11/2026;100,00\n"

    found = load(head + line + line.replace("/11/", "/12/") + line, preset="tango", country="AR", currency="ARS")

    assert [len(receivable.installments) for receivable in found.receivables] == [2]
    assert found.reasons == [(4, None, "duplicate of line 2")]


@pytest.mark.parametrize(
    "words", ["Total", "TOTALES", "Gran total", "Sub-total", "Subtotales", "Suman", "Saldo del cliente"]
)
def test_a_total_is_no_debt(load: Load, words: str) -> None:
    """
    A total that is read as a row is owed twice.
    """
    head = "customer_key,doc_number,due_date,amount_open\n"

    found = load(f"{head}C1,F1,2026-11-05,10.00\n{words} C1,,,10.00\n")

    assert [receivable.external_id for receivable in found.receivables] == ["invoice:F1"]
    assert rejected(found) == []
