"""The audit in the database: who did what is written unasked, and every planted fault is found and named."""

import random
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from api.audit import AUDITED_TABLES, LookKind, PurposeMissingError, last_entries, name_actor, record_event, record_look
from api.audit_chain import Algorithm, FaultKind, linked
from api.audit_checkpoint import AuditKeys, make_checkpoint
from api.audit_verify import _entries
from api.database import open_engine
from tests.api.audit_scene import ANOTHER, KEYS, ONE_BYTE, behind_the_back, checked, fill, in_threads, the_fault
from tests.make import a_person

NOW = datetime(2026, 3, 21, tzinfo=UTC)

every_table = pytest.mark.parametrize("table", AUDITED_TABLES)


def keys_of(connection: Connection, table: str) -> list[str]:
    return list(connection.execute(text(f"SELECT ({KEYS[table]})::text FROM {table} ORDER BY 1")).scalars())


def where(table: str) -> str:
    return f"({KEYS[table]})::text = :key"


def columns_of(connection: Connection, table: str) -> list[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = :table ORDER BY ordinal_position"
    return list(connection.execute(text(query), {"table": table}).scalars())


def sign(engine: Engine, tmp_path: Path, *, minutes: int = 0) -> None:
    at = NOW + timedelta(minutes=minutes)
    assert make_checkpoint(engine, AuditKeys.open(tmp_path), at=at, algorithm=Algorithm.SM3) is not None


# ---- what is written


def test_the_scene_fills_every_audited_table_and_the_audit_of_it_is_whole(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    sign(engine, tmp_path)
    report = checked(engine, tmp_path)
    assert report.faults == ()
    assert report.unsigned_count == 0
    with engine.connect() as connection:
        counts = {table: len(keys_of(connection, table)) for table in AUDITED_TABLES}
    assert min(counts.values()) >= 2, counts
    assert report.row_count == sum(counts.values())
    assert report.entry_count >= report.row_count


def test_an_entry_says_who_for_what_and_when(engine: Engine) -> None:
    with engine.begin() as connection:
        name_actor(connection, actor="officer:7", purpose="变更决定", request_id="r-1")
        person = a_person(connection)
        (written,) = connection.execute(text("SELECT * FROM audit_entry WHERE table_name = 'subject'")).all()
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert (written.actor, written.purpose, written.request_id) == ("officer:7", "变更决定", "r-1")
    assert (written.kind, written.row_key, written.subject_no) == ("row_inserted", "1", person.subject_no)
    assert written.login == "hulan"
    assert timedelta(0) <= now - written.at < timedelta(minutes=1)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL application_name = 'hulan worker'"))
        connection.execute(text("UPDATE subject SET alias = '小红'"))
        (last,) = last_entries(connection, most=1)
    assert last.actor == "system:hulan worker", "the actor of one transaction spoke in the next"


def test_an_update_that_changes_nothing_is_no_entry_and_a_change_of_key_is_two(engine: Engine) -> None:
    fill(engine)
    with engine.begin() as connection:
        before = last_entries(connection, most=1)[0].position
        connection.execute(text("UPDATE zone SET name = name"))
        assert last_entries(connection, most=1)[0].position == before
        connection.execute(text("UPDATE retention_run SET partition_name = 'fix_x' WHERE fix_count = 1"))
        assert sorted(item.kind for item in last_entries(connection, most=2)) == ["row_deleted", "row_inserted"]


def test_no_entry_holds_personal_data_in_clear(engine: Engine) -> None:
    fill(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE recipient SET phone = phone || '138', name = name || '合成改名'::bytea"))
        for row in connection.execute(text("SELECT CAST(e AS text) FROM audit_entry e")).scalars():
            for word in ("小丽", "小明", "1380000010", "合成联系人", "合成改名", "合成短信", "2010-01-01"):
                assert word not in row


def test_a_rolled_back_change_leaves_no_entry(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    with engine.connect() as connection:
        connection.execute(text("UPDATE alert SET state = 'closed'"))
        connection.rollback()
    assert checked(engine, tmp_path).faults == ()


def test_a_look_needs_a_purpose_and_is_noted(engine: Engine) -> None:
    with engine.begin() as connection:
        for purpose in (None, "", "  ", "x"):
            with pytest.raises(PurposeMissingError, match="--purpose"):
                record_look(
                    connection, LookKind.TRACK, actor="officer:7", purpose=purpose, subject_no=1, detail="track"
                )
        record_look(connection, LookKind.TRACK, actor="officer:7", purpose=" 核查 ", subject_no=1, detail="track")
        record_event(connection, LookKind.LOG_IN, subject_no=None, detail="user 7")
        noted = last_entries(connection, most=2)
        shown = [(item.kind, item.actor, item.purpose, item.what) for item in noted]
        assert len(last_entries(connection, subject_no=1, most=9)) == 1
    assert shown == [("look_track", "officer:7", "核查", "track"), ("log_in", "officer:7", "核查", "user 7")]


def test_an_application_cannot_write_the_entry_of_a_row_itself(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError, match="no kind of entry"):
        connection.execute(text("SELECT audit_note('row_updated', 1, '')"))


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 119, 120, 400])
def test_sm3_of_the_database_is_that_of_the_library(engine: Engine, size: int) -> None:
    content = random.Random(size).randbytes(size)
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(content)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT audit_sm3(:content)"), {"content": content}).scalar_one()
    assert bytes(found) == sm3.finalize()


def test_a_chain_of_sm3_and_of_both_is_verified(engine: Engine, database_url: str, tmp_path: Path) -> None:
    fill(engine)
    chinese = open_engine(database_url, audit_hash="sm3")
    with chinese.begin() as connection:
        connection.execute(text("UPDATE subject SET alias = '小红'"))
        a_person(connection)
        algorithms = set(connection.execute(text("SELECT DISTINCT algorithm FROM audit_entry")).scalars())
    chinese.dispose()
    assert algorithms == {"sha256", "sm3"}
    assert checked(engine, tmp_path).faults == ()
    with behind_the_back(engine) as connection:
        connection.execute(text("UPDATE subject SET alias = '小张' WHERE subject_no = 1"))
    assert the_fault(engine, tmp_path).where == "subject 1"


def test_rows_that_were_there_before_the_audit_are_under_it(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    with engine.begin() as connection:
        for trigger in ("insert", "update", "delete", "truncate"):
            connection.execute(text(f"DROP TRIGGER audit_{trigger} ON zone"))
        connection.execute(text("UPDATE zone SET name = 'changed while nobody looked'"))
        connection.execute(text("SELECT audit_protect('zone', '')"))
    assert checked(engine, tmp_path).faults == ()


# ---- planted faults in audited tables


@pytest.mark.parametrize("table", ONE_BYTE)
def test_one_byte_altered_is_named(engine: Engine, tmp_path: Path, table: str) -> None:
    fill(engine)
    column, value = ONE_BYTE[table]
    with behind_the_back(engine) as connection:
        key = keys_of(connection, table)[1]
        assert (
            connection.execute(
                text(f"UPDATE {table} SET {column} = {value} WHERE {where(table)}"), {"key": key}
            ).rowcount
            == 1
        )
    fault = the_fault(engine, tmp_path)
    assert (fault.kind, fault.where) == (FaultKind.ALTERED, f"{table} {key}")
    assert column in fault.detail.removeprefix("column ").split(";")[0].split(", ")


@every_table
def test_a_deleted_row_is_named(engine: Engine, tmp_path: Path, table: str) -> None:
    fill(engine)
    with behind_the_back(engine) as connection:
        key = keys_of(connection, table)[0]
        connection.execute(text(f"DELETE FROM {table} WHERE {where(table)}"), {"key": key})
    fault = the_fault(engine, tmp_path)
    assert (fault.kind, fault.where) == (FaultKind.MISSING, f"{table} {key}")
    assert fault.at is not None


@every_table
def test_a_row_inserted_behind_the_back_is_named(engine: Engine, tmp_path: Path, table: str) -> None:
    fill(engine)
    with behind_the_back(engine) as connection:
        before = keys_of(connection, table)
        columns = columns_of(connection, table)
        values = ", ".join(ANOTHER[table].get(name, name) for name in columns)
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE"
                f" SELECT {values} FROM {table} WHERE {where(table)}"
            ),
            {"key": before[0]},
        )
        (fresh,) = set(keys_of(connection, table)) - set(before)
    fault = the_fault(engine, tmp_path)
    assert (fault.kind, fault.where) == (FaultKind.INSERTED, f"{table} {fresh}")


KEYS_BESIDE = {
    "alert_violation": ["alert_id"], "alert_finding": ["alert_id"],
    "measurement_archive": ["measurement_hash", "content"],  # the database refuses a text under another hash
}  # fmt: skip
"""What stays where it is when two rows are swapped, if that is not just their key."""


@every_table
def test_two_swapped_rows_are_named(engine: Engine, tmp_path: Path, table: str) -> None:
    fill(engine)
    with behind_the_back(engine) as connection:
        one, other = keys_of(connection, table)[:2]
        columns = columns_of(connection, table)
        key_columns = KEYS_BESIDE.get(table) or [
            name for name in columns if name in KEYS[table].replace("::text", "").replace("[", " ").replace("]", " ")
            .replace(",", " ").split()
        ]  # fmt: skip
        mixed = ", ".join(f"a.{name}" if name in key_columns else f"b.{name}" for name in columns)
        connection.execute(
            text(
                f"CREATE TEMP TABLE held ON COMMIT DROP AS SELECT * FROM {table}"
                f" WHERE ({KEYS[table]})::text = ANY(:keys)"
            ),
            {"keys": [one, other]},
        )
        connection.execute(
            text(f"DELETE FROM {table} WHERE ({KEYS[table]})::text = ANY(:keys)"), {"keys": [one, other]}
        )
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE SELECT {mixed}"
                " FROM held a, held b WHERE a.ctid <> b.ctid"
            )
        )
    faults = checked(engine, tmp_path).faults
    if table in {"alert_finding", "alert_violation"}:  # all key: two rows are gone, and two others are there
        assert {item.where for item in faults if item.kind is FaultKind.MISSING} == {
            f"{table} {one}",
            f"{table} {other}",
        }
        assert len(faults) == 4
        return
    if table == "measurement_archive":  # its text stays under its hash: neither row is the other one now
        assert [item.kind for item in faults] == [FaultKind.ALTERED] * 2
        return
    (fault,) = faults
    assert fault.kind is FaultKind.SWAPPED
    assert {fault.where, fault.detail.removeprefix("with ")} == {f"{table} {one}", f"{table} {other}"}


