"""
``cobranza plugins``.
"""

from __future__ import annotations

from cobranza_sdk.cli._output import print_json, print_table, settings_or_default
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.loading import load_plugins


@command("plugins")
def plugins_command(options: Options) -> None:
    """
    List what is installed and what failed to load, with stage and hint. Needs no configuration.
    """
    settings = settings_or_default(options)
    allow = None if settings is None else settings.plugins.allow
    found = load_plugins(allow=allow, strict=settings is not None and settings.plugins.strict)
    if options.as_json:
        print_json(found.to_dict())
        return
    print_table(
        "Plugins",
        ("plugin", "distribution", "version", "provides"),
        [
            (
                plugin.name,
                plugin.distribution,
                plugin.version,
                ", ".join(f"{item.family} {item.name}" for item in plugin.provides),
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
