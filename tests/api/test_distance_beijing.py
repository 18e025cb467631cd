"""Real schools of Beijing through the database: universities are no schools, kindergartens stay apart."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from api.clock import FixedClock
from api.distance import evaluate_register
from api.files.mappings import load_mapping
from api.files.places import read_places
from api.importing import import_venues
from api.placed import load_register
from api.site_import import import_sites
from geo.datum import Datum
from tests.api.distance_register import NOW
from tests.venues.distance_scene import ON
from venues.category import SiteCategory
from venues.gateway_distance_law import load_distance_law, load_lead_routes

HAIDIAN = "110108"
FILES = ("beijing_osm_bbbike_2020/venues_west.csv", "beijing_osm_cau_2026/map.osm", "beijing_osm_bupt_2025/map.osm")

NO_SCHOOLS = (
    "北京体育大学", "首都医科大学", "北京工商大学", "北京城市学院", "国家行政学院", "清华大学五道口金融学院",
    "中国农业大学东校区", "北京邮电大学", "卧龙岗村党校", "中国科学院大学中关村校区",
)  # fmt: skip
"""In the files as university or college, or named as one."""

SCHOOLS = {
    "北京市海淀区职业学校": SiteCategory.VOCATIONAL_SCHOOL,
    "首都师范大学实验小学": SiteCategory.PRIMARY_SCHOOL,
    "师范大学附属中学": SiteCategory.SECONDARY_SCHOOL,
    "清华大学洁华幼儿园": SiteCategory.KINDERGARTEN,
    "中国农业大学东校区幼儿园": SiteCategory.KINDERGARTEN,
    "中国农业大学附属实验小学": SiteCategory.PRIMARY_SCHOOL,
}
"""Schools whose names hold a university's; one of them is mapped as a college."""


def put_beijing(connection: Connection, real_data: Callable[[str], Path]) -> str:
    """All places of the three files; what they say in one text."""
    told = ""
    for name in FILES:
        path = real_data(name)
        found = read_places(path, mapping=load_mapping("osm"), datum=Datum.WGS84)
        import_venues(connection, found, at=NOW)
        import_sites(connection, found, at=NOW)
        told += path.read_text(encoding="utf-8")
    return told


@pytest.mark.real
def test_universities_are_no_schools_and_kindergartens_stay_apart(
    engine: Engine, real_data: Callable[[str], Path]
) -> None:
    with engine.begin() as connection:
        told = put_beijing(connection, real_data)
        placed = load_register(connection, HAIDIAN)
        stored = connection.execute(text("SELECT count(*) FROM site")).scalar_one()
    assert stored == 94, "what the files hold changed: look again"
    by_name = {site.name: site.category for site in placed.sites}
    for name in NO_SCHOOLS:
        assert name in told, f"{name} is not in the files: nothing is shown"
        assert name not in by_name
    assert not [name for name in by_name if name.endswith(("大学", "学院", "党校"))]
    assert {name: by_name[name] for name in SCHOOLS} == SCHOOLS
    kindergartens = [site for site in placed.sites if site.category is SiteCategory.KINDERGARTEN]
    assert len(kindergartens) == 23
    assert not [site.name for site in kindergartens if site.name.endswith(("小学", "中学"))]
    assert not [site.name for site in placed.sites if site not in kindergartens and "幼儿园" in site.name]


@pytest.mark.real
def test_the_shipped_law_over_beijing_finds_each_pair_under_a_rule_of_beijing_or_the_nation(
    engine: Engine, real_data: Callable[[str], Path]
) -> None:
    """Points without gates, doors and papers: most is left to surveys, and no clear breach is made of a guess."""
    law = load_distance_law(None)
    with engine.begin() as connection:
        put_beijing(connection, real_data)
        (run,) = evaluate_register(
            connection,
            law,
            load_lead_routes(),
            on=ON,
            clock=FixedClock(NOW),
            made_by="tests",
            division=HAIDIAN,
            walked=None,
        )
        found = connection.execute(
            text("SELECT verdict, count(*) AS pairs FROM distance_finding GROUP BY verdict ORDER BY verdict")
        ).all()
        rules = set(connection.execute(text("SELECT DISTINCT rule_id FROM distance_finding")).scalars())
        outside = connection.execute(text("SELECT count(*) FROM distance_finding WHERE division <> :code"),
                                     {"code": HAIDIAN}).scalar_one()  # fmt: skip
    in_force = {rule.rule_id: rule.jurisdiction for rule in law.in_force(ON)}
    assert rules
    assert all(in_force[rule][:2] in {"00", "11"} for rule in rules)
    assert outside == 0
    pairs = {row.verdict: row.pairs for row in found}
    assert sum(pairs.values()) == len(run.entries)
    assert pairs.keys() == {"clear", "survey"}
    assert pairs["survey"] > pairs["clear"]
