"""What the linter refuses, however it is written; and that it says why, from where, and what to do."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.refused_words import REFUSED_WORDS, SOURCES, WordKind
from alerts.segments import length_of, segment_count, septet_count
from alerts.templates import BUILT_IN, Claim, Template, provider_wording
from alerts.text_lint import lint_signature, lint_template, lint_text, lint_values, phone_numbers
from alerts.text_names import COMPOUND_SURNAMES, SURNAMES, is_full_name
from alerts.text_rules import RULES, Rule
from alerts.text_seen import LOOK_ALIKES, TRADITIONAL, fold, see_words

ENTRY = BUILT_IN.templates["guardian_entry_suspected", "zh"]
ENTRY_EN = BUILT_IN.templates["guardian_entry_suspected", "en"]


def rules_of(wording: str, template: Template = ENTRY) -> set[Rule]:
    return {problem.rule for problem in lint_template(replace(template, wording=wording))}


def words_in(text: str) -> set[str]:
    return {seen.word for seen in see_words(text)}


# ---- words, however written


def test_a_template_that_names_a_bar_is_refused_with_its_reason() -> None:
    (problem,) = lint_template(replace(ENTRY, wording="您的孩子{name}于{time}疑似进入酒吧，请尽快核实并带离。"))
    assert (problem.field, problem.value, problem.rule) == ("guardian_entry_suspected.zh", "酒吧", Rule.VENUE)
    assert "design.md 5.11" in problem.source
    for provider in ("huawei", "tencent", "baidu"):
        assert SOURCES[provider].address in problem.source
    assert "禁入区域" in problem.zh
    assert "exclusion zone" in problem.en


@pytest.mark.parametrize(
    "written",
    [
        "酒吧", "酒 吧", "酒-吧", "酒·吧", "酒。吧", "酒\u200b吧", "酒\u2060吧", "酒\n吧", "酒️吧", "酒̲吧",
        "酒巴", "洒吧", "久叭", "酒ba", "jiu吧", "jiuba", "JiuBa", "jiu ba", "jiǔ bā", "ｊｉｕｂａ", "j.i.u.b.a",
        "九 巴", "ⓙⓘⓤⓑⓐ", "酒Bā",
    ],
)  # fmt: skip
def test_a_bar_is_seen_however_it_is_written(written: str) -> None:
    assert "酒吧" in words_in(f"疑似进入{written}，请核实")
    assert Rule.VENUE in rules_of(f"您的孩子{{name}}于{{time}}疑似进入{written}，请尽快核实并带离。")


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("網吧", "网吧"), ("网 巴", "网吧"), ("wangba", "网吧"), ("會所", "会所"), ("賓館", "宾馆"),
        ("學校", "学校"), ("取保", "取保"),
        ("嫌疑", "嫌疑"), ("賭博", "赌博"), ("案件", "案件"), ("KTV", "ktv"), ("Ｋ Ｔ Ｖ", "ktv"), ("幼兒園", "幼儿园"),
        ("b a r", "bar"), ("B4R", "bar"), ("bars", "bar"), ("night-club", "nightclub"), ("h0tel", "hotel"),
        ("受害人", "受害人"), ("Victim", "victim"), ("wēi xìn", "微信"), ("威信", "微信"), ("法  律", "法律"),
    ],
)  # fmt: skip
def test_other_words_are_seen_too(written: str, word: str) -> None:
    assert word in words_in(f"于22时 {written} 请核实")


@pytest.mark.parametrize(
    "text",
    [
        "请尽快核实并带离。", "未成年人禁入区域", "监护人", "bay", "embark", "barge in", "spublic",
        "Benjiu bath", "subject",
        "casement", "jiubay", "hooligan", "请检查网络、电量和定位权限", "请放心", "inner", "bailiff", "no place",
    ],
)  # fmt: skip
def test_words_that_only_contain_the_letters_of_others_are_left_alone(text: str) -> None:
    assert words_in(text) == set()


@given(word=st.sampled_from([word for word in REFUSED_WORDS if len(word.word) > 1]), data=st.data())
def test_no_separator_between_the_characters_hides_a_word(word: object, data: st.DataObject) -> None:
    characters = getattr(word, "word")  # noqa: B009 - the strategy loses the type
    gaps = data.draw(st.lists(st.text("\u200b\u200d\ufeff -_.·、。* \u00ad", max_size=3), min_size=len(characters)))
    hidden = "".join(character + gap for character, gap in zip(characters, gaps, strict=False))
    assert any(characters in seen or seen in characters for seen in words_in(hidden))


@given(text=st.text(max_size=60))
def test_folding_keeps_letters_and_their_places(text: str) -> None:
    folded = fold(text)
    assert len(folded.letters) == len(folded.places)
    assert list(folded.places) == sorted(folded.places)
    assert all(letter.isalnum() for letter in folded.letters)


def test_every_word_has_a_source_and_pinyin_for_each_character_or_none() -> None:
    assert {word.word for word in REFUSED_WORDS if not word.sources} == set()
    for word in REFUSED_WORDS:
        assert set(word.sources) <= set(SOURCES)
        assert len(word.pinyin) in {0, len(word.word)}, word.word
        assert not (word.pinyin and len(word.word) == 1), f"{word.word}: one syllable is in half of all names"
    assert {source for word in REFUSED_WORDS for source in word.sources} == set(SOURCES)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("aliyun", ["党政", "恐吓", "烟酒", "赌博", "毒品", "法律维权", "调解"]),
        ("huawei", ["酒吧", "法院", "诉讼", "传票", "法律", "威胁"]),
        ("baidu", ["会所", "酒吧", "足浴"]),
        ("tencent", ["酒吧", "会所", "足浴", "征信", "党政"]),
    ],
)
def test_the_words_of_the_reference_are_listed_for_their_provider(provider: str, words: list[str]) -> None:
    listed = {word.word for word in REFUSED_WORDS if provider in word.sources}
    assert set(words) <= listed


def test_folding_tables_have_no_entry_that_does_nothing() -> None:
    assert all(old != new for old, new in TRADITIONAL.items())
    assert not set(TRADITIONAL.values()) & set(TRADITIONAL), "folded twice would be another character"
    in_words = set("".join(word.word for word in REFUSED_WORDS if len(word.word) > 1))
    assert set(LOOK_ALIKES) <= in_words


# ---- links, numbers, symbols


@pytest.mark.parametrize(
    "text",
    [
        "见http://a.b", "www点a点cn", "a.cn", "hulan。cn", "t.cn/x", "jianguan.gov.cn", "a @ b a@b", "详见hulan点com",
        "ｗｗｗ．ａ．ｃｎ", "w w w", "点击此处", "扫 码", "加微信", "二维码",
    ],
)  # fmt: skip
def test_links_are_refused(text: str) -> None:
    assert Rule.LINK in {problem.rule for problem in lint_text(text, field="x")}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13800000101", "13800000101"), ("138 0000 0101", "13800000101"), ("138-0000-0101", "13800000101"),
        ("一三八零零零零零一零一", None), ("幺三八〇〇〇〇〇一〇一", "13800000101"), ("010-8888888", "0108888888"),
        ("拨12309", "12309"), ("拨110", "110"), ("４００８８８８８８８", None), ("40088888", "40088888"),
        ("95588", "95588"),
    ],
)  # fmt: skip
def test_telephone_numbers_are_refused_however_spelt(text: str, number: str | None) -> None:
    found = {problem.rule for problem in lint_text(text, field="x")}
    assert Rule.PHONE in found or (number is None and Rule.SYMBOL in found)
    if number is not None:
        assert phone_numbers(text) == [number]


@pytest.mark.parametrize("text", ["22时13分", "10月9日22时13分", "22:13 on 9 Oct", "已30分钟", "合成12号"])
def test_times_are_no_telephone_numbers(text: str) -> None:
    assert lint_text(text, field="x") == []


@pytest.mark.parametrize(
    "letter", ["★", "¥", "※", "✓", "&", "^", "🍺", "ａ", "а", "α", "\u200b", "\u00a0", "⺠", "@", "$"]
)
def test_other_signs_and_other_alphabets_are_refused(letter: str) -> None:
    assert Rule.SYMBOL in {problem.rule for problem in lint_text(f"请核实{letter}", field="x")}


@pytest.mark.parametrize("letter", ["網", "會", "嗎", "麗", "妳", "囍"])
def test_traditional_and_rare_characters_are_refused_in_wordings(letter: str) -> None:
    assert Rule.TRADITIONAL in rules_of(f"您的孩子{{name}}于{{time}}疑似进入{letter}，请尽快核实。")


# ---- variables, claims, length


@pytest.mark.parametrize(
    ("wording", "rule"),
    [
        ("您的孩子{name}{time}疑似进入禁入区域。", Rule.VARIABLE_ADJACENT),
        ("您的孩子{name} {time}疑似进入禁入区域。", Rule.VARIABLE_ADJACENT),
        ("您的孩子{name}于{time}疑似进入禁入区域，{name}。", Rule.VARIABLE_TWICE),
        ("您的孩子{name}于{time}疑似进入{venue}。", Rule.VARIABLE_UNKNOWN),
        ("您的孩子${name}于{time}疑似进入禁入区域。", Rule.VARIABLE_FORM),
        ("您的孩子{name于{time}疑似进入禁入区域。", Rule.VARIABLE_FORM),
        ("疑似{time}", Rule.VARIABLE_ONLY),
        ("{name}", Rule.VARIABLE_ONLY),
        ("您的孩子{name}疑似进入禁入区域，请尽快核实。", Rule.TIME_MISSING),
        ("【护栏】您的孩子{name}于{time}疑似进入禁入区域。", Rule.BRACKET),
        ("您的孩子{name}于{time}进入禁入区域，请核实。", Rule.HEDGE_MISSING),
        ("您的孩子{name}于{time}疑似进入禁入区域，请致电12345678。", Rule.DIGITS),
        ("您的孩子{name}于{time}疑似进入禁入区域，" + "请尽快核实" * 6 + "。", Rule.LENGTH),
    ],
)
def test_each_rule_of_providers_is_checked(wording: str, rule: Rule) -> None:
    assert rule in rules_of(wording)


def test_what_is_confirmed_or_recorded_does_not_say_may() -> None:
    confirmed = BUILT_IN.templates["guardian_entry_confirmed", "zh"]
    assert Rule.HEDGE_LEFT in rules_of(ENTRY.wording, confirmed)
    assert Rule.HEDGE_LEFT in rules_of(ENTRY.wording.replace("疑似", "可能"), confirmed)
    assert Rule.HEDGE_LEFT in rules_of(ENTRY_EN.wording, BUILT_IN.templates["guardian_entry_confirmed", "en"])
    assert Rule.HEDGE_MISSING in rules_of(ENTRY_EN.wording.replace("may have entered", "entered"), ENTRY_EN)


def test_a_record_of_a_device_says_nothing_about_conduct() -> None:
    silence = BUILT_IN.templates["guardian_silence_observed", "zh"]
    assert silence.claim is Claim.OBSERVED
    assert Rule.CONDUCT in rules_of("您的孩子{name}于{time}擅自关闭设备，请尽快联系孩子。", silence)
    assert Rule.CONDUCT in rules_of("您的孩子{name}于{time}离开住处，请尽快联系孩子。", silence)


def test_all_faults_are_told_at_once() -> None:
    found = rules_of("【护栏】{name}{time}进入酒吧，涉嫌犯罪，见www.a.cn或拨13800000101★")
    expected = {
        Rule.BRACKET, Rule.VARIABLE_ADJACENT, Rule.VENUE, Rule.OFFENCE, Rule.LINK, Rule.PHONE, Rule.SYMBOL,
        Rule.HEDGE_MISSING, Rule.DIGITS,
    }  # fmt: skip
    assert found >= expected


def test_a_language_that_is_not_ours_is_a_fault() -> None:
    assert {problem.rule for problem in lint_template(replace(ENTRY, language="ug"))} == {Rule.LANGUAGE}


def test_a_longer_signature_leaves_less_room() -> None:
    assert lint_template(BUILT_IN.templates["guardian_entry_suspected_code", "zh"], signature_length=13) == []
    found = lint_template(BUILT_IN.templates["guardian_entry_suspected_code", "zh"], signature_length=17)
    assert [problem.rule for problem in found] == [Rule.LENGTH]


@pytest.mark.parametrize(
    ("signature", "passes"),
    [("【徐州云龙检察】", True), ("徐州云龙检察", False), ("【】", False), ("【云】", False), ("【【云龙】】", False)],
)
def test_a_signature_is_checked(signature: str, passes: bool) -> None:
    assert (lint_signature(signature) == []) is passes


def test_every_rule_says_what_to_do_in_both_languages() -> None:
    assert set(RULES) == set(Rule)
    for rule, text in RULES.items():
        assert re.search(r"[\u4e00-\u9fff]", text.zh), rule
        assert re.search(r"[a-z]{3}", text.en), rule
        assert text.source, rule


def test_every_kind_of_word_has_a_rule() -> None:
    for kind in WordKind:
        word = next(word for word in REFUSED_WORDS if word.kind is kind)
        assert lint_text(word.word, field="x"), kind


# ---- names


def test_a_surname_with_a_given_name_is_a_full_name_and_with_mou_is_not() -> None:
    for surname in sorted(SURNAMES | set(COMPOUND_SURNAMES)):
        assert not is_full_name(f"{surname}某"), surname
        assert not is_full_name(f"{surname}某某"), surname
        assert is_full_name(f"{surname}晓燕"), surname


@pytest.mark.parametrize("name", ["古·丽", "买•买提", "Anna-Maria Li", "O Li Na"])
def test_names_of_several_parts_are_full_names(name: str) -> None:
    assert is_full_name(name)


def test_a_fault_of_a_name_never_shows_the_name() -> None:
    (problem,) = lint_values({"name": "王小明"}, language="zh", field="x")
    assert (problem.rule, problem.value) == (Rule.FULL_NAME, "王**")
    (problem,) = lint_values({"name": "海豚"}, language="zh", field="x", known=["海豚"])
    assert (problem.rule, problem.value) == (Rule.KNOWN, "海**")


# ---- segments and providers


def test_segments_are_counted_as_they_are_billed() -> None:
    assert segment_count("合" * 70) == 1
    assert segment_count("合" * 71) == segment_count("合" * 134) == 2
    assert segment_count("合" * 135) == 3
    assert segment_count("a" * 160) == 1
    assert segment_count("a" * 161) == segment_count("a" * 306) == 2
    assert segment_count("a" * 70 + "合") == 2
    assert segment_count("😀" * 36) == 2, "outside the basic plane a character is two code units"


def test_square_brackets_take_two_septets() -> None:
    assert septet_count("[a]") == 5
    assert septet_count("小") is None
    assert length_of("[a]", language="en", signature_length=12) == 17
    assert length_of("[a]", language="zh", signature_length=12) == 15


def test_a_wording_is_written_as_each_provider_wants_it() -> None:
    assert provider_wording(ENTRY, "aliyun").startswith("您的孩子${name}于${time}疑似")
    assert provider_wording(ENTRY, "tencent").startswith("您的孩子{1}于{2}疑似")
    assert provider_wording(ENTRY, "huawei").startswith("您的孩子${TXT_6}于${TXT_12}疑似")
