"""What hop 5 must know of violations and findings: whose they are, by which measure, and who is in charge."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from alerts.alert import Case, Finding, Jurisdiction
from alerts.event import EVENT_OF_FINDING, live_at_of_finding
from api.clock_edges import NEW_FINDINGS
from tracking.episode import Violation
from tracking.order import ConditionKind, Measure, Organ
from tracking.store import load_subjects


def take_new_findings(connection: Connection, *, maximum_age: timedelta) -> list[Finding]:
    """The findings that this transaction wrote and nobody took yet; each is taken once."""
    connection.execute(text(NEW_FINDINGS))
    ids = connection.execute(text("DELETE FROM new_finding RETURNING finding_id")).scalars().all()
    return load_findings(connection, ids, maximum_age=maximum_age) if ids else []


def load_findings(connection: Connection, ids: Collection[UUID], *, maximum_age: timedelta) -> list[Finding]:
    """Findings by id, in event order. One of which the end is known already can no longer be acted on."""
    rows = connection.execute(
        text(
            "SELECT f.finding_id, f.subject_no, f.kind, f.started_at, f.decided_at, f.known_at, f.detail,"
            " EXISTS (SELECT FROM finding e WHERE e.subject_no = f.subject_no AND e.started_at = f.started_at"
            " AND e.detail ->> 'of' = f.finding_id::text) AS is_over"
            " FROM finding f WHERE f.finding_id = ANY(:ids) ORDER BY f.decided_at, f.finding_id"
        ),
        {"ids": list(ids)},
    )
    return [_finding(row, maximum_age) for row in rows]


def _finding(row: Row[Any], maximum_age: timedelta) -> Finding:
    event, ends = EVENT_OF_FINDING[row.kind], row.detail.get("of")
    return Finding(
        finding_id=row.finding_id,
        subject_no=row.subject_no,
        event=event,
        started_at=row.started_at,
        decided_at=row.decided_at,
        known_at=row.known_at,
        live_at=live_at_of_finding(
            event,
            decided_at=row.decided_at,
            known_at=row.known_at,
            is_over=row.is_over,
            maximum_age=maximum_age,
        ),
        ends=None if ends is None else UUID(ends),
    )


def cases_of(connection: Connection, facts: Sequence[Violation | Finding]) -> list[Case]:
    """Each with the measure of its order, the units in charge, and whether it is about a protected person's place.

    A finding of no order is taken under the newest order that had begun.
    """
    subjects = load_subjects(connection, {item.subject_no for item in facts})
    findings = _orders_of_findings(connection, [item.finding_id for item in facts if isinstance(item, Finding)])
    condition_of: dict[UUID, int | None] = {number: row.condition_no for number, row in findings.items()}
    order_of: dict[UUID, int] = {number: row.order_no for number, row in findings.items()}
    for item in facts:
        if isinstance(item, Violation):
            condition_of[item.violation_id], order_of[item.violation_id] = item.condition_no, item.order_no
    protected = connection.execute(
        text("SELECT condition_no FROM condition WHERE condition_no = ANY(:numbers) AND is_protected"),
        {"numbers": sorted({number for number in condition_of.values() if number is not None})},
    )
    protected_nos = set(protected.scalars())
    orders = _orders(connection, set(order_of.values()))
    cases = []
    for item in facts:
        number = item.finding_id if isinstance(item, Finding) else item.violation_id
        measure, jurisdiction = orders[order_of[number]]
        cases.append(
            Case(
                fact=item,
                subject=subjects[item.subject_no],
                measure=measure,
                is_protected=condition_of[number] in protected_nos,
                # 刑诉法 68, 70: the guarantor is one of bail; whoever the case file names as such is the one.
                names_guarantor=measure is Measure.BAIL,
                jurisdiction=jurisdiction,
            )
        )
    return cases


def load_violation(connection: Connection, violation_id: UUID) -> Violation | None:
    """A violation as it was stored; what was live of it is not remembered."""
    row = connection.execute(
        text(
            "SELECT violation_id, episode_id, subject_no, order_no, condition_no, zone_no, kind, started_at,"
            " decided_at, known_at, probability, engine_version, policy_version"
            " FROM violation WHERE violation_id = :id"
        ),
        {"id": violation_id},
    ).one_or_none()
    return None if row is None else Violation(**{**row._mapping, "kind": ConditionKind(row.kind)})


def _orders_of_findings(connection: Connection, ids: Sequence[UUID]) -> Mapping[UUID, Row[Any]]:
    if not ids:
        return {}
    rows = connection.execute(
        text(
            "SELECT f.finding_id, f.condition_no, coalesce(f.order_no, o.order_no) AS order_no FROM finding f"
            " LEFT JOIN LATERAL (SELECT order_no FROM supervision_order o WHERE o.subject_no = f.subject_no"
            " ORDER BY o.valid_from <= f.decided_at DESC, o.valid_from DESC, o.version DESC LIMIT 1) o ON true"
            " WHERE f.finding_id = ANY(:ids)"
        ),
        {"ids": list(ids)},
    )
    return {row.finding_id: row for row in rows}


def _orders(connection: Connection, numbers: Collection[int]) -> dict[int, tuple[Measure, Jurisdiction]]:
    rows = connection.execute(
        text(
            "SELECT order_no, measure, deciding_organ, executing_organ, stage FROM supervision_order"
            " WHERE order_no = ANY(:numbers)"
        ),
        {"numbers": sorted(numbers)},
    )
    return {row.order_no: (Measure(row.measure), jurisdiction_of(row)) for row in rows}


def jurisdiction_of(order: Any) -> Jurisdiction:
    """The units in charge by the order itself, under the names that it gives them.

    Bail and residential surveillance are executed by the police (刑诉法 67, 74), conditional non-prosecution by the
    procuratorate (283). The organ that decided is in charge of its own stage.
    """
    is_police = Measure(order.measure) is not Measure.CONDITIONAL_NON_PROSECUTION
    stage = None if order.stage is None else Organ(order.stage)
    decided_by = {organ: order.deciding_organ for organ in Organ if organ is stage}
    return Jurisdiction(
        police=order.executing_organ if is_police else decided_by.get(Organ.POLICE),
        procuratorate=decided_by.get(Organ.PROCURATORATE) if is_police else order.executing_organ,
    )
