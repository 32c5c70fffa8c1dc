"""
Small packs for the tests of the compliance room.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cobranza_sdk.model import Contact
from cobranza_sdk.spec import CompliancePack

WORDS = '{ es = "no", pt = "não", en = "not" }'


class Packs:
    """
    Writes packs for a country XX and contacts that nothing but the pack stands against.
    """

    @staticmethod
    def rule(rule_id: str, kind: str, **keys: str) -> str:
        """
        One rule in TOML; values are TOML too, and "" leaves a key out.
        """
        told = {"norm": '"law"', "article": '"art. 1"', "confidence": '"high"', "message": WORDS} | keys
        lines = [f"{key} = {value}" for key, value in told.items() if value]
        return "\n".join(["[[rule]]", f'id = "{rule_id}"', f'kind = "{kind}"', *lines])

    @staticmethod
    def text(
        *rules: str,
        name: str = "xx",
        zones: str = '{ "*" = ["America/Lima"] }',
        country: str = "XX",
        head: str = 'status = "draft"',
        norm: str = "effective_from = 2000-01-01",
    ) -> str:
        """
        A whole pack in TOML.
        """
        calendar = '{ calendar = "PE", through = 2035 }'
        place = f"[countries.{country}]\nzones = {zones}\nholidays = {calendar}" if country else ""
        return "\n".join(
            [
                "format = 1",
                f'[pack]\nname = "{name}"\nversion = "1"\nupdated_on = 2026-01-01\ntitle = {WORDS}\n{head}',
                place,
                f'[norms.law]\ntitle = "Law 1"\nsource = "gazette"\nread_on = 2026-01-01\n{norm}',
                *rules,
            ]
        )

    def pack(self, *rules: str, name: str = "xx", **keys: str) -> CompliancePack:
        """
        A pack as a plugin gives it.
        """
        return CompliancePack(name, self.text(*rules, name=name, **keys), origin=f"{name}.toml")

    @staticmethod
    def contact(at: str | datetime, **fields: Any) -> Contact:
        """
        A call to the confirmed debtor with consent.
        """
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        told = {"channel": "call", "country": "XX", "recipient": "debtor", "holder_confirmed": True, "consent": "yes"}
        return Contact(**{"at": moment, **told, **fields})


@pytest.fixture(scope="session")
def packs() -> Packs:
    """
    The writer of small packs.
    """
    return Packs()
