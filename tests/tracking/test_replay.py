"""What would have been seen: hop 4 with no order and no database."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from tests.tracking.scene import (
    START,
    a_condition,
    a_scene,
    a_track,
    a_zone,
    an_area,
    an_order,
    evenings,
    joined,
)
from tracking.episode import Ending, Episode, Tier
from tracking.fix import FixBatch
from tracking.order import ConditionKind
from tracking.policy import PresencePolicy
from tracking.presence_rows import to_instant
from tracking.replay import replay
from tracking.rules import ZoneBook
from tracking.zone import Zone
from venues.category import VenueCategory

POLICY = PresencePolicy()


def replayed(fixes: FixBatch, *zones: Zone) -> tuple[Episode, ...]:
    return replay(fixes, ZoneBook.build(zones), policy=POLICY)


def drawn(zone_no: int, *, east_m: float = 0.0, radius_m: float = 35.0) -> Zone:
    """An exclusion zone as a file gives it: no category."""
    return a_zone(zone_no, east_m=east_m, radius_m=radius_m, category=None)


def test_inside_an_exclusion_zone_is_found() -> None:
    visit = a_track(np.arange(30.0), [500.0] * 5 + [0.0] * 20 + [500.0] * 5)
    (episode,) = replayed(visit, drawn(7))
    assert (episode.zone_no, episode.condition_no, episode.tier) == (7, 0, Tier.PROBABLE)
    assert (episode.is_entry, episode.ended_by, episode.fix_count) == (True, Ending.EXIT, 20)


def test_outside_an_inclusion_zone_is_found() -> None:
    trip = a_track(np.arange(30.0), [0.0] * 5 + [2_500.0] * 20 + [0.0] * 5)
    (episode,) = replayed(trip, an_area(7))
    assert (episode.zone_no, episode.condition_no, episode.tier) == (7, 7, Tier.PROBABLE)
    assert (episode.is_entry, episode.ended_by, episode.fix_count) == (True, Ending.EXIT, 20)


def test_every_subject_is_held_against_every_zone() -> None:
    fixes = joined(a_track(np.arange(10.0), 0.0, subject_no=5), a_track(np.arange(10.0), 3_000.0, subject_no=2))
    found = replayed(fixes, drawn(1), drawn(4, east_m=3_000.0), an_area(9))
    assert [(item.subject_no, item.zone_no) for item in found] == [(2, 4), (2, 9), (5, 1)]


def test_episodes_come_by_subject_then_start_then_zone() -> None:
    east_m = [0.0] * 10 + [500.0] * 3 + [180.0] * 10
    fixes = joined(*[a_track(np.arange(23.0), east_m, subject_no=number) for number in (2, 1)])
    found = replayed(fixes, drawn(3), drawn(2), drawn(1, east_m=180.0))
    assert [(item.subject_no, item.zone_no) for item in found] == [(1, 2), (1, 3), (1, 1), (2, 2), (2, 3), (2, 1)]


def test_fixes_of_any_time_are_taken() -> None:
    """No order limits a replay: it is for trying a zone on history."""
    long_ago = a_track(np.arange(10.0), 0.0)
    shifted = replace(long_ago, fixed_at=long_ago.fixed_at - START + 1_000_000)
    (episode,) = replayed(shifted, drawn(1))
    assert episode.started_at == to_instant(1_000_000)


def test_a_poison_row_does_not_stop_a_replay() -> None:
    visit = a_track(np.arange(10.0), 0.0)
    longitude = visit.longitude.copy()
    longitude[4] = np.nan
    (episode,) = replayed(replace(visit, longitude=longitude), drawn(1))
    assert episode.fix_count == 9


def test_nothing_in_gives_nothing_out() -> None:
    assert replayed(a_track([], []), drawn(1)) == ()
    assert replayed(a_track([0.0], 0.0)) == ()


@settings(deadline=None)
@given(evenings())
def test_a_replay_finds_what_an_order_over_the_same_zones_would(batch: FixBatch) -> None:
    zones = [drawn(1), drawn(2, east_m=180.0, radius_m=60.0), an_area(3)]
    orders = [
        an_order(
            *[a_condition(10 * subject + n, ConditionKind.EXCLUSION_ZONE, zone_no=n) for n in (1, 2)],
            a_condition(10 * subject + 3, ConditionKind.STAY_WITHIN_AREA, zone_no=3),
            subject_no=subject,
        )
        for subject in (1, 2)
    ]
    ordered = a_scene(*zones, orders=orders).run(batch).episodes
    assert {as_seen(item) for item in replayed(batch, *zones)} == {as_seen(item) for item in ordered}


def as_seen(episode: Episode) -> tuple[object, ...]:
    """All but what names the rule."""
    names = [name for name in Episode.__slots__ if name not in {"episode_id", "condition_no"}]
    return tuple(getattr(episode, name) for name in names)


def test_a_zone_with_a_category_is_an_exclusion_zone_like_any_other() -> None:
    visit = a_track(np.arange(10.0), 0.0)
    assert len(replayed(visit, a_zone(1, category=VenueCategory.BAR))) == 1
