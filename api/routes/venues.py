"""The register of venues: what each place is, by which records, and who said that they are one."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.access.roles import OFFICERS, AccountRole, Scope
from api.routes.orders import Body
from api.routes.sealing import Words
from api.venue_desk import confirm_review, merge_venues, observe_venue, refuse_review, split_venue, undo_link
from api.venue_listing import VenueFilter, open_reviews, records_of_venue, venue_of_register, venues_of_register
from tracking.local_time import LOCAL_TIME
from venues.category import VenueCategory

router = APIRouter()

READERS = AccessPolicy(who=Who.SESSION_OR_TOKEN, roles=OFFICERS, scope=Scope.VENUES_READ)
KEEPERS = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.POLICE, AccountRole.SUPERVISOR}))

OBSERVERS = AccessPolicy(who=Who.SESSION, roles=OFFICERS)
DivisionCode = Annotated[str, Query(pattern=r"^[0-9]{6}$")]
"""GB/T 2260; ``320300`` stands for all divisions of 3203."""

Reason = Annotated[Words, Field(min_length=2)]


class AnswerIn(Body):
    """Whether two records are one place."""

    answer: Literal["confirm", "refuse"]
    reason: Words = ""


class SplitIn(Body):
    """Which merge of the place was wrong, and why."""

    merge_id: UUID
    reason: Reason


class ObservationIn(Body):
    """What somebody saw; ``category`` null: nothing else than the place is registered as."""

    category: VenueCategory | None
    remark: Reason
    observed_on: date | None = None


class MergeIn(Body):
    """Which other place this one is, and how one knows."""

    venue_id: UUID
    reason: Reason


@router.get("/venues", dependencies=[Depends(READERS)])
def get_venues(
    request: Request,
    name: Annotated[str, Query(max_length=100, pattern=r"^[^\x00-\x1f]*$")] = "",
    category: VenueCategory | None = None,
    after: UUID | None = None,
) -> list[dict[str, Any]]:
    """Places of the register, by id, 200 at a time: give the last id as ``after`` for the next ones."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return venues_of_register(connection, VenueFilter(name=name, category=category, after=after))


@router.get("/venues/{venue_id}", dependencies=[Depends(READERS)])
def get_venue(request: Request, venue_id: UUID) -> dict[str, Any]:
    """One place by any id that it ever had: what registers say, who was at its address, what was decided."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return venue_of_register(connection, venue_id)


@router.get("/venues/{venue_id}/records", dependencies=[Depends(READERS)])
def get_records(request: Request, venue_id: UUID) -> list[dict[str, Any]]:
    """Every record of the place in every version, as sent but for telephone numbers."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return records_of_venue(connection, venue_id)


@router.post("/venues/{venue_id}/merges", status_code=201, dependencies=[Depends(KEEPERS)])
def post_merge(request: Request, venue_id: UUID, body: MergeIn) -> dict[str, UUID]:
    """Another place is this one, though nobody asked. The id of the merge is what undoes it."""
    caller = request.state.caller.account_id
    with as_account(request.app.state.services.engine, caller) as connection:
        return {"merge_id": merge_venues(connection, venue_id, body.venue_id, by=caller, reason=body.reason)}


@router.post("/venues/{venue_id}/splits", status_code=201, dependencies=[Depends(KEEPERS)])
def post_split(request: Request, venue_id: UUID, body: SplitIn) -> dict[str, UUID]:
    """A merge was wrong: undone, and not made again by the machine."""
    caller = request.state.caller.account_id
    with as_account(request.app.state.services.engine, caller) as connection:
        split = split_venue(connection, venue_id, merge_id=body.merge_id, by=caller, reason=body.reason)
        return {"venue_id": split}


@router.post("/venues/{venue_id}/observations", status_code=201, dependencies=[Depends(OBSERVERS)])
def post_observation(request: Request, venue_id: UUID, body: ObservationIn) -> dict[str, UUID]:
    """What an officer saw the place to be. It counts until somebody looks again, and nothing else takes it back."""
    services, caller = request.app.state.services, request.state.caller.account_id
    today = services.clock.now().astimezone(LOCAL_TIME).date()
    with as_account(services.engine, caller) as connection:
        observation_id = observe_venue(
            connection,
            venue_id,
            category=body.category,
            remark=body.remark,
            observed_on=body.observed_on,
            today=today,
        )
        return {"observation_id": observation_id}


@router.get("/venue-reviews", dependencies=[Depends(READERS)])
def get_reviews(
    request: Request, after: UUID | None = None, division: DivisionCode | None = None
) -> list[dict[str, Any]]:
    """Pairs that a person must judge, the likeliest first, with what each field said; 200 at a time, as ``/venues``.

    ``division``: those of which a place lies there. 409 ``boundary_missing`` if no boundary of it is imported.
    """
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return open_reviews(connection, after=after, division=division)


@router.post("/venue-reviews/{review_id}", dependencies=[Depends(KEEPERS)])
def post_answer(request: Request, review_id: UUID, body: AnswerIn) -> dict[str, UUID | None]:
    """One place, or two. The id of the merge is what undoes it."""
    caller = request.state.caller.account_id
    with as_account(request.app.state.services.engine, caller) as connection:
        if body.answer == "confirm":
            return {"merge_id": confirm_review(connection, review_id, by=caller)}
        refuse_review(connection, review_id, by=caller, reason=body.reason)
        return {"merge_id": None}


@router.post("/venue-links/{link_id}/undo", status_code=204, dependencies=[Depends(KEEPERS)])
def post_undo(request: Request, link_id: UUID) -> None:
    """A merge undone, and if it was the machine's, not made again; or a split taken back."""
    caller = request.state.caller.account_id
    with as_account(request.app.state.services.engine, caller) as connection:
        undo_link(connection, link_id, by=caller)
