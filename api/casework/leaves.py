"""Leaves: asked for by an officer for the subject, answered by the organs that the measure needs, and their end.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from api.access.roles import AccountRole
from api.casework.people import names_of
from api.errors import NotAllowedError, NotThereError
from api.ids import new_id
from api.personal.fields import seal_row
from api.personal.keyring import Keyring
from tracking.leave import Approval, Leave, check_leave, organs_needed
from tracking.leave_way import NO_WAY_EN, NO_WAY_ZH
from tracking.order import Measure, Organ

ORGAN_OF: dict[AccountRole, Organ] = {
    AccountRole.POLICE: Organ.POLICE,
    AccountRole.PROSECUTOR: Organ.PROCURATORATE,
}
"""For whom somebody with a role speaks. Courts have no account: who has one of these roles enters their paper."""

_COLUMNS = (
    "leave_id, leave_no, l.subject_no, s.subject_id, l.order_no, reason, destination, route, transport, from_at,"
    " to_at, state, is_urgent, requested_at, requested_by, papers_at, approved_at, cancelled_at, returned_at,"
    " o.measure, o.stage, o.document_number, l.geometry IS NOT NULL AS is_way_drawn,"
    " l.contact IS NOT NULL AS has_contact, now() AS shown_at"
)
_FROM = "FROM leave l JOIN subject s USING (subject_no) JOIN supervision_order o USING (order_no)"

MOST_SHOWN = 200


class Closing(StrEnum):
    """How a leave ends, or that the papers of an urgent one came."""

    RETURNED = "returned"
    CANCELLED = "cancelled"
    PAPERS = "papers"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveWish:
    """What an application says (公通字〔2022〕25号 19). ``geometry``: GeoJSON of places or of the way, WGS-84."""

    order_id: UUID
    reason: str
    destination: str
    route: str
    transport: str
    contact: str
    from_at: datetime
    to_at: datetime
    is_urgent: bool = False
    geometry: dict[str, Any] | None = None
    radius_m: float | None = None


def leaves_of(connection: Connection, subject_no: int) -> list[dict[str, Any]]:
    """All of a subject, the latest first, with what each organ said, who must still say something and what is amiss."""
    query = f"SELECT {_COLUMNS} {_FROM} WHERE l.subject_no = :no ORDER BY from_at DESC, leave_no DESC"
    return _told(connection, connection.execute(text(query), {"no": subject_no}).all())


def open_leaves(connection: Connection) -> list[dict[str, Any]]:
    """What waits for an answer in all cases of the account: urgent ones first, then by when they begin."""
    query = (
        f"SELECT {_COLUMNS} {_FROM} WHERE state IN ('requested', 'urgent') ORDER BY is_urgent DESC, from_at LIMIT :n"
    )
    return _told(connection, connection.execute(text(query), {"n": MOST_SHOWN}).all())


def ask_leave(connection: Connection, keyring: Keyring, subject_no: int, wish: LeaveWish) -> UUID:
    """Keep an application for the organs to answer. Raises ``NotThereError`` unless the order runs now."""
    order_no = connection.execute(
        text("SELECT order_no FROM supervision_order WHERE order_id = :id AND superseded_at IS NULL"),
        {"id": wish.order_id},
    ).scalar()
    key_id = connection.execute(text("SELECT sealing_key_id()")).scalar()
    if order_no is None or key_id is None:
        raise NotThereError
    leave_id = new_id()
    sealed = seal_row(keyring.key(key_id), table="leave", row_id=leave_id, values={"contact": wish.contact})
    asked = {
        "leave_id": str(leave_id),
        "subject_no": subject_no,
        "order_no": order_no,
        "reason": wish.reason,
        "destination": wish.destination,
        "route": wish.route,
        "transport": wish.transport,
        "contact": "\\x" + sealed["contact"].hex(),
        "key_id": key_id,
        "radius_m": wish.radius_m,
        "from_at": wish.from_at.isoformat(),
        "to_at": wish.to_at.isoformat(),
        "is_urgent": wish.is_urgent,
        "geometry": wish.geometry,
    }
    query = "SELECT (ask_leave(jsonb_populate_record(NULL::leave, CAST(:asked AS jsonb)))).leave_id"
    found = connection.execute(text(query), {"asked": json.dumps(asked, ensure_ascii=False)}).scalar_one()
    if found is None:
        raise NotThereError
    return leave_id


def answer_leave(
    connection: Connection,
    leave_id: UUID,
    *,
    organ: Organ,
    is_approved: bool,
    remark: str,
    document_number: str | None = None,
) -> str:
    """One organ's answer, kept for good; returns the state of the leave, ``approved`` once all who must had agreed.

    Raises ``NotThereError`` for what is not there to be answered.
    """
    answer = {
        "approval_id": str(new_id()),
        "organ": organ,
        "is_approved": is_approved,
        "remark": remark,
        "document_number": document_number,
    }
    query = (
        "SELECT (answer_leave(jsonb_populate_record(NULL::leave_approval, CAST(:answer AS jsonb)),"
        " CAST(:id AS uuid))).state"
    )
    values = {"answer": json.dumps(answer, ensure_ascii=False), "id": leave_id}
    return _state(connection.execute(text(query), values).scalar_one())


def close_leave(connection: Connection, leave_id: UUID, how: Closing) -> str:
    """``returned``, ``cancelled``, or ``papers`` of an urgent one came. Raises ``NotThereError`` if it cannot be."""
    query = text("SELECT (close_leave(:id, :how)).state")
    return _state(connection.execute(query, {"id": leave_id, "how": how}).scalar_one())


def organ_for(roles: frozenset[AccountRole], *, court_document: str | None) -> Organ:
    """For whom an account answers: the court whose paper it enters, or its own organ. Raises ``NotAllowedError``."""
    own = [ORGAN_OF[role] for role in sorted(roles) if role in ORGAN_OF]
    if len(own) != 1:
        raise NotAllowedError
    return own[0] if court_document is None else Organ.COURT


def _state(found: str | None) -> str:
    if found is None:
        raise NotThereError
    return found


def _told(connection: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    answers = connection.execute(
        text(
            "SELECT leave_no, organ, account_no, decided_at, is_approved, remark, document_number FROM leave_approval"
            " WHERE leave_no = ANY(:numbers) ORDER BY decided_at"
        ),
        {"numbers": [row.leave_no for row in rows]},
    ).all()
    names = names_of(connection, [*(row.requested_by for row in rows), *(item.account_no for item in answers)])
    hidden = {"subject_no", "order_no", "measure", "stage", "requested_by", "is_way_drawn", "has_contact", "shown_at"}
    return [
        {
            **{name: value for name, value in row._mapping.items() if name not in hidden},
            "requested_by": names.get(row.requested_by),
            "organs_needed": organs_needed(Measure(row.measure), Organ(row.stage or Organ.PROCURATORATE)),
            "lacks": _lacks(row, [item for item in answers if item.leave_no == row.leave_no]),
            "way": None if row.is_way_drawn else {"zh": NO_WAY_ZH, "en": NO_WAY_EN},
            "answers": [
                {
                    "organ": item.organ,
                    "by": names.get(item.account_no),
                    "decided_at": item.decided_at,
                    "is_approved": item.is_approved,
                    "remark": item.remark,
                    "document_number": item.document_number,
                }
                for item in answers
                if item.leave_no == row.leave_no
            ],
        }
        for row in rows
    ]


def _lacks(row: Row[Any], answers: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """What the law asks for that is not there yet, in words; of one that was refused or is not used, nothing."""
    if row.state in ("refused", "cancelled"):
        return []
    last = {item.organ: item for item in answers}  # the last of an organ stands
    leave = Leave(
        leave_no=row.leave_no, subject_no=row.subject_no, reason=row.reason, destination=row.destination,
        route=row.route, transport=row.transport, contact="已填 given" if row.has_contact else "",
        starts_at=row.from_at, ends_at=row.to_at, asked_at=row.requested_at,
        approvals=tuple(
            Approval(organ=Organ(item.organ), officer=str(item.account_no), approved_at=item.decided_at)
            for item in last.values()
            if item.is_approved
        ),
        is_urgent=row.is_urgent, papers_at=row.papers_at, returned_at=row.returned_at,
    )  # fmt: skip
    found = check_leave(
        leave, measure=Measure(row.measure), decided_by=Organ(row.stage or Organ.PROCURATORATE), now=row.shown_at
    )
    return [
        {"fault": item.fault, "stops": item.stops, "zh": item.text_zh, "en": item.text_en, "articles": item.articles}
        for item in found
    ]
