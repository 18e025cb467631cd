"""Two rows or more in every audited table, and the hand of someone who may do anything to the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, make_url, text

from alerts.alert import Role
from api.database import open_engine
from tests.make import Person, a_bar, a_person

FINDINGS = """
INSERT INTO episode (episode_id, subject_no, condition_no, zone_no, tier, started_at, last_inside_at, possible_at,
    decided_at, peak_probability, fix_count, is_entry, is_undecidable)
SELECT gen_random_uuid(), o.subject_no, c.condition_no, z.zone_no, 'probable', '2026-03-20T14:10Z', '2026-03-20T14:30Z',
    '2026-03-20T14:10Z', '2026-03-20T14:13Z', 0.99, 20, true, false
FROM supervision_order o JOIN condition c USING (order_no), zone z WHERE z.name = '合成酒吧';
INSERT INTO violation (violation_id, episode_id, subject_no, order_no, condition_no, zone_no, kind, started_at,
    decided_at, known_at, probability, engine_version, policy_version)
SELECT gen_random_uuid(), e.episode_id, e.subject_no, c.order_no, e.condition_no, e.zone_no, c.kind, e.started_at,
    e.decided_at, e.decided_at, 0.97 + e.subject_no / 1000.0, 'engine', 'policy'
FROM episode e JOIN condition c USING (condition_no);
INSERT INTO alert (alert_id, subject_no, kind, state, opened_at, last_event_at, is_late)
SELECT gen_random_uuid(), v.subject_no, v.kind, 'open', v.decided_at, v.decided_at, false FROM violation v;
INSERT INTO alert_violation SELECT a.alert_id, v.violation_id FROM alert a JOIN violation v USING (subject_no);
INSERT INTO notification (notification_id, alert_id, recipient_id, role, phone, template, text, decided_at, known_at)
SELECT gen_random_uuid(), a.alert_id, r.recipient_id, r.role, r.phone, 'entry', '合成短信' || a.subject_no, a.opened_at,
    a.opened_at FROM alert a JOIN recipient r USING (subject_no);
INSERT INTO fix_set_aside SELECT subject_no, '2026-03-20T14:00Z', 1, 'reason ' || subject_no, now() FROM subject;
INSERT INTO retention_run (partition_name, from_at, to_at, fix_count, keep_days)
SELECT 'fix_2020010' || i, '2020-01-01', '2020-01-08', i, 30 FROM generate_series(1, 2) i;
"""


def fill(engine: Engine) -> list[Person]:
    """Two people, each with one suspected violation, alert and message."""
    with engine.begin() as connection:
        a_bar(connection)
        a_bar(connection, east_m=900, name="合成歌厅", radius_m=20)
        people = [
            a_person(connection),
            a_person(connection, alias="小明", recipients=((Role.GUARDIAN, "13800000102", 1, False),)),
        ]
        for statement in FINDINGS.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
    return people


@contextmanager
def behind_the_back(engine: Engine) -> Iterator[Connection]:
    """A transaction of a superuser for whom no trigger fires and no key is checked."""
    url = make_url(engine.url.render_as_string(False)).set(username="postgres").render_as_string(False)
    master = open_engine(url)
    try:
        with master.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
    finally:
        master.dispose()
