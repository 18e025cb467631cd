"""The desk against the database: turns by role, contacts for prosecutors only, rosters, figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, Engine, text
from typer.testing import CliRunner

from alerts.alert import AlertState, NotificationState, Role, StepKind, TaskKind
from alerts.answer import Answer
from alerts.channel import Channel
from alerts.event import EVENT_OF_CONDITION, EVENT_OF_FINDING, EventKind
from alerts.history import HistoryKind
from alerts.life import Closing, IllegalTurnError, Reopening
from api.access.roles import AccountRole, Scope
from api.access.tokens import create_token
from api.casework.names import (
    ANSWER_NAMES_ZH,
    CHANNEL_NAMES_ZH,
    EVENT_NAMES_ZH,
    FOUND_NAMES_ZH,
    HISTORY_NAMES_ZH,
    MESSAGE_NAMES_ZH,
    ROLE_NAMES_ZH,
    STEP_NAMES_ZH,
    TASK_NAMES_ZH,
)
from api.cli.main import assemble
from api.clock import FixedClock
from api.desk.alerts import (
    AlertFilter,
    acknowledge_alert,
    alert_shown,
    alerts_of_account,
    close_alert,
    reopen_alert,
)
from api.desk.figures import exposition, figures_between
from api.desk.letters import letters_of_account, retry_letter
from api.desk.rosters import DutyPerson, enter_absence, enter_duty, enter_person, revoke, rosters_of_account
from api.errors import NotThereError
from api.ids import new_id
from tests.access.people import official_in
from tests.api.casework_scene import NOW, Office, a_case
from tests.api.live_server import bearer, running_server
from tests.make import KEYRING, KEYRING_PATH, SECRET
from tests.order_rows import add_alert_work

command_line = assemble()

GUARDIAN = {"role": "guardian", "name": "合成监护", "phone": "13800000121"}


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine, a_case(recipients=[GUARDIAN]))


def an_alert(engine: Engine, subject_no: int, *, event: str = "entry") -> UUID:
    """An open alert with its first entry."""
    alert_id = new_id()
    with engine.begin() as connection:
        add_alert(connection, alert_id, subject_no, event=event)
    return alert_id


def add_alert(connection: Connection, alert_id: UUID, subject_no: int, *, event: str = "entry") -> None:
    values: dict[str, Any] = {"id": alert_id, "no": subject_no, "event": event, "entry": new_id()}
    for statement in (
        "INSERT INTO alert (alert_id, subject_no, event, state, opened_at, last_event_at, is_late)"
        " VALUES (:id, :no, :event, 'open', now(), now(), false)",
        "INSERT INTO alert_history (entry_id, alert_id, subject_no, kind, at, actor_kind, reason_code, reason_zh,"
        " reason_en, remark) VALUES (:entry, :id, :no, 'opened', now(), 'machine', 'new_event', '新', 'new', '')",
    ):
        connection.execute(text(statement), values)


def a_message(engine: Engine, alert_id: UUID, *, state: str = "delivered") -> UUID:
    """The guardian's message, 60 seconds from fix to delivery."""
    number = new_id()
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO notification (notification_id, alert_id, recipient_id, role, template, text, decided_at,"
                " known_at, made_at, sent_at, delivered_at, state, obstacle) SELECT :n, :id, recipient_id, role, 't',"
                " 'x', now() - interval '60 s', now() - interval '50 s', now() - interval '40 s', now(), now(), :state,"
                " CASE :state WHEN 'dead' THEN 'before_0020' END FROM recipient WHERE role = 'guardian'"
            ),
            {"n": number, "id": alert_id, "state": state},
        )
    return number


