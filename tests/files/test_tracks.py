"""Tracks from files, folders and archives: every row is a fix or a rejection. Synthetic subjects only."""

import io
import tarfile
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.files.errors import MissingColumn, UnknownDatum, UnreadableFile
from api.files.tracks import TrackRead, read_tracks
from geo.datum import Datum
from tests.files.shared_data import shared_file
from tracking.fix import FixSource

HEADER = "subject_id,fixed_at,longitude,latitude\n"
PLT = "Geolife trajectory\nWGS 84\nAltitude is in Feet\nReserved 3\n0,2,255,My Track,0,0,2,8421376\n0\n"
PLT_ROW = "39.984702,116.318417,0,492,39744.1201851852,2008-10-23,02:53:04\n"


def a_file(folder: Path, text: str, name: str = "fixes.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def read_csv(folder: Path, text: str, *, timezone: str | None = None) -> list[TrackRead]:
    return list(read_tracks(a_file(folder, text), datum=Datum.WGS84, timezone=timezone))


def test_one_read_per_subject_in_file_order(tmp_path: Path) -> None:
    rows = "s2,2024-05-01T08:00:00+08:00,116.4,39.9\ns1,2024-05-01T00:01:00Z,116.5,39.9\n"
    rows += "s2,2024-05-01T00:00:00Z,116.6,39.9\n"
    first, second = read_csv(tmp_path, HEADER + rows)
    assert (first.subject_ref, second.subject_ref, first.file) == ("s2", "s1", "fixes.csv")
    assert [fix.longitude for fix in first.fixes] == [116.4, 116.6]
    assert first.fixes[0].fixed_at == first.fixes[1].fixed_at == datetime(2024, 5, 1, tzinfo=UTC)
    assert first.fixes[0].source is FixSource.UNKNOWN


def test_every_optional_column(tmp_path: Path) -> None:
    header = (
        "subject_id;fixed_at;longitude;latitude;accuracy_m;datum;sent_at;received_at;source;speed_mps;altitude_m;"
        "battery_percent;is_mock\n"
    )
    full = "s1;2024-05-01T08:00:00+08:00;116.4;39.9;12.5;GCJ02;2024-05-01T08:00:01+08:00;2024-05-01T08:00:02+08:00;"
    full += "GPS;1.5;40;77;true\n"
    bare = "s1;2024-05-01T08:01:00+08:00;116.4;39.9;;WGS84;;;;-1;;;\n"
    (read,) = read_tracks(a_file(tmp_path, header + full + bare))
    fix, other = read.fixes
    assert (fix.accuracy_m, fix.datum, fix.source, fix.speed_mps) == (12.5, Datum.GCJ02, FixSource.GPS, 1.5)
    assert (fix.altitude_m, fix.battery_percent, fix.is_mock) == (40.0, 77.0, True)
    assert fix.sent_at == datetime(2024, 5, 1, 0, 0, 1, tzinfo=UTC)
    assert fix.received_at == datetime(2024, 5, 1, 0, 0, 2, tzinfo=UTC)
    assert (other.accuracy_m, other.sent_at, other.speed_mps, other.is_mock) == (None, None, None, False)


def test_an_accuracy_of_zero_is_not_perfect_but_unknown(tmp_path: Path) -> None:
    rows = "s1,2024-05-01T08:00:00Z,116.4,39.9,0.0\ns1,2024-05-01T08:01:00Z,116.4,39.9,nan\n"
    (read,) = read_csv(tmp_path, HEADER.strip() + ",accuracy\n" + rows)
    assert [fix.accuracy_m for fix in read.fixes] == [None, None]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ("s1,2024-05-01T08:00:00,116.4,39.9,5", "fixed_at", "--timezone"),
        ("s1,,116.4,39.9,5", "fixed_at", "missing"),
        ("s1,2024-05-01,116.4,39.9,5", "fixed_at", "without a time"),
        ("s1,2024-05-01T08:00:00Z,,39.9,5", "longitude", "missing"),
        ("s1,2024-05-01T08:00:00Z,39.9,116.4,5", "latitude", "swapped"),
        ("s1,2024-05-01T08:00:00Z,0,0,5", "longitude", "0,0"),
        ("s1,2024-05-01T08:00:00Z,116.4,39.9,good", "accuracy_m", "number"),
    ],
)
def test_a_bad_row_is_rejected_with_its_subject_and_line(tmp_path: Path, row: str, field: str, reason: str) -> None:
    good = "s1,2024-05-01T08:00:00Z,116.4,39.9,5"
    (read,) = read_csv(tmp_path, f"{HEADER.strip()},accuracy_m\n{good}\n{row}\n{good}\n")
    (rejection,) = read.rejected
    assert (rejection.line, rejection.reference, rejection.field) == (3, "s1", field)
    assert reason in rejection.reason
    assert len(read.fixes) == 2


