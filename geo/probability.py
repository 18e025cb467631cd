"""What a fix proves: the probability that a person is inside a zone, given the point that the device reported.

The accuracy radius of a phone is its 68 % radius: with a circular normal error of standard deviation sigma per axis,
68 % of true places lie within ``accuracy_m``. The zone is taken as the disc with its area. The squared distance from
the true place to the centre, over sigma squared, is then noncentral chi-square with 2 degrees of freedom, and the
chance that it is below (radius/sigma) squared is exact for circles. A person in a 20 m bar with a 65 m fix at
its very centre gets 0.10, where a half-plane rule would say 0.68.

For discs wider than ``_HALF_PLANE_FROM`` sigma the edge is as good as straight and the normal distribution of the
signed distance takes over; at the switch the two differ by at most 0.01, at the edge itself.
Limit: a long thin zone (a corridor) is narrower than its disc, so its figure is too high when sigma is near its width.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chndtr, ndtr

FloatArray = NDArray[np.float64]

MINIMUM_ACCURACY_M = 3.0
"""Smaller claims are not believed and are read as this. 0 is no claim at all but "not known", and is refused."""

SIGMA_PER_ACCURACY = 1.0 / math.sqrt(-2.0 * math.log(1.0 - 0.68))
"""Standard deviation per axis over the 68 % radius of a circular normal error: 0.6624."""

_HALF_PLANE_FROM = 20.0  # radius over sigma
_IMPOSSIBLE_FROM = 9.0  # this many sigma outside the edge the probability is below 1e-18: it is 0


def inside_probability(
    *, signed_distance_m: ArrayLike, accuracy_m: ArrayLike, equivalent_radius_m: ArrayLike
) -> FloatArray:
    """Probability, 0 to 1, that the true place is inside the zone.

    Arrays of shape [k] (or scalars, broadcast): ``signed_distance_m`` metres from the reported point to the zone's
    edge, negative inside, as ``geo.index`` gives it; ``accuracy_m`` the 68 % radius; ``equivalent_radius_m``
    sqrt(area / pi), as ``geo.shapes.equivalent_radius_m`` gives it.
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
    sigma = _sigma_m(accuracy, radius)
    outside, size = signed / sigma, radius / sigma
    probability = np.asarray(ndtr(-outside), dtype=np.float64)
    probability = np.where(outside > _IMPOSSIBLE_FROM, 0.0, probability)
    small = (size <= _HALF_PLANE_FROM) & (outside <= _IMPOSSIBLE_FROM)
    from_centre = np.maximum(0.0, size[small] + outside[small])
    probability[small] = chndtr(size[small] ** 2, 2.0, from_centre**2)
    return np.clip(probability, 0.0, _disc_at_centre(size))


def centre_probability(*, accuracy_m: ArrayLike, equivalent_radius_m: ArrayLike) -> FloatArray:
    """The best that a fix of this accuracy could ever say of this zone: its probability at the very centre.

    Where this is low the zone is undecidable for the device, and only a check-in can tell.
    Arguments and errors as in ``inside_probability``. Never rises as the accuracy gets worse.
    """
    accuracy, radius = np.broadcast_arrays(
        np.asarray(accuracy_m, dtype=np.float64), np.asarray(equivalent_radius_m, dtype=np.float64)
    )
    return _disc_at_centre(radius / _sigma_m(accuracy, radius))


def _disc_at_centre(size: FloatArray) -> FloatArray:
    return np.asarray(-np.expm1(-0.5 * size**2), dtype=np.float64)


def _sigma_m(accuracy: FloatArray, radius: FloatArray) -> FloatArray:
    hint = "finite and above 0; put the stated default of the source where the accuracy is not known"
    _refuse(~(np.isfinite(accuracy) & (accuracy > 0.0)), "accuracy_m", accuracy, hint)
    _refuse(
        ~(np.isfinite(radius) & (radius > 0.0)), "equivalent_radius_m", radius, "finite and above 0: sqrt(area / pi)"
    )
    return np.maximum(accuracy, MINIMUM_ACCURACY_M) * SIGMA_PER_ACCURACY


def _refuse(wrong: NDArray[np.bool_], name: str, values: FloatArray, rule: str) -> None:
    for row in np.flatnonzero(wrong)[:1]:
        raise ValueError(f"{name} of pair {row} is {values.flat[row]}: it must be {rule}")
