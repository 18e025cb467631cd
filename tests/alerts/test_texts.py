"""What a message says: the reviewed wordings filled in, and nothing that the linter refuses."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.event import EVENT_OF_CONDITION, HEARING_OF_EVENT, EventKind
from alerts.segments import TEXT_LIMITS, segment_count
from alerts.templates import BUILT_IN, LONGEST, WITH_CODE, Claim, Reader, Template
from alerts.text_lint import SIGNATURE_LENGTH, lint_catalogue
from alerts.text_names import NEUTRAL_NAME
from alerts.text_rules import Rule
from alerts.texts import (
    CODE_ALPHABET,
    NoTemplateError,
    Rendered,
    TextRefusedError,
    notice_for,
    render,
    template_for,
    voice_script,
)
from tests.golden_files import assert_golden
from tracking.order import ConditionKind

RECORD = datetime(2022, 10, 9, 14, 13, tzinfo=UTC)
"""The alert of record: 22:13 in Asia/Shanghai (reference/domain.md 1.1)."""

SIGNATURE = "【" + "检" * (SIGNATURE_LENGTH - 2) + "】"
MESSAGES = [item for item in BUILT_IN.templates.values() if item.reader is not Reader.CALLER]
IDS = sorted({item.template_id for item in MESSAGES})


def the_text(template: str, name: str = "小丽", *, at: datetime = RECORD, now: datetime | None = None) -> str:
    return rendered(template, name, at=at, now=now).text


def rendered(
    template: str, name: str = "小丽", *, language: str = "zh", at: datetime = RECORD, now: datetime | None = None
) -> Rendered:
    return render(
        template,
        language=language,
        name=name,
        at=at,
        now=now or at,
        reference="0123ABCD",
        code="7KQ3M8TX",
        minutes=30,
    )


def called(audience: str, language: str) -> Rendered:
    """The script for telephoning this audience about an entry, or what stands for it."""
    about = {
        "guardian": "guardian_entry_suspected",
        "guarantor": "guarantor_entry_suspected",
        "subject": "subject_location_unclear",
        "officer": "officer_unacknowledged",
    }[audience]
    message = rendered(about, "小丽" if language == "zh" else "Lily", language=language)
    return voice_script(audience, message, reference="0123ABCD")


# ---- golden: read them as the reader would


@pytest.mark.golden
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("reader", [reader for reader in Reader if reader is not Reader.CALLER])
def test_every_text_reads_as_recorded(reader: Reader, language: str) -> None:
    name = "小丽" if language == "zh" else "Lily"
    lines = [
        f"{item.template_id}\t{rendered(item.template_id, name, language=language).text}"
        for item in MESSAGES
        if (item.reader, item.language) == (reader, language)
    ]
    assert_golden(f"texts/{reader}.{language}.txt", "\n".join(lines) + "\n")


@pytest.mark.golden
def test_every_script_for_the_telephone_reads_as_recorded() -> None:
    lines = [
        f"{audience}.{language}\t{called(audience, language).text}"
        for audience in ("guardian", "guarantor", "subject", "officer")
        for language in ("zh", "en")
    ]
    assert_golden("texts/caller.txt", "\n".join(lines) + "\n")


# ---- the wordings


def test_every_wording_that_hulan_ships_passes_the_linter() -> None:
    assert len(BUILT_IN.templates) > 200
    assert lint_catalogue(BUILT_IN) == []


def test_every_wording_is_there_in_both_languages_with_the_same_variables() -> None:
    chinese = {key: item for (key, language), item in BUILT_IN.templates.items() if language == "zh"}
    english = {key: item for (key, language), item in BUILT_IN.templates.items() if language == "en"}
    assert chinese.keys() == english.keys()
    for key, item in chinese.items():
        assert set(item.variables) == set(english[key].variables), key


def test_no_office_has_reviewed_what_hulan_ships_and_it_says_so() -> None:
    assert {(item.reviewed_by, item.reviewed_at) for item in BUILT_IN.templates.values()} == {(None, None)}


def test_the_confirmed_entry_is_worded_as_the_text_of_record() -> None:
    template = template_for("guardian", EventKind.ENTRY, is_confirmed=True)
    assert the_text(template) == "您的孩子小丽于22时13分进入未成年人禁入区域，请尽快核实并带离。"


def test_until_an_officer_confirms_it_is_suspected() -> None:
    suspected = the_text(template_for("guardian", EventKind.ENTRY))
    confirmed = the_text(template_for("guardian", EventKind.ENTRY, is_confirmed=True))
    assert suspected == confirmed.replace("进入", "疑似进入", 1)
    for item in MESSAGES:
        hedge = "疑似" in item.wording if item.language == "zh" else " may " in item.wording
        assert hedge == (item.claim is Claim.SUSPECTED), item.template_id


@pytest.mark.parametrize("kind", EventKind)
def test_every_event_has_a_text_for_officers(kind: EventKind) -> None:
    for is_confirmed in (False, True):
        assert template_for("officer", kind, is_confirmed=is_confirmed) in IDS


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("audience", ["guardian", "guarantor"])
def test_a_family_has_a_text_for_what_it_may_hear_and_none_for_anything_else(audience: str, kind: EventKind) -> None:
    if HEARING_OF_EVENT[kind].family:
        assert template_for(audience, kind) in IDS
        assert template_for(audience, kind, is_confirmed=True) in IDS
    else:
        with pytest.raises(NoTemplateError, match=audience):
            template_for(audience, kind)


@pytest.mark.parametrize("audience", ["guardian", "guarantor", "subject"])
def test_contact_and_the_safety_of_children_are_for_officers_even_when_confirmed(audience: str) -> None:
    for kind in (EventKind.CONTACT, EventKind.MINOR_WITH_ADULT, EventKind.ORDER_NOT_LIFTED):
        with pytest.raises(NoTemplateError):
            template_for(audience, kind, is_confirmed=True)


@pytest.mark.parametrize("kind", ConditionKind)
def test_every_kind_of_violation_has_a_text_for_officers(kind: ConditionKind) -> None:
    assert template_for("officer", EVENT_OF_CONDITION[kind]) in IDS


def test_every_guardian_text_has_a_form_with_the_code_of_the_answer_page() -> None:
    plain = [template for template in IDS if template.startswith("guardian_") and not template.endswith(WITH_CODE)]
    for template in plain:
        assert the_text(template + WITH_CODE) == the_text(template) + "反馈码7KQ3M8TX。"
    assert template_for("guardian", EventKind.ENTRY, with_code=True) == "guardian_entry_suspected_code"
    assert notice_for("guardian", "reminder", with_code=True) == "guardian_reminder_code"
    with pytest.raises(NoTemplateError):
        notice_for("officer", "closed", with_code=True)


def test_codes_spell_no_word_and_no_two_letters_are_mistaken_for_each_other() -> None:
    assert not set(CODE_ALPHABET) & set("AEIOU01LS")
    assert len(CODE_ALPHABET) ** 8 > 2**37


# ---- length


@pytest.mark.parametrize("item", MESSAGES, ids=lambda item: f"{item.template_id}.{item.language}")
def test_the_longest_text_fits_with_its_signature(item: Template) -> None:
    filler = {"zh": "合", "en": "W"}[item.language]
    text = re.sub(r"\{(\w+)\}", lambda found: filler * LONGEST[item.language][found[1]], item.wording)
    whole = SIGNATURE + text
    assert len(whole) <= TEXT_LIMITS[item.language]
    assert segment_count(whole) == (1 if item.language == "zh" else segment_count(whole))
    assert segment_count(whole) <= 2


# ---- variables and time


@pytest.mark.parametrize(
    ("at", "now", "zh", "en"),
    [
        ("2026-03-20T15:59:59", "2026-03-20T15:59:59", "23时59分", "23:59"),
        ("2026-03-20T16:00", "2026-03-20T16:10", "00时00分", "00:00"),
        ("2026-03-20T22:05", "2026-03-20T22:06", "06时05分", "06:05"),
        ("2026-03-20T15:58", "2026-03-20T16:02", "3月20日23时58分", "23:58 on 20 Mar"),
        ("2026-12-31T15:59", "2026-12-31T16:01", "12月31日23时59分", "23:59 on 31 Dec"),
        ("2026-03-21T01:00", "2026-03-20T15:00", "3月21日09时00分", "09:00 on 21 Mar"),
    ],
)
def test_the_time_said_is_the_events_local_time_with_its_date_unless_it_is_today(
    at: str, now: str, zh: str, en: str
) -> None:
    event, said = datetime.fromisoformat(at + "+00:00"), datetime.fromisoformat(now + "+00:00")
    template = template_for("guardian", EventKind.ENTRY)
    assert dict(rendered(template, at=event, now=said).variables)["time"] == zh
    assert dict(rendered(template, "Lily", language="en", at=event, now=said).variables)["time"] == en
    assert len(zh) <= LONGEST["zh"]["time"]
    assert len(en) <= LONGEST["en"]["time"]


def test_an_instant_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        the_text("guardian_entry_suspected", at=datetime(2026, 3, 20, 22, 13))  # noqa: DTZ001 - that is the point


def test_what_happened_half_a_year_ago_is_no_matter_for_a_message() -> None:
    with pytest.raises(TextRefusedError) as refused:
        the_text("guardian_entry_suspected", now=RECORD + timedelta(days=181))
    assert [problem.rule for problem in refused.value.problems] == [Rule.TIME]


def test_variables_come_in_the_order_of_the_wording() -> None:
    assert rendered("guardian_silence_observed").variables == (("time", "22时13分"), ("name", "小丽"))


def test_a_language_that_hulan_does_not_write_falls_to_chinese() -> None:
    found = rendered("guardian_entry_suspected", language="ug")
    assert (found.language, found.text) == ("zh", the_text("guardian_entry_suspected"))


def test_a_template_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NoTemplateError):
        rendered("guardian_bar_suspected")


# ---- names


@pytest.mark.parametrize("name", ["小丽", "王某", "欧阳某", "阿明", "明明", "李同学", "合成12号", "丽", "A03", "Lily"])
def test_an_alias_is_said(name: str) -> None:
    found = rendered("guardian_entry_suspected", name)
    assert name in found.text
    assert found.withheld == ()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("王小明", Rule.FULL_NAME), ("王 小 明", Rule.FULL_NAME), ("欧阳娜娜", Rule.FULL_NAME),
        ("李雷", Rule.FULL_NAME),
        ("阿不都·热合曼", Rule.FULL_NAME), ("Li Lei", Rule.FULL_NAME), ("LiLei", Rule.FULL_NAME),
        ("酒吧丽", Rule.VENUE), ("网 咖", Rule.VENUE), ("小偷盗", Rule.OFFENCE), ("小学丽", Rule.SCHOOL),
        ("丽" * 7, Rule.VALUE_LENGTH), ("", Rule.VALUE_LENGTH), ("  ", Rule.VALUE_LENGTH), ("{time}", Rule.SYMBOL),
        ("小\u200b丽", Rule.SYMBOL), ("小丽★", Rule.SYMBOL), ("【丽】", Rule.BRACKET), ("a.cn", Rule.LINK),
        ("ⓛⓘⓛⓨ", Rule.SYMBOL), ("小類", Rule.TRADITIONAL),
    ],
)  # fmt: skip
def test_a_name_that_may_not_be_said_is_withheld_and_the_message_leaves(name: str, rule: Rule) -> None:
    found = rendered("guardian_entry_suspected", name)
    assert found.text == "您的孩子某某于22时13分疑似进入未成年人禁入区域，请尽快核实并带离。"
    assert rule in {problem.rule for problem in found.withheld}
    assert all(name not in problem.value or len(name.strip()) < 2 or rule in _SHOWN for problem in found.withheld)


_SHOWN = {Rule.VENUE, Rule.OFFENCE, Rule.SCHOOL, Rule.LINK, Rule.SYMBOL}
"""Of these the fault itself is shown, which may be all of the name."""


def test_a_refused_word_that_only_name_and_wording_make_together_is_seen() -> None:
    entry = BUILT_IN.templates["guardian_entry_suspected", "zh"]
    catalogue = BUILT_IN.replaced_by([replace(entry, wording="您的孩子{name}所在位置于{time}疑似不妥，请尽快核实。")])
    assert lint_catalogue(catalogue) == []
    found = render("guardian_entry_suspected", name="小会", at=RECORD, now=RECORD, catalogue=catalogue)
    assert [(problem.rule, problem.value) for problem in found.withheld] == [(Rule.VENUE, "会所")]
    assert "某某所在位置" in found.text
    assert rendered("guardian_entry_suspected", "小会").withheld == ()


def test_what_the_file_keeps_secret_is_never_in_a_text() -> None:
    found = render("guardian_entry_suspected", name="海豚湾", at=RECORD, now=RECORD, known=["海 豚 湾"])
    assert found.text.startswith("您的孩子某某于")
    assert [problem.rule for problem in found.withheld] == [Rule.KNOWN]
    assert "海豚湾" not in str(found)


@pytest.mark.parametrize("reference", ["", "0123-ABC", "13800000101", "abc", "酒吧AB"])
def test_a_reference_of_another_form_is_refused(reference: str) -> None:
    with pytest.raises(TextRefusedError):
        render("officer_entry_suspected", name="小丽", at=RECORD, now=RECORD, reference=reference)


def test_a_reference_of_digits_only_is_no_telephone_number() -> None:
    assert (
        "编号01234567。"
        in render("officer_entry_suspected", name="小丽", at=RECORD, now=RECORD, reference="01234567").text
    )


def test_a_name_is_never_taken_for_a_template() -> None:
    assert "22时13分于" not in the_text("guardian_entry_suspected", "{time}")


INSTANTS = st.integers(0, 20 * 365 * 24 * 60).map(lambda minute: RECORD + timedelta(minutes=minute))


@given(
    template=st.sampled_from(IDS),
    language=st.sampled_from(["zh", "en", "mn"]),
    name=st.one_of(st.text(max_size=40), st.text("王李小明某丽酒吧网学校 ·ABab{}1", max_size=12)),
    at=INSTANTS,
    later=st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=400)),
    reference=st.one_of(st.text("0123456789ABCDEF", min_size=8, max_size=8), st.text(max_size=12)),
    minutes=st.one_of(st.none(), st.integers(-5, 100_000)),
)
def test_whatever_is_put_in_the_text_fits_or_is_refused_with_a_reason(
    template: str, language: str, name: str, at: datetime, later: timedelta, reference: str, minutes: int | None
) -> None:
    try:
        found = render(
            template, language=language, name=name, at=at, now=at + later, reference=reference, code=reference[:8],
            minutes=minutes,
        )  # fmt: skip
    except TextRefusedError as refused:
        assert refused.problems
        assert all(problem.zh and problem.en and problem.source for problem in refused.problems)
        return
    whole = SIGNATURE + found.text
    assert len(whole) <= TEXT_LIMITS[found.language]
    assert segment_count(whole) <= {"zh": 1, "en": 2}[found.language]
    for variable, value in found.variables:
        assert 1 <= len(value) <= 35
        assert value in found.text
        if variable == "name" and found.withheld:
            assert value == NEUTRAL_NAME[found.language]
