"""What `hulan explain` says of the fixes is what the engine went by."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Engine, text

from alerts.event import EVENT_OF_FINDING
from api.casework.names import FOUND_NAMES_ZH
from api.explaining import FixEvidence, explain_alert
from tests.make import KEYRING, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes
from tracking.fix import Fix
from tracking.policy import PresencePolicy


def explained(engine: Engine, fixes: list[Fix]) -> tuple[tuple[FixEvidence, ...], float]:
    """The fixes of the only alert about a stay, and the peak that was stored with its episode."""
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(connection)
    log_fixes(engine, person, fixes)
    a_worker(engine).drain()
    with engine.connect() as connection:
        alert_id = connection.execute(text("SELECT alert_id FROM alert WHERE event = 'entry'")).scalar_one()
        peak = connection.execute(text("SELECT peak_probability FROM episode WHERE tier = 'probable'")).scalar_one()
        return explain_alert(connection, str(alert_id), keyring=KEYRING).fixes, peak


def test_the_probabilities_shown_are_those_that_decided(engine: Engine) -> None:
    fixes, peak = explained(engine, a_visit())
    shown = [fix.filtered_probability for fix in fixes]
    assert max(value for value in shown if value is not None) == pytest.approx(peak, abs=1e-9)
    inside = [value for fix, value in zip(fixes, shown, strict=True) if (fix.signed_distance_m or 0.0) < 0.0]
    assert len(inside) == 20
    assert min(value for value in inside[3:] if value is not None) >= PresencePolicy().small.probable_probability


def test_a_fix_that_does_not_decide_has_no_say(engine: Engine) -> None:
    visit = a_visit()
    visit[15] = replace(visit[15], is_mock=True)
    fixes, _ = explained(engine, visit)
    silent = [fix for fix in fixes if fix.filtered_probability is None]
    assert [fix.fixed_at for fix in silent] == [visit[15].fixed_at]
    assert silent[0].flags != 0
    assert silent[0].probability > 0.9


def test_an_earlier_day_has_no_part_in_it(engine: Engine) -> None:
    yesterday = [a_fix(minutes=minute, east_m=900.0) for minute in np.arange(-1440.0, -1380.0)]
    fixes, _ = explained(engine, yesterday + a_visit())
    assert all(fix.fixed_at >= a_visit()[0].fixed_at for fix in fixes)


def test_an_alert_about_no_stay_is_explained_by_its_findings(engine: Engine) -> None:
    visit = a_visit()
    visit[15] = replace(visit[15], is_mock=True)
    explained(engine, visit)
    with engine.connect() as connection:
        alert_id = connection.execute(text("SELECT alert_id FROM alert WHERE event = 'mock_location'")).scalar_one()
        found = explain_alert(connection, str(alert_id), keyring=KEYRING)
    facts = dict(found.facts)
    assert facts["发现 finding 1/2"] == "模拟定位 mock_location"
    assert facts["发现 finding 2/2"] == "模拟定位 mock_location：已结束 is over"
    assert found.fixes == ()


def test_every_kind_of_finding_has_a_name_for_officers() -> None:
    assert set(EVENT_OF_FINDING) <= set(FOUND_NAMES_ZH)
