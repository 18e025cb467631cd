"""What reaches a log: JSON lines, and never anything about a person."""

import asyncio
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
import structlog
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.app import create_app
from api.clock import FixedClock
from api.database import open_engine
from api.logins import Login
from api.logs import PERSONAL_FIELDS, WITHHELD, configure_logs, describe_exception, withhold_personal
from geo.postgis import driver_connection
from tests.api.faults import wait_until
from tests.api.live_server import bearer, server_process, url_as
from tests.make import BAR_LONGITUDE, EVENING, KEYRING, KEYRING_PATH, SECRET, a_fix, a_person

PHONE = "13800000101"
PLACE = "117.20001"


def logged(code: str) -> list[dict[str, Any]]:
    """What a process that runs ``code`` writes to standard error, which must be JSON line by line."""
    program = "import logging, structlog\nfrom api.logs import configure_logs\nconfigure_logs('info')\n" + code
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def withheld(**fields: Any) -> dict[str, Any]:
    return withhold_personal(None, "info", fields)


def described(error: BaseException) -> str:
    return json.dumps(describe_exception(None, "error", {"event": "failed", "exc_info": error}))


# ---- form


def test_own_and_library_loggers_write_one_json_object_a_line() -> None:
    own, library = logged(
        "structlog.get_logger().info('shards_leased', count=3)\n"
        "logging.getLogger('sqlalchemy.pool').error('two\\nlines')\n"
    )
    assert own | {"timestamp": ""} == {"event": "shards_leased", "count": 3, "level": "info", "timestamp": ""}
    assert (library["event"], library["level"], library["logger"]) == ("two", "error", "sqlalchemy.pool")
    assert own["timestamp"].endswith("Z")


def test_level_is_obeyed_and_chatty_libraries_are_quiet() -> None:
    lines = logged(
        "structlog.get_logger().debug('too fine')\n"
        "logging.getLogger('httpx').info('HTTP Request: POST https://example.com/?phone=1')\n"
        "structlog.get_logger().warning('heard')\n"
    )
    assert [line["event"] for line in lines] == ["heard"]


# ---- fields


@pytest.mark.parametrize("field", sorted(PERSONAL_FIELDS))
def test_personal_field_is_withheld_at_any_depth(field: str) -> None:
    deep = withheld(**{field: PHONE}, a={"b": [{"c": ({field: PHONE},)}]}, rows=[{field.upper(): PHONE}])
    assert PHONE not in json.dumps(deep)
    assert deep[field] == WITHHELD
    assert deep["a"]["b"][0]["c"][0][field] == WITHHELD


def test_field_named_after_a_personal_one_is_withheld() -> None:
    assert withheld(guardian_phone=PHONE, subject_name="王小丽") == {
        "guardian_phone": WITHHELD,
        "subject_name": WITHHELD,
    }


@dataclass(frozen=True)
class _Recipient:
    rank: int
    phone: str


class _Body(BaseModel):
    phone: str


def test_object_never_spells_out_its_personal_fields() -> None:
    fields = withheld(recipient=_Recipient(1, PHONE), body_in=_Body(phone=PHONE), raw=PHONE.encode(), fix=a_fix())
    shown = json.dumps(fields, default=str)
    assert PHONE not in shown
    assert str(BAR_LONGITUDE) not in shown
    assert fields["recipient"] == {"rank": 1, "phone": WITHHELD}
    assert fields["body_in"] == "<_Body>"


def test_harmless_fields_are_kept() -> None:
    fields = {"count": 3, "seconds": 0.5, "reason": "shards [1] were taken over", "held": [1, 2], "is_late": True}
    assert withheld(**fields) == fields


def test_arguments_of_a_library_message_are_not_filled_in() -> None:
    (line,) = logged(f"logging.getLogger('apscheduler').error('Job %s failed for %s', 'x', {PHONE!r})")
    assert line["event"] == "Job %s failed for %s"
    assert PHONE not in json.dumps(line)


def test_context_variables_are_withheld_too() -> None:
    (line,) = logged(
        f"structlog.contextvars.bind_contextvars(phone={PHONE!r}, request='r1')\nstructlog.get_logger().info('x')"
    )
    assert (line["phone"], line["request"]) == (WITHHELD, "r1")


# ---- exceptions


_FAIL = f"""
def send(phone):
    row = {{"longitude": {PLACE}}}
    raise ValueError("cannot send to " + phone)

def run():
    try:
        send({PHONE!r})
    except ValueError as error:
        raise RuntimeError("row " + str(error)) from error
"""


def test_exception_tells_type_and_place_but_no_words_and_no_variables() -> None:
    (line,) = logged(_FAIL + "try:\n    run()\nexcept RuntimeError:\n    structlog.get_logger().exception('failed')\n")
    assert [item["type"] for item in line["exception"]] == ["RuntimeError", "ValueError"]
    assert line["exception"][1]["frames"][-1].endswith(" in send")
    assert PHONE not in json.dumps(line)
    assert PLACE not in json.dumps(line)


