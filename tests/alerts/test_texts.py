"""What an SMS may say: the approved wording and nothing else."""

import re
from datetime import UTC, datetime

import pytest

from alerts.texts import TEMPLATES, TEXT_LIMIT, render, template_for
from tests.golden_files import assert_golden
from tracking.order import CONDITION_NAMES_ZH, MEASURE_NAMES_ZH, PLACE_KINDS, ConditionKind
from venues.category import CATEGORY_NAMES_ZH

RECORD = datetime(2022, 10, 9, 14, 13, tzinfo=UTC)
"""The alert of record: 22:13 in Asia/Shanghai (reference/domain.md 1.1)."""
LONGEST_ALIAS = "合" * 10
LONGEST_SIGNATURE = "【" + "检" * 10 + "】"

REFUSED = {
    *CATEGORY_NAMES_ZH.values(), *CONDITION_NAMES_ZH.values(), *MEASURE_NAMES_ZH.values(),
    "酒", "吧", "网吧", "夜总会", "会所", "足浴", "烟", "赌", "毒", "罪", "犯", "盗", "抢", "诈", "伤害", "案", "嫌疑",
    "取保", "起诉", "检察", "法院", "公安", "警", "诉讼", "传票", "法律", "监狱", "矫正", "学校", "中学", "小学",
    "幼儿园", "http", "www", ".cn", ".com", "点击", "链接", "【", "】",
}  # fmt: skip
"""Venues, offences, organs, schools, links, signatures: refused by providers or by design.md, invariant 11."""


def the_text(template: str, name: str = "小丽", at: datetime = RECORD) -> str:
    return render(template, name=name, at=at, reference="0123ABCD")


@pytest.mark.golden
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_reads_as_recorded(template: str) -> None:
    assert_golden(f"sms/{template}.txt", the_text(template) + "\n")


def test_the_confirmed_entry_is_worded_as_the_text_of_record() -> None:
    assert TEMPLATES[template_for("guardian", ConditionKind.EXCLUDED_CATEGORIES, is_confirmed=True)] == (
        "您的孩子{name}于{HH}时{MM}分进入未成年人禁入区域，请尽快核实并带离。"
    )


def test_until_an_officer_confirms_it_is_suspected() -> None:
    suspected = TEMPLATES[template_for("guardian", ConditionKind.EXCLUSION_ZONE)]
    confirmed = TEMPLATES[template_for("guardian", ConditionKind.EXCLUSION_ZONE, is_confirmed=True)]
    assert suspected == confirmed.replace("进入", "疑似进入", 1)
    unconfirmed = [text for name, text in TEMPLATES.items() if name.endswith("_suspected")]
    assert all("疑似" in text for text in unconfirmed)
    assert len(unconfirmed) == len(TEMPLATES) - 1


@pytest.mark.parametrize("kind", sorted(PLACE_KINDS))
@pytest.mark.parametrize("audience", ["guardian", "officer"])
def test_every_kind_of_violation_has_a_template(audience: str, kind: ConditionKind) -> None:
    assert template_for(audience, kind) in TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_longest_text_fits_one_segment_with_its_signature(template: str) -> None:
    assert len(LONGEST_SIGNATURE + the_text(template, LONGEST_ALIAS)) <= TEXT_LIMIT


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_alias_longer_than_allowed_is_cut_and_stops_nothing(template: str) -> None:
    assert the_text(template, "合" * 500) == the_text(template, LONGEST_ALIAS)


@pytest.mark.parametrize("word", sorted(REFUSED))
def test_no_template_holds_a_refused_word(word: str) -> None:
    assert [name for name, text in TEMPLATES.items() if word in text] == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_has_no_number_and_each_variable_once_and_apart(template: str) -> None:
    text = TEMPLATES[template]
    variables = re.findall(r"\{(\w+)\}", text)
    assert len(variables) == len(set(variables))
    assert "}{" not in text
    assert not re.search(r"\d", text)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 3, 20, 15, 59, 59, tzinfo=UTC), "于23时59分"),
        (datetime(2026, 3, 20, 16, 0, tzinfo=UTC), "于00时00分"),
        (datetime(2026, 3, 20, 22, 5, tzinfo=UTC), "于06时05分"),
    ],
)
def test_the_time_said_is_the_events_local_time(at: datetime, said: str) -> None:
    assert said in the_text("guardian_entry_suspected", at=at)


def test_a_name_is_never_taken_for_a_template() -> None:
    assert "{HH}" in the_text("guardian_entry_suspected", name="{HH}{0.x}")
