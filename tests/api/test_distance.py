"""The law of distance through the database: what is found stays, a change of law adds, archives are measured again."""

import hashlib
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.distance import DistanceRefusedError, WalkedBy, keep_network, kept_network, measure_pair
from api.distance_shown import FindingFilter, findings_shown, gate_shown, history_shown
from api.errors import NotThereError
from api.ids import new_id
from geo.shapes import Area
from geo.walk import WalkStatus
from tests.api.distance_register import (
    BY_AIR,
    DIVISION,
    LATER,
    NETWORK_ON,
    NOW,
    STREET,
    WALKED,
    a_record,
    evaluated,
    put_gate,
    put_records,
    put_scene,
    stored,
)
from tests.geo.walk_reference import at, network_of
from tests.venues.distance_scene import ON, law
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory
from venues.distance_history import verdicts_on
from venues.distance_store import load_history, load_rule
from venues.distance_verdict import Verdict
from venues.distance_words import measurement_lines
from venues.gate_store import load_gates
from venues.measurement import measured_again
from venues.measurement_store import archive_measurement, archived_text
from venues.source_record import SourceKind


def test_one_shop_breaks_the_straight_rule_and_keeps_the_one_on_foot(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        (straight,) = evaluated(connection, BY_AIR)
        (walked,) = evaluated(connection, BY_AIR, WALKED, at=LATER)
        assert [(one.count(Verdict.BREACH), one.count(Verdict.CLEAR)) for one in (straight, walked)] == [(1, 0), (0, 1)]
        rows = stored(
            connection, "verdict, cause, round(straight_m), round(walking_m), is_disputed, venue_name, site_name"
        )
        assert rows == [
            ("breach", "first", 43, 110, False, "路口烟店", "育才小学"),
            ("clear", "rule", 43, 110, True, "路口烟店", "育才小学"),
        ]
        beaten = (
            connection.execute(text("SELECT beaten FROM distance_finding ORDER BY finding_no DESC")).scalars().first()
        )
        assert beaten == [{"rule_id": BY_AIR.rule_id, "rule_version": BY_AIR.rule_version, "verdict": "breach",
                           "reason": "distance"}]  # fmt: skip


def test_a_run_that_finds_the_same_adds_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection)
        (again,) = evaluated(connection, at=LATER)
        assert again.entries == ()
        assert connection.execute(text("SELECT count(*) FROM distance_run")).scalar_one() == 2
        assert len(stored(connection, "1")) == 1


def test_a_gate_that_is_closed_changes_the_way_on_foot_only(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection)
        put_gate(connection, is_closed=True)
        evaluated(connection, at=LATER)
        first, second = stored(connection, "cause, verdict, reason, round(straight_m), round(walking_m)")
    assert first == ("first", "clear", "distance", 43, 110)
    assert second == ("distance", "survey", "no_open_gate", 43, None)


def test_a_pair_without_a_way_is_unreachable_and_never_far(engine: Engine) -> None:
    """The shop's side of the street is cut off: no way, however long, and somebody must look."""
    cut = network_of([[1, 2], [3, 4]], {1: (-300.0, 0.0), 2: (300.0, 0.0), 3: (-300.0, 43.0), 4: (300.0, 43.0)})
    with engine.begin() as connection:
        shop = put_scene(connection)
        (run,) = evaluated(connection, WALKED, network=cut)
        rows = stored(connection, "verdict, reason, walk_status, round(straight_m), walking_m, high_m")
        made = measure_pair(
            connection, law(WALKED), on=ON, venue_id=shop, site_id=None,
            walked=WalkedBy(network=cut, network_on=NETWORK_ON),
        )  # fmt: skip
        shown = findings_shown(connection, FindingFilter())
    assert rows == [("survey", "unreachable", WalkStatus.UNREACHABLE, 43, None, math.inf)]
    assert (run.count(Verdict.SURVEY), run.lead_count) == (1, 0)
    assert (shown[0]["reason_zh"], shown[0]["high_m"]) == ("路网上步行不可达，须实地查看", None)
    told = dict(measurement_lines(made))
    assert told["步行 On foot"] == "路网上不可达"
    assert "路网上步行不可达，须实地查看" in told["结论 Verdict"]


