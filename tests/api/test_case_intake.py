"""Orders entered and varied over the web: filed sealed by real HTTP, registered by a real worker, each once."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine, text

from api.access.accounts import join_case, set_jurisdiction
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.audit import AUDITED_TABLES
from api.case_file import check_cases
from api.case_intake import KEPT, NOT_THERE, forget_case_files, register_waiting
from api.casework.case_files import case_file_of, file_cases, take_tokens
from api.database import open_engine
from api.files.case_columns import CASE_COLUMNS
from api.ids import subject_id_for
from api.logins import Login
from api.personal.keyring import make_keyring
from api.personal.rotation import rotate
from api.personal.sealing import CipherName
from tests.access.people import Browser, Official, a_browser, another, official_in
from tests.api.casework_scene import DAY, HOME, a_case, register
from tests.api.faults import wait_until
from tests.api.live_server import bearer, post_fixes, url_as
from tests.make import EVENING, KEYRING_PATH, SECRET, a_fix, a_worker

NAME, PHONE, ID_NUMBER, ADDRESS = "合成姓名甲", "13800000177", "110101199001011237", "合成路七号"
FROM, TO = (EVENING - 10 * DAY).isoformat(), (EVENING + 300 * DAY).isoformat()


def a_filed_case(**changes: Any) -> dict[str, Any]:
    """An adult, so that nobody else need be told; confined to two kilometres around home."""
    content: dict[str, Any] = {
        "reference": "W-1", "alias": "小王", "birth_date": "1990-01-01", "measure": "bail", "name": NAME,
        "address": ADDRESS, "document_number": "合成〔2026〕71号", "deciding_organ": "合成区人民检察院",
        "executing_organ": "合成派出所", "location_basis": "order_item", "valid_from": FROM, "valid_to": TO,
        "conditions": [{"kind": "stay_within_area", "geometry": HOME, "radius_m": 2000}],
        "recipients": [{"role": "police", "name": "合成民警", "phone": PHONE}],
    }  # fmt: skip
    return content | changes


@pytest.fixture
def police(engine: Engine) -> Official:
    return official_in(engine, "wang", AccountRole.POLICE)


@pytest.fixture
def browser(database_url: str, police: Official) -> Iterator[Browser]:
    with a_browser(database_url) as browser:
        browser.log_in(police)
        yield browser


@pytest.fixture
def service(database_url: str) -> Iterator[Engine]:
    """As the worker logs in."""
    engine = open_engine(url_as(database_url, Login.WORKER))
    yield engine
    engine.dispose()


def file(browser: Browser, *cases: dict[str, Any]) -> str:
    answer = browser.ask("POST", "/case-files", json={"cases": list(cases)})
    assert answer.status_code == 202, answer.text
    return f"/case-files/{answer.json()['case_file_id']}"


def outcome(browser: Browser, place: str) -> list[dict[str, Any]]:
    answer = browser.ask("GET", place)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "done"
    return list(answer.json()["cases"])


def scalar(engine: Engine, query: str, **values: Any) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(query), values).scalar_one()


# ---- entering and varying


def test_an_order_entered_over_the_web_governs_fixes_and_is_varied(
    engine: Engine, service: Engine, browser: Browser
) -> None:
    place = file(browser, a_filed_case())
    assert browser.ask("GET", place).json()["state"] == "waiting"
    assert browser.ask("GET", "/subjects").json() == {"subjects": []}
    worker = a_worker(service)
    worker.drain()
    (done,) = outcome(browser, place)
    assert (done["reference"], done["state"], done["rejected"], done["has_token"]) == ("W-1", "added", [], True)
    subject = f"/subjects/{subject_id_for('W-1')}"
    (order,) = browser.ask("GET", f"{subject}/orders").json()["orders"]
    assert (order["document_number"], order["not_active_because"]) == ("合成〔2026〕71号", None)

    (held,) = browser.ask("POST", f"{place}/tokens").json()["tokens"]
    away = [a_fix(minutes=minute, east_m=9000.0 if minute >= 20 else 10.0) for minute in range(50)]
    taken = post_fixes(browser.client, held["token"], away)
    assert taken.status_code in {200, 201}, taken.text
    assert scalar(engine, "SELECT count(*) FROM fix") == len(away)
    worker.drain()
    assert browser.ask("GET", f"{subject}/suspected").json()["suspected"], "it governs"

    varied = file(browser, a_filed_case(executing_organ="合成第二派出所"))
    again = file(browser, a_filed_case(executing_organ="合成第二派出所"))
    worker.drain()
    assert [item["state"] for place in (varied, again) for item in outcome(browser, place)] == ["changed", "unchanged"]
    versions = browser.ask("GET", f"/orders/{order['order_id']}").json()["versions"]
    assert [item["executing_organ"] for item in versions] == ["合成第二派出所", "合成派出所"]
    assert scalar(engine, "SELECT count(*) FROM device") == 1


def test_a_token_is_given_once_and_to_who_asked(engine: Engine, service: Engine, browser: Browser) -> None:
    place = file(browser, a_filed_case())
    assert browser.ask("POST", f"{place}/tokens").status_code == 404
    a_worker(service).drain()
    other = another(browser)
    other.log_in(official_in(engine, "li", AccountRole.LEADER))
    assert other.ask("GET", place).status_code == other.ask("POST", f"{place}/tokens").status_code == 404
    (held,) = browser.ask("POST", f"{place}/tokens").json()["tokens"]
    assert browser.client.post("/positions", json={"fixes": []}, headers=bearer(held["token"])).status_code == 201
    assert browser.ask("POST", f"{place}/tokens").status_code == 404
    assert not outcome(browser, place)[0]["has_token"]
    assert scalar(engine, "SELECT count(*) FROM case_intake WHERE token IS NOT NULL") == 0


def test_tables_are_read_as_by_the_command_line(service: Engine, browser: Browser) -> None:
    cells = {item.key: item.example for item in CASE_COLUMNS} | {
        "birth_date": "1990-01-01", "reference": "W-7", "valid_from": FROM[:10], "valid_to": "2026-12-31",
        "recipient_role": "", "recipient_name": "", "recipient_phone": "",
    }  # fmt: skip
    csv = f"{','.join(cells)}\n{','.join(cells.values())}\n"
    book, stream = Workbook(), io.BytesIO()
    for line in (list(cells), list((cells | {"reference": "W-8"}).values())):
        book.worksheets[0].append(line)
    book.save(stream)
    kinds = ("text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    for content, kind in zip((csv.encode(), stream.getvalue()), kinds, strict=True):
        answer = browser.ask("POST", "/case-files", content=content, headers={"Content-Type": kind})
        assert answer.status_code == 202, answer.text
        a_worker(service).drain()
        assert outcome(browser, answer.headers["Location"])[0]["state"] == "added"
    assert len(browser.ask("GET", "/subjects").json()["subjects"]) == 2


# ---- mistakes


def test_a_file_with_one_bad_case_keeps_the_good(engine: Engine, service: Engine, browser: Browser) -> None:
    bad = a_filed_case(reference="W-2", measure="jail", id_number=ID_NUMBER[:-1] + "0")
    minor = a_filed_case(reference="W-3", birth_date="2012-01-01")
    answer = browser.ask("POST", "/case-files", json=[a_filed_case(), bad, minor])
    assert answer.status_code == 202, answer.text
    assert ID_NUMBER[:-1] not in answer.text
    rejected = answer.json()["rejected"]
    assert {(item["line"], item["reference"], item["field"], item["value"]) for item in rejected} == {
        (2, "W-2", "measure", "jail"), (2, "W-2", "id_number", ""), (3, "W-3", "recipients", ""),
    }  # fmt: skip
    assert all(item["reason"] for item in rejected)
    a_worker(service).drain()
    states = [
        (item["line"], item["state"], len(item["rejected"])) for item in outcome(browser, answer.headers["Location"])
    ]
    assert states == [(1, "added", 0), (2, "rejected", 2), (3, "rejected", 1)]
    assert scalar(engine, "SELECT count(*) FROM subject") == 1


def test_a_term_beyond_the_maximum_is_refused_with_its_article(engine: Engine, browser: Browser) -> None:
    long = a_filed_case(valid_to=(EVENING + 600 * DAY).isoformat())
    answer = browser.ask("POST", "/case-files", json=[long])
    assert answer.status_code == 422
    (fault,) = answer.json()["rejected"]
    assert (fault["field"], "79" in fault["reason"]) == ("valid_to", True)
    assert scalar(engine, "SELECT count(*) FROM case_intake") == 0


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422), (b'{"cases": 7}', "application/json", 422), (b"[]", "application/json", 422),
        (b"[" * 100_000, "application/json", 422), (b"\xff\xfe\xfa", "application/json", 422),
        (b"PK\x03\x04", "text/csv", 422), (b"a,b\n1,2\n", "text/csv", 422), (b"", "text/csv", 422),
        (b"x", "text/plain", 422), (b" " * 4_000_001, "application/json", 413),
        (json.dumps([{"reference": str(number)} for number in range(501)]).encode(), "application/json", 422),
        (b'[{"reference": "\\ud800"}]', "application/json", 422),
    ],
)  # fmt: skip
def test_what_is_no_case_file_is_refused_in_plain_words(
    browser: Browser, content: bytes, kind: str, status: int
) -> None:
    answer = browser.ask("POST", "/case-files", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]


def test_what_cannot_be_stored_and_zones_of_others_are_refused_at_the_door(browser: Browser) -> None:
    zone = {"kind": "stay_within_area", "zone_source": f"condition:{uuid4()}", "zone": "0"}
    for change in ({"alias": "a\u0000b"}, {"alias": "\ud800"}, {"conditions": [zone]}):
        content = json.dumps([a_filed_case(**change)]).encode()
        answer = browser.ask("POST", "/case-files", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, change
        assert len(answer.json()["rejected"]) == 1


# ---- whose case it is


def test_a_strangers_reference_is_not_there(
    engine: Engine, service: Engine, browser: Browser, police: Official
) -> None:
    """Another's, a sealed one's: the same words. One's own, put on the team by others, is varied."""
    with engine.begin() as connection:
        for reference in ("S-1", "S-2", "S-3"):
            done = register(connection, a_case(reference=reference))
            set_jurisdiction(connection, done.subject_no, "320300")
        join_case(connection, done.subject_no, police.account_no, now=EVENING)
        connection.execute(
            text("UPDATE subject SET sealed_at = now(), sealing_ground = 'x' WHERE subject_id = :id"),
            {"id": subject_id_for("S-2")},
        )
    before = scalar(engine, "SELECT string_agg(s::text, '|' ORDER BY subject_no) FROM subject s WHERE subject_no < 3")
    place = file(browser, *(a_filed_case(reference=name) for name in ("S-1", "S-2", "S-3", "W-1")))
    a_worker(service).drain()
    found = outcome(browser, place)
    assert [item["state"] for item in found] == ["rejected", "rejected", "added", "added"]
    assert found[0]["rejected"] == found[1]["rejected"]
    assert (found[0]["rejected"][0]["field"], found[0]["rejected"][0]["reason"]) == ("reference", NOT_THERE)
    assert before == scalar(
        engine, "SELECT string_agg(s::text, '|' ORDER BY subject_no) FROM subject s WHERE subject_no < 3"
    )
    assert scalar(engine, "SELECT count(*) FROM supervision_order") == 5
    assert scalar(engine, "SELECT count(*) FROM case_member") == 2


