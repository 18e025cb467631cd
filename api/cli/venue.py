"""The register of venues: files in, records resolved, questions answered, decisions undone."""

import getpass
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import typer

from api.cli.acting import AsJson, By, DivisionOption, acting, show
from api.cli.case_lines import Item
from api.cli.load import (
    DataDateOption,
    DatumOption,
    File,
    LayerOption,
    RejectsOption,
    ValidFromOption,
    WholeOption,
    WithdrawOption,
    day_of,
    local,
    rejects_told_if_refused,
    stated_datum,
    tell_import,
)
from api.cli.prepared import prepared_settings, saving
from api.cli.problems import PROBLEMS
from api.cli.screen import bar_of, out, plain_errors, progress, say
from api.cli.venue_seen import observe, seen_lines
from api.clock import SystemClock
from api.errors import BoundaryMissingError
from api.files.mappings import load_mapping
from api.files.source_records import read_source_records
from api.importing import import_entries
from api.personal.blind_index import venue_phone_index
from api.personal.opening import open_checked_keyring
from api.register import resolve as resolve_register
from api.session import open_database
from api.venue_desk import confirm_review, merge_venues, refuse_review, split_venue, undo_link
from api.venue_details import registers_shown
from api.venue_listing import (
    VenueFilter,
    open_reviews,
    records_of_venue,
    venue_of_register,
    venues_of_register,
)
from tracking.local_time import LOCAL_TIME
from venues.category import VenueCategory
from venues.register import entries_of_records
from venues.row_id import further_count
from venues.source_record import SOURCE_KIND_NAMES_ZH, SourceKind

venue = typer.Typer(help="场所登记册。The register of venues.", no_args_is_help=True)
review = typer.Typer(help="待判断是否同一场所。Pairs for a person to judge.", no_args_is_help=True)
venue.add_typer(review, name="review")

VenueId = Annotated[UUID, typer.Argument(help="场所 id / id of the venue")]
ReviewId = Annotated[UUID, typer.Argument(help="问题 id（见 hulan venue review list）/ id of the question")]
Reason = Annotated[str, typer.Option("--reason", help="理由 / why")]


@venue.command("import")
def import_file(
    file: File,
    kind: Annotated[SourceKind, typer.Option(help="登记种类 / kind of register")],
    source: Annotated[str, typer.Option(help="登记名称，同名登记按编号更新 / name of the register")],
    mapping: Annotated[
        str | None, typer.Option(help="类别映射：hulan、osm、amap 或 TOML 文件；不填则不映射 / mapping of categories")
    ] = None,
    datum: DatumOption = None,
    layer: LayerOption = None,
    valid_from: ValidFromOption = None,
    whole: WholeOption = False,
    withdraw: WithdrawOption = 0,
    data_date: DataDateOption = None,
    rejects: RejectsOption = None,
) -> None:
    """导入登记：CSV、Excel、GeoJSON、GeoPackage、OSM；原始记录永不更改。Import a register; records never change.

    可选列：营业时间（Mo-Su 18:00-02:00 或 每天18:00至次日02:00）；所在场所编号（酒店内的酒吧、KTV、洗浴填酒店的编号，
    另一登记的再填 所在场所来源），其区域即酒店的轮廓。
    Optional columns: opening_hours; host_id (and host_source): the hotel that a bar is in, whose outline is its zone.

    例 / example:  hulan venue import 工商.xlsx --kind business_registration --source 徐州市监 --mapping hulan
    """
    with plain_errors(*PROBLEMS):
        settings, day = prepared_settings(), day_of(data_date)
        with progress("读取 reading") as advance:
            read = read_source_records(
                file,
                kind=kind,
                source=source,
                mapping=None if mapping is None else load_mapping(mapping),
                datum=stated_datum(datum),
                layer=layer,
                progress=advance,
            )
        with rejects_told_if_refused(file, [*read.rejected, *read.set_aside], rejects), saving() as connection:
            report = import_entries(
                connection,
                entries_of_records(read.records),
                rejected=read.rejected,
                ignored_count=len(read.ignored_ids),
                ignored_ids=read.ignored_ids,
                by=f"cli:{SOURCE_KIND_NAMES_ZH[kind]}",
                at=SystemClock().now(),
                valid_from=local(valid_from),
                whole_source=source if whole else None,
                withdraw=withdraw,
                index_phone=partial(venue_phone_index, open_checked_keyring(settings, connection.engine).index_key),
                data_on=day,
            )
        if further := further_count(record.key for record in read.records):
            say(f"一行多类，每类各有一条记录与区域 kinds of venue beside a row's first, each a record: {further}")
        if read.set_aside:
            say(f"已收录但有内容无法识别 taken without a number, day or hours that cannot be: {len(read.set_aside)}")
        if doubtful := {row.line for row in read.doubted}:
            say(f"已收录，编号存疑请核对 taken, with a number to compare with the paper: {len(doubtful)}")
        tell_import(file, report, rejects, also=[*read.set_aside, *read.doubted])


