"""The register in the database: nothing is doubled, a merge and its split leave nothing behind, no zone is lost."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from shapely import Point
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.ids import new_id
from api.importing import ImportReport, WithdrawalRefusedError, import_entries
from api.personal.blind_index import venue_phone_index
from api.register import resolve
from api.venue_desk import confirm_review, undo_link
from bench.identity_scene import synthetic_scene
from bench.register import placed
from geo.datum import Datum
from geo.shapes import Area
from tests.access.people import an_official
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING, KEYRING, a_person
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory
from venues.link_store import OPEN_REVIEWS, decide, load_events, load_links, load_merge, save_merges
from venues.links import Confirmed, Merged, Refused, Split, follow, merge_events, take_apart
from venues.place import IncidentKind, Rejected, SourceKey, VenueIncident
from venues.register import RegisterEntry, entries_of_records
from venues.register_store import load_current_records
from venues.source_record import SourceKind, SourceRecord, read_source_record
from venues.store import load_incidents, load_venues, save_incidents

EAST = 1.0 / 92_000.0
LATER = EVENING + timedelta(hours=1)


def a_record(
    source: str,
    number: int,
    *,
    kind: SourceKind = SourceKind.POI,
    category: VenueCategory | None = VenueCategory.KTV,
    at_m: float | None = 0.0,
    **cells: str,
) -> SourceRecord:
    """A record at so many metres east of the bar; without position for ``None``."""
    place: dict[str, Any] = {}
    if at_m is not None:
        longitude, latitude = BAR_LONGITUDE + at_m * EAST, BAR_LATITUDE
        place = {"longitude": longitude, "latitude": latitude}
        cells |= {"longitude": repr(longitude), "latitude": repr(latitude), "datum": "WGS84"}
    key = SourceKey(source=source, source_id=str(number))
    record, problems = read_source_record(cells, key=key, kind=kind, category=category, **place)
    assert not problems
    return record


def a_street() -> list[SourceRecord]:
    """One KTV as three registers have it, its neighbours, and a bar whose map entry has a name quite like it."""
    register = SourceKind.BUSINESS_REGISTRATION
    home, code = "徐州市云龙区和平路28号", "91350100M000100Y43"
    return [
        a_record("register", 1, kind=register, name="徐州市云龙区星光娱乐有限公司", uscc=code, address=home, at_m=None),
        a_record("map", 1, at_m=30, name="星光ＫＴＶ", address="和平路28号3层", phone="13800000101"),
        a_record("police", 1, kind=SourceKind.POLICE, at_m=55, name="星光量贩KTV", uscc=code, phone="138 0000 0101"),
        a_record("map", 2, at_m=25, name="老王烟酒店", address="和平路28号1层", category=VenueCategory.TOBACCO),
        a_record("map", 3, at_m=40, name="夜色酒吧", address="和平路30号", category=VenueCategory.BAR),
    ]


def put(
    connection: Connection, records: Sequence[SourceRecord], *, at: datetime = EVENING, **more: Any
) -> ImportReport:
    options: dict[str, Any] = {"rejected": (), "index_phone": index_phone} | more
    return import_entries(connection, entries_of_records(records), ignored_count=0, at=at, **options)


def index_phone(phone: str) -> bytes:
    return venue_phone_index(KEYRING.index_key, phone)


def unread(source_id: str) -> Rejected:
    return Rejected(line=3, reference=source_id, field="longitude", value="东边", reason="")


VENUES = (
    "SELECT venue_id, source_id, name, category, address, premises, ST_AsText(geometry), ST_AsText(raw_geometry),"
    " datum, imported_at, record_no, current_no, merge_no, is_watched, withdrawn_at FROM venue ORDER BY venue_no"
)
ZONES = (
    "SELECT zone_id, kind, origin, source, source_id, name, category, ST_AsText(geometry), radius_m FROM zone"
    " WHERE superseded_at IS NULL ORDER BY zone_id"
)


def state(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All that decisions move: venues, zones in force, open questions, and what the links come to."""
    said = {name: [tuple(row) for row in connection.execute(text(query))] for name, query in
            {"venues": VENUES, "zones": ZONES}.items()}  # fmt: skip
    said["questions"] = sorted(
        tuple(row) for row in connection.execute(text(f"SELECT review_id FROM ({OPEN_REVIEWS}) q"))
    )
    return said