def test_a_supervisor_may_not_nor_an_account_that_was_ended_meanwhile(
    engine: Engine, service: Engine, browser: Browser, police: Official
) -> None:
    other = another(browser)
    other.log_in(official_in(engine, "hua", AccountRole.SUPERVISOR))
    for method, path in (("POST", "/case-files"), ("GET", f"/case-files/{uuid4()}")):
        assert other.ask(method, path, json=[a_filed_case()]).status_code == 403
    file(browser, a_filed_case())
    with engine.begin() as connection:
        connection.execute(text("UPDATE account SET disabled_at = now() WHERE login_name = 'wang'"))
    a_worker(service).drain()
    assert scalar(engine, "SELECT count(*) FROM subject") == 0
    assert scalar(engine, "SELECT count(*) FROM case_intake WHERE done_at IS NOT NULL AND content IS NULL") == 1


def test_the_audit_names_the_account_that_asked(
    engine: Engine, service: Engine, browser: Browser, police: Official
) -> None:
    file(browser, a_filed_case())
    a_worker(service).drain()
    query = text("SELECT DISTINCT table_name, actor, login FROM audit_entry WHERE table_name IN"
                 " ('subject', 'supervision_order', 'condition', 'device', 'recipient', 'case_member',"
                 " 'subject_jurisdiction', 'zone') AND position > 0")  # fmt: skip
    with engine.connect() as connection:
        found = connection.execute(query).all()
    assert {row.table_name for row in found} == {
        "subject", "supervision_order", "condition", "device", "recipient", "case_member", "subject_jurisdiction",
        "zone",
    }  # fmt: skip
    assert {(row.actor, row.login) for row in found} == {(f"account:{police.account_id}", Login.WORKER)}
    assert "case_intake" in AUDITED_TABLES


