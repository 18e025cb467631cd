"""E-mail through the office's own server: SMTP submission with STARTTLS, a log-in, and a Message-ID made of the key.

A server does not drop repeats, but mail programs show mails of one Message-ID once. No receipt comes back: that a
server took a mail is all there is to know, so that an e-mail alone never counts as delivered.
"""

import contextlib
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import formatdate
from typing import Any

from alerts.fault import (
    NO_ACCESS,
    NOT_CONNECTED,
    NOT_REACHED,
    PROVIDER_FAILED,
    REFUSED_TEXT,
    THROTTLED,
    Blame,
    Fault,
    error_of,
)
from alerts.gateway import TIMEOUT_S, GatewayError, Message, Receipt

PROVIDER = "smtp"

SUBJECTS = {"zh": "监督提醒，请及时查看", "en": "Supervision notice, please read"}
"""By language. Shown on locked screens: says nothing of anyone."""

BAD_ADDRESS = Fault(Blame.MESSAGE, "邮箱地址不正确 / not an e-mail address")
NO_SUCH_BOX = Fault(Blame.MESSAGE, "邮件服务器不接受该收件人 / the mail server refuses this recipient")
NOT_SECURE = Fault(
    Blame.PROVIDER, "邮件服务器不支持加密，未发送 / the mail server offers no encryption, nothing was sent"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpAccount:
    """An account for submission. ``sender``: an address. ``tls``: whose certificates are trusted."""

    host: str
    port: int = 587
    user: str
    password: str = field(repr=False)
    sender: str
    tls: ssl.SSLContext


class SmtpGateway:
    """Implements `Gateway`: a connection per mail. Never sends or logs in without encryption."""

    provider = PROVIDER

    def __init__(self, account: SmtpAccount, *, timeout_s: float = TIMEOUT_S) -> None:
        self._account = account
        self._timeout_s = timeout_s

    def send(self, message: Message) -> Receipt:
        """Raises :class:`GatewayError`: final where the server refuses recipient or content for good."""
        mail = self._mail(message)
        try:
            self._submit(mail)
        except MailLostError as error:
            raise error_of(NOT_REACHED, error.kind) from None
        except smtplib.SMTPException as error:
            raise _refusal(error) from None
        except OSError as error:
            raise error_of(NOT_CONNECTED, type(error).__name__) from None
        except UnicodeError:
            raise error_of(BAD_ADDRESS) from None
        return Receipt(provider=PROVIDER, reference=mail["Message-ID"].strip("<>"))

    def _submit(self, mail: EmailMessage) -> None:
        account = self._account
        domain = account.sender.rpartition("@")[2]
        server = Submission(account.host, account.port, local_hostname=domain, timeout=self._timeout_s)
        try:
            try:
                server.starttls(context=account.tls)
            except (smtplib.SMTPNotSupportedError, smtplib.SMTPResponseException):
                raise error_of(NOT_SECURE) from None
            self._log_in(server)
            server.send_message(mail)
        finally:
            with contextlib.suppress(Exception):  # the mail is taken by now, or refused: QUIT changes neither
                server.quit()
            server.close()

    def _log_in(self, server: smtplib.SMTP) -> None:
        """One try: ``SMTP.login`` goes through every method, which counts as guessing and hides the first refusal."""
        server.ehlo()
        offered = server.esmtp_features.get("auth", "").upper().split()
        server.user, server.password = self._account.user, self._account.password
        if "PLAIN" in offered:
            server.auth("PLAIN", server.auth_plain)
        else:
            server.auth("LOGIN", server.auth_login)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=SMTPUTF8)
        try:
            mail["To"] = message.address
            (only,) = mail["To"].addresses
            is_one = only.addr_spec == message.address and bool(only.username and only.domain)
        except (ValueError, IndexError):
            is_one = False
        if not is_one:
            raise error_of(BAD_ADDRESS)
        mail["From"] = self._account.sender
        mail["Subject"] = SUBJECTS.get(message.language, SUBJECTS["zh"])
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.idempotency_key}@{self._account.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail


class MailLostError(Exception):
    """The line went while the server had the mail, or part of it. ``kind``: of the error that told."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Submission(smtplib.SMTP):
    """A connection that tells a line lost before DATA, when nothing is sent, from one lost later."""

    def data(self, msg: Any) -> tuple[int, bytes]:
        """As of the library. Raises :class:`MailLostError`."""
        try:
            return super().data(msg)
        except smtplib.SMTPDataError:
            raise
        except OSError as error:
            raise MailLostError(type(error).__name__) from None


def _refusal(error: smtplib.SMTPException) -> GatewayError:
    """By the kind of error, then by its three digits; the server's words may quote the address."""
    if isinstance(error, smtplib.SMTPServerDisconnected | smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return error_of(NOT_CONNECTED, type(error).__name__)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = next(iter(error.recipients.values()))[0]
        return error_of(THROTTLED if code < 500 else NO_SUCH_BOX, code)
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPSenderRefused):
        return error_of(THROTTLED if error.smtp_code < 500 else NO_ACCESS, error.smtp_code)
    if isinstance(error, smtplib.SMTPResponseException):
        return error_of(THROTTLED if error.smtp_code < 500 else REFUSED_TEXT, error.smtp_code)
    return error_of(PROVIDER_FAILED, type(error).__name__)
