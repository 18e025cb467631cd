"""What is one event together, and who may hear of it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.event import (
    EVENT_OF_CONDITION,
    EVENT_OF_FINDING,
    GROUP_OF_EVENT,
    HEARING_OF_EVENT,
    EventGroup,
    EventKind,
    live_at_of_finding,
    may_family_hear,
)
from api.check_in_places import FINDING_KINDS as PLACE_KINDS
from api.check_ins import _MISSED
from api.device_watch import FINDING_KINDS
from api.leave_watch import KIND as OFF_ROUTE
from tests.make import EVENING
from tracking.order import ConditionKind

NEVER_TOLD_TO_THE_FAMILY = {
    EventKind.CONTACT, EventKind.PERMISSION_OFF, EventKind.DEVICE_CHANGE, EventKind.MOCK_LOCATION,
    EventKind.STILLNESS, EventKind.OFF_ROUTE, EventKind.CHECK_IN_PLACE, EventKind.MINOR_WITH_ADULT,
    EventKind.ORDER_NOT_LIFTED,
}  # fmt: skip


def test_every_condition_and_every_finding_is_one_kind_of_event() -> None:
    assert set(EVENT_OF_CONDITION) == set(ConditionKind)
    assert {*FINDING_KINDS.values(), *_MISSED.values(), *PLACE_KINDS.values(), OFF_ROUTE} <= set(EVENT_OF_FINDING)
    assert set(EVENT_OF_FINDING.values()) <= set(GROUP_OF_EVENT)


def test_every_kind_of_finding_that_the_code_writes_is_an_event() -> None:
    """As they stand in the source: ``kind="..."`` of a row, and ``found.append(("...",`` of check-ins."""
    written = set()
    for path in Path("api").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "FindingRow(" in source:
            written |= set(re.findall(r'kind="([a-z_]+)"', source)) | set(re.findall(r'append\(\("([a-z_]+)"', source))
    others = {"guardian_stop", "lifting", "stable"}
    assert {"contact", "curfew_unaccounted", "inside_when_bound", "check_in_not_made_up"} <= written
    assert written - others <= set(EVENT_OF_FINDING)


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
