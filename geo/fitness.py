"""Whether a zone can be enforced with phones at all: false entries a day, and visits that are missed.

Two rules are assessed. The *point rule* of common engines says "inside" when the reported point lies in the zone. The
*evidence rule* takes the mean of the fixes of the dwell, whose error it knows, and says "inside" when that mean proves
presence by at least a threshold probability: the best that an honest rule can do with a dwell of that length. A false
entry is a change of the rule from outside to inside while the person stands still outside; the arithmetic is in
``geo.entry_rate``.

What the model leaves out: outliers and lasting bias (multipath, Wi-Fi access points that moved), which make false
entries more frequent than this in a street canyon; errors that are not circular; movement; gaps in the fixes; and
windows that hold the way to the zone. Exit hysteresis merges several entries into one episode, so the count of alerts
is lower than that of entries. So ENFORCEABLE is a necessary condition and no promise. The zone is taken as one that may
not be entered; for one that may not be left the errors are the same seen from the other side of a long edge.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from geo.entry_rate import EntryCurve, EvidencePicture, MeanError, Outline, point_entries
from geo.probability import MINIMUM_ACCURACY_M, SIGMA_PER_ACCURACY, ShapeProbability
from geo.projection import FloatArray
from geo.shapes import Shape, check_shape

CORRELATION_S = 60.0
"""Within a minute of standing still the satellites and walls seen hardly change, so the error hardly changes; the
presence filter assumes the same (``tracking.policy.PresencePolicy.correlation_s``). Longer is worse for every rule."""

_DAY_S = 86_400.0
_BISECTIONS = 8
_MOST_FIXES = 2_000  # in one dwell


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRule:
    """When the mean of the last fixes counts as presence. Defaults are those of the presence filter."""

    threshold: float = 0.5
    dwell_s: float = 240.0
    minimum_fix_count: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FitnessTargets:
    """What is good enough, and what is beyond repair; between the two a zone is DOUBTFUL.

    Good enough: design.md section 8. Beyond repair: 9.7 alarms per person and month is what agencies had that could no
    longer read them (AP 2013, reference/peers.md section 3), and a rule that misses every second visit protects nobody.
    """

    false_entries_per_day: float = 0.1
    miss_rate: float = 0.06
    hopeless_false_entries_per_day: float = 0.32
    hopeless_miss_rate: float = 0.5


class FitnessVerdict(StrEnum):
    """Whether a zone can be enforced with phones."""

    ENFORCEABLE = "enforceable"
    DOUBTFUL = "doubtful"
    NOT_ENFORCEABLE = "not_enforceable"


class FitnessReason(StrEnum):
    """What stands against a zone."""

    TOO_SMALL = "too_small"
    """Even at the best place the fixes of one dwell do not prove presence: only a check-in can tell."""
    TOO_FEW_FIXES = "too_few_fixes"
    """A visit ends before the rule has seen a full dwell of fixes."""
    VISITS_MISSED = "visits_missed"
    NEIGHBOUR_TOO_NEAR = "neighbour_too_near"
    """Who stays just outside is taken for a visitor too often: move the edge away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneFitness:
    """The answer for one zone, with its numbers."""

    verdict: FitnessVerdict
    reasons: tuple[FitnessReason, ...]
    """Empty when ENFORCEABLE, else the most fundamental first."""
    false_entries_per_day: float
    """Of the evidence rule, for a person at the worst place at least ``separation_m`` outside the edge all day."""
    false_entries_per_day_naive: float
    """Of the point rule, for the same person."""
    miss_rate: float
    """Share of visits, to a place anywhere in the zone with equal chance, that the evidence rule never finds."""
    best_probability: float
    """The most that the fixes of one dwell could prove of the zone."""
    least_separation_m: float
    """From this separation on false entries meet the target. Of no use where visits are missed."""
    sufficient_accuracy_m: float | None
    """The worst 68 % radius with which this zone would be enforceable; None when no accuracy is enough."""


