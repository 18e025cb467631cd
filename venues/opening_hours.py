"""Opening hours as text in OpenStreetMap's form (``Mo-Fr 10:00-02:00; PH off``), checked. Pure.

Registers write them in Chinese too; a few plain words are brought to the same form: 每天10:00至22:00.
"""

import re

import opening_hours

from venues.licence import LicenceError
from venues.names import normal_text

_WORDS = (
    ("周", "星期"), ("礼拜", "星期"), ("每星期", "星期"), ("星期一", "Mo"), ("星期二", "Tu"),
    ("星期三", "We"), ("星期四", "Th"), ("星期五", "Fr"), ("星期六", "Sa"), ("星期日", "Su"), ("星期天", "Su"),
    ("工作日", "Mo-Fr"), ("每天", "Mo-Su"), ("每日", "Mo-Su"),
    ("法定节假日", "PH"), ("节假日", "PH"), ("全天", "24/7"), ("24小时", "24/7"), ("休息", " off"), ("次日", ""),
    ("至", "-"), ("到", "-"), ("~", "-"), ("—", "-"), ("–", "-"), ("、", ","), ("营业", ""),
)  # fmt: skip
"""In this order."""


def check_opening_hours(text: str) -> str:
    """The hours in OpenStreetMap's form, as far as can be as they were written. Raises LicenceError."""
    form = text.strip()
    if not _is_form(form):
        form = normal_text(text).strip()
        for chinese, short in _WORDS:
            form = form.replace(chinese.upper(), short)
        form = re.sub(r"([a-zH]) ?(?=\d)", r"\1 ", " ".join(form.split())).replace("Mo-Su 24/7", "24/7")
    if not _is_form(form):
        raise LicenceError(
            field="opening_hours",
            value=text,
            reason_zh="营业时间无法识别，请写成 Mo-Fr 10:00-22:00; Sa,Su 10:00-02:00",
            reason="opening hours in no known form: write Mo-Fr 10:00-22:00; Sa,Su 10:00-02:00",
        )
    return form


def _is_form(text: str) -> bool:
    return bool(text) and opening_hours.validate(text)
