"""Hop 5: which violations are one event, and who is told of it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from alerts.alert import (
    AlertState,
    Role,
    TaskKind,
)
from alerts.decide import Decision
from alerts.event import EventKind
from alerts.history import HistoryKind
from alerts.telling import short_reference
from tests.alerts.ledger import Ledger
from tests.alerts.make_alerts import (
    ADULT,
    GUARDIAN,
    POLICE,
    PROSECUTOR,
    a_case,
    a_finding,
    a_recipient,
    after,
)
from tests.make import EVENING
from tracking.order import ConditionKind


def test_a_violation_opens_an_alert_and_tells_guardian_and_prosecutor() -> None:
    ledger = Ledger()
    case = a_case()
    ledger.call(case)
    alert = ledger.only_alert()
    assert (alert.opened_at, alert.last_event_at, alert.state) == (EVENING, EVENING, AlertState.OPEN)
    assert (alert.event, alert.kind, alert.is_late) == (EventKind.ENTRY, ConditionKind.EXCLUDED_CATEGORIES, False)
    assert ledger.attached == {case.fact_id: alert.alert_id}
    assert [(item.role, item.text) for item in ledger.notifications.values()] == [
        (
            Role.PROSECUTOR,
            f"监管对象小丽于21时55分疑似进入禁入区域，请尽快核实。编号{short_reference(alert)}。",
        ),
        (Role.GUARDIAN, "您的孩子小丽于21时55分疑似进入未成年人禁入区域，请尽快核实并带离。"),
    ]
    assert ledger.happened(HistoryKind.OPENED) == ["new_event"]
    assert sorted(ledger.happened(HistoryKind.TOLD)) == ["first_guardian", "supervises_conditions"]
    assert [(step.due_at - EVENING) / timedelta(minutes=1) for step in ledger.steps.values()] == [10, 20, 30, 60]


def test_fifty_fixes_in_one_bar_are_one_alert_and_one_message_to_the_guardian() -> None:
    """The stay is one violation, found again with every fix of the evening."""
    ledger = Ledger(recipients=[GUARDIAN])
    stay = a_case()
    for _ in range(50):
        ledger.call(stay)
    assert len(ledger.alerts) == 1
    assert ledger.told() == [Role.GUARDIAN]


def test_twenty_bars_in_one_mall_within_half_an_hour_are_one_alert_and_one_sms() -> None:
    ledger = Ledger()
    for minute in range(20):
        ledger.call(a_case(minute * 1.5, zone_no=minute))
    assert len(ledger.alerts) == 1
    assert len(ledger.attached) == 20
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    assert ledger.happened(HistoryKind.ATTACHED) == ["same_event"] * 19


def test_another_place_after_half_an_hour_is_another_alert() -> None:
    ledger = Ledger()
    ledger.call(a_case(0))
    ledger.call(a_case(30, zone_no=2))
    assert len(ledger.alerts) == 1
    ledger.call(a_case(60.1, zone_no=3))
    assert len(ledger.alerts) == 2
    assert ledger.told() == [Role.GUARDIAN] * 2 + [Role.PROSECUTOR] * 2


@pytest.mark.parametrize(("hours", "alert_count"), [(1, 1), (5.99, 1), (6, 2), (20, 2)])
def test_the_same_place_within_six_hours_attaches_and_tells_nobody_again(hours: float, alert_count: int) -> None:
    ledger = Ledger()
    ledger.call(a_case(0))
    ledger.call(a_case(hours * 60))
    assert len(ledger.alerts) == alert_count
    assert len(ledger.attached) == 2
    assert ledger.told().count(Role.GUARDIAN) == alert_count
    assert ledger.happened(HistoryKind.ATTACHED) == ["cooling_down"] * (2 - alert_count)


def test_a_repeat_within_the_cool_down_does_not_hide_another_place_after_it() -> None:
    ledger = Ledger()
    ledger.call(a_case(0), a_case(180), a_case(190, zone_no=2))
    assert len(ledger.alerts) == 2
    assert ledger.told().count(Role.GUARDIAN) == 2


def test_a_place_of_which_nobody_was_told_does_not_cool_down() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, live_after=None))
    ledger.call(a_case(180))
    assert sorted(alert.is_late for alert in ledger.alerts.values()) == [False, True]
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_an_event_goes_on_as_long_as_its_pauses_are_short() -> None:
    ledger = Ledger()
    for minute in range(0, 200, 25):
        ledger.call(a_case(minute, zone_no=minute))
    assert ledger.only_alert().last_event_at == after(175)
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_an_acknowledged_alert_takes_the_rest_of_its_event() -> None:
    ledger = Ledger()
    ledger.call(a_case(0))
    ledger.alerts = {key: replace(item, state=AlertState.ACKNOWLEDGED) for key, item in ledger.alerts.items()}
    ledger.call(a_case(5, zone_no=2))
    assert ledger.only_alert().state is AlertState.ACKNOWLEDGED


def test_after_the_child_was_taken_away_the_same_bar_is_another_event() -> None:
    ledger = Ledger()
    ledger.call(a_case(0))
    taken_away = replace(ledger.only_alert(), state=AlertState.ACKNOWLEDGED, settled_at=after(20))
    ledger.alerts = {taken_away.alert_id: taken_away}
    ledger.call(a_case(25))
    assert len(ledger.alerts) == 2
    assert ledger.told().count(Role.GUARDIAN) == 2


def test_one_place_under_two_conditions_is_one_event_and_one_sms() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, kind=ConditionKind.EXCLUDED_CATEGORIES), a_case(0, kind=ConditionKind.EXCLUSION_ZONE))
    ledger.call(a_case(3, kind=ConditionKind.EXCLUSION_ZONE, zone_no=2))
    assert len(ledger.alerts) == 1
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_one_step_out_of_the_door_breaches_curfew_and_area_and_is_one_alert() -> None:
    ledger = Ledger()
    ledger.call(
        a_case(0, kind=ConditionKind.CURFEW), a_case(1, kind=ConditionKind.STAY_AT_PLACE),
        a_case(2, kind=ConditionKind.STAY_WITHIN_AREA), a_finding(EventKind.CURFEW_UNACCOUNTED, 3),
        a_finding(EventKind.LEAVE_OVERSTAY, 4),
    )  # fmt: skip
    assert len(ledger.alerts) == 1
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_leaving_an_area_is_another_event_than_entering_a_place() -> None:
    ledger = Ledger()
    ledger.call(a_case(0), a_case(1, kind=ConditionKind.STAY_WITHIN_AREA))
    assert sorted(item.event for item in ledger.alerts.values()) == [EventKind.DEPARTURE, EventKind.ENTRY]
    assert any("离开" in item.text for item in ledger.notifications.values())


def test_a_warning_of_the_battery_never_quietens_what_happens_then() -> None:
    ledger = Ledger()
    ledger.call(a_finding(EventKind.LOW_BATTERY, 0))
    assert ledger.told() == [Role.GUARDIAN]
    assert ledger.steps == {}
    ledger.call(a_finding(EventKind.POWER_OFF, 20), a_finding(EventKind.SILENCE, 45))
    assert len(ledger.alerts) == 2
    assert ledger.told() == [Role.GUARDIAN] * 2 + [Role.PROSECUTOR]


def test_a_protected_place_does_not_quieten_a_forbidden_one() -> None:
    """The officers hear of the witness's street, and nobody else; the guardian hears of the bar next to it."""
    ledger = Ledger()
    ledger.call(a_case(0, kind=ConditionKind.EXCLUSION_ZONE, is_protected=True))
    assert ledger.told() == [Role.PROSECUTOR]
    ledger.call(a_case(5, zone_no=2))
    assert len(ledger.alerts) == 2
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR, Role.PROSECUTOR]


