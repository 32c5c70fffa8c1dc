"""
The channel: one mail to one recipient, and a precise answer to "did it leave?".

The SMTP library, and asyncio and ssl with it, are imported when a connection is made: naming the channel needs none.
"""

from __future__ import annotations

import contextlib
import hmac
import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from attrs import define, field

from cobranza_sdk import (
    Accepted,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    Health,
    OutboundMessage,
    ProviderError,
    Secret,
    Services,
    Transmitted,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_smtp_email import _signature, _webhooks
from cobranza_smtp_email._config import SmtpEmailSettings, is_link_base
from cobranza_smtp_email._errors import (
    Progress,
    Stage,
    failures,
    from_failure,
    is_refused_login,
    no_login,
    no_starttls,
    out_of_turn,
)
from cobranza_smtp_email._message import MAX_ATTACHED, Mail, Mailbox, compose
from cobranza_smtp_email._oauth import Tokens
from cobranza_smtp_email._references import xtext

if TYPE_CHECKING:
    import asyncio
    import ssl

    from aiosmtplib import SMTP
    from aiosmtplib.protocol import SMTPProtocol

_CONNECT_S = 30.0
_COMMAND_S = 60.0
#: RFC 5321 advises ten minutes: whoever gives up sooner than the server makes duplicates.
_FINAL_DOT_S = 300.0
_QUIT_S = 5.0
#: Servers hang up on who is silent, mostly after five minutes: what has been idle longer is not tried again.
_MAX_IDLE_S = 120.0

_BY_TOKEN, _BY_PASSWORD = "XOAUTH2", "PLAIN or LOGIN"
_START_INPUT, _CLOSING = 354, 421
_SUCCESS = range(200, 300)
_SCHEMES = ("email",)
_QUEUE_ID = re.compile(r"queued as [A-Za-z0-9._-]{1,64}", re.ASCII)  # what a postmaster asks for
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


@define
class _Connection:
    client: SMTP
    mails: int = 0
    idle_since: float | None = None


@define(eq=False)
class _Pool:
    """
    The connections of one event loop.
    """

    slots: asyncio.Semaphore
    idle: list[_Connection] = field(factory=list)
    lifetime: AsyncGenerator[None, None] | None = None

    def take(self, now: float) -> _Connection | None:
        """
        The kept connection that was used last, unless it is dead or was silent for too long. No NOOP is spent on it:
        MAIL itself shows whether it lives, and a mail that finds it dead goes out on a new one.
        """
        while self.idle:
            connection = self.idle.pop()
            since = connection.idle_since
            if connection.client.is_connected and since is not None and now - since <= _MAX_IDLE_S:
                return connection
            connection.client.close()
        return None

    async def drain(self) -> None:
        """
        Take leave on every kept connection.
        """
        while self.idle:
            await _leave(self.idle.pop().client)

    def abandon(self) -> None:
        """
        Close without a word.
        """
        while self.idle:
            self.idle.pop().client.close()


class SmtpEmail(Channel):
    """
    E-mail through a submission server.

    It says "accepted" when the server queued the mail. What becomes of it later comes back as mail: bounces, answers,
    complaints. They are read where ``inbound_secret`` is set and a mailbox is handed to the webhook (`deliver`,
    `fetch`); opt-outs by one-click unsubscribe come without.
    """

    name: ClassVar[str] = "smtp_email"
    config: ClassVar[type] = SmtpEmailSettings
    capabilities: ClassVar[ChannelCapabilities] = ChannelCapabilities(
        channel="email",
        family="email",
        schemes=_SCHEMES,
        free_text=True,
        subject=True,
        html=True,
        attachments=True,
        attachment_bytes=MAX_ATTACHED,
        receipts=frozenset({"failed"}),
        inbound=True,
        correlation=True,
    )

    settings: SmtpEmailSettings

    def __init__(self, config: SmtpEmailSettings, services: Services) -> None:
        super().__init__(config, services)
        self._sender = _known_mailbox(config.from_address)
        self._reply_to = _mailbox_of(config.reply_to)
        self._bounces = _mailbox_of(config.bounce_address)
        self._leaving = _mailbox_of(config.unsubscribe_address)
        self._tokens = Tokens(config, services) if config.uses_oauth else None
        self._tls_context: ssl.SSLContext | None = None
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    @property
    def account(self) -> str:
        """
        The sender's address.
        """
        return self.settings.from_address

    @property
    def hosts(self) -> Sequence[str]:
        """
        The submission server and, where tokens are fetched, the vendor's token endpoint.
        """
        endpoint = urlsplit(self.settings.oauth_endpoint or "").hostname
        return [self.settings.host, *([] if endpoint is None else [endpoint])]

    async def send(self, message: OutboundMessage) -> Accepted:
        """
        Hand one mail to the server.

        Raises:
            ProviderError: With ``transmitted`` "maybe" only when the final dot had left and no answer came.
            LiveInterlockError: The server may not be reached.
        """
        now = self.services.clock.now()
        too_late = message.not_after is not None and message.not_after <= now
        if too_late:
            raise ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)
        self._require_own_sender(message.sender)
        mail = compose(
            message,
            sender=self._sender,
            sender_name=self.settings.from_name,
            reply_to=self._reply_to,
            unsubscribe=self._link(message.attempt_id),
            one_click=bool(self._link_keys()),
            unsubscribe_mailbox=self._leaving,
            bounces=self._bounces,
            key=next(iter(self.settings.inbound_secret), None),
            tags=self.settings.tag_addresses,
            qr_for=self.settings.qr_for,
            at=now,
        )
        reply = await self._carry(mail)
        return Accepted(provider_message_id=mail.message_id, status=reply)

    def challenge(self, request: WebhookRequest) -> str | None:
        """
        Tell who opens an unsubscribe link in a browser how to leave. Scanners open links too, so nothing else happens.
        """
        return _webhooks.opened_in_a_browser(request, self._link_keys())

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Accept a signed mail that came back, or the POST of a one-click unsubscribe, and nothing else.
        """
        if _signature.HEADER in request.headers:
            if not self.settings.inbound_secret:
                msg = "no inbound_secret is configured, so no mail is taken"
                raise WebhookRejectedError(msg)
            return _signature.verify(request, account=self.account, secrets=self.settings.inbound_secret)
        keys = self._link_keys()
        if not keys:
            msg = "no unsubscribe_secret is configured, so no link is ours"
            raise WebhookRejectedError(msg)
        return _webhooks.verify(request, account=self.account, secrets=keys)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Report the opt-out, or what the mail tells.
        """
        if envelope.signed.startswith(_signature.PURPOSE):
            from cobranza_smtp_email import _inbound

            return _inbound.parse(envelope, _inbound.Ours(sender=self._sender, secrets=self.settings.inbound_secret))
        return _webhooks.parse(envelope)

    async def check(self) -> Health:
        """
        Connect, log in, say nothing, and leave.
        """
        progress = Progress()
        client: SMTP | None = None
        try:
            client = await self._connect(progress)
            await client.noop()
            encrypted = client.get_transport_info("sslcontext") is not None
        except ProviderError as error:
            return Health(ok=False, detail=f"{progress.stage.value}: {error}")
        except failures() as error:
            return Health(ok=False, detail=f"{progress.stage.value}: {from_failure(error, progress)}")
        finally:
            if client is not None:
                await _leave(client)
        login = "logged in" if self.settings.username is not None else "no login configured"
        one_click = (
            "on" if self._link("check") and self._link_keys() else "off (it needs an address and unsubscribe_secret)"
        )
        told = ["TLS" if encrypted else "no TLS", login, f"one-click unsubscribe {one_click}"]
        told.append(f"mail that comes back {'taken' if self.settings.inbound_secret else 'not read (inbound_secret)'}")
        return Health(ok=True, detail=", ".join(told))

    async def aclose(self) -> None:
        """
        Take leave of the server on every kept connection.
        """
        import asyncio

        here = asyncio.get_running_loop()
        for loop, pool in list(self._pools.items()):
            if loop is here and pool.lifetime is not None:
                await pool.lifetime.aclose()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(pool.abandon)

    def _require_own_sender(self, sender: str | None) -> None:
        if sender is not None and "@" in sender and sender != self.account:
            raise ProviderError(Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO)

    def _link(self, attempt_id: str) -> str | None:
        base = self.settings.unsubscribe_url or self.services.webhook_url
        keys = self._link_keys()
        if base is None or not is_link_base(base):
            return None
        # Without a key no token can be made: the operator's own page is named, and it is not one click.
        return _webhooks.make_link(base, attempt_id, keys[0]) if keys else self.settings.unsubscribe_url

    def _link_keys(self) -> tuple[Secret, ...]:
        """
        Keys of the links: the configured ones, else one that follows from the password, as long as that stays.
        """
        if self.settings.unsubscribe_secret or self.settings.password is None:
            return self.settings.unsubscribe_secret
        password = self.settings.password.reveal().encode()
        return (Secret(hmac.new(password, b"one-click unsubscribe", "sha256").hexdigest()),)

    async def _carry(self, mail: Mail) -> str:
        """
        Send on a kept connection or a new one; returns the server's code and, when it names one, its queue id.

        A kept connection may have died unseen. When it fails before the server took MAIL, nothing was transmitted, and
        the mail goes out once more on a new one.
        """
        pool = await self._pool()
        async with pool.slots:
            kept = pool.take(self.services.clock.monotonic())
            if kept is not None:
                progress = Progress(stage=Stage.MAIL, reused=True)
                answer = await self._try(pool, kept, mail, progress)
                if not (isinstance(answer, ProviderError) and _was_stale(answer, progress)):
                    return _said(answer)
            return _said(await self._try(pool, None, mail, Progress()))

    async def _try(
        self, pool: _Pool, connection: _Connection | None, mail: Mail, progress: Progress
    ) -> str | ProviderError:
        """
        One conversation. The error is returned, not raised: the library's own, which quotes the recipient, must not
        hang on it as its context.
        """
        done = False
        try:
            if connection is None:
                connection = _Connection(await self._connect(progress))
            reply = await _transact(connection.client, mail, progress, self.settings.delivery_receipts)
            done = True
        except ProviderError as error:
            return error
        except failures() as error:
            return from_failure(error, progress)
        finally:  # also when cancelled: a conversation broken off cannot be taken up again
            if connection is not None:
                connection.mails += 1
                if done and connection.mails < self.settings.mails_per_connection and connection.client.is_connected:
                    connection.idle_since = self.services.clock.monotonic()
                    pool.idle.append(connection)
                elif done:
                    await _leave(connection.client)
                else:
                    connection.client.close()
        return reply

    async def _pool(self) -> _Pool:
        import asyncio

        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._pools[loop] = _Pool(asyncio.Semaphore(self.settings.max_connections))
            # a loop closes its open generators when it ends: that is how the sockets kept for it are not left behind
            pool.lifetime = self._until_loop_ends(loop, pool)
            await anext(pool.lifetime)
        return pool

    async def _until_loop_ends(self, loop: asyncio.AbstractEventLoop, pool: _Pool) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._pools.pop(loop, None)
            await pool.drain()

    async def _connect(self, progress: Progress) -> SMTP:
        """
        Open, encrypt and log in; on failure nothing stays open.
        """
        token, kept = (None, False) if self._tokens is None else await self._token(progress)
        try:
            return await self._opened(progress, token)
        except failures() as error:
            # a token may be withdrawn before its time: one more try with a fresh one, before anybody is woken
            if not (kept and self._tokens is not None and progress.stage is Stage.AUTH and is_refused_login(error)):
                raise
            self._tokens.forget()
        token, _ = await self._token(progress)
        return await self._opened(progress, token)

    async def _token(self, progress: Progress) -> tuple[str, bool]:
        progress.stage = Stage.TOKEN
        assert self._tokens is not None  # noqa: S101  # asked for by those who log in so
        found = await self._tokens.current()
        progress.stage = Stage.CONNECT
        return found

    async def _opened(self, progress: Progress, token: str | None) -> SMTP:
        from aiosmtplib import SMTP

        settings = self.settings
        self.services.egress.require(settings.host)
        client = SMTP(
            hostname=settings.host,
            port=settings.effective_port,
            local_hostname=self._sender.domain,
            timeout=_COMMAND_S,
            use_tls=settings.tls == "implicit",
            start_tls=False,  # not left to the library: below, so that each failure is known by its command
            tls_context=None if settings.tls == "none" else await self._tls(),
        )
        try:
            await client.connect(timeout=_CONNECT_S)
            await client.ehlo()
            if settings.tls == "starttls":
                await _encrypt(client, progress)
            if settings.username is not None:
                progress.stage = Stage.AUTH
                await self._log_in(client, settings.username, token)
        except BaseException:
            client.close()
            raise
        return client

    async def _log_in(self, client: SMTP, username: str, token: str | None) -> None:
        if token is not None:
            if "xoauth2" not in client.server_auth_methods:
                raise no_login(_BY_TOKEN)
            await client.auth_xoauth2(username, token)  # answers the error challenge (334) with an empty line
            return
        password = self.settings.password.reveal() if self.settings.password else ""
        if "plain" in client.server_auth_methods:
            await client.auth_plain(username, password)
        elif "login" in client.server_auth_methods:
            await client.auth_login(username, password)
        else:
            raise no_login(_BY_PASSWORD)

    async def _tls(self) -> ssl.SSLContext:
        if self._tls_context is None:
            import asyncio

            try:
                # reads the machine's authorities from disk
                self._tls_context = await asyncio.to_thread(_tls_context, self.settings.ca_file)
            except OSError:
                raise ProviderError(
                    Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO, vendor_message="ca_file cannot be used"
                ) from None
        return self._tls_context


