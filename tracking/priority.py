"""Which rule governs a subject at a zone at an instant, by name, and what it beat.

Court order > approved leave > personal exemption > supervisor zone > venue default (design.md 6; reference/domain.md 4,
items 13 and 22). Duties to be somewhere end where the approval begins, since the law puts them under "未经批准" (刑诉法
71(1)(1), 77(1)(1)): they yield to a leave although the order imposes them, and to nothing else. A zone drawn in the
order yields to nothing: who may travel may still not go there, nor into bars on the way. ``tracking.rules`` enforces
the same, which a test compares; this says it in words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from tracking.allowances import YIELDING_TO_LEAVE
from tracking.leave import EXEMPTION_NAMES_ZH, Exemption, LeaveInForce
from tracking.local_time import LOCAL_TIME
from tracking.order import CONDITION_NAMES_ZH, Condition, ConditionKind, SupervisionOrder
from tracking.zone import Zone, ZoneKind, ZoneOrigin


class RuleRank(IntEnum):
    """From the weakest to the strongest."""

    VENUE_DEFAULT = 1  # 场所默认规则：a category that the order excludes, at a venue nobody singled out
    SUPERVISOR_ZONE = 2  # 监管人划定的区域
    EXEMPTION = 3  # 个人豁免
    LEAVE = 4  # 已批准的外出
    COURT_ORDER = 5  # 决定书写明的规定


RANK_NAMES_ZH: dict[RuleRank, str] = {
    RuleRank.VENUE_DEFAULT: "场所默认规则",
    RuleRank.SUPERVISOR_ZONE: "监管人划定区域",
    RuleRank.EXEMPTION: "个人豁免",
    RuleRank.LEAVE: "批准的外出",
    RuleRank.COURT_ORDER: "决定书",
}
RANK_NAMES_EN: dict[RuleRank, str] = {
    RuleRank.VENUE_DEFAULT: "venue default",
    RuleRank.SUPERVISOR_ZONE: "supervisor zone",
    RuleRank.EXEMPTION: "personal exemption",
    RuleRank.LEAVE: "approved leave",
    RuleRank.COURT_ORDER: "court order",
}


class Says(StrEnum):
    """What a rule says of being there (or, for an area, of being out of it)."""

    FORBIDS = "forbids"
    ALLOWS = "allows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A rule that has a word on the case at hand from ``valid_from`` to before ``valid_to`` (aware).

    ``rule_no`` is unique within its rank; ``name_zh``, ``name_en`` name it for people.
    """

    rank: RuleRank
    says: Says
    rule_no: int
    name_zh: str
    name_en: str
    valid_from: datetime
    valid_to: datetime
    yields_to_leave: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """``governs`` won over ``beaten``, strongest first. ``None``: no rule has a word here, and nothing is breached."""

    governs: Claim | None
    beaten: tuple[Claim, ...]
    why_zh: str
    why_en: str

    @property
    def is_forbidden(self) -> bool:
        """Whether being there is a breach."""
        return self.governs is not None and self.governs.says is Says.FORBIDS


def resolve(claims: Iterable[Claim], *, at: datetime) -> Ruling:
    """The rule that governs at an instant, and why. The order of ``claims`` does not matter.

    Of one rank what forbids wins over what allows, the lower ``rule_no`` over the higher.
    """
    in_force = sorted((claim for claim in claims if claim.valid_from <= at < claim.valid_to), key=_strength)
    if not in_force:
        return Ruling(governs=None, beaten=(), why_zh="没有规则适用。", why_en="No rule applies.")
    governs, *beaten = in_force
    verb_zh, verb_en = ("禁止", "forbids") if governs.says is Says.FORBIDS else ("允许", "allows")
    why_zh = f"{RANK_NAMES_ZH[governs.rank]}“{governs.name_zh}”{verb_zh}"
    why_en = f"{RANK_NAMES_EN[governs.rank]} “{governs.name_en}” {verb_en}"
    for claim in beaten:
        why_zh += f"，{_reason_zh(governs, claim)}“{claim.name_zh}”"
        why_en += f", {_reason_en(governs, claim)} “{claim.name_en}”"
    return Ruling(governs=governs, beaten=tuple(beaten), why_zh=f"{why_zh}。", why_en=f"{why_en}.")


