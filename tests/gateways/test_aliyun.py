"""Aliyun Dysms: the unpatched SDK against a server that checks its signatures."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from alerts.gateway import Awaited, BadCallbackError, DeliveryReport, Receipt, Reply
from alerts.gateway_aliyun import FAULTS, AliyunAccount, AliyunGateway, read_replies, read_reports
from tests.gateways.aliyun_server import (
    ACCESS_KEY_ID,
    ACCESS_KEY_SECRET,
    BEIJING,
    SIGNATURE,
    Aliyun,
    error,
    ok,
    refusal,
)
from tests.gateways.http_provider import Answer, served
from tests.gateways.messages import KEY, NAME, PHONE, a_message, kind_of, nothing_personal_printed, refused


@pytest.fixture
def provider() -> Aliyun:
    return Aliyun()


@pytest.fixture
def account(provider: Aliyun) -> Iterator[AliyunAccount]:
    with served(provider.answer) as url:
        yield AliyunAccount(
            access_key_id=ACCESS_KEY_ID,
            access_key_secret=ACCESS_KEY_SECRET,
            signature=SIGNATURE,
            templates={"guardian_entry_suspected": "SMS_100", "guardian_entry_suspected.en": "SMS_200"},
            endpoint=url,
        )


@pytest.fixture
def gateway(account: AliyunAccount) -> AliyunGateway:
    return AliyunGateway(account, timeout_s=2.0)


def test_a_message_is_sent_signed_with_its_template_variables_and_key(gateway: AliyunGateway, provider: Aliyun) -> None:
    receipt = gateway.send(a_message())
    (taken,) = provider.taken
    assert receipt == Receipt(provider="aliyun", reference=taken["BizId"])
    assert json.loads(taken.pop("TemplateParam")) == {"name": NAME, "time": "22时13分"}
    assert taken == {
        "PhoneNumbers": f"+86{PHONE}", "SignName": SIGNATURE, "TemplateCode": "SMS_100", "OutId": str(KEY),
        "BizId": receipt.reference, "Day": taken["Day"], "Status": "1",
    }  # fmt: skip
    assert provider.refused == []


def test_the_language_chooses_the_template_and_chinese_does_not_stand_for_it(
    gateway: AliyunGateway, provider: Aliyun
) -> None:
    gateway.send(a_message(language="en"))
    assert provider.taken[0]["TemplateCode"] == "SMS_200"
    fault = refused(gateway, a_message(language="ug"))
    assert kind_of(fault) == "down", "another provider may have it"
    assert len(provider.actions) == 1


@pytest.mark.parametrize("wrong", ["access_key_secret", "access_key_id"])
def test_a_wrong_secret_is_refused(account: AliyunAccount, provider: Aliyun, wrong: str) -> None:
    changes: dict[str, Any] = {wrong: "another one of the tests"}
    changed = replace(account, **changes)
    fault = refused(AliyunGateway(changed))
    assert (kind_of(fault), provider.taken, len(provider.refused)) == ("down", [], 1)
    assert "SignatureDoesNotMatch" in fault.reason


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", "budget"),
        ("isv.MOBILE_NUMBER_ILLEGAL", "final"),
        ("isv.BLACK_KEY_CONTROL_LIMIT", "final"),
        ("isv.TEMPLATE_MISSING_PARAMETERS", "final"),
        ("isv.SMS_SIGNATURE_ILLEGAL", "down"),
        ("isv.SMS_TEMPLATE_ILLEGAL", "down"),
        ("isv.AMOUNT_NOT_ENOUGH", "down"),
        ("isv.DAY_LIMIT_CONTROL", "down"),
        ("isp.SYSTEM_ERROR", "down"),
        ("isp.RAM_PERMISSION_DENY", "down"),
        ("isv.SOMETHING_NEW", "again"),
    ],
)
def test_what_an_answer_says_decides_what_is_next(
    gateway: AliyunGateway, provider: Aliyun, code: str, kind: str
) -> None:
    provider.planned = [ok(refusal(code, PHONE))]
    fault = refused(gateway)
    assert kind_of(fault) == kind
    assert code in fault.reason
    assert len(provider.actions) == 1, "the SDK must not try again by itself"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(503, "ServiceUnavailable", PHONE), "down"),
        (error(500, "Some.New.Failure", PHONE), "down"),
        (error(400, "Throttling.User", PHONE), "again"),
        (error(429, "Throttling", PHONE), "again"),
        (error(404, "InvalidAccessKeyId.NotFound", PHONE), "down"),
        (error(403, "Forbidden.RAM", PHONE), "down"),
        (Answer(status=502, body=b"<html>bad gateway</html>"), "down"),
        (Answer(status=200, body=b"<html>a portal</html>"), "down"),
        (Answer(status=200, body=b"[]"), "down"),
        (Answer(status=200, body=b"null"), "down"),
        (ok({"RequestId": "1"}), "down"),
    ],
)
def test_an_error_of_the_service_is_no_fault_of_the_message(
    gateway: AliyunGateway, provider: Aliyun, answer: Answer, kind: str
) -> None:
    provider.planned = [answer]
    assert kind_of(refused(gateway)) == kind
    assert len(provider.actions) == 1


@pytest.mark.parametrize("lost", [Answer(is_hung_up=True), Answer(sent_length=20), Answer(delay_s=1.0)])
def test_when_the_answer_is_lost_the_repeat_finds_the_first_and_sends_no_second(
    account: AliyunAccount, provider: Aliyun, lost: Answer
) -> None:
    gateway = AliyunGateway(account, timeout_s=0.3)
    provider.planned = [lost]
    assert kind_of(refused(gateway)) == "down"
    assert AliyunGateway(account).send(a_message(is_repeat=True)) == Receipt(provider="aliyun", reference=str(KEY))
    assert len(provider.taken) == 1
    assert provider.actions == ["SendSms", "QuerySendDetails"]


def test_a_repeat_that_never_arrived_is_sent(gateway: AliyunGateway, provider: Aliyun) -> None:
    gateway.send(a_message(idempotency_key=UUID(int=5)))
    gateway.send(a_message(is_repeat=True))
    assert [taken["OutId"] for taken in provider.taken] == [str(UUID(int=5)), str(KEY)]


def test_a_repeat_is_not_sent_while_it_cannot_be_looked_up(gateway: AliyunGateway, provider: Aliyun) -> None:
    provider.planned = [error(503, "ServiceUnavailable", PHONE)]
    assert kind_of(refused(gateway, a_message(is_repeat=True))) == "down"
    assert provider.taken == []


def test_a_provider_that_is_not_there_is_down(account: AliyunAccount) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = replace(account, endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert kind_of(refused(AliyunGateway(nowhere))) == "down"


@pytest.mark.parametrize("address", ["", "138", "not a number", "+86138000001011", "13800000101,13800000102"])
def test_what_is_no_number_is_not_sent(gateway: AliyunGateway, provider: Aliyun, address: str) -> None:
    assert kind_of(refused(gateway, a_message(address=address))) == "final"
    assert provider.actions == []


def test_nothing_of_the_message_is_printed_even_if_the_sdk_is_told_to(
    account: AliyunAccount,
    provider: Aliyun,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEBUG", "sdk")
    with nothing_personal_printed(capfd, caplog):
        AliyunGateway(account).send(a_message())
    assert len(provider.taken) == 1


def awaited(reference: str, **changes: Any) -> Awaited:
    item = Awaited(idempotency_key=KEY, reference=reference, address=PHONE, sent_at=datetime.now(BEIJING))
    return replace(item, **changes)


@pytest.mark.parametrize(
    ("status", "is_delivered", "reason"), [("3", True, "DELIVERED"), ("2", False, "MOBILE_NOT_ON_SERVICE")]
)
def test_polling_tells_what_is_final(
    gateway: AliyunGateway, provider: Aliyun, status: str, is_delivered: bool, reason: str
) -> None:
    reference = gateway.send(a_message()).reference
    assert gateway.poll([awaited(reference)]).reports == ()
    provider.taken[0]["Status"] = status
    (report,) = gateway.poll([awaited(reference)]).reports
    assert (report.reference, report.idempotency_key, report.is_proven) == (reference, KEY, True)
    assert (report.is_delivered, report.reason) == (is_delivered, reason)
    assert report.at.tzinfo is not None


def test_polling_asks_for_both_days_around_midnight(gateway: AliyunGateway, provider: Aliyun) -> None:
    reference = gateway.send(a_message()).reference
    midnight = datetime(2026, 11, 22, tzinfo=BEIJING)
    provider.taken[0] |= {"Day": "20261122", "Status": "3"}
    before = awaited(reference, sent_at=midnight - timedelta(seconds=1))
    assert len(gateway.poll([before]).reports) == 1
    assert provider.actions.count("QuerySendDetails") == 2
    assert gateway.poll([awaited(reference, sent_at=midnight - timedelta(hours=1))]).reports == ()


def test_pushed_reports_are_hints_with_the_key_handed_back() -> None:
    pushed = [
        {
            "phone_number": PHONE, "send_time": "2026-11-22 22:13:04", "report_time": "2026-11-22 22:13:09",
            "success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1",
            "biz_id": "900618746234653841^0", "out_id": str(KEY),
        }
    ]  # fmt: skip
    assert read_reports(json.dumps(pushed).encode()).reports == (
        DeliveryReport(
            provider="aliyun",
            reference="900618746234653841^0",
            idempotency_key=KEY,
            is_delivered=True,
            at=datetime(2026, 11, 22, 22, 13, 9, tzinfo=BEIJING),
            reason="DELIVERED",
            is_proven=False,
        ),
    )


def test_pushed_replies_are_read() -> None:
    pushed = [{"phone_number": PHONE, "content": "1", "send_time": "2026-11-22 22:20:00", "sequence_id": "1"}]
    at = datetime(2026, 11, 22, 22, 20, tzinfo=BEIJING)
    expected = (Reply(provider="aliyun", phone=PHONE, text="1", at=at, is_proven=False),)
    assert read_replies(json.dumps(pushed).encode()).replies == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"null", b"[1]", b'[{"biz_id": "1"}]', b"\xff", b"[" * 100_000,
     b'[{"biz_id": "1", "success": true, "report_time": "yesterday"}]'],
)  # fmt: skip
def test_a_push_of_another_form_is_refused(body: bytes) -> None:
    for read in (read_reports, read_replies):
        with pytest.raises(BadCallbackError):
            read(body)


def test_every_fault_has_words_in_both_languages() -> None:
    for fault in FAULTS.values():
        assert " / " in fault.words
