"""Gates of schools in PostGIS, in every version: on a gate that is closed, or was never there, a verdict turns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shapely.geometry import Point
from sqlalchemy import Connection, text

from geo.datum import Datum
from geo.postgis import insert_columns
from venues.distance_ends import Gate, GateKind
from venues.place import DataDay, SourceKey
from venues.site_gates import RegisteredGate
from venues.whole_register import is_older, missing_from

_POINTS = "text[]::geometry"
"""Type of a column of points in EWKT: an array literal of geometries has separators of its own."""

_COLUMNS = (
    "source, source_id, site_source, site_source_id, kind, is_closed, error_m, datum, says_all, data_on,"
    " ST_X(geometry) AS longitude, ST_Y(geometry) AS latitude, ST_X(raw_geometry) AS raw_x,"
    " ST_Y(raw_geometry) AS raw_y, (imported_at AT TIME ZONE 'Asia/Shanghai')::date AS imported_on"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesSaved:
    """What an import of gates changed. ``changed_count``: another version, or back after it was withdrawn."""

    added_count: int
    changed_count: int
    unchanged_count: int
    outdated: tuple[SourceKey, ...]
    """Left as they were: known to have been otherwise on a later day."""
    withdrawn: tuple[tuple[str, str], ...]
    """Id in the register of each that it no longer has; gates have no names."""
    left_as_it_was_count: int
    """Gates whose rows are in the file and gave none, or of which a later day is known than the file's."""
    register_count: int
    """Gates that the whole register had before, those withdrawn before not counted."""
    known_ids: frozenset[str]
    """Ids of all that the whole register ever had before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The last version of a gate, and the last day as of which it, or that it is gone, is known."""

    gate: RegisteredGate
    is_gone: bool
    known_on: date | None


