"""
A worker that may be killed: sends what is due over a channel that writes each call to a journal. Run by test_crashes.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import anyio
from attrs import frozen

from cobranza_sdk import Accepted, Channel, ChannelCapabilities, Cobranza, OutboundMessage
from cobranza_sdk.loading import FixedClock, Plugins, Provided, load_plugins, settings_from


@frozen
class NoSettings:
    """
    Nothing to configure.
    """


class Journal(Channel):
    """
    Appends the attempt's id to a file, in one write, and accepts.
    """

    name = "journal"
    config: ClassVar[type] = NoSettings
    capabilities = ChannelCapabilities(channel="sms", family="message", schemes=["e164"])

    async def send(self, message: OutboundMessage) -> Accepted:
        handle = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{message.attempt_id}\n".encode())
        os.close(handle)
        # The provider has it, its answer is under way: the instant at which a crash hurts most.
        await anyio.sleep(float(os.environ.get("ANSWER_TAKES_S", "0")))
        return Accepted(provider_message_id=f"J-{message.attempt_id}")


def open_house(directory: Path, at: datetime) -> Cobranza:
    """
    The workspace that the test made.
    """
    installed = load_plugins(allow=["compliance_latam"])
    provided: dict[Any, Provided] = dict(installed.provided)
    provided["channel", "journal"] = Provided(
        family="channel", name="journal", plugin="tests", distribution="tests", item=Journal
    )
    table = {
        "creditor": {
            "name": "Tienda",
            "country": "PE",
            "contact_line": "a@example.com",
            "payment_url": "https://p.example.com",
        },
        "store": {"url": f"sqlite:///{directory / 'crash.db'}"},
        "channels": {"sms": {"provider": "journal"}},
        "strategies": {"test": str(directory / "strategy.toml")},
        "templates": {"files": [str(directory / "templates.toml")]},
    }
    plugins = Plugins(plugins=(), failures=(), provided=provided)
    return Cobranza(settings_from(table), clock=FixedClock(at), plugins=plugins)


if __name__ == "__main__":
    with open_house(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])) as cobranza:
        cobranza.plan()
        cobranza.dispatch()
