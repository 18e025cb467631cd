"""No name, number or ID number in clear: not in a dump, not after an upgrade, not on a screen."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, make_url, text

from alerts.gateway import FakeGateway
from api.database import migrate
from api.explaining import _notifications, _who
from api.ids import new_id
from api.personal.fields import SEALED_TABLES
from api.personal.keyring import KeyringError
from api.personal.rotation import rotate
from api.personal.sealing import CipherName
from api.postgres_binaries import installed_postgres
from tests.api.test_schema import alembic_config, columns_of
from tests.golden_files import assert_golden
from tests.make import EVENING, KEYRING, KEYRING_PATH, a_worker
from tests.personal.scene import a_case, a_message, contacts, register
from tracking.episode import derived_id
from tracking.rules import to_microseconds

SUBJECT_NAME, GUARDIAN_NAME = "合成欧阳雪梅", "合成司徒建国"
ID_NUMBER, PHONE = "11010519491231002X", "13800000177"
PLANTED = (SUBJECT_NAME, GUARDIAN_NAME, ID_NUMBER, PHONE)


def dump(database_url: str) -> bytes:
    """What ``pg_dump`` writes: data as text."""
    url = make_url(database_url)
    found = subprocess.run(
        [
            installed_postgres()[0].program("pg_dump"), "--host", str(url.query["host"]),
            "--port", str(url.query["port"]), "--username", str(url.username), str(url.database),
        ],
        capture_output=True, check=True, timeout=60, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return found.stdout


def spellings(value: str) -> Iterator[bytes]:
    """The value as text, and as the dump shows it if it were stored as bytes."""
    for encoding in ("utf-8", "utf-16-le", "gb18030"):
        yield value.encode(encoding)
        yield value.encode(encoding).hex().encode()


def clear_in(content: bytes) -> list[str]:
    """Which planted values can be read in it."""
    return [value for value in PLANTED if any(spelling in content for spelling in spellings(value))]


def settle(engine: Engine) -> int:
    """The planted people with a message that was sent; returns the subject's number."""
    with engine.begin() as connection:
        guardian = {"role": "guardian", "name": GUARDIAN_NAME, "phone": PHONE}
        found = register(connection, 1, KEYRING, name=SUBJECT_NAME, id_number=ID_NUMBER.lower(), recipients=[guardian])
        a_message(connection, found.subject_no)
    gateway = FakeGateway()
    a_worker(engine, gateway).deliver_due()
    assert [message.address for message in gateway.sent] == [PHONE]
    return found.subject_no


@pytest.mark.slow
def test_a_dump_holds_no_name_phone_or_id_number(engine: Engine, database_url: str) -> None:
    settle(engine)
    assert clear_in(dump(database_url)) == []
    rotate(engine, KEYRING, cipher=CipherName.SM4_GCM, at=EVENING)
    content = dump(database_url)
    assert clear_in(content) == []
    assert not any(key.secret.hex().encode() in content for key in KEYRING.keys), "the dump holds a key"
    assert KEYRING.index_key.secret.hex().encode() not in content
    # The search would find them: planted in clear, as text and as bytes, each is found.
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE scratch (words text, bytes bytea)"))
        for column, values in (("words", PLANTED[:2]), ("bytes", [value.encode() for value in PLANTED[2:]])):
            for value in values:
                connection.execute(text(f"INSERT INTO scratch ({column}) VALUES (:value)"), {"value": value})
    assert clear_in(dump(database_url)) == list(PLANTED)


def go_back(engine: Engine) -> None:
    """The schema before personal fields were sealed."""
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0003")


def old_rows(engine: Engine, subject_id: Any) -> dict[str, Any]:
    """A recipient, an alert and a message as the program before wrote them."""
    row = {
        "recipient_id": derived_id("recipient", 0, str(subject_id), "guardian", PHONE), "alert_id": new_id(),
        "name": GUARDIAN_NAME, "phone": PHONE, "at": EVENING,
    }  # fmt: skip
    row["notification_id"] = old_notification_id(row)
    with engine.begin() as connection:
        subject_no = connection.execute(
            text(
                "INSERT INTO subject (subject_id, shard, alias, birth_date)"
                " VALUES (:id, 0, '小丽', '2010-01-01') RETURNING subject_no"
            ),
            {"id": subject_id},
        ).scalar_one()
        row["subject_no"] = subject_no
        for statement in (
            "INSERT INTO recipient (recipient_id, subject_no, role, name, phone)"
            " VALUES (:recipient_id, :subject_no, 'guardian', :name, :phone)",
            "INSERT INTO alert VALUES (:alert_id, :subject_no, 'excluded_categories', 'open', :at, :at, false)",
            "INSERT INTO notification (notification_id, alert_id, recipient_id, role, phone, template, text,"
            " decided_at, known_at) VALUES (:notification_id, :alert_id, :recipient_id, 'guardian', :phone, 't',"
            " '合成消息', :at, :at)",
        ):
            connection.execute(text(statement), row)
    return row


def old_notification_id(row: dict[str, Any]) -> Any:
    return derived_id("notification", to_microseconds(EVENING), str(row["alert_id"]), str(row["recipient_id"]), "t")


