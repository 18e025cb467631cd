"""Whether this process can do its work."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, text

router = APIRouter()


@router.get("/health")
async def get_health(request: Request) -> dict[str, str]:
    """``{"status": "ok"}`` when the database answers; 503 otherwise."""
    await run_in_threadpool(_ask_database, request.app.state.services.engine)
    return {"status": "ok"}


def _ask_database(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
