"""An alert that an officer opens again is planned anew, and the worker takes the steps of the new plan only."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine, text

from alerts.alert import Role
from alerts.life import Closing, Reopening
from api.access.accounts import join_case, set_jurisdiction
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.desk.alerts import alert_shown, close_alert, reopen_alert
from api.worker import Worker
from tests.access.people import official_in
from tests.alerts.outbox_scene import FATHER, MOTHER, PROSECUTOR, rows
from tests.api.clock_scene import a_clocked_worker
from tests.make import EVENING, Person, a_bar, a_fix, a_person, log_fixes

POLICE = "13800000104"
PEOPLE = (
    (Role.GUARDIAN, MOTHER, 1, False), (Role.GUARDIAN, FATHER, 2, False), (Role.PROSECUTOR, PROSECUTOR, 1, False),
    (Role.POLICE, POLICE, 1, False),
)  # fmt: skip


def an_alert_that_was_told(engine: Engine) -> tuple[Person, Worker]:
    """Somebody was in a bar yesterday; a worker told the first of each line. Officers turn alerts by the wall clock."""
    begun = datetime.now(UTC) - timedelta(hours=26)
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(
            connection,
            recipients=PEOPLE,
            birth_date=date(begun.year - 16, 1, 1),
            valid_from=begun,
            valid_to=begun + timedelta(days=30),
        )
    since = (begun - EVENING) / timedelta(minutes=1)
    way = [a_fix(minutes=since + number, east_m=400) for number in range(5)]
    log_fixes(engine, person, way + [a_fix(minutes=since + 5 + 0.2 * number, east_m=3) for number in range(50)])
    worker, _ = a_clocked_worker(engine, begun + timedelta(minutes=8))
    worker.drain()
    assert len(told(engine)) == 2
    return person, worker


def told(engine: Engine) -> list[str]:
    return [row[0] for row in rows(engine, "SELECT role FROM notification ORDER BY made_at, role")]


def test_an_officers_reopening_starts_a_plan_of_which_the_worker_takes_each_step_once(engine: Engine) -> None:
    person, worker = an_alert_that_was_told(engine)
    officer = official_in(engine, "wang", AccountRole.PROSECUTOR)
    with engine.begin() as connection:
        set_jurisdiction(connection, person.subject_no, "320300")
        join_case(connection, person.subject_no, officer.account_no, now=EVENING)
        alert_id = connection.execute(text("SELECT alert_id FROM alert")).scalar_one()
        # Before it was closed, a message that reached nobody hurried the first plan on.
        connection.execute(
            text(
                "INSERT INTO alert_history (entry_id, alert_id, subject_no, kind, at, actor_kind, reason_code,"
                " reason_zh, reason_en, remark) SELECT gen_random_uuid(), alert_id, subject_no, 'not_told',"
                " last_event_at + interval '1 minute', 'machine', 'not_delivered', '未送达', 'not delivered', ''"
                " FROM alert"
            )
        )
    with as_account(engine, officer.account_id) as connection:
        close_alert(connection, alert_id, by=officer.account_id, closing=Closing.RETURNED)
    with as_account(engine, officer.account_id) as connection:
        reopen_alert(connection, alert_id, by=officer.account_id, reason=Reopening.CLOSED_IN_ERROR)
        shown = alert_shown(connection, alert_id)
    (opened_at,) = (entry["at"] for entry in shown["history"] if entry["kind"] == "reopened")
    clock = worker.clock

    def look(minutes: float) -> None:
        clock.current = opened_at + timedelta(minutes=minutes)  # type: ignore[attr-defined] # a FixedClock
        worker.escalate()

    look(9.9)
    assert steps(engine) == [], "neither the old plan nor the new one"
    look(10)
    look(10.1)
    assert steps(engine) == [("next_recipient", "taken")]
    # The evening of the event is long over: the next officer is told, the family is not.
    assert told(engine)[2:] == ["police"]
    assert rows(engine, "SELECT r.role, h.reason_code FROM alert_history h JOIN recipient r ON r.recipient_id = h.about"
                " WHERE h.reason_code = 'too_old'") == [("guardian", "too_old")]  # fmt: skip
    for minutes in (20, 30, 60, 61):
        look(minutes)
    assert [kind for kind, _ in steps(engine)] == ["next_recipient", "voice_task", "duty_officer", "leader"]
    planned = "SELECT count(*) FROM escalation_step WHERE planned_at = :at"
    assert rows(engine, planned, at=opened_at) == [(4,)], "planned once, by the turn; the worker finds the same steps"
    with as_account(engine, officer.account_id) as connection:
        shown = alert_shown(connection, alert_id)
    assert {step["outcome"] for step in shown["steps"] if step["planned_at"] == opened_at} <= {"taken", "skipped"}
    assert "escalated" in [entry["kind"] for entry in shown["history"]]


def steps(engine: Engine) -> list[tuple[str, str]]:
    """Kind and outcome of the steps that are done."""
    return rows(engine, "SELECT kind, outcome FROM escalation_step WHERE done_at IS NOT NULL ORDER BY due_at")
