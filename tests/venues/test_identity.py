"""What the machine merges, what it asks, and what it leaves apart: on pairs that a test scored by hand."""

from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.divisions import read_division
from venues.identity import DOUBT_TEXTS, Doubt, IdentityPlan, plan_identity
from venues.identity_model import FIELDS, Level
from venues.scored_pairs import UNKNOWN_LEVEL, ScoredPairs
from venues.traits import Traits

BRANCH = [field.name for field in FIELDS].index("branch")


def traits(number: int, *, source: str = "map", **known: Any) -> Traits:
    """Of a record at one spot, if nothing else is said."""
    plain = Traits(
        record_id=UUID(int=number),
        source=source,
        full_name="星光KTV",
        core_name="星光",
        longitude=117.18,
        latitude=34.26,
    )
    return replace(plain, **known)


def scored(records: list[Traits], *pairs: tuple[int, int, float], branch_level: int = UNKNOWN_LEVEL) -> ScoredPairs:
    """Pairs of rows with their probability, which the name alone is made to give."""
    ordered = sorted(pairs, key=lambda pair: -pair[2])
    level = np.full((len(ordered), len(FIELDS)), UNKNOWN_LEVEL, dtype=np.int8)
    level[:, BRANCH] = branch_level
    bits = np.zeros((len(ordered), len(FIELDS)))
    probability = np.array([pair[2] for pair in ordered], dtype=np.float64)
    bits[:, 0] = np.log2(probability / (1.0 - probability))
    return ScoredPairs(
        record_ids=tuple(record.record_id for record in records),
        left=np.array([pair[0] for pair in ordered], dtype=np.int64),
        right=np.array([pair[1] for pair in ordered], dtype=np.int64),
        probability=probability,
        prior_bits=0.0,
        level=level,
        bits=bits,
    )


def rows(plan: IdentityPlan) -> tuple[list[tuple[int, int]], list[tuple[int, int, Doubt]]]:
    return (
        [(each.left.int, each.right.int) for each in plan.merges],
        [(each.left.int, each.right.int, each.doubt) for each in plan.queue],
    )


def test_it_merges_from_99_asks_from_50_and_leaves_the_rest() -> None:
    records = [traits(number) for number in range(6)]
    plan = plan_identity(scored(records, (0, 1, 0.99), (2, 3, 0.98), (4, 5, 0.49)), records)
    assert rows(plan) == ([(0, 1)], [(2, 3, Doubt.UNSURE)])


@pytest.mark.parametrize("field", ["uscc", "tobacco_licence", "culture_licence"])
def test_another_licence_number_of_one_kind_is_asked_however_likely(field: str) -> None:
    records = [traits(0, **{field: "1"}), traits(1, **{field: "2"}), traits(2)]
    plan = plan_identity(scored(records, (0, 1, 0.9999), (0, 2, 0.999), (1, 2, 0.995)), records)
    assert rows(plan) == ([(0, 2)], [(0, 1, Doubt.LICENCE)]), "nor does it come about through a third"


def test_a_neighbour_of_a_venue_with_another_licence_is_not_asked_about() -> None:
    records = [traits(0, uscc="1"), traits(1), traits(2, uscc="2")]
    assert rows(plan_identity(scored(records, (0, 1, 0.999), (1, 2, 0.7)), records)) == ([(0, 1)], [])
    plan = plan_identity(scored(records, (0, 1, 0.999), (0, 2, 0.7)), records)
    assert rows(plan) == ([(0, 1)], [(0, 2, Doubt.LICENCE)]), (
        "but two whose own numbers differ, likely as they are, are"
    )


def test_licences_of_two_kinds_do_not_conflict() -> None:
    records = [traits(0, uscc="1"), traits(1, tobacco_licence="2")]
    assert rows(plan_identity(scored(records, (0, 1, 0.995)), records))[0] == [(0, 1)]


def test_a_duplicate_free_register_gives_a_venue_one_record_at_most() -> None:
    records = [traits(0, source="tobacco"), traits(1, source="map"), traits(2, source="tobacco")]
    pairs = scored(records, (0, 1, 0.9999), (1, 2, 0.991))
    assert rows(plan_identity(pairs, records)) == ([(0, 1), (1, 2)], [])
    plan = plan_identity(pairs, records, duplicate_free=["tobacco"])
    assert rows(plan) == ([(0, 1)], [(1, 2, Doubt.ONE_REGISTER)])


