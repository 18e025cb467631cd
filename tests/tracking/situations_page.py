"""The situations as a page that a lawyer reads: what was ordered, what happened, what is found. Chinese first."""

from collections.abc import Iterator
from datetime import date

from api.casework.wording import condition_en, condition_zh
from tests.tracking.situations_run import (
    FILES,
    PLACES,
    TABLES,
    Row,
    conditions_of,
    ruling_of,
    zone_of,
)
from tracking.check_in import CheckInState
from tracking.clock_edges import EdgeKind
from tracking.leave import EXEMPTION_NAMES_ZH, ExemptionKind
from tracking.order import CONDITION_NAMES_ZH, MEASURE_NAMES_ZH, ORGAN_NAMES_ZH, Measure, Organ
from tracking.silence import DEVICE_FINDING_NAMES_ZH
from venues.category import CATEGORY_NAMES_ZH, VenueCategory

_STATES = {
    CheckInState.ANSWERED: "已按时打卡",
    CheckInState.LATE: "迟到或补打",
    CheckInState.MISSED: "未打卡",
    CheckInState.ABSENT: "未打卡，补打期已过",
    CheckInState.OPEN: "仍可打卡",
}
_EDGES = {
    EdgeKind.ORDER_END: "期限届满",
    EdgeKind.LIFTING_OVERDUE: "逾期未解除",
    EdgeKind.REMINDER: "到期提醒",
    EdgeKind.REVIEW_DUE: "应复查",
    EdgeKind.MAJORITY: "年满十八",
    EdgeKind.LEAVE_OVER: "外出到期",
    EdgeKind.CURFEW_START: "宵禁开始",
}
_FAULTS = {
    "reversed": "终止早于开始", "too_long": "超过最长期限", "to_check": "请核对", "too_short": "期限不足",
    "wrong_organ": "决定机关不符", "incomplete": "申请事项不全", "not_approved": "缺少批准",
    "consent_afterwards": "未事先征得同意", "no_papers": "未补书面申请",
}  # fmt: skip
NAMES: dict[str, str] = {
    **{kind.value: name for kind, name in CONDITION_NAMES_ZH.items()},
    **{kind.name.lower(): name for kind, name in DEVICE_FINDING_NAMES_ZH.items()},
    **{state.value: name for state, name in _STATES.items()},
    **{kind.value: name for kind, name in _EDGES.items()},
    **_FAULTS,
    "off_route": "偏离批准的路线或地点",
}


def page() -> str:
    """Markdown, one chapter per file."""
    count = sum(len(content.get(table, ())) for content in FILES.values() for table in TABLES)
    lines = [
        "# 决定书情形表 Situations of orders",
        "",
        f"共 {count} 种情形，由 `tests/tracking/situations/*.toml` 生成（`make record`），请勿手改；",
        "测试逐条核对引擎得出同样结果。",
        f"{count} situations, made of those files by `make record`; tests check that the engines find the same.",
        "",
        "时间为北京时间。发现均为“疑似”，由办案人员确认或排除。时刻的误差不超过 6 分钟（每 2 分钟一个定位）。",
        "Times are Beijing time. All findings are suspicions, for an officer to confirm or dismiss, good to 6 minutes.",
        "",
        *_places(),
    ]
    number = 0
    for content in FILES.values():
        if not any(table in content for table in TABLES):
            continue
        lines += [f"## {content['title_zh']} {content['title_en']}", ""]
        for table in TABLES:
            for row in content.get(table, ()):
                number += 1
                lines += [f"### {number}. {row['name_zh']}", "", f"*{row['name_en']}*", ""]
                lines += [f"- {line}" for line in _lines(table, row)] + [""]
    return "\n".join(lines)


def _places() -> Iterator[str]:
    yield "## 地点与区域 Places and zones"
    yield ""
    yield "地点 places（距家向东 east of home）：" + "；".join(
        f"{name} {metres:g} 米" for name, metres in PLACES.items()
    ) + "。"  # fmt: skip
    yield ""
    yield "| 区域 zone | 圆心 centre | 半径 radius | 来源 origin |"
    yield "|---|---|---|---|"
    origins = {"boundary": "行政区划 boundary", "venue": "场所 venue", "supervisor": "监管人划定 supervisor"}
    for name, said in FILES["00_places"]["zones"].items():
        origin = origins.get(said.get("origin", ""), "决定书划定 order")
        category = f"（{CATEGORY_NAMES_ZH[VenueCategory(said['category'])]}）" if "category" in said else ""
        yield f"| {name} | {said['at']} | {said['radius_m']:g} m | {origin}{category} |"
    yield ""


def _lines(table: str, row: Row) -> Iterator[str]:
    yield f"依据 article：{row['article']}"
    if "measure" in row:
        starts, ends = row.get("order", ("2026-03-01 00:00", "2026-04-01 00:00"))
        span = "" if table in ("term", "leave", "end") else f"，{starts} 至 {ends}"
        yield f"措施 measure：{MEASURE_NAMES_ZH[Measure(row['measure'])]}{span}"
    yield from _conditions(row)
    if "day" in row:
        yield f"日期 day：{row['day']}（星期{'一二三四五六日'[_weekday(row['day'])]}）"
    yield from _events(row)
    yield f"**结果 findings：{_found(table, row)}**"
    if "ruling" in row:
        ruling = ruling_of(row)
        yield f"适用规则 rule that won：{ruling.why_zh} {ruling.why_en}"


