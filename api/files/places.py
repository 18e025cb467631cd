"""Venues and protected sites from files: CSV, Excel, GeoJSON, GeoPackage, Shapefile, OSM XML and PBF."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from shapely.geometry import Point

from api.files.cells import CellError, check_position, is_absent, parse_datum_cell, parse_number
from api.files.columns import PLACE_COLUMNS, category_columns, first_cell
from api.files.errors import UnreadableFile, unknown_datum
from api.files.found_places import FoundPlace, Ignored, Taken, gather_places
from api.files.osm import OSM_SUFFIXES, OsmObject, read_osm_objects
from api.files.sheets import SHEET_SUFFIXES, read_sheet
from api.files.tables import TABLE_SUFFIXES, Progress, Row, Table, read_table
from api.files.text import open_text
from api.files.vector import VECTOR_SUFFIXES, Feature, read_features
from geo.datum import Datum
from venues.mapping import CategoryMapping, Decision, NotAPlace
from venues.place import PlacesRead, Rejected


def read_places(
    path: Path | str,
    *,
    mapping: CategoryMapping,
    datum: Datum | None = None,
    source: str | None = None,
    layer: str | None = None,
    progress: Progress | None = None,
) -> PlacesRead:
    """The venues and sites in the file at ``path``, in WGS-84, and every row that could not be taken, with its reason.

    ``mapping`` says which tags or codes are which category. ``datum`` is the datum of the coordinates: a row's own
    ``datum`` cell wins over it, and it wins over the CRS of a vector file and over OSM's WGS-84. ``source`` names the
    register; the default is ``osm`` for OSM files, else the file's stem. ``layer`` chooses a layer of a GeoPackage, or
    a sheet of a workbook.
    ``progress`` is told how many records were read since its last call. The first record of an id is kept.

    Raises UnknownDatum if neither the file nor ``datum`` says what the coordinates are, MissingColumn, UnreadableFile
    for a file that is damaged or of another kind, and OSError.
    """
    file = Path(path)
    name = file.name.casefold()
    if name.endswith(OSM_SUFFIXES):
        if not mapping.rules:
            raise UnreadableFile(
                f"{file.name}：映射 {mapping.name} 没有标签规则 / mapping {mapping.name} has no rules for OSM tags: "
                "use osm, or a mapping of your own with rules"
            )
        taken = (_from_osm(found, mapping, datum) for found in read_osm_objects(file, tag_keys=mapping.tag_keys))
        return gather_places(taken, source=source or "osm", progress=progress)
    if name.endswith(VECTOR_SUFFIXES):
        features = read_features(file, datum=datum, layer=layer)
        return gather_places(_from_features(features, mapping), source=source or file.stem, progress=progress)
    if name.endswith(SHEET_SUFFIXES):
        rows = _from_table(read_sheet(file, layer), mapping, datum)
        return gather_places(rows, source=source or file.stem, progress=progress)
    if name.endswith(TABLE_SUFFIXES):
        with file.open("rb") as stream, open_text(stream) as text:
            table = read_table(text, file=file.name)
            return gather_places(_from_table(table, mapping, datum), source=source or file.stem, progress=progress)
    kinds = ", ".join((*TABLE_SUFFIXES, *SHEET_SUFFIXES, *VECTOR_SUFFIXES, *OSM_SUFFIXES))
    raise UnreadableFile(f"{file.name}：不支持的文件类型 / not a kind of file that holds places; use one of {kinds}")


def _from_osm(found: OsmObject | Rejected, mapping: CategoryMapping, datum: Datum | None) -> Taken:
    if isinstance(found, Rejected):
        return found
    decision = mapping.for_tags(found.tags)
    if isinstance(decision, NotAPlace):
        return Ignored(source_id=found.reference)
    if found.geometry is None:
        return Rejected(
            line=found.record, reference=found.reference, field="geometry", value=found.kind, reason=found.problem
        )
    return FoundPlace(
        line=found.record,
        source_id=found.reference,
        name=found.tags.get("name", ""),
        address=osm_address(found.tags),
        decision=decision,
        category_text="",
        geometry=found.geometry,
        datum=datum or Datum.WGS84,
    )


def osm_address(tags: Mapping[str, str]) -> str:
    """The address that an OSM object's tags give; empty if none."""
    if "addr:full" in tags:
        return tags["addr:full"]
    parts = (tags.get(f"addr:{part}", "") for part in ("city", "district", "street", "housenumber"))
    return " ".join(part for part in parts if part)