@venue.command("resolve")
def resolve(
    no_doubles: Annotated[
        list[str] | None,
        typer.Option("--no-doubles", help="此登记内同一场所只有一条 / a register that has no place twice"),
    ] = None,
    doubles: Annotated[
        list[str] | None,
        typer.Option("--doubles", help="撤回前项：此登记内同一场所可有多条 / a register that may have a place twice"),
    ] = None,
) -> None:
    """判断哪些记录是同一场所：确定的合并，存疑的列出待判断。Which records are one venue: merge, or ask.

    登记内有无重复，说一次即可，以后每次照此（hulan venue registers 可查）。
    What is said of a register holds for all times to come: see hulan venue registers.

    例 / example:  hulan venue resolve --no-doubles 高德2026
    """
    with plain_errors(*PROBLEMS), open_database(prepared_settings(), say=say) as engine:
        with bar_of("比对 comparing") as (begin, advance):
            done = resolve_register(
                engine,
                at=SystemClock().now(),
                no_doubles=no_doubles or (),
                doubles=doubles or (),
                by=f"cli:{getpass.getuser()}",
                progress=_parts(begin, advance),
            )
        lines = [
            ("记录 records", done.record_count), ("场所 venues", done.venue_count), ("合并 merged", done.merged_count),
            ("待判断 asked", done.asked_count), ("先后经营 one after the other", done.succession_count),
        ]  # fmt: skip
        out.print("  ".join(f"{label}: {count}" for label, count in lines), markup=False)
        for inside in done.placeless:
            out.print(
                f"没有位置，不受监管 no place, not watched: {inside.key.source} {inside.key.source_id} {inside.name}",
                markup=False,
            )


@venue.command("registers")
def registers(as_json: AsJson = False) -> None:
    """已导入的登记：多少条、截至何时、有无重复。The registers that were imported: size, age, whether with doubles.

    例 / example:  hulan venue registers
    """
    with plain_errors(*PROBLEMS), open_database(prepared_settings(), say=say) as engine, engine.connect() as connection:
        found = registers_shown(connection)
    show(found, register_lines, none="尚未导入登记 no register was imported", as_json=as_json)


def _parts(begin: Any, advance: Any) -> Any:
    def told(done: int, parts: int) -> None:
        if done == 1:
            begin(parts)
        advance(1)

    return told


@venue.command("list")
def list_venues(
    by: By,
    name: Annotated[str, typer.Option(help="名称包含 / part of the name")] = "",
    category: Annotated[VenueCategory | None, typer.Option(help="类别 / category")] = None,
    after: Annotated[UUID | None, typer.Option(help="从此 id 之后 / after this id")] = None,
    as_json: AsJson = False,
) -> None:
    """场所，每次 200 处。Venues, 200 at a time.

    例 / example:  hulan venue list --category ktv --by wang
    """
    with acting(by) as who:
        found = venues_of_register(who.connection, VenueFilter(name=name, category=category, after=after))
    show(found, venue_lines, none="没有场所 no venues", as_json=as_json)