def test_a_row_of_nobody_is_rejected_without_a_subject(tmp_path: Path) -> None:
    reads = read_csv(tmp_path, HEADER + ",2024-05-01T08:00:00Z,116.4,39.9\ns1,2024-05-01T08:00:00Z,116.4,39.9\n")
    nobody = next(read for read in reads if read.subject_ref == "")
    assert (len(nobody.fixes), [row.field for row in nobody.rejected]) == (0, ["subject_id"])


def test_a_zone_reads_naive_times(tmp_path: Path) -> None:
    (read,) = read_csv(tmp_path, HEADER + "s1,2024-05-01T08:00:00,116.4,39.9\n", timezone="Asia/Shanghai")
    assert read.fixes[0].fixed_at == datetime(2024, 5, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="Mars"):
        read_tracks(tmp_path / "fixes.csv", datum=Datum.WGS84, timezone="Mars/Olympus")


def test_without_a_datum_or_a_needed_column_the_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownDatum):
        read_tracks(a_file(tmp_path, HEADER))
    with pytest.raises(MissingColumn, match="fixed_at"):
        read_tracks(a_file(tmp_path, "subject_id,longitude,latitude\n"), datum=Datum.WGS84)


def test_a_file_without_subjects_is_named_by_its_stem(tmp_path: Path) -> None:
    (read,) = read_csv(tmp_path, "fixed_at,longitude,latitude\n2024-05-01T08:00:00Z,116.4,39.9\n")
    assert read.subject_ref == "fixes"


def test_an_empty_table_gives_nothing(tmp_path: Path) -> None:
    assert read_csv(tmp_path, HEADER) == []


