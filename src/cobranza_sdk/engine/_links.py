"""
Payment links: one per outreach and amount, made before the claim and never in it.
"""

from __future__ import annotations

from functools import partial

from cobranza_sdk.engine._calls import Repeat
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
            link: object = await self._found(account, reference, amount)
            if link is None:
                link = await self._made(account, reference, amount)
        except Exception as error:  # noqa: BLE001  # law 8: a vendor that makes no link must not stop the message
            reason = str(error) if isinstance(error, CobranzaError) else type(error).__name__
            self._place.logger.warning("link.not_made", account=account.name, outreach=reference, reason=reason)
            return None
        fits = isinstance(link, PaymentLink) and (link.reference, link.amount) == (reference, amount)
        return link.url if fits and isinstance(link, PaymentLink) else None

    async def _found(self, account: Configured, reference: str, amount: Money) -> PaymentLink | None:
        """
        A link that was made before, for an attempt that was put off or whose answer was lost. One for another amount is
        withdrawn: what it asks for is not owed any more.
        """
        provider, guard = account.provider, self._place.guards.of(account)
        if not provider.capabilities.search:
            return None
        found = None
        links = await guard.ask(
            "find_links", lambda: provider.find_links(reference), Repeat.HARMLESS, correlation=reference
        )
        for link in links:
            if link.amount == amount:
                found = link
            elif provider.capabilities.cancel:
                cancel = partial(provider.cancel_link, link.id)
                await guard.ask("cancel_link", cancel, Repeat.HARMLESS, correlation=reference)
        return found

    async def _made(self, account: Configured, reference: str, amount: Money) -> PaymentLink | None:
        provider = account.provider
        keyed = provider.capabilities.idempotency_window is not None

        async def make() -> PaymentLink:
            made: PaymentLink = await provider.create_link(
                amount=amount,
                reference=reference,
                description=self._desk.creditor.name,
                idempotency_key=f"{reference}:{amount.minor}",
            )
            return made

        try:
            repeat = Repeat.KEYED if keyed else Repeat.UNSENT
            return await self._place.guards.of(account).ask("create_link", make, repeat, correlation=reference)
        except ProviderError as error:
            if error.transmitted is Transmitted.NO:
                raise
            found = await self._found(account, reference, amount)
            if found is None:
                raise
            return found
