"""Looks, asked of PostgreSQL with the application's role: what they open, for whom, how long, and who approves them."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from api.access.caller import as_account
from api.database import open_engine
from api.errors import ApprovalMissingError, LookMissingError, NotAllowedError, NotThereError
from api.look_policy import Look, LookRefusedError, Purpose, SightKind
from api.looks import ask_look, find_look, lookers_of, looks_at, note_look, own_looks, waiting_looks
from tests.access.look_scene import (
    REASON,
    SPAN,
    Office,
    a_wish,
    an_office,
    approved,
    asked,
    decided,
    fix_counts,
    put_back,
)
from tests.databases import drop_database
from tests.make import EVENING, a_fix, a_person, log_fixes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Before every look's end: where the database's clock decides."""

IN_SPAN, IN_ALL = 121, 181
"""Fixes of each case within the two hours of ``SPAN``, and in all."""


@pytest.fixture(scope="module")
def engine(cluster_url: str) -> Iterator[Engine]:
    """One database for the module: accounts cost a slow hash each. Every test ends all looks."""
    admin = open_engine(make_url(cluster_url).set(database="postgres").render_as_string(False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE looks TEMPLATE hulan")
    own = open_engine(make_url(cluster_url).set(database="looks").render_as_string(False))
    yield own
    own.dispose()
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, "looks")
    admin.dispose()


@pytest.fixture(scope="module")
def office(engine: Engine) -> Office:
    with engine.begin() as connection:
        office = an_office(connection)
    for person in office.cases.values():
        log_fixes(engine, person, [a_fix(minutes=minute) for minute in range(IN_ALL)])
    return office


@pytest.fixture(autouse=True)
def no_look_is_left(engine: Engine, office: Office) -> Iterator[None]:
    yield
    with engine.begin() as connection:
        connection.execute(text("UPDATE look SET ends_at = least(ends_at, asked_at)"))


def found(engine: Engine, office: Office, who: str, case: str, look: Look, **other: Any) -> Look:
    official = office.officials[who]
    wanted: dict[str, Any] = {
        "account_no": official.account_no,
        "subject_no": office.no(case),
        "kind": look.kind,
        "now": NOW,
    } | other
    with as_account(engine, official.account_id) as connection:
        return find_look(connection, look.look_id, **wanted)


# ---- what a look opens


def test_without_a_look_no_fix_is_seen(engine: Engine, office: Office) -> None:
    for who in office.officials:
        assert fix_counts(engine, office, who) == {}, who


def test_an_approved_look_opens_this_subject_in_this_span_to_this_account(engine: Engine, office: Office) -> None:
    look = approved(engine, office, "member", "a")
    assert (look.is_open, look.needs_approval, look.decided_by) == (
        True,
        True,
        office.officials["city leader"].account_no,
    )
    assert fix_counts(engine, office, "member") == {"a": IN_SPAN}
    for who in set(office.officials) - {"member"}:
        assert fix_counts(engine, office, who) == {}, who
    assert found(engine, office, "member", "a", look) == look


@pytest.mark.parametrize("kind", [SightKind.EXPORT, SightKind.EVIDENCE])
def test_exports_and_evidence_open_their_span_too(engine: Engine, office: Office, kind: SightKind) -> None:
    approved(engine, office, "member", "b", a_wish(kind))
    assert fix_counts(engine, office, "member") == {"b": IN_SPAN}


def test_a_look_at_the_person_opens_no_track(engine: Engine, office: Office) -> None:
    look = asked(engine, office, "member", "a", a_wish(SightKind.PERSON))
    assert not look.needs_approval
    assert found(engine, office, "member", "a", look) == look
    assert fix_counts(engine, office, "member") == {}


def test_flags_and_fixes_set_aside_are_seen_like_the_fixes(engine: Engine, office: Office) -> None:
    with engine.begin() as connection:
        for case in "ab":
            values = {"no": office.no(case), "at": EVENING}
            connection.execute(text("INSERT INTO fix_flag VALUES (:no, :at, 1, 4) ON CONFLICT DO NOTHING"), values)
            connection.execute(
                text("INSERT INTO fix_set_aside VALUES (:no, :at, 1, 'x', now()) ON CONFLICT DO NOTHING"), values
            )
    approved(engine, office, "member", "a")
    with as_account(engine, office.officials["member"].account_id) as connection:
        for table in ("fix_flag", "fix_set_aside"):
            assert connection.execute(text(f"SELECT subject_no FROM {table}")).scalars().all() == [office.no("a")]


@pytest.mark.parametrize("is_approved", [None, False])
def test_a_look_that_waits_or_was_refused_opens_nothing(
    engine: Engine, office: Office, is_approved: bool | None
) -> None:
    look = asked(engine, office, "member", "a")
    if is_approved is not None:
        decided(engine, office, "leader", look.look_id, is_approved=is_approved)
    assert fix_counts(engine, office, "member") == {}
    with pytest.raises(ApprovalMissingError if is_approved is None else LookMissingError):
        found(engine, office, "member", "a", look)


def test_an_expired_look_opens_nothing(engine: Engine, office: Office) -> None:
    look = approved(engine, office, "member", "a")
    put_back(engine, look, timedelta(minutes=59))
    assert fix_counts(engine, office, "member") == {"a": IN_SPAN}
    put_back(engine, look, timedelta(minutes=2))
    assert fix_counts(engine, office, "member") == {}
    with pytest.raises(LookMissingError):
        found(engine, office, "member", "a", look)


def test_a_look_has_ended_when_the_programs_clock_says_so(engine: Engine, office: Office) -> None:
    look = approved(engine, office, "member", "a")
    with pytest.raises(LookMissingError):
        found(engine, office, "member", "a", look, now=look.ends_at)


def test_a_look_is_for_one_subject_one_account_and_one_kind(engine: Engine, office: Office) -> None:
    look = approved(engine, office, "member", "a")
    with pytest.raises(LookMissingError):
        found(engine, office, "member", "b", look)
    with pytest.raises(LookMissingError):
        found(engine, office, "leader", "a", look)
    with pytest.raises(LookMissingError):
        found(engine, office, "member", "a", look, kind=SightKind.EXPORT)
    with pytest.raises(LookMissingError):
        found(engine, office, "member", "a", look, account_no=office.officials["leader"].account_no)


def test_who_leaves_the_team_keeps_no_look(engine: Engine, office: Office) -> None:
    look = approved(engine, office, "member", "a")
    with engine.begin() as connection:
        values = {"no": office.no("a"), "account": office.officials["member"].account_no}
        left = "UPDATE case_member SET left_at = {} WHERE subject_no = :no AND account_no = :account"
        connection.execute(text(left.format("now()")), values)
    try:
        assert fix_counts(engine, office, "member") == {}
        with pytest.raises(LookMissingError):
            found(engine, office, "member", "a", look)
    finally:
        with engine.begin() as connection:
            connection.execute(text(left.format("NULL")), values)


# ---- who may ask


@pytest.mark.parametrize("who", ["colleague", "outsider", "leader elsewhere", "audit", "security"])
def test_who_does_not_see_a_case_cannot_ask_and_hears_the_same_as_for_none(
    engine: Engine, office: Office, who: str
) -> None:
    for case in "ab":
        with pytest.raises(NotThereError):
            asked(engine, office, who, case)
    with pytest.raises(NotThereError), as_account(engine, office.officials[who].account_id) as connection:
        ask_look(connection, a_wish(), subject_no=10**9)
    with as_account(engine, UUID(int=3)) as connection, pytest.raises(NotThereError):
        ask_look(connection, a_wish(), subject_no=office.no("a"))


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose_code": Purpose.OTHER},
        {"purpose_code": Purpose.OTHER, "purpose": " x "},
        {"from_at": None, "to_at": None},
        {"to_at": None},
        {"from_at": SPAN["to_at"], "to_at": SPAN["from_at"]},
        {"is_break_glass": True, "purpose": "九个字的理由不够长"},
        {"is_break_glass": True, "purpose": "          " + "不够长" + "          "},
        {"purpose": "x" * 501},
    ],
)
def test_a_look_without_what_it_needs_is_refused(engine: Engine, office: Office, changes: dict[str, Any]) -> None:
    with pytest.raises(LookRefusedError):
        asked(engine, office, "member", "a", a_wish(**changes))


