"""Fixtures of the outbox's tests."""

import pytest

from api.clock import FixedClock
from tests.alerts.outbox_scene import Taking, minutes
from tests.make import EVENING


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(EVENING + minutes(1))


@pytest.fixture
def provider(clock: FixedClock) -> Taking:
    return Taking(clock=clock)
