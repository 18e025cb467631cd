"""What the register says of a place decides by the law of distance: papers, operators, merges, the day of a school."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, text

from api.distance_shown import FindingFilter, findings_shown, history_shown
from api.files.mappings import load_mapping
from api.files.places import read_places
from api.files.source_records import read_source_records
from api.ids import new_id
from api.site_import import import_sites
from tests.api.distance_register import (
    ANOTHER_USCC,
    BY_AIR,
    LATER,
    LICENCE,
    NOW,
    REGISTRATION,
    a_record,
    evaluated,
    merge,
    put_records,
    put_scene,
    stored,
)
from tests.geo.walk_reference import at
from tests.venues.distance_scene import ON, YARD
from venues.category import VenueCategory
from venues.distance_history import Cause
from venues.distance_rule import AppliesTo, Grandfather
from venues.distance_store import load_places
from venues.distance_verdict import Reason, Verdict
from venues.link_store import load_links, save_merges
from venues.links import merge_events
from venues.register_store import load_current_records
from venues.source_record import SourceKind

# ---- what the register knows


@pytest.mark.parametrize(("is_on_map", "then"), [(True, ("breach", "distance")), (False, ("survey", "ended"))])
def test_an_older_shop_keeps_its_place_by_the_papers_of_the_register(
    engine: Engine, is_on_map: bool, then: tuple[str, str]
) -> None:
    """Without a licence it may not stay; whether it did, some other evidence must say, or somebody who looks."""
    new_only = replace(BY_AIR, threshold_m=90.0, applies_to=AppliesTo.NEW, grandfather=Grandfather.UNTIL_EXPIRY)
    licence = a_record(SourceKind.TOBACCO_LICENCE, "1", VenueCategory.TOBACCO, valid_from="2018-01-01",
                       valid_to="2026-12-31", **LICENCE)  # fmt: skip
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, licence)
        if is_on_map:
            on_map = a_record(SourceKind.POI, "1", VenueCategory.TOBACCO)
            put_records(connection, on_map)
            merge(connection, licence, on_map)
        (kept,) = evaluated(connection, new_only)
        assert [one.reason for one in kept.run.findings()] == [Reason.LICENCE_RUNS]
        # No more than time passes: the day after the licence's last is a day of its own.
        runs = evaluated(connection, new_only, on=date(2027, 1, 5), at=datetime(2027, 1, 5, 4, tzinfo=UTC))
        assert [run.run.on for run in runs] == [date(2027, 1, 1), date(2027, 1, 5)]
        rows = stored(connection, "verdict, reason, cause, holds_from")
    assert rows == [("grandfathered", "licence_runs", "first", ON), (*then, "papers", date(2027, 1, 1))]


def test_a_business_that_is_over_is_no_breach_and_no_lead_until_somebody_sees_it_trade(engine: Engine) -> None:
    over = a_record(SourceKind.BUSINESS_REGISTRATION, "1", VenueCategory.TOBACCO, valid_from="2012-01-01",
                    deregistered_on="2016-12-31", uscc=REGISTRATION["uscc"])  # fmt: skip
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, over)
        (run,) = evaluated(connection, FAR)
        assert [(one.verdict, one.reason) for one in run.run.findings()] == [(Verdict.SURVEY, Reason.ENDED)]
        assert run.lead_count == 0
        connection.execute(
            text("INSERT INTO venue_observation (observation_id, venue_no, observed_on, observed_by, remark, at)"
                 " SELECT gen_random_uuid(), venue_no, '2026-11-20', 'x', '如登记', now() FROM venue"
                 " WHERE withdrawn_at IS NULL")
        )  # fmt: skip
        (again,) = evaluated(connection, FAR, at=NOW + timedelta(hours=1))
        assert again.lead_count == 1
        rows = stored(connection, "verdict, reason, cause")
    assert rows == [("survey", "ended", "first"), ("breach", "distance", "papers")]


@pytest.mark.parametrize(
    ("opened", "verdict", "reason"),
    [
        ("2023年5月1日", Verdict.GRANDFATHERED, Reason.SITE_CAME_LATER),
        ("2015-05-01", Verdict.BREACH, Reason.DISTANCE),
        ("无", Verdict.SURVEY, Reason.SITE_DAY_UNKNOWN),
    ],
)
def test_a_school_that_came_later_is_known_by_the_day_in_its_file(
    engine: Engine, tmp_path: Path, opened: str, verdict: Verdict, reason: Reason
) -> None:
    corners = [list(at(*corner)) for corner in YARD]
    school = {
        "type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
        "properties": {"id": "way/1", "name": "育才小学", "category": "小学", "开办日期": opened},
    }  # fmt: skip
    (tmp_path / "schools.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [school]}), "utf-8")
    read = read_places(tmp_path / "schools.geojson", mapping=load_mapping("hulan"), source="osm")
    licence = a_record(SourceKind.TOBACCO_LICENCE, "1", VenueCategory.TOBACCO, valid_from="2018-01-01", **LICENCE)
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, licence)
        assert import_sites(connection, read, at=LATER).changed_count == (opened != "无")
        (run,) = evaluated(connection, replace(BY_AIR, threshold_m=100.0, is_later_site_exempt=True))
        assert [(one.verdict, one.reason) for one in run.run.findings()] == [(verdict, reason)]


def test_a_takeover_of_the_address_ends_what_the_operator_before_could_keep(engine: Engine) -> None:
    """Old licences run out and are not renewed (reference 2.3): whoever comes after needs one, of the day it is."""
    rule = replace(BY_AIR, threshold_m=90.0, effective_from=date(2021, 11, 19), applies_to=AppliesTo.NEW,
                   grandfather=Grandfather.UNTIL_EXPIRY)  # fmt: skip
    before = a_record(SourceKind.BUSINESS_REGISTRATION, "1", VenueCategory.TOBACCO, valid_from="2015-06-01",
                      **REGISTRATION)  # fmt: skip
    licence = a_record(SourceKind.TOBACCO_LICENCE, "1", VenueCategory.TOBACCO, valid_from="2018-01-01",
                       valid_to="2028-12-31", **LICENCE)  # fmt: skip
    after = a_record(SourceKind.BUSINESS_REGISTRATION, "2", VenueCategory.TOBACCO, valid_from="2024-06-01",
                     uscc=ANOTHER_USCC)  # fmt: skip
    own = a_record(SourceKind.TOBACCO_LICENCE, "2", VenueCategory.TOBACCO, valid_from="2024-07-01",
                   valid_to="2029-06-30", tobacco_licence="320303112346", uscc=ANOTHER_USCC)  # fmt: skip
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, before, licence)
        merge(connection, before, licence)
        evaluated(connection, rule)
        put_records(connection, after)
        merge(connection, before, after)
        evaluated(connection, rule, at=LATER)
        put_records(connection, own)
        merge(connection, before, own)
        evaluated(connection, rule, at=LATER + timedelta(days=1))
        rows = stored(connection, "verdict, reason, cause")
    assert rows == [
        ("grandfathered", "licence_runs", "first"),
        ("survey", "licence_unknown", "papers"),
        ("breach", "distance", "papers"),
    ]


def test_two_operators_one_after_the_other_are_each_judged_by_papers_of_their_own(engine: Engine) -> None:
    """Where the register keeps them apart, as it does with two codes, nothing passes from one to the other."""
    rule = replace(BY_AIR, threshold_m=90.0, effective_from=date(2021, 11, 19), applies_to=AppliesTo.NEW,
                   grandfather=Grandfather.FOR_GOOD)  # fmt: skip
    both = [
        a_record(SourceKind.BUSINESS_REGISTRATION, number, VenueCategory.TOBACCO, valid_from=day, uscc=code)
        for number, day, code in (("1", "2015-06-01", REGISTRATION["uscc"]), ("2", "2024-06-01", ANOTHER_USCC))
    ]
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, *both)
        evaluated(connection, rule)
        rows = stored(connection, "verdict, reason")
    assert sorted(rows) == [("breach", "distance"), ("grandfathered", "before_rule")]


@pytest.mark.parametrize(("words", "leads"), [("小吃服务", ["mis_registered"]), ("酒吧服务", [])])
def test_records_of_one_place_are_one_venue_with_all_that_they_say(
    engine: Engine, tmp_path: Path, words: str, leads: list[str]
) -> None:
    seen = a_record(SourceKind.POI, "p", VenueCategory.BAR)
    register = tmp_path / "register.csv"
    register.write_text(
        f"统一社会信用代码,企业名称,住所,行业\n91320300MA1XK7QY0G,路口烟店,合成路 7 号,{words}\n", "utf-8"
    )
    (registered,) = read_source_records(
        register, kind=SourceKind.BUSINESS_REGISTRATION, source="市监", mapping=load_mapping("hulan")
    ).records
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, seen, registered)
        merge(connection, seen, registered)
        (place,) = load_places(connection)
        assert {row.record.kind for row in place.rows} == {SourceKind.POI, SourceKind.BUSINESS_REGISTRATION}
        (run,) = evaluated(connection, replace(BY_AIR, venue_categories=frozenset({VenueCategory.BAR})))
        assert len(run.run.venues) == 1
        grounds = connection.execute(text("SELECT ground FROM lead ORDER BY ground")).scalars().all()
        facts = connection.execute(text("SELECT facts[1] FROM lead WHERE ground = 'mis_registered'")).scalars().all()
    assert grounds == leads
    assert all("登记为小吃服务，实为酒吧" in fact for fact in facts)


def merged_under_another_id(connection: Connection, *, at: datetime) -> tuple[str, str]:
    """The shop ``p`` joins two rows that are one place already, and that place's id stands for all: before, after."""
    put_records(connection, a_record(SourceKind.POLICE, "q", VenueCategory.TOBACCO),
                a_record(SourceKind.POI, "p2", VenueCategory.TOBACCO))  # fmt: skip
    records = {record.key.source_id: record.record_id for record in load_current_records(connection)}
    merges = merge_events(
        [(records["q"], records["p2"], 0.999), (records["q"], records["p"], 0.999)], links=load_links(connection),
        new_id=new_id, decided_by="machine:test", at=at,
    )  # fmt: skip
    save_merges(connection, merges, at=at)
    row = connection.execute(
        text("SELECT v.venue_id, top.venue_id AS top_id FROM venue v JOIN venue top ON top.venue_no = v.current_no"
             " WHERE v.source_id = 'p'")
    ).one()  # fmt: skip
    return str(row.venue_id), str(row.top_id)


