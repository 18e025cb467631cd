"""Aliyun Dysms (阿里云短信服务) through its official SDK: SendSms, QuerySendDetails, pushes SmsReport and SmsUp.

Aliyun does not drop repeats ("目前均不支持幂等", SendSms reference): a message whose first try may have been taken is
looked up by its OutId before it is sent again. Pushes are not signed: what they say is a hint, polling the proof.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

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
    GatewayError,
    Message,
    Polled,
    Receipt,
    Reply,
)
from alerts.provider import beijing_time, e164, key_of, plain_reference, read_json, read_list, template_code
from tracking.local_time import LOCAL_TIME

PROVIDER = "aliyun"

FAULTS = {
    "isv.BUSINESS_LIMIT_CONTROL": BUDGET,
    "isv.DAY_LIMIT_CONTROL": ACCOUNT_LIMIT,
    "isv.MONTH_LIMIT_CONTROL": ACCOUNT_LIMIT,
    "isv.MOBILE_NUMBER_ILLEGAL": BAD_NUMBER,
    "isv.MOBILE_COUNT_OVER_LIMIT": BAD_REQUEST,
    "isv.BLACK_KEY_CONTROL_LIMIT": REFUSED_TEXT,
    "isv.SMS_CONTENT_ILLEGAL": REFUSED_TEXT,
    "isv.PARAM_NOT_SUPPORT_URL": REFUSED_TEXT,
    "isv.PARAM_LENGTH_LIMIT": REFUSED_TEXT,
    "isv.BLACK_LIST": BLOCKED_NUMBER,
    "isv.TEMPLATE_MISSING_PARAMETERS": BAD_REQUEST,
    "isv.TEMPLATE_PARAMS_ILLEGAL": BAD_REQUEST,
    "isv.INVALID_PARAMETERS": BAD_REQUEST,
    "isv.INVALID_JSON_PARAM": BAD_REQUEST,
    "isv.SMS_TEMPLATE_ILLEGAL": NOT_APPROVED,
    "isv.SMS_SIGNATURE_ILLEGAL": NOT_APPROVED,
    "isv.SMS_SIGN_ILLEGAL": NOT_APPROVED,
    "isv.SIGN_NAME_ILLEGAL": NOT_APPROVED,
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": NOT_APPROVED,
    "isv.OUT_OF_SERVICE": NO_MONEY,
    "isv.AMOUNT_NOT_ENOUGH": NO_MONEY,
    "isv.ACCOUNT_NOT_EXISTS": NO_MONEY,
    "isv.ACCOUNT_ABNORMAL": NO_MONEY,
    "isv.PRODUCT_UN_SUBSCRIPT": NO_MONEY,
    "isv.PRODUCT_UNSUBSCRIBE": NO_MONEY,
    "isv.DENY_IP_RANGE": NO_ACCESS,
    "isp.RAM_PERMISSION_DENY": NO_ACCESS,
    "isp": PROVIDER_FAILED,
    "SignatureDoesNotMatch": NO_ACCESS,
    "IncompleteSignature": NO_ACCESS,
    "InvalidAccessKeyId": NO_ACCESS,
    "InvalidTimeStamp": NO_ACCESS,
    "Forbidden": NO_ACCESS,
    "NoPermission": NO_ACCESS,
    "Throttling": THROTTLED,
    "ServiceUnavailable": PROVIDER_FAILED,
    "InternalError": PROVIDER_FAILED,
    "": UNKNOWN,
}
"""By error code (help.aliyun.com/document_detail/55323, and the common codes of the gateway)."""

_FAILED, _DELIVERED = 2, 3
"""``SendStatus`` of QuerySendDetails; 1 is still waiting."""

_DAY_MARGIN = timedelta(minutes=2)
"""Aliyun's day of sending may begin earlier or later than ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliyunAccount:
    """What an office has with Aliyun. ``templates``: our template, or ``template.language``, to theirs."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    signature: str
    templates: Mapping[str, str]
    endpoint: str = "https://dysmsapi.aliyuncs.com"
    ca_file: str | None = None


class AliyunGateway:
    """Implements `Gateway` and `Polls`. One SDK client, made at first use: importing the SDK takes 1.4 s."""

    provider = PROVIDER
    tells_by_itself = False

    def __init__(
        self, account: AliyunAccount, *, connect_timeout_s: float = CONNECT_TIMEOUT_S, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._account = account
        self._timeouts_ms = {"connect_timeout": int(connect_timeout_s * 1000), "read_timeout": int(timeout_s * 1000)}

    def send(self, message: Message) -> Receipt:
        """SendSms, once: the SDK tries no second time. Raises :class:`GatewayError`."""
        template = template_code(self._account.templates, message)
        number = e164(message.address)
        if message.is_repeat and (found := self._find(number, message.idempotency_key)):
            return found
        body = self._call(
            "SendSms",
            {
                "phone_numbers": number,
                "sign_name": self._account.signature,
                "template_code": template,
                "template_param": json.dumps(dict(message.variables), ensure_ascii=False),
                "out_id": str(message.idempotency_key),
            },
        )
        return Receipt(provider=PROVIDER, reference=plain_reference(body.biz_id) or str(message.idempotency_key))

    def poll(self, awaited: Sequence[Awaited]) -> Polled:
        """QuerySendDetails for each number and day of sending. Replies cannot be asked for: only SmsUp brings them."""
        wanted = {
            (e164(item.address), day): None
            for item in awaited
            for day in (_day(item.sent_at - _DAY_MARGIN), _day(item.sent_at + _DAY_MARGIN))
        }
        told = {
            detail.out_id: detail for number, day in wanted for detail in self._details(number, day) if detail.out_id
        }
        found = [(item, told.get(str(item.idempotency_key))) for item in awaited]
        reports = [_as_report(item, detail) for item, detail in found if detail is not None]
        return Polled(reports=tuple(report for report in reports if report is not None))

    def _find(self, number: str, key: UUID) -> Receipt | None:
        """Whether a message with this key was taken today or yesterday; its reference is then the key."""
        now = datetime.now(LOCAL_TIME)
        for day in {_day(now): None, _day(now - timedelta(days=1)): None}:
            if any(detail.out_id == str(key) for detail in self._details(number, day)):
                return Receipt(provider=PROVIDER, reference=str(key))
        return None

    def _details(self, number: str, day: str) -> list[Any]:
        """The first 50 sent to a number on a day: more are not allowed to one number."""
        wanted = {"phone_number": number.removeprefix("+86"), "send_date": day, "page_size": 50, "current_page": 1}
        body = self._call("QuerySendDetails", wanted)
        details = body.sms_send_detail_dtos
        return [] if details is None else list(details.sms_send_detail_dto or ())

    def _call(self, action: str, fields: Mapping[str, object]) -> Any:
        """The body of an answer whose code is OK."""
        from alibabacloud_dysmsapi20170525 import models  # noqa: PLC0415 # loads for more than a second
        from alibabacloud_tea_openapi.exceptions import AlibabaCloudException  # noqa: PLC0415
        from darabonba.runtime import RuntimeOptions  # noqa: PLC0415

        request = getattr(models, f"{action}Request")(**fields)
        call = {"SendSms": "send_sms_with_options", "QuerySendDetails": "query_send_details_with_options"}[action]
        try:
            body = getattr(self._client, call)(request, RuntimeOptions(autoretry=False, **self._timeouts_ms)).body
        except AlibabaCloudException as error:
            raise _refusal(str(error.code), int(error.status_code or 0)) from None
        except Exception as error:  # the SDK raises whatever its transport or its parser did, quoting the address asked
            inner = getattr(error, "inner_exception", error)
            fault = (
                NOT_REACHED if isinstance(inner, OSError) or type(inner).__name__ == "RetryError" else NOT_UNDERSTOOD
            )
            raise error_of(fault, type(inner).__name__) from None
        if body is None or not body.code:
            raise error_of(NOT_UNDERSTOOD)
        if body.code != "OK":
            raise _refusal(body.code, 200)
        return body

    @cached_property
    def _client(self) -> Any:
        from alibabacloud_dysmsapi20170525.client import Client  # noqa: PLC0415 # see above
        from alibabacloud_tea_openapi.models import Config  # noqa: PLC0415

        # With DEBUG=sdk in the environment these write every request, number and all, to standard error.
        for name in ("darabonba-core", "alibabacloud-tea"):
            logging.getLogger(name).disabled = True
        address = urlsplit(self._account.endpoint)
        config = Config(
            access_key_id=self._account.access_key_id,
            access_key_secret=self._account.access_key_secret,
            endpoint=address.netloc,
            protocol=address.scheme,
            ca=self._account.ca_file,
            user_agent="hulan",
        )
        return Client(config)


def _refusal(code: str, status: int) -> GatewayError:
    fault = find_fault(code, FAULTS)
    if fault is UNKNOWN and status >= 500:
        fault = PROVIDER_FAILED
    return error_of(fault, code)


def _day(at: datetime) -> str:
    return f"{at.astimezone(LOCAL_TIME):%Y%m%d}"


def _as_report(item: Awaited, detail: Any) -> DeliveryReport | None:
    if detail.send_status not in {_FAILED, _DELIVERED}:
        return None
    return DeliveryReport(
        provider=PROVIDER,
        reference=item.reference,
        idempotency_key=item.idempotency_key,
        is_delivered=detail.send_status == _DELIVERED,
        at=beijing_time(detail.receive_date or detail.send_date),
        reason=plain_code(detail.err_code or "?"),
    )


def read_reports(body: bytes) -> Polled:
    """The push SmsReport: a JSON list. Unsigned: nothing in it is proven. Raises :class:`BadCallbackError`."""
    return Polled(
        reports=tuple(
            DeliveryReport(
                provider=PROVIDER,
                reference=plain_reference(item["biz_id"]),
                idempotency_key=key_of(item.get("out_id")),
                is_delivered=item["success"] is True,
                at=beijing_time(item["report_time"]),
                reason=plain_code(item.get("err_code") or "?"),
                is_proven=False,
            )
            for item in read_list(read_json(body), ("biz_id", "success", "report_time"))
        )
    )


def read_replies(body: bytes) -> Polled:
    """The push SmsUp: a JSON list. Unsigned: nothing in it is proven. Raises :class:`BadCallbackError`."""
    return Polled(
        replies=tuple(
            Reply(
                provider=PROVIDER,
                phone=str(item["phone_number"]),
                text=str(item["content"]),
                at=beijing_time(item["send_time"]),
                is_proven=False,
            )
            for item in read_list(read_json(body), ("phone_number", "content", "send_time"))
        )
    )
