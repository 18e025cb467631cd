"""Fixes in the log, a message with a code, the code typed at the page, the answer at the desk: the whole way."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from alerts.alert import Role
from alerts.channel import Channel
from alerts.gateway import FakeGateway, Message, Polled, Reply
from alerts.link import LinkPolicy, link_key
from alerts.texts import CODE_ALPHABET
from api.access.accounts import join_case, set_jurisdiction
from api.access.roles import AccountRole
from api.callbacks import keep_told
from api.clock import FixedClock
from api.database import open_engine
from api.guardian.link_maker import LinkMaker
from api.logins import Login
from api.worker import Worker
from tests.access.people import a_browser, official_in
from tests.alerts.outbox_scene import MOTHER, PROSECUTOR, Told, a_subject, rows
from tests.api.live_server import url_as
from tests.make import EVENING, KEYRING, SECRET, Person, a_bar, a_fix, a_worker, log_fixes

SHOWN_CODE = re.compile(rf"反馈码([{CODE_ALPHABET}]{{8}})。$")
ADDRESS = "https://hulan.example"
OFFICER = Told(phone=PROSECUTOR, role=Role.PROSECUTOR)


@pytest.fixture
def worker(engine: Engine, database_url: str) -> Iterator[Worker]:
    """As ``hulan run`` makes it with HULAN_GUARDIAN_CODES, with the rights of the worker's own login."""
    own = open_engine(url_as(database_url, Login.WORKER))
    worker = a_worker(own)
    worker.policies = replace(worker.policies, alerting=replace(worker.policies.alerting, with_code=True))
    worker.links = LinkMaker(key=link_key(SECRET), public_url=ADDRESS)
    worker.gateways = {channel: (FakeGateway(),) for channel in (Channel.SMS, Channel.EMAIL)}
    yield worker
    own.dispose()


def sent(worker: Worker, channel: Channel = Channel.SMS) -> dict[str, Message]:
    """Address → what was handed over."""
    (gateway,) = worker.gateways[channel]
    assert isinstance(gateway, FakeGateway)
    return {message.address: message for message in gateway.sent}


def a_child_at_a_bar(engine: Engine, worker: Worker, mother: Told, *, delivers: bool = True) -> Person:
    with engine.begin() as connection:
        a_bar(connection)
    person, _ = a_subject(engine, [mother, OFFICER])
    log_fixes(engine, person, [a_fix(minutes=number, east_m=400 if number < 5 else 3) for number in range(12)])
    while worker.step():
        pass
    if delivers:
        worker.drain()
    return person


def test_a_mothers_answer_by_the_code_of_her_message_is_at_the_officers_desk(
    engine: Engine, database_url: str, worker: Worker
) -> None:
    person = a_child_at_a_bar(engine, worker, Told(phone=MOTHER))
    messages = sent(worker)
    found = SHOWN_CODE.search(messages[MOTHER].text)
    assert found is not None and "疑似进入未成年人禁入区域" in messages[MOTHER].text
    assert messages[MOTHER].template == "guardian_entry_suspected_code"
    assert "反馈码" not in messages[PROSECUTOR].text and "编号" in messages[PROSECUTOR].text
    code = found[1]
    assert dict(messages[MOTHER].variables)["code"] == code

    official = official_in(engine, "wang", AccountRole.PROSECUTOR)
    with engine.begin() as connection:
        set_jurisdiction(connection, person.subject_no, "320300")
        join_case(connection, person.subject_no, official.account_no, now=EVENING)
    answered_at = EVENING + timedelta(minutes=25)
    with a_browser(database_url, clock=FixedClock(answered_at), links=LinkPolicy()) as officer:
        page = officer.client.post("/g", data={"code": f"{code[:4]} {code[4:].lower()}", "answer": "taken_away"})
        assert page.status_code == 200 and "已收到您的答复" in page.text
        assert rows(engine, "SELECT answer, answered_at FROM guardian_answer") == [("taken_away", answered_at)]

        officer.log_in(official)
        (listed,) = officer.ask("GET", "/alerts").json()["alerts"]
        shown = officer.ask("GET", f"/alerts/{UUID(listed['alert_id'])}").json()
    assert (listed["state"], shown["state"]) == ("acknowledged", "acknowledged")
    assert [item["answer"] for item in shown["answers"]] == ["taken_away"]
    assert [(item["kind"], item["actor_kind"]) for item in shown["history"]][-2:] == [
        ("answered", "guardian"), ("acknowledged", "guardian"),
    ]  # fmt: skip
    worker.drain()
    assert rows(engine, "SELECT count(*) FROM escalation_step WHERE outcome = 'taken'") == [(0,)]


