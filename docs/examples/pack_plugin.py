from collections.abc import Iterable
from importlib.resources import files

from cobranza_sdk import CompliancePack, hookimpl


@hookimpl
def cobranza_compliance_packs() -> Iterable[CompliancePack]:
    text = (files(__package__ or "cobranza_py") / "py.toml").read_text("utf-8")
    return [CompliancePack("py", text, origin="py.toml")]
