"""
The guard around plugin code: a deadline on every call, and no exception that gets past.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import anyio

from cobranza_sdk.model import CobranzaError, Contact, Finding
from cobranza_sdk.spec import (
    Category,
    CompliancePolicy,
    Disposition,
    LiveInterlockError,
    ProviderError,
    Transmitted,
    UnsupportedCapabilityError,
)

T = TypeVar("T")

#: Longest time that synchronous plugin code may take, in seconds.
SYNC_DEADLINE_S = 2.0


class PluginLateError(CobranzaError):
    """
    Synchronous plugin code did not answer in time. Its thread is left behind.
    """


class PluginExitError(CobranzaError):
    """
    Plugin code raised what would end the process, or cancelled itself. The text is the name of what it raised.
    """


def call_in_thread(function: Callable[..., T], *arguments: Any, deadline_s: float = SYNC_DEADLINE_S) -> T:
    """
    Call synchronous plugin code in a thread of its own, and wait no longer than the deadline.

    Raises:
        PluginLateError: It is not done.
        BaseException: Whatever it raised.
    """
    answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((True, function(*arguments)))
        except BaseException as error:  # noqa: BLE001  # handed to the caller, who decides
            answers.put((False, error))

    threading.Thread(target=run, daemon=True, name="cobranza-plugin").start()
    try:
        done, answer = answers.get(timeout=deadline_s)
    except Empty:
        msg = f"plugin code took longer than {deadline_s:g} s"
        raise PluginLateError(msg) from None
    if done:
        result: T = answer
        return result
    raise answer


class GuardedPolicies:
    """
    Asks policies with a deadline. One that was late once is not asked again: it denies.
    """

    def __init__(self, deadline_s: float = SYNC_DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._quarantined: set[str] = set()

    def __call__(self, policy: CompliancePolicy, contact: Contact) -> Sequence[Finding]:
        """
        The policy's findings.

        Raises:
            PluginLateError: It is late, or was before.
        """
        if policy.name in self._quarantined:
            msg = "the policy was late before and is not asked any more"
            raise PluginLateError(msg)
        try:
            return call_in_thread(policy.judge, contact, deadline_s=self._deadline_s)
        except PluginLateError:
            self._quarantined.add(policy.name)
            raise


async def call_guarded(call: Callable[[], Awaitable[T]], deadline_s: float) -> T:
    """
    Await asynchronous plugin code, no longer than the deadline. Interrupts and our own cancellation pass.

    Raises:
        TimeoutError: It is not done.
        PluginExitError: It tried to end the process or cancelled itself.
        Exception: Whatever it raised.
    """
    try:
        with anyio.fail_after(deadline_s):
            return await call()
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # we are being cancelled; otherwise the plugin raised it by itself
        raise PluginExitError(type(error).__name__) from error


def classed(error: Exception) -> ProviderError:
    """
    What a failed call means. Law 8: what a plugin raises harms only its own attempt.
    """
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, LiveInterlockError):
        return ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO, vendor_message=str(error))
    if isinstance(error, UnsupportedCapabilityError):
        return ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_message=str(error))
    if isinstance(error, TimeoutError):
        return ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)
    return ProviderError.unrecognised(
        vendor_message=str(error) if isinstance(error, PluginExitError) else type(error).__name__
    )
