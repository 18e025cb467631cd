"""The track of a subject, under an open look: fixes with their accuracy, what is doubtful, and where nothing came."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime

from api.access.caller import as_account
from api.access.gate import Gate
from api.look_policy import SightKind
from api.looks import note_look, subject_no_of
from api.routes.looks import LOOKS, LookHeader, look_for
from api.tracks import read_page

router = APIRouter()

MOST_FIXES = 2_000
"""In one answer."""


@router.get("/subjects/{subject_id}/track", dependencies=[Depends(LOOKS)])
def get_track(
    request: Request,
    subject_id: UUID,
    x_look: LookHeader = None,
    after: Annotated[AwareDatetime | None, Query(description="`next` of the last page")] = None,
    most: Annotated[int, Query(ge=1, le=MOST_FIXES)] = 500,
) -> dict[str, Any]:
    """One page of the track within the span of a look of kind ``track``; every page is noted in the audit.

    ``gaps``: stretches of the span without a fix for longer than a silence. A flag says what is doubtful; a fix that
    was set aside was not judged.
    """
    gate: Gate = request.app.state.services.gate
    account_id = request.state.caller.account_id
    with as_account(gate.engine, account_id) as connection:
        subject_no = subject_no_of(connection, subject_id)
        look = look_for(connection, request, x_look, subject_no=subject_no, kind=SightKind.TRACK)
        assert look.from_at is not None and look.to_at is not None
        page = read_page(connection, subject_no, from_at=look.from_at, to_at=look.to_at, after=after, most=most)
        detail = f"{len(page.fixes)} fixes after {(after or look.from_at).isoformat()}"
        note_look(connection, look, account_id=account_id, detail=detail)
    return {
        "look_id": look.look_id,
        "from_at": look.from_at,
        "to_at": look.to_at,
        "ends_at": look.ends_at,
        "datum": "WGS84",
        "fixes": page.fixes,
        "gaps": page.gaps(until=min(look.to_at, gate.clock.now())),
        "next": page.last_at if page.has_more else None,
    }
