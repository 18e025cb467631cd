"""A small country of cases and accounts, with what nobody may read of a case by mistake: the scene of the matrix tests.

Who may see what is derived here from the scene itself, never by asking the program.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, Engine, make_url, text
from stdnum.iso7064 import mod_11_2

from api.access.accounts import add_division, set_jurisdiction
from api.access.roles import ADMINISTRATORS, OFFICERS, AccountKind, AccountRole, kind_of
from api.case_file import CaseIn
from api.cases import register_case
from api.database import open_engine
from api.ids import new_id, shard_of
from api.inbox import Sender
from geo.datum import Datum
from tests.api.live_server import CHEAP, NOW
from tests.databases import drop_database
from tests.make import EVENING, KEYRING, SECRET, Person, a_bar, log_fixes
from tests.order_rows import add_alert_work
from tracking.fix import Fix, FixSource

PARENT = {
    "province": None,
    "city": "province",
    "district": "city",
    "sibling": "city",
    "town": "district",
    "elsewhere": None,
}
"""Division → the one above it."""

PLACES = ("district", "city", "town", "sibling", "elsewhere", None)
"""Where a case or an officer may belong: own, above, below, beside, another city, nowhere."""

LATER = datetime(2126, 1, 1, tzinfo=UTC)
"""Whoever joins a team then is not on it yet, by any clock of these tests."""


class Team(StrEnum):
    """Which accounts are on the team of a case."""

    ALL = "all"
    NONE = "none"
    LEFT = "left"
    NOT_YET = "not yet"


class Needle(StrEnum):
    """What a text found in an answer is. Each kind has its own rule of who may be shown it."""

    ID = "id"
    KEY = "key"
    ALIAS = "alias"
    PERSON = "person"
    DOCUMENT = "document"
    FINDING = "finding"
    PLACE = "place"
    DEVICE = "device"
    LOOK = "look"
    WORDS = "words"
    EXPORT = "export"
    WORK = "work"


class Thing(StrEnum):
    """What of a case a path may name."""

    CASE = "case"
    ALERT = "alert"
    ORDER = "order"
    EXEMPTION = "exemption"
    LEAVE = "leave"
    VIOLATION = "violation"
    FINDING = "finding"
    TASK = "task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One subject with everything that belongs to the case."""

    name: str
    place: str | None
    team: Team
    is_sealed: bool
    person: Person
    alert_id: UUID
    look_id: UUID
    notice_id: UUID
    things: dict[str, UUID]
    """Of each ``Thing`` the id of the case's own."""
    needles: dict[Needle, tuple[str, ...]]

    @property
    def subject_id(self) -> UUID:
        return self.person.subject_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account. ``is_out``: disabled or expired."""

    name: str
    account_id: UUID
    account_no: int
    roles: frozenset[AccountRole]
    place: str | None
    is_out: bool = False
    needles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All of it, in one database."""

    engine: Engine
    database_url: str
    cases: dict[str, Case]
    accounts: dict[str, Account]
    missing_id: UUID = field(default_factory=new_id)

    def seen_by(self, account: Account | None) -> set[str]:
        """The cases that an account may see."""
        return set() if account is None else {name for name, case in self.cases.items() if may_see(account, case)}


def may_see(account: Account, case: Case) -> bool:
    """The rule: an officer of a division at or above the case's, who leads or is on the team; nobody once sealed."""
    if account.is_out or case.is_sealed or not account.roles & OFFICERS or account.place not in line_of(case.place):
        return False
    return AccountRole.LEADER in account.roles or case.team is Team.ALL


def line_of(place: str | None) -> set[str]:
    """A division and all above it."""
    line: set[str] = set()
    while place is not None:
        line.add(place)
        place = PARENT[place]
    return line


@contextmanager
def a_database(cluster_url: str, name: str) -> Iterator[str]:
    """The URL of a fresh migrated database that lives as long as the block."""
    admin = open_engine(make_url(cluster_url).set(database="postgres").render_as_string(False))
    try:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE hulan"))
            yield make_url(cluster_url).set(database=name).render_as_string(False)
            drop_database(connection, name)
    finally:
        admin.dispose()


