"""Orders and zones edited while fixes pour in: no false "enter", no false "leave" (issue 6, must-show 5).

Broken on purpose, ``api.rule_edits.take_due_work`` giving nothing, so that rules hold from when they are processed:
people who stood in a bar came or went five times, and the test failed.
"""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine, text

import api.rule_edits
from api.access.accounts import join_case, set_jurisdiction
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.casework.exemptions import ExemptionWish, grant_exemption, revoke_exemption
from api.casework.leaves import Closing, LeaveWish, answer_leave, ask_leave, close_leave
from api.clock import SystemClock
from api.demo.stage import await_quiet
from api.devices import devices_of
from api.errors import NotThereError
from api.fsck import check
from api.ids import new_id
from api.inbox import Sender, to_rows, write_rows
from api.logins import Login
from geo.datum import Datum
from geo.postgis import driver_connection
from geo.shapes import Circle
from tests.access.people import an_official
from tests.api.casework_scene import a_case, register
from tests.api.live_server import post_fixes, running_server, url_as
from tests.make import (
    BAR_LATITUDE,
    BAR_LONGITUDE,
    EVENING,
    KEYRING,
    KEYRING_PATH,
    METRES_PER_DEGREE,
    a_bar,
    a_fix,
    a_person,
    a_worker,
    log_fixes,
)
from tracking.fix import Fix, FixSource
from tracking.leave import ExemptionKind
from tracking.order import Organ
from tracking.policy import PresencePolicy
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def minute(number: float) -> datetime:
    return EVENING + timedelta(minutes=number)


def assert_log_gives_what_is_stored(engine: Engine, *, now: datetime) -> None:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        checked = check(connection, policy=PresencePolicy(), now=now)
    assert (checked.differences, checked.unfinished_count) == ([], 0)


# ---- work that waits


@pytest.mark.parametrize(("edits_before", "most_subjects"), [(70, 500), (0, 1)])
def test_who_waits_to_be_judged_again_neither_enters_nor_leaves_meanwhile(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, edits_before: int, most_subjects: int
) -> None:
    """One stands in a bar that is drawn elsewhere, the other where it is drawn to, and both are judged already.

    More work waits than one batch takes. Their next fixes come before their turn.
    """
    monkeypatch.setattr(api.rule_edits, "MOST_SUBJECTS", most_subjects)
    with engine.begin() as connection:
        a_bar(connection)
        people = [a_person(connection, alias=f"合成{number}") for number in range(4)]
    worker = a_worker(engine)
    places = [500.0, 3.0, 500.0, 3.0]
    for person, east_m in zip(people, places, strict=True):
        log_fixes(engine, person, [a_fix(minutes=number, east_m=east_m) for number in np.arange(13.0)])
    worker.drain()
    with engine.begin() as connection:
        for number in range(edits_before):  # farther away than anything reaches
            a_bar(connection, name=f"远{number}", east_m=500_000.0 + number, at=minute(10.2))
        a_bar(connection, east_m=500.0, at=minute(10.5))
    for step in (13.0, 14.0, 15.0):
        for person, east_m in zip(people, places, strict=True):
            log_fixes(engine, person, [a_fix(minutes=step, east_m=east_m)])
        worker.step()
        assert rows(engine, "SELECT subject_no, started_at FROM episode WHERE is_entry OR ended_by = 'exit'") == []
    worker.drain()
    current = "SELECT started_at, ended_at, ended_by FROM episode WHERE superseded_at IS NULL ORDER BY 1, 3"
    assert rows(engine, current) == [
        (minute(0), minute(10), "rule"), (minute(0), minute(10), "rule"),
        (minute(11), None, None), (minute(11), None, None),
    ]  # fmt: skip
    assert_log_gives_what_is_stored(engine, now=minute(16))


# ---- load

SPEED = 30.0
"""Seconds of the scene in one second."""
LASTS = 36
"""Minutes of the scene. Everybody sends a fix a minute."""
EACH = 48
"""People of each kind. Six of them share a bar."""
BY_HTTP = 6
"""Of each kind so many post over HTTP, the others' fixes are written as hop 2 writes them."""
WALK = (12.0, 24.0)
"""From when to when those who move are elsewhere."""
DAY = timedelta(days=1)


class Since(SystemClock):
    """The clock of the scene, the same in every process."""

    def __init__(self, start: datetime, begun: float) -> None:
        self.start, self.begun = start, begun

    def now(self) -> datetime:
        return self.start + timedelta(seconds=(time.time() - self.begun) * SPEED)

    def minutes(self) -> float:
        return (self.now() - self.start) / timedelta(minutes=1)


