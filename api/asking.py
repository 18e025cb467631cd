"""Asking somebody to check in when no fix can tell where they are: now, and sparingly."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from tracking.calendar import local_day
from tracking.episode import derived_id
from tracking.period import day_begins_at
from tracking.presence_rows import to_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPolicy:
    """How often somebody is asked because no fix can tell."""

    apart: timedelta = timedelta(hours=2)
    most_a_day: int = 3
    answer_within: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecidable:
    """A presence that no fix of its accuracy can decide, found so at ``at``: event time, microseconds."""

    subject_no: int
    condition_no: int
    zone_no: int
    at: int


def ask_check_ins(connection: Connection, presences: Sequence[Undecidable], *, policy: AskPolicy, now: datetime) -> int:
    """Ask subjects of whom no fix can decide where they are, sparingly; returns how many were asked.

    At most one a subject and zone within ``policy.apart``, ``policy.most_a_day`` a subject and day of Asia/Shanghai.
    """
    asked = 0
    for item in sorted(presences, key=lambda one: (one.subject_no, one.at, one.zone_no)):
        if now - to_instant(item.at) > policy.answer_within:
            continue  # of the past: an answer would tell of the present
        window = round(policy.apart / timedelta(microseconds=1))
        turn = item.at // window
        ids = [derived_id("asked", number * window, item.subject_no, item.zone_no) for number in (turn - 1, turn)]
        asked += connection.execute(
            text(
                "INSERT INTO check_in (check_in_id, subject_no, condition_no, kind, opens_at, due_at, shown_at, state)"
                " SELECT :id, :subject_no, :condition_no, 'asked', :now, :due_at, :now, 'open' WHERE NOT EXISTS"
                " (SELECT FROM check_in WHERE check_in_id = :before AND opens_at > :apart_from)"
                " AND (SELECT count(*) FROM check_in WHERE subject_no = :subject_no AND kind = 'asked'"
                " AND opens_at >= :day) < :most ON CONFLICT DO NOTHING"
            ),
            {
                "id": ids[1],
                "before": ids[0],
                "subject_no": item.subject_no,
                "condition_no": item.condition_no,
                "now": now,
                "due_at": now + policy.answer_within,
                "apart_from": now - policy.apart,
                "day": day_begins_at(local_day(now)),
                "most": policy.most_a_day,
            },
        ).rowcount
    return asked