def test_what_was_lawful_under_the_old_rule_is_shown_with_that_rule_beside_the_new_one(engine: Engine) -> None:
    begins = ON + timedelta(days=10)
    loose = replace(BY_AIR, rule_id="loose", threshold_m=20.0, effective_to=begins - timedelta(days=1))
    strict = replace(BY_AIR, rule_id="strict", effective_from=begins)
    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection, loose, strict)
        evaluated(connection, loose, strict, on=begins, at=LATER)
        entries = [(one["holds_from"], one["verdict"], one["rule_id"], one["threshold_m"], one["cause"])
                   for one in history_shown(connection, shop)]  # fmt: skip
        (then,) = findings_shown(connection, FindingFilter(on=begins - timedelta(days=1)))
        (now,) = findings_shown(connection, FindingFilter(on=begins))
    assert entries == [(ON, "clear", "loose", 20.0, "first"), (begins, "breach", "strict", 70.0, "rule")]
    assert (then["verdict"], now["verdict"]) == ("clear", "breach")


def test_a_change_of_law_adds_and_what_was_lawful_before_stays_told(engine: Engine) -> None:
    begins = ON + timedelta(days=10)
    loose = replace(BY_AIR, rule_id="loose", threshold_m=20.0, effective_to=begins - timedelta(days=1))
    strict = replace(BY_AIR, rule_id="strict", effective_from=begins)
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, loose, strict)
        runs = evaluated(connection, loose, strict, on=begins + timedelta(days=5), at=LATER)
        assert [run.run.on for run in runs] == [begins, begins + timedelta(days=5)]
        assert [len(run.entries) for run in runs] == [1, 0]
        history = load_history(connection)
        (before,) = verdicts_on(history, begins - timedelta(days=1)).values()
        (after,) = verdicts_on(history, begins).values()
        assert (before.verdict, after.verdict) == (Verdict.CLEAR, Verdict.BREACH)
        (as_known,) = verdicts_on(history, begins, known_at=NOW).values()
        assert as_known.verdict is Verdict.CLEAR
        assert load_rule(connection, before.rule_id, before.rule_version) == loose
        assert load_rule(connection, after.rule_id, after.rule_version) == strict


def test_a_venue_that_is_gone_leaves_its_history(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection)
        connection.execute(text("UPDATE venue SET geometry = ST_Translate(geometry, 1, 0)"))
        evaluated(connection, at=LATER)
        rows = stored(connection, "cause, verdict, venue_name")
    assert rows == [("first", "clear", "路口烟店"), ("gone", None, "路口烟店")]


