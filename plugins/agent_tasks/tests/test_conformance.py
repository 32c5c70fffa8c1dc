"""
What every channel has to hold, held against people who work the lists.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

from cobranza_agent_tasks._channel import AgentCalls, AgentLetters, AgentVisits
from cobranza_agent_tasks._sandbox import SECRET, CallerSandbox, LetterSandbox, VisitorSandbox
from cobranza_agent_tasks._webhooks import SIGNATURE, sign
from cobranza_sdk import Address, Channel, Sandbox, WebhookRequest
from cobranza_sdk.testing import ChannelConformance

HOME = Address("postal", "Ana Prueba | Jr. Inventado 1 | Lima | Perú")


class Agents(ChannelConformance):
    """
    What the three have in common.
    """

    __test__ = False

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        return evolve(like, body=body, headers={SIGNATURE: sign(body, at=like.received_at, secret=SECRET)})


class TestAgentCalls(Agents):
    __test__ = True
    provider: ClassVar[type[Channel]] = AgentCalls
    sandbox: ClassVar[type[Sandbox]] = CallerSandbox


class TestAgentVisits(Agents):
    __test__ = True
    provider: ClassVar[type[Channel]] = AgentVisits
    sandbox: ClassVar[type[Sandbox]] = VisitorSandbox
    address: ClassVar[Address | None] = HOME


class TestAgentLetters(Agents):
    __test__ = True
    provider: ClassVar[type[Channel]] = AgentLetters
    sandbox: ClassVar[type[Sandbox]] = LetterSandbox
    address: ClassVar[Address | None] = HOME
