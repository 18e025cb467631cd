"""What a fix is worth beside those before it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from api.files.tracks import read_tracks
from geo.datum import Datum
from geo.projection import geodesic_m
from tests.make import a_batch
from tests.tracking.scene import a_track as a_trembling_track
from tests.tracking.scene import joined, parts
from tracking.fix import FixBatch
from tracking.policy import PresencePolicy
from tracking.quality import DOES_NOT_DECIDE, FixFlag, QualityPolicy
from tracking.quality_sequence import QUALITY_STATE, flag_sequence

a_track = partial(a_trembling_track, trembles=False)
"""Digits exactly as told: repeats are what is tested here."""

POLICY = QualityPolicy()
SPEED = FixFlag.IMPOSSIBLE_SPEED | FixFlag.TELEPORT


def flags_of(*batches: FixBatch) -> list[int]:
    """Flags of batch after batch, each with the state that the one before left."""
    state, found = nothing(), list[int]()
    for batch in batches:
        flags, state = flag_sequence(batch, state, POLICY)
        found += flags.tolist()
    return found


def nothing() -> NDArray[Any]:
    return np.zeros(0, dtype=QUALITY_STATE)


def rows_with(flags: Sequence[int], flag: int) -> list[int]:
    return [row for row, found in enumerate(flags) if found & flag]


def sorted_batch(batch: FixBatch) -> FixBatch:
    """In the order of the contract, resends out."""
    order = np.lexsort((batch.fix_key, batch.fixed_at, batch.subject_no))
    names = np.column_stack([batch.subject_no, batch.fixed_at, batch.fix_key])[order]
    keep = np.append(True, np.any(names[1:] != names[:-1], axis=1))
    return batch.take(order[keep])


# ---- speed


def test_a_jump_away_and_back_flags_what_is_away_and_nothing_else() -> None:
    track = a_track(np.arange(8) / 6, [0, 5, 10, 30_000, 12, 15, 18, 20])
    assert flags_of(track) == [0, 0, 0, FixFlag.TELEPORT, 0, 0, 0, 0]
    slower = a_track(np.arange(8) / 6, [0, 5, 10, 2_500, 12, 15, 18, 20])
    assert flags_of(slower) == [0, 0, 0, FixFlag.IMPOSSIBLE_SPEED, 0, 0, 0, 0]


@pytest.mark.parametrize("speed_mps", [1.4, 35.0, 97.2, 111.2])
@pytest.mark.parametrize("step_s", [1.0, 5.0, 60.0, 600.0])
def test_whatever_moves_on_the_ground_is_not_flagged(speed_mps: float, step_s: float) -> None:
    seconds = np.arange(100) * step_s
    wander = np.random.default_rng(5).normal(0.0, 20.0 / 1.51, 100)
    assert not any(flags_of(a_track(seconds / 60, seconds * speed_mps + wander, accuracy_m=20.0)))


def test_times_cut_to_seconds_do_not_make_a_fast_train_impossible() -> None:
    seconds = np.arange(0.0, 300.0, 1.55)
    assert not any(flags_of(a_track(np.floor(seconds) / 60, seconds * 97.2, accuracy_m=5.0)))


def test_a_journey_or_a_wrong_first_fix_is_accepted_after_three_that_agree() -> None:
    moved = flags_of(a_track(np.arange(10) / 6, [0, 0.1, 0.2] + [50_000 + 3 * step for step in range(7)]))
    assert rows_with(moved, SPEED) == [3, 4]
    assert not any(moved[5:])


def test_places_that_do_not_agree_with_each_other_are_never_believed() -> None:
    east_m = [0, 1, 2, 40_000, -50_000, 60_000, -70_000, 80_000, 3, 4]
    assert rows_with(flags_of(a_track(np.arange(10) / 6, east_m)), SPEED) == [3, 4, 5, 6, 7]


def test_a_stale_place_said_again_and_again_is_not_believed_for_its_number() -> None:
    east_m = [0, 3, 5, *[6_000] * 4, 4, 2]
    assert rows_with(flags_of(a_track(np.arange(9) / 12, east_m)), SPEED) == [3, 4, 5, 6]


def test_an_airliner_is_flagged_in_the_air_and_accepted_after_landing() -> None:
    air_s = np.arange(60, 3600, 60.0)
    east_m = np.concatenate([[0.0, 10.0], air_s * 250.0, air_s[-1] * 250.0 + np.arange(1, 8) * 100.0])
    minutes = np.concatenate([[-1.0, 0.0], air_s / 60, air_s[-1] / 60 + np.arange(1, 8)])
    flags = flags_of(a_track(minutes, east_m))
    assert all(flags[2 : 2 + len(air_s)])
    assert not any(flags[-4:])


def test_bad_accuracy_neither_proves_a_jump_nor_wipes_out_where_the_subject_was() -> None:
    seconds, east_m = [0, 5, 10, 15], [0, 4_000, 8_000, 1]
    assert flags_of(a_track(np.array(seconds) / 60, east_m, accuracy_m=[10, 5_000, 10, 10])) == [
        0,
        0,
        FixFlag.TELEPORT,
        0,
    ]


def test_a_real_fix_after_a_stale_stretch_is_not_held_against_it() -> None:
    minutes = [*range(11), 10.05]
    flags = flags_of(a_track(minutes, [0.0] * 11 + [20_000.0]))
    assert flags[-1] == 0


def test_what_intake_found_worthless_is_no_part_of_the_sequence() -> None:
    track = a_track(np.arange(6) / 6, [0, 1, 90_000, 90_001, 90_002, 2], flags=[0, 0, 32, 4, 2, 0])
    assert flags_of(track) == [0] * 6


def test_across_the_antimeridian_and_at_the_pole_metres_are_metres() -> None:
    track = a_track(np.arange(4) / 6, [0] * 4)
    east = FixBatch(
        **{name: getattr(track, name) for name in FixBatch.__dataclass_fields__ if name not in {"longitude"}},
        longitude=np.array([179.9999, -179.9999, 179.9998, -179.9998]),
    )
    assert flags_of(east) == [0] * 4


# ---- repeats


def test_an_observation_repeated_under_newer_times_is_stale() -> None:
    flags = flags_of(a_track(np.arange(0, 10, 1 / 30), 7.0))  # mini program in the background: every 2 s
    assert rows_with(flags, FixFlag.STALE_REPEAT) == list(range(60, 300))


def test_three_of_a_kind_and_short_repeats_are_not_stale() -> None:
    assert not any(flags_of(a_track([0, 10, 20], 7.0)))
    assert not any(flags_of(a_track(np.arange(50) / 30, 7.0)))


@given(st.integers(0, 2**31), st.sampled_from([0.5, 3.0, 10.0, 50.0]), st.sampled_from([1.0, 10.0, 60.0, 300.0]))
@settings(max_examples=50)
def test_a_still_phone_with_real_jitter_is_never_flagged(seed: int, accuracy_m: float, step_s: float) -> None:
    rng = np.random.default_rng(seed)
    fresh = rng.normal(0.0, accuracy_m / 1.51, (200, 2))
    keep = np.exp(-step_s / 60.0)
    error = np.zeros((200, 2))
    for row in range(1, 200):
        error[row] = keep * error[row - 1] + np.sqrt(1 - keep**2) * fresh[row]
    minutes = np.arange(200) * step_s / 60
    assert not any(flags_of(a_track(minutes, error[:, 0], error[:, 1], accuracy_m=accuracy_m)))


def test_the_same_place_with_another_accuracy_is_news() -> None:
    assert not any(flags_of(a_track(np.arange(20), 7.0, accuracy_m=10 + np.arange(20) % 2)))


def test_a_second_observation_of_one_instant_is_flagged() -> None:
    track = a_track([0, 1, 1, 2], [0, 1, 3, 4], fix_key=[5, 6, 7, 8])
    assert flags_of(track) == [0, 0, FixFlag.SAME_INSTANT, 0]


def test_none_of_these_flags_lets_a_fix_decide() -> None:
    for flag in (SPEED, FixFlag.STALE_REPEAT, FixFlag.SAME_INSTANT):
        assert int(flag) & DOES_NOT_DECIDE == flag


# ---- memory


def test_after_a_silence_nothing_is_held_against_a_fix() -> None:
    limit = POLICY.forget_after_s / 60
    assert flags_of(a_track([0, 1, 1 + limit + 0.01], [0, 0, 2_000_000])) == [0, 0, 0]
    assert flags_of(a_track([0, 1, 1 + limit - 0.01], [0, 0, 2_000_000])) == [0, 0, FixFlag.TELEPORT]


def test_memory_ends_where_presence_does() -> None:
    """A stretch between two silences is evaluated again alone, after a late fix: flags must come out the same."""
    assert PresencePolicy().silence_s == POLICY.forget_after_s
    assert PresencePolicy().small.dwell_s > POLICY.stale_after_s


def test_rows_out_of_order_are_refused() -> None:
    track = a_track([0, 1, 2], [0, 1, 2], subject_no=[1, 1, 2], fix_key=[3, 4, 5])
    for order in ([1, 0, 2], [2, 0, 1]):
        with pytest.raises(ValueError, match="sort by"):
            flag_sequence(track.take(np.array(order)), nothing(), POLICY)
    _, state = flag_sequence(track, nothing(), POLICY)
    with pytest.raises(ValueError, match="fix 0 is older"):
        flag_sequence(track.take(np.array([0])), state, POLICY)


def test_the_last_fix_again_gets_the_same_flags_and_changes_nothing() -> None:
    track = a_track([0, 0.1], [0, 50_000])
    flags, state = flag_sequence(track, nothing(), POLICY)
    again, same = flag_sequence(track.take(np.array([1])), state, POLICY)
    assert again.tolist() == [flags[1]] == [FixFlag.TELEPORT]
    assert same.tobytes() == state.tobytes()


def test_state_keeps_absent_subjects_and_takes_in_new_ones_without_touching_its_argument() -> None:
    _, state = flag_sequence(a_track([0, 1], [0, 1], subject_no=[2, 5]), nothing(), POLICY)
    before = state.tobytes()
    _, after = flag_sequence(a_track([2, 2, 2], [0, 1, 2], subject_no=[1, 5, 9]), state, POLICY)
    assert after["subject_no"].tolist() == [1, 2, 5, 9]
    assert after[1].tobytes() == state[0].tobytes()
    assert state.tobytes() == before
    flags, same = flag_sequence(a_track([], []), after, POLICY)
    assert (len(flags), same.tobytes()) == (0, after.tobytes())


@st.composite
def sequences(draw: st.DrawFn) -> FixBatch:
    """Two subjects with stays, jumps, repeats, silences, equal instants, bad accuracy and flags of intake."""
    tracks = []
    for subject in (1, 2):
        steps_s = draw(st.lists(st.sampled_from([0, 1, 2, 5, 30, 60, 130, 1799, 1800, 1801]), min_size=1, max_size=40))
        count = len(steps_s)

        def some(values: Sequence[float], size: int = count) -> list[float]:
            return draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))

        tracks.append(
            a_track(
                np.cumsum(steps_s) / 60,
                some([0.0, 0.0, 0.0, 7.0, 500.0, 9_000.0, 9_100.0, 80_000.0]),
                accuracy_m=some([10.0, 10.0, 50.0, 3_000.0]),
                subject_no=subject,
                fix_key=np.array(some(list(range(50))), dtype=np.int64),
                flags=np.array(some([0, 0, 0, 1, 32])).astype(np.int32),
            )
        )
    return sorted_batch(joined(*tracks))


@given(sequences(), st.lists(st.integers(0, 80), max_size=6))
@settings(max_examples=300)
def test_batch_boundaries_change_no_flag(batch: FixBatch, cuts: list[int]) -> None:
    whole, state = flag_sequence(batch, nothing(), POLICY)
    carried, found = nothing(), list[int]()
    for part in parts(batch, cuts):
        flags, carried = flag_sequence(part, carried, POLICY)
        found += flags.tolist()
    assert found == whole.tolist()
    assert carried.tobytes() == state.tobytes()


@given(sequences())
@settings(max_examples=200)
def test_a_stretch_after_a_silence_is_flagged_alone_as_in_the_whole(batch: FixBatch) -> None:
    whole, _ = flag_sequence(batch, nothing(), POLICY)
    new_subject = batch.subject_no[1:] != batch.subject_no[:-1]
    starts = 1 + np.flatnonzero(new_subject | (np.diff(batch.fixed_at) > POLICY.forget_after_s * 1e6))
    for stretch, flags in zip(parts(batch, starts.tolist()), np.split(whole, starts), strict=True):
        assert flag_sequence(stretch, nothing(), POLICY)[0].tolist() == flags.tolist()


@given(sequences())
@settings(max_examples=100)
def test_a_flag_never_depends_on_what_comes_later(batch: FixBatch) -> None:
    whole, _ = flag_sequence(batch, nothing(), POLICY)
    half = len(batch) // 2
    assert flag_sequence(batch.take(np.arange(half)), nothing(), POLICY)[0].tolist() == whole[:half].tolist()


# ---- real tracks


def real_batch(path: Path, *, timezone: str | None = None) -> FixBatch:
    fixes: dict[str, list[Any]] = {}
    for read in read_tracks(path, datum=Datum.WGS84, timezone=timezone):
        fixes.setdefault(read.subject_ref, []).extend(read.fixes)
    return sorted_batch(joined(*(a_batch(fixes[name], subject_no=number) for number, name in enumerate(fixes))))


@pytest.mark.real
def test_geolife_spikes_are_caught_and_hardly_anything_else(real_data: Callable[[str], Path]) -> None:
    batch = real_batch(real_data("geolife_trackintel_plt/plt_users_000_002-004_006-010.tar.gz"))
    flags, _ = flag_sequence(batch, nothing(), POLICY)
    step_m = geodesic_m(batch.longitude[:-1], batch.latitude[:-1], batch.longitude[1:], batch.latitude[1:])
    step_s = np.diff(batch.fixed_at) / 1e6
    is_same = (np.diff(batch.subject_no) == 0) & (step_s > 0) & (step_s <= 1800)
    # Beyond every vehicle by so much that no error of two satellite fixes explains it.
    spikes = 1 + np.flatnonzero(is_same & (step_m - 80.0 > 120.0 * (step_s + 1.0)))
    assert len(spikes) >= 10
    assert np.all(flags[spikes] & int(SPEED))
    assert np.count_nonzero(flags & int(SPEED)) <= 30
    assert 0 < np.count_nonzero(flags) < 0.01 * len(batch)


@pytest.mark.real
def test_a_phone_on_a_train_located_by_cells_is_flagged_where_it_jumps(real_data: Callable[[str], Path]) -> None:
    batch = real_batch(real_data("phone_accuracy_tracks/posmo_trajectory.csv"), timezone="UTC")
    flags, _ = flag_sequence(batch, nothing(), POLICY)
    assert flags[306] == FixFlag.TELEPORT  # 2.8 km back in 5 s, to where the phone had been a minute before
    assert 20 <= np.count_nonzero(flags & int(SPEED)) <= 0.05 * len(batch)
