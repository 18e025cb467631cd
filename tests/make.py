"""Data for tests, built from what the test says and sensible defaults for the rest. Synthetic people only."""

import atexit
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, Engine, text

from alerts.alert import Recipient, Role
from alerts.channel import Channel
from alerts.gateway import FakeGateway, Gateway
from alerts.store import add_recipient
from api.audit import AUDITED_TABLES
from api.clock import EventClock
from api.devices import add_device
from api.evaluator import Policies
from api.fix_log import FIX_COLUMNS
from api.ids import new_id, shard_of
from api.inbox import Sender, to_rows, write_rows
from api.personal.fields import current_key, seal_contact
from api.personal.keyring import Keyring, make_keyring
from api.personal.sealing import CipherName
from api.worker import Worker
from geo.datum import Datum
from geo.postgis import driver_connection, read_columns
from geo.shapes import Circle
from tracking.fix import Fix, FixBatch, FixSource
from tracking.order import Condition, ConditionKind, LocationBasis, Measure, Organ, SupervisionOrder
from tracking.order_store import add_order
from tracking.policy import PresencePolicy
from tracking.store import ZoneDraft, add_subject, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory

BAR_LONGITUDE, BAR_LATITUDE = 117.2, 34.26
EVENING = datetime(2026, 3, 20, 14, 0, tzinfo=UTC)
"""22:00 on a Friday in Asia/Shanghai."""
SECRET = b"a secret of the tests, not of anyone"
METRES_PER_DEGREE = 111_320.0

_FOLDER = tempfile.TemporaryDirectory(prefix="hulan-keyring-")
atexit.register(_FOLDER.cleanup)
KEYRING_PATH = Path(_FOLDER.name) / "keyring.json"
KEYRING: Keyring = make_keyring(KEYRING_PATH, CipherName.AES_256_GCM, at=EVENING)
"""The keyring of every test that does not make its own; a process finds it by ``HULAN_KEYRING``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A subject in the database."""

    subject_id: UUID
    subject_no: int
    token: str
    sender: Sender


def a_fix(
    *,
    minutes: float = 0.0,
    east_m: float = 0.0,
    north_m: float = 0.0,
    accuracy_m: float | None = 10.0,
    late_minutes: float = 0.0,
) -> Fix:
    """A fix at so many metres from the bar, so many minutes into the evening; never quite the one before."""
    fixed_at = EVENING + timedelta(minutes=minutes)
    north_m += 0.4 * float(np.sin(37.0 * minutes))
    return Fix(
        fixed_at=fixed_at,
        longitude=BAR_LONGITUDE + east_m / (METRES_PER_DEGREE * float(np.cos(np.radians(BAR_LATITUDE)))),
        latitude=BAR_LATITUDE + north_m / METRES_PER_DEGREE,
        datum=Datum.WGS84,
        accuracy_m=accuracy_m,
        source=FixSource.GPS,
        received_at=fixed_at + timedelta(minutes=late_minutes),
    )


@contextmanager
def unaudited(connection: Connection) -> Iterator[None]:
    """Within the block the owner of the tables may do in this transaction what is refused to everybody."""
    guarded = connection.execute(
        text("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 32 > 0")
    ).scalars()  # fmt: skip # 32: of TRUNCATE
    tables = sorted({*AUDITED_TABLES, "audit_entry", "audit_checkpoint", *guarded})
    for table in tables:
        connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    yield
    for table in tables:
        connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def empty(connection: Connection) -> None:
    """The database as the migrations leave it."""
    names = connection.execute(
        text("SELECT string_agg(relname, ', ') FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
             " AND relnamespace = 'public'::regnamespace"
             " AND relname NOT IN ('alembic_version', 'spatial_ref_sys', 'rule_version', 'look_rule')")
    ).scalar_one()  # fmt: skip
    with unaudited(connection):
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    connection.execute(text("INSERT INTO shard (shard) SELECT generate_series(0, 63)"))
    connection.execute(text("UPDATE rule_version SET version = version + 1"))


def a_visit(*, start: float = 10.0, length: float = 20.0, step: float = 1.0) -> list[Fix]:
    """An evening: ten minutes far away, a stay at the bar, then far away again. Accuracy 10 m."""
    before = [a_fix(minutes=minute, east_m=500) for minute in np.arange(0.0, start, step)]
    inside = [a_fix(minutes=minute, east_m=3) for minute in np.arange(start, start + length, step)]
    after = [a_fix(minutes=minute, east_m=500) for minute in np.arange(start + length, start + length + 10, step)]
    return before + inside + after