def assess_fitness(
    shape: Shape,
    *,
    accuracy_m: ArrayLike,
    accuracy_weight: ArrayLike | None = None,
    separation_m: float,
    fixes_per_hour: float,
    correlation_s: float = CORRELATION_S,
    visit_s: float = 600.0,
    rule: EvidenceRule | None = None,
    targets: FitnessTargets | None = None,
) -> ZoneFitness:
    """How well ``shape`` could be enforced here.

    ``accuracy_m``: 68 % radius in metres, one or ``[k]`` with ``accuracy_weight`` (equal if None): how accurate fixes
    are in this area; each day and each visit is taken to have one of them, since accuracy changes with place and phone
    and seldom within minutes. Below ``MINIMUM_ACCURACY_M`` it counts as that. ``separation_m``: how far outside the
    edge innocent people stay all day, such as at home, at the nearest. ``fixes_per_hour``: of every hour of the day.
    ``correlation_s``: time in which the error's correlation falls to 1/e. ``visit_s``: a genuine visit.
    Raises ShapeError as ``geo.shapes.check_shape`` does, and ValueError that names the argument.
    """
    rule, targets = rule or EvidenceRule(), targets or FitnessTargets()
    check_shape(shape)
    accuracy, weight = _checked_mix(accuracy_m, accuracy_weight)
    _check_numbers(separation_m, fixes_per_hour, correlation_s, visit_s)
    _check_rule(rule, 3600.0 / fixes_per_hour)
    case = _Case(
        shape=shape,
        probability=ShapeProbability.build([shape]),
        interval_s=3600.0 / fixes_per_hour,
        correlation_s=correlation_s,
        visit_s=visit_s,
        rule=rule,
    )
    mix = _Mix(parts=tuple(case.at(item) for item in accuracy.tolist()), weight=weight)
    day = case.fixes_per_day
    naive = sum(
        share * case.point_entries(item).at(separation_m)
        for item, share in zip(accuracy.tolist(), weight.tolist(), strict=True)
    )
    reasons = _reasons(case, targets, mix, separation_m)
    return ZoneFitness(
        verdict=_verdict(case, targets, mix, separation_m, reasons),
        reasons=reasons,
        false_entries_per_day=day * mix.entries_per_fix(separation_m),
        false_entries_per_day_naive=day * naive,
        miss_rate=mix.miss_rate,
        best_probability=mix.best_probability,
        least_separation_m=_least_separation_m(mix, targets.false_entries_per_day / day),
        sufficient_accuracy_m=_sufficient_accuracy_m(case, targets, separation_m, float(np.max(accuracy))),
    )


