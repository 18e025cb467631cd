"""What a fix proves: the probability that a person is inside a zone, given the point that the device reported.

The accuracy radius of a phone is its 68 % radius: with a circular normal error of standard deviation sigma per axis,
68 % of true places lie within ``accuracy_m``. A person in a 20 m bar with a 65 m fix at its very centre gets 0.10,
where a half-plane rule would say 0.68; in a 5 m passage of 500 m the same fix gets 0.05, where the disc with the
passage's area would say 0.19. So the shape counts, and ``ShapeProbability`` integrates the error over it: discs by the
noncentral chi-square distribution, polygons and corridors edge by edge (``geo.local_shape``), both to 1e-3.

For a disc the squared distance from the true place to the centre, over sigma squared, is noncentral chi-square with 2
degrees of freedom. Discs wider than ``_NEARLY_STRAIGHT_FROM`` sigma take the normal distribution of the signed distance
and its first correction for a bent edge; at the switch the two differ by less than 0.001.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chndtr, ndtr

from geo.local_shape import Rings
from geo.projection import FloatArray, IntArray
from geo.shape_middle import best_curves, best_on_curves, flat_polygon
from geo.shapes import Circle, Shape

MINIMUM_ACCURACY_M = 3.0
"""Smaller claims are not believed and are read as this. 0 is no claim at all but "not known", and is refused."""

SIGMA_PER_ACCURACY = 1.0 / math.sqrt(-2.0 * math.log(1.0 - 0.68))
"""Standard deviation per axis over the 68 % radius of a circular normal error: 0.6624."""

_NEARLY_STRAIGHT_FROM = 12.0  # radius over sigma
_IMPOSSIBLE_FROM = 9.0  # this many sigma outside the edge the probability is below 1e-18: it is 0
_SHARE = 20_000  # pairs, the least that are worth a thread


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeProbability:
    """``m`` zones compiled for P(inside). Row ``i`` is the i-th shape given to ``build``. Immutable; any thread."""

    radius_m: FloatArray  # [m] of a circle; NaN for other shapes
    equivalent_radius_m: FloatArray  # [m] sqrt(area / pi)
    rings: Rings
    best_curve: FloatArray  # [m, 2, LEVELS] by geo.shape_middle; NaN for circles

    @classmethod
    def build(cls, shapes: Sequence[Shape], *, thread_count: int = 1) -> Self:
        """Compile shapes that passed ``geo.shapes.check_shape``; a corridor is taken by its outline of short edges."""
        polygons = [flat_polygon(shape) for shape in shapes]
        radii = np.array(
            [shape.radius_m if isinstance(shape, Circle) else math.nan for shape in shapes], dtype=np.float64
        )
        rings = Rings.of(polygons)
        best_curve, areas_m2 = best_curves(rings, thread_count=thread_count)
        return cls(
            radius_m=radii,
            equivalent_radius_m=np.where(np.isfinite(radii), radii, np.sqrt(areas_m2 / np.pi)),
            rings=rings,
            best_curve=best_curve,
        )

    def __len__(self) -> int:
        return self.radius_m.size

    def inside(
        self,
        *,
        zone_row: IntArray,
        longitude: ArrayLike,
        latitude: ArrayLike,
        accuracy_m: ArrayLike,
        signed_distance_m: ArrayLike,
        thread_count: int = 1,
    ) -> FloatArray:
        """P(inside), 0 to 1, float64 ``[k]``, of each pair of a fix and a zone.

        ``zone_row`` int ``[k]``; fix ``longitude``, ``latitude`` degrees WGS-84; ``accuracy_m`` its 68 % radius;
        ``signed_distance_m`` metres to the zone's edge as ``geo.index`` gives it, negative inside: its sign must be
        right, and for polygons and corridors its size may be too small but never too large, so that a reach may stand
        for "at least so far outside". Within 0.001 of the exact integral; beyond five sigma from the edge it is 0 or 1.
        Raises ValueError as ``inside_probability`` does.
        """
        row = np.asarray(zone_row, dtype=np.int64)
        given = (longitude, latitude, accuracy_m, signed_distance_m)
        lon, lat, accuracy, signed = (
            np.ascontiguousarray(np.broadcast_to(np.asarray(item, dtype=np.float64), row.shape)) for item in given
        )
        _refuse(~np.isfinite(signed), "signed_distance_m", signed, "finite: match the fix with the zone first")
        _refuse(~np.isfinite(lon), "longitude", lon, "finite degrees")
        _refuse(~(np.abs(lat) <= 90.0), "latitude", lat, "within ±90 degrees")
        _refuse((row < 0) | (row >= len(self)), "zone_row", row.astype(np.float64), f"0 to {len(self) - 1}")
        sigma = _sigma_m(accuracy)
        shares = max(1, min(thread_count, row.size // _SHARE))
        ends = [row.size * share // shares for share in range(shares + 1)]
        columns = (row, lat, lon, sigma, signed)
        pieces = [tuple(c[start:stop] for c in columns) for start, stop in pairwise(ends)]
        if shares == 1:
            return self._inside(*columns)
        with ThreadPoolExecutor(shares) as pool:
            return np.concatenate(list(pool.map(lambda piece: self._inside(*piece), pieces)))

    def _inside(
        self, row: IntArray, lat: FloatArray, lon: FloatArray, sigma: FloatArray, signed: FloatArray
    ) -> FloatArray:
        radius = self.radius_m[row]
        probability = self.rings.inside(row, lon, lat, sigma, signed)
        is_disc = np.isfinite(radius)
        size = radius[is_disc] / sigma[is_disc]
        probability[is_disc] = _disc(size, signed[is_disc] / sigma[is_disc])
        ceiling = _disc_at_centre(self.equivalent_radius_m[row] / sigma)
        return np.minimum(probability, ceiling)

    def best_probability(self, *, zone_row: IntArray, accuracy_m: ArrayLike) -> FloatArray:
        """The most, float64 ``[k]``, that a fix of this accuracy could say of each zone.

        Exact for a circle; for other shapes searched at build, within 0.02. Never rises with ``accuracy_m``.
        Where this is low the zone is undecidable for the device, and only a check-in can tell. Errors as in ``inside``.
        """
        row = np.asarray(zone_row, dtype=np.int64)
        accuracy = np.broadcast_to(np.asarray(accuracy_m, dtype=np.float64), row.shape)
        sigma = _sigma_m(accuracy)
        best = _disc_at_centre(self.equivalent_radius_m[row] / sigma)
        other = np.flatnonzero(~np.isfinite(self.radius_m[row]))
        best[other] = np.minimum(best[other], best_on_curves(self.best_curve[row[other]], sigma[other]))
        return best


def inside_probability(
    *, signed_distance_m: ArrayLike, accuracy_m: ArrayLike, equivalent_radius_m: ArrayLike
) -> FloatArray:
    """Probability, 0 to 1, that the true place is inside the disc of this radius.

    Arrays of shape [k] (or scalars, broadcast): ``signed_distance_m`` metres from the reported point to the zone's
    edge, negative inside, as ``geo.index`` gives it; ``accuracy_m`` the 68 % radius; ``equivalent_radius_m``
    sqrt(area / pi), as ``geo.shapes.equivalent_radius_m`` gives it: exact for circles, too high for thin zones.
    Never above ``centre_probability`` of the same accuracy and zone, and never rising with the signed distance.
    An accuracy between 0 and ``MINIMUM_ACCURACY_M`` counts as that minimum. Raises ValueError for an accuracy or radius
    that is not finite and above 0 (many devices send 0.0 for "not known": the caller must put its stated default), and
    for a distance that is not finite.
    """
    signed, accuracy, radius = np.broadcast_arrays(
        np.asarray(signed_distance_m, dtype=np.float64),
        np.asarray(accuracy_m, dtype=np.float64),
        np.asarray(equivalent_radius_m, dtype=np.float64),
    )
    _refuse(~np.isfinite(signed), "signed_distance_m", signed, "finite: match the fix with the zone first")
    sigma = _sigma_m(accuracy)
    _refuse_radius(radius)
    return _disc(radius / sigma, signed / sigma)


def centre_probability(*, accuracy_m: ArrayLike, equivalent_radius_m: ArrayLike) -> FloatArray:
    """The best that a fix of this accuracy could ever say of any zone of this area: that of a disc at its centre.

    Arguments and errors as in ``inside_probability``. Never rises as the accuracy gets worse.
    """
    accuracy, radius = np.broadcast_arrays(
        np.asarray(accuracy_m, dtype=np.float64), np.asarray(equivalent_radius_m, dtype=np.float64)
    )
    sigma = _sigma_m(accuracy)
    _refuse_radius(radius)
    return _disc_at_centre(radius / sigma)


def _disc(size: FloatArray, outside: FloatArray) -> FloatArray:
    """P(inside) of discs of radius ``size`` from ``outside`` their edge, both in sigmas."""
    bend = np.exp(-0.5 * outside**2) / (math.sqrt(2.0 * math.pi) * 2.0 * size)
    probability = np.asarray(ndtr(-outside) - bend, dtype=np.float64)
    small = size <= _NEARLY_STRAIGHT_FROM
    from_centre = np.maximum(0.0, size[small] + outside[small])
    probability[small] = chndtr(size[small] ** 2, 2.0, from_centre**2)
    probability = np.where(outside > _IMPOSSIBLE_FROM, 0.0, probability)
    return np.clip(probability, 0.0, _disc_at_centre(size))


def _disc_at_centre(size: FloatArray) -> FloatArray:
    return np.asarray(-np.expm1(-0.5 * size**2), dtype=np.float64)


def _sigma_m(accuracy: FloatArray) -> FloatArray:
    hint = "finite and above 0; put the stated default of the source where the accuracy is not known"
    _refuse(~(np.isfinite(accuracy) & (accuracy > 0.0)), "accuracy_m", accuracy, hint)
    return np.maximum(accuracy, MINIMUM_ACCURACY_M) * SIGMA_PER_ACCURACY


def _refuse_radius(radius: FloatArray) -> None:
    wrong = ~(np.isfinite(radius) & (radius > 0.0))
    _refuse(wrong, "equivalent_radius_m", radius, "finite and above 0: sqrt(area / pi)")


def _refuse(wrong: NDArray[np.bool_], name: str, values: FloatArray, rule: str) -> None:
    for row in np.flatnonzero(wrong)[:1]:
        raise ValueError(f"{name} of pair {row} is {values.flat[row]}: it must be {rule}")
