"""What lifts a rule from one person for a time: an approved leave, or an exemption for a place; and their checks.

Sources: 刑诉法 71(1), 77(1), 283; 检察规则 95, 98, 109, 475(3); 公通字〔2022〕25号 19 (reference/domain.md 2.1;
section 4, items 13 and 22). Where a court decided, its consent is asked for as the procuratorate's is: by analogy to
规则 95 and 109, the police's own rule was not at hand. Instants are aware.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracking.order import ORGAN_NAMES_ZH, Measure, Organ


class ExemptionKind(StrEnum):
    """Why somebody may be where a rule would not let them."""

    HOME = "home"  # 住处
    SCHOOL = "school"  # 就读学校
    WORK = "work"  # 工作单位
    FAMILY_BUSINESS = "family_business"  # 家庭经营场所
    WAY = "way"  # 必经道路、公交线路
    ORDERED_SERVICE = "ordered_service"  # 指定的帮教、服务场所


EXEMPTION_NAMES_ZH: dict[ExemptionKind, str] = {
    ExemptionKind.HOME: "住处",
    ExemptionKind.SCHOOL: "就读学校",
    ExemptionKind.WORK: "工作单位",
    ExemptionKind.FAMILY_BUSINESS: "家庭经营场所",
    ExemptionKind.WAY: "必经路线",
    ExemptionKind.ORDERED_SERVICE: "指定服务场所",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """``zone_key`` is lifted for one subject from ``valid_from`` to before ``valid_to``: there and nowhere else.

    Raises ValueError without approver or reason, and for a span that is none: there is no exemption without expiry.
    """

    exemption_no: int
    subject_no: int
    kind: ExemptionKind
    zone_key: int
    approved_by: str
    reason: str
    valid_from: datetime
    valid_to: datetime

    def __post_init__(self) -> None:
        if not (self.approved_by.strip() and self.reason.strip()):
            raise ValueError("豁免须有批准人和理由 / an exemption needs an approver and a reason")
        _check_span(self.valid_from, self.valid_to)

    def is_valid_at(self, at: datetime) -> bool:
        """Whether it holds at an instant."""
        return self.valid_from <= at < self.valid_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One organ's yes. An officer signs, and when."""

    organ: Organ
    officer: str
    approved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """An absence asked for, and what was answered.

    ``asked_at`` by telephone or message if ``is_urgent``, then ``papers_at`` when the application came in writing.
    """

    leave_no: int
    subject_no: int
    reason: str
    destination: str
    route: str
    transport: str
    contact: str
    starts_at: datetime
    ends_at: datetime
    asked_at: datetime
    approvals: tuple[Approval, ...] = ()
    is_urgent: bool = False
    papers_at: datetime | None = None
    withdrawn_at: datetime | None = None
    returned_at: datetime | None = None
    """When the subject reported to be back: the leave is over."""

    def __post_init__(self) -> None:
        _check_span(self.starts_at, self.ends_at)

    def is_overstayed_at(self, at: datetime) -> bool:
        """Whether the subject should have reported to be back and has not."""
        return self.withdrawn_at is None and at >= self.ends_at and (self.returned_at is None or at < self.returned_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveInForce:
    """A leave as far as it frees its subject: ``starts_at`` ≤ t < ``ends_at``, aware."""

    leave_no: int
    subject_no: int
    starts_at: datetime
    ends_at: datetime


class LeaveFault(StrEnum):
    """What an application or its approval lacks."""

    INCOMPLETE = "incomplete"  # 申请事项不全
    NOT_APPROVED = "not_approved"  # 缺少批准
    CONSENT_AFTERWARDS = "consent_afterwards"  # 未事先征得决定机关同意
    NO_PAPERS = "no_papers"  # 紧急外出未补书面申请


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveFinding:
    """One fault, in plain words. ``stops``: the leave is not in force because of it."""

    fault: LeaveFault
    stops: bool
    text_zh: str
    text_en: str
    articles: str


def organs_needed(measure: Measure, decided_by: Organ) -> tuple[Organ, ...]:
    """Who must agree to a leave, in the order in which they must: the organ that decided first, then who executes."""
    if measure is Measure.CONDITIONAL_NON_PROSECUTION:
        return (Organ.PROCURATORATE,)
    return (Organ.POLICE,) if decided_by is Organ.POLICE else (decided_by, Organ.POLICE)


def approved_from(leave: Leave, *, measure: Measure, decided_by: Organ) -> datetime | None:
    """Since when all organs that must have agreed; ``None``: not yet. One cannot stand in for another."""
    signed = [_first(leave.approvals, organ) for organ in organs_needed(measure, decided_by)]
    given = [at for at in signed if at is not None]
    return max(given) if len(given) == len(signed) else None


def in_force(leave: Leave, *, measure: Measure, decided_by: Organ) -> LeaveInForce | None:
    """From when all had approved until it was over, withdrawn, or the return reported; ``None``: at no time."""
    approved_at = approved_from(leave, measure=measure, decided_by=decided_by)
    if approved_at is None:
        return None
    starts_at = max(leave.starts_at, approved_at)
    ends_at = min(one for one in (leave.ends_at, leave.withdrawn_at, leave.returned_at) if one is not None)
    if starts_at >= ends_at:
        return None
    return LeaveInForce(leave_no=leave.leave_no, subject_no=leave.subject_no, starts_at=starts_at, ends_at=ends_at)


def check_leave(leave: Leave, *, measure: Measure, decided_by: Organ, now: datetime) -> tuple[LeaveFinding, ...]:
    """What is wrong with a leave as it stands at ``now``."""
    found = []
    if missing := [name for name in _FIELDS_ZH if not str(getattr(leave, name)).strip()]:
        found.append(
            LeaveFinding(
                fault=LeaveFault.INCOMPLETE,
                stops=False,
                text_zh=f"外出申请缺少：{'、'.join(_FIELDS_ZH[name] for name in missing)}。",
                text_en=f"The application lacks: {', '.join(missing)}.",
                articles="公通字〔2022〕25号 19",
            )
        )
    needed = organs_needed(measure, decided_by)
    signed = {organ: _first(leave.approvals, organ) for organ in needed}
    if absent := [organ for organ in needed if signed[organ] is None]:
        found.append(
            LeaveFinding(
                fault=LeaveFault.NOT_APPROVED,
                stops=True,
                text_zh=f"尚缺{'、'.join(ORGAN_NAMES_ZH[organ] for organ in absent)}的批准或同意。",
                text_en=f"Approval or consent still lacking of: {', '.join(absent)}.",
                articles=_APPROVAL_ARTICLES[measure],
            )
        )
    decider, executor = signed[needed[0]], signed[needed[-1]]
    if decider is not None and executor is not None and executor < decider:
        found.append(
            LeaveFinding(
                fault=LeaveFault.CONSENT_AFTERWARDS,
                stops=False,
                text_zh=f"公安机关批准在前，未事先征得{ORGAN_NAMES_ZH[needed[0]]}同意。",
                text_en=f"The police approved before the {needed[0].value} that decided had agreed.",
                articles=_APPROVAL_ARTICLES[measure],
            )
        )
    if leave.is_urgent and leave.papers_at is None and now >= leave.ends_at:
        found.append(
            LeaveFinding(
                fault=LeaveFault.NO_PAPERS,
                stops=False,
                text_zh="紧急外出已结束，仍未补交书面申请。",
                text_en="The urgent leave is over and no written application has come.",
                articles="公通字〔2022〕25号 19",
            )
        )
    return tuple(found)


_FIELDS_ZH = {
    "reason": "事由",
    "destination": "目的地",
    "route": "路线",
    "transport": "交通方式",
    "contact": "联系方式",
}

_APPROVAL_ARTICLES: dict[Measure, str] = {
    Measure.BAIL: "刑诉法 71；检察规则 95、98",
    Measure.RESIDENTIAL_SURVEILLANCE: "刑诉法 77；检察规则 109",
    Measure.CONDITIONAL_NON_PROSECUTION: "刑诉法 283；检察规则 475(3)",
}


def _first(approvals: Iterable[Approval], organ: Organ) -> datetime | None:
    return min((approval.approved_at for approval in approvals if approval.organ is organ), default=None)


def _check_span(begins: datetime, ends: datetime) -> None:
    if not begins < ends:
        raise ValueError(f"起止时间颠倒 / {begins.isoformat()} is not before {ends.isoformat()}")
