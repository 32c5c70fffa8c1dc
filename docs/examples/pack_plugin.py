from collections.abc import Iterable
from importlib.resources import files

from cobranza_sdk import CompliancePack, hookimpl


@hookimpl
def cobranza_compliance_packs() -> Iterable[CompliancePack]:
    folder = files(__package__ or "cobranza_py")
    text, cases = ((folder / name).read_text("utf-8") for name in ("pack.toml", "golden.csv"))
    return [CompliancePack("py", text, origin="py/pack.toml", cases=cases)]
