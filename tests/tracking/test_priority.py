"""Which rule governs, named and with its reason, the same as the engine finds; leaves and exemptions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden_files import assert_golden
from tests.make import EVENING
from tests.tracking.scene import (
    a_condition,
    a_scene,
    a_track,
    a_zone,
    absence_of,
    an_area,
    an_order,
    exempt_zone_of,
)
from tests.tracking.test_order import in_shanghai
from tracking.allowances import Allowances
from tracking.leave import (
    EXEMPTION_NAMES_ZH,
    Approval,
    Exemption,
    ExemptionKind,
    Leave,
    LeaveFault,
    approved_from,
    check_leave,
    in_force,
    organs_needed,
)
from tracking.order import Condition, ConditionKind, Measure, Organ, SupervisionOrder
from tracking.priority import (
    RANK_NAMES_EN,
    RANK_NAMES_ZH,
    Claim,
    RuleRank,
    Ruling,
    Says,
    claims_on,
    rank_of,
    resolve,
)
from tracking.zone import Zone, ZoneKind, ZoneOrigin

POLICE, PROCURATORATE, COURT = Organ.POLICE, Organ.PROCURATORATE, Organ.COURT
BAIL, AT_HOME, CNP = Measure.BAIL, Measure.RESIDENTIAL_SURVEILLANCE, Measure.CONDITIONAL_NON_PROSECUTION
NOON = in_shanghai(2026, 3, 10, 12)
DAY = timedelta(days=1)

BAR = a_zone(7)
DRAWN = replace(a_zone(8, category=None), origin=ZoneOrigin.CONDITION)
BY_SUPERVISOR = replace(a_zone(9, category=None), origin=ZoneOrigin.SUPERVISOR)
CITY = replace(an_area(10), origin=ZoneOrigin.BOUNDARY)
NO_BARS = a_condition(1)
NOT_THERE = a_condition(2, ConditionKind.EXCLUSION_ZONE, zone_no=8)
NOT_THERE_EITHER = a_condition(3, ConditionKind.EXCLUSION_ZONE, zone_no=9)
STAY = a_condition(4, ConditionKind.STAY_WITHIN_AREA, zone_no=10)
ORDER = replace(
    an_order(
        NO_BARS,
        NOT_THERE,
        NOT_THERE_EITHER,
        STAY,
        valid_from=in_shanghai(2026, 1, 1),
        valid_to=in_shanghai(2026, 12, 31),
    ),
    measure=BAIL,
    document_number="合成公取保〔2026〕1号",
)


def an_exemption(zone: Zone, **changes: object) -> Exemption:
    usual = Exemption(
        exemption_no=21,
        subject_no=ORDER.subject_no,
        kind=ExemptionKind.HOME,
        zone_key=zone.key,
        approved_by="李检察官",
        reason="住在该酒吧楼上",
        valid_from=NOON - DAY,
        valid_to=NOON + DAY,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def a_leave(**changes: object) -> Leave:
    usual = Leave(
        leave_no=31,
        subject_no=ORDER.subject_no,
        reason="就医",
        destination="合成市第一医院",
        route="G30 高速",
        transport="客车",
        contact="13800000123",
        starts_at=NOON - DAY,
        ends_at=NOON + DAY,
        asked_at=NOON - 3 * DAY,
        approvals=(Approval(organ=POLICE, officer="王警官", approved_at=NOON - 2 * DAY),),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def ruling(
    zone: Zone,
    condition: Condition,
    *,
    leave: Leave | None = None,
    exemption: Exemption | None = None,
    at: datetime = NOON,
    order: SupervisionOrder = ORDER,
    decided_by: Organ = POLICE,
) -> Ruling:
    left = None if leave is None else in_force(leave, measure=order.measure, decided_by=decided_by)
    claims = claims_on(
        zone,
        order=order,
        condition=condition,
        leaves=() if left is None else (left,),
        exemptions=() if exemption is None else (exemption,),
    )
    return resolve(claims, at=at)


SITUATIONS: list[tuple[str, Ruling, bool, RuleRank | None]] = [
    ("酒吧：决定书禁止进入该类场所", ruling(BAR, NO_BARS), True, RuleRank.VENUE_DEFAULT),
    ("住在酒吧楼上，豁免有效", ruling(BAR, NO_BARS, exemption=an_exemption(BAR)), False, RuleRank.EXEMPTION),
    (
        "豁免已到期",
        ruling(BAR, NO_BARS, exemption=an_exemption(BAR), at=NOON + DAY),
        True,
        RuleRank.VENUE_DEFAULT,
    ),
    ("豁免只对该处有效", ruling(BAR, NO_BARS, exemption=an_exemption(DRAWN)), True, RuleRank.VENUE_DEFAULT),
    (
        "别人的豁免",
        ruling(BAR, NO_BARS, exemption=an_exemption(BAR, subject_no=99)),
        True,
        RuleRank.VENUE_DEFAULT,
    ),
    ("监管人划定的区域", ruling(BY_SUPERVISOR, NOT_THERE_EITHER), True, RuleRank.SUPERVISOR_ZONE),
    (
        "监管人划定的区域里是本人学校",
        ruling(BY_SUPERVISOR, NOT_THERE_EITHER, exemption=an_exemption(BY_SUPERVISOR, kind=ExemptionKind.SCHOOL)),
        False,
        RuleRank.EXEMPTION,
    ),
    (
        "决定书划定的区域：豁免不能突破",
        ruling(DRAWN, NOT_THERE, exemption=an_exemption(DRAWN)),
        True,
        RuleRank.COURT_ORDER,
    ),
    ("决定书划定的区域：外出也不能进入", ruling(DRAWN, NOT_THERE, leave=a_leave()), True, RuleRank.COURT_ORDER),
    ("离开市县，未经批准", ruling(CITY, STAY), True, RuleRank.COURT_ORDER),
    ("离开市县，已获批准", ruling(CITY, STAY, leave=a_leave()), False, RuleRank.LEAVE),
    (
        "外出逾期一小时未归",
        ruling(CITY, STAY, leave=a_leave(), at=NOON + DAY + timedelta(hours=1)),
        True,
        RuleRank.COURT_ORDER,
    ),
    (
        "检察院决定的取保候审，只有公安批准",
        ruling(CITY, STAY, leave=a_leave(), decided_by=PROCURATORATE),
        True,
        RuleRank.COURT_ORDER,
    ),
    (
        "检察院决定的取保候审，两机关都同意",
        ruling(
            CITY,
            STAY,
            decided_by=PROCURATORATE,
            leave=a_leave(
                approvals=(
                    Approval(organ=PROCURATORATE, officer="李检察官", approved_at=NOON - 2 * DAY),
                    Approval(organ=POLICE, officer="王警官", approved_at=NOON - DAY),
                )
            ),
        ),
        False,
        RuleRank.LEAVE,
    ),
    ("个人豁免不能代替外出批准", ruling(CITY, STAY, exemption=an_exemption(CITY)), True, RuleRank.COURT_ORDER),
    ("外出途中进了路线上的酒吧", ruling(BAR, NO_BARS, leave=a_leave()), True, RuleRank.VENUE_DEFAULT),
    (
        "同一人被附条件不起诉：公安批准不够",
        ruling(CITY, STAY, leave=a_leave(), order=replace(ORDER, measure=CNP), decided_by=PROCURATORATE),
        True,
        RuleRank.COURT_ORDER,
    ),
    ("决定书失效后没有规则", ruling(CITY, STAY, at=in_shanghai(2026, 12, 31)), False, None),
]


@pytest.mark.parametrize(
    ("name", "decided", "is_forbidden", "rank"), SITUATIONS, ids=[situation[0] for situation in SITUATIONS]
)
def test_rule_that_governs_is_the_one_of_the_highest_rank(
    name: str, decided: Ruling, is_forbidden: bool, rank: RuleRank | None
) -> None:
    assert decided.is_forbidden is is_forbidden
    assert (None if decided.governs is None else decided.governs.rank) is rank


@pytest.mark.golden
def test_every_ruling_names_the_rule_that_won_and_why() -> None:
    assert_golden(
        "priority.txt",
        "".join(f"# {name}\n{decided.why_zh}\n{decided.why_en}\n" for name, decided, _, _ in SITUATIONS),
    )


claims = st.builds(
    Claim,
    rank=st.sampled_from(list(RuleRank)),
    says=st.sampled_from(list(Says)),
    rule_no=st.integers(1, 5),
    name_zh=st.sampled_from("甲乙丙"),
    name_en=st.just("x"),
    valid_from=st.sampled_from([NOON - DAY, NOON, NOON + DAY]),
    valid_to=st.sampled_from([NOON, NOON + DAY, NOON + 2 * DAY]),
)


@given(st.lists(claims, max_size=6), st.randoms(use_true_random=False))
def test_order_of_claims_does_not_matter_and_what_lost_could_be_left_out(
    given_claims: list[Claim], order: object
) -> None:
    decided = resolve(given_claims, at=NOON)
    shuffled = list(given_claims)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled, at=NOON) == decided
    in_force = [claim for claim in given_claims if claim.valid_from <= NOON < claim.valid_to]
    assert len(decided.beaten) + (decided.governs is not None) == len(in_force)
    if decided.governs is not None:
        assert decided.governs.rank == max(claim.rank for claim in in_force)
        of_rank = [claim for claim in in_force if claim.rank == decided.governs.rank]
        assert decided.is_forbidden is any(claim.says is Says.FORBIDS for claim in of_rank)
        assert resolve([decided.governs], at=NOON).is_forbidden is decided.is_forbidden


def test_ranks_stand_in_the_order_of_the_design_and_have_names() -> None:
    assert sorted(RuleRank, reverse=True) == [
        RuleRank.COURT_ORDER,
        RuleRank.LEAVE,
        RuleRank.EXEMPTION,
        RuleRank.SUPERVISOR_ZONE,
        RuleRank.VENUE_DEFAULT,
    ]
    assert set(RANK_NAMES_ZH) == set(RANK_NAMES_EN) == set(RuleRank)
    assert set(EXEMPTION_NAMES_ZH) == set(ExemptionKind)
    assert rank_of(BY_SUPERVISOR, NO_BARS) is RuleRank.SUPERVISOR_ZONE


def test_a_leave_recorded_for_an_area_that_a_supervisor_drew_outranks_it() -> None:
    area = replace(CITY, origin=ZoneOrigin.SUPERVISOR)
    assert not ruling(area, STAY, leave=a_leave()).is_forbidden
    assert ruling(area, STAY, exemption=an_exemption(area)).is_forbidden


# ---- leaves and exemptions


@pytest.mark.parametrize(
    ("measure", "decided_by", "organs"),
    [
        (BAIL, POLICE, (POLICE,)),
        (BAIL, PROCURATORATE, (PROCURATORATE, POLICE)),
        (BAIL, COURT, (COURT, POLICE)),
        (AT_HOME, POLICE, (POLICE,)),
        (AT_HOME, PROCURATORATE, (PROCURATORATE, POLICE)),
        (CNP, PROCURATORATE, (PROCURATORATE,)),
    ],
)
def test_leave_needs_the_organs_of_its_measure(measure: Measure, decided_by: Organ, organs: tuple[Organ, ...]) -> None:
    assert organs_needed(measure, decided_by) == organs


def test_leave_holds_from_its_last_approval_and_ends_at_the_first_of_its_ends() -> None:
    late = a_leave(approvals=(Approval(organ=POLICE, officer="王", approved_at=NOON),))

    def span(leave: Leave) -> tuple[datetime, datetime] | None:
        found = in_force(leave, measure=BAIL, decided_by=POLICE)
        return None if found is None else (found.starts_at, found.ends_at)

    assert span(a_leave()) == (NOON - DAY, NOON + DAY)
    assert span(late) == (NOON, NOON + DAY)
    assert span(replace(late, withdrawn_at=NOON + timedelta(hours=1))) == (NOON, NOON + timedelta(hours=1))
    assert span(replace(late, returned_at=NOON)) is None
    assert span(a_leave(approvals=())) is None
    assert approved_from(a_leave(approvals=()), measure=BAIL, decided_by=POLICE) is None


def test_overstay_lasts_from_the_end_until_the_return_is_reported() -> None:
    back = NOON + DAY + timedelta(hours=3)
    leave = a_leave(returned_at=back)
    asked = [NOON, NOON + DAY, back - timedelta(microseconds=1), back]
    assert [leave.is_overstayed_at(at) for at in asked] == [False, True, True, False]
    assert not a_leave(withdrawn_at=NOON).is_overstayed_at(NOON + 2 * DAY)
    assert a_leave().is_overstayed_at(NOON + 9 * DAY)


@pytest.mark.parametrize(
    ("leave", "decided_by", "faults"),
    [
        (a_leave(), POLICE, []),
        (a_leave(route=" ", contact=""), POLICE, [LeaveFault.INCOMPLETE]),
        (a_leave(), PROCURATORATE, [LeaveFault.NOT_APPROVED]),
        (
            a_leave(
                approvals=(
                    Approval(organ=POLICE, officer="王", approved_at=NOON - 2 * DAY),
                    Approval(organ=PROCURATORATE, officer="李", approved_at=NOON - DAY),
                )
            ),
            PROCURATORATE,
            [LeaveFault.CONSENT_AFTERWARDS],
        ),
        (a_leave(is_urgent=True, ends_at=NOON), POLICE, [LeaveFault.NO_PAPERS]),
        (a_leave(is_urgent=True, ends_at=NOON, papers_at=NOON), POLICE, []),
        (a_leave(is_urgent=True), POLICE, []),
    ],
)
def test_faults_of_an_application_are_named(leave: Leave, decided_by: Organ, faults: list[LeaveFault]) -> None:
    found = check_leave(leave, measure=BAIL, decided_by=decided_by, now=NOON)
    assert [finding.fault for finding in found] == faults
    assert all(finding.stops is (finding.fault is LeaveFault.NOT_APPROVED) for finding in found)
    assert all(finding.articles and finding.text_zh and finding.text_en for finding in found)


def test_exemption_without_reason_approver_or_expiry_cannot_be_made() -> None:
    for change in ({"reason": " "}, {"approved_by": ""}, {"valid_to": NOON - DAY}):
        with pytest.raises(ValueError, match=r"豁免|颠倒"):
            an_exemption(BAR, **change)
    with pytest.raises(ValueError, match="颠倒"):
        a_leave(ends_at=NOON - DAY)


def test_dates_in_utc_and_in_shanghai_rule_alike() -> None:
    assert ruling(BAR, NO_BARS, at=NOON.astimezone(UTC)).why_zh == ruling(BAR, NO_BARS).why_zh


# ---- what the words say is what the engine does


@pytest.mark.parametrize("is_exempt", [False, True])
@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.parametrize(
    ("zone", "condition"),
    [
        pytest.param(BAR, NO_BARS, id="category"),
        pytest.param(BAR, a_condition(5, ConditionKind.EXCLUSION_ZONE, zone_no=7), id="named venue"),
        pytest.param(DRAWN, NOT_THERE, id="drawn"),
        pytest.param(BY_SUPERVISOR, NOT_THERE_EITHER, id="supervisor"),
        pytest.param(CITY, STAY, id="city"),
        pytest.param(replace(CITY, origin=ZoneOrigin.SUPERVISOR), STAY, id="supervisor's area"),
    ],
)
def test_the_rule_that_wins_by_the_words_is_the_one_that_the_engine_enforces(
    zone: Zone, condition: Condition, is_away: bool, is_exempt: bool
) -> None:
    leave = a_leave(starts_at=EVENING - DAY, ends_at=EVENING + DAY) if is_away else None
    exemption = an_exemption(zone, valid_from=EVENING - DAY, valid_to=EVENING + DAY) if is_exempt else None
    order = replace(ORDER, conditions=(condition,))
    left = None if leave is None else in_force(leave, measure=BAIL, decided_by=POLICE)
    allowed = Allowances(
        absences=() if left is None else (absence_of(left),),
        exempt_zones=() if exemption is None else (exempt_zone_of(exemption),),
    )
    breaching_m = 0.0 if zone.kind is ZoneKind.EXCLUSION else 9_000.0
    found = a_scene(zone, orders=[order], allowances=allowed).run(a_track(np.arange(0.0, 40.0), breaching_m)).violations
    words = ruling(zone, condition, leave=leave, exemption=exemption, at=EVENING + timedelta(minutes=20), order=order)
    assert words.is_forbidden is bool(found)
