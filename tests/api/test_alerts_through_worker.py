"""From fixes in the log to what a provider is handed, through the worker: one event, one message, or a human's work."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine, text

from alerts.alert import Recipient, Role
from alerts.channel import Channel
from alerts.gateway_webhook import WebhookGateway
from api.clock import FixedClock
from api.escalating import escalate_due
from api.ids import new_id
from api.personal.fields import current_key, seal_contact
from api.worker import Worker
from tests.alerts.outbox_scene import FATHER, MOTHER, PROSECUTOR, make_due, rows
from tests.api.clock_scene import a_clocked_worker
from tests.api.faults import wait_until
from tests.gateways.http_provider import Answer, Request, served
from tests.make import EVENING, KEYRING, KEYRING_PATH, Person, a_bar, a_fix, a_person, log_fixes
from tracking.fix import Fix

PEOPLE = ((Role.GUARDIAN, MOTHER, 1, False), (Role.PROSECUTOR, PROSECUTOR, 1, False))


@dataclass(kw_only=True)
class Provider:
    """What a local server of the webhook's protocol was handed: (key, number, text), and whether it is up."""

    url: str = ""
    is_down: bool = False
    handed: list[tuple[str, str, str]] = field(default_factory=list)
    gateways: list[WebhookGateway] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        if self.is_down:
            return Answer(status=503, body=b"")
        content = json.loads(request.body)
        self.handed.append((request.headers["idempotency-key"], content["address"], content["text"]))
        return Answer(status=200, body=b"{}")

    def told(self, number: str) -> int:
        return sum(address == number for _, address, _ in self.handed)


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()
    with served(found.answer) as url:
        found.url = url
        yield found
        for gateway in found.gateways:
            gateway._client.close()


def a_place_of_work(engine: Engine, provider: Provider) -> tuple[Worker, FixedClock]:
    worker, clock = a_clocked_worker(engine, EVENING)
    gateway = WebhookGateway(provider.url, b"secret of the test")
    provider.gateways.append(gateway)
    worker.gateways = {Channel.SMS: (gateway,)}
    return worker, clock


def look(engine: Engine, worker: Worker, clock: FixedClock, at: datetime) -> None:
    """All that is due at an instant, retries too."""
    clock.current = at
    make_due(engine)
    worker.drain()


def after(minutes: float) -> datetime:
    return EVENING + timedelta(minutes=minutes)


def a_child(engine: Engine, recipients: tuple[tuple[Role, str, int, bool], ...] = PEOPLE) -> Person:
    with engine.begin() as connection:
        for number, east_m in enumerate((0.0, 1000.0, 2000.0)):
            a_bar(connection, east_m=east_m, name=f"合成酒吧{number}")
        return a_person(connection, recipients=recipients)


def a_stay(start: float, *, east_m: float = 0.0, count: int = 50) -> list[Fix]:
    """On the way for five minutes, then so many fixes in one place, one every 12 seconds; known as they are taken."""
    way = [a_fix(minutes=start - 5 + number, east_m=east_m + 400) for number in range(5)]
    stay = [a_fix(minutes=start + 0.2 * number, east_m=east_m + 3) for number in range(count)]
    return way + stay


def heard(after_minute: float, until: float) -> list[Fix]:
    """Far away, once in five minutes, so that nobody is silent."""
    return [a_fix(minutes=minute, east_m=-900) for minute in np.arange(after_minute, until, 5.0)]


def a_duty_roster(engine: Engine, unit: str) -> dict[Role, UUID]:
    """One who is on duty all evening, and who leads the unit."""
    ids = {}
    with engine.begin() as connection:
        for role, phone in ((Role.DUTY_OFFICER, "13800000108"), (Role.LEADER, "13800000109")):
            person = Recipient(recipient_id=new_id(), subject_no=None, role=role, unit=unit)
            key = current_key(connection, KEYRING)
            contact = seal_contact(KEYRING, key, recipient_id=person.recipient_id, name="合成值班员", phone=phone)
            connection.execute(
                text(
                    "INSERT INTO recipient (recipient_id, role, rank, is_blocked, unit, name, phone, phone_index,"
                    " key_id) VALUES (:id, :role, 1, false, :unit, :name, :phone, :index, :key)"
                ),
                {
                    "id": person.recipient_id, "role": str(role), "unit": unit, "name": contact.name,
                    "phone": contact.phone, "index": contact.phone_index, "key": contact.key_id,
                },
            )  # fmt: skip
            ids[role] = person.recipient_id
        connection.execute(
            text(
                "INSERT INTO duty_roster (roster_id, unit, from_at, to_at, recipient_ids) VALUES"
                " (:id, :unit, :a, :b, :w)"
            ),
            {"id": new_id(), "unit": unit, "a": after(-60), "b": after(600), "w": [ids[Role.DUTY_OFFICER]]},
        )
    return ids