# ---- sealed, and gone


def dump(engine: Engine) -> str:
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        return "\n".join(
            str(connection.execute(text(f"SELECT string_agg(t::text, '|') FROM {table} t")).scalar())
            for table in tables
        )


def test_what_was_filed_is_readable_nowhere_and_gone_when_it_is_done(
    engine: Engine, service: Engine, browser: Browser
) -> None:
    place = file(browser, a_filed_case())
    needles = (NAME, PHONE, ADDRESS, "W-1", "合成〔2026〕71号")
    held = dump(engine)
    assert "合成人员" in held, "nothing is found: this test shows nothing"
    for needle in needles:
        assert needle not in held
        assert needle.encode().hex() not in held
    a_worker(service).drain()
    assert scalar(engine, "SELECT count(*) FROM case_intake WHERE content IS NOT NULL") == 0
    assert outcome(browser, place)[0]["state"] == "added"
    held = dump(engine)
    for needle in (NAME, PHONE, ADDRESS, "W-1"):
        assert needle not in held
    with engine.begin() as connection:
        connection.execute(text("UPDATE case_intake SET done_at = done_at - :kept"), {"kept": KEPT + DAY})
    a_worker(service).tidy()
    assert browser.ask("GET", place).status_code == 404


def test_what_waits_and_what_is_done_is_sealed_anew_by_rotation(
    engine: Engine, service: Engine, police: Official, tmp_path: Path
) -> None:
    """In an office that never sealed anything: the first case of all comes over the web."""
    keyring = make_keyring(tmp_path / "keyring.json", CipherName.AES_256_GCM, at=EVENING)
    with as_account(engine, police.account_id) as connection:
        filed = file_cases(connection, keyring, check_cases([(1, a_filed_case())]), at=EVENING)
    assert rotate(engine, keyring, cipher=CipherName.SM4_GCM, at=EVENING).row_count == 1
    assert register_waiting(service, keyring, secret=SECRET, at=EVENING)
    assert not register_waiting(service, keyring, secret=SECRET, at=EVENING)
    assert rotate(engine, keyring, cipher=CipherName.AES_256_GCM, at=EVENING).row_count == 3
    with as_account(engine, police.account_id) as connection:
        (done,) = case_file_of(connection, keyring, filed.intake_id)["cases"]
        assert (done["reference"], done["state"], done["has_token"]) == ("W-1", "added", True)
        assert take_tokens(connection, keyring, filed.intake_id)[0]["reference"] == "W-1"


