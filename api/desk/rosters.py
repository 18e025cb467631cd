"""Rosters: who is told by duty, turns of duty, absences. Entered by leaders, seen by officers of a case of the unit.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Connection, text

from alerts.alert import Role
from alerts.channel import Channel
from api.errors import NotThereError, RefusedInputError
from api.ids import new_id
from api.personal.fields import open_field, recipient_id_for, seal_contact
from api.personal.keyring import Keyring
from api.personal.masking import masked_phone

DUTY_ROLES = (Role.DUTY_OFFICER, Role.LEADER)


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyPerson:
    """Somebody who is told by duty. ``unit``: an organ as orders name it. ``channels``: in order of preference."""

    unit: str
    role: Role
    name: str
    phone: str
    email: str | None = None
    language: str = "zh"
    channels: tuple[Channel, ...] = (Channel.SMS,)


def enter_person(connection: Connection, keyring: Keyring, person: DutyPerson) -> UUID:
    """Enter somebody, or bring name and channels up to date. ``NotThereError`` if that is not for the account."""
    if person.role not in DUTY_ROLES:
        raise RefusedInputError("值班人员或领导 / a duty officer or a leader")
    if not person.channels or (Channel.EMAIL in person.channels and person.email is None):
        raise RefusedInputError("渠道缺少地址 / a channel without an address")
    key_id = connection.execute(text("SELECT sealing_key_id()")).scalar()
    if key_id is None:
        raise NotThereError
    # The unit stands where the subject of a case would: the same number in two units is two entries.
    of_unit = uuid5(NAMESPACE_URL, f"hulan:unit:{person.unit}")
    number = recipient_id_for(keyring, subject_id=of_unit, role=person.role, phone=person.phone)
    sealed = seal_contact(
        keyring, keyring.key(key_id), recipient_id=number, name=person.name, phone=person.phone, email=person.email
    )
    asked = {
        "recipient_id": str(number), "role": person.role, "unit": person.unit, "language": person.language,
        "channels": list(person.channels), "key_id": key_id, "name": _bytea(sealed.name),
        "phone": _bytea(sealed.phone), "phone_index": _bytea(sealed.phone_index),
        "email": None if sealed.email is None else _bytea(sealed.email),
    }  # fmt: skip
    return _entered(connection, "enter_duty_person", "recipient", asked)


def enter_duty(
    connection: Connection, *, unit: str, people: Sequence[UUID], from_at: datetime, to_at: datetime
) -> UUID:
    """A turn of duty, aware: the first of ``people`` who is there is told. Of overlapping turns the later begun counts.

    Raises ``NotThereError`` for a unit of no case that the account leads, or people who are not its duty officers.
    """
    _check_span(from_at, to_at)
    asked = {
        "roster_id": str(new_id()), "unit": unit, "from_at": from_at.isoformat(), "to_at": to_at.isoformat(),
        "recipient_ids": [str(item) for item in people],
    }  # fmt: skip
    return _entered(connection, "enter_duty", "duty_roster", asked)


def enter_absence(connection: Connection, recipient_id: UUID, *, from_at: datetime, to_at: datetime) -> UUID:
    """Somebody is away, aware. Raises ``NotThereError`` for whom the account does not lead."""
    _check_span(from_at, to_at)
    asked = {
        "absence_id": str(new_id()), "recipient_id": str(recipient_id), "from_at": from_at.isoformat(),
        "to_at": to_at.isoformat(),
    }  # fmt: skip
    return _entered(connection, "enter_absence", "duty_absence", asked)


def revoke(connection: Connection, number: UUID) -> None:
    """A turn, an absence or a person counts no longer from now on. Raises ``NotThereError``."""
    if connection.execute(text("SELECT revoke_duty(:id)"), {"id": number}).scalar_one() is None:
        raise NotThereError


def rosters_of_account(connection: Connection, keyring: Keyring, *, since: datetime) -> dict[str, Any]:
    """People, turns and absences of the account's units that are not revoked nor over at ``since``, aware.

    A turn names those who are told: without people it is a gap, of which the leader is told.
    """
    people = connection.execute(
        text(
            "SELECT recipient_id, unit, role, name, phone, key_id, language, channels FROM recipient"
            " WHERE subject_no IS NULL AND NOT is_blocked ORDER BY unit, role, recipient_id"
        )
    ).all()
    known = {row.recipient_id for row in people}
    duties = connection.execute(
        text(
            "SELECT roster_id, unit, from_at, to_at, recipient_ids FROM duty_roster"
            " WHERE revoked_at IS NULL AND to_at > :since ORDER BY unit, from_at LIMIT 500"
        ),
        {"since": since},
    )
    absences = connection.execute(
        text(
            "SELECT absence_id, recipient_id, from_at, to_at FROM duty_absence"
            " WHERE revoked_at IS NULL AND to_at > :since AND recipient_id = ANY (:known) ORDER BY from_at LIMIT 500"
        ),
        {"since": since, "known": sorted(known)},
    )
    return {
        "people": [_person(row._mapping, keyring) for row in people],
        "duties": [
            {**row._mapping, "recipient_ids": [number for number in row.recipient_ids if number in known]}
            for row in duties
        ],
        "absences": [dict(row._mapping) for row in absences],
    }


def _person(row: Mapping[Any, Any], keyring: Keyring) -> dict[str, Any]:
    opened = {
        column: open_field(
            keyring, row[column], key_id=row["key_id"], table="recipient", column=column, row_id=row["recipient_id"]
        )
        for column in ("name", "phone")
    }
    plain = {name: row[name] for name in ("recipient_id", "unit", "role", "language", "channels")}
    return plain | {"name": opened["name"], "phone": masked_phone(opened["phone"])}


def _check_span(from_at: datetime, to_at: datetime) -> None:
    if not from_at < to_at:
        raise RefusedInputError("须先起后止 / it must end after it begins")


def _bytea(value: bytes) -> str:
    return "\\x" + value.hex()


def _entered(connection: Connection, function: str, table: str, asked: Mapping[str, Any]) -> UUID:
    query = text(f"SELECT {function}(jsonb_populate_record(NULL::{table}, CAST(:asked AS jsonb)))")
    found: UUID | None = connection.execute(query, {"asked": json.dumps(asked, ensure_ascii=False)}).scalar_one()
    if found is None:
        raise NotThereError
    return found
