"""Leads about venues: list, show, the next step, figures, the draft of a recommendation."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.access.roles import OFFICERS, AccountRole
from api.lead_opening import open_by_hand
from api.leads import LeadFilter, event_by, figures_shown, lead_shown, leads_shown, take_lead_step
from api.papers.desk import PaperKind
from api.routes.orders import Body
from api.routes.papers import as_paper
from api.routes.sealing import Words
from api.routes.venues import DivisionCode
from tracking.local_time import LOCAL_TIME
from venues.lead import LeadState, LeadStep
from venues.lead_pattern import LeadGround

router = APIRouter()

READS_LEADS = AccessPolicy(who=Who.SESSION, roles=OFFICERS)
WORKS_LEADS = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.PROSECUTOR, AccountRole.LEADER}))

OfficeName = Annotated[str, Query(min_length=2, max_length=100, pattern=r"^[^\x00-\x1f]*$")]
OfLetter = Annotated[str, Query(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
"""The number of the letter; without one, of the recommendation that is on record and not delivered yet."""

SaidWords = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00-\x09\x0b-\x1f]*$")]
SeenWords = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00-\x09\x0b-\x1f]*$")]


class StepIn(Body):
    """What was done with a lead, on which day (Asia/Shanghai)."""

    step: Literal[
        "check", "dismiss", "consult", "recommend", "deliver", "reply", "recheck", "open_case", "close", "reopen"
    ]
    on: date | None = None
    is_found: bool | None = None
    is_urgent: bool = False
    regulator: Words = ""
    document_number: Words = ""
    note: SaidWords = ""


class LeadIn(Body):
    """What an officer saw at a place, and on which day (Asia/Shanghai)."""

    venue_id: UUID
    ground: LeadGround
    note: SeenWords
    on: date | None = None


@router.get("/leads", dependencies=[Depends(READS_LEADS)])
def get_leads(
    request: Request,
    state: Annotated[LeadState | None, Query()] = None,
    ground: Annotated[LeadGround | None, Query()] = None,
    is_overdue: Annotated[bool | None, Query()] = None,
    venue_id: Annotated[UUID | None, Query()] = None,
    division: DivisionCode | None = None,
    after: Annotated[UUID | None, Query()] = None,
) -> dict[str, Any]:
    """Leads with state, regulator and due day: overdue answers first, then looks that are due, then the newest.

    200 at a time: give the last ``lead_id`` as ``after`` for the next ones.
    """
    services = request.app.state.services
    wanted = LeadFilter(
        state=state, ground=ground, is_overdue=is_overdue, venue_id=venue_id, division=division, after=after
    )
    with as_account(services.engine, request.state.caller.account_id) as connection:
        return {"leads": leads_shown(connection, wanted, today=_today(request))}


@router.post("/leads", status_code=201, dependencies=[Depends(WORKS_LEADS)])
def post_lead(request: Request, body: LeadIn) -> dict[str, UUID]:
    """A lead by hand, of a place that one oversees, for the regulator whom the local table names.

    409 ``lead_stands`` with ``lead_id`` if one on that ground is open there already, ``lead_step`` for a day to come.
    """
    services, caller = request.app.state.services, request.state.caller
    with as_account(services.engine, caller.account_id) as connection:
        opened = open_by_hand(
            connection, services.lead_routes, by=caller.account_id, at=services.clock.now(), **body.model_dump()
        )
        return {"lead_id": opened}


@router.get("/leads/statistics", dependencies=[Depends(READS_LEADS)])
def get_statistics(request: Request) -> dict[str, Any]:
    """Figures of all leads that one sees: by state, ground, outcome, month and regulator."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return figures_shown(connection, today=_today(request))


@router.get("/leads/{lead_id}", dependencies=[Depends(READS_LEADS)])
def get_lead(request: Request, lead_id: UUID) -> dict[str, Any]:
    """One lead with its events, its clock, and what may be done next."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return lead_shown(connection, lead_id, today=_today(request))


@router.post("/leads/{lead_id}/steps", dependencies=[Depends(WORKS_LEADS)])
def post_step(request: Request, lead_id: UUID, body: StepIn) -> dict[str, str]:
    """One step further. 409 ``lead_step`` if the lead does not allow it, or it lacks something."""
    services, caller = request.app.state.services, request.state.caller
    given = body.model_dump(exclude={"step"})
    event = event_by(LeadStep(body.step), account_id=caller.account_id, at=services.clock.now(), **given)
    with as_account(services.engine, caller.account_id) as connection:
        return {"state": take_lead_step(connection, lead_id, event)}


@router.get("/leads/{lead_id}/recommendation.docx", dependencies=[Depends(WORKS_LEADS)])
def get_recommendation_word(
    request: Request,
    lead_id: UUID,
    procuratorate: OfficeName,
    is_urgent: Annotated[bool, Query()] = False,
    document_number: OfLetter = "",
) -> Response:
    """A draft of the recommendation (检察建议书) to be finished by a prosecutor, as a Word file. Noted in the audit."""
    return _recommendation(request, lead_id, PaperKind.WORD, procuratorate, is_urgent=is_urgent, number=document_number)


@router.get("/leads/{lead_id}/recommendation.pdf", dependencies=[Depends(WORKS_LEADS)])
def get_recommendation_pdf(
    request: Request,
    lead_id: UUID,
    procuratorate: OfficeName,
    is_urgent: Annotated[bool, Query()] = False,
    document_number: OfLetter = "",
) -> Response:
    """The same draft as a PDF, marked as one."""
    return _recommendation(request, lead_id, PaperKind.PDF, procuratorate, is_urgent=is_urgent, number=document_number)


def _recommendation(
    request: Request, lead_id: UUID, kind: PaperKind, procuratorate: str, *, is_urgent: bool, number: str
) -> Response:
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        content = services.paper_desk.recommendation(
            connection, lead_id, kind, procuratorate=procuratorate, on=_today(request), is_urgent=is_urgent,
            document_number=number,
        )  # fmt: skip
    return as_paper(content, f"recommendation-{lead_id}", kind)


def _today(request: Request) -> date:
    now = request.app.state.services.clock.now()
    return now.astimezone(LOCAL_TIME).date()  # type: ignore[no-any-return] # the state of the app is untyped
