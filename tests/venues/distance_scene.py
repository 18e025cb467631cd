"""Schools, venues, rules and streets in metres about one place, for the tests of the law of distance."""

from dataclasses import replace
from datetime import date
from typing import Any

from shapely.geometry import Polygon

from geo.walk_network import WalkNetwork
from tests.geo.walk_reference import Place, at, network_of
from venues.category import SiteCategory, VenueCategory
from venues.distance import DistanceFinding, evaluate_distances
from venues.distance_ends import Campus, DistancePolicy, Door, Gate, GateKind, Licence, PlacedVenue, ProtectedSite
from venues.distance_law import DistanceLaw
from venues.distance_rule import (
    AppliesTo,
    DistanceRule,
    Metric,
    RuleStatus,
    SiteEnd,
    VenueEnd,
    Verification,
    by_precedence,
)

ON = date(2026, 11, 22)
POLICY = DistancePolicy()

RULE = DistanceRule(
    rule_id="straight-from-the-wall",
    jurisdiction="000000",
    venue_categories=frozenset({VenueCategory.TOBACCO}),
    site_categories=frozenset({SiteCategory.PRIMARY_SCHOOL, SiteCategory.KINDERGARTEN}),
    threshold_m=100.0,
    is_inclusive=True,
    site_end=SiteEnd.BOUNDARY,
    venue_end=VenueEnd.ANY_DOOR,
    metric=Metric.STRAIGHT,
    effective_from=date(2020, 1, 1),
    effective_to=None,
    applies_to=AppliesTo.ALL,
    grandfather=None,
    is_later_site_exempt=False,
    scope_zh="",
    status=RuleStatus.IN_FORCE,
    document="测试规则",
    text_zh="直线一百米",
    source="tests",
    verification=Verification.OFFICE,
)
ON_FOOT = replace(RULE, rule_id="on-foot", site_end=SiteEnd.ALL_GATES, metric=Metric.WALKING, text_zh="步行一百米")
BY_GATES = replace(RULE, rule_id="round-the-gates", site_end=SiteEnd.ALL_GATES)


def divided_street() -> WalkNetwork:
    """Two sides of a street 43 m apart, with a crossing 33.5 m to the east and one 150 m to the west."""
    places = {1: (-300.0, 0.0), 2: (-150.0, 0.0), 3: (33.5, 0.0), 4: (300.0, 0.0),
              5: (-300.0, 43.0), 6: (-150.0, 43.0), 7: (33.5, 43.0), 8: (300.0, 43.0)}  # fmt: skip
    return network_of([[1, 2, 3, 4], [5, 6, 7, 8], [2, 6], [3, 7]], places)


def gate(x: float, y: float, **given: Any) -> Gate:
    longitude, latitude = at(x, y)
    values: dict[str, Any] = {"gate_id": f"{x:g},{y:g}", "longitude": longitude, "latitude": latitude, "error_m": 1.0}
    return Gate(**values | given)


def school(*gates: Gate, wall: list[Place] | None = None, centre: Place = (0.0, -20.0), **given: Any) -> ProtectedSite:
    """A primary school of one campus south of the origin; without ``wall`` nobody drew its boundary.

    Somebody said that ``gates`` are all, unless ``has_all_gates`` says otherwise.
    """
    longitude, latitude = at(*centre)
    boundary = None if wall is None else Polygon([at(*corner) for corner in wall])
    campus = Campus(
        campus_id="main", longitude=longitude, latitude=latitude, boundary=boundary, gates=gates,
        has_all_gates=given.pop("has_all_gates", True), error_m=1.0,
    )  # fmt: skip
    values: dict[str, Any] = {"site_id": "school", "name": "育才小学", "category": SiteCategory.PRIMARY_SCHOOL}
    return ProtectedSite(**values | {"campuses": (campus,)} | given)


YARD: list[Place] = [(-50.0, -80.0), (50.0, -80.0), (50.0, 0.0), (-50.0, 0.0)]
"""A wall of 100 by 80 m, its north side on the south side of the street."""


def shop(x: float, y: float, *, doors: tuple[Place, ...] | None = None, **given: Any) -> PlacedVenue:
    """A tobacco shop with one door at its point unless others are named; ``doors=()`` for none known."""
    longitude, latitude = at(x, y)
    placed = [(x, y)] if doors is None else list(doors)
    found = tuple(
        Door(door_id=f"{dx:g},{dy:g}", longitude=at(dx, dy)[0], latitude=at(dx, dy)[1], error_m=1.0)
        for dx, dy in placed
    )
    values: dict[str, Any] = {
        "venue_id": "shop",
        "name": "路口烟店",
        "categories": frozenset({VenueCategory.TOBACCO}),
        "division": "320312",
        "longitude": longitude,
        "latitude": latitude,
        "doors": found,
    }
    return PlacedVenue(**values | given)


def licence(since: date, until: date | None = None, category: VenueCategory = VenueCategory.TOBACCO) -> Licence:
    return Licence(categories=frozenset({category}), valid_from=since, valid_to=until)


def law(*rules: DistanceRule) -> DistanceLaw:
    return DistanceLaw(rules=by_precedence(rules))


def findings(
    venue: PlacedVenue, site: ProtectedSite, *rules: DistanceRule, network: WalkNetwork | None = None, on: date = ON
) -> list[DistanceFinding]:
    run = evaluate_distances([venue], [site], law(*rules), on=on, network=network, policy=POLICY)
    return list(run.findings())


def only(
    venue: PlacedVenue, site: ProtectedSite, *rules: DistanceRule, network: WalkNetwork | None = None, on: date = ON
) -> DistanceFinding:
    (found,) = findings(venue, site, *rules, network=network, on=on)
    return found


STUDENTS = GateKind.STUDENT
