"""
Every pack folder passes the tests that the SDK asks of a pack.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from cobranza_sdk.testing import CompliancePackConformance

PACKS = Path(str(files("cobranza_compliance_latam"))) / "packs"

for _folder in sorted(path.parent for path in PACKS.glob("*/pack.toml")):
    _name = f"Test_{_folder.name}"
    globals()[_name] = type(_name, (CompliancePackConformance,), {"pack_folder": _folder, "__module__": __name__})
