from pathlib import Path
from typing import Any

from cobranza_sdk import Cobranza

SETTINGS: dict[str, Any] = {
    "creditor": {"name": "Tienda Andina", "country": "PE"},
    "store": {"url": "sqlite:///collections.db"},
}
POSITION = Path("position.txt")

with Cobranza(SETTINGS) as cobranza:
    after = int(POSITION.read_text("utf-8")) if POSITION.exists() else 0
    for event in cobranza.events(after=after, kinds=["attempt.accepted", "attempt.delivered", "attempt.failed"]):
        print(event.kind, event.payload["channel"])
        POSITION.write_text(str(event.seq), "utf-8")
