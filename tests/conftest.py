"""
A small house for tests: a real SQLite file, real packs, and channels that record what they are asked to carry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import frozen
from hypothesis import settings as hypothesis_settings

from cobranza_sdk import (
    Accepted,
    Address,
    Channel,
    ChannelCapabilities,
    Cobranza,
    Consent,
    ContactPoint,
    Debtor,
    Event,
    EventKind,
    Installment,
    Money,
    OutboundMessage,
    Person,
    Receivable,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_sdk.loading import FixedClock, Plugins, Provided, load_plugins

# No test is timed: a busy machine is not a fault.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

#: A Wednesday, 10:00 in Lima and Bogotá.
WEDNESDAY = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)

STRATEGY = """
name = "test"
version = 1
[[step]]
id = "pre-3"
days = -3
until = 0
purpose = "reminder"
channels = ["sms", "email"]
template = "preventive"
[[step]]
id = "late-1"
days = 1
until = 6
purpose = "reminder"
channels = ["sms", "email"]
template = "administrative"
[[step]]
id = "late-7"
days = 7
until = 20
purpose = "demand"
channels = ["sms", "email"]
template = "administrative"
"""


@frozen
class NoSettings:
    """
    A channel that needs nothing.
    """


class RecordingChannel(Channel):
    """
    Carries nothing and remembers everything; *script* holds what the next calls raise or return.
    """

    config: ClassVar[type] = NoSettings

    def __init__(self, config: Any, services: Any) -> None:
        super().__init__(config, services)
        self.sent = _BOX.setdefault(self.name, [])

    async def send(self, message: OutboundMessage) -> Accepted:
        script = _SCRIPT.get(self.name, [])
        answer = script.pop(0) if script else None
        if callable(answer):
            answer = answer(message)
        if isinstance(answer, BaseException):
            raise answer
        self.sent.append(message)
        return answer or Accepted(provider_message_id=f"{self.name}-{len(self.sent)}")

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        if request.headers.get("x-signature") != "good":
            msg = "the signature does not match"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="test", signed=request.body)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        kind, key, message_id, text = envelope.signed.decode().split("|")
        return (
            Event(
                kind=EventKind(kind),
                key=key,
                occurred_at=envelope.received_at,
                account=self.account,
                provider_message_id=message_id or None,
                reply_to=message_id or None,
                text=text or None,
            ),
        )


class FakeSms(RecordingChannel):
    name = "fake_sms"
    capabilities = ChannelCapabilities(
        channel="sms", family="message", schemes=["e164"], receipts=["delivered", "failed"], inbound=True
    )


class FakeEmail(RecordingChannel):
    name = "fake_email"
    capabilities = ChannelCapabilities(channel="email", family="email", schemes=["email"], subject=True, html=True)


class FakeChat(RecordingChannel):
    name = "fake_chat"
    capabilities = ChannelCapabilities(
        channel="whatsapp",
        family="message",
        schemes=["e164"],
        session_window=timedelta(hours=24),
        templates=True,
        inbound=True,
        webhook_bytes=4 * 1024 * 1024,
    )


_BOX: dict[str, list[OutboundMessage]] = {}
_SCRIPT: dict[str, list[Any]] = {}


@pytest.fixture
def box() -> dict[str, list[OutboundMessage]]:
    """
    What each fake channel carried, by its name.
    """
    _BOX.clear()
    _SCRIPT.clear()
    return _BOX


@pytest.fixture
def script(box: dict[str, list[OutboundMessage]]) -> dict[str, list[Any]]:
    """
    What each fake channel answers next, by its name: an exception, an `Accepted` or a function of the message.
    """
    return _SCRIPT


@pytest.fixture
def clock() -> FixedClock:
    """
    A clock that stands at Wednesday, 10:00 in Lima.
    """
    return FixedClock(WEDNESDAY)


def fake_plugins(*more: tuple[str, Any]) -> Plugins:
    """
    The installed packs and templates with the fake channels instead of the real ones, and *more* as (family, item).
    """
    installed = load_plugins(allow=["compliance_latam"])
    provided = dict(installed.provided)
    items = [("channel", FakeSms), ("channel", FakeEmail), ("channel", FakeChat), *more]
    for family, item in items:
        provided[family, item.name] = Provided(
            family=family, name=item.name, plugin="tests", distribution="tests", item=item
        )
    return Plugins(plugins=installed.plugins, failures=(), provided=provided)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """
    A configuration table with both fake channels.
    """
    from importlib.resources import files

    (tmp_path / "strategy.toml").write_text(STRATEGY, "utf-8")
    (tmp_path / "templates.toml").write_text(
        (files("cobranza_sdk.templates") / "standard.toml").read_text("utf-8"), "utf-8"
    )
    return {
        "creditor": {
            "name": "Tienda Andina",
            "country": "PE",
            "contact_line": "ayuda@example.com",
            "payment_url": "https://pagos.example.com/{reference}",
        },
        "store": {"url": f"sqlite:///{tmp_path / 'test.db'}"},
        "channels": {"sms": {"provider": "fake_sms"}, "email": {"provider": "fake_email"}},
        "strategies": {"test": str(tmp_path / "strategy.toml")},
        "templates": {"files": [str(tmp_path / "templates.toml")]},
    }


@pytest.fixture
def house(settings: dict[str, Any], clock: FixedClock, box: Any) -> Iterable[Cobranza]:
    """
    A creditor in Peru with an SMS and an email channel that record.
    """
    with Cobranza(settings, clock=clock, plugins=fake_plugins()) as cobranza:
        yield cobranza


@pytest.fixture
def make_house(settings: dict[str, Any], clock: FixedClock, box: Any) -> Iterable[Callable[..., Cobranza]]:
    """
    Build a house with other settings or plugins.
    """
    made: list[Cobranza] = []

    def make(*more: tuple[str, Any], **changes: Any) -> Cobranza:
        cobranza = Cobranza({**settings, **changes}, clock=clock, plugins=fake_plugins(*more))
        made.append(cobranza)
        return cobranza

    yield make
    for cobranza in made:
        cobranza.close()


def make_debtor(key: str = "D-1", *, country: str = "PE", **changes: Any) -> Debtor:
    """
    A debtor whose phone and address are confirmed, with consent for both.
    """
    number = sum(ord(c) * 31**i for i, c in enumerate(key)) % 1_000_000
    prefix = {"PE": "+51900", "CO": "+57300"}.get(country, "+51900")
    values: dict[str, Any] = {
        "external_id": key,
        "person": Person(name="Ana Prueba"),
        "country": country,
        "contact_points": [
            ContactPoint(address=Address("e164", f"{prefix}{number:06d}"), holder_role="debtor", state="confirmed"),
            ContactPoint(
                address=Address("email", f"{key.lower()}@example.com"), holder_role="debtor", state="confirmed"
            ),
        ],
        "consents": [Consent(channel="sms"), Consent(channel="email")],
    }
    return Debtor(**{**values, **changes})


def make_receivable(
    key: str = "F-1",
    debtor: str = "D-1",
    *,
    due_on: date = date(2026, 8, 4),
    amount: str = "100.00",
    currency: str = "PEN",
) -> Receivable:
    """
    An invoice of one installment, a day overdue on `WEDNESDAY`.
    """
    money = Money.of(amount, currency)
    return Receivable(
        external_id=key,
        debtor_id=debtor,
        document=key,
        installments=[Installment(due_on=due_on, amount=money, open=money)],
    )


@pytest.fixture
def debtor() -> Callable[..., Debtor]:
    """
    Makes debtors.
    """
    return make_debtor


@pytest.fixture
def receivable() -> Callable[..., Receivable]:
    """
    Makes receivables.
    """
    return make_receivable


@pytest.fixture
def webhook(clock: FixedClock) -> Callable[..., WebhookRequest]:
    """
    Makes a webhook of a fake channel: kind, key, the vendor's message id, text.
    """

    def make(kind: str, key: str, message_id: str = "", text: str = "", *, signature: str = "good") -> WebhookRequest:
        return WebhookRequest(
            method="POST",
            url="https://hooks.example.com/webhooks/sms",
            headers={"X-Signature": signature},
            body=f"{kind}|{key}|{message_id}|{text}".encode(),
            received_at=clock.now(),
        )

    return make


@pytest.fixture
def later(clock: FixedClock) -> Callable[..., None]:
    """
    Moves the clock on.
    """

    def move(**by: float) -> None:
        clock.advance(timedelta(**by))

    return move
