"""Which scored pairs are one venue, which a person must look at, and which stay apart. Pure.

The machine merges at a probability of 0.99 or more; if something speaks against it, and from 0.5 on, a person decides.
What registers say of one address at different times is two businesses, one after the other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from venues.identity_model import FIELDS
from venues.scored_pairs import ScoredPairs
from venues.source_record import LICENCE_FIELDS
from venues.traits import Traits, are_near

MERGE_FROM = 0.99
QUEUE_FROM = 0.5

RIVAL_BITS = 1.0
"""Two records of one duplicate-free register that fit a third equally well, to a factor of two: a person decides."""


class Doubt(StrEnum):
    """Why a likely pair is not merged by the machine."""

    UNSURE = "unsure"  # 概率不足
    LICENCE = "licence"  # 证照号不同
    ONE_REGISTER = "one_register"  # 会把同一登记的两条并在一起
    DOOR = "door"  # 楼层或房号不同
    BRANCH = "branch"  # 分店不同
    RIVAL = "rival"  # 另有一条同样相像
    FAR = "far"  # 相距过远或不在同一区县
    UNPLACED = "unplaced"  # 不知是否在同一区县


DOUBT_TEXTS: dict[Doubt, tuple[str, str]] = {
    Doubt.UNSURE: ("概率不足以自动合并", "not likely enough to merge without a person"),
    Doubt.LICENCE: ("证照号不同，可能先后两家", "licence numbers differ: perhaps two businesses, one after the other"),
    Doubt.ONE_REGISTER: ("合并后同一登记会有两条", "would put two records of one register into one venue"),
    Doubt.DOOR: ("楼层或房号不同", "floor or unit differ"),
    Doubt.BRANCH: ("分店名不同", "branches differ"),
    Doubt.FAR: ("相距一公里以上，或不在同一区县", "more than a kilometre apart, or in different counties"),
    Doubt.UNPLACED: (
        "不知是否在同一区县，证照、电话也无相同",
        "not known to be in one county, no licence or phone in common",
    ),
    Doubt.RIVAL: ("同一登记另有一条同样相像", "another record of that register is as much alike"),
}
"""What a reviewer is told, Chinese and English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedMerge:
    """Two records whose venues the machine would make one."""

    left: UUID
    right: UUID
    probability: float
    """1 where a person had confirmed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedPair:
    """Two records for a person to look at: the likeliest pair between two venues."""

    left: UUID
    right: UUID
    probability: float
    pair: int
    doubt: Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """Two likely records with different licences whose times do not overlap: one business after another, two venues."""

    earlier: UUID
    later: UUID
    probability: float
    pair: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPlan:
    """What follows from the scored pairs; nothing of it is done yet. Each in descending order of probability."""

    merges: tuple[ProposedMerge, ...]
    queue: tuple[QueuedPair, ...]
    successions: tuple[Succession, ...]


@dataclass(slots=True)
class _Group:
    """Records that are one venue so far."""

    rows: list[int] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    facts: dict[str, set[str]] = field(default_factory=dict)
    """Licences and parts of the address, with every value that a record has."""


def plan_identity(
    pairs: ScoredPairs,
    records: Sequence[Traits],
    *,
    venue_of: Mapping[UUID, UUID] | None = None,
    refused: Iterable[Collection[UUID]] = (),
    confirmed: Iterable[Collection[UUID]] = (),
    duplicate_free: Collection[str] = (),
    merge_from: float = MERGE_FROM,
    queue_from: float = QUEUE_FROM,
) -> IdentityPlan:
    """What to merge, to ask and to leave, likeliest first, ties in the order of ``records``.

    ``records`` are those of ``pairs``, in its order. ``venue_of``: the venue that a record has now; without, its own.
    ``refused``: pairs of records that a person said are not one venue: they never come into one venue and are not asked
    again. ``confirmed``: pairs that a person said are one venue: they are, whatever speaks against it, unless others of
    their venues were refused. ``duplicate_free``: registers that have no place twice. Raises ValueError if the records
    are others.
    """
    if tuple(record.record_id for record in records) != pairs.record_ids:
        raise ValueError("the records are not those of the scored pairs, in the same order")
    planner = _Planner(pairs, records, venue_of or {}, refused, frozenset(duplicate_free))
    planner.hold_together(confirmed)
    planner.run(merge_from=merge_from, queue_from=queue_from)
    return IdentityPlan(
        merges=tuple(planner.merges), queue=tuple(planner.queued()), successions=tuple(planner.successions)
    )


class _Planner:
    """One pass over the pairs, likeliest first."""

    def __init__(
        self,
        pairs: ScoredPairs,
        records: Sequence[Traits],
        venue_of: Mapping[UUID, UUID],
        refused: Iterable[Collection[UUID]],
        duplicate_free: frozenset[str],
    ) -> None:
        self.pairs, self.records, self.duplicate_free = pairs, records, duplicate_free
        self.group_of: list[_Group] = []
        known: dict[UUID, _Group] = {}
        for row, record in enumerate(records):
            venue = venue_of.get(record.record_id)
            group = _Group() if venue is None else known.setdefault(venue, _Group())
            _add(group, row, record)
            self.group_of.append(group)
        self.row_of = {record.record_id: row for row, record in enumerate(records)}
        self.apart: dict[int, set[int]] = {}
        for couple in refused:
            one, other = (self.row_of.get(record_id) for record_id in couple)
            if one is not None and other is not None:
                self.apart.setdefault(one, set()).add(other)
                self.apart.setdefault(other, set()).add(one)
        self.merges: list[ProposedMerge] = []
        self.successions: list[Succession] = []
        self.doubtful: list[QueuedPair] = []

    def hold_together(self, confirmed: Iterable[Collection[UUID]]) -> None:
        """Make one venue of what a person said is one, where something took it apart since."""
        couples = [sorted(self.row_of[each] for each in couple if each in self.row_of) for couple in confirmed]
        for left, right in sorted((couple[0], couple[1]) for couple in couples if len(couple) == 2):
            one, other = self.group_of[left], self.group_of[right]
            if one is not other and not self._is_refused(one, other):
                self._merge(left, right, 1.0)

    def run(self, *, merge_from: float, queue_from: float) -> None:
        """Decide every pair."""
        rivalled = self._rivalled()
        columns = zip(self.pairs.left.tolist(), self.pairs.right.tolist(), self.pairs.probability.tolist(), strict=True)
        for pair, (left, right, probability) in enumerate(columns):
            one, other = self.group_of[left], self.group_of[right]
            if probability < queue_from:
                break
            if one is other or self._is_refused(one, other):
                continue
            doubt = self._doubt(pair, left, right, is_likely=probability >= merge_from, is_rivalled=pair in rivalled)
            if doubt is Doubt.LICENCE and (order := _in_time(self.records[left], self.records[right])):
                earlier, later = order
                succession = Succession(earlier=earlier, later=later, probability=probability, pair=pair)
                self.successions.append(succession)
            elif doubt is not None:
                if probability >= merge_from or not self._is_explained(doubt, left, right):
                    self.doubtful.append(self._queued(pair, left, right, probability, doubt))
            else:
                self._merge(left, right, probability)

    def queued(self) -> list[QueuedPair]:
        """The likeliest pair between any two venues that are still two."""
        best: dict[frozenset[int], QueuedPair] = {}
        for item in self.doubtful:
            left, right = int(self.pairs.left[item.pair]), int(self.pairs.right[item.pair])
            one, other = self.group_of[left], self.group_of[right]
            if one is not other and not self._is_refused(one, other):
                best.setdefault(frozenset((id(one), id(other))), item)
        return list(best.values())

    def _doubt(self, pair: int, left: int, right: int, *, is_likely: bool, is_rivalled: bool) -> Doubt | None:
        """What keeps the machine from merging; the weightiest first."""
        one, other = self.group_of[left], self.group_of[right]
        level = self.pairs.level[pair]
        if _disagree(one, other, LICENCE_FIELDS):
            return Doubt.LICENCE
        if one.sources & other.sources & self.duplicate_free:
            return Doubt.ONE_REGISTER
        if _disagree(one, other, _DOOR_FIELDS):
            return Doubt.DOOR
        if level[_BRANCH] == len(FIELDS[_BRANCH].levels) - 1:
            return Doubt.BRANCH
        if is_rivalled:
            return Doubt.RIVAL
        return self._doubt_of_place(pair, one, other) or (None if is_likely else Doubt.UNSURE)

    def _doubt_of_place(self, pair: int, one: _Group, other: _Group) -> Doubt | None:
        """Whether no two records of the groups can be told to be near, unless a number that only one has ties them."""
        known = {are_near(self.records[left], self.records[right]) for left in one.rows for right in other.rows}
        if True in known:
            return None
        if False in known:
            return Doubt.FAR
        return None if (self.pairs.level[pair, _TIES] == 0).any() else Doubt.UNPLACED

    def _is_explained(self, doubt: Doubt, left: int, right: int) -> bool:
        """Whether the two are merely neighbours: the venue of one of them is already complete with other records."""
        if doubt is Doubt.LICENCE:
            one, other = dict(self.records[left].licences), dict(self.records[right].licences)
            return not any(one[name] != other[name] for name in one.keys() & other.keys())
        return doubt is Doubt.ONE_REGISTER

    def _rivalled(self) -> set[int]:
        """Pairs of which either record has, in the other's duplicate-free register, another one that fits as well."""
        bits = self.pairs.prior_bits + self.pairs.bits.sum(axis=1)
        best: dict[tuple[int, str], list[int]] = {}
        for pair, (left, right) in enumerate(zip(self.pairs.left.tolist(), self.pairs.right.tolist(), strict=True)):
            if self._is_refused(self.group_of[left], self.group_of[right]):
                continue
            for record, other in ((left, right), (right, left)):
                if self.records[other].source in self.duplicate_free:
                    best.setdefault((record, self.records[other].source), []).append(pair)
        close: set[int] = set()
        for candidates in best.values():
            if len(candidates) > 1 and bits[candidates[0]] - bits[candidates[1]] < RIVAL_BITS:
                close.update(pair for pair in candidates if bits[candidates[0]] - bits[pair] < RIVAL_BITS)
        return close

    def _is_refused(self, one: _Group, other: _Group) -> bool:
        if not self.apart:
            return False
        few, many = sorted((one.rows, other.rows), key=len)
        return any(not self.apart.get(row, _NOBODY).isdisjoint(many) for row in few)

    def _merge(self, left: int, right: int, probability: float) -> None:
        """Make one group of two; the smaller one moves."""
        keep, gone = self.group_of[left], self.group_of[right]
        if len(keep.rows) < len(gone.rows):
            keep, gone = gone, keep
        for row in gone.rows:
            _add(keep, row, self.records[row])
            self.group_of[row] = keep
        one, other = self.records[left].record_id, self.records[right].record_id
        self.merges.append(ProposedMerge(left=one, right=other, probability=probability))

    def _queued(self, pair: int, left: int, right: int, probability: float, doubt: Doubt) -> QueuedPair:
        one, other = self.records[left].record_id, self.records[right].record_id
        return QueuedPair(left=one, right=other, probability=probability, pair=pair, doubt=doubt)


def _add(group: _Group, row: int, record: Traits) -> None:
    group.rows.append(row)
    group.sources.add(record.source)
    for name in (*LICENCE_FIELDS, *_DOOR_FIELDS):
        value = getattr(record, name)
        if value not in ("", None):
            group.facts.setdefault(name, set()).add(str(value))


def _disagree(one: _Group, other: _Group, names: Iterable[str]) -> bool:
    """Whether both know one of the facts, and have no value of it in common."""
    return any(
        name in one.facts and name in other.facts and one.facts[name].isdisjoint(other.facts[name]) for name in names
    )


def _in_time(one: Traits, other: Traits) -> tuple[UUID, UUID] | None:
    """The ids, earlier first, if the one's last day is before the other's first."""
    for first, second in ((one, other), (other, one)):
        if first.valid_to is not None and second.valid_from is not None and first.valid_to < second.valid_from:
            return first.record_id, second.record_id
    return None


_NOBODY: frozenset[int] = frozenset()
_DOOR_FIELDS = ("building", "floor", "unit")
_BRANCH = next(place for place, each in enumerate(FIELDS) if each.name == "branch")
_TIES = [place for place, each in enumerate(FIELDS) if each.name in ("phone", *LICENCE_FIELDS)]
