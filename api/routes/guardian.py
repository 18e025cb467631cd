"""The guardian's page, without account: type a code, or follow an e-mail's link; see what happened; answer."""

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response

from alerts.answer import Answer
from api.access.gate import address_of
from api.access.policy import ANYONE
from api.errors import TooManyAttemptsError
from api.guardian.desk import GuardianDesk
from api.guardian.pages import INVALID, TOO_MANY, entry_page, link_page, style

router = APIRouter(include_in_schema=False)

LONGEST_FORM = 2000
"""Bytes: a code or a token, and one of four words."""

_ROBOTS = {"X-Robots-Tag": "noindex, nofollow, noarchive"}


@router.get("/g", dependencies=[Depends(ANYONE)])
def show_entry() -> HTMLResponse:
    """Where the code of a text message is typed: the address on the paper notice."""
    return _html(entry_page())


@router.get("/guardian.css", dependencies=[Depends(ANYONE)])
def show_style() -> Response:
    """The style sheet."""
    return Response(style(), media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


@router.get("/g/{token}", dependencies=[Depends(ANYONE)])
def show_link(request: Request, token: Annotated[str, Path(max_length=200)]) -> HTMLResponse:
    """The page of an e-mail's link. To open it answers nothing: machines open links too."""
    return _page(request, token, None)


@router.post("/g", dependencies=[Depends(ANYONE)])
async def post_code(request: Request) -> HTMLResponse:
    """A code alone shows its page; with an answer, the answer is taken. Codes stand in no address and in no log."""
    fields = _fields(await request.body())
    given = fields.get("answer")
    chosen = Answer(given) if given in set(Answer) else None
    return await run_in_threadpool(_page, request, fields.get("code", ""), chosen)


def _fields(body: bytes) -> dict[str, str]:
    """The first value of each field of a form; none of what is no form."""
    if len(body) > LONGEST_FORM:
        return {}
    try:
        found = parse_qs(body.decode(), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _page(request: Request, ticket: str, chosen: Answer | None) -> HTMLResponse:
    desk: GuardianDesk = request.app.state.services.guardian_desk
    try:
        visit = desk.visit(ticket, address=address_of(request), chosen=chosen)
    except TooManyAttemptsError as error:
        return _html(entry_page(TOO_MANY), 429, error.headers)
    if visit is None:
        return _html(entry_page(INVALID), 404)
    page = link_page(
        visit.link, ticket=visit.ticket, now=visit.at, catalogue=desk.catalogue, is_saved=visit.is_answered
    )
    return _html(page)


def _html(page: str, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    return HTMLResponse(page, status, headers={**_ROBOTS, **(headers or {})})