def test_exception_of_a_library_is_told_the_same_way_on_one_line() -> None:
    (line,) = logged(
        _FAIL + "try:\n    run()\nexcept RuntimeError:\n"
        "    logging.getLogger('uvicorn.error').error('Exception in ASGI application\\n', exc_info=True)\n"
    )
    assert line["event"] == "Exception in ASGI application"
    assert [item["type"] for item in line["exception"]] == ["RuntimeError", "ValueError"]
    assert PHONE not in json.dumps(line)


def test_thread_that_dies_is_logged_the_same_way() -> None:
    (line,) = logged(
        _FAIL + "import threading\nthread = threading.Thread(target=run, name='delivery')\nthread.start()\n"
        "thread.join()\n"
    )
    assert (line["event"], line["thread"]) == ("thread_died", "delivery")
    assert PHONE not in json.dumps(line)


def test_members_of_a_group_and_chains_that_loop_are_told_once() -> None:
    first, second = ValueError(PHONE), KeyError(PHONE)
    first.__cause__, second.__cause__ = second, first
    shown = json.loads(described(ExceptionGroup("many", [first, OSError(28, "no space")])))
    assert [item["type"] for item in shown["exception"]] == ["ExceptionGroup", "ValueError", "OSError", "KeyError"]
    assert shown["exception"][2]["errno"] == 28
    assert PHONE not in json.dumps(shown)


def test_rejected_input_is_not_quoted() -> None:
    class Body(BaseModel):
        accuracy_m: float

    with pytest.raises(ValidationError) as caught:
        Body.model_validate({"accuracy_m": PHONE + "x"})
    assert PHONE in str(caught.value), "pydantic no longer quotes input: this test shows nothing"
    assert PHONE not in described(caught.value)


# ---- the database


