"""The register resolved: records scored, what is certain merged, what is doubtful asked. Nothing is merged twice."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.ids import new_id
from api.placed import load_boundaries
from venues.division_of import in_their_counties
from venues.identity import IdentityPlan, QueuedPair, plan_identity
from venues.identity_model import MODEL_VERSION
from venues.inside_store import Placeless, load_hosts, place_inside
from venues.link_store import load_links, save_merges, save_reviews
from venues.links import MACHINE, Links, Merged, follow, merge_events
from venues.register_store import (
    load_current_records,
    lock_register,
    say_doubles,
    settle_venues,
    sources_without_doubles,
)
from venues.scored_pairs import Waterfall
from venues.source_record import SourceRecord
from venues.traits import Traits, traits_of

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What came of it."""

    record_count: int
    venue_count: int
    """Places there are now."""
    merged_count: int
    asked_count: int
    succession_count: int
    """Pairs of businesses, one after the other at one door."""
    placeless: tuple[Placeless, ...]
    """Venues inside others that no register has a place for: they have no zone."""


def resolve(
    engine: Engine,
    *,
    at: datetime,
    no_doubles: Collection[str] = (),
    doubles: Collection[str] = (),
    by: str = "cli",
    progress: Progress | None = None,
) -> Resolved:
    """Score all records, merge what is certain, and replace the questions for people. ``at``: aware.

    ``no_doubles``: registers of which ``by`` says, for this time and all to come, that they have no place twice, as
    those that number what they register: no two records of one of them come together. ``doubles`` says the contrary.
    Raises LookupError for a register that there is not, and ValueError for one that is in both.

    Scoring takes long and holds no transaction: a decision that was taken meanwhile is found when the merges are
    followed once more on what is linked then. Raises LinkError if it contradicts one; nothing is changed then.
    ``progress`` is told of each part of the scoring, and at last of the saving.
    """
    parts = 0

    def scored(part: int, of: int) -> None:
        nonlocal parts
        parts = of
        if progress is not None:
            progress(part, of + 1)

    if both := set(no_doubles) & set(doubles):
        raise ValueError(f"有重复与无重复不能并存 / said to have doubles and none: {'、'.join(sorted(both))}")
    with engine.begin() as connection:
        _check_there(connection, [*no_doubles, *doubles])
        say_doubles(connection, no_doubles, has_none=True, by=by, at=at)
        say_doubles(connection, doubles, has_none=False, by=by, at=at)
    with engine.connect() as connection:
        records, links, hosts = load_current_records(connection), load_links(connection), load_hosts(connection)
        traits = in_their_counties([traits_of(record) for record in records], load_boundaries(connection))
        free = sources_without_doubles(connection, records)
    plan, questions = _plan(records, traits, links, hosts, free, scored)
    merges = _merges(plan, links, at)
    with engine.begin() as connection:
        lock_register(connection)
        after = follow(merges, after=load_links(connection))
        save_merges(connection, merges, at=at)
        inside = place_inside(connection, at=at)
        settle_venues(connection, inside.touched, at=at)
        save_reviews(connection, questions, model_version=MODEL_VERSION, at=at, new_id=new_id)
    if progress is not None:
        progress(parts + 1, parts + 1)
    return Resolved(
        record_count=len(records),
        venue_count=len({after.venue_of(record.record_id) for record in records}),
        merged_count=len(merges),
        asked_count=len(questions),
        succession_count=len(plan.successions),
        placeless=inside.placeless,
    )


def _check_there(connection: Connection, sources: Collection[str]) -> None:
    query = text("SELECT named FROM unnest(CAST(:named AS text[])) AS named WHERE NOT EXISTS"
                 " (SELECT FROM venue v WHERE v.source = named AND v.withdrawn_at IS NULL) ORDER BY named")  # fmt: skip
    if missing := connection.execute(query, {"named": sorted(set(sources))}).scalars().all():
        raise LookupError(f"没有此登记 / no such register: {'、'.join(missing)}")


def _plan(
    records: list[SourceRecord],
    traits: list[Traits],
    links: Links,
    hosts: list[tuple[UUID, UUID]],
    free: frozenset[str],
    progress: Progress,
) -> tuple[IdentityPlan, list[tuple[QueuedPair, Waterfall]]]:
    from venues.gateway_splink import score_pairs  # noqa: PLC0415 # loads for over a second

    pairs = score_pairs(traits, duplicate_free=free, progress=progress)
    plan = plan_identity(
        pairs,
        traits,
        venue_of={record.record_id: links.venue_of(record.record_id) for record in records},
        refused=[*_said_now(records, links, links.refused), *hosts],
        confirmed=_said_now(records, links, links.confirmed),
        duplicate_free=free,
    )
    return plan, [(pair, pairs.waterfall(pair.pair)) for pair in plan.queue]


def _merges(plan: IdentityPlan, links: Links, at: datetime) -> list[Merged]:
    proposed = ((merge.left, merge.right, merge.probability) for merge in plan.merges)
    return merge_events(proposed, links=links, new_id=new_id, decided_by=f"{MACHINE}:{MODEL_VERSION}", at=at)


def _said_now(records: list[SourceRecord], links: Links, said: Iterable[frozenset[UUID]]) -> list[set[UUID]]:
    """Pairs that people judged, as the records that stand now for those they saw."""
    current = {links.found[record.record_id].venue_id: record.record_id for record in records}
    pairs = ([current.get(links.found[each].venue_id) for each in pair] for pair in said)
    found = ({record_id for record_id in pair if record_id is not None} for pair in pairs)
    return [pair for pair in found if len(pair) == 2]
