"""From positions to P(breach): every position weighed against every zone that a rule of its subject cares about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.probability import ShapeProbability
from tracking.fix import FixBatch
from tracking.policy import AREA, LARGE, SMALL, PresencePolicy
from tracking.rules import EXCLUSION, INCLUSION, RuleBook, ZoneBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """``k`` observations grouped by fix: those of fix ``i`` are rows ``start[i]:start[i+1]``.

    ``condition_no``, ``zone_no``: int64 ``[k]``, the keys that all versions share.
    ``probability``: P(breach), float64 ``[k]``.
    ``best_probability``: the most that a position of this accuracy could have given at this zone, float64 ``[k]``.
    ``radius_m``: of the disc as large as the zone, infinite where being outside is the breach, float64 ``[k]``.
    ``kind``: row of ``PresencePolicy.thresholds``, int64 ``[k]``.
    """

    start: NDArray[np.int64]
    condition_no: NDArray[np.int64]
    zone_no: NDArray[np.int64]
    probability: NDArray[np.float64]
    best_probability: NDArray[np.float64]
    radius_m: NDArray[np.float64]
    kind: NDArray[np.int64]

    def of_fixes(self, rows: NDArray[np.intp]) -> "Observations":
        """Those of some fixes, in this order."""
        counts = np.diff(self.start)[rows]
        start = np.append(0, np.cumsum(counts)).astype(np.int64)
        kept = np.arange(start[-1]) + np.repeat(self.start[rows] - start[:-1], counts)
        columns = {name: getattr(self, name)[kept] for name in Observations.__dataclass_fields__ if name != "start"}
        return Observations(start=start, **columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    fix_row: NDArray[np.int64]
    rule_row: NDArray[np.int64]
    zone_row: NDArray[np.int64]
    signed_distance_m: NDArray[np.float64]


def observe(fixes: FixBatch, rules: RuleBook, zones: ZoneBook, policy: PresencePolicy) -> Observations:
    """P(breach) of each (fix, rule, zone) that matters. Fixes must be sorted by (subject, time).

    ``fixes`` are reported or filtered positions, ``accuracy_m`` the 68 % radius of what they are. Fixes outside the
    validity of a rule's order give no observation of it (design.md, invariant 8).
    """
    reach_m = np.minimum(2.0 * fixes.accuracy_m + float(np.max(rules.tolerance_m, initial=0.0)), policy.reach_limit_m)
    pairs = zones.match(longitude=fixes.longitude, latitude=fixes.latitude, reach_m=reach_m, fixed_at=fixes.fixed_at)
    exclusion = _exclusion(fixes, rules, zones, pairs.fix_row, pairs.zone_row, pairs.signed_distance_m)
    inclusion = _inclusion(fixes, rules, zones, pairs.fix_row, pairs.zone_row, pairs.signed_distance_m, reach_m)
    fix_row = np.concatenate([exclusion.fix_row, inclusion.fix_row])
    rule_row = np.concatenate([exclusion.rule_row, inclusion.rule_row])
    zone_row = np.concatenate([exclusion.zone_row, inclusion.zone_row])
    distance_m = np.concatenate([exclusion.signed_distance_m, inclusion.signed_distance_m])
    order = np.lexsort((zone_row, rule_row, fix_row))
    fix_row, rule_row, zone_row, distance_m = fix_row[order], rule_row[order], zone_row[order], distance_m[order]
    inside, best = _probabilities(fixes, rules, zones, fix_row, rule_row, zone_row, distance_m)
    is_inclusion = rules.breach[rule_row] == INCLUSION
    radius_m = np.where(is_inclusion, np.inf, zones.shapes.equivalent_radius_m[zone_row])
    return Observations(
        start=np.searchsorted(fix_row, np.arange(len(fixes) + 1)).astype(np.int64),
        condition_no=rules.condition_key[rule_row],
        zone_no=zones.zone_key[zone_row],
        # A fix that could not place anyone inside an area does not prove that somebody left it: measure against the
        # most that such a fix could say.
        probability=np.where(is_inclusion, 1.0 - np.minimum(inside / best, 1.0), inside),
        best_probability=np.where(is_inclusion, 1.0, best),
        radius_m=radius_m,
        kind=np.where(is_inclusion, AREA, np.where(radius_m <= policy.small_radius_m, SMALL, LARGE)),
    )


def _probabilities(
    fixes: FixBatch,
    rules: RuleBook,
    zones: ZoneBook,
    fix_row: NDArray[np.int64],
    rule_row: NDArray[np.int64],
    zone_row: NDArray[np.int64],
    distance_m: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(inside) of each observation and the most that it could be, of the area as its rule widens it."""
    wide_row = rules.wide_row[rule_row]
    inside, best = np.empty(len(fix_row)), np.empty(len(fix_row))
    places: tuple[tuple[ShapeProbability, NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]], ...] = (
        (zones.shapes, zone_row, wide_row < 0, distance_m),
        (rules.wide, wide_row, wide_row >= 0, distance_m - rules.tolerance_m[rule_row]),
    )
    for shapes, row, chosen, signed_m in places:
        if not np.any(chosen):
            continue
        fix = fix_row[chosen]
        inside[chosen] = shapes.inside(
            zone_row=row[chosen],
            longitude=fixes.longitude[fix],
            latitude=fixes.latitude[fix],
            accuracy_m=fixes.accuracy_m[fix],
            signed_distance_m=signed_m[chosen],
        )
        best[chosen] = shapes.best_probability(zone_row=row[chosen], accuracy_m=fixes.accuracy_m[fix])
    return inside, np.maximum(best, inside)


