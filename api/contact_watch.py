"""Who may not meet, compared by the clock: from the log of both, for the prosecutor only (ADR 0024).

The holder of the shard of the subject whom a condition binds looks, every minute, at what the log holds of both that it
has not compared yet (``contact_watch.seen``, a snapshot as in ADR 0003), however late it came, and compares again from
there on. What was found stays found: a meeting that overlaps one of ``contact_watch.met`` is the same one. A finding
says nothing of who the other is, nor where.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from sqlalchemy import Connection, text

from api.clock_book import ClockBook, ContactRule, ContactVersion
from api.clock_edges import FindingRow, save_findings
from api.fix_log import FIX_COLUMNS
from api.histories import NOT_SET_ASIDE
from api.leases import hold_shards
from geo.postgis import read_columns
from geo.probability import SIGMA_PER_ACCURACY
from tracking.contact import ContactPolicy, Meeting, Pair, Places, find_meetings
from tracking.episode import derived_id
from tracking.evaluate import filtered_fixes
from tracking.fix import FixBatch
from tracking.policy import PresencePolicy
from tracking.presence_rows import to_instant
from tracking.rules import to_microseconds
from tracking.windows import Windows

LATE_FOR = timedelta(days=7)
"""A fix that comes later than this after it was taken is not compared any more."""
WARM_UP_US = 3_600_000_000
"""So long before what is new the log is read, for the filter to know where both were."""

_NEWS = text("""
SELECT p.condition_id, w.condition_no, w.met, (extract(epoch FROM n.oldest) * 1000000)::bigint AS oldest
FROM unnest(CAST(:ids AS uuid[]), CAST(:subjects AS bigint[]), CAST(:others AS bigint[]))
    AS p (condition_id, subject_no, other_no)
LEFT JOIN contact_watch w USING (condition_id)
LEFT JOIN LATERAL (
    SELECT min(f.fixed_at) AS oldest FROM open_subject u JOIN fix f ON f.shard = u.shard AND f.subject_no = u.subject_no
    WHERE u.subject_no IN (p.subject_no, p.other_no) AND f.fixed_at >= :since
      AND f.written_by >= pg_snapshot_xmin(w.seen) AND NOT pg_visible_in_snapshot(f.written_by, w.seen)
      AND pg_visible_in_snapshot(f.written_by, CAST(:snapshot AS pg_snapshot))) n ON w.seen IS NOT NULL
""")

_FOUND_BEFORE = text("""
SELECT c.condition_id, f.started_at, f.decided_at FROM finding f JOIN condition c USING (condition_no)
WHERE f.kind = 'contact' AND c.condition_id = ANY(:ids)
""")

_READ = f"""
SELECT {", ".join(f"f.{name}" for name in FIX_COLUMNS)} FROM fix f
WHERE f.subject_no = ANY(%(subjects)s) AND f.fixed_at >= %(since)s
  AND pg_visible_in_snapshot(f.written_by, CAST(%(snapshot)s AS pg_snapshot)) AND {NOT_SET_ASIDE}
