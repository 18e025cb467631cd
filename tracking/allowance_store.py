"""What people decided that rules yield to: approved leaves and exemptions, as rules see them."""

from sqlalchemy import Connection, text

from tracking.allowances import Absence, Allowances, ExemptZone

_US = "(extract(epoch FROM {instant}) * 1000000)::bigint"

_ABSENCES = f"""
SELECT subject_no, {_US.format(instant="greatest(from_at, approved_at)")} AS starts,
       {_US.format(instant="least(to_at, cancelled_at, returned_at)")} AS ends
FROM leave WHERE approved_at IS NOT NULL ORDER BY leave_no
"""

# A geometry stands for every venue that is known to be within it or touches it, in any version.
_EXEMPT_ZONES = f"""
SELECT DISTINCT e.subject_no, f.first_no, {_US.format(instant="e.valid_from")} AS starts,
       {_US.format(instant="least(e.valid_to, e.revoked_at)")} AS ends
FROM exemption e JOIN zone z ON CASE WHEN e.geometry IS NULL
        THEN z.zone_id = (SELECT zone_id FROM zone WHERE zone_no = e.zone_no)
        ELSE z.category IS NOT NULL
             AND ST_DWithin(z.geometry::geography, e.geometry::geography, coalesce(z.radius_m, 0)) END
    JOIN zone_in_force f ON f.zone_no = z.zone_no
ORDER BY 1, 2, 3
"""


def load_allowances(connection: Connection) -> Allowances:
    """Every leave from when all who must had agreed to it until it was over; every exemption until it was revoked."""
    absences = connection.execute(text(_ABSENCES)).all()
    exempt = connection.execute(text(_EXEMPT_ZONES)).all()
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
