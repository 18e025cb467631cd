"""Rules that begin, change or end in mid-presence: no false "enter", no false "exit" (ADR 0013). Pure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.fix import FixBatch
from tracking.observation import Observations
from tracking.policy import AREA, PresencePolicy
from tracking.presence import (
    ENDED_BY_EXIT,
    ENDED_BY_RULE,
    ENDED_BY_SILENCE,
    OF_ONE_RUN,
    CrossedZones,
    WeighedFixes,
    run_filter,
)
from tracking.rules import EXCLUSION, INCLUSION, RuleBook, ZoneBook
from tracking.versions import NEVER
from tracking.windows import Windows


def filter_with_rules(
    *,
    fixes: WeighedFixes,
    seen: Observations,
    crossed: CrossedZones,
    open_rows: NDArray[Any],
    rules: RuleBook,
    zones: ZoneBook,
    policy: PresencePolicy,
) -> NDArray[Any]:
    """``tracking.presence.run_filter``, stopped wherever the rule of an open presence ends: there presence ends too.

    Nearly always the filter runs once. Else only subjects whose rules may have ended run on. Every presence is in the
    answer once, as it is after its last fix.
    """
    silence = int(policy.silence_s * 1e6)
    waiting = open_rows.copy()
    for name in OF_ONE_RUN:
        waiting[name] = 0
    ended = [waiting[:0]]
    turn = _ends_before(fixes, rules, zones)
    for number in range(int(turn.max(initial=0)) + 1):
        part = np.flatnonzero(turn == number)
        is_whole = len(part) == len(turn)
        of_part = fixes if is_whole else fixes.take(part)
        subjects, first = np.unique(of_part.subject_no, return_index=True)
        concerned = np.isin(waiting["subject_no"], subjects)
        before = waiting[concerned]
        next_fix = first[np.searchsorted(subjects, before["subject_no"])]
        ends = rule_ends(before, until=of_part.fixed_at[next_fix], rules=rules, zones=zones)
        has_ended = ends != NEVER
        last = of_part.last[next_fix]
        ended.append(ended_at(before[has_ended], ends[has_ended], seen_at=last[has_ended], silence=silence))
        rows = run_filter(
            fixes=of_part,
            seen=seen if is_whole else seen.of_fixes(part),
            crossed=crossed if is_whole else crossed.of_fixes(part),
            open_rows=before[~has_ended],
            policy=policy,
        )
        for name in OF_ONE_RUN:
            rows[name][: np.count_nonzero(~has_ended)] |= before[name][~has_ended]
        mark_redrawn(rows, rules, zones)
        ended.append(rows[rows["ended_at"] != 0])
        waiting = np.concatenate([waiting[~concerned], rows[rows["ended_at"] == 0]])
        waiting = waiting[np.argsort(waiting["subject_no"], kind="stable")]
    return np.concatenate([*ended, waiting])


def _ends_before(fixes: WeighedFixes, rules: RuleBook, zones: ZoneBook) -> NDArray[np.int64]:
    """For each fix, how many times since its subject's first one some rule that may concern the subject ended."""
    turn = np.zeros(len(fixes.fixed_at), dtype=np.int64)
    if len(turn) == 0 or _are_endless(rules, zones):
        return turn
    subjects, first = np.unique(fixes.subject_no, return_index=True)
    after = np.append(first[1:], len(turn))
    since, until = fixes.fixed_at[first], fixes.fixed_at[after - 1]
    common = zones.spans.ends.instants
    of_zones = np.searchsorted(common, until, "right") > np.searchsorted(common, since, "right")
    of_rules = rules.ends.next_after(subjects, since) <= until
    for position in np.flatnonzero(of_zones | of_rules).tolist():
        rows = slice(int(first[position]), int(after[position]))
        between = slice(*np.searchsorted(common, [since[position], until[position]], "right").tolist())
        ends = common[between].tolist()
        own = since[position : position + 1]
        while (own := rules.ends.next_after(subjects[position : position + 1], own))[0] <= until[position]:
            ends.append(int(own[0]))
        turn[rows] = np.searchsorted(np.unique(ends), fixes.fixed_at[rows], "right")
    return turn


