"""An order's whole life from the command line: entered, refused, varied, announced, not lifted, lifted; and its file
brought in again at every step.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.access.accounts import join_case, set_jurisdiction
from api.access.roles import AccountRole
from api.calendars import calendar_reminder
from api.case_file import CasesRead
from api.case_import import register_cases
from api.cases import Change
from tests.access.people import an_official
from tests.api.casework_scene import NOW, Office, a_case, register
from tests.api.clock_scene import a_clocked_worker, look
from tests.api.test_casework_routes import command
from tests.make import KEYRING, SECRET
from tracking.calendar import local_day

GUARDIAN = [{"role": "guardian", "name": "合成", "phone": "13800000101"}]


def entry(**changes: Any) -> dict[str, Any]:
    today = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "reference": "O-1", "alias": "小丽", "birth_date": "2009-01-01", "measure": "bail",
        "document_number": "合成〔2026〕1号", "deciding_organ": "合成区人民检察院", "executing_organ": "合成派出所",
        "location_basis": "order_item", "valid_from": (today - timedelta(days=30)).isoformat(),
        "valid_to": (today + timedelta(days=30)).isoformat(),
        "conditions": [{"kind": "excluded_categories", "categories": ["bar"]}], "recipients": GUARDIAN, **changes,
    }  # fmt: skip


@pytest.fixture
def hulan(tmp_path: Path, database_url: str, engine: Engine) -> Any:
    def run(*words: str) -> str:
        return command(words, tmp_path, database_url).output

    def bring_in(**changes: Any) -> str:
        (tmp_path / "c.json").write_text(json.dumps({"cases": [entry(**changes)]}), encoding="utf-8")
        return run("import", "cases", str(tmp_path / "c.json"), "--tokens", str(tmp_path / "tokens.csv"))

    run.bring_in = bring_in  # type: ignore[attr-defined]
    return run


def test_an_order_from_entry_to_lifting(hulan: Any, engine: Engine, tmp_path: Path) -> None:
    done = hulan.bring_in(location_basis=None)
    assert "新增 added: 1" in done
    assert "没有定位依据" in done
    with engine.begin() as connection:
        an_official(connection, "wang", AccountRole.PROSECUTOR)
        number = connection.execute(text("SELECT account_no FROM account WHERE login_name = 'wang'")).scalar_one()
        subject_no = connection.execute(text("SELECT subject_no FROM subject")).scalar_one()
        set_jurisdiction(connection, subject_no, "320300")
        join_case(connection, subject_no, number, now=NOW)
        order_id = str(connection.execute(text("SELECT order_id FROM supervision_order")).scalar_one())
    assert "未启用 not active" in hulan("order", "list", "O-1", "--by", "wang")
    assert "更新 updated: 1" in hulan.bring_in(), "the basis is entered: a variation"
    assert "未变 unchanged: 1" in hulan.bring_in()
    assert "执行中" in hulan("order", "list", "O-1", "--by", "wang")
    refused = hulan.bring_in(valid_to=(NOW + timedelta(days=400)).isoformat())
    assert "拒收 rejected: 1" in refused
    assert "刑诉法 79；检察规则 102、103" in refused
    faults = json.loads((tmp_path / "c.json.rejects.json").read_text(encoding="utf-8"))
    assert [(item["case"], item["field"]) for item in faults["rejected"]] == [(1, "valid_to")]
    assert faults["cases"][0]["reference"] == "O-1", "the whole case, to be mended there"
    longer = {"valid_to": (NOW + timedelta(days=90)).isoformat()}
    assert "更新 updated: 1" in hulan.bring_in(**longer)
    assert "第 3 版" in hulan("order", "show", order_id, "--by", "wang")
    lifted = hulan("order", "lift", order_id, "--document", "合成解〔2026〕1号", "--by", "wang")
    assert "已解除 lifted" in lifted
    again = hulan.bring_in(**longer)
    assert "未变 unchanged: 1" in again, "a file that comes in again does not bring a lifted order back"
    assert "决定书未作改动" in again
    assert "已解除 lifted" in hulan("order", "list", "O-1", "--by", "wang")


def test_an_order_that_nobody_lifts_is_announced_and_then_the_offices_own_breach(hulan: Any, engine: Engine) -> None:
    end = datetime.fromisoformat("2026-03-31T00:00:00+08:00")
    case = a_case(valid_from=end - timedelta(days=90), valid_to=end, recipients=GUARDIAN)
    with engine.begin() as connection:
        register(connection, case, at=end - timedelta(days=90))
    office = Office(engine, case)
    worker, clock = a_clocked_worker(engine, end - timedelta(days=40))
    steps = [end - timedelta(days=day) for day in (18, 14, 6, 2)]
    look(worker, clock, end - timedelta(days=40), *steps, end + timedelta(minutes=1), end + timedelta(days=2))
    due = hulan("task", "list", "--by", "o0")
    assert due.count("期限将届满") == 4, "15, 7, 3 and 1 days before"
    assert due.count("期限届满，办理解除") == 1
    assert "逾期" in due
    found = hulan("suspected", "list", "O-1", "--by", "o0")
    assert "逾期未解除（办案机关的问题）" in found
    assert "这是办案机关的问题，不是被监管人违规" in found
    assert "检察规则 105、150、620" in found
    assert "已届满" in hulan("order", "list", "O-1", "--by", "o0")
    number = next(line.split()[1] for line in due.splitlines() if line.startswith("  id "))
    assert "已办结" in hulan("task", "done", number, "--by", "o0", "--remark", "已办理")
    assert "没有这一项" in hulan("task", "done", number, "--by", "o0")
    lifted = hulan("order", "lift", str(office.order_id), "--document", "合成解〔2026〕1号", "--by", "o0")
    assert "已解除" in lifted
    left = hulan("task", "list", "--by", "o0")
    assert "期限" not in left, "what was to be done about its term is done"
    assert "无人可通知" in left, "the office's breach has an alert, and no officer is on record to be told of it"
    assert "逾期未解除" in hulan("suspected", "list", "O-1", "--by", "o0"), "that it came late stays on record"
    assert "已办 done" in hulan("task", "list", "--by", "o0", "--all")


def test_a_file_that_comes_in_again_writes_nothing(engine: Engine) -> None:
    read = CasesRead(
        cases=(a_case(recipients=GUARDIAN, name="合成", address="合成路 1 号"),), rejected=(), lines=(1,)
    )  # fmt: skip
    changes, written = [], []
    for _ in range(2):
        with engine.begin() as connection:
            done, _ = register_cases(connection, read, keyring=KEYRING, secret=SECRET, at=NOW)
            changes.append(done[0].change)
        with engine.connect() as connection:
            written.append(connection.execute(text(_WRITTEN)).one())
    assert changes == [Change.ADDED, Change.UNCHANGED]
    assert written[0] == written[1]


_WRITTEN = " UNION ALL ".join(
    f"SELECT '{name}', ctid::text FROM {name}" for name in ("recipient", "supervision_order", "condition", "device")
)
_WRITTEN = f"SELECT (SELECT array_agg(w) FROM ({_WRITTEN}) w), (SELECT count(*) FROM audit_entry)"


def test_a_minor_without_a_guardian_is_rejected_and_an_adult_is_not(engine: Engine) -> None:
    adult = a_case(reference="O-2", birth_date="1990-01-01")
    read = CasesRead(cases=(a_case(), adult), rejected=(), lines=(2, 5))
    with engine.begin() as connection:
        done, rejected = register_cases(connection, read, keyring=KEYRING, secret=SECRET, at=NOW)
    assert [item.reference for item in done] == ["O-2"]
    assert [(item.line, item.field) for item in rejected] == [(2, "recipients")]
    assert "民法典 27" in rejected[0].reason


def test_a_calendar_comes_in_is_shown_and_is_asked_for_in_december(hulan: Any, engine: Engine, tmp_path: Path) -> None:
    assert "hulan calendar import" in hulan("calendar", "show", "2199")
    (tmp_path / "y.toml").write_text("[[year]]\nyear = 2199\ndocument = '合成'\nperiod = []\n", encoding="utf-8")
    assert "应为 13 天" in hulan("calendar", "import", str(tmp_path / "y.toml"))
    (tmp_path / "y.toml").write_text("year = 2199\n", encoding="utf-8")
    assert "结构不符" in hulan("calendar", "import", str(tmp_path / "y.toml"))
    days = ", ".join(f"2199-02-{day:02}" for day in range(1, 14))
    year = '[[year]]\nyear = 2199\ndocument = "合成通知"\n[[year.period]]\nname = "合成"\nfrom = 2199-02-01\n' + (
        f"to = 2199-02-13\nstatutory = [{days}]\n"
    )
    (tmp_path / "y.toml").write_text(year, encoding="utf-8")
    with engine.connect() as connection:
        reminder = calendar_reminder(connection, today=local_day(datetime(2198, 12, 1, tzinfo=UTC)))
        assert "2199" in (reminder or "")
        assert calendar_reminder(connection, today=local_day(datetime(2198, 11, 1, tzinfo=UTC))) is None
    assert "2199 年 导入 imported：合成通知" in hulan("calendar", "import", str(tmp_path / "y.toml"))
    assert "更新 replaced" in hulan("calendar", "import", str(tmp_path / "y.toml"))
    assert "法定 statutory 13" in hulan("calendar", "show", "2199")
    with engine.connect() as connection:
        assert calendar_reminder(connection, today=local_day(datetime(2198, 12, 1, tzinfo=UTC))) is None