def _conditions(row: Row) -> Iterator[str]:
    if "conditions" in row:
        yield f"条件 conditions：{_said(row['conditions'])}"
    if "variation" in row:
        said = row["variation"]
        measure = f"为{MEASURE_NAMES_ZH[Measure(said['measure'])]}" if "measure" in said else ""
        yield f"变更 variation：自 {said['from']} 起变更{measure}：{_said(said['conditions'])}"
    if "calendar" in row:
        known = {
            "none": "没有任何年份的放假安排 none known",
            "school": "2026 年放假安排和徐州 320300 合成校历 with school",
        }
        yield f"日历 calendar：{known[row['calendar']]}"


def _said(conditions: list[Row]) -> str:
    words = []
    for said, condition in zip(conditions, conditions_of(conditions), strict=True):
        zone = zone_of(said)
        place = "" if zone is None else f"（区域 zone：{zone.name}）"
        words.append(f"{condition_zh(condition)}{place} {condition_en(condition)}")
    return " ".join(words)


def _events(row: Row) -> Iterator[str]:
    for name, label in (
        ("lifted", "解除 lifted"), ("now", "查看时刻 seen at"), ("at", "时刻 at"), ("born", "出生 born"),
        ("last_day", "期满日 last day"), ("spot_at", "抽检发出 asked"), ("leave_from", "外出自 leave from"),
        ("leave_ends", "外出至 leave until"), ("watched_to", "期满 end"),
        ("interval_minutes", "上报间隔（分钟） interval"),
        ("per_week", "每周平均次数 a week"),
    ):  # fmt: skip
        if name in row:
            yield f"{label}：{row[name]}"
    for name, label in (
        ("track", "行踪 track"), ("first", "甲 first"), ("second", "乙 second"), ("reports", "上报 reports"),
        ("between", "时段 between"), ("unbound", "不适用 unbound"), ("weeks", "各周 weeks of"),
    ):  # fmt: skip
        if name in row:
            yield f"{label}：{'；'.join(str(item) for item in row[name])}"
    if "within_m" in row:
        yield f"限制 limit：{row['within_m']:g} 米以内不得超过 {row['for_minutes']:g} 分钟"
    if "timetable" in row:
        yield f"时段 hours：{'；'.join(_window(item) for item in row['timetable']['windows'])}"
    if "answers" in row:
        yield f"应答 answers：{'；'.join(f'{asked} → {at}' for asked, at in row['answers'].items()) or '无 none'}"
    if "decisions" in row:
        yield "决定 decisions：" + "；".join(
            f"{ORGAN_NAMES_ZH[Organ(organ)]} {first} 至 {last}" for organ, first, last in row["decisions"]
        )
    yield from _permissions(row)


def _window(item: Row) -> str:
    kinds = {"workday": "工作日"}
    return f"{'、'.join(kinds[kind] for kind in item.get('day_kinds', ()))}{item['from']}–{item['to']}"


def _permissions(row: Row) -> Iterator[str]:
    if isinstance(row.get("leave"), list):
        yield f"外出 leave：{' 至 '.join(row['leave'])}"
    elif (said := row.get("leave", row if "from" in row else None)) is not None:
        given = "；".join(f"{ORGAN_NAMES_ZH[Organ(organ)]} {at} 批准" for organ, at in said.get("approved", {}).items())
        more = [
            f"{label} {said[name]}"
            for name, label in (("papers", "补交书面"), ("returned", "报告返回"), ("withdrawn", "撤回"))
            if name in said
        ]
        words = [f"{said['from']} 至 {said['to']}", given or "无人批准 approved by nobody", *more]
        decided = ORGAN_NAMES_ZH[Organ(row.get("decided_by", "procuratorate"))]
        urgent = "紧急 urgent，" if said.get("urgent") else ""
        lacking = "，未写路线 no route" if said.get("route") == "" else ""
        yield f"外出 leave：{urgent}{'；'.join(words)}{lacking}（{decided}决定的措施）"
    if "way" in row:
        said = row["way"]
        way = f"地点 place {said['at']}" if "at" in said else f"路线 way {said['from']}–{said['to']}"
        yield f"批准的{way}，两侧或半径 within {said['radius_m']:g} m"
    if "exemption" in row:
        place, starts, ends, *kind = row["exemption"]
        name = EXEMPTION_NAMES_ZH[ExemptionKind(kind[0] if kind else "home")]
        yield f"豁免 exemption：{name}，{place}，{starts} 至 {ends}"


def _found(table: str, row: Row) -> str:
    if "blocked" in row:
        return f"整份决定不启用 blocked：{row['blocked']}"
    if table == "spot":
        return f"{' 至 '.join(row['none_within'])} 没有抽检；{' 至 '.join(row['some_within'])} 有抽检"
    if table == "age":
        return "未成年 minor" if row["is_minor"] else "成年 of age"
    if table == "end":
        shown = "、".join(str(day) for day in row["reminders"])
        overdue = f"办案机关逾期 {row['days_overdue']} 天" if "days_overdue" in row else "无逾期"
        return f"提醒 reminders {shown}；{overdue}"
    words = [
        NAMES[item] if isinstance(item, str) else f"{item[1]} {NAMES[item[0]]} {item[0].replace('_', ' ')}"
        for item in row["found"]
    ]
    if "alert_count" in row:
        words.append(f"警报 {row['alert_count']} 个 alert")
    return "；".join(words) or "无 none"


def _weekday(day: str) -> int:
    return date.fromisoformat(day).weekday()
