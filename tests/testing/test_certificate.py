"""
Certificates: what was checked, what was not, and whether it still speaks of what is installed.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from cobranza_acme_pay._provider import AcmePay
from cobranza_acme_sms._channel import AcmeSms
from cobranza_sdk import API_VERSION
from cobranza_sdk.cli._plugins import _certificate, _words
from cobranza_sdk.cli._root import run
from cobranza_sdk.loading import Certificate, Plugin, Plugins, Provided, brought, content_digest
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.testing import ChannelConformance, PaymentProviderConformance
from cobranza_sdk.testing._certificate import certify
from cobranza_sdk.testing._conformance import standard_checks

SCAFFOLDS = Path(str(files("cobranza_sdk.cli"))) / "scaffold"
SCAFFOLD = SCAFFOLDS / "channel"
DAY = date(2026, 11, 22)
BROKEN = """
from datetime import date
from typing import ClassVar

from attrs import evolve

from cobranza_acme_pay._provider import AcmePay
from cobranza_acme_sms._channel import SIGNATURE, AcmeSms, sign
from cobranza_acme_sms._sandbox import AcmeSmsSandbox

from cobranza_sdk.testing import ChannelConformance, Skip


class Silent(AcmeSms):
    @property
    def hosts(self):
        return ()


class TestSilent(ChannelConformance):
    provider = Silent
    sandbox = AcmeSmsSandbox
    today = date(2026, 12, 1)
    skips: ClassVar = {
        "test_signed_rubbish_is_rejected_or_says_nothing": Skip(reason="ACME-17", until=date(2026, 12, 31))
    }

    def signed(self, sandbox, body, like):
        return evolve(like, body=body, headers={SIGNATURE: sign(str(sandbox.settings["webhook_secret"]), body)})


def test_of_its_own():
    raise AssertionError("is no standard check, and is not run")
"""

TRUSTING = """
from cobranza_acme_pay._provider import AcmePay
from cobranza_acme_pay._sandbox import AcmePaySandbox
from cobranza_acme_pay._webhooks import SIGNATURE, WINDOW, signature

from attrs import evolve
from cobranza_sdk.testing import PaymentProviderConformance


class Trusting(AcmePay):
    def is_safe(self, url):
        return bool(url)


class TestTrusting(PaymentProviderConformance):
    provider = Trusting
    sandbox = AcmePaySandbox
    replay_window = WINDOW

    def signed(self, sandbox, body, like):
        secret = sandbox.settings["webhook_secret"]
        return evolve(like, body=body, headers={SIGNATURE: signature(secret, sandbox.clock.now(), body)})