def test_a_transaction_sees_nothing_by_a_look_of_its_own(engine: Engine, office: Office) -> None:
    """Else somebody could break the glass, read, and roll back the notice with it."""
    wish = a_wish(is_break_glass=True, purpose=REASON)
    with as_account(engine, office.officials["colleague"].account_id) as connection:
        ask_look(connection, wish, subject_no=office.no("a"))
        assert connection.execute(text("SELECT count(*) FROM fix")).scalar_one() == 0
        with connection.begin_nested():
            ask_look(connection, wish, subject_no=office.no("a"))
            assert connection.execute(text("SELECT count(*) FROM fix")).scalar_one() == 0
            assert connection.execute(text("SELECT count(*) FROM subject")).scalar_one() == 0
        connection.rollback()
    assert fix_counts(engine, office, "colleague") == {}


# ---- approval


def test_nobody_approves_their_own_look(engine: Engine, office: Office) -> None:
    look = asked(engine, office, "leader", "a")
    assert look.needs_approval, "a leader needs another leader"
    with pytest.raises(NotAllowedError):
        decided(engine, office, "leader", look.look_id)
    with pytest.raises(DBAPIError, match="check constraint"), engine.begin() as connection:
        connection.execute(
            text("UPDATE look SET is_approved = true, decided_by = account_no, decided_at = now() WHERE look_id = :id"),
            {"id": look.look_id},
        )
    decided(engine, office, "city leader", look.look_id)
    assert fix_counts(engine, office, "leader") == {"a": IN_SPAN}


