"""Hop 6 on a real outbox: claimed by one, sent once, tried again, and never silently gone."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine, text

from alerts.alert import Alert, AlertState, Notification, Role
from alerts.channel import Channel
from alerts.delivery import Begun, Claim, DeliveryClock, deliver
from alerts.event import EventKind
from alerts.failover import Obstacle
from alerts.gateway import CONNECT_TIMEOUT_S, TIMEOUT_S, FakeGateway, GatewayError, Message, Receipt
from alerts.gateway_console import ConsoleGateway
from alerts.outbox_store import claim_pending
from alerts.policy import AlertPolicy
from alerts.store import alerts_of, save_alerts, save_notifications
from api.clock import EventClock, FixedClock
from api.ids import new_id
from api.outbox import DatabaseOutbox
from tests.make import EVENING, KEYRING, KEYRING_PATH, a_person
from tracking.order import ConditionKind

POLICY = AlertPolicy(budget_per_day=10_000, budget_per_24_hours=10_000, breaker_failures=10_000)
"""Budgets and breakers have tests of their own: test_outbox.py."""
NOW = EVENING + timedelta(minutes=1)
CLOCK = FixedClock(NOW)


def pending(engine: Engine, count: int = 1, *, role: Role = Role.GUARDIAN) -> list[UUID]:
    """An alert decided at ``EVENING`` with so many notifications in the outbox; their ids in the order of sending."""
    with engine.begin() as connection:
        person = a_person(connection)
        recipient_id = connection.execute(
            text("SELECT recipient_id FROM recipient WHERE subject_no = :s"), {"s": person.subject_no}
        ).scalar_one()
        alert = Alert(
            alert_id=new_id(),
            subject_no=person.subject_no,
            event=EventKind.ENTRY,
            kind=ConditionKind.EXCLUDED_CATEGORIES,
            opened_at=EVENING,
            last_event_at=EVENING,
            is_late=False,
        )
        save_alerts(connection, [alert], [])
        notifications = [
            Notification(
                notification_id=new_id(),
                alert_id=alert.alert_id,
                recipient_id=recipient_id,
                role=role,
                template="guardian_entry_suspected",
                text=f"合成消息{number}",
                decided_at=EVENING,
                known_at=EVENING,
            )
            for number in range(count)
        ]
        assert save_notifications(connection, notifications) == count
        assert save_notifications(connection, notifications) == 0
    return [item.notification_id for item in notifications]


def rows(engine: Engine, columns: str) -> list[Any]:
    with engine.connect() as connection:
        query = f"SELECT {columns} FROM notification ORDER BY step, notification_id"
        return [tuple(row) for row in connection.execute(text(query))]


def opened(*_: object) -> str:
    return "13800000101"


def make_due(engine: Engine) -> None:
    """Let claims and waits run out."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET due_at = now() WHERE state = 'pending'"))


def send_due(engine: Engine, gateway: Any, *, now: datetime = NOW, policy: AlertPolicy = POLICY) -> int:
    """Deliver until nothing is due; returns how many were handled."""
    total = 0
    while count := deliver_some(DatabaseOutbox(engine, policy, KEYRING), gateway, FixedClock(now), policy):
        total += count
    return total


def deliver_some(outbox: Any, gateway: Any, clock: DeliveryClock, policy: AlertPolicy = POLICY) -> int:
    """One round of hop 6 with one provider of text messages."""
    return deliver(
        outbox=outbox,
        providers={Channel.SMS: (gateway,)},
        clock=clock,
        policy=policy,
        rng=np.random.default_rng(1),
    )


def test_a_notification_is_sent_and_recorded(engine: Engine) -> None:
    (key,) = pending(engine)
    gateway = FakeGateway()
    assert send_due(engine, gateway) == 1
    assert gateway.sent == [
        Message(idempotency_key=key, address="13800000101", text="合成消息0", template="guardian_entry_suspected")
    ]
    assert rows(engine, "state, sent_at, provider, provider_reference, last_error") == [
        ("sent", NOW, "fake", str(key), None)
    ]
    assert send_due(engine, gateway) == 0


