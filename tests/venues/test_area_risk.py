"""Levels of areas: true cell areas, and no value where a value would point at one child."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.cells import cell_area_m2
from venues.area_risk import AreaRisk, assess_areas
from venues.category import VenueCategory
from venues.place import IncidentKind, SourceKey, VenueIncident
from venues.risk import RiskLevel, RiskPolicy, VenueExposure, VenueRisk, assess_venues

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = RiskPolicy()
XUZHOU, BEIJING, URUMQI = (117.19, 34.26), (116.397, 39.907), (87.617, 43.825)


def risks_at(*places: tuple[tuple[float, float], int]) -> tuple[VenueRisk, ...]:
    """One venue at each (longitude, latitude) with so many police calls ten days ago."""
    venues, incidents = [], []
    for number, ((longitude, latitude), calls) in enumerate(places):
        key = SourceKey(source="test", source_id=f"venue/{number}")
        venues.append(
            VenueExposure(
                key=key,
                name="网吧",
                category=VenueCategory.INTERNET_CAFE,
                longitude=longitude,
                latitude=latitude,
                observed_from=date(2024, 1, 1),
            )
        )
        incidents += [
            VenueIncident(
                key=SourceKey(source="test", source_id=f"incident/{number}/{call}"),
                venue_key=key,
                kind=IncidentKind.POLICE_CALL,
                occurred_at=AS_OF - timedelta(days=10),
            )
            for call in range(calls)
        ]
    return assess_venues(venues, incidents, as_of=AS_OF, policy=POLICY)


def areas_at(*places: tuple[tuple[float, float], int]) -> tuple[AreaRisk, ...]:
    return assess_areas(risks_at(*places), policy=POLICY)


def test_no_venues_give_no_areas() -> None:
    assert areas_at() == ()


def test_venues_of_one_cell_are_added_up() -> None:
    (area,) = areas_at((XUZHOU, 2), ((117.1901, 34.2601), 1))
    assert (area.venue_count, area.incident_count, area.suppressed) == (2, 3, False)
    assert area.level is RiskLevel.YELLOW


def test_density_divides_by_the_true_area_of_the_cell() -> None:
    areas = areas_at((BEIJING, 4), (URUMQI, 4))
    assert all(area.area_km2 * 1e6 == pytest.approx(cell_area_m2([area.cell])[0]) for area in areas)
    small, large = sorted(areas, key=lambda area: area.area_km2)
    assert large.area_km2 / small.area_km2 > 1.5
    assert small.score_per_km2 is not None
    assert large.score_per_km2 is not None
    assert small.score_per_km2 * small.area_km2 == pytest.approx(large.score_per_km2 * large.area_km2)


@pytest.mark.parametrize("calls", [1, 2])
def test_fewer_than_three_incidents_look_exactly_like_none(calls: int) -> None:
    (none,), (few,) = areas_at((XUZHOU, 0)), areas_at((XUZHOU, calls))
    assert few == none
    assert few.suppressed
    assert (few.incident_count, few.score_per_km2, few.level) == (None, None, RiskLevel.UNKNOWN)


def test_many_fresh_incidents_make_a_cell_red() -> None:
    (area,) = areas_at((XUZHOU, 5))
    assert area.level is RiskLevel.RED


def test_other_rule_version_is_refused() -> None:
    with pytest.raises(ValueError, match="assess them again"):
        assess_areas(risks_at((XUZHOU, 1)), policy=RiskPolicy(version="venue-risk/2"))


def test_minimum_count_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        assess_areas((), policy=POLICY, minimum_count=0)


places = st.lists(st.tuples(st.tuples(st.floats(117.1, 117.3), st.floats(34.2, 34.3)), st.integers(0, 6)), max_size=12)


@given(places=places)
def test_every_venue_is_in_exactly_one_cell_and_nothing_small_is_shown(
    places: list[tuple[tuple[float, float], int]],
) -> None:
    areas = areas_at(*places)
    assert sum(area.venue_count for area in areas) == len(places)
    assert len({area.cell for area in areas}) == len(areas)
    for area in areas:
        shown = (area.incident_count is not None, area.score_per_km2 is not None, area.level is not RiskLevel.UNKNOWN)
        assert shown == (not area.suppressed,) * 3
        assert area.incident_count is None or area.incident_count >= 3
