"""The law of distance on the command line: gates, evaluation, what changed, one measurement as evidence."""

import getpass
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import Connection

from api.cli.acting import AsJson, DivisionOption, show
from api.cli.distance_lines import (
    change_lines,
    evaluated_lines,
    finding_lines,
    gate_lines,
    history_lines,
    later_lines,
    outside_lines,
    rule_lines,
    uncounted_lines,
)
from api.cli.load import (
    DataDateOption,
    DatumOption,
    LayerOption,
    RejectsOption,
    SourceOption,
    WholeOption,
    WithdrawOption,
    day_of,
    rejects_told_if_refused,
    stated_datum,
    tell_import,
    whole_source_of,
)
from api.cli.prepared import prepared_settings, saving
from api.cli.problems import PROBLEMS
from api.cli.screen import bar_of_stages, out, plain_errors, progress, say
from api.clock import SystemClock
from api.distance import (
    DistanceRefusedError,
    WalkedBy,
    evaluate_register,
    keep_network,
    kept_network,
    measure_pair,
    read_network,
    take_turn,
)
from api.distance_shown import (
    FindingFilter,
    changes_shown,
    findings_shown,
    gate_shown,
    history_shown,
    rules_shown,
)
from api.errors import NotThereError
from api.evidence.font import load_fonts
from api.files.gates import read_gates
from api.files.osm import OSM_SUFFIXES
from api.papers.desk import checked_measurement
from api.papers.measurement_report import measurement_pdf
from api.session import open_database
from api.settings import Settings
from api.site_import import import_gates
from tracking.local_time import LOCAL_TIME
from venues.distance_store import last_run
from venues.distance_verdict import Verdict
from venues.gateway_distance_law import load_distance_law, load_lead_routes
from venues.measurement_store import archive_measurement, archived_text
from venues.place import SourceKey
from venues.site_gates import RegisteredGate

FOUND_FAULTS = 3

Day = typer.Option(formats=["%Y-%m-%d"], help="哪一天的法律，默认今天 / the law of which day; default: today")


def gates(
    file: Annotated[Path, typer.Argument(help="校门文件 / gates of schools", exists=True)],
    datum: DatumOption = None,
    layer: LayerOption = None,
    source: SourceOption = None,
    rejects: RejectsOption = None,
    whole: WholeOption = False,
    withdraw: WithdrawOption = 0,
    data_date: DataDateOption = None,
) -> None:
    """导入校门：CSV、Excel、GeoJSON、GeoPackage、Shapefile、OSM。Gates of schools.

    列：编号、位置，可选学校、类型、是否封闭、误差米、校门齐全；点要素亦然。Points have the same attributes.

    校门齐全（all_gates）填“是”的校区，其校门视为全部登记；否则未登记的校门可能更近，只有围墙也够远才算不违反。
    Where all_gates is yes, the gates of that campus are all registered; else another one may be nearer.

    例 / example:  hulan import gates gates.csv --datum GCJ02
    """
    with plain_errors(*PROBLEMS):
        whole_source, day = whole_source_of(source, is_whole=whole), day_of(data_date)
        with progress("读取 reading") as advance:
            read = read_gates(file, datum=stated_datum(datum), layer=layer, progress=advance)
        register = source or ("osm" if file.name.casefold().endswith(OSM_SUFFIXES) else file.stem)
        found = [
            RegisteredGate(
                key=SourceKey(source=register, source_id=one.gate.gate_id),
                gate=replace(one.gate, gate_id=f"{register}/{one.gate.gate_id}"),
                site_key=one.site_key,
                raw=one.raw,
                datum=one.datum,
                says_all=one.says_all,
            )
            for one in read.gates
        ]
        with rejects_told_if_refused(file, read.rejected, rejects), saving() as connection:
            report = import_gates(
                connection,
                found,
                read.rejected,
                at=SystemClock().now(),
                by=_operator(),
                whole_source=whole_source,
                withdraw=withdraw,
                data_on=day,
            )
        tell_import(file, report, rejects)


