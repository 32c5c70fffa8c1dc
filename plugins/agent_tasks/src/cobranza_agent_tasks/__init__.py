"""
Calls, visits and letters for cobranza-sdk, as tasks for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING

from cobranza_sdk import TemplateCatalogue, hookimpl

if TYPE_CHECKING:
    from cobranza_sdk import Channel, Sandbox


@hookimpl
def cobranza_channels() -> Iterable[type[Channel]]:
    """
    The channels ``agent_calls``, ``agent_visits`` and ``agent_letters``.
    """
    from cobranza_agent_tasks._channel import AgentCalls, AgentLetters, AgentVisits

    return (AgentCalls, AgentVisits, AgentLetters)


@hookimpl
def cobranza_sandboxes() -> Iterable[type[Sandbox]]:
    """
    The people who work the lists in development.
    """
    from cobranza_agent_tasks._sandbox import CallerSandbox, LetterSandbox, VisitorSandbox

    return (CallerSandbox, VisitorSandbox, LetterSandbox)


@hookimpl
def cobranza_template_catalogues() -> Iterable[TemplateCatalogue]:
    """
    Standard scripts for calls and visits and standard letters, in Spanish and Portuguese.
    """
    return (TemplateCatalogue("agent_scripts", _scripts, origin="cobranza-agent-tasks scripts.toml"),)


def _scripts() -> str:
    return (files(__name__) / "scripts.toml").read_text("utf-8")
