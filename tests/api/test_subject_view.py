"""What a person may see of what is stored about them, printed by the real program."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.case_file import CaseIn
from api.cases import register_case
from api.cli.whole import app
from api.ids import shard_of, subject_id_for
from api.inbox import Sender
from api.subject_view import WORDS
from tests.api.test_cli import hulan
from tests.golden_files import assert_golden
from tests.make import (
    BAR_LATITUDE,
    BAR_LONGITUDE,
    EVENING,
    KEYRING,
    KEYRING_PATH,
    SECRET,
    Person,
    a_bar,
    a_fix,
    a_visit,
    a_worker,
    log_fixes,
)

NAME, ID_NUMBER, PHONE = "合成欧阳雪梅", "11010519491231002X", "13800000177"
SECRET_PLACE = "合成被害人住处"
VICTIM_LONGITUDE = round(BAR_LONGITUDE + 0.02, 4)

CASE: dict[str, Any] = {
    "reference": "V-1", "alias": "小丽", "birth_date": "2010-01-01", "name": NAME, "id_number": ID_NUMBER,
    "measure": "conditional_non_prosecution", "location_basis": "order_item",
    "document_number": "合成检附条件不诉〔2026〕1号",
    "deciding_organ": "合成区人民检察院", "executing_organ": "合成区人民检察院",
    "valid_from": "2026-03-01T00:00:00+08:00", "valid_to": "2026-09-01T00:00:00+08:00",
    "conditions": [
        {"kind": "excluded_categories", "categories": ["bar", "ktv"]},
        {"kind": "exclusion_zone", "label": SECRET_PLACE, "radius_m": 60,
         "geometry": {"type": "Point", "coordinates": [VICTIM_LONGITUDE, BAR_LATITUDE]}},
    ],
    "recipients": [{"role": "guardian", "name": "合成司徒建国", "phone": PHONE}],
}  # fmt: skip


@pytest.fixture
def subject_no(engine: Engine) -> int:
    """Somebody who was in a bar, and an hour later at the zone that protects another person."""
    with engine.begin() as connection:
        a_bar(connection)
        done = register_case(connection, CaseIn.model_validate(CASE), keyring=KEYRING, secret=SECRET, at=EVENING)
        device_id = connection.execute(
            text("SELECT device_id FROM device WHERE subject_no = :no"), {"no": done.subject_no}
        ).scalar_one()
    sender = Sender(device_id=device_id, subject_no=done.subject_no, shard=shard_of(done.subject_id))
    person = Person(subject_id=done.subject_id, subject_no=done.subject_no, token=str(done.token), sender=sender)
    east_m = 0.02 * 111_320 * 0.8265
    there = [a_fix(minutes=60 + minute, east_m=east_m) for minute in range(20)]
    away = [a_fix(minutes=85 + minute, east_m=9_000) for minute in range(5)]
    log_fixes(engine, person, [*a_visit(), *there, *away])
    worker = a_worker(engine)
    worker.drain()
    worker.deliver_due()
    return done.subject_no


@pytest.fixture
def view(subject_no: int, database_url: str, tmp_path: Path) -> Iterator[Any]:
    """``hulan subject view V-1`` with more words and what is typed."""
    environment = {
        "HULAN_DATABASE_URL": database_url, "HULAN_DATA_DIR": str(tmp_path), "HULAN_KEYRING": str(KEYRING_PATH),
        "HULAN_SECRET_KEY": "a secret only of this test", "HULAN_KEEP_DAYS": "180",
    }  # fmt: skip

    def run(*words: str, typed: str = "", reference: str = "V-1") -> Any:
        return CliRunner().invoke(app, ["subject", "view", reference, *words], input=typed, env=environment)

    yield run


def normal(output: str) -> str:
    """Without when it was run."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= *│ cli:)", "0000-00-00 00:00", output)


