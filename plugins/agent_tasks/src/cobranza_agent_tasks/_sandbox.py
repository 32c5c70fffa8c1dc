"""
People for development: they work a list as agents do, and report as the command line does.

There is nothing to listen on: the list is a file in a folder of its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from cobranza_agent_tasks._report import post
from cobranza_agent_tasks._tasks import Outcome, TaskList
from cobranza_agent_tasks._webhooks import SIGNATURE, report_of, sign
from cobranza_sdk import Address, Clock, Sandbox, SandboxMessage

SECRET = "sandbox-agent-secret"  # noqa: S105  # opens nothing but this emulator's own account


class AgentSandbox(Sandbox):
    """
    One agent and one list.

    Args:
        clock: The time they live in.
        port: Not used: nothing listens.
        webhook_url: Where outcomes are reported, or None to report none.
        by: The agent's name.
    """

    listens: ClassVar[bool] = False

    def __init__(
        self, *, clock: Clock, port: int = 0, webhook_url: str | None = None, by: str = "agente.prueba"
    ) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self.by = by
        self._folder: Path | None = None

    def start(self) -> None:
        """
        Make the folder that the list is in.
        """
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="agent-tasks-"))

    def stop(self) -> None:
        """
        Remove the list. Safe to call twice.
        """
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the channel writes to this list, secrets as plain text.
        """
        return {"path": str(self._path), "webhook_secret": SECRET}

    @property
    def _path(self) -> Path:
        return (self._folder or Path(tempfile.gettempdir()) / "agent-tasks-not-started") / "tasks.db"

    @property
    def tasks(self) -> TaskList:
        """
        The list itself.
        """
        return TaskList(self._path)

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        The tasks, in order.
        """
        if not self._path.exists():
            return ()
        return [
            SandboxMessage(
                provider_message_id=task.id,
                to=task.address or Address("erased", task.id),
                text=task.script or "",
                attempt_id=task.id,
                at=task.created_at,
                subject=task.subject,
            )
            for task in self.tasks.tasks()
        ]

    def deliver(self, provider_message_id: str) -> int | None:
        """
        Somebody else answers.
        """
        return self.report(provider_message_id, "other_person")

    def read(self, provider_message_id: str) -> int | None:
        """
        The person answers.
        """
        return self.report(provider_message_id, "right_party")

    def fail(self, provider_message_id: str) -> int | None:
        """
        Nobody answers.
        """
        return self.report(provider_message_id, "no_answer")

    def report(self, task_id: str, outcome: str, *, opt_out: bool = False) -> int | None:
        """
        Note an outcome in the list and report it; returns the status of the answer, None without an address.
        """
        now = self.clock.now()
        said = self.tasks.outcomes(task_id)
        made = Outcome(
            task_id=task_id,
            outcome=outcome,
            by=self.by,
            at=now,
            opt_out=opt_out,
            reason="sandbox" if said else None,
        )
        kept = self.tasks.record(made, now=now)
        if self.webhook_url is None:
            return None
        body = report_of(self.tasks.get(task_id), kept)
        return post(self.webhook_url, body, {SIGNATURE: sign(body, at=now, secret=SECRET)})


class CallerSandbox(AgentSandbox):
    """
    Makes calls.
    """

    name: ClassVar[str] = "agent_calls"


class VisitorSandbox(AgentSandbox):
    """
    Makes visits.
    """

    name: ClassVar[str] = "agent_visits"


class LetterSandbox(AgentSandbox):
    """
    Prints and posts letters.
    """

    name: ClassVar[str] = "agent_letters"
