"""What is seen of venues on the ground: their doors, from files, and what an officer found on a visit."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from api.cli.acting import By, acting
from api.cli.case_lines import Item
from api.cli.load import (
    DataDateOption,
    DatumOption,
    File,
    LayerOption,
    RejectsOption,
    SourceOption,
    WholeOption,
    WithdrawOption,
    day_of,
    rejects_told_if_refused,
    stated_datum,
    tell_import,
)
from api.cli.prepared import saving
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, progress, say
from api.clock import SystemClock
from api.files.doors import read_doors
from api.files.osm import OSM_SUFFIXES
from api.importing import ImportReport
from api.venue_desk import observe_venue
from api.withdrawal import Withdrawn, check_withdrawal
from tracking.local_time import LOCAL_TIME
from venues.category import VenueCategory
from venues.door_store import save_doors
from venues.place import Rejected


def doors(
    file: File,
    datum: DatumOption = None,
    source: SourceOption = None,
    layer: LayerOption = None,
    data_date: DataDateOption = None,
    whole: WholeOption = False,
    withdraw: WithdrawOption = 0,
    rejects: RejectsOption = None,
) -> None:
    """导入场所的门：CSV、Excel、GeoJSON、GeoPackage、OSM（entrance）。Import doors of venues.

    列：id、经纬度、kind（customers 顾客、service 后勤、closed 封闭），可选 venue_source 与 venue_source_id、is_main、
    valid_from、valid_to、error_m。未写场所的门归入门所在墙的场所。距离从顾客用的门量起。
    A door that names no venue belongs to the one in whose wall it is; distances are measured from customers' doors.

    例 / example:  hulan import doors doors.csv --datum GCJ02
    """
    with plain_errors(*PROBLEMS):
        if whole and source is None:
            raise LookupError("--whole 须注明 --source / --whole needs --source: of which register the file is all")
        register = source or ("osm" if file.name.casefold().endswith(OSM_SUFFIXES) else file.stem)
        day = day_of(data_date)
        with progress("读取 reading") as advance:
            read = read_doors(file, source=register, datum=stated_datum(datum), layer=layer, progress=advance)
        with rejects_told_if_refused(file, read.rejected, rejects), saving() as connection:
            saved = save_doors(
                connection,
                read.doors,
                at=SystemClock().now(),
                data_on=day,
                whole_source=register if whole else None,
                still_there={row.reference for row in read.rejected},
            )
            withdrawn = tuple((source_id, "") for source_id in saved.withdrawn)
            check_withdrawal(
                withdrawn, of=Withdrawn.DOORS, register_count=saved.register_count, known_ids=saved.known_ids,
                rejected=read.rejected, confirmed_count=withdraw,
            )  # fmt: skip
        report = ImportReport(
            added_count=saved.added_count,
            changed_count=saved.changed_count,
            unchanged_count=saved.unchanged_count,
            withdrawn=withdrawn,
            ignored_count=0,
            rejected=(*read.rejected, *(_outdated(key.source_id) for key in saved.outdated)),
        )
        if saved.placeless:
            say(f"已收录但未归入场所 taken, and of no venue yet: {len(saved.placeless)}")
        tell_import(file, report, rejects, also=[_placeless(key.source_id) for key in saved.placeless])


def _outdated(source_id: str) -> Rejected:
    reason = "登记册中已有更晚的数据，此行未采用 / the register has later data of this door: the row was not taken"
    return Rejected(line=0, reference=source_id, field="data_date", value="", reason=reason)


def _placeless(source_id: str) -> Rejected:
    reason = (
        "已收录，但不在任何场所的墙上，也未写明场所，或该场所尚未导入"
        " / taken, but in no venue's wall and naming none, or one that was not imported yet"
    )
    return Rejected(line=0, reference=source_id, field="venue_source_id", value="", reason=reason)


def observe(
    venue_id: Annotated[UUID, typer.Argument(help="场所 id / id of the venue")],
    remark: Annotated[str, typer.Option("--remark", help="所见情况 / what was seen")],
    by: By,
    category: Annotated[VenueCategory | None, typer.Option(help="实际类别 / what it is seen to be")] = None,
    as_registered: Annotated[
        bool,
        typer.Option("--as-registered", help="与登记一致 / nothing else than it is registered as"),
    ] = False,
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="查看日期，默认今天 / day of the visit"),
    ] = None,
) -> None:
    """登记现场所见的实际类别，以最近一次为准。What a venue was seen to be on site; the last visit counts.

    例 / examples:

      hulan venue observe 0190f3a2-… --category bar --remark "深夜以酒水为主，设卡座" --by wang

      hulan venue observe 0190f3a2-… --as-registered --remark 已整改 --by wang
    """
    with acting(by) as who:
        if (category is None) != as_registered or len(remark.strip()) < 2:
            raise LookupError(
                "请用 --category 写明类别，或用 --as-registered 表示与登记一致，并在 --remark 写明所见"
                " / give either --category or --as-registered, and a remark"
            )
        observe_venue(
            who.connection,
            venue_id,
            category=category,
            remark=remark.strip(),
            observed_on=None if on is None else on.date(),
            today=SystemClock().now().astimezone(LOCAL_TIME).date(),
        )
    out.print("已登记 noted", markup=False)


def seen_lines(item: Item) -> Iterator[str]:
    """Doors, hours and visits of a venue, for people."""
    if item["inside"]:
        yield f"  位于 inside: {item['inside']['name']}  {item['inside']['venue_id']}"
    for hours in item["opening_hours"]:
        yield f"  营业时间 opening hours: {hours}"
    for door in item["doors"]:
        is_dated = door["valid_from"] or door["valid_to"]
        span = f"  {door['valid_from'] or '…'} – {door['valid_to'] or ''}" if is_dated else ""
        main = " 正门 main" if door["is_main"] else ""
        place = f"{door['longitude']:.6f}, {door['latitude']:.6f}"
        yield f"  门 door {door['kind_zh']} {door['kind']}{main}  {door['source']} {door['source_id']}  {place}{span}"
    for number, visit in enumerate(item["observations"]):
        old = "" if number == 0 else "  旧 former"
        what = f"{visit['category_zh']} {visit['category'] or 'as registered'}"
        yield f"  现场 on site {visit['observed_on']}: {what}  {visit['remark']}  {visit['observed_by']}{old}"
