"""What leads told already is not told again, a new kind of venue is, and a lead goes where its place lies."""

from dataclasses import replace

import pytest

from venues.category import VenueCategory
from venues.gateway_distance_law import load_lead_routes
from venues.lead_pattern import LeadGround, LeadProposal
from venues.lead_route import leads_by_regulator
from venues.lead_told import ToldLead, misplaced, untold

BAR, CAFE, KTV = VenueCategory.BAR, VenueCategory.INTERNET_CAFE, VenueCategory.KTV
HERE = {"shop": "320312"}


def told(*categories: VenueCategory, division: str = "320312", is_ended: bool = True) -> ToldLead:
    return ToldLead(
        lead_no=1, ground=LeadGround.DISTANCE, venue_ids=frozenset({"shop", "former"}), division=division,
        categories=frozenset(categories), is_ended=is_ended,
    )  # fmt: skip


def proposal(*categories: VenueCategory) -> LeadProposal:
    return LeadProposal(
        key="shop", ground=LeadGround.DISTANCE, venue_id="shop", categories=frozenset(categories), is_sure=True,
        facts=("作为网吧",),
    )  # fmt: skip


def test_only_kinds_of_venue_of_which_no_lead_told_yet_are_told() -> None:
    assert untold([proposal(KTV)], [told(KTV)], divisions=HERE) == ()
    (new,) = untold([proposal(KTV, CAFE)], [told(KTV)], divisions=HERE)
    assert new.categories == {CAFE}
    # By two leads together all was told, by neither alone.
    assert untold([proposal(KTV, CAFE)], [told(KTV), told(CAFE)], divisions=HERE) == ()
    assert untold([proposal(KTV)], [replace(told(KTV), ground=LeadGround.UNLICENSED)], divisions=HERE)
    assert untold([proposal(KTV)], [replace(told(KTV), venue_ids=frozenset({"other"}))], divisions=HERE)


@pytest.mark.parametrize(
    ("division", "is_ended", "is_new"),
    [("320303", True, True), ("320303", False, False), ("320300", True, False), ("000000", True, False)],
)
def test_what_another_county_ended_is_new_to_the_right_one(division: str, is_ended: bool, is_new: bool) -> None:
    known = told(KTV, division=division, is_ended=is_ended)
    assert bool(untold([proposal(KTV)], [known], divisions=HERE)) is is_new


def test_a_lead_that_is_not_ended_goes_where_its_place_lies() -> None:
    astray = told(KTV, division="320303", is_ended=False)
    assert misplaced([astray], divisions=HERE) == ((astray, "320312"),)
    assert misplaced([replace(astray, is_ended=True)], divisions=HERE) == ()
    assert misplaced([replace(astray, division="320312")], divisions=HERE) == ()
    assert misplaced([astray], divisions={"elsewhere": "320312"}) == ()
    assert misplaced([replace(astray, division="320300")], divisions=HERE) != (), "it is known to lie in a county of it"


def test_a_run_that_knows_only_the_city_takes_no_lead_from_its_county() -> None:
    known = told(KTV, division="320312", is_ended=False)
    assert misplaced([known], divisions=dict.fromkeys(known.venue_ids, "320300")) == ()
    assert misplaced([known], divisions=dict.fromkeys(known.venue_ids, "320303")) != ()


def test_a_lead_about_another_kind_of_venue_or_another_county_has_another_key() -> None:
    keys = [
        leads_by_regulator(load_lead_routes(), [proposal(*kinds)], divisions={"shop": division})[0][0].key
        for kinds, division in (((KTV,), "320312"), ((CAFE,), "320312"), ((KTV, CAFE), "320312"), ((KTV,), "320303"))
    ]
    assert len(set(keys)) == 4
    (again, _) = leads_by_regulator(load_lead_routes(), [proposal(CAFE, KTV)], divisions=HERE)[0]
    assert again.key == keys[2]
