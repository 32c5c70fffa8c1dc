"""
``cobranza doctor``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cobranza_sdk.cli._output import open_application, print_json, print_table
from cobranza_sdk.cli._root import EXIT_DOMAIN, EXIT_OK, Options, command
from cobranza_sdk.loading import ConfigurationError, PluginFailure
from cobranza_sdk.model import CobranzaError

if TYPE_CHECKING:
    from cobranza_sdk.app import Cobranza
    from cobranza_sdk.loading import Accounts


@command("doctor")
def doctor_command(options: Options) -> int:
    """
    Check plugins, configuration, packs, strategies, templates, the store and every account's credentials.
    """
    with open_application(options) as cobranza:
        checks = _checks(cobranza)
        failures = [failure.to_dict() for failure in _failures(cobranza)]
    ok = not failures and all(check["ok"] for check in checks)
    if options.as_json:
        print_json({"ok": ok, "checks": checks, "failures": failures})
    else:
        print_table(
            "Doctor",
            ("", "check", "found"),
            [("ok" if check["ok"] else "FAIL", check["name"], check["detail"]) for check in checks]
            + [("FAIL", f"{f['plugin']}: {f['stage']}", f"{f['cause']} → {f['hint']}") for f in failures],
        )
    return EXIT_OK if ok else EXIT_DOMAIN


def _failures(cobranza: Cobranza) -> tuple[PluginFailure, ...]:
    """
    What failed to load or to be built; where no account can be built, the checks say why.
    """
    try:
        return cobranza.failures
    except ConfigurationError:
        return cobranza.plugins.failures


def _checks(cobranza: Cobranza) -> list[dict[str, Any]]:
    checks = [
        _check("packs", lambda: ", ".join(f"{pack.label} ({pack.status})" for pack in cobranza.decider.packs)),
        _check("store", lambda: f"open, stopped: {cobranza.tenant.switch.reason() or 'no'}"),
        _check("strategies and templates", lambda: _templates(cobranza)),
        _check("live", lambda: "real hosts are reached" if cobranza.settings.live else "loopback only"),
    ]
    accounts = _check("accounts", lambda: f"{_ready(cobranza.accounts)} are ready")
    if not accounts["ok"]:
        return [*checks, accounts]
    answers = cobranza.check()
    return checks + [{"name": name, **answer} for name, answer in answers.items()]


def _ready(accounts: Accounts) -> int:
    return len(accounts.channels) + len(accounts.erps) + len(accounts.payments)


def _check(name: str, look: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": look()}
    except CobranzaError as error:
        return {"name": name, "ok": False, "detail": str(error)}


def _templates(cobranza: Cobranza) -> str:
    missing = cobranza.missing_templates()
    if missing:
        raise CobranzaError("; ".join(missing))
    return f"{len(cobranza.settings.strategies)} strategies, every step has its template"
