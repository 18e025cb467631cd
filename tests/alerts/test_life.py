"""The life of an alert: who may turn it, from which state, and what the history says."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert, AlertState, Block, Role, TaskKind
from alerts.answer import ANSWERS, Answer, take_answer
from alerts.history import MACHINE, Actor, ActorKind, HistoryKind
from alerts.life import (
    CLOSINGS,
    NEEDS_REMARK,
    REOPENINGS,
    Closing,
    IllegalTurnError,
    Reopening,
    acknowledge,
    close,
    reopen,
)
from alerts.reason import Reason
from tests.alerts.make_alerts import GUARANTOR, GUARDIAN, PROSECUTOR, a_recipient, after, an_alert
from tests.golden_files import assert_golden

OFFICER = Actor(kind=ActorKind.OFFICER, actor_id=UUID(int=99))
MOTHER = Actor(kind=ActorKind.GUARDIAN, actor_id=GUARDIAN.recipient_id)


def in_state(state: AlertState) -> Alert:
    alert = an_alert()
    if state is AlertState.ACKNOWLEDGED:
        return acknowledge(alert, by=OFFICER, at=after(5)).alert
    if state is AlertState.CLOSED:
        return close(alert, by=OFFICER, at=after(5), closing=Closing.FALSE_ALARM).alert
    return alert


def turn(alert: Alert, what: str, by: Actor) -> Alert:
    if what == "acknowledge":
        return acknowledge(alert, by=by, at=after(10)).alert
    if what == "close":
        return close(alert, by=by, at=after(10), closing=Closing.RETURNED).alert
    return reopen(alert, by=by, at=after(10), reason=REOPENINGS[Reopening.NEW_EVIDENCE]).alert


@pytest.mark.parametrize(
    ("state", "what", "by", "becomes"),
    [
        ("open", "acknowledge", OFFICER, "acknowledged"),
        ("open", "acknowledge", MOTHER, "acknowledged"),
        ("open", "acknowledge", MACHINE, None),
        ("open", "close", OFFICER, "closed"),
        ("open", "close", MOTHER, None),
        ("open", "close", MACHINE, None),
        ("open", "reopen", OFFICER, None),
        ("acknowledged", "acknowledge", OFFICER, None),
        ("acknowledged", "close", OFFICER, "closed"),
        ("acknowledged", "close", MOTHER, None),
        ("acknowledged", "reopen", OFFICER, None),
        ("closed", "acknowledge", OFFICER, None),
        ("closed", "close", OFFICER, None),
        ("closed", "reopen", OFFICER, "open"),
        ("closed", "reopen", MACHINE, "open"),
        ("closed", "reopen", MOTHER, None),
    ],
)
def test_who_may_turn_it_from_which_state(state: str, what: str, by: Actor, becomes: str | None) -> None:
    alert = in_state(AlertState(state))
    if becomes is None:
        with pytest.raises(IllegalTurnError) as refused:
            turn(alert, what, by)
        assert refused.value.zh.endswith("。")
        assert refused.value.en.endswith(".")
    else:
        assert turn(alert, what, by).state is AlertState(becomes)


def test_a_refusal_says_what_was_asked_of_which_state_and_what_can_be_done() -> None:
    with pytest.raises(IllegalTurnError) as refused:
        turn(in_state(AlertState.CLOSED), "close", OFFICER)
    assert refused.value.zh == "警报已结，不能结案：如需更正，请先重新打开。"
    assert refused.value.en == "The alert is closed and cannot be closed: open it again to correct the reason."


@pytest.mark.parametrize("closing", Closing)
def test_a_closing_that_says_nothing_by_itself_needs_a_remark(closing: Closing) -> None:
    if closing in NEEDS_REMARK:
        with pytest.raises(IllegalTurnError):
            close(an_alert(), by=OFFICER, at=after(5), closing=closing, remark="  ")
    turned = close(an_alert(), by=OFFICER, at=after(5), closing=closing, remark=" 已核实 ")
    assert (turned.entry.reason, turned.entry.remark) == (CLOSINGS[closing], "已核实")
    assert (turned.entry.actor, turned.entry.at, turned.alert.settled_at) == (OFFICER, after(5), after(5))


def test_history_is_never_changed() -> None:
    entry = acknowledge(an_alert(), by=OFFICER, at=after(5)).entry
    with pytest.raises(FrozenInstanceError):
        entry.remark = "other"  # type: ignore[misc]


def test_the_same_turn_is_the_same_entry_and_another_one_is_not() -> None:
    one, again = (acknowledge(an_alert(), by=OFFICER, at=after(5)).entry for _ in range(2))
    assert one == again
    others = [
        acknowledge(an_alert(), by=OFFICER, at=after(6)).entry,
        acknowledge(an_alert(), by=MOTHER, at=after(5)).entry,
        acknowledge(an_alert(minutes=1), by=OFFICER, at=after(5)).entry,
        close(an_alert(), by=OFFICER, at=after(5), closing=Closing.RETURNED).entry,
    ]
    assert len({one.entry_id, *(item.entry_id for item in others)}) == 5


def test_an_actor_is_the_machine_or_somebody() -> None:
    with pytest.raises(ValueError, match="no id"):
        Actor(kind=ActorKind.MACHINE, actor_id=UUID(int=1))
    with pytest.raises(ValueError, match="no id"):
        Actor(kind=ActorKind.OFFICER)


@given(
    turns=st.lists(
        st.tuples(st.sampled_from(["acknowledge", "close", "reopen"]), st.sampled_from([OFFICER, MOTHER, MACHINE]))
    )
)
def test_only_these_four_ways_lead_from_state_to_state(turns: list[tuple[str, Actor]]) -> None:
    allowed = {("open", "acknowledged"), ("open", "closed"), ("acknowledged", "closed"), ("closed", "open")}
    alert = an_alert()
    for what, by in turns:
        before = alert.state
        try:
            alert = turn(alert, what, by)
        except IllegalTurnError:
            continue
        assert (before, alert.state) in allowed
        assert (alert.settled_at is not None) == (alert.state is AlertState.CLOSED)


# ---- what a guardian answers


def test_taken_away_acknowledges_and_what_comes_later_is_another_event() -> None:
    answered = take_answer(an_alert(), answer=Answer.TAKEN_AWAY, by=GUARDIAN, at=after(25))
    assert (answered.alert.state, answered.alert.settled_at) == (AlertState.ACKNOWLEDGED, after(25))
    assert answered.time_to_rescue == after(25) - after(0)
    assert [entry.kind for entry in answered.history] == [HistoryKind.ANSWERED, HistoryKind.ACKNOWLEDGED]
    again = take_answer(answered.alert, answer=Answer.TAKEN_AWAY, by=GUARDIAN, at=after(40))
    assert (again.alert, again.time_to_rescue) == (answered.alert, answered.time_to_rescue)


@pytest.mark.parametrize("answer", [Answer.ON_MY_WAY, Answer.CANNOT])
def test_other_answers_leave_the_alert_open(answer: Answer) -> None:
    answered = take_answer(an_alert(), answer=answer, by=GUARANTOR, at=after(5))
    assert answered.alert == an_alert()
    assert [(entry.kind, entry.reason, entry.about) for entry in answered.history] == [
        (HistoryKind.ANSWERED, ANSWERS[answer], GUARANTOR.recipient_id)
    ]
    assert (answered.tasks, answered.block) == ((), None)


def test_not_my_child_stops_that_recipient_and_asks_an_officer_to_put_the_record_right() -> None:
    answered = take_answer(an_alert(), answer=Answer.NOT_MY_CHILD, by=GUARDIAN, at=after(5))
    assert answered.block is Block.NOT_THE_CHILD
    (task,) = answered.tasks
    assert (task.kind, task.recipient_id) == (TaskKind.WRONG_RECIPIENT, GUARDIAN.recipient_id)
    again = take_answer(an_alert(), answer=Answer.NOT_MY_CHILD, by=GUARDIAN, at=after(9))
    assert again.tasks[0].task_id == task.task_id, "one task, however often it is pressed"


@pytest.mark.parametrize(
    ("alert", "by"),
    [(in_state(AlertState.CLOSED), GUARDIAN), (an_alert(), PROSECUTOR), (an_alert(), a_recipient(7, Role.LEADER))],
)
def test_nobody_answers_a_closed_alert_and_officers_do_not_answer_this_way(alert: Alert, by: Any) -> None:
    for answer in Answer:
        with pytest.raises(IllegalTurnError):
            take_answer(alert, answer=answer, by=by, at=after(10))


@pytest.mark.golden
def test_the_lists_to_choose_from_read_as_recorded() -> None:
    lists: dict[str, Mapping[Any, Reason]] = {
        "结案原因 closing": CLOSINGS,
        "重新打开 reopening": REOPENINGS,
        "监护人答复 answers": ANSWERS,
    }
    lines = [
        f"{title}\n" + "".join(f"  {code}：{reason.zh} / {reason.en}\n" for code, reason in words.items())
        for title, words in lists.items()
    ]
    assert set(CLOSINGS) == set(Closing)
    assert set(ANSWERS) == set(Answer)
    assert_golden("alert_choices.txt", "\n".join(lines))
