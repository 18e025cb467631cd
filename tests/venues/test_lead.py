"""A lead's life: nobody goes on before somebody was there, clocks run by the calendar, nothing is taken back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.lead import (
    LeadColour,
    LeadError,
    LeadEvent,
    LeadState,
    LeadStep,
    next_steps,
    recheck_on,
    reply_clock,
    reply_due_on,
    state_of,
    with_step,
)
from venues.lead_figures import LeadLife, LeadOutcome, MonthFigures, RegulatorFigures, lead_figures, outcome_of
from venues.lead_pattern import LeadGround

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
DELIVERED = date(2026, 3, 10)

GIVEN: dict[LeadStep, dict[str, Any]] = {
    LeadStep.CHECK: {"on": date(2026, 3, 3), "is_found": True},
    LeadStep.DISMISS: {"note": "已搬离"},
    LeadStep.CONSULT: {"regulator": "市场监督管理部门"},
    LeadStep.RECOMMEND: {"regulator": "文化和旅游主管部门", "document_number": "检建〔2026〕3号"},
    LeadStep.DELIVER: {"on": DELIVERED},
    LeadStep.REPLY: {"on": date(2026, 4, 20)},
    LeadStep.RECHECK: {"on": date(2026, 5, 21), "is_found": True},
    LeadStep.OPEN_CASE: {"document_number": "立案〔2026〕1号"},
    LeadStep.REOPEN: {"note": "再次接到举报"},
}


def lead(*steps: LeadStep | tuple[LeadStep, dict[str, Any]]) -> tuple[LeadEvent, ...]:
    events: tuple[LeadEvent, ...] = (LeadEvent(step=LeadStep.OPEN, at=BEGAN, by="hulan"),)
    for number, named in enumerate(steps, start=1):
        step, changed = named if isinstance(named, tuple) else (named, {})
        values = GIVEN.get(step, {}) | changed
        events = with_step(events, LeadEvent(step=step, at=entered(number), by="officer", **values))
    return events


def entered(number: int) -> datetime:
    """When the step of a number is entered: in the order of steps, after every day that any of them tells of."""
    return BEGAN + timedelta(days=120 + number)


TO_DELIVERY = (LeadStep.CHECK, LeadStep.RECOMMEND, LeadStep.DELIVER)
FAILED = (LeadStep.RECHECK, {"on": date(2026, 5, 21), "is_found": False})
NOT_YET = (LeadStep.RECHECK, {"on": date(2026, 3, 20), "is_found": False})


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), LeadState.NEW),
        ((LeadStep.CHECK,), LeadState.CHECKED),
        ((LeadStep.CHECK, LeadStep.DISMISS), LeadState.NO_CASE),
        ((LeadStep.CHECK, LeadStep.CONSULT), LeadState.CONSULTATION),
        ((LeadStep.CHECK, LeadStep.CONSULT, LeadStep.RECHECK, LeadStep.CLOSE), LeadState.CLOSED),
        ((LeadStep.CHECK, LeadStep.OPEN_CASE), LeadState.CASE),
        (TO_DELIVERY, LeadState.RECOMMENDATION),
        ((*TO_DELIVERY, LeadStep.REPLY), LeadState.REPLIED),
        ((*TO_DELIVERY, LeadStep.REPLY, LeadStep.RECHECK), LeadState.REMEDIED),
        ((*TO_DELIVERY, (LeadStep.RECHECK, {"is_found": False}), LeadStep.OPEN_CASE), LeadState.CASE),
        ((*TO_DELIVERY, LeadStep.REPLY, LeadStep.RECHECK, LeadStep.CLOSE, LeadStep.REOPEN), LeadState.NEW),
        ((*TO_DELIVERY, LeadStep.REPLY, LeadStep.REPLY, LeadStep.DELIVER), LeadState.REPLIED),
        ((*TO_DELIVERY, NOT_YET, LeadStep.REPLY), LeadState.REPLIED),
        ((*TO_DELIVERY[:2], NOT_YET, LeadStep.DELIVER), LeadState.RECOMMENDATION),
        ((*TO_DELIVERY, NOT_YET, LeadStep.CONSULT, LeadStep.DELIVER, LeadStep.REPLY), LeadState.CONSULTATION),
        ((*TO_DELIVERY, LeadStep.RECHECK, LeadStep.DELIVER, LeadStep.REPLY), LeadState.REMEDIED),
        ((*TO_DELIVERY, LeadStep.REPLY, FAILED, LeadStep.DELIVER, LeadStep.REPLY), LeadState.NOT_REMEDIED),
        ((*TO_DELIVERY, LeadStep.OPEN_CASE, LeadStep.DELIVER, LeadStep.REPLY), LeadState.CASE),
    ],
)
def test_each_way_through_a_lead(steps: Sequence[LeadStep], state: LeadState) -> None:
    assert state_of(lead(*steps)) is state


@pytest.mark.parametrize(
    "steps",
    [
        (LeadStep.RECOMMEND,),
        (LeadStep.OPEN_CASE,),
        (LeadStep.DISMISS,),
        (LeadStep.CHECK, LeadStep.CLOSE),
        (LeadStep.CHECK, LeadStep.CONSULT, LeadStep.CLOSE),
        (LeadStep.CHECK, LeadStep.RECOMMEND, LeadStep.REPLY),
        (LeadStep.CHECK, LeadStep.CONSULT, LeadStep.DELIVER),
        (LeadStep.CHECK, LeadStep.CONSULT, LeadStep.REPLY),
        (*TO_DELIVERY, LeadStep.RECOMMEND),
        (*TO_DELIVERY, LeadStep.CONSULT),
        (*TO_DELIVERY, LeadStep.RECHECK, LeadStep.CLOSE, LeadStep.REOPEN, LeadStep.CHECK, LeadStep.CONSULT, FAILED,
         LeadStep.DELIVER),
        (*TO_DELIVERY, LeadStep.REPLY, LeadStep.CLOSE),
        (LeadStep.CHECK, LeadStep.DISMISS, LeadStep.RECOMMEND),
        ((LeadStep.CHECK, {"is_found": False}), LeadStep.RECOMMEND),
        (LeadStep.OPEN,),
        ((LeadStep.CHECK, {"is_found": None}),),
        (LeadStep.CHECK, (LeadStep.RECOMMEND, {"document_number": ""})),
        (LeadStep.CHECK, (LeadStep.CONSULT, {"regulator": ""})),
        (LeadStep.CHECK, LeadStep.RECOMMEND, (LeadStep.DELIVER, {"on": None})),
    ],
)  # fmt: skip
def test_no_step_is_skipped_and_none_lacks_what_it_needs(steps: Sequence[Any]) -> None:
    with pytest.raises(LeadError):
        lead(*steps)


def test_a_step_before_the_last_one_and_a_lead_without_beginning_are_refused() -> None:
    events = lead(LeadStep.CHECK)
    with pytest.raises(LeadError, match="before the last step"):
        with_step(events, LeadEvent(step=LeadStep.DISMISS, at=BEGAN, by="officer", note="x"))
    with pytest.raises(LeadError, match="begins with"):
        with_step((), events[1])


@pytest.mark.parametrize(
    ("delivered_on", "is_urgent", "due_on"),
    [
        (date(2026, 3, 10), False, date(2026, 5, 10)),
        (date(2026, 12, 31), False, date(2027, 2, 28)),
        (date(2026, 6, 30), False, date(2026, 8, 30)),
        (date(2026, 3, 10), True, date(2026, 3, 25)),
    ],
)
def test_two_months_by_the_calendar_and_fifteen_days(delivered_on: date, is_urgent: bool, due_on: date) -> None:
    assert reply_due_on(delivered_on, is_urgent=is_urgent) == due_on


def test_a_last_day_of_rest_moves_to_the_next_day_of_work() -> None:
    weekend = {date(2026, 5, 10)}
    assert reply_due_on(DELIVERED, is_urgent=False, is_rest_day=weekend.__contains__) == date(2026, 5, 11)


@pytest.mark.parametrize(
    ("today", "colour", "days_left"),
    [
        (date(2026, 3, 10), LeadColour.GREEN, 61),
        (date(2026, 5, 2), LeadColour.GREEN, 8),
        (date(2026, 5, 3), LeadColour.YELLOW, 7),
        (date(2026, 5, 10), LeadColour.YELLOW, 0),
        (date(2026, 5, 11), LeadColour.RED, -1),
    ],
)
def test_a_clock_without_answer_turns_red_the_day_after(today: date, colour: LeadColour, days_left: int) -> None:
    clock = reply_clock(lead(*TO_DELIVERY), today=today)
    assert clock is not None
    assert (clock.colour, clock.days_left, clock.due_on) == (colour, days_left, date(2026, 5, 10))
    assert recheck_on(lead(*TO_DELIVERY)) == date(2026, 5, 11)


def test_an_answer_stops_the_clock_and_makes_a_day_to_look_again() -> None:
    events = lead(*TO_DELIVERY, LeadStep.REPLY)
    clock = reply_clock(events, today=date(2027, 1, 1))
    assert clock is not None
    assert (clock.colour, clock.is_overdue, recheck_on(events)) == (LeadColour.GREEN, False, date(2026, 5, 20))
    late = reply_clock(lead(*TO_DELIVERY, (LeadStep.REPLY, {"on": date(2026, 5, 12)})), today=date(2026, 5, 12))
    assert late is not None
    assert late.colour is LeadColour.RED


def test_a_lead_opened_again_has_no_clock_of_its_former_life() -> None:
    events = lead(*TO_DELIVERY, LeadStep.REPLY, LeadStep.RECHECK, LeadStep.CLOSE, LeadStep.REOPEN)
    assert reply_clock(events, today=date(2026, 9, 1)) is None
    assert recheck_on(events) is None


def test_a_lead_that_is_handed_over_to_another_division_stands_where_it_stood_and_no_officer_is_offered_it() -> None:
    moved = lead(*TO_DELIVERY, LeadStep.TRANSFER)
    assert state_of(moved) is LeadState.RECOMMENDATION
    assert next_steps(moved) == next_steps(lead(*TO_DELIVERY))
    assert reply_clock(moved, today=date(2026, 4, 1)) == reply_clock(lead(*TO_DELIVERY), today=date(2026, 4, 1))


def test_what_an_officer_saw_and_entered_later_may_have_been_checked_that_day() -> None:
    seen_on = date(2026, 2, 27)
    opened = with_step((), LeadEvent(step=LeadStep.OPEN, at=BEGAN, by="officer", on=seen_on))
    check = LeadEvent(step=LeadStep.CHECK, at=BEGAN, by="officer", on=seen_on, is_found=True)
    assert state_of(with_step(opened, check)) is LeadState.CHECKED
    with pytest.raises(LeadError, match="早于线索发现之日"):
        with_step(opened, replace(check, on=date(2026, 2, 26)))
    with pytest.raises(LeadError, match="晚于今天"):
        with_step((), replace(opened[0], on=date(2026, 3, 2)))


CHECKED_ON = date(2026, 3, 3)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (((LeadStep.CHECK, {"on": date(2036, 1, 1)}),), "晚于今天"),
        (((LeadStep.CHECK, {"on": date(2026, 2, 28)}),), "早于线索发现之日"),
        ((LeadStep.CHECK, LeadStep.RECOMMEND, (LeadStep.DELIVER, {"on": date(9999, 12, 1)})), "晚于今天"),
        ((LeadStep.CHECK, LeadStep.RECOMMEND, (LeadStep.DELIVER, {"on": date(2026, 3, 2)})), "早于现场核查"),
        ((*TO_DELIVERY, (LeadStep.REPLY, {"on": date(2026, 3, 9)})), "早于送达"),
        ((*TO_DELIVERY, LeadStep.REPLY, (LeadStep.RECHECK, {"on": date(2026, 4, 19)})), "早于行政机关回复"),
        ((*TO_DELIVERY, LeadStep.REPLY, (LeadStep.DELIVER, {"on": date(2026, 4, 21)})), "晚于行政机关回复"),
        ((*TO_DELIVERY, FAILED, LeadStep.RECOMMEND, (LeadStep.DELIVER, {"on": date(2026, 5, 20)})), "早于回访"),
        ((LeadStep.CHECK, (LeadStep.DISMISS, {"on": date(2999, 1, 1)})), "晚于今天"),
        ((LeadStep.CHECK, (LeadStep.CONSULT, {"on": date(2026, 2, 1)})), "早于线索发现之日"),
    ],
)  # fmt: skip
def test_a_day_that_cannot_be_is_refused_and_says_why(steps: Sequence[Any], said: str) -> None:
    with pytest.raises(LeadError, match=said):
        lead(*steps)


def test_today_is_the_day_in_china_and_is_the_last_that_may_be_told_of() -> None:
    late_evening = datetime(2026, 3, 5, 17, 0, tzinfo=UTC)  # 2026-03-06 01:00 in China
    for day, is_taken in ((date(2026, 3, 6), True), (date(2026, 3, 7), False)):
        event = LeadEvent(step=LeadStep.CHECK, at=late_evening, by="officer", on=day, is_found=True)
        if is_taken:
            assert with_step(lead(), event)[-1] is event
        else:
            with pytest.raises(LeadError, match="2026-03-06"):
                with_step(lead(), event)


def test_a_day_entered_wrongly_is_entered_again_and_the_last_one_counts() -> None:
    typo, right = (LeadStep.DELIVER, {"on": CHECKED_ON}), (LeadStep.DELIVER, {"on": DELIVERED})
    clock = reply_clock(lead(LeadStep.CHECK, LeadStep.RECOMMEND, typo, right), today=date(2026, 3, 12))
    assert clock is not None
    assert (clock.delivered_on, clock.due_on) == (DELIVERED, date(2026, 5, 10))
    answered = lead(
        *TO_DELIVERY, (LeadStep.REPLY, {"on": DELIVERED}), LeadStep.REPLY, (LeadStep.DELIVER, {"on": date(2026, 3, 11)})
    )
    clock = reply_clock(answered, today=date(2026, 6, 1))
    assert clock is not None
    assert (clock.delivered_on, clock.replied_on) == (date(2026, 3, 11), date(2026, 4, 20))
    assert recheck_on(answered) == date(2026, 5, 20)


@pytest.mark.parametrize(
    ("steps", "state", "waited_until"),
    [
        (((LeadStep.RECHECK, {"on": date(2026, 4, 1)}),), LeadState.REMEDIED, date(2026, 4, 1)),
        (((LeadStep.RECHECK, {"on": date(2026, 4, 1)}), LeadStep.CLOSE), LeadState.CLOSED, date(2026, 4, 1)),
        ((NOT_YET,), LeadState.RECOMMENDATION, None),
        (((LeadStep.RECHECK, {"on": date(2026, 3, 15)}), NOT_YET), LeadState.NOT_REMEDIED, None),
        ((NOT_YET, LeadStep.CONSULT), LeadState.CONSULTATION, None),
        ((NOT_YET, (LeadStep.RECHECK, {"on": date(2026, 4, 1)})), LeadState.REMEDIED, date(2026, 4, 1)),
        ((LeadStep.OPEN_CASE,), LeadState.CASE, (BEGAN + timedelta(days=124)).date()),
        ((NOT_YET, LeadStep.OPEN_CASE), LeadState.CASE, (BEGAN + timedelta(days=125)).date()),
        ((), LeadState.RECOMMENDATION, None),
    ],
)
def test_a_clock_is_overdue_only_while_somebody_waits_for_an_answer(
    steps: Sequence[Any], state: LeadState, waited_until: date | None
) -> None:
    events = lead(*TO_DELIVERY, *steps)
    clock = reply_clock(events, today=date(2027, 6, 1))
    assert clock is not None
    assert (state_of(events), clock.waited_until) == (state, waited_until)
    assert clock.is_overdue == (waited_until is None)
    figures = lead_figures([LeadLife(ground=LeadGround.DISTANCE, events=events)], today=date(2027, 6, 1))
    assert figures.overdue_count == (waited_until is None)
    if waited_until == date(2026, 4, 1):
        assert (clock.days_left, clock.colour, figures.replied_in_time_share) == (39, LeadColour.GREEN, None)


def test_a_look_that_found_nothing_remedied_leaves_the_clock_and_the_answer_is_entered_when_it_comes() -> None:
    waiting = lead(*TO_DELIVERY, NOT_YET)
    assert {LeadStep.REPLY, LeadStep.DELIVER, LeadStep.CONSULT, LeadStep.RECOMMEND} <= set(next_steps(waiting))
    assert recheck_on(waiting) == date(2026, 5, 11)
    on_the_day = reply_clock(waiting, today=date(2026, 5, 11))
    assert on_the_day is not None
    assert (on_the_day.is_overdue, on_the_day.colour, on_the_day.days_left) == (True, LeadColour.RED, -1)
    answered = lead(*TO_DELIVERY, NOT_YET, (LeadStep.DELIVER, {"on": date(2026, 3, 9)}), LeadStep.REPLY)
    clock = reply_clock(answered, today=date(2026, 9, 1))
    assert clock is not None
    assert (clock.delivered_on, clock.replied_on, clock.is_overdue) == (date(2026, 3, 9), date(2026, 4, 20), False)
    assert recheck_on(answered) == date(2026, 5, 20)


def test_a_second_recommendation_has_a_clock_of_its_own() -> None:
    events = lead(*TO_DELIVERY, FAILED, LeadStep.RECOMMEND)
    assert reply_clock(events, today=date(2026, 7, 1)) is None
    again = with_step(
        events, LeadEvent(step=LeadStep.DELIVER, at=entered(9), by="officer", on=date(2026, 6, 1))
    )  # fmt: skip
    clock = reply_clock(again, today=date(2026, 9, 1))
    assert clock is not None
    assert (clock.due_on, clock.is_overdue) == (date(2026, 8, 1), True)


def test_the_next_steps_are_those_that_the_lead_allows() -> None:
    assert next_steps(lead()) == (LeadStep.CHECK,)
    assert next_steps(lead((LeadStep.CHECK, {"is_found": False}))) == (LeadStep.CHECK, LeadStep.DISMISS)
    assert LeadStep.REPLY not in next_steps(lead(LeadStep.CHECK, LeadStep.RECOMMEND))
    assert LeadStep.REPLY in next_steps(lead(*TO_DELIVERY))


@settings(deadline=None)
@given(st.lists(st.sampled_from(LeadStep), max_size=12), st.booleans())
def test_whatever_is_tried_nothing_follows_before_somebody_was_there(steps: list[LeadStep], is_found: bool) -> None:
    events = lead()
    for number, step in enumerate(steps, start=1):
        values = GIVEN.get(step, {}) | ({"is_found": is_found} if step is LeadStep.CHECK else {})
        event = LeadEvent(step=step, at=entered(number), by="officer", **values)
        before = events
        try:
            events = with_step(events, event)
        except LeadError:
            assert state_of(events) is state_of(before)
        else:
            assert events[:-1] == before
    taken = [event.step for event in events]
    acts = {LeadStep.CONSULT, LeadStep.RECOMMEND, LeadStep.OPEN_CASE}
    if not is_found or LeadStep.CHECK not in taken:
        assert not acts & set(taken)
    for number, step in enumerate(taken):
        assert step not in acts or LeadStep.CHECK in taken[:number]


LATE_REPLY = (LeadStep.REPLY, {"on": date(2026, 5, 20)})


def test_figures_count_and_share() -> None:
    leads = [
        LeadLife(ground=LeadGround.DISTANCE, events=lead()),
        LeadLife(ground=LeadGround.DISTANCE, events=lead((LeadStep.CHECK, {"is_found": False}), LeadStep.DISMISS)),
        LeadLife(ground=LeadGround.MIS_REGISTERED, events=lead(*TO_DELIVERY)),
        LeadLife(ground=LeadGround.DISTANCE, events=lead(*TO_DELIVERY, LeadStep.REPLY, LeadStep.RECHECK)),
        LeadLife(
            ground=LeadGround.DISTANCE,
            events=lead(*TO_DELIVERY, LATE_REPLY, (LeadStep.RECHECK, {"is_found": False})),
        ),
    ]  # fmt: skip
    figures = lead_figures(leads, today=date(2026, 6, 1))
    assert (figures.lead_count, figures.checked_count, figures.found_share) == (5, 4, 0.75)
    assert figures.by_ground == {LeadGround.DISTANCE: 4, LeadGround.MIS_REGISTERED: 1}
    assert figures.by_state[LeadState.NO_CASE] == figures.by_state[LeadState.REMEDIED] == 1
    assert figures.by_outcome == {
        LeadOutcome.OPEN: 2, LeadOutcome.NO_CASE: 1, LeadOutcome.REMEDIED: 1, LeadOutcome.NOT_REMEDIED: 1
    }  # fmt: skip
    assert figures.by_regulator == {
        "文化和旅游主管部门": RegulatorFigures(
            consulted_count=0, recommended_count=3, replied_count=2, replied_in_time_count=1, overdue_count=1,
            remedied_count=1,
        )
    }  # fmt: skip
    assert figures.by_month == {
        "2026-03": MonthFigures(opened_count=5, checked_count=4),
        "2026-04": MonthFigures(replied_count=1),
        "2026-05": MonthFigures(replied_count=1, rechecked_count=2),
        "2026-07": MonthFigures(recommended_count=3, ended_count=1),  # these have no day of their own
    }
    assert (figures.delivered_count, figures.overdue_count) == (3, 1)
    assert figures.replied_in_time_share == pytest.approx(1 / 3)
    assert (figures.median_reply_days, figures.remedied_share) == (56.0, 0.5)
    assert sum(figures.by_outcome.values()) == sum(figures.by_state.values()) == figures.lead_count
    nothing = lead_figures([], today=date(2026, 6, 1))
    assert (nothing.found_share, nothing.replied_in_time_share, nothing.median_reply_days) == (None, None, None)


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ((LeadStep.CHECK, LeadStep.OPEN_CASE, LeadStep.CLOSE), LeadOutcome.CASE),
        ((LeadStep.CHECK, LeadStep.CONSULT, LeadStep.RECHECK, LeadStep.CLOSE), LeadOutcome.REMEDIED),
        ((LeadStep.CHECK, LeadStep.OPEN_CASE, LeadStep.CLOSE, LeadStep.REOPEN), LeadOutcome.OPEN),
        ((LeadStep.CHECK, LeadStep.DISMISS, LeadStep.REOPEN, LeadStep.CHECK, LeadStep.DISMISS), LeadOutcome.NO_CASE),
    ],
)
def test_a_closed_lead_ended_as_it_stood_before(steps: tuple[LeadStep, ...], outcome: LeadOutcome) -> None:
    assert outcome_of(lead(*steps)) is outcome


def test_a_consultation_is_counted_at_its_agency_and_a_letter_at_the_one_that_it_went_to() -> None:
    events = lead(LeadStep.CHECK, LeadStep.RECOMMEND, LeadStep.DELIVER, LATE_REPLY,
                  (LeadStep.RECHECK, {"is_found": False}), LeadStep.CONSULT)  # fmt: skip
    figures = lead_figures([LeadLife(ground=LeadGround.DISTANCE, events=events)], today=date(2026, 6, 1))
    culture, market = figures.by_regulator["文化和旅游主管部门"], figures.by_regulator["市场监督管理部门"]
    assert (culture.recommended_count, culture.replied_count, culture.replied_in_time_count) == (1, 1, 0)
    assert (market.consulted_count, market.recommended_count, market.replied_count) == (1, 0, 0)