def claims_on(
    zone: Zone,
    *,
    order: SupervisionOrder,
    condition: Condition,
    leaves: Sequence[LeaveInForce] = (),
    exemptions: Sequence[Exemption] = (),
) -> tuple[Claim, ...]:
    """All that has a word on a breach of ``condition`` at ``zone``, each at its time.

    A leave speaks of duties to be somewhere, an exemption of being at its zone. Those of other subjects have no word.
    """
    name, rank = CONDITION_NAMES_ZH[condition.kind], rank_of(zone, condition)
    is_duty = condition.kind in YIELDING_TO_LEAVE
    claims = [
        Claim(
            rank=rank,
            says=Says.FORBIDS,
            rule_no=condition.key,
            name_zh=f"{name}（{order.document_number}）",
            name_en=f"{condition.kind.value.replace('_', ' ')} ({order.document_number})",
            valid_from=max(order.valid_from, order.in_force_from or order.valid_from),
            valid_to=min(order.valid_to, order.in_force_to or order.valid_to),
            yields_to_leave=rank is RuleRank.COURT_ORDER and is_duty,
        )
    ]
    claims += [_of_leave(leave) for leave in leaves if is_duty and leave.subject_no == order.subject_no]
    claims += [
        _of_exemption(item)
        for item in exemptions
        if item.subject_no == order.subject_no and item.zone_key == zone.key and zone.kind is ZoneKind.EXCLUSION
    ]
    return tuple(claims)


def _of_leave(leave: LeaveInForce) -> Claim:
    until = f"{leave.ends_at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M}"
    return Claim(
        rank=RuleRank.LEAVE,
        says=Says.ALLOWS,
        rule_no=leave.leave_no,
        name_zh=f"外出 {leave.leave_no} 号，至 {until}",
        name_en=f"leave {leave.leave_no}, until {until}",
        valid_from=leave.starts_at,
        valid_to=leave.ends_at,
    )


def _of_exemption(exemption: Exemption) -> Claim:
    return Claim(
        rank=RuleRank.EXEMPTION,
        says=Says.ALLOWS,
        rule_no=exemption.exemption_no,
        name_zh=f"{EXEMPTION_NAMES_ZH[exemption.kind]}，{exemption.approved_by}批准",
        name_en=f"{exemption.kind.value.replace('_', ' ')}, approved by {exemption.approved_by}",
        valid_from=exemption.valid_from,
        valid_to=exemption.valid_to,
    )


def rank_of(zone: Zone, condition: Condition) -> RuleRank:
    """How strong a condition is at a zone: by who singled the place out, the order, a supervisor, or nobody."""
    if zone.origin is ZoneOrigin.SUPERVISOR:
        return RuleRank.SUPERVISOR_ZONE
    if condition.kind is ConditionKind.EXCLUDED_CATEGORIES:
        return RuleRank.VENUE_DEFAULT
    return RuleRank.COURT_ORDER


def _strength(claim: Claim) -> tuple[float, bool, int, str, datetime, datetime, bool]:
    """Sorts the strongest first. What yields to a leave stands just below it. No two that differ are equal in it."""
    rank = RuleRank.LEAVE - 0.5 if claim.yields_to_leave else float(claim.rank)
    is_weaker = claim.says is Says.ALLOWS
    names = f"{claim.name_zh}\n{claim.name_en}"
    return (-rank, is_weaker, claim.rule_no, names, claim.valid_from, claim.valid_to, claim.yields_to_leave)


def _reason_zh(governs: Claim, beaten: Claim) -> str:
    if beaten.says is governs.says:
        return f"同时适用{RANK_NAMES_ZH[beaten.rank]}"
    if beaten.yields_to_leave and governs.rank is RuleRank.LEAVE:
        return "已获批准，不适用"
    return "同级从严，不适用" if governs.rank == beaten.rank else f"高于{RANK_NAMES_ZH[beaten.rank]}"


def _reason_en(governs: Claim, beaten: Claim) -> str:
    if beaten.says is governs.says:
        return f"as does {RANK_NAMES_EN[beaten.rank]}"
    if beaten.yields_to_leave and governs.rank is RuleRank.LEAVE:
        return "lifting"
    return "the stricter of one rank, over" if governs.rank == beaten.rank else f"over {RANK_NAMES_EN[beaten.rank]}"
