"""
Rows: every one is taken or told, with its line, its column and a reason that names nobody.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cobranza_erp_csv._config import CsvSettings
from cobranza_erp_csv._dialect import examine
from cobranza_erp_csv._mapping import PRESETS
from cobranza_erp_csv._mapping import load as load_preset
from cobranza_erp_csv._parties import phones
from cobranza_erp_csv._reader import MAX_PARTS, FileReader
from cobranza_sdk import InvalidValueError, Money, ProviderError

resource = pytest.importorskip("resource", reason="the memory test needs the resource module of Unix")

Load = Callable[..., Any]
HEAD = "customer_key,customer_name,phone,email,doc_type,doc_number,installment_no,due_date,amount_open\n"
UNENDED = "the file ends without a line end: its last row may be cut"


_CELLS = "1.234,56 (10.00) 05/11/2026 46331 20512333797 987654321 factura N/C DR IN USD S/ Total * Cliente: |".split()


def row(number: int, **cells: str) -> str:
    """
    One good line, with *cells* put in.
    """
    told = {
        "customer_key": f"C{number}",
        "customer_name": "Ana Prueba",
        "phone": "",
        "email": "",
        "doc_type": "invoice",
        "doc_number": f"F-{number}",
        "installment_no": "",
        "due_date": "2026-11-05",
        "amount_open": "100.50",
    }
    return ",".join({**told, **cells}.values()) + "\n"


def test_good_rows_are_taken_and_bad_ones_told(load: Load) -> None:
    """
    S-001, F66: of 10 000 rows with 3 bad ones, 9 997 are stored and 3 come back with line, column and reason.
    """
    lines = [row(n) for n in range(10_000)]
    lines[10] = row(10, due_date="31/02/2026")
    lines[5_000] = row(5_000, amount_open="NaN")
    lines[9_999] = "C,corta\n"

    found = load(HEAD + "".join(lines))

    assert len(found.receivables) == 9_997
    assert found.reasons == [
        (12, "due_date", "'31/02/2026' is no day of the calendar"),
        (5_002, "amount_open", "a text is no amount"),
        (10_001, None, "found 2 cells, expected 9"),
    ]
    assert [record.key for record in found.rejected] == ["invoice:F-10", "invoice:F-5000", None]


def test_a_row_becomes_a_debtor_and_what_it_owes(load: Load) -> None:
    """
    Every canonical column arrives where the model has a place for it.
    """
    header = (
        "customer_key,customer_name,person_key,tax_id,email,phone,country,region,timezone,language,holder_role,"
        "holder_confirmed,consent_channels,opted_out_channels,doc_type,doc_number,installment_no,issue_date,due_date,"
        "currency,amount_total,amount_open,judicial,concept\n"
    )
    cells = (
        "C1,Ana  Prueba,P1,20512333797,a@X.com; b@x.com,987654321 / 987654322,Perú,pe-lim,America/Lima,es_PE,titular,"
        "Sí,WhatsApp|correo,sms,Factura, f001 - 7 ,2/3,2026-10-01,2026-11-05,usd,200,100.5,no,Cuota de octubre\n"
    )

    found = load(header + cells)

    (debtor,), (receivable,) = found.debtors, found.receivables
    assert (debtor.external_id, debtor.country, debtor.region) == ("C1", "PE", "PE-LIM")
    assert (debtor.timezone, debtor.language) == ("America/Lima", "es-PE")
    assert (debtor.person.external_id, debtor.person.name) == ("P1", "Ana Prueba")
    assert debtor.person.tax_id == "20512333797"
    assert found.addresses == ["+51987654321", "+51987654322", "a@x.com", "b@x.com"]
    assert {(point.holder_role, point.state) for point in debtor.contact_points} == {("debtor", "confirmed")}
    assert [(consent.channel, consent.granted) for consent in debtor.consents] == [
        ("whatsapp", True),
        ("email", True),
        ("sms", False),
    ]
    assert (receivable.external_id, receivable.debtor_id, receivable.kind) == ("invoice:F001-7", "C1", "invoice")
    assert (receivable.document, receivable.concept) == ("f001 - 7", "Cuota de octubre")
    (part,) = receivable.installments
    assert (part.number, part.due_on, receivable.issued_on) == (2, date(2026, 11, 5), date(2026, 10, 1))
    assert (part.amount, part.open) == (Money(20000, "USD"), Money(10050, "USD"))
    assert not found.rejected


def test_a_withdrawal_wins_over_a_consent_in_the_same_row(load: Load) -> None:
    """
    Two columns that contradict each other must not make a message.
    """
    header = "customer_key,doc_number,due_date,amount_open,consent_channels,opted_out_channels\n"

    found = load(header + "C1,F1,2026-11-05,1,sms|email,sms\nC2,F2,2026-11-05,1,todos,todos\n")

    assert [(c.channel, c.granted) for c in found.debtors[0].consents] == [("sms", False), ("email", True)]
    assert {c.granted for c in found.debtors[1].consents} == {False}
    assert len(found.debtors[1].consents) == 7
    assert [(line, column) for line, column, _ in found.reasons] == [(3, "consent_channels")]


def test_payments_are_dated_so_that_their_day_is_the_same_all_over_the_americas(load: Load) -> None:
    """
    Midnight UTC is the evening before in Lima: a payment would seem to be in time, or late, by a day.
    """
    header = "customer_key,doc_type,doc_number,due_date,amount_total,amount_open,payment_date,issue_date,reference\n"

    found = load(
        header
        + "C1,pago,R-1,,,-50.00,2026-11-05,,f-1\n"
        + "C1,Recibo,R-2,,10,0,,2026-11-06,nota de débito: nd-1\n"
        + "C1,payment,R-3,,0,,2026-11-05,,\n"
    )

    first, second = found.payments
    assert (first.external_id, first.debtor_id, first.amount) == ("R-1", "C1", Money(5000, "PEN"))
    assert (first.paid_at, first.receivable_id) == (datetime(2026, 11, 5, 12, tzinfo=UTC), "invoice:F-1")
    assert (second.paid_at.day, second.receivable_id) == (6, "debit_note:ND-1")
    assert found.reasons == [(4, "amount_total", "is empty or zero, expected what was paid")]


def test_adjacent_installments_become_one_receivable(load: Load) -> None:
    """
    An ERP writes one line per due date; the debt is one.
    """
    found = load(
        HEAD
        + row(1, installment_no="1/2")
        + row(1, installment_no="2/2", due_date="2026-12-05")
        + row(2)
        + row(1, installment_no="2")
        + row(1, installment_no="0")
    )

    assert [[part.number for part in receivable.installments] for receivable in found.receivables] == [[1, 2], [1]]
    assert [(line, column, reason) for line, column, reason in found.reasons] == [
        (5, None, "duplicate of line 3"),
        (6, "installment_no", "is not a whole number from 1"),
    ]


def test_a_document_of_two_customers_is_refused(load: Load) -> None:
    """
    The number is the key: the second would overwrite the first, and the wrong person would be written to.
    """
    found = load(HEAD + row(1) + row(2, doc_number="F-1"))

    assert len(found.receivables) == 1
    assert found.reasons[0][:2] == (3, "doc_number")
    assert "line 2" in found.reasons[0][2]


def test_one_document_cannot_take_the_memory(load: Load) -> None:
    """
    F68: a file in which every row has the same number is no payment plan.
    """
    found = load(HEAD + "".join(row(1, installment_no=str(n + 1)) for n in range(MAX_PARTS + 2)))

    assert len(found.receivables[0].installments) == MAX_PARTS
    assert [column for _, column, _ in found.reasons] == ["installment_no", "installment_no"]


def test_a_debtor_is_told_once_and_again_when_something_changes(load: Load) -> None:
    """
    S-003: a blank cell does not erase a phone that an earlier row told; a new one replaces it.
    """
    found = load(
        HEAD
        + row(1, customer_key="C1", phone="987654321")
        + row(2, customer_key="C1", phone="")
        + row(3, customer_key="C1", phone="987654322")
    )

    assert found.addresses == ["+51987654321", "+51987654322"]
    kinds = [type(record).__name__ for record in found.batches[0].records]
    assert kinds == ["Debtor", "Receivable", "Receivable", "Debtor", "Receivable"]


def test_an_invalid_phone_is_dropped_and_told_without_being_quoted(load: Load) -> None:
    """
    F76: the debt stays, the number is never guessed, and no error text carries personal data.
    """
    found = load(HEAD + row(1, phone="12345 / 987654321", email="ana(at)example.com"))

    assert len(found.receivables) == 1
    assert found.addresses == ["+51987654321"]
    assert [column for _, column, _ in found.reasons] == ["phone", "email"]
    assert "number 1 of 2" in found.reasons[0][2]
    assert not any(secret in str(found.rejected) for secret in ("12345", "ana(at)", "Prueba"))


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("(55) 1234-5678 ext 12", "MX", "+525512345678"),
        ("55 1234 5678", "MX", "+525512345678"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("045 55 1234 5678", "MX", "+525512345678"),
        ("+52 1 55 1234 5678", "MX", "+525512345678"),
        ("+1 202 555 0143", "MX", "+12025550143"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("11 2345-6789", "AR", "+5491123456789"),
        ("+54 9 11 2345 6789", "AR", "+5491123456789"),
        ("+54 11 2345 6789", "AR", "+541123456789"),
        ("300 123 4567", "CO", "+573001234567"),
        ("987654321", "PE", "+51987654321"),
        ("51987654321", "PE", "+51987654321"),
        ("9 8765 4321", "CL", "+56987654321"),
        ("(11) 98765-4321", "BR", "+5511987654321"),
        ("12345", "PE", None),
        ("sin teléfono", "PE", None),
        ("1-800-FLOWERS", "US", None),
        ("0800 12345", "PE", None),
        ("٩٨٧٦٥٤٣٢١", "PE", None),
    ],
)
def test_phones_become_e164_or_nothing(text: str, country: str, expected: str | None) -> None:
    """
    F76: national habits are known, and what is no person's number is none.
    """
    assert [number.e164 for number in phones(text, country)] == ([expected] if expected else [])


def test_a_number_that_a_spreadsheet_made_a_float_is_read(load: Load) -> None:
    """
    Excel writes 5512345678.0 for a phone.
    """
    assert load(HEAD + row(1, phone="987654321.0")).addresses == ["+51987654321"]


def test_several_contacts_in_one_cell_are_split(load: Load) -> None:
    """
    People list numbers as they speak.
    """
    cell = "987654321 y 987654322|987654323; 987654321"

    found = load(HEAD + row(1, phone=cell, email="a@x.com;b@x.com c@x.com"))

    assert found.addresses == ["+51987654321", "+51987654322", "+51987654323", "a@x.com", "b@x.com", "c@x.com"]


def test_guarded_cells_lose_their_apostrophe_and_formulas_stay_text(load: Load) -> None:
    """
    F71: Odoo guards spreadsheets with an apostrophe; a formula is data here and never run.
    """
    found = load(
        HEAD + row(1, amount_open="'-1") + row(2, phone="'+51 987 654 321", customer_name="'=1+1", email="=A1")
    )

    assert found.addresses == ["+51987654321"]
    assert found.debtors[0].person.name == "=1+1"
    assert found.reasons[0] == (2, "amount_open", "is negative, which only a credit note may be")


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"customer_key": ""}, "customer_key"),
        ({"customer_key": "9.00373E+08"}, "customer_key"),
        ({"customer_key": "XAXX010101000"}, "customer_key"),
        ({"doc_number": "3.20218E+17"}, "doc_number"),
        ({"doc_number": "x" * 200}, "doc_number"),
        ({"doc_type": "presupuesto"}, "doc_type"),
        ({"due_date": ""}, "due_date"),
        ({"amount_open": ""}, "amount_open"),
        ({"amount_open": "-1"}, "amount_open"),
        ({"amount_open": "1.005"}, "amount_open"),
        ({"amount_open": "1E+999"}, "amount_open"),
        ({"amount_open": "1_000"}, "amount_open"),
        ({"amount_open": "USD 5"}, "amount_open"),
    ],
)
def test_an_impossible_cell_is_named(load: Load, cells: dict[str, str], column: str) -> None:
    """
    S-001, F73, F74: the operator finds the cell; the debt is not made up.
    """
    found = load(HEAD + row(1, **cells) + row(2), decimal=".")

    assert len(found.receivables) == 1
    assert [(record.line, record.column) for record in found.rejected] == [(2, column)]


def test_no_reason_quotes_what_may_be_a_name_or_a_phone(load: Load) -> None:
    """
    Columns shift in broken rows: a name stands under the amount's header, and error texts are logged.
    """
    found = load(HEAD + row(1, amount_open="Rosa Quispe", due_date="987654321") + row(2, amount_open="55 1234 5678"))

    assert len(found.rejected) == 2
    assert not any(secret in str(found.rejected) for secret in ("Rosa", "Quispe", "987654321", "5678"))


def test_currencies_without_decimals_are_read_as_such(load: Load) -> None:
    """
    1.234.567 pesos chilenos are pesos, not centavos.
    """
    header = "customer_key;doc_number;due_date;currency;amount_open\n"

    found = load(header + "C1;F1;05/11/2026;CLP;1.234\nC1;F2;05/11/2026;PYG;1.234.567\nC1;F3;05/11/2026;CLP;1,5\n")

    assert [receivable.installments[0].open for receivable in found.receivables] == [
        Money(1234, "CLP"),
        Money(1234567, "PYG"),
    ]
    assert found.reasons == [(4, "amount_open", "CLP has 0 decimals, the amount has more")]


def test_the_currency_is_told_by_the_column_the_settings_or_the_cell(load: Load) -> None:
    """
    F73: without any of them the row is quarantined, never converted or assumed.
    """
    header = "customer_key,doc_number,due_date,currency,amount_open\n"

    found = load(
        header + "C,F1,2026-11-05,,S/ 5.00\nC,F2,2026-11-05,soles,5.00\nC,F3,2026-11-05,,5.00\nC,F4,2026-11-05,ZZZ,1\n",
        currency=None,
    )

    assert [receivable.currency for receivable in found.receivables] == ["PEN", "PEN"]
    assert [(line, column) for line, column, _ in found.reasons] == [(4, "currency"), (5, "currency")]


def test_an_ambiguous_column_takes_the_habit_of_the_country(load: Load) -> None:
    """
    F74: 1.234 alone is 1234 in Bogotá and 1.234 in Mexico.
    """
    content = "customer_key,doc_number,due_date,amount_open\nC,F1,2026-11-05,1.234\n"

    assert load(content, country="CO", currency="COP").receivables[0].installments[0].open == Money(123400, "COP")
    assert load(content, country="MX", currency="MXN").reasons[0][1] == "amount_open"


def test_a_file_that_can_be_read_in_two_ways_is_refused(load: Load) -> None:
    """
    F74: nothing decides, so nothing is imported, and the message says which setting does.
    """
    content = "customer_key,doc_number,due_date,amount_open\nC,F1,2026-11-05,5\nC,F2,2026-11-05,1.234\n"

    with pytest.raises(
        InvalidValueError, match=r"file cartera.csv, line 3: column 'amount_open'.*decimal = "
    ) as caught:
        load(content, country="EC", currency="USD")

    assert "\n" not in str(caught.value)
    assert load(content, country="EC", currency="USD", decimal=",").receivables[1].installments[0].open.minor == 123400


def test_a_column_decides_by_its_other_rows(load: Load) -> None:
    """
    F74: one cell with both marks settles the whole column, wherever it stands.
    """
    head = "customer_key;doc_number;due_date;amount_open\n"

    found = load(head + "C;F1;13/01/2026;1.234\nC;F2;05/11/2026;1.234,50\n", country="MX")

    assert [receivable.installments[0].open.minor for receivable in found.receivables] == [123400, 123450]


def test_a_mixed_column_reads_only_what_says_itself(load: Load) -> None:
    """
    F74: in a column with both locales a doubtful cell is told, not guessed.
    """
    head = "customer_key;doc_number;due_date;amount_open\n"

    found = load(head + "C;F1;13/01/2026;1.234,50\nC;F2;05/11/2026;1,234.50\nC;F3;05/11/2026;1.234\n")

    assert [receivable.installments[0].open.minor for receivable in found.receivables] == [123450, 123450]
    assert found.reasons[0][:2] == (4, "amount_open")


def test_month_first_dates_are_recognised_by_the_column(load: Load) -> None:
    """
    QuickBooks of the United States writes the month first: 11/21 gives it away.
    """
    head = "customer_key;doc_number;due_date;amount_open\n"

    found = load(head + "C;F1;05/11/2026;1\nC;F2;11/21/2026;1\n")

    assert [receivable.installments[0].due_on.month for receivable in found.receivables] == [5, 11]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(load: Load, delimiter: str) -> None:
    """
    Excel writes semicolons where the comma is the decimal mark.
    """
    lines = ["customer_key", "doc_number", "due_date", "amount_open"], ["C1", "F1", "2026-11-05", "5.00"]

    assert len(load("".join(delimiter.join(line) + "\n" for line in lines)).receivables) == 1


def test_titles_totals_rules_footers_and_repeated_headers_are_no_rows(load: Load) -> None:
    """
    Reports are made for paper; what is furniture is neither a debt nor an error.
    """
    content = (
        "Empresa Demo S.A.\nCartera por cobrar\nFecha: 21/11/2026\n\n"
        "Customer_Key;DOC_NUMBER ;Due_Date;customer_name;Amount_Open\n"
        "C1;F1;05/11/2026;Total Gas Demo;1.250,00\n"
        "Subtotal;;;;1.250,00\n;;;;\n---;---;---;---;---\n"
        "Customer_Key;DOC_NUMBER ;Due_Date;customer_name;Amount_Open\n"
        "C2;F2;05/11/2026;Otro;3,00\n* C2;;;;3,00\n;;;;1.253,00\nTotal general;;;;1.253,00\nUsuario: demo\n"
    )

    found = load(content)

    assert [receivable.document for receivable in found.receivables] == ["F1", "F2"]
    assert not found.rejected


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("customer_key,doc_number,amount_open,concept", "line 1: column 'due_date' is missing; found customer_key, "),
        ("customer_key,doc_number,due_date,amount_open,DOC_NUMBER", "column 'doc_number' stands twice"),
        ("a,b,c", "no header row found"),
        ("", "is empty"),
        ("customer_key,doc_number,due_date,amount_open," + ",".join(f"x{n}" for n in range(200)), "no header|204 col"),
    ],
)
def test_a_header_that_does_not_fit_refuses_the_file_in_one_line(load: Load, header: str, reason: str) -> None:
    """
    F70: the dictionary reader would keep the last of two equal columns, silently.
    """
    with pytest.raises(InvalidValueError, match=reason) as caught:
        load(header + ("\n1,2,3,4,5\n" if header else ""))

    assert str(caught.value).startswith("file cartera.csv")
    assert "\n" not in str(caught.value)


def test_a_file_without_a_header_is_refused_without_quoting_its_rows(load: Load) -> None:
    """
    The first line of a headless file is a person.
    """
    with pytest.raises(InvalidValueError) as caught:
        load("C1,Rosa Quispe,987654321\n")

    assert "Rosa" not in str(caught.value)
    assert "987654321" not in str(caught.value)


def test_the_country_must_be_known(load: Load) -> None:
    """
    Law 4: without a country there is neither law nor clock.
    """
    head = "customer_key,doc_number,due_date,amount_open"

    with pytest.raises(InvalidValueError, match="country"):
        load(head + "\nC1,F1,2026-11-05,1\n", country=None)
    found = load(head + ",country\nC1,F1,2026-11-05,1,\nC2,F2,2026-11-05,1,xx\nC3,F3,2026-11-05,1,co\n", country=None)
    assert [(line, column) for line, column, _ in found.reasons] == [(2, "country"), (3, "country")]
    assert [debtor.country for debtor in found.debtors] == ["CO"]


def test_columns_of_the_settings_win(load: Load) -> None:
    """
    Every installation of an ERP names its columns in its own way.
    """
    names = {"customer_key": "Código", "doc_number": "Nro", "due_date": "Vto", "amount_open": "Imp. pendiente"}
    content = "CODIGO;Nro;Vto;imp. PENDIENTE \nC1;F1;05/11/2026;10,00\n"

    assert load(content, columns=names).receivables[0].external_id == "invoice:F1"
    with pytest.raises(InvalidValueError, match=r"'concept' .'Glosa' by the settings. is missing"):
        load(content, columns={**names, "concept": "Glosa"})


_ROWS = row(1, customer_name='"Peña, Ana"') + row(2, customer_name="Íñigo")
_MAILS = "".join(f"C{n},Ana Prueba,,invoice,F-{n},,2026-11-05,100.50,ana{n}@example.com\n" for n in range(2))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (HEAD + _ROWS, "utf-8"),
        ((HEAD + _ROWS).replace("\n", "\r\n"), "cp1252"),
        ((HEAD + _ROWS).replace("\n", "\r\n"), "utf-16-le"),
        (HEAD + _ROWS.replace("100.50", '"1.234,50"'), "utf-8"),
        (HEAD + _ROWS.replace("100.50", "480.000"), "utf-8"),
        (HEAD[:-1] + ",opted_out_channels\n" + _ROWS.replace(".50\n", ".50,sms|email\n"), "utf-8"),
        (HEAD[:-1] + ",nota\n" + _ROWS.replace(".50\n", ".50,no se lee\n"), "utf-8"),
        (HEAD.replace("email,", "").replace("amount_open", "amount_open,email") + _MAILS, "utf-8"),
    ],
    ids=["LF", "CRLF", "UTF-16", "quoted", "thousands", "withdrawal last", "unread last", "address last"],
)
def test_a_file_cut_at_any_byte_gives_no_wrong_row(load: Load, text: str, encoding: str) -> None:
    """
    F67: whatever is lost, what is read is what was written, and the last line is told when it is not whole.
    """
    content = text.encode(encoding)
    start = len(text[: text.index("\n") + 1].encode(encoding))
    whole = load(content, country="CO", currency="COP")
    assert len(whole.receivables) == len(whole.debtors) == 2

    for end in range(start, len(content) + 1):
        found = load(content[:end], country="CO", currency="COP")
        left = content[start:end].decode(encoding, "ignore")
        told = {line for line, _, _ in found.reasons}
        assert found.receivables == whole.receivables[: len(found.receivables)]
        assert found.debtors == whole.debtors[: len(found.debtors)]
        assert len(found.receivables) + len(told) >= len(left.splitlines())


@pytest.mark.parametrize(
    ("head", "last"),
    [
        (HEAD, row(2)[:-1]),
        (HEAD, row(2, amount_open="10")[:-1]),
        (HEAD, row(2, amount_open="'1")[:-1]),
        (HEAD, row(2, customer_name='"Ana Prueba"')[:-1]),
        (HEAD, row(2, customer_name='"Ana\nPrueba"')[:-1]),
        (HEAD[:-1] + ",currency\n", row(2)[:-1] + ","),
    ],
    ids=["whole or not", "cut", "guarded", "quoted before", "over two lines", "before the last cell"],
)
def test_a_last_row_without_a_line_end_is_told_and_those_before_are_taken(load: Load, head: str, last: str) -> None:
    """
    F67: 480000 that was cut to 48 is a good amount, and USD that was cut to nothing the currency of the settings.
    """
    found = load(head + row(1).replace("\n", "," * (head.count(",") - 8) + "\n") + last)

    assert [receivable.document for receivable in found.receivables] == ["F-1"]
    assert found.reasons == [(3, None, UNENDED)]


@pytest.mark.parametrize(
    ("head", "last"),
    [
        (HEAD, row(2)[:-1] + "\r"),
        (HEAD, row(2)[:-1] + "\x1a"),
        (HEAD, row(2, amount_open='"100.50"')[:-1]),
        (HEAD[:-1] + ",nota\n", row(2)[:-1] + ",no se l"),
        (HEAD[:-1] + ",\n", row(2)[:-1] + ","),
    ],
    ids=["CRLF cut to CR", "end mark of DOS", "closed quote", "a column that is not read", "a delimiter too many"],
)
def test_a_last_row_is_kept_when_nothing_that_is_read_can_be_cut(load: Load, head: str, last: str) -> None:
    """
    Files written by hand, and some exports, have no last line end; what is certainly whole is not lost.
    """
    found = load(head + row(1).replace("\n", "," * (head.count(",") - 8) + "\n") + last)

    assert [receivable.installments[0].open for receivable in found.receivables] == [Money(10050, "PEN")] * 2
    assert found.reasons == []


def test_a_trusted_file_needs_no_line_end_and_may_close_what_is_missing(load: Load) -> None:
    """
    Google Sheets never writes the last line end; a row that lacks cells is cut all the same.
    """
    whole = load(HEAD + row(1) + row(2)[:-1], last_line_is_whole=True, snapshot=True)
    cut = load(HEAD + row(1) + row(2)[:-9], last_line_is_whole=True, snapshot=True, name="b.csv")

    assert (len(whole.receivables), whole.reasons, whole.batches[-1].complete) == (2, [], True)
    assert (len(cut.receivables), len(cut.reasons), cut.batches[-1].complete) == (1, 1, False)


@pytest.mark.parametrize("footer", ["Total general;;;;1.253,00", "Usuario: demo", "---;---;---;---;---", "* C2;;;;3"])
def test_a_footer_needs_no_line_end(load: Load, footer: str) -> None:
    """
    Reports for paper end with a total or a name, and often without a line end; the rows above are whole.
    """
    head = "customer_key;doc_number;due_date;customer_name;amount_open\n"

    found = load(head + "C1;F1;05/11/2026;Demo;1.250,00\nC2;F2;05/11/2026;Demo;3,00\n" + footer)

    assert [receivable.document for receivable in found.receivables] == ["F1", "F2"]
    assert not found.rejected


def test_a_row_that_may_be_cut_has_no_vote(load: Load) -> None:
    """
    F74: 480.000 cut to 480.0 would prove a decimal point, and divide every amount above it by a thousand.
    """
    head = "customer_key;doc_number;due_date;amount_open\n"

    found = load(head + "C;F1;05/11/2026;480.000\nC;F2;05/11/2026;480.0", country="CO", currency="COP")

    assert [receivable.installments[0].open for receivable in found.receivables] == [Money(48_000_000, "COP")]


def test_bytes_of_another_encoding_cost_their_line(load: Load) -> None:
    """
    F69: in a file declared as UTF-8, one line of Latin-1 is told and the others are read.
    """
    content = HEAD.encode() + row(1).encode() + row(2, customer_name="Peña").encode("cp1252") + row(3).encode()

    found = load(content, encoding="utf-8")

    assert [receivable.document for receivable in found.receivables] == ["F-1", "F-3"]
    assert found.reasons == [(3, None, "the line holds bytes that are not of the file's encoding")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "cp850", "mac_roman"])
def test_names_keep_their_letters_in_every_encoding(load: Load, encoding: str) -> None:
    """
    F69: a person is addressed by the name they have.
    """
    content = HEAD + row(1, customer_name="María Ñandú Güemes Íñiguez")

    assert load(content.encode(encoding)).debtors[0].person.name == "María Ñandú Güemes Íñiguez"


def _big(path: Path, lines: int) -> CsvSettings:
    with path.open("w") as stream:
        stream.write(HEAD)
        stream.writelines(row(n) for n in range(lines))
    return CsvSettings(path=str(path), country="PE", currency="PEN", decimal=".", date_format="iso")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """
    F68: a file of 200 000 rows is streamed; what stays per row is some tens of bytes that recognise duplicates.
    """
    lines = 200_000
    told = _big(tmp_path / "a.csv", lines)
    reader = FileReader(tmp_path / "a.csv", examine(tmp_path / "a.csv", None), told)
    units = reader.units(reader.layout())
    for _ in range(10_000):
        next(units)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    count = sum(1 for _ in units)

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert count == lines - 10_000
    assert reader.rejected == 0
    # kilobytes on Linux; a list of the rows alone would take over 100 MiB
    assert grown < 40 * 1024 * (1024 if sys.platform == "darwin" else 1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400), declared=st.sampled_from([None, "utf-8", "cp1252", "utf-16"]), head=st.booleans())
def test_any_bytes_are_read_or_refused(load: Load, body: bytes, declared: str | None, head: bool) -> None:
    """
    F66 to F70: no file raises anything but our own errors, and reading it ends.
    """
    content = (HEAD.encode(declared or "utf-8") if head else b"") + body

    try:
        found = load(content, encoding=declared)
    except (InvalidValueError, ProviderError):
        return
    assert found.batches


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(
        st.lists(
            st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=12), min_size=9, max_size=9
        )
    )
)
def test_any_cells_are_taken_or_told(load: Load, cells: list[list[str]]) -> None:
    """
    F66, F71: with well-formed quotes, no content of a cell breaks the rows around it.
    """
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in cells]

    found = load(HEAD + row(1) + "".join(lines) + row(2))

    ids = [receivable.external_id for receivable in found.receivables]
    assert ids[0] == "invoice:F-1"
    assert "invoice:F-2" in (ids[-1], *(record.key for record in found.rejected))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    preset=st.sampled_from(PRESETS),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    rows=st.lists(st.lists(st.one_of(st.sampled_from(_CELLS), st.text(max_size=8)), max_size=40), max_size=4),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "cp850", "utf-16"]),
)
def test_any_cells_are_read_or_refused_by_every_preset(
    load: Load, preset: str, delimiter: str, rows: list[list[str]], encoding: str
) -> None:
    """
    A-13: what one system writes lands under the preset of another; only our own errors come of it.
    """
    head = [names[0] for names in load_preset(preset).aliases.values()]
    lines = [head, *((row + [""] * len(head))[: len(head)] for row in rows)]
    content = "".join(delimiter.join(line) + "\n" for line in lines).encode(encoding, "replace")

    try:
        found = load(content, preset=preset)
    except (InvalidValueError, ProviderError):
        return
    assert all(record.line is not None and record.reason for record in found.rejected)


@pytest.mark.parametrize("column", ["amount_open", "due_date", "phone", "email"])
@pytest.mark.parametrize("cell", ["1" + " " * 60_000 + "x", "9," * 30_000, "a@" + "a." * 30_000, "(" * 60_000])
def test_a_cell_without_end_is_told_by_its_length(load: Load, column: str, cell: str) -> None:
    """
    A-13: what looks for numbers in a text may take the square of its length; no cell is let so far.
    """
    cells = {column: f'"{cell}"' if "," in cell else cell}

    found = load(HEAD + row(1, **cells) + row(2))

    assert [record.line for record in found.rejected] == [2]
    assert re.search(r"too long|a text of \d+ characters", found.rejected[0].reason)
    assert len(found.rejected[0].reason) < 120
    assert len(found.receivables) == (1 if column in {"amount_open", "due_date"} else 2)