@pytest.mark.slow
def test_the_upgrade_seals_what_is_there_and_leaves_nothing_in_clear(engine: Engine, database_url: str) -> None:
    go_back(engine)
    subject_id = new_id()
    row = old_rows(engine, subject_id)
    assert clear_in(dump(database_url)) == [GUARDIAN_NAME, PHONE], "the search finds them before"
    assert {GUARDIAN_NAME, PHONE} <= set(clear_in(table_files(engine)))
    migrate(engine, keyring=KEYRING)
    assert clear_in(dump(database_url)) == []
    assert clear_in(table_files(engine)) == []
    assert contacts(engine, KEYRING) == {(GUARDIAN_NAME, PHONE)}
    gateway = FakeGateway()
    a_worker(engine, gateway).deliver_due()
    assert [message.address for message in gateway.sent] == [PHONE], "a message that waited still leaves"
    with engine.begin() as connection:
        fresh = connection.execute(text("SELECT recipient_id, notification_id FROM notification")).one()
        # Whoever knows the subject can try all numbers against an id that derives from the number alone.
        assert fresh.recipient_id != row["recipient_id"]
        assert fresh.notification_id == old_notification_id({**row, "recipient_id": fresh.recipient_id})
        again = register(
            connection, 1, KEYRING, reference=str(subject_id),
            recipients=[{"role": "guardian", "name": GUARDIAN_NAME, "phone": PHONE}],
        )  # fmt: skip
        assert again.subject_id == subject_id
        assert connection.execute(text("SELECT count(*) FROM recipient")).scalar_one() == 1, "the same recipient"


def table_files(engine: Engine) -> bytes:
    """The files of the two tables that held clear text, as they are on disk."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Copies files, and so writes all that is in memory first: CHECKPOINT itself is for superusers.
        connection.execute(text("CREATE DATABASE flushed TEMPLATE template0 STRATEGY file_copy"))
        connection.execute(text("DROP DATABASE flushed"))
        paths = connection.execute(
            text("SELECT pg_relation_filepath(name) FROM unnest(ARRAY['recipient', 'notification']) name")
        ).scalars()
        data = Path(str(engine.url.query["host"])).parent / "pgdata"
        return b"".join((data / path).read_bytes() for path in paths)


def test_an_upgrade_without_a_keyring_changes_nothing(engine: Engine) -> None:
    go_back(engine)
    old_rows(engine, new_id())
    with pytest.raises(KeyringError, match="names and numbers to be sealed"), engine.begin() as connection:
        config = alembic_config(connection)
        del config.attributes["keyring"]
        command.upgrade(config, "head")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT phone FROM recipient")).scalar_one() == PHONE


def test_going_down_gives_the_clear_text_back(engine: Engine) -> None:
    settle(engine)
    go_back(engine)
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT r.name, r.phone, n.phone FROM recipient r JOIN notification n USING (recipient_id)")
        ).one()
    assert tuple(row) == (GUARDIAN_NAME, PHONE, PHONE)


def test_every_column_of_bytes_in_a_table_with_keys_is_sealed_or_an_index(engine: Engine) -> None:
    """A new personal column that rotation does not know would be lost with its key."""
    query = """
        SELECT c.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.contype = 'f' AND k.confrelid = 'personal_key'::regclass
    """
    with engine.connect() as connection:
        tables = set(connection.execute(text(query)).scalars())
    assert tables == {item.table for item in SEALED_TABLES}
    for item in SEALED_TABLES:
        found = {name for name, kind in columns_of(engine, item.table).items() if kind == "bytea"}
        assert {name for name in found if not name.endswith("_index")} == set(item.columns), item.table


@pytest.mark.golden
def test_who_is_shown_is_masked(engine: Engine) -> None:
    """The lines of `hulan explain` that are about people."""
    subject_no = settle(engine)
    with engine.connect() as connection:
        alert_id = connection.execute(text("SELECT alert_id FROM alert")).scalar_one()
        lines = [*_who(connection, KEYRING, subject_no), *_notifications(connection, KEYRING, alert_id)]
    shown = "\n".join("  ".join(line[:2]) for line in lines)
    assert clear_in(shown.encode()) == []
    assert_golden("explain/people.txt", f"{shown}\n")


def test_a_case_with_a_wrong_id_number_is_rejected_without_quoting_it(tmp_path: Path) -> None:
    import json

    from api.case_file import read_cases

    good = a_case(1, id_number="11010519491231002X").model_dump(mode="json", exclude_none=True)
    for condition in good["conditions"]:
        condition.pop("geometry", None)
    wrong = {**good, "reference": "P-2", "id_number": "110105194912310021"}
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": [good, wrong]}), encoding="utf-8")
    read = read_cases(file)
    assert [case.reference for case in read.cases] == ["P-1"]
    (rejected,) = read.rejected
    assert (rejected.reference, rejected.field) == ("P-2", "id_number")
    assert "校验位" in rejected.reason
    assert "110105" not in repr(rejected)


def test_doubts_are_told_and_the_case_is_registered(engine: Engine) -> None:
    with engine.begin() as connection:
        first = register(connection, 1, KEYRING, id_number=ID_NUMBER, birth_date="1949-12-31")
        second = register(connection, 2, KEYRING, id_number=ID_NUMBER)
        again = register(connection, 1, KEYRING, birth_date="1949-12-31", name=SUBJECT_NAME)
    assert first.doubts == again.doubts == ()
    assert len(second.doubts) == 2
    assert "出生日期" in second.doubts[0]
    assert "同一身份证号" in second.doubts[1]


def test_a_field_that_a_later_import_leaves_out_stays(engine: Engine) -> None:
    from api.personal.fields import identity_of

    with engine.begin() as connection:
        register(connection, 1, KEYRING, id_number=ID_NUMBER)
    rotate(engine, KEYRING, cipher=CipherName.AES_256_GCM, at=EVENING)
    with engine.begin() as connection:
        found = register(connection, 1, KEYRING, name=SUBJECT_NAME)
        assert identity_of(connection, KEYRING, subject_no=found.subject_no).texts == {
            "name": SUBJECT_NAME, "id_number": ID_NUMBER,
        }  # fmt: skip


def test_the_keyring_of_these_tests_is_private() -> None:
    assert KEYRING_PATH.stat().st_mode & 0o077 == 0
