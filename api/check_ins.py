"""Check-ins as they are stored: planned ahead, opened and missed by the clock, asked for, answered.

A row is its own record: every step goes from one state to the next and no other, under a key that every worker derives
alike, so that it happens once. A spot check that was not shown yet is no row for the device's side: row-level security
keeps it from the web process (migration 0016), not a condition that a query might forget.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
from tracking.check_in import CheckInPolicy, CheckInState, CheckInTimes, settle_check_in
from tracking.check_plan import CheckInKind, PlannedCheck, lies_in, monday_of, plan_check_ins, plan_spots
from tracking.episode import derived_id
from tracking.order import ConditionKind
from tracking.presence_rows import to_instant
from tracking.rules import to_microseconds
from tracking.spot_check import SpotCheckPolicy, planning_rng

AHEAD = timedelta(days=2)
"""So far ahead check-ins are planned: a worker that is away for less loses none."""
SHOWN_WITHIN = timedelta(minutes=15)
"""A spot check that cannot be shown within this time of its own, since no worker ran, is withdrawn: an hour late it
could ask at night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What the clock makes of one row: its next state, and what is found with it, each at an instant."""

    row: Any
    state: CheckInState
    shown_at: datetime | None = None
    found: tuple[tuple[str, int], ...] = ()


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
    _withdraw_unbound(connection, book, own)
    return _insert(connection, list(planned.values()))


def step_check_ins(connection: Connection, *, shards: Collection[int], now: datetime) -> int:
    """Do what the clock says of the check-ins of these shards up to ``now``; returns how many steps."""
    rows = connection.execute(
        text(
            f"SELECT {_OF_ROW}, c.subject_no, c.condition_no FROM check_in c JOIN open_subject s USING (subject_no)"
            " WHERE s.shard = ANY(:shards) AND (c.state IN ('planned', 'open') AND c.opens_at <= :now"
            " OR c.state = 'missed' AND c.make_up_until < :now) ORDER BY c.opens_at, c.check_in_id"
        ),
        {"shards": list(shards), "now": now},
    ).all()
    steps = [step for row in rows if (step := _step_of(row, now)) is not None]
    steps = _without_ungoverned(connection, steps)
    taken = _take(connection, steps)
    save_findings(
        connection,
        [
            _finding(step.row, kind, at, now)
            for step in steps
            if step.row.check_in_id in taken
            for kind, at in step.found
        ],
    )
    return len(taken)


def open_check_ins(connection: Connection, subject_no: int, *, now: datetime) -> list[dict[str, Any]]:
    """What the subject may answer now, or still make up, soonest first."""
    rows = connection.execute(
        text(
            f"SELECT {_OF_ROW} FROM check_in c WHERE subject_no = :subject_no AND opens_at <= :now"
            " AND answered_at IS NULL AND (state IN ('planned', 'open') OR state <> 'withdrawn'"
            " AND make_up_until >= :now) ORDER BY opens_at, check_in_id"
        ),
        {"subject_no": subject_no, "now": now},
    ).all()
    instant = to_microseconds(now)
    return [
        {
            "check_in_id": str(row.check_in_id),
            "kind": row.kind,
            "opens_at": (row.shown_at or row.opens_at).isoformat(),
            "due_at": to_instant(times.due_at).isoformat(),
            "is_make_up": times.is_missed(answered_at=None, now=instant),
        }
        for row in rows
        if (times := _times(row)).may_be_answered(instant)
    ]


def answer_check_in(
    connection: Connection, check_in_id: UUID, *, subject_no: int, fix_key: int, now: datetime
) -> CheckInState:
    """Take an answer that came at ``now`` with a fix of the log; what the check-in is then. An answer given twice is
    one. Raises ``NotThereError`` for a check-in of somebody else, not open yet, or no longer to be made up.
    """
    row = connection.execute(
        text(
            f"SELECT {_OF_ROW} FROM check_in c WHERE check_in_id = :id AND subject_no = :subject_no"
            " AND opens_at <= :now FOR UPDATE"
        ),
        {"id": check_in_id, "subject_no": subject_no, "now": now},
    ).one_or_none()
    instant = to_microseconds(now)
    if row is None or row.state == CheckInState.WITHDRAWN:
        raise NotThereError
    times = _times(row)
    if row.answered_at is not None:
        answered_at = to_microseconds(row.answered_at)
        return settle_check_in(times, answered_at=answered_at, now=max(instant, answered_at))
    if not times.may_be_answered(instant):
        raise NotThereError
    state = settle_check_in(times, answered_at=instant, now=instant)
    # A miss that no worker noted yet is noted all the same: the row waits for it as it is.
    is_noted = row.state in (CheckInState.MISSED, CheckInState.ABSENT)
    is_waiting = not is_noted and times.is_missed(answered_at=instant, now=instant)
    connection.execute(
        text("UPDATE check_in SET state = :state, answered_at = :now, fix_key = :fix_key WHERE check_in_id = :id"),
        {"state": row.state if is_waiting else str(state), "now": now, "fix_key": fix_key, "id": check_in_id},
    )
    return state


def _withdraw_unbound(connection: Connection, book: ClockBook, subjects: Sequence[int]) -> None:
    """What is open already is withdrawn if its condition no longer binds to its end: lifted, varied, or on leave."""
    binds = {rule.condition.condition_id: rule.condition.binds for rule in book.checks}
    rows = connection.execute(
        text(
            f"SELECT {_OF_ROW}, o.condition_id FROM check_in c JOIN condition o USING (condition_no)"
            " WHERE c.subject_no = ANY(:subjects) AND c.state IN ('planned', 'open') AND c.kind <> 'asked'"
            " AND c.answered_at IS NULL"
        ),
        {"subjects": list(subjects)},
    ).all()
    gone = []
    for row in rows:
        times = _times(row)
        if row.condition_id in binds and not lies_in(binds[row.condition_id], times.opens_at, times.due_at):
            gone.append(_Step(row=row, state=CheckInState.WITHDRAWN))
    _take(connection, gone)


def _step_of(row: Any, now: datetime) -> _Step | None:
    if row.kind == CheckInKind.SPOT and row.shown_at is None:
        # One that nobody was shown is nobody's miss; a window of the timetable is known to the subject.
        if now - row.opens_at > SHOWN_WITHIN:
            return _Step(row=row, state=CheckInState.WITHDRAWN)
        return _Step(row=row, state=CheckInState.OPEN, shown_at=now)
    times, instant = _times(row), to_microseconds(now)
    answered_at = None if row.answered_at is None else to_microseconds(row.answered_at)
    state = settle_check_in(times, answered_at=answered_at, now=instant)
    if state == row.state:
        return None
    found = []
    if row.state != CheckInState.MISSED and times.is_missed(answered_at=answered_at, now=instant):
        found.append((_MISSED[row.kind], times.grace_until + 1))
    if state is CheckInState.ABSENT and times.make_up_until is not None:
        found.append(("check_in_not_made_up", times.make_up_until + 1))
    shown_at = now if state is CheckInState.OPEN else None
    return _Step(row=row, state=state, shown_at=shown_at, found=tuple(found))


def _without_ungoverned(connection: Connection, steps: Sequence[_Step]) -> list[_Step]:
    """Who was asked, and was under no order any more when the answer was due, has missed nothing."""
    asked = [step.row.check_in_id for step in steps if step.found and step.row.kind == CheckInKind.ASKED]
    if not asked:
        return list(steps)
    gone = set(
        connection.execute(
            text(
                "SELECT check_in_id FROM check_in c WHERE check_in_id = ANY(:ids) AND NOT EXISTS"
                " (SELECT FROM order_in_force f WHERE f.subject_no = c.subject_no AND f.in_force_from <= c.due_at"
                " AND c.due_at < f.in_force_to)"
            ),
            {"ids": asked},
        ).scalars()
    )
    return [
        replace(step, state=CheckInState.WITHDRAWN, found=()) if step.row.check_in_id in gone else step
        for step in steps
    ]


def _take(connection: Connection, steps: Sequence[_Step]) -> set[UUID]:
    """Take these steps, each if its row is still as it was read; returns the ids of those taken."""
    if not steps:
        return set()
    taken = connection.execute(
        text(
            "UPDATE check_in c SET state = n.state, shown_at = coalesce(n.shown_at, c.shown_at)"
            " FROM unnest(CAST(:ids AS uuid[]), CAST(:before AS text[]), CAST(:answers AS timestamptz[]),"
            " CAST(:states AS text[]), CAST(:shown AS timestamptz[]))"
            " AS n (check_in_id, before, answered_at, state, shown_at)"
            " WHERE c.check_in_id = n.check_in_id AND c.state = n.before"
            " AND c.answered_at IS NOT DISTINCT FROM n.answered_at RETURNING c.check_in_id"
        ),
        {
            "ids": [step.row.check_in_id for step in steps],
            "before": [step.row.state for step in steps],
            "answers": [step.row.answered_at for step in steps],
            "states": [str(step.state) for step in steps],
            "shown": [step.shown_at for step in steps],
        },
    )
    return set(taken.scalars())


def _finding(row: Any, kind: str, at: int, now: datetime) -> FindingRow:
    return FindingRow(
        finding_id=derived_id("finding", at, kind, str(row.check_in_id)),
        kind=kind,
        subject_no=row.subject_no,
        condition_no=row.condition_no,
        started_at=to_microseconds(row.opens_at),
        decided_at=at,
        known_at=to_microseconds(now),
        detail={"check_in_id": str(row.check_in_id), "kind": row.kind},
    )


_OF_ROW = (
    "c.check_in_id, c.kind, c.opens_at, c.due_at, c.grace_until, c.make_up_until, c.shown_at, c.answered_at, c.state"
)


def _times(row: Any) -> CheckInTimes:
    """Those of a row. The limit of a spot check runs from when it was shown."""
    opens_at, due_at = to_microseconds(row.opens_at), to_microseconds(row.due_at)
    grace_until = due_at if row.grace_until is None else to_microseconds(row.grace_until)
    is_shown = row.kind == CheckInKind.SPOT and row.shown_at is not None
    waited = to_microseconds(row.shown_at) - opens_at if is_shown else 0
    return CheckInTimes(
        opens_at=opens_at,
        due_at=due_at + waited,
        grace_until=grace_until + waited,
        make_up_until=None if row.make_up_until is None else to_microseconds(row.make_up_until),
    )


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
            "grace_until": ("timestamptz", [to_instant(check.grace_until) for check in checks]),
            "make_up_until": (
                "timestamptz",
                [None if check.make_up_until is None else to_instant(check.make_up_until) for check in checks],
            ),
            "state": ("text", ["planned"] * len(checks)),
        },
        on_conflict="ON CONFLICT (check_in_id) DO UPDATE SET state = 'planned' WHERE check_in.state = 'withdrawn'"
        " AND check_in.shown_at IS NULL",
    )


_MISSED = {"planned": "check_in_missed", "asked": "check_in_missed", "spot": "spot_check_missed"}
