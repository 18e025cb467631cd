"""Tencent Cloud SMS: the unpatched SDK against a server that checks its signatures."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.gateway import Awaited, BadCallbackError, DeliveryReport, Receipt, Reply
from alerts.gateway_tencent import FAULTS, TencentAccount, TencentGateway, read_replies, read_reports
from tests.gateways.http_provider import Answer, served
from tests.gateways.messages import KEY, NAME, PHONE, a_message, kind_of, refused
from tests.gateways.tencent_server import APP_ID, SECRET_ID, SECRET_KEY, SIGNATURE, Tencent, failed, sent_with, told

E164 = f"+86{PHONE}"

# The SDK dates its signatures with `datetime.utcfromtimestamp`, deprecated since Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:.*utcfromtimestamp.*:DeprecationWarning")


@pytest.fixture
def provider() -> Tencent:
    return Tencent()


@pytest.fixture
def account(provider: Tencent) -> Iterator[TencentAccount]:
    with served(provider.answer) as url:
        yield TencentAccount(
            secret_id=SECRET_ID,
            secret_key=SECRET_KEY,
            app_id=APP_ID,
            signature=SIGNATURE,
            templates={"guardian_entry_suspected": "100", "guardian_entry_suspected.en": "200"},
            endpoint=url,
        )


@pytest.fixture
def gateway(account: TencentAccount) -> TencentGateway:
    return TencentGateway(account, timeout_s=2.0)


def test_a_message_is_sent_signed_with_its_template_variables_and_key(
    gateway: TencentGateway, provider: Tencent
) -> None:
    receipt = gateway.send(a_message())
    (taken,) = provider.taken
    assert receipt == Receipt(provider="tencent", reference=taken["SerialNo"])
    assert taken == {
        "PhoneNumberSet": [E164], "SmsSdkAppId": APP_ID, "SignName": SIGNATURE, "TemplateId": "100",
        "TemplateParamSet": [NAME, "22时13分"], "SessionContext": str(KEY), "SerialNo": receipt.reference,
    }  # fmt: skip
    assert provider.refused == []


def test_the_language_chooses_the_template(gateway: TencentGateway, provider: Tencent) -> None:
    gateway.send(a_message(language="en"))
    assert provider.taken[0]["TemplateId"] == "200"
    assert kind_of(refused(gateway, a_message(template="officer_entry_suspected"))) == "down"
    assert len(provider.actions) == 1


@pytest.mark.parametrize("wrong", ["secret_key", "secret_id"])
def test_a_wrong_secret_is_refused(account: TencentAccount, provider: Tencent, wrong: str) -> None:
    changes: dict[str, Any] = {wrong: "another one of the tests"}
    changed = replace(account, **changes)
    fault = refused(TencentGateway(changed))
    assert (kind_of(fault), provider.taken, len(provider.refused)) == ("down", [], 1)
    assert "AuthFailure.SignatureFailure" in fault.reason


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("LimitExceeded.PhoneNumberDailyLimit", "budget"),
        ("LimitExceeded.PhoneNumberOneHourLimit", "budget"),
        ("LimitExceeded.PhoneNumberSameContentDailyLimit", "budget"),
        ("LimitExceeded.DeliveryFrequencyLimit", "budget"),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", "again"),
        ("LimitExceeded.AppDailyLimit", "down"),
        ("FailedOperation.SignatureIncorrectOrUnapproved", "down"),
        ("FailedOperation.TemplateIncorrectOrUnapproved", "down"),
        ("FailedOperation.InsufficientBalanceInSmsPackage", "down"),
        ("FailedOperation.PhoneNumberInBlacklist", "final"),
        ("FailedOperation.ContainSensitiveWord", "final"),
        ("FailedOperation.FailResolvePacket", "final"),
        ("InvalidParameterValue.IncorrectPhoneNumber", "final"),
        ("InvalidParameterValue.TemplateParameterLengthLimit", "final"),
        ("UnauthorizedOperation.ServiceSuspendDueToArrears", "down"),
        ("UnauthorizedOperation.RequestIpNotInWhitelist", "down"),
        ("InternalError.Timeout", "down"),
        ("SomethingNew", "again"),
    ],
)
def test_what_an_answer_says_decides_what_is_next(
    gateway: TencentGateway, provider: Tencent, code: str, kind: str
) -> None:
    """Told of the one number, or of the whole request."""
    for answer in (sent_with(code, E164), failed(code, E164)):
        provider.planned = [answer]
        fault = refused(gateway)
        assert (kind_of(fault), code in fault.reason) == (kind, True)
    assert len(provider.actions) == 2, "the SDK must not try again by itself"


def test_every_error_that_the_sdk_knows_of_sending_has_a_fault() -> None:
    from tencentcloud.sms.v20210111 import errorcodes

    known = [value for name, value in vars(errorcodes).items() if name.isupper()]
    unexplained = [code for code in known if code.split(".")[0] not in FAULTS and code not in FAULTS]
    assert len(known) > 80
    assert unexplained == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failed("RequestLimitExceeded", E164), "again"),
        (Answer(status=500, body=E164.encode()), "down"),
        (Answer(status=502, body=b"<html>bad gateway</html>"), "down"),
        (Answer(status=200, body=b"<html>a portal</html>"), "down"),
        (Answer(status=200, body=b"{}"), "down"),
        (told({}), "down"),
        (told({"SendStatusSet": []}), "down"),
    ],
)
def test_an_error_of_the_service_is_no_fault_of_the_message(
    gateway: TencentGateway, provider: Tencent, answer: Answer, kind: str
) -> None:
    provider.planned = [answer]
    assert kind_of(refused(gateway)) == kind
    assert len(provider.actions) == 1


@pytest.mark.parametrize("lost", [Answer(is_hung_up=True), Answer(sent_length=20), Answer(delay_s=1.0)])
def test_a_lost_answer_is_a_try_that_is_repeated_with_the_same_key(
    account: TencentAccount, provider: Tencent, lost: Answer
) -> None:
    """At least once: Tencent has no way to tell it that the second is the first."""
    gateway = TencentGateway(account, timeout_s=0.3)
    provider.planned = [lost]
    assert kind_of(refused(gateway)) == "down"
    TencentGateway(account).send(a_message(is_repeat=True))
    assert [taken["SessionContext"] for taken in provider.taken] == [str(KEY)] * 2


def test_a_provider_that_is_not_there_is_down(account: TencentAccount) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = replace(account, endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert kind_of(refused(TencentGateway(nowhere))) == "down"


def test_nothing_of_the_message_is_printed(
    gateway: TencentGateway, provider: Tencent, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway.send(a_message())
    printed = capfd.readouterr()
    assert (printed.out, printed.err, len(provider.taken)) == ("", "", 1)


def awaited(reference: str, **changes: Any) -> Awaited:
    item = Awaited(idempotency_key=KEY, reference=reference, address=PHONE, sent_at=datetime.now(UTC))
    return replace(item, **changes)


@pytest.mark.parametrize(("status", "is_delivered"), [("SUCCESS", True), ("FAIL", False)])
def test_polling_tells_what_is_final_as_often_as_asked(
    gateway: TencentGateway, provider: Tencent, status: str, is_delivered: bool
) -> None:
    reference = gateway.send(a_message()).reference
    assert gateway.poll([awaited(reference)]).reports == ()
    provider.statuses[reference] = status
    expected = DeliveryReport(
        provider="tencent",
        reference=reference,
        idempotency_key=KEY,
        is_delivered=is_delivered,
        at=datetime.fromtimestamp(1795356789, UTC),
        reason=status,
    )
    for _ in range(2):
        assert gateway.poll([awaited(reference)]).reports == (expected,)


def test_polling_asks_once_for_each_number_and_brings_replies(gateway: TencentGateway, provider: Tencent) -> None:
    references = [gateway.send(a_message()).reference for _ in range(3)]
    provider.statuses = dict.fromkeys(references, "SUCCESS")
    provider.replies = [{"PhoneNumber": E164, "ReplyContent": "1", "ReplyTime": 1795356800, "CountryCode": "86"}]
    provider.actions.clear()
    long_ago = datetime.now(UTC) - timedelta(days=20)
    items = [awaited(reference) for reference in references[:2]] + [awaited(references[2], sent_at=long_ago)]
    polled = gateway.poll(items)
    assert [report.reference for report in polled.reports] == references
    at = datetime.fromtimestamp(1795356800, UTC)
    assert polled.replies == (Reply(provider="tencent", phone=E164, text="1", at=at),)
    assert provider.actions == ["PullSmsSendStatusByPhoneNumber", "PullSmsReplyStatusByPhoneNumber"]


def test_pushed_reports_and_replies_are_hints() -> None:
    pushed = [
        {
            "user_receive_time": "2026-11-22 22:13:09", "nationcode": "86", "mobile": PHONE,
            "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "用户短信送达成功", "sid": "5000:1045",
        }
    ]  # fmt: skip
    (report,) = read_reports(json.dumps(pushed).encode()).reports
    assert (report.reference, report.is_delivered, report.reason, report.is_proven) == (
        "5000:1045",
        True,
        "DELIVRD",
        False,
    )
    assert report.at == datetime(2026, 11, 22, 14, 13, 9, tzinfo=UTC)
    reply = {"extend": "", "mobile": PHONE, "nationcode": "86", "sign": SIGNATURE, "text": "1", "time": 1795356800}
    at = datetime.fromtimestamp(1795356800, UTC)
    expected = (Reply(provider="tencent", phone=E164, text="1", at=at, is_proven=False),)
    assert read_replies(json.dumps(reply).encode()).replies == expected


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[1]", b'[{"sid": "1"}]', b'{"mobile": "1"}', b"\xff",
             b'{"mobile": "1", "text": "", "time": "now"}', b'{"mobile": "1", "text": "", "time": 1e99}'],
)  # fmt: skip
def test_a_push_of_another_form_is_refused(body: bytes) -> None:
    for read in (read_reports, read_replies):
        with pytest.raises(BadCallbackError):
            read(body)
