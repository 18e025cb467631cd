"""What the clock brings about, with no fix arriving: once, whoever runs it, however often it dies.

The holder of a shard looks at the clock every few seconds. In one transaction, fenced like every other: the mark of the
shard moves, each edge that fell due is written to ``clock_edge`` under its derived key, and only what was not there
before has its effect. A second worker, or the same one after a crash or a jump of its clock, finds the key taken
(ADR 0023).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text

from api.clock_book import ClockBook
from api.leases import check_leases, hold_shards
from geo.postgis import insert_columns
from tracking.clock_edges import ClockEdge, EdgeKind, binding_edges, lifting_due_at, span_to_plan
from tracking.episode import derived_id
from tracking.inside_edges import InsideEdge, inside_when_bound
from tracking.order import ConditionKind, Organ, SupervisionOrder
from tracking.order_store import load_orders
from tracking.policy import ENGINE_VERSION, PresencePolicy
from tracking.presence_rows import to_instant
from tracking.rules import to_microseconds
from tracking.states import PresenceStates
from tracking.term_end import find_overdue_lifting
from tracking.terms import term_of
from tracking.whereabouts import whereabouts

ACCOUNTED_FROM = 0.5
"""Who is at the place with at least this share is where they should be; with as much outside, they are not."""
MARK_EVERY_US = 600_000_000
"""The mark is written when something fell due, and else so often: what is planned twice is done once by its key."""
CLOCK_POLICY = "clock-1"
"""Stored with what the clock found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A row of ``finding``: what is found and is no presence at a zone. Instants are microseconds, UTC."""

    finding_id: UUID
    kind: str
    subject_no: int
    started_at: int
    decided_at: int
    known_at: int
    detail: Mapping[str, Any]
    order_no: int | None = None
    condition_no: int | None = None
    probability: float | None = None
    policy_version: str = CLOCK_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A row of ``task``: work for a person, from an edge, at most once."""

    kind: str
    edge: ClockEdge
    due_at: int


def pass_edges(
    connection: Connection,
    book: ClockBook,
    *,
    fences: Mapping[int, int],
    states: PresenceStates,
    policy: PresencePolicy,
    now: datetime,
    is_news: bool,
) -> int:
    """Do what fell due in these shards up to ``now``, within the caller's transaction; returns how many edges.

    ``states``: what is known of their subjects. ``is_news``: the book is not the one of the last run. Raises
    ``LeaseLostError`` if another worker holds one of the shards.
    """
    marks = _read_marks(connection, fences)
    instant = to_microseconds(now)
    due: dict[UUID, ClockEdge] = {}
    rule_row: dict[UUID, int] = {}
    inside: dict[UUID, InsideEdge] = {}
    for mark in set(marks.values()):
        span = span_to_plan(mark=mark, now=instant, is_news=is_news)
        shards = {shard for shard, own in marks.items() if own == mark}
        for edge in book.edges.between(span.after, span.until):
            if book.shard_of[edge.subject_no] in shards:
                due[edge.edge_id] = edge
        bound = binding_edges(book.books.rules, known_at=book.rule_known_at, after=span.after, until=span.until)
        for edge, row in bound:
            # One whose time is over already asks nobody where they are.
            if book.shard_of.get(edge.subject_no) in shards and book.books.rules.valid_to[row] > instant:
                due[edge.edge_id], rule_row[edge.edge_id] = edge, row
        for found in inside_when_bound(
            states.subject_rows, book.books.rules, book.books.zones, known_at=book.rule_known_at,
            after=span.after, until=span.until, policy=policy,
        ):  # fmt: skip
            if book.shard_of.get(found.edge.subject_no) in shards and not _is_followed(states, found):
                due[found.edge.edge_id], inside[found.edge.edge_id] = found.edge, found
    if due or is_news or any(_is_far(mark, instant) for mark in marks.values()):
        _move_marks(connection, fences, now)
    fresh = _not_done(connection, due, now)
    save_findings(connection, [_inside_row(inside[edge.edge_id], now) for edge in fresh if edge.edge_id in inside])
    others = [edge for edge in fresh if edge.edge_id not in inside]
    _bring_about(connection, book, others, rule_row, states, policy, now=now)
    return len(fresh)


