"""Doors of venues in PostGIS. A door belongs to the venue that its row names, else to the one in whose wall it is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shapely.geometry import Point
from sqlalchemy import Connection, text

from geo.datum import Datum
from geo.postgis import insert_columns
from venues.place import SourceKey
from venues.venue_door import DoorKind, VenueDoor

WALL_REACH_M = 2.0
"""A door this far from an outline is in its wall: maps draw walls and doors apart."""
WALL_REACH_DEGREES = 0.0002
"""More than that, anywhere in China, in either direction: which boxes to look at."""
NEIGHBOUR_REACH_M = 0.5
"""With a second venue's wall no farther behind the first one's, the door is nobody's: it would be a guess."""

_POINTS = "text[]::geometry"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorsSaved:
    """What an import of doors changed; ``withdrawn``: ids no longer in a file that is all of its source."""

    added_count: int
    changed_count: int
    unchanged_count: int
    withdrawn: tuple[str, ...]
    outdated: tuple[SourceKey, ...]
    """Left as they were: known to have been otherwise on a later day."""
    placeless: tuple[SourceKey, ...]
    """Doors of this import that are of no venue now."""


def save_doors(
    connection: Connection,
    doors: Sequence[VenueDoor],
    *,
    at: datetime,
    data_on: date | None = None,
    whole_source: str | None = None,
    still_there: Collection[str] = (),
) -> DoorsSaved:
    """Add doors, or update those whose (source, source_id) is known. Keys must be unique within ``doors``.

    ``whole_source``: the doors are all that this source has, but for the ids that are ``still_there``: their rows are
    in the file, and could not be read. ``data_on``: the day as of which it speaks. ``at``: aware.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/door'))"))
    known, known_on = _known(connection, {door.key.source for door in doors} | {whole_source or ""})
    added = [door for door in doors if door.key not in known]
    differ = [door for door in doors if door.key in known and known[door.key] != door]
    outdated = {door.key for door in differ if _is_before(data_on, known_on[door.key])}
    changed = [door for door in differ if door.key not in outdated]
    _write(connection, [*added, *changed], at=at, data_on=data_on)
    same = [door.key for door in doors if known.get(door.key) == door]
    _still_so(connection, same, data_on)
    gone = set(known) - {door.key for door in doors}
    withdrawn = sorted(
        key.source_id
        for key in gone
        if key.source == whole_source and key.source_id not in still_there and not _is_before(data_on, known_on[key])
    )
    connection.execute(
        text("UPDATE venue_door SET withdrawn_at = :at WHERE source = :source AND source_id = ANY (:gone)"),
        {"at": at, "source": whole_source, "gone": withdrawn},
    )
    placed = connection.execute(text(f"SELECT DISTINCT source, source_id FROM ({_ALL}) AS placed")).all()
    there = {SourceKey(source=row.source, source_id=row.source_id) for row in placed}
    return DoorsSaved(
        added_count=len(added),
        changed_count=len(changed),
        unchanged_count=len(same),
        withdrawn=tuple(withdrawn),
        outdated=tuple(sorted(outdated, key=lambda key: key.source_id)),
        placeless=tuple(door.key for door in doors if door.key not in there),
    )


_PLACED = f"""
SELECT d.*, v.current_no FROM venue_door d
    JOIN venue v ON v.source = d.venue_source AND v.source_id = d.venue_source_id
WHERE d.withdrawn_at IS NULL {{named}}
UNION ALL
SELECT d.*, wall.current_no FROM venue_door d CROSS JOIN LATERAL (
    SELECT near.current_no, min(near.metres) AS metres FROM (
        SELECT v.current_no, ST_Distance(ST_Boundary(v.geometry)::geography, d.geometry::geography) AS metres
        FROM venue v WHERE v.withdrawn_at IS NULL AND v.host_source IS NULL
            AND v.geometry && ST_Expand(d.geometry, {WALL_REACH_DEGREES}) AND ST_Dimension(v.geometry) = 2) AS near
    GROUP BY near.current_no ORDER BY metres LIMIT 2) AS wall
WHERE d.withdrawn_at IS NULL AND d.venue_source IS NULL AND wall.metres <= {WALL_REACH_M} {{in_a_wall}}
    AND NOT EXISTS (SELECT FROM venue w WHERE w.withdrawn_at IS NULL AND w.host_source IS NULL
        AND w.current_no <> wall.current_no AND w.geometry && ST_Expand(d.geometry, {WALL_REACH_DEGREES})
        AND ST_Dimension(w.geometry) = 2 AND ST_Distance(ST_Boundary(w.geometry)::geography, d.geometry::geography)
            < wall.metres + {NEIGHBOUR_REACH_M})
