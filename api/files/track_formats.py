"""Tracks in formats that say what their coordinates and times are: GeoLife .plt, OwnTracks .rec, GPX."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import PurePath
from typing import BinaryIO

import gpxpy
from gpxpy.gpx import GPXException, GPXTrackPoint

from api.files.cells import CellError, check_position, parse_epoch_seconds, parse_instant, parse_number, to_utc
from api.files.tables import Progress
from api.files.text import open_text, shown
from geo.datum import Datum
from tracking.fix import Fix, FixSource
from venues.place import Rejected

_PLT_HEADER_LINES = 6
_PLT_NO_ALTITUDE_FT = -777.0
_METRES_PER_FOOT = 0.3048
_KMH_PER_MPS = 3.6
_MONTH = re.compile(r"\d{4}-\d{2}")
_SATELLITE_FIXES = ("2d", "3d", "dgps", "pps")
_GPX_POINT = re.compile(r"<trkpt\b[^>]*/>|<trkpt\b[^>]*>.*?</trkpt>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRead:
    """What one file gave of one subject: its fixes as sent, in the order of the file, and the rejected rows."""

    subject_ref: str
    """The subject's name in the file or its folder; empty for rejected rows that name no subject."""
    fixes: tuple[Fix, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    file: str
    """Path as given, or inside its folder or archive."""
    other_count: int = 0
    """Messages that are not fixes and need not be (OwnTracks last wills, transitions, waypoints)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSource:
    """One file of tracks, open: on disk or out of an archive."""

    file: str
    path: PurePath
    """With its folders, which name the subject in some formats."""
    stream: BinaryIO
    datum: Datum | None = None
    """Given by the caller; wins over what the format says."""
    timezone: tzinfo | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    fixes: list[Fix]
    rejected: list[Rejected]

    def read(self, source: TrackSource, subject_ref: str, *, other_count: int = 0) -> TrackRead:
        if source.progress is not None:
            source.progress(len(self.fixes) + len(self.rejected) + other_count)
        return TrackRead(
            subject_ref=subject_ref,
            fixes=tuple(self.fixes),
            rejected=tuple(self.rejected),
            file=source.file,
            other_count=other_count,
        )


def known_accuracy_m(accuracy_m: float | None) -> float | None:
    """The 68 % radius, or ``None`` where the device does not say: 0.0 is not perfection but a blank."""
    return accuracy_m or None


def read_plt(source: TrackSource) -> Iterator[TrackRead]:
    """One GeoLife trajectory: six header lines, then latitude, longitude, 0, altitude (ft), day number, date, GMT time.

    WGS-84 by satellite. The subject is the user's folder (``010/Trajectory/x.plt`` is ``010``), else the file's stem.
    """
    outcome = _Outcome([], [])
    with open_text(source.stream) as lines:
        for line, text in enumerate(lines, start=1):
            if line <= _PLT_HEADER_LINES or not text.strip():
                continue
            try:
                outcome.fixes.append(_plt_fix(text.strip(), source.datum or Datum.WGS84))
            except CellError as error:
                outcome.rejected.append(error.rejected(line=line, reference=""))
    folders = source.path.parts[:-1]
    is_geolife = len(folders) >= 2 and folders[-1].casefold() == "trajectory"
    yield outcome.read(source, folders[-2] if is_geolife else source.path.stem)


def _plt_fix(text: str, datum: Datum) -> Fix:
    cells = text.split(",")
    if len(cells) != 7:
        raise CellError(field="", value=text, reason=f"列数不符，应为 7 列 / {len(cells)} columns instead of 7")
    latitude = parse_number(cells[0], field="latitude")
    longitude = parse_number(cells[1], field="longitude")
    check_position(longitude=longitude, latitude=latitude)
    altitude_ft = parse_number(cells[3], field="altitude")
    return Fix(
        fixed_at=parse_instant(f"{cells[5].strip()}T{cells[6].strip()}+00:00", field="fixed_at", timezone=None),
        longitude=longitude,
        latitude=latitude,
        datum=datum,
        source=FixSource.GPS,
        altitude_m=None if altitude_ft == _PLT_NO_ALTITUDE_FT else altitude_ft * _METRES_PER_FOOT,
    )


def read_rec(source: TrackSource) -> Iterator[TrackRead]:
    """One log of the OwnTracks recorder: ISO time of reception, TAB, type, TAB, JSON message. WGS-84.

    Messages that are not locations are counted, not rejected. The subject is the file's stem, or ``user/device`` in the
    recorder's own store, where files are named for months.
    """
    outcome = _Outcome([], [])
    other_count = 0
    with open_text(source.stream) as lines:
        for line, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            try:
                fix = _rec_fix(text.rstrip("\r\n"), source.datum or Datum.WGS84)
            except CellError as error:
                outcome.rejected.append(error.rejected(line=line, reference=""))
                continue
            if fix is None:
                other_count += 1
            else:
                outcome.fixes.append(fix)
    folders = source.path.parts[:-1]
    is_store = len(folders) >= 2 and _MONTH.fullmatch(source.path.stem) is not None
    yield outcome.read(source, "/".join(folders[-2:]) if is_store else source.path.stem, other_count=other_count)


def _rec_fix(text: str, datum: Datum) -> Fix | None:
    """The fix of one line, or ``None`` for a message of another kind."""
    cells = text.split("\t", 2)
    try:
        message = json.loads(cells[-1]) if len(cells) == 3 else None
    except (json.JSONDecodeError, RecursionError):
        message = None
    if not isinstance(message, dict):
        reason = "不是 OwnTracks 记录 / not an OwnTracks record: time, TAB, type, TAB, JSON object"
        raise CellError(field="", value=text, reason=reason)
    if message.get("_type") != "location":
        return None

    def optional(key: str) -> float | None:
        value = message.get(key)
        return None if value is None else parse_number(str(value), field=key)

    longitude = parse_number(str(message.get("lon", "")), field="lon")
    latitude = parse_number(str(message.get("lat", "")), field="lat")
    check_position(longitude=longitude, latitude=latitude)
    speed_kmh, battery = optional("vel"), optional("batt")
    return Fix(
        fixed_at=parse_epoch_seconds(parse_number(str(message.get("tst", "")), field="tst"), field="tst"),
        longitude=longitude,
        latitude=latitude,
        datum=datum,
        accuracy_m=known_accuracy_m(optional("acc")),
        received_at=parse_instant(cells[0], field="received_at", timezone=None),
        speed_mps=None if speed_kmh is None or speed_kmh < 0.0 else speed_kmh / _KMH_PER_MPS,
        altitude_m=optional("alt"),
        battery_percent=None if battery is None or battery < 0.0 else battery,
    )


def read_gpx(source: TrackSource) -> Iterator[TrackRead]:
    """The track points of a GPX file, WGS-84; the subject is the file's stem. Routes and waypoints are no fixes.

    Where the file as a whole is broken (one bad number, or a recorder that died while writing) its points are read one
    by one, and the damage is one of the rejected rows.
    """
    outcome = _Outcome([], [])
    with open_text(source.stream) as stream:
        text = stream.read().lstrip("\ufeff")
    points: list[GPXTrackPoint | GPXException] = []
    try:
        points.extend(_gpx_points(text))
    except GPXException as error:
        reason = f"GPX 文件有损坏，已逐点读取 / damaged GPX file, its points were read one by one: {shown(str(error))}"
        outcome.rejected.append(Rejected(line=0, reference="", field="file", value="", reason=reason))
        points.extend(_salvaged(found.group()) for found in _GPX_POINT.finditer(text))
    for number, point in enumerate(points, start=1):
        try:
            outcome.fixes.append(_gpx_fix(point, source))
        except CellError as error:
            outcome.rejected.append(error.rejected(line=number, reference=""))
    yield outcome.read(source, source.path.stem)


def _gpx_points(text: str) -> Iterator[GPXTrackPoint]:
    for track in gpxpy.parse(text).tracks:
        for segment in track.segments:
            yield from segment.points


def _salvaged(point: str) -> GPXTrackPoint | GPXException:
    try:
        return next(_gpx_points(f'<gpx version="1.1"><trk><trkseg>{point}</trkseg></trk></gpx>'))
    except GPXException as error:
        return error


def _gpx_fix(point: GPXTrackPoint | GPXException, source: TrackSource) -> Fix:
    if isinstance(point, GPXException):
        raise CellError(field="trkpt", value="", reason=f"点无法读取 / the point cannot be read: {shown(str(point))}")
    longitude = parse_number(str(point.longitude), field="longitude")
    latitude = parse_number(str(point.latitude), field="latitude")
    check_position(longitude=longitude, latitude=latitude)
    if point.time is None:
        reason = "缺少时间或无法识别 / no time, or one that is not ISO 8601: a fix needs the time at which it was taken"
        raise CellError(field="fixed_at", value="", reason=reason)
    return Fix(
        fixed_at=to_utc(point.time, field="fixed_at", value=point.time.isoformat(), timezone=source.timezone),
        longitude=longitude,
        latitude=latitude,
        datum=source.datum or Datum.WGS84,
        source=FixSource.GPS if point.type_of_gpx_fix in _SATELLITE_FIXES else FixSource.UNKNOWN,
        speed_mps=point.speed,
        altitude_m=point.elevation,
    )
