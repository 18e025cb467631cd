"""What no database holds, and what is no shape, costs its own row in every reader, and the row is named."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from api.case_file import case_items, check_cases
from api.files.case_rejects import write_case_rejects
from api.files.doors import read_doors
from api.files.gates import read_gates
from api.files.incidents import read_incidents
from api.files.mappings import load_mapping
from api.files.places import read_places
from api.files.rejects import write_rejects
from api.files.source_records import SourceRecordsRead, read_source_records
from api.files.text import is_damaged
from api.files.zones import read_boundaries, read_zones
from tests.api.casework_scene import a_case
from tests.venues.register_scene import put
from venues.register import entries_of_records
from venues.source_record import SourceKind

NUL, LONE = "\u0000", "\ud800"
POINT = {"type": "Point", "coordinates": [117.2, 34.26]}
SQUARE = [[117.2, 34.2], [117.201, 34.2], [117.201, 34.201], [117.2, 34.201], [117.2, 34.2]]
AREA = {"type": "Polygon", "coordinates": [SQUARE]}
SHAPELESS: dict[str, Any] = {
    "empty area": {"type": "Polygon", "coordinates": []},
    "empty point": {"type": "Point", "coordinates": []},
    "empty collection": {"type": "GeometryCollection", "geometries": []},
    "bow tie": {"type": "Polygon", "coordinates": [[SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]]},
    "line": {"type": "LineString", "coordinates": SQUARE[:2]},
    "no number": {"type": "Point", "coordinates": [float("nan"), 34.2]},
    "off the Earth": {"type": "Polygon", "coordinates": [[[x + 100, y] for x, y in SQUARE]]},
}


def a_feature(geometry: Any = POINT, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def written(folder: Path, features: Sequence[dict[str, Any]]) -> Path:
    path = folder / "sent.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return path


def _register(path: Path) -> SourceRecordsRead:
    return read_source_records(path, kind=SourceKind.POLICE, source="公安", mapping=load_mapping("hulan"))


def _places(path: Path) -> Any:
    return read_places(path, mapping=load_mapping("hulan"))


BAR = {"id": "B1", "name": "夜色酒吧", "address": "和平路28号", "category": "bar"}
SCHOOL = BAR | {"category": "小学"}
DOOR = {"id": "D1", "kind": "customers", "venue_source": "map", "venue_source_id": "1"}
GATE = {"id": "G1", "kind": "student", "site_source": "map", "site_source_id": "1"}
ZONE = {"id": "Z1", "name": "广场", "kind": "exclusion"}
DIVISION = {"code": "320303", "name": "云龙区"}

READERS: dict[str, tuple[Callable[[Path], Any], str, dict[str, Any], Any]] = {
    "register": (_register, "records", BAR, POINT),
    "venues": (_places, "venues", BAR, POINT),
    "sites": (_places, "sites", SCHOOL, POINT),
    "doors": (lambda path: read_doors(path, source="门"), "doors", DOOR, POINT),
    "gates": (read_gates, "gates", GATE, POINT),
    "zones": (read_zones, "zones", ZONE, AREA),
    "boundaries": (lambda path: read_boundaries(path, code_column="code", name_column="name"), "zones", DIVISION, AREA),
}


def texts_of(found: Any) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, tuple | list):
        for each in found:
            yield from texts_of(each)
    elif hasattr(type(found), "__slots__") and hasattr(type(found), "__dataclass_fields__"):
        for name in type(found).__dataclass_fields__:
            yield from texts_of(getattr(found, name))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("bad", [NUL, LONE])
def test_a_letter_that_cannot_be_stored_costs_its_own_row(tmp_path: Path, reader: str, bad: str) -> None:
    read, what, good, geometry = READERS[reader]
    spoiled = [good | {field: f"{bad}{text}"} for field, text in good.items()]
    # An id that only its feature has, beside a name that cannot be stored.
    spoiled += [{field: text for field, text in good.items() if field != "id"}]
    features = [a_feature(geometry, **good), *(a_feature(geometry, **each) for each in spoiled)]
    features[-1] |= {"id": f"{bad}1"}
    found = read(written(tmp_path, features))
    (kept,) = getattr(found, what)
    assert not any(map(is_damaged, texts_of(kept)))
    assert [row.line for row in found.rejected] == list(range(2, len(features) + 1))
    assert all(" / " in row.reason for row in found.rejected)
    text = write_rejects(tmp_path / "rejects.csv", found.rejected).read_text("utf-8-sig")
    assert text.count("\n") >= len(spoiled)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("shape", SHAPELESS)
def test_what_is_no_point_or_area_costs_its_own_row(tmp_path: Path, reader: str, shape: str) -> None:
    read, what, good, geometry = READERS[reader]
    other = good | {("code" if "code" in good else "id"): "other"}
    corridor = {"radius_m": 20} if (reader, shape) == ("zones", "bow tie") else {}
    found = read(written(tmp_path, [a_feature(SHAPELESS[shape], **good, **corridor), a_feature(geometry, **other)]))
    assert len(getattr(found, what)) == 1
    assert [(row.line, row.reference) for row in found.rejected] == [(1, good.get("id", good.get("code")))]
    assert all(" / " in row.reason for row in found.rejected)


def test_the_good_rows_beside_a_bad_one_are_imported(tmp_path: Path, engine: Engine) -> None:
    shapes = [a_feature(shape, **BAR | {"id": name}) for name, shape in SHAPELESS.items()]
    letters = [a_feature(**BAR | {"id": f"{number}", "name": f"{bad}坏"}) for number, bad in enumerate((NUL, LONE))]
    found = _register(written(tmp_path, [*shapes, *letters, a_feature(AREA, **BAR)]))
    assert len(found.rejected) == len(SHAPELESS) + 2
    with engine.begin() as connection:
        assert put(connection, found.records).added_count == 1
    (entry,) = entries_of_records(found.records)
    assert entry.geometry is not None
    assert entry.geometry.geom_type == "Polygon", "an outline stays an outline"


@pytest.mark.parametrize("bad", ["\x00", "\udcff"])
def test_a_broken_letter_on_the_second_line_of_a_quoted_cell_is_found(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "police.csv"
    lines = 'source_id,venue_source,venue_source_id,kind,occurred_at\nJ1,map,"1\n{}2",警情,2024-05-01\n'
    others = [f"J{number},map,2,警情,2024-05-01\n" for number in range(2, 12)]
    path.write_bytes((lines.format(bad) + "".join(others)).encode("utf-8", "surrogateescape"))
    found = read_incidents(path)
    assert [incident.key.source_id for incident in found.incidents] == [f"J{number}" for number in range(2, 12)]
    assert [row.line for row in found.rejected] == [2]


@pytest.mark.parametrize("bad", [NUL, LONE])
def test_a_case_with_a_letter_that_cannot_be_stored_is_refused_and_the_next_one_taken(tmp_path: Path, bad: str) -> None:
    good = a_case().model_dump(mode="json", exclude_unset=True)
    zone = {"kind": "exclusion_zone", "geometry": POINT | {"name": f"{bad}x"}, "radius_m": 50}
    spoiled: list[dict[str, Any]] = [
        good | {"reference": f"{bad}A"},
        good | {"alias": f"小{bad}"},
        good | {"conditions": [*good["conditions"], zone]},
        good | {f"{bad}": 1},
    ]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [*spoiled, good]}), "utf-8")
    items = case_items(path)
    read = check_cases(enumerate(items, start=1))
    assert [case.reference for case in read.cases] == [good["reference"]]
    last = len(good["conditions"])
    assert [(row.line, row.field) for row in read.rejected] == [
        (1, "reference"), (2, "alias"), (3, f"conditions.{last}.geometry.name"), (4, ""),
    ]  # fmt: skip
    write_case_rejects(tmp_path / "rejects.json", items, read.rejected)
    again = json.loads((tmp_path / "rejects.json").read_text("utf-8"))
    assert [case["alias"] for case in again["cases"]] == [case["alias"] for case in spoiled]
