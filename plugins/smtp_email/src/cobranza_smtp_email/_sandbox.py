"""
A mail server on loopback, with mailboxes that can press "unsubscribe".

aiosmtpd is imported when it starts, for it comes with the extra ``sandbox``, and asyncio too: naming it needs neither.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import default
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from attrs import field, frozen

from cobranza_sdk import Address, Attachment, Clock, Sandbox, SandboxMessage, Secret
from cobranza_smtp_email import _references
from cobranza_smtp_email._config import is_loopback
from cobranza_smtp_email._sandbox_mails import Sent
from cobranza_smtp_email._token_endpoint import TokenEndpoint

if TYPE_CHECKING:
    import ssl

    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

FAULTS = ("greylist", "unknown_user", "drop_after_dot", "no_starttls")

_OPT_OUT_WORDS = {"alto", "baja", "cancelar", "no más", "no mas", "parar", "sair", "stop", "unsubscribe"}
_WEB_LINK = re.compile(r"<(https?://[^>\s]+)>")
_XOAUTH2 = re.compile(r"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01")
_AUTH_LINE = 12_288  # RFC 4954, 4
_PATH_LINE = 1024  # 512, and what SIZE, SMTPUTF8 and DSN (RFC 3461, 4) add
_DSN_OPTION = re.compile(r"(?i)[ ](RET|ENVID|NOTIFY|ORCPT)=([^ ]*)")
_START_S = 10.0


@frozen(kw_only=True)
class SandboxMail:
    """
    A mail as it arrived.

    Attributes:
        provider_message_id: Its Message-ID without brackets.
        sender: Envelope sender.
        recipients: Envelope recipients.
        raw: The bytes after DATA, dot-stuffing undone.
        wishes: What was asked about reports of its delivery (RFC 3461): ``RET``, ``ENVID``, ``NOTIFY``, ``ORCPT``.
    """

    provider_message_id: str
    sender: str = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    raw: bytes = field(repr=False)
    wishes: Mapping[str, str] = field(factory=dict, repr=False)

    def parsed(self) -> EmailMessage:
        """
        The mail as a reader's program sees it.
        """
        return BytesParser(policy=default).parsebytes(self.raw)


class SmtpSandbox(Sandbox):
    """
    A submission server that keeps what it is given.

    Args:
        clock: The time it lives in.
        port: Port on 127.0.0.1, 0 for a free one.
        webhook_url: Where a mail's one-click link leads instead of a public address, or None.
        tls_context: Certificate and key with which to demand STARTTLS; None serves without TLS, on loopback.
        implicit_tls: Whether to encrypt with it from the first byte instead.
        username: Account that must log in, or None to ask for no login.
    """

    name: ClassVar[str] = "smtp_email"

    def __init__(
        self,
        *,
        clock: Clock,
        port: int = 0,
        webhook_url: str | None = None,
        tls_context: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        username: str | None = "sandbox-account",
    ) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self.tls_context = tls_context
        self.implicit_tls = implicit_tls
        self.username = username
        self.password = "sandbox-password"  # noqa: S105  # opens nothing but this emulator on loopback
        self.inbound_secret = "sandbox-inbound-secret"  # noqa: S105  # likewise
        self.offers_dsn = True
        self.tokens = TokenEndpoint(clock)
        self.mails: list[SandboxMail] = []
        self._received: list[SandboxMessage] = []
        self._faults: list[str] = []
        self._server: _Server | None = None

    def start(self) -> None:
        """
        Serve on loopback in a background thread; *port* then holds the real one.
        """
        if self._server is not None:
            return
        from aiosmtpd.smtp import SMTP  # noqa: F401  # a missing extra is to be told here, not in the thread

        # at its usual level, the server's library logs every recipient
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._server = _Server(self, listening)
        self._server.start()

    def stop(self) -> None:
        """
        Stop serving and hang up. Safe to call twice.
        """
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        self.tokens.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the channel reaches this server, secrets as plain text.
        """
        login = {} if self.username is None else {"username": self.username, "password": self.password}
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "tls": "none" if self.tls_context is None else "implicit" if self.implicit_tls else "starttls",
            "from_address": "cobranza@example.com",
            "unsubscribe_secret": "sandbox-unsubscribe-secret",
            "inbound_secret": self.inbound_secret,
            **login,
        }

    @property
    def oauth_settings(self) -> Mapping[str, Any]:
        """
        The same with a login by OAuth; the token endpoint serves from the first time these are asked for.
        """
        return {
            **{name: value for name, value in self.settings.items() if name != "password"},
            "oauth_endpoint": self.tokens.start(),
            "oauth_client_id": self.tokens.client_id,
            "oauth_client_secret": self.tokens.client_secret,
            "oauth_refresh_token": self.tokens.refresh_token,
        }

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        Messages taken so far, in order.
        """
        return tuple(self._received)

    def fail_next(self, fault: str) -> None:
        """
        Let something go wrong once; several faults wait for their turn in order.

        Args:
            fault: ``greylist`` (451 to the next RCPT), ``unknown_user`` (550 to the next RCPT), ``drop_after_dot`` (the
                next mail is kept, but the connection ends without an answer), ``no_starttls`` (the next EHLO does not
                offer it).
        """
        if fault not in FAULTS:
            msg = f"fault must be one of {', '.join(FAULTS)}"
            raise ValueError(msg)
        self._faults.append(fault)

    def reply(self, provider_message_id: str, text: str) -> int | None:
        """
        Press the mail program's "unsubscribe" when *text* asks for it, else answer the mail.

        The link of the mail is posted when it leads to this machine; else its token is posted to *webhook_url*. An
        answer goes there too, as the pipe of a mail server hands it over.

        Returns:
            The status of the answer; None when there is no link and no *webhook_url*.
        """
        if text.strip().lower() in _OPT_OUT_WORDS:
            link = self._link(provider_message_id)
            if link is not None:
                return self._press(link)
        return self.hand_over(self._sent(provider_message_id).answer(text))

    def fail(self, provider_message_id: str) -> int | None:
        """
        Return the mail: there is no such mailbox.
        """
        return self.bounce(provider_message_id, status="5.1.1", diagnostic="550 5.1.1 no such user")

    def deliver(self, provider_message_id: str) -> int | None:
        """
        Report the mail as delivered, when that was asked for (``NOTIFY=SUCCESS``).
        """
        if "SUCCESS" not in self._sent(provider_message_id).wishes.get("NOTIFY", "").upper().split(","):
            return None
        return self.bounce(provider_message_id, action="delivered", status="2.1.5")

    def bounce(
        self, provider_message_id: str, *, action: str = "failed", status: str, diagnostic: str = ""
    ) -> int | None:
        """
        Report on a mail's delivery (RFC 3464): ``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded``.
        """
        return self.hand_over(
            self._sent(provider_message_id).report(action=action, status=status, diagnostic=diagnostic)
        )

    def complain(self, provider_message_id: str) -> int | None:
        """
        Report the mail as spam (RFC 5965).
        """
        return self.hand_over(self._sent(provider_message_id).complaint())

    def be_away(self, provider_message_id: str) -> int | None:
        """
        Answer by a machine: the person is on holiday.
        """
        return self.hand_over(self._sent(provider_message_id).away())

    def hand_over(self, raw: bytes) -> int | None:
        """
        Post a mail to *webhook_url*, signed, as `cobranza_smtp_email.deliver` does; None without such an address.
        """
        if self.webhook_url is None:
            return None
        from cobranza_smtp_email.deliver import hand_over, http_client

        with http_client() as client:
            return hand_over(raw, self.webhook_url, Secret(self.inbound_secret), at=self.clock.now(), client=client)

    def _press(self, link: str) -> int:
        import httpx

        with httpx.Client(trust_env=False, follow_redirects=False) as client:
            return client.post(
                link,
                content=b"List-Unsubscribe=One-Click",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ).status_code

    def _mail(self, provider_message_id: str) -> SandboxMail:
        mail = next((mail for mail in self.mails if mail.provider_message_id == provider_message_id), None)
        if mail is None:
            msg = "no such mail has arrived"
            raise LookupError(msg)
        return mail

    def _sent(self, provider_message_id: str) -> Sent:
        mail = self._mail(provider_message_id)
        parsed = mail.parsed()
        plain = parsed.get_body(("plain",))
        return Sent(
            message_id=mail.provider_message_id,
            sender=mail.sender,
            recipient=mail.recipients[0],
            answers_to=parsed["Reply-To" if "Reply-To" in parsed else "From"].addresses[0].addr_spec,
            subject=str(parsed.get("Subject", "")),
            text="" if plain is None else plain.get_content(),
            headers=mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n",
            wishes=mail.wishes,
            at=self.clock.now(),
        )

    def _link(self, provider_message_id: str) -> str | None:
        match = _WEB_LINK.search(str(self._mail(provider_message_id).parsed().get("List-Unsubscribe", "")))
        if match is None:
            return None
        parts = urlsplit(match[1])
        if is_loopback(parts.hostname or ""):
            return match[1]
        return None if self.webhook_url is None else f"{self.webhook_url}?{parts.query}"

    def _takes_fault(self, *kinds: str) -> str | None:
        """
        The fault whose turn it is, when it is one of *kinds*.
        """
        return self._faults.pop(0) if self._faults and self._faults[0] in kinds else None

    def _attempt(self, reference: str) -> str:
        sealed = _references.opened(reference, [Secret(self.inbound_secret)])
        return reference if sealed is None else sealed.attempt_id

    def _keep(
        self, sender: str, recipients: Sequence[str], raw: bytes, wishes: Mapping[str, str] | None = None
    ) -> None:
        message = BytesParser(policy=default).parsebytes(raw)
        identifier = str(message["Message-ID"]).strip().removeprefix("<").removesuffix(">")
        plain = message.get_body(("plain",))
        self.mails.append(
            SandboxMail(
                provider_message_id=identifier,
                sender=sender,
                recipients=tuple(recipients),
                raw=raw,
                wishes=dict(wishes or {}),
            )
        )
        self._received.append(
            SandboxMessage(
                provider_message_id=identifier,
                to=Address("email", recipients[0]),
                text="" if plain is None else plain.get_content().replace("\r\n", "\n").removesuffix("\n"),
                attempt_id=self._attempt(identifier.rpartition("@")[0]),
                at=self.clock.now(),
                subject=None if message["Subject"] is None else str(message["Subject"]),
                files=[_file_of(part) for part in message.iter_attachments()],
            )
        )


def _file_of(part: Message) -> Attachment:
    content = part.get_payload(decode=True)
    return Attachment(
        filename=part.get_filename() or "file",
        content_type=part.get_content_type(),
        content=content if isinstance(content, bytes) else b"",
    )


class _Handler:
    """
    What aiosmtpd asks during a conversation.
    """

    def __init__(self, sandbox: SmtpSandbox) -> None:
        self._sandbox = sandbox

    async def handle_EHLO(  # noqa: N802  # aiosmtpd finds it by this name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        offered = [*responses[:-1], "250-DSN", responses[-1]] if self._sandbox.offers_dsn else responses
        if self._sandbox._takes_fault("no_starttls"):  # noqa: SLF001  # one class in two halves
            return [line for line in offered if not line.endswith("STARTTLS")]
        return offered

    async def handle_MAIL(  # noqa: N802  # aiosmtpd finds it by this name and calls it with these
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._sandbox.username is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd finds it by this name and calls it with these
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        match self._sandbox._takes_fault("greylist", "unknown_user"):  # noqa: SLF001  # one class in two halves
            case "greylist":
                return "451 4.7.1 Greylisted, try again later"
            case "unknown_user":
                return f"550 5.1.1 <{address}>: no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # likewise
        import asyncio

        content = envelope.content
        raw = content.encode() if isinstance(content, str) else bytes(content or b"")
        wishes = getattr(server, "wishes", {})
        self._sandbox._keep(envelope.mail_from or "", envelope.rcpt_tos, raw, wishes)  # noqa: SLF001  # two halves
        if self._sandbox._takes_fault("drop_after_dot"):  # noqa: SLF001  # likewise
            if isinstance(server.transport, asyncio.WriteTransport):
                server.transport.abort()
            await asyncio.get_running_loop().create_future()  # the lost connection cancels it
        return f"250 2.0.0 OK: queued as {len(self._sandbox.mails)}"

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802  # aiosmtpd finds it so
        """
        Take an access token; a bad one is told by a challenge, which the client answers with an empty line.
        """
        from aiosmtpd.smtp import AuthResult

        try:
            said = base64.b64decode("".join(args[1:]), validate=True).decode()
        except ValueError:
            return AuthResult(success=False, handled=False, message="501 5.5.2 Cannot decode")
        match = _XOAUTH2.fullmatch(said)
        sandbox = self._sandbox
        if match and match[1] == sandbox.username and sandbox.tokens.knows(match[2]):
            return AuthResult(success=True, handled=False)
        answered = await server.challenge_auth('{"status":"401","schemes":"bearer"}')
        if answered != b"":
            return AuthResult(success=False, handled=False, message="501 5.5.2 Expected an empty line")
        return AuthResult(success=False, handled=False, message="535 5.7.8 Username and token not accepted")

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        """
        Compare the credentials.
        """
        from aiosmtpd.smtp import AuthResult

        expected = ((self._sandbox.username or "").encode(), self._sandbox.password.encode())
        right = all(hmac.compare_digest(*pair) for pair in zip(expected, (data.login, data.password), strict=True))
        return AuthResult(success=right, handled=False)


def _conversation() -> type[SMTP]:
    """
    aiosmtpd's server, which lacks long lines of AUTH and the options of DSN (RFC 3461).
    """
    from aiosmtpd.smtp import SMTP

    class Conversation(SMTP):
        line_length_limit = _AUTH_LINE  # of the stream's buffer, made by the constructor

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.line_length_limit = SMTP.line_length_limit  # of the mail's own lines
            self.wishes: dict[str, str] = {}

        async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
            self.wishes = {}
            await super().smtp_MAIL(self._without_wishes(arg))

        async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802  # likewise
            await super().smtp_RCPT(self._without_wishes(arg))

        def _without_wishes(self, arg: str | None) -> str | None:
            if arg is None:
                return None
            self.wishes.update({name.upper(): value for name, value in _DSN_OPTION.findall(arg)})
            return _DSN_OPTION.sub("", arg)

    return Conversation


class _Server:
    """
    One event loop in one thread, which ends with every connection closed.
    """

    def __init__(self, sandbox: SmtpSandbox, listening: socket.socket) -> None:
        self._handler = _Handler(sandbox)
        self._from_start = sandbox.tls_context if sandbox.implicit_tls else None
        self._tls_context = None if sandbox.implicit_tls else sandbox.tls_context
        self._listening = listening
        self._connections: list[SMTP] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="smtp_email-sandbox", daemon=True)

    def start(self) -> None:
        """
        Return once it serves.
        """
        self._thread.start()
        if not self._ready.wait(_START_S):
            msg = "the mail server did not start"
            raise TimeoutError(msg)

    def stop(self) -> None:
        """
        Return once everything is closed.
        """
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        import asyncio

        asyncio.run(self._serve())

    async def _serve(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await self._loop.create_server(self._connection, sock=self._listening, ssl=self._from_start)
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for connection in self._connections:
            if isinstance(connection.transport, asyncio.WriteTransport):
                connection.transport.abort()
        await asyncio.sleep(0)  # the aborted transports say goodbye to their protocols

    def _connection(self) -> SMTP:
        connection = _conversation()(
            self._handler,
            hostname="sandbox.example.com",
            ident="ESMTP",
            enable_SMTPUTF8=True,
            tls_context=self._tls_context,
            require_starttls=self._tls_context is not None,
            auth_require_tls=self._tls_context is not None,
            authenticator=self._handler.authenticate,
            loop=self._loop,
        )
        connection.command_size_limits.update({"AUTH": _AUTH_LINE, "MAIL": _PATH_LINE, "RCPT": _PATH_LINE})
        self._connections.append(connection)
        return connection
