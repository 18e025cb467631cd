"""What may leave: one person at a time, under a look, so many rows without approval, every time on record."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from api.access.caller import Caller, as_account
from api.access.roles import AccountRole
from api.database import open_engine
from api.errors import (
    ApprovalMissingError,
    ExportLimitError,
    LookMissingError,
    NotThereError,
    RefusedInputError,
    SpanTooNarrowError,
)
from api.evidence.case import read_case
from api.exporting.handing_out import Desk, EvidenceSpan, evidence_span
from api.exporting.runs import ShownRun, list_runs
from api.exporting.track_files import TrackFormat
from api.exporting.verifying import count_rows, verify_pack
from api.look_policy import Look, SightKind
from tests.access.look_scene import Office, a_wish, an_office, approved, asked
from tests.access.people import Browser
from tests.evidence.scene import KEY, PACKING, a_database, a_site, an_alert, members_of, text_of_pdf
from tests.make import EVENING, KEYRING, a_fix, log_fixes

TRUSTED = {"office": KEY.public_key()}
GROWN_UP = date(1990, 1, 1)
SCENE = "exports_scene"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bureau:
    """``office`` of looks with adults, whose export of few rows needs nobody's approval; ``desk``: what is tested."""

    engine: Engine
    office: Office
    desk: Desk

    def caller(self, who: str) -> Caller:
        official = self.office.officials[who]
        role = {"member": AccountRole.PROSECUTOR}.get(who, AccountRole.LEADER)
        return Caller(
            account_no=official.account_no,
            account_id=official.account_id,
            login_name=official.login_name,
            roles=frozenset({role}),
        )

    def look(self, rows: int | None, *, case: str = "a", who: str = "member", **changes: Any) -> Look:
        """A look at so many fixes of the evening, a minute each."""
        span = {} if rows is None else {"to_at": EVENING + timedelta(minutes=rows - 0.5), "row_count": rows}
        return asked(self.engine, self.office, who, case, a_wish(SightKind.EXPORT, **(span | changes)))

    def export(
        self, look: Look, *, case: str = "a", who: str = "member", wanted: TrackFormat = TrackFormat.CSV
    ) -> bytes:
        subject_id = self.office.cases[case].subject_id
        return self.desk.export_track(
            self.caller(who), subject_id=subject_id, look_id=look.look_id, wanted=wanted
        ).content

    def evidence(self, alert_id: UUID, look: Look, *, who: str = "member") -> bytes:
        return self.desk.export_evidence(self.caller(who), alert_id=alert_id, look_id=look.look_id).content

    def runs(self) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT * FROM export_run ORDER BY made_at")))

    def noted(self, kind: str) -> list[Any]:
        with self.engine.connect() as connection:
            query = text("SELECT * FROM audit_entry WHERE kind = :kind ORDER BY position")
            return list(connection.execute(query, {"kind": kind}))


@pytest.fixture(scope="module")
def office(cluster_url: str) -> Iterator[Office]:
    """The accounts are made once: their passwords take seconds to hash."""
    with a_database(cluster_url, SCENE, template="hulan") as url:
        engine = open_engine(url)
        with engine.begin() as connection:
            office = an_office(connection)
            connection.execute(text("UPDATE subject SET birth_date = :day"), {"day": GROWN_UP})
        for case in "ab":
            log_fixes(engine, office.cases[case], [a_fix(minutes=minute, east_m=900 + minute) for minute in range(60)])
        engine.dispose()
        yield office


@pytest.fixture
def database_url(cluster_url: str, office: Office) -> Iterator[str]:
    """A copy of the scene."""
    with a_database(cluster_url, "exports_of_one_test", template=SCENE) as url:
        yield url


@pytest.fixture
def bureau(engine: Engine, office: Office) -> Bureau:
    desk = Desk(engine=engine, packing=PACKING, now=lambda: datetime.now(UTC))
    return Bureau(engine=engine, office=office, desk=desk)


# ---- the limit


@pytest.mark.parametrize("wanted", list(TrackFormat))
def test_a_track_leaves_with_its_watermark_manifest_and_signature(bureau: Bureau, wanted: TrackFormat) -> None:
    content = bureau.export(bureau.look(25), wanted=wanted)
    members = members_of(content)
    name = f"track.{wanted}"
    assert verify_pack(content, trusted=TRUSTED).faults == ()
    assert count_rows(name, members[name]) == 25
    manifest = json.loads(members["manifest.json"])
    (run,) = bureau.runs()
    (entry,) = bureau.noted("export")
    assert (run.track_rows, run.lodging_rows, run.is_approved, run.kind) == (25, 0, False, "export")
    assert manifest["audit"] == {"position": entry.position, "hash": bytes(entry.hash).hex()}
    assert (entry.actor, entry.purpose) == (f"account:{bureau.caller('member').account_id}", "review_alert")
    marks = members[name].decode("utf-8-sig").count(f"review_alert {run.export_id}")
    assert marks >= 25, "every row carries the watermark"


