"""Leads in the database: who sees and works them, their clocks, and that what was done stays."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from docx import Document
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.cli.lead_lines import lead_lines
from api.clock import FixedClock
from api.distance import WalkedBy, keep_network, measure_pair
from api.errors import NotThereError
from api.ids import new_id
from api.leads import LeadFilter, event_by, figures_of_leads, lead_shown, leads_shown, take_lead_step
from api.papers.desk import PaperDesk, PaperKind
from tests.access.people import Browser, Official, a_browser, another, official_in
from tests.api.distance_register import BY_AIR, NETWORK_ON, NOW, STREET, WALKED, evaluated, put_scene
from tests.evidence.scene import text_of_pdf
from tests.venues.distance_scene import ON, law
from venues.category import VenueCategory
from venues.lead import LeadError, LeadState, LeadStep
from venues.lead_pattern import LeadGround, LeadProposal
from venues.lead_route import route_lead
from venues.lead_store import LeadDraft, open_leads
from venues.measurement_store import archive_measurement, archived_text

TODAY = date(2026, 11, 22)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """An office with one lead."""

    engine: Engine
    lead_id: UUID
    prosecutor: Official
    police: Official

    def step(self, step: LeadStep, *, by: Official | None = None, **given: Any) -> LeadState:
        """Entered a year on, unless said otherwise: whatever happened lies behind."""
        who = by or self.prosecutor
        at = given.pop("at", NOW + timedelta(days=365))
        with as_account(self.engine, who.account_id) as connection:
            event = event_by(step, account_id=who.account_id, at=at, **given)
            return take_lead_step(connection, self.lead_id, event)

    def shown(self, today: date = TODAY, *, by: Official | None = None) -> dict[str, Any]:
        with as_account(self.engine, (by or self.prosecutor).account_id) as connection:
            return lead_shown(connection, self.lead_id, today=today)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    with engine.begin() as connection:
        put_scene(connection)
        evaluated(connection, BY_AIR)
        lead_id = connection.execute(text("SELECT lead_id FROM lead")).scalar_one()
    return Desk(
        engine=engine,
        lead_id=lead_id,
        prosecutor=official_in(engine, "wang", now=NOW),
        police=official_in(engine, "zhao", AccountRole.POLICE, now=NOW),
    )


def recommend(desk: Desk, *, delivered_on: date = date(2026, 11, 30), is_urgent: bool = False) -> None:
    desk.step(LeadStep.CHECK, on=date(2026, 11, 25), is_found=True)
    desk.step(LeadStep.RECOMMEND, regulator="合成市烟草专卖局", document_number="合成检建〔2026〕1号")
    desk.step(LeadStep.DELIVER, on=delivered_on, is_urgent=is_urgent)


def test_a_lead_goes_from_check_to_answer_and_its_clock_turns_red_on_the_day_after(desk: Desk) -> None:
    assert desk.shown()["next_steps"] == [LeadStep.CHECK]
    recommend(desk)
    # Two months end on 2027-01-30, a Saturday; of 2027 no calendar is in, so that weekends alone move the day.
    first = desk.shown(date(2027, 2, 1))
    assert (first["delivered_on"], first["due_on"], first["days_left"]) == (date(2026, 11, 30), date(2027, 2, 1), 0)
    assert (first["colour"], first["is_overdue"], first["weekends_only_years"]) == ("yellow", False, [2027])
    assert "  2027 年日历未导入 calendar of 2027 not imported: weekends only" in lead_lines(first)
    late = desk.shown(date(2027, 2, 2))
    assert (late["colour"], late["is_overdue"], late["recheck_on"]) == ("red", True, date(2027, 2, 2))
    desk.step(LeadStep.REPLY, on=date(2027, 2, 3))
    assert desk.step(LeadStep.RECHECK, on=date(2027, 3, 1), is_found=True) is LeadState.REMEDIED
    assert desk.step(LeadStep.CLOSE) is LeadState.CLOSED
    whole = desk.shown(date(2027, 3, 2))
    assert [event["step"] for event in whole["events"]] == [
        "open", "check", "recommend", "deliver", "reply", "recheck", "close"
    ]  # fmt: skip
    assert {event["by"] for event in whole["events"][1:]} == {"合成人员"}
    assert whole["events"][0]["by"] is None
    assert whole["regulator"] == "合成市烟草专卖局"


def test_a_day_that_cannot_be_is_refused_by_the_desk_and_by_the_database(desk: Desk) -> None:
    for on, said in ((date(9999, 12, 1), "晚于今天"), (date(2026, 11, 21), "早于线索发现")):
        with pytest.raises(LeadError, match=said):
            desk.step(LeadStep.CHECK, on=on, is_found=True)
    query = ADD.replace(":position, :step, now(), NULL, NULL", "1, 'check', now(), NULL, '9999-12-01'")
    with (
        pytest.raises(DBAPIError, match="check constraint"),
        as_account(desk.engine, desk.prosecutor.account_id) as who,
    ):
        who.execute(text(query))
    assert desk.shown()["next_steps"] == [LeadStep.CHECK]


def test_a_delivery_entered_wrongly_is_entered_again_and_the_clock_follows(desk: Desk) -> None:
    recommend(desk, delivered_on=date(2026, 11, 25))
    desk.step(LeadStep.DELIVER, on=date(2026, 12, 25))
    assert (desk.shown()["delivered_on"], desk.shown()["due_on"]) == (date(2026, 12, 25), date(2027, 2, 25))
    assert [event["on"] for event in desk.shown()["events"] if event["step"] == "deliver"] == [
        date(2026, 11, 25), date(2026, 12, 25)
    ]  # fmt: skip


def test_a_lead_that_was_remedied_without_an_answer_is_not_overdue(desk: Desk) -> None:
    recommend(desk, delivered_on=date(2026, 11, 25))
    desk.step(LeadStep.RECHECK, on=date(2026, 12, 20), is_found=True)
    later = date(2027, 6, 1)
    assert (desk.shown(later)["is_overdue"], desk.shown(later)["waited_until"]) == (False, date(2026, 12, 20))
    desk.step(LeadStep.CLOSE)
    with as_account(desk.engine, desk.prosecutor.account_id) as connection:
        assert leads_shown(connection, LeadFilter(is_overdue=True), today=later) == []
        assert figures_of_leads(connection, today=later).overdue_count == 0


def test_a_lead_whose_venue_is_clear_by_now_says_so_in_the_list_of_facts_and_in_the_draft(desk: Desk) -> None:
    assert (desk.shown()["has_changed"], desk.shown()["present"]) == (False, [])
    with desk.engine.begin() as connection:
        evaluated(connection, BY_AIR, WALKED, at=NOW + timedelta(hours=1))
    shown = desk.shown()
    assert shown["has_changed"]
    assert "明显违反" in shown["facts"][0]
    (now,) = shown["present"]
    assert "不违反" in now
    assert "步行 110 米" in now
    with as_account(desk.engine, desk.prosecutor.account_id) as connection:
        written = PaperDesk().recommendation(
            connection, desk.lead_id, PaperKind.WORD, procuratorate="合成检察院", on=TODAY, is_urgent=False
        )
    told = "\n".join(one.text for one in Document(io.BytesIO(written)).paragraphs)
    assert told.index("明显违反") < told.index("此后结论已变") < told.index("不违反，")
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE venue SET geometry = ST_Translate(geometry, 1, 0)"))
        evaluated(connection, BY_AIR, WALKED, at=NOW + timedelta(hours=2))
    (gone,) = desk.shown()["present"]
    assert "no rule binds it" in gone


def test_in_urgent_cases_the_agency_has_fifteen_days(desk: Desk) -> None:
    recommend(desk, delivered_on=date(2026, 12, 1), is_urgent=True)
    assert (desk.shown()["due_on"], desk.shown()["weekends_only_years"]) == (date(2026, 12, 16), [])


def test_nothing_follows_before_somebody_was_there(desk: Desk) -> None:
    for step in (LeadStep.RECOMMEND, LeadStep.CONSULT, LeadStep.OPEN_CASE):
        with pytest.raises(LeadError):
            desk.step(step, regulator="甲", document_number="1")
    assert desk.shown()["state"] is LeadState.NEW


def test_police_see_leads_and_do_not_work_them_and_administrators_see_none(desk: Desk, engine: Engine) -> None:
    assert desk.shown(by=desk.police)["venue_name"] == "路口烟店"
    with pytest.raises(NotThereError):
        desk.step(LeadStep.CHECK, by=desk.police, on=TODAY, is_found=True)
    administrator = official_in(engine, "sys", AccountRole.SYSTEM_ADMINISTRATOR)
    with pytest.raises(NotThereError):
        desk.shown(by=administrator)
    with as_account(engine, administrator.account_id) as connection:
        assert leads_shown(connection, LeadFilter(), today=TODAY) == []
        assert connection.execute(text("SELECT count(*) FROM lead_event")).scalar_one() == 0


@pytest.mark.parametrize(
    ("place", "is_shown"),
    [("320312", True), ("320300", True), ("320000", True), ("000000", True), ("320303", False), ("320100", False),
     ("370600", False), ("X-320312", False)],
)  # fmt: skip
def test_what_was_found_is_shown_to_officers_of_the_place_and_above_it_only(
    desk: Desk, engine: Engine, place: str, is_shown: bool
) -> None:
    """By the code of the division: none of these has a row of divisions above or below it."""
    made = archive(desk)
    for role in (AccountRole.PROSECUTOR, AccountRole.POLICE, AccountRole.SUPERVISOR, AccountRole.LEADER):
        official = official_in(engine, f"{role}-{place}", role, division=place)
        with as_account(engine, official.account_id) as connection:
            found = [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                     for table in ("lead", "lead_event", "distance_finding", "measurement_archive")]  # fmt: skip
            assert found == ([1, 2, 1, 1] if is_shown else [0, 0, 0, 0]), role
            assert (archived_text(connection, made) is not None) == is_shown
            assert figures_of_leads(connection, today=TODAY).lead_count == is_shown
            named = connection.execute(
                text("SELECT count(*) FROM people_of_leads(ARRAY[:no])"), {"no": desk.prosecutor.account_no}
            )
            assert named.scalar_one() == is_shown
    if not is_shown:
        leader = official_in(engine, "elsewhere", AccountRole.LEADER, division=place)
        with pytest.raises(NotThereError):
            desk.step(LeadStep.RECHECK, by=leader, on=TODAY, is_found=True)
        with as_account(engine, leader.account_id) as connection:
            connection.execute(text("SET LOCAL ROLE NONE"))
            assert added(connection, 2, "recheck") is None


def archive(desk: Desk) -> str:
    """A measurement of the shop, and a step by a person, so that there is something of everything."""
    desk.step(LeadStep.CHECK, on=TODAY, is_found=True)
    with desk.engine.begin() as connection:
        shop = connection.execute(text("SELECT venue_id FROM lead")).scalar_one()
        walked = WalkedBy(network=STREET, network_on=NETWORK_ON)
        made = measure_pair(connection, law(BY_AIR, WALKED), on=ON, venue_id=shop, site_id=None, walked=walked)
        return archive_measurement(connection, made, at=NOW, made_by="tests")


def test_a_division_below_by_the_tree_is_overseen_whatever_its_code(desk: Desk, engine: Engine) -> None:
    railway = official_in(engine, "railway", AccountRole.LEADER, division="RW-1")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO division (code, name, parent_no) SELECT '320312', '合成区', division_no FROM division"
                 " WHERE code = 'RW-1'")
        )  # fmt: skip
    with as_account(engine, railway.account_id) as connection:
        assert len(leads_shown(connection, LeadFilter(), today=TODAY)) == 1


ADD = (
    "SELECT add_lead_event(ROW(lead_no, :position, :step, now(), NULL, NULL, NULL, false, '', '', '')::lead_event)"
    " FROM lead"
)


def added(connection: Connection, position: int, step: str) -> Any:
    return connection.execute(text(ADD), {"position": position, "step": step}).scalar_one()


def test_the_database_adds_after_the_last_event_only_and_for_whom_it_may(desk: Desk) -> None:
    for official, position, step, expected in (
        (desk.police, 1, "check", None),
        (desk.prosecutor, 0, "open", None),
        (desk.prosecutor, 2, "check", None),
        (desk.prosecutor, 1, "open", None),
        (desk.prosecutor, 1, "check", 1),
        (desk.prosecutor, 1, "check", None),
    ):
        with as_account(desk.engine, official.account_id) as connection:
            assert added(connection, position, step) == expected, (position, step)
    with desk.engine.connect() as connection:
        found = connection.execute(text("SELECT account_no FROM lead_event ORDER BY position")).scalars().all()
    assert found == [None, desk.prosecutor.account_no]


def test_two_officers_at_once_leave_one_step(desk: Desk) -> None:
    with as_account(desk.engine, desk.prosecutor.account_id) as slow:
        event = event_by(
            LeadStep.CHECK, account_id=desk.prosecutor.account_id, at=NOW + timedelta(days=366), on=TODAY, is_found=True
        )
        lead_shown(slow, desk.lead_id, today=TODAY)
        slow.execute(text("SET LOCAL lock_timeout = '5s'"))
        desk.step(LeadStep.CHECK, on=TODAY, is_found=False)
        assert take_lead_step(slow, desk.lead_id, event) is LeadState.CHECKED  # it saw the other's, and follows it
    assert [one["is_found"] for one in desk.shown()["events"][1:]] == [False, True]


def test_figures_count_what_was_done_and_name_nobody(desk: Desk) -> None:
    recommend(desk)
    with as_account(desk.engine, desk.police.account_id) as connection:
        figures = figures_of_leads(connection, today=date(2027, 6, 1))
        assert (figures.lead_count, figures.checked_count, figures.found_share) == (1, 1, 1.0)
        assert (figures.delivered_count, figures.overdue_count) == (1, 1)
        shown = leads_shown(connection, LeadFilter(is_overdue=True), today=date(2027, 6, 1))
        assert [one["lead_id"] for one in shown] == [desk.lead_id]
        assert leads_shown(connection, LeadFilter(is_overdue=True), today=TODAY) == []
        assert leads_shown(connection, LeadFilter(state=LeadState.NEW), today=TODAY) == []


def test_what_is_overdue_comes_first_then_what_is_to_be_looked_at_again_then_the_newest(desk: Desk) -> None:
    recommend(desk)
    names = {"overdue": desk.lead_id}
    with desk.engine.begin() as connection:
        for name in ("answered", "newer", "longer overdue", "newest"):
            proposal = LeadProposal(
                key=name, ground=LeadGround.MIS_REGISTERED, venue_id=str(new_id()),
                categories=frozenset({VenueCategory.BAR}), is_sure=False, facts=("登记为小吃服务，实为酒吧",),
            )  # fmt: skip
            routed = route_lead((), ground=proposal.ground, categories=proposal.categories, division="320312")
            names[name] = new_id()
            draft = LeadDraft(lead_id=names[name], proposal=proposal, venue_name=name, venue_address="",
                              division="320312", routed=routed)  # fmt: skip
            assert open_leads(connection, [draft], run_no=None, at=NOW) == 1
    recommend(replace(desk, lead_id=names["longer overdue"]), is_urgent=True)
    answered = replace(desk, lead_id=names["answered"])
    recommend(answered)
    answered.step(LeadStep.REPLY, on=date(2026, 12, 20))
    with as_account(desk.engine, desk.prosecutor.account_id) as connection:
        shown = leads_shown(connection, LeadFilter(), today=date(2027, 3, 1))
        before = leads_shown(connection, LeadFilter(), today=date(2026, 12, 1))
    by_id = {lead_id: name for name, lead_id in names.items()}
    assert [by_id[one["lead_id"]] for one in shown] == ["longer overdue", "overdue", "answered", "newest", "newer"]
    assert [(one["is_overdue"], one["is_recheck_due"]) for one in shown[:4]] == [
        (True, True), (True, True), (False, True), (False, False)
    ]  # fmt: skip
    assert shown[2]["recheck_on"] == date(2027, 1, 19)
    with as_account(desk.engine, desk.prosecutor.account_id) as connection:
        paged, after = [], None
        while page := leads_shown(connection, LeadFilter(after=after), today=date(2027, 3, 1), most=2):
            assert len(page) <= 2
            paged += page
            after = page[-1]["lead_id"]
        assert paged == shown
        for division, count in (("320312", 5), ("320300", 5), ("320000", 5), ("000000", 5), ("320303", 0)):
            assert len(leads_shown(connection, LeadFilter(division=division), today=TODAY)) == count, division
        with pytest.raises(NotThereError):
            leads_shown(connection, LeadFilter(after=new_id()), today=TODAY)
    assert [by_id[one["lead_id"]] for one in before] == ["newest", "longer overdue", "newer", "answered", "overdue"]


# ---- over HTTP


@pytest.fixture
def browser(desk: Desk, database_url: str) -> Iterator[Browser]:
    with a_browser(database_url, clock=FixedClock(NOW + timedelta(days=1))) as found:
        found.log_in(desk.prosecutor)
        yield found


def test_leads_and_findings_are_shown_worked_and_drafted_over_http(desk: Desk, browser: Browser) -> None:
    (lead,) = browser.ask("GET", "/leads").json()["leads"]
    assert (lead["state"], lead["ground"], lead["venue_name"]) == ("new", "distance", "路口烟店")
    path = f"/leads/{lead['lead_id']}"
    refused = browser.ask("POST", f"{path}/steps", json={"step": "close"})
    assert (refused.status_code, refused.json()["code"]) == (409, "lead_step")
    checked = {"step": "check", "on": "2026-11-23", "is_found": True, "note": "柜台有卷烟"}
    assert browser.ask("POST", f"{path}/steps", json=checked).json() == {"state": "checked"}
    assert browser.ask("POST", f"{path}/steps", json=checked | {"step": "open"}).status_code == 422
    ahead = browser.ask("POST", f"{path}/steps", json={"step": "dismiss", "note": "x", "on": "2999-01-01"})
    assert (ahead.status_code, ahead.json()["code"]) == (409, "lead_step")
    figures = browser.ask("GET", "/leads/statistics").json()
    assert (figures["by_state"], figures["by_outcome"]) == ({"checked": 1}, {"open": 1})
    assert figures["by_month"]["2026-11"]["checked_count"] == 1
    for form, begins in (("docx", b"PK"), ("pdf", b"%PDF-")):
        paper = browser.ask("GET", f"{path}/recommendation.{form}", params={"procuratorate": "合成检察院"})
        assert paper.content.startswith(begins)
        disposition = f'attachment; filename="recommendation-{lead["lead_id"]}.{form}"'
        assert (paper.headers["content-disposition"], paper.headers["cache-control"]) == (disposition, "no-store")
        assert noted(desk, "look_recommendation")[-1] == (f"lead {lead['lead_id']}: {form}", desk.prosecutor.account_id)
    asked = {"procuratorate": "合成检察院", "document_number": "合成检建〔2026〕9号"}
    numbered = browser.ask("GET", f"{path}/recommendation.docx", params=asked)
    assert "合成检建〔2026〕9号" in [one.text for one in Document(io.BytesIO(numbered.content)).paragraphs]
    (finding,) = browser.ask("GET", "/distance/findings", params={"verdict": "breach"}).json()["findings"]
    assert (finding["venue_name"], round(finding["straight_m"]), finding["threshold_m"]) == ("路口烟店", 43, 70.0)
    assert browser.ask("GET", "/distance/findings", params={"verdict": "clear"}).json()["findings"] == []
    assert browser.ask("GET", "/distance/findings", params={"on": "2020-01-01"}).json()["findings"] == []
    for asked, count in (
        ({"division": "320300"}, 1), ({"division": "440100"}, 0), ({"after": str(finding["finding_no"])}, 0),
    ):  # fmt: skip
        assert len(browser.ask("GET", "/distance/findings", params=asked).json()["findings"]) == count, asked
        if "after" not in asked:
            assert len(browser.ask("GET", "/leads", params=asked).json()["leads"]) == count, asked
    assert browser.ask("GET", "/distance/findings", params={"after": "999"}).status_code == 404
    assert browser.ask("GET", "/distance/findings", params={"division": "3203"}).status_code == 422
    assert browser.ask("GET", "/leads", params={"after": lead["lead_id"]}).json()["leads"] == []
    (change,) = browser.ask("GET", "/distance/changes").json()["changes"]
    assert (change["cause"], change["verdict_before"]) == ("first", None)
    (run,) = browser.ask("GET", "/distance/runs").json()["runs"]
    assert run["verdicts"] == {"clear": 0, "survey": 0, "breach": 1, "grandfathered": 0}
    rule = browser.ask("GET", f"/distance/rules/{finding['rule_id']}/{finding['rule_version']}").json()
    assert rule["text_zh"] == "直线七十米"
    history = browser.ask("GET", f"/distance/venues/{finding['venue_id']}").json()["findings"]
    assert [one["verdict"] for one in history] == ["breach"]


def noted(desk: Desk, kind: str) -> list[tuple[str, UUID]]:
    """What was read, and by whom, by the audit."""
    query = "SELECT detail, actor FROM audit_entry WHERE kind = :kind ORDER BY position"
    with desk.engine.connect() as connection:
        rows = connection.execute(text(query), {"kind": kind}).all()
    return [(row.detail, UUID(row.actor.removeprefix("account:"))) for row in rows]


def test_the_report_of_a_measurement_is_read_over_http_and_its_reading_noted(
    desk: Desk, database_url: str, tmp_path: Path
) -> None:
    archived = archive(desk)
    keep_network(STREET, tmp_path)
    elsewhere = official_in(desk.engine, "li", AccountRole.POLICE, division="370600", now=NOW)
    path = f"/distance/measurements/{archived}/report.pdf"
    with a_browser(
        database_url, clock=FixedClock(NOW + timedelta(days=1)), paper_desk=PaperDesk(data_dir=tmp_path)
    ) as found:
        stranger = another(found)
        stranger.log_in(elsewhere)
        assert stranger.ask("GET", path).status_code == 404
        assert stranger.ask("GET", f"/distance/measurements/{archived}").status_code == 404
        assert stranger.ask("GET", "/distance/findings").json() == {"findings": []}
        assert stranger.ask("GET", "/distance/changes").json() == {"changes": []}
        assert noted(desk, "look_measurement") == []
        found.log_in(desk.police)
        report = found.ask("GET", path)
        assert (report.status_code, report.headers["content-type"]) == (200, "application/pdf")
        disposition = f'attachment; filename="measurement-{archived[:16]}.pdf"'
        assert (report.headers["content-disposition"], report.headers["cache-control"]) == (disposition, "no-store")
        assert archived[:16] in "".join(text_of_pdf(report.content))
        assert found.ask("GET", path).content == report.content
        assert noted(desk, "look_measurement") == [(f"measurement {archived}", desk.police.account_id)] * 2
        venue_id = found.ask("GET", "/distance/findings").json()["findings"][0]["venue_id"]
        (held,) = found.ask("GET", f"/distance/venues/{venue_id}").json()["measurements"]
        assert (held["hash"], held["verdict"]) == (archived, "clear")
        # A measurement of one's own: by the rules of the evaluation, and by nobody of another city.
        (finding,) = found.ask("GET", "/distance/findings").json()["findings"]
        measured = f"/distance/venues/{venue_id}/measurements"
        site = {"site_id": finding["site_id"]}
        assert stranger.ask("POST", measured, json=site).status_code == 404
        assert found.ask("POST", measured, json={"site_id": "osm/way/2"}).status_code == 404
        own = found.ask("POST", measured, json=site)
        assert (own.status_code, own.json()["verdict"]) == (201, "breach")
        assert found.ask("POST", measured, json=site).json() == own.json()
        newest = found.ask("GET", f"/distance/venues/{venue_id}").json()["measurements"][0]
        assert (newest["hash"], newest["made_by"]) == (own.json()["hash"], f"account:{desk.police.account_id}")
        assert found.ask("GET", f"/distance/measurements/{newest['hash']}/report.pdf").status_code == 200
        with desk.engine.begin() as connection:
            connection.execute(text("UPDATE venue SET geometry = ST_Translate(geometry, 1, 0)"))
        far = found.ask("POST", measured, json=site)
        assert (far.status_code, far.json()["code"]) == (409, "nothing_to_measure")
        next((tmp_path / "walk").iterdir()).rename(tmp_path / "lost")
        gone = found.ask("GET", path)
        assert (gone.status_code, gone.json()["code"]) == (409, "measurement_unavailable")
        assert len(noted(desk, "look_measurement")) == 3
