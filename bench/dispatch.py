"""
The whole path of a message: from what is due in the store, over HTTP to an emulator in another process, and back.

Run as a program it is one side of the comparison, in a fresh process: ``dispatch.py SIDE DIRECTORY``.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from measure import Case, child, interleave, peak_mib, table

from cobranza_sdk import Cobranza
from cobranza_sdk.loading import FixedClock, read_settings

_AT = datetime.fromisoformat("2026-08-05T10:00:00-05:00")  # a Wednesday, working day in Peru
_IN_FLIGHT = 8
_CREATED = 201
_OURS, _BARE, _CANNED = "cobranza dispatch", "bare httpx loop", "cobranza dispatch, answers without a network"

_CONFIG = """live = false

[creditor]
name = "Tienda Andina"
country = "PE"
contact_line = "atencion@example.com"
payment_url = "https://pagos.example.com/{{reference}}"

[store]
url = "sqlite:///cobranza.db"

[strategies]
bench = "strategy.toml"

[templates]
files = ["templates.toml"]

[web]
public_url = "http://127.0.0.1:9"

[erps.exports]
provider = "erp_csv"
path = "erp.csv"
delimiter = ";"
decimal = ","
country = "PE"
contacts_confirmed = true

[channels.sms]
provider = "twilio_sms"
{account}
"""
_STRATEGY = """name = "bench"
version = 1

