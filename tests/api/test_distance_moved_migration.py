"""Venues that changed their division before anybody was told: the migration tells it, and going down keeps it."""

from alembic import command
from sqlalchemy import Engine

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.database import migrate
from api.distance_shown import FindingFilter, findings_shown
from tests.access.people import official_in
from tests.api.distance_register import BY_AIR, LATER, NOW, evaluated, put_scene, stored
from tests.api.test_distance_runs import put_district
from tests.api.test_schema import alembic_config
from tests.make import KEYRING

FORGOTTEN = """
ALTER TABLE distance_finding DISABLE TRIGGER record_stays;
DELETE FROM distance_finding WHERE cause = 'gone';
ALTER TABLE distance_finding ENABLE TRIGGER record_stays;
"""


def test_the_division_before_is_told_by_the_migration_and_going_down_takes_no_entry_away(engine: Engine) -> None:
    officer = official_in(engine, "li", AccountRole.PROSECUTOR, division="320312", now=NOW)

    def shown() -> list[str]:
        with as_account(engine, officer.account_id) as connection:
            return [one["verdict"] for one in findings_shown(connection, FindingFilter())]

    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        put_district(connection, "320303", LATER)
        evaluated(connection, BY_AIR, at=LATER)
        whole = stored(connection, "cause, division, verdict, holds_from")
        assert [one[:3] for one in whole] == [
            ("first", "320312", "breach"), ("moved", "320312", None), ("division", "320303", "breach")
        ]  # fmt: skip
        command.downgrade(alembic_config(connection), "0027")
        assert [one[0] for one in stored(connection, "cause")] == ["first", "gone", "division"]
        connection.exec_driver_sql(FORGOTTEN)
    assert shown() == ["breach"], "as it was before: the old verdict for good"
    migrate(engine, keyring=KEYRING)
    assert shown() == []
    with engine.begin() as connection:
        assert sorted(stored(connection, "cause, division, verdict, holds_from"), key=str) == sorted(whole, key=str)
        (again,) = evaluated(connection, BY_AIR, at=LATER)
        assert again.entries == ()