@pytest.mark.parametrize("who", ["colleague", "outsider", "leader elsewhere", "audit", "security"])
def test_only_a_leader_of_the_division_or_above_decides(engine: Engine, office: Office, who: str) -> None:
    look = asked(engine, office, "member", "a")
    with pytest.raises(NotThereError):
        decided(engine, office, who, look.look_id)
    assert decided(engine, office, "leader", look.look_id).is_approved


def test_a_look_is_decided_once_and_in_time(engine: Engine, office: Office) -> None:
    look = asked(engine, office, "member", "a")
    decided(engine, office, "leader", look.look_id, is_approved=False)
    with pytest.raises(NotThereError):
        decided(engine, office, "leader", look.look_id)
    late = asked(engine, office, "member", "a")
    put_back(engine, late, timedelta(hours=25))
    with pytest.raises(NotThereError):
        decided(engine, office, "leader", late.look_id)
    with pytest.raises(NotThereError):
        decided(engine, office, "leader", UUID(int=4))


def test_an_approval_counts_from_when_it_was_given(engine: Engine, office: Office) -> None:
    look = asked(engine, office, "member", "a")
    put_back(engine, look, timedelta(hours=20))
    done = decided(engine, office, "leader", look.look_id)
    assert done.decided_at is not None
    assert done.ends_at - done.decided_at == timedelta(minutes=60)
    assert fix_counts(engine, office, "member") == {"a": IN_SPAN}


# ---- the rules


def needs_approval(engine: Engine, office: Office, born: date, **changes: Any) -> bool:
    """Whether a leader's look at a person born on a day would need an approval; nothing is kept."""
    with engine.connect() as connection:
        person = a_person(connection, birth_date=born)
        connection.execute(
            text("INSERT INTO subject_jurisdiction SELECT :no, division_no FROM division WHERE code = '320303'"),
            {"no": person.subject_no},
        )
        account = str(office.officials["leader"].account_id)
        connection.execute(text("SELECT set_config('hulan.account_id', :account, true)"), {"account": account})
        wish = a_wish(**{"kind": SightKind.TRACK, **changes})
        needed = ask_look(connection, wish, subject_no=person.subject_no).needs_approval
        connection.rollback()
        return needed


GROWN = date(1990, 1, 1)
WEEK = {"from_at": EVENING, "to_at": EVENING + timedelta(days=7)}
LONGER = {"from_at": EVENING, "to_at": EVENING + timedelta(days=7, seconds=1)}


@pytest.mark.parametrize(
    ("born", "changes", "is_needed"),
    [
        (date(2010, 1, 1), {}, True),
        (date(2010, 1, 1), {"kind": SightKind.EVIDENCE}, True),
        (date(2010, 1, 1), {"kind": SightKind.PERSON}, False),
        (GROWN, {}, False),
        (GROWN, WEEK, False),
        (GROWN, LONGER, True),
        (GROWN, {**LONGER, "kind": SightKind.EVIDENCE, "row_count": 25}, False),
        (GROWN, {"kind": SightKind.EVIDENCE, "row_count": 26}, True),  # what leaves as evidence, leaves too
        (GROWN, {"kind": SightKind.EXPORT, "row_count": 25}, False),
        (GROWN, {"kind": SightKind.EXPORT, "row_count": 26}, True),
        (GROWN, {"kind": SightKind.EXPORT}, True),  # uncounted
        # 20 March 2026, 22:00 in Shanghai: of age on the birthday itself, and a minor the day before.
        (date(2008, 3, 20), {}, False),
        (date(2008, 3, 21), {}, True),
        (date(2008, 3, 21), {"from_at": EVENING + timedelta(hours=1, minutes=59)}, True),
        (date(2008, 3, 21), {"from_at": EVENING + timedelta(hours=2), "to_at": EVENING + timedelta(hours=3)}, False),
    ],
)
def test_when_a_leader_must_approve(
    engine: Engine, office: Office, born: date, changes: dict[str, Any], is_needed: bool
) -> None:
    assert needs_approval(engine, office, born, **changes) is is_needed


