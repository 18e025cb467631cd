"""The shape that a GeoJSON geometry means as a zone (RFC 7946)."""

from collections.abc import Mapping, Sequence

from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon

from geo.shapes import Area, Circle, Corridor, Shape, ShapeError, check_shape


def shape_from_geojson(geometry: Mapping[str, object], *, radius_m: float | None) -> Shape:
    """The checked shape of a GeoJSON geometry (WGS-84, longitude first, heights dropped).

    A Point becomes a Circle of ``radius_m`` metres, a LineString or MultiLineString a Corridor whose half width is
    ``radius_m`` metres, a Polygon or MultiPolygon an Area (``radius_m`` must then be None: its sense would be a guess).
    Raises ShapeError for any other type, for unclosed rings, for a radius that is no number, and for all that
    ``check_shape`` refuses.
    """
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    shape: Shape
    match kind:
        case "Point":
            longitude, latitude = _position(coordinates, "Point")
            shape = Circle(longitude=longitude, latitude=latitude, radius_m=_radius_m(radius_m, kind))
        case "LineString":
            line = LineString(_line(coordinates, kind))
            shape = Corridor(line=line, half_width_m=_radius_m(radius_m, kind))
        case "MultiLineString":
            lines = MultiLineString([_line(part, kind) for part in _items(coordinates, kind)])
            shape = Corridor(line=lines, half_width_m=_radius_m(radius_m, kind))
        case "Polygon" | "MultiPolygon":
            if radius_m is not None:
                raise ShapeError(f"radius_m is {radius_m} on a {kind}: it belongs to a Point or a line; leave it out")
            parts = [coordinates] if kind == "Polygon" else _items(coordinates, kind)
            polygons = [_polygon(part, kind) for part in parts]
            shape = Area(geometry=polygons[0] if kind == "Polygon" else MultiPolygon(polygons))
        case _:
            raise ShapeError(
                f"GeoJSON type {kind!r} cannot be a zone: give the geometry of a feature, one of Point, LineString, "
                "MultiLineString, Polygon, MultiPolygon"
            )
    check_shape(shape)
    return shape


def _radius_m(value: object, kind: str) -> float:
    name = "radius" if kind == "Point" else "half width"
    if value is None:
        raise ShapeError(f"a {kind} needs radius_m, its {name} in metres")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ShapeError(f"radius_m of the {kind} is {value!r:.80}: give its {name} as a number of metres")
    return value


def _items(value: object, kind: str) -> Sequence[object]:
    if not isinstance(value, list | tuple) or not value:
        raise ShapeError(f"the coordinates of a {kind} must be a list that is not empty, not {value!r:.80}")
    return value


def _position(value: object, kind: str) -> tuple[float, float]:
    given = [item for item in _items(value, kind) if isinstance(item, int | float) and not isinstance(item, bool)]
    numbers = [float(item) for item in given if abs(item) < 1e9]
    if len(numbers) < 2 or len(numbers) != len(_items(value, kind)):
        raise ShapeError(f"a position of the {kind} is {value!r:.80}: give [longitude, latitude] as numbers")
    return numbers[0], numbers[1]


def _line(value: object, kind: str) -> list[tuple[float, float]]:
    points = [_position(item, kind) for item in _items(value, kind)]
    if len(points) < 2:
        raise ShapeError(f"a line of the {kind} has 1 point: give at least 2")
    return points


def _polygon(value: object, kind: str) -> Polygon:
    rings = [[_position(item, kind) for item in _items(ring, kind)] for ring in _items(value, kind)]
    for number, ring in enumerate(rings):
        if ring[0] != ring[-1]:
            raise ShapeError(
                f"ring {number} of the {kind} is not closed: it starts at {ring[0]} and ends at {ring[-1]}; "
                "repeat the first position at the end",
                longitude=ring[-1][0],
                latitude=ring[-1][1],
            )
        if len(ring) < 4:
            raise ShapeError(f"ring {number} of the {kind} has {len(ring)} positions: a closed ring needs at least 4")
    return Polygon(rings[0], rings[1:])
