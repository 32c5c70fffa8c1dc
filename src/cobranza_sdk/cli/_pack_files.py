"""
Finds a pack by what is written on the command line: a TOML file, a folder, or the name of a pack that judges.
"""

from __future__ import annotations

from pathlib import Path

import click

from cobranza_sdk.cli._output import settings_or_default
from cobranza_sdk.cli._root import Options
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.spec import CompliancePack

PACK, CASES = "pack.toml", "golden.csv"


def read_text(path: Path) -> str:
    """
    The text of a file.

    Raises:
        CobranzaError: It cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({type(error).__name__}), expected UTF-8 text"
        raise CobranzaError(msg) from error


def known_packs(options: Options) -> tuple[CompliancePack, ...]:
    """
    The packs that judge: installed ones, and those of the configuration, which win.
    """
    from cobranza_sdk.app import Cobranza

    return Cobranza(settings_or_default(options)).pack_sources()


def find_pack(options: Options, which: str) -> CompliancePack:
    """
    A pack with its golden cases, where there are some beside it.

    Raises:
        UsageError: There is none of that name.
    """
    from cobranza_sdk.app import pack_name

    path = Path(which)
    if path.is_dir():
        path = path / PACK
    if path.is_file():
        beside = path.parent / CASES
        cases = read_text(beside) if path.name == PACK and beside.is_file() else None
        return CompliancePack(pack_name(path), read_text(path), origin=str(path), cases=cases)
    packs = {pack.name: pack for pack in known_packs(options)}
    if which.lower() not in packs:
        msg = f"{which} is no TOML file, no folder with {PACK} and no pack, expected one of {', '.join(sorted(packs))}"
        raise click.UsageError(msg)
    return packs[which.lower()]
