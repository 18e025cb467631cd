"""Registered gates at the schools that their rows name; one that is far from it is told and not counted."""

from typing import Any

import pytest
from shapely.geometry import Point

from geo.datum import Datum
from tests.geo.walk_reference import Place, at
from tests.venues.distance_scene import gate
from tests.venues.test_school_site import ground, node, record
from venues.place import Site, SourceKey
from venues.school_site import join_sites
from venues.site_gates import NAMED_GATE_REACH_M, RegisteredGate, sites_with_gates, uncounted_gates

DRAWN = record("育才小学", ground(0, 0), of="way/1")
KNOWN_AS_A_POINT = record("实验小学", node(0, 2000), of="node/2")


def named(gate_id: str, place: Place, of: Site | str | None, **given: Any) -> RegisteredGate:
    key = SourceKey(source="osm", source_id=of) if isinstance(of, str) else None if of is None else of.key
    return RegisteredGate(
        key=SourceKey(source="survey", source_id=gate_id), gate=gate(*place, gate_id=gate_id), site_key=key,
        raw=Point(at(*place)), datum=Datum.WGS84, **given,
    )  # fmt: skip


def placed(*gates: RegisteredGate) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The gates of each school by name, and those that do not count."""
    sites = sites_with_gates(join_sites([DRAWN, KNOWN_AS_A_POINT]), gates)
    held = {site.name: [one.gate_id for campus in site.campuses for one in campus.gates] for site in sites}
    return held, uncounted_gates(sites, gates)


@pytest.mark.parametrize(("away_m", "counts"), [(40.0, True), (499.0, True), (501.0, False), (9000.0, False)])
@pytest.mark.parametrize(("site", "start"), [(DRAWN, (50.0, 0.0)), (KNOWN_AS_A_POINT, (0.0, 2000.0))])
def test_a_gate_far_from_the_school_that_it_names_is_told_and_not_counted(
    site: Site, start: Place, away_m: float, counts: bool
) -> None:
    """South of its wall, or of its point where nobody drew any."""
    held, uncounted = placed(named("G", (start[0], start[1] - away_m), site))
    assert held[site.name] == (["G"] if counts else [])
    assert uncounted == (() if counts else ("G",))
    assert counts == (away_m <= NAMED_GATE_REACH_M)


def test_a_gate_of_a_school_that_nobody_registered_is_told_and_one_that_names_none_is_not() -> None:
    _, uncounted = placed(named("A", (50.0, 0.0), "way/9"), named("B", (700.0, 700.0), None))
    assert uncounted == ("A",)


def test_a_gate_that_does_not_count_says_nothing_of_all_the_gates() -> None:
    gates = [named("NEAR", (50.0, 0.0), DRAWN), named("FAR", (50.0, -900.0), DRAWN, says_all=True)]
    (site,) = sites_with_gates(join_sites([DRAWN]), gates)
    assert [(one.gate_id, site.campuses[0].has_all_gates) for one in site.campuses[0].gates] == [("NEAR", False)]
