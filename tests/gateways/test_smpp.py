"""SMPP 3.4: the unpatched smpplib against a centre on a TCP socket, with and without TLS."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import smpp34

from alerts.gateway import Polled, Receipt
from alerts.gateway_smpp import SmppAccount, SmppGateway
from tests.gateways.certificates import make_certificates
from tests.gateways.messages import KEY, PHONE, a_message, kind_of, nothing_personal_printed, refused
from tests.gateways.smpp_centre import (
    BIND_TRANSCEIVER,
    ENQUIRE_LINK,
    MESSAGE_STATE,
    PASSWORD,
    QOS_TIME_TO_LIVE,
    RECEIPTED_MESSAGE_ID,
    SYSTEM_ID,
    USER_MESSAGE_REFERENCE,
    Centre,
    Planned,
    a_centre,
    pdu,
    receipt_of,
)

SIGNATURE = "合成检察院"


@pytest.fixture
def centre() -> Iterator[Centre]:
    with a_centre() as opened:
        yield opened


def account_at(centre: Centre, *, tls: ssl.SSLContext | None = None) -> SmppAccount:
    return SmppAccount(
        host="127.0.0.1",
        port=centre.port,
        system_id=SYSTEM_ID,
        password=PASSWORD,
        sender="10690000",
        signature=SIGNATURE,
        tls=tls,
    )


@pytest.fixture
def gateway(centre: Centre) -> Iterator[SmppGateway]:
    opened = SmppGateway(account_at(centre), timeout_s=1.0)
    yield opened
    opened.close()


def polled(
    gateway: SmppGateway, done: Callable[[Polled], object] = lambda told: told.reports or told.replies
) -> Polled:
    """Ask until something was told, as the job that polls does."""
    until = time.monotonic() + 5
    while not done(told := gateway.poll()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return told


def wait_for(done: Callable[[], object]) -> None:
    until = time.monotonic() + 5
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_message_is_submitted_in_ucs2_with_a_receipt_wanted(gateway: SmppGateway, centre: Centre) -> None:
    assert gateway.send(a_message()) == Receipt(provider="smpp", reference="msg-1")
    (taken,) = centre.taken
    assert (taken.source_addr, taken.destination_addr) == ("10690000", f"86{PHONE}")
    assert (taken.dest_addr_ton, taken.dest_addr_npi) == (1, 1)
    assert (taken.data_coding, taken.registered_delivery, taken.esm_class) == (8, 1, 0)
    assert taken.short_message.decode("utf-16-be") == f"【{SIGNATURE}】{a_message().text}"
    assert {tlv.tag: bytes(tlv.value) for tlv in taken.tlvs} == {
        USER_MESSAGE_REFERENCE: (KEY.int & 0xFFFF).to_bytes(2, "big")
    }


def test_one_link_serves_many_messages(gateway: SmppGateway, centre: Centre) -> None:
    references = [gateway.send(a_message(idempotency_key=UUID(int=number))).reference for number in range(20)]
    assert references == [f"msg-{number}" for number in range(1, 21)]
    assert centre.binds == [(SYSTEM_ID, PASSWORD)]


@pytest.mark.parametrize("wrong", [{"password": "wrong-pw"}, {"system_id": "another"}])
def test_a_wrong_secret_is_refused(centre: Centre, wrong: dict[str, str]) -> None:
    fault = refused(SmppGateway(replace(account_at(centre), **wrong), timeout_s=1.0))  # type: ignore[arg-type]
    assert (kind_of(fault), centre.taken) == ("down", [])
    assert "0x0000000E" in fault.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0x58, "again"),  # ESME_RTHROTTLED
        (0x14, "again"),  # ESME_RMSGQFUL
        (0x08, "down"),  # ESME_RSYSERR
        (0x0B, "final"),  # ESME_RINVDSTADR
        (0x01, "final"),  # ESME_RINVMSGLEN
        (0x0A, "down"),  # ESME_RINVSRCADR
        (0x64, "again"),  # ESME_RX_T_APPN
        (0x65, "final"),  # ESME_RX_P_APPN
        (0x451, "again"),  # a centre's own
    ],
)
def test_what_the_status_says_decides_what_is_next_and_the_link_stays(
    gateway: SmppGateway, centre: Centre, status: int, kind: str
) -> None:
    centre.planned = [Planned(status=status)]
    fault = refused(gateway)
    assert (kind_of(fault), f"0x{status:08X}" in fault.reason) == (kind, True)
    assert gateway.send(a_message()).reference == "msg-1"
    assert len(centre.binds) == 1


@pytest.mark.parametrize(
    "lost", [Planned(delay_s=0.6), Planned(sent_length=0), Planned(sent_length=7), Planned(sent_length=18)]
)
def test_a_lost_answer_is_a_try_that_is_repeated_over_a_new_link(centre: Centre, lost: Planned) -> None:
    gateway = SmppGateway(account_at(centre), timeout_s=0.3)
    centre.planned = [lost]
    assert kind_of(refused(gateway)) == "down"
    assert gateway.send(a_message()).reference == "msg-2"
    assert len(centre.binds) == 2
    assert len({bytes(taken.tlvs[0].value) for taken in centre.taken}) == 1, "the same reference"
    gateway.close()


def test_a_centre_that_is_not_there_is_down() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = Centre(port=unused.getsockname()[1])
        assert kind_of(refused(SmppGateway(account_at(nowhere), timeout_s=0.5))) == "down"


def test_a_link_that_died_unused_is_noticed_before_a_message_is_trusted_to_it(
    gateway: SmppGateway, centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.send(a_message())
    centre.lines[-1].shutdown(socket.SHUT_RDWR)
    gateway._used_at -= 60
    assert gateway.send(a_message()).reference == "msg-2"
    gateway._used_at -= 60
    gateway.send(a_message())
    assert centre.asked.count(ENQUIRE_LINK) == 1
    assert len(centre.binds) == 2


def test_a_text_beyond_one_short_message_is_refused_before_it_is_sent(gateway: SmppGateway, centre: Centre) -> None:
    room = 70 - len(SIGNATURE) - 2
    gateway.send(a_message(text="一" * room))
    assert kind_of(refused(gateway, a_message(text="一" * (room + 1)))) == "final"
    assert kind_of(refused(gateway, a_message(text="一" * (room - 1) + "𠮷"))) == "final", "two units"
    assert len(centre.taken) == 1


def test_a_receipt_is_confirmed_when_the_caller_comes_again(gateway: SmppGateway, centre: Centre) -> None:
    reference = gateway.send(a_message()).reference
    centre.push(receipt_of(reference, "DELIVRD", sequence=77))
    (report,) = polled(gateway).reports
    assert (report.reference, report.is_delivered, report.reason, report.is_proven) == (
        reference,
        True,
        "DELIVRD",
        True,
    )
    assert centre.confirmed == [], "its reader may die before it has kept it"
    assert gateway.poll() == Polled()
    wait_for(lambda: centre.confirmed == [(77, 0)])
    assert gateway.poll() == Polled()


def test_a_receipt_that_was_not_confirmed_comes_again_over_the_next_link(centre: Centre) -> None:
    first = SmppGateway(account_at(centre), timeout_s=1.0)
    first.send(a_message())
    centre.push(receipt_of("msg-1", "DELIVRD"))
    assert len(polled(first).reports) == 1
    first.close()
    assert centre.confirmed == []
    second = SmppGateway(account_at(centre), timeout_s=1.0)
    assert second.poll() == Polled()
    centre.push(receipt_of("msg-1", "DELIVRD"))
    assert len(polled(second).reports) == 1
    second.close()


@pytest.mark.parametrize(
    ("stat", "is_delivered"),
    [("DELIVRD", True), ("UNDELIV", False), ("EXPIRED", False), ("REJECTD", False), ("DELETED", False)],
)
def test_the_customary_words_are_read(gateway: SmppGateway, centre: Centre, stat: str, is_delivered: bool) -> None:
    gateway.poll()
    centre.push(receipt_of("msg-9", stat))
    (report,) = polled(gateway).reports
    assert (report.reference, report.is_delivered, report.reason) == ("msg-9", is_delivered, stat)


@pytest.mark.parametrize("ending", [b"\0", b""])
def test_the_optional_parameters_go_before_the_words(gateway: SmppGateway, centre: Centre, ending: bytes) -> None:
    """With and without the NUL at the end of the id, which centres forget."""
    tlvs = [
        smpp34.Tlv(RECEIPTED_MESSAGE_ID, b"msg-9" + ending),
        smpp34.Tlv(MESSAGE_STATE, b"\x02"),
        smpp34.Tlv(0x1401, b"a vendor's own"),
    ]
    gateway.poll()
    centre.push(receipt_of("msg-9", "ACCEPTD", tlvs=tlvs))
    (report,) = polled(gateway).reports
    assert (report.reference, report.is_delivered) == ("msg-9", True)


def test_what_is_not_final_is_confirmed_and_tells_nothing(gateway: SmppGateway, centre: Centre) -> None:
    gateway.poll()
    centre.push(receipt_of("msg-9", "ENROUTE", sequence=5))
    wait_for(lambda: gateway.poll() == Polled() and centre.confirmed == [(5, 0)])


@pytest.mark.parametrize(("coding", "octets"), [(8, "已带离".encode("utf-16-be")), (0, b"1")])
def test_a_reply_is_read(gateway: SmppGateway, centre: Centre, coding: int, octets: bytes) -> None:
    gateway.poll()
    centre.push(smpp34.DeliverSm("8613800000101", "10690000", octets, data_coding=coding, sequence_number=6).encode())
    (reply,) = polled(gateway).replies
    assert (reply.phone, reply.text) == ("8613800000101", "已带离" if coding == 8 else "1")


def test_what_comes_between_a_message_and_its_answer_is_kept(gateway: SmppGateway, centre: Centre) -> None:
    centre.before_answer = [receipt_of("msg-0", "DELIVRD", sequence=70), pdu(ENQUIRE_LINK, 0, 71)]
    assert gateway.send(a_message()).reference == "msg-1"
    wait_for(lambda: centre.asked[-1] == ENQUIRE_LINK | 0x80000000)
    assert [report.reference for report in polled(gateway).reports] == ["msg-0"]


def test_a_delivery_that_cannot_be_read_is_refused_for_good_and_stops_nothing(
    gateway: SmppGateway, centre: Centre
) -> None:
    gateway.poll()
    # A parameter that smpplib knows, but not of a deliver_sm.
    strange = smpp34.Tlv(QOS_TIME_TO_LIVE, b"\0\0\0\1")
    centre.push(receipt_of("msg-8", "DELIVRD", sequence=80, tlvs=[strange]))
    centre.push(receipt_of("msg-9", "DELIVRD", sequence=81))
    assert len(polled(gateway).reports) == 1
    wait_for(lambda: (80, 0x65) in centre.confirmed)
    assert centre.asked.count(BIND_TRANSCEIVER) == 1


def test_a_length_without_end_is_not_waited_for(gateway: SmppGateway, centre: Centre) -> None:
    centre.before_answer = [b"\xff\xff\xff\xff" + b"\0" * 12]
    assert kind_of(refused(gateway)) == "down"


def test_the_link_is_encrypted_and_the_centre_must_be_who_it_says(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with a_centre(certificates.of_server()) as centre:
        account = account_at(centre, tls=certificates.trusted())
        gateway = SmppGateway(account, timeout_s=2.0)
        assert gateway.send(a_message()).reference == "msg-1"
        for number in range(5):
            centre.push(receipt_of(f"msg-{number}", "DELIVRD", sequence=number + 1))
        seen: list[str] = []

        def all_told(told: Polled) -> bool:
            seen.extend(report.reference for report in told.reports)
            return len(seen) == 5

        polled(gateway, all_told)
        gateway.close()
        assert (
            kind_of(refused(SmppGateway(replace(account, tls=ssl.create_default_context()), timeout_s=2.0))) == "down"
        )
        assert len(centre.taken) == 1


def test_nothing_of_the_message_is_printed(
    gateway: SmppGateway, centre: Centre, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_personal_printed(capfd, caplog):
        gateway.send(a_message())
    assert PHONE.encode().hex() not in caplog.text
    assert len(centre.taken) == 1
