"""A prefecture for ``bench.ingest``: zones in clusters, people with orders, and their afternoon as rows of the log."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from api.devices import add_device
from api.ids import new_id
from api.inbox import CELL_RESOLUTION
from api.partitions import make_room
from api.personal.fields import current_key, seal_contact
from api.personal.keyring import Keyring
from geo.cells import cell_of
from geo.postgis import copy_rows, driver_connection
from geo.shapes import Circle
from tracking.rules import to_microseconds
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory

SECRET = b"a secret of the benchmark, not of anyone"
EAST_M, NORTH_M = 92_300.0, 110_900.0  # metres per degree at 34° north
SIDE_M = 40_000.0
AREA_COUNT = 4
STEP = timedelta(minutes=5)
CATEGORIES = tuple(VenueCategory)[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything."""

    subjects: int
    zones: int
    fixes: int
    late_percent: float = 0.0
    """Of the fixes, those that come six rounds after their time."""


def settle(engine: Engine, size: Size, seed: int, keyring: Keyring) -> NDArray[np.float64]:
    """Zones and people with their orders; returns where the zones are, metres east and north, ``[zones, 2]``."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.0, SIDE_M, (max(size.zones // 100, 1), 2))
    places: NDArray[np.float64] = centres[rng.integers(0, len(centres), size.zones)]
    places = places + rng.normal(0.0, 700.0, places.shape)
    with engine.begin() as connection:
        now = datetime.now(UTC)
        save_zones(connection, _drafts(places, rng), at=now, new_from=now - timedelta(days=90))
        areas = [row.zone_id for row in connection.execute(text("SELECT zone_id FROM zone WHERE kind = 'inclusion'"))]
        _add_people(connection, size.subjects, areas, keyring)
    return places


def _drafts(places: NDArray[np.float64], rng: np.random.Generator) -> list[ZoneDraft]:
    radii = rng.uniform(20.0, 80.0, len(places))
    drafts = [
        _draft(f"venue-{row}", ZoneKind.EXCLUSION, places[row], radii[row], CATEGORIES[row % len(CATEGORIES)])
        for row in range(len(places))
    ]
    middle = np.array([SIDE_M / 2, SIDE_M / 2])
    areas = [_draft(f"area-{row}", ZoneKind.INCLUSION, middle, SIDE_M * 0.8 + row, None) for row in range(AREA_COUNT)]
    return drafts + areas


def _draft(name: str, kind: ZoneKind, place: Any, radius_m: float, category: VenueCategory | None) -> ZoneDraft:
    longitude, latitude = degrees(place[None, :])
    return ZoneDraft(
        zone_id=new_id(),
        source="bench",
        source_id=name,
        kind=kind,
        origin=ZoneOrigin.VENUE if category else ZoneOrigin.BOUNDARY,
        name=name,
        shape=Circle(longitude=float(longitude[0]), latitude=float(latitude[0]), radius_m=float(radius_m)),
        category=category,
    )


def degrees(places_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of places in metres east and north of a corner."""
    return 117.0 + places_m[:, 0] / EAST_M, 34.0 + places_m[:, 1] / NORTH_M


def _add_people(connection: Connection, count: int, areas: list[Any], keyring: Keyring) -> None:
    parameters = {"count": count, "areas": areas}
    for statement in (
        "INSERT INTO subject (subject_id, shard, alias, birth_date)"
        " SELECT gen_random_uuid(), n % 64, '合成', '2010-01-01' FROM generate_series(1, :count) n",
        "INSERT INTO supervision_order (order_id, version, subject_no, measure, document_number, deciding_organ,"
        " executing_organ, valid_from, valid_to, effective_from, recorded_at) SELECT gen_random_uuid(), 1, subject_no,"
        " 'conditional_non_prosecution', '合成', '合成', '合成', at, at + interval '180 days', at, at"
        " FROM subject CROSS JOIN (SELECT now() - interval '90 days' AS at) AS since",
        "INSERT INTO condition (condition_id, order_no, kind, categories) SELECT gen_random_uuid(), order_no,"
        " 'excluded_categories', '{bar,ktv,nightclub}' FROM supervision_order",
        "INSERT INTO condition (condition_id, order_no, kind, zone_id) SELECT gen_random_uuid(), order_no,"
        " 'stay_within_area', (CAST(:areas AS uuid[]))[1 + order_no % cardinality(CAST(:areas AS uuid[]))]"
        " FROM supervision_order",
    ):
        connection.execute(text(statement), parameters)
    _add_guardians(connection, keyring)
    connection.execute(text("ANALYZE"))


