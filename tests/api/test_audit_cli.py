"""The audit at the terminal: the real program in a process of its own."""

import json
import re
from pathlib import Path

from sqlalchemy import Engine, text

from tests.api.audit_scene import behind_the_back, fill
from tests.api.test_cli import hulan


def test_verify_names_the_first_fault_and_says_so_by_its_exit_code(
    tmp_path: Path, engine: Engine, database_url: str
) -> None:
    fill(engine)
    signed = hulan("audit", "checkpoint", data_dir=tmp_path, database_url=database_url)
    assert (signed.returncode, signed.stderr) == (0, "")
    assert "checkpoint 1" in signed.stdout
    again = hulan("audit", "checkpoint", data_dir=tmp_path, database_url=database_url)
    assert "nothing new" in again.stdout
    whole = hulan("audit", "verify", data_dir=tmp_path, database_url=database_url)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "审计完好" in whole.stdout
    assert "尚未签名 not yet signed: 0" in whole.stdout
    with behind_the_back(engine) as connection:
        connection.execute(text("UPDATE zone SET radius_m = 36 WHERE name = '合成酒吧'"))
        connection.execute(text("UPDATE violation SET state = 'confirmed'"))
    broken = hulan("audit", "verify", data_dir=tmp_path, database_url=database_url)
    assert broken.returncode == 3, broken.stderr
    assert "第一处 first: 被改动 altered  zone 1" in broken.stdout
    assert re.search("column radius_m; last told by entry \\d+", broken.stdout)
    assert "共 3 处 faults" in broken.stdout
    as_json = hulan("audit", "verify", "--json", data_dir=tmp_path, database_url=database_url)
    assert as_json.returncode == 3
    told = json.loads(as_json.stdout)
    assert [item["kind"] for item in told["faults"]] == ["altered"] * 3
    assert told["faults"][0]["where"] == "zone 1"


def test_explaining_an_alert_needs_a_purpose_and_leaves_an_entry(
    tmp_path: Path, engine: Engine, database_url: str
) -> None:
    (person, _) = fill(engine)
    with engine.connect() as connection:
        query = text("SELECT CAST(alert_id AS text) FROM alert WHERE subject_no = :subject_no")
        alert_id = connection.execute(query, {"subject_no": person.subject_no}).scalar_one()
    refused = hulan("explain", alert_id, data_dir=tmp_path, database_url=database_url)
    assert refused.returncode == 1
    assert "--purpose" in refused.stderr
    assert "小丽" not in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
    done = hulan("explain", alert_id, "--purpose", "核查警报", data_dir=tmp_path, database_url=database_url)
    assert done.returncode == 0, done.stderr
    assert "小丽" in done.stdout
    shown = hulan(
        "audit",
        "show",
        "--subject",
        str(person.subject_id),
        "--last",
        "1",
        data_dir=tmp_path,
        database_url=database_url,
    )
    for word in ("cli:", "核查警报", "look_explain", alert_id[:8]):
        assert word in shown.stdout, shown.stdout + shown.stderr
    unknown = hulan("audit", "show", "--subject", "nobody", data_dir=tmp_path, database_url=database_url)
    assert (unknown.returncode, "no subject nobody" in unknown.stderr) == (1, True)


def test_what_a_command_changes_is_told_under_its_name(tmp_path: Path, engine: Engine, database_url: str) -> None:
    case = {
        "reference": "A-1", "alias": "小丽", "birth_date": "2010-01-01", "measure": "bail",
        "location_basis": "order_item",
        "document_number": "合成〔2026〕1号", "deciding_organ": "合成区公安局", "executing_organ": "合成",
        "recipients": [{"role": "guardian", "name": "合成", "phone": "13800000101"}],
        "valid_from": "2026-03-20T22:05:00+08:00", "valid_to": "2026-03-21T00:00:00+08:00",
        "conditions": [{"kind": "excluded_categories", "categories": ["bar"]}],
    }  # fmt: skip
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    done = hulan("import", "cases", str(tmp_path / "cases.json"), "--tokens", str(tmp_path / "tokens.csv"),
                 data_dir=tmp_path, database_url=database_url)  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = hulan("audit", "show", data_dir=tmp_path, database_url=database_url)
    assert "system:hulan import" in shown.stdout
    assert "row_inserted subject 1" in shown.stdout


def test_broken_glass_is_listed_by_ids_until_it_is_reviewed(tmp_path: Path, engine: Engine, database_url: str) -> None:
    fill(engine)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT CAST(notice_id AS text) FROM notice ORDER BY made_at")).scalars().all()
    shown = hulan("audit", "notices", data_dir=tmp_path, database_url=database_url)
    assert shown.returncode == 0, shown.stderr
    assert all(notice_id in shown.stdout for notice_id in rows)
    assert "合成" not in shown.stdout
    with engine.begin() as connection:
        connection.execute(text("UPDATE notice SET reviewed_at = now(), reviewed_by = 2, remark = '已核实'"))
    assert "没有待复核" in hulan("audit", "notices", data_dir=tmp_path, database_url=database_url).stdout
