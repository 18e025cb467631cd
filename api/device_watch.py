"""What devices say of themselves, and that they say nothing: ``tracking.silence`` beside the evaluator.

The state is one row per watched subject, written in the transaction that moves the log's cursor, so that a restart goes
on where the last batch ended. Silence needs no fix: it is asked for at the clock. Every finding has a row, and so has
its end (``detail.is_end``), under keys derived from what was found and since when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from api.clock_edges import FindingRow, save_findings
from api.fix_log import DEVICE_NO, Drained
from geo.postgis import insert_columns
from tracking.episode import derived_id
from tracking.quality import DOES_NOT_DECIDE, FixFlag
from tracking.rules import to_microseconds
from tracking.silence import DeviceFinding, DeviceReports, DeviceStatus, SilencePolicy, begin_watches, watch_devices
from tracking.silence_kernel import WATCH
from tracking.states import PresenceStates

DEFAULT_INTERVAL_S = 600.0
"""What counts as the reporting interval if the order sets none: an assumption, the slowest that telephones keep to in
the background."""

DUTIES_FOR = timedelta(hours=1)
"""So far ahead it is looked who is to be heard of, and so often."""

FINDING_KINDS: dict[DeviceFinding, str] = {
    DeviceFinding.SILENCE: "silence",
    DeviceFinding.LOW_BATTERY: "low_battery",
    DeviceFinding.POWER_OFF: "power_off",
    DeviceFinding.PERMISSION_OFF: "permission_off",
    DeviceFinding.DEVICE_CHANGED: "device_change",
    DeviceFinding.MOCK_LOCATION: "mock_location",
    DeviceFinding.FROZEN_POSITION: "stillness",
    DeviceFinding.LEFT_BEHIND: "stillness",
}
"""``finding.kind`` of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One subject is to be heard of: from, to (microseconds), at least so often."""

    subject_no: int
    watched_from: int
    watched_to: int
    interval_s: float


def load_watches(connection: Connection, shards: Sequence[int]) -> NDArray[Any]:
    """``WATCH`` of the subjects of these shards, by number. One of another layout is begun anew."""
    rows = connection.execute(
        text(
            "SELECT w.content FROM device_watch w JOIN open_subject s USING (subject_no)"
            " WHERE s.shard = ANY(:shards) ORDER BY w.subject_no"
        ),
        {"shards": list(shards)},
    ).scalars()
    whole = b"".join(content for content in rows if len(content) == WATCH.itemsize)
    return np.frombuffer(whole, dtype=WATCH).copy()


def load_duties(connection: Connection, shards: Sequence[int], *, now: datetime, until: datetime) -> list[Duty]:
    """Who of these shards is to be heard of between two instants: to the end of the order in force that ends last, and
    as often as the shortest interval that is set.
    """
    rows = connection.execute(
        text(
            "SELECT o.subject_no, min(greatest(f.in_force_from, o.recorded_at)) AS from_at,"
            " max(f.in_force_to) AS to_at, 60 * min((c.parameters ->> 'every_minutes')::double precision)"
            " AS interval_s"
            " FROM supervision_order o JOIN order_in_force f USING (order_no) JOIN open_subject s"
            " ON s.subject_no = o.subject_no LEFT JOIN condition c ON c.order_no = o.order_no"
            " AND c.kind = 'reporting_interval'"
            " WHERE s.shard = ANY(:shards) AND f.in_force_from <= :until AND :now < f.in_force_to GROUP BY o.subject_no"
        ),
        {"shards": list(shards), "now": now, "until": until},
    )
    return [
        Duty(
            subject_no=row.subject_no,
            watched_from=to_microseconds(row.from_at),
            watched_to=to_microseconds(row.to_at),
            interval_s=row.interval_s or DEFAULT_INTERVAL_S,
        )
        for row in rows
    ]


def follow_duties(
    watches: NDArray[Any], duties: Sequence[Duty], states: PresenceStates, policy: SilencePolicy, *, now: datetime
) -> NDArray[Any]:
    """The watches of those who are to be heard of: others begin, and begin anew where there was none in between.

    One that begins counts from the last fix that ``states`` know of. Watches of those who need not be heard of any more
    end now at the latest.
    """
    ordered = sorted(duties, key=lambda duty: duty.subject_no)
    begun = begin_watches(
        subject_no=np.array([duty.subject_no for duty in ordered], dtype=np.int64),
        watched_from=np.array([duty.watched_from for duty in ordered], dtype=np.int64),
        watched_to=np.array([duty.watched_to for duty in ordered], dtype=np.int64),
        interval_s=np.array([duty.interval_s for duty in ordered], dtype=np.float64),
        policy=policy,
    )
    begun["last_fix_at"] = np.maximum(begun["last_fix_at"], states.rows_for(begun["subject_no"])["last_weighed_at"])
    duty_from = {duty.subject_no: duty.watched_from for duty in ordered}
    known = {int(number): row for row, number in enumerate(watches["subject_no"].tolist())}
    for row, number in enumerate(begun["subject_no"].tolist()):
        place = known.get(number)
        if place is not None and watches["watched_to"][place] >= duty_from[number]:
            limits = begun[["watched_to", "silent_after"]][row].item()
            begun[row] = watches[place]
            begun["watched_to"][row], begun["silent_after"][row] = limits
    rest = watches[~np.isin(watches["subject_no"], begun["subject_no"])]
    rest["watched_to"] = np.minimum(rest["watched_to"], to_microseconds(now))
    joined = np.concatenate([rest, begun])
    return joined[np.argsort(joined["subject_no"], kind="stable")]


def watch_batch(
    connection: Connection, watches: NDArray[Any], drained: Drained, *, now: datetime, policy: SilencePolicy
) -> NDArray[Any]:
    """What the fixes of a batch say of their devices; returns the watches after it.

    Within the transaction that moves the cursor. Whether somebody fell silent is not asked: the rest of the log may
    tell. ``now`` is when it became known.
    """
    if len(drained.fixes) == 0 or len(watches) == 0:
        return watches
    return _watch(connection, watches, _reports_of(drained), until=None, now=now, policy=policy)


def watch_clock(
    connection: Connection, watches: NDArray[Any], *, now: datetime, policy: SilencePolicy, is_read_to_end: bool
) -> NDArray[Any]:
    """What devices said without a fix, and who was not heard of in time by ``now``, though nothing came.

    Silence is asked for only when the log ``is_read_to_end``: a worker that is behind would take its own lag for the
    silence of everybody.
    """
    if len(watches) == 0:
        return watches
    words = _take_words(connection, watches["subject_no"], now)
    until = to_microseconds(now) if is_read_to_end else None
    if len(words) == 0 and (until is None or not _is_silence_due(watches, until)):
        return watches
    return _watch(connection, watches, words, until=until, now=now, policy=policy)


def _is_silence_due(watches: NDArray[Any], until: int) -> bool:
    limit = watches["last_fix_at"] + watches["silent_after"]
    return bool(np.any((watches["silent_since"] == -1) & (limit < np.minimum(watches["watched_to"], until))))


def _watch(
    connection: Connection,
    watches: NDArray[Any],
    reports: DeviceReports,
    *,
    until: int | None,
    now: datetime,
    policy: SilencePolicy,
) -> NDArray[Any]:
    watched = watch_devices(reports, watches, now=until, policy=policy)
    late = reports.take(np.flatnonzero(watched.passed_over & (reports.status != 0)))
    found = [_finding(row, now, policy) for row in watched.findings]
    found += _late_words(late, watches, now, policy)
    save_findings(connection, found)
    before, after = (rows.view(np.uint8).reshape(len(rows), -1) for rows in (watches, watched.watches))
    _save(connection, watched.watches[(before != after).any(axis=1)])
    return watched.watches


def _save(connection: Connection, watches: NDArray[Any]) -> None:
    insert_columns(
        connection,
        "device_watch",
        {
            "subject_no": ("bigint", watches["subject_no"].tolist()),
            "content": ("bytea", [row.tobytes() for row in watches]),
        },
        on_conflict="ON CONFLICT (subject_no) DO UPDATE SET content = excluded.content",
    )


def _finding(row: Any, now: datetime, policy: SilencePolicy) -> FindingRow:
    kind, since, is_end = DeviceFinding(int(row["kind"])), int(row["since"]), bool(row["is_end"])
    name, subject_no = FINDING_KINDS[kind], int(row["subject_no"])
    begun = derived_id("finding", since, name, subject_no, int(kind))
    detail: dict[str, Any] = {"device_finding": kind.name.lower(), "is_end": is_end}
    if is_end:
        detail["of"] = str(begun)
    if kind is not DeviceFinding.DEVICE_CHANGED and not np.isnan(row["value"]):
        detail["value"] = round(float(row["value"]), 2)
    return FindingRow(
        finding_id=derived_id("finding", int(row["at"]), name, subject_no, int(kind), str(begun)) if is_end else begun,
        kind=name,
        subject_no=subject_no,
        started_at=since,
        decided_at=int(row["at"]),
        known_at=to_microseconds(now),
        detail=detail,
        policy_version=policy.version,
    )


def _late_words(
    reports: DeviceReports, watches: NDArray[Any], now: datetime, policy: SilencePolicy
) -> list[FindingRow]:
    """Signs of tampering that came after newer reports: too late to tell how long it went on, and told all the same."""
    kinds = {
        DeviceStatus.MOCK: DeviceFinding.MOCK_LOCATION,
        DeviceStatus.POWER_OFF: DeviceFinding.POWER_OFF,
        DeviceStatus.PERMISSION_OFF: DeviceFinding.PERMISSION_OFF,
    }
    known = set(watches["subject_no"].tolist())
    rows = zip(reports.subject_no.tolist(), reports.reported_at.tolist(), reports.status.tolist(), strict=True)
    return [
        FindingRow(
            finding_id=derived_id("finding", at, FINDING_KINDS[kind], subject_no, int(kind)),
            kind=FINDING_KINDS[kind],
            subject_no=subject_no,
            started_at=at,
            decided_at=at,
            known_at=to_microseconds(now),
            detail={"device_finding": kind.name.lower(), "is_end": False, "is_late": True},
            policy_version=policy.version,
        )
        for subject_no, at, status in rows
        if subject_no in known
        for bit, kind in kinds.items()
        if status & bit
    ]


def _reports_of(drained: Drained) -> DeviceReports:
    """The fixes of a batch as reports. One that proves nothing tells of the device and not of the place."""
    fixes = drained.fixes
    is_place = (fixes.flags & int(DOES_NOT_DECIDE)) == 0
    return DeviceReports(
        subject_no=fixes.subject_no,
        reported_at=np.minimum(fixes.fixed_at, fixes.received_at),
        longitude=np.where(is_place, fixes.longitude, np.nan),
        latitude=np.where(is_place, fixes.latitude, np.nan),
        accuracy_m=np.where(is_place, fixes.accuracy_m, np.nan),
        battery_percent=drained.battery_percent,
        device_no=drained.device_no,
        status=np.where(fixes.flags & int(FixFlag.MOCK) != 0, int(DeviceStatus.MOCK), 0).astype(np.int64),
    )


def _take_words(connection: Connection, subjects: NDArray[np.int64], now: datetime) -> DeviceReports:
    """What devices said without a fix and nobody read yet; each once."""
    rows = connection.execute(
        text(
            "UPDATE device_report SET taken_at = now() WHERE taken_at IS NULL AND subject_no = ANY(:subjects)"
            " AND reported_at <= :now"
            f" RETURNING subject_no, reported_at, battery_percent, {DEVICE_NO} AS device_no, status"
        ),
        {"subjects": subjects.tolist(), "now": now},
    ).all()
    nowhere = np.full(len(rows), np.nan)
    return DeviceReports(
        subject_no=np.array([row.subject_no for row in rows], dtype=np.int64),
        reported_at=np.array([to_microseconds(row.reported_at) for row in rows], dtype=np.int64),
        longitude=nowhere,
        latitude=nowhere,
        accuracy_m=nowhere,
        battery_percent=np.array(
            [np.nan if row.battery_percent is None else row.battery_percent for row in rows], dtype=np.float64
        ),
        device_no=np.array([row.device_no for row in rows], dtype=np.int64),
        status=np.array([row.status for row in rows], dtype=np.int64),
    )
