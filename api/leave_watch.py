"""Who is on leave and off the approved way, found by the clock from the log (``tracking.leave_way``).

The holder of the subject's shard looks, every minute, at what the log holds that it has not seen yet (a snapshot as in
ADR 0003), at most a week back, however late it came. How far it saw is kept in memory only: who takes a shard over
looks at the last week again, and a stretch that overlaps a finding of the leave is that finding. A stretch that goes on
is looked at from its beginning. A leave without a drawn way is not watched.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import structlog
from sqlalchemy import Connection, text

from api.books import Books
from api.clock_book import ClockBook
from api.clock_edges import FindingRow, save_findings
from api.contact_watch import LATE_AFTER_US, LATE_FOR, WARM_UP_US, read_filtered
from api.leases import hold_shards
from geo.geojson import shape_from_geojson
from geo.shape_change import widened
from geo.shapes import ShapeError
from tracking.episode import derived_id
from tracking.leave_way import (
    AllowedPlace,
    AllowedPlaces,
    Detour,
    LeaveWayPolicy,
    find_detours,
    off_way_en,
    off_way_zh,
    rounded_m,
)
from tracking.order import INCLUSION_KINDS, SupervisionOrder
from tracking.order_store import load_orders
from tracking.policy import PresencePolicy
from tracking.presence_rows import to_instant
from tracking.rules import ZoneBook, to_microseconds
from tracking.windows import Windows

log = structlog.get_logger()

KIND = "off_route"

_LEAVES = text("""
SELECT leave_id, leave_no, subject_no, order_no, ST_AsGeoJSON(geometry, 9) AS way, radius_m,
       greatest(from_at, approved_at) AS starts_at, least(to_at, returned_at, cancelled_at) AS ends_at
