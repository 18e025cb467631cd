"""Which areas are green, yellow or red: the decayed scores of their venues per km² of true H3 cell area.

H3 cells are not of one size: a cell of resolution 9 is 0.075 km² in Beijing and 0.119 km² in Urumqi
(reference/venues-maps.md 1.6), so counts are always divided by the cell's own area. A cell with few incidents shows no
value and no colour: with one or two incidents a map tells which child it was.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.cells import cell_area_m2, cell_of
from venues.risk import RiskLevel, RiskPolicy, VenueRisk


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaRisk:
    """One H3 cell that holds at least one venue."""

    cell: int
    resolution: int
    area_km2: float
    venue_count: int
    level: RiskLevel
    """``UNKNOWN`` exactly when ``suppressed``."""
    suppressed: bool
    """Fewer incidents than ``minimum_count``; none at all looks the same as one."""
    minimum_count: int
    incident_count: int | None
    """``None`` when suppressed."""
    score_per_km2: float | None
    """Decayed score per km²; ``None`` when suppressed."""
    rule_version: str


def assess_areas(
    risks: Sequence[VenueRisk], *, policy: RiskPolicy, resolution: int = 9, minimum_count: int = 3
) -> tuple[AreaRisk, ...]:
    """The H3 cells in which ``risks`` lie, by cell id, at the as-of time for which ``risks`` were assessed.

    A cell is red from ``policy.area_red_per_km2``, yellow from ``policy.area_yellow_per_km2``, else green; it has no
    level below ``minimum_count`` incidents (all incidents up to the as-of time count, whatever their age).

    Raises:
        ValueError: ``risks`` come from another rule version than ``policy``, or ``minimum_count`` is below 1.
    """
    if minimum_count < 1:
        raise ValueError(f"minimum_count is {minimum_count}: give at least 1")
    if others := {risk.rule_version for risk in risks} - {policy.version}:
        raise ValueError(
            f"venues were assessed by {sorted(others)}, the policy is {policy.version!r}: assess them again"
        )
    if not risks:
        return ()
    cells = cell_of(
        longitude=np.array([risk.venue.longitude for risk in risks]),
        latitude=np.array([risk.venue.latitude for risk in risks]),
        resolution=resolution,
    )
    distinct, position = np.unique(cells, return_inverse=True)
    members: list[list[VenueRisk]] = [[] for _ in distinct]
    for risk, index in zip(risks, position.tolist(), strict=True):
        members[index].append(risk)
    areas_km2 = (cell_area_m2(distinct) / 1e6).tolist()
    return tuple(
        _area(cell, held, area_km2=area_km2, policy=policy, resolution=resolution, minimum_count=minimum_count)
        for cell, held, area_km2 in zip(distinct.tolist(), members, areas_km2, strict=True)
    )


def _area(
    cell: int,
    risks: Sequence[VenueRisk],
    *,
    area_km2: float,
    policy: RiskPolicy,
    resolution: int,
    minimum_count: int,
) -> AreaRisk:
    """One cell from the venues in it; the figures are dropped here when they are too few to show."""
    count = sum(len(risk.incidents) for risk in risks)
    suppressed = count < minimum_count
    density = math.fsum(risk.score for risk in risks) / area_km2
    return AreaRisk(
        cell=cell,
        resolution=resolution,
        area_km2=area_km2,
        venue_count=len(risks),
        level=RiskLevel.UNKNOWN if suppressed else _level_of(density, policy),
        suppressed=suppressed,
        minimum_count=minimum_count,
        incident_count=None if suppressed else count,
        score_per_km2=None if suppressed else density,
        rule_version=policy.version,
    )


def _level_of(score_per_km2: float, policy: RiskPolicy) -> RiskLevel:
    """The colour of a density."""
    if score_per_km2 >= policy.area_red_per_km2:
        return RiskLevel.RED
    return RiskLevel.YELLOW if score_per_km2 >= policy.area_yellow_per_km2 else RiskLevel.GREEN