def rule_ends(rows: NDArray[Any], *, until: NDArray[np.int64], rules: RuleBook, zones: ZoneBook) -> NDArray[np.int64]:
    """When the rule of each open presence ends, if that is not after ``until``; else ``NEVER``.

    ``rows``: ``PRESENCE`` ``[k]``; ``until``: microseconds ``[k]``.
    """
    ends = np.full(len(rows), NEVER)
    since = rows["last_inside_at"]
    may_end = rules.spans.ends.next_after(rows["condition_no"], since) <= until
    may_end |= zones.spans.ends.next_after(rows["zone_no"], since) <= until
    may_end |= rules.ends.next_after(rows["subject_no"], since) <= until
    may_end |= ~(rules.spans.holds_key(rows["condition_no"]) & zones.spans.holds_key(rows["zone_no"]))
    for row in np.flatnonzero(may_end).tolist():
        end = _end_of_rule(rows[row], rules, zones)
        ends[row] = end if end <= until[row] else NEVER
    return ends


def ended_at(rows: NDArray[Any], ends: NDArray[np.int64], *, seen_at: NDArray[np.int64], silence: int) -> NDArray[Any]:
    """Presences whose rule ended, ended with it. ``seen_at``: the subject's last fix that decides, microseconds.

    Where the subject had been silent for so long before the rule ended, presence had ended by silence already.
    """
    ended = rows.copy()
    is_silent = ends - seen_at > silence
    ended["ended_by"] = np.where(is_silent, ENDED_BY_SILENCE, ENDED_BY_RULE)
    ended["ended_at"] = np.where(is_silent, rows["last_inside_at"], np.maximum(ends, rows["last_inside_at"]))
    return ended


def _are_endless(rules: RuleBook, zones: ZoneBook) -> bool:
    return rules.spans.are_endless and zones.spans.are_endless


def _end_of_rule(row: Any, rules: RuleBook, zones: ZoneBook) -> int:
    """When the rule of an open presence ends; its last fix inside if no version of the rule was in force there."""
    until = int(row["last_inside_at"])
    for start, end in sorted(governing(row, rules, zones)):
        if start <= until < end:
            until = end
    return until


def governing(row: Any, rules: RuleBook, zones: ZoneBook) -> list[tuple[int, int]]:
    """The spans, one per version of order and zone, in which the condition of a presence is about its zone.

    Not those in which a variation made the ban of a place of what was the duty to be there, or the other way about.
    """
    condition_key, zone_key = int(row["condition_no"]), int(row["zone_no"])
    breach = INCLUSION if row["kind"] == AREA else EXCLUSION
    spans: list[tuple[int, int]] = []
    for rule in rules.spans.rows_of(condition_key).tolist():
        if rules.breach[rule] != breach:
            continue
        start, end = int(rules.valid_from[rule]), int(rules.valid_to[rule])
        if rules.zone_row[rule] >= 0:
            if zones.zone_key[rules.zone_row[rule]] == zone_key:
                spans.append((start, end))
            continue
        for zone in zones.spans.rows_of(zone_key).tolist():
            if rules.category_mask[rule] & zones.category_bit[zone]:
                spans.append((max(start, int(zones.spans.start[zone])), min(end, int(zones.spans.end[zone]))))
    return _without_exemptions([span for span in spans if span[0] < span[1]], rules, condition_key, zone_key)


def _without_exemptions(
    spans: list[tuple[int, int]], rules: RuleBook, condition_key: int, zone_key: int
) -> list[tuple[int, int]]:
    """The same, cut where the subject is exempt at the zone, of a rule that yields to an exemption."""
    rows = rules.spans.rows_of(condition_key)
    if len(rules.exemptions) == 0 or len(rows) == 0 or not rules.yields_to_exemption[rows[0]]:
        return spans
    exempt = rules.exemptions.of(int(rules.subject_no[rows[0]]), zone_key)
    if len(exempt) == 0:
        return spans
    parts = [Windows.build([start], [end]).without([exempt]) for start, end in spans]
    return [pair for part in parts for pair in zip(part.start.tolist(), part.end.tolist(), strict=True)]


