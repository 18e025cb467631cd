"""People with recipients and messages to them, for tests of what the database holds."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from alerts.alert import Alert, Notification, Role
from alerts.event import EventKind
from alerts.store import save_alerts, save_notifications
from api.case_file import CaseIn
from api.cases import Registered, register_case
from api.ids import new_id
from api.personal.fields import open_field
from api.personal.keyring import Keyring
from tests.make import EVENING, SECRET
from tracking.order import ConditionKind


def a_case(number: int, **changes: Any) -> CaseIn:
    """A made-up case; its guardian has a number of the fake range."""
    content = {
        "reference": f"P-{number}", "alias": f"合成{number}", "birth_date": "2010-01-01", "measure": "bail",
        "location_basis": "order_item",
        "document_number": f"合成〔2026〕{number}号", "deciding_organ": "合成区公安局", "executing_organ": "合成",
        "valid_from": "2026-03-01T00:00:00+08:00", "valid_to": "2026-04-01T00:00:00+08:00",
        "conditions": [{"kind": "excluded_categories", "categories": ["bar"]}],
        "recipients": [{"role": "guardian", "name": f"王监护{number}", "phone": phone_of(number)}],
    }  # fmt: skip
    return CaseIn.model_validate(content | changes)


def phone_of(number: int) -> str:
    return f"138000{number:05}"


def register(connection: Connection, number: int, keyring: Keyring, **changes: Any) -> Registered:
    return register_case(connection, a_case(number, **changes), keyring=keyring, secret=SECRET, at=EVENING)


def a_message(connection: Connection, subject_no: int) -> UUID:
    """An alert of the subject with one message to its recipient; returns the id of the message."""
    recipient_id = connection.execute(
        text("SELECT recipient_id FROM recipient WHERE subject_no = :no"), {"no": subject_no}
    ).scalar_one()
    alert = Alert(
        event=EventKind.ENTRY,
        alert_id=new_id(),
        subject_no=subject_no,
        kind=ConditionKind.EXCLUDED_CATEGORIES,
        opened_at=EVENING,
        last_event_at=EVENING,
        is_late=False,
    )
    save_alerts(connection, [alert], [])
    message = Notification(
        notification_id=new_id(),
        alert_id=alert.alert_id,
        recipient_id=recipient_id,
        role=Role.GUARDIAN,
        template="guardian_entry_suspected",
        text="合成消息",
        decided_at=EVENING,
        known_at=EVENING,
    )
    save_notifications(connection, [message])
    return message.notification_id


def contacts(engine: Engine, keyring: Keyring) -> set[tuple[str, str]]:
    """Name and number of every recipient, opened."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT recipient_id, name, phone, key_id FROM recipient")).all()

    def opened(row: Any, column: str) -> str:
        place = {"table": "recipient", "column": column, "row_id": row.recipient_id}
        return open_field(keyring, getattr(row, column), key_id=row.key_id, **place)

    return {(opened(row, "name"), opened(row, "phone")) for row in rows}


def rows_by_key(engine: Engine) -> dict[str, int]:
    """How many rows of personal fields each key seals."""
    query = (
        "SELECT key_id, count(*) FROM (SELECT key_id FROM recipient UNION ALL SELECT key_id FROM subject"
        " WHERE key_id IS NOT NULL) r GROUP BY key_id"
    )
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text(query))}
