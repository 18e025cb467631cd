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
class _Known:
    """A door as it is kept, and the last day as of which it is known to be so, or to be gone."""

    door: VenueDoor
    is_withdrawn: bool
    data_on: date | None

    def says_the_same(self, door: VenueDoor) -> bool:
        return not self.is_withdrawn and self.door == door

    def is_of_later_than(self, day: date | None) -> bool:
        return day is not None and self.data_on is not None and day < self.data_on


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorsSaved:
    """What an import of doors changed; ``withdrawn``: ids no longer in a file that is all of its source."""

    added_count: int
    changed_count: int
    """Otherwise than before, or back after they were withdrawn."""
    unchanged_count: int
    withdrawn: tuple[str, ...]
    register_count: int
    """Doors that the whole source had before, those withdrawn before not counted."""
    known_ids: frozenset[str]
    """Ids of all that the whole source ever had before."""
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
    known = _known(connection, {door.key.source for door in doors} | {whole_source or ""})
    added = [door for door in doors if door.key not in known]
    same = [door.key for door in doors if door.key in known and known[door.key].says_the_same(door)]
    differ = [door for door in doors if door.key in known and not known[door.key].says_the_same(door)]
    outdated = {door.key for door in differ if known[door.key].is_of_later_than(data_on)}
    changed = [door for door in differ if door.key not in outdated]
    _write(connection, [*added, *changed], at=at, data_on=data_on)
    _still_so(connection, same, data_on)
    of_source = {key: old for key, old in known.items() if key.source == whole_source and not old.is_withdrawn}
    withdrawn = sorted(
        key.source_id
        for key in of_source.keys() - {door.key for door in doors}
        if key.source_id not in still_there and not of_source[key].is_of_later_than(data_on)
    )
    connection.execute(
        text("UPDATE venue_door SET withdrawn_at = :at, data_on = greatest(data_on, CAST(:on AS date))"
             " WHERE source = :source AND source_id = ANY (:gone)"),
        {"at": at, "on": data_on, "source": whole_source, "gone": withdrawn},
    )  # fmt: skip
    placed = connection.execute(text(f"SELECT DISTINCT source, source_id FROM ({_ALL}) AS placed")).all()
    there = {SourceKey(source=row.source, source_id=row.source_id) for row in placed}
    return DoorsSaved(
        added_count=len(added),
        changed_count=len(changed),
        unchanged_count=len(same),
        withdrawn=tuple(withdrawn),
        register_count=len(of_source),
        known_ids=frozenset(key.source_id for key in known if key.source == whole_source),
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


def _known(connection: Connection, sources: set[str]) -> dict[SourceKey, _Known]:
    """The doors of some sources, those that were withdrawn too: an older file does not bring them back."""
    query = f"SELECT {_COLUMNS}, d.data_on, d.withdrawn_at FROM venue_door d WHERE d.source = ANY (:sources)"
    rows = connection.execute(text(query), {"sources": sorted(sources)}).all()
    found = [_Known(door=_door(row), is_withdrawn=row.withdrawn_at is not None, data_on=row.data_on) for row in rows]
    return {old.door.key: old for old in found}


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
