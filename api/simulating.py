"""``hulan simulate``: a simulation as files that ``hulan replay`` reads, and the truth beside them (design.md, 9)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv, parquet

from geo.shapes import Circle
from tracking.simulate import Simulation, Truth

ZONES_FILE, TRUTH_FILE = "zones.geojson", "truth.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFiles:
    """Where a simulation was written."""

    zones: Path
    fixes: Path
    truth: Path


def write_simulation(simulation: Simulation, folder: Path, *, as_parquet: bool = False) -> SimulatedFiles:
    """Write zones, fixes in order of arrival, and truth; the folder is made, files of these names are replaced.

    Fixes: ``subject_id, fixed_at, longitude, latitude, accuracy_m, datum, received_at``. Truth: ``subject_id, zone_id,
    entered_at, left_at, is_visit``. Times are ISO 8601, UTC. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = SimulatedFiles(
        zones=folder / ZONES_FILE,
        fixes=folder / ("fixes.parquet" if as_parquet else "fixes.csv"),
        truth=folder / TRUTH_FILE,
    )
    files.zones.write_text(json.dumps(zones_geojson(simulation), ensure_ascii=False, indent=1), encoding="utf-8")
    table = _fixes_table(simulation)
    if as_parquet:
        parquet.write_table(table, files.fixes)
    else:
        _write_csv(table, files.fixes)
    _write_csv(_truth_table(simulation.truth), files.truth)
    return files


def zones_geojson(simulation: Simulation) -> dict[str, object]:
    """The zones as a feature collection of points with ``radius_m``, WGS-84."""
    features = []
    for zone in simulation.zones:
        assert isinstance(zone.shape, Circle)
        features.append(
            {
                "type": "Feature",
                "id": zone_id(zone.zone_no),
                "geometry": {"type": "Point", "coordinates": [zone.shape.longitude, zone.shape.latitude]},
                "properties": {"kind": str(zone.kind), "name": zone.name, "radius_m": zone.shape.radius_m},
            }
        )
    return {"type": "FeatureCollection", "features": features}


def zone_id(zone_no: int) -> str:
    """How a simulated zone is named in files."""
    return f"Z{zone_no + 1:03d}"


def _fixes_table(simulation: Simulation) -> pa.Table:
    fixes = simulation.fixes
    return pa.table(
        {
            "subject_id": _names([f"S{number + 1:04d}" for number in range(simulation.people)], fixes.subject_no),
            "fixed_at": _instants(fixes.fixed_at),
            "longitude": fixes.longitude,
            "latitude": fixes.latitude,
            "accuracy_m": fixes.accuracy_m,
            "datum": _names(["WGS84"], np.zeros(len(fixes), dtype=np.int64)),
            "received_at": _instants(fixes.received_at),
        }
    )


def _truth_table(truth: Truth) -> pa.Table:
    people, zones = (int(numbers.max(initial=-1)) + 1 for numbers in (truth.subject_no, truth.zone_no))
    return pa.table(
        {
            "subject_id": _names([f"S{number + 1:04d}" for number in range(people)], truth.subject_no),
            "zone_id": _names([zone_id(number) for number in range(zones)], truth.zone_no),
            "entered_at": _instants(truth.entered_at),
            "left_at": _instants(truth.left_at),
            "is_visit": pa.array(truth.is_visit),
        }
    )


def _names(names: list[str], numbers: NDArray[np.int64]) -> pa.Array:
    return pa.array(names, type=pa.string()).take(pa.array(numbers))


def _instants(microseconds: NDArray[np.int64]) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))


def _write_csv(table: pa.Table, path: Path) -> None:
    for position, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            text = pc.strftime(table.column(position), format="%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(position, field.name, text)
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed", quoting_header="none"))
