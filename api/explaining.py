"""Why an alert was raised: order, condition, zone, fixes, probability, the rule that won, who was told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from api.explaining_findings import finding_facts
from api.fix_flags import flags_of
from api.histories import read_histories, stretch_starts
from api.personal.fields import identity_of, open_field
from api.personal.keyring import Keyring
from api.personal.masking import masked_address, masked_id_number, masked_name, masked_phone
from api.personal.sealing import SealError
from api.rulings import claims_of
from tracking.evaluate import filtered_fixes
from tracking.fix import FixBatch
from tracking.local_time import LOCAL_TIME
from tracking.observation import Observations, observe
from tracking.order import CONDITION_NAMES_ZH, MEASURE_NAMES_ZH, Condition, SupervisionOrder
from tracking.order_store import load_orders
from tracking.policy import PresencePolicy
from tracking.presence_rows import to_instant
from tracking.priority import Ruling, resolve
from tracking.rules import INCLUSION, RuleBook, ZoneBook, to_microseconds
from tracking.store import load_zones
from tracking.zone import Zone, ZoneOrigin
from venues.category import CATEGORY_NAMES_ZH

MARGIN = timedelta(minutes=5)
"""Fixes this long before and after an episode are shown too: what came before it is part of the explanation."""

UNREADABLE = "密文被改动 altered"
"""Shown for a personal field that cannot be opened: the rest of the explanation stands."""

ORIGIN_NAMES = {
    ZoneOrigin.CONDITION: "决定书为本人划定的区域 / zone drawn by this order",
    ZoneOrigin.SUPERVISOR: "监管人员划定的区域 / supervisor's zone",
    ZoneOrigin.BOUNDARY: "行政区划边界 / administrative boundary",
    ZoneOrigin.SITE: "保护场所 / protected site",
    ZoneOrigin.VENUE: "场所类别 / venue category",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FixEvidence:
    """One fix as evidence.

    ``probability``: P(breach) of this fix alone. ``filtered_probability``: P(breach) of where the engine took the
    subject to be, all fixes up to this one considered: what it decided by; none for a fix that does not decide.
    """

    fixed_at: datetime
    received_at: datetime
    fix_key: int
    longitude: float
    latitude: float
    accuracy_m: float
    signed_distance_m: float | None
    probability: float
    filtered_probability: float | None
    flags: int
    """Bits of ``tracking.quality.FixFlag``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What an alert rests on. ``alert``: its row; ``violations``: rows with their episodes, the first decided first.

    Order, condition and zone are the versions that the first violation names, ``fixes`` those around it, weighed anew.
    ``ruling``: which rule won at its place when it was decided, of all that the alert's violations are about there.
    """

    alert: Any
    violations: Sequence[Any]
    order: SupervisionOrder
    condition: Condition
    zone: Zone
    ruling: Ruling
    fixes: tuple[FixEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Label and value in the order of reading, and the fixes of the first violation."""

    alert_id: UUID
    subject_no: int
    facts: tuple[tuple[str, str], ...]
    fixes: tuple[FixEvidence, ...]
    notifications: tuple[tuple[str, ...], ...]


def explain_alert(connection: Connection, reference: str, *, keyring: Keyring) -> Explanation:
    """Everything behind an alert, named by its id or by the eight characters in an officer's message.

    Names and numbers are masked. One that is about no stay at a zone is explained by its findings, and has no fixes.

    Raises ``LookupError`` when no alert, or more than one, has that reference.
    """
    alert = _find(connection, reference)
    findings = finding_facts(connection, alert.alert_id)
    query = text("SELECT EXISTS (SELECT FROM alert_violation WHERE alert_id = :id)")
    if connection.execute(query, {"id": alert.alert_id}).scalar_one():
        whole = explain_cause(connection, find_cause(connection, reference), keyring=keyring)
        return replace(whole, facts=(*whole.facts, *findings))
    return Explanation(
        alert_id=alert.alert_id,
        subject_no=alert.subject_no,
        facts=(*_who(connection, keyring, alert.subject_no), _alert_fact(alert), *findings),
        fixes=(),
        notifications=tuple(_notifications(connection, keyring, alert.alert_id)),
    )


def explain_cause(connection: Connection, cause: Cause, *, keyring: Keyring) -> Explanation:
    """What is known of an alert in words. Names and numbers are masked."""
    alert = cause.alert
    return Explanation(
        alert_id=alert.alert_id,
        subject_no=alert.subject_no,
        facts=(
            *_who(connection, keyring, alert.subject_no),
            *_facts(alert, cause.violations, cause.order, cause.condition, cause.zone, cause.ruling),
        ),
        fixes=cause.fixes,
        notifications=tuple(_notifications(connection, keyring, alert.alert_id)),
    )