def test_fifty_fixes_are_one_alert_and_one_message_and_the_third_event_of_a_day_is_telephoned(
    engine: Engine, provider: Provider
) -> None:
    person = a_child(engine)
    worker, clock = a_place_of_work(engine, provider)
    for number in range(3):
        start = 5.0 + 35.0 * number
        log_fixes(engine, person, a_stay(start, east_m=1000.0 * number) + heard(start + 13, start + 29))
        look(engine, worker, clock, after(start + 11))
        if number == 0:
            assert rows(engine, "SELECT state, is_late FROM alert") == [("open", False)]
            assert (provider.told(MOTHER), provider.told(PROSECUTOR)) == (1, 1)
            assert rows(engine, "SELECT kind FROM alert_history ORDER BY entry_no") == [
                ("opened",),
                ("told",),
                ("told",),
            ]
            assert rows(engine, "SELECT count(*) FROM escalation_step WHERE done_at IS NULL") == [(4,)]
    assert rows(engine, "SELECT count(*) FROM alert") == [(3,)]
    assert (provider.told(MOTHER), provider.told(PROSECUTOR)) == (2, 2)
    assert len({key for key, _, _ in provider.handed}) == len(provider.handed)
    ((mother, last),) = rows(
        engine,
        "SELECT r.recipient_id, max(n.alert_id::text) FROM recipient r JOIN notification n USING (recipient_id)"
        " WHERE r.role = 'guardian' AND n.obstacle = 'budget' GROUP BY 1",
    )
    calls = rows(
        engine,
        "SELECT kind, reason_code FROM task WHERE recipient_id = :mother AND alert_id::text = :last",
        mother=mother, last=last,
    )  # fmt: skip
    assert calls == [("voice_call", "budget")]
    assert rows(
        engine, "SELECT count(*) FROM notification WHERE state IN ('dead', 'failed') AND successor_id IS NULL"
    ) == [(0,)]


def test_a_provider_that_was_down_for_an_hour_is_handed_what_is_young_and_the_rest_is_telephoned(
    engine: Engine, provider: Provider
) -> None:
    old = a_child(engine)
    young = a_child(engine, ((Role.GUARDIAN, FATHER, 1, False), (Role.PROSECUTOR, PROSECUTOR, 1, False)))
    worker, clock = a_place_of_work(engine, provider)
    provider.is_down = True
    log_fixes(engine, old, a_stay(5) + heard(18, 80))
    log_fixes(engine, young, heard(0, 38))
    for minute in (9, 12, 20, 30):
        look(engine, worker, clock, after(minute))
    log_fixes(engine, young, a_stay(45) + heard(58, 80))
    look(engine, worker, clock, after(56))
    provider.is_down = False
    for minute in (61, 64, 67):
        look(engine, worker, clock, after(minute))
    assert (provider.told(MOTHER), provider.told(FATHER)) == (0, 1)
    assert provider.told(PROSECUTOR) == 2, "an officer's work does not end with the event"
    assert len({key for key, _, _ in provider.handed}) == len(provider.handed)
    assert rows(engine, "SELECT reason_code FROM task WHERE kind = 'voice_call' AND subject_no = :no"
                " AND reason_code = 'too_old'", no=old.subject_no) == [("too_old",)]  # fmt: skip
    assert rows(engine, "SELECT count(*) FROM notification WHERE state = 'pending'") == [(0,)]