def make_scene(engine: Engine, database_url: str) -> Scene:
    """Cases in every place, on and off the team, left, not yet joined, sealed; officers of every role and place."""
    with engine.begin() as connection:
        for code, parent in PARENT.items():
            add_division(connection, code=code, name=f"合成{code}", parent_code=parent)
        a_bar(connection)
        wanted = [(f"{place} {team}", place, team) for place in PLACES for team in (Team.ALL, Team.NONE)]
        wanted += [("left", "district", Team.LEFT), ("not yet", "district", Team.NOT_YET)]
        wanted += [("sealed", "district", Team.ALL)]
        cases = {
            name: _make_case(connection, name, place, team, number)
            for number, (name, place, team) in enumerate(wanted, start=11)
        }
        accounts = {account.name: account for account in _make_accounts(connection)}
        for case in cases.values():
            _join(connection, case, list(accounts.values()))
            _leave_traces(connection, case, accounts)
            _leave_work(connection, case, accounts)
    for case in cases.values():
        log_fixes(engine, case.person, [_fix_of(case)])
    with engine.begin() as connection:
        _seal(connection, cases["sealed"].person.subject_no)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))  # so that there are statistics which could tell something
    return Scene(engine=engine, database_url=database_url, cases=cases, accounts=accounts)


# ---- cases


def _make_case(connection: Connection, name: str, place: str | None, team: Team, number: int) -> Case:
    longitude, latitude = round(117.3 + number / 250, 3), round(34.1 + number / 250, 3)
    subject_name, guardian, alias = f"合成欧阳当事{number}号", f"合成司徒监护{number}号", f"化名{number}号"
    phone, id_number = f"1390000{number:04}", _id_number(number)
    document, label, message = f"合成检〔2026〕{number}号文", f"合成保护点{number}号", f"合成短信正文{number}号"
    case = CaseIn.model_validate(
        {
            "reference": f"M-{number}", "alias": alias, "birth_date": "2010-01-01", "name": subject_name,
            "id_number": id_number, "measure": "bail", "location_basis": "order_item", "document_number": document,
            "deciding_organ": f"合成决定机关{number}号", "executing_organ": f"合成执行机关{number}号",
            "valid_from": "2026-03-01T00:00:00+08:00", "valid_to": "2026-04-01T00:00:00+08:00",
            "conditions": [
                {"kind": "exclusion_zone", "label": label, "radius_m": 50 + number,
                 "geometry": {"type": "Point", "coordinates": [longitude, latitude]}},
            ],
            "recipients": [{"role": "guardian", "name": guardian, "phone": phone}],
        }
    )  # fmt: skip
    done = register_case(connection, case, keyring=KEYRING, secret=SECRET, at=EVENING)
    assert done.token is not None
    if place is not None:
        set_jurisdiction(connection, done.subject_no, place)
    finding, alert_id, notice = _find_something(connection, done.subject_no, message)
    ids = connection.execute(
        text(
            "SELECT order_id, condition_id, recipient_id, device_id FROM supervision_order JOIN condition USING"
            " (order_no) JOIN recipient USING (subject_no) JOIN device USING (subject_no) WHERE subject_no = :no"
        ),
        {"no": done.subject_no},
    ).one()
    things = {thing.value: new_id() for thing in Thing} | {
        Thing.CASE: done.subject_id, Thing.ALERT: alert_id, Thing.ORDER: ids.order_id, Thing.VIOLATION: finding,
    }  # fmt: skip
    sender = Sender(device_id=ids.device_id, subject_no=done.subject_no, shard=shard_of(done.subject_id))
    return Case(
        name=name,
        place=place,
        team=team,
        is_sealed=name == "sealed",
        person=Person(subject_id=done.subject_id, subject_no=done.subject_no, token=done.token, sender=sender),
        alert_id=alert_id,
        look_id=(look_id := new_id()),
        notice_id=(notice_id := new_id()),
        things=things,
        needles={
            Needle.ID: (str(done.subject_id), str(ids.order_id), str(ids.condition_id)),
            Needle.ALIAS: (alias,),
            Needle.KEY: (
                *(str(item) for item in (ids.recipient_id, ids.device_id, finding, alert_id, notice)),
                *(str(things[thing]) for thing in (Thing.EXEMPTION, Thing.LEAVE, Thing.FINDING, Thing.TASK)),
            ),
            Needle.WORK: (f"合成事由{number}号",),
            Needle.PERSON: (subject_name, id_number, guardian, phone),
            Needle.DOCUMENT: (document, f"合成决定机关{number}号", f"合成执行机关{number}号"),
            Needle.FINDING: (message,),
            Needle.PLACE: (label, f"{longitude:.3f}", f"{longitude + 0.001:.3f}"),
            Needle.DEVICE: (done.token,),
            Needle.LOOK: (str(look_id), str(broken_look_of(look_id)), str(notice_id)),
            Needle.WORDS: (f"合成查阅理由{number}号",),
            Needle.EXPORT: (str(export_of(look_id)), f"合成导出人{number}号"),
        },
    )


