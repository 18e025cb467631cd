"""The law as data: every row of the matrix is shipped, a file that cannot be right is refused with what to mend."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.golden_files import assert_golden
from tests.venues.distance_law_page import law_page
from tests.venues.distance_scene import RULE, law
from venues.category import SiteCategory, VenueCategory
from venues.distance_law import DistanceLawError, read_distance_law
from venues.distance_rule import Metric, RuleStatus, SiteEnd, VenueEnd, covers, locality
from venues.gateway_distance_law import SHIPPED, load_distance_law

LAW = load_distance_law()
RULES = {rule.rule_id: rule for rule in LAW.rules}

GOOD = """
[[rule]]
id = "ours"
jurisdiction = "320312"
venues = ["tobacco"]
sites = ["primary_school"]
threshold_m = 100
inclusive = true
site_end = "all_gates"
venue_end = "unstated"
metric = "straight"
from = 2024-01-01
applies_to = "new"
grandfather = "until_expiry"
later_site_exempt = false
status = "in_force"
document = "某办法"
text_zh = "一百米以内"
source = "公报"
verification = "office"
"""


def test_the_shipped_law_holds_every_row_of_the_matrix() -> None:
    """reference/domain.md 2.3: place, metres, method."""
    rows = {
        ("000000", 200.0, SiteEnd.BOUNDARY, Metric.STRAIGHT),
        ("440000", 200.0, SiteEnd.ALL_GATES, Metric.WALKING),
        ("440000", 100.0, SiteEnd.ALL_GATES, Metric.WALKING),
        ("321300", 200.0, SiteEnd.ALL_GATES, Metric.STRAIGHT),
        ("321300", 100.0, SiteEnd.ALL_GATES, Metric.STRAIGHT),
        ("120000", 200.0, SiteEnd.ALL_GATES, Metric.WALKING),
        ("110000", 200.0, None, None),
        ("110000", 100.0, None, None),
        ("110114", 100.0, SiteEnd.ALL_GATES, Metric.WALKING),
        ("110000", 100.0, SiteEnd.STUDENT_GATES, Metric.WALKING),
        ("469006", 80.0, SiteEnd.STUDENT_GATES, Metric.WALKING),
        ("420100", 50.0, SiteEnd.ALL_GATES, None),
        ("310000", 200.0, None, None),
        ("330000", 200.0, None, None),
        ("410000", 200.0, None, None),
        ("370800", 200.0, None, None),
        ("370300", 200.0, None, None),
    }
    shipped = {(rule.jurisdiction, rule.threshold_m, rule.site_end, rule.metric) for rule in LAW.rules}
    assert shipped == rows
    drafts = {rule.rule_id for rule in LAW.rules if rule.status is RuleStatus.DRAFT}
    assert drafts == {"beijing-welfare-lottery-draft-2025", "wanning-tobacco-draft-2021"}
    assert {gap.jurisdiction for gap in LAW.gaps} == {"000000", "310000", "430000", "520000", "320000", "370000"}


@pytest.mark.golden
def test_the_page_for_lawyers_is_what_is_shipped() -> None:
    assert_golden("../../docs/distance-law.md", law_page(LAW))


def test_the_national_rule_is_about_schools_and_no_kindergarten() -> None:
    national = RULES["national-internet-cafe-2003"]
    assert national.venue_categories == {VenueCategory.INTERNET_CAFE}
    assert SiteCategory.KINDERGARTEN not in national.site_categories
    assert [reading.venue_end for reading in national.readings] == [VenueEnd.FOOTPRINT, VenueEnd.DOOR]


def test_rules_of_a_place_are_those_of_the_nation_its_province_city_and_county() -> None:
    assert [covers(code, "110114") for code in ("000000", "110000", "110100", "110114", "110115", "120000")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip
    assert [locality(code) for code in ("000000", "110000", "321300", "110114")] == [0, 1, 2, 3]
    assert [gap.jurisdiction for gap in LAW.gaps_of("430281")] == ["000000", "430000"]


def test_no_rule_binds_a_day_before_it_was_written() -> None:
    """Eleven of them did: a day that nobody verified counted as since ever."""
    assert LAW.in_force(date(1990, 1, 1)) == ()
    assert {rule.rule_id for rule in LAW.in_force(date(2015, 12, 31))} == {
        "national-internet-cafe-2003", "henan-venues-2010",
    }  # fmt: skip
    for rule in LAW.rules:
        first, last = rule.first_days
        assert first <= last
        if rule.status is RuleStatus.IN_FORCE:
            assert first.year >= 2002
            assert rule.is_surely_begun(date(2026, 11, 22))
            assert not rule.is_in_force(date.fromordinal(first.toordinal() - 1))
            assert rule.is_in_force(first)
            assert rule.is_surely_begun(first) == (first == last)


def test_days_between_which_a_rule_began_are_days_of_change() -> None:
    rule = replace(RULE, effective_from=None, from_earliest=date(2026, 3, 1), from_latest=date(2026, 9, 1))
    days = law(rule).days_of_change(since=date(2026, 1, 1), until=date(2026, 12, 31))
    assert days == (date(2026, 3, 1), date(2026, 9, 1))


def test_the_winner_comes_last() -> None:
    local = replace(RULE, rule_id="local", jurisdiction="320312", effective_from=date(2019, 1, 1))
    later = replace(RULE, rule_id="a", effective_from=date(2025, 1, 1))
    assert [rule.rule_id for rule in law(local, later, RULE).rules] == [RULE.rule_id, "a", "local"]


def test_days_of_change_are_when_rules_begin_and_after_they_end() -> None:
    old = replace(RULE, rule_id="old", effective_to=date(2026, 6, 30))
    new = replace(RULE, rule_id="new", effective_from=date(2026, 7, 1))
    book = law(old, new)
    assert book.days_of_change(since=date(2026, 1, 1), until=date(2026, 12, 31)) == (date(2026, 7, 1),)
    assert book.days_of_change(since=date(2026, 7, 1), until=date(2026, 12, 31)) == ()
    assert [rule.rule_id for rule in book.in_force(date(2026, 6, 30))] == ["old"]
    assert [rule.rule_id for rule in book.in_force(date(2026, 7, 1))] == ["new"]


def test_a_law_to_the_last_day_there_is_ends_on_no_day_that_can_be_evaluated() -> None:
    for_good = replace(RULE, effective_from=date(2026, 7, 1), effective_to=date.max)
    assert law(for_good).days_of_change(since=date(2026, 1, 1), until=date.max) == (date(2026, 7, 1),)
    assert for_good.is_in_force(date.max)


@pytest.mark.parametrize(
    "change",
    [{"threshold_m": 99.0}, {"is_inclusive": False}, {"effective_to": date(2026, 1, 1)}, {"text_zh": "另一种写法"},
     {"venue_categories": frozenset({VenueCategory.BAR})}, {"metric": None}],
)  # fmt: skip
def test_a_version_changes_with_any_column(change: dict[str, object]) -> None:
    assert replace(RULE, **change).rule_version != RULE.rule_version  # type: ignore[arg-type]
    assert replace(RULE).rule_version == RULE.rule_version


def test_an_office_adds_rules_and_replaces_shipped_ones(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(GOOD + GOOD.replace('"ours"', '"wuhan-tobacco-2019"'), encoding="utf-8")
    whole = load_distance_law(own)
    assert len(whole.rules) == len(LAW.rules) + 1
    assert {rule.rule_id: rule.threshold_m for rule in whole.rules}["wuhan-tobacco-2019"] == 100.0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"tobacco"', '"tobaco"', "ours.venues.*tobaco.*is none of"),
        ('["primary_school"]', "[]", "ours.sites.*at least one"),
        ("threshold_m = 100", "threshold_m = 0", "ours.threshold_m.*0"),
        ("threshold_m = 100", "threshold_m = true", "ours.threshold_m.*True"),
        ("inclusive = true", "", "ours.inclusive"),
        ('"all_gates"', '"gates"', "ours.site_end.*unstated"),
        ('"320312"', '"3203"', "ours.jurisdiction.*3203"),
        ("2024-01-01", '"2024"', "ours.from.*2024"),
        ("from = 2024-01-01", "from = 2024-01-01\nto = 2023-01-01", "ours.to.*2023-01-01"),
        ("from = 2024-01-01", "", "ours.from.*from_earliest and from_latest"),
        ("from = 2024-01-01", "from_earliest = 2024-01-01", "ours.from.*from_earliest and from_latest"),
        ("from = 2024-01-01", "from = 2024-01-01\nfrom_latest = 2024-02-01", "ours.from.*leave out"),
        ("from = 2024-01-01", "from_earliest = 2024-01-01\nfrom_latest = 2023-12-31", "ours.from_latest.*2023-12-31"),
        ("from = 2024-01-01", "from_earliest = 2024-01-01\nfrom_latest = 2024-02-01\nto = 2024-01-31",
         "ours.to.*2024-02-01"),
        ('grandfather = "until_expiry"', "", "ours.grandfather"),
        ('"new"', '"all"', "ours.grandfather"),
        ('"straight"', '"on foot"', "ours.metric"),
        ('document = "某办法"', "", "ours.document"),
        ('metric = "straight"', 'metric = "walking"\nmetres = 3', "ours.metres.*unknown key"),
        ('site_end = "all_gates"\nvenue_end = "unstated"\nmetric = "straight"',
         'site_end = "boundary"\nvenue_end = "door"\nmetric = "walking"', "ours.site_end.*on foot"),
        ('"unstated"\nmetric = "straight"', '"footprint"\nmetric = "walking"', "ours.venue_end"),
        ("[[rule]]", "[[rules]]", "rules.*unknown table"),
        ("id = ", "id : ", "no TOML"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_right_is_refused_with_what_to_mend(old: str, new: str, words: str) -> None:
    read_distance_law(GOOD)
    assert old in GOOD
    with pytest.raises(DistanceLawError, match=words):
        read_distance_law(GOOD.replace(old, new, 1))


def test_an_id_twice_is_refused() -> None:
    with pytest.raises(DistanceLawError, match=r"ours.*twice"):
        read_distance_law(GOOD + GOOD)


def test_a_file_that_is_not_there_or_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(DistanceLawError, match=r"none\.toml"):
        load_distance_law(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[[rule]]", encoding="utf-8")
    with pytest.raises(DistanceLawError, match=r"bad\.toml.*id"):
        load_distance_law(tmp_path / "bad.toml")
    assert SHIPPED.exists()
