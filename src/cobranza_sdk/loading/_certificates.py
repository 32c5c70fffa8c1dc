"""
Certificates that distributions bring: what they say, and whether they still speak of what is installed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from attrs import asdict, field, fields, frozen

#: The file in a plugin's package.
CERTIFICATE = "conformance.json"
#: It, and the same for people, which `cobranza certify` writes beside it.
_APART = frozenset({CERTIFICATE, "conformance.txt"})
_FORMAT = 1
_PASSED = ("passed", "skipped")


@frozen(kw_only=True)
class Certificate:
    """
    How the standard checks ended for one distribution.

    Attributes:
        format: Of this document.
        distribution: Of what.
        version: Of the distribution.
        content: Digest of its packages' files.
        sdk: Version of the SDK whose checks they were.
        contract: Contract level.
        date: The day, ISO 8601.
        providers: Each with family, name, and its checks: name, outcome and reason.
        digest: SHA-256 of all that stands before it, as canonical JSON.
    """

    format: int = _FORMAT
    distribution: str
    version: str
    content: str
    sdk: str
    contract: int
    date: str
    providers: Sequence[Mapping[str, Any]] = field(converter=tuple)
    digest: str

    @classmethod
    def issued(cls, **told: Any) -> Self:
        """
        A certificate with its digest.
        """
        bare = cls(digest="", **told)
        return cls(digest=bare._sum(), **told)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """
        A certificate as it was written; None when the text is none, or was changed.
        """
        try:
            told = json.loads(text)
            found = cls(**{entry.name: told[entry.name] for entry in fields(cls)})
        except (ValueError, KeyError, TypeError):
            return None
        return found if found.format == _FORMAT and found.digest == found._sum() else None

    def _sum(self) -> str:
        told = {name: value for name, value in self.to_dict().items() if name != "digest"}
        return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def holds(self) -> bool:
        """
        Whether every check of every provider passed, or was left out with a reason.
        """
        ended = [each for provider in self.providers for each in provider["checks"]]
        return bool(ended) and all(each["outcome"] in _PASSED for each in ended)

    def to_dict(self) -> dict[str, Any]:
        """
        The document.
        """
        return asdict(self)

    def to_json(self) -> str:
        """
        The document as it is written.
        """
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def speaks_of(self, version: str, module: str) -> bool:
        """
        Whether it was made for this version and these files.
        """
        return self.version == version and self.content == content_digest([module])

    def to_text(self) -> str:
        """
        The same for people.
        """
        lines = [
            f"{self.distribution} {self.version}: {'certified' if self.holds else 'NOT certified'}",
            f"by cobranza-sdk {self.sdk}, contract {self.contract}, on {self.date}",
        ]
        for provider in self.providers:
            lines.append(f"{provider['family']} {provider['name']}")
            for each in provider["checks"]:
                reason = f": {each['reason']}" if each["reason"] else ""
                lines.append(f"  {each['outcome']:<8} {each['check'].removeprefix('test_').replace('_', ' ')}{reason}")
        return "\n".join([*lines, f"content {self.content}", f"digest  {self.digest}"]) + "\n"


def content_digest(modules: Iterable[str]) -> str:
    """
    SHA-256 over the files of packages, the certificate and its text apart.
    """
    total = hashlib.sha256()
    for module in modules:
        for root in _folders(module):
            for path in sorted(root.rglob("*")):
                if path.is_file() and path.name not in _APART and "__pycache__" not in path.parts:
                    total.update(f"{module}/{path.relative_to(root).as_posix()}\0".encode())
                    total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def brought(module: str) -> Certificate | None:
    """
    The certificate in a plugin's package, or None.
    """
    for root in _folders(module):
        path = root / CERTIFICATE
        if path.is_file():
            return Certificate.read(path.read_text("utf-8"))
    return None


def _folders(module: str) -> list[Path]:
    spec = find_spec(module.partition(".")[0])
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
