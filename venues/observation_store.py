"""What officers saw venues to be, in PostGIS: only added to. The last visit of a place counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from venues.category import VenueCategory
from venues.register_facts import SeenOnSite


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One visit. ``venue_id``: the row that was named; ``at``: aware, when it was entered."""

    observation_id: UUID
    venue_id: UUID
    seen: SeenOnSite
    remark: str
    observed_by: str
    at: datetime


def add_observation(
    connection: Connection, *, observation_id: UUID, venue_no: int, seen: SeenOnSite, remark: str
) -> bool:
    """Add what the account whose transaction this is saw. ``False`` if that is not for the account."""
    values: dict[str, Any] = {
        "id": observation_id, "no": venue_no, "category": seen.category, "remark": remark, "on": seen.on,
    }  # fmt: skip
    return connection.execute(text(_ADD), values).scalar_one() is not None


_ADD = """
SELECT observe_venue(jsonb_populate_record(NULL::venue_observation, jsonb_build_object(
    'observation_id', CAST(:id AS uuid), 'venue_no', CAST(:no AS bigint), 'category', CAST(:category AS text),
    'remark', CAST(:remark AS text), 'observed_on', CAST(:on AS date))))
"""

_ORDER = "v.current_no, o.observed_on DESC, o.observation_no DESC"
LAST_OBSERVATIONS = f"""
SELECT DISTINCT ON (v.current_no) v.current_no, o.category, o.observed_on
FROM venue_observation o JOIN venue v USING (venue_no) ORDER BY {_ORDER}
"""


def load_visits(connection: Connection, standing: Mapping[int, int] | None = None) -> dict[int, tuple[SeenOnSite, ...]]:
    """What the visits of each place found, the last first, by the number of the row that stands for the place.

    ``standing``: of places that are one with another, the number of that one.
    """
    found: dict[int, tuple[SeenOnSite, ...]] = {}
    for row in connection.execute(
        text("SELECT v.current_no, o.category, o.observed_on FROM venue_observation o JOIN venue v USING (venue_no)"
             " ORDER BY o.observed_on DESC, o.observation_no DESC")
    ):  # fmt: skip
        place = (standing or {}).get(row.current_no, row.current_no)
        found[place] = (*found.get(place, ()), _seen(row))
    return found


def load_observations(connection: Connection, of: Sequence[int]) -> dict[int, list[Observation]]:
    """All visits of some places, by the number of the row that stands for each, the one that counts first."""
    rows = connection.execute(
        text(f"SELECT v.current_no, v.venue_id, o.* FROM venue_observation o JOIN venue v USING (venue_no)"
             f" WHERE v.current_no = ANY (:of) ORDER BY {_ORDER}"),
        {"of": list(of)},
    )  # fmt: skip
    found: dict[int, list[Observation]] = {}
    for row in rows:
        found.setdefault(row.current_no, []).append(
            Observation(
                observation_id=row.observation_id,
                venue_id=row.venue_id,
                seen=_seen(row),
                remark=row.remark,
                observed_by=row.observed_by,
                at=row.at,
            )
        )
    return found


def _seen(row: Any) -> SeenOnSite:
    return SeenOnSite(category=None if row.category is None else VenueCategory(row.category), on=row.observed_on)
