"""Dysms as its reference describes it: checks ACS3-HMAC-SHA256, sends nothing, remembers all.

The signature is computed from the published description of the V3 signature, not from the SDK.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tests.gateways.http_provider import JSON, Answer, Request

ACCESS_KEY_ID, ACCESS_KEY_SECRET = "LTAI-of-the-tests", "a secret of the tests, not of anyone"
SIGNATURE = "合成检察院"
TEMPLATES = {"SMS_100": {"name", "time"}, "SMS_200": {"name", "time"}}
BEIJING = ZoneInfo("Asia/Shanghai")


@dataclass
class Aliyun:
    """Planned answers come before everything but the signature check."""

    planned: list[Answer] = field(default_factory=list)
    taken: list[dict[str, str]] = field(default_factory=list)
    """Query of each SendSms that was taken, with BizId, Day and Status (1, 2, 3)."""
    refused: list[str] = field(default_factory=list)
    """Why a signature was refused."""
    actions: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)

    def answer(self, request: Request) -> Answer:
        fault = self._signature_fault(request)
        if fault:
            self.refused.append(fault)
            return error(400, "SignatureDoesNotMatch", "server string to sign is: " + str(request.query))
        action = request.headers["x-acs-action"]
        self.actions.append(action)
        planned = self.planned.pop(0) if self.planned else None
        if planned is not None and not (planned.is_hung_up or planned.delay_s or planned.sent_length is not None):
            return planned
        query = dict(request.query)
        whole = ok(self.send(query) if action == "SendSms" else self.query_details(query))
        if planned is None:
            return whole
        # Taken all the same: what is lost is the answer.
        return Answer(
            body=whole.body,
            headers=JSON,
            delay_s=planned.delay_s,
            sent_length=planned.sent_length,
            is_hung_up=planned.is_hung_up,
        )

    def _signature_fault(self, request: Request) -> str:
        headers = request.headers
        form = r"ACS3-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
        found = re.fullmatch(form, headers.get("authorization", ""))
        if not found or found[1] != ACCESS_KEY_ID:
            return "no authorization of ours"
        signed = found[2].split(";")
        must = {name for name in headers if name.startswith("x-acs-") or name == "host"}
        if signed != sorted(signed) or not must <= set(signed):
            return "not every header that counts is signed"
        if headers["x-acs-content-sha256"] != hashlib.sha256(request.body).hexdigest():
            return "body"
        at = datetime.fromisoformat(headers["x-acs-date"].replace("Z", "+00:00"))
        if abs(datetime.now(UTC) - at) > timedelta(minutes=15):
            return "time"
        if headers["x-acs-signature-nonce"] in self.nonces:
            return "nonce met before"
        self.nonces.add(headers["x-acs-signature-nonce"])
        canonical = "\n".join(
            [
                request.method,
                request.path,
                "&".join(f"{encoded(key)}={encoded(value)}" for key, value in sorted(request.query)),
                "".join(f"{name}:{headers[name].strip()}\n" for name in signed),
                found[2],
                headers["x-acs-content-sha256"],
            ]
        )
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        wanted = hmac.new(ACCESS_KEY_SECRET.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        return "" if hmac.compare_digest(wanted, found[3]) else "signature"

    def send(self, query: dict[str, str]) -> dict[str, Any]:
        if not re.fullmatch(r"\+86(1\d{10})", query["PhoneNumbers"]):
            return refusal("isv.MOBILE_NUMBER_ILLEGAL", query["PhoneNumbers"])
        if query["SignName"] != SIGNATURE:
            return refusal("isv.SMS_SIGNATURE_ILLEGAL", query["SignName"])
        if query["TemplateCode"] not in TEMPLATES:
            return refusal("isv.SMS_TEMPLATE_ILLEGAL", query["TemplateCode"])
        if set(json.loads(query["TemplateParam"])) != TEMPLATES[query["TemplateCode"]]:
            return refusal("isv.TEMPLATE_MISSING_PARAMETERS", query["TemplateParam"])
        biz_id = f"{len(self.taken) + 9006}18746234653841^0"
        day = f"{datetime.now(BEIJING):%Y%m%d}"
        self.taken.append({**query, "BizId": biz_id, "Day": day, "Status": "1"})
        return {"Code": "OK", "Message": "OK", "BizId": biz_id, "RequestId": "F655A8D5"}

    def query_details(self, query: dict[str, str]) -> dict[str, Any]:
        found = [
            {
                "PhoneNum": query["PhoneNumber"],
                "SendStatus": int(sms["Status"]),
                "ErrCode": {"1": "", "2": "MOBILE_NOT_ON_SERVICE", "3": "DELIVERED"}[sms["Status"]],
                "OutId": sms["OutId"],
                "TemplateCode": sms["TemplateCode"],
                "SendDate": "2026-11-22 22:13:04",
                **({"ReceiveDate": "2026-11-22 22:13:09"} if sms["Status"] == "3" else {}),
            }
            for sms in self.taken
            if sms["PhoneNumbers"] == "+86" + query["PhoneNumber"] and sms["Day"] == query["SendDate"]
        ]
        return {
            "Code": "OK",
            "Message": "OK",
            "RequestId": "819BE656",
            "TotalCount": str(len(found)),
            "SmsSendDetailDTOs": {"SmsSendDetailDTO": found[: int(query["PageSize"])]},
        }


def encoded(text: str) -> str:
    return quote(text, safe="~")


def refusal(code: str, quoted: str = "") -> dict[str, Any]:
    return {"Code": code, "Message": f"{code} {quoted}", "RequestId": "F655A8D5"}


def ok(content: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps(content).encode(), headers=JSON)


def error(status: int, code: str, quoted: str) -> Answer:
    body = json.dumps({"Code": code, "Message": quoted, "RequestId": "4C467B38", "HostId": "dysmsapi"}).encode()
    return Answer(status=status, body=body, headers=JSON)
