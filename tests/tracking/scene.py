"""Zones, orders and tracks without a database, for tests of the pure engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from geo.shapes import Circle
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING, METRES_PER_DEGREE
from tracking.allowances import Absence, Allowances, ExemptZone
from tracking.episode import Episode, Violation
from tracking.evaluate import Evaluation, evaluate
from tracking.fix import FixBatch
from tracking.leave import Exemption, LeaveInForce
from tracking.order import Condition, ConditionKind, Measure, SupervisionOrder
from tracking.policy import PresencePolicy
from tracking.rules import RuleBook, ZoneBook, to_microseconds
from tracking.states import PresenceStates
from tracking.windows import Windows
from tracking.zone import Zone, ZoneKind, ZoneOrigin
from venues.category import SiteCategory, VenueCategory

START = to_microseconds(EVENING)
MINUTE = 60_000_000


def a_zone(
    zone_no: int,
    *,
    east_m: float = 0.0,
    radius_m: float = 35.0,
    category: VenueCategory | SiteCategory | None = VenueCategory.BAR,
    kind: ZoneKind = ZoneKind.EXCLUSION,
) -> Zone:
    """A round zone so far east of where ``a_track`` counts its metres from."""
    return Zone(
        zone_no=zone_no,
        zone_id=UUID(int=zone_no),
        version=1,
        kind=kind,
        origin=ZoneOrigin.CONDITION if category is None else ZoneOrigin.VENUE,
        name=f"合成区域{zone_no}",
        shape=Circle(longitude=longitude_at(east_m), latitude=BAR_LATITUDE, radius_m=radius_m),
        category=category,
    )


def an_area(zone_no: int, *, east_m: float = 0.0, radius_m: float = 2_000.0) -> Zone:
    """A round inclusion zone."""
    return a_zone(zone_no, east_m=east_m, radius_m=radius_m, category=None, kind=ZoneKind.INCLUSION)


def a_condition(
    condition_no: int,
    kind: ConditionKind = ConditionKind.EXCLUDED_CATEGORIES,
    *,
    zone_no: int | None = None,
    categories: Sequence[VenueCategory | SiteCategory] = (VenueCategory.BAR,),
    tolerance_m: float = 0.0,
    windows: Windows | None = None,
) -> Condition:
    """A condition; by default: may not enter bars."""
    return Condition(
        condition_no=condition_no,
        condition_id=UUID(int=condition_no),
        kind=kind,
        zone_no=zone_no,
        categories=frozenset(categories) if kind is ConditionKind.EXCLUDED_CATEGORIES else frozenset(),
        tolerance_m=tolerance_m,
        windows=windows,
    )


def minutes_of_the_evening(*spans: tuple[float, float]) -> Windows:
    """Windows in minutes as ``a_track`` counts them."""
    edges = np.rint(np.array(spans) * MINUTE).astype(np.int64).reshape(-1, 2) + START
    return Windows.build(edges[:, 0], edges[:, 1])


def an_order(
    *conditions: Condition,
    subject_no: int = 1,
    valid_from: datetime = EVENING - timedelta(days=30),
    valid_to: datetime = EVENING + timedelta(days=30),
) -> SupervisionOrder:
    """An order over these conditions; ``order_no`` is the subject's number."""
    return SupervisionOrder(
        order_no=subject_no,
        order_id=UUID(int=subject_no),
        version=1,
        subject_no=subject_no,
        measure=Measure.CONDITIONAL_NON_PROSECUTION,
        document_number="合成检附条件不诉〔2026〕1号",
        deciding_organ="合成区人民检察院",
        executing_organ="合成区人民检察院",
        valid_from=valid_from,
        valid_to=valid_to,
        conditions=conditions,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run over one or many batches came to. ``episodes``: each in the last form that it was given."""

    episodes: tuple[Episode, ...]
    violations: tuple[Violation, ...]
    states: PresenceStates
    late_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Compiled zones and orders."""

    zones: ZoneBook
    rules: RuleBook
    policy: PresencePolicy = field(default_factory=PresencePolicy)

    def evaluate(self, fixes: FixBatch, states: PresenceStates | None = None) -> Evaluation:
        """One batch."""
        known = PresenceStates.empty() if states is None else states
        return evaluate(states=known, fixes=fixes, rules=self.rules, zones=self.zones, policy=self.policy)

    def run(self, *batches: FixBatch) -> Outcome:
        """Batch after batch, each with the states that the one before left."""
        states, episodes, violations, late = PresenceStates.empty(), dict[UUID, Episode](), list[Violation](), 0
        for batch in batches:
            found = self.evaluate(batch, states)
            states = found.states
            episodes |= {item.episode_id: item for item in found.episodes}
            violations += found.violations
            late += len(found.late_rows)
        return Outcome(
            episodes=tuple(sorted(episodes.values(), key=lambda item: str(item.episode_id))),
            violations=tuple(sorted(violations, key=lambda item: str(item.violation_id))),
            states=states,
            late_count=late,
        )


def a_scene(*zones: Zone, orders: Sequence[SupervisionOrder] = (), allowances: Allowances | None = None) -> Scene:
    """Zones and orders compiled; without orders, subject 1 may not enter bars."""
    book = ZoneBook.build(zones)
    return Scene(zones=book, rules=RuleBook.build(orders or [an_order(a_condition(1))], book, allowances))


def absence_of(leave: LeaveInForce) -> Absence:
    """A leave as rules see it."""
    return Absence(
        subject_no=leave.subject_no, start=to_microseconds(leave.starts_at), end=to_microseconds(leave.ends_at)
    )


def exempt_zone_of(exemption: Exemption) -> ExemptZone:
    """An exemption as rules see it."""
    return ExemptZone(
        subject_no=exemption.subject_no,
        zone_key=exemption.zone_key,
        start=to_microseconds(exemption.valid_from),
        end=to_microseconds(exemption.valid_to),
    )


def longitude_at(east_m: ArrayLike) -> float:
    """Degrees for metres east of the bar, on its latitude."""
    return float(longitudes_at(east_m))


def longitudes_at(east_m: ArrayLike) -> NDArray[np.float64]:
    """Degrees for metres east of the bar, on its latitude."""
    degree_m = METRES_PER_DEGREE * float(np.cos(np.radians(BAR_LATITUDE)))
    return np.asarray(BAR_LONGITUDE + np.asarray(east_m, dtype=np.float64) / degree_m, dtype=np.float64)


def a_track(
    minutes: ArrayLike,
    east_m: ArrayLike,
    north_m: ArrayLike = 0.0,
    *,
    accuracy_m: ArrayLike = 10.0,
    subject_no: ArrayLike = 1,
    fix_key: ArrayLike = 0,
    flags: ArrayLike = 0,
    late_minutes: ArrayLike = 1.0 / 60.0,
    trembles: bool = True,
) -> FixBatch:
    """Fixes so many minutes into the evening, metres from the bar, and minutes on their way. Arrays of one length."""
    time = START + np.rint(np.asarray(minutes, dtype=np.float64) * MINUTE).astype(np.int64)
    return FixBatch(
        subject_no=np.broadcast_to(np.asarray(subject_no, dtype=np.int64), time.shape).copy(),
        fixed_at=time,
        received_at=time + np.rint(np.asarray(late_minutes, dtype=np.float64) * MINUTE).astype(np.int64),
        longitude=np.broadcast_to(longitudes_at(east_m), time.shape).copy(),
        # A phone that sends the very same digits again and again is taken for frozen: these tremble by a centimetre.
        latitude=BAR_LATITUDE
        + np.asarray(north_m, dtype=np.float64) / METRES_PER_DEGREE
        + trembles * (time // 100_000 % 17 - 8) * 1e-8,
        accuracy_m=np.broadcast_to(np.asarray(accuracy_m, dtype=np.float64), time.shape).copy(),
        fix_key=np.broadcast_to(np.asarray(fix_key, dtype=np.int64), time.shape).copy(),
        flags=np.broadcast_to(np.asarray(flags, dtype=np.int32), time.shape).copy(),
    )


def joined(*batches: FixBatch) -> FixBatch:
    """One batch of many."""
    names = FixBatch.__dataclass_fields__
    return FixBatch(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})


def parts(batch: FixBatch, cuts: Sequence[int]) -> list[FixBatch]:
    """The batch cut before these rows."""
    edges = [0, *sorted(cut % (len(batch) + 1) for cut in cuts), len(batch)]
    return [batch.take(np.arange(start, end)) for start, end in pairwise(edges)]


@st.composite
def stretches(draw: st.DrawFn, subject_no: int) -> FixBatch:
    """The evening of one subject: stays, each with its place, rhythm, accuracy and delay; some silences between."""
    minutes, east_m, accuracy_m, late_minutes = [draw(st.floats(0.0, 5.0))], [500.0], [10.0], [0.0]
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.sampled_from([0.0, 0.0, 0.0, 30.0, 60.0, 180.0, 500.0, 1_960.0, 2_500.0, 6_000.0]))
        step = draw(st.sampled_from([0.1, 0.5, 1.0, 1.0, 3.0, 6.0, 29.0, 31.0]))
        accuracy = draw(st.sampled_from([5.0, 10.0, 10.0, 30.0, 50.0, 50.0, 800.0]))
        pause = draw(st.sampled_from([0.0, 0.0, 10.0, 30.0, 45.0]))
        late = draw(st.sampled_from([0.0, 0.0, 20.0, 480.0]))
        first = minutes[-1] + step + pause
        for number in range(draw(st.integers(1, 12))):
            minutes.append(first + number * step)
            east_m.append(place + draw(st.floats(-1.0, 1.0)) * accuracy)
            accuracy_m.append(accuracy)
            late_minutes.append(late)
    return a_track(minutes, east_m, accuracy_m=accuracy_m, subject_no=subject_no, late_minutes=late_minutes)


@st.composite
def evenings(draw: st.DrawFn, subject_count: int = 2) -> FixBatch:
    """The fixes of several subjects, in order of time. No subject has two fixes at one instant."""
    batch = joined(*[draw(stretches(number)) for number in range(1, draw(st.integers(1, subject_count)) + 1)])
    batch = batch.take(np.lexsort((batch.subject_no, batch.fixed_at)))
    _, first = np.unique(np.stack([batch.subject_no, batch.fixed_at]), axis=1, return_index=True)
    return batch.take(np.sort(first))
