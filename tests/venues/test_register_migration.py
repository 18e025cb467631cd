"""Venues of before there was a register: they become records and keep their ids, zones and incidents; and back."""

from datetime import date, timedelta

from alembic import command
from sqlalchemy import Engine, text

from api.database import migrate
from api.register import resolve
from tests.api.test_schema import alembic_config
from tests.make import EVENING, KEYRING
from tests.venues.register_scene import a_record, merged_by_machine, put, zone_names
from tests.venues.test_inside import hotel
from venues.register_store import load_current_records
from venues.store import load_incidents, load_venues

FORMER = """
INSERT INTO venue (venue_id, source, source_id, name, category, address, geometry, raw_geometry, datum, imported_at)
SELECT gen_random_uuid(), 'osm', 'node/' || place, name, 'bar', address, ST_SetSRID(ST_GeomFromText(shape), 4326),
    ST_GeomFromText(shape), 'WGS84', now()
FROM (VALUES (1, '夜色"酒"吧\\', '和平路28号' || chr(10) || chr(1) || chr(9), 'POINT(117.2 34.26)'),
    (2, '', '', 'POLYGON((117.2 34.26, 117.201 34.26, 117.201 34.261, 117.2 34.26))'),
    (3, '星光', '', 'POINT(117.300000000000011 34.3)')) AS v (place, name, address, shape);
INSERT INTO zone (zone_id, version, kind, origin, source, source_id, name, category, geometry, radius_m, created_at,
    valid_from)
SELECT venue_id, 1, 'exclusion', 'venue', 'venue:osm', source_id, name, category, geometry,
    CASE WHEN ST_Dimension(geometry) = 0 THEN 35 END, imported_at, imported_at FROM venue;
INSERT INTO venue_incident (source, source_id, venue_no, kind, occurred_at, involves_minor, imported_at)
SELECT 'police', source_id, venue_no, 'penalty', now(), true, now() FROM venue WHERE name = '星光'
"""

ROWS = "SELECT venue_no, venue_id, source_id, name, category, ST_AsText(geometry, 17) FROM venue ORDER BY venue_no"


def to_former(engine: Engine) -> None:
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0022")


def test_venues_become_records_and_keep_ids_zones_and_incidents(engine: Engine) -> None:
    to_former(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(FORMER)
        before = connection.execute(text(ROWS)).all()
        zones = connection.execute(text("SELECT zone_no, zone_id FROM zone ORDER BY zone_no")).all()
    migrate(engine, keyring=KEYRING)
    with engine.begin() as connection:
        assert connection.execute(text(ROWS)).all() == before
        assert connection.execute(text("SELECT zone_no, zone_id FROM zone ORDER BY zone_no")).all() == zones
        assert connection.execute(text("SELECT bool_and(is_watched AND current_no = venue_no) FROM venue")).scalar()
        stored = connection.execute(text("SELECT source_id, record_id, content_hash FROM venue_source_record")).all()
        records = {record.key.source_id: record for record in load_current_records(connection)}
        assert len(stored) == 3
        for row in stored:
            assert row.record_id == records[row.source_id].record_id, "the migration hashes as the program does"
            assert row.content_hash.hex() == records[row.source_id].content_hash
        assert len(load_venues(connection, on=date(2026, 3, 20))) == 3
        (incident,) = load_incidents(connection, on=date(2026, 3, 20))
        assert incident.venue_key.source_id == "node/3"
    assert resolve(engine, at=EVENING).record_count == 3


def test_going_back_gives_each_row_its_zone_again(engine: Engine) -> None:
    one, other = a_record("map", 1, name="星光"), a_record("police", 1, name="星光量贩", at_m=20)
    nowhere = a_record("register", 1, name="星光娱乐", at_m=None)
    with engine.begin() as connection:
        put(connection, [one, other, nowhere])
        merged_by_machine(connection, (one, other), (nowhere, one), at=EVENING + timedelta(hours=1))
        assert len(zone_names(connection)) == 1
    to_former(engine)
    with engine.connect() as connection:
        assert zone_names(connection) == {"星光", "星光量贩"}
        assert connection.execute(text("SELECT name FROM venue ORDER BY name")).scalars().all() == ["星光", "星光量贩"]


def test_of_what_was_inside_others_before_its_own_place_is_known_as_the_point_that_its_register_gave(
    engine: Engine,
) -> None:
    inside = [a_record("police", number, name=f"合成KTV{number}", at_m=at_m, host_source="map", host_id="H")
              for number, at_m in ((1, 10.0), (2, None))]  # fmt: skip
    with engine.begin() as connection:
        put(
            connection, [hotel(), *inside, a_record("police", 3, at_m=5, name="合成酒吧", host_source="x", host_id="9")]
        )
        own = text("SELECT source_id, ST_AsText(own_geometry, 6) FROM venue ORDER BY venue_no")
        before = [tuple(row) for row in connection.execute(own)]
        command.downgrade(alembic_config(connection), "0027")
    migrate(engine, keyring=KEYRING)
    with engine.connect() as connection:
        after = [tuple(row) for row in connection.execute(own)]
    assert after == before
    assert [shape is None for _, shape in after] == [True, False, True, False]