def save_gates(
    connection: Connection,
    gates: Sequence[RegisteredGate],
    *,
    at: datetime,
    by: str,
    whole_source: str | None = None,
    still_there: Collection[str] = (),
    data_on: date | None = None,
) -> GatesSaved:
    """Add gates, and versions of those whose (source, source_id) is known and that differ. Unique keys in ``gates``.

    The version before stays on record; ``by``: who imports. ``at`` is aware, and not before the last import.
    ``data_on``: the day (Asia/Shanghai) as of which the file speaks. ``whole_source``: the gates are all that this
    source has; what it has no longer counts no more, but for the ids that are ``still_there``.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/gate'))"))
    known = _known(connection, {gate.key.source for gate in gates} | ({whole_source} if whole_source else set()))
    added = [gate for gate in gates if gate.key not in known]
    differ = [gate for gate in gates if (old := known.get(gate.key)) and (old.is_gone or old.gate != gate)]
    outdated = {gate.key for gate in differ if is_older(data_on, than=known[gate.key].known_on)}
    changed = [gate for gate in differ if gate.key not in outdated]
    same = {gate.key for gate in gates if gate.key in known} - {gate.key for gate in differ}
    register = {key: old for key, old in known.items() if key.source == whole_source}
    there = {key: old.known_on for key, old in register.items() if not old.is_gone}
    missing = missing_from(there, {gate.key for gate in gates}, still_there=still_there, data_on=data_on)
    _supersede(connection, [gate.key for gate in changed], at=at, gone_on=None)
    _supersede(connection, missing.gone, at=at, gone_on=data_on)
    _write(connection, [*added, *changed], at=at, by=by, data_on=data_on)
    _still_so(connection, same, data_on)
    return GatesSaved(
        added_count=len(added),
        changed_count=len(changed),
        unchanged_count=len(same),
        outdated=tuple(gate.key for gate in differ if gate.key in outdated),
        withdrawn=tuple((key.source_id, "") for key in missing.gone),
        left_as_it_was_count=len(missing.left),
        register_count=len(there),
        known_ids=frozenset(key.source_id for key in register),
    )


def load_gates(connection: Connection) -> tuple[RegisteredGate, ...]:
    """Every gate as it is now, by source and source id."""
    rows = connection.execute(
        text(f"SELECT {_COLUMNS} FROM site_gate WHERE superseded_at IS NULL ORDER BY source, source_id")
    )
    return tuple(map(_gate, rows))


def _known(connection: Connection, sources: Collection[str]) -> dict[SourceKey, _Known]:
    rows = connection.execute(
        text(
            f"SELECT DISTINCT ON (source, source_id) {_COLUMNS}, superseded_at IS NOT NULL AS is_gone,"
            " greatest(data_on, gone_on) AS known_on FROM site_gate WHERE source = ANY (:sources)"
            " ORDER BY source, source_id, gate_no DESC"
        ),
        {"sources": sorted(sources)},
    )
    found = [_Known(gate=_gate(row), is_gone=row.is_gone, known_on=row.known_on) for row in rows]
    return {one.gate.key: one for one in found}


def _gate(row: Any) -> RegisteredGate:
    return RegisteredGate(
        key=SourceKey(source=row.source, source_id=row.source_id),
        gate=Gate(
            gate_id=f"{row.source}/{row.source_id}",
            longitude=row.longitude,
            latitude=row.latitude,
            kind=GateKind(row.kind),
            is_closed=row.is_closed,
            error_m=row.error_m,
        ),
        site_key=SourceKey(source=row.site_source, source_id=row.site_source_id) if row.site_source else None,
        raw=Point(row.raw_x, row.raw_y),
        datum=Datum(row.datum),
        says_all=row.says_all,
        described=DataDay(on=row.data_on or row.imported_on, is_by_import=row.data_on is None),
    )


_OF_KEYS = "(source, source_id) IN (SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])))"


def _keys(keys: Collection[SourceKey]) -> dict[str, list[str]]:
    return {"sources": [key.source for key in keys], "ids": [key.source_id for key in keys]}


def _supersede(connection: Connection, keys: Collection[SourceKey], *, at: datetime, gone_on: date | None) -> None:
    connection.execute(
        text(
            f"UPDATE site_gate SET superseded_at = :at, gone_on = :gone_on WHERE superseded_at IS NULL AND {_OF_KEYS}"
        ),
        {"at": at, "gone_on": gone_on, **_keys(keys)},
    )


def _still_so(connection: Connection, keys: Collection[SourceKey], data_on: date | None) -> None:
    if data_on is not None and keys:
        connection.execute(
            text(
                "UPDATE site_gate SET data_on = :on WHERE superseded_at IS NULL"
                f" AND (data_on IS NULL OR data_on < :on) AND {_OF_KEYS}"
            ),
            {"on": data_on, **_keys(keys)},
        )


def _write(
    connection: Connection, gates: Sequence[RegisteredGate], *, at: datetime, by: str, data_on: date | None
) -> None:
    insert_columns(
        connection,
        "site_gate",
        {
            "source": ("text", [gate.key.source for gate in gates]),
            "source_id": ("text", [gate.key.source_id for gate in gates]),
            "site_source": ("text", [gate.site_key.source if gate.site_key else None for gate in gates]),
            "site_source_id": ("text", [gate.site_key.source_id if gate.site_key else None for gate in gates]),
            "kind": ("text", [str(gate.gate.kind) for gate in gates]),
            "is_closed": ("boolean", [gate.gate.is_closed for gate in gates]),
            "error_m": ("double precision", [gate.gate.error_m for gate in gates]),
            "geometry": (_POINTS, [_point_text(gate.gate.longitude, gate.gate.latitude, 4326) for gate in gates]),
            "raw_geometry": (_POINTS, [_point_text(gate.raw.x, gate.raw.y, 0) for gate in gates]),
            "datum": ("text", [str(gate.datum) for gate in gates]),
            "says_all": ("boolean", [gate.says_all for gate in gates]),
            "imported_at": ("timestamptz", [at] * len(gates)),
            "imported_by": ("text", [by] * len(gates)),
            "data_on": ("date", [data_on] * len(gates)),
        },
    )


def _point_text(x: float, y: float, srid: int) -> str:
    return f"SRID={srid};POINT({float(x)!r} {float(y)!r})"
