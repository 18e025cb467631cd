"""Every text that an SMS may carry: approved, without venue, offence, school or full name (design.md, invariant 11)."""

from datetime import datetime

from tracking.local_time import LOCAL_TIME
from tracking.order import ConditionKind

TEXT_LIMIT = 70
"""Characters of one SMS segment, signature included (reference/domain.md 3.5)."""

NAME_LIMIT = 10
"""Characters of the name that are said: every template then fits one segment together with a signature of 10."""

TEMPLATES: dict[str, str] = {
    "guardian_entry_suspected": "您的孩子{name}于{HH}时{MM}分疑似进入未成年人禁入区域，请尽快核实并带离。",
    "guardian_entry_confirmed": "您的孩子{name}于{HH}时{MM}分进入未成年人禁入区域，请尽快核实并带离。",
    "guardian_departure_suspected": "您的孩子{name}于{HH}时{MM}分疑似离开规定的活动区域，请尽快核实并联系。",
    "officer_entry_suspected": "监管对象{name}于{HH}时{MM}分疑似进入禁入区域，请尽快核实。编号{reference}。",
    "officer_departure_suspected": "监管对象{name}于{HH}时{MM}分疑似离开规定的活动区域，请尽快核实。编号{reference}。",
}
"""Template id → wording. The entry wording is the one of record (reference/domain.md 1.1)."""

EVENT_WORDS: dict[ConditionKind, str] = {
    ConditionKind.EXCLUSION_ZONE: "entry",
    ConditionKind.EXCLUDED_CATEGORIES: "entry",
    ConditionKind.STAY_WITHIN_AREA: "departure",
    ConditionKind.STAY_AT_PLACE: "departure",
    ConditionKind.CURFEW: "departure",
}
"""What a violation of each kind looks like: a place drawn for the order and its category are entered at once."""


def template_for(audience: str, kind: ConditionKind, *, is_confirmed: bool = False) -> str:
    """The template id for an audience (``guardian`` or ``officer``) and a kind of violation."""
    return f"{audience}_{EVENT_WORDS[kind]}_{'confirmed' if is_confirmed else 'suspected'}"


def render(template: str, *, name: str, at: datetime, reference: str = "") -> str:
    """The text to send. ``at`` is the aware event time and is shown in Asia/Shanghai. A longer name is cut."""
    local = at.astimezone(LOCAL_TIME)
    return TEMPLATES[template].format(name=name[:NAME_LIMIT], HH=f"{local:%H}", MM=f"{local:%M}", reference=reference)
