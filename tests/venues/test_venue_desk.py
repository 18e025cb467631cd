"""Officers' decisions in the database: what falls with a split, and decisions beside an import that runs."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from api import errors
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.venue_desk import confirm_review, merge_venues, refuse_review, split_venue, undo_link
from tests.access.people import Official, an_official
from tests.venues.register_scene import LATER, a_record, merged_by_machine, put, state, zone_names
from venues.link_store import load_events, load_links
from venues.links import MADE_AGAIN, follow
from venues.register_store import RegisterBusyError, lock_register
from venues.source_record import SourceKind, SourceRecord


def three() -> list[SourceRecord]:
    return [
        a_record("map", 1, name="星光KTV"),
        a_record("police", 1, kind=SourceKind.POLICE, name="星光量贩", at_m=20),
        a_record("other map", 1, name="星光娱乐", at_m=40),
    ]


def an_officer(engine: Engine, name: str = "wang") -> Official:
    with engine.begin() as connection:
        return an_official(connection, name, AccountRole.POLICE)


def grouped(engine: Engine, records: list[SourceRecord]) -> set[frozenset[int]]:
    """Which of ``records``, by place in the list, are one venue."""
    with engine.connect() as connection:
        links = load_links(connection)
    row_of = {record.record_id: row for row, record in enumerate(records)}
    return {frozenset(row_of[each] for each in members) for members in links.venues().values()}


def test_what_came_because_of_the_record_that_leaves_leaves_the_place_too(engine: Engine) -> None:
    one, two, other = records = three()
    with engine.begin() as connection:
        put(connection, records)
        before = state(connection)
        merged_by_machine(connection, (one, two), (two, other))
        merge = next(iter(load_links(connection).merged.values()))
    wang = an_officer(engine)
    assert grouped(engine, records) == {frozenset({0, 1, 2})}
    with as_account(engine, wang.account_id) as connection:
        split_venue(connection, merge.kept, merge_id=merge.merge_id, by=wang.account_id, reason="两家店")
    with engine.begin() as connection:
        assert state(connection) == before
        assert follow(load_events(connection)) == load_links(connection)
        entries = text("SELECT count(*) FROM audit_entry WHERE table_name = 'venue_link'")
        assert connection.execute(entries).scalar_one() == 2 + 3, "two merges, two splits and a refusal"
        merged_by_machine(connection, (two, other), at=LATER + timedelta(days=1))
    assert grouped(engine, records) == {frozenset({0}), frozenset({1, 2})}


def test_what_another_officer_had_merged_stays_one_where_the_rest_of_the_place_is_split_off(engine: Engine) -> None:
    one, two, other = records = three()
    with engine.begin() as connection:
        put(connection, records)
        merged_by_machine(connection, (two, one))
    first, second = an_officer(engine), an_officer(engine, "li")
    with as_account(engine, first.account_id) as connection:
        places = load_links(connection)
        absorbed = next(iter(places.merged.values()))
        merge_venues(
            connection, places.venue_of(two.record_id), places.venue_of(other.record_id), by=first.account_id,
            reason="现场核实",
        )  # fmt: skip
        (by_officer,) = (each for each in load_links(connection).merged.values() if not each.is_by_machine)
    stays = {row for row, record in enumerate(records) if record.record_id in by_officer.records}
    with as_account(engine, second.account_id) as connection:
        assert undo_link(connection, absorbed.merge_id, by=second.account_id)
    assert frozenset(stays) in grouped(engine, records)
    assert len(grouped(engine, records)) == 2
    with engine.connect() as connection:
        (merge,) = load_links(connection).merged.values()
    assert merge.reason in ("现场核实", MADE_AGAIN)


# ---- beside an import


def merge_of_all(engine: Engine, official: Official, ids: tuple[UUID, UUID]) -> None:
    with as_account(engine, official.account_id) as connection:
        merge_venues(connection, *ids, by=official.account_id, reason="同一经营者")


def waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        query = text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(connection.execute(query).scalar_one())


def test_a_merge_beside_an_import_that_withdraws_one_of_the_two_leaves_the_place_its_zone(engine: Engine) -> None:
    on_map, at_police, _ = three()
    with engine.begin() as connection:
        put(connection, [at_police])
        put(connection, [on_map])
        links = load_links(connection)
    ids = (links.venue_of(on_map.record_id), links.venue_of(at_police.record_id))
    wang = an_officer(engine)
    with ThreadPoolExecutor(max_workers=1) as beside:
        with engine.begin() as connection:
            assert len(put(connection, [], at=LATER, whole_source="police", withdraw=1).withdrawn) == 1
            merging = beside.submit(merge_of_all, engine, wang, ids)
            until = time.monotonic() + 20
            while not (merging.done() or waits(engine)) and time.monotonic() < until:
                time.sleep(0.02)
        merging.result(timeout=20)
    with engine.connect() as connection:
        assert zone_names(connection) == {"星光KTV"}
        assert len(load_links(connection).venues()) == 1


def test_a_decision_that_waits_too_long_for_an_import_says_so(engine: Engine) -> None:
    records = three()
    with engine.begin() as connection:
        put(connection, records)
        merged_by_machine(connection, (records[0], records[1]))
        (merge,) = load_links(connection).merged.values()
        other = load_links(connection).venue_of(records[2].record_id)
    wang = an_officer(engine)
    by, some_id = wang.account_id, merge.merge_id
    with engine.begin() as importing:
        lock_register(importing)
        for decide in (
            lambda connection: merge_venues(connection, merge.kept, other, by=by, reason="同一处"),
            lambda connection: split_venue(connection, merge.kept, merge_id=some_id, by=by, reason="两处"),
            lambda connection: undo_link(connection, some_id, by=by),
            lambda connection: confirm_review(connection, some_id, by=by),
            lambda connection: refuse_review(connection, some_id, by=by, reason="两处"),
        ):
            with pytest.raises(RegisterBusyError, match="请稍后再试"), as_account(engine, by) as connection:
                connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
                decide(connection)
    with engine.connect() as connection:
        assert list(load_links(connection).merged.values()) == [merge], "nothing was decided"


def test_the_browser_is_told_to_try_again_and_not_that_the_database_is_away() -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/busy")
    def get_busy() -> None:
        raise RegisterBusyError("")

    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/busy")

    answer = asyncio.run(asked())
    assert (answer.status_code, answer.json()["code"]) == (409, "register_busy")
    assert "请稍后再试" in answer.json()["message"]
