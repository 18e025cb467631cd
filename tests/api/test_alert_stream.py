"""The live stream over real HTTP: two officers, each hears of their own case, once, in order, over reconnects."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, text

from api.access.accounts import join_case, set_jurisdiction
from api.access.gate import COOKIE
from api.access.roles import AccountRole
from tests.access.people import Browser, Official, a_browser, another, official_in
from tests.api.faults import wait_until
from tests.api.live_server import NOW
from tests.api.test_desk import add_alert, an_alert
from tests.make import EVENING, Person, a_bar, a_person


@dataclass(kw_only=True)
class Listener:
    """Reads a stream in a thread, as a page would; ``close`` cuts the line."""

    browser: Browser
    last_id: str | None = None
    heard: list[tuple[str, str, Any]] = field(default_factory=list)
    status: int | None = None
    is_over: bool = False

    def start(self) -> "Listener":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        wait_until(lambda: self.status is not None and (self.status != 200 or self.last_id is not None))
        return self

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()

    @property
    def alerts(self) -> list[UUID]:
        return [UUID(data["alert"]["alert_id"]) for name, _, data in self.heard if name == "alert"]

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.heard]

    def _read(self) -> None:
        headers = {"Cookie": f"{COOKIE}={self.browser.session_id}", "X-Forwarded-For": self.browser.address}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
            self.last_id = None
        with self.browser.client.stream("GET", "/alerts/stream", headers=headers) as answer:
            self.status = answer.status_code
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                if self._stop.is_set():
                    return
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                    continue
                self.last_id = event.get("id", self.last_id)
                if "data" in event:
                    self.heard.append((event["event"], event.get("id", ""), json.loads(event["data"])))
                event = {}
        self.is_over = True


@dataclass(kw_only=True)
class Scene:
    engine: Engine
    persons: dict[str, Person]
    officials: dict[str, Official]
    browsers: dict[str, Browser]

    def listen(self, who: str, last_id: str | None = None) -> Listener:
        return Listener(browser=self.browsers[who], last_id=last_id).start()


@pytest.fixture
def scene(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Two cases, a prosecutor each. A short heartbeat, so that a closed line is noticed soon."""
    monkeypatch.setattr("api.routes.alerts.HEARTBEAT_EVERY_S", 0.5)
    officials = {who: official_in(engine, who, AccountRole.PROSECUTOR) for who in ("wang", "li")}
    with engine.begin() as connection:
        a_bar(connection)
        persons = {who: a_person(connection, alias=f"合成{who}") for who in officials}
        for who, person in persons.items():
            set_jurisdiction(connection, person.subject_no, "320300")
            join_case(connection, person.subject_no, officials[who].account_no, now=EVENING)
    with a_browser(database_url) as first:
        browsers = {"wang": first, "li": another(first)}
        for who, browser in browsers.items():
            browser.log_in(officials[who])
        yield Scene(engine=engine, persons=persons, officials=officials, browsers=browsers)


def test_each_officer_hears_of_their_own_case_once_over_reconnects(scene: Scene) -> None:
    numbers = {who: person.subject_no for who, person in scene.persons.items()}
    wang, li = scene.listen("wang"), scene.listen("li")
    made: dict[str, list[UUID]] = {"wang": [], "li": []}
    for who in ("wang", "li", "wang"):
        made[who].append(an_alert(scene.engine, numbers[who]))
    wait_until(lambda: len(wang.alerts) == 2 and len(li.alerts) == 1)
    wang.close()

    # While the line is down: alerts in an order of commits that is not the order of their entries.
    slow, quick = UUID(int=101), UUID(int=102)
    with scene.engine.connect() as connection:
        add_alert(connection, slow, numbers["wang"])
        made["wang"].append(an_alert(scene.engine, numbers["wang"]))
        again = scene.listen("wang", wang.last_id)
        with scene.engine.begin() as other:
            add_alert(other, quick, numbers["wang"])
        made["li"].append(an_alert(scene.engine, numbers["li"]))
        connection.commit()
    made["wang"] += [slow, quick]
    wait_until(lambda: len(again.alerts) >= 3 and len(li.alerts) >= 2)
    again.close()

    third = scene.listen("wang", again.last_id)
    made["wang"].append(an_alert(scene.engine, numbers["wang"]))
    wait_until(lambda: len(third.alerts) >= 1)
    third.close()
    li.close()
    heard = wang.alerts + again.alerts + third.alerts
    assert sorted(heard) == sorted(made["wang"])
    assert sorted(li.alerts) == sorted(made["li"])
    assert "reset" not in wang.names + again.names + third.names


