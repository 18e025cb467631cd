"""Why somebody is told and somebody else is not, and why a step is taken or left out: every wording, zh and en."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason as an officer, a court or the person reads it. ``code`` is what statistics count."""

    code: str
    zh: str
    en: str


class Because(StrEnum):
    """The reasons there are."""

    # Why this person.
    FIRST_GUARDIAN = "first_guardian"
    NEXT_GUARDIAN = "next_guardian"
    GUARANTOR_OF_ORDER = "guarantor_of_order"
    EXECUTES_MEASURE = "executes_measure"
    SUPERVISES_MEASURE = "supervises_measure"
    SUPERVISES_CONDITIONS = "supervises_conditions"
    HELPS_SUPERVISION = "helps_supervision"
    PROTECTS_CHILD = "protects_child"
    CORRECTS_OFFICE = "corrects_office"
    ON_DUTY = "on_duty"
    SUBSTITUTE_ON_DUTY = "substitute_on_duty"
    LEADER_FOR_GAP = "leader_for_gap"
    LEADER_OF_UNIT = "leader_of_unit"
    # Why not that one.
    BLOCKED = "blocked"
    SUBJECT_IS_ADULT = "subject_is_adult"
    NO_GUARANTOR_ORDERED = "no_guarantor_ordered"
    FAMILY_MAY_NOT_HEAR = "family_may_not_hear"
    PROTECTED_PLACE = "protected_place"
    OTHER_UNIT = "other_unit"
    PROSECUTOR_ONLY = "prosecutor_only"
    NOT_BY_SUBJECT = "not_by_subject"
    AFTER_FIRST = "after_first"
    QUEUE_ONLY = "queue_only"
    CAME_OF_AGE = "came_of_age"
    TOLD_ALREADY = "told_already"
    TOO_OLD = "too_old"
    # Nobody.
    ROSTER_GAP = "roster_gap"
    NO_UNIT = "no_unit"
    NO_OFFICER = "no_officer"
    NO_FAMILY = "no_family"
    NOBODY_LEFT = "nobody_left"
    # What the family answered.
    ANSWER_PASSED_ON = "answer_passed_on"
    ANSWER_REPEATED = "answer_repeated"
    # What happens to an alert.
    NEW_EVENT = "new_event"
    LATE_ONLY = "late_only"
    SAME_EVENT = "same_event"
    COOLING_DOWN = "cooling_down"
    EVENT_OVER = "event_over"
    HAPPENED_BEFORE_CLOSING = "happened_before_closing"
    STILL_GOING_ON = "still_going_on"
    NOW_LIVE = "now_live"
    # Steps.
    NOT_ACKNOWLEDGED = "not_acknowledged"
    STEP_MISSED = "step_missed"
    CALL_BY_TELEPHONE = "call_by_telephone"
    NOT_DELIVERED = "not_delivered"
    TEXT_WITHHELD = "text_withheld"
    WRONG_PERSON = "wrong_person"
    REPEATED = "repeated"
    OUR_FAULT = "our_fault"
    ANSWER_UNCLEAR = "answer_unclear"


