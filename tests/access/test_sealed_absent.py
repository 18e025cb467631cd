"""A sealed person is absent: from every route, command, map and log, and from every row the application's role sees.

Everything is searched before the sealing too, and there each of the words is found: the search can fail.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import httpx
import pytest
import structlog
import typer.main
from pypdf import PdfReader
from sqlalchemy import Connection, Engine, RowMapping, text
from typer.testing import CliRunner, Result

from alerts.gateway import FakeGateway
from api.access.accounts import join_case
from api.access.caller import APPLICATION_ROLE, as_account
from api.access.policy import policies_of
from api.access.roles import AccountRole
from api.app import create_app
from api.cli.whole import app as command_line
from api.clock import FixedClock
from api.ids import subject_id_for
from api.look_policy import LookWish, Purpose, SightKind
from api.looks import ask_look, decide_look
from api.personal.fields import SEALED_TABLES, open_field
from api.personal.masking import masked_address, masked_id_number, masked_phone
from tests.access.people import Browser, Official, a_browser, another, official_in
from tests.api.live_server import NOW, as_json, post
from tests.api.test_cli import hulan
from tests.evidence.scene import PACKING
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING, KEYRING, KEYRING_PATH, SECRET, a_fix, a_worker
from tests.personal.records_scene import (
    ADDRESS,
    ALIAS,
    BASIS,
    CITY,
    DOCUMENT,
    GUARDIAN,
    ID_NUMBER,
    NAME,
    PHONE,
    REFERENCE,
    Office,
    an_office,
)
from tests.personal.scene import a_message

SHOWN = (ALIAS, DOCUMENT, masked_phone(PHONE), masked_id_number(ID_NUMBER), masked_address(ADDRESS))
CLEAR = (NAME, ID_NUMBER, ADDRESS, GUARDIAN, PHONE)
STRANGER = "不存在的编号"
NOBODY = UUID(int=7)
WORDS = "合成查阅理由：家属报警求助"

SHOWS_PEOPLE = {
    "outbox list", "outbox show", "outbox retry",
    "explain", "fsck", "audit show", "audit verify", "device reissue", "device revoke", "team join", "team leave",
    "import cases", "import fixes", "import incidents", "map venues", "keys list", "retention", "seal record",
    "seal shred", "subject view", "evidence make", "audit notices",
    "order list", "order show", "order lift", "exemption list", "exemption grant", "exemption revoke",
    "leave list", "leave ask", "leave answer", "leave close", "suspected list", "suspected decide",
    "suspected departures", "suspected report", "recipient tell", "recipient block", "task list", "task done",
    "alert list", "alert show", "alert ack", "alert close", "alert reopen",
}  # fmt: skip
"""Commands that read people of the database. Those that can show one are run below; the others count, or look one up
by ``open_subject``."""

SHOWS_NOBODY = {
    "up", "serve", "worker", "migrate", "replay", "simulate", "quality", "demo", "keys new", "keys rotate",
    "keys destroy", "audit checkpoint", "import venues", "import sites", "import zones", "import boundaries",
    "account create-admin", "account create", "account disable", "account unlock", "account reset-totp",
    "account link-oidc", "account unlink-oidc", "evidence verify", "token create", "token list", "token revoke",
    "division add", "calendar show", "calendar import", "texts lint", "texts show", "alert policy",
    "alert metrics", "roster add", "roster list", "roster absence",
    "roster revoke",
    "venue import", "venue resolve", "venue registers",
    "venue list", "venue show", "venue review list", "venue confirm", "venue refuse",
    "venue split", "venue merge", "venue undo", "venue observe", "import doors",
    "import gates", "distance evaluate", "distance list", "distance changes", "distance show", "distance rules",
    "distance report", "distance verify", "distance gate", "lead list", "lead show", "lead check", "lead dismiss",
    "lead open", "lead consult",
    "lead recommend", "lead deliver", "lead reply", "lead recheck", "lead open-case", "lead close", "lead reopen",
    "lead recommendation", "lead statistics",
}  # fmt: skip
"""Processes, files without a database, accounts, places."""


def commands_of(group: Any, path: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{path}{name} ")
        else:
            yield f"{path}{name}"


def test_every_command_is_known_to_show_people_or_not_to() -> None:
    """A new command is put in one of the two sets, and run in this file if it shows people."""
    found = set(commands_of(typer.main.get_command(command_line)))
    assert found == SHOWS_PEOPLE | SHOWS_NOBODY
    assert not SHOWS_PEOPLE & SHOWS_NOBODY


READS_SEALED_PEOPLE_TOO = {
    "api/audit.py", "api/cases.py", "api/engine_state.py", "api/fix_log.py", "api/fsck.py", "api/inbox.py",
    "api/personal/fields.py", "api/records/sealing.py", "api/records/unsealing.py", "api/rule_edits.py",
    "api/explaining.py", "api/routes/subjects.py", "tracking/store.py", "api/evidence/case.py",
    "api/exporting/handing_out.py", "api/exporting/runs.py", "api/looks.py", "api/notices.py", "api/routes/looks.py",
    "api/routes/person.py", "api/subject_view.py",
    "alerts/failover_store.py", "api/calendars.py", "api/casework/leaves.py", "api/casework/tasks.py",
    "api/desk/alerts.py", "api/desk/letters.py", "api/desk/stream.py",
    "api/casework/case_files.py", "api/casework/care.py",
}  # fmt: skip
"""They evaluate, seal, mask, begin from somebody who is not sealed, or read as the application's role."""