"""


def acme(**changes: Any) -> Plugins:
    """
    The scaffold as if it were installed.
    """
    provided = Provided(family="channel", name="acme_sms", plugin="acme_sms", distribution="d", item=AcmeSms)
    told = {"name": "acme_sms", "distribution": "cobranza-acme-sms", "version": "0.1.0", "module": "cobranza_acme_sms"}
    return Plugins(plugins=(Plugin(provides=(provided,), **{**told, **changes}),))


def acme_pay() -> Plugins:
    """
    The scaffold of payments, likewise.
    """
    provided = Provided(family="payment", name="acme_pay", plugin="acme_pay", distribution="d", item=AcmePay)
    told = {"name": "acme_pay", "distribution": "cobranza-acme-pay", "version": "0.1.0", "module": "cobranza_acme_pay"}
    return Plugins(plugins=(Plugin(provides=(provided,), **told),))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(SCAFFOLDS / name / "src") for name in ("channel", "payment")))


def outcomes(found: Certificate) -> dict[str, tuple[str, str | None]]:
    (provider,) = found.providers
    return {each["check"]: (each["outcome"], each["reason"]) for each in provider["checks"]}


def test_a_channel_that_passes_every_check_is_certified() -> None:
    found = certify(acme(), "cobranza-acme-sms", SCAFFOLD / "tests", sdk="0.1.0", today=DAY)

    assert found.holds
    assert (found.distribution, found.version, found.sdk, found.contract, found.date) == (
        "cobranza-acme-sms",
        "0.1.0",
        "0.1.0",
        API_VERSION,
        "2026-11-22",
    )
    ended = outcomes(found)
    assert list(ended) == standard_checks(ChannelConformance)
    assert {outcome for outcome, _ in ended.values()} == {"passed", "skipped"}
    assert all(reason for outcome, reason in ended.values() if outcome == "skipped")
    assert found.speaks_of("0.1.0", "cobranza_acme_sms")
    assert Certificate.read(found.to_json()) == found
    assert found.to_text().startswith("cobranza-acme-sms 0.1.0: certified\n")


def test_a_payment_provider_is_certified_by_its_own_kit() -> None:
    """
    All sixty checks are on the certificate, each with how it ended; none of them is another family's.
    """
    found = certify(acme_pay(), "cobranza-acme-pay", SCAFFOLDS / "payment" / "tests", sdk="0.1.0", today=DAY)

    (provider,) = found.providers
    assert (provider["family"], provider["name"], found.holds) == ("payment", "acme_pay", True)
    ended = outcomes(found)
    assert list(ended) == standard_checks(PaymentProviderConformance)
    assert {outcome for outcome, _ in ended.values()} == {"passed"}


def test_a_payment_provider_that_takes_any_address_is_not_certified(tmp_path: Path) -> None:
    (tmp_path / "test_trusting.py").write_text(TRUSTING, "utf-8")
    found = certify(acme_pay(), "cobranza-acme-pay", tmp_path, sdk="0.1.0", today=DAY)

    failed = [name for name, (outcome, _) in outcomes(found).items() if outcome == "failed"]
    assert (found.holds, failed) == (False, ["test_the_address_of_a_link_is_safe"])


def test_a_failure_and_a_skip_are_told_with_their_reasons(tmp_path: Path) -> None:
    """
    The plugin's own tests are not run; a skip counts, with the reason that was given for it.
    """
    (tmp_path / "test_silent.py").write_text(BROKEN, "utf-8")

    found = certify(acme(), "cobranza-acme-sms", tmp_path, sdk="0.1.0", today=DAY)

    ended = outcomes(found)
    assert not found.holds
    assert [name for name, (outcome, _) in ended.items() if outcome == "failed"] == [
        "test_only_declared_hosts_are_reached"
    ]
    assert ended["test_only_declared_hosts_are_reached"][1] == "found: no hosts are declared"
    assert "ACME-17" in (ended["test_signed_rubbish_is_rejected_or_says_nothing"][1] or "")
    assert "NOT certified" in found.to_text()
    assert "test_of_its_own" not in found.to_json()


def test_checks_that_nobody_ran_are_missing(tmp_path: Path) -> None:
    """
    A folder without conformance tests proves nothing.
    """
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n", "utf-8")

    found = certify(acme(), "cobranza-acme-sms", tmp_path, sdk="0.1.0", today=DAY)

    assert not found.holds
    assert {outcome for outcome, _ in outcomes(found).values()} == {"missing"}


@pytest.mark.parametrize(
    ("distribution", "tests", "words"),
    [
        ("cobranza-other", "tests", "brings nothing that is certified"),
        ("cobranza-acme-sms", "nowhere", "there are no tests"),
    ],
)
def test_what_cannot_be_certified_is_told(distribution: str, tests: str, words: str) -> None:
    with pytest.raises(CobranzaError, match=words):
        certify(acme(), distribution, SCAFFOLD / tests, sdk="0.1.0", today=DAY)


def issued(**changes: Any) -> Certificate:
    checks = [{"check": "test_x", "outcome": "passed", "reason": None}]
    told: dict[str, Any] = {
        "distribution": "cobranza-x",
        "version": "1",
        "content": "0",
        "sdk": "0.1.0",
        "contract": 1,
        "date": "2026-11-22",
        "providers": [{"family": "channel", "name": "x", "checks": checks}],
    }
    return Certificate.issued(**{**told, **changes})


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(date="2027-01-01"),
        lambda told: told["providers"][0]["checks"][0].update(outcome="skipped"),
        lambda told: told.update(digest="0" * 64),
        lambda told: told.pop("sdk"),
        lambda told: told.update(format=2),
    ],
)
def test_a_changed_certificate_is_none(change: Any) -> None:
    told = json.loads(issued().to_json())
    change(told)

    assert Certificate.read(json.dumps(told)) is None


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"'])
def test_what_is_no_certificate_is_none(text: str) -> None:
    assert Certificate.read(text) is None


@pytest.mark.parametrize(
    ("outcome", "holds"), [("passed", True), ("skipped", True), ("failed", False), ("missing", False)]
)
def test_one_check_decides(outcome: str, holds: bool) -> None:
    checks = [{"check": "a", "outcome": "passed", "reason": None}, {"check": "b", "outcome": outcome, "reason": "r"}]

    assert issued(providers=[{"family": "channel", "name": "x", "checks": checks}]).holds is holds
    assert not issued(providers=[]).holds


def test_a_certificate_speaks_of_these_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    `cobranza plugins` shows it; one changed line, or another version, and it speaks of something else.
    """
    package = tmp_path / "cobranza_certified"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = Plugin(name="x", distribution="cobranza-x", version="1", module="cobranza_certified", provides=())
    assert _words(_certificate(plugin)) == "no certificate"
    found = issued(content=content_digest(["cobranza_certified"]))
    (package / "conformance.json").write_text(found.to_json(), "utf-8")
    (package / "conformance.txt").write_text(found.to_text(), "utf-8")  # `cobranza certify` writes it beside

    shown = _certificate(plugin)

    assert shown == {"valid": True, "date": "2026-11-22", "sdk": "0.1.0", "contract": 1}
    assert _words(shown) == "2026-11-22, SDK 0.1.0"
    newer = Plugin(name="x", distribution="cobranza-x", version="2", module="cobranza_certified", provides=())
    assert _words(_certificate(newer)) == "NOT for these files"
    (package / "more.py").write_text("x = 1\n", "utf-8")
    assert _words(_certificate(plugin)) == "NOT for these files"
    (package / "conformance.json").write_text("{}", "utf-8")
    assert brought("cobranza_certified") is None


def test_the_command_names_what_is_not_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "conformance.json"

    assert run(["certify", "cobranza-nothing", "--out", str(out), "--at", "2026-11-22"]) == 1

    assert "brings nothing that is certified" in capsys.readouterr().err
    assert not out.exists()
    assert "cobranza_nothing" not in sys.modules
