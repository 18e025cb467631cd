"""Which columns hold personal fields, and the keys that the database says they are sealed with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from alerts.alert import Role, SealedContact
from api.personal.blind_index import id_number_index, phone_index
from api.personal.keyring import Keyring
from api.personal.sealing import NONCE_BYTES, Key, Place, open_sealed, seal
from tracking.episode import derived_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTable:
    """A table with personal fields. One key for all of a row, named in its column ``key_id``."""

    table: str
    row_id: str
    columns: tuple[str, ...]


SEALED_TABLES = (
    SealedTable(table="recipient", row_id="recipient_id", columns=("name", "phone", "email")),
    SealedTable(table="subject", row_id="subject_id", columns=("name", "id_number", "address")),
    SealedTable(table="leave", row_id="leave_id", columns=("contact",)),
    SealedTable(table="reply", row_id="reply_id", columns=("text",)),
    SealedTable(table="case_intake", row_id="item_id", columns=("content", "result", "token")),
)
"""A new personal field is a new column here: rotation, ``hulan keys list`` and the tests follow this list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """A key for everybody as the database knows it. Keys of sealed records are not among them (ADR 0020)."""

    key_id: str
    cipher: str
    is_current: bool
    row_count: int


def current_key(connection: Connection, keyring: Keyring) -> Key:
    """The key to seal with in this transaction: rotation waits for it to end.

    The first caller ever makes the keyring's newest key current. Raises ``KeyringError``.
    """
    query = text("SELECT key_id FROM personal_key WHERE is_current FOR SHARE")
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        newest = keyring.keys[-1]
        connection.execute(
            text(
                "INSERT INTO personal_key (key_id, cipher, is_current) VALUES (:key_id, :cipher, true)"
                " ON CONFLICT DO NOTHING"
            ),
            {"key_id": newest.key_id, "cipher": str(newest.cipher)},
        )
        found = connection.execute(query).scalar_one()
    return keyring.key(found)


def check_keys(connection: Connection, keyring: Keyring) -> None:
    """Raises ``KeyringError`` naming the first key that rows may be sealed with and that the keyring does not hold."""
    for use in key_uses(connection):
        keyring.key(use.key_id)


def key_uses(connection: Connection) -> list[KeyUse]:
    """The keys for everybody in the order in which they came into use, with the rows sealed with each."""
    counts = " UNION ALL ".join(
        f"SELECT key_id FROM {item.table} WHERE key_id IS NOT NULL"  # constants of the program
        for item in SEALED_TABLES
    )
    rows = connection.execute(
        text(
            f"SELECT k.key_id, k.cipher, k.is_current, count(r.key_id) AS row_count FROM personal_key k"
            f" LEFT JOIN ({counts}) r USING (key_id) WHERE k.subject_no IS NULL"
            " GROUP BY k.key_id ORDER BY k.used_from, k.key_id"
        )
    )
    return [KeyUse(**row._mapping) for row in rows]


def seal_row(key: Key, *, table: str, row_id: UUID, values: Mapping[str, str]) -> dict[str, bytes]:
    """Each value sealed for its column of this row."""
    return {
        column: seal(
            value,
            key=key,
            place=Place(table=table, column=column, row_id=str(row_id)),
            nonce=os.urandom(NONCE_BYTES),
        )
        for column, value in values.items()
    }


def open_field(keyring: Keyring, sealed: bytes, *, key_id: str, table: str, column: str, row_id: UUID) -> str:
    """The text of one field. Raises ``KeyringError`` for an unknown key, ``SealError`` for what was tampered with."""
    place = Place(table=table, column=column, row_id=str(row_id))
    return open_sealed(bytes(sealed), key=keyring.key(key_id), place=place)


def recipient_id_for(keyring: Keyring, *, subject_id: UUID, role: Role, phone: str) -> UUID:
    """The id of a recipient. From the keyed index: from the number itself, anyone could try all numbers."""
    return derived_id("recipient", 0, str(subject_id), str(role), phone_index(keyring.index_key, phone).hex())


def seal_contact(
    keyring: Keyring, key: Key, *, recipient_id: UUID, name: str, phone: str, email: str | None = None
) -> SealedContact:
    """Name, number and e-mail address of a recipient as the database keeps them."""
    values = {"name": name, "phone": phone} | ({} if email is None else {"email": email})
    sealed = seal_row(key, table="recipient", row_id=recipient_id, values=values)
    return SealedContact(
        name=sealed["name"],
        phone=sealed["phone"],
        email=sealed.get("email"),
        phone_index=phone_index(keyring.index_key, phone),
        key_id=key.key_id,
    )


def save_identity(
    connection: Connection,
    keyring: Keyring,
    *,
    subject_no: int,
    name: str | None,
    id_number: str | None,
    address: str | None = None,
) -> None:
    """Seal a subject's name, ID number and address. What is not given stays as it is."""
    asked = {"name": name, "id_number": id_number, "address": address}
    given = {column: value for column, value in asked.items() if value is not None}
    if not given:
        return
    key = current_key(connection, keyring)
    known = identity_of(connection, keyring, subject_no=subject_no, lock=True)
    values = {**known.texts, **given}
    sealed = seal_row(key, table="subject", row_id=known.subject_id, values=values)
    number = values.get("id_number")
    connection.execute(
        text(
            "UPDATE subject SET name = :name, id_number = :id_number, id_number_index = :id_number_index,"
            " address = :address, key_id = :key_id WHERE subject_no = :subject_no"
        ),
        {
            "name": sealed.get("name"),
            "id_number": sealed.get("id_number"),
            "address": sealed.get("address"),
            "id_number_index": None if number is None else id_number_index(keyring.index_key, number),
            "key_id": key.key_id,
            "subject_no": subject_no,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a subject is. ``texts``: the fields that are there, by column."""

    subject_id: UUID
    texts: Mapping[str, str]


def identity_of(connection: Connection, keyring: Keyring, *, subject_no: int, lock: bool = False) -> Identity:
    """A subject's name, ID number and address in clear: mask what is shown. Raises ``KeyringError``, ``SealError``."""
    row = connection.execute(
        text(
            "SELECT subject_id, name, id_number, address, key_id FROM subject WHERE subject_no = :subject_no"
            + (" FOR NO KEY UPDATE" if lock else "")
        ),
        {"subject_no": subject_no},
    ).one()
    sealed: dict[str, Any] = {"name": row.name, "id_number": row.id_number, "address": row.address}
    texts = {
        column: open_field(keyring, content, key_id=row.key_id, table="subject", column=column, row_id=row.subject_id)
        for column, content in sealed.items()
        if content is not None
    }
    return Identity(subject_id=row.subject_id, texts=texts)


def others_with_id_number(connection: Connection, keyring: Keyring, *, subject_no: int, id_number: str) -> int:
    """How many other subjects have this ID number."""
    return int(
        connection.execute(
            text("SELECT count(*) FROM subject WHERE id_number_index = :index AND subject_no <> :subject_no"),
            {"index": id_number_index(keyring.index_key, id_number), "subject_no": subject_no},
        ).scalar_one()
    )
