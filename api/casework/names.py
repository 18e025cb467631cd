"""Chinese names of what officers read in lists: findings, tasks, states of a leave. Pure."""

from tracking.order import CONDITION_NAMES_ZH
from tracking.silence import DEVICE_FINDING_NAMES_ZH, DeviceFinding

FOUND_NAMES_ZH: dict[str, str] = {
    **{kind.value: zh for kind, zh in CONDITION_NAMES_ZH.items()},
    **{kind.name.lower(): zh for kind, zh in DEVICE_FINDING_NAMES_ZH.items()},
    "device_change": DEVICE_FINDING_NAMES_ZH[DeviceFinding.DEVICE_CHANGED],
    "stillness": "位置长时间不变，疑似人机分离",
    "curfew_unaccounted": "规定时段开始时不能确认在处所",
    "order_not_lifted": "逾期未解除（办案机关的问题）",
    "leave_overstay": "外出逾期未归",
    "check_in_missed": "未打卡",
    "spot_check_missed": "抽检未应答",
    "check_in_not_made_up": "未按时补卡",
    "check_in_elsewhere": "疑似不在规定地点打卡",
    "check_in_undecidable": "打卡地点无法判断",
    "contact": "疑似与禁止接触的人员接近",
    "off_route": "疑似偏离批准的路线",
    "inside_when_bound": "禁入时段开始时疑似仍在区域内",
    "minor_with_adult": "不满十四周岁者疑似与身份不明的成年人同住",
}
"""Kind of a suspected violation or of another finding → what an officer calls it."""

TASK_NAMES_ZH: dict[str, str] = {
    "order_reminder": "期限将届满",
    "review": "复查是否继续监管",
    "lifting": "期限届满，办理解除",
    "guardian_stop": "已满十八周岁，停止通知监护人，请确定此后通知谁",
    "voice_call": "电话通知",
    "nobody_to_tell": "无人可通知，请确定通知谁",
    "roster_gap": "值班表空缺，请补齐",
    "wrong_recipient": "通知对象答复有误，请核对联系人",
    "late_evidence": "已结警报有迟到的证据，请复查",
    "text_withheld": "消息用词未通过检查，请更正",
    "guardianship_order": "请审查是否制发督促监护令",
}

LEAVE_STATE_NAMES_ZH: dict[str, str] = {
    "requested": "待答复",
    "urgent": "紧急，待答复",
    "approved": "已批准",
    "refused": "未批准",
    "returned": "已销假",
    "overstayed": "逾期未归",
    "cancelled": "已取消",
}

OUTCOME_NAMES_ZH: dict[str, str] = {"confirmed": "已认定", "dismissed": "已排除"}
