"""Orders and zones edited while somebody is on the way: no false "enter", no false "leave" (issue 6, must-show 5).

Fixes come in batches and edits become known between them, some of them only after fixes that they govern were judged.
What is found then must be what one sees who knew every edit from the start; and whoever did not cross an edge neither
entered nor left. ``test_rules_applied_as_they_are_now_are_noticed`` breaks it on purpose: with rules applied at
processing time instead of event time the same check finds people who "entered" without a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from geo.shapes import Circle
from tests.make import BAR_LATITUDE
from tests.tracking.scene import MINUTE, START, Outcome, Scene, a_track, a_zone, longitude_at, minutes_of_the_evening
from tracking.allowances import Absence, Allowances, ExemptZone
from tracking.episode import Ending, Episode
from tracking.fix import FixBatch
from tracking.order import Condition, ConditionKind, Measure, SupervisionOrder
from tracking.presence_rows import to_instant
from tracking.rules import RuleBook, ZoneBook, to_microseconds
from tracking.states import PresenceStates
from tracking.zone import Zone, ZoneKind
from venues.category import VenueCategory

BAR, HOME, PARK = 1, 2, 3
FIRST_NO = {BAR: 1_000, HOME: 2_000, PARK: 3_000}
RADII = {BAR: (35.0, 60.0), HOME: (150.0, 260.0), PARK: (35.0, 60.0)}
CENTRES = {BAR: (0.0, 40.0, 1_500.0), HOME: (0.0, 700.0), PARK: (0.0, 40.0, 1_500.0)}
TOLERANCE_M = 30.0
PLACES = (-8.0, 20.0, 47.0, 87.0, 140.0, 230.0, 350.0, 465.0, 700.0, 935.0, 1_500.0)
"""Metres east; each at least 10 m from every edge that any version can have, three standard deviations of a fix."""
LAST = 200.0

NO_BARS, NO_PARK, CURFEW, AREA = (
    ConditionKind.EXCLUDED_CATEGORIES,
    ConditionKind.EXCLUSION_ZONE,
    ConditionKind.CURFEW,
    ConditionKind.STAY_WITHIN_AREA,
)
ZONE_OF = {NO_PARK: PARK, CURFEW: HOME, AREA: HOME}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redraw:
    """A zone is drawn elsewhere, or larger, from a minute on."""

    at: float
    zone: int
    east_m: float
    radius_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    """The order is varied: the conditions that it now has, in this order, and the hours of a curfew."""

    at: float
    kinds: tuple[ConditionKind, ...]
    hours: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A leave or an exemption at the bar is given over a span, and taken back at ``until`` if that is sooner."""

    at: float
    is_leave: bool
    end: float
    until: float


Edit = Redraw | Vary | Allow
FIRST: tuple[Edit, ...] = (
    *(Redraw(at=-9_999.0, zone=zone, east_m=CENTRES[zone][0], radius_m=RADII[zone][0]) for zone in FIRST_NO),
    Vary(at=-9_999.0, kinds=(NO_BARS, NO_PARK, CURFEW), hours=(-500.0, 90.0)),
)