def test_subjects_do_not_share_alerts() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, subject_no=1), a_case(0, subject_no=2))
    assert sorted(item.subject_no for item in ledger.alerts.values()) == [1, 2]


# ---- late facts


def test_a_late_finding_is_an_alert_that_tells_nobody() -> None:
    ledger = Ledger()
    ledger.call(a_case(live_after=None))
    assert ledger.only_alert().is_late
    assert (ledger.told(), ledger.steps) == ([], {})
    assert ledger.happened(HistoryKind.OPENED) == ["late_only"]


def test_a_live_violation_of_an_event_that_told_nobody_yet_is_told() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, live_after=None))
    ledger.call(a_case(10, zone_no=2))
    assert not ledger.only_alert().is_late
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    ledger.call(a_case(15, zone_no=3), a_case(16, zone_no=4, live_after=None))
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    assert not ledger.only_alert().is_late


@pytest.mark.parametrize("live_after", [1, 29, 31, 120])
def test_a_stay_known_late_is_told_once_it_is_live(live_after: float) -> None:
    """A phone without network sends its backlog while its owner is still there."""
    ledger = Ledger()
    ledger.call(a_case(0, live_after=None))
    ledger.call(a_case(0, live_after=live_after))
    assert not ledger.only_alert().is_late
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    assert {item.decided_at for item in ledger.notifications.values()} == {after(live_after)}


