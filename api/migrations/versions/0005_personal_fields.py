"""Names and numbers sealed: no clear text is left in the tables, and none in the files that the tables were in.

A recipient's id derived from the bare telephone number, which anyone could find by trying all numbers; now it derives
from the keyed index, and the ids of notifications with it. The number is kept once, with the recipient, and never
changes there: what a message went to stays known. Clear text stays in older backups and archived WAL: destroy those.
"""

from typing import Any

from alembic import context, op
from sqlalchemy import Connection, text

from alerts.alert import Role
from api.personal.fields import current_key, open_field, recipient_id_for, seal_contact
from api.personal.keyring import Keyring, KeyringError
from tracking.episode import derived_id
from tracking.rules import to_microseconds

revision = "0005"
down_revision = "0004"

KEYS = """
-- Which keys rows are sealed with; the keys themselves are in the keyring, outside the database.
CREATE TABLE personal_key (
    key_id text PRIMARY KEY,
    cipher text NOT NULL CHECK (cipher IN ('aes-256-gcm', 'sm4-gcm')),
    is_current boolean NOT NULL,
    used_from timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX personal_key_current ON personal_key (is_current) WHERE is_current;
"""

SUBJECT = """
ALTER TABLE subject
    ADD COLUMN name bytea,
    ADD COLUMN id_number bytea,
    ADD COLUMN id_number_index bytea,
    ADD COLUMN key_id text REFERENCES personal_key,
    ADD CHECK (key_id IS NOT NULL OR (name IS NULL AND id_number IS NULL)),
    ADD CHECK ((id_number IS NULL) = (id_number_index IS NULL));
CREATE INDEX subject_id_number ON subject (id_number_index);
CREATE INDEX subject_key ON subject (key_id);
"""

RECIPIENT = """
ALTER TABLE recipient RENAME COLUMN name TO clear_name;
ALTER TABLE recipient RENAME COLUMN phone TO clear_phone;
ALTER TABLE recipient
    ADD COLUMN name bytea,
    ADD COLUMN phone bytea,
    ADD COLUMN phone_index bytea,
    ADD COLUMN key_id text REFERENCES personal_key;
ALTER TABLE notification DROP CONSTRAINT notification_recipient_id_fkey;
"""

CLEARED = """
ALTER TABLE recipient
    DROP COLUMN clear_name,
    DROP COLUMN clear_phone,
    ALTER COLUMN name SET NOT NULL,
    ALTER COLUMN phone SET NOT NULL,
    ALTER COLUMN phone_index SET NOT NULL,
    ALTER COLUMN key_id SET NOT NULL;
ALTER TABLE notification DROP COLUMN phone;
ALTER TABLE notification ADD CONSTRAINT notification_recipient_id_fkey
    FOREIGN KEY (recipient_id) REFERENCES recipient;
CREATE INDEX recipient_phone ON recipient (phone_index);
CREATE INDEX recipient_key ON recipient (key_id);
CREATE FUNCTION refuse_other_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the number of a recipient never changes: another number is another recipient';
END $$;
CREATE TRIGGER recipient_keeps_number BEFORE UPDATE ON recipient FOR EACH ROW
    WHEN (old.phone_index <> new.phone_index) EXECUTE FUNCTION refuse_other_number();
"""

# Dropping a column leaves its values in the table's file: only rewriting the file removes them.
REWRITTEN = """
CLUSTER recipient USING recipient_pkey;
CLUSTER notification USING notification_pkey;
ALTER TABLE recipient SET WITHOUT CLUSTER;
ALTER TABLE notification SET WITHOUT CLUSTER;
"""

DOWN = """
DROP TRIGGER recipient_keeps_number ON recipient;
DROP FUNCTION refuse_other_number();
ALTER TABLE recipient RENAME COLUMN name TO sealed_name;
ALTER TABLE recipient RENAME COLUMN phone TO sealed_phone;
ALTER TABLE recipient ADD COLUMN name text, ADD COLUMN phone text;
ALTER TABLE notification ADD COLUMN phone text;
"""

