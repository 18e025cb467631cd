"""What is found about devices, for any batch boundaries; what a sleeper and an ordinary week must not set off."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.tracking.test_order import in_shanghai
from tracking.rules import to_microseconds
from tracking.silence import (
    DEVICE_FINDING_NAMES_ZH,
    DeviceFinding,
    DeviceReports,
    DeviceStatus,
    SilencePolicy,
    Watched,
    begin_watches,
    watch_devices,
)
from tracking.simulate import TEST_SEEDS_FROM, simulate
from tracking.simulate_delivery import ROUGH

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = to_microseconds(in_shanghai(2026, 3, 2))
POLICY = SilencePolicy()
Row = tuple[int, float, dict[str, float]]
"""Subject, minute, and what the report tells beyond a fix at the usual place."""


def reports_of(rows: Sequence[Row]) -> DeviceReports:
    def column(name: str, usual: float) -> NDArray[np.float64]:
        return np.array([extra.get(name, usual) for _, _, extra in rows], dtype=np.float64)

    return DeviceReports(
        subject_no=np.array([subject for subject, _, _ in rows], dtype=np.int64),
        reported_at=np.array([START + round(minute * MINUTE) for _, minute, _ in rows], dtype=np.int64),
        longitude=column("longitude", 117.25),
        latitude=column("latitude", 34.25),
        accuracy_m=column("accuracy_m", 20.0),
        battery_percent=column("battery", math.nan),
        device_no=column("device", -1).astype(np.int64),
        status=column("status", 0).astype(np.int64),
    )


def a_watch(
    subjects: Sequence[int] = (1,), *, policy: SilencePolicy = POLICY, until: int | None = None
) -> NDArray[np.void]:
    count = len(subjects)
    return begin_watches(
        subject_no=np.array(subjects, dtype=np.int64),
        watched_from=np.full(count, START),
        watched_to=None if until is None else np.full(count, until),
        interval_s=np.full(count, 300.0),
        policy=policy,
    )


def found(rows: Sequence[Row], *, now: float, policy: SilencePolicy = POLICY) -> list[tuple[str, float, float, bool]]:
    """Kind, minute since, minute at, whether it is the end."""
    watched = watch_devices(reports_of(rows), a_watch(policy=policy), now=START + round(now * MINUTE), policy=policy)
    return told(watched)


def told(watched: Watched) -> list[tuple[str, float, float, bool]]:
    return [
        (
            DeviceFinding(int(row["kind"])).name,
            (int(row["since"]) - START) / MINUTE,
            (int(row["at"]) - START) / MINUTE,
            bool(row["is_end"]),
        )
        for row in watched.findings
    ]


NO_FIX = {"longitude": math.nan, "latitude": math.nan}
MOCK, OFF, DENIED = int(DeviceStatus.MOCK), int(DeviceStatus.POWER_OFF), int(DeviceStatus.PERMISSION_OFF)


@pytest.mark.parametrize(
    ("name", "rows", "now", "expected"),
    [
        ("从未上报：自开始监管起算", [], 16, [("SILENCE", 0, 15, False)]),
        ("限期最后一刻还不算失联", [], 15, []),
        ("每五分钟一报，不失联", [(1, m, {}) for m in range(0, 60, 5)], 60, []),
        (
            "失联后恢复：起止各一条",
            [(1, 0, {}), (1, 40, {})],
            41,
            [("SILENCE", 0, 15, False), ("SILENCE", 0, 40, True)],
        ),
        (
            "无定位的心跳不解除失联",
            [(1, 0, {}), (1, 10, NO_FIX), (1, 20, NO_FIX)],
            21,
            [("SILENCE", 0, 15, False)],
        ),
        (
            "模拟定位不解除失联，另列一条",
            [(1, 0, {}), (1, 10, {"status": MOCK}), (1, 20, {})],
            21,
            [
                ("MOCK_LOCATION", 10, 10, False),
                ("SILENCE", 0, 15, False),
                ("SILENCE", 0, 20, True),
                ("MOCK_LOCATION", 10, 20, True),
            ],
        ),
        (
            "电量低只报一次，充到阈值以上才结束",
            [(1, 5.0 * place, {"battery": percent}) for place, percent in enumerate((30, 15, 16, 14, 26))],
            21,
            [("LOW_BATTERY", 5, 5, False), ("LOW_BATTERY", 5, 20, True)],
        ),
        (
            "关机立即发现，无停留时间",
            [(1, 0, {}), (1, 3, NO_FIX | {"status": OFF}), (1, 9, {})],
            10,
            [("POWER_OFF", 3, 3, False), ("POWER_OFF", 3, 9, True)],
        ),
        (
            "关闭定位权限",
            [(1, 0, {}), (1, 3, NO_FIX | {"status": DENIED}), (1, 6, NO_FIX | {"status": DENIED})],
            10,
            [("PERMISSION_OFF", 3, 3, False)],
        ),
        (
            "更换设备：首次认识不算",
            [(1, 0, {"device": 7}), (1, 5, {"device": 7}), (1, 8, {}), (1, 10, {"device": 8}), (1, 12, {"device": 7})],
            13,
            [("DEVICE_CHANGED", 10, 10, False), ("DEVICE_CHANGED", 12, 12, False)],
        ),
    ],
)  # fmt: skip
def test_each_kind_is_found_by_itself_and_at_once(
    name: str, rows: list[Row], now: float, expected: list[tuple[str, float, float, bool]]
) -> None:
    assert found(rows, now=now) == expected


# ---- stillness


def lying(minutes: float, *, from_minute: float = 0.0, every: float = 5.0, jitter_m: float = 0.0) -> list[Row]:
    rng = np.random.default_rng(3)
    rows: list[Row] = []
    for minute in np.arange(from_minute, from_minute + minutes, every):
        shift = rng.normal(0.0, jitter_m, 2) / 100_000.0
        rows.append((1, float(minute), {"longitude": 117.25 + shift[0], "latitude": 34.25 + shift[1]}))
    return rows


def first(kind: str, findings: list[tuple[str, float, float, bool]]) -> float | None:
    return next((at for found_kind, _, at, is_end in findings if found_kind == kind and not is_end), None)


def test_position_frozen_to_the_last_digit_counts_waking_hours_only() -> None:
    findings = found(lying(24 * 60), now=24 * 60)
    assert first("FROZEN_POSITION", findings) == (7 + 4) * 60, "nothing all night; four hours after seven"
    assert found(lying(24 * 60, jitter_m=0.01), now=24 * 60) == []


def test_frozen_position_ends_with_the_first_digit_that_changes() -> None:
    rows = [*lying(12 * 60), (1, 12 * 60, {"accuracy_m": 20.1})]
    assert found(rows, now=12 * 60)[-1] == ("FROZEN_POSITION", 0, 12 * 60, True)


def test_phone_that_nobody_took_along_for_two_days_and_more_is_found() -> None:
    findings = found(lying(4 * 1440, jitter_m=15.0), now=4 * 1440)
    # 15 waking hours a day: 30 after two days, 32 at nine o'clock of the third.
    assert first("LEFT_BEHIND", findings) == pytest.approx(2 * 1440 + 9 * 60, abs=30)
    never = replace(POLICY, still_waking_s=math.inf)
    assert found(lying(4 * 1440, jitter_m=15.0), now=4 * 1440, policy=never) == []


def test_a_walk_out_of_the_house_ends_and_restarts_stillness_but_an_outlier_does_not() -> None:
    away = {"longitude": 117.26}
    stay = lying(4 * 1440, jitter_m=15.0)
    with_outliers = [row if place % 50 else (1, row[1], away) for place, row in enumerate(stay)]
    assert first("LEFT_BEHIND", found(with_outliers, now=4 * 1440)) is not None
    with_walks = [row if place % 200 > 5 else (1, row[1], away) for place, row in enumerate(stay)]
    assert first("LEFT_BEHIND", found(with_walks, now=4 * 1440)) is None


def simulated(scenario: str, *, people: int, days: int, interval_s: float) -> Watched:
    simulation = simulate(scenario, people=people, days=days, seed=TEST_SEEDS_FROM, delivery=ROUGH)
    fixes = simulation.fixes
    nothing = np.full(len(fixes), math.nan)
    reports = DeviceReports(
        subject_no=fixes.subject_no,
        reported_at=fixes.fixed_at,
        longitude=fixes.longitude,
        latitude=fixes.latitude,
        accuracy_m=fixes.accuracy_m,
        battery_percent=nothing,
        device_no=np.full(len(fixes), -1),
        status=np.zeros(len(fixes), dtype=np.int64),
    )
    watches = begin_watches(
        subject_no=np.arange(people, dtype=np.int64),
        watched_from=np.full(people, int(fixes.fixed_at.min())),
        interval_s=np.full(people, interval_s),
        policy=POLICY,
    )
    return watch_devices(reports, watches, now=int(fixes.fixed_at.max()), policy=POLICY)


def kinds(watched: Watched) -> dict[str, int]:
    begun = watched.findings[~watched.findings["is_end"]]["kind"]
    return {kind.name: int(np.sum(begun == kind)) for kind in DeviceFinding if np.any(begun == kind)}


def test_nights_asleep_and_days_of_an_ordinary_week_set_off_no_stillness() -> None:
    """Everybody sleeps at home from the evening to past seven, and stays at work for up to 9.5 hours."""
    watched = simulated("ordinary_week", people=30, days=14, interval_s=300.0)
    assert set(kinds(watched)) <= {"SILENCE"}, "420 nights"


def test_a_day_spent_in_bed_sets_off_nothing_either() -> None:
    assert set(kinds(simulated("resident", people=40, days=2, interval_s=300.0))) <= {"SILENCE"}


# ---- any batch boundaries

extras = st.fixed_dictionaries(
    {},
    optional={
        "longitude": st.sampled_from([math.nan, 117.25, 117.26, 117.2501]),
        "accuracy_m": st.sampled_from([5.0, 20.0, 900.0, math.nan]),
        "battery": st.sampled_from([5.0, 15.0, 20.0, 26.0]),
        "device": st.integers(-1, 2),
        "status": st.integers(0, 7),
    },
)
streams = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 400), extras), max_size=40)
QUICK = replace(POLICY, frozen_waking_s=600.0, still_waking_s=900.0, least_fix_count=2, wakes_hour=0.0, sleeps_hour=6.0)


def unique_in_time(rows: list[Row]) -> list[Row]:
    """One report per subject and minute, by time: two of one instant have no order to keep."""
    return sorted(
        {(subject, minute): (subject, minute, extra) for subject, minute, extra in rows}.values(), key=by_minute
    )


def by_minute(row: Row) -> float:
    return row[1]


@settings(deadline=None)
@given(streams, st.lists(st.integers(0, 400), max_size=5), st.integers(0, 60), st.randoms(use_true_random=False))
def test_batch_boundaries_and_looks_at_the_clock_change_nothing(
    rows: list[Row], cuts: list[int], more: int, order: object
) -> None:
    rows = unique_in_time(rows)
    end = START + (400 + more) * MINUTE
    whole = watch_devices(reports_of(rows), a_watch((1, 2, 3)), now=end, policy=QUICK)
    watches, pieces = a_watch((1, 2, 3)), []
    bounds = [-1, *sorted(cuts), 400]
    for begin, until in pairwise(bounds):
        part = [row for row in rows if begin < row[1] <= until]
        order.shuffle(part)  # type: ignore[attr-defined]
        now = START + until * MINUTE if until < 400 else end
        step = watch_devices(reports_of(part), watches, now=now, policy=QUICK)
        assert not step.passed_over.any()
        watches = step.watches
        pieces.append(step.findings)
    together = np.concatenate(pieces)
    by_time = np.lexsort((together["is_end"], together["kind"], together["at"], together["subject_no"]))
    assert repr(together[by_time].tolist()) == repr(whole.findings.tolist())
    assert repr(watches.tolist()) == repr(whole.watches.tolist())


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), max_size=30, unique=True), st.integers(400, 500))
def test_silences_are_the_gaps_longer_than_the_limit(minutes: list[int], now: int) -> None:
    instants = [0, *sorted(minutes), now]
    gaps = [(float(a), float(b)) for a, b in pairwise(instants) if b - a > 15]
    findings = found([(1, m, {}) for m in minutes], now=now)
    begun = [(since, at) for kind, since, at, is_end in findings if kind == "SILENCE" and not is_end]
    assert begun == [(a, a + 15) for a, _ in gaps]


def test_every_beginning_has_at_most_one_end_and_state_is_not_changed_in_place() -> None:
    watches = a_watch()
    before = watches.copy()
    watch_devices(reports_of(lying(600)), watches, now=START + 600 * MINUTE, policy=POLICY)
    assert watches.tobytes() == before.tobytes()


def test_what_is_late_outside_the_watch_or_of_nobody_is_passed_over_and_named() -> None:
    watches = a_watch(until=START + 10 * MINUTE)
    first_step = watch_devices(reports_of([(1, 5, {})]), watches, now=START + 5 * MINUTE, policy=POLICY)
    step = watch_devices(
        reports_of([(1, 4, {"status": OFF}), (2, 6, {}), (1, 6, {}), (1, 10, {"status": MOCK})]),
        first_step.watches,
        now=START + 400 * MINUTE,
        policy=POLICY,
    )
    assert step.passed_over.tolist() == [True, True, False, True]
    assert len(step.findings) == 0, "the order ended before the silence limit ran out"


def test_refusals_and_names() -> None:
    with pytest.raises(ValueError, match="now"):
        watch_devices(reports_of([(1, 5, {})]), a_watch(), now=START, policy=POLICY)
    with pytest.raises(ValueError, match="同一人"):
        a_watch((1, 1))
    with pytest.raises(ValueError, match="wakes_hour"):
        SilencePolicy(wakes_hour=23.0)
    assert set(DEVICE_FINDING_NAMES_ZH) == set(DeviceFinding)
