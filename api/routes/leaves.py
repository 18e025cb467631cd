"""Leaves: asked for on behalf of the subject, answered by organs, ended."""

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, Field, model_validator

from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.casework.leaves import (
    ORGAN_OF,
    Closing,
    LeaveWish,
    answer_leave,
    ask_leave,
    close_leave,
    leaves_of,
    open_leaves,
    organ_for,
)
from api.looks import subject_no_of
from api.routes.orders import CASE_OFFICERS, Body
from api.routes.sealing import DocumentNumber, Words
from geo.geojson import shape_from_geojson
from geo.shapes import check_shape

router = APIRouter()

ANSWERS_LEAVES = AccessPolicy(who=Who.SESSION, roles=frozenset(ORGAN_OF))


class LeaveIn(Body):
    """An application (公通字〔2022〕25号 19). Of an urgent one the words may come later."""

    order_id: UUID
    reason: Annotated[Words, Field(min_length=1)]
    destination: Annotated[Words, Field(min_length=1)]
    route: Words = ""
    transport: Words = ""
    contact: Annotated[Words, Field(min_length=1)]
    from_at: AwareDatetime
    to_at: AwareDatetime
    is_urgent: bool = False
    geometry: dict[str, Any] | None = None
    radius_m: Annotated[float | None, Field(gt=0, le=50_000)] = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.to_at <= self.from_at:
            raise ValueError("to_at 必须晚于 from_at / to_at must be later than from_at")
        if not self.is_urgent and not (self.route.strip() and self.transport.strip()):
            raise ValueError(
                "路线与交通方式必填，紧急外出可后补 / route and transport; of an urgent one they may follow"
            )
        if self.geometry is not None:
            check_shape(shape_from_geojson(self.geometry, radius_m=self.radius_m))
        return self


class AnswerIn(Body):
    """``court_document``: the number of a court's paper that is entered; without it the caller's organ answers."""

    is_approved: bool
    remark: Annotated[Words, Field(min_length=1)]
    court_document: DocumentNumber | None = None


class ClosingIn(Body):
    """What happened."""

    how: Closing


@router.get("/leaves", dependencies=[Depends(CASE_OFFICERS)])
def get_open_leaves(request: Request) -> dict[str, Any]:
    """What waits for an answer, urgent ones first."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"leaves": open_leaves(connection)}


@router.get("/subjects/{subject_id}/leaves", dependencies=[Depends(CASE_OFFICERS)])
def get_leaves(request: Request, subject_id: UUID) -> dict[str, Any]:
    """All of a subject, with what each organ said."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"leaves": leaves_of(connection, subject_no_of(connection, subject_id))}


@router.post("/subjects/{subject_id}/leaves", status_code=201, dependencies=[Depends(CASE_OFFICERS)])
def post_leave(request: Request, subject_id: UUID, body: LeaveIn) -> dict[str, UUID]:
    """Ask for a leave in the subject's name. It lifts nothing until every organ that must has agreed."""
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        subject_no = subject_no_of(connection, subject_id)
        return {"leave_id": ask_leave(connection, services.keyring, subject_no, LeaveWish(**body.model_dump()))}


@router.post("/leaves/{leave_id}/answer", dependencies=[Depends(ANSWERS_LEAVES)])
def post_answer(request: Request, leave_id: UUID, body: AnswerIn) -> dict[str, str]:
    """The answer of the caller's organ; the role says which."""
    organ = organ_for(request.state.caller.roles, court_document=body.court_document)
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        state = answer_leave(
            connection,
            leave_id,
            organ=organ,
            is_approved=body.is_approved,
            remark=body.remark,
            document_number=body.court_document,
        )
        return {"state": state}


@router.post("/leaves/{leave_id}/close", dependencies=[Depends(CASE_OFFICERS)])
def post_closing(request: Request, leave_id: UUID, body: ClosingIn) -> dict[str, str]:
    """The subject is back, or will not go; or the papers of an urgent leave came."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"state": close_leave(connection, leave_id, body.how)}
