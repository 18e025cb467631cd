"""What was found and what officers say to it, the counter of departures, and tasks."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, Field

from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.access.roles import AccountRole
from api.calendars import calendar_reminder
from api.casework.care import Sighting, report_minor_with_adult
from api.casework.decisions import DecisionReason, Outcome, decide, departures_of, suspected_of
from api.casework.tasks import finish_task, tasks_of
from api.looks import subject_no_of
from api.routes.orders import CASE_OFFICERS, DECIDES_CASES, Body
from api.routes.sealing import Words
from tracking.calendar import local_day

router = APIRouter()

POLICE = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.POLICE}))


class DecisionIn(Body):
    """Confirmed or dismissed, with a reason from the list that goes with it."""

    outcome: Outcome
    reason: DecisionReason
    remark: Words = ""


class SightingIn(Body):
    """Where and when; that nobody knows the adult is said outright. No name of anybody belongs here."""

    seen_at: AwareDatetime
    place: Annotated[Words, Field(min_length=2)]
    is_adult_unknown: Literal[True]
    zone_id: UUID | None = None
    remark: Words = ""


class DoneIn(Body):
    """What was done."""

    remark: Annotated[Words, Field(min_length=1)] | None = None


@router.get("/subjects/{subject_id}/suspected", dependencies=[Depends(CASE_OFFICERS)])
def get_suspected(request: Request, subject_id: UUID) -> dict[str, Any]:
    """Suspected violations and other findings, each with the decision that stands, if there is one."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"suspected": suspected_of(connection, subject_no_of(connection, subject_id))}


@router.get("/subjects/{subject_id}/departures", dependencies=[Depends(CASE_OFFICERS)])
def get_departures(request: Request, subject_id: UUID) -> dict[str, Any]:
    """How many departures officers confirmed, by measure, with the article that counts them and each one's basis."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"departures": departures_of(connection, subject_no_of(connection, subject_id))}


@router.post("/subjects/{subject_id}/care-findings", status_code=201, dependencies=[Depends(POLICE)])
def post_care_finding(request: Request, subject_id: UUID, body: SightingIn) -> dict[str, UUID]:
    """A child under 14 seen in a hotel with an unknown adult: the police are told at once, no guardian ever."""
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        number, sighting = subject_no_of(connection, subject_id), Sighting(**body.model_dump())
        return {"finding_id": report_minor_with_adult(connection, number, sighting, now=services.clock.now())}


@router.post("/violations/{violation_id}/decision", status_code=201, dependencies=[Depends(DECIDES_CASES)])
def post_on_violation(request: Request, violation_id: UUID, body: DecisionIn) -> dict[str, UUID]:
    """Decide on a suspected violation. A later decision supersedes; none is changed."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"decision_id": decide(connection, violation_id=violation_id, **body.model_dump())}


@router.post("/findings/{finding_id}/decision", status_code=201, dependencies=[Depends(DECIDES_CASES)])
def post_on_finding(request: Request, finding_id: UUID, body: DecisionIn) -> dict[str, UUID]:
    """Decide on another finding."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"decision_id": decide(connection, finding_id=finding_id, **body.model_dump())}


@router.get("/tasks", dependencies=[Depends(CASE_OFFICERS)])
def get_tasks(request: Request, with_done: Annotated[bool, Query()] = False) -> dict[str, Any]:
    """What is to be done in the caller's cases, what is due first; in December also whether the calendar is missing."""
    today = local_day(request.app.state.services.clock.now())
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        reminder = calendar_reminder(connection, today=today)
        return {
            "tasks": tasks_of(connection, with_done=with_done),
            "reminders": [] if reminder is None else [reminder],
        }


@router.post("/tasks/{task_id}/done", status_code=204, dependencies=[Depends(CASE_OFFICERS)])
def post_done(request: Request, task_id: UUID, body: DoneIn) -> None:
    """It is done, by the caller."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        finish_task(connection, task_id, remark=body.remark)
