"""An answer of the family that the office hears of at once: told to the first officer, once, and recorded. Pure."""

from collections.abc import Sequence

from alerts.alert import TaskKind
from alerts.answer import OF_FAMILY, Answer
from alerts.history import MACHINE, HistoryEntry, HistoryKind
from alerts.life import history_entry
from alerts.reason import Because, because
from alerts.routing import route
from alerts.steps import Scene, StepTaken
from alerts.telling import Telling, task_for, told_entry, untold_entry, worded_for

ANSWER_NOTICES: dict[str, str] = {Answer.CANNOT: "guardian_cannot", Answer.NOT_MY_CHILD: "guardian_denies"}
"""Answers that the office hears of at once, and by which notice."""


def answers_to_pass_on(history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """The answers that the office is to hear of and about which nothing is on record yet, in their order.

    ``history``: of one alert, in the order in which it was written.
    """
    seen_to = {entry.about for entry in history}
    return [entry for entry in history if _is_for_office(entry) and entry.entry_id not in seen_to]


def pass_on(answered: HistoryEntry, history: Sequence[HistoryEntry], scene: Scene) -> StepTaken:
    """Tell the first officer that the family cannot help, or that the message went to a wrong person.

    Beside the next step, which an answer of this kind brings about at once (``alerts.escalation.HURRIES``). Whatever
    comes of it, an entry about the answer says so. Who says the same again is not passed on again, unless an officer
    or the machine opened the alert again meanwhile.
    """
    if _was_said_before(answered, history):
        return StepTaken(history=(_about(answered, scene, HistoryKind.NOT_TOLD, Because.ANSWER_REPEATED),))
    found = route(scene.case, at=scene.now, recipients=scene.recipients, roster=scene.roster)
    if not found.office:
        nobody = because(Because.NO_OFFICER)
        task = task_for(
            scene.alert, TaskKind.NOBODY_TO_TELL, at=answered.at, reason=nobody, about=None, due_at=scene.now
        )
        return StepTaken(
            tasks=(task,), history=(_about(answered, scene, HistoryKind.NOBODY_TO_TELL, Because.NO_OFFICER),)
        )
    choice = found.office[0]
    telling = Telling(
        at=scene.now,
        notice=ANSWER_NOTICES[answered.reason.code],
        minutes=int((answered.at - scene.event_at).total_seconds() // 60),
        anew_at=answered.at,
        catalogue=scene.catalogue,
    )
    worded = worded_for(
        scene.alert, scene.case, choice, decided_at=scene.event_at, known_at=answered.at, telling=telling
    )
    entry = untold_entry if worded.notification is None else told_entry
    return StepTaken(
        notifications=() if worded.notification is None else (worded.notification,),
        tasks=() if worded.task is None else (worded.task,),
        history=(
            entry(scene.alert, choice, at=scene.now),
            _about(answered, scene, HistoryKind.TOLD, Because.ANSWER_PASSED_ON),
        ),
    )


def _is_for_office(entry: HistoryEntry) -> bool:
    return entry.kind is HistoryKind.ANSWERED and entry.reason.code in ANSWER_NOTICES


def _was_said_before(answered: HistoryEntry, history: Sequence[HistoryEntry]) -> bool:
    said: set[tuple[object, str]] = set()
    for entry in history:
        if entry.entry_id == answered.entry_id:
            break
        if entry.kind is HistoryKind.REOPENED and entry.actor.kind not in OF_FAMILY:
            said.clear()
        elif _is_for_office(entry):
            said.add((entry.about, entry.reason.code))
    return (answered.about, answered.reason.code) in said


def _about(answered: HistoryEntry, scene: Scene, kind: HistoryKind, code: Because) -> HistoryEntry:
    return history_entry(scene.alert, kind, at=scene.now, actor=MACHINE, reason=because(code), about=answered.entry_id)
