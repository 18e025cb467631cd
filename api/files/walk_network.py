"""The walk network of a city from OSM (PBF, XML) or from lines (GeoJSON, GeoPackage, Shapefile); saved and loaded.

Only the geometry of ways is kept: no names, no contributors. OSM data is © OpenStreetMap contributors, ODbL; a network
made from it is a derived database, and what is published from it must say so.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium
import shapely

from api.files.errors import UnreadableFile
from api.files.osm import OSM_SUFFIXES
from api.files.tables import Progress, counted
from api.files.vector import VECTOR_SUFFIXES, Feature, read_features
from geo.datum import Datum, geometry_to_wgs84
from geo.walk_access import is_closed_on_foot, is_open_on_foot
from geo.walk_network import WalkLines, WalkNetwork, build_walk_network

_WAY_KEYS = ("highway", "railway", "man_made")
_GRID_DEG = 1e-7
"""Positions of lines that agree to this (1 cm) are one place; OSM stores no finer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkNetworkRead:
    """A network and what became of the ways of its file."""

    network: WalkNetwork
    kept_count: int
    closed_count: int
    """Ways or lines left out since people on foot may not use them, or that are no ways at all."""
    cut_count: int
    """Ways with nodes missing from an extract; the pieces that are there are kept."""
    rejected_count: int
    """Features without a readable line."""


@dataclass(slots=True, kw_only=True)
class _Lines:
    """Grows line by line."""

    size: "array[int]" = field(default_factory=lambda: array("q"))
    key: "array[int]" = field(default_factory=lambda: array("q"))
    longitude: "array[float]" = field(default_factory=lambda: array("d"))
    latitude: "array[float]" = field(default_factory=lambda: array("d"))
    kept_count: int = 0
    closed_count: int = 0
    cut_count: int = 0
    rejected_count: int = 0

    def network(self, file: str) -> WalkNetworkRead:
        """Raises UnreadableFile if no way is left."""
        lines = WalkLines(
            start=np.concatenate([[0], np.cumsum(np.frombuffer(self.size, dtype=np.int64))]).astype(np.int64),
            vertex_key=np.frombuffer(self.key, dtype=np.int64),
            longitude=np.frombuffer(self.longitude, dtype=np.float64),
            latitude=np.frombuffer(self.latitude, dtype=np.float64),
        )
        try:
            network = build_walk_network(lines)
        except ValueError as error:
            raise UnreadableFile(
                f"{file}：没有可步行的道路，或坐标有误（{self.closed_count} 条不可步行） / no network of ways on foot "
                f"can be made of it: {error}; {self.closed_count} ways were not open to people on foot"
            ) from error
        return WalkNetworkRead(
            network=network,
            kept_count=self.kept_count,
            closed_count=self.closed_count,
            cut_count=self.cut_count,
            rejected_count=self.rejected_count,
        )


def read_walk_network(path: Path, *, datum: Datum | None = None, progress: Progress | None = None) -> WalkNetworkRead:
    """The network of the ways at ``path`` that are open to people on foot, WGS-84.

    OSM ways are joined at shared nodes. Lines of other files are joined where vertices agree to 1e-7 degrees, and count
    as open unless their attributes ``highway``, ``foot`` or ``access`` say otherwise as in OSM; ``datum`` is theirs, as
    in ``read_features``. ``progress`` hears of ways read. Raises UnreadableFile for another kind of file, a damaged one
    and one without a way on foot, and UnknownDatum for lines whose datum nobody states.
    """
    name = path.name.casefold()
    if name.endswith(OSM_SUFFIXES):
        return _read_osm(path, progress)
    if name.endswith(VECTOR_SUFFIXES):
        return _read_lines(path, datum, progress)
    raise UnreadableFile(
        f"{path.name}：不支持的路网格式，请用 {'、'.join((*OSM_SUFFIXES, *VECTOR_SUFFIXES))} / not a kind of file that "
        f"holds a road network: use one of {', '.join((*OSM_SUFFIXES, *VECTOR_SUFFIXES))}"
    )