def test_a_place_of_elsewhere_is_given_up_and_said(scene: Scene) -> None:
    for words in ("9999999999-3", "nonsense", "1-x"):
        listener = scene.listen("wang", words)
        wait_until(lambda heard=listener: heard.names == ["reset"])  # type: ignore[misc] # bound now
        listener.close()


def test_an_event_shows_what_the_list_shows_and_no_more(scene: Scene) -> None:
    listener = scene.listen("wang")
    an_alert(scene.engine, scene.persons["wang"].subject_no)
    wait_until(lambda: bool(listener.alerts))
    listener.close()
    _, _, data = listener.heard[0]
    listed = scene.browsers["wang"].ask("GET", "/alerts").json()["alerts"][0]
    assert set(data["alert"]) == set(listed)
    assert set(data["entry"]) == {"kind", "at", "reason_code"}
    assert {name: data["alert"][name] for name in ("alert_id", "subject_id", "state", "event")} == {
        name: listed[name] for name in ("alert_id", "subject_id", "state", "event")
    }


def test_it_ends_with_the_session_and_is_silent_about_what_was_taken_away(scene: Scene) -> None:
    numbers = {who: person.subject_no for who, person in scene.persons.items()}
    wang, li = scene.listen("wang"), scene.listen("li")
    assert scene.browsers["wang"].ask("DELETE", "/session").status_code == 204
    wait_until(lambda: wang.is_over)
    assert wang.names == ["end"]
    with scene.engine.begin() as connection:
        connection.execute(
            text("UPDATE subject SET sealed_at = :at, sealing_ground = 'sentence', id_number_index = NULL"
                 " WHERE subject_no = :no"), {"at": NOW, "no": numbers["li"]}
        )  # fmt: skip
    with scene.engine.begin() as connection:
        add_alert(connection, UUID(int=103), numbers["li"])
    before = li.last_id
    wait_until(lambda: li.last_id != before)
    assert li.alerts == []
    with scene.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM account_role WHERE account_no = :no"), {"no": scene.officials["li"].account_no}
        )
    wait_until(lambda: li.is_over)
    assert li.names == ["end"]


def test_an_open_page_keeps_nobody_logged_in(scene: Scene) -> None:
    def seen_at() -> Any:
        with scene.engine.connect() as connection:
            return connection.execute(text("SELECT max(seen_at) FROM account_session")).scalar_one()

    listener, before = scene.listen("li"), seen_at()
    scene.browsers["li"].clock.current += timedelta(minutes=20)
    place = listener.last_id
    an_alert(scene.engine, scene.persons["li"].subject_no)
    wait_until(lambda: listener.last_id != place and len(listener.alerts) == 1)
    assert seen_at() == before
    scene.browsers["li"].clock.current += timedelta(minutes=20)
    wait_until(lambda: listener.is_over)
    assert listener.names == ["alert", "end"]


def test_more_streams_than_an_account_may_have_are_refused(scene: Scene) -> None:
    listeners = [scene.listen("wang") for _ in range(5)]
    assert scene.listen("wang").status == 429
    other = scene.listen("li")
    assert other.status == 200
    for listener in (*listeners, other):
        listener.close()


def test_a_server_that_is_told_to_stop_ends_its_streams_and_is_gone_within_seconds(
    engine: Engine, database_url: str
) -> None:
    official = official_in(engine, "wang", AccountRole.PROSECUTOR)
    with ExitStack() as stack:
        with a_browser(database_url) as browser:
            browser.log_in(official)
            own = stack.enter_context(httpx.Client(base_url=browser.client.base_url, trust_env=False, timeout=20))
            listeners = [Listener(browser=replace(browser, client=own)).start() for _ in range(3)]
            asked_at = time.monotonic()
        assert time.monotonic() - asked_at < 4
        for listener in listeners:
            wait_until(lambda heard=listener: heard.is_over)  # type: ignore[misc] # bound now
            assert listener.names == [], "at the end of the answer, and not cut off"
