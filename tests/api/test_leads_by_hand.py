"""Leads that an officer opens: routed by the local table, for places that one oversees, one on a ground at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, text

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.clock import FixedClock
from api.errors import LeadStandsError, NotThereError
from api.ids import new_id
from api.lead_opening import open_by_hand
from api.leads import LeadFilter, event_by, lead_shown, leads_shown, take_lead_step
from tests.access.people import Browser, Official, a_browser, another, official_in
from tests.api.distance_register import NOW, a_record, evaluated, put_records, put_scene
from tests.api.test_leads_moved import put_boundary
from venues.category import VenueCategory
from venues.gateway_distance_law import load_lead_routes
from venues.lead import LeadError, LeadState, LeadStep
from venues.lead_pattern import LeadGround
from venues.source_record import SourceKind

SEEN_ON = date(2026, 11, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar in Rui'an, and whoever may have a say about it."""

    engine: Engine
    venue_id: UUID
    prosecutor: Official

    def open(self, ground: LeadGround = LeadGround.ADMITS_MINORS, by: Official | None = None, **given: Any) -> UUID:
        who = by or self.prosecutor
        asked: dict[str, Any] = {
            "venue_id": self.venue_id,
            "ground": ground,
            "note": "有学生在内",
            "on": SEEN_ON,
        } | given
        with as_account(self.engine, who.account_id) as connection:
            return open_by_hand(connection, load_lead_routes(), by=who.account_id, at=NOW, **asked)

    def step(self, lead_id: UUID, step: LeadStep, **given: Any) -> LeadState:
        with as_account(self.engine, self.prosecutor.account_id) as connection:
            event = event_by(step, account_id=self.prosecutor.account_id, at=NOW, **given)
            return take_lead_step(connection, lead_id, event)

    def shown(self, lead_id: UUID) -> dict[str, Any]:
        with as_account(self.engine, self.prosecutor.account_id) as connection:
            return lead_shown(connection, lead_id, today=NOW.date())


@pytest.fixture
def bar(engine: Engine) -> Bar:
    with engine.begin() as connection:
        put_records(connection, a_record(SourceKind.POI, "1", VenueCategory.BAR, name="夜色", address="合成路 9 号"))
        put_boundary(connection, "330381")
        venue_id = connection.execute(text("SELECT venue_id FROM venue")).scalar_one()
    return Bar(engine=engine, venue_id=venue_id, prosecutor=official_in(engine, "wang", division="330300", now=NOW))


def test_admission_goes_to_culture_and_sale_to_the_market_bureau_in_ruian(bar: Bar) -> None:
    admits, sells = bar.shown(bar.open()), bar.shown(bar.open(LeadGround.SELLS_ALCOHOL))
    assert (admits["regulator"], sells["regulator"]) == ("瑞安市文化和广电旅游体育局", "瑞安市市场监督管理局")
    assert (admits["state"], admits["division"], admits["categories"], admits["is_sure"]) == (
        LeadState.NEW, "330381", ["bar"], False,
    )  # fmt: skip
    assert (admits["venue_name"], admits["venue_address"], admits["facts"]) == ("夜色", "合成路 9 号", ["有学生在内"])
    (opening,) = admits["events"]
    assert (opening["step"], opening["by"], opening["on"], opening["note"], opening["at"]) == (
        LeadStep.OPEN, "合成人员", SEEN_ON, "有学生在内", NOW,
    )  # fmt: skip
    assert bar.step(admits["lead_id"], LeadStep.CHECK, on=SEEN_ON, is_found=True) is LeadState.CHECKED


def test_outside_of_all_boundaries_a_place_is_of_the_division_of_the_last_evaluation(engine: Engine) -> None:
    official = official_in(engine, "wang", now=NOW)
    with engine.begin() as connection:
        shop = put_scene(connection)
    bar = Bar(engine=engine, venue_id=shop, prosecutor=official)
    with pytest.raises(NotThereError):
        bar.open(LeadGround.SELLS_TOBACCO)
    with engine.begin() as connection:
        evaluated(connection)
    shown = bar.shown(bar.open(LeadGround.SELLS_TOBACCO))
    assert (shown["division"], shown["regulator"]) == ("320312", "烟草专卖行政主管部门")


@pytest.mark.parametrize(
    ("role", "division"),
    [
        (AccountRole.PROSECUTOR, "330382"), (AccountRole.LEADER, "320300"), (AccountRole.LEADER, "330400"),
        (AccountRole.POLICE, "330381"), (AccountRole.SUPERVISOR, "330381"), (AccountRole.SYSTEM_ADMINISTRATOR, ""),
    ],
)  # fmt: skip
def test_nobody_opens_a_lead_who_may_not_work_it(bar: Bar, role: AccountRole, division: str) -> None:
    other = official_in(bar.engine, "other", role, division=division, now=NOW)
    with pytest.raises(NotThereError):
        bar.open(by=other)
    for spoken in ("hulan_app", "NONE"):
        with as_account(bar.engine, other.account_id) as connection:
            connection.execute(text(f"SET LOCAL ROLE {spoken}"))
            assert opened_in_sql(connection, bar.venue_id) is None
    with bar.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM lead")).scalar_one() == 0


