"""The report of a measurement and the draft of a recommendation, as people read them."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from docx import Document

from api.evidence.font import load_fonts
from api.ids import new_id
from api.papers.measurement_map import MeasurementMap, sketch_of
from api.papers.measurement_report import measurement_pdf
from api.papers.recommendation import Paper, TemplateError, draft_of, load_template
from api.papers.recommendation_files import recommendation_pdf, recommendation_word
from api.papers.recommendation_law import article_zh, cited_for
from tests.api.distance_register import NOW
from tests.evidence.scene import text_of_pdf
from tests.golden_files import assert_golden
from tests.venues.distance_scene import gate, school
from tests.venues.test_measurement import SHOP, SITE, STREET, made
from venues.category import VenueCategory
from venues.gateway_distance_law import load_lead_routes
from venues.lead import LeadEvent, LeadStep
from venues.lead_pattern import LeadGround
from venues.lead_store import PROGRAM, StoredLead
from venues.measurement import measured_again

ON = date(2026, 11, 22)


@pytest.mark.golden
def test_the_report_reads_as_recorded() -> None:
    load_fonts()
    assert_golden("measurement_report.txt", "\n----\n".join(text_of_pdf(measurement_pdf(made()))) + "\n")


def test_the_report_of_a_measurement_made_again_is_the_same_to_the_byte() -> None:
    load_fonts()
    first = made()
    report = measurement_pdf(first)
    assert measurement_pdf(measured_again(first.text, STREET)) == report
    text = "".join(text_of_pdf(report))
    for word in (first.hash, first.finding.rule.text_zh, first.finding.rule.rule_version, STREET.network_version):
        assert word in text.replace("\n", "")


def test_the_map_holds_both_ends_and_the_whole_way() -> None:
    load_fonts()
    first = made()
    panel = MeasurementMap(first, width=400.0, height=250.0)
    _, sketch = sketch_of(first)
    assert sketch.way is not None
    assert round(sketch.way.length) == 110
    assert round(sketch.straight.length) == 43
    for line in (sketch.way, sketch.straight):
        for x, y in (panel._at(place) for place in line.coords):
            assert 0 < x < 400
            assert 0 < y < 250


def test_a_school_without_wall_and_gates_is_drawn_too() -> None:
    load_fonts()
    assert measurement_pdf(made(SHOP, school()))[:5] == b"%PDF-"
    assert measurement_pdf(made(replace(SHOP, doors=()), SITE))[:5] == b"%PDF-"
    assert measurement_pdf(made(SHOP, school(gate(0.0, 0.0, is_closed=True))))[:5] == b"%PDF-"


# ---- the recommendation


(TOBACCO_BASIS,) = {route.basis for route in load_lead_routes() if route.venue_categories == {VenueCategory.TOBACCO}}


def a_lead(*events: LeadEvent, regulator: str | None = "烟草专卖行政主管部门") -> StoredLead:
    opening = LeadEvent(step=LeadStep.OPEN, at=NOW, by=PROGRAM)
    return StoredLead(
        lead_no=1, lead_id=new_id(), ground=LeadGround.DISTANCE, venue_id=new_id(), venue_name="路口烟店",
        venue_address="合成路 7 号", division="320312", categories=frozenset({VenueCategory.TOBACCO}), is_sure=True,
        facts=(
            "距育才小学直线 43 米 ± 2 米，步行 51 米 ± 2 米，限 100 米（合成市烟草零售点规定 第五条）：明显违反，"
            "计入误差后结论不变 / breach by rule own: holds with the errors of both ends",
            "距合成幼儿园直线 60 米 ± 5 米，步行 路网上不可达，限 100 米（合成市烟草零售点规定 第五条）：需现场测量，"
            "路网上步行不可达，须实地查看 / survey by rule own: the network shows no way on foot: look on site",
        ),
        regulator=regulator, candidates=("甲局", "乙局"), route_zh="移送烟草专卖行政主管部门",
        route_en="to it", route_basis=TOBACCO_BASIS, events=(opening, *events),
        account_nos=(None, *(1 for _ in events)),
    )  # fmt: skip


CHECKED = LeadEvent(step=LeadStep.CHECK, at=NOW, by="1", on=date(2026, 11, 20), is_found=True, note="柜台有卷烟")


def draft(lead: StoredLead, *, is_urgent: bool = False) -> Paper:
    return draft_of(lead, load_template(), procuratorate="合成市人民检察院", on=ON, is_urgent=is_urgent)


def words_of(word: bytes) -> list[str]:
    return [paragraph.text for paragraph in Document(io.BytesIO(word)).paragraphs]


KTV = replace(
    a_lead(replace(CHECKED, note="正在营业"), regulator="文化和旅游主管部门"), venue_name="星光歌厅",
    categories=frozenset({VenueCategory.KTV}), facts=("距合成幼儿园直线 60 米 ± 5 米：明显违反 / breach",),
    route_basis="《中华人民共和国未成年人保护法》第一百二十三条；《娱乐场所管理条例》",
)  # fmt: skip
MIS_REGISTERED = replace(
    a_lead(replace(CHECKED, note="设吧台，销售洋酒"), regulator=None), ground=LeadGround.MIS_REGISTERED,
    venue_name="老地方小酒馆", categories=frozenset({VenueCategory.BAR}), is_sure=False,
    facts=("登记为餐饮服务，实为酒吧 / registered as 餐饮服务, seen to be bar",),
    candidates=("文化和旅游主管部门", "市场监督管理部门"),
    route_basis="《中华人民共和国未成年人保护法》第一百二十三条（按照职责分工，未明确酒吧）",
)  # fmt: skip


@pytest.mark.golden
@pytest.mark.parametrize(
    ("lead", "golden"),
    [
        (a_lead(CHECKED), "recommendation.txt"),
        (KTV, "recommendation_ktv.txt"),
        (MIS_REGISTERED, "recommendation_mis_registered.txt"),
    ],
)
def test_the_recommendation_reads_as_recorded_and_alike_in_word_and_pdf(lead: StoredLead, golden: str) -> None:
    load_fonts()
    paper = draft(lead)
    lines = words_of(recommendation_word(paper))
    assert_golden(golden, "\n".join(lines) + "\n")
    pdf = "".join("".join(text_of_pdf(recommendation_pdf(paper))).split())
    for line in lines:
        assert "".join(line.split()) in pdf, line  # a line that ends at a blank loses it


def law_of(ground: LeadGround, *categories: VenueCategory) -> str:
    return cited_for(ground, frozenset(categories)).articles


def test_the_draft_cites_the_article_of_the_kind_of_venue() -> None:
    """Entertainment, bars and internet cafés: 58. Tobacco, alcohol and lottery: 59 (reference/domain.md 2.2)."""
    for category in (VenueCategory.KTV, VenueCategory.BAR, VenueCategory.INTERNET_CAFE):
        assert law_of(LeadGround.DISTANCE, category) == (
            "《中华人民共和国未成年人保护法》第五十八条、第一百零六条、第一百二十三条"
        )
    for category in (VenueCategory.TOBACCO, VenueCategory.ALCOHOL, VenueCategory.LOTTERY):
        assert "第五十九条" in law_of(LeadGround.DISTANCE, category)
        assert "第五十八条" not in law_of(LeadGround.DISTANCE, category)
    both = cited_for(LeadGround.DISTANCE, frozenset({VenueCategory.KTV, VenueCategory.TOBACCO}))
    assert both.articles.endswith("第五十八条、第五十九条、第一百零六条、第一百二十三条")
    assert len(both.hazards) == 2
    assert "KTV" in both.hazards[0]
    assert "烟草" in both.hazards[1]


@pytest.mark.parametrize("ground", LeadGround)
@pytest.mark.parametrize("category", VenueCategory)
def test_no_draft_says_what_was_not_looked_into(ground: LeadGround, category: VenueCategory) -> None:
    cited = cited_for(ground, frozenset({category}))
    said = "".join(cited.hazards)
    if ground is not LeadGround.DISTANCE:
        assert "设在学校、幼儿园周边，影响" not in said
    if ground is not LeadGround.ADMITS_MINORS:
        assert "未成年人进入" not in said
    if ground is LeadGround.MIS_REGISTERED:
        assert "第五十八条" not in cited.articles
    assert "请检察官" in cited.articles or "第一百二十三条" in cited.articles


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "一"), (10, "十"), (15, "十五"), (58, "五十八"), (100, "一百"), (106, "一百零六"), (110, "一百一十"),
     (115, "一百一十五"), (123, "一百二十三"), (201, "二百零一")],
)  # fmt: skip
def test_numbers_of_articles_are_written_as_laws_write_them(number: int, words: str) -> None:
    assert article_zh(number) == f"第{words}条"


def test_what_is_not_settled_stays_open_in_the_draft() -> None:
    text = "\n".join(words_of(recommendation_word(draft(a_lead(regulator=None)))))
    assert "（待定：甲局、乙局）" in text
    assert "核查前不得制发" in text
    assert "（文号待编）" in text
    assert "两个月内" in text
    assert "十五日内" in "\n".join(words_of(recommendation_word(draft(a_lead(CHECKED), is_urgent=True))))


LETTER = LeadEvent(step=LeadStep.RECOMMEND, at=NOW, by="1", regulator="甲局", document_number="合成检建〔2026〕1号")
DELIVERED = LeadEvent(step=LeadStep.DELIVER, at=NOW, by="1", on=ON)
SEEN = LeadEvent(step=LeadStep.RECHECK, at=NOW, by="1", on=ON, is_found=True)
CLOSED = LeadEvent(step=LeadStep.CLOSE, at=NOW, by="1")
AGAIN = LeadEvent(step=LeadStep.REOPEN, at=NOW, by="1", note="再次接到举报")


def test_a_lead_opened_again_drafts_nothing_of_its_former_life() -> None:
    paper = draft(a_lead(CHECKED, LETTER, DELIVERED, SEEN, CLOSED, AGAIN))
    text = "\n".join(words_of(recommendation_word(paper)))
    assert "核查前不得制发" in text
    assert "属实" not in text
    assert (paper.number, paper.addressee) == ("（文号待编）", "烟草专卖行政主管部门：")
    once_more = replace(CHECKED, note="仍在售烟")
    assert "仍在售烟" in "\n".join(
        words_of(recommendation_word(draft(a_lead(CHECKED, LETTER, DELIVERED, SEEN, CLOSED, AGAIN, once_more))))
    )


@pytest.mark.parametrize(
    ("events", "number"),
    [
        ((LETTER,), "合成检建〔2026〕1号"),
        ((LETTER, replace(SEEN, is_found=False)), "合成检建〔2026〕1号"),
        ((LETTER, DELIVERED), "（文号待编）"),
        ((LETTER, DELIVERED, replace(SEEN, is_found=False), replace(LETTER, document_number="2号")), "2号"),
        ((LETTER, DELIVERED, replace(DELIVERED, step=LeadStep.REPLY), replace(SEEN, is_found=False)), "（文号待编）"),
    ],
)
def test_a_letter_takes_the_number_that_is_on_record_for_it_and_no_former_one(
    events: tuple[LeadEvent, ...], number: str
) -> None:
    lead = a_lead(CHECKED, *events)
    assert draft(lead).number == number
    given = draft_of(
        lead, load_template(), procuratorate="合成市人民检察院", on=ON, is_urgent=False, document_number="9号"
    )
    assert given.number == "9号"


def test_a_template_of_the_office_is_read_and_a_wrong_one_named(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[2] / "api" / "papers" / "recommendation.toml").read_text(encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text(shipped.replace("五、异议", "五、异议与复核"), encoding="utf-8")
    assert "五、异议与复核" in [section.heading for section in load_template(own).sections]
    for wrong, named in (
        (shipped.replace("{ground}", "{grounds}"), "grounds"),
        (shipped.replace("addressee", "to"), "addressee|to"),
        (shipped.replace('closing = ["{procuratorate}", "{on}"]', "closing = 3"), "closing"),
        ("[", "own.toml"),
    ):
        own.write_text(wrong, encoding="utf-8")
        with pytest.raises(TemplateError, match=named):
            load_template(own)
    with pytest.raises(TemplateError, match="cannot read"):
        load_template(tmp_path / "absent.toml")
