"""
The channels: each message becomes one task in a file, and a person carries it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import ClassVar

import anyio.to_thread

from cobranza_agent_tasks._config import AgentLettersConfig, AgentTasksConfig
from cobranza_agent_tasks._outcomes import kind_of
from cobranza_agent_tasks._tasks import Task, TaskList, TaskListError
from cobranza_agent_tasks._webhooks import parse_envelope, verify_request
from cobranza_sdk import (
    Absent,
    Accepted,
    AttemptRef,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    EventKind,
    Found,
    Health,
    LiveInterlockError,
    OutboundMessage,
    ProviderError,
    Transmitted,
    Undetermined,
    VerifiedEnvelope,
    WebhookRequest,
)

#: Stands for everybody that an agent can reach: no machine has this name.
_PEOPLE = "people.invalid"
#: How long one attempt is one task. The file keeps the ids of tasks for good; a promise needs an end.
IDEMPOTENT_FOR = timedelta(days=3650)


class _AgentChannel(Channel):
    """
    What the three have in common.
    """

    config: ClassVar[type] = AgentTasksConfig
    settings: AgentTasksConfig

    async def send(self, message: OutboundMessage) -> Accepted:
        """
        Make the task, or find the one that the attempt has already. Once this answers, no loss of power undoes it.
        """
        now = self.services.clock.now()
        if message.not_after is not None and message.not_after <= now:
            raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_code="window_closed")
        task = Task(
            id=message.attempt_id,
            channel=self.capabilities.channel,
            address=message.to,
            subject=message.subject,
            script=message.text,
            locale=message.locale,
            purpose=message.purpose,
            callback_url=message.callback_url or self.services.webhook_url,
            created_at=now,
            not_after=message.not_after,
            practice=not self._is_live(),
        )
        try:
            # Not left behind when it is cancelled: a task that came to be after the answer would be nobody's.
            kept = await anyio.to_thread.run_sync(partial(self._tasks.add, task))
        except TaskListError as error:
            raise _classed(error) from error
        return Accepted(provider_message_id=kept.id, status="open")

    def _is_live(self) -> bool:
        """
        Whether people may be reached: the interlock that guards connections is asked for the telephone too.
        """
        try:
            self.services.egress.require(_PEOPLE)
        except LiveInterlockError:
            return False
        return True

    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        """
        Look into the file, which holds every task there is. One that is away tells nothing.
        """
        now = self.services.clock.now()
        try:
            return await anyio.to_thread.run_sync(partial(self._look, attempt)) or Absent(checked_until=now)
        except TaskListError as error:
            return Undetermined(reason=f"the work list cannot be read ({error.code})")

    def _look(self, attempt: AttemptRef) -> Found | None:
        task = self._tasks.find(attempt.attempt_id)
        if task is None:
            return None
        said = self._tasks.outcomes(task.id)
        if not said:
            return Found(provider_message_id=task.id, kind=EventKind.ACCEPTED, occurred_at=task.created_at)
        return Found(provider_message_id=task.id, kind=kind_of(said[-1].outcome), occurred_at=said[-1].at)

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Check the signature over the time and the raw body.
        """
        return verify_request(request, account=self.account, secrets=self.settings.webhook_secret)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Read one outcome of this channel's closed list.
        """
        return parse_envelope(envelope, channel=self.capabilities.channel)

    async def check(self) -> Health:
        """
        Try whether a task could be kept, without keeping one.
        """
        try:
            return Health(ok=True, detail=await anyio.to_thread.run_sync(self._tasks.probe))
        except TaskListError as error:
            return Health(ok=False, detail=str(error))

    @property
    def _tasks(self) -> TaskList:
        return TaskList(self.settings.path)


def _capabilities(channel: str, scheme: str, *receipts: str, subject: bool = False) -> ChannelCapabilities:
    return ChannelCapabilities(
        channel=channel,
        family=channel,
        schemes=(scheme,),
        subject=subject,
        receipts=frozenset({"delivered", "read", "failed", *receipts}),
        lookup=True,
        correlation=True,
        idempotency_window=IDEMPOTENT_FOR,
        webhook_bytes=16 * 1024,
    )


class AgentCalls(_AgentChannel):
    """
    Calls that agents make.
    """

    name: ClassVar[str] = "agent_calls"
    capabilities: ClassVar[ChannelCapabilities] = _capabilities("call", "e164")


class AgentVisits(_AgentChannel):
    """
    Visits that agents make.
    """

    name: ClassVar[str] = "agent_visits"
    capabilities: ClassVar[ChannelCapabilities] = _capabilities("visit", "postal")


class AgentLetters(_AgentChannel):
    """
    Letters that people print and post.
    """

    name: ClassVar[str] = "agent_letters"
    config: ClassVar[type] = AgentLettersConfig
    capabilities: ClassVar[ChannelCapabilities] = _capabilities("letter", "postal", "sent", subject=True)

    settings: AgentLettersConfig


def _classed(error: TaskListError) -> ProviderError:
    """
    A busy file is tried again; anything else needs a person first. What may be in the file may be out.
    """
    if error.maybe_written:
        return ProviderError(Category.PROVIDER_DOWN, Disposition.NEVER, Transmitted.MAYBE, vendor_code=error.code)
    if error.code in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return ProviderError(Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.NO, vendor_code=error.code)
    return ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO, vendor_code=error.code)