def test_only_what_is_old_is_forgotten(engine: Engine, service: Engine, browser: Browser) -> None:
    file(browser, a_filed_case())
    at = scalar(engine, "SELECT now()")
    assert forget_case_files(service, at=at + 2 * KEPT) == 0, "it waits"
    a_worker(service).drain()
    assert forget_case_files(service, at=at) == 0
    assert forget_case_files(service, at=at + KEPT + timedelta(minutes=5)) == 1


def test_one_case_that_cannot_be_read_costs_that_case(engine: Engine, service: Engine, browser: Browser) -> None:
    place = file(browser, a_filed_case(), a_filed_case(reference="W-2"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE case_intake SET content = result WHERE line = 1"))
    a_worker(service).drain()
    assert [item["state"] for item in outcome(browser, place)] == ["rejected", "added"]


def test_the_role_of_an_account_files_by_the_function_only(engine: Engine, police: Official) -> None:
    for statement in ("INSERT INTO case_intake DEFAULT VALUES", "SELECT content FROM case_intake",
                      "UPDATE case_intake SET token = NULL", "SELECT admit_case(NULL, NULL, 1, 'x', now()::date)",
                      "SET ROLE hulan_registrar"):  # fmt: skip
        with pytest.raises(Exception, match="permission denied"), as_account(engine, police.account_id) as connection:
            if statement.startswith("SET"):
                connection.exec_driver_sql("SET SESSION AUTHORIZATION hulan_web")
            connection.exec_driver_sql(statement)


# ---- once


_WORKER = """
import sys
from pathlib import Path
from api.database import open_engine
from api.logs import configure_logs
from api.personal.keyring import Keyring
from tests.make import a_worker
configure_logs("warning")
a_worker(open_engine(sys.argv[1]), keyring=Keyring(Path(sys.argv[2]))).run()
"""


@pytest.mark.slow
def test_each_case_is_registered_once_with_two_workers_one_of_them_killed(
    engine: Engine, database_url: str, browser: Browser
) -> None:
    count = 120
    places = [
        file(browser, *(a_filed_case(reference=f"W-{number % 100}", document_number=f"合成〔2026〕{number}号")
                        for number in range(start, start + 40)))
        for start in range(0, count, 40)
    ]  # fmt: skip
    url = url_as(database_url, Login.WORKER)

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", _WORKER, url, str(KEYRING_PATH)])

    def done() -> int:
        return int(scalar(engine, "SELECT count(*) FROM case_intake WHERE done_at IS NOT NULL"))

    def has_more(before: int) -> bool:
        return done() > before or done() == count

    living = [started(), started()]
    try:
        for _ in range(3):
            before = done()
            wait_until(partial(has_more, before), seconds=60)
            victim = living.pop(0)
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            if done() < count:
                time.sleep(0.05)
            living.append(started())
        wait_until(lambda: done() == count, seconds=90)
    finally:
        for process in living:
            process.kill()
            process.wait()
    found = [item["state"] for place in places for item in outcome(browser, place)]
    assert found == ["added"] * count
    assert scalar(engine, "SELECT count(*) FROM subject") == 100
    assert scalar(engine, "SELECT count(*) FROM supervision_order") == count
    assert scalar(engine, "SELECT count(*) FROM device") == 100
    assert scalar(engine, "SELECT count(*) FROM case_member") == 100
    tokens = [item for place in places for item in browser.ask("POST", f"{place}/tokens").json().get("tokens", ())]
    assert len({item["token"] for item in tokens}) == len(tokens) == 100