def test_who_reads_the_table_of_subjects_and_not_the_view_is_known() -> None:
    root = Path(__file__).resolve().parents[2]
    found = {
        str(path.relative_to(root))
        for package in ("api", "alerts", "tracking", "maps", "venues")
        for path in (root / package).rglob("*.py")
        if "migrations" not in path.parts and "demo" not in path.parts
        and re.search(r"(FROM|JOIN) subject\b", path.read_text(encoding="utf-8"))
    }  # fmt: skip
    assert found == READS_SEALED_PEOPLE_TOO, "read open_subject, or say here why not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What there is to ask, and who asks."""

    engine: Engine
    database_url: str
    folder: Path
    office: Office
    browsers: Mapping[str, Browser]
    officials: Mapping[str, Official]
    alert_id: UUID
    ids: tuple[str, ...]
    """Whatever of the person has an id of its own."""
    longitude: str
    """Of a fix, on the way to the bar."""
    looks: Mapping[str, UUID]
    """The member's open looks at the person, by kind, one of them by broken glass."""

    @property
    def needles(self) -> tuple[str, ...]:
        looks = tuple(map(str, self.looks.values()))
        return (str(self.office.person.subject_id), *SHOWN, *CLEAR, WORDS, self.longitude, *looks)


ROLES = {
    "leader": AccountRole.LEADER,
    "member": AccountRole.PROSECUTOR,
    "audit": AccountRole.AUDIT_ADMINISTRATOR,
    "security": AccountRole.SECURITY_ADMINISTRATOR,
}


