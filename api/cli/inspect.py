"""Commands that look: replay, explain, map."""

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, time
from pathlib import Path
from typing import Annotated

import geopandas
import typer

from api.audit import LookKind, record_look
from api.cli.problems import PROBLEMS
from api.cli.screen import bar_of, out, plain_errors, progress, say, show_table
from api.clock import SystemClock
from api.explaining import Explanation, FixEvidence, explain_alert
from api.files.rejects import write_rejects
from api.fsck import Checked, check, subject_no_of
from api.heatmaps import write_heatmap
from api.ids import subject_id_for
from api.personal.opening import open_keyring
from api.replaying import replay_files
from api.session import open_database
from api.settings import read_settings
from geo.datum import parse_datum
from maps.heat_layers import BackdropFeature, BackdropKind
from tracking.episode import Tier
from tracking.local_time import LOCAL_TIME
from tracking.policy import PresencePolicy
from tracking.quality import describe_flags
from venues.risk import RiskLevel

INSTANTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
"""How instants are typed."""

KIND_NAMES = {"missing": "缺少 missing", "extra": "多出 extra", "different": "不同 different"}

MOST_SHOWN = 50
"""Differences shown in the table; the JSON line holds all."""


def replay(
    zones: Annotated[Path, typer.Option(help="区域 GeoJSON / zones", exists=True)],
    fixes: Annotated[Path, typer.Option(help="轨迹文件、文件夹或压缩包 / fixes: file, folder or archive", exists=True)],
    out_file: Annotated[Path, typer.Option("--out", help="输出 CSV / episodes as CSV")],
    datum: Annotated[str | None, typer.Option(help="轨迹坐标系 / datum of the fixes")] = None,
    timezone: Annotated[str | None, typer.Option(help="无时区时间所属时区 / zone of times without one")] = None,
) -> None:
    """在文件上试运行：这些定位会在这些区域得出什么。What would have been seen; no database.

    例 / example:  hulan replay --zones zones.geojson --fixes fixes.csv --out episodes.csv
    """
    with plain_errors(*PROBLEMS):
        with progress("评估 evaluating") as advance:
            done = replay_files(
                zones,
                fixes,
                out_file,
                datum=None if datum is None else parse_datum(datum),
                timezone=timezone,
                progress=advance,
            )
        probable = sum(item.tier is Tier.PROBABLE for item in done.episodes)
        out.print(
            f"定位 fixes: {done.fix_count}  区域 zones: {done.zone_count}  在场 episodes: {len(done.episodes)}"
            f"（大概率 probable: {probable}）→ {out_file}",
            markup=False,
        )
        if done.rejected:
            path = write_rejects(out_file.with_name(out_file.name + ".rejects.csv"), done.rejected)
            out.print(f"拒收 {len(done.rejected)} 行及原因 rejected rows and reasons: {path}", markup=False)


def explain(
    alert_id: Annotated[str, typer.Argument(help="警报编号，完整或短信中的 8 位 / alert id, full or the 8 characters")],
    purpose: Annotated[str | None, typer.Option(help="查阅目的，记入审计 / what for; goes into the audit")] = None,
) -> None:
    """说明一个警报：决定书、条件、区域、定位、概率、适用规则。Explain an alert.

    例 / example:  hulan explain 5F2C09AB --purpose 核查警报
    """
    with plain_errors(*PROBLEMS):
        settings = read_settings()
        with open_database(settings, say=say) as engine, engine.begin() as connection:
            explanation = explain_alert(connection, alert_id, keyring=open_keyring(settings))
            record_look(
                connection,
                LookKind.EXPLAIN,
                actor=f"cli:{getpass.getuser()}",
                purpose=purpose,
                subject_no=explanation.subject_no,
                detail=f"alert {explanation.alert_id}",
            )
        show_explanation(explanation)


def show_explanation(explanation: Explanation) -> None:
    """Print facts, fixes and notifications."""
    show_table([("项目 item", "内容 content"), *explanation.facts])
    rows = [("时间 time", "收到 received", "精度 accuracy", "距边界 to the edge", "P 单点 alone", "P 综合 all so far")]
    for fix in explanation.fixes:
        distance = "–" if fix.signed_distance_m is None else f"{fix.signed_distance_m:+.0f} m"
        fixed_at, received_at = fix.fixed_at.astimezone(LOCAL_TIME), fix.received_at.astimezone(LOCAL_TIME)
        rows.append(
            (
                f"{fixed_at:%H:%M:%S}",
                f"{received_at:%H:%M:%S}",
                f"{fix.accuracy_m:.0f} m",
                distance,
                f"{fix.probability:.2f}",
                "–" if fix.filtered_probability is None else f"{fix.filtered_probability:.2f}",
            )
        )
    if explanation.fixes:
        show_table(rows, title="首个疑似违规的定位（负数为界内） fixes of the first violation, negative is inside")
    if doubts := quality_of(explanation.fixes):
        show_table([("问题 doubt", "定位 fixes"), *doubts], title="定位质量 quality of these fixes")
    heading = ("对象 role", "号码 number", "状态 state", "发送 sent", "内容 text", "错误 error")
    show_table([heading, *explanation.notifications], title="通知 notifications")


def quality_of(fixes: Sequence[FixEvidence]) -> list[tuple[str, str]]:
    """Each doubt in plain words, and the times of the fixes that it is about."""
    times: dict[str, list[str]] = {}
    for fix in fixes:
        for words in describe_flags(fix.flags):
            times.setdefault(words, []).append(f"{fix.fixed_at.astimezone(LOCAL_TIME):%H:%M:%S}")
    return [
        (words, "全部 all" if len(found) == len(fixes) else ", ".join(found[:20]) + ("…" if len(found) > 20 else ""))
        for words, found in times.items()
    ]


