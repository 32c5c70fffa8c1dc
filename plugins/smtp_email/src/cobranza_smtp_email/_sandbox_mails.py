"""
Mails that come back, as servers and people write them: for the emulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from attrs import frozen

_SERVER = "mx.example.net"


@frozen(kw_only=True)
class Sent:
    """
    What is answered or returned.

    Attributes:
        message_id: Its Message-ID, without brackets.
        sender: Envelope sender: bounces go there.
        recipient: Who got it.
        answers_to: The address of its Reply-To, or of its From.
        subject: Its subject.
        text: Its words.
        headers: Its header block.
        wishes: Options of DSN.
        at: When it comes back.
    """

    message_id: str
    sender: str
    recipient: str
    answers_to: str
    subject: str
    text: str
    headers: bytes
    wishes: Mapping[str, str]
    at: datetime

    def answer(self, text: str) -> bytes:
        """
        What a person writes above the quotation.
        """
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self.recipient
        mail["To"] = self.answers_to
        mail["Subject"] = f"Re: {self.subject}"
        mail["Date"] = format_datetime(self.at)
        mail["Message-ID"] = f"<answer-to.{self.message_id.rpartition('@')[0]}.{_mark(text)}@{_SERVER}>"
        mail["In-Reply-To"] = mail["References"] = f"<{self.message_id}>"
        quoted = "\n".join(f"> {line}" for line in self.text.splitlines())
        mail.set_content(f"{text}\n\nEl mié, 5 ago 2026 a las 12:00, <{self.answers_to}> escribió:\n\n{quoted}\n")
        return mail.as_bytes()

    def away(self) -> bytes:
        """
        What a mail program writes for somebody on holiday.
        """
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self.recipient
        mail["To"] = self.sender
        mail["Subject"] = f"Respuesta automática: {self.subject}"
        mail["Auto-Submitted"] = "auto-replied"
        mail["In-Reply-To"] = f"<{self.message_id}>"
        mail["Message-ID"] = f"<away.{self.message_id}>"
        mail.set_content("Estoy de vacaciones. BAJA es una palabra que aquí no significa nada.\n")
        return mail.as_bytes()

    def report(self, *, action: str, status: str, diagnostic: str) -> bytes:
        """
        A report of its delivery (RFC 3464).
        """
        envelope_id = self.wishes.get("ENVID")
        message = [f"Reporting-MTA: dns; {_SERVER}", *([f"Original-Envelope-Id: {envelope_id}"] if envelope_id else [])]
        recipient = [
            f"Final-Recipient: rfc822; {self.recipient}",
            f"Action: {action}",
            f"Status: {status}",
            *([f"Diagnostic-Code: smtp; {diagnostic}"] if diagnostic else []),
        ]
        blocks = "\r\n".join(message) + "\r\n\r\n" + "\r\n".join(recipient) + "\r\n"
        words = f"The mail to {self.recipient}: {action}.\r\n"
        return self._multipart(
            "delivery-status", words, "message/delivery-status", blocks.encode(), subject="Delivery Status Notification"
        )

    def complaint(self, kind: str = "abuse") -> bytes:
        """
        "This is spam", as a mailbox provider passes it on (RFC 5965).
        """
        fields = f"Feedback-Type: {kind}\r\nUser-Agent: sandbox/1\r\nVersion: 1\r\n"
        return self._multipart(
            "feedback-report",
            "A complaint.\r\n",
            "message/feedback-report",
            fields.encode(),
            subject=f"FW: {self.subject}",
        )

    def _multipart(self, kind: str, words: str, part: str, fields: bytes, *, subject: str) -> bytes:
        frontier = f"sandbox-{_mark(self.message_id)}"
        head = (
            f"Return-Path: <>\r\nFrom: Mail Delivery System <MAILER-DAEMON@{_SERVER}>\r\nTo: {self.sender}\r\n"
            f"Subject: {subject}\r\nDate: {format_datetime(self.at)}\r\n"
            f"Message-ID: <report-{_mark(self.message_id)}@{_SERVER}>\r\nAuto-Submitted: auto-replied\r\n"
            f"MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/report; report-type={kind};\r\n boundary="{frontier}"\r\n\r\n'
        )
        parts = [
            b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + words.encode(),
            f"Content-Type: {part}\r\n\r\n".encode() + fields,
            b"Content-Type: text/rfc822-headers\r\n\r\n" + self.headers,
        ]
        body = b"".join(b"--" + frontier.encode() + b"\r\n" + each + b"\r\n" for each in parts)
        return head.encode() + body + b"--" + frontier.encode() + b"--\r\n"


def _mark(text: str) -> str:
    """
    Short, and the same for the same text.
    """
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:12]
