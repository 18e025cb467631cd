"""Whatever fails, crashes or is reported, in any order: every message ends, and no number has more than it may."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from alerts.alert import Role
from alerts.budget import midnight_before
from alerts.channel import Channel
from alerts.delivery import deliver
from alerts.gateway import DeliveryReport, GatewayError, Message, Receipt
from alerts.policy import AlertPolicy
from alerts.report_store import save_reports
from api.clock import FixedClock
from api.outbox import DatabaseOutbox
from tests.alerts.outbox_scene import FATHER, MOTHER, PROSECUTOR, Told, a_subject, an_alert, make_due, rows
from tests.make import EVENING, KEYRING, unaudited

POLICY = AlertPolicy()


Taken = list[tuple[str, UUID, str, datetime]]
"""Provider, key, number and when."""


class CrashError(BaseException):
    """The process dies here."""


@dataclass(kw_only=True)
class Fickle:
    """A provider that takes a key once, and answers as it is told: also after it has taken the message."""

    provider: str
    clock: FixedClock
    taken: Taken
    answers: list[str] = field(default_factory=list)

    def send(self, message: Message) -> Receipt:
        answer = self.answers.pop(0) if self.answers else "take"
        if answer == "down":
            raise GatewayError("down", is_provider_down=True, is_taken_possible=False)
        if answer == "refuse":
            raise GatewayError("refused", is_final=True)
        if answer == "lose":
            raise GatewayError("no answer in time")
        if all(key != message.idempotency_key for _, key, _, _ in self.taken):
            self.taken.append((self.provider, message.idempotency_key, message.address, self.clock.now()))
        if answer == "take and fall silent":
            raise GatewayError("silent", is_provider_down=True)
        if answer == "take and lose":
            raise GatewayError("no answer in time")
        if answer == "take and crash":
            raise CrashError
        return Receipt(provider=self.provider, reference=f"r-{message.idempotency_key}")


HOW = ["take", "take", "down", "refuse", "lose", "take and lose", "take and fall silent", "take and crash"]
ANSWERS = st.lists(st.sampled_from(HOW), max_size=6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 2)),
        st.tuples(st.just("work"), ANSWERS),
        st.tuples(st.just("report"), st.tuples(st.booleans(), st.booleans())),
        st.tuples(st.just("wait"), st.sampled_from([1, 7, 31, 300, 700])),
    ),
    max_size=20,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_message_ends_and_no_number_has_more_than_it_may(engine: Engine, steps: list[tuple[str, object]]) -> None:
    with emptied(engine):
        clock, taken = FixedClock(EVENING), Taken()
        gateways = [Fickle(provider=name, clock=clock, taken=taken) for name in ("first", "second")]
        people = [
            [Told(channels=(Channel.SMS, Channel.EMAIL)), Told(phone=FATHER, rank=2)],
            [Told()],
            [Told(phone=PROSECUTOR, role=Role.PROSECUTOR)],
        ]
        subjects = [a_subject(engine, told) for told in people]
        for what, how in [*steps, ("wait", 7), ("work", []), ("wait", 31), ("work", []), ("wait", 1500), ("work", [])]:
            if what == "event":
                person, ids = subjects[how]  # type: ignore[call-overload] # an integer with this word
                an_alert(engine, person.subject_no, ids[0], at=clock.now(), role=people[how][0].role)  # type: ignore[call-overload]
            elif what == "wait":
                clock.current += timedelta(minutes=how)  # type: ignore[arg-type] # and here
            elif what == "report":
                report(engine, taken, clock, *how)  # type: ignore[misc] # two flags
            else:
                work(engine, clock, gateways, list(how))  # type: ignore[call-overload] # a list of answers
            check_budgets(taken)
            check_ends(engine)
        assert rows(engine, "SELECT count(*) FROM notification WHERE state = 'pending'") == [(0,)]
        known = {key for (key,) in rows(engine, "SELECT notification_id FROM notification")}
        assert {key for _, key, _, _ in taken} <= known


@contextmanager
def emptied(engine: Engine) -> Iterator[None]:
    """What one example wrote is gone before the next."""
    with engine.begin() as connection, unaudited(connection):
        connection.execute(text("TRUNCATE subject, provider_state CASCADE"))
    yield


def work(engine: Engine, clock: FixedClock, gateways: list[Fickle], answers: list[str]) -> None:
    """A worker's round, which may end by a crash; then whatever it held comes due again."""
    for gateway in gateways:
        gateway.answers = answers
    make_due(engine)
    outbox = DatabaseOutbox(engine, POLICY, KEYRING)
    try:
        outbox.apply_news(clock)
        while deliver(
            outbox=outbox, providers={Channel.SMS: gateways}, clock=clock, policy=POLICY, rng=np.random.default_rng(1)
        ):
            pass
    except CrashError:
        pass


def report(
    engine: Engine,
    taken: Taken,
    clock: FixedClock,
    is_delivered: bool,
    is_first: bool,
) -> None:
    """The provider's word about the first or the last message that it took."""
    if not taken:
        return
    provider, key, _, _ = taken[0 if is_first else -1]
    told = DeliveryReport(
        provider=provider, reference=f"r-{key}", is_delivered=is_delivered, at=clock.now(), reason="x"
    )
    with engine.begin() as connection:
        save_reports(connection, [told])
    DatabaseOutbox(engine, POLICY, KEYRING).apply_news(clock)


def check_budgets(taken: Taken) -> None:
    for number in {MOTHER, FATHER, PROSECUTOR}:
        instants = [at for _, _, address, at in taken if address == number]
        per_day = Counter(midnight_before(at) for at in instants)
        assert all(count <= POLICY.budget_per_day for count in per_day.values())
        for end in instants:
            within = sum(end - timedelta(hours=24) < at <= end for at in instants)
            assert within <= POLICY.budget_per_24_hours


def check_ends(engine: Engine) -> None:
    """Delivered, sent, pending, or ended with something in its place; and a chain ends in no circle."""
    found = rows(engine, "SELECT notification_id, state, channel, successor_id, obstacle FROM notification")
    successors = {key: successor for key, _, _, successor, _ in found}
    open_tasks = {key for (key,) in rows(engine, "SELECT task_id FROM task WHERE done_at IS NULL")}
    for key, state, channel, successor, obstacle in found:
        assert state in {"pending", "sent", "delivered", "dead", "failed"}
        assert (state in {"dead", "failed"}) <= (successor is not None and obstacle is not None)
        assert channel != "voice_task" or key in open_tasks
        chain = [key]
        while (later := successors[chain[-1]]) is not None:
            assert later not in chain
            chain.append(later)