def evaluate(
    division: Annotated[
        str, typer.Option(help="场所所在区划，六位；已导入的边界优先 / division of places outside imported boundaries")
    ],
    network: Annotated[
        Path | None,
        typer.Option(help="步行路网：OSM、线数据或已保存的；默认上次的 / the walk network; default: of the last run"),
    ] = None,
    network_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="路网数据的日期 / the day that its source describes")
    ] = None,
    on: Annotated[datetime | None, Day] = None,
    survey_leads: Annotated[
        bool, typer.Option(help="需现场测量的也列为线索 / whether venues that need a survey become leads too")
    ] = False,
) -> None:
    """评估登记册中所有场所与学校，记录变化，违反的列为线索。Evaluate every venue against every school.

    --on 为将来之日时只预演，不保存；早于上次评估之日的不再评估。A day to come is told only; none before the last run.

    例 / example:  hulan distance evaluate --division 440106 --network city.osm.pbf --network-on 2026-11-01
    """
    with plain_errors(*PROBLEMS):
        settings = prepared_settings()
        law, routes = load_distance_law(settings.distance_law_file), load_lead_routes(settings.lead_routes_file)
        _check_division(division)
        given = None if network is None else _walked_by(network, settings, _day(network_on))
        with open_database(settings, say=say) as engine, engine.begin() as connection:
            take_turn(connection)
            walked = given or _walked_last(connection, settings)
            with bar_of_stages("评估 evaluating") as told:
                found = evaluate_register(
                    connection, law, routes, on=_day(on), clock=SystemClock(), made_by=_operator(), division=division,
                    walked=walked, leads_of=(Verdict.BREACH, Verdict.SURVEY) if survey_leads else (Verdict.BREACH,),
                    progress=told,
                )  # fmt: skip
        for one in found:
            for line in evaluated_lines(one):
                out.print(line, markup=False, soft_wrap=True)
        last = found[-1]
        for line in (
            *outside_lines(last.outside_count, division),
            *later_lines(last.later_count),
            *uncounted_lines(last.uncounted_gates),
        ):
            out.print(line, markup=False, soft_wrap=True)
        for gap in law.gaps_of(division):
            out.print(f"缺少规则 no rule known: {gap.note_zh} / {gap.note_en}", markup=False, soft_wrap=True)


def list_findings(
    verdict: Annotated[str | None, typer.Option(help="clear、survey、breach、grandfathered")] = None,
    on: Annotated[datetime | None, Day] = None,
    division: DivisionOption = None,
    after: Annotated[int | None, typer.Option(min=0, help="从此编号之后 / after the finding of this number")] = None,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="最多几条 / most rows")] = 100,
    as_json: AsJson = False,
) -> None:
    """当前结论，违反的在前。Verdicts, breaches first.

    例 / example:  hulan distance list --verdict breach
    """
    with plain_errors(*PROBLEMS):
        wanted = FindingFilter(verdict=None if verdict is None else _verdict(verdict), on=_day(on), division=division,
                               after=after)  # fmt: skip
        with open_database(prepared_settings(), say=say) as engine, engine.connect() as connection:
            try:
                found = findings_shown(connection, wanted, most=most)
            except NotThereError:
                raise LookupError(f"没有编号 {after} 的结论 / no finding of this number") from None
    show(found, finding_lines, none="没有结论；评估：hulan distance evaluate / nothing found", as_json=as_json)


def changes(as_json: AsJson = False) -> None:
    """上次评估改变了什么。What the last evaluation changed.

    例 / example:  hulan distance changes
    """
    with plain_errors(*PROBLEMS), open_database(prepared_settings(), say=say) as engine, engine.connect() as connection:
        found = changes_shown(connection)
    show(found, change_lines, none="没有变化 nothing changed", as_json=as_json)


def show_venue(
    venue: Annotated[UUID, typer.Argument(help="场所 id / id of the venue")], as_json: AsJson = False
) -> None:
    """一个场所的全部结论，含以往。All that was ever said of a venue.

    例 / example:  hulan distance show 0190f3a2-…
    """
    with plain_errors(*PROBLEMS), open_database(prepared_settings(), say=say) as engine, engine.connect() as connection:
        try:
            found = history_shown(connection, venue)
        except NotThereError:
            raise LookupError(f"对场所 {venue} 没有结论 / nothing was found about this venue") from None
    show(found, history_lines, none="", as_json=as_json)


def show_gate(
    gate: Annotated[str, typer.Argument(help="校门 id：来源/编号 / id of the gate: source/number")],
    as_json: AsJson = False,
) -> None:
    """一个校门的历次登记：何时、何人、开闭。Every version of a gate: when, by whom, open or closed.

    例 / example:  hulan distance gate osm/node/123
    """
    with plain_errors(*PROBLEMS), open_database(prepared_settings(), say=say) as engine, engine.connect() as connection:
        try:
            found = gate_shown(connection, gate)
        except NotThereError:
            raise LookupError(f"没有校门 {gate} / no such gate") from None
    show(found, gate_lines, none="", as_json=as_json)


