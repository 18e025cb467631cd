"""Numbers that identify a business: checked, brought to one spelling, refused with what to do. Pure.

Rules: reference/domain.md 3.4. A telephone number may be a person's own, so no message quotes it; the row of a reject
file has it from the file itself.
"""

import re

import phonenumbers
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, ValidationError

from venues.divisions import division_codes
from venues.names import normal_text
from venues.place import Rejected

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015: no I, O, S, V, Z."""

_SEPARATORS = re.compile(r"[\s\-—–·.]+")
_NOT_OF_A_NUMBER = re.compile(r"[^0-9A-Z\u4e00-\u9fff]")
_OLD_REGISTRATION = re.compile(r"[0-9]{13}|[0-9]{15}")
_TOBACCO = re.compile(r"[0-9]{12}")
_SHARED_LINE = re.compile(r"(?:\+86)?(?:400|800)[0-9]{7}|(?:\+86)?95[0-9]{3,6}|(?:\+86)?1[0-9]{4}")


class LicenceError(ValueError):
    """A number that cannot be what its column says; ``field``, ``value`` as sent, and ``reason``, Chinese first."""

    def __init__(self, *, field: str, value: str, reason_zh: str, reason: str) -> None:
        self.field = field
        self.value = value
        self.reason = f"{reason_zh} / {reason}"
        super().__init__(f"{field}: {self.reason}")

    def rejected(self, *, line: int, reference: str) -> Rejected:
        """The row's rejection."""
        return Rejected(line=line, reference=reference, field=self.field, value=self.value, reason=self.reason)


def check_uscc(text: str) -> str:
    """The unified social credit code (18 characters) in one spelling. Raises LicenceError."""
    code = _SEPARATORS.sub("", normal_text(text))

    def refuse(reason_zh: str, reason: str) -> LicenceError:
        return LicenceError(field="uscc", value=text, reason_zh=reason_zh, reason=reason)

    if _OLD_REGISTRATION.fullmatch(code):
        raise refuse(
            f"“{code}”是旧注册号，请填 18 位统一社会信用代码",
            f"{code!r} is an old registration number: give the 18-character unified social credit code",
        )
    if len(code) != 18:
        raise refuse(
            f"“{code}”有 {len(code)} 位，应为 18 位，请按营业执照核对",
            f"{code!r} has {len(code)} characters, not 18: compare it with the business licence",
        )
    if wrong := sorted(set(code) - set(USCC_ALPHABET)):
        raise refuse(
            f"“{code}”含 {'、'.join(wrong)}；代码不用 I、O、S、V、Z，常是 1、0、5、U、2 之误",
            f"{code!r} has {', '.join(wrong)}: the code never has I, O, S, V, Z; look for 1, 0, 5, U, 2",
        )
    try:
        return uscc.validate(code)
    except InvalidChecksum:
        raise refuse(
            f"“{code}”校验位不符，有一位抄错，请按营业执照核对",
            f"{code!r} has a wrong check character, so one was mistyped: compare it with the business licence",
        ) from None
    except ValidationError:
        raise refuse(
            f"“{code}”第 1–8 位应为登记类别与区划数字，请按营业执照核对",
            f"{code!r} must have digits of a division in places 3 to 8: compare it with the business licence",
        ) from None


def check_tobacco_licence(text: str) -> str:
    """The 12 digits of a tobacco retail licence: division (6), kind (1), serial (5). Raises LicenceError."""
    code = _SEPARATORS.sub("", normal_text(text))
    if not _TOBACCO.fullmatch(code):
        raise LicenceError(
            field="tobacco_licence",
            value=text,
            reason_zh=f"“{code}”应为 12 位数字，请按烟草专卖零售许可证核对",
            reason=f"{code!r} must be 12 digits: compare it with the tobacco retail licence",
        )
    return code


def doubts_about_tobacco_licence(code: str) -> list[LicenceError]:
    """What is odd about 12 digits, for a person to look at; never a reason to refuse (divisions change)."""
    doubts = []
    if code[:6] not in division_codes():
        doubts.append((f"前六位 {code[:6]} 不是已知区划", f"{code[:6]} is no known division"))
    if code[6] not in "12":
        odd_zh, odd = f"第七位 {code[6]} 不是 1（个体）或 2（企业）", f"digit 7 is {code[6]}, not 1 (sole trader) or 2"
        doubts.append((odd_zh, odd))
    return [
        LicenceError(
            field="tobacco_licence",
            value=code,
            reason_zh=f"已收录，请按烟草专卖零售许可证核对：{odd_zh}",
            reason=f"taken as it is; compare it with the tobacco retail licence: {odd}",
        )
        for odd_zh, odd in doubts
    ]


def check_culture_licence(text: str) -> str:
    """A culture licence's number in one spelling: its forms differ by province, so that only emptiness is refused."""
    code = _NOT_OF_A_NUMBER.sub("", normal_text(text))
    if not any(character.isdigit() for character in code):
        raise LicenceError(
            field="culture_licence",
            value=text,
            reason_zh=f"“{text}”没有数字，请按许可证填写编号",
            reason=f"{text!r} has no digit: give the number on the licence",
        )
    return code


def check_phone(text: str) -> str:
    """A telephone number as E.164 (``+8613800000101``). Raises LicenceError, whose words never quote it."""

    def refuse(reason_zh: str, reason: str) -> LicenceError:
        return LicenceError(field="phone", value=text, reason_zh=reason_zh, reason=reason)

    try:
        number = phonenumbers.parse(normal_text(text), "CN")
    except phonenumbers.NumberParseException:
        raise refuse(
            "不是电话号码，请填手机号或带区号的座机", "no telephone number: give a mobile, or area code and number"
        ) from None
    if not phonenumbers.is_valid_number(number):
        raise refuse(
            "号码不成立：位数不对、区号已并网（如 0733 改 0731）或是短号",
            "cannot be dialled: wrong length, an area code that was merged (0733 is 0731 now), or a short code",
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_shared_line(phone: str) -> bool:
    """True for 400, 800 and 95 numbers: a chain's switchboard, which says nothing about one venue."""
    return _SHARED_LINE.fullmatch(phone) is not None
