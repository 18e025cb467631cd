"""A place that is several kinds of venue, through the database: judged as each, and told to each regulator."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, Engine, text

from api.cli.distance_lines import finding_lines
from api.distance_shown import FindingFilter, changes_shown, findings_shown
from tests.api.distance_register import (
    BY_AIR,
    LICENCE,
    NOW,
    WALKED,
    a_record,
    evaluated,
    merge,
    put_gate,
    put_records,
    put_scene,
    stored,
)
from tests.venues.distance_scene import ON
from venues.category import VenueCategory
from venues.distance_history import Cause, verdicts_on
from venues.distance_store import load_history
from venues.distance_verdict import Verdict
from venues.source_record import SourceKind

LATER = NOW + timedelta(hours=1)
KTV, TOBACCO = VenueCategory.KTV, VenueCategory.TOBACCO
AS_KTV = replace(BY_AIR, rule_id="ktv", venue_categories=frozenset({KTV}), threshold_m=90.0)
ON_FOOT = replace(WALKED, threshold_m=60.0)
AS_SHOP = replace(BY_AIR, threshold_m=90.0)


def test_a_ktv_that_sells_tobacco_is_judged_as_both_and_told_to_both_regulators(engine: Engine) -> None:
    licence = a_record(SourceKind.TOBACCO_LICENCE, "1", TOBACCO, **LICENCE)
    seen = a_record(SourceKind.POI, "1", KTV)
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, licence)
        evaluated(connection, AS_KTV, ON_FOOT)
        put_records(connection, seen)
        merge(connection, licence, seen)
        evaluated(connection, AS_KTV, ON_FOOT, at=LATER)
        first, second = stored(connection, "cause, verdict, rule_id, categories")
        assert first == ("first", "clear", "on-foot", ["tobacco"])
        assert second == ("category", "breach", "ktv", ["ktv"])
        ((_,), (others,)) = stored(connection, "others")
        assert isinstance(others, list)
        assert [(one["verdict"], one["rule_id"], one["categories"]) for one in others] == [
            ("clear", "on-foot", ["tobacco"])
        ]
        (said,) = verdicts_on(load_history(connection), ON).values()
        assert [(set(one.categories), one.verdict) for one in said.others] == [({TOBACCO}, Verdict.CLEAR)]
        (change,) = changes_shown(connection)
        assert "原按烟草零售，现按KTV" in change["why_zh"]
        assert (change["verdict_before"], change["verdict"]) == ("clear", "breach")
        assert [one["rule_id"] for one in change["others"]] == ["on-foot"]
        (again,) = evaluated(connection, AS_KTV, ON_FOOT, at=LATER + timedelta(minutes=1))
        assert again.entries == ()
        assert told(connection) == [("文化和旅游主管部门", ["ktv"], 1)]
        # By the straight rule it is too near as a shop too, and the tobacco bureau hears of that alone.
        (worse,) = evaluated(connection, AS_KTV, AS_SHOP, at=LATER + timedelta(minutes=2))
        assert [entry.cause for entry in worse.entries] == [Cause.RULE]
        assert told(connection) == [("文化和旅游主管部门", ["ktv"], 1), ("烟草专卖行政主管部门", ["tobacco"], 1)]
        (shown,) = findings_shown(connection, FindingFilter())
    assert (shown["verdict"], shown["categories"]) == ("breach", ["tobacco"])
    lines = "\n".join(finding_lines(shown))
    assert "（作为烟草零售）" in lines
    assert "作为KTV（ktv）：明显违反 breach" in lines


def test_a_lead_for_nobody_in_particular_is_not_opened_again_for_the_regulator_that_is_named_later(
    engine: Engine,
) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        connection.execute(text("ALTER TABLE lead DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE lead SET lead_key = 'of the time when nobody was competent', regulator = NULL"))
        connection.execute(text("ALTER TABLE lead ENABLE TRIGGER USER"))
        (again,) = evaluated(connection, BY_AIR, at=NOW + timedelta(minutes=1))
    assert again.lead_count == 0


def told(connection: Connection) -> list[tuple[str, list[str], int]]:
    rows = connection.execute(
        text("SELECT regulator, categories, cardinality(facts) FROM lead WHERE ground = 'distance' ORDER BY lead_no")
    )
    return [(row[0], row[1], row[2]) for row in rows]


def test_only_gates_that_an_office_called_complete_clear_a_venue_near_the_wall(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        put_gate(connection, says_all=False)
        evaluated(connection, WALKED)
        put_gate(connection)
        evaluated(connection, WALKED, at=LATER)
        # A second one, of which nobody said so: they were complete before, and are so with one more.
        put_gate(connection, source_id="south", y=-80.0, says_all=False)
        evaluated(connection, WALKED, at=LATER + timedelta(minutes=1))
        rows = stored(connection, "cause, verdict, reason, round(walking_m)")
    assert rows == [("first", "survey", "gates_incomplete", 110), ("distance", "clear", "distance", 110)]
