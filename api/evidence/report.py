"""The report of an evidence pack: a PDF for people, Chinese first, English beside it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Spacer

from api.evidence.case import EvidenceCase, TrackedFix
from api.evidence.map_drawing import TrackMap, views_of
from api.evidence.pages import CELL, ENGLISH, TITLE, WIDTH, both, build_pdf, grid, heading, label, paragraph
from api.exporting.manifest import AuditPlace
from api.exporting.stamp import Stamp, local_time
from tracking.local_time import LOCAL_TIME
from tracking.quality import describe_flags

MOST_FIXES = 150
"""Fixes in the table of the report; the others are in fixes.csv."""

DISCLAIMER = (
    "本报告由系统自动生成，是机器提示，不是事实认定；是否违规须由检察人员核实后决定。"
    "圆圈为 68% 置信范围：平均约三次定位中有一次，真实位置在圆圈之外。"
    "卫星、无线网络和基站定位均有误差，在室内、楼群和地下可达数十至数百米；相邻定位的误差彼此相关。"
    "虚线表示其间没有定位，对象去向不明，不是行进路线。设备被转交他人、时钟偏差或模拟定位可能未被发现。",
    "Made automatically: a machine's suspicion and no finding of fact; whether there was a violation is for a"
    " prosecutor to verify and decide. Circles hold the true position with 68 %: about one time in three it lies"
    " outside. Positions from satellites, Wi-Fi and base stations are wrong by tens to hundreds of metres indoors,"
    " between buildings and underground, and errors of neighbouring fixes are alike. Dashed lines are times without"
    " fixes and no routes. A device handed to somebody else, a wrong clock or a mock location may have gone unnoticed."
    " Decision support only.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the report says of the pack it is in."""

    stamp: Stamp
    audit: AuditPlace
    fingerprint: str
    versions: dict[str, str]


def report_pdf(case: EvidenceCase, provenance: Provenance) -> bytes:
    """All pages. The fonts must have been loaded (``api.evidence.font.load_fonts``)."""
    stamp = provenance.stamp
    return build_pdf(
        [
            *_top(case),
            heading("一、事件", "1. The event, local time (UTC+8)"),
            _facts(case.facts),
            *_map(case),
            *_gaps(case),
            *_fix_table(case),
            *_notices(case),
            *_origin(case, provenance),
        ],
        title=f"证据报告 {case.alert_id}",
        header=f"护栏 Hulan  证据报告 Evidence report  {case.alert_id}",
        watermark=stamp.watermark,
    )


def _top(case: EvidenceCase) -> list[Flowable]:
    top: list[Flowable] = [
        paragraph("电子围栏疑似违规证据报告", TITLE),
        paragraph("Evidence report of a suspected violation of a geofence", ENGLISH),
        Spacer(1, 2 * mm),
    ]
    if case.is_synthetic:
        top += both("合成数据，不涉及任何真实人员。", "SYNTHETIC DATA: no real person is concerned.")
    return [*top, grid([[both(*DISCLAIMER)]], [WIDTH], has_heading=False)]


def _facts(facts: Sequence[tuple[str, str]]) -> Flowable:
    rows = [[label(name), paragraph(value)] for name, value in facts]
    return grid(rows, [46 * mm, WIDTH - 46 * mm], has_heading=False)


def _map(case: EvidenceCase) -> list[Flowable]:
    names = {1: ["轨迹与区域 track and zone"], 2: ["全程 all of the track", "区域附近 close-up of the zone"]}
    height = 88 * mm
    views = views_of(case, aspect=WIDTH / height)
    legend = both(
        "红色轮廓：认定所用版本的区域；蓝圈：每个定位的 68% 置信范围；红点：综合判断违规概率不低于 0.5；"
        "蓝点：低于 0.5；空心点：不作依据；橙色虚线：其间无定位。上方为北。",
        "Red outline: the zone in the version that applied. Blue circles: 68 % of each fix. Red points: P of a breach,"
        " all fixes considered, 0.5 or more; blue: less; hollow: decides nothing. Orange dashes: no fixes. North: up.",
    )
    panels: list[Flowable] = []
    for view, name in zip(views, names[len(views)], strict=True):
        panels += [TrackMap(case, view, width=WIDTH, height=height, label=name), Spacer(1, 2 * mm)]
    return [KeepTogether([heading("二、位置图", "2. Map"), *panels[:2]]), *panels[2:], *legend]


def _gaps(case: EvidenceCase) -> list[Flowable]:
    title = heading("三、无定位时段", "3. Gaps: times without fixes")
    if not case.gaps:
        return [title, *both("所示时段内没有超过阈值的间断。", "None above the threshold in the time shown.")]
    rows: list[list[Any]] = [
        [both("自", "from"), both("至", "to"), both("时长", "minutes"), both("定位序号", "between fixes")]
    ]
    rows += [
        [
            paragraph(text, CELL)
            for text in (
                local_time(gap.from_at),
                local_time(gap.to_at),
                f"{gap.minutes:.1f}",
                f"#{gap.after}–#{gap.before}",
            )
        ]
        for gap in case.gaps
    ]
    return [title, grid(rows, [WIDTH / 4] * 4, has_heading=True)]


