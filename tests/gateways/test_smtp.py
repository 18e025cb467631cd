"""E-mail: a real submission with STARTTLS and log-in against aiosmtpd."""

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.channel import Channel
from alerts.gateway import Message, Receipt
from alerts.gateway_smtp import SUBJECTS, SmtpAccount, SmtpGateway
from tests.gateways.certificates import Certificates, make_certificates
from tests.gateways.mail_server import PASSWORD, USER, MailServer, a_mail_server
from tests.gateways.messages import KEY, NAME, a_message, kind_of, refused

# aiosmtpd 1.4.6 warns of itself: of its own defaults, and of asyncio's rules on Python 3.12 and later.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:aiosmtpd", "ignore::DeprecationWarning:aiosmtpd")

ADDRESS = "guardian.of.the.tests@mail.example"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture
def server(certificates: Certificates) -> Iterator[MailServer]:
    with a_mail_server(certificates.of_server()) as opened:
        yield opened


def account_at(port: int, certificates: Certificates) -> SmtpAccount:
    return SmtpAccount(
        host="127.0.0.1", port=port, user=USER, password=PASSWORD, sender=USER, tls=certificates.trusted()
    )


@pytest.fixture
def gateway(server: MailServer, certificates: Certificates) -> SmtpGateway:
    return SmtpGateway(account_at(server.port, certificates), timeout_s=2.0)


def a_mail(address: str = ADDRESS, language: str = "zh") -> Message:
    return a_message(channel=Channel.EMAIL, address=address, language=language)


def test_a_mail_is_submitted_encrypted_and_logged_in(gateway: SmtpGateway, server: MailServer) -> None:
    assert gateway.send(a_mail()) == Receipt(provider="smtp", reference=f"{KEY}@court.example")
    ((recipients, mail),) = server.taken
    assert (recipients, mail["To"], mail["From"]) == ([ADDRESS], ADDRESS, USER)
    assert mail.get_content().strip() == a_mail().text
    assert mail["Message-ID"] == f"<{KEY}@court.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert server.logins == [True]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_subject_is_in_the_language_and_about_nobody(
    gateway: SmtpGateway, server: MailServer, language: str
) -> None:
    gateway.send(a_mail(language=language))
    ((_, mail),) = server.taken
    assert mail["Subject"] == SUBJECTS[language]
    assert NAME not in mail["Subject"]


def test_a_repeat_has_the_same_message_id(gateway: SmtpGateway, server: MailServer) -> None:
    gateway.send(a_mail())
    gateway.send(a_mail())
    assert len({mail["Message-ID"] for _, mail in server.taken}) == 1


@pytest.mark.parametrize("wrong", [{"password": "another"}, {"user": "another@court.example"}])
def test_a_wrong_secret_is_refused(server: MailServer, certificates: Certificates, wrong: dict[str, str]) -> None:
    account = replace(account_at(server.port, certificates), **wrong)  # type: ignore[arg-type]
    fault = refused(SmtpGateway(account, timeout_s=2.0), a_mail())
    assert (kind_of(fault), server.taken, server.logins[0]) == ("down", [], False)
    assert "535" in fault.reason


def test_a_server_with_another_certificate_hears_no_password(server: MailServer, certificates: Certificates) -> None:
    account = replace(account_at(server.port, certificates), tls=ssl.create_default_context())
    fault = refused(SmtpGateway(account, timeout_s=2.0), a_mail())
    assert (kind_of(fault), server.taken, server.logins) == ("down", [], [])


def test_a_server_without_encryption_hears_no_password(certificates: Certificates) -> None:
    with a_mail_server(None) as server:
        fault = refused(SmtpGateway(account_at(server.port, certificates), timeout_s=2.0), a_mail())
        assert (kind_of(fault), server.taken, server.logins) == ("down", [], [])


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"rcpt_answer": f"550 no {ADDRESS} here"}, "final"),
        ({"rcpt_answer": f"450 {ADDRESS} is busy"}, "again"),
        ({"data_answer": f"554 spam for {ADDRESS}"}, "final"),
        ({"data_answer": f"451 {ADDRESS} later"}, "again"),
    ],
)
def test_what_the_server_says_decides_what_is_next(
    gateway: SmtpGateway, server: MailServer, answers: dict[str, str], kind: str
) -> None:
    for name, answer in answers.items():
        setattr(server, name, answer)
    fault = refused(gateway, a_mail())
    assert kind_of(fault) == kind
    assert ADDRESS not in fault.reason


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b.example, c@d.example", "a@b.example\r\nBcc: c@d.example", "一@", "<>", "a b@c.example"],
)
def test_what_is_no_one_address_is_not_sent(gateway: SmtpGateway, server: MailServer, address: str) -> None:
    assert kind_of(refused(gateway, a_mail(address))) == "final"
    assert server.logins == []


def test_a_server_that_is_not_there_is_down(certificates: Certificates) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        account = account_at(unused.getsockname()[1], certificates)
        assert kind_of(refused(SmtpGateway(account, timeout_s=0.5), a_mail())) == "down"


@pytest.mark.parametrize("greeting", [b"", b"220 mail.example", b"220 mail.example ESMTP\r\n", b"421 too busy\r\n"])
def test_a_server_that_says_nothing_or_half_of_it_is_down(certificates: Certificates, greeting: bytes) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def greet() -> None:
            line = listener.accept()[0]
            line.sendall(greeting)
            line.settimeout(5)
            while line.recv(100):
                pass
            line.close()

        thread = threading.Thread(target=greet)
        thread.start()
        account = account_at(listener.getsockname()[1], certificates)
        assert kind_of(refused(SmtpGateway(account, timeout_s=0.3), a_mail())) == "down"
        thread.join()


def test_nothing_of_the_mail_is_printed(
    gateway: SmtpGateway, server: MailServer, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway.send(a_mail())
    printed = capfd.readouterr()
    assert (printed.out, printed.err, len(server.taken)) == ("", "", 1)


@pytest.mark.parametrize("phase", ["RCPT", "DATA"])
def test_a_mail_may_be_taken_only_once_it_was_being_sent(gateway: SmtpGateway, server: MailServer, phase: str) -> None:
    server.hangs_up_at = phase
    fault = refused(gateway, a_mail())
    assert (kind_of(fault), fault.is_taken_possible) == ("down", phase == "DATA")
