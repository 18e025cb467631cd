"""Resolving the register: what is certain is merged, the doubtful is asked, and what people said stands."""

from datetime import timedelta

import pytest
from shapely import Point
from sqlalchemy import Engine, text

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.ids import new_id
from api.register import resolve
from api.venue_desk import confirm_review, split_venue, undo_link
from api.venue_details import registers_shown
from geo.datum import Datum
from geo.shapes import Area
from tests.access.people import an_official
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, a_person
from tests.venues.register_scene import LATER, a_record, a_street, put, state
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory
from venues.link_store import OPEN_REVIEWS, load_links
from venues.place import SourceKey
from venues.register import RegisterEntry, entries_of_records
from venues.source_record import SourceKind, SourceRecord, read_source_record

# ---- resolving


def test_resolving_merges_the_certain_asks_the_doubtful_and_does_neither_twice(engine: Engine) -> None:
    street = [
        *a_street(),
        a_record("police", 3, kind=SourceKind.POLICE, at_m=70, name="夜色", category=VenueCategory.BAR),
    ]
    with engine.begin() as connection:
        a_person(connection)
        put(connection, street)
        official = an_official(connection, "wang", AccountRole.POLICE)
    seen: list[tuple[int, int]] = []
    done = resolve(engine, at=LATER, progress=lambda part, parts: seen.append((part, parts)))
    assert (done.record_count, done.merged_count) == (6, 2)
    assert seen == [(part, len(seen)) for part in range(1, len(seen) + 1)]
    assert len(seen) > 2, "the saving is the last part"
    assert done.venue_count == 4
    with engine.connect() as connection:
        links, first = load_links(connection), state(connection)
        assert len({links.venue_of(street[row].record_id) for row in (0, 1, 2)}) == 1
        assert len(first["questions"]) == done.asked_count
    again = resolve(engine, at=LATER + timedelta(hours=1))
    assert again.merged_count == 0
    with engine.begin() as connection:
        assert state(connection)["questions"] == first["questions"]
        (merge, *_) = links.merged.values()
    with as_account(engine, official.account_id) as connection:
        split_venue(connection, merge.kept, merge_id=merge.merge_id, by=official.account_id, reason="两家")
    again = resolve(engine, at=LATER + timedelta(hours=2))
    assert not together(engine, *(record for record in street if record.record_id in merge.records))
    assert again.merged_count == 1, "the third, that had come with the one that left, goes where it belongs"
    assert resolve(engine, at=LATER + timedelta(hours=3)).merged_count == 0


def test_that_a_register_has_no_place_twice_is_said_once_and_can_be_taken_back(engine: Engine) -> None:
    twice = [a_record("amap", number, kind=SourceKind.POI, name="星光KTV", at_m=2 * number) for number in (1, 2)]
    with engine.begin() as connection:
        put(connection, twice)
    assert resolve(engine, at=LATER, no_doubles=["amap"], by="cli:wang").asked_count == 0
    assert resolve(engine, at=LATER).asked_count == 0, "said once and for all"
    with engine.connect() as connection:
        (shown,) = registers_shown(connection)
    assert (shown["source"], shown["record_count"], shown["has_no_doubles"], shown["said_by"]) == (
        "amap", 2, True, "cli:wang",
    )  # fmt: skip
    with pytest.raises(ValueError, match="amap"):
        resolve(engine, at=LATER, no_doubles=["amap"], doubles=["amap"])
    with pytest.raises(LookupError, match="baidu"):
        resolve(engine, at=LATER, doubles=["baidu"])
    assert resolve(engine, at=LATER, doubles=["amap"]).asked_count == 1


def test_a_question_whose_numbers_changed_is_asked_anew_in_place_of_the_old_one(engine: Engine) -> None:
    """More records on the street change how likely any two are one place, and so every open question."""
    asked = a_record("police", 3, kind=SourceKind.POLICE, at_m=70, name="夜色", category=VenueCategory.BAR)
    with engine.begin() as connection:
        put(connection, [*a_street(), asked])
    assert resolve(engine, at=LATER).asked_count == 1
    with engine.begin() as connection:
        (before,) = connection.execute(text(_QUESTIONS)).all()
        more = [a_record("map", 100 + n, at_m=200 + 20 * n, name=f"店铺{n}号", category=VenueCategory.BAR)
                for n in range(12)]  # fmt: skip
        put(connection, more, at=LATER)
    assert resolve(engine, at=LATER + timedelta(hours=1)).asked_count == 1
    with engine.connect() as connection:
        old, new = connection.execute(text(_QUESTIONS)).all()
    assert (old.left_no, old.right_no) == (new.left_no, new.right_no)
    assert old.prior_bits == before.prior_bits != new.prior_bits
    assert (old.superseded_at, new.superseded_at) == (LATER + timedelta(hours=1), None)


_QUESTIONS = "SELECT left_no, right_no, prior_bits, superseded_at FROM venue_review ORDER BY review_no"


def test_a_machines_merge_undone_is_not_made_again_until_the_undoing_is_taken_back(engine: Engine) -> None:
    street = a_street()
    with engine.begin() as connection:
        put(connection, street)
        official = an_official(connection, "wang", AccountRole.POLICE)
    assert resolve(engine, at=LATER).merged_count == 2
    with engine.connect() as connection:
        merge, _ = load_links(connection).merged.values()
    with as_account(engine, official.account_id) as connection:
        assert undo_link(connection, merge.merge_id, by=official.account_id)
    again = resolve(engine, at=LATER + timedelta(days=1))
    assert (again.merged_count, again.asked_count) == (1, 0), "what had come along goes where it belongs"
    assert not together(engine, *(record for record in street if record.record_id in merge.records))
    with engine.connect() as connection:
        query = "SELECT link_id FROM venue_link WHERE kind = 'split' ORDER BY link_no LIMIT 1"
        split = connection.execute(text(query)).scalar_one()
    with as_account(engine, official.account_id) as connection:
        undo_link(connection, split, by=official.account_id)
    with engine.connect() as connection:
        links = load_links(connection)
        assert links.venue_of(merge.records[0]) == links.venue_of(merge.records[1])
        assert not links.refused


