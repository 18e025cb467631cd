"""The law of distance over a city's register, in the database: ``python -m bench.distance_register``.

The city of ``bench.distance``, imported into a private PostGIS. Timed is all of ``evaluate_register``: reading places,
sites and gates, joining schools, every pair under every rule, what is stored of it, the leads; then the same again,
when nothing changed, and once more after one gate was closed.
"""

import argparse
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from shapely.geometry import Point
from sqlalchemy import Connection, Engine, text

from api.clock import FixedClock
from api.cluster import running_cluster
from api.database import migrate, open_engine
from api.distance import Evaluated, WalkedBy, evaluate_register
from api.ids import new_id
from api.importing import import_venues
from bench.distance import LAW, ON, TARGET_S, some_sites, some_venues
from bench.report import clocked, peak_memory_mib, print_json, print_table
from bench.walk import city_lines, prepare
from geo.datum import Datum
from geo.walk_network import WalkNetwork, build_walk_network
from tests.make import KEYRING
from venues.distance_ends import PlacedVenue, ProtectedSite
from venues.gate_store import load_gates, save_gates
from venues.gateway_distance_law import load_lead_routes
from venues.place import PlacesRead, Site, SourceKey, Venue
from venues.site_gates import RegisteredGate
from venues.store import save_sites

AT = datetime(2026, 11, 22, tzinfo=UTC)

WALKED_GATE = """
SELECT walk_gate_id FROM distance_finding WHERE walk_gate_id IS NOT NULL ORDER BY walking_m, finding_no LIMIT 1
"""


def main() -> None:
    """Import the city, evaluate it three times, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=400, help="junctions along one side of the city")
    parser.add_argument("--sites", type=int, default=5_000)
    parser.add_argument("--venues", type=int, default=20_000)
    parser.add_argument("--division", default="440106", help="whose rules bind the venues; 110105: no method named")
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    network = build_walk_network(city_lines(options.side, random))
    prepare(network)
    sites = some_sites(network, options.sites, random)
    venues = some_venues(network, options.venues, options.division, random)
    folder = Path(tempfile.mkdtemp(prefix="hulan-bench-"))
    folder.chmod(0o755)
    try:
        with running_cluster(folder / "data", say=lambda _: None) as url:
            engine = open_engine(url)
            migrate(engine, keyring=KEYRING)
            measure(engine, venues, sites, network, division=options.division)
            engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(
    engine: Engine, venues: list[PlacedVenue], sites: list[ProtectedSite], network: WalkNetwork, *, division: str
) -> None:
    """Two tables and a line; over the target is a failure."""
    seconds: dict[str, float] = {}
    with clocked(seconds, "import"), engine.begin() as connection:
        put_city(connection, venues, sites)
    changed: dict[str, int] = {}
    first = None
    for number, step in enumerate(("first run", "nothing changed", "a gate closed")):
        with engine.begin() as connection:
            if step == "a gate closed":
                walked = connection.execute(text(WALKED_GATE)).scalar_one()
                (gate,) = (one for one in load_gates(connection) if one.gate.gate_id == walked)
                closed = replace(gate, gate=replace(gate.gate, is_closed=True))
                save_gates(connection, [closed], at=AT + timedelta(days=number), by="bench")
            with clocked(seconds, step):
                (run,) = evaluated(connection, network, division=division, at=AT + timedelta(days=number))
        changed[step] = len(run.entries)
        first = first or run
    assert first is not None
    assert (changed["nothing changed"], changed["a gate closed"] > 0) == (0, True)
    print_table(["step", "s", "changes"], [[step, taken, changed.get(step, "")] for step, taken in seconds.items()])
    figures = {"sites": len(first.run.sites), "venues": len(first.run.venues), "changes": changed["first run"],
               "leads": first.lead_count}  # fmt: skip
    print_table(list(figures), [list(figures.values())])
    all_figures = {**figures, **{f"{step} s": round(taken, 2) for step, taken in seconds.items()}}
    print_json(
        "distance_register",
        figures={**all_figures, "target_s": TARGET_S, "peak_mib": round(peak_memory_mib())},
        ratios={"target / ours": round(TARGET_S / seconds["first run"], 1)},
    )
    if seconds["first run"] > TARGET_S:
        raise SystemExit(f"{seconds['first run']:.1f} s is over the target of {TARGET_S:g} s")


def put_city(connection: Connection, venues: list[PlacedVenue], sites: list[ProtectedSite]) -> None:
    """The city as a register of places, of schools and of gates; a gate names its school."""
    places = tuple(
        Venue(
            key=SourceKey(source="city", source_id=one.venue_id), name=one.name, category=min(one.categories),
            geometry=Point(one.longitude, one.latitude), raw_geometry=Point(one.longitude, one.latitude),
            datum=Datum.WGS84,
        )
        for one in venues
    )  # fmt: skip
    import_venues(connection, PlacesRead(venues=places), at=AT)
    schools, gates = [], []
    for one in sites:
        (campus,) = one.campuses
        assert campus.boundary is not None
        key = SourceKey(source="city", source_id=one.site_id)
        schools.append(
            Site(key=key, name=one.name, category=one.category, geometry=campus.boundary,
                 raw_geometry=campus.boundary, datum=Datum.WGS84)
        )  # fmt: skip
        gates += [
            RegisteredGate(
                key=SourceKey(source="city", source_id=f"{one.site_id}/{gate.gate_id}"), gate=gate, site_key=key,
                raw=Point(gate.longitude, gate.latitude), datum=Datum.WGS84,
            )
            for gate in campus.gates
        ]  # fmt: skip
    save_sites(connection, schools, at=AT, new_id=new_id)
    save_gates(connection, gates, at=AT, by="bench")


def evaluated(connection: Connection, network: WalkNetwork, *, division: str, at: datetime) -> list[Evaluated]:
    """One evaluation of all that is registered."""
    return evaluate_register(
        connection, LAW, load_lead_routes(), on=ON, clock=FixedClock(at), made_by="bench", division=division,
        walked=WalkedBy(network=network, network_on=ON),
    )  # fmt: skip


if __name__ == "__main__":
    main()
