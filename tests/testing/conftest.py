"""
What `cobranza new` writes is the model of the kits: it is imported from where it is kept.
"""

from __future__ import annotations

import sys
from importlib.resources import files

for family in ("channel", "payment"):
    sys.path.insert(0, str(files("cobranza_sdk.cli") / "scaffold" / family / "src"))
