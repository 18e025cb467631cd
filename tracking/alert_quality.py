"""How good a policy is on simulated tracks: false suspicions a day, true visits found, and how soon."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracking.episode import Episode
from tracking.point_rules import Findings
from tracking.policy import PresencePolicy
from tracking.replay import replay
from tracking.rules import ZoneBook, to_microseconds
from tracking.simulate import Simulation, Truth
from tracking.simulate_scenario import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Agreement of findings with the truth. Shares are of true visits and ``None`` where there was none.

    A finding belongs to a visit when subject and zone are the same and the times overlap; what belongs to no visit is
    false, a passage of less than three minutes being none.
    """

    person_days: int
    visit_count: int
    false_possible_per_day: float
    """Findings that belong to no visit, of any tier, per person-day."""
    false_probable_per_day: float
    """Those of them that were PROBABLE."""
    possible_recall: float | None
    """Visits found as POSSIBLE or better; an undecidable one counts, since it asks for a check-in."""
    probable_recall: float | None
    undecidable_share: float | None
    """Visits that were found, not as PROBABLE, and said to be undecidable."""
    repeats_per_visit: float | None
    """PROBABLE findings beyond the first, per visit: second alerts about one stay."""
    possible_delay_s: float | None
    """Median time from entering to POSSIBLE, of visits found."""
    probable_delay_s: float | None


def find_by_policy(simulation: Simulation, zones: ZoneBook, policy: PresencePolicy) -> Findings:
    """What the engine itself finds with a policy."""
    return to_findings(replay(simulation.fixes, zones, policy=policy))


def to_findings(episodes: Sequence[Episode]) -> Findings:
    """Episodes in columns."""

    def column(values: Sequence[int]) -> NDArray[np.int64]:
        return np.array(values, dtype=np.int64)

    return Findings(
        subject_no=column([item.subject_no for item in episodes]),
        zone_no=column([item.zone_no for item in episodes]),
        started_at=column([to_microseconds(item.started_at) for item in episodes]),
        ended_at=column([to_microseconds(item.ended_at or item.last_inside_at) for item in episodes]),
        possible_at=column([to_microseconds(item.possible_at) for item in episodes]),
        decided_at=column([0 if item.decided_at is None else to_microseconds(item.decided_at) for item in episodes]),
        is_undecidable=np.array([item.is_undecidable for item in episodes], dtype=bool),
    )


def score(findings: Findings, truth: Truth, *, person_days: int) -> Score:
    """Compare findings with what really happened."""
    visits = np.flatnonzero(truth.is_visit)
    visit, finding = _belonging(findings, truth, visits)
    is_false = np.ones(len(findings), dtype=bool)
    is_false[finding] = False
    is_probable = findings.decided_at > 0
    decided = is_probable[finding]
    probable_count = np.bincount(visit[decided], minlength=len(visits))
    found = np.bincount(visit, minlength=len(visits)) > 0
    unsure = np.bincount(visit[findings.is_undecidable[finding]], minlength=len(visits)) > 0
    entered_at = truth.entered_at[visits]
    return Score(
        person_days=person_days,
        visit_count=len(visits),
        false_possible_per_day=float(is_false.sum()) / person_days,
        false_probable_per_day=float((is_false & is_probable).sum()) / person_days,
        possible_recall=_share(found),
        probable_recall=_share(probable_count > 0),
        undecidable_share=_share(unsure & (probable_count == 0)),
        repeats_per_visit=float(np.maximum(probable_count - 1, 0).mean()) if len(visits) else None,
        possible_delay_s=_median_delay_s(entered_at, visit, findings.possible_at[finding]),
        probable_delay_s=_median_delay_s(entered_at, visit[decided], findings.decided_at[finding[decided]]),
    )


def missed_targets(score: Score, target: Target) -> tuple[str, ...]:
    """Names of the fields of a target that a score does not reach."""
    most = {
        "most_false_per_day": (score.false_probable_per_day, target.most_false_per_day),
        "most_delay_s": (score.possible_delay_s, target.most_delay_s),
    }
    least = {
        "least_possible": (score.possible_recall, target.least_possible),
        "least_probable": (score.probable_recall, target.least_probable),
    }
    over = [name for name, (value, limit) in most.items() if limit is not None and (value is None or value > limit)]
    under = [name for name, (value, limit) in least.items() if limit is not None and (value is None or value < limit)]
    return (*over, *under)


def _belonging(
    findings: Findings, truth: Truth, visits: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every (place in ``visits``, row of findings) that belong together."""
    place = np.int64(max(int(findings.zone_no.max(initial=0)), int(truth.zone_no.max(initial=0))) + 1)
    key = findings.subject_no * place + findings.zone_no
    order = np.argsort(key, kind="stable")
    wanted = truth.subject_no[visits] * place + truth.zone_no[visits]
    first = np.searchsorted(key[order], wanted, side="left")
    counts = np.searchsorted(key[order], wanted, side="right") - first
    visit = np.repeat(np.arange(len(visits)), counts)
    within = np.arange(len(visit)) - np.repeat(np.cumsum(counts) - counts, counts)
    finding = order[np.repeat(first, counts) + within]
    overlaps = (findings.started_at[finding] <= truth.left_at[visits[visit]]) & (
        findings.ended_at[finding] >= truth.entered_at[visits[visit]]
    )
    return visit[overlaps], finding[overlaps]


def _share(is_so: NDArray[np.bool_]) -> float | None:
    return float(is_so.mean()) if len(is_so) else None


def _median_delay_s(
    entered_at: NDArray[np.int64], visit: NDArray[np.int64], found_at: NDArray[np.int64]
) -> float | None:
    if len(visit) == 0:
        return None
    earliest = np.full(len(entered_at), np.iinfo(np.int64).max)
    np.minimum.at(earliest, visit, found_at)
    seen = np.unique(visit)
    return float(np.median(np.maximum(earliest[seen] - entered_at[seen], 0))) / 1e6
