"""The evidence pack of an alert, and what look it needs."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.access.caller import as_account
from api.access.gate import Gate
from api.exporting.handing_out import evidence_span
from api.routes.exports import as_download, desk_of
from api.routes.looks import LOOKS, LookHeader

router = APIRouter(prefix="/alerts/{alert_id}/evidence")


@router.get("", dependencies=[Depends(LOOKS)])
def get_evidence_span(request: Request, alert_id: UUID) -> dict[str, Any]:
    """The span and the number of rows to ask for in a look of kind evidence."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        return asdict(evidence_span(connection, alert_id))


@router.post("", dependencies=[Depends(LOOKS)])
def post_evidence(request: Request, alert_id: UUID, x_look: LookHeader = None) -> Response:
    """A ZIP: report, fixes, statement, manifest and signature. 409 ``span_too_narrow`` if the look is too short."""
    return as_download(desk_of(request).export_evidence(request.state.caller, alert_id=alert_id, look_id=x_look))