def find_cause(connection: Connection, reference: str) -> Cause:
    """What the alert of that reference rests on.

    Raises ``LookupError`` as :func:`explain_alert` does, and for an alert that is about no stay at a zone.
    """
    alert = _find(connection, reference)
    rows = connection.execute(
        text(
            "SELECT v.*, e.tier, e.ended_at, e.ended_by, e.peak_probability, e.fix_count, e.is_entry, e.is_undecidable,"
            " s.alias FROM alert_violation av JOIN violation v USING (violation_id) JOIN episode e USING (episode_id)"
            " JOIN subject s ON s.subject_no = v.subject_no WHERE av.alert_id = :id ORDER BY v.decided_at"
        ),
        {"id": alert.alert_id},
    ).all()
    if not rows:
        raise LookupError(f"该警报不涉及区域停留 / this alert is about no stay at a zone: {reference}")
    first = rows[0]
    order = load_orders(connection, [first.order_no])[0]
    condition = next(item for item in order.conditions if item.condition_no == first.condition_no)
    zone = load_zones(connection, [first.zone_no])[0]
    return Cause(
        alert=alert,
        violations=rows,
        order=order,
        condition=condition,
        zone=zone,
        ruling=_ruling(connection, rows, zone),
        fixes=tuple(_evidence(connection, first, order, condition, zone)),
    )


def _ruling(connection: Connection, rows: Sequence[Any], zone: Zone) -> Ruling:
    claims = claims_of(connection, rows)
    keys = {item.zone_no: item.key for item in load_zones(connection, {row.zone_no for row in rows})}
    here = [row for row in rows if keys[row.zone_no] == zone.key]
    known = {claim for row in here for claim in claims[row.violation_id]}
    return resolve(known, at=rows[0].decided_at)


def _find(connection: Connection, reference: str) -> Any:
    try:
        wanted, value = "alert_id = :value", UUID(reference)
    except ValueError:
        wanted, value = "upper(right(alert_id::text, 8)) = upper(:value)", reference  # type: ignore[assignment] # text
    # Whoever reads as the tables' owner finds nobody who is sealed; of an account the policies decide.
    query = (
        f"SELECT alert.* FROM alert JOIN subject s USING (subject_no) WHERE {wanted}"
        " AND (s.sealed_at IS NULL OR row_security_active('subject'))"
    )
    found = connection.execute(text(query), {"value": value}).all()
    if len(found) != 1:
        problem = (
            "没有这个警报 / there is no alert"
            if not found
            else "编号不唯一，请用完整编号 / not unique: use the full id"
        )
        raise LookupError(f"{problem}: {reference}")
    return found[0]


def _alert_fact(alert: Any) -> tuple[str, str]:
    return "警报 alert", f"{alert.alert_id}  {alert.state}" + ("  迟报 late" if alert.is_late else "")


def _facts(
    alert: Any, rows: Sequence[Any], order: SupervisionOrder, condition: Condition, zone: Zone, ruling: Ruling
) -> list[tuple[str, str]]:
    first = rows[0]
    return [
        _alert_fact(alert),
        ("对象 subject", first.alias),
        ("决定书 order", f"{order.document_number}  第 {order.version} 版 version {order.version}"),
        ("措施 measure", f"{MEASURE_NAMES_ZH[order.measure]} {order.measure}"),
        ("决定/执行机关 organs", f"{order.deciding_organ} / {order.executing_organ}"),
        ("有效期 validity", f"{_local(order.valid_from)} – {_local(order.valid_to)}"),
        ("条件 condition", f"{CONDITION_NAMES_ZH[condition.kind]} {condition.kind}{_categories(condition)}"),
        ("区域 zone", f"{zone.name}  {zone.kind}  第 {zone.version} 版 version {zone.version}"),
        ("区域来源 origin", ORIGIN_NAMES[zone.origin]),
        ("适用规则 rule that won", f"{ruling.why_zh} {ruling.why_en}"),
        (
            "开始 started",
            _local(first.started_at) + ("" if first.is_entry else "（首次定位即在内 present at first fix）"),
        ),
        ("认定 decided", f"{_local(first.decided_at)}  得知 known {_local(first.known_at)}"),
        (
            "结束 ended",
            "仍在持续 still going on" if first.ended_at is None else f"{_local(first.ended_at)} {first.ended_by}",
        ),
        ("概率 probability", f"认定时 at decision {first.probability:.2f}，最高 peak {first.peak_probability:.2f}"),
        ("证据 evidence", f"{first.fix_count} 个定位 fixes in breach"),
        ("版本 versions", f"engine {first.engine_version}, policy {first.policy_version}"),
        ("同一事件 same event", f"{len(rows)} 个疑似违规 suspected violations"),
        ("状态 state", f"{first.state}：机器只提示疑似，由办案人员确认 the machine suspects, an officer confirms"),
    ]


