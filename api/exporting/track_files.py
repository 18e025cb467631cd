"""A track as CSV, GeoJSON and GPX, each row with the watermark of its export. Pure.

The coordinates are WGS-84; beside them CSV and GeoJSON tell what the device sent, in the datum it sent.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import gpxpy.gpx

from api.exporting.stamp import Stamp
from api.exporting.track import TrackRow

COORDINATE_DIGITS = 7
"""Decimals of a degree: 1 cm."""

_NOT_TOLD = {"fix_key"}


class TrackFormat(StrEnum):
    """How a track may leave."""

    CSV = "csv"
    GEOJSON = "geojson"
    GPX = "gpx"


def track_file(rows: Sequence[TrackRow], stamp: Stamp, wanted: TrackFormat) -> bytes:
    """The rows in one file."""
    match wanted:
        case TrackFormat.CSV:
            return csv_of([values_of(row) for row in rows], stamp)
        case TrackFormat.GEOJSON:
            return geojson_of([fix_feature(row.longitude, row.latitude, values_of(row)) for row in rows], stamp)
        case TrackFormat.GPX:
            return _gpx(rows, stamp)


def values_of(row: TrackRow) -> dict[str, Any]:
    """A row by column: times ISO 8601 in UTC, degrees to the centimetre."""
    return {item.name: _told(item.name, getattr(row, item.name)) for item in fields(row) if item.name not in _NOT_TOLD}


def csv_of(rows: Sequence[Mapping[str, Any]], stamp: Stamp) -> bytes:
    """Rows of equal columns; the last column is the watermark. UTF-8 with a mark, so that spreadsheets read it."""
    columns = list(rows[0]) if rows else [item.name for item in fields(TrackRow) if item.name not in _NOT_TOLD]
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow([*columns, "watermark"])
    for row in rows:
        table.writerow([*(_cell(value) for value in row.values()), stamp.watermark])
    return written.getvalue().encode("utf-8-sig")


def geojson_of(features: Iterable[Mapping[str, Any]], stamp: Stamp) -> bytes:
    """A collection of features with the watermark on it and on each of them."""
    marked = [
        {**feature, "properties": {**feature["properties"], "watermark": stamp.watermark}} for feature in features
    ]
    collection = {"type": "FeatureCollection", "watermark": stamp.watermark, "features": marked}
    return (json.dumps(collection, ensure_ascii=False, allow_nan=False) + "\n").encode()


def fix_feature(longitude: float, latitude: float, properties: Mapping[str, Any]) -> dict[str, Any]:
    """A fix as a point (degrees, WGS-84); ``feature: fix`` tells it from the shapes beside it."""
    point = [round(longitude, COORDINATE_DIGITS), round(latitude, COORDINATE_DIGITS)]
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": point},
        "properties": {"feature": "fix", **properties},
    }


def _gpx(rows: Sequence[TrackRow], stamp: Stamp) -> bytes:
    file = gpxpy.gpx.GPX()
    file.creator, file.description, file.time = "Hulan", stamp.watermark, stamp.made_at
    track = gpxpy.gpx.GPXTrack(description=stamp.watermark)
    segment = gpxpy.gpx.GPXTrackSegment()
    for row in rows:
        segment.points.append(
            gpxpy.gpx.GPXTrackPoint(
                latitude=round(row.latitude, COORDINATE_DIGITS),
                longitude=round(row.longitude, COORDINATE_DIGITS),
                elevation=row.altitude_m,
                time=row.fixed_at,
                comment=f"accuracy_m={row.accuracy_m:g} {stamp.watermark}",
            )
        )
    track.segments.append(segment)
    file.tracks.append(track)
    return str(file.to_xml(version="1.1")).encode()


def _told(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float) and name.endswith(("longitude", "latitude")):
        return round(value, COORDINATE_DIGITS)
    return value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value