_WORKER = """
import sys
from datetime import datetime
import api.worker
from api.database import open_engine
from api.logs import configure_logs
from api.personal.keyring import Keyring
from pathlib import Path
from tests.api.test_edits_under_load import Since
from tests.make import a_worker
configure_logs("warning")
api.worker.CLOCK_EVERY_S, api.worker.IDLE_WAIT_S = 0.2, 0.05
worker = a_worker(open_engine(sys.argv[1]), keyring=Keyring(Path(sys.argv[4])))
worker.clock, worker.lease_seconds = Since(datetime.fromisoformat(sys.argv[2]), float(sys.argv[3])), 5.0
worker.run()
"""


@contextmanager
def two_workers(url: str, clock: Since) -> Iterator[None]:
    arguments = [url_as(url, Login.WORKER), clock.start.isoformat(), str(clock.begun), str(KEYRING_PATH)]
    processes = [subprocess.Popen([sys.executable, "-c", _WORKER, *arguments]) for _ in range(2)]
    try:
        yield
        assert [process.poll() for process in processes] == [None, None], "a worker ended by itself"
    finally:
        for process in processes:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """One of the scene. ``kind``: home, in_bar, near_bar (these stand still), visitor or leaver."""

    kind: str
    number: int
    subject_no: int
    order_id: UUID
    token: str
    sender: Sender

    @property
    def bar(self) -> str:
        return f"{self.kind}-{self.number // 6}"

    def east_m(self, minute: float) -> float:
        """Where they truly are. Everybody of a number lives 20 km from the next."""
        is_out = WALK[0] <= minute < WALK[1]
        away = {"home": 0.0, "in_bar": 3.0, "near_bar": 65.0, "visitor": 3.0 if is_out else 500.0}
        return away.get(self.kind, 900.0 if is_out else 0.0)

    def fix(self, clock: Since) -> Fix:
        at, noise = clock.now(), random.Random(f"{self.kind}/{self.number}/{clock.minutes():.1f}")
        east_m = self.east_m((at - clock.start) / timedelta(minutes=1)) + noise.gauss(0, 3)
        longitude, latitude = place_of(self.kind, self.number // 6, east_m, noise.gauss(0, 3))
        return Fix(
            fixed_at=at, longitude=longitude, latitude=latitude, datum=Datum.WGS84, accuracy_m=8.0, source=FixSource.GPS
        )


KINDS = ("home", "in_bar", "near_bar", "visitor", "leaver")
STILL = KINDS[:3]


def place_of(kind: str, group: int, east_m: float, north_m: float = 0.0) -> tuple[float, float]:
    """Longitude and latitude of metres from the middle of a group's place; places lie 20 km apart."""
    latitude = BAR_LATITUDE + 0.2 * KINDS.index(kind)
    degree_m = METRES_PER_DEGREE * float(np.cos(np.radians(latitude)))
    return BAR_LONGITUDE + 0.2 * group + east_m / degree_m, latitude + north_m / METRES_PER_DEGREE


def conditions_of(kind: str, group: int, chance: random.Random) -> list[dict[str, Any]]:
    """What the order of one of them may say: whoever stands at home is at home by every such wording."""
    if kind not in ("home", "leaver"):
        return [{"kind": "excluded_categories", "categories": chance.choice([["bar"], ["bar", "ktv"]])}]
    home = {"type": "Point", "coordinates": list(place_of(kind, group, 0.0))}
    hours = chance.choice([("00:00", "00:00"), ("22:00", "06:00"), ("06:00", "22:00")])
    area = {"kind": "stay_within_area", "geometry": home, "radius_m": chance.choice([300, 400, 500]), "tolerance_m": 50}
    windows = {"windows": [{"from": hours[0], "to": hours[1]}]}
    curfew = {"kind": "curfew", "geometry": home, "radius_m": chance.choice([200, 300]), "timetable": windows}
    return [area, curfew] if kind == "leaver" else chance.choice([[area], [area, curfew], [curfew, area], [curfew]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everybody, with two officers who may decide about them all."""

    engine: Engine
    clock: Since
    people: list[Someone]
    police: UUID
    leader: UUID

    def case(self, kind: str, number: int, chance: random.Random) -> Any:
        return a_case(
            reference=f"{kind}-{number}", document_number=f"合成〔2026〕{kind}{number}号", measure="bail",
            deciding_organ="合成公安局", valid_from=self.clock.start - 30 * DAY, valid_to=self.clock.start + 30 * DAY,
            conditions=conditions_of(kind, number // 6, chance),
        )  # fmt: skip

    def draw_bar(self, connection: Any, kind: str, group: int, *, east_m: float, radius_m: float, at: datetime) -> None:
        longitude, latitude = place_of(kind, group, east_m)
        draft = ZoneDraft(
            zone_id=new_id(), source="venue:test", source_id=f"{kind}-{group}", kind=ZoneKind.EXCLUSION,
            origin=ZoneOrigin.VENUE, name="合成酒吧", category=VenueCategory.BAR,
            shape=Circle(longitude=longitude, latitude=latitude, radius_m=radius_m),
        )  # fmt: skip
        save_zones(connection, [draft], at=at)


def a_scene(engine: Engine, clock: Since) -> Scene:
    chance = random.Random(1)
    scene = Scene(engine=engine, clock=clock, people=[], police=UUID(int=0), leader=UUID(int=0))
    with engine.begin() as connection:
        officers = [
            an_official(connection, name, role, now=clock.start)
            for name, role in (("police", AccountRole.POLICE), ("leader", AccountRole.LEADER))
        ]
        for kind in KINDS[1:4]:
            for group in range(EACH // 6):
                scene.draw_bar(connection, kind, group, east_m=0.0, radius_m=35.0, at=clock.start - DAY)
        for kind in KINDS:
            for number in range(EACH):
                case = scene.case(kind, number, chance)
                done = register(connection, case, at=clock.start - DAY)
                set_jurisdiction(connection, done.subject_no, "320300")
                for officer in officers:
                    join_case(connection, done.subject_no, officer.account_no, now=clock.start)
                order_id = connection.execute(
                    text("SELECT order_id FROM supervision_order WHERE subject_no = :no"), {"no": done.subject_no}
                ).scalar_one()
                scene.people.append(
                    Someone(
                        kind=kind, number=number, subject_no=done.subject_no, order_id=order_id, token=done.token or "",
                        sender=devices_of(connection, [done.subject_id])[done.subject_id],
                    )
                )  # fmt: skip
    return Scene(
        engine=engine, clock=clock, people=scene.people, police=officers[0].account_id, leader=officers[1].account_id
    )


# ---- edits


class Editor:
    """Edits as offices do, one after the other, some of them slow to commit."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.chance = scene, random.Random(2)
        self.leaves: list[UUID] = []
        self.exemptions: list[UUID] = []
        self.done: dict[str, int] = {}

    def run(self) -> None:
        acts: list[Callable[[], None]] = [
            self.redraw, self.redraw, self.redraw, self.vary, self.vary, self.vary, self.leave, self.cancel,
            self.exempt, self.revoke,
        ]  # fmt: skip
        while self.scene.clock.minutes() < LASTS - 2:
            act = self.chance.choice(acts)
            act()
            self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
            time.sleep(0.08)

    def one_of(self, *kinds: str) -> Someone:
        return self.chance.choice([item for item in self.scene.people if item.kind in kinds])

    def linger(self) -> None:
        """Fixes are judged by the old rules meanwhile, though the new ones hold."""
        if self.chance.random() < 0.3:
            time.sleep(0.5)

    def redraw(self) -> None:
        kind, group = self.chance.choice(KINDS[1:4]), self.chance.randrange(EACH // 6)
        at = self.scene.clock.now()
        away = {"in_bar": [0.0, 0.0, 400.0], "near_bar": [0.0, -400.0], "visitor": [0.0]}[kind]
        with self.scene.engine.begin() as connection:
            self.scene.draw_bar(
                connection, kind, group, east_m=self.chance.choice(away), radius_m=self.chance.choice([35.0, 40.0]),
                at=at,
            )  # fmt: skip
            self.linger()

    def vary(self) -> None:
        someone, at = self.one_of(*KINDS), self.scene.clock.now()
        with self.scene.engine.begin() as connection:
            register(connection, self.scene.case(someone.kind, someone.number, self.chance), at=at)
            self.linger()

    def leave(self) -> None:
        someone, now = self.one_of("home"), self.scene.clock.now()
        wish = LeaveWish(
            order_id=someone.order_id, reason="就医", destination="合成市", route="高速", transport="汽车",
            contact="13800000109", from_at=now + timedelta(minutes=1), to_at=now + timedelta(minutes=9),
        )  # fmt: skip
        with as_account(self.scene.engine, self.scene.police) as connection:
            leave_id = ask_leave(connection, KEYRING, someone.subject_no, wish)
            state = answer_leave(connection, leave_id, organ=Organ.POLICE, is_approved=True, remark="同意")
            assert state == "approved"
        self.leaves.append(leave_id)

    def cancel(self) -> None:
        if self.leaves:
            # One that is over can no longer be cancelled.
            with suppress(NotThereError), as_account(self.scene.engine, self.scene.police) as connection:
                close_leave(connection, self.leaves.pop(0), Closing.CANCELLED)

    def exempt(self) -> None:
        someone, now = self.one_of("in_bar"), self.scene.clock.now()
        (zone_id,) = rows(self.scene.engine, f"SELECT zone_id FROM zone WHERE source_id = '{someone.bar}' LIMIT 1")[0]
        with as_account(self.scene.engine, self.scene.leader) as connection:
            wish = ExemptionWish(
                kind=ExemptionKind.HOME, reason="住在楼上", zone_id=zone_id, valid_from=now, valid_to=now + DAY
            )
            self.exemptions.append(grant_exemption(connection, someone.subject_no, wish))

    def revoke(self) -> None:
        if self.exemptions:
            with as_account(self.scene.engine, self.scene.leader) as connection:
                revoke_exemption(connection, self.exemptions.pop(0))


# ---- fixes


def post_all(scene: Scene, client: httpx.Client, failed: list[object]) -> None:
    """A fix a minute of those who post over HTTP."""
    for minute in range(LASTS):
        for someone in scene.people:
            if someone.number < BY_HTTP:
                answer = post_fixes(client, someone.token, [someone.fix(scene.clock)])
                if answer.status_code != 201:
                    failed.append((answer.status_code, answer.text))
        time.sleep(max(0.0, (minute + 1 - scene.clock.minutes()) * 60.0 / SPEED))


def write_all(scene: Scene) -> None:
    """A fix a minute of the others, some of them at a time."""
    others = [someone for someone in scene.people if someone.number >= BY_HTTP]
    for minute in range(LASTS):
        for first in range(0, len(others), 50):
            log = [
                row
                for item in others[first : first + 50]
                for row in to_rows(item.sender, [item.fix(scene.clock)], None)
            ]
            with scene.engine.begin() as connection:
                write_rows(driver_connection(connection), log)
        time.sleep(max(0.0, (minute + 1 - scene.clock.minutes()) * 60.0 / SPEED))


@pytest.mark.slow
def test_edits_under_load_make_nobody_come_or_go_who_stood_still(engine: Engine, database_url: str) -> None:
    """Of 240 people 144 stand still, in a bar, beside one, at home; 96 really go where they must not. Two workers."""
    clock = Since(datetime.now(UTC), time.time())
    scene = a_scene(engine, clock)
    clock.start, clock.begun = datetime.now(UTC), time.time()
    editor, failed = Editor(scene), list[object]()
    with running_server(database_url, clock=clock) as client, two_workers(database_url, clock):
        threads = [
            threading.Thread(target=post_all, args=(scene, client, failed)),
            threading.Thread(target=write_all, args=(scene,)),
            threading.Thread(target=editor.run),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await_quiet(engine, most_s=60.0)
        deadline = time.monotonic() + 60.0
        while rows(engine, "SELECT count(*) FROM reevaluation") != [(0,)]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert failed == []
    assert sum(editor.done.values()) >= 120, editor.done
    assert_nobody_came_or_went(scene)
    assert_log_gives_what_is_stored(engine, now=clock.now())


def assert_nobody_came_or_went(scene: Scene) -> None:
    kind_of = {item.subject_no: item.kind for item in scene.people}
    moved = rows(scene.engine, "SELECT subject_no FROM episode WHERE is_entry OR is_crossing OR ended_by = 'exit'")
    assert [kind_of[number] for (number,) in moved if kind_of[number] in STILL] == [], "superseded ones count too"
    told = rows(scene.engine, "SELECT subject_no, kind FROM violation")
    assert {kind_of[number] for number, _ in told} == {"in_bar", "visitor", "leaver"}
    assert {kind for number, kind in told if kind_of[number] == "in_bar"} == {"excluded_categories"}
    found = {number for (number,) in rows(
        scene.engine,
        "SELECT e.subject_no FROM violation v JOIN episode e USING (episode_id)"
        " WHERE e.superseded_at IS NULL AND e.tier = 'probable'",
    )}  # fmt: skip
    missed = [item for item in scene.people if item.kind in ("visitor", "leaver") and item.subject_no not in found]
    assert missed == []
