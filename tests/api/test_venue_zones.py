"""Decisions on venues while somebody is inside: what the engine makes of zones that are withdrawn and brought back."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from alerts.gateway import FakeGateway
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.ids import new_id
from tests.access.people import an_official
from tests.api.test_event_time import assert_clean, inside, minute, rows
from tests.make import EVENING, a_fix, a_person, a_worker, log_fixes
from tests.venues.register_scene import a_record, merged_by_machine, put
from venues.category import VenueCategory
from venues.link_store import decide, load_links
from venues.links import Split
from venues.source_record import SourceKind

BEFORE = EVENING - timedelta(days=1)

STAYS = (
    "SELECT z.name, e.started_at, e.ended_at, e.ended_by FROM episode e JOIN zone z USING (zone_no)"
    " WHERE e.superseded_at IS NULL AND e.tier = 'probable' ORDER BY z.name, e.started_at"
)


def test_a_merge_over_somebody_inside_is_no_exit_no_second_alert_and_loses_no_stay(engine: Engine) -> None:
    on_map = a_record("map", 1, name="夜色", category=VenueCategory.BAR)
    at_police = a_record("police", 1, kind=SourceKind.POLICE, name="夜色酒吧", category=VenueCategory.BAR, at_m=5)
    with engine.begin() as connection:
        put(connection, [on_map, at_police], at=BEFORE)
        person = a_person(connection)
    gateway = FakeGateway()
    worker = a_worker(engine, gateway)
    log_fixes(engine, person, [a_fix(minutes=0, east_m=500), *inside(1, 20)])
    worker.drain()
    assert len(rows(engine, STAYS)) == 2, "one place under two names, so far"
    with engine.begin() as connection:
        merged_by_machine(connection, (on_map, at_police), at=minute(19.5))
    log_fixes(engine, person, inside(20, 40))
    log_fixes(engine, person, [a_fix(minutes=float(each), east_m=500) for each in range(40, 50)])
    worker.drain()
    stays = {row[0]: row[1:] for row in rows(engine, STAYS)}
    assert stays["夜色"] == (minute(1), minute(19.5), "rule")
    assert stays["夜色酒吧"] == (minute(1), minute(39), "exit"), "whose zone stands for the place"
    assert rows(engine, "SELECT count(*) FROM alert") == [(1,)]
    assert len(gateway.sent) == 1
    assert_clean(engine)


def test_between_merge_and_split_only_one_zone_governs_and_late_fixes_are_judged_by_their_time(engine: Engine) -> None:
    on_map = a_record("map", 1, name="夜色", category=VenueCategory.BAR)
    at_police = a_record("police", 1, kind=SourceKind.POLICE, name="夜色酒吧", category=VenueCategory.BAR, at_m=5)
    with engine.begin() as connection:
        put(connection, [on_map, at_police], at=BEFORE)
        merged_by_machine(connection, (on_map, at_police), at=BEFORE + timedelta(hours=1))
        person = a_person(connection)
        official = an_official(connection, "wang", AccountRole.POLICE)
    with as_account(engine, official.account_id) as connection:
        (merge,) = load_links(connection).merged.values()
        split = Split(merge_id=merge.merge_id, decided_by="x", at=minute(0), reason="两家")
        assert decide(connection, split, new_id=new_id)
    versions = "SELECT version, valid_from, withdrawn_at FROM zone WHERE name = '夜色' ORDER BY version"
    (first, second) = rows(engine, versions)
    assert first == (1, BEFORE, BEFORE + timedelta(hours=1))
    assert second[0] == 2
    assert second[1] > datetime.fromisoformat("2026-03-20T00:00+00:00"), "by the database's clock"
    worker = a_worker(engine)
    log_fixes(engine, person, [a_fix(minutes=0, east_m=500), *inside(1, 20), a_fix(minutes=21, east_m=500)])
    worker.drain()
    assert [row[0] for row in rows(engine, STAYS)] == ["夜色酒吧"], "that evening one zone governed"
    assert_clean(engine)
