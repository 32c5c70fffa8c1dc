"""
Every code of the vendor's dictionary that concerns an SMS, at the moment it comes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._errors import _CODES, from_answer, from_delivery

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
#: Moment (refused, failed, both, or at our endpoint), category and next step of each.
CODES = """
refused  auth           fix_first  20003 20008
both     auth           fix_first  30002
refused  config         fix_first  20404 21603 21609 21212 21606 21659 21660 21661 21703 21704 21705
endpoint config         fix_first  11243 12300 12400 57012
failed   config         fix_first  30018 30032 30034 30038 30039 30040 30450 30453 30454
refused  config         never      30863
refused  rate_limit     retry      14107 20429 21611 63017
failed   rate_limit     retry      30001 30022 30036
both     opted_out      never      21610
refused  recipient      never      21211 21217 21265 21614
failed   recipient      never      30004 30005 30006
failed   recipient      retry      30003
refused  recipient      fix_first  21408 21608 21612
refused  validation     never      21602 21604 21617 21619 21620 21623
refused  validation     never      35111 35114 35115 35117 35118 35126
failed   validation     never      30009 30010 30019
failed   validation     fix_first  30007
refused  template       fix_first  21654 21655 21656
failed   provider_down  retry      30008 30017 30410
"""
ROWS = [
    (moment, category, disposition, int(code))
    for moment, category, disposition, *codes in (line.split() for line in CODES.strip().splitlines())
    for code in codes
]
README = Path(__file__).parents[1] / "README.md"


def test_no_code_is_forgotten_and_none_is_classed_twice() -> None:
    """
    A code that is classed and not listed here was never looked at.
    """
    listed = [code for *_, code in ROWS]

    assert sorted(listed) == sorted(_CODES)


@pytest.mark.parametrize(("moment", "category", "disposition", "code"), ROWS)
def test_a_code_says_whose_fault_it_was(moment: str, category: str, disposition: str, code: int) -> None:
    """
    A refusal left nothing out, a failed receipt is of a message that is out, and the class is the same at both.
    """
    status = 429 if code == 20429 else 400

    refused = from_answer(httpx.Response(status, json={"code": code, "status": status}), NOW)
    failed = from_delivery(code)

    if moment != "failed":
        assert (refused.category, refused.disposition, refused.transmitted) == (category, disposition, "no")
    if moment != "refused":
        assert (failed.category, failed.disposition, failed.transmitted) == (category, disposition, "yes")


def test_the_readmes_table_is_true() -> None:
    """
    An operator reads there what a code in the log will do.
    """
    table = {}
    for line in README.read_text("utf-8").splitlines():
        row = re.fullmatch(r"\| ([0-9, ]+) \| [^|]+ \| `([a-z_]+)` \| `([a-z_]+)` \|", line)
        if row:
            table |= {int(code): (row[2], row[3]) for code in row[1].split(",")}

    assert table == {code: (category, disposition) for _, category, disposition, code in ROWS}


def test_the_rate_the_readme_tells_is_the_one_that_is_kept() -> None:
    """
    The slowest sender's, so that nothing waits at the vendor for hours unless the operator says what theirs may.
    """
    assert "The SDK sends one a second, as a long code may" in README.read_text("utf-8")
    assert TwilioSms.capabilities.messages_per_second == 1
