"""After 已带离 or a closing the fixes keep the child inside: the alert is opened again and told, once a settling."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from alerts.channel import Channel
from alerts.gateway import FakeGateway
from alerts.life import Closing
from alerts.link import LinkPolicy, link_key
from alerts.texts import CODE_ALPHABET
from api.access.accounts import join_case, set_jurisdiction
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.clock import FixedClock
from api.database import open_engine
from api.desk.alerts import close_alert
from api.guardian.link_maker import LinkMaker
from api.ids import new_id
from api.logins import Login
from api.worker import Worker
from tests.access.people import a_browser, official_in
from tests.alerts.outbox_scene import MOTHER, PROSECUTOR, Told, a_subject, rows
from tests.api.clock_scene import a_duty
from tests.api.live_server import url_as
from tests.guardian.test_from_fix_to_answer import OFFICER
from tests.make import EVENING, SECRET, Person, a_bar, a_fix, a_person, a_worker, log_fixes
from tracking.fix import Fix
from tracking.order import ConditionKind

SHOWN_CODE = re.compile(rf"反馈码([{CODE_ALPHABET}]{{8}})。$")
TAKEN_AWAY = 20.0
"""Minutes into the evening at which the mother says so, from home."""
THRESHOLD = TAKEN_AWAY + 10.0


def after(minutes: float) -> datetime:
    return EVENING + timedelta(minutes=minutes)


@pytest.fixture
def a_new_worker(engine: Engine, database_url: str) -> Iterator[Callable[[], Worker]]:
    """Workers with the rights of their own login and one provider for all; each begins with nothing in memory."""
    own, gateway = open_engine(url_as(database_url, Login.WORKER)), FakeGateway()
    workers: list[Worker] = []

    def begin() -> Worker:
        if workers:
            workers[-1]._give_back()
        worker = a_worker(own, gateway)
        worker.policies = replace(worker.policies, alerting=replace(worker.policies.alerting, with_code=True))
        worker.links = LinkMaker(key=link_key(SECRET), public_url="https://hulan.example")
        workers.append(worker)
        return worker

    yield begin
    own.dispose()


def sent(worker: Worker, number: str) -> list[str]:
    """Texts that the provider was handed for a number."""
    ((gateway,),) = (worker.gateways[Channel.SMS],)
    assert isinstance(gateway, FakeGateway)
    return [message.text for message in gateway.sent if message.address == number]


def inside(since: float, until: float, *, late_minutes: float = 0.0) -> list[Fix]:
    """A fix a minute in the bar."""
    return [a_fix(minutes=m, east_m=3, late_minutes=late_minutes) for m in range(round(since), round(until))]


def a_child_in_a_bar(engine: Engine, worker: Worker) -> Person:
    """The mother and the prosecutor were told."""
    with engine.begin() as connection:
        a_bar(connection)
    person, _ = a_subject(engine, [Told(phone=MOTHER), OFFICER])
    log_fixes(engine, person, [a_fix(minutes=number, east_m=400) for number in range(5)] + inside(5, 20))
    worker.drain()
    assert (len(sent(worker, MOTHER)), len(sent(worker, PROSECUTOR))) == (1, 1)
    return person


def say_taken_away(worker: Worker, database_url: str, minutes: float) -> None:
    """By the code of the last message to the mother, at the page."""
    found = SHOWN_CODE.search(sent(worker, MOTHER)[-1])
    assert found is not None
    with a_browser(database_url, clock=FixedClock(after(minutes)), links=LinkPolicy()) as browser:
        page = browser.client.post("/g", data={"code": found[1], "answer": "taken_away"})
        assert "已收到您的答复" in page.text, page.text


def reopened(engine: Engine) -> list[datetime]:
    return [
        at
        for at, actor, code in rows(
            engine, "SELECT at, actor_kind, reason_code FROM alert_history WHERE kind = 'reopened' ORDER BY at"
        )
        if (actor, code) == ("machine", "still_going_on")
    ]


@pytest.mark.parametrize(("batch", "restarts"), [(2, False), (7, True), (100, False)])
def test_a_child_that_was_not_taken_away_is_told_of_again_within_fifteen_minutes_for_any_batches(
    engine: Engine, database_url: str, a_new_worker: Callable[[], Worker], batch: int, restarts: bool
) -> None:
    worker = a_new_worker()
    person = a_child_in_a_bar(engine, worker)
    say_taken_away(worker, database_url, TAKEN_AWAY)
    assert rows(engine, "SELECT state, settled_at FROM alert") == [("acknowledged", after(TAKEN_AWAY))]
    fixes = inside(20, 41)
    for start in range(0, len(fixes), batch):
        worker = a_new_worker() if restarts else worker
        log_fixes(engine, person, fixes[start : start + batch])
        worker.drain()
        worker.drain()
    assert reopened(engine) == [after(THRESHOLD)]
    assert rows(engine, "SELECT state, settled_at, acknowledged_at FROM alert") == [("open", None, None)]
    told = "SELECT role, decided_at, known_at FROM notification WHERE decided_at > :at ORDER BY role"
    again, known = after(THRESHOLD), after(THRESHOLD + 1)
    assert rows(engine, told, at=after(TAKEN_AWAY)) == [("guardian", again, known), ("prosecutor", again, known)]
    assert known - after(TAKEN_AWAY) < timedelta(minutes=15)
    assert (len(sent(worker, MOTHER)), len(sent(worker, PROSECUTOR))) == (2, 2)
    assert rows(engine, "SELECT count(*) FROM escalation_step WHERE planned_at = :at", at=known) == [(4,)]


def test_each_word_that_it_is_over_is_held_against_the_fixes_once(
    engine: Engine, database_url: str, a_new_worker: Callable[[], Worker]
) -> None:
    worker = a_new_worker()
    person = a_child_in_a_bar(engine, worker)
    for settled in (TAKEN_AWAY, TAKEN_AWAY + 15):
        say_taken_away(worker, database_url, settled)
        log_fixes(engine, person, inside(settled, settled + 15))
        worker.drain()
    assert reopened(engine) == [after(TAKEN_AWAY + 10), after(TAKEN_AWAY + 25)]
    told = "SELECT decided_at, channel FROM notification WHERE role = 'prosecutor' ORDER BY decided_at, channel"
    third = after(TAKEN_AWAY + 25)
    assert rows(engine, told)[1:] == [
        (after(TAKEN_AWAY + 10), "sms"), (third, "sms"), (third, "voice_task"),
    ], "the third of a day is telephoned"  # fmt: skip


def test_a_closing_after_the_mothers_word_counts_from_the_closing_and_a_dismissal_ends_it(
    engine: Engine, database_url: str, a_new_worker: Callable[[], Worker]
) -> None:
    worker = a_new_worker()
    person = a_child_in_a_bar(engine, worker)
    say_taken_away(worker, database_url, TAKEN_AWAY)
    close = "UPDATE alert SET state = 'closed', settled_at = coalesce(settled_at, :at), closed_at = :at,"
    with engine.begin() as connection:
        connection.execute(text(f"{close} closed_reason = 'returned'"), {"at": after(28)})
    log_fixes(engine, person, inside(20, 45))
    worker.drain()
    assert reopened(engine) == [after(38)]
    official = official_in(engine, "wang", AccountRole.PROSECUTOR)
    with engine.begin() as connection:
        connection.execute(text(f"{close} closed_reason = 'returned'"), {"at": after(45)})
        connection.execute(
            text(
                "INSERT INTO decision (decision_id, subject_no, violation_id, account_no, outcome, reason_code, remark,"
                " decided_at) SELECT :id, subject_no, violation_id, :account, 'dismissed', 'other', '', :at"
                " FROM violation"
            ),
            {"id": new_id(), "account": official.account_no, "at": after(45)},
        )
    log_fixes(engine, person, inside(45, 70))
    worker.drain()
    assert reopened(engine) == [after(38)]


def test_who_stays_away_from_where_they_have_to_be_is_told_of_again_too(
    engine: Engine, database_url: str, a_new_worker: Callable[[], Worker]
) -> None:
    worker = a_new_worker()
    person, _ = a_subject(engine, [Told(phone=MOTHER), OFFICER])
    with engine.begin() as connection:
        a_duty(connection, person, ConditionKind.STAY_AT_PLACE, at=EVENING, radius_m=50)
    log_fixes(engine, person, [a_fix(minutes=m, east_m=3 if m < 5 else 400) for m in range(20)])
    worker.drain()
    assert rows(engine, "SELECT event FROM alert") == [("departure",)]
    say_taken_away(worker, database_url, TAKEN_AWAY)
    log_fixes(engine, person, [a_fix(minutes=m, east_m=400) for m in range(20, 41)])
    worker.drain()
    assert reopened(engine) == [after(THRESHOLD)]
    assert len(sent(worker, PROSECUTOR)) == 2


@pytest.mark.parametrize(
    "later",
    [
        inside(20, 30) + [a_fix(minutes=m, east_m=400) for m in range(30, 50)],
        inside(20, 60, late_minutes=45),
        [a_fix(minutes=m, east_m=400) for m in range(21, 60)],
    ],
    ids=["gone in time", "known too late", "gone at once"],
)
def test_a_child_that_left_or_of_whom_it_is_known_too_late_is_told_of_no_more(
    engine: Engine, database_url: str, a_new_worker: Callable[[], Worker], later: list[Fix]
) -> None:
    worker = a_new_worker()
    person = a_child_in_a_bar(engine, worker)
    say_taken_away(worker, database_url, TAKEN_AWAY)
    log_fixes(engine, person, later)
    worker.drain()
    assert reopened(engine) == []
    entries = "SELECT count(*) FROM notification WHERE template LIKE '%entry%'"
    assert rows(engine, entries) == [(2,)], "the first two; of a silence another alert tells"


@pytest.mark.parametrize(
    ("closing", "is_told"),
    [(Closing.RETURNED, True), (Closing.TAKEN_AWAY, True), (Closing.PERMITTED, False), (Closing.FALSE_ALARM, False)],
)
def test_a_closing_that_says_it_is_over_is_held_against_the_fixes_and_a_judgement_is_not(
    engine: Engine, a_new_worker: Callable[[], Worker], closing: Closing, is_told: bool
) -> None:
    """Officers close by the wall clock: the child came into the bar a quarter of an hour ago."""
    begun = datetime.now(UTC) - timedelta(minutes=20)
    since = (begun - EVENING) / timedelta(minutes=1)
    worker = a_new_worker()
    with engine.begin() as connection:
        a_bar(connection)
        people = ((told.role, told.phone, 1, False) for told in (Told(phone=MOTHER), OFFICER))
        person = a_person(
            connection,
            recipients=tuple(people),
            birth_date=date(begun.year - 16, 1, 1),
            valid_from=begun,
            valid_to=begun + timedelta(days=30),
        )
    log_fixes(engine, person, [a_fix(minutes=since + m, east_m=400 if m < 5 else 3) for m in range(19)])
    worker.drain()
    officer = official_in(engine, "wang", AccountRole.PROSECUTOR)
    with engine.begin() as connection:
        set_jurisdiction(connection, person.subject_no, "320300")
        join_case(connection, person.subject_no, officer.account_no, now=EVENING)
        alert_id = connection.execute(text("SELECT alert_id FROM alert")).scalar_one()
    with as_account(engine, officer.account_id) as connection:
        close_alert(connection, alert_id, by=officer.account_id, closing=closing)
    ((closed_at,),) = rows(engine, "SELECT closed_at FROM alert")
    for minute in range(20, 36):
        log_fixes(engine, person, [a_fix(minutes=since + minute, east_m=3)])
        worker.drain()
    assert reopened(engine) == ([closed_at + timedelta(minutes=10)] if is_told else [])
    assert rows(engine, "SELECT state FROM alert") == [("open" if is_told else "closed",)]
    assert len(sent(worker, PROSECUTOR)) == (2 if is_told else 1)
