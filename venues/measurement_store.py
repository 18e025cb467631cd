"""Measurements as evidence, in PostGIS: each text under its own SHA-256, which the table checks. Only grows."""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from venues.measurement import Measurement


def archive_measurement(connection: Connection, made: Measurement, *, at: datetime, made_by: str) -> str:
    """Keep the measurement's text under its hash, which is returned; one that is there already stays."""
    connection.execute(
        text(
            "INSERT INTO measurement_archive (measurement_hash, content, venue_id, site_id, verdict, made_at, made_by)"
            " VALUES (:hash, :content, :venue_id, :site_id, :verdict, :at, :made_by)"
            " ON CONFLICT (measurement_hash) DO NOTHING"
        ),
        {
            "hash": made.hash, "content": made.text, "venue_id": UUID(made.given.venue.venue_id),
            "site_id": made.given.site.site_id, "verdict": made.finding.verdict.name.lower(), "at": at,
            "made_by": made_by,
        },
    )  # fmt: skip
    return made.hash


def keep_measurement(connection: Connection, made: Measurement, *, at: datetime) -> bool:
    """As :func:`archive_measurement`, in the name of the account of the connection; ``False`` if it may not."""
    asked = {
        "measurement_hash": made.hash, "content": made.text, "venue_id": made.given.venue.venue_id,
        "site_id": made.given.site.site_id, "verdict": made.finding.verdict.name.lower(), "made_at": at.isoformat(),
    }  # fmt: skip
    kept: bool = connection.execute(
        text("SELECT keep_measurement(jsonb_populate_record(NULL::measurement_archive, CAST(:asked AS jsonb)))"),
        {"asked": json.dumps(asked, ensure_ascii=False)},
    ).scalar_one()
    return kept


def archived_text(connection: Connection, measurement_hash: str) -> str | None:
    """What was archived under a hash (hex)."""
    found: str | None = connection.execute(
        text("SELECT content FROM measurement_archive WHERE measurement_hash = :hash"), {"hash": measurement_hash}
    ).scalar_one_or_none()
    return found
