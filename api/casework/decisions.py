"""What an officer says to what the machine suspects. Only confirmed departures count, and the counter shows why.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

import json
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.casework.people import names_of
from api.errors import NotThereError, WrongReasonError
from api.ids import new_id
from api.rulings import ruling_json, rulings_of
from tracking.order import Measure


class Outcome(StrEnum):
    """Confirmed counts; dismissed does not, and both stay on record."""

    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class DecisionReason(StrEnum):
    """Why. The first three confirm, the others dismiss."""

    SUBJECT_ADMITTED = "subject_admitted"  # 本人承认
    SEEN_ON_SITE = "seen_on_site"  # 民警现场核实
    OTHER_EVIDENCE = "other_evidence"  # 有其他证据印证
    POSITION_ERROR = "position_error"  # 定位误差
    DEVICE_FAULT = "device_fault"  # 设备故障
    DEVICE_APART = "device_apart"  # 人机分离，本人未到
    EMERGENCY = "emergency"  # 就医、避险等紧急情形
    PERMITTED = "permitted"  # 事先获准
    WRONG_RULE = "wrong_rule"  # 规则或区域登记有误


CONFIRMING = frozenset({DecisionReason.SUBJECT_ADMITTED, DecisionReason.SEEN_ON_SITE, DecisionReason.OTHER_EVIDENCE})

REASON_NAMES_ZH: dict[DecisionReason, str] = {
    DecisionReason.SUBJECT_ADMITTED: "本人承认",
    DecisionReason.SEEN_ON_SITE: "现场核实",
    DecisionReason.OTHER_EVIDENCE: "其他证据印证",
    DecisionReason.POSITION_ERROR: "定位误差",
    DecisionReason.DEVICE_FAULT: "设备故障",
    DecisionReason.DEVICE_APART: "人机分离",
    DecisionReason.EMERGENCY: "紧急情形",
    DecisionReason.PERMITTED: "事先获准",
    DecisionReason.WRONG_RULE: "规则登记有误",
}

DEPARTURES: dict[Measure, tuple[str, str]] = {
    Measure.BAIL: ("stay_within_area", "检察规则 101：未经批准擅自离开所居住的市、县，两次"),
    Measure.RESIDENTIAL_SURVEILLANCE: ("stay_at_place", "检察规则 111：未经批准擅自离开执行监视居住的处所，两次"),
    Measure.CONDITIONAL_NON_PROSECUTION: ("stay_within_area", "检察规则 479：多次违反（法无具体次数）"),
}
"""Measure → the condition of which a breach is a departure, and the article that counts them."""

_SUSPECTED = """
SELECT v.violation_id, NULL::uuid AS finding_id, v.subject_no, v.order_no, v.condition_no, v.zone_no, v.kind,
       v.started_at, e.ended_at, v.decided_at, v.known_at, v.probability, NULL::jsonb AS office_breach, d.outcome,
       d.reason_code, d.remark, d.account_no, d.decided_at AS reviewed_at
FROM violation v JOIN episode e USING (episode_id) LEFT JOIN standing d ON d.violation_id = v.violation_id
WHERE v.subject_no = :no AND e.superseded_at IS NULL
UNION ALL
SELECT NULL, f.finding_id, f.subject_no, NULL, NULL, NULL, f.kind, f.started_at, NULL, f.decided_at, f.known_at,
       f.probability, CASE f.kind WHEN 'order_not_lifted' THEN f.detail END, d.outcome, d.reason_code, d.remark,
       d.account_no, d.decided_at
FROM finding f LEFT JOIN standing d ON d.finding_id = f.finding_id WHERE f.subject_no = :no
ORDER BY started_at DESC LIMIT 500
"""

_STANDING = """
WITH standing AS (
    SELECT d.* FROM decision d
    WHERE d.subject_no = :no AND NOT EXISTS (SELECT FROM decision l WHERE l.supersedes = d.decision_id))
"""

# Whatever version of the order or of the evaluation: what an officer confirmed stays confirmed until it is superseded.
_COUNTED = """
SELECT v.violation_id, v.subject_no, v.order_no, v.condition_no, v.zone_no, v.decided_at, v.started_at, e.ended_at,
       o.measure, o.document_number, d.reason_code, d.remark, d.account_no,
       d.decided_at AS confirmed_at
