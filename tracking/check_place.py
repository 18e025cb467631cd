"""Whether a check-in was given at its place: there, elsewhere, or no fix like that can tell. Pure.

By the answer's own fix and ``geo.probability``: a fix is measured against the most that one of its accuracy could say
of the place, so that a coarse one proves neither. Limits are assumptions, not measured: no field data was at hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from geo.index import ZoneIndex
from geo.probability import ShapeProbability
from geo.shapes import Shape

CHECK_PLACE_POLICY = "check-place-1"
"""Stored with what was judged by these limits."""
AT_PLACE_FROM = 0.5
"""P(inside) of an answer that is taken as given there."""
ELSEWHERE_FROM = 0.9
"""P(outside), against the most that such a fix could say of the place, of one that was not."""
_REACH_M = 100.0


class PlaceVerdict(StrEnum):
    """What an answer proves."""

    AT_PLACE = "at_place"  # 在规定地点
    ELSEWHERE = "elsewhere"  # 不在规定地点
    UNDECIDABLE = "undecidable"  # 定位精度不足，无法判断


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPlace:
    """``inside``: P(at the place); ``outside``: 1 less its share of the most that a fix of this accuracy could say."""

    verdict: PlaceVerdict
    inside: float
    outside: float


def judge_places(
    shapes: Sequence[Shape],
    *,
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    accuracy_m: NDArray[np.float64],
) -> tuple[JudgedPlace, ...]:
    """Each fix ``[k]``, degrees WGS-84 and 68 % radius, against the place of its own check-in, ``shapes`` ``[k]``."""
    if len(shapes) == 0:
        return ()
    reach_m = 2.0 * accuracy_m + _REACH_M
    pairs = ZoneIndex.build(shapes).match(longitude=longitude, latitude=latitude, reach_m=reach_m)
    own = pairs.fix_row == pairs.zone_row
    distance_m = reach_m.copy()
    distance_m[pairs.fix_row[own]] = pairs.signed_distance_m[own]
    rows, compiled = np.arange(len(shapes)), ShapeProbability.build(shapes)
    inside = compiled.inside(
        zone_row=rows, longitude=longitude, latitude=latitude, accuracy_m=accuracy_m, signed_distance_m=distance_m
    )
    most = np.maximum(compiled.best_probability(zone_row=rows, accuracy_m=accuracy_m), inside)
    outside = 1.0 - np.divide(inside, most, out=np.zeros(len(rows)), where=most > 0.0)
    return tuple(
        JudgedPlace(verdict=_verdict(here, away), inside=here, outside=away)
        for here, away in zip(inside.tolist(), outside.tolist(), strict=True)
    )


def place_text_zh(verdict: PlaceVerdict, *, inside: float | None, accuracy_m: float | None) -> str:
    """Of an answer not given there, or not surely, in plain words for officers; numbers if its fix proves anything."""
    told = (
        "" if inside is None or accuracy_m is None else f"（在该处的概率 {inside:.0%}，定位精度 {accuracy_m:.0f} 米）"
    )
    return f"已打卡，但{_WORDS_ZH[verdict]}{told}。此为系统推定，须由办案人员核实。"


def place_text_en(verdict: PlaceVerdict, *, inside: float | None, accuracy_m: float | None) -> str:
    """The same in English."""
    told = "" if inside is None or accuracy_m is None else f" (probability {inside:.0%}, accuracy {accuracy_m:.0f} m)"
    return f"The check-in was answered, but {_WORDS_EN[verdict]}{told}. A machine's suspicion: an officer must check."


_WORDS_ZH = {
    PlaceVerdict.ELSEWHERE: "定位不在规定地点",
    PlaceVerdict.UNDECIDABLE: "定位无法判断是否在规定地点",
}
_WORDS_EN = {
    PlaceVerdict.ELSEWHERE: "not at its place",
    PlaceVerdict.UNDECIDABLE: "its fix cannot tell whether at its place",
}


def _verdict(inside: float, outside: float) -> PlaceVerdict:
    if inside >= AT_PLACE_FROM:
        return PlaceVerdict.AT_PLACE
    return PlaceVerdict.ELSEWHERE if outside >= ELSEWHERE_FROM else PlaceVerdict.UNDECIDABLE
