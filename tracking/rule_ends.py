"""Rules that begin, change or end in mid-presence: no false "enter", no false "exit" (ADR 0011). Pure."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.fix import FixBatch
from tracking.observation import Observations
from tracking.presence import ENDED_BY_EXIT, ENDED_BY_RULE, ENDED_BY_SILENCE
from tracking.rules import RuleBook, ZoneBook
from tracking.states import PresenceStates
from tracking.versions import NEVER


def cut_at_rule_ends(
    batch: FixBatch, states: PresenceStates, rules: RuleBook, zones: ZoneBook
) -> Iterator[NDArray[np.intp]]:
    """Rows of a batch sorted by (subject, time), in parts within which no rule of anybody in it ends.

    Nearly always one part. A subject's parts follow each other in time.
    """
    turn = _ends_before(batch, states, rules, zones)
    for number in range(int(turn.max(initial=0)) + 1):
        yield np.flatnonzero(turn == number)


def _ends_before(batch: FixBatch, states: PresenceStates, rules: RuleBook, zones: ZoneBook) -> NDArray[np.int64]:
    """For each fix, how many times since its subject was last seen some rule that may concern the subject ended."""
    turn = np.zeros(len(batch), dtype=np.int64)
    if len(batch) == 0 or _are_endless(rules, zones):
        return turn
    subjects, first = np.unique(batch.subject_no, return_index=True)
    after = np.append(first[1:], len(batch))
    seen_at = states.last_for(subjects)
    since = np.where(seen_at == 0, batch.fixed_at[first], seen_at)
    until = batch.fixed_at[after - 1]
    common = zones.spans.ends.instants
    of_zones = np.searchsorted(common, until, "right") > np.searchsorted(common, since, "right")
    of_rules = rules.ends.next_after(subjects, since) <= until
    for position in np.flatnonzero(of_zones | of_rules).tolist():
        rows = slice(int(first[position]), int(after[position]))
        ends = [instant for instant in common.tolist() if since[position] < instant <= until[position]]
        own = since[position : position + 1]
        while (own := rules.ends.next_after(subjects[position : position + 1], own))[0] <= until[position]:
            ends.append(int(own[0]))
        turn[rows] = np.searchsorted(np.unique(ends), batch.fixed_at[rows], "right")
    return turn


def rule_ends(rows: NDArray[Any], *, until: NDArray[np.int64], rules: RuleBook, zones: ZoneBook) -> NDArray[np.int64]:
    """When the rule of each open presence ends, if that is not after ``until``; else ``NEVER``.

    ``rows``: ``PRESENCE`` ``[k]``; ``until``: microseconds ``[k]``.
    """
    ends = np.full(len(rows), NEVER)
    since = rows["last_inside_at"]
    may_end = rules.spans.ends.next_after(rows["condition_no"], since) <= until
    may_end |= zones.spans.ends.next_after(rows["zone_no"], since) <= until
    may_end |= ~(rules.spans.holds_key(rows["condition_no"]) & zones.spans.holds_key(rows["zone_no"]))
    for row in np.flatnonzero(may_end).tolist():
        end = _end_of_rule(rows[row], rules, zones)
        ends[row] = end if end <= until[row] else NEVER
    return ends


def ended_at(rows: NDArray[Any], ends: NDArray[np.int64], *, seen_at: NDArray[np.int64], silence: int) -> NDArray[Any]:
    """Presences whose rule ended, ended with it. ``seen_at``: the subject's last fix, microseconds ``[k]``.

    Where the subject had been silent for so long before the rule ended, presence had ended by silence already.
    """
    ended = rows.copy()
    is_silent = ends - seen_at > silence
    ended["ended_by"] = np.where(is_silent, ENDED_BY_SILENCE, ENDED_BY_RULE)
    ended["ended_at"] = np.where(is_silent, rows["last_inside_at"], np.maximum(ends, rows["last_inside_at"]))
    ended["decided_now"] = ended["live_now"] = 0
    return ended


def _are_endless(rules: RuleBook, zones: ZoneBook) -> bool:
    return rules.spans.are_endless and zones.spans.are_endless


def _end_of_rule(row: Any, rules: RuleBook, zones: ZoneBook) -> int:
    """When the rule of an open presence ends; its last fix inside if no version of the rule was in force there."""
    until = int(row["last_inside_at"])
    for start, end in sorted(governing(int(row["condition_no"]), int(row["zone_no"]), rules, zones)):
        if start <= until < end:
            until = end
    return until


def governing(condition_key: int, zone_key: int, rules: RuleBook, zones: ZoneBook) -> list[tuple[int, int]]:
    """The spans, one per version of order and zone, in which a condition is about a zone."""
    spans: list[tuple[int, int]] = []
    for rule in rules.spans.rows_of(condition_key).tolist():
        start, end = int(rules.valid_from[rule]), int(rules.valid_to[rule])
        if rules.zone_row[rule] >= 0:
            if zones.zone_key[rules.zone_row[rule]] == zone_key:
                spans.append((start, end))
            continue
        for zone in zones.spans.rows_of(zone_key).tolist():
            if rules.category_mask[rule] & zones.category_bit[zone]:
                spans.append((max(start, int(zones.spans.start[zone])), min(end, int(zones.spans.end[zone]))))
    return [(start, end) for start, end in spans if start < end]


def mark_redrawn(rows: NDArray[Any], rules: RuleBook, zones: ZoneBook) -> None:
    """Whoever is not seen inside a zone or an area as it is drawn now, and was under the version before, did not leave.

    Changes ``ended_by`` in place where an exit was found under another version than that of the last fix inside.
    """
    changed = np.isin(rows["zone_no"], zones.spans.changed_key) | np.isin(rows["condition_no"], rules.spans.changed_key)
    for row in np.flatnonzero(changed & (rows["ended_by"] == ENDED_BY_EXIT)).tolist():
        inside_at, seen_at = int(rows["last_inside_at"][row]), int(rows["seen_at"][row])
        spans = governing(int(rows["condition_no"][row]), int(rows["zone_no"][row]), rules, zones)
        if any(start <= inside_at < end <= seen_at for start, end in spans):
            rows["ended_by"][row] = ENDED_BY_RULE


def was_watched(row: Any, previous_at: int, rules: RuleBook, zones: ZoneBook) -> bool:
    """Whether the version under which a presence began was in force at the fix before: only then is it an entry."""
    if _are_endless(rules, zones):
        return True
    started_at = int(row["started_at"])
    spans = governing(int(row["condition_no"]), int(row["zone_no"]), rules, zones)
    return any(start <= previous_at and started_at < end for start, end in spans)


def known_at(batch: FixBatch, seen: Observations, rules: RuleBook, zones: ZoneBook) -> NDArray[np.int64]:
    """When each fix and the versions it is weighed by were all known: reception, or later if a version reaches back.

    Microseconds ``[n]``. A rule that is entered today for yesterday finds nothing in time, however prompt the fixes.
    """
    fix = np.repeat(np.arange(len(batch)), np.diff(seen.start))
    time = batch.fixed_at[fix]
    known = np.maximum(zones.spans.known_since(seen.zone_no, time), rules.spans.known_since(seen.condition_no, time))
    received = batch.received_at.copy()
    np.maximum.at(received, fix, known)
    return received