def test_an_alert_is_taken_up_closed_and_opened_again_and_says_by_whom(engine: Engine, office: Office) -> None:
    alert_id = an_alert(engine, office.no)
    a_message(engine, alert_id)
    police = office.accounts["police"]
    with office.as_("police") as connection:
        assert acknowledge_alert(connection, alert_id, by=police) == "acknowledged"
    with office.as_("police") as connection, pytest.raises(IllegalTurnError):
        acknowledge_alert(connection, alert_id, by=police)
    with office.as_("police") as connection, pytest.raises(IllegalTurnError):
        close_alert(connection, alert_id, by=police, closing=Closing.HANDLED)
    with office.as_("police") as connection:
        close_alert(connection, alert_id, by=police, closing=Closing.HANDLED, remark="已到现场")
    with office.as_("prosecutor") as connection:
        shown = alert_shown(connection, alert_id)
        assert shown["state"] == "closed"
        assert shown["closed_reason"] == "handled"
        assert [entry["kind"] for entry in shown["history"]] == ["opened", "acknowledged", "closed"]
        assert shown["history"][2]["actor"] == "合成人员"
        assert shown["history"][2]["remark"] == "已到现场"
        stamps = [shown["messages"][0][name] for name in ("fixed_at", "received_at", "decided_at", "delivered_at")]
        assert stamps == sorted(stamps)
        assert stamps[3] - stamps[0] == timedelta(seconds=60)
        by = office.accounts["prosecutor"]
        assert reopen_alert(connection, alert_id, by=by, reason=Reopening.CLOSED_IN_ERROR) == "open"
        shown = alert_shown(connection, alert_id)
        assert (shown["closed_at"], shown["acknowledged_at"], shown["settled_at"]) == (None, None, None)
        assert [step["kind"] for step in shown["steps"]] == ["next_recipient", "voice_task", "duty_officer", "leader"]
        assert shown["steps"][0]["due_at"] - shown["history"][-1]["at"] == timedelta(minutes=10)


def test_who_may_not_close_or_see_turns_nothing(engine: Engine, office: Office) -> None:
    alert_id = an_alert(engine, office.no)
    for who, turn in (
        ("supervisor", lambda c: close_alert(c, alert_id, by=office.accounts["supervisor"], closing=Closing.RETURNED)),
        ("stranger", lambda c: acknowledge_alert(c, alert_id, by=office.stranger)),
        ("stranger", lambda c: alert_shown(c, alert_id)),
    ):
        with office.as_(who) as connection, pytest.raises(NotThereError):
            turn(connection)
    jump = (
        "SELECT (turn_alert(jsonb_populate_record(NULL::alert, jsonb_build_object('alert_id', CAST(:id AS uuid),"
        " 'state', CAST(:to AS text))), :seen, jsonb_populate_record(NULL::alert_history,"
        " jsonb_build_object('entry_id', gen_random_uuid(), 'reason_code', 'x', 'reason_zh', 'x', 'reason_en', 'x',"
        " 'remark', '')), '[]')).state"
    )
    for seen, to in (("open", "open"), ("acknowledged", "open"), ("open", "nonsense"), ("closed", "acknowledged")):
        with office.as_("leader") as connection:
            values = {"id": str(alert_id), "seen": seen, "to": to}
            assert connection.execute(text(jump), values).scalar_one() is None
    with engine.connect() as connection:
        assert connection.execute(text("SELECT state FROM alert")).scalar_one() == "open"
        assert connection.execute(text("SELECT count(*) FROM alert_history")).scalar_one() == 1


OF_AN_ALERT = (
    "alert", "alert_finding", "alert_history", "delivery_report", "escalation_step", "guardian_answer", "notification",
    "reply", "task",
)  # fmt: skip


def test_an_alert_of_a_contact_is_the_prosecutors_only(engine: Engine, office: Office) -> None:
    alert_id = an_alert(engine, office.no, event="contact")
    a_message(engine, alert_id, state="dead")
    with engine.begin() as connection:
        met = "INSERT INTO finding (finding_id, subject_no, order_no, kind, started_at, decided_at, known_at,"
        met += " engine_version, policy_version) SELECT :id, subject_no, order_no, 'contact', now(), now(), now(),"
        connection.execute(text(f"{met} 'e', 'p' FROM supervision_order"), {"id": alert_id})
        add_alert_work(connection, office.no, finding_id=alert_id, keyring=KEYRING)
        task = "INSERT INTO task (task_id, kind, subject_no, alert_id, due_at, opened_at)"
        connection.execute(
            text(f"{task} VALUES (:id, 'review', :no, :id, now(), now())"), {"id": alert_id, "no": office.no}
        )
    for who in ("police", "supervisor", "leader"):
        with office.as_(who) as connection:
            assert alerts_of_account(connection) == []
            assert letters_of_account(connection) == []
            for table in OF_AN_ALERT:
                assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0, (who, table)
            with pytest.raises(NotThereError):
                acknowledge_alert(connection, alert_id, by=office.accounts[who])
    with office.as_("prosecutor") as connection:
        assert [item["alert_id"] for item in alerts_of_account(connection)] == [alert_id]
        for table in OF_AN_ALERT:
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() >= 1, table
        assert acknowledge_alert(connection, alert_id, by=office.accounts["prosecutor"]) == "acknowledged"