def _mailbox_of(value: str | None) -> Mailbox | None:
    return None if value is None else _known_mailbox(value)


def _known_mailbox(value: str) -> Mailbox:
    mailbox = Mailbox.parse(value)
    if mailbox is None:  # the settings have refused it before
        msg = "not an address"
        raise ValueError(msg)
    return mailbox


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _said(answer: str | ProviderError) -> str:
    if isinstance(answer, ProviderError):
        raise answer
    return answer


def _was_stale(error: ProviderError, progress: Progress) -> bool:
    gone = error.category is Category.NETWORK or (error.vendor_code or "").startswith(str(_CLOSING))
    return progress.reused and progress.stage is Stage.MAIL and gone


async def _leave(client: SMTP) -> None:
    with contextlib.suppress(*failures()):
        await client.quit(timeout=_QUIT_S)
    client.close()


async def _encrypt(client: SMTP, progress: Progress) -> None:
    """
    Upgrade to TLS, or refuse to go on; then ask for the extensions again.
    """
    progress.stage = Stage.TLS
    if not client.supports_extension("starttls"):
        raise no_starttls()
    await client.starttls()
    await client.ehlo()


async def _transact(client: SMTP, mail: Mail, progress: Progress, delivered: bool) -> str:  # noqa: FBT001  # one caller
    """
    MAIL, RCPT, DATA and the final dot, one by one, so that it is known how far it got.
    """
    from aiosmtplib import SMTPResponseException

    progress.stage = Stage.MAIL
    options = _mail_options(client, mail)
    encoding = "utf-8" if mail.needs_utf8 else "ascii"
    _require_quiet(client)
    await client.mail(mail.sender, options=options, encoding=encoding)
    progress.stage = Stage.RCPT
    _require_quiet(client)
    await client.rcpt(mail.recipient, options=_rcpt_options(client, mail, delivered), encoding=encoding)
    progress.stage = Stage.DATA
    _require_quiet(client)
    start = await client.execute_command(b"DATA")
    if start.code != _START_INPUT:
        raise SMTPResponseException(start.code, start.message)
    protocol = _require_quiet(client)
    protocol.write(_LEADING_DOT.sub(b"..", mail.content))
    progress.dot_sent = True
    protocol.write(b".\r\n")
    answer = await protocol.read_response(timeout=_FINAL_DOT_S)
    if answer.code not in _SUCCESS:
        raise SMTPResponseException(answer.code, answer.message)
    queued = _QUEUE_ID.search(answer.message)
    return f"{answer.code} {queued[0]}" if queued else str(answer.code)


