"""
The kit for payment providers, held against a zoo: the provider that `cobranza new payment` writes passes every check,
and each check has its own mutant.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import anyio
import attrs
import httpx
import pytest
from attrs import evolve, field, frozen
from opentelemetry import trace

from cobranza_acme_pay._provider import KINDS, AcmePay, AcmePaySettings, refused
from cobranza_acme_pay._sandbox import AcmePaySandbox
from cobranza_acme_pay._webhooks import SIGNATURE, WINDOW, sign, signature, verify_request
from cobranza_sdk import (
    Category,
    Disposition,
    Event,
    EventKind,
    Health,
    Money,
    PaymentLink,
    PaymentProvider,
    PaymentSandbox,
    ProviderError,
    Secret,
    Transmitted,
    UnsupportedCapabilityError,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_sdk.testing import FixedClock, PaymentProviderConformance, make_provider
from cobranza_sdk.testing._conformance import standard_checks

EPOCH = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SECRET = str(AcmePaySandbox(clock=FixedClock(EPOCH)).settings["webhook_secret"])


def no(category: Category, disposition: Disposition, wait: float | None = None) -> ProviderError:
    """
    It was not done.
    """
    return ProviderError(category, disposition, Transmitted.NO, retry_after=wait)


class Signs(PaymentProviderConformance):
    """
    How Acme signs.
    """

    provider: ClassVar[type[PaymentProvider]] = AcmePay
    sandbox: ClassVar[type[PaymentSandbox]] = AcmePaySandbox
    replay_window: ClassVar[timedelta | None] = WINDOW

    def signed(self, sandbox: PaymentSandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        return evolve(like, body=body, headers={SIGNATURE: signature(SECRET, EPOCH, body)})


class LinksOnly(AcmePay):
    """
    A vendor that does the least: no end, no way back, no search, no key, no webhooks.
    """

    capabilities = evolve(
        AcmePay.capabilities,
        cancel=False,
        expiry=False,
        refund=False,
        search=False,
        webhooks=False,
        idempotency_window=None,
    )
    cancel_link = PaymentProvider.cancel_link
    refund = PaymentProvider.refund
    find_links = PaymentProvider.find_links
    find_payments = PaymentProvider.find_payments

    def form(
        self, amount: Money, reference: str, description: str, key: str, expires_at: datetime | None
    ) -> dict[str, Any]:
        if expires_at is not None:
            msg = "acme_pay does not declare expiry"
            raise UnsupportedCapabilityError(msg)
        return super().form(amount, reference, description, "", None)

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        msg = "acme_pay takes no webhooks"
        raise WebhookRejectedError(msg)

    async def post(self, path: str, form: Mapping[str, Any]) -> httpx.Response:
        try:
            return await super().post(path, form)
        except ProviderError as error:
            if error.transmitted is Transmitted.MAYBE:
                raise ProviderError(error.category, Disposition.NEVER, Transmitted.MAYBE) from error
            raise


class TestByTheBook(Signs):
    """
    Nothing is wrong with it.
    """


class TestTheLeastByTheBook(Signs):
    """
    Nor with one that does little and says so.
    """

    provider: ClassVar[type[PaymentProvider]] = LinksOnly


# -- the zoo: each says which check is to catch it -----------------------------------------------------------------


@frozen(kw_only=True)
class PlainSettings(AcmePaySettings):
    token: str  # type: ignore[assignment]  # what is wrong with it


@frozen(kw_only=True)
class BlankSettings:
    base_url: str = field(validator=attrs.fields(AcmePaySettings).base_url.validator)
    merchant: str
    token: Secret
    webhook_secret: tuple[Secret, ...]


class Shouting(AcmePay):
    name = "Acme Pay"


class TakesBlanks(AcmePay):
    config = BlankSettings


class PlainToken(AcmePay):
    config = PlainSettings

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.token}"}


class Secretly(AcmePay):
    capabilities = evolve(AcmePay.capabilities, cancel=False)


class EndsAnyway(LinksOnly):
    def form(
        self, amount: Money, reference: str, description: str, key: str, expires_at: datetime | None
    ) -> dict[str, Any]:
        return super().form(amount, reference, description, key, None)


class Ascii(AcmePay):
    def form(self, *asked: Any) -> dict[str, Any]:
        form = super().form(*asked)
        return {**form, "description": form["description"].encode("ascii", "replace").decode()}


class FloatsOut(AcmePay):
    def to_vendor(self, amount: Money) -> str:
        return str(float(amount.amount))


class AnyCurrency(AcmePay):
    async def create_link(self, *, amount: Money, **asked: Any) -> PaymentLink:
        return await super().create_link(amount=Money(amount.minor, "PEN"), **asked)


class ForNothing(AcmePay):
    async def create_link(self, *, amount: Money, **asked: Any) -> PaymentLink:
        return await super().create_link(amount=Money(max(1, amount.minor), amount.currency), **asked)


class Lowers(AcmePay):
    def read_payment(self, told: Any) -> Event:
        event = super().read_payment(told)
        return evolve(event, reference=event.reference.lower() if event.reference else None)


class Endless(AcmePay):
    def form(self, *asked: Any) -> dict[str, Any]:
        return {**super().form(*asked), "expires_at": None}


class Naive(AcmePay):
    def form(self, *asked: Any) -> dict[str, Any]:
        *others, ends_at = asked
        return super().form(*others, None if ends_at is None else ends_at.replace(tzinfo=UTC))


class OneId(AcmePay):
    def read_link(self, told: Any) -> PaymentLink:
        return evolve(super().read_link(told), id="link")


class Forgetful(AcmePay):
    def form(self, *asked: Any) -> dict[str, Any]:
        return {**super().form(*asked), "key": None}


class Withdraws(AcmePay):
    async def cancel_link(self, link_id: str) -> None:
        """
        Do nothing.
        """


class Blind(AcmePay):
    async def find_payments(self, reference: str) -> Sequence[Event]:
        return (await super().find_payments(reference))[:1]


class Net(AcmePay):
    def read_payment(self, told: Any) -> Event:
        event = super().read_payment(told)
        return evolve(event, money=event.money and Money(event.money.minor - 100, event.money.currency))


class Hopeful(AcmePay):
    def kind(self, status: str, money: Money, back: Money) -> EventKind:
        return EventKind.PAYMENT_APPROVED if status == "waiting" else super().kind(status, money, back)


class FloatsIn(AcmePay):
    def read_payment(self, told: Any) -> Event:
        event = super().read_payment(told)
        if event.money is None or event.money.currency != "PEN":
            return event
        return evolve(event, money=Money(int(float(event.money.amount) * 100), "PEN"))


class ForgetsRefunds(AcmePay):
    def read_payment(self, told: Any) -> Event:
        return evolve(super().read_payment(told), refunded=None)


class Optimist(AcmePay):
    def kind(self, status: str, money: Money, back: Money) -> EventKind:
        return EventKind.PAYMENT_PENDING if status == "charged_back" else super().kind(status, money, back)


class Guesses(AcmePay):
    def kind(self, status: str, money: Money, back: Money) -> EventKind:
        return KINDS.get(status, EventKind.PAYMENT_APPROVED)


class KeysByTime(AcmePay):
    def key(self, told: Mapping[str, Any]) -> str:
        return f"{super().key(told)}:{self.services.clock.now().isoformat()}"


class KeysById(AcmePay):
    def key(self, told: Mapping[str, Any]) -> str:
        return str(told["id"])


class Invents(AcmePay):
    async def fetch(self, payment_id: str) -> Event:
        try:
            return await super().fetch(payment_id)
        except ProviderError as error:
            if error.vendor_code != "404":
                raise
            return Event(
                kind="payment_rejected",
                key=payment_id,
                occurred_at=EPOCH,
                account=self.account,
                provider_message_id=payment_id,
            )


class Wanders(AcmePay):
    async def fetch(self, payment_id: str) -> Event:
        return self.read_payment(self.document(await self.get(f"/payments/{payment_id}")))


class GivesAll(AcmePay):
    async def refund(self, payment_id: str, *, idempotency_key: str, amount: Money | None = None) -> Event:
        return await super().refund(payment_id, idempotency_key=idempotency_key)


class FreshKeys(AcmePay):
    asked = 0

    async def refund(self, payment_id: str, *, idempotency_key: str, amount: Money | None = None) -> Event:
        self.asked += 1
        return await super().refund(payment_id, idempotency_key=f"{idempotency_key}{self.asked}", amount=amount)


class GivesWhatIsThere(AcmePay):
    async def refund(self, payment_id: str, *, idempotency_key: str, amount: Money | None = None) -> Event:
        try:
            return await super().refund(payment_id, idempotency_key=idempotency_key, amount=amount)
        except ProviderError:
            return await super().refund(payment_id, idempotency_key=idempotency_key)


class Timid(AcmePay):
    def undone(self, error: httpx.HTTPError) -> ProviderError:
        return ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)


class DoubtsTimeouts(AcmePay):
    def undone(self, error: httpx.HTTPError) -> ProviderError:
        late = isinstance(error, httpx.TimeoutException)
        return ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.MAYBE) if late else super().undone(error)


class RepeatsBlindly(AcmePay):
    capabilities = evolve(AcmePay.capabilities, idempotency_window=None)


class Denies(AcmePay):
    def undone(self, error: httpx.HTTPError) -> ProviderError:
        return no(Category.NETWORK, Disposition.RETRY)


class Credulous(AcmePay):
    async def create_link(self, *, amount: Money, reference: str, **asked: Any) -> PaymentLink:
        try:
            return await super().create_link(amount=amount, reference=reference, **asked)
        except ProviderError as error:
            if error.transmitted is Transmitted.NO:
                raise
            return PaymentLink(id="probably", url="https://pay.example.com", reference=reference, amount=amount)


class TrustsNoTls(Timid):
    def undone(self, error: httpx.HTTPError) -> ProviderError:
        secure = self.settings.base_url.startswith("https:")
        return super().undone(error) if secure else AcmePay.undone(self, error)


class Stubborn(AcmePay):
    async def fetch(self, payment_id: str) -> Event:
        try:
            return await super().fetch(payment_id)
        except asyncio.CancelledError:
            raise ProviderError.unrecognised() from None


class Blocking(AcmePay):
    async def get(self, path: str, query: Mapping[str, str] | None = None) -> httpx.Response:
        return httpx.get(self.address(path), params=query, headers=self.headers())  # noqa: ASYNC210


class Hasty(AcmePay):
    async def post(self, path: str, form: Mapping[str, Any]) -> httpx.Response:
        try:
            with anyio.fail_after(0.05):
                return await super().post(path, form)
        except TimeoutError:
            raise ProviderError.unrecognised() from None


class Persistent(AcmePay):
    async def get(self, path: str, query: Mapping[str, str] | None = None) -> httpx.Response:
        try:
            return await super().get(path, query)
        except ProviderError:
            return await super().get(path, query)


class Insists(AcmePay):
    async def post(self, path: str, form: Mapping[str, Any]) -> httpx.Response:
        try:
            return await super().post(path, form)
        except ProviderError as error:
            if error.category is not Category.PROVIDER_DOWN:
                raise
            return await super().post(path, form)


class Impatient(AcmePay):
    def refusal(self, response: httpx.Response) -> ProviderError:
        return (
            no(Category.RATE_LIMIT, Disposition.RETRY, 1) if response.status_code == 429 else super().refusal(response)
        )


class BlamesTheRequest(AcmePay):
    def refusal(self, response: httpx.Response) -> ProviderError:
        return refused(code="400") if response.status_code >= 500 else super().refusal(response)


class RetriesLogins(AcmePay):
    def refusal(self, response: httpx.Response) -> ProviderError:
        return no(Category.AUTH, Disposition.RETRY) if response.status_code == 401 else super().refusal(response)


class StatusIsEnough(AcmePay):
    def read_payment(self, told: Any) -> Event:
        try:
            return super().read_payment(told)
        except ProviderError:
            return Event(kind="payment_approved", key="k", occurred_at=EPOCH, account=self.account)

    async def fetch(self, payment_id: str) -> Event:
        return self.read_payment(self.document(await self.get(f"/payments/{payment_id}")))


class HalfIsNothing(AcmePay):
    def read_link(self, told: Any) -> PaymentLink:
        try:
            return super().read_link(told)
        except ProviderError:
            raise no(Category.PROTOCOL, Disposition.RETRY) from None


class Stumbles(AcmePay):
    def read_link(self, told: Any) -> PaymentLink:
        link = super().read_link(told)
        return evolve(link, reference=link.reference + told["description"].strip()[:0])


class Unsuspecting(AcmePay):
    async def create_link(self, *, amount: Money, reference: str, description: str, **asked: Any) -> PaymentLink:
        form = self.form(amount, reference, description, asked["idempotency_key"], asked.get("expires_at"))
        return self.read_link(self.document(await self.post("/links", form)))


class AnyAddress(AcmePay):
    def is_safe(self, url: str) -> bool:
        return bool(url)


class FillsIn(AcmePay):
    def read_payment(self, told: Any) -> Event:
        return super().read_payment({**told, "amount": told["amount"] or "1"} if isinstance(told, dict) else told)


class AsksAtOnce(AcmePay):
    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        httpx.get(self.address("/account"), headers=self.headers())
        return super().parse(envelope)


class Trusting(AcmePay):
    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        if SIGNATURE not in request.headers:
            msg = "there is no signature"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="none", signed=request.body)


class OneSecretForAll(AcmePay):
    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        return verify_request(request, [Secret(SECRET)], self.account)


class FirstSecret(AcmePay):
    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        return verify_request(request, self.settings.webhook_secret[:1], self.account)


class Timeless(AcmePay):
    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        time, _, digest = request.headers.get(SIGNATURE, "").removeprefix("t=").partition(",v1=")
        if all(sign(each.reveal(), time, request.body) != digest for each in self.settings.webhook_secret):
            msg = "the signature does not match"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="hmac-sha256", signed=request.body)


class KeysByArrival(AcmePay):
    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        return [evolve(event, key=f"{event.key}{envelope.received_at}") for event in super().parse(envelope)]


class FirstOfABatch(AcmePay):
    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        return super().parse(envelope)[:1]


class Fragile(AcmePay):
    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        return super().parse(envelope) if json.loads(envelope.signed) else ()


class Sorts(AcmePay):
    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        return super().parse(envelope) if json.loads(envelope.signed)["type"].strip() else ()


class Traces(AcmePay):
    async def create_link(self, *, description: str, **asked: Any) -> PaymentLink:
        with trace.get_tracer("acme").start_as_current_span("link", attributes={"about": description}):
            return await super().create_link(description=description, **asked)


class Talkative(AcmePay):
    async def create_link(self, *, description: str, **asked: Any) -> PaymentLink:
        self.services.logger.info("making a link", about=description)
        return await super().create_link(description=description, **asked)


class KeepsThePayer(AcmePay):
    def read_payment(self, told: Any) -> Event:
        event = super().read_payment(told)
        return evolve(event, raw={**event.raw, "payer": told.get("payer")})


class Secretive(AcmePay):
    @property
    def hosts(self) -> Sequence[str]:
        return ("api.acme.example",)


class FollowsAnywhere(AcmePay):
    async def get(self, path: str, query: Mapping[str, str] | None = None) -> httpx.Response:
        try:
            return await self.services.http.get(self.address(path), headers=self.headers(), follow_redirects=True)
        except httpx.HTTPError as error:
            raise self.undone(error) from error


class OneForAll(AcmePay):
    first: ClassVar[list[str]] = []

    def __init__(self, config: Any, services: Any) -> None:
        super().__init__(config, services)
        self.first.append(config.base_url)
        self.settings = evolve(config, base_url=self.first[0])


class ClosesOnce(AcmePay):
    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError
        self.closed = True


class AlwaysWell(AcmePay):
    async def check(self) -> Health:
        return Health(ok=True, detail="certainly")


ZOO: dict[str, tuple[type[PaymentProvider], ...]] = {
    "test_the_descriptor_is_complete": (Shouting,),
    "test_wrong_settings_are_refused_by_name": (TakesBlanks,),
    "test_credentials_are_typed_as_secrets": (PlainToken,),
    "test_what_is_not_declared_is_refused_before_any_call": (Secretly, EndsAnyway),
    "test_what_is_asked_is_what_arrives": (Ascii,),
    "test_amounts_arrive_to_the_minor_unit": (FloatsOut,),
    "test_a_currency_that_is_not_declared_is_refused_before_any_call": (AnyCurrency,),
    "test_an_amount_that_is_not_above_zero_is_refused_before_any_call": (ForNothing,),
    "test_a_reference_is_echoed_exactly": (Lowers,),
    "test_a_link_ends_when_it_was_asked_to": (Endless,),
    "test_an_end_without_an_offset_is_refused": (Naive,),
    "test_each_link_has_an_id_of_its_own": (OneId,),
    "test_a_repeated_call_is_one_link_where_that_is_declared": (Forgetful,),
    "test_a_link_is_withdrawn": (Withdraws,),
    "test_links_and_payments_are_found_by_reference": (Blind,),
    "test_a_payment_is_told_whole": (Net,),
    "test_every_outcome_has_its_kind": (Hopeful,),
    "test_amounts_are_read_to_the_minor_unit": (FloatsIn,),
    "test_what_was_given_back_is_told": (ForgetsRefunds,),
    "test_a_charge_back_is_told": (Optimist,),
    "test_a_new_status_is_unknown": (Guesses,),
    "test_a_payment_has_the_same_key_until_it_changes": (KeysByTime, KeysById),
    "test_an_unknown_payment_is_an_error": (Invents,),
    "test_another_payment_than_asked_for_is_no_payment": (Wanders,),
    "test_a_refund_gives_back_what_was_asked": (GivesAll,),
    "test_a_repeated_refund_is_one": (FreshKeys,),
    "test_an_excessive_refund_is_refused": (GivesWhatIsThere,),
    "test_a_refused_connection_means_no_link": (Timid,),
    "test_a_timeout_before_anything_left_means_no_link": (DoubtsTimeouts,),
    "test_a_lost_answer_is_repeated_only_under_a_key": (RepeatsBlindly,),
    "test_a_cut_connection_never_denies_what_the_vendor_has": (Denies,),
    "test_a_wrong_protocol_is_told": (Credulous,),
    "test_a_tls_failure_means_no_link": (TrustsNoTls,),
    "test_a_cancelled_call_ends_at_once": (Stubborn,),
    "test_waiting_never_blocks_the_loop": (Blocking,),
    "test_a_slow_answer_is_waited_for": (Hasty,),
    "test_nothing_is_tried_again_by_itself": (Persistent, Insists),
    "test_too_many_requests_are_waited_out": (Impatient,),
    "test_server_errors_promise_nothing": (BlamesTheRequest, RepeatsBlindly),
    "test_wrong_credentials_are_the_accounts_fault": (RetriesLogins,),
    "test_status_200_alone_says_nothing": (StatusIsEnough,),
    "test_a_broken_answer_is_unknown_not_refused": (HalfIsNothing,),
    "test_an_answer_of_the_wrong_shape_is_read_with_care": (Stumbles,),
    "test_another_link_than_asked_for_is_no_link": (Unsuspecting,),
    "test_the_address_of_a_link_is_safe": (AnyAddress,),
    "test_a_payment_of_the_wrong_shape_is_read_with_care": (FillsIn,),
    "test_a_webhook_is_a_hint": (AsksAtOnce,),
    "test_forged_webhooks_are_rejected": (Trusting,),
    "test_another_accounts_secret_does_not_verify": (OneSecretForAll,),
    "test_a_rotated_secret_verifies": (FirstSecret,),
    "test_an_old_webhook_is_not_replayed": (Timeless,),
    "test_a_redelivery_has_the_same_keys": (KeysByArrival,),
    "test_several_payments_are_all_named": (FirstOfABatch,),
    "test_signed_rubbish_is_rejected_or_says_nothing": (Fragile,),
    "test_a_webhook_of_the_wrong_shape_is_read_with_care": (Sorts,),
    "test_nothing_personal_or_secret_is_told": (Talkative, KeepsThePayer, Traces),
    "test_only_declared_hosts_are_reached": (Secretive, FollowsAnywhere),
    "test_two_accounts_stand_side_by_side": (OneForAll,),
    "test_it_can_be_closed_and_built_again": (ClosesOnce,),
    "test_check_tells_whether_it_works": (AlwaysWell,),
}


def test_every_check_has_its_mutant() -> None:
    """
    A check that nothing fails is no check.
    """
    assert sorted(ZOO) == sorted(standard_checks(PaymentProviderConformance))


@pytest.mark.parametrize(("name", "mutant"), [(name, mutant) for name, several in ZOO.items() for mutant in several])
def test_every_mutant_is_caught_by_its_check(name: str, mutant: type[PaymentProvider]) -> None:
    """
    The failure says what was found, what was expected, and why that matters.
    """
    kit = type("Kit", (Signs,), {"provider": mutant})()
    OneForAll.first.clear()

    with pytest.raises(AssertionError) as caught:
        getattr(kit, name)()

    words = str(caught.value)
    assert [line.partition(":")[0] for line in words.splitlines()[:3]] == ["found", "expected", "why it matters"]


def test_a_failure_shows_the_exchange() -> None:
    kit = type("Kit", (Signs,), {"provider": RetriesLogins})()

    with pytest.raises(AssertionError, match=r"exchange:\n  POST http://127\.0\.0\.1:\d+/links -> 401"):
        kit.test_wrong_credentials_are_the_accounts_fault()


@pytest.mark.parametrize(("status", "kept"), [("EN_DISPUTA", "EN_DISPUTA"), ("de Ana Prueba", "unprintable")])
def test_what_new_writes_keeps_a_status_that_is_one_word(status: str, kept: str) -> None:
    """
    Many vendors shout their words. An operator has to see which one was not known; a sentence may name the payer.
    """
    provider = make_provider(AcmePay, AcmePaySandbox(clock=FixedClock(EPOCH)).settings)
    told = {"id": "pay_1", "amount": "120.00", "currency": "PEN", "reference": "R-1", "refunded": "0", "status": status}

    event = provider.read_payment({**told, "at": EPOCH.isoformat()})

    assert (event.kind, event.raw) == (EventKind.UNKNOWN, {"status": kept})


def test_a_class_that_signs_nothing_is_told_so() -> None:
    """
    Rubbish is held against signed webhooks: without `signed` nothing would be proven, so the check fails.
    """
    kit = type("Kit", (PaymentProviderConformance,), {"provider": AcmePay, "sandbox": AcmePaySandbox})()

    with pytest.raises(AssertionError, match="does not write signed"):
        kit.test_signed_rubbish_is_rejected_or_says_nothing()
