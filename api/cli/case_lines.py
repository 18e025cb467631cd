"""What the commands on cases show, as lines that an officer reads. Times are of Asia/Shanghai. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from api.casework.decisions import REASON_NAMES_ZH, DecisionReason
from api.casework.names import FOUND_NAMES_ZH, LEAVE_STATE_NAMES_ZH, OUTCOME_NAMES_ZH, TASK_NAMES_ZH
from tracking.local_time import LOCAL_TIME
from tracking.order import MEASURE_NAMES_ZH, ORGAN_NAMES_ZH, Organ

Item = Mapping[str, Any]


def minute(instant: datetime | None) -> str:
    """To the minute, in Asia/Shanghai; an en dash for none."""
    return "–" if instant is None else f"{instant.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M}"


def order_lines(item: Item, *, now: datetime) -> Iterator[str]:
    """One order as it stands."""
    yield f"{item['document_number']}  {item['measure_zh']}  {_standing(item, now)}"
    yield f"  id {item['order_id']}  第 {item['version']} 版 version {item['version']}"
    yield from _order_body(item)


def version_lines(item: Item) -> Iterator[str]:
    """One version of an order."""
    yield f"第 {item['version']} 版 version {item['version']}：{item['document_number']}  {item['measure_zh']}"
    yield f"  适用 governs  {minute(item['governs_from'])} – {minute(item['governs_to'])}"
    yield from _order_body(item)


def _order_body(item: Item) -> Iterator[str]:
    yield f"  期限 term     {minute(item['valid_from'])} – {minute(item['valid_to'])}"
    yield f"  机关 organs   决定 {item['deciding_organ']}；执行 {item['executing_organ']}"
    yield f"  定位依据 basis for locating：{item['location_basis_zh'] or '无 none'}"
    if item["legal_basis"]:
        yield f"  法律依据 law  {'；'.join(item['legal_basis'])}"
    if item["lifted_at"] is not None:
        yield f"  解除 lifted   {minute(item['lifted_at'])}  {item['lifting_document'] or ''}".rstrip()
    if item["not_active_because"] is not None:
        yield f"  未启用 not active：{item['not_active_because']}"
    for condition in item["conditions"]:
        yield f"  - {condition['zh']}"
        yield f"    {condition['en']}"


def _standing(item: Item, now: datetime) -> str:
    if item["lifted_at"] is not None:
        return "已解除 lifted"
    if now >= item["valid_to"]:
        return f"已届满 {(now - item['valid_to']).days} 天，未解除 ended and not lifted"
    if item["not_active_because"] is not None:
        return "未启用 not active"
    if now < item["valid_from"]:
        return "未开始 not begun"
    return f"执行中，还有 {(item['valid_to'] - now).days} 天 in force"


def exemption_lines(item: Item) -> Iterator[str]:
    """Where somebody may be, until when, and who said so."""
    end = "" if item["revoked_at"] is None else f"  已撤销 revoked {minute(item['revoked_at'])}"
    yield f"{item['kind_zh']}  {minute(item['valid_from'])} – {minute(item['valid_to'])}{end}"
    yield f"  id {item['exemption_id']}  批准 by {item['approver']}  理由 reason：{item['reason']}"


def leave_lines(item: Item) -> Iterator[str]:
    """An application, what each organ said and which must still answer."""
    yield (
        f"{LEAVE_STATE_NAMES_ZH[item['state']]} {item['state']}  {minute(item['from_at'])} – {minute(item['to_at'])}"
        f"  {item['destination']}：{item['reason']}"
    )
    yield f"  id {item['leave_id']}  {item['document_number']}  申请 asked by {item['requested_by']}"
    if item["route"] or item["transport"]:
        yield f"  路线 route {item['route'] or '–'}  交通 transport {item['transport'] or '–'}"
    answered = {answer["organ"] for answer in item["answers"]}
    for answer in item["answers"]:
        paper = f"（{answer['document_number']}）" if answer["document_number"] else ""
        said = "同意 agreed" if answer["is_approved"] else "不同意 refused"
        yield (
            f"  {ORGAN_NAMES_ZH[Organ(answer['organ'])]}：{said}{paper}  {answer['by']} {minute(answer['decided_at'])}"
            f"  {answer['remark']}"
        )
    missing = [ORGAN_NAMES_ZH[organ] for organ in item["organs_needed"] if organ not in answered]
    if missing and item["state"] in {"requested", "urgent"}:
        yield f"  还须答复 still to answer：{'、'.join(missing)}"
    if item["is_urgent"] and item["papers_at"] is None:
        yield "  书面材料待补 papers still to come"


def suspected_lines(item: Item) -> Iterator[str]:
    """What the machine suspects, and what an officer said to it."""
    option = "violation" if item["violation_id"] is not None else "finding"
    number = item["violation_id"] or item["finding_id"]
    how_sure = "" if item["probability"] is None else f"  概率 probability {item['probability']:.2f}"
    ended = "" if item["violation_id"] is None else f" – {minute(item['ended_at'])}"
    yield f"{FOUND_NAMES_ZH.get(item['kind'], item['kind'])}  {minute(item['started_at'])}{ended}{how_sure}"
    yield f"  --{option} {number}"
    if item["office_breach"] is not None:
        yield f"  {item['office_breach']['text_zh']}（{item['office_breach']['articles'] or '机关不明'}）"
        yield f"  {item['office_breach']['text_en']}"
    if item["outcome"] is None:
        yield "  疑似，待认定 suspected, not decided"
        return
    remark = f"  {item['remark']}" if item["remark"] else ""
    reason = REASON_NAMES_ZH[DecisionReason(item["reason_code"])]
    who = f"{item['reviewed_by']} {minute(item['reviewed_at'])}"
    yield f"  {OUTCOME_NAMES_ZH[item['outcome']]} {item['outcome']}：{reason}  {who}{remark}"


def departures_lines(item: Item) -> Iterator[str]:
    """How many departures count under one measure, by which article, and on what each rests."""
    count = item["confirmed_count"]
    yield f"{MEASURE_NAMES_ZH[item['measure']]}：已认定 {count} 次 confirmed {count}"
    yield f"  依据 article  {item['article']}"
    for number, basis in enumerate(item["basis"], start=1):
        remark = f"  {basis['remark']}" if basis["remark"] else ""
        yield f"  {number}. {minute(basis['started_at'])} – {minute(basis['ended_at'])}  {basis['document_number']}"
        yield f"     {basis['reason_zh']}  {basis['confirmed_by']} {minute(basis['confirmed_at'])}{remark}"
        yield f"     --violation {basis['violation_id']}"


def task_lines(item: Item, *, now: datetime) -> Iterator[str]:
    """What is to be done, by when."""
    name = TASK_NAMES_ZH.get(item["kind"], item["kind"])
    if item["done_at"] is not None:
        when = f"已办 done {minute(item['done_at'])} {item['done_by']}"
    else:
        days = (item["due_at"].astimezone(LOCAL_TIME).date() - now.astimezone(LOCAL_TIME).date()).days
        when = f"逾期 {-days} 天 overdue" if days < 0 else "今天到期 due today" if days == 0 else f"还有 {days} 天 left"
    yield f"{minute(item['due_at'])}  {when}  {name}  {item['document_number'] or ''}".rstrip()
    if item["reason_zh"]:
        yield f"  {item['reason_zh']} / {item['reason_en']}"
    told = f"  {item['remark']}" if item["remark"] else ""
    if item["reason_zh"]:
        yield f"  {item['reason_zh']} {item['reason_en']}"
    if item["alert_id"] is not None:
        yield f"  警报 alert {item['alert_id']}"
    yield f"  id {item['task_id']}  对象 subject {item['subject_id']}{told}"


def joined(parts: Iterable[Iterable[str]]) -> Iterator[str]:
    """Items, with an empty line between them."""
    for number, lines in enumerate(parts):
        if number:
            yield ""
        yield from lines
