"""How well what was found agrees with what really happened: a pure comparison, and its table in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from api.demo.city import SHANGHAI
from api.demo.truth import Expected, TrueVisit, VisitKind

_NEVER = datetime.max.replace(tzinfo=UTC)
_EXPECTED_ZH: dict[Expected, str] = {"alert": "应报警", "possible_only": "仅疑似", "none": "不应报"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundViolation:
    """One violation as the system reports it. Times are aware event times."""

    alias: str
    kind: VisitKind
    started_at: datetime
    ended_at: datetime | None
    """``None`` while it lasts."""
    decided_at: datetime
    guardian_sms_sent: bool
    place_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOutcome:
    """One true visit with the violations that belong to it, the first decided first."""

    visit: TrueVisit
    found: tuple[FoundViolation, ...]

    @property
    def is_as_expected(self) -> bool:
        """Found when an alert was due, not found when none was."""
        return bool(self.found) == (self.visit.expected == "alert")

    @property
    def delay(self) -> timedelta | None:
        """From entering to the first decision, event time; ``None`` when nothing was found."""
        return self.found[0].decided_at - self.visit.entered_at if self.found else None

    @property
    def is_place_right(self) -> bool:
        """Whether any violation names the very place, and not its neighbour."""
        return any(item.place_name == self.visit.place_name for item in self.found)

    @property
    def sms_count(self) -> int:
        """Guardian messages sent about this visit."""
        return sum(item.guardian_sms_sent for item in self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Agreement of findings with the truth.

    A finding is right when it belongs to a visit that should alert; further ones of the same visit are
    ``duplicate_count`` and count neither for nor against. Every other finding is false.
    """

    outcomes: tuple[VisitOutcome, ...]
    missed: tuple[TrueVisit, ...]
    false: tuple[FoundViolation, ...]
    """Where nothing happened, or what was too short to tell anyone about (``possible_only``)."""
    duplicate_count: int
    recall: float | None
    """Share of the visits that should alert which were found; ``None`` when there were none."""
    precision: float | None
    """Right findings among right and false ones, duplicates aside; ``None`` when nothing was found."""
    median_delay: timedelta | None
    place_right_count: int
    """Detected visits for which some finding names the very place."""
    sms_expected: int
    sms_sent: int
    sms_missing: tuple[TrueVisit, ...]
    """Visits of which a guardian should have heard and did not."""
    sms_unexpected: int
    """Messages about nothing, to nobody's guardian, or a second one about the same visit."""


def score(truth: Sequence[TrueVisit], found: Iterable[FoundViolation], *, tolerance: timedelta) -> Score:
    """Match each finding to the visit of the same person and kind that it overlaps longest, and count.

    Visits are widened by ``tolerance`` at both ends. A finding belongs to one visit at most, so one that spans two
    visits leaves the other missed. Where visits overlap equally, one that should alert is preferred.
    """
    belonging: dict[int, list[FoundViolation]] = {number: [] for number in range(len(truth))}
    strays: list[FoundViolation] = []
    for item in sorted(found, key=lambda item: (item.decided_at, item.started_at, item.alias)):
        number = _visit_of(item, truth, tolerance)
        (strays if number is None else belonging[number]).append(item)
    outcomes = tuple(VisitOutcome(visit=visit, found=tuple(belonging[n])) for n, visit in enumerate(truth))
    due = [outcome for outcome in outcomes if outcome.visit.expected == "alert"]
    detected = [outcome for outcome in due if outcome.found]
    false = [*strays, *(item for outcome in outcomes if outcome.visit.expected != "alert" for item in outcome.found)]
    told = [outcome for outcome in outcomes if outcome.visit.expect_guardian_sms]
    sms_sent = sum(item.guardian_sms_sent for item in strays) + sum(outcome.sms_count for outcome in outcomes)
    return Score(
        outcomes=outcomes,
        missed=tuple(outcome.visit for outcome in due if not outcome.found),
        false=tuple(sorted(false, key=lambda item: (item.decided_at, item.started_at, item.alias))),
        duplicate_count=sum(len(outcome.found) - 1 for outcome in detected),
        recall=len(detected) / len(due) if due else None,
        precision=len(detected) / (len(detected) + len(false)) if detected or false else None,
        median_delay=_median(outcome.delay for outcome in detected),
        place_right_count=sum(outcome.is_place_right for outcome in detected),
        sms_expected=len(told),
        sms_sent=sms_sent,
        sms_missing=tuple(outcome.visit for outcome in told if outcome.sms_count == 0),
        sms_unexpected=sms_sent - sum(outcome.sms_count > 0 for outcome in told),
    )