def _id_number(number: int) -> str:
    body = f"32030320100101{number:03}"
    return body + mod_11_2.calc_check_digit(body)


def _fix_of(case: Case) -> Fix:
    """Somewhere that no other case is."""
    longitude = float(case.needles[Needle.PLACE][2])
    return Fix(
        fixed_at=EVENING,
        longitude=longitude + 0.0004,
        latitude=longitude - 83.0,
        datum=Datum.WGS84,
        accuracy_m=10.0,
        source=FixSource.GPS,
        received_at=EVENING,
    )


def _find_something(connection: Connection, subject_no: int, message: str) -> tuple[UUID, UUID, UUID]:
    """An episode with a violation, an alert and a message."""
    values = {"no": subject_no, "finding": new_id(), "alert": new_id(), "notice": new_id(), "at": EVENING}
    values["message"] = message
    of_order = "FROM condition c JOIN supervision_order o USING (order_no) JOIN zone z USING (zone_id)"
    of_order += " WHERE o.subject_no = :no LIMIT 1"
    for statement in (
        "INSERT INTO episode (episode_id, subject_no, condition_no, zone_no, tier, started_at, last_inside_at,"
        " possible_at, peak_probability, fix_count, is_entry, is_undecidable, is_crossing)"
        f" SELECT :finding, :no, condition_no, zone_no, 'probable', :at, :at, :at, 1, 1, true, false, false {of_order}",
        "INSERT INTO violation (violation_id, episode_id, subject_no, order_no, condition_no, zone_no, kind,"
        " started_at, decided_at, known_at, probability, engine_version, policy_version) SELECT :finding, :finding,"
        f" :no, o.order_no, condition_no, zone_no, 'exclusion_zone', :at, :at, :at, 1, 'e', 'p' {of_order}",
        "INSERT INTO alert (alert_id, subject_no, kind, state, opened_at, last_event_at, is_late)"
        " VALUES (:alert, :no, 'exclusion_zone', 'open', :at, :at, false)",
        "INSERT INTO alert_violation VALUES (:alert, :finding)",
        "INSERT INTO notification (notification_id, alert_id, recipient_id, role, template, text, decided_at,"
        " known_at) SELECT :notice, :alert, recipient_id, role, 't', :message, :at, :at FROM recipient"
        " WHERE subject_no = :no",
    ):
        connection.execute(text(statement), values)
    return values["finding"], values["alert"], values["notice"]  # type: ignore[return-value] # ids among other values


def broken_look_of(look_id: UUID) -> UUID:
    """The look by broken glass beside the one that waits."""
    return UUID(int=look_id.int ^ 1)


def export_of(look_id: UUID) -> UUID:
    """The export that was made under the broken glass."""
    return UUID(int=look_id.int ^ 2)


ASKER = "scapegoat"
"""Of every case somebody, whether they may see it or not (any more), once asked for a look, and took something out."""


