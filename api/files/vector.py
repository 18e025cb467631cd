"""Features of GeoJSON, GeoPackage and Shapefile, brought to longitude and latitude in a datum that Hulan knows."""

import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import geopandas
import pandas
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from api.files.errors import UnreadableFile, unknown_datum
from api.files.frame import Frame, frame_of
from api.files.text import detect_encoding, open_text, shown
from geo.datum import Datum

GEOJSON_SUFFIXES = (".geojson", ".json")
VECTOR_SUFFIXES = (*GEOJSON_SUFFIXES, ".gpkg", ".shp")

_NO_GEOMETRY = "没有几何或几何无法读取 / no geometry, or one that cannot be read: draw it or leave the feature out"
_RFC7946 = "OGC:CRS84"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature. ``geometry`` is longitude, latitude in degrees of ``datum``, or ``None`` with a ``problem``."""

    record: int
    """1-based position in the file."""
    feature_id: str
    """The GeoJSON feature's own ``id``; empty in other formats, whose row numbers are not identities."""
    properties: Mapping[str, str]
    """Attributes as text, keys in lower case; empty text where there is no value."""
    geometry: BaseGeometry | None
    datum: Datum
    problem: str = ""


def read_features(path: Path, *, datum: Datum | None, layer: str | None = None) -> Iterator[Feature]:
    """The features of the file at ``path``.

    The frame is the file's CRS (GeoJSON without one is WGS-84); ``datum`` says that the degrees are really in another
    datum and wins. Raises UnknownDatum where there is neither, and UnreadableFile for a damaged file, a CRS that cannot
    be brought to WGS-84 exactly, or a GeoPackage of several layers when ``layer`` names none.
    """
    if path.name.casefold().endswith(GEOJSON_SUFFIXES):
        return _geojson_features(path, datum=datum)
    return _layer_features(path, datum=datum, layer=layer)


def read_geojson(path: Path) -> tuple[list[object], str]:
    """The raw features of a GeoJSON file and the text of its CRS. Raises UnreadableFile."""
    with path.open("rb") as stream, open_text(stream) as text:
        content = text.read()
    try:
        document = json.loads(content.lstrip("\ufeff"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnreadableFile(f"{path.name}：不是合法的 JSON / not valid JSON: {error}") from error
    if isinstance(document, dict) and document.get("type") == "Feature":
        document = {"type": "FeatureCollection", "features": [document]}
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise UnreadableFile(f"{path.name}：不是 GeoJSON 要素集 / not a GeoJSON FeatureCollection")
    return features, _crs_name(document)


def is_wgs84(crs: str) -> bool:
    """True if ``crs`` is longitude and latitude in WGS-84, or in CGCS2000, which is the same here."""
    frame = frame_of(crs, file=crs)
    return frame.unprojected is None and frame.shifted is None


def geometry_problem(error: Exception) -> str:
    """Why a GeoJSON geometry could not be built, in words for a report."""
    return f"{_NO_GEOMETRY} ({shown(str(error), limit=100)})"


def _crs_name(document: Mapping[str, object]) -> str:
    crs = document.get("crs")
    if not isinstance(crs, dict):
        return _RFC7946
    properties = crs.get("properties")
    name = properties.get("name") if isinstance(properties, dict) else None
    return str(name) if name else _RFC7946


def _geojson_features(path: Path, *, datum: Datum | None) -> Iterator[Feature]:
    features, crs = read_geojson(path)
    frame = frame_of(crs, file=path.name)
    for record, feature in enumerate(features, start=1):
        members = feature if isinstance(feature, dict) else {}
        geometry, problem = _geojson_geometry(members.get("geometry"))
        properties = members.get("properties")
        feature_id = members.get("id")
        yield _feature(
            record=record,
            feature_id="" if feature_id is None else cell_text(feature_id),
            properties=properties if isinstance(properties, dict) else {},
            geometry=geometry,
            problem=problem,
            frame=frame,
            datum=datum,
        )


def _geojson_geometry(geometry: object) -> tuple[BaseGeometry | None, str]:
    if not isinstance(geometry, dict):
        return None, _NO_GEOMETRY
    try:
        return shape(geometry), ""
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        return None, geometry_problem(error)


def _layer_features(path: Path, *, datum: Datum | None, layer: str | None) -> Iterator[Feature]:
    is_package = path.suffix.casefold() == ".gpkg"
    try:
        chosen = layer or (_only_layer(path) if is_package else None)
        encoding = None if is_package else _dbf_encoding(path)
        table = geopandas.read_file(path, engine="pyogrio", layer=chosen, encoding=encoding, on_invalid="ignore")
    except UnreadableFile:
        raise
    except (RuntimeError, ValueError, OSError) as error:
        raise UnreadableFile(f"{path.name}：文件无法打开 / cannot be opened as a vector file: {error}") from error
    if not isinstance(table, geopandas.GeoDataFrame):
        raise UnreadableFile(f"{path.name}：没有几何列 / has no geometry column")
    if table.crs is None and datum is None:
        raise unknown_datum(path.name)
    frame = frame_of(_RFC7946 if table.crs is None else table.crs.to_wkt(), file=path.name)
    columns = [column for column in table.columns if column != table.geometry.name]
    records = table[columns].to_dict("records")
    for record, (properties, geometry) in enumerate(zip(records, table.geometry, strict=True), start=1):
        yield _feature(
            record=record,
            feature_id="",
            properties=properties,
            geometry=geometry,
            problem="" if geometry is not None else _NO_GEOMETRY,
            frame=frame,
            datum=datum,
        )


def _feature(
    *,
    record: int,
    feature_id: str,
    properties: Mapping[object, object],
    geometry: BaseGeometry | None,
    problem: str,
    frame: Frame,
    datum: Datum | None,
) -> Feature:
    if geometry is not None:
        geometry, problem = frame.to_degrees(geometry, is_datum_given=datum is not None)
    return Feature(
        record=record,
        feature_id=feature_id,
        properties={str(key).strip().casefold(): cell_text(value) for key, value in properties.items()},
        geometry=geometry,
        datum=datum or frame.datum,
        problem=problem,
    )


def cell_text(value: object) -> str:
    """An attribute as text: nothing for a missing one, no ``.0`` after a whole number."""
    if value is None or value is pandas.NA or value is pandas.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _only_layer(path: Path) -> str:
    layers = geopandas.list_layers(path)
    names = [str(name) for name, kind in zip(layers["name"], layers["geometry_type"], strict=True) if kind is not None]
    if len(names) != 1:
        raise UnreadableFile(
            f"{path.name}：有 {len(names)} 个图层，请用 --layer 指定 / has {len(names)} layers with geometry "
            f"({', '.join(names)}): name one with --layer"
        )
    return names[0]


def _dbf_encoding(path: Path) -> str | None:
    """``None`` where a .cpg file states the encoding; else UTF-8 or GB18030, as the attribute table itself shows."""
    siblings = {sibling.suffix.casefold(): sibling for sibling in path.parent.glob(f"{escape(path.stem)}.*")}
    table = siblings.get(".dbf")
    if ".cpg" in siblings or table is None:
        return None
    content = table.read_bytes()
    header_bytes = int.from_bytes(content[8:10], "little")  # binary: its bytes say nothing of the text after it
    return detect_encoding(io.BytesIO(content[header_bytes:]))
