"""Whether this process can do its work."""

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, text

from api.access.policy import ANYONE

router = APIRouter()


@router.get("/health", dependencies=[Depends(ANYONE)])
async def get_health(request: Request) -> dict[str, str]:
    """503 when the database does not answer. ``worker`` is ``absent`` while nobody evaluates the fixes taken."""
    worker = await run_in_threadpool(_worker, request.app.state.services.engine)
    return {"status": "ok", "worker": worker}


def _worker(engine: Engine) -> str:
    with engine.connect() as connection:
        is_leased = connection.execute(text("SELECT bool_or(lease_until > now()) FROM shard")).scalar_one()
    return "present" if is_leased else "absent"
