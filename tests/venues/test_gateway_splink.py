"""Pairs scored by Splink: explained to the bit, the same in every run, right on a synthetic city and on a real one."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.files.mappings import load_mapping
from api.files.osm import read_osm_objects
from api.files.source_records import read_source_records
from bench.identity import link, scores
from bench.identity_scene import DUPLICATE_FREE, synthetic_scene
from geo.datum import Datum
from tests.files.shared_data import shared_file
from tests.golden_files import assert_golden
from venues.gateway_splink import score_pairs
from venues.identity import DOUBT_TEXTS, Doubt, IdentityPlan, ProposedMerge, QueuedPair, plan_identity
from venues.identity_model import FIELDS
from venues.place import SourceKey
from venues.scored_pairs import ScoredPairs
from venues.source_record import SourceKind, SourceRecord, read_source_record
from venues.traits import Traits, traits_of

LONGITUDE, LATITUDE = 117.18, 34.26
EAST = 1.0 / 92_000.0
"""Degrees of one metre to the east, roughly."""


def record(source: str, number: int, *, kind: SourceKind = SourceKind.POI, at_m: float = 0.0, **cells: str) -> Traits:
    found, _ = read_source_record(
        cells,
        key=SourceKey(source=source, source_id=str(number)),
        kind=kind,
        longitude=LONGITUDE + at_m * EAST,
        latitude=LATITUDE,
    )
    return traits_of(found)


def a_street() -> list[Traits]:
    """One KTV as three registers have it, its neighbours, and two branches of a chain."""
    register = SourceKind.BUSINESS_REGISTRATION
    home, code = "徐州市云龙区和平路28号", "91350100M000100Y43"
    return [
        record(
            "register", 1, kind=register, name="徐州市云龙区星光娱乐有限公司", uscc=code, address=home, category="ktv"
        ),
        record("map", 1, at_m=30, name="星光ＫＴＶ", address="和平路28号3层", phone="13800000101", category="ktv"),
        record("police", 1, at_m=55, name="星光量贩KTV", uscc=code, phone="138 0000 0101", category="ktv"),
        record("map", 2, at_m=25, name="老王烟酒店", address="和平路28号1层", category="tobacco"),
        record("map", 3, at_m=40, name="夜色酒吧", address="和平路30号", category="bar"),
        record("map", 4, at_m=200, name="网鱼网咖(和平路店)", category="internet_cafe"),
        record("police", 4, at_m=620, name="网鱼网咖（云龙万达店）", category="internet_cafe"),
    ]


def probability(pairs: ScoredPairs, one: int, other: int) -> float:
    """Of two rows; 0 if they were not likely enough to be among the pairs."""
    hit = np.flatnonzero((pairs.left == min(one, other)) & (pairs.right == max(one, other)))
    return float(pairs.probability[hit[0]]) if hit.size else 0.0


def test_one_venue_under_three_names_is_found_and_its_neighbours_are_not() -> None:
    street = a_street()
    pairs = score_pairs(street)
    assert min(probability(pairs, *pair) for pair in ((0, 1), (0, 2), (1, 2))) >= 0.99
    for stranger in (3, 4):
        assert all(probability(pairs, each, stranger) < 0.5 for each in (0, 1, 2))
    assert probability(pairs, 5, 6) < 0.5, "two branches of a chain are two venues"


def test_a_waterfall_adds_up_to_the_probability() -> None:
    pairs = score_pairs(a_street(), at_least=0.0)
    assert len(pairs) > 5
    for row in range(len(pairs)):
        waterfall = pairs.waterfall(row)
        assert waterfall.probability == pytest.approx(pairs.probability[row], abs=1e-12)
        for weight in waterfall.weights:
            assert (weight.level == -1) <= (weight.bits == 0.0)
            field = next(field for field in FIELDS if field.name == weight.field)
            if weight.level >= 0 and not field.levels[weight.level].rare_column:
                assert weight.bits == pytest.approx(field.levels[weight.level].bits, abs=1e-9)


@pytest.mark.golden
def test_a_reviewer_reads_why() -> None:
    street = a_street()
    pairs = score_pairs(street)
    lines = []
    for row in range(len(pairs)):
        waterfall = pairs.waterfall(row)
        lines.append(f"{pairs.left[row]} – {pairs.right[row]}: {pairs.probability[row]:.6f}")
        lines.append(f"  {'先验 prior':<40} {waterfall.prior_bits:+6.1f}")
        lines += [f"  {' / '.join(weight.words):<40} {weight.bits:+6.1f}" for weight in waterfall.weights]
    lines += [f"{doubt}: {' / '.join(DOUBT_TEXTS[doubt])}" for doubt in Doubt]
    assert_golden("venues/identity_waterfall.txt", "\n".join(lines) + "\n")


def same(one: ScoredPairs, other: ScoredPairs) -> bool:
    """Whether two answers name the same pairs of ids with the same numbers."""
    return as_ids(one) == as_ids(other)


def as_ids(pairs: ScoredPairs) -> dict[frozenset[UUID], tuple[float, ...]]:
    ids = pairs.record_ids
    return {
        frozenset((ids[left], ids[right])): (round(probability, 12), *np.round(bits, 9).tolist())
        for left, right, probability, bits in zip(
            pairs.left.tolist(), pairs.right.tolist(), pairs.probability.tolist(), pairs.bits, strict=True
        )
    }


@pytest.mark.slow
def test_the_same_records_give_the_same_numbers_in_any_order() -> None:
    scene = synthetic_scene(150, np.random.default_rng(3))
    records = [traits_of(each) for each in scene.records]
    first = score_pairs(records, duplicate_free=DUPLICATE_FREE)
    assert len(first) > 100
    assert same(first, score_pairs(records, duplicate_free=DUPLICATE_FREE))
    assert same(first, score_pairs(records[::-1], duplicate_free=DUPLICATE_FREE))
    for parts in (1, 7):
        in_parts = score_pairs(records, duplicate_free=DUPLICATE_FREE, parts=parts)
        for name in ("left", "right", "probability", "level", "bits"):
            assert getattr(first, name).tobytes() == getattr(in_parts, name).tobytes(), name


@pytest.mark.slow
def test_only_pairs_with_a_new_record_are_scored_and_score_as_before() -> None:
    scene = synthetic_scene(150, np.random.default_rng(4))
    records = [traits_of(each) for each in scene.records]
    whole, new = score_pairs(records), set(range(0, len(records), 7))
    fewer = score_pairs(records, new=new)
    hit = np.isin(whole.left, list(new)) | np.isin(whole.right, list(new))
    ids = whole.record_ids
    expected = {
        frozenset((ids[left], ids[right])) for left, right in zip(whole.left[hit], whole.right[hit], strict=True)
    }
    assert as_ids(fewer) == {pair: numbers for pair, numbers in as_ids(whole).items() if pair in expected}


def test_one_road_and_number_in_two_counties_are_two_places() -> None:
    """There is a 人民路28号 in every county: the machine made one KTV of two a hundred kilometres apart (0.9985)."""
    pei, suining = "徐州市沛县人民路28号", "徐州市睢宁县人民路28号"
    city = [record("map", 10 + n, at_m=-40 * n, name=f"{chr(0x4E00 + 7 * n)}光KTV") for n in range(60)]
    for one, other, far_m in ((pei, suining, None), ("人民路28号", "人民路28号", 100_000.0), (pei, pei, 100_000.0)):
        couple = [
            record("map", 1, name="老地方KTV", address=one, category="ktv"),
            record("police", 1, at_m=far_m or 0.0, name="老地方KTV", address=other, category="ktv"),
        ]
        if far_m is None:
            couple = [replace(each, longitude=None, latitude=None) for each in couple]
        assert probability(score_pairs([*couple, *city]), 0, 1) < 0.5
    near = [replace(each, longitude=LONGITUDE) for each in couple]
    assert probability(score_pairs([*near, *city]), 0, 1) >= 0.99, "of one county and near they are one"


def test_two_records_of_a_duplicate_free_register_are_not_compared() -> None:
    twins = [record("tobacco", number, name="老王烟酒店", at_m=number) for number in range(2)]
    assert len(score_pairs(twins)) == 1
    assert len(score_pairs(twins, duplicate_free=["tobacco"])) == 0


def test_progress_is_told_and_an_id_that_comes_twice_is_refused() -> None:
    told: list[tuple[int, int]] = []
    score_pairs(a_street(), progress=lambda done, parts: told.append((done, parts)))
    assert told == [(part, len(told)) for part in range(1, len(told) + 1)]
    with pytest.raises(ValueError, match="twice"):
        score_pairs([a_street()[0]] * 2)


@pytest.mark.parametrize("count", [0, 1])
def test_of_fewer_than_two_records_there_is_no_pair(count: int) -> None:
    assert len(score_pairs(a_street()[:count])) == 0


def test_records_without_a_position_are_found_by_their_licence() -> None:
    lost = [
        replace(record(name, 1, name=name, uscc="91350100M000100Y43"), longitude=None, latitude=None)
        for name in ("星光娱乐有限公司", "星光KTV")
    ]
    assert probability(score_pairs([*lost, *a_street()]), 0, 1) >= 0.99


odd = st.text("星光'\"\\;%_-（）KTV·\u0000\U00020000", min_size=1, max_size=8)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.lists(odd, min_size=2, max_size=5))
def test_no_name_breaks_the_query(names: list[str]) -> None:
    records = [record("map", number, name=f"店{name}", address=name) for number, name in enumerate(names)]
    assert len(score_pairs(records, at_least=0.0)) == len(names) * (len(names) - 1) // 2


@pytest.mark.slow
def test_a_synthetic_city_is_matched_and_probabilities_mean_what_they_say() -> None:
    scene = synthetic_scene(1500, np.random.default_rng(20261122))
    records = [traits_of(each) for each in scene.records]
    pairs = score_pairs(records, duplicate_free=DUPLICATE_FREE)
    plan = plan_identity(pairs, records, duplicate_free=DUPLICATE_FREE)
    precision, recall = scores(link(records, plan.merges), scene.venue)
    assert precision >= 0.995
    assert recall >= 0.8
    truth = np.array(scene.venue)
    is_one = truth[pairs.left] == truth[pairs.right]
    assert is_one[pairs.probability >= 0.99].mean() >= 0.99
    unsure = (pairs.probability >= 0.5) & (pairs.probability < 0.9)
    assert 0.3 <= is_one[unsure].mean() <= 0.9


# ---- real data


OSM_KEYS = ("amenity", "shop", "tourism", "leisure", "office")
"""Shops, places to eat, hotels and the like, whatever their category: identity does not depend on it."""


def place_record(source: str, source_id: str, longitude: float, latitude: float, **cells: str) -> SourceRecord:
    key = SourceKey(source=source, source_id=source_id)
    return read_source_record(cells, key=key, kind=SourceKind.POI, longitude=longitude, latitude=latitude)[0]


def osm_records(file: str, source: str) -> list[SourceRecord]:
    """What has a name and one of the keys."""
    return [
        place_record(
            source,
            found.reference,
            found.geometry.centroid.x,
            found.geometry.centroid.y,
            name=found.tags["name"],
            address=f"{found.tags.get('addr:street', '')} {found.tags.get('addr:housenumber', '')}",
            category=next(found.tags[key] for key in OSM_KEYS if key in found.tags),
            phone=found.tags.get("phone", ""),
        )
        for found in read_osm_objects(shared_file(file), tag_keys=OSM_KEYS)
        if found.geometry is not None and found.tags.get("name")
    ]


def planned(records: Sequence[SourceRecord]) -> IdentityPlan:
    """The plan for two registers that have no place twice."""
    traits, registers = [traits_of(each) for each in records], {each.key.source for each in records}
    return plan_identity(score_pairs(traits, duplicate_free=registers), traits, duplicate_free=registers)


def against_osm_ids(
    records: Sequence[SourceRecord], pairs: Sequence[ProposedMerge | QueuedPair], persisting: set[str]
) -> tuple[set[str], int]:
    """Persisting ids of pairs that have one id on both sides; how many pairs tear a persisting id from itself."""
    known = {each.record_id: each.key.source_id for each in records}
    couples = [{known[pair.left], known[pair.right]} for pair in pairs]
    right = {name for couple in couples if len(couple) == 1 for name in couple}
    return right & persisting, sum(len(couple) == 2 and bool(couple & persisting) for couple in couples)


@pytest.mark.real
def test_a_quarter_of_beijing_keeps_its_identities_over_six_years() -> None:
    later = [
        replace(each, key=SourceKey(source="osm2026", source_id=each.key.source_id.removeprefix("node/")))
        for each in osm_records("beijing_osm_cau_2026/map.osm", "osm2026")
    ]
    west, south = (min(getattr(each, axis) for each in later) - 0.01 for axis in ("longitude", "latitude"))
    east, north = (max(getattr(each, axis) for each in later) + 0.01 for axis in ("longitude", "latitude"))
    former = []
    with shared_file("beijing_osm_bbbike_2020/venues_west.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            x, y = float(row["lon"]), float(row["lat"])
            if row["name"] and west < x < east and south < y < north:
                former.append(place_record("osm2020", row["osm_id"], x, y, name=row["name"], category=row["type"]))
    persisting = {each.key.source_id for each in former} & {each.key.source_id for each in later}
    assert (len(former), len(later), len(persisting)) == (115, 97, 14)
    records = [*former, *later]
    plan = planned(records)
    kept, wrong = against_osm_ids(records, plan.merges, persisting)
    assert wrong == 0
    assert len(persisting - kept) <= 2, "Subway is 赛百味 now, and KFC 肯德基: no spelling brings that together"


@pytest.mark.real
def test_beijing_west_is_read_whole_and_compared() -> None:
    path = shared_file("beijing_osm_bbbike_2020/venues_west.csv")
    mapping = load_mapping("osm")
    found = read_source_records(path, kind=SourceKind.POI, source="osm", mapping=mapping, datum=Datum.WGS84)
    assert len(found.records) + len(found.rejected) + len(found.ignored_ids) == 2441
    traits = [traits_of(each) for each in found.records]
    plan = plan_identity(score_pairs(traits), traits)
    names = {each.record_id: each.core_name for each in traits}
    for merge in plan.merges:
        one, other = names[merge.left], names[merge.right]
        assert one == other or one.startswith(other) or other.startswith(one), (one, other)
