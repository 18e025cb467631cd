"""Tencent Cloud SMS (腾讯云短信) through its official SDK: SendSms, and the pulls of statuses and replies by number.

Tencent does not drop repeats: delivery is at least once. PullSmsSendStatus and PullSmsReplyStatus are queues that tell
each thing once, so that an answer lost on the way is lost for good; the same by telephone number can be asked again, so
this gateway does that. Callbacks are not signed: what they say is a hint, polling the proof.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from alerts.fault import (
    ACCOUNT_LIMIT,
    BAD_NUMBER,
    BAD_REQUEST,
    BLOCKED_NUMBER,
    BUDGET,
    NO_ACCESS,
    NO_MONEY,
    NOT_APPROVED,
    NOT_REACHED,
    NOT_UNDERSTOOD,
    PROVIDER_FAILED,
    REFUSED_TEXT,
    THROTTLED,
    UNKNOWN,
    error_of,
    find_fault,
    plain_code,
)
from alerts.gateway import (
    CONNECT_TIMEOUT_S,
    TIMEOUT_S,
    Awaited,
    DeliveryReport,
    Message,
    Polled,
    Receipt,
    Reply,
)
from alerts.provider import (
    beijing_time,
    e164,
    plain_reference,
    read_json,
    read_list,
    template_code,
    unix_time,
)

PROVIDER = "tencent"

FAULTS = {
    "LimitExceeded.PhoneNumberDailyLimit": BUDGET,
    "LimitExceeded.PhoneNumberOneHourLimit": BUDGET,
    "LimitExceeded.PhoneNumberSameContentDailyLimit": BUDGET,
    "LimitExceeded.DeliveryFrequencyLimit": BUDGET,
    "LimitExceeded.PhoneNumberThirtySecondLimit": THROTTLED,
    "LimitExceeded": ACCOUNT_LIMIT,
    "RequestLimitExceeded": THROTTLED,
    "FailedOperation.SignatureIncorrectOrUnapproved": NOT_APPROVED,
    "FailedOperation.TemplateIncorrectOrUnapproved": NOT_APPROVED,
    "FailedOperation.TemplateUnapprovedOrNotExist": NOT_APPROVED,
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": NOT_APPROVED,
    "FailedOperation.TemplateIdNotExist": NOT_APPROVED,
    "FailedOperation.MissingTemplateList": NOT_APPROVED,
    "FailedOperation.MissingSignatureList": NOT_APPROVED,
    "FailedOperation.NotEnterpriseCertification": NOT_APPROVED,
    "FailedOperation.InsufficientBalanceInSmsPackage": NO_MONEY,
    "FailedOperation.PhoneNumberInBlacklist": BLOCKED_NUMBER,
    "FailedOperation.PhoneNumberParseFail": BAD_NUMBER,
    "FailedOperation.ContainSensitiveWord": REFUSED_TEXT,
    "FailedOperation": BAD_REQUEST,
    "InvalidParameter.DirtyWordFound": REFUSED_TEXT,
    "InvalidParameter.AppidAndBizId": NO_ACCESS,
    "InvalidParameterValue.IncorrectPhoneNumber": BAD_NUMBER,
    "InvalidParameterValue.ContentLengthLimit": REFUSED_TEXT,
    "InvalidParameterValue.TemplateParameterLengthLimit": REFUSED_TEXT,
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter": REFUSED_TEXT,
    "InvalidParameterValue.SdkAppIdNotExist": NO_ACCESS,
    "InvalidParameter": BAD_REQUEST,
    "InvalidParameterValue": BAD_REQUEST,
    "MissingParameter": BAD_REQUEST,
    "UnsupportedOperation": BAD_REQUEST,
    "UnauthorizedOperation.ServiceSuspendDueToArrears": NO_MONEY,
    "UnauthorizedOperation": NO_ACCESS,
    "AuthFailure": NO_ACCESS,
    "IpInBlacklist": NO_ACCESS,
    "IpNotInWhitelist": NO_ACCESS,
    "InternalError.RequestTimeException": NO_ACCESS,
    "InternalError": PROVIDER_FAILED,
    "ServerNetworkError": PROVIDER_FAILED,
    "ClientNetworkError": NOT_REACHED,
    "ConnectionError": NOT_REACHED,
    "ChunkedEncodingError": NOT_REACHED,
    "JSONDecodeError": NOT_UNDERSTOOD,
    "KeyError": NOT_UNDERSTOOD,
    "": UNKNOWN,
}
"""By error code: the SDK's ``errorcodes``, the cloud's common codes, and what the SDK itself calls its failures."""

_PAGE = 100
_FARTHEST = timedelta(days=7)
"""Older statuses and replies cannot be asked for."""
_LOOK_BACK = timedelta(hours=1)
"""Statuses and replies are asked for this long before the oldest message of a number that is awaited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TencentAccount:
    """What an office has with Tencent. ``templates``: our template, or ``template.language``, to their id."""

    secret_id: str
    secret_key: str = field(repr=False)
    app_id: str
    signature: str
    templates: Mapping[str, str]
    endpoint: str = "https://sms.tencentcloudapi.com"
    region: str = "ap-guangzhou"
    ca_file: str | None = None


