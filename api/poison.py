"""Which failures are about one alert, message or report, and which about all of them.

One that cannot be worked on is set aside, told of and left to people, and the rest go on; what concerns everything
stops the worker, which must not go on as if it could.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import Connection, Engine, exc, text

from alerts.alert import Task, TaskKind
from alerts.decided_store import save_decided
from alerts.reason import Because, because
from api.personal.keyring import KeyringError
from tracking.episode import derived_id

log = structlog.get_logger()

_OF_ALL = (KeyringError, MemoryError, exc.SQLAlchemyError, psycopg.Error)
_OF_ONE = (exc.DataError, exc.IntegrityError, psycopg.DataError, psycopg.IntegrityError)
"""What the database says of the values that it was given, or has."""


def concerns_all(error: BaseException) -> bool:
    """Whether the next one would fail too: the keyring is away, the database is, or refuses us, or lacks a table."""
    return isinstance(error, _OF_ALL) and not isinstance(error, _OF_ONE)


def fault_task(key: tuple[int, str, str], *, subject_no: int, alert_id: UUID | None = None, now: datetime) -> Task:
    """The work that a fault of ours leaves to people. ``key``: what it is about, as ``derived_id`` takes it."""
    return Task(
        task_id=derived_id("task", *key),
        kind=TaskKind.NOBODY_TO_TELL,
        subject_no=subject_no,
        alert_id=alert_id,
        due_at=now,
        reason=because(Because.OUR_FAULT),
    )


def leave_to_people(
    engine: Engine, task_of: Callable[[Connection], Task | None], error: Exception, *, event: str, about: UUID
) -> None:
    """Make the task and say it in the log, once; ``task_of`` gives ``None`` when nothing is left to do.

    ``error`` is named by its type alone: what it says may hold data of people.
    """
    try:
        with engine.begin() as connection:
            task = task_of(connection)
            if task is None:
                return
            if connection.execute(text("SELECT 1 FROM task WHERE task_id = :id"), {"id": task.task_id}).one_or_none():
                return
            save_decided(connection, subject_of={}, tasks=[task])
    except Exception as second:
        if concerns_all(second):
            raise
        log.error("left_to_nobody", about=about, error=type(second).__name__)
    log.error(event, about=about, error=type(error).__name__)
