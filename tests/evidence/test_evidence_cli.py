"""`hulan evidence` at the terminal: the real program, in a process of its own."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from api.audit_verify import verify
from api.cli.whole import app
from tests.api.test_cli import hulan
from tests.evidence.scene import an_alert, changed, members_of, text_of_pdf


@pytest.mark.parametrize("command", ["make", "verify"])
def test_each_command_explains_itself_with_an_example(command: str) -> None:
    done = CliRunner().invoke(app, ["evidence", command, "--help"])
    assert done.exit_code == 0
    assert "example" in done.output


def test_a_pack_is_made_on_record_and_verified_without_a_database(
    tmp_path: Path, engine: Engine, database_url: str
) -> None:
    person, alert_id = an_alert(engine)
    file = tmp_path / "evidence.zip"
    short = str(alert_id)[-8:]
    refused = hulan("evidence", "make", short, "--out", str(file), data_dir=tmp_path, database_url=database_url)
    assert (refused.returncode, file.exists()) == (1, False)
    assert "--purpose" in refused.stderr
    made = hulan(
        "evidence", "make", short, "--out", str(file), "--purpose", "移送起诉",
        data_dir=tmp_path, database_url=database_url,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "fingerprint" in made.stdout
    members = members_of(file.read_bytes())
    manifest = json.loads(members["manifest.json"])
    with engine.connect() as connection:
        run = connection.execute(text("SELECT * FROM export_run")).one()
        entry = connection.execute(
            text("SELECT * FROM audit_entry WHERE position = :position"), manifest["audit"]
        ).one()
    assert (run.subject_no, run.alert_id, run.account_no) == (person.subject_no, alert_id, None)
    assert str(run.export_id) == manifest["export_id"]
    assert run.track_rows == manifest["track_rows"] == len(members["fixes.csv"].splitlines()) - 1
    assert (entry.kind, entry.purpose, bytes(entry.hash).hex()) == ("evidence", "移送起诉", manifest["audit"]["hash"])
    assert manifest["export_id"] in entry.detail
    assert verify(engine, tmp_path, since=None).faults == ()
    told = json.loads(members["alert.json"])
    assert told["alert"]["alert_id"] == str(alert_id)
    assert told["notifications"][0]["sent_at"] is not None
    assert {"engine_version", "policy_version", "probability", "started_at", "decided_at", "known_at"} <= set(
        told["violations"][0]
    )
    assert (told["zone"]["version"], told["order"]["version"], told["rule_that_won"]["origin"]) == (1, 1, "venue")
    everything = file.read_bytes() + "".join(text_of_pdf(members["report.pdf"])).encode()
    assert b"13800000101" not in everything
    check_verifying(file, tmp_path)


def check_verifying(file: Path, folder: Path) -> None:
    """With this installation's key, with the key given elsewhere, and after an alteration."""
    here = told_by(folder, str(file))
    assert (here.exit_code, "证据包完好" in here.output) == (0, True), here.output
    elsewhere = folder / "elsewhere"
    unknown = told_by(elsewhere, str(file))
    assert (unknown.exit_code, "not a known one" in unknown.output) == (3, True)
    (key,) = (folder / "audit").glob("*.pub")
    assert told_by(elsewhere, str(file), "--public-key", str(key)).exit_code == 0
    bad = folder / "bad.zip"
    moved = changed(file.read_bytes(), lambda m: m | {"fixes.csv": m["fixes.csv"].replace(b"117.", b"118.", 1)})
    bad.write_bytes(moved)
    altered = told_by(folder, str(bad), "--json")
    assert altered.exit_code == 3
    assert json.loads(altered.stdout)["faults"][0]["where"] == "fixes.csv"
    assert "被改动 altered  fixes.csv" in told_by(folder, str(bad)).output
    # The key inside a pack would be found by a PEM reader: it must not vouch for itself.
    itself = told_by(folder, str(file), "--public-key", str(file))
    assert (itself.exit_code, "公钥" in itself.output) == (1, True)


def told_by(folder: Path, *arguments: str) -> Result:
    """The answer of `hulan evidence verify` on a machine with this data folder and without a database."""
    environment = {"HULAN_DATA_DIR": str(folder), "HULAN_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
                   "HULAN_SECRET_KEY": "a secret only of this test"}  # fmt: skip
    return CliRunner(env=environment).invoke(app, ["evidence", "verify", *arguments])