class TencentGateway:
    """Implements `Gateway` and `Polls`. One SDK client, made at first use."""

    provider = PROVIDER
    tells_by_itself = False

    def __init__(
        self, account: TencentAccount, *, connect_timeout_s: float = CONNECT_TIMEOUT_S, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._account = account
        self._timeouts_s = (connect_timeout_s, timeout_s)

    def send(self, message: Message) -> Receipt:
        """SendSms, once: the SDK tries no second time. Raises :class:`GatewayError`."""
        answer = self._call(
            "SendSms",
            {
                "PhoneNumberSet": [e164(message.address)],
                "SmsSdkAppId": self._account.app_id,
                "SignName": self._account.signature,
                "TemplateId": template_code(self._account.templates, message),
                "TemplateParamSet": [value for _, value in message.variables],
                "SessionContext": str(message.idempotency_key),
            },
        )
        statuses: list[Any] = list(answer.SendStatusSet or [])
        if len(statuses) != 1:
            raise error_of(NOT_UNDERSTOOD)
        if statuses[0].Code != "Ok":
            raise error_of(find_fault(str(statuses[0].Code), FAULTS), statuses[0].Code)
        return Receipt(
            provider=PROVIDER, reference=plain_reference(statuses[0].SerialNo) or str(message.idempotency_key)
        )

    def poll(self, awaited: Sequence[Awaited]) -> Polled:
        """Statuses and replies of every number awaited, since the oldest message to it, 7 days at most."""
        oldest: dict[str, datetime] = {}
        for item in awaited:
            number = e164(item.address)
            oldest[number] = min(item.sent_at, oldest.get(number, item.sent_at))
        references = {item.reference: item for item in awaited}
        reports: list[DeliveryReport] = []
        replies: list[Reply] = []
        for number, since in oldest.items():
            statuses = self._pull("PullSmsSendStatusByPhoneNumber", number, since).PullSmsSendStatusSet or ()
            reports += [
                _as_report(references[status.SerialNo], status) for status in statuses if status.SerialNo in references
            ]
            pulled = self._pull("PullSmsReplyStatusByPhoneNumber", number, since).PullSmsReplyStatusSet or ()
            replies += [_as_reply(number, reply) for reply in pulled]
        return Polled(reports=tuple(reports), replies=tuple(replies))

    def _pull(self, action: str, number: str, since: datetime) -> Any:
        now = datetime.now(UTC)
        fields = {
            "BeginTime": int(max(since - _LOOK_BACK, now - _FARTHEST).timestamp()),
            "EndTime": int(now.timestamp()),
            "Offset": 0,
            "Limit": _PAGE,
            "PhoneNumber": number,
            "SmsSdkAppId": self._account.app_id,
        }
        return self._call(action, fields)

    def _call(self, action: str, fields: Mapping[str, object]) -> Any:
        from tencentcloud.common.exception import TencentCloudSDKException  # noqa: PLC0415 # loads for 0.4 s
        from tencentcloud.sms.v20210111 import models  # noqa: PLC0415

        request = getattr(models, f"{action}Request")()
        request._deserialize(dict(fields))
        call: Callable[[Any], Any] = getattr(self._client, action)
        try:
            return call(request)
        except TencentCloudSDKException as error:
            code = str(error.code)
            raise error_of(find_fault(code, FAULTS), code) from None

    @cached_property
    def _client(self) -> Any:
        from tencentcloud.common.credential import Credential  # noqa: PLC0415 # see above
        from tencentcloud.common.profile.client_profile import ClientProfile  # noqa: PLC0415
        from tencentcloud.common.profile.http_profile import HttpProfile  # noqa: PLC0415
        from tencentcloud.sms.v20210111.sms_client import SmsClient  # noqa: PLC0415

        account = self._account
        address = urlsplit(account.endpoint)
        http = HttpProfile(
            protocol=address.scheme,
            endpoint=address.netloc,
            reqTimeout=self._timeouts_s,
            certification=account.ca_file,
            keepAlive=True,
        )
        profile = ClientProfile(signMethod="TC3-HMAC-SHA256", httpProfile=http)
        return SmsClient(Credential(account.secret_id, account.secret_key), account.region, profile)


def _as_report(item: Awaited, status: Any) -> DeliveryReport:
    return DeliveryReport(
        provider=PROVIDER,
        reference=item.reference,
        idempotency_key=item.idempotency_key,
        is_delivered=status.ReportStatus == "SUCCESS",
        at=unix_time(status.UserReceiveTime),
        reason=plain_code(status.ReportStatus),
    )


def _as_reply(number: str, reply: Any) -> Reply:
    at = unix_time(reply.ReplyTime)
    return Reply(provider=PROVIDER, phone=number, text=str(reply.ReplyContent), at=at)


def read_reports(body: bytes) -> Polled:
    """The status callback: a JSON list. Unsigned: nothing in it is proven. Raises :class:`BadCallbackError`."""
    return Polled(
        reports=tuple(
            DeliveryReport(
                provider=PROVIDER,
                reference=plain_reference(item["sid"]),
                is_delivered=item["report_status"] == "SUCCESS",
                at=beijing_time(item["user_receive_time"]),
                reason=plain_code(item.get("errmsg") or item["report_status"]),
                is_proven=False,
            )
            for item in read_list(read_json(body), ("sid", "report_status", "user_receive_time"))
        )
    )


def read_replies(body: bytes) -> Polled:
    """The reply callback: one JSON object. Unsigned: nothing in it is proven. Raises :class:`BadCallbackError`."""
    (item,) = read_list([read_json(body)], ("mobile", "text", "time"))
    number = f"+{item.get('nationcode') or '86'}{item['mobile']}"
    text = str(item["text"])
    return Polled(
        replies=(Reply(provider=PROVIDER, phone=number, text=text, at=unix_time(item["time"]), is_proven=False),)
    )