def test_an_unknown_or_empty_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        read_tracks(a_file(tmp_path, "", "x.kml"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableFile):
        read_tracks(tmp_path / "empty")


def a_folder(folder: Path) -> Path:
    a_file(folder, PLT + PLT_ROW, "010/Trajectory/20081023025304.plt")
    a_file(folder, "not for us", "010/labels.txt")
    a_file(folder, HEADER + "s1,2024-05-01T08:00:00Z,116.4,39.9\n", "a.csv")
    a_file(folder, "no header", "b.csv")
    a_file(folder, "x", "._a.csv")
    return folder


def archived(folder: Path, suffix: str) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = folder.parent / f"tracks{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for file in files:
                zipped.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz") as tarred:
            for file in files:
                tarred.add(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("suffix", ["", ".zip", ".tar.gz"])
def test_folders_and_archives_give_the_same_and_a_bad_file_costs_only_itself(tmp_path: Path, suffix: str) -> None:
    folder = a_folder(tmp_path / "tracks")
    steps: list[int] = []
    path = archived(folder, suffix) if suffix else folder
    plt, csv, bad = read_tracks(path, datum=Datum.WGS84, progress=steps.append)
    assert (plt.subject_ref, plt.file, len(plt.fixes)) == ("010", "010/Trajectory/20081023025304.plt", 1)
    assert (csv.subject_ref, len(csv.fixes)) == ("s1", 1)
    assert (bad.file, bad.fixes, [row.line for row in bad.rejected]) == ("b.csv", (), [0])
    assert sum(steps) == 2


@pytest.mark.parametrize("name", ["tracks.zip", "tracks.tar.gz", "fixes.parquet"])
def test_a_damaged_container_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile):
        read_tracks(a_file(tmp_path, "damaged", name), datum=Datum.WGS84)


def test_a_chinese_name_in_a_zip_of_old_windows(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    member = zipfile.ZipInfo("x.rec")
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr(member, "")
    wanted = "甲".encode("gb18030") + b"ab"
    path.write_bytes(path.read_bytes().replace(b"x.rec", wanted[:1] + b".rec"))
    assert len(list(read_tracks(path))) == 1


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_keeps_the_csv_contract(tmp_path: Path, unit: str) -> None:
    times = pandas.to_datetime(["2024-05-01T00:00:00.5Z", "2024-05-01T00:01:00.0Z", "2024-05-01T00:02:00.0Z"], utc=True)
    table = pandas.DataFrame(
        {
            "Subject_ID": [7, 7, 8],
            "fixed_at": times.as_unit(unit),  # type: ignore[arg-type]
            "longitude": [116.4, float("nan"), 116.4],
            "latitude": [39.9, 39.9, 39.9],
            "accuracy_m": [5.0, 5.0, float("nan")],
            "is_mock": [True, None, False],
        }
    )
    table.to_parquet(tmp_path / "fixes.parquet")
    first, second = read_tracks(tmp_path / "fixes.parquet", datum=Datum.GCJ02)
    assert (first.subject_ref, second.subject_ref) == ("7", "8")
    assert first.fixes[0].fixed_at == datetime(2024, 5, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert (first.fixes[0].accuracy_m, first.fixes[0].datum, first.fixes[0].is_mock) == (5.0, Datum.GCJ02, True)
    assert [(row.line, row.field) for row in first.rejected] == [(2, "longitude")]
    assert second.fixes[0].accuracy_m is None


def test_a_naive_parquet_time_needs_a_zone(tmp_path: Path) -> None:
    columns = {"fixed_at": pandas.to_datetime(["2024-05-01T08:00:00"]), "longitude": [116.4], "latitude": [39.9]}
    pandas.DataFrame(columns).to_parquet(tmp_path / "s1.parquet")
    (read,) = read_tracks(tmp_path / "s1.parquet", datum=Datum.WGS84)
    assert [row.field for row in read.rejected] == ["fixed_at"]
    (read,) = read_tracks(tmp_path / "s1.parquet", datum=Datum.WGS84, timezone="Asia/Shanghai")
    assert (read.subject_ref, read.fixes[0].fixed_at) == ("s1", datetime(2024, 5, 1, tzinfo=UTC))


FIXES = st.tuples(
    st.sampled_from(["s1", "s2"]),
    st.floats(1e9, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.floats(73.5, 135.0),
    st.floats(3.5, 53.5),
)
JUNK = st.sampled_from(
    ["s1,,116.4,39.9", "s1,2024-05-01T08:00:00,1,2", "s2,x,y,z", "a,b", "s1,2024-05-01T08:00:00Z,0,0"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(rows=st.lists(st.one_of(FIXES, JUNK), max_size=12))
def test_every_row_is_a_fix_or_a_rejection(
    tmp_path: Path, rows: list[str | tuple[str, datetime, float, float]]
) -> None:
    def line(row: str | tuple[str, datetime, float, float]) -> str:
        return row if isinstance(row, str) else f"{row[0]},{row[1].isoformat()},{row[2]!r},{row[3]!r}"

    reads = read_csv(tmp_path, HEADER + "".join(f"{line(row)}\n" for row in rows))
    good = [row for row in rows if not isinstance(row, str)]
    taken = [(read.subject_ref, fix.fixed_at, fix.longitude, fix.latitude) for read in reads for fix in read.fixes]
    assert sorted(taken) == sorted(good)
    rejected = sorted(row.line for read in reads for row in read.rejected)
    assert rejected == [number for number, row in enumerate(rows, start=2) if isinstance(row, str)]


def count(reads: Iterable[TrackRead]) -> tuple[int, int, int]:
    """Subjects, fixes, rejections."""
    found = list(reads)
    subjects = {read.subject_ref for read in found}
    return len(subjects), sum(len(read.fixes) for read in found), sum(len(read.rejected) for read in found)


@pytest.mark.real
def test_geolife() -> None:
    reads = list(read_tracks(shared_file("geolife_trackintel_plt/plt_users_000_002-004_006-010.tar.gz")))
    assert count(reads) == (11, 133_266, 0)
    assert len(reads) == 100
    assert {read.subject_ref for read in reads} >= {"000", "010", "020", "178"}
    assert sum(fix.altitude_m is None for read in reads for fix in read.fixes) == 2414
    observations = {
        (read.subject_ref, fix.fixed_at, fix.longitude, fix.latitude) for read in reads for fix in read.fixes
    }
    assert 133_266 - len(observations) == 8


@pytest.mark.real
def test_owntracks_demo() -> None:
    (read,) = read_tracks(shared_file("owntracks_demo/demo-iphone.rec"))
    assert (read.subject_ref, len(read.fixes), read.rejected, read.other_count) == ("demo-iphone", 23, (), 2)
    assert max(fix.accuracy_m or 0.0 for fix in read.fixes) == 5000.0


@pytest.mark.real
def test_posmo() -> None:
    path = shared_file("phone_accuracy_tracks/posmo_trajectory.csv")
    (read,) = read_tracks(path, datum=Datum.WGS84, timezone="UTC")
    assert (read.subject_ref, len(read.fixes), read.rejected) == ("0", 1327, ())
    assert sum(fix.accuracy_m is None for fix in read.fixes) == 149


@pytest.mark.real
def test_gotrack_needs_its_time_zone() -> None:
    path = shared_file("gotrack_aracaju/go_track_trackspoints.csv")
    assert count(read_tracks(path, datum=Datum.WGS84)) == (163, 0, 18_107)
    reads = list(read_tracks(path, datum=Datum.WGS84, timezone="America/Maceio"))
    assert count(reads) == (163, 18_107, 0)
    assert reads[0].fixes[0].fixed_at == datetime(2014, 9, 13, 7, 24, 32, tzinfo=UTC) + timedelta(hours=3)


def test_the_archive_of_a_stream_needs_no_disk(tmp_path: Path) -> None:
    path = tmp_path / "t.tgz"
    content = (PLT + PLT_ROW).encode()
    with tarfile.open(path, "w:gz") as tarred:
        member = tarfile.TarInfo("../../evil/Trajectory/x.plt")
        member.size = len(content)
        tarred.addfile(member, io.BytesIO(content))
    (read,) = read_tracks(path)
    assert read.subject_ref == "evil"
    assert not (tmp_path.parent.parent / "evil").exists()


def test_folder_may_hold_archives_and_a_damaged_one_costs_no_other(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "good.tar.gz", "w:gz") as archive:
        content = b"subject_id,fixed_at,longitude,latitude,datum\nA,2026-03-20T22:00:00+08:00,117.2,34.26,WGS84\n"
        member = tarfile.TarInfo("inside/track.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    (tmp_path / "bad.tar.gz").write_bytes(b"not an archive")
    reads = list(read_tracks(tmp_path))
    assert [(read.subject_ref, len(read.fixes)) for read in reads if read.fixes] == [("A", 1)]
    assert [read.rejected[0].reference for read in reads if read.rejected] == ["bad.tar.gz"]
