"""A provider that nothing was handed to did not take it: the unpatched libraries at doors that are closed or mute."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from alerts.channel import Channel
from alerts.gateway import Gateway
from alerts.gateway_aliyun import AliyunAccount, AliyunGateway
from alerts.gateway_smpp import SmppAccount, SmppGateway
from alerts.gateway_smtp import SmtpAccount, SmtpGateway
from alerts.gateway_tencent import TencentAccount, TencentGateway
from alerts.gateway_webhook import WebhookGateway
from api.clock import FixedClock
from tests.alerts.outbox_scene import Taking, a_round, a_subject, an_alert, messages
from tests.gateways.certificates import Certificates, make_certificates
from tests.gateways.messages import a_message, kind_of, refused
from tests.make import EVENING

Opened = Callable[[int], Gateway]
TEMPLATES = {"guardian_entry_suspected": "100"}
WAIT_S = 0.5


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs take a proxy from the environment, which would answer for the provider."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def gateway_at(name: str, port: int, certificates: Certificates, *, host: str = "127.0.0.1") -> Gateway:
    ca, url = str(certificates.authority), f"https://{host}:{port}"
    if name == "aliyun":
        account = AliyunAccount(
            access_key_id="a", access_key_secret="b", signature="s", templates=TEMPLATES, endpoint=url, ca_file=ca
        )
        return AliyunGateway(account, connect_timeout_s=WAIT_S, timeout_s=WAIT_S)
    if name == "tencent":
        tencent = TencentAccount(
            secret_id="a", secret_key="b", app_id="1", signature="s", templates=TEMPLATES, endpoint=url, ca_file=ca
        )
        return TencentGateway(tencent, connect_timeout_s=WAIT_S, timeout_s=WAIT_S)
    trusted = certificates.trusted()
    if name == "webhook":
        return WebhookGateway(url, b"secret", tls=trusted, connect_timeout_s=WAIT_S, timeout_s=WAIT_S)
    if name == "smpp":
        link = SmppAccount(host=host, port=port, system_id="h", password="p", sender="1069", signature="s", tls=trusted)
        return SmppGateway(link, timeout_s=WAIT_S)
    box = SmtpAccount(host=host, port=port, user="u@court.example", password="p", sender="u@court.example", tls=trusted)
    return SmtpGateway(box, timeout_s=WAIT_S)


def message_for(name: str) -> dict[str, object]:
    return {"channel": Channel.EMAIL, "address": "guardian@mail.example"} if name == "smtp" else {}


@contextlib.contextmanager
def a_door(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a listener that does with each line what it is told to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def accept() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line, contextlib.suppress(OSError):
                    answer(line)

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


def no_tls(line: socket.socket) -> None:
    line.recv(16)
    line.sendall(b"HTTP/1.0 400 this is no TLS\r\n\r\n")


def mute(line: socket.socket) -> None:
    line.settimeout(WAIT_S * 3)
    while line.recv(1000):
        pass


DOORS = {"another protocol": no_tls, "hangs up": lambda line: line.recv(1), "mute": mute}
NAMES = ["aliyun", "tencent", "webhook", "smpp", "smtp"]


@pytest.mark.parametrize("name", NAMES)
def test_a_port_that_nobody_listens_at_has_taken_nothing(name: str, certificates: Certificates) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gateway = gateway_at(name, unused.getsockname()[1], certificates)
        fault = refused(gateway, a_message(**message_for(name)))
    assert (kind_of(fault), fault.is_taken_possible) == ("down", False)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_nobody_knows_has_taken_nothing(name: str, certificates: Certificates) -> None:
    gateway = gateway_at(name, 1, certificates, host="nowhere.invalid")
    fault = refused(gateway, a_message(**message_for(name)))
    assert (kind_of(fault), fault.is_taken_possible) == ("down", False)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", NAMES)
def test_who_agrees_on_no_encryption_has_taken_nothing(name: str, door: str, certificates: Certificates) -> None:
    with a_door(DOORS[door]) as port:
        fault = refused(gateway_at(name, port, certificates), a_message(**message_for(name)))
    assert (kind_of(fault), fault.is_taken_possible) == ("down", False)


@pytest.mark.parametrize("name", ["aliyun", "tencent", "webhook"])
def test_who_hangs_up_on_the_request_may_have_taken_it(name: str, certificates: Certificates) -> None:
    context = certificates.of_server()

    def read_and_hang_up(line: socket.socket) -> None:
        with context.wrap_socket(line, server_side=True) as secured:
            secured.recv(100_000)

    with a_door(read_and_hang_up) as port:
        fault = refused(gateway_at(name, port, certificates), a_message())
    assert (kind_of(fault), fault.is_taken_possible) == ("down", True)


@pytest.mark.parametrize("name", ["aliyun", "tencent", "webhook", "smpp"])
def test_the_next_provider_has_the_message_at_once(name: str, engine: Engine, certificates: Certificates) -> None:
    person, (mother,) = a_subject(engine)
    an_alert(engine, person.subject_no, mother)
    clock = FixedClock(EVENING + timedelta(minutes=1))
    second = Taking(clock=clock)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        a_round(engine, clock, gateway_at(name, unused.getsockname()[1], certificates), second)
    assert len(second.taken) == 1
    assert messages(engine, "state, provider, unsure_of, attempt") == [("sent", "p1", None, 1)]
