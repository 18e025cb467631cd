"""A page of somebody's track for people to read: fixes in order of event time, and the gaps between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, text

from tracking.policy import PresencePolicy
from tracking.quality import describe_flags

SILENCE = timedelta(seconds=PresencePolicy().silence_s)
"""A longer stretch without a fix is a gap, as it is for the engine."""

_OF_SPAN = "f.subject_no = :subject_no AND f.fixed_at BETWEEN :from_at AND :to_at"

# WITH TIES: a page ends between two instants, so that an instant is all that the next page needs to know.
_PAGE = text(f"""
SELECT f.fixed_at, f.received_at, f.longitude, f.latitude, f.accuracy_m, f.is_accuracy_assumed, f.source, f.speed_mps,
       f.flags | coalesce(q.flags, 0) AS flags, a.reason IS NOT NULL AS is_set_aside
FROM fix f
LEFT JOIN fix_flag q ON q.subject_no = f.subject_no AND q.fixed_at = f.fixed_at AND q.fix_key = f.fix_key
LEFT JOIN fix_set_aside a ON a.subject_no = f.subject_no AND a.fixed_at = f.fixed_at AND a.fix_key = f.fix_key
WHERE {_OF_SPAN} AND f.fixed_at > :after
ORDER BY f.fixed_at FETCH FIRST :most ROWS WITH TIES
""")

_MORE = text(f"SELECT EXISTS (SELECT FROM fix f WHERE {_OF_SPAN} AND f.fixed_at > :after)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPage:
    """Instants aware, coordinates WGS-84, accuracies the 68 % radius in metres. ``since``: what came before it."""

    since: datetime
    fixes: Sequence[Mapping[str, Any]]
    has_more: bool

    @property
    def last_at(self) -> datetime | None:
        """The instant of the last fix."""
        return self.fixes[-1]["fixed_at"] if self.fixes else None

    def gaps(self, until: datetime) -> list[dict[str, datetime]]:
        """Stretches longer than :data:`SILENCE` without a fix; the last page is followed up to ``until``."""
        instants = [self.since, *(fix["fixed_at"] for fix in self.fixes)]
        if not self.has_more and until > instants[-1]:
            instants.append(until)
        return [{"from_at": before, "to_at": after} for before, after in pairwise(instants) if after - before > SILENCE]


def read_page(
    connection: Connection,
    subject_no: int,
    *,
    from_at: datetime,
    to_at: datetime,
    after: datetime | None,
    most: int,
) -> TrackPage:
    """About ``most`` fixes of ``[from_at, to_at]`` later than ``after``, as far as the database shows them."""
    beginning = from_at - timedelta(microseconds=1)
    span = {"subject_no": subject_no, "from_at": from_at, "to_at": to_at}
    rows = connection.execute(_PAGE, span | {"after": after or beginning, "most": most}).all()
    has_more = len(rows) >= most and connection.execute(_MORE, span | {"after": rows[-1].fixed_at}).scalar_one()
    return TrackPage(
        since=from_at if after is None else max(after, from_at),
        fixes=[{**row._mapping, "flags": describe_flags(row.flags)} for row in rows],
        has_more=has_more,
    )
