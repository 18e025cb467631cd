"""Looks over real HTTP: asking, deciding, the track, the person, who looked, and the audit administrator's side."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine, make_url, text

from api.clock import FixedClock
from api.database import open_engine
from api.personal.fields import save_identity
from api.request_ids import REQUEST_ID_HEADER
from tests.access.look_scene import REASON, SPAN, Office, an_office
from tests.access.people import Browser, a_browser, another
from tests.databases import drop_database
from tests.make import EVENING, KEYRING, a_fix, log_fixes

NAME, ID_NUMBER, PHONE = "王小丽", "320303201001010026", "13800000101"

MINUTES = (*range(40), *range(80, 121))
"""After the beginning of the span: with a silence of 41 minutes, and one fix more at its last instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    engine: Engine
    office: Office
    browsers: dict[str, Browser]

    def ask(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        return self.browsers[who].ask(method, path, **more)

    def look(self, who: str, case: str = "a", **changes: Any) -> httpx.Response:
        span = {name: instant.isoformat() for name, instant in SPAN.items()}
        body = {"kind": "track", "purpose_code": "review_alert", **span} | changes
        return self.ask(who, "POST", f"/subjects/{self.office.cases[case].subject_id}/looks", json=body)

    def approved(self, who: str, case: str = "a", **changes: Any) -> str:
        look_id: str = self.look(who, case, **changes).json()["look_id"]
        assert self.ask("leader", "POST", f"/looks/{look_id}/decision", json={"is_approved": True}).status_code == 200
        return look_id

    def track(self, who: str, look_id: str | None, case: str = "a", **params: Any) -> httpx.Response:
        return self.under(who, look_id, f"/subjects/{self.office.cases[case].subject_id}/track", **params)

    def person(self, who: str, look_id: str | None, case: str = "a") -> httpx.Response:
        return self.under(who, look_id, f"/subjects/{self.office.cases[case].subject_id}/person")

    def under(self, who: str, look_id: str | None, path: str, **params: Any) -> httpx.Response:
        headers = {} if look_id is None else {"X-Look": look_id}
        return self.ask(who, "GET", path, headers=headers, params=params)

    def entries(self, kind: str) -> list[Any]:
        query = text("SELECT * FROM audit_entry WHERE kind = :kind ORDER BY position")
        with self.engine.connect() as connection:
            return list(connection.execute(query, {"kind": kind}))


@pytest.fixture(scope="module")
def scene(cluster_url: str) -> Iterator[Scene]:
    """One database and one server for the module: a log-in costs three slow hashes."""
    admin = open_engine(make_url(cluster_url).set(database="postgres").render_as_string(False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE look_routes TEMPLATE hulan")
    url = make_url(cluster_url).set(database="look_routes").render_as_string(False)
    engine = open_engine(url)
    with engine.begin() as connection:
        office = an_office(connection)
        for case in "abc":
            save_identity(connection, KEYRING, subject_no=office.no(case), name=NAME, id_number=ID_NUMBER)
    for person in office.cases.values():
        log_fixes(engine, person, [*(a_fix(minutes=m) for m in MINUTES), a_fix(minutes=120, east_m=9)])
    with a_browser(url, clock=FixedClock(datetime.now(UTC))) as browser:
        browsers = {}
        for number, who in enumerate(("member", "colleague", "leader", "leader elsewhere", "audit")):
            browsers[who] = another(browser, f"198.51.100.{number + 10}")
            browsers[who].log_in(office.officials[who])
        yield Scene(engine=engine, office=office, browsers=browsers)
    engine.dispose()
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, "look_routes")
    admin.dispose()


@pytest.fixture(autouse=True)
def no_look_is_left(scene: Scene) -> Iterator[None]:
    yield
    with scene.engine.begin() as connection:
        connection.execute(text("UPDATE look SET ends_at = least(ends_at, asked_at)"))


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


# ---- the way to a track


def test_a_track_needs_a_purpose_then_an_approval_and_every_page_is_noted(scene: Scene) -> None:
    assert code(scene.track("member", None)) == (403, "look_missing")
    asked = scene.look("member")
    assert (asked.status_code, asked.json()["state"]) == (201, "waiting")
    look_id = asked.json()["look_id"]
    assert code(scene.track("member", look_id)) == (403, "approval_missing")
    [waiting] = scene.ask("leader", "GET", "/looks").json()["waiting"]
    assert (waiting["look_id"], waiting["asked_by"]["division_code"]) == (look_id, "320303")
    done = scene.ask("leader", "POST", f"/looks/{look_id}/decision", json={"is_approved": True})
    assert (done.json()["state"], done.json()["decided_by"]["display_name"]) == ("open", "合成人员")
    before = len(scene.entries("look_track"))
    first = scene.track("member", look_id, most=60)
    second = scene.track("member", look_id, most=60, after=first.json()["next"])
    assert (first.status_code, second.status_code) == (200, 200)
    fixes = [*first.json()["fixes"], *second.json()["fixes"]]
    instants = [datetime.fromisoformat(fix["fixed_at"]) for fix in fixes]
    assert instants == [EVENING + timedelta(minutes=minute) for minute in (*MINUTES, 120)]
    assert second.json()["next"] is None
    assert {fix["accuracy_m"] for fix in fixes} == {10.0}
    assert first.json()["gaps"] == [
        {"from_at": fixes[39]["fixed_at"], "to_at": fixes[40]["fixed_at"]},
    ]
    assert second.json()["gaps"] == []
    noted = scene.entries("look_track")[before:]
    account = f"account:{scene.office.officials['member'].account_id}"
    assert [(entry.actor, entry.purpose) for entry in noted] == [(account, "review_alert")] * 2
    assert [entry.request_id for entry in noted] == [answer.headers[REQUEST_ID_HEADER] for answer in (first, second)]
    assert all(look_id in entry.detail for entry in noted)


def test_a_page_never_ends_within_an_instant(scene: Scene) -> None:
    look_id = scene.approved("member")
    page = scene.track("member", look_id, most=81)
    assert (len(page.json()["fixes"]), page.json()["next"]) == (82, None)
    small = scene.track("member", look_id, most=1, after=page.json()["fixes"][-3]["fixed_at"])
    assert len(small.json()["fixes"]) == 2


def test_a_silence_at_the_end_and_at_the_beginning_of_a_span_is_a_gap(scene: Scene) -> None:
    span = {"from_at": (EVENING - timedelta(hours=1)).isoformat(), "to_at": (EVENING + timedelta(hours=3)).isoformat()}
    found = scene.track("member", scene.approved("member", **span)).json()
    hours = [
        (datetime.fromisoformat(gap["to_at"]) - datetime.fromisoformat(gap["from_at"])) / timedelta(hours=1)
        for gap in found["gaps"]
    ]
    assert hours == [1.0, pytest.approx(41 / 60), 1.0]


def test_flags_are_told_in_words(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO fix_flag SELECT subject_no, fixed_at, fix_key, 512 FROM fix WHERE fixed_at = :at"),
            {"at": EVENING},
        )
    fix = scene.track("member", scene.approved("member"), most=1).json()["fixes"][0]
    assert fix["flags"] == ["位置跳变，不作依据 / teleport, decides nothing"]
    assert fix["is_set_aside"] is False


# ---- what a look does not open


def test_a_look_opens_nothing_else_and_nothing_later(scene: Scene) -> None:
    look_id = scene.approved("member")
    assert scene.track("member", look_id).status_code == 200
    assert code(scene.track("member", look_id, "b")) == (403, "look_missing")
    assert code(scene.track("leader", look_id)) == (403, "look_missing")
    assert code(scene.person("member", look_id)) == (403, "look_missing")
    assert code(scene.track("member", str(uuid4()))) == (403, "look_missing")
    assert scene.track("member", "no id").status_code == 422
    with scene.engine.begin() as connection:
        connection.execute(text("UPDATE look SET ends_at = now() WHERE look_id = :id"), {"id": look_id})
    assert code(scene.track("member", look_id)) == (403, "look_missing")


def test_a_case_that_is_not_visible_is_not_there(scene: Scene) -> None:
    look_id = scene.approved("member")
    for who, case in (("colleague", "a"), ("leader elsewhere", "a"), ("member", "c")):
        hidden, missing = scene.office.cases[case].subject_id, UUID(int=5)
        body = {"kind": "person", "purpose_code": "review_alert"}
        for method, path, more in (
            ("GET", "track", {"headers": {"X-Look": look_id}}),
            ("GET", "track", {}),
            ("GET", "person", {}),
            ("GET", "person", {"headers": {"X-Look": look_id}}),
            ("GET", "lookers", {}),
            ("POST", "looks", {"json": body}),
        ):
            answers = [scene.ask(who, method, f"/subjects/{no}/{path}", **more) for no in (hidden, missing)]
            assert {answer.status_code for answer in answers} == {404}, (who, path)
            assert answers[0].content == answers[1].content, (who, path)
            headers = [set(answer.headers) for answer in answers]
            assert headers[0] == headers[1]
    other = {"kind": "person", "purpose_code": "emergency", "purpose": REASON, "is_break_glass": True}
    for case_id in (scene.office.cases["a"].subject_id, UUID(int=5)):
        assert code(scene.ask("leader elsewhere", "POST", f"/subjects/{case_id}/looks", json=other)) == (
            404,
            "not_found",
        )


def test_nobody_decides_their_own_look_and_only_leaders_decide(scene: Scene) -> None:
    own = scene.look("leader").json()["look_id"]
    assert code(scene.ask("leader", "POST", f"/looks/{own}/decision", json={"is_approved": True})) == (
        403,
        "not_allowed",
    )
    look_id = scene.look("member").json()["look_id"]
    for who, answer in (("member", (403, "not_allowed")), ("audit", (403, "not_allowed")),
                        ("leader elsewhere", (404, "not_found"))):  # fmt: skip
        assert code(scene.ask(who, "POST", f"/looks/{look_id}/decision", json={"is_approved": True})) == answer
    assert scene.ask("leader", "POST", f"/looks/{look_id}/decision", json={"is_approved": False}).json()["state"] == (
        "refused"
    )
    assert code(scene.track("member", look_id)) == (403, "look_missing")


def test_a_look_without_what_it_needs_is_refused(scene: Scene) -> None:
    refused: list[dict[str, Any]] = [
        {"purpose_code": "other"}, {"from_at": None}, {"is_break_glass": True, "purpose": "太短"}
    ]  # fmt: skip
    for changes in refused:
        assert code(scene.look("member", **changes)) == (422, "refused")
    unreadable: list[dict[str, Any]] = [{"purpose_code": "curiosity"}, {"kind": "map"}, {"needs_approval": False}]
    for changes in unreadable:
        assert code(scene.look("member", **changes)) == (422, "bad_request")


# ---- the person


def test_a_person_is_masked_until_a_look_says_what_for(scene: Scene) -> None:
    masked = scene.person("member", None)
    assert masked.json()["is_masked"]
    for clear in (NAME, ID_NUMBER, PHONE, "2010-01-01"):
        assert clear not in masked.text
    assert (masked.json()["name"], masked.json()["contacts"][0]["phone"]) == ("王**", "138****0101")
    look_id = scene.look("member", kind="person", from_at=None, to_at=None).json()["look_id"]
    before = len(scene.entries("look_person"))
    clear = scene.person("member", look_id).json()
    assert (clear["name"], clear["id_number"], clear["birth_date"]) == (NAME, ID_NUMBER, "2010-01-01")
    assert clear["contacts"][0]["phone"] == PHONE
    assert len(scene.entries("look_person")) == before + 1


# ---- breaking the glass


def test_broken_glass_is_told_to_the_audit_administrator_even_if_nothing_is_read(scene: Scene) -> None:
    look = scene.look("colleague", is_break_glass=True, purpose=REASON, purpose_code="emergency")
    assert (look.status_code, look.json()["state"]) == (201, "open")
    look_id = look.json()["look_id"]
    notices = scene.ask("audit", "GET", "/audit/notices")
    [notice] = [item for item in notices.json()["notices"] if item["look_id"] == look_id]
    assert notice["account_id"] == str(scene.office.officials["colleague"].account_id)
    assert REASON not in notices.text
    [entry] = [item for item in scene.entries("break_glass") if look_id in item.detail]
    assert entry.request_id == look.headers[REQUEST_ID_HEADER]
    assert scene.track("colleague", look_id).status_code == 200, "now it is read too"
    assert scene.ask("colleague", "GET", "/subjects").json() == {"subjects": [str(scene.office.cases["a"].subject_id)]}
    review = f"/audit/notices/{notice['notice_id']}/review"
    assert scene.ask("leader", "POST", review, json={"remark": "已核实"}).status_code == 403
    assert scene.ask("audit", "POST", review, json={"remark": " "}).status_code == 422
    assert scene.ask("audit", "POST", review, json={"remark": "已核实"}).status_code == 204
    assert code(scene.ask("audit", "POST", review, json={"remark": "已核实"})) == (404, "not_found")
    open_ids = [item["look_id"] for item in scene.ask("audit", "GET", "/audit/notices").json()["notices"]]
    assert look_id not in open_ids
    every = scene.ask("audit", "GET", "/audit/notices?is_open=false").json()["notices"]
    assert [item["remark"] for item in every if item["look_id"] == look_id] == ["已核实"]


# ---- who looked


def test_the_audit_administrator_reads_who_looked_and_no_personal_data(scene: Scene) -> None:
    scene.track("member", scene.approved("member", purpose_code="other", purpose=f"{NAME}的事"))
    answer = scene.ask("audit", "GET", "/audit/entries?most=500")
    entries = answer.json()["entries"]
    assert any(
        entry["kind"] == "look_track" and entry["actor"] == f"account:{scene.office.officials['member'].account_id}"
        for entry in entries
    )
    for clear in (NAME, ID_NUMBER, PHONE, "合成人员", "小丽"):
        assert clear not in answer.text
    older = scene.ask("audit", "GET", f"/audit/entries?before={entries[0]['position']}&most=1").json()["entries"]
    assert older == entries[1:2]
    for who in ("member", "leader"):
        for path in ("/audit/entries", "/audit/notices"):
            assert code(scene.ask(who, "GET", path)) == (403, "not_allowed")
    for path in ("/looks", f"/subjects/{scene.office.cases['a'].subject_id}/track"):
        assert code(scene.ask("audit", "GET", path)) == (403, "not_allowed")


def test_officers_with_the_case_see_who_looked(scene: Scene) -> None:
    look_id = scene.approved("member")
    found = scene.ask("leader", "GET", f"/subjects/{scene.office.cases['a'].subject_id}/lookers").json()["looks"]
    [look] = [item for item in found if item["look_id"] == look_id]
    assert look["asked_by"]["account_id"] == str(scene.office.officials["member"].account_id)
    assert look["decided_by"]["account_id"] == str(scene.office.officials["leader"].account_id)
    assert {item["subject_id"] for item in found} == {str(scene.office.cases["a"].subject_id)}
    own = scene.ask("member", "GET", "/looks").json()
    assert own["waiting"] == []
    assert own["own"][0]["look_id"] == look_id
    assert "account_no" not in json.dumps(own)


def test_every_view_of_a_minors_track_has_an_approver_or_a_notice(scene: Scene) -> None:
    """Acceptance of item 15: every entry of a track names a look that another leader approved, or broken glass."""
    scene.track("member", scene.approved("member"))
    broken = scene.look("colleague", "b", is_break_glass=True, purpose=REASON, purpose_code="emergency").json()
    scene.track("colleague", broken["look_id"], "b")
    viewed = [UUID(entry.detail.split()[1]) for entry in scene.entries("look_track")]
    assert len(viewed) >= 2
    with scene.engine.connect() as connection:
        looks = connection.execute(
            text(
                "SELECT l.*, n.notice_id, EXISTS (SELECT FROM account_role r WHERE r.account_no = l.decided_by"
                " AND r.role = 'leader') AS is_by_leader FROM look l LEFT JOIN notice n USING (look_id)"
                " WHERE look_id = ANY(:looks)"
            ),
            {"looks": viewed},
        ).all()
    assert {look.look_id for look in looks} == set(viewed)
    for look in looks:
        is_approved = look.is_approved and look.is_by_leader and look.decided_by != look.account_no
        assert is_approved or (look.is_break_glass and look.notice_id is not None), look.look_id