"""

_SAVE = text("""
INSERT INTO contact_watch AS w (condition_id, condition_no, subject_no, seen, met)
VALUES (:condition_id, :condition_no, :subject_no, CAST(:seen AS pg_snapshot), CAST(:met AS tstzmultirange))
ON CONFLICT (condition_id) DO UPDATE SET condition_no = excluded.condition_no, seen = excluded.seen, met = excluded.met
""")

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """What is known of one rule. ``since``: from when on its log is to be compared, ``None`` if there is no news."""

    rule: ContactRule
    met: tuple[_Span, ...]
    since: int | None


def watch_contacts(
    connection: Connection,
    book: ClockBook,
    *,
    fences: Mapping[int, int],
    presence: PresencePolicy,
    policy: ContactPolicy,
    now: datetime,
) -> int:
    """Compare what is new of every pair of these shards; returns how many meetings are found.

    Within the caller's transaction. Raises ``LeaseLostError`` if another worker holds one of the shards.
    """
    rules = [rule for rule in book.contacts if book.shard_of.get(rule.subject_no) in fences]
    if not rules:
        return 0
    hold_shards(connection, fences)
    snapshot: str = connection.execute(text("SELECT pg_current_snapshot()::text")).scalar_one()
    watches = _read_watches(connection, rules, snapshot, now)
    findings: list[FindingRow] = []
    rows = []
    for watch in watches:
        met = watch.met
        if watch.since is not None:
            places = _read_places(connection, watch, watch.since, snapshot, presence)
            found, met = _compare(watch, places, policy, now)
            findings += found
        rows.append(_row(watch.rule, met, snapshot, now))
    save_findings(connection, findings)
    connection.execute(_SAVE, rows)
    return len(findings)


def _read_watches(connection: Connection, rules: Sequence[ContactRule], snapshot: str, now: datetime) -> list[_Watch]:
    """What each rule knows, and from when on there is news of its two."""
    since, ids = to_microseconds(now - LATE_FOR), [rule.condition_id for rule in rules]
    asked = {
        "ids": ids,
        "subjects": [rule.subject_no for rule in rules],
        "others": [rule.versions[-1].pair.second_no for rule in rules],
        "since": now - LATE_FOR,
        "snapshot": snapshot,
    }
    rows = {row.condition_id: row for row in connection.execute(_NEWS, asked)}
    unknown = [condition_id for condition_id, row in rows.items() if row.condition_no is None]
    before: dict[UUID, list[_Span]] = {}
    for row in connection.execute(_FOUND_BEFORE, {"ids": unknown}) if unknown else ():
        span = (to_microseconds(row.started_at), to_microseconds(row.decided_at))
        before.setdefault(row.condition_id, []).append(span)
    return [_watch(rule, rows[rule.condition_id], before.get(rule.condition_id, []), since) for rule in rules]


def _watch(rule: ContactRule, row: Any, found_before: Sequence[_Span], since: int) -> _Watch:
    newest = rule.versions[-1]
    if row.condition_no is None:
        return _Watch(rule=rule, met=tuple(found_before), since=since)
    spans = tuple((to_microseconds(span.lower), to_microseconds(span.upper)) for span in row.met)
    news = [] if row.oldest is None else [int(row.oldest)]
    if row.condition_no != newest.condition_no and len(newest.binds):
        news.append(max(int(newest.binds.start[0]), since))  # a version that reaches back is gone by from there
    return _Watch(rule=rule, met=spans, since=min(news, default=None))


def _read_places(connection: Connection, watch: _Watch, since: int, snapshot: str, presence: PresencePolicy) -> Places:
    """Filtered positions of both from before what is new, long enough for any dwell of theirs to show."""
    dwell = max(round(version.pair.dwell_s * 1e6) for version in watch.rule.versions)
    pair = watch.rule.versions[-1].pair
    asked = {
        "subjects": [pair.first_no, pair.second_no],
        "since": to_instant(since - dwell - WARM_UP_US),
        "snapshot": snapshot,
    }
    filtered = read_filtered(connection, asked, presence)
    return Places(
        subject_no=filtered.subject_no,
        at=filtered.fixed_at,
        longitude=filtered.longitude,
        latitude=filtered.latitude,
        sigma_m=filtered.accuracy_m * SIGMA_PER_ACCURACY,
    )


def read_filtered(connection: Connection, asked: Mapping[str, Any], presence: PresencePolicy) -> FixBatch:
    """Where the ``subjects`` were ``since`` an instant, as far as the log is seen by the ``snapshot`` that is asked."""
    fixes = FixBatch(**read_columns(connection, _READ, asked, FIX_COLUMNS))
    return filtered_fixes(fixes.take(np.lexsort((fixes.fix_key, fixes.fixed_at, fixes.subject_no))), presence)[0]


def _compare(
    watch: _Watch, places: Places, policy: ContactPolicy, now: datetime
) -> tuple[list[FindingRow], tuple[_Span, ...]]:
    """The findings that are new, and all the times at which the two are known to have met."""
    assert watch.since is not None, "only what is new is compared"
    slack, findings, met = round(policy.most_age_s * 1e6), list[FindingRow](), watch.met
    for pair, binds in _stretches(watch.rule.versions):
        bound = places.take(np.flatnonzero(binds.holds(places.at)))
        for meeting in find_meetings(bound, pair, policy=policy):
            if meeting.until < watch.since - slack:
                continue  # all of it was compared before
            is_known = any(start - slack <= meeting.until and meeting.since <= end + slack for start, end in met)
            if not is_known:
                findings.append(_finding(watch.rule, pair, meeting, policy, now))
            met = _joined((*met, (meeting.since, meeting.until)), slack)
    return findings, met


def _stretches(versions: Sequence[ContactVersion]) -> list[tuple[Pair, Windows]]:
    """Versions that say the same of the two are one stretch: a variation of something else cuts no meeting."""
    spans: dict[Pair, list[Windows]] = {}
    for version in versions:
        spans.setdefault(version.pair, []).append(version.binds)
    return [
        (pair, Windows.build(np.concatenate([w.start for w in binds]), np.concatenate([w.end for w in binds])))
        for pair, binds in spans.items()
    ]


def _joined(spans: Sequence[_Span], slack: int) -> tuple[_Span, ...]:
    """Those that overlap, or lie closer together than a meeting ends, as one."""
    joined: list[_Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + slack:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def _row(rule: ContactRule, met: Sequence[_Span], snapshot: str, now: datetime) -> dict[str, Any]:
    oldest = to_microseconds(now - 2 * LATE_FOR)
    kept = [Range(to_instant(start), to_instant(end), "[]") for start, end in met if end >= oldest]
    return {
        "condition_id": rule.condition_id,
        "condition_no": rule.versions[-1].condition_no,
        "subject_no": rule.subject_no,
        "seen": snapshot,
        "met": Multirange(kept),
    }


def _finding(rule: ContactRule, pair: Pair, meeting: Meeting, policy: ContactPolicy, now: datetime) -> FindingRow:
    version = _version_at(rule, meeting.found_at)
    is_late = to_microseconds(now) - meeting.found_at > LATE_AFTER_US
    minutes = pair.dwell_s / 60.0
    return FindingRow(
        finding_id=derived_id("finding", meeting.since, "contact", str(rule.condition_id)),
        kind="contact",
        subject_no=rule.subject_no,
        order_no=version.order_no,
        condition_no=version.condition_no,
        started_at=meeting.since,
        decided_at=meeting.found_at,
        known_at=to_microseconds(now),
        probability=round(meeting.probability, 4),
        detail={
            "within_m": pair.within_m,
            "for_minutes": minutes,
            "is_late": is_late,
            "text_zh": f"与决定书禁止接触的人员相距 {pair.within_m:g} 米以内，已满 {minutes:g} 分钟。"
            "此为系统推定，须由办案人员核实；只告知检察官，不得告知双方及其监护人。",
            "text_en": f"Within {pair.within_m:g} m of the person whom the order forbids to meet, for {minutes:g} min."
            " A machine's suspicion: an officer must check. For the prosecutor only, never for either side.",
        },
        policy_version=policy.version,
    )


LATE_AFTER_US = 1_800_000_000
"""What is found so long after it was so is marked late."""


def _version_at(rule: ContactRule, at: int) -> ContactVersion:
    """The version in force at an instant, the newest if none is."""
    for version in reversed(rule.versions):
        if version.binds.holds(np.array([at]))[0]:
            return version
    return rule.versions[-1]