@pytest.mark.parametrize("table", ["distance_rule", "distance_run", "distance_finding", "lead", "lead_event"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_what_was_found_cannot_be_changed_even_by_the_owner(engine: Engine, table: str, change: str) -> None:
    column = {"distance_rule": "rule_id", "lead": "ground", "lead_event": "note"}.get(table, "run_no")
    if column == "run_no" and "UPDATE" in change:
        column = "venue_name" if table == "distance_finding" else "made_by"
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
    with engine.begin() as connection, pytest.raises(DBAPIError) as raised:
        connection.execute(text(change.format(table, column, column)))
    assert getattr(raised.value.orig, "sqlstate", None) == "42501"


def test_a_register_without_a_school_is_refused(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(DistanceRefusedError, match="import"):
        evaluated(connection)


def test_gates_are_registered_once_and_each_change_is_a_version(engine: Engine) -> None:
    with engine.begin() as connection:
        put_gate(connection)
        (first,) = load_gates(connection)
        put_gate(connection)
        assert load_gates(connection) == (first,)
        put_gate(connection, is_closed=True)
        (second,) = load_gates(connection)
        assert second == replace(first, gate=replace(first.gate, is_closed=True))
        was, now = gate_shown(connection, "survey/north")
    assert (was["is_closed"], now["is_closed"]) == (False, True)
    assert (was["imported_by"], was["superseded_at"], now["superseded_at"]) == ("tests", NOW, None)


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM site_gate", "UPDATE site_gate SET is_closed = true", "UPDATE site_gate SET superseded_at = NULL"],
)
def test_no_version_of_a_gate_is_changed_even_by_the_owner(engine: Engine, change: str) -> None:
    with engine.begin() as connection:
        put_gate(connection)
        put_gate(connection, is_closed=True)
    with engine.begin() as connection, pytest.raises(DBAPIError, match="a version of a gate stays"):
        connection.execute(text(change))


# ---- measurements


WALK = WalkedBy(network=STREET, network_on=NETWORK_ON)
LAW = law(BY_AIR, WALKED)


def test_a_measurement_made_again_from_the_archive_has_the_same_hash(engine: Engine) -> None:
    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection)
        made = measure_pair(connection, LAW, on=ON, venue_id=shop, site_id=None, walked=WALK)
        kept = archive_measurement(connection, made, at=NOW, made_by="tests")
        archive_measurement(connection, made, at=LATER, made_by="tests")
    with engine.connect() as connection:
        text_of = archived_text(connection, kept)
    assert text_of is not None
    assert hashlib.sha256(text_of.encode()).hexdigest() == kept
    assert measured_again(text_of, STREET).hash == kept


def test_a_door_moved_by_a_metre_gives_another_measurement(engine: Engine) -> None:
    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection)
        first = measure_pair(connection, LAW, on=ON, venue_id=shop, site_id=None, walked=WALK)
        north_deg = 1.0 / 110_900
        connection.execute(text("UPDATE venue SET geometry = ST_Translate(geometry, 0, :deg)"), {"deg": north_deg})
        moved = measure_pair(connection, LAW, on=ON, venue_id=shop, site_id=None, walked=WALK)
    assert moved.hash != first.hash
    assert moved.finding.straight_m - first.finding.straight_m == pytest.approx(1.0, abs=0.01)


def test_a_measurement_says_where_only_the_day_of_import_is_known(engine: Engine) -> None:
    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection)
        made = measure_pair(connection, LAW, on=ON, venue_id=shop, site_id=None, walked=WALK)
    (told,) = [words for heading, words in measurement_lines(made) if heading.startswith("数据日期")]
    imported = "2026-11-22（导入日，来源未注明数据日期 day of import, the source names none）"
    assert told == f"场所 {imported}，学校 {imported}，路网 {NETWORK_ON}"


