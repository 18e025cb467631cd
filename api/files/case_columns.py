"""The columns of a case table and the words that its cells may hold. Pure."""

from dataclasses import dataclass

from alerts.alert import Block, Role
from alerts.channel import Channel
from tracking.calendar import DAY_KIND_NAMES_ZH
from tracking.order import CONDITION_NAMES_ZH, LOCATION_BASIS_NAMES_ZH, MEASURE_NAMES_ZH, ORGAN_NAMES_ZH
from venues.category import CATEGORY_NAMES_ZH


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseColumn:
    """One column. ``example``: the cell of the template's first row; ``of_order``: else of a condition or recipient."""

    key: str
    zh: str
    meaning: str
    example: str = ""
    of_order: bool = True

    @property
    def header(self) -> str:
        """As the template has it."""
        return f"{self.zh} {self.key}"


def _of_row(key: str, zh: str, meaning: str, example: str = "") -> CaseColumn:
    return CaseColumn(key=key, zh=zh, meaning=meaning, example=example, of_order=False)


CASE_COLUMNS = (
    CaseColumn(key="reference", zh="对象编号", meaning="同一人各行相同 one for each person", example="A-1"),
    CaseColumn(key="alias", zh="化名", meaning="短信中的称呼，非全名 what an SMS may carry", example="小丽"),
    CaseColumn(key="birth_date", zh="出生日期", meaning="date", example="2009-05-14"),
    CaseColumn(key="name", zh="姓名", meaning="加密保存，可空 sealed, optional"),
    CaseColumn(key="id_number", zh="身份证号", meaning="加密保存，可空 sealed, optional"),
    CaseColumn(key="address", zh="住址", meaning="加密保存，可空 sealed, optional"),
    CaseColumn(key="measure", zh="措施", meaning="取保候审、监视居住、附条件不起诉", example="取保候审"),
    CaseColumn(key="document_number", zh="决定书文号", meaning="同一决定书各行相同", example="某检取保〔2026〕1号"),
    CaseColumn(key="deciding_organ", zh="决定机关", meaning="全称 its full name", example="某区人民检察院"),
    CaseColumn(key="executing_organ", zh="执行机关", meaning="全称 its full name", example="某派出所"),
    CaseColumn(key="stage", zh="决定机关类别", meaning="公安机关、人民检察院、人民法院；可空，按名称判断"),
    CaseColumn(key="legal_basis", zh="法律依据", meaning="以分号分隔 separated by ;", example="刑诉法 67"),
    CaseColumn(
        key="location_basis", zh="定位依据", example="决定书列明",
        meaning="决定书列明、书面同意、刑诉法 78；空则规则不启用 without it nothing is tracked",
    ),
    CaseColumn(key="consent_signed_at", zh="同意日期", meaning="定位依据为书面同意时必填"),
    CaseColumn(key="consent_document", zh="同意书", meaning="定位依据为书面同意时必填"),
    CaseColumn(key="consent_by", zh="同意人", meaning="本人、监护人、本人和监护人"),
    CaseColumn(key="valid_from", zh="起", meaning="日期或时刻（北京时间）date or instant", example="2026-03-01"),
    CaseColumn(key="valid_to", zh="止", meaning="日期含当日 a date is the last day", example="2026-08-31"),
    CaseColumn(key="review_at", zh="复查日期", meaning="可空 optional"),
    _of_row("condition", "条件", "一行一个条件 one in a row", "不得进入特定场所"),
    _of_row("categories", "场所类别", "以分号分隔 separated by ;", "酒吧;网吧"),
    _of_row("longitude", "经度", "圆心，度 centre of a circle, degrees"),
    _of_row("latitude", "纬度", "圆心，度 degrees"),
    _of_row("radius_m", "半径米", "圆的半径 of the circle"),
    _of_row("datum", "坐标系", "有经纬度时必填：WGS84、GCJ02（高德、腾讯）、BD09（百度）、CGCS2000"),
    _of_row("zone_source", "区域来源", "已导入的区域，如 boundary:china_county"),
    _of_row("zone", "区域编号", "在该来源中的编号 its id there"),
    _of_row("label", "区域名称", "可空 optional"),
    _of_row("tolerance_m", "边界误差米", "边界不精确时，越过多少米以内不算 so far beyond the boundary does not count"),
    _of_row("hours", "时段", "[星期 1–7] 起-止 [日类别]，以分号分隔，如 22:00-06:00 或 12345 08:00-09:00 工作日"),
    _of_row("region", "校历地区", "行政区划代码 adcode"),
    _of_row("parameters", "参数", "如 per_week=3 answer_minutes=15"),
    _of_row("reason_code", "事由代码", "可空，本单位自定 optional, the office's own"),
    _of_row("is_protected", "受保护区域", "是/否；是：不告知被监管人及监护人 yes: told to no subject and no guardian"),
    _of_row("recipient_role", "通知对象", "监护人、检察官、民警；未成年人须有监护人 a minor needs one", "监护人"),
    _of_row("recipient_name", "通知对象姓名", "加密保存 sealed", "父亲"),
    _of_row("recipient_phone", "通知对象手机", "11 位，加密保存 11 digits, sealed", "13800000101"),
    _of_row("recipient_language", "通知语言", "中文、英文；空为中文 Chinese if empty"),
    _of_row("recipient_channels", "通知渠道", "短信、邮件、网络回调、人工电话，按先后，以分号分隔；空为短信"),
    _of_row("recipient_email", "通知对象邮箱", "渠道有邮件时必填，加密保存 sealed"),
    _of_row("recipient_unit", "通知对象单位", "办案人员所属机关，与决定书一致；家属留空 of officers only"),
    _of_row("recipient_blocked_for", "不通知", "涉嫌侵害或同案、曾经侵害、其他；否：恢复通知；空：不变 as it was"),
)  # fmt: skip
"""In the order of the template. A person's further conditions and recipients follow in rows that need only the
reference, the document number and their own columns."""

