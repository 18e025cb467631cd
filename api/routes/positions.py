"""Hop 1: a device posts one fix or many; it hears 201 only for fixes that are on disk."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from api.access.policy import DEVICE
from api.devices import Permit
from api.inbox import QUALITY
from geo.datum import Datum
from tracking.fix import Fix, FixSource
from tracking.quality import find_refusal

router = APIRouter()

MOST_FIXES = 5_000
"""In one request; a longer backlog is sent in several."""


class FixIn(BaseModel):
    """A fix as a device sends it."""

    model_config = ConfigDict(extra="ignore")

    fixed_at: AwareDatetime = Field(description="ISO 8601 with offset: when the device was there")
    longitude: float = Field(description="degrees within ±180, in `datum`", allow_inf_nan=False)
    latitude: float = Field(description="degrees within ±90, in `datum`", allow_inf_nan=False)
    datum: Datum = Field(description="WGS84, GCJ02, BD09 or CGCS2000; never guessed")
    accuracy_m: float | None = Field(
        None, le=100_000, description="68 % radius in metres; negative: position invalid", allow_inf_nan=False
    )
    source: FixSource = FixSource.UNKNOWN
    sent_at: AwareDatetime | None = None
    speed_mps: float | None = Field(None, allow_inf_nan=False)
    altitude_m: float | None = Field(None, allow_inf_nan=False)
    battery_percent: float | None = Field(None, ge=0, le=100)
    is_mock: bool = False
    received_at: AwareDatetime | None = Field(None, description="only believed when replaying history in the demo")

    def to_fix(self, *, trusts_received_at: bool) -> Fix:
        """The domain's value. An accuracy of 0 does not mean perfect: it means that the device did not say."""
        return Fix(
            fixed_at=self.fixed_at,
            longitude=self.longitude,
            latitude=self.latitude,
            datum=self.datum,
            accuracy_m=self.accuracy_m or None,
            source=self.source,
            sent_at=self.sent_at,
            received_at=(self.received_at or self.fixed_at) if trusts_received_at else None,
            speed_mps=self.speed_mps,
            altitude_m=self.altitude_m,
            battery_percent=self.battery_percent,
            is_mock=self.is_mock,
        )


@router.post("/positions", status_code=201, dependencies=[Depends(DEVICE)])
async def post_positions(
    request: Request,
    body: Annotated[Any, Body(description='one fix, or {"fixes": [...]}')],
) -> JSONResponse:
    """Store fixes. 201: those not under ``refused`` are on disk. 422: none could be taken, and why.

    Fixes outside the validity of the subject's order are refused and not stored (design.md, invariant 8).
    """
    services = request.app.state.services
    permit = request.state.permit
    items = body["fixes"] if isinstance(body, dict) and isinstance(body.get("fixes"), list) else [body]
    if len(items) > MOST_FIXES:
        return JSONResponse(
            {"code": "too_many", "message": f"一次最多 {MOST_FIXES} 条 / at most {MOST_FIXES} fixes at once"}, 413
        )
    now = services.clock.now()
    good, refused = _sort_out(items, permit, now=now, is_replay=services.trusts_received_at)
    if good:
        await asyncio.wrap_future(services.inbox.append(permit.sender, good, received_at=now))
    status = 201 if good or not items else 422
    return JSONResponse({"stored": len(good), "refused": refused}, status_code=status)


def _sort_out(
    items: list[Any], permit: Permit, *, now: datetime, is_replay: bool
) -> tuple[list[Fix], list[dict[str, Any]]]:
    good: list[Fix] = []
    refused: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        try:
            fix = FixIn.model_validate(item).to_fix(trusts_received_at=is_replay)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            refused.append(_refusal(index, ".".join(map(str, first["loc"])) or "fix", first["msg"]))
            continue
        if not permit.allows(fix.fixed_at):
            refused.append(_refusal(index, "fixed_at", "此时没有有效的决定书 / no order is in force at this time"))
        elif (refusal := find_refusal(fix, received_at=fix.received_at or now, policy=QUALITY)) is not None:
            refused.append(_refusal(index, refusal.field, refusal.reason))
        else:
            good.append(fix)
    return good, refused


def _refusal(index: int, field: str, reason: str) -> dict[str, Any]:
    return {"index": index, "field": field, "reason": reason}
