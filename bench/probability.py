"""P(inside) of many (fix, zone) pairs over a mix of shapes: ``python -m bench.probability``.

Equal shares of circles, rectangles, 24-corner polygons, L-shapes and bent corridors, 10 to 500 m; accuracy 5 to 200 m,
even in its logarithm; fixes within two accuracy radii outside the edge, or inside, as the presence filter asks.
"""

import argparse
import json
import time

import numpy as np
from shapely.geometry import LineString, Polygon

from geo.index import ZoneIndex
from geo.probability import ShapeProbability
from geo.projection import FloatArray, metres_per_degree
from geo.shapes import Area, Circle, Corridor, Shape

LONGITUDE, LATITUDE = 117.0, 34.0
FAMILIES = ("circle", "rectangle", "polygon", "L-shape", "corridor")
TARGET_S = 2.0


def main() -> None:
    """Build, match, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zones", type=int, default=2_000)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    shapes = [a_shape(FAMILIES[number % 5], random) for number in range(options.zones)]
    ShapeProbability.build(shapes[:5])
    began = time.perf_counter()
    zones = ShapeProbability.build(shapes, thread_count=options.threads)
    build_s = time.perf_counter() - began
    columns = pairs_of(shapes, options.pairs, random)
    zones.inside(**{name: column[:100] for name, column in columns.items()})  # type: ignore[arg-type]
    rows = []
    for family, chosen in [("all", slice(None)), *((name, number) for number, name in enumerate(FAMILIES))]:
        keep = np.ones(options.pairs, bool) if isinstance(chosen, slice) else columns["zone_row"] % 5 == chosen
        part = {name: column[keep] for name, column in columns.items()}
        began = time.perf_counter()
        zones.inside(**part, thread_count=options.threads)  # type: ignore[arg-type]
        rows.append((family, int(keep.sum()), time.perf_counter() - began))
    for family, count, seconds in rows:
        print(f"{family:10} {count:>9,} pairs {seconds:7.3f} s {count / max(seconds, 1e-9):>12,.0f} pairs/s")
    total_s = rows[0][2]
    print(
        json.dumps(
            {
                "name": "probability",
                "pairs": options.pairs,
                "threads": options.threads,
                "seconds": round(total_s, 3),
                "seconds_per_million": round(total_s * 1e6 / options.pairs, 3),
                "build_s": round(build_s, 3),
                "zones": options.zones,
                "meets_target": total_s * 1e6 / options.pairs <= TARGET_S,
            }
        )
    )


def a_shape(family: str, random: np.random.Generator) -> Shape:
    """A shape of 10 to 500 m somewhere within 5 km."""
    size, (x, y) = random.uniform(10.0, 500.0), random.uniform(-5_000.0, 5_000.0, 2)
    if family == "circle":
        return Circle(longitude=float(lonlat(x, y)[0]), latitude=float(lonlat(x, y)[1]), radius_m=size / 2)
    if family == "corridor":
        return Corridor(
            line=LineString(lonlat(x + size * np.array([0, 1, 1]), y + size * np.array([0, 0.3, 1])).T),
            half_width_m=random.uniform(3.0, 30.0),
        )
    angle = np.arange(24) * np.pi / 12
    reach = random.uniform(0.6, 1.0, 24) / 2
    corners = {
        "rectangle": np.array([(0, 0), (1, 0), (1, 0.5), (0, 0.5)]),
        "L-shape": np.array([(0, 0), (1, 0), (1, 0.4), (0.3, 0.4), (0.3, 1), (0, 1)]),
        "polygon": np.column_stack([reach * np.cos(angle), reach * np.sin(angle)]),
    }[family]
    return Area(geometry=Polygon(lonlat(x + size * corners[:, 0], y + size * corners[:, 1]).T))


def lonlat(x: FloatArray | float, y: FloatArray | float) -> FloatArray:
    """Degrees for metres east and north."""
    east_m, north_m = metres_per_degree(LATITUDE)
    return np.array([LONGITUDE + np.asarray(x) / east_m, LATITUDE + np.asarray(y) / north_m])


def pairs_of(shapes: list[Shape], count: int, random: np.random.Generator) -> dict[str, FloatArray]:
    """The columns of ``ShapeProbability.inside`` for so many pairs that the index finds."""
    lon, lat = lonlat(*random.uniform(-5_500.0, 5_500.0, (2, 50_000)))
    accuracy_m = np.exp(random.uniform(np.log(5.0), np.log(200.0), lon.size))
    found = ZoneIndex.build(shapes).match(longitude=lon, latitude=lat, reach_m=2.0 * accuracy_m)
    row = random.integers(0, found.fix_row.size, count)
    fix = found.fix_row[row]
    return {
        "zone_row": found.zone_row[row],
        "longitude": lon[fix],
        "latitude": lat[fix],
        "accuracy_m": accuracy_m[fix],
        "signed_distance_m": found.signed_distance_m[row],
    }


if __name__ == "__main__":
    main()
