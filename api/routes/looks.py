"""Asking for a look at somebody, deciding the looks of others, and who looked."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection, text

from api.access.caller import Caller, as_account
from api.access.gate import Gate
from api.access.policy import AccessPolicy, Who
from api.access.roles import OFFICERS, AccountRole
from api.errors import LookMissingError
from api.look_policy import LONGEST_PURPOSE, Look, LookWish, Purpose, SightKind
from api.looks import (
    ask_look,
    decide_look,
    find_look,
    lookers_of,
    looks_at,
    own_looks,
    subject_no_of,
    waiting_looks,
)

router = APIRouter()

LOOKS = AccessPolicy(who=Who.SESSION, roles=OFFICERS)
"""No token: a look is a person's, with a purpose of that moment."""

DECIDES_LOOKS = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.LEADER}))

MOST_SHOWN = 200

LookHeader = Annotated[UUID | None, Header(alias="X-Look", description="id of an open look of one's own")]

Most = Annotated[int, Query(ge=1, le=MOST_SHOWN)]


class LookIn(BaseModel):
    """A look as it is asked for. ``from_at`` and ``to_at``: the span of event time, for a track always."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: SightKind
    purpose_code: Purpose
    purpose: Annotated[str, Field(max_length=LONGEST_PURPOSE)] = ""
    from_at: AwareDatetime | None = None
    to_at: AwareDatetime | None = None
    row_count: Annotated[int | None, Field(ge=0)] = None
    is_break_glass: bool = False


class Decision(BaseModel):
    """What a leader says to a look."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    is_approved: bool


@router.post("/subjects/{subject_id}/looks", status_code=201, dependencies=[Depends(LOOKS)])
def post_look(request: Request, subject_id: UUID, body: LookIn) -> dict[str, Any]:
    """Ask for a look. ``state`` is ``open``, or ``waiting`` for a leader; breaking the glass opens at once.

    404 for a case that the caller may not see. Whoever has jurisdiction may break its glass; the audit administrator
    is told.
    """
    gate: Gate = request.app.state.services.gate
    wish = LookWish(**body.model_dump())
    wish.check()
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        subject_no = subject_no_of(connection, subject_id, is_break_glass=wish.is_break_glass)
        return told(ask_look(connection, wish, subject_no=subject_no), subject_id)


@router.get("/looks", dependencies=[Depends(LOOKS)])
def get_looks(request: Request, most: Most = 50) -> dict[str, Any]:
    """One's own looks, the newest first; and for a leader those that wait for a decision, the oldest first."""
    gate: Gate = request.app.state.services.gate
    caller: Caller = request.state.caller
    with as_account(gate.engine, caller.account_id) as connection:
        waiting: list[Look] = []
        if AccountRole.LEADER in caller.roles:
            waiting = waiting_looks(connection, caller.account_no, most=most)
        return {
            "own": _listed(connection, own_looks(connection, caller.account_no, most=most)),
            "waiting": _listed(connection, waiting),
        }


@router.post("/looks/{look_id}/decision", dependencies=[Depends(DECIDES_LOOKS)])
def post_decision(request: Request, look_id: UUID, body: Decision) -> dict[str, Any]:
    """Approve or refuse the look of another officer in one's jurisdiction. 403 for one's own; 404 for any other."""
    gate: Gate = request.app.state.services.gate
    caller: Caller = request.state.caller
    with as_account(gate.engine, caller.account_id) as connection:
        look = decide_look(connection, look_id, account_no=caller.account_no, is_approved=body.is_approved)
        return _listed(connection, [look])[0]


@router.get("/subjects/{subject_id}/lookers", dependencies=[Depends(LOOKS)])
def get_lookers(request: Request, subject_id: UUID, most: Most = MOST_SHOWN) -> dict[str, Any]:
    """Who looked at this subject or asked to, what for and who approved it: the subject may be told."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        subject_no = subject_no_of(connection, subject_id)
        return {"looks": _listed(connection, looks_at(connection, subject_no, most=most))}


def look_for(
    connection: Connection, request: Request, look_id: UUID | None, *, subject_no: int, kind: SightKind
) -> Look:
    """The open look that a request names. Raises as :func:`api.looks.find_look`."""
    if look_id is None:
        raise LookMissingError
    return find_look(
        connection,
        look_id,
        account_no=request.state.caller.account_no,
        subject_no=subject_no,
        kind=kind,
        now=request.app.state.services.clock.now(),
    )


def told(look: Look, subject_id: UUID | None) -> dict[str, Any]:
    """A look as answers show it: no number of the database."""
    return {
        "look_id": look.look_id,
        "subject_id": subject_id,
        "kind": look.kind,
        "purpose_code": look.purpose_code,
        "purpose": look.purpose,
        "asked_at": look.asked_at,
        "from_at": look.from_at,
        "to_at": look.to_at,
        "needs_approval": look.needs_approval,
        "is_approved": look.is_approved,
        "decided_at": look.decided_at,
        "is_break_glass": look.is_break_glass,
        "ends_at": look.ends_at,
        "state": "waiting" if look.is_waiting else "open" if look.is_open else "refused",
    }


def _listed(connection: Connection, looks: Sequence[Look]) -> list[dict[str, Any]]:
    people = lookers_of(connection, looks)
    rows = connection.execute(
        text("SELECT subject_no, subject_id FROM subject WHERE subject_no = ANY(:numbers)"),
        {"numbers": [look.subject_no for look in looks]},
    )
    subjects = {row.subject_no: row.subject_id for row in rows}

    def person(account_no: int | None) -> dict[str, Any] | None:
        found = None if account_no is None else people.get(account_no)
        if found is None:
            return None
        return {
            "account_id": found.account_id,
            "display_name": found.display_name,
            "division_code": found.division_code,
        }

    return [
        told(look, subjects.get(look.subject_no))
        | {"asked_by": person(look.account_no), "decided_by": person(look.decided_by)}
        for look in looks
    ]