@pytest.mark.golden
def test_the_view_as_it_is_handed_over(
    subject_no: int, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "officer")

    def run(*words: str) -> str:
        done = hulan("subject", "view", "V-1", *words, data_dir=tmp_path, database_url=database_url)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    run("--purpose", "answer_guardian")
    second = run("--purpose", "本人查阅")
    assert_golden("subject/view.txt", normal(second))
    told = json.loads(run("--purpose", "本人查阅", "--json"))
    assert [item["purpose"] for item in told["looks"]] == ["answer_guardian", WORDS]
    assert told["weeks"] == [{"begins_on": "2026-03-16", "fix_count": 65, "goes_on": None}]


def test_who_is_protected_is_nowhere_in_it(view: Any, engine: Engine) -> None:
    with engine.connect() as connection:
        alerts = connection.execute(text("SELECT kind FROM alert ORDER BY opened_at")).scalars().all()
    assert alerts == ["excluded_categories", "exclusion_zone"], "nothing to hide: this test shows nothing"
    for words in ((), ("--json",)):
        shown = view("--purpose", "本人查阅", *words)
        assert shown.exit_code == 0, shown.output
        for needle in (SECRET_PLACE, str(VICTIM_LONGITUDE), f"{BAR_LONGITUDE}", "23:00", "T15:0"):
            assert needle not in shown.output, needle
        assert "酒吧" in shown.output
    told = json.loads(view("--purpose", "本人查阅", "--json").stdout)
    assert [(item["kind"], item["message_count"]) for item in told["alerts"]] == [
        ("不得进入特定场所 excluded_categories", 1)
    ]
    assert told["weeks"][0]["goes_on"] == "2026-09-26"


def test_names_are_masked_until_the_card_was_seen(view: Any, subject_no: int, engine: Engine) -> None:
    masked = view("--purpose", "本人查阅")
    assert NAME not in masked.output
    assert ID_NUMBER not in masked.output
    assert "合**" in masked.output
    wrong = view("--purpose", "本人查阅", "--check-id", typed="110105194912310038\n")
    assert wrong.exit_code == 1
    assert "not the ID number on file" in wrong.output
    assert "小丽" not in wrong.output
    right = view("--purpose", "本人查阅", "--check-id", typed=ID_NUMBER.lower() + "\n")
    assert right.exit_code == 0, right.output
    assert NAME in right.output
    assert PHONE not in right.output
    assert "合成司徒建国" not in right.output
    with engine.connect() as connection:
        noted = connection.execute(
            text("SELECT detail FROM audit_entry WHERE subject_no = :no AND kind = 'look_person' ORDER BY position"),
            {"no": subject_no},
        ).scalars()
        assert noted.all() == ["own view", "own view refused: ID number", "own view, ID checked"]


def test_without_a_purpose_nothing_is_shown_and_nothing_noted(view: Any, engine: Engine) -> None:
    refused = view()
    assert refused.exit_code == 1
    assert "--purpose" in refused.output
    assert "小丽" not in refused.output
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_entry WHERE kind LIKE 'look%'")).scalar_one() == 0


def test_purposes_in_words_are_shown_when_asked_for(view: Any) -> None:
    view("--purpose", "核查王某报案")
    assert "王某" not in view("--purpose", "本人查阅").output
    assert "王某" in view("--purpose", "本人查阅", "--words").output


def test_a_sealed_person_and_nobody_get_the_same_answer(view: Any, subject_no: int, engine: Engine) -> None:
    nobody = view("--purpose", "本人查阅", reference="nobody")
    assert nobody.exit_code == 1
    with engine.begin() as connection:
        seal(connection, subject_no)
    sealed = view("--purpose", "本人查阅")
    assert (sealed.exit_code, sealed.output) == (1, nobody.output)
    assert subject_id_for("V-1") != subject_id_for("nobody")


def seal(connection: Any, subject_no: int) -> None:
    """Mark the subject as sealed, as far as the schema knows how."""
    connection.execute(text("ALTER TABLE subject ADD COLUMN IF NOT EXISTS sealed_at timestamptz"))
    connection.execute(text("UPDATE subject SET sealed_at = now() WHERE subject_no = :no"), {"no": subject_no})
