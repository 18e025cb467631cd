"""Schools and gates that are gone, or that a file knows as of a day: what becomes of zones, verdicts and reports."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from shapely.geometry import Point, Polygon
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from api.distance import WalkedBy, measure_pair
from api.distance_shown import gate_shown
from api.importing import ImportReport
from api.placed import load_register
from api.site_import import import_gates, import_sites
from api.withdrawal import WithdrawalRefusedError
from geo.datum import Datum
from tests.api.distance_register import (
    BY_AIR,
    DIVISION,
    LATER,
    NETWORK_ON,
    NOW,
    STREET,
    evaluated,
    put_gate,
    put_scene,
    stored,
)
from tests.geo.walk_reference import at
from tests.make import a_person
from tests.venues.distance_scene import BY_GATES, ON, YARD, law
from tracking.local_time import LOCAL_TIME
from venues.category import SiteCategory
from venues.distance_ends import Gate, GateKind
from venues.distance_verdict import Verdict
from venues.distance_words import measurement_lines
from venues.gate_store import load_gates
from venues.place import PlacesRead, Rejected, Site, SourceKey
from venues.site_gates import RegisteredGate
from venues.store import load_sites

BACK = LATER + timedelta(days=20)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
IMPORTED_ON = NOW.astimezone(LOCAL_TIME).date()


def a_school(number: int = 1, *, name: str = "育才小学", south_m: float = 0.0) -> Site:
    """The school of the scene, or one like it so many metres farther south."""
    ground = Polygon([at(x, y - south_m) for x, y in YARD])
    return Site(
        key=SourceKey(source="osm", source_id=f"way/{number}"), name=name, category=SiteCategory.PRIMARY_SCHOOL,
        geometry=ground, raw_geometry=ground, datum=Datum.WGS84,
    )  # fmt: skip


SCHOOL, FAR = a_school(), a_school(2, name="远方小学", south_m=3_000.0)


def put(connection: Connection, sites: Sequence[Site], *, whole: bool = False, **more: Any) -> ImportReport:
    withdraw = more.pop("withdraw", 0)
    options = {"at": LATER, **more.pop("options", {})}
    read = PlacesRead(sites=tuple(sites), **more)
    return import_sites(
        connection, read, whole_source="osm" if whole else None, withdraw=withdraw, **options
    )  # fmt: skip


def unread(reference: str) -> Rejected:
    return Rejected(line=3, reference=reference, field="longitude", value="东边", reason="")


def names(connection: Connection) -> list[str]:
    return [site.name for site in load_sites(connection)]


def zones(connection: Connection, name: str = "育才小学") -> list[tuple[Any, ...]]:
    """In which span each version of its zone was in force."""
    rows = connection.execute(
        text("SELECT in_force_from, in_force_to FROM zone JOIN zone_in_force USING (zone_no, zone_id)"
             " WHERE name = :name ORDER BY version"), {"name": name},
    )  # fmt: skip
    return [tuple(row) for row in rows]


# ---- schools that are gone


def test_a_school_that_its_register_no_longer_has_is_judged_no_longer_and_comes_back(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        put(connection, [SCHOOL, FAR], options={"at": NOW})
        (first,) = evaluated(connection, BY_AIR)
        assert first.lead_count == 1
        assert put(connection, [FAR]).withdrawn == (), "part of a register says nothing of the rest"
        report = put(connection, [FAR], whole=True)
        assert report.withdrawn == (("way/1", "育才小学"),)
        assert ("撤回 withdrawn", 1) in report.lines()
        assert names(connection) == ["远方小学"]
        (gone,) = evaluated(connection, BY_AIR, on=LATER.date(), at=LATER)
        assert (gone.count(Verdict.BREACH), gone.lead_count) == (0, 0)
        back = put(connection, [SCHOOL, FAR], whole=True, options={"at": BACK})
        assert (back.changed_count, back.unchanged_count, back.withdrawn) == (1, 1, ())
        evaluated(connection, BY_AIR, on=BACK.date(), at=BACK)
        rows = stored(connection, "cause, verdict, site_name")
    assert rows == [("first", "breach", "育才小学"), ("gone", None, "育才小学"), ("first", "breach", "育才小学")]


def test_when_the_last_school_is_gone_nothing_is_said_of_it_any_more(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        put(connection, [], whole=True, withdraw=1)
        evaluated(connection, BY_AIR, on=LATER.date(), at=LATER)
        assert stored(connection, "cause, verdict") == [("first", "breach"), ("gone", None)]


def test_the_zone_of_a_school_that_is_gone_governs_no_more_until_it_is_back(engine: Engine) -> None:
    with engine.begin() as connection:
        a_person(connection)
        put(connection, [SCHOOL, FAR], options={"at": NOW})
        connection.execute(text("DELETE FROM reevaluation"))
        put(connection, [FAR], whole=True)
        assert zones(connection) == [(NOW, LATER)]
        assert zones(connection, "远方小学") == [(NOW, None)]
        longitude, latitude = at(0.0, 0.0)
        near = " AND :x BETWEEN west AND east AND :y BETWEEN south AND north"
        asked = text(f"SELECT count(*) FROM reevaluation WHERE since = :at {near}")
        assert connection.execute(asked, {"at": LATER, "x": longitude, "y": latitude}).scalar_one() > 0
        put(connection, [SCHOOL, FAR], whole=True, options={"at": BACK})
        assert zones(connection) == [(NOW, LATER), (BACK, None)]


def test_the_zone_of_a_school_that_an_order_names_is_never_withdrawn(engine: Engine) -> None:
    with engine.begin() as connection:
        a_person(connection)
        put(connection, [SCHOOL, FAR], options={"at": NOW})
        connection.execute(
            text("UPDATE condition SET zone_id = (SELECT zone_id FROM zone WHERE name = '育才小学'), categories = '{}'")
        )
        assert len(put(connection, [FAR], whole=True).withdrawn) == 1
        assert zones(connection) == [(NOW, None)]
        assert names(connection) == ["远方小学"]


def test_a_school_whose_row_is_in_the_file_and_was_not_taken_is_not_gone(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [SCHOOL, FAR])
        for row in ({"rejected": (unread("way/1"),)}, {"ignored_ids": frozenset({"way/1"})}):
            report = put(connection, [FAR], whole=True, **row)
            assert (report.withdrawn, report.left_as_it_was_count) == ((), 1)
        assert names(connection) == ["育才小学", "远方小学"]
        now_an_office = {"ignored_ids": frozenset({"way/1"})}
        assert len(put(connection, [FAR], whole=True, withdraw=1, **now_an_office).withdrawn) == 1


def test_schools_that_may_only_be_unreadable_are_withdrawn_on_confirmation(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [SCHOOL, FAR])
    with (
        pytest.raises(WithdrawalRefusedError, match=r"2 所学校中的 1 所及其区域.*育才小学"),
        engine.begin() as connection,
    ):
        put(connection, [FAR], whole=True, rejected=(unread("OO"),))
    with engine.begin() as connection:
        assert names(connection) == ["育才小学", "远方小学"], "nothing was imported"
        assert zones(connection) == [(LATER, None)]
        assert len(put(connection, [FAR], whole=True, withdraw=1, rejected=(unread("OO"),)).withdrawn) == 1


# ---- the day as of which a file speaks


def test_an_older_file_of_schools_changes_nothing_that_a_later_one_said(engine: Engine) -> None:
    october, november = {"data_on": OCTOBER, "at": LATER}, {"data_on": NOVEMBER, "at": LATER}
    renamed = replace(SCHOOL, name="育才学校")
    with engine.begin() as connection:
        put(connection, [SCHOOL, FAR], options=october)
        assert put(connection, [renamed, FAR], options=november).changed_count == 1
        late = put(connection, [SCHOOL, FAR], options=october)
        assert (late.changed_count, late.unchanged_count) == (0, 1)
        assert [(row.reference, row.field) for row in late.rejected] == [("way/1", "data_date")]
        whole = put(connection, [SCHOOL], whole=True, options=october)
        assert (whole.withdrawn, whole.left_as_it_was_count) == ((), 1), "FAR was there in November"
        assert len(put(connection, [FAR], whole=True, options=november).withdrawn) == 1
        again = put(connection, [renamed], options=october)
        assert (again.changed_count, len(again.rejected)) == (0, 1), "gone since"
        assert names(connection) == ["远方小学"]
        assert put(connection, [renamed]).changed_count == 1, "no day was said"


def test_an_older_file_of_gates_changes_nothing_that_a_later_one_said(engine: Engine) -> None:
    gate, other = a_gate("n"), a_gate("x", y=-80.0)
    closed = a_gate("n", is_closed=True)
    with engine.begin() as connection:
        put_gates(connection, gate, other, data_on=OCTOBER)
        assert put_gates(connection, closed, other, data_on=NOVEMBER).changed_count == 1
        late = put_gates(connection, gate, other, data_on=OCTOBER)
        assert (late.changed_count, late.unchanged_count) == (0, 1)
        assert [(row.reference, row.field) for row in late.rejected] == [("n", "data_date")]
        assert put_gates(connection, gate, whole=True, data_on=OCTOBER).left_as_it_was_count == 1
        assert len(put_gates(connection, other, whole=True, data_on=NOVEMBER).withdrawn) == 1
        again = put_gates(connection, closed, data_on=OCTOBER)
        assert (again.added_count, again.changed_count, len(again.rejected)) == (0, 0, 1), "gone since"
        assert put_gates(connection, closed).changed_count == 1, "no day was said"


def test_a_report_is_dated_by_the_files_of_school_and_gates(engine: Engine) -> None:
    """Of all that a measurement rests on, what says least of its day counts."""
    by_import = "（导入日，来源未注明数据日期 day of import, the source names none）"
    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection)

        def told() -> str:
            walk = WalkedBy(network=STREET, network_on=NETWORK_ON)
            made = measure_pair(connection, law(BY_AIR), on=ON, venue_id=shop, site_id=None, walked=walk)
            (words,) = [words for heading, words in measurement_lines(made) if heading.startswith("数据日期")]
            return words.split("，学校 ")[1].split("，路网")[0]

        assert told() == f"{IMPORTED_ON}{by_import}"
        put(connection, [SCHOOL], options={"data_on": NOVEMBER})
        assert told() == f"{IMPORTED_ON}{by_import}", "of the gate nobody told a day"
        (gate,) = load_gates(connection)
        put_gates(connection, gate, data_on=OCTOBER)
        assert told() == f"{OCTOBER}"
        put_gates(connection, gate, data_on=date(2026, 11, 20))
        assert told() == f"{NOVEMBER}"
        put_gates(connection, whole=True, withdraw=1)
        assert told() == f"{NOVEMBER}", "without a gate"


# ---- gates that are gone


def a_gate(source_id: str = "south", *, y: float = 0.0, is_closed: bool = False) -> RegisteredGate:
    longitude, latitude = at(0.0, y)
    gate = Gate(
        gate_id=f"survey/{source_id}", longitude=longitude, latitude=latitude, kind=GateKind.STUDENT,
        is_closed=is_closed, error_m=1.0,
    )  # fmt: skip
    return RegisteredGate(
        key=SourceKey(source="survey", source_id=source_id), gate=gate, site_key=None, raw=Point(longitude, latitude),
        datum=Datum.WGS84, says_all=True,
    )  # fmt: skip


def put_gates(connection: Connection, *gates: RegisteredGate, whole: bool = False, **more: Any) -> ImportReport:
    options: dict[str, Any] = {"rejected": (), "at": LATER, "by": "tests"} | more
    return import_gates(connection, gates, whole_source="survey" if whole else None, **options)


def test_a_gate_that_was_never_there_is_taken_back_and_makes_no_breach(engine: Engine) -> None:
    """Closing it would change nothing by a rule that goes by the straight line."""
    rule = replace(BY_GATES, threshold_m=70.0)
    south = a_gate(y=-80.0)
    with engine.begin() as connection:
        put_scene(connection)
        put_gates(connection, south, at=NOW)
        (first,) = evaluated(connection, rule)
        assert first.count(Verdict.BREACH) == 1
        report = put_gates(connection, south, whole=True)
        assert (report.withdrawn, report.unchanged_count) == ((("north", ""),), 1)
        (then,) = evaluated(connection, rule, on=LATER.date(), at=LATER)
        assert then.count(Verdict.BREACH) == 0
        (version,) = gate_shown(connection, "survey/north")
        assert (version["is_withdrawn"], version["superseded_at"], version["gone_on"]) == (True, LATER, None)
        put_gate(connection)
        assert [one["is_withdrawn"] for one in gate_shown(connection, "survey/north")] == [True, False]
        assert len(load_gates(connection)) == 2


def test_a_gate_whose_row_was_rejected_is_still_there_and_doubts_are_confirmed(engine: Engine) -> None:
    with engine.begin() as connection:
        put_gates(connection, a_gate("n"), a_gate("x", y=-80.0))
        report = put_gates(connection, a_gate("n"), whole=True, rejected=[unread("x")])
        assert (report.withdrawn, report.left_as_it_was_count) == ((), 1)
    with (
        pytest.raises(WithdrawalRefusedError, match=r"2 个校门中的 1 个，.*例 example: x"),
        engine.begin() as connection,
    ):
        put_gates(connection, a_gate("n"), whole=True, rejected=[unread("O")])
    with engine.begin() as connection:
        assert len(load_gates(connection)) == 2, "nothing was imported"
        report = put_gates(connection, a_gate("n"), whole=True, withdraw=1, rejected=[unread("O")], data_on=NOVEMBER)
        assert report.withdrawn == (("x", ""),)
        (gone,) = gate_shown(connection, "survey/x")
        assert (gone["gone_on"], gone["data_on"]) == (NOVEMBER, None)
        assert load_register(connection, DIVISION).gate_count == 1


@pytest.mark.parametrize(
    "change",
    ["data_on = '2026-09-01'", "data_on = NULL", "data_on = '2026-12-01', kind = 'service'", "gone_on = '2026-12-01'"],
)
def test_the_day_of_a_gate_only_moves_on(engine: Engine, change: str) -> None:
    with engine.begin() as connection:
        put_gates(connection, a_gate(), data_on=OCTOBER)
        put_gates(connection, a_gate(), data_on=NOVEMBER)
        assert [one["data_on"] for one in gate_shown(connection, "survey/south")] == [NOVEMBER]
    with engine.begin() as connection, pytest.raises(DBAPIError, match="a version of a gate stays"):
        connection.execute(text(f"UPDATE site_gate SET {change}"))
