"""The audit administrator's side: glass that was broken, and the entries of the audit. Ids only, no personal data."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from api.access.caller import as_account
from api.access.gate import Gate
from api.access.policy import AccessPolicy, Who
from api.access.roles import AccountRole
from api.audit import read_entries
from api.errors import NotThereError
from api.notices import read_notices, review_notice

router = APIRouter(prefix="/audit")

READS_AUDIT = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.AUDIT_ADMINISTRATOR}))

MOST_SHOWN = 500


class Review(BaseModel):
    """What the audit administrator found."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    remark: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=500)]


@router.get("/notices", dependencies=[Depends(READS_AUDIT)])
def get_notices(
    request: Request, is_open: bool = True, most: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 100
) -> dict[str, Any]:
    """Notices of broken glass, the oldest first; only those not yet reviewed, unless ``is_open`` is false."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        return {"notices": read_notices(connection, is_open=is_open, most=most)}


@router.post("/notices/{notice_id}/review", status_code=204, dependencies=[Depends(READS_AUDIT)])
def post_review(request: Request, notice_id: UUID, body: Review) -> None:
    """Acknowledge a notice with a remark, once. 404 for one that is not there or was reviewed."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        if not review_notice(connection, notice_id, remark=body.remark):
            raise NotThereError


@router.get("/entries", dependencies=[Depends(READS_AUDIT)])
def get_entries(
    request: Request,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="only entries with a lower number")] = None,
    most: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 100,
) -> dict[str, Any]:
    """Who did or looked at what, the newest first. A purpose is shown by its code; its words stay with the look."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        return {"entries": read_entries(connection, before=before, most=most)}
