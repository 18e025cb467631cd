"""Rosters of the organs of the caller's cases: who is told by duty, when, and who is away."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, Field

from alerts.alert import Role
from alerts.channel import Channel
from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.access.roles import AccountRole
from api.case_file import EMAIL
from api.desk.rosters import DutyPerson, enter_absence, enter_duty, enter_person, revoke, rosters_of_account
from api.routes.orders import CASE_OFFICERS, Body
from api.routes.sealing import Words

router = APIRouter()

LEADS = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.LEADER}))

SHOWN_SINCE = timedelta(days=1)
"""How long ago a turn or an absence that is still shown may have ended."""

Unit = Annotated[str, Field(min_length=1, max_length=100)]


class PersonIn(Body):
    """Somebody who is told by duty."""

    unit: Unit
    role: Literal[Role.DUTY_OFFICER, Role.LEADER]
    name: Annotated[Words, Field(min_length=1)]
    phone: Annotated[str, Field(pattern=r"^1[0-9]{10}$")]
    email: Annotated[str, Field(pattern=EMAIL, max_length=200)] | None = None
    language: Literal["zh", "en"] = "zh"
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=4)] = (Channel.SMS,)


class DutyIn(Body):
    """One turn: the first of these who is there is told."""

    unit: Unit
    people: Annotated[list[UUID], Field(min_length=1, max_length=20)]
    from_at: AwareDatetime
    to_at: AwareDatetime


class AbsenceIn(Body):
    """Somebody is away."""

    recipient_id: UUID
    from_at: AwareDatetime
    to_at: AwareDatetime


@router.get("/rosters", dependencies=[Depends(CASE_OFFICERS)])
def get_rosters(request: Request) -> dict[str, Any]:
    """People, turns of duty and absences of the organs of the caller's cases, numbers masked."""
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        return rosters_of_account(connection, services.keyring, since=services.clock.now() - SHOWN_SINCE)


@router.post("/rosters/people", status_code=201, dependencies=[Depends(LEADS)])
def post_person(request: Request, body: PersonIn) -> dict[str, UUID]:
    """Enter somebody, or bring name and channels up to date."""
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        person = DutyPerson(**body.model_dump())
        return {"recipient_id": enter_person(connection, services.keyring, person)}


@router.post("/rosters/duties", status_code=201, dependencies=[Depends(LEADS)])
def post_duty(request: Request, body: DutyIn) -> dict[str, UUID]:
    """A turn of duty. One that begins later than another counts over it."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"roster_id": enter_duty(connection, **body.model_dump())}


@router.post("/rosters/absences", status_code=201, dependencies=[Depends(LEADS)])
def post_absence(request: Request, body: AbsenceIn) -> dict[str, UUID]:
    """Somebody is away: the next one of the turn is told, or the leader."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"absence_id": enter_absence(connection, **body.model_dump())}


@router.post("/rosters/{entry_id}/revoke", status_code=204, dependencies=[Depends(LEADS)])
def post_revoke(request: Request, entry_id: UUID) -> None:
    """A turn, an absence or a person counts no longer."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        revoke(connection, entry_id)
