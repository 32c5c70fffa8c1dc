"""
Writing back: whole files or none, and nothing that a spreadsheet would run.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_erp_csv import _results
from cobranza_erp_csv._erp import CsvErp
from cobranza_erp_csv._results import render
from cobranza_sdk import Cobranza, InvalidValueError, Money, Payment, ProviderError, UnsupportedCapabilityError
from cobranza_sdk.testing import FixedClock, make_provider

pytestmark = pytest.mark.anyio

ATTEMPT = {"kind": "attempt", "attempt_id": "A1", "debtor_id": "C1", "channel": "sms", "state": "delivered"}
PROMISE = {"kind": "promise", "promise_id": "P1", "debtor_id": "C1", "amount": Money(-1050, "PEN")}
PAYMENT = {"kind": "payment", "payment_id": "X1", "debtor_id": "C1", "amount": Decimal("7.10"), "currency": "PEN"}


def provider(tmp_path: Path, **settings: Any) -> CsvErp:
    """
    The provider with a folder for results.
    """
    (tmp_path / "out").mkdir(exist_ok=True)
    told = {"path": str(tmp_path / "in" / "a.csv"), "results": str(tmp_path / "out"), **settings}
    return make_provider(CsvErp, {key: value for key, value in told.items() if value is not None})


def rows(content: bytes) -> list[dict[str, str]]:
    """
    The rows of a file as a program reads them.
    """
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_each_kind_of_result_is_a_file(tmp_path: Path) -> None:
    """
    The ERP's import takes one table at a time.
    """
    at = datetime(2026, 11, 5, 15, 30, tzinfo=UTC)
    updates = [
        {**ATTEMPT, "at": at},
        {**PROMISE, "due_on": date(2026, 11, 9)},
        PAYMENT,
        {**ATTEMPT, "attempt_id": "A2"},
    ]

    await provider(tmp_path).write_back(updates)

    found = {path.name.split("-")[0]: rows(path.read_bytes()) for path in (tmp_path / "out").iterdir()}
    assert set(found) == {"attempts", "promises", "payments"}
    assert [(row["attempt_id"], row["at"]) for row in found["attempts"]] == [
        ("A1", "2026-11-05T15:30:00+00:00"),
        ("A2", ""),
    ]
    (promise,), (payment,) = found["promises"], found["payments"]
    assert (promise["amount"], promise["currency"], promise["due_on"]) == ("-10.50", "PEN", "2026-11-09")
    assert (payment["amount"], payment["currency"]) == ("7.10", "PEN")


async def test_the_same_results_are_the_same_file(tmp_path: Path) -> None:
    """
    After a failure all is written again, and the ERP finds nothing twice.
    """
    erp = provider(tmp_path)

    await erp.write_back([ATTEMPT])
    await erp.write_back([ATTEMPT])
    await erp.write_back([])

    assert len(list((tmp_path / "out").iterdir())) == 1


async def test_a_byte_order_mark_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    """
    Some spreadsheets take UTF-8 for cp1252 without it.
    """
    await provider(tmp_path, results_bom=True).write_back([{**ATTEMPT, "reason": "ñ"}])

    (path,) = (tmp_path / "out").iterdir()
    assert path.read_bytes().startswith(b"\xef\xbb\xbfattempt_id,")
    assert rows(path.read_bytes())[0]["reason"] == "ñ"


@pytest.mark.parametrize(
    "text", ["=1+1", "+51 987", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "'=1", "\uff1d1+1", "\u00a0=1"]
)
async def test_formulas_are_guarded(text: str) -> None:
    """
    F71: a debtor's name is no program. What is our own number keeps its minus.
    """
    (content,) = render([{**ATTEMPT, "reason": text}], bom=False).values()

    assert rows(content)[0]["reason"] == f"'{text}"


@given(text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40))
def test_any_text_is_written_and_read_again(text: str) -> None:
    """
    F71: nothing is lost by the guard, and no cell begins as a formula does.
    """
    (content,) = render([{**ATTEMPT, "reason": text}], bom=True).values()

    cell = rows(content)[0]["reason"]
    assert cell in {text, f"'{text}"}
    assert cell[:1] not in set("=+-@\t\r\n")


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"attempt_id": "A1"}, "update 2: kind expected one of attempt, promise, payment"),
        ({"kind": "call"}, "update 2: kind expected"),
        ({"kind": ["attempt"]}, "update 2: kind expected"),
        ({**ATTEMPT, "fone": "987654321"}, "update 2: fone is no column of attempt"),
        ({**PAYMENT, "amount": 7.1}, "update 2: amount is a float"),
        ({**PAYMENT, "amount": Decimal("NaN")}, "update 2: amount is a Decimal"),
        ({**PROMISE, "currency": "USD"}, "update 2: currency is not that of the amount"),
        ({**ATTEMPT, "at": datetime(2026, 11, 5)}, "update 2: at has no offset"),  # noqa: DTZ001  # what is refused
        ({**ATTEMPT, "reason": "a\0b"}, "update 2: reason holds"),
        ({**ATTEMPT, "reason": "\ud800"}, "update 2: reason holds"),
    ],
)
async def test_a_result_that_is_not_understood_writes_nothing(
    tmp_path: Path, update: dict[str, Any], reason: str
) -> None:
    """
    Half a batch would be imported as the whole, and no value is quoted: it may be a person's.
    """
    with pytest.raises(InvalidValueError, match=reason) as caught:
        await provider(tmp_path).write_back([ATTEMPT, update])

    assert not list((tmp_path / "out").iterdir())
    assert "987654321" not in str(caught.value)


async def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whoever watches the folder never reads half a file, and a full disk leaves no rest behind.
    """

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(_results.os, "fsync", full)

    with pytest.raises(ProviderError) as caught:
        await provider(tmp_path).write_back([ATTEMPT])

    assert (caught.value.disposition, caught.value.transmitted) == ("retry", "no")
    assert not list((tmp_path / "out").iterdir())


