"""Tencent Cloud's SMS API 2021-01-11 as its reference describes it: checks TC3-HMAC-SHA256, sends nothing.

The signature is computed from the published description, not from the SDK.
"""

import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.gateways.http_provider import JSON, Answer, Request

SECRET_ID, SECRET_KEY = "AKID-of-the-tests", "a secret of the tests, not of anyone"
APP_ID, SIGNATURE = "1400006666", "合成检察院"
TEMPLATES = {"100": 2, "200": 2}
"""Id, and how many variables."""


@dataclass
class Tencent:
    """Planned answers come before everything but the signature check."""

    planned: list[Answer] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    """Serial number to SUCCESS or FAIL."""
    replies: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        fault = self._signature_fault(request)
        if fault:
            self.refused.append(fault)
            return failed("AuthFailure.SignatureFailure", request.body.decode())
        action = request.headers["x-tc-action"]
        self.actions.append(action)
        planned = self.planned.pop(0) if self.planned else None
        if planned is not None and not (planned.is_hung_up or planned.delay_s or planned.sent_length is not None):
            return planned
        asked = json.loads(request.body)
        whole = told(self.send(asked) if action == "SendSms" else self.pull(action, asked))
        if planned is None:
            return whole
        return Answer(
            body=whole.body,
            headers=JSON,
            delay_s=planned.delay_s,
            sent_length=planned.sent_length,
            is_hung_up=planned.is_hung_up,
        )

    def _signature_fault(self, request: Request) -> str:
        headers = request.headers
        form = r"TC3-HMAC-SHA256 Credential=([^/]+)/([^/]+)/sms/tc3_request, SignedHeaders=([^,]+), Signature=(\w{64})"
        found = re.fullmatch(form, headers.get("authorization", ""))
        if not found or found[1] != SECRET_ID:
            return "no authorization of ours"
        at = int(headers["x-tc-timestamp"])
        if abs(time.time() - at) > 300 or found[2] != f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}":
            return "time"
        signed = found[3].split(";")
        if not {"content-type", "host"} <= set(signed):
            return "not every header that counts is signed"
        canonical = "\n".join(
            [
                request.method,
                request.path,
                "",
                "".join(f"{name}:{headers[name].strip().lower()}\n" for name in signed),
                found[3],
                hashlib.sha256(request.body).hexdigest(),
            ]
        )
        scope = f"{found[2]}/sms/tc3_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = b"TC3" + SECRET_KEY.encode()
        for part in (found[2], "sms", "tc3_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        wanted = hmac.new(key, f"TC3-HMAC-SHA256\n{at}\n{scope}\n{digest}".encode(), hashlib.sha256).hexdigest()
        return "" if hmac.compare_digest(wanted, found[4]) else "signature"

    def send(self, asked: dict[str, Any]) -> dict[str, Any]:
        (number,) = asked["PhoneNumberSet"]
        if not re.fullmatch(r"\+861\d{10}", number):
            return {"SendStatusSet": [status("InvalidParameterValue.IncorrectPhoneNumber", number)]}
        if asked["SignName"] != SIGNATURE or asked["SmsSdkAppId"] != APP_ID:
            return {"SendStatusSet": [status("FailedOperation.SignatureIncorrectOrUnapproved", number)]}
        if len(asked["TemplateParamSet"]) != TEMPLATES.get(asked["TemplateId"]):
            return {"SendStatusSet": [status("FailedOperation.TemplateIncorrectOrUnapproved", number)]}
        serial = f"5000:1045710669157053657849499{len(self.taken)}"
        self.taken.append({**asked, "SerialNo": serial})
        return {"SendStatusSet": [status("Ok", number, serial, asked["SessionContext"])]}

    def pull(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        if not asked["EndTime"] - asked["BeginTime"] <= 7 * 24 * 3600 + 1 or asked["Limit"] > 100 or asked["Offset"]:
            return {"Error": {"Code": "InvalidParameterValue.InvalidStartTime", "Message": asked["PhoneNumber"]}}
        number = asked["PhoneNumber"]
        if action == "PullSmsSendStatusByPhoneNumber":
            found = [
                {
                    "SerialNo": item["SerialNo"], "PhoneNumber": number, "CountryCode": "86",
                    "SubscriberNumber": number[3:], "UserReceiveTime": 1795356789, "SessionContext": "",
                    "ReportStatus": self.statuses[item["SerialNo"]], "Description": f"{number} 用户短信",
                }
                for item in self.taken
                if item["PhoneNumberSet"] == [number] and item["SerialNo"] in self.statuses
            ]  # fmt: skip
            return {"PullSmsSendStatusSet": found}
        return {"PullSmsReplyStatusSet": [reply for reply in self.replies if reply["PhoneNumber"] == number]}


def status(code: str, number: str, serial: str = "", context: str = "") -> dict[str, Any]:
    return {
        "SerialNo": serial, "PhoneNumber": number, "Fee": 1, "SessionContext": context, "Code": code,
        "Message": f"{code} {number}", "IsoCode": "CN",
    }  # fmt: skip


def told(content: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps({"Response": {**content, "RequestId": "a0aabda6"}}).encode(), headers=JSON)


def failed(code: str, quoted: str) -> Answer:
    return told({"Error": {"Code": code, "Message": quoted}})


def sent_with(code: str, number: str) -> Answer:
    return told({"SendStatusSet": [status(code, number)]})
