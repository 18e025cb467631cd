"""The map of the report, drawn from the fixes themselves: zone, circles of confidence, track, gaps; no tiles. Pure.

Metres east and north of the middle of the fixes; the plane is true to a few centimetres over a city.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import shapely
from reportlab.lib.colors import Color, HexColor, white
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable
from shapely.geometry.base import BaseGeometry

from api.evidence.case import EvidenceCase, TrackedFix
from api.evidence.font import BOLD, REGULAR
from api.evidence.map_words import draw_word
from api.exporting.stamp import local_time
from geo.projection import metres_per_degree
from geo.shapes import shape_to_geometry

ZONE_FILL, ZONE_EDGE = Color(0.65, 0, 0.15, alpha=0.10), HexColor("#a50026")
CIRCLE_FILL, CIRCLE_EDGE = Color(0.12, 0.42, 0.75, alpha=0.05), Color(0.12, 0.42, 0.75, alpha=0.55)
TRACK, BREACH, OTHER, SILENT, GAP = (
    HexColor("#3c4043"), HexColor("#a50026"), HexColor("#1f6bbf"), HexColor("#8a8d91"), HexColor("#b06000"),
)  # fmt: skip

_CLOSE_UP = 1.6
"""A close-up of the zone is drawn beside the whole track when that is at least so many times as wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Part of the plane: metres west, south, east, north."""

    west: float
    south: float
    east: float
    north: float

    @property
    def size_m(self) -> float:
        """The longer side."""
        return max(self.east - self.west, self.north - self.south)


class TrackMap(Flowable):
    """One panel of the map."""

    def __init__(self, case: EvidenceCase, view: View, *, width: float, height: float, label: str) -> None:
        super().__init__()
        self.case, self.view, self.width, self.height, self.label = case, view, width, height, label
        self.plane = _Plane.of(case)
        self.scale = min(width / (view.east - view.west), height / (view.north - view.south))

    def wrap(self, *_: float) -> tuple[float, float]:
        """Points."""
        return self.width, self.height

    def draw(self) -> None:
        """Zone beneath, then circles, track, points, words."""
        canvas: Canvas = self.canv
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(0, 0, self.width, self.height)
        canvas.clipPath(frame, stroke=0, fill=0)
        self._zone(canvas)
        for fix in self.case.fixes:
            self._circle(canvas, fix)
        self._track(canvas)
        for fix in self.case.fixes:
            self._point(canvas, fix)
        self._names(canvas)
        self._scale_bar(canvas)
        canvas.restoreState()
        canvas.setStrokeColor(TRACK)
        canvas.setLineWidth(0.6)
        canvas.rect(0, 0, self.width, self.height)

    def _at(self, east_m: float, north_m: float) -> tuple[float, float]:
        middle_x, middle_y = (self.view.west + self.view.east) / 2, (self.view.south + self.view.north) / 2
        return (
            self.width / 2 + (east_m - middle_x) * self.scale,
            self.height / 2 + (north_m - middle_y) * self.scale,
        )

    def _of(self, fix: TrackedFix) -> tuple[float, float]:
        return self._at(*self.plane.metres(fix.row.longitude, fix.row.latitude))

    def _zone(self, canvas: Canvas) -> None:
        path = canvas.beginPath()
        for polygon in shapely.get_parts(self.plane.outline(self.case)):
            for ring in (polygon.exterior, *polygon.interiors):
                points = [self._at(east, north) for east, north in ring.coords]
                path.moveTo(*points[0])
                for point in points[1:]:
                    path.lineTo(*point)
                path.close()
        canvas.setFillColor(ZONE_FILL)
        canvas.setStrokeColor(ZONE_EDGE)
        canvas.setLineWidth(1.3)
        canvas.drawPath(path, stroke=1, fill=1, fillMode=0)

    def _circle(self, canvas: Canvas, fix: TrackedFix) -> None:
        canvas.setFillColor(CIRCLE_FILL)
        canvas.setStrokeColor(CIRCLE_EDGE)
        canvas.setLineWidth(0.45)
        canvas.circle(*self._of(fix), fix.row.accuracy_m * self.scale, stroke=1, fill=1)

    def _track(self, canvas: Canvas) -> None:
        gaps = {gap.after: gap for gap in self.case.gaps}
        for before, after in pairwise(self.case.fixes):
            gap = gaps.get(before.number)
            canvas.saveState()
            canvas.setStrokeColor(TRACK if gap is None else GAP)
            canvas.setLineWidth(0.7 if gap is None else 1.1)
            if gap is not None:
                canvas.setDash(3, 3)
            canvas.line(*self._of(before), *self._of(after))
            canvas.restoreState()
            if gap is not None:
                (x1, y1), (x2, y2) = self._of(before), self._of(after)
                text = f"无定位 no fixes {gap.minutes:.0f} min"
                self._word(canvas, (x1 + x2) / 2, (y1 + y2) / 2 + 4, text, color=GAP)

    def _point(self, canvas: Canvas, fix: TrackedFix) -> None:
        decides = fix.weight.filtered_probability
        canvas.setLineWidth(0.6)
        canvas.setStrokeColor(SILENT if decides is None else white)
        canvas.setFillColor(white if decides is None else BREACH if decides >= 0.5 else OTHER)
        canvas.circle(*self._of(fix), 1.9, stroke=1, fill=1)

    def _names(self, canvas: Canvas) -> None:
        """Which fixes matter most: the first, where it began, where it was decided, the last."""
        fixes = self.case.fixes
        if not fixes:
            return
        named = [
            (fixes[0], "起"),
            (next((fix for fix in fixes if fix.row.fixed_at >= self.case.started_at), None), "疑似开始"),
            (next((fix for fix in fixes if fix.row.fixed_at >= self.case.decided_at), None), "认定"),
            (fixes[-1], "止"),
        ]
        taken: list[tuple[float, float]] = []
        for fix, word in named:
            if fix is None:
                continue
            x, y = self._of(fix)
            if not (0 <= x <= self.width and 0 <= y <= self.height):
                continue
            y += 6
            while any(abs(x - other_x) < 70 and abs(y - other_y) < 9 for other_x, other_y in taken):
                y += 9
            taken.append((x, y))
            text = f"{word} #{fix.number} {local_time(fix.row.fixed_at)[11:]}"
            self._word(canvas, x, y, text, color=TRACK)

    def _word(self, canvas: Canvas, x: float, y: float, text: str, *, color: Color) -> None:
        draw_word(canvas, x, y, text, color, width=self.width, lowest=3, highest=self.height - 20)

    def _scale_bar(self, canvas: Canvas) -> None:
        length_m = nice_length_m(self.width / self.scale / 4)
        canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
        canvas.rect(0, self.height - 15, self.width, 15, stroke=0, fill=1)
        canvas.setFillColor(TRACK)
        canvas.setStrokeColor(TRACK)
        canvas.setFont(BOLD, 7)
        canvas.drawString(5, self.height - 10.5, self.label)
        canvas.setLineWidth(1.4)
        right = self.width - 24
        canvas.line(right - length_m * self.scale, self.height - 11, right, self.height - 11)
        canvas.setFont(REGULAR, 6.4)
        words = f"{length_m:g} m" if length_m < 1000 else f"{length_m / 1000:g} km"
        canvas.drawRightString(right - length_m * self.scale - 4, self.height - 12, words)
        arrow = canvas.beginPath()
        arrow.moveTo(self.width - 10, self.height - 3)
        arrow.lineTo(self.width - 13, self.height - 12)
        arrow.lineTo(self.width - 10, self.height - 10)
        arrow.lineTo(self.width - 7, self.height - 12)
        arrow.close()
        canvas.drawPath(arrow, stroke=0, fill=1)
        canvas.drawRightString(self.width - 14, self.height - 10.5, "北N")


def views_of(case: EvidenceCase, *, aspect: float) -> list[View]:
    """All of the track, and a close-up of the zone if that would be small in it. ``aspect``: width by height."""
    plane = _Plane.of(case)
    if not case.fixes:
        return [_fitted(shapely.total_bounds(plane.outline(case)).tolist(), aspect)]
    whole = _around(plane, case.fixes)
    zone = plane.outline(case)
    west, south, east, north = shapely.total_bounds(zone).tolist()
    near = _around(plane, case.proving or case.fixes)
    if max(east - west, north - south) <= 4 * max(near[2] - near[0], near[3] - near[1]):
        near = [min(near[0], west), min(near[1], south), max(near[2], east), max(near[3], north)]
    whole = [min(whole[0], near[0]), min(whole[1], near[1]), max(whole[2], near[2]), max(whole[3], near[3])]
    all_of_it, close_up = _fitted(whole, aspect), _fitted(near, aspect)
    return [all_of_it, close_up] if all_of_it.size_m >= _CLOSE_UP * close_up.size_m else [all_of_it]


def nice_length_m(most_m: float) -> float:
    """The longest of 1, 2 or 5 times a power of ten that is not above ``most_m`` (metres, above 0)."""
    power = 10.0 ** (math.floor(math.log10(most_m)) - 1)  # the logarithm of what is just below a power is rounded up
    return max(step * power for step in (1.0, 2.0, 5.0, 10.0, 20.0, 50.0) if step * power <= most_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plane:
    longitude: float
    latitude: float
    east_m: float
    north_m: float

    @classmethod
    def of(cls, case: EvidenceCase) -> "_Plane":
        if case.fixes:
            longitude, latitude = case.fixes[0].row.longitude, case.fixes[0].row.latitude
        else:
            longitude, latitude = shapely.get_coordinates(shape_to_geometry(case.zone.shape))[0].tolist()
        east_m, north_m = metres_per_degree(latitude)
        return cls(longitude=longitude, latitude=latitude, east_m=east_m, north_m=north_m)

    def metres(self, longitude: float, latitude: float) -> tuple[float, float]:
        return (longitude - self.longitude) * self.east_m, (latitude - self.latitude) * self.north_m

    def outline(self, case: EvidenceCase) -> BaseGeometry:
        geometry = shape_to_geometry(case.zone.shape)
        return shapely.transform(
            geometry, lambda points: (points - [self.longitude, self.latitude]) * [self.east_m, self.north_m]
        )


def _around(plane: _Plane, fixes: Sequence[TrackedFix]) -> list[float]:
    found = [(plane.metres(fix.row.longitude, fix.row.latitude), fix.row.accuracy_m) for fix in fixes]
    return [
        min(east - radius for (east, _), radius in found),
        min(north - radius for (_, north), radius in found),
        max(east + radius for (east, _), radius in found),
        max(north + radius for (_, north), radius in found),
    ]


def _fitted(box: Sequence[float], aspect: float) -> View:
    """The box with a margin, in the shape of the panel."""
    west, south, east, north = box
    width, height = 1.14 * max(east - west, 20.0), 1.3 * max(north - south, 20.0)
    width, height = max(width, height * aspect), max(height, width / aspect)
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    return View(
        west=middle_x - width / 2,
        south=middle_y - height / 2,
        east=middle_x + width / 2,
        north=middle_y + height / 2,
    )
