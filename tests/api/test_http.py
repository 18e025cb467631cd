"""Hop 1 over real HTTP: what a device sends, what it hears, and what is on disk when it hears it."""

import json
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from api import errors
from api.errors import PROBLEMS, UnknownDeviceError
from api.routes.positions import MOST_FIXES
from geo.datum import Datum, from_wgs84
from tests.api.faults import (
    accept_commits,
    blocked_inserts,
    cut_blocked,
    database_away,
    held_commits,
    refuse_commits,
    wait_for_blocked,
)
from tests.api.live_server import NOW, as_json, bearer, post, post_fixes, running_server, served, stored
from tests.make import EVENING, METRES_PER_DEGREE, Person, a_fix, a_person, a_visit


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        return a_person(connection)


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    with running_server(database_url) as client:
        yield client


def test_one_fix_is_stored(engine: Engine, client: httpx.Client, person: Person) -> None:
    fix = a_fix(east_m=40)
    answer = post(client, person.token, as_json(fix, battery_percent=55, speed_mps=1.5, sent_at=NOW.isoformat()))
    assert (answer.status_code, answer.json()) == (201, {"stored": 1, "refused": []})
    (row,) = stored(engine)
    assert (row.subject_no, row.device_id, row.shard) == (
        person.subject_no,
        person.sender.device_id,
        person.sender.shard,
    )
    assert (row.fixed_at, row.sent_at, row.received_at) == (fix.fixed_at, NOW, NOW)
    assert (row.longitude, row.latitude, row.accuracy_m) == (fix.longitude, fix.latitude, 10.0)
    assert (row.datum, row.source, row.battery_percent, row.speed_mps) == ("WGS84", "gps", 55.0, 1.5)


def test_many_fixes_are_stored(engine: Engine, client: httpx.Client, person: Person) -> None:
    answer = post_fixes(client, person.token, a_visit())
    assert (answer.status_code, answer.json()["stored"]) == (201, 40)
    assert [row.fixed_at for row in stored(engine)] == [fix.fixed_at for fix in a_visit()]


def test_a_device_hears_201_only_after_commit(engine: Engine, client: httpx.Client, person: Person) -> None:
    with ThreadPoolExecutor() as pool:
        with held_commits(engine):
            answer = pool.submit(post, client, person.token, as_json(a_fix()))
            wait_for_blocked(engine)  # every statement succeeded, COMMIT is under way
            assert not answer.done()
            assert stored(engine) == []
        assert answer.result(20).status_code == 201
    assert len(stored(engine)) == 1