def test_a_rule_holds_on_its_dates_only(engine: Engine, office: Office) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE look_rule SET valid_to = current_date - 2 WHERE longer_than IS NOT NULL"))
    try:
        assert not needs_approval(engine, office, GROWN, **LONGER)
    finally:
        with engine.begin() as connection:
            connection.execute(text("UPDATE look_rule SET valid_to = NULL"))
    assert needs_approval(engine, office, GROWN, **LONGER)


# ---- breaking the glass


def visible(connection: Connection, office: Office) -> set[str]:
    numbers = set(connection.execute(text("SELECT subject_no FROM subject")).scalars())
    return {name for name, person in office.cases.items() if person.subject_no in numbers}


def test_breaking_the_glass_shows_this_case_for_its_time_and_leaves_a_notice(engine: Engine, office: Office) -> None:
    account = office.officials["colleague"].account_id
    look = asked(engine, office, "colleague", "a", a_wish(is_break_glass=True, purpose=REASON))
    assert look.ends_at - look.asked_at == timedelta(minutes=30)
    with as_account(engine, account) as connection:
        assert visible(connection, office) == {"a"}
    assert fix_counts(engine, office, "colleague") == {"a": IN_SPAN}
    with engine.connect() as connection:
        notice = connection.execute(text("SELECT * FROM notice WHERE look_id = :id"), {"id": look.look_id}).one()
        entries = connection.execute(
            text("SELECT actor, subject_no FROM audit_entry WHERE kind = 'break_glass' AND detail = :detail"),
            {"detail": f"look {look.look_id}"},
        ).all()
    assert (notice.account_no, notice.subject_no, notice.reviewed_at) == (look.account_no, look.subject_no, None)
    assert [tuple(entry) for entry in entries] == [(f"account:{account}", look.subject_no)]
    put_back(engine, look, timedelta(minutes=31))
    assert fix_counts(engine, office, "colleague") == {}
    with as_account(engine, account) as connection:
        assert visible(connection, office) == set()


def test_a_member_breaks_the_glass_instead_of_waiting(engine: Engine, office: Office) -> None:
    look = asked(engine, office, "member", "a", a_wish(is_break_glass=True, purpose=REASON))
    assert (look.needs_approval, look.is_open) == (True, True)
    assert fix_counts(engine, office, "member") == {"a": IN_SPAN}
    with pytest.raises(NotThereError):
        decided(engine, office, "leader", look.look_id)


@pytest.mark.parametrize("who", ["outsider", "leader elsewhere", "audit", "security"])
def test_the_glass_is_broken_within_ones_jurisdiction_only(engine: Engine, office: Office, who: str) -> None:
    with pytest.raises(NotThereError):
        asked(engine, office, who, "a", a_wish(is_break_glass=True, purpose=REASON))
    with engine.connect() as connection:
        account_no = office.officials[who].account_no
        query = text("SELECT count(*) FROM notice WHERE account_no = :no")
        assert connection.execute(query, {"no": account_no}).scalar_one() == 0


# ---- what the application's role cannot do