FAR = replace(BY_AIR, threshold_m=300.0, text_zh="直线三百米")
"""A point of a map is off by so much that less would be no clear breach."""


def test_a_merge_keeps_a_places_history_and_its_lead_under_whatever_id(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, a_record(SourceKind.POI, "p", VenueCategory.TOBACCO))
        (first,) = evaluated(connection, FAR)
        assert first.lead_count == 1
        before, now = merged_under_another_id(connection, at=NOW)
        assert before != now
        (again,) = evaluated(connection, FAR, at=NOW + timedelta(hours=1))
        assert [(entry.cause, entry.key.venue_id) for entry in again.entries if entry.cause is Cause.GONE] == []
        assert again.lead_count == 0
        assert connection.execute(text("SELECT count(*) FROM lead")).scalar_one() == 1
        for venue_id in (before, now):
            (shown,) = findings_shown(connection, FindingFilter(venue_id=UUID(venue_id)))
            assert (str(shown["venue_id"]), shown["verdict"]) == (now, "breach")
            assert history_shown(connection, UUID(venue_id))[0]["cause"] == "first"
        assert len(findings_shown(connection, FindingFilter())) == 1


def test_a_place_that_is_taken_apart_has_the_history_and_the_lead_that_it_had(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, a_record(SourceKind.POI, "p", VenueCategory.TOBACCO))
        evaluated(connection, FAR)
        before, _ = merged_under_another_id(connection, at=NOW)
        evaluated(connection, FAR, at=NOW + timedelta(hours=1))
        connection.execute(text("UPDATE venue SET current_no = venue_no WHERE source_id = 'p'"))
        (apart,) = evaluated(connection, FAR, at=NOW + timedelta(hours=2))
        leads = connection.execute(text("SELECT venue_id FROM lead ORDER BY lead_no")).scalars().all()
        assert str(leads[0]) == before
        assert apart.count(Verdict.BREACH) == 2
        assert before not in {entry.key.venue_id for entry in apart.entries if entry.cause is not Cause.GONE}
