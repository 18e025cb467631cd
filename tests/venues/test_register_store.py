"""The register in the database: nothing is doubled, a merge and its split leave nothing behind, no zone is lost."""

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.ids import new_id
from api.withdrawal import WithdrawalRefusedError
from bench.identity_scene import synthetic_scene
from bench.register import placed
from tests.access.people import an_official
from tests.make import EVENING, a_person
from tests.venues.register_scene import (
    LATER,
    a_record,
    a_street,
    index_phone,
    merged_by_machine,
    put,
    state,
    unread,
    zone_names,
)
from venues.category import VenueCategory
from venues.link_store import decide, load_events, load_links, load_merge
from venues.links import Confirmed, Merged, Refused, Split, follow, merge_events
from venues.place import IncidentKind, SourceKey, VenueIncident
from venues.register_store import load_current_records
from venues.source_record import SourceKind
from venues.store import load_incidents, load_venues, save_incidents

ON = date(2026, 3, 20)

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
        put(connection, [], at=LATER, whole_source="map", withdraw=1)
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
        put(connection, [], at=LATER, whole_source="map", withdraw=1)
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
        assert {item.venue_key for item in load_incidents(connection, on=ON)} == {map_entry.key, same.key}
        merged_by_machine(connection, (map_entry, same))
        (shown,) = load_venues(connection, on=ON)
        assert {item.venue_key for item in load_incidents(connection, on=ON)} == {shown.key}


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