def score_table(score: Score) -> list[tuple[str, ...]]:
    """Two columns, Chinese with English: what was measured, and the figure. The first row is the heading."""
    due = sum(outcome.visit.expected == "alert" for outcome in score.outcomes)
    return [
        ("指标 measure", "结果 result"),
        ("应报警到访 visits that should alert", str(due)),
        ("已发现 found", str(due - len(score.missed))),
        ("漏报 missed", _listed(visit.alias for visit in score.missed)),
        ("误报 false", _listed(item.alias for item in score.false)),
        ("重复 duplicates", str(score.duplicate_count)),
        ("召回率 recall", _percent(score.recall)),
        ("准确率 precision", _percent(score.precision)),
        ("中位延迟 median delay", _minutes(score.median_delay)),
        ("场所正确 place named rightly", str(score.place_right_count)),
        ("应发监护人短信 guardian SMS expected", str(score.sms_expected)),
        ("已发短信 SMS sent", str(score.sms_sent)),
        ("漏发短信 SMS missing", _listed(visit.alias for visit in score.sms_missing)),
        ("不应发短信 SMS unexpected", str(score.sms_unexpected)),
    ]


def visit_table(score: Score) -> list[tuple[str, ...]]:
    """One row per true visit, Chinese with English, times in Asia/Shanghai. The first row is the heading."""
    heading = (
        "对象 subject",
        "时间 time",
        "地点 place",
        "预期 expected",
        "发现 found",
        "延迟 delay",
        "短信 SMS",
        "符合 ok",
    )
    return [heading, *(_visit_row(outcome) for outcome in score.outcomes)]


def _visit_row(outcome: VisitOutcome) -> tuple[str, ...]:
    visit = outcome.visit
    from_to = [f"{at.astimezone(SHANGHAI):%H:%M}" for at in (visit.entered_at, visit.left_at)]
    is_ok = outcome.is_as_expected and outcome.sms_count == int(visit.expect_guardian_sms)
    return (
        visit.alias,
        "–".join(from_to),
        visit.place_name,
        _EXPECTED_ZH[visit.expected],
        str(len(outcome.found)),
        _minutes(outcome.delay),
        f"{outcome.sms_count}/{int(visit.expect_guardian_sms)}",
        "是 yes" if is_ok else "否 no",
    )


def _visit_of(item: FoundViolation, truth: Sequence[TrueVisit], tolerance: timedelta) -> int | None:
    best: tuple[timedelta, bool, int] | None = None
    for number, visit in enumerate(truth):
        if (visit.alias, visit.kind) != (item.alias, item.kind):
            continue
        starts_at = max(item.started_at, visit.entered_at - tolerance)
        shared = min(item.ended_at or _NEVER, visit.left_at + tolerance) - starts_at
        rank = (shared, visit.expected == "alert", -number)
        if shared >= timedelta(0) and (best is None or rank > best):
            best = rank
    return None if best is None else -best[2]


def _median(delays: Iterable[timedelta | None]) -> timedelta | None:
    seconds = [delay.total_seconds() for delay in delays if delay is not None]
    return timedelta(seconds=median(seconds)) if seconds else None


def _listed(aliases: Iterable[str]) -> str:
    names = list(aliases)
    return f"{len(names)}（{'、'.join(names)}）" if names else "0"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _minutes(delay: timedelta | None) -> str:
    return "–" if delay is None else f"{delay.total_seconds() / 60:.1f} min"
