"""Evaluations one after the other: each day by the register of that day, each run known after the one before."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from shapely.geometry import Point, box
from sqlalchemy import Connection, Engine, text

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.clock import FixedClock
from api.distance import WalkedBy, evaluate_register, measure_pair
from api.distance_shown import FindingFilter, changes_shown, findings_shown, history_shown
from api.errors import NotThereError
from api.ids import new_id
from geo.datum import Datum
from geo.shapes import Area
from tests.access.people import official_in
from tests.api.distance_register import (
    ANOTHER_USCC,
    BY_AIR,
    DIVISION,
    LATER,
    LICENCE,
    NETWORK_ON,
    NOW,
    REGISTRATION,
    STREET,
    WALKED,
    a_record,
    evaluated,
    merge,
    put_records,
    put_scene,
    stored,
)
from tests.geo.walk_reference import at
from tests.venues.distance_scene import ON, law
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory
from venues.distance_rule import AppliesTo, Grandfather
from venues.distance_verdict import Verdict
from venues.door_store import save_doors
from venues.gateway_distance_law import load_lead_routes
from venues.place import SourceKey
from venues.source_record import SourceKind
from venues.venue_door import DoorKind, VenueDoor

FIRST, LAST = (datetime(2026, 11, day, 4, tzinfo=UTC) for day in (1, 30))
NEW_ONLY = replace(BY_AIR, threshold_m=90.0, effective_from=date(2021, 11, 19), applies_to=AppliesTo.NEW,
                   grandfather=Grandfather.UNTIL_EXPIRY)  # fmt: skip


def put_unrelated(connection: Connection) -> None:
    """A shop whose licence ends on the ninth: a run is made for the tenth, whatever else there is."""
    put_records(connection, a_record(SourceKind.TOBACCO_LICENCE, "9", VenueCategory.TOBACCO, name="他店",
                                     valid_from="2018-01-01", valid_to="2026-11-09", **LICENCE))  # fmt: skip


def a_door(number: int, y: float, **given: Any) -> VenueDoor:
    longitude, latitude = at(0.0, y)
    return VenueDoor(
        key=SourceKey(source="d", source_id=str(number)), kind=DoorKind.CUSTOMERS, longitude=longitude,
        latitude=latitude, raw=Point(longitude, latitude), datum=Datum.WGS84,
        venue_key=SourceKey(source="licences", source_id="1"), error_m=1.0, **given,
    )  # fmt: skip


def both_runs(connection: Connection, *rules: Any) -> list[date]:
    """One evaluation on the first of November, and one on the thirtieth; the days of the second."""
    evaluated(connection, *rules, on=FIRST.date(), at=FIRST)
    return [one.run.on for one in evaluated(connection, *rules, on=LAST.date(), at=LAST)]


def of(connection: Connection, venue_name: str) -> list[tuple[object, ...]]:
    rows = connection.execute(
        text("SELECT extract(day FROM holds_from)::int, verdict, cause FROM distance_finding WHERE venue_name = :name"
             " ORDER BY finding_no"), {"name": venue_name},
    )  # fmt: skip
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("near", "found"),
    [
        ({"valid_to": date(2026, 11, 20)}, [(1, "breach", "first"), (21, "clear", "distance")]),
        ({"valid_from": date(2026, 11, 20)}, [(1, "clear", "first"), (20, "breach", "distance")]),
        ({"valid_to": date.max}, [(1, "breach", "first")]),
    ],
)
def test_a_door_counts_on_its_own_days_whatever_run_comes_later(
    engine: Engine, near: dict[str, date], found: list[tuple[object, ...]]
) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        put_unrelated(connection)
        save_doors(connection, [a_door(1, 60.0, **near), a_door(2, 160.0)], at=NOW)
        days = both_runs(connection, BY_AIR)
        assert date(2026, 11, 10) in days, "the licence of another shop ends on the ninth"
        assert of(connection, "路口烟店") == found


def test_who_takes_over_is_judged_from_the_day_of_it_and_not_before(engine: Engine) -> None:
    before = a_record(SourceKind.BUSINESS_REGISTRATION, "1", VenueCategory.TOBACCO, valid_from="2015-06-01",
                      name="前后店", **REGISTRATION)  # fmt: skip
    licence = a_record(SourceKind.TOBACCO_LICENCE, "1", VenueCategory.TOBACCO, valid_from="2018-01-01", name="前后店",
                       valid_to="2028-12-31", tobacco_licence="320303112346")  # fmt: skip
    after = a_record(SourceKind.BUSINESS_REGISTRATION, "2", VenueCategory.TOBACCO, valid_from="2026-11-20",
                     name="前后店", uscc=ANOTHER_USCC)  # fmt: skip
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_unrelated(connection)
        put_records(connection, before, licence, after)
        merge(connection, before, licence)
        merge(connection, before, after)
        assert both_runs(connection, NEW_ONLY) == [date(2026, 11, day) for day in (10, 20, 30)]
        assert of(connection, "前后店") == [(1, "grandfathered", "first"), (20, "survey", "papers")]


def test_a_shop_that_opened_on_the_twentieth_broke_nothing_before_and_is_told_to_come(engine: Engine) -> None:
    opened = a_record(SourceKind.BUSINESS_REGISTRATION, "2", VenueCategory.TOBACCO, valid_from="2026-11-20",
                      name="新店", **REGISTRATION)  # fmt: skip
    with engine.begin() as connection:
        put_scene(connection)
        put_unrelated(connection)
        put_records(connection, opened)
        (first,) = evaluated(connection, FAR, on=FIRST.date(), at=FIRST)
        runs = evaluated(connection, FAR, on=LAST.date(), at=LAST)
        assert [first.later_count, *(run.later_count for run in runs)] == [1, 1, 0, 0]
        assert of(connection, "新店") == [(20, "breach", "first")]


FAR = replace(BY_AIR, threshold_m=300.0)
"""A point of a map is off by so much that less would be no clear breach."""


# ---- one after the other


def test_an_evaluation_that_waited_is_the_newest_whatever_its_clock_says(engine: Engine) -> None:
    """The one that waits asks for the time when its turn has come: what it finds is what holds now."""
    asked: list[bool] = []
    is_turn = threading.Event()

    class WatchedClock(FixedClock):
        def now(self) -> datetime:
            asked.append(is_turn.is_set())
            return super().now()

    def second() -> None:
        with engine.begin() as connection:
            evaluate_register(
                connection, law(WALKED), load_lead_routes(), on=ON, clock=WatchedClock(NOW), made_by="second",
                division=DIVISION, walked=WalkedBy(network=STREET, network_on=NETWORK_ON),
            )  # fmt: skip

    with engine.begin() as connection:
        put_scene(connection)
    with engine.begin() as connection:
        evaluated(connection, BY_AIR, at=NOW + timedelta(seconds=1))
        waiting = threading.Thread(target=second)
        waiting.start()
        wait_until_locked(engine)
        is_turn.set()
    waiting.join(timeout=60)
    with engine.connect() as connection:
        assert asked == [True]
        rows = connection.execute(text("SELECT made_by, evaluated_at FROM distance_run ORDER BY run_no")).all()
        assert [row.made_by for row in rows] == ["tests", "second"]
        assert rows[0].evaluated_at < rows[1].evaluated_at
        (now,) = findings_shown(connection, FindingFilter())
        assert (now["verdict"], now["rule_id"]) == ("clear", WALKED.rule_id)
        assert [one["cause"] for one in changes_shown(connection)] == ["rule"]


def wait_until_locked(engine: Engine) -> None:
    query = text("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
                 " (SELECT oid FROM pg_database WHERE datname = current_database()))")  # fmt: skip
    pause = threading.Event()
    for _ in range(600):
        with engine.connect() as connection:
            if connection.execute(query).scalar_one():
                return
        pause.wait(0.05)
    raise AssertionError("the second evaluation never waited")


def test_stages_are_told_from_the_first_to_the_last(engine: Engine) -> None:
    told: list[tuple[str, int, int]] = []
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, WALKED, on=FIRST.date(), at=FIRST)
        put_unrelated(connection)
        runs = evaluate_register(
            connection, law(WALKED), load_lead_routes(), on=None, clock=FixedClock(LAST), made_by="tests",
            division=DIVISION, walked=None, progress=lambda *stage: told.append(stage),
        )  # fmt: skip
    assert [one.run.on for one in runs] == [date(2026, 11, 10), date(2026, 11, 30)]
    assert [done for _, done, _ in told[1:]] == [1, 2, 3, 4, 4, 5, 6, 7]
    assert {of for _, _, of in told[1:]} == {7}
    assert [stage for stage, *_ in told if "reading" in stage or "measuring" in stage or "storing" in stage] == [
        "读取登记册 reading the register", "2026-11-10 测距 measuring 2 × 1", "2026-11-10 保存 storing",
        "2026-11-30 测距 measuring 2 × 1", "2026-11-30 保存 storing",
    ]  # fmt: skip


# ---- officers of a division


def put_district(connection: Connection, code: str, at_: datetime) -> None:
    """The whole scene lies in this district now."""
    west, south = at(-5000.0, -5000.0)
    east, north = at(5000.0, 5000.0)
    connection.execute(text("UPDATE zone SET superseded_at = :at WHERE origin = 'boundary'"), {"at": at_})
    district = ZoneDraft(
        zone_id=new_id(), source=f"boundary:{code}", source_id=code, kind=ZoneKind.INCLUSION,
        origin=ZoneOrigin.BOUNDARY, name="合成区", shape=Area(geometry=box(west, south, east, north)),
    )  # fmt: skip
    save_zones(connection, [district], at=at_)


def test_officers_of_the_division_before_see_that_a_venue_is_elsewhere_and_no_old_verdict(engine: Engine) -> None:
    officers = {code: official_in(engine, f"o{code}", AccountRole.PROSECUTOR, division=code, now=NOW)
                for code in ("320312", "320303", "320300", "440100")}  # fmt: skip

    def shown(code: str, on: date | None = None) -> list[str]:
        with as_account(engine, officers[code].account_id) as connection:
            return [one["verdict"] for one in findings_shown(connection, FindingFilter(on=on))]

    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection, BY_AIR, on=FIRST.date(), at=FIRST)
    assert {code: shown(code) for code in officers} == {
        "320312": ["breach"], "320303": [], "320300": ["breach"], "440100": []
    }  # fmt: skip
    with engine.begin() as connection:
        put_district(connection, "320303", LATER)
        (run,) = evaluated(connection, BY_AIR, WALKED, on=LAST.date(), at=LAST)
        assert (len(run.entries), run.change_count) == (2, 1)
    assert {code: shown(code) for code in officers} == {
        "320312": [], "320303": ["clear"], "320300": ["clear"], "440100": []
    }  # fmt: skip
    assert shown("320312", on=date(2026, 11, 29)) == ["breach"], "what held then stays told"
    told = {}
    for code in ("320312", "320303", "320300"):
        with as_account(engine, officers[code].account_id) as connection:
            told[code] = [(one["cause"], one["verdict_before"], one["verdict"]) for one in changes_shown(connection)]
            if code == "320312":
                assert "now in another division" in changes_shown(connection)[0]["why_en"]
                causes = [(one["cause"], one["verdict"]) for one in history_shown(connection, shop)]
                assert causes == [("first", "breach"), ("moved", None)]
    assert told == {
        "320312": [("moved", "breach", None)], "320303": [("rule", None, "clear")],
        "320300": [("rule", "breach", "clear")],
    }  # fmt: skip
    with (
        as_account(engine, officers["440100"].account_id) as connection,
        pytest.raises(NotThereError),
    ):
        history_shown(connection, shop)
    with engine.begin() as connection:
        counts = connection.execute(text("SELECT change_count FROM distance_run ORDER BY run_no")).scalars().all()
        assert counts == [1, 1]
        (back,) = evaluated(connection, BY_AIR, WALKED, on=LAST.date(), at=LAST)
        assert back.entries == ()
        put_district(connection, "320312", LAST)
        evaluated(connection, BY_AIR, WALKED, on=LAST.date(), at=LAST)
    assert (shown("320312"), shown("320303")) == (["clear"], [])


# ---- an office's own law


@pytest.mark.parametrize("threshold_m", [1000.0, 5000.0])
def test_a_rule_of_a_kilometre_and_more_is_evaluated_and_measured(engine: Engine, threshold_m: float) -> None:
    """And so is one that was written to hold until the last day there is."""
    wide = replace(WALKED, threshold_m=threshold_m, effective_to=date.max)
    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection, wide, on=FIRST.date(), at=FIRST)
        (run,) = evaluated(connection, wide, on=LAST.date(), at=LAST)
        assert run.count(Verdict.BREACH) == 1
        made = measure_pair(
            connection, law(wide), on=LAST.date(), venue_id=shop, site_id=None,
            walked=WalkedBy(network=STREET, network_on=NETWORK_ON),
        )  # fmt: skip
        assert stored(connection, "verdict") == [("breach",)]
    assert made.given.policy.walk_limit_m == threshold_m + 400.0
    assert made.finding.verdict is Verdict.BREACH


# ---- licences on file


def test_a_city_without_a_register_of_licences_misses_none(engine: Engine) -> None:
    """The licence that is on file lies a degree away, in 3203: it tells nothing of a shop of another city."""
    unlicensed = text("SELECT venue_name FROM lead WHERE ground = 'unlicensed'")
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_unrelated(connection)
        connection.execute(text("UPDATE venue SET geometry = ST_Translate(geometry, 1, 0)"))
        put_records(connection, a_record(SourceKind.POI, "p", VenueCategory.TOBACCO, name="无证店"))
        for code, found in (("320102", []), ("320303", ["无证店"])):
            put_district(connection, code, LATER)
            evaluated(connection, BY_AIR)
            assert connection.execute(unlicensed).scalars().all() == found, code