def test_what_follows_a_stay_that_went_on_is_the_same_event() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, live_after=None))
    ledger.call(a_case(0, live_after=90), a_case(110, zone_no=2))
    assert ledger.only_alert().last_event_at == after(110)
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]


def test_silence_that_goes_on_is_told_though_the_worker_was_down_when_it_began() -> None:
    ledger = Ledger()
    ledger.call(a_finding(EventKind.SILENCE, 0, known_after=120))
    assert not ledger.only_alert().is_late
    assert {item.decided_at for item in ledger.notifications.values()} == {after(120)}


def test_silence_that_was_over_before_it_was_known_tells_nobody() -> None:
    ledger = Ledger()
    begin = a_finding(EventKind.SILENCE, 0, known_after=120, is_over=True)
    ledger.call(begin, a_finding(EventKind.SILENCE, 30, known_after=90, ends=begin.fact_id))
    assert ledger.only_alert().is_late
    assert len(ledger.attached) == 2
    assert ledger.told() == []


def test_the_end_of_a_finding_joins_its_alert_and_tells_nobody() -> None:
    ledger = Ledger()
    begin = a_finding(EventKind.SILENCE, 0)
    ledger.call(begin)
    told = dict(ledger.notifications)
    ledger.call(a_finding(EventKind.SILENCE, 500, ends=begin.fact_id))
    assert len(ledger.only_alert().fact_ids) == 2
    assert ledger.notifications == told
    assert ledger.happened(HistoryKind.ATTACHED) == ["event_over"]


def test_an_end_without_a_beginning_opens_nothing() -> None:
    ledger = Ledger()
    assert ledger.call(a_finding(EventKind.SILENCE, 0, ends=UUID(int=5))) == Decision()


def test_no_alert_is_left_without_its_violation() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, live_after=None, zone_no=1), a_case(1, live_after=None, zone_no=2))
    ledger.call(a_case(1, live_after=90, zone_no=2))
    assert set(ledger.attached.values()) == set(ledger.alerts)


# ---- closed alerts


def test_what_happens_after_the_closing_is_another_alert() -> None:
    ledger = Ledger()
    ledger.call(a_case(0))
    ledger.close(4)
    ledger.call(a_case(5))
    assert sorted(item.state for item in ledger.alerts.values()) == [AlertState.CLOSED, AlertState.OPEN]
    assert ledger.told().count(Role.GUARDIAN) == 2