def _add_guardians(connection: Connection, keyring: Keyring) -> None:
    """One for each subject, all with the same number."""
    key = current_key(connection, keyring)
    rows = []
    for subject_no in connection.execute(text("SELECT subject_no FROM subject")).scalars():
        recipient_id = new_id()
        contact = seal_contact(keyring, key, recipient_id=recipient_id, name="合成", phone="13800000101")
        rows.append(
            {
                "recipient_id": recipient_id, "subject_no": subject_no, "name": contact.name, "phone": contact.phone,
                "phone_index": contact.phone_index, "key_id": contact.key_id,
            }
        )  # fmt: skip
    connection.execute(
        text(
            "INSERT INTO recipient (recipient_id, subject_no, role, name, phone, phone_index, key_id)"
            " VALUES (:recipient_id, :subject_no, 'guardian', :name, :phone, :phone_index, :key_id)"
        ),
        rows,
    )


def add_devices(engine: Engine, count: int) -> list[str]:
    """A device for each of the first subjects; returns their tokens."""
    with engine.begin() as connection:
        numbers = connection.execute(text("SELECT subject_no FROM subject ORDER BY 1 LIMIT :n"), {"n": count}).scalars()
        return [add_device(connection, number, SECRET) for number in numbers.all()]


def write_afternoon(engine: Engine, size: Size, zones_m: NDArray[np.float64], seed: int) -> None:
    """The log: everyone sends a fix every five minutes, round after round, the last round now.

    Of a hundred people 75 are at home, 20 on the way, 4 go to a venue for half an hour, and one leaves the area.
    """
    rng = np.random.default_rng(seed + 1)
    rounds = -(-size.fixes // size.subjects)
    now = datetime.now(UTC).replace(microsecond=0)
    kind = rng.choice(4, size.subjects, p=[0.75, 0.20, 0.04, 0.01])
    streets = rng.uniform(0.0, SIDE_M, (2_000, 2))
    place = streets[rng.integers(0, len(streets), size.subjects)] + rng.normal(0.0, 300.0, (size.subjects, 2))
    home = place.copy()
    venue = zones_m[rng.integers(0, len(zones_m), size.subjects)]
    with engine.begin() as connection:
        driver = driver_connection(connection)
        make_room(driver, [now - STEP * back for back in range(rounds + 1)])
        connection.execute(text(_STAGE))
        for turn in range(rounds):
            place[kind == 1] += rng.normal(0.0, 300.0, (int((kind == 1).sum()), 2))
            inside = (kind == 2) & (turn >= 2) & (turn <= rounds - 2)
            place[kind == 2] = np.where(inside[:, None], venue, home)[kind == 2]
            place[(kind == 3) & (turn >= 3)] += [8_000.0, 0.0]
            at = now - STEP * (rounds - 1 - turn)
            copy_rows(connection, "afternoon", _round(place, at, rng, size.fixes - turn * size.subjects))
        parameters = {"late": round(size.late_percent * 100), "delay": 6 * size.subjects}
        connection.execute(text(_FILL), parameters)
        connection.execute(text("DROP TABLE afternoon"))


def _round(place: NDArray[np.float64], at: datetime, rng: np.random.Generator, most: int) -> dict[str, NDArray[Any]]:
    rows = rng.permutation(len(place))[:most]
    accuracy_m = rng.uniform(8.0, 40.0, len(rows))
    longitude, latitude = degrees(place[rows] + rng.normal(0.0, 1.0, (len(rows), 2)) * accuracy_m[:, None] / 1.5)
    cells = cell_of(longitude=longitude, latitude=latitude, resolution=CELL_RESOLUTION)
    return {
        "subject_no": rows.astype(np.int64) + 1,
        "fixed_at": to_microseconds(at) + rng.integers(-60_000_000, 0, len(rows)),
        "fix_key": rng.integers(-(2**62), 2**62, len(rows)),
        "longitude": longitude,
        "latitude": latitude,
        "accuracy_m": accuracy_m,
        "cell": cells.astype(np.int64),
    }


_STAGE = """
CREATE TEMP TABLE afternoon (turn serial, subject_no bigint, fixed_at bigint, fix_key bigint,
    longitude double precision, latitude double precision, accuracy_m double precision, cell bigint)
"""

_FILL = """
INSERT INTO fix (subject_no, fixed_at, fix_key, shard, received_at, longitude, latitude, accuracy_m,
    is_accuracy_assumed, raw_longitude, raw_latitude, datum, source, battery_percent, is_mock, device_id, cell)
SELECT a.subject_no, t.at, a.fix_key, s.shard, t.at + interval '2 seconds', longitude, latitude, accuracy_m,
    false, longitude, latitude, 'WGS84', 'gps', 50, false, '00000000-0000-7000-8000-000000000001', a.cell
FROM afternoon a JOIN subject s USING (subject_no)
CROSS JOIN LATERAL (SELECT timestamptz '1970-01-01 00:00:00+00' + a.fixed_at * interval '1 microsecond' AS at) t
ORDER BY a.turn + CASE WHEN abs(a.fix_key) % 10000 < :late THEN :delay ELSE 0 END
"""
