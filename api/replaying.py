"""``hulan replay``: hop 4 on files, with no database (design.md, section 9)."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import numpy as np

from api.files.tracks import read_tracks
from api.files.zones import ZoneRecord, read_zones
from api.fix_log import to_batch
from api.inbox import Sender, to_rows
from api.track_import import sort_out
from geo.datum import Datum
from tracking.episode import Episode
from tracking.fix import FixBatch
from tracking.policy import PresencePolicy
from tracking.replay import replay
from tracking.rules import ZoneBook, to_microseconds
from tracking.zone import Zone, ZoneKind, ZoneOrigin
from venues.place import Rejected

COLUMNS = (
    "subject_id", "zone_id", "tier", "started_at", "ended_at", "possible_at", "decided_at", "peak_probability",
    "fix_count", "undecidable",
)  # fmt: skip
"""Of the episode file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay read and found."""

    fix_count: int
    zone_count: int
    episodes: tuple[Episode, ...]
    rejected: tuple[Rejected, ...]


def replay_files(
    zones: Path,
    fixes: Path,
    out: Path,
    *,
    datum: Datum | None,
    timezone: str | None,
    progress: Callable[[int], None],
) -> Replayed:
    """Read both files, evaluate, write the episodes as CSV. Bad rows are handed back; the good rest is evaluated."""
    read = read_zones(zones)
    rejected = list(read.rejected)
    subjects: dict[str, int] = {}
    batches: list[FixBatch] = []
    for track in read_tracks(fixes, datum=datum, timezone=timezone, progress=progress):
        rejected += track.rejected
        good, refused = sort_out(track, received_at=None)
        rejected += refused
        if good:
            number = subjects.setdefault(track.subject_ref, len(subjects))
            sender = Sender(device_id=UUID(int=0), subject_no=number, shard=0)
            batches.append(_batch(to_rows(sender, good, None)))
    book = ZoneBook.build([_zone(number, record) for number, record in enumerate(read.zones)])
    batch = joined(batches)
    episodes = replay(batch, book, policy=PresencePolicy())
    write_episodes(out, episodes, list(subjects), [record.zone_id for record in read.zones])
    return Replayed(fix_count=len(batch), zone_count=len(read.zones), episodes=episodes, rejected=tuple(rejected))


def joined(batches: Sequence[FixBatch]) -> FixBatch:
    """Several batches as one."""
    if not batches:
        return to_batch([])
    columns = {name: [getattr(batch, name) for batch in batches] for name in FixBatch.__dataclass_fields__}
    return FixBatch(**{name: np.concatenate(parts) for name, parts in columns.items()})


def write_episodes(out: Path, episodes: Sequence[Episode], subjects: Sequence[str], zones: Sequence[str]) -> None:
    """The episode file: one row per episode, times ISO 8601 in UTC, an open end left empty."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for item in episodes:
            writer.writerow(
                [
                    subjects[item.subject_no],
                    zones[item.zone_no],
                    item.tier,
                    _iso(item.started_at),
                    _iso(item.ended_at),
                    _iso(item.possible_at),
                    _iso(item.decided_at),
                    f"{item.peak_probability:.4f}",
                    item.fix_count,
                    str(item.is_undecidable).lower(),
                ]
            )


def _batch(rows: Sequence[tuple[object, ...]]) -> FixBatch:
    """Log rows (see ``api.inbox``) as columns."""

    def micro(instant: object) -> int:
        assert isinstance(instant, datetime)
        return to_microseconds(instant)

    return to_batch([(row[0], micro(row[1]), micro(row[4]), row[6], row[7], row[8], row[2], row[19]) for row in rows])


def _zone(number: int, record: ZoneRecord) -> Zone:
    return Zone(
        zone_no=number,
        zone_id=UUID(int=number),
        version=1,
        kind=ZoneKind(record.kind),
        origin=ZoneOrigin.SUPERVISOR,
        name=record.name,
        shape=record.shape,
    )


def _iso(instant: datetime | None) -> str:
    return "" if instant is None else instant.isoformat()
