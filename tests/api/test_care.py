"""A child under 14 with an unknown adult: entered by police, told to police, never to a guardian, once."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from api.access.accounts import join_case, set_jurisdiction
from api.access.roles import AccountRole
from api.casework.care import Sighting, report_minor_with_adult
from api.errors import NotThereError, RefusedInputError
from tests.access.people import a_browser, an_official
from tests.api.casework_scene import NOW, Office, a_case, register
from tests.api.test_casework_routes import command
from tests.make import EVENING, a_worker
from tracking.calendar import local_day

PEOPLE = [
    {"role": "guardian", "name": "合成监护", "phone": "13800000141"},
    {"role": "police", "name": "合成民警", "phone": "13800000142"},
]
SIGHTING = Sighting(seen_at=NOW - timedelta(hours=1), place="合成旅馆", is_adult_unknown=True)
TODAY = local_day(SIGHTING.seen_at)


def an_office(engine: Engine, *, age: int = 13) -> Office:
    birth_date = TODAY.replace(year=TODAY.year - age, month=1, day=1).isoformat()
    return Office(engine, a_case(birth_date=birth_date, recipients=PEOPLE))


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def refuse_alerts_of(engine: Engine, subject_no: int) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" IF NEW.subject_no = {subject_no} THEN"
                "  RAISE EXCEPTION 'refused by the test' USING ERRCODE = 'check_violation'; END IF;"
                " RETURN NEW; END $$"
            )
        )
        connection.execute(
            text("CREATE TRIGGER refused BEFORE INSERT ON alert FOR EACH ROW EXECUTE FUNCTION refused()")
        )


def test_a_report_is_told_to_the_police_once_and_to_no_guardian(engine: Engine) -> None:
    office = an_office(engine)
    with office.as_("police") as connection:
        number = report_minor_with_adult(connection, office.no, SIGHTING, now=NOW)
    worker = a_worker(engine)
    for _ in range(2):
        worker.drain()
    a_worker(engine).drain()
    assert rows(engine, "SELECT event, is_late FROM alert") == [("minor_with_adult", False)]
    assert rows(engine, "SELECT finding_id FROM alert_finding") == [(number,)]
    assert rows(engine, "SELECT role FROM notification") == [("police",)]
    ((detail,),) = rows(engine, "SELECT detail FROM finding")
    assert (detail["place"], detail["reported_by"]) == ("合成旅馆", str(office.accounts["police"]))
    actors = rows(engine, "SELECT actor FROM audit_entry WHERE table_name = 'finding'")
    assert [str(office.accounts["police"]) in actor for (actor,) in actors] == [True]


def test_one_report_that_cannot_be_told_is_a_task_once_and_the_rest_go_on(engine: Engine) -> None:
    office = an_office(engine)
    with engine.begin() as connection:
        other = register(connection, a_case(reference="O-2", birth_date="2013-12-01", recipients=PEOPLE)).subject_no
        police = connection.execute(
            text("SELECT account_no FROM account WHERE account_id = :id"), {"id": office.accounts["police"]}
        ).scalar_one()
        join_case(connection, other, police, now=EVENING)
        set_jurisdiction(connection, other, "320300")
    with office.as_("police") as connection:
        broken = report_minor_with_adult(connection, office.no, SIGHTING, now=NOW)
        sound = report_minor_with_adult(connection, other, SIGHTING, now=NOW)
    refuse_alerts_of(engine, office.no)
    with capture_logs() as logged:
        for _ in range(3):
            a_worker(engine).drain()
    assert rows(engine, "SELECT finding_id FROM alert_finding") == [(sound,)]
    assert rows(engine, "SELECT subject_no, kind FROM task WHERE reason_code = 'our_fault'") == [
        (office.no, "nobody_to_tell")
    ]
    assert [line["about"] for line in logged if line["event"] == "report_not_told"] == [broken]
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER refused ON alert"))
    a_worker(engine).drain()
    assert len(rows(engine, "SELECT 1 FROM alert_finding")) == 2, "the fault is mended, and it is told"


def test_only_police_of_the_case_report(engine: Engine) -> None:
    office = an_office(engine)
    for who in ("prosecutor", "leader", "supervisor", "stranger"):
        with office.as_(who) as connection, pytest.raises(NotThereError):
            report_minor_with_adult(connection, office.no, SIGHTING, now=NOW)
    elsewhere = Sighting(seen_at=SIGHTING.seen_at, place="合成", is_adult_unknown=True, zone_id=uuid4())
    with office.as_("police") as connection, pytest.raises(NotThereError):
        report_minor_with_adult(connection, office.no, elsewhere, now=NOW)
    assert rows(engine, "SELECT 1 FROM finding") == []


@pytest.mark.parametrize(("days", "is_taken"), [(-1, True), (0, True), (1, False)])
def test_the_age_is_that_of_the_instant(engine: Engine, days: int, is_taken: bool) -> None:
    """Fourteen from the day after the birthday on (ADR 0025)."""
    office = an_office(engine)
    at = NOW - timedelta(days=2)
    birth_date = local_day(at) - timedelta(days=days)
    with engine.begin() as connection:
        moved = birth_date.replace(year=birth_date.year - 14)
        connection.execute(text("UPDATE subject SET birth_date = :day"), {"day": moved})
    sighting = Sighting(seen_at=at, place="合成旅馆", is_adult_unknown=True)
    with office.as_("police") as connection:
        if is_taken:
            report_minor_with_adult(connection, office.no, sighting, now=NOW)
        else:
            with pytest.raises(RefusedInputError, match="十四"):
                report_minor_with_adult(connection, office.no, sighting, now=NOW)


def test_over_the_web_and_by_command(engine: Engine, database_url: str, tmp_path: Path) -> None:
    office = an_office(engine)
    with engine.begin() as connection:
        official = an_official(connection, "web", AccountRole.POLICE)
        join_case(connection, office.no, official.account_no, now=EVENING)
    place = f"/subjects/{office.done.subject_id}/care-findings"
    body = {"seen_at": EVENING.isoformat(), "place": "合成旅馆"}
    with a_browser(database_url) as browser:
        browser.log_in(official)
        assert browser.ask("POST", place, json=body).status_code == 422
        assert browser.ask("POST", place, json=body | {"is_adult_unknown": False}).status_code == 422
        assert browser.ask("POST", place, json=body | {"is_adult_unknown": True}).status_code == 201
    words = ["suspected", "report", "O-1", "--seen-at", "2026-03-02T22:00", "--place", "合成旅馆", "--by", "o1"]
    assert command(words, tmp_path, database_url).exit_code == 1
    told = command([*words, "--adult-unknown"], tmp_path, database_url)
    assert told.exit_code == 0, told.output
    assert rows(engine, "SELECT count(*) FROM finding WHERE kind = 'minor_with_adult'") == [(2,)]