def test_a_reply_by_text_message_is_shown_to_officers_and_means_nothing_by_itself(
    engine: Engine, database_url: str, worker: Worker
) -> None:
    person = a_child_at_a_bar(engine, worker, Told(phone=MOTHER))
    official = official_in(engine, "wang", AccountRole.PROSECUTOR)
    with engine.begin() as connection:
        set_jurisdiction(connection, person.subject_no, "320300")
        join_case(connection, person.subject_no, official.account_no, now=EVENING)
    at = EVENING + timedelta(minutes=25)
    with engine.begin() as connection:
        for is_proven in (False, True):  # the hint of a callback, and the same when the provider was asked
            reply = Reply(provider="tencent", phone=f"+86{MOTHER}", text="1", at=at, is_proven=is_proven)
            keep_told(connection, Polled(replies=(reply,)), KEYRING)
    worker.deliver_due()
    with a_browser(database_url, clock=FixedClock(at + timedelta(minutes=1))) as officer:
        officer.log_in(official)
        (listed,) = officer.ask("GET", "/alerts").json()["alerts"]
        shown = officer.ask("GET", f"/alerts/{UUID(listed['alert_id'])}").json()
    assert [(item["text"], item["role"], item["is_proven"]) for item in shown["replies"]] == [("1", "guardian", True)]
    assert (shown["state"], shown["answers"]) == ("open", [])


def test_an_email_has_the_code_and_the_link(engine: Engine, worker: Worker, database_url: str) -> None:
    a_child_at_a_bar(engine, worker, Told(phone=MOTHER, email="m@example.org", channels=(Channel.EMAIL,)))
    message = sent(worker, Channel.EMAIL)["m@example.org"]
    found = re.search(rf"反馈码[{CODE_ALPHABET}]{{8}}。\n\n.*\n{ADDRESS}(/g/\S+)\n$", message.text)
    assert found is not None, message.text
    with a_browser(database_url, clock=FixedClock(EVENING + timedelta(minutes=20)), links=LinkPolicy()) as telephone:
        assert "已带离" in telephone.client.get(found[1]).text


def test_a_second_guardian_gets_a_code_of_their_own(engine: Engine, worker: Worker) -> None:
    with engine.begin() as connection:
        a_bar(connection)
    father = Told(phone="13800000102", rank=2)
    person, _ = a_subject(engine, [Told(phone=MOTHER), father, OFFICER])
    log_fixes(engine, person, [a_fix(minutes=number, east_m=400 if number < 5 else 3) for number in range(30)])
    worker.drain()
    codes = {dict(sent(worker)[number].variables)["code"] for number in (MOTHER, father.phone)}
    assert len(codes) == 2


def test_without_the_setting_a_message_has_no_code(engine: Engine, worker: Worker) -> None:
    worker.policies = replace(worker.policies, alerting=replace(worker.policies.alerting, with_code=False))
    worker.links = None
    a_child_at_a_bar(engine, worker, Told(phone=MOTHER))
    message = sent(worker)[MOTHER]
    assert (message.template, "反馈码" in message.text) == ("guardian_entry_suspected", False)


def test_a_message_that_waited_for_a_code_leaves_without_one_where_the_page_was_closed_meanwhile(
    engine: Engine, worker: Worker
) -> None:
    """A text without a code is better than a code that opens nothing; nothing of the batch is lost."""
    a_child_at_a_bar(engine, worker, Told(phone=MOTHER), delivers=False)
    assert rows(engine, "SELECT text LIKE '%反馈码00000000。' FROM notification WHERE role = 'guardian'") == [(True,)]
    worker.links = None
    worker.deliver_due()
    message = sent(worker)[MOTHER]
    assert (message.template, "反馈码" in message.text) == ("guardian_entry_suspected", False)
    assert rows(engine, "SELECT text, template FROM notification WHERE role = 'guardian'") == [
        (message.text, message.template)
    ]
    assert set(sent(worker)) == {MOTHER, PROSECUTOR}