def test_a_commit_that_fails_gives_no_201_and_a_resend_does(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    refuse_commits(engine)
    answer = post(client, person.token, as_json(a_fix()))
    assert_not_stored(answer)
    assert stored(engine) == []
    accept_commits(engine)
    assert post(client, person.token, as_json(a_fix())).status_code == 201
    assert len(stored(engine)) == 1


def test_a_connection_cut_within_the_transaction_gives_503(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    with ThreadPoolExecutor() as pool, blocked_inserts(engine):
        answer = pool.submit(post, client, person.token, as_json(a_fix()))
        wait_for_blocked(engine)
        assert cut_blocked(engine) == 1
        assert_not_stored(answer.result(20))
    assert stored(engine) == []
    assert post(client, person.token, as_json(a_fix())).status_code == 201


def test_a_connection_cut_during_commit_gives_503(engine: Engine, client: httpx.Client, person: Person) -> None:
    with ThreadPoolExecutor() as pool, held_commits(engine):
        answer = pool.submit(post, client, person.token, as_json(a_fix()))
        wait_for_blocked(engine)
        assert cut_blocked(engine) == 1
        assert_not_stored(answer.result(20))
    assert stored(engine) == []


def assert_not_stored(answer: httpx.Response) -> None:
    problem = next(item for item in PROBLEMS.values() if item.code == "not_stored")
    assert answer.status_code == 503
    assert answer.json() == {"code": problem.code, "message": problem.message}


def test_an_insert_that_fails_gives_no_201(engine: Engine, client: httpx.Client, person: Person) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE fix ADD CONSTRAINT refused CHECK (latitude > 50)"))
    assert_not_stored(post(client, person.token, as_json(a_fix())))


def test_a_neighbours_bad_request_does_not_fail_a_good_one(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    refuse_commits(engine, only_if="NEW.battery_percent = 13")
    with ThreadPoolExecutor() as pool:
        with blocked_inserts(engine):
            first = pool.submit(post, client, person.token, as_json(a_fix()))
            wait_for_blocked(engine)  # the next ones share a commit
            bad = pool.submit(post, client, person.token, as_json(a_fix(minutes=1), battery_percent=13))
            good = pool.submit(post, client, person.token, as_json(a_fix(minutes=2)))
        assert first.result(20).status_code == 201
        assert good.result(20).status_code == 201
        assert_not_stored(bad.result(20))
    assert len(stored(engine)) == 2


def test_a_fix_posted_twice_is_stored_once_and_both_hear_201(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    answers = [post(client, person.token, as_json(a_fix())) for _ in range(2)]
    answers.append(post_fixes(client, person.token, [a_fix(), a_fix()]))
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len(stored(engine)) == 1


def test_an_untagged_fix_is_refused_by_its_field_and_the_rest_stored(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    untagged = as_json(a_fix(minutes=1))
    del untagged["datum"]
    items = [as_json(a_fix()), untagged, as_json(a_fix(minutes=2), datum="mars"), as_json(a_fix(minutes=3))]
    answer = post(client, person.token, {"fixes": items})
    assert answer.status_code == 201
    assert answer.json()["stored"] == 2
    assert [(item["index"], item["field"]) for item in answer.json()["refused"]] == [(1, "datum"), (2, "datum")]
    assert len(stored(engine)) == 2


def test_a_request_without_any_good_fix_is_422(engine: Engine, client: httpx.Client, person: Person) -> None:
    answer = post(client, person.token, {"longitude": 117.2})
    assert answer.status_code == 422
    assert [item["field"] for item in answer.json()["refused"]] == ["fixed_at"]
    assert stored(engine) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("longitude", 180.5),
        ("latitude", -91),
        ("longitude", "NaN"),
        ("accuracy_m", 100_001),
        ("fixed_at", "2026-03-20T22:00:00"),
        ("fixed_at", "yesterday"),
        ("sent_at", "2026-03-20T22:00:00"),
        ("source", "guess"),
        ("battery_percent", 101),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_field_and_not_echoed(
    engine: Engine, client: httpx.Client, person: Person, field: str, value: Any
) -> None:
    answer = post(client, person.token, as_json(a_fix(), **{field: value}))
    assert (answer.status_code, answer.json()["refused"][0]["field"]) == (422, field)
    assert str(value) not in answer.text
    assert stored(engine) == []


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["longitude", "latitude", "accuracy_m", "speed_mps", "altitude_m", "battery_percent"])
def test_a_number_that_is_none_is_refused(
    engine: Engine, client: httpx.Client, person: Person, field: str, word: str
) -> None:
    body = json.dumps(as_json(a_fix(), **{field: 12345.0})).replace("12345.0", word)
    answer = client.post("/positions", content=body, headers=bearer(person.token) | JSON)
    assert (answer.status_code, answer.json()["refused"][0]["field"]) == (422, field)
    assert stored(engine) == []


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body", ['{"longitude": 117.23456, ', "117.23456x", "", "[" * 100_000, b'\xff\xfe{"longitude": 117.23456}']
)
def test_bad_json_is_refused_without_echo(
    engine: Engine, client: httpx.Client, person: Person, body: str | bytes
) -> None:
    answer = client.post("/positions", content=body, headers=bearer(person.token) | JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_request")
    assert "117.2" not in answer.text
    assert stored(engine) == []


@pytest.mark.parametrize("body", [[], "text", 5, True, {"fixes": {}}, {"fixes": [[]]}, {"fixes": [None]}])
def test_json_of_another_shape_is_422(client: httpx.Client, person: Person, body: Any) -> None:
    assert post(client, person.token, body).status_code == 422


def test_an_empty_list_is_no_error(engine: Engine, client: httpx.Client, person: Person) -> None:
    answer = post(client, person.token, {"fixes": []})
    assert (answer.status_code, answer.json()) == (201, {"stored": 0, "refused": []})


def test_too_many_fixes_are_refused_whole(engine: Engine, client: httpx.Client, person: Person) -> None:
    fixes = [as_json(a_fix(minutes=number / 1000)) for number in range(MOST_FIXES + 1)]
    answer = post(client, person.token, {"fixes": fixes})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many")
    assert stored(engine) == []
    assert post(client, person.token, {"fixes": fixes[:-1]}).json()["stored"] == MOST_FIXES


def test_a_huge_body_is_refused_while_it_is_still_being_sent(client: httpx.Client) -> None:
    with a_raw_post(client, "Transfer-Encoding: chunked") as connection:
        sent = 0
        while not select.select([connection], [], [], 0)[0] and sent < 100:
            connection.sendall(b"f4240\r\n" + b" " * 1_000_000 + b"\r\n")
            sent += 1
        assert connection.recv(10_000).startswith(b"HTTP/1.1 413 ")
    assert sent < 100


def test_a_body_announced_as_huge_is_refused_before_it_is_sent(client: httpx.Client) -> None:
    with a_raw_post(client, "Content-Length: 999999999999") as connection:
        assert connection.recv(10_000).startswith(b"HTTP/1.1 413 ")


@contextmanager
def a_raw_post(client: httpx.Client, framing: str) -> Iterator[socket.socket]:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20) as connection:
        head = f"POST /positions HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
        connection.sendall(head.encode())
        yield connection


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer ü"])
def test_no_token_or_an_unknown_one_is_401(
    engine: Engine, client: httpx.Client, person: Person, header: str | None
) -> None:
    headers = [] if header is None else [(b"authorization", header.format(token=person.token).encode())]
    answer = client.post("/positions", json=as_json(a_fix()), headers=headers)
    problem = PROBLEMS[UnknownDeviceError]
    assert (answer.status_code, answer.json()) == (401, {"code": problem.code, "message": problem.message})
    assert stored(engine) == []


def test_a_revoked_token_is_401(engine: Engine, client: httpx.Client, person: Person) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE device SET revoked_at = :at"), {"at": EVENING})
    assert post(client, person.token, as_json(a_fix())).status_code == 401
    assert stored(engine) == []


def test_fixes_outside_the_orders_validity_are_refused_and_not_stored(
    engine: Engine, database_url: str, client: httpx.Client
) -> None:
    with engine.begin() as connection:
        someone = a_person(connection, valid_from=EVENING, valid_to=EVENING + timedelta(minutes=5))
    fixes = [a_fix(minutes=minute) for minute in (-0.01, 0, 4.99, 5)]
    answer = post_fixes(client, someone.token, fixes)
    assert (answer.status_code, answer.json()["stored"]) == (201, 2)
    assert [(item["index"], item["field"]) for item in answer.json()["refused"]] == [(0, "fixed_at"), (3, "fixed_at")]
    assert [row.fixed_at for row in stored(engine)] == [fixes[1].fixed_at, fixes[2].fixed_at]


def test_a_fix_of_a_subject_whose_order_was_lifted_is_refused(engine: Engine, client: httpx.Client) -> None:
    with engine.begin() as connection:
        someone = a_person(connection)
        connection.execute(text("UPDATE supervision_order SET superseded_at = :at"), {"at": EVENING})
    assert post(client, someone.token, as_json(a_fix())).status_code == 422
    assert stored(engine) == []


def test_a_fix_from_the_future_is_refused(engine: Engine, client: httpx.Client, person: Person) -> None:
    minutes = (NOW - EVENING).total_seconds() / 60
    answer = post_fixes(client, person.token, [a_fix(minutes=minutes + 4.9), a_fix(minutes=minutes + 5.1)])
    assert answer.json()["stored"] == 1
    assert [(item["index"], item["field"]) for item in answer.json()["refused"]] == [(1, "fixed_at")]


def test_a_fix_in_gcj02_is_stored_canonical_and_as_sent(engine: Engine, client: httpx.Client, person: Person) -> None:
    here = a_fix(north_m=15)
    moved = from_wgs84(longitude=here.longitude, latitude=here.latitude, datum=Datum.GCJ02)
    longitude, latitude = float(moved[0]), float(moved[1])
    sent = replace(here, longitude=longitude, latitude=latitude, datum=Datum.GCJ02)
    assert post(client, person.token, as_json(sent)).status_code == 201
    (row,) = stored(engine)
    north_m = (row.latitude - here.latitude) * METRES_PER_DEGREE
    east_m = (row.longitude - here.longitude) * METRES_PER_DEGREE * np.cos(np.radians(here.latitude))
    assert np.hypot(north_m, east_m) < 1.0
    assert (row.raw_longitude, row.raw_latitude, row.datum) == (longitude, latitude, "GCJ02")
    assert abs(row.raw_longitude - row.longitude) * METRES_PER_DEGREE > 300


def test_received_at_is_the_servers_and_not_the_devices(
    engine: Engine, database_url: str, client: httpx.Client, person: Person
) -> None:
    claimed = EVENING + timedelta(seconds=7)
    post(client, person.token, as_json(a_fix(), received_at=claimed.isoformat()))
    with running_server(database_url, trusts_received_at=True) as replaying:
        post(replaying, person.token, as_json(a_fix(minutes=1), received_at=claimed.isoformat()))
        post(replaying, person.token, as_json(a_fix(minutes=2)))
        later = NOW + timedelta(days=1)
        post(replaying, person.token, as_json(replace(a_fix(), fixed_at=later)))
    assert [row[0] for row in stored(engine, "received_at")] == [NOW, claimed, a_fix(minutes=2).fixed_at, later]


def test_health_and_posts_are_503_while_the_database_is_away(
    engine: Engine, database_url: str, client: httpx.Client, person: Person
) -> None:
    assert (client.get("/health").status_code, client.get("/health").json()) == (
        200,
        {"status": "ok", "worker": "absent"},
    )
    assert post(client, person.token, as_json(a_fix())).status_code == 201
    with database_away(database_url):
        assert client.get("/health").status_code == 503
        assert_not_stored(post(client, person.token, as_json(a_fix(minutes=1))))
    assert client.get("/health").status_code == 200
    assert post(client, person.token, as_json(a_fix(minutes=1))).status_code == 201
    engine.dispose()
    assert len(stored(engine)) == 2


def test_an_unforeseen_error_is_told_without_details(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/broken")
    def get_broken() -> None:
        raise ValueError("longitude 117.23456 of 小丽")

    with served(app) as client:
        answer = client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "117.2" not in answer.text
    assert "ValueError" not in answer.text


def test_a_page_that_is_not_there_is_told_in_the_same_form(client: httpx.Client) -> None:
    answers = [client.get("/nothing"), client.get("/positions")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (404, "not_found"),
        (405, "method_not_allowed"),
    ]
    assert answers[1].headers["allow"] == "POST"
