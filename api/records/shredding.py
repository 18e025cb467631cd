"""Destroying sealed records whose time is up: the track, what was derived from it, the fields, and at last the key.

What stays is a row without content that the audit and ``record_sealing`` refer to, and the audit's hashes. The key goes
after COMMIT, and by what ``record_sealing`` says, so that a process that dies in between leaves it to the next run, and
so that every machine destroys its own copy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import structlog
from sqlalchemy import Connection, Engine, text

from api.audit import name_actor
from api.engine_state import load_states, save_states
from api.ids import new_id
from api.personal.keyring import Keyring
from api.records.sealing import hold_record

log = structlog.get_logger()

_DUE = """
SELECT r.subject_no FROM record_sealing r WHERE r.action = 'sealed' AND r.keep_until <= :now
    AND NOT EXISTS (SELECT FROM record_sealing d WHERE d.subject_no = r.subject_no AND d.action = 'shredded')
    AND NOT EXISTS (SELECT FROM unsealing_request u WHERE u.subject_no = r.subject_no
                    AND u.unsealed_until > clock_timestamp())
"""

_OF_ALERTS = "alert_id IN (SELECT alert_id FROM alert WHERE subject_no = :no)"
_OF_ORDERS = "order_no IN (SELECT order_no FROM supervision_order WHERE subject_no = :no)"

# Zones that the person's own orders drew tell where the person lived; a zone that somebody else is bound to stays.
_OWN_ZONES = """
DELETE FROM zone z WHERE z.source IN (SELECT 'condition:' || order_id FROM supervision_order WHERE subject_no = :no)
    AND NOT EXISTS (SELECT FROM condition c JOIN supervision_order o USING (order_no)
                    WHERE c.zone_id = z.zone_id AND o.subject_no <> :no)
"""

# That somebody looked, was approved and took a copy out stays; what they wrote about the person goes.
_WORDLESS = "保管期满已销毁 destroyed"

_DELETED = (
    f"UPDATE look SET purpose = '{_WORDLESS}' WHERE subject_no = :no",
    f"UPDATE notice SET remark = '{_WORDLESS}' WHERE subject_no = :no AND remark IS NOT NULL",
    "UPDATE export_run SET alert_id = NULL WHERE subject_no = :no AND alert_id IS NOT NULL",
    "DELETE FROM reply WHERE subject_no = :no",
    "DELETE FROM delivery_report WHERE subject_no = :no",
    "DELETE FROM guardian_answer WHERE subject_no = :no",
    "DELETE FROM guardian_link WHERE subject_no = :no",
    "DELETE FROM escalation_step WHERE subject_no = :no",
    "DELETE FROM alert_history WHERE subject_no = :no",
    "DELETE FROM task WHERE subject_no = :no",
    f"DELETE FROM notification WHERE {_OF_ALERTS}",
    f"DELETE FROM alert_finding WHERE {_OF_ALERTS}",
    f"DELETE FROM alert_violation WHERE {_OF_ALERTS}",
    "DELETE FROM alert WHERE subject_no = :no",
    "DELETE FROM decision WHERE subject_no = :no",
    "DELETE FROM finding WHERE subject_no = :no",
    "DELETE FROM check_in WHERE subject_no = :no",
    "DELETE FROM clock_edge WHERE subject_no = :no",
    "DELETE FROM contact_watch WHERE subject_no = :no",
    "DELETE FROM device_watch WHERE subject_no = :no",
    "DELETE FROM device_report WHERE subject_no = :no",
    "DELETE FROM leave_approval WHERE subject_no = :no",
    "DELETE FROM leave WHERE subject_no = :no",
    "DELETE FROM exemption WHERE subject_no = :no",
    "DELETE FROM violation WHERE subject_no = :no",
    "DELETE FROM episode WHERE subject_no = :no",
    "DELETE FROM fix_flag WHERE subject_no = :no",
    "DELETE FROM fix_set_aside WHERE subject_no = :no",
    "DELETE FROM fix WHERE subject_no = :no",
    "DELETE FROM reevaluation WHERE subject_no = :no",
    _OWN_ZONES,
    f"DELETE FROM condition WHERE {_OF_ORDERS}",
    "DELETE FROM supervision_order WHERE subject_no = :no",
    "DELETE FROM case_intake WHERE subject_no = :no",
    "DELETE FROM device WHERE subject_no = :no",
    "DELETE FROM recipient WHERE subject_no = :no",
    "UPDATE subject SET alias = '', birth_date = '0001-01-01', name = NULL, id_number = NULL, address = NULL,"
    " key_id = NULL WHERE subject_no = :no",
    "DELETE FROM personal_key WHERE subject_no = :no",
)
"""In this order: each row before what it refers to."""

_NOTED = """
INSERT INTO record_sealing (sealing_id, subject_no, action, ground, ground_text, document_number, at, key_id)
SELECT :id, subject_no, 'shredded', ground, ground_text, document_number, :now, key_id FROM record_sealing
WHERE subject_no = :no AND action = 'sealed'
"""


def due_count(connection: Connection, *, now: datetime) -> int:
    """How many records are to be destroyed by an aware instant."""
    return int(connection.execute(text(f"SELECT count(*) FROM ({_DUE}) AS due"), {"now": now}).scalar_one())


def shred_due(engine: Engine, keyring: Keyring, *, now: datetime) -> int:
    """Destroy what is due, each record in a transaction of its own; returns how many were. Any process may."""
    with _as_shredder(engine) as connection:
        numbers = connection.execute(text(f"{_DUE} ORDER BY 1"), {"now": now}).scalars().all()
    count = 0
    for number in numbers:
        with _as_shredder(engine) as connection:
            count += _shred(connection, number, now=now)
    if count:
        log.info("records_shredded", count=count)
    _destroy_keys(engine, keyring)
    return count


@contextmanager
def _as_shredder(engine: Engine) -> Iterator[Connection]:
    """One transaction under the role that reaches the rows of sealed people, and deletes no others (migration 0011)."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE hulan_shredder"))
        yield connection


