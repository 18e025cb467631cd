"""What was lawful stays documented: a change of law, place or papers adds to the history and takes nothing away."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from tests.venues.distance_scene import (
    ON_FOOT,
    POLICY,
    RULE,
    STUDENTS,
    YARD,
    divided_street,
    gate,
    law,
    licence,
    school,
    shop,
)
from venues.category import VenueCategory
from venues.distance import evaluate_distances
from venues.distance_ends import PlacedVenue, ProtectedSite
from venues.distance_history import (
    Cause,
    HistoryEntry,
    PairKey,
    RecordedVerdict,
    changes_between,
    days_to_evaluate,
    entries_for,
    record_of,
    verdicts_on,
)
from venues.distance_law import DistanceLaw
from venues.distance_rule import AppliesTo, Grandfather
from venues.distance_verdict import Reason, Verdict
from venues.place import SourceKey
from venues.register_facts import RegisteredPlace, RegisterRow
from venues.source_record import SourceKind, SourceRecord

STREET = divided_street()
SITE = school(gate(0.0, 0.0, kind=STUDENTS), wall=YARD)
SHOP = shop(0.0, 43.0)
KEY = PairKey(venue_id="shop", site_id="school", campus_id="main")
OLD = replace(ON_FOOT, rule_id="old", effective_to=date(2026, 6, 30))
NEW = replace(RULE, rule_id="new", effective_from=date(2026, 7, 1))
JULY = datetime(2026, 7, 20, tzinfo=UTC)


def run(on: date, rules: DistanceLaw, venue: PlacedVenue = SHOP, site: ProtectedSite = SITE) -> list[RecordedVerdict]:
    found = evaluate_distances([venue], [site], rules, on=on, network=STREET, policy=POLICY)
    return [record_of(finding) for finding in found.findings()]


def test_what_was_lawful_under_the_old_rule_stays_documented() -> None:
    rules, history = law(OLD, NEW), list[HistoryEntry]()
    history += entries_for(history, run(date(2026, 3, 1), rules), on=date(2026, 3, 1),
                           recorded_at=datetime(2026, 3, 1, tzinfo=UTC))  # fmt: skip
    for day in days_to_evaluate(rules, [], since=date(2026, 3, 1), until=date(2026, 7, 20)):
        history += entries_for(history, run(day, rules), on=day, recorded_at=JULY)
    assert [(entry.holds_from, entry.cause) for entry in history] == [
        (date(2026, 3, 1), Cause.FIRST), (date(2026, 7, 1), Cause.RULE),
    ]  # fmt: skip
    before, after = (verdicts_on(history, day)[KEY] for day in (date(2026, 6, 30), date(2026, 7, 1)))
    assert (before.verdict, before.rule_id, round(before.walking_m or 0)) == (Verdict.CLEAR, "old", 110)
    assert (after.verdict, after.rule_id, round(after.straight_m or 0)) == (Verdict.BREACH, "new", 43)
    as_known_in_june = verdicts_on(history, date(2026, 7, 10), known_at=datetime(2026, 6, 1, tzinfo=UTC))
    assert as_known_in_june[KEY] == before


def test_a_run_that_changes_nothing_adds_nothing() -> None:
    rules, day = law(RULE), date(2026, 3, 1)
    history = entries_for([], run(day, rules), on=day, recorded_at=JULY)
    assert entries_for(history, run(day, rules), on=date(2026, 4, 1), recorded_at=JULY) == ()


@pytest.mark.parametrize(
    ("venue", "site", "rules", "cause"),
    [
        (shop(0.0, 44.0), SITE, law(RULE), Cause.DISTANCE),
        (SHOP, school(replace(gate(0.0, 0.0, kind=STUDENTS), is_closed=True), wall=YARD), law(RULE), Cause.DISTANCE),
        (SHOP, SITE, law(replace(RULE, text_zh="改了一个字")), Cause.RULE),
        (SHOP, SITE, law(RULE, replace(ON_FOOT, rule_id="a")), Cause.RULE),
        (shop(0.0, 2000.0), SITE, law(RULE), Cause.GONE),
        (SHOP, SITE, law(), Cause.GONE),
    ],
)
def test_each_change_says_why(venue: PlacedVenue, site: ProtectedSite, rules: DistanceLaw, cause: Cause) -> None:
    day = date(2026, 3, 1)
    (change,) = changes_between(run(day, law(RULE)), run(day, rules, venue, site))
    assert (change.key, change.cause) == (KEY, cause)


def test_a_licence_that_runs_out_is_a_new_breach_on_the_day_after() -> None:
    rule = replace(RULE, applies_to=AppliesTo.NEW, grandfather=Grandfather.UNTIL_EXPIRY)
    venue = shop(0.0, 43.0, licences=(licence(date(2018, 5, 1), date(2026, 8, 31)),))
    rules = law(rule)
    record = SourceRecord(
        key=SourceKey(source="t", source_id="1"), kind=SourceKind.TOBACCO_LICENCE, sent=(), name="路口烟店",
        category=VenueCategory.TOBACCO, valid_from=date(2018, 5, 1), valid_to=date(2026, 8, 31),
    )  # fmt: skip
    row = RegisterRow(record=record, geometry=Point(117.2, 34.26), imported_on=date(2026, 8, 1))
    places = [RegisteredPlace(venue_id="shop", name="路口烟店", address="", rows=(row,))]
    days = days_to_evaluate(rules, places, since=date(2026, 8, 1), until=date(2026, 10, 1))
    assert days == (date(2026, 9, 1), date(2026, 10, 1))
    before, after = (run(day, rules, venue) for day in (date(2026, 8, 31), days[0]))
    assert (before[0].verdict, before[0].reason) == (Verdict.GRANDFATHERED, Reason.LICENCE_RUNS)
    (change,) = changes_between(before, after)
    assert change.after is not None
    assert (change.cause, change.after.verdict) == (Cause.PAPERS, Verdict.BREACH)


def test_a_venue_in_another_division_than_was_known_is_a_change_and_stays_one_when_it_is_gone() -> None:
    day = date(2026, 3, 1)
    before, after = run(day, law(RULE)), run(day, law(RULE), replace(SHOP, division="320303"))
    (moved,) = changes_between(before, after)
    assert (moved.cause, moved.division) == (Cause.DIVISION, "320303")
    (gone,) = changes_between(after, [])
    assert (gone.cause, gone.division) == (Cause.GONE, "320303")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("320312", "320303", ["320312"]), ("320312", "440106", ["320312"]), ("320312", "320300", ["320312"]),
        ("320300", "320312", []), ("000000", "320312", []), ("320000", "320312", []), ("320312", "320312", []),
    ],
)  # fmt: skip
def test_officers_who_do_not_see_where_a_venue_is_now_are_told_that_it_is_elsewhere(
    before: str, after: str, told: list[str]
) -> None:
    first, then = date(2026, 3, 1), date(2026, 4, 1)
    history = [*entries_for([], run(first, law(RULE), replace(SHOP, division=before)), on=first, recorded_at=JULY)]
    nearer = shop(0.0, 44.0, division=after)
    found = entries_for(history, run(then, law(RULE), nearer), on=then, recorded_at=JULY + timedelta(hours=1))
    *moved, entry = found
    assert (entry.cause, entry.division) == (Cause.DISTANCE, after)
    assert [(one.cause, one.division, one.recorded, one.holds_from) for one in moved] == [
        (Cause.MOVED, division, None, then) for division in told
    ]  # fmt: skip
    assert verdicts_on([*history, *found], then) == {KEY: entry.recorded}
    assert verdicts_on([*history, *found], first) == {KEY: history[0].recorded}


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        entries_for([], [], on=date(2026, 1, 1), recorded_at=datetime(2026, 1, 1))  # noqa: DTZ001


verdicts = st.builds(
    lambda venue, verdict, rule, metres, division: RecordedVerdict(
        key=PairKey(venue_id=venue, site_id="s", campus_id="1"),
        division=division,
        verdict=verdict,
        reason=Reason.DISTANCE,
        rule_id=rule,
        rule_version=rule,
        straight_m=metres,
        walking_m=None,
        walk_status=0,
        is_disputed=False,
    ),
    st.sampled_from("abc"),
    st.sampled_from(Verdict),
    st.sampled_from(["r1", "r2"]),
    st.sampled_from([None, 10.0, 20.0]),
    st.sampled_from(["320312", "320303"]),
)
states = st.lists(verdicts, max_size=3, unique_by=lambda one: one.key)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), states), max_size=6))
def test_no_run_changes_what_was_known_before_it_and_each_is_found_again(
    runs: list[tuple[int, list[RecordedVerdict]]],
) -> None:
    history: list[HistoryEntry] = []
    first, began = date(2026, 1, 1), datetime(2026, 6, 1, tzinfo=UTC)
    days = [first + timedelta(days=number) for number in range(7)]
    for number, (offset, state) in enumerate(runs):
        known_at = began + timedelta(hours=number)
        before = [verdicts_on(history, day) for day in days]
        history += entries_for(history, state, on=days[offset], recorded_at=known_at + timedelta(minutes=1))
        assert [verdicts_on(history, day, known_at=known_at) for day in days] == before
        assert verdicts_on(history, days[offset]) == {one.key: one for one in state}
        assert [verdicts_on(history, day) for day in days[:offset]] == before[:offset]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), states), max_size=6))
def test_officers_of_a_division_see_what_holds_there_and_nothing_else_however_venues_change_it(
    runs: list[tuple[int, list[RecordedVerdict]]],
) -> None:
    """Days are evaluated in their order, as ``api.distance`` sees to."""
    history: list[HistoryEntry] = []
    for number, (offset, state) in enumerate(sorted(runs, key=lambda one: one[0])):
        day = date(2026, 1, 1) + timedelta(days=offset)
        history += entries_for(history, state, on=day, recorded_at=JULY + timedelta(hours=number))
        for code in ("320312", "320303"):
            seen = [entry for entry in history if entry.division == code]
            assert verdicts_on(seen, day) == {one.key: one for one in state if one.division == code}
