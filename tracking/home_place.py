"""How large the place must be where somebody has to stay, so that a phone can tell whether they are there. Pure."""

from dataclasses import dataclass

from geo.shapes import Shape, equivalent_radius_m
from tracking.order import ConditionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePlacePolicy:
    """Measured with ``tracking.simulate``, a fix a minute, asleep at home from 22:00 to 06:00.

    False departures decided per person-week by the radius of the place (m), 40 people, test seeds
    (``tests/tracking/test_home_place.py`` holds the bounds):

        error at 68 %                      50 m   50 m + 30 m tolerance   100 m   200 m
        indoor 45 m                        0.55                    0.05    0.00    0.00
        indoor 45 m, 30 % of it lasting    1.25                    0.15    0.05    0.00
        urban 20 m, either way             0.00                    0.00    0.00    0.00

    Who goes 1.2 km away on foot is told of after 6.6 minutes (95 %: 7.5) at 100 m, 6.9 (7.9) at 200 m.
    """

    least_reach_m: float = 100.0
    """Radius of the disc as large as the place, and the tolerance."""


def too_small(kind: ConditionKind, shape: Shape, tolerance_m: float, policy: HomePlacePolicy) -> float | None:
    """The reach in metres of a place that is too small for its duty; ``None`` if it is not."""
    if kind not in (ConditionKind.CURFEW, ConditionKind.STAY_AT_PLACE):
        return None
    reach_m = equivalent_radius_m(shape) + tolerance_m
    return reach_m if reach_m < policy.least_reach_m else None