def merged_by_machine(connection: Connection, *pairs: tuple[SourceRecord, SourceRecord], at: datetime = LATER) -> None:
    links = load_links(connection)
    proposed = [(one.record_id, other.record_id, 0.995) for one, other in pairs]
    events = merge_events(proposed, links=links, new_id=new_id, decided_by="machine:1", at=at)
    follow(events, after=links)
    save_merges(connection, events, at=at)


def zone_names(connection: Connection) -> set[str]:
    return {row[5] for row in connection.execute(text(ZONES))}


# ---- records


def test_the_same_file_twice_changes_nothing_and_another_row_is_another_version(engine: Engine) -> None:
    street = a_street()
    with engine.begin() as connection:
        assert put(connection, street).added_count == 5
        before = state(connection)
        assert put(connection, street, at=LATER).unchanged_count == 5
        assert state(connection) == before
        moved = a_record("map", 3, at_m=60, name="夜色酒吧", address="和平路30号", category=VenueCategory.BAR)
        assert put(connection, [moved], at=LATER).changed_count == 1
        assert put(connection, [street[4]], at=LATER).changed_count == 1, "back to what it said before"
        count = connection.execute(text("SELECT count(*) FROM venue_source_record")).scalar_one()
        assert count == 6, "the first version is the first version again"
        assert {row.record_id for row in load_current_records(connection)} == {row.record_id for row in street}


def test_what_is_kept_is_the_record_to_the_hash(engine: Engine) -> None:
    street = sorted(a_street(), key=lambda record: (record.key.source, record.key.source_id))
    with engine.begin() as connection:
        put(connection, street)
        kept = [replace(record, phones=tuple(index_phone(phone).hex() for phone in record.phones)) for record in street]
        assert load_current_records(connection) == kept


def test_the_number_of_a_telephone_is_nowhere_and_still_tells_who_has_it(engine: Engine) -> None:
    street = a_street()
    with engine.begin() as connection:
        put(connection, street)
        numbers = {record.name: record.phones for record in load_current_records(connection)}
        assert len(numbers["星光ＫＴＶ"]) == 1
        assert numbers["星光ＫＴＶ"] == numbers["星光量贩KTV"]
        everything = connection.execute(
            text("SELECT string_agg(r::text, '') FROM (SELECT r::text FROM venue_source_record r UNION ALL"
                 " SELECT v::text FROM venue v UNION ALL SELECT p::text FROM venue_phone p) AS rows (r)")
        ).scalar_one()  # fmt: skip
        assert "星光ＫＴＶ" in everything
        assert "13800000101" not in everything
        assert "0000 0101" not in everything
        assert b"13800000101".hex() not in everything


def test_the_numbers_that_a_register_has_now_are_those_that_count(engine: Engine) -> None:
    one: dict[str, Any] = {"at_m": 30.0, "name": "星光ＫＴＶ"}
    with engine.begin() as connection:
        put(connection, [a_record("map", 1, phone="13800000101; 4008123456", **one)])
        put(connection, [a_record("map", 1, phone="13800000102", **one)], at=LATER)
        (record,) = load_current_records(connection)
        assert record.phones == (index_phone("+8613800000102").hex(),)
        put(connection, [a_record("map", 1, **one)], at=LATER, index_phone=None)
        assert load_current_records(connection) == [record], "who reads no numbers unsays none"
        put(connection, [], at=LATER, whole_source="map")
        assert connection.execute(text("SELECT count(*) FROM venue_phone")).scalar_one() == 0