def test_a_claimed_notification_is_nobody_elses_until_the_claim_runs_out(engine: Engine) -> None:
    pending(engine)
    outbox, other = DatabaseOutbox(engine, POLICY, KEYRING), DatabaseOutbox(engine, POLICY, KEYRING)
    assert [claim.attempt for claim in outbox.claim(10, CLOCK)] == [1]
    assert other.claim(10, CLOCK) == []
    make_due(engine)
    assert [claim.attempt for claim in other.claim(10, CLOCK)] == [2]


def test_a_claim_takes_no_more_than_its_limit_in_the_order_of_events(engine: Engine) -> None:
    keys = pending(engine, 20)
    outbox = DatabaseOutbox(engine, POLICY, KEYRING)
    assert [claim.notification_id for claim in outbox.claim(3, CLOCK)] == keys[:3]
    assert [claim.notification_id for claim in outbox.claim(50, CLOCK)] == keys[3:]


@pytest.mark.parametrize("plan", ["enable_hashjoin = off", "enable_hashagg = off", "enable_material = off"])
def test_a_claim_keeps_its_limit_whatever_the_planner_does(engine: Engine, plan: str) -> None:
    """A subquery that locks with a limit may be run once per row: it must not take rows at every run."""
    pending(engine, 20)
    with engine.begin() as connection:
        for setting in (plan, "enable_sort = off", "enable_mergejoin = off", "enable_seqscan = on"):
            connection.execute(text(f"SET LOCAL {setting}"))
        assert len(claim_pending(connection, limit=2, policy=POLICY, now_for=CLOCK.now_for, open_address=opened)) == 2
    assert sum(attempt for (attempt,) in rows(engine, "attempt")) == 2


def test_claims_of_many_outboxes_at_once_never_overlap(engine: Engine) -> None:
    keys = pending(engine, 200)
    claimed: list[UUID] = []
    start = threading.Barrier(4)

    def work() -> None:
        outbox = DatabaseOutbox(engine, POLICY, KEYRING)
        start.wait()
        while claims := outbox.claim(3, CLOCK):
            claimed.extend(claim.notification_id for claim in claims)

    run_at_once([work] * 4)
    assert sorted(claimed) == sorted(keys)