def mark_redrawn(rows: NDArray[Any], rules: RuleBook, zones: ZoneBook) -> None:
    """Whoever is not seen inside a zone or an area as it is drawn now, and was under the version before, did not leave.

    Changes ``ended_by`` in place where an exit was found under another version than that of the last fix inside.
    """
    changed = np.isin(rows["zone_no"], zones.spans.changed_key) | np.isin(rows["condition_no"], rules.spans.changed_key)
    for row in np.flatnonzero(changed & (rows["ended_by"] == ENDED_BY_EXIT)).tolist():
        inside_at, seen_at = int(rows["last_inside_at"][row]), int(rows["seen_at"][row])
        spans = governing(rows[row], rules, zones)
        if any(start <= inside_at < end <= seen_at for start, end in spans):
            rows["ended_by"][row] = ENDED_BY_RULE


def unwatched_entries(rows: NDArray[Any], fixes: WeighedFixes, rules: RuleBook, zones: ZoneBook) -> NDArray[np.intp]:
    """Entries among new ``rows`` that are none: no version under which one began was in force at the fix before.

    ``fixes``: those that opened them, sorted by (subject, time).
    """
    if _are_endless(rules, zones):
        return np.zeros(0, dtype=np.intp)
    started_at = rows["started_at"]
    rule = rules.spans.rows_at(rows["condition_no"], started_at)
    zone = zones.spans.rows_at(rows["zone_no"], started_at)
    since = np.maximum(rules.spans.start[rule], zones.spans.start[zone])
    since = np.maximum(since, rules.exemptions.last_end(rows["subject_no"], rows["zone_no"], started_at))
    previous_at = _previous_at(rows, fixes, since)
    doubtful = np.flatnonzero((rows["is_entry"] == 1) & (since > previous_at)).tolist()
    unwatched = [row for row in doubtful if not _was_watched(rows[row], int(previous_at[row]), rules, zones)]
    return np.array(unwatched, dtype=np.intp)


def _previous_at(rows: NDArray[Any], fixes: WeighedFixes, since: NDArray[np.int64]) -> NDArray[np.int64]:
    """The time of the subject's fix before each row started, 0 if there was none; any before it, if after ``since``."""
    first = np.searchsorted(fixes.subject_no, rows["subject_no"])
    after = np.searchsorted(fixes.subject_no, rows["subject_no"], "right")
    found = fixes.last[first]
    for row in np.flatnonzero((since > found) & (rows["is_entry"] == 1)).tolist():
        place = first[row] + np.searchsorted(fixes.fixed_at[first[row] : after[row]], rows["started_at"][row])
        found[row] = fixes.fixed_at[place - 1] if place > first[row] else fixes.last[first[row]]
    return found


def _was_watched(row: Any, previous_at: int, rules: RuleBook, zones: ZoneBook) -> bool:
    started_at = int(row["started_at"])
    spans = governing(row, rules, zones)
    return any(start <= previous_at and started_at < end for start, end in spans)


def known_at(batch: FixBatch, seen: Observations, rules: RuleBook, zones: ZoneBook) -> NDArray[np.int64]:
    """When each fix and the versions it is weighed by were all known: reception, or later if a version reaches back.

    Microseconds ``[n]``. A rule that is entered today for yesterday finds nothing in time, however prompt the fixes.
    """
    if not (rules.spans.reach_back or zones.spans.reach_back):
        return batch.received_at
    fix = np.repeat(np.arange(len(batch)), np.diff(seen.start))
    time = batch.fixed_at[fix]
    known = np.maximum(zones.spans.known_since(seen.zone_no, time), rules.spans.known_since(seen.condition_no, time))
    received = batch.received_at.copy()
    np.maximum.at(received, fix, known)
    return received
