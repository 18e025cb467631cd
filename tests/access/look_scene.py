"""Two cases of minors with fixes, one of them elsewhere, and the officers who may look at them, ask and decide."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.access.accounts import add_division, join_case, set_jurisdiction
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.look_policy import Look, LookWish, Purpose, SightKind
from api.looks import ask_look, decide_look
from tests.access.people import Official, an_official
from tests.make import EVENING, Person, a_bar, a_person

CITY, DISTRICT, OTHER = "320300", "320303", "370600"

SPAN = {"from_at": EVENING, "to_at": EVENING + timedelta(hours=2)}

REASON = "当事人失联，家属报警求助"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """``cases``: a and b in one district, c in another city; all minors."""

    cases: dict[str, Person]
    officials: dict[str, Official]

    def no(self, case: str) -> int:
        return self.cases[case].subject_no


ROLES = {
    "member": (AccountRole.PROSECUTOR, DISTRICT),
    "colleague": (AccountRole.POLICE, DISTRICT),
    "outsider": (AccountRole.POLICE, OTHER),
    "leader": (AccountRole.LEADER, DISTRICT),
    "city leader": (AccountRole.LEADER, CITY),
    "leader elsewhere": (AccountRole.LEADER, OTHER),
    "audit": (AccountRole.AUDIT_ADMINISTRATOR, CITY),
    "security": (AccountRole.SECURITY_ADMINISTRATOR, CITY),
}


def an_office(connection: Connection, *, now: datetime | None = None) -> Office:
    """The cases and officials; first passwords count from ``now``, the wall clock unless given."""
    for code, parent in ((CITY, None), (DISTRICT, CITY), (OTHER, None)):
        add_division(connection, code=code, name=f"合成{code}", parent_code=parent)
    a_bar(connection)
    cases = {name: a_person(connection, alias=f"合成{name}") for name in "abc"}
    for name, person in cases.items():
        set_jurisdiction(connection, person.subject_no, OTHER if name == "c" else DISTRICT)
    officials = {
        who: an_official(connection, f"o{number}", role, division=division, now=now or datetime.now(UTC))
        for number, (who, (role, division)) in enumerate(ROLES.items())
    }
    for case in "ab":
        join_case(connection, cases[case].subject_no, officials["member"].account_no, now=EVENING)
    return Office(cases=cases, officials=officials)


def a_wish(kind: SightKind = SightKind.TRACK, **changes: Any) -> LookWish:
    """A look at two hours of a track to review an alert, or another one."""
    span = {} if kind is SightKind.PERSON else SPAN
    return LookWish(**{"kind": kind, "purpose_code": Purpose.REVIEW_ALERT, **span, **changes})


def asked(engine: Engine, office: Office, who: str, case: str, wish: LookWish | None = None) -> Look:
    """A look that ``who`` asked for, committed."""
    with as_account(engine, office.officials[who].account_id) as connection:
        return ask_look(connection, wish or a_wish(), subject_no=office.no(case))


def decided(engine: Engine, office: Office, who: str, look_id: UUID, *, is_approved: bool = True) -> Look:
    """The look as ``who`` decided it, committed."""
    official = office.officials[who]
    with as_account(engine, official.account_id) as connection:
        return decide_look(connection, look_id, account_no=official.account_no, is_approved=is_approved)


def approved(engine: Engine, office: Office, who: str, case: str, wish: LookWish | None = None) -> Look:
    """A look that ``who`` asked for and the leader of the city approved."""
    return decided(engine, office, "city leader", asked(engine, office, who, case, wish).look_id)


def fix_counts(engine: Engine, office: Office, who: str) -> dict[str, int]:
    """Case → how many fixes of it the database shows; cases without any are left out."""
    with as_account(engine, office.officials[who].account_id) as connection:
        rows = connection.execute(text("SELECT subject_no, count(*) FROM fix GROUP BY subject_no")).all()
    found = {row[0]: row[1] for row in rows}
    return {name: found[person.subject_no] for name, person in office.cases.items() if person.subject_no in found}


def put_back(engine: Engine, look: Look, back: timedelta) -> None:
    """Let a look be older than it is."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE look SET asked_at = asked_at - :back, decided_at = decided_at - :back,"
                " ends_at = ends_at - :back WHERE look_id = :look_id"
            ),
            {"back": back, "look_id": look.look_id},
        )
