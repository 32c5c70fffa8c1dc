"""
Payments: a webhook only names one. It is asked for, outside of any transaction, before anything is believed.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import anyio

from cobranza_sdk.engine._calls import Repeat
from cobranza_sdk.engine._workplace import Workplace
from cobranza_sdk.loading import Configured
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.spec import Event, ProviderError
from cobranza_sdk.store import Entry, StoreError


class PaymentDesk:
    """
    Acts on what payment accounts announced.

    Args:
        place: What to work with.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place

    async def process(self, limit: int = 500) -> dict[str, int]:
        """
        Ask for each payment that was named and bring the debts in line; returns how many webhooks ended how.
        """
        accounts = self._place.accounts.payments
        if not accounts:
            return {}
        counts: dict[str, int] = {}
        pending = partial(self._place.tenant.inbox.pending, limit, only=list(accounts))
        for entry in await anyio.to_thread.run_sync(pending):
            what = await self._act(entry, accounts[entry.endpoint])
            counts[what] = counts.get(what, 0) + 1
        return counts

    async def process_all(self) -> None:
        """
        Act on everything that can be acted on now.
        """
        while set(await self.process()) - {"failing"}:
            pass

    async def _act(self, entry: Entry, account: Configured) -> str:
        """
        Act on one webhook; one that cannot be acted on waits behind the others, and holds up nobody else.
        """
        tenant, payment_id = self._place.tenant, entry.event.provider_message_id
        ours = account.provider.account == entry.event.account
        if not ours or payment_id is None:
            outcome = "quarantined" if not ours else "noted"
            await anyio.to_thread.run_sync(tenant.inbox.close, entry, outcome)
            return outcome
        try:
            told = await self._fetch(account, payment_id)
            return await anyio.to_thread.run_sync(
                partial(
                    tenant.payments.apply,
                    entry,
                    told,
                    source=account.provider.name,
                    serves=account.settings.serves,
                )
            )
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # law 8: one payment that cannot be read must not stop the others
            reason = str(error) if isinstance(error, CobranzaError) else type(error).__name__
            self._place.logger.warning("payment.failing", account=account.name, entry=entry.id, reason=reason)
            after = error.retry_after if isinstance(error, ProviderError) else None
            wait = timedelta(seconds=after or 0)
            return await anyio.to_thread.run_sync(partial(tenant.payments.postpone, entry, reason, at_least=wait))

    async def _fetch(self, account: Configured, payment_id: str) -> Event:
        guard = self._place.guards.of(account)
        told: object = await guard.ask("fetch", lambda: account.provider.fetch(payment_id), Repeat.HARMLESS)
        if (
            not isinstance(told, Event)
            or told.provider_message_id != payment_id
            or told.account != account.provider.account
        ):
            raise ProviderError.unrecognised(vendor_message="another payment than asked for")
        return told