"""
_ALL = _PLACED.format(named="", in_a_wall="")
"""Every door with the number of the row that stands for its place; a door of no venue is left out."""
_OF = _PLACED.format(
    named="AND v.current_no = ANY (:of)",
    in_a_wall=f"AND d.geometry && ANY (ARRAY(SELECT ST_Expand(p.geometry, {WALL_REACH_DEGREES}) FROM venue p"
    " WHERE p.current_no = ANY (:of) AND p.geometry IS NOT NULL))",
)
"""Of some places; the boxes keep it from looking at every door in a wall of the city."""


def load_doors(connection: Connection, *, of: Sequence[int] | None = None) -> dict[int, tuple[VenueDoor, ...]]:
    """The doors of each place, by the number of the row that stands for it, in the order of their keys.

    ``of``: numbers of the rows wanted; all of them without.
    """
    placed = _ALL if of is None else f"SELECT * FROM ({_OF}) AS near WHERE current_no = ANY (:of)"
    rows = connection.execute(
        text(f"SELECT {_COLUMNS}, d.current_no FROM ({placed}) AS d ORDER BY d.source, d.source_id"),
        {} if of is None else {"of": list(of)},
    )
    found: dict[int, list[VenueDoor]] = {}
    for row in rows:
        found.setdefault(row.current_no, []).append(_door(row))
    return {number: tuple(doors) for number, doors in found.items()}


_COLUMNS = (
    "d.door_no, d.source, d.source_id, d.venue_source, d.venue_source_id, d.kind, d.is_main, d.valid_from, d.valid_to,"
    " d.error_m, d.datum, ST_X(d.geometry) AS longitude, ST_Y(d.geometry) AS latitude,"
    " ST_X(d.raw_geometry) AS raw_x, ST_Y(d.raw_geometry) AS raw_y"
)


def _known(
    connection: Connection, sources: set[str]
) -> tuple[dict[SourceKey, VenueDoor], dict[SourceKey, date | None]]:
    """The doors of some sources, and the last day as of which each is known to be so."""
    query = f"SELECT {_COLUMNS}, d.data_on FROM venue_door d WHERE d.withdrawn_at IS NULL AND d.source = ANY (:sources)"
    rows = connection.execute(text(query), {"sources": sorted(sources)}).all()
    doors = [_door(row) for row in rows]
    return {door.key: door for door in doors}, {door.key: row.data_on for door, row in zip(doors, rows, strict=True)}


def _is_before(data_on: date | None, known_on: date | None) -> bool:
    return data_on is not None and known_on is not None and data_on < known_on


def _still_so(connection: Connection, keys: Sequence[SourceKey], data_on: date | None) -> None:
    if data_on is not None and keys:
        connection.execute(
            text("UPDATE venue_door d SET data_on = :on FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]))"
                 " AS k (source, source_id) WHERE d.source = k.source AND d.source_id = k.source_id"
                 " AND (d.data_on IS NULL OR d.data_on < :on)"),
            {"on": data_on, "sources": [key.source for key in keys], "ids": [key.source_id for key in keys]},
        )  # fmt: skip


def _door(row: Any) -> VenueDoor:
    named = None if row.venue_source is None else SourceKey(source=row.venue_source, source_id=row.venue_source_id)
    return VenueDoor(
        key=SourceKey(source=row.source, source_id=row.source_id),
        kind=DoorKind(row.kind),
        longitude=row.longitude,
        latitude=row.latitude,
        raw=Point(row.raw_x, row.raw_y),
        datum=Datum(row.datum),
        venue_key=named,
        is_main=row.is_main,
        error_m=row.error_m,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def _write(connection: Connection, doors: Sequence[VenueDoor], *, at: datetime, data_on: date | None) -> None:
    named = [door.venue_key for door in doors]
    insert_columns(
        connection,
        "venue_door",
        {
            "source": ("text", [door.key.source for door in doors]),
            "source_id": ("text", [door.key.source_id for door in doors]),
            "venue_source": ("text", [key.source if key else None for key in named]),
            "venue_source_id": ("text", [key.source_id if key else None for key in named]),
            "kind": ("text", [str(door.kind) for door in doors]),
            "is_main": ("boolean", [door.is_main for door in doors]),
            "valid_from": ("date", [door.valid_from for door in doors]),
            "valid_to": ("date", [door.valid_to for door in doors]),
            "error_m": ("double precision", [door.error_m for door in doors]),
            "geometry": (_POINTS, [f"SRID=4326;POINT({door.longitude!r} {door.latitude!r})" for door in doors]),
            "raw_geometry": (_POINTS, [f"POINT({door.raw.x!r} {door.raw.y!r})" for door in doors]),
            "datum": ("text", [str(door.datum) for door in doors]),
            "data_on": ("date", [data_on] * len(doors)),
            "imported_at": ("timestamptz", [at] * len(doors)),
        },
        on_conflict="ON CONFLICT (source, source_id) DO UPDATE SET venue_source = excluded.venue_source,"
        " venue_source_id = excluded.venue_source_id, kind = excluded.kind, is_main = excluded.is_main,"
        " valid_from = excluded.valid_from, valid_to = excluded.valid_to, error_m = excluded.error_m,"
        " geometry = excluded.geometry, raw_geometry = excluded.raw_geometry, datum = excluded.datum,"
        " data_on = excluded.data_on, imported_at = excluded.imported_at, withdrawn_at = NULL",
    )