def test_the_county_of_a_place_without_one_in_its_address_is_that_of_the_boundary_around_it(engine: Engine) -> None:
    """Nothing else tells that the shop on the map is not the one of that road and number of another county."""
    told = a_record("police", 1, kind=SourceKind.POLICE, at_m=None, name="老地方KTV", address="徐州市沛县人民路28号")
    street = [
        a_record("map", 10 + n, at_m=-400 * n, name=f"{chr(0x4E00 + 7 * n)}{chr(0x5E00 + 11 * n)}KTV")
        for n in range(60)
    ]
    with engine.begin() as connection:
        put(connection, [told, a_record("map", 1, name="老地方KTV", address="人民路28号"), *street])

    def resolved() -> tuple[int, int]:
        done = resolve(engine, at=LATER)
        with engine.connect() as connection:
            query = f"SELECT count(*) FROM ({OPEN_REVIEWS}) q WHERE doubt = 'unplaced'"
            return done.merged_count, connection.execute(text(query)).scalar_one()

    assert resolved() == (0, 1)
    for code, counts in (("320324", (0, 0)), ("320322", (1, 0))):
        county = ZoneDraft(
            zone_id=new_id(), source="boundary:t", source_id=code, kind=ZoneKind.INCLUSION, origin=ZoneOrigin.BOUNDARY,
            name="合成县", shape=Area(geometry=Point(BAR_LONGITUDE, BAR_LATITUDE).buffer(0.1)),
        )  # fmt: skip
        with engine.begin() as connection:
            connection.execute(text("UPDATE zone SET superseded_at = now() WHERE origin = 'boundary'"))
            save_zones(connection, [county], at=LATER)
        assert resolved() == counts


def test_a_new_version_of_a_refused_record_is_still_refused(engine: Engine) -> None:
    one, other = (a_record("map", 1, name="星光KTV", phone="13800000101"),
                  a_record("police", 1, kind=SourceKind.POLICE, name="星光KTV", phone="13800000101"))  # fmt: skip
    with engine.begin() as connection:
        put(connection, [one, other])
        official = an_official(connection, "wang", AccountRole.POLICE)
    assert resolve(engine, at=LATER).merged_count == 1
    with engine.connect() as connection:
        (merge,) = load_links(connection).merged.values()
    with as_account(engine, official.account_id) as connection:
        split_venue(connection, merge.kept, merge_id=merge.merge_id, by=official.account_id, reason="两家")
    with engine.begin() as connection:
        put(connection, [a_record("map", 1, name="星光KTV", phone="13800000101", address="和平路28号")], at=LATER)
    done = resolve(engine, at=LATER)
    assert (done.merged_count, done.asked_count) == (0, 0)


def test_what_an_officer_confirmed_stays_one_and_is_never_asked_again(engine: Engine) -> None:
    """Two floors, so that the machine would not merge them."""
    first, second = (
        a_record("map", 1, name="星光KTV", phone="13800000101", address="和平路28号3层"),
        on_floor(5),
    )
    with engine.begin() as connection:
        put(connection, [first, second])
        official = an_official(connection, "wang", AccountRole.POLICE)
    assert resolve(engine, at=LATER).asked_count == 1
    with engine.connect() as connection:
        review_id = connection.execute(text(f"SELECT review_id FROM ({OPEN_REVIEWS}) q")).scalar_one()
    with as_account(engine, official.account_id) as connection:
        confirm_review(connection, review_id, by=official.account_id)
    with engine.begin() as connection:
        put(connection, [on_floor(6)], at=LATER)
    assert together(engine, first, second)
    done = resolve(engine, at=LATER)
    assert (done.merged_count, done.asked_count) == (0, 0)
    with engine.connect() as connection:
        (merge,) = load_links(connection).merged.values()
    with as_account(engine, official.account_id) as connection:
        undo_link(connection, merge.merge_id, by=official.account_id)
    with engine.connect() as connection:
        assert load_links(connection).confirmed == {}
    assert resolve(engine, at=LATER).asked_count == 1, "what a person takes back is open again"


def on_floor(floor: int) -> SourceRecord:
    address = f"和平路28号{floor}层"
    return a_record("police", 1, kind=SourceKind.POLICE, name="星光KTV", phone="13800000101", address=address)


def together(engine: Engine, *records: SourceRecord) -> bool:
    with engine.connect() as connection:
        links = load_links(connection)
    return len({links.venue_of(record.record_id) for record in records}) == 1


def test_an_entry_without_a_usable_outline_stands_at_its_point() -> None:
    bow = "POLYGON ((117.18 34.26, 117.19 34.27, 117.19 34.26, 117.18 34.27, 117.18 34.26))"
    sent, key = {"name": "合成", "geometry": bow, "datum": "GCJ02"}, SourceKey(source="map", source_id="1")
    record, _ = read_source_record(sent, key=key, kind=SourceKind.POI, longitude=117.185, latitude=34.265)
    (entry,) = entries_of_records([record])
    assert entry.geometry == Point(117.185, 34.265)
    assert entry.datum is Datum.GCJ02
    assert entry == RegisterEntry(
        record=record, geometry=entry.geometry, raw_geometry=entry.raw_geometry, datum=entry.datum
    )
