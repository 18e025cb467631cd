"""JSON logs without personal data."""

import logging
import sys
from typing import Any

import structlog

WITHHELD = "[withheld]"

PERSONAL_FIELDS = frozenset(
    {
        "name", "alias", "phone", "text", "birth_date", "longitude", "latitude", "raw_longitude", "raw_latitude",
        "address", "id_number", "token", "authorization", "body", "point", "geometry", "message_text", "document_number",
    }
)  # fmt: skip
"""Fields whose value never reaches a log, whoever passes it."""


def configure_logs(level: str) -> None:
    """One JSON object per line on standard error, UTC times, for structlog and for the libraries' own loggers."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold_personal,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


def withhold_personal(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace the value of every personal field, at any depth."""
    return {
        key: WITHHELD if key in PERSONAL_FIELDS else _withheld_inside(value) for key, value in event.items()
    }


def _withheld_inside(value: Any) -> Any:
    if isinstance(value, dict):
        return withhold_personal(None, "", value)
    if isinstance(value, list | tuple):
        return [_withheld_inside(item) for item in value]
    return value
