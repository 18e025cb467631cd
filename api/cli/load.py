"""Commands that bring files in. Good rows are kept, rejected ones go to a file beside it with line and reason."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from api.cli.prepared import prepared_settings, saving
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, progress, say
from api.clock import SystemClock
from api.files.incidents import read_incidents
from api.files.mappings import load_mapping
from api.files.places import read_places
from api.files.rejects import is_writable, rejects_path, write_rejects
from api.files.tracks import read_tracks
from api.files.zones import read_boundaries, read_zones
from api.importing import ImportReport, import_venues, import_zones
from api.session import open_database
from api.site_import import import_sites
from api.track_import import import_tracks
from api.withdrawal import WithdrawalRefusedError
from geo.datum import Datum, parse_datum
from tracking.local_time import LOCAL_TIME
from tracking.zone import ZoneOrigin
from venues.place import PlacesRead, Rejected
from venues.row_id import further_count
from venues.store import save_incidents

MOST_WITHDRAWN_SHOWN = 20

File = Annotated[Path, typer.Argument(help="要导入的文件 / the file to import", exists=True)]
DatumOption = Annotated[
    str | None, typer.Option("--datum", help="坐标系 WGS84、GCJ02、BD09、CGCS2000 / datum of the coordinates")
]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", help="来源名称，重复导入时按来源与编号更新 / name of the register; default: file name"),
]
MappingOption = Annotated[
    str,
    typer.Option("--mapping", help="类别映射：hulan、osm、amap 或自定义 TOML 文件 / built-in mapping or a TOML file"),
]
LayerOption = Annotated[
    str | None,
    typer.Option("--layer", help="GeoPackage 图层，或 Excel 工作表 / layer of a GeoPackage, or sheet of a workbook"),
]
ValidFromOption = Annotated[
    datetime | None,
    typer.Option(
        "--valid-from",
        formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"],
        help="区域自何时起生效，默认导入时；早于现在则重新评估 / since when the zones govern; default: now",
    ),
]
DataDateOption = Annotated[
    datetime | None,
    typer.Option(
        "--data-date",
        formats=["%Y-%m-%d"],
        help="数据截至哪一天 / the day as of which the file speaks",
    ),
]
WholeOption = Annotated[
    bool,
    typer.Option("--whole", help="文件是该登记的全部：其中已没有的场所及其区域撤回 / the file is all of the register"),
]


WithdrawOption = Annotated[
    int,
    typer.Option(
        "--withdraw",
        min=0,
        help="与 --whole 一起：确认撤回这么多，包括文件中已不是场所的；超过 5% 且多于 3 处，或全部撤回，须先确认"
        " / with --whole: so many may go, also those that the file has as something else now; needed for more than"
        " 5 % and 3, or all",
    ),
]


def _can_be_written(path: Path | None) -> Path | None:
    if path is not None and (path.is_dir() or not is_writable(path.parent)):
        raise typer.BadParameter(f"{path} 不能写入，请换一处 / cannot be written: name a file in another folder")
    return path


RejectsOption = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        callback=_can_be_written,
        help="拒收行写入此文件；默认写在原文件旁，不能写则写在当前文件夹"
        " / where rejected rows go; default: beside the file, or in the working folder if that cannot be written",
    ),
]
"""Checked before anything is read: an import whose rejected rows could not be kept would be half told."""


def venues(
    file: File,
    mapping: MappingOption = "osm",
    datum: DatumOption = None,
    source: SourceOption = None,
    layer: LayerOption = None,
    valid_from: ValidFromOption = None,
    rejects: RejectsOption = None,
    whole: WholeOption = False,
    withdraw: WithdrawOption = 0,
    data_date: DataDateOption = None,
) -> None:
    """导入场所：CSV、Excel、GeoJSON、GeoPackage、Shapefile、OSM。Import venues.

    例 / example:  hulan import venues poi.csv --mapping amap --datum GCJ02
    """
    with plain_errors(*PROBLEMS):
        whole_source, day = whole_source_of(source, is_whole=whole), day_of(data_date)
        read = _read_places(file, mapping, datum, source, layer)
        with rejects_told_if_refused(file, read.rejected, rejects), saving() as connection:
            report = import_venues(
                connection,
                read,
                at=SystemClock().now(),
                valid_from=local(valid_from),
                whole_source=whole_source,
                withdraw=withdraw,
                data_on=day,
            )
        if further := further_count(place.key for place in read.venues):
            say(f"一行多类，每类各有一处与区域 kinds of venue beside a row's first, each a venue: {further}")
        tell_import(file, report, rejects)


def sites(
    file: File,
    mapping: MappingOption = "osm",
    datum: DatumOption = None,
    source: SourceOption = None,
    layer: LayerOption = None,
    valid_from: ValidFromOption = None,
    rejects: RejectsOption = None,
    whole: WholeOption = False,
    withdraw: WithdrawOption = 0,
    data_date: DataDateOption = None,
) -> None:
    """导入学校、幼儿园：CSV、Excel、GeoJSON、GeoPackage、Shapefile、OSM。Import schools and kindergartens.

    可选列 optional column：开办日期 opened_on（学校后建 who came first）。

    例 / example:  hulan import sites map.osm
    """
    with plain_errors(*PROBLEMS):
        whole_source, day = whole_source_of(source, is_whole=whole), day_of(data_date)
        read = _read_places(file, mapping, datum, source, layer)
        with rejects_told_if_refused(file, [*read.rejected, *read.set_aside], rejects), saving() as connection:
            report = import_sites(
                connection,
                read,
                at=SystemClock().now(),
                valid_from=local(valid_from),
                whole_source=whole_source,
                withdraw=withdraw,
                data_on=day,
            )
        tell_import(file, report, rejects, also=read.set_aside)


def zones(
    file: File,
    datum: DatumOption = None,
    source: SourceOption = None,
    valid_from: ValidFromOption = None,
    rejects: RejectsOption = None,
) -> None:
    """导入监管人员划定的区域（GeoJSON：id、kind、可选 radius_m）。Import zones drawn by supervisors.

    例 / example:  hulan import zones zones.geojson
    """
    with plain_errors(*PROBLEMS):
        read = read_zones(file, datum=stated_datum(datum))
        with saving() as connection:
            report = import_zones(
                connection,
                read.zones,
                read.rejected,
                origin=ZoneOrigin.SUPERVISOR,
                source=source or file.stem,
                at=SystemClock().now(),
                valid_from=local(valid_from),
            )
        tell_import(file, report, rejects)


def local(instant: datetime | None) -> datetime | None:
    """An instant as it was typed: without an offset it is local time."""
    return instant.replace(tzinfo=LOCAL_TIME) if instant is not None and instant.tzinfo is None else instant


def boundaries(
    file: File,
    code_column: Annotated[str, typer.Option(help="代码列 / column of the division code")] = "code",
    name_column: Annotated[str, typer.Option(help="名称列 / column of the name")] = "name",
    datum: DatumOption = None,
    source: SourceOption = None,
    layer: LayerOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="修复自相交的边界 / repair self-intersections")] = False,
    rejects: RejectsOption = None,
) -> None:
    """导入行政区划边界，用于“不得离开”。Import administrative boundaries for "stay within area".

    例 / example:  hulan import boundaries county.gpkg --code-column Code_County --name-column Name_County
    """
    with plain_errors(*PROBLEMS):
        with progress("读取边界 reading") as advance:
            read = read_boundaries(
                file,
                code_column=code_column,
                name_column=name_column,
                datum=stated_datum(datum),
                layer=layer,
                repair=repair,
                progress=advance,
            )
        with saving() as connection:
            report = import_zones(
                connection,
                read.zones,
                read.rejected,
                origin=ZoneOrigin.BOUNDARY,
                source=source or file.stem,
                at=SystemClock().now(),
            )
        if read.repaired:
            say(f"已修复 repaired: {', '.join(read.repaired)}")
        tell_import(file, report, rejects)


def incidents(file: File, source: SourceOption = None, rejects: RejectsOption = None) -> None:
    """导入场所的警情、处罚与案件（CSV）。Import police calls, penalties and cases at venues.

    例 / example:  hulan import incidents incidents.csv
    """
    with plain_errors(*PROBLEMS):
        read = read_incidents(file, source=source)
        with saving() as connection:
            saved = save_incidents(connection, read.incidents, at=SystemClock().now())
        unknown = [
            Rejected(
                line=0,
                reference=item.key.source_id,
                field="venue_source_id",
                value=item.venue_key.source_id,
                reason="登记册中没有这个场所，请先导入场所 / no such venue in the register: import it first",
            )
            for item in saved.without_venue
        ]
        report = ImportReport(
            added_count=saved.written_count,
            changed_count=0,
            unchanged_count=0,
            ignored_count=0,
            rejected=(*read.rejected, *unknown),
        )
        tell_import(file, report, rejects)


def fixes(
    path: Annotated[
        Path, typer.Argument(help="轨迹文件、文件夹或压缩包 / a track file, folder or archive", exists=True)
    ],
    datum: DatumOption = None,
    timezone: Annotated[str | None, typer.Option(help="无时区时间所属时区 / zone of times without one")] = None,
    rejects: RejectsOption = None,
) -> None:
    """导入轨迹：CSV、Parquet、GPX、GeoLife .plt、OwnTracks .rec。Import tracks of subjects that have an order.

    例 / example:  hulan import fixes tracks/ --datum GCJ02
    """
    with plain_errors(*PROBLEMS):
        settings = prepared_settings()
        with open_database(settings, say=say) as engine:
            report = _import_fixes(engine, path, stated_datum(datum), timezone)
        tell_import(path, report, rejects)


def _import_fixes(engine: Engine, path: Path, datum: Datum | None, timezone: str | None) -> ImportReport:
    with progress("导入定位 fixes") as advance:
        tracks = read_tracks(path, datum=datum, timezone=timezone)
        return import_tracks(engine, tracks, at=SystemClock().now(), progress=advance)


def _read_places(file: Path, mapping: str, datum: str | None, source: str | None, layer: str | None) -> PlacesRead:
    with progress("读取 reading") as advance:
        return read_places(
            file,
            mapping=load_mapping(mapping),
            datum=stated_datum(datum),
            source=source,
            layer=layer,
            progress=advance,
        )


def stated_datum(text: str | None) -> Datum | None:
    """The datum that was typed, if any. Raises ValueError for one that is none."""
    return None if text is None else parse_datum(text)


def whole_source_of(source: str | None, *, is_whole: bool) -> str | None:
    """The register that a file is all of, if it is. Raises LookupError if nobody said which."""
    if is_whole and source is None:
        raise LookupError("--whole 须注明 --source / --whole needs --source: of which register the file is all")
    return source if is_whole else None


def day_of(stated: datetime | None) -> date | None:
    """The day that was typed, if any. Raises ValueError for one that is still to come."""
    if stated is None:
        return None
    if stated.date() > SystemClock().now().astimezone(LOCAL_TIME).date():
        raise ValueError(f"{stated.date()} 晚于今天 / that day is still to come: as of when does the file speak?")
    return stated.date()


def tell_import(file: Path, report: ImportReport, rejects: Path | None, *, also: Sequence[Rejected] = ()) -> None:
    """Print what came of a file, and write what was rejected, and ``also``, to ``rejects`` or beside it."""
    out.print("  ".join(f"{label}: {count}" for label, count in report.lines()), markup=False)
    for source_id, name in report.withdrawn[:MOST_WITHDRAWN_SHOWN]:
        out.print(f"  撤回 withdrawn: {source_id} {name}", markup=False, soft_wrap=True)
    if len(report.withdrawn) > MOST_WITHDRAWN_SHOWN:
        out.print(f"  … {len(report.withdrawn) - MOST_WITHDRAWN_SHOWN}", markup=False)
    if report.rejected or also:
        tell_rejects(file, [*report.rejected, *also], rejects)


@contextmanager
def rejects_told_if_refused(file: Path, rejected: Sequence[Rejected], chosen: Path | None) -> Iterator[None]:
    """What must be mended is told, even where nothing was imported."""
    try:
        yield
    except WithdrawalRefusedError:
        tell_rejects(file, rejected, chosen)
        raise


def tell_rejects(file: Path, rejected: Sequence[Rejected], chosen: Path | None) -> None:
    """Write the rows of ``file`` that were rejected, and print where."""
    path = write_rejects(rejects_path(file, chosen), rejected)
    out.print(f"拒收行及原因 rejected rows and reasons: {path}", markup=False, soft_wrap=True)
