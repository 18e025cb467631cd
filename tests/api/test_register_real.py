"""Two real snapshots of one city through import and resolve: identities kept, against the ids that OSM kept."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import Engine

from api.register import resolve
from tests.make import EVENING
from tests.venues.register_scene import LATER, put
from tests.venues.test_gateway_splink import osm_records
from venues.link_store import load_links
from venues.source_record import SourceRecord

SNAPSHOTS = ("osm2012", "osm2016")


TWICE_IN_OSM = {
    ("node/1079750194", "way/94399465"),  # Office du Tourisme, a point and its outline
    ("way/112681614", "node/3944391375"),  # La Rascasse, the same
    ("way/104863462", "relation/1484190"),  # Lycée Albert-1er, a way that became a relation
    ("way/94452802", "way/94452841"),  # Monte Carlo Bay, two outlines of one hotel
    ("way/94452841", "way/94452802"),
}
TWO_PLACES = {
    ("node/941678579", "node/1306034044"),  # Place d'Armes: stops of buses
    ("node/1306034047", "node/1306034044"),
    ("node/1696644183", "way/221351810"),  # Parc Princesse Antoinette: its playground
}
"""No venues of any category of ours, and one to the machine: the name is the same, and 119 m is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of the ids that both snapshots have."""

    count: int
    kept: frozenset[str]
    """Whose two records are one venue."""
    mixed: frozenset[tuple[str, str]]
    """Ids, one of each snapshot, of which OSM says that they are two, in one venue."""

    @property
    def recall(self) -> float:
        return len(self.kept) / self.count

    @property
    def precision(self) -> float:
        return len(self.kept) / (len(self.kept) + len(self.mixed))


def monaco() -> dict[str, list[SourceRecord]]:
    return {source: osm_records(f"monaco_osm_3_snapshots/monaco_{source[3:]}.osm.pbf", source) for source in SNAPSHOTS}


def kept_by(engine: Engine, snapshots: dict[str, list[SourceRecord]], *, no_doubles: Collection[str]) -> Kept:
    """Import both, resolve, and compare the venues with the ids."""
    former, later = snapshots.values()
    with engine.begin() as connection:
        for at, records in ((EVENING, former), (LATER, later)):
            put(connection, records, at=at)
    resolve(engine, at=LATER, no_doubles=no_doubles)
    with engine.connect() as connection:
        links = load_links(connection)
    members: dict[UUID, tuple[set[str], set[str]]] = {}
    for side, records in enumerate((former, later)):
        for record in records:
            members.setdefault(links.venue_of(record.record_id), (set(), set()))[side].add(record.key.source_id)
    persisting = {each.key.source_id for each in former} & {each.key.source_id for each in later}
    couples = {couple for sides in members.values() for couple in product(*sides) if persisting.intersection(couple)}
    return Kept(
        count=len(persisting),
        kept=frozenset(one for one, other in couples if one == other),
        mixed=frozenset(couple for couple in couples if couple[0] != couple[1]),
    )


@pytest.mark.real
def test_snapshots_said_to_have_no_doubles_keep_their_identities(engine: Engine) -> None:
    found = kept_by(engine, monaco(), no_doubles=SNAPSHOTS)
    assert found.count == 108
    assert found.recall >= 0.95
    assert found.precision >= 0.98
    # Three ids stayed with the spot while the business changed.
    assert found.kept.isdisjoint({"node/1661173335", "node/1790048363", "node/1794111136"})


@pytest.mark.real
def test_where_nobody_says_so_the_doubles_of_osm_come_together_too(engine: Engine) -> None:
    found = kept_by(engine, monaco(), no_doubles=())
    assert found.recall >= 0.97
    assert found.precision >= 0.92
    assert found.mixed <= TWICE_IN_OSM | TWO_PLACES, "anything else is a fault"


def test_a_register_that_there_is_not_cannot_be_without_doubles(engine: Engine) -> None:
    with pytest.raises(LookupError, match="osm2012"):
        resolve(engine, at=LATER, no_doubles=["osm2012"])
