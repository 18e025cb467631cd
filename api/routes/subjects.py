"""A subject's case as the database shows it to the caller: another's case answers 404, like one that is not there."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy import text

from api.access.caller import as_account
from api.access.gate import Gate
from api.access.policy import AccessPolicy, Who
from api.access.roles import OFFICERS, Scope
from api.errors import NotThereError

router = APIRouter(prefix="/subjects")

READS_CASES = AccessPolicy(who=Who.SESSION_OR_TOKEN, roles=OFFICERS, scope=Scope.CASES_READ)


@router.get("", dependencies=[Depends(READS_CASES)])
def get_subjects(request: Request) -> dict[str, Any]:
    """Ids of the subjects whose case the caller may see. Names come with a stated purpose, elsewhere."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        rows = connection.execute(text("SELECT subject_id FROM subject ORDER BY subject_id"))
        return {"subjects": [row.subject_id for row in rows]}


@router.get("/{subject_id}", dependencies=[Depends(READS_CASES)])
def get_subject(request: Request, subject_id: UUID) -> dict[str, Any]:
    """The orders of one subject that are not superseded, and how many alerts are open."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        values = {"subject_id": subject_id}
        subject_no = connection.execute(
            text("SELECT subject_no FROM subject WHERE subject_id = :subject_id"), values
        ).scalar()
        if subject_no is None:
            raise NotThereError
        orders = connection.execute(
            text(
                "SELECT order_id, measure, valid_from, valid_to FROM supervision_order"
                " WHERE subject_no = :subject_no AND superseded_at IS NULL ORDER BY valid_from"
            ),
            {"subject_no": subject_no},
        )
        open_alerts = connection.execute(
            text("SELECT count(*) FROM alert WHERE subject_no = :subject_no AND state = 'open'"),
            {"subject_no": subject_no},
        ).scalar_one()
        return {
            "subject_id": subject_id,
            "orders": [dict(row._mapping) for row in orders],
            "open_alert_count": open_alerts,
        }