def test_of_many_faults_the_first_is_named_first(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    with behind_the_back(engine) as connection:
        connection.execute(text("UPDATE notification SET text = 'x'"))
        connection.execute(text("UPDATE supervision_order SET measure = 'bail' WHERE order_no = 1"))
        connection.execute(text("DELETE FROM alert"))
    faults = checked(engine, tmp_path).faults
    assert faults[0].where == "supervision_order 1"
    assert [item.order for item in faults] == sorted(item.order for item in faults)
    assert len(faults) == 5


# ---- planted faults in the chain itself


def plant(engine: Engine, statement: str, **values: object) -> None:
    with behind_the_back(engine) as connection:
        assert connection.execute(text(statement), values).rowcount > 0


@pytest.mark.parametrize(
    ("statement", "kind", "named"),
    [
        ("UPDATE audit_entry SET actor = actor || 'x' WHERE seq = 5", FaultKind.ALTERED, "entry 5"),
        ("UPDATE audit_entry SET at = at - interval '1 day' WHERE seq = 5", FaultKind.ALTERED, "entry 5"),
        ("DELETE FROM audit_entry WHERE seq = 5", FaultKind.MISSING, "chain 0 entry 5"),
        ("DELETE FROM audit_entry WHERE seq > 5", FaultKind.MISSING, "chain 0 entry 6-"),
        ("UPDATE audit_entry SET seq = 500 - seq WHERE seq = 5", FaultKind.MISSING, "chain 0 entry 5"),
        (
            "UPDATE audit_entry a SET actor = b.actor, kind = b.kind, table_name = b.table_name, row_key = b.row_key,"
            " columns = b.columns, row_hash = b.row_hash, subject_no = b.subject_no, at = b.at, position = b.position"
            " FROM audit_entry b WHERE a.seq IN (4, 9) AND b.seq = 13 - a.seq",
            FaultKind.SWAPPED,
            "entry 9",
        ),
    ],
)
def test_a_fault_in_the_chain_is_named(
    engine: Engine, tmp_path: Path, statement: str, kind: FaultKind, named: str
) -> None:
    fill(engine)
    sign(engine, tmp_path)
    plant(engine, statement)
    faults = checked(engine, tmp_path).faults
    assert any(item.kind is kind and item.where.startswith(named) for item in faults), faults


def test_a_cut_off_tail_is_found_by_the_last_checkpoint_only(engine: Engine, tmp_path: Path) -> None:
    """What is after the last checkpoint is told as not yet signed; and its rows are missed all the same."""
    fill(engine)
    with engine.begin() as connection:
        record_event(connection, LookKind.LOG_IN, subject_no=None, detail="user 7")
    assert checked(engine, tmp_path).unsigned_count > 0
    sign(engine, tmp_path)
    with engine.connect() as connection:
        (last,) = last_entries(connection, most=1)
    plant(engine, "DELETE FROM audit_entry WHERE kind = 'log_in'")
    fault = the_fault(engine, tmp_path)
    assert (fault.kind, fault.where) == (FaultKind.MISSING, f"chain 0 entry {last.position}")
    assert "checkpoint 1" in fault.detail


def test_a_chain_rewritten_with_fresh_hashes_contradicts_its_checkpoint(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    sign(engine, tmp_path)
    with engine.begin() as connection:
        record_event(connection, LookKind.EXPORT, subject_no=1, detail="by mistake")
        (export,) = last_entries(connection, most=1)
        record_event(connection, LookKind.LOG_OUT, subject_no=None, detail="")
    sign(engine, tmp_path, minutes=1)
    with behind_the_back(engine) as connection:
        chain = list(_entries(connection, 0, 0))
        at = next(number for number, entry in enumerate(chain) if entry.position == export.position)
        kept = chain[:at]
        for entry in chain[at + 1 :]:
            kept.append(linked(entry, kept[-1]))
        connection.execute(text("DELETE FROM audit_entry WHERE seq > :seq"), {"seq": at})
        for entry in kept[at:]:
            names = list(type(entry).__slots__)
            connection.execute(
                text(
                    f"INSERT INTO audit_entry ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
                ),
                {name: getattr(entry, name) for name in names} | {"algorithm": str(entry.algorithm)},
            )
    fault = the_fault(engine, tmp_path)
    assert fault.kind is FaultKind.MISSING
    assert "checkpoint 2" in fault.detail
    with engine.begin() as connection:
        record_event(connection, LookKind.LOG_OUT, subject_no=None, detail="fills the place")
    fault = the_fault(engine, tmp_path)
    assert (fault.kind, fault.where) == (FaultKind.ALTERED, f"chain 0 entry {at + 1}-{at + 2}")


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE audit_checkpoint SET made_at = made_at - interval '1 hour' WHERE number = 1", FaultKind.ALTERED),
        ("UPDATE audit_checkpoint SET signature = set_byte(signature, 5, 1 - get_byte(signature, 5) % 2)"
         " WHERE number = 1", FaultKind.SIGNATURE),
        ("UPDATE audit_checkpoint SET key_id = 'of a stranger' WHERE number = 1", FaultKind.SIGNATURE),
        ("DELETE FROM audit_checkpoint WHERE number = 1", FaultKind.MISSING),
        ("DELETE FROM audit_checkpoint WHERE number = 2", FaultKind.MISSING),
    ],
)  # fmt: skip
def test_a_fault_in_a_checkpoint_is_named(engine: Engine, tmp_path: Path, statement: str, kind: FaultKind) -> None:
    fill(engine)
    sign(engine, tmp_path)
    with engine.begin() as connection:
        a_person(connection)
    sign(engine, tmp_path, minutes=1)
    assert checked(engine, tmp_path).faults == ()
    plant(engine, statement)
    number = "2" if "number = 2" in statement else "1"
    faults = checked(engine, tmp_path).faults
    assert any(item.kind is kind and item.where == f"checkpoint {number}" for item in faults), faults


