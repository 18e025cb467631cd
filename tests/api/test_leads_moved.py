"""Leads over the years: a new kind of breach is a new lead, and the right county has the lead of its place."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from shapely.geometry import box
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.database import MIGRATIONS
from api.errors import NotThereError
from api.ids import new_id
from api.leads import LeadFilter, event_by, lead_shown, leads_shown, take_lead_step
from geo.shapes import Area
from tests.access.people import Official, official_in
from tests.api.distance_register import BY_AIR, LATER, NOW, a_record, evaluated, put_records, put_scene
from tests.api.test_schema import alembic_config
from tests.geo.walk_reference import at as place_at
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory
from venues.lead import LeadEvent, LeadState, LeadStep
from venues.lead_store import add_event
from venues.source_record import SourceKind

KTV, CAFE = VenueCategory.KTV, VenueCategory.INTERNET_CAFE
NEAR = replace(BY_AIR, threshold_m=90.0, venue_categories=frozenset({KTV, CAFE}))
TODAY = date(2026, 12, 31)


def put_boundary(connection: Connection, code: str) -> None:
    """Ten kilometres around the school."""
    west, south = place_at(-5000.0, -5000.0)
    east, north = place_at(5000.0, 5000.0)
    district = ZoneDraft(
        zone_id=new_id(), source="boundary:t", source_id=code, kind=ZoneKind.INCLUSION, origin=ZoneOrigin.BOUNDARY,
        name="合成区", shape=Area(geometry=box(west, south, east, north)),
    )  # fmt: skip
    save_zones(connection, [district], at=NOW)


def leads_of(connection: Connection, columns: str = "categories, division") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM lead ORDER BY lead_no"))]


def end(engine: Engine, official: Official, lead_id: UUID) -> None:
    check = event_by(
        LeadStep.CHECK, account_id=official.account_id, at=NOW + timedelta(days=365), on=TODAY, is_found=False
    )
    with as_account(engine, official.account_id) as connection:
        take_lead_step(connection, lead_id, check)
        take_lead_step(connection, lead_id, replace(check, step=LeadStep.DISMISS, on=None, is_found=None, note="停业"))


def test_another_kind_of_breach_is_a_new_lead_though_the_first_was_dismissed(engine: Engine) -> None:
    official = official_in(engine, "wang", now=NOW)
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, a_record(SourceKind.POI, "1", KTV))
        evaluated(connection, NEAR)
        ((lead_id,),) = leads_of(connection, "lead_id")
    end(engine, official, lead_id)
    with engine.begin() as connection:
        put_records(connection, a_record(SourceKind.POI, "1", CAFE))
        (found,) = evaluated(connection, NEAR, at=NOW + timedelta(hours=1))
        assert found.lead_count == 1
        assert leads_of(connection) == [(["ktv"], "320312"), (["internet_cafe"], "320312")]
        (again,) = evaluated(connection, NEAR, at=NOW + timedelta(hours=2))
        assert again.lead_count == 0
        put_records(connection, a_record(SourceKind.POI, "1", KTV))
        (as_before,) = evaluated(connection, NEAR, at=NOW + timedelta(hours=3))
        assert as_before.lead_count == 0


def test_a_key_of_before_kinds_were_in_it_opens_nothing_a_second_time(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        connection.execute(text("ALTER TABLE lead DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE lead SET lead_key = 'as keys were made before'"))
        connection.execute(text("ALTER TABLE lead ENABLE TRIGGER USER"))
        (again,) = evaluated(connection, BY_AIR, at=NOW + timedelta(minutes=1))
    assert again.lead_count == 0


@pytest.fixture
def counties(engine: Engine) -> tuple[Official, Official]:
    """Officers of the county where the lead began, and of the one where its place turns out to lie."""
    return (
        official_in(engine, "first", division="320312", now=NOW),
        official_in(engine, "right", AccountRole.LEADER, division="320303", now=NOW),
    )


def sees(engine: Engine, official: Official) -> list[int]:
    """How many leads, events of them and their officers one sees in SQL."""
    with as_account(engine, official.account_id) as connection:
        return [
            connection.execute(text(f"SELECT count(*) FROM {what}")).scalar_one()
            for what in (
                "lead",
                "lead_event",
                "people_of_leads((SELECT array_agg(n) FROM generate_series(1, 99) AS n))",
            )
        ]


def test_an_open_lead_is_handed_over_to_the_county_where_its_place_lies(
    engine: Engine, counties: tuple[Official, Official]
) -> None:
    first, right = counties
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        ((lead_id,),) = leads_of(connection, "lead_id")
    check = event_by(LeadStep.CHECK, account_id=first.account_id, at=LATER, on=NOW.date(), is_found=True)
    with as_account(engine, first.account_id) as connection:
        assert take_lead_step(connection, lead_id, check) is LeadState.CHECKED
    assert (sees(engine, first), sees(engine, right)) == ([1, 2, 1], [0, 0, 0])
    with engine.begin() as connection:
        put_boundary(connection, "320303")
        (moved,) = evaluated(connection, BY_AIR, at=NOW + timedelta(hours=1))
        assert moved.lead_count == 0
        evaluated(connection, BY_AIR, at=NOW + timedelta(hours=2))
    assert (sees(engine, first), sees(engine, right)) == ([0, 0, 0], [1, 3, 1])
    with as_account(engine, right.account_id) as connection:
        shown = lead_shown(connection, lead_id, today=TODAY)
        assert (shown["division"], shown["state"]) == ("320303", LeadState.CHECKED)
        assert [event["step"] for event in shown["events"]] == ["open", "check", "transfer"]
        last = shown["events"][-1]
        assert (last["by"], last["at"]) == (None, LATER)
        assert last["note"].startswith("场所位于 320303，线索原属 320312，原移送烟草专卖行政主管部门 / ")
        later = event_by(LeadStep.DISMISS, account_id=right.account_id, at=LATER, note="不属实")
        assert take_lead_step(connection, lead_id, later) is LeadState.NO_CASE
    with pytest.raises(NotThereError), as_account(engine, first.account_id) as connection:
        take_lead_step(connection, lead_id, check)
    with as_account(engine, first.account_id) as connection:
        connection.execute(text("SET LOCAL ROLE NONE"))
        asked = "ROW(1, 4, 'reopen', now(), NULL, NULL, NULL, false, '', '', 'x')::lead_event"
        assert connection.execute(text(f"SELECT add_lead_event({asked})")).scalar_one() is None


def test_what_the_wrong_county_dismissed_the_right_one_is_told_anew(
    engine: Engine, counties: tuple[Official, Official]
) -> None:
    first, right = counties
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        ((lead_id,),) = leads_of(connection, "lead_id")
    end(engine, first, lead_id)
    with engine.begin() as connection:
        put_boundary(connection, "320303")
        (found,) = evaluated(connection, BY_AIR, at=NOW + timedelta(hours=1))
        assert found.lead_count == 1
        assert leads_of(connection) == [(["tobacco"], "320312"), (["tobacco"], "320303")]
        (again,) = evaluated(connection, BY_AIR, at=NOW + timedelta(hours=2))
        assert again.lead_count == 0
    for official, state in ((first, LeadState.NO_CASE), (right, LeadState.NEW)):
        with as_account(engine, official.account_id) as connection:
            (shown,) = leads_shown(connection, LeadFilter(), today=TODAY)
            assert shown["state"] is state
            is_elsewhere = [
                "其他区划" in line for line in lead_shown(connection, shown["lead_id"], today=TODAY)["present"]
            ]
            assert is_elsewhere == ([True] if official is first else [])


def test_a_boundary_within_the_division_of_an_ended_lead_opens_nothing_again(engine: Engine) -> None:
    city = official_in(engine, "city", division="320300", now=NOW)
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        connection.execute(text("ALTER TABLE lead DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE lead SET division = '320300'"))
        connection.execute(text("ALTER TABLE lead ENABLE TRIGGER USER"))
        ((lead_id,),) = leads_of(connection, "lead_id")
    end(engine, city, lead_id)
    with engine.begin() as connection:
        put_boundary(connection, "320303")
        (found,) = evaluated(connection, BY_AIR, at=NOW + timedelta(hours=1))
    assert found.lead_count == 0


def test_a_lead_moves_with_an_event_that_says_so_and_officers_enter_no_such_event(
    engine: Engine, counties: tuple[Official, Official]
) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
    with pytest.raises(DBAPIError, match="what was found or done stays"), engine.begin() as connection:
        connection.execute(text("UPDATE lead SET division = '320303'"))
    with as_account(engine, counties[0].account_id) as connection:
        asked = "ROW(1, 1, 'transfer', now(), NULL, NULL, NULL, false, '', '', 'x')::lead_event"
        assert connection.execute(text(f"SELECT add_lead_event({asked})")).scalar_one() is None
    event = LeadEvent(step=LeadStep.TRANSFER, at=LATER, by="1")
    with pytest.raises(DBAPIError, match="lead_event_check"), engine.begin() as connection:
        add_event(connection, lead_no=1, position=1, event=event, account_no=counties[0].account_no)
    with engine.begin() as connection:
        add_event(connection, lead_no=1, position=1, event=event, account_no=None)
        connection.execute(text("UPDATE lead SET division = '320303'"))
        assert leads_of(connection) == [(["tobacco"], "320303")]
    for change in ("venue_name = 'x'", "facts = '{}'", "categories = '{}'", "lead_key = 'x'"):
        with pytest.raises(DBAPIError, match="what was found or done stays"), engine.begin() as connection:
            connection.execute(text(f"UPDATE lead SET {change}"))


def test_going_down_leaves_whole_lives_and_up_again_they_go_on(
    engine: Engine, counties: tuple[Official, Official]
) -> None:
    """Without the steps that the program of before does not know, and without gaps in the numbers of the others."""
    first, right = counties
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        ((lead_id,),) = leads_of(connection, "lead_id")
        add_event(
            connection, lead_no=1, position=1, event=LeadEvent(step=LeadStep.TRANSFER, at=NOW, by=""), account_no=None
        )
    check = event_by(LeadStep.CHECK, account_id=first.account_id, at=LATER, on=NOW.date(), is_found=True)
    with as_account(engine, first.account_id) as connection:
        take_lead_step(connection, lead_id, check)
        take_lead_step(connection, lead_id, replace(check, step=LeadStep.OPEN_CASE, document_number="1"))
    before = ScriptDirectory(str(MIGRATIONS)).get_revision("0029").down_revision
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), str(before))
        events = connection.execute(text("SELECT position, step FROM lead_event ORDER BY position")).all()
        assert [tuple(event) for event in events] == [(0, "open"), (1, "check"), (2, "open_case")]
        command.upgrade(alembic_config(connection), "head")
    with as_account(engine, first.account_id) as connection:
        closing = event_by(LeadStep.CLOSE, account_id=first.account_id, at=LATER)
        assert take_lead_step(connection, lead_id, closing) is LeadState.CLOSED
    with as_account(engine, right.account_id) as connection:
        assert connection.execute(text("SELECT count(*) FROM lead")).scalar_one() == 0
