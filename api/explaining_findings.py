"""Why an alert was raised that is about no stay at a zone: silence, tampering, a missed check-in, an overdue return."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.casework.names import FOUND_NAMES_ZH
from tracking.local_time import LOCAL_TIME
from tracking.order import CONDITION_NAMES_ZH, MEASURE_NAMES_ZH, ConditionKind, Measure

NOT_SAID = frozenset({"text_zh", "text_en", "is_end", "device_finding", "of", "edge"})
"""Parts of what is stored with a finding that its kind or another line says already."""

DETAIL_NAMES: dict[str, str] = {
    "value": "测得值 measured",
    "is_late": "迟到的报告 reported late",
    "inside": "在内概率 P inside",
    "outside": "在外概率 P outside",
    "unknown": "不能确定概率 P unknown",
    "is_unknown": "去向不明 whereabouts unknown",
    "last_fix_age_s": "最近定位距今（秒） age of the last fix, s",
    "minutes": "时长（分钟） minutes",
    "for_minutes": "时长（分钟） minutes",
    "within_m": "距离（米以内） within, m",
    "farthest_m": "最远偏离（米） farthest off, m",
    "articles": "依据 articles",
    "kind": "种类 kind",
}
"""What a part of a finding's ``detail`` is called."""


def finding_facts(connection: Connection, alert_id: UUID) -> list[tuple[str, str]]:
    """Label and value of every finding of an alert, the first decided first; empty if it has none."""
    rows = connection.execute(
        text(
            "SELECT f.*, o.document_number, o.version AS order_version, o.measure, c.kind AS condition_kind"
            " FROM alert_finding JOIN finding f USING (finding_id) LEFT JOIN supervision_order o USING (order_no)"
            " LEFT JOIN condition c ON c.condition_no = f.condition_no"
            " WHERE alert_id = :id ORDER BY f.decided_at, f.finding_id"
        ),
        {"id": alert_id},
    ).all()
    return [fact for number, row in enumerate(rows, 1) for fact in _facts_of(row, number, len(rows))]


def _facts_of(row: Any, number: int, count: int) -> Iterator[tuple[str, str]]:
    is_end = bool(row.detail.get("is_end"))
    name = f"{FOUND_NAMES_ZH[row.kind]} {row.kind}" + ("：已结束 is over" if is_end else "")
    yield (f"发现 finding {number}/{count}" if count > 1 else "发现 finding", name)
    if row.document_number is not None:
        measure = f"{MEASURE_NAMES_ZH[Measure(row.measure)]} {row.measure}"
        yield (
            "决定书 order",
            f"{row.document_number}  第 {row.order_version} 版 version {row.order_version}  {measure}",
        )
    if row.condition_kind is not None:
        yield "条件 condition", f"{CONDITION_NAMES_ZH[ConditionKind(row.condition_kind)]} {row.condition_kind}"
    yield "开始 started", _local(row.started_at)
    yield "认定 decided", f"{_local(row.decided_at)}  得知 known {_local(row.known_at)}"
    if row.probability is not None:
        yield "概率 probability", f"{row.probability:.2f}"
    yield from _said(row.detail)
    yield "版本 versions", f"engine {row.engine_version}, policy {row.policy_version}"


def _said(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for language in ("zh", "en"):
        if f"text_{language}" in detail:
            yield {"zh": "说明", "en": "in words"}[language], str(detail[f"text_{language}"])
    for name, value in detail.items():
        is_reference = name.endswith(("_id", "_no"))
        if name not in NOT_SAID and value is not None and not is_reference:
            yield DETAIL_NAMES.get(name, name), _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return "、".join(str(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}"
