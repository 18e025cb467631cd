"""A mail server for submission: STARTTLS first, then a log-in, as aiosmtpd does it on a socket."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "hulan@court.example", "a password of the tests"


@dataclass
class MailServer:
    port: int = 0
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    logins: list[bool] = field(default_factory=list)
    rcpt_answer: str = "250 OK"
    data_answer: str = "250 OK"
    hangs_up_at: str = ""
    """The command that is answered by hanging up."""

    async def handle_RCPT(  # noqa: N802 # aiosmtpd calls it so
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.hangs_up_at == "RCPT":
            server.transport.abort()
        if self.rcpt_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt_answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert session.ssl is not None
        assert session.authenticated
        if self.hangs_up_at == "DATA":
            server.transport.abort()
        if self.data_answer.startswith("250"):
            mail = message_from_bytes(envelope.content or b"", policy=SMTPUTF8)  # type: ignore[arg-type]
            assert isinstance(mail, EmailMessage)
            self.taken.append((list(envelope.rcpt_tos), mail))
        return self.data_answer

    def log_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        is_known = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        self.logins.append(is_known)
        return AuthResult(success=is_known, handled=False)


class AnyPort(Controller):
    """Takes a free port; aiosmtpd by itself would try whether it answers at port 0."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def a_mail_server(tls: ssl.SSLContext | None) -> Iterator[MailServer]:
    """Without ``tls`` one that offers no encryption."""
    mail = MailServer()
    options: dict[str, Any] = {"authenticator": mail.log_in, "auth_required": True}
    if tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    else:
        options |= {"auth_require_tls": False}
    controller = AnyPort(mail, hostname="127.0.0.1", port=0, **options)
    controller.start()
    mail.port = controller.port
    yield mail
    controller.stop()
