"""One alert, message or report that cannot be worked on: people look after it, and the rest go on."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError
from structlog.testing import capture_logs

from alerts.alert import Alert, AlertState, Role
from alerts.decided_store import save_decided
from alerts.escalation import plan_steps
from alerts.event import EventKind
from alerts.gateway import DeliveryReport, Message, Receipt
from alerts.report_store import save_reports
from alerts.store import save_alerts
from api.alerting import Alerting
from api.clock import FixedClock
from api.escalating import escalate_due
from api.ids import new_id
from api.outbox import DatabaseOutbox
from api.personal.keyring import KeyringError
from tests.alerts.outbox_scene import (
    FATHER,
    MOTHER,
    POLICY,
    PROSECUTOR,
    Taking,
    Told,
    a_round,
    a_subject,
    an_alert,
    minutes,
    rows,
    tasks,
)
from tests.make import EVENING, KEYRING

NOW = EVENING + minutes(1)


def run(engine: Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def refuse(engine: Engine, when: str) -> None:
    """From now on the database refuses changes of messages for which ``when`` (SQL on ``NEW``) holds."""
    run(
        engine,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {when} THEN RAISE EXCEPTION 'refused by the test' USING ERRCODE = 'check_violation'; END IF;"
        " RETURN NEW; END $$",
    )
    run(engine, "CREATE TRIGGER refuse BEFORE UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION refuse()")


def state_of(engine: Engine, notification_id: UUID) -> tuple[object, ...]:
    (row,) = rows(engine, "SELECT state, obstacle FROM notification WHERE notification_id = :id", id=notification_id)
    return tuple(row)


@pytest.fixture
def two(engine: Engine) -> tuple[UUID, UUID]:
    """The messages of two events of two people; the first comes first."""
    ids = []
    for number, phone in enumerate((MOTHER, FATHER)):
        person, (recipient,) = a_subject(engine, (Told(phone=phone),))
        ids.append(an_alert(engine, person.subject_no, recipient, at=EVENING + timedelta(seconds=number)))
    return ids[0], ids[1]


def test_a_message_whose_values_are_none_is_telephoned_and_the_next_leaves(
    engine: Engine, two: tuple[UUID, UUID]
) -> None:
    run(engine, """UPDATE notification SET variables = '[["name"]]' WHERE notification_id = :id""", id=two[0])
    clock = FixedClock(NOW)
    provider = Taking(clock=clock)
    a_round(engine, clock, provider)
    assert set(provider.taken) == {two[1]}
    assert state_of(engine, two[0]) == ("dead", "broken")
    assert tasks(engine) == [("voice_call", "broken")]


def test_a_message_that_cannot_be_worded_is_telephoned_and_the_next_leaves(
    engine: Engine, two: tuple[UUID, UUID]
) -> None:
    run(
        engine,
        "UPDATE notification SET event_at = decided_at, variables = :variables WHERE notification_id = :id",
        variables='[["minutes", "soon"], ["time", "another day"]]',
        id=two[0],
    )
    clock = FixedClock(NOW)
    provider = Taking(clock=clock)
    with capture_logs() as logged:
        a_round(engine, clock, provider)
    assert set(provider.taken) == {two[1]}
    assert state_of(engine, two[0]) == ("dead", "broken")
    assert tasks(engine) == [("voice_call", "broken")]
    assert [line["error"] for line in logged if line["event"] == "message_not_worded"] == ["ValueError"]


def test_what_the_database_refuses_of_one_is_a_task_and_the_rest_leave(engine: Engine, two: tuple[UUID, UUID]) -> None:
    clock = FixedClock(NOW)
    provider = Taking(clock=clock)
    refuse(engine, f"NEW.state = 'sent' AND NEW.notification_id = '{two[0]}'")
    with capture_logs() as logged:
        a_round(engine, clock, provider)
    assert set(provider.taken) == {*two}, "it left, and nobody could write that down"
    assert state_of(engine, two[1]) == ("sent", None)
    assert state_of(engine, two[0]) == ("dead", "broken")
    assert tasks(engine) == [("nobody_to_tell", "broken")]
    (told,) = (line for line in logged if line["event"] == "message_broken")
    assert told == {
        "event": "message_broken",
        "log_level": "error",
        "notification_id": two[0],
        "error": "IntegrityError",
    }


def test_a_message_that_nothing_can_be_done_about_stays_due_and_stops_nobody(
    engine: Engine, two: tuple[UUID, UUID]
) -> None:
    clock = FixedClock(NOW)
    provider = Taking(clock=clock)
    refuse(engine, f"NEW.state <> 'pending' AND NEW.notification_id = '{two[0]}'")
    with capture_logs() as logged:
        a_round(engine, clock, provider)
    assert [state_of(engine, item)[0] for item in two] == ["pending", "sent"]
    assert "message_stuck" in [line["event"] for line in logged]
    run(engine, "DROP TRIGGER refuse ON notification")
    a_round(engine, clock, provider)
    assert state_of(engine, two[0]) == ("sent", None)


def test_what_concerns_all_messages_stops_the_worker(engine: Engine, two: tuple[UUID, UUID]) -> None:
    class NoKeys(DatabaseOutbox):
        def open_address(self, recipient_id: UUID, column: str, sealed: bytes, key_id: str) -> str | None:
            raise KeyringError("no keyring")

    clock = FixedClock(NOW)
    with pytest.raises(KeyringError):
        a_round(engine, clock, Taking(clock=clock), outbox=NoKeys(engine, POLICY, KEYRING))
    run(engine, "ALTER TABLE provider_state RENAME TO elsewhere")
    with pytest.raises(ProgrammingError):
        a_round(engine, clock, Taking(clock=clock))
    assert [state_of(engine, item) for item in two] == [("pending", None)] * 2


class Sending(Taking):
    """A provider whose reference the database cannot hold."""

    def send(self, message: Message) -> Receipt:
        return Receipt(provider=self.provider, reference=f"\0{super().send(message).reference}")


def test_a_reference_that_cannot_be_stored_is_a_task(engine: Engine, two: tuple[UUID, UUID]) -> None:
    clock = FixedClock(NOW)
    a_round(engine, clock, Sending(clock=clock))
    assert [state_of(engine, item) for item in two] == [("dead", "broken")] * 2
    assert tasks(engine) == [("nobody_to_tell", "broken")] * 2


def test_a_report_that_cannot_be_applied_is_a_task_and_the_rest_are_applied(
    engine: Engine, two: tuple[UUID, UUID]
) -> None:
    clock = FixedClock(NOW)
    a_round(engine, clock, Taking(clock=clock))
    refuse(engine, f"NEW.state = 'delivered' AND NEW.notification_id = '{two[0]}'")
    told = [
        DeliveryReport(provider="p1", reference=f"r-{item}", is_delivered=True, at=NOW, reason="OK") for item in two
    ]
    with engine.begin() as connection:
        save_reports(connection, told)
    outbox = DatabaseOutbox(engine, POLICY, KEYRING)
    with capture_logs() as logged:
        assert outbox.apply_news(clock) == 2
    assert outbox.apply_news(clock) == 0, "it is not looked at for ever"
    assert state_of(engine, two[1]) == ("delivered", None)
    assert state_of(engine, two[0]) == ("failed", "broken")
    assert tasks(engine) == [("nobody_to_tell", "broken")]
    assert [line["error"] for line in logged if line["event"] == "report_broken"] == ["IntegrityError"]


def planned(engine: Engine, *, is_empty: bool) -> UUID:
    """An alert of which the first step is due at ``NOW``; an empty one holds no fact, so that none can be taken."""
    person, _ = a_subject(engine, (Told(), Told(phone=PROSECUTOR, role=Role.PROSECUTOR)))
    alert = Alert(
        alert_id=new_id(),
        subject_no=person.subject_no,
        event=EventKind.SILENCE,
        opened_at=NOW - minutes(15),
        last_event_at=NOW - minutes(15),
        is_late=False,
        state=AlertState.OPEN,
    )
    with engine.begin() as connection:
        save_alerts(connection, [alert], [])
        if not is_empty:
            finding_id = new_id()
            connection.execute(
                text(
                    "INSERT INTO finding (finding_id, subject_no, kind, started_at, decided_at, known_at,"
                    " engine_version, policy_version) VALUES (:id, :subject_no, 'silence', :at, :at, :at, 'e', 'p')"
                ),
                {"id": finding_id, "subject_no": person.subject_no, "at": alert.opened_at},
            )
            connection.execute(
                text("INSERT INTO alert_finding VALUES (:alert_id, :id)"),
                {"alert_id": alert.alert_id, "id": finding_id},
            )
        steps = plan_steps(alert.alert_id, told_at=alert.opened_at, policy=POLICY)
        save_decided(connection, subject_of={alert.alert_id: alert.subject_no}, steps=steps)
    return alert.alert_id


def test_an_alert_that_cannot_be_escalated_is_a_task_once_and_the_rest_go_on(engine: Engine) -> None:
    broken, sound = planned(engine, is_empty=True), planned(engine, is_empty=False)
    with capture_logs() as logged:
        assert escalate_due(engine, Alerting(), now=NOW) == 1
        for _ in range(3):
            assert escalate_due(engine, Alerting(), now=NOW + minutes(1)) == 0
    assert rows(engine, "SELECT alert_id, kind FROM task WHERE reason_code = 'our_fault'") == [
        (broken, "nobody_to_tell")
    ]
    done = rows(engine, "SELECT alert_id FROM escalation_step WHERE done_at IS NOT NULL")
    assert done == [(sound,)], "the broken one stays due: once mended it is taken"
    assert [line["error"] for line in logged if line["event"] == "alert_not_escalated"] == ["LookupError"]
