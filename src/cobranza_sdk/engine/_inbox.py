"""
The inbox: verify, parse, store once, and only then act.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import anyio
from attrs import frozen

from cobranza_sdk.engine._dispatch import next_ways
from cobranza_sdk.engine._guard import PluginLateError, call_in_thread
from cobranza_sdk.engine._payments import PaymentDesk
from cobranza_sdk.engine._replies import intent_of
from cobranza_sdk.engine._workplace import Workplace
from cobranza_sdk.loading import Configured
from cobranza_sdk.model import CobranzaError, EventKind
from cobranza_sdk.spec import Event, VerifiedEnvelope, WebhookRejectedError, WebhookRequest
from cobranza_sdk.store import Entry, StoreError

_FROM_PEOPLE = {
    EventKind.INBOUND_MESSAGE: None,
    EventKind.OPT_OUT: "opt_out",
    EventKind.WRONG_NUMBER: "wrong_number",
    EventKind.OPT_IN: "other",
}


@frozen(kw_only=True)
class WebhookAnswer:
    """
    What to tell the vendor.

    Attributes:
        status: HTTP status.
        content_type: Of the body.
        body: Text.
        stored: How many events are new.
    """

    status: int
    content_type: str = "text/plain"
    body: str = ""
    stored: int = 0


class InboxDesk:
    """
    Takes webhooks and acts on what they tell.

    Args:
        place: What to work with.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def largest(self, name: str) -> int | None:
        """
        Size in bytes of the largest webhook that is read for an account, or None where there is no such account.
        """
        account = self._account(name)
        return None if account is None else int(account.provider.capabilities.webhook_bytes)

    def _account(self, name: str) -> Configured | None:
        """
        A channel's account, or a payment account: no name is both.
        """
        accounts = self._place.accounts
        return accounts.channels.get(name) or accounts.payments.get(name)

    def receive(self, name: str, request: WebhookRequest) -> WebhookAnswer:
        """
        Take one webhook: answered once its events are stored, before they are acted on.

        Args:
            name: Configured name of the account, from the address.
            request: The request.
        """
        account = self._account(name)
        if account is None:
            return WebhookAnswer(status=404, body="no such account")
        provider = account.provider
        try:
            challenge = call_in_thread(provider.challenge, request)
            if challenge is not None:
                return WebhookAnswer(status=200, body=str(challenge))
            envelope = call_in_thread(provider.verify, request)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # law 9: what cannot be verified is refused
            return self._refused(name, 403, error)
        try:
            events = self._parsed(provider, envelope)
            stored = 0
            for endpoint, group in self._by_account(name, request, events).items():
                stored += self._place.tenant.inbox.store(endpoint, group, request.received_at)
            content_type, body = provider.acknowledge()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # law 8: a parser that fails harms only this request
            again = isinstance(error, (PluginLateError, StoreError))
            return self._refused(name, 503 if again else 400, error)
        return WebhookAnswer(status=200, content_type=content_type, body=body, stored=stored)

    def _by_account(self, name: str, request: WebhookRequest, events: Sequence[Event]) -> dict[str, list[Event]]:
        """
        Sort events by the account they are about. Another account takes one only if its own secret proves the request.
        """
        if name in self._place.accounts.payments:
            return {name: list(events)}
        here = self._place.accounts.channels[name].provider
        found: dict[str, list[Event]] = {}
        for event in events:
            endpoint = name
            if event.account != here.account:
                for account in self._place.accounts.channels.values():
                    same = type(account.provider) is type(here) and account.provider.account == event.account
                    if same and self._proves(account.provider, request):
                        endpoint = account.name
            found.setdefault(endpoint, []).append(event)
        return found

    @staticmethod
    def _proves(provider: Any, request: WebhookRequest) -> bool:
        try:
            return isinstance(call_in_thread(provider.verify, request), VerifiedEnvelope)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  # whatever goes wrong proves nothing
            return False

    def _parsed(self, provider: Any, envelope: object) -> Sequence[Event]:
        if not isinstance(envelope, VerifiedEnvelope):
            msg = "verify returned no envelope"
            raise WebhookRejectedError(msg)
        events = tuple(call_in_thread(provider.parse, envelope))
        if not all(isinstance(event, Event) for event in events):
            msg = "parse returned what is no Event"
            raise WebhookRejectedError(msg)
        return events

    def _refused(self, name: str, status: int, error: BaseException) -> WebhookAnswer:
        # Only our own errors promise to quote nothing of the request.
        reason = str(error) if isinstance(error, CobranzaError) else type(error).__name__
        self._place.logger.warning("webhook.refused", account=name, status=status, reason=reason)
        return WebhookAnswer(status=status, body="refused")

    def process(self, limit: int = 500) -> dict[str, int]:
        """
        Act on what channels reported, in the order it came; returns how many ended how. Payments have to be asked for:
        see `aprocess`.
        """
        counts: dict[str, int] = {}
        for entry in self._place.tenant.inbox.pending(limit, without=self._place.accounts.payment_names):
            what = self._act_safely(entry)
            counts[what] = counts.get(what, 0) + 1
        return counts

    async def aprocess(self, limit: int = 500) -> dict[str, int]:
        """
        Act on what is stored, payments included; returns how many ended how.
        """
        counts = Counter(await anyio.to_thread.run_sync(self.process, limit))
        counts.update(await PaymentDesk(self._place).process(limit))
        return dict(counts)

    def process_all(self) -> None:
        """
        Act on everything that channels reported and that can be acted on now.
        """
        while set(self.process()) - {"parked", "failing"}:
            pass

    def _act_safely(self, entry: Entry) -> str:
        """
        Act on one event; what cannot be acted on waits behind the others, and holds up nobody else.
        """
        try:
            return self._act(entry)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # one poisonous event must not stop the others
            self._place.logger.warning("event.failing", entry=entry.id, error=type(error).__name__)
            return self._place.tenant.inbox.postpone(entry)

    def _act(self, entry: Entry) -> str:
        inbox = self._place.tenant.inbox
        endpoint = self._endpoint(entry)
        if endpoint is None:
            inbox.close(entry, "quarantined")
            self._place.logger.warning("event.quarantined", account=entry.endpoint, entry=entry.id)
            return "quarantined"
        entry = Entry(id=entry.id, endpoint=endpoint, event=entry.event, received_at=entry.received_at)
        intent = self._intent(entry)
        channel = self._place.accounts.channels[endpoint].provider.capabilities.channel
        return inbox.apply(entry, intent, channel=channel, follow=self._follow(entry, intent)).what

    def _follow(self, entry: Entry, intent: str | None) -> tuple[str, str | None] | None:
        """
        How an outreach goes on: by the next channel after a failure, with its own message after a confirmation.
        """
        if entry.event.kind is not EventKind.FAILED and intent != "holder_confirmed":
            return None
        concerned = self._place.tenant.inbox.concerned(entry)
        desk = None if concerned is None else self._place.desks.get(concerned[1])
        if concerned is None or desk is None:
            return None
        facts = desk.store.attempts.facts([concerned[0]])
        if intent == "holder_confirmed":
            item = facts[concerned[0]]
            return item.attempt.channel, item.attempt.contact_point_id
        return next_ways(self._place, desk, list(facts.values())).get(concerned[0])

    def _endpoint(self, entry: Entry) -> str | None:
        """
        The configured account that the vendor's account id belongs to; None when it is not the one that was called.
        """
        here = self._place.accounts.channels.get(entry.endpoint)
        return entry.endpoint if here is not None and here.provider.account == entry.event.account else None

    def _intent(self, entry: Entry) -> str | None:
        if entry.event.kind not in _FROM_PEOPLE:
            return None
        known = _FROM_PEOPLE[entry.event.kind]
        if known is not None:
            return known
        identity = self._place.tenant.inbox.was_identity(entry.event, entry.endpoint)
        return intent_of(entry.event.text, answers_identity=identity)