def fsck(
    subject: Annotated[
        str | None, typer.Option(help="只查一名对象（案件编号或 id） / one subject: reference or id")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=INSTANTS, help="自何时开始的 / that started since, local time")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=INSTANTS, help="在此之前开始的 / that started before, local time")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="最后输出一行 JSON / end with one JSON line")] = False,
) -> None:
    """核对库中结果：从定位日志从头重算，逐项比较；只读，不修复。Does the log, evaluated anew, give what is stored?

    不一致时退出码为 1；有对象在等待重新评估而未核对时为 2。Exit code 1 on any difference, 2 if some subjects wait to be
    judged again and could not be compared. It never writes: there is no repair.

    例 / example:  hulan fsck --since 2026-03-01
    """
    with plain_errors(*PROBLEMS):
        with open_database(read_settings(), say=say) as engine, engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ")
            number = None if subject is None else subject_no_of(connection, subject_id_for(subject))
            with bar_of("核对 checking") as (begin, advance):
                checked = check(
                    connection,
                    policy=PresencePolicy(),
                    now=SystemClock().now(),
                    subject_no=number,
                    since=local_instant(since),
                    until=local_instant(until),
                    begin=begin,
                    progress=advance,
                )
        show_checked(checked)
        if as_json:
            typer.echo(json.dumps(asdict(checked), ensure_ascii=False))
    if checked.differences or checked.unfinished_count:
        raise typer.Exit(1 if checked.differences else 2)


def show_checked(checked: Checked) -> None:
    """Counts, then the differences with both values."""
    out.print(
        f"对象 subjects: {checked.subject_count}  定位 fixes: {checked.fix_count}"
        f"  在场 episodes: {checked.episode_count}  疑似违规 violations: {checked.violation_count}"
        f"  不一致 differences: {len(checked.differences)}",
        markup=False,
    )
    notes = (
        ("后来被推翻而保留的疑似违规 violations kept though a later fix or edit undid them", checked.kept_count),
        ("由其他引擎或策略版本认定 decided by another engine or policy version", checked.other_engine_count),
        ("等待重新评估、未核对的对象 subjects not compared: waiting to be judged again", checked.unfinished_count),
    )
    for label, count in notes:
        if count:
            out.print(f"{label}: {count}", markup=False)
    if checked.differences:
        heading = ("项目 what", "情况 kind", "编号 id", "字段 field", "库中 stored", "重算 from the log")
        rows = [
            (item.what, KIND_NAMES[item.kind], item.key, item.field, item.stored, item.expected)
            for item in checked.differences[:MOST_SHOWN]
        ]
        show_table([heading, *rows], title="库中结果与日志不一致 what is stored is not what the log says")
        if len(checked.differences) > MOST_SHOWN:
            out.print(f"另有 and {len(checked.differences) - MOST_SHOWN} more: --json", markup=False)
    else:
        out.print("一致：从头重算与库中相同。Consistent: the log from scratch gives what is stored.", markup=False)


def local_instant(instant: datetime | None) -> datetime | None:
    """A local time as typed, made aware."""
    return None if instant is None else instant.replace(tzinfo=LOCAL_TIME)


def map_venues(
    out_file: Annotated[Path, typer.Option("--out", help="输出 HTML / the page to write")],
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="截至日期 / as of the end of this day, local")
    ] = None,
    backdrop: Annotated[
        Path | None, typer.Option(help="底图线面（道路、边界） / lines and faces drawn beneath", exists=True)
    ] = None,
    title: Annotated[str, typer.Option(help="标题 / title")] = "未成年人禁入场所风险热力图",
) -> None:
    """场所绿黄红热力图：单个 HTML 文件，不联网。The green/yellow/red venue map, one file, no network.

    例 / example:  hulan map venues --out heat.html --as-of 2026-03-20
    """
    with plain_errors(*PROBLEMS):
        settings = read_settings()
        instant = SystemClock().now() if as_of is None else end_of_day(as_of)
        with open_database(settings, say=say) as engine, engine.connect() as connection:
            risks = write_heatmap(
                connection,
                out_file,
                as_of=instant,
                title=title,
                backdrop=[] if backdrop is None else read_backdrop(backdrop),
                synthetic=settings.demo,
                assets_dir=settings.assets_dir,
            )
        counts = {level: sum(risk.level is level for risk in risks) for level in RiskLevel}
        out.print("  ".join(f"{level}: {count}" for level, count in counts.items()) + f"  → {out_file}", markup=False)


def end_of_day(day: datetime) -> datetime:
    """The last second of a local day."""
    return datetime.combine(day.date(), time(23, 59, 59), tzinfo=LOCAL_TIME)


def read_backdrop(path: Path) -> list[BackdropFeature]:
    """Lines and faces of any vector file, in WGS-84; a ``category`` of river or water is drawn as water."""
    frame = geopandas.read_file(path)
    if frame.crs is not None:
        frame = frame.to_crs(4326)
    categories = frame["category"] if "category" in frame else [""] * len(frame)
    features = []
    for geometry, category in zip(frame.geometry, categories, strict=True):
        if geometry is None or geometry.is_empty:
            continue
        if str(category) in {"river", "water"}:
            kind = BackdropKind.WATER
        else:
            kind = BackdropKind.STREET if "LineString" in geometry.geom_type else BackdropKind.BOUNDARY
        features.append(BackdropFeature(kind=kind, geometry=geometry))
    return features
