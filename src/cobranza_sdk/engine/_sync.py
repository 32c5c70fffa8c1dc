"""
Sync: an ERP's records into the portfolio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import anyio
from attrs import field, frozen

from cobranza_sdk.engine._calls import AccountGuard, Repeat
from cobranza_sdk.engine._guard import PluginExitError
from cobranza_sdk.engine._workplace import Desk
from cobranza_sdk.loading import Configured
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.spec import ErpBatch, ProviderError

#: Longest time that an ERP may take for one batch, in seconds.
BATCH_DEADLINE_S = 300.0
_AUTHOR = "ask the plugin's author: this happened in the plugin's own code"

#: Told how many records were read so far.
Progress = Callable[[int], None]


class SyncError(CobranzaError):
    """
    An ERP could not be read to its end. What was read before is stored, with its cursor.
    """


@frozen(kw_only=True)
class SyncReport:
    """
    What a sync of one ERP for one creditor did.

    Attributes:
        erp: Configured name.
        creditor_id: Whose portfolio.
        created: Rows that are new, by kind.
        changed: Rows that are different, by kind.
        unchanged: Rows that were there already, by kind.
        rejected: Rows that were not taken.
        written: Results that the ERP was told.
    """

    erp: str
    creditor_id: str
    created: dict[str, int] = field(factory=dict)
    changed: dict[str, int] = field(factory=dict)
    unchanged: dict[str, int] = field(factory=dict)
    rejected: int = 0
    written: int = 0


async def write_back(desk: Desk, account: Configured, guard: AccountGuard) -> int:
    """
    Tell an ERP what it was not told yet; returns how many updates it took. What was told is not told again; cut short
    between the two, the same updates are told once more.

    Raises:
        SyncError: It did not take them.
    """
    results, told = desk.store.results, 0
    while True:
        updates, seq = await anyio.to_thread.run_sync(results.pending, account.name)
        if seq is None:
            return told
        if updates:
            try:
                await guard.ask("write_back", partial(account.provider.write_back, updates), Repeat.UNSENT)
            except ProviderError as error:
                cause = error.__cause__ if isinstance(error.__cause__, CobranzaError) else error
                msg = f"erps.{account.name}: results cannot be written: {cause}"
                raise SyncError(msg, hint=getattr(cause, "hint", None)) from error
        await anyio.to_thread.run_sync(results.keep, account.name, seq)
        told += len(updates)


async def _batches(account: Configured, guard: AccountGuard, cursor: str | None) -> AsyncIterator[ErpBatch]:
    reading = aiter(account.provider.read(cursor))
    while (batch := await guard.draw("read", partial(anext, reading, None), BATCH_DEADLINE_S)) is not None:
        if not isinstance(batch, ErpBatch):
            msg = "read gave what is no ErpBatch"
            raise CobranzaError(msg)
        yield batch


async def sync(desk: Desk, account: Configured, guard: AccountGuard, progress: Progress | None = None) -> SyncReport:
    """
    Read an ERP from where it was left, batch by batch; each batch is stored with its cursor in one transaction.

    Raises:
        SyncError: The ERP cannot be read.
    """
    portfolio = desk.store.portfolio
    cursor, run = await anyio.to_thread.run_sync(portfolio.begin_sync, account.name)
    totals: dict[str, Any] = {"created": {}, "changed": {}, "unchanged": {}}
    rejected = seen = 0
    try:
        async for batch in _batches(account, guard, cursor):
            result = await anyio.to_thread.run_sync(
                partial(
                    portfolio.put_batch,
                    batch,
                    erp=account.name,
                    run=run,
                    confirmed=account.settings.contacts_confirmed,
                )
            )
            for name, counts in totals.items():
                for kind, count in getattr(result, name).items():
                    counts[kind] = counts.get(kind, 0) + count
            rejected += len(batch.rejected) + len(result.rejected)
            seen += len(batch.records) + len(batch.rejected)
            if progress is not None:
                progress(seen)
    except ProviderError as error:
        msg = f"erps.{account.name}: cannot be read: {error}"
        raise SyncError(msg) from error
    except PluginExitError as error:
        msg = f"erps.{account.name}: the plugin failed: {error}"
        raise SyncError(msg, hint=_AUTHOR) from error
    except CobranzaError as error:
        msg = f"erps.{account.name}: {error}"
        raise SyncError(msg, hint=error.hint) from error
    except Exception as error:
        msg = f"erps.{account.name}: the plugin failed: {type(error).__name__}"
        raise SyncError(msg, hint=_AUTHOR) from error
    return SyncReport(erp=account.name, creditor_id=desk.creditor.id, **totals, rejected=rejected)