OPENED = """
UPDATE notification n SET phone = r.phone FROM recipient r WHERE r.recipient_id = n.recipient_id;
ALTER TABLE notification ALTER COLUMN phone SET NOT NULL;
ALTER TABLE recipient
    DROP COLUMN sealed_name, DROP COLUMN sealed_phone, DROP COLUMN phone_index, DROP COLUMN key_id,
    ALTER COLUMN name SET NOT NULL, ALTER COLUMN phone SET NOT NULL;
ALTER TABLE subject DROP COLUMN name, DROP COLUMN id_number, DROP COLUMN id_number_index, DROP COLUMN key_id;
DROP TABLE personal_key;
"""


def upgrade() -> None:
    """Seal every recipient. Raises ``KeyringError`` if there is one and no keyring was given."""
    connection = op.get_bind()
    for statements in (KEYS, SUBJECT, RECIPIENT):
        op.execute(statements)
    _seal_recipients(connection)
    _rename_notifications(connection)
    op.execute(CLEARED)
    op.execute(REWRITTEN)


def downgrade() -> None:
    """Names and numbers in clear again. Names and ID numbers of subjects have no older place: they are lost."""
    connection = op.get_bind()
    op.execute(DOWN)
    rows = connection.execute(text("SELECT recipient_id, sealed_name, sealed_phone, key_id FROM recipient")).all()
    for row in rows:
        opened = {
            column: open_field(
                _keyring(), sealed, key_id=row.key_id, table="recipient", column=column, row_id=row.recipient_id
            )
            for column, sealed in (("name", row.sealed_name), ("phone", row.sealed_phone))
        }
        connection.execute(
            text("UPDATE recipient SET name = :name, phone = :phone WHERE recipient_id = :id"),
            {"id": row.recipient_id, **opened},
        )
    op.execute(OPENED)


def _seal_recipients(connection: Connection) -> None:
    rows = connection.execute(
        text(
            "SELECT recipient_id, subject_id, role, clear_name, clear_phone FROM recipient JOIN subject"
            " USING (subject_no)"
        )
    ).all()
    if not rows:
        return
    keyring = _keyring()
    key = current_key(connection, keyring)
    sealed: list[dict[str, Any]] = []
    for row in rows:
        fresh = recipient_id_for(keyring, subject_id=row.subject_id, role=Role(row.role), phone=row.clear_phone)
        contact = seal_contact(keyring, key, recipient_id=fresh, name=row.clear_name, phone=row.clear_phone)
        sealed.append(
            {
                "old": row.recipient_id, "fresh": fresh, "name": contact.name, "phone": contact.phone,
                "phone_index": contact.phone_index, "key_id": contact.key_id,
            }
        )  # fmt: skip
    connection.execute(
        text(
            "UPDATE recipient SET recipient_id = :fresh, name = :name, phone = :phone, phone_index = :phone_index,"
            " key_id = :key_id WHERE recipient_id = :old"
        ),
        sealed,
    )
    connection.execute(
        text("UPDATE notification SET recipient_id = :fresh WHERE recipient_id = :old"),
        [{"old": item["old"], "fresh": item["fresh"]} for item in sealed],
    )


def _rename_notifications(connection: Connection) -> None:
    """Their ids as ``alerts.decide`` derives them, so that a repeat of the decision finds them."""
    rows = connection.execute(
        text(
            "SELECT notification_id, opened_at, alert_id, recipient_id, template FROM notification JOIN alert"
            " USING (alert_id)"
        )
    ).all()
    named = [
        {
            "old": row.notification_id,
            "fresh": derived_id(
                "notification",
                to_microseconds(row.opened_at),
                str(row.alert_id),
                str(row.recipient_id),
                row.template,
            ),
        }
        for row in rows
    ]
    if named:
        connection.execute(text("UPDATE notification SET notification_id = :fresh WHERE notification_id = :old"), named)


def _keyring() -> Keyring:
    keyring = context.config.attributes.get("keyring")
    if not isinstance(keyring, Keyring):
        raise KeyringError(
            "升级需要密钥环：库中有待加密的姓名与号码"
            " / this step needs a keyring: there are names and numbers to be sealed"
        )
    return keyring
