"""An office's own wordings: checked as strictly as ours, reviewed by name, and used in place of ours."""

from datetime import UTC, date, datetime

import pytest

from alerts.own_texts import OwnTextsError, read_own_texts
from alerts.text_rules import Rule
from alerts.texts import render

GOOD = """
[guardian_entry_suspected.zh]
wording = "家长您好，{name}于{time}疑似进入禁入区域，请立即核实并带离。"
version = "yunlong-1"
reviewed_by = "合成审核员"
reviewed_at = 2026-03-01
codes = {aliyun = "SMS_154950909", tencent = "1110"}
"""
AT = datetime(2022, 10, 9, 14, 13, tzinfo=UTC)


def rules_of(text: str) -> list[Rule]:
    return [problem.rule for problem in read_own_texts(text).problems]


def test_an_office_says_it_in_its_own_words() -> None:
    own = read_own_texts(GOOD)
    assert own.problems == ()
    (template,) = own.templates
    assert (template.reviewed_by, template.reviewed_at) == ("合成审核员", date(2026, 3, 1))
    assert (template.code_of("aliyun"), template.code_of("tencent"), template.code_of("baidu")) == (
        "SMS_154950909", "1110", None,
    )  # fmt: skip
    assert own.catalogue.codes_of("tencent") == {"guardian_entry_suspected.zh": "1110"}
    found = render("guardian_entry_suspected", name="小丽", at=AT, now=AT, catalogue=own.catalogue)
    assert found.text == "家长您好，小丽于22时13分疑似进入禁入区域，请立即核实并带离。"
    assert found.version == "yunlong-1"
    other = render("guardian_entry_confirmed", name="小丽", at=AT, now=AT, catalogue=own.catalogue)
    assert other.version == "texts-1", "what the office does not word stays ours"


def test_codes_alone_may_be_given_for_a_wording_of_ours() -> None:
    own = read_own_texts(
        '[officer_closed.zh]\nreviewed_by = "合成审核员"\nreviewed_at = 2026-03-01\ncodes = {aliyun = "SMS_1"}\n'
    )
    assert own.problems == ()
    assert own.templates[0].wording.startswith("监管对象{name}")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("禁入区域", "酒吧", Rule.VENUE),
        ("guardian_entry_suspected", "guardian_bar", Rule.TEMPLATE),
        (".zh", ".ug", Rule.TEMPLATE),
        ('reviewed_by = "合成审核员"\n', "", Rule.REVIEW),
        ("reviewed_at = 2026-03-01\n", "", Rule.REVIEW),
        ('version = "yunlong-1"\n', "", Rule.VERSION),
        ("{name}", "孩子", Rule.VARIABLE_LOST),
        ("疑似", "", Rule.HEDGE_MISSING),
    ],
)
def test_a_wording_that_may_not_be_sent_is_refused(old: str, new: str, rule: Rule) -> None:
    assert rules_of(GOOD.replace(old, new)) == [rule]


def test_an_unknown_template_is_refused_whatever_it_holds() -> None:
    assert rules_of("[x.zh.y]") == rules_of("[x]\ny = 1") == [Rule.TEMPLATE]


@pytest.mark.parametrize(
    "text",
    [
        "[x",
        "x = 1",
        "[guardian_closed]\nzh = 1",
        GOOD.replace("version =", "versoin ="),
        GOOD.replace("2026-03-01", '"soon"'),
    ],
)
def test_a_file_of_another_form_is_refused_in_plain_words(text: str) -> None:
    with pytest.raises(OwnTextsError, match="/"):
        read_own_texts(text)