FROM leave WHERE geometry IS NOT NULL AND approved_at IS NOT NULL AND to_at > :since
ORDER BY leave_no
""")

_NEWS = text("""
SELECT p.leave_id, (extract(epoch FROM min(f.fixed_at)) * 1000000)::bigint AS oldest
FROM unnest(CAST(:ids AS uuid[]), CAST(:subjects AS bigint[]), CAST(:seen AS text[]),
            CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
    AS p (leave_id, subject_no, seen, starts, ends)
JOIN open_subject u USING (subject_no) JOIN fix f ON f.shard = u.shard AND f.subject_no = u.subject_no
WHERE f.fixed_at >= greatest(p.starts, :since) AND f.fixed_at < p.ends
  AND f.written_by >= pg_snapshot_xmin(p.seen::pg_snapshot)
  AND NOT pg_visible_in_snapshot(f.written_by, p.seen::pg_snapshot)
  AND pg_visible_in_snapshot(f.written_by, CAST(:snapshot AS pg_snapshot))
GROUP BY p.leave_id
""")

_FOUND = text(f"""
SELECT started_at, decided_at FROM finding
WHERE subject_no = :no AND kind = '{KIND}' AND detail ->> 'leave_id' = :leave ORDER BY started_at
""")

_Span = tuple[int, int]
_Allowed = tuple[int, float, tuple[_Span, ...]]
"""Number of a version of a zone, the tolerance of the condition in metres, and when it counts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Way:
    """A leave with its way. ``start`` to before ``end``, microseconds; ``content``: equal if nothing of it changed."""

    leave_id: UUID
    subject_no: int
    order_no: int
    start: int
    end: int
    allowed: AllowedPlaces
    content: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """``seen``: the snapshot up to which the log was looked at; ``stretches`` off the way so far, ascending."""

    way: _Way
    seen: str | None = None
    stretches: tuple[_Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveMemory:
    """What a worker knows of leaves between two looks, of one version of the rules."""

    books: Books | None = None
    watches: tuple[_Watch, ...] = field(default=())


def watch_leaves(
    connection: Connection,
    memory: LeaveMemory,
    book: ClockBook,
    *,
    fences: Mapping[int, int],
    presence: PresencePolicy,
    policy: LeaveWayPolicy,
    now: datetime,
) -> tuple[LeaveMemory, int]:
    """Look at what is new of everybody on leave in these shards; returns what is known now and how many are found.

    Within the caller's transaction, which must be committed before the memory is used again. Raises ``LeaseLostError``
    if another worker holds one of the shards.
    """
    if memory.books is not book.books:
        memory = _renewed(connection, memory, book, fences, now)
    oldest_told, instant = to_microseconds(now - LATE_FOR), to_microseconds(now)
    current = [item for item in memory.watches if item.way.start <= instant and item.way.end > oldest_told]
    if not current:
        return memory, 0
    hold_shards(connection, fences)
    snapshot: str = connection.execute(text("SELECT pg_current_snapshot()::text")).scalar_one()
    news = _news(connection, current, snapshot, now)
    known = {item.way.leave_id: item for item in memory.watches}
    findings: list[FindingRow] = []
    for watch in current:
        since = news.get(watch.way.leave_id, oldest_told if watch.seen is None else None)
        seen = replace(watch, seen=snapshot)
        if since is not None:
            seen, found = _look_again(connection, seen, since, presence, policy, now, is_first=watch.seen is None)
            findings += found
        known[watch.way.leave_id] = seen
    save_findings(connection, findings)
    return replace(memory, watches=tuple(known.values())), len(findings)


def _look_again(
    connection: Connection,
    watch: _Watch,
    since: int,
    presence: PresencePolicy,
    policy: LeaveWayPolicy,
    now: datetime,
    *,
    is_first: bool,
) -> tuple[_Watch, list[FindingRow]]:
    """What is off the way by the log as ``watch.seen`` shows it, new since an instant, and what of it is no finding."""
    before = _found_before(connection, watch.way)
    start = _read_from(watch, since, before if is_first else (), policy)
    detours = _read_detours(connection, watch, start, presence, policy)
    kept = tuple(span for span in watch.stretches if span[1] < start)
    findings = [
        _finding(watch.way, item, policy, now)
        for item in detours
        if item.until >= to_microseconds(now - LATE_FOR) and not _is_among(item, before)
    ]
    return replace(watch, stretches=(*kept, *((item.since, item.until) for item in detours))), findings


def _renewed(
    connection: Connection, memory: LeaveMemory, book: ClockBook, fences: Mapping[int, int], now: datetime
) -> LeaveMemory:
    """The leaves by the rules now in force; of those of which nothing changed, what is known stays."""
    known = {item.way.leave_id: item for item in memory.watches}
    rows = [
        row
        for row in connection.execute(_LEAVES, {"since": now - LATE_FOR})
        if book.shard_of.get(row.subject_no) in fences and row.starts_at < row.ends_at
    ]
    orders = _orders_of(connection, {row.subject_no for row in rows})
    watches = []
    for row in rows:
        areas = tuple(_areas(orders.get(row.subject_no, ()), book.books.zones))
        content = (row.starts_at, row.ends_at, row.way, row.radius_m, areas)
        before = known.get(row.leave_id)
        if before is not None and before.way.content == content:
            watches.append(before)
        elif (way := _compiled(row, areas, book.books.zones, content)) is not None:
            watches.append(_Watch(way=way))
    return LeaveMemory(books=book.books, watches=tuple(watches))


def _compiled(row: Any, areas: Sequence[_Allowed], zones: ZoneBook, content: tuple[object, ...]) -> _Way | None:
    """The leave with its places compiled; ``None``, and a warning, for a way that cannot be one."""
    try:
        way = shape_from_geojson(json.loads(row.way), radius_m=row.radius_m)
    except ShapeError:
        log.warning("leave_way_unusable", leave_no=row.leave_no)
        return None
    start, end = to_microseconds(row.starts_at), to_microseconds(row.ends_at)
    places = [AllowedPlace(shape=way, during=Windows.build([start], [end]))]
    for zone_no, tolerance_m, spans in areas:
        shape = widened(zones.zones[zones.row_of(zone_no)].shape, tolerance_m)
        places.append(AllowedPlace(shape=shape, during=_windows(spans)))
    return _Way(
        leave_id=row.leave_id, subject_no=row.subject_no, order_no=row.order_no, start=start, end=end,
        allowed=AllowedPlaces.build(places), content=content,
    )  # fmt: skip


def _orders_of(connection: Connection, subjects: set[int]) -> dict[int, list[SupervisionOrder]]:
    found: dict[int, list[SupervisionOrder]] = {}
    if subjects:
        numbers = connection.execute(
            text("SELECT order_no FROM supervision_order WHERE subject_no = ANY(:numbers)"), {"numbers": list(subjects)}
        )
        for order in load_orders(connection, numbers.scalars().all()):
            found.setdefault(order.subject_no, []).append(order)
    return found


def _areas(orders: Sequence[SupervisionOrder], zones: ZoneBook) -> Iterator[_Allowed]:
    """Where each order lets its subject be at any hour, while it and that version of the zone are in force."""
    spans: dict[tuple[int, float], list[_Span]] = {}
    for order in orders:
        start = to_microseconds(max(order.valid_from, order.in_force_from or order.valid_from))
        end = to_microseconds(min(order.valid_to, order.in_force_to or order.valid_to))
        for item in order.conditions:
            row = zones.row_of(item.zone_no) if item.kind in INCLUSION_KINDS and item.zone_no is not None else -1
            for version in zones.spans.rows_of(int(zones.zone_key[row])).tolist() if row >= 0 else ():
                span = max(start, int(zones.spans.start[version])), min(end, int(zones.spans.end[version]))
                spans.setdefault((int(zones.zone_no[version]), item.tolerance_m), []).append(span)
    for (zone_no, tolerance_m), found in sorted(spans.items()):
        during = _windows(found)
        if len(during):
            yield zone_no, tolerance_m, tuple(zip(during.start.tolist(), during.end.tolist(), strict=True))


def _windows(spans: Sequence[_Span]) -> Windows:
    return Windows.build([start for start, _ in spans], [end for _, end in spans])


def _news(connection: Connection, watches: Sequence[_Watch], snapshot: str, now: datetime) -> dict[UUID, int]:
    """By leave the oldest fix, at most a week old, that was not seen yet; of those that were looked at before."""
    asked = [(item.way, item.seen) for item in watches if item.seen is not None]
    values = {
        "ids": [way.leave_id for way, _ in asked],
        "subjects": [way.subject_no for way, _ in asked],
        "seen": [seen for _, seen in asked],
        "starts": [to_instant(way.start) for way, _ in asked],
        "ends": [to_instant(way.end) for way, _ in asked],
        "since": now - LATE_FOR,
        "snapshot": snapshot,
    }
    return {row.leave_id: int(row.oldest) for row in connection.execute(_NEWS, values)} if asked else {}


def _found_before(connection: Connection, way: _Way) -> list[_Span]:
    rows = connection.execute(_FOUND, {"no": way.subject_no, "leave": str(way.leave_id)})
    return [(to_microseconds(row.started_at), to_microseconds(row.decided_at)) for row in rows]


def _read_from(watch: _Watch, since: int, before: Sequence[_Span], policy: LeaveWayPolicy) -> int:
    """From when on the log is looked at: from before any stretch that what is new could lengthen, cut or join.

    ``before``: what was found when no stretches were known yet.
    """
    gap = round(policy.most_gap_s * 1e6)
    start = since - round(policy.dwell_s * 1e6) - policy.least_fix_count * gap
    if before:
        start = min(start, before[-1][0])  # it may go on still
    for first, last in reversed(watch.stretches):
        if last + gap >= start:
            start = min(start, first)
    return max(start, watch.way.start)


def _read_detours(
    connection: Connection, watch: _Watch, start: int, presence: PresencePolicy, policy: LeaveWayPolicy
) -> tuple[Detour, ...]:
    way = watch.way
    asked = {"subjects": [way.subject_no], "since": to_instant(start - WARM_UP_US), "snapshot": watch.seen}
    fixes = read_filtered(connection, asked, presence)
    on_leave = np.flatnonzero((fixes.fixed_at >= start) & (fixes.fixed_at < way.end))
    return find_detours(fixes.take(on_leave), way.allowed, policy=policy)


def _is_among(detour: Detour, before: Sequence[_Span]) -> bool:
    return any(started <= detour.until and detour.since <= decided for started, decided in before)


def _finding(way: _Way, detour: Detour, policy: LeaveWayPolicy, now: datetime) -> FindingRow:
    minutes = (detour.found_at - detour.since) / 60e6
    return FindingRow(
        finding_id=derived_id("finding", detour.since, KIND, str(way.leave_id)),
        kind=KIND,
        subject_no=way.subject_no,
        order_no=way.order_no,
        started_at=detour.since,
        decided_at=detour.found_at,
        known_at=to_microseconds(now),
        probability=round(detour.probability, 4),
        detail={
            "leave_id": str(way.leave_id),
            "minutes": round(minutes),
            "farthest_m": rounded_m(detour.farthest_m),
            "is_late": to_microseconds(now) - detour.found_at > LATE_AFTER_US,
            "text_zh": off_way_zh(minutes=minutes, farthest_m=detour.farthest_m),
            "text_en": off_way_en(minutes=minutes, farthest_m=detour.farthest_m),
        },
        policy_version=policy.version,
    )