@venue.command("show")
def show_venue(venue_id: VenueId, by: By, as_json: AsJson = False) -> None:
    """一处场所：各登记的记录、同址先后经营者、合并与拆分。One venue: its records, who was there, decisions.

    例 / example:  hulan venue show 0190f3a2-… --by wang
    """
    with acting(by) as who:
        found = venue_of_register(who.connection, venue_id)
        found["records"] = records_of_venue(who.connection, venue_id)
    show([found], whole_venue_lines, none="", as_json=as_json)


@review.command("list")
def list_reviews(
    by: By,
    division: DivisionOption = None,
    after: Annotated[UUID | None, typer.Option(help="从此问题之后 / after this question")] = None,
    as_json: AsJson = False,
) -> None:
    """待判断的记录对，附各项依据，每次 200 对。Pairs to judge, with what each field said, 200 at a time.

    例 / example:  hulan venue review list --division 320300 --by wang
    """
    with acting(by) as who:
        try:
            found = open_reviews(who.connection, after=after, division=division)
        except BoundaryMissingError as error:
            raise LookupError(str(error)) from None
    show(found, review_lines, none="没有待判断的 nothing to judge", as_json=as_json)


@venue.command("confirm")
def confirm(review_id: ReviewId, by: By) -> None:
    """是同一场所：合并。They are one venue.

    例 / example:  hulan venue confirm 0190f3a2-… --by wang
    """
    with acting(by) as who:
        merge_id = confirm_review(who.connection, review_id, by=who.account_id)
    out.print(f"已合并 merged  撤销 undo: hulan venue undo {merge_id} --by {by}", markup=False, soft_wrap=True)


@venue.command("refuse")
def refuse(review_id: ReviewId, by: By, reason: Reason = "") -> None:
    """不是同一场所：不再询问。They are two venues, and are not asked about again.

    例 / example:  hulan venue refuse 0190f3a2-… --reason 楼上楼下两家 --by wang
    """
    with acting(by) as who:
        refuse_review(who.connection, review_id, by=who.account_id, reason=reason)
    out.print("已记为两处 two venues", markup=False)


@venue.command("merge")
def merge(
    venue_id: VenueId, other_id: Annotated[UUID, typer.Argument(help="另一场所 id / id of the other venue")], by: By,
    reason: Reason,
) -> None:  # fmt: skip
    """两处其实是同一场所，机器未曾询问：合并。Two venues are one, though the machine did not ask.

    例 / example:  hulan venue merge 0190f3a2-… 0190f3a7-… --reason 现场核实为同一家 --by wang
    """
    with acting(by) as who:
        merge_id = merge_venues(who.connection, venue_id, other_id, by=who.account_id, reason=reason)
    out.print(f"已合并 merged  撤销 undo: hulan venue undo {merge_id} --by {by}", markup=False, soft_wrap=True)


@venue.command("split")
def split(
    venue_id: VenueId, merge_id: Annotated[UUID, typer.Argument(help="合并 id / id of the merge")], by: By,
    reason: Reason,
) -> None:  # fmt: skip
    """合并有误：拆开，且不再自动合并。A merge was wrong: undone, and not made again.

    例 / example:  hulan venue split 0190f3a2-… 0190f3b1-… --reason 两家店 --by wang
    """
    with acting(by) as who:
        apart = split_venue(who.connection, venue_id, merge_id=merge_id, by=who.account_id, reason=reason)
    out.print(f"已拆分 split: {apart}", markup=False)


@venue.command("undo")
def undo(link_id: Annotated[UUID, typer.Argument(help="合并或拆分 id / id of a merge or split")], by: By) -> None:
    """撤销一次合并或拆分；机器的合并撤销后不再自动合并。Take a merge or a split back; the machine's is not made again.

    例 / example:  hulan venue undo 0190f3b1-… --by wang
    """
    with acting(by) as who:
        is_held = undo_link(who.connection, link_id, by=who.account_id)
    told = "，机器不再合并 undone, and the machine does not merge them again" if is_held else " undone"
    out.print(f"已撤销{told}", markup=False, soft_wrap=True)