def test_alerts_are_filtered(engine: Engine, office: Office) -> None:
    first, second = an_alert(engine, office.no), an_alert(engine, office.no, event="silence")
    with office.as_("police") as connection:
        acknowledge_alert(connection, first, by=office.accounts["police"])

        def found(**wanted: Any) -> list[UUID]:
            return [item["alert_id"] for item in alerts_of_account(connection, AlertFilter(**wanted))]

        assert found() == [second, first]
        assert found(state=AlertState.OPEN) == [second]
        assert found(event="entry") == [first]
        assert found(subject_id=UUID(int=7)) == []
        opened_at = alerts_of_account(connection)[0]["opened_at"]
        assert found(before=opened_at) == [first]


def test_a_message_that_did_not_leave_is_tried_again_by_who_decides(engine: Engine, office: Office) -> None:
    number = a_message(engine, an_alert(engine, office.no), state="dead")
    with office.as_("prosecutor") as connection:
        assert [item["notification_id"] for item in letters_of_account(connection)] == [number]
    for who in ("supervisor", "stranger"):
        with office.as_(who) as connection, pytest.raises(NotThereError):
            retry_letter(connection, number)
    with office.as_("prosecutor") as connection:
        retry_letter(connection, number)
        assert letters_of_account(connection) == []


def test_leaders_keep_the_rosters_of_their_unit_and_officers_read_them(engine: Engine, office: Office) -> None:
    person = DutyPerson(unit="合成派出所", role=Role.DUTY_OFFICER, name="合成值班", phone="13800000122")
    span = {"from_at": NOW, "to_at": NOW + timedelta(hours=12)}
    with office.as_("police") as connection, pytest.raises(NotThereError):
        enter_person(connection, KEYRING, person)
    with office.as_("leader") as connection:
        number = enter_person(connection, KEYRING, person)
        assert enter_person(connection, KEYRING, person) == number
        turn = enter_duty(connection, unit="合成派出所", people=[number], **span)
        away = enter_absence(connection, number, **span)
    with office.as_("leader") as connection, pytest.raises(NotThereError):
        enter_duty(connection, unit="370600", people=[number], **span)
    with office.as_("leader") as connection, pytest.raises(NotThereError):
        enter_duty(connection, unit="合成派出所", people=[UUID(int=7)], **span)
    with office.as_("police") as connection:
        shown = rosters_of_account(connection, KEYRING, since=NOW)
    assert [(item["name"], item["phone"]) for item in shown["people"]] == [("合成值班", "138****0122")]
    assert [item["roster_id"] for item in shown["duties"]] == [turn]
    assert [item["absence_id"] for item in shown["absences"]] == [away]
    elsewhere = official_in(engine, "far", AccountRole.LEADER, division="370600")
    office.accounts["far"] = elsewhere.account_id
    with office.as_("far") as connection:
        assert not any(rosters_of_account(connection, KEYRING, since=NOW).values())
        with pytest.raises(NotThereError):
            revoke(connection, turn)
    with office.as_("leader") as connection:
        revoke(connection, number)
        shown = rosters_of_account(connection, KEYRING, since=NOW)
        assert (shown["people"], shown["absences"]) == ([], [])
        assert [item["recipient_ids"] for item in shown["duties"]] == [[]], (
            "a turn of nobody is a gap, and shown as one"
        )
        assert enter_person(connection, KEYRING, person) == number
        assert [item["recipient_ids"] for item in rosters_of_account(connection, KEYRING, since=NOW)["duties"]] == [
            [number]
        ]
        for entry in (turn, away, number):
            revoke(connection, entry)
        assert not any(rosters_of_account(connection, KEYRING, since=NOW).values())


