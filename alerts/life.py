"""The life of an alert: open, acknowledged, closed, and open again; who, when and why. Pure (ADR 0025).

Every turn gives the alert as it is then and one history entry. What a turn may not do is refused in plain words. Entry
ids depend on what happened only, so that a repeat of the same request is the same entry.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts.alert import Alert, AlertState
from alerts.history import Actor, ActorKind, HistoryEntry, HistoryKind
from alerts.reason import Reason
from tracking.episode import derived_id
from tracking.rules import to_microseconds


class Closing(StrEnum):
    """Why an alert is closed."""

    TAKEN_AWAY = "taken_away"
    RETURNED = "returned"
    HANDLED = "handled"
    HANDED_OVER = "handed_over"
    PERMITTED = "permitted"
    FALSE_ALARM = "false_alarm"
    DEVICE_FAULT = "device_fault"
    SAME_AS_OTHER = "same_as_other"
    NO_ONE_REACHED = "no_one_reached"


CLOSINGS: dict[Closing, Reason] = {
    kind: Reason(code=kind, zh=zh, en=en)
    for kind, zh, en in (
        (Closing.TAKEN_AWAY, "已由监护人或办案人员带离", "taken away by the guardian or an officer"),
        (Closing.RETURNED, "本人已自行离开或返回", "the person left or came back"),
        (Closing.HANDLED, "已核实并处置", "looked into and dealt with"),
        (Closing.HANDED_OVER, "已移送其他机关处理", "handed over to another organ"),
        (Closing.PERMITTED, "经批准外出或属个案豁免", "permitted by a leave or an exemption"),
        (Closing.FALSE_ALARM, "经核实为误报", "found to be false"),
        (Closing.DEVICE_FAULT, "设备故障", "a fault of the device"),
        (Closing.SAME_AS_OTHER, "与另一警报属同一事件", "the same event as another alert"),
        (Closing.NO_ONE_REACHED, "无法联系任何人，已另行记录", "nobody could be reached; recorded elsewhere"),
    )
}
"""Words of each."""

NEEDS_REMARK = frozenset({Closing.HANDLED, Closing.HANDED_OVER, Closing.SAME_AS_OTHER, Closing.NO_ONE_REACHED})
"""These say nothing without a remark: what was done, to whom it went, which other alert, what was recorded."""


SAYS_IT_IS_OVER = frozenset({Closing.TAKEN_AWAY, Closing.RETURNED, Closing.HANDLED, Closing.NO_ONE_REACHED})
"""Closings that fixes can prove wrong. The others judge the stay itself, or leave it to other hands."""


class Reopening(StrEnum):
    """Why an alert is opened again."""

    CLOSED_IN_ERROR = "closed_in_error"
    NEW_EVIDENCE = "new_evidence"


REOPENINGS: dict[Reopening, Reason] = {
    Reopening.CLOSED_IN_ERROR: Reason(code=Reopening.CLOSED_IN_ERROR, zh="误结", en="closed in error"),
    Reopening.NEW_EVIDENCE: Reason(code=Reopening.NEW_EVIDENCE, zh="有新的证据", en="new evidence"),
}

ACKNOWLEDGED_BY_OFFICER = Reason(code="acknowledged", zh="已确认收到并处理", en="seen, and being worked on")

STATE_NAMES: dict[AlertState, tuple[str, str]] = {
    AlertState.OPEN: ("待确认", "open"),
    AlertState.ACKNOWLEDGED: ("已确认", "acknowledged"),
    AlertState.CLOSED: ("已结", "closed"),
}
"""Chinese and English."""


class IllegalTurnError(Exception):
    """An alert cannot do this: what was asked of which state, and what can be done instead, zh and en."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.zh = zh
        self.en = en


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """An alert after a turn, and the entry that says so."""

    alert: Alert
    entry: HistoryEntry


