from pathlib import Path

from cobranza_sdk.report import qr_svg

Path("pagar.svg").write_text(qr_svg("https://pagos.example.com/R-1"), "utf-8")
