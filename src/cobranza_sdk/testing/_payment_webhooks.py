"""
Checks of webhooks: proven, read, and believed in nothing but a name.
"""

from __future__ import annotations

import json
import typing
from datetime import timedelta

from attrs import evolve

from cobranza_sdk.model import EventKind
from cobranza_sdk.spec import WebhookRequest
from cobranza_sdk.testing._bench import RUBBISH, WRONG, forgeries, leaves, other_secrets, replaced
from cobranza_sdk.testing._conformance import check, not_applicable
from cobranza_sdk.testing._payment_bench import KINDS, NEW_WORD, Bench, PaymentChecks, account_of


class WebhookChecks(PaymentChecks):
    """
    A webhook is a hint: it names a payment, and only the vendor can have sent it.
    """

    def _announced(self, bench: Bench, *payment_ids: str) -> list[WebhookRequest]:
        if not self.provider.capabilities.webhooks:
            not_applicable("no webhooks are declared")
        bench.hooks.take()
        status = bench.sandbox.announce(*payment_ids)
        requests = bench.hooks.take()
        if status is None or not requests:
            bench.fail("the emulator announces nothing", "a webhook, since they are declared")
        return requests

    def _a_webhook(self, bench: Bench) -> tuple[WebhookRequest, str]:
        _, payment_id = bench.payment()
        return self._announced(bench, payment_id)[0], payment_id

    @check("a webhook names a payment and is believed in nothing else; what it holds is asked for")
    def test_a_webhook_is_a_hint(self) -> None:
        with self.bench(relayed=True) as bench:
            link = bench.run(bench.link)
            for outcome, kind in KINDS.items():
                payment_id = bench.sandbox.pay(link.id, outcome)
                if payment_id is None:
                    continue
                requests = self._announced(bench, payment_id)
                before = bench.between.connections
                events = bench.events(requests)
                if bench.wire.exchanges or bench.between.connections != before:
                    bench.fail("a request was made while a webhook was read", "no I/O: the core asks, later")
                if {event.provider_message_id for event in events} != {payment_id}:
                    named = [event.provider_message_id for event in events]
                    bench.fail(f"payments {named}", f"the payment {payment_id}")
                if {event.account for event in events} != {bench.run(account_of)}:
                    bench.fail(f"account {events[0].account}", "the account that these settings speak for")
                told = bench.state(payment_id)
                bench.expect([("kind of what it names", told.kind, kind)])

    @check("whoever can post to a public address could otherwise make us ask for any payment")
    def test_forged_webhooks_are_rejected(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            good = bench.events([request])
            bare = evolve(request, headers={}, url=request.url.partition("?")[0])
            if bench.outcome(bare) is not None:
                bench.fail("taken without headers and query", "WebhookRejectedError: nothing proves the sender")
            for name, forged in forgeries(request):
                found = bench.outcome(forged)
                if found is not None and found != good:
                    bench.fail(f"taken with {name}: {found}", "WebhookRejectedError, or the same events")

    @check("an account that was set up without its secret must trust nobody, and one account not another's")
    def test_another_accounts_secret_does_not_verify(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            secrets = bench.secrets()
            if not secrets:
                not_applicable("the emulator's settings hold no secret")
            if bench.outcome(request, **other_secrets(secrets)) is not None:
                bench.fail("taken with other secrets", "WebhookRejectedError")

    @check("while a secret is rotated the vendor signs with both; a webhook refused is a payment not seen")
    def test_a_rotated_secret_verifies(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            good = bench.events([request])
            old = {name: value for name, value in bench.secrets().items() if self._is_several(name)}
            if not old:
                not_applicable("no setting takes several secrets")
            new = other_secrets(old)
            for several in ([new, old], [old, new]):
                both = {name: [each[name] for each in several] for name in old}
                if bench.outcome(request, **both) != good:
                    bench.fail("refused while the secret is rotated", "the same events")
            if bench.outcome(request, **{name: [value] for name, value in new.items()}) is not None:
                bench.fail("taken after the old secret was removed", "WebhookRejectedError")

    def _is_several(self, name: str) -> bool:
        return "tuple" in str(typing.get_type_hints(self.provider.config).get(name)).lower()

    @check("a webhook that somebody kept must not be played again a year later")
    def test_an_old_webhook_is_not_replayed(self) -> None:
        window = self.replay_window
        if window is None:
            not_applicable("its vendor signs no time")
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            good, at_once = bench.events([request]), request.received_at
            for away in (window * 0.9, window * 1.1, timedelta(days=3650), -timedelta(days=1)):
                found = bench.outcome(evolve(request, received_at=at_once + away))
                wanted = good if timedelta(0) <= away <= window else None
                if found != wanted:
                    bench.fail(f"{'taken' if found else 'rejected'} {away} after its signing", f"{window} at most")

    @check("vendors deliver twice, late and out of order; only a stable key keeps one payment one payment")
    def test_a_redelivery_has_the_same_keys(self) -> None:
        late = timedelta(hours=2) if self.replay_window is None else min(timedelta(hours=2), self.replay_window / 2)
        with self.bench() as bench:
            _, one = bench.payment()
            _, two = bench.payment()
            first = self._announced(bench, one)
            later = [evolve(each, received_at=each.received_at + late) for each in first]
            keys, again = ([event.key for event in bench.events(each)] for each in (first, later))
            if keys != again or not keys:
                bench.fail(f"keys {again} for the webhook of {keys}", "the same keys, at any time")
            both = keys + [event.key for event in bench.events(self._announced(bench, two))]
            if len(set(both)) != len(both):
                bench.fail(f"keys {both}", "each once")

    @check("a batch that is read to its first entry loses every payment behind it")
    def test_several_payments_are_all_named(self) -> None:
        with self.bench() as bench:
            ids = [bench.payment()[1] for _ in range(3)]
            events = bench.events(self._announced(bench, *ids))
            named = {event.provider_message_id for event in events}
            if named != set(ids) or len({event.key for event in events}) != len(events):
                bench.fail(f"payments {named}, keys {[event.key for event in events]}", f"{ids}, each key once")

    @check("a vendor adds kinds of webhooks without asking; a signed one that stumbles is redelivered for days")
    def test_signed_rubbish_is_rejected_or_says_nothing(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            huge = b'{"object": "' + b"x" * (self.provider.capabilities.webhook_bytes - 32) + b'"}'
            for body in (*RUBBISH, huge):
                signed = self.signed(bench.sandbox, body, request)
                if signed is None:
                    not_applicable("no body is ever read")
                for event in bench.outcome(signed) or ():
                    if event.kind is not EventKind.UNKNOWN:
                        bench.fail(f"{event.kind} out of {body[:40]!r}", "nothing, unknown, or WebhookRejectedError")

    @check("new words and missing parts in a webhook are tomorrow's release of the vendor")
    def test_a_webhook_of_the_wrong_shape_is_read_with_care(self) -> None:
        with self.bench() as bench:
            request, payment_id = self._a_webhook(bench)
            try:
                real = json.loads(request.body)
            except ValueError:
                not_applicable("its vendor's webhooks are no JSON")
            for path in leaves(real):
                for wrong in (*WRONG, NEW_WORD):
                    body = json.dumps(replaced(json.loads(request.body), path, wrong)).encode()
                    signed = self.signed(bench.sandbox, body, request)
                    if signed is None:
                        not_applicable("no body is ever read")
                    where = f"{'.'.join(map(str, path))} = {wrong!r}"
                    named = {payment_id, None, str(wrong), *(wrong if isinstance(wrong, list) else ())}
                    for event in bench.outcome(signed) or ():
                        if event.provider_message_id not in named:
                            bench.fail(f"{event} for {where}", f"{payment_id}, nothing, or WebhookRejectedError")