def opened_in_sql(connection: Connection, venue_id: UUID) -> Any:
    asked = (
        "jsonb_populate_record(NULL::lead, jsonb_build_object('lead_id', gen_random_uuid(), 'ground', 'distance',"
        " 'venue_id', CAST(:id AS uuid), 'categories', ARRAY['bar'], 'facts', ARRAY['x'], 'candidates', ARRAY['x'],"
        " 'route_zh', '', 'route_en', '', 'route_basis', '', 'division', '330382'))"
    )
    query = f"SELECT open_lead({asked}, NULL, 'x', now())"
    return connection.execute(text(query), {"id": venue_id}).scalar_one()


def test_the_database_says_where_the_place_lies_whatever_is_asked(bar: Bar) -> None:
    with as_account(bar.engine, bar.prosecutor.account_id) as connection:
        assert opened_in_sql(connection, bar.venue_id) is not None
        assert connection.execute(text("SELECT division FROM lead")).scalar_one() == "330381"
        assert opened_in_sql(connection, new_id()) is None


def test_a_second_open_lead_on_a_ground_is_refused_with_the_first_and_one_after_its_end_is_not(bar: Bar) -> None:
    first = bar.open()
    with pytest.raises(LeadStandsError, match=str(first)):
        bar.open()
    bar.step(first, LeadStep.CHECK, on=SEEN_ON, is_found=False)
    bar.step(first, LeadStep.DISMISS, note="已停业")
    assert bar.open() != first


def test_what_cannot_be_is_refused(bar: Bar) -> None:
    with pytest.raises(LeadError, match="晚于今天"):
        bar.open(on=NOW.date() + timedelta(days=1))
    with pytest.raises(LeadError, match="say what was seen"):
        bar.open(note=" \n ")
    with pytest.raises(NotThereError):
        bar.open(venue_id=new_id())
    shown = bar.shown(bar.open(note="周六 / 周日夜间\n\n有学生在内"))
    assert shown["facts"] == ["周六／周日夜间", "有学生在内"]


def test_an_evaluation_says_nothing_again_of_what_an_officer_told(engine: Engine) -> None:
    official = official_in(engine, "wang", now=NOW)
    with engine.begin() as connection:
        shop = put_scene(connection)
        put_boundary(connection, "320312")
    Bar(engine=engine, venue_id=shop, prosecutor=official).open(LeadGround.DISTANCE)
    with engine.begin() as connection:
        (found,) = evaluated(connection)
    assert found.lead_count == 0


@pytest.fixture
def browser(bar: Bar, database_url: str) -> Iterator[Browser]:
    with a_browser(database_url, clock=FixedClock(NOW + timedelta(days=1))) as found:
        found.log_in(bar.prosecutor)
        yield found


def test_a_lead_is_opened_over_http_once(bar: Bar, browser: Browser) -> None:
    asked = {"venue_id": str(bar.venue_id), "ground": "admits_minors", "note": "有学生在内"}
    opened = browser.ask("POST", "/leads", json=asked)
    assert opened.status_code == 201
    (listed,) = browser.ask("GET", "/leads").json()["leads"]
    assert (listed["lead_id"], listed["regulator"]) == (opened.json()["lead_id"], "瑞安市文化和广电旅游体育局")
    again = browser.ask("POST", "/leads", json=asked)
    assert again.status_code == 409
    assert (again.json()["code"], again.json()["lead_id"]) == ("lead_stands", opened.json()["lead_id"])
    ahead = browser.ask("POST", "/leads", json=asked | {"ground": "sells_alcohol", "on": "2999-01-01"})
    assert (ahead.status_code, ahead.json()["code"]) == (409, "lead_step")
    for wrong in ({"note": ""}, {"note": "x\u0000"}, {"ground": "x"}, {"venue_id": "x"}, {"lead_id": str(new_id())}):
        assert browser.ask("POST", "/leads", json=asked | wrong).status_code == 422, wrong
    stranger = another(browser)
    stranger.log_in(official_in(bar.engine, "li", division="330382", now=NOW))
    assert stranger.ask("POST", "/leads", json=asked | {"ground": "sells_alcohol"}).status_code == 404
    with as_account(bar.engine, bar.prosecutor.account_id) as connection:
        assert len(leads_shown(connection, LeadFilter(), today=NOW.date())) == 1
