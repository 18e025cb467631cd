"""What becomes of a check-in, by the clock and by its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.check_in import CheckInPolicy, CheckInState, CheckInTimes, settle_check_in

WINDOW = CheckInTimes(opens_at=0, due_at=60, grace_until=75, make_up_until=180)
"""In minutes: an hour, a quarter of grace, and two hours to make it up."""
LIMIT = CheckInTimes(opens_at=0, due_at=15, grace_until=15)
"""A spot check."""


@pytest.mark.parametrize(
    ("name", "times", "answered_at", "now", "state", "is_missed"),
    [
        ("还没到点", WINDOW, None, -1, "planned", False),
        ("窗口内，未打卡", WINDOW, None, 60, "open", False),
        ("窗口结束的一刻仍按时", WINDOW, 60, 61, "answered", False),
        ("宽限内", WINDOW, 61, 61, "late", False),
        ("宽限最后一刻", WINDOW, 75, 99, "late", False),
        ("宽限最后一刻还不算缺勤", WINDOW, None, 75, "open", False),
        ("过了宽限", WINDOW, None, 76, "missed", True),
        ("补打，缺勤仍在案", WINDOW, 80, 99, "late", True),
        ("补打最后一刻", WINDOW, 180, 181, "late", True),
        ("补打期已过", WINDOW, None, 181, "absent", True),
        ("抽检：限时的一刻仍按时", LIMIT, 15, 15, "answered", False),
        ("抽检：限时已过", LIMIT, None, 16, "missed", True),
        ("抽检不能补打，缺勤不再变", LIMIT, None, 9_999, "missed", True),
        ("将来的应答还不算", LIMIT, 10, 9, "open", False),
    ],
)
def test_a_check_in_becomes_what_the_clock_and_the_subject_make_it(
    name: str, times: CheckInTimes, answered_at: int | None, now: int, state: str, is_missed: bool
) -> None:
    assert settle_check_in(times, answered_at=answered_at, now=now) is CheckInState(state)
    assert times.is_missed(answered_at=answered_at, now=now) is is_missed


def test_it_may_be_answered_from_its_opening_until_the_miss_is_final() -> None:
    assert [WINDOW.may_be_answered(now) for now in (-1, 0, 76, 180, 181)] == [False, True, True, True, False]
    assert [LIMIT.may_be_answered(now) for now in (0, 15, 16)] == [True, True, False]


@given(st.sampled_from([WINDOW, LIMIT]), st.none() | st.integers(0, 200), st.lists(st.integers(-10, 400), min_size=2))
def test_time_takes_no_answer_and_no_miss_back(times: CheckInTimes, answered_at: int | None, looks: list[int]) -> None:
    answer = answered_at if answered_at is not None and times.may_be_answered(answered_at) else None
    final = settle_check_in(times, answered_at=answer, now=400)
    was_missed = False
    for now in sorted(looks):
        state = settle_check_in(times, answered_at=answer, now=now)
        if answer is not None and answer <= now:
            assert state is final
        is_missed = times.is_missed(answered_at=answer, now=now)
        assert is_missed or not was_missed
        was_missed = is_missed


def test_a_policy_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="grace"):
        CheckInPolicy(grace_s=10.0, make_up_s=5.0)