FROM standing d JOIN violation v USING (violation_id) JOIN episode e USING (episode_id)
    JOIN supervision_order o USING (order_no)
WHERE d.outcome = 'confirmed' AND o.measure = :measure AND v.kind = :kind ORDER BY v.started_at
"""


def suspected_of(connection: Connection, subject_no: int) -> list[dict[str, Any]]:
    """What was found about a subject, the rule that won over it, and how it was decided, the latest first."""
    rows = connection.execute(text(_STANDING + _SUSPECTED), {"no": subject_no}).all()
    names = names_of(connection, [row.account_no for row in rows])
    rulings = rulings_of(connection, [row for row in rows if row.violation_id is not None])
    hidden = {"account_no", "subject_no", "order_no", "condition_no", "zone_no"}
    return [
        {
            **{name: value for name, value in row._mapping.items() if name not in hidden},
            "ruling": None if row.violation_id is None else ruling_json(rulings[row.violation_id]),
            "reviewed_by": names.get(row.account_no),
        }
        for row in rows
    ]


def decide(
    connection: Connection,
    *,
    violation_id: UUID | None = None,
    finding_id: UUID | None = None,
    outcome: Outcome,
    reason: DecisionReason,
    remark: str,
) -> UUID:
    """Decide, or decide anew: the decision before is superseded and stays. Returns the id of the decision.

    Raises ``WrongReasonError`` for a reason that does not go with the outcome, ``NotThereError`` for what the account
    may not decide.
    """
    if (reason in CONFIRMING) is not (outcome is Outcome.CONFIRMED):
        fitting = "、".join(
            f"{item} {REASON_NAMES_ZH[item]}"
            for item in DecisionReason
            if (item in CONFIRMING) is (outcome is Outcome.CONFIRMED)
        )
        raise WrongReasonError(
            f"理由 {reason} {REASON_NAMES_ZH[reason]} 与 {outcome} 不符，可用：{fitting}"
            f" / the reason does not go with {outcome}, use one of these"
        )
    asked = {
        "decision_id": str(new_id()),
        "violation_id": None if violation_id is None else str(violation_id),
        "finding_id": None if finding_id is None else str(finding_id),
        "outcome": outcome,
        "reason_code": reason,
        "remark": remark,
    }
    query = "SELECT (decide_found(jsonb_populate_record(NULL::decision, CAST(:asked AS jsonb)))).decision_id"
    found: UUID | None = connection.execute(text(query), {"asked": json.dumps(asked, ensure_ascii=False)}).scalar_one()
    if found is None:
        raise NotThereError
    return found


def departures_of(connection: Connection, subject_no: int) -> list[dict[str, Any]]:
    """For each measure that the subject was under: how many departures officers confirmed, which, and who did."""
    measures = connection.execute(
        text("SELECT DISTINCT measure FROM supervision_order WHERE subject_no = :no ORDER BY 1"), {"no": subject_no}
    ).scalars()
    return [_counted(connection, subject_no, Measure(measure)) for measure in measures.all()]


def _counted(connection: Connection, subject_no: int, measure: Measure) -> dict[str, Any]:
    kind, article = DEPARTURES[measure]
    rows = connection.execute(
        text(_STANDING + _COUNTED), {"no": subject_no, "measure": str(measure), "kind": kind}
    ).all()
    names = names_of(connection, [row.account_no for row in rows])
    rulings = rulings_of(connection, rows)
    return {
        "measure": measure,
        "article": article,
        "confirmed_count": len(rows),
        "basis": [
            {
                "violation_id": row.violation_id,
                "started_at": row.started_at,
                "ended_at": row.ended_at,
                "document_number": row.document_number,
                "ruling": ruling_json(rulings[row.violation_id]),
                "reason": row.reason_code,
                "reason_zh": REASON_NAMES_ZH[DecisionReason(row.reason_code)],
                "remark": row.remark,
                "confirmed_by": names.get(row.account_no),
                "confirmed_at": row.confirmed_at,
            }
            for row in rows
        ],
    }
