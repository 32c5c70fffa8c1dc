"""
The laws of the house, one by one, over a real store and the real engine. Laws 2 and 3 are proven in tests/engine.
"""

from __future__ import annotations

import ast
import inspect
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cobranza_sdk
from cobranza_sdk import (
    Accepted,
    Address,
    Category,
    Cobranza,
    CompliancePolicy,
    Contact,
    ContactPoint,
    Disposition,
    Finding,
    Payment,
    Person,
    ProviderError,
    Transmitted,
    Verdict,
)
from cobranza_sdk.loading import ConfigurationError, FixedClock, load_plugins

DAY = timedelta(days=1)


def put(house: Cobranza, debtor: Any, receivable: Any, key: str = "D-1", **changes: Any) -> None:
    """
    One debtor with one overdue invoice.
    """
    house.portfolio.put(debtor(key, **changes), receivable(f"F-{key}", key))


def go(house: Cobranza) -> dict[str, int]:
    """
    Plan and dispatch.
    """
    house.plan()
    return dict(house.dispatch().counts)


def only(house: Cobranza) -> dict[str, Any]:
    """
    The one attempt there is.
    """
    (line,) = house.attempts.list()
    return line


def test_law_1_nothing_leaves_without_an_allow_recorded_before_it(
    house: Cobranza, box: Any, debtor: Any, receivable: Any
) -> None:
    """
    Law 1: the ``allow`` stands in the ledger before the call, decided in the transaction that reserved the attempt.
    """
    put(house, debtor, receivable)

    go(house)

    kinds = [event.kind for event in house.events()]
    assert len(box["fake_sms"]) == 1
    order = [kinds.index(k) for k in ("decision.made", "budget.reserved", "attempt.dispatched", "attempt.accepted")]
    assert order == sorted(order)
    (decision,) = house.events(kinds=["decision.made"])
    assert decision.payload["verdict"] == "allow"
    assert any("pe.window.messages" in rule for rule in decision.payload["basis"])