def rules(as_json: AsJson = False) -> None:
    """适用过的规则及其版本。The rules that were applied, by version.

    例 / example:  hulan distance rules
    """
    with plain_errors(*PROBLEMS), open_database(prepared_settings(), say=say) as engine, engine.connect() as connection:
        found = rules_shown(connection)
    show(found, rule_lines, none="没有规则；评估：hulan distance evaluate / no rules yet", as_json=as_json)


def report(
    venue: Annotated[UUID, typer.Argument(help="场所 id / id of the venue")],
    file: Annotated[Path, typer.Option("--out", help="写入此 PDF / the PDF to write")],
    site: Annotated[
        str | None,
        typer.Option(help="学校 id，默认最要紧的一所 / id of the school; default: what matters most"),
    ] = None,
    on: Annotated[datetime | None, Day] = None,
) -> None:
    """测距报告：测量、存档、成文。Measure a venue against a school, archive it, write the report.

    例 / example:  hulan distance report 0190f3a2-… --out report.pdf
    """
    with plain_errors(*PROBLEMS):
        settings, now = prepared_settings(), SystemClock().now()
        if file.exists() or not file.parent.is_dir():
            raise FileExistsError(f"文件已存在，或文件夹不存在 / there is such a file, or no such folder: {file}")
        load_fonts(settings.assets_dir)
        law = load_distance_law(settings.distance_law_file)
        with open_database(settings, say=say) as engine, engine.begin() as connection:
            walked = _walked_last(connection, settings)
            made = measure_pair(
                connection, law, on=_day(on) or now.astimezone(LOCAL_TIME).date(), venue_id=venue, site_id=site,
                walked=walked,
            )  # fmt: skip
            archive_measurement(connection, made, at=now, made_by=_operator())
        with file.open("xb") as stream:
            stream.write(measurement_pdf(made))
        out.print(f"测距报告 report: {file}", markup=False, soft_wrap=True)
        out.print(f"校验值 SHA-256: {made.hash}", markup=False, soft_wrap=True)


def verify(
    measurement: Annotated[str, typer.Argument(help="校验值 / the hash of a measurement")],
    file: Annotated[Path | None, typer.Option("--out", help="另写一份报告 / write the report again")] = None,
) -> None:
    """用存档重新测量并核对校验值。Measure again from the archive, and compare the hash.

    退出码 exit code: 0 相同 the same, 3 不同 another.

    例 / example:  hulan distance verify 011fc96d66602627…
    """
    with plain_errors(*PROBLEMS):
        settings = prepared_settings()
        with open_database(settings, say=say) as engine, engine.connect() as connection:
            text = archived_text(connection, measurement)
        if text is None:
            raise LookupError(f"没有这份测量存档 {measurement} / no such measurement is archived")
        checked = checked_measurement(
            text, measurement, network_of=lambda version: kept_network(version, settings.data_dir)
        )
        if checked.is_same and file is not None:
            load_fonts(settings.assets_dir)
            with file.open("xb") as stream:
                stream.write(measurement_pdf(checked.made))
        said = "一致 the same" if checked.is_same else "不一致 NOT THE SAME"
        out.print(f"{said}: {checked.made.hash}", markup=False, soft_wrap=True)
    if not checked.is_same:
        raise typer.Exit(FOUND_FAULTS)


# ---- parts


def _walked_by(file: Path, settings: Settings, network_on: date | None) -> WalkedBy:
    """The network of the file, kept for measurements to come."""
    with progress("读取路网 walk network"):
        network = read_network(file)
        keep_network(network, settings.data_dir)
    return WalkedBy(network=network, network_on=network_on)


def _walked_last(connection: Connection, settings: Settings) -> WalkedBy | None:
    """The network of the last run, if there was one."""
    before = last_run(connection)
    if before is None or before.network_version is None:
        say("没有步行路网：步行规则只能凭直线排除 / no walk network: rules on foot go by the straight line")
        return None
    with progress("读取路网 walk network"):
        network = kept_network(before.network_version, settings.data_dir)
    return WalkedBy(network=network, network_on=before.network_on)


def _check_division(division: str) -> None:
    if len(division) != 6 or not (division.isascii() and division.isdigit()):
        raise DistanceRefusedError(f"--division 应为六位区划代码 must be a division code of six digits: {division}")


def _verdict(word: str) -> Verdict:
    try:
        return Verdict[word.upper()]
    except KeyError:
        words = "、".join(verdict.name.lower() for verdict in Verdict)
        raise LookupError(f"--verdict 应为 must be one of {words}: {word}") from None


def _day(instant: datetime | None) -> date | None:
    return None if instant is None else instant.date()


def _operator() -> str:
    return f"cli:{getpass.getuser()}"
