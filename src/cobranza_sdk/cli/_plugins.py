"""
``cobranza plugins``.
"""

from __future__ import annotations

from typing import Any

from cobranza_sdk.cli._output import print_json, print_table, settings_or_default
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.loading import Plugin, brought, load_plugins


def _certificate(plugin: Plugin) -> dict[str, Any] | None:
    """
    What the certificate in a plugin's package says, and whether it speaks of this version and these files.
    """
    found = brought(plugin.module)
    if found is None:
        return None
    valid = found.holds and found.speaks_of(plugin.version, plugin.module)
    return {"valid": valid, "date": found.date, "sdk": found.sdk, "contract": found.contract}


def _words(certificate: dict[str, Any] | None) -> str:
    if certificate is None:
        return "no certificate"
    return f"{certificate['date']}, SDK {certificate['sdk']}" if certificate["valid"] else "NOT for these files"


@command("plugins")
def plugins_command(options: Options) -> None:
    """
    List what is installed and what failed to load, with stage and hint. Needs no configuration.
    """
    settings = settings_or_default(options)
    allow = None if settings is None else settings.plugins.allow
    found = load_plugins(allow=allow, strict=settings is not None and settings.plugins.strict)
    if options.as_json:
        told = found.to_dict()
        for line, plugin in zip(told["plugins"], found.plugins, strict=True):
            line["certificate"] = _certificate(plugin)
        print_json(told)
        return
    print_table(
        "Plugins",
        ("plugin", "distribution", "version", "provides", "certified"),
        [
            (
                plugin.name,
                plugin.distribution,
                plugin.version,
                ", ".join(f"{item.family} {item.name}" for item in plugin.provides),
                _words(_certificate(plugin)),
            )
            for plugin in found.plugins
        ],
    )
    if found.failures:
        print_table(
            "Failures",
            ("plugin", "distribution", "stage", "cause", "hint"),
            [(f.plugin, f.distribution, f.stage, f"{f.subject}: {f.cause}", f.hint) for f in found.failures],
        )
