"""The life of a lead: new, checked on site, then no case, a consultation, a recommendation (检察建议) or a case. Pure.

A lead is a reason to look, never a verdict: nothing may follow before somebody was there. Its life is a list of events
that only grows, each by a named officer; the state is what the list comes to. A recommendation's clock runs from its
delivery: the agency acts and answers within two months, in urgent cases within 15 days (两高关于检察公益诉讼案件适用
法律若干问题的解释 21). Months go by the calendar, the day of delivery does not count. Only an answer, a look that found
it remedied, a case or the end stops that clock; the answer may be entered whenever it comes. A day entered wrongly is
entered again: the last one counts, and the first stays on record.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from venues.months import same_day_after
from venues.risk import SHANGHAI

REPLY_MONTHS = 2
URGENT_REPLY_DAYS = 15
RECHECK_DAYS = 30
"""After an answer somebody looks again: an assumption, to be set by the office."""
WARNING_DAYS = 7
"""So many days before it runs out a clock turns yellow."""

_DAY = timedelta(days=1)
IsRestDay = Callable[[date], bool]


class LeadState(StrEnum):
    """Where a lead stands."""

    NEW = "new"  # 待核查
    CHECKED = "checked"  # 已现场核查
    NO_CASE = "no_case"  # 不立案
    CONSULTATION = "consultation"  # 磋商
    RECOMMENDATION = "recommendation"  # 检察建议
    REPLIED = "replied"  # 已回复，待回访
    REMEDIED = "remedied"  # 回访：已整改
    NOT_REMEDIED = "not_remedied"  # 回访：未整改
    CASE = "case"  # 立案
    CLOSED = "closed"  # 办结


class LeadStep(StrEnum):
    """What an officer does with a lead."""

    OPEN = "open"
    CHECK = "check"  # 现场核查
    DISMISS = "dismiss"
    CONSULT = "consult"
    RECOMMEND = "recommend"
    DELIVER = "deliver"  # 送达
    REPLY = "reply"  # 行政机关回复
    RECHECK = "recheck"  # 回访
    OPEN_CASE = "open_case"
    CLOSE = "close"
    REOPEN = "reopen"
    TRANSFER = "transfer"  # 移交：by the program, when the place turns out to lie in another division


STATE_NAMES_ZH: dict[LeadState, str] = {
    LeadState.NEW: "待核查",
    LeadState.CHECKED: "已现场核查",
    LeadState.NO_CASE: "不立案",
    LeadState.CONSULTATION: "磋商",
    LeadState.RECOMMENDATION: "检察建议",
    LeadState.REPLIED: "已回复，待回访",
    LeadState.REMEDIED: "已整改",
    LeadState.NOT_REMEDIED: "未整改",
    LeadState.CASE: "立案",
    LeadState.CLOSED: "办结",
}
STEP_NAMES_ZH: dict[LeadStep, str] = {
    LeadStep.OPEN: "发现",
    LeadStep.CHECK: "现场核查",
    LeadStep.DISMISS: "不立案",
    LeadStep.CONSULT: "磋商",
    LeadStep.RECOMMEND: "制发检察建议",
    LeadStep.DELIVER: "送达",
    LeadStep.REPLY: "行政机关回复",
    LeadStep.RECHECK: "回访",
    LeadStep.OPEN_CASE: "立案",
    LeadStep.CLOSE: "办结",
    LeadStep.REOPEN: "重新打开",
    LeadStep.TRANSFER: "移交",
}


class LeadColour(StrEnum):
    """How a clock stands."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class LeadError(ValueError):
    """A step that the lead does not allow, or that lacks something. The message says what to do first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadEvent:
    """One step of a lead."""

    step: LeadStep
    at: datetime
    """When it was entered, aware."""
    by: str
    """Account of the officer; the program for ``TRANSFER``, and for ``OPEN`` of what an evaluation found."""
    on: date | None = None
    """The day it happened (Asia/Shanghai): of delivery, answer, check; of ``OPEN`` when an officer saw it."""
    is_found: bool | None = None
    """``CHECK``: whether what the lead says was found. ``RECHECK``: whether it was remedied."""
    is_urgent: bool = False
    """``DELIVER``: 15 days instead of two months, since harm goes on and grows."""
    regulator: str = ""
    document_number: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyClock:
    """How long an agency still has, or how it kept the time."""

    delivered_on: date
    due_on: date
    """The last day."""
    replied_on: date | None
    waited_until: date | None
    """Of the answer, or without one when it was seen to be remedied, or a case; ``None`` while it is waited for."""
    days_left: int
    """To the last day, from today or from ``waited_until``; negative once it is over."""

    @property
    def is_late(self) -> bool:
        """Whether the time ran out before an answer, or before anything else ended the waiting."""
        return self.days_left < 0

    @property
    def is_overdue(self) -> bool:
        """Whether the time ran out and an answer is still waited for."""
        return self.is_late and self.waited_until is None

    @property
    def colour(self) -> LeadColour:
        """Red once it is over, also if the answer came late; yellow before that while nobody answered."""
        if self.is_late:
            return LeadColour.RED
        if self.waited_until is None and self.days_left <= WARNING_DAYS:
            return LeadColour.YELLOW
        return LeadColour.GREEN


_AFTER_LOOKING = {LeadStep.CONSULT: LeadState.CONSULTATION, LeadStep.RECOMMEND: LeadState.RECOMMENDATION,
                  LeadStep.OPEN_CASE: LeadState.CASE}  # fmt: skip

_NEXT: dict[LeadState, dict[LeadStep, LeadState]] = {
    LeadState.NEW: {LeadStep.CHECK: LeadState.CHECKED},
    LeadState.CHECKED: {LeadStep.CHECK: LeadState.CHECKED, LeadStep.DISMISS: LeadState.NO_CASE} | _AFTER_LOOKING,
    LeadState.CONSULTATION: {
        LeadStep.DELIVER: LeadState.CONSULTATION,
        LeadStep.REPLY: LeadState.CONSULTATION,
        LeadStep.RECHECK: LeadState.NOT_REMEDIED,
        **_AFTER_LOOKING,
    },
    LeadState.RECOMMENDATION: {
        LeadStep.DELIVER: LeadState.RECOMMENDATION,
        LeadStep.REPLY: LeadState.REPLIED,
        LeadStep.RECHECK: LeadState.RECOMMENDATION,
        **_AFTER_LOOKING,
    },
    LeadState.REPLIED: {
        LeadStep.DELIVER: LeadState.REPLIED,
        LeadStep.REPLY: LeadState.REPLIED,
        LeadStep.RECHECK: LeadState.NOT_REMEDIED,
        LeadStep.OPEN_CASE: LeadState.CASE,
    },
    LeadState.REMEDIED: {
        LeadStep.DELIVER: LeadState.REMEDIED,
        LeadStep.REPLY: LeadState.REMEDIED,
        LeadStep.RECHECK: LeadState.NOT_REMEDIED,
        LeadStep.CLOSE: LeadState.CLOSED,
    },
    LeadState.NOT_REMEDIED: {
        LeadStep.DELIVER: LeadState.NOT_REMEDIED,
        LeadStep.REPLY: LeadState.NOT_REMEDIED,
        LeadStep.RECHECK: LeadState.NOT_REMEDIED,
        **_AFTER_LOOKING,
    },
    LeadState.CASE: {
        LeadStep.DELIVER: LeadState.CASE,
        LeadStep.REPLY: LeadState.CASE,
        LeadStep.CLOSE: LeadState.CLOSED,
    },
    LeadState.NO_CASE: {LeadStep.REOPEN: LeadState.NEW},
    LeadState.CLOSED: {LeadStep.REOPEN: LeadState.NEW},
}
"""What each state allows, and what follows. A ``RECHECK`` that found it remedied comes to ``REMEDIED`` from each."""

_NEEDS: dict[LeadStep, tuple[str, ...]] = {
    LeadStep.CHECK: ("on", "is_found"),
    LeadStep.DISMISS: ("note",),
    LeadStep.CONSULT: ("regulator",),
    LeadStep.RECOMMEND: ("regulator", "document_number"),
    LeadStep.DELIVER: ("on",),
    LeadStep.REPLY: ("on",),
    LeadStep.RECHECK: ("on", "is_found"),
    LeadStep.OPEN_CASE: ("document_number",),
    LeadStep.REOPEN: ("note",),
}

_COMES_AFTER: dict[LeadStep, tuple[LeadStep, ...]] = {
    LeadStep.CHECK: (),
    LeadStep.DELIVER: (LeadStep.CHECK, LeadStep.RECHECK),
    LeadStep.REPLY: (LeadStep.DELIVER,),
    LeadStep.RECHECK: (LeadStep.CHECK, LeadStep.DELIVER, LeadStep.REPLY),
}
"""A step with a day → the steps whose last day it cannot lie before."""

_ASKS_AGAIN = (LeadStep.CONSULT, LeadStep.RECOMMEND)
_ENDS_WAITING = (LeadStep.REPLY, LeadStep.RECHECK, LeadStep.OPEN_CASE, LeadStep.CLOSE)


_FIELD_NAMES: dict[str, tuple[str, str]] = {
    "on": ("日期", "the day"),
    "is_found": ("是否属实或是否整改", "whether it was found, or remedied"),
    "regulator": ("行政机关", "the agency"),
    "document_number": ("文号", "the number of the document"),
    "note": ("说明", "the reason in words"),
}


def state_of(events: Sequence[LeadEvent]) -> LeadState:
    """What the events come to. Raises LeadError for a list that no :func:`with_step` made."""
    if not events or events[0].step is not LeadStep.OPEN:
        raise LeadError("线索须以 open 开始 / a lead begins with the step open")
    state = LeadState.NEW
    for number, event in enumerate(events[1:], start=1):
        state = _after(state, event, events[:number])
    return state


def with_step(events: Sequence[LeadEvent], event: LeadEvent) -> tuple[LeadEvent, ...]:
    """The events and one more. Raises LeadError if the lead does not allow it now, or the step lacks something."""
    if not events:
        whole: tuple[LeadEvent, ...] = (event,)
    else:
        if event.at < events[-1].at:
            raise LeadError(
                f"“{STEP_NAMES_ZH[event.step]}”的登记时间 {event.at} 早于上一步 {events[-1].at}，请核对系统时间"
                " / it is entered before the last step: check the clock"
            )
        whole = (*events, event)
    state_of(whole)
    _check_day(events, event)
    return whole


def next_steps(events: Sequence[LeadEvent]) -> tuple[LeadStep, ...]:
    """The steps that the lead allows now, whatever they need besides."""
    return _open_to(state_of(events), events)


def reply_due_on(delivered_on: date, *, is_urgent: bool, is_rest_day: IsRestDay | None = None) -> date:
    """The last day to act and answer; with a calendar, the first day of work if it is a rest day (民法典 203).

    ``is_rest_day`` may raise for a year without data; ``None`` moves nothing.
    """
    due_on = delivered_on + _DAY * URGENT_REPLY_DAYS if is_urgent else same_day_after(delivered_on, REPLY_MONTHS)
    while is_rest_day is not None and is_rest_day(due_on):
        due_on += _DAY
    return due_on


def reply_clock(events: Sequence[LeadEvent], *, today: date, is_rest_day: IsRestDay | None = None) -> ReplyClock | None:
    """The clock of the last recommendation since the lead was opened, or opened again; ``None`` before its delivery.

    It runs until the answer, or until somebody saw that it is remedied, opened a case or closed the lead; a look that
    found nothing remedied stops nothing. ``today``: of Asia/Shanghai.
    """
    turn = _turn(events)
    delivered = last_step(turn, LeadStep.DELIVER)
    if delivered is None or delivered.on is None:
        return None
    replied = last_step(turn, LeadStep.REPLY)
    ended = replied or _ended_without_answer(turn)
    due_on = reply_due_on(delivered.on, is_urgent=delivered.is_urgent, is_rest_day=is_rest_day)
    waited_until = None if ended is None else ended.on or _day_of(ended)
    return ReplyClock(
        delivered_on=delivered.on,
        due_on=due_on,
        replied_on=None if replied is None else replied.on,
        waited_until=waited_until,
        days_left=(due_on - (waited_until or today)).days,
    )


def since_opened(events: Sequence[LeadEvent]) -> Sequence[LeadEvent]:
    """The events of the lead's present life: from its beginning, or from where it was last opened again."""
    again = [number for number, event in enumerate(events) if event.step is LeadStep.REOPEN]
    return events[again[-1] :] if again else events


