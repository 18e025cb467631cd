"""Receipts that a worker asks for: from the server of a provider to the state of the message and the next person."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from alerts.alert import Role
from alerts.channel import Channel
from alerts.gateway import Gateway, Polls
from alerts.gateway_aliyun import AliyunAccount, AliyunGateway
from alerts.gateway_smpp import SmppGateway
from alerts.gateway_tencent import TencentAccount, TencentGateway
from api.clock import FixedClock
from api.database import open_engine
from api.logins import Login
from api.worker import Worker
from tests.alerts.outbox_scene import FATHER, MOTHER, Told, a_subject, an_alert, make_due, rows
from tests.api.faults import wait_until
from tests.api.live_server import url_as
from tests.gateways import aliyun_server, tencent_server
from tests.gateways.aliyun_server import Aliyun
from tests.gateways.http_provider import served
from tests.gateways.smpp_centre import a_centre, receipt_of
from tests.gateways.tencent_server import Tencent
from tests.gateways.test_smpp import account_at
from tests.make import a_worker

# The SDK dates its signatures with `datetime.utcfromtimestamp`, deprecated since Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:.*utcfromtimestamp.*:DeprecationWarning")

STATES = "SELECT r.rank, n.state FROM notification n JOIN recipient r USING (recipient_id) ORDER BY 1"
PEOPLE = (Told(phone=MOTHER), Told(phone=FATHER, rank=2))


@pytest.fixture
def aliyun() -> Aliyun:
    return Aliyun()


@pytest.fixture
def tencent() -> Tencent:
    return Tencent()


@pytest.fixture
def via_aliyun(aliyun: Aliyun) -> Iterator[AliyunGateway]:
    with served(aliyun.answer) as url:
        yield AliyunGateway(
            AliyunAccount(
                access_key_id=aliyun_server.ACCESS_KEY_ID,
                access_key_secret=aliyun_server.ACCESS_KEY_SECRET,
                signature=aliyun_server.SIGNATURE,
                templates={"guardian_entry_suspected": "SMS_100"},
                endpoint=url,
            )
        )


@pytest.fixture
def via_tencent(tencent: Tencent) -> Iterator[TencentGateway]:
    with served(tencent.answer) as url:
        yield TencentGateway(
            TencentAccount(
                secret_id=tencent_server.SECRET_ID,
                secret_key=tencent_server.SECRET_KEY,
                app_id=tencent_server.APP_ID,
                signature=tencent_server.SIGNATURE,
                templates={"guardian_entry_suspected": "100"},
                endpoint=url,
            )
        )


@pytest.fixture
def own(engine: Engine, database_url: str) -> Iterator[Engine]:
    """With the rights of the worker's login."""
    found = open_engine(url_as(database_url, Login.WORKER))
    yield found
    found.dispose()


def a_worker_by(own: Engine, gateway: Gateway, at: datetime) -> tuple[Worker, FixedClock]:
    worker, clock = a_worker(own), FixedClock(at)
    worker.clock, worker.gateways = clock, {Channel.SMS: (gateway,)}
    return worker, clock


def told_now(engine: Engine, worker: Worker, *people: Told) -> UUID:
    """A message to the first of them that the provider took at this moment."""
    at = worker.clock.now()
    person, (first, *_) = a_subject(engine, people)
    key = an_alert(engine, person.subject_no, first, at=at)
    make_due(engine)
    worker.deliver_due()
    return key


def test_a_receipt_that_was_asked_for_makes_it_delivered(
    engine: Engine, own: Engine, aliyun: Aliyun, via_aliyun: AliyunGateway
) -> None:
    worker, clock = a_worker_by(own, via_aliyun, datetime.now(UTC))
    told_now(engine, worker, *PEOPLE)
    assert not worker.poll_receipts(), "it is on its way"
    aliyun.taken[0]["Status"] = "3"
    assert not worker.poll_receipts(), "asked a moment ago"
    clock.current += worker.poll_every
    assert worker.poll_receipts()
    worker.deliver_due()
    assert rows(engine, STATES) == [(1, "delivered")]
    asked = aliyun.actions.count("QuerySendDetails")
    clock.current += worker.poll_every
    assert not worker.poll_receipts()
    assert aliyun.actions.count("QuerySendDetails") == asked, "nothing is awaited any more"