def test_law_1_a_claim_that_cannot_record_sends_nothing(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Law 1: if the ``allow`` cannot be written, the reservation is rolled back with it and no call is made.
    """
    from cobranza_sdk.store import Attempts

    put(house, debtor, receivable)
    house.plan()

    def refuse(*_args: Any, **_more: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(Attempts, "_record_decision", refuse)
    with pytest.raises(RuntimeError):
        house.dispatch()

    assert not box["fake_sms"]
    assert only(house)["state"] == "leased"


def test_law_1_there_is_one_gate() -> None:
    """
    Automatic, repeated, fallback and overridden messages leave by one line of code, which holds a claim in its hand.
    The kit for plugins, which calls emulators, is used by no room.
    """
    source = Path(inspect.getfile(cobranza_sdk)).parent

    callers = {
        (path.stem, function.name)
        for path in source.rglob("*.py")
        if path.relative_to(source).parts[0] != "testing"
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for named in ast.walk(function)
        if isinstance(named, ast.Attribute | ast.Name)
        and ast.unparse(named).rpartition(".")[2] in ("send", "_accepted")  # also where it is only handed on
    }

    assert callers == {("_dispatch", "_transmit"), ("_calls", "send"), ("_calls", "_accepted")}


@pytest.mark.parametrize("country", ["ZZ", "DE"])
def test_law_4_an_unknown_country_is_not_written_to(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, country: str
) -> None:
    """
    Law 4: no pack, no message, and the refusal is on record instead of the debtor being left out in silence.
    """
    put(house, debtor, receivable, country=country)

    go(house)

    assert not box.get("fake_sms")
    assert {line["reason"] for line in house.attempts.list()} == {"sdk.country_unknown"}


def test_law_4_an_unknown_zone_denies() -> None:
    """
    Law 4: a time zone that does not exist leaves no clock to judge by.
    """
    contact = Contact(
        at=datetime(2026, 8, 5, 15, tzinfo=UTC),
        channel="sms",
        country="PE",
        recipient="debtor",
        holder_confirmed=True,
        timezones=["America/Nowhere"],
    )

    decision = Cobranza().decide(contact)

    assert decision.verdict == "deny"
    assert decision.findings[0].rule == "sdk.zone_unknown"


class Raising(CompliancePolicy):
    name = "raising"

    def judge(self, contact: Contact) -> Sequence[Finding]:
        raise SystemExit(3)


class Waiting(CompliancePolicy):
    name = "waiting"
    asked = 0

    def judge(self, contact: Contact) -> Sequence[Finding]:
        Waiting.asked += 1
        threading.Event().wait(30)
        return ()


class Denying(CompliancePolicy):
    name = "denying"

    def judge(self, contact: Contact) -> Sequence[Finding]:
        return [Finding(rule="house.no", verdict=Verdict.DENY, citation="House rule 1", pack="house")]


@pytest.mark.parametrize("policy", [Raising, Denying])
def test_law_4_and_5_a_policy_that_fails_or_denies_wins(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any, policy: type[CompliancePolicy]
) -> None:
    """
    Laws 4 and 5: the strictest wins, and a policy that raises anything is the strictest.
    """
    house = make_house(("policy", policy()))
    put(house, debtor, receivable)

    go(house)

    assert not box.get("fake_sms")
    assert {line["state"] for line in house.attempts.list()} == {"suppressed"}


def test_law_4_a_policy_that_takes_too_long_denies_and_is_asked_no_more(
    make_house: Callable[..., Cobranza], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Laws 4 and 8: a slow policy costs one deadline, not one per contact.
    """
    from cobranza_sdk import engine

    monkeypatch.setattr(engine, "GuardedPolicies", partial(engine.GuardedPolicies, deadline_s=0.05))
    house = make_house(("policy", Waiting()))
    at = datetime(2026, 8, 5, 15, tzinfo=UTC)
    contact = Contact(at=at, channel="sms", country="PE", recipient="debtor", holder_confirmed=True)

    decisions = list(house.decide_many([contact] * 50))

    assert {decision.verdict for decision in decisions} == {Verdict.DENY}
    assert {decision.findings[0].rule for decision in decisions} == {"sdk.policy_failed"}
    assert Waiting.asked == 1


def test_law_6_every_refusal_says_rule_article_version_and_when(
    house: Cobranza, clock: FixedClock, debtor: Any, receivable: Any
) -> None:
    """
    Law 6: what was deferred says by which rule and until which minute.
    """
    clock.set(datetime.fromisoformat("2026-08-05T21:00:00-05:00"))
    put(house, debtor, receivable)

    assert go(house) == {"deferred": 1}

    line = only(house)
    assert line["reason"] == "pe.window.messages"
    # Thursday 6 August is a holiday in Peru.
    assert datetime.fromisoformat(line["not_before"]) == datetime.fromisoformat("2026-08-07T07:00:00-05:00")
    (decision,) = house.creditor_store().figures.decisions_of(line["attempt_id"])
    (finding,) = decision["findings"]
    assert finding["citation"].startswith("Ley 29571")
    assert finding["pack"] == "pe 2026.1"
    assert finding["facts"] == {"zone": "America/Lima", "date": "2026-08-05", "closed": "hours"}


def test_law_7_an_unconfirmed_holder_gets_words_that_disclose_nothing(
    house: Cobranza, box: Any, debtor: Any, receivable: Any
) -> None:
    """
    Law 7 and S-083: no amount, no invoice, no word of a debt to a phone that may be somebody else's.
    """
    point = ContactPoint(address=Address("e164", "+51900123456"), holder_role="debtor")
    put(house, debtor, receivable, contact_points=[point])

    go(house)

    (message,) = box["fake_sms"]
    assert "100" not in message.text
    assert "F-D-1" not in message.text
    assert not any(word in message.text.lower() for word in ("deuda", "pago", "factura", "vencid"))


def test_law_7_the_holder_who_confirms_gets_the_steps_own_message_next(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, webhook: Any, clock: FixedClock
) -> None:
    """
    S-083: after "SÍ" the contact point is confirmed and the step goes on with what it has to say.
    """
    point = ContactPoint(address=Address("e164", "+51900123456"), holder_role="debtor")
    put(house, debtor, receivable, contact_points=[point])
    go(house)
    clock.advance(timedelta(minutes=5))

    house.inbox.receive("sms", webhook("inbound_message", "k1", "fake_sms-1", "Sí"))
    house.process_inbox()
    house.dispatch()

    assert "100" in box["fake_sms"][1].text


@pytest.mark.parametrize("role", ["reference", "employer", "third_party"])
def test_law_7_a_third_party_is_never_written_to(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, role: str
) -> None:
    """
    S-082: whoever is foreign to the debt gets nothing at all.
    """
    point = ContactPoint(address=Address("e164", "+51900123456"), holder_role=role, state="confirmed")
    put(house, debtor, receivable, contact_points=[point])

    go(house)

    assert not box.get("fake_sms")
    assert house.attempts.list()[0]["reason"] == "pe.third_party"


@pytest.mark.parametrize(
    "failure", [ValueError("x"), SystemExit(1), GeneratorExit(), Exception("x"), "junk", None], ids=repr
)
def test_law_8_a_channel_that_raises_or_lies_harms_only_its_own_attempt(
    house: Cobranza, box: Any, script: Any, debtor: Any, receivable: Any, failure: Any
) -> None:
    """
    Law 8: the attempt whose call went wrong is ``unknown``; the next debtor is written to.
    """
    put(house, debtor, receivable, "D-1")
    put(house, debtor, receivable, "D-2")
    script["fake_sms"] = [failure if isinstance(failure, BaseException) else (lambda _m: failure or "no id")]

    go(house)

    states = sorted(line["state"] for line in house.attempts.list())
    assert states == ["accepted", "unknown"]


def test_law_9_a_forged_webhook_is_never_parsed(house: Cobranza, webhook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Law 9: without the vendor's signature the body is not looked at, and nothing is stored.
    """
    provider = house.accounts.channels["sms"].provider
    parsed: list[bytes] = []
    monkeypatch.setattr(type(provider), "parse", lambda _self, envelope: parsed.append(envelope.signed) or ())

    answer = house.inbox.receive("sms", webhook("opt_out", "k", signature="forged"))

    assert answer.status == 403
    assert not parsed
    assert not house.tenant.inbox.pending()


def test_law_10_no_name_phone_mail_or_text_reaches_the_log_or_the_ledger(
    house: Cobranza,
    box: Any,
    script: Any,
    debtor: Any,
    receivable: Any,
    webhook: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Law 10: canaries planted in every personal field are found in no log line, no error and no ledger event.
    """
    canaries = ["Canaria Secreta", "+51900777123", "canaria@example.com", "palabras canarias"]
    points = [
        ContactPoint(address=Address("e164", canaries[1]), holder_role="debtor", state="confirmed"),
        ContactPoint(address=Address("email", canaries[2]), holder_role="debtor", state="confirmed"),
    ]
    put(house, debtor, receivable, person=Person(name=canaries[0], tax_id="CANARY-RUC"), contact_points=points)
    error = ProviderError(
        Category.RECIPIENT, Disposition.NEVER, Transmitted.NO, vendor_code="21211", vendor_message=f"bad {canaries[1]}"
    )
    script["fake_sms"] = [error]
    caplog.set_level("DEBUG")

    go(house)
    house.inbox.receive("sms", webhook("inbound_message", "k1", "fake_email-1", canaries[3]))
    house.process_inbox()

    ledger = json.dumps([event.to_dict() for event in house.events()], ensure_ascii=False)
    printed = "".join(capsys.readouterr()) + caplog.text + str(error) + repr(error)
    assert "provider.call" in printed
    for canary in [*canaries, "CANARY-RUC"]:
        assert canary not in ledger
        assert canary not in printed


def test_law_11_money_of_a_currency_without_cents_is_told_right(
    house: Cobranza, box: Any, debtor: Any, receivable: Any
) -> None:
    """
    Law 11: minor units and ISO exponents from the invoice to the words of the message.
    """
    person = debtor(country="CO")
    house.portfolio.put(person, receivable("F-9", amount="1250000.50", currency="COP"))

    go(house)

    assert "1.250.000,50" in box["fake_sms"][0].text


def test_law_12_a_status_that_nobody_knows_changes_nothing_and_is_kept(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, webhook: Any
) -> None:
    """
    Law 12: doubt is not recorded as fact: the attempt stays as it was, and the report is kept.
    """
    put(house, debtor, receivable)
    go(house)

    house.inbox.receive("sms", webhook("unknown", "k1", "fake_sms-1"))
    assert house.process_inbox() == {"noted": 1}

    assert only(house)["state"] == "accepted"
    assert [event.kind for event in house.events(kinds=["provider.reported"])]


def test_law_13_a_fixed_clock_never_sends_live(settings: dict[str, Any], clock: FixedClock) -> None:
    """
    Law 13: a rehearsal at another date may not reach real people.
    """
    with pytest.raises(ConfigurationError, match="fixed clock never sends live"):
        Cobranza({**settings, "live": True}, clock=clock)


def test_law_13_a_real_host_is_refused_before_anything_is_sent(
    tmp_path: Path, settings: dict[str, Any], clock: FixedClock
) -> None:
    """
    Law 13: with ``live = false`` a provider that points at the vendor is not even built.
    """
    pytest.importorskip("cobranza_twilio_sms", reason="the Twilio plugin is not installed")
    channels = {
        "sms": {
            "provider": "twilio_sms",
            "account_sid": "AC" + "0" * 32,
            "auth_token": lambda: "token",
            "from_number": "+15005550006",
        }
    }
    with Cobranza({**settings, "channels": channels}, clock=clock, plugins=load_plugins()) as house:
        (failure,) = house.accounts.failures

    assert failure.stage == "configure"
    assert "live = false" in failure.cause
    assert "api.twilio.com" in failure.cause


def test_law_13_stop_halts_at_once_and_resume_goes_on(house: Cobranza, box: Any, debtor: Any, receivable: Any) -> None:
    """
    Law 13: the stop holds for every claim after it commits, and loses nothing.
    """
    put(house, debtor, receivable)
    house.plan()

    house.stop("complaint")
    assert house.dispatch().stopped == "complaint"
    assert not box.get("fake_sms")
    house.resume()
    house.dispatch()

    assert len(box["fake_sms"]) == 1


def test_law_13_a_stop_between_judging_and_the_claim_is_obeyed(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Law 13: the claim reads the switch again: a decision made earlier is only a plan.
    """
    from cobranza_sdk.store import Attempts

    put(house, debtor, receivable)
    house.plan()
    real = Attempts.claim

    def stop_first(self: Attempts, *args: Any, **more: Any) -> Any:
        house.stop("late")
        return real(self, *args, **more)

    monkeypatch.setattr(Attempts, "claim", stop_first)
    house.dispatch()

    assert not box.get("fake_sms")
    assert only(house)["state"] == "planned"


def test_s_039_who_has_paid_is_not_written_to(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    S-039: a payment between the plan and the dispatch cancels the message, and the cancellation is on record.
    """
    put(house, debtor, receivable)
    house.plan()

    payment = Payment(
        external_id="P-1",
        debtor_id="D-1",
        amount=receivable().installments[0].open,
        paid_at=clock.now() + timedelta(seconds=1),
    )
    house.portfolio.put(payment)
    house.dispatch()

    assert not box.get("fake_sms")
    assert (only(house)["state"], only(house)["reason"]) == ("cancelled", "paid")
    assert [event.kind for event in house.events(kinds=["attempt.cancelled"])]


def test_s_039_a_payment_between_judging_and_the_claim_is_obeyed(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    F87: the claim reads the balance again; the text that was rendered with the old one is never sent.
    """
    from cobranza_sdk.store import Attempts

    put(house, debtor, receivable)
    house.plan()
    real = Attempts.claim
    paid: list[bool] = []

    def pay_first(self: Attempts, *args: Any, **more: Any) -> Any:
        if not paid:
            paid.append(True)
            amount = receivable().installments[0].open
            house.portfolio.put(
                Payment(external_id="P", debtor_id="D-1", amount=amount, paid_at=clock.now() + timedelta(seconds=1))
            )
        return real(self, *args, **more)

    monkeypatch.setattr(Attempts, "claim", pay_first)
    house.dispatch()

    assert not box.get("fake_sms")
    assert only(house)["reason"] == "paid"


def test_s_085_the_reply_baja_closes_the_channel_and_only_that_one(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, webhook: Any, clock: FixedClock
) -> None:
    """
    S-085: after BAJA no SMS is sent any more; the next step goes by the channel that is still open.
    """
    put(house, debtor, receivable)
    go(house)
    clock.advance(timedelta(hours=1))

    house.inbox.receive("sms", webhook("opt_out", "k1", "fake_sms-1", "BAJA"))
    assert house.process_inbox() == {"applied": 1}
    clock.advance(timedelta(days=8))
    go(house)

    assert len(box["fake_sms"]) == 1
    assert len(box["fake_email"]) == 1
    assert [line["reason"] for line in house.attempts.list(states=["suppressed"])] == ["sdk.opted_out"]


def test_s_036_a_failed_channel_is_followed_by_the_next_as_a_new_attempt(
    house: Cobranza, box: Any, script: Any, debtor: Any, receivable: Any
) -> None:
    """
    S-036: the refused SMS gives its contact back, and the email goes out in its stead.
    """
    put(house, debtor, receivable)
    script["fake_sms"] = [ProviderError(Category.RECIPIENT, Disposition.NEVER, Transmitted.NO, vendor_code="21614")]

    go(house)

    lines = [(line["channel"], line["state"]) for line in house.attempts.list()]
    assert lines == [("sms", "rejected"), ("email", "accepted")]
    assert len(list(house.events(kinds=["budget.released"]))) == 1


def test_an_unknown_outcome_is_neither_repeated_nor_followed(
    house: Cobranza, box: Any, script: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    G2: what may be out is not sent again, by this channel or another.
    """
    put(house, debtor, receivable)
    script["fake_sms"] = [ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)]

    go(house)
    clock.advance(timedelta(hours=3))
    go(house)

    assert not box.get("fake_sms")
    assert not box.get("fake_email")
    assert only(house)["state"] == "unknown"


def test_a_rate_limit_is_waited_out_on_the_same_channel(
    house: Cobranza, box: Any, script: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    F30: nothing was taken, so the same channel is tried again, not before the vendor's time.
    """
    put(house, debtor, receivable)
    script["fake_sms"] = [ProviderError(Category.RATE_LIMIT, Disposition.RETRY, Transmitted.NO, retry_after=900)]

    go(house)
    second = house.attempts.list()[1]
    assert (second["channel"], second["state"]) == ("sms", "planned")
    assert datetime.fromisoformat(second["not_before"]) == clock.now() + timedelta(seconds=900)
    clock.advance(timedelta(seconds=900))
    house.dispatch()

    assert [line["state"] for line in house.attempts.list()] == ["not_sent", "accepted"]


def test_wrong_credentials_pause_the_channel_instead_of_burning_through_the_list(
    make_house: Callable[..., Cobranza], box: Any, script: Any, debtor: Any, receivable: Any
) -> None:
    """
    F36: after the first 401 the others wait; nobody is pushed to a dearer channel.
    """
    house = make_house(runner={"concurrency": 1})
    for number in range(5):
        put(house, debtor, receivable, f"D-{number}")
    calls: list[str] = []

    def refuse(message: Any) -> Any:
        calls.append(message.attempt_id)
        raise ProviderError(Category.AUTH, Disposition.FIX_FIRST, Transmitted.NO)

    script["fake_sms"] = [refuse] * 5

    go(house)

    assert len(calls) == 1
    assert not box.get("fake_email")


def test_one_message_for_all_that_is_owed(house: Cobranza, box: Any, debtor: Any, receivable: Any) -> None:
    """
    One outreach per debtor, currency and step, however many invoices; two currencies are never added.
    """
    house.portfolio.put(
        debtor(),
        receivable("F-1", amount="100.00"),
        receivable("F-2", amount="50.25"),
        receivable("F-3", amount="30.00", currency="USD"),
    )

    assert house.plan() == 2
    house.dispatch()

    texts = [message.text for message in box["fake_sms"]]
    assert len(texts) == 2
    assert sum("150.25" in text for text in texts) == 1
    assert sum("30.00" in text for text in texts) == 1


def test_planning_and_syncing_twice_changes_nothing(house: Cobranza, box: Any, debtor: Any, receivable: Any) -> None:
    """
    S-034: the same plan made again, by whomever, makes no second message.
    """
    put(house, debtor, receivable)

    assert [house.plan(), house.plan()] == [1, 0]
    house.dispatch()
    house.dispatch()
    assert house.plan() == 0

    assert len(box["fake_sms"]) == 1


def test_s_034_after_an_outage_the_milder_step_comes_first(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    S-034: two steps became due while nothing ran; they go out in order, a day apart, none twice.
    """
    put(house, debtor, receivable)
    clock.advance(timedelta(days=5))  # Monday, six days past due: late-1 is still open, late-7 is not due yet
    go(house)
    clock.advance(DAY)
    go(house)

    steps = [line["step"] for line in house.attempts.list(states=["accepted"])]
    assert steps == ["late-1", "late-7"]


def test_a_message_ends_with_its_legal_window(house: Cobranza, box: Any, debtor: Any, receivable: Any) -> None:
    """
    ``not_after`` keeps a vendor's queue from delivering at night.
    """
    put(house, debtor, receivable)

    go(house)

    assert box["fake_sms"][0].not_after == datetime.fromisoformat("2026-08-05T20:00:00-05:00")


def test_r_22_a_window_that_closes_before_the_call_could_end_is_not_used(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    R-22: at 19:59:45 a call of up to thirty seconds could reach the phone at night.
    """
    clock.set(datetime.fromisoformat("2026-08-05T19:59:45-05:00"))
    put(house, debtor, receivable)

    go(house)

    assert not box.get("fake_sms")
    assert only(house)["state"] == "deferred"


def test_two_tenants_in_one_store_never_see_each_other(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any
) -> None:
    """
    Isolation is by type: a handle of one tenant shows nothing of the other, even with equal ids.
    """
    one, two = make_house(tenant="one"), make_house(tenant="two")
    put(one, debtor, receivable)
    put(two, debtor, receivable)

    go(one)

    assert len(one.attempts.list()) == 1
    assert two.attempts.list() == []
    assert {event.tenant_id for event in one.events()} == {"one"}
    assert {event.tenant_id for event in two.events()} == {"two"}
    assert two.report()[0].verdicts == ()


def test_a_synchronous_call_inside_a_loop_names_its_twin(house: Cobranza) -> None:
    """
    An embedding developer in an event loop is told what to write instead of a deadlock.
    """
    import anyio

    async def inside() -> None:
        house.dispatch()

    with pytest.raises(Exception, match=r"await cobranza\.adispatch"):
        anyio.run(inside)


def test_accepted_needs_an_id() -> None:
    """
    Without the vendor's id nothing was accepted.
    """
    with pytest.raises(ValueError, match="provider_message_id"):
        Accepted(provider_message_id=" ")
