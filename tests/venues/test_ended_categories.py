"""A business that is over, a licence that ran out, a former operator: sent to be looked at, never told as a breach."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point

from tests.geo.walk_reference import at
from tests.venues.distance_scene import ON, RULE, YARD, findings, gate, school
from venues.category import VenueCategory
from venues.distance import DistanceFinding
from venues.distance_rule import AppliesTo, Grandfather
from venues.distance_verdict import Reason, Verdict
from venues.lead_pattern import distance_leads, mis_registered_leads
from venues.place import SourceKey
from venues.register_facts import (
    RegisteredPlace,
    RegisterRow,
    SeenOnSite,
    ended_categories,
    placed_venue,
    standing_of,
)
from venues.source_record import SourceKind, SourceRecord

BAR, TOBACCO, CAFE = VenueCategory.BAR, VenueCategory.TOBACCO, VenueCategory.INTERNET_CAFE
REGISTRATION, LICENCE, POI, POLICE = (
    SourceKind.BUSINESS_REGISTRATION, SourceKind.TOBACCO_LICENCE, SourceKind.POI, SourceKind.POLICE,
)  # fmt: skip
OLD, NEW = "91320300MA1XK7QY0G", "91320300MA1XK7QY1A"
HERE = Point(*at(0.0, 43.0))
LAST = date(2016, 12, 31)


def row(kind: SourceKind, category: VenueCategory | None = TOBACCO, **said: Any) -> RegisterRow:
    if said.get("ended_on") is not None:
        said = {"valid_to": said["ended_on"]} | said
    record = SourceRecord(
        key=SourceKey(source=str(kind), source_id="1"), kind=kind, sent=(), name="合成店", category=category, **said
    )
    return RegisterRow(record=record, geometry=HERE, imported_on=date(2026, 10, 1))


def place(*rows: RegisterRow, seen: SeenOnSite | None = None) -> RegisteredPlace:
    visits = () if seen is None else (seen,)
    return RegisteredPlace(venue_id="v", name="合成店", address="合成路 7 号", rows=rows, visits=visits)


RAN_OUT = row(LICENCE, valid_from=date(2012, 1, 1), valid_to=LAST)
OVER = row(REGISTRATION, valid_from=date(2010, 1, 1), ended_on=LAST, uscc=OLD)
RESTAURANT = row(
    REGISTRATION, None, category_text="小吃服务", is_other_trade=True, valid_from=date(2010, 1, 1), uscc=OLD
)
FORMER = row(REGISTRATION, valid_from=date(2010, 1, 1), uscc=OLD)
FORMER_LICENCE = row(LICENCE, valid_from=date(2025, 1, 1), valid_to=date(2030, 1, 1), uscc=OLD)
PRESENT = row(REGISTRATION, None, category_text="小吃服务", is_other_trade=True, valid_from=date(2024, 6, 1), uscc=NEW)


def judged(found: RegisteredPlace, *, on: date = ON, **rule: Any) -> list[DistanceFinding]:
    venue = placed_venue(found, division="320312", on=on)
    assert venue is not None
    bound: dict[str, Any] = {"venue_categories": frozenset({BAR, TOBACCO, CAFE}), "threshold_m": 150.0} | rule
    return findings(venue, school(gate(0.0, 0.0), wall=YARD), replace(RULE, **bound), on=on)


def said(found: RegisteredPlace, *, on: date = ON, **rule: Any) -> tuple[Verdict, Reason]:
    (finding,) = judged(found, on=on, **rule)
    return finding.verdict, finding.reason


ASK = (Verdict.SURVEY, Reason.ENDED)
CLEAR_BREACH = (Verdict.BREACH, Reason.DISTANCE)


@pytest.mark.parametrize("kind", [AppliesTo.ALL, AppliesTo.NEW])
@pytest.mark.parametrize(
    "rows",
    [
        (RAN_OUT,),
        (OVER,),
        (RAN_OUT, OVER),
        (RAN_OUT, RESTAURANT),
        (row(REGISTRATION, valid_to=LAST),),
        (OVER, row(LICENCE, valid_from=date(2012, 1, 1), valid_to=date(2030, 1, 1), uscc=OLD)),
        (row(POLICE, ended_on=LAST),),
        (FORMER, PRESENT),
        (FORMER_LICENCE, FORMER, PRESENT),
        (row(LICENCE, valid_from=date(2018, 1, 1), valid_to=date(2030, 1, 1)), PRESENT),
    ],
)
def test_only_what_has_ended_is_asked_about_and_never_a_breach(rows: tuple[RegisterRow, ...], kind: AppliesTo) -> None:
    rule: dict[str, Any] = {"applies_to": kind}
    if kind is AppliesTo.NEW:
        rule |= {"grandfather": Grandfather.UNTIL_EXPIRY, "effective_from": date(2011, 1, 1)}
    verdict, reason = said(place(*rows), **rule)
    assert verdict is Verdict.SURVEY
    assert reason is Reason.ENDED or kind is AppliesTo.NEW
    (lead,) = distance_leads(judged(place(*rows)))
    assert not lead.is_sure
    assert "登记或许可已终止" in lead.facts[0]


@pytest.mark.parametrize(
    "other",
    [row(POI), row(POLICE), row(POLICE, valid_to=LAST), row(REGISTRATION, uscc=NEW, valid_from=date(2020, 1, 1)),
     row(LICENCE, valid_from=date(2020, 1, 1), valid_to=ON)],
)  # fmt: skip
def test_another_record_that_holds_makes_it_a_verdict_as_ever(other: RegisterRow) -> None:
    assert said(place(RAN_OUT, OVER)) == ASK
    assert said(place(RAN_OUT, OVER, other)) == CLEAR_BREACH


@pytest.mark.parametrize(
    ("category", "on", "verdict"),
    [
        (TOBACCO, LAST + timedelta(days=1), CLEAR_BREACH),
        (TOBACCO, LAST - timedelta(days=1), ASK),
        (None, LAST, CLEAR_BREACH),
        (None, LAST - timedelta(days=1), ASK),
    ],
)
def test_a_visit_since_the_end_that_saw_it_trading_makes_it_a_verdict_as_ever(
    category: VenueCategory | None, on: date, verdict: tuple[Verdict, Reason]
) -> None:
    seen = SeenOnSite(category=category, on=on)
    assert said(place(RAN_OUT, seen=seen)) == verdict
    assert said(place(OVER, seen=seen)) == verdict


def test_a_visit_that_saw_something_else_bears_out_that_and_nothing_else() -> None:
    seen = place(RAN_OUT, row(POI), seen=SeenOnSite(category=BAR, on=date(2026, 1, 1)))
    assert ended_categories(seen, on=ON) == {TOBACCO}
    (found,) = judged(seen)
    assert {(frozenset(part.categories), part.verdict) for part in found.parts} == {
        (frozenset({BAR}), Verdict.BREACH), (frozenset({TOBACCO}), Verdict.SURVEY),
    }  # fmt: skip


def test_a_visit_that_found_what_is_registered_says_nothing_of_a_former_operator() -> None:
    nothing_else = SeenOnSite(category=None, on=date(2026, 1, 1))
    assert said(place(FORMER, PRESENT, seen=nothing_else)) == ASK
    assert said(place(FORMER, PRESENT, seen=SeenOnSite(category=TOBACCO, on=date(2026, 1, 1)))) == CLEAR_BREACH
    assert said(place(FORMER, PRESENT, seen=SeenOnSite(category=TOBACCO, on=date(2020, 1, 1)))) == ASK


def test_the_last_day_is_a_day_as_ever_and_who_came_later_was_not_there_yet() -> None:
    assert said(place(RAN_OUT), on=LAST, effective_from=date(2011, 1, 1)) == CLEAR_BREACH
    assert said(place(FORMER, PRESENT), on=date(2024, 5, 31)) == CLEAR_BREACH
    assert said(place(FORMER, PRESENT), on=date(2024, 6, 1)) == ASK


def test_where_nobody_can_tell_who_came_last_nobody_is_a_former_operator() -> None:
    undated = row(REGISTRATION, None, uscc=NEW)
    assert said(place(FORMER, undated)) == CLEAR_BREACH
    over = row(REGISTRATION, None, uscc=NEW, valid_from=date(2018, 1, 1), ended_on=date(2020, 1, 1))
    assert said(place(FORMER, over)) == CLEAR_BREACH, "who came last is gone, who was there before is not"


# ---- licences and registrations


def test_a_former_operators_licence_does_not_hide_that_the_present_one_has_none() -> None:
    seen = SeenOnSite(category=TOBACCO, on=date(2026, 1, 1))
    took_over = place(FORMER, FORMER_LICENCE, PRESENT, seen=seen)
    assert standing_of(took_over, on=ON).licensed_for == frozenset()
    assert standing_of(took_over, on=date(2024, 5, 1)).licensed_for == frozenset(), "not granted yet"
    own = row(LICENCE, valid_from=date(2024, 7, 1), valid_to=date(2029, 1, 1), uscc=NEW)
    for licence in (own, replace(own, record=replace(own.record, uscc="")), row(LICENCE)):
        assert standing_of(replace(took_over, rows=(*took_over.rows, licence)), on=ON).licensed_for == {TOBACCO}
    assert standing_of(place(FORMER, FORMER_LICENCE, seen=seen), on=ON).licensed_for == {TOBACCO}


def test_what_a_former_operator_was_registered_as_does_not_cover_the_present_one() -> None:
    bar = row(REGISTRATION, BAR, category_text="酒吧服务", valid_from=date(2010, 1, 1), uscc=OLD)
    (lead,) = mis_registered_leads([standing_of(place(bar, PRESENT, row(POI, BAR)), on=ON)])
    assert "登记为小吃服务，实为酒吧" in lead.facts[0]
    assert not mis_registered_leads([standing_of(place(bar, row(POI, BAR)), on=ON)])


def test_what_the_police_struck_off_is_seen_no_longer() -> None:
    struck_off = place(row(POLICE, CAFE, ended_on=LAST))
    assert standing_of(struck_off, on=ON).observed_as == frozenset()
    assert standing_of(struck_off, on=LAST).observed_as == {CAFE}


# ---- whatever is on record

DAYS = st.dates(date(2008, 1, 1), date(2030, 1, 1))
ROWS = st.builds(
    lambda kind, category, first, last, over, code: row(
        kind, category, valid_from=first, valid_to=min((day for day in (last, over) if day), default=None),
        ended_on=over, uscc=code,
    ),
    st.sampled_from([REGISTRATION, LICENCE, POI, POLICE]), st.sampled_from([None, BAR, TOBACCO]), st.none() | DAYS,
    st.none() | DAYS, st.none() | DAYS, st.sampled_from(["", OLD, NEW]),
)  # fmt: skip
VISITS = st.none() | st.builds(lambda category, on: SeenOnSite(category=category, on=on),
                               st.sampled_from([None, BAR, TOBACCO, CAFE]), DAYS)  # fmt: skip


@given(st.lists(ROWS, min_size=1, max_size=5), VISITS, DAYS)
def test_what_is_ended_is_one_of_the_categories_and_never_what_holds(
    rows: list[RegisterRow], seen: SeenOnSite | None, on: date
) -> None:
    whole = place(*rows, seen=seen)
    ended = ended_categories(whole, on=on)
    assert ended <= whole.categories
    if all(one.record.valid_to is None for one in rows) and len({one.record.uscc for one in rows} - {""}) == 0:
        assert ended == frozenset(), "nothing has ended, and nobody took over"
    if not seen and all(one.record.is_over(on) for one in rows):
        assert ended == whole.categories


@given(st.lists(ROWS, min_size=1, max_size=4), DAYS)
def test_what_a_map_has_is_never_ended(rows: list[RegisterRow], on: date) -> None:
    assert TOBACCO not in ended_categories(place(*rows, row(POI)), on=on)
