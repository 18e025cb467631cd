"""What a phone makes of a true position: correlated error, honest accuracy, outliers. The one error model of Hulan.

Every number is an assumption, not a field measurement. The 68 % radii follow reference/peers.md 3 and 3.1 (4.9 m open
sky, Wi-Fi 20-50 m, urban 23 m, indoor 45 m) and reference/domain.md 3.1 (cell 200-500 m). The correlation time was set
once, so that rules that only look at points come near the table of peers.md 3.1; nothing is tuned to any policy. False
entries per person-day, standing so far outside a circle, one fix a minute, here (400 person-days) / there:

    R, gap, error       point      3 in a row   5 in a row    overlap
    50, 10, urban     126 / 108    33 / 38      14 / 18      150 / 142
    50, 30, urban      20 / 16     2.5 / 2.2    0.5 / 0.5    167 / 169
    25, 30, urban      16 / 13     1.7 / 1.6    0.3 / 0.3    164 / 167
    25, 30, indoor     66 / 70     7.0 / 6.8    1.0 / 0.8    197 / 216
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo.probability import SIGMA_PER_ACCURACY
from geo.projection import FloatArray, compiled
from tracking.fix import FixSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorModel:
    """How wrong the fixes of one surrounding are. Lengths are metres, times seconds, shares of 1."""

    name: str
    source: FixSource
    radius_m: float
    """Median over stays of the true 68 % radius."""
    radius_spread: float = 0.15
    """Standard deviation of ln(radius) from stay to stay."""
    correlation_s: tuple[float, float] = (120.0, 300.0)
    """The error is a Gauss-Markov process; its correlation time is drawn per stay, evenly in the logarithm, from here.
    Receivers smooth over seconds to minutes, and reflections change as satellites move, over minutes."""
    accuracy_scatter: float = 0.20
    """Standard deviation of ln(reported accuracy / true 68 % radius) from fix to fix: honest on average only."""
    outlier_share: float = 0.005
    """Of fixes that are somewhere else altogether."""
    outlier_m: tuple[float, float] = (60.0, 400.0)
    """Least and greatest length of the jump."""
    outlier_tail: float | None = 1.0
    """Exponent of the power law of the jump's length, cut at the greatest; ``None``: every length is as likely."""
    outlier_run: float = 1.0
    """Mean number of fixes in a row that share one jump, as near a Wi-Fi station that was moved."""
    outlier_admits: float = 0.0
    """The reported accuracy of an outlier is at least this share of its jump; 0: it claims what the others claim."""
    bias_share: float = 0.0
    """Share of the error's variance that stays the same for a whole stay: reflections that do not average out."""