def micros(minute: float) -> int:
    return START + round(minute * MINUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The edits that are known, in their own order, and what follows for the rules."""

    edits: tuple[Edit, ...]
    now: float
    """An allowance that is taken back later than this is not known to be."""

    def zones(self) -> list[Zone]:
        found = []
        for zone in FIRST_NO:
            drawn = [edit for edit in self.edits if isinstance(edit, Redraw) and edit.zone == zone]
            found += [self._zone(zone, number, drawn) for number in range(len(drawn))]
        return found

    def _zone(self, zone: int, number: int, drawn: Sequence[Redraw]) -> Zone:
        later = [edit.at for edit in drawn[number + 1 :]]
        kind = ZoneKind.INCLUSION if zone == HOME else ZoneKind.EXCLUSION
        edit = drawn[number]
        return replace(
            a_zone(FIRST_NO[zone] + number, category=VenueCategory.BAR if zone == BAR else None, kind=kind),
            zone_id=UUID(int=zone),
            version=number + 1,
            first_no=FIRST_NO[zone],
            shape=Circle(longitude=longitude_at(edit.east_m), latitude=BAR_LATITUDE, radius_m=edit.radius_m),
            in_force_from=to_instant(micros(edit.at)),
            in_force_to=to_instant(micros(min(later))) if later else None,
        )

    def orders(self) -> list[SupervisionOrder]:
        varied = [edit for edit in self.edits if isinstance(edit, Vary)]
        return [self._order(subject, number, varied) for subject in (1, 2) for number in range(len(varied))]

    def _order(self, subject: int, number: int, varied: Sequence[Vary]) -> SupervisionOrder:
        later = [edit.at for edit in varied[number + 1 :]]
        edit = varied[number]
        # A condition is known by its place in the order, as ``api.cases`` names them.
        conditions = tuple(
            Condition(
                condition_no=subject * 10_000 + number * 10 + place,
                condition_id=UUID(int=subject * 100 + place),
                first_no=subject * 10_000 + place,
                kind=kind,
                zone_no=FIRST_NO[ZONE_OF[kind]] if kind in ZONE_OF else None,
                categories=frozenset({VenueCategory.BAR}) if kind is NO_BARS else frozenset(),
                tolerance_m=TOLERANCE_M if kind in (CURFEW, AREA) else 0.0,
                windows=minutes_of_the_evening(edit.hours) if kind is CURFEW else None,
            )
            for place, kind in enumerate(edit.kinds)
        )
        return SupervisionOrder(
            order_no=subject * 1_000 + number,
            order_id=UUID(int=subject),
            version=number + 1,
            subject_no=subject,
            measure=Measure.BAIL,
            document_number="合成",
            deciding_organ="合成",
            executing_organ="合成",
            valid_from=to_instant(START) - timedelta(days=30),
            valid_to=to_instant(START) + timedelta(days=30),
            conditions=conditions,
            in_force_from=to_instant(micros(edit.at)),
            in_force_to=to_instant(micros(min(later))) if later else None,
        )

    def allowances(self) -> Allowances:
        given_now = [edit for edit in self.edits if isinstance(edit, Allow)]
        ends = [min(edit.end, edit.until) if edit.until <= self.now else edit.end for edit in given_now]
        spans = [(edit, micros(edit.at), micros(end)) for edit, end in zip(given_now, ends, strict=True)]
        return Allowances(
            absences=tuple(
                Absence(subject_no=1, start=start, end=end)
                for edit, start, end in spans
                if edit.is_leave and start < end
            ),
            exempt_zones=tuple(
                ExemptZone(subject_no=1, zone_key=FIRST_NO[BAR], start=start, end=end)
                for edit, start, end in spans
                if not edit.is_leave and start < end
            ),
        )

    def scene(self) -> Scene:
        zones = ZoneBook.build(self.zones())
        return Scene(zones=zones, rules=RuleBook.build(self.orders(), zones, self.allowances()))

    def as_of_now(self) -> "Known":
        """What a program knows that keeps no versions: the newest of each, as if it had always been so."""
        newest: dict[object, Edit] = {}
        for edit in self.edits:
            key = edit.zone if isinstance(edit, Redraw) else "order" if isinstance(edit, Vary) else id(edit)
            newest[key] = edit if isinstance(edit, Allow) else replace(edit, at=-9_999.0)
        return replace(self, edits=tuple(newest.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evening:
    """``fixes`` sorted by time with the true place of each; ``edits`` with the minutes by which they are known late."""

    fixes: FixBatch
    place_m: tuple[float, ...]
    edits: tuple[tuple[Edit, float], ...]
    cuts: tuple[float, ...]
    """Minutes at which a batch ends."""

    def known_at(self, minute: float) -> Known:
        ordered = sorted((edit for edit, _ in self.edits), key=lambda edit: edit.at)
        late = {id(edit): lag for edit, lag in self.edits}
        return Known(edits=(*FIRST, *(edit for edit in ordered if edit.at + late[id(edit)] <= minute)), now=minute)


def changes_of(edit: Edit, lag: float) -> list[tuple[float, float]]:
    """When it takes effect and when that is known: twice for what is taken back."""
    found = [(edit.at, edit.at + lag)]
    if isinstance(edit, Allow) and edit.until < edit.end:
        found.append((edit.until, max(edit.until, edit.at + lag)))
    return found


def as_they_arrive(evening: Evening, *, keeps_versions: bool = True) -> list[Episode]:
    """Batch after batch by the rules known at its end; an edit that reaches back has all judged again."""
    states, episodes = PresenceStates.empty(), dict[UUID, Episode]()
    done, judged_to = -1e9, -1e9
    minutes = (evening.fixes.fixed_at - START) / MINUTE
    for cut in [*sorted(set(evening.cuts)), 1e6]:
        known = evening.known_at(cut)
        scene = (known if keeps_versions else known.as_of_now()).scene()
        changes = [change for edit, lag in evening.edits for change in changes_of(edit, lag)]
        reaches_back = any(done < known_at <= cut and takes_effect <= judged_to for takes_effect, known_at in changes)
        if reaches_back and keeps_versions:
            states, episodes, done = PresenceStates.empty(), {}, -1e9
        found = scene.evaluate(evening.fixes.take((done < minutes) & (minutes <= cut)), states)
        states = found.states
        episodes |= {item.episode_id: item for item in found.episodes}
        done = cut
        judged_to = float(minutes[minutes <= cut].max(initial=-1e9))
    return sorted(episodes.values(), key=lambda item: str(item.episode_id))


def without_a_step(evening: Evening, episodes: Sequence[Episode]) -> list[str]:
    """Entries and exits of people who had not moved at all by then."""
    wrong = []
    for item in episodes:
        rows = np.flatnonzero(evening.fixes.subject_no == item.subject_no)
        minutes = (evening.fixes.fixed_at[rows] - START) / MINUTE
        place_m = np.array(evening.place_m)[rows]
        first_step = minutes[1:][place_m[1:] != place_m[:-1]].min(initial=np.inf)
        began, inside_to = ((to_microseconds(at) - START) / MINUTE for at in (item.started_at, item.last_inside_at))
        found_by = np.sort(minutes[minutes > inside_to])[:2].max(initial=inside_to)  # two fixes make an exit
        if item.is_entry and began < first_step:
            wrong.append(f"subject {item.subject_no} entered at minute {began:.0f}")
        if item.ended_by is Ending.EXIT and found_by < first_step:
            wrong.append(f"subject {item.subject_no} left at minute {inside_to:.0f}")
    return wrong


# ---- drawn


minutes_between = st.floats(0.0, LAST).map(lambda minute: round(minute, 1) + 0.03)
redraws = st.sampled_from([BAR, BAR, PARK, HOME]).flatmap(
    lambda zone: st.builds(
        Redraw,
        at=minutes_between,
        zone=st.just(zone),
        east_m=st.sampled_from(CENTRES[zone]),
        radius_m=st.sampled_from(RADII[zone]),
    )
)
varied = st.builds(
    Vary,
    at=minutes_between,
    kinds=st.lists(st.sampled_from([NO_BARS, NO_PARK, CURFEW, AREA]), unique=True, max_size=4).map(tuple),
    hours=st.tuples(st.sampled_from([-500.0, 20.0, 60.0]), st.sampled_from([70.0, 120.0, 500.0])),
)
allowed = st.builds(
    lambda at, is_leave, length, held: Allow(at=at, is_leave=is_leave, end=at + length, until=at + held),
    minutes_between,
    st.booleans(),
    st.floats(1.0, 90.0),
    st.floats(1.0, 90.0),
)


@st.composite
def and_back(draw: st.DrawFn) -> list[Edit]:
    """A zone is drawn elsewhere and, a little later, as it was."""
    away = draw(redraws)
    home = replace(away, at=away.at + draw(st.sampled_from([0.4, 1.0, 7.0])), east_m=CENTRES[away.zone][0])
    return [away, home]


def at_different_times(edits: Sequence[Edit]) -> list[Edit]:
    return list({edit.at: edit for edit in edits}.values())


@st.composite
def evenings_with_edits(draw: st.DrawFn, *, stands_still: bool = False) -> Evening:
    """Two people who stay at places, or at one each, with silences between, and edits at any time."""
    tracks, places = list[FixBatch](), list[float]()
    for subject in (1, 2):
        minute, at, east_m = draw(st.floats(0.0, 3.0)), list[float](), list[float]()
        first = draw(st.sampled_from(PLACES))
        for _ in range(draw(st.integers(1, 5))):
            place = first if stands_still else draw(st.sampled_from(PLACES))
            step = draw(st.sampled_from([0.5, 1.0, 1.0, 2.0]))
            for _ in range(draw(st.integers(3, 25))):
                at.append(minute)
                east_m.append(place)
                minute += step
            minute += draw(st.sampled_from([0.0, 0.0, 5.0, 40.0]))
        shaken = np.array(draw(st.lists(st.floats(-2.0, 2.0), min_size=len(at), max_size=len(at))))
        tracks.append(a_track(at, np.array(east_m) + shaken, accuracy_m=5.0, subject_no=subject))
        places += east_m
    names = FixBatch.__dataclass_fields__
    fixes = FixBatch(**{name: np.concatenate([getattr(track, name) for track in tracks]) for name in names})
    order = np.argsort(fixes.fixed_at, kind="stable")
    singly = st.one_of(redraws, varied, allowed).map(lambda edit: [edit])
    edits = at_different_times([edit for part in draw(st.lists(singly | and_back(), max_size=6)) for edit in part])
    lags = st.sampled_from([0.0, 0.0, 0.3, 2.0, 45.0])
    return Evening(
        fixes=fixes.take(order),
        place_m=tuple(places[row] for row in order.tolist()),
        edits=tuple((edit, draw(lags)) for edit in edits),
        cuts=tuple(draw(st.lists(minutes_between, max_size=12))),
    )


# ---- promised

NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example compiles the books a dozen times."""


def from_the_start(evening: Evening) -> Outcome:
    """What one sees who knew every edit from the start and all fixes at once."""
    return evening.known_at(1e6).scene().run(evening.fixes)


@settings(deadline=None, max_examples=50, phases=NO_SHRINK)
@given(evenings_with_edits())
def test_edits_between_batches_end_in_what_one_sees_who_knew_them_from_the_start(evening: Evening) -> None:
    episodes = as_they_arrive(evening)
    assert tuple(episodes) == from_the_start(evening).episodes
    assert without_a_step(evening, episodes) == []


@settings(deadline=None, max_examples=50, phases=NO_SHRINK)
@given(evenings_with_edits(stands_still=True))
def test_who_stands_still_neither_enters_nor_leaves_whatever_is_edited(evening: Evening) -> None:
    episodes = as_they_arrive(evening)
    assert tuple(episodes) == from_the_start(evening).episodes
    assert [item for item in episodes if item.is_entry or item.ended_by is Ending.EXIT] == []
    assert without_a_step(evening, episodes) == []


def beside_a_bar() -> Evening:
    """Forty minutes on one spot. The bar is drawn around it for ten of them."""
    minutes = np.arange(0.0, 40.0)
    bar = Redraw(at=10.03, zone=BAR, east_m=1_500.0, radius_m=35.0)
    back = replace(bar, at=20.03, east_m=0.0)
    return Evening(
        fixes=a_track(minutes, 1_500.0, accuracy_m=5.0),
        place_m=(1_500.0,) * len(minutes),
        edits=((bar, 0.0), (back, 0.0)),
        cuts=tuple(minutes + 0.5),
    )


def test_rules_applied_as_they_are_now_are_noticed() -> None:
    """Broken on purpose: each batch is judged by the newest versions alone."""
    broken = as_they_arrive(beside_a_bar(), keeps_versions=False)
    assert without_a_step(beside_a_bar(), broken) == ["subject 1 entered at minute 10", "subject 1 left at minute 19"]
    episodes = as_they_arrive(beside_a_bar())
    assert sorted(str(item.ended_by) for item in episodes) == ["None", "rule"], "the bar, and being away at curfew"
    assert without_a_step(beside_a_bar(), episodes) == []


def turned_about() -> Known:
    """The first condition is a duty to stay in an area; varied, it is a ban on a place: the same numbers throughout."""
    drawn = (
        Redraw(at=-9_999.0, zone=HOME, east_m=0.0, radius_m=150.0),
        Redraw(at=30.03, zone=HOME, east_m=1_500.0, radius_m=60.0),
    )
    return Known(
        edits=(
            *drawn,
            Vary(at=-9_999.0, kinds=(AREA,), hours=(0.0, 1.0)),
            Vary(at=30.03, kinds=(AREA,), hours=(0.0, 1.0)),
        ),
        now=1e6,
    )


def test_a_duty_to_be_somewhere_that_becomes_a_ban_is_another_presence() -> None:
    known = turned_about()
    first, second = known.zones()
    zones = ZoneBook.build([first, replace(second, kind=ZoneKind.EXCLUSION)])
    before, after = (order for order in known.orders() if order.subject_no == 1)
    banned = replace(after.conditions[0], kind=NO_PARK, tolerance_m=0.0)
    scene = Scene(zones=zones, rules=RuleBook.build([before, replace(after, conditions=(banned,))], zones))
    outcome = scene.run(a_track(np.arange(60.0), 1_500.0, accuracy_m=5.0))
    told = sorted((item.started_at, item.is_entry, item.ended_by) for item in outcome.episodes)
    assert told == [
        (to_instant(START), False, Ending.RULE), (to_instant(micros(31.0)), False, None),
    ]  # fmt: skip
    assert [item.kind for item in sorted(outcome.violations, key=lambda item: item.decided_at)] == [AREA, NO_PARK]
