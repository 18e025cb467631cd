"""Who is told of a case: put right by an officer."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from alerts.alert import Block
from api.access.caller import as_account
from api.casework.recipients import block_recipient, tell_recipient
from api.routes.orders import DECIDES_CASES, Body

router = APIRouter()


class BlockIn(Body):
    """Why nobody tells them."""

    reason: Literal[Block.SUSPECT, Block.ABUSER, Block.OTHER]


@router.post("/recipients/{recipient_id}/tell", status_code=204, dependencies=[Depends(DECIDES_CASES)])
def post_tell(request: Request, recipient_id: UUID) -> None:
    """It is the right person: told from now on, whatever they answered."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        tell_recipient(connection, recipient_id)


@router.post("/recipients/{recipient_id}/block", status_code=204, dependencies=[Depends(DECIDES_CASES)])
def post_block(request: Request, recipient_id: UUID, body: BlockIn) -> None:
    """Tell them nothing from now on."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        block_recipient(connection, recipient_id, reason=body.reason)
