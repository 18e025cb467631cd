"""Quality from the door to the explanation: what is refused, what is stored with which flags, what a person is told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from alembic import command
from sqlalchemy import Engine, text

from api.cli.inspect import quality_of
from api.database import migrate
from api.explaining import explain_alert
from api.files.tracks import read_tracks
from api.fix_flags import flags_of, forget_fix_flags, save_fix_flags
from api.fix_log import drain
from api.replaying import replay_files
from api.track_import import sort_out
from tests.api.live_server import NOW, as_json, post, running_server, stored
from tests.api.test_schema import alembic_config
from tests.make import EVENING, KEYRING, Person, a_bar, a_batch, a_fix, a_person, a_visit, a_worker, history, log_fixes
from tracking.fix import DEFAULT_ACCURACY_M, FixSource
from tracking.quality import FixFlag, QualityPolicy
from tracking.quality_sequence import QUALITY_STATE, flag_sequence


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        return a_person(connection)


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    with running_server(database_url) as client:
        yield client


def test_impossible_fixes_are_refused_with_what_to_do_and_the_rest_is_stored(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    good = a_fix()
    items = [
        as_json(good),
        as_json(good, longitude=0.0, latitude=0.0),
        as_json(good, longitude=good.latitude, latitude=good.longitude),
        as_json(good, fixed_at=(NOW + timedelta(seconds=301)).isoformat()),
        as_json(a_fix(minutes=1)),
    ]
    answer = post(client, person.token, {"fixes": items})
    assert (answer.status_code, answer.json()["stored"], len(stored(engine))) == (201, 2, 2)
    refused = answer.json()["refused"]
    assert [(item["index"], item["field"]) for item in refused] == [(1, "longitude"), (2, "latitude"), (3, "fixed_at")]
    for item, words in zip(refused, ("无定位", "请互换", "校准设备时钟"), strict=True):
        assert words in item["reason"]
    assert str(good.longitude) not in answer.text


@pytest.mark.parametrize(
    ("sent", "flags"),
    [
        ({"is_mock": True}, FixFlag.MOCK),
        ({"accuracy_m": 17_000}, FixFlag.ACCURACY_ABSURD),
        ({"accuracy_m": 0}, FixFlag.ACCURACY_ASSUMED),
        ({"accuracy_m": -1}, FixFlag.ACCURACY_ASSUMED | FixFlag.DECLARED_INVALID),
        ({"altitude_m": -9999}, FixFlag.ALTITUDE_UNKNOWN),
        ({"fixed_at": (NOW + timedelta(seconds=20)).isoformat()}, FixFlag.CLOCK_AHEAD),
        ({"altitude_m": 38.5}, FixFlag(0)),
    ],
)
def test_a_doubtful_fix_is_stored_with_its_flags_and_read_with_them(
    engine: Engine, client: httpx.Client, person: Person, sent: dict[str, Any], flags: FixFlag
) -> None:
    assert post(client, person.token, as_json(a_fix(), **sent)).status_code == 201
    (row,) = stored(engine)
    assert row.flags == flags
    assert row.accuracy_m == (
        DEFAULT_ACCURACY_M[FixSource.GPS] if flags & FixFlag.ACCURACY_ASSUMED else sent.get("accuracy_m", 10.0)
    )
    assert row.is_accuracy_assumed == bool(flags & FixFlag.ACCURACY_ASSUMED)
    assert row.altitude_m == (38.5 if sent.get("altitude_m") == 38.5 else None)
    with engine.connect() as connection:
        assert history(connection, person).flags.tolist() == [flags]
        assert drain(connection, [person.sender.shard], most_rows=10).fixes.flags.tolist() == [flags]


def test_a_file_gives_its_sound_fixes_and_one_rejection_for_each_reason(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    rows = [
        "2026-03-20T14:00:00Z,117.2,34.26,",
        "1970-01-01T00:00:09Z,117.2,34.26,",
        "1980-01-06T00:00:09Z,117.2,34.26,",
        "2026-03-20T14:10:00Z,117.2,34.26,2026-03-20T14:00:00Z",
        "2026-03-20T14:01:00Z,117.2,34.26,",
    ]
    path.write_text("fixed_at,longitude,latitude,received_at\n" + "\n".join(rows))
    (track,) = read_tracks(path, datum=a_fix().datum)
    good, rejected = sort_out(track, received_at=NOW)
    assert [fix.fixed_at for fix in good] == [EVENING, EVENING + timedelta(minutes=1)]
    assert [(item.reference, item.field, item.value) for item in rejected] == [
        ("fixes", "fixed_at", "2 × fixes.csv"),
        ("fixes", "fixed_at", "1 × fixes.csv"),
    ]
    assert ["2000" in item.reason for item in rejected] == [True, False]
    (tmp_path / "zones.geojson").write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"id": "b", "kind": "exclusion",'
        ' "radius_m": 35}, "geometry": {"type": "Point", "coordinates": [117.2, 34.26]}}]}'
    )
    done = replay_files(
        tmp_path / "zones.geojson", path, tmp_path / "out.csv", datum=a_fix().datum, timezone=None,
        progress=lambda _: None,
    )  # fmt: skip
    assert (done.fix_count, len(done.rejected)) == (2, 2)


def test_flags_of_the_sequence_are_kept_replaced_and_forgotten_by_stretch(engine: Engine, person: Person) -> None:
    track = [a_fix(minutes=minute / 6, east_m=90_000 if minute in {3, 7} else minute) for minute in range(9)]
    log_fixes(engine, person, [replace(fix, is_mock=fix is track[1]) for fix in track])
    with engine.begin() as connection:
        fixes = history(connection, person)
        flags, _ = flag_sequence(fixes, np.zeros(0, dtype=QUALITY_STATE), QualityPolicy())
        assert save_fix_flags(connection, fixes, flags) == 2
        assert save_fix_flags(connection, fixes, flags) == 2
        both = flags_of(connection, fixes)
        assert both.tolist() == (fixes.flags | flags).tolist()
        assert np.count_nonzero(both) == 3
        save_fix_flags(connection, fixes, np.where(flags, np.int32(FixFlag.STALE_REPEAT), 0).astype(np.int32))
        assert set((flags_of(connection, fixes) & ~fixes.flags).tolist()) == {0, FixFlag.STALE_REPEAT}
        since = EVENING + timedelta(minutes=1)
        assert forget_fix_flags(connection, {person.subject_no + 1: EVENING}) == 0
        assert forget_fix_flags(connection, {person.subject_no: since}) == 1
        assert np.flatnonzero(flags_of(connection, fixes)).tolist() == [1, 3]
        assert save_fix_flags(connection, fixes.take(np.arange(0)), flags[:0]) == 0
        assert len(flags_of(connection, fixes.take(np.arange(0)))) == 0


def test_an_explanation_names_the_doubts_in_plain_words(engine: Engine, person: Person) -> None:
    with engine.begin() as connection:
        a_bar(connection)
    visit = a_visit()
    visit[12] = replace(visit[12], accuracy_m=None)
    log_fixes(engine, person, visit)
    a_worker(engine).drain()
    with engine.begin() as connection:
        log = history(connection, person)
        flags = np.where(np.arange(len(log)) == 20, np.int32(FixFlag.TELEPORT), 0).astype(np.int32)
        save_fix_flags(connection, log, flags)
        alert_id = connection.execute(text("SELECT alert_id FROM alert")).scalar_one()
        told = quality_of(explain_alert(connection, str(alert_id), keyring=KEYRING).fixes)
    assert [times for _, times in told] == ["22:12:00", "22:20:00"]
    assert ["精度未知" in told[0][0], "位置跳变" in told[1][0]] == [True, True]


def test_rows_of_before_get_the_flags_that_they_speak_of_themselves(engine: Engine, person: Person) -> None:
    fixes = [
        a_fix(),
        a_fix(minutes=1, accuracy_m=None),
        replace(a_fix(minutes=2, accuracy_m=20_000), is_mock=True),
        replace(a_fix(minutes=3), received_at=EVENING),
    ]
    log_fixes(engine, person, fixes)
    before = [row.flags for row in stored(engine)]
    assert before == a_batch(fixes).flags.tolist() == [0, 1, 2 | 32, 16]
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
    migrate(engine, keyring=KEYRING)
    assert [row.flags for row in stored(engine)] == before