def last_step(events: Sequence[LeadEvent], step: LeadStep) -> LeadEvent | None:
    """The last event of that kind; ``None`` if there is none."""
    return next((event for event in reversed(events) if event.step is step), None)


def letter_to_deliver(events: Sequence[LeadEvent]) -> LeadEvent | None:
    """The recommendation that stands and was not delivered yet; ``None`` if there is none."""
    is_waiting = state_of(events) is LeadState.RECOMMENDATION and last_step(_turn(events), LeadStep.DELIVER) is None
    return last_step(events, LeadStep.RECOMMEND) if is_waiting else None


def recheck_on(events: Sequence[LeadEvent], *, is_rest_day: IsRestDay | None = None) -> date | None:
    """When to look again: after an answer, or once time ran out without one; ``None`` if nothing is waited for."""
    state = state_of(events)
    if state is LeadState.REPLIED:
        replied = last_step(events, LeadStep.REPLY)
        return None if replied is None or replied.on is None else replied.on + _DAY * RECHECK_DAYS
    if state is LeadState.RECOMMENDATION:
        clock = reply_clock(events, today=date.min, is_rest_day=is_rest_day)
        return None if clock is None else clock.due_on + _DAY
    return None


def _after(state: LeadState, event: LeadEvent, before: Sequence[LeadEvent]) -> LeadState:
    if event.step is LeadStep.TRANSFER:
        return state
    if event.step not in _NEXT[state]:
        allowed = _open_to(state, before)
        steps_zh = "、".join(STEP_NAMES_ZH[step] for step in allowed)
        raise LeadError(
            f"线索现为“{STATE_NAMES_ZH[state]}”，不能办理“{STEP_NAMES_ZH[event.step]}”；现在可以：{steps_zh}"
            f" / the lead is {state}, not open to {event.step}, but to: {', '.join(allowed)}"
        )
    for name in _NEEDS.get(event.step, ()):
        if getattr(event, name) in (None, ""):
            name_zh, name_en = _FIELD_NAMES[name]
            raise LeadError(f"“{STEP_NAMES_ZH[event.step]}”缺少{name_zh} / {event.step} needs {name_en}")
    if (hindrance := _hindrance(state, event.step, before)) is not None:
        raise LeadError(hindrance)
    is_remedied = event.step is LeadStep.RECHECK and event.is_found
    return LeadState.REMEDIED if is_remedied else _NEXT[state][event.step]


