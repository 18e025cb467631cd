"""What people decided that rules yield to: approved leaves and exemptions, as rules see them and by their numbers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from tracking.allowances import Absence, Allowances, ExemptZone
from tracking.leave import ExemptionKind, LeaveInForce

_US = "(extract(epoch FROM {instant}) * 1000000)::bigint"

_LEAVES = """
SELECT leave_no, subject_no, greatest(from_at, approved_at) AS starts_at,
       least(to_at, cancelled_at, returned_at) AS ends_at
FROM leave WHERE approved_at IS NOT NULL
"""

# A geometry stands for every venue that is known to be within it or touches it, in any version.
_EXEMPTIONS = """
SELECT DISTINCT e.exemption_no, e.subject_no, f.first_no, e.kind, e.approver, e.reason, e.valid_from AS starts_at,
       least(e.valid_to, e.revoked_at) AS ends_at
FROM exemption e JOIN zone z ON CASE WHEN e.geometry IS NULL
        THEN z.zone_id = (SELECT zone_id FROM zone WHERE zone_no = e.zone_no)
        ELSE (z.category IS NOT NULL OR z.origin = 'supervisor')
             AND ST_DWithin(z.geometry::geography, e.geometry::geography, coalesce(z.radius_m, 0)) END
    JOIN zone_in_force f ON f.zone_no = z.zone_no
"""

_SPANS = f"SELECT {{what}}, {_US.format(instant='starts_at')} AS starts, {_US.format(instant='ends_at')} AS ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedExemption:
    """An exemption at one zone: ``starts_at`` ≤ t < ``ends_at``, aware. ``approver``: number of the account."""

    exemption_no: int
    subject_no: int
    zone_key: int
    kind: ExemptionKind
    approver: int
    reason: str
    starts_at: datetime
    ends_at: datetime


def load_allowances(connection: Connection) -> Allowances:
    """Every leave from when all who must had agreed to it until it was over; every exemption until it was revoked."""
    absences = connection.execute(
        text(f"{_SPANS.format(what='subject_no')} FROM ({_LEAVES}) leaves ORDER BY leave_no")
    ).all()
    exempt = connection.execute(
        text(f"{_SPANS.format(what='DISTINCT subject_no, first_no')} FROM ({_EXEMPTIONS}) exempt ORDER BY 1, 2, 3")
    ).all()
    return Allowances(
        absences=tuple(
            Absence(subject_no=row.subject_no, start=row.starts, end=row.ends)
            for row in absences
            if row.starts < row.ends
        ),
        exempt_zones=tuple(
            ExemptZone(subject_no=row.subject_no, zone_key=row.first_no, start=row.starts, end=row.ends)
            for row in exempt
            if row.starts < row.ends
        ),
    )


def leaves_in_force(connection: Connection, subject_nos: Collection[int]) -> tuple[LeaveInForce, ...]:
    """The same leaves of some subjects, by their numbers."""
    query = f"SELECT * FROM ({_LEAVES}) leaves WHERE subject_no = ANY(:numbers) AND starts_at < ends_at ORDER BY 1"
    rows = connection.execute(text(query), {"numbers": list(subject_nos)})
    return tuple(LeaveInForce(**row._mapping) for row in rows)


def exemptions_in_force(connection: Connection, subject_nos: Collection[int]) -> tuple[GrantedExemption, ...]:
    """The same exemptions of some subjects, by their numbers, one for each zone."""
    query = f"{_EXEMPTIONS} WHERE e.subject_no = ANY(:numbers) AND e.valid_from < least(e.valid_to, e.revoked_at)"
    return tuple(
        GrantedExemption(
            exemption_no=row.exemption_no,
            subject_no=row.subject_no,
            zone_key=row.first_no,
            kind=ExemptionKind(row.kind),
            approver=row.approver,
            reason=row.reason,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
        )
        for row in connection.execute(text(f"{query} ORDER BY 1, 3"), {"numbers": list(subject_nos)})
    )
