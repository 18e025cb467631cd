"""Which records are which venue, as a list of decisions that is only ever added to. Pure.

Every record is found with a venue. A merge takes one venue into another, because of one pair of records; a split undoes
one merge, whatever came after it. What later merges had put there because of the pair's other record then has no ground
any more: :func:`take_apart` undoes it too. So a merge and its split leave nothing behind, and the list says who decided
what, when, and how likely the machine held it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

MACHINE = "machine"
"""Who decided, when nobody did: with the version of the model after it (``machine:1``)."""

CAME_APART = "所依据的两条记录因另一合并的拆分而分属两处 / its two records came apart with another merge's split"
MADE_AGAIN = "照人员原有的决定重做 / made again as a person had decided it"


class LinkError(ValueError):
    """A decision that cannot be taken on what is linked now. Chinese first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record came in, with a venue of its own; a newer version of a record comes with the venue of the older."""

    record_id: UUID
    venue_id: UUID
    decided_by: str
    at: datetime
    """Aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """``absorbed`` is the same venue as ``kept``, because two of their records are about one place."""

    merge_id: UUID
    kept: UUID
    absorbed: UUID
    records: tuple[UUID, UUID]
    """The pair that was decided on: one of ``kept``, one of ``absorbed``."""
    probability: float
    """1 where a person merged what the machine had not asked about."""
    decided_by: str
    at: datetime
    reason: str = ""
    """A person's; the machine's are in its weights."""

    @property
    def is_by_machine(self) -> bool:
        """Whether no person decided it."""
        return _is_machine(self.decided_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The merge was wrong: the venue that it absorbed is a venue again, with what merges that stand brought to it."""

    merge_id: UUID
    decided_by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A person said that two records of one venue are rightly so: true until a person undoes the merge of the two."""

    records: tuple[UUID, UUID]
    decided_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A person said that two records are not one venue: the machine neither merges nor asks again."""

    records: tuple[UUID, UUID]
    decided_by: str
    at: datetime
    reason: str


LinkEvent = Found | Merged | Split | Confirmed | Refused


@dataclass(slots=True, kw_only=True)
class Links:
    """What all decisions so far come to. Make it with :func:`follow`; two are equal if they say the same."""

    found: dict[UUID, Found] = field(default_factory=dict)
    """By record."""
    merged: dict[UUID, Merged] = field(default_factory=dict)
    """Merges that stand, by the venue they absorbed."""
    confirmed: dict[frozenset[UUID], Confirmed] = field(default_factory=dict)
    refused: dict[frozenset[UUID], Refused] = field(default_factory=dict)

    def venue_of(self, record_id: UUID) -> UUID:
        """The venue of a record. Raises LinkError for a record that was never found."""
        return self.current(self._found(record_id).venue_id)

    def current(self, venue_id: UUID) -> UUID:
        """The venue that ``venue_id`` is part of now; itself if nothing absorbed it."""
        while (merge := self.merged.get(venue_id)) is not None:
            venue_id = merge.kept
        return venue_id

    def venues(self) -> dict[UUID, frozenset[UUID]]:
        """The records of each venue that has any."""
        members: dict[UUID, set[UUID]] = {}
        for record_id, came in self.found.items():
            members.setdefault(self.current(came.venue_id), set()).add(record_id)
        return {venue: frozenset(records) for venue, records in members.items()}

    def _found(self, record_id: UUID) -> Found:
        came = self.found.get(record_id)
        if came is None:
            raise LinkError(f"记录 {record_id} 未登记 / record {record_id} was never found: add it first")
        return came


def follow(events: Iterable[LinkEvent], *, after: Links | None = None) -> Links:
    """What ``events``, in the order in which they were decided, make of ``after``, which stays as it is.

    Raises LinkError for the first event that cannot be.
    """
    before = after or Links()
    links = Links(
        found=dict(before.found),
        merged=dict(before.merged),
        confirmed=dict(before.confirmed),
        refused=dict(before.refused),
    )
    for event in events:
        match event:
            case Found():
                _find(links, event)
            case Merged():
                _merge(links, event)
            case Split():
                _split(links, event)
            case Confirmed():
                _confirm(links, event)
            case Refused():
                _refuse(links, event)
    return links


def merge_events(
    pairs: Iterable[tuple[UUID, UUID, float]],
    *,
    links: Links,
    new_id: Callable[[], UUID],
    decided_by: str,
    at: datetime,
    reason: str = "",
) -> list[Merged]:
    """The merges that make one venue of the two records of each pair (record, record, probability), in this order.

    The venue with more records keeps its id, of two equal ones that with the smaller id. A pair that is one venue by
    then is passed over. Raises LinkError for a record that was never found.
    """
    size = {venue: len(records) for venue, records in links.venues().items()}
    absorbed_by: dict[UUID, UUID] = {}
    events: list[Merged] = []
    for left, right, probability in pairs:
        one, other = (_end(absorbed_by, links.venue_of(record_id)) for record_id in (left, right))
        if one == other:
            continue
        kept, absorbed = sorted((one, other), key=lambda venue: (-size[venue], venue))
        absorbed_by[absorbed] = kept
        size[kept] += size[absorbed]
        events.append(
            Merged(
                merge_id=new_id(),
                kept=kept,
                absorbed=absorbed,
                records=(left, right),
                probability=probability,
                decided_by=decided_by,
                at=at,
                reason=reason,
            )
        )
    return events


def take_apart(
    merge: Merged,
    *,
    links: Links,
    new_id: Callable[[], UUID],
    decided_by: str,
    at: datetime,
    reason: str,
    is_refused: bool = True,
) -> list[Split | Refused | Merged | Confirmed]:
    """What a person decides who finds a merge wrong, in order; ``links`` holds all records of the merge's venue.

    The merge is undone, and with it each whose pair of records then lies in two venues. Of these the machine makes or
    asks its own again when it next looks; those that a person had made or confirmed are made again at once, by the one
    who decides now. ``is_refused``: the machine does not propose ``merge`` again. Raises LinkError for a merge that
    does not stand.
    """
    events: list[Split | Refused | Merged | Confirmed] = [_undone(merge, decided_by, at, reason)]
    after = follow(events, after=links)
    fallen: list[Merged] = []
    while apart := [each for each in after.merged.values() if not _is_one(after, each.records)]:
        splits = [_undone(each, decided_by, at, CAME_APART) for each in apart]
        after = follow(splits, after=after)
        events += splits
        fallen += apart
    if is_refused:
        events.append(Refused(records=merge.records, decided_by=decided_by, at=at, reason=reason))
    decided = [each for each in fallen if not each.is_by_machine or frozenset(each.records) in links.confirmed]
    pairs = [(*each.records, each.probability) for each in decided]
    events += merge_events(pairs, links=after, new_id=new_id, decided_by=decided_by, at=at, reason=MADE_AGAIN)
    for each in decided:
        if frozenset(each.records) in links.confirmed:
            events.append(Confirmed(records=each.records, decided_by=decided_by, at=at))
    return events


def _undone(merge: Merged, decided_by: str, at: datetime, reason: str) -> Split:
    return Split(merge_id=merge.merge_id, decided_by=decided_by, at=at, reason=reason)


def _is_one(links: Links, records: tuple[UUID, UUID]) -> bool:
    return links.venue_of(records[0]) == links.venue_of(records[1])


def _end(absorbed_by: dict[UUID, UUID], venue_id: UUID) -> UUID:
    while venue_id in absorbed_by:
        venue_id = absorbed_by[venue_id]
    return venue_id


def _find(links: Links, event: Found) -> None:
    if event.record_id in links.found:
        raise LinkError(f"记录 {event.record_id} 已登记 / record {event.record_id} was found before")
    links.found[event.record_id] = event


def _merge(links: Links, event: Merged) -> None:
    one, other = (links.venue_of(record_id) for record_id in event.records)
    if {one, other} != {event.kept, event.absorbed} or one == other:
        raise LinkError(
            f"合并 {event.merge_id} 的两条记录现属 {one} 与 {other} / the records of merge {event.merge_id} are of "
            f"{one} and {other} now, not of {event.kept} and {event.absorbed}: look again"
        )
    if not 0.0 <= event.probability <= 1.0:
        raise LinkError(f"概率 {event.probability} 须在 0 与 1 之间 / probability {event.probability} must be 0 to 1")
    if _is_machine(event.decided_by) and frozenset(event.records) in links.refused:
        raise LinkError(f"{one} 与 {other} 已有人判为两处 / a person said that {one} and {other} are two venues")
    links.merged[event.absorbed] = event


def _split(links: Links, event: Split) -> None:
    _need_person(event.decided_by, "拆分", "splits")
    for absorbed, merge in links.merged.items():
        if merge.merge_id == event.merge_id:
            del links.merged[absorbed]
            links.confirmed.pop(frozenset(merge.records), None)
            return
    raise LinkError(f"合并 {event.merge_id} 不存在或已拆分 / no merge {event.merge_id}, or it was split before")


def _confirm(links: Links, event: Confirmed) -> None:
    _need_person(event.decided_by, "确认", "confirms")
    one, other = (links.venue_of(record_id) for record_id in event.records)
    if one != other:
        raise LinkError(f"{one} 与 {other} 尚未合并 / {one} and {other} are two venues: merge them, do not confirm")
    links.confirmed[frozenset(event.records)] = event
    links.refused.pop(frozenset(event.records), None)


def _refuse(links: Links, event: Refused) -> None:
    _need_person(event.decided_by, "否定", "refuses")
    one, other = (links.venue_of(record_id) for record_id in event.records)
    if one == other:
        raise LinkError(f"两条记录同属 {one}，请先拆分 / both records are of {one}: split the merge first")
    links.refused[frozenset(event.records)] = event
    links.confirmed.pop(frozenset(event.records), None)


def _need_person(decided_by: str, what_zh: str, what: str) -> None:
    if _is_machine(decided_by) or not decided_by.strip():
        raise LinkError(f"只有具名人员可以{what_zh} / only a named officer {what}")


def _is_machine(decided_by: str) -> bool:
    return decided_by.split(":", 1)[0] == MACHINE
