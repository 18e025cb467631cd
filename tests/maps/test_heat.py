"""What the heat map says: levels, counts, method, as-of time, and what it keeps to itself."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from maps.offline import MapAssets, external_references
from tests.maps.example_city import AS_OF, POLICY, City, make_city, make_incident, make_site, make_venue
from tests.maps.hostile_names import HOSTILE_NAMES
from venues.area_risk import assess_areas
from venues.place import IncidentKind, VenueIncident
from venues.risk import RiskPolicy, VenueExposure, assess_venues

ASSETS = MapAssets(leaflet_js="/* leaflet */", leaflet_css="/* style */")


def city_of(venues: list[VenueExposure], incidents: list[VenueIncident]) -> City:
    risks = assess_venues(venues, incidents, as_of=AS_OF, policy=POLICY)
    return City(risks=risks, areas=assess_areas(risks, policy=POLICY))


def records_of(page: str) -> dict[str, Any]:
    """The data block of a page."""
    found = re.search(r'<script type="application/json" id="hulan-records">(.*?)</script>', page)
    assert found
    records: dict[str, Any] = json.loads(found[1])
    return records


def words_of(page: str) -> str:
    """What a person reads outside the map, one space between pieces."""

    class Words(HTMLParser):
        pieces: tuple[str, ...] = ()
        silent = False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.silent = tag in ("script", "style", "title")

        def handle_endtag(self, tag: str) -> None:
            self.silent = False

        def handle_data(self, data: str) -> None:
            if not self.silent and data.strip():
                self.pieces += (data.strip(),)

    reader = Words()
    reader.feed(page)
    return " ".join(reader.pieces)


def test_legend_reads_as_agreed() -> None:
    assert words_of(make_city().page(ASSETS, data_note="示例 example")) == (
        "合成数据 SYNTHETIC DATA 仅供演示，不得作为任何决定的依据 For demonstration only; not a basis for any decision "
        "徐州市娱乐场所风险图 截至 As of 2026-03-01 08:00 北京时间 UTC+8 "
        "合成数据 SYNTHETIC DATA "
        "场所 Venues "
        "红 Red 12个月内有涉未成年人刑事案件或第2次处罚，或得分≥4 "
        "Criminal case with a minor or a second penalty in 12 months, or score ≥ 4 9 "
        "黄 Yellow 得分≥1 Score ≥ 1 25 "
        "绿 Green 得分<1，且观察满60天 Score < 1, observed for 60 days or more 81 "
        "数据不足 Insufficient data 观察不足60天，或没有任何记录；不表示安全 "
        "Observed for fewer than 60 days, or no record; does not mean safe 5 "
        "合计 Total 120 "
        "优先核查 Look here first 先按等级，再按衰减得分 By level, then by decayed score "
        "区域 Areas: H3 cells, resolution 9 红 Red ≥40 / km² 9 黄 Yellow ≥10 / km² 20 绿 Green <10 / km² 0 "
        "不显示 Not shown 少于3件，不显示数值 Fewer than 3 incidents: no value shown 70 "
        "得分之和除以网格实际面积 Sum of scores over the true area of the cell "
        "受保护场所 Protected sites 校 学校 Schools 含幼儿园（园） Kindergartens too (园) 6 "
        "方法 Method 方法 Method 衰减加权计数：Σ 权重×0.5^(天数/半衰期) Decayed weighted count of incidents "
        "权重 Weights 警情 1，行政处罚 2，刑事案件 4 Call, penalty, case "
        "半衰期 Half-life 180 天 180 days 统计期间 Period 2024-04-02 至 2026-03-01 "
        "事件 Incidents 268 件，最近一件 2026-02-24 268 counted, the latest on 2026-02-24 "
        "截至 As of 2026-03-01 08:00 北京时间 Asia/Shanghai, UTC+8 规则版本 Rule version venue-risk/1 "
        "数据说明 Data 示例 example "
        "颜色是线索，不是结论。 A colour is a reason to look, never a verdict. 护栏 Hulan · Leaflet 1.9.4 · folium"
    )


def test_made_up_data_are_called_so_and_real_data_are_not() -> None:
    city = make_city(3)
    assert words_of(city.page(ASSETS, synthetic=True)).count("合成数据 SYNTHETIC DATA") == 2
    assert "SYNTHETIC" not in words_of(city.page(ASSETS, synthetic=False))


def test_no_venues_gives_a_page_that_says_so() -> None:
    page = City().page(ASSETS)
    assert "没有可显示的场所 所选范围内没有场所" in words_of(page)
    assert "That does not mean it is safe." in words_of(page)
    assert "L.control.layers" not in page


def test_map_without_incident_data_says_why_all_is_grey() -> None:
    words = words_of(make_city(20, with_incidents=False).page(ASSETS))
    assert "全部场所均为“数据不足”：尚未导入任何事件数据" in words
    assert "No incident data (police calls, penalties, criminal cases) has been imported." in words
    assert "优先核查" not in words


def test_map_of_young_observations_says_why_all_is_grey() -> None:
    venue = make_venue(observed_from=AS_OF.date() - timedelta(days=5))
    words = words_of(city_of([venue], [make_incident(venue, days_ago=3)]).page(ASSETS))
    assert "全部场所均为“数据不足”：观察均不足60天" in words


def test_popup_says_level_score_and_dated_reasons() -> None:
    venue = make_venue()
    case = make_incident(venue, kind=IncidentKind.CRIMINAL_CASE, days_ago=90)
    (record,) = records_of(city_of([venue], [case]).page(ASSETS))["venues"]
    assert record == {
        "name": "云龙量贩KTV",
        "level": "red",
        "category": "KTV",
        "score": "2.82",
        "count": 1,
        "reasons": [
            ["2025-12-01", "12个月内发生涉未成年人刑事案件", "Criminal case involving a minor within 12 months"],
            [
                "2025-12-01",
                "衰减得分2.82（黄≥1，红≥4）：警情0、行政处罚0、刑事案件1",
                "Decayed score 2.82 (yellow from 1, red from 4): police calls 0, penalties 0, criminal cases 1",
            ],
        ],
        "source": "test venue/1",
    }


def test_small_cell_shows_no_number() -> None:
    venue = make_venue()
    few = records_of(city_of([venue], [make_incident(venue, number=n) for n in range(2)]).page(ASSETS))["areas"]
    none = records_of(city_of([venue], []).page(ASSETS))["areas"]
    assert few == none
    assert few[0]["incidents"] == "少于3件 fewer than 3"
    assert few[0]["score"] == "不显示 not shown"


def test_list_of_the_first_holds_only_red_and_yellow_worst_first() -> None:
    records = records_of(make_city().page(ASSETS))
    levels = [records["venues"][index]["level"] for index in records["first"]]
    assert levels == ["red"] * 9 + ["yellow"]
    assert records_of(make_city(3, with_incidents=False).page(ASSETS))["first"] == []


def test_page_names_its_language_title_and_policy() -> None:
    page = make_city(5).page(ASSETS, title="甲 & 乙")
    assert page.startswith('<!DOCTYPE html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n<meta http-equiv=')
    assert "<title>甲 &amp; 乙</title>" in page
    assert "default-src 'none'; script-src 'unsafe-inline' 'sha256-" in page


def test_no_name_leads_out_of_the_page_or_stops_it() -> None:
    names = [*HOSTILE_NAMES.values(), "half \ud800 pair"]
    venues = [make_venue(name, number=number) for number, name in enumerate(names)]
    sites = tuple(make_site(name, number=number) for number, name in enumerate(names))
    for name in names:
        page = replace(city_of(venues, []), sites=sites).page(ASSETS, title=name, data_note=name)
        assert external_references(page) == []
        assert (
            re.findall(
                r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", re.sub(r"<title>.*</title>|<bdi>.*?</bdi>", "", page)
            )
            == []
        )
        assert page.encode("utf-8")
    assert [venue["name"] for venue in records_of(page)["venues"]] == sorted(
        names, key=lambda name: venues[names.index(name)].key.source_id
    )


def test_same_values_give_the_same_page() -> None:
    assert make_city(30).page(ASSETS) == make_city(30).page(ASSETS)


def test_legend_and_levels_must_come_from_one_rule_and_one_time() -> None:
    venue = make_venue()
    other_rule = assess_venues([venue], [], as_of=AS_OF, policy=RiskPolicy(version="venue-risk/2"))
    with pytest.raises(ValueError, match="pass their policy"):
        City(risks=other_rule).page(ASSETS)
    other_time = assess_venues([venue], [], as_of=AS_OF - timedelta(days=1), policy=POLICY)
    with pytest.raises(ValueError, match="as-of time"):
        City(risks=other_time).page(ASSETS)
