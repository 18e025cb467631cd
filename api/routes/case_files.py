"""Entering and varying orders: a file of cases is checked at once and registered by a worker (ADR 0022)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from api.access.caller import as_account
from api.casework.case_files import case_file_of, file_cases, read_case_file, take_tokens
from api.routes.orders import DECIDES_CASES

router = APIRouter(prefix="/case-files")

MOST_BYTES = 4_000_000
"""In one file."""

_BOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KINDS = {"application/json": True, "text/csv": False, _BOOK: False}
"""Content-Type → whether it is JSON. Tables are told apart by content."""

_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "object", "properties": {"cases": {"type": "array"}}}},
        "text/csv": {"schema": {"type": "string"}},
        _BOOK: {"schema": {"type": "string", "format": "binary"}},
    },
}


async def _content(request: Request) -> bytes:
    return await request.body()


@router.post(
    "", status_code=202, response_model=None, dependencies=[Depends(DECIDES_CASES)],
    openapi_extra={"requestBody": _BODY},
)  # fmt: skip
def post_case_file(request: Request, content: Annotated[bytes, Depends(_content)]) -> JSONResponse:
    """File cases, as ``hulan import cases`` reads them: JSON, CSV or a workbook, told by Content-Type.

    A known document number of a case that the caller may see is a variation. 202 with what is wrong with single cases;
    422 if not one can be taken.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _KINDS:
        kinds = "、".join(_KINDS)
        return _refused(f"Content-Type 应为 {kinds} 之一 / must be one of these")
    if len(content) > MOST_BYTES:
        return _refused(f"文件最大 {MOST_BYTES // 1_000_000} MB / the file is too large", status=413)
    try:
        read = read_case_file(content, is_json=_KINDS[kind])
    except ValueError as error:
        return _refused(str(error).encode(errors="replace").decode())
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        filed = file_cases(connection, services.keyring, read, at=services.clock.now())
    if not filed.waiting_count:
        return _refused("没有可以登记的决定书 / no case can be taken", rejected=filed.rejected, notes=read.notes)
    answer = {
        "case_file_id": str(filed.intake_id), "waiting": filed.waiting_count, "rejected": filed.rejected,
        "notes": read.notes,
    }  # fmt: skip
    return JSONResponse(answer, status_code=202, headers={"Location": f"/case-files/{filed.intake_id}"})


@router.get("/{case_file_id}", dependencies=[Depends(DECIDES_CASES)])
def get_case_file(request: Request, case_file_id: UUID) -> dict[str, Any]:
    """What became of each case of a file that the caller filed."""
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        return case_file_of(connection, services.keyring, case_file_id)


@router.post("/{case_file_id}/tokens", dependencies=[Depends(DECIDES_CASES)])
def post_tokens(request: Request, case_file_id: UUID) -> dict[str, Any]:
    """The tokens of new devices, once: they are erased by this. POST, for a page that is loaded must erase nothing."""
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        return {"tokens": take_tokens(connection, services.keyring, case_file_id)}


def _refused(message: str, *, status: int = 422, **more: Any) -> JSONResponse:
    return JSONResponse({"code": "bad_case_file", "message": message, **more}, status_code=status)
