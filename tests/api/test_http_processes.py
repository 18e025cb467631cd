"""Hop 1 with several servers, as processes of their own: what they store, survive and log."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.api.faults import accept_commits, refuse_commits
from tests.api.live_server import as_json, bearer, post, post_fixes, running_server, server_process, stored
from tests.make import Person, a_fix, a_person, a_visit
from tracking.fix import Fix


def people(engine: Engine, count: int) -> list[Person]:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        return [
            a_person(
                connection,
                alias=f"合成{number}",
                valid_from=min(now, a_fix().fixed_at) - timedelta(days=1),
                valid_to=now + timedelta(days=1),
            )
            for number in range(count)
        ]


def test_two_servers_store_what_both_are_sent_once(engine: Engine, database_url: str) -> None:
    senders = people(engine, 4)

    def send(work: tuple[httpx.Client, Person, Fix]) -> int:
        client, person, fix = work
        return post_fixes(client, person.token, [fix, a_fix(minutes=1000)]).status_code

    with running_server(database_url) as first, running_server(database_url) as second, ThreadPoolExecutor(8) as pool:
        work = [(client, person, fix) for fix in a_visit() for person in senders for client in (first, second)]
        assert set(pool.map(send, work)) == {201}
    assert len(stored(engine)) == len(senders) * len(a_visit())


def minute_by_minute(person: Person, client: httpx.Client, heard: list[tuple[int, datetime]]) -> Callable[[], None]:
    def run() -> None:
        for minute in range(100_000):
            fix = a_fix(minutes=minute / 1000)
            try:
                if post(client, person.token, as_json(fix)).status_code == 201:
                    heard.append((person.subject_no, fix.fixed_at))
            except httpx.HTTPError:
                return  # the server is gone

    return run


@pytest.mark.slow
def test_whatever_was_acknowledged_is_on_disk_when_the_server_is_killed(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    heard: list[tuple[int, datetime]] = []
    senders = people(engine, 6)
    with server_process(database_url, tmp_path) as server, ThreadPoolExecutor(6) as pool:
        running = [pool.submit(minute_by_minute(person, server.client, heard)) for person in senders]
        while len(heard) < 500:
            assert not any(item.done() for item in running)
        server.process.kill()
    on_disk = {tuple(row) for row in stored(engine, "subject_no, fixed_at")}
    assert len(heard) >= 500
    assert set(heard) <= on_disk


@pytest.mark.slow
def test_two_processes_with_failures_log_nothing_personal(engine: Engine, database_url: str, tmp_path: Path) -> None:
    (person,) = people(engine, 1)
    here = as_json(a_fix(), longitude=117.2345678, latitude=34.8765432)
    with ExitStack() as stack:
        servers = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            servers.append(stack.enter_context(server_process(database_url, tmp_path / name)))
        for server in servers:
            client = server.client
            assert post(client, person.token, here).status_code == 201
            assert post(client, "not-a-token-117.2345678", here).status_code == 401
            assert post(client, person.token, here | {"datum": "117.2345678"}).status_code == 422
            text_of_it = f'{{"longitude": 117.2345678 {person.token}'
            headers = bearer(person.token) | {"Content-Type": "application/json"}
            assert client.post("/positions", content=text_of_it, headers=headers).status_code == 422
            assert client.get("/positions/117.2345678", params={"token": person.token}).status_code == 404
            refuse_commits(engine)
            assert (
                post(client, person.token, here | {"fixed_at": a_fix(minutes=1).fixed_at.isoformat()}).status_code
                == 503
            )
            accept_commits(engine)
            with engine.begin() as connection:
                connection.execute(text("ALTER TABLE fix ADD CONSTRAINT refused CHECK (latitude > 50) NOT VALID"))
            assert (
                post(client, person.token, here | {"fixed_at": a_fix(minutes=2).fixed_at.isoformat()}).status_code
                == 503
            )
            with engine.begin() as connection:
                connection.execute(text("ALTER TABLE fix DROP CONSTRAINT refused"))
                connection.execute(text("ALTER TABLE device RENAME TO device_away"))
            assert post(client, "another", here).status_code == 503
            with engine.begin() as connection:
                connection.execute(text("ALTER TABLE device_away RENAME TO device"))
    assert len(stored(engine)) == 1
    for server in servers:
        log = server.log.read_text()
        for personal in (person.token, "117.23", "34.87", "合成", "13800000101", person.token[:12]):
            assert personal not in log