@pytest.fixture
def place(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[Place]:
    office = an_office(engine, KEYRING)
    officials = {name: official_in(engine, f"x-{name}", role, division=CITY) for name, role in ROLES.items()}
    with engine.begin() as connection:
        join_case(connection, office.person.subject_no, officials["member"].account_no, now=EVENING)
        a_message(connection, office.person.subject_no)  # one that waits
        alert_id = connection.execute(
            text("SELECT alert_id FROM alert JOIN alert_violation USING (alert_id) WHERE subject_no = :no"),
            {"no": office.person.subject_no},
        ).scalar_one()
        ids = tuple(ids_of(connection, office.person.subject_no))
        query = text("SELECT max(longitude) FROM fix WHERE subject_no = :no")
        longitude = str(connection.execute(query, {"no": office.person.subject_no}).scalar_one())
    register_venue(tmp_path, database_url)
    looks = looks_at(engine, office, officials)
    with a_browser(database_url, packing=PACKING) as first:
        browsers = {name: another(first, f"198.51.100.{number}") for number, name in enumerate(ROLES, start=20)}
        for name, browser in browsers.items():
            browser.log_in(officials[name])
        yield Place(
            engine=engine, database_url=database_url, folder=tmp_path, office=office, browsers=browsers,
            officials=officials, alert_id=alert_id, ids=ids, looks=looks,
            longitude=longitude,
        )  # fmt: skip


def looks_at(engine: Engine, office: Office, officials: Mapping[str, Official]) -> dict[str, UUID]:
    """Looks of each kind that the member asked for and the leader approved, and one by broken glass."""
    looks = {}
    for name in (*SightKind, "broken"):
        has_span = name is not SightKind.PERSON
        wish = LookWish(
            kind=SightKind.TRACK if name == "broken" else SightKind(name),
            purpose_code=Purpose.EMERGENCY,
            purpose=WORDS,
            is_break_glass=name == "broken",
            from_at=EVENING - timedelta(days=3) if has_span else None,
            to_at=EVENING + timedelta(hours=3) if has_span else None,
        )
        with as_account(engine, officials["member"].account_id) as connection:
            look = ask_look(connection, wish, subject_no=office.person.subject_no)
        if look.is_waiting:
            with as_account(engine, officials["leader"].account_id) as connection:
                decide_look(connection, look.look_id, account_no=officials["leader"].account_no, is_approved=True)
        looks[str(name)] = look.look_id
    return looks


def register_venue(folder: Path, database_url: str) -> None:
    """The bar with a case in it, for the map."""
    venues, incidents = folder / "venues.csv", folder / "incidents.csv"
    head = "id,name,category,longitude,latitude,datum\n"
    venues.write_text(f"{head}1,合成酒吧,bar,{BAR_LONGITUDE},{BAR_LATITUDE},WGS84\n", encoding="utf-8")
    head = "source_id,venue_source,venue_source_id,kind,occurred_at,involves_minor\n"
    incidents.write_text(f"{head}J1,venues,1,刑事案件,2026-03-01T22:30:00,是\n", encoding="utf-8")
    for words in (("venues", str(venues), "--mapping", "hulan"), ("incidents", str(incidents))):
        done = run(folder, database_url, "import", *words)
        assert "1" in done.output, done.output


def run(folder: Path, database_url: str, *words: str) -> Result:
    """The command line within this process: starting one for each would take minutes."""
    environment = {
        "HULAN_DATA_DIR": str(folder),
        "HULAN_KEYRING": str(KEYRING_PATH),
        "HULAN_SECRET_KEY": "a secret only of this test",
        "HULAN_DATABASE_URL": database_url,
    }
    before = structlog.get_config()
    try:
        return CliRunner().invoke(command_line, list(words), env=environment)
    finally:
        structlog.configure(**before)  # a command's log goes to a stream that is closed now


# ---- what is searched


def search(place: Place) -> dict[str, str]:
    """Everything there is to be read, by where; of the log what was given to it, before anything is withheld."""
    gateway = FakeGateway()
    with structlog.testing.capture_logs() as lines:
        found = dict(under_looks(place)) | dict(over_http(place))
        found |= dict(on_the_command_line(place)) | dict(in_sql(place))
        a_worker(place.engine, gateway, keyring=KEYRING).drain()
    return found | {"gateway": str([(message.address, message.text) for message in gateway.sent]), "log": str(lines)}


def over_http(place: Place) -> Iterator[tuple[str, str]]:
    """Every GET route, with every id there is in the place of every parameter, asked by everybody."""
    app = create_app(engine=place.engine, secret=SECRET, clock=FixedClock(NOW), keyring=KEYRING)
    ids = [*place.ids, str(NOBODY)]
    for name in policies_of(app):
        method, path = name.split(" ", 1)
        if method != "GET":
            continue
        parts = path.split("/")
        gaps = [part for part in parts if part.startswith("{")]
        for values in product(ids, repeat=len(gaps)):
            fill = iter(values)
            filled = "/".join(next(fill) if part.startswith("{") else part for part in parts)
            for who, browser in place.browsers.items():
                answer = browser.ask(
                    "GET", filled, params={"purpose": "核查警报", "purpose_code": "case", "follow": "false"}
                )
                yield f"GET {filled} as {who}", f"{answer.status_code} {answer.text}"


def under_looks(place: Place) -> Iterator[tuple[str, str]]:
    """What each of the member's looks opens, asked by everybody: track, person, export, evidence."""
    subject = f"/subjects/{place.office.person.subject_id}"
    for (kind, look_id), (who, browser) in product(place.looks.items(), place.browsers.items()):
        for method, path, body in (
            ("GET", f"{subject}/track", None),
            ("GET", f"{subject}/person", None),
            ("POST", f"{subject}/exports", {"format": "csv"}),
            ("POST", f"/alerts/{place.alert_id}/evidence", None),
        ):
            answer = browser.ask(method, path, headers={"X-Look": str(look_id)}, json=body)
            yield f"{method} {path} under {kind} as {who}", f"{answer.status_code} {content_of(answer)}"


def content_of(answer: httpx.Response) -> str:
    """What an answer holds, that of a ZIP as text, its pages too."""
    if answer.headers.get("content-type") != "application/zip":
        return answer.text
    return unpacked(answer.content)


def unpacked(content: bytes) -> str:
    with ZipFile(BytesIO(content)) as pack:
        members = {name: pack.read(name) for name in pack.namelist()}
    return "\n".join(
        "".join(page.extract_text() for page in PdfReader(BytesIO(member)).pages)
        if name.endswith(".pdf") else member.decode("utf-8", "replace")
        for name, member in members.items()
    )  # fmt: skip


def ids_of(connection: Connection, subject_no: int) -> Iterator[str]:
    for query in (
        "SELECT subject_id FROM subject WHERE subject_no = :no",
        "SELECT alert_id FROM alert WHERE subject_no = :no",
        "SELECT violation_id FROM violation WHERE subject_no = :no",
        "SELECT order_id FROM supervision_order WHERE subject_no = :no",
    ):
        yield from map(str, connection.execute(text(query), {"no": subject_no}).scalars())


def on_the_command_line(place: Place) -> Iterator[tuple[str, str]]:
    page = place.folder / "map.html"
    for words in (
        ("explain", str(place.alert_id), "--purpose", "核查警报"),
        ("explain", str(place.alert_id)[-8:], "--purpose", "核查警报"),
        ("audit", "show", "--last", "1000"),
        ("audit", "verify", "--json"),
        ("fsck", "--json"),
        ("keys", "list"),
        ("subject", "view", REFERENCE, "--purpose", "本人查阅"),
        ("subject", "view", REFERENCE, "--purpose", "本人查阅", "--words", "--json"),
        ("audit", "notices"),
        ("alert", "list", "--by", "x-member"),
        ("alert", "show", str(place.alert_id), "--by", "x-member"),
        (
            "suspected",
            "report",
            REFERENCE,
            "--seen-at",
            "2026-03-02T22:00",
            "--place",
            "合成旅馆",
            "--adult-unknown",
            "--by",
            "x-member",
        ),
        ("evidence", "make", str(place.alert_id), "--purpose", "移送", "--out", str(place.folder / "evidence.zip")),
        ("map", "venues", "--out", str(page), "--as-of", "2026-03-22"),
    ):
        yield "hulan " + " ".join(words), run(place.folder, place.database_url, *words).output
    made = place.folder / "evidence.zip"
    yield "evidence.zip", unpacked(made.read_bytes()) if made.exists() else ""
    made.unlink(missing_ok=True)
    assert "合成酒吧" in page.read_text(encoding="utf-8")
    yield "map.html", page.read_text(encoding="utf-8")


def in_sql(place: Place) -> Iterator[tuple[str, str]]:
    """Every row of every table that the application's role sees for an account, the fields in it opened."""
    for who, official in place.officials.items():
        with as_account(place.engine, official.account_id) as connection:
            rows = connection.execute(
                text(
                    "SELECT c.relname, string_agg(quote_ident(a.attname), ', ') AS columns FROM pg_class c"
                    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
                    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
                    " AND c.relname NOT IN ('spatial_ref_sys', 'geometry_columns', 'geography_columns')"
                    " AND has_column_privilege(:role, c.oid, a.attnum, 'SELECT') GROUP BY c.relname"
                ),
                {"role": APPLICATION_ROLE},
            ).all()
            for table, columns in rows:
                seen = connection.execute(text(f"SELECT {columns} FROM {table}")).mappings().all()
                opened = [field for row in seen for field in opened_fields(table, row)]
                yield f"SQL {table} as {who}", str([dict(row) for row in seen]) + str(opened)


def opened_fields(table: str, row: RowMapping) -> Iterator[str]:
    for sealed in (item for item in SEALED_TABLES if item.table == table):
        for column in sealed.columns:
            if row[column] is not None:
                place = {"table": table, "column": column, "row_id": row[sealed.row_id]}
                yield open_field(KEYRING, row[column], key_id=row["key_id"], **place)


def rows_of(place: Place) -> dict[str, int]:
    """Rows of the person that the application's role sees for the member, who sees nobody else, by table."""
    with as_account(place.engine, place.officials["member"].account_id) as connection:
        tables = (
            "subject", "recipient", "supervision_order", "condition", "episode", "violation", "alert",
            "alert_violation", "notification", "subject_jurisdiction", "case_member", "look", "export_run", "fix",
            "zone", "order_in_force",
        )  # fmt: skip
        return {table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables}


# ---- the test


@pytest.mark.slow
def test_a_sealed_person_is_absent(place: Place) -> None:
    before = search(place)
    for needle in place.needles:
        assert any(needle in content for content in before.values()), f"{needle} is nowhere: the search finds nothing"
    assert min(rows_of(place).values()) >= 1
    subject_id = place.office.person.subject_id
    for kind in (
        "GET /subjects as", f"GET /subjects/{subject_id} as", "hulan explain", "SQL recipient", "gateway",
        f"GET /subjects/{subject_id}/lookers", "GET /looks", "GET /exports", "GET /audit/notices", "hulan subject view",
        "hulan audit notices", "evidence.zip", "SQL look", "SQL notice", "SQL export_run", "SQL fix",
        f"GET /subjects/{subject_id}/track under track as member",
        f"GET /subjects/{subject_id}/track under broken as member",
        f"GET /subjects/{subject_id}/person under person as member",
        f"POST /subjects/{subject_id}/exports under export as member",
        f"POST /alerts/{place.alert_id}/evidence under evidence as member",
    ):  # fmt: skip
        finds = [
            where for where, content in before.items()
            if where.startswith(kind) and any(needle in content for needle in place.needles)
        ]  # fmt: skip
        assert finds, f"{kind} should have shown the person"
    with place.engine.begin() as connection:
        a_message(connection, place.office.person.subject_no)  # one that waits
    body = {"ground": "non_prosecution", "ground_text": BASIS.ground_text, "document_number": BASIS.document_number}
    sealing = place.browsers["member"].ask("POST", f"/subjects/{subject_id}/seal", json=body)
    assert sealing.status_code == 200, sealing.text
    after = search(place)
    assert before.keys() <= after.keys()
    leaks = {where: needle for where, content in after.items() for needle in place.needles if needle in content}
    assert leaks == {}
    assert set(rows_of(place).values()) == {0}
    check_like_a_stranger(place)
    check_refused(place)


def check_like_a_stranger(place: Place) -> None:
    """Asked for by name, the answer is that for somebody who never was."""
    known, unknown = str(place.office.person.subject_id), str(NOBODY)
    for browser in place.browsers.values():
        answers = [browser.ask("GET", f"/subjects/{subject_id}") for subject_id in (known, unknown)]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].content == answers[1].content
    assert place.browsers["member"].ask("GET", f"/subjects/{known}").status_code == 404
    for words in (
        ("fsck", "--subject", REFERENCE),
        ("audit", "show", "--subject", REFERENCE),
        ("device", "reissue", known),
        ("explain", str(place.alert_id), "--purpose", "核查警报"),
        ("seal", REFERENCE, "--ground", "non_prosecution", "--document", "x", "--by", "x-leader"),
    ):
        told = told_of(place, words)
        swapped = {REFERENCE: STRANGER, known: unknown, str(place.alert_id): unknown}
        assert told == told_of(place, tuple(swapped.get(word, word) for word in words)), words