[[step]]
id = "pre-3"
days = -3
purpose = "reminder"
channels = ["sms"]
template = "preventive"
"""
_HEADER = (
    "customer_key;customer_name;phone;consent_channels;doc_type;doc_number;issue_date;due_date;currency;amount_total;"
    "amount_open"
)


@contextmanager
def emulator(provider: str) -> Iterator[dict[str, Any]]:
    """
    A vendor's emulator in a process of its own; gives the settings that reach it.
    """
    command = [sys.executable, "-m", "cobranza_sdk", "sandbox", provider, "--port", "0", "--json"]
    with subprocess.Popen(  # noqa: S603  # our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101  # it is a pipe
            document = ""
            while not document.endswith("}\n") or not _is_json(document):
                line = process.stdout.readline()
                if not line:
                    msg = "the emulator did not start"
                    raise SystemExit(msg)
                document += line
            yield json.loads(document)["settings"]
        finally:
            process.terminate()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def prepare(directory: Path, settings: Mapping[str, Any], count: int) -> None:
    """
    A store with *count* messages due, and their bodies as the plugin writes them.
    """
    from cobranza_sdk.cli._workspace import resource, toml_value, write_private

    account = "\n".join(f"{name} = {toml_value(value)}" for name, value in settings.items() if name != "auth_token")
    token = settings["auth_token"]
    secret = token if isinstance(token, str) else token[0]
    write_private(directory / "token", secret)
    account += '\nauth_token = [{ file = "token" }]'
    rows = (
        f"C{number};Ana Quispe;900 {number // 1000:03d} {number % 1000:03d};sms;Factura;F001-{number};05/07/2026;"
        f"08/08/2026;PEN;{100 + number},50;{100 + number},50"
        for number in range(count)
    )
    texts = {
        "cobranza.toml": _CONFIG.format(account=account).replace("{{reference}}", "{reference}"),
        "strategy.toml": _STRATEGY,
        "templates.toml": resource("templates", "standard.toml"),
        "erp.csv": "\n".join([_HEADER, *rows, ""]),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, "utf-8")
    with Cobranza.from_config(directory / "cobranza.toml", at=_AT) as cobranza:
        cobranza.sync()
        made = cobranza.plan()
    if made != count:
        msg = f"expected {count} messages to be due, found {made}"
        raise SystemExit(msg)


def _copy(directory: Path) -> Path:
    fresh = Path(tempfile.mkdtemp(dir=directory.parent))
    for file in directory.iterdir():
        shutil.copy(file, fresh / file.name)
    return fresh


def side_dispatch(directory: Path) -> dict[str, float]:
    """
    Send what is due.
    """
    return _dispatched(directory, None)


def side_canned(directory: Path) -> dict[str, float]:
    """
    Send what is due to nobody: each answer is ready at once. What is left is our own work.
    """
    given = 0

    def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal given
        given += 1
        return httpx.Response(_CREATED, json={"sid": f"SM{given:032x}", "status": "queued", "error_code": None})

    return _dispatched(directory, httpx.AsyncClient(transport=httpx.MockTransport(answer)))


def side_record(directory: Path) -> dict[str, float]:
    """
    Send what is due and keep the bodies, for the loop to post the same.
    """
    bodies: list[dict[str, Any]] = []

    async def keep(request: httpx.Request) -> None:
        bodies.append({"url": str(request.url), "body": request.content.decode("ascii")})

    measured = _dispatched(directory, httpx.AsyncClient(event_hooks={"request": [keep]}, trust_env=False))
    (directory / "bodies.json").write_text(json.dumps(bodies), "utf-8")
    return measured


def _dispatched(directory: Path, http: httpx.AsyncClient | None) -> dict[str, float]:
    settings = read_settings(directory / "cobranza.toml")
    with Cobranza(settings, clock=FixedClock(_AT), http=http) as cobranza:
        cobranza.place  # noqa: B018  # plugins, packs and templates are read before the clock starts
        began, cpu = time.perf_counter(), time.process_time()
        report = cobranza.dispatch()
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    sent = report.counts.get("accepted", 0)
    if sent == 0 or sent != sum(report.counts.values()):
        msg = f"expected every message to be accepted, found {dict(report.counts)}"
        raise SystemExit(msg)
    return _measured(sent, wall, cpu)


def side_loop(directory: Path) -> dict[str, float]:
    """
    Post the same bodies with nothing around them.
    """
    bodies = json.loads((directory / "bodies.json").read_text("utf-8"))
    token = (directory / "token").read_text("utf-8")

    async def post_all() -> None:
        left = iter(bodies)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        async with httpx.AsyncClient(trust_env=False) as client:

            async def work() -> None:
                for item in left:
                    user = item["url"].split("/")[5]
                    answer = await client.post(item["url"], content=item["body"], headers=kind, auth=(user, token))
                    if answer.status_code != _CREATED or not answer.json()["sid"]:
                        msg = f"the emulator refused: {answer.status_code}"
                        raise SystemExit(msg)

            await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))

    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(post_all())
    return _measured(len(bodies), time.perf_counter() - began, time.process_time() - cpu)


def _measured(count: int, wall: float, cpu: float) -> dict[str, float]:
    return {"per_s": count / wall, "cpu_ms_each": cpu * 1000 / count, "peak_mib": peak_mib()}


_SIDES = {"dispatch": side_dispatch, "canned": side_canned, "record": side_record, "loop": side_loop}


def measure_dispatch(count: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    The section on the whole path.
    """
    with tempfile.TemporaryDirectory() as place, emulator("twilio_sms") as settings:
        prepared = Path(place) / "prepared"
        prepared.mkdir()
        prepare(prepared, settings, count)
        recorded = _copy(prepared)
        child("dispatch.py", "record", str(recorded))
        shutil.copy(recorded / "bodies.json", prepared / "bodies.json")

        def side(name: str) -> Case:
            def run() -> Mapping[str, float]:
                fresh = _copy(prepared)
                try:
                    return child("dispatch.py", name, str(fresh))
                finally:
                    shutil.rmtree(fresh)

            return run

        cases = {_OURS: side("dispatch"), _BARE: side("loop"), _CANNED: side("canned")}
        samples = interleave(cases, rounds, say)
    rows = table(samples, "per_s", {"bare loop": _BARE}, ("cpu_ms_each", "peak_mib"))
    return {"rows": rows, "messages": count, "in_flight": _IN_FLIGHT}


def main(arguments: Sequence[str]) -> None:
    """
    Be one side.
    """
    side, directory = arguments
    print(json.dumps(_SIDES[side](Path(directory))))


if __name__ == "__main__":
    main(sys.argv[1:])