async def test_without_a_folder_nothing_is_written_back(tmp_path: Path) -> None:
    """
    Results that go nowhere must not look as if they had arrived.
    """
    with pytest.raises(UnsupportedCapabilityError, match="none is set"):
        await provider(tmp_path, results=None).write_back([ATTEMPT])
    with pytest.raises(InvalidValueError, match="no folder gone"):
        await provider(tmp_path, results=str(tmp_path / "gone")).write_back([ATTEMPT])


def test_sync_tells_into_files_what_came_of_the_rows(tmp_path: Path) -> None:
    """
    The whole way: rows in, a payment from elsewhere, results out; the second sync writes nothing.
    """
    source, results = tmp_path / "cxc.csv", tmp_path / "out"
    results.mkdir()
    source.write_text(
        "customer_key;customer_name;doc_type;doc_number;issue_date;due_date;currency;amount_total;amount_open\n"
        "C1;Comercial Uno;Factura;F001-1;05/07/2026;04/08/2026;PEN;100,00;100,00\n",
        "utf-8",
    )
    erp = {"provider": "erp_csv", "path": str(source), "delimiter": ";", "decimal": ",", "country": "PE"}
    settings = {
        "creditor": {"name": "Tienda Andina", "country": "PE"},
        "store": {"url": f"sqlite:///{tmp_path / 'a.db'}"},
        "erps": {"exports": {**erp, "results": str(results), "write_back": True}},
    }
    at = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
    money = Money.of("40.00", "PEN")

    with Cobranza(settings, clock=FixedClock(at)) as cobranza:
        cobranza.sync()
        cobranza.portfolio.put(
            Payment(external_id="mp:1", debtor_id="C1", receivable_id=None, amount=money, paid_at=at)
        )
        written = [cobranza.sync()[0].written for _ in range(2)]

    assert written == [1, 0]
    (file,) = results.iterdir()
    (row,) = csv.DictReader(file.read_text("utf-8").splitlines())
    assert {key: value for key, value in row.items() if value} == {
        "payment_id": "mp:1",
        "debtor_id": "C1",
        "amount": "40.00",
        "currency": "PEN",
        "paid_at": at.isoformat(),
        "state": "posted",
    }