def test_figures_count_and_name_nobody(engine: Engine, office: Office) -> None:
    a_message(engine, an_alert(engine, office.no))
    an_alert(engine, office.no, event="contact")
    now = datetime.now(UTC)
    with office.as_("leader") as connection:
        figures = figures_between(connection, now - timedelta(weeks=1), now + timedelta(seconds=1))
    times = {(item.channel, item.stage): item.quantiles for item in figures.times}
    assert times["sms", "fixed_to_delivered"] == pytest.approx((60.0, 60.0, 60.0))
    assert times["sms", "fixed_to_received"] == pytest.approx((10.0, 10.0, 10.0))
    assert figures.alerts == {"entry": (1, 0)}
    assert figures.person_weeks == pytest.approx(1.0, abs=0.01)
    assert figures.per_person_week == pytest.approx(1.0, abs=0.01)
    told = exposition(figures).decode()
    assert 'hulan_notification_seconds{channel="sms",quantile="0.95",stage="fixed_to_delivered"} 60.0' in told
    assert str(office.done.subject_id) not in told
    for who in ("police", "prosecutor"):
        with office.as_(who) as connection:
            none = figures_between(connection, now - timedelta(weeks=1), now)
        assert (none.times, none.alerts, none.person_weeks) == ((), {}, 0.0)


def taken_away(engine: Engine, alert_id: UUID, *, after_s: float) -> None:
    """The guardian says so, so long after the event, which was an hour ago."""
    values = {"id": alert_id, "new": new_id(), "after": timedelta(seconds=after_s)}
    with engine.begin() as connection:
        for statement in (
            "UPDATE alert SET state = 'acknowledged', opened_at = now() - interval '1 hour', acknowledged_at = now(),"
            " settled_at = now() - interval '1 hour' + :after WHERE alert_id = :id",
            "INSERT INTO guardian_link (link_id, alert_id, recipient_id, subject_no, token_hash, made_at, expires_at)"
            " SELECT :new, alert_id, recipient_id, a.subject_no, sha256(alert_id::text::bytea), now(),"
            " now() + interval '1 day' FROM alert a, recipient r WHERE alert_id = :id AND r.role = 'guardian'",
            "INSERT INTO guardian_answer (answer_id, link_id, alert_id, subject_no, answer, answered_at)"
            " SELECT :new, :new, alert_id, subject_no, 'taken_away', settled_at FROM alert WHERE alert_id = :id",
        ):
            connection.execute(text(statement), values)


def test_time_to_rescue_is_from_the_event_to_an_answer_that_stands(engine: Engine, office: Office) -> None:
    quick, slow, closed, mistaken = (an_alert(engine, office.no) for _ in range(4))
    taken_away(engine, quick, after_s=600)
    taken_away(engine, slow, after_s=1800)
    taken_away(engine, mistaken, after_s=60)
    by = office.accounts["police"]
    with office.as_("police") as connection:
        for alert_id in (quick, closed, mistaken):
            close_alert(connection, alert_id, by=by, closing=Closing.RETURNED)
        reopen_alert(connection, mistaken, by=by, reason=Reopening.NEW_EVIDENCE)
        listed = {item["alert_id"]: item["time_to_rescue_s"] for item in alerts_of_account(connection)}
        assert alert_shown(connection, slow)["time_to_rescue_s"] == 1800.0
    assert listed == {quick: 600.0, slow: 1800.0, closed: None, mistaken: None}
    now = datetime.now(UTC)
    with office.as_("leader") as connection:
        figures = figures_between(connection, now - timedelta(weeks=1), now + timedelta(seconds=1))
    assert figures.rescues.count == 2
    assert figures.rescues.quantiles == pytest.approx((1200.0, 1740.0))
    told = exposition(figures).decode()
    assert "hulan_rescues 2.0" in told
    assert 'hulan_rescue_seconds{quantile="0.95"} 1740.0' in told