def _leave_traces(connection: Connection, case: Case, accounts: dict[str, Account]) -> None:
    """A look that waits for a leader, one by broken glass with its notice, and an export."""
    asker = accounts[ASKER]
    values = {
        "no": case.person.subject_no, "asker": asker.account_no, "asker_id": asker.account_id, "at": EVENING,
        "look": case.look_id, "broken": broken_look_of(case.look_id), "notice": case.notice_id,
        "export": export_of(case.look_id), "words": case.needles[Needle.WORDS][0], "alert": case.alert_id,
        "made_by": case.needles[Needle.EXPORT][1],
    }  # fmt: skip
    for statement in (
        "INSERT INTO look (look_id, account_no, subject_no, kind, purpose_code, purpose, needs_approval,"
        " is_break_glass, ends_at) VALUES (:look, :asker, :no, 'person', 'other', :words, true, false,"
        " now() + interval '20 hours')",
        "INSERT INTO look (look_id, account_no, subject_no, kind, purpose_code, purpose, asked_at, from_at, to_at,"
        " needs_approval, is_break_glass, ends_at) VALUES (:broken, :asker, :no, 'evidence', 'emergency',"
        " :words || ' 家属报警求助', :at, :at, now(), true, true, CAST(:at AS timestamptz) + interval '20 minutes')",
        "INSERT INTO notice (notice_id, kind, look_id, account_no, account_id, subject_no)"
        " VALUES (:notice, 'break_glass', :broken, :asker, :asker_id, :no)",
        "INSERT INTO export_run (export_id, kind, account_no, made_by, subject_no, alert_id, look_id, is_approved,"
        " track_rows, lodging_rows, manifest_hash) VALUES (:export, 'evidence', :asker, :made_by, :no, :alert,"
        " :broken, false, 1, 0, sha256('x'))",
    ):
        connection.execute(text(statement), values)


def _leave_work(connection: Connection, case: Case, accounts: dict[str, Account]) -> None:
    """A leave with one organ's answer, an exemption, a finding, a check-in, a task, a decision."""
    values = {
        "no": case.person.subject_no, "by": accounts[ASKER].account_no, "at": EVENING, "spare": new_id(),
        "words": case.needles[Needle.WORK][0], "order_id": case.things[Thing.ORDER],
    }  # fmt: skip
    values |= {thing.value: case.things[thing] for thing in Thing}
    of_order = "FROM supervision_order WHERE order_id = :order_id"
    later = "CAST(:at AS timestamptz) + interval '1 day'"
    for statement in (
        "INSERT INTO leave (leave_id, subject_no, order_no, reason, destination, route, transport, from_at, to_at,"
        " state, is_urgent, requested_at, requested_by, papers_at) SELECT :leave, :no, order_no, :words, :words,"
        f" :words, :words, :at, {later}, 'requested', false, :at, :by, :at {of_order}",
        "INSERT INTO leave_approval (approval_id, leave_no, subject_no, organ, account_no, decided_at, is_approved,"
        " remark) SELECT :spare, leave_no, :no, 'police', :by, :at, true, :words FROM leave WHERE leave_id = :leave",
        "INSERT INTO exemption (exemption_id, subject_no, geometry, kind, approver, reason, valid_from, valid_to,"
        " recorded_at) VALUES (:exemption, :no, ST_Buffer(ST_SetSRID(ST_MakePoint(117.0, 34.0), 4326), 0.0001),"
        f" 'home', :by, :words, :at, {later}, :at)",
        "INSERT INTO finding (finding_id, subject_no, order_no, kind, started_at, decided_at, known_at,"
        " engine_version, policy_version)"
        f" SELECT :finding, :no, order_no, 'silence', :at, :at, :at, 'e', 'p' {of_order}",
        "INSERT INTO check_in (check_in_id, subject_no, kind, opens_at, due_at, state)"
        f" VALUES (:spare, :no, 'asked', :at, {later}, 'open')",
        "INSERT INTO task (task_id, kind, subject_no, order_no, due_at, opened_at)"
        f" SELECT :task, 'review', :no, order_no, :at, :at {of_order}",
        "INSERT INTO decision (decision_id, subject_no, finding_id, account_no, outcome, reason_code, remark,"
        " decided_at) VALUES (:spare, :no, :finding, :by, 'dismissed', 'position_error', :words, :at)",
    ):
        connection.execute(text(statement), values)
    add_alert_work(connection, case.person.subject_no, finding_id=case.things[Thing.FINDING], keyring=KEYRING)


