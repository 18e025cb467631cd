"""What officers do with orders: who may, what it changes, and what counts."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.access.roles import AccountRole
from api.books import load_books
from api.calendars import current_calendar, save_calendar
from api.cases import WITHOUT_BASIS, TermError
from api.casework.decisions import DecisionReason, Outcome, decide, departures_of, suspected_of
from api.casework.exemptions import ExemptionWish, exemptions_of, grant_exemption, revoke_exemption
from api.casework.leaves import (
    Closing,
    answer_leave,
    ask_leave,
    close_leave,
    leaves_of,
    open_leaves,
    organ_for,
)
from api.casework.orders import end_order, orders_of, versions_of
from api.casework.tasks import finish_task, tasks_of
from api.devices import devices_of
from api.errors import NotAllowedError, NotThereError, RefusedInputError
from api.personal.fields import open_field
from tests.api.casework_scene import DAY, HOME, MARCH, NIGHTS, NOW, Office, a_case, register, two_departures
from tests.make import EVENING, KEYRING, Person, a_fix, a_visit, a_worker, log_fixes
from tests.order_rows import add_order_work
from tracking.allowance_store import load_allowances
from tracking.calendar import read_calendar
from tracking.leave import ExemptionKind, LeaveFault, organs_needed
from tracking.leave_way import NO_WAY_EN, NO_WAY_ZH
from tracking.order import ConditionKind, Measure, Organ


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine, a_case())


def rules_of(engine: Engine) -> int:
    with engine.connect() as connection:
        return len(load_books(connection).rules)


# ---- invariant 8


def test_without_a_basis_for_locating_nothing_is_tracked_and_it_is_told(engine: Engine) -> None:
    office = Office(engine, a_case(location_basis=None))
    assert office.done.doubts == (WITHOUT_BASIS,)
    assert rules_of(engine) == 0
    with engine.connect() as connection:
        spans = connection.execute(text("SELECT in_force_from, in_force_to FROM order_times")).all()
        assert [row.in_force_to - row.in_force_from for row in spans] == [timedelta(0)]
    with office.as_("prosecutor") as connection:
        assert orders_of(connection, office.no)[0]["not_active_because"] == WITHOUT_BASIS
    with engine.begin() as connection:
        register(connection, a_case())
    assert rules_of(engine) == 1


def test_a_version_that_loses_its_basis_ends_the_one_before(engine: Engine, office: Office) -> None:
    with engine.begin() as connection:
        register(connection, a_case(location_basis=None), at=NOW + timedelta(seconds=1))
    with office.as_("prosecutor") as connection:
        last, first = versions_of(connection, office.order_id)
    assert last["governs_from"] == last["governs_to"] == first["governs_to"] == NOW + timedelta(seconds=1)


def test_consent_needs_its_record_and_the_statute_covers_one_measure() -> None:
    for changes in ({"location_basis": "consent"}, {"location_basis": "statute_78"}):
        with pytest.raises(ValueError, match=r"location_basis|78"):
            a_case(**changes)
    consent = {"signed_at": NOW, "document": "合成同意书", "by": "本人和监护人"}
    assert a_case(location_basis="consent", consent=consent).consent is not None


# ---- terms


def test_a_term_that_the_law_forbids_is_rejected_with_article_and_dates(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(TermError, match=r"超过 12 个月.*刑诉法 79"):
        register(connection, a_case(valid_from=NOW - 30 * DAY, valid_to=NOW + 400 * DAY))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM supervision_order")).scalar_one() == 0


def test_terms_of_one_organ_add_up_and_another_organ_counts_anew(engine: Engine) -> None:
    later: dict[str, Any] = {
        "document_number": "合成〔2026〕2号",
        "valid_from": NOW + 30 * DAY,
        "valid_to": NOW + 360 * DAY,
    }
    with engine.begin() as connection:
        register(connection, a_case())
        with pytest.raises(TermError, match="累计"):
            register(connection, a_case(**later))
    with engine.begin() as connection:
        register(connection, a_case())
        assert register(connection, a_case(**later, deciding_organ="合成区人民法院")).doubts == ()


# ---- timetables and calendars


def test_a_year_without_a_calendar_blocks_just_the_order_that_needs_it(engine: Engine) -> None:
    far: dict[str, Any] = {"valid_from": datetime(2031, 1, 5, tzinfo=UTC), "valid_to": datetime(2031, 6, 1, tzinfo=UTC)}
    nights = {"kind": "curfew", "geometry": HOME, "radius_m": 100, "timetable": NIGHTS}
    rest = {**nights, "timetable": {"windows": [{"from": "22:00", "to": "06:00", "day_kinds": ["rest_day"]}]}}
    with engine.begin() as connection:
        plain = register(connection, a_case(**far, conditions=[nights]))
        blocked = register(connection, a_case(**far, reference="O-2", conditions=[rest]))
    assert plain.doubts == ()
    assert "2031" in blocked.doubts[0]
    with engine.connect() as connection:
        books = load_books(connection)
    assert set(books.rules.subject_no.tolist()) == {plain.subject_no}
    assert [item.subject_no for item in books.blocked] == [blocked.subject_no]
    years = "\n".join(
        f'[[year]]\nyear = {year}\ndocument = "合成通知"\n[[year.period]]\nname = "合成"\nfrom = {year}-02-01\n'
        f"to = {year}-02-13\nstatutory = [{', '.join(f'{year}-02-{day:02}' for day in range(1, 14))}]\n"
        for year in (2030, 2031, 2032)
    )
    with engine.begin() as connection:
        assert save_calendar(connection, read_calendar(years), at=NOW) == 3
        assert 2031 in current_calendar(connection).years
        again = connection.execute(text("SELECT DISTINCT subject_no FROM reevaluation WHERE reason = 'calendar'"))
        assert set(again.scalars()) == {plain.subject_no, blocked.subject_no}
    with engine.connect() as connection:
        assert set(load_books(connection).rules.subject_no.tolist()) == {plain.subject_no, blocked.subject_no}


def test_conditions_come_back_as_they_were_written_and_in_plain_words(engine: Engine) -> None:
    kinds: list[dict[str, Any]] = [
        {"kind": "curfew", "geometry": HOME, "radius_m": 100, "timetable": NIGHTS},
        {"kind": "check_in", "timetable": {"windows": [{"from": "08:00", "to": "09:00", "weekdays": [0]}]}},
        {"kind": "spot_check", "timetable": {"windows": [{"from": "08:00", "to": "21:00"}]},
         "parameters": {"per_week": 3}},
        {"kind": "reporting_interval", "parameters": {"every_minutes": 10}},
        {"kind": "no_contact", "parameters": {"other_reference": "O-9"}, "is_protected": True},
    ]  # fmt: skip
    office = Office(engine, a_case(conditions=kinds))
    with engine.begin() as connection:
        assert register(connection, a_case(conditions=kinds)).subject_no == office.no
        assert connection.execute(text("SELECT max(version) FROM supervision_order")).scalar_one() == 1
    with engine.connect() as connection:
        kinds_of_rules = {item.kind for item in load_books(connection).rules.conditions}
    assert kinds_of_rules == {ConditionKind.CURFEW}, "the others are not about places"
    with office.as_("supervisor") as connection:
        told = [item["zh"] for item in orders_of(connection, office.no)[0]["conditions"]]
    assert told == [
        "规定时段不得外出：每天 22:00–次日 06:00。",
        "按时打卡：宽限 15 分钟，24 小时内可补打；周一 08:00–09:00。",
        "接受不定期抽检：平均每周 3 次，15 分钟内应答；每天 08:00–21:00。",
        "按间隔上报定位：每 10 分钟至少一次。",
        "不得接触特定人员：相距 50 米以内不得超过 10 分钟；受保护人员区域，不告知被监管人及监护人。",
    ]


# ---- leaves


def test_the_database_knows_the_same_organs_as_the_program(engine: Engine) -> None:
    query = text("SELECT organs_for_leave(:measure, :stage)")
    with engine.connect() as connection:
        for measure, organ in product(Measure, Organ):
            found = connection.execute(query, {"measure": measure.value, "stage": organ.value}).scalar_one()
            assert found == [item.value for item in organs_needed(measure, organ)], (measure, organ)
        assert connection.execute(query, {"measure": "bail", "stage": None}).scalar_one() == ["procuratorate", "police"]


def test_a_leave_frees_only_when_both_organs_have_agreed(office: Office) -> None:
    with office.as_("supervisor") as connection:
        leave_id = ask_leave(connection, KEYRING, office.no, office.wish())
    with office.as_("police") as connection:
        assert answer_leave(connection, leave_id, organ=Organ.POLICE, is_approved=True, remark="同意") == "requested"
    with office.engine.connect() as connection:
        assert load_allowances(connection).absences == ()
    for who, organ in (("police", Organ.PROCURATORATE), ("prosecutor", Organ.POLICE), ("leader", Organ.POLICE),
                       ("stranger", Organ.POLICE)):  # fmt: skip
        with office.as_(who) as connection, pytest.raises(NotThereError):
            answer_leave(connection, leave_id, organ=organ, is_approved=True, remark="同意")
    with office.as_("prosecutor") as connection:
        state = answer_leave(connection, leave_id, organ=Organ.PROCURATORATE, is_approved=True, remark="同意")
        assert state == "approved"
    with office.engine.connect() as connection:
        (absence,) = load_allowances(connection).absences
        row = connection.execute(text("SELECT leave_id, contact, key_id FROM leave")).one()
    assert absence.end - absence.start == 2 * 86_400_000_000
    place = {"table": "leave", "column": "contact", "row_id": row.leave_id}
    assert open_field(KEYRING, row.contact, key_id=row.key_id, **place) == "13800000109"
    with office.as_("leader") as connection:
        (shown,) = leaves_of(connection, office.no)
        assert [(item["organ"], item["is_approved"]) for item in shown["answers"]] == [
            ("police", True), ("procuratorate", True),
        ]  # fmt: skip
        assert close_leave(connection, leave_id, Closing.CANCELLED) == "cancelled"
    with office.engine.connect() as connection:
        assert load_allowances(connection).absences == ()


def test_a_leave_says_what_it_lacks_and_whether_its_way_is_watched(office: Office) -> None:
    drawn = {"geometry": HOME, "radius_m": 500.0}
    with office.as_("supervisor") as connection:
        ask_leave(connection, KEYRING, office.no, office.wish())
        urgent = office.wish(is_urgent=True, route="", transport="", from_at=NOW + 2 * DAY, **drawn)
        leave_id = ask_leave(connection, KEYRING, office.no, urgent)
    with office.as_("police") as connection:
        answer_leave(connection, leave_id, organ=Organ.POLICE, is_approved=True, remark="同意")
        first, calm = open_leaves(connection)
    assert calm["way"] == {"zh": NO_WAY_ZH, "en": NO_WAY_EN}
    assert [(item["fault"], item["stops"]) for item in calm["lacks"]] == [(LeaveFault.NOT_APPROVED, True)]
    assert first["way"] is None
    assert [item["zh"] for item in first["lacks"]] == [
        "外出申请缺少：路线、交通方式。", "尚缺人民检察院的批准或同意。",
    ]  # fmt: skip
    assert all(item["articles"] for item in first["lacks"])
    with office.as_("prosecutor") as connection:
        answer_leave(connection, leave_id, organ=Organ.PROCURATORATE, is_approved=True, remark="同意")
        (first, _) = leaves_of(connection, office.no)
        assert [item["fault"] for item in first["lacks"]] == [LeaveFault.INCOMPLETE, LeaveFault.CONSENT_AFTERWARDS]
        close_leave(connection, leave_id, Closing.CANCELLED)
        assert leaves_of(connection, office.no)[0]["lacks"] == []


def test_a_refusal_ends_it_and_urgent_leaves_come_first(office: Office) -> None:
    with office.as_("supervisor") as connection:
        calm = ask_leave(connection, KEYRING, office.no, office.wish())
        urgent = ask_leave(connection, KEYRING, office.no, office.wish(is_urgent=True, from_at=NOW + 2 * DAY))
    with office.as_("police") as connection:
        assert [item["leave_id"] for item in open_leaves(connection)] == [urgent, calm]
        assert answer_leave(connection, calm, organ=Organ.POLICE, is_approved=False, remark="不同意") == "refused"
        assert close_leave(connection, urgent, Closing.PAPERS) == "urgent"
        with pytest.raises(NotThereError):
            answer_leave(connection, calm, organ=Organ.POLICE, is_approved=True, remark="改了主意")
    with office.as_("stranger") as connection:
        assert open_leaves(connection) == []
        with pytest.raises(NotThereError):
            close_leave(connection, urgent, Closing.CANCELLED)


def test_a_courts_answer_is_entered_with_its_paper(engine: Engine) -> None:
    office = Office(engine, a_case(deciding_organ="合成区人民法院"))
    with office.as_("police") as connection:
        leave_id = ask_leave(connection, KEYRING, office.no, office.wish())
        with pytest.raises(NotThereError):
            answer_leave(connection, leave_id, organ=Organ.COURT, is_approved=True, remark="同意")
        court: dict[str, Any] = {
            "organ": Organ.COURT,
            "is_approved": True,
            "remark": "同意",
            "document_number": "合成法〔2026〕3号",
        }
        assert answer_leave(connection, leave_id, **court) == "requested"
        assert answer_leave(connection, leave_id, organ=Organ.POLICE, is_approved=True, remark="同意") == "approved"


def test_the_role_says_for_whom_somebody_speaks() -> None:
    assert organ_for(frozenset({AccountRole.POLICE}), court_document=None) is Organ.POLICE
    assert organ_for(frozenset({AccountRole.PROSECUTOR}), court_document="x") is Organ.COURT
    both = frozenset({AccountRole.POLICE, AccountRole.PROSECUTOR})
    for roles in (frozenset({AccountRole.LEADER}), both):
        with pytest.raises(NotAllowedError):
            organ_for(roles, court_document=None)


# ---- exemptions, lifting, tasks


def test_an_exemption_holds_for_its_person_place_and_time(engine: Engine) -> None:
    from tests.make import a_bar

    with engine.begin() as connection:
        a_bar(connection)
        zone_id = connection.execute(text("SELECT zone_id FROM zone")).scalar_one()
    office = Office(engine, a_case(conditions=[{"kind": "excluded_categories", "categories": ["bar"]}]))
    span: dict[str, Any] = {"kind": ExemptionKind.HOME, "reason": "住在楼上", "valid_from": NOW, "valid_to": NOW + DAY}
    point: dict[str, Any] = {"longitude": 117.2, "latitude": 34.26, "radius_m": 10.0}
    for who in ("supervisor", "stranger"):
        with office.as_(who) as connection, pytest.raises(NotThereError):
            grant_exemption(connection, office.no, ExemptionWish(**span, zone_id=zone_id))
    with office.as_("leader") as connection:
        first = grant_exemption(connection, office.no, ExemptionWish(**span, zone_id=zone_id))
        grant_exemption(connection, office.no, ExemptionWish(**span, **point))
        far: dict[str, Any] = {**point, "longitude": 117.3}
        grant_exemption(connection, office.no, ExemptionWish(**span, **far))
        with pytest.raises(NotThereError):
            grant_exemption(connection, office.no, ExemptionWish(**span, zone_id=uuid4()))
    with engine.connect() as connection:
        found = load_allowances(connection).exempt_zones
        assert [(item.subject_no, item.end - item.start) for item in found] == [(office.no, 86_400_000_000)]
    with office.as_("leader") as connection:
        revoke_exemption(connection, first)
        assert {item["approver"] for item in exemptions_of(connection, office.no)} == {"合成人员"}
        with pytest.raises(NotThereError):
            revoke_exemption(connection, first)


def test_a_lifted_order_ends_now_and_its_paper_is_on_record(engine: Engine, office: Office) -> None:
    for who in ("supervisor", "stranger"):
        with office.as_(who) as connection, pytest.raises(NotThereError):
            end_order(connection, office.order_id, document="合成解〔2026〕1号")
    with office.as_("police") as connection:
        lifted_at = end_order(connection, office.order_id, document="合成解〔2026〕1号")
    with office.as_("prosecutor") as connection:
        (shown,) = orders_of(connection, office.no)
    assert (shown["governs_to"], shown["lifting_document"]) == (lifted_at, "合成解〔2026〕1号")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT in_force_to FROM order_times")).scalar_one() == lifted_at
    with office.as_("police") as connection, pytest.raises(NotThereError):
        end_order(connection, office.order_id, document="合成解〔2026〕1号")


def test_a_term_that_is_over_can_still_be_lifted_and_it_shows_when(engine: Engine) -> None:
    office = Office(engine, a_case(valid_to=NOW - DAY))
    with office.as_("police") as connection:
        lifted_at = end_order(connection, office.order_id, document="合成解〔2026〕1号")
        (shown,) = orders_of(connection, office.no)
    assert (shown["governs_to"], shown["lifted_at"]) == (NOW - DAY, lifted_at)


def test_a_task_is_done_once_and_by_somebody(engine: Engine, office: Office) -> None:
    with engine.begin() as connection:
        add_order_work(connection, office.no, account_no=1, keyring=KEYRING)
    with office.as_("supervisor") as connection:
        (task,) = tasks_of(connection, with_done=False)
        finish_task(connection, task["task_id"], remark="已复核")
        assert tasks_of(connection, with_done=False) == []
        assert tasks_of(connection, with_done=True)[0]["done_by"] == "合成人员"
        with pytest.raises(NotThereError):
            finish_task(connection, task["task_id"], remark=None)
    with office.as_("stranger") as connection:
        assert tasks_of(connection, with_done=True) == []


# ---- decisions


def test_the_counter_counts_confirmed_departures_only_and_shows_its_basis(engine: Engine) -> None:
    office = two_departures(engine, a_case(**MARCH))
    with office.as_("police") as connection:
        found = suspected_of(connection, office.no)
        assert [item["outcome"] for item in found] == [None, None]
        assert departures_of(connection, office.no)[0]["confirmed_count"] == 0
        second, first = (item["violation_id"] for item in found)
        confirmed: dict[str, Any] = {
            "outcome": Outcome.CONFIRMED,
            "reason": DecisionReason.SUBJECT_ADMITTED,
            "remark": "本人承认",
        }
        decide(connection, violation_id=first, **confirmed)
        decide(connection, violation_id=second, outcome=Outcome.DISMISSED, reason=DecisionReason.EMERGENCY, remark="")
        (count,) = departures_of(connection, office.no)
        assert (count["confirmed_count"], [item["violation_id"] for item in count["basis"]]) == (1, [first])
        assert "检察规则 101" in count["article"]
    with office.as_("leader") as connection:  # a later decision supersedes, and the earlier one stays
        decide(connection, violation_id=second, **confirmed)
        assert departures_of(connection, office.no)[0]["confirmed_count"] == 2
        decide(connection, violation_id=first, outcome=Outcome.DISMISSED, reason=DecisionReason.DEVICE_APART, remark="")
        assert departures_of(connection, office.no)[0]["confirmed_count"] == 1
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT violation_id, state FROM violation")).all()
        assert {row.violation_id: row.state for row in rows} == {first: "dismissed", second: "confirmed"}
        assert connection.execute(text("SELECT count(*) FROM decision")).scalar_one() == 4
    with engine.begin() as connection, pytest.raises(DBAPIError):
        connection.execute(text("UPDATE decision SET outcome = 'confirmed'"))


def test_who_may_not_decide_does_not_and_a_reason_goes_with_its_outcome(engine: Engine) -> None:
    office = two_departures(engine, a_case(**MARCH))
    with engine.connect() as connection:
        violation_id = connection.execute(text("SELECT violation_id FROM violation LIMIT 1")).scalar_one()
    dismissed: dict[str, Any] = {"outcome": Outcome.DISMISSED, "reason": DecisionReason.POSITION_ERROR, "remark": ""}
    for who in ("supervisor", "stranger"):
        with office.as_(who) as connection, pytest.raises(NotThereError):
            decide(connection, violation_id=violation_id, **dismissed)
    with office.as_("police") as connection, pytest.raises(RefusedInputError):
        decide(connection, violation_id=violation_id, **dismissed | {"outcome": Outcome.CONFIRMED})


# ---- edits under load


def test_an_edit_while_fixes_come_in_is_no_entry_and_no_exit(engine: Engine) -> None:
    """A stay at home through five variations of the order and two redrawn zones: nothing is found."""
    office = Office(engine, a_case(**MARCH))
    with engine.connect() as connection:
        sender = devices_of(connection, [office.done.subject_id])[office.done.subject_id]
    person = Person(subject_id=office.done.subject_id, subject_no=office.no, token="", sender=sender)
    worker = a_worker(engine, batch_size=7)
    for minute in range(0, 140, 10):
        log_fixes(engine, person, [a_fix(minutes=minute + step, east_m=10.0) for step in range(10)])
        at = EVENING + timedelta(minutes=minute + 5)
        area = {"kind": "stay_within_area", "geometry": HOME, "radius_m": 2000 + 100 * (minute // 40)}
        curfew = {"kind": "curfew", "geometry": HOME, "radius_m": 300, "timetable": NIGHTS}
        with engine.begin() as connection:
            conditions = [area, curfew] if (minute // 20) % 2 else [area]
            register(connection, a_case(**MARCH, conditions=conditions), at=at)
        worker.step()
    worker.drain()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT max(version) FROM supervision_order")).scalar_one() >= 5
        assert connection.execute(text("SELECT count(*) FROM violation")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM episode WHERE is_entry")).scalar_one() == 0


def test_a_stay_at_the_bar_through_edits_is_one_violation(engine: Engine) -> None:
    from tests.make import a_bar

    bars = [{"kind": "excluded_categories", "categories": ["bar"]}]
    with engine.begin() as connection:
        a_bar(connection, valid_from=EVENING - 10 * DAY)
    office = Office(engine, a_case(**MARCH, conditions=bars))
    with engine.connect() as connection:
        sender = devices_of(connection, [office.done.subject_id])[office.done.subject_id]
    person = Person(subject_id=office.done.subject_id, subject_no=office.no, token="", sender=sender)
    worker = a_worker(engine, batch_size=7)
    visit = a_visit(length=60.0)
    for number in range(0, len(visit), 8):
        log_fixes(engine, person, visit[number : number + 8])
        at = EVENING + timedelta(minutes=number + 4)
        more = ["bar", "ktv"] if (number // 8) % 2 else ["bar"]
        with engine.begin() as connection:
            register(connection, a_case(**MARCH, conditions=[{**bars[0], "categories": more}]), at=at)
        worker.step()
    worker.drain()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM violation")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM episode WHERE superseded_at IS NULL")).scalar_one() == 1