def _categories(condition: Condition) -> str:
    names = sorted(CATEGORY_NAMES_ZH[item] for item in condition.categories)
    return f"（{'、'.join(names)}）" if names else ""


def _evidence(
    connection: Connection, violation: Any, order: SupervisionOrder, condition: Condition, zone: Zone
) -> list[FixEvidence]:
    """Weigh the fixes again with the code and the zone version that decided."""
    zone = replace(zone, in_force_from=None, in_force_to=None)
    zones = ZoneBook.build([zone])
    rules = RuleBook.build([_only(order, condition, zone)], zones)
    log = _stretch(connection, violation)
    from_at = to_microseconds(violation.started_at - MARGIN)
    until = to_microseconds((violation.ended_at or violation.decided_at) + MARGIN)
    shown = np.flatnonzero((from_at <= log.fixed_at) & (log.fixed_at <= until))
    fixes = log.take(shown)
    alone = _probabilities(observe(fixes, rules, zones, PresencePolicy()), rules)
    filtered, decides = filtered_fixes(log, PresencePolicy())
    decided_by = np.full(len(log), np.nan)
    decided_by[decides] = _probabilities(observe(filtered, rules, zones, PresencePolicy()), rules)
    near = zones.index.match(longitude=fixes.longitude, latitude=fixes.latitude, reach_m=100_000.0)
    distance_m = dict(zip(near.fix_row.tolist(), near.signed_distance_m.tolist(), strict=True))
    flags = flags_of(connection, fixes)
    return [
        FixEvidence(
            fixed_at=to_instant(int(fixes.fixed_at[row])),
            received_at=to_instant(int(fixes.received_at[row])),
            fix_key=int(fixes.fix_key[row]),
            longitude=float(fixes.longitude[row]),
            latitude=float(fixes.latitude[row]),
            accuracy_m=float(fixes.accuracy_m[row]),
            signed_distance_m=distance_m.get(row),
            probability=float(alone[row]),
            filtered_probability=None if np.isnan(decided_by[shown[row]]) else float(decided_by[shown[row]]),
            flags=int(flags[row]),
        )
        for row in range(len(fixes))
    ]


def _stretch(connection: Connection, violation: Any) -> FixBatch:
    """The subject's fixes from the end of the silence before the episode on, that evaluation could take."""
    subject_no = violation.subject_no
    starts = stretch_starts(
        connection, {subject_no: to_microseconds(violation.started_at)}, silence_s=PresencePolicy().silence_s
    )
    log = read_histories(connection, starts)
    order = np.lexsort((log.fix_key, log.fixed_at))
    return log.take(order[np.isfinite(log.longitude[order])])


def _only(order: SupervisionOrder, condition: Condition, zone: Zone) -> SupervisionOrder:
    """The order with just this condition, bound to the zone version that decided, as if both had always governed."""
    bound = replace(condition, zone_no=None if condition.zone_no is None else zone.zone_no, timetable=None)
    return replace(order, conditions=(bound,), in_force_from=None, in_force_to=None)


def _probabilities(seen: Observations, rules: RuleBook) -> NDArray[np.float64]:
    """P(breach) of each fix; a zone out of its reach is certain in one way or the other."""
    absent = 1.0 if len(rules) and rules.breach[0] == INCLUSION else 0.0
    probability = np.full(len(seen.start) - 1, absent)
    has_any = np.flatnonzero(np.diff(seen.start))
    probability[has_any] = seen.probability[seen.start[has_any]]
    return probability


def _who(connection: Connection, keyring: Keyring, subject_no: int) -> list[tuple[str, str]]:
    try:
        texts = identity_of(connection, keyring, subject_no=subject_no).texts
    except SealError:
        return [("姓名 name", UNREADABLE)]
    shown = {
        "name": ("姓名 name", masked_name),
        "id_number": ("身份证号 ID number", masked_id_number),
        "address": ("住址 address", masked_address),
    }
    return [(label, mask(texts[column])) for column, (label, mask) in shown.items() if column in texts]


def _notifications(connection: Connection, keyring: Keyring, alert_id: UUID) -> list[tuple[str, ...]]:
    rows = connection.execute(
        text(
            "SELECT n.*, r.phone, r.key_id FROM notification n JOIN recipient r USING (recipient_id)"
            " WHERE alert_id = :id ORDER BY n.role, notification_id"
        ),
        {"id": alert_id},
    )
    return [
        (
            row.role,
            _phone(row, keyring),
            row.state,
            _local(row.sent_at) if row.sent_at else "",
            row.text,
            row.last_error or "",
        )
        for row in rows
    ]


def _phone(row: Any, keyring: Keyring) -> str:
    place = {"table": "recipient", "column": "phone", "row_id": row.recipient_id}
    try:
        return masked_phone(open_field(keyring, row.phone, key_id=row.key_id, **place))
    except SealError:
        return UNREADABLE


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}"