def test_nobody_acknowledges_and_each_step_is_taken_once_by_workers_that_come_and_go(
    engine: Engine, provider: Provider
) -> None:
    ids = a_duty_roster(engine, "合成区人民检察院")
    person = a_child(engine, (*PEOPLE, (Role.GUARDIAN, FATHER, 2, False), (Role.POLICE, "13800000104", 1, False)))
    worker, clock = a_place_of_work(engine, provider)
    log_fixes(engine, person, a_stay(5) + heard(18, 210))
    look(engine, worker, clock, after(10))
    assert (provider.told(MOTHER), provider.told(PROSECUTOR), len(provider.handed)) == (1, 1, 2)
    ((told_at,),) = rows(engine, "SELECT DISTINCT planned_at FROM escalation_step")
    told = (told_at - EVENING) / timedelta(minutes=1)
    look(engine, worker, clock, after(told + 9.9))
    assert len(provider.handed) == 2
    look(engine, worker, clock, after(told + 10))
    assert (provider.told(FATHER), provider.told("13800000104"), len(provider.handed)) == (1, 1, 4)
    # Two workers at the same instant, and then one that begins anew.
    alerting, threads = worker.policies.alerting, []
    taken: list[int] = []
    now = after(told + 20)
    for _ in range(2):
        threads.append(threading.Thread(target=lambda: taken.append(escalate_due(engine, alerting, now=now))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 1
    fresh, clock = a_place_of_work(engine, provider)
    look(engine, fresh, clock, after(told + 60))
    assert (provider.told("13800000108"), provider.told("13800000109"), len(provider.handed)) == (1, 1, 6)
    assert rows(engine, "SELECT kind, outcome FROM escalation_step ORDER BY due_at") == [
        ("next_recipient", "taken"), ("voice_task", "taken"), ("duty_officer", "taken"), ("leader", "taken"),
    ]  # fmt: skip
    assert rows(engine, "SELECT kind FROM task") == [("voice_call",)]
    assert set(ids.values()) <= {row[0] for row in rows(engine, "SELECT recipient_id FROM notification")}
    look(engine, fresh, clock, after(200))
    assert len(provider.handed) == 6


def test_an_alert_that_was_taken_up_goes_to_nobody_else(engine: Engine, provider: Provider) -> None:
    person = a_child(engine, (*PEOPLE, (Role.GUARDIAN, FATHER, 2, False)))
    worker, clock = a_place_of_work(engine, provider)
    log_fixes(engine, person, a_stay(5) + heard(18, 210))
    look(engine, worker, clock, after(8))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alert SET state = 'acknowledged', acknowledged_at = :at"), {"at": after(9)})
    look(engine, worker, clock, after(60))
    assert len(provider.handed) == 2
    assert rows(engine, "SELECT count(*) FROM task") == [(0,)]


def test_silence_is_an_alert_once_and_its_end_tells_nobody(engine: Engine, provider: Provider) -> None:
    person = a_child(engine)
    worker, clock = a_place_of_work(engine, provider)
    log_fixes(engine, person, [a_fix(minutes=number, east_m=400) for number in range(5)])
    look(engine, worker, clock, after(6))
    for minute in (100, 101, 102):
        look(engine, worker, clock, after(minute))
    assert rows(engine, "SELECT event, state, is_late FROM alert") == [("silence", "open", False)]
    assert rows(
        engine, "SELECT count(*) FROM alert_finding JOIN finding USING (finding_id) WHERE kind = 'silence'"
    ) == [(1,)]
    assert (provider.told(MOTHER), provider.told(PROSECUTOR)) == (1, 1)
    log_fixes(engine, person, [a_fix(minutes=103, east_m=400)])
    look(engine, worker, clock, after(104))
    assert rows(engine, "SELECT count(*) FROM alert_finding") == [(2,)]
    assert len(provider.handed) == 2


_WORKER = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from alerts.channel import Channel
from alerts.gateway_webhook import WebhookGateway
from alerts.policy import AlertPolicy
from api.alerting import Alerting
from api.clock import EventClock
from api.database import open_engine
from api.evaluator import Policies
from api.personal.keyring import Keyring
from api.worker import Worker
from tracking.policy import PresencePolicy

class Gateway(WebhookGateway):
    def send(self, message):
        receipt = super().send(message)
        if sys.argv[4] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return receipt

policy = AlertPolicy(claim=timedelta(seconds=2), claim_count=2)
worker = Worker(
    engine=open_engine(sys.argv[1]),
    gateways={Channel.SMS: (Gateway(sys.argv[2], b"secret of the test"),)},
    clock=EventClock(),
    policies=Policies(presence=PresencePolicy(), alerting=Alerting(policy=policy)),
    keyring=Keyring(Path(sys.argv[3])),
    lease_seconds=2.0,
    secret=b"a secret of the tests, not of anyone",
)
signal.signal(signal.SIGTERM, lambda *_: worker.stop())
worker.run()
"""


@pytest.mark.slow
def test_of_two_workers_one_is_killed_between_sending_and_recording_and_nothing_is_lost(
    engine: Engine, database_url: str, provider: Provider
) -> None:
    """Both evaluate, raise alerts and deliver; the provider sees the key that nobody recorded a second time."""
    for number in range(3):
        person = a_child(engine, ((Role.GUARDIAN, f"1380000011{number}", 1, False), PEOPLE[1]))
        log_fixes(engine, person, a_stay(5))
    command = [sys.executable, "-c", _WORKER, database_url, provider.url, str(KEYRING_PATH)]
    first = subprocess.Popen([*command, "dies"])
    second = None
    try:
        assert first.wait(timeout=60) == -signal.SIGKILL
        assert len(provider.handed) == 1
        second = subprocess.Popen([*command, "lives"])
        states = "SELECT count(*) FILTER (WHERE state = 'sent') >= 5 AND bool_and(state <> 'pending') FROM notification"
        wait_until(lambda: rows(engine, states) == [(True,)], seconds=60)
    finally:
        for process in (first, second):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(timeout=20)
    times = Counter(key for key, _, _ in provider.handed)
    assert sorted(times.values())[-2:] == [1, 2], "sent again under its own key, and only that one"
    assert rows(engine, "SELECT count(*) FROM alert") == [(3,)]
    for number in range(3):
        assert len({key for key, address, _ in provider.handed if address == f"1380000011{number}"}) == 1
    lost = "SELECT count(*) FROM notification WHERE state IN ('dead', 'failed') AND successor_id IS NULL"
    assert rows(engine, lost) == [(0,)]