def test_two_that_fit_equally_well_are_asked() -> None:
    records = [traits(0, source="tobacco"), traits(1, source="map"), traits(2, source="tobacco")]
    plan = plan_identity(scored(records, (0, 1, 0.995), (1, 2, 0.994)), records, duplicate_free=["tobacco"])
    assert rows(plan) == ([], [(0, 1, Doubt.RIVAL), (1, 2, Doubt.RIVAL)])


def test_floor_unit_and_branch_keep_two_apart_until_somebody_looks() -> None:
    records = [traits(0, floor=3), traits(1, floor=5), traits(2)]
    plan = plan_identity(scored(records, (0, 2, 0.999), (0, 1, 0.998), (1, 2, 0.997)), records)
    assert rows(plan) == ([(0, 2)], [(0, 1, Doubt.DOOR)]), "the floor of a venue is that of any of its records"
    plain = [traits(0), traits(1)]
    differs = len(FIELDS[BRANCH].levels) - 1
    assert rows(plan_identity(scored(plain, (0, 1, 0.999), branch_level=differs), plain))[1] == [(0, 1, Doubt.BRANCH)]


NOWHERE: dict[str, Any] = {"longitude": None, "latitude": None}


def test_two_that_lie_far_apart_are_asked_however_likely() -> None:
    away: dict[str, Any] = {"longitude": 117.18 + 1100 / 92_000}
    for records in (
        [traits(0), traits(1, **away)],
        [traits(0, division=read_division("徐州市沛县"), **NOWHERE), traits(1, division=read_division("睢宁县"))],
    ):
        assert rows(plan_identity(scored(records, (0, 1, 0.9999)), records)) == ([], [(0, 1, Doubt.FAR)])
    chain = [traits(0), traits(1, longitude=117.18 + 900 / 92_000), traits(2, longitude=117.18 + 1800 / 92_000)]
    plan = plan_identity(scored(chain, (0, 1, 0.9999), (1, 2, 0.999), (0, 2, 0.995)), chain)
    assert rows(plan) == ([(0, 1), (1, 2)], []), "near one record of a venue is near"


def test_what_is_not_known_to_be_in_one_county_is_asked_unless_a_number_ties_it() -> None:
    told = traits(1, division=read_division("徐州市沛县安国镇"), **NOWHERE)
    records = [traits(0), told]
    assert rows(plan_identity(scored(records, (0, 1, 0.9999)), records)) == ([], [(0, 1, Doubt.UNPLACED)])
    tied = scored(records, (0, 1, 0.9999))
    tied.level[0, [field.name for field in FIELDS].index("uscc")] = 0
    assert rows(plan_identity(tied, records)) == ([(0, 1)], [])
    county = [traits(0, division=read_division("沛县")), told]
    assert rows(plan_identity(scored(county, (0, 1, 0.9999)), county)) == ([(0, 1)], [])
    city = [traits(0, division=read_division("徐州市")), told]
    assert rows(plan_identity(scored(city, (0, 1, 0.9999)), city)) == ([], [(0, 1, Doubt.UNPLACED)])


def test_one_business_after_another_is_two_venues_and_no_question() -> None:
    former = traits(0, uscc="1", valid_from=date(2019, 1, 1), valid_to=date(2022, 12, 31))
    later = traits(1, uscc="2", valid_from=date(2023, 5, 1))
    plan = plan_identity(scored([later, former], (0, 1, 0.999)), [later, former])
    assert rows(plan) == ([], [])
    assert [(each.earlier.int, each.later.int) for each in plan.successions] == [(0, 1)]


def test_what_a_person_refused_comes_together_in_no_way_and_is_not_asked_again() -> None:
    records = [traits(number) for number in range(3)]
    pairs = scored(records, (0, 1, 0.999), (0, 2, 0.998), (1, 2, 0.6))
    refused = [(records[0].record_id, records[1].record_id)]
    assert rows(plan_identity(pairs, records, refused=refused)) == ([(0, 2)], [])


