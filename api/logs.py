"""JSON logs without personal data."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from numbers import Number
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

WITHHELD = "[withheld]"

PERSONAL_FIELDS = frozenset(
    {
        "name", "alias", "phone", "text", "birth_date", "longitude", "latitude", "raw_longitude", "raw_latitude",
        "address", "id_number", "token", "authorization", "body", "point", "geometry", "message_text",
        "document_number", "password", "totp_code", "cookie", "login_name", "staff_number", "totp_secret", "session_id",
        "csrf_token", "otpauth", "contact", "destination", "route", "variables",
        "cell", "west", "south", "east", "north", "password_hash",
    }
)  # fmt: skip
"""Fields whose value never reaches a log, whoever passes it; ``guardian_phone`` and the like neither."""

_PLAIN = (str, Number, date, timedelta, UUID, Path, type(None))


def configure_logs(level: str) -> None:
    """One JSON object per line on standard error, UTC times, for structlog and for the libraries' own loggers."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
        withhold_personal,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    foreign: list[Any] = [structlog.stdlib.add_logger_name, keep_template, *shared]
    formatter = structlog.stdlib.ProcessorFormatter(
        processor=structlog.processors.JSONRenderer(default=str), foreign_pre_chain=foreign, use_get_message=False
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # What cannot be written would be printed with all its arguments: a full disk must not print who was told what.
    logging.raiseExceptions = False
    threading.excepthook = _log_dead_thread


def _log_dead_thread(died: threading.ExceptHookArgs) -> None:
    thread = "" if died.thread is None else died.thread.name
    structlog.get_logger().error("thread_died", thread=thread, exc_info=died.exc_value)


def keep_template(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A library's message without its arguments, first line only: what a library fills in may be anyone's data."""
    lines = str(event["event"]).splitlines()
    return {**event, "event": lines[0] if lines else ""}


def describe_exception(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Say what failed and where, cause by cause, in place of ``exc_info``.

    Neither messages nor variables: psycopg quotes the row, pydantic the input, a ``ValueError`` of ours the coordinate.
    """
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = [_described(item) for item in _chain(error)]
    return event


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then what it was raised from, then the members of a group."""
    seen: list[BaseException | None] = [None]
    waiting = [error]
    while waiting:
        item = waiting.pop(0)
        if item is None or any(item is known for known in seen):
            continue
        seen.append(item)
        yield item
        waiting.append(item.__cause__ or (None if item.__suppress_context__ else item.__context__))
        waiting += item.exceptions if isinstance(item, BaseExceptionGroup) else ()


def _described(error: BaseException) -> dict[str, Any]:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    frames = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    codes = {"sqlstate": getattr(error, "sqlstate", None), "errno": getattr(error, "errno", None)}
    return {"type": kind, **{code: value for code, value in codes.items() if value is not None}, "frames": frames}


def withhold_personal(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace the value of every personal field, at any depth."""
    return {key: value if key.startswith("_") else _withheld(key, value) for key, value in event.items()}


def _withheld(key: str, value: Any) -> Any:
    """``value`` if it may be shown under ``key``. What is neither plain nor a collection is shown by its type only."""
    low = key.lower()
    if low in PERSONAL_FIELDS or any(low.endswith(f"_{personal}") for personal in PERSONAL_FIELDS):
        return WITHHELD
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {str(inner): _withheld(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_withheld(key, item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _withheld(field.name, getattr(value, field.name)) for field in fields(value)}
    return f"<{type(value).__qualname__}>"
