"""Orders of a case: read, with every version and its conditions in words; lifted; and exemptions from them."""

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.access.roles import OFFICERS, AccountRole
from api.casework.exemptions import ExemptionWish, exemptions_of, grant_exemption, revoke_exemption
from api.casework.orders import end_order, orders_of, versions_of
from api.looks import subject_no_of
from api.routes.sealing import DocumentNumber, Words
from tracking.leave import ExemptionKind

router = APIRouter()

CASE_OFFICERS = AccessPolicy(who=Who.SESSION, roles=OFFICERS)
DECIDES_CASES = AccessPolicy(
    who=Who.SESSION, roles=frozenset({AccountRole.LEADER, AccountRole.PROSECUTOR, AccountRole.POLICE})
)


class Body(BaseModel):
    """Nothing but what is named, and no input quoted in an answer."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class LiftingIn(Body):
    """The paper that lifts the measure."""

    document_number: DocumentNumber


class ExemptionIn(Body):
    """A venue's zone, or a point with a radius; why; and until when: there is no exemption without an end."""

    kind: ExemptionKind
    reason: Annotated[Words, Field(min_length=2)]
    valid_from: AwareDatetime
    valid_to: AwareDatetime
    zone_id: UUID | None = None
    longitude: Annotated[float | None, Field(ge=-180, le=180)] = None
    latitude: Annotated[float | None, Field(ge=-90, le=90)] = None
    radius_m: Annotated[float | None, Field(gt=0, le=2000)] = None

    @model_validator(mode="after")
    def _is_somewhere_for_a_time(self) -> Self:
        point = (self.longitude, self.latitude, self.radius_m)
        if (self.zone_id is None) is any(value is None for value in point) or (
            self.zone_id is not None and any(value is not None for value in point)
        ):
            raise ValueError("zone_id，或 longitude、latitude、radius_m / a zone, or a point with a radius")
        if self.valid_to <= self.valid_from:
            raise ValueError("valid_to 必须晚于 valid_from / valid_to must be later than valid_from")
        return self


@router.get("/subjects/{subject_id}/orders", dependencies=[Depends(CASE_OFFICERS)])
def get_orders(request: Request, subject_id: UUID) -> dict[str, Any]:
    """The orders as they stand, conditions in words, and why rules are not active if they are not."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"orders": orders_of(connection, subject_no_of(connection, subject_id))}


@router.get("/orders/{order_id}", dependencies=[Depends(CASE_OFFICERS)])
def get_order(request: Request, order_id: UUID) -> dict[str, Any]:
    """Every version of one order, the last first."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"versions": versions_of(connection, order_id)}


@router.post("/orders/{order_id}/lift", dependencies=[Depends(DECIDES_CASES)])
def post_lift(request: Request, order_id: UUID, body: LiftingIn) -> dict[str, Any]:
    """Lift it: no rule of it binds from now on, no fix is taken under it."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"lifted_at": end_order(connection, order_id, document=body.document_number)}


@router.get("/subjects/{subject_id}/exemptions", dependencies=[Depends(CASE_OFFICERS)])
def get_exemptions(request: Request, subject_id: UUID) -> dict[str, Any]:
    """All of them, with who granted them and why."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"exemptions": exemptions_of(connection, subject_no_of(connection, subject_id))}


@router.post("/subjects/{subject_id}/exemptions", status_code=201, dependencies=[Depends(DECIDES_CASES)])
def post_exemption(request: Request, subject_id: UUID, body: ExemptionIn) -> dict[str, UUID]:
    """Grant one, in the caller's name."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        subject_no = subject_no_of(connection, subject_id)
        return {"exemption_id": grant_exemption(connection, subject_no, ExemptionWish(**body.model_dump()))}


@router.post("/exemptions/{exemption_id}/revoke", status_code=204, dependencies=[Depends(DECIDES_CASES)])
def post_revocation(request: Request, exemption_id: UUID) -> None:
    """From now on it lifts nothing."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        revoke_exemption(connection, exemption_id)