def test_metrics_go_to_a_token_with_the_scope_and_to_nobody_else(engine: Engine, database_url: str) -> None:
    office = Office(engine, a_case(recipients=[GUARDIAN]))
    a_message(engine, an_alert(engine, office.no))
    tokens = {}
    for name, role, scope in (
        ("sys", AccountRole.SYSTEM_ADMINISTRATOR, Scope.METRICS_READ),
        ("sys2", AccountRole.SYSTEM_ADMINISTRATOR, Scope.ACCOUNTS_READ),
        ("off", AccountRole.PROSECUTOR, Scope.CASES_READ),
    ):
        official = official_in(engine, name, role)
        with engine.begin() as connection:
            _, tokens[name] = create_token(
                connection, official.account_no, label="x", scopes=[scope], roles=frozenset({role}),
                life=timedelta(days=1), secret=SECRET, now=NOW,
            )  # fmt: skip
    with running_server(database_url, clock=FixedClock(datetime.now(UTC) + timedelta(seconds=1))) as client:
        answers = {name: client.get("/metrics", headers=bearer(token)) for name, token in tokens.items()}
        assert client.get("/metrics").status_code == 401
    assert {name: answer.status_code for name, answer in answers.items()} == {"sys": 200, "sys2": 403, "off": 403}
    told = answers["sys"].text
    assert answers["sys"].headers["content-type"].startswith("text/plain")
    assert 'hulan_notification_seconds{channel="sms",quantile="0.5",stage="fixed_to_delivered"} 60.0' in told
    assert 'hulan_alerts{event="entry",is_late="false"} 1.0' in told
    families = {family.name: family for family in text_string_to_metric_families(told)}
    assert set(families) == {
        "hulan_notification_seconds", "hulan_notification_messages", "hulan_decisions", "hulan_alerts",
        "hulan_person_weeks", "hulan_alerts_per_person_week", "hulan_rescues",
    }  # fmt: skip


def test_the_command_line_does_all_of_it_for_an_account(
    engine: Engine, database_url: str, office: Office, tmp_path: Path
) -> None:
    alert_id = an_alert(engine, office.no)
    a_message(engine, alert_id)

    def run(*words: str, code: int = 0) -> str:
        environment = {
            "HULAN_DATA_DIR": str(tmp_path), "HULAN_KEYRING": str(KEYRING_PATH), "HULAN_DATABASE_URL": database_url,
            "HULAN_SECRET_KEY": "a secret only of this test",
        }  # fmt: skip
        done = CliRunner().invoke(command_line, list(words), env=environment)
        structlog.reset_defaults()  # the command's log went to a stream that is closed now
        assert done.exit_code == code, done.output
        return done.output

    assert str(alert_id) in run("alert", "list", "--by", "o1", "--state", "open")
    assert "acknowledged" in run("alert", "ack", str(alert_id), "--by", "o1")
    assert "remark" in run("alert", "close", str(alert_id), "handled", "--by", "o1", code=1)
    assert "closed" in run("alert", "close", str(alert_id), "returned", "--by", "o1")
    assert "open" in run("alert", "reopen", str(alert_id), "closed_in_error", "--by", "o0")
    shown = run("alert", "show", str(alert_id), "--by", "o0")
    assert "reopened" in shown
    assert "短信 sms  已送达 delivered" in shown
    assert "只给领导" in run("alert", "metrics", "--by", "o1", code=1)
    assert "没有这一项" in run("alert", "show", str(alert_id), "--by", "stranger", code=1)
    assert "fixed_to_delivered" in run("alert", "metrics", "--by", "o3")
    unit = ("--unit", "合成派出所", "--by", "o3")
    number = run("roster", "add", "--name", "合成值班", "--phone", "13800000122", *unit).split()[-1]
    span = ("--since", "2126-03-02T18:00", "--until", "2126-03-03T08:00")
    run("roster", "add", "--on-duty", number, *span, *unit)
    run("roster", "absence", number, *span, "--by", "o3")
    listed = run("roster", "list", "--by", "o1")
    assert listed.count("合成值班") == 3
    assert "13800000122" not in listed
    run("roster", "revoke", number, "--by", "o3")
    assert "无人在班" in run("roster", "list", "--by", "o1")


def test_whatever_an_officer_reads_about_alerts_has_a_name() -> None:
    """A new kind of anything is named before officers see its code."""
    for names, kinds in (
        (EVENT_NAMES_ZH, EventKind), (HISTORY_NAMES_ZH, HistoryKind), (ROLE_NAMES_ZH, Role),
        (CHANNEL_NAMES_ZH, Channel), (MESSAGE_NAMES_ZH, NotificationState), (STEP_NAMES_ZH, StepKind),
        (ANSWER_NAMES_ZH, Answer),
    ):  # fmt: skip
        assert set(names) == set(kinds)
    assert set(TaskKind) <= set(TASK_NAMES_ZH)
    assert set(EVENT_OF_FINDING) | set(map(str, EVENT_OF_CONDITION)) <= set(FOUND_NAMES_ZH)
