"""What becomes of alerts, as it is committed, for one officer: nothing lost, nothing twice, nothing not theirs.

A place in the stream is a transaction and an entry. Entries are handed out once no earlier transaction still runs, so
that nothing can appear before a place that was passed. The account is asked anew each time: who may not see a case any
more (out of the team, the role gone, the record sealed) is not told of it.
"""

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, text

from api.desk.alerts import LISTED

MOST_AT_ONCE = 200

_NEXT = f"""
SELECT h.written_in::text AS written_in, h.entry_no, h.kind, h.at, h.reason_code, {LISTED}
FROM alert_history h JOIN alert a USING (alert_id) JOIN subject s ON s.subject_no = a.subject_no
WHERE (h.written_in, h.entry_no) > (CAST(:written_in AS xid8), :entry_no) AND h.written_in < CAST(:until AS xid8)
ORDER BY h.written_in, h.entry_no LIMIT :most
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlace:
    """After which entry the stream goes on. Its text is the id of an event."""

    written_in: int
    entry_no: int

    @classmethod
    def read(cls, words: str) -> Self | None:
        """From ``Last-Event-ID``; ``None`` for what is none of ours."""
        first, _, second = words.strip().partition("-")
        if not (first.isdecimal() and second.isdecimal()) or len(words) > 40:
            return None
        place = cls(written_in=int(first), entry_no=int(second))
        return place if place.written_in < 2**63 and place.entry_no < 2**63 else None

    def __str__(self) -> str:
        return f"{self.written_in}-{self.entry_no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One entry with its alert as it is now: what the list shows, and no more."""

    place: StreamPlace
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is new, in order; ``place``: where the stream goes on. ``is_reset``: the place asked for is unknown here."""

    told: tuple[Told, ...]
    place: StreamPlace
    is_reset: bool = False


def next_batch(connection: Connection, after: StreamPlace | None) -> Batch:
    """What the account may see of what was committed after a place; ``None``: from now on.

    A place that lies ahead of the database (of another one, or of before it was restored) is given up, and said so.
    """
    now = connection.execute(
        text(
            "SELECT pg_snapshot_xmin(shot)::text AS oldest, pg_snapshot_xmax(shot)::text AS next"
            " FROM pg_current_snapshot() AS shot"
        )
    ).one()
    until = int(now.oldest)
    if after is None or after.written_in > int(now.next):
        return Batch(told=(), place=StreamPlace(written_in=until, entry_no=0), is_reset=after is not None)
    rows = connection.execute(
        text(_NEXT),
        {"written_in": str(after.written_in), "entry_no": after.entry_no, "until": str(until), "most": MOST_AT_ONCE},
    ).all()
    told = tuple(_told(dict(row._mapping)) for row in rows)
    if len(told) == MOST_AT_ONCE:
        return Batch(told=told, place=told[-1].place)
    # Before this horizon there is nothing left, and never will be.
    return Batch(told=told, place=StreamPlace(written_in=max(until, after.written_in), entry_no=0))


def _told(row: dict[str, Any]) -> Told:
    place = StreamPlace(written_in=int(row.pop("written_in")), entry_no=row.pop("entry_no"))
    happened = {name: row.pop(name) for name in ("kind", "at", "reason_code")}
    return Told(place=place, data={"entry": happened, "alert": row})
