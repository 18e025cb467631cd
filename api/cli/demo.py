"""``hulan demo``: the main job, seen from beginning to end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from sqlalchemy import Engine

from api.cli.inspect import read_backdrop
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, progress, say, show_table
from api.demo.findings import alert_references, counts
from api.demo.play import (
    evening_parts,
    evening_score,
    import_places,
    own_cases,
    own_parts,
    own_tracks,
    play,
    register,
    synthetic_evening,
    write_city,
)
from api.demo.score import score_table, visit_table
from api.demo.stage import Stage, StageError, open_database_anew, open_stage
from api.files.rejects import write_rejects
from api.heatmaps import write_heatmap
from api.personal.masking import masked_phone
from api.settings import Settings, read_settings
from geo.datum import Datum, parse_datum
from tracking.local_time import LOCAL_TIME
from venues.place import Rejected


def demo(
    venues: Annotated[list[Path] | None, typer.Option(help="自己的场所文件 / your own venues", exists=True)] = None,
    sites: Annotated[
        list[Path] | None, typer.Option(help="自己的学校文件，可多个 / your own sites", exists=True)
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="自己的轨迹 / your own tracks: folder or archive", exists=True)
    ] = None,
    incidents: Annotated[list[Path] | None, typer.Option(help="警情处罚案件 / incidents", exists=True)] = None,
    mapping: Annotated[str, typer.Option(help="类别映射 / category mapping of your files")] = "osm",
    datum: Annotated[str | None, typer.Option(help="坐标系 / datum of files that do not say")] = None,
    timezone: Annotated[str | None, typer.Option(help="无时区时间所属时区 / zone of times without one")] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="结果文件夹 / folder for the results")] = None,
) -> None:
    """演示：合成城市的一个晚上，或自己的文件。The main job on a synthetic evening, or on your own files.

    例 / examples:  hulan demo
                    hulan demo --venues bars.csv --sites schools.osm --tracks plt/ --datum WGS84
    """
    own = (venues, sites, tracks)
    with plain_errors(*PROBLEMS, StageError, httpx.HTTPError):
        if any(item is not None for item in own) and tracks is None:
            raise StageError("请同时给出 --tracks / give --tracks too: what would be checked against your venues?")
        settings = read_settings(demo=True, database_url=None, web_database_url=None, worker_database_url=None)
        data_dir = settings.data_dir / "demo"
        results = folder or data_dir / "out"
        results.mkdir(parents=True, exist_ok=True)
        with open_database_anew(data_dir, say=say) as engine:
            if tracks is None:
                _synthetic(engine, settings, data_dir, results)
            else:
                known = None if datum is None else parse_datum(datum)
                places = _Places(venues or [], sites or [], incidents or [], mapping, known)
                _own(engine, settings, data_dir, results, places, tracks, timezone)


class _Places:
    """A user's own files of places."""

    def __init__(
        self, venues: list[Path], sites: list[Path], incidents: list[Path], mapping: str, datum: Datum | None
    ) -> None:
        self.venues = venues
        self.sites = sites
        self.incidents = incidents
        self.mapping = mapping
        self.datum = datum


def _synthetic(engine: Engine, settings: Settings, data_dir: Path, results: Path) -> None:
    out.print(
        "[bold]合成数据演示：城市、人物、号码均为虚构。SYNTHETIC: the city, people and numbers are made up.[/bold]"
    )
    city, evening, cases = synthetic_evening()
    files = write_city(city, results / "city")
    places = _Places([files.venues], [files.sites], [files.incidents], "hulan", Datum.WGS84)
    _import(engine, places, results, source="demo", at=evening.starts_at)
    with open_stage(engine, data_dir) as stage:
        tokens = register(stage, cases, at=evening.starts_at)
        total = sum(len(fixes) for fixes in evening.tracks.values())
        out.print(
            f"{city.name}，{evening.starts_at:%Y-%m-%d %H:%M}–24:00：{len(cases)} 人，{total} 个定位"
            f" / {len(cases)} people, {total} fixes through HTTP",
            markup=False,
        )
        with progress("播放晚上 the evening", total) as advance:
            posted = play(stage, evening_parts(evening), tokens, show=_show, progress=advance)
        result = evening_score(engine, evening)
        show_table(visit_table(result), title="实际发生与系统发现 what happened and what was found")
        show_table(score_table(result), title="得分 score")
        backdrop = [files.streets, files.boundaries]
        as_of = evening.ends_at - timedelta(seconds=1)
        _finish(stage, settings, results, posted.stored_count, as_of=as_of, synthetic=True, backdrop=backdrop)


