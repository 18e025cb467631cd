"""GeoLife, OwnTracks and GPX: their own words for missing values, their own faults."""

import io
import json
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.files.track_formats import TrackRead, TrackSource, read_gpx, read_plt, read_rec
from geo.datum import Datum
from tracking.fix import FixSource

HEADER = "Geolife trajectory\r\nWGS 84\r\nAltitude is in Feet\r\nReserved 3\r\n0,2,255,x,0,0,2,8421376\r\n0\r\n"


def source(text: str, path: str) -> TrackSource:
    return TrackSource(file=path, path=PurePosixPath(path), stream=io.BytesIO(text.encode()))


def plt(*rows: str, path: str = "Data/010/Trajectory/x.plt") -> TrackRead:
    (read,) = read_plt(source(HEADER + "".join(f"{row}\r\n" for row in rows), path))
    return read


def rec(*lines: str, path: str = "phone.rec") -> TrackRead:
    (read,) = read_rec(source("\n".join(lines), path))
    return read


def message(**values: object) -> str:
    location = {"_type": "location", "tst": 1440395361, "lat": 52.3, "lon": 10.0, **values}
    return f"2015-08-24T05:55:07Z\t*                 \t{json.dumps(location)}"


def gpx(points: str, *, end: str = "</trkseg></trk></gpx>") -> TrackRead:
    head = '<?xml version="1.0"?><gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
    (read,) = read_gpx(source(head + points + end, "walk.gpx"))
    return read


def trkpt(body: str = "<time>2024-05-01T00:00:00Z</time>", *, lat: str = "39.9") -> str:
    return f'<trkpt lat="{lat}" lon="116.4">{body}</trkpt>'


def test_a_geolife_row() -> None:
    read = plt("39.984702,116.318417,0,492,39744.1201851852,2008-10-23,02:53:04")
    (fix,) = read.fixes
    assert (read.subject_ref, fix.longitude, fix.latitude) == ("010", 116.318417, 39.984702)
    assert fix.fixed_at == datetime(2008, 10, 23, 2, 53, 4, tzinfo=UTC)
    assert fix.altitude_m == pytest.approx(149.96, abs=0.01)
    assert (fix.datum, fix.source, fix.accuracy_m) == (Datum.WGS84, FixSource.GPS, None)


def test_an_altitude_of_minus_777_feet_is_missing() -> None:
    (fix,) = plt("39.9,116.3,0,-777,39744,2008-10-23,02:53:04").fixes
    assert fix.altitude_m is None


def test_a_trajectory_outside_a_users_folder_is_named_by_its_stem() -> None:
    assert plt(path="walk.plt").subject_ref == "walk"


def test_bad_geolife_rows_are_rejected_by_line() -> None:
    good = "39.9,116.3,0,492,39744,2008-10-23,02:53:04"
    read = plt(
        "400.17,116.3,0,492,39744,2008-10-23,02:53:04", good, "39.9,116.3", "39.9,116.3,0,1,1,2008-13-23,02:53:04"
    )
    assert [row.line for row in read.rejected] == [7, 9, 10]
    assert len(read.fixes) == 1


def test_an_owntracks_location() -> None:
    read = rec(message(acc=3000, batt=96, vel=36, alt=51))
    (fix,) = read.fixes
    assert (read.subject_ref, fix.accuracy_m, fix.battery_percent, fix.speed_mps) == ("phone", 3000.0, 96.0, 10.0)
    assert fix.fixed_at == datetime(2015, 8, 24, 5, 49, 21, tzinfo=UTC)
    assert fix.received_at == datetime(2015, 8, 24, 5, 55, 7, tzinfo=UTC)
    assert fix.altitude_m == 51.0


def test_owntracks_words_for_not_known() -> None:
    (fix,) = rec(message(acc=0, vel=-1, batt=-1, tst="1440395361")).fixes
    assert (fix.accuracy_m, fix.speed_mps, fix.battery_percent) == (None, None, None)


def test_a_negative_accuracy_is_kept_for_intake_to_judge() -> None:
    (fix,) = rec(message(acc=-5)).fixes
    assert fix.accuracy_m == -5.0


def test_other_owntracks_messages_are_counted_and_bad_lines_rejected() -> None:
    will = '2015-08-24T05:55:14Z\t-\t{"tst":"1440363922","_type":"lwt"}'
    read = rec(will, message(), "garbage", message(lat="x"), message(tst=None), "x\ty\t[1]")
    assert (len(read.fixes), read.other_count) == (1, 1)
    assert [(row.line, row.field) for row in read.rejected] == [
        (3, ""),
        (4, "lat"),
        (5, "tst"),
        (6, ""),
    ]


def test_the_recorders_own_store_names_user_and_device() -> None:
    assert rec(message(), path="rec/jane/phone/2015-08.rec").subject_ref == "jane/phone"


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_in_a_record_is_counted_or_rejected(lines: list[str]) -> None:
    fit = [line for line in lines if line.isprintable() and line.strip()]
    read = rec(*fit)
    assert len(read.rejected) == len(fit)


def test_gpx_points() -> None:
    read = gpx(trkpt("<ele>50</ele><time>2024-05-01T08:00:00+08:00</time><fix>3d</fix>") + trkpt())
    first, second = read.fixes
    assert read.subject_ref == "walk"
    assert first.fixed_at == second.fixed_at == datetime(2024, 5, 1, tzinfo=UTC)
    assert (first.altitude_m, first.source, second.source) == (50.0, FixSource.GPS, FixSource.UNKNOWN)
    assert (first.longitude, first.latitude, first.datum) == (116.4, 39.9, Datum.WGS84)


@pytest.mark.parametrize("body", ["", "<time>yesterday</time>", "<time>2024-05-01T08:00:00</time>"])
def test_a_gpx_point_without_a_usable_time_is_rejected(body: str) -> None:
    read = gpx(trkpt() + trkpt(body))
    assert (len(read.fixes), [(row.line, row.field) for row in read.rejected]) == (1, [(2, "fixed_at")])


def test_one_bad_number_does_not_cost_the_other_points() -> None:
    read = gpx(trkpt() + trkpt(lat="north") + '<trkpt lat="1" lon="2"/>' + trkpt())
    assert len(read.fixes) == 2
    assert [(row.line, row.field) for row in read.rejected] == [(0, "file"), (2, "trkpt"), (3, "fixed_at")]


def test_a_recorder_that_died_while_writing_keeps_its_points() -> None:
    read = gpx(trkpt() + trkpt(), end='<trkpt lat="39.9" lo')
    assert len(read.fixes) == 2
    assert [(row.line, row.field) for row in read.rejected] == [(0, "file")]
