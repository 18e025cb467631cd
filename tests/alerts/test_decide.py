"""Hop 5: which violations are one event, and who is told of it."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert, AlertState, Case, Decision, Notification, Recipient, Role
from alerts.decide import decide, short_reference
from alerts.policy import AlertPolicy
from tests.make import EVENING
from tracking.episode import Violation, derived_id
from tracking.order import PLACE_KINDS, ConditionKind, Subject

POLICY = AlertPolicy()
MINOR = date(2010, 1, 1)
ADULT = date(1990, 1, 1)


def a_case(
    minutes: float = 0.0,
    *,
    live_after: float | None = 0.0,
    zone_no: int = 1,
    subject_no: int = 1,
    kind: ConditionKind = ConditionKind.EXCLUDED_CATEGORIES,
    birth_date: date = MINOR,
    evening: datetime = EVENING,
) -> Case:
    """A violation decided so many minutes into the evening, five after it began, and live so many minutes later."""
    decided_at = evening + timedelta(minutes=minutes)
    live_at = None if live_after is None else decided_at + timedelta(minutes=live_after)
    violation = Violation(
        violation_id=derived_id("violation", round(decided_at.timestamp() * 1e6), subject_no, zone_no, str(kind)),
        episode_id=derived_id("episode", round(decided_at.timestamp() * 1e6), subject_no, zone_no, str(kind)),
        subject_no=subject_no,
        order_no=1,
        condition_no=1,
        zone_no=zone_no,
        kind=kind,
        started_at=decided_at - timedelta(minutes=5),
        decided_at=decided_at,
        known_at=live_at or decided_at + timedelta(hours=8),
        probability=0.9,
        engine_version="test",
        policy_version="test",
        live_at=live_at,
        live_known_at=live_at,
    )
    subject = Subject(subject_no=subject_no, subject_id=UUID(int=subject_no), alias="小丽", birth_date=birth_date)
    return Case(violation=violation, subject=subject)


def a_recipient(number: int, role: Role = Role.GUARDIAN, *, rank: int = 1, is_blocked: bool = False) -> Recipient:
    return Recipient(
        recipient_id=UUID(int=number),
        subject_no=1,
        role=role,
        rank=rank,
        is_blocked=is_blocked,
    )


GUARDIAN, PROSECUTOR = a_recipient(1), a_recipient(2, Role.PROSECUTOR)


@dataclass(kw_only=True)
class Ledger:
    """What the database would hold after some calls, by the rules of alerts.store."""

    recipients: Sequence[Recipient] = (GUARDIAN, PROSECUTOR)
    alerts: dict[UUID, Alert] = field(default_factory=dict)
    attached: dict[UUID, UUID] = field(default_factory=dict)
    notifications: dict[UUID, Notification] = field(default_factory=dict)

    def call(self, cases: Sequence[Case]) -> Decision:
        since = min((case.violation.decided_at for case in cases), default=EVENING) - POLICY.same_event
        decision = decide(
            cases=cases,
            open_alerts=[item for item in self.alerts.values() if is_open(item) and item.last_event_at >= since],
            recipients=dict.fromkeys(range(1, 5), self.recipients),
            policy=POLICY,
        )
        for alert in decision.alerts:
            old = self.alerts.get(alert.alert_id, alert)
            self.alerts[alert.alert_id] = replace(
                old,
                last_event_at=max(old.last_event_at, alert.last_event_at),
                is_late=old.is_late and alert.is_late,
                violation_ids=old.violation_ids | alert.violation_ids,
            )
        for item in decision.attachments:
            self.attached.setdefault(item.violation_id, item.alert_id)
        for told in decision.notifications:
            self.notifications.setdefault(told.notification_id, told)
        return decision

    def told(self) -> list[Role]:
        return sorted(item.role for item in self.notifications.values())


def is_open(alert: Alert) -> bool:
    return alert.state is not AlertState.CLOSED


def told_of(cases: Sequence[Case], *recipients: Recipient) -> list[UUID]:
    ledger = Ledger(recipients=recipients)
    ledger.call(cases)
    return [item.recipient_id for item in ledger.notifications.values()]


def test_a_violation_opens_an_alert_and_tells_guardian_and_prosecutor() -> None:
    ledger = Ledger()
    case = a_case()
    ledger.call([case])
    (alert,) = ledger.alerts.values()
    assert (alert.opened_at, alert.last_event_at, alert.state) == (EVENING, EVENING, AlertState.OPEN)
    assert (alert.kind, alert.is_late) == (ConditionKind.EXCLUDED_CATEGORIES, False)
    assert ledger.attached == {case.violation.violation_id: alert.alert_id}
    assert [(item.role, item.text) for item in ledger.notifications.values()] == [
        (
            Role.PROSECUTOR,
            f"监管对象小丽于21时55分疑似进入禁入区域，请尽快核实。编号{short_reference(alert)}。",
        ),
        (Role.GUARDIAN, "您的孩子小丽于21时55分疑似进入未成年人禁入区域，请尽快核实并带离。"),
    ]


def test_twenty_bars_in_one_mall_within_half_an_hour_are_one_alert_and_one_sms() -> None:
    ledger = Ledger()
    for minute in range(20):
        ledger.call([a_case(minute * 1.5, zone_no=minute)])
    assert len(ledger.alerts) == 1
    assert len(ledger.attached) == 20
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_another_event_after_half_an_hour_is_another_alert() -> None:
    ledger = Ledger()
    ledger.call([a_case(0)])
    ledger.call([a_case(30, zone_no=2)])
    assert len(ledger.alerts) == 1
    ledger.call([a_case(60.1, zone_no=3)])
    assert len(ledger.alerts) == 2
    assert ledger.told() == [Role.GUARDIAN] * 2 + [Role.PROSECUTOR] * 2


def test_an_event_goes_on_as_long_as_its_pauses_are_short() -> None:
    ledger = Ledger()
    for minute in range(0, 200, 25):
        ledger.call([a_case(minute, zone_no=minute)])
    assert [item.last_event_at - item.opened_at for item in ledger.alerts.values()] == [timedelta(minutes=175)]
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_a_closed_alert_that_is_passed_in_takes_nothing_more() -> None:
    (alert,) = Ledger().call([a_case(0)]).alerts
    closed = replace(alert, state=AlertState.CLOSED)
    decision = decide(cases=[a_case(5, zone_no=2)], open_alerts=[closed], recipients={}, policy=POLICY)
    assert [item.alert_id for item in decision.alerts] != [closed.alert_id]


def test_a_closed_alert_takes_nothing_more() -> None:
    ledger = Ledger()
    ledger.call([a_case(0)])
    ledger.alerts = {key: replace(item, state=AlertState.CLOSED) for key, item in ledger.alerts.items()}
    ledger.call([a_case(5, zone_no=2)])
    assert sorted(item.state for item in ledger.alerts.values()) == [AlertState.CLOSED, AlertState.OPEN]


def test_an_acknowledged_alert_takes_the_rest_of_its_event() -> None:
    ledger = Ledger()
    ledger.call([a_case(0)])
    ledger.alerts = {key: replace(item, state=AlertState.ACKNOWLEDGED) for key, item in ledger.alerts.items()}
    ledger.call([a_case(5, zone_no=2)])
    assert [item.state for item in ledger.alerts.values()] == [AlertState.ACKNOWLEDGED]


def test_one_place_under_two_conditions_is_one_event_and_one_sms() -> None:
    ledger = Ledger()
    ledger.call([a_case(0, kind=ConditionKind.EXCLUDED_CATEGORIES), a_case(0, kind=ConditionKind.EXCLUSION_ZONE)])
    ledger.call([a_case(3, kind=ConditionKind.EXCLUSION_ZONE, zone_no=2)])
    assert len(ledger.alerts) == 1
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_leaving_an_area_is_another_event_than_entering_a_place() -> None:
    ledger = Ledger()
    ledger.call([a_case(0), a_case(1, kind=ConditionKind.STAY_WITHIN_AREA)])
    assert sorted(item.kind for item in ledger.alerts.values()) == ["excluded_categories", "stay_within_area"]
    assert any("离开" in item.text for item in ledger.notifications.values())


def test_subjects_do_not_share_alerts() -> None:
    ledger = Ledger()
    ledger.call([a_case(0, subject_no=1), a_case(0, subject_no=2)])
    assert sorted(item.subject_no for item in ledger.alerts.values()) == [1, 2]


def test_guardians_of_an_adult_are_never_told() -> None:
    assert told_of([a_case(birth_date=ADULT)], GUARDIAN, PROSECUTOR) == [PROSECUTOR.recipient_id]


@pytest.mark.parametrize(("minutes", "is_told"), [(-0.001, True), (0, False)])
def test_the_guardian_is_told_until_the_eighteenth_birthday_begins_in_china(minutes: float, is_told: bool) -> None:
    midnight = datetime(2026, 3, 20, 16, 0, tzinfo=UTC)  # 21 March 00:00 in Asia/Shanghai
    case = a_case(minutes, birth_date=date(2008, 3, 21), evening=midnight)
    assert told_of([case], GUARDIAN) == ([GUARDIAN.recipient_id] if is_told else [])


def test_a_blocked_guardian_is_never_told_and_the_next_one_is() -> None:
    blocked, second, third = a_recipient(5, is_blocked=True), a_recipient(6, rank=2), a_recipient(7, rank=3)
    assert told_of([a_case()], third, second, blocked) == [second.recipient_id]
    assert told_of([a_case()], blocked) == []


def test_one_guardian_is_told_and_every_officer() -> None:
    officers = [a_recipient(8, Role.POLICE), a_recipient(9, Role.PROSECUTOR), a_recipient(10, Role.PROSECUTOR)]
    blocked = a_recipient(11, Role.POLICE, is_blocked=True)
    told = told_of([a_case()], a_recipient(6, rank=2), GUARDIAN, *officers, blocked)
    assert set(told) == {GUARDIAN.recipient_id, *(item.recipient_id for item in officers)}


def test_a_late_finding_is_an_alert_that_tells_nobody() -> None:
    ledger = Ledger()
    ledger.call([a_case(live_after=None)])
    assert [item.is_late for item in ledger.alerts.values()] == [True]
    assert ledger.told() == []


def test_a_live_violation_of_an_event_that_told_nobody_yet_is_told() -> None:
    ledger = Ledger()
    ledger.call([a_case(0, live_after=None)])
    ledger.call([a_case(10, zone_no=2)])
    assert [item.is_late for item in ledger.alerts.values()] == [False]
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    ledger.call([a_case(15, zone_no=3), a_case(16, zone_no=4, live_after=None)])
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    assert [item.is_late for item in ledger.alerts.values()] == [False]


@pytest.mark.parametrize("live_after", [1, 29, 31, 120])
def test_a_stay_known_late_is_told_once_it_is_live(live_after: float) -> None:
    """A phone without network sends its backlog while its owner is still there."""
    ledger = Ledger()
    ledger.call([a_case(0, live_after=None)])
    ledger.call([a_case(0, live_after=live_after)])
    assert [item.is_late for item in ledger.alerts.values()] == [False]
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    assert {item.decided_at for item in ledger.notifications.values()} == {EVENING + timedelta(minutes=live_after)}


def test_no_alert_is_left_without_its_violation() -> None:
    ledger = Ledger()
    ledger.call([a_case(0, live_after=None, zone_no=1), a_case(1, live_after=None, zone_no=2)])
    ledger.call([a_case(1, live_after=90, zone_no=2)])
    assert set(ledger.attached.values()) == set(ledger.alerts)


def test_repeats_change_nothing() -> None:
    ledger = Ledger()
    cases = [a_case(0), a_case(10, zone_no=2), a_case(90, live_after=None), a_case(90, live_after=50)]
    ledger.call(cases)
    before = (dict(ledger.alerts), dict(ledger.attached), dict(ledger.notifications))
    for case in cases:
        ledger.call([case])
    ledger.call(cases)
    assert (ledger.alerts, ledger.attached, ledger.notifications) == before


def test_nothing_gives_nothing() -> None:
    assert Ledger().call([]) == Decision(alerts=(), attachments=(), notifications=())


CASES = st.lists(
    st.builds(
        a_case,
        minutes=st.integers(0, 200),
        live_after=st.sampled_from([None, 0.0, 0.0, 5.0, 40.0, 90.0]),
        zone_no=st.integers(1, 3),
        subject_no=st.integers(1, 2),
        kind=st.sampled_from(sorted(PLACE_KINDS)),
    ),
    max_size=12,
    unique_by=lambda case: case.violation.violation_id,
)


@given(cases=CASES, seed=st.integers(0, 1000))
def test_the_order_of_cases_in_a_call_does_not_matter(cases: list[Case], seed: int) -> None:
    shuffled = list(cases)
    random.Random(seed).shuffle(shuffled)
    one, other = Ledger(), Ledger()
    one.call(cases)
    other.call(shuffled)
    assert one == other


@given(cases=CASES, cuts=st.sets(st.integers(0, 300), max_size=6))
def test_calls_as_time_goes_by_decide_what_one_call_decides(cases: list[Case], cuts: set[int]) -> None:
    whole, parts = Ledger(), Ledger()
    whole.call(cases)
    edges = [datetime.min.replace(tzinfo=UTC), *(EVENING + timedelta(minutes=cut) for cut in sorted(cuts)), None]
    for since, until in itertools.pairwise(edges):
        parts.call([known for case in cases if (known := as_known(case, since, until)) is not None])
    assert parts == whole


def as_known(case: Case, since: datetime | None, until: datetime | None) -> Case | None:
    """What evaluation says of the case in the batch that covers this span of event time: nothing, or what it found."""
    assert since is not None
    violation = case.violation
    moments = [violation.decided_at] if violation.live_at is None else [violation.decided_at, violation.live_at]
    if not any(since < moment and (until is None or moment <= until) for moment in moments):
        return None
    if violation.live_at is not None and until is not None and violation.live_at > until:
        return replace(case, violation=replace(violation, live_at=None, live_known_at=None))
    return case


@given(cases=CASES)
def test_every_violation_has_an_alert_and_only_live_alerts_tell_once(cases: list[Case]) -> None:
    ledger = Ledger()
    ledger.call(cases)
    assert set(ledger.attached) == {case.violation.violation_id for case in cases}
    assert set(ledger.attached.values()) == set(ledger.alerts)
    live = {alert.alert_id for alert in ledger.alerts.values() if not alert.is_late}
    told = [(item.alert_id, item.role) for item in ledger.notifications.values()]
    assert sorted(told) == sorted((alert_id, role) for alert_id in live for role in (Role.GUARDIAN, Role.PROSECUTOR))