def _shred(connection: Connection, subject_no: int, *, now: datetime) -> bool:
    name_actor(connection, actor="system:shredding", purpose="保管期满 / its time is up")
    shard = hold_record(connection, subject_no)
    # Another process may have done it, or somebody opened the record, while this one waited.
    still_due = f"SELECT EXISTS (SELECT FROM ({_DUE}) AS due WHERE subject_no = :no)"
    if not connection.execute(text(still_due), {"now": now, "no": subject_no}).scalar_one():
        return False
    _forget_state(connection, subject_no, shard)
    for statement in (_NOTED, *_DELETED):
        connection.execute(text(statement), {"no": subject_no, "now": now, "id": new_id()})
    return True


def _forget_state(connection: Connection, subject_no: int, shard: int) -> None:
    """The shard's state without the subject; whoever holds it in memory loses the lease and loads it anew."""
    connection.execute(
        text("UPDATE shard SET fence = fence + 1, lease_owner = NULL, lease_until = '-infinity' WHERE shard = :shard"),
        {"shard": shard},
    )
    loaded = load_states(connection, [shard])
    if shard in loaded.to_rebuild:
        connection.execute(text("DELETE FROM engine_state WHERE shard = :shard"), {"shard": shard})
        return
    gone = np.array([subject_no], dtype=np.int64)
    save_states(
        connection,
        loaded.states.without(gone),
        touched=np.zeros(0, dtype=np.int64),
        shard_of=loaded.shard_of,
        written=loaded.written,
        whole=[shard],
    )


def _destroy_keys(engine: Engine, keyring: Keyring) -> None:
    held = [item.key.key_id for item in keyring.person_keys]
    if not held:
        return
    query = text("SELECT key_id FROM record_sealing WHERE action = 'shredded' AND key_id = ANY(:held)")
    with _as_shredder(engine) as connection:
        done = connection.execute(query, {"held": held}).scalars().all()
    for key_id in done:
        keyring.destroy(key_id)
