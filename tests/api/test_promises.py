"""What design.md promises of alerts, from the log to the gateway, on simulated people that nothing was tuned on."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, text

from alerts.alert import Role
from alerts.gateway import FakeGateway
from api.ids import new_id
from geo.datum import Datum
from tests.make import a_person, a_worker, log_fixes
from tracking.fix import Fix, FixSource
from tracking.presence_rows import to_instant
from tracking.simulate import TEST_SEEDS_FROM, Simulation, simulate
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory

SEED = TEST_SEEDS_FROM + 4_001
DAY = timedelta(days=1)


def told(engine: Engine, found: Simulation) -> FakeGateway:
    """Every person of the simulation, each barred from bars, through log, worker and gateway."""
    begins = to_instant(int(found.fixes.fixed_at.min())) - DAY
    ends = to_instant(int(found.fixes.fixed_at.max())) + DAY
    drafts = [
        ZoneDraft(
            zone_id=new_id(),
            source="venue:test",
            source_id=str(zone.zone_no),
            kind=ZoneKind.EXCLUSION,
            origin=ZoneOrigin.VENUE,
            name="合成酒吧",
            shape=zone.shape,
            category=VenueCategory.BAR,
        )
        for zone in found.zones
    ]
    with engine.begin() as connection:
        save_zones(connection, drafts, at=begins, new_from=begins)
        people = [
            a_person(
                connection,
                valid_from=begins,
                valid_to=ends,
                recipients=((Role.GUARDIAN, f"138000001{number:02}", 1, False),),  # each a number with its own budget
            )
            for number in range(found.people)
        ]
    for number, person in enumerate(people):
        log_fixes(engine, person, fixes_of(found, number))
    gateway = FakeGateway()
    a_worker(engine, gateway).drain()
    return gateway


def fixes_of(found: Simulation, subject_no: int) -> list[Fix]:
    columns = found.fixes.take(np.flatnonzero(found.fixes.subject_no == subject_no))
    return [
        Fix(
            fixed_at=to_instant(fixed_at),
            received_at=to_instant(received_at),
            longitude=longitude,
            latitude=latitude,
            accuracy_m=accuracy_m,
            datum=Datum.WGS84,
            source=FixSource.GPS,
        )
        for fixed_at, received_at, longitude, latitude, accuracy_m in zip(
            columns.fixed_at.tolist(),
            columns.received_at.tolist(),
            columns.longitude.tolist(),
            columns.latitude.tolist(),
            columns.accuracy_m.tolist(),
            strict=True,
        )
    ]


def counts(engine: Engine, query: str) -> list[int]:
    with engine.connect() as connection:
        return [int(number) for (number,) in connection.execute(text(query))]


@pytest.mark.slow
def test_an_accurate_visit_of_twenty_minutes_is_one_episode_one_alert_and_one_sms(engine: Engine) -> None:
    found = simulate("visit_20_accurate", people=6, days=1, seed=SEED)
    gateway = told(engine, found)
    per_person = "SELECT count(*) FROM {} GROUP BY subject_no"
    assert counts(engine, per_person.format("episode WHERE superseded_at IS NULL AND tier = 'probable'")) == [1] * 6
    assert counts(engine, per_person.format("alert")) == [1] * 6
    assert len(gateway.sent) == 6


@pytest.mark.slow
def test_a_resident_60_m_from_a_bar_is_told_of_to_nobody_in_a_week(engine: Engine) -> None:
    found = simulate("resident", people=4, days=7, seed=SEED)
    gateway = told(engine, found)
    assert counts(engine, "SELECT count(*) FROM episode") != [0], "nothing was even possible: this test shows nothing"
    probable = counts(engine, "SELECT count(*) FROM episode WHERE tier = 'probable' GROUP BY subject_no")
    assert max(probable, default=0) <= 1
    assert gateway.sent == []
