"""Rows of ``PRESENCE`` as findings: named when they open, shown as episodes and violations. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from tracking.episode import Ending, Episode, Tier, Violation, derived_id, joined_id, split_id
from tracking.policy import ENGINE_VERSION, PresencePolicy
from tracking.presence import ENDED_BY_EXIT, ENDED_BY_RULE, ENDED_BY_SILENCE, PROBABLE
from tracking.rules import RuleBook, ZoneBook

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDINGS = {ENDED_BY_EXIT: Ending.EXIT, ENDED_BY_SILENCE: Ending.SILENCE, ENDED_BY_RULE: Ending.RULE}


def name_episodes(rows: NDArray[Any], new: NDArray[np.intp], rules: RuleBook, zones: ZoneBook) -> None:
    """Give new episodes their ids and the versions of condition and zone in force when they started.

    Both are kept in the rows: a later version of zone or order is not another stay.
    """
    if len(new) == 0:
        return
    started_at = rows["started_at"][new]
    condition_rows = rules.spans.rows_at(rows["condition_no"][new], started_at)
    zone_rows = zones.spans.rows_at(rows["zone_no"][new], started_at)
    rows["start_condition_no"][new] = rules.condition_no[condition_rows]
    rows["start_zone_no"][new] = zones.zone_no[zone_rows]
    condition_ids = [rules.conditions[row].condition_id for row in condition_rows.tolist()]
    zone_ids = [zones.zones[row].zone_id for row in zone_rows.tolist()]
    keys = zip(started_at.tolist(), rows["subject_no"][new].tolist(), condition_ids, zone_ids, strict=True)
    halves = [
        split_id(derived_id("episode", start, subject_no, str(condition_id), str(zone_id)))
        for start, subject_no, condition_id, zone_id in keys
    ]
    rows["episode_high"][new] = [high for high, _ in halves]
    rows["episode_low"][new] = [low for _, low in halves]


def newest_of_each(rows: NDArray[Any]) -> NDArray[Any]:
    """Of every episode the last row."""
    order = np.lexsort((np.arange(len(rows)), rows["episode_low"], rows["episode_high"]))
    high, low = rows["episode_high"][order], rows["episode_low"][order]
    is_last = np.append((high[1:] != high[:-1]) | (low[1:] != low[:-1]), True)[: len(rows)]
    newest: NDArray[Any] = rows[np.sort(order[is_last])]
    return newest


def to_instant(microseconds: int) -> datetime:
    """Microseconds since the Unix epoch as an aware UTC instant."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


def _episode_id(row: Any) -> UUID:
    return joined_id(int(row["episode_high"]), int(row["episode_low"]))


def episodes_of(presence_rows: NDArray[Any]) -> tuple[Episode, ...]:
    """Rows of ``PRESENCE`` as episodes. Zone and condition are named by the versions in force at the start."""
    return tuple(_episode(row) for row in presence_rows)


def _episode(row: Any) -> Episode:
    ended = to_instant(row["ended_at"]) if row["ended_at"] else None
    return Episode(
        episode_id=_episode_id(row),
        subject_no=int(row["subject_no"]),
        condition_no=int(row["start_condition_no"]),
        zone_no=int(row["start_zone_no"]),
        tier=Tier.PROBABLE if row["tier"] == PROBABLE else Tier.POSSIBLE,
        started_at=to_instant(row["started_at"]),
        ended_at=ended,
        ended_by=None if ended is None else _ENDINGS[int(row["ended_by"])],
        last_inside_at=to_instant(row["last_inside_at"]),
        possible_at=to_instant(row["possible_at"]),
        decided_at=to_instant(row["decided_at"]) if row["decided_at"] else None,
        peak_probability=float(row["peak"]),
        fix_count=int(row["fix_count"]),
        is_entry=bool(row["is_entry"]),
        is_crossing=bool(row["is_crossing"]),
        is_undecidable=bool(row["undecidable"]),
        undecidable_at=to_instant(row["undecidable_at"]) if row["undecidable_at"] else None,
    )


def violations_of(
    rows: NDArray[Any], rules: RuleBook, zones: ZoneBook, policy: PresencePolicy
) -> tuple[Violation, ...]:
    """Those of ``PRESENCE`` rows that were decided, or became live, in this run.

    Zone, condition and order are named by the versions in force at the decision.
    """
    told = rows[(rows["decided_now"] == 1) | (rows["live_now"] == 1)]
    rule_rows = rules.spans.rows_at(told["condition_no"], told["decided_at"])
    zone_rows = zones.spans.rows_at(told["zone_no"], told["decided_at"])
    if np.any(rule_rows < 0) or np.any(zone_rows < 0):
        raise LookupError(f"a rule of {told['condition_no'].tolist()} at {told['zone_no'].tolist()} is in no book")
    places = zip(told, rule_rows.tolist(), zones.zone_no[zone_rows].tolist(), strict=True)
    return tuple(_violation(row, rule, zone_no, rules, policy) for row, rule, zone_no in places)


def _violation(row: Any, rule: int, zone_no: int, rules: RuleBook, policy: PresencePolicy) -> Violation:
    episode_id = _episode_id(row)
    return Violation(
        violation_id=derived_id("violation", int(row["started_at"]), str(episode_id)),
        episode_id=episode_id,
        subject_no=int(row["subject_no"]),
        order_no=rules.orders[rule].order_no,
        condition_no=int(rules.condition_no[rule]),
        zone_no=zone_no,
        kind=rules.conditions[rule].kind,
        started_at=to_instant(row["likely_at"]),
        decided_at=to_instant(row["decided_at"]),
        known_at=to_instant(row["known_at"]),
        live_at=to_instant(row["live_at"]) if row["live_at"] else None,
        live_known_at=to_instant(row["live_known_at"]) if row["live_at"] else None,
        probability=float(row["decided_mean"]),
        engine_version=ENGINE_VERSION,
        policy_version=policy.version,
    )
