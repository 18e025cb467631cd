"""The files of an evidence pack for programs: the fixes as CSV and GeoJSON, the alert as JSON. Pure."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import shapely
from shapely.geometry.base import BaseGeometry

from api.evidence.case import EvidenceCase, Gap, TrackedFix
from api.exporting.stamp import Stamp
from api.exporting.track_files import COORDINATE_DIGITS, csv_of, fix_feature, geojson_of, values_of
from geo.shapes import Circle, circle_outline, shape_to_geometry

CIRCLE_POINTS = 48


def fixes_csv(case: EvidenceCase, stamp: Stamp) -> bytes:
    """One line for each fix: what was sent, what was stored, what it proves by itself and with those before it."""
    return csv_of([_values(case, fix) for fix in case.fixes], stamp)


def fixes_geojson(case: EvidenceCase, stamp: Stamp) -> bytes:
    """The zone in the version that applied, each fix with its circle (68 %), and each gap as a line of its own."""
    return geojson_of(_features(case), stamp)


def alert_json(case: EvidenceCase, stamp: Stamp) -> bytes:
    """What was decided, by which versions, and who was told when. Times in UTC."""
    statement = {**case.statement, "watermark": stamp.watermark, "is_synthetic": case.is_synthetic}
    return (json.dumps(_plain(statement), ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _values(case: EvidenceCase, fix: TrackedFix) -> dict[str, Any]:
    weight = fix.weight
    breach = "inside" if case.is_inside_breach else "outside"
    return {
        "number": fix.number,
        **values_of(fix.row),
        "signed_distance_m": _rounded(weight.signed_distance_m, 1),
        f"probability_{breach}": _rounded(weight.probability, 4),
        f"filtered_probability_{breach}": _rounded(weight.filtered_probability, 4),
        "is_deciding": weight.filtered_probability is not None,
        "flags": weight.flags,
    }


def _features(case: EvidenceCase) -> Iterator[Mapping[str, Any]]:
    zone = case.zone
    yield {
        "type": "Feature",
        "geometry": _geometry(shape_to_geometry(zone.shape)),
        "properties": {
            "feature": "zone",
            "zone_id": str(zone.zone_id),
            "version": zone.version,
            "kind": str(zone.kind),
            "name": zone.name,
        },
    }
    for fix in case.fixes:
        yield fix_feature(fix.row.longitude, fix.row.latitude, _values(case, fix))
    for fix in case.fixes:
        circle = Circle(longitude=fix.row.longitude, latitude=fix.row.latitude, radius_m=fix.row.accuracy_m)
        yield {
            "type": "Feature",
            "geometry": _geometry(circle_outline(circle, CIRCLE_POINTS)),
            "properties": {"feature": "circle_68_percent", "number": fix.number, "radius_m": fix.row.accuracy_m},
        }
    for gap in case.gaps:
        yield _gap_feature(case, gap)


def _gap_feature(case: EvidenceCase, gap: Gap) -> Mapping[str, Any]:
    ends = [case.fixes[number - 1].row for number in (gap.after, gap.before)]
    line = shapely.LineString([(row.longitude, row.latitude) for row in ends])
    times = {"from": gap.from_at.astimezone(UTC).isoformat(), "to": gap.to_at.astimezone(UTC).isoformat()}
    note = "无定位，位置不明，不是行进路线 / no fixes: where the subject was is not known; this is no route"
    return {
        "type": "Feature",
        "geometry": _geometry(line),
        "properties": {"feature": "gap", **times, "minutes": round(gap.minutes, 1), "note": note},
    }


def _geometry(geometry: BaseGeometry) -> Any:
    rounded = shapely.transform(geometry, lambda points: points.round(COORDINATE_DIGITS))
    return json.loads(shapely.to_geojson(rounded))


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value
