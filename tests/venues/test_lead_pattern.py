"""What proposes a lead, under which key, with which facts; and which regulator it goes to."""

from dataclasses import replace
from pathlib import Path

import pytest

from geo.walk_network import WalkNetwork
from tests.geo.walk_reference import network_of
from tests.golden_files import assert_golden
from tests.venues.distance_scene import (
    BY_GATES,
    ON_FOOT,
    RULE,
    STUDENTS,
    YARD,
    divided_street,
    findings,
    gate,
    school,
    shop,
)
from venues.category import SiteCategory, VenueCategory
from venues.distance import DistanceFinding
from venues.distance_rule import DistanceRule
from venues.gateway_distance_law import load_lead_routes
from venues.lead_pattern import (
    LeadGround,
    LeadProposal,
    VenueStanding,
    distance_leads,
    mis_registered_leads,
    unlicensed_leads,
)
from venues.lead_route import RouteError, leads_by_regulator, read_lead_routes, route_lead

STREET = divided_street()
APART = network_of([[1, 2], [3, 4]], {1: (-300.0, 0.0), 2: (300.0, 0.0), 3: (-300.0, 43.0), 4: (300.0, 43.0)})
SITE = school(gate(0.0, 0.0, kind=STUDENTS), wall=YARD)
ROUTES = load_lead_routes()
BAR, TOBACCO, KTV = VenueCategory.BAR, VenueCategory.TOBACCO, VenueCategory.KTV


def found(y: float, *rules: DistanceRule, network: WalkNetwork | None = STREET) -> list[DistanceFinding]:
    return findings(shop(0.0, y), SITE, *rules, network=network)


def standing(observed: VenueCategory, **given: object) -> VenueStanding:
    values = {"venue_id": "shop", "name": "夜色", "registered_as": frozenset(), "registered_zh": "餐饮服务",
              "observed_as": frozenset({observed}), "licensed_for": frozenset()} | given  # fmt: skip
    return VenueStanding(**values)  # type: ignore[arg-type]


def lines(*groups: tuple[LeadProposal, ...]) -> str:
    return "".join(
        f"{lead.ground} {', '.join(sorted(lead.categories))} {'sure' if lead.is_sure else 'survey'}\n"
        + "".join(f"  {fact}\n" for fact in lead.facts)
        for group in groups
        for lead in group
    )


@pytest.mark.golden
def test_the_facts_of_leads_are_as_recorded() -> None:
    seen = standing(TOBACCO)
    assert_golden(
        "lead_facts.txt",
        lines(
            distance_leads(found(43.0, BY_GATES)),
            distance_leads(found(43.0, ON_FOOT, network=APART)),
            distance_leads(found(43.0, ON_FOOT, network=None)),
            distance_leads(findings(shop(0.0, 43.0), school(wall=YARD), BY_GATES, network=STREET)),
            unlicensed_leads([seen], found(43.0, RULE)),
            mis_registered_leads([standing(BAR)]),
        ),
    )


def test_a_venue_near_two_schools_is_one_lead_and_the_key_is_the_same_next_time() -> None:
    other = replace(SITE, site_id="other", name="第二小学")
    both = [*found(43.0, BY_GATES), *findings(shop(0.0, 43.0), other, BY_GATES, network=STREET)]
    (lead,) = distance_leads(both)
    assert len(lead.facts) == 2
    assert lead.key == distance_leads(found(43.0, RULE))[0].key
    assert lead.key != unlicensed_leads([standing(TOBACCO)], both)[0].key


def test_what_is_clear_or_may_stay_is_no_lead_and_what_must_be_surveyed_is_an_unsure_one() -> None:
    assert distance_leads(found(43.0, ON_FOOT)) == ()
    assert distance_leads(findings(shop(0.0, 43.0), replace(SITE, category=SiteCategory.SECONDARY_SCHOOL), RULE)) == ()
    (unsure,) = distance_leads(found(43.0, ON_FOOT, network=None))
    assert not unsure.is_sure
    assert distance_leads(found(43.0, RULE))[0].is_sure


def test_only_who_lacks_a_licence_near_a_school_is_told() -> None:
    near = found(43.0, RULE)
    assert unlicensed_leads([standing(TOBACCO)], near)
    assert not unlicensed_leads([standing(TOBACCO, licensed_for=frozenset({TOBACCO}))], near)
    assert not unlicensed_leads([standing(TOBACCO)], [])
    assert not unlicensed_leads([standing(VenueCategory.HOTEL)], near)


def test_a_restaurant_seen_to_be_a_bar_is_told_and_a_registered_bar_is_not() -> None:
    assert mis_registered_leads([standing(BAR)])[0].categories == {BAR}
    assert not mis_registered_leads([standing(BAR, registered_as=frozenset({BAR}), registered_zh="酒吧")])
    assert not mis_registered_leads([standing(BAR, registered_zh="")])
    assert not mis_registered_leads([standing(VenueCategory.HOTEL)])


