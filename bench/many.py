"""
Judge a stream of contacts in a fresh process, none of them kept: ``python bench/many.py 1000000``.
"""

from __future__ import annotations

import json
import sys

from decide import stream
from measure import peak_mib

from cobranza_sdk import Cobranza


def main() -> None:
    """
    Print how many were judged, and the most memory that it took.
    """
    count = int(sys.argv[1])
    judged = sum(1 for _ in Cobranza().decider.decide_many(stream(count)))
    print(json.dumps({"judged": judged, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
