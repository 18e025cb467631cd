"""Check-ins by the clock: windows, grace, and the made-up check-in (补打). Pure, in columns.

Reference/domain.md 2.5 (Jindong: a late check-in was reminded, made up, and stayed green) and section 4, item 25.
Whether the subject was at the right place is decided before: only check-ins that satisfy the condition come here.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_NONE = -1


class CheckInStatus(IntEnum):
    """What became of a window. The numbers may be stored."""

    PENDING = 0  # 未到期
    ON_TIME = 1  # 按时
    LATE = 2  # 宽限期内
    MISSED = 3  # 缺勤
    MADE_UP = 4  # 补打：the miss stays on record


CHECK_IN_NAMES_ZH: dict[CheckInStatus, str] = {
    CheckInStatus.PENDING: "未到期",
    CheckInStatus.ON_TIME: "按时打卡",
    CheckInStatus.LATE: "宽限期内打卡",
    CheckInStatus.MISSED: "未打卡",
    CheckInStatus.MADE_UP: "已补打",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInPolicy:
    """How long after its end a window may still be served."""

    grace_s: float = 900.0
    """Late, but no finding: a phone that was in a lift."""
    make_up_s: float = 86_400.0
    """A check-in declared as a make-up within so long after the end of the window mends the miss."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.grace_s <= self.make_up_s:
            raise ValueError(
                f"grace_s {self.grace_s}、make_up_s {self.make_up_s}：须 0 ≤ 宽限 ≤ 补打 / must be 0 ≤ grace ≤ make-up"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckInOutcome:
    """Row by row for ``k`` windows, int64. ``status``: ``CheckInStatus``; ``served_at``: the check-in, or -1;
    ``missed_at``: when a miss was found on the clock since nothing had come, made up later or not, or -1.
    """

    status: NDArray[np.int64]
    served_at: NDArray[np.int64]
    missed_at: NDArray[np.int64]


def settle_check_ins(
    *,
    opens_at: NDArray[np.int64],
    closes_at: NDArray[np.int64],
    checked_at: NDArray[np.int64],
    is_make_up: NDArray[np.bool_],
    now: int,
    policy: CheckInPolicy,
) -> CheckInOutcome:
    """What each window of one condition has become by ``now``. Instants are int64 microseconds, UTC.

    ``opens_at``, ``closes_at`` ``[k]`` sorted by opening; ``checked_at`` ``[m]`` in any order, those after ``now`` do
    not count yet. One check-in serves one window: the one it lies in; else, within the grace, the last that closed; one
    that the subject declared a make-up serves the oldest window that was missed and may still be made up. As ``now``
    goes on, a served window stays served, and by the same check-in.
    """
    grace, make_up = round(policy.grace_s * 1e6), round(policy.make_up_s * 1e6)
    served = np.full(len(opens_at), _NONE, dtype=np.int64)
    made_up = np.zeros(len(opens_at), dtype=bool)
    plain = np.sort(checked_at[~is_make_up & (checked_at <= now)])
    declared = np.sort(checked_at[is_make_up & (checked_at <= now)])
    spare = []
    for at in plain.tolist():
        within = np.flatnonzero((opens_at <= at) & (at < closes_at))
        free = within[served[within] == _NONE]
        if len(free):
            served[free[0]] = at
        elif not len(within):
            spare.append(at)
    unused = []
    for at, is_declared in sorted([(at, False) for at in spare] + [(at, True) for at in declared.tolist()]):
        closed = np.flatnonzero((closes_at <= at) & (at <= closes_at + grace) & (served == _NONE))
        if len(closed):
            served[closed[-1]] = at
        elif is_declared:
            unused.append(at)
    missed = np.where((served == _NONE) & (closes_at + grace < now), closes_at + grace, _NONE)
    for at in unused:
        open_misses = np.flatnonzero((missed != _NONE) & ~made_up & (closes_at <= at) & (at <= closes_at + make_up))
        if len(open_misses):
            served[open_misses[0]], made_up[open_misses[0]] = at, True
    status = np.select(
        [made_up, (served != _NONE) & (served < closes_at), served != _NONE, missed != _NONE],
        [CheckInStatus.MADE_UP, CheckInStatus.ON_TIME, CheckInStatus.LATE, CheckInStatus.MISSED],
        CheckInStatus.PENDING,
    )
    return CheckInOutcome(status=status.astype(np.int64), served_at=served, missed_at=missed)
