"""A measurement that an officer asks for: by all the rules that bind the pair today, or it is not made."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.clock import FixedClock
from api.distance import WalkedBy, keep_network, measure_pair
from api.distance_shown import FindingFilter, findings_shown, measurement_shown
from api.errors import NothingToMeasureError, NotThereError
from api.papers.desk import PaperDesk
from tests.access.people import Official, a_browser, official_in
from tests.api.distance_register import (
    BY_AIR,
    LICENCE,
    NETWORK_ON,
    NOW,
    STREET,
    WALKED,
    a_record,
    evaluated,
    merge,
    put_records,
    put_scene,
    stored,
)
from tests.api.test_distance_papers import FAR, merged_under_another_id
from tests.venues.distance_scene import ON, law
from venues.category import VenueCategory
from venues.distance_rule import AppliesTo, DistanceRule, Grandfather
from venues.distance_verdict import Verdict
from venues.measurement import Measurement
from venues.source_record import SourceKind

KTV, TOBACCO = VenueCategory.KTV, VenueCategory.TOBACCO
SITE = "osm/way/1"
BEGINS = date(2026, 12, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    engine: Engine
    officer: Official
    data_dir: Path

    def measure(self, venue_id: UUID, *, on: date = ON) -> Measurement:
        at = datetime(on.year, on.month, on.day, 4, tzinfo=UTC)
        with as_account(self.engine, self.officer.account_id) as connection:
            return PaperDesk(data_dir=self.data_dir).measure(connection, venue_id=venue_id, site_id=SITE, on=on, at=at)

    def evaluate(self, *rules: DistanceRule, on: date = ON) -> None:
        with self.engine.begin() as connection:
            evaluated(connection, *rules, on=on, at=datetime(on.year, on.month, on.day, 4, tzinfo=UTC))

    @property
    def archived(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM measurement_archive")).scalar_one())


@pytest.fixture
def office(engine: Engine, tmp_path: Path) -> Office:
    keep_network(STREET, tmp_path)
    now = datetime(2026, 12, 2, tzinfo=UTC)  # a first password does not last for long
    return Office(engine=engine, officer=official_in(engine, "wang", AccountRole.POLICE, now=now), data_dir=tmp_path)


LOCAL = replace(WALKED, rule_id="local", jurisdiction="320312", threshold_m=60.0)


@pytest.mark.parametrize(
    "changed",
    [
        replace(LOCAL, effective_from=BEGINS),
        replace(LOCAL, effective_to=BEGINS - timedelta(days=1)),
        replace(LOCAL, effective_from=None, from_earliest=date(2026, 1, 1), from_latest=BEGINS),
    ],
)
def test_of_a_day_on_which_the_law_changed_nothing_is_archived_by_the_law_before(
    office: Office, database_url: str, changed: DistanceRule
) -> None:
    with office.engine.begin() as connection:
        shop = put_scene(connection)
    office.evaluate(BY_AIR, changed)
    eve = office.measure(shop, on=BEGINS - timedelta(days=1))
    assert eve.given.on == BEGINS - timedelta(days=1)
    for day in (BEGINS, BEGINS + timedelta(days=1)):
        with pytest.raises(NothingToMeasureError):
            office.measure(shop, on=day)
    clock = FixedClock(datetime(2026, 12, 2, 4, tzinfo=UTC))
    with a_browser(database_url, clock=clock, paper_desk=PaperDesk(data_dir=office.data_dir)) as browser:
        browser.log_in(office.officer)
        answer = browser.ask("POST", f"/distance/venues/{shop}/measurements", json={"site_id": SITE})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_measure")
    assert "法律或该场所的证照有变" in answer.json()["message"]
    assert office.archived == 1
    office.evaluate(BY_AIR, changed, on=BEGINS)
    after = office.measure(shop, on=BEGINS + timedelta(days=1))
    assert after.given.on == BEGINS + timedelta(days=1)
    assert ("local" in {rule.rule_id for rule in after.given.rules}) == (changed.effective_to is None)


def test_a_rule_of_another_province_is_nothing_to_wait_for(office: Office) -> None:
    with office.engine.begin() as connection:
        shop = put_scene(connection)
    office.evaluate(BY_AIR, replace(LOCAL, jurisdiction="440000", effective_from=BEGINS))
    assert office.measure(shop, on=BEGINS).finding.verdict is Verdict.BREACH


def test_of_a_day_after_a_licence_ended_nothing_is_archived_until_it_is_evaluated(office: Office) -> None:
    rule = replace(BY_AIR, threshold_m=90.0, applies_to=AppliesTo.NEW, grandfather=Grandfather.UNTIL_EXPIRY)
    licence = a_record(SourceKind.TOBACCO_LICENCE, "1", TOBACCO, valid_from="2018-01-01", valid_to="2026-11-30",
                       **LICENCE)  # fmt: skip
    with office.engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, licence)
    office.evaluate(rule)
    with office.engine.connect() as connection:
        ((venue_id,),) = stored(connection, "venue_id")
    assert isinstance(venue_id, UUID)
    assert office.measure(venue_id, on=BEGINS - timedelta(days=1)).finding.verdict is Verdict.GRANDFATHERED
    with pytest.raises(NothingToMeasureError):
        office.measure(venue_id, on=BEGINS)
    office.evaluate(rule, on=BEGINS)
    assert office.measure(venue_id, on=BEGINS).finding.verdict is not Verdict.GRANDFATHERED


def test_a_ktv_that_sells_tobacco_is_measured_by_the_rules_of_both_as_on_the_command_line(office: Office) -> None:
    as_ktv = replace(BY_AIR, rule_id="ktv", venue_categories=frozenset({KTV}), threshold_m=90.0)
    national = replace(BY_AIR, rule_id="national", threshold_m=60.0)
    rules = (as_ktv, national, WALKED)
    licence, seen = a_record(SourceKind.TOBACCO_LICENCE, "1", TOBACCO, **LICENCE), a_record(SourceKind.POI, "1", KTV)
    with office.engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, licence, seen)
        merge(connection, licence, seen)
    office.evaluate(*rules)
    with office.engine.connect() as connection:
        (finding,) = findings_shown(connection, FindingFilter())
        by_command = measure_pair(
            connection, law(*rules), on=ON, venue_id=finding["venue_id"], site_id=SITE,
            walked=WalkedBy(network=STREET, network_on=NETWORK_ON),
        )  # fmt: skip
    over_http = office.measure(finding["venue_id"])
    assert {rule.rule_id for rule in over_http.given.rules} == {"ktv", "national", WALKED.rule_id}
    assert [set(part.categories) for part in over_http.finding.parts] == [{KTV}, {TOBACCO}]
    assert over_http.hash == by_command.hash


def test_of_a_kind_that_the_register_learnt_since_nothing_is_archived_by_the_rules_of_the_others(
    office: Office,
) -> None:
    as_ktv = replace(BY_AIR, rule_id="ktv", venue_categories=frozenset({KTV}), threshold_m=90.0)
    licence, seen = a_record(SourceKind.TOBACCO_LICENCE, "1", TOBACCO, **LICENCE), a_record(SourceKind.POI, "1", KTV)
    with office.engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, seen)
    office.evaluate(as_ktv, BY_AIR)
    with office.engine.begin() as connection:
        (finding,) = findings_shown(connection, FindingFilter())
        put_records(connection, licence)
        merge(connection, seen, licence)
    with pytest.raises(NothingToMeasureError):
        office.measure(finding["venue_id"])
    office.evaluate(as_ktv, BY_AIR)
    assert len(office.measure(finding["venue_id"]).finding.parts) == 2


def test_a_rule_of_a_kilometre_about_something_else_changes_no_hash_of_a_pair(office: Office) -> None:
    wide = replace(BY_AIR, rule_id="wide", venue_categories=frozenset({KTV}), threshold_m=1000.0)
    with office.engine.begin() as connection:
        shop = put_scene(connection)
    office.evaluate(BY_AIR, wide)
    with office.engine.connect() as connection:
        by_command = measure_pair(
            connection, law(BY_AIR, wide), on=ON, venue_id=shop, site_id=SITE,
            walked=WalkedBy(network=STREET, network_on=NETWORK_ON),
        )  # fmt: skip
    assert office.measure(shop).hash == by_command.hash


def test_after_a_merge_a_place_is_measured_under_the_id_that_is_shown_and_under_the_one_before(office: Office) -> None:
    with office.engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, a_record(SourceKind.POI, "p", TOBACCO))
    office.evaluate(FAR)
    with office.engine.begin() as connection:
        before, _ = merged_under_another_id(connection, at=NOW)
        (shown,) = findings_shown(connection, FindingFilter())
    assert str(shown["venue_id"]) != before
    made = [office.measure(venue_id) for venue_id in (shown["venue_id"], UUID(before))]
    assert {one.given.venue.venue_id for one in made} == {str(shown["venue_id"])}
    with pytest.raises(NotThereError):
        office.measure(UUID(int=7))
    with office.engine.connect() as connection:
        told = measurement_shown(connection, made[0].hash)
    assert (told["method"], told["content"]) == (made[0].given.method, made[0].text)
