"""Findings about the device, each of its own kind, without dwell: silence, battery, tampering, left behind.

None of them says where anybody was, and none is a violation: silence is a finding, never "all green" (design.md,
invariant 4; reference/domain.md 4, item 12). Reports in, findings and state out: the same for any batch boundaries.

The waking hours and the two limits of stillness are assumptions; no field data of lying phones was at hand:

- *frozen*: the same coordinates and accuracy, to the last digit, through ``frozen_waking_s`` of waking hours. A working
  receiver changes some digit from fix to fix (``QualityPolicy.stale_fix_count``); one that nobody touches may repeat
  its last Wi-Fi position for an hour or two, a phone in use does not for four.
- *left behind*: no fix farther from the place than its error, for ``still_waking_s`` of waking hours. A weekend at home
  is 30 of them; beyond that somebody should ask for a check-in. In 1,400 simulated person-days of ordinary weeks 8
  waking hours of it came 1,073 times, 16 twice, 20 or more never; who lies ill in bed for three days is found. It
  cannot find a phone left at home for one evening: nothing in its positions tells that from an evening at home. Spot
  checks do (``tracking.spot_check``). Not for residential surveillance, where staying is the duty: ``math.inf``.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.silence_kernel import FINDING, FINDINGS_PER_REPORT, WATCH, find_in_reports, find_on_the_clock
from tracking.versions import NEVER

_CHUNK = 50_000


class DeviceFinding(IntEnum):
    """What was found. The numbers may be stored: never change one."""

    SILENCE = 1  # 失联：no usable fix for k reporting intervals
    LOW_BATTERY = 2  # 电量低
    POWER_OFF = 3  # 关机
    PERMISSION_OFF = 4  # 定位权限关闭
    DEVICE_CHANGED = 5  # 更换设备
    MOCK_LOCATION = 6  # 模拟定位
    FROZEN_POSITION = 7  # 位置长时间完全不变
    LEFT_BEHIND = 8  # 疑似人机分离


DEVICE_FINDING_NAMES_ZH: dict[DeviceFinding, str] = {
    DeviceFinding.SILENCE: "失联",
    DeviceFinding.LOW_BATTERY: "电量低",
    DeviceFinding.POWER_OFF: "设备关机",
    DeviceFinding.PERMISSION_OFF: "定位权限关闭",
    DeviceFinding.DEVICE_CHANGED: "更换设备",
    DeviceFinding.MOCK_LOCATION: "模拟定位",
    DeviceFinding.FROZEN_POSITION: "位置长时间完全不变",
    DeviceFinding.LEFT_BEHIND: "疑似人机分离",
}


class DeviceStatus(IntFlag):
    """What a report says of the device. The numbers may be stored."""

    MOCK = 1
    POWER_OFF = 2  # the last word of a device that is being switched off
    PERMISSION_OFF = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SilencePolicy:
    """The limits. ``version`` is stored with what they led to."""

    version: str = "silence-1"
    intervals: float = 3.0
    """Silent after so many reporting intervals without a usable fix: one lost fix is ordinary, three are not."""
    low_battery_percent: float = 15.0
    """About two hours of a phone that reports each minute: time enough to tell the subject to charge it."""
    charged_percent: float = 25.0
    """Low until it is above this again: a reading that wavers around the limit is one finding, not ten."""
    wakes_hour: float = 7.0
    sleeps_hour: float = 22.0
    """Waking hours by the clock of Asia/Shanghai. Whoever works at night needs others."""
    frozen_waking_s: float = 4 * 3_600.0
    still_waking_s: float = 32 * 3_600.0
    still_m: float = 50.0
    """Within this and twice the accuracy (68 %) of a fix nobody has left the place: a house and its yard."""
    least_fix_count: int = 8
    """A device that reports every half hour in four hours: fewer prove no stillness."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.wakes_hour < self.sleeps_hour <= 24.0:
            raise ValueError(
                f"wakes_hour {self.wakes_hour}、sleeps_hour {self.sleeps_hour}：须 0 ≤ 起床 < 就寝 ≤ 24 / "
                "must be 0 ≤ wakes < sleeps ≤ 24"
            )

    def numbers(self) -> NDArray[np.float64]:
        """In the order that ``tracking.silence_kernel`` reads, times in microseconds."""
        return np.array(
            [
                self.low_battery_percent,
                self.charged_percent,
                self.wakes_hour * 3.6e9,
                self.sleeps_hour * 3.6e9,
                self.frozen_waking_s * 1e6,
                self.still_waking_s * 1e6,
                self.still_m,
                self.least_fix_count,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceReports:
    """``n`` reports in columns, in any order; a report is a fix, or a word of the device without one.

    ``subject_no``, ``reported_at`` (event time, microseconds UTC), ``device_no`` (-1: not told): int64. ``longitude``,
    ``latitude`` (WGS-84), ``accuracy_m`` (68 %, the default of the source where not told) and ``battery_percent``:
    float64, NaN where there is none. ``status``: int64, bits of ``DeviceStatus``. Positions that intake refused, or
    flagged as deciding nothing, come as NaN.
    """

    subject_no: NDArray[np.int64]
    reported_at: NDArray[np.int64]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    battery_percent: NDArray[np.float64]
    device_no: NDArray[np.int64]
    status: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.subject_no)

    def take(self, rows: NDArray[np.intp]) -> "DeviceReports":
        """The named rows, in that order."""
        return DeviceReports(
            subject_no=self.subject_no[rows],
            reported_at=self.reported_at[rows],
            longitude=self.longitude[rows],
            latitude=self.latitude[rows],
            accuracy_m=self.accuracy_m[rows],
            battery_percent=self.battery_percent[rows],
            device_no=self.device_no[rows],
            status=self.status[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """``findings``: ``FINDING`` rows by subject and time. ``watches``: ``WATCH`` rows, the state to hand in next time.

    ``passed_over``: which reports ``[n]`` came too late for their place in time (older than the subject's last), were
    outside the watch, or of nobody watched. They change nothing here; late ones need the stretch evaluated again.
    """

    findings: NDArray[Any]
    watches: NDArray[Any]
    passed_over: NDArray[np.bool_]


def begin_watches(
    *,
    subject_no: NDArray[np.int64],
    watched_from: NDArray[np.int64],
    watched_to: NDArray[np.int64] | None = None,
    interval_s: NDArray[np.float64],
    policy: SilencePolicy,
) -> NDArray[Any]:
    """The state of subjects ``[k]`` of whom nothing is known yet: silence counts from ``watched_from``.

    ``watched_to``: the end of the order, beyond which nothing is found. ``interval_s``: what the order sets. Times are
    int64 microseconds. Raises ValueError for a subject twice.
    """
    if len(np.unique(subject_no)) != len(subject_no):
        raise ValueError("同一人重复 / a subject is given twice")
    watches = np.zeros(len(subject_no), dtype=WATCH)
    watches["subject_no"] = subject_no
    watches["watched_to"] = NEVER if watched_to is None else watched_to
    watches["silent_after"] = np.rint(interval_s * policy.intervals * 1e6).astype(np.int64)
    watches["last_fix_at"] = watches["last_report_at"] = watched_from
    for name in ("silent_since", "low_since", "power_since", "permission_since", "mock_since", "device_no"):
        watches[name] = -1
    return watches[np.argsort(subject_no)]


def watch_devices(reports: DeviceReports, watches: NDArray[Any], *, now: int | None, policy: SilencePolicy) -> Watched:
    """What the reports say, and what their absence says until ``now`` (microseconds, UTC, not before any report).

    ``watches``: ``WATCH``, sorted by subject; not changed. A finding that goes on has no end yet; its end is a row of
    its own with ``is_end``, the same kind and ``since``. Silence is dated to the instant at which the limit ran out,
    whoever noticed it when. Raises ValueError for a report from after ``now``. With ``None`` the clock is not asked:
    there may be more reports of that time than are known yet.
    """
    if now is not None and len(reports) and reports.reported_at.max() > now:
        raise ValueError(f"报告晚于 now / a report is from after now = {now}: {reports.reported_at.max()}")
    states = watches.copy()
    order = np.lexsort((reports.reported_at, reports.subject_no))
    sorted_reports = reports.take(order)
    passed_over = np.zeros(len(reports), dtype=bool)
    found = [np.empty(0, dtype=FINDING)]
    for begin in range(0, len(reports), _CHUNK):
        part = sorted_reports.take(np.arange(begin, min(begin + _CHUNK, len(reports))))
        rows = np.empty(len(part) * FINDINGS_PER_REPORT, dtype=FINDING)
        late = np.zeros(len(part), dtype=np.bool_)
        count = find_in_reports(
            part.subject_no,
            part.reported_at,
            part.longitude,
            part.latitude,
            part.accuracy_m,
            part.battery_percent,
            part.device_no,
            part.status,
            states,
            policy.numbers(),
            rows,
            late,
        )
        found.append(rows[:count].copy())
        passed_over[order[begin : begin + _CHUNK]] = late
    if now is not None:
        rows = np.empty(len(states), dtype=FINDING)
        found.append(rows[: find_on_the_clock(states, now, rows)].copy())
    findings = np.concatenate(found)
    by_time = np.lexsort((findings["is_end"], findings["kind"], findings["at"], findings["subject_no"]))
    return Watched(findings=findings[by_time], watches=states, passed_over=passed_over)
