"""Whom an event is told to, in which order, and why this person and not that one. Pure (ADR 0025).

Two lines are told at the same time, each from its first person on: the family, and the office. Who is next in a line is
told if nobody acknowledges. The family is the guardians of a minor in their order, at the instant of the event, and the
guarantor if the order has one (刑诉法 70). The office is the executing organ first, then the one that supervises it:
bail and residential surveillance the police, conditional non-prosecution the procuratorate (刑诉法 67, 74, 283).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from alerts.alert import FAMILY_ROLES, Case, Jurisdiction, Recipient, Role, TaskKind
from alerts.event import HEARING_OF_EVENT, EventKind, Notice
from alerts.reason import Because, Reason, because
from alerts.roster import OnDuty, Roster, on_duty
from alerts.templates import Reader
from tracking.age import majority_at
from tracking.order import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One person who is told, and why."""

    recipient: Recipient
    reader: Reader
    reason: Reason
    tell_until: datetime | None = None
    """From this aware instant on it is too late to tell this person; ``None``: no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """One person who is not told, and why not."""

    recipient: Recipient
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanting:
    """What the route lacks, and what kind of work that makes."""

    kind: TaskKind
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who is told of an event. ``family`` and ``office``: in the order in which they are told, one after the other."""

    family: tuple[Choice, ...]
    office: tuple[Choice, ...]
    passed_over: tuple[PassedOver, ...] = ()
    wanting: tuple[Wanting, ...] = ()
    queue_only: Reason | None = None
    """Why officers get no message at all, where that is so."""

    @property
    def at_once(self) -> tuple[Choice, ...]:
        """The first of each line."""
        return self.office[:1] + self.family[:1]


def route(case: Case, *, at: datetime, recipients: Sequence[Recipient], roster: Roster) -> Route:
    """Whom a fact that can be acted on at ``at`` (aware event time) is told to. ``recipients``: of its subject.

    If no officer of the case can be told, whoever is on duty is; in a gap the leader; and if there is none either, that
    is wanting and a task. Depends on nothing but the arguments, and not on the order of ``recipients``.
    """
    known = sorted(recipients, key=lambda item: (item.rank, str(item.recipient_id)))
    family, family_over = _family(case, [item for item in known if item.role in FAMILY_ROLES], at)
    office, office_over = _office(case, [item for item in known if item.role not in FAMILY_ROLES])
    wanting: tuple[Wanting, ...] = ()
    queue_only = None
    if HEARING_OF_EVENT[case.event].officers is Notice.QUEUE:
        office, queue_only = (), because(Because.QUEUE_ONLY)
    elif not office:
        office, wanting = _by_duty(case, roster, at)
    return Route(
        family=family, office=office, passed_over=family_over + office_over, wanting=wanting, queue_only=queue_only
    )


def organs_in_order(measure: Measure, event: EventKind) -> tuple[tuple[Role, Because], ...]:
    """Which organ is told first, which next, and why."""
    police, prosecutor = Role.POLICE, Role.PROSECUTOR
    if event is EventKind.CONTACT:
        return ((prosecutor, Because.SUPERVISES_MEASURE),)
    if event is EventKind.MINOR_WITH_ADULT:
        return (police, Because.PROTECTS_CHILD), (prosecutor, Because.SUPERVISES_MEASURE)
    if event is EventKind.ORDER_NOT_LIFTED:
        return (prosecutor, Because.CORRECTS_OFFICE), (police, Because.EXECUTES_MEASURE)
    if measure is Measure.CONDITIONAL_NON_PROSECUTION:
        return (prosecutor, Because.SUPERVISES_CONDITIONS), (police, Because.HELPS_SUPERVISION)
    return (police, Because.EXECUTES_MEASURE), (prosecutor, Because.SUPERVISES_MEASURE)


def units_in_order(case: Case) -> tuple[str, ...]:
    """The units in charge of a case, the one that is told first first. None of them is told of a contact."""
    if case.event is EventKind.CONTACT:
        return ()
    named = (unit_of(role, case.jurisdiction) for role, _ in organs_in_order(case.measure, case.event))
    return tuple(unit for unit in named if unit is not None)


def unit_of(role: Role, jurisdiction: Jurisdiction) -> str | None:
    """The unit that an officer of this role must be of."""
    return jurisdiction.police if role is Role.POLICE else jurisdiction.procuratorate


def on_duty_for(case: Case, roster: Roster, *, at: datetime) -> OnDuty:
    """Who is on duty for the first unit in charge where anybody is, else the first leader; with the first gap met."""
    gaps: list[OnDuty] = []
    for unit in units_in_order(case):
        duty = on_duty(roster, unit=unit, at=at)
        if duty.gap is None:
            return replace(duty, gap=gaps[0].gap if gaps else None)
        gaps.append(duty)
    led = (duty for duty in gaps if duty.recipient is not None)
    return next(led, None) or (gaps[0] if gaps else on_duty(roster, unit=None, at=at))