def _open_to(state: LeadState, before: Sequence[LeadEvent]) -> tuple[LeadStep, ...]:
    return tuple(step for step in LeadStep if step in _NEXT[state] and _hindrance(state, step, before) is None)


def _hindrance(state: LeadState, step: LeadStep, before: Sequence[LeadEvent]) -> str | None:
    """What must be done before a step that the state allows; ``None`` if nothing."""
    if state is LeadState.CHECKED and step in _AFTER_LOOKING and not _was_found(before):
        return "现场核查未发现问题，只能不立案或再查 / nothing was found on site: dismiss, or check again"
    turn = _turn(before)
    if step is LeadStep.REPLY and last_step(turn, LeadStep.DELIVER) is None:
        return "尚未登记送达，请先登记送达日期 / no delivery is on record: enter it first, the clock runs from it"
    if step is LeadStep.DELIVER and last_step(since_opened(before), LeadStep.RECOMMEND) is None:
        return "尚未制发检察建议，无从送达 / no recommendation is on record that could be delivered"
    if state is LeadState.RECOMMENDATION and step in _ASKS_AGAIN and last_step(turn, LeadStep.RECHECK) is None:
        return "检察建议正待答复：回访未整改的，方可再行磋商或制发 / an answer is due: look again first"
    return None


