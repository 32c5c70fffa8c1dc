"""
Certificates: which standard checks a distribution has passed, in which version, when, and what was left out and why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from cobranza_sdk.loading import Certificate, Plugin, Plugins, content_digest
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.spec import API_VERSION
from cobranza_sdk.testing._channels import ChannelConformance
from cobranza_sdk.testing._conformance import standard_checks
from cobranza_sdk.testing._erps import ErpConformance
from cobranza_sdk.testing._packs import CompliancePackConformance
from cobranza_sdk.testing._payments import PaymentProviderConformance
from cobranza_sdk.testing._recorder import VARIABLE

#: The kit of each family that has one.
_KITS: Mapping[str, type] = {
    "channel": ChannelConformance,
    "compliance": CompliancePackConformance,
    "erp": ErpConformance,
    "payment": PaymentProviderConformance,
}


def certify(plugins: Plugins, distribution: str, tests: Path, *, sdk: str, today: date) -> Certificate:
    """
    Run the standard checks among a distribution's tests and write down how they ended.

    Args:
        plugins: What is installed.
        distribution: Name of the distribution.
        tests: Folder or file with its tests.
        sdk: Version of this SDK.
        today: The day on the certificate.

    Raises:
        CobranzaError: It is not installed, brings nothing that has a kit, or its tests cannot be run.
    """
    mine = [plugin for plugin in plugins.plugins if plugin.distribution == distribution]
    wanted = [(item.family, item.name) for plugin in mine for item in plugin.provides if item.family in _KITS]
    if not wanted:
        known = ", ".join(sorted({plugin.distribution for plugin in plugins.plugins})) or "none"
        kinds = "a channel, an ERP, a payment provider or a country pack"
        msg = f"{distribution} brings nothing that is certified, expected {kinds}"
        raise CobranzaError(msg, hint=f"installed are: {known}")
    records = _run(tests)
    providers = [_provider(family, name, records) for family, name in sorted(wanted)]
    return Certificate.issued(
        distribution=distribution,
        version=mine[0].version,
        content=content_digest(_modules(mine)),
        sdk=sdk,
        contract=API_VERSION,
        date=today.isoformat(),
        providers=providers,
    )


def _modules(plugins: Iterable[Plugin]) -> list[str]:
    return sorted({plugin.module for plugin in plugins})


def _run(tests: Path) -> list[dict[str, Any]]:
    """
    The standard checks among the tests, each in the order in which it ran.
    """
    if not tests.exists():
        msg = f"{tests}: there are no tests"
        raise CobranzaError(msg, hint="name their folder with --tests")
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        words = [sys.executable, "-m", "pytest", "-q", "-p", "cobranza_sdk.testing._recorder", str(tests)]
        done = subprocess.run(  # noqa: S603  # the vendor's own tests
            words, env={**os.environ, VARIABLE: str(record)}, capture_output=True, text=True, check=False
        )
        if not record.exists():
            told = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["nothing was printed"]
            msg = f"{tests}: pytest could not run: {told[0]}"
            raise CobranzaError(msg, hint="see what `python -m pytest` says there")
        found: list[dict[str, Any]] = json.loads(record.read_text("utf-8"))
        return found


@frozen(kw_only=True)
class _Check:
    """
    How one check ended: ``passed``, ``skipped``, ``failed`` or ``missing``.
    """

    check: str
    outcome: str
    reason: str | None = None


def _provider(family: str, name: str, records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Every standard check of one provider; the worst outcome counts where tests ran it twice.
    """
    ended: dict[str, _Check] = {}
    for record in records:
        if (record["family"], record["name"]) != (family, name):
            continue
        known = ended.get(record["check"])
        if known is None or known.outcome != "failed":
            reason = record["words"].splitlines()[0][:200] if record["words"] else None
            ended[record["check"]] = _Check(check=record["check"], outcome=record["outcome"], reason=reason)
    checks = [ended.get(each) or _Check(check=each, outcome="missing") for each in standard_checks(_KITS[family])]
    return {"family": family, "name": name, "checks": [asdict(each) for each in checks]}
