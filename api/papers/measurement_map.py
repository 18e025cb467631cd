"""The map of a measurement: campus with its gates, venue with its doors, both lines, the distance of the rule. Pure.

Metres east and north of the venue; the plane is true to a few centimetres over a kilometre. No tiles, no network.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import shapely
from reportlab.lib.colors import Color, HexColor, white
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from api.evidence.font import BOLD, REGULAR
from api.evidence.map_drawing import View, nice_length_m
from api.evidence.map_words import draw_word
from geo.projection import metres_per_degree
from venues.distance import DistanceFinding, counting_gates
from venues.distance_ends import Door, Gate, GateKind, PlacedVenue
from venues.distance_rule import Metric
from venues.measurement import Measurement

CAMPUS_FILL, CAMPUS_EDGE = Color(0.12, 0.42, 0.75, alpha=0.12), HexColor("#1f6bbf")
LIMIT_EDGE = HexColor("#b06000")
VENUE_FILL, VENUE_EDGE = Color(0.65, 0, 0.15, alpha=0.18), HexColor("#a50026")
AIR, WALK, INK, CLOSED = HexColor("#a50026"), HexColor("#188038"), HexColor("#3c4043"), HexColor("#8a8d91")

_GATE_WORDS = {GateKind.STUDENT: "学生门", GateKind.SERVICE: "后勤门", GateKind.UNKNOWN: "校门"}
_LEAST_M = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What is drawn, in metres of the plane."""

    campus: BaseGeometry
    limit: BaseGeometry | None
    """All that is within the rule's metres of what it measures from; ``None`` on foot, where no ring shows it."""
    venue: BaseGeometry
    straight: LineString
    way: LineString | None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all that must be seen; of the campus the part near the venue."""
        seen = [self.venue, self.straight, *([self.way] if self.way else [])]
        near = self.campus.intersection(shapely.box(*shapely.union_all(seen).buffer(_LEAST_M).bounds))
        west, south, east, north = shapely.union_all([*seen, near]).bounds
        return west, south, east, north


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Degrees to metres east and north of a point."""

    longitude: float
    latitude: float

    def metres(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Of a place."""
        east_m, north_m = metres_per_degree(self.latitude)
        return (longitude - self.longitude) * east_m, (latitude - self.latitude) * north_m

    def point(self, end: Gate | Door | PlacedVenue) -> Point:
        """Where a gate, a door or a venue is, in metres."""
        return Point(self.metres(end.longitude, end.latitude))

    def of(self, geometry: BaseGeometry) -> BaseGeometry:
        """A shape in metres."""
        scale = metres_per_degree(self.latitude)
        return shapely.transform(geometry, lambda points: (points - [self.longitude, self.latitude]) * list(scale))


def sketch_of(made: Measurement) -> tuple[Plane, Sketch]:
    """The parts of the map."""
    found = made.finding
    plane = Plane(longitude=found.venue.longitude, latitude=found.venue.latitude)
    campus = plane.of(found.campus.boundary or Point(found.campus.longitude, found.campus.latitude))
    end = plane.point(found.straight_door or found.venue)
    venue = plane.of(found.venue.footprint) if found.venue.footprint is not None else end
    begins = campus if found.straight_gate is None else plane.point(found.straight_gate)
    straight = shapely.shortest_line(begins, venue if found.is_to_edge else end)
    way = LineString([plane.metres(*place) for place in made.way]) if len(made.way) > 1 else None
    return plane, Sketch(campus=campus, limit=_limit_of(found, plane, campus), venue=venue, straight=straight, way=way)


def _limit_of(found: DistanceFinding, plane: Plane, campus: BaseGeometry) -> BaseGeometry | None:
    """Of a rule that names no method by its strictest reading; about all that is known of a wall that nobody drew."""
    reading = found.rule.readings[0]
    if reading.metric is Metric.WALKING:
        return None
    gates = counting_gates(found.campus, reading.site_end)
    measured_from: list[BaseGeometry] = [plane.point(gate) for gate in gates] or [campus]
    if not gates and found.campus.boundary is None:
        measured_from += [plane.point(gate) for gate in found.campus.gates]
    return shapely.union_all(measured_from).buffer(found.rule.threshold_m)


class MeasurementMap(Flowable):
    """The map as one panel."""

    def __init__(self, made: Measurement, *, width: float, height: float) -> None:
        super().__init__()
        self.made, self.width, self.height = made, width, height
        self.plane, self.sketch = sketch_of(made)
        self.view = _view(self.sketch.bounds, aspect=width / height)
        self.scale = width / (self.view.east - self.view.west)

    def wrap(self, *_: float) -> tuple[float, float]:
        """Points."""
        return self.width, self.height

    def draw(self) -> None:
        """Areas beneath, then lines, gates and doors, words."""
        canvas: Canvas = self.canv
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(0, 0, self.width, self.height)
        canvas.clipPath(frame, stroke=0, fill=0)
        self._area(canvas, self.sketch.campus, CAMPUS_FILL, CAMPUS_EDGE)
        if self.sketch.limit is not None:
            self._limit(canvas, self.sketch.limit)
        self._area(canvas, self.sketch.venue, VENUE_FILL, VENUE_EDGE)
        if self.sketch.way is not None:
            self._line(canvas, self.sketch.way.coords, WALK, width=1.6)
        self._line(canvas, self.sketch.straight.coords, AIR, width=1.0, dash=(4, 2))
        self._gates(canvas)
        self._doors(canvas)
        self._scale_bar(canvas)
        canvas.restoreState()
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(0.6)
        canvas.rect(0, 0, self.width, self.height)

    def _at(self, place: Sequence[float]) -> tuple[float, float]:
        return (place[0] - self.view.west) * self.scale, (place[1] - self.view.south) * self.scale

    def _area(self, canvas: Canvas, area: BaseGeometry, fill: Color, edge: Color) -> None:
        canvas.setFillColor(fill)
        canvas.setStrokeColor(edge)
        canvas.setLineWidth(1.1)
        if isinstance(area, Point):
            canvas.circle(*self._at(area.coords[0]), 3.0, stroke=1, fill=1)
            return
        canvas.drawPath(self._outline(canvas, area), stroke=1, fill=1, fillMode=0)

    def _limit(self, canvas: Canvas, limit: BaseGeometry) -> None:
        canvas.saveState()
        canvas.setStrokeColor(LIMIT_EDGE)
        canvas.setLineWidth(0.7)
        canvas.setDash(1.5, 2.5)
        canvas.drawPath(self._outline(canvas, limit), stroke=1, fill=0)
        canvas.restoreState()

    def _outline(self, canvas: Canvas, area: BaseGeometry) -> object:
        path = canvas.beginPath()
        for polygon in shapely.get_parts(area):
            for ring in (polygon.exterior, *polygon.interiors):
                points = [self._at(place) for place in ring.coords]
                path.moveTo(*points[0])
                for point in points[1:]:
                    path.lineTo(*point)
                path.close()
        return path

    def _line(
        self,
        canvas: Canvas,
        places: Iterable[Sequence[float]],
        colour: Color,
        *,
        width: float,
        dash: tuple[float, float] | None = None,
    ) -> None:
        points = [self._at(place) for place in places]
        canvas.saveState()
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(width)
        if dash is not None:
            canvas.setDash(*dash)
        path = canvas.beginPath()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        canvas.drawPath(path, stroke=1, fill=0)
        canvas.restoreState()

    def _gates(self, canvas: Canvas) -> None:
        for gate in self.made.finding.campus.gates:
            x, y = self._at(self.plane.metres(gate.longitude, gate.latitude))
            canvas.setStrokeColor(CLOSED if gate.is_closed else CAMPUS_EDGE)
            canvas.setFillColor(white)
            canvas.setLineWidth(1.2)
            canvas.circle(x, y, 2.6, stroke=1, fill=1)
            word = _GATE_WORDS[gate.kind] + ("（已封闭）" if gate.is_closed else "")
            self._word(canvas, x, y - 11, word, INK)

    def _doors(self, canvas: Canvas) -> None:
        venue = self.made.finding.venue
        places = [(door.longitude, door.latitude) for door in venue.doors] or [(venue.longitude, venue.latitude)]
        for place in places:
            x, y = self._at(self.plane.metres(*place))
            canvas.setFillColor(VENUE_EDGE)
            canvas.setStrokeColor(white)
            canvas.circle(x, y, 2.4, stroke=1, fill=1)
        x, y = self._at(self.plane.metres(*places[0]))
        self._word(canvas, x, y + 6, "场所" if venue.doors else "场所（出入口未登记）", VENUE_EDGE)

    def _word(self, canvas: Canvas, x: float, y: float, text: str, colour: Color) -> None:
        draw_word(canvas, x, y, text, colour, width=self.width, lowest=18, highest=self.height - 12)

    def _scale_bar(self, canvas: Canvas) -> None:
        length_m = nice_length_m(self.width / self.scale / 4)
        canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
        canvas.rect(0, 0, self.width, 15, stroke=0, fill=1)
        canvas.setFillColor(INK)
        canvas.setStrokeColor(INK)
        canvas.setFont(BOLD, 7)
        canvas.drawString(5, 4.5, "上方为北 North is up")
        canvas.setLineWidth(1.4)
        right = self.width - 8
        canvas.line(right - length_m * self.scale, 5, right, 5)
        canvas.setFont(REGULAR, 6.4)
        canvas.drawRightString(right - length_m * self.scale - 4, 4, f"{length_m:g} m")


def _view(bounds: tuple[float, float, float, float], *, aspect: float) -> View:
    """The box with a margin, in the shape of the panel; ``aspect``: width by height."""
    west, south, east, north = bounds
    width, height = 1.2 * max(east - west, _LEAST_M), 1.35 * max(north - south, _LEAST_M)
    width, height = max(width, height * aspect), max(height, width / aspect)
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    assert math.isfinite(width)
    return View(
        west=middle_x - width / 2, south=middle_y - height / 2, east=middle_x + width / 2, north=middle_y + height / 2
    )