def a_batch(fixes: Sequence[Fix], *, subject_no: int = 1) -> FixBatch:
    """The fixes of one subject in columns, as the log would give them."""
    sender = Sender(device_id=UUID(int=0), subject_no=subject_no, shard=0)
    rows = to_rows(sender, fixes, EVENING)

    def microseconds(instant: datetime) -> int:
        return round((instant - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))

    return FixBatch(
        subject_no=np.array([row[0] for row in rows], dtype=np.int64),
        fixed_at=np.array([microseconds(row[1]) for row in rows], dtype=np.int64),
        received_at=np.array([microseconds(row[4]) for row in rows], dtype=np.int64),
        longitude=np.array([row[6] for row in rows], dtype=np.float64),
        latitude=np.array([row[7] for row in rows], dtype=np.float64),
        accuracy_m=np.array([row[8] for row in rows], dtype=np.float64),
        fix_key=np.array([row[2] for row in rows], dtype=np.int64),
        flags=np.array([row[19] for row in rows], dtype=np.int32),
    )


def a_bar(
    connection: Connection,
    *,
    east_m: float = 0.0,
    name: str = "合成酒吧",
    radius_m: float = 35.0,
    at: datetime = EVENING,
    valid_from: datetime | None = None,
) -> None:
    """A bar as a zone, known since ``at``, in force since then or ``valid_from``; again, it is redrawn."""
    shape = Circle(
        longitude=BAR_LONGITUDE + east_m / (METRES_PER_DEGREE * float(np.cos(np.radians(BAR_LATITUDE)))),
        latitude=BAR_LATITUDE,
        radius_m=radius_m,
    )
    draft = ZoneDraft(
        zone_id=new_id(),
        source="venue:test",
        source_id=name,
        kind=ZoneKind.EXCLUSION,
        origin=ZoneOrigin.VENUE,
        name=name,
        shape=shape,
        category=VenueCategory.BAR,
    )
    save_zones(connection, [draft], at=at, new_from=valid_from, changed_from=valid_from)


def a_person(
    connection: Connection,
    *,
    alias: str = "小丽",
    birth_date: date = date(2010, 1, 1),
    valid_from: datetime = EVENING - timedelta(days=30),
    valid_to: datetime = EVENING + timedelta(days=30),
    recipients: Sequence[tuple[Role, str, int, bool]] = ((Role.GUARDIAN, "13800000101", 1, False),),
    keyring: Keyring = KEYRING,
) -> Person:
    """A minor on conditional non-prosecution who may not enter bars, with one guardian and one device."""
    subject_id = new_id()
    subject_no = add_subject(
        connection, subject_id=subject_id, shard=shard_of(subject_id), alias=alias, birth_date=birth_date
    )
    order = SupervisionOrder(
        order_no=0,
        order_id=new_id(),
        version=0,
        subject_no=subject_no,
        measure=Measure.CONDITIONAL_NON_PROSECUTION,
        document_number="合成检附条件不诉〔2026〕1号",
        deciding_organ="合成区人民检察院",
        executing_organ="合成区人民检察院",
        valid_from=valid_from,
        valid_to=valid_to,
        stage=Organ.PROCURATORATE,
        location_basis=LocationBasis.ORDER_ITEM,
        conditions=(
            Condition(
                condition_no=0,
                condition_id=new_id(),
                kind=ConditionKind.EXCLUDED_CATEGORIES,
                categories=frozenset({VenueCategory.BAR}),
            ),
        ),
    )
    add_order(connection, order=order, zone_id_of=lambda _: None, at=EVENING)
    for role, phone, rank, is_blocked in recipients:
        recipient = Recipient(recipient_id=new_id(), subject_no=subject_no, role=role, rank=rank, is_blocked=is_blocked)
        contact = seal_contact(
            keyring,
            current_key(connection, keyring),
            recipient_id=recipient.recipient_id,
            name="合成联系人",
            phone=phone,
        )
        add_recipient(connection, recipient, contact)
    token = add_device(connection, subject_no, SECRET)
    device_id = connection.exec_driver_sql(
        "SELECT device_id FROM device WHERE subject_no = %s", (subject_no,)
    ).scalar_one()
    sender = Sender(device_id=device_id, subject_no=subject_no, shard=shard_of(subject_id))
    return Person(subject_id=subject_id, subject_no=subject_no, token=token, sender=sender)


def log_fixes(engine: Engine, person: Person, fixes: Sequence[Fix]) -> None:
    """Put fixes in the log, as hop 2 does."""
    with engine.begin() as connection:
        write_rows(driver_connection(connection), to_rows(person.sender, fixes, EVENING))


def a_worker(
    engine: Engine, gateway: Gateway | None = None, *, batch_size: int = 20_000, keyring: Keyring = KEYRING
) -> Worker:
    """A worker on the event clock."""
    return Worker(
        engine=engine,
        gateways={Channel.SMS: (gateway or FakeGateway(),)},
        clock=EventClock(),
        policies=Policies(presence=PresencePolicy()),
        keyring=keyring,
        lease_seconds=5.0,
        secret=SECRET,
        device_secret=SECRET,
        batch_size=batch_size,
    )


def history(connection: Connection, person: Person) -> FixBatch:
    """All fixes of a person in the log, in time order, whether they were evaluated or not."""
    query = f"SELECT {', '.join(FIX_COLUMNS)} FROM fix WHERE subject_no = %(number)s ORDER BY fixed_at, fix_key"
    return FixBatch(**read_columns(connection, query, {"number": person.subject_no}, FIX_COLUMNS))