def fixes_of_dwell(rule: EvidenceRule, interval_s: float) -> int:
    """How many fixes, ``interval_s`` apart, it takes to span the dwell, and no fewer than the least."""
    return max(rule.minimum_fix_count, math.ceil(rule.dwell_s / interval_s - 1e-9) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one accuracy gives."""

    entries: EntryCurve
    miss_rate: float
    best_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mix:
    """What a distribution of accuracies gives."""

    parts: tuple[_Part, ...]
    weight: FloatArray  # sums to 1

    def entries_per_fix(self, separation_m: float) -> float:
        return self._mean([part.entries.at(separation_m) for part in self.parts])

    @property
    def miss_rate(self) -> float:
        return self._mean([part.miss_rate for part in self.parts])

    @property
    def best_probability(self) -> float:
        return self._mean([part.best_probability for part in self.parts])

    def _mean(self, values: list[float]) -> float:
        return float(self.weight @ np.array(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All but accuracy and separation."""

    shape: Shape
    probability: ShapeProbability
    interval_s: float
    correlation_s: float
    visit_s: float
    rule: EvidenceRule

    @property
    def fixes_per_day(self) -> float:
        return _DAY_S / self.interval_s

    @property
    def window_count(self) -> float:
        """Full windows of fixes in a visit, the mean over all phases of the clock."""
        return self.visit_s / self.interval_s - fixes_of_dwell(self.rule, self.interval_s) + 1.0

    def at(self, accuracy_m: float) -> _Part:
        error = self._error(accuracy_m, fixes_of_dwell(self.rule, self.interval_s))
        outline = Outline.of(self.shape, sigma_m=error.sigma_m)
        picture = EvidencePicture.of(outline, error=error, threshold=self.rule.threshold)
        effective_m = error.sigma_m / SIGMA_PER_ACCURACY
        best = self.probability.best_probability(zone_row=np.zeros(1, dtype=np.int64), accuracy_m=effective_m)
        return _Part(
            entries=picture.entries(), miss_rate=picture.missed(self.window_count), best_probability=float(best[0])
        )

    def point_entries(self, accuracy_m: float) -> EntryCurve:
        error = self._error(accuracy_m, 1)
        return point_entries(Outline.of(self.shape, sigma_m=error.sigma_m), error)

    def _error(self, accuracy_m: float, fix_count: int) -> MeanError:
        sigma_m = accuracy_m * SIGMA_PER_ACCURACY
        return MeanError.of(
            fix_count=fix_count, sigma_m=sigma_m, interval_s=self.interval_s, correlation_s=self.correlation_s
        )


def _reasons(case: _Case, targets: FitnessTargets, mix: _Mix, separation_m: float) -> tuple[FitnessReason, ...]:
    found = []
    if mix.best_probability < case.rule.threshold:
        found.append(FitnessReason.TOO_SMALL)
    if case.window_count < 1.0:
        found.append(FitnessReason.TOO_FEW_FIXES)
    if mix.miss_rate > targets.miss_rate and not found:
        found.append(FitnessReason.VISITS_MISSED)
    if case.fixes_per_day * mix.entries_per_fix(separation_m) > targets.false_entries_per_day:
        found.append(FitnessReason.NEIGHBOUR_TOO_NEAR)
    return tuple(found)


def _verdict(
    case: _Case, targets: FitnessTargets, mix: _Mix, separation_m: float, reasons: tuple[FitnessReason, ...]
) -> FitnessVerdict:
    is_hopeless = (
        FitnessReason.TOO_SMALL in reasons
        or mix.miss_rate > targets.hopeless_miss_rate
        or case.fixes_per_day * mix.entries_per_fix(separation_m) > targets.hopeless_false_entries_per_day
    )
    if is_hopeless:
        return FitnessVerdict.NOT_ENFORCEABLE
    return FitnessVerdict.DOUBTFUL if reasons else FitnessVerdict.ENFORCEABLE


def _least_separation_m(mix: _Mix, entries_per_fix: float) -> float:
    """The least separation, to the centimetre, with no more entries than this."""
    low, high = 0.0, max(float(part.entries.distance_m[-1]) for part in mix.parts) + 0.01
    if mix.entries_per_fix(low) <= entries_per_fix:
        return 0.0
    while high - low > 0.01:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if mix.entries_per_fix(middle) <= entries_per_fix else (middle, high)
    return high


def _sufficient_accuracy_m(case: _Case, targets: FitnessTargets, separation_m: float, worst_m: float) -> float | None:
    """The worst accuracy, up to ``worst_m``, that is seen to be enough, within a tenth of a per cent of the range."""

    def is_enough(accuracy_m: float) -> bool:
        return not _reasons(case, targets, _Mix(parts=(case.at(accuracy_m),), weight=np.ones(1)), separation_m)

    low, high = MINIMUM_ACCURACY_M, worst_m
    if is_enough(high):
        return high
    if not is_enough(low):
        return None
    for _ in range(_BISECTIONS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if is_enough(middle) else (low, middle)
    return low


def _checked_mix(accuracy_m: ArrayLike, accuracy_weight: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    accuracy = np.atleast_1d(np.asarray(accuracy_m, dtype=np.float64))
    if accuracy.ndim != 1 or accuracy.size == 0:
        raise ValueError(f"accuracy_m has shape {accuracy.shape}: give one number or a list of at least one")
    for value in accuracy[~(np.isfinite(accuracy) & (accuracy > 0.0))][:1].tolist():
        raise ValueError(f"accuracy_m holds {value}: give 68 % radii in metres, finite and above 0")
    weight = (
        np.ones_like(accuracy) if accuracy_weight is None else np.atleast_1d(np.asarray(accuracy_weight, np.float64))
    )
    if weight.shape != accuracy.shape:
        raise ValueError(f"accuracy_weight has shape {weight.shape}: give one weight for each of {accuracy.size} radii")
    for value in weight[~(np.isfinite(weight) & (weight >= 0.0))][:1].tolist():
        raise ValueError(f"accuracy_weight holds {value}: give finite weights of 0 or more")
    if weight.sum() == 0.0:
        raise ValueError("accuracy_weight adds up to 0: give at least one radius a weight above 0")
    return np.maximum(accuracy, MINIMUM_ACCURACY_M), weight / weight.sum()


def _check_numbers(separation_m: float, fixes_per_hour: float, correlation_s: float, visit_s: float) -> None:
    if not 0.0 <= separation_m < math.inf:
        raise ValueError(f"separation_m is {separation_m}: give metres outside the edge, finite and 0 or more")
    if not 0.0 < fixes_per_hour <= 3600.0:
        raise ValueError(f"fixes_per_hour is {fixes_per_hour}: give a rate above 0 and at most 3600")
    if not 0.0 < correlation_s < math.inf:
        raise ValueError(f"correlation_s is {correlation_s}: give seconds, finite and above 0")
    if not 0.0 < visit_s < math.inf:
        raise ValueError(f"visit_s is {visit_s}: give seconds, finite and above 0")


def _check_rule(rule: EvidenceRule, interval_s: float) -> None:
    if not 0.0 < rule.threshold < 1.0:
        raise ValueError(f"rule.threshold is {rule.threshold}: give a probability above 0 and below 1")
    if not 0.0 <= rule.dwell_s < math.inf:
        raise ValueError(f"rule.dwell_s is {rule.dwell_s}: give seconds, finite and 0 or more")
    if rule.minimum_fix_count < 1:
        raise ValueError(f"rule.minimum_fix_count is {rule.minimum_fix_count}: give 1 or more")
    if fixes_of_dwell(rule, interval_s) > _MOST_FIXES:
        raise ValueError(f"rule.dwell_s is {rule.dwell_s}: more than {_MOST_FIXES} fixes at this rate; shorten it")