def _seal(connection: Connection, subject_no: int) -> None:
    """Only the mark, so that whatever sealing also takes away is still there to be leaked."""
    marked = "sealed_at = :at, sealing_ground = 'sentence', id_number_index = NULL"
    connection.execute(text(f"UPDATE subject SET {marked} WHERE subject_no = :no"), {"at": NOW, "no": subject_no})


# ---- accounts


def _make_accounts(connection: Connection) -> Iterator[Account]:
    password_hash = CHEAP.hash("a password that nobody logs in with")
    leader = frozenset({AccountRole.LEADER})

    def made(
        name: str, roles: frozenset[AccountRole], place: str | None = "district", *, is_out: bool = False
    ) -> Account:
        return _make_account(connection, name, roles, place, password_hash, is_out=is_out)

    for role in sorted(OFFICERS):
        for place in PLACES:
            yield made(f"{role} of {place}", frozenset({role}), place)
    for role in sorted(ADMINISTRATORS):
        yield made(str(role), frozenset({role}), None)
    yield made("two roles", frozenset({AccountRole.LEADER, AccountRole.POLICE}))
    yield made("no role", frozenset())
    yield made("without second factor", leader)
    yield made("with first password", leader)
    yield made("disabled", leader, is_out=True)
    yield made("expired", leader, is_out=True)
    yield made("scapegoat", leader)
    changes = {
        "without second factor": "totp_confirmed_at = NULL",
        "with first password": "password_expires_at = :later",
        "disabled": "disabled_at = :past",
        "expired": "expires_at = :past",
    }
    for name, change in changes.items():
        connection.execute(
            text(f"UPDATE account SET {change} WHERE login_name = :login_name"),
            {"login_name": _login_name(name), "past": EVENING, "later": NOW + timedelta(days=1)},
        )


def _login_name(name: str) -> str:
    return f"login-{name.replace(' ', '-').replace('_', '-')}"


def _make_account(
    connection: Connection,
    name: str,
    roles: frozenset[AccountRole],
    place: str | None,
    password_hash: str,
    *,
    is_out: bool,
) -> Account:
    """A row as ``create_account`` makes it, with one password for all: hashing costs half a second each."""
    account_id = new_id()
    kinds = {kind_of(role) for role in roles} or {AccountKind.OFFICER}
    values = {
        "id": account_id, "kind": next(iter(kinds)), "login": _login_name(name), "staff": f"staff-{_login_name(name)}",
        "place": place, "hash": password_hash, "at": EVENING,
    }  # fmt: skip
    account_no = connection.execute(
        text(
            "INSERT INTO account (account_id, kind, login_name, staff_number, display_name, division_no, password_hash,"
            " totp_secret, totp_confirmed_at, created_at) SELECT :id, :kind, :login, :staff, '合成',"
            " (SELECT division_no FROM division WHERE code = :place), :hash, 'sealed', :at, :at RETURNING account_no"
        ),
        values,
    ).scalar_one()
    for role in roles:
        connection.execute(
            text("INSERT INTO account_role (account_no, role, kind, granted_at) VALUES (:no, :role, :kind, :at)"),
            values | {"no": account_no, "role": role},
        )
    return Account(
        name=name,
        account_id=account_id,
        account_no=account_no,
        roles=roles,
        place=place,
        is_out=is_out,
        needles=(str(account_id), f"staff-{_login_name(name)}"),
    )


def _join(connection: Connection, case: Case, accounts: list[Account]) -> None:
    """Put every account on the team, administrators too: even by mistake it must not show them anything."""
    if case.team is Team.NONE:
        return
    joined_at, left_at = (LATER, None) if case.team is Team.NOT_YET else (EVENING, None)
    if case.team is Team.LEFT:
        left_at = NOW
    connection.execute(
        text("INSERT INTO case_member (subject_no, account_no, joined_at, left_at) VALUES (:no, :account, :at, :left)"),
        [
            {"no": case.person.subject_no, "account": account.account_no, "at": joined_at, "left": left_at}
            for account in accounts
        ],
    )
