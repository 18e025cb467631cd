"""One case with an officer of each kind on its team, for tests of their work."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.access.accounts import join_case, set_jurisdiction
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.case_file import CaseIn
from api.cases import register_case
from api.casework.leaves import LeaveWish
from api.devices import devices_of
from tests.access.people import an_official
from tests.make import EVENING, KEYRING, SECRET, Person, a_fix, a_worker, log_fixes

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HOME = {"type": "Point", "coordinates": [117.2, 34.26]}
NIGHTS = {"windows": [{"from": "22:00", "to": "06:00"}]}


def a_case(**changes: Any) -> CaseIn:
    content: dict[str, Any] = {
        "reference": "O-1", "alias": "小丽", "birth_date": "2009-01-01", "measure": "bail",
        "document_number": "合成〔2026〕1号", "deciding_organ": "合成区人民检察院", "executing_organ": "合成派出所",
        "location_basis": "order_item", "valid_from": NOW - 30 * DAY, "valid_to": NOW + 30 * DAY,
        "conditions": [{"kind": "stay_within_area", "geometry": HOME, "radius_m": 2000}],
    }  # fmt: skip
    return CaseIn.model_validate(content | changes)


def register(connection: Connection, case: CaseIn, *, at: datetime = NOW) -> Any:
    return register_case(connection, case, keyring=KEYRING, secret=SECRET, at=at)


class Office:
    """One case and an officer of each kind on its team."""

    def __init__(self, engine: Engine, case: CaseIn) -> None:
        self.engine = engine
        with engine.begin() as connection:
            self.done = register(connection, case)
            self.no = self.done.subject_no
            self.accounts = {
                role.value: an_official(connection, f"o{number}", role).account_id
                for number, role in enumerate(
                    (AccountRole.PROSECUTOR, AccountRole.POLICE, AccountRole.SUPERVISOR, AccountRole.LEADER)
                )
            }
            set_jurisdiction(connection, self.no, "320300")
            for account_id in self.accounts.values():
                number = connection.execute(
                    text("SELECT account_no FROM account WHERE account_id = :id"), {"id": account_id}
                ).scalar_one()
                join_case(connection, self.no, number, now=EVENING)
            self.stranger = an_official(connection, "stranger", AccountRole.POLICE).account_id
            self.order_id: UUID = connection.execute(text("SELECT order_id FROM supervision_order")).scalar_one()

    def as_(self, who: str) -> Any:
        return as_account(self.engine, self.stranger if who == "stranger" else self.accounts[who])

    def wish(self, **changes: Any) -> LeaveWish:
        values: dict[str, Any] = {
            "order_id": self.order_id, "reason": "就医", "destination": "合成市", "route": "高速", "transport": "汽车",
            "contact": "13800000109", "from_at": NOW + DAY, "to_at": NOW + 3 * DAY,
        }  # fmt: skip
        return LeaveWish(**values | changes)


def two_departures(engine: Engine, case: CaseIn) -> Office:
    """Two evenings out of the area, found by the machine."""
    office = Office(engine, case)
    with engine.connect() as connection:
        sender = devices_of(connection, [office.done.subject_id])[office.done.subject_id]
    person = Person(subject_id=office.done.subject_id, subject_no=office.no, token="", sender=sender)
    away = [a_fix(minutes=minute, east_m=9000.0 if 20 <= minute % 100 < 60 else 10.0) for minute in range(200)]
    log_fixes(engine, person, away)
    a_worker(engine).drain()
    return office


MARCH: dict[str, Any] = {"valid_from": EVENING - 10 * DAY, "valid_to": EVENING + 10 * DAY}
