"""What is done about an alert that nobody acknowledges, minute by minute."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import (
    Alert,
    AlertState,
    Case,
    EscalationStep,
    Notification,
    Recipient,
    Role,
    StepKind,
    Task,
    TaskKind,
)
from alerts.answer import Answer, take_answer
from alerts.decide import decide
from alerts.escalation import delays, due_steps, plan_steps
from alerts.history import MACHINE, Actor, ActorKind, HistoryEntry, HistoryKind
from alerts.life import REOPENINGS, Closing, Reopening, acknowledge, close, history_entry, reopen
from alerts.policy import AlertPolicy
from alerts.reason import Because, because
from alerts.roster import Duty, Roster
from alerts.steps import Scene, leave_out, take_step, tell_office_of_answer
from tests.alerts.make_alerts import (
    COUNTY,
    GUARDIAN,
    POLICE,
    POLICY,
    PROSECUTOR,
    a_case,
    a_recipient,
    after,
    an_alert,
)
from tests.make import EVENING
from tracking.order import Measure

OFFICER = Actor(kind=ActorKind.OFFICER, actor_id=UUID(int=99))
MOTHER = a_recipient(12, rank=2)
DUTY = a_recipient(21, Role.DUTY_OFFICER, unit=COUNTY.procuratorate)
CHIEF = a_recipient(31, Role.LEADER, unit=COUNTY.procuratorate)
assert COUNTY.procuratorate is not None
ROSTER = Roster(
    duties=(Duty(unit=COUNTY.procuratorate, from_at=after(-60), to_at=after(480), people=(DUTY,)),),
    leaders={COUNTY.procuratorate: CHIEF},
)


@dataclass(kw_only=True)
class Night:
    """An alert told at 22:00, and a worker that looks at it every so often."""

    recipients: Sequence[Recipient] = (GUARDIAN, MOTHER, PROSECUTOR, POLICE)
    roster: Roster = field(default_factory=lambda: ROSTER)
    case: Case = field(default_factory=a_case)
    alert: Alert = field(default_factory=an_alert)
    steps: dict[UUID, EscalationStep] = field(default_factory=dict)
    history: dict[UUID, HistoryEntry] = field(default_factory=dict)
    notifications: dict[UUID, Notification] = field(default_factory=dict)
    tasks: dict[UUID, Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        decision = decide(
            cases=[self.case], alerts=[], recipients={1: self.recipients}, roster=self.roster, policy=POLICY
        )
        (self.alert,) = decision.alerts
        self.steps = {step.step_id: step for step in decision.steps}
        self.keep(decision.history, decision.notifications, decision.tasks)

    def keep(
        self, history: Sequence[HistoryEntry], messages: Sequence[Notification] = (), tasks: Sequence[Task] = ()
    ) -> None:
        for entry in history:
            self.history.setdefault(entry.entry_id, entry)
        for message in messages:
            self.notifications.setdefault(message.notification_id, message)
        for task in tasks:
            self.tasks.setdefault(task.task_id, task)

    def scene(self, minutes: float) -> Scene:
        return Scene(
            alert=self.alert, case=self.case, recipients=self.recipients, roster=self.roster,
            told={item.recipient_id for item in self.notifications.values()},
            event_at=EVENING, now=after(minutes), policy=POLICY,
        )  # fmt: skip

    def look(self, minutes: float) -> None:
        """What the worker does at so many minutes past ten."""
        while True:
            due = due_steps(
                self.alert, steps=[*self.steps.values()], history=[*self.history.values()], now=after(minutes),
                policy=POLICY,
            )  # fmt: skip
            self.keep([leave_out(item, self.alert, now=after(minutes)) for item in due.skipped])
            if not due.steps:
                return
            taken = take_step(due.steps[0], self.scene(minutes))
            self.keep(taken.history, taken.notifications, taken.tasks)

    def answer(self, answer: Answer, by: Recipient, minutes: float) -> None:
        answered = take_answer(self.alert, answer=answer, by=by, at=after(minutes))
        self.alert = answered.alert
        self.keep(answered.history, (), answered.tasks)
        told = tell_office_of_answer(self.scene(minutes), answer)
        self.keep(told.history, told.notifications)
        if answered.block is not None:
            self.recipients = [
                replace(item, is_blocked=True, blocked_for=answered.block) if item == by else item
                for item in self.recipients
            ]

    def done(self) -> list[tuple[str, float, str]]:
        """(kind of step, minutes past ten, reason) of the steps taken or left out."""
        return sorted(
            (
                (self.steps[entry.about].kind.value, (entry.at - EVENING) / timedelta(minutes=1), entry.reason.code)
                for entry in self.history.values()
                if entry.about in self.steps and entry.kind in {HistoryKind.ESCALATED, HistoryKind.SKIPPED}
            ),
            key=lambda item: list(StepKind).index(StepKind(item[0])),
        )

    def told(self) -> list[Recipient]:
        """In the order in which they were told."""
        known = {item.recipient_id: item for item in (*self.recipients, DUTY, CHIEF)}
        return [known[item.recipient_id] for item in self.notifications.values()]


def test_nobody_answers() -> None:
    night = Night()
    assert night.told() == [PROSECUTOR, GUARDIAN]
    for minute in range(90):
        night.look(minute)
    assert night.done() == [
        ("next_recipient", 10, "not_acknowledged"),
        ("voice_task", 20, "not_acknowledged"),
        ("duty_officer", 30, "not_acknowledged"),
        ("leader", 60, "not_acknowledged"),
    ]
    assert night.told() == [PROSECUTOR, GUARDIAN, POLICE, MOTHER, DUTY, CHIEF]
    assert [(task.kind, task.recipient_id) for task in night.tasks.values()] == [
        (TaskKind.VOICE_CALL, GUARDIAN.recipient_id)
    ]
    texts = [item.text for item in night.notifications.values()]
    assert "请值班人员接手：监管对象小丽于21时55分的情况已30分钟无人受理。" in texts[4]
    assert "请督办" in texts[5]


@pytest.mark.parametrize("minutes", [3, 15, 25, 45])
def test_acknowledged_or_closed_nothing_more_is_done(minutes: int) -> None:
    for turn in ("acknowledge", "close"):
        night = Night()
        for minute in range(minutes):
            night.look(minute)
        before = night.done()
        if turn == "acknowledge":
            turned = acknowledge(night.alert, by=OFFICER, at=after(minutes))
        else:
            turned = close(night.alert, by=OFFICER, at=after(minutes), closing=Closing.FALSE_ALARM)
        night.alert = turned.alert
        night.keep([turned.entry])
        for minute in range(minutes, 90):
            night.look(minute)
        assert night.done() == before


def test_each_is_told_in_their_own_language_and_in_the_words_of_their_role() -> None:
    chief = replace(CHIEF, language="en")
    night = Night(
        recipients=(GUARDIAN, replace(MOTHER, language="en"), PROSECUTOR, replace(POLICE, language="en")),
        roster=replace(ROSTER, leaders={str(COUNTY.procuratorate): chief}),
    )
    for minute in (10, 20, 30, 60):
        night.look(minute)
    said = {item.recipient_id: item for item in night.notifications.values()}
    assert {person: (said[person].language, said[person].template) for person in said} == {
        PROSECUTOR.recipient_id: ("zh", "officer_entry_suspected"),
        GUARDIAN.recipient_id: ("zh", "guardian_entry_suspected"),
        MOTHER.recipient_id: ("en", "guardian_entry_suspected"),
        POLICE.recipient_id: ("en", "officer_unacknowledged"),
        DUTY.recipient_id: ("zh", "duty_unacknowledged"),
        CHIEF.recipient_id: ("en", "leader_unacknowledged"),
    }
    assert said[MOTHER.recipient_id].text.startswith("Your child ")
    assert "请值班人员接手" in said[DUTY.recipient_id].text and "30分钟" in said[DUTY.recipient_id].text
    assert "not taken up for 60 min" in said[CHIEF.recipient_id].text


def test_opened_again_it_is_planned_again_and_the_old_plan_stays_off() -> None:
    night = Night()
    closed = close(night.alert, by=OFFICER, at=after(5), closing=Closing.FALSE_ALARM)
    opened = reopen(closed.alert, by=OFFICER, at=after(50), reason=REOPENINGS[Reopening.CLOSED_IN_ERROR])
    night.alert = opened.alert
    night.keep([closed.entry, opened.entry])
    night.look(55)
    assert night.done() == []
    night.steps |= {step.step_id: step for step in plan_steps(night.alert.alert_id, told_at=after(50), policy=POLICY)}
    night.look(61)
    assert [minute for _, minute, _ in night.done()] == [61]


def test_what_hurried_the_old_plan_does_not_hurry_the_new_one() -> None:
    night = Night()
    night.answer(Answer.CANNOT, GUARDIAN, 2)
    night.answer(Answer.NOT_MY_CHILD, MOTHER, 3)
    closed = close(night.alert, by=OFFICER, at=after(5), closing=Closing.FALSE_ALARM)
    opened = reopen(closed.alert, by=OFFICER, at=after(50), reason=REOPENINGS[Reopening.CLOSED_IN_ERROR])
    night.alert = opened.alert
    night.keep([closed.entry, opened.entry])
    again = plan_steps(night.alert.alert_id, told_at=after(50), policy=POLICY)
    night.steps |= {step.step_id: step for step in again}
    due = due_steps(
        night.alert, steps=[*night.steps.values()], history=[*night.history.values()], now=after(50), policy=POLICY
    )
    assert (due.steps, due.next_at) == ((), after(60))


def test_on_my_way_is_waited_for_once() -> None:
    night = Night()
    night.answer(Answer.ON_MY_WAY, GUARDIAN, 5)
    night.answer(Answer.ON_MY_WAY, GUARDIAN, 30)
    for minute in range(120):
        night.look(minute)
    assert [minute for _, minute, _ in night.done()] == [35, 45, 55, 85]


def test_on_my_way_and_then_taken_away_ends_it() -> None:
    night = Night()
    night.answer(Answer.ON_MY_WAY, GUARDIAN, 5)
    night.answer(Answer.TAKEN_AWAY, GUARDIAN, 20)
    for minute in range(120):
        night.look(minute)
    assert night.done() == []
    assert night.alert.state is AlertState.ACKNOWLEDGED


def test_cannot_takes_the_next_step_at_once_and_tells_the_officer() -> None:
    night = Night()
    night.look(1)
    night.answer(Answer.CANNOT, GUARDIAN, 2)
    for minute in range(2, 90):
        night.look(minute)
    assert [minute for _, minute, _ in night.done()] == [2, 12, 22, 52]
    assert night.told()[:5] == [PROSECUTOR, GUARDIAN, PROSECUTOR, POLICE, MOTHER]
    assert "监护人表示无法处理" in [*night.notifications.values()][2].text


def test_not_my_child_stops_that_one_and_goes_on_with_the_next() -> None:
    night = Night()
    night.answer(Answer.NOT_MY_CHILD, GUARDIAN, 2)
    for minute in range(2, 90):
        night.look(minute)
    assert [minute for _, minute, _ in night.done()] == [2, 12, 22, 52]
    assert "收件人称不是其监护人" in [*night.notifications.values()][2].text
    call = next(task for task in night.tasks.values() if task.kind is TaskKind.VOICE_CALL)
    assert call.recipient_id == MOTHER.recipient_id, "nobody telephones the wrong person"


def test_a_message_that_was_not_delivered_takes_the_next_step_at_once() -> None:
    night = Night()
    reason = because(Because.NOT_DELIVERED, why="number budget")
    night.keep([history_entry(night.alert, HistoryKind.NOT_TOLD, at=after(1), actor=MACHINE, reason=reason)])
    night.look(1)
    assert [minute for _, minute, _ in night.done()] == [1]


def test_with_nobody_next_the_telephone_is_tried_at_once() -> None:
    night = Night(recipients=(GUARDIAN, PROSECUTOR))
    for minute in range(30):
        night.look(minute)
    assert night.done() == [
        ("next_recipient", 10, "nobody_left"), ("voice_task", 10, "not_acknowledged"),
        ("duty_officer", 20, "not_acknowledged"),
    ]  # fmt: skip


def test_with_nobody_on_duty_the_leader_is_told_and_the_gap_is_work() -> None:
    assert COUNTY.procuratorate is not None
    night = Night(roster=Roster(leaders={COUNTY.procuratorate: CHIEF}))
    for minute in range(90):
        night.look(minute)
    assert night.told()[-1] == CHIEF
    assert night.told().count(CHIEF) == 1
    assert night.done()[-1] == ("leader", 60, "told_already")
    assert [task.kind for task in night.tasks.values()] == [TaskKind.VOICE_CALL, TaskKind.ROSTER_GAP]


def test_with_nobody_at_all_it_is_said_and_is_work() -> None:
    night = Night(recipients=(), roster=Roster())
    for minute in range(90):
        night.look(minute)
    assert night.notifications == {}
    assert {code for _, _, code in night.done()} == {"nobody_left"}
    assert {task.kind for task in night.tasks.values()} == {TaskKind.NOBODY_TO_TELL, TaskKind.ROSTER_GAP}


def test_a_guardian_is_not_told_after_the_birthday_began() -> None:
    midnight = EVENING + timedelta(hours=2)
    case = a_case(115, birth_date=(midnight + timedelta(hours=8)).date().replace(year=2008))
    night = Night(case=case)
    assert GUARDIAN in night.told()
    night.look(130)
    assert MOTHER not in night.told()
    assert night.told()[-1] == POLICE


# ---- the worker was down


@pytest.mark.parametrize(
    ("down_until", "done", "told"),
    [
        (25, {"next_recipient": "not_acknowledged", "voice_task": "not_acknowledged"}, [POLICE, MOTHER]),
        (
            45,
            {"next_recipient": "not_acknowledged", "voice_task": "not_acknowledged",
             "duty_officer": "not_acknowledged"},
            [POLICE, DUTY],
        ),
        (
            600,
            {"next_recipient": "not_acknowledged", "voice_task": "step_missed", "duty_officer": "not_acknowledged",
             "leader": "not_acknowledged"},
            [POLICE, CHIEF],
        ),
    ],
)  # fmt: skip
def test_what_is_still_of_use_happens_and_the_rest_is_recorded(
    down_until: int, done: dict[str, str], told: list[Recipient]
) -> None:
    """The mother is not told 45 minutes later. After ten hours the duty is over: a gap, and the leader."""
    night = Night()
    night.look(down_until)
    if down_until == 600:
        assert night.done()[-1] == ("leader", 600, "told_already")
        done = done | {"leader": "told_already"}
    assert {kind: code for kind, _, code in night.done()} == done
    assert night.told()[2:] == told


@given(looks=st.lists(st.integers(0, 200), max_size=30))
def test_each_step_is_taken_once_in_order_however_often_anybody_looks(looks: list[int]) -> None:
    night = Night()
    for minute in sorted(looks):
        night.look(minute)
        night.look(minute)
    kinds = [kind for kind, _, _ in night.done()]
    assert kinds == [kind for kind, delay in delays(POLICY).items() if after(max(looks, default=0)) >= EVENING + delay]
    minutes = [minute for _, minute, _ in night.done()]
    assert minutes == sorted(minutes)


@given(minutes=st.integers(0, 100))
def test_two_workers_who_look_at_the_same_time_write_the_same_rows(minutes: int) -> None:
    one, other = Night(), Night()
    one.look(minutes)
    other.look(minutes)
    assert one == other


@given(order=st.randoms(use_true_random=False), answers=st.lists(st.sampled_from(Answer), max_size=4))
def test_the_order_in_which_the_history_is_read_does_not_matter(order: object, answers: list[Answer]) -> None:
    night = Night()
    for number, answer in enumerate(answers):
        night.answer(answer, MOTHER, number + 1)
    entries = list(night.history.values())
    steps = list(night.steps.values())
    found = due_steps(night.alert, steps=steps, history=entries, now=after(30), policy=POLICY)
    order.shuffle(entries)  # type: ignore[attr-defined]
    assert due_steps(night.alert, steps=steps[::-1], history=entries, now=after(30), policy=POLICY) == found


def test_when_to_look_again() -> None:
    steps = plan_steps(UUID(int=1), told_at=EVENING, policy=POLICY)
    due = due_steps(an_alert(), steps=steps, history=[], now=after(15), policy=POLICY)
    assert ([step.kind for step in due.steps], due.next_at) == ([StepKind.NEXT_RECIPIENT], after(20))


def test_times_that_do_not_increase_are_refused() -> None:
    policy = AlertPolicy(voice_task_after=timedelta(minutes=5))
    with pytest.raises(ValueError, match="must increase"):
        plan_steps(UUID(int=1), told_at=EVENING, policy=policy)


def test_police_first_then_the_prosecutor_under_bail() -> None:
    night = Night(case=a_case(measure=Measure.BAIL), recipients=(PROSECUTOR, POLICE))
    night.look(10)
    assert night.told() == [POLICE, PROSECUTOR]
