"""What an evidence pack tells of one alert, read from the database once and then only written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.explaining import ORIGIN_NAMES, Cause, FixEvidence, explain_cause, find_cause
from api.exporting.track import TrackRow, read_track
from api.personal.keyring import Keyring
from api.rulings import ruling_json
from tracking.zone import Zone, ZoneKind

SHORTEST_GAP = timedelta(minutes=5)
"""Time without a fix that is told as a gap, and at least twice what is usual between two fixes of this track."""


_OF_ALERT = ("alert_id", "kind", "state", "opened_at", "last_event_at", "is_late")
_OF_VIOLATION = (
    "violation_id", "episode_id", "kind", "state", "tier", "started_at", "decided_at", "known_at", "ended_at",
    "ended_by", "probability", "peak_probability", "fix_count", "is_entry", "is_undecidable", "engine_version",
    "policy_version",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFix:
    """A fix as stored, and what it was worth. ``number``: from 1, the same in report, CSV and GeoJSON."""

    number: int
    row: TrackRow
    weight: FixEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without fixes: nobody knows where the subject was. Between the fixes of these numbers."""

    after: int
    before: int
    from_at: datetime
    to_at: datetime

    @property
    def minutes(self) -> float:
        """How long it was."""
        return (self.to_at - self.from_at) / timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCase:
    """One alert. ``facts``: label and value, masked; ``statement``: the same for programs; ``notices``: who was told.

    ``started_at``, ``decided_at`` and ``ended_at`` are those of the first suspected violation (aware).
    """

    alert_id: UUID
    subject_id: UUID
    subject_no: int
    facts: tuple[tuple[str, str], ...]
    statement: Mapping[str, Any]
    notices: tuple[tuple[str, ...], ...]
    zone: Zone
    started_at: datetime
    decided_at: datetime
    ended_at: datetime | None
    fixes: tuple[TrackedFix, ...]
    gaps: tuple[Gap, ...]
    is_synthetic: bool

    @property
    def is_inside_breach(self) -> bool:
        """Whether being inside the zone is the breach; else being outside is."""
        return self.zone.kind is ZoneKind.EXCLUSION

    @property
    def proving(self) -> tuple[TrackedFix, ...]:
        """The fixes from the start of the episode to its end, or to the decision while it goes on."""
        until = self.ended_at or self.decided_at
        return tuple(fix for fix in self.fixes if self.started_at <= fix.row.fixed_at <= until)


def read_case(connection: Connection, reference: str, *, keyring: Keyring, is_synthetic: bool) -> EvidenceCase:
    """All about the alert of that reference. Raises ``LookupError`` if there is none that can be seen."""
    cause = find_cause(connection, reference)
    explanation = explain_cause(connection, cause, keyring=keyring)
    subject_no = explanation.subject_no
    subject_id = connection.execute(
        text("SELECT subject_id FROM subject WHERE subject_no = :subject_no"), {"subject_no": subject_no}
    ).scalar_one()
    fixes = _with_rows(connection, subject_no, cause.fixes)
    first = cause.violations[0]
    gaps = find_gaps(fixes)
    return EvidenceCase(
        alert_id=explanation.alert_id,
        subject_id=subject_id,
        subject_no=subject_no,
        facts=explanation.facts,
        statement=_statement(connection, cause, subject_id, gaps),
        notices=explanation.notifications,
        zone=cause.zone,
        started_at=first.started_at,
        decided_at=first.decided_at,
        ended_at=first.ended_at,
        fixes=fixes,
        gaps=gaps,
        is_synthetic=is_synthetic,
    )


def find_gaps(fixes: Sequence[TrackedFix]) -> tuple[Gap, ...]:
    """Where fixes of a track, in order of time, are too far apart to be one line."""
    steps = [after.row.fixed_at - before.row.fixed_at for before, after in pairwise(fixes)]
    if not steps:
        return ()
    shortest = max(SHORTEST_GAP, timedelta(seconds=2 * median(step.total_seconds() for step in steps)))
    return tuple(
        Gap(after=before.number, before=after.number, from_at=before.row.fixed_at, to_at=after.row.fixed_at)
        for (before, after), step in zip(pairwise(fixes), steps, strict=True)
        if step > shortest
    )


def _with_rows(connection: Connection, subject_no: int, weights: Sequence[FixEvidence]) -> tuple[TrackedFix, ...]:
    if not weights:
        return ()
    rows = read_track(connection, subject_no, from_at=weights[0].fixed_at, to_at=weights[-1].fixed_at)
    stored = {(row.fixed_at, row.fix_key): row for row in rows}
    return tuple(
        TrackedFix(number=number, row=stored[weight.fixed_at, weight.fix_key], weight=weight)
        for number, weight in enumerate(weights, start=1)
    )


def _statement(connection: Connection, cause: Cause, subject_id: UUID, gaps: Sequence[Gap]) -> dict[str, Any]:
    alert, order, condition, zone = cause.alert, cause.order, cause.condition, cause.zone
    notifications = connection.execute(
        text(
            "SELECT notification_id, role, template, text, state, attempt, decided_at, known_at, due_at, sent_at,"
            " provider, provider_reference, last_error FROM notification WHERE alert_id = :alert_id"
            " ORDER BY role, notification_id"
        ),
        {"alert_id": alert.alert_id},
    )
    return {
        "alert": {
            name: getattr(alert, name)
            for name in ("alert_id", "kind", "state", "opened_at", "last_event_at", "is_late")
        },
        "subject_id": subject_id,
        "order": {
            "order_id": order.order_id,
            "version": order.version,
            "measure": order.measure,
            "document_number": order.document_number,
            "deciding_organ": order.deciding_organ,
            "executing_organ": order.executing_organ,
            "valid_from": order.valid_from,
            "valid_to": order.valid_to,
        },
        "condition": {
            "condition_id": condition.condition_id,
            "kind": condition.kind,
            "categories": sorted(condition.categories),
        },
        "zone": {
            "zone_id": zone.zone_id,
            "version": zone.version,
            "kind": zone.kind,
            "name": zone.name,
            "in_force_from": zone.in_force_from,
            "in_force_to": zone.in_force_to,
        },
        "rule_that_won": {
            "origin": zone.origin,
            "words": ORIGIN_NAMES[zone.origin],
            **ruling_json(cause.ruling),
        },
        "violations": [{name: getattr(row, name) for name in _OF_VIOLATION} for row in cause.violations],
        "gaps": [
            {"from": gap.from_at, "to": gap.to_at, "after_fix": gap.after, "before_fix": gap.before} for gap in gaps
        ],
        "notifications": [dict(row._mapping) for row in notifications],
    }