def _mail_options(client: SMTP, mail: Mail) -> list[str]:
    limit = client.esmtp_extensions.get("size", "").strip()
    if limit.isdecimal() and 0 < int(limit) < len(mail.content):
        raise ProviderError(
            Category.VALIDATION, Disposition.NEVER, Transmitted.NO, vendor_message="over the server's SIZE"
        )
    options = [f"SIZE={len(mail.content)}"] if client.supports_extension("size") else []
    if mail.needs_utf8:
        if not client.supports_extension("smtputf8"):
            raise ProviderError(
                Category.RECIPIENT, Disposition.NEVER, Transmitted.NO, vendor_message="no SMTPUTF8 at the server"
            )
        options += ["BODY=8BITMIME", "SMTPUTF8"]
    if client.supports_extension("dsn"):  # headers are enough to know it by; the whole mail would tell others its words
        options += ["RET=HDRS", f"ENVID={mail.envelope_id}"]
    return options


def _rcpt_options(client: SMTP, mail: Mail, delivered: bool) -> list[str]:  # noqa: FBT001  # one caller
    if not client.supports_extension("dsn"):
        return []
    options = ["NOTIFY=SUCCESS,FAILURE,DELAY" if delivered else "NOTIFY=FAILURE,DELAY"]
    return options if mail.needs_utf8 else [*options, f"ORCPT=rfc822;{xtext(mail.recipient)}"]


def _require_quiet(client: SMTP) -> SMTPProtocol:
    """
    The open protocol, with no answer lying in it that nobody asked for.
    """
    from aiosmtplib import SMTPServerDisconnected

    protocol = client.protocol
    if protocol is None or not protocol.is_connected:
        msg = "Connection lost"
        raise SMTPServerDisconnected(msg)
    if protocol._buffer:  # noqa: SLF001  # an answer sent ahead stays there and would be read as the next one
        raise out_of_turn()
    return protocol
