"""Chinese names of what officers read in lists: findings, tasks, states of a leave. Pure."""

from alerts.alert import NotificationState, Role, StepKind, TaskKind
from alerts.answer import Answer
from alerts.channel import Channel
from alerts.event import EventKind
from alerts.history import HistoryKind
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
    TaskKind.VOICE_CALL: "请电话通知",
    TaskKind.NOBODY_TO_TELL: "无人可通知，请处理",
    TaskKind.ROSTER_GAP: "值班表空缺，请补",
    TaskKind.WRONG_RECIPIENT: "收件人称通知有误，请核对联系人",
    TaskKind.LATE_EVIDENCE: "已结警报有迟到的证据，请复核",
    TaskKind.TEXT_WITHHELD: "消息用词未通过检查，请更正",
    TaskKind.GUARDIANSHIP_ORDER: "请研究是否制发督促监护令",
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

EVENT_NAMES_ZH: dict[EventKind, str] = {
    EventKind.ENTRY: "进入禁入区域",
    EventKind.INSIDE_WHEN_BOUND: "禁入开始时仍在区域内",
    EventKind.DEPARTURE: "离开规定区域",
    EventKind.CURFEW: "规定时段外出",
    EventKind.CONTACT: "与禁止接触的人员接近",
    EventKind.SILENCE: "失联",
    EventKind.LOW_BATTERY: "电量低",
    EventKind.POWER_OFF: "关机",
    EventKind.PERMISSION_OFF: "关闭定位权限",
    EventKind.DEVICE_CHANGE: "更换设备",
    EventKind.MOCK_LOCATION: "模拟定位",
    EventKind.STILLNESS: "疑似人机分离",
    EventKind.CHECK_IN_MISSED: "未按时打卡",
    EventKind.SPOT_CHECK_MISSED: "抽检未应答",
    EventKind.CHECK_IN_PLACE: "打卡地点待核实",
    EventKind.LEAVE_OVERSTAY: "外出逾期未归",
    EventKind.OFF_ROUTE: "偏离批准的外出路线",
    EventKind.CURFEW_UNACCOUNTED: "规定时段开始时去向不明",
    EventKind.MINOR_WITH_ADULT: "不满十四周岁者与身份不明的成年人同住旅馆",
    EventKind.ORDER_NOT_LIFTED: "逾期未解除",
}
"""As in messages, 疑似 until an officer decided."""

HISTORY_NAMES_ZH: dict[HistoryKind, str] = {
    HistoryKind.OPENED: "发现",
    HistoryKind.ATTACHED: "并入",
    HistoryKind.ATTACHED_AFTER_CLOSING: "结后并入",
    HistoryKind.BECAME_LIVE: "转为实时",
    HistoryKind.TOLD: "通知",
    HistoryKind.NOT_TOLD: "未通知",
    HistoryKind.NOBODY_TO_TELL: "无人可通知",
    HistoryKind.ANSWERED: "家属答复",
    HistoryKind.ACKNOWLEDGED: "确认",
    HistoryKind.CLOSED: "结案",
    HistoryKind.REOPENED: "重新打开",
    HistoryKind.ESCALATED: "升级",
    HistoryKind.SKIPPED: "升级未执行",
}

ROLE_NAMES_ZH: dict[Role, str] = {
    Role.GUARDIAN: "监护人",
    Role.PROSECUTOR: "检察官",
    Role.POLICE: "民警",
    Role.GUARANTOR: "保证人",
    Role.DUTY_OFFICER: "值班人员",
    Role.LEADER: "领导",
}

CHANNEL_NAMES_ZH: dict[Channel, str] = {
    Channel.SMS: "短信",
    Channel.EMAIL: "邮件",
    Channel.WEBHOOK: "网络回调",
    Channel.VOICE_TASK: "人工电话",
}

MESSAGE_NAMES_ZH: dict[NotificationState, str] = {
    NotificationState.PENDING: "待发",
    NotificationState.SENT: "已交出",
    NotificationState.DELIVERED: "已送达",
    NotificationState.FAILED: "未送达",
    NotificationState.DEAD: "未发出",
}

STEP_NAMES_ZH: dict[StepKind, str] = {
    StepKind.NEXT_RECIPIENT: "通知下一人",
    StepKind.VOICE_TASK: "请人打电话",
    StepKind.DUTY_OFFICER: "通知值班人员",
    StepKind.LEADER: "通知领导",
}

STEP_OUTCOME_NAMES_ZH: dict[str, str] = {"taken": "已执行", "skipped": "未执行"}

ANSWER_NAMES_ZH: dict[Answer, str] = {
    Answer.TAKEN_AWAY: "已带离",
    Answer.ON_MY_WAY: "正在赶去",
    Answer.CANNOT: "无法处理",
    Answer.NOT_MY_CHILD: "不是我的孩子",
}