def test_what_a_person_confirmed_is_one_venue_and_is_not_asked_whatever_speaks_against_it() -> None:
    records = [traits(0, uscc="1", floor=3), traits(1, uscc="2", floor=5), traits(2)]
    confirmed = [(records[1].record_id, records[0].record_id), (records[0].record_id, UUID(int=99))]
    pairs = scored(records, (0, 1, 0.9), (1, 2, 0.995))
    assert rows(plan_identity(pairs, records))[1] == [(0, 1, Doubt.LICENCE)]
    assert rows(plan_identity(pairs, records, confirmed=confirmed)) == ([(0, 1), (1, 2)], [])
    assert rows(plan_identity(scored(records), records, confirmed=confirmed)) == ([(0, 1)], []), "not even likely"
    refused = [(records[2].record_id, records[0].record_id)]
    plan = plan_identity(pairs, records, confirmed=[(records[1].record_id, records[2].record_id)], refused=refused)
    assert rows(plan) == ([(1, 2)], []), "what a person said of others of the two venues holds as well"


def test_what_is_one_venue_already_is_not_proposed_again() -> None:
    records = [traits(number) for number in range(3)]
    one = {records[0].record_id: UUID(int=50), records[1].record_id: UUID(int=50)}
    plan = plan_identity(scored(records, (0, 1, 0.999), (1, 2, 0.7), (0, 2, 0.6)), records, venue_of=one)
    assert rows(plan) == ([], [(1, 2, Doubt.UNSURE)]), "and two venues are asked about once"


def test_other_records_than_those_scored_are_refused() -> None:
    records = [traits(0), traits(1)]
    with pytest.raises(ValueError, match="same order"):
        plan_identity(scored(records, (0, 1, 0.9)), records[::-1])


def test_every_doubt_is_told_in_both_languages() -> None:
    assert set(DOUBT_TEXTS) == set(Doubt)
    assert all(chinese and english for chinese, english in DOUBT_TEXTS.values())


def test_the_model_weighs_likeness_up_and_difference_down() -> None:
    for field in FIELDS:
        bits = [level.bits for level in field.levels]
        assert bits[0] > 0.0 > bits[-1], field.name
        assert field.levels[-1].condition == "true"
        assert all(0.0 < level.m <= 1.0 and 0.0 < level.u <= 1.0 for level in field.levels)
    assert Level(condition="", m=0.5, u=0.125, label_zh="", label="").bits == 2.0


sources = st.sampled_from(["map", "tobacco", "registration"])
licences = st.sampled_from(["", "1", "2"])
several = st.lists(st.tuples(sources, licences, st.sampled_from([None, 1, 2])), min_size=2, max_size=7)


@given(several, st.data())
def test_no_venue_ever_breaks_a_rule(several: list[tuple[str, str, int | None]], data: st.DataObject) -> None:
    records = [
        traits(number, source=source, uscc=licence, floor=floor)
        for number, (source, licence, floor) in enumerate(several)
    ]
    couples = list(combinations(range(len(records)), 2))
    likely = data.draw(st.lists(st.floats(0.3, 0.9999), min_size=len(couples), max_size=len(couples)))
    refused = data.draw(st.sets(st.sampled_from(couples), max_size=2))
    pairs = scored(records, *((one, other, p) for (one, other), p in zip(couples, likely, strict=True)))
    plan = plan_identity(
        pairs, records, refused=[{UUID(int=row) for row in couple} for couple in refused], duplicate_free=["tobacco"]
    )
    group = {number: {number} for number in range(len(records))}
    for each in plan.merges:
        assert each.probability >= 0.99
        together = group[each.left.int] | group[each.right.int]
        for row in together:
            group[row] = together
    for together in group.values():
        members = [records[row] for row in together]
        assert sum(member.source == "tobacco" for member in members) <= 1
        if len(members) == 2:
            assert len({member.uscc for member in members} - {""}) <= 1
            assert len({member.floor for member in members} - {None}) <= 1
        assert not any(set(couple) <= together for couple in refused)
    for item in plan.queue:
        assert item.probability >= 0.5
        assert group[item.left.int] is not group[item.right.int]