def save_findings(connection: Connection, rows: Sequence[FindingRow]) -> int:
    """Store findings; one that is there already stays as it is. Returns how many are new.

    Those are noted until COMMIT for hop 5, which hears of each in the transaction that found it (``api.alerting``).
    """
    if not rows:
        return 0
    connection.execute(text(NEW_FINDINGS))
    return insert_columns(
        connection,
        "finding",
        {
            "finding_id": ("uuid", [row.finding_id for row in rows]),
            "subject_no": ("bigint", [row.subject_no for row in rows]),
            "order_no": ("bigint", [row.order_no for row in rows]),
            "condition_no": ("bigint", [row.condition_no for row in rows]),
            "kind": ("text", [row.kind for row in rows]),
            "started_at": ("timestamptz", [to_instant(row.started_at) for row in rows]),
            "decided_at": ("timestamptz", [to_instant(row.decided_at) for row in rows]),
            "known_at": ("timestamptz", [to_instant(row.known_at) for row in rows]),
            "probability": ("double precision", [row.probability for row in rows]),
            "detail": ("jsonb", [json.dumps(row.detail, ensure_ascii=False) for row in rows]),
            "engine_version": ("text", [ENGINE_VERSION for _ in rows]),
            "policy_version": ("text", [row.policy_version for row in rows]),
        },
        on_conflict="ON CONFLICT (finding_id) DO NOTHING RETURNING finding_id",
        noted_in="new_finding",
    )


NEW_FINDINGS = "CREATE TEMP TABLE IF NOT EXISTS new_finding (finding_id uuid PRIMARY KEY) ON COMMIT DELETE ROWS"
"""What this transaction found and hop 5 did not hear of yet."""


def _read_marks(connection: Connection, fences: Mapping[int, int]) -> dict[int, int | None]:
    """How far the clock of each shard was done, microseconds."""
    check_leases(connection, fences)
    rows = connection.execute(
        text("SELECT shard, clock_at FROM shard WHERE shard = ANY(:shards)"), {"shards": list(fences)}
    )
    return {row.shard: None if row.clock_at is None else to_microseconds(row.clock_at) for row in rows}


def _move_marks(connection: Connection, fences: Mapping[int, int], now: datetime) -> None:
    hold_shards(connection, fences)
    connection.execute(
        text("UPDATE shard SET clock_at = :now WHERE shard = ANY(:shards)"), {"now": now, "shards": list(fences)}
    )


def _is_far(mark: int | None, instant: int) -> bool:
    return mark is None or not 0 <= instant - mark < MARK_EVERY_US


def _not_done(connection: Connection, due: Mapping[UUID, ClockEdge], now: datetime) -> list[ClockEdge]:
    """The edges that nobody did before, written down as done."""
    if not due:
        return []
    edges = sorted(due.values(), key=lambda edge: (edge.at, edge.edge_id))
    new = connection.execute(
        text(
            "INSERT INTO clock_edge (edge_id, kind, subject_no, due_at, done_at) SELECT edge_id, kind, subject_no,"
            " due_at, :now FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:subjects AS bigint[]),"
            " CAST(:due AS timestamptz[])) AS e (edge_id, kind, subject_no, due_at)"
            " ON CONFLICT DO NOTHING RETURNING edge_id"
        ),
        {
            "ids": [edge.edge_id for edge in edges],
            "kinds": [str(edge.kind) for edge in edges],
            "subjects": [edge.subject_no for edge in edges],
            "due": [to_instant(edge.due_at) for edge in edges],
            "now": now,
        },
    )
    ids = set(new.scalars())
    return [edge for edge in edges if edge.edge_id in ids]


def _bring_about(
    connection: Connection,
    book: ClockBook,
    edges: Sequence[ClockEdge],
    rule_row: Mapping[UUID, int],
    states: PresenceStates,
    policy: PresencePolicy,
    *,
    now: datetime,
) -> None:
    """The effects of edges done for the first time."""
    by_kind: dict[EdgeKind, list[ClockEdge]] = {}
    for edge in edges:
        by_kind.setdefault(edge.kind, []).append(edge)
    begun = by_kind.get(EdgeKind.CURFEW_START, []) + by_kind.get(EdgeKind.ZONE_START, [])
    rows = np.array([rule_row[edge.edge_id] for edge in begun], dtype=np.int64)
    findings = _unaccounted(book, begun, rows, states, policy, now=now)
    orders = _orders_of(connection, edges)
    tasks, breaches = _about_orders(by_kind, orders, now)
    tasks += [
        TaskRow(kind="guardian_stop", edge=edge, due_at=edge.due_at) for edge in by_kind.get(EdgeKind.MAJORITY, [])
    ]
    findings += breaches + _overstayed(connection, by_kind.get(EdgeKind.LEAVE_OVER, []), now)
    save_findings(connection, findings)
    _save_tasks(connection, tasks, now)


