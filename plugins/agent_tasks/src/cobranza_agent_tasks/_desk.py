"""
What stands between a task and whoever wants to see it: the gate, asked again by the facts of now.

Hours may lie between the decision and the call: the person has paid, has opted out or has been called by somebody else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

from attrs import evolve, frozen

from cobranza_agent_tasks._tasks import TakenError, Task, TaskError, TaskList, closed
from cobranza_sdk import Decision, Verdict

#: Judges an attempt again by the facts of now, and charges nothing.
Gate = Callable[[str], Decision]

_LANGUAGE = 2


class GateError(TaskError):
    """
    The gate could not be asked: nothing is shown.
    """


class NotNowError(TaskError):
    """
    The gate defers: nothing is shown, and the task stays.
    """


class WithdrawnError(TaskError):
    """
    The gate does not permit it any more: the task has ended.
    """


@frozen(kw_only=True)
class Desk:
    """
    Shows tasks to people.

    Attributes:
        tasks: The list.
        gate: Asked before each showing; None shows nothing.
        now: The time.
    """

    tasks: TaskList
    gate: Gate | None
    now: Callable[[], datetime]

    def take(self, task_id: str, *, by: str, length: timedelta) -> Task:
        """
        Reserve a task and see it. What cannot be judged is given back, unless it was the agent's before.

        Raises:
            TakenError: Another agent has it.
            WithdrawnError: It is not permitted any more.
            GateError: Nobody can say whether it is.
        """
        had = self.tasks.get(task_id).holder(self.now()) == by
        self.tasks.reserve(task_id, by=by, now=self.now(), length=length)
        try:
            return self._permitted(self.tasks.get(task_id))
        except (GateError, NotNowError):
            if not had:
                self.tasks.release(task_id, by=by)
            raise

    def show(self, task_id: str, *, by: str | None = None) -> Task:
        """
        See a task that nobody else has.

        Raises:
            TaskError: As for `take`, or it is not open.
        """
        task, now = self.tasks.get(task_id), self.now()
        if not task.is_open(now):
            raise closed(task, self.tasks.outcomes(task.id))
        holder = task.holder(now)
        if holder is not None and holder != by:
            msg = f"task {task.id} is taken by {holder}"
            raise TakenError(msg, hint="take another, or say --by with the name that has it")
        return self._permitted(task)

    def _permitted(self, task: Task) -> Task:
        """
        The task with the end of its window as it is now, if the gate permits it.
        """
        decision = self._asked(task)
        if decision.verdict is Verdict.DEFER:
            self._put_off(task, decision)
        if decision.verdict is not Verdict.ALLOW:
            self._withdraw(task, decision)
        ends = [end for end in (task.not_after, decision.not_after) if end is not None]
        # Law 13: nobody is called by accident. With live = false people practise on the script alone.
        address = None if task.practice else task.address
        permitted = evolve(task, address=address, not_after=min(ends, default=None))
        if not permitted.is_open(self.now()):  # judging took time
            msg = f"task {task.id} is past the end of its legal window"
            raise TaskError(msg, hint="it expires and is reported")
        return permitted

    def _asked(self, task: Task) -> Decision:
        if self.gate is None:
            msg = "the gate cannot be asked, so nothing is shown"
            raise GateError(msg, hint="give --config, and a cobranza-sdk whose attempts.recheck judges again")
        try:
            decision: object = self.gate(task.id)
        except Exception as error:
            msg = f"the gate could not judge task {task.id} ({type(error).__name__}), so nothing is shown"
            raise GateError(msg, hint="`cobranza doctor` tells what is wrong") from error
        if not isinstance(decision, Decision):
            msg = f"the gate gave no decision on task {task.id}, so nothing is shown"
            raise GateError(msg, hint="the cobranza-sdk that is installed is not one this plugin knows")
        return decision

    def _put_off(self, task: Task, decision: Decision) -> NoReturn:
        """
        Show nothing now, and keep the task: what stands in the way may pass before its window closes.
        """
        finding = decision.findings[0] if decision.findings else None
        again = "" if decision.not_before is None else f", not before {decision.not_before.isoformat()}"
        msg = f"task {task.id} is not to be done now: {decision.verdict if finding is None else finding.rule}{again}"
        raise NotNowError(msg, hint="it stays in the list; ask again later")

    def _withdraw(self, task: Task, decision: Decision) -> NoReturn:
        finding = decision.findings[0] if decision.findings else None
        rule = str(decision.verdict) if finding is None else finding.rule
        self.tasks.withdraw(task.id, rule=rule, now=self.now())
        msg = f"task {task.id} is withdrawn: {rule}"
        hint = None
        if finding is not None:
            words = finding.message.get(task.locale[:_LANGUAGE]) or finding.message.get("es")
            hint = f"{finding.citation}: {words}" if words else finding.citation
        raise WithdrawnError(msg, hint=hint)
