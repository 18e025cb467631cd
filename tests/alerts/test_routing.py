"""Who is told of what, in which order, and why: as a lawyer would read the table."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import FAMILY_ROLES, Case, Jurisdiction, Recipient, Role, TaskKind
from alerts.decide import decide
from alerts.event import HEARING_OF_EVENT, EventKind, Notice
from alerts.reason import WORDS, Because
from alerts.roster import Away, Duty, Roster
from alerts.routing import Route, may_still_tell, on_duty_for, route
from tests.alerts.make_alerts import (
    ADULT,
    COUNTY,
    GUARANTOR,
    GUARDIAN,
    MINOR,
    POLICE,
    POLICY,
    PROSECUTOR,
    a_case,
    a_finding,
    a_recipient,
    after,
)
from tests.golden_files import assert_golden
from tests.make import EVENING
from tracking.order import ConditionKind, Measure

BAIL, RESIDENCE, CONDITIONAL = Measure.BAIL, Measure.RESIDENTIAL_SURVEILLANCE, Measure.CONDITIONAL_NON_PROSECUTION
FATHER, MOTHER = a_recipient(11, rank=1), a_recipient(12, rank=2)
EVERYBODY = (MOTHER, PROSECUTOR, GUARANTOR, POLICE, FATHER)
"""Not in the order in which they are told."""

DUTY = a_recipient(21, Role.DUTY_OFFICER, unit=COUNTY.police)
SUBSTITUTE = a_recipient(22, Role.DUTY_OFFICER, unit=COUNTY.police)
PROSECUTOR_ON_DUTY = a_recipient(23, Role.DUTY_OFFICER, unit=COUNTY.procuratorate)
CHIEF = a_recipient(31, Role.LEADER, unit=COUNTY.police)
NIGHT = Duty(unit="城关派出所", from_at=after(-60), to_at=after(480), people=(DUTY, SUBSTITUTE))


def routed(case: Case, *recipients: Recipient, roster: Roster | None = None, at: datetime = EVENING) -> Route:
    return route(case, at=at, recipients=recipients or EVERYBODY, roster=roster or Roster())


def lines(found: Route) -> tuple[list[Recipient], list[Recipient]]:
    """The office and the family, in order."""
    return [item.recipient for item in found.office], [item.recipient for item in found.family]


def why_not(found: Route, person: Recipient) -> str:
    (reason,) = [item.reason.code for item in found.passed_over if item.recipient == person]
    return reason


@pytest.mark.parametrize(
    ("what", "measure", "birth_date", "has_guarantor", "office", "family"),
    [
        ("未成年人附条件不起诉", CONDITIONAL, MINOR, False, [PROSECUTOR, POLICE], [FATHER, MOTHER]),
        ("未成年人取保候审", BAIL, MINOR, False, [POLICE, PROSECUTOR], [FATHER, MOTHER]),
        ("未成年人监视居住", RESIDENCE, MINOR, False, [POLICE, PROSECUTOR], [FATHER, MOTHER]),
        ("未成年人取保候审，有保证人", BAIL, MINOR, True, [POLICE, PROSECUTOR], [FATHER, MOTHER, GUARANTOR]),
        ("成年人取保候审，保证金", BAIL, ADULT, False, [POLICE, PROSECUTOR], []),
        ("成年人取保候审，有保证人", BAIL, ADULT, True, [POLICE, PROSECUTOR], [GUARANTOR]),
        ("成年人监视居住", RESIDENCE, ADULT, False, [POLICE, PROSECUTOR], []),
        ("附条件不起诉考察期内成年", CONDITIONAL, ADULT, False, [PROSECUTOR, POLICE], []),
    ],
)
def test_order_by_measure_age_and_guarantor(
    what: str,
    measure: Measure,
    birth_date: date,
    has_guarantor: bool,
    office: list[Recipient],
    family: list[Recipient],
) -> None:
    case = a_case(measure=measure, birth_date=birth_date, names_guarantor=has_guarantor)
    assert lines(routed(case)) == (office, family), what


@pytest.mark.parametrize(
    ("what", "case", "office", "family"),
    [
        ("进入禁入场所", a_case(), [PROSECUTOR, POLICE], [FATHER, MOTHER]),
        ("进入受保护人员的场所", a_case(is_protected=True), [PROSECUTOR, POLICE], []),
        ("与禁止接触的人员接近", a_finding(EventKind.CONTACT), [PROSECUTOR], []),
        ("虚拟定位", a_finding(EventKind.MOCK_LOCATION), [PROSECUTOR, POLICE], []),
        ("失联", a_finding(EventKind.SILENCE), [PROSECUTOR, POLICE], [FATHER, MOTHER]),
        ("电量低：仅告知家属", a_finding(EventKind.LOW_BATTERY), [], [FATHER, MOTHER]),
        (
            "不满十四周岁者与身份不明成年人同住旅馆：公安机关先行",
            a_finding(EventKind.MINOR_WITH_ADULT, birth_date=date(2013, 6, 1)), [POLICE, PROSECUTOR], [],
        ),
        (
            "同上，有保证人：也不告知",
            a_finding(EventKind.MINOR_WITH_ADULT, birth_date=date(2013, 6, 1), names_guarantor=True),
            [POLICE, PROSECUTOR], [],
        ),
        (
            "取保候审期满未解除：检察机关先行",
            a_finding(EventKind.ORDER_NOT_LIFTED, measure=BAIL), [PROSECUTOR, POLICE], [],
        ),
    ],
)  # fmt: skip
def test_order_by_event(what: str, case: Case, office: list[Recipient], family: list[Recipient]) -> None:
    assert lines(routed(case)) == (office, family), what


def test_the_first_of_each_line_is_told_at_once() -> None:
    found = routed(a_case(measure=BAIL))
    assert [(item.recipient, item.reason.code) for item in found.at_once] == [
        (POLICE, Because.EXECUTES_MEASURE), (FATHER, Because.FIRST_GUARDIAN),
    ]  # fmt: skip


def test_a_blocked_guardian_is_never_told_and_the_next_one_is_first() -> None:
    suspect = a_recipient(13, rank=0, is_blocked=True)
    found = routed(a_case(), suspect, MOTHER, PROSECUTOR)
    assert lines(found)[1] == [MOTHER]
    assert found.family[0].reason.code == Because.FIRST_GUARDIAN
    assert why_not(found, suspect) == Because.BLOCKED


def test_divorced_parents_are_told_in_the_order_of_the_file() -> None:
    assert lines(routed(a_case(), a_recipient(15, rank=2), a_recipient(16, rank=1), PROSECUTOR))[1] == [
        a_recipient(16, rank=1), a_recipient(15, rank=2),
    ]  # fmt: skip


def test_why_each_of_the_others_is_not_told() -> None:
    grown = routed(a_case(birth_date=ADULT))
    assert (why_not(grown, FATHER), why_not(grown, GUARANTOR)) == ("subject_is_adult", "no_guarantor_ordered")
    assert why_not(routed(a_case(is_protected=True)), MOTHER) == "protected_place"
    contact = routed(a_finding(EventKind.CONTACT))
    (reason,) = {item.reason for item in contact.passed_over if item.recipient == FATHER}
    assert reason.zh == "不告知家属：告知即泄露受保护人员的位置"


def test_an_officer_of_another_county_is_not_told() -> None:
    elsewhere = a_recipient(41, Role.POLICE, unit="城北派出所")
    ours = a_recipient(42, Role.POLICE, rank=2, unit="城关派出所")
    found = routed(a_case(measure=BAIL), elsewhere, ours)
    assert lines(found)[0] == [ours]
    assert why_not(found, elsewhere) == Because.OTHER_UNIT


# ---- the 18th birthday


BIRTHDAY = datetime(2026, 3, 20, 16, 0, tzinfo=UTC)
"""21 March 2026 00:00 in Asia/Shanghai."""


@pytest.mark.parametrize(
    ("born", "before", "is_told"),
    [
        (date(2008, 3, 21), timedelta(microseconds=1), True),
        (date(2008, 3, 21), timedelta(0), False),
        (date(2008, 3, 20), timedelta(microseconds=1), False),
        (date(2008, 3, 22), timedelta(hours=-23, minutes=-59), True),
    ],
)
def test_guardians_are_told_until_the_birthday_begins_in_china(born: date, before: timedelta, is_told: bool) -> None:
    found = routed(a_case(birth_date=born), GUARDIAN, at=BIRTHDAY - before)
    assert bool(found.family) == is_told


@pytest.mark.parametrize(("born", "until"), [(date(2008, 2, 29), "2026-03-01T00:00:00+08:00")])
def test_born_on_29_february_one_is_of_age_on_1_march(born: date, until: str) -> None:
    (choice,) = routed(a_case(birth_date=born), GUARDIAN).family or [None]  # 20 March 2026: of age already
    assert choice is None
    (choice,) = routed(a_case(birth_date=born), GUARDIAN, at=datetime(2026, 2, 28, tzinfo=UTC)).family
    assert choice is not None
    assert choice.tell_until == datetime.fromisoformat(until)


def test_a_message_queued_before_midnight_does_not_reach_the_guardian_after_it() -> None:
    decision = decide(
        cases=[a_case(-1, birth_date=date(2008, 3, 21), evening=BIRTHDAY)],
        alerts=[], recipients={1: [GUARDIAN, PROSECUTOR]}, roster=Roster(), policy=POLICY,
    )  # fmt: skip
    to_prosecutor, to_guardian = decision.notifications
    assert may_still_tell(to_guardian, BIRTHDAY - timedelta(microseconds=1)) is None
    refused = may_still_tell(to_guardian, BIRTHDAY)
    assert refused is not None
    assert refused.code == Because.CAME_OF_AGE
    assert may_still_tell(to_prosecutor, BIRTHDAY + timedelta(days=1)) is None


# ---- duty rosters


@pytest.mark.parametrize(
    ("what", "roster", "minutes", "told", "why", "gap"),
    [
        ("当班", Roster(duties=(NIGHT,)), 0, DUTY, Because.ON_DUTY, None),
        ("刚接班", Roster(duties=(NIGHT,)), -60, DUTY, Because.ON_DUTY, None),
        (
            "当班人员缺勤，替班",
            Roster(duties=(NIGHT,), away=(Away(recipient=DUTY, from_at=after(-5), to_at=after(5)),)),
            0, SUBSTITUTE, Because.SUBSTITUTE_ON_DUTY, None,
        ),
        (
            "缺勤结束",
            Roster(duties=(NIGHT,), away=(Away(recipient=DUTY, from_at=after(-5), to_at=after(5)),)),
            5, DUTY, Because.ON_DUTY, None,
        ),
        (
            "临时调班覆盖原排班",
            Roster(duties=(NIGHT, Duty(unit="城关派出所", from_at=after(-10), to_at=after(10), people=(SUBSTITUTE,)))),
            0, SUBSTITUTE, Because.ON_DUTY, None,
        ),
        (
            "已下班：空缺，转负责人",
            Roster(duties=(NIGHT,), leaders={"城关派出所": CHIEF}), 480, CHIEF, Because.LEADER_FOR_GAP, "roster_gap",
        ),
        ("空缺且无负责人", Roster(duties=(NIGHT,)), 480, None, Because.ROSTER_GAP, "roster_gap"),
        (
            "派出所空缺，检察院有人值班",
            Roster(duties=(Duty(unit="某区检察院", from_at=after(0), to_at=after(9), people=(PROSECUTOR_ON_DUTY,)),),
                   leaders={"城关派出所": CHIEF}),
            0, PROSECUTOR_ON_DUTY, Because.ON_DUTY, "roster_gap",
        ),
    ],
)  # fmt: skip
def test_who_is_on_duty(
    what: str, roster: Roster, minutes: float, told: Recipient | None, why: Because, gap: str | None
) -> None:
    found = on_duty_for(a_case(measure=BAIL), roster, at=after(minutes))
    assert (found.recipient, found.reason.code) == (told, why), what
    assert (found.gap and found.gap.code) == gap, what


def test_without_an_officer_on_record_whoever_is_on_duty_is_told_and_a_gap_is_work() -> None:
    on_duty = routed(a_case(measure=BAIL), FATHER, roster=Roster(duties=(NIGHT,)))
    assert lines(on_duty) == ([DUTY], [FATHER])
    assert on_duty.wanting == ()
    gap = routed(a_case(measure=BAIL), FATHER, roster=Roster(leaders={"城关派出所": CHIEF}))
    assert lines(gap) == ([CHIEF], [FATHER])
    assert [item.kind for item in gap.wanting] == [TaskKind.ROSTER_GAP]


@pytest.mark.parametrize("jurisdiction", [COUNTY, Jurisdiction()])
def test_nobody_to_tell_is_never_silence(jurisdiction: Jurisdiction) -> None:
    found = route(a_case(jurisdiction=jurisdiction), at=EVENING, recipients=[], roster=Roster())
    assert found.at_once == ()
    assert [(item.kind, item.reason.code) for item in found.wanting] == [(TaskKind.NOBODY_TO_TELL, "no_officer")]


def test_a_duty_ends_after_it_begins_and_has_somebody() -> None:
    with pytest.raises(ValueError, match="must end after"):
        Duty(unit="x", from_at=after(1), to_at=after(1), people=(DUTY,))
    with pytest.raises(ValueError, match="somebody"):
        Duty(unit="x", from_at=after(0), to_at=after(1), people=())


# ---- whatever the case


RECIPIENTS = st.lists(
    st.builds(
        a_recipient,
        number=st.integers(1, 1000),
        role=st.sampled_from(Role),
        rank=st.integers(1, 3),
        is_blocked=st.booleans(),
        unit=st.sampled_from([None, "城关派出所", "某区检察院", "城北派出所"]),
    ),
    max_size=8,
    unique_by=lambda item: item.recipient_id,
)
ANY_CASE = st.builds(
    a_case,
    kind=st.sampled_from(ConditionKind),
    birth_date=st.dates(date(1990, 1, 1), date(2020, 1, 1)),
    measure=st.sampled_from(Measure),
    is_protected=st.booleans(),
    names_guarantor=st.booleans(),
) | st.builds(
    a_finding,
    event=st.sampled_from(EventKind),
    birth_date=st.dates(date(1990, 1, 1), date(2020, 1, 1)),
    measure=st.sampled_from(Measure),
    names_guarantor=st.booleans(),
)


@given(case=ANY_CASE, recipients=RECIPIENTS, data=st.data())
def test_what_holds_for_every_route(case: Case, recipients: list[Recipient], data: st.DataObject) -> None:
    found = route(case, at=EVENING, recipients=recipients, roster=Roster())
    told = [item.recipient for item in found.office + found.family]
    assert len(told) == len({item.recipient_id for item in told})
    assert not any(item.is_blocked for item in told)
    assert all(item.role in FAMILY_ROLES for item in lines(found)[1])
    if not case.subject.is_minor_at(EVENING):
        assert not any(item.role is Role.GUARDIAN for item in told)
    if case.is_protected or not HEARING_OF_EVENT[case.event].family:
        assert found.family == ()
    if HEARING_OF_EVENT[case.event].officers is Notice.AT_ONCE:
        assert found.office or found.wanting, "somebody is told, or it is said that nobody is"
    if found.queue_only is None:
        assert {item.recipient_id for item in recipients} == {
            item.recipient_id for item in itertools.chain(told, (over.recipient for over in found.passed_over))
        }, "every one is told, or it is said why not"
    shuffled = data.draw(st.permutations(recipients))
    assert route(case, at=EVENING, recipients=shuffled, roster=Roster()) == found


@pytest.mark.golden
def test_every_reason_reads_as_recorded() -> None:
    assert set(WORDS) == set(Because)
    assert_golden("alert_reasons.txt", "\n".join(f"{code}\n  {zh}\n  {en}" for code, (zh, en) in WORDS.items()) + "\n")