def _unaccounted(
    book: ClockBook,
    edges: Sequence[ClockEdge],
    rule_row: Any,
    states: PresenceStates,
    policy: PresencePolicy,
    *,
    now: datetime,
) -> list[FindingRow]:
    """Of duties to be somewhere that began: who is not known to be there, and of whom no fix has told since."""
    if not edges:
        return []
    instant, rules = to_microseconds(now), book.books.rules
    subjects = states.rows_for(np.array([edge.subject_no for edge in edges], dtype=np.int64))
    found = whereabouts(
        subjects, rule_row=rule_row, at=instant, rules=rules, zones=book.books.zones, policy=policy
    )  # fmt: skip
    has_told = subjects["last_weighed_at"] >= np.array([edge.due_at for edge in edges])
    has_told |= _is_open(states, subjects["subject_no"], rules.condition_key[rule_row])
    # A city is left on the way: of whom nothing is known when a whole area begins to bind, nothing is to be told.
    is_place = np.array([rules.conditions[row].kind is not ConditionKind.STAY_WITHIN_AREA for row in rule_row.tolist()])
    is_told = np.where(is_place, found.inside < ACCOUNTED_FROM, found.outside >= ACCOUNTED_FROM)
    rows = []
    for number in np.flatnonzero(~has_told & is_told).tolist():
        edge, age_s = edges[number], float(found.age_s[number])
        outside = float(found.outside[number])
        rows.append(
            FindingRow(
                finding_id=derived_id("finding", edge.due_at, "curfew_unaccounted", str(edge.about)),
                kind="curfew_unaccounted",
                subject_no=edge.subject_no,
                order_no=edge.order_no,
                condition_no=edge.condition_no,
                started_at=edge.due_at,
                decided_at=edge.at,
                known_at=instant,
                # Unknown is told as unknown: a probability would be read as "outside".
                probability=round(outside, 4) if outside >= ACCOUNTED_FROM else None,
                detail={
                    "edge": str(edge.kind),
                    "is_unknown": outside < ACCOUNTED_FROM,
                    "inside": round(float(found.inside[number]), 4),
                    "outside": round(outside, 4),
                    "unknown": round(float(found.unknown[number]), 4),
                    "last_fix_age_s": round(age_s) if np.isfinite(age_s) else None,
                },
            )
        )
    return rows


def _is_open(states: PresenceStates, subject_no: Any, condition_key: Any) -> Any:
    """Whether the engine follows a presence of each subject in breach of each condition already."""
    opened = set(
        zip(states.open_rows["subject_no"].tolist(), states.open_rows["condition_no"].tolist(), strict=True)
    )  # fmt: skip
    pairs = zip(subject_no.tolist(), condition_key.tolist(), strict=True)
    return np.array([pair in opened for pair in pairs], dtype=bool)


def _is_followed(states: PresenceStates, found: InsideEdge) -> bool:
    """Whether the engine follows this very presence already."""
    rows = states.open_rows
    is_same = (rows["subject_no"] == found.edge.subject_no) & (rows["condition_no"] == found.condition_key)
    return bool(np.any(is_same & (rows["zone_no"] == found.zone_key)))


