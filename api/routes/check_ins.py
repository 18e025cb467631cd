"""Check-ins for the subject's device, and what a device says of itself without a fix. By the device's token."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import text

from api.access.policy import DEVICE
from api.check_ins import answer_check_in, open_check_ins
from api.inbox import QUALITY, fix_key
from api.routes.positions import FixIn
from tracking.quality import find_refusal
from tracking.silence import DeviceStatus

router = APIRouter()

FRESH = timedelta(minutes=5)
"""A check-in is about now: its fix must have been taken within this time."""
MOST_REPORTS = 500


class DeviceReportIn(BaseModel):
    """One thing that a device says of itself."""

    model_config = ConfigDict(extra="ignore")

    reported_at: AwareDatetime = Field(description="ISO 8601 with offset, by the device's clock")
    is_powering_off: bool = Field(False, description="its last word before it is switched off")
    is_permission_off: bool = Field(False, description="it may no longer take fixes")
    battery_percent: float | None = Field(None, ge=0, le=100)

    @property
    def status(self) -> int:
        """Bits of ``tracking.silence.DeviceStatus``."""
        return int(
            self.is_powering_off * DeviceStatus.POWER_OFF | self.is_permission_off * DeviceStatus.PERMISSION_OFF
        )  # fmt: skip


class DeviceReportsIn(BaseModel):
    """Several, oldest first or not."""

    reports: list[DeviceReportIn] = Field(min_length=1, max_length=MOST_REPORTS)


@router.get("/check-ins", dependencies=[Depends(DEVICE)])
def list_check_ins(request: Request) -> dict[str, Any]:
    """What the subject may answer now. What is planned for later is not told: a spot check would be foreseen."""
    services = request.app.state.services
    with services.engine.connect() as connection:
        found = open_check_ins(connection, request.state.permit.sender.subject_no, now=services.clock.now())
    return {"check_ins": found}


@router.post("/check-ins/{check_in_id}", dependencies=[Depends(DEVICE)])
async def post_check_in(
    request: Request, check_in_id: Annotated[UUID, Path(description="as GET /check-ins gives it")], body: FixIn
) -> JSONResponse:
    """Answer a check-in with a fix taken now. The fix goes to the log like any other, then the answer is taken.

    404: not open, or not this subject's. 422: no fix of now, with the reason.
    """
    services, permit = request.app.state.services, request.state.permit
    now, fix = services.clock.now(), body.to_fix(trusts_received_at=services.trusts_received_at)
    reason = _refusal(fix, permit, now)
    if reason is not None:
        return JSONResponse({"code": "no_fix_of_now", "message": reason}, 422)
    sender = permit.sender
    with_engine = services.engine

    def answer() -> str:
        with with_engine.begin() as connection:
            state = answer_check_in(
                connection, check_in_id, subject_no=sender.subject_no, fix_key=fix_key(fix), now=now
            )  # fmt: skip
        return str(state)

    await asyncio.wrap_future(services.inbox.append(sender, [fix], received_at=now))
    return JSONResponse({"state": await run_in_threadpool(answer)})


@router.post("/device-reports", status_code=201, dependencies=[Depends(DEVICE)])
def post_device_reports(request: Request, body: DeviceReportsIn) -> dict[str, int]:
    """Store what the device says of itself; 201 when it is on disk. Said twice it is one."""
    services, sender = request.app.state.services, request.state.permit.sender
    now = services.clock.now()
    rows = [
        {
            "subject_no": sender.subject_no,
            "device_id": sender.device_id,
            "reported_at": min(report.reported_at, now),
            "received_at": now,
            "battery_percent": report.battery_percent,
            "status": report.status,
        }
        for report in body.reports
    ]
    with services.engine.begin() as connection:
        stored = connection.execute(
            text(
                "INSERT INTO device_report (subject_no, device_id, reported_at, received_at, battery_percent, status)"
                " VALUES (:subject_no, :device_id, :reported_at, :received_at, :battery_percent, :status)"
                " ON CONFLICT DO NOTHING"
            ),
            rows,
        )
    return {"stored": max(stored.rowcount, 0)}


def _refusal(fix: Any, permit: Any, now: Any) -> str | None:
    if not permit.allows(fix.fixed_at):
        return "此时没有有效的决定书 / no order is in force at this time"
    if abs(now - fix.fixed_at) > FRESH:
        return "打卡须用此刻的定位 / a check-in needs a fix taken now"
    if fix.is_mock:
        return "不接受模拟定位 / a mock location is no answer"
    refusal = find_refusal(fix, received_at=now, policy=QUALITY)
    return None if refusal is None else refusal.reason
