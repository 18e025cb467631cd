"""A text that may not be said is replaced by a neutral one and is work for an officer; alerting goes on."""

from dataclasses import replace

from alerts.alert import Case, Role, StepKind, Task, TaskKind
from alerts.decide import decide
from alerts.escalation import HURRIES, due_steps
from alerts.history import HistoryKind
from alerts.reason import Because
from alerts.roster import Roster
from alerts.templates import BUILT_IN, Catalogue
from tests.alerts.make_alerts import GUARDIAN, POLICY, PROSECUTOR, a_case, after
from tracking.episode import Violation


def without(*template_ids: str) -> Catalogue:
    return Catalogue(templates={key: item for key, item in BUILT_IN.templates.items() if key[0] not in template_ids})


def said(catalogue: Catalogue, case: Case) -> tuple[dict[Role, str], list[Task], list[str]]:
    """What each role is told, the tasks, and why somebody is not told."""
    decision = decide(
        cases=[case], alerts=(), recipients={1: [GUARDIAN, PROSECUTOR]}, roster=Roster(), policy=POLICY,
        catalogue=catalogue,
    )  # fmt: skip
    untold = [item.reason.code for item in decision.history if item.kind is HistoryKind.NOT_TOLD]
    return {item.role: item.text for item in decision.notifications}, list(decision.tasks), untold


def test_a_wording_that_is_lacking_is_replaced_by_a_neutral_one_and_is_work() -> None:
    told, tasks, untold = said(without("officer_entry_suspected"), a_case())
    assert "尚无人受理，请您接手" in told[Role.PROSECUTOR]
    assert "疑似进入" in told[Role.GUARDIAN]
    assert [(task.kind, task.reason.code) for task in tasks] == [(TaskKind.TEXT_WITHHELD, "text_withheld")]
    assert untold == []


def test_a_name_that_may_not_be_said_is_withheld_and_is_work_once() -> None:
    case = a_case()
    full = replace(case, subject=replace(case.subject, alias="张小丽丽"))
    told, tasks, _ = said(BUILT_IN, full)
    assert all("张小丽丽" not in text and "某某" in text for text in told.values())
    assert [task.kind for task in tasks] == [TaskKind.TEXT_WITHHELD]
    assert "张小丽丽" not in tasks[0].reason.zh + tasks[0].reason.en


def test_whom_no_text_can_tell_is_not_told_and_the_next_step_is_due_at_once() -> None:
    told, tasks, untold = said(without("guardian_entry_suspected", "guardian_reminder"), a_case())
    assert set(told) == {Role.PROSECUTOR}
    assert [task.kind for task in tasks] == [TaskKind.TEXT_WITHHELD]
    assert untold == [Because.NOT_DELIVERED]
    assert Because.NOT_DELIVERED in HURRIES


def test_whom_no_text_can_be_said_to_is_not_waited_for() -> None:
    """The fix came in four minutes after the event: the next step is due then, not ten minutes later."""
    case, known_at = a_case(), after(4)
    assert isinstance(case.fact, Violation)
    case = replace(case, fact=replace(case.fact, known_at=known_at, live_known_at=known_at))
    decision = decide(
        cases=[case], alerts=[], recipients={1: (GUARDIAN, PROSECUTOR)}, roster=Roster(), policy=POLICY,
        catalogue=without("guardian_entry_suspected", "guardian_reminder"),
    )  # fmt: skip
    (alert,) = decision.alerts
    due = due_steps(alert, steps=decision.steps, history=decision.history, now=known_at, policy=POLICY)
    assert [step.kind for step in due.steps] == [StepKind.NEXT_RECIPIENT]
