"""Signed metres from a fix to the usual small zone near it: single precision, sixteen edges at a time.

A card holds what is needed of one zone in one cache line; its vertices follow it, in lines of their own, so that both
are on their way from memory at once. All together are the deck. Places are taken from the zone's south-west corner, so
that single precision errs by less than 1 mm; where that could tell inside from outside, the answer is left to
``geo.measure``. Metres come from scales at that corner that change with latitude to first order, taken midway between
fix and vertex (Gauss): below 1 mm up to ``FARTHEST_M`` and 85 degrees.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.large_pages import in_large_pages
from geo.outline import CIRCLE, PATH, Forest, Outlines
from geo.projection import ECCENTRICITY_SQUARED, EQUATOR_RADIUS_M, FloatArray, IntArray, compiled

CARD = np.dtype(
    [
        ("edges", np.int32),  # a multiple of ``LANES``; 0 for a circle, -1 for what geo.measure must do
        ("closed", np.int32),
        ("zone", np.int64),  # local number
        ("row", np.int64),  # public row
        ("west", np.float64),  # degrees, the corner that vertices count from; of a circle its centre
        ("south", np.float64),
        ("margin_m", np.float64),
        ("east_m", np.float32),  # metres per degree at the corner, and half their change per degree of latitude
        ("east_change_m", np.float32),
        ("north_m", np.float32),
        ("north_change_m", np.float32),
    ]
)
LANES = 16
LINE = 16  # singles in a cache line
FARTHEST_M = 3_000.0

_WIDEST_DEG = 0.05
_HIGHEST_DEG = 85.0
_DOUBTFUL_M = 0.02  # so near an edge, double precision must tell the side
_FARTHEST_DEG = 1.0
_LARGEST = 0x7F7FFFFF  # the bits of the largest single

Deck = NDArray[np.float32]
Cards = NDArray[Any]  # CARD
Function = TypeVar("Function", bound=Callable[..., object])


def _vectorised(function: Function) -> Function:
    """``function`` compiled so that sums and minima may be taken in any order; it must never see a NaN."""
    flags = {"nnan", "ninf", "nsz", "reassoc", "contract"}
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(function))


def deal(outlines: Outlines, forest: Forest) -> tuple[Deck, IntArray]:
    """The deck of all zones, and the line of each zone's card in it ``[m]``.

    After a card come the longitudes of ``edges + 1`` vertices from its corner, then their latitudes (degrees).
    """
    bounds = outlines.bounds
    kind = forest.head[:, 0] & 3
    small = (bounds[:, 2] - bounds[:, 0] <= _WIDEST_DEG) & (bounds[:, 3] - bounds[:, 1] <= _WIDEST_DEG)
    small &= (np.abs(bounds[:, 1]) <= _HIGHEST_DEG) & (np.abs(bounds[:, 3]) <= _HIGHEST_DEG)
    path = small & (kind == PATH)
    true_edges = np.where(path, forest.head[:, 3] - forest.head[:, 2], 0)
    edges = np.where(path, -(-true_edges // LANES) * LANES, np.where(small & (kind == CIRCLE), 0, -1))
    lines = 1 + np.where(path, -(-2 * (edges + 1) // LINE), 0)
    line = np.cumsum(lines) - lines
    cards = np.zeros(len(outlines), dtype=CARD)
    cards["edges"], cards["closed"] = edges, forest.head[:, 0] >> 2
    cards["zone"], cards["row"] = np.arange(len(outlines)), forest.head[:, 1]
    cards["west"], cards["south"], cards["margin_m"] = bounds[:, 0], bounds[:, 1], outlines.margin_m
    _scale(cards)
    deck = _aligned(int(lines.sum()))
    deck.view(CARD)[line] = cards
    _fill(cards, line, outlines.x, outlines.y, forest.head[:, 2].copy(), true_edges, deck)
    return in_large_pages(deck), line


def _aligned(lines: int) -> Deck:
    """An empty deck whose lines are those of the cache."""
    raw = np.empty((lines + 1) * LINE, dtype=np.float32)
    skipped = -(raw.ctypes.data // raw.itemsize) % LINE
    return raw[skipped : skipped + lines * LINE]


def _scale(cards: Cards) -> None:
    """Metres per degree at the corners and half their change, by the radii of curvature."""
    radians = math.pi / 180.0
    sine, cosine = np.sin(np.radians(cards["south"])), np.cos(np.radians(cards["south"]))
    w_squared = 1.0 - ECCENTRICITY_SQUARED * sine * sine
    prime_vertical_m = EQUATOR_RADIUS_M / np.sqrt(w_squared)
    meridian_m = prime_vertical_m * (1.0 - ECCENTRICITY_SQUARED) / w_squared
    north = radians * meridian_m
    cards["east_m"], cards["north_m"] = radians * prime_vertical_m * cosine, north
    cards["east_change_m"] = -0.5 * radians * radians * meridian_m * sine
    cards["north_change_m"] = 1.5 * radians * north * ECCENTRICITY_SQUARED * sine * cosine / w_squared


@compiled
def _fill(
    cards: Cards,
    line: IntArray,
    x: FloatArray,
    y: FloatArray,
    first: IntArray,
    true_edges: IntArray,
    deck: Deck,
) -> None:
    """Vertices after their cards; the last one is repeated, so that no loop has a remainder."""
    for zone in range(cards.size):
        card = cards[zone]
        start = (line[zone] + 1) * LINE
        for vertex in range(card.edges + 1 if card.edges > 0 else 0):
            source = first[zone] + min(vertex, true_edges[zone])
            deck[start + vertex] = x[source] - card.west
            deck[start + card.edges + 1 + vertex] = y[source] - card.south


@compiled
def near_signed_distance_m(card: Any, deck: Deck, start: int, lon: float, lat: float) -> float:
    """Signed metres from the fix (degrees) to the zone of ``card``; NaN when ``geo.measure`` must tell.

    ``start`` is where its vertices begin in the deck.
    """
    dlon, dlat = lon - card.west, lat - card.south
    if card.edges < 0 or not (abs(dlon) < _FARTHEST_DEG and abs(dlat) < _FARTHEST_DEG):
        return math.nan
    if card.edges == 0:
        east = (card.east_m + dlat * card.east_change_m) * dlon
        north = (card.north_m + dlat * card.north_change_m) * dlat
        distance = math.sqrt(east * east + north * north)
        return distance - card.margin_m if distance <= FARTHEST_M else math.nan
    squared, crossed = _path_distance_squared(deck, start, card, np.float32(dlon), np.float32(dlat))
    distance = math.sqrt(squared)
    if distance > FARTHEST_M or (card.closed == 1 and distance < _DOUBTFUL_M):
        return math.nan
    return -distance if card.closed & crossed & 1 else distance - card.margin_m


@_vectorised
def _path_distance_squared(
    deck: Deck, start: int, card: Any, dlon: np.float32, dlat: np.float32
) -> tuple[np.float32, np.int32]:
    """Squared metres to the path of ``card``, and the number of its edges east of the fix.

    Squares are compared by their bits, as integers: positive numbers sort so, and the compiler makes a minimum of
    integers sixteen lanes wide but not one of singles. Integers are kept to 32 bits, or the lanes would be halved.
    """
    east, east_change, north, north_change = card.east_m, card.east_change_m, card.north_m, card.north_change_m
    zero, one, tiny = np.float32(0.0), np.float32(1.0), np.float32(1e-20)
    best, crossed = np.int32(_LARGEST), np.int32(0)
    edges = card.edges
    for first in range(start, start + edges, LANES):
        xs, ys = deck[first : first + LANES + 1], deck[first + edges + 1 : first + edges + LANES + 2]
        lane_best, lane_crossed = np.int32(_LARGEST), np.int32(0)
        for lane in range(LANES):
            adx, ady = xs[lane] - dlon, ys[lane] - dlat
            bdx, bdy = xs[lane + 1] - dlon, ys[lane + 1] - dlat
            straddles = (ady > zero) != (bdy > zero)
            is_east = (adx * bdy > ady * bdx) == (bdy > ady)
            lane_crossed = np.int32(lane_crossed + np.int32(straddles & is_east))
            a_up, b_up = ys[lane] + dlat, ys[lane + 1] + dlat
            ax, ay = adx * (east + a_up * east_change), ady * (north + a_up * north_change)
            bx, by = bdx * (east + b_up * east_change), bdy * (north + b_up * north_change)
            ux, uy = bx - ax, by - ay
            along = -(ax * ux + ay * uy) / max(ux * ux + uy * uy, tiny)
            along = min(max(along, zero), one)
            qx, qy = ax + along * ux, ay + along * uy
            lane_best = np.int32(min(lane_best, np.float32(qx * qx + qy * qy).view(np.int32)))
        best = np.int32(min(best, lane_best))
        crossed = np.int32(crossed + lane_crossed)
    return np.int32(best).view(np.float32), crossed
