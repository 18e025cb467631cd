"""Tagged nodes, closed ways and areas of an OSM file (PBF or XML). Contributors and changesets are never read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import osmium
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from api.files.errors import UnreadableFile

OSM_SUFFIXES = (".osm", ".osm.gz", ".osm.bz2", ".pbf")

_NOT_CLOSED = "线未闭合或不完整 / the way is not closed or some of its nodes are missing: a place is a point or an area"
_NO_NODE = "节点没有坐标 / the node has no location"
_NO_AREA = (
    "关系无法组成面 / the relation makes no area: members are missing, rings do not close, or it is not a "
    "multipolygon; use a complete extract or mend it in OSM"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OsmObject:
    """One object with tags and its geometry: Point, Polygon or MultiPolygon (WGS-84), or ``None`` and a ``problem``."""

    record: int
    """1-based count among the objects of the file that have one of the wanted tags."""
    reference: str
    """``node/1``, ``way/1`` or ``relation/1``."""
    kind: str
    tags: dict[str, str]
    geometry: BaseGeometry | None
    problem: str = ""


def read_osm_objects(path: Path, *, tag_keys: tuple[str, ...]) -> Iterator[OsmObject]:
    """Every node, way and relation at ``path`` that has one of ``tag_keys``, once each, with its geometry.

    A multipolygon relation comes with its assembled area; a relation of which no area can be made comes last, with its
    problem. The file is read twice; node locations are held in memory. Raises UnreadableFile for a damaged file.
    """
    wanted = osmium.filter.KeyFilter(*tag_keys)
    processor = osmium.FileProcessor(str(path)).with_areas(wanted).with_filter(wanted)
    try:
        yield from _objects(processor)
    except RuntimeError as error:
        raise UnreadableFile(
            f"{path.name}：OSM 文件损坏或不完整 / the OSM file is damaged or cut short: {error}"
        ) from error


def _objects(processor: osmium.FileProcessor) -> Iterator[OsmObject]:
    relations: dict[int, OsmObject] = {}
    assembled: set[int] = set()
    for record, found in enumerate(processor, start=1):
        tags = {tag.k: tag.v for tag in found.tags}
        if isinstance(found, osmium.osm.Node):
            yield _node(found, record, tags)
        elif isinstance(found, osmium.osm.Way):
            yield _way(found, record, tags)
        elif isinstance(found, osmium.osm.Relation):
            relations[found.id] = OsmObject(
                record=record,
                reference=f"relation/{found.id}",
                kind="relation",
                tags=tags,
                geometry=None,
                problem=_NO_AREA,
            )
        elif isinstance(found, osmium.osm.Area) and not found.from_way():
            assembled.add(found.orig_id())
            reference = f"relation/{found.orig_id()}"
            yield OsmObject(record=record, reference=reference, kind="relation", tags=tags, geometry=_area(found))
    for number, relation in relations.items():
        if number not in assembled:
            yield relation


def _node(node: osmium.osm.Node, record: int, tags: dict[str, str]) -> OsmObject:
    point = Point(node.location.lon, node.location.lat) if node.location.valid() else None
    reference = f"node/{node.id}"
    return OsmObject(record=record, reference=reference, kind="node", tags=tags, geometry=point, problem=_NO_NODE)


def _way(way: osmium.osm.Way, record: int, tags: dict[str, str]) -> OsmObject:
    """A closed way as a polygon of its own nodes: osmium makes no area of a way that is part of a multipolygon too."""
    polygon: Polygon | None = None
    if way.is_closed() and len(way.nodes) >= 4 and all(node.location.valid() for node in way.nodes):
        polygon = Polygon([(node.location.lon, node.location.lat) for node in way.nodes])
    reference = f"way/{way.id}"
    return OsmObject(record=record, reference=reference, kind="way", tags=tags, geometry=polygon, problem=_NOT_CLOSED)


def _area(area: osmium.osm.Area) -> BaseGeometry:
    parts = shapely.get_parts(shapely.from_wkb(_WKB.create_multipolygon(area)))
    return parts[0] if len(parts) == 1 else MultiPolygon(list(parts))


_WKB = osmium.geom.WKBFactory()
