"""What the commands of alerts and rosters show, as lines that an officer reads. Times are of Asia/Shanghai. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.alert import AlertState, NotificationState, Role, StepKind
from alerts.answer import Answer
from alerts.channel import Channel
from alerts.event import EventKind
from alerts.failover import WORDS, Obstacle
from alerts.history import ActorKind
from alerts.life import CLOSINGS, STATE_NAMES, Closing
from api.casework.names import (
    ANSWER_NAMES_ZH,
    CHANNEL_NAMES_ZH,
    EVENT_NAMES_ZH,
    FOUND_NAMES_ZH,
    HISTORY_NAMES_ZH,
    MESSAGE_NAMES_ZH,
    ROLE_NAMES_ZH,
    STEP_NAMES_ZH,
    STEP_OUTCOME_NAMES_ZH,
    TASK_NAMES_ZH,
)
from api.cli.case_lines import Item, minute
from tracking.local_time import LOCAL_TIME

_ACTORS: dict[ActorKind, str] = {
    ActorKind.MACHINE: "系统 machine",
    ActorKind.OFFICER: "办案人员 officer",
    ActorKind.GUARDIAN: "监护人 guardian",
    ActorKind.GUARANTOR: "保证人 guarantor",
}


def alert_lines(item: Item) -> Iterator[str]:
    """An alert in the list."""
    late = "  事后才知 known late" if item["is_late"] else ""
    yield f"{minute(item['opened_at'])}  {_event(item['event'])}  {state_name(item['state'])}{late}"
    if item["time_to_rescue_s"] is not None:
        span = spoken(timedelta(seconds=item["time_to_rescue_s"]))
        yield f"  家属称已带离，距事发 {span} the family said so {span} after the event"
    if item["closed_reason"] is not None:
        yield f"  结案理由 closed: {_closing(item['closed_reason'])}"
    yield f"  id {item['alert_id']}  对象 subject {item['subject_id']}"


def whole_alert_lines(item: Item) -> Iterator[str]:
    """One alert with all that became of it, under headings; what there is none of has none."""
    yield from alert_lines(item)
    yield from _under("依据 facts", [line for fact in item["facts"] for line in _fact(fact)])
    yield from _under("通知 told", [line for message in item["messages"] for line in _message(message)])
    yield from _under("答复 answers", [f"{minute(a['answered_at'])}  {_answer(a['answer'])}" for a in item["answers"]])
    yield from _under("待办 tasks", [_task(task) for task in item["tasks"]])
    yield from _under("无人确认时 if nobody acknowledges", [_step(step) for step in item["steps"]])
    yield from _under("经过 history", [line for entry in item["history"] for line in _entry(entry)])


def roster_lines(found: Mapping[str, Sequence[Item]]) -> Iterator[str]:
    """People, turns and absences, under headings."""
    names: dict[UUID, str] = {person["recipient_id"]: person["name"] for person in found["people"]}
    yield from _headed("人员 people", [
        f"{person['unit']}  {_role(person['role'])}  {person['name']}  {person['phone']}  id {person['recipient_id']}"
        for person in found["people"]
    ])  # fmt: skip
    yield from _headed("班次 turns of duty", [
        f"{duty['unit']}  {_span(duty)}  {_on_turn(duty['recipient_ids'], names)}  id {duty['roster_id']}"
        for duty in found["duties"]
    ])  # fmt: skip
    yield from _headed("请假 away", [
        f"{names[away['recipient_id']]}  {_span(away)}  id {away['absence_id']}" for away in found["absences"]
    ])  # fmt: skip


def state_name(state: str) -> str:
    """Chinese and English."""
    return " ".join(STATE_NAMES[AlertState(state)])


def spoken(span: timedelta) -> str:
    """``45 s``, ``25 min``, ``3 h 05 min``."""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def _headed(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield heading
        yield from (f"  {line}" for line in lines)


def _under(heading: str, lines: Sequence[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in _headed(heading, lines))


def _fact(fact: Item) -> Iterator[str]:
    name = FOUND_NAMES_ZH.get(fact["kind"], fact["kind"])
    yield f"自 from {minute(fact['started_at'])}  {name} {fact['kind']}"
    yield f"  id {fact['violation_id'] or fact['finding_id']}"


def _message(message: Item) -> Iterator[str]:
    channel, state = Channel(message["channel"]), NotificationState(message["state"])
    if channel is Channel.VOICE_TASK:
        yield f"{_role(message['role'])}  {CHANNEL_NAMES_ZH[channel]} {channel}  见待办 see tasks"
        return
    yield f"{_role(message['role'])}  {CHANNEL_NAMES_ZH[channel]} {channel}  {MESSAGE_NAMES_ZH[state]} {state}"
    if message["obstacle"] in set(Obstacle):
        yield "  " + " ".join(WORDS[Obstacle(message["obstacle"])])
    stamps = "  ".join(
        f"{zh} {_clock(message[name])}"
        for zh, name in (
            ("定位", "fixed_at"),
            ("收到", "received_at"),
            ("决定", "decided_at"),
            ("送达", "delivered_at"),
        )
    )
    yield f"  {stamps}"


def _clock(instant: datetime | None) -> str:
    return "–" if instant is None else f"{instant.astimezone(LOCAL_TIME):%m-%d %H:%M:%S}"


def _step(step: Item) -> str:
    kind = STEP_NAMES_ZH[StepKind(step["kind"])]
    if step["done_at"] is None:
        return f"{minute(step['due_at'])}  {kind} {step['kind']}"
    outcome = STEP_OUTCOME_NAMES_ZH.get(step["outcome"], step["outcome"])
    return f"{minute(step['done_at'])}  {kind} {step['kind']}  {outcome} {step['outcome']}"


def _task(task: Item) -> str:
    done = "" if task["done_at"] is None else f"  已办 done {minute(task['done_at'])}"
    why = f"：{task['reason_zh']}" if task["reason_zh"] else ""
    return f"{minute(task['due_at'])}  {TASK_NAMES_ZH.get(task['kind'], task['kind'])}{why}{done}"


def _entry(entry: Item) -> Iterator[str]:
    name = HISTORY_NAMES_ZH.get(entry["kind"], entry["kind"])
    who = entry["actor"] or _ACTORS[ActorKind(entry["actor_kind"])]
    whom = "" if entry["about_role"] is None else f"  {_role(entry['about_role'])}"
    yield f"{minute(entry['at'])}  {name} {entry['kind']}{whom}  —  {who}"
    yield f"  {entry['reason_zh']} {entry['reason_en']}" + (f"  「{entry['remark']}」" if entry["remark"] else "")


def _on_turn(people: Sequence[UUID], names: Mapping[UUID, str]) -> str:
    return "、".join(names[number] for number in people) or "无人在班，通知领导 nobody: the leader is told"


def _span(item: Mapping[str, Any]) -> str:
    return f"{minute(item['from_at'])} – {minute(item['to_at'])}"


def _event(event: str) -> str:
    return f"{EVENT_NAMES_ZH[EventKind(event)]} {event}" if event in set(EventKind) else event


def _role(role: str) -> str:
    return f"{ROLE_NAMES_ZH[Role(role)]} {role}"


def _answer(answer: str) -> str:
    return f"{ANSWER_NAMES_ZH[Answer(answer)]} {answer}"


def _closing(code: str) -> str:
    if code not in set(Closing):
        return code
    reason = CLOSINGS[Closing(code)]
    return f"{reason.zh} {reason.en}"