def test_the_26th_row_is_refused_noted_and_nothing_is_written(bureau: Bureau) -> None:
    # 26 rows, and a look that says 25: what counts is what would leave.
    with pytest.raises(ExportLimitError):
        bureau.export(bureau.look(26, row_count=25))
    assert bureau.runs() == []
    assert bureau.noted("export") == []
    (entry,) = bureau.noted("export_refused")
    assert entry.subject_no == bureau.office.no("a")


def test_small_exports_add_up_and_another_account_has_its_own_count(bureau: Bureau) -> None:
    bureau.export(bureau.look(15))
    bureau.export(bureau.look(10, case="b"), case="b")
    with pytest.raises(ExportLimitError):
        bureau.export(bureau.look(1))
    bureau.export(bureau.look(20, who="leader"), who="leader")
    assert [run.track_rows for run in bureau.runs()] == [15, 10, 20]


def test_rows_of_long_ago_no_longer_count(bureau: Bureau) -> None:
    bureau.export(bureau.look(25))
    with bureau.engine.begin() as connection:
        connection.execute(text("UPDATE export_run SET made_at = made_at - interval '29 days 23 hours'"))
    with pytest.raises(ExportLimitError):
        bureau.export(bureau.look(1))
    with bureau.engine.begin() as connection:
        connection.execute(text("UPDATE export_run SET made_at = made_at - interval '1 hour 1 second'"))
    bureau.export(bureau.look(1))


def test_a_leaders_approval_lifts_the_limit_and_does_not_use_it_up(bureau: Bureau) -> None:
    wish = a_wish(SightKind.EXPORT, row_count=60)
    with pytest.raises(ApprovalMissingError):
        bureau.export(asked(bureau.engine, bureau.office, "member", "a", wish))
    look = approved(bureau.engine, bureau.office, "member", "a", wish)
    assert count_rows("track.csv", members_of(bureau.export(look))["track.csv"]) == 60
    bureau.export(bureau.look(25))
    assert [run.is_approved for run in bureau.runs()] == [True, False]


def test_breaking_the_glass_is_no_approval(bureau: Bureau) -> None:
    wish = a_wish(SightKind.EXPORT, is_break_glass=True, purpose="当事人失联，家属报警求助")
    with pytest.raises(ExportLimitError):
        bureau.export(asked(bureau.engine, bureau.office, "member", "a", wish))