FORBIDDEN = (
    "INSERT INTO look SELECT * FROM look",
    "UPDATE look SET ends_at = ends_at + interval '1 hour'",
    "UPDATE look SET is_approved = true",
    "DELETE FROM notice",
    "UPDATE notice SET reviewed_at = now()",
    "DELETE FROM look_rule",
    "SELECT * FROM look_rule",
    "DELETE FROM audit_entry",
    "SELECT hash FROM audit_entry",
    "SELECT * FROM fix_20260316",
    "INSERT INTO fix SELECT * FROM fix",
    "DELETE FROM fix",
    "CREATE OR REPLACE FUNCTION open_spans() RETURNS TABLE (subject_no bigint, from_at timestamptz, to_at timestamptz)"
    " LANGUAGE sql AS 'SELECT 1::bigint, now(), now()'",
)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_applications_role_cannot_open_more(engine: Engine, office: Office, statement: str) -> None:
    approved(engine, office, "member", "a")
    with (
        pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
        as_account(engine, office.officials["member"].account_id) as connection,
    ):
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("forged", ["needs_approval", "account_no", "is_approved", "ends_at", "written_by"])
def test_what_the_caller_says_of_approval_and_time_does_not_count(engine: Engine, office: Office, forged: str) -> None:
    values = {"needs_approval": False, "account_no": office.officials["leader"].account_no, "is_approved": True,
              "ends_at": "2099-01-01", "written_by": "3"}  # fmt: skip
    span = {name: instant.isoformat() for name, instant in SPAN.items()}
    claim = {"look_id": str(UUID(int=77)), "subject_no": office.no("a"), "kind": "track", "purpose_code": "other",
             "purpose": "forged", "is_break_glass": False, **span, forged: values[forged]}  # fmt: skip
    with as_account(engine, office.officials["member"].account_id) as connection:
        row = connection.execute(
            text("SELECT * FROM ask_look(jsonb_populate_record(NULL::look, CAST(:c AS jsonb)), '1 hour', '1 hour')"),
            {"c": json.dumps(claim | {"look_id": str(UUID(int=77 + len(forged)))})},
        ).one()
        connection.rollback()
    assert (row.needs_approval, row.is_approved) == (True, None)
    assert row.account_no == office.officials["member"].account_no
    assert row.ends_at - row.asked_at == timedelta(hours=1)


def test_no_look_lives_longer_than_a_day_and_no_broken_glass_longer_than_half_an_hour(
    engine: Engine, office: Office
) -> None:
    claim = f"""jsonb_build_object('look_id', gen_random_uuid(), 'subject_no', {office.no("a")}, 'kind', 'person',
        'purpose_code', 'other', 'purpose', '{REASON}', 'is_break_glass', %s)"""
    for is_break_glass, life in (("false", "25 hours"), ("true", "31 minutes")):
        asking = f"SELECT ask_look(jsonb_populate_record(NULL::look, {claim % is_break_glass}), '{life}', '1 hour')"
        with (
            pytest.raises(DBAPIError, match="check constraint"),
            as_account(engine, office.officials["member"].account_id) as connection,
        ):
            connection.exec_driver_sql(asking)


# ---- lists and the audit


def test_lists_of_looks(engine: Engine, office: Office) -> None:
    look = asked(engine, office, "member", "a")
    member, leader, outsider = (office.officials[who] for who in ("member", "leader", "outsider"))
    with as_account(engine, member.account_id) as connection:
        assert own_looks(connection, member.account_no, most=1) == [look]
        assert waiting_looks(connection, member.account_no, most=9) == []
    with as_account(engine, leader.account_id) as connection:
        assert waiting_looks(connection, leader.account_no, most=9) == [look]
        assert looks_at(connection, office.no("a"), most=1) == [look]
        people = lookers_of(connection, [look])
        assert people[member.account_no].account_id == member.account_id
    with as_account(engine, outsider.account_id) as connection:
        assert looks_at(connection, office.no("a"), most=9) == []
        assert lookers_of(connection, [look]) == {}
    decided(engine, office, "leader", look.look_id)
    with as_account(engine, leader.account_id) as connection:
        assert waiting_looks(connection, leader.account_no, most=9) == []


def test_what_is_shown_is_noted_with_who_and_what_for(engine: Engine, office: Office) -> None:
    look = approved(engine, office, "member", "a", a_wish(purpose="李某某的事"))
    account = office.officials["member"].account_id
    with as_account(engine, account) as connection:
        note_look(connection, look, account_id=account, detail="page 1")
    with engine.connect() as connection:
        entry = connection.execute(text("SELECT * FROM audit_entry ORDER BY position DESC LIMIT 1")).one()
        assert (entry.kind, entry.actor, entry.purpose) == ("look_track", f"account:{account}", "review_alert")
        assert (entry.subject_no, entry.detail) == (look.subject_no, f"look {look.look_id} page 1")
        texts = connection.execute(text("SELECT string_agg(e::text, ' ') FROM audit_entry e")).scalar_one()
    assert "李某某" not in texts
