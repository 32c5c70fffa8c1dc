"""
Tax ids and phones: what is kept, what is dropped and told, and what is put right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_erp_csv._parties import Phone, phones
from cobranza_erp_csv._tax_ids import _RULES, check
from cobranza_sdk import CobranzaError

Load = Callable[..., Any]
HEAD = "customer_key;tax_id;phone;doc_number;due_date;amount_open\n"
WRONG = "the check digit is not that of a RUC"

# Published by the tax offices, or as examples of the algorithm.
VALID = [
    ("AR", "20-05536168-2"),
    ("AR", "30500010912"),
    ("BR", "16.727.230/0001-97"),
    ("BR", "12.ABC.345/01DE-35"),
    ("BR", "390.533.447-05"),
    ("CL", "76086428-5"),
    ("CL", "12.531.909-2"),
    ("CL", "10000013-k"),
    ("CO", "213123432-1"),
    ("CO", "900.373.115-3"),
    ("DO", "1-01-85004-3"),
    ("EC", "1792060346001"),
    ("GT", "576937-K"),
    ("MX", "EKU9003173C9"),
    ("MX", "CACX7605101P8"),
    ("PE", "20512333797"),
    ("PY", "80028061-0"),
    ("SV", "0614-050707-104-8"),
    ("UY", "21-100342-001-7"),
    ("VE", "V-11470283-4"),
]


@pytest.mark.parametrize(("country", "text"), VALID)
def test_a_valid_tax_id_is_kept_as_given(country: str, text: str) -> None:
    """
    Whoever searches for it searches as the ERP writes it.
    """
    assert (check(text, country).value, check(text, country).problem) == (text, None)


@pytest.mark.parametrize(("country", "text"), VALID)
def test_a_wrong_check_digit_is_found(country: str, text: str) -> None:
    """
    One mistyped digit makes another person's id, or nobody's.
    """
    at = 9 if country == "EC" else len(text) - 1  # the branch follows the digit in Ecuador
    wrong = "1" if text[at] != "1" else "2"

    assert check(text[:at] + wrong + text[at + 1 :], country).problem


@pytest.mark.parametrize(
    ("country", "text"),
    [
        ("PE", "45678912"),
        ("CO", "1032456789"),
        ("CO", "900373115"),
        ("AR", "5536168"),
        ("CL", "12531909"),
        ("XX", "20512333798"),
        ("US", "12-3456789"),
        ("PE", "AB 123456"),
        ("PE", "9" * 500),
    ],
)
def test_what_has_no_check_digit_is_not_judged(country: str, text: str) -> None:
    """
    Identity cards, foreign ids and a NIT without its digit are none the worse for it.
    """
    assert (check(text, country).value, check(text, country).problem) == (text, None)


@pytest.mark.parametrize(
    ("country", "text", "expected"),
    [
        ("BR", "9053344705", "9053344705"),
        ("BR", "1234567890", "01234567890"),
        ("EC", "990995435001", "0990995435001"),
        ("PE", "512333797", "512333797"),
    ],
)
def test_zeros_that_a_spreadsheet_took_come_back_if_that_makes_the_id_valid(
    country: str, text: str, expected: str
) -> None:
    """
    A number loses its zeros in a cell; a guess without a check digit to hold it would be none the better.
    """
    assert check(text, country).value == expected


def test_a_wrong_tax_id_is_told_and_the_row_kept_without_it(load: Load) -> None:
    """
    The debt is real without the id, and another person's id would join two people.
    """
    found = load(HEAD + "C1;20512333798;;F1;2026-11-05;1.00\nC2;20512333797;;F2;2026-11-05;1.00\n")

    assert found.reasons == [(2, "tax_id", f"{WRONG}; the row was kept without it")]
    assert [debtor.person.tax_id for debtor in found.debtors] == [None, "20512333797"]
    assert len(found.receivables) == 2


def test_the_settings_say_what_becomes_of_a_wrong_tax_id(load: Load) -> None:
    """
    Whoever files by tax id wants the row back; whoever does not wants no noise.
    """
    content = HEAD + "C1;20512333798;;F1;2026-11-05;1.00\n"

    kept, rejected = load(content, wrong_tax_id="keep"), load(content, wrong_tax_id="reject")

    assert (kept.reasons, kept.debtors[0].person.tax_id) == ([], "20512333798")
    assert (rejected.reasons, rejected.receivables) == ([(2, "tax_id", WRONG)], [])
    with pytest.raises(CobranzaError, match="wrong_tax_id"):
        load(content, wrong_tax_id="maybe")


def test_an_rfc_that_the_office_may_have_issued_is_told_and_kept(load: Load) -> None:
    """
    One or two in a hundred real ones fail the rule; the generic ones always do.
    """
    lines = "C1;EKU9003173C8;;F1;2026-11-05;1.00\nC2;XAXX010101000;;F2;2026-11-05;1.00\n"

    found = load(HEAD + lines, country="MX")

    assert [debtor.person.tax_id for debtor in found.debtors] == ["EKU9003173C8", "XAXX010101000"]
    ((line, column, reason),) = found.reasons
    assert (line, column) == (2, "tax_id")
    assert reason.endswith("it was kept")


@given(text=st.text(max_size=60), country=st.sampled_from(sorted(_RULES)))
def test_any_tax_id_is_kept_or_told(text: str, country: str) -> None:
    """
    The library raises nothing of its own, and no text is lost or quoted.
    """
    found = check(text, country)

    assert found.problem is None or text not in found.problem or not text.strip()
    assert found.value.endswith(text) or found.value.lstrip("0") in "".join(text.split()).replace(".", "")


@given(
    text=st.from_regex(r"[0-9A-ZÑ&.\-/ ]{8,18}", fullmatch=True),
    country=st.sampled_from(sorted(_RULES)),
)
def test_any_text_of_the_shape_of_a_tax_id_is_kept_or_told(text: str, country: str) -> None:
    """
    Check digits of impossible days, prefixes and lengths raise nothing of their own.
    """
    assert check(text, country).value


@pytest.mark.parametrize(
    ("cell", "country", "expected"),
    [
        ("55 1234 5678, ext. 12", "MX", ["+525512345678"]),
        ("(55) 1234-5678 (ext 12) / 55 8765 4321", "MX", ["+525512345678", "+525587654321"]),
        ("Tel. 01 4441234 anexo 305; Cel: 987654321", "PE", ["+51987654321", "+5114441234"]),
        ("987654321 987654322", "PE", ["+51987654321", "+51987654322"]),
        ("987 654 321   987 654 322", "PE", ["+51987654321", "+51987654322"]),
        ("601 7452001 - 310 5551234", "CO", []),
        ("(11) 3333-4444 ramal 21 / (11) 98765-4321", "BR", ["+5511987654321", "+551133334444"]),
        ("WhatsApp 9 8765 4321", "CL", ["+56987654321"]),
        ("987654321#2", "PE", ["+51987654321"]),
    ],
)
def test_phones_are_found_in_a_cell_mobiles_first(load: Load, cell: str, country: str, expected: list[str]) -> None:
    """
    A text message to a fixed line reaches nobody, and costs; what cannot be told apart is dropped and told.
    """
    content = HEAD.replace(";", "\t") + f"C1\t\t{cell}\tF1\t2026-11-05\t1.00\n"

    found = load(content, country=country)

    assert found.addresses == expected
    assert [column for _, column, _ in found.reasons] == ([] if expected else ["phone"])


def test_fixed_lines_are_left_out_where_only_mobiles_are_wanted(load: Load) -> None:
    """
    Who only sends messages keeps fixed lines out, and hears of each.
    """
    found = load(HEAD + "C1;;01 4441234 / 987654321;F1;2026-11-05;1.00\n", mobile_only=True)

    assert found.addresses == ["+51987654321"]
    assert found.reasons == [(2, "phone", "number 1 of 2 is that of a fixed line; the row was kept without it")]


def test_where_mobiles_look_like_fixed_lines_none_is_taken_for_fixed() -> None:
    """
    Mexico and the United States number both alike: a guess would lose the debtor.
    """
    assert phones("55 1234 5678", "MX") == [Phone("+525512345678", fixed=False)]


@given(text=st.text(st.characters(codec="utf-8"), max_size=80), country=st.sampled_from(["PE", "MX", "AR", "BR", "US"]))
def test_any_text_is_phones_or_none(text: str, country: str) -> None:
    """
    Nothing but E.164 comes out, whatever goes in.
    """
    assert all(number.e164[0] == "+" and number.e164[1:].isdecimal() for number in phones(text, country))


@given(
    text=st.from_regex(r"[0-9()+. \-extanoycl:/#]{0,60}", fullmatch=True),
    country=st.sampled_from(["PE", "MX", "AR", "BR"]),
)
def test_any_text_like_phones_is_phones_or_none(text: str, country: str) -> None:
    """
    Digits, labels and extensions in any order.
    """
    assert len(phones(text, country)) <= 2
