"""Answers to check-ins that have a place, judged by their fix: stored, and never silently accepted.

The web process takes the answer and cannot see the place. The worker that holds the subject's shard judges it, when the
cursor of the log is past its fix, so that what the sequence of fixes says of it is known. A row is judged once:
``check_in.judged_at``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text

from api.clock_edges import FindingRow, save_findings
from api.fix_log import WAS_READ
from geo.shape_change import widened
from geo.shapes import Shape
from tracking.check_place import (
    CHECK_PLACE_POLICY,
    JudgedPlace,
    PlaceVerdict,
    judge_places,
    place_text_en,
    place_text_zh,
)
from tracking.episode import derived_id
from tracking.quality import DOES_NOT_DECIDE
from tracking.rules import ZoneBook, to_microseconds

MOST_AT_ONCE = 500
FIX_WITHIN = timedelta(minutes=10)
"""A fix that answers is of the time of its answer; one that is not in the log by so long after is not there."""

FINDING_KINDS: dict[PlaceVerdict, str] = {
    PlaceVerdict.ELSEWHERE: "check_in_elsewhere",
    PlaceVerdict.UNDECIDABLE: "check_in_undecidable",
}

_WAITING = text(f"""
SELECT c.check_in_id, c.subject_no, c.condition_no, c.kind, c.answered_at, o.zone_id, o.tolerance_m,
       f.fixed_at, f.longitude, f.latitude, f.accuracy_m, f.flags | coalesce(g.flags, 0) AS flags
FROM check_in c JOIN open_subject u USING (subject_no) LEFT JOIN condition o USING (condition_no)
LEFT JOIN LATERAL (
    SELECT f.* FROM fix f JOIN shard s USING (shard)
    WHERE f.subject_no = c.subject_no AND f.fix_key = c.fix_key
      AND f.fixed_at BETWEEN c.answered_at - :within AND c.answered_at + :within AND {WAS_READ} LIMIT 1) f ON true
LEFT JOIN fix_flag g ON g.subject_no = f.subject_no AND g.fixed_at = f.fixed_at AND g.fix_key = f.fix_key
WHERE u.shard = ANY(:shards) AND c.answered_at IS NOT NULL AND c.judged_at IS NULL
  AND (f.fix_key IS NOT NULL OR c.answered_at <= :given_up OR c.kind = 'asked' OR o.zone_id IS NULL)
ORDER BY c.answered_at, c.check_in_id LIMIT :most
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """``place``: ``None`` where the fix proves nothing. ``verdict``: ``None`` if there is no place to be at."""

    row: Any
    verdict: PlaceVerdict | None
    place: JudgedPlace | None = None


def judge_answers(connection: Connection, zones: ZoneBook, *, shards: Collection[int], now: datetime) -> int:
    """Judge the answers of these shards that nobody judged yet; returns how many. Zones as of the answer's time."""
    rows = connection.execute(
        _WAITING,
        {"shards": list(shards), "within": FIX_WITHIN, "given_up": now - FIX_WITHIN, "most": MOST_AT_ONCE},
    ).all()
    if not rows:
        return 0
    judged = _judged(rows, _places(zones, rows))
    taken = _store(connection, judged, now)
    save_findings(
        connection,
        [
            _finding(item, now)
            for item in judged
            if item.row.check_in_id in taken and item.verdict not in (None, PlaceVerdict.AT_PLACE)
        ],
    )
    return len(taken)


def _places(zones: ZoneBook, rows: Sequence[Any]) -> Mapping[UUID, Shape]:
    """By check-in the place as it was when it was answered, its tolerance with it; none where it has no place."""
    asked = {row.zone_id for row in rows if row.kind != "asked" and row.zone_id is not None}
    if not asked:
        return {}
    key_of = {zone.zone_id: zone.key for zone in zones.zones if zone.zone_id in asked}
    places: dict[UUID, Shape] = {}
    for row in rows:
        if row.kind == "asked" or row.zone_id not in key_of:
            continue
        at = np.array([to_microseconds(row.fixed_at or row.answered_at)])
        version = int(zones.spans.rows_at(np.array([key_of[row.zone_id]]), at)[0])
        shape = zones.zones[version].shape
        places[row.check_in_id] = widened(shape, row.tolerance_m) if row.tolerance_m > 0 else shape
    return places


def _judged(rows: Sequence[Any], places: Mapping[UUID, Shape]) -> list[_Judged]:
    telling = [row for row in rows if row.check_in_id in places and _tells(row)]
    found = judge_places(
        [places[row.check_in_id] for row in telling],
        longitude=np.array([row.longitude for row in telling], dtype=np.float64),
        latitude=np.array([row.latitude for row in telling], dtype=np.float64),
        accuracy_m=np.array([row.accuracy_m for row in telling], dtype=np.float64),
    )
    place_of = {row.check_in_id: place for row, place in zip(telling, found, strict=True)}
    judged = []
    for row in rows:
        place = place_of.get(row.check_in_id)
        if row.check_in_id not in places:
            judged.append(_Judged(row=row, verdict=None))
        else:
            judged.append(_Judged(row=row, verdict=place.verdict if place else PlaceVerdict.UNDECIDABLE, place=place))
    return judged


def _tells(row: Any) -> bool:
    """Whether there is a fix, and one that decides: not mocked, repeated or impossible."""
    return row.flags is not None and not row.flags & DOES_NOT_DECIDE


def _store(connection: Connection, judged: Sequence[_Judged], now: datetime) -> set[UUID]:
    taken = connection.execute(
        text(
            "UPDATE check_in c SET judged_at = :now, is_at_place = n.is_at_place, place_probability = n.inside"
            " FROM unnest(CAST(:ids AS uuid[]), CAST(:at_place AS boolean[]), CAST(:inside AS double precision[]))"
            " AS n (check_in_id, is_at_place, inside)"
            " WHERE c.check_in_id = n.check_in_id AND c.judged_at IS NULL RETURNING c.check_in_id"
        ),
        {
            "now": now,
            "ids": [item.row.check_in_id for item in judged],
            "at_place": [_is_at_place(item.verdict) for item in judged],
            "inside": [None if item.place is None else round(item.place.inside, 4) for item in judged],
        },
    )
    return set(taken.scalars())


def _is_at_place(verdict: PlaceVerdict | None) -> bool | None:
    return {PlaceVerdict.AT_PLACE: True, PlaceVerdict.ELSEWHERE: False}.get(verdict) if verdict else None


def _finding(item: _Judged, now: datetime) -> FindingRow:
    row, verdict, place = item.row, item.verdict, item.place
    assert verdict is not None, "what has no place is no finding"
    at, kind = to_microseconds(row.answered_at), FINDING_KINDS[verdict]
    inside = None if place is None else place.inside
    told: dict[str, float | None] = {"inside": inside, "accuracy_m": None if place is None else row.accuracy_m}
    return FindingRow(
        finding_id=derived_id("finding", at, kind, str(row.check_in_id)),
        kind=kind,
        subject_no=row.subject_no,
        condition_no=row.condition_no,
        started_at=at if row.fixed_at is None else to_microseconds(row.fixed_at),
        decided_at=at,
        known_at=to_microseconds(now),
        # What cannot be told has no probability: one would be read as "elsewhere".
        probability=round(place.outside, 4) if place is not None and verdict is PlaceVerdict.ELSEWHERE else None,
        detail={
            "check_in_id": str(row.check_in_id),
            "kind": row.kind,
            "text_zh": place_text_zh(verdict, **told),
            "text_en": place_text_en(verdict, **told),
        },
        policy_version=CHECK_PLACE_POLICY,
    )
