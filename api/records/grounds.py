"""Why a record may be sealed, why it may be opened, and how long it is kept: the law as data. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from tracking.local_time import LOCAL_TIME


class SealingGround(StrEnum):
    """Why a record is sealed."""

    SENTENCE = "sentence"
    EXEMPTED = "exempted"
    NON_PROSECUTION = "non_prosecution"
    NOT_PURSUED = "not_pursued"
    COERCIVE_MEASURE = "coercive_measure"
    ADMINISTRATIVE = "administrative"


SEALING_GROUNDS_ZH: dict[SealingGround, str] = {
    SealingGround.SENTENCE: "判处五年有期徒刑以下刑罚（刑事诉讼法 286）",
    SealingGround.EXEMPTED: "免予刑事处罚（刑事诉讼法 286、实施办法）",
    SealingGround.NON_PROSECUTION: "不起诉（人民检察院刑事诉讼规则 482–486、实施办法）",
    SealingGround.NOT_PURSUED: "不予刑事处罚、不追究刑事责任（实施办法）",
    SealingGround.COERCIVE_MEASURE: "刑事强制措施的记录（预防未成年人犯罪法 59）",
    SealingGround.ADMINISTRATIVE: "治安管理处罚（预防未成年人犯罪法 59、治安管理处罚法 136）",
}


class UnsealingGround(StrEnum):
    """Why a sealed record may be looked into (刑事诉讼法 286 第二款)."""

    CASE_NEED = "case_need"
    STATE_RULES = "state_rules"


UNSEALING_GROUNDS_ZH: dict[UnsealingGround, str] = {
    UnsealingGround.CASE_NEED: "司法机关为办案需要",
    UnsealingGround.STATE_RULES: "有关单位根据国家规定进行查询",
}

UNSEALED_FOR = timedelta(days=7)
"""Unless the leader who approves says otherwise."""

LONGEST_UNSEALED = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRule:
    """How long a record sealed from a local day on is kept before it is destroyed."""

    effective_from: date
    keep_days: int
    basis: str


KEEP_RULES = (
    KeepRule(
        effective_from=date(2013, 1, 1),
        keep_days=3 * 365,
        basis="个人信息保护法 19、47：最短必要期限；机关另有规定的，加一行"
        " / the shortest time needed; where an office has a rule of its own, that is another row",
    ),
)
"""In the order of their first day. A record keeps the rule of the day on which it was sealed."""


def keep_until(sealed_at: datetime, rules: tuple[KeepRule, ...] = KEEP_RULES) -> datetime:
    """When a record sealed at an aware instant is to be destroyed. Raises ``LookupError`` if no rule is that old."""
    day = sealed_at.astimezone(LOCAL_TIME).date()
    in_force = [rule for rule in rules if rule.effective_from <= day]
    if not in_force:
        raise LookupError(f"没有适用于 {day} 的保管期规定 / no rule says how long a record sealed on {day} is kept")
    return sealed_at + timedelta(days=in_force[-1].keep_days)
