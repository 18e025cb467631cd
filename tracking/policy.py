"""The numbers of the presence filter, in one documented and versioned object."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracking.quality import QualityPolicy

ENGINE_VERSION = "2026.11-3"
"""Stored with every decision (design.md, invariant 9). Changed whenever the same fixes could give another answer."""

SMALL, LARGE, AREA = 0, 1, 2
"""Kinds of zone: rows of ``PresencePolicy.thresholds``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionPolicy:
    """How people move and how phones err. Measured on synthetic tracks only: see ADR 0011."""

    stay_s: float = 3600.0
    """Mean time that a person stays at a place before going on."""
    way_s: float = 600.0
    """Mean time on the way between two stays."""
    still_drift_m2ps: float = 0.005
    """Growth of the variance of a place where somebody stays, per axis: people walk about in a house."""
    moving_mps: float = 4.0
    """Standard deviation per axis of the speed of those who move: on foot and in traffic together."""
    fast_share: float = 0.05
    """Share of the ways that are faster than three times that."""
    error_correlation_s: float = 180.0
    """The slow part of the error falls to 1/e in this time."""
    fresh_share: float = 0.10
    """Share of the variance of a fix that is fresh with each fix."""
    fixed_share: float = 0.20
    """Share of the variance that never changes while the surroundings are the same, however many fixes there are."""
    outlier_share: float = 0.01
    """So many fixes are not where they say, beyond any accuracy."""
    outlier_reach_m: float = 120.0
    """They lie somewhere within this distance."""
    support_sigma: float = 3.0
    """A fix farther than this from the filtered position, in its own standard deviations, is an outlier."""
    level_share: float = 0.2
    """How much of a change of the reported accuracy is believed at once, in the logarithm."""
    level_jump: float = 0.6
    """A change of the logarithm beyond this is one of surroundings, and believed in full."""
    give_up: float = 0.1
    """A place is given up when the probability of still being there falls below this."""

    def __post_init__(self) -> None:
        if not 0.0 < self.fresh_share + self.fixed_share < 1.0:
            raise ValueError(
                f"fresh_share {self.fresh_share} and fixed_share {self.fixed_share}: both together must lie between 0 "
                "and 1, and leave a share for the error that changes slowly"
            )

    def parameters(self) -> NDArray[np.float64]:
        """The numbers in the order that ``tracking.position`` reads."""
        slow_share = 1.0 - self.fresh_share - self.fixed_share
        return np.array(
            [
                self.stay_s,
                self.way_s,
                self.still_drift_m2ps,
                self.moving_mps,
                self.error_correlation_s,
                slow_share,
                self.fresh_share,
                self.fixed_share,
                self.outlier_share,
                self.support_sigma,
                self.outlier_reach_m,
                self.level_share,
                self.level_jump,
                self.give_up,
                self.fast_share,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePolicy:
    """When evidence at a zone of one kind becomes POSSIBLE, PROBABLE, or ends."""

    possible_share: float = 0.20
    """A filtered P(breach) of this share of the most that so wide a position could give opens an episode."""
    probable_probability: float = 0.50
    """P(breach) must reach this, on average over the dwell and at the fix that decides, before anyone is told."""
    exit_share: float = 0.10
    """A filtered P(breach) below this share of the most speaks for having left."""
    exit_fix_count: int = 2
    """So many such fixes in a row end the episode."""
    dwell_s: float = 240.0
    """The breach must be seen over at least this time; walking past stays POSSIBLE."""
    minimum_fix_count: int = 3
    mean_s: float = 90.0
    """The mean of P(breach) forgets in this time."""
    telling_probability: float = 0.10
    """A fix that could give no more than this at the very middle of the zone says nothing of it, neither way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaPolicy:
    """How "city or county" (刑诉法 71(1)(1)) is read where an order names a district (reference/domain.md 4.14)."""

    is_city_one_area: bool = True
    """Districts (市辖区) of one city are one area: moving between them is not leaving. Counties and county-level cities
    stand by themselves. An order that means the district alone says so (parameter ``is_city_one_area`` of its item)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresencePolicy:
    """Everything that decides, by kind of zone. Defaults follow reference/domain.md 4.1 and ADR 0011."""

    version: str = "presence-2"
    small: ZonePolicy = field(default_factory=lambda: ZonePolicy(possible_share=0.06, exit_share=0.04))
    """Exclusion zones up to ``small_radius_m``: a venue, a shop, a floor of a mall."""
    large: ZonePolicy = field(default_factory=ZonePolicy)
    """Wider exclusion zones: a school with its surroundings, a quarter."""
    area: ZonePolicy = field(default_factory=ZonePolicy)
    """Inclusion zones: being outside is the breach."""
    small_radius_m: float = 40.0
    """Radius of the disc of equal area up to which an exclusion zone is small."""
    motion: MotionPolicy = field(default_factory=MotionPolicy)
    quality: QualityPolicy = field(default_factory=QualityPolicy)
    silence_s: float = 1800.0
    """After this long without a fix that decides presence is UNKNOWN: open episodes end, and nothing is inferred."""
    live_within_s: float = 1800.0
    """A fix received within this time of being taken tells of the present: someone can still act on it."""
    reach_limit_m: float = 2000.0
    """Zones farther than this from a fix are never weighed, however bad its accuracy."""
    crossing_s: float = 300.0
    """Two fixes farther apart in time than this say nothing of the way between them."""
    crossing_probability: float = 0.90
    """Both fixes must be this sure to be where the filter says, or the way between them is not believed."""

    def thresholds(self) -> NDArray[np.float64]:
        """The numbers of the three kinds of zone, one row each, in the order that ``tracking.presence`` reads."""
        return np.array(
            [
                [
                    kind.possible_share,
                    kind.probable_probability,
                    kind.exit_share,
                    kind.exit_fix_count,
                    kind.dwell_s * 1e6,
                    kind.minimum_fix_count,
                    kind.mean_s * 1e6,
                    kind.telling_probability,
                ]
                for kind in (self.small, self.large, self.area)
            ]
        )