def _inside_row(found: InsideEdge, now: datetime) -> FindingRow:
    """Presence in a place when it began to be forbidden: nobody saw the subject enter."""
    edge = found.edge
    return FindingRow(
        finding_id=derived_id("finding", edge.due_at, "inside_when_bound", str(edge.about), found.zone_key),
        kind="inside_when_bound",
        subject_no=edge.subject_no,
        order_no=edge.order_no,
        condition_no=edge.condition_no,
        started_at=edge.due_at,
        decided_at=edge.at,
        known_at=to_microseconds(now),
        probability=round(found.inside, 4),
        detail={
            "edge": str(edge.kind),
            "is_entry": False,
            "zone_no": found.zone_no,
            "inside": round(found.inside, 4),
            "unknown": round(1.0 - found.inside, 4),
            "last_fix_age_s": round(found.age_s),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OrderNow:
    """An order as it stands at the time of the effect, which may be later than that of the book."""

    order: SupervisionOrder
    stage: Organ | None
    lifted_at: datetime | None


def _orders_of(connection: Connection, edges: Sequence[ClockEdge]) -> dict[int, _OrderNow]:
    numbers = sorted({edge.order_no for edge in edges if edge.order_no >= 0})
    if not numbers:
        return {}
    rows = connection.execute(
        text(
            "SELECT o.order_no, o.stage, l.lifted_at FROM supervision_order o JOIN LATERAL (SELECT"
            " coalesce(n.lifted_at, n.superseded_at) AS lifted_at FROM supervision_order n"
            " WHERE n.order_id = o.order_id ORDER BY n.version DESC LIMIT 1) l ON true"
            " WHERE o.order_no = ANY(:numbers)"
        ),
        {"numbers": numbers},
    ).all()
    orders = {order.order_no: order for order in load_orders(connection, numbers)}
    return {
        row.order_no: _OrderNow(
            order=orders[row.order_no],
            stage=None if row.stage is None else Organ(row.stage),
            lifted_at=row.lifted_at,
        )
        for row in rows
    }


def _about_orders(
    by_kind: Mapping[EdgeKind, Sequence[ClockEdge]], orders: Mapping[int, _OrderNow], now: datetime
) -> tuple[list[TaskRow], list[FindingRow]]:
    """Tasks of the office about terms, and its own breaches."""
    tasks, breaches = [], []
    for kind, name in ((EdgeKind.REMINDER, "order_reminder"), (EdgeKind.REVIEW_DUE, "review")):
        for edge in by_kind.get(kind, ()):
            current = orders[edge.order_no]
            if current.lifted_at is None and now < current.order.valid_to:
                due_at = to_microseconds(current.order.valid_to) if kind is EdgeKind.REMINDER else edge.due_at
                tasks.append(TaskRow(kind=name, edge=edge, due_at=due_at))
    for edge in by_kind.get(EdgeKind.ORDER_END, ()):
        current = orders[edge.order_no]
        if current.lifted_at is None and current.order.valid_to <= now:
            due_at = to_microseconds(lifting_due_at(current.order))
            tasks.append(TaskRow(kind="lifting", edge=edge, due_at=due_at))
    for edge in by_kind.get(EdgeKind.LIFTING_OVERDUE, ()):
        current = orders[edge.order_no]
        if current.lifted_at is None:
            breaches.append(_not_lifted(edge, current, now))
    return tasks, breaches


def _not_lifted(edge: ClockEdge, current: _OrderNow, now: datetime) -> FindingRow:
    """The office's own breach, in plain words, with the articles: never one by the subject."""
    term = term_of(current.order, organ=current.stage or Organ.POLICE)
    overdue = find_overdue_lifting(term, now=now)
    assert overdue is not None, "the edge lies after the end of the term"
    return FindingRow(
        finding_id=derived_id("finding", edge.due_at, "order_not_lifted", str(edge.about)),
        kind="order_not_lifted",
        subject_no=edge.subject_no,
        order_no=edge.order_no,
        started_at=to_microseconds(current.order.valid_to),
        decided_at=edge.at,
        known_at=to_microseconds(now),
        detail={
            "breach_by": "office",
            "text_zh": overdue.text_zh,
            "text_en": overdue.text_en,
            "articles": overdue.articles if current.stage is not None else None,
        },
    )


def _overstayed(connection: Connection, edges: Sequence[ClockEdge], now: datetime) -> list[FindingRow]:
    """Leaves that are over with nobody back, marked so."""
    if not edges:
        return []
    still_out = connection.execute(
        text(
            "UPDATE leave SET state = 'overstayed' WHERE leave_id = ANY(:ids) AND state = 'approved' AND to_at <= :now"
            " RETURNING leave_id"
        ),
        {"ids": [edge.about for edge in edges], "now": now},
    )
    ids = set(still_out.scalars())
    return [
        FindingRow(
            finding_id=derived_id("finding", edge.due_at, "leave_overstay", str(edge.about)),
            kind="leave_overstay",
            subject_no=edge.subject_no,
            order_no=edge.order_no,
            started_at=edge.due_at,
            decided_at=edge.at,
            known_at=to_microseconds(now),
            detail={"leave_id": str(edge.about)},
        )
        for edge in edges
        if edge.about in ids
    ]


def _save_tasks(connection: Connection, rows: Sequence[TaskRow], now: datetime) -> None:
    insert_columns(
        connection,
        "task",
        {
            "task_id": ("uuid", [_task_id(row) for row in rows]),
            "kind": ("text", [row.kind for row in rows]),
            "subject_no": ("bigint", [row.edge.subject_no for row in rows]),
            "order_no": ("bigint", [row.edge.order_no if row.edge.order_no >= 0 else None for row in rows]),
            "due_at": ("timestamptz", [to_instant(row.due_at) for row in rows]),
            "opened_at": ("timestamptz", [now] * len(rows)),
        },
        on_conflict="ON CONFLICT (task_id) DO NOTHING",
    )


def _task_id(row: TaskRow) -> UUID:
    return derived_id("task", row.edge.due_at, row.kind, str(row.edge.about), row.edge.step)
