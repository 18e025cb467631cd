"""Every point case of the JTS test suite that applies to these shapes, asked of the index in a small local plane.

One unit of the XML is one metre near 117E 34N. Convention: on the edge the signed distance is 0; covers and
intersects mean that it is at most 0, contains and within that it is below 0. Edges are met to ``EDGE_M``.
"""

import warnings
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from geo.index import ZoneIndex
from geo.projection import metres_per_degree
from geo.shapes import Area, Corridor, ShapeError, check_shape

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "jts_testxml" / "general"
EDGE_M = 0.001
THIN_M = 0.0001  # half width of the corridor that stands for a line
POINTS = ("Point", "MultiPoint")
ZONES = ("Polygon", "MultiPolygon", "LineString", "MultiLineString")
PREDICATES = ("contains", "covers", "within", "coveredBy", "intersects", "disjoint", "touches")

pytestmark = [pytest.mark.real, pytest.mark.skipif(not FOLDER.exists(), reason=f"needs {FOLDER}")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    operation: str
    geometries: tuple[BaseGeometry, ...]
    swapped: bool
    argument: str
    answer: str


def all_cases() -> list[Case]:
    cases = []
    for file in sorted(FOLDER.glob("*.xml")):
        for case in ET.parse(file).getroot().iter("case"):
            texts = [case.findtext(name) for name in "ab"]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # NaN in some of the cases of isValid
                geometries = tuple(read(text) for text in texts if text is not None)
            for item in case.iter("op"):
                cases.append(
                    Case(
                        operation=item.attrib["name"],
                        geometries=geometries,
                        swapped=item.get("arg1", "A").upper() == "B",
                        argument=item.get("arg3", ""),
                        answer=(item.text or "").strip(),
                    )
                )
    return cases


def read(text: str) -> BaseGeometry:
    flat = " ".join(text.split())
    return shapely.from_wkb(flat) if flat[0].isdigit() else shapely.from_wkt(flat)


def on_earth(geometry: BaseGeometry) -> BaseGeometry:
    scale = np.array(metres_per_degree(34.0))
    return shapely.transform(geometry, lambda points: points / scale + (117.0, 34.0))


def why_skipped(case: Case) -> str:
    kinds = [geometry.geom_type for geometry in case.geometries]
    if case.operation not in (*PREDICATES, "distance", "isWithinDistance"):
        return "other operation"
    if sorted((kinds[0] in POINTS, kinds[1] in POINTS)) != [False, True]:
        return "not points against a zone"
    if not all(kind in (*POINTS, *ZONES) for kind in kinds):
        return "geometry that is no zone"
    if any(part.is_empty for geometry in case.geometries for part in getattr(geometry, "geoms", [geometry])):
        return "empty part"
    return ""


def signed_m(case: Case) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], bool]:
    """Signed metres of each point, and whether the points are the first argument."""
    first, second = case.geometries[::-1] if case.swapped else case.geometries
    points, zone = (first, second) if first.geom_type in POINTS else (second, first)
    earth = on_earth(zone)
    is_line = "Line" in zone.geom_type
    shape = Corridor(line=earth, half_width_m=THIN_M) if is_line else Area(geometry=earth)  # type: ignore[arg-type]
    check_shape(shape)
    places = shapely.get_coordinates(on_earth(points))
    pairs = ZoneIndex.build([shape]).match(longitude=places[:, 0], latitude=places[:, 1], reach_m=1e5)
    assert pairs.fix_row.tolist() == list(range(len(places)))
    return pairs.signed_distance_m + (THIN_M if is_line else 0.0), points is first


def answer(case: Case) -> bool | float:  # noqa: PLR0911 - one line per operation
    signed, points_first = signed_m(case)
    inside, met = signed < -EDGE_M, signed <= EDGE_M
    match case.operation:
        case "contains" | "covers" if points_first:
            return False  # points hold no zone
        case "within" | "coveredBy" if not points_first:
            return False
        case "contains" | "within":
            return bool(met.all() and inside.any())
        case "covers" | "coveredBy":
            return bool(met.all())
        case "intersects":
            return bool(met.any())
        case "disjoint":
            return not met.any()
        case "touches":
            return bool(met.any() and not inside.any())
        case "isWithinDistance":
            return bool(max(signed.min(), 0.0) <= float(case.argument) + EDGE_M)
        case _:
            return float(max(signed.min(), 0.0))


def test_every_point_case_that_applies_gives_the_answer_of_jts() -> None:
    counts: Counter[str] = Counter()
    for case in all_cases():
        reason = why_skipped(case)
        counts[reason or f"applied: {case.operation}"] += 1
        if reason:
            continue
        got = answer(case)
        wanted = float(case.answer) if case.operation == "distance" else case.answer == "true"
        assert got == pytest.approx(wanted, abs=0.01), case
    assert dict(counts) == COUNTS


def test_validity_is_judged_as_jts_does() -> None:
    counts: Counter[str] = Counter()
    for case in all_cases():
        geometry = case.geometries[0]
        if case.operation != "isValid":
            continue
        if geometry.geom_type not in ("Polygon", "MultiPolygon"):
            counts["not an area"] += 1
        elif geometry.is_empty:
            counts["empty, refused here"] += 1
        else:
            counts[case.answer] += 1
            assert is_accepted(geometry) == (case.answer == "true"), case
    assert dict(counts) == VALIDITY


def is_accepted(geometry: BaseGeometry) -> bool:
    try:
        check_shape(Area(geometry=on_earth(geometry)))  # type: ignore[arg-type]
    except ShapeError:
        return False
    return True


COUNTS = {
    "applied: contains": 19,
    "applied: coveredBy": 10,
    "applied: covers": 19,
    "applied: disjoint": 6,
    "applied: distance": 2,
    "applied: intersects": 22,
    "applied: isWithinDistance": 8,
    "applied: touches": 6,
    "applied: within": 6,
    "empty part": 37,
    "not points against a zone": 164,
    "other operation": 215,
}
VALIDITY = {"empty, refused here": 1, "false": 42, "not an area": 19, "true": 25}
