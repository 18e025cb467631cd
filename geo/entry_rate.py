"""How often a wandering error carries a still person into a zone, and how often it hides one who is inside.

Errors of consecutive fixes are circular normal and AR(1): correlation exp(-interval / correlation_s). The mean of ``n``
of them is normal again, with variance sigma² (n + 2 sum of (n - k) rho^k) / n² (the effective sample size of an AR(1)
series: Bayley and Hammersley, "The effective number of independent observations in an autocorrelated time series",
Suppl. J. R. Stat. Soc. 8, 1946, 184-197), and two means one fix apart correlate by r = 1 - (1 - rho^n) sigma² / (n²
times that variance).

Two errors with correlation r share sqrt(r) of the error and differ by two independent rests of s = sqrt(1 - r). With
B(y) the probability that the rest carries y into the region R in which the rule says "inside", a person at x has

    P(out now, in at the next fix) = mean of B (1 - B) over y about x with sqrt(r) of the error,

two blurs of a picture, and exact for any region. For small s it is s / sqrt(pi) times the density along the edge of R,
which is Rice's formula ("Mathematical analysis of random noise", Bell System Tech. J. 24, 1945, 46-156) for a sampled
series; below ``_LEAST_REST`` that proportion replaces a finer picture.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import shapely
from scipy.interpolate import PchipInterpolator, RectBivariateSpline
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.local_shape import Rings
from geo.projection import FloatArray, metres_per_degree
from geo.shape_middle import flat_polygon
from geo.shapes import Circle, Shape, circle_outline

_WHOLE_UP_TO = 14.0  # errors: a zone no larger is pictured whole, of a larger one the part about its worst place
_PAD = 7.0  # errors around a whole zone
_HALF_PART = 10.0  # errors from the middle of a part to its sides
_LADDER = np.arange(0.0, 6.01, 0.25)  # errors outside the edge
_PLACES = 512  # tried along an edge
_LEAST_REST = 0.16
_SPLINE_STEP = 0.3  # of the error: cubic splines then keep P(inside) to 1e-4
_SMOOTH = 2.5  # pixels in the standard deviation of the narrowest blur
_CIRCLE_ERROR = 0.02  # of the error: how far a drawn circle may lie inside the true one
_MOST_CIRCLE_POINTS = 8192
_NEAR_EDGE_M = 0.02  # a sign for ``Rings.inside``, and no distance
_NEVER = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanError:
    """The error of a mean of ``fix_count`` fixes: its standard deviation per axis, and its correlation one fix on."""

    fix_count: int
    sigma_m: float
    rest: float  # sqrt(1 - r), above 0 and at most 1

    @classmethod
    def of(cls, *, fix_count: int, sigma_m: float, interval_s: float, correlation_s: float) -> Self:
        """The mean of fixes ``interval_s`` apart whose single errors are ``sigma_m`` (metres per axis)."""
        rho = math.exp(-interval_s / correlation_s)
        lags = np.arange(1, fix_count)
        share = float(fix_count + 2.0 * np.sum((fix_count - lags) * rho**lags)) / fix_count**2
        fresh = -math.expm1(-fix_count * interval_s / correlation_s) / (fix_count**2 * share)
        return cls(fix_count=fix_count, sigma_m=sigma_m * math.sqrt(share), rest=math.sqrt(min(1.0, fresh)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A zone ready to be pictured."""

    polygon: Polygon | MultiPolygon  # degrees, continuous
    rings: Rings
    edge_per_area: float  # metres of edge per square metre
    widest_m: float

    @classmethod
    def of(cls, shape: Shape, *, sigma_m: float) -> Self:
        """The outline of a checked shape, fine enough for errors of ``sigma_m`` and more."""
        polygon = flat_polygon(shape)
        if isinstance(shape, Circle):
            points = math.ceil(math.pi / math.sqrt(2.0 * _CIRCLE_ERROR * sigma_m / shape.radius_m))
            polygon = circle_outline(shape, min(max(points, 64), _MOST_CIRCLE_POINTS))
        assert polygon is not None
        west, south, east, north = polygon.bounds
        scale = np.array(metres_per_degree(0.5 * (south + north)))
        flat = shapely.transform(polygon, lambda points: points * scale)
        return cls(
            polygon=polygon,
            rings=Rings.of([polygon]),
            edge_per_area=flat.length / flat.area,
            widest_m=float(np.max(np.array([east - west, north - south]) * scale)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A square picture in metres about a place, with the zone's part in it."""

    outline: Outline
    centre: FloatArray  # [2] degrees
    scale: FloatArray  # [2] metres per degree
    flat: BaseGeometry  # metres from the centre
    half_m: float
    pixel_m: float
    is_whole: bool

    @classmethod
    def about(cls, outline: Outline, *, error: MeanError) -> Self:
        """The picture for errors of this size: of the whole zone, or of its part where most of it is in reach."""
        sigma = error.sigma_m
        west, south, east, north = outline.polygon.bounds
        is_whole = outline.widest_m <= _WHOLE_UP_TO * sigma
        middle = np.array([0.5 * (west + east), 0.5 * (south + north)])
        centre = middle if is_whole else _most_surrounded(outline, sigma)
        scale = np.array(metres_per_degree(float(centre[1])))
        half_m = 0.5 * outline.widest_m + _PAD * sigma if is_whole else _HALF_PART * sigma
        reach = (half_m + _PAD * sigma) / scale
        part = shapely.clip_by_rect(outline.polygon, *(centre - reach), *(centre + reach))
        flat = shapely.transform(part, lambda points: (points - centre) * scale)
        rest = max(error.rest, _LEAST_REST)
        pixel_m = min(0.25, rest / _SMOOTH) * sigma
        return cls(
            outline=outline, centre=centre, scale=scale, flat=flat, half_m=half_m, pixel_m=pixel_m, is_whole=is_whole
        )

    @property
    def axis_m(self) -> FloatArray:
        """Pixel centres [n] of either axis."""
        count = round(self.half_pixels_m / self.pixel_m)
        return np.asarray(np.arange(-count, count + 1) * self.pixel_m, dtype=np.float64)

    @property
    def half_pixels_m(self) -> float:
        """Metres from the centre to the last pixel."""
        return math.ceil(self.half_m / self.pixel_m) * self.pixel_m

    def probability(self, sigma_m: float) -> FloatArray:
        """P(inside) [n, n] (east, north) of an error of ``sigma_m`` about each pixel, by splines over wider steps."""
        count = round(self.half_pixels_m / self.pixel_m)
        stride = max(1, int(_SPLINE_STEP * sigma_m / self.pixel_m))
        knots = np.arange(-(-count // stride) * -stride, count + stride, stride) * self.pixel_m
        east, north = (item.ravel() for item in np.meshgrid(knots, knots, indexing="ij"))
        shapely.prepare(self.flat)
        signed = np.where(shapely.contains_xy(self.flat, east, north), -_NEAR_EDGE_M, _NEAR_EDGE_M)
        row, sigma = np.zeros(east.size, dtype=np.int64), np.full(east.size, sigma_m)
        lon, lat = east / self.scale[0] + self.centre[0], north / self.scale[1] + self.centre[1]
        exact = self.outline.rings.inside(row, lon, lat, sigma, signed).reshape(knots.size, knots.size)
        if stride == 1:
            return exact
        spline = RectBivariateSpline(knots, knots, exact)
        return np.clip(np.asarray(spline(self.axis_m, self.axis_m), dtype=np.float64), 0.0, 1.0)

    def worst_outside(self, picture: FloatArray, distance_m: FloatArray) -> FloatArray:
        """The greatest value of ``picture`` at places so far outside the edge [levels]; 0 where there is none."""
        knots = spline_filter(picture, order=3, mode="nearest")
        return np.array([self._worst_at(knots, item) for item in distance_m.tolist()], dtype=np.float64)

    def _worst_at(self, knots: FloatArray, distance_m: float) -> float:
        edge: BaseGeometry = shapely.buffer(self.flat, distance_m, quad_segs=16).boundary
        reach_m = self.half_m if self.is_whole else 0.7 * self.half_m
        edge = shapely.clip_by_rect(edge, -reach_m, -reach_m, reach_m, reach_m)
        if edge.length == 0.0:
            return 0.0
        places = shapely.get_coordinates(shapely.segmentize(edge, edge.length / _PLACES))
        pixels = (places.T + self.half_pixels_m) / self.pixel_m
        return float(np.max(map_coordinates(knots, pixels, order=3, mode="nearest", prefilter=False)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCurve:
    """False entries per fix of a still person, against the distance from the edge. Never rises."""

    distance_m: FloatArray  # [levels] rising from 0
    log_rate: FloatArray

    def at(self, distance_m: float) -> float:
        """False entries per fix of a person who stays at least ``distance_m`` outside; 0 beyond six errors."""
        if distance_m > self.distance_m[-1]:
            return 0.0
        rate = float(np.exp(PchipInterpolator(self.distance_m, self.log_rate)(distance_m)))
        return rate if rate > 2.0 * _NEVER else 0.0


def point_entries(outline: Outline, error: MeanError) -> EntryCurve:
    """Of the rule "the point lies in the zone", for the error of one fix."""
    window = Window.about(outline, error=error)
    rest = max(error.rest, _LEAST_REST)
    return _curve(window, _entering(window, window.probability(rest * error.sigma_m), error), error)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePicture:
    """The rule "the mean of the last fixes proves presence by at least ``threshold``", over all places."""

    window: Window
    inside: FloatArray  # [n, n] P(the rule says inside now)
    entering: FloatArray  # [n, n] P(it says outside now and inside at the next fix)
    error: MeanError

    @classmethod
    def of(cls, outline: Outline, *, error: MeanError, threshold: float) -> Self:
        window = Window.about(outline, error=error)
        said = _share_above(window.probability(error.sigma_m), threshold)
        blur = error.sigma_m / window.pixel_m
        near = gaussian_filter(said, max(error.rest, _LEAST_REST) * blur, mode="nearest", truncate=6.0)
        inside = np.clip(gaussian_filter(said, blur, mode="nearest", truncate=6.0), 0.0, 1.0)
        return cls(window=window, inside=inside, entering=_entering(window, near, error), error=error)

    def entries(self) -> EntryCurve:
        return _curve(self.window, self.entering, self.error)

    def missed(self, window_count: float) -> float:
        """Share of visits never found, of a person anywhere in the zone, whose stay holds so many full windows.

        A window says "outside" given only that the one before did (first-order Markov): exact for one or two windows.
        """
        whole = math.floor(window_count)
        later = window_count - whole
        at = (1.0 - later) * self._missed_by(whole) + later * self._missed_by(whole + 1)
        weight = self.window.probability(0.6 * self.window.pixel_m)
        deep = float(np.min(at[weight > 0.01], initial=1.0))
        if self.window.is_whole:
            return float(np.average(at, weights=weight))
        half_m = self.window.half_pixels_m
        edge_m = shapely.clip_by_rect(self.window.flat.boundary, -half_m, -half_m, half_m, half_m).length
        excess = float(np.sum((at - deep) * weight)) * self.window.pixel_m**2 / edge_m
        return min(1.0, deep + excess * self.window.outline.edge_per_area)

    def _missed_by(self, count: int) -> FloatArray:
        if count <= 0:
            return np.ones_like(self.inside)
        outside = 1.0 - self.inside
        found_next = np.clip(self.entering / np.maximum(outside, _NEVER), 0.0, 1.0)
        return np.asarray(outside * (1.0 - found_next) ** (count - 1), dtype=np.float64)


def _entering(window: Window, near: FloatArray, error: MeanError) -> FloatArray:
    """P(out now, in next) of each pixel, from the probability ``near`` that the rest of the error carries it in."""
    rest = max(error.rest, _LEAST_REST)
    blur = math.sqrt(max(0.0, 1.0 - rest**2)) * error.sigma_m / window.pixel_m
    changing = np.clip(near, 0.0, 1.0) * np.clip(1.0 - near, 0.0, 1.0)
    entering = gaussian_filter(changing, blur, mode="nearest", truncate=6.0) if blur > 0.3 else changing
    return np.asarray(entering * min(1.0, error.rest / rest), dtype=np.float64)


def _curve(window: Window, entering: FloatArray, error: MeanError) -> EntryCurve:
    distance_m = _LADDER * error.sigma_m
    rate = window.worst_outside(entering, distance_m)
    never_less = np.maximum.accumulate(np.maximum(rate, _NEVER)[::-1])[::-1]
    return EntryCurve(distance_m=distance_m, log_rate=np.log(never_less))


def _share_above(picture: FloatArray, level: float) -> FloatArray:
    """Share of each pixel that lies above ``level``, by the slope of the picture there."""
    slope = np.hypot(*np.gradient(picture))
    return np.asarray(np.clip(0.5 + (picture - level) / np.maximum(slope, 1e-12), 0.0, 1.0), dtype=np.float64)


def _most_surrounded(outline: Outline, sigma_m: float) -> FloatArray:
    """The place on the edge (degrees) with most of the zone about it."""
    edge = outline.polygon.boundary
    places = shapely.get_coordinates(shapely.segmentize(edge, edge.length / _PLACES))
    row, sigma, on_edge = np.zeros(len(places), dtype=np.int64), np.full(len(places), sigma_m), np.zeros(len(places))
    lon, lat = np.ascontiguousarray(places.T)
    return np.asarray(places[np.argmax(outline.rings.inside(row, lon, lat, sigma, on_edge))], dtype=np.float64)