def _decide(cells: Mapping[str, str], mapping: CategoryMapping, *, name: str) -> tuple[Decision, str]:
    """What one record says it is: by whole tags where the mapping has rules, else by its category cell."""
    if mapping.rules:
        decision = mapping.for_tags(cells)
        if not isinstance(decision, NotAPlace):
            return decision, ""
    columns = category_columns(is_by_code=bool(mapping.codes))
    text = first_cell(cells, columns)
    if mapping.rules and is_absent(text) and (_has_tag(cells, mapping) or not any(name in cells for name in columns)):
        return NotAPlace.IGNORED, ""
    return mapping.for_value("" if is_absent(text) else text, name=name), text


def _has_tag(cells: Mapping[str, str], mapping: CategoryMapping) -> bool:
    return any(not is_absent(cells.get(key, "")) for key in mapping.value_keys)


def _from_table(table: Table, mapping: CategoryMapping, datum: Datum | None) -> Iterator[Taken]:
    """Raises MissingColumn and UnknownDatum before the first row."""
    longitude = table.need("longitude", PLACE_COLUMNS["longitude"])
    latitude = table.need("latitude", PLACE_COLUMNS["latitude"])
    table.need("id", PLACE_COLUMNS["id"])
    if not any(key in table.columns for key in mapping.value_keys):
        table.need("category", category_columns(is_by_code=bool(mapping.codes)))
    datum_column = table.column(PLACE_COLUMNS["datum"])
    if datum is None and datum_column is None:
        raise unknown_datum(table.file)
    for row in table.rows:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            yield _from_row(row, mapping, (longitude, latitude), row.cells.get(datum_column or "", ""), datum)
        except CellError as error:
            yield error.rejected(line=row.line, reference=first_cell(row.cells, PLACE_COLUMNS["id"]).strip())


def _from_row(
    row: Row, mapping: CategoryMapping, position: tuple[str, str], datum_text: str, datum: Datum | None
) -> FoundPlace | Ignored:
    source_id = first_cell(row.cells, PLACE_COLUMNS["id"]).strip()
    name = first_cell(row.cells, PLACE_COLUMNS["name"])
    decision, text = _decide(row.cells, mapping, name=name)
    if decision is NotAPlace.IGNORED:
        return Ignored(source_id=source_id)
    longitude = parse_number(row.cells[position[0]], field="longitude")
    latitude = parse_number(row.cells[position[1]], field="latitude")
    check_position(longitude=longitude, latitude=latitude)
    return FoundPlace(
        line=row.line,
        source_id=source_id,
        name=name,
        address=first_cell(row.cells, PLACE_COLUMNS["address"]),
        opened_on=first_cell(row.cells, PLACE_COLUMNS["opened_on"]),
        decision=decision,
        category_text=text,
        geometry=Point(longitude, latitude),
        datum=parse_datum_cell(datum_text, field="datum", default=datum),
    )


def _from_features(features: Iterator[Feature], mapping: CategoryMapping) -> Iterator[Taken]:
    for feature in features:
        name = first_cell(feature.properties, PLACE_COLUMNS["name"])
        decision, text = _decide(feature.properties, mapping, name=name)
        source_id = first_cell(feature.properties, PLACE_COLUMNS["id"]).strip() or feature.feature_id
        if decision is NotAPlace.IGNORED:
            yield Ignored(source_id=source_id)
            continue
        if feature.geometry is None:
            yield Rejected(line=feature.record, reference=source_id, field="geometry", value="", reason=feature.problem)
            continue
        yield FoundPlace(
            line=feature.record,
            source_id=source_id,
            name=name,
            address=first_cell(feature.properties, PLACE_COLUMNS["address"]),
            opened_on=first_cell(feature.properties, PLACE_COLUMNS["opened_on"]),
            decision=decision,
            category_text=text,
            geometry=feature.geometry,
            datum=feature.datum,
        )
