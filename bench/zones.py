"""Zone matching beside its peers, and its cost from a thousand to a million zones.

``python -m bench.zones --zones 20000 --fixes 1000000``. Zones are irregular polygons of 4 to 32 corners, 50 to 300 m
across, at one density (20,000 on 0.3 by 0.36 degrees of a city at 34° north); fixes fall anywhere among them. Peers
answer which fix lies in which zone; Hulan answers that with the signed distance. The runs of all alternate, the best
of each counts, and no ratio is printed unless all answered the same.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import shapely
from numpy.typing import NDArray

from bench.report import best_of, peak_memory_mib, print_json, print_table
from bench.zone_peers import THREADS, Answers, hits, open_peers
from geo.index import YOUNG_ZONES, ZoneIndex, ZonePairs
from geo.projection import FloatArray
from geo.shapes import Area

SWEEP = (1_000, 20_000, 100_000, 1_000_000)
_EAST_M, _NORTH_M = 92_300.0, 110_900.0  # metres per degree at 34° north


def make_scene(zone_count: int, fix_count: int) -> tuple[NDArray[np.object_], FloatArray, FloatArray]:
    """Polygons (degrees), and longitudes and latitudes of fixes, at the density of the benchmark."""
    rng = np.random.default_rng(20_000)
    side = 0.3 * np.sqrt(zone_count / 20_000)
    corners = rng.integers(4, 33, zone_count)
    zone = np.repeat(np.arange(zone_count), corners)
    place = np.arange(zone.size) - (np.cumsum(corners) - corners)[zone]
    angle = 2.0 * np.pi * (place + rng.uniform(0.1, 0.9, zone.size)) / corners[zone]
    reach_m = rng.uniform(0.7, 1.0, zone.size) * rng.uniform(25.0, 150.0, zone_count)[zone]
    x = 117.0 + rng.uniform(0.0, 1.2 * side, zone_count)[zone] + reach_m * np.cos(angle) / _EAST_M
    y = 34.0 + rng.uniform(0.0, side, zone_count)[zone] + reach_m * np.sin(angle) / _NORTH_M
    polygons = np.asarray(shapely.polygons(shapely.linearrings(np.column_stack([x, y]), indices=zone)), dtype=object)
    return polygons, 117.0 + rng.uniform(0.0, 1.2 * side, fix_count), 34.0 + rng.uniform(0.0, side, fix_count)


def build(polygons: NDArray[np.object_]) -> ZoneIndex:
    """The index over polygons."""
    return ZoneIndex.build([Area(geometry=polygon) for polygon in polygons])


def match(index: ZoneIndex, lon: FloatArray, lat: FloatArray, *, reach_m: float = 0.0) -> ZonePairs:
    """One run of Hulan with all threads."""
    return index.match(longitude=lon, latitude=lat, reach_m=reach_m, thread_count=THREADS)


def compare(zone_count: int, fix_count: int, runs: int) -> tuple[dict[str, float], int]:
    """Seconds of each contestant on the same question, and the number of hits. SystemExit when answers differ."""
    polygons, lon, lat = make_scene(zone_count, fix_count)
    index = build(polygons)

    def hulan() -> tuple[object, object]:
        pairs = match(index, lon, lat)
        return pairs.fix_row, pairs.zone_row

    with open_peers(polygons, lon, lat) as peers:
        contestants: dict[str, Answers] = {"Hulan": hulan, **peers}
        answers = {name: hits(ask(), zone_count) for name, ask in contestants.items()}  # also warms everything up
        for name, answer in answers.items():
            if not np.array_equal(answer, answers["Hulan"]):
                raise SystemExit(f"{name} found {answer.size} hits, Hulan {answers['Hulan'].size}: no ratio is fair")
        seconds = dict.fromkeys(contestants, np.inf)
        for _ in range(runs):
            for name, ask in contestants.items():
                seconds[name] = min(seconds[name], best_of(ask, runs=3 if name == "Hulan" else 1)[0].seconds)
    return seconds, answers["Hulan"].size


def sweep(sizes: tuple[int, ...], fix_count: int, runs: int) -> list[dict[str, float]]:
    """Cost per fix at every size, runs alternating between sizes so that a busy machine is unfair to none."""
    scenes = []
    for size in sizes:
        polygons, lon, lat = make_scene(size, fix_count)
        timed, index = best_of(lambda polygons=polygons: build(polygons), runs=1)  # type: ignore[misc]
        scenes.append((index, lon, lat, {"zones": float(size), "build_s": timed.seconds}))
    for index, lon, lat, row in scenes:
        row["hits_per_fix"] = len(match(index, lon, lat)) / fix_count
        match(index, lon[:10_000], lat[:10_000], reach_m=100.0)
    for _ in range(runs):
        for index, lon, lat, row in scenes:
            for name, reach_m in (("ns_per_fix", 0.0), ("ns_per_fix_100m", 100.0)):
                taken = best_of(lambda a=index, b=lon, c=lat, d=reach_m: match(a, b, c, reach_m=d), runs=1)[0]  # type: ignore[misc]
                row[name] = min(row.get(name, np.inf), taken.seconds / fix_count * 1e9)
    for index, lon, lat, row in scenes:
        young = index
        for _ in range(YOUNG_ZONES - 1):
            young = young.with_zone(_SQUARE)
        for name, grown in (("add_ms", index), ("add_ms_most", young)):
            row[name] = best_of(lambda a=grown: a.with_zone(_SQUARE), runs=5)[0].seconds * 1e3  # type: ignore[misc]
        row["remove_ms"] = best_of(lambda a=index: a.without_zone(7), runs=5)[0].seconds * 1e3  # type: ignore[misc]
        row["one_fix_us"] = best_of(lambda a=index, b=lon[:1], c=lat[:1]: match(a, b, c), runs=200)[0].seconds * 1e6  # type: ignore[misc]
    return [row for _, _, _, row in scenes]


_SQUARE = Area(geometry=shapely.box(117.0, 34.0, 117.001, 34.001))


def two_threads_against_one(zone_count: int, fix_count: int) -> float:
    """Wall time of two threads on two halves divided by one thread on both: below 1 when the GIL is free."""
    polygons, lon, lat = make_scene(zone_count, fix_count)
    index, half = build(polygons), fix_count // 2
    halves = [(lon[:half], lat[:half]), (lon[half:], lat[half:])]

    def ask(part: tuple[FloatArray, FloatArray]) -> int:
        return len(index.match(longitude=part[0], latitude=part[1], reach_m=100.0))

    best = np.inf
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            started = time.perf_counter()
            one = [ask(part) for part in halves]
            middle = time.perf_counter()
            if list(pool.map(ask, halves)) != one:
                raise SystemExit("two threads found other pairs than one")
            best = min(best, (time.perf_counter() - middle) / (middle - started))
    return float(best)


def main() -> None:
    """Run, print, end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zones", type=int, default=20_000)
    parser.add_argument("--fixes", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sweep", type=int, nargs="*", default=SWEEP, help="numbers of zones; none for no sweep")
    options = parser.parse_args()
    seconds, hit_count = compare(options.zones, options.fixes, options.runs)
    print(f"{options.zones:,} zones, {options.fixes:,} fixes, {THREADS} threads: {hit_count:,} hits, the same from all")
    rows = [[name, taken * 1e3, options.fixes / taken, taken / seconds["Hulan"]] for name, taken in seconds.items()]
    print_table(["engine", "ms", "fixes/s", "times Hulan's"], rows)
    peers = {name: taken for name, taken in seconds.items() if name != "Hulan"}
    ratios = {"fastest_peer_over_hulan": min(peers.values()) / seconds["Hulan"]}
    ratios |= {f"{name}_over_hulan": taken / seconds["Hulan"] for name, taken in peers.items()}
    ratios["two_threads_over_one"] = two_threads_against_one(options.zones, options.fixes)
    print(f"two threads on two halves take {ratios['two_threads_over_one']:.2f} of one thread on both")
    figures: dict[str, object] = {"seconds": seconds, "hits": hit_count, "fixes": options.fixes, "zones": options.zones}
    if options.sweep:
        table = sweep(tuple(options.sweep), options.fixes, options.runs)
        print_table(list(table[0]), [list(row.values()) for row in table])
        costs = [row["ns_per_fix"] for row in table]
        ratios["dearest_over_cheapest_size"] = max(costs) / min(costs)
        figures["sweep"] = table
    figures["peak_memory_mib"] = peak_memory_mib()
    print_json("zones", figures=figures, ratios=ratios)


if __name__ == "__main__":
    main()
