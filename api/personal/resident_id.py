"""A resident ID number (GB 11643-1999): checksum and date decide; everything else is a warning. Pure.

``stdnum.cn.ric`` also asks whether the division existed in the year of birth, which refuses real people: numbers are
issued at registration (320312, made in 2010, for a child born in 2008). Source: reference/domain.md 3.4.
"""

import re
from datetime import date, datetime

from stdnum import numdb
from stdnum.iso7064 import mod_11_2

from api.personal.blind_index import normal_id_number

_FORM = re.compile(r"[0-9]{17}[0-9X]")
_EARLIEST = 1850


def check_resident_id(text: str, *, not_after: date) -> str:
    """The number in its normal spelling. Raises ``ValueError``, which never quotes it, for what cannot be one.

    ``not_after``: the last day on which the person can have been born.
    """
    number = normal_id_number(text)
    if not _FORM.fullmatch(number):
        raise ValueError("身份证号应为 18 位，末位可为 X / a resident ID number has 18 digits, the last may be X")
    born = _birth_date(number)
    if born is None or not born.year >= _EARLIEST or born > not_after:
        raise ValueError("身份证号中的出生日期不成立 / the date of birth in the ID number cannot be")
    if not mod_11_2.is_valid(number):
        raise ValueError("身份证号校验位不符，请核对 / the ID number's check digit is wrong: compare it with the card")
    return number


def doubts_about(number: str, *, birth_date: date) -> list[str]:
    """What is odd about a valid number, for a person to look at; never a reason to refuse."""
    doubts = []
    if not _is_known_division(number[:6]):
        doubts.append("身份证号前六位不是已知的行政区划 / the first six digits name no known division")
    if _birth_date(number) != birth_date:
        doubts.append("身份证号中的出生日期与 birth_date 不同 / the ID number has another birthday than birth_date")
    return doubts


def _birth_date(number: str) -> date | None:
    try:
        return datetime.strptime(number[6:14], "%Y%m%d").date()  # noqa: DTZ007 # a calendar day has no zone
    except ValueError:
        return None


def _is_known_division(code: str) -> bool:
    """Whether there ever was such a county."""
    return any("county" in about for _, about in numdb.get("cn/loc").info(code))