def _read_osm(path: Path, progress: Progress | None) -> WalkNetworkRead:
    lines = _Lines()
    try:
        outlines = _outlines_of_areas(path)
        for way in counted(_ways(path, osmium.filter.KeyFilter(*_WAY_KEYS)), progress):
            if is_open_on_foot({tag.k: tag.v for tag in way.tags}):
                outlines.discard(way.id)
                _add_way(lines, way)
            else:
                lines.closed_count += 1
        if outlines:
            for way in counted(_ways(path, osmium.filter.IdFilter(outlines)), progress):
                _add_way(lines, way)
    except RuntimeError as error:
        raise UnreadableFile(
            f"{path.name}：OSM 文件损坏或不完整 / the OSM file is damaged or cut short: {error}"
        ) from error
    return lines.network(path.name)


def _outlines_of_areas(path: Path) -> set[int]:
    """Ways that are rings of squares and other areas on foot; their tags are on the relation."""
    relations = osmium.FileProcessor(str(path), osmium.osm.RELATION).with_filter(osmium.filter.KeyFilter(*_WAY_KEYS))
    found: set[int] = set()
    for relation in relations:
        assert isinstance(relation, osmium.osm.Relation)
        tags = {tag.k: tag.v for tag in relation.tags}
        if tags.get("type") == "multipolygon" and is_open_on_foot(tags):
            found.update(member.ref for member in relation.members if member.type == "w")
    return found


def _ways(path: Path, wanted: object) -> Iterator[osmium.osm.Way]:
    processor = osmium.FileProcessor(str(path), osmium.osm.NODE | osmium.osm.WAY).with_locations()
    for found in processor.with_filter(osmium.filter.EntityFilter(osmium.osm.WAY)).with_filter(wanted):
        assert isinstance(found, osmium.osm.Way)
        yield found


def _add_way(lines: _Lines, way: osmium.osm.Way) -> None:
    """The way, in pieces where nodes are missing."""
    lines.kept_count += 1
    piece = 0
    is_cut = False
    for node in way.nodes:
        if node.location.valid():
            lines.key.append(node.ref)
            lines.longitude.append(node.location.lon)
            lines.latitude.append(node.location.lat)
            piece += 1
        else:
            is_cut = True
            if piece:
                lines.size.append(piece)
                piece = 0
    if piece:
        lines.size.append(piece)
    lines.cut_count += is_cut


def _read_lines(path: Path, datum: Datum | None, progress: Progress | None) -> WalkNetworkRead:
    lines = _Lines()
    parts: list[np.ndarray] = []
    for feature in counted(read_features(path, datum=datum), progress):
        found = _lines_of(feature)
        if found is None:
            lines.rejected_count += 1
        elif not _is_open(feature.properties):
            lines.closed_count += 1
        else:
            lines.kept_count += 1
            for line in found:
                parts.append(shapely.get_coordinates(line))
                lines.size.append(len(parts[-1]))
    if parts:
        points = np.concatenate(parts)
        lines.key = _keys_of(points)
        lines.longitude, lines.latitude = array("d", points[:, 0].tolist()), array("d", points[:, 1].tolist())
    return lines.network(path.name)


def _is_open(properties: Mapping[str, str]) -> bool:
    return is_open_on_foot(properties) if properties.get("highway") else not is_closed_on_foot(properties)


def _lines_of(feature: Feature) -> Iterable[shapely.LineString] | None:
    """The lines of a feature in WGS-84, outlines of areas among them; ``None`` if it has none."""
    if feature.geometry is None:
        return None
    geometry = geometry_to_wgs84(shapely.force_2d(feature.geometry), feature.datum)
    outline = geometry.boundary if geometry.geom_type in ("Polygon", "MultiPolygon") else geometry
    if outline.is_empty or outline.geom_type not in ("LineString", "LinearRing", "MultiLineString"):
        return None
    return list(shapely.get_parts(outline))


def _keys_of(points: np.ndarray) -> "array[int]":
    """One number per place: positions are compared on a grid of 1 cm, taken as they come out in WGS-84."""
    cells = np.rint(points / _GRID_DEG).astype(np.int64)
    return array("q", np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1).tolist())
