"""A business that was revoked or deregistered has no zone of its own from the day after, nor a place on maps."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, text

from api.database import migrate, open_engine
from api.logins import Login
from tests.api.live_server import url_as
from tests.api.test_schema import alembic_config
from tests.make import EVENING, KEYRING, a_person, a_worker
from tests.venues.register_scene import LATER, a_record, merged_by_machine, put, zone_names
from tracking.local_time import LOCAL_TIME
from venues.category import VenueCategory
from venues.register_store import settle_ended_venues
from venues.source_record import SourceKind, SourceRecord
from venues.store import load_venues

TODAY = EVENING.astimezone(LOCAL_TIME).date()
DAY = timedelta(days=1)


def a_business(**cells: Any) -> SourceRecord:
    return a_record("register", 1, kind=SourceKind.BUSINESS_REGISTRATION, name="夜色酒吧", category=VenueCategory.BAR,
                    uscc="91350100M000100Y43", **cells)  # fmt: skip


ON_MAP = a_record("map", 1, name="夜色", at_m=10, category=VenueCategory.BAR)


@pytest.mark.parametrize(
    ("ends", "has_zone"),
    [
        ({"deregistered_on": "2019-05-01"}, False),
        ({"revoked_on": (TODAY - DAY).isoformat()}, False),
        ({"revoked_on": TODAY.isoformat(), "deregistered_on": "2030-01-01"}, True),
        ({"valid_to": "2019-05-01"}, True),
    ],
)
def test_what_is_over_has_no_zone_and_what_only_ran_out_has(
    engine: Engine, ends: dict[str, str], has_zone: bool
) -> None:
    with engine.begin() as connection:
        put(connection, [a_business(**ends)])
        assert ("夜色酒吧" in zone_names(connection)) == has_zone
        assert len(load_venues(connection, on=TODAY)) == has_zone
        count = connection.execute(text("SELECT count(*) FROM zone")).scalar_one()
    assert count == has_zone, "none was in force for a moment"


def test_a_zone_ends_with_the_business_and_comes_back_with_it(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [a_business()])
        put(connection, [a_business(deregistered_on="2026-03-01")], at=LATER)
        assert zone_names(connection) == set()
        put(connection, [a_business()], at=LATER + DAY)
        assert zone_names(connection) == {"夜色酒吧"}
        spans = connection.execute(
            text("SELECT in_force_from, in_force_to FROM zone_in_force ORDER BY in_force_from")
        ).all()
    assert spans == [(EVENING, LATER), (LATER + DAY, None)]


def test_another_record_of_the_place_keeps_it_watched(engine: Engine) -> None:
    over = a_business(deregistered_on="2026-03-01")
    with engine.begin() as connection:
        put(connection, [a_business(), ON_MAP])
        merged_by_machine(connection, (a_business(), ON_MAP))
        assert zone_names(connection) == {"夜色"}
        put(connection, [over], at=LATER)
        assert zone_names(connection) == {"夜色"}
        assert [venue.name for venue in load_venues(connection, on=TODAY)] == ["夜色"]
        put(connection, [], at=LATER, whole_source="map", withdraw=1)
        assert zone_names(connection) == set()


# ---- days pass


@pytest.fixture
def service(database_url: str) -> Iterator[Engine]:
    engine = open_engine(url_as(database_url, Login.WORKER))
    yield engine
    engine.dispose()


def test_the_worker_finds_what_is_over_by_now(engine: Engine, service: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [a_business(deregistered_on=yesterday().isoformat())], at=datetime.now(UTC) - 3 * DAY)
        put(connection, [ON_MAP])
        assert zone_names(connection) == {"夜色酒吧", "夜色"}
    a_worker(service).tidy()
    with engine.begin() as connection:
        assert zone_names(connection) == {"夜色"}
        withdrawn = connection.execute(text("SELECT withdrawn_at > now() - interval '1 hour' FROM zone"
                                            " WHERE name = '夜色酒吧'")).scalar_one()  # fmt: skip
        assert withdrawn
    with service.connect() as connection:
        assert settle_ended_venues(connection) == 0


def test_today_is_still_open_and_an_order_keeps_its_zone(engine: Engine) -> None:
    today = datetime.now(LOCAL_TIME).date()
    with engine.begin() as connection:
        put(connection, [a_business(deregistered_on=(today + DAY).isoformat())], at=datetime.now(UTC))
        assert settle_ended_venues(connection) == 0
        connection.execute(text("UPDATE venue SET ended_on = :day"), {"day": yesterday()})
        a_person(connection)
        connection.execute(
            text("UPDATE condition SET zone_id = (SELECT zone_id FROM zone WHERE name = '夜色酒吧'), categories = '{}'")
        )
        assert settle_ended_venues(connection) == 0
        assert "夜色酒吧" in zone_names(connection)


def test_while_an_import_is_under_way_nothing_is_settled(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [a_business(deregistered_on=yesterday().isoformat())], at=datetime.now(UTC) - 3 * DAY)
    with engine.begin() as importing, engine.begin() as connection:
        importing.execute(text("SELECT pg_advisory_xact_lock(hashtext('venue_link'))"))
        assert settle_ended_venues(connection) == 0
        assert zone_names(connection) == {"夜色酒吧"}
    with engine.begin() as connection:
        assert settle_ended_venues(connection) == 1


# ---- registers of before


@pytest.mark.parametrize(
    ("ends", "ended_on"),
    [
        ({"deregistered_on": "2019年5月1日"}, date(2019, 5, 1)),
        ({"deregistered_on": " 20190501 ", "revoked_on": "2018/7/9"}, date(2018, 7, 9)),
        ({"deregistered_on": "2019-05-01 00:00:00"}, date(2019, 5, 1)),
        ({"deregistered_on": "9999-12-31", "valid_to": "2018-01-01"}, None),
        ({"deregistered_on": "长期"}, None),
    ],
)
def test_the_migration_reads_days_as_the_program_does(
    engine: Engine, ends: dict[str, str], ended_on: date | None
) -> None:
    record = a_business(**ends)
    assert record.ended_on == ended_on
    with engine.begin() as connection:
        put(connection, [record, ON_MAP], at=datetime(2017, 1, 1, tzinfo=UTC))
        command.downgrade(alembic_config(connection), "0027")
        assert zone_names(connection) == {"夜色酒吧", "夜色"}
    migrate(engine, keyring=KEYRING)
    with engine.begin() as connection:
        assert stored(connection) == {"夜色酒吧": ended_on, "夜色": None}
        assert settle_ended_venues(connection) == (ended_on is not None)


def test_going_back_brings_back_what_was_withdrawn(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [a_business()])
        put(connection, [a_business(deregistered_on="2026-03-01")], at=LATER)
        command.downgrade(alembic_config(connection), "0027")
        assert zone_names(connection) == {"夜色酒吧"}


def test_what_the_migration_could_not_read_the_next_import_does(engine: Engine) -> None:
    record = a_business(deregistered_on="2026-03-01")
    with engine.begin() as connection:
        put(connection, [record])
        connection.execute(text("UPDATE venue SET ended_on = NULL"))
        assert put(connection, [record], at=LATER).changed_count == 1
        assert stored(connection) == {"夜色酒吧": date(2026, 3, 1)}


def stored(connection: Connection) -> dict[str, Any]:
    return {row.name: row.ended_on for row in connection.execute(text("SELECT name, ended_on FROM venue"))}


def yesterday() -> date:
    return datetime.now(LOCAL_TIME).date() - DAY
