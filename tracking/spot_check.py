"""Spot checks (不定期抽检) at times that the subject cannot foresee. Pure: the caller brings the randomness.

Between any two allowed instants the chance of a check is the same whatever happened before: a Poisson process over the
allowed time. Its next time given all history is memoryless, and given that exactly one falls into a stretch it is
uniform in it. Two things would be foreseeable and are kept small or left out on purpose:

- *exactly* n a week: once n have been, the rest of the week is free, and late in the week the missing ones are sure.
  So ``per_week`` is a mean; single weeks have fewer or more (none at all: about e^-n of them).
- the spacing, which the office asks for so that nobody is checked twice in an hour. Nothing happens within it after a
  check; from its end on the chance is the same as ever. It is counted on the clock, nights included.

Sources: 刑诉法 78 ("不定期检查"); reference/domain.md 2.5, section 4 item 25. Instants are int64 microseconds, UTC.
"""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from tracking.windows import Windows

WEEK_US = 7 * 86_400_000_000
_SECOND_US = 1_000_000
_GRID_US = 60 * _SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheckPolicy:
    """How often, how close to each other, and how long the subject has to answer."""

    per_week: float
    """Mean number a week."""
    spacing_s: float = 3_600.0
    """Least time from one check to the next."""
    answer_s: float = 900.0
    """An answer later than this is late. No check is planned whose limit would run out after the allowed time."""

    def __post_init__(self) -> None:
        if not (self.per_week > 0.0 and self.spacing_s >= 0.0 and self.answer_s > 0.0):
            raise ValueError(
                f"per_week {self.per_week}、spacing_s {self.spacing_s}、answer_s {self.answer_s}：须 > 0、≥ 0、> 0 / "
                "must be above 0, not below 0, above 0"
            )


def plan_spot_checks(
    policy: SpotCheckPolicy,
    *,
    allowed: Windows,
    planned_from: int,
    planned_to: int,
    last_at: int | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The times ``[k]`` of the checks in ``planned_from`` ≤ t < ``planned_to``, in order, on whole seconds.

    ``last_at``: the last check before, whose spacing is kept. Plan whole weeks: the mean holds per span planned. A plan
    must stay out of the subject's sight, and so must the seed: see :func:`planning_rng`. Without allowed time there is
    no check. Raises ValueError if the spacing leaves no room for so many.
    """
    starts, ends = _askable(allowed, planned_from, planned_to, round(policy.answer_s * _SECOND_US))
    if len(starts) == 0:
        return np.empty(0, dtype=np.int64)
    spacing = round(policy.spacing_s * _SECOND_US)
    length = ends - starts
    rate = _rate_per_us(policy, starts, ends, covered=planned_to - planned_from)
    count = int(rng.poisson(rate * float(length.sum())))
    offset = np.sort(rng.random(count)) * float(length.sum())
    before = np.concatenate([[0], np.cumsum(length)])
    row = np.minimum(np.searchsorted(before, offset, side="right") - 1, len(length) - 1)
    times = (starts[row] + (offset - before[row]).astype(np.int64)) // _SECOND_US * _SECOND_US
    return _spaced(np.maximum(times, starts[row]), spacing, last_at)


def planning_rng(secret: bytes, *, condition_id: UUID, planned_from: int) -> np.random.Generator:
    """A generator for one plan: the same for the same plan, so that a second worker plans no other one.

    HMAC-SHA-256 of the condition and the beginning of the plan under the office's secret: who has seen every check of
    earlier plans learns nothing about this one's. Raises ValueError for a secret below 16 bytes.
    """
    if len(secret) < 16:
        raise ValueError(f"密钥 {len(secret)} 字节，至少 16 / the secret has {len(secret)} bytes, needs 16 at least")
    digest = hmac.new(secret, condition_id.bytes + planned_from.to_bytes(8, "big", signed=True), hashlib.sha256)
    return np.random.default_rng(int.from_bytes(digest.digest(), "big"))


def _askable(
    allowed: Windows, planned_from: int, planned_to: int, answer: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The allowed spans within the plan, each without its last minutes, in which no answer could be in time."""
    starts = np.maximum(allowed.start, planned_from)
    ends = np.minimum(allowed.end - answer, planned_to)
    is_open = ends > starts
    return starts[is_open], ends[is_open]


def _rate_per_us(policy: SpotCheckPolicy, starts: NDArray[np.int64], ends: NDArray[np.int64], *, covered: int) -> float:
    """Checks per allowed microsecond, such that with the spacing the mean number is ``per_week``.

    Each check takes away the allowed time within the spacing after it: on average over all allowed instants ``lost``.
    With r checks per free microsecond, n = r (A - n lost), so r = n / (A - n lost).
    """
    allowed = float((ends - starts).sum())
    wanted = policy.per_week * covered / WEEK_US
    grid = np.concatenate([np.arange(begin, end, _GRID_US) for begin, end in zip(starts, ends, strict=True)])
    after = np.minimum(grid + round(policy.spacing_s * _SECOND_US), ends[-1])
    lost = float((_allowed_before(after, starts, ends) - _allowed_before(grid, starts, ends)).mean())
    if allowed - wanted * lost <= 0.1 * allowed:
        hours = allowed / 3.6e9
        raise ValueError(
            f"允许时段 {hours:.1f} 小时容不下 {wanted:g} 次、间隔 {policy.spacing_s:g} 秒的抽检 / "
            f"{hours:.1f} allowed hours have no room for {wanted:g} unforeseeable checks {policy.spacing_s:g} s apart"
        )
    return wanted / (allowed - wanted * lost)


def _allowed_before(at: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Allowed microseconds before each instant ``[n]``."""
    before = np.concatenate([[0], np.cumsum(ends - starts)])
    row = np.searchsorted(starts, at, side="right") - 1
    within = np.minimum(at, ends[row]) - starts[row]
    return np.asarray(np.where(row < 0, 0, before[row] + within))


def _spaced(times: NDArray[np.int64], spacing: int, last_at: int | None) -> NDArray[np.int64]:
    """Those that come at least the spacing after the one kept before; of equal times one."""
    kept: list[int] = []
    free_from = None if last_at is None else last_at + max(spacing, _SECOND_US)
    for at in times.tolist():
        if free_from is None or at >= free_from:
            kept.append(at)
            free_from = at + max(spacing, _SECOND_US)
    return np.array(kept, dtype=np.int64)