@pytest.mark.parametrize("live_after", [None, 0.0])
def test_what_happened_before_the_closing_and_is_known_after_it_opens_no_second_alert(live_after: float | None) -> None:
    ledger = Ledger()
    ledger.call(a_case(0))
    told = dict(ledger.notifications)
    ledger.close(20)
    ledger.call(a_case(10, zone_no=2, live_after=live_after))
    assert ledger.only_alert().state is AlertState.CLOSED
    assert len(ledger.only_alert().fact_ids) == 2
    assert ledger.notifications == told
    assert ledger.happened(HistoryKind.ATTACHED_AFTER_CLOSING) == ["happened_before_closing"]
    assert [task.kind for task in ledger.tasks.values()] == [TaskKind.LATE_EVIDENCE]


def test_a_late_alert_that_was_closed_is_opened_again_if_the_stay_goes_on() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, live_after=None))
    ledger.close(60)
    ledger.call(a_case(0, live_after=90))
    assert ledger.only_alert().state is AlertState.OPEN
    assert ledger.told() == [Role.GUARDIAN, Role.PROSECUTOR]
    assert ledger.happened(HistoryKind.REOPENED) == ["still_going_on"]


def test_late_evidence_of_a_told_and_closed_alert_that_turns_out_to_go_on_is_told_again() -> None:
    ledger = Ledger()
    ledger.call(a_case(0))
    ledger.close(25)
    ledger.call(a_case(20, zone_no=2, live_after=None))
    assert ledger.told().count(Role.GUARDIAN) == 1
    ledger.call(a_case(20, zone_no=2, live_after=60))
    assert ledger.only_alert().state is AlertState.OPEN
    assert ledger.told().count(Role.GUARDIAN) == 2
    ledger.close(100)
    ledger.call(a_case(20, zone_no=2, live_after=60))
    assert ledger.only_alert().state is AlertState.CLOSED
    assert ledger.told().count(Role.GUARDIAN) == 2


# ---- who is told, as far as hop 5 goes (tests/alerts/test_routing.py says the rest)


def test_guardians_of_an_adult_are_never_told() -> None:
    ledger = Ledger()
    ledger.call(a_case(birth_date=ADULT))
    assert ledger.told() == [Role.PROSECUTOR]
    assert "subject_is_adult" in ledger.happened(HistoryKind.NOT_TOLD)


@pytest.mark.parametrize(("minutes", "is_told"), [(-0.001, True), (0, False)])
def test_the_guardian_is_told_until_the_eighteenth_birthday_begins_in_china(minutes: float, is_told: bool) -> None:
    midnight = datetime(2026, 3, 20, 16, 0, tzinfo=UTC)  # 21 March 00:00 in Asia/Shanghai
    ledger = Ledger(recipients=[GUARDIAN])
    ledger.call(a_case(minutes, birth_date=date(2008, 3, 21), evening=midnight))
    assert ledger.told() == ([Role.GUARDIAN] if is_told else [])
    assert {item.tell_until for item in ledger.notifications.values()} <= {midnight}


def test_one_of_each_line_is_told_and_the_others_are_next() -> None:
    others = [a_recipient(6, rank=2), a_recipient(8, Role.PROSECUTOR, rank=2), POLICE]
    ledger = Ledger(recipients=[*others, GUARDIAN, PROSECUTOR])
    ledger.call(a_case())
    assert {item.recipient_id for item in ledger.notifications.values()} == {
        GUARDIAN.recipient_id, PROSECUTOR.recipient_id,
    }  # fmt: skip
    assert ledger.happened(HistoryKind.NOT_TOLD) == ["after_first"] * 3


def test_nobody_to_tell_is_said_and_is_work() -> None:
    ledger = Ledger(recipients=[a_recipient(5, is_blocked=True)])
    ledger.call(a_case())
    assert ledger.told() == []
    assert ledger.happened(HistoryKind.NOBODY_TO_TELL) == ["no_officer"]
    assert [task.kind for task in ledger.tasks.values()] == [TaskKind.NOBODY_TO_TELL]
    assert len(ledger.steps) == 4, "and the steps go on: by then somebody may be on record"