def test_database_error_carries_no_parameters(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT CAST(:phone AS integer) / 0"), {"phone": "138"})
    assert "138" not in str(caught.value).split("[SQL")[1]
    assert "hidden" in str(caught.value)
    shown = json.loads(described(caught.value))["exception"]
    assert shown[0]["type"] == "sqlalchemy.exc.DataError"
    assert shown[1]["sqlstate"] == "22012"


def test_row_that_the_database_quotes_is_not_logged(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE quoted (phone text CHECK (phone = ''))"))
    with engine.connect() as connection, pytest.raises(psycopg.Error) as caught:
        driver_connection(connection).execute("INSERT INTO quoted VALUES (%s)", [PHONE])
    assert PHONE in str(caught.value), "PostgreSQL no longer quotes the row: this test shows nothing"
    assert PHONE not in described(caught.value)


async def posted(app: FastAPI, body: dict[str, Any], token: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        return await client.post("/positions", json=body, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("fault", ["ADD CHECK (longitude < 0)", "ALTER longitude TYPE numeric(4, 2)"])
def test_answer_to_fixes_that_could_not_be_stored_quotes_nothing(engine: Engine, fault: str) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
        connection.execute(text(f"ALTER TABLE fix {fault}"))
    app = create_app(engine=engine, secret=SECRET, clock=FixedClock(EVENING), keyring=KEYRING)
    body = {"fixed_at": EVENING.isoformat(), "longitude": 117.25, "latitude": 34.25, "datum": "WGS84"}
    answer = asyncio.run(posted(app, body, person.token))
    assert answer.status_code >= 500
    assert "117.25" not in answer.text
    assert "34.25" not in answer.text


# ---- the whole program


NEEDLES = {
    "name": "合成欧阳雪梅", "guardian": "合成司徒建国", "id number": "11010519491231002X", "phone": "13800000177",
    "alias": "合成代号甲", "document": "合成检〔2026〕77号", "zone": "合成被害人住处", "place": "117.3171",
    "latitude": "34.2719", "garbage": "合成乱码垃圾", "session": "S" * 43, "token": "hulan_" + "T" * 43,
    "password": "a password typed by somebody 9",
}  # fmt: skip


def a_whole_run(folder: Path, database_url: str) -> tuple[str, str]:
    """All that importing, serving, evaluating, delivering and looking write to their logs; and the SMS's text."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HULAN_")} | {
        "HULAN_DATA_DIR": str(folder), "HULAN_DATABASE_URL": database_url, "HULAN_KEYRING": str(KEYRING_PATH),
        "HULAN_SECRET_KEY": SECRET.decode(), "HULAN_LOG_LEVEL": "debug",
    }  # fmt: skip
    written: list[str] = []

    def hulan(*arguments: str) -> str:
        command = [sys.executable, "-m", "api.cli.main", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        written.append(done.stderr)
        return done.stdout

    (folder / "cases.json").write_text(json.dumps({"cases": [a_full_case()]}, ensure_ascii=False), encoding="utf-8")
    hulan("import", "cases", str(folder / "cases.json"), "--tokens", str(folder / "tokens.csv"))
    (token,) = re.findall(r"L-1,.*?([\w-]{43})", (folder / "tokens.csv").read_text(encoding="utf-8-sig"))
    NEEDLES["device token"] = token
    with server_process(database_url, folder) as server:
        knock(server.client, token)
    written.append(server.log.read_text(encoding="utf-8"))
    with (folder / "worker.log").open("wb") as log:
        of_worker = environment | {"HULAN_WORKER_DATABASE_URL": url_as(database_url, Login.WORKER)}
        worker = subprocess.Popen([sys.executable, "-m", "api.cli.main", "worker"], env=of_worker, stderr=log)
        engine = open_engine(database_url)
        try:
            wait_until(lambda: told(engine) is not None, seconds=60)
            text_sent = str(told(engine))
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(timeout=30)
            engine.dispose()
    written.append((folder / "worker.log").read_text(encoding="utf-8"))
    hulan("subject", "view", "L-1", "--purpose", "核查")
    hulan("explain", "FFFFFFFF", "--purpose", "核查")
    return "\n".join(written), text_sent


def told(engine: Engine) -> str | None:
    """The text of the message, once it was sent."""
    with engine.connect() as connection:
        query = "SELECT text FROM notification WHERE state IN ('sent', 'delivered')"
        found: str | None = connection.execute(text(query)).scalar()
        return found


def a_full_case() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "reference": "L-1", "alias": NEEDLES["alias"], "birth_date": "2010-01-01", "name": NEEDLES["name"],
        "id_number": NEEDLES["id number"], "measure": "bail", "location_basis": "order_item",
        "document_number": NEEDLES["document"],
        "deciding_organ": "合成区公安局", "executing_organ": "合成",
        "valid_from": (now - timedelta(days=2)).isoformat(),
        "valid_to": (now + timedelta(days=2)).isoformat(),
        "conditions": [
            {"kind": "exclusion_zone", "label": NEEDLES["zone"], "radius_m": 60,
             "geometry": {"type": "Point", "coordinates": [float(NEEDLES["place"]), float(NEEDLES["latitude"])]}},
        ],
        "recipients": [{"role": "guardian", "name": NEEDLES["guardian"], "phone": NEEDLES["phone"]}],
    }  # fmt: skip


def knock(client: httpx.Client, token: str) -> None:
    """Fixes good and bad, log-ins, sessions and tokens of nobody, and personal data where it does not belong."""
    now = datetime.now(UTC)
    longitude, latitude = float(NEEDLES["place"]), float(NEEDLES["latitude"])
    fixes = [
        {"fixed_at": (now - timedelta(minutes=40 - minute)).isoformat(), "longitude": longitude + 1e-5 * (minute % 3),
         "latitude": latitude, "datum": "WGS84", "accuracy_m": 8, "source": "gps"} for minute in range(39)
    ]  # fmt: skip
    assert client.post("/positions", json={"fixes": fixes}, headers=bearer(token)).json()["stored"] == 39
    client.post("/positions", json={"fixes": [{"longitude": NEEDLES["place"], "datum": NEEDLES["garbage"]}]},
                headers=bearer(token))  # fmt: skip
    client.post("/positions", content=NEEDLES["garbage"].encode(), headers=bearer(token))
    client.post("/positions", json=fixes[0], headers=bearer(NEEDLES["token"]))
    client.post("/session", json={"login_name": NEEDLES["phone"], "password": NEEDLES["password"]})
    client.get("/subjects", headers={"Cookie": f"__Host-hulan={NEEDLES['session']}"})
    client.get("/subjects", headers=bearer(NEEDLES["token"]))
    client.get(f"/subjects/{NEEDLES['id number']}", params={"phone": NEEDLES["phone"], "name": NEEDLES["name"]})


@pytest.mark.slow
def test_no_log_of_the_whole_program_tells_about_a_person(database_url: str, tmp_path: Path) -> None:
    logs, text_sent = a_whole_run(tmp_path, database_url)
    assert len(logs.splitlines()) >= 3, "nothing was logged: this test shows nothing"
    assert NEEDLES["alias"] in text_sent, "nobody was told: this test shows nothing"
    for what, needle in {**NEEDLES, "message": text_sent}.items():
        for spelling in (needle, quote(needle), json.dumps(needle).strip('"')):
            assert spelling not in logs, what


def test_a_line_that_cannot_be_written_is_not_printed_with_its_arguments(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    for name, value in (("handlers", []), ("level", root.level)):
        monkeypatch.setattr(root, name, value)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    configure_logs("warning")
    structlog.reset_defaults()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    stream.close()
    logging.getLogger("urllib3.connectionpool").warning("POST /?PhoneNumbers=%s", "13800000101")
    assert capfd.readouterr().err == ""