venue.command("observe")(observe)


def register_lines(item: Item) -> Iterator[str]:
    """A register in two lines."""
    gone = f"  撤回 withdrawn: {item['withdrawn_count']:,}" if item["withdrawn_count"] else ""
    yield f"{item['source']}  {'、'.join(item['kinds'])}  {item['record_count']:,} 条 records{gone}"
    days = sorted({str(day) for day in (item["oldest_on"], item["newest_on"]) if day is not None})
    as_of = f"截至 as of {' – '.join(days)}" if days else "截至日不详 as of a day not told"
    changed = item["changed_at"].astimezone(LOCAL_TIME)
    doubles = "无重复 no place twice" if item["has_no_doubles"] else "可有重复 may have a place twice"
    said = f"（{item['said_by']}）" if item["said_by"] else ""
    yield f"  {as_of}  最后变更 last changed {changed:%Y-%m-%d %H:%M}  {doubles}{said}"


def venue_lines(item: Item) -> Iterator[str]:
    """A venue in three lines."""
    names = "、".join(item["categories"].values()) or "类别不明 no category"
    yield f"{item['name'] or '无名 no name'}  {names}  {item['venue_id']}"
    yield f"  {item['address'] or '地址不明 no address'}"
    state = ["已撤回 withdrawn"] if item["is_withdrawn"] else []
    state += [f"已注销/吊销 ended on {item['ended_on']}"] if item["ended_on"] else []
    state += ["有区域 has a zone"] if item["is_watched"] else ["无区域 no zone"]
    yield f"  {item['record_count']} 条登记 registers  {'  '.join(state)}"


def whole_venue_lines(item: Item) -> Iterator[str]:
    """A venue with all that is known of it."""
    yield from venue_lines(item)
    for label, key in (
        ("登记类别 registered as", "registered_categories"),
        ("实际类别 seen as", "observed_categories"),
    ):
        if item[key]:
            yield f"  {label}: {'、'.join(item[key].values())}"
    yield from seen_lines(item)
    for field, values in item["licences"].items():
        if values:
            yield f"  {field}: {', '.join(values)}"
    for record in item["records"]:
        old = "" if record["is_current"] else "  旧 former"
        as_of = f"  截至 as of {record['data_on']}" if record["data_on"] else ""
        over = f"  已注销/吊销 ended on {record['ended_on']}" if record["ended_on"] else ""
        named = f"{record['kind_zh']} {record['source']} {record['source_id']}: {record['content']['name']}"
        yield f"  {named}{as_of}{over}{old}"
    for period in item["operators"]:
        until = f"{period['ended'] or '今 now'}{'（推定 assumed）' if period['is_end_assumed'] else ''}"
        yield f"  同址 at this address {period['began'] or '…'} – {until}: {period['name']}"
    for link in item["history"]:
        stands = "" if link["kind"] != "merge" or link["stands"] else "  已拆 split"
        at = link["at"].astimezone(LOCAL_TIME)
        what = f"{_KIND_NAMES[link['kind']]} {link['link_id']}"
        why = f"  理由 why: {link['reason']}" if link["reason"] else ""
        yield f"  {at:%Y-%m-%d %H:%M} {what}  {link['decided_by']}{stands}{why}"


def review_lines(item: Item) -> Iterator[str]:
    """A question with its two records and what each field adds."""
    yield f"{item['probability']:.3f}  {' '.join(item['doubt_texts'])}  {item['review_id']}"
    for side in ("left", "right"):
        record = item[side]
        yield f"  {record['kind_zh']} {record['source']} {record['source_id']}: {record['name']}  {record['address']}"
    yield f"    {item['prior_bits']:+7.2f}  起点 / before any field"
    for weight in item["weights"]:
        if weight["bits"]:
            yield f"    {weight['bits']:+7.2f}  {weight['zh']} / {weight['en']}"


_KIND_NAMES = {"merge": "合并 merged", "split": "拆分 split", "confirm": "确认 confirmed", "refuse": "否定 refused"}