def _check_day(before: Sequence[LeadEvent], event: LeadEvent) -> None:
    """Refuse a day that lies ahead, or not in the order of what happened. What is on record already is not judged."""
    if event.on is None:
        return
    said, today = f"{STEP_NAMES_ZH[event.step]}日期 {event.on} ", _day_of(event)
    if event.on > today:
        raise LeadError(f"{said}晚于今天 {today} / that day is still to come: enter the day on which it happened")
    if before and event.on < (began := before[0].on or _day_of(before[0])):
        raise LeadError(f"{said}早于线索发现之日 {began} / that is before the lead was opened")
    # A look while an answer is waited for may lie before a delivery that is entered again.
    earlier = before[: len(before) - len(_turn(before))] if event.step is LeadStep.DELIVER else before
    for step in _COMES_AFTER.get(event.step, ()):
        if (other := last_step(earlier, step)) is not None and other.on is not None and event.on < other.on:
            raise LeadError(f"{said}早于{STEP_NAMES_ZH[step]} {other.on} / that is before the day of {step}")
    replied = last_step(_turn(before), LeadStep.REPLY) if event.step is LeadStep.DELIVER else None
    if replied is not None and replied.on is not None and event.on > replied.on:
        raise LeadError(f"{said}晚于行政机关回复 {replied.on} / that is after the answer: correct the answer first")


def _turn(events: Sequence[LeadEvent]) -> Sequence[LeadEvent]:
    """What followed the last recommendation; nothing if the lead was opened again since, or there was none."""
    for number, event in reversed(list(enumerate(events))):
        if event.step in (LeadStep.RECOMMEND, LeadStep.REOPEN):
            return events[number + 1 :] if event.step is LeadStep.RECOMMEND else ()
    return ()


def _day_of(event: LeadEvent) -> date:
    """The day on which a step was entered, in China."""
    return event.at.astimezone(SHANGHAI).date()


def _ended_without_answer(turn: Sequence[LeadEvent]) -> LeadEvent | None:
    """What ended the waiting for an answer that never came; a look that found nothing remedied begins it again."""
    failed = [n for n, event in enumerate(turn) if event.step is LeadStep.RECHECK and not event.is_found]
    return next((event for event in turn[failed[-1] + 1 if failed else 0 :] if event.step in _ENDS_WAITING), None)


def _was_found(events: Sequence[LeadEvent]) -> bool:
    return next(bool(event.is_found) for event in reversed(events) if event.step is LeadStep.CHECK)
