from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from cobranza_sdk import Cobranza

cobranza = Cobranza.from_config("cobranza.toml")


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with cobranza:
        yield


app = Starlette(routes=[Mount("/collections", app=cobranza.webhooks)], lifespan=lifespan)