def test_since_trusts_what_an_earlier_checkpoint_signed_and_still_checks_every_row(
    engine: Engine, tmp_path: Path
) -> None:
    fill(engine)
    sign(engine, tmp_path)
    whole = checked(engine, tmp_path).entry_count
    with engine.begin() as connection:
        a_person(connection)
    part = checked(engine, tmp_path, since=NOW + timedelta(minutes=1))
    assert part.faults == ()
    assert 0 < part.entry_count < whole
    plant(engine, "UPDATE zone SET name = 'x' WHERE zone_no = 1")
    assert [item.where for item in checked(engine, tmp_path, since=NOW + timedelta(minutes=1)).faults] == ["zone 1"]


def test_checkpoints_are_made_once_and_only_when_something_happened(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    keys = AuditKeys.open(tmp_path)

    def made(minutes: int) -> bool:
        at, between = NOW + timedelta(minutes=minutes), timedelta(minutes=5)
        return make_checkpoint(engine, keys, at=at, algorithm=Algorithm.SHA256, unless_since=between) is not None

    assert made(0)
    assert not made(10), "nothing happened"
    with engine.begin() as connection:
        a_person(connection)
    assert not made(4), "another worker signed four minutes ago"
    assert made(10)
    assert checked(engine, tmp_path).faults == ()


def test_workers_that_sign_at_once_make_one_checkpoint(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    keys, made = AuditKeys.open(tmp_path), []

    def work() -> None:
        made.append(make_checkpoint(engine, keys, at=NOW, algorithm=Algorithm.SHA256))

    in_threads(work, 4)
    assert sum(item is not None for item in made) == 1
    assert checked(engine, tmp_path).faults == ()


def test_the_key_is_for_its_owner_alone_and_the_public_one_is_beside_it(tmp_path: Path) -> None:
    keys = AuditKeys.open(tmp_path)
    assert stat.S_IMODE((tmp_path / "audit" / "private.pem").stat().st_mode) == 0o600
    assert "PUBLIC KEY" in (tmp_path / "audit" / f"{keys.key_id}.pub").read_text()
    assert AuditKeys.open(tmp_path).key_id == keys.key_id
