"""Parts of what is shown of one venue: its doors, who saw it, what it is inside of, what was decided of it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from venues.category import CATEGORY_NAMES_ZH
from venues.observation_store import Observation
from venues.place import SourceKey
from venues.register_store import has_no_doubles
from venues.source_record import SOURCE_KIND_NAMES_ZH, SourceKind
from venues.venue_door import DOOR_KIND_NAMES_ZH, VenueDoor


def observation_shown(one: Observation) -> dict[str, Any]:
    """What an officer saw, and who, when."""
    category = one.seen.category
    return {
        "observation_id": one.observation_id,
        "category": category,
        "category_zh": "与登记一致" if category is None else CATEGORY_NAMES_ZH[category],
        "observed_on": one.seen.on,
        "remark": one.remark,
        "observed_by": one.observed_by,
        "at": one.at,
    }


def door_shown(door: VenueDoor) -> dict[str, Any]:
    """A door with for whom it is and since when."""
    return {
        "source": door.key.source,
        "source_id": door.key.source_id,
        "kind": door.kind,
        "kind_zh": DOOR_KIND_NAMES_ZH[door.kind],
        "is_main": door.is_main,
        "longitude": door.longitude,
        "latitude": door.latitude,
        "error_m": door.error_m,
        "valid_from": door.valid_from,
        "valid_to": door.valid_to,
    }


def host_shown(connection: Connection, hosts: Iterable[SourceKey]) -> dict[str, Any] | None:
    """The venue that the place is inside of, if a register says so and has that venue."""
    for host in hosts:
        row = connection.execute(
            text("SELECT top.venue_id, host.name FROM venue host JOIN venue top ON top.venue_no = host.current_no"
                 " WHERE host.source = :source AND host.source_id = :id"),
            {"source": host.source, "id": host.source_id},
        ).one_or_none()  # fmt: skip
        if row is not None:
            return {"venue_id": row.venue_id, "name": row.name}
    return None


def history_shown(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Decisions on records that are of the place, or were taken from it, newest first."""
    rows = connection.execute(
        text("WITH own AS (SELECT r.record_no FROM venue v JOIN venue_source_record r USING (source, source_id)"
             " WHERE v.current_no = :number), named AS (SELECT link_no FROM venue_link"
             " WHERE left_no IN (SELECT record_no FROM own) OR right_no IN (SELECT record_no FROM own))"
             " SELECT e.link_id, e.kind, e.at, e.decided_by, e.reason, e.probability, u.link_id AS undone_id,"
             " k.venue_id AS kept, a.venue_id AS absorbed,"
             " EXISTS (SELECT FROM venue v WHERE v.merge_no = e.link_no) AS stands"
             " FROM venue_link e LEFT JOIN venue_link u ON u.link_no = e.undone_no"
             " LEFT JOIN venue k ON k.venue_no = e.kept_no LEFT JOIN venue a ON a.venue_no = e.absorbed_no"
             " WHERE e.link_no IN (SELECT link_no FROM named) OR e.undone_no IN (SELECT link_no FROM named)"
             " ORDER BY e.link_no DESC LIMIT 200"),
        {"number": number},
    )  # fmt: skip
    return [dict(row._mapping) for row in rows]


def registers_shown(connection: Connection) -> list[dict[str, Any]]:
    """Every register that was imported, by name: how much of it is there, how old, and whether it has doubles."""
    rows = connection.execute(
        text("SELECT v.source, array_agg(DISTINCT r.kind ORDER BY r.kind) AS kinds,"
             " count(*) FILTER (WHERE v.withdrawn_at IS NULL) AS there,"
             " count(*) FILTER (WHERE v.withdrawn_at IS NOT NULL) AS withdrawn, max(v.imported_at) AS changed_at,"
             " min(v.data_on) AS oldest_on, max(v.data_on) AS newest_on, s.has_no_doubles, s.said_by, s.said_at"
             " FROM venue v JOIN venue_source_record r USING (record_no)"
             " LEFT JOIN venue_register s ON s.source = v.source"
             " GROUP BY v.source, s.source ORDER BY v.source")
    )  # fmt: skip
    return [
        {
            "source": row.source,
            "kinds": [SOURCE_KIND_NAMES_ZH[SourceKind(kind)] for kind in row.kinds],
            "record_count": row.there,
            "withdrawn_count": row.withdrawn,
            "changed_at": row.changed_at,
            "oldest_on": row.oldest_on,
            "newest_on": row.newest_on,
            "has_no_doubles": has_no_doubles(row.has_no_doubles, map(SourceKind, row.kinds)),
            "said_by": row.said_by,
            "said_at": row.said_at,
        }
        for row in rows
    ]
