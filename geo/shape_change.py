"""Shapes made from shapes: wider by a tolerance, or repaired because somebody asked for it."""

import shapely
from shapely.geometry import MultiPolygon, Polygon

from geo.shapes import Area, Circle, Corridor, Shape, ShapeError, buffered, check_shape, continuous


def widened(shape: Shape, margin_m: float) -> Shape:
    """``shape`` and everything within ``margin_m`` >= 0 metres of it: what an order's tolerance makes of a zone.

    Circles and corridors are exact; an area is buffered in an azimuthal equidistant plane, within 0.1 % of the
    margin up to some 50 km across. Raises ValueError for a margin that is negative or not a number.
    """
    if not margin_m >= 0.0:
        raise ValueError(f"margin_m is {margin_m}: it must be 0 or more metres")
    match shape:
        case _ if margin_m == 0.0:
            return shape
        case Circle():
            return Circle(longitude=shape.longitude, latitude=shape.latitude, radius_m=shape.radius_m + margin_m)
        case Corridor():
            return Corridor(line=shape.line, half_width_m=shape.half_width_m + margin_m)
        case Area():
            wide = buffered(continuous(shape.geometry), margin_m)
            assert isinstance(wide, Polygon | MultiPolygon)
            return Area(geometry=wide)


def repaired(shape: Shape) -> Shape:
    """The nearest sound shape, for a person to look at before it is used: never called on the way in.

    Rings that cross themselves become the parts that they enclose, overlapping parts one, needles and repeated points
    go (``shapely.make_valid`` by structure). A sound shape comes back as it is. Raises ShapeError
    for what has no sound shape near it: swapped coordinates, area 0, absurd extent, a radius that is not a length.
    """
    try:
        check_shape(shape)
    except ShapeError:
        if not isinstance(shape, Area):
            raise
    else:
        return shape
    whole = shapely.make_valid(shapely.force_2d(shape.geometry), method="structure", keep_collapsed=False)
    parts = [part for part in shapely.get_parts(whole) if isinstance(part, Polygon) and part.area > 0.0]
    if not parts:
        check_shape(shape)
        raise ShapeError("nothing with an area is left of the polygon after repair: draw it again")
    mended = Area(geometry=parts[0] if len(parts) == 1 else MultiPolygon(parts))
    check_shape(mended)
    return mended