def test_exports_at_the_same_time_cannot_pass_the_limit_together(bureau: Bureau) -> None:
    looks = [bureau.look(10) for _ in range(6)]
    refused = []

    def take(look: Look) -> None:
        try:
            bureau.export(look)
        except ExportLimitError:
            refused.append(look)

    threads = [threading.Thread(target=take, args=(look,)) for look in looks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 4
    assert sum(run.track_rows for run in bureau.runs()) == 20
    assert len(bureau.noted("export_refused")) == 4


def test_lodging_rows_have_their_own_limit_in_the_database(bureau: Bureau) -> None:
    look = bureau.look(1)
    with as_account(bureau.engine, bureau.caller("member").account_id) as connection:
        assert recorded(connection, look, lodging_rows=251) is None
        assert recorded(connection, look, lodging_rows=250) is not None
        assert recorded(connection, look, lodging_rows=1) is None


def test_the_database_itself_refuses_what_no_open_look_covers(bureau: Bureau) -> None:
    look = bureau.look(5)
    with as_account(bureau.engine, bureau.caller("leader").account_id) as connection:
        assert recorded(connection, look) is None, "another's look"
    with as_account(bureau.engine, bureau.caller("member").account_id) as connection:
        assert recorded(connection, look, subject_no=bureau.office.no("b")) is None, "another subject"
        assert recorded(connection, look, kind="evidence") is None, "another kind"
        assert recorded(connection, look, track_rows=26) is None, "too many"
        assert recorded(connection, look) is not None
    for statement in ("DELETE FROM export_run", "INSERT INTO export_run SELECT * FROM export_run",
                      "UPDATE export_limit SET most_rows = 1000", "SELECT * FROM export_limit"):  # fmt: skip
        with (
            pytest.raises(DBAPIError, match="permission denied"),
            as_account(bureau.engine, bureau.caller("member").account_id) as connection,
        ):
            connection.exec_driver_sql(statement)


def recorded(connection: Connection, look: Look, **changes: Any) -> UUID | None:
    values = {
        "export_id": "00000000-0000-0000-0000-000000000001", "kind": "export", "made_by": "x",
        "subject_no": look.subject_no, "look_id": str(look.look_id), "track_rows": 1, "lodging_rows": 0,
        "manifest_hash": rf"\x{'00' * 32}",
    } | changes  # fmt: skip
    query = text("SELECT record_export(jsonb_populate_record(NULL::export_run, CAST(:run AS jsonb)))")
    found: UUID | None = connection.execute(query, {"run": json.dumps(values)}).scalar_one()
    return found


# ---- who and what


def test_only_an_own_open_look_of_the_right_kind_with_a_span_opens_it(bureau: Bureau) -> None:
    with pytest.raises(LookMissingError):
        bureau.export(bureau.look(5), who="leader")
    with pytest.raises(NotThereError):
        bureau.export(bureau.look(5), case="c")
    track = asked(bureau.engine, bureau.office, "member", "a", a_wish(SightKind.TRACK))
    with pytest.raises(LookMissingError):
        bureau.export(track)
    with pytest.raises(LookMissingError):
        bureau.export(bureau.look(5), case="b")
    with pytest.raises(RefusedInputError):
        bureau.export(bureau.look(None, from_at=None, to_at=None, row_count=5))
    assert bureau.runs() == []


def test_one_sees_ones_own_exports_and_a_leader_those_of_the_division(bureau: Bureau) -> None:
    bureau.export(bureau.look(5))
    bureau.export(bureau.look(3, who="city leader"), who="city leader")
    assert [run.track_rows for run in listed(bureau, "member")] == [5]
    assert [run.track_rows for run in listed(bureau, "leader")] == [5]
    assert [run.track_rows for run in listed(bureau, "city leader")] == [3, 5]
    for who in ("colleague", "leader elsewhere", "audit", "security"):
        assert listed(bureau, who) == [], who


def listed(bureau: Bureau, who: str) -> list[ShownRun]:
    with as_account(bureau.engine, bureau.office.officials[who].account_id) as connection:
        return list_runs(connection, most=10)


# ---- evidence


def evidence_look(bureau: Bureau, alert_id: UUID, **changes: Any) -> Look:
    span = span_of(bureau, alert_id)
    wish = a_wish(SightKind.EVIDENCE, **({"from_at": span.from_at, "to_at": span.to_at, "row_count": 99} | changes))
    return approved(bureau.engine, bureau.office, "member", "a", wish)


def span_of(bureau: Bureau, alert_id: UUID, who: str = "member") -> EvidenceSpan:
    with as_account(bureau.engine, bureau.office.officials[who].account_id) as connection:
        return evidence_span(connection, alert_id)


@pytest.fixture
def alert_id(bureau: Bureau) -> UUID:
    with bureau.engine.begin() as connection:  # the log of another day, so that there is a silence before
        connection.execute(text("UPDATE fix SET fixed_at = fixed_at - interval '1 day'"))
    return an_alert(bureau.engine, person=bureau.office.cases["a"], gap=False)[1]


def test_evidence_under_a_look_says_what_the_owner_of_the_tables_reads(bureau: Bureau, alert_id: UUID) -> None:
    look = evidence_look(bureau, alert_id)
    content = bureau.evidence(alert_id, look)
    assert verify_pack(content, trusted=TRUSTED).faults == ()
    (run,) = bureau.runs()
    assert (run.alert_id, run.kind, run.is_approved) == (alert_id, "evidence", True)
    assert run.track_rows == span_of(bureau, alert_id).row_count
    with bureau.engine.connect() as connection:
        whole = read_case(connection, str(alert_id), keyring=KEYRING, is_synthetic=True)
    with as_account(bureau.engine, bureau.caller("member").account_id) as connection:
        seen = read_case(connection, str(alert_id), keyring=KEYRING, is_synthetic=True)
    assert seen == whole
    assert "13800000101" not in "".join(text_of_pdf(members_of(content)["report.pdf"]))


def test_a_look_that_does_not_reach_back_to_the_last_silence_is_refused(bureau: Bureau, alert_id: UUID) -> None:
    span = span_of(bureau, alert_id)
    assert span.from_at <= EVENING
    for narrow in (
        {"from_at": span.from_at + timedelta(seconds=1)},
        {"to_at": span.to_at - timedelta(seconds=1)},
        {"from_at": None, "to_at": None},
    ):
        with pytest.raises(SpanTooNarrowError):
            bureau.evidence(alert_id, evidence_look(bureau, alert_id, **narrow))
    assert bureau.runs() == []


def test_evidence_counts_as_an_export_where_nobody_approved_it(bureau: Bureau, alert_id: UUID) -> None:
    span = span_of(bureau, alert_id)
    assert span.row_count > 25
    wish = a_wish(SightKind.EVIDENCE, from_at=span.from_at, to_at=span.to_at, row_count=25)
    with pytest.raises(ExportLimitError):
        bureau.evidence(alert_id, asked(bureau.engine, bureau.office, "member", "a", wish))
    honest = a_wish(SightKind.EVIDENCE, from_at=span.from_at, to_at=span.to_at, row_count=span.row_count)
    assert asked(bureau.engine, bureau.office, "member", "a", honest).needs_approval
    assert len(bureau.noted("export_refused")) == 1


def test_an_alert_of_another_case_is_not_there(bureau: Bureau, alert_id: UUID) -> None:
    look = evidence_look(bureau, alert_id)
    for who in ("leader elsewhere", "outsider"):
        with pytest.raises(NotThereError):
            span_of(bureau, alert_id, who)
        with pytest.raises(NotThereError):
            bureau.evidence(alert_id, look, who=who)


def test_zones_are_seen_only_where_a_finding_of_a_visible_case_names_them(bureau: Bureau, alert_id: UUID) -> None:
    with as_account(bureau.engine, bureau.caller("member").account_id) as connection:
        assert connection.execute(text("SELECT count(*) FROM zone")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM zone_in_force")).scalar_one() == 1
    with as_account(bureau.engine, bureau.caller("leader elsewhere").account_id) as connection:
        assert connection.execute(text("SELECT count(*) FROM zone")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM zone_in_force")).scalar_one() == 0
        orders = connection.execute(text("SELECT count(*) FROM order_in_force")).scalar_one()
        assert orders == 1, "its own case"


# ---- over HTTP


@pytest.fixture
def browser(database_url: str) -> Iterator[Browser]:
    with a_site(database_url) as browser:
        browser.clock.current = datetime.now(UTC)
        yield browser


def send(browser: Browser, path: str, look_id: UUID | None, body: Any = None) -> httpx.Response:
    """A POST whose answer may be a file."""
    headers = {"Cookie": f"__Host-hulan={browser.session_id}", "X-CSRF-Token": str(browser.csrf_token)}
    if look_id is not None:
        headers["X-Look"] = str(look_id)
    return browser.client.post(path, json=body, headers=headers)


def test_exports_over_http(bureau: Bureau, browser: Browser, alert_id: UUID) -> None:
    browser.log_in(bureau.office.officials["member"])
    day_before = EVENING - timedelta(days=1)
    look = bureau.look(5, from_at=day_before, to_at=day_before + timedelta(minutes=4.5))
    path = f"/subjects/{bureau.office.cases['a'].subject_id}/exports"
    assert send(browser, path, None, {"format": "csv"}).json()["code"] == "look_missing"
    assert send(browser, path, look.look_id, {"format": "shp"}).status_code == 422
    other = f"/subjects/{bureau.office.cases['c'].subject_id}/exports"
    assert send(browser, other, look.look_id, {"format": "csv"}).status_code == 404
    done = send(browser, path, look.look_id, {"format": "geojson"})
    assert (done.status_code, done.headers["content-type"]) == (200, "application/zip")
    assert done.headers["cache-control"] == "no-store"
    assert verify_pack(done.content, trusted=TRUSTED).faults == ()
    many = bureau.look(25)
    refused = send(browser, path, many.look_id, {"format": "csv"})
    assert (refused.status_code, refused.json()["code"]) == (403, "export_limit")
    path = f"/alerts/{alert_id}/evidence"
    span = browser.ask("GET", path).json()
    assert span["row_count"] == span_of(bureau, alert_id).row_count
    assert send(browser, path, None).json()["code"] == "look_missing"
    narrow = evidence_look(bureau, alert_id, to_at=EVENING + timedelta(minutes=12))
    assert send(browser, path, narrow.look_id).json()["code"] == "span_too_narrow"
    pack = send(browser, path, evidence_look(bureau, alert_id).look_id)
    assert verify_pack(pack.content, trusted=TRUSTED).faults == ()
    shown = browser.ask("GET", "/exports").json()["exports"]
    assert [(item["kind"], item["track_rows"]) for item in shown] == [("evidence", span["row_count"]), ("export", 5)]
    assert browser.client.get("/exports").status_code == 401
