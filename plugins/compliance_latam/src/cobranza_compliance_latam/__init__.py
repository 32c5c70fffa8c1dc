"""
Country packs for Latin America: data only.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib.resources import files

from cobranza_sdk import CompliancePack, hookimpl

_NAMES = ("co", "pe", "safe_default")


def _read(name: str) -> str:
    return (files(__name__) / "packs" / f"{name}.toml").read_text("utf-8")


@hookimpl
def cobranza_compliance_packs() -> Iterable[CompliancePack]:
    """
    The packs of this distribution; a file is read when its pack is first needed.
    """
    return [
        CompliancePack(name, partial(_read, name), origin=f"cobranza-compliance-latam {name}.toml") for name in _NAMES
    ]