class Queued(Protocol):
    """A message that waits to leave: a notification, or the outbox's claim of one."""

    @property
    def tell_until(self) -> datetime | None:
        """From this aware instant on it may not leave; ``None``: no end."""
        ...


def may_still_tell(notification: Queued, at: datetime) -> Reason | None:
    """``None`` if a queued message may leave at ``at`` (aware wall clock), else why not.

    Queued before midnight for a guardian, it does not leave after the 18th birthday began in Asia/Shanghai.
    """
    if notification.tell_until is None or at < notification.tell_until:
        return None
    return because(Because.CAME_OF_AGE)


def _family(case: Case, known: Sequence[Recipient], at: datetime) -> tuple[tuple[Choice, ...], tuple[PassedOver, ...]]:
    """Guardians in their order, then the guarantor; everybody else with the reason why not."""
    majority = majority_at(case.subject.birth_date)
    told: list[Choice] = []
    over: list[PassedOver] = []
    for person in sorted(known, key=lambda item: item.role is Role.GUARANTOR):
        refusal = _family_refusal(case, person, is_adult=at >= majority)
        if refusal is not None:
            over.append(PassedOver(recipient=person, reason=refusal))
        elif person.role is Role.GUARANTOR:
            reason = because(Because.GUARANTOR_OF_ORDER)
            told.append(Choice(recipient=person, reader=Reader.GUARANTOR, reason=reason))
        else:
            reason = because(Because.NEXT_GUARDIAN if told else Because.FIRST_GUARDIAN)
            told.append(Choice(recipient=person, reader=Reader.GUARDIAN, reason=reason, tell_until=majority))
    return tuple(told), tuple(over)


def _family_refusal(case: Case, person: Recipient, *, is_adult: bool) -> Reason | None:
    """Why somebody of the family is not told: the strictest reason first."""
    hearing = HEARING_OF_EVENT[case.event]
    if person.is_blocked:
        return because(Because.BLOCKED)
    if case.is_protected:
        return because(Because.PROTECTED_PLACE)
    if not hearing.family:
        return because(Because.FAMILY_MAY_NOT_HEAR, basis=hearing.basis_zh, basis_en=hearing.basis_en)
    if person.role is Role.GUARANTOR:
        return None if case.names_guarantor else because(Because.NO_GUARANTOR_ORDERED)
    return because(Because.SUBJECT_IS_ADULT) if is_adult else None


def _office(case: Case, known: Sequence[Recipient]) -> tuple[tuple[Choice, ...], tuple[PassedOver, ...]]:
    """Officers named for the case, by organ and then by rank."""
    organs = organs_in_order(case.measure, case.event)
    told: list[Choice] = []
    over: list[PassedOver] = []
    for role, why in organs:
        for person in (item for item in known if item.role is role):
            refusal = _office_refusal(case, person)
            if refusal is None:
                told.append(Choice(recipient=person, reader=Reader.OFFICER, reason=because(why)))
            else:
                over.append(PassedOver(recipient=person, reason=refusal))
    by_duty = [item for item in known if item.role not in {role for role, _ in organs}]
    over += [PassedOver(recipient=person, reason=_not_by_subject(person)) for person in by_duty]
    return tuple(told), tuple(over)


def _not_by_subject(person: Recipient) -> Reason:
    is_of_case = person.role in {Role.POLICE, Role.PROSECUTOR}
    return because(Because.PROSECUTOR_ONLY if is_of_case else Because.NOT_BY_SUBJECT)


def _office_refusal(case: Case, person: Recipient) -> Reason | None:
    if person.is_blocked:
        return because(Because.BLOCKED)
    in_charge = unit_of(person.role, case.jurisdiction)
    if person.unit is not None and in_charge is not None and person.unit != in_charge:
        return because(Because.OTHER_UNIT)
    return None


def _by_duty(case: Case, roster: Roster, at: datetime) -> tuple[tuple[Choice, ...], tuple[Wanting, ...]]:
    """No officer of the case can be told: whoever is on duty, and what is wanting."""
    duty = on_duty_for(case, roster, at=at)
    wanting: list[Wanting] = []
    if duty.recipient is None:
        wanting.append(Wanting(kind=TaskKind.NOBODY_TO_TELL, reason=because(Because.NO_OFFICER)))
        return (), tuple(wanting)
    if duty.gap is not None:
        wanting.append(Wanting(kind=TaskKind.ROSTER_GAP, reason=duty.gap))
    return (Choice(recipient=duty.recipient, reader=Reader.OFFICER, reason=duty.reason),), tuple(wanting)