def test_who_was_not_reached_is_followed_by_the_next(
    engine: Engine, own: Engine, aliyun: Aliyun, via_aliyun: AliyunGateway
) -> None:
    worker, _ = a_worker_by(own, via_aliyun, datetime.now(UTC))
    told_now(engine, worker, *PEOPLE)
    aliyun.taken[0]["Status"] = "2"
    assert worker.poll_receipts()
    worker.deliver_due()
    assert rows(engine, STATES) == [(1, "failed"), (2, "sent")]
    assert [taken["PhoneNumbers"] for taken in aliyun.taken] == [f"+86{MOTHER}", f"+86{FATHER}"]


def test_of_two_workers_one_asks(engine: Engine, own: Engine, aliyun: Aliyun, via_aliyun: AliyunGateway) -> None:
    worker, clock = a_worker_by(own, via_aliyun, datetime.now(UTC))
    other, _ = a_worker_by(own, via_aliyun, clock.current)
    told_now(engine, worker, Told(), Told(phone="13800000105", rank=2))
    aliyun.actions.clear()
    worker.poll_receipts()
    once = len(aliyun.actions)
    other.poll_receipts()
    assert len(aliyun.actions) == once > 0
    other.clock = FixedClock(clock.current + worker.poll_every)
    other.poll_receipts()
    assert len(aliyun.actions) == 2 * once, "it goes on with the other one if the first is gone"


def test_a_provider_that_is_away_is_asked_again_later(
    engine: Engine, own: Engine, aliyun: Aliyun, via_aliyun: AliyunGateway
) -> None:
    worker, clock = a_worker_by(own, via_aliyun, datetime.now(UTC))
    told_now(engine, worker, Told())
    aliyun.taken[0]["Status"] = "3"
    aliyun.planned = [aliyun_server.error(503, "ServiceUnavailable", "")] * 2
    assert not worker.poll_receipts()
    aliyun.planned = []
    clock.current += worker.poll_every
    assert worker.poll_receipts()


def test_a_reply_is_sealed_and_put_to_the_message_that_it_answers(
    engine: Engine, own: Engine, tencent: Tencent, via_tencent: TencentGateway
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    worker, clock = a_worker_by(own, via_tencent, at)
    key = told_now(engine, worker, Told(phone=MOTHER, role=Role.GUARDIAN))
    clock.current += timedelta(minutes=1)
    tencent.replies = [
        {"PhoneNumber": f"+86{MOTHER}", "ReplyContent": "1", "ReplyTime": int(clock.current.timestamp()),
         "CountryCode": "86"}
    ]  # fmt: skip
    assert worker.poll_receipts()
    clock.current += worker.poll_every
    worker.poll_receipts()
    worker.deliver_due()
    ((sealed, notification_id, is_proven),) = rows(engine, "SELECT text, notification_id, is_proven FROM reply")
    assert (notification_id, is_proven) == (key, True) and bytes(sealed) != b"1"
    assert rows(engine, "SELECT state FROM alert") == [("open",)], "what a bare 1 means is for an officer to ask"
    assert rows(engine, "SELECT count(*) FROM alert_history WHERE kind = 'answered'") == [(0,)]


def test_each_worker_hears_what_the_centre_tells_on_its_own_line(engine: Engine, own: Engine) -> None:
    with a_centre() as centre:
        gateway = SmppGateway(account_at(centre), timeout_s=1.0)
        worker, _ = a_worker_by(own, gateway, datetime.now(UTC))
        try:
            told_now(engine, worker, Told())
            ((reference,),) = rows(engine, "SELECT provider_reference FROM notification")
            centre.push(receipt_of(reference, "DELIVRD"))
            wait_until(worker.poll_receipts)
        finally:
            gateway.close()
    worker.deliver_due()
    assert rows(engine, STATES) == [(1, "delivered")]


def test_what_is_older_than_two_days_is_asked_about_no_more(
    engine: Engine, own: Engine, aliyun: Aliyun, via_aliyun: AliyunGateway
) -> None:
    worker, clock = a_worker_by(own, via_aliyun, datetime.now(UTC))
    told_now(engine, worker, Told())
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET sent_at = sent_at - interval '49 hours'"))
    aliyun.actions.clear()
    clock.current += worker.poll_every
    worker.poll_receipts()
    assert aliyun.actions == []


def test_each_gateway_says_whether_it_is_asked() -> None:
    assert (AliyunGateway.tells_by_itself, TencentGateway.tells_by_itself, SmppGateway.tells_by_itself) == (
        False, False, True,
    )  # fmt: skip
    assert isinstance(SmppGateway.__new__(SmppGateway), Polls)
