"""Who a subject is: masked, or in clear under a look of kind ``person``."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection, text

from api.access.caller import as_account
from api.access.gate import Gate
from api.errors import NotThereError
from api.look_policy import SightKind
from api.looks import note_look, subject_no_of
from api.personal.fields import identity_of, open_field
from api.personal.keyring import Keyring
from api.personal.masking import masked_id_number, masked_name, masked_phone
from api.routes.looks import LOOKS, LookHeader, look_for

router = APIRouter()

_MASKS: dict[str, Callable[[str], str]] = {
    "name": masked_name,
    "phone": masked_phone,
    "id_number": masked_id_number,
}


@router.get("/subjects/{subject_id}/person", dependencies=[Depends(LOOKS)])
def get_person(request: Request, subject_id: UUID, x_look: LookHeader = None) -> dict[str, Any]:
    """The subject and the recipients of messages: masked without ``X-Look``, in clear and noted with one."""
    gate: Gate = request.app.state.services.gate
    keyring: Keyring | None = request.app.state.services.keyring
    account_id = request.state.caller.account_id
    with as_account(gate.engine, account_id) as connection:
        subject_no = subject_no_of(connection, subject_id)
        if keyring is None:
            raise NotThereError
        if x_look is not None:
            look = look_for(connection, request, x_look, subject_no=subject_no, kind=SightKind.PERSON)
            note_look(connection, look, account_id=account_id)
        return _person(connection, keyring, subject_no, is_masked=x_look is None)


def _person(connection: Connection, keyring: Keyring, subject_no: int, *, is_masked: bool) -> dict[str, Any]:
    def shown(column: str, clear: str | None) -> str | None:
        return clear if clear is None or not is_masked else _MASKS[column](clear)

    identity = identity_of(connection, keyring, subject_no=subject_no)
    row = connection.execute(
        text("SELECT alias, birth_date FROM subject WHERE subject_no = :no"), {"no": subject_no}
    ).one()
    recipients = connection.execute(
        text(
            "SELECT recipient_id, role, rank, is_blocked, name, phone, key_id FROM recipient WHERE subject_no = :no"
            " ORDER BY role, rank, recipient_id"
        ),
        {"no": subject_no},
    ).all()
    contacts = []
    for item in recipients:
        place = {"key_id": item.key_id, "table": "recipient", "row_id": item.recipient_id}
        contacts.append(
            {
                "role": item.role,
                "rank": item.rank,
                "is_blocked": item.is_blocked,
                "name": shown("name", open_field(keyring, item.name, column="name", **place)),
                "phone": shown("phone", open_field(keyring, item.phone, column="phone", **place)),
            }
        )
    return {
        "subject_id": identity.subject_id,
        "is_masked": is_masked,
        "alias": row.alias,
        "birth_date": None if is_masked else row.birth_date,
        "name": shown("name", identity.texts.get("name")),
        "id_number": shown("id_number", identity.texts.get("id_number")),
        "contacts": contacts,
    }
