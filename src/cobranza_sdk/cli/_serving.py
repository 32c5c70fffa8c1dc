"""
``cobranza serve`` and ``cobranza sandbox``.
"""

from __future__ import annotations

from contextlib import ExitStack

import click

from cobranza_sdk.cli._driving import Driver, lines_of_stdin
from cobranza_sdk.cli._output import open_application, print_json
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.cli._workspace import DEMO_HINT, needing_extras
from cobranza_sdk.model import CobranzaError


@command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def serve_command(options: Options, host: str, port: int) -> None:
    """
    Take webhooks at /webhooks/NAME, until interrupted.
    """
    with open_application(options) as cobranza:
        application = cobranza.webhooks
        with needing_extras("cobranza serve", "pip install 'cobranza-sdk[web]'"):
            import uvicorn

        accounts = [*cobranza.settings.channels, *cobranza.settings.payments]
        names = [f"http://{host}:{port}/webhooks/{name}" for name in accounts]
        if options.as_json:
            print_json({"listening": f"{host}:{port}", "webhooks": names})
        else:
            click.echo("\n".join(["taking webhooks at:", *(f"  {name}" for name in names), "(Ctrl-C ends)"]))
        uvicorn.run(application, host=host, port=port, log_level="warning", access_log=False)


@command("sandbox")
@click.argument("provider")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="On 127.0.0.1; 0 takes a free one.")
@click.option("--webhook-url", help="Where receipts and answers go, for example http://127.0.0.1:8080/webhooks/sms.")
@click.option("--manual", is_flag=True, help="Report nothing by itself: wait for lines on standard input.")
def sandbox_command(options: Options, provider: str, port: int, webhook_url: str | None, manual: bool) -> None:  # noqa: FBT001  # click's name
    """
    Run a vendor's emulator until interrupted. It reports each message as delivered when it has a webhook address.

    Lines on standard input say what else happens: reply ID WORDS…, read ID, deliver ID, fail ID, or help.
    """
    from cobranza_sdk.loading import SystemClock, load_plugins

    plugins = load_plugins()
    provided = plugins.provided.get(("sandbox", provider))
    if provided is None:
        names = ", ".join(plugins.names("sandbox")) or "none installed"
        msg = f"there is no emulator for {provider}, expected one of {names}"
        raise CobranzaError(msg, hint=f"{DEMO_HINT} brings the first ones")
    sandbox = provided.item(clock=SystemClock(), port=port, webhook_url=webhook_url)
    with ExitStack() as stack:
        with needing_extras(f"the emulator of {provider}"):
            stack.enter_context(sandbox)
        settings = dict(sandbox.settings)
        if options.as_json:
            print_json({"provider": provider, "port": sandbox.port, "settings": settings})
        else:
            where = f"on 127.0.0.1:{sandbox.port}" if sandbox.listens else "without a port"
            click.echo(f"{provider} is emulated {where} (Ctrl-C ends). Settings to reach it:")
            for name, value in settings.items():
                click.echo(f"  {name} = {value!r}")
            click.echo("Type what happens to a message, for example `reply ID BAJA`; `help` lists it.")
        Driver(sandbox, delivers=webhook_url is not None and not manual).run(lines_of_stdin())
