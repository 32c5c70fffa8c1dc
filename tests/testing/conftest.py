"""
The channel that `cobranza new channel` writes is the kit's model: it is imported from where it is kept.
"""

from __future__ import annotations

import sys
from importlib.resources import files

sys.path.insert(0, str(files("cobranza_sdk.cli") / "scaffold" / "channel" / "src"))
