"""Check-ins as they are stored: planned ahead, opened and missed by the clock, asked for, answered.

A row is its own record: every step goes from one state to the next and no other, under a key that every worker derives
alike, so that it happens once. A spot check that was not shown yet is no row for the device's side: row-level security
keeps it from the web process (migration 0016), not a condition that a query might forget.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text

from api.clock_book import CheckRule, ClockBook
from api.clock_edges import FindingRow, save_findings
from api.condition_parameters import CheckInParameters, SpotCheckParameters
from api.errors import NotThereError
from geo.postgis import insert_columns
from tracking.calendar import CalendarMissingError, local_day
from tracking.check_in import CheckInPolicy
from tracking.check_plan import CheckInKind, PlannedCheck, missed_at, monday_of, plan_check_ins, plan_spots
from tracking.clock_edges import CheckClock, EdgeBook, EdgeKind, check_edges
from tracking.episode import derived_id
from tracking.order import ConditionKind
from tracking.presence_rows import to_instant
from tracking.rules import to_microseconds
from tracking.spot_check import SpotCheckPolicy, planning_rng
from tracking.versions import ALWAYS

AHEAD = timedelta(days=2)
"""So far ahead check-ins are planned: a worker that is away for less loses none."""
SHOWN_WITHIN = timedelta(minutes=15)
"""A spot check that cannot be shown within this time of its own, since no worker ran, is withdrawn: an hour late it
could ask at night."""


class CheckInState(StrEnum):
    """What became of it. The words are stored."""

    PLANNED = "planned"  # 未到时间
    OPEN = "open"  # 可以打卡
    ANSWERED = "answered"  # 已按时打卡
    LATE = "late"  # 已迟到或补打
    MISSED = "missed"  # 未打卡
    WITHDRAWN = "withdrawn"  # 已撤回


def plan_ahead(
    connection: Connection, book: ClockBook, *, shards: Collection[int], secret: bytes, now: datetime
) -> int:
    """Plan the check-ins of the time ahead of the subjects in these shards; returns how many are new.

    Those planned before and no longer asked for (a leave, a varied order) are withdrawn, and planned again if they are
    after all. A condition whose days no calendar tells plans nothing: it is never guessed.
    """
    first, last = to_microseconds(now), to_microseconds(now + AHEAD)
    planned: dict[UUID, PlannedCheck] = {}
    for rule in book.checks:
        if book.shard_of[rule.condition.subject_no] in shards:
            planned |= {
                check.check_in_id: check
                for check in _planned(rule, book, secret=secret, now=now)
                if first < check.opens_at <= last
            }
    subjects = sorted({rule.condition.subject_no for rule in book.checks} & book.shard_of.keys())
    own = [subject_no for subject_no in subjects if book.shard_of[subject_no] in shards]
    if not own:
        return 0
    connection.execute(
        text(
            "UPDATE check_in SET state = 'withdrawn' WHERE subject_no = ANY(:subjects) AND state = 'planned'"
            " AND kind <> 'asked' AND opens_at > :now AND opens_at <= :until AND check_in_id <> ALL(:ids)"
        ),
        {"subjects": own, "now": now, "until": now + AHEAD, "ids": list(planned)},
    )
    return _insert(connection, list(planned.values()))


def step_check_ins(connection: Connection, *, shards: Collection[int], now: datetime) -> int:
    """Open, show, and find missed what the clock says of these shards up to ``now``; returns how many steps."""
    rows = connection.execute(
        text(
            "SELECT c.check_in_id, c.subject_no, c.condition_no, c.kind, c.opens_at, c.due_at, c.make_up_until,"
            " c.shown_at, c.state, o.parameters FROM check_in c JOIN open_subject s USING (subject_no)"
            " LEFT JOIN condition o USING (condition_no)"
            " WHERE s.shard = ANY(:shards) AND c.state IN ('planned', 'open') AND c.opens_at <= :now"
        ),
        {"shards": list(shards), "now": now},
    ).all()
    by_id = {row.check_in_id: row for row in rows}
    edges = EdgeBook.build(edge for row in rows for edge in check_edges(_clock_of(row)))
    opened, missed = [], []
    for edge in edges.between(ALWAYS, to_microseconds(now)):
        row = by_id[edge.about]
        if edge.kind in (EdgeKind.CHECK_IN_OPEN, EdgeKind.SPOT_CHECK_SHOWN) and row.state == CheckInState.PLANNED:
            opened.append(row)
        elif edge.kind in (EdgeKind.CHECK_IN_DUE, EdgeKind.SPOT_CHECK_DUE) and _may_be_missed(row):
            missed.append((row, edge.due_at))
    stale = [row for row in opened if row.kind == CheckInKind.SPOT and now - row.opens_at > SHOWN_WITHIN]
    stale_ids = {row.check_in_id for row in stale}
    _set_state(
        connection, [row.check_in_id for row in opened if row.check_in_id not in stale_ids], "open", shown_at=now
    )
    _set_state(connection, sorted(stale_ids, key=str), "withdrawn", shown_at=None)
    _miss(connection, missed, now)
    return len(opened) + len(missed)


def open_check_ins(connection: Connection, subject_no: int, *, now: datetime) -> list[dict[str, Any]]:
    """What the subject may answer now, or still make up, soonest first."""
    rows = connection.execute(
        text(
            "SELECT check_in_id, kind, opens_at, due_at, shown_at, make_up_until, state FROM check_in"
            " WHERE subject_no = :subject_no AND opens_at <= :now AND (state IN ('planned', 'open')"
            " OR state = 'missed' AND make_up_until >= :now) ORDER BY opens_at, check_in_id"
        ),
        {"subject_no": subject_no, "now": now},
    )
    return [
        {
            "check_in_id": str(row.check_in_id),
            "kind": row.kind,
            "opens_at": (row.shown_at or row.opens_at).isoformat(),
            "due_at": _limit(row).isoformat(),
            "is_make_up": row.state == CheckInState.MISSED,
        }
        for row in rows
    ]


def answer_check_in(
    connection: Connection, check_in_id: UUID, *, subject_no: int, fix_key: int, now: datetime
) -> CheckInState:
    """Take an answer that came at ``now`` with a fix of the log; what the check-in is then. An answer given twice is
    one. Raises ``NotThereError`` for a check-in of somebody else, not open yet, or no longer to be made up.
    """
    row = connection.execute(
        text(
            "SELECT check_in_id, kind, opens_at, due_at, shown_at, make_up_until, state, answered_at FROM check_in"
            " WHERE check_in_id = :id AND subject_no = :subject_no AND opens_at <= :now FOR UPDATE"
        ),
        {"id": check_in_id, "subject_no": subject_no, "now": now},
    ).one_or_none()
    if row is None or row.state == CheckInState.WITHDRAWN:
        raise NotThereError
    if row.answered_at is not None:
        return CheckInState(row.state)
    if row.state == CheckInState.MISSED and (row.make_up_until is None or now > row.make_up_until):
        raise NotThereError
    is_in_time = row.state != CheckInState.MISSED and now <= _limit(row)
    state = CheckInState.ANSWERED if is_in_time else CheckInState.LATE
    connection.execute(
        text("UPDATE check_in SET state = :state, answered_at = :now, fix_key = :fix_key WHERE check_in_id = :id"),
        {"state": str(state), "now": now, "fix_key": fix_key, "id": check_in_id},
    )
    return state


def _planned(rule: CheckRule, book: ClockBook, *, secret: bytes, now: datetime) -> tuple[PlannedCheck, ...]:
    first_day, last_day = local_day(now), local_day(now + AHEAD)
    try:
        if rule.kind is ConditionKind.CHECK_IN:
            return plan_check_ins(
                rule.condition, first_day=first_day, last_day=last_day, calendar=book.calendar,
                policy=_check_in_policy(rule.parameters),
            )  # fmt: skip
        return plan_spots(
            rule.condition,
            weeks=sorted({monday_of(first_day), monday_of(last_day)}),
            calendar=book.calendar,
            policy=_spot_policy(rule.parameters),
            rng_for=_rng_for(secret),
        )
    except CalendarMissingError:
        return ()


def _spot_policy(parameters: Mapping[str, Any]) -> SpotCheckPolicy:
    asked = SpotCheckParameters.model_validate(parameters)
    return SpotCheckPolicy(
        per_week=asked.per_week, spacing_s=60.0 * asked.spacing_minutes, answer_s=60.0 * asked.answer_minutes
    )  # fmt: skip


def _check_in_policy(parameters: Mapping[str, Any] | None) -> CheckInPolicy:
    """What the condition says of lateness and making up; for a check-in of no condition the defaults."""
    asked = CheckInParameters.model_validate(parameters or {})
    grace_s = 60.0 * asked.grace_minutes
    return CheckInPolicy(grace_s=grace_s, make_up_s=max(grace_s, 3_600.0 * asked.make_up_hours))


def _rng_for(secret: bytes) -> Callable[[UUID, int], np.random.Generator]:
    def rng_for(condition_id: UUID, planned_from: int) -> np.random.Generator:
        return planning_rng(secret, condition_id=condition_id, planned_from=planned_from)

    return rng_for


def _insert(connection: Connection, checks: Sequence[PlannedCheck]) -> int:
    return insert_columns(
        connection,
        "check_in",
        {
            "check_in_id": ("uuid", [check.check_in_id for check in checks]),
            "subject_no": ("bigint", [check.subject_no for check in checks]),
            "condition_no": ("bigint", [check.condition_no for check in checks]),
            "kind": ("text", [str(check.kind) for check in checks]),
            "opens_at": ("timestamptz", [to_instant(check.opens_at) for check in checks]),
            "due_at": ("timestamptz", [to_instant(check.due_at) for check in checks]),
            "make_up_until": (
                "timestamptz",
                [None if check.make_up_until is None else to_instant(check.make_up_until) for check in checks],
            ),
            "state": ("text", ["planned"] * len(checks)),
        },
        on_conflict="ON CONFLICT (check_in_id) DO UPDATE SET state = 'planned' WHERE check_in.state = 'withdrawn'"
        " AND check_in.shown_at IS NULL",
    )


def _clock_of(row: Any) -> CheckClock:
    policy = _check_in_policy(row.parameters if row.kind == CheckInKind.PLANNED else None)
    due_at = missed_at(to_microseconds(_limit(row)), CheckInKind(row.kind), policy)
    return CheckClock(
        check_in_id=row.check_in_id,
        subject_no=row.subject_no,
        condition_no=-1 if row.condition_no is None else row.condition_no,
        is_spot=row.kind == CheckInKind.SPOT,
        opens_at=to_microseconds(row.opens_at),
        due_at=due_at,
        make_up_until=None if row.make_up_until is None else to_microseconds(row.make_up_until),
    )


def _limit(row: Any) -> datetime:
    """Until when an answer is in time: for a spot check so long after it was shown as it has from its plan."""
    if row.kind == CheckInKind.SPOT and row.shown_at is not None:
        return row.due_at + (row.shown_at - row.opens_at)  # type: ignore[no-any-return] # a row's columns are untyped
    return row.due_at  # type: ignore[no-any-return]


def _may_be_missed(row: Any) -> bool:
    """A spot check that nobody was shown is nobody's miss; a window of the timetable is known to the subject."""
    return bool(row.state == CheckInState.OPEN or row.kind == CheckInKind.PLANNED)