OPEN = ErrorModel(name="open", source=FixSource.GPS, radius_m=6.5, outlier_m=(25.0, 150.0))
URBAN = ErrorModel(name="urban", source=FixSource.GPS, radius_m=23.0)
INDOOR = ErrorModel(name="indoor", source=FixSource.WIFI, radius_m=45.0, outlier_m=(120.0, 800.0))
CELL = ErrorModel(
    name="cell", source=FixSource.CELL, radius_m=320.0, radius_spread=0.3, outlier_m=(1_000.0, 5_000.0)
)  # fmt: skip
ENVIRONMENTS: dict[str, ErrorModel] = {model.name: model for model in (OPEN, URBAN, INDOOR, CELL)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """What the phone adds per fix: ``error_m`` ``[n, 2]`` east and north; ``reported_m``, ``is_outlier`` ``[n]``."""

    error_m: FloatArray
    reported_m: FloatArray
    is_outlier: NDArray[np.bool_]


def draw_noise(
    *,
    at_s: FloatArray,
    is_first: NDArray[np.bool_],
    stay: NDArray[np.int64],
    models: Sequence[ErrorModel],
    model_no: NDArray[np.int64],
    rng: np.random.Generator,
) -> Noise:
    """Errors of ``n`` fixes, sorted by person and time.

    ``at_s``: seconds, float64 ``[n]``. ``is_first``: the first fix of each person ``[n]``. ``stay``: number of the stay
    or way ``[n]``, never falling. ``model_no``: which of ``models`` holds at each fix ``[n]``. Radius, correlation time
    and bias are drawn per stay; the error itself goes on from one stay to the next of the same person.
    """
    numbers, level = np.unique(stay, return_inverse=True)
    spread, bias = rng.standard_normal(len(numbers)), rng.standard_normal((len(numbers), 2))
    even = rng.random(len(numbers))
    radius_m = _of_model(models, model_no, "radius_m") * np.exp(
        _of_model(models, model_no, "radius_spread") * spread[level]
    )
    low_s, high_s = _ends(models, model_no, "correlation_s")
    correlation_s = low_s * (high_s / low_s) ** even[level]
    lasting = np.sqrt(_of_model(models, model_no, "bias_share"))[:, None]
    moving = np.sqrt(1.0 - lasting**2)
    error = moving * correlated(at_s=at_s, is_first=is_first, correlation_s=correlation_s, rng=rng)
    return report(error=error + lasting * bias[level], radius_m=radius_m, models=models, model_no=model_no, rng=rng)


def correlated(
    *, at_s: FloatArray, is_first: NDArray[np.bool_], correlation_s: ArrayLike, rng: np.random.Generator
) -> FloatArray:
    """Unit normal errors ``[n, 2]`` whose correlation is exp(-time between fixes / ``correlation_s``): Gauss-Markov."""
    error = rng.standard_normal((len(at_s), 2))
    per_fix_s = np.broadcast_to(np.asarray(correlation_s, dtype=np.float64), at_s.shape)
    keep = np.exp(-np.abs(np.diff(at_s, prepend=at_s[:1])) / per_fix_s)  # falls from one person to the next
    keep[is_first] = 0.0
    _carry_on(error, keep, np.sqrt(1.0 - keep**2))
    return error


@compiled
def _carry_on(error: FloatArray, keep: FloatArray, renew: FloatArray) -> None:
    for row in range(1, len(error)):
        for axis in range(2):
            error[row, axis] = keep[row] * error[row - 1, axis] + renew[row] * error[row, axis]


def report(
    *,
    error: FloatArray,
    radius_m: FloatArray,
    models: Sequence[ErrorModel],
    model_no: NDArray[np.int64],
    rng: np.random.Generator,
) -> Noise:
    """Unit errors ``[n, 2]`` scaled to a true 68 % radius ``[n]``, with the accuracy the phone claims, and outliers."""
    count = len(radius_m)
    reported_m = radius_m * np.exp(rng.normal(0.0, _of_model(models, model_no, "accuracy_scatter"), count))
    run = _of_model(models, model_no, "outlier_run")
    jumps = rng.random(count) < _of_model(models, model_no, "outlier_share") / run
    bearing = rng.uniform(0.0, 2 * np.pi, count)
    reach_m = _jump_lengths(rng.random(count), models, model_no)
    jump_m = reach_m[:, None] * np.column_stack([np.sin(bearing), np.cos(bearing)])
    if any(model.outlier_run > 1.0 for model in models):
        lasts = rng.geometric(1.0 / run, count)
        begun = np.maximum.accumulate(np.where(jumps, np.arange(count), -1))
        jumps = (begun >= 0) & (np.arange(count) - begun < lasts[begun])
        jump_m, reach_m = jump_m[begun], reach_m[begun]
    admitted_m = reach_m * _of_model(models, model_no, "outlier_admits")
    return Noise(
        error_m=error * (radius_m * SIGMA_PER_ACCURACY)[:, None] + np.where(jumps[:, None], jump_m, 0.0),
        reported_m=np.where(jumps, np.maximum(reported_m, admitted_m), reported_m),
        is_outlier=jumps,
    )


def _jump_lengths(draws: FloatArray, models: Sequence[ErrorModel], model_no: NDArray[np.int64]) -> FloatArray:
    """Metres ``[n]`` of draws from 0 to 1: a power law between two ends, or even."""
    reach_m = np.empty(len(draws))
    for number, model in enumerate(models):
        rows = model_no == number
        low_m, high_m = model.outlier_m
        if model.outlier_tail is None:
            reach_m[rows] = low_m + (high_m - low_m) * draws[rows]
        else:
            kept = 1.0 - draws[rows] * (1.0 - (low_m / high_m) ** model.outlier_tail)
            reach_m[rows] = low_m * kept ** (-1.0 / model.outlier_tail)
    return reach_m


def _of_model(models: Sequence[ErrorModel], model_no: NDArray[np.int64], name: str) -> FloatArray:
    return np.array([getattr(model, name) for model in models], dtype=np.float64)[model_no]


def _ends(models: Sequence[ErrorModel], model_no: NDArray[np.int64], name: str) -> tuple[FloatArray, FloatArray]:
    pairs = np.array([getattr(model, name) for model in models], dtype=np.float64)
    return pairs[model_no, 0], pairs[model_no, 1]
