"""What is one event together, and who may hear of it."""

from datetime import timedelta

import pytest

from alerts.event import (
    EVENT_OF_CONDITION,
    GROUP_OF_EVENT,
    HEARING_OF_EVENT,
    EventGroup,
    EventKind,
    live_at_of_finding,
    may_family_hear,
)
from api.check_ins import _MISSED
from api.device_watch import FINDING_KINDS
from tests.make import EVENING
from tracking.order import ConditionKind

NEVER_TOLD_TO_THE_FAMILY = {
    EventKind.CONTACT, EventKind.PERMISSION_OFF, EventKind.DEVICE_CHANGE, EventKind.MOCK_LOCATION,
    EventKind.STILLNESS, EventKind.CHECK_IN_PLACE, EventKind.MINOR_WITH_ADULT, EventKind.ORDER_NOT_LIFTED,
}  # fmt: skip

OF_THE_CLOCK = {"curfew_unaccounted", "order_not_lifted", "leave_overstay"}
"""Kinds of finding that ``api.clock_edges`` writes."""


def test_every_condition_and_every_finding_is_one_kind_of_event() -> None:
    assert set(EVENT_OF_CONDITION) == set(ConditionKind)
    for kind in {*FINDING_KINDS.values(), *_MISSED.values(), *OF_THE_CLOCK}:
        assert EventKind(kind) in GROUP_OF_EVENT


def test_every_kind_of_event_has_a_group_and_is_heard_by_somebody() -> None:
    assert set(GROUP_OF_EVENT) == set(HEARING_OF_EVENT) == set(EventKind)
    assert set(GROUP_OF_EVENT.values()) == set(EventGroup)


@pytest.mark.parametrize("group", EventGroup)
def test_who_hears_of_one_event_of_a_group_hears_of_all(group: EventGroup) -> None:
    """Else a fact would join an alert of which its own people were never told."""
    heard = {
        (HEARING_OF_EVENT[kind].family, HEARING_OF_EVENT[kind].officers)
        for kind in EventKind
        if GROUP_OF_EVENT[kind] is group
    }
    assert len(heard) == 1


@pytest.mark.parametrize("kind", EventKind)
def test_what_the_family_may_hear(kind: EventKind) -> None:
    assert may_family_hear(kind, is_protected=False) == (kind not in NEVER_TOLD_TO_THE_FAMILY)
    assert not may_family_hear(kind, is_protected=True)


@pytest.mark.parametrize(
    ("kind", "known_after_min", "is_over", "live_after_min"),
    [
        (EventKind.POWER_OFF, 0, False, 0),
        (EventKind.POWER_OFF, 30, True, 0),
        (EventKind.POWER_OFF, 31, False, None),
        (EventKind.SILENCE, 31, False, 31),
        (EventKind.SILENCE, 31, True, None),
        (EventKind.ORDER_NOT_LIFTED, 2_000, False, 2_000),
    ],
)
def test_from_when_someone_can_act_on_a_finding(
    kind: EventKind, known_after_min: int, is_over: bool, live_after_min: int | None
) -> None:
    live_at = live_at_of_finding(
        kind,
        decided_at=EVENING,
        known_at=EVENING + timedelta(minutes=known_after_min),
        is_over=is_over,
        maximum_age=timedelta(minutes=30),
    )
    assert live_at == (None if live_after_min is None else EVENING + timedelta(minutes=live_after_min))
