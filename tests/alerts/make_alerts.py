"""People, facts and rosters for tests of alerting, in the words of the test. Synthetic only."""

from datetime import date, datetime, timedelta
from uuid import UUID

from alerts.alert import Alert, Block, Case, Finding, Jurisdiction, Recipient, Role
from alerts.event import EventKind, live_at_of_finding
from alerts.policy import AlertPolicy
from tests.make import EVENING
from tracking.episode import Violation, derived_id
from tracking.order import ConditionKind, Measure, Subject

POLICY = AlertPolicy()
MINOR = date(2010, 1, 1)
ADULT = date(1990, 1, 1)
COUNTY = Jurisdiction(police="城关派出所", procuratorate="某区检察院")


def after(minutes: float) -> datetime:
    """So many minutes into the evening: 22:00 on a Friday in Asia/Shanghai."""
    return EVENING + timedelta(minutes=minutes)


def a_subject(subject_no: int = 1, *, birth_date: date = MINOR) -> Subject:
    return Subject(subject_no=subject_no, subject_id=UUID(int=subject_no), alias="小丽", birth_date=birth_date)


def a_case(
    minutes: float = 0.0,
    *,
    live_after: float | None = 0.0,
    zone_no: int = 1,
    subject_no: int = 1,
    kind: ConditionKind = ConditionKind.EXCLUDED_CATEGORIES,
    birth_date: date = MINOR,
    evening: datetime = EVENING,
    measure: Measure = Measure.CONDITIONAL_NON_PROSECUTION,
    is_protected: bool = False,
    names_guarantor: bool = False,
    jurisdiction: Jurisdiction = COUNTY,
) -> Case:
    """A violation decided so many minutes into the evening, five after it began, and live so many minutes later."""
    decided_at = evening + timedelta(minutes=minutes)
    live_at = None if live_after is None else decided_at + timedelta(minutes=live_after)
    key = (round(decided_at.timestamp() * 1e6), subject_no, zone_no, str(kind))
    violation = Violation(
        violation_id=derived_id("violation", *key),
        episode_id=derived_id("episode", *key),
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
    return Case(
        fact=violation,
        subject=a_subject(subject_no, birth_date=birth_date),
        measure=measure,
        is_protected=is_protected,
        names_guarantor=names_guarantor,
        jurisdiction=jurisdiction,
    )


def a_finding(
    event: EventKind,
    minutes: float = 0.0,
    *,
    known_after: float = 0.0,
    ends: UUID | None = None,
    is_over: bool = False,
    subject_no: int = 1,
    birth_date: date = MINOR,
    evening: datetime = EVENING,
    measure: Measure = Measure.CONDITIONAL_NON_PROSECUTION,
    names_guarantor: bool = False,
) -> Case:
    """A finding decided so many minutes into the evening and known so many minutes later."""
    decided_at = evening + timedelta(minutes=minutes)
    known_at = decided_at + timedelta(minutes=known_after)
    finding = Finding(
        finding_id=derived_id("finding", round(decided_at.timestamp() * 1e6), subject_no, str(event), str(ends)),
        subject_no=subject_no,
        event=event,
        started_at=decided_at,
        decided_at=decided_at,
        known_at=known_at,
        live_at=live_at_of_finding(
            event, decided_at=decided_at, known_at=known_at, is_over=is_over, maximum_age=POLICY.quiet_after
        ),
        ends=ends,
    )
    return Case(
        fact=finding,
        subject=a_subject(subject_no, birth_date=birth_date),
        measure=measure,
        names_guarantor=names_guarantor,
        jurisdiction=COUNTY,
    )


def a_recipient(
    number: int,
    role: Role = Role.GUARDIAN,
    *,
    rank: int = 1,
    is_blocked: bool = False,
    unit: str | None = None,
    blocked_for: Block | None = None,
    language: str = "zh",
) -> Recipient:
    return Recipient(
        recipient_id=UUID(int=number),
        subject_no=None if role in {Role.DUTY_OFFICER, Role.LEADER} else 1,
        role=role,
        rank=rank,
        is_blocked=is_blocked,
        unit=unit,
        blocked_for=blocked_for,
        language=language,
    )


def an_alert(event: EventKind = EventKind.ENTRY, minutes: float = 0.0) -> Alert:
    """One that was told, at so many minutes."""
    at = after(minutes)
    return Alert(
        alert_id=derived_id("alert", round(at.timestamp() * 1e6), "test"),
        subject_no=1,
        event=event,
        opened_at=at,
        last_event_at=at,
        is_late=False,
    )


GUARDIAN, PROSECUTOR = a_recipient(1), a_recipient(2, Role.PROSECUTOR)
POLICE = a_recipient(3, Role.POLICE)
GUARANTOR = a_recipient(4, Role.GUARANTOR)
