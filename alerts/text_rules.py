"""The rules of the linter: where each comes from, and what to do about a fault."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What can be wrong with a wording or a text."""

    LENGTH = "length"
    BRACKET = "bracket"
    SYMBOL = "symbol"
    TRADITIONAL = "traditional"
    LINK = "link"
    PHONE = "phone"
    DIGITS = "digits"
    VENUE = "venue"
    OFFENCE = "offence"
    ORGAN = "organ"
    SCHOOL = "school"
    PERSON = "person"
    PROVIDER = "provider"
    KNOWN = "known"
    FULL_NAME = "full_name"
    VALUE_LENGTH = "value_length"
    VALUE_FORM = "value_form"
    VARIABLE_UNKNOWN = "variable_unknown"
    VARIABLE_TWICE = "variable_twice"
    VARIABLE_ADJACENT = "variable_adjacent"
    VARIABLE_FORM = "variable_form"
    VARIABLE_ONLY = "variable_only"
    VARIABLE_LOST = "variable_lost"
    TIME_MISSING = "time_missing"
    TIME = "time"
    HEDGE_MISSING = "hedge_missing"
    HEDGE_LEFT = "hedge_left"
    CONDUCT = "conduct"
    SIGNATURE = "signature"
    LANGUAGE = "language"
    TEMPLATE = "template"
    REVIEW = "review"
    VERSION = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """``source``: the law, page or decision; ``zh`` and ``en``: the remedy."""

    source: str
    zh: str
    en: str


_LIMITS = "服务商模板规范 rules of providers（domain.md 3.5）"
_SECRECY = "未成年人保护法 103；design.md 5.11"

