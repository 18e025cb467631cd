"""A measurement made again from its archive has the same hash, and another one if anything about it was moved."""

import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon

from geo.walk_network import without_edges
from tests.geo.walk_reference import at
from tests.golden_files import assert_golden
from tests.venues.distance_scene import (
    BY_GATES,
    ON,
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
from venues.canonical_json import canonical_text, content_hash, parsed
from venues.category import VenueCategory
from venues.distance import evaluate_distances
from venues.distance_ends import DistancePolicy, PlacedVenue, ProtectedSite
from venues.distance_method import METHOD
from venues.distance_rule import DistanceRule
from venues.distance_verdict import Reason, Verdict
from venues.distance_words import measurement_lines
from venues.measurement import (
    Measurement,
    MeasurementError,
    MeasurementInput,
    measure,
    measured_again,
    measurement_input,
)

STREET = divided_street()
SITE = school(gate(0.0, 0.0, kind=STUDENTS), wall=YARD, data_on=date(2026, 9, 1))
SHOP = shop(0.0, 43.0, data_on=date(2026, 10, 1), licences=(licence(date(2024, 5, 1)),))
LOCAL = replace(ON_FOOT, jurisdiction="320300")


def made(
    venue: PlacedVenue = SHOP,
    site: ProtectedSite = SITE,
    *rules: DistanceRule,
    on: date = ON,
    policy: DistancePolicy = POLICY,
    network_on: date = date(2026, 8, 1),
) -> Measurement:
    run = evaluate_distances([venue], [site], law(*(rules or (RULE, LOCAL))), on=on, network=STREET, policy=policy)
    (found,) = run.findings()
    return measure(measurement_input(run, found, network_on=network_on), STREET)


def test_what_has_ended_is_part_of_the_archive_and_of_none_where_nothing_has() -> None:
    """Archives from before anybody asked have no such field: they keep their text, and so their hash."""
    ended = made(replace(SHOP, ended_categories=SHOP.categories), SITE, RULE)
    assert (ended.finding.verdict, ended.finding.reason) == (Verdict.SURVEY, Reason.ENDED)
    again = measured_again(ended.text, STREET)
    assert (again.text, again.hash) == (ended.text, ended.hash)
    assert "登记或许可已终止" in dict(measurement_lines(again))["结论 Verdict"]
    assert "ended_categories" not in made().text
    data = json.loads(ended.text)
    data["given"]["venue"]["ended_category"] = []
    with pytest.raises(MeasurementError, match="ended_category"):
        measured_again(json.dumps(data), STREET)


def moved_door(venue: PlacedVenue, north_m: float) -> PlacedVenue:
    longitude, latitude = at(0.0, 43.0 + north_m)
    return replace(venue, doors=(replace(venue.doors[0], longitude=longitude, latitude=latitude),))


def test_measured_again_from_the_archive_the_hash_is_the_same() -> None:
    first = made()
    again = measured_again(first.text, STREET)
    assert again.hash == first.hash == hashlib.sha256(first.text.encode()).hexdigest()
    assert again.text == first.text
    assert (first.finding.verdict, first.finding.beaten[0].verdict) == (Verdict.CLEAR, Verdict.BREACH)
    assert round(first.finding.walking_m) == 110
    assert first.way[0] == pytest.approx(at(0.0, 0.0), abs=1e-8)
    assert first.way[-1] == pytest.approx(at(0.0, 43.0), abs=1e-8)


def test_the_way_on_foot_is_evidence_also_where_the_rule_asks_for_a_straight_line() -> None:
    found = made(SHOP, SITE, RULE)
    assert (found.finding.straight_gate, round(found.finding.straight_m), round(found.finding.walking_m)) == (
        None,
        43,
        110,
    )
    assert found.finding.walk_gate == SITE.campuses[0].gates[0]
    assert found.way == made().way


@pytest.mark.golden
def test_the_archived_text_is_as_recorded() -> None:
    """Another text for the same input means that old archives can no longer be checked: change ``METHOD`` then."""
    found = made()
    whole = json.dumps(json.loads(found.text), ensure_ascii=False, indent=1, sort_keys=True)
    assert_golden("measurement.json", f"{whole}\n{found.hash}\n")


@pytest.mark.golden
def test_the_report_says_what_was_measured() -> None:
    unmapped = made(SHOP, school(wall=YARD, data_on=date(2026, 9, 1)), LOCAL)
    pages = ["".join(f"{head}：{text}\n" for head, text in measurement_lines(one)) for one in (made(), unmapped)]
    assert_golden("measurement_lines.txt", "\n".join(pages))


ARCHIVED: dict[str, Any] = json.loads((Path(__file__).parent / "measured_by_method_2.json").read_text("utf-8"))
"""What the program that measured by the former method archived, with ``distance_scene``'s street."""


@pytest.mark.parametrize(
    ("name", "measurement_hash"),
    [
        ("walked_from_another_gate", "b0a8a4d65ced08734d8ecf6ce654d478f6835045abcaf1f7adaf743f2dad7747"),
        ("an_interval_upside_down", "992369f8e1c21101041c18b0cff254d9983edabc20dd5e5e44174e9c782358b5"),
        ("to_the_edge_of_a_venue", "20f1823f044711ffcd45237e07b3d7a10f5750cdc76224176affcdd7f3c8f116"),
        ("no_gate_for_students", "b12f736e27b54511d0c3b6a6e180d073d13d110f2f8528f590f092cb8be524f3"),
    ],
)
def test_what_was_archived_by_the_former_method_is_measured_again_by_it(name: str, measurement_hash: str) -> None:
    again = measured_again(json.dumps(ARCHIVED[name]), STREET)
    assert again.hash == measurement_hash == hashlib.sha256(again.text.encode()).hexdigest()
    assert dict(measurement_lines(again))["方法 Method"].startswith("hulan-distance-2")
    anew = measure(replace(again.given, method=METHOD), STREET)
    assert (anew.finding.low_m <= anew.finding.high_m, anew.hash != again.hash) == (True, True)


def test_a_door_moved_by_a_metre_changes_the_hash() -> None:
    assert made(moved_door(SHOP, 1.0)).hash != made().hash
    assert made(moved_door(SHOP, 0.0)).hash == made().hash


@pytest.mark.parametrize(
    "change",
    [
        {"venue": replace(SHOP, data_on=date(2026, 10, 2))},
        {"venue": replace(SHOP, licences=(licence(date(2024, 5, 2)),))},
        {"venue": replace(SHOP, doors=(replace(SHOP.doors[0], error_m=1.5),))},
        {"site": replace(SITE, data_on=None)},
        {"venue": replace(SHOP, is_dated_by_import=True)},
        {"site": school(gate(0.0, 0.0, kind=STUDENTS), gate(0.0, -80.0, is_closed=True), wall=YARD)},
        {"on": date(2026, 11, 21)},
        {"policy": replace(POLICY, version="another")},
        {"network_on": date(2026, 8, 2)},
    ],
)
def test_whatever_else_it_rests_on_changes_the_hash_too(change: dict[str, Any]) -> None:
    assert made(**change).hash != made().hash


def test_another_wording_of_the_rule_changes_the_hash() -> None:
    assert made(SHOP, SITE, RULE, replace(LOCAL, text_zh="步行 100 米")).hash != made().hash
    assert made(SHOP, SITE, LOCAL).hash != made().hash


def test_a_result_altered_in_the_archive_is_found() -> None:
    first = made()
    data = json.loads(first.text)
    data["result"]["walking_m"] -= 20_000
    forged = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert measured_again(forged, STREET).hash != hashlib.sha256(forged.encode()).hexdigest()


def test_another_network_is_refused() -> None:
    text = made().text
    for network in (None, without_edges(STREET, STREET.nodes[:1, 0].astype("int64"))):
        with pytest.raises(MeasurementError, match=STREET.network_version):
            measured_again(text, network)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"given": 3}', '{"given": {"method": "x"}}', made().text.replace('"on":"2026', '"on":"20-26'),
     made().text.replace('"is_main":true', '"is_main":1'), made().text.replace('"version"', '"versions"')],
)  # fmt: skip
def test_what_is_no_archive_is_refused(text: str) -> None:
    with pytest.raises(MeasurementError, match="no measurement"):
        measured_again(text, STREET)


