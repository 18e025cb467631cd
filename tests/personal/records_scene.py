"""A person with a visit, findings and messages, and officers, for tests of sealed records."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from alerts.gateway import FakeGateway
from api.access.accounts import add_division, join_case, set_jurisdiction
from api.access.roles import AccountRole
from api.devices import devices_of
from api.ids import new_id
from api.personal.keyring import Keyring
from api.records.grounds import SealingGround
from api.records.sealing import Basis, SealedRecord, seal_record
from tests.make import EVENING, Person, a_bar, a_visit, a_worker, log_fixes
from tests.order_rows import add_order_work
from tests.personal.scene import register

NOW = EVENING + timedelta(hours=2)
REFERENCE, ALIAS, DOCUMENT = "封777", "合成小封", "合成检不诉〔2026〕777号"
NAME, ID_NUMBER, ADDRESS = "合成欧阳封雪", "11010519491231002X", "合成省合成市封存路七号"
GUARDIAN, PHONE = "合成司徒封建", "13800000777"
CONTACT = "合成途中电话 13800000778"
BASIS = Basis(ground=SealingGround.NON_PROSECUTION, ground_text="不起诉决定生效", document_number="合成检封〔2026〕9号")
CITY = "320300"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Two people of one city; a prosecutor on the first one's team, police on it too, and two leaders."""

    person: Person
    other: Person
    prosecutor: UUID
    police: UUID
    leader: UUID
    second_leader: UUID


def an_office(engine: Engine, keyring: Keyring, *, is_evaluated: bool = True) -> Office:
    """Both have visited the bar; unless said otherwise it is evaluated and the guardians were told."""
    with engine.begin() as connection:
        a_bar(connection)
        add_division(connection, code=CITY, name="合成市", parent_code=None)
        person = _person(
            connection, keyring, 777, reference=REFERENCE, alias=ALIAS, document_number=DOCUMENT, name=NAME,
            id_number=ID_NUMBER, address=ADDRESS, recipients=[{"role": "guardian", "name": GUARDIAN, "phone": PHONE}],
            conditions=[
                {"kind": "excluded_categories", "categories": ["bar"]},
                {"kind": "exclusion_zone", "geometry": {"type": "Point", "coordinates": [117.5, 34.5]}, "radius_m": 50},
            ],
        )  # fmt: skip
        other = _person(connection, keyring, 1)
        roles = {
            "prosecutor": AccountRole.PROSECUTOR,
            "police": AccountRole.POLICE,
            "leader": AccountRole.LEADER,
            "second_leader": AccountRole.LEADER,
        }
        accounts = {name: an_officer(connection, name, role) for name, role in roles.items()}
        for name in ("prosecutor", "police"):
            join_case(connection, person.subject_no, number_of(connection, accounts[name]), now=EVENING)
        prosecutor = number_of(connection, accounts["prosecutor"])
        add_order_work(connection, person.subject_no, account_no=prosecutor, keyring=keyring, contact=CONTACT)
    for someone in (person, other):
        log_fixes(engine, someone, a_visit())
    if is_evaluated:
        gateway = FakeGateway()
        a_worker(engine, gateway, keyring=keyring).drain()
        assert len(gateway.sent) == 2
    return Office(person=person, other=other, **accounts)


def _person(connection: Connection, keyring: Keyring, number: int, **changes: object) -> Person:
    made = register(connection, number, keyring, **changes)
    set_jurisdiction(connection, made.subject_no, CITY)
    assert made.token is not None
    sender = devices_of(connection, [made.subject_id])[made.subject_id]
    return Person(subject_id=made.subject_id, subject_no=made.subject_no, token=made.token, sender=sender)


def an_officer(connection: Connection, name: str, role: AccountRole, *, division: str = CITY) -> UUID:
    """An account that nobody can log in to: no password was hashed for it."""
    account_id = new_id()
    connection.execute(
        text(
            "WITH made AS (INSERT INTO account (account_id, kind, login_name, staff_number, display_name, division_no,"
            " password_hash, created_at) SELECT :id, 'officer', :name, :name, '合成人员', division_no, 'none', :at"
            " FROM division WHERE code = :division RETURNING account_no)"
            " INSERT INTO account_role (account_no, role, kind, granted_at) SELECT account_no, :role, 'officer', :at"
            " FROM made"
        ),
        {"id": account_id, "name": name, "role": role, "division": division, "at": EVENING},
    )
    return account_id


def number_of(connection: Connection, account_id: UUID) -> int:
    query = text("SELECT account_no FROM account WHERE account_id = :id")
    return int(connection.execute(query, {"id": account_id}).scalar_one())


def seal(engine: Engine, keyring: Keyring, office: Office, *, now: datetime = NOW) -> SealedRecord:
    return seal_record(
        engine, keyring, account_id=office.prosecutor, subject_id=office.person.subject_id, basis=BASIS, now=now
    )


def all_of(engine: Engine, query: str, **values: object) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]
