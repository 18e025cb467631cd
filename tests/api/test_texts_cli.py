"""``hulan texts`` as its user meets it: an office that checks and registers its own wordings."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alerts.own_texts import OwnTextsError
from alerts.templates import BUILT_IN
from api.cli.whole import app
from api.own_texts import load_texts
from api.settings import read_settings
from tests.golden_files import assert_golden

OWN = """
[guardian_entry_suspected.zh]
wording = "您的孩子{name}于{time}疑似进入酒吧，请尽快核实并带离。"
version = "yunlong-1"
reviewed_by = "合成审核员"
reviewed_at = 2026-03-01

[officer_closed.zh]
wording = "监管对象{name}于{time}的情况已处理完毕，详见www.a.cn。编号{reference}。"
version = "yunlong-1"
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HULAN_TEXTS_FILE", raising=False)


def hulan(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["texts", *arguments])


@pytest.mark.golden
def test_what_hulan_ships_passes() -> None:
    done = hulan("lint")
    assert done.exit_code == 0
    assert_golden("texts/lint_built_in.txt", done.output)


@pytest.mark.golden
def test_faults_of_an_offices_file_are_listed_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    done = hulan("lint", str(path), "--signature", "【徐州云龙检察】")
    assert done.exit_code == 1
    assert_golden("texts/lint_own.txt", done.output)


@pytest.mark.golden
@pytest.mark.parametrize("provider", ["aliyun", "tencent"])
def test_wordings_are_shown_as_the_provider_wants_them(provider: str) -> None:
    done = hulan("show", "--reader", "subject", "--language", "zh", "--provider", provider)
    assert done.exit_code == 0
    assert_golden(f"texts/show_{provider}.txt", done.output)


def test_the_file_of_the_settings_is_what_is_checked_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace("酒吧", "禁入区域").split("[officer")[0], encoding="utf-8")
    monkeypatch.setenv("HULAN_TEXTS_FILE", str(path))
    assert hulan("lint").exit_code == 0
    shown = hulan("show", "--reader", "guardian", "--language", "zh").output
    assert "合成审核员" in shown
    assert "yunlong-1" in shown


def test_what_is_shown_as_a_file_is_read_back_and_only_wants_a_review(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(hulan("show", "--reader", "officer", "--toml").output, encoding="utf-8")
    assert hulan("lint", str(path)).exit_code == 1
    reviewed = path.read_text(encoding="utf-8").replace('reviewed_by = ""', 'reviewed_by = "合成审核员"')
    path.write_text(reviewed.replace("# reviewed_at", "reviewed_at"), encoding="utf-8")
    done = hulan("lint", str(path))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lint", "nowhere.toml"], "nowhere.toml"),
        (["lint", "--signature", "云龙"], "signature"),
        (["show", "--provider", "nobody"], "aliyun, tencent"),
        (["show", "--language", "ug"], "zh, en"),
    ],
)
def test_what_cannot_be_done_is_said_in_plain_words(arguments: list[str], words: str) -> None:
    done = hulan(*arguments)
    assert done.exit_code == 1
    assert words in done.output
    assert "Traceback" not in done.output


def test_a_process_does_not_start_with_wordings_that_may_not_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    with pytest.raises(OwnTextsError, match=r"own\.toml .*guardian_entry_suspected\.zh"):
        load_texts(read_settings(texts_file=path))
    assert load_texts(read_settings()) is BUILT_IN