@pytest.mark.parametrize("statement", ["UPDATE {} SET at_or = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["venue_source_record", "venue_link"])
def test_not_even_the_owner_changes_a_record_or_a_decision(engine: Engine, table: str, statement: str) -> None:
    column = {"venue_source_record": "imported_by = 'x'", "venue_link": "reason = 'x'"}[table]
    with engine.begin() as connection:
        put(connection, a_street())
    with engine.connect() as connection, pytest.raises(ProgrammingError, match=r"only added to|refused"):
        connection.execute(text(statement.format(table).replace("at_or = 1", column)))


def test_another_mapping_of_the_same_content_is_a_change_of_category_and_of_zone(engine: Engine) -> None:
    street = a_street()
    with engine.begin() as connection:
        put(connection, street)
        assert put(connection, [replace(street[4], category=VenueCategory.NIGHTCLUB)], at=LATER).changed_count == 1
        query = text("SELECT category FROM zone WHERE name = '夜色酒吧' AND superseded_at IS NULL")
        assert connection.execute(query).scalars().all() == ["nightclub"]
        assert put(connection, [replace(street[4], category=None)], at=LATER).changed_count == 1
        assert "夜色酒吧" not in zone_names(connection), "what the mapping no longer names is watched no longer"


def test_many_records_at_once_are_written_as_each_would_be_alone(engine: Engine) -> None:
    """Rows go to the database in columns, geometries in binary; what stands there then is the same."""
    together = [placed(each) for each in synthetic_scene(40, np.random.default_rng(8)).records]
    alone = [replace(each, key=replace(each.key, source=f"{each.key.source}-alone")) for each in together]
    columns = (
        "v.source_id, v.name, v.category, v.address, v.premises, encode(ST_AsEWKB(v.geometry), 'hex'),"
        " encode(ST_AsEWKB(v.raw_geometry), 'hex'), v.datum, v.is_watched, r.kind, r.content, r.longitude, r.latitude,"
        " z.kind, z.origin, z.name, z.category, z.version,"
        " encode(ST_AsEWKB(z.geometry), 'hex'), z.radius_m, z.valid_from"
    )
    query = (
        f"SELECT replace(v.source, '-alone', ''), {columns} FROM venue v JOIN venue_source_record r USING (record_no)"
        " LEFT JOIN zone z ON z.zone_id = v.venue_id WHERE (v.source LIKE '%-alone') = :alone ORDER BY 1, 2"
    )
    with engine.begin() as connection:
        put(connection, together)
        for each in alone:
            put(connection, [each])
        at_once, one_by_one = (
            [tuple(row) for row in connection.execute(text(query), {"alone": which})] for which in (False, True)
        )
        assert at_once == one_by_one
        assert len(at_once) == len(together) > 90
        hashes = connection.execute(text("SELECT record_id, encode(content_hash, 'hex') FROM venue_source_record"))
        assert {tuple(row) for row in hashes} == {(each.record_id, each.content_hash) for each in (*together, *alone)}


# ---- zones


def test_what_a_whole_register_no_longer_has_is_withdrawn_with_its_zone_and_comes_back(engine: Engine) -> None:
    street = a_street()
    with engine.begin() as connection:
        put(connection, street)
        without = [record for record in street if record.key.source == "map" and record.name != "夜色酒吧"]
        assert put(connection, without, at=LATER).withdrawn == (), "part of a register says nothing of the rest"
        assert put(connection, without, at=LATER, whole_source="map").withdrawn == (("3", "夜色酒吧"),)
        assert "夜色酒吧" not in zone_names(connection)
        back = LATER + timedelta(hours=1)
        assert put(connection, [street[4]], at=back).changed_count == 1
        rows = connection.execute(
            text("SELECT version, in_force_from, in_force_to FROM zone JOIN zone_in_force USING (zone_no, zone_id)"
                 " WHERE name = '夜色酒吧' ORDER BY version")
        ).all()  # fmt: skip
    assert rows[0][1:] == (EVENING, LATER), "not in force while the register did not have it"
    assert rows[-1][1:] == (back, None)


def test_a_row_that_could_not_be_read_is_not_gone(engine: Engine) -> None:
    shops = [a_record("map", number, at_m=100 * number, name=f"{number}号店") for number in range(40)]
    with engine.begin() as connection:
        put(connection, shops)
        report = put(connection, shops[2:], whole_source="map", rejected=[unread("0")], ignored_ids=["1"])
        assert (report.withdrawn, report.left_as_it_was_count) == ((), 2)
        assert len(zone_names(connection)) == 40
        assert ("行未收录，场所保留 kept as it was", 2) in report.lines()
        assert put(connection, shops[1:], whole_source="map", rejected=[unread("5")]).withdrawn == (("0", "0号店"),)


def test_what_may_only_be_unreadable_is_withdrawn_on_confirmation(engine: Engine) -> None:
    shops = [a_record("map", number, at_m=100 * number, name=f"{number}号店") for number in range(40)]
    with engine.begin() as connection:
        put(connection, shops)
    for left, mistyped in ((shops[1:], unread("OO")), (shops[1:], unread("")), (shops[5:], unread("7"))):
        with pytest.raises(WithdrawalRefusedError, match=r"40 处中的 [15] 处.*0号店"), engine.begin() as connection:
            put(connection, left, whole_source="map", rejected=[mistyped])
    with engine.begin() as connection:
        assert len(zone_names(connection)) == 40, "nothing was imported"
        assert len(put(connection, shops[5:], whole_source="map", rejected=[unread("")], withdraw=5).withdrawn) == 5
        now_a_bank = ["5", "6"]
        assert put(connection, shops[7:], whole_source="map", ignored_ids=now_a_bank).left_as_it_was_count == 2
    with pytest.raises(WithdrawalRefusedError, match=r"35 处中的 2 处及其区域；"), engine.begin() as connection:
        put(connection, shops[7:], whole_source="map", ignored_ids=now_a_bank, withdraw=1)
    with engine.begin() as connection:
        assert len(put(connection, shops[7:], whole_source="map", ignored_ids=now_a_bank, withdraw=2).withdrawn) == 2


def test_a_place_keeps_one_zone_for_each_category_that_a_register_gives_it(engine: Engine) -> None:
    map_entry = a_record("map", 1, name="星光")
    same = a_record("police", 1, kind=SourceKind.POLICE, at_m=20, name="星光量贩")
    bar = a_record("police", 2, kind=SourceKind.POLICE, at_m=10, name="星光酒吧", category=VenueCategory.BAR)
    nowhere = a_record("register", 1, at_m=None, name="星光娱乐有限公司")
    with engine.begin() as connection:
        put(connection, [map_entry, same, bar, nowhere])
        merged_by_machine(connection, (nowhere, map_entry), (map_entry, same), (same, bar))
        assert len(set(connection.execute(text("SELECT current_no FROM venue")).scalars())) == 1
        assert zone_names(connection) == {"星光量贩", "星光酒吧"}


def test_a_zone_that_an_order_names_is_never_withdrawn(engine: Engine) -> None:
    map_entry = a_record("map", 1, name="星光")
    same = a_record("police", 1, kind=SourceKind.POLICE, at_m=20, name="星光量贩")
    with engine.begin() as connection:
        put(connection, [map_entry, same])
        a_person(connection)
        connection.execute(
            text("UPDATE condition SET zone_id = (SELECT zone_id FROM zone WHERE name = '星光'), categories = '{}'")
        )
        merged_by_machine(connection, (map_entry, same))
        assert zone_names(connection) == {"星光", "星光量贩"}
        put(connection, [], at=LATER, whole_source="map")
        assert zone_names(connection) == {"星光", "星光量贩"}, "the shop may be gone, the order is not"


def test_incidents_of_all_rows_of_a_place_count_for_the_one_that_maps_show(engine: Engine) -> None:
    map_entry = a_record("map", 1, name="星光")
    same = a_record("police", 1, kind=SourceKind.POLICE, at_m=20, name="星光量贩")
    incidents = [
        VenueIncident(
            key=SourceKey(source="cases", source_id=record.name), venue_key=record.key, kind=IncidentKind.PENALTY,
            occurred_at=EVENING,
        )
        for record in (map_entry, same)
    ]  # fmt: skip
    with engine.begin() as connection:
        put(connection, [map_entry, same])
        save_incidents(connection, incidents, at=EVENING)
        assert {item.venue_key for item in load_incidents(connection)} == {map_entry.key, same.key}
        merged_by_machine(connection, (map_entry, same))
        (shown,) = load_venues(connection)
        assert {item.venue_key for item in load_incidents(connection)} == {shown.key}


# ---- decisions


def test_a_merge_and_its_split_restore_the_former_state_exactly(engine: Engine) -> None:
    street = a_street()
    with engine.begin() as connection:
        put(connection, street)
        official = an_official(connection, "wang", AccountRole.POLICE)
        before, links = state(connection), load_links(connection)
        merged_by_machine(connection, (street[1], street[2]), (street[0], street[1]))
        assert len(zone_names(connection)) == 3
        merges = list(load_links(connection).merged.values())
    for merge in merges:
        with as_account(engine, official.account_id) as connection:
            split = Split(merge_id=merge.merge_id, decided_by="x", at=LATER, reason="两家店")
            assert decide(connection, split, new_id=new_id)
    with engine.connect() as connection:
        assert state(connection) == before
        assert load_links(connection) == links


def test_the_database_comes_to_what_the_pure_core_comes_to(engine: Engine) -> None:
    """Forty decisions by chance, each tried on both; in the end every split leaves the state of before."""
    rng = random.Random(8)
    records = [a_record("map", number, at_m=number, name=f"店{number}") for number in range(12)]
    with engine.begin() as connection:
        put(connection, records)
        official = an_official(connection, "wang", AccountRole.SUPERVISOR)
        before = state(connection)
    for _ in range(40):
        with as_account(engine, official.account_id) as connection:
            one, other = (record.record_id for record in rng.sample(records, 2))
            links = load_links(connection, around=[one, other])
            whole = load_links(connection)
            assert links.venue_of(one) == whole.venue_of(one)
            event = some_decision(rng, whole, one, other)
            if event is not None:
                assert decide(connection, event, new_id=new_id)
        with engine.connect() as connection:
            assert_same(connection)
    with engine.connect() as connection:
        standing = list(load_links(connection).merged.values())
        assert standing, "nothing was merged: this test shows nothing"
    for merge in rng.sample(standing, len(standing)):
        with as_account(engine, official.account_id) as connection:
            split = Split(merge_id=merge.merge_id, decided_by="x", at=LATER, reason="")
            assert decide(connection, split, new_id=new_id)
    with engine.connect() as connection:
        assert state(connection) == before


def some_decision(
    rng: random.Random, links: Any, one: UUID, other: UUID
) -> Merged | Split | Confirmed | Refused | None:
    by, at = "account:x", LATER
    if links.merged and rng.random() < 0.25:
        return Split(
            merge_id=rng.choice(sorted(m.merge_id for m in links.merged.values())), decided_by=by, at=at, reason=""
        )
    if links.venue_of(one) == links.venue_of(other):
        return Confirmed(records=(one, other), decided_by=by, at=at)
    if rng.random() < 0.3:
        return Refused(records=(one, other), decided_by=by, at=at, reason="两家")
    (merge,) = merge_events([(one, other, 0.7)], links=links, new_id=new_id, decided_by=by, at=at)
    return merge


def assert_same(connection: Connection) -> None:
    pure, stored = follow(load_events(connection)), load_links(connection)
    assert pure == stored
    rows = connection.execute(
        text("SELECT r.record_id, top.venue_id FROM venue_source_record r JOIN venue v USING (source, source_id)"
             " JOIN venue top ON top.venue_no = v.current_no")
    ).all()  # fmt: skip
    assert {row.record_id: row.venue_id for row in rows} == {each: pure.venue_of(each) for each in pure.found}
    watched = connection.execute(
        text("SELECT count(*) FROM venue v WHERE is_watched <> EXISTS (SELECT FROM zone z WHERE z.zone_id = v.venue_id"
             " AND z.superseded_at IS NULL)")
    ).scalar_one()  # fmt: skip
    assert watched == 0


def test_who_may_not_decide_decides_nothing_and_a_decision_on_what_is_no_longer_so_is_refused(engine: Engine) -> None:
    street = a_street()
    with engine.begin() as connection:
        put(connection, street)
        police = an_official(connection, "wang", AccountRole.POLICE)
        prosecutor = an_official(connection, "li", AccountRole.PROSECUTOR)
        links = load_links(connection)
    pair = (street[1].record_id, street[2].record_id)
    (merge,) = merge_events([(*pair, 0.9)], links=links, new_id=new_id, decided_by="account:x", at=LATER)
    confirmed = Confirmed(records=pair, decided_by="x", at=LATER)
    with as_account(engine, prosecutor.account_id) as connection:
        assert not decide(connection, merge, new_id=new_id)
    with as_account(engine, police.account_id) as connection:
        assert not decide(connection, confirmed, new_id=new_id), "they are two venues"
        assert decide(connection, merge, new_id=new_id)
        assert not decide(connection, replace(merge, merge_id=new_id()), new_id=new_id), "they are one by now"
        stored = load_merge(connection, merge.merge_id)
        assert stored is not None
        assert stored.decided_by == f"account:{police.account_id}", "who it was is not for the caller to say"
    with as_account(engine, prosecutor.account_id) as connection, pytest.raises(ProgrammingError, match="denied"):
        connection.execute(text("UPDATE venue SET merge_no = NULL"))


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
        for event in take_apart(merge, decided_by="x", at=LATER, reason="两家"):
            assert decide(connection, event, new_id=new_id)
    assert resolve(engine, at=LATER + timedelta(hours=2)).merged_count == 0, "what was split is not merged again"


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
    assert (again.merged_count, again.asked_count) == (0, 0)
    with engine.connect() as connection:
        split = connection.execute(text("SELECT link_id FROM venue_link WHERE kind = 'split'")).scalar_one()
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
        for event in take_apart(merge, decided_by="x", at=LATER, reason="两家"):
            assert decide(connection, event, new_id=new_id)
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