def test_a_measurement_by_another_method_or_of_nobody_near_is_refused() -> None:
    given = made().given
    with pytest.raises(MeasurementError, match="measured by hulan-distance-0"):
        measure(replace(given, method="hulan-distance-0"), STREET)
    with pytest.raises(MeasurementError, match="too far apart"):
        measure(replace(given, venue=moved_door(SHOP, 5000.0)), STREET)
    with pytest.raises(MeasurementError, match="binds the two"):
        measure(replace(given, on=date(2019, 1, 1)), STREET)


@settings(deadline=None)
@given(
    st.tuples(st.floats(-170.0, 170.0), st.floats(-80.0, 80.0)),
    st.lists(st.floats(0.0, 500.0), max_size=3),
    st.booleans(),
)
def test_what_is_read_back_gives_the_same_text(place: tuple[float, float], errors_m: list[float], in_two: bool) -> None:
    x, y = place
    square = Polygon([(x, y), (x + 1e-3, y), (x + 1e-3, y + 1e-3)], [[(x + 5e-4, y + 1e-4), (x + 6e-4, y + 1e-4),
                                                                    (x + 6e-4, y + 2e-4)]])  # fmt: skip
    shape = MultiPolygon([square, Polygon([(x + 1, y), (x + 2, y), (x + 2, y + 1)])]) if in_two else square
    gates = tuple(gate(float(number), 0.0, error_m=error_m) for number, error_m in enumerate(errors_m))
    site = school(*gates)
    site = replace(site, campuses=(replace(site.campuses[0], longitude=x, latitude=y, boundary=shape),))
    for rules in ((RULE,), (RULE, replace(BY_GATES, metric=None, effective_to=date(2030, 1, 1)))):
        value = MeasurementInput(method="m", on=ON, venue=replace(SHOP, footprint=square), site=site, rules=rules,
                                 policy=POLICY, network_version=None, network_on=None)  # fmt: skip
        text = canonical_text(value)
        back = parsed(MeasurementInput, json.loads(text))
        assert canonical_text(back) == text
        assert parsed(MeasurementInput, json.loads(canonical_text(back))) == back
        assert content_hash(back) == content_hash(value)


def test_a_number_without_a_unit_has_no_text() -> None:
    with pytest.raises(TypeError, match="weight"):
        canonical_text({"weight": 0.1})
    with pytest.raises(TypeError, match="list"):
        canonical_text({"these": [1]})


def test_a_venue_of_two_kinds_is_measured_by_the_rules_of_both() -> None:
    """A KTV 43 m from the wall that sells tobacco too, which it may by 110 m on foot."""
    as_ktv = replace(RULE, rule_id="ktv", venue_categories=frozenset({VenueCategory.KTV}), document="娱乐场所规则")
    both = made(replace(SHOP, categories=frozenset({VenueCategory.KTV, VenueCategory.TOBACCO})), SITE, as_ktv, LOCAL)
    assert (both.finding.verdict, both.finding.others[0].verdict) == (Verdict.BREACH, Verdict.CLEAR)
    assert {rule.rule_id for rule in both.given.rules} == {"ktv", "on-foot"}
    assert measured_again(both.text, STREET).hash == both.hash
    said = dict(measurement_lines(both))
    assert said["结论 Verdict"].startswith("作为KTV，明显违反")
    assert said["其他类别 Other kind"].startswith("作为烟草零售，不违反")
