"""The law of distance over a whole city: ``python -m bench.distance``.

5,000 schools with a wall and three gates each, 20,000 venues with one door, on the network of ``bench.walk``. Timed is
all that ``evaluate_distances`` does: pairs, both distances, every rule, winners. Some pairs are measured again one by
one, alone, and must come out the same.
"""

import argparse
from datetime import date
from itertools import islice

import numpy as np
from shapely.geometry import box

from bench.report import best_of, peak_memory_mib, print_json, print_table
from bench.walk import city_lines, points_near, prepare
from geo.projection import metres_per_degree
from geo.walk_network import WalkNetwork, build_walk_network
from venues.category import SiteCategory, VenueCategory
from venues.distance import DistanceRun, evaluate_distances
from venues.distance_ends import Campus, DistancePolicy, Door, Gate, GateKind, PlacedVenue, ProtectedSite
from venues.distance_verdict import Verdict
from venues.gateway_distance_law import load_distance_law

ON = date(2026, 11, 22)
TARGET_S = 60.0
LAW = load_distance_law()
POLICY = DistancePolicy()
CHECKED = 20


def main() -> None:
    """Build the city, evaluate it, check some pairs, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=400, help="junctions along one side of the city")
    parser.add_argument("--sites", type=int, default=5_000)
    parser.add_argument("--venues", type=int, default=20_000)
    parser.add_argument("--division", default="440106", help="whose rules bind the venues; 110105: no method named")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    network = build_walk_network(city_lines(options.side, random))
    prepare(network)
    sites, venues = (
        some_sites(network, options.sites, random),
        some_venues(network, options.venues, options.division, random),
    )
    evaluate(venues[:50], sites[:50], network)
    timed, run = best_of(lambda: evaluate(venues, sites, network), runs=options.runs)
    check_some(run, network)
    verdicts = run.rows.verdict[run.rows.is_winning]
    print_table(
        ["sites", "venues", "pairs", "gate-door links", "rows", "seconds", "MiB"],
        [[len(sites), len(venues), run.pairs.venue_row.size, run.pairs.links.gate.size, run.rows.pair.size,
          timed.seconds, peak_memory_mib()]],
    )  # fmt: skip
    counts = {verdict.name.lower(): int((verdicts == verdict).sum()) for verdict in Verdict}
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    print_json(
        "distance",
        figures={"sites": len(sites), "venues": len(venues), "pairs": int(run.pairs.venue_row.size), "verdicts": counts,
                 "seconds": round(timed.seconds, 2), "target_s": TARGET_S, "peak_mib": round(peak_memory_mib())},
        ratios={"target / ours": round(TARGET_S / timed.seconds, 1)},
    )  # fmt: skip
    if timed.seconds > TARGET_S:
        raise SystemExit(f"{timed.seconds:.1f} s is over the target of {TARGET_S:g} s")


def evaluate(venues: list[PlacedVenue], sites: list[ProtectedSite], network: WalkNetwork) -> DistanceRun:
    """The run that is timed."""
    return evaluate_distances(venues, sites, LAW, on=ON, network=network, policy=POLICY)


def some_sites(network: WalkNetwork, count: int, random: np.random.Generator) -> list[ProtectedSite]:
    """Schools and kindergartens of 60 to 160 m with three gates on the wall."""
    lon, lat = points_near(network, count, random)
    east_m, north_m = metres_per_degree(float(lat.mean()))
    half_m = random.uniform(30.0, 80.0, (count, 2))
    closed = random.random(count) < 0.1
    sites = []
    for row in range(count):
        width, height = half_m[row, 0] / east_m, half_m[row, 1] / north_m
        x, y = float(lon[row]), float(lat[row])
        places = [(x, y - height), (x - width, y), (x + width, y)]
        kinds = [GateKind.STUDENT, GateKind.SERVICE, GateKind.STUDENT]
        gates = tuple(
            Gate(
                gate_id=f"g{number}",
                longitude=place[0],
                latitude=place[1],
                kind=kind,
                is_closed=bool(closed[row]) and number == 2,
            )
            for number, (place, kind) in enumerate(zip(places, kinds, strict=True))
        )
        boundary = box(x - width, y - height, x + width, y + height)
        campus = Campus(campus_id="main", longitude=x, latitude=y, boundary=boundary, gates=gates,
                        has_all_gates=True)  # fmt: skip
        category = SiteCategory.KINDERGARTEN if row % 3 == 0 else SiteCategory.PRIMARY_SCHOOL
        sites.append(ProtectedSite(site_id=f"s{row}", name=f"学校{row}", category=category, campuses=(campus,)))
    return sites


def some_venues(network: WalkNetwork, count: int, division: str, random: np.random.Generator) -> list[PlacedVenue]:
    """Internet cafés, KTVs, bars and tobacco shops, each with one door."""
    lon, lat = points_near(network, count, random)
    kinds = [VenueCategory.INTERNET_CAFE, VenueCategory.KTV, VenueCategory.ARCADE, VenueCategory.NIGHTCLUB]
    return [
        PlacedVenue(
            venue_id=f"v{row}",
            name=f"场所{row}",
            categories=frozenset({kinds[row % len(kinds)]}),
            division=division,
            longitude=float(lon[row]),
            latitude=float(lat[row]),
            doors=(Door(door_id="d", longitude=float(lon[row]), latitude=float(lat[row])),),
        )
        for row in range(count)
    ]


def check_some(run: DistanceRun, network: WalkNetwork) -> None:
    """Ends the program if a pair measured alone differs from the same pair measured among all."""
    for finding in islice(run.findings(Verdict.BREACH, Verdict.SURVEY), CHECKED):
        alone = evaluate([finding.venue], [finding.site], network)
        again = next(alone.findings())
        theirs = [again.verdict, again.straight_m, again.walking_m, again.low_m, again.high_m]
        ours = [finding.verdict, finding.straight_m, finding.walking_m, finding.low_m, finding.high_m]
        if not np.array_equal(theirs, ours, equal_nan=True):
            raise SystemExit(f"{finding.venue.venue_id} and {finding.site.site_id} alone: {again} is not {finding}")


if __name__ == "__main__":
    main()