def _fix_table(case: EvidenceCase) -> list[Flowable]:
    place, placed = ("在内", "inside") if case.is_inside_breach else ("在外", "outside")
    rows: list[list[Any]] = [
        [
            both("序号", "no."), both("定位时间", "fixed at"), both("收到", "received"),
            both("经度, 纬度", "longitude, latitude, WGS-84"), both("精度", "68 %, m"), both("距边界", "to edge, m"),
            both(f"P({place})", f"P({placed}), alone"), both("综合", "with those before"), both("备注", "notes"),
        ]
    ]  # fmt: skip
    proving = case.proving
    shown = min(len(proving), MOST_FIXES)
    rows += [[paragraph(text, CELL) for text in _cells(fix)] for fix in proving[:MOST_FIXES]]
    widths = [10 * mm, 24 * mm, 16 * mm, 38 * mm, 13 * mm, 15 * mm, 17 * mm, 17 * mm]
    more = both(
        f"所列为违规期间的定位，共 {len(proving)} 个，列出 {shown} 个；前后的见 fixes.csv。距边界为负表示在区域内。",
        f"Fixes of the time of the breach: {len(proving)}, listed {shown}; those before and after are in fixes.csv."
        " A negative distance is inside the zone.",
    )
    return [
        heading("四、据以认定的定位", "4. The fixes that prove it"),
        grid(rows, [*widths, WIDTH - sum(widths)], has_heading=True),
        Spacer(1, 2 * mm),
        *more,
    ]


def _cells(fix: TrackedFix) -> tuple[str, ...]:
    row, weight = fix.row, fix.weight
    notes = "；".join(words.partition(" / ")[0] for words in describe_flags(weight.flags))
    return (
        str(fix.number),
        f"{row.fixed_at.astimezone(LOCAL_TIME):%m-%d %H:%M:%S}",
        f"{row.received_at.astimezone(LOCAL_TIME):%H:%M:%S}",
        f"{row.longitude:.6f}, {row.latitude:.6f}",
        f"{row.accuracy_m:.0f}",
        "–" if weight.signed_distance_m is None else f"{weight.signed_distance_m:+.1f}",
        f"{weight.probability:.2f}",
        "–" if weight.filtered_probability is None else f"{weight.filtered_probability:.2f}",
        notes,
    )


def _notices(case: EvidenceCase) -> list[Flowable]:
    title = heading("五、通知", "5. Notifications")
    if not case.notices:
        return [title, *both("没有发出通知。", "Nobody was told.")]
    names = (
        ("角色", "role"),
        ("号码", "number"),
        ("状态", "state"),
        ("发送", "sent"),
        ("内容", "text"),
        ("错误", "error"),
    )
    rows: list[list[Any]] = [[both(*name) for name in names]]
    rows += [[paragraph(cell, CELL) for cell in notice] for notice in case.notices]
    widths = [18 * mm, 24 * mm, 16 * mm, 24 * mm, 68 * mm]
    return [title, grid(rows, [*widths, WIDTH - sum(widths)], has_heading=True)]


def _origin(case: EvidenceCase, provenance: Provenance) -> list[Flowable]:
    stamp = provenance.stamp
    facts = (
        ("导出编号 export", str(stamp.export_id)),
        ("制作 made", f"{stamp.made_by}  {local_time(stamp.made_at)}"),
        ("目的 purpose", f"{stamp.purpose_code}  {stamp.purpose}"),
        ("请求编号 request", stamp.request_id or "–"),
        ("审计记录 audit entry", f"{provenance.audit.position}  {provenance.audit.hash}"),
        ("定位数 track rows", str(len(case.fixes))),
        ("程序版本 versions", "  ".join(f"{name} {version}" for name, version in provenance.versions.items())),
        ("公钥指纹 key fingerprint", provenance.fingerprint),
    )
    return [
        heading("六、来源与核验", "6. Origin, and how to check it"),
        _facts(facts),
        Spacer(1, 2 * mm),
        *both(
            "核验：hulan evidence verify 文件.zip --public-key 公钥文件。公钥须从制作机关另行取得，并与上列指纹核对；"
            "随包公钥只能说明由哪一把密钥签名，不能说明密钥属于谁。",
            "To check: hulan evidence verify FILE.zip --public-key KEY.pem. Get the key from the office that made this,"
            " and compare its fingerprint: the key inside the pack says which key signed, and not whose it is.",
        ),
    ]
