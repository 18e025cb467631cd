"""What a fix is worth by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.position import find_position_fault
from tests.make import EVENING, a_fix
from tracking.quality import (
    DOES_NOT_DECIDE,
    FLAG_NAMES,
    INTAKE_DOES_NOT_DECIDE,
    FixFlag,
    QualityPolicy,
    Refusal,
    describe_flags,
    find_flags,
    find_refusal,
)


def assess(*, received_at: datetime = EVENING + timedelta(seconds=1), **changes: Any) -> tuple[int, Refusal | None]:
    fix, policy = replace(a_fix(), **changes), QualityPolicy()
    flags = find_flags(fix, received_at=received_at, policy=policy)
    return flags, find_refusal(fix, received_at=received_at, policy=policy)


def test_a_good_fix_is_accepted_without_a_flag() -> None:
    assert assess(altitude_m=41.3) == (0, None)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"accuracy_m": None}, FixFlag.ACCURACY_ASSUMED),
        ({"accuracy_m": 0.0}, FixFlag.ACCURACY_ASSUMED),
        ({"accuracy_m": float("nan")}, FixFlag.ACCURACY_ASSUMED),
        ({"accuracy_m": -1.0}, FixFlag.ACCURACY_ASSUMED | FixFlag.DECLARED_INVALID),
        ({"accuracy_m": 17_000.0}, FixFlag.ACCURACY_ABSURD),
        ({"accuracy_m": 10_000.0}, FixFlag(0)),
        ({"is_mock": True}, FixFlag.MOCK),
        ({"received_at": EVENING - timedelta(seconds=299)}, FixFlag.CLOCK_AHEAD),
    ],
)
def test_what_is_doubtful_is_flagged_and_taken(changes: dict[str, Any], flags: FixFlag) -> None:
    assert assess(**changes) == (flags, None)


@pytest.mark.parametrize(
    "altitude_m", [0.0, -0.0, -1.0, -999.0, -9999.0, -777.0, 9999.0, 32767.0, 65535.0, float("nan")]
)
def test_an_altitude_that_stands_for_none_is_unknown_and_costs_no_position(altitude_m: float) -> None:
    assert assess(altitude_m=altitude_m) == (FixFlag.ALTITUDE_UNKNOWN, None)
    assert not FixFlag.ALTITUDE_UNKNOWN & DOES_NOT_DECIDE


@pytest.mark.parametrize("altitude_m", [None, -154.0, 0.1, 44.0, 8848.9])
def test_altitudes_of_the_ground_pass(altitude_m: float | None) -> None:
    assert assess(altitude_m=altitude_m) == (0, None)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"longitude": 0.0, "latitude": 0.0}, "longitude", "无定位"),
        ({"longitude": 34.26, "latitude": 117.2}, "latitude", "互换"),  # Xuzhou
        ({"longitude": 43.8, "latitude": 87.6}, "latitude", "互换"),  # Urumqi: both pass as degrees
        ({"longitude": float("nan")}, "longitude", "超出范围"),
        ({"latitude": float("nan")}, "latitude", "超出范围"),
        ({"longitude": float("inf")}, "longitude", "超出范围"),
        ({"latitude": -91.0}, "latitude", "超出范围"),
        ({"fixed_at": datetime(1980, 1, 6, tzinfo=UTC)}, "fixed_at", "2000"),
        ({"received_at": EVENING - timedelta(seconds=301)}, "fixed_at", "未来"),
    ],
)
def test_what_is_no_fix_is_refused_by_its_field_with_what_to_do(
    changes: dict[str, Any], field: str, reason: str
) -> None:
    _, refusal = assess(**changes)
    assert refusal is not None
    assert (refusal.field, reason in refusal.reason) == (field, True)


@given(st.floats(73.6, 134.7), st.floats(18.2, 53.5))
def test_no_place_in_china_is_refused_and_every_one_swapped_is(longitude: float, latitude: float) -> None:
    assert find_position_fault(longitude=longitude, latitude=latitude) is None
    fault = find_position_fault(longitude=latitude, latitude=longitude)
    assert fault is not None
    assert "swapped" in fault.reason


def test_missing_accuracy_is_no_reason_not_to_decide_but_an_invalid_position_is() -> None:
    assert not FixFlag.ACCURACY_ASSUMED & DOES_NOT_DECIDE
    assert not FixFlag.CLOCK_AHEAD & DOES_NOT_DECIDE
    for flag in (FixFlag.MOCK, FixFlag.DECLARED_INVALID, FixFlag.ACCURACY_ABSURD):
        assert flag & INTAKE_DOES_NOT_DECIDE & DOES_NOT_DECIDE


def test_every_flag_has_its_words_in_both_languages_and_says_whether_it_decides() -> None:
    assert set(FLAG_NAMES) == set(FixFlag)
    for flag, words in FLAG_NAMES.items():
        chinese, english = words.split(" / ")
        assert chinese != english
        assert ("不作依据" in chinese, "decides nothing" in english) == (bool(flag & DOES_NOT_DECIDE),) * 2
    assert describe_flags(0) == ()
    assert describe_flags(FixFlag.MOCK | FixFlag.TELEPORT) == (FLAG_NAMES[FixFlag.MOCK], FLAG_NAMES[FixFlag.TELEPORT])


def test_stored_numbers_of_flags_never_change() -> None:
    assert {flag.name: flag.value for flag in FixFlag} == {
        "ACCURACY_ASSUMED": 1,
        "ACCURACY_ABSURD": 2,
        "DECLARED_INVALID": 4,
        "ALTITUDE_UNKNOWN": 8,
        "CLOCK_AHEAD": 16,
        "MOCK": 32,
        "IMPOSSIBLE_SPEED": 256,
        "TELEPORT": 512,
        "STALE_REPEAT": 1024,
        "SAME_INSTANT": 2048,
    }