RULES: dict[Rule, RuleText] = {
    Rule.LENGTH: RuleText(
        source=_LIMITS,
        zh="含签名过长：中文至多 70 字，英文至多 134 字符；请缩短措辞",
        en="too long with its signature: 70 characters in Chinese, 134 in English; shorten it",
    ),
    Rule.BRACKET: RuleText(
        source=_LIMITS,
        zh="括号 【】[] 只用于签名，请删去",
        en="brackets are the signature's; remove them",
    ),
    Rule.SYMBOL: RuleText(
        source=_LIMITS,
        zh="只可用汉字、字母、数字和常用标点；请删去特殊、全角、隐形字符或外文字母",
        en="only ideographs, plain letters, digits and common punctuation; remove it",
    ),
    Rule.TRADITIONAL: RuleText(source=_LIMITS, zh="服务商不收繁体字，请用简体", en="use the simplified character"),
    Rule.LINK: RuleText(
        source=f"{_LIMITS}；{_SECRECY}",
        zh="短信不带链接和其他联系渠道；反馈页地址印在告知书上，短信只带反馈码",
        en="no links nor other channels: the page's address is on the paper notice, the text has the code only",
    ),
    Rule.PHONE: RuleText(
        source=_LIMITS,
        zh="不得有电话号码或形似电话号码的数字，请删去",
        en="no telephone numbers, nor what looks like one; remove it",
    ),
    Rule.DIGITS: RuleText(source=_LIMITS, zh="固定文字中不得有长串数字", en="no long runs of digits in a wording"),
    Rule.VENUE: RuleText(
        source=_SECRECY,
        zh="不得写明场所，请用“禁入区域”",
        en="a venue is never named; say exclusion zone",
    ),
    Rule.OFFENCE: RuleText(
        source=_SECRECY,
        zh="不得提及案由、处罚或强制措施，请删去",
        en="offences, penalties and measures are never named; remove it",
    ),
    Rule.ORGAN: RuleText(
        source=_SECRECY,
        zh="正文不写办案机关，签名已经说明来自何处",
        en="the organ is not named in the text; the signature says who sends it",
    ),
    Rule.SCHOOL: RuleText(source=_SECRECY, zh="不得提及学校、班级", en="schools and classes are never named"),
    Rule.PERSON: RuleText(
        source="domain.md 4.23",
        zh="不得提及被害人、证人、同案人员",
        en="victims, witnesses and accomplices are never named",
    ),
    Rule.PROVIDER: RuleText(
        source=_LIMITS,
        zh="服务商禁词，会被驳回或拦截，请换说法",
        en="refused by providers, would be blocked; word it otherwise",
    ),
    Rule.KNOWN: RuleText(
        source=_SECRECY,
        zh="含有卷宗中的姓名、学校等信息，请改用化名",
        en="holds what the file keeps secret (full name, school); use an alias",
    ),
    Rule.FULL_NAME: RuleText(
        source=_SECRECY,
        zh="像是全名；请用化名（小丽）或姓加某（王某）",
        en="looks like a full name; use an alias (Lily) or a surname with 某",
    ),
    Rule.VALUE_LENGTH: RuleText(
        source=_LIMITS,
        zh="变量为空或过长；姓名中文至多 6 字，英文至多 10 字符",
        en="empty or too long; a name has at most 6 characters in Chinese, 10 in English",
    ),
    Rule.VALUE_FORM: RuleText(
        source="hulan texts show",
        zh="编号、反馈码只用大写字母和数字，4 至 8 位",
        en="references and codes are 4 to 8 capital letters and digits",
    ),
    Rule.VARIABLE_UNKNOWN: RuleText(
        source="hulan texts show",
        zh="没有这个变量；可用 {name} {time} {reference} {code} {minutes}",
        en="no such variable; there are {name} {time} {reference} {code} {minutes}",
    ),
    Rule.VARIABLE_TWICE: RuleText(source=_LIMITS, zh="同一变量只能用一次", en="a variable is used once only"),
    Rule.VARIABLE_ADJACENT: RuleText(
        source=_LIMITS, zh="两个变量之间要有文字", en="there must be words between two variables"
    ),
    Rule.VARIABLE_FORM: RuleText(
        source="hulan texts show",
        zh="变量写作 {name}，不带 $，括号成对",
        en="a variable is written {name}, without $, with both braces",
    ),
    Rule.VARIABLE_ONLY: RuleText(
        source=_LIMITS,
        zh="除变量外的文字要能说明用途",
        en="the words beside the variables must say what the message is for",
    ),
    Rule.VARIABLE_LOST: RuleText(
        source="hulan texts show",
        zh="变量须与原模板相同",
        en="a wording of an office has the variables of the one it replaces",
    ),
    Rule.TIME_MISSING: RuleText(
        source="domain.md 4.7", zh="要说明事件时间：加上 {time}", en="say when it happened: add {time}"
    ),
    Rule.TIME: RuleText(
        source="domain.md 4.11",
        zh="事件与现在相差超过 180 天，不发短信",
        en="the event is more than 180 days away: nothing is sent about it",
    ),
    Rule.HEDGE_MISSING: RuleText(
        source="刑事诉讼规则 101、111；design.md 5.9",
        zh="未经核实的须写“疑似”",
        en="what no officer has confirmed says may",
    ),
    Rule.HEDGE_LEFT: RuleText(
        source="刑事诉讼规则 101、111；design.md 5.9",
        zh="已核实的和设备记录不写“疑似”“可能”",
        en="what is confirmed or recorded does not say may",
    ),
    Rule.CONDUCT: RuleText(
        source="刑事诉讼规则 101、111；design.md 5.9",
        zh="设备、打卡的记录不评价行为，只写收到或未收到什么",
        en="a record of a device says what was received, not what somebody did",
    ),
    Rule.SIGNATURE: RuleText(
        source=_LIMITS,
        zh="签名写作【…】，括号内 2 至 15 字",
        en="a signature is written 【…】, 2 to 15 characters inside",
    ),
    Rule.LANGUAGE: RuleText(source="hulan texts show", zh="语言只有 zh 和 en", en="the languages are zh and en"),
    Rule.TEMPLATE: RuleText(
        source="hulan texts show",
        zh="没有这个模板；hulan texts show 列出全部",
        en="no such template; hulan texts show lists them",
    ),
    Rule.REVIEW: RuleText(
        source="domain.md 4.7",
        zh="自定措辞须写明审核人 reviewed_by 和审核日期 reviewed_at",
        en="a wording of an office names who reviewed it, reviewed_by, and when, reviewed_at",
    ),
    Rule.VERSION: RuleText(
        source="hulan texts show",
        zh="自定措辞要有自己的版本号 version",
        en="a wording of an office has a version of its own",
    ),
}