@pytest.mark.parametrize(
    ("ground", "category", "division", "regulator"),
    [
        (LeadGround.ADMITS_MINORS, BAR, "330381", "瑞安市文化和广电旅游体育局"),
        (LeadGround.SELLS_ALCOHOL, BAR, "330381", "瑞安市市场监督管理局"),
        (LeadGround.ADMITS_MINORS, BAR, "330382", None),
        (LeadGround.SELLS_ALCOHOL, BAR, "320312", None),
        (LeadGround.DISTANCE, VenueCategory.INTERNET_CAFE, "320312", "文化和旅游主管部门"),
        (LeadGround.DISTANCE, TOBACCO, "330381", "烟草专卖行政主管部门"),
        (LeadGround.MIS_REGISTERED, BAR, "330381", None),
        (LeadGround.DISTANCE, VenueCategory.HOTEL, "330381", None),
    ],
)
def test_admission_and_sale_go_to_whom_the_local_table_says(
    ground: LeadGround, category: VenueCategory, division: str, regulator: str | None
) -> None:
    routed = route_lead(ROUTES, ground=ground, categories=frozenset({category}), division=division)
    assert routed.regulator == regulator
    assert (routed.route is None) == (category is VenueCategory.HOTEL)


def test_where_nobody_settled_it_the_candidates_are_named() -> None:
    routed = route_lead(ROUTES, ground=LeadGround.ADMITS_MINORS, categories=frozenset({BAR}), division="450200")
    assert routed.candidates == ("文化和旅游主管部门", "市场监督管理部门", "公安机关")
    both = frozenset({BAR, VenueCategory.KTV})
    assert route_lead(ROUTES, ground=LeadGround.ADMITS_MINORS, categories=both, division="450200").regulator is None


ROW = """
[[route]]
jurisdiction = "000000"
grounds = ["admits_minors"]
venues = ["bar"]
regulators = ["某局"]
settled = true
basis = "纪要"
source = "本院"
verification = "office"
"""


def test_an_offices_row_wins_over_an_equally_local_one(tmp_path: Path) -> None:
    own = tmp_path / "routes.toml"
    own.write_text(ROW, encoding="utf-8")
    routed = route_lead(
        load_lead_routes(own), ground=LeadGround.ADMITS_MINORS, categories=frozenset({BAR}), division="450200"
    )
    assert routed.regulator == "某局"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"000000"', '"0"', r"route\[1\].jurisdiction"),
        ('["admits_minors"]', '["admits"]', r"route\[1\].grounds.*admits_minors"),
        ('["bar"]', "[]", r"route\[1\].venues"),
        ('["某局"]', '["某局", "另一局"]', r"route\[1\].settled"),
        ('["某局"]', "[]", r"route\[1\].regulators"),
        ('source = "本院"', "", r"route\[1\].source"),
        ("[[route]]", "[[routes]]", "routes.*unknown"),
        ("=", ":", "no TOML"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(old: str, new: str, words: str) -> None:
    assert len(read_lead_routes(ROW)) == 1
    with pytest.raises(RouteError, match=words):
        read_lead_routes(ROW.replace(old, new, 1))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RouteError, match=r"none\.toml"):
        load_lead_routes(tmp_path / "none.toml")


def test_each_regulator_has_its_own_lead_with_its_own_facts() -> None:
    """A KTV that sells tobacco: too near as both, the one for culture, the other for the tobacco bureau."""
    as_ktv = replace(RULE, rule_id="ktv", venue_categories=frozenset({KTV}), text_zh="KTV")
    venue = shop(0.0, 43.0, categories=frozenset({KTV, TOBACCO}))
    proposals = distance_leads(findings(venue, SITE, as_ktv, RULE))
    leads = leads_by_regulator(ROUTES, proposals, divisions={"shop": "110114"})
    assert [(routed.regulator, set(lead.categories)) for lead, routed in leads] == [
        ("文化和旅游主管部门", {KTV}), ("烟草专卖行政主管部门", {TOBACCO}),
    ]  # fmt: skip
    assert [("作为KTV" in lead.facts[0], len(lead.facts)) for lead, _ in leads] == [(True, 1), (False, 1)]
    assert len({lead.key for lead, _ in leads}) == 2
    (alone,) = leads_by_regulator(ROUTES, distance_leads(found(43.0, RULE)), divisions={"shop": "110114"})
    assert alone[0].key == leads[1][0].key


def test_what_nobody_is_competent_for_and_what_goes_to_one_regulator_is_one_lead() -> None:
    held = frozenset({BAR, VenueCategory.LOTTERY, KTV, VenueCategory.INTERNET_CAFE})
    rule = replace(RULE, venue_categories=held)
    venue = shop(0.0, 43.0, categories=held)
    leads = leads_by_regulator(ROUTES, distance_leads(findings(venue, SITE, rule)), divisions={"shop": "110114"})
    assert sorted((routed.regulator or "", sorted(lead.categories)) for lead, routed in leads) == [
        ("", ["bar", "lottery"]), ("文化和旅游主管部门", ["internet_cafe", "ktv"]),
    ]  # fmt: skip
    assert all(len(lead.facts) == 1 for lead, _ in leads)
