"""Tracks from files into the fix log, under the same rules as fixes over HTTP."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Engine

from api.devices import devices_of, spans_of
from api.files.tracks import TrackRead
from api.ids import subject_id_for
from api.importing import ImportReport
from api.inbox import QUALITY, to_rows, write_rows
from geo.postgis import driver_connection
from tracking.fix import Fix
from tracking.quality import Refusal, find_refusal
from venues.place import Rejected

ROWS_PER_COMMIT = 20_000


def import_tracks(
    engine: Engine, tracks: Iterable[TrackRead], *, at: datetime, progress: Callable[[int], None]
) -> ImportReport:
    """Append the fixes of subjects who have an order in force at the time of each fix; the rest is rejected.

    ``at``: aware, when the fixes count as received unless the file says. Fixes that are in the log already are
    ``unchanged``.
    """
    stored = repeated = 0
    rejected: list[Rejected] = []
    for track in tracks:
        rejected += track.rejected
        if not track.fixes:
            continue
        new, known, refused = _import_one(engine, track, at)
        stored += new
        repeated += known
        rejected += refused
        progress(len(track.fixes))
    return ImportReport(
        added_count=stored, changed_count=0, unchanged_count=repeated, ignored_count=0, rejected=tuple(rejected)
    )


def _import_one(engine: Engine, track: TrackRead, at: datetime) -> tuple[int, int, list[Rejected]]:
    subject_id = subject_id_for(track.subject_ref)
    with engine.connect() as connection:
        sender = devices_of(connection, [subject_id]).get(subject_id)
        spans = () if sender is None else spans_of(connection, sender.subject_no)
    if sender is None:
        reason = "没有这个对象或其设备，请先导入案件 / no such subject or device: import its case first"
        return 0, 0, [_refused(track, len(track.fixes), "subject_id", reason)]
    sound, refused = sort_out(track, received_at=at)
    good = [fix for fix in sound if any(start <= fix.fixed_at < end for start, end in spans)]
    new = sum(_write(engine, to_rows(sender, part, at)) for part in _parts(good))
    if len(good) < len(sound):
        reason = "此时没有有效的决定书，未保存 / no order is in force at these times: not stored"
        refused.append(_refused(track, len(sound) - len(good), "fixed_at", reason))
    return new, len(good) - new, refused


def sort_out(track: TrackRead, *, received_at: datetime | None) -> tuple[list[Fix], list[Rejected]]:
    """The fixes of a file that may be stored, and a rejection for each reason why others may not.

    ``received_at``: as in ``api.inbox.to_rows``.
    """
    sound: list[Fix] = []
    refusals: Counter[Refusal] = Counter()
    for fix in track.fixes:
        received = fix.received_at or received_at or fix.fixed_at
        refusal = find_refusal(fix, received_at=received, policy=QUALITY)
        if refusal is None:
            sound.append(fix)
        else:
            refusals[refusal] += 1
    return sound, [_refused(track, count, refusal.field, refusal.reason) for refusal, count in refusals.items()]


def _parts(fixes: Sequence[Fix]) -> Iterable[Sequence[Fix]]:
    for start in range(0, len(fixes), ROWS_PER_COMMIT):
        yield fixes[start : start + ROWS_PER_COMMIT]


def _write(engine: Engine, rows: list[tuple[object, ...]]) -> int:
    with engine.begin() as connection:
        return write_rows(driver_connection(connection), rows)


def _refused(track: TrackRead, count: int, field: str, reason: str) -> Rejected:
    return Rejected(line=0, reference=track.subject_ref, field=field, value=f"{count} × {track.file}", reason=reason)