def run_at_once(works: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_uncommitted_claim_is_passed_over_without_waiting(engine: Engine) -> None:
    keys = pending(engine, 4)
    with engine.begin() as busy:
        claim_pending(busy, limit=2, policy=POLICY, now_for=CLOCK.now_for, open_address=opened)
        assert DatabaseOutbox(engine, POLICY, KEYRING).claim(10, CLOCK) == []  # it counts what this number may have
    assert [claim.notification_id for claim in DatabaseOutbox(engine, POLICY, KEYRING).claim(10, CLOCK)] == keys[2:]


def test_a_failed_send_is_tried_again_later_and_later(engine: Engine) -> None:
    pending(engine)
    gateway = FakeGateway()
    for longest in (5, 10, 20, 40, 60, 60):
        gateway.failures = [GatewayError("gateway answered 500")]
        assert send_due(engine, gateway) == 1
        assert send_due(engine, gateway) == 0  # not due yet
        assert 0 < rows(engine, "extract(epoch FROM due_at - now())")[0][0] <= longest
        make_due(engine)
    assert rows(engine, "state, attempt, last_error") == [("pending", 6, "gateway answered 500")]
    assert send_due(engine, gateway) == 1
    assert rows(engine, "state, attempt, last_error") == [("sent", 7, None)]


def test_only_age_ends_the_tries(engine: Engine) -> None:
    pending(engine)
    gateway = FakeGateway()
    for _ in range(40):
        gateway.failures = [GatewayError("gateway not reached")]
        send_due(engine, gateway)
        make_due(engine)
    assert rows(engine, "state, attempt") == [("pending", 40)]
    send_due(engine, gateway)
    assert len(gateway.sent) == 1


def test_a_final_error_is_dead_with_its_reason(engine: Engine) -> None:
    pending(engine)
    gateway = FakeGateway()
    gateway.failures = [GatewayError("answered 400", is_final=True)]
    send_due(engine, gateway)
    make_due(engine)
    assert send_due(engine, gateway) == 0
    assert rows(engine, "state, obstacle, last_error") == [
        (
            "dead",
            "refused",
            "服务商拒收：answered 400 / the provider refused it for good: answered 400",
        ),
        ("sent", None, None),
    ]
    assert rows(engine, "channel, provider, failover_from IS NULL, successor_id IS NULL") == [
        ("sms", None, True, False),
        ("voice_task", "office", False, True),
    ]
    assert gateway.sent == []


def test_a_gateways_own_bug_is_a_failed_try_and_the_others_leave(engine: Engine) -> None:
    pending(engine, 3)
    gateway = BrokenOnce()
    assert send_due(engine, gateway) == 3
    assert rows(engine, "state, last_error") == [
        ("pending", "gateway failed: ZeroDivisionError"),
        ("sent", None),
        ("sent", None),
    ]


class BrokenOnce(FakeGateway):
    def send(self, message: Message) -> Receipt:
        if not self.failures:
            self.failures.append(GatewayError("not raised"))
            raise ZeroDivisionError("13800000000 and 合成消息")
        self.failures = [GatewayError("kept")]
        return Receipt(provider="fake", reference="1")


@pytest.mark.parametrize(
    ("role", "limit"), [(Role.GUARDIAN, POLICY.maximum_age), (Role.PROSECUTOR, POLICY.officer_maximum_age)]
)
def test_a_message_too_old_to_be_of_use_is_dead_and_visible(engine: Engine, role: Role, limit: timedelta) -> None:
    pending(engine, role=role)
    gateway = FakeGateway()
    gateway.failures = [GatewayError("gateway not reached")]
    send_due(engine, gateway, now=EVENING + limit)
    assert rows(engine, "state") == [("pending",)]
    make_due(engine)
    send_due(engine, gateway, now=EVENING + limit + timedelta(seconds=1))
    assert gateway.sent == []
    assert rows(engine, "state, obstacle, channel") == [("dead", "too_old", "sms"), ("sent", None, "voice_task")]


def test_in_a_replay_the_age_is_that_of_the_finding(engine: Engine) -> None:
    pending(engine)
    gateway = FakeGateway()
    deliver_some(DatabaseOutbox(engine, POLICY, KEYRING), gateway, EventClock())
    assert rows(engine, "state, sent_at") == [("sent", EVENING)]


def test_a_claim_is_small_enough_to_be_sent_before_it_runs_out() -> None:
    slowest_answer = timedelta(seconds=CONNECT_TIMEOUT_S + TIMEOUT_S)
    assert POLICY.claim_count * slowest_answer <= POLICY.claim


def test_a_worker_whose_claim_ran_out_does_not_disturb_the_next_ones(engine: Engine) -> None:
    """It was slow, another one took over: its failure must not make the message due for a third."""
    pending(engine)
    outbox = DatabaseOutbox(engine, POLICY, KEYRING)
    (slow,) = outbox.claim(1, CLOCK)
    make_due(engine)
    (quick,) = outbox.claim(1, CLOCK)
    outbox.record_retry(slow, "gateway not reached", timedelta(0))
    assert outbox.claim(1, CLOCK) == []
    outbox.record_dead(slow, Obstacle.REFUSED, "gateway answered 400", NOW)
    assert rows(engine, "state") == [("pending",)]
    outbox.record_sent(quick, "fake", Receipt(provider="fake", reference="1"), NOW)
    outbox.record_retry(slow, "gateway not reached", timedelta(0))
    assert rows(engine, "state, last_error") == [("sent", None)]


def test_whoever_did_send_it_is_believed(engine: Engine) -> None:
    pending(engine)
    outbox = DatabaseOutbox(engine, POLICY, KEYRING)
    (slow,) = outbox.claim(1, CLOCK)
    make_due(engine)
    outbox.claim(1, CLOCK)
    outbox.record_sent(slow, "fake", Receipt(provider="fake", reference="1"), NOW)
    assert rows(engine, "state") == [("sent",)]


@dataclass(kw_only=True)
class Forgetful:
    """An outbox whose process dies after sending, before that is recorded."""

    outbox: DatabaseOutbox
    claims: list[Claim] = field(default_factory=list)

    def claim(self, limit: int, clock: DeliveryClock) -> list[Claim]:
        self.claims = self.outbox.claim(limit, clock)
        return self.claims

    def begin(self, claim: Claim, provider: str, now: datetime) -> Begun:
        return self.outbox.begin(claim, provider, now)

    def record_sent(self, claim: Claim, provider: str, receipt: Receipt, at: datetime) -> None:
        raise KeyboardInterrupt

    record_retry = record_dead = record_failure = None


def test_a_message_sent_but_not_recorded_is_sent_again_under_the_same_key(engine: Engine, tmp_path: Path) -> None:
    (key,) = pending(engine)
    shown: list[Message] = []
    gateway = ConsoleGateway(tmp_path / "messages.jsonl", shown.append)
    forgetful: Any = Forgetful(outbox=DatabaseOutbox(engine, POLICY, KEYRING))
    with pytest.raises(KeyboardInterrupt):
        deliver_some(forgetful, gateway, FixedClock(NOW))
    assert rows(engine, "state") == [("pending",)]
    make_due(engine)
    other = FakeGateway()
    assert send_due(engine, Both(gateway, other)) == 1
    assert [message.is_repeat for message in other.sent] == [True]
    assert [message.idempotency_key for message in (*shown, *other.sent)] == [key, key]
    assert len((tmp_path / "messages.jsonl").read_text().splitlines()) == 1
    assert rows(engine, "state") == [("sent",)]


class Both:
    provider = "console"

    def __init__(self, *gateways: ConsoleGateway | FakeGateway) -> None:
        self.gateways = gateways

    def send(self, message: Message) -> Receipt:
        return [gateway.send(message) for gateway in self.gateways][-1]


_SENDER = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
import numpy as np
from alerts.channel import Channel
from alerts.delivery import deliver
from alerts.gateway_console import ConsoleGateway
from alerts.policy import AlertPolicy
from api.clock import EventClock
from api.database import open_engine
from api.outbox import DatabaseOutbox
from api.personal.keyring import Keyring
class Gateway(ConsoleGateway):
    def send(self, message):
        receipt = super().send(message)
        os.kill(os.getpid(), signal.SIGKILL)
outbox = DatabaseOutbox(open_engine(sys.argv[1]), AlertPolicy(), Keyring(Path(sys.argv[3])))
gateway = Gateway(Path(sys.argv[2]), print)
deliver(outbox=outbox, providers={Channel.SMS: (gateway,)}, clock=EventClock(), policy=AlertPolicy(),
        rng=np.random.default_rng(1))
"""


@pytest.mark.slow
def test_a_process_killed_between_sending_and_recording_leaves_one_message(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    pending(engine)
    path = tmp_path / "messages.jsonl"
    command = [sys.executable, "-c", _SENDER, database_url, str(path), str(KEYRING_PATH)]
    for _ in range(2):
        killed = subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=60, env=dict(os.environ))
        assert killed.returncode == -signal.SIGKILL
        assert rows(engine, "state") == [("pending",)]
        assert send_due(engine, FakeGateway()) == 0  # still claimed by the dead
        make_due(engine)
    assert send_due(engine, ConsoleGateway(path, lambda _: None)) == 1
    assert len(path.read_text().splitlines()) == 1
    assert rows(engine, "state, attempt") == [("sent", 3)]


def test_alerts_are_read_back_with_what_they_hold(engine: Engine) -> None:
    (_,) = pending(engine)
    with engine.begin() as connection:
        subject_no = connection.execute(text("SELECT subject_no FROM alert")).scalar_one()
        (alert,) = alerts_of(connection, [subject_no], since=EVENING)
        assert (alert.opened_at, alert.fact_ids) == (EVENING, frozenset())
        assert alerts_of(connection, [subject_no], since=EVENING + timedelta(seconds=1)) == []
        save_alerts(connection, [replace(alert, last_event_at=EVENING - timedelta(hours=1))], [])
        assert alerts_of(connection, [subject_no], since=EVENING) == [alert]
        connection.execute(text("UPDATE alert SET state = 'closed', settled_at = :at"), {"at": EVENING})
        closed = replace(alert, state=AlertState.CLOSED, settled_at=EVENING)
        assert alerts_of(connection, [subject_no], since=EVENING) == [closed]
