"""A child under 14 in a hotel with an adult whom nobody knows: entered by the police, told to the police at once.

Never told to a guardian (``alerts.event.HEARING_OF_EVENT``). The connection is one of ``as_account``.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from api.errors import NotThereError, RefusedInputError
from api.ids import new_id
from tracking.age import JUVENILE_FROM_AGE, birthday
from tracking.calendar import local_day

CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What an officer saw. ``seen_at``: aware. ``zone_id``: the hotel's zone, where it has one."""

    seen_at: datetime
    place: str
    is_adult_unknown: bool
    zone_id: UUID | None = None
    remark: str = ""


def report_minor_with_adult(connection: Connection, subject_no: int, sighting: Sighting, *, now: datetime) -> UUID:
    """Enter the finding, of which a worker makes the alert; returns its id.

    Raises ``RefusedInputError`` for somebody who was 14 by then (the day after the birthday), a time to come, or an
    adult who is known; ``NotThereError`` for whoever is no police officer of the case, or a zone that is no hotel's.
    """
    if not sighting.is_adult_unknown:
        raise RefusedInputError("同住成年人身份明确的，不按此登记 / the adult is known: this is not the entry for it")
    if sighting.seen_at > now + CLOCKS_DIFFER:
        raise RefusedInputError("发现时间不能晚于现在 / it cannot have been seen in the future")
    birth_date = connection.execute(
        text("SELECT birth_date FROM subject WHERE subject_no = :no"), {"no": subject_no}
    ).scalar_one_or_none()
    if birth_date is None:
        raise NotThereError
    if local_day(sighting.seen_at) > birthday(birth_date, JUVENILE_FROM_AGE):
        raise RefusedInputError("当时已满十四周岁 / was 14 already at that time")
    asked = {
        "finding_id": str(new_id()), "subject_no": subject_no, "started_at": sighting.seen_at.isoformat(),
        "detail": {"place": sighting.place, "remark": sighting.remark},
    }  # fmt: skip
    found: UUID | None = connection.execute(
        text("SELECT report_minor_with_adult(jsonb_populate_record(NULL::finding, CAST(:asked AS jsonb)), :zone)"),
        {"asked": json.dumps(asked, ensure_ascii=False), "zone": sighting.zone_id},
    ).scalar_one()
    if found is None:
        raise NotThereError
    return found
