"""Exports of one person's track, and the list of what left. There is no export of several people."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from api.access.caller import as_account
from api.access.gate import Gate
from api.errors import NotThereError
from api.exporting.handing_out import Desk, HandedOut
from api.exporting.runs import list_runs
from api.exporting.track_files import TrackFormat
from api.routes.looks import LOOKS, LookHeader

router = APIRouter()


class ExportIn(BaseModel):
    """How the track is wanted; whose and of what time, the look says."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    format: TrackFormat


@router.post("/subjects/{subject_id}/exports", dependencies=[Depends(LOOKS)])
def post_export(request: Request, subject_id: UUID, body: ExportIn, x_look: LookHeader = None) -> Response:
    """A ZIP with the track, its manifest and signature. 403 ``export_limit`` beyond what may leave without approval."""
    return as_download(
        desk_of(request).export_track(request.state.caller, subject_id=subject_id, look_id=x_look, wanted=body.format)
    )


@router.get("/exports", dependencies=[Depends(LOOKS)])
def get_exports(request: Request, most: Annotated[int, Query(ge=1, le=200)] = 50) -> dict[str, Any]:
    """One's own exports, and for a leader those of the division, of people whom one may see; the newest first."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        return {"exports": [asdict(run) for run in list_runs(connection, most=most)]}


def desk_of(request: Request) -> Desk:
    """The desk of this process. Raises ``NotThereError`` where nothing can be signed."""
    desk: Desk | None = request.app.state.services.desk
    if desk is None:
        raise NotThereError
    return desk


def as_download(handed: HandedOut) -> Response:
    """A pack as a file that no cache keeps."""
    return Response(
        handed.content,
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="hulan-{handed.export_id}.zip"',
            "Cache-Control": "no-store",
        },
    )
