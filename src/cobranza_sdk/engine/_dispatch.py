"""
Dispatch: lease → facts → judge → render → claim → transmit → settle, in that order and no other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
from attrs import evolve, field, frozen

from cobranza_sdk.compliance import DISCLOSE_NOTHING, DISCLOSES_NOTHING, SAYS, Decider, house_finding
from cobranza_sdk.engine._crash import crashpoint
from cobranza_sdk.engine._links import LinkDesk
from cobranza_sdk.engine._pace import SHORTEST_WAIT_S
from cobranza_sdk.engine._workplace import Desk, Workplace, locale_of
from cobranza_sdk.loading import Configured
from cobranza_sdk.model import AttemptState, CobranzaError, Decision, InvalidValueError, Verdict
from cobranza_sdk.spec import (
    Accepted,
    Category,
    Disposition,
    OutboundMessage,
    ProviderError,
    Transmitted,
    require_supported,
)
from cobranza_sdk.store import Claimed, Facts, Override, Prepared, Settlement, Unsent
from cobranza_sdk.strategy import Step
from cobranza_sdk.templates import Rendered, Template, TemplateError, Variables, render

#: How long a worker keeps what it leased; a killed one's attempts are free again after that.
LEASE = timedelta(minutes=15)
#: How long after its deadline a call counts as lost.
LOST_AFTER = timedelta(seconds=60)
_HOLD_AGAIN = timedelta(hours=24)
_FIX_AGAIN = timedelta(hours=1)
_BACKOFF = timedelta(minutes=5)
_MAX_BACKOFF = timedelta(hours=1)
#: Longest wait that a provider may ask for; a step's last day ends it anyway.
_MAX_WANTED = timedelta(days=7)
#: Attempts on one channel of one outreach, the first included, before the next channel is tried.
_MAX_TRIES = 3
#: Longest wait for a slot of an account, in seconds; what would wait longer is given back.
_PATIENCE_S = 60.0
#: What is wrong with the account, not with the message: the others wait instead of running into it.
_ACCOUNT_BROKEN = (Category.AUTH, Category.CONFIG, Category.FUNDS)
#: Barriers that stand in the way of one channel only: the step's next one is tried.
_NEXT_CHANNEL = ("no_account", "no_address")
#: Variables that show where to pay.
_SHOW_LINK = frozenset({"payment_url", "how_to_pay"})
#: States in which somebody may still carry it out.
_IN_HANDS = (AttemptState.ACCEPTED, AttemptState.SENT)
_OPT_OUT_WORDS = {"pt": "SAIR", "en": "STOP"}

#: Gives the address of a payment link for an attempt, or None.
Link = Callable[[Facts], str | None]
#: Told how many attempts were handled so far.
Progress = Callable[[int], None]


@frozen(kw_only=True)
class DispatchReport:
    """
    What a dispatch did.

    Attributes:
        handled: Attempts that were looked at.
        counts: Attempts by what became of them: ``accepted``, ``deferred``, ``suppressed`` …
        reasons: Why, for those that were not sent: attempts by state and rule or word.
        stopped: Why everything is stopped, or None.
    """

    handled: int = 0
    counts: Mapping[str, int] = field(factory=dict)
    reasons: Mapping[tuple[str, str], int] = field(factory=dict)
    stopped: str | None = None


@frozen(kw_only=True)
class _Ready:
    """
    A judged and rendered attempt.
    """

    prepared: Prepared
    message: OutboundMessage = field(repr=False)
    account: Configured
    step: Step
    flags: frozenset[str]
    facts: Facts


@frozen(kw_only=True)
class _Judged:
    """
    A decision, with the flags that it was made for.

    Attributes:
        decision: What was decided.
        flags: What amendments were applied, and which exceptions stated.
        overrides: Those that the decision needs.
        set_aside: Rules that these let it pass.
    """

    decision: Decision
    flags: frozenset[str]
    overrides: tuple[Override, ...] = ()
    set_aside: tuple[str, ...] = ()


class Dispatcher:
    """
    Sends what is due for one creditor.

    Args:
        place: What to work with.
        desk: Whose attempts.
        before: What was done for other creditors in the same run; it is counted on.
    """

    def __init__(self, place: Workplace, desk: Desk, before: DispatchReport | None = None) -> None:
        before = before or DispatchReport()
        self._place, self._desk = place, desk
        self._links = LinkDesk(place, desk)
        self._paused: set[str] = set()
        self._handled, self._stopped = before.handled, before.stopped
        self._counts: Counter[str] = Counter(before.counts)
        self._reasons: Counter[tuple[str, str]] = Counter(before.reasons)

    async def run(
        self,
        *,
        limit: int | None = None,
        progress: Progress | None = None,
        hear: Callable[[], None] = lambda: None,
    ) -> DispatchReport:
        """
        Work until nothing is due, *limit* attempts were handled, or everything is stopped.

        Args:
            limit: Most attempts to handle in the whole run.
            progress: Told how many were handled in the whole run.
            hear: Called before each batch and after each wait, to act on what people answered meanwhile.
        """
        attempts = self._desk.store.attempts
        lost = await anyio.to_thread.run_sync(attempts.recover, LOST_AFTER)
        if lost:
            self._counts["unknown"] += lost
        while limit is None or self._handled < limit:
            await anyio.to_thread.run_sync(hear)
            self._stopped = await anyio.to_thread.run_sync(self._place.tenant.switch.reason)
            if self._stopped is not None:
                break
            size = self._place.batch if limit is None else min(self._place.batch, limit - self._handled)
            leased = dict(
                await anyio.to_thread.run_sync(partial(attempts.lease, size, LEASE, skip_channels=self._closed()))
            )
            if not leased:
                break
            crashpoint("after_lease")
            await self._batch(leased, hear)
            self._handled += len(leased)
            if progress is not None:
                progress(self._handled)
        return DispatchReport(
            handled=self._handled, counts=dict(self._counts), reasons=dict(self._reasons), stopped=self._stopped
        )

    def preview(self, *, limit: int = 1000) -> list[dict[str, Any]]:
        """
        What `run` would do with what is due, without doing it: a verdict and a reason per attempt.
        """
        ids = self._desk.store.attempts.due(limit)
        facts = self._desk.store.attempts.facts(ids)
        answers = []
        for attempt_id in ids:
            item = self._prepare(facts[attempt_id], token=0, link=self._stand_in)
            answers.append(
                {
                    "attempt_id": attempt_id,
                    "channel": facts[attempt_id].attempt.channel,
                    "would": str(item.state) if isinstance(item, Unsent) else "send",
                    "reason": item.reason if isinstance(item, Unsent) else None,
                    "not_before": item.due_at.isoformat() if isinstance(item, Unsent) and item.due_at else None,
                }
            )
        return answers

    def recheck(self, attempt_id: str) -> Decision:
        """
        Judge again, by the facts of now, what somebody was handed to carry out later: a call, a visit. Nothing is
        charged or recorded.

        Raises:
            InvalidValueError: There is no such attempt, or it is not in somebody's hands.
        """
        facts = self._desk.store.attempts.facts_of_made(attempt_id)
        if facts is None or facts.attempt.state not in _IN_HANDS:
            found = "no such attempt" if facts is None else f"an attempt that is {facts.attempt.state}"
            msg = f"attempt {attempt_id}: found {found}, expected one that is {' or '.join(_IN_HANDS)}"
            raise InvalidValueError(msg)
        now, step = self._place.clock.now(), self._step(facts)
        barrier = self._barrier(facts, now)
        if barrier is not None:
            state, reason, _ = barrier
            passes = state in (AttemptState.PLANNED, AttemptState.DEFERRED)  # a stop, a hold, an account to be mended
            verdict = Verdict.DEFER if passes else Verdict.DENY
            gone = evolve(house_finding("sdk.not_any_more", reason=reason), verdict=verdict)
            return Decision(verdict=verdict, at=now, findings=(gone,))
        assert step is not None  # noqa: S101  # the barrier has held it
        flags = frozenset() if facts.attempt.discloses else frozenset({DISCLOSES_NOTHING})
        contact = self._place.contact_of(self._desk, facts, step, now, flags | _grounds(facts.overrides))
        return _ending(self._place.decider.decide(contact), facts.overrides)

    async def _batch(self, leased: Mapping[str, int], hear: Callable[[], None]) -> None:
        attempts = self._desk.store.attempts
        facts = await anyio.to_thread.run_sync(attempts.facts, list(leased))
        ready: list[_Ready] = []
        unsent: list[Unsent] = []
        for attempt_id, token in leased.items():
            # Policies are plugin code with a deadline: not in the event loop.
            item = await anyio.to_thread.run_sync(self._prepare, facts[attempt_id], token, self._link)
            if isinstance(item, _Ready):
                ready.append(item)
            else:
                unsent.append(item)
        if unsent:
            declined = await anyio.to_thread.run_sync(attempts.decline, await self._with_fallback(unsent, facts))
            self._counts.update(str(item.state) for item in declined)
            self._reasons.update((str(item.state), item.reason) for item in declined)
        try:
            async for wave in self._waves(ready, hear):
                await self._send(wave)
        except BaseException:
            # What was admitted and not sent gets no answer, and the guards outlive this run.
            for item in ready:
                self._place.guards.of(item.account).release()
            raise

    def _closed(self) -> set[str]:
        """
        Channels through which nothing goes now: credentials refused in this run, or an account that is left alone for
        longer than anybody waits here.
        """
        place, patience = self._place, self._patience
        accounts = {channel: place.account_for(self._desk.creditor.id, channel) for channel in place.channels}
        waits = {channel: place.guards.of(account).wait() for channel, account in accounts.items() if account}
        return self._paused | {channel for channel, wait in waits.items() if wait > patience}

    @property
    def _patience(self) -> float:
        return 0.0 if self._place.clock.fixed else _PATIENCE_S

    async def _waves(self, ready: Sequence[_Ready], hear: Callable[[], None]) -> AsyncIterator[list[_Ready]]:
        """
        Cut a batch into what can leave at once: only that may be ``sending``, since a crash makes it ``unknown``.

        An account's share is what its pace allows; one that has to wait holds up no other. What cannot leave while the
        lease lasts is given back, with the time at which it can.
        """
        clock = self._place.clock
        ends = clock.monotonic() + LEASE.total_seconds() / 2
        queues: dict[str, deque[_Ready]] = {}
        for item in ready:
            queues.setdefault(item.account.name, deque()).append(item)
        while queues:
            wave: list[_Ready] = []
            held: list[Unsent] = []
            waits = []
            for queue in queues.values():
                wait = self._admit(queue, wave, held)
                if wait == float("inf") and wave:
                    continue  # the answer to the probe, which may be in this wave, decides
                if wait > self._patience or clock.monotonic() + wait >= ends:
                    held += [_given_back(item, "account_waits", self._at(wait)) for item in queue]
                    queue.clear()
                elif wait > 0:
                    waits.append(wait)
            await self._give_back(held)
            if wave:
                yield wave
            elif waits:
                await clock.sleep(max(min(waits), SHORTEST_WAIT_S))
                await anyio.to_thread.run_sync(hear)
            queues = {name: queue for name, queue in queues.items() if queue}

    def _admit(self, queue: deque[_Ready], wave: list[_Ready], held: list[Unsent]) -> float:
        """
        Move from *queue* to *wave* what the account may send now; returns the seconds after which it may send more.
        """
        guard = self._place.guards.of(queue[0].account)
        room = self._place.concurrency
        while queue and room:
            item = queue[0]
            address = item.message.to.value
            if item.facts.attempt.channel in self._paused:
                held.append(_given_back(item, "account_paused", self._place.clock.now()))
            elif (wait := guard.wait_for(address)) > 0:
                held.append(_given_back(item, "address_waits", self._at(wait)))
            elif (wait := guard.admit(address)) > 0:
                return wait
            else:
                wave.append(item)
                room -= 1
            queue.popleft()
        return 0.0

    def _at(self, wait: float) -> datetime:
        """
        The instant *wait* seconds from now; where another worker's probe is out, after its answer.
        """
        return self._place.clock.now() + timedelta(seconds=_PATIENCE_S if wait == float("inf") else wait)

    async def _give_back(self, held: Sequence[Unsent]) -> None:
        if held:
            declined = await anyio.to_thread.run_sync(self._desk.store.attempts.decline, held)
            self._counts["released"] += len(declined)

    # -- judging and rendering -------------------------------------------------------------------------------------

    def _link(self, facts: Facts) -> str | None:
        """
        A link of the creditor's payment account. Called in a thread of the running loop.
        """
        return None if self._links.account is None else anyio.from_thread.run(self._links.url_for, facts)

    def _stand_in(self, _facts: Facts) -> str | None:
        """
        What a preview shows instead: no link is made for what is not sent.
        """
        return None if self._links.account is None else "https://link.invalid/"

    def _prepare(self, facts: Facts, token: int, link: Link) -> _Ready | Unsent:
        """
        Judge one snapshot and write its text; or say why it is not sent now. What is not permitted gets no link.
        """
        place, row = self._place, facts.attempt
        unsent = Unsent(
            attempt_id=row.id, token=token, state=AttemptState.SUPPRESSED, reason="", fingerprint=facts.fingerprint
        )
        barrier = self._barrier(facts, place.clock.now())
        if barrier is not None:
            state, reason, due_at = barrier
            asks_next = reason in _NEXT_CHANNEL
            return evolve(unsent, state=state, reason=reason, due_at=due_at, next_channel="" if asks_next else None)
        step, account = self._step(facts), place.account_for(self._desk.creditor.id, row.channel)
        assert step is not None  # noqa: S101  # the barrier has held both
        assert account is not None  # noqa: S101
        judged = self._judge(place.decider, facts, step, place.clock.now())
        decision, flags = judged.decision, judged.flags
        if decision.verdict is not Verdict.ALLOW:
            return self._turned_down(unsent, decision)
        try:
            rendered, template = self._render(facts, step, flags, link)
            message = self._message(facts, step, account, rendered, decision)
            require_supported(account.provider, message)
        except CobranzaError as error:
            kind = "template: " if isinstance(error, TemplateError) else ""
            return evolve(unsent, reason=f"{kind}{error}"[:255], decision=decision, next_channel="")
        prepared = Prepared(
            attempt_id=row.id,
            token=token,
            fingerprint=facts.fingerprint,
            template_id=rendered.template_id,
            discloses=template.discloses,
            digest=rendered.digest,
            account=account.name,
            overrides=judged.overrides,
            set_aside=judged.set_aside,
        )
        flags |= {f"{SAYS}{part}" for part in template.parts}
        now = place.clock.now()
        worded = place.rules.decide(place.contact_of(self._desk, facts, step, now, flags, message.text))
        if worded.verdict is not Verdict.ALLOW:
            return self._turned_down(unsent, worded)
        return _Ready(prepared=prepared, message=message, account=account, step=step, flags=flags, facts=facts)

    @staticmethod
    def _turned_down(unsent: Unsent, decision: Decision) -> Unsent:
        """
        Deferred where waiting cures it; else suppressed, and the step's next channel is asked for.
        """
        reason = decision.findings[0].rule
        if decision.verdict is Verdict.DEFER:
            return evolve(
                unsent, state=AttemptState.DEFERRED, reason=reason, due_at=decision.not_before, decision=decision
            )
        return evolve(unsent, reason=reason, decision=decision, next_channel="")

    def _step(self, facts: Facts) -> Step | None:
        strategy = self._desk.strategy
        return None if strategy is None else strategy.step(facts.attempt.step)

    def _barrier(self, facts: Facts, now: datetime) -> tuple[AttemptState, str, datetime | None] | None:
        """
        What stops an attempt before any rule is asked: the debt first, then the way to the person.
        """
        row, place = facts.attempt, self._place
        account = place.account_for(self._desk.creditor.id, row.channel)
        address = None if facts.address is None else facts.address.value
        over = place.today_of(facts.debtor) > row.last_day
        barriers: tuple[tuple[bool, AttemptState, str, datetime | None], ...] = (
            (facts.stopped is not None, AttemptState.PLANNED, "stopped", row.due_at),
            (facts.balance.minor <= 0 or facts.oldest_due_on is None, AttemptState.CANCELLED, "paid", None),
            (over, AttemptState.EXPIRED, "step_over", None),
            (self._step(facts) is None, AttemptState.CANCELLED, "step_withdrawn", None),
            (
                facts.hold is not None,
                AttemptState.DEFERRED,
                f"hold: {facts.hold}",
                facts.hold_until or now + _HOLD_AGAIN,
            ),
            (facts.judicial, AttemptState.SUPPRESSED, "judicial", None),
            (
                account is None and row.channel in place.accounts.broken_channels,
                AttemptState.DEFERRED,
                "account_failed",
                now + _FIX_AGAIN,
            ),
            (account is None, AttemptState.SUPPRESSED, "no_account", None),
            (account is not None and not place.can_reach(account, facts), AttemptState.SUPPRESSED, "no_address", None),
            (
                place.only_to is not None and address not in place.only_to,
                AttemptState.DEFERRED,
                "not_in_only_to",
                now + _HOLD_AGAIN,
            ),
        )
        return next(((state, reason, due_at) for holds, state, reason, due_at in barriers if holds), None)

    def _judge(self, decider: Decider, facts: Facts, step: Step, at: datetime) -> _Judged:
        """
        Decide; where that does not permit, with as few as possible of the exceptions that somebody answers for.
        """
        plain = self._amended(decider, facts, step, at, frozenset())
        if plain.decision.verdict is Verdict.ALLOW:
            return plain
        for used in _choices(facts.overrides):
            judged = self._amended(decider, facts, step, at, _grounds(used))
            if judged.decision.verdict is Verdict.ALLOW:
                return evolve(
                    judged,
                    decision=_ending(judged.decision, used),
                    overrides=used,
                    set_aside=tuple(finding.rule for finding in plain.decision.findings),
                )
        return plain

    def _amended(self, decider: Decider, facts: Facts, step: Step, at: datetime, flags: frozenset[str]) -> _Judged:
        """
        Decide; where only an amendment permits, apply it and judge once more.
        """
        decision = decider.decide(self._place.contact_of(self._desk, facts, step, at, flags))
        if decision.verdict is Verdict.AMEND and set(decision.obligations) == {DISCLOSE_NOTHING}:
            flags |= {DISCLOSES_NOTHING}
            decision = decider.decide(self._place.contact_of(self._desk, facts, step, at, flags))
        return _Judged(decision=decision, flags=flags)

    def _render(self, facts: Facts, step: Step, flags: frozenset[str], link: Link) -> tuple[Rendered, Template]:
        place, row = self._place, facts.attempt
        locale = locale_of(facts.debtor)
        template = (
            place.catalogue.undisclosed(channel=row.channel, locale=locale)
            if DISCLOSES_NOTHING in flags
            else place.catalogue.find(step.template, channel=row.channel, locale=locale, stage=place.stage_of(facts))
        )
        url = self._desk.payment_url
        if template.variables & _SHOW_LINK:
            url = link(facts) or url
        variables = Variables(
            creditor=self._desk.creditor.name,
            debtor_name=facts.name,
            amount=facts.balance,
            due_on=facts.oldest_due_on,
            documents=facts.documents,
            installments=facts.open_installments,
            days_past_due=(place.today_of(facts.debtor) - facts.oldest_due_on).days if facts.oldest_due_on else 0,
            payment_url=None if url is None else url.replace("{reference}", row.outreach_id),
            contact_line=self._desk.creditor.contact_line,
            reference=row.outreach_id,
            opt_out_word=_OPT_OUT_WORDS.get(locale[:2], "BAJA"),
        )
        return render(template, variables, locale=locale), template

    def _message(
        self, facts: Facts, step: Step, account: Configured, rendered: Rendered, decision: Decision
    ) -> OutboundMessage:
        row, can = facts.attempt, account.provider.capabilities
        use_template = can.templates and rendered.template is not None
        if not use_template and can.session_window is not None:
            last = facts.last_inbound_at
            if last is None or last + can.session_window <= self._place.clock.now():
                msg = (
                    f"{account.name} carries free text only after the person wrote, and the template names no vendor's"
                )
                raise CobranzaError(msg)
        assert facts.address is not None  # noqa: S101  # can_reach has held it
        return OutboundMessage(
            attempt_id=row.id,
            channel=row.channel,
            to=facts.address,
            locale=rendered.locale,
            purpose=step.purpose,
            subject=rendered.subject if can.subject else None,
            text=rendered.text,
            html=rendered.html if can.html else None,
            template=rendered.template if use_template else None,
            correlation=row.outreach_id,
            idempotency_key=row.id,
            callback_url=account.provider.services.webhook_url,
            not_after=decision.not_after,
        )

    # -- claiming and sending --------------------------------------------------------------------------------------

    async def _send(self, ready: Sequence[_Ready]) -> None:
        if not ready:
            return
        attempts = self._desk.store.attempts
        known = {item.prepared.attempt_id: item for item in ready}
        sending_for = timedelta(seconds=self._place.deadline_s)

        def judge(facts: Facts, now: datetime) -> Decision:
            return self._judge_again(known[facts.attempt.id], facts, now)

        claimed: list[Claimed] = await anyio.to_thread.run_sync(
            lambda: attempts.claim([item.prepared for item in ready], judge, sending_for)
        )
        for attempt_id in known.keys() - {claim.attempt_id for claim in claimed}:
            self._counts["released"] += 1
            self._place.guards.of(known[attempt_id].account).release()
        crashpoint("after_claim")
        answers: dict[str, Accepted | ProviderError] = {}

        async def transmit(claim: Claimed) -> None:
            answers[claim.attempt_id] = await self._transmit(known[claim.attempt_id], claim)

        async with anyio.create_task_group() as group:
            for claim in claimed:
                group.start_soon(transmit, claim)
        crashpoint("before_settling")
        settlements = [
            await self._settlement(claim, known[claim.attempt_id], answers[claim.attempt_id]) for claim in claimed
        ]
        written = await anyio.to_thread.run_sync(attempts.settle, settlements) if settlements else []
        for settlement in written:
            self._counts[str(settlement.state)] += 1
            if settlement.error is not None:
                self._reasons[str(settlement.state), str(settlement.error.category)] += 1

    async def _transmit(self, item: _Ready, claim: Claimed) -> Accepted | ProviderError:
        ends, guard = claim.decision.not_after, self._place.guards.of(item.account)
        if ends is not None and self._place.clock.now() >= ends:  # looked at again right before the call
            guard.release()
            return ProviderError(Category.VALIDATION, Disposition.RETRY, Transmitted.NO)
        message = evolve(item.message, not_after=ends)
        answer = await guard.send(item.account.provider, message)
        crashpoint("after_transmission")
        if isinstance(answer, ProviderError) and answer.category in _ACCOUNT_BROKEN:
            self._paused.add(item.account.provider.capabilities.channel)
        return answer

    def _judge_again(self, item: _Ready, facts: Facts, now: datetime) -> Decision:
        """
        The compiled rules, inside the claim. A window that closes before the call could end is not used any more.
        """
        contact = self._place.contact_of(self._desk, facts, item.step, now, item.flags, item.message.text)
        used = item.prepared.overrides
        decision = _ending(self._place.rules.decide(contact), used)
        if decision.verdict is not Verdict.ALLOW or decision.not_after is None:
            return decision
        if now + timedelta(seconds=self._place.deadline_s) <= decision.not_after:
            return decision
        # By then an override has ended.
        plain = evolve(contact, at=decision.not_after, flags=contact.flags - _grounds(used))
        late = self._place.rules.decide(plain)
        return late if late.verdict is Verdict.DEFER else decision

    async def _settlement(self, claim: Claimed, item: _Ready, answer: Accepted | ProviderError) -> Settlement:
        settled = Settlement(attempt_id=claim.attempt_id, token=claim.token)
        if isinstance(answer, Accepted):
            return evolve(settled, provider_message_id=answer.provider_message_id)
        settled = evolve(settled, error=answer)
        if settled.state is AttemptState.UNKNOWN:
            return settled
        row, now = item.facts.attempt, self._place.clock.now()
        again = self._again(item.facts, answer)
        if again is not None:
            return evolve(settled, next_channel=row.channel, next_point_id=item.facts.point_id, next_due_at=now + again)
        way = (await self._fallbacks([item.facts])).get(claim.attempt_id)
        if way is None:
            return settled
        return evolve(settled, next_channel=way[0], next_point_id=way[1], next_due_at=now)

    def _again(self, facts: Facts, error: ProviderError) -> timedelta | None:
        """
        When the same channel is tried again, or None when it is not.
        """
        if error.category in _ACCOUNT_BROKEN:
            return _FIX_AGAIN
        tries = facts.tried.get(facts.attempt.channel, 1)
        if error.disposition is not Disposition.RETRY or tries >= _MAX_TRIES:
            return None
        own = min(_BACKOFF * (1 << (tries - 1)), _MAX_BACKOFF)
        return max(own, min(timedelta(seconds=error.retry_after or 0), _MAX_WANTED))

    # -- falling back ----------------------------------------------------------------------------------------------

    async def _with_fallback(self, items: Sequence[Unsent], facts: Mapping[str, Facts]) -> list[Unsent]:
        """
        Give those that ask for it (``next_channel=""``) the step's next channel.
        """
        asking = [facts[item.attempt_id] for item in items if item.next_channel is not None]
        ways = await self._fallbacks(asking)
        done = []
        for item in items:
            channel, point_id = (
                ways.get(item.attempt_id, (None, None)) if item.next_channel is not None else (None, None)
            )
            done.append(evolve(item, next_channel=channel, next_point_id=point_id))
        return done

    async def _fallbacks(self, facts: Iterable[Facts]) -> dict[str, tuple[str, str]]:
        return await anyio.to_thread.run_sync(next_ways, self._place, self._desk, list(facts))


def _given_back(item: _Ready, reason: str, due_at: datetime) -> Unsent:
    """
    Not now: it stays planned.
    """
    return Unsent(
        attempt_id=item.prepared.attempt_id,
        token=item.prepared.token,
        state=AttemptState.PLANNED,
        reason=reason,
        due_at=due_at,
    )


def _choices(overrides: Sequence[Override]) -> Iterator[tuple[Override, ...]]:
    """
    Each alone, then all together.
    """
    yield from ((override,) for override in overrides)
    if len(overrides) > 1:
        yield tuple(overrides)


def _grounds(used: Iterable[Override]) -> frozenset[str]:
    return frozenset(override.ground for override in used)


def _ending(decision: Decision, used: Sequence[Override]) -> Decision:
    """
    The same, ending with the first of the overrides that it needs.
    """
    if not used or decision.verdict is not Verdict.ALLOW:
        return decision
    ends = [override.until for override in used]
    return evolve(decision, not_after=min([*ends, decision.not_after] if decision.not_after else ends))


def next_ways(place: Workplace, desk: Desk, facts: Sequence[Facts]) -> dict[str, tuple[str, str]]:
    """
    The next channel and contact point of each attempt's step, by attempt id; absent where there is none.
    """
    points = desk.store.attempts.points({item.attempt.debtor_id for item in facts})
    found = {}
    for item in facts:
        step = desk.strategy.step(item.attempt.step) if desk.strategy is not None else None
        if step is None:
            continue
        left = [channel for channel in step.channels if channel not in item.tried]
        ways = place.ways(desk.creditor.id, points.get(item.attempt.debtor_id, []), left)
        if ways:
            found[item.attempt.id] = ways[0]
    return found
