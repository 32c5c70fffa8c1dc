"""
Country packs for Latin America: data only.

Each folder of ``packs`` is one pack: ``pack.toml``, its golden cases and its review sheet.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib.resources import files

from cobranza_sdk import CompliancePack, hookimpl


def _read(name: str, file: str) -> str:
    return (files(__name__) / "packs" / name / file).read_text("utf-8")


@hookimpl
def cobranza_compliance_packs() -> Iterable[CompliancePack]:
    """
    The packs of this distribution; a file is read when its pack is first needed.
    """
    names = sorted(folder.name for folder in (files(__name__) / "packs").iterdir() if folder.is_dir())
    return [
        CompliancePack(
            name,
            partial(_read, name, "pack.toml"),
            origin=f"cobranza-compliance-latam {name}/pack.toml",
            cases=partial(_read, name, "golden.csv"),
        )
        for name in names
    ]