def _set_state(connection: Connection, ids: Sequence[UUID], state: str, *, shown_at: datetime | None) -> None:
    if ids:
        connection.execute(
            text(
                "UPDATE check_in SET state = :state, shown_at = coalesce(:shown_at, shown_at)"
                " WHERE check_in_id = ANY(:ids) AND state = 'planned'"
            ),
            {"ids": list(ids), "state": state, "shown_at": shown_at},
        )


def _miss(connection: Connection, missed: Sequence[tuple[Any, int]], now: datetime) -> None:
    """Mark as missed what nobody answered meanwhile, with the finding."""
    if not missed:
        return
    still = connection.execute(
        text(
            "UPDATE check_in SET state = 'missed' WHERE check_in_id = ANY(:ids) AND state IN ('planned', 'open')"
            " RETURNING check_in_id"
        ),
        {"ids": [row.check_in_id for row, _ in missed]},
    )
    ids = set(still.scalars())
    save_findings(
        connection,
        [
            FindingRow(
                finding_id=derived_id("finding", due_at, _MISSED[row.kind], str(row.check_in_id)),
                kind=_MISSED[row.kind],
                subject_no=row.subject_no,
                condition_no=row.condition_no,
                started_at=to_microseconds(row.opens_at),
                decided_at=due_at,
                known_at=to_microseconds(now),
                detail={"check_in_id": str(row.check_in_id), "kind": row.kind},
            )
            for row, due_at in missed
            if row.check_in_id in ids
        ],
    )


_MISSED = {"planned": "check_in_missed", "asked": "check_in_missed", "spot": "spot_check_missed"}