def test_an_archive_under_another_hash_is_refused_by_the_database(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(DBAPIError, match="check constraint"):
        connection.execute(
            text("INSERT INTO measurement_archive (measurement_hash, content, venue_id, site_id, verdict, made_at,"
                 " made_by) VALUES (repeat('0', 64), '{}', gen_random_uuid(), 's', 'clear', now(), 'tests')")
        )  # fmt: skip


def test_the_network_of_a_measurement_is_kept_by_its_version(tmp_path: Path) -> None:
    keep_network(STREET, tmp_path)
    keep_network(STREET, tmp_path)
    assert kept_network(STREET.network_version, tmp_path).network_version == STREET.network_version
    with pytest.raises(DistanceRefusedError, match="not kept"):
        kept_network("another", tmp_path)


# ---- leads


def test_a_breach_becomes_one_lead_with_its_regulator_however_often_it_is_found(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        (first,) = evaluated(connection, BY_AIR)
        (again,) = evaluated(connection, BY_AIR, at=LATER)
        assert (first.lead_count, again.lead_count) == (1, 0)
        (lead,) = connection.execute(text("SELECT * FROM lead")).all()
    assert (lead.regulator, lead.venue_address, lead.division, lead.is_sure) == (
        "烟草专卖行政主管部门", "合成路 7 号", "320312", True
    )  # fmt: skip
    assert "育才小学" in lead.facts[0]
    assert "明显违反" in lead.facts[0]


def test_a_venue_in_an_imported_boundary_is_bound_by_the_rules_of_that_place(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        (elsewhere,) = evaluated(connection, replace(BY_AIR, jurisdiction="440100"))
        assert elsewhere.run.rows.pair.size == 0
        west, south = at(-5000.0, -5000.0)
        east, north = at(5000.0, 5000.0)
        district = ZoneDraft(
            zone_id=new_id(), source="boundary:t", source_id="440106", kind=ZoneKind.INCLUSION,
            origin=ZoneOrigin.BOUNDARY, name="合成区", shape=Area(geometry=box(west, south, east, north)),
        )  # fmt: skip
        save_zones(connection, [district], at=NOW)
        (inside,) = evaluated(connection, replace(BY_AIR, jurisdiction="440100"), at=LATER)
        assert inside.count(Verdict.BREACH) == 1


def test_days_on_which_nothing_is_known_are_not_evaluated(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection)
        again = evaluated(connection, on=date(2027, 3, 1), at=datetime(2027, 3, 1, 4, tzinfo=UTC))
        assert [run.run.on for run in again] == [date(2027, 3, 1)]


def test_a_day_to_come_is_told_and_nothing_of_it_is_kept(engine: Engine) -> None:
    coming = replace(BY_AIR, effective_from=date(2027, 6, 1))
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, coming)
        (told,) = (run for run in evaluated(connection, coming, on=date(2027, 7, 1)) if run.run.on == date(2027, 7, 1))
        assert (told.run_no, told.count(Verdict.BREACH), told.lead_count) == (None, 1, 0)
        assert connection.execute(text("SELECT count(*) FROM distance_run")).scalar_one() == 1
        assert (stored(connection, "1"), findings_shown(connection, FindingFilter())) == ([], [])
        assert connection.execute(text("SELECT count(*) FROM lead")).scalar_one() == 0
        # When the day has come, it is law and a lead, from the day on which it became law.
        runs = evaluated(connection, coming, on=date(2027, 7, 1), at=datetime(2027, 7, 1, 4, tzinfo=UTC))
        assert [(run.run.on, len(run.entries), run.lead_count) for run in runs] == [
            (date(2027, 6, 1), 1, 0), (date(2027, 7, 1), 0, 1)
        ]  # fmt: skip


def test_a_day_before_the_last_run_is_not_evaluated_and_a_day_gone_by_opens_no_lead(engine: Engine) -> None:
    old = replace(BY_AIR, effective_from=date(2010, 1, 1), effective_to=date(2020, 12, 31))
    with engine.begin() as connection:
        put_scene(connection)
        (past,) = evaluated(connection, old, on=date(2015, 1, 1))
        assert (past.count(Verdict.BREACH), past.lead_count) == (1, 0)
        evaluated(connection, old)
        assert findings_shown(connection, FindingFilter()) == []
        (then,) = findings_shown(connection, FindingFilter(on=date(2015, 6, 1)))
        assert then["verdict"] == "breach"
        for on in (date(2015, 1, 1), ON - timedelta(days=1)):
            with pytest.raises(DistanceRefusedError, match=f"hulan distance list --on {on}"):
                evaluated(connection, old, on=on, at=LATER)
        assert findings_shown(connection, FindingFilter()) == []


def test_findings_come_a_page_at_a_time_and_by_division(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        put_records(connection, *(a_record(SourceKind.POI, f"p{number}", VenueCategory.TOBACCO) for number in range(4)))
        evaluated(connection, BY_AIR)
        whole = findings_shown(connection, FindingFilter())
        assert [one["verdict"] for one in whole] == ["breach", "survey", "survey", "survey", "survey"]
        paged: list[dict[str, Any]] = []
        while page := findings_shown(
            connection, FindingFilter(after=paged[-1]["finding_no"] if paged else None), most=2
        ):
            assert len(page) <= 2
            paged += page
        assert paged == whole
        for division, count in ((DIVISION, 5), ("320000", 5), ("000000", 5), ("320303", 0)):
            assert len(findings_shown(connection, FindingFilter(division=division))) == count, division
        with pytest.raises(NotThereError):
            findings_shown(connection, FindingFilter(after=10**9))


def test_the_database_keeps_no_verdict_of_a_day_to_come(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
    query = (
        "INSERT INTO distance_finding (run_no, venue_id, venue_name, site_id, site_name, campus_id, holds_from,"
        " recorded_at, cause, division) SELECT run_no, venue_id, venue_name, site_id, site_name, campus_id,"
        " '2027-01-01', recorded_at, 'gone', division FROM distance_finding"
    )
    with engine.begin() as connection, pytest.raises(DBAPIError, match="check constraint"):
        connection.execute(text(query))
