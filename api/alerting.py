"""Hop 5 with the store around it: what was found becomes alerts and messages, in the transaction that found it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from alerts.alert import Finding
from alerts.decide import decide
from alerts.decided_store import load_roster, save_decided
from alerts.policy import AlertPolicy
from alerts.store import alerts_of, recipients_of, save_alerts
from alerts.templates import BUILT_IN, Catalogue
from api.alert_cases import cases_of, take_new_findings
from api.findings import save_violations
from tracking.episode import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What alerting goes by: its numbers, and the wordings that may be sent."""

    policy: AlertPolicy = field(default_factory=AlertPolicy)
    catalogue: Catalogue = BUILT_IN
    with_code: bool = False
    """Whether guardians are given codes of the answer page; who delivers then has an ``api.guardian.link_maker``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """How much came of it."""

    notification_count: int = 0
    violation_count: int = 0
    finding_count: int = 0


def raise_alerts(connection: Connection, found: Sequence[Violation], alerting: Alerting) -> Raised:
    """Save violations, and what follows from them and from the findings that this transaction wrote.

    A violation counts if it was not known before, or can be acted on by what is known now; a finding counts once. All
    of it is written with the facts or not at all.
    """
    new_ids = save_violations(connection, found)
    violations = [item for item in found if item.violation_id in new_ids or item.live_at is not None]
    findings = take_new_findings(connection, maximum_age=alerting.policy.maximum_age)
    facts: list[Violation | Finding] = [*violations, *findings]
    if not facts:
        return Raised()
    sent = _decide_and_save(connection, facts, alerting)
    return Raised(notification_count=sent, violation_count=len(violations), finding_count=len(findings))


def _decide_and_save(connection: Connection, facts: Sequence[Violation | Finding], alerting: Alerting) -> int:
    policy = alerting.policy
    cases = cases_of(connection, facts)
    subject_nos = {item.subject_no for item in facts}
    first, last = min(item.decided_at for item in facts), max(item.known_at for item in facts)
    known = alerts_of(
        connection,
        subject_nos,
        since=first - max(policy.same_event, policy.cool_down),
        fact_ids=_ids_of(facts),
    )
    decision = decide(
        cases=cases,
        alerts=known,
        recipients=recipients_of(connection, subject_nos),
        roster=load_roster(connection, since=first, until=last),
        policy=policy,
        catalogue=alerting.catalogue,
        with_code=alerting.with_code,
    )
    save_alerts(connection, decision.alerts, decision.attachments)
    return save_decided(
        connection,
        subject_of={alert.alert_id: alert.subject_no for alert in (*known, *decision.alerts)},
        notifications=decision.notifications,
        steps=decision.steps,
        tasks=decision.tasks,
        history=decision.history,
    )


def _ids_of(facts: Sequence[Violation | Finding]) -> set[UUID]:
    """Of the facts, and of those that they end."""
    ids: set[UUID] = set()
    for item in facts:
        ids.add(item.finding_id if isinstance(item, Finding) else item.violation_id)
        if isinstance(item, Finding) and item.ends is not None:
            ids.add(item.ends)
    return ids