def _own(
    engine: Engine,
    settings: Settings,
    data_dir: Path,
    results: Path,
    places: _Places,
    tracks: Path,
    timezone: str | None,
) -> None:
    out.print(
        "[bold]决定书与联系人为合成：轨迹主人没有违反任何规定。"
        "Orders and contacts are made up: the owners of these tracks broke no rule.[/bold]"
    )
    with progress("读取轨迹 reading tracks") as advance:
        found, rejected = own_tracks(tracks, datum=places.datum, timezone=timezone, progress=advance)
    if rejected:
        _tell_rejected(results / "tracks.rejects.csv", rejected)
    if not found:
        raise StageError("没有可用的定位 / there is no usable fix in these tracks")
    cases = own_cases(found)
    first = min(case.valid_from for case in cases)
    _import(engine, places, results, source=None, at=first)
    with open_stage(engine, data_dir) as stage:
        tokens = register(stage, cases, at=first)
        total = sum(len(fixes) for fixes in found.values())
        out.print(f"{len(cases)} 条轨迹 tracks，{total} 个定位 fixes", markup=False)
        with progress("经 HTTP 提交 posting", total) as advance:
            posted = play(stage, own_parts(found), tokens, show=_show, progress=advance)
        as_of = max(case.valid_to for case in cases)
        _finish(stage, settings, results, posted.stored_count, as_of=as_of, synthetic=False, backdrop=[])


def _import(engine: Engine, places: _Places, results: Path, *, source: str | None, at: datetime) -> None:
    with progress("导入场所与学校 importing places"):
        reports, strays = import_places(
            engine,
            venues=places.venues,
            sites=places.sites,
            incidents=places.incidents,
            mapping=places.mapping,
            source=source,
            datum=places.datum,
            at=at,
        )
    for path, report in reports:
        out.print(f"{path.name}  " + "  ".join(f"{label}: {count}" for label, count in report.lines()), markup=False)
        if report.rejected:
            _tell_rejected(results / f"{path.name}.rejects.csv", report.rejected)
    if strays:
        _tell_rejected(results / "incidents.rejects.csv", strays)


def _tell_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    write_rejects(path, rejected)
    out.print(f"拒收 {len(rejected)} 行及原因 rejected rows and reasons: {path}", markup=False)


def _show(message: dict[str, Any]) -> None:
    out.print(f"  短信 SMS → {masked_phone(message['phone'])}  {message['text']}", markup=False)


def _finish(
    stage: Stage,
    settings: Settings,
    results: Path,
    posted_count: int,
    *,
    as_of: datetime,
    synthetic: bool,
    backdrop: Sequence[Path],
) -> None:
    heat = results / "heat.html"
    features = [feature for path in backdrop for feature in read_backdrop(path)]
    with stage.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        write_heatmap(
            connection,
            heat,
            as_of=as_of,
            title="未成年人禁入场所风险热力图" + ("（合成数据）" if synthetic else ""),
            backdrop=features,
            synthetic=synthetic,
            assets_dir=settings.assets_dir,
        )
        numbers = counts(connection)
        references = alert_references(connection)
    rows = [("数量 what", "个 count"), ("接收 accepted over HTTP", str(posted_count))]
    show_table([*rows, *((label, str(count)) for label, count in numbers)])
    out.print(f"热力图 heatmap (as of {as_of.astimezone(LOCAL_TIME):%Y-%m-%d}): {heat}", markup=False)
    out.print(f"短信 messages: {stage.messages}", markup=False)
    out.print(f"日志 logs: {stage.data_dir / 'serve.log'} {stage.data_dir / 'worker.log'}", markup=False)
    if references:
        out.print(
            f"解释警报 explain an alert: HULAN_DEMO=true HULAN_DATA_DIR={stage.data_dir} .venv/bin/hulan explain"
            f" {references[0]} --purpose 演示",
            markup=False,
        )
