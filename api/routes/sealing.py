"""Sealing a record, and opening one again: both need a ground and a document, opening needs two people."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api.access.policy import AccessPolicy, Who
from api.access.roles import AccountRole
from api.records.grounds import LONGEST_UNSEALED, UNSEALED_FOR, SealingGround, UnsealingGround
from api.records.sealing import SEALERS, Basis, seal_record
from api.records.unsealing import ask_unsealing, decide_unsealing, list_unsealings

router = APIRouter()

SEALS_RECORDS = AccessPolicy(who=Who.SESSION, roles=SEALERS)
DECIDES_UNSEALINGS = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.LEADER}))

Words = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f]*$")]
DocumentNumber = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class SealingIn(BaseModel):
    """On what a record is sealed."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    ground: SealingGround
    ground_text: Words = ""
    document_number: DocumentNumber


class UnsealingIn(BaseModel):
    """Whose record is to be opened, and on what ground."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    subject_id: UUID
    ground: UnsealingGround
    ground_text: Annotated[Words, Field(min_length=2)]
    document_number: DocumentNumber


class DecisionIn(BaseModel):
    """A leader's answer."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    is_approved: bool
    hours: Annotated[float, Field(gt=0, le=LONGEST_UNSEALED / timedelta(hours=1))] = UNSEALED_FOR / timedelta(hours=1)


@router.post("/subjects/{subject_id}/seal", dependencies=[Depends(SEALS_RECORDS)])
def post_seal(request: Request, subject_id: UUID, body: SealingIn) -> dict[str, datetime]:
    """Seal a record: from now on it answers 404 to everybody. Answers when it is to be destroyed."""
    services = request.app.state.services
    done = seal_record(
        services.engine,
        services.keyring,
        account_id=request.state.caller.account_id,
        subject_id=subject_id,
        basis=Basis(ground=body.ground, ground_text=body.ground_text, document_number=body.document_number),
        now=services.clock.now(),
    )
    return {"keep_until": done.keep_until}


@router.post("/unsealings", status_code=201, dependencies=[Depends(SEALS_RECORDS)])
def post_unsealing(request: Request, body: UnsealingIn) -> dict[str, UUID]:
    """Ask for a sealed record to be opened. The answer is the same whether there is one or not."""
    services = request.app.state.services
    request_id = ask_unsealing(
        services.engine,
        account_id=request.state.caller.account_id,
        subject_id=body.subject_id,
        basis=Basis(ground=body.ground, ground_text=body.ground_text, document_number=body.document_number),
        now=services.clock.now(),
    )
    return {"request_id": request_id}


@router.get("/unsealings", dependencies=[Depends(SEALS_RECORDS)])
def get_unsealings(request: Request) -> dict[str, Any]:
    """Requests that the caller may decide, and the caller's own."""
    services = request.app.state.services
    found = list_unsealings(services.engine, account_id=request.state.caller.account_id)
    return {"to_decide": found.to_decide, "own": found.own}


@router.post("/unsealings/{request_id}/decision", dependencies=[Depends(DECIDES_UNSEALINGS)])
def post_decision(request: Request, request_id: UUID, body: DecisionIn) -> dict[str, datetime | None]:
    """Approve or refuse as another person than the asker; 404 for what is not the caller's to decide."""
    services = request.app.state.services
    until = decide_unsealing(
        services.engine,
        account_id=request.state.caller.account_id,
        request_id=request_id,
        is_approved=body.is_approved,
        length=timedelta(hours=body.hours),
        now=services.clock.now(),
    )
    return {"unsealed_until": until}