def told_of(place: Place, words: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and output, without what was typed."""
    if words[0] in {"device", "seal"}:  # sets up logs for the whole process
        done = hulan(*words, data_dir=place.folder, database_url=place.database_url)
        code, told = done.returncode, done.stdout + done.stderr
    else:
        result = run(place.folder, place.database_url, *words)
        code, told = result.exit_code, result.output
    for word in words:
        told = told.replace(str(subject_id_for(word)), "X").replace(word, "X")
    assert code != 0
    return code, told


def check_refused(place: Place) -> None:
    """Nothing comes in for the person either."""
    assert (
        post(place.browsers["member"].client, place.office.person.token, as_json(a_fix(minutes=59))).status_code == 401
    )
    track = place.folder / "track.csv"
    head = "subject_id,fixed_at,longitude,latitude,datum,accuracy_m\n"
    track.write_text(f"{head}{REFERENCE},2026-03-20T22:30:00+08:00,117.2,34.26,WGS84,10\n", encoding="utf-8")
    assert "added: 0" in run(place.folder, place.database_url, "import", "fixes", str(track)).output
    case = {
        "reference": REFERENCE, "alias": "新名", "birth_date": "2010-01-01", "measure": "bail",
        "document_number": "合成〔2026〕8号", "deciding_organ": "合成区公安局", "executing_organ": "合成",
        "valid_from": "2026-03-01T00:00:00+08:00", "valid_to": "2026-04-01T00:00:00+08:00",
        "conditions": [{"kind": "excluded_categories", "categories": ["bar"]}],
    }  # fmt: skip
    file = place.folder / "cases.json"
    file.write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    tokens = place.folder / "tokens.csv"
    run(place.folder, place.database_url, "import", "cases", str(file), "--tokens", str(tokens))
    assert not tokens.exists() or REFERENCE not in tokens.read_text(encoding="utf-8")
    with place.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM subject WHERE alias = '新名'")).scalar_one() == 0
