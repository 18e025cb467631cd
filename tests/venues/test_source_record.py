"""Source records: known by their content, strict about the register's own number, lenient and loud about others."""

from dataclasses import FrozenInstanceError
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.category import VenueCategory
from venues.licence import LicenceError
from venues.place import SourceKey
from venues.source_record import SourceKind, SourceRecord, read_source_record
from venues.traits import traits_of

KEY = SourceKey(source="registration", source_id="7")
ROW = {
    "name": "徐州市云龙区星光娱乐有限公司",
    "uscc": "91350100M000100Y43",
    "address": "和平路28号3层305室",
    "phone": "13800000101；400-812-3456",
    "valid_from": "2021-03-01",
}


def read(row: dict[str, str], *, kind: SourceKind = SourceKind.BUSINESS_REGISTRATION) -> SourceRecord:
    return read_source_record(row, key=KEY, kind=kind, longitude=117.18, latitude=34.26, category=VenueCategory.KTV)[0]


def test_a_row_is_read_with_its_numbers_in_one_spelling() -> None:
    record = read(ROW)
    assert (record.uscc, record.phones) == ("91350100M000100Y43", ("+8613800000101", "+864008123456"))
    assert (record.valid_from, record.valid_to, record.set_aside) == (date(2021, 3, 1), None, ())
    traits = traits_of(record)
    assert (traits.core_name, traits.road, traits.number, traits.floor, traits.unit) == (
        "星光",
        "和平路",
        "28",
        3,
        "305",
    )
    assert traits.phones == ("+8613800000101",), "the switchboard of a chain says nothing about one venue"
    assert traits.licences == (("uscc", "91350100M000100Y43"),)


@given(st.permutations(list(ROW.items())))
def test_the_order_of_columns_does_not_matter(items: list[tuple[str, str]]) -> None:
    assert read(dict(items)).record_id == read(ROW).record_id


def test_telephone_numbers_are_no_part_of_what_is_kept_for_good() -> None:
    assert "phone" not in dict(read(ROW).sent)
    other = read(ROW | {"phone": "13800000102"})
    assert (other.record_id, other.phones) == (read(ROW).record_id, ("+8613800000102",))


@given(st.sampled_from(sorted(ROW)), st.text(min_size=1, max_size=3))
def test_any_other_content_is_another_record(field: str, more: str) -> None:
    changed = ROW | {"remark": more} if field != "address" else ROW | {"address": ROW["address"] + more}
    assert read(changed).content_hash != read(ROW).content_hash
    assert read(changed).record_id != read(ROW).record_id


def test_key_and_kind_are_part_of_the_content() -> None:
    other = read_source_record(ROW, key=SourceKey(source="registration", source_id="8"), kind=SourceKind.POI)[0]
    assert other.content_hash not in {read(ROW).content_hash, read(ROW, kind=SourceKind.POI).content_hash}


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        read(ROW).name = "别的"  # type: ignore[misc]
    assert read(ROW).record_id.version == 8


@pytest.mark.parametrize("wrong", ["", "91350100M000100Y44"])
def test_without_its_own_number_a_row_of_a_register_is_no_record(wrong: str) -> None:
    with pytest.raises(LicenceError) as refusal:
        read(ROW | {"uscc": wrong})
    assert refusal.value.field == "uscc"


def test_another_wrong_number_is_set_aside_and_told() -> None:
    row = ROW | {"uscc": "91350100M000100Y44", "phone": "12309; 13800000101"}
    record, problems = read_source_record(row, key=KEY, kind=SourceKind.POI)
    assert [problem.field for problem in problems] == ["uscc", "phone"]
    assert record.set_aside == ("phone", "uscc")
    assert (record.uscc, record.phones) == ("", ("+8613800000101",))
    assert dict(record.sent)["uscc"] == "91350100M000100Y44", "what was sent is kept"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": " "}, "name"), ({"valid_to": "明年"}, "valid_to"), ({"deregistered_on": "后来"}, "deregistered_on")],
)
def test_a_row_without_name_or_a_licence_with_a_wrong_day_is_refused(change: dict[str, str], field: str) -> None:
    with pytest.raises(LicenceError) as refusal:
        read(ROW | change | {"tobacco_licence": "320303100123"}, kind=SourceKind.TOBACCO_LICENCE)
    assert refusal.value.field == field


def test_a_business_with_a_wrong_day_is_there_without_the_day() -> None:
    row = ROW | {"valid_from": "前年", "revoked_on": "2024-02-30"}
    record, problems = read_source_record(row, key=KEY, kind=SourceKind.BUSINESS_REGISTRATION)
    assert (record.valid_from, record.valid_to) == (None, None)
    assert record.set_aside == ("revoked_on", "valid_from")
    assert sorted(problem.value for problem in problems) == ["2024-02-30", "前年"]


@pytest.mark.parametrize(
    ("ends", "last", "ended_on"),
    [
        ({"valid_to": "2028-01-01", "deregistered_on": "2023-05-01"}, date(2023, 5, 1), date(2023, 5, 1)),
        ({"valid_to": "长期", "deregistered_on": "2023-05-01", "revoked_on": "2021-07-09"}, date(2021, 7, 9),
         date(2021, 7, 9)),
        ({"valid_to": "2022-01-01", "deregistered_on": "2023-05-01"}, date(2022, 1, 1), date(2023, 5, 1)),
        ({"valid_to": "2022-01-01"}, date(2022, 1, 1), None),
        ({"valid_to": "长期"}, None, None),
    ],
)  # fmt: skip
def test_a_record_ends_with_whatever_ended_it_first_and_a_business_by_no_mere_expiry(
    ends: dict[str, str], last: date | None, ended_on: date | None
) -> None:
    record = read(ROW | ends)
    assert (record.valid_to, record.ended_on) == (last, ended_on)
    if ended_on is not None:
        assert [record.is_over(day) for day in (ended_on, ended_on + timedelta(days=1))] == [False, True]


def test_one_coordinate_alone_is_refused() -> None:
    with pytest.raises(LicenceError, match="成对"):
        read_source_record(ROW, key=KEY, kind=SourceKind.POI, longitude=117.0)