NOT_BLOCKED = "no"

DATES = frozenset({"birth_date", "valid_from", "valid_to", "review_at", "consent_signed_at"})

REJECT_COLUMNS = (
    "拒收行 rejected_line", "拒收字段 rejected_field", "拒收值 rejected_value", "拒收原因 rejected_reason",
)  # fmt: skip
"""Before the columns of a reject file; not read when it comes in again."""

WORDS: dict[str, dict[str, str]] = {
    "measure": {zh: kind.value for kind, zh in MEASURE_NAMES_ZH.items()},
    "stage": {zh: organ.value for organ, zh in ORGAN_NAMES_ZH.items()},
    "location_basis": {
        "决定书列明": "order_item", "书面同意": "consent", "刑诉法 78": "statute_78", "刑诉法78": "statute_78",
        **{zh: basis.value for basis, zh in LOCATION_BASIS_NAMES_ZH.items()},
    },
    "condition": {zh: kind.value for kind, zh in CONDITION_NAMES_ZH.items()},
    "categories": {zh: category.value for category, zh in CATEGORY_NAMES_ZH.items()},
    "recipient_role": {"监护人": Role.GUARDIAN.value, "检察官": Role.PROSECUTOR.value, "民警": Role.POLICE.value},
    "is_protected": {"是": "true", "否": "false", "yes": "true", "no": "false"},
    "recipient_language": {"中文": "zh", "英文": "en", "汉语": "zh", "英语": "en"},
    "recipient_channels": {
        "短信": Channel.SMS.value, "邮件": Channel.EMAIL.value, "网络回调": Channel.WEBHOOK.value,
        "人工电话": Channel.VOICE_TASK.value,
    },
    "recipient_blocked_for": {
        "涉嫌侵害或同案": Block.SUSPECT.value, "涉嫌侵害": Block.SUSPECT.value, "同案": Block.SUSPECT.value,
        "曾经侵害": Block.ABUSER.value, "其他": Block.OTHER.value, "否": NOT_BLOCKED,
    },
    "day_kinds": {zh: kind.value for kind, zh in DAY_KIND_NAMES_ZH.items()},
}  # fmt: skip
"""Column → what people write → what is stored. What is stored may be written too."""

_BY_NAME = {name.casefold(): item.key for item in CASE_COLUMNS for name in (item.key, item.zh, item.header)}


def column_key(header: str) -> str | None:
    """The key of a column by its header: the key, the Chinese name, or both as in the template."""
    return _BY_NAME.get(header.strip().casefold())


def header_of(key: str) -> str:
    """The header of a column as the template has it; of what is no column, itself."""
    return next((item.header for item in CASE_COLUMNS if item.key == key), key)


def column_for(field: str) -> str:
    """The column that fills a field of a case file, named as faults name it (``conditions.0.timetable.windows``)."""
    parts = [part for part in field.split(".") if not part.isdigit()]
    whole = {"conditions": "condition", "recipients": "recipient_role", "consent": "consent_signed_at"}
    match parts:
        case ["conditions", name, *_]:
            return _OF_CONDITION.get(name, name)
        case ["recipients", "is_blocked", *_]:
            return "recipient_blocked_for"
        case ["recipients", name, *_]:
            return f"recipient_{name}"
        case ["consent", name, *_]:
            return f"consent_{name}"
    return whole.get(parts[0], parts[0]) if parts else ""


_OF_CONDITION = {
    "kind": "condition", "timetable": "hours", "geometry": "longitude", "other_reference": "parameters",
}  # fmt: skip


def wanted_words(key: str, reason: str) -> str:
    """A refusal of a word, with the words of the table in place of those that are stored."""
    if not reason.startswith("无法识别，应为下列之一") or key not in WORDS:
        return reason
    return f"无法识别，应为下列之一：{'、'.join(dict.fromkeys(WORDS[key]))} / unknown: write one of these"