WORDS: Mapping[Because, tuple[str, str]] = {
    Because.FIRST_GUARDIAN: (
        "未成年人的第一顺位监护人（刑诉法 283：应当管教并配合监督考察）",
        "the minor's first guardian (刑诉法 283: must discipline and cooperate)",
    ),
    Because.NEXT_GUARDIAN: ("未成年人的下一顺位监护人", "the minor's next guardian"),
    Because.GUARANTOR_OF_ORDER: (
        "决定书列明的保证人（刑诉法 70：应当监督并及时报告）",
        "the guarantor named by the order (刑诉法 70: must supervise and report)",
    ),
    Because.EXECUTES_MEASURE: (
        "取保候审、监视居住由公安机关执行（刑诉法 67、74）",
        "bail and residential surveillance are executed by the police (刑诉法 67, 74)",
    ),
    Because.SUPERVISES_MEASURE: (
        "检察机关对强制措施的执行进行监督",
        "the procuratorate supervises how the measure is executed",
    ),
    Because.SUPERVISES_CONDITIONS: (
        "附条件不起诉由检察机关监督考察（刑诉法 283）",
        "conditional non-prosecution is supervised by the procuratorate itself (刑诉法 283)",
    ),
    Because.HELPS_SUPERVISION: (
        "协助监督考察的公安机关",
        "the police, who help with the supervision",
    ),
    Because.PROTECTS_CHILD: (
        "疑似侵害未成年人，由公安机关先行处置（未保法 11、57）",
        "suspected harm to a child: the police act first (未保法 11, 57)",
    ),
    Because.CORRECTS_OFFICE: (
        "期满不解除属违法情形，由检察机关纠正（检察规则 567）",
        "not lifting in time is a breach that prosecutors correct (检察规则 567)",
    ),
    Because.ON_DUTY: ("{unit}当班值守", "on duty for {unit}"),
    Because.SUBSTITUTE_ON_DUTY: ("{unit}当班人员缺勤，由替班人值守", "on duty for {unit}, in place of somebody away"),
    Because.LEADER_FOR_GAP: ("{unit}无人值班，转负责人", "nobody is on duty for {unit}: its leader"),
    Because.LEADER_OF_UNIT: ("{unit}负责人：前述各步均无人确认", "leader of {unit}: nobody acknowledged before"),
    Because.BLOCKED: ("已列为不得通知的人", "may not be told: blocked on record"),
    Because.SUBJECT_IS_ADULT: (
        "本人已满 18 周岁，监护人通知已停止（民法典 17、18）",
        "the subject is of age: guardians are told no more (民法典 17, 18)",
    ),
    Because.NO_GUARANTOR_ORDERED: ("决定书未列明保证人", "the order names no guarantor"),
    Because.FAMILY_MAY_NOT_HEAR: ("不告知家属：{basis}", "not for the family: {basis_en}"),
    Because.PROTECTED_PLACE: (
        "涉及受保护人员的场所，仅告知办案人员（刑诉法 71）",
        "about a protected person's place: officers only (刑诉法 71)",
    ),
    Because.OTHER_UNIT: ("所属单位不管辖本案", "of a unit that is not in charge of the case"),
    Because.PROSECUTOR_ONLY: (
        "接近受限制人员的情形只告知本案检察官",
        "that two people met is told to the prosecutors of the case only",
    ),
    Because.NOT_BY_SUBJECT: ("按值班表通知，不按个案", "told by the roster and not by the case"),
    Because.AFTER_FIRST: ("顺位在后：无人确认时通知", "next in order: told if nobody acknowledges"),
    Because.QUEUE_ONLY: ("此类事项只列入待办，不发消息", "stands in the queue only: no message for this kind of event"),
    Because.CAME_OF_AGE: (
        "本人在发送前已满 18 周岁，不再通知监护人（民法典 17、18）",
        "the subject came of age before this was sent: guardians are told no more (民法典 17, 18)",
    ),
    Because.TOLD_ALREADY: ("此前已通知", "was told before"),
    Because.TOO_OLD: (
        "距事件已逾 {minutes} 分钟，家属已无从处置",
        "over {minutes} min: nothing left for the family to do",
    ),
    Because.ROSTER_GAP: ("{unit}值班表此刻空缺", "the roster of {unit} has a gap at this time"),
    Because.NO_UNIT: ("案件未列明管辖单位", "the case names no unit in charge"),
    Because.NO_OFFICER: ("没有可以通知的办案人员、值班人员或负责人", "no officer, duty officer or leader can be told"),
    Because.NO_FAMILY: ("没有可以通知的监护人", "no guardian can be told"),
    Because.NOBODY_LEFT: ("没有下一个可以通知的人", "there is nobody next to tell"),
    Because.ANSWER_PASSED_ON: ("已将家属的答复告知办案人员", "an officer was told what the family answered"),
    Because.ANSWER_REPEATED: (
        "与此人此前的答复相同，不再另行告知",
        "the same person said the same before: officers are not told again",
    ),
    Because.NEW_EVENT: ("新的事件", "a new event"),
    Because.LATE_ONLY: ("获知过迟，只作记录，不通知任何人", "known too late: recorded, and nobody is told"),
    Because.SAME_EVENT: ("与本警报属同一事件，不再通知", "the same event: nobody is told again"),
    Because.COOLING_DOWN: (
        "同一人同一地点，距首次通知不足 {hours} 小时，不再通知",
        "the same person at the same place within {hours} h: nobody is told again",
    ),
    Because.EVENT_OVER: ("情形已结束", "it is over"),
    Because.HAPPENED_BEFORE_CLOSING: (
        "结案前发生、结案后才知道，属同一事件：并入并提请复核，不另立警报",
        "it happened before the closing and became known after it: added for review, no second alert",
    ),
    Because.STILL_GOING_ON: (
        "结案后情形仍在持续：重新打开并通知",
        "it goes on after the closing: opened again, and told",
    ),
    Because.NOW_LIVE: ("此前只有迟到的证据，现知仍可处置：予以通知", "known late until now, and found to go on: told"),
    Because.NOT_ACKNOWLEDGED: ("{minutes} 分钟无人确认", "not acknowledged for {minutes} min"),
    Because.STEP_MISSED: ("系统中断 {minutes} 分钟，此步已无意义", "missed by {minutes} min: of no use any more"),
    Because.CALL_BY_TELEPHONE: ("消息无人确认，请电话联系", "messages are not acknowledged: telephone"),
    Because.NOT_DELIVERED: ("消息未送达：{why}", "not delivered: {why}"),
    Because.TEXT_WITHHELD: (
        "消息用词未通过检查（{rules}），已改用通用文本：请更正",
        "the text did not pass the check ({rules}), and a neutral one is used: put it right",
    ),
    Because.WRONG_PERSON: (
        "该人答复“不是我的孩子”：停止通知，请核对联系人",
        "answered “not my child”: told no more; put the record right",
    ),
    Because.OUR_FAULT: (
        "程序出错，后续步骤未能执行：请人工跟进此事，并告知运维",
        "a fault of the program, a step was not taken: look after it by hand, and tell the operators",
    ),
    Because.ANSWER_UNCLEAR: (
        "该联系人发来短信答复，无法确定所指，内容不予显示：请电话核实",
        "a text reply came, and what it is about is not certain; it is not shown: ask by telephone",
    ),
    Because.REPEATED: (
        "{days} 日内经办案人员确认 {count} 次：请审查是否制发督促监护令、责令接受家庭教育指导"
        "（预防未成年人犯罪法 61；未保法 118）",
        "{count} events confirmed by officers within {days} days: consider an order to the guardians"
        " (预防未成年人犯罪法 61; 未保法 118)",
    ),
}


def because(code: Because, **values: str | int) -> Reason:
    """The reason in words. Raises ``KeyError`` if a value that the wording needs is not given."""
    zh, en = WORDS[code]
    return Reason(code=code, zh=zh.format(**values), en=en.format(**values))
