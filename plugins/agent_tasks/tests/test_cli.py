"""
The command line: what people see, what they are kept from, and what the SDK is owed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field

from cobranza_agent_tasks._cli import run
from cobranza_agent_tasks._desk import Gate
from cobranza_agent_tasks._house import House, Setup, house_of
from cobranza_agent_tasks._report import Account, post
from cobranza_agent_tasks._tasks import Outcome, Task, TaskError, TaskList
from cobranza_agent_tasks._webhooks import SIGNATURE, parse_envelope, verify_request
from cobranza_sdk import Address, Decision, Event, Finding, InvalidValueError, Secret, Verdict, WebhookRequest
from cobranza_sdk.testing import FixedClock

Make = Callable[..., Task]

HOME = Address("postal", "Ana Prueba | Jr. Inventado 1 | Lima | PERÚ")


@define
class Office:
    """
    One list, a gate that can be told to refuse, and the SDK's side of the wire.
    """

    path: Path
    clock: FixedClock
    printed: Callable[[], Any]
    refused: set[str] = field(factory=set)
    deferred: set[str] = field(factory=set)
    gate: Gate | None = None
    status: int | None = 200
    posted: list[tuple[str, bytes, Mapping[str, str]]] = field(factory=list)
    out: str = ""
    err: str = ""

    def __attrs_post_init__(self) -> None:
        self.gate = self.judge

    def judge(self, attempt_id: str) -> Decision:
        now = self.clock.now()
        verdict = Verdict.DENY if attempt_id in self.refused else Verdict.DEFER
        if attempt_id not in self.refused | self.deferred:
            return Decision(verdict=Verdict.ALLOW, at=now)
        finding = Finding(rule="sdk.paid", verdict=verdict, citation="SDK law 1", pack="sdk 1")
        return Decision(verdict=verdict, at=now, findings=(finding,))

    @contextmanager
    def open(self, _config: Path) -> Iterator[House]:
        accounts = tuple(
            Account(
                name=name,
                channel=channel,
                path=str(self.path),
                secrets=(Secret("new"), Secret("old")),
                webhook_url=f"https://cobranza.example.com/webhooks/{name}",
                sender=("Tienda Andina",),
            )
            for name, channel in (("calls", "call"), ("post", "letter"))
        )
        yield House(accounts=accounts, gate=self.gate, past_due=lambda ids: dict.fromkeys(ids[:1], 12))

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        self.posted.append((url, body, headers))
        return self.status

    def __call__(self, *words: str, code: int = 0) -> Any:
        """
        Run a command; what it printed, as JSON where it was asked for.
        """
        setup = Setup(open_house=self.open, now=self.clock.now, send=self.send)
        found = run([*words], setup)
        self.out, self.err = self.printed()
        assert found == code, self.err
        return json.loads(self.out) if "--json" in words and not code else None

    def events(self) -> list[Event]:
        """
        What the core makes of everything that was posted.
        """
        return [
            event
            for url, body, headers in self.posted
            for event in parse_envelope(
                verify_request(
                    WebhookRequest(method="POST", url=url, headers=headers, body=body, received_at=self.clock.now()),
                    account="agent_calls",
                    secrets=[Secret("new")],
                ),
                channel=json.loads(body)["channel"],
            )
        ]


@pytest.fixture
def office(path: Path, clock: FixedClock, capsys: pytest.CaptureFixture[str]) -> Office:
    return Office(path=path, clock=clock, printed=capsys.readouterr)


# -- looking -----------------------------------------------------------------------------------------------------------


def test_the_list_tells_the_parts_of_each_place_and_no_address(office: Office, tasks: TaskList, task: Make) -> None:
    """
    S-028: who asks why a task comes first can read it.
    """
    tasks.add(task())
    tasks.add(task("A-2", not_after=None))

    found = office("list", "--json")

    assert [row["task"] for row in found["tasks"]] == ["A-1", "A-2"]
    assert found["tasks"][0]["score"] == {"closes_in_minutes": 480, "days_past_due": 12, "age_minutes": 0}
    assert "fewer first" in found["formula"]
    assert "+51900100001" not in office.out
    office("list")
    assert "A-1  call  closes in 480 min  12 days past due  0 min old\n" in office.out
    assert "+51900100001" not in office.out


def test_the_list_alone_needs_no_house(office: Office, tasks: TaskList, task: Make, path: Path) -> None:
    """
    And without one nothing is shown: there is no gate.
    """
    tasks.add(task())

    assert [row["task"] for row in office("list", "--path", str(path), "--json")["tasks"]] == ["A-1"]
    office("show", "A-1", "--path", str(path), code=1)
    assert office.err.startswith("error: the gate cannot be asked, so nothing is shown (hint: give --config")
    assert "Ana" not in office.out + office.err


def test_a_task_is_shown_with_its_script(office: Office, tasks: TaskList, task: Make) -> None:
    tasks.add(task())

    found = office("show", "A-1", "--json")

    assert (found["address"], found["script"]) == ("+51900100001", "¿Hablo con Ana Prueba?")
    assert "voicemail" in found["outcomes"]
    office("show", "A-1")
    assert "to: +51900100001\nnot after: 2026-08-05T23:00:00+00:00\n" in office.out


@pytest.mark.parametrize("words", [("show", "A-1"), ("take", "A-1", "--by", "rosa")])
def test_what_the_gate_refuses_is_withdrawn_and_told(
    office: Office, tasks: TaskList, task: Make, words: tuple[str, ...]
) -> None:
    tasks.add(task())
    office.refused.add("A-1")

    office(*words, code=1)

    assert office.err == "error: task A-1 is withdrawn: sdk.paid (hint: SDK law 1)\n"
    assert "+51900" not in office.out + office.err
    office("report")
    assert [(event.kind, event.outcome) for event in office.events()] == [("failed", "withdrawn")]


@pytest.mark.parametrize(
    "words", [("show", "A-1"), ("take", "A-1", "--by", "r"), ("export", "--out", "x.csv", "--by", "r")]
)
def test_an_sdk_that_cannot_judge_again_shows_nothing(
    office: Office, tasks: TaskList, task: Make, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    tasks.add(task())
    office.gate = None

    office(*words, code=1)

    assert "so nothing is shown" in office.err
    assert not (tmp_path / "x.csv").exists()
    assert tasks.get("A-1").ended_at is None


def test_practice_shows_no_number_anywhere(office: Office, tasks: TaskList, task: Make, tmp_path: Path) -> None:
    """
    Law 13, on the screen, in the export and on paper.
    """
    tasks.add(task(practice=True))
    tasks.add(task("L-1", channel="letter", address=HOME, practice=True))

    shown = office("show", "A-1", "--json")
    assert (shown["address"], shown["practice"]) == (None, True)
    office("show", "A-1")
    assert "to: no address: it was made with live = false, for practice" in office.out
    office("export", "--out", str(tmp_path / "list.csv"), "--by", "rosa")
    assert "51900" not in (tmp_path / "list.csv").read_text("utf-8-sig")
    found = office("letters", "--out", str(tmp_path / "post"), "--by", "rosa", "--json")
    assert (found["written"], list(found["left_out"])) == ([], ["L-1"])
    assert tasks.get("L-1").taken_by is None


def test_two_agents_do_not_call_one_person(office: Office, tasks: TaskList, task: Make) -> None:
    """
    S-043: the second is told who has it and until when, and sees no address.
    """
    tasks.add(task())
    office("take", "A-1", "--by", "rosa", "--minutes", "10")

    office("take", "A-1", "--by", "luis", code=1)

    assert "task A-1 is taken by rosa until 2026-08-05T15:10" in office.err
    assert office.out == ""
    office.clock.advance(timedelta(minutes=10))
    assert office("take", "A-1", "--by", "luis", "--json")["taken_by"] == "luis"


# -- telling -----------------------------------------------------------------------------------------------------------


def test_an_outcome_is_kept_and_reported(office: Office, tasks: TaskList, task: Make) -> None:
    """
    To the account that made the task, signed by its first secret; the note stays here.
    """
    tasks.add(task())
    office.clock.advance(timedelta(minutes=5))

    found = office("done", "A-1", "--outcome", "no_answer", "--by", "rosa", "--note", "sonó mucho", "--json")

    assert found == {"task": "A-1", "outcome": "no_answer", "key": "A-1:1", "reported": 1, "owed": {}}
    ((url, body, headers),) = office.posted
    assert url == "https://cobranza.example.com/webhooks/calls"
    assert SIGNATURE in headers
    assert "sonó" not in body.decode()
    assert [event.outcome for event in office.events()] == ["no_answer"]
    assert tasks.outcomes("A-1")[0].note == "sonó mucho"
    assert tasks.unreported() == []


def test_what_the_sdk_does_not_take_stays_owed(office: Office, tasks: TaskList, task: Make) -> None:
    """
    The agent has done their part: the outcome is not lost, and has the same key when it is told again.
    """
    tasks.add(task())
    for status, reason in ((None, "the SDK cannot be reached"), (503, "the SDK answered 503")):
        office.status = status
        words = ["report"] if tasks.outcomes("A-1") else ["done", "A-1", "--outcome", "refused", "--by", "rosa"]
        office(*words)
        assert f"warning: 1 outcomes are kept and still owed to the SDK: {reason}" in office.err
    office.status = 200

    assert office("report", "--json") == {"expired": 0, "reported": 1, "owed": {}}
    assert len({event.key for event in office.events()}) == 1
    assert office("report", "--json")["reported"] == 0


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/webhooks/calls"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/webhooks/calls"),
        ("https://h.example/hooks/x", "https://h.example/hooks/x"),
    ],
)
def test_the_sdk_may_be_elsewhere(office: Office, tasks: TaskList, task: Make, url: str, where: str) -> None:
    tasks.add(task())

    office("done", "A-1", "--outcome", "refused", "--by", "rosa", "--url", url)

    assert [posted for posted, _, _ in office.posted] == [where]


def test_a_list_without_accounts_keeps_what_it_cannot_report(
    office: Office, tasks: TaskList, task: Make, path: Path
) -> None:
    tasks.add(task())

    found = office("done", "A-1", "--outcome", "refused", "--by", "r", "--path", str(path), "--json")

    assert found["owed"] == {"no account for a call is configured": 1}
    assert len(tasks.unreported()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--outcome", "posted"), "posted is no outcome of a call"),
        (("--outcome", "no_answer", "--opt-out"), "--opt-out does not go with no_answer"),
        (("--outcome", "no_answer", "--at", "2026-08-05T09:00:00-05:00"), "cannot have been done at"),
        (("--outcome", "no_answer", "--reason", "x"), "no outcome that could be corrected"),
    ],
)
def test_what_does_not_fit_the_task_is_refused(
    office: Office, tasks: TaskList, task: Make, words: tuple[str, ...], told: str
) -> None:
    tasks.add(task())

    office("done", "A-1", "--by", "rosa", *words, code=1)

    assert told in office.err
    assert tasks.outcomes("A-1") == []
    assert office.posted == []


@pytest.mark.parametrize(
    "words",
    [
        ("--outcome", "answered", "--by", "r"),
        ("--outcome", "refused"),
        ("--outcome", "refused", "--by", " "),
        ("--outcome", "refused", "--by", "r", "--at", "2026-08-05T10:00:00"),
    ],
)
def test_a_mistake_in_the_call_is_told(office: Office, words: tuple[str, ...]) -> None:
    office("done", "A-1", *words, code=2)

    assert office.err.startswith("error: ")
    assert len(office.err.splitlines()) == 1


def test_a_second_outcome_needs_a_reason(office: Office, tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    office("done", "A-1", "--outcome", "no_answer", "--by", "rosa")

    office("done", "A-1", "--outcome", "right_party", "--by", "rosa", code=1)
    assert "(hint: a correction needs --reason)" in office.err
    found = office("done", "A-1", "--outcome", "right_party", "--by", "jefa", "--reason", "tipeo", "--json")

    assert found["key"] == "A-1:2"
    assert [event.outcome for event in office.events()] == ["no_answer", "right_party"]


def test_who_asks_to_be_left_alone_is_reported_so(office: Office, tasks: TaskList, task: Make) -> None:
    tasks.add(task())

    office("done", "A-1", "--outcome", "refused", "--by", "rosa", "--opt-out")

    assert [str(event.kind) for event in office.events()] == ["read", "opt_out"]


def test_what_nobody_did_in_time_is_hidden_and_reported(office: Office, tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    office.clock.advance(timedelta(hours=8))

    assert office("list", "--json")["tasks"] == []
    assert "1 ended now as expired: their legal window has closed" in office.err
    office("list")
    assert "ended now" not in office.err
    office("show", "A-1", code=1)
    assert "task A-1 has ended as expired: its legal window closed at " in office.err
    office("report")
    assert [(str(event.kind), event.outcome) for event in office.events()] == [("failed", "expired")]


# -- files -------------------------------------------------------------------------------------------------------------


def test_an_export_holds_what_is_permitted_and_free(
    office: Office, tasks: TaskList, task: Make, tmp_path: Path
) -> None:
    """
    Each address is asked for, as if it were shown, and who has the file has the tasks; one that is put off stops none.
    """
    for key in ("A-0", "A-1", "A-2", "A-3"):
        tasks.add(task(key))
    office.deferred.add("A-0")
    office.refused.add("A-2")
    office("take", "A-3", "--by", "rosa")

    found = office("export", "--out", str(tmp_path / "list.csv"), "--by", "luis", "--json")

    with (tmp_path / "list.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["task"], row["address"]) for row in rows] == [("A-1", "tel:+51900100001")]
    assert found == {
        "written": 1,
        "left_out": {
            "A-0": "task A-0 is not to be done now: sdk.paid",
            "A-2": "task A-2 is withdrawn: sdk.paid",
            "A-3": "task A-3 is taken by rosa until 2026-08-05T15:30:00.000000+00:00",
        },
    }
    assert (tasks.get("A-1").taken_by, tasks.get("A-0").taken_by, tasks.get("A-0").ended_at) == ("luis", None, None)


def test_letters_are_made_once_for_one_person(office: Office, tasks: TaskList, task: Make, tmp_path: Path) -> None:
    """
    Who prints them has them; a letter that cannot be printed is given back, and one that is refused is withdrawn.
    """
    pytest.importorskip("reportlab", reason="the extra letters is not installed")
    for key in ("L-1", "L-2", "L-3"):
        tasks.add(task(key, channel="letter", address=HOME, script="🙂" if key == "L-3" else "Señora: €"))
    tasks.add(task("A-1"))
    office.refused.add("L-2")

    found = office("letters", "--out", str(tmp_path / "post"), "--by", "rosa", "--json")

    assert found["written"] == ["L-1.pdf"]
    assert sorted(found["left_out"]) == ["L-2", "L-3"]
    assert "U+1F642" in found["left_out"]["L-3"]
    (made,) = (tmp_path / "post").iterdir()
    assert (made.read_bytes()[:5], made.stat().st_mode & 0o777) == (b"%PDF-", 0o600)
    again = office("letters", "--out", str(tmp_path / "post"), "--by", "luis", "--json")
    assert "taken by rosa" in again["left_out"]["L-1"]
    office("done", "L-1", "--outcome", "posted", "--by", "rosa")
    told = {event.attempt_id: (str(event.kind), event.outcome) for event in office.events()}
    assert told == {"L-1": ("sent", "posted"), "L-2": ("failed", "withdrawn")}


def test_old_tasks_are_erased(office: Office, tasks: TaskList, task: Make) -> None:
    tasks.add(task())
    office("done", "A-1", "--outcome", "refused", "--by", "rosa")
    office.clock.advance(timedelta(days=90, seconds=1))

    assert office("erase", "--days", "90", "--json") == {"erased": 1}
    assert tasks.get("A-1").script is None


# -- the house ---------------------------------------------------------------------------------------------------------


CONFIG = """
[creditor]
name = "Tienda Andina"
country = "PE"
[store]
url = "sqlite:///house.db"
[plugins]
allow = ["agent_tasks", "compliance_latam"]
[web]
public_url = "https://cobranza.example.com"
[channels.calls]
provider = "agent_calls"
path = "tasks.db"
webhook_secret = [{ env = "AGENT_NEW" }, { env = "AGENT_OLD" }]
[channels.post]
provider = "agent_letters"
path = "tasks.db"
webhook_secret = { env = "AGENT_OLD" }
sender = ["Tienda Andina"]
page = "letter"
"""


def test_a_configuration_names_lists_secrets_and_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The gate is the SDK's own: what it does not know it does not judge.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENT_NEW", "new")
    monkeypatch.setenv("AGENT_OLD", "old")
    (tmp_path / "cobranza.toml").write_text(CONFIG, "utf-8")

    with house_of(tmp_path / "cobranza.toml") as house:
        calls, letters = house.accounts
        assert house.past_due([]) == {}
        assert house.gate is not None
        with pytest.raises(InvalidValueError, match="no such attempt"):
            house.gate("A-1")

    assert (calls.name, calls.channel, calls.path) == ("calls", "call", "tasks.db")
    assert [secret.reveal() for secret in calls.secrets] == ["new", "old"]
    assert calls.webhook_url == "https://cobranza.example.com/webhooks/calls"
    assert (letters.sender, letters.page) == (("Tienda Andina",), "letter")


def test_days_past_due_come_from_the_core(house: Any, owing: Any, tasks: TaskList, path: Path) -> None:
    from cobranza_agent_tasks._house import _past_due

    with house() as cobranza:
        cobranza.portfolio.put(*owing)
        cobranza.plan()
        cobranza.dispatch()
        (made,) = tasks.tasks()

        assert _past_due(cobranza, [made.id, "nobody"]) == {made.id: 1}


def test_several_lists_have_to_be_chosen_from(office: Office, tasks: TaskList, task: Make) -> None:
    @contextmanager
    def two(_config: Path) -> Iterator[House]:
        with office.open(_config) as house:
            first, second = house.accounts
            yield House(accounts=(first, evolve(second, path="other.db")))

    setup = Setup(open_house=two, now=office.clock.now)
    assert run(["list"], setup) == 1
    assert "2 work lists are configured (hint: choose with --path)" in office.printed()[1]


@pytest.mark.parametrize("url", ["http://h.example/x", "ftp://h.example/x", "x"])
def test_nothing_is_posted_in_the_clear(url: str) -> None:
    with pytest.raises(TaskError, match="--url must be https, or http on this machine"):
        post(url, b"{}", {})


def test_an_sdk_that_is_away_is_no_answer() -> None:
    assert post("http://127.0.0.1:9/webhooks/calls", b"{}", {}) is None


def test_an_error_of_no_kind_is_one_line_without_its_words(office: Office) -> None:
    """
    What an unforeseen error says may quote a person.
    """

    def broken(_config: Path) -> Any:
        raise RuntimeError("+51900100001")  # noqa: EM101  # the canary

    assert run(["list"], Setup(open_house=broken, now=office.clock.now)) == 1
    assert office.printed()[1].startswith("error: unexpected RuntimeError (hint: ")


def test_a_report_of_an_erased_list_is_not_lost(office: Office, tasks: TaskList, task: Make) -> None:
    """
    What is still owed keeps its data until it is told.
    """
    tasks.add(task())
    office.status = None
    office("done", "A-1", "--outcome", "refused", "--by", "rosa")
    office.clock.advance(timedelta(days=400))

    assert office("erase", "--days", "1", "--json") == {"erased": 0}
    assert isinstance(tasks.outcomes("A-1")[0], Outcome)
