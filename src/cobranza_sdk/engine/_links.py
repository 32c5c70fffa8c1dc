"""
Payment links: one per outreach and amount, made before the claim and never in it.
"""

from __future__ import annotations

from typing import Any

from cobranza_sdk.engine._guard import call_guarded
from cobranza_sdk.engine._workplace import Desk, Workplace
from cobranza_sdk.loading import Configured
from cobranza_sdk.model import CobranzaError, Money
from cobranza_sdk.spec import PaymentLink, ProviderError, Transmitted
from cobranza_sdk.store import Facts


class LinkDesk:
    """
    Makes the links of one creditor's messages.

    Args:
        place: What to work with.
        desk: Whose messages.
    """

    def __init__(self, place: Workplace, desk: Desk) -> None:
        self._place, self._desk = place, desk

    @property
    def account(self) -> Configured | None:
        """
        The account that makes them; None where the creditor names none, or where it could not be built.
        """
        return self._place.accounts.payments.get(self._desk.payments or "")

    async def url_for(self, facts: Facts) -> str | None:
        """
        Address of a link for what is owed now; None where none can be had, whatever the reason.
        """
        account, amount = self.account, facts.balance
        if account is None or amount.currency not in account.provider.capabilities.currencies:
            return None
        reference = facts.attempt.outreach_id
        try:
            link: object = await self._found(account.provider, reference, amount)
            if link is None:
                link = await self._made(account.provider, reference, amount)
        except Exception as error:  # noqa: BLE001  # law 8: a vendor that makes no link must not stop the message
            reason = str(error) if isinstance(error, CobranzaError) else type(error).__name__
            self._place.logger.warning("link.not_made", account=account.name, outreach=reference, reason=reason)
            return None
        fits = isinstance(link, PaymentLink) and (link.reference, link.amount) == (reference, amount)
        return link.url if fits and isinstance(link, PaymentLink) else None

    async def _found(self, provider: Any, reference: str, amount: Money) -> PaymentLink | None:
        """
        A link that was made before, for an attempt that was put off or whose answer was lost. One for another amount is
        withdrawn: what it asks for is not owed any more.
        """
        if not provider.capabilities.search:
            return None
        found = None
        for link in await call_guarded(lambda: provider.find_links(reference), self._place.deadline_s):
            if link.amount == amount:
                found = link
            elif provider.capabilities.cancel:
                await self._withdraw(provider, link.id)
        return found

    async def _withdraw(self, provider: Any, link_id: str) -> None:
        await call_guarded(lambda: provider.cancel_link(link_id), self._place.deadline_s)

    async def _made(self, provider: Any, reference: str, amount: Money) -> PaymentLink | None:
        async def make() -> PaymentLink:
            made: PaymentLink = await provider.create_link(
                amount=amount,
                reference=reference,
                description=self._desk.creditor.name,
                idempotency_key=f"{reference}:{amount.minor}",
            )
            return made

        try:
            return await call_guarded(make, self._place.deadline_s)
        except (ProviderError, TimeoutError) as error:
            if isinstance(error, ProviderError) and error.transmitted is Transmitted.NO:
                raise
            found = await self._found(provider, reference, amount)
            if found is None:
                raise
            return found