def acknowledge(alert: Alert, *, by: Actor, at: datetime, reason: Reason = ACKNOWLEDGED_BY_OFFICER) -> Turned:
    """Somebody took it on: nobody further is told. Raises :class:`IllegalTurnError` unless it is open."""
    _refuse_machine(by, "确认", "acknowledge")
    if alert.state is not AlertState.OPEN:
        raise _illegal(alert, "确认", "acknowledged", "只有待确认的警报可以确认", "only an open one can be")
    return Turned(
        alert=replace(alert, state=AlertState.ACKNOWLEDGED),
        entry=history_entry(alert, HistoryKind.ACKNOWLEDGED, at=at, actor=by, reason=reason),
    )


def close(alert: Alert, *, by: Actor, at: datetime, closing: Closing, remark: str = "") -> Turned:
    """An officer ends the work, from open or acknowledged. Raises :class:`IllegalTurnError`.

    What happens later is another event; what happened before and becomes known later is added to it.
    """
    if by.kind is not ActorKind.OFFICER:
        raise IllegalTurnError("只有办案人员可以结案。", f"Only an officer closes an alert, not the {by.kind}.")
    if alert.state is AlertState.CLOSED:
        raise _illegal(alert, "结案", "closed", "如需更正，请先重新打开", "open it again to correct the reason")
    if closing in NEEDS_REMARK and not remark.strip():
        raise IllegalTurnError(
            f"以“{CLOSINGS[closing].zh}”结案须写明情况。", f"Closed as “{CLOSINGS[closing].en}”, it needs a remark."
        )
    settled_at = at if alert.settled_at is None else min(at, alert.settled_at)
    return Turned(
        alert=replace(alert, state=AlertState.CLOSED, settled_at=settled_at),
        entry=history_entry(
            alert, HistoryKind.CLOSED, at=at, actor=by, reason=CLOSINGS[closing], remark=remark.strip()
        ),
    )


def reopen(alert: Alert, *, by: Actor, at: datetime, reason: Reason, remark: str = "") -> Turned:
    """Open a closed alert again: an officer with a reason, or the machine when what it holds goes on.

    The machine opens one too that is not closed, if a guardian said that it is over. Raises :class:`IllegalTurnError`
    for any other that is not closed, and for the family.
    """
    if by.kind not in {ActorKind.OFFICER, ActorKind.MACHINE}:
        raise IllegalTurnError(
            "只有办案人员可以重新打开。", f"Only an officer opens an alert again, not the {by.kind}."
        )
    is_belied = by.kind is ActorKind.MACHINE and alert.settled_at is not None
    if alert.state is not AlertState.CLOSED and not is_belied:
        raise _illegal(alert, "重新打开", "opened again", "只有已结的警报可以重新打开", "only a closed one can be")
    return Turned(
        alert=replace(alert, state=AlertState.OPEN, settled_at=None),
        entry=history_entry(alert, HistoryKind.REOPENED, at=at, actor=by, reason=reason, remark=remark.strip()),
    )


def history_entry(
    alert: Alert,
    kind: HistoryKind,
    *,
    at: datetime,
    actor: Actor,
    reason: Reason,
    about: UUID | None = None,
    remark: str = "",
) -> HistoryEntry:
    """What happened to an alert, under a key of its own: the same happening is the same entry."""
    return HistoryEntry(
        entry_id=derived_id(
            "alert_history",
            to_microseconds(at),
            str(alert.alert_id),
            kind,
            str(about),
            str(actor.actor_id),
            reason.code,
        ),
        alert_id=alert.alert_id,
        kind=kind,
        at=at,
        actor=actor,
        reason=reason,
        about=about,
        remark=remark,
    )


def _refuse_machine(by: Actor, zh: str, en: str) -> None:
    if by.kind is ActorKind.MACHINE:
        raise IllegalTurnError(f"系统不能{zh}警报。", f"The machine does not {en} alerts.")


def _illegal(alert: Alert, zh: str, en: str, but_zh: str, but_en: str) -> IllegalTurnError:
    state_zh, state_en = STATE_NAMES[alert.state]
    return IllegalTurnError(
        f"警报{state_zh}，不能{zh}：{but_zh}。", f"The alert is {state_en} and cannot be {en}: {but_en}."
    )
