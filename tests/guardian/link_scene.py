"""A child, a mother who was sent a code, and a prosecutor; the page served with a clock that stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine, text

from alerts.channel import Channel
from alerts.gateway import FakeGateway, Message
from alerts.link import NO_CODE, LinkPolicy, code_for, link_id_for, link_key, token_for
from api.clock import FixedClock
from api.guardian.link_maker import LinkMaker
from api.ids import new_id
from api.outbox import DatabaseOutbox
from tests.alerts.outbox_scene import MOTHER, POLICY, Told, a_round, a_subject, an_alert, rows
from tests.api.live_server import running_server
from tests.make import EVENING, KEYRING, SECRET, Person, a_bar

KEY = link_key(SECRET)
NOW = EVENING + timedelta(minutes=30)


@dataclass(kw_only=True)
class Scene:
    """``clock``: of the page; set ``clock.current`` to move on."""

    engine: Engine
    person: Person
    mother: UUID
    message: Message
    clock: FixedClock
    client: httpx.Client = field(repr=False)

    @property
    def code(self) -> str:
        return dict(self.message.variables)["code"]

    @property
    def token(self) -> str:
        return token_for(link_id_for(self.message.idempotency_key, key=KEY), key=KEY)

    def post(self, code: str, answer: str | None = None, *, address: str = "203.0.113.1") -> httpx.Response:
        form = {"code": code} | ({} if answer is None else {"answer": answer})
        return self.client.post("/g", data=form, headers={"X-Forwarded-For": address})

    def add_violation(self) -> None:
        """The alert is about a bar, as one that the engine raised would be."""
        of_order = "FROM condition c JOIN supervision_order o USING (order_no), zone z WHERE o.subject_no = :no LIMIT 1"
        values = {"no": self.person.subject_no, "id": new_id(), "at": EVENING}
        with self.engine.begin() as connection:
            a_bar(connection)
            for statement in (
                "INSERT INTO episode (episode_id, subject_no, condition_no, zone_no, tier, started_at, last_inside_at,"
                " possible_at, peak_probability, fix_count, is_entry, is_undecidable, is_crossing) SELECT :id, :no,"
                f" condition_no, zone_no, 'probable', :at, :at, :at, 1, 1, true, false, false {of_order}",
                "INSERT INTO violation (violation_id, episode_id, subject_no, order_no, condition_no, zone_no, kind,"
                " started_at, decided_at, known_at, probability, engine_version, policy_version) SELECT :id, :id, :no,"
                f" order_no, condition_no, zone_no, 'excluded_categories', :at, :at, :at, 1, 'e', 'p' {of_order}",
                "INSERT INTO alert_violation SELECT alert_id, :id FROM alert",
            ):
                connection.execute(text(statement), values)

    def rows(self, query: str, **values: Any) -> list[Any]:
        return rows(self.engine, query, **values)

    def alert(self) -> tuple[Any, ...]:
        """State, when it was settled."""
        ((state, settled_at),) = self.rows("SELECT state, settled_at FROM alert")
        return state, settled_at

    def history(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT kind, actor_kind, reason_code FROM alert_history ORDER BY entry_no")


def told_with_code(
    engine: Engine,
    *,
    channels: tuple[Channel, ...] = (Channel.SMS,),
    public_url: str | None = None,
    at: datetime = EVENING,
) -> tuple[Person, UUID, Message]:
    """An alert at ``at`` of which a mother was told with a code; as her telephone shows it."""
    person, (mother,) = a_subject(engine, [Told(phone=MOTHER, channels=channels, email="m@example.org")])
    notification_id = an_alert(engine, person.subject_no, mother, at=at, channel=channels[0])
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE notification SET text = :text,"
                " variables = jsonb_build_array(jsonb_build_array('code', cast(:code AS text)))"
            ),
            {"text": f"合成消息。反馈码{NO_CODE}。", "code": NO_CODE},
        )
    gateway, clock = FakeGateway(), FixedClock(at + timedelta(minutes=1))
    links = LinkMaker(key=KEY, public_url=public_url)
    outbox = DatabaseOutbox(engine, POLICY, KEYRING, links)
    a_round(engine, clock, channels={channels[0]: [gateway]}, outbox=outbox)
    (message,) = gateway.sent
    assert message.idempotency_key == notification_id
    return person, mother, message


@contextmanager
def a_scene(engine: Engine, database_url: str, *, links: LinkPolicy | None = None) -> Iterator[Scene]:
    """The page, thirty minutes after the event."""
    person, mother, message = told_with_code(engine)
    clock = FixedClock(NOW)
    with running_server(database_url, clock=clock, links=links) as client:
        yield Scene(engine=engine, person=person, mother=mother, message=message, clock=clock, client=client)


def wrong_codes(count: int) -> list[str]:
    """Codes of the right form that are nobody's."""
    return [code_for(UUID(int=number), key=b"a guesser") for number in range(count)]