def _rules_of_fixes(fixes: FixBatch, rules: RuleBook, fix_row: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Every (position in ``fix_row``, rule row) where the rule binds the fix's subject at its time."""
    subjects = fixes.subject_no[fix_row]
    first = np.searchsorted(rules.subject_no, subjects, side="left")
    counts = np.searchsorted(rules.subject_no, subjects, side="right") - first
    position = np.repeat(np.arange(len(fix_row)), counts)
    ends = np.cumsum(counts)
    rule_row = np.arange(len(position)) - np.repeat(ends - counts, counts) + np.repeat(first, counts)
    time = fixes.fixed_at[fix_row[position]]
    bound = (rules.valid_from[rule_row] <= time) & (time < rules.valid_to[rule_row])
    return position[bound], rule_row[bound]


def _exclusion(
    fixes: FixBatch,
    rules: RuleBook,
    zones: ZoneBook,
    fix_row: NDArray[np.int64],
    zone_row: NDArray[np.int64],
    distance_m: NDArray[np.float64],
) -> _Weighed:
    position, rule_row = _rules_of_fixes(fixes, rules, fix_row)
    named = rules.zone_row[rule_row] == zone_row[position]
    by_category = (rules.category_mask[rule_row] & zones.category_bit[zone_row[position]]) != 0
    exempt = rules.yields_to_exemption[rule_row] & rules.exemptions.cover(
        fixes.subject_no[fix_row[position]], zones.zone_key[zone_row[position]], fixes.fixed_at[fix_row[position]]
    )
    keep = (rules.breach[rule_row] == EXCLUSION) & (named | by_category) & ~exempt
    position, rule_row = position[keep], rule_row[keep]
    return _Weighed(
        fix_row=fix_row[position],
        rule_row=rule_row,
        zone_row=zone_row[position],
        signed_distance_m=distance_m[position],
    )


def _inclusion(
    fixes: FixBatch,
    rules: RuleBook,
    zones: ZoneBook,
    fix_row: NDArray[np.int64],
    zone_row: NDArray[np.int64],
    distance_m: NDArray[np.float64],
    reach_m: NDArray[np.float64],
) -> _Weighed:
    """A fix with no pair is at least ``reach_m`` outside: absence of a pair is evidence here."""
    all_fixes = np.arange(len(fixes), dtype=np.int64)
    position, rule_row = _rules_of_fixes(fixes, rules, all_fixes)
    keep = rules.breach[rule_row] == INCLUSION
    position, rule_row = position[keep], rule_row[keep]
    area_row = rules.zone_row[rule_row]
    zone_count = max(len(zones.zones), 1)
    pair_key = fix_row * zone_count + zone_row
    wanted = position * zone_count + area_row
    found = np.minimum(np.searchsorted(pair_key, wanted), max(len(pair_key) - 1, 0))
    is_near = pair_key[found] == wanted if len(pair_key) else np.zeros(len(wanted), dtype=bool)
    near_m = distance_m[found] if len(pair_key) else np.zeros(len(wanted))
    return _Weighed(
        fix_row=position,
        rule_row=rule_row,
        zone_row=area_row,
        signed_distance_m=np.where(is_near, near_m, reach_m[position]),
    )
