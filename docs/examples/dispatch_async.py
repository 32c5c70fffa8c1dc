import asyncio
from datetime import datetime

from cobranza_sdk import Cobranza


async def work() -> None:
    at = datetime.fromisoformat("2026-08-05T10:00:00-05:00")
    async with Cobranza.from_config("cobranza.toml", at=at) as cobranza:
        await cobranza.a_sync()
        print(await cobranza.aplan(), "planned")
        report = await cobranza.adispatch(limit=100)
        print(dict(sorted(report.counts.items())))


asyncio.run(work())
